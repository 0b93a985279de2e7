/* seq2seq_build.c - the encoder-decoder's configuration and parameters.
 *
 * Everything is as wide as the encoder's outputs, W: the decoder starts from the encoder's states,
 * and attention multiplies the decoder's outputs with the encoder's. */
#include "models/seq2seq.h"

#include "backend/cpu/recurrent.h"
#include "base/alloc.h"
#include "base/status.h"
#include "models/parts.h"

enum { MOST_UNITS = 65536, MOST_SYMBOLS = 1 << 22 };

ur_seq2seq_config ur_seq2seq_defaults(void)
{
    return (ur_seq2seq_config){.embed_size = 16,
                               .hidden_size = 128,
                               .cell = "lstm",
                               .layers = 1,
                               .decoder_layers = 1,
                               .attention = UR_ATTENTION_DOT};
}

/* ---- configuration ------------------------------------------------------------------------ */

static ur_seq2seq_config filled_in(const ur_seq2seq_config *config)
{
    ur_seq2seq_config c = *config;
    c.cell = c.cell ? c.cell : "lstm";
    c.layers = c.layers ? c.layers : 1;
    c.decoder_layers = c.decoder_layers ? c.decoder_layers : 1;
    return c;
}

static ur_rnn_config encoder_of(const ur_seq2seq_config *c)
{
    return (ur_rnn_config){.cell = c->cell,
                           .input_size = c->embed_size,
                           .hidden_size = c->hidden_size,
                           .proj_size = c->proj_size,
                           .num_layers = c->layers,
                           .bidirectional = c->directions != UR_ONE_WAY,
                           .average = c->directions == UR_BOTH_AVERAGE,
                           .no_bias = c->no_bias,
                           .dropout = c->layers > 1 ? c->dropout : 0.0f,
                           .recurrent_dropout = c->recurrent_dropout,
                           .zoneout_h = c->zoneout_h,
                           .zoneout_c = c->zoneout_c};
}

/* W: the features of the encoder's outputs. */
static size_t width_of(const ur_seq2seq_config *c)
{
    const size_t width = c->proj_size ? c->proj_size : c->hidden_size;
    return c->directions == UR_BOTH_CONCAT ? 2 * width : width;
}

static ur_rnn_config decoder_of(const ur_seq2seq_config *c)
{
    const size_t width = width_of(c);
    return (ur_rnn_config){.cell = c->cell,
                           .input_size = c->peeky ? width + c->embed_size : c->embed_size,
                           .hidden_size = width,
                           .num_layers = c->decoder_layers,
                           .no_bias = c->no_bias,
                           .dropout = c->decoder_layers > 1 ? c->dropout : 0.0f,
                           .recurrent_dropout = c->recurrent_dropout,
                           .zoneout_h = c->zoneout_h,
                           .zoneout_c = c->zoneout_c};
}

static ur_status check_sizes(const ur_seq2seq_config *c, ur_err *err)
{
    if (c->embed_size < 1 || c->embed_size > MOST_UNITS)
        return ur_fail(err, UR_INVALID, "seq2seq: embedding size %zu, 1 to %d expected",
                       c->embed_size, MOST_UNITS);
    if (c->hidden_size < 1 || c->hidden_size > MOST_UNITS)
        return ur_fail(err, UR_INVALID, "seq2seq: hidden size %zu, 1 to %d expected",
                       c->hidden_size, MOST_UNITS);
    if (!(c->dropout >= 0.0f && c->dropout < 1.0f))
        return ur_fail(err, UR_INVALID, "seq2seq: drop-out %g, it must be in [0, 1)",
                       (double)c->dropout);
    if (c->layers > UR_MOST_LAYERS)
        return ur_fail(err, UR_INVALID, "seq2seq: %zu layers, 1 to %d expected", c->layers,
                       UR_MOST_LAYERS);
    if (c->decoder_layers != 1 && c->decoder_layers != c->layers)
        return ur_fail(err, UR_INVALID,
                       "seq2seq: a decoder of %zu layers for an encoder of %zu: it has one layer, "
                       "which starts from the encoder's top, or as many as the encoder",
                       c->decoder_layers, c->layers);
    if (c->proj_size >= c->hidden_size)
        return ur_fail(err, UR_INVALID,
                       "seq2seq: a projection to %zu features must be below hidden size %zu",
                       c->proj_size, c->hidden_size);
    return UR_OK;
}

