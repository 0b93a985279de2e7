/* eval.c - unroll eval: how often a trained model is right. */
#include "cli.h"

static const option options[] = {
    {"data", "FILE", OPTION_TEXT, OPTION_AT(data), .least = 1,
     .help = "Pairs to ask: a file as for training, builtin:dates or builtin:additions (pairs that "
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

static double share(size_t part, size_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

static void print_measure(const ur_measure *m, bool json)
{
    double loss = m->positions ? m->loss / (double)m->positions : 0;
    double accuracy = share(m->right, m->examples), forced = share(m->forced_right, m->positions);
    if (!json) {
        char text[GROUPED];
        printf("accuracy         %8.4f %%   whole answers, free-running\n", 100 * accuracy);
        printf("teacher-forced   %8.4f %%   symbols, each after the right ones\n", 100 * forced);
        printf("loss             %8.6f     mean over symbols\n", loss);
        printf("pairs            %8s\n", grouped(m->examples, text));
        return;
    }
    printf("{\"count\":%zu,\"right\":%zu,\"accuracy\":", m->examples, m->right);
    json_number(stdout, accuracy);
    printf(",\"forced_right\":%zu,\"forced_accuracy\":", m->forced_right);
    json_number(stdout, forced);
    printf(",\"positions\":%zu,\"loss\":", m->positions);
    json_number(stdout, loss);
    puts("}");
}

static int evaluate(ur_context *context, const settings *s)
{
    ur_err err;
    ur_run *run;
    ur_measure measure = {0};
    if (ur_run_open(context, s->arguments[0], &run, &err) != UR_OK)
        return say_error(&err);
    ur_pair_source source = {
        .data = s->data, .size = s->size, .seed = s->seed, .split = UR_SPLIT_VALID};
    if (ur_run_folder(run) && !was_given(&eval_verb, s, "seed"))
        source.seed = ur_run_settings_of(run)->train.seed;
    ur_status status = ur_run_evaluate(run, &source, &measure, &err);
    ur_run_free(run);
    if (status != UR_OK)
        return say_error(&err);
    print_measure(&measure, s->json);
    return CODE_OK;
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

static const char *const usage[] = {"eval RUN --data FILE [options]", NULL};

const verb eval_verb = {
    .name = "eval",
    .summary = "measure how often a model is right",
    .usage = usage,
    .purpose =
        "Asks a trained model every question of a file and counts the answers that are "
        "right in every character when the model goes on from what it wrote itself, and the "
        "characters that are right when each follows the right ones. RUN is a run's folder, or a "
        "model.safetensors or checkpoint from one.",
    .example = "  $ unroll eval runs/dates --data builtin:dates\n"
               "  accuracy          99.9600 %   whole answers, free-running\n"
               "  teacher-forced    99.9960 %   symbols, each after the right ones\n"
               "  loss             0.000123     mean over symbols\n"
               "  pairs               5,000\n",
    .see_also = "unroll help train, unroll help predict",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .run = run_eval,
};
