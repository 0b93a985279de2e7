/* seq2seq_decode.c - greedy decoding: the model writes on its own, all sequences of a batch at a
 * time, each step fed with the symbol it gave highest probability before. */
#include "models/seq2seq.h"

#include <string.h>

#include "kernels/math.h"

/* The symbol with the largest logit (the first of equals) and its probability. */
static int32_t choose(const ur_kernels *kernels, size_t classes, const float *logits,
                      float *probability)
{
    size_t best = 0;
    for (size_t i = 1; i < classes; i++)
        if (logits[i] > logits[best])
            best = i;
    if (probability)
        *probability = ur_expf(-kernels->cross_entropy(classes, logits, (int32_t)best, NULL));
    return (int32_t)best;
}

static ur_greedy new_greedy(ur_tape *t, const ur_seq2seq *m, size_t batch, size_t keys,
                            bool details)
{
    ur_greedy g = {.steps = m->config.format.answer_steps, .keys = keys};
    g.ids = ur_take(t, batch * g.steps, sizeof *g.ids);
    g.count = ur_take(t, batch, sizeof *g.count);
    g.done = ur_take(t, batch, sizeof *g.done);
    if (details) {
        g.probability = ur_take(t, batch * g.steps, sizeof *g.probability);
        g.end_probability = ur_take(t, batch, sizeof *g.end_probability);
        if (m->config.attention != UR_ATTENTION_NONE)
            g.attention = ur_take(t, batch * g.steps * keys, sizeof *g.attention);
    }
    if (!ur_tape_ok(t))
        return g;
    for (size_t b = 0; b < batch; b++) {
        g.count[b] = 0;
        g.done[b] = false;
        if (details)
            g.end_probability[b] = 1.0f;
    }
    return g;
}

/* What one decoder step wrote. Returns how many sequences are still being written. */
static size_t take_step(ur_tape *t, const ur_seq2seq *m, const ur_decoded *d,
                        const ur_weights *weights, size_t step, ur_greedy *g, int32_t *next)
{
    const size_t batch = d->logits->layout->batch, classes = m->config.vocabulary;
    size_t alive = 0;
    for (size_t b = 0; b < batch; b++) {
        if (g->done[b])
            continue;
        const size_t at = b * g->steps + step;
        float probability;
        next[b] = choose(t->cpu.kernels, classes, ur_floats(d->logits->values) + b * classes,
                         g->probability ? &probability : NULL);
        if (next[b] == m->config.format.end) {
            g->done[b] = true;
            if (g->probability)
                g->end_probability[b] = probability;
            continue;
        }
        g->ids[at] = next[b];
        g->count[b] = step + 1;
        if (g->probability)
            g->probability[at] = probability;
        if (g->attention)
            memcpy(g->attention + at * g->keys, weights->p + weights->offset[b],
                   weights->keys->length[b] * sizeof *weights->p);
        alive++;
    }
    return alive;
}

static void copy(ur_tensor *to, const ur_tensor *from)
{
    if (to)
        memcpy(to->data, from->data, ur_count(to) * sizeof(float));
}

/* The decoder's start in tensors of its own, which every step then overwrites. */
static ur_state first_state(ur_tape *t, const ur_seq2seq *m, const ur_encoded *encoded)
{
    const ur_state start = ur_seq2seq_start(t, m, encoded), nothing = {0};
    if (!start.h)
        return nothing;
    const ur_state own = {ur_new_floats(t, 3, start.h->dim, false),
                          encoded->all.c_n ? ur_new_floats(t, 3, start.h->dim, false) : NULL};
    if (!ur_tape_ok(t))
        return nothing;
    copy(own.h, start.h);
    if (start.c)
        copy(own.c, start.c);
    else if (own.c)
        memset(own.c->data, 0, ur_count(own.c) * sizeof(float));
    return own;
}

ur_greedy ur_seq2seq_greedy(ur_tape *t, const ur_seq2seq *m, const ur_encoded *encoded,
                            const int32_t *first, bool details)
{
    const ur_greedy nothing = {0};
    if (!ur_tape_ok(t))
        return nothing;
    const size_t batch = encoded->h->dim[0];
    ur_greedy g = new_greedy(t, m, batch, encoded->y->layout->steps, details);
    size_t *one = ur_take(t, batch, sizeof *one);
    int32_t *next = ur_take(t, batch, sizeof *next);
    const ur_state state = first_state(t, m, encoded);
    if (!ur_tape_ok(t))
        return nothing;
    for (size_t b = 0; b < batch; b++) {
        one[b] = 1;
        next[b] = first[b];
    }
    const ur_layout *layout = ur_new_layout(t, UR_STEP_MAJOR, batch, one, NULL);
    const ur_place place = ur_tape_place(t);
    size_t alive = batch;
    for (size_t step = 0; step < g.steps && alive && ur_tape_ok(t); step++) {
        ur_weights *weights = NULL;
        const ur_decoded d = ur_seq2seq_decode(t, m, encoded, ur_seq_ints(t, layout, next), &state,
                                               g.attention ? &weights : NULL);
        if (!ur_tape_ok(t))
            return nothing;
        alive = take_step(t, m, &d, weights, step, &g, next);
        copy(state.h, d.state.h); /* survives the rewind */
        copy(state.c, d.state.c);
        ur_tape_rewind(t, place);
    }
    return g;
}

