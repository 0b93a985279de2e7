/* predict.c - unroll predict: answers or labels, in the order of the texts. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_TEXTS = 256 }; /* that are handed on together */

typedef struct predict_options {
    const char *in;
} predict_options;

/* clang-format off */
static const ur_field fields[] = {
    {.name = "in", .metavar = "FILE", .type = UR_FIELD_TEXT, .offset = offsetof(predict_options, in),
     .least = 1, .shown = "", .help = "Answer the lines of a file, as - does those of standard input."},
    {.name = NULL},
};
/* clang-format on */

/* What every text is asked with, and what was noticed so far. */
typedef struct asker {
    ur_run *run;
    const ur_search_options *search;
    bool json, best, quiet;
    const char *where;                     /* "text", "standard input: line": before a number */
    size_t texts, unknown, touched;        /* unknown tokens, and texts that have some */
    size_t cut, left_out, refused, tabbed; /* texts; the first with a tab */
} asker;

static void take_note(asker *a, const ur_prediction *p)
{
    a->texts++;
    a->unknown += p->unknown;
    a->touched += p->unknown > 0;
    a->cut += p->cut > 0 && !p->left_out;
    a->left_out += p->left_out;
}

/* Answers up to MOST_TEXTS texts, of which the first is number `first` of all (from 1), and prints.
 * UR_BAD_FILE, when one cannot be used, comes before anything is printed, its index in *bad. */
static ur_status ask(asker *a, size_t count, const char *const *texts, size_t first, size_t *bad,
                     ur_err *err)
{
    ur_prediction answers[MOST_TEXTS];
    const ur_status status = ur_run_predict(a->run, count, texts, a->search, answers, bad, err);
    for (size_t i = 0; status == UR_OK && i < count; i++) {
        print_prediction(a->run, &answers[i], first - 1 + i, a->json, a->best);
        take_note(a, &answers[i]);
        ur_prediction_free(ur_run_assets(a->run)->context, &answers[i]);
    }
    return status;
}

/* An empty answer, and why; what was answered before it comes out first. */
static int refuse(asker *a, const char *text, size_t number, const char *why)
{
    a->texts++;
    a->refused++;
    print_refusal(text, a->json, why);
    const int code = flush_output();
    if (code == CODE_OK)
        say("%s %zu: %s", a->where, number, why);
    return code;
}

/* Answers texts of which the first has the number `first`. One that cannot be answered gets an empty
 * answer. */
static int answer(asker *a, size_t count, const char *const *texts, size_t first)
{
    for (size_t done = 0; done < count;) {
        ur_err err;
        size_t bad = SIZE_MAX;
        const size_t left = count - done;
        const ur_status status = ask(a, left, texts + done, first + done, &bad, &err);
        if (status == UR_OK)
            break;
        if (status != UR_BAD_FILE || bad >= left)
            return say_error(&err);
        ur_err other;
        if (bad && ask(a, bad, texts + done, first + done, NULL, &other) != UR_OK)
            return say_error(&other);
        const int code = refuse(a, texts[done + bad], first + done + bad, err.text);
        if (code != CODE_OK)
            return code;
        done += bad + 1;
    }
    return flush_output();
}

/* A text that looks as if it were more than the text. */
static void look_for_columns(asker *a, const char *text, size_t number)
{
    const ur_kind *kind = ur_run_kind(a->run);
    if (a->tabbed || a->quiet || !strchr(text, '\t') ||
        (kind->pairs && kind->pairs(ur_run_assets(a->run)->config)))
        return;
    a->tabbed = number;
    say("%s %zu has a tab in it: a text has no columns, all of it is read (cut -f1 takes the "
        "first%s)",
        a->where, number, kind->pairs ? "; --pairs reads two texts" : "");
}

static void look_for_file(const asker *a, const char *text)
{
    struct stat info;
    if (!a->quiet && stat(text, &info) == 0 && S_ISREG(info.st_mode))
        say("'%s' is taken as a text, and is the name of a file: --in '%s' answers its lines", text,
            text);
}

static int answer_arguments(asker *a, const command *c)
{
    const char *const *texts = (const char *const *)c->arguments + 1;
    const size_t count = c->n_arguments - 1;
    int code = CODE_OK;
    for (size_t i = 0; i < count; i++) {
        look_for_file(a, texts[i]);
        look_for_columns(a, texts[i], i + 1);
    }
    for (size_t at = 0, n; code == CODE_OK && at < count; at += n) {
        n = texts_together(MOST_TEXTS, count - at, texts + at);
        code = answer(a, n, texts + at, at + 1);
    }
    return code;
}

/* Lines, see take_lines. */
static int answer_lines(void *user, size_t count, const char *const *texts, size_t first)
{
    asker *a = user;
    for (size_t i = 0; i < count; i++)
        look_for_columns(a, texts[i], first + i);
    return answer(a, count, texts, first);
}

/* What cannot even be a text: an answer all the same, so that answers stay beside their lines. */
static int refuse_line(void *user, size_t number, const char *why)
{
    return refuse(user, NULL, number, why);
}

