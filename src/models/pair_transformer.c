/* pair_transformer.c - a Transformer from one sequence of ids to another (Vaswani et al. 2017).
 *
 *   x = drop(sqrt(d) E_s[source] + sines),   memory = encoder(x)
 *   y = drop(sqrt(d) E_t[target] + sines),   logits = fc(decoder(y, memory))
 * When it writes, the hypotheses of a source are sequences of their own to the decoder's self-attention,
 * whose keys and values a cache keeps, and queries of one sequence to the attention over the memory,
 * whose keys and values are computed once per source. */
#include "models/pair_transformer.h"

#include <math.h>
#include <string.h>

#include "base/status.h"

/* ---- parameters --------------------------------------------------------------------------- */

ur_status ur_pair_transformer_check(const ur_pair_transformer_config *c, ur_err *err)
{
    if (c->tie == UR_TIE_ALL && c->source_symbols != c->target_symbols)
        return ur_fail(err, UR_INVALID,
                       "one embedding for all wants one vocabulary: there are %zu symbols of the "
                       "source and %zu of the target",
                       c->source_symbols, c->target_symbols);
    return ur_transformer_check(&c->layer, err);
}

ur_status ur_pair_transformer_build(ur_context *context, ur_params *p,
                                    const ur_pair_transformer_config *c, ur_pair_transformer *out,
                                    ur_err *err)
{
    const size_t d = c->layer.d_model;
    memset(out, 0, sizeof *out);
    out->config = *c;
    out->scale = sqrtf((float)d);
    out->source = ur_embedding_add(p, "encoder.embed", c->source_symbols, d);
    ur_status status = ur_transformer_encoder_add(p, "encoder", &c->layer, c->layers, true,
                                                  &out->body.encoder, err);
    if (status != UR_OK)
        return status;
    if (c->tie == UR_TIE_ALL) {
        out->target = out->source;
        ur_params_alias(p, "decoder.embed.weight", out->source.weight);
    } else {
        out->target = ur_embedding_add(p, "decoder.embed", c->target_symbols, d);
    }
    status = ur_transformer_decoder_add(p, "decoder", &c->layer, c->layers, true,
                                        &out->body.decoder, err);
    if (status != UR_OK)
        return status;
    out->fc = c->tie == UR_TIE_NONE ? ur_linear_add(p, "decoder.fc", d, c->target_symbols, true)
                                    : ur_linear_add_tied(p, "decoder.fc", &out->target, true);
    status = ur_sine_positions_new(context, UR_PAIR_POSITIONS, d, &out->sines, err);
    if (status == UR_OK)
        out->positions = ur_positions_of(out->sines);
    return status;
}

void ur_pair_transformer_free(ur_pair_transformer *m)
{
    ur_sine_positions_free(m->sines);
    m->sines = NULL;
}

static void init_embedding(const ur_embedding_layer *l, ur_params *params, uint64_t seed)
{
    ur_embedding_init(l, params, seed);
    const float deviation = 1.0f / sqrtf((float)l->size);
    float *w = ur_param_values(params, l->weight);
    for (size_t i = 0; i < l->count * l->size; i++)
        w[i] *= deviation;
}

static void zero(ur_params *params, int index)
{
    float *x = index < 0 ? NULL : ur_param_values(params, index);
    if (x)
        memset(x, 0, ur_params_entry(params, (size_t)index)->count * sizeof *x);
}

void ur_pair_transformer_init(const ur_pair_transformer *m, ur_params *params, uint64_t seed)
{
    UR_FPMODE_HERE;
    ur_transformer_init(&m->body, params, seed);
    ur_linear_init(&m->fc, params, seed);
    if (m->config.tie != UR_TIE_NONE)
        zero(params, m->fc.bias);
    init_embedding(&m->source, params, seed); /* last: tied weights are embeddings */
    if (m->target.weight != m->source.weight)
        init_embedding(&m->target, params, seed);
}

/* ---- forward ------------------------------------------------------------------------------ */

static ur_seq *embed(ur_tape *t, const ur_pair_transformer *m, const ur_embedding_layer *table,
                     size_t first, const ur_seq *ids)
{
    return ur_dropout(t, ur_embedding_at(t, table, m->scale, &m->positions, first, ids),
                      m->config.layer.dropout);
}

ur_seq *ur_pair_transformer_encode(ur_tape *t, const ur_pair_transformer *m, const ur_seq *ids)
{
    return ur_transformer_encode(t, &m->body.encoder, embed(t, m, &m->source, 0, ids), NULL);
}

