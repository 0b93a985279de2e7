/* language_model_build.c - the language model's configuration, parameters and data. */
#include "models/language_model.h"

#include <string.h>

#include "backend/cpu/recurrent.h"
#include "base/alloc.h"
#include "base/status.h"
#include "models/parts.h"

enum { MOST_UNITS = 65536, MOST_TOKENS = 1 << 22, NOTES_STEPS = 35 };

ur_language_model_config ur_language_model_defaults(void)
{
    return (ur_language_model_config){
        .cell = "lstm", .hidden_size = 256, .layers = 1, .bptt = NOTES_STEPS};
}

/* ---- configuration ------------------------------------------------------------------------ */

static ur_language_model_config filled_in(const ur_language_model_config *config)
{
    ur_language_model_config c = *config;
    c.cell = c.cell ? c.cell : "lstm";
    c.layers = c.layers ? c.layers : 1;
    c.bptt = c.bptt ? c.bptt : NOTES_STEPS;
    return c;
}

/* Features of the last layer's outputs. */
static size_t width_of(const ur_language_model_config *c)
{
    return c->bidirectional ? 2 * c->hidden_size : c->hidden_size;
}

ur_status ur_language_model_check(const ur_language_model_config *config, ur_err *err)
{
    const ur_language_model_config full = filled_in(config), *c = &full;
    if (!ur_cell_find(c->cell))
        return ur_fail(err, UR_INVALID, "language model: there is no cell \"%s\"", c->cell);
    if (c->embed_size > MOST_UNITS)
        return ur_fail(err, UR_INVALID, "language model: embedding size %zu, at most %d expected",
                       c->embed_size, MOST_UNITS);
    if (c->hidden_size < 1 || c->hidden_size > MOST_UNITS)
        return ur_fail(err, UR_INVALID, "language model: hidden size %zu, 1 to %d expected",
                       c->hidden_size, MOST_UNITS);
    if (c->layers > UR_MOST_LAYERS)
        return ur_fail(err, UR_INVALID, "language model: %zu layers, 1 to %d expected", c->layers,
                       UR_MOST_LAYERS);
    if (!(c->dropout >= 0.0f && c->dropout < 1.0f))
        return ur_fail(err, UR_INVALID, "language model: drop-out %g, it must be in [0, 1)",
                       (double)c->dropout);
    if (c->bptt > 1 << 20)
        return ur_fail(err, UR_INVALID, "language model: windows of %zu steps, 1 to %d expected",
                       c->bptt, 1 << 20);
    if (c->sampling != UR_SAMPLING_SEQUENTIAL && c->sampling != UR_SAMPLING_RANDOM)
        return ur_fail(err, UR_INVALID, "language model: windows are sequential or random");
    if (c->tied && !c->embed_size)
        return ur_fail(err, UR_INVALID,
                       "language model: one-hot rows have no embedding that the output layer's "
                       "weights could be tied to");
    if (c->tied && c->embed_size != width_of(c))
        return ur_fail(err, UR_INVALID,
                       "language model: tied weights want an embedding as wide as the outputs of "
                       "the layers, %zu; it is %zu",
                       width_of(c), c->embed_size);
    return ur_text_source_check(&c->text, NULL, err);
}

/* ---- parameters --------------------------------------------------------------------------- */

static ur_status add_parameters(ur_language_model *m, ur_err *err)
{
    ur_params *p = m->base.params;
    const ur_language_model_config *c = &m->config;
    const ur_rnn_config rnn = {.cell = c->cell,
                               .input_size = c->embed_size ? c->embed_size : c->vocabulary,
                               .hidden_size = c->hidden_size,
                               .num_layers = c->layers,
                               .bidirectional = c->bidirectional,
                               .dropout = c->layers > 1 ? c->dropout : 0.0f};
    char name[64];
    ur_rnn_prefix(NULL, c->cell, name);
    if (c->embed_size)
        m->embed = ur_embedding_add(p, "embed", c->vocabulary, c->embed_size);
    const ur_status status = ur_rnn_add(p, name, &rnn, &m->rnn, err);
    if (status != UR_OK)
        return status;
    m->fc = c->tied ? ur_linear_add_tied(p, "fc", &m->embed, true)
                    : ur_linear_add(p, "fc", width_of(c), c->vocabulary, true);
    return ur_params_seal(p, err);
}

