/* model.c - what all models share: making one of its kind, and the kinds that a context has. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "backend/context.h"
#include "base/alloc.h"
#include "base/arena.h"
#include "base/fpmode.h"
#include "base/status.h"
#include "models/kinds.h"
#include "tape/params.h"

/* ---- kinds -------------------------------------------------------------------------------- */

#define ADDRESS(name) &ur_kind_##name,
static const ur_kind *const built_in[] = {UR_KINDS(ADDRESS)};
#undef ADDRESS

enum { BUILT_IN = sizeof built_in / sizeof(ur_kind *) };

const ur_kind *ur_kind_at(const ur_context *context, size_t i)
{
    if (i < BUILT_IN)
        return built_in[i];
    return context && i - BUILT_IN < context->n_kinds ? context->kinds[i - BUILT_IN] : NULL;
}

const ur_kind *ur_kind_find(const ur_context *context, const char *name)
{
    const ur_kind *kind;
    for (size_t i = 0; (kind = ur_kind_at(context, i)); i++)
        if (strcmp(kind->name, name) == 0)
            return kind;
    return NULL;
}

ur_status ur_kind_add(ur_context *context, const ur_kind *kind, ur_err *err)
{
    if (!kind->name || !*kind->name || !kind->fields || !kind->build || !kind->init ||
        !kind->loss || !kind->examples || kind->model_size < sizeof(ur_model))
        return ur_fail(err, UR_INVALID,
                       "kind \"%s\": name, fields, model_size, build, init, loss and examples are "
                       "needed",
                       kind->name ? kind->name : "");
    if (ur_kind_find(context, kind->name))
        return ur_fail(err, UR_INVALID, "kind \"%s\": there is one of that name", kind->name);
    if (!ur_reserve(&context->allocator, &context->kinds, &context->kinds_capacity,
                    context->n_kinds, context->n_kinds + 1, sizeof(ur_kind *)))
        return ur_no_memory(err, sizeof(ur_kind *));
    context->kinds[context->n_kinds++] = kind;
    return UR_OK;
}

void ur_kind_defaults(const ur_kind *kind, void *config)
{
    memset(config, 0, kind->config_size);
    ur_fields_default(kind->fields, config);
}

ur_status ur_kind_check(const ur_kind *kind, const void *config, ur_err *err)
{
    const ur_status status = ur_fields_check(kind->fields, config, kind->name, err);
    return status == UR_OK && kind->check ? kind->check(config, err) : status;
}

size_t ur_kind_noted(const ur_kind *kind)
{
    size_t n = 0;
    while (kind->figures && n < UR_MOST_NOTED && kind->figures[n].name && kind->figures[n].noted)
        n++;
    return n;
}

const ur_figure *ur_kind_perplexity(const ur_kind *kind)
{
    for (const ur_figure *f = kind->figures; f && f->name; f++)
        if (f->average == UR_PERPLEXITY)
            return f;
    return NULL;
}

const char *ur_kind_per(const ur_kind *kind, const void *config)
{
    const ur_figure *perplexity = ur_kind_perplexity(kind);
    if (!config || !kind->writes)
        return perplexity ? perplexity->help : NULL;
    return kind->writes(config)->tokenizer == UR_CHARACTERS ? "per character" : "per word";
}

/* ---- models ------------------------------------------------------------------------------- */

ur_status ur_model_outline(ur_context *context, const ur_kind *kind, const void *config,
                           ur_model **out, ur_err *err)
{
    const ur_allocator *a = &context->allocator;
    *out = NULL;
    ur_status status = ur_kind_check(kind, config, err);
    if (status != UR_OK)
        return status;
    ur_model *model = ur_alloc_zero(a, 1, kind->model_size);
    void *copy = ur_alloc(a, 1, kind->config_size);
    if (!model || !copy) {
        ur_free(a, model);
        ur_free(a, copy);
        return ur_no_memory(err, kind->model_size + kind->config_size);
    }
    memcpy(copy, config, kind->config_size);
    *model = (ur_model){.kind = kind, .context = context, .config = copy};
    status = ur_params_new(context, &model->params, err);
    if (status == UR_OK)
        status = kind->build(model, err);
    if (status == UR_OK)
        status = ur_params_built(model->params, err);
    if (status != UR_OK) {
        ur_model_free(model);
        return status;
    }
    *out = model;
    return UR_OK;
}

