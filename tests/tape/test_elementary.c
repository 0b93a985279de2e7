/* test_elementary.c - operations that losses of one's own need: values against their formulas, equal bytes
 * on every instruction set, by any number of threads and on another device; what they refuse. */
#include "support/contexts.h"
#include "support/shifted.h"
#include "tape/tape.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { ROWS = 5, WIDTH = 37, COUNT = ROWS * WIDTH };

static void fill_in(float *x, uint64_t seed)
{
    for (size_t i = 0; i < COUNT; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        x[i] = (float)((double)(seed >> 40) / (double)(1 << 23) - 1.0) * 4.0f;
    }
}

/* Everything at once: a loss over all operations; its value and the gradients of both parameters. */
static void all_of_them(ur_context *context, float *out)
{
    float a[COUNT], b[COUNT], *gradient;
    ur_params *params;
    ur_tape *t;
    fill_in(a, 1);
    fill_in(b, 2);
    assert_int_equal(ur_params_new(context, &params, NULL), UR_OK);
    ur_params_add(params, "a", 2, (size_t[]){ROWS, WIDTH}, UR_TRAINABLE);
    ur_params_add(params, "b", 2, (size_t[]){ROWS, WIDTH}, UR_TRAINABLE);
    ur_params_add(params, "gain", 1, (size_t[]){WIDTH}, UR_TRAINABLE);
    assert_int_equal(ur_params_seal(params, NULL), UR_OK);
    memcpy(ur_param_values(params, 0), a, sizeof a);
    memcpy(ur_param_values(params, 1), b, sizeof b);
    memcpy(ur_param_values(params, 2), a, WIDTH * sizeof *a);
    gradient = calloc(ur_params_size(params), sizeof *gradient);
    assert_int_equal(ur_tape_new(context, &t, NULL), UR_OK);
    ur_tape_start(t, UR_TRAIN, params, gradient, 0, 0);
    ur_tensor *x = ur_parameter(t, 0), *y = ur_parameter(t, 1), *g = ur_parameter(t, 2);
    ur_tensor *z = ur_add(t, ur_gelu(t, x), ur_gelu_tanh(t, y));
    z = ur_add(t, z, ur_div(t, ur_relu(t, x), ur_exp(t, ur_scale(t, y, 0.25f))));
    z = ur_add(t, z, ur_log(t, ur_add(t, ur_mul(t, x, x), ur_exp(t, y))));
    z = ur_add(t, ur_layer_norm(t, z, g, g, 1e-5f), ur_expand_rows(t, g, ROWS));
    z = ur_reshape(t, ur_transpose(t, z), 2, (size_t[]){ROWS, WIDTH});
    z = ur_sub(t, z, ur_expand(t, ur_mean(t, y), 2, (size_t[]){ROWS, WIDTH}));
    ur_tensor *loss = ur_mean(t, ur_mul(t, z, z));
    if (ur_backward(t, loss) != UR_OK)
        fail_msg("%s", ur_error(t));
    out[0] = ur_read(t, loss)[0];
    for (int p = 0; p < 3; p++)
        memcpy(out + 1 + (size_t)p * COUNT, gradient + ur_params_entry(params, (size_t)p)->offset,
               (p < 2 ? (size_t)COUNT : (size_t)WIDTH) * sizeof *out);
    free(gradient);
    ur_tape_free(t);
    ur_params_free(params);
}

static void equal_bytes(void **state)
{
    (void)state;
    static float want[1 + 2 * COUNT + WIDTH], got[1 + 2 * COUNT + WIDTH];
    contexts all = contexts_new();
    all_of_them(all.at[0], want);
    assert_true(want[0] > 0.0f && isfinite(want[0]));
    for (int i = 1; i < all.count; i++) {
        memset(got, 0, sizeof got);
        all_of_them(all.at[i], got);
        assert_memory_equal(got, want, sizeof want);
    }
    contexts_free(&all);
}

