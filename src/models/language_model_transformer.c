/* language_model_transformer.c - language models that are Transformers: a decoder alone, as
 * GPT-2 is one (Radford et al. 2019). Parameters, forward, and how they write.
 *
 *   x_t = drop(E[id_t] + P[t]),   y = norm(layers(x)),   logits_t = E y_t
 * The layers' self-attention is causal, and they normalise what they read.
 * A window has at most bptt tokens, at positions 0, 1 ...
 *
 * Writing. The tokens so far of each hypothesis are a window, whose keys and values a cache
 * keeps. Where a token would be number bptt + 1 of it, the window first forgets its older half,
 * bptt - bptt/2 tokens; those that stay have new positions then and are computed anew. So after
 * N tokens the window begins at
 *   N <= bptt ? 0 : ceil((N - bptt) / stride) stride,   stride = bptt - bptt/2
 * however many of them were read at a time. */
#include "models/language_model.h"

#include <string.h>

#include "base/status.h"
#include "models/decode.h"
#include "nn/nn.h"

/* ---- configuration ------------------------------------------------------------------------ */

static ur_transformer_config layer_of(const ur_language_model_config *c)
{
    return (ur_transformer_config){.d_model = c->hidden_size,
                                   .nhead = c->heads ? c->heads : 4,
                                   .dim_feedforward = c->feed_forward_size ? c->feed_forward_size
                                                                           : 4 * c->hidden_size,
                                   .dropout = c->dropout,
                                   .activation = c->activation,
                                   .norm_first = true};
}

static ur_status check(const ur_language_model_config *c, ur_err *err)
{
    const ur_transformer_config layer = layer_of(c);
    if (c->activation == UR_ACT_NONE)
        return ur_fail(err, UR_INVALID,
                       "language model: a Transformer's activation cannot be none");
    return ur_transformer_check(&layer, err);
}

/* ---- parameters --------------------------------------------------------------------------- */

static ur_status build(ur_language_model *m, ur_language_model_config *c, ur_err *err)
{
    ur_params *p = m->base.params;
    const ur_transformer_config layer = layer_of(c);
    c->embed_size = c->hidden_size;
    c->tied = true;
    c->bidirectional = false;
    c->sampling = UR_SAMPLING_RANDOM;
    m->embed = ur_embedding_add(p, "embed", c->vocabulary, c->hidden_size);
    m->positions = ur_positions_add(p, "positions", c->bptt, c->hidden_size);
    const ur_status status =
        ur_transformer_encoder_add(p, "transformer", &layer, c->layers, true, &m->transformer, err);
    if (status == UR_OK)
        m->fc = ur_linear_add_tied(p, "fc", &m->embed, false);
    return status;
}

static const float deviation = 0.02f; /* of embeddings and positions, as GPT-2 has it */

static void init(const ur_language_model *m, uint64_t seed)
{
    ur_params *p = m->base.params;
    ur_transformer_encoder_init(&m->transformer, p, seed);
    ur_embedding_init(&m->embed, p, seed);
    float *w = ur_param_values(p, m->embed.weight);
    for (size_t i = 0; i < m->embed.count * m->embed.size; i++)
        w[i] *= deviation;
    ur_positions_init(&m->positions, p, deviation, seed);
}

/* ---- forward ------------------------------------------------------------------------------ */

static ur_language_logits logits(ur_tape *t, const ur_language_model *m, const ur_seq *ids,
                                 ur_state initial)
{
    const ur_transformer_call causal = {.causal = true};
    ur_seq *x = ur_embedding_at(t, &m->embed, 1.0f, &m->positions, 0, ids);
    (void)initial; /* there is no state */
    x = ur_dropout(t, x, m->config->dropout);
    const ur_seq *y = ur_transformer_encode(t, &m->transformer, x, &causal);
    return (ur_language_logits){.logits = ur_linear_seq(t, &m->fc, y)};
}

/* ---- writing ------------------------------------------------------------------------------ */

typedef struct writing {
    const ur_language_model *m;
    ur_step_cache *cache; /* a sequence for each row */
    size_t rows;
    int32_t *window,
        *moved; /* (most rows, bptt) tokens of each row's window; room to reorder them */
} writing;

static int32_t *window_of(const writing *w, size_t row)
{
    return w->window + row * w->m->config->bptt;
}

/* More tokens of a row: the window as it is then, and in *first where it is new. */
static ur_ids take_in(const writing *w, size_t row, ur_ids more, size_t *first)
{
    const size_t bptt = w->m->config->bptt, stride = bptt - bptt / 2;
    const size_t old = ur_step_cache_length(w->cache, row), all = old + more.length;
    const size_t gone = all > bptt ? (all - bptt + stride - 1) / stride * stride : 0;
    const size_t kept = gone < old ? old - gone : 0, skipped = gone > old ? gone - old : 0;
    int32_t *window = window_of(w, row);
    if (gone) {
        memmove(window, window + (old - kept), kept * sizeof *window);
        ur_step_cache_forget(w->cache, row);
    }
    if (more.length > skipped)
        memcpy(window + kept, more.ids + skipped, (more.length - skipped) * sizeof *window);
    *first = gone ? 0 : old;
    return (ur_ids){window, all - gone};
}

