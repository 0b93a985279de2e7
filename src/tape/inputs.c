/* inputs.c - bringing the caller's numbers onto the tape, and ragged batches from one order to the
 * other. */
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
    if (copy)
        memcpy(copy->data, x, ur_count(copy) * sizeof *x);
    return copy;
}

const ur_layout *ur_new_layout(ur_tape *tape, ur_order order, size_t batch, const size_t *length,
                               const uint64_t *id)
{
    if (!ur_tape_ok(tape))
        return NULL;
    const ur_layout *layout = ur_layout_build(tape->arena, order, batch, length, id);
    if (!layout)
        ur_tape_fail(tape, UR_NO_MEMORY, "out of memory: the layout of %zu sequences", batch);
    return layout;
}

/* Rows of `bytes` from one order to the other (sequence-major where from is NULL). */
static void move_rows(const ur_layout *layout, const ur_layout *from, size_t bytes, const char *x,
                      char *out)
{
    size_t given = 0;
    for (size_t b = 0; b < layout->batch; b++)
        for (size_t t = 0; t < layout->length[b]; t++) {
            const size_t source = from ? ur_row(from, b, t) : given++;
            memcpy(out + ur_row(layout, b, t) * bytes, x + source * bytes, bytes);
        }
}

ur_seq *ur_seq_floats(ur_tape *tape, const ur_layout *layout, size_t features, const float *data,
                      bool needs_grad)
{
    ur_tensor *x =
        layout ? ur_new_floats(tape, 2, (size_t[]){layout->rows, features}, needs_grad) : NULL;
    if (x)
        move_rows(layout, NULL, features * sizeof *data, (const char *)data, x->data);
    return ur_seq_new(tape, x, layout);
}

ur_seq *ur_seq_ints(ur_tape *tape, const ur_layout *layout, const int32_t *data)
{
    ur_tensor *x = layout ? ur_new_ints(tape, 1, &layout->rows) : NULL;
    if (x)
        move_rows(layout, NULL, sizeof *data, (const char *)data, x->data);
    return ur_seq_new(tape, x, layout);
}

typedef struct reorder_node {
    ur_node node;
    ur_tensor *x, *y;
    const ur_layout *from, *to;
} reorder_node;

static void reorder_back(ur_tape *tape, ur_node *node)
{
    reorder_node *n = (reorder_node *)node;
    float *dx = n->y->grad ? ur_grad(tape, n->x) : NULL;
    const size_t width = n->x->dim[1];
    for (size_t b = 0; dx && b < n->from->batch; b++)
        for (size_t t = 0; t < n->from->length[b]; t++)
            tape->cpu.kernels->add(width, n->y->grad + ur_row(n->to, b, t) * width,
                                   dx + ur_row(n->from, b, t) * width);
}

ur_seq *ur_reorder(ur_tape *tape, const ur_seq *x, ur_order order)
{
    if (!x || !ur_tape_ok(tape))
        return NULL;
    const ur_layout *to = ur_layout_reorder(tape->arena, x->layout, order);
    if (!to)
        return ur_tape_fail(tape, UR_NO_MEMORY, "out of memory: reordering %zu sequences",
                            x->layout->batch);
    if (to == x->layout)
        return ur_seq_new(tape, x->values, to);
    ur_tensor *in = x->values, *out = ur_tensor_new(tape, in->dtype, in->ndim, in->dim);
    if (!out)
        return NULL;
    const size_t width = in->ndim > 1 ? in->dim[1] : 1;
    const size_t item = in->dtype == UR_F32 ? sizeof(float) : sizeof(int32_t);
    move_rows(to, x->layout, width * item, in->data, out->data);
    out->needs_grad = in->needs_grad;
    reorder_node *n = in->needs_grad ? ur_record(tape, sizeof *n, reorder_back) : NULL;
    if (n) {
        n->x = in;
        n->y = out;
        n->from = x->layout;
        n->to = to;
    }
    return ur_seq_new(tape, out, to);
}
