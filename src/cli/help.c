/* help.c - help texts, laid out for 80 columns. Options are described by the tables that read them,
 * their defaults by the settings that they start from. */
#include "cli.h"

#include <string.h>

enum { WIDTH = 79, INDENT = 26 };

/* Writes words, beginning in `column`, and breaks lines before WIDTH; later ones begin at `indent`.
 * Returns the column it ends in. */
static int write_words(FILE *to, const char *text, int column, int indent)
{
    bool first = true;
    while (*text) {
        int length = (int)strcspn(text, " ");
        if (!first && column + 1 + length > WIDTH) {
            fprintf(to, "\n%*s", indent, "");
            column = indent;
        } else if (!first) {
            putc(' ', to);
            column++;
        }
        fprintf(to, "%.*s", length, text);
        column += length;
        text += length;
        text += strspn(text, " ");
        first = false;
    }
    return column;
}

static void write_paragraph(FILE *to, const char *text)
{
    write_words(to, text, 0, 0);
    fputs("\n\n", to);
}

/* " Default: 128.", "" where there is nothing to say. */
static void default_text(const option *o, const settings *s, char text[64])
{
    const void *at = (const char *)s + o->offset;
    text[0] = '\0';
    if (o->standard) {
        if (*o->standard)
            snprintf(text, 64, " Default: %s.", o->standard);
        return;
    }
    switch (o->kind) {
    case OPTION_SIZE:
        snprintf(text, 64, " Default: %zu.", *(const size_t *)at);
        break;
    case OPTION_SEED:
        snprintf(text, 64, " Default: %llu.", (unsigned long long)*(const uint64_t *)at);
        break;
    case OPTION_REAL:
        snprintf(text, 64, " Default: %g.", *(const double *)at);
        break;
    case OPTION_CHOICE:
        snprintf(text, 64, " Default: %s.", o->choices[*(const int *)at]);
        break;
    case OPTION_FLAG:
    case OPTION_TEXT:
        break;
    }
}

static void write_option(FILE *to, const option *o, const settings *s)
{
    char standard[64], text[480];
    bool optional = o->value && o->value[0] == '[';
    int column = fprintf(to, "  --%s%s%s", o->name, o->value && !optional ? " " : "",
                         o->value ? o->value : "");
    if (column > INDENT - 2) {
        putc('\n', to);
        column = 0;
    }
    fprintf(to, "%*s", INDENT - column, "");
    default_text(o, s, standard);
    snprintf(text, sizeof text, "%s%s", o->help, standard);
    write_words(to, text, INDENT, INDENT);
    putc('\n', to);
}

static void write_exit_codes(FILE *to)
{
    fputs("Exit codes:\n"
          "  0 done                       4 reading or writing failed\n"
          "  1 failed                     5 out of memory\n"
          "  2 wrong usage                6 training diverged\n"
          "  3 bad input or model       130 interrupted\n\n",
          to);
}

static void write_usage(FILE *to, const verb *v)
{
    size_t lines = 0;
    for (size_t i = 0; v->usage && v->usage[i]; i++, lines++)
        fprintf(to, "%s unroll %s\n", lines ? "      " : "usage:", v->usage[i]);
    for (size_t p = 0; v->parts && v->parts[p]; p++)
        for (size_t i = 0; v->parts[p]->usage[i]; i++, lines++)
            fprintf(to, "%s unroll %s\n", lines ? "      " : "usage:", v->parts[p]->usage[i]);
    putc('\n', to);
}

/* What the verb of one word can be followed by. */
static void write_parts(FILE *to, const verb *v)
{
    for (size_t p = 0; v->parts && v->parts[p]; p++) {
        int column = fprintf(to, "  %s %-12s ", v->name, last_word(v->parts[p]));
        write_words(to, v->parts[p]->summary, column, column);
        putc('\n', to);
    }
    if (v->parts)
        fprintf(to, "\nEach has options of its own besides those below: unroll help %s %s\n\n",
                v->name, last_word(v->parts[0]));
}

void print_verb_help(FILE *to, const verb *v)
{
    settings s = default_settings(v);
    write_usage(to, v);
    write_paragraph(to, v->purpose);
    write_parts(to, v);
    fprintf(to, "Example:\n%s\nOptions:\n", v->example);
    const option *o;
    for (size_t i = 0; (o = option_at(v, i)); i++)
        write_option(to, o, &s);
    putc('\n', to);
    for (size_t i = 0; v->notes && v->notes[i]; i++)
        write_paragraph(to, v->notes[i]);
    write_exit_codes(to);
    fprintf(to, "See also: %s\n", v->see_also);
}

void print_help(FILE *to)
{
    fputs("usage: unroll VERB ...\n\n", to);
    write_paragraph(to, "Trains sequence models and uses them. A trained model is a folder, called "
                        "a run, that everything else opens.");
    for (const verb *const *v = all_verbs(); *v; v++)
        fprintf(to, "  %-9s %s\n", (*v)->name, (*v)->summary);
    fputs("\nTo begin, teach a model to write dates as numbers (two minutes), and ask it:\n"
          "  $ unroll train seq2seq --data builtin:dates --out runs/dates\n"
          "  $ unroll predict runs/dates \"September 27, 1994\"\n"
          "  1994-09-27\n\n"
          "  unroll help VERB   what a verb does, with an example and its options\n"
          "  unroll --version   the version\n\n",
          to);
    write_exit_codes(to);
    fputs("See also: unroll(1)\n", to);
}
