/* test_rows.c - the loops over rows against the contract written out one element at a time, byte
 * for byte, on every instruction set: random lengths with tails, odd addresses, guards. */
#include "kernels/isas.h"
#include "kernels/math.h"
#include "base/philox.h"

#include <math.h>

enum { ROUNDS = 120 };

static size_t some_length(uint64_t *seed)
{
    return next_below(seed, next_bits(seed) % 4 ? 70 : 700);
}

/* ---- the contract, written out ------------------------------------------------------------- */

static float fold(float *lane)
{
    for (int half = 8; half; half /= 2)
        for (int i = 0; i < half; i++)
            lane[i] += lane[i + half];
    return lane[0];
}

static float sum_16(size_t n, const float *x)
{
    float lane[16] = {0};
    for (size_t i = 0; i < n; i++)
        lane[i % 16] += x[i];
    return fold(lane);
}

static float dot_16(size_t n, const float *a, const float *b)
{
    float lane[16] = {0};
    for (size_t i = 0; i < n; i++)
        lane[i % 16] = fmaf(a[i], b[i], lane[i % 16]);
    return fold(lane);
}

static float largest(size_t n, const float *x)
{
    float most = -INFINITY;
    for (size_t i = 0; i < n; i++)
        most = x[i] > most ? x[i] : most;
    return most;
}

static float softmax_16(size_t n, const float *x, float *p)
{
    const float most = largest(n, x);
    for (size_t i = 0; i < n; i++)
        p[i] = most == -INFINITY ? 0.0f : ur_expf(x[i] - most);
    const float total = sum_16(n, p), factor = 1.0f / total;
    for (size_t i = 0; i < n && most > -INFINITY; i++)
        p[i] *= factor;
    return total;
}

/* ---- tests --------------------------------------------------------------------------------- */

static void elementwise_kernels(void **state)
{
    (void)state;
    const isas all = isas_here();
    uint64_t seed = 1;
    for (int round = 0; round < ROUNDS; round++) {
        const size_t n = some_length(&seed);
        const float s = next_float(&seed, 2.0f);
        guarded a = guarded_random(n, 3.0f, &seed), b = guarded_random(n, 3.0f, &seed);
        guarded y = guarded_random(n, 3.0f, &seed), want = guarded_new(n);
        for (int k = 0; k < all.count; k++)
            for (int f = 0; f < 5; f++) {
                const ur_kernels *kernels = all.at[k];
                guarded got = guarded_copy(&y);
                for (size_t i = 0; i < n; i++)
                    want.at[i] = f == 0   ? y.at[i] + a.at[i]
                                 : f == 1 ? a.at[i] * b.at[i]
                                 : f == 2 ? fmaf(a.at[i], b.at[i], y.at[i])
                                 : f == 3 ? s * a.at[i]
                                          : fmaf(s, a.at[i], y.at[i]);
                if (f == 0)
                    kernels->add(n, a.at, got.at);
                else if (f == 1)
                    kernels->mul(n, a.at, b.at, got.at);
                else if (f == 2)
                    kernels->mul_add(n, a.at, b.at, got.at);
                else if (f == 3)
                    kernels->scale(n, s, a.at, got.at);
                else
                    kernels->axpy(n, s, a.at, got.at);
                same_bytes("elementwise", kernels->name, want.at, got.at, n);
                guarded_free(&got);
            }
        guarded_free(&a);
        guarded_free(&b);
        guarded_free(&y);
        guarded_free(&want);
    }
}

