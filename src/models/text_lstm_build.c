/* text_lstm_build.c - the next-word model's configuration and parameters, and the examples that it
 * learns from with the states they left. */
#include "models/text_lstm.h"

#include <stdio.h>

#include "backend/cpu/recurrent.h"
#include "base/alloc.h"
#include "base/status.h"

enum { MOST_UNITS = 65536, MOST_WORDS = 1 << 22, MOST_CONTEXT = 1 << 16 };

ur_text_lstm_config ur_text_lstm_defaults(void)
{
    return (ur_text_lstm_config){.context = 5, .embed_size = 64, .hidden_size = 128, .layers = 1};
}

/* ---- configuration ------------------------------------------------------------------------ */

ur_status ur_text_lstm_check(const ur_text_lstm_config *c, ur_err *err)
{
    if (c->context < 1 || c->context > MOST_CONTEXT)
        return ur_fail(err, UR_INVALID, "text_lstm: a context of %zu words, 1 to %d expected",
                       c->context, MOST_CONTEXT);
    if (c->embed_size > MOST_UNITS)
        return ur_fail(err, UR_INVALID,
                       "text_lstm: embedding size %zu, 1 to %d expected (0: one-hot)",
                       c->embed_size, MOST_UNITS);
    if (c->hidden_size < 1 || c->hidden_size > MOST_UNITS)
        return ur_fail(err, UR_INVALID, "text_lstm: hidden size %zu, 1 to %d expected",
                       c->hidden_size, MOST_UNITS);
    if (c->layers < 1 || c->layers > UR_MOST_LAYERS)
        return ur_fail(err, UR_INVALID, "text_lstm: %zu layers, 1 to %d expected", c->layers,
                       UR_MOST_LAYERS);
    if (c->bias_init != UR_BIAS_UNIFORM && c->bias_init != UR_BIAS_ONE)
        return ur_fail(err, UR_INVALID, "text_lstm: there is no initialisation %d of biases",
                       (int)c->bias_init);
    if (c->output_from != UR_OUTPUT_HIDDEN && c->output_from != UR_OUTPUT_GATE)
        return ur_fail(err, UR_INVALID, "text_lstm: there is no output %d, hidden or gate expected",
                       (int)c->output_from);
    return UR_OK;
}

/* ---- parameters --------------------------------------------------------------------------- */

static ur_status add_parameters(ur_text_lstm *m, ur_err *err)
{
    ur_params *p = m->base.params;
    const ur_text_lstm_config *c = &m->config;
    const size_t words = c->vocabulary, hidden = c->hidden_size;
    size_t input = c->embed_size ? c->embed_size : words;
    if (c->embed_size)
        m->embed = ur_embedding_add(p, "embed", words, c->embed_size);
    m->cells.count = c->layers;
    for (size_t l = 0; l < c->layers; l++) {
        char name[64];
        snprintf(name, sizeof name, "layers.%zu.lstm", l);
        m->cells.part[l] = ur_cell_add(p, name, "l0", &ur_cell_lstm, input, hidden, 0, true);
        snprintf(name, sizeof name, "layers.%zu.fc", l);
        m->fc[l] = ur_linear_add(p, name, hidden, words, true);
        input = words + hidden;
    }
    return ur_params_seal(p, err);
}

