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
    const ur_linear_layer *layer;
    ur_tensor *x, *y;
    /* backward's job, shared by the team */
    const ur_kernels *kernels;
    const float *w_packed;
    float *x_packed, *dx, *dw, *db;
    bool dx_blank, dw_blank;
} linear_node;

static void back_member(void *arg, const ur_member *me)
{
    const linear_node *n = arg;
    const ur_kernels *k = n->kernels;
    const size_t rows = n->x->dim[0], in = n->layer->in_features, out = n->layer->out_features;
    const ur_columns columns = {1, in};
    const float *dy = n->y->grad;
    if (n->dw) {
        const ur_range mine = ur_my_range(me, rows);
        k->pack_cols(columns, rows, n->x->data, in, NULL, n->x_packed, mine.begin, mine.end);
        ur_barrier(me);
        const ur_cpu_outer outer = {.rows = rows,
                                    .n_out = out,
                                    .n_in = in,
                                    .dy = dy,
                                    .dy_row = out,
                                    .x_packed = n->x_packed,
                                    .dw = n->dw,
                                    .blank = n->dw_blank};
        ur_outer_part(k, me, &outer);
    }
    if (n->db) {
        const ur_range mine = ur_my_range(me, out);
        k->column_sums(rows, dy, out, n->db, mine.begin, mine.end);
    }
    if (n->dx) {
        const ur_product p = {.m = rows,
                              .k = out,
                              .a = dy,
                              .a_row = out,
                              .a_k = 1,
                              .b = n->w_packed,
                              .columns = columns,
                              .c = n->dx,
                              .c_row = in,
                              .start = ur_add_or_set(n->dx_blank)};
        ur_product_part(k, me, &p);
    }
}

static void linear_back(ur_tape *tape, ur_node *node)
{
    linear_node *n = (linear_node *)node;
    if (!n->y->grad)
        return;
    const ur_linear_layer *layer = n->layer;
    n->kernels = tape->cpu.kernels;
    n->w_packed = ur_params_packed(tape->params, layer->pack_backward);
    n->dx = ur_grad_to_set(tape, n->x, &n->dx_blank);
    n->dw = ur_weight_grad_to_set(tape, layer->weight, &n->dw_blank);
    n->db = ur_weight_grad(tape, layer->bias);
    const ur_mark mark = ur_arena_mark(tape->arena);
    n->x_packed = ur_take(
        tape, ur_packed_floats(n->kernels, (ur_columns){1, layer->in_features}, n->x->dim[0]),
        sizeof(float));
    if (ur_tape_ok(tape))
        ur_team_run(tape->cpu.team, back_member, n);
    ur_arena_rewind(tape->arena, mark);
}

ur_tensor *ur_linear(ur_tape *tape, const ur_linear_layer *layer, ur_tensor *x)
{
    if (!x || !ur_tape_ok(tape))
        return NULL;
    if (x->ndim != 2 || x->dim[1] != layer->in_features)
        return ur_tape_fail(tape, UR_INVALID, "linear: input is %s, weight wants %zu features",
                            ur_shape(x).text, layer->in_features);
    const size_t rows = x->dim[0];
    const ur_weight_shape weights[] = {
        {layer->weight, layer->pack_forward, layer->out_features, layer->in_features},
        {layer->bias, -1, layer->out_features, 0}};
    if (!ur_has_weights(tape, "linear", layer->bias < 0 ? 1 : 2, weights))
        return NULL;
    ur_tensor *y = ur_rows_new(tape, rows, layer->out_features);
    if (!y)
        return NULL;
    const ur_product p = {.m = rows,
                          .k = layer->in_features,
                          .a = x->data,
                          .a_row = layer->in_features,
                          .a_k = 1,
                          .b = ur_params_packed(tape->params, layer->pack_forward),
                          .columns = {1, layer->out_features},
                          .c = y->data,
                          .c_row = layer->out_features,
                          .start = UR_START_BIAS,
                          .bias = ur_weight(tape, layer->bias)};
    ur_cpu_product(&tape->cpu, &p);
    y->needs_grad = x->needs_grad || ur_weights_learn(tape);
    linear_node *n = y->needs_grad ? ur_record(tape, sizeof *n, linear_back) : NULL;
    if (n) {
        n->layer = layer;
        n->x = x;
        n->y = y;
    }
    return y;
}

ur_seq *ur_linear_seq(ur_tape *tape, const ur_linear_layer *layer, const ur_seq *x)
{
    return x ? ur_seq_new(tape, ur_linear(tape, layer, x->values), x->layout) : NULL;
}
