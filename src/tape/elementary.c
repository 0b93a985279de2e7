/* elementary.c - operations on tensors of one shape, forward and backward.
 *
 *   add sub mul:  element by element           scale: x * factor
 *   sigmoid tanh: f(x),  dx += dy f'(x)
 *   softmax:  over the last dimension          sum: of all elements */
#include "tape/tape.h"

#include <string.h>

typedef struct element_node {
    ur_node node;
    float factor;
    ur_map map;
} element_node;

/* ---- two tensors -------------------------------------------------------------------------- */

static bool same_shape(const ur_tensor *a, const ur_tensor *b)
{
    return a->ndim == b->ndim && memcmp(a->dim, b->dim, (size_t)a->ndim * sizeof *a->dim) == 0;
}

static ur_tensor *result_of_two(ur_tape *tape, const ur_op *op, ur_tensor *a, ur_tensor *b)
{
    if (!ur_operand(tape, op, a, UR_F32, 0) || !ur_operand(tape, op, b, UR_F32, 0))
        return NULL;
    if (!same_shape(a, b))
        return ur_tape_fail(tape, UR_INVALID, "%s: shapes %s and %s must be equal", op->name,
                            ur_shape(a).text, ur_shape(b).text);
    return ur_tensor_new(tape, UR_F32, a->ndim, a->dim);
}

static void add_back(ur_tape *tape, ur_node *n)
{
    const ur_tensor *y = n->out[0];
    float *da = ur_grad(tape, n->in[0]), *db = ur_grad(tape, n->in[1]);
    if (da)
        tape->backend->add(&tape->on, ur_count(y), y->grad, da);
    if (db)
        tape->backend->axpy(&tape->on, ur_count(y), ((element_node *)n)->factor, y->grad, db);
}

static const ur_op add_op = {"add", add_back, false}, sub_op = {"sub", add_back, false};

/* a + factor b */
static ur_tensor *add_scaled(ur_tape *tape, const ur_op *op, ur_tensor *a, ur_tensor *b,
                             float factor)
{
    ur_tensor *y = result_of_two(tape, op, a, b);
    if (!y)
        return NULL;
    const ur_backend *on = tape->backend;
    on->copy_rows(&tape->on, 1, ur_count(y), NULL, a->data, NULL, y->data);
    if (op == &add_op)
        on->add(&tape->on, ur_count(y), b->data, y->data);
    else
        on->axpy(&tape->on, ur_count(y), factor, b->data, y->data);
    element_node *n = ur_record(tape, op, sizeof *n, y, a, b);
    if (n)
        n->factor = factor;
    return y;
}

ur_tensor *ur_add(ur_tape *tape, ur_tensor *a, ur_tensor *b)
{
    return add_scaled(tape, &add_op, a, b, 1.0f);
}

ur_tensor *ur_sub(ur_tape *tape, ur_tensor *a, ur_tensor *b)
{
    return add_scaled(tape, &sub_op, a, b, -1.0f);
}

static void mul_back(ur_tape *tape, ur_node *n)
{
    const ur_tensor *a = n->in[0], *b = n->in[1], *y = n->out[0];
    float *da = ur_grad(tape, n->in[0]), *db = ur_grad(tape, n->in[1]);
    if (da)
        tape->backend->mul_add(&tape->on, ur_count(y), y->grad, b->data, da);
    if (db)
        tape->backend->mul_add(&tape->on, ur_count(y), y->grad, a->data, db);
}

ur_tensor *ur_mul(ur_tape *tape, ur_tensor *a, ur_tensor *b)
{
    static const ur_op op = {"mul", mul_back, false};
    ur_tensor *y = result_of_two(tape, &op, a, b);
    if (y) {
        tape->backend->mul(&tape->on, ur_count(y), a->data, b->data, y->data);
        ur_record(tape, &op, sizeof(ur_node), y, a, b);
    }
    return y;
}

/* ---- one tensor --------------------------------------------------------------------------- */

