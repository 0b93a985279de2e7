/* generate.c - unroll generate: a model goes on from a prompt, printing as it writes. */
#include "cli.h"

#include <string.h>

typedef struct generate_options {
    const char *prompt;
    bool greedy;
} generate_options;

/* clang-format off */
static const ur_field fields[] = {
    {.name = "prompt", .metavar = "TEXT", .group = "data", .type = UR_FIELD_TEXT,
     .offset = offsetof(generate_options, prompt), .shown = "empty",
     .help = "What the model reads first. An empty one stands for the end of a line or, where "
             "the model knows none, for its most frequent token."},
    {.name = "greedy", .group = "search", .type = UR_FIELD_BOOL,
     .offset = offsetof(generate_options, greedy),
     .help = "Always the most probable token, as --temperature 0: such texts go round in circles."},
    {.name = NULL},
};
/* clang-format on */

/* A text's beginning is its prompt. */
static bool has(const command *c, const ur_field *field)
{
    (void)c;
    return strcmp(field->name, "begin") != 0;
}

static int print_token(const ur_token_written *t, bool json)
{
    if (!json) {
        fputs(t->piece, stdout);
        return flush_output();
    }
    printf("{\"id\":%d,\"token\":", (int)t->id);
    json_string(stdout, t->token);
    fputs(",\"text\":", stdout);
    json_string(stdout, t->piece);
    fputs(",\"log_probability\":", stdout);
    json_number(stdout, t->log_probability);
    puts("}");
    return flush_output();
}

/* What the writer does not know of its prompt, and the prompt as it reads it. */
static int begin(const ur_writer *writer, bool print)
{
    size_t count;
    const char *unknown = ur_writer_unknown(writer, &count);
    if (count)
        say("%zu of the prompt's tokens are unknown to the model and read as <unk>: %s", count,
            unknown);
    fputs(print ? ur_writer_prompt(writer) : "", stdout);
    return flush_output();
}

/* Token by token. */
static int write_text(const command *c, ur_writer *writer)
{
    ur_err err;
    int code = CODE_OK;
    for (size_t i = 0; code == CODE_OK && i < c->search.most && !stop_asked(); i++) {
        ur_token_written token;
        code = ur_writer_next(writer, &token, &err) == UR_OK ? print_token(&token, c->common.json)
                                                             : say_error(&err);
    }
    if (code == CODE_OK && !c->common.json)
        putchar('\n');
    return code == CODE_OK && stop_asked() ? CODE_INTERRUPTED : code;
}

/* The best of several continuations are known in the end alone. */
static int write_best(const command *c, ur_run *run, const char *prompt)
{
    ur_prediction prediction;
    ur_err err;
    if (ur_run_predict(run, 1, &prompt, &c->search, &prediction, NULL, &err) != UR_OK)
        return say_error(&err);
    print_prediction(run, &prediction, 0, c->common.json, c->search.n_best > 1);
    ur_prediction_free(ur_run_assets(run)->context, &prediction);
    return flush_output();
}

static int generate(command *c, ur_run *run)
{
    const char *prompt = ((const generate_options *)c->own)->prompt;
    const ur_search_options *search = given_search(c);
    const ur_search_options draw = {.temperature = search->temperature,
                                    .top_k = search->top_k,
                                    .top_p = search->top_p,
                                    .seed = search->seed};
    ur_writer *writer;
    ur_err err;
    if (!ur_run_kind(run)->writes) {
        say("%s is a %s, which does not write texts; unroll predict %s TEXT answers",
            c->arguments[0], ur_run_kind(run)->name, c->arguments[0]);
        return CODE_FAILURE;
    }
    prompt = prompt ? prompt : "";
    if (ur_writer_new(run, prompt, &draw, &writer, &err) != UR_OK)
        return say_error(&err);
    catch_signals();
    int code = begin(writer, !c->common.json && search->n_best <= 1);
    if (code == CODE_OK)
        code = search->beam > 1 ? write_best(c, run, prompt) : write_text(c, writer);
    ur_writer_free(writer);
    return code;
}

static int run_generate(command *c)
{
    if (c->n_arguments == 0)
        return say_usage(c, "the run is missing: unroll generate RUN --prompt TEXT");
    if (c->n_arguments > 1)
        return say_usage(c, "'%s' is one argument too many; the prompt goes after --prompt",
                         c->arguments[1]);
    if (was_given(c, "greedy") && c->search.temperature > 0.0f)
        return say_usage(c, "--greedy does not go with --temperature: it takes the most probable "
                            "token and draws nothing");
    if (c->search.most == 0)
        return say_usage(c, "--max-tokens 0: expected a number of tokens to write");
    return with_run(c, generate);
}

static const char *const usage[] = {"generate RUN --prompt TEXT [options]", NULL};

static const char *const notes[] = {
    "The text appears while it is written, unless --beam searches for the best. Ctrl-C ends it, "
    "with exit code 130. Words of the prompt that the model does not know are named and read as "
    "<unk>.",
    NULL};

const verb generate_verb = {
    .name = "generate",
    .summary = "let a language model write",
    .usage = usage,
    .purpose =
        "Goes on from a prompt with what is drawn from a trained language model's "
        "probabilities, or with what it holds most probable. <unk>, and what the text that it "
        "learned does not contain, is never written. RUN is a run's folder, or a "
        "model.safetensors or checkpoint from one.",
    .example = "  $ unroll generate runs/time --prompt \"The time traveller\" --max-tokens 50\n"
               "  The time traveller and glaming proped micht earst I dodlessed. I sma\n"
               "  $ unroll generate runs/time --prompt \"I was\" --temperature 0.4 --seed 3\n",
    .notes = notes,
    .see_also = "unroll help train lm, unroll help eval",
    .fields = fields,
    .size = sizeof(generate_options),
    .json_help = "Print an object per token, in place of text.",
    .threads = true,
    .weights = true,
    .searches = true,
    .has = has,
    .most_tokens = 200,
    .temperature = "0.8",
    .run = run_generate,
};
