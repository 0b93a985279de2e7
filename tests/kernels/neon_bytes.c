/* neon_bytes.c - runs every kernel over fixed made-up inputs and writes the results' bytes to
 * standard output, for comparing machines: tools/check_neon builds it for this machine and for
 * 64-bit ARM, where an emulator runs it. It needs src/kernels and src/base/philox.c alone.
 *
 *     neon_bytes [ISA]        plain, avx2, avx512, neon; UNROLL_ISA or the best one if not given
 *
 * NaN is written as one fixed NaN: of a NaN only its being one is promised. */
#include "kernels/kernels.h"
#include "kernels/math.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1 << 16, PACKED = 1 << 21 };

typedef struct bench {
    const ur_kernels *k;
    uint64_t seed;
    float a[MOST], b[MOST], c[MOST], d[MOST], y[MOST], packed[PACKED];
} bench;

static uint32_t bits(bench *t)
{
    t->seed = t->seed * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(t->seed >> 32);
}

static size_t below(bench *t, size_t n)
{
    return (size_t)(((uint64_t)bits(t) * n) >> 32);
}

static void fill(bench *t, float *x, size_t n, float s)
{
    for (size_t i = 0; i < n; i++)
        x[i] = ((float)(bits(t) >> 8) * 0x1p-23f - 1.0f) * s;
}

/* Writes n floats; the program ends when that fails. */
static void put(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float v = x[i] == x[i] ? x[i] : 0.0f;
        const uint32_t nan = 0x7fc00000U;
        if (fwrite(x[i] == x[i] ? (const void *)&v : &nan, sizeof v, 1, stdout) != 1)
            exit(1);
    }
}

static void elementary(bench *t, size_t n)
{
    void (*const all[])(size_t, const float *, float *) = {t->k->exp, t->k->log, t->k->tanh,
                                                           t->k->sigmoid, t->k->erf};
    for (int f = 0; f < 5; f++) {
        fill(t, t->a, n, f == 1 || f == 4 ? 5.0f : 110.0f);
        for (size_t i = 0; i < n; i += 3) { /* any float at all */
            const uint32_t any = bits(t);
            memcpy(t->a + i, &any, sizeof any);
        }
        all[f](n, t->a, t->y);
        put(t->y, n);
    }
}

static void rows(bench *t, size_t n)
{
    const ur_kernels *k = t->k;
    fill(t, t->a, n, 3.0f);
    fill(t, t->b, n, 3.0f);
    fill(t, t->y, n, 3.0f);
    k->add(n, t->a, t->y);
    k->mul_add(n, t->a, t->b, t->y);
    k->axpy(n, 0.7f, t->b, t->y);
    k->scale(n, 1.1f, t->y, t->c);
    k->mul(n, t->c, t->a, t->d);
    put(t->y, n);
    put(t->d, n);
    const float sums[] = {k->sum(n, t->a), k->dot(n, t->a, t->b), k->max(n, t->a),
                          ur_sum_long(k, n, t->b), ur_sum_squares_long(k, n, t->b)};
    put(sums, 5);

    if (n) {
        const float loss = k->cross_entropy(n, t->b, (int32_t)(n / 2), t->c);
        put(&loss, 1);
        put(t->c, n);
    }
    for (size_t i = 0; i < n; i += 5)
        t->a[i] = -INFINITY;
    k->softmax(n, t->a, t->c);
    k->softmax_back(n, t->c, t->b, t->y);
    put(t->c, n);
    put(t->y, n);
    k->dropout(n, 0.3f, 1234567890123U, 0xfffffffeU, 77, t->b, t->y);
    put(t->y, n);
}