static ur_tensor *result_of_one(ur_tape *tape, const ur_op *op, ur_tensor *x)
{
    return ur_operand(tape, op, x, UR_F32, 0) ? ur_tensor_new(tape, UR_F32, x->ndim, x->dim) : NULL;
}

static void scale_back(ur_tape *tape, ur_node *n)
{
    const ur_tensor *y = n->out[0];
    float *dx = ur_grad(tape, n->in[0]);
    if (dx)
        tape->backend->axpy(&tape->on, ur_count(y), ((element_node *)n)->factor, y->grad, dx);
}

ur_tensor *ur_scale(ur_tape *tape, ur_tensor *x, float factor)
{
    static const ur_op op = {"scale", scale_back, false};
    ur_tensor *y = result_of_one(tape, &op, x);
    if (!y)
        return NULL;
    tape->backend->scale(&tape->on, ur_count(y), factor, x->data, y->data);
    element_node *n = ur_record(tape, &op, sizeof *n, y, x, NULL);
    if (n)
        n->factor = factor;
    return y;
}

static void map_back(ur_tape *tape, ur_node *n)
{
    const ur_tensor *x = n->in[0], *y = n->out[0];
    float *dx = ur_grad(tape, n->in[0]);
    if (dx)
        tape->backend->map_back(&tape->on, ((element_node *)n)->map, ur_count(y), x->data, y->data,
                                y->grad, dx);
}

static ur_tensor *mapped(ur_tape *tape, const ur_op *op, ur_map map, ur_tensor *x)
{
    ur_tensor *y = result_of_one(tape, op, x);
    if (!y)
        return NULL;
    tape->backend->map(&tape->on, map, ur_count(y), x->data, y->data);
    element_node *n = ur_record(tape, op, sizeof *n, y, x, NULL);
    if (n)
        n->map = map;
    return y;
}

ur_tensor *ur_sigmoid(ur_tape *tape, ur_tensor *x)
{
    static const ur_op op = {"sigmoid", map_back, false};
    return mapped(tape, &op, UR_MAP_SIGMOID, x);
}

ur_tensor *ur_tanh(ur_tape *tape, ur_tensor *x)
{
    static const ur_op op = {"tanh", map_back, false};
    return mapped(tape, &op, UR_MAP_TANH, x);
}

static size_t last_dim(const ur_tensor *x)
{
    return x->dim[x->ndim - 1];
}

/* Everything but the last dimension. */
static size_t rows_of(const ur_tensor *x)
{
    return last_dim(x) ? ur_count(x) / last_dim(x) : 0;
}

static void softmax_back(ur_tape *tape, ur_node *n)
{
    const ur_tensor *y = n->out[0];
    float *dx = ur_grad(tape, n->in[0]);
    if (dx)
        tape->backend->softmax_back(&tape->on, rows_of(y), last_dim(y), y->data, y->grad, dx);
}

ur_tensor *ur_softmax(ur_tape *tape, ur_tensor *x)
{
    static const ur_op op = {"softmax", softmax_back, false};
    ur_tensor *y = result_of_one(tape, &op, x);
    if (y) {
        tape->backend->softmax(&tape->on, rows_of(x), last_dim(x), x->data, y->data);
        ur_record(tape, &op, sizeof(ur_node), y, x, NULL);
    }
    return y;
}

static void sum_back(ur_tape *tape, ur_node *n)
{
    float *dx = ur_grad(tape, n->in[0]);
    if (dx)
        tape->backend->spread(&tape->on, ur_count(n->in[0]), n->out[0]->grad, dx);
}

ur_tensor *ur_sum(ur_tape *tape, ur_tensor *x)
{
    static const ur_op op = {"sum", sum_back, false};
    ur_tensor *y =
        ur_operand(tape, &op, x, UR_F32, 0) ? ur_tensor_new(tape, UR_F32, 1, (size_t[]){1}) : NULL;
    if (y) {
        tape->backend->sum(&tape->on, ur_count(x), x->data, y->data);
        ur_record(tape, &op, sizeof(ur_node), y, x, NULL);
    }
    return y;
}
