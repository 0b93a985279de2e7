/* norm.c - layer normalisation, alone and after a residual connection.
 *
 *   s = x + drop(f)   (s = x without f),   y = (s - mean) / sqrt(variance + eps) gain + bias
 * mean and variance are those of a row. Backward keeps s and each row's mean and 1 / sqrt; drop-out's
 * mask is made again. */
#include "nn/nn.h"

#include <string.h>

ur_layer_norm_layer ur_layer_norm_add(ur_params *params, const char *prefix, size_t size, float eps,
                                      bool affine, bool bias)
{
    return (ur_layer_norm_layer){
        .size = size,
        .eps = eps,
        .weight = affine ? ur_layer_param(params, prefix, "weight", size, 0) : -1,
        .bias = affine && bias ? ur_layer_param(params, prefix, "bias", size, 0) : -1};
}

void ur_layer_norm_init(const ur_layer_norm_layer *layer, ur_params *params)
{
    float *weight = layer->weight < 0 ? NULL : ur_param_values(params, layer->weight);
    float *bias = layer->bias < 0 ? NULL : ur_param_values(params, layer->bias);
    for (size_t i = 0; weight && i < layer->size; i++)
        weight[i] = 1.0f;
    if (bias)
        memset(bias, 0, layer->size * sizeof *bias);
}

/* In: x and f or NULL; out: s or NULL where it is x, and y or NULL. */
typedef struct norm_node {
    ur_node node;
    ur_norm_pass pass;
    int weight, bias;
} norm_node;

static void norm_back(ur_tape *tape, ur_node *node)
{
    const norm_node *n = (norm_node *)node;
    ur_norm_pass pass = n->pass;
    pass.dsum = node->out[0] ? node->out[0]->grad : NULL;
    pass.dy = node->out[1] ? node->out[1]->grad : NULL;
    pass.dx = ur_grad_to_set(tape, node->in[0], &pass.dx_blank);
    pass.df = ur_grad_to_set(tape, node->in[1], &pass.df_blank);
    if (pass.dy) {
        pass.dgain = ur_weight_grad(tape, n->weight);
        pass.dbias = ur_weight_grad(tape, n->bias);
    }
    if (ur_tape_ok(tape))
        ur_had_memory(tape, node->op, tape->backend->norm_back(&tape->on, &pass));
}

static bool fits(ur_tape *tape, const ur_op *op, const ur_layer_norm_layer *l, const ur_seq *x)
{
    const ur_weight_shape weights[] = {{l->weight, -1, l->size, 0}, {l->bias, -1, l->size, 0}};
    if (x->values->dim[1] != l->size) {
        ur_tape_fail(tape, UR_INVALID, "%s: input is %s, the layer normalises %zu features",
                     op->name, ur_shape(x->values).text, l->size);
        return false;
    }
    if (!(l->eps >= 0.0f)) {
        ur_tape_fail(tape, UR_INVALID, "%s: eps %g, it must not be negative", op->name,
                     (double)l->eps);
        return false;
    }
    const size_t count = l->weight < 0 ? 0 : l->bias < 0 ? 1 : 2;
    return ur_has_weights(tape, op->name, count, weights);
}

/* s and y of checked operands; to: where they go, NULL: into new memory. */
static ur_residual_out run(ur_tape *tape, const ur_op *op, const ur_layer_norm_layer *l,
                           const ur_seq *x, const ur_seq *f, float p, const ur_residual_out *to)
{
    const size_t rows = x->layout->rows, width = x->values->dim[1];
    ur_tensor *s = !f ? NULL : to ? to->sum->values : ur_rows_new(tape, rows, width);
    ur_tensor *y = !l ? NULL : to ? to->norm->values : ur_rows_new(tape, rows, width);
    ur_norm_pass pass = {.rows = rows, .width = width, .x = x->values->data, .layout = x->layout};
    if (f) {
        pass.f = f->values->data;
        pass.sum = s ? s->data : NULL;
        pass.p = tape->mode == UR_TRAIN ? p : 0.0f;
        pass.key = pass.p > 0.0f ? ur_next_dropout_key(tape) : 0;
    }
    if (l) {
        pass.eps = l->eps;
        pass.gain = ur_weight(tape, l->weight);
        pass.bias = ur_weight(tape, l->bias);
        pass.y = y ? y->data : NULL;
        pass.kept = ur_take_floats(tape, 2 * rows);
    }
    if (!ur_tape_ok(tape))
        return (ur_residual_out){NULL, NULL};
    tape->backend->norm(&tape->on, &pass);
    if (y && l->weight >= 0)
        y->needs_grad = ur_weights_learn(tape);
    norm_node *n = ur_record_all(tape, op, sizeof *n, 2, (ur_tensor *[]){s, y}, 2,
                                 (ur_tensor *[]){x->values, f ? f->values : NULL});
    if (n) {
        n->pass = pass;
        n->weight = l ? l->weight : -1;
        n->bias = l ? l->bias : -1;
    }
    return (ur_residual_out){s ? ur_seq_new(tape, s, x->layout) : NULL,
                             y ? ur_seq_new(tape, y, x->layout) : NULL};
}

ur_seq *ur_layer_norm_seq(ur_tape *tape, const ur_layer_norm_layer *layer, const ur_seq *x)
{
    UR_FPMODE_HERE;
    static const ur_op op = {"layer_norm_seq", norm_back, false};
    if (!ur_operand_seq(tape, &op, x, UR_F32, 2) || !fits(tape, &op, layer, x))
        return NULL;
    return run(tape, &op, layer, x, NULL, 0.0f, NULL).norm;
}

static ur_residual_out residual(ur_tape *tape, const ur_layer_norm_layer *layer, const ur_seq *x,
                                const ur_seq *f, float p, const ur_residual_out *to)
{
    UR_FPMODE_HERE;
    static const ur_op op = {"residual", norm_back, false};
    const ur_residual_out none = {NULL, NULL};
    if (!ur_operand_seq(tape, &op, x, UR_F32, 2) || !ur_operand_seq(tape, &op, f, UR_F32, 2) ||
        (layer && !fits(tape, &op, layer, x)))
        return none;
    if (!ur_layout_same_rows(x->layout, f->layout) || x->values->dim[1] != f->values->dim[1]) {
        ur_tape_fail(tape, UR_INVALID, "residual: %s and %s must be of one shape and layout",
                     ur_shape(x->values).text, ur_shape(f->values).text);
        return none;
    }
    if (!(p >= 0.0f && p < 1.0f)) {
        ur_tape_fail(tape, UR_INVALID, "residual: p is %g, it must be in [0, 1)", (double)p);
        return none;
    }
    return run(tape, &op, layer, x, f, p, to);
}

ur_residual_out ur_residual(ur_tape *tape, const ur_layer_norm_layer *layer, const ur_seq *x,
                            const ur_seq *f, float p)
{
    return residual(tape, layer, x, f, p, NULL);
}

ur_residual_out ur_residual_over(ur_tape *tape, const ur_layer_norm_layer *layer, const ur_seq *x,
                                 const ur_seq *f, const ur_residual_out *to)
{
    return residual(tape, layer, x, f, 0.0f, to);
}