/* Layer normalisation and activations. */
static void norms(bench *t, size_t n)
{
    const ur_kernels *k = t->k;
    float kept[2], *slope = t->packed, *sums = t->packed + MOST;
    fill(t, t->a, n, 3.0f);
    fill(t, t->b, n, 3.0f);
    fill(t, t->c, n, 3.0f);
    fill(t, sums, n, 1.0f);
    if (n) {
        k->norm(n, 1e-5f, t->a, n & 1 ? t->b : NULL, n & 2 ? t->c : NULL, t->d, kept);
        put(t->d, n);
        put(kept, 2);
        k->norm_sums(n, t->a, kept, t->b, sums, t->c);
        k->norm_back(n, t->a, kept, n & 1 ? t->c : NULL, t->b, n & 2 ? t->d : NULL, t->y);
        put(t->y, n);
        put(sums, n);
        put(t->c, n);
    }
    k->gelu(n, t->a, t->y, slope);
    put(t->y, n);
    put(slope, n);
    k->gelu_tanh(n, t->a, t->y, slope);
    put(t->y, n);
    put(slope, n);
}

static void tables(bench *t)
{
    const ur_kernels *k = t->k;
    const size_t count = 1 + below(t, 20), width = 1 + below(t, 150), items = 7;
    int32_t ids[20];
    for (size_t r = 0; r < count; r++)
        ids[r] = (int32_t)below(t, items);
    fill(t, t->a, count * width, 2.0f);
    fill(t, t->b, items * width, 2.0f);
    fill(t, t->y, width, 2.0f);
    k->column_sums(count, t->a, width, t->y, width / 3, width);
    k->scatter_add(count, ids, t->a, width, t->b, width / 4, width);
    k->gather(ids, t->b, width, t->c, 0, count);
    put(t->y, width);
    put(t->b, items * width);
    put(t->c, count * width);
}

static void optimisers(bench *t, size_t n)
{
    const ur_adam adam = {0.9f, 0.999f, 1e-8f, 0.01f, 1e-3f, 3.0f, 0.5f, 0.02f};
    const ur_sgd sgd = {0.1f, 0.9f, 0.01f, 0.5f, true, false};
    fill(t, t->a, n, 1.0f);
    fill(t, t->b, n, 0.1f);
    fill(t, t->c, n, 1.0f);
    for (size_t i = 0; i < n; i++)
        t->d[i] = i % 3 ? t->b[i] * t->b[i] : 0x1.001p-100f;
    t->k->adam(&adam, n, t->a, t->b, t->d, t->c);
    put(t->b, n);
    put(t->d, n);
    put(t->c, n);
    t->k->sgd(&sgd, n, t->a, t->b, t->c);
    put(t->b, n);
    put(t->c, n);
}

static void product(bench *t)
{
    const bool gated = bits(t) & 1, across = bits(t) & 1, from_cols = bits(t) & 1;
    const ur_columns columns = {gated ? 2 + below(t, 3) : 1, 1 + below(t, gated ? 50 : 150)};
    const size_t m = 1 + below(t, 40), n = columns.gates * columns.units;
    const size_t k = below(t, MOST / (n > m ? n : m) > 1100 ? 1100 : MOST / (n > m ? n : m));
    const size_t panels = t->k->panels(columns);
    fill(t, t->a, m * k, 1.0f);
    fill(t, t->b, n * k, 1.0f);
    fill(t, t->y, m * n, 1.0f);
    fill(t, t->d, n, 1.0f);
    fill(t, t->c, 3 * n, 1.0f);
    int32_t index[40];
    for (size_t r = 0; r < m; r++)
        index[r] = (int32_t)below(t, 3);
    if (ur_packed_floats(t->k, columns, k) > PACKED)
        exit(1);
    if (from_cols)
        t->k->pack_cols(columns, k, t->b, n, NULL, t->packed, 0, k);
    else
        t->k->pack_rows(columns, k, t->b, k, t->packed, 0, n);
    const ur_product p = {.m = m,
                          .k = k,
                          .a = t->a,
                          .a_row = across ? 1 : k,
                          .a_k = across ? m : 1,
                          .b = t->packed,
                          .columns = columns,
                          .c = t->y,
                          .c_row = n,
                          .start = (ur_start)below(t, 3),
                          .bias = t->d,
                          .table = t->c,
                          .table_row = n,
                          .index = index,
                          .epilogue = (ur_epilogue)below(t, UR_EPILOGUE_POSITIVE + 1),
                          .side = t->a,
                          .slope = t->d + n,
                          .factor = 1.25f};
    fill(t, t->d + n, m * n, 1.0f);
    t->k->product(&p, 0, panels);
    put(t->y, m * n);
    put(t->d + n, m * n);
}

