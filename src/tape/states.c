/* states.c - operations that recurrent layers need around their cells: sequences turned around, their
 * last steps, and states of several layers stacked and picked. */
#include "tape/tape.h"

#include <string.h>

typedef struct reverse_node { /* of ur_reverse and ur_last_steps */
    ur_node node;
    ur_tensor *x, *y;
    const ur_layout *layout;
} reverse_node;

static void reverse_back(ur_tape *tape, ur_node *node)
{
    reverse_node *n = (reverse_node *)node;
    float *dx = n->y->grad ? ur_grad(tape, n->x) : NULL;
    const size_t width = n->x->ndim > 1 ? n->x->dim[1] : 1;
    for (size_t b = 0; dx && b < n->layout->batch; b++)
        for (size_t t = 0, last = n->layout->length[b]; t < n->layout->length[b]; t++)
            tape->cpu.kernels->add(width, n->y->grad + ur_row(n->layout, b, --last) * width,
                                   dx + ur_row(n->layout, b, t) * width);
}

ur_seq *ur_reverse(ur_tape *tape, ur_seq *x)
{
    if (!x || !ur_tape_ok(tape))
        return NULL;
    const ur_layout *l = x->layout;
    ur_tensor *in = x->values, *y = ur_tensor_new(tape, in->dtype, in->ndim, in->dim);
    if (!y)
        return NULL;
    const size_t width = in->ndim > 1 ? in->dim[1] : 1;
    const size_t bytes = width * (in->dtype == UR_F32 ? sizeof(float) : sizeof(int32_t));
    for (size_t b = 0; b < l->batch; b++)
        for (size_t t = 0, last = l->length[b]; t < l->length[b]; t++)
            memcpy((char *)y->data + ur_row(l, b, --last) * bytes,
                   (const char *)in->data + ur_row(l, b, t) * bytes, bytes);
    y->needs_grad = in->needs_grad;
    reverse_node *n = y->needs_grad ? ur_record(tape, sizeof *n, reverse_back) : NULL;
    if (n) {
        n->x = in;
        n->y = y;
        n->layout = l;
    }
    return ur_seq_new(tape, y, l);
}

static void last_back(ur_tape *tape, ur_node *node)
{
    reverse_node *n = (reverse_node *)node;
    const ur_layout *l = n->layout;
    const size_t width = n->y->dim[1];
    float *dx = n->y->grad ? ur_grad(tape, n->x) : NULL;
    for (size_t b = 0; dx && b < l->batch; b++)
        if (l->length[b])
            tape->cpu.kernels->add(width, n->y->grad + b * width,
                                   dx + ur_row(l, b, l->length[b] - 1) * width);
}

ur_tensor *ur_last_steps(ur_tape *tape, const ur_seq *x)
{
    if (!x || !ur_tape_ok(tape))
        return NULL;
    if (x->values->ndim != 2 || x->values->dtype != UR_F32)
        return ur_tape_fail(tape, UR_INVALID, "last_steps: rows of features expected, not %s",
                            ur_shape(x->values).text);
    const ur_layout *l = x->layout;
    const size_t width = x->values->dim[1];
    ur_tensor *y = ur_rows_new(tape, l->batch, width);
    if (!y)
        return NULL;
    memset(y->data, 0, ur_count(y) * sizeof(float));
    for (size_t b = 0; b < l->batch; b++)
        if (l->length[b])
            memcpy(ur_floats(y) + b * width,
                   ur_floats(x->values) + ur_row(l, b, l->length[b] - 1) * width,
                   width * sizeof(float));
    y->needs_grad = x->values->needs_grad;
    reverse_node *n = y->needs_grad ? ur_record(tape, sizeof *n, last_back) : NULL;
    if (n) {
        n->x = x->values;
        n->y = y;
        n->layout = l;
    }
    return y;
}

typedef struct stack_node {
    ur_node node;
    size_t count;
    ur_tensor **x; /* (count) */
    ur_tensor *y;
} stack_node;

static void stack_back(ur_tape *tape, ur_node *node)
{
    stack_node *n = (stack_node *)node;
    const size_t size = ur_count(n->x[0]);
    for (size_t i = 0; n->y->grad && i < n->count; i++) {
        float *dx = ur_grad(tape, n->x[i]);
        if (dx)
            tape->cpu.kernels->add(size, n->y->grad + i * size, dx);
    }
}

ur_tensor *ur_stack(ur_tape *tape, size_t count, ur_tensor *const *x)
{
    if (!ur_tape_ok(tape) || count == 0)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (!x[i])
            return NULL;
        if (x[i]->ndim != 2 || x[i]->dim[0] != x[0]->dim[0] || x[i]->dim[1] != x[0]->dim[1])
            return ur_tape_fail(tape, UR_INVALID, "stack: %s and %s differ", ur_shape(x[0]).text,
                                ur_shape(x[i]).text);
    }
    ur_tensor *y = ur_tensor_new(tape, UR_F32, 3, (size_t[]){count, x[0]->dim[0], x[0]->dim[1]});
    if (!y)
        return NULL;
    const size_t size = ur_count(x[0]);
    for (size_t i = 0; i < count; i++) {
        memcpy(ur_floats(y) + i * size, x[i]->data, size * sizeof(float));
        y->needs_grad = y->needs_grad || x[i]->needs_grad;
    }
    stack_node *n = y->needs_grad ? ur_record(tape, sizeof *n, stack_back) : NULL;
    if (n) {
        n->count = count;
        n->y = y;
        n->x = ur_take(tape, count, sizeof(ur_tensor *));
        if (n->x)
            memcpy(n->x, x, count * sizeof(ur_tensor *));
    }
    return ur_tape_ok(tape) ? y : NULL;
}

typedef struct pick_node {
    ur_node node;
    ur_tensor *x, *y;
    size_t index;
} pick_node;

static void pick_back(ur_tape *tape, ur_node *node)
{
    pick_node *n = (pick_node *)node;
    float *dx = n->y->grad ? ur_grad(tape, n->x) : NULL;
    const size_t size = ur_count(n->y);
    if (dx)
        tape->cpu.kernels->add(size, n->y->grad, dx + n->index * size);
}

ur_tensor *ur_pick(ur_tape *tape, ur_tensor *x, size_t index)
{
    if (!x || !ur_tape_ok(tape))
        return NULL;
    if (x->ndim != 3 || index >= x->dim[0])
        return ur_tape_fail(tape, UR_INVALID, "pick: number %zu of %s", index, ur_shape(x).text);
    ur_tensor *y = ur_tensor_new(tape, UR_F32, 2, x->dim + 1);
    if (!y)
        return NULL;
    const size_t size = ur_count(y);
    memcpy(y->data, ur_floats(x) + index * size, size * sizeof(float));
    y->needs_grad = x->needs_grad;
    pick_node *n = y->needs_grad ? ur_record(tape, sizeof *n, pick_back) : NULL;
    if (n) {
        n->x = x;
        n->y = y;
        n->index = index;
    }
    return y;
}
