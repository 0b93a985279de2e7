/* carrier.h - the smallest model that carries state from batch to batch, and a kind of run for it.
 *
 * The data are streams of numbers that every epoch cuts into windows at an offset of its own, so that
 * epochs differ in length. A window's gradient is what its stream carries; the next carried state
 * depends on the weights: a step that is left out, done twice or done in another order shows. */
#ifndef UR_TESTS_CARRIER_H
#define UR_TESTS_CARRIER_H

#include "base/hash.h"
#include "base/alloc.h"
#include "base/status.h"
#include "text/vocabulary.h"
#include "train/task.h"

#include "train/runs.h"

enum { STREAMS = 40, STREAM = 11, UNITS = 3 };

typedef struct carrier_data {
    ur_allocator allocator;
    bool keeps; /* the state over epochs, as that of items does, not of a text */
    size_t windows;
    float (*carry)[UNITS]; /* (STREAMS, UNITS) */
} carrier_data;

typedef struct carrier_config {
    size_t vocabulary;
    bool keeps;
} carrier_config;

typedef struct carrier {
    ur_model base;
    ur_allocator allocator;
} carrier;

static void carrier_free(ur_model *model)
{
    const ur_allocator a = ((carrier *)model)->allocator;
    ur_params_free(model->params);
    ur_free(&a, model);
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
static ur_status carrier_evaluate(ur_context *context, const ur_model *model, const void *data,
                                  ur_measure *out, ur_err *err)
{
    (void)context;
    (void)data;
    (void)err;
    const float *w = ur_param_data(model->params, 0);
    *out = (ur_measure){.positions = 2, .examples = 4, .right = 1, .f1 = 0.25};
    out->loss = 2.0 + 2.0 * (double)w[0] * (double)w[0];
    return UR_OK;
}

static const ur_model_class carrier_class = {.kind = "carrier",
                                             .free = carrier_free,
                                             .examples = carrier_examples,
                                             .length = carrier_length,
                                             .positions = carrier_length,
                                             .loss = carrier_loss,
                                             .start_epoch = carrier_start_epoch,
                                             .carried = carrier_carried,
                                             .evaluate = carrier_evaluate};

/* ---- as a kind of run ---------------------------------------------------------------------- */

static void carrier_print(ur_json_writer *w, const void *config)
{
    const carrier_config *c = config;
    ur_json_put_int(w, "vocabulary_size", (int64_t)c->vocabulary);
    ur_json_put_bool(w, "keeps", c->keeps);
}

static ur_status carrier_new_data(ur_run *run, void **out, ur_err *err)
{
    carrier_data *d = *out = ur_alloc_zero(run->a, 1, sizeof *d + STREAMS * sizeof *d->carry);
    if (!d)
        return ur_no_memory(err, sizeof *d);
    d->carry = (void *)(d + 1);
    d->allocator = *run->a;
    d->keeps = ((const carrier_config *)run->config)->keeps;
    return UR_OK;
}

static ur_status carrier_reopen(ur_run *run, ur_err *err)
{
    ur_status status = carrier_new_data(run, &run->train, err);
    if (status == UR_OK && run->settings.valid)
        status = carrier_new_data(run, &run->valid, err);
    return status;
}

static ur_status carrier_rebuild(ur_run *run, ur_err *err)
{
    const size_t units = UNITS;
    carrier *m = ur_alloc_zero(run->a, 1, sizeof *m);
    if (!m)
        return ur_no_memory(err, sizeof *m);
    m->base.class_of = &carrier_class;
    m->allocator = *run->a;
    run->model = &m->base;
    ur_status status = ur_params_new(run->context, &m->base.params, err);
    if (status != UR_OK)
        return status;
    ur_params_add(m->base.params, "w", 1, &units, UR_TRAINABLE | UR_DECAY);
    return ur_params_seal(m->base.params, err);
}

static void carrier_free_data(void *data)
{
    if (data) {
        const ur_allocator a = ((carrier_data *)data)->allocator;
        ur_free(&a, data);
    }
}

static uint64_t carrier_fingerprint(const void *data)
{
    return ur_fingerprint_add(UR_FINGERPRINT, ((const carrier_data *)data)->keeps);
}

static const char *const carrier_figures[] = {"train_loss",       "train_perplexity",  "valid_loss",
                                              "valid_perplexity", "valid_f1",          "seconds",
                                              "train_seconds",    "tokens_per_second", NULL};
static const char *const carrier_keys[] = {"vocabulary_size", "keeps"};

static const ur_task carrier_task = {.kind = "carrier",
                                     .unit = "tokens",
                                     .labels = true,
                                     .figures = carrier_figures,
                                     .config_size = sizeof(carrier_config),
                                     .print = carrier_print,
                                     .keys = carrier_keys,
                                     .n_keys = 2,
                                     .rebuild = carrier_rebuild,
                                     .reopen = carrier_reopen,
                                     .free_data = carrier_free_data,
                                     .fingerprint = carrier_fingerprint};

static inline ur_run_settings carrier_settings(void)
{
    ur_run_settings s = {.data = "streams", .valid = "streams", .train = ur_train_defaults()};
    s.train.batch = STREAMS;
    s.train.epochs = 6;
    s.train.lr = 0.05;
    return s;
}

/* A run of this kind in a folder, new or from its newest checkpoint: it is no kind that the list
 * has, so that ur_run_create and ur_run_resume do not find it. */
static inline ur_run *carrier_run(ur_context *context, const char *folder,
                                  const ur_run_settings *settings, bool keeps, bool resumed)
{
    static const char words[] = "a\nb\n", labels[] = "x\n";
    ur_run *run;
    ur_err err;
    assert_int_equal(ur_run_new(context, folder, &run, &err), UR_OK);
    run->task = &carrier_task;
    run->config = ur_alloc_zero(run->a, 1, sizeof(carrier_config));
    assert_non_null(run->config);
    *(carrier_config *)run->config = (carrier_config){2, keeps};
    assert_int_equal(ur_settings_copy(run->a, settings, &run->settings, &err), UR_OK);
    assert_int_equal(
        ur_vocabulary_parse(run->a, "words", words, strlen(words), &run->vocabulary, &err), UR_OK);
    assert_int_equal(
        ur_vocabulary_parse(run->a, "labels", labels, strlen(labels), &run->labels, &err), UR_OK);
    ur_status status = carrier_rebuild(run, &err);
    if (status == UR_OK)
        status = carrier_reopen(run, &err);
    if (status == UR_OK)
        status = ur_run_new_trainer(run, &err);
    if (status == UR_OK && resumed) {
        status = ur_run_load_checkpoint(run, &err);
        if (status == UR_OK)
            status = ur_run_load_metrics(run, run->trainer->progress.step, &err);
    } else if (status == UR_OK) {
        char command[64];
        snprintf(command, sizeof command, "mkdir -p %s/checkpoints", folder);
        assert_int_equal(system(command), 0);
        ur_param_values(run->model->params, 0)[0] = 0.3f;
        status = ur_run_save_checkpoint(run, &err);
    }
    if (status != UR_OK)
        fail_msg("%s", err.text);
    return run;
}

#endif
