/* language_model.c - the next token: forward, loss of a batch of windows, perplexity of a text.
 *
 *   x_t = onehot(id_t) or embed(id_t),  y, state = rnn(x, state),  logits_t = fc(y_t)
 *   loss = 1/normaliser sum_t -log softmax(logits_t)[id_{t+1}]
 * Sequential windows take their states from the data's carry and leave them there. */
#include "models/language_model.h"

#include "backend/context.h"
#include "backend/cpu/loss.h"
#include "base/status.h"
#include "base/tiny.h"

/* ---- forward ------------------------------------------------------------------------------ */

ur_rnn_out ur_language_layers(ur_tape *t, const ur_language_model *m, const ur_seq *ids,
                              ur_state initial)
{
    const float p = m->config.dropout;
    if (!m->config.embed_size)
        return ur_rnn_one_hot(t, &m->rnn, ids, initial);
    if (p > 0.0f && ur_tape_mode(t) == UR_TRAIN)
        return ur_rnn(t, &m->rnn, ur_dropout(t, ur_embedding(t, &m->embed, ids), p), initial);
    return ur_rnn_embedded(t, &m->rnn, &m->embed, ids, initial);
}

ur_language_logits ur_language_model_forward(ur_tape *t, const ur_model *model, const ur_seq *ids,
                                             ur_state initial)
{
    const ur_language_model *m = ur_as_language_model(model);
    const ur_rnn_out out = ur_language_layers(t, m, ids, initial);
    ur_seq *y = ur_dropout(t, out.y, m->config.dropout);
    return (ur_language_logits){ur_linear_seq(t, &m->fc, y), out};
}

/* ---- training ----------------------------------------------------------------------------- */

static size_t start_epoch(ur_model *model, void *data, uint64_t seed, uint64_t epoch)
{
    const ur_language_data *d = data;
    (void)model;
    if (d->carry)
        ur_carry_reset(d->carry);
    return ur_windows_start(d->windows, seed, epoch);
}

static float *carried(ur_model *model, void *data, size_t *count)
{
    const ur_language_data *d = data;
    (void)model;
    *count = d->carry ? ur_carry_size(d->carry) : 0;
    return d->carry ? ur_carry_values(d->carry) : NULL;
}

/* Sequential windows: as many streams, each with its own state. */
static size_t batch_of(const ur_model *model, const void *data)
{
    const ur_language_data *d = data;
    (void)model;
    return d->carry ? d->batch : 0;
}

static size_t examples(const ur_model *model, const void *data)
{
    const ur_language_data *d = data;
    (void)model;
    return d->windows ? ur_windows_count(d->windows) : 0;
}

static size_t length(const ur_model *model, const void *data, size_t i)
{
    (void)model;
    return ur_windows_at(((const ur_language_data *)data)->windows, i).length;
}

/* Some windows, as one batch. */
typedef struct batch {
    ur_seq *inputs, *targets;
    size_t *stream; /* (count) */
} batch;

static batch load(ur_tape *t, const ur_language_data *d, size_t count, const size_t *which)
{
    batch b = {.stream = ur_take(t, count, sizeof *b.stream)};
    size_t *lengths = ur_take(t, count, sizeof *lengths);
    uint64_t *id = ur_take(t, count, sizeof *id);
    if (!b.stream || !lengths || !id)
        return b;
    for (size_t i = 0; i < count; i++) {
        const ur_window w = ur_windows_at(d->windows, which[i]);
        b.stream[i] = w.stream;
        lengths[i] = w.length;
        id[i] = which[i];
    }
    const ur_layout *layout = ur_new_layout(t, UR_STEP_MAJOR, count, lengths, id);
    ur_tensor *in = layout ? ur_new_ints(t, 1, &layout->rows) : NULL;
    ur_tensor *out = layout ? ur_new_ints(t, 1, &layout->rows) : NULL;
    if (!in || !out)
        return b;
    for (size_t i = 0; i < count; i++) {
        const ur_window w = ur_windows_at(d->windows, which[i]);
        for (size_t s = 0; s < w.length; s++) {
            const size_t row = ur_row(layout, i, s);
            ur_ints(in)[row] = w.ids[s];
            ur_ints(out)[row] = w.ids[s + 1];
        }
    }
    b.inputs = ur_seq_new(t, in, layout);
    b.targets = ur_seq_new(t, out, layout);
    return b;
}

