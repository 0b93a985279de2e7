/* label_table.c - an evaluation of labels as tables and as JSON; which label is taken for which where
 * that was counted. */
#include "cli.h"

#include <string.h>

/* What is printed. */
typedef struct label_report {
    const ur_vocabulary *names;
    const ur_confusion *confusion;
    const char *unit;
} label_report;

enum { WIDEST_NAME = 32, WIDEST_MATRIX = 96, MOST_CONFUSIONS = 10 };

static const char *name_of(const label_report *r, size_t label)
{
    return ur_vocabulary_token(r->names, (int32_t)label, NULL);
}

static size_t characters(const char *text)
{
    size_t n = 0;
    ur_utf8_count(text, strlen(text), &n);
    return n;
}

/* A name of at most WIDEST_NAME characters, the last of a longer one a tilde, in a column. */
static void print_name(const char *name, size_t width, bool right)
{
    const size_t n = characters(name), shown = n > WIDEST_NAME ? WIDEST_NAME - 1 : n;
    const size_t taken = n > WIDEST_NAME ? WIDEST_NAME : n;
    const int padding = width > taken ? (int)(width - taken) : 0;
    const char *end = name;
    uint32_t character;
    for (size_t i = 0; i < shown; i++)
        end += ur_utf8_decode(end, strlen(end), &character);
    printf("%*s%.*s%s%*s", right ? padding : 0, "", (int)(end - name), name, n > shown ? "~" : "",
           right ? 0 : padding, "");
}

static size_t widest_name(const label_report *r, size_t least)
{
    size_t widest = least;
    for (size_t i = 0; i < r->confusion->labels; i++) {
        const size_t n = characters(name_of(r, i));
        widest = n > widest ? n : widest;
    }
    return widest < WIDEST_NAME ? widest : WIDEST_NAME;
}

static size_t count_of(const label_report *r, size_t truth, size_t said)
{
    return r->confusion->counts[truth * r->confusion->labels + said];
}

/* ---- tables -------------------------------------------------------------------------------- */

static void print_scores(const label_report *r)
{
    const size_t width = widest_name(r, 5);
    char text[GROUPED];
    putchar('\n');
    print_name("label", width, false);
    printf("  precision    recall        F1  %10s\n", r->unit);
    for (size_t i = 0; i < r->confusion->labels; i++) {
        const ur_label_score s = ur_confusion_score(r->confusion, i);
        print_name(name_of(r, i), width, false);
        printf("  %9.4f %9.4f %9.4f  %10s\n", s.precision, s.recall, s.f1,
               grouped(s.present, text));
    }
}

/* Characters of a column of the matrix. */
static size_t column_of(const label_report *r)
{
    size_t most = 0;
    char text[GROUPED];
    for (size_t i = 0; i < r->confusion->labels * r->confusion->labels; i++)
        most = r->confusion->counts[i] > most ? r->confusion->counts[i] : most;
    const size_t digits = strlen(grouped(most, text)), name = widest_name(r, 1);
    return 2 + (digits > name ? digits : name);
}

static void print_matrix(const label_report *r, size_t width, size_t column)
{
    char text[GROUPED];
    printf("\ntrue labels down, the model's across\n");
    print_name("", width, false);
    for (size_t i = 0; i < r->confusion->labels; i++)
        print_name(name_of(r, i), column, true);
    putchar('\n');
    for (size_t i = 0; i < r->confusion->labels; i++) {
        print_name(name_of(r, i), width, false);
        for (size_t j = 0; j < r->confusion->labels; j++)
            printf("%*s", (int)column, grouped(count_of(r, i, j), text));
        putchar('\n');
    }
}

/* The most frequent wrong pair after (count, place) in falling order; false when there is none. */
static bool next_confusion(const label_report *r, size_t *count, size_t *place)
{
    const size_t labels = r->confusion->labels, *counts = r->confusion->counts;
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < labels * labels; i++) {
        const bool after = counts[i] < *count || (counts[i] == *count && i > *place);
        if (counts[i] && after && i / labels != i % labels &&
            (best == SIZE_MAX || counts[i] > counts[best]))
            best = i;
    }
    if (best == SIZE_MAX)
        return false;
    *count = counts[best];
    *place = best;
    return true;
}

static void print_confusions(const label_report *r, size_t width)
{
    size_t count = SIZE_MAX, place = 0;
    char text[GROUPED];
    for (int i = 0; i < MOST_CONFUSIONS && next_confusion(r, &count, &place); i++) {
        if (i == 0) {
            printf("\nmost often confused (all pairs: unroll plot --confusion)\n");
            print_name("true", width + 2, false);
            print_name("model's", width + 2, false);
            printf("%10s\n", r->unit);
        }
        print_name(name_of(r, place / r->confusion->labels), width + 2, false);
        print_name(name_of(r, place % r->confusion->labels), width + 2, false);
        printf("%10s\n", grouped(count, text));
    }
}

ur_status count_labels(ur_run *run, bool matrix, ur_confusion **out, ur_err *err)
{
    const ur_vocabulary *labels = ur_run_labels(run);
    *out = NULL;
    return labels ? ur_confusion_new(ur_context_allocator(ur_run_assets(run)->context),
                                     ur_vocabulary_size(labels), matrix, out, err)
                  : UR_OK;
}

void print_label_table(const ur_vocabulary *names, const ur_confusion *confusion, const char *unit)
{
    const label_report r = {names, confusion, unit};
    print_scores(&r);
    if (!confusion->counts)
        return;
    const size_t width = widest_name(&r, 7), column = column_of(&r);
    if (width + column * confusion->labels <= WIDEST_MATRIX)
        print_matrix(&r, width, column);
    else
        print_confusions(&r, width);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static void print_number(const char *key, double value)
{
    printf(",\"%s\":", key);
    json_number(stdout, value);
}

static void print_score_json(const label_report *r, size_t label)
{
    const ur_label_score s = ur_confusion_score(r->confusion, label);
    fputs("{\"label\":", stdout);
    json_string(stdout, name_of(r, label));
    printf(",\"present\":%zu,\"predicted\":%zu,\"right\":%zu", s.present, s.predicted, s.right);
    print_number("precision", s.precision);
    print_number("recall", s.recall);
    print_number("f1", s.f1);
    putchar('}');
}

void print_label_json(const ur_vocabulary *names, const ur_confusion *confusion)
{
    const label_report r = {names, confusion, NULL};
    fputs(",\"labels\":[", stdout);
    for (size_t i = 0; i < confusion->labels; i++) {
        fputs(i ? "," : "", stdout);
        print_score_json(&r, i);
    }
    putchar(']');
    if (!confusion->counts)
        return;
    fputs(",\"confusion\":[", stdout);
    for (size_t i = 0; i < confusion->labels; i++) {
        fputs(i ? ",[" : "[", stdout);
        for (size_t j = 0; j < confusion->labels; j++)
            printf("%s%zu", j ? "," : "", count_of(&r, i, j));
        putchar(']');
    }
    putchar(']');
}
