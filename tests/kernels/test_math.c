/* test_math.c - exp, log, tanh, sigmoid, erf: at most 2 units in the last place off over a sample
 * of all floats (exhaustive_math.c takes every one), equal bytes on every instruction set, special
 * values; and the double-precision functions for schedules, and normal deviates. */
#include "kernels/isas.h"
#include "kernels/ulp.h"
#include "kernels/math.h"

#include <float.h>

static float from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Runs function f over n numbers on every instruction set; the worst error of plain's. */
static double check(int f, size_t n, const float *x, float *want, float *got)
{
    const isas all = isas_here();
    elementary_kernel(all.at[0], f)(n, x, want);
    for (int i = 1; i < all.count; i++) {
        elementary_kernel(all.at[i], f)(n, x, got);
        same_bytes(elementary_name(f), all.at[i]->name, want, got, n);
    }
    double worst = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double e = ulp_error(want[i], elementary_truth(f, x[i]));
        if (e > 2.0)
            fail_msg("%s(%a) = %a is %g ulp off", elementary_name(f), (double)x[i], (double)want[i],
                     e);
        worst = e > worst ? e : worst;
    }
    return worst;
}

static void sample_of_all_floats(void **state)
{
    (void)state;
    enum { BLOCK = 1 << 12 };
    static float x[BLOCK], want[BLOCK], got[BLOCK];
    for (int f = 0; f < ELEMENTARY; f++) {
        double worst = 0.0;
        uint64_t bits = 0;
        while (bits <= UINT32_MAX) { /* one float in 4093 */
            size_t n = 0;
            for (; n < BLOCK && bits <= UINT32_MAX; bits += 4093)
                x[n++] = from_bits((uint32_t)bits);
            const double e = check(f, n, x, want, got);
            worst = e > worst ? e : worst;
        }
        for (int round = 0; round < 64; round++) { /* where the functions are not flat */
            uint64_t seed = (uint64_t)round;
            for (size_t i = 0; i < BLOCK; i++)
                x[i] = next_float(&seed, round % 2 ? 105.0f : 5.0f);
            const double e = check(f, BLOCK, x, want, got);
            worst = e > worst ? e : worst;
        }
        print_message("%s: %.3f ulp\n", elementary_name(f), worst);
        assert_true(worst > 0.4); /* else the measure would measure nothing */
    }
}

static void around_special_values(void **state)
{
    (void)state;
    static const float centres[] = {0.0f,     0x1p-149f,  FLT_MIN,  FLT_MAX,   0.9f,      1.0f,
                                    4.0f,     9.1f,       9.01f,    17.32f,    40.0f,     87.33f,
                                    88.37f,   88.722839f, 89.0f,    103.2789f, 103.9721f, 104.0f,
                                    0.34657f, 0.17328f,   0.70711f, 1.41421f,  INFINITY,  NAN};
    enum { CENTRES = sizeof centres / sizeof *centres, AROUND = 65 };
    static float x[2 * CENTRES * AROUND], want[2 * CENTRES * AROUND], got[2 * CENTRES * AROUND];
    size_t n = 0;
    for (size_t c = 0; c < CENTRES; c++)
        for (int d = 0; d < AROUND; d++) {
            uint32_t bits;
            memcpy(&bits, &centres[c], sizeof bits);
            bits += (uint32_t)d - AROUND / 2;
            x[n++] = from_bits(bits & 0x7fffffffU);
            x[n++] = from_bits(bits | 0x80000000U);
        }
    for (int f = 0; f < ELEMENTARY; f++)
        check(f, n, x, want, got);
}