/* What the answers do not show. */
static void say_notes(const asker *a)
{
    const ur_vocabulary *v = ur_run_vocabulary(a->run);
    const ur_wordpiece *w = ur_run_assets(a->run)->wordpiece;
    const bool named = v && ur_vocabulary_find_reserved(v, "unk") >= 0;
    const char *as = w       ? ur_wordpiece_token(w, ur_wordpiece_special(w, UR_UNK))
                     : named ? "<unk>"
                             : "nothing";
    if (a->quiet)
        return;
    if (a->unknown)
        say("%zu token%s, in %zu of %zu text%s, %s unknown to the model and read as %s", a->unknown,
            a->unknown == 1 ? "" : "s", a->touched, a->texts, a->texts == 1 ? "" : "s",
            a->unknown == 1 ? "is" : "are", as);
    if (a->cut)
        say("%zu of %zu texts were cut (--max-length)", a->cut, a->texts);
    if (a->left_out)
        say("%zu of %zu texts were left out (--skip): their answers are empty", a->left_out,
            a->texts);
}

static int predict(command *c, ur_run *run)
{
    const predict_options *o = c->own;
    int code = set_reading(c, run);
    if (code != CODE_OK)
        return code;
    if (!ur_run_kind(run)->predict) {
        say("%s is a %s, which predicts nothing from texts%s", c->arguments[0],
            ur_run_kind(run)->name, ur_run_kind(run)->writes ? "; unroll generate writes" : "");
        return CODE_FAILURE;
    }
    const ur_search_options *search = given_search(c);
    asker a = {.run = run,
               .search = search,
               .json = c->common.json,
               .quiet = c->common.quiet,
               .best = search && search->n_best > 1,
               .where = "text"};
    const line_texts lines = {&a, MOST_TEXTS, &a.where, answer_lines, refuse_line};
    const bool from_input = c->n_arguments == 2 && strcmp(c->arguments[1], "-") == 0;
    code = o->in || from_input ? take_lines(o->in, &lines) : answer_arguments(&a, c);
    if (code == CODE_OK)
        say_notes(&a);
    return code == CODE_OK && a.refused ? CODE_INPUT : code;
}

static int run_predict(command *c)
{
    const predict_options *o = c->own;
    if (c->n_arguments == 0)
        return say_usage(c, "the run is missing: unroll predict RUN TEXT");
    if (c->n_arguments == 1 && !o->in)
        return say_usage(c, "the text is missing; - reads lines from standard input");
    if (c->n_arguments > 1 && o->in)
        return say_usage(c, "--in answers the lines of a file; '%s' is one argument too many",
                         c->arguments[1]);
    return with_run(c, predict);
}

static const char *const usage[] = {"predict RUN TEXT ... [options]",
                                    "predict RUN - < FILE [options]",
                                    "predict RUN --in FILE [options]", NULL};

static const char *const notes[] = {
    "Lines are answered together, up to 256 of them and 256 KiB, and as soon as no further line is "
    "there. A "
    "text "
    "that cannot be answered (not UTF-8, too long) gets an empty answer (as JSON an object with "
    "the "
    "key error) and is named by its number, and the exit code in the end is 3. Words that the "
    "model "
    "does not know are read as <unk>; characters of a model without <unk> as nothing at all. They "
    "are counted and told in the end; with --skip texts that have such characters get an empty "
    "answer.",
    NULL};

const verb predict_verb = {
    .name = "predict",
    .summary = "let a model answer",
    .usage = usage,
    .purpose =
        "Prints a trained model's answer to each text, or to each line of standard input, "
        "one a line and in their order. A classifier's answer is a label and its "
        "probability; a tagger's a line for each token (token, label, probability, with "
        "tabs between them) and a blank line; to a question about a text (with a tab between them) "
        "the answer, its probability and the characters of the text where it begins and ends; a "
        "language model's what comes next. Of the --n-best answers each has a line, with its log "
        "probability after a tab, and a blank line ends "
        "those of a text; those of a translator are lines `number ||| text ||| score`, texts being "
        "numbered from 0. RUN is a run's folder, or a model.safetensors or "
        "checkpoint from one.",
    .example = "  $ unroll predict runs/dates \"september 27, 1994\" 5/16/08\n"
               "  1994-09-27\n"
               "  2008-05-16\n"
               "  $ unroll predict runs/names \"Ada lived in London\"\n"
               "  Ada\tP\t0.9999\n"
               "  lived\tO\t0.9991\n"
               "  in\tO\t0.9999\n"
               "  London\tL\t0.9995\n"
               "\n"
               "  $ cut -f1 dates.txt | unroll predict runs/dates - > answers.txt\n",
    .notes = notes,
    .see_also = "unroll help train, unroll help eval",
    .fields = fields,
    .size = sizeof(predict_options),
    .json_help = "Print an object per text: the answer, its log probability and every token's; of "
                 "labels the probabilities of all.",
    .threads = true,
    .weights = true,
    .searches = true,
    .reads = true,
    .run = run_predict,
};
