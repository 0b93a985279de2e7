/* steps.c - the steps of a ragged batch one by one, for a recurrence that is a graph at every step: rows
 * taken out, states of the sequences that go on, and the steps' results put together again. */
#include "tape/tape.h"

ur_tensor *ur_rows_from(ur_tape *tape, ur_tensor *x, size_t begin, size_t count)
{
    static const ur_op op = {"rows_from", ur_move_rows_back, false};
    if (!ur_operand(tape, &op, x, UR_F32, 2))
        return NULL;
    if (begin > x->dim[0] || count > x->dim[0] - begin)
        return ur_tape_fail(tape, UR_INVALID, "rows_from: rows [%zu, %zu) of %s", begin,
                            begin + count, ur_shape(x).text);
    size_t *from = ur_take(tape, count, sizeof *from);
    for (size_t r = 0; from && r < count; r++)
        from[r] = begin + r;
    return ur_move_rows(tape, &op, x, ur_rows_new(tape, count, x->dim[1]), count, x->dim[1], from,
                        NULL);
}

ur_tensor *ur_first_of_each(ur_tape *tape, ur_tensor *x, size_t rows)
{
    static const ur_op op = {"first_of_each", ur_move_rows_back, false};
    if (!ur_operand(tape, &op, x, UR_F32, 3))
        return NULL;
    if (rows > x->dim[1])
        return ur_tape_fail(tape, UR_INVALID, "first_of_each: %zu rows of %s", rows,
                            ur_shape(x).text);
    const size_t blocks = x->dim[0], all = x->dim[1], width = x->dim[2];
    size_t *from = ur_take(tape, blocks * rows, sizeof *from);
    ur_tensor *y = ur_tensor_new(tape, UR_F32, 3, (size_t[]){blocks, rows, width});
    for (size_t r = 0; from && r < blocks * rows; r++)
        from[r] = r / rows * all + r % rows;
    return ur_move_rows(tape, &op, x, from ? y : NULL, blocks * rows, width, from, NULL);
}

static void join_back(ur_tape *tape, ur_node *n)
{
    const float *dy = n->out[0]->grad;
    for (size_t i = 0; i < n->ins; dy += ur_count(n->in[i++])) {
        float *dx = ur_grad(tape, n->in[i]);
        if (dx)
            tape->backend->add(&tape->on, ur_count(n->in[i]), dy, dx);
    }
}

ur_tensor *ur_join_rows(ur_tape *tape, size_t count, ur_tensor *const *x)
{
    static const ur_op op = {"join_rows", join_back, false};
    size_t rows = 0, at = 0;
    if (ur_tape_ok(tape) && count == 0)
        return ur_tape_fail(tape, UR_INVALID, "join_rows: of nothing");
    for (size_t i = 0; i < count; i++) {
        if (!ur_operand(tape, &op, x[i], UR_F32, 2))
            return NULL;
        if (x[i]->dim[1] != x[0]->dim[1])
            return ur_tape_fail(tape, UR_INVALID, "join_rows: %s and %s differ in their columns",
                                ur_shape(x[0]).text, ur_shape(x[i]).text);
        rows += x[i]->dim[0];
    }
    ur_tensor *y = count ? ur_rows_new(tape, rows, x[0]->dim[1]) : NULL;
    for (size_t i = 0; y && i < count; at += x[i++]->dim[0])
        tape->backend->copy_rows(&tape->on, x[i]->dim[0], x[i]->dim[1], NULL, x[i]->data, NULL,
                                 ur_floats(y) + at * y->dim[1]);
    if (y)
        ur_record_all(tape, &op, sizeof(ur_node), 1, &y, count, x);
    return ur_tape_ok(tape) ? y : NULL;
}