ur_seq *ur_pair_transformer_logits(ur_tape *t, const ur_pair_transformer *m, const ur_seq *memory,
                                   const ur_seq *inputs)
{
    const ur_transformer_call causal = {.causal = true};
    const ur_seq *y = embed(t, m, &m->target, 0, inputs);
    return ur_linear_seq(t, &m->fc, ur_transformer_decode(t, &m->body.decoder, y, memory, &causal));
}

bool ur_pair_transformer_maps(ur_tape *t, const ur_pair_transformer *m, const ur_seq *source,
                              ur_ids inputs, const ur_pair_sides *sides, ur_prediction *out)
{
    enum { CROSS, ENCODER, DECODER, MAPS };
    const size_t layers = m->config.layers;
    ur_weights *cross[UR_MOST_LAYERS], *encoder[UR_MOST_LAYERS], *decoder[UR_MOST_LAYERS];
    const ur_transformer_call read = {.weights = encoder};
    const ur_transformer_call write = {.causal = true, .weights = decoder, .memory_weights = cross};
    const ur_layout *steps = ur_new_layout(t, UR_SEQUENCE_MAJOR, 1, &inputs.length, NULL);
    ur_attention_map *maps = ur_prediction_take(out, MAPS, sizeof *maps);
    const ur_seq *memory =
        ur_transformer_encode(t, &m->body.encoder, embed(t, m, &m->source, 0, source), &read);
    const ur_seq *y = embed(t, m, &m->target, 0, ur_seq_ints(t, steps, inputs.ids));
    if (!ur_transformer_decode(t, &m->body.decoder, y, memory, &write) || !maps)
        return false;
    maps[CROSS] = ur_prediction_map(out, "cross", layers, cross, sides->written, sides->source);
    maps[ENCODER] =
        ur_prediction_map(out, "encoder", layers, encoder, sides->source, sides->source);
    maps[DECODER] = ur_prediction_map(out, "decoder", layers, decoder, sides->written, sides->read);
    out->maps = maps;
    out->n_maps = MAPS;
    return maps[CROSS].weights && maps[ENCODER].weights && maps[DECODER].weights;
}

/* ---- the decoder -------------------------------------------------------------------------- */

typedef struct writing {
    const ur_pair_transformer *m;
    ur_step_cache *cache; /* a sequence for each hypothesis */
    const ur_decoder_memory *memory;
    ur_hypotheses open;
    size_t steps;
    bool attention;
    ur_weights *weights[UR_MOST_LAYERS]; /* of a step, on the tape */
} writing;

void *ur_pair_transformer_start(ur_tape *t, const ur_pair_transformer *m, const ur_seq *memory,
                                const ur_decoder_task *task)
{
    const size_t count = task->sources->count;
    const ur_decoder_memory *projected = ur_transformer_memory(t, &m->body.decoder, memory);
    writing *w = ur_take(t, 1, sizeof *w);
    const ur_hypotheses open = ur_hypotheses_new(t, task);
    ur_step_cache *cache = NULL;
    if (ur_tape_ok(t) && ur_step_cache_new(t->context, m->config.layers, m->config.layer.d_model,
                                           count, &cache, NULL) != UR_OK)
        ur_tape_fail(t, UR_NO_MEMORY, "out of memory: the steps of %zu sources", count);
    if (!ur_tape_ok(t))
        return NULL;
    *w = (writing){
        .m = m, .cache = cache, .memory = projected, .open = open, .attention = task->attention};
    return w;
}

ur_tensor *ur_pair_transformer_step(ur_tape *t, void *state, const int32_t *symbols)
{
    writing *w = state;
    const ur_pair_transformer *m = w->m;
    const ur_transformer_call call = {.memory_weights = w->attention ? w->weights : NULL,
                                      .average = true};
    const ur_seq *x = embed(t, m, &m->target, w->steps, ur_one_step_ids(t, w->open.rows, symbols));
    const ur_layout *queries = ur_hypotheses_queries(t, &w->open);
    const ur_seq *y =
        ur_transformer_decode_next(t, &m->body.decoder, w->cache, w->memory, x, queries, &call);
    w->steps++;
    return ur_values(ur_linear_seq(t, &m->fc, y));
}

void ur_pair_transformer_reorder(ur_tape *t, void *state, size_t rows, const size_t *parent)
{
    writing *w = state;
    if (!ur_step_cache_reorder(w->cache, rows, parent)) {
        ur_tape_fail(t, UR_NO_MEMORY, "out of memory: the steps of %zu hypotheses", rows);
        return;
    }
    ur_hypotheses_reorder(&w->open, rows, parent);
}

const float *ur_pair_transformer_attention(const void *state, size_t row)
{
    const writing *w = state;
    return ur_hypotheses_attention(&w->open, w->weights[w->m->config.layers - 1], row);
}

void ur_pair_transformer_release(void *state)
{
    ur_step_cache_free(((writing *)state)->cache);
}