ur_status ur_language_model_new(ur_context *context, const ur_language_model_config *config,
                                ur_model **out, ur_err *err)
{
    *out = NULL;
    if (config->vocabulary < 2 || config->vocabulary > MOST_TOKENS)
        return ur_fail(err, UR_INVALID,
                       "language model: a vocabulary of %zu tokens, 2 to %d expected",
                       config->vocabulary, MOST_TOKENS);
    ur_status status = ur_language_model_check(config, err);
    if (status != UR_OK)
        return status;
    ur_language_model *m = ur_alloc_zero(ur_context_allocator(context), 1, sizeof *m);
    if (!m)
        return ur_no_memory(err, sizeof *m);
    m->base.class_of = &ur_language_model_class;
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

void ur_language_model_free(ur_model *model)
{
    const ur_allocator *a = ur_context_allocator(((ur_language_model *)model)->context);
    ur_params_free(model->params);
    ur_free(a, model);
}

void ur_language_model_init(ur_model *model, uint64_t seed)
{
    const ur_language_model *m = ur_as_language_model(model);
    ur_rnn_init(&m->rnn, model->params, seed);
    ur_linear_init(&m->fc, model->params, seed);
    if (m->config.tied)
        ur_init_uniform(model->params, m->embed.weight, 0.1f, seed);
    else if (m->config.embed_size)
        ur_embedding_init(&m->embed, model->params, seed);
    ur_params_changed(model->params);
}

const ur_language_model_config *ur_language_model_config_of(const ur_model *model)
{
    return &ur_as_language_model(model)->config;
}

/* ---- data --------------------------------------------------------------------------------- */

static ur_status check_text(const ur_language_model *m, ur_ids text, bool learn, ur_err *err)
{
    bool same = true;
    for (size_t i = 0; i < text.length; i++) {
        if (text.ids[i] < 0 || (size_t)text.ids[i] >= m->config.vocabulary)
            return ur_fail(err, UR_INVALID,
                           "token %zu of the text is id %d, but the vocabulary has %zu", i,
                           (int)text.ids[i], m->config.vocabulary);
        same = same && text.ids[i] == text.ids[0];
    }
    if (text.length < 2)
        return ur_fail(err, UR_INVALID,
                       "a text of %zu token%s has nothing that follows, and so nothing to predict",
                       text.length, text.length == 1 ? "" : "s");
    if (learn && same)
        return ur_fail(err, UR_INVALID,
                       "the text is one and the same token %zu times: there is nothing to learn",
                       text.length);
    return UR_OK;
}

static ur_status make_windows(ur_language_data *d, const ur_language_model *m, size_t batch,
                              ur_err *err)
{
    const ur_language_model_config *c = &m->config;
    const ur_window_options options = {batch, c->bptt, c->sampling, c->keep_tail};
    const ur_status status =
        ur_windows_new(ur_context_allocator(d->context), d->text, &options, &d->windows, err);
    if (status != UR_OK || c->sampling == UR_SAMPLING_RANDOM)
        return status;
    d->batch = batch;
    return ur_carry_new(d->context, &m->rnn, batch, &d->carry, err);
}

ur_status ur_language_data_new(ur_context *context, const ur_model *model, ur_ids text,
                               size_t batch, ur_language_data **out, ur_err *err)
{
    *out = NULL;
    const ur_language_model *m = ur_as_language_model(model);
    ur_status status = check_text(m, text, batch > 0, err);
    if (status != UR_OK)
        return status;
    ur_language_data *d = ur_alloc_zero(ur_context_allocator(context), 1, sizeof *d);
    if (!d)
        return ur_no_memory(err, sizeof *d);
    d->context = context;
    d->ids = ur_alloc(ur_context_allocator(context), text.length, sizeof *d->ids);
    if (!d->ids) {
        ur_language_data_free(d);
        return ur_no_memory(err, text.length * sizeof *d->ids);
    }
    memcpy(d->ids, text.ids, text.length * sizeof *d->ids);
    d->text = (ur_ids){d->ids, text.length};
    status = batch > 0 ? make_windows(d, m, batch, err) : UR_OK;
    if (status != UR_OK) {
        ur_language_data_free(d);
        return status;
    }
    *out = d;
    return UR_OK;
}

void ur_language_data_free(ur_language_data *d)
{
    if (!d)
        return;
    ur_windows_free(d->windows);
    ur_carry_free(d->carry);
    ur_free(ur_context_allocator(d->context), d->ids);
    ur_free(ur_context_allocator(d->context), d);
}

ur_ids ur_language_data_text(const ur_language_data *d)
{
    return d->text;
}
