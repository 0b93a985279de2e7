/* loss.c - cross-entropy of logits against target ids, with label smoothing s.
 *
 *   q_r = (1-s) onehot + s/V,   loss = 1/normaliser sum_r - q_r . log softmax(x_r)
 *   dx_r = (softmax(x_r) - q_r) / normaliser
 * Positions whose target is UR_IGNORE count nothing. */
#include "nn/nn.h"

typedef struct loss_node {
    ur_node node;
    ur_cross_entropy_pass pass;
} loss_node;

static void cross_entropy_back(ur_tape *tape, ur_node *node)
{
    ur_cross_entropy_pass *pass = &((loss_node *)node)->pass;
    ur_tensor *x = node->in[0];
    if (!x->grad) /* nothing else needs p */
        x->grad = pass->p;
    pass->dloss = node->out[0]->grad;
    pass->dx = x->grad;
    tape->backend->cross_entropy_back(&tape->on, pass);
}

/* Whether every target that counts is a class. */
static bool check_targets(ur_tape *tape, const int32_t *target, size_t rows, size_t classes)
{
    for (size_t r = 0; r < rows; r++)
        if (target[r] != UR_IGNORE && (target[r] < 0 || (size_t)target[r] >= classes)) {
            ur_tape_fail(tape, UR_INVALID, "cross_entropy: target %d is not in [0, %zu)",
                         (int)target[r], classes);
            return false;
        }
    return true;
}

ur_tensor *ur_cross_entropy(ur_tape *tape, const ur_seq *logits, const ur_seq *targets,
                            double normaliser)
{
    return ur_cross_entropy_smoothed(tape, logits, targets, normaliser, 0.0f);
}

ur_tensor *ur_cross_entropy_smoothed(ur_tape *tape, const ur_seq *logits, const ur_seq *targets,
                                     double normaliser, float smoothing)
{
    UR_FPMODE_HERE;
    static const ur_op op = {"cross_entropy", cross_entropy_back, true};
    if (!ur_operand_seq(tape, &op, logits, UR_F32, 2) ||
        !ur_operand_seq(tape, &op, targets, UR_I32, 1))
        return NULL;
    ur_tensor *x = logits->values;
    const size_t rows = x->dim[0], classes = x->dim[1];
    const int32_t *target = ur_ints(targets->values);
    if (!ur_layout_same_rows(logits->layout, targets->layout))
        return ur_tape_fail(tape, UR_INVALID,
                            "cross_entropy: logits %s and targets %s must be of one layout",
                            ur_shape(x).text, ur_shape(targets->values).text);
    if (!(normaliser > 0.0))
        return ur_tape_fail(tape, UR_INVALID, "cross_entropy: normaliser %g must be positive",
                            normaliser);
    if (!(smoothing >= 0.0f && smoothing <= 1.0f))
        return ur_tape_fail(tape, UR_INVALID, "cross_entropy: label smoothing %g must be in [0, 1]",
                            (double)smoothing);
    if (!check_targets(tape, target, rows, classes))
        return NULL;
    ur_tensor *y = ur_tensor_new(tape, UR_F32, 1, (size_t[]){1});
    const ur_cross_entropy_pass pass = {
        .rows = rows,
        .classes = classes,
        .x = x->data,
        .target = target,
        .ignore = UR_IGNORE,
        .scale = (float)(1.0 / normaliser),
        .smoothing = smoothing,
        .row_loss = ur_take_floats(tape, rows),
        .p = ur_wants_grad(tape, x) ? ur_take_floats(tape, rows * classes) : NULL,
        .loss = y ? y->data : NULL,
    };
    if (!ur_tape_ok(tape))
        return NULL;
    tape->backend->cross_entropy(&tape->on, &pass);
    loss_node *n = ur_record(tape, &op, sizeof *n, y, x, NULL);
    if (n)
        n->pass = pass;
    return y;
}
