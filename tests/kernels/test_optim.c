/* test_optim.c - Adam and SGD against their equations one weight at a time, byte for byte on every
 * instruction set, over several steps; and against double precision. */
#include "kernels/isas.h"

#include <math.h>

enum { ROUNDS = 80, STEPS = 4 };

static float no_trace(float moment)
{
    return fabsf(moment) < 0x1p-100f ? 0.0f : moment;
}

static void adam_reference(const ur_adam *a, float grad, float *m, float *v, float *w)
{
    const float g = fmaf(a->weight_decay, *w, a->grad_scale * grad);
    *m = no_trace(fmaf(1.0f - a->beta1, g - *m, *m));
    *v = no_trace(fmaf((1.0f - a->beta2) * g, g, a->beta2 * *v));
    const float kept = (1.0f - a->decoupled_decay) * *w;
    *w = fmaf(-a->step_size, *m / fmaf(sqrtf(*v), a->inv_sqrt_bias2, a->eps), kept);
}

static void adam_steps(void **state)
{
    (void)state;
    const isas all = isas_here();
    uint64_t seed = 1;
    for (int round = 0; round < ROUNDS; round++) {
        const size_t n = round < 40 ? (size_t)round : next_below(&seed, 300);
        ur_adam a = {.beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f};
        a.weight_decay = round % 2 ? 0.01f : 0.0f;
        a.decoupled_decay = round % 3 ? 0.0f : 0.01f;
        a.grad_scale = next_float(&seed, 1.0f);
        guarded w = guarded_random(n, 1.0f, &seed), m = guarded_random(n, 0.1f, &seed);
        guarded v = guarded_random(n, 0.01f, &seed);
        guarded grad = guarded_random(n * STEPS, round % 3 ? 0.1f : 1e-20f, &seed);
        for (size_t i = 0; i < n; i++) {
            v.at[i] = i % 7 ? fabsf(v.at[i]) : 0x1.0001p-100f; /* some about to vanish */
            m.at[i] = i % 5 ? m.at[i] : 0x1.1p-100f;
            for (size_t t = 0; t < STEPS && i % 5 * (i % 7) == 0; t++)
                grad.at[t * n + i] = 0.0f;
        }
        for (int k = 0; k < all.count; k++) {
            guarded wk = guarded_copy(&w), mk = guarded_copy(&m), vk = guarded_copy(&v);
            guarded wr = guarded_copy(&w), mr = guarded_copy(&m), vr = guarded_copy(&v);
            for (size_t t = 0; t < STEPS; t++) {
                a.step_size = 1e-3f / (float)(t + 1);
                a.inv_sqrt_bias2 = 10.0f / (float)(t + 1);
                for (size_t i = 0; i < n; i++)
                    adam_reference(&a, grad.at[t * n + i], &mr.at[i], &vr.at[i], &wr.at[i]);
                all.at[k]->adam(&a, n, grad.at + t * n, mk.at, vk.at, wk.at);
                same_bytes("adam: m", all.at[k]->name, mr.at, mk.at, n);
                same_bytes("adam: v", all.at[k]->name, vr.at, vk.at, n);
                same_bytes("adam: w", all.at[k]->name, wr.at, wk.at, n);
            }
            guarded *const done[] = {&wk, &mk, &vk, &wr, &mr, &vr};
            for (int i = 0; i < 6; i++)
                guarded_free(done[i]);
        }
        guarded_free(&w);
        guarded_free(&m);
        guarded_free(&v);
        guarded_free(&grad);
    }
}

