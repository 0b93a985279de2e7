/* translation_rnn.c - translation by a recurrent encoder and decoder: rnn (Cho et al. 2014; Dive into
 * Deep Learning, section 9.7) and bahdanau (Bahdanau et al. 2014; section 10.4).
 *
 *   encoder:  y, h = rnn(embed(source))
 *   rnn:      d_t = rnn([embed(word t-1); h_top])
 *   bahdanau: d_t = rnn([context_t; embed(word t-1)]),  context_t = attention(top of s_t-1, y, y)
 *   both:     s_0 = h,   logits_t = fc(d_t)
 * h are the last states of all layers, h_top the top one's, each of both directions where there are
 * two; s are the decoder's states. Everything is as wide as the encoder's outputs, W. The keys' side of
 * the attention is computed once, the output layer runs over all steps at once. */
#include "models/translation.h"

#include <string.h>

#include "backend/cell.h"
#include "base/status.h"
#include "models/parts.h"

/* ---- configuration and parameters ----------------------------------------------------------- */

static ur_rnn_config encoder_of(const ur_translation_config *c)
{
    return (ur_rnn_config){.cell = c->cell,
                           .input_size = c->embed_size,
                           .hidden_size = c->hidden_size,
                           .num_layers = c->layers,
                           .bidirectional = c->directions != UR_ONE_WAY,
                           .average = c->directions == UR_BOTH_AVERAGE,
                           .dropout = c->layers > 1 ? c->dropout : 0.0f};
}

static size_t width_of(const ur_translation_config *c)
{
    return c->directions == UR_BOTH_CONCAT ? 2 * c->hidden_size : c->hidden_size;
}

static ur_rnn_config decoder_of(const ur_translation_config *c)
{
    return (ur_rnn_config){.cell = c->cell,
                           .input_size = c->embed_size + width_of(c),
                           .hidden_size = width_of(c),
                           .num_layers = c->layers,
                           .dropout = c->layers > 1 ? c->dropout : 0.0f};
}

static ur_status check(const ur_translation_config *c, ur_err *err)
{
    const ur_rnn_config encoder = encoder_of(c), decoder = decoder_of(c);
    const ur_status status = ur_rnn_check(&encoder, err);
    return status == UR_OK ? ur_rnn_check(&decoder, err) : status;
}

static ur_status build(ur_translation *m, ur_err *err)
{
    const ur_translation_config *c = m->config;
    ur_params *p = m->base.params;
    const ur_rnn_config encoder = encoder_of(c), decoder = decoder_of(c);
    char name[64];
    m->encoder.embed = ur_embedding_add(p, "encoder.embed", c->vocabulary, c->embed_size);
    ur_rnn_prefix("encoder", c->cell, name);
    ur_status status = ur_rnn_add(p, name, &encoder, &m->encoder.rnn, err);
    if (status != UR_OK)
        return status;
    const size_t symbols = ur_translation_symbols(c);
    m->decoder.embed = ur_embedding_add(p, "decoder.embed", symbols, c->embed_size);
    ur_rnn_prefix("decoder", c->cell, name);
    status = ur_rnn_add(p, name, &decoder, &m->decoder.rnn, err);
    if (status == UR_OK)
        m->fc = ur_linear_add(p, "decoder.fc", width_of(c), symbols, true);
    return status;
}

static void init(ur_translation *m, uint64_t seed)
{
    ur_params *p = m->base.params;
    ur_embedding_init(&m->encoder.embed, p, seed);
    ur_rnn_init(&m->encoder.rnn, p, seed);
    ur_embedding_init(&m->decoder.embed, p, seed);
    ur_rnn_init(&m->decoder.rnn, p, seed);
    ur_linear_init(&m->fc, p, seed);
    for (size_t i = 0; m->config->init == UR_TRANSLATION_XAVIER && i < ur_params_count(p); i++)
        if ((int)i != m->encoder.embed.weight && (int)i != m->decoder.embed.weight)
            ur_init_xavier(p, (int)i, seed);
}

static ur_status build_bahdanau(ur_translation *m, ur_err *err)
{
    const size_t width = width_of(m->config);
    const ur_status status = build(m, err);
    if (status == UR_OK)
        m->attention = ur_additive_attention_add(m->base.params, "decoder.attention", width, width,
                                                 width, m->config->dropout);
    return status;
}

static void init_bahdanau(ur_translation *m, uint64_t seed)
{
    ur_additive_attention_init(&m->attention, m->base.params, seed);
    init(m, seed);
}

/* ---- forward -------------------------------------------------------------------------------- */

/* What the encoder made of the sources. */
typedef struct encoded {
    ur_seq *y;      /* (rows, W) */
    ur_seq *keys;   /* (rows, W) of y, for bahdanau */
    ur_tensor *top; /* (B, W) */
    ur_state start; /* (layers, B, W) */
} encoded;

