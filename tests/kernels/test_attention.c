/* test_attention.c - the kernels of attention against the contract written out one element at a time, byte
 * for byte, on every instruction set; and products with a part of what was packed. */
#include "kernels/isas.h"
#include "kernels/math.h"

#include <math.h>

enum { ROUNDS = 80, MOST_ROWS = 5 };

static float fold(float *lane)
{
    for (int half = 8; half; half /= 2)
        for (int i = 0; i < half; i++)
            lane[i] += lane[i + half];
    return lane[0];
}

/* ---- weights -------------------------------------------------------------------------------- */

/* One row of `seen` keys: weights in place of scores. */
static void weights_of(size_t keys, size_t seen, float scale, const float *mask, float *x)
{
    float most = -INFINITY, lane[16] = {0.0f};
    for (size_t j = 0; j < seen; j++) {
        if (mask)
            x[j] = mask[j] == -INFINITY ? -INFINITY : fmaf(scale, x[j], mask[j]);
        most = x[j] > most ? x[j] : most;
    }
    const float by = mask ? 1.0f : scale;
    for (size_t j = 0; j < keys; j++) {
        const bool out = j >= seen || most == -INFINITY;
        x[j] = out ? 0.0f : ur_expf(fmaf(by, x[j], -(by * most)));
        lane[j % 16] += x[j];
    }
    const float factor = 1.0f / fold(lane);
    for (size_t j = 0; j < seen && most > -INFINITY; j++)
        x[j] *= factor;
}

static void weights(void **state)
{
    (void)state;
    const isas all = isas_here();
    uint64_t seed = 1;
    for (int round = 0; round < ROUNDS; round++) {
        const size_t rows = 1 + next_below(&seed, MOST_ROWS), keys = next_below(&seed, 90);
        const size_t row = keys + next_below(&seed, 5);
        const bool causal = round % 2, masked = round % 3 == 0;
        const ptrdiff_t first = (ptrdiff_t)next_below(&seed, keys + 4) - 3;
        const float scale = round % 5 ? 0.37f : 1.0f;
        guarded x = guarded_random(rows * row, 4.0f, &seed);
        guarded mask = guarded_random(rows * row, 2.0f, &seed), want = guarded_copy(&x);
        for (size_t i = 0; i < mask.n; i++)
            if (mask.at[i] > 0.5f || i < row / 2)
                mask.at[i] = -INFINITY;
        for (size_t r = 0; r < rows; r++) {
            const ptrdiff_t n = first + (ptrdiff_t)r;
            const size_t seen = !causal || n > (ptrdiff_t)keys ? keys : n < 0 ? 0 : (size_t)n;
            weights_of(keys, seen, scale, masked ? mask.at + r * row : NULL, want.at + r * row);
        }
        for (int k = 0; k < all.count; k++) {
            float shift[MOST_ROWS], factor[MOST_ROWS];
            guarded got = guarded_copy(&x), again = guarded_copy(&x);
            ur_weight_rows s = {rows,   keys,  got.at, row,
                                causal, first, scale,  masked ? mask.at : NULL,
                                row,    shift, factor};
            all.at[k]->weight_rows(&s);
            same_bytes("weight_rows", all.at[k]->name, want.at, got.at, got.n);
            s.x = again.at;
            all.at[k]->weight_rows_again(&s);
            same_bytes("weight_rows_again", all.at[k]->name, want.at, again.at, again.n);
            guarded_free(&got);
            guarded_free(&again);
        }
        guarded_free(&x);
        guarded_free(&mask);
        guarded_free(&want);
    }
}

