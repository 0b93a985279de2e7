/* dropout.c - inverted drop-out by counter-based random numbers.
 *
 *   y = x keep / (1-p),   dx += dy keep / (1-p)
 * The key of Philox comes from (seed, step, which drop-out); the counter is (id of the sequence,
 * step of the sequence, unit): the mask is made again in backward instead of being kept. */
#include "nn/nn.h"

#include "base/philox.h"

enum { UNIT_BITS = 24 }; /* of the counter's low word; the step of the sequence stands above */

typedef struct dropout_node {
    ur_node node;
    ur_tensor *x, *y;
    const ur_layout *layout;
    uint64_t key;
    float p;
} dropout_node;

typedef struct job {
    const ur_kernels *kernels;
    const ur_layout *layout;
    uint64_t key;
    float p;
    size_t width;
    const float *x;
    float *y;
} job;

static void sequences(void *arg, size_t begin, size_t end)
{
    const job *j = arg;
    for (size_t b = begin; b < end; b++)
        for (size_t t = 0; t < j->layout->length[b]; t++) {
            const size_t at = ur_row(j->layout, b, t) * j->width;
            j->kernels->dropout(j->width, j->p, j->key, (uint64_t)t << UNIT_BITS, j->layout->id[b],
                                j->x + at, j->y + at);
        }
}

static void dropout_back(ur_tape *tape, ur_node *node)
{
    dropout_node *n = (dropout_node *)node;
    float *dx = n->y->grad ? ur_grad(tape, n->x) : NULL;
    if (!dx)
        return;
    const size_t count = ur_count(n->y);
    const ur_mark mark = ur_arena_mark(tape->arena);
    float *masked = ur_take(tape, count, sizeof *masked);
    if (masked) {
        job j = {tape->cpu.kernels, n->layout, n->key, n->p, n->y->dim[1], n->y->grad, masked};
        ur_cpu_for(&tape->cpu, n->layout->batch, sequences, &j);
        tape->cpu.kernels->add(count, masked, dx);
    }
    ur_arena_rewind(tape->arena, mark);
}

ur_seq *ur_dropout(ur_tape *tape, ur_seq *x, float p)
{
    if (!x || !ur_tape_ok(tape))
        return NULL;
    if (!(p >= 0.0f && p < 1.0f))
        return ur_tape_fail(tape, UR_INVALID, "dropout: p is %g, it must be in [0, 1)", (double)p);
    if (tape->mode != UR_TRAIN || p == 0.0f)
        return x;
    const ur_philox_block block = ur_philox(tape->seed, tape->step, tape->drop_outs++);
    const uint64_t key = (uint64_t)block.word[0] << 32 | block.word[1];
    ur_tensor *in = x->values, *y = ur_tensor_new(tape, UR_F32, in->ndim, in->dim);
    if (!y)
        return NULL;
    job j = {tape->cpu.kernels, x->layout, key, p, in->dim[1], in->data, y->data};
    ur_cpu_for(&tape->cpu, x->layout->batch, sequences, &j);
    y->needs_grad = in->needs_grad;
    dropout_node *n = y->needs_grad ? ur_record(tape, sizeof *n, dropout_back) : NULL;
    if (n) {
        n->x = in;
        n->y = y;
        n->layout = x->layout;
        n->key = key;
        n->p = p;
    }
    return ur_seq_new(tape, y, x->layout);
}
