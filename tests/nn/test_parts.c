/* test_parts.c - what Transformers are made of beside attention: layer normalisation, residual
 * connections and feed-forward layers, against PyTorch and against themselves composed. */
#include "support/contexts.h"
#include "support/golden.h"
#include "unroll/nn.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { ROWS = 9 }; /* of the golden cases */

typedef struct bench {
    ur_context *context;
    ur_params *params;
    float *gradient;
    ur_tape *tape;
} bench;

static bench bench_of(ur_context *context)
{
    bench b = {.context = context};
    assert_int_equal(ur_params_new(context, &b.params, NULL), UR_OK);
    b.tape = tape_of(context);
    return b;
}

static void bench_start(bench *b)
{
    b->gradient = calloc(ur_params_size(b->params) + 1, sizeof *b->gradient);
    ur_tape_start(b->tape, UR_TRAIN, b->params, b->gradient, 3, 4);
}

static void bench_free(bench *b)
{
    ur_tape_free(b->tape);
    ur_params_free(b->params);
    free(b->gradient);
}

static ur_tensor *weigh(ur_tape *tape, ur_tensor *y, const float *w)
{
    return y ? ur_sum(tape, ur_mul(tape, y, ur_copy_floats(tape, y->ndim, y->dim, w, false)))
             : NULL;
}

/* Tensor NAME of golden case i. */
static const char *of(size_t i, const char *name)
{
    static char text[4][64];
    static int next;
    char *s = text[next++ % 4];
    snprintf(s, sizeof text[0], "%zu.%s", i, name);
    return s;
}

static ur_seq *golden_input(golden *g, ur_tape *t, const ur_layout *l, const char *name)
{
    return ur_seq_floats(t, l, golden_dim(g, name, 1), golden_floats(g, name, NULL), true);
}

/* ---- layer normalisation ------------------------------------------------------------------ */

typedef struct norm_case {
    size_t size;
    float eps;
    bool affine, bias, residual;
} norm_case;

/* As tools/golden/transformer.py has them. */
static const norm_case norms[] = {
    {7, 1e-5f, true, true, false},     {32, 1e-5f, true, false, false},
    {33, 1e-12f, false, false, false}, {96, 1e-5f, true, true, true},
    {5, 0.1f, true, false, true},      {64, 1e-5f, false, false, true},
};
enum { NORMS = sizeof norms / sizeof *norms };

static void golden_norms(void **state)
{
    (void)state;
    golden g = golden_open("layer_norms");
    for (size_t i = 0; i < NORMS; i++) {
        const norm_case *c = &norms[i];
        ur_context *context = context_of(NULL, 1 + (int)i % 2, NULL);
        bench b = bench_of(context);
        const ur_layer_norm_layer layer =
            ur_layer_norm_add(b.params, "", c->size, c->eps, c->affine, c->bias);
        assert_int_equal(ur_params_seal(b.params, NULL), UR_OK);
        if (ur_params_count(b.params))
            golden_load_params(&g, b.params, of(i, ""));
        bench_start(&b);
        ur_tape *t = b.tape;
        const ur_layout *l = ur_new_layout(t, UR_SEQUENCE_MAJOR, 3, (size_t[]){4, 2, 3}, NULL);
        ur_seq *x = golden_input(&g, t, l, of(i, "x"));
        ur_seq *f = c->residual ? golden_input(&g, t, l, of(i, "f")) : NULL;
        ur_residual_out out = {NULL, NULL};
        if (f)
            out = ur_residual(t, &layer, x, f, 0.0f);
        else
            out.norm = ur_layer_norm_seq(t, &layer, x);
        tape_fine(t);
        golden_compare(&g, of(i, "y"), ur_floats(out.norm->values), FORWARD_BOUND);
        ur_tensor *loss = weigh(t, out.norm->values, golden_floats(&g, of(i, "wy"), NULL));
        if (f)
            loss = ur_add(t, loss, weigh(t, out.sum->values, golden_floats(&g, of(i, "ws"), NULL)));
        assert_int_equal(ur_backward(t, loss), UR_OK);
        golden_compare(&g, of(i, "grad.x"), x->values->grad, GRADIENT_BOUND);
        if (f)
            golden_compare(&g, of(i, "grad.f"), f->values->grad, GRADIENT_BOUND);
        golden_compare_params(&g, b.params, of(i, "grad."), b.gradient, GRADIENT_BOUND);
        bench_free(&b);
        ur_context_free(context);
    }
    golden_close(&g);
}

/* ---- feed-forward ------------------------------------------------------------------------- */

typedef struct feed_case {
    ur_activation act;
    size_t in, inner, out;
    bool bias;
} feed_case;