static void saturation(void **state)
{
    (void)state;
    assert_true(ur_expf(89.0f) == INFINITY && ur_expf(INFINITY) == INFINITY);
    assert_true(ur_expf(-104.0f) == 0.0f && ur_expf(-INFINITY) == 0.0f && ur_expf(0.0f) == 1.0f);
    assert_true(ur_expf(-103.9f) == 0x1p-149f);
    assert_true(ur_logf(0.0f) == -INFINITY && ur_logf(-0.0f) == -INFINITY);
    assert_true(ur_logf(INFINITY) == INFINITY && ur_logf(1.0f) == 0.0f);
    assert_true(isnan(ur_logf(-1.0f)) && isnan(ur_logf(-INFINITY)));
    assert_true(ur_sigmoidf(0.0f) == 0.5f && ur_sigmoidf(-104.0f) == 0.0f);
    assert_true(ur_sigmoidf(18.0f) == 1.0f && ur_sigmoidf(-INFINITY) == 0.0f);
    assert_true(ur_tanhf(9.1f) == 1.0f && ur_tanhf(-INFINITY) == -1.0f);
    assert_true(ur_tanhf(0x1p-149f) == 0x1p-149f && signbit(ur_tanhf(-0.0f)));
    assert_true(ur_erff(4.0f) == 1.0f && ur_erff(-INFINITY) == -1.0f);
    assert_true(isnan(ur_expf(NAN)) && isnan(ur_logf(NAN)) && isnan(ur_tanhf(NAN)) &&
                isnan(ur_sigmoidf(NAN)) && isnan(ur_erff(NAN)));
    for (float x = -20.0f; x < 20.0f; x += 0x1.37p-10f) { /* within their bounds, and odd */
        assert_true(fabsf(ur_tanhf(x)) <= 1.0f && ur_tanhf(-x) == -ur_tanhf(x));
        assert_true(fabsf(ur_erff(x)) <= 1.0f && ur_erff(-x) == -ur_erff(x));
        assert_true(ur_sigmoidf(x) <= 1.0f);
    }
}

/* Every length and a few places: nothing outside is written, and in place works. */
static void tails(void **state)
{
    (void)state;
    const isas all = isas_here();
    uint64_t seed = 5;
    for (int f = 0; f < ELEMENTARY; f++)
        for (size_t n = 0; n <= 40; n++) {
            guarded x = guarded_random(n, 8.0f, &seed), want = guarded_new(n);
            static float (*const single[])(float) = {ur_expf, ur_logf, ur_tanhf, ur_sigmoidf,
                                                     ur_erff};
            for (size_t i = 0; i < n; i++)
                want.at[i] = single[f](x.at[i]);
            for (int i = 0; i < all.count; i++) {
                guarded y = guarded_copy(&x);
                elementary_kernel(all.at[i], f)(n, y.at, y.at);
                same_bytes(elementary_name(f), all.at[i]->name, want.at, y.at, n);
                guarded_free(&y);
            }
            guarded_free(&x);
            guarded_free(&want);
        }
}

static void doubles(void **state)
{
    (void)state;
    for (int i = -4000; i <= 4000; i++) {
        const double x = i / 997.0;
        const long double want = cosl(3.14159265358979323846264338327950288L * (long double)x);
        assert_true(fabsl(want - (long double)ur_cos_pi(x)) < 1e-15L);
    }
    assert_true(ur_cos_pi(0.0) == 1.0 && ur_cos_pi(1.0) == -1.0 && ur_cos_pi(0.5) == 0.0);
    assert_true(isnan(ur_cos_pi((double)NAN)) && isnan(ur_cos_pi((double)INFINITY)));
    assert_true(ur_power(0.999, 0) == 1.0 && ur_power(0.999, 1) == 0.999);
    for (uint64_t n = 1; n < 100000; n = n * 3 + 1) {
        const long double want = powl((long double)0.999, (long double)n);
        assert_true(fabsl(want - (long double)ur_power(0.999, n)) <
                    2.3e-16L * (long double)n * want);
    }
}

static void normal_deviates(void **state)
{
    (void)state;
    enum { N = 200001 };
    float *x = malloc(N * sizeof *x), *y = malloc(N * sizeof *y);
    assert_non_null(x);
    assert_non_null(y);
    ur_normal_fill(7, 3, N, x);
    double mean = 0, square = 0, fourth = 0, neighbours = 0;
    for (size_t i = 0; i < N; i++) {
        const double v = x[i];
        mean += v / N;
        square += v * v / N;
        fourth += v * v * v * v / N;
        neighbours += i ? v * (double)x[i - 1] / N : 0.0;
    }
    assert_true(fabs(mean) < 0.01 && fabs(square - 1.0) < 0.015); /* 4 standard errors or more */
    assert_true(fabs(fourth - 3.0) < 0.1 && fabs(neighbours) < 0.01);

    ur_normal_fill(7, 3, 11, y); /* a prefix, whatever the length */
    assert_memory_equal(x, y, 11 * sizeof *x);
    ur_normal_fill(7, 4, 11, y);
    assert_memory_not_equal(x, y, 11 * sizeof *x);
    free(x);
    free(y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sample_of_all_floats),
        cmocka_unit_test(around_special_values),
        cmocka_unit_test(saturation),
        cmocka_unit_test(tails),
        cmocka_unit_test(doubles),
        cmocka_unit_test(normal_deviates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