static void values(void **state)
{
    (void)state;
    float a[COUNT], b[COUNT];
    fill_in(a, 3);
    fill_in(b, 4);
    ur_context *context = context_of(NULL, 1, NULL);
    ur_tape *t;
    assert_int_equal(ur_tape_new(context, &t, NULL), UR_OK);
    ur_tape_start(t, UR_INFER, NULL, NULL, 0, 0);
    const size_t dim[] = {ROWS, WIDTH};
    ur_tensor *x = ur_copy_floats(t, 2, dim, a, false), *y = ur_copy_floats(t, 2, dim, b, false);
    const float *quotient = ur_floats(ur_div(t, x, y)), *gelu = ur_floats(ur_gelu(t, x));
    const float *bent = ur_floats(ur_gelu_tanh(t, x)), *relu = ur_floats(ur_relu(t, x));
    const float *turned = ur_floats(ur_transpose(t, x));
    const float *norm = ur_floats(ur_layer_norm(t, x, NULL, NULL, 1e-5f));
    const double mean = (double)ur_floats(ur_mean(t, x))[0];
    double sum = 0.0;
    for (size_t i = 0; i < COUNT; i++) {
        const double v = (double)a[i];
        sum += v;
        assert_true(quotient[i] == a[i] / b[i]);
        assert_true(relu[i] == (a[i] > 0.0f ? a[i] : 0.0f));
        assert_true(turned[i % WIDTH * ROWS + i / WIDTH] == a[i]);
        assert_true(fabs((double)gelu[i] - 0.5 * v * (1.0 + erf(v / sqrt(2.0)))) < 1e-6);
        const double u = sqrt(2.0 / acos(-1.0)) * (v + 0.044715 * v * v * v);
        assert_true(fabs((double)bent[i] - 0.5 * v * (1.0 + tanh(u))) < 1e-6);
    }
    assert_true(fabs(mean - sum / COUNT) < 1e-6);
    for (size_t r = 0; r < ROWS; r++) {
        double m = 0.0, square = 0.0;
        for (size_t i = 0; i < WIDTH; i++)
            m += (double)a[r * WIDTH + i] / WIDTH;
        for (size_t i = 0; i < WIDTH; i++)
            square += ((double)a[r * WIDTH + i] - m) * ((double)a[r * WIDTH + i] - m) / WIDTH;
        for (size_t i = 0; i < WIDTH; i++)
            assert_true(fabs((double)norm[r * WIDTH + i] -
                             ((double)a[r * WIDTH + i] - m) / sqrt(square + 1e-5)) < 1e-5);
    }
    const size_t length[] = {2, 0, 3};
    const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, 3, length, NULL);
    const float *step = ur_floats(ur_step_of(t, ur_seq_floats(t, l, 1, a, false), 1));
    assert_true(step[0] == a[1] && step[1] == 0.0f && step[2] == a[3]);
    ur_tape_free(t);
    ur_context_free(context);
}

static void refusals(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    ur_tape *t;
    assert_int_equal(ur_tape_new(context, &t, NULL), UR_OK);
    static const char *const said[] = {"reshape",    "expand",    "layer_norm",
                                       "layer_norm", "transpose", "div"};
    for (int i = 0; i < 6; i++) {
        ur_tape_start(t, UR_INFER, NULL, NULL, 0, 0);
        ur_tensor *x = ur_new_floats(t, 2, (size_t[]){3, 4}, false);
        ur_tensor *v = ur_new_floats(t, 1, (size_t[]){3}, false);
        ur_tensor *got = i == 0   ? ur_reshape(t, x, 1, (size_t[]){11})
                         : i == 1 ? ur_expand(t, v, 2, (size_t[]){3, 4})
                         : i == 2 ? ur_layer_norm(t, x, v, NULL, 1e-5f)
                         : i == 3 ? ur_layer_norm(t, x, NULL, NULL, -1.0f)
                         : i == 4 ? ur_transpose(t, v)
                                  : ur_div(t, x, v);
        assert_null(got);
        assert_int_equal(ur_tape_status(t), UR_INVALID);
        assert_non_null(strstr(ur_error(t), said[i]));
    }
    ur_tape_free(t);
    ur_context_free(context);
}

/* A device whose memory only its backend can read gives the same bytes. */
static void another_device(void **state)
{
    (void)state;
    float got[COUNT];
    ur_context *context = context_of(NULL, 2, NULL), *shifted = shifted_context(NULL, 2);
    float a[COUNT];
    ur_tape *t;
    fill_in(a, 1);
    assert_int_equal(ur_tape_new(shifted, &t, NULL), UR_OK);
    ur_tape_start(t, UR_INFER, NULL, NULL, 0, 0);
    ur_tensor *x = ur_copy_floats(t, 2, (size_t[]){ROWS, WIDTH}, a, false);
    ur_tensor *y = ur_layer_norm(t, ur_gelu(t, ur_div(t, x, ur_exp(t, x))), NULL, NULL, 1e-5f);
    const float *there = ur_read(t, ur_transpose(t, y));
    assert_non_null(there);
    memcpy(got, there, COUNT * sizeof *got);
    ur_tape_free(t);
    assert_int_equal(ur_tape_new(context, &t, NULL), UR_OK);
    ur_tape_start(t, UR_INFER, NULL, NULL, 0, 0);
    x = ur_copy_floats(t, 2, (size_t[]){ROWS, WIDTH}, a, false);
    y = ur_layer_norm(t, ur_gelu(t, ur_div(t, x, ur_exp(t, x))), NULL, NULL, 1e-5f);
    assert_memory_equal(got, ur_floats(ur_transpose(t, y)), COUNT * sizeof *got);
    ur_tape_free(t);
    ur_context_free(shifted);
    ur_context_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(values), cmocka_unit_test(equal_bytes),
                                       cmocka_unit_test(another_device),
                                       cmocka_unit_test(refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
