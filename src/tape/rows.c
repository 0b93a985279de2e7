/* rows.c - operations that move rows and columns: concatenation, slices, repetition, sequences turned
 * around or put in the other order, last steps, states stacked and picked. */
#include "tape/tape.h"

#include <string.h>

/* ---- rows --------------------------------------------------------------------------------- */

typedef struct rows_node {
    ur_node node;
    size_t count, width;
    const size_t *from, *to; /* (count) */
} rows_node;

void ur_move_rows_back(ur_tape *tape, ur_node *node)
{
    const rows_node *n = (rows_node *)node;
    float *dx = ur_grad(tape, node->in[0]);
    if (dx)
        tape->backend->add_rows(&tape->on, n->count, n->width, n->to, node->out[0]->grad, n->from,
                                dx);
}

static void move_ids(size_t count, size_t width, const size_t *from, const int32_t *x,
                     const size_t *to, int32_t *y)
{
    for (size_t r = 0; r < count; r++)
        memcpy(y + (to ? to[r] : r) * width, x + (from ? from[r] : r) * width, width * sizeof *y);
}

ur_tensor *ur_move_rows(ur_tape *tape, const ur_op *op, ur_tensor *x, ur_tensor *y, size_t count,
                        size_t width, const size_t *from, const size_t *to)
{
    if (!x || !y || !ur_tape_ok(tape))
        return NULL;
    if (x->dtype != UR_F32) {
        move_ids(count, width, from, x->data, to, y->data);
        return y;
    }
    tape->backend->copy_rows(&tape->on, count, width, from, x->data, to, y->data);
    rows_node *n = ur_record(tape, op, sizeof *n, y, x, NULL);
    if (n) {
        n->count = count;
        n->width = width;
        n->from = from;
        n->to = to;
    }
    return ur_tape_ok(tape) ? y : NULL;
}

/* Floats in a row of a ragged batch's values, or 1 id. */
static size_t width_of(const ur_tensor *x)
{
    return x->ndim > 1 ? x->dim[1] : 1;
}

/* Values of a ragged batch: rows of features, or ids. */
static bool any_seq(ur_tape *tape, const ur_op *op, const ur_seq *x)
{
    const bool ids = x && x->values && x->values->dtype == UR_I32;
    return ur_operand_seq(tape, op, x, ids ? UR_I32 : UR_F32, ids ? 1 : 2);
}

/* The row of every step of every sequence, sequence by sequence, in this layout: forward or from the
 * last step on. */
static size_t *rows_in(ur_tape *tape, const ur_layout *l, bool turned)
{
    size_t *row = ur_take(tape, l->rows, sizeof *row), at = 0;
    for (size_t b = 0; row && b < l->batch; b++)
        for (size_t t = 0; t < l->length[b]; t++)
            row[at++] = ur_row(l, b, turned ? l->length[b] - 1 - t : t);
    return row;
}

ur_seq *ur_reorder(ur_tape *tape, const ur_seq *x, ur_order order)
{
    static const ur_op op = {"reorder", ur_move_rows_back, false};
    if (!any_seq(tape, &op, x))
        return NULL;
    if ((unsigned)order > UR_SEQUENCE_MAJOR)
        return ur_tape_fail(tape, UR_INVALID, "reorder: there is no order %d", (int)order);
    const ur_layout *to = ur_layout_reorder(tape->arena, x->layout, order);
    if (!to)
        return ur_tape_fail(tape, UR_NO_MEMORY, "out of memory: reordering %zu sequences",
                            x->layout->batch);
    if (to == x->layout)
        return ur_seq_new(tape, x->values, to);
    ur_tensor *y = ur_tensor_new(tape, x->values->dtype, x->values->ndim, x->values->dim);
    y = ur_move_rows(tape, &op, x->values, y, to->rows, width_of(x->values),
                     rows_in(tape, x->layout, false), rows_in(tape, to, false));
    return ur_seq_new(tape, y, to);
}

ur_seq *ur_reverse(ur_tape *tape, ur_seq *x)
{
    static const ur_op op = {"reverse", ur_move_rows_back, false};
    if (!any_seq(tape, &op, x))
        return NULL;
    const ur_layout *l = x->layout;
    ur_tensor *y = ur_tensor_new(tape, x->values->dtype, x->values->ndim, x->values->dim);
    y = ur_move_rows(tape, &op, x->values, y, l->rows, width_of(x->values), rows_in(tape, l, false),
                     rows_in(tape, l, true));
    return ur_seq_new(tape, y, l);
}

