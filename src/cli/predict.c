/* predict.c - unroll predict: answers or labels, in the order of the texts. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TEXTS = 256 }; /* that are handed on together */

/* What every text is asked with. */
typedef struct asker {
    ur_run *run;
    const ur_search_options *search;
    bool json, best;
} asker;

/* Answers up to MOST_TEXTS texts, of which the first is number `first` of all (from 1), and prints.
 * UR_BAD_FILE, when one cannot be used, comes before
 * anything is printed, its index in *bad. */
static ur_status ask(const asker *a, size_t count, const char *const *texts, size_t first,
                     size_t *bad, ur_err *err)
{
    ur_prediction answers[MOST_TEXTS];
    const ur_status status = ur_run_predict(a->run, count, texts, a->search, answers, bad, err);
    for (size_t i = 0; status == UR_OK && i < count; i++) {
        print_prediction(a->run, &answers[i], first - 1 + i, a->json, a->best);
        ur_prediction_free(ur_run_assets(a->run)->context, &answers[i]);
    }
    return status;
}

/* The same for texts of which the first is number `first` of those from `where`. When one cannot be
 * answered, those before it still are. */
static int answer(const asker *a, size_t count, const char *const *texts, const char *where,
                  size_t first)
{
    ur_err err, other;
    size_t bad = SIZE_MAX;
    const ur_status status = ask(a, count, texts, first, &bad, &err);
    if (status == UR_OK)
        return flush_output();
    if (status != UR_BAD_FILE || bad >= count)
        return say_error(&err);
    if (bad && ask(a, bad, texts, first, NULL, &other) != UR_OK)
        return say_error(&other);
    const int code = flush_output();
    if (code != CODE_OK)
        return code;
    say("%s %zu: %s", where, first + bad, err.text);
    return exit_code(status);
}

static int answer_arguments(const asker *a, const command *c)
{
    const char *const *texts = (const char *const *)c->arguments + 1;
    const size_t count = c->n_arguments - 1;
    int code = CODE_OK;
    for (size_t at = 0; code == CODE_OK && at < count; at += MOST_TEXTS)
        code = answer(a, count - at < MOST_TEXTS ? count - at : MOST_TEXTS, texts + at, "text",
                      at + 1);
    return code;
}

/* Lines that wait for their answers, each in memory of its own. */
typedef struct batch {
    char *line[MOST_TEXTS];
    size_t count, first; /* number of the first line */
} batch;

static int flush_batch(const asker *a, batch *b)
{
    int code = CODE_OK;
    if (b->count)
        code = answer(a, b->count, (const char *const *)b->line, "standard input: line", b->first);
    for (size_t i = 0; i < b->count; i++)
        free(b->line[i]);
    b->count = 0;
    return code;
}

static int add_line(batch *b, const lines *in, const char *line, size_t size)
{
    char *copy = malloc(size + 1);
    if (!copy)
        return say_no_memory();
    memcpy(copy, line, size);
    copy[size] = '\0';
    if (b->count == 0)
        b->first = in->number;
    b->line[b->count++] = copy; /* which flush_batch or answer_lines frees */
    return CODE_OK;             /* NOLINT(clang-analyzer-unix.Malloc) */
}

/* Says why there is no next line; CODE_OK at the end. */
static int no_line(line_result result, const lines *in, int error)
{
    if (result == LINE_END)
        return CODE_OK;
    if (result == LINE_NO_MEMORY)
        return say_no_memory();
    if (result == LINE_TOO_LONG) {
        say("standard input: line %zu is longer than 1 MiB", in->number);
        return CODE_INPUT;
    }
    say("reading standard input failed: %s", strerror(error));
    return CODE_IO;
}

