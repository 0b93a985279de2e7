/* toy.h - the smallest model a trainer can train: its loss is sum(w g), with g given for every
 * step, so that a test says what the gradient is. */
#ifndef UR_TESTS_TOY_H
#define UR_TESTS_TOY_H

#include "unroll/model.h"

#include <stddef.h>
#include <stdlib.h>

/* The data: rows of gradients, one per optimiser step; an example asks for one unit of them. */
typedef struct toy_data {
    size_t examples;
    const float *gradient; /* (weights of the model), of the step to come */
} toy_data;

/* A model of two parameters, "a" and "b" (0: none). */
typedef struct toy_config {
    size_t a, b, flags;
} toy_config;

static const ur_field toy_fields[] = {
    {.name = "a", .type = UR_FIELD_SIZE, .offset = offsetof(toy_config, a), .most = 1e6},
    {.name = "b", .type = UR_FIELD_SIZE, .offset = offsetof(toy_config, b), .most = 1e6},
    {.name = "flags", .type = UR_FIELD_SIZE, .offset = offsetof(toy_config, flags), .most = 255},
    {.name = NULL}};

static ur_status toy_build(ur_model *model, ur_err *err)
{
    const toy_config *c = model->config;
    (void)err;
    ur_params_add(model->params, "a", 1, &c->a, (unsigned)c->flags);
    if (c->b)
        ur_params_add(model->params, "b", 1, &c->b, (unsigned)c->flags);
    return UR_OK;
}

static size_t toy_examples(const ur_model *model, const void *data)
{
    (void)model;
    return ((const toy_data *)data)->examples;
}

static size_t toy_one(const ur_model *model, const void *data, size_t i)
{
    (void)model;
    (void)data;
    (void)i;
    return 1;
}

/* sum over parameters of sum(w g), times the examples of this shard, by the normaliser. */
static ur_tensor *toy_loss(ur_tape *tape, const ur_model *model, const void *data, size_t count,
                           const size_t *which, double normaliser)
{
    const toy_data *d = data;
    const float *g = d->gradient;
    ur_tensor *loss = NULL;
    (void)which;
    for (size_t i = 0; i < ur_params_count(model->params); i++) {
        ur_tensor *w = ur_parameter(tape, (int)i);
        if (!w)
            return NULL;
        ur_tensor *part =
            ur_sum(tape, ur_mul(tape, w, ur_copy_floats(tape, w->ndim, w->dim, g, false)));
        g += ur_count(w);
        loss = loss ? ur_add(tape, loss, part) : part;
    }
    return ur_scale(tape, loss, (float)((double)count / normaliser));
}

static void toy_measure(ur_tape *tape, const ur_model *model, const void *data, size_t count,
                        const size_t *which, ur_measure *sum)
{
    (void)tape;
    (void)model;
    (void)data;
    for (size_t i = 0; i < count; i++)
        sum->loss += 1.0 / (double)(which[i] + 1);
    sum->examples += count;
    sum->positions += count;
}

static const ur_kind toy_kind = {.name = "toy",
                                 .fields = toy_fields,
                                 .config_size = sizeof(toy_config),
                                 .model_size = sizeof(ur_model),
                                 .build = toy_build,
                                 .examples = toy_examples,
                                 .length = toy_one,
                                 .positions = toy_one,
                                 .loss = toy_loss,
                                 .measure = toy_measure};

/* A model of two parameters, "a" (sizes[0]) and "b" (sizes[1]); b may be left out (0). NULL when the
 * context's memory ran out. */
static inline ur_model *toy_new(ur_context *context, size_t a, size_t b, unsigned flags)
{
    const toy_config config = {a, b, flags};
    ur_model *model;
    if (ur_model_new(context, &toy_kind, &config, &model, NULL) != UR_OK)
        return NULL;
    return model;
}

#endif
