/* eval.c - unroll eval: how often a trained model is right. */
#include "kinds.h"

static const option options[] = {
    {"data", "FILE", OPTION_TEXT, OPTION_AT(data), .least = 1,
     .help =
         "A file as for training; for pairs also builtin:dates or builtin:additions (pairs that "
         "no training with built-in data sees).",
     .standard = ""},
    {"size", "N", OPTION_SIZE, OPTION_AT(size), 1, 1e8, .help = "How many built-in pairs.",
     .standard = "5000"},
    {"seed", "N", OPTION_SEED, OPTION_AT(seed), .help = "Of built-in pairs.",
     .standard = "that of the training"},
    OPTION_THREADS,
    OPTION_QUIET,
    OPTION_JSON("Print one object."),
    OPTION_HELP,
};

static int evaluate(ur_context *context, const settings *s)
{
    ur_err err;
    ur_run *run;
    ur_measure measure = {0};
    if (ur_run_open(context, s->arguments[0], &run, &err) != UR_OK)
        return say_open_error(context, s->arguments[0], &err);
    ur_pair_source source = {
        .data = s->data, .size = s->size, .seed = s->seed, .split = UR_SPLIT_VALID};
    if (ur_run_folder(run) && !was_given(&eval_verb, s, "seed"))
        source.seed = ur_run_settings_of(run)->train.seed;
    const model_kind *k = find_kind(ur_run_kind(run));
    ur_status status;
    if (k->evaluate) {
        status = k->evaluate(context, run, s->data, s->json, &err);
    } else {
        status = ur_run_evaluate(run, &source, &measure, &err);
        if (status == UR_OK)
            k->print_measure(run, &measure, s->json);
    }
    ur_run_free(run);
    return status == UR_OK ? CODE_OK : say_error(&err);
}

static int run_eval(const settings *s)
{
    const verb *v = &eval_verb;
    if (s->n_arguments == 0)
        return say_usage(v, "the run is missing: unroll eval RUN --data FILE");
    if (s->n_arguments > 1)
        return say_usage(v, "'%s' is one argument too many", s->arguments[1]);
    if (!s->data)
        return say_usage(v, "--data is missing: a file of pairs, builtin:dates or "
                            "builtin:additions");
    int code;
    ur_context *context = open_context(s->threads, &code);
    if (!context)
        return code;
    code = evaluate(context, s);
    ur_context_free(context);
    return code;
}

static const option_table own = OPTION_TABLE(options);
static const option_table *const tables[] = {&own, NULL};

static const char *const usage[] = {"eval RUN --data FILE [options]", NULL};

const verb eval_verb = {
    .name = "eval",
    .summary = "measure how often a model is right",
    .usage = usage,
    .purpose =
        "Asks a trained model every question of a file and counts the answers that are "
        "right in every character when the model goes on from what it wrote itself, and the "
        "characters that are right when each follows the right ones. Of a language model: its "
        "perplexity. Of a tagger or classifier: how often its labels are right, precision, recall "
        "and F1 of each, and which is taken for which. RUN is a run's folder, or a "
        "model.safetensors or checkpoint from one.",
    .example = "  $ unroll eval runs/dates --data builtin:dates\n"
               "  accuracy          99.9600 %   whole answers, free-running\n"
               "  teacher-forced    99.9960 %   symbols, each after the right ones\n"
               "  loss             0.000123     mean over symbols\n"
               "  pairs               5,000\n"
               "  $ unroll eval runs/films --data test.txt\n"
               "  accuracy          88.5000 %   of 400 texts\n"
               "  macro F1           0.8848     mean of the labels' F1\n"
               "  loss             0.273145     mean over texts\n"
               "\n"
               "  label  precision    recall        F1       texts\n"
               "  good      0.8966    0.8667    0.8814         210\n"
               "  bad       0.8744    0.9053    0.8896         190\n"
               "  ...\n",
    .see_also = "unroll help train, unroll help predict",
    .tables = tables,
    .run = run_eval,
};