static const feed_case feeds[] = {
    {UR_ACT_RELU, 8, 24, 8, true},
    {UR_ACT_GELU, 13, 37, 11, true},
    {UR_ACT_GELU_TANH, 6, 33, 6, false},
    {UR_ACT_RELU, 32, 70, 5, false},
};
enum { FEEDS = sizeof feeds / sizeof *feeds };

static void golden_feeds(void **state)
{
    (void)state;
    golden g = golden_open("feed_forwards");
    for (size_t i = 0; i < FEEDS; i++) {
        const feed_case *c = &feeds[i];
        ur_context *context = context_of(NULL, 1 + (int)i % 2, NULL);
        bench b = bench_of(context);
        const ur_linear_layer first = ur_linear_add(b.params, "linear1", c->in, c->inner, c->bias);
        const ur_linear_layer second =
            ur_linear_add(b.params, "linear2", c->inner, c->out, c->bias);
        assert_int_equal(ur_params_seal(b.params, NULL), UR_OK);
        golden_load_params(&g, b.params, of(i, ""));
        bench_start(&b);
        ur_tape *t = b.tape;
        const ur_layout *l = ur_new_layout(t, UR_SEQUENCE_MAJOR, 1, (size_t[]){ROWS}, NULL);
        ur_seq *x = golden_input(&g, t, l, of(i, "x"));
        ur_seq *y = ur_feed_forward(t, &first, c->act, 0.0f, &second, x);
        tape_fine(t);
        golden_compare(&g, of(i, "y"), ur_floats(y->values), FORWARD_BOUND);
        assert_int_equal(ur_backward(t, weigh(t, y->values, golden_floats(&g, of(i, "wy"), NULL))),
                         UR_OK);
        golden_compare(&g, of(i, "grad.x"), x->values->grad, GRADIENT_BOUND);
        golden_compare_params(&g, b.params, of(i, "grad."), b.gradient, GRADIENT_BOUND);
        bench_free(&b);
        ur_context_free(context);
    }
    golden_close(&g);
}

/* ---- fused against composed, and every instruction set ------------------------------------- */

enum { BATCH = 5, IN = 21, INNER = 45 };
static const size_t lengths[BATCH] = {3, 0, 1, 9, 6};
enum { ALL = 19 };

/* What a pass leaves. */
typedef struct left {
    float *y, *norm, *dx, *gradient;
    size_t gradients;
} left;

static float *copied(const float *x, size_t n)
{
    float *y = malloc((n + 1) * sizeof *y);
    assert_non_null(x);
    memcpy(y, x, n * sizeof *y);
    return y;
}

static ur_seq *activated(ur_tape *t, ur_activation act, ur_seq *x)
{
    ur_seq *y = malloc(sizeof *y);
    y->layout = x->layout;
    y->values = act == UR_ACT_RELU        ? ur_relu(t, x->values)
                : act == UR_ACT_GELU      ? ur_gelu(t, x->values)
                : act == UR_ACT_GELU_TANH ? ur_gelu_tanh(t, x->values)
                                          : x->values;
    return y;
}

/* norm(x + drop(second(drop(act(first(x)))))), by the fused operations or one by one. */
static left pass(ur_context *context, bool fused, ur_activation act, float p, ur_order order)
{
    bench b = bench_of(context);
    const ur_linear_layer first = ur_linear_add(b.params, "linear1", IN, INNER, true);
    const ur_linear_layer second = ur_linear_add(b.params, "linear2", INNER, IN, p > 0.3f);
    const ur_layer_norm_layer norm = ur_layer_norm_add(b.params, "norm", IN, 1e-5f, true, true);
    assert_int_equal(ur_params_seal(b.params, NULL), UR_OK);
    ur_linear_init(&first, b.params, 1);
    ur_linear_init(&second, b.params, 2);
    ur_layer_norm_init(&norm, b.params);
    bench_start(&b);
    ur_tape *t = b.tape;
    float *numbers = made_up_floats(5, ALL * IN, 2.0f), *w = made_up_floats(6, ALL * IN, 1.0f);
    const ur_layout *l = ur_new_layout(t, order, BATCH, lengths, NULL);
    ur_seq *x = ur_seq_floats(t, l, IN, numbers, true), *h = NULL;
    ur_residual_out out;
    if (fused) {
        out = ur_residual(t, &norm, x, ur_feed_forward(t, &first, act, p, &second, x), p);
    } else {
        h = activated(t, act, ur_linear_seq(t, &first, x));
        const ur_seq *f = ur_linear_seq(t, &second, ur_dropout(t, h, p));
        out.sum = malloc(sizeof *out.sum);
        *out.sum = (ur_seq){ur_add(t, ur_dropout(t, (ur_seq *)f, p)->values, x->values), l};
        out.norm = ur_layer_norm_seq(t, &norm, out.sum);
    }
    ur_tensor *loss = ur_add(t, weigh(t, out.norm->values, w), weigh(t, out.sum->values, numbers));
    ur_backward(t, loss);
    tape_fine(t);
    const left r = {copied(ur_floats(out.sum->values), ALL * IN),
                    copied(ur_floats(out.norm->values), ALL * IN),
                    copied(x->values->grad, ALL * IN), copied(b.gradient, ur_params_size(b.params)),
                    ur_params_size(b.params)};
    if (!fused) {
        free(h);
        free(out.sum);
    }
    free(numbers);
    free(w);
    bench_free(&b);
    return r;
}