static void weights_special(void **state)
{
    (void)state;
    const isas all = isas_here();
    for (int k = 0; k < all.count; k++) {
        float x[3] = {-INFINITY, NAN, -INFINITY}, shift, factor;
        const float hide[3] = {0.0f, -INFINITY, 0.0f};
        ur_weight_rows s = {.rows = 1,
                            .keys = 3,
                            .x = x,
                            .row = 3,
                            .scale = 1.0f,
                            .shift = &shift,
                            .factor = &factor};
        all.at[k]->weight_rows(&s);
        assert_true(isnan(x[0]) && isnan(x[1]) && isnan(x[2]));
        x[0] = 5.0f, x[2] = 3e38f; /* a NaN that the mask hides is not seen */
        s.mask = hide;
        s.mask_row = 3;
        all.at[k]->weight_rows(&s);
        assert_true(x[0] == 0.0f && x[1] == 0.0f && x[2] == 1.0f);
    }
}

static void weights_back(void **state)
{
    (void)state;
    const isas all = isas_here();
    uint64_t seed = 2;
    for (int round = 0; round < ROUNDS; round++) {
        const size_t rows = 1 + next_below(&seed, MOST_ROWS), keys = next_below(&seed, 90);
        const size_t row = keys + 3;
        guarded p = guarded_random(rows * row, 1.0f, &seed);
        guarded dp = guarded_random(rows * row, 2.0f, &seed), want = guarded_copy(&dp);
        float mean[MOST_ROWS];
        for (size_t r = 0; r < rows; r++) {
            float lane[16] = {0.0f};
            for (size_t j = 0; j < keys; j++)
                lane[j % 16] = fmaf(p.at[r * row + j], dp.at[r * row + j], lane[j % 16]);
            mean[r] = fold(lane);
            for (size_t j = 0; j < keys; j++)
                want.at[r * row + j] = p.at[r * row + j] * (dp.at[r * row + j] - mean[r]);
        }
        for (int k = 0; k < all.count; k++)
            for (int known = 0; known < 2; known++) {
                float got_mean[MOST_ROWS];
                memcpy(got_mean, mean, sizeof mean);
                guarded got = guarded_copy(&dp);
                const ur_weight_rows_back s = {rows, keys, row, p.at, got.at, got_mean};
                all.at[k]->weight_rows_back(&s, known);
                same_bytes("weight_rows_back", all.at[k]->name, want.at, got.at, got.n);
                same_bytes("its means", all.at[k]->name, mean, got_mean, rows);
                guarded_free(&got);
            }
        guarded_free(&p);
        guarded_free(&dp);
        guarded_free(&want);
    }
}

/* ---- additive scores ------------------------------------------------------------------------ */

