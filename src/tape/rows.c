/* rows.c - operations that move columns and rows: concatenation, slices, repetition. */
#include "tape/tape.h"

#include <string.h>

typedef struct columns_node {
    ur_node node;
    ur_tensor *a, *b, *y;
    size_t begin;
    const ur_layout *layout;
} columns_node;

/* out(r, to...) += x(r, from...) for `width` columns of every row, or a plain copy. */
static void add_columns(ur_tape *tape, size_t rows, size_t width, const float *x, size_t x_row,
                        float *out, size_t out_row)
{
    for (size_t r = 0; r < rows; r++)
        tape->cpu.kernels->add(width, x + r * x_row, out + r * out_row);
}

static void copy_columns(size_t rows, size_t width, const float *x, size_t x_row, float *out,
                         size_t out_row)
{
    for (size_t r = 0; r < rows; r++)
        memcpy(out + r * out_row, x + r * x_row, width * sizeof *out);
}

static void concat_back(ur_tape *tape, ur_node *node)
{
    columns_node *n = (columns_node *)node;
    if (!n->y->grad)
        return;
    const size_t rows = n->y->dim[0], width = n->y->dim[1], first = n->a->dim[1];
    float *da = ur_grad(tape, n->a), *db = ur_grad(tape, n->b);
    if (da)
        add_columns(tape, rows, first, n->y->grad, width, da, first);
    if (db)
        add_columns(tape, rows, width - first, n->y->grad + first, width, db, width - first);
}

ur_tensor *ur_concat(ur_tape *tape, ur_tensor *a, ur_tensor *b)
{
    if (!a || !b || !ur_tape_ok(tape))
        return NULL;
    if (a->ndim != 2 || b->ndim != 2 || a->dim[0] != b->dim[0])
        return ur_tape_fail(tape, UR_INVALID, "concat: rows of %s and %s do not match",
                            ur_shape(a).text, ur_shape(b).text);
    const size_t rows = a->dim[0], first = a->dim[1], second = b->dim[1];
    ur_tensor *y = ur_rows_new(tape, rows, first + second);
    if (!y)
        return NULL;
    copy_columns(rows, first, a->data, first, y->data, first + second);
    copy_columns(rows, second, b->data, second, ur_floats(y) + first, first + second);
    y->needs_grad = a->needs_grad || b->needs_grad;
    columns_node *n = y->needs_grad ? ur_record(tape, sizeof *n, concat_back) : NULL;
    if (n) {
        n->a = a;
        n->b = b;
        n->y = y;
    }
    return y;
}

ur_seq *ur_concat_seq(ur_tape *tape, ur_seq *a, ur_seq *b)
{
    if (!a || !b || !ur_tape_ok(tape))
        return NULL;
    if (!ur_layout_same_rows(a->layout, b->layout))
        return ur_tape_fail(tape, UR_INVALID, "concat: the sequences differ in length or order");
    return ur_seq_new(tape, ur_concat(tape, a->values, b->values), a->layout);
}

static void slice_back(ur_tape *tape, ur_node *node)
{
    columns_node *n = (columns_node *)node;
    float *dx = n->y->grad ? ur_grad(tape, n->a) : NULL;
    const size_t width = n->y->dim[1], whole = n->a->dim[1];
    if (dx)
        add_columns(tape, n->y->dim[0], width, n->y->grad, width, dx + n->begin, whole);
}

ur_tensor *ur_slice(ur_tape *tape, ur_tensor *x, size_t begin, size_t end)
{
    if (!x || !ur_tape_ok(tape))
        return NULL;
    if (x->ndim != 2 || begin > end || end > x->dim[1])
        return ur_tape_fail(tape, UR_INVALID, "slice: columns %zu to %zu of %s", begin, end,
                            ur_shape(x).text);
    const size_t rows = x->dim[0], width = end - begin;
    ur_tensor *y = ur_rows_new(tape, rows, width);
    if (!y)
        return NULL;
    copy_columns(rows, width, ur_floats(x) + begin, x->dim[1], y->data, width);
    y->needs_grad = x->needs_grad;
    columns_node *n = y->needs_grad ? ur_record(tape, sizeof *n, slice_back) : NULL;
    if (n) {
        n->a = x;
        n->y = y;
        n->begin = begin;
    }
    return y;
}

static void repeat_back(ur_tape *tape, ur_node *node)
{
    columns_node *n = (columns_node *)node;
    float *dx = n->y->grad ? ur_grad(tape, n->a) : NULL;
    const size_t width = n->y->dim[1];
    for (size_t b = 0; dx && b < n->layout->batch; b++)
        for (size_t t = 0; t < n->layout->length[b]; t++)
            tape->cpu.kernels->add(width, n->y->grad + ur_row(n->layout, b, t) * width,
                                   dx + b * width);
}

ur_seq *ur_repeat(ur_tape *tape, ur_tensor *x, const ur_layout *layout)
{
    if (!x || !layout || !ur_tape_ok(tape))
        return NULL;
    if (x->ndim != 2 || x->dim[0] != layout->batch)
        return ur_tape_fail(tape, UR_INVALID, "repeat: %s for a batch of %zu sequences",
                            ur_shape(x).text, layout->batch);
    const size_t width = x->dim[1];
    ur_tensor *y = ur_rows_new(tape, layout->rows, width);
    if (!y)
        return NULL;
    for (size_t b = 0; b < layout->batch; b++)
        for (size_t t = 0; t < layout->length[b]; t++)
            memcpy(ur_floats(y) + ur_row(layout, b, t) * width, ur_floats(x) + b * width,
                   width * sizeof(float));
    y->needs_grad = x->needs_grad;
    columns_node *n = y->needs_grad ? ur_record(tape, sizeof *n, repeat_back) : NULL;
    if (n) {
        n->a = x;
        n->y = y;
        n->layout = layout;
    }
    return ur_seq_new(tape, y, layout);
}