static ur_tensor *joined(ur_tape *t, const ur_translation_config *c, ur_tensor *states)
{
    ur_tensor *x[UR_MOST_LAYERS];
    for (size_t i = 0; i < c->layers; i++)
        x[i] = ur_join_directions(t, c->directions, states, i);
    return ur_stack(t, c->layers, x);
}

static encoded encode(ur_tape *t, const ur_translation *m, const ur_seq *sources)
{
    const ur_translation_config *c = m->config;
    const ur_rnn_out out =
        ur_rnn_embedded(t, &m->encoder.rnn, &m->encoder.embed, sources, (ur_state){NULL, NULL});
    encoded e = {.y = out.y};
    if (!ur_tape_ok(t))
        return e;
    e.top = ur_join_directions(t, c->directions, out.h_n, c->layers - 1);
    e.start.h = joined(t, c, out.h_n);
    e.start.c = out.c_n ? joined(t, c, out.c_n) : NULL;
    return e;
}

/* Decoder steps whose inputs are given, from a state; by_source: the rows of each source, as many and
 * in the same order as those of the inputs. */
static ur_rnn_out run(ur_tape *t, const ur_translation *m, const encoded *e, const ur_seq *inputs,
                      ur_state state, const ur_layout *by_source)
{
    if (!ur_tape_ok(t))
        return (ur_rnn_out){NULL, NULL, NULL};
    ur_seq *context = ur_seq_as(t, ur_repeat(t, e->top, by_source), inputs->layout);
    ur_seq *x = ur_concat_seq(t, ur_embedding(t, &m->decoder.embed, inputs), context);
    return ur_rnn(t, &m->decoder.rnn, x, state);
}

static ur_seq *logits(ur_tape *t, const ur_translation *m, const ur_seq *sources,
                      const ur_seq *inputs)
{
    const encoded e = encode(t, m, sources);
    const ur_rnn_out out = run(t, m, &e, inputs, e.start, inputs ? inputs->layout : NULL);
    return ur_linear_seq(t, &m->fc, out.y);
}

/* One step of bahdanau: of each source as many rows as queries says, x (rows, E) and state (layers,
 * rows, W) in the same order. weights may be NULL. */
static ur_rnn_out attend(ur_tape *t, const ur_translation *m, const encoded *e, ur_tensor *x,
                         ur_state state, const ur_layout *queries, const uint64_t *id,
                         ur_weights **weights)
{
    const ur_attention_call call = {.weights = weights};
    const size_t rows = queries ? queries->rows : 0;
    size_t *one = ur_take(t, rows, sizeof *one);
    for (size_t i = 0; one && i < rows; i++)
        one[i] = 1;
    const ur_seq *query = ur_seq_new(t, ur_pick(t, state.h, m->config->layers - 1), queries);
    const ur_seq *context =
        ur_additive_attention_over(t, &m->attention, query, e->keys, e->y, &call);
    if (!ur_tape_ok(t))
        return (ur_rnn_out){NULL, NULL, NULL};
    const ur_layout *step = ur_new_layout(t, UR_STEP_MAJOR, rows, one, id);
    return ur_rnn(t, &m->decoder.rnn, ur_seq_new(t, ur_concat(t, ur_values(context), x), step),
                  state);
}

static encoded encode_with_keys(ur_tape *t, const ur_translation *m, const ur_seq *sources)
{
    encoded e = encode(t, m, sources);
    e.keys = ur_additive_attention_keys(t, &m->attention, e.y);
    return e;
}

/* The states of the sequences that have another step. */
static ur_state go_on(ur_tape *t, ur_state s, size_t rows)
{
    if (!s.h || rows == s.h->dim[1])
        return s;
    return (ur_state){ur_first_of_each(t, s.h, rows), s.c ? ur_first_of_each(t, s.c, rows) : NULL};
}

/* The sequences of inputs stand in the order of falling length: those that have a step t are the first
 * ones. */
static ur_seq *logits_bahdanau(ur_tape *t, const ur_translation *m, const ur_seq *sources,
                               const ur_seq *inputs)
{
    const encoded e = encode_with_keys(t, m, sources);
    ur_tensor *x = ur_values(ur_embedding(t, &m->decoder.embed, inputs));
    const ur_layout *l = inputs ? inputs->layout : NULL;
    ur_tensor **y = l ? ur_take(t, l->steps, sizeof(ur_tensor *)) : NULL;
    if (!y || !ur_tape_ok(t))
        return NULL;
    ur_state state = e.start;
    for (size_t s = 0; s < l->steps; s++) {
        const size_t rows = ur_alive(l, s);
        size_t *has = ur_take(t, l->batch, sizeof *has);
        for (size_t b = 0; has && b < l->batch; b++)
            has[b] = b < rows;
        const ur_layout *queries =
            has ? ur_new_layout(t, UR_SEQUENCE_MAJOR, l->batch, has, l->id) : NULL;
        state = go_on(t, state, rows);
        const ur_rnn_out out =
            attend(t, m, &e, ur_rows_from(t, x, l->offset[s], rows), state, queries, l->id, NULL);
        state = (ur_state){out.h_n, out.c_n};
        y[s] = ur_values(out.y);
    }
    return ur_linear_seq(t, &m->fc, ur_seq_new(t, ur_join_rows(t, l->steps, y), l));
}

