/* test_norm.c - layer normalisation and activations of every instruction set against the sums written
 * out, and the epilogues of products against the product and the function one after the other. */
#include "kernels/isas.h"
#include "kernels/math.h"

#include <math.h>

enum { LANES = 16, ROUNDS = 60 };

/* The 16 partial sums, joined. */
static float joined(float s[LANES])
{
    for (size_t half = LANES / 2; half; half /= 2)
        for (size_t i = 0; i < half; i++)
            s[i] += s[i + half];
    return s[0];
}

typedef struct row {
    guarded x, gain, bias, dy, extra, y, dx, dgain, dbias;
    float kept[2];
} row;

/* What norm, norm_back and norm_sums are to compute. */
static void write_out(row *r, size_t n, float eps, bool gain, bool bias, bool extra)
{
    float s[LANES] = {0}, sz[LANES] = {0};
    for (size_t i = 0; i < n; i++)
        s[i % LANES] += r->x.at[i];
    const float mean = joined(s) / (float)n;
    memset(s, 0, sizeof s);
    for (size_t i = 0; i < n; i++)
        s[i % LANES] = fmaf(r->x.at[i] - mean, r->x.at[i] - mean, s[i % LANES]);
    const float f = 1.0f / sqrtf(joined(s) / (float)n + eps);
    memset(s, 0, sizeof s);
    for (size_t i = 0; i < n; i++) {
        const float z = (r->x.at[i] - mean) * f, g = r->gain.at[i], b = r->bias.at[i];
        const float d = gain ? r->dy.at[i] * g : r->dy.at[i];
        r->y.at[i] = gain && bias ? fmaf(z, g, b) : gain ? z * g : bias ? z + b : z;
        s[i % LANES] += d;
        sz[i % LANES] = fmaf(d, z, sz[i % LANES]);
        r->dgain.at[i] = fmaf(r->dy.at[i], z, r->dgain.at[i]);
        r->dbias.at[i] += r->dy.at[i];
    }
    const float mean_d = joined(s) / (float)n, mean_dz = joined(sz) / (float)n;
    for (size_t i = 0; i < n; i++) {
        const float z = (r->x.at[i] - mean) * f;
        const float d = gain ? r->dy.at[i] * r->gain.at[i] : r->dy.at[i];
        r->dx.at[i] = f * fmaf(-z, mean_dz, d - mean_d);
        if (extra)
            r->dx.at[i] += r->extra.at[i];
    }
    r->kept[0] = mean;
    r->kept[1] = f;
}

static void norms(void **state)
{
    (void)state;
    const isas all = isas_here();
    uint64_t seed = 11;
    for (int round = 0; round < ROUNDS; round++) {
        const size_t n = 1 + next_below(&seed, round % 4 ? 40 : 300);
        const bool gain = round & 1, bias = round & 2, extra = round & 4;
        row r = {.x = guarded_random(n, 3.0f, &seed),
                 .gain = guarded_random(n, 2.0f, &seed),
                 .bias = guarded_random(n, 2.0f, &seed),
                 .dy = guarded_random(n, 2.0f, &seed),
                 .extra = guarded_random(n, 2.0f, &seed),
                 .y = guarded_new(n),
                 .dx = guarded_new(n),
                 .dgain = guarded_random(n, 2.0f, &seed),
                 .dbias = guarded_random(n, 2.0f, &seed)};
        const guarded before[] = {guarded_copy(&r.dgain), guarded_copy(&r.dbias)};
        write_out(&r, n, 1e-5f, gain, bias, extra);
        for (int k = 0; k < all.count; k++) {
            const ur_kernels *on = all.at[k];
            guarded y = guarded_new(n), dx = guarded_new(n);
            guarded dgain = guarded_copy(&before[0]), dbias = guarded_copy(&before[1]);
            float kept[2];
            on->norm(n, 1e-5f, r.x.at, gain ? r.gain.at : NULL, bias ? r.bias.at : NULL, y.at,
                     kept);
            same_bytes("norm", on->name, r.y.at, y.at, n);
            same_bytes("norm's numbers", on->name, r.kept, kept, 2);
            on->norm_back(n, r.x.at, kept, gain ? r.gain.at : NULL, r.dy.at,
                          extra ? r.extra.at : NULL, dx.at);
            same_bytes("norm_back", on->name, r.dx.at, dx.at, n);
            on->norm_sums(n, r.x.at, kept, r.dy.at, dgain.at, dbias.at);
            same_bytes("dgain", on->name, r.dgain.at, dgain.at, n);
            same_bytes("dbias", on->name, r.dbias.at, dbias.at, n);
            guarded *const mine[] = {&y, &dx, &dgain, &dbias};
            for (int i = 0; i < 4; i++)
                guarded_free(mine[i]);
        }
        guarded *const made[] = {&r.x, &r.gain, &r.bias,  &r.dy,   &r.extra,
                                 &r.y, &r.dx,   &r.dgain, &r.dbias};
        for (int i = 0; i < 9; i++)
            guarded_free(made[i]);
        for (int i = 0; i < 2; i++)
            guarded_free((guarded *)&before[i]);
    }
}