ur_status ur_model_new(ur_context *context, const ur_kind *kind, const void *config, ur_model **out,
                       ur_err *err)
{
    ur_status status = ur_model_outline(context, kind, config, out, err);
    if (status == UR_OK)
        status = ur_params_seal((*out)->params, err);
    if (status != UR_OK) {
        ur_model_free(*out);
        *out = NULL;
    }
    return status;
}

void ur_model_init(ur_model *model, uint64_t seed)
{
    UR_FPMODE_HERE;
    model->kind->init(model, seed);
}

void ur_model_free(ur_model *model)
{
    if (!model)
        return;
    const ur_allocator *a = &model->context->allocator;
    if (model->kind->free)
        model->kind->free(model);
    ur_params_free(model->params);
    ur_free(a, model->config);
    ur_free(a, model);
}

ur_status ur_model_check(const ur_model *model, const ur_kind *kind, ur_err *err)
{
    if (model->kind == kind)
        return UR_OK;
    return ur_fail(err, UR_INVALID, "this model is a %s, not a %s", model->kind->name, kind->name);
}

/* ---- layers by name ----------------------------------------------------------------------- */

/* A parameter of the layer; -1: the layer is not there. */
static int parameter_of(ur_layer_type type, const void *layer)
{
    const ur_embedding_layer *embedding = layer;
    const ur_linear_layer *linear = layer;
    const ur_rnn_stack *rnn = layer;
    switch (type) {
    case UR_LAYER_EMBEDDING:
        return embedding->count ? embedding->weight : -1;
    case UR_LAYER_LINEAR:
        /* A tied one's weight has two names, its bias its own. */
        return linear->bias >= 0 ? linear->bias : linear->out_features ? linear->weight : -1;
    case UR_LAYER_RNN:
        return rnn->count ? rnn->part[0].weight_ih : -1;
    }
    return -1;
}

/* The parameter of that name, or the one that the name is an alias of; -1: there is none. */
static int find_parameter(const ur_params *params, const char *name)
{
    const int index = ur_params_find(params, name);
    const int root = index < 0 ? -1 : ur_params_entry(params, (size_t)index)->alias_of;
    return root < 0 ? index : root;
}

static const void *find_layer(const ur_model *model, ur_layer_type type, const char *prefix)
{
    char name[256];
    for (size_t i = 0; i < model->kind->n_layers; i++) {
        const ur_layer_place *place = &model->kind->layers[i];
        const void *layer = (const char *)model + place->offset;
        const int index = place->type == type ? parameter_of(type, layer) : -1;
        const char *own = index < 0 ? "" : ur_params_entry(model->params, (size_t)index)->name;
        const char *dot = strrchr(own, '.');
        if (!dot || (size_t)snprintf(name, sizeof name, "%s%s", prefix, dot) >= sizeof name)
            continue;
        if (find_parameter(model->params, name) == index)
            return layer;
    }
    return NULL;
}

const ur_embedding_layer *ur_model_embedding(const ur_model *model, const char *prefix)
{
    return find_layer(model, UR_LAYER_EMBEDDING, prefix);
}

const ur_linear_layer *ur_model_linear(const ur_model *model, const char *prefix)
{
    return find_layer(model, UR_LAYER_LINEAR, prefix);
}

const ur_rnn_stack *ur_model_rnn(const ur_model *model, const char *prefix)
{
    return find_layer(model, UR_LAYER_RNN, prefix);
}

/* ---- figures and predictions -------------------------------------------------------------- */

static double ratio(double sum, size_t count)
{
    return count ? sum / (double)count : (double)NAN;
}

double ur_measure_figure(const ur_kind *kind, const ur_measure *m, const char *name)
{
    const double loss = ratio(m->loss, m->positions - m->unknown);
    if (strcmp(name, "loss") == 0)
        return loss;
    for (size_t i = 0; kind->figures && kind->figures[i].name; i++) {
        if (strcmp(kind->figures[i].name, name) != 0)
            continue;
        switch (kind->figures[i].average) {
        case UR_PER_EXAMPLE:
            return ratio(m->sum[i], m->examples);
        case UR_PER_POSITION:
            return ratio(m->sum[i], m->positions);
        case UR_PERPLEXITY:
            return exp(loss);
        case UR_WHOLE:
            return m->sum[i];
        }
    }
    return (double)NAN;
}

void ur_prediction_free(ur_context *context, ur_prediction *prediction)
{
    (void)context;
    if (prediction->memory)
        ur_arena_free(prediction->memory);
    *prediction = (ur_prediction){.text = NULL};
}