ur_seq *ur_repeat(ur_tape *tape, ur_tensor *x, const ur_layout *layout)
{
    static const ur_op op = {"repeat", ur_move_rows_back, false};
    if (!ur_operand(tape, &op, x, UR_F32, 2))
        return NULL;
    if (!layout || x->dim[0] != layout->batch)
        return ur_tape_fail(tape, UR_INVALID, "repeat: %s for a batch of %zu sequences",
                            ur_shape(x).text, layout ? layout->batch : 0);
    size_t *from = ur_take(tape, layout->rows, sizeof *from), at = 0;
    for (size_t b = 0; from && b < layout->batch; b++)
        for (size_t t = 0; t < layout->length[b]; t++)
            from[at++] = b;
    ur_tensor *y = ur_rows_new(tape, layout->rows, x->dim[1]);
    y = ur_move_rows(tape, &op, x, y, layout->rows, x->dim[1], from, rows_in(tape, layout, false));
    return ur_seq_new(tape, y, layout);
}

/* A row for each sequence: its last step, or its step t; zeros where it has none. */
static ur_tensor *one_step(ur_tape *tape, const ur_op *op, const ur_seq *x, bool last, size_t t)
{
    if (!ur_operand_seq(tape, op, x, UR_F32, 2))
        return NULL;
    const ur_layout *l = x->layout;
    const size_t width = x->values->dim[1];
    size_t *from = ur_take(tape, l->batch, sizeof *from), *to = ur_take(tape, l->batch, sizeof *to);
    ur_tensor *y = ur_rows_new(tape, l->batch, width);
    if (!from || !to || !y)
        return NULL;
    size_t count = 0;
    for (size_t b = 0; b < l->batch; b++) {
        const size_t step = last ? l->length[b] - 1 : t;
        if (step < l->length[b]) { /* the step before the first is past every length */
            from[count] = ur_row(l, b, step);
            to[count++] = b;
        }
    }
    tape->backend->fill(&tape->on, ur_count(y), 0.0f, y->data);
    return ur_move_rows(tape, op, x->values, y, count, width, from, to);
}

ur_tensor *ur_last_steps(ur_tape *tape, const ur_seq *x)
{
    static const ur_op op = {"last_steps", ur_move_rows_back, false};
    return one_step(tape, &op, x, true, 0);
}

ur_tensor *ur_step_of(ur_tape *tape, const ur_seq *x, size_t t)
{
    static const ur_op op = {"step_of", ur_move_rows_back, false};
    return one_step(tape, &op, x, false, t);
}

ur_tensor *ur_rows_of(ur_tape *tape, ur_tensor *x, size_t count, const size_t *row)
{
    static const ur_op op = {"rows_of", ur_move_rows_back, false};
    if (!ur_operand(tape, &op, x, UR_F32, 2))
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (row[i] >= x->dim[0])
            return ur_tape_fail(tape, UR_INVALID, "rows_of: row %zu of %s", row[i],
                                ur_shape(x).text);
    ur_tensor *y = ur_rows_new(tape, count, x->dim[1]);
    return ur_move_rows(tape, &op, x, y, count, x->dim[1], row, NULL);
}

static const size_t *one_index(ur_tape *tape, size_t index)
{
    size_t *at = ur_take(tape, 1, sizeof *at);
    if (at)
        *at = index;
    return at;
}

ur_tensor *ur_pick(ur_tape *tape, ur_tensor *x, size_t index)
{
    static const ur_op op = {"pick", ur_move_rows_back, false};
    if (!ur_operand(tape, &op, x, UR_F32, 3))
        return NULL;
    if (index >= x->dim[0])
        return ur_tape_fail(tape, UR_INVALID, "pick: number %zu of %s", index, ur_shape(x).text);
    ur_tensor *y = ur_tensor_new(tape, UR_F32, 2, x->dim + 1);
    const size_t *from = one_index(tape, index);
    return ur_move_rows(tape, &op, x, y, 1, x->dim[1] * x->dim[2], from, NULL);
}

static void stack_back(ur_tape *tape, ur_node *n)
{
    const size_t size = ur_count(n->in[0]);
    for (size_t i = 0; i < n->ins; i++) {
        float *dx = ur_grad(tape, n->in[i]);
        if (dx)
            tape->backend->add_rows(&tape->on, 1, size, &i, n->out[0]->grad, NULL, dx);
    }
}

