/* carrier.h - the smallest model that carries state from batch to batch, and a kind of run for it.
 *
 * The data are streams of numbers that every epoch cuts into windows at an offset of its own, so that
 * epochs differ in length. A window's gradient is what its stream carries; the next carried state
 * depends on the weights: a step that is left out, done twice or done in another order shows. */
#ifndef UR_TESTS_CARRIER_H
#define UR_TESTS_CARRIER_H

#include "run/run.h"
#include "run/runs.h"
#include "support/contexts.h"

#include <stddef.h>

enum { STREAMS = 40, STREAM = 11, UNITS = 3 };

typedef struct carrier_data {
    bool keeps; /* the state over epochs, as that of items does, not of a text */
    size_t windows;
    float (*carry)[UNITS]; /* (STREAMS, UNITS) */
} carrier_data;

typedef struct carrier_config {
    bool keeps;
} carrier_config;

static const ur_field carrier_fields[] = {
    {.name = "keeps", .type = UR_FIELD_BOOL, .offset = offsetof(carrier_config, keeps)},
    {.name = NULL}};

static ur_status carrier_build(ur_model *model, ur_err *err)
{
    const size_t units = UNITS;
    (void)err;
    ur_params_add(model->params, "w", 1, &units, UR_TRAINABLE | UR_DECAY);
    return UR_OK;
}

static void carrier_init(ur_model *model, uint64_t seed)
{
    (void)seed;
    ur_param_values(model->params, 0)[0] = 0.3f;
}

static size_t carrier_examples(const ur_model *model, const void *data)
{
    (void)model;
    (void)data;
    return STREAMS * STREAM;
}

static size_t carrier_length(const ur_model *model, const void *data, size_t i)
{
    (void)model;
    (void)data;
    return 1 + i % 4;
}

static size_t carrier_start_epoch(ur_model *model, void *data, uint64_t seed, uint64_t epoch)
{
    carrier_data *d = data;
    (void)model;
    if (!d->keeps)
        memset(d->carry, 0, STREAMS * sizeof *d->carry);
    d->windows = 3 + (seed + epoch) % 3;
    return d->windows * STREAMS;
}

static float *carrier_carried(ur_model *model, void *data, size_t *count)
{
    carrier_data *d = data;
    (void)model;
    *count = STREAMS * UNITS;
    return d->carry[0];
}

/* Window i is of stream i % STREAMS: loss = w . carry; carry becomes 0.5 carry + w + x. */
static ur_tensor *carrier_loss(ur_tape *tape, const ur_model *model, const void *data, size_t count,
                               const size_t *which, double normaliser)
{
    const carrier_data *d = data;
    ur_tensor *w = ur_parameter(tape, 0), *loss = NULL;
    for (size_t i = 0; w && i < count; i++) {
        float *carry = d->carry[which[i] % STREAMS];
        ur_tensor *g = ur_copy_floats(tape, w->ndim, w->dim, carry, false);
        ur_tensor *part = ur_sum(tape, ur_mul(tape, w, g));
        loss = loss ? ur_add(tape, loss, part) : part;
        const float *now = ur_param_data(model->params, 0);
        for (size_t j = 0; j < UNITS; j++)
            carry[j] = 0.5f * carry[j] + now[j] + made_up(which[i] / STREAMS, which[i] + j);
    }
    return ur_scale(tape, loss, (float)(1.0 / normaliser));
}

/* A loss that falls, stays and rises as the weights wander. */
static ur_status carrier_evaluate(const ur_model *model, const void *data, ur_measure *out,
                                  ur_confusion *confusion, ur_err *err)
{
    (void)data;
    (void)confusion;
    (void)err;
    const float *w = ur_param_data(model->params, 0);
    *out = (ur_measure){.positions = 2, .examples = 4, .sum = {0.0, 0.25}};
    out->loss = 2.0 + 2.0 * (double)w[0] * (double)w[0];
    return UR_OK;
}

static uint64_t carrier_fingerprint(const void *data)
{
    return ((const carrier_data *)data)->keeps ? 11 : 12;
}

static const ur_figure carrier_figures[] = {
    {.name = "perplexity", .title = "perplexity", .average = UR_PERPLEXITY, .headline = true},
    {.name = "f1", .title = "F1", .average = UR_WHOLE, .higher_is_better = true},
    {.name = NULL}};

static const ur_kind carrier_kind = {.name = "carrier",
                                     .unit = "tokens",
                                     .fields = carrier_fields,
                                     .config_size = sizeof(carrier_config),
                                     .figures = carrier_figures,
                                     .model_size = sizeof(ur_model),
                                     .build = carrier_build,
                                     .init = carrier_init,
                                     .examples = carrier_examples,
                                     .length = carrier_length,
                                     .positions = carrier_length,
                                     .loss = carrier_loss,
                                     .start_epoch = carrier_start_epoch,
                                     .carried = carrier_carried,
                                     .evaluate = carrier_evaluate,
                                     .fingerprint = carrier_fingerprint};

/* ---- runs ---------------------------------------------------------------------------------- */

static inline ur_run_settings carrier_settings(void)
{
    ur_run_settings s = {.data = "streams", .valid = "streams", .train = ur_train_defaults()};
    s.train.batch = STREAMS;
    s.train.epochs = 6;
    s.train.lr = 0.05;
    return s;
}

/* A run of this kind in a folder, new or from its newest checkpoint, with no limit to its steps. Its
 * data is that of the last run alone. */
static inline ur_run *carrier_run(ur_context *context, const char *folder,
                                  const ur_run_settings *settings, bool keeps, bool resumed)
{
    static float carry[STREAMS][UNITS];
    static carrier_data train, valid;
    const carrier_config config = {keeps};
    ur_run *run;
    ur_err err;
    memset(carry, 0, sizeof carry);
    train = valid = (carrier_data){.keeps = keeps, .carry = carry};
    if (!ur_kind_find(context, carrier_kind.name))
        assert_int_equal(ur_kind_add(context, &carrier_kind, &err), UR_OK);
    const ur_status status =
        resumed ? ur_run_resume_with(context, folder, 0, UR_NO_LIMIT, &train, &valid, &run, &err)
                : ur_run_create_with(context, folder, settings, carrier_kind.name, &config, &train,
                                     &valid, &run, &err);
    if (status != UR_OK)
        fail_msg("%s", err.text);
    return run;
}

#endif
