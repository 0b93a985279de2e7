/* help.c - help texts, laid out for 80 columns. Options are described by the tables that read them,
 * their defaults by the structs that they start from. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

enum { WIDTH = 79, INDENT = 26 };

/* ---- one option ---------------------------------------------------------------------------- */

/* A setting of training to which the kind gives another value than the table. */
static bool has_own_default(const command *c, const option *o)
{
    const ur_setting *s = c->kind && o->config == &c->settings ? c->kind->defaults : NULL;
    while (s && s->name && strcmp(s->name, o->field->name) != 0)
        s++;
    return s && s->name;
}

static void default_text(const command *c, const option *o, char *text, size_t capacity)
{
    text[0] = '\0';
    if (!o->field)
        return;
    if (o->shown)
        snprintf(text, capacity, "%s", o->shown);
    else if (o->field->shown && (*o->field->shown || !has_own_default(c, o)))
        snprintf(text, capacity, "%s", o->field->shown);
    else if (o->field->type != UR_FIELD_BOOL)
        ur_field_print(o->field, o->config, text, capacity);
}

/* Sentences of the kind stand in place of the table's. */
static const char *help_of(const command *c, const option *o, const char **before,
                           const char **after)
{
    const bool setting = c->kind && o->config == &c->settings;
    *before = *after = "";
    if (o->shorthand)
        return o->shorthand->help;
    if (setting && strcmp(o->field->name, "data") == 0) {
        *before = "What to learn: ";
        *after = ".";
        return c->kind->data_help;
    }
    if (setting && strcmp(o->field->name, "valid") == 0)
        return c->kind->valid_help;
    return o->config == &c->common && strcmp(o->field->name, "json") == 0 ? c->verb->json_help
                                                                          : o->field->help;
}

char *option_text(const command *c, const option *o)
{
    char standard[96];
    const char *before, *after, *help = help_of(c, o, &before, &after);
    default_text(c, o, standard, sizeof standard);
    const char *format = *standard ? "%s%s%s Default: %s." : "%s%s%s";
    const int length = snprintf(NULL, 0, format, before, help ? help : "", after, standard);
    char *text = length < 0 ? NULL : malloc((size_t)length + 1);
    if (text)
        snprintf(text, (size_t)length + 1, format, before, help ? help : "", after, standard);
    else
        note_missing_text();
    return text;
}

enum { OPTION_VALUE = 160 };

/* What help calls its value: " N", "[=a|b]", "" of a flag. */
static const char *option_value(const option *o, char text[OPTION_VALUE])
{
    const ur_field *f = o->field;
    char word[64];
    size_t used = 0;
    text[0] = '\0';
    if (takes_no_value(o))
        return text;
    if (f->metavar) {
        snprintf(text, OPTION_VALUE, "%s%s", *f->metavar == '[' ? "" : " ", f->metavar);
        return text;
    }
    const bool listed = f->type == UR_FIELD_ENUM || f->type == UR_FIELD_NAME;
    for (size_t i = 0; listed && used < OPTION_VALUE && ur_field_word(f, i, word, sizeof word); i++)
        used += (size_t)snprintf(text + used, OPTION_VALUE - used, "%s%s", i ? "|" : " ", word);
    if (!listed)
        snprintf(text, OPTION_VALUE, " VALUE");
    return text;
}

/* ---- lists of options ---------------------------------------------------------------------- */

/* How they are written. */
typedef struct page_style {
    void (*group)(FILE *to, const char *title); /* before the options of one ... */
    void (*row)(FILE *to, const command *c, const option *o);
    void (*end)(FILE *to); /* ... and behind them */
    void (*paragraph)(FILE *to, const char *text);
} page_style;

/* Those that matter first; any other group follows, and what has none comes last. */
static const char *const groups[] = {"data",     "model",  "training", "optimizer",
                                     "schedule", "search", NULL};

static const char *group_of(const option *o)
{
    const char *group = o->field ? o->field->group : o->shorthand->group;
    return group ? group : "options";
}

static bool same_default(const command *c, const option *o)
{
    char name[OPTION_NAME], mine[96], other[96];
    const option *twin = find_option(c, option_name(o, name));
    if (!twin)
        return false;
    default_text(c, o, mine, sizeof mine);
    default_text(c, twin, other, sizeof other);
    return strcmp(mine, other) == 0;
}