static void additive_scores(void **state)
{
    (void)state;
    const isas all = isas_here();
    uint64_t seed = 3;
    for (int round = 0; round < ROUNDS; round++) {
        const size_t rows = 1 + next_below(&seed, MOST_ROWS), keys = next_below(&seed, 9);
        const size_t width = 1 + next_below(&seed, 50), row = keys + 2;
        guarded q = guarded_random(rows * width, 2.0f, &seed);
        guarded key = guarded_random(keys * width, 2.0f, &seed);
        guarded w = guarded_random(width, 1.0f, &seed);
        guarded x = guarded_random(rows * row, 1.0f, &seed), want = guarded_copy(&x);
        guarded dk = guarded_random(keys * width, 1.0f, &seed), want_dk = guarded_copy(&dk);
        guarded want_dq = guarded_new(rows * width), want_dw = guarded_new(rows * width);
        memset(want_dq.at, 0, rows * width * sizeof(float));
        memset(want_dw.at, 0, rows * width * sizeof(float));
        for (size_t r = 0; r < rows; r++)
            for (size_t j = 0; j < keys; j++) {
                float lane[16] = {0.0f};
                const float ds = x.at[r * row + j];
                for (size_t i = 0; i < width; i++) {
                    const float th = ur_tanhf(q.at[r * width + i] + key.at[j * width + i]);
                    const float slope = w.at[i] * fmaf(-th, th, 1.0f);
                    float *dq = &want_dq.at[r * width + i], *dw = &want_dw.at[r * width + i];
                    float *d_k = &want_dk.at[j * width + i];
                    lane[i % 16] = fmaf(w.at[i], th, lane[i % 16]);
                    *dq = fmaf(ds, slope, *dq);
                    *dw = fmaf(ds, th, *dw);
                    *d_k = fmaf(ds, slope, *d_k);
                }
                want.at[r * row + j] = fold(lane);
            }
        for (int k = 0; k < all.count; k++) {
            const char *isa = all.at[k]->name;
            guarded got = guarded_copy(&x), dk_got = guarded_copy(&dk);
            guarded dq = guarded_new(rows * width), dw = guarded_new(rows * width);
            ur_additive s = {rows,   keys, width, q.at,  key.at,    width, width, w.at,
                             got.at, row,  dq.at, dw.at, dk_got.at, width, width};
            all.at[k]->additive(&s);
            same_bytes("additive", isa, want.at, got.at, got.n);
            s.x = x.at;
            all.at[k]->additive_back(&s);
            same_bytes("additive_back's dq", isa, want_dq.at, dq.at, dq.n);
            same_bytes("additive_back's dw", isa, want_dw.at, dw.at, dw.n);
            same_bytes("additive_back's dk", isa, want_dk.at, dk_got.at, dk.n);
            guarded_free(&got);
            guarded_free(&dk_got);
            guarded_free(&dq);
            guarded_free(&dw);
        }
        guarded_free(&q);
        guarded_free(&key);
        guarded_free(&w);
        guarded_free(&x);
        guarded_free(&want);
        guarded_free(&dk);
        guarded_free(&want_dk);
        guarded_free(&want_dq);
        guarded_free(&want_dw);
    }
}

/* ---- products ------------------------------------------------------------------------------- */

/* k's [begin, begin + k) of panels that hold more. */
static void part_of_the_panels(void **state)
{
    (void)state;
    const isas all = isas_here();
    uint64_t seed = 4;
    for (int round = 0; round < ROUNDS; round++) {
        const size_t m = 1 + next_below(&seed, 9), n = 1 + next_below(&seed, 150);
        const size_t held = 1 + next_below(&seed, 40), begin = next_below(&seed, held);
        const size_t k = 1 + next_below(&seed, held - begin);
        guarded a = guarded_random(m * k, 1.0f, &seed), b = guarded_random(held * n, 1.0f, &seed);
        guarded want = guarded_new(m * n);
        for (size_t r = 0; r < m; r++)
            for (size_t j = 0; j < n; j++) {
                float chain = 0.0f, sum = 0.0f;
                for (size_t i = 0; i < k; i++) {
                    chain = fmaf(a.at[r * k + i], b.at[(begin + i) * n + j], chain);
                    if ((i + 1) % UR_CHAIN == 0 || i + 1 == k) {
                        sum = i < UR_CHAIN ? chain : sum + chain;
                        chain = 0.0f;
                    }
                }
                want.at[r * n + j] = sum;
            }
        for (int i = 0; i < all.count; i++) {
            const ur_columns columns = {1, n};
            const size_t floats = ur_packed_floats(all.at[i], columns, held);
            float *packed = aligned_alloc(64, (floats * sizeof *packed + 63) / 64 * 64);
            guarded c = guarded_new(m * n);
            assert_non_null(packed);
            all.at[i]->pack_cols(columns, held, b.at, n, NULL, packed, 0, held);
            const ur_product p = {.m = m,
                                  .k = k,
                                  .a = a.at,
                                  .a_row = k,
                                  .a_k = 1,
                                  .b = packed,
                                  .b_k = held,
                                  .b_begin = begin,
                                  .columns = columns,
                                  .c = c.at,
                                  .c_row = n,
                                  .start = UR_START_BIAS};
            all.at[i]->product(&p, 0, all.at[i]->panels(columns));
            same_bytes("a part of the panels", all.at[i]->name, want.at, c.at, c.n);
            guarded_free(&c);
            free(packed);
        }
        guarded_free(&a);
        guarded_free(&b);
        guarded_free(&want);
    }
}

