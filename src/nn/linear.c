/* linear.c - an affine map of every row.
 *
 *   y = x W^T + b,   dx += dy W,   dW += dy^T x,   db += column sums of dy */
#include "nn/nn.h"

#include <math.h>
#include <stdio.h>

/* A layer whose weight is there already. */
static ur_linear_layer finish(ur_params *params, const char *prefix, ur_linear_layer l, bool bias)
{
    l.bias = bias ? ur_layer_param(params, prefix, "bias", l.out_features, 0) : -1;
    l.pack_forward = ur_params_pack(params, l.weight, UR_PACK_ROWS, 1);
    l.pack_backward = ur_params_pack(params, l.weight, UR_PACK_COLS, 1);
    return l;
}

ur_linear_layer ur_linear_add(ur_params *params, const char *prefix, size_t in_features,
                              size_t out_features, bool bias)
{
    ur_linear_layer l = {.in_features = in_features, .out_features = out_features};
    l.weight = ur_layer_param(params, prefix, "weight", out_features, in_features);
    return finish(params, prefix, l, bias);
}

ur_linear_layer ur_linear_add_tied(ur_params *params, const char *prefix,
                                   const ur_embedding_layer *embedding, bool bias)
{
    char name[256];
    snprintf(name, sizeof name, "%s%sweight", prefix, *prefix ? "." : "");
    ur_params_alias(params, name, embedding->weight); /* failing is told when sealing */
    return finish(params, prefix,
                  (ur_linear_layer){.in_features = embedding->size,
                                    .out_features = embedding->count,
                                    .weight = embedding->weight},
                  bias);
}

void ur_linear_init(const ur_linear_layer *layer, ur_params *params, uint64_t seed)
{
    UR_FPMODE_HERE;
    const float bound = 1.0f / sqrtf((float)layer->in_features);
    ur_init_uniform(params, layer->weight, bound, seed);
    if (layer->bias >= 0)
        ur_init_uniform(params, layer->bias, bound, seed);
}

typedef struct linear_node {
    ur_node node;
    ur_linear_layer layer;
} linear_node;

static ur_linear_pass pass_of(const ur_linear_layer *l, const ur_tensor *x)
{
    return (ur_linear_pass){
        .rows = x->dim[0], .in = l->in_features, .out = l->out_features, .x = x->data};
}

static void linear_back(ur_tape *tape, ur_node *node)
{
    const ur_linear_layer *l = &((linear_node *)node)->layer;
    ur_linear_pass pass = pass_of(l, node->in[0]);
    pass.w = ur_params_packed(tape->params, l->pack_backward);
    pass.dy = node->out[0]->grad;
    pass.dx = ur_grad_to_set(tape, node->in[0], &pass.dx_blank);
    pass.dw = ur_weight_grad_to_set(tape, l->weight, &pass.dw_blank);
    pass.db = ur_weight_grad(tape, l->bias);
    if (ur_tape_ok(tape))
        ur_had_memory(tape, node->op, tape->backend->linear_back(&tape->on, &pass));
}

ur_tensor *ur_linear(ur_tape *tape, const ur_linear_layer *layer, ur_tensor *x)
{
    UR_FPMODE_HERE;
    static const ur_op op = {"linear", linear_back, false};
    if (!ur_operand(tape, &op, x, UR_F32, 2))
        return NULL;
    if (x->dim[1] != layer->in_features)
        return ur_tape_fail(tape, UR_INVALID, "linear: input is %s, weight wants %zu features",
                            ur_shape(x).text, layer->in_features);
    const ur_weight_shape weights[] = {
        {layer->weight, layer->pack_forward, layer->out_features, layer->in_features},
        {layer->bias, -1, layer->out_features, 0}};
    if (!ur_has_weights(tape, op.name, layer->bias < 0 ? 1 : 2, weights))
        return NULL;
    ur_linear_pass pass = pass_of(layer, x);
    ur_tensor *y = ur_rows_new(tape, pass.rows, pass.out);
    if (!y)
        return NULL;
    pass.w = ur_params_packed(tape->params, layer->pack_forward);
    pass.w_far = ur_weights_are_far(tape);
    pass.bias = ur_weight(tape, layer->bias);
    pass.y = y->data;
    tape->backend->linear(&tape->on, &pass);
    y->needs_grad = ur_weights_learn(tape);
    linear_node *n = ur_record(tape, &op, sizeof *n, y, x, NULL);
    if (n)
        n->layer = *layer;
    return y;
}

ur_seq *ur_linear_seq(ur_tape *tape, const ur_linear_layer *layer, const ur_seq *x)
{
    return x ? ur_seq_new(tape, ur_linear(tape, layer, x->values), x->layout) : NULL;
}
