/* inputs.c - bringing the caller's numbers onto the tape. */
#include "tape/tape.h"

#include <string.h>

ur_tensor *ur_new_floats(ur_tape *tape, int ndim, const size_t *dim, bool needs_grad)
{
    ur_tensor *x = ur_tensor_new(tape, UR_F32, ndim, dim);
    if (x)
        x->needs_grad = needs_grad && tape->mode == UR_TRAIN;
    return x;
}

ur_tensor *ur_new_ints(ur_tape *tape, int ndim, const size_t *dim)
{
    return ur_tensor_new(tape, UR_I32, ndim, dim);
}

ur_tensor *ur_copy_floats(ur_tape *tape, int ndim, const size_t *dim, const float *x, bool grad)
{
    ur_tensor *copy = ur_new_floats(tape, ndim, dim, grad);
    ur_write_end(tape, copy, x);
    return copy;
}

const ur_layout *ur_new_layout(ur_tape *tape, ur_order order, size_t batch, const size_t *length,
                               const uint64_t *id)
{
    if (!ur_tape_ok(tape))
        return NULL;
    if ((unsigned)order > UR_SEQUENCE_MAJOR)
        return ur_tape_fail(tape, UR_INVALID, "layout: there is no order %d", (int)order);
    if (!ur_lengths_fit(batch, length))
        return ur_tape_fail(tape, UR_INVALID, "layout: the lengths of %zu sequences overflow",
                            batch);
    const ur_layout *layout = ur_layout_build(tape->arena, order, batch, length, id);
    if (!layout)
        ur_tape_fail(tape, UR_NO_MEMORY, "out of memory: the layout of %zu sequences", batch);
    return layout;
}

const ur_layout *ur_one_step_layout(ur_tape *tape, size_t batch)
{
    if (!ur_tape_ok(tape))
        return NULL;
    const ur_layout *layout = ur_layout_of_one_step(tape->arena, batch);
    if (!layout)
        ur_tape_fail(tape, UR_NO_MEMORY, "out of memory: the layout of %zu sequences", batch);
    return layout;
}

/* x's rows, of `bytes` each, from rows given sequence by sequence. */
static ur_seq *place_rows(ur_tape *tape, const ur_layout *layout, ur_tensor *x, size_t bytes,
                          const void *data)
{
    char *out = ur_write_begin(tape, x);
    const char *next = data;
    for (size_t b = 0; out && b < layout->batch; b++)
        for (size_t t = 0; t < layout->length[b]; t++, next += bytes)
            memcpy(out + ur_row(layout, b, t) * bytes, next, bytes);
    ur_write_end(tape, x, out);
    return ur_seq_new(tape, x, layout);
}

ur_seq *ur_seq_floats(ur_tape *tape, const ur_layout *layout, size_t features, const float *data,
                      bool needs_grad)
{
    ur_tensor *x =
        layout ? ur_new_floats(tape, 2, (size_t[]){layout->rows, features}, needs_grad) : NULL;
    return place_rows(tape, layout, x, features * sizeof *data, data);
}

ur_seq *ur_seq_ints(ur_tape *tape, const ur_layout *layout, const int32_t *data)
{
    ur_tensor *x = layout ? ur_new_ints(tape, 1, &layout->rows) : NULL;
    return place_rows(tape, layout, x, sizeof *data, data);
}
