/* padding.c - ragged batches from and to arrays with padding: (B,T,...) batch first, or (T,B,...).
 *
 * What stands beyond a sequence's end is not looked at on the way in, and is a value of the caller's
 * choice on the way out; gradients pass between the steps that exist. */
#include "tape/tape.h"

#include <string.h>

/* Where step t of sequence b stands in the padded array, counted in steps. */
typedef struct grid {
    size_t batch, steps;
    bool batch_first;
} grid;

static size_t place(const grid *g, size_t b, size_t t)
{
    return g->batch_first ? b * g->steps + t : t * g->batch + b;
}

typedef struct padding_node {
    ur_node node;
    ur_tensor *x, *y;
    const ur_layout *layout;
    grid grid;
    bool out; /* y is the padded one */
} padding_node;

static void padding_back(ur_tape *tape, ur_node *node)
{
    padding_node *n = (padding_node *)node;
    float *dx = n->y->grad ? ur_grad(tape, n->x) : NULL;
    const size_t width = n->out ? n->x->dim[1] : n->y->dim[1];
    for (size_t b = 0; dx && b < n->layout->batch; b++)
        for (size_t t = 0; t < n->layout->length[b]; t++) {
            const size_t row = ur_row(n->layout, b, t), at = place(&n->grid, b, t);
            tape->cpu.kernels->add(width, n->y->grad + (n->out ? at : row) * width,
                                   dx + (n->out ? row : at) * width);
        }
}

static void record(ur_tape *tape, ur_tensor *x, ur_tensor *y, const ur_layout *layout, grid g,
                   bool out)
{
    y->needs_grad = x->needs_grad;
    padding_node *n = y->needs_grad ? ur_record(tape, sizeof *n, padding_back) : NULL;
    if (!n)
        return;
    n->x = x;
    n->y = y;
    n->layout = layout;
    n->grid = g;
    n->out = out;
}

static size_t row_bytes(const ur_tensor *x, size_t width)
{
    return width * (x->dtype == UR_F32 ? sizeof(float) : sizeof(int32_t));
}

/* Floats have a dimension of features, ids have none. */
static int padded_dims(const ur_tensor *x)
{
    return x->dtype == UR_F32 ? 3 : 2;
}

ur_seq *ur_from_padded(ur_tape *tape, const ur_layout *layout, ur_tensor *x, bool batch_first)
{
    if (!x || !layout || !ur_tape_ok(tape))
        return NULL;
    const grid g = {layout->batch, x->dim[batch_first ? 1 : 0], batch_first};
    if (x->ndim != padded_dims(x) || x->dim[batch_first ? 0 : 1] != g.batch ||
        g.steps < layout->steps)
        return ur_tape_fail(tape, UR_INVALID,
                            "from_padded: %s does not hold %zu sequences of up to %zu steps, %s",
                            ur_shape(x).text, layout->batch, layout->steps,
                            batch_first ? "batch first" : "steps first");
    const size_t width = x->ndim == 3 ? x->dim[2] : 1, bytes = row_bytes(x, width);
    ur_tensor *y = ur_tensor_new(tape, x->dtype, x->ndim - 1, (size_t[]){layout->rows, width});
    if (!y)
        return NULL;
    for (size_t b = 0; b < layout->batch; b++)
        for (size_t t = 0; t < layout->length[b]; t++)
            memcpy((char *)y->data + ur_row(layout, b, t) * bytes,
                   (const char *)x->data + place(&g, b, t) * bytes, bytes);
    record(tape, x, y, layout, g, false);
    return ur_seq_new(tape, y, layout);
}

/* Whether the value is one that an id can have. */
static bool whole_number(double value)
{
    return value >= INT32_MIN && value <= INT32_MAX && value == (double)(int32_t)value;
}

static void fill(ur_tensor *y, double value)
{
    for (size_t i = 0; y->dtype == UR_F32 && i < ur_count(y); i++)
        ur_floats(y)[i] = (float)value;
    for (size_t i = 0; y->dtype == UR_I32 && i < ur_count(y); i++)
        ur_ints(y)[i] = (int32_t)value;
}

ur_tensor *ur_to_padded(ur_tape *tape, const ur_seq *x, size_t steps, double value,
                        bool batch_first)
{
    if (!x || !ur_tape_ok(tape))
        return NULL;
    const ur_layout *layout = x->layout;
    const grid g = {layout->batch, steps ? steps : layout->steps, batch_first};
    ur_tensor *in = x->values;
    if (g.steps < layout->steps)
        return ur_tape_fail(tape, UR_INVALID,
                            "to_padded: %zu steps, but the longest sequence has %zu", steps,
                            layout->steps);
    if (in->dtype == UR_I32 && !whole_number(value))
        return ur_tape_fail(tape, UR_INVALID, "to_padded: ids cannot be padded with %g", value);
    const size_t width = in->ndim > 1 ? in->dim[1] : 1, bytes = row_bytes(in, width);
    const size_t dim[] = {batch_first ? g.batch : g.steps, batch_first ? g.steps : g.batch, width};
    ur_tensor *y = ur_tensor_new(tape, in->dtype, padded_dims(in), dim);
    if (!y)
        return NULL;
    fill(y, value);
    for (size_t b = 0; b < layout->batch; b++)
        for (size_t t = 0; t < layout->length[b]; t++)
            memcpy((char *)y->data + place(&g, b, t) * bytes,
                   (const char *)in->data + ur_row(layout, b, t) * bytes, bytes);
    record(tape, in, y, layout, g, true);
    return y;
}
