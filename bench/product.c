/* product.c - the matrix product under everything, its weights packed before:
 *     product m=M n=N k=K        C (M, N) = A (M, K) B (K, N) */
#include "works.h"

#include <stdio.h>
#include <stdlib.h>

#include "backend/context.h"
#include "backend/cpu/cpu.h"

typedef struct product_work {
    ur_context *context;
    ur_executor on;
    ur_product product;
    float *a, *packed, *c;
} product_work;

static double run(void *arg)
{
    product_work *w = arg;
    ur_cpu_product(&w->on, &w->product);
    return -1.0;
}

static void release(void *arg)
{
    product_work *w = arg;
    ur_context_free(w->context);
    free(w->a);
    free(w->packed);
    free(w->c);
    free(w);
}

static void *make(const char *line, int threads, char why[BENCH_LINE])
{
    const size_t m = bench_number(line, "m", 32), n = bench_number(line, "n", 256),
                 k = bench_number(line, "k", 256);
    const ur_options options = {.threads = threads};
    product_work *w = bench_memory(1, sizeof *w);
    ur_err err;
    if (ur_context_new(&options, &w->context, &err) != UR_OK) {
        snprintf(why, BENCH_LINE, "%s", err.text);
        release(w);
        return NULL;
    }
    const ur_kernels *kernels = w->context->kernels;
    const ur_columns columns = {1, n};
    float *b = bench_memory(n * k, sizeof *b); /* (N, K), a layer's weights */
    bench_fill(b, n * k, 0.1f, 2);
    w->a = bench_memory(m * k, sizeof *w->a);
    w->c = bench_memory(m * n, sizeof *w->c);
    w->packed = bench_memory(ur_packed_floats(kernels, columns, k), sizeof *w->packed);
    bench_fill(w->a, m * k, 1.0f, 1);
    kernels->pack_rows(columns, k, b, k, w->packed, 0, n);
    free(b);
    w->on = (ur_executor){w->context->backend, kernels,
                          threads > 1 ? ur_pool_team(w->context->pool) : NULL, NULL};
    w->product = (ur_product){.m = m,
                              .k = k,
                              .a = w->a,
                              .a_row = k,
                              .a_k = 1,
                              .b = w->packed,
                              .columns = columns,
                              .c = w->c,
                              .c_row = n,
                              .start = UR_START_BIAS};
    return w;
}

const bench_kind bench_product = {"product", make, run, release};
