/* carry.c - states carried from batch to batch: truncated back-propagation through time.
 *
 * The states lie in memory of their own. A batch gets copies of them on its tape, as inputs that
 * ask for no gradient, and leaves copies of its last states. */
#include "nn/nn.h"

#include <string.h>

#include "base/alloc.h"
#include "base/status.h"

struct ur_carry {
    const ur_allocator *allocator;
    size_t count, sequences; /* N layers times directions, B */
    size_t h_width, c_width; /* c_width 0: the cell has no c */
    float *state;            /* h (N, B, R), then c (N, B, H) */
};

static float *c_of(const ur_carry *carry)
{
    return carry->state + carry->count * carry->sequences * carry->h_width;
}

ur_status ur_carry_new(ur_context *context, const ur_rnn_stack *stack, size_t sequences,
                       ur_carry **out, ur_err *err)
{
    *out = NULL;
    const ur_cell_layer *first = &stack->part[0];
    const size_t h_width = first->proj_size ? first->proj_size : first->hidden_size;
    const size_t c_width = first->cell->has_c ? first->hidden_size : 0;
    if (sequences < 1)
        return ur_fail(err, UR_INVALID, "carry: the number of sequences must be at least 1");
    if (sequences > SIZE_MAX / 16 / stack->count / (h_width + c_width))
        return ur_fail(err, UR_INVALID, "carry: %zu sequences are more than memory can hold",
                       sequences);
    ur_carry *carry = ur_alloc_zero(&context->allocator, 1, sizeof *carry);
    if (!carry)
        return ur_no_memory(err, sizeof *carry);
    *carry = (ur_carry){.allocator = &context->allocator,
                        .count = stack->count,
                        .sequences = sequences,
                        .h_width = h_width,
                        .c_width = c_width};
    carry->state = ur_alloc_zero(carry->allocator, ur_carry_size(carry), sizeof(float));
    if (!carry->state) {
        const size_t bytes = ur_carry_size(carry) * sizeof(float);
        ur_carry_free(carry);
        return ur_no_memory(err, bytes);
    }
    *out = carry;
    return UR_OK;
}

void ur_carry_free(ur_carry *carry)
{
    if (!carry)
        return;
    ur_free(carry->allocator, carry->state);
    ur_free(carry->allocator, carry);
}

/* Whether the carry holds the sequences of this batch. */
static bool check_batch(ur_tape *tape, const ur_carry *carry, size_t batch, const size_t *sequence)
{
    size_t highest = batch;
    for (size_t b = 0; sequence && b < batch; b++)
        if (b == 0 || sequence[b] >= highest)
            highest = sequence[b] + 1;
    if (highest <= carry->sequences)
        return true;
    ur_tape_fail(tape, UR_INVALID, "carry: it holds %zu sequences, but number %zu was asked for",
                 carry->sequences, highest - 1);
    return false;
}

/* Where the state of the batch's sequence b in layer n stands among the carry's rows. */
static size_t row_of(const ur_carry *carry, const size_t *sequence, size_t n, size_t b)
{
    return n * carry->sequences + (sequence ? sequence[b] : b);
}

static ur_tensor *state_of(ur_tape *tape, const ur_carry *carry, size_t width, size_t batch,
                           const size_t *sequence, const float *carried)
{
    ur_tensor *x = ur_tensor_new(tape, UR_F32, 3, (size_t[]){carry->count, batch, width});
    float *values = ur_write_begin(tape, x);
    for (size_t i = 0; values && i < carry->count * batch; i++)
        memcpy(values + i * width, carried + row_of(carry, sequence, i / batch, i % batch) * width,
               width * sizeof *values);
    ur_write_end(tape, x, values);
    return x;
}

ur_state ur_carry_state(ur_tape *tape, const ur_carry *carry, size_t batch, const size_t *sequence)
{
    const ur_state none = {NULL, NULL};
    if (!ur_tape_ok(tape) || !check_batch(tape, carry, batch, sequence))
        return none;
    const ur_state s = {state_of(tape, carry, carry->h_width, batch, sequence, carry->state),
                        carry->c_width
                            ? state_of(tape, carry, carry->c_width, batch, sequence, c_of(carry))
                            : NULL};
    return ur_tape_ok(tape) ? s : none;
}

static bool check_state(ur_tape *tape, const ur_carry *carry, const ur_tensor *x, size_t batch,
                        size_t width, const char *name)
{
    if (x && x->ndim == 3 && x->dim[0] == carry->count && x->dim[1] == batch && x->dim[2] == width)
        return true;
    ur_tape_fail(tape, UR_INVALID, "carry: %s is %s, (%zu,%zu,%zu) expected", name,
                 x ? ur_shape(x).text : "missing", carry->count, batch, width);
    return false;
}

static void keep(ur_tape *tape, const ur_carry *carry, size_t width, size_t batch,
                 const size_t *sequence, float *carried, const ur_tensor *x)
{
    const float *values = ur_read(tape, x);
    for (size_t i = 0; values && i < carry->count * batch; i++)
        memcpy(carried + row_of(carry, sequence, i / batch, i % batch) * width, values + i * width,
               width * sizeof *values);
}

void ur_carry_take(ur_tape *tape, ur_carry *carry, size_t batch, const size_t *sequence,
                   ur_rnn_out out)
{
    if (!ur_tape_ok(tape) || !check_batch(tape, carry, batch, sequence) ||
        !check_state(tape, carry, out.h_n, batch, carry->h_width, "h_n") ||
        (carry->c_width && !check_state(tape, carry, out.c_n, batch, carry->c_width, "c_n")))
        return;
    keep(tape, carry, carry->h_width, batch, sequence, carry->state, out.h_n);
    if (carry->c_width)
        keep(tape, carry, carry->c_width, batch, sequence, c_of(carry), out.c_n);
}

void ur_carry_reset(ur_carry *carry)
{
    memset(carry->state, 0, ur_carry_size(carry) * sizeof(float));
}

size_t ur_carry_size(const ur_carry *carry)
{
    return carry->count * carry->sequences * (carry->h_width + carry->c_width);
}

float *ur_carry_values(ur_carry *carry)
{
    return carry->state;
}