static void left_free(left *r)
{
    free(r->y);
    free(r->norm);
    free(r->dx);
    free(r->gradient);
}

static void same_left(const left *want, const left *got, const char *who)
{
    same_floats("sum", who, want->y, got->y, ALL * IN);
    same_floats("norm", who, want->norm, got->norm, ALL * IN);
    same_floats("dx", who, want->dx, got->dx, ALL * IN);
    same_floats("gradient", who, want->gradient, got->gradient, want->gradients);
}

static void fused_and_composed(void **state)
{
    (void)state;
    contexts all = contexts_new();
    for (int v = 0; v < 12; v++) {
        const ur_activation act = (ur_activation)(v % 4);
        const float p = 0.3f * (float)(v / 4);
        const ur_order order = v % 2 ? UR_SEQUENCE_MAJOR : UR_STEP_MAJOR;
        left want = pass(all.at[0], false, act, p, order);
        for (int c = 0; c < all.count; c++) {
            left got = pass(all.at[c], true, act, p, order);
            same_floats("sum", all.name[c], want.y, got.y, ALL * IN);
            same_floats("norm", all.name[c], want.norm, got.norm, ALL * IN);
            /* Gradients of shared tensors meet in another order when fused. */
            near_floats("dx", want.dx, got.dx, ALL * IN, 1e-6);
            near_floats("gradient", want.gradient, got.gradient, want.gradients, 1e-6);
            left_free(&got);
        }
        left_free(&want);
        want = pass(all.at[0], true, act, p, order);
        for (int c = 1; c < all.count; c++) {
            left got = pass(all.at[c], true, act, p, order);
            same_left(&want, &got, all.name[c]);
            left_free(&got);
        }
        left_free(&want);
    }
    contexts_free(&all);
}

/* ---- label smoothing ------------------------------------------------------------------------ */

static void golden_smoothing(void **state)
{
    (void)state;
    static const struct {
        float s;
        const char *loss, *grad;
    } cases[] = {{0.1f, "0.1.loss", "0.1.grad.logits"},
                 {0.5f, "0.5.loss", "0.5.grad.logits"},
                 {1.0f, "1.0.loss", "1.0.grad.logits"}};
    golden g = golden_open("label_smoothing");
    ur_context *context = context_of(NULL, 2, NULL);
    const size_t rows = golden_dim(&g, "logits", 0), classes = golden_dim(&g, "logits", 1);
    for (size_t i = 0; i < 3; i++) {
        bench b = bench_of(context);
        assert_int_equal(ur_params_seal(b.params, NULL), UR_OK);
        bench_start(&b);
        ur_tape *t = b.tape;
        const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, 1, &rows, NULL);
        ur_seq *x = ur_seq_floats(t, l, classes, golden_floats(&g, "logits", NULL), true);
        const ur_seq *y = ur_seq_ints(t, l, golden_ints(&g, "targets", NULL));
        ur_tensor *loss = ur_cross_entropy_smoothed(t, x, y, (double)rows - 1.0, cases[i].s);
        assert_int_equal(ur_backward(t, loss), UR_OK);
        golden_compare(&g, cases[i].loss, ur_floats(loss), FORWARD_BOUND);
        golden_compare(&g, cases[i].grad, x->values->grad, GRADIENT_BOUND);
        ur_tape_start(t, UR_TRAIN, b.params, b.gradient, 0, 0);
        l = ur_new_layout(t, UR_STEP_MAJOR, 1, &rows, NULL);
        x = ur_seq_floats(t, l, classes, golden_floats(&g, "logits", NULL), true);
        y = ur_seq_ints(t, l, golden_ints(&g, "targets", NULL));
        assert_null(ur_cross_entropy_smoothed(t, x, y, 1.0, 1.5f));
        tape_failed(t, UR_INVALID, "label smoothing 1.5");
        bench_free(&b);
    }
    ur_context_free(context);
    golden_close(&g);
}

