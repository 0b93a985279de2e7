/* elementary.c - operations on tensors of one shape, forward and backward.
 *
 *   add sub mul:  element by element           scale: x * factor
 *   sigmoid:  y = 1/(1+exp(-x)),  dx = dy y (1 - y)
 *   tanh:     dx = dy (1 - y^2)
 *   softmax:  over the last dimension          sum: of all elements */
#include "tape/tape.h"

#include <string.h>

typedef struct element_node {
    ur_node node;
    ur_tensor *a, *b, *y;
    float factor;
} element_node;

static bool same_shape(const ur_tensor *a, const ur_tensor *b)
{
    return a->ndim == b->ndim && memcmp(a->dim, b->dim, (size_t)a->ndim * sizeof *a->dim) == 0;
}

/* The output of an operation on one tensor, or on two of equal shape, recorded. */
static ur_tensor *result(ur_tape *tape, const char *name, ur_tensor *a, ur_tensor *b, bool two,
                         float factor, void (*backward)(ur_tape *, ur_node *))
{
    if (!ur_tape_ok(tape))
        return NULL;
    if (!a || (two && (!b || !same_shape(a, b))))
        return ur_tape_fail(tape, UR_INVALID, "%s: shapes %s and %s must be equal", name,
                            ur_shape(a).text, ur_shape(b).text);
    ur_tensor *y = ur_tensor_new(tape, UR_F32, a->ndim, a->dim);
    if (!y)
        return NULL;
    y->needs_grad = a->needs_grad || (two && b->needs_grad);
    element_node *n = y->needs_grad ? ur_record(tape, sizeof *n, backward) : NULL;
    if (n) {
        n->a = a;
        n->b = b;
        n->y = y;
        n->factor = factor;
    }
    return y;
}

static void add_back(ur_tape *tape, ur_node *node)
{
    element_node *n = (element_node *)node;
    if (!n->y->grad)
        return;
    const size_t count = ur_count(n->y);
    float *da = ur_grad(tape, n->a), *db = ur_grad(tape, n->b);
    if (da)
        tape->cpu.kernels->add(count, n->y->grad, da);
    if (db)
        tape->cpu.kernels->axpy(count, n->factor, n->y->grad, db);
}

ur_tensor *ur_add(ur_tape *tape, ur_tensor *a, ur_tensor *b)
{
    ur_tensor *y = result(tape, "add", a, b, true, 1.0f, add_back);
    if (y) {
        const size_t count = ur_count(y);
        memcpy(y->data, a->data, count * sizeof(float));
        tape->cpu.kernels->add(count, b->data, y->data);
    }
    return y;
}

ur_tensor *ur_sub(ur_tape *tape, ur_tensor *a, ur_tensor *b)
{
    ur_tensor *y = result(tape, "sub", a, b, true, -1.0f, add_back);
    if (y) {
        const size_t count = ur_count(y);
        memcpy(y->data, a->data, count * sizeof(float));
        tape->cpu.kernels->axpy(count, -1.0f, b->data, y->data);
    }
    return y;
}

static void mul_back(ur_tape *tape, ur_node *node)
{
    element_node *n = (element_node *)node;
    if (!n->y->grad)
        return;
    const size_t count = ur_count(n->y);
    float *da = ur_grad(tape, n->a), *db = ur_grad(tape, n->b);
    if (da)
        tape->cpu.kernels->mul_add(count, n->y->grad, n->b->data, da);
    if (db)
        tape->cpu.kernels->mul_add(count, n->y->grad, n->a->data, db);
}

ur_tensor *ur_mul(ur_tape *tape, ur_tensor *a, ur_tensor *b)
{
    ur_tensor *y = result(tape, "mul", a, b, true, 1.0f, mul_back);
    if (y)
        tape->cpu.kernels->mul(ur_count(y), a->data, b->data, y->data);
    return y;
}

