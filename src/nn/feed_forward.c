/* feed_forward.c - two linear layers with an activation and drop-out between them.
 *
 *   z = x W1^T + b1,   h = drop(act(z)),   y = h W2^T + b2
 *   dh = dy W2,   dz = dh times drop's factors and act'(z),   dx += dz W1,
 *   dW2 += dy^T h,   db2 += sums of dy,   dW1 += dz^T x,   db1 += sums of dz
 * act is computed where the product leaves z, and dz where the product leaves dh. Backward keeps h;
 * where act is relu, h > 0 says all about the factors (1 / (1-p), or 0); for gelu they are kept. */
#include "nn/nn.h"

typedef struct feed_forward_node {
    ur_node node; /* in: x; out: y */
    ur_linear_layer first, second;
    float factor;           /* relu: 1 / (1-p); else 0 */
    const float *h, *slope; /* (rows, inner); slope: NULL for relu, and where it is 1 everywhere */
} feed_forward_node;

static void feed_forward_back(ur_tape *tape, ur_node *node)
{
    const feed_forward_node *n = (feed_forward_node *)node;
    const ur_linear_layer *first = &n->first, *second = &n->second;
    const ur_tensor *x = node->in[0];
    const size_t rows = x->dim[0];
    ur_linear_pass outer = {.rows = rows,
                            .in = second->in_features,
                            .out = second->out_features,
                            .x = n->h,
                            .w = ur_params_packed(tape->params, second->pack_backward),
                            .dy = node->out[0]->grad,
                            .dx = ur_take_floats(tape, rows * second->in_features),
                            .dx_blank = true,
                            .x_slope = n->slope,
                            .x_factor = n->factor};
    outer.dw = ur_weight_grad_to_set(tape, second->weight, &outer.dw_blank);
    outer.db = ur_weight_grad(tape, second->bias);
    ur_linear_pass inner = {.rows = rows,
                            .in = first->in_features,
                            .out = first->out_features,
                            .x = x->data,
                            .w = ur_params_packed(tape->params, first->pack_backward),
                            .dy = outer.dx};
    inner.dx = ur_grad_to_set(tape, node->in[0], &inner.dx_blank);
    inner.dw = ur_weight_grad_to_set(tape, first->weight, &inner.dw_blank);
    inner.db = ur_weight_grad(tape, first->bias);
    if (ur_tape_ok(tape) &&
        ur_had_memory(tape, node->op, tape->backend->linear_back(&tape->on, &outer)))
        ur_had_memory(tape, node->op, tape->backend->linear_back(&tape->on, &inner));
}

static bool check(ur_tape *tape, const ur_op *op, const ur_linear_layer *first, ur_activation act,
                  float p, const ur_linear_layer *second, const ur_seq *x)
{
    if (!ur_operand_seq(tape, op, x, UR_F32, 2))
        return false;
    if (x->values->dim[1] != first->in_features || first->out_features != second->in_features) {
        ur_tape_fail(tape, UR_INVALID,
                     "feed_forward: input is %s, the layers take %zu to %zu and %zu to %zu",
                     ur_shape(x->values).text, first->in_features, first->out_features,
                     second->in_features, second->out_features);
        return false;
    }
    if ((unsigned)act > UR_ACT_GELU_TANH) {
        ur_tape_fail(tape, UR_INVALID, "feed_forward: there is no activation %d", (int)act);
        return false;
    }
    if (!(p >= 0.0f && p < 1.0f)) {
        ur_tape_fail(tape, UR_INVALID, "feed_forward: p is %g, it must be in [0, 1)", (double)p);
        return false;
    }
    const ur_linear_layer *both[] = {first, second};
    for (int i = 0; i < 2; i++) {
        const ur_linear_layer *l = both[i];
        const ur_weight_shape weights[] = {
            {l->weight, l->pack_forward, l->out_features, l->in_features},
            {l->bias, -1, l->out_features, 0}};
        if (!ur_has_weights(tape, op->name, l->bias < 0 ? 1 : 2, weights))
            return false;
    }
    return true;
}

/* Drops units of h, and their slopes with them. */
static void drop(ur_tape *tape, const ur_layout *layout, size_t width, float p, float *h,
                 float *slope)
{
    ur_dropout_pass pass = {
        .layout = layout, .width = width, .p = p, .key = ur_next_dropout_key(tape), .x = h, .y = h};
    tape->backend->dropout(&tape->on, &pass);
    pass.x = pass.y = slope;
    if (slope)
        tape->backend->dropout(&tape->on, &pass);
}

ur_seq *ur_feed_forward(ur_tape *tape, const ur_linear_layer *first, ur_activation act, float p,
                        const ur_linear_layer *second, const ur_seq *x)
{
    UR_FPMODE_HERE;
    static const ur_op op = {"feed_forward", feed_forward_back, false};
    if (!check(tape, &op, first, act, p, second, x))
        return NULL;
    const size_t rows = x->layout->rows, width = first->out_features;
    const bool learns = tape->mode == UR_TRAIN, drops = learns && p > 0.0f;
    const bool keeps = learns && act != UR_ACT_RELU && (act != UR_ACT_NONE || drops);
    float *h = ur_take_floats(tape, rows * width);
    float *slope = keeps ? ur_take_floats(tape, rows * width) : NULL;
    ur_tensor *y = ur_rows_new(tape, rows, second->out_features);
    if (!ur_tape_ok(tape))
        return NULL;
    if (keeps && act == UR_ACT_NONE)
        tape->backend->fill(&tape->on, rows * width, 1.0f, slope);
    const ur_linear_pass in = {.rows = rows,
                               .in = first->in_features,
                               .out = width,
                               .x = x->values->data,
                               .w = ur_params_packed(tape->params, first->pack_forward),
                               .w_far = ur_weights_are_far(tape),
                               .bias = ur_weight(tape, first->bias),
                               .y = h,
                               .act = act,
                               .slope = act == UR_ACT_NONE ? NULL : slope};
    tape->backend->linear(&tape->on, &in);
    if (drops)
        drop(tape, x->layout, width, p, h, slope);
    const ur_linear_pass out = {.rows = rows,
                                .in = width,
                                .out = second->out_features,
                                .x = h,
                                .w = ur_params_packed(tape->params, second->pack_forward),
                                .w_far = ur_weights_are_far(tape),
                                .bias = ur_weight(tape, second->bias),
                                .y = y->data};
    tape->backend->linear(&tape->on, &out);
    y->needs_grad = ur_weights_learn(tape);
    feed_forward_node *n = ur_record(tape, &op, sizeof *n, y, x->values, NULL);
    if (n) {
        n->first = *first;
        n->second = *second;
        n->factor = act != UR_ACT_RELU ? 0.0f : drops ? 1.0f / (1.0f - p) : 1.0f;
        n->h = h;
        n->slope = slope;
    }
    return ur_seq_new(tape, y, x->layout);
}
