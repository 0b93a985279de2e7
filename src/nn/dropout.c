/* dropout.c - inverted drop-out by counter-based random numbers.
 *
 *   y = x keep / (1-p),   dx += dy keep / (1-p)
 * The key of Philox comes from (seed, step, which drop-out); the counter is (id of the sequence,
 * step of the sequence, unit): the mask is made again in backward instead of being kept. */
#include "nn/nn.h"

typedef struct dropout_node {
    ur_node node;
    ur_dropout_pass pass;
} dropout_node;

static void dropout_back(ur_tape *tape, ur_node *node)
{
    ur_dropout_pass pass = ((dropout_node *)node)->pass;
    pass.x = node->out[0]->grad;
    pass.y = ur_grad(tape, node->in[0]);
    if (pass.y)
        ur_had_memory(tape, node->op, tape->backend->dropout_back(&tape->on, &pass));
}

ur_seq *ur_dropout(ur_tape *tape, ur_seq *x, float p)
{
    UR_FPMODE_HERE;
    static const ur_op op = {"dropout", dropout_back, false};
    if (!ur_operand_seq(tape, &op, x, UR_F32, 2))
        return NULL;
    if (!(p >= 0.0f && p < 1.0f))
        return ur_tape_fail(tape, UR_INVALID, "dropout: p is %g, it must be in [0, 1)", (double)p);
    if (tape->mode != UR_TRAIN || p == 0.0f)
        return x;
    ur_tensor *in = x->values, *y = ur_tensor_new(tape, UR_F32, 2, in->dim);
    if (!y)
        return NULL;
    const ur_dropout_pass pass = {.layout = x->layout,
                                  .width = in->dim[1],
                                  .p = p,
                                  .key = ur_next_dropout_key(tape),
                                  .x = in->data,
                                  .y = y->data};
    tape->backend->dropout(&tape->on, &pass);
    dropout_node *n = ur_record(tape, &op, sizeof *n, y, in, NULL);
    if (n)
        n->pass = pass;
    return ur_seq_new(tape, y, x->layout);
}
