/* average.c - unroll average: the mean of a run's last checkpoints, or of its best ones. */
#include "cli.h"

#include <stdlib.h>

typedef struct average_options {
    size_t last, best;
    const char *output;
} average_options;

/* clang-format off */
static const ur_field fields[] = {
    {.name = "last", .metavar = "N", .type = UR_FIELD_SIZE, .offset = offsetof(average_options, last),
     .least = 1, .most = 1 << 20, .initial = "2", .help = "Of the newest N checkpoints."},
    {.name = "best", .metavar = "N", .type = UR_FIELD_SIZE, .offset = offsetof(average_options, best),
     .least = 1, .most = 1 << 20, .shown = "", .help = "Of the N checkpoints whose validation was the best, in place of the newest."},
    {.name = "output", .metavar = "FILE", .type = UR_FIELD_TEXT,
     .offset = offsetof(average_options, output), .least = 1, .shown = "RUN/average.safetensors",
     .help = "Where to write the weights."},
    {.name = NULL},
};
/* clang-format on */

static int average(command *c, ur_run *run)
{
    const average_options *o = c->own;
    ur_err err;
    const size_t count = o->best ? o->best : o->last;
    const ur_status status = o->best ? ur_run_average_best(run, count, o->output, &err)
                                     : ur_run_average(run, count, o->output, &err);
    if (status != UR_OK)
        return say_error(&err);
    char *path = o->output ? NULL : join_path(c->arguments[0], "average.safetensors");
    if (!o->output && !path)
        return say_no_memory();
    printf("%s: the mean of %zu checkpoint%s\n", o->output ? o->output : path, count,
           count == 1 ? "" : "s");
    free(path);
    return CODE_OK;
}

static int run_average(command *c)
{
    if (c->n_arguments == 0)
        return say_usage(c, "the run is missing: unroll average RUN --last N");
    if (c->n_arguments > 1)
        return say_usage(c, "'%s' is one argument too many", c->arguments[1]);
    if (was_given(c, "best") && was_given(c, "last"))
        return say_usage(c, "--best and --last are two ways to say which checkpoints");
    return with_run(c, average);
}

static const char *const usage[] = {"average RUN [--last N | --best N] [--output FILE]", NULL};

const verb average_verb = {
    .name = "average",
    .summary = "write the mean of a run's last or best checkpoints",
    .usage = usage,
    .purpose =
        "Writes the mean of the weights of a run's newest checkpoints, or of those with the best "
        "validation, to a file, which opens as a model by itself. Often it is a little better than "
        "each of them. RUN is a run's folder; --keep N and --keep-best N in training say how many "
        "checkpoints there are.",
    .example = "  $ unroll train translation --data pairs.tsv --out runs/kept \\\n"
               "      --save-every 1 --keep 5\n"
               "  $ unroll average runs/kept --last 5\n"
               "  runs/kept/average.safetensors: the mean of 5 checkpoints\n"
               "  $ unroll eval runs/kept/average.safetensors --data test.tsv\n",
    .see_also = "unroll help train, unroll help eval",
    .fields = fields,
    .size = sizeof(average_options),
    .threads = true,
    .run = run_average,
};
