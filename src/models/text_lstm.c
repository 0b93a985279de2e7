/* text_lstm.c - the next word from the n words before it: forward, loss and measure.
 *
 * V words, E features of an embedded word (one-hot: E = V), H units, L layers, B examples:
 *   x_0 = embed(words)                                         (n, B, E)
 *   h_l, c_l, o_l = lstm_l(x_l) from (h, c)_l                  (n, B, H) each; o: the output gate
 *   z_l = W_l v_l + b_l,  v = h, or o for output_from gate     (n, B, V)
 *   x_l+1 = [z_l; h_l]  at every step                          (n, B, V + H)
 *   logits = z_L-1 of the last step                            (B, V)
 * So the layers are E, V + H, ..., V + H wide at their inputs, hand V + H features on, and the last
 * gives V; its product over the vocabulary is done for the last step alone.
 *
 * One layer starts from zeros. Several start where the same example left them the time before:
 * the state after its last step, as numbers without gradient (ur_next_words keeps them). Measuring
 * and predicting start from zeros. */
#include "models/text_lstm.h"

#include <string.h>

/* ---- forward ------------------------------------------------------------------------------ */

/* Layer l over x, or over words where x is NULL. *v: what its logits come from. */
static ur_rnn_out run_layer(ur_tape *t, const ur_text_lstm *m, size_t l, ur_seq *x,
                            const ur_seq *words, ur_state all, ur_seq **v)
{
    const ur_cell_layer *cell = &m->cells.part[l];
    const bool embedded = !x && m->config.embed_size;
    const ur_state start = {all.h ? ur_pick(t, all.h, l) : NULL,
                            all.c ? ur_pick(t, all.c, l) : NULL};
    if (m->config.output_from == UR_OUTPUT_GATE) {
        const ur_seq *in = embedded ? ur_embedding(t, &m->embed, words) : x ? x : words;
        const ur_gate_out both = ur_cell_with_gate(t, cell, in, start);
        *v = both.gate;
        return both.out;
    }
    const ur_rnn_out out = x          ? ur_cell_forward(t, cell, x, start)
                           : embedded ? ur_cell_embedded(t, cell, &m->embed, words, start)
                                      : ur_cell_one_hot(t, cell, words, start);
    *v = out.y;
    return out;
}

/* Logits (B, V) after the words of B examples, and every layer's state after its last step. */
static ur_tensor *forward(ur_tape *t, const ur_text_lstm *m, size_t batch, const int32_t *words,
                          const uint64_t *id, ur_state start, ur_rnn_out *end)
{
    const size_t top = m->config.layers - 1;
    ur_tensor *h[UR_MOST_LAYERS], *c[UR_MOST_LAYERS], *logits = NULL;
    size_t *length = ur_take(t, batch, sizeof *length);
    for (size_t b = 0; length && b < batch; b++)
        length[b] = m->config.context;
    const ur_layout *layout = ur_new_layout(t, UR_STEP_MAJOR, batch, length, id);
    const ur_seq *ids = layout ? ur_seq_ints(t, layout, words) : NULL;
    if (!ids)
        return NULL;
    ur_seq *x = NULL;
    for (size_t l = 0; l <= top && ur_tape_ok(t); l++) {
        ur_seq *v = NULL;
        const ur_rnn_out out = run_layer(t, m, l, x, ids, start, &v);
        h[l] = out.h_n;
        c[l] = out.c_n;
        if (l < top)
            x = ur_concat_seq(t, ur_linear_seq(t, &m->fc[l], v), out.y);
        else
            logits =
                ur_linear(t, &m->fc[l],
                          m->config.output_from == UR_OUTPUT_GATE ? ur_last_steps(t, v) : out.h_n);
    }
    if (end && ur_tape_ok(t))
        *end = (ur_rnn_out){NULL, ur_stack(t, top + 1, h), ur_stack(t, top + 1, c)};
    return ur_tape_ok(t) ? logits : NULL;
}

ur_tensor *ur_text_lstm_logits(ur_tape *t, const ur_model *model, size_t count,
                               const int32_t *words)
{
    if (!ur_tape_ok(t))
        return NULL;
    return forward(t, ur_as_text_lstm(model), count, words, NULL, (ur_state){0}, NULL);
}

/* ---- examples ----------------------------------------------------------------------------- */

/* Some examples: (count, n) words, the word after each, and what names them. */
typedef struct examples {
    int32_t *words, *next;
    uint64_t *id;
} examples;

