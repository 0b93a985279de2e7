/* score.c - unroll score: how probable given answers are. */
#include "cli.h"

typedef struct score_options {
    const char *data;
} score_options;

/* clang-format off */
static const ur_field fields[] = {
    {.name = "data", .metavar = "FILE", .type = UR_FIELD_TEXT,
     .offset = offsetof(score_options, data), .least = 1, .help = "Pairs, in a file as for training."},
    {.name = NULL},
};
/* clang-format on */

static void print_scores(const double *scores, size_t count, bool json)
{
    for (size_t i = 0; i < count; i++)
        if (json) {
            fputs("{\"log_probability\":", stdout);
            json_number(stdout, scores[i]);
            puts("}");
        } else {
            printf("%.6f\n", scores[i]);
        }
}

static int score(command *c, ur_run *run)
{
    score_options *o = c->own;
    if (!join_data(c, run, &o->data))
        return CODE_USAGE;
    const int code = set_reading(c, run);
    if (code != CODE_OK)
        return code;
    const ur_pair_source source = {.data = o->data, .split = UR_SPLIT_VALID};
    double *scores;
    size_t count;
    ur_err err;
    if (ur_run_score(run, &source, &scores, &count, &err) != UR_OK)
        return say_error(&err);
    print_scores(scores, count, c->common.json);
    ur_scores_free(ur_run_assets(run)->context, scores);
    return CODE_OK;
}

static int run_score(command *c)
{
    const score_options *o = c->own;
    if (c->n_arguments == 0)
        return say_usage(c, "the run is missing: unroll score RUN --data FILE");
    if (!o->data)
        return say_usage(c, "--data is missing: a file of pairs, as for training");
    if (c->n_arguments > 2)
        return say_usage(c, "'%s' is one argument too many", c->arguments[2]);
    return with_run(c, score);
}

static const char *const usage[] = {"score RUN --data FILE [FILE] [options]", NULL};

const verb score_verb = {
    .name = "score",
    .summary = "tell how probable given translations are",
    .usage = usage,
    .purpose = "Prints the log probability (natural logarithm) of each pair's translation, its end "
               "included, one a line and in their order. RUN is a run's folder, or a "
               "model.safetensors or checkpoint from one.",
    .example = "  $ cat two.tsv\n"
               "  my dog sees ten cats.\tmon chien voit dix chats.\n"
               "  my dog sees ten cats.\tmes chiens voient dix chats.\n"
               "  $ unroll score runs/fra --data two.tsv\n"
               "  -0.082619\n"
               "  -17.060128\n",
    .see_also = "unroll help eval, unroll help predict",
    .fields = fields,
    .size = sizeof(score_options),
    .json_help = "Print an object per pair.",
    .threads = true,
    .reads = true,
    .weights = true,
    .run = run_score,
};