/* ---- positions ------------------------------------------------------------------------------- */

static void sines(void **state)
{
    (void)state;
    enum { COUNT = 3000, SIZE = 7, STEPS = 5 };
    ur_context *context = context_of(NULL, 1, NULL);
    ur_sine_positions *sines;
    ur_err err;
    assert_int_equal(ur_sine_positions_new(context, 0, 4, &sines, &err), UR_INVALID);
    assert_int_equal(ur_sine_positions_new(context, COUNT, SIZE, &sines, NULL), UR_OK);
    bench b = bench_of(context);
    const ur_embedding_layer embed = ur_embedding_add(b.params, "embed", 3, SIZE);
    const ur_positions_layer positions = ur_positions_of(sines);
    assert_int_equal(ur_params_seal(b.params, NULL), UR_OK);
    ur_embedding_init(&embed, b.params, 1);
    bench_start(&b);
    const float *w = ur_param_data(b.params, embed.weight);
    for (size_t first = 0; first + STEPS <= COUNT; first += STEPS) {
        ur_tape *t = b.tape;
        ur_tape_start(t, UR_INFER, b.params, NULL, 0, 0);
        const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, 2, (size_t[]){2, STEPS}, NULL);
        static const int32_t ids[2 + STEPS] = {0, 2, 1, 1, 0, 2, 1};
        const ur_seq *y =
            ur_embedding_at(t, &embed, 2.5f, &positions, first, ur_seq_ints(t, l, ids));
        tape_fine(t);
        for (size_t s = 0; s < 2 + STEPS; s++)
            for (size_t i = 0; i < SIZE; i++) {
                const size_t q = s >= 2, step = q ? s - 2 : s;
                const double angle =
                    (double)(first + step) / pow(10000.0, (double)(i / 2 * 2) / (double)SIZE);
                const double want =
                    2.5 * (double)w[(size_t)ids[s] * SIZE + i] + (i % 2 ? cos(angle) : sin(angle));
                assert_true(fabs((double)ur_floats(y->values)[ur_row(l, q, step) * SIZE + i] -
                                 want) < 1e-6);
            }
    }
    ur_tape *t = b.tape;
    ur_tape_start(t, UR_INFER, b.params, NULL, 0, 0);
    const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, 1, (size_t[]){STEPS}, NULL);
    static const int32_t zeros[STEPS] = {0};
    assert_null(ur_embedding_at(t, &embed, 1.0f, &positions, COUNT - 2, ur_seq_ints(t, l, zeros)));
    tape_failed(t, UR_INVALID, "5 steps from position 2998 on, there are 3000");
    bench_free(&b);
    ur_sine_positions_free(sines);
    ur_context_free(context);
}

/* ---- what is refused ----------------------------------------------------------------------- */

static void refused(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    static const char *const said[] = {
        "layer_norm_seq: input is (3,4)", "residual: (3,4) and (3,5)", "residual: p is 1",
        "feed_forward: input is (3,4)",   "feed_forward: p is",        "eps -1"};
    for (int i = 0; i < 6; i++) {
        bench b = bench_of(context);
        ur_layer_norm_layer norm =
            ur_layer_norm_add(b.params, "norm", i ? 4 : 5, i == 5 ? -1.0f : 1e-5f, true, true);
        const ur_linear_layer first = ur_linear_add(b.params, "a", i == 3 ? 5 : 4, 6, true);
        const ur_linear_layer second = ur_linear_add(b.params, "b", 6, 4, true);
        assert_int_equal(ur_params_seal(b.params, NULL), UR_OK);
        bench_start(&b);
        ur_tape *t = b.tape;
        const float numbers[15] = {0};
        const ur_layout *l = ur_new_layout(t, UR_SEQUENCE_MAJOR, 1, (size_t[]){3}, NULL);
        ur_seq *x = ur_seq_floats(t, l, 4, numbers, false);
        if (i == 0 || i == 5)
            assert_null(ur_layer_norm_seq(t, &norm, x));
        else if (i < 3)
            assert_null(ur_residual(t, &norm, x,
                                    ur_seq_floats(t, l, i == 1 ? 5 : 4, numbers, false),
                                    i == 2 ? 1.0f : 0.0f)
                            .sum);
        else
            assert_null(ur_feed_forward(t, &first, UR_ACT_RELU, i == 4 ? -0.5f : 0.0f, &second, x));
        tape_failed(t, UR_INVALID, said[i]);
        bench_free(&b);
    }
    ur_context_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_norms),
        cmocka_unit_test(golden_feeds),
        cmocka_unit_test(fused_and_composed),
        cmocka_unit_test(golden_smoothing),
        cmocka_unit_test(sines),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