/* ---- rows anywhere --------------------------------------------------------------------------- */

static void scattered(void **state)
{
    (void)state;
    const isas all = isas_here();
    uint64_t seed = 5;
    for (int round = 0; round < ROUNDS; round++) {
        const size_t rows = 1 + next_below(&seed, 11), most = UR_CHAIN < 90 ? UR_CHAIN : 90;
        const size_t keys = 1 + next_below(&seed, most), vector = (size_t)4 << round % 3;
        const bool narrow = round % 4 == 0 && vector <= most; /* of one vector somewhere */
        const size_t width = narrow ? vector : 1 + next_below(&seed, most);
        const size_t a_row = width + next_below(&seed, 3);
        const size_t p_row = (keys + 15) / 16 * 16 + next_below(&seed, 3);
        guarded a = guarded_random(rows * a_row, 1.0f, &seed);
        guarded p = guarded_random(rows * p_row, 1.0f, &seed);
        guarded b = guarded_random(2 * keys * width, 1.0f, &seed);
        guarded scores = guarded_copy(&p), contexts = guarded_copy(&a);
        size_t at[90 + 16];
        for (size_t j = 0; j < keys + 16; j++)
            at[j] = next_below(&seed, 2 * keys) * width;
        for (size_t r = 0; r < rows; r++) {
            for (size_t i = 0; i < width; i++)
                contexts.at[r * a_row + i] = 0.0f;
            for (size_t j = 0; j < keys; j++) {
                float chain = 0.0f;
                for (size_t i = 0; i < width; i++) {
                    float *context = contexts.at + r * a_row + i;
                    *context = fmaf(p.at[r * p_row + j], b.at[at[j] + i], *context);
                    chain = fmaf(a.at[r * a_row + i], b.at[at[j] + i], chain);
                }
                scores.at[r * p_row + j] = chain;
            }
        }
        for (int k = 0; k < all.count; k++) {
            guarded x = guarded_copy(&p), y = guarded_copy(&a);
            const ur_scattered s = {rows, keys, width, a.at,  a_row, 1,
                                    b.at, at,   x.at,  p_row, false};
            ur_scattered c = {rows, keys, width, p.at, p_row, 1, b.at, at, y.at, a_row, false};
            all.at[k]->scattered_scores(&s);
            all.at[k]->scattered_contexts(&c);
            for (size_t r = 0; r < rows; r++)
                same_bytes("scattered_scores", all.at[k]->name, scores.at + r * p_row,
                           x.at + r * p_row, keys);
            same_bytes("scattered_contexts", all.at[k]->name, contexts.at, y.at, y.n);
            for (size_t r = 0; r < rows; r++) { /* some keys, and on from there */
                const size_t first = keys * 2 / 3;
                float turned[3 * 90] = {0.0f};
                for (size_t j = 0; j < keys; j++)
                    turned[3 * j] = p.at[r * p_row + j];
                c = (ur_scattered){.rows = 1,
                                   .keys = first,
                                   .width = width,
                                   .a = turned,
                                   .a_k = 3,
                                   .b = b.at,
                                   .at = at,
                                   .y = y.at + r * a_row};
                all.at[k]->scattered_contexts(&c);
                c.keys = keys - first;
                c.a += 3 * first;
                c.at = at + first;
                c.add = true;
                all.at[k]->scattered_contexts(&c);
            }
            same_bytes("in two parts", all.at[k]->name, contexts.at, y.at, y.n);
            guarded_free(&x);
            guarded_free(&y);
        }
        guarded_free(&a);
        guarded_free(&p);
        guarded_free(&b);
        guarded_free(&scores);
        guarded_free(&contexts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights),
        cmocka_unit_test(weights_special),
        cmocka_unit_test(weights_back),
        cmocka_unit_test(additive_scores),
        cmocka_unit_test(part_of_the_panels),
        cmocka_unit_test(scattered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