static void scale_back(ur_tape *tape, ur_node *node)
{
    element_node *n = (element_node *)node;
    float *dx = n->y->grad ? ur_grad(tape, n->a) : NULL;
    if (dx)
        tape->cpu.kernels->axpy(ur_count(n->y), n->factor, n->y->grad, dx);
}

ur_tensor *ur_scale(ur_tape *tape, ur_tensor *x, float factor)
{
    ur_tensor *y = result(tape, "scale", x, NULL, false, factor, scale_back);
    if (y)
        tape->cpu.kernels->scale(ur_count(y), factor, x->data, y->data);
    return y;
}

static void sigmoid_back(ur_tape *tape, ur_node *node)
{
    element_node *n = (element_node *)node;
    float *dx = n->y->grad ? ur_grad(tape, n->a) : NULL;
    const float *y = n->y->data;
    for (size_t i = 0; dx && i < ur_count(n->y); i++)
        dx[i] += n->y->grad[i] * (y[i] * (1.0f - y[i]));
}

ur_tensor *ur_sigmoid(ur_tape *tape, ur_tensor *x)
{
    ur_tensor *y = result(tape, "sigmoid", x, NULL, false, 1.0f, sigmoid_back);
    if (y)
        tape->cpu.kernels->sigmoid(ur_count(y), x->data, y->data);
    return y;
}

static void tanh_back(ur_tape *tape, ur_node *node)
{
    element_node *n = (element_node *)node;
    float *dx = n->y->grad ? ur_grad(tape, n->a) : NULL;
    const float *y = n->y->data;
    for (size_t i = 0; dx && i < ur_count(n->y); i++)
        dx[i] += n->y->grad[i] * (1.0f - y[i] * y[i]);
}

ur_tensor *ur_tanh(ur_tape *tape, ur_tensor *x)
{
    ur_tensor *y = result(tape, "tanh", x, NULL, false, 1.0f, tanh_back);
    if (y)
        tape->cpu.kernels->tanh(ur_count(y), x->data, y->data);
    return y;
}

static void softmax_back(ur_tape *tape, ur_node *node)
{
    element_node *n = (element_node *)node;
    float *dx = n->y->grad ? ur_grad(tape, n->a) : NULL;
    const size_t width = n->y->dim[n->y->ndim - 1], count = ur_count(n->y);
    for (size_t at = 0; dx && at < count; at += width)
        tape->cpu.kernels->softmax_back(width, ur_floats(n->y) + at, n->y->grad + at, dx + at);
}

ur_tensor *ur_softmax(ur_tape *tape, ur_tensor *x)
{
    ur_tensor *y = result(tape, "softmax", x, NULL, false, 1.0f, softmax_back);
    if (!y)
        return NULL;
    const size_t width = x->dim[x->ndim - 1], count = ur_count(x);
    for (size_t at = 0; at < count; at += width)
        tape->cpu.kernels->softmax(width, ur_floats(x) + at, ur_floats(y) + at);
    return y;
}

static void sum_back(ur_tape *tape, ur_node *node)
{
    element_node *n = (element_node *)node;
    float *dx = n->y->grad ? ur_grad(tape, n->a) : NULL;
    for (size_t i = 0; dx && i < ur_count(n->a); i++)
        dx[i] += n->y->grad[0];
}

ur_tensor *ur_sum(ur_tape *tape, ur_tensor *x)
{
    if (!x || !ur_tape_ok(tape))
        return NULL;
    ur_tensor *y = ur_tensor_new(tape, UR_F32, 1, (size_t[]){1});
    if (!y)
        return NULL;
    ur_floats(y)[0] = ur_sum_long(tape->cpu.kernels, ur_count(x), x->data);
    y->needs_grad = x->needs_grad;
    element_node *n = y->needs_grad ? ur_record(tape, sizeof *n, sum_back) : NULL;
    if (n) {
        n->a = x;
        n->y = y;
    }
    return y;
}