static ur_tensor *loss(ur_tape *t, const ur_model *model, const void *data, size_t count,
                       const size_t *which, double normaliser)
{
    const ur_language_data *d = data;
    const batch b = load(t, d, count, which);
    ur_state initial = {0};
    if (d->carry)
        initial = ur_carry_state(t, d->carry, count, b.stream);
    const ur_language_logits f = ur_language_model_forward(t, model, b.inputs, initial);
    if (d->carry)
        ur_carry_take(t, d->carry, count, b.stream, f.out);
    return ur_cross_entropy(t, f.logits, b.targets, normaliser);
}

/* ---- evaluation --------------------------------------------------------------------------- */

/* Steps that are computed at a time: any number gives a one-way model's bits, so what a chunk's
 * logits and gates take decides. A bidirectional model reads windows, as in training. */
static size_t chunk_of(const ur_language_model *m)
{
    enum { CHUNK_FLOATS = UR_SIZE(1 << 22, 1), LEAST = UR_SIZE(16, 3), MOST = 1024 };
    const size_t row = m->config.vocabulary + 8 * m->config.hidden_size;
    const size_t steps = CHUNK_FLOATS / row;
    if (m->config.bidirectional)
        return m->config.bptt;
    return steps < LEAST ? LEAST : steps > MOST ? MOST : steps;
}

/* Adds the losses of `steps` tokens from `at` on. */
static void measure_chunk(ur_tape *t, const ur_language_model *m, ur_carry *carry,
                          const int32_t *at, size_t steps, ur_measure *sum)
{
    ur_tape_start(t, UR_INFER, m->base.params, NULL, 0, 0);
    const ur_seq *ids = ur_seq_ints(t, ur_new_layout(t, UR_STEP_MAJOR, 1, &steps, NULL), at);
    const ur_state state = ur_carry_state(t, carry, 1, NULL);
    const ur_language_logits f = ur_language_model_forward(t, &m->base, ids, state);
    ur_carry_take(t, carry, 1, NULL, f.out);
    float *row_loss = ur_take(t, steps, sizeof *row_loss);
    if (!ur_tape_ok(t))
        return;
    const ur_cpu_cross_entropy op = {.rows = steps,
                                     .classes = m->config.vocabulary,
                                     .x = ur_floats(f.logits->values),
                                     .target = at + 1,
                                     .ignore = UR_IGNORE,
                                     .scale = 1.0f,
                                     .row_loss = row_loss};
    ur_cpu_cross_entropy_forward(&t->cpu, &op);
    for (size_t i = 0; i < steps; i++)
        sum->loss += (double)row_loss[i];
    sum->positions += steps;
}

/* The whole text from start to end as one stream; every token but the first is predicted. */
static ur_status evaluate(ur_context *context, const ur_model *model, const void *data,
                          ur_measure *out, ur_err *err)
{
    const ur_language_model *m = ur_as_language_model(model);
    const ur_ids text = ((const ur_language_data *)data)->text;
    const size_t chunk = chunk_of(m), positions = text.length - 1;
    ur_tape *t = NULL;
    ur_carry *carry = NULL;
    *out = (ur_measure){0};
    ur_status status = ur_tape_new(context, &t, err);
    if (status == UR_OK)
        status = ur_carry_new(context, &m->rnn, 1, &carry, err);
    const ur_fpmode mode = ur_fpmode_enter();
    for (size_t at = 0; status == UR_OK && at < positions; at += chunk) {
        const size_t left = positions - at;
        measure_chunk(t, m, carry, text.ids + at, left < chunk ? left : chunk, out);
        if (ur_tape_status(t) != UR_OK)
            status = ur_fail(err, ur_tape_status(t), "%s", ur_error(t));
    }
    ur_fpmode_leave(mode);
    out->examples = out->positions;
    ur_carry_free(carry);
    ur_tape_free(t);
    return status;
}

const ur_model_class ur_language_model_class = {
    .kind = "language_model",
    .free = ur_language_model_free,
    .examples = examples,
    .length = length,
    .positions = length,
    .loss = loss,
    .start_epoch = start_epoch,
    .carried = carried,
    .batch = batch_of,
    .evaluate = evaluate,
    .decoder = ur_language_decoder,
};
