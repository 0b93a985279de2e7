/* matmul.c - y = x w^T for two tensors of the tape.
 *
 *   (N,K) (M,K) -> (N,M),  dx += dy w,  dw += dy^T x
 * Weights that live in the parameter vector go through ur_linear, which packs them once a step. */
#include "tape/tape.h"

static ur_matmul_pass pass_of(const ur_tensor *x, const ur_tensor *w)
{
    return (ur_matmul_pass){
        .rows = x->dim[0], .depth = x->dim[1], .width = w->dim[0], .x = x->data, .w = w->data};
}

static void matmul_back(ur_tape *tape, ur_node *n)
{
    ur_matmul_pass pass = pass_of(n->in[0], n->in[1]);
    pass.dy = n->out[0]->grad;
    pass.dx = ur_grad_to_set(tape, n->in[0], &pass.dx_blank);
    pass.dw = ur_grad_to_set(tape, n->in[1], &pass.dw_blank);
    if (ur_tape_ok(tape))
        ur_had_memory(tape, n->op, tape->backend->matmul_back(&tape->on, &pass));
}

ur_tensor *ur_matmul_t(ur_tape *tape, ur_tensor *x, ur_tensor *w)
{
    UR_FPMODE_HERE;
    static const ur_op op = {"matmul", matmul_back, false};
    if (!ur_operand(tape, &op, x, UR_F32, 2) || !ur_operand(tape, &op, w, UR_F32, 2))
        return NULL;
    if (x->dim[1] != w->dim[1])
        return ur_tape_fail(tape, UR_INVALID, "matmul: depths of %s and %s differ",
                            ur_shape(x).text, ur_shape(w).text);
    ur_matmul_pass pass = pass_of(x, w);
    ur_tensor *y = ur_rows_new(tape, pass.rows, pass.width);
    if (!y)
        return NULL;
    pass.y = y->data;
    if (!ur_had_memory(tape, &op, tape->backend->matmul(&tape->on, &pass)))
        return NULL;
    ur_record(tape, &op, sizeof(ur_node), y, x, w);
    return y;
}
