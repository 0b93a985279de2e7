/* elementary.c - operations on tensors of one shape, forward and backward.
 *
 *   add sub mul:  element by element           scale: x * factor
 *   sigmoid tanh: f(x),  dx += dy f'(x)
 *   div: da += dy / b, db -= dy y / b          exp log relu gelu gelu_tanh: f(x)
 *   softmax, layer_norm: over the last dimension          sum mean: of all elements
 *   expand expand_rows reshape transpose: the same numbers in another shape */
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
    UR_FPMODE_HERE;
    return add_scaled(tape, &add_op, a, b, 1.0f);
}

ur_tensor *ur_sub(ur_tape *tape, ur_tensor *a, ur_tensor *b)
{
    UR_FPMODE_HERE;
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
    UR_FPMODE_HERE;
    static const ur_op op = {"mul", mul_back, false};
    ur_tensor *y = result_of_two(tape, &op, a, b);
    if (y) {
        tape->backend->mul(&tape->on, ur_count(y), a->data, b->data, y->data);
        ur_record(tape, &op, sizeof(ur_node), y, a, b);
    }
    return y;
}

/* da += dy / b,  db -= dy y / b */
static void div_back(ur_tape *tape, ur_node *n)
{
    const ur_tensor *b = n->in[1], *y = n->out[0];
    const ur_backend *on = tape->backend;
    const size_t count = ur_count(y);
    float *da = ur_grad(tape, n->in[0]), *db = ur_grad(tape, n->in[1]);
    float *d = ur_take_floats(tape, count);
    if (!d)
        return;
    on->div(&tape->on, count, y->grad, b->data, d);
    if (da)
        on->add(&tape->on, count, d, da);
    if (!db)
        return;
    on->scale(&tape->on, count, -1.0f, d, d);
    on->mul_add(&tape->on, count, d, y->data, db);
}