/* beside: NULL, or what has been listed; options that it has with the same default are left out. */
static void write_group(FILE *to, const page_style *style, const command *c, const char *group,
                        const command *beside)
{
    bool open = false;
    for (size_t i = 0; i < c->n_options; i++) {
        const option *o = &c->options[i];
        if (strcmp(group_of(o), group) != 0 || (beside && same_default(beside, o)))
            continue;
        if (!open)
            style->group(to, group);
        open = true;
        style->row(to, c, o);
    }
    if (open)
        style->end(to);
}

/* Whether option i is the first of a group that `groups` does not have. */
static bool opens_group(const command *c, size_t i)
{
    const char *group = group_of(&c->options[i]);
    for (const char *const *g = groups; *g; g++)
        if (strcmp(*g, group) == 0)
            return false;
    for (size_t j = 0; j < i; j++)
        if (strcmp(group_of(&c->options[j]), group) == 0)
            return false;
    return strcmp(group, "options") != 0;
}

static void write_options(FILE *to, const page_style *style, const command *c,
                          const command *beside)
{
    for (const char *const *g = groups; *g; g++)
        write_group(to, style, c, *g, beside);
    for (size_t i = 0; i < c->n_options; i++)
        if (opens_group(c, i))
            write_group(to, style, c, group_of(&c->options[i]), beside);
    write_group(to, style, c, "options", beside);
}

/* Those of all the kinds that `unroll train WORD` trains: what the others have beside the first. */
static bool write_kind_options(FILE *to, const page_style *style, const char *word)
{
    command first, other;
    const ur_kind *kind;
    char title[200];
    if (!open_command(&first, &train_verb, kind_of_word(word, 0)))
        return false;
    write_options(to, style, &first, NULL);
    bool fits = true;
    for (size_t i = 1; fits && (kind = kind_of_word(word, i)); i++) {
        fits = open_command(&other, &train_verb, kind);
        if (!fits)
            break;
        snprintf(title, sizeof title, "With --%s (%s):", kind->chosen_by, kind->summary);
        style->paragraph(to, title);
        if (kind->description)
            style->paragraph(to, kind->description);
        write_options(to, style, &other, &first);
        close_command(&other);
    }
    close_command(&first);
    return fits;
}

/* ---- as text ------------------------------------------------------------------------------- */

/* Words from `column` on, in lines of at most WIDTH columns that begin with `indent`, which is as wide
 * as `width`. */
static void write_words(FILE *to, const char *text, int column, const char *indent, int width)
{
    for (bool first = true; *text; first = false) {
        const int length = (int)strcspn(text, " ");
        if (!first && column + 1 + length > WIDTH) {
            fprintf(to, "\n%s", indent);
            column = width;
        } else if (!first) {
            putc(' ', to);
            column++;
        }
        fprintf(to, "%.*s", length, text);
        column += length;
        text += length;
        text += strspn(text, " ");
    }
    putc('\n', to);
}

static void write_paragraph(FILE *to, const char *text)
{
    write_words(to, text, 0, "", 0);
    putc('\n', to);
}

static void text_group(FILE *to, const char *group)
{
    fprintf(to, "%c%s:\n", *group >= 'a' && *group <= 'z' ? *group - 'a' + 'A' : *group, group + 1);
}

static void text_row(FILE *to, const command *c, const option *o)
{
    static const char indent[INDENT + 1] = "                          ";
    char name[OPTION_NAME], value[OPTION_VALUE];
    char *text = option_text(c, o);
    int column = fprintf(to, "  --%s%s", option_name(o, name), option_value(o, value));
    if (column > INDENT - 2) {
        putc('\n', to);
        column = 0;
    }
    fprintf(to, "%*s", INDENT - column, "");
    write_words(to, text ? text : "", INDENT, indent, INDENT);
    free(text);
}

static void text_end(FILE *to)
{
    putc('\n', to);
}

static const page_style as_text = {text_group, text_row, text_end, write_paragraph};

/* ---- as lines of fields -------------------------------------------------------------------- */

static void list_group(FILE *to, const char *group)
{
    fprintf(to, "group\t%s\n", group);
}

static void list_row(FILE *to, const command *c, const option *o)
{
    char name[OPTION_NAME], value[OPTION_VALUE];
    char *text = option_text(c, o);
    fprintf(to, "option\t--%s\t%s\t%s\n", option_name(o, name), option_value(o, value),
            text ? text : "");
    free(text);
}