/* Gathers what lines are there, up to MOST_TEXTS, and waits for more only when none is unanswered. */
static int answer_lines(const asker *a)
{
    lines in = {0};
    batch b = {.count = 0};
    int code = CODE_OK;
    for (bool more = true; more && code == CODE_OK;) {
        const char *line = NULL;
        size_t size = 0;
        line_result result = next_line(&in, b.count == 0, &line, &size);
        int error = errno;
        bool zero = result == LINE_READ && memchr(line, '\0', size);
        more = result == LINE_READ || result == LINE_NOT_YET;
        if (result == LINE_READ && !zero)
            code = add_line(&b, &in, line, size);
        if (code == CODE_OK && (result != LINE_READ || zero || b.count == MOST_TEXTS))
            code = flush_batch(a, &b);
        if (code == CODE_OK && zero) {
            say("standard input: line %zu has a zero byte", in.number);
            code = CODE_INPUT;
        }
        if (code == CODE_OK && !more)
            code = no_line(result, &in, error);
    }
    while (b.count > 0)
        free(b.line[--b.count]);
    free_lines(&in);
    return code;
}

static int predict(command *c, ur_run *run)
{
    if (!ur_run_kind(run)->predict) {
        say("%s is a %s, which predicts nothing from texts", c->arguments[0],
            ur_run_kind(run)->name);
        return CODE_FAILURE;
    }
    const ur_search_options *search = given_search(c);
    const asker a = {
        .run = run, .search = search, .json = c->common.json, .best = search && search->n_best > 1};
    const bool lines_in = c->n_arguments == 2 && strcmp(c->arguments[1], "-") == 0;
    return lines_in ? answer_lines(&a) : answer_arguments(&a, c);
}

static int run_predict(command *c)
{
    if (c->n_arguments == 0)
        return say_usage(c, "the run is missing: unroll predict RUN TEXT");
    if (c->n_arguments == 1)
        return say_usage(c, "the text is missing; - reads lines from standard input");
    int code;
    ur_context *context = open_context(c->common.threads, &code);
    ur_run *run = context ? open_run(c, context, c->arguments[0], &code) : NULL;
    if (run)
        code = predict(c, run);
    ur_run_free(run);
    ur_context_free(context);
    return code;
}

static const char *const usage[] = {"predict RUN TEXT ... [options]",
                                    "predict RUN - < FILE [options]", NULL};

static const char *const notes[] = {
    "Lines from standard input are answered together, up to 256 of them, and as soon as no further "
    "line is there. A text that cannot be answered (a character that the model never saw; words "
    "that a tagger or classifier never saw are <unk>) is named "
    "by its number and ends it with exit code 3, after the answers to the texts before it.",
    NULL};

const verb predict_verb = {
    .name = "predict",
    .summary = "let a model answer",
    .usage = usage,
    .purpose =
        "Prints a trained model's answer to each text, or to each line of standard input, "
        "one a line and in their order. A classifier's answer is a label and its "
        "probability; a tagger's a line for each token (token, label, probability, with "
        "tabs between them) and a blank line; a language model's what comes next. Of the --n-best "
        "answers each has a line, with its log probability after a tab, and a blank line ends "
        "those of a text; those of a translator are lines `number ||| text ||| score`, texts being "
        "numbered from 0. RUN is a run's folder, or a model.safetensors or "
        "checkpoint from one.",
    .example = "  $ unroll predict runs/dates \"september 27, 1994\" 5/16/08\n"
               "  1994-09-27\n"
               "  2008-05-16\n"
               "  $ unroll predict runs/names \"Ada lived in London\"\n"
               "  Ada     B-PER   0.9731\n"
               "  lived   O       0.9998\n"
               "  in      O       0.9999\n"
               "  London  B-LOC   0.9902\n"
               "\n"
               "  $ cut -d_ -f1 test.txt | unroll predict runs/dates - > answers.txt\n",
    .notes = notes,
    .see_also = "unroll help train, unroll help eval",
    .json_help = "Print an object per text: the answer, its log probability and every token's; of "
                 "labels the probabilities of all.",
    .threads = true,
    .weights = true,
    .searches = true,
    .run = run_predict,
};