static void rows_put(void **state)
{
    (void)state;
    const isas all = isas_here();
    uint64_t seed = 7;
    for (int round = 0; round < ROUNDS; round++) {
        const size_t rows = next_below(&seed, 5), width = next_below(&seed, 40);
        const size_t x_row = width + next_below(&seed, 9), y_row = width + next_below(&seed, 9);
        const bool add_to = round % 2;
        const float s = next_float(&seed, 2.0f);
        guarded x = guarded_random(rows * x_row, 3.0f, &seed);
        guarded y = guarded_random(rows * y_row, 3.0f, &seed), want = guarded_copy(&y);
        for (size_t r = 0; r < rows; r++)
            for (size_t i = 0; i < width; i++) {
                float *to = want.at + r * y_row + i, from = x.at[r * x_row + i];
                *to = add_to ? fmaf(s, from, *to) : s * from;
            }
        for (int k = 0; k < all.count; k++) {
            guarded got = guarded_copy(&y);
            all.at[k]->put_rows(rows, width, s, x.at, x_row, got.at, y_row, add_to);
            same_bytes("put_rows", all.at[k]->name, want.at, got.at, got.n);
            guarded_free(&got);
        }
        guarded_free(&x);
        guarded_free(&y);
        guarded_free(&want);
    }
}

static void reductions(void **state)
{
    (void)state;
    const isas all = isas_here();
    uint64_t seed = 2;
    for (int round = 0; round < ROUNDS; round++) {
        const size_t n = round < 40 ? (size_t)round : some_length(&seed);
        guarded a = guarded_random(n, 3.0f, &seed), b = guarded_random(n, 3.0f, &seed);
        const float want[] = {sum_16(n, a.at), dot_16(n, a.at, b.at), largest(n, a.at)};
        for (int k = 0; k < all.count; k++) {
            const float got[] = {all.at[k]->sum(n, a.at), all.at[k]->dot(n, a.at, b.at),
                                 all.at[k]->max(n, a.at)};
            same_bytes("sum, dot, max", all.at[k]->name, want, got, 3);
            assert_true(all.at[k]->all_finite(n, a.at));
            if (n) {
                guarded c = guarded_copy(&a);
                c.at[next_below(&seed, n)] = round % 2 ? INFINITY : -INFINITY;
                assert_false(all.at[k]->all_finite(n, c.at));
                c.at[n / 2] = NAN;
                assert_false(all.at[k]->all_finite(n, c.at));
                assert_true(isnan(all.at[k]->max(n, c.at)) && isnan(all.at[k]->sum(n, c.at)));
                guarded_free(&c);
            }
        }
        guarded_free(&a);
        guarded_free(&b);
    }
}

static void long_sums(void **state)
{
    (void)state;
    const isas all = isas_here();
    uint64_t seed = 3;
    for (size_t blocks = 0; blocks < 20; blocks++)
        for (size_t rest = 0; rest < 2; rest++) {
            const size_t n = blocks * UR_SUM_BLOCK + rest * next_below(&seed, UR_SUM_BLOCK);
            guarded x = guarded_random(n, 3.0f, &seed);
            float sums[21], squares[21];
            size_t count = 0;
            for (size_t i = 0; i < n; i += UR_SUM_BLOCK, count++) {
                const size_t size = n - i < UR_SUM_BLOCK ? n - i : UR_SUM_BLOCK;
                sums[count] = sum_16(size, x.at + i);
                squares[count] = dot_16(size, x.at + i, x.at + i);
            }
            const float want[] = {ur_tree_sum(count, sums), ur_tree_sum(count, squares)};
            for (int k = 0; k < all.count; k++) {
                const float got[] = {ur_sum_long(all.at[k], n, x.at),
                                     ur_sum_squares_long(all.at[k], n, x.at)};
                same_bytes("long sum", all.at[k]->name, want, got, 2);
            }
            guarded_free(&x);
        }
    float seven[] = {1e8f, 1.0f, -1e8f, 1.0f, 0x1p-3f, 0x1p-4f, 0x1p-5f};
    assert_true(ur_tree_sum(7, seven) == ((1e8f + 1.0f) + (-1e8f + 1.0f)) + 0.21875f);
}

static void argmax(void **state)
{
    (void)state;
    const float x[] = {NAN, -INFINITY, 2.0f, NAN, 3.0f, -0.0f, 3.0f, NAN, INFINITY};
    assert_int_equal(ur_argmax(x, 0), 0);
    assert_int_equal(ur_argmax(x, 1), 0); /* nothing but NaN */
    assert_int_equal(ur_argmax(x, 2), 1);
    assert_int_equal(ur_argmax(x, 4), 2);
    assert_int_equal(ur_argmax(x, 8), 4); /* the first of equals */
    assert_int_equal(ur_argmax(x, 9), 8);
    assert_int_equal(ur_argmax(x + 5, 1), 0);
}