/* Against the definitions in double precision. */
static void activations(void **state)
{
    (void)state;
    const isas all = isas_here();
    enum { N = 1001 };
    float x[N], y[N], slope[N];
    for (int i = 0; i < N; i++)
        x[i] = (float)(i - N / 2) / 40.0f;
    for (int k = 0; k < all.count; k++)
        for (int form = 0; form < 2; form++) {
            (form ? all.at[k]->gelu_tanh : all.at[k]->gelu)(N, x, y, slope);
            for (int i = 0; i < N; i++) {
                const double v = (double)x[i];
                const double u = 0.7978845608028654 * (v + 0.044715 * v * v * v), t = tanh(u);
                const double phi = 0.5 * (1.0 + erf(v / 1.4142135623730951));
                const double want = form ? 0.5 * v * (1.0 + t) : v * phi;
                const double d = form ? 0.5 * (1.0 + t) + 0.5 * v * (1.0 - t * t) *
                                                              0.7978845608028654 *
                                                              (1.0 + 3.0 * 0.044715 * v * v)
                                      : phi + v * 0.3989422804014327 * exp(-0.5 * v * v);
                assert_true(fabs((double)y[i] - want) < 3e-6);
                assert_true(fabs((double)slope[i] - d) < 3e-6);
            }
        }
}

static void epilogues(void **state)
{
    (void)state;
    const isas all = isas_here();
    uint64_t seed = 3;
    for (int round = 0; round < ROUNDS; round++) {
        const size_t m = 1 + next_below(&seed, 20), n = 1 + next_below(&seed, 70);
        const size_t k = next_below(&seed, round % 5 ? 30 : 1300);
        guarded a = guarded_random(m * k + 1, 1.0f, &seed),
                w = guarded_random(n * k + 1, 1.0f, &seed);
        guarded side = guarded_random(m * n, 1.0f, &seed);
        const ur_columns columns = {1, n};
        for (int c = 0; c < all.count; c++) {
            const ur_kernels *on = all.at[c];
            float *packed = malloc((ur_packed_floats(on, columns, k) + 1) * sizeof *packed);
            on->pack_rows(columns, k, w.at, k, packed, 0, n);
            guarded plain = guarded_new(m * n), slopes = guarded_new(m * n);
            ur_product p = {.m = m,
                            .k = k,
                            .a = a.at,
                            .a_row = k,
                            .a_k = 1,
                            .b = packed,
                            .columns = columns,
                            .c = plain.at,
                            .c_row = n,
                            .start = UR_START_BIAS};
            on->product(&p, 0, on->panels(columns));
            for (int e = UR_EPILOGUE_RELU; e <= UR_EPILOGUE_POSITIVE; e++) {
                guarded got = guarded_new(m * n), slope = guarded_new(m * n);
                guarded want = guarded_copy(&plain);
                p.c = got.at;
                p.epilogue = (ur_epilogue)e;
                p.side = side.at;
                p.slope = slope.at;
                p.factor = 1.25f;
                on->product(&p, 0, on->panels(columns));
                for (size_t i = 0; i < m * n; i++) {
                    float *y = &want.at[i];
                    const float s = side.at[i];
                    *y = e == UR_EPILOGUE_RELU       ? (*y < 0.0f ? 0.0f : *y)
                         : e == UR_EPILOGUE_MUL      ? *y * s
                         : e == UR_EPILOGUE_POSITIVE ? (s > 0.0f ? *y * 1.25f : 0.0f)
                                                     : *y;
                }
                if (e == UR_EPILOGUE_GELU || e == UR_EPILOGUE_GELU_TANH) {
                    (e == UR_EPILOGUE_GELU ? on->gelu : on->gelu_tanh)(m * n, want.at, want.at,
                                                                       slopes.at);
                    same_bytes("slope", on->name, slopes.at, slope.at, m * n);
                }
                same_bytes("epilogue", on->name, want.at, got.at, m * n);
                guarded_free(&got);
                guarded_free(&slope);
                guarded_free(&want);
            }
            guarded_free(&plain);
            guarded_free(&slopes);
            free(packed);
        }
        guarded_free(&a);
        guarded_free(&w);
        guarded_free(&side);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(norms), cmocka_unit_test(activations),
                                       cmocka_unit_test(epilogues)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