ur_status ur_text_lstm_new(ur_context *context, const ur_text_lstm_config *config, ur_model **out,
                           ur_err *err)
{
    *out = NULL;
    if (config->vocabulary < 1 || config->vocabulary > MOST_WORDS)
        return ur_fail(err, UR_INVALID, "text_lstm: a vocabulary of %zu words, 1 to %d expected",
                       config->vocabulary, MOST_WORDS);
    ur_status status = ur_text_lstm_check(config, err);
    if (status != UR_OK)
        return status;
    ur_text_lstm *m = ur_alloc_zero(ur_context_allocator(context), 1, sizeof *m);
    if (!m)
        return ur_no_memory(err, sizeof *m);
    m->base.class_of = &ur_text_lstm_class;
    m->context = context;
    m->config = *config;
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

void ur_text_lstm_free(ur_model *model)
{
    const ur_allocator *a = ur_context_allocator(((ur_text_lstm *)model)->context);
    ur_params_free(model->params);
    ur_free(a, model);
}

static void fill(ur_params *params, int index, float value)
{
    float *x = ur_param_values(params, index);
    for (size_t i = 0; i < ur_params_entry(params, (size_t)index)->count; i++)
        x[i] = value;
}

void ur_text_lstm_init(ur_model *model, uint64_t seed)
{
    const ur_text_lstm *m = ur_as_text_lstm(model);
    if (m->config.embed_size)
        ur_embedding_init(&m->embed, model->params, seed);
    for (size_t l = 0; l < m->config.layers; l++) {
        const ur_cell_layer *cell = &m->cells.part[l];
        ur_cell_init(cell, model->params, seed);
        ur_linear_init(&m->fc[l], model->params, seed);
        if (m->config.bias_init != UR_BIAS_ONE)
            continue;
        fill(model->params, cell->bias_ih, 1.0f);
        fill(model->params, cell->bias_hh, 1.0f);
        fill(model->params, m->fc[l].bias, 1.0f);
    }
    ur_params_changed(model->params);
}

const ur_text_lstm_config *ur_text_lstm_config_of(const ur_model *model)
{
    return &ur_as_text_lstm(model)->config;
}

/* ---- examples ----------------------------------------------------------------------------- */

ur_status ur_next_words_new(ur_context *context, size_t words, ur_ids text, ur_next_words **out,
                            ur_err *err)
{
    *out = NULL;
    if (words < 1 || words > MOST_CONTEXT)
        return ur_fail(err, UR_INVALID, "text_lstm: a context of %zu words, 1 to %d expected",
                       words, MOST_CONTEXT);
    if (text.length <= words)
        return ur_fail(err, UR_INVALID,
                       "the text has %zu words, but a context of %zu and the word after it need "
                       "at least %zu",
                       text.length, words, words + 1);
    ur_next_words *d = ur_alloc_zero(ur_context_allocator(context), 1, sizeof *d);
    if (!d)
        return ur_no_memory(err, sizeof *d);
    *d = (ur_next_words){.context = context, .text = text, .words = words};
    *out = d;
    return UR_OK;
}

void ur_next_words_free(ur_next_words *d)
{
    if (!d)
        return;
    ur_carry_free(d->carry);
    ur_free(ur_context_allocator(d->context), d);
}

size_t ur_next_words_count(const ur_next_words *d)
{
    return d->text.length - d->words;
}

size_t ur_text_lstm_state_bytes(const ur_text_lstm_config *c, size_t examples)
{
    const size_t each = 2 * sizeof(float) * c->hidden_size * c->layers; /* both are limited */
    if (c->layers < 2)
        return 0;
    return examples <= SIZE_MAX / each ? examples * each : SIZE_MAX;
}

ur_status ur_next_words_keep_states(ur_next_words *d, const ur_model *model, size_t most_bytes,
                                    ur_err *err)
{
    const ur_text_lstm *m = ur_as_text_lstm(model);
    const size_t examples = ur_next_words_count(d);
    const size_t bytes = ur_text_lstm_state_bytes(&m->config, examples);
    if (m->config.layers < 2 || d->carry)
        return UR_OK;
    if (bytes > most_bytes)
        return ur_fail(err, UR_INVALID,
                       "the states of %zu layers of %zu units for each of %zu words need %zu MB, "
                       "but at most %zu MB are allowed: raise the limit, or take a shorter text, "
                       "fewer layers or units",
                       m->config.layers, m->config.hidden_size, examples,
                       bytes / 1000000 + (bytes % 1000000 != 0), most_bytes / 1000000);
    return ur_carry_new(d->context, &m->cells, examples, &d->carry, err);
}

float *ur_next_words_states(ur_next_words *d, size_t *count)
{
    *count = d->carry ? ur_carry_size(d->carry) : 0;
    return d->carry ? ur_carry_values(d->carry) : NULL;
}