static void column_sums_and_rows(void **state)
{
    (void)state;
    const isas all = isas_here();
    uint64_t seed = 4;
    for (int round = 0; round < ROUNDS; round++) {
        const size_t rows = next_below(&seed, 30), width = 1 + next_below(&seed, 200);
        const size_t begin = next_below(&seed, width), items = 1 + next_below(&seed, 9);
        const size_t end = begin + next_below(&seed, width - begin + 1);
        guarded x = guarded_random(rows * width, 3.0f, &seed);
        guarded y = guarded_random(width, 3.0f, &seed), sums = guarded_copy(&y);
        guarded table = guarded_random(items * width, 3.0f, &seed), added = guarded_copy(&table);
        int32_t ids[30];
        for (size_t r = 0; r < rows; r++) {
            ids[r] = (int32_t)next_below(&seed, items);
            for (size_t j = begin; j < end; j++) {
                sums.at[j] += x.at[r * width + j];
                added.at[(size_t)ids[r] * width + j] += x.at[r * width + j];
            }
        }
        for (int k = 0; k < all.count; k++) {
            const char *isa = all.at[k]->name;
            guarded got = guarded_copy(&y), rows_got = guarded_copy(&x);
            all.at[k]->column_sums(rows, x.at, width, got.at, begin, end);
            same_bytes("column_sums", isa, sums.at, got.at, width);
            guarded_free(&got);

            got = guarded_copy(&table);
            all.at[k]->scatter_add(rows, ids, x.at, width, got.at, begin, end);
            same_bytes("scatter_add", isa, added.at, got.at, items * width);
            guarded_free(&got);

            const size_t first = rows / 3, last = rows - rows / 4;
            all.at[k]->gather(ids, table.at, width, rows_got.at, first, last);
            for (size_t r = 0; r < rows; r++)
                same_bytes("gather", isa,
                           r >= first && r < last ? table.at + (size_t)ids[r] * width
                                                  : x.at + r * width,
                           rows_got.at + r * width, width);
            guarded_free(&rows_got);
        }
        guarded_free(&x);
        guarded_free(&y);
        guarded_free(&sums);
        guarded_free(&table);
        guarded_free(&added);
    }
}

static void softmax_and_cross_entropy(void **state)
{
    (void)state;
    const isas all = isas_here();
    uint64_t seed = 5;
    for (int round = 0; round < ROUNDS; round++) {
        const size_t n = 1 + some_length(&seed);
        guarded x = guarded_random(n, round % 3 ? 4.0f : 120.0f, &seed), want = guarded_new(n);
        for (size_t i = 0; i < n; i++) /* masked entries, in the end whole rows of them */
            if (next_below(&seed, ROUNDS) < (size_t)round * (size_t)round / ROUNDS)
                x.at[i] = -INFINITY;
        if (round == ROUNDS - 1)
            for (size_t i = 0; i < n; i++)
                x.at[i] = -INFINITY;
        const float most = largest(n, x.at), total = softmax_16(n, x.at, want.at);
        const size_t target = next_below(&seed, n);
        const float loss = most == -INFINITY ? INFINITY : ur_logf(total) - (x.at[target] - most);

        guarded dp = guarded_random(n, 2.0f, &seed), dx = guarded_random(n, 2.0f, &seed);
        guarded back = guarded_copy(&dx);
        const float mean = dot_16(n, want.at, dp.at);
        for (size_t i = 0; i < n; i++)
            back.at[i] = fmaf(want.at[i], dp.at[i] - mean, dx.at[i]);
        for (int k = 0; k < all.count; k++) {
            const char *isa = all.at[k]->name;
            guarded p = guarded_copy(&x), dx_got = guarded_copy(&dx);
            all.at[k]->softmax(n, p.at, p.at);
            same_bytes("softmax", isa, want.at, p.at, n);
            const float losses[] = {loss, loss};
            const float got[] = {
                all.at[k]->cross_entropy(n, x.at, (int32_t)target, NULL),
                all.at[k]->cross_entropy(n, x.at, (int32_t)target, p.at),
            };
            same_bytes("cross_entropy", isa, losses, got, 2);
            same_bytes("cross_entropy's softmax", isa, want.at, p.at, n);
            all.at[k]->softmax_back(n, want.at, dp.at, dx_got.at);
            same_bytes("softmax_back", isa, back.at, dx_got.at, n);
            guarded_free(&p);
            guarded_free(&dx_got);
        }
        guarded_free(&x);
        guarded_free(&want);
        guarded_free(&dp);
        guarded_free(&dx);
        guarded_free(&back);
    }
}