/* ---- answers in reading order ------------------------------------------------------------- */

/* The step that wrote symbol i of the answer; `written` or more when none did. */
static size_t writing_step(const ur_seq2seq *m, size_t written, size_t i)
{
    switch (m->config.format.answer_order) {
    case UR_ANSWER_REVERSED:
        return written - 1 - i;
    case UR_ANSWER_WITH_START: /* the last of the steps wrote the start symbol */
        return i + 2 > written ? written : written - 2 - i;
    case UR_ANSWER_FORWARD:
    default:
        return i;
    }
}

/* A row of attention weights, columns in reading order. */
static void reading_order(const ur_seq2seq *m, const ur_greedy *g, size_t b, size_t at, size_t keys,
                          float *row)
{
    const float *x = g->attention + (b * g->steps + at) * g->keys;
    for (size_t j = 0; j < keys; j++)
        row[j] = x[m->config.format.reverse_input ? keys - 1 - j : j];
}

static bool fill_answer(ur_tape *t, const ur_seq2seq *m, const ur_greedy *g, size_t b, size_t keys,
                        int32_t first, ur_answer *out)
{
    const size_t written = g->count[b];
    const int32_t *ids = g->ids + b * g->steps;
    out->ids = ur_take(t, g->steps + 1, sizeof *out->ids);
    out->probability = ur_take(t, g->steps + 1, sizeof *out->probability);
    if (g->attention)
        out->attention = ur_take(t, (g->steps + 1) * keys, sizeof *out->attention);
    if (!ur_tape_ok(t))
        return false;
    out->count = ur_pair_answer(&m->config.format, first, ids, written, out->ids);
    out->complete = m->config.format.end < 0 || g->done[b];
    out->log_probability = (double)ur_logf(g->end_probability[b]);
    for (size_t i = 0; i < written; i++)
        out->log_probability += (double)ur_logf(g->probability[b * g->steps + i]);
    for (size_t i = 0; i < out->count; i++) {
        const size_t at = writing_step(m, written, i);
        const bool given =
            at >= written; /* the decoder's first input, with its start symbol last */
        out->probability[i] = given ? 1.0f : g->probability[b * g->steps + at];
        if (out->attention && given)
            memset(out->attention + i * keys, 0, keys * sizeof *out->attention);
        else if (out->attention)
            reading_order(m, g, b, at, keys, out->attention + i * keys);
    }
    return true;
}

ur_answer *ur_seq2seq_answer(ur_tape *t, const ur_model *model, size_t count,
                             const ur_ids *questions, const int32_t *first)
{
    const ur_seq2seq *m = ur_as_seq2seq(model);
    if (!ur_tape_ok(t))
        return NULL;
    if (t->mode != UR_INFER)
        return ur_tape_fail(t, UR_INVALID, "answering wants a tape for inference");
    if (m->config.format.answer_order == UR_ANSWER_WITH_START && !first)
        return ur_tape_fail(t, UR_UNSUPPORTED,
                            "this model was trained with its answers' last symbol as the decoder's "
                            "first input, so it cannot answer without being told that symbol");
    ur_answer *out = ur_take(t, count, sizeof *out);
    int32_t *starts = ur_take(t, count, sizeof *starts);
    if (!out || !starts)
        return NULL;
    for (size_t b = 0; b < count; b++) {
        out[b] = (ur_answer){0};
        starts[b] = first ? first[b] : m->config.format.start;
    }
    const ur_seq *x = ur_seq2seq_questions(t, m, count, questions, NULL);
    const ur_encoded encoded = ur_seq2seq_encode(t, m, x);
    const ur_greedy g = ur_seq2seq_greedy(t, m, &encoded, starts, true);
    if (!ur_tape_ok(t) || !g.count)
        return NULL;
    for (size_t b = 0; b < count; b++)
        if (!fill_answer(t, m, &g, b, questions[b].length, starts[b], &out[b]))
            return NULL;
    return out;
}
