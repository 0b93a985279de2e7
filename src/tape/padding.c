/* padding.c - ragged batches from and to arrays with padding: (B,T,...) batch first, or (T,B,...).
 *
 * What stands beyond a sequence's end is not looked at on the way in, and is a value of the caller's
 * choice on the way out; gradients pass between the steps that exist. */
#include "tape/tape.h"

/* Where step t of sequence b stands in the padded array, counted in steps. */
typedef struct grid {
    size_t batch, steps;
    bool batch_first;
} grid;

static size_t place(const grid *g, size_t b, size_t t)
{
    return g->batch_first ? b * g->steps + t : t * g->batch + b;
}

/* Floats have a dimension of features, ids have none. */
static int padded_dims(ur_dtype dtype)
{
    return dtype == UR_F32 ? 3 : 2;
}

/* The rows of all steps in the layout and in the grid. */
typedef struct places {
    size_t *row, *at;
} places;

static places places_of(ur_tape *tape, const ur_layout *layout, grid g)
{
    const places p = {ur_take(tape, layout->rows, sizeof(size_t)),
                      ur_take(tape, layout->rows, sizeof(size_t))};
    for (size_t b = 0, i = 0; ur_tape_ok(tape) && b < layout->batch; b++)
        for (size_t t = 0; t < layout->length[b]; t++, i++) {
            p.row[i] = ur_row(layout, b, t);
            p.at[i] = place(&g, b, t);
        }
    return p;
}

ur_seq *ur_from_padded(ur_tape *tape, const ur_layout *layout, ur_tensor *x, bool batch_first)
{
    static const ur_op op = {"from_padded", ur_move_rows_back, false};
    const bool ids = x && x->dtype == UR_I32;
    if (!ur_operand(tape, &op, x, ids ? UR_I32 : UR_F32, ids ? 2 : 3))
        return NULL;
    if (!layout)
        return ur_tape_fail(tape, UR_INVALID, "from_padded: the layout is missing (NULL)");
    const grid g = {layout->batch, x->dim[batch_first ? 1 : 0], batch_first};
    if (x->dim[batch_first ? 0 : 1] != g.batch || g.steps < layout->steps)
        return ur_tape_fail(tape, UR_INVALID,
                            "from_padded: %s does not hold %zu sequences of up to %zu steps, %s",
                            ur_shape(x).text, layout->batch, layout->steps,
                            batch_first ? "batch first" : "steps first");
    const size_t width = x->ndim == 3 ? x->dim[2] : 1;
    ur_tensor *y = ur_tensor_new(tape, x->dtype, x->ndim - 1, (size_t[]){layout->rows, width});
    const places p = places_of(tape, layout, g);
    y = ur_move_rows(tape, &op, x, y, layout->rows, width, p.at, p.row);
    return ur_seq_new(tape, y, layout);
}

/* Whether the value is one that an id can have. */
static bool whole_number(double value)
{
    return value >= INT32_MIN && value <= INT32_MAX && value == (double)(int32_t)value;
}

static void fill(ur_tape *tape, ur_tensor *y, double value)
{
    if (y->dtype == UR_F32)
        tape->backend->fill(&tape->on, ur_count(y), (float)value, y->data);
    for (size_t i = 0; y->dtype == UR_I32 && i < ur_count(y); i++)
        ur_ints(y)[i] = (int32_t)value;
}

ur_tensor *ur_to_padded(ur_tape *tape, const ur_seq *x, size_t steps, double value,
                        bool batch_first)
{
    UR_FPMODE_HERE;
    static const ur_op op = {"to_padded", ur_move_rows_back, false};
    const bool ids = x && x->values && x->values->dtype == UR_I32;
    if (!ur_operand_seq(tape, &op, x, ids ? UR_I32 : UR_F32, ids ? 1 : 2))
        return NULL;
    const ur_layout *layout = x->layout;
    const grid g = {layout->batch, steps ? steps : layout->steps, batch_first};
    ur_tensor *in = x->values;
    if (g.steps < layout->steps)
        return ur_tape_fail(tape, UR_INVALID,
                            "to_padded: %zu steps, but the longest sequence has %zu", steps,
                            layout->steps);
    if (ids && !whole_number(value))
        return ur_tape_fail(tape, UR_INVALID, "to_padded: ids cannot be padded with %g", value);
    const size_t width = ids ? 1 : in->dim[1];
    const size_t dim[] = {batch_first ? g.batch : g.steps, batch_first ? g.steps : g.batch, width};
    ur_tensor *y = ur_tensor_new(tape, in->dtype, padded_dims(in->dtype), dim);
    const places p = places_of(tape, layout, g);
    if (y)
        fill(tape, y, value);
    return ur_move_rows(tape, &op, in, y, layout->rows, width, p.row, p.at);
}
