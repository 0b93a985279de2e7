/* generate.c - unroll generate: a language model goes on from a prompt, printing as it writes. */
#include "samples_text.h"
#include "signals.h"

#include <string.h>

static const option options[] = {
    {"prompt", "TEXT", OPTION_TEXT, OPTION_AT(prompt),
     .help = "What the model reads first. An empty one stands for the end of a line or, where the "
             "model knows none, for its most frequent token.",
     .standard = "empty"},
    {"tokens", "N", OPTION_SIZE, OPTION_AT(tokens), 1, 1e9,
     .help = "How many tokens to write after it."},
    {"temperature", "X", OPTION_REAL, OPTION_AT(temperature), 0, 1e6,
     .help =
         "Draw tokens by their probabilities, sharpened below 1, flattened above; 0 always takes "
         "the most probable one.",
     .standard = "0, or 1 with --top-k or --top-p"},
    {"top-k", "K", OPTION_SIZE, OPTION_AT(top_k), 1, 1e9,
     .help = "Draw from the K most probable tokens alone.", .standard = "all"},
    {"top-p", "P", OPTION_REAL, OPTION_AT(top_p), 0, 1, OPEN_LEAST,
     .help = "Draw from the most probable tokens that together reach this probability.",
     .standard = "1"},
    {"seed", "N", OPTION_SEED, OPTION_AT(seed),
     .help = "Of what is drawn. Equal seeds give equal texts, on every machine."},
    OPTION_THREADS,
    OPTION_QUIET,
    OPTION_JSON("Print an object per token, in place of text."),
    OPTION_HELP,
};

static void defaults(settings *s)
{
    s->prompt = "";
    s->tokens = 200;
}

static ur_search_options choice_of(const settings *s)
{
    const verb *v = &generate_verb;
    const bool draws = was_given(v, s, "top-k") || was_given(v, s, "top-p");
    return (ur_search_options){.temperature = was_given(v, s, "temperature") ? (float)s->temperature
                                              : draws                        ? 1.0f
                                                                             : 0.0f,
                               .top_k = s->top_k,
                               .top_p = (float)s->top_p,
                               .seed = s->seed};
}

static int print_next(writer *w, bool json)
{
    char piece[UR_PIECE_LONGEST];
    double log_probability;
    int32_t id;
    const int code = writer_next(w, &id, &log_probability, piece);
    if (code != CODE_OK)
        return code;
    if (!json) {
        fputs(piece, stdout);
        return flush_output();
    }
    printf("{\"id\":%d,\"token\":", (int)id);
    json_string(stdout, ur_vocabulary_token(ur_run_vocabulary(w->run), id, NULL));
    fputs(",\"text\":", stdout);
    json_string(stdout, piece);
    fputs(",\"log_probability\":", stdout);
    json_number(stdout, log_probability);
    puts("}");
    return flush_output();
}

static int write_text(writer *w, const settings *s)
{
    int code = CODE_OK;
    for (size_t i = 0; code == CODE_OK && i < s->tokens && !stop_asked(); i++)
        code = print_next(w, s->json);
    if (!s->json)
        putchar('\n');
    return code == CODE_OK && stop_asked() ? CODE_INTERRUPTED : code;
}

static int generate(ur_context *context, const settings *s)
{
    ur_run *run;
    ur_err err;
    writer w;
    if (ur_run_open(context, s->arguments[0], &run, &err) != UR_OK)
        return say_error(&err);
    int code;
    if (strcmp(ur_run_kind(run), "language_model") != 0) {
        say("%s is a %s, which does not write texts", s->arguments[0], ur_run_kind(run));
        code = CODE_FAILURE;
    } else {
        const ur_search_options choice = choice_of(s);
        catch_signals();
        code = writer_start(context, run, s->prompt, &choice, s->json, &w);
        if (code == CODE_OK) {
            code = write_text(&w, s);
            writer_end(&w);
        }
    }
    ur_run_free(run);
    return code;
}

static int run_generate(const settings *s)
{
    const verb *v = &generate_verb;
    if (s->n_arguments == 0)
        return say_usage(v, "the run is missing: unroll generate RUN --prompt TEXT");
    if (s->n_arguments > 1)
        return say_usage(v, "'%s' is one argument too many; the prompt goes after --prompt",
                         s->arguments[1]);
    int code;
    ur_context *context = open_context(s->threads, &code);
    if (!context)
        return code;
    code = generate(context, s);
    ur_context_free(context);
    return code;
}

static const option_table own = OPTION_TABLE(options);
static const option_table *const tables[] = {&own, NULL};

static const char *const usage[] = {"generate RUN --prompt TEXT [options]", NULL};

static const char *const notes[] = {
    "The text appears while it is written. Ctrl-C ends it, with exit code 130. Words of the prompt "
    "that the model does not know are named and read as <unk>.",
    NULL};

const verb generate_verb = {
    .name = "generate",
    .summary = "let a language model write",
    .usage = usage,
    .purpose = "Goes on from a prompt with what a trained language model holds most probable, or "
               "with what is drawn from its probabilities. RUN is a run's folder, or a "
               "model.safetensors or checkpoint from one.",
    .example = "  $ unroll generate runs/time --prompt \"time traveller\" --tokens 50\n"
               "  time traveller for so it will be convenient to speak of him was\n"
               "  $ unroll generate runs/shakespeare --prompt \"ROMEO:\" --temperature 0.8\n",
    .notes = notes,
    .see_also = "unroll help train lm, unroll help eval",
    .tables = tables,
    .defaults = defaults,
    .run = run_generate,
};
