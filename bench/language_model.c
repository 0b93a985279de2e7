/* language_model.c - training steps of a character language model:
 *     language_model cell=lstm hidden=H vocabulary=V batch=B steps=T
 *
 *   x = onehot(ids),  y = cell(x) from zeros,  logits = W y + b,  loss = mean cross-entropy
 * A pass is one step: forward, backward, clipping to norm 1, SGD. One-hot rows pick columns of the
 * weights: an embedding by the unit matrix, which does not learn. */
#include "works.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tape/tape.h"

enum { BATCHES = 8 }; /* of different text; then again from the first */

typedef struct text {
    size_t examples, steps;
    int32_t *ids; /* (examples, steps + 1) */
} text;

typedef struct language_model {
    ur_model model;
    ur_embedding_layer one_hot;
    ur_rnn_stack rnn;
    ur_linear_layer output;
} language_model;

typedef struct lm_work {
    ur_context *context;
    language_model lm;
    text text;
    ur_trainer *trainer;
} lm_work;

static size_t examples(const ur_model *model, const void *data)
{
    (void)model;
    return ((const text *)data)->examples;
}

static size_t steps_of(const ur_model *model, const void *data, size_t i)
{
    (void)model;
    (void)i;
    return ((const text *)data)->steps;
}

/* The ids from `shift` on, or those one place later. */
static ur_seq *window(ur_tape *tape, const text *data, const ur_layout *layout, size_t count,
                      const size_t *which, size_t shift)
{
    ur_tensor *ids = layout ? ur_new_ints(tape, 1, &layout->rows) : NULL;
    for (size_t b = 0; ids && b < count; b++)
        for (size_t t = 0; t < data->steps; t++)
            ur_ints(ids)[ur_row(layout, b, t)] =
                data->ids[which[b] * (data->steps + 1) + t + shift];
    return ur_seq_new(tape, ids, layout);
}

static ur_tensor *loss(ur_tape *tape, const ur_model *model, const void *data, size_t count,
                       const size_t *which, double normaliser)
{
    const language_model *m = (const language_model *)model;
    const text *all = data;
    size_t *length = ur_take(tape, count, sizeof *length);
    for (size_t b = 0; length && b < count; b++)
        length[b] = all->steps;
    const ur_layout *layout =
        length ? ur_new_layout(tape, UR_STEP_MAJOR, count, length, NULL) : NULL;
    const ur_seq *ids = window(tape, all, layout, count, which, 0);
    const ur_seq *next = window(tape, all, layout, count, which, 1);
    const ur_rnn_out out = ur_rnn_embedded(tape, &m->rnn, &m->one_hot, ids, (ur_state){0});
    return ur_cross_entropy(tape, ur_linear_seq(tape, &m->output, out.y), next, normaliser);
}

static const ur_kind kind = {.name = "bench_language_model",
                             .examples = examples,
                             .length = steps_of,
                             .positions = steps_of,
                             .loss = loss};

static double run(void *arg)
{
    const lm_work *w = arg;
    bench_step(w->trainer, "language_model");
    return -1.0;
}

static void release(void *arg)
{
    lm_work *w = arg;
    ur_trainer_free(w->trainer);
    ur_params_free(w->lm.model.params);
    ur_context_free(w->context);
    free(w->text.ids);
    free(w);
}

static bool build(lm_work *w, const ur_rnn_config *config, const ur_train_options *train,
                  int threads, ur_err *err)
{
    const size_t v = config->input_size;
    const ur_options options = {.threads = threads};
    language_model *m = &w->lm;
    if (ur_context_new(&options, &w->context, err) != UR_OK)
        return false;
    m->model = (ur_model){.kind = &kind, .context = w->context};
    if (ur_params_new(w->context, &m->model.params, err) != UR_OK)
        return false;
    ur_params *params = m->model.params;
    m->one_hot =
        (ur_embedding_layer){v, v, ur_params_add(params, "one_hot", 2, (size_t[]){v, v}, 0)};
    if (ur_rnn_add(params, "rnn", config, &m->rnn, err) != UR_OK)
        return false;
    m->output = ur_linear_add(params, "output", config->hidden_size, v, true);
    if (ur_params_seal(params, err) != UR_OK)
        return false;
    for (size_t i = 0; i < v; i++)
        ur_param_values(params, m->one_hot.weight)[i * v + i] = 1.0f;
    ur_rnn_init(&m->rnn, params, 1);
    ur_linear_init(&m->output, params, 1);
    ur_params_changed(params);
    return ur_trainer_new(w->context, &m->model, &w->text, train, &w->trainer, err) == UR_OK;
}

static void *make(const char *line, int threads, char why[BENCH_LINE])
{
    char cell[32] = "lstm";
    bench_text(line, "cell", cell, sizeof cell);
    const ur_rnn_config config = {.cell = strcmp(cell, "rnn") == 0 ? "rnn_tanh" : cell,
                                  .input_size = bench_number(line, "vocabulary", 28),
                                  .hidden_size = bench_number(line, "hidden", 256),
                                  .num_layers = 1};
    ur_train_options train = ur_train_defaults();
    train.batch = bench_number(line, "batch", 32);
    train.epochs = (size_t)1 << 30;
    train.optimizer = UR_SGD;
    train.lr = 0.01;
    train.clip = 1.0;
    lm_work *w = bench_memory(1, sizeof *w);
    w->text.examples = BATCHES * train.batch;
    w->text.steps = bench_number(line, "steps", 35);
    const size_t count = w->text.examples * (w->text.steps + 1);
    w->text.ids = bench_memory(count, sizeof *w->text.ids);
    for (size_t i = 0; i < count; i++)
        w->text.ids[i] = (int32_t)(i * i / 7 % config.input_size);
    ur_err err;
    if (!build(w, &config, &train, threads, &err)) {
        snprintf(why, BENCH_LINE, "%s", err.text);
        release(w);
        return NULL;
    }
    return w;
}

const bench_kind bench_language_model = {"language_model", make, run, release};