static void list_end(FILE *to)
{
    (void)to;
}

static void list_paragraph(FILE *to, const char *text)
{
    fprintf(to, "text\t%s\n", text);
}

static const page_style as_list = {list_group, list_row, list_end, list_paragraph};

/* ---- verbs --------------------------------------------------------------------------------- */

static void write_exit_codes(FILE *to)
{
    fputs("Exit codes:\n"
          "  0 done                       4 reading or writing failed\n"
          "  1 failed                     5 out of memory\n"
          "  2 wrong usage                6 training diverged\n"
          "  3 bad input or model       130 interrupted\n\n",
          to);
}

static void write_usage(FILE *to, const verb *v, const char *trained, bool listed)
{
    const char *const *list = v->usage;
    for (size_t i = 0; list[i]; i++) {
        fputs(listed ? "usage\tunroll " : i ? "       unroll " : "usage: unroll ", to);
        const char *slot = strstr(list[i], "%s");
        const int length = slot ? (int)(slot - list[i]) : (int)strlen(list[i]);
        fprintf(to, "%.*s%s%s\n", length, list[i], slot ? (trained ? trained : "MODEL") : "",
                slot ? slot + 2 : "");
    }
    fputs(listed ? "" : "\n", to);
}

static void write_notes(FILE *to, const page_style *style, const char *const *notes)
{
    for (; notes && *notes; notes++)
        style->paragraph(to, *notes);
}

/* Options and notes of what is trained; or of a verb. */
static bool write_all_options(FILE *to, const page_style *style, const verb *v, const char *trained)
{
    const ur_kind *kind;
    command c;
    if (trained && !write_kind_options(to, style, trained))
        return false;
    if (!trained) {
        if (!open_command(&c, v, NULL))
            return false;
        write_options(to, style, &c, NULL);
        close_command(&c);
    }
    write_notes(to, style, v->notes);
    for (size_t i = 0; trained && (kind = kind_of_word(trained, i)); i++)
        write_notes(to, style, kind->notes);
    return true;
}

/* What `unroll train` can be followed by. */
void print_trained(FILE *to)
{
    char indent[40];
    const ur_kind *kind;
    for (size_t i = 0; (kind = trained_at(i)); i++) {
        const int column = fprintf(to, "  train %-12s ", kind->verb);
        snprintf(indent, sizeof indent, "%*s", column, "");
        write_words(to, kind->summary, column, indent, column);
    }
}

bool print_verb_help(FILE *to, const verb *v, const char *trained, bool listed)
{
    const page_style *style = listed ? &as_list : &as_text;
    const ur_kind *kind = trained ? kind_of_word(trained, 0) : NULL;
    const char *example = kind ? kind->example : v->example;
    write_usage(to, v, trained, listed);
    style->paragraph(to, !kind               ? v->purpose
                         : kind->description ? kind->description
                                             : kind->summary);
    if (v->trains && !kind && !listed) {
        print_trained(to);
        fprintf(to, "\nEach has options of its own besides those below: unroll help train %s\n\n",
                trained_at(0)->verb);
    }
    if (example && !listed)
        fprintf(to, "Example:\n%s\n", example);
    if (!write_all_options(to, style, v, trained))
        return false;
    if (listed)
        return true;
    write_exit_codes(to);
    fprintf(to, "See also: %s\n", v->see_also);
    return true;
}

void print_help(FILE *to)
{
    fputs("usage: unroll VERB ...\n\n", to);
    write_paragraph(to, "Trains sequence models and uses them. A trained model is a folder, called "
                        "a run, that everything else opens.");
    for (const verb *const *v = all_verbs(); *v; v++)
        fprintf(to, "  %-12s %s\n", (*v)->name, (*v)->summary);
    fputs("\nTo begin, teach a model to write dates as numbers (a minute), and ask it:\n"
          "  $ unroll train seq2seq --data builtin:dates --out runs/dates\n"
          "  $ unroll predict runs/dates \"September 27, 1994\"\n"
          "  1994-09-27\n\n"
          "  unroll help VERB   what a verb does, with an example and its options\n"
          "  unroll --version   the version\n\n",
          to);
    write_exit_codes(to);
    fputs("See also: unroll(1)\n", to);
}
