/* text_lstm_build.c - the next-word model's configuration and parameters, and the examples that it
 * learns from with the states they left. */
#include "models/text_lstm.h"

#include <stdio.h>
#include <string.h>

#include "backend/cpu/recurrent.h"
#include "base/alloc.h"
#include "base/status.h"

enum { MOST_UNITS = 65536, MOST_WORDS = 1 << 22, MOST_CONTEXT = 1 << 16 };

ur_text_lstm_config ur_text_lstm_defaults(void)
{
    return (ur_text_lstm_config){.context = 5,
                                 .embed_size = 64,
                                 .hidden_size = 128,
                                 .layers = 1,
                                 .most_state_bytes = UINT32_MAX};
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
    return ur_text_source_check(&c->text, NULL, err);
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
    if (config->vocabulary < 2 || config->vocabulary > MOST_WORDS)
        return ur_fail(err, UR_INVALID, "text_lstm: a vocabulary of %zu words, 2 to %d expected",
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

static ur_status check_text(const ur_text_lstm_config *c, ur_ids text, bool learn, ur_err *err)
{
    bool same = true;
    for (size_t i = 0; i < text.length; i++) {
        if (text.ids[i] < 0 || (size_t)text.ids[i] >= c->vocabulary)
            return ur_fail(err, UR_INVALID,
                           "word %zu of the text is id %d, but the vocabulary has %zu", i,
                           (int)text.ids[i], c->vocabulary);
        same = same && text.ids[i] == text.ids[0];
    }
    if (text.length <= c->context)
        return ur_fail(err, UR_INVALID,
                       "the text has %zu word%s, but a context of %zu and the word after it need "
                       "at least %zu",
                       text.length, text.length == 1 ? "" : "s", c->context, c->context + 1);
    if (learn && same)
        return ur_fail(err, UR_INVALID,
                       "the text is one and the same word %zu times: there is nothing to learn",
                       text.length);
    return UR_OK;
}

size_t ur_text_lstm_state_bytes(const ur_text_lstm_config *c, size_t examples)
{
    const size_t each = 2 * sizeof(float) * c->hidden_size * c->layers; /* both are limited */
    if (c->layers < 2)
        return 0;
    return examples <= SIZE_MAX / each ? examples * each : SIZE_MAX;
}

/* Room for every example's states, where there are several layers. */
static ur_status keep_states(ur_next_words *d, const ur_text_lstm *m, ur_err *err)
{
    const ur_text_lstm_config *c = &m->config;
    const size_t examples = ur_next_words_count(d), mega = 1000000;
    const size_t bytes = ur_text_lstm_state_bytes(c, examples);
    if (c->layers < 2)
        return UR_OK;
    if (bytes > c->most_state_bytes)
        return ur_fail(err, UR_INVALID,
                       "the states of %zu layers of %zu units for each of %zu words need %zu MB, "
                       "but at most %zu MB are allowed: raise that limit, or take a shorter text, "
                       "fewer layers or fewer units",
                       c->layers, c->hidden_size, examples, bytes / mega + (bytes % mega != 0),
                       c->most_state_bytes / mega);
    return ur_carry_new(d->context, &m->cells, examples, &d->carry, err);
}

ur_status ur_next_words_new(ur_context *context, const ur_model *model, ur_ids text, bool learn,
                            ur_next_words **out, ur_err *err)
{
    *out = NULL;
    const ur_text_lstm *m = ur_as_text_lstm(model);
    const ur_allocator *a = ur_context_allocator(context);
    ur_status status = check_text(&m->config, text, learn, err);
    if (status != UR_OK)
        return status;
    ur_next_words *d = ur_alloc_zero(a, 1, sizeof *d);
    if (!d)
        return ur_no_memory(err, sizeof *d);
    d->context = context;
    d->words = m->config.context;
    d->ids = ur_alloc(a, text.length, sizeof *d->ids);
    if (d->ids) {
        memcpy(d->ids, text.ids, text.length * sizeof *d->ids);
        d->text = (ur_ids){d->ids, text.length};
        status = learn ? keep_states(d, m, err) : UR_OK;
    } else {
        status = ur_no_memory(err, text.length * sizeof *d->ids);
    }
    if (status != UR_OK) {
        ur_next_words_free(d);
        return status;
    }
    *out = d;
    return UR_OK;
}

void ur_next_words_free(ur_next_words *d)
{
    if (!d)
        return;
    const ur_allocator *a = ur_context_allocator(d->context);
    ur_carry_free(d->carry);
    ur_free(a, d->ids);
    ur_free(a, d);
}

size_t ur_next_words_count(const ur_next_words *d)
{
    return d->text.length - d->words;
}

ur_ids ur_next_words_text(const ur_next_words *d)
{
    return d->text;
}

float *ur_next_words_states(ur_next_words *d, size_t *count)
{
    *count = d->carry ? ur_carry_size(d->carry) : 0;
    return d->carry ? ur_carry_values(d->carry) : NULL;
}