static bool load(ur_tape *t, const ur_next_words *d, size_t count, const size_t *which,
                 examples *out)
{
    const size_t n = d->words;
    out->words = ur_take(t, count * n, sizeof *out->words);
    out->next = ur_take(t, count, sizeof *out->next);
    out->id = ur_take(t, count, sizeof *out->id);
    if (!ur_tape_ok(t))
        return false;
    for (size_t i = 0; i < count; i++) {
        memcpy(out->words + i * n, d->text.ids + which[i], n * sizeof *out->words);
        out->next[i] = d->text.ids[which[i] + n];
        out->id[i] = which[i];
    }
    return true;
}

static bool check_data(ur_tape *t, const ur_text_lstm *m, const ur_next_words *d)
{
    if (d->words == m->config.context)
        return true;
    ur_tape_fail(t, UR_INVALID, "text_lstm: the data has %zu words before the next, the model %zu",
                 d->words, m->config.context);
    return false;
}

/* Values (B, ..) as a batch of one step each. */
static ur_seq *one_step(ur_tape *t, ur_tensor *x, const ur_layout *layout)
{
    return x && layout ? ur_seq_new(t, x, layout) : NULL;
}

static ur_tensor *text_lstm_loss(ur_tape *t, const ur_model *model, const void *data, size_t count,
                                 const size_t *which, double normaliser)
{
    const ur_text_lstm *m = ur_as_text_lstm(model);
    const ur_next_words *d = data;
    examples e;
    if (!check_data(t, m, d) || !load(t, d, count, which, &e))
        return NULL;
    const ur_state zero = {0};
    const ur_state start = d->carry ? ur_carry_state(t, d->carry, count, which) : zero;
    ur_rnn_out end = {0};
    ur_tensor *logits = forward(t, m, count, e.words, e.id, start, d->carry ? &end : NULL);
    if (d->carry)
        ur_carry_take(t, d->carry, count, which, end);
    size_t *one = ur_take(t, count, sizeof *one);
    for (size_t i = 0; one && i < count; i++)
        one[i] = 1;
    const ur_layout *layout = one ? ur_new_layout(t, UR_STEP_MAJOR, count, one, e.id) : NULL;
    return ur_cross_entropy(t, one_step(t, logits, layout),
                            layout ? ur_seq_ints(t, layout, e.next) : NULL, normaliser);
}

static size_t argmax(const float *x, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (x[i] > x[best])
            best = i;
    return best;
}

static void text_lstm_measure(ur_tape *t, const ur_model *model, const void *data, size_t count,
                              const size_t *which, ur_measure *sum)
{
    const ur_text_lstm *m = ur_as_text_lstm(model);
    const size_t classes = m->config.vocabulary;
    examples e;
    if (!check_data(t, m, data) || !load(t, data, count, which, &e))
        return;
    const ur_tensor *logits = ur_text_lstm_logits(t, model, count, e.words);
    for (size_t i = 0; logits && i < count; i++) {
        const float *row = ur_floats(logits) + i * classes;
        if (e.next[i] < 0 || (size_t)e.next[i] >= classes) {
            ur_tape_fail(t, UR_INVALID, "text_lstm: id %d is not in [0, %zu)", (int)e.next[i],
                         classes);
            return;
        }
        sum->loss += (double)t->cpu.kernels->cross_entropy(classes, row, e.next[i], NULL);
        sum->right += argmax(row, classes) == (size_t)e.next[i];
    }
    if (!logits)
        return;
    sum->positions += count;
    sum->examples += count;
}

static size_t text_lstm_examples(const ur_model *model, const void *data)
{
    (void)model;
    return ur_next_words_count(data);
}

static size_t text_lstm_length(const ur_model *model, const void *data, size_t i)
{
    (void)data;
    (void)i;
    return ur_as_text_lstm(model)->config.context;
}

static size_t text_lstm_positions(const ur_model *model, const void *data, size_t i)
{
    (void)model;
    (void)data;
    (void)i;
    return 1;
}

static float *text_lstm_carried(ur_model *model, void *data, size_t *count)
{
    (void)model;
    return ur_next_words_states(data, count);
}

const ur_model_class ur_text_lstm_class = {
    .kind = "text_lstm",
    .free = ur_text_lstm_free,
    .examples = text_lstm_examples,
    .length = text_lstm_length,
    .positions = text_lstm_positions,
    .loss = text_lstm_loss,
    .measure = text_lstm_measure,
    .carried = text_lstm_carried,
};