/* ---- decoding ------------------------------------------------------------------------------- */

/* What the encoder made of a source is kept once, however many hypotheses the source has. */
typedef struct writing {
    const ur_translation *m;
    encoded encoded;
    ur_hypotheses open;
    ur_state now, last;
    ur_weights *weights; /* bahdanau: of a step, on the tape, where they are asked for */
    bool attention;
} writing;

static writing *start_from(ur_tape *t, const ur_translation *m, const ur_decoder_task *task,
                           encoded e, int32_t *symbols)
{
    const size_t count = task->sources->count, most = count * task->hypotheses;
    writing *w = ur_take(t, 1, sizeof *w);
    const ur_hypotheses open = ur_hypotheses_new(t, task);
    const ur_state now = ur_states_new(t, &m->decoder.rnn, count, most);
    if (!ur_tape_ok(t))
        return NULL;
    *w = (writing){.m = m, .encoded = e, .open = open, .now = now, .attention = task->attention};
    ur_states_take(t, &w->now, e.start, count, NULL);
    for (size_t b = 0; b < count; b++)
        symbols[b] = task->sources->first ? task->sources->first[b] : UR_ID_BOS;
    return w;
}

static ur_seq *sources_of(ur_tape *t, const ur_decoder_task *task)
{
    return ur_joined(t, UR_STEP_MAJOR, task->sources->count, task->sources->ids, NULL);
}

static void *start(ur_tape *t, const ur_decoder *decoder, const ur_decoder_task *task,
                   int32_t *symbols)
{
    const ur_translation *m = decoder->self;
    return start_from(t, m, task, encode(t, m, sources_of(t, task)), symbols);
}

static void *start_bahdanau(ur_tape *t, const ur_decoder *decoder, const ur_decoder_task *task,
                            int32_t *symbols)
{
    const ur_translation *m = decoder->self;
    return start_from(t, m, task, encode_with_keys(t, m, sources_of(t, task)), symbols);
}

static ur_tensor *finish(ur_tape *t, writing *w, ur_rnn_out out)
{
    w->last = (ur_state){out.h_n, out.c_n};
    return ur_values(ur_linear_seq(t, &w->m->fc, out.y));
}

static ur_tensor *step(ur_tape *t, void *state, const int32_t *symbols)
{
    writing *w = state;
    const ur_layout *queries = ur_hypotheses_queries(t, &w->open);
    const ur_seq *inputs = ur_one_step_ids(t, w->open.rows, symbols);
    return finish(t, w, run(t, w->m, &w->encoded, inputs, w->now, queries));
}

static ur_tensor *step_bahdanau(ur_tape *t, void *state, const int32_t *symbols)
{
    writing *w = state;
    const ur_layout *queries = ur_hypotheses_queries(t, &w->open);
    ur_tensor *x =
        ur_values(ur_embedding(t, &w->m->decoder.embed, ur_one_step_ids(t, w->open.rows, symbols)));
    return finish(
        t, w,
        attend(t, w->m, &w->encoded, x, w->now, queries, NULL, w->attention ? &w->weights : NULL));
}

static const float *attention(const void *state, size_t row)
{
    const writing *w = state;
    return ur_hypotheses_attention(&w->open, w->weights, row);
}

static void reorder(ur_tape *t, void *state, size_t rows, const size_t *parent)
{
    writing *w = state;
    ur_states_take(t, &w->now, w->last, rows, parent);
    ur_hypotheses_reorder(&w->open, rows, parent);
}

const ur_translator ur_translator_rnn = {.name = "rnn",
                                         .check = check,
                                         .build = build,
                                         .init = init,
                                         .logits = logits,
                                         .start = start,
                                         .step = step,
                                         .reorder = reorder};

const ur_translator ur_translator_bahdanau = {.name = "bahdanau",
                                              .check = check,
                                              .build = build_bahdanau,
                                              .init = init_bahdanau,
                                              .logits = logits_bahdanau,
                                              .start = start_bahdanau,
                                              .step = step_bahdanau,
                                              .reorder = reorder,
                                              .attention = attention};
