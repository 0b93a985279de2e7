/* test_product.c - the packed matrix product against its contract, a chain of fused multiply-adds
 * written out, byte for byte on every instruction set: random shapes and strides, both packings,
 * plain and gated columns, every start, panels computed in several ranges. */
#include "kernels/isas.h"

#include <math.h>

enum { TABLE = 5 }; /* rows that chains may start from */

typedef struct shape {
    size_t m, k, n; /* n columns in all */
    ur_columns columns;
    bool a_across; /* A's rows are neighbours in memory, as in a product with A^T */
    bool from_cols, shuffled, bias;
    ur_start start;
} shape;

static shape random_shape(uint64_t *seed)
{
    const uint32_t bits = next_bits(seed);
    shape s = {.a_across = bits & 1, .from_cols = bits & 2, .shuffled = bits & 4, .bias = bits & 8};
    s.start = (ur_start)((bits >> 8) % 3);
    s.m = next_below(seed, 41);
    s.k = next_below(seed, bits & 32 ? 40 : bits & 64 ? 300 : 1201);
    s.columns.gates = 1;
    s.columns.units = 1 + next_below(seed, 150);
    if (bits & 128) {
        s.columns.gates = 2 + next_below(seed, 3);
        s.columns.units = 1 + next_below(seed, 70);
    }
    s.n = s.columns.gates * s.columns.units;
    return s;
}

/* Where A is cut into strips, k is taken in parts, and tiles fetch what comes next. */
enum { MOST_ROWS = 600, LARGE = 5 };
static const shape large[LARGE] = {
    {.m = 70, .k = 2100, .n = 260, .columns = {1, 260}, .start = UR_START_BIAS, .bias = true},
    {.m = 33, .k = 1100, .n = 520, .columns = {4, 130}, .start = UR_START_ROWS},
    {.m = 24, .k = 700, .n = 900, .columns = {3, 300}, .start = UR_START_C, .from_cols = true},
    {.m = MOST_ROWS, .k = 520, .n = 70, .columns = {1, 70}, .a_across = true},
    {.m = 300, .k = 1300, .n = 70, .columns = {1, 70}, .start = UR_START_C},
};

/* One element: chains of UR_CHAIN, the first from `start`. */
static float chain(const float *a, size_t a_k, const float *b, size_t b_k, size_t k, float start)
{
    float r = start;
    for (size_t k0 = 0; k0 < k; k0 += UR_CHAIN) {
        float acc = k0 ? 0.0f : start;
        for (size_t i = k0; i < k && i < k0 + UR_CHAIN; i++)
            acc = fmaf(a[i * a_k], b[i * b_k], acc);
        r = k0 ? r + acc : acc;
    }
    return r;
}

/* Packs and multiplies on one instruction set, rows and panels in three ranges, the last one first. */
static void product_on(const ur_kernels *k, const shape *s, ur_product p, const float *b,
                       size_t b_row, const size_t *rows)
{
    const size_t panels = k->panels(s->columns), part[4] = {0, panels / 3, panels / 2, panels};
    const size_t n = s->from_cols ? s->k : s->n, of[4] = {0, n / 3, n / 2, n};
    guarded packed = guarded_new(ur_packed_floats(k, s->columns, s->k));
    for (int i = 2; i >= 0; i--)
        if (s->from_cols)
            k->pack_cols(s->columns, s->k, b, b_row, rows, packed.at, of[i], of[i + 1]);
        else
            k->pack_rows(s->columns, s->k, b, b_row, packed.at, of[i], of[i + 1]);
    p.b = packed.at;
    for (int i = 2; i >= 0; i--)
        k->product(&p, part[i], part[i + 1]);
    guarded_free(&packed);
}