ur_status ur_seq2seq_check(const ur_seq2seq_config *config, ur_err *err)
{
    const ur_seq2seq_config full = filled_in(config), *c = &full;
    const ur_cell *cell = ur_cell_find(c->cell);
    if (!cell)
        return ur_fail(err, UR_INVALID, "seq2seq: there is no cell \"%s\"", c->cell);
    ur_status status = check_sizes(c, err);
    if (status != UR_OK)
        return status;
    if (c->proj_size && cell != &ur_cell_lstm)
        return ur_fail(err, UR_INVALID, "seq2seq: only an lstm has a projection, not %s",
                       cell->name);
    if (c->peeky && c->attention != UR_ATTENTION_NONE)
        return ur_fail(err, UR_INVALID,
                       "seq2seq: peeky goes without attention only: both would feed the encoder to "
                       "the output layer");
    const ur_rnn_config encoder = encoder_of(c);
    status = ur_rnn_check(&encoder, err);
    if (status != UR_OK || c->decoder_start != UR_START_HC)
        return status;
    if (!cell->has_c)
        return ur_fail(err, UR_INVALID,
                       "seq2seq: the decoder cannot start from h and c: %s has no c", cell->name);
    if (c->proj_size)
        return ur_fail(err, UR_INVALID,
                       "seq2seq: the decoder cannot start from h and c: the projection makes h "
                       "narrower than the encoder's c, and the decoder is as wide as h");
    if (c->directions == UR_BOTH_AVERAGE)
        return ur_fail(err, UR_INVALID,
                       "seq2seq: the decoder cannot start from h and c: averaging two directions "
                       "drops c");
    return UR_OK;
}

/* ---- parameters --------------------------------------------------------------------------- */

static ur_status add_parameters(ur_seq2seq *m, ur_err *err)
{
    ur_params *p = m->base.params;
    const ur_seq2seq_config *c = &m->config;
    const size_t width = width_of(c);
    const bool wide = c->peeky || c->attention != UR_ATTENTION_NONE;
    const ur_rnn_config encoder = encoder_of(c), decoder = decoder_of(c);
    char name[64];
    m->encoder.embed = ur_embedding_add(p, "encoder.embed", c->vocabulary, c->embed_size);
    ur_rnn_prefix("encoder", c->cell, name);
    ur_status status = ur_rnn_add(p, name, &encoder, &m->encoder.rnn, err);
    if (status != UR_OK)
        return status;
    m->decoder.embed = ur_embedding_add(p, "decoder.embed", c->vocabulary, c->embed_size);
    ur_rnn_prefix("decoder", c->cell, name);
    status = ur_rnn_add(p, name, &decoder, &m->decoder.rnn, err);
    if (status != UR_OK)
        return status;
    m->decoder.fc = ur_linear_add(p, "decoder.fc", wide ? 2 * width : width, c->vocabulary, true);
    return ur_params_seal(p, err);
}

ur_status ur_seq2seq_new(ur_context *context, const ur_seq2seq_config *config, ur_model **out,
                         ur_err *err)
{
    *out = NULL;
    if (config->vocabulary < 1 || config->vocabulary > MOST_SYMBOLS)
        return ur_fail(err, UR_INVALID, "seq2seq: a vocabulary of %zu symbols, 1 to %d expected",
                       config->vocabulary, MOST_SYMBOLS);
    ur_status status = ur_seq2seq_check(config, err);
    if (status != UR_OK)
        return status;
    ur_seq2seq *m = ur_alloc_zero(ur_context_allocator(context), 1, sizeof *m);
    if (!m)
        return ur_no_memory(err, sizeof *m);
    m->base.class_of = &ur_seq2seq_class;
    m->context = context;
    m->config = filled_in(config);
    m->config.cell = ur_cell_find(m->config.cell)->name; /* lasts longer than the caller's */
    status = ur_params_new(context, &m->base.params, err);
    if (status == UR_OK)
        status = add_parameters(m, err);
    if (status != UR_OK) {
        ur_model_free(&m->base);
        return status;
    }
    *out = &m->base;
    return UR_OK;
}

void ur_seq2seq_free(ur_model *model)
{
    const ur_allocator *a = ur_context_allocator(((ur_seq2seq *)model)->context);
    ur_params_free(model->params);
    ur_free(a, model);
}

static void small_embedding(ur_params *params, const ur_embedding_layer *layer)
{
    float *x = ur_param_values(params, layer->weight);
    for (size_t i = 0; i < layer->count * layer->size; i++)
        x[i] *= 0.01f;
}

void ur_seq2seq_init(ur_model *model, uint64_t seed)
{
    const ur_seq2seq *m = ur_as_seq2seq(model);
    ur_embedding_init(&m->encoder.embed, model->params, seed);
    ur_rnn_init(&m->encoder.rnn, model->params, seed);
    ur_embedding_init(&m->decoder.embed, model->params, seed);
    ur_rnn_init(&m->decoder.rnn, model->params, seed);
    ur_linear_init(&m->decoder.fc, model->params, seed);
    if (m->config.init == UR_INIT_LECUN) {
        for (size_t i = 0; i < ur_params_count(model->params); i++)
            if ((int)i != m->encoder.embed.weight && (int)i != m->decoder.embed.weight)
                ur_init_lecun(model->params, (int)i, seed);
        small_embedding(model->params, &m->encoder.embed);
        small_embedding(model->params, &m->decoder.embed);
    }
    ur_params_changed(model->params);
}

const ur_seq2seq_config *ur_seq2seq_config_of(const ur_model *model)
{
    return &ur_as_seq2seq(model)->config;
}
