/* predict.c - unroll predict: answers or labels, in the order of the texts. */
#include "kinds.h"
#include "lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const option options[] = {
    OPTION_THREADS,
    OPTION_QUIET,
    OPTION_JSON("Print an object per text: the answer with the probability of every symbol, or of "
                "every label."),
    OPTION_HELP,
};

/* Answers up to MOST_TEXTS questions, of which the first is number `first` of those from `where`. When
 * one cannot be answered, those before it still are. */
static int answer(ur_run *run, size_t count, const char *const *questions, const char *where,
                  size_t first, bool json)
{
    ur_err err = {.status = UR_OK}, other;
    size_t bad = SIZE_MAX;
    int code = find_kind(ur_run_kind(run))->predict(run, count, questions, json, &bad, &err);
    if (code == CODE_OK || err.status == UR_OK)
        return code;
    if (err.status != UR_BAD_FILE || bad >= count)
        return say_error(&err);
    int earlier =
        bad ? find_kind(ur_run_kind(run))->predict(run, bad, questions, json, NULL, &other)
            : CODE_OK;
    if (earlier != CODE_OK)
        return earlier;
    say("%s %zu: %s", where, first + bad, err.text);
    return code;
}

static int answer_arguments(ur_run *run, const settings *s)
{
    const char *const *questions = (const char *const *)s->arguments + 1;
    size_t count = s->n_arguments - 1;
    int code = CODE_OK;
    for (size_t at = 0; code == CODE_OK && at < count; at += MOST_TEXTS)
        code = answer(run, count - at < MOST_TEXTS ? count - at : MOST_TEXTS, questions + at,
                      "text", at + 1, s->json);
    return code;
}

/* Lines that wait for their answers, each in memory of its own. */
typedef struct batch {
    char *line[MOST_TEXTS];
    size_t count, first; /* number of the first line */
} batch;

static int flush_batch(ur_run *run, batch *b, bool json)
{
    int code = CODE_OK;
    if (b->count)
        code = answer(run, b->count, (const char *const *)b->line, "standard input: line", b->first,
                      json);
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
    b->line[b->count++] = copy;
    return CODE_OK;
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
static int answer_lines(ur_run *run, bool json)
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
            code = flush_batch(run, &b, json);
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

static int run_predict(const settings *s)
{
    const verb *v = &predict_verb;
    if (s->n_arguments == 0)
        return say_usage(v, "the run is missing: unroll predict RUN TEXT");
    if (s->n_arguments == 1)
        return say_usage(v, "the text is missing; - reads lines from standard input");
    int code;
    ur_run *run;
    ur_err err;
    ur_context *context = open_context(s->threads, &code);
    if (!context)
        return code;
    if (ur_run_open(context, s->arguments[0], &run, &err) != UR_OK) {
        code = say_open_error(context, s->arguments[0], &err);
    } else if (!find_kind(ur_run_kind(run))->predict) {
        say("%s is a %s, which predicts nothing from texts", s->arguments[0], ur_run_kind(run));
        code = CODE_FAILURE;
        ur_run_free(run);
    } else {
        bool lines_in = s->n_arguments == 2 && strcmp(s->arguments[1], "-") == 0;
        code = lines_in ? answer_lines(run, s->json) : answer_arguments(run, s);
        ur_run_free(run);
    }
    ur_context_free(context);
    return code;
}

static const option_table own = OPTION_TABLE(options);
static const option_table *const tables[] = {&own, NULL};

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
        "tabs between them) and a blank line. RUN is a run's folder, or a model.safetensors or "
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
    .tables = tables,
    .run = run_predict,
};