static void random_products(void **state)
{
    (void)state;
    const isas all = isas_here();
    uint64_t seed = 1;
    for (int round = -LARGE; round < 60; round++) {
        const shape s = round < 0 ? large[-1 - round] : random_shape(&seed);
        const size_t extra = next_below(&seed, 5);
        const size_t a_row = s.a_across ? 1 : s.k + extra, a_k = s.a_across ? s.m + extra : 1;
        const size_t b_row = (s.from_cols ? s.n : s.k) + extra, c_row = s.n + extra;
        const size_t b_rows = s.from_cols ? s.k + 3 : s.n;
        guarded a = guarded_random((s.m + extra) * (s.k + extra), 1.0f, &seed);
        guarded b = guarded_random(b_rows * b_row, 1.0f, &seed);
        guarded bias = guarded_random(s.n, 1.0f, &seed),
                c = guarded_random(s.m * c_row, 1.0f, &seed);
        guarded want = guarded_copy(&c), table = guarded_random(TABLE * c_row, 1.0f, &seed);
        int32_t index[MOST_ROWS];
        for (size_t r = 0; r < s.m; r++)
            index[r] = (int32_t)next_below(&seed, TABLE);
        size_t *rows = malloc((s.k + 1) * sizeof *rows);
        assert_non_null(rows);
        for (size_t i = 0; i < s.k; i++)
            rows[i] = s.shuffled ? next_below(&seed, b_rows) : i;

        float *column = malloc((s.k + 1) * sizeof *column);
        assert_non_null(column);
        for (size_t j = 0; j < s.n; j++) {
            for (size_t i = 0; i < s.k; i++)
                column[i] = s.from_cols ? b.at[rows[i] * b_row + j] : b.at[j * b_row + i];
            for (size_t r = 0; r < s.m; r++) {
                float *to = want.at + r * c_row + j;
                const float *from = table.at + (size_t)index[r] * c_row;
                const float start = s.start == UR_START_C      ? *to
                                    : s.start == UR_START_ROWS ? from[j]
                                    : s.bias                   ? bias.at[j]
                                                               : 0.0f;
                *to = chain(a.at + r * a_row, a_k, column, 1, s.k, start);
            }
        }
        for (int i = 0; i < all.count; i++) {
            guarded got = guarded_copy(&c);
            const ur_product p = {.m = s.m,
                                  .k = s.k,
                                  .a = a.at,
                                  .a_row = a_row,
                                  .a_k = a_k,
                                  .far = round % 2,
                                  .columns = s.columns,
                                  .c = got.at,
                                  .c_row = c_row,
                                  .start = s.start,
                                  .bias = s.start == UR_START_BIAS && s.bias ? bias.at : NULL,
                                  .table = s.start == UR_START_ROWS ? table.at : NULL,
                                  .table_row = c_row,
                                  .index = index};
            product_on(all.at[i], &s, p, b.at, b_row, s.shuffled ? rows : NULL);
            same_bytes("product", all.at[i]->name, want.at, got.at, s.m * c_row);
            guarded_free(&got);
        }
        guarded *const done[] = {&a, &b, &bias, &c, &want, &table};
        for (int i = 0; i < 6; i++)
            guarded_free(done[i]);
        free(rows);
        free(column);
    }
}

/* A product with NaN or infinity in one row of A leaves the other rows alone, though they share
 * tiles; one in B's padding lanes does not exist. */
static void rows_do_not_mix(void **state)
{
    (void)state;
    const isas all = isas_here();
    uint64_t seed = 2;
    const shape s = {.m = 13, .k = 20, .n = 75, .columns = {1, 75}, .start = UR_START_BIAS};
    for (int i = 0; i < all.count; i++) {
        guarded a = guarded_random(s.m * s.k, 1.0f, &seed),
                b = guarded_random(s.n * s.k, 1.0f, &seed);
        guarded c = guarded_new(s.m * s.n);
        a.at[5 * s.k + 3] = NAN;
        const ur_product p = {.m = s.m,
                              .k = s.k,
                              .a = a.at,
                              .a_row = s.k,
                              .a_k = 1,
                              .columns = s.columns,
                              .c = c.at,
                              .c_row = s.n,
                              .start = s.start};
        product_on(all.at[i], &s, p, b.at, s.k, NULL);
        for (size_t j = 0; j < s.m * s.n; j++)
            assert_int_equal(isnan(c.at[j]) != 0, j / s.n == 5);
        guarded_free(&a);
        guarded_free(&b);
        guarded_free(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_products),
        cmocka_unit_test(rows_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