ur_tensor *ur_div(ur_tape *tape, ur_tensor *a, ur_tensor *b)
{
    UR_FPMODE_HERE;
    static const ur_op op = {"div", div_back, false};
    ur_tensor *y = result_of_two(tape, &op, a, b);
    if (y) {
        tape->backend->div(&tape->on, ur_count(y), a->data, b->data, y->data);
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
    UR_FPMODE_HERE;
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
    UR_FPMODE_HERE;
    static const ur_op op = {"sigmoid", map_back, false};
    return mapped(tape, &op, UR_MAP_SIGMOID, x);
}

ur_tensor *ur_tanh(ur_tape *tape, ur_tensor *x)
{
    UR_FPMODE_HERE;
    static const ur_op op = {"tanh", map_back, false};
    return mapped(tape, &op, UR_MAP_TANH, x);
}

ur_tensor *ur_exp(ur_tape *tape, ur_tensor *x)
{
    UR_FPMODE_HERE;
    static const ur_op op = {"exp", map_back, false};
    return mapped(tape, &op, UR_MAP_EXP, x);
}

ur_tensor *ur_log(ur_tape *tape, ur_tensor *x)
{
    UR_FPMODE_HERE;
    static const ur_op op = {"log", map_back, false};
    return mapped(tape, &op, UR_MAP_LOG, x);
}

ur_tensor *ur_relu(ur_tape *tape, ur_tensor *x)
{
    UR_FPMODE_HERE;
    static const ur_op op = {"relu", map_back, false};
    return mapped(tape, &op, UR_MAP_RELU, x);
}

ur_tensor *ur_gelu(ur_tape *tape, ur_tensor *x)
{
    UR_FPMODE_HERE;
    static const ur_op op = {"gelu", map_back, false};
    return mapped(tape, &op, UR_MAP_GELU, x);
}

ur_tensor *ur_gelu_tanh(ur_tape *tape, ur_tensor *x)
{
    UR_FPMODE_HERE;
    static const ur_op op = {"gelu_tanh", map_back, false};
    return mapped(tape, &op, UR_MAP_GELU_TANH, x);
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
    UR_FPMODE_HERE;
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
    UR_FPMODE_HERE;
    static const ur_op op = {"sum", sum_back, false};
    ur_tensor *y =
        ur_operand(tape, &op, x, UR_F32, 0) ? ur_tensor_new(tape, UR_F32, 1, (size_t[]){1}) : NULL;
    if (y) {
        tape->backend->sum(&tape->on, ur_count(x), x->data, y->data);
        ur_record(tape, &op, sizeof(ur_node), y, x, NULL);
    }
    return y;
}

ur_tensor *ur_mean(ur_tape *tape, ur_tensor *x)
{
    UR_FPMODE_HERE;
    const size_t count = x ? ur_count(x) : 0;
    return ur_scale(tape, ur_sum(tape, x), 1.0f / (float)(count ? count : 1));
}

/* ---- shapes ------------------------------------------------------------------------------- */

static void expand_back(ur_tape *tape, ur_node *n)
{
    float *dx = ur_grad(tape, n->in[0]), *sum = dx ? ur_take_floats(tape, 1) : NULL;
    if (!sum)
        return;
    tape->backend->sum(&tape->on, ur_count(n->out[0]), n->out[0]->grad, sum);
    tape->backend->add(&tape->on, 1, sum, dx);
}

ur_tensor *ur_expand(ur_tape *tape, ur_tensor *number, int ndim, const size_t *dim)
{
    static const ur_op op = {"expand", expand_back, false};
    if (!ur_operand(tape, &op, number, UR_F32, 0))
        return NULL;
    if (ur_count(number) != 1)
        return ur_tape_fail(tape, UR_INVALID, "expand: one number expected, not %s",
                            ur_shape(number).text);
    ur_tensor *y = ur_tensor_new(tape, UR_F32, ndim, dim);
    if (y) {
        tape->backend->fill(&tape->on, ur_count(y), 0.0f, y->data);
        tape->backend->spread(&tape->on, ur_count(y), number->data, y->data);
        ur_record(tape, &op, sizeof(ur_node), y, number, NULL);
    }
    return y;
}

ur_tensor *ur_expand_rows(ur_tape *tape, ur_tensor *row, size_t rows)
{
    static const ur_op op = {"expand_rows", ur_move_rows_back, false};
    if (!ur_operand(tape, &op, row, UR_F32, 1))
        return NULL;
    size_t *from = ur_take(tape, rows, sizeof *from); /* the only row there is */
    ur_tensor *y = from ? ur_rows_new(tape, rows, row->dim[0]) : NULL;
    if (!y)
        return NULL;
    memset(from, 0, rows * sizeof *from);
    return ur_move_rows(tape, &op, row, y, rows, row->dim[0], from, NULL);
}

ur_tensor *ur_reshape(ur_tape *tape, ur_tensor *x, int ndim, const size_t *dim)
{
    static const ur_op op = {"reshape", ur_move_rows_back, false};
    ur_tensor *y =
        ur_operand(tape, &op, x, UR_F32, 0) ? ur_tensor_new(tape, UR_F32, ndim, dim) : NULL;
    if (y && ur_count(y) != ur_count(x))
        return ur_tape_fail(tape, UR_INVALID, "reshape: %s has not as many elements as %s",
                            ur_shape(x).text, ur_shape(y).text);
    return y ? ur_move_rows(tape, &op, x, y, 1, ur_count(x), NULL, NULL) : NULL;
}

static void transpose_back(ur_tape *tape, ur_node *n)
{
    const ur_tensor *y = n->out[0];
    float *dx = ur_grad(tape, n->in[0]), *turned = dx ? ur_take_floats(tape, ur_count(y)) : NULL;
    if (!turned)
        return;
    tape->backend->transpose(&tape->on, y->dim[0], y->dim[1], y->grad, turned);
    tape->backend->add(&tape->on, ur_count(y), turned, dx);
}

ur_tensor *ur_transpose(ur_tape *tape, ur_tensor *x)
{
    static const ur_op op = {"transpose", transpose_back, false};
    ur_tensor *y =
        ur_operand(tape, &op, x, UR_F32, 2) ? ur_rows_new(tape, x->dim[1], x->dim[0]) : NULL;
    if (y) {
        tape->backend->transpose(&tape->on, x->dim[0], x->dim[1], x->data, y->data);
        ur_record(tape, &op, sizeof(ur_node), y, x, NULL);
    }
    return y;
}

/* ---- layer normalisation ------------------------------------------------------------------ */

typedef struct norm_node {
    ur_node node; /* in: x, gain, bias */
    ur_norm_pass pass;
} norm_node;

static void norm_back(ur_tape *tape, ur_node *node)
{
    ur_norm_pass pass = ((norm_node *)node)->pass;
    pass.dy = node->out[0]->grad;
    pass.dx = ur_grad_to_set(tape, node->in[0], &pass.dx_blank);
    pass.dgain = node->in[1] ? ur_grad(tape, node->in[1]) : NULL;
    pass.dbias = node->in[2] ? ur_grad(tape, node->in[2]) : NULL;
    if (ur_tape_ok(tape))
        ur_had_memory(tape, node->op, tape->backend->norm_back(&tape->on, &pass));
}

static bool fits_rows(ur_tape *tape, const ur_op *op, const ur_tensor *vector, const ur_tensor *x)
{
    if (!vector)
        return true;
    if (!ur_operand(tape, op, vector, UR_F32, 1))
        return false;
    if (vector->dim[0] == last_dim(x))
        return true;
    ur_tape_fail(tape, UR_INVALID, "%s: %s for rows of %zu", op->name, ur_shape(vector).text,
                 last_dim(x));
    return false;
}

ur_tensor *ur_layer_norm(ur_tape *tape, ur_tensor *x, ur_tensor *gain, ur_tensor *bias, float eps)
{
    UR_FPMODE_HERE;
    static const ur_op op = {"layer_norm", norm_back, false};
    if (!ur_operand(tape, &op, x, UR_F32, 0) || !fits_rows(tape, &op, gain, x) ||
        !fits_rows(tape, &op, bias, x))
        return NULL;
    if (!(eps >= 0.0f))
        return ur_tape_fail(tape, UR_INVALID, "layer_norm: eps %g, it must not be negative",
                            (double)eps);
    ur_tensor *y = ur_tensor_new(tape, UR_F32, x->ndim, x->dim);
    const size_t rows = rows_of(x);
    float *kept = ur_take_floats(tape, 2 * rows);
    if (!y || !kept)
        return NULL;
    const ur_norm_pass pass = {.rows = rows,
                               .width = last_dim(x),
                               .eps = eps,
                               .x = x->data,
                               .gain = gain ? gain->data : NULL,
                               .bias = bias ? bias->data : NULL,
                               .y = y->data,
                               .kept = kept};
    tape->backend->norm(&tape->on, &pass);
    norm_node *n = ur_record_all(tape, &op, sizeof *n, 1, (ur_tensor *[]){y}, 3,
                                 (ur_tensor *[]){x, gain, bias});
    if (n)
        n->pass = pass;
    return y;
}