static void softmax_special(void **state)
{
    (void)state;
    const isas all = isas_here();
    for (int k = 0; k < all.count; k++) {
        float x[3] = {-INFINITY, NAN, -INFINITY}, p[3] = {7.0f, 7.0f, 7.0f};
        all.at[k]->softmax(0, x, p);
        assert_true(p[0] == 7.0f);
        all.at[k]->softmax(3, x, p);
        assert_true(isnan(p[0]) && isnan(p[1]) && isnan(p[2]));
        assert_true(isnan(all.at[k]->cross_entropy(3, x, 0, p)));
        x[1] = 3e38f;
        all.at[k]->softmax(3, x, p);
        assert_true(p[0] == 0.0f && p[1] == 1.0f && p[2] == 0.0f);
        assert_true(all.at[k]->cross_entropy(3, x, 1, NULL) == 0.0f);
        assert_true(all.at[k]->cross_entropy(3, x, 2, NULL) == INFINITY);
    }
}

static void drop_out(void **state)
{
    (void)state;
    const isas all = isas_here();
    uint64_t seed = 6;
    const float chances[] = {0.0f, 0.1f, 0.5f, 0.9f, 1.0f};
    for (int round = 0; round < ROUNDS; round++) {
        const size_t n = some_length(&seed);
        const float p = chances[round % 5];
        const uint64_t key = seed, high = seed >> 7;
        const uint64_t low = round % 2 ? 0xfffffffdU : (uint64_t)round << 40; /* carries, too */
        guarded x = guarded_random(n, 3.0f, &seed), want = guarded_new(n);
        size_t kept = 0;
        for (size_t i = 0; i < n; i++) {
            const uint32_t word = ur_philox(key, low + i / 4, high).word[i % 4];
            const bool keep = (double)word >= floor((double)p * 4294967296.0 + 0.5);
            want.at[i] = keep ? x.at[i] * (1.0f / (1.0f - p)) : 0.0f;
            kept += keep;
        }
        assert_true(p > 0.0f || kept == n);
        assert_true(p < 1.0f || kept == 0);
        if (n > 200)
            assert_true(fabs((double)kept / (double)n - (1.0 - (double)p)) < 0.15);
        for (int k = 0; k < all.count; k++) {
            guarded y = guarded_copy(&x);
            all.at[k]->dropout(n, p, key, low, high, y.at, y.at);
            same_bytes("dropout", all.at[k]->name, want.at, y.at, n);
            guarded_free(&y);
        }
        guarded_free(&x);
        guarded_free(&want);
    }
}

static void finding(void **state)
{
    (void)state;
    assert_ptr_equal(ur_kernels_find("plain"), &ur_kernels_plain);
    assert_non_null(ur_kernels_find(NULL));
    assert_null(ur_kernels_find("mmx"));
    assert_null(ur_kernels_find(""));
    const isas all = isas_here();
    for (int k = 0; k < all.count; k++)
        assert_ptr_equal(ur_kernels_find(all.at[k]->name), all.at[k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elementwise_kernels),
        cmocka_unit_test(rows_put),
        cmocka_unit_test(reductions),
        cmocka_unit_test(long_sums),
        cmocka_unit_test(argmax),
        cmocka_unit_test(column_sums_and_rows),
        cmocka_unit_test(softmax_and_cross_entropy),
        cmocka_unit_test(softmax_special),
        cmocka_unit_test(drop_out),
        cmocka_unit_test(finding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
