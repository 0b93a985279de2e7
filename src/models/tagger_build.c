/* tagger_build.c - configuration and parameters of taggers and classifiers. */
#include "models/tagger.h"

#include "backend/cpu/recurrent.h"
#include "base/alloc.h"
#include "base/status.h"
#include "models/parts.h"

enum { MOST_UNITS = 65536, MOST_TOKENS = 1 << 22 };

ur_tagger_config ur_tagger_defaults(bool per_sequence)
{
    return (ur_tagger_config){
        .embed_size = 64,
        .hidden_size = 128,
        .cell = "lstm",
        .layers = 1,
        .directions = UR_BOTH_CONCAT,
        .per_sequence = per_sequence,
        .min_freq = 2,
        .text = {.tokenizer = per_sequence ? UR_WORDS_PUNCTUATION : UR_WORDS}};
}

/* ---- configuration ------------------------------------------------------------------------ */

static const char *kind_of(const ur_tagger_config *c)
{
    return c->per_sequence ? "classifier" : "tagger";
}

static ur_status check_size(const ur_tagger_config *c, const char *what, size_t n, size_t most,
                            ur_err *err)
{
    if (n >= 1 && n <= most)
        return UR_OK;
    return ur_fail(err, UR_INVALID, "%s: %s %zu, 1 to %zu expected", kind_of(c), what, n, most);
}

ur_status ur_tagger_check(const ur_tagger_config *c, ur_err *err)
{
    const char *cell = c->cell ? c->cell : "lstm";
    if (!ur_cell_find(cell))
        return ur_fail(err, UR_INVALID, "%s: there is no cell \"%s\"", kind_of(c), cell);
    ur_status status = check_size(c, "embedding size", c->embed_size, MOST_UNITS, err);
    if (status == UR_OK)
        status = check_size(c, "hidden size", c->hidden_size, MOST_UNITS, err);
    if (status == UR_OK && c->layers)
        status = check_size(c, "number of layers", c->layers, UR_MOST_LAYERS, err);
    if (status == UR_OK && !(c->dropout >= 0.0f && c->dropout < 1.0f))
        status = ur_fail(err, UR_INVALID, "%s: drop-out %g, it must be in [0, 1)", kind_of(c),
                         (double)c->dropout);
    return status;
}

/* ---- parameters --------------------------------------------------------------------------- */

static ur_status add_parameters(ur_tagger *m, ur_err *err)
{
    ur_params *p = m->base.params;
    const ur_tagger_config *c = &m->config;
    const ur_rnn_config rnn = {.cell = c->cell,
                               .input_size = c->embed_size,
                               .hidden_size = c->hidden_size,
                               .num_layers = c->layers,
                               .bidirectional = c->directions != UR_ONE_WAY,
                               .average = c->directions == UR_BOTH_AVERAGE,
                               .dropout = c->layers > 1 ? c->dropout : 0.0f};
    char name[64];
    m->embed = ur_embedding_add(p, "embed", c->vocabulary, c->embed_size);
    ur_rnn_prefix(NULL, c->cell, name);
    const ur_status status = ur_rnn_add(p, name, &rnn, &m->rnn, err);
    if (status != UR_OK)
        return status;
    m->fc = ur_linear_add(p, "fc", ur_rnn_width(&m->rnn), c->labels, true);
    return ur_params_seal(p, err);
}

ur_status ur_tagger_new(ur_context *context, const ur_tagger_config *config, ur_model **out,
                        ur_err *err)
{
    *out = NULL;
    ur_status status = check_size(config, "vocabulary", config->vocabulary, MOST_TOKENS, err);
    if (status == UR_OK)
        status = check_size(config, "number of labels", config->labels, UR_MOST_LABELS, err);
    if (status == UR_OK)
        status = ur_tagger_check(config, err);
    if (status != UR_OK)
        return status;
    ur_tagger *m = ur_alloc_zero(ur_context_allocator(context), 1, sizeof *m);
    if (!m)
        return ur_no_memory(err, sizeof *m);
    m->base.class_of = config->per_sequence ? &ur_classifier_class : &ur_tagger_class;
    m->context = context;
    m->config = *config;
    m->config.cell = ur_cell_find(config->cell ? config->cell : "lstm")->name; /* outlives us */
    m->config.layers = config->layers ? config->layers : 1;
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

void ur_tagger_free(ur_model *model)
{
    const ur_allocator *a = ur_context_allocator(((ur_tagger *)model)->context);
    ur_params_free(model->params);
    ur_free(a, model);
}

void ur_tagger_init(ur_model *model, uint64_t seed)
{
    const ur_tagger *m = ur_as_tagger(model);
    ur_embedding_init(&m->embed, model->params, seed);
    ur_rnn_init(&m->rnn, model->params, seed);
    ur_linear_init(&m->fc, model->params, seed);
    ur_params_changed(model->params);
}

const ur_tagger_config *ur_tagger_config_of(const ur_model *model)
{
    return &ur_as_tagger(model)->config;
}
