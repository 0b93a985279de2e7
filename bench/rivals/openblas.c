/* openblas.c - OpenBLAS's sgemm as a contestant, for the works of product.c:
 *     product m= n= k= [variant=rows|columns]    weights as (N, K), or as (K, N) */
#include "bench.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct product_work {
    blasint m, n, k;
    bool by_rows;
    float *a, *b, *c;
} product_work;

static void *make(const char *line, int threads, char why[BENCH_LINE])
{
    (void)why;
    openblas_set_num_threads(threads);
    const size_t m = bench_number(line, "m", 32), n = bench_number(line, "n", 256),
                 k = bench_number(line, "k", 256);
    product_work *w = bench_memory(1, sizeof *w);
    *w = (product_work){.m = (blasint)m, .n = (blasint)n, .k = (blasint)k};
    w->by_rows = bench_is(line, "variant", "rows");
    w->a = bench_memory(m * k, sizeof(float));
    w->b = bench_memory(n * k, sizeof(float));
    w->c = bench_memory(m * n, sizeof(float));
    bench_fill(w->a, m * k, 1.0f, 1);
    bench_fill(w->b, n * k, 0.1f, 2);
    return w;
}

static double run(void *arg)
{
    const product_work *w = arg;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, w->by_rows ? CblasTrans : CblasNoTrans, w->m, w->n,
                w->k, 1.0f, w->a, w->k, w->b, w->by_rows ? w->k : w->n, 0.0f, w->c, w->n);
    return -1.0;
}

static void release(void *arg)
{
    product_work *w = arg;
    free(w->a);
    free(w->b);
    free(w->c);
    free(w);
}

int main(int argc, char **argv)
{
    const bench_kind kind = {"product", make, run, release};
    char name[64] = "OpenBLAS";
    const char *config = openblas_get_config(); /* "OpenBLAS 0.3.21 ..." */
    sscanf(config, "OpenBLAS %40s", name + 9) == 1 ? (void)(name[8] = ' ') : (void)0;
    return bench_main(argc, argv, name, &kind, 1);
}