/* More tokens of every row; what the layers make of them, (steps, d), sequence by sequence. */
static const ur_seq *feed(ur_tape *t, const writing *w, const ur_ids *more)
{
    size_t *first = ur_take(t, w->rows, sizeof *first), *steps = ur_take(t, w->rows, sizeof *steps);
    ur_ids *windows = ur_take(t, w->rows, sizeof *windows);
    size_t total = 0;
    for (size_t b = 0; ur_tape_ok(t) && b < w->rows; b++) {
        windows[b] = take_in(w, b, more[b], &first[b]);
        total += steps[b] = windows[b].length - first[b];
    }
    int32_t *ids = ur_take(t, total, sizeof *ids), *to = ids;
    for (size_t b = 0; ur_tape_ok(t) && b < w->rows; to += steps[b++])
        if (steps[b])
            memcpy(to, windows[b].ids + first[b], steps[b] * sizeof *to);
    if (!ur_tape_ok(t) || total == 0)
        return NULL;
    const ur_layout *layout = ur_new_layout(t, UR_SEQUENCE_MAJOR, w->rows, steps, NULL);
    const ur_seq *x = ur_embedding_from(t, &w->m->embed, 1.0f, &w->m->positions, first,
                                        ur_seq_ints(t, layout, ids));
    return ur_transformer_encode_next(t, &w->m->transformer, w->cache, x);
}

static void *start(ur_tape *t, const ur_decoder *decoder, const ur_decoder_task *task,
                   int32_t *symbols)
{
    const ur_language_model *m = decoder->self;
    const size_t rows = task->sources->count, room = rows * task->hypotheses * m->config->bptt;
    const ur_ids *texts = ur_language_prompts(t, m, task->sources, symbols);
    writing *w = texts ? ur_take(t, 1, sizeof *w) : NULL;
    if (!w)
        return NULL;
    *w = (writing){.m = m,
                   .rows = rows,
                   .window = ur_take(t, room, sizeof *w->window),
                   .moved = ur_take(t, room, sizeof *w->moved)};
    if (ur_tape_ok(t) && ur_step_cache_new(t->context, m->config->layers, m->config->hidden_size,
                                           rows, &w->cache, NULL) != UR_OK)
        ur_tape_fail(t, UR_NO_MEMORY, "out of memory: the steps of %zu prompts", rows);
    if (!ur_tape_ok(t))
        return NULL;
    const ur_place place = ur_tape_place(t);
    feed(t, w, texts);
    if (!ur_tape_ok(t)) {
        ur_step_cache_free(w->cache);
        return NULL;
    }
    ur_tape_rewind(t, place);
    return w;
}

static void read_more(ur_tape *t, void *state, ur_ids ids)
{
    feed(t, state, &ids);
}

static ur_tensor *step(ur_tape *t, void *state, const int32_t *symbols)
{
    const writing *w = state;
    ur_ids *more = ur_take(t, w->rows, sizeof *more);
    for (size_t b = 0; more && b < w->rows; b++)
        more[b] = (ur_ids){symbols + b, 1};
    const ur_seq *y = more ? feed(t, w, more) : NULL;
    return y ? ur_linear(t, &w->m->fc, ur_last_steps(t, y)) : NULL;
}

static void reorder(ur_tape *t, void *state, size_t rows, const size_t *parent)
{
    writing *w = state;
    const size_t bptt = w->m->config->bptt;
    if (!ur_step_cache_reorder(w->cache, rows, parent)) {
        ur_tape_fail(t, UR_NO_MEMORY, "out of memory: the steps of %zu hypotheses", rows);
        return;
    }
    for (size_t b = 0; b < rows; b++)
        memcpy(w->moved + b * bptt, window_of(w, parent[b]),
               ur_step_cache_length(w->cache, b) * sizeof *w->moved);
    int32_t *window = w->moved;
    w->moved = w->window;
    w->window = window;
    w->rows = rows;
}

static void release(void *state)
{
    ur_step_cache_free(((writing *)state)->cache);
}

const ur_language_network ur_language_transformer = {.name = "transformer",
                                                     .order = UR_SEQUENCE_MAJOR,
                                                     .check = check,
                                                     .build = build,
                                                     .init = init,
                                                     .logits = logits,
                                                     .start = start,
                                                     .step = step,
                                                     .reorder = reorder,
                                                     .read = read_more,
                                                     .release = release};