static void lstm(bench *t)
{
    const size_t count = 1 + below(t, 6), hidden = 1 + below(t, 70), cells = count * hidden;
    float *gates = t->a, *c_prev = t->b, *c = t->c, *h = t->d, *dc = t->y;
    fill(t, gates, 4 * cells, 5.0f);
    fill(t, c_prev, cells, 2.0f);
    t->k->lstm_cell(&(ur_lstm_cell){count, hidden, gates, 4 * hidden, c_prev, c, h}, 0, hidden);
    put(gates, 4 * cells);
    put(c, cells);
    put(h, cells);
    fill(t, dc, cells, 1.0f);
    t->k->lstm_cell_back(
        &(ur_lstm_cell_back){count, hidden, gates, 4 * hidden, c_prev, c, h, c_prev, dc, c_prev}, 0,
        hidden);
    put(gates, 4 * cells);
    put(dc, cells);
}

static void gru(bench *t)
{
    const size_t count = 1 + below(t, 6), hidden = 1 + below(t, 70), cells = count * hidden;
    const size_t row = 3 * hidden;
    float *gates = t->a, *h_gates = t->b, *h_prev = t->c, *h = t->d, *dh = t->y;
    fill(t, gates, 3 * cells, 4.0f);
    fill(t, h_gates, 3 * cells, 4.0f);
    fill(t, h_prev, cells, 1.0f);
    t->k->gru_cell(&(ur_gru_cell){count, hidden, gates, h_gates, row, h_prev, h}, 0, hidden);
    put(gates, 3 * cells);
    put(h, cells);
    fill(t, dh, cells, 1.0f);
    t->k->gru_cell_back(&(ur_gru_cell_back){count, hidden, gates, h_gates, row, h_prev, h, dh}, 0,
                        hidden);
    put(gates, 3 * cells);
    put(h_gates, 3 * cells);
    put(dh, cells);
}

static void rnn(bench *t)
{
    const size_t count = 1 + below(t, 6), hidden = 1 + below(t, 70), cells = count * hidden;
    const bool relu = bits(t) & 1;
    float *gates = t->a, *h = t->b, *dy = t->c, *dh = t->d;
    fill(t, gates, cells, 4.0f);
    fill(t, dy, cells, 1.0f);
    fill(t, dh, cells, 1.0f);
    const ur_rnn_cell cell = {count, hidden, relu, gates, hidden, h, dy, dh};
    t->k->rnn_cell(&cell, 0, hidden);
    put(h, cells);
    t->k->rnn_cell_back(&cell, 0, hidden);
    put(gates, cells);
}

int main(int argc, char **argv)
{
    static bench t;
    const char *name = argc > 1 ? argv[1] : getenv("UNROLL_ISA");
    t.k = ur_kernels_find(name);
    t.seed = 42;
    if (!t.k) {
        fprintf(stderr, "neon_bytes: this machine or build has no %s\n", name ? name : "kernels");
        return 1;
    }
    fprintf(stderr, "%s\n", t.k->name);
    elementary(&t, MOST);
    for (size_t n = 0; n <= 40; n++) {
        elementary(&t, n);
        rows(&t, n);
        norms(&t, n);
        optimisers(&t, n);
    }
    rows(&t, 5000);
    rows(&t, 50000);
    for (int i = 0; i < 40; i++) {
        tables(&t);
        product(&t);
        lstm(&t);
        gru(&t);
        rnn(&t);
    }
    ur_normal_fill(7, 9, 1001, t.y);
    put(t.y, 1001);
    for (int i = 0; i < 1000; i++) { /* the functions on doubles, through their low bits */
        const double x = ur_cos_pi(i / 97.0) + ur_power(0.999, (uint64_t)i);
        const float parts[] = {(float)x, (float)((x - (double)(float)x) * 0x1p+24)};
        put(parts, 2);
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
