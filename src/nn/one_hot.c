/* one_hot.c - a recurrent layer whose inputs are one-hot rows, given by their ids.
 *
 *   a_t = (column id_t of W_ih) + b_ih + W_hh h_{t-1} + b_hh
 * The columns become a table that rows look up. With fewer rows than columns only the columns that
 * occur do, in the order of their first appearance. */
#include "nn/nn.h"

#include <string.h>

/* Table rows for all columns: id d is row d. */
static void all_columns(ur_cell_input *in, const int32_t *id, int32_t *column)
{
    for (size_t d = 0; d < in->table_rows; d++)
        column[d] = (int32_t)d;
    in->ids = id;
    in->column = column;
}

/* Table rows for the columns that occur. */
static void some_columns(ur_tape *tape, ur_cell_input *in, size_t rows, const int32_t *id,
                         size_t input_size, int32_t *column)
{
    int32_t *number = ur_take(tape, input_size, sizeof *number); /* 1 + the table's row; 0: none */
    int32_t *ids = ur_take(tape, rows, sizeof *ids);
    if (!number || !ids)
        return;
    memset(number, 0, input_size * sizeof *number);
    in->table_rows = 0;
    for (size_t r = 0; r < rows; r++) {
        if (number[id[r]] == 0) {
            column[in->table_rows++] = id[r];
            number[id[r]] = (int32_t)in->table_rows;
        }
        ids[r] = number[id[r]] - 1;
    }
    in->ids = ids;
    in->column = column;
}

bool ur_one_hot_input(ur_tape *tape, const ur_op *op, const ur_cell_layer *l, const ur_seq *steps,
                      ur_cell_input *in)
{
    if (!ur_ids_in_range(tape, op, l->input_size, false, steps))
        return false;
    const size_t rows = steps->layout->rows;
    const int32_t *id = ur_ints(steps->values);
    *in = (ur_cell_input){.table_rows = rows < l->input_size ? rows : l->input_size};
    int32_t *column = ur_take(tape, in->table_rows, sizeof *column);
    if (!column)
        return false;
    if (rows < l->input_size) /* depends on shapes alone: so do the bits */
        some_columns(tape, in, rows, id, l->input_size, column);
    else
        all_columns(in, id, column);
    return ur_tape_ok(tape);
}

ur_rnn_out ur_cell_over_one_hot(ur_tape *tape, const ur_op *op, const ur_cell_layer *l,
                                const ur_seq *ids, ur_state initial)
{
    const ur_rnn_out nothing = {0};
    if (!ids || !ur_tape_ok(tape))
        return nothing;
    const ur_seq *steps = ur_reorder(tape, ids, UR_STEP_MAJOR);
    ur_cell_input in;
    if (!steps || !ur_one_hot_input(tape, op, l, steps, &in))
        return nothing;
    ur_rnn_out out = ur_cell_run(tape, l, in, steps->layout, initial, NULL);
    out.y = ur_reorder(tape, out.y, ids->layout->order);
    return ur_tape_ok(tape) ? out : nothing;
}

ur_rnn_out ur_cell_one_hot(ur_tape *tape, const ur_cell_layer *l, const ur_seq *ids,
                           ur_state initial)
{
    static const ur_op op = {.name = "cell_one_hot"};
    return ur_cell_over_one_hot(tape, &op, l, ids, initial);
}
