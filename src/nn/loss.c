/* loss.c - cross-entropy of logits against target ids.
 *
 *   loss = 1/normaliser sum_r -log softmax(x_r)[target_r],   dx_r = (softmax(x_r) - onehot)/norm.
 * Positions whose target is UR_IGNORE count nothing. */
#include "nn/nn.h"

#include "backend/cpu/loss.h"

typedef struct loss_node {
    ur_node node;
    ur_tensor *x, *y;
    ur_cpu_cross_entropy op;
} loss_node;

static void cross_entropy_back(ur_tape *tape, ur_node *node)
{
    loss_node *n = (loss_node *)node;
    if (!n->y->grad || !n->op.p)
        return;
    if (!n->x->grad) /* nothing else needs p */
        n->x->grad = n->op.p;
    ur_cpu_cross_entropy_backward(&tape->cpu, &n->op, n->y->grad[0], n->x->grad);
}

ur_tensor *ur_cross_entropy(ur_tape *tape, const ur_seq *logits, const ur_seq *targets,
                            double normaliser)
{
    if (!logits || !targets || !ur_tape_ok(tape))
        return NULL;
    ur_tensor *x = logits->values;
    const size_t rows = x->dim[0], classes = x->dim[1];
    const int32_t *target = ur_ints(targets->values);
    if (!ur_layout_same_rows(logits->layout, targets->layout) || targets->values->dtype != UR_I32)
        return ur_tape_fail(tape, UR_INVALID,
                            "cross_entropy: logits %s and targets %s must be of one layout",
                            ur_shape(x).text, ur_shape(targets->values).text);
    if (!(normaliser > 0.0))
        return ur_tape_fail(tape, UR_INVALID, "cross_entropy: normaliser %g must be positive",
                            normaliser);
    for (size_t r = 0; r < rows; r++)
        if (target[r] != UR_IGNORE && (target[r] < 0 || (size_t)target[r] >= classes))
            return ur_tape_fail(tape, UR_INVALID, "cross_entropy: target %d is not in [0, %zu)",
                                (int)target[r], classes);
    ur_tensor *y = ur_tensor_new(tape, UR_F32, 1, (size_t[]){1});
    ur_cpu_cross_entropy op = {.rows = rows,
                               .classes = classes,
                               .x = x->data,
                               .target = target,
                               .ignore = UR_IGNORE,
                               .scale = (float)(1.0 / normaliser)};
    op.row_loss = ur_take(tape, rows, sizeof *op.row_loss);
    if (ur_wants_grad(tape, x))
        op.p = ur_take(tape, rows * classes, sizeof *op.p);
    if (!ur_tape_ok(tape))
        return NULL;
    ur_floats(y)[0] = ur_cpu_cross_entropy_forward(&tape->cpu, &op);
    y->needs_grad = x->needs_grad;
    loss_node *n = y->needs_grad ? ur_record(tape, sizeof *n, cross_entropy_back) : NULL;
    if (n) {
        n->x = x;
        n->y = y;
        n->op = op;
    }
    return y;
}
