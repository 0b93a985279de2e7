/* matmul.c - y = x w^T for two tensors of the tape.
 *
 *   (N,K) (M,K) -> (N,M),  dx += dy w,  dw += dy^T x
 * Weights that live in the parameter vector go through ur_linear, which packs them once a step. */
#include "tape/tape.h"

typedef struct matmul_node {
    ur_node node;
    ur_tensor *x, *w, *y;
} matmul_node;

static float *pack(ur_tape *tape, size_t k, size_t n)
{
    return ur_take(tape, ur_packed_floats(tape->cpu.kernels, (ur_columns){1, n}, k), sizeof(float));
}

static void matmul_back(ur_tape *tape, ur_node *node)
{
    matmul_node *n = (matmul_node *)node;
    if (!n->y->grad)
        return;
    const size_t rows = n->x->dim[0], depth = n->x->dim[1], width = n->w->dim[0];
    const ur_columns columns = {1, depth};
    const ur_kernels *k = tape->cpu.kernels;
    bool dx_blank, dw_blank;
    float *dx = ur_grad_to_set(tape, n->x, &dx_blank);
    float *dw = ur_grad_to_set(tape, n->w, &dw_blank);
    float *packed = pack(tape, rows > width ? rows : width, depth);
    if (!packed)
        return;
    ur_product p = {.m = rows,
                    .k = width,
                    .a = n->y->grad,
                    .a_row = width,
                    .a_k = 1,
                    .b = packed,
                    .columns = columns,
                    .c = dx,
                    .c_row = depth,
                    .start = ur_add_or_set(dx_blank)};
    if (dx) {
        k->pack_cols(columns, width, n->w->data, depth, NULL, packed, 0, width);
        ur_cpu_product(&tape->cpu, &p);
    }
    if (dw) {
        k->pack_cols(columns, rows, n->x->data, depth, NULL, packed, 0, rows);
        p.m = width;
        p.k = rows;
        p.a_row = 1;
        p.a_k = width;
        p.c = dw;
        p.start = ur_add_or_set(dw_blank);
        ur_cpu_product(&tape->cpu, &p);
    }
}

ur_tensor *ur_matmul_t(ur_tape *tape, ur_tensor *x, ur_tensor *w)
{
    if (!x || !w || !ur_tape_ok(tape))
        return NULL;
    if (x->ndim != 2 || w->ndim != 2 || x->dim[1] != w->dim[1])
        return ur_tape_fail(tape, UR_INVALID, "matmul: depths of %s and %s differ",
                            ur_shape(x).text, ur_shape(w).text);
    const size_t rows = x->dim[0], depth = x->dim[1], width = w->dim[0];
    const ur_columns columns = {1, width};
    const ur_kernels *k = tape->cpu.kernels;
    ur_tensor *y = ur_rows_new(tape, rows, width);
    float *packed = y ? pack(tape, depth, width) : NULL;
    if (!packed)
        return NULL;
    k->pack_rows(columns, depth, w->data, depth, packed, 0, width);
    const ur_product p = {.m = rows,
                          .k = depth,
                          .a = x->data,
                          .a_row = depth,
                          .a_k = 1,
                          .b = packed,
                          .columns = columns,
                          .c = y->data,
                          .c_row = width,
                          .start = UR_START_BIAS};
    ur_cpu_product(&tape->cpu, &p);
    y->needs_grad = x->needs_grad || w->needs_grad;
    matmul_node *n = y->needs_grad ? ur_record(tape, sizeof *n, matmul_back) : NULL;
    if (n) {
        n->x = x;
        n->w = w;
        n->y = y;
    }
    return y;
}