/* The textbook's form in double precision, from zero moments. */
static void adam_follows_the_paper(void **state)
{
    (void)state;
    const isas all = isas_here();
    for (int k = 0; k < all.count; k++) {
        float w = 0.5f, m = 0.0f, v = 0.0f;
        double wd = 0.5, md = 0.0, vd = 0.0, power1 = 1.0, power2 = 1.0;
        const double beta1 = 0.9f, beta2 = 0.999f, lr = 1e-2, eps = 1e-8;
        for (int t = 1; t <= 50; t++) {
            const float grad = cosf((float)t);
            power1 *= beta1;
            power2 *= beta2;
            md = beta1 * md + (1.0 - beta1) * (double)grad;
            vd = beta2 * vd + (1.0 - beta2) * (double)grad * (double)grad;
            wd -= lr * (md / (1.0 - power1)) / (sqrt(vd / (1.0 - power2)) + eps);
            const ur_adam a = {.beta1 = 0.9f,
                               .beta2 = 0.999f,
                               .eps = 1e-8f,
                               .step_size = (float)(lr / (1.0 - power1)),
                               .inv_sqrt_bias2 = (float)(1.0 / sqrt(1.0 - power2)),
                               .grad_scale = 1.0f};
            all.at[k]->adam(&a, 1, &grad, &m, &v, &w);
            assert_true(fabs((double)w - wd) < 1e-6);
        }
    }
}

static void adam_keeps_nan(void **state)
{
    (void)state;
    const isas all = isas_here();
    const ur_adam a = {0.9f, 0.999f, 1e-8f, 0.0f, 1e-3f, 1.0f, 1.0f, 0.0f};
    for (int k = 0; k < all.count; k++) {
        float grad[2] = {NAN, 0.0f}, m[2] = {0}, v[2] = {0}, w[2] = {1.0f, 1.0f};
        all.at[k]->adam(&a, 2, grad, m, v, w);
        assert_true(isnan(m[0]) && isnan(v[0]) && isnan(w[0]));
        assert_true(m[1] == 0.0f && v[1] == 0.0f && w[1] == 1.0f);
    }
}

static void sgd_steps(void **state)
{
    (void)state;
    const isas all = isas_here();
    uint64_t seed = 2;
    for (int round = 0; round < ROUNDS; round++) {
        const size_t n = round < 40 ? (size_t)round : next_below(&seed, 300);
        ur_sgd s = {.lr = 0.1f, .grad_scale = 0.5f};
        s.momentum = round % 3 ? 0.9f : 0.0f;
        s.weight_decay = round % 2 ? 0.01f : 0.0f;
        s.nesterov = round % 4 == 1;
        const bool has_velocity = round % 3 != 0;
        guarded w = guarded_random(n, 1.0f, &seed), grad = guarded_random(n * STEPS, 1.0f, &seed);
        for (int k = 0; k < all.count; k++) {
            guarded wk = guarded_copy(&w), wr = guarded_copy(&w);
            guarded vk = guarded_new(n), vr = guarded_new(n);
            for (size_t t = 0; t < STEPS; t++) {
                s.first = t == 0;
                for (size_t i = 0; i < n; i++) {
                    const float g = fmaf(s.weight_decay, wr.at[i], 0.5f * grad.at[t * n + i]);
                    const float old = has_velocity ? vr.at[i] : 0.0f;
                    const float v = s.first || !has_velocity ? g : fmaf(s.momentum, old, g);
                    const bool ahead = s.nesterov && has_velocity;
                    wr.at[i] = fmaf(-s.lr, ahead ? fmaf(s.momentum, v, g) : v, wr.at[i]);
                    if (has_velocity)
                        vr.at[i] = v;
                }
                all.at[k]->sgd(&s, n, grad.at + t * n, has_velocity ? vk.at : NULL, wk.at);
                same_bytes("sgd: velocity", all.at[k]->name, vr.at, vk.at, n);
                same_bytes("sgd: w", all.at[k]->name, wr.at, wk.at, n);
            }
            guarded_free(&wk);
            guarded_free(&wr);
            guarded_free(&vk);
            guarded_free(&vr);
        }
        guarded_free(&w);
        guarded_free(&grad);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adam_steps),
        cmocka_unit_test(adam_follows_the_paper),
        cmocka_unit_test(adam_keeps_nan),
        cmocka_unit_test(sgd_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