ur_tensor *ur_stack(ur_tape *tape, size_t count, ur_tensor *const *x)
{
    static const ur_op op = {"stack", stack_back, false};
    if (ur_tape_ok(tape) && count == 0)
        return ur_tape_fail(tape, UR_INVALID, "stack: of nothing");
    for (size_t i = 0; i < count; i++) {
        if (!ur_operand(tape, &op, x[i], UR_F32, 2))
            return NULL;
        if (x[i]->dim[0] != x[0]->dim[0] || x[i]->dim[1] != x[0]->dim[1])
            return ur_tape_fail(tape, UR_INVALID, "stack: %s and %s differ", ur_shape(x[0]).text,
                                ur_shape(x[i]).text);
    }
    ur_tensor *y =
        count ? ur_tensor_new(tape, UR_F32, 3, (size_t[]){count, x[0]->dim[0], x[0]->dim[1]})
              : NULL;
    for (size_t i = 0; y && i < count; i++)
        tape->backend->copy_rows(&tape->on, 1, ur_count(x[0]), NULL, x[i]->data, &i, y->data);
    if (y)
        ur_record_all(tape, &op, sizeof(ur_node), 1, &y, count, x);
    return ur_tape_ok(tape) ? y : NULL;
}

/* ---- columns ------------------------------------------------------------------------------ */

static void concat_back(ur_tape *tape, ur_node *n)
{
    const ur_tensor *y = n->out[0];
    const size_t rows = y->dim[0], width = y->dim[1];
    for (size_t i = 0, begin = 0; i < 2; begin += n->in[i++]->dim[1]) {
        const size_t part = n->in[i]->dim[1];
        float *dx = ur_grad(tape, n->in[i]);
        if (dx)
            tape->backend->add_columns(&tape->on, rows, part, y->grad + begin, width, dx, part);
    }
}

ur_tensor *ur_concat(ur_tape *tape, ur_tensor *a, ur_tensor *b)
{
    static const ur_op op = {"concat", concat_back, false};
    if (!ur_operand(tape, &op, a, UR_F32, 2) || !ur_operand(tape, &op, b, UR_F32, 2))
        return NULL;
    if (a->dim[0] != b->dim[0])
        return ur_tape_fail(tape, UR_INVALID, "concat: rows of %s and %s do not match",
                            ur_shape(a).text, ur_shape(b).text);
    const size_t rows = a->dim[0], first = a->dim[1], second = b->dim[1];
    ur_tensor *y = ur_rows_new(tape, rows, first + second);
    if (!y)
        return NULL;
    const ur_backend *on = tape->backend;
    on->copy_columns(&tape->on, rows, first, a->data, first, y->data, first + second);
    on->copy_columns(&tape->on, rows, second, b->data, second, (float *)y->data + first,
                     first + second);
    ur_record(tape, &op, sizeof(ur_node), y, a, b);
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

typedef struct slice_node {
    ur_node node;
    size_t begin;
} slice_node;

static void slice_back(ur_tape *tape, ur_node *n)
{
    const ur_tensor *x = n->in[0], *y = n->out[0];
    float *dx = ur_grad(tape, n->in[0]);
    if (dx)
        tape->backend->add_columns(&tape->on, y->dim[0], y->dim[1], y->grad, y->dim[1],
                                   dx + ((slice_node *)n)->begin, x->dim[1]);
}

ur_tensor *ur_slice(ur_tape *tape, ur_tensor *x, size_t begin, size_t end)
{
    static const ur_op op = {"slice", slice_back, false};
    if (!ur_operand(tape, &op, x, UR_F32, 2))
        return NULL;
    if (begin > end || end > x->dim[1])
        return ur_tape_fail(tape, UR_INVALID, "slice: columns %zu to %zu of %s", begin, end,
                            ur_shape(x).text);
    const size_t rows = x->dim[0], width = end - begin;
    ur_tensor *y = ur_rows_new(tape, rows, width);
    if (!y)
        return NULL;
    tape->backend->copy_columns(&tape->on, rows, width, (const float *)x->data + begin, x->dim[1],
                                y->data, width);
    slice_node *n = ur_record(tape, &op, sizeof *n, y, x, NULL);
    if (n)
        n->begin = begin;
    return y;
}
