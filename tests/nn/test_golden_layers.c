/* test_golden_layers.c - the layers against PyTorch: outputs and gradients of the golden cases. */
#include "support/contexts.h"
#include "support/golden.h"
#include "unroll/nn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* A tape over the parameters of one case, with a gradient vector. */
typedef struct bench {
    golden g;
    ur_context *context;
    ur_params *params;
    float *gradient;
    ur_tape *tape;
} bench;

static bench bench_open(const char *name)
{
    bench b = {.g = golden_open(name), .context = context_of(NULL, 2, NULL)};
    assert_int_equal(ur_params_new(b.context, &b.params, NULL), UR_OK);
    b.tape = tape_of(b.context);
    return b;
}

static void bench_start(bench *b)
{
    assert_int_equal(ur_params_seal(b->params, NULL), UR_OK);
    if (ur_params_count(b->params))
        golden_load_params(&b->g, b->params, "");
    b->gradient = calloc(ur_params_size(b->params) + 1, sizeof *b->gradient);
    ur_tape_start(b->tape, UR_TRAIN, b->params, b->gradient, 0, 0);
}

static void bench_close(bench *b)
{
    ur_tape_free(b->tape);
    ur_params_free(b->params);
    ur_context_free(b->context);
    free(b->gradient);
    golden_close(&b->g);
}

/* sum(y w) and its gradients. */
static ur_tensor *weigh(ur_tape *tape, ur_tensor *y, const float *w)
{
    return ur_sum(tape, ur_mul(tape, y, ur_copy_floats(tape, y->ndim, y->dim, w, false)));
}

/* ---- LSTM --------------------------------------------------------------------------------- */

static void lstm_case(const char *name, ur_order order)
{
    bench b = bench_open(name);
    golden *g = &b.g;
    size_t batch;
    const size_t *length = golden_lengths(g, "lengths", &batch);
    const size_t steps = golden_dim(g, "x", 1), input = golden_dim(g, "x", 2);
    const size_t hidden = golden_dim(g, "h0", 1), states[] = {batch, hidden};
    const ur_lstm_layer layer = ur_lstm_add(b.params, "", input, hidden);
    bench_start(&b);
    ur_tape *t = b.tape;
    const ur_layout *l = ur_new_layout(t, order, batch, length, NULL);
    ur_seq *x = ur_seq_floats(
        t, l, input, golden_rows(g, batch, steps, input, length, golden_floats(g, "x", NULL)),
        true);
    ur_state s = {ur_copy_floats(t, 2, states, golden_floats(g, "h0", NULL), true),
                  ur_copy_floats(t, 2, states, golden_floats(g, "c0", NULL), true)};
    const ur_lstm_out out = ur_lstm(t, &layer, x, s);
    tape_fine(t);
    golden_compare_seq(g, "y", l, hidden, ur_floats(out.y->values), FORWARD_BOUND);
    golden_compare(g, "h_n", ur_floats(out.h_n), FORWARD_BOUND);
    golden_compare(g, "c_n", ur_floats(out.c_n), FORWARD_BOUND);

    const ur_seq *wy = ur_seq_floats(
        t, l, hidden, golden_rows(g, batch, steps, hidden, length, golden_floats(g, "wy", NULL)),
        false);
    ur_tensor *loss = weigh(t, out.y->values, ur_floats(wy->values));
    loss = ur_add(t, loss, weigh(t, out.h_n, golden_floats(g, "wh", NULL)));
    loss = ur_add(t, loss, weigh(t, out.c_n, golden_floats(g, "wc", NULL)));
    assert_int_equal(ur_backward(t, loss), UR_OK);
    golden_compare_seq(g, "grad.x", l, input, x->values->grad, GRADIENT_BOUND);
    golden_compare(g, "grad.h0", s.h->grad, GRADIENT_BOUND);
    golden_compare(g, "grad.c0", s.c->grad, GRADIENT_BOUND);
    golden_compare_params(g, b.params, "grad.", b.gradient, GRADIENT_BOUND);
    bench_close(&b);
}

static void lstm(void **state)
{
    (void)state;
    static const char *const names[] = {"lstm_ragged", "lstm_full", "lstm_tiny", "lstm_wide"};
    for (int i = 0; i < 4; i++) {
        lstm_case(names[i], UR_STEP_MAJOR);
        lstm_case(names[i], UR_SEQUENCE_MAJOR);
    }
}

/* ---- linear, embedding -------------------------------------------------------------------- */

static void linear_case(const char *name, bool bias)
{
    bench b = bench_open(name);
    golden *g = &b.g;
    const size_t dim[] = {golden_dim(g, "x", 0), golden_dim(g, "x", 1)};
    const ur_linear_layer layer =
        ur_linear_add(b.params, "", dim[1], golden_dim(g, "weight", 0), bias);
    bench_start(&b);
    ur_tensor *x = ur_copy_floats(b.tape, 2, dim, golden_floats(g, "x", NULL), true);
    ur_tensor *y = ur_linear(b.tape, &layer, x);
    tape_fine(b.tape);
    golden_compare(g, "y", ur_floats(y), FORWARD_BOUND);
    ur_tensor *loss = weigh(b.tape, y, golden_floats(g, "wy", NULL));
    assert_int_equal(ur_backward(b.tape, loss), UR_OK);
    golden_compare(g, "grad.x", x->grad, GRADIENT_BOUND);
    golden_compare_params(g, b.params, "grad.", b.gradient, GRADIENT_BOUND);
    bench_close(&b);
}

static void linear(void **state)
{
    (void)state;
    linear_case("linear", true);
    linear_case("linear_no_bias", false);
}

static void embedding(void **state)
{
    (void)state;
    bench b = bench_open("embedding");
    golden *g = &b.g;
    const size_t batch = golden_dim(g, "ids", 0), steps = golden_dim(g, "ids", 1);
    const ur_embedding_layer layer =
        ur_embedding_add(b.params, "", golden_dim(g, "weight", 0), golden_dim(g, "weight", 1));
    bench_start(&b);
    size_t length[16];
    for (size_t i = 0; i < batch; i++)
        length[i] = steps;
    const ur_layout *l = ur_new_layout(b.tape, UR_STEP_MAJOR, batch, length, NULL);
    ur_seq *y = ur_embedding(b.tape, &layer, ur_seq_ints(b.tape, l, golden_ints(g, "ids", NULL)));
    tape_fine(b.tape);
    golden_compare_seq(g, "y", l, layer.size, ur_floats(y->values), FORWARD_BOUND);
    const ur_seq *w = ur_seq_floats(b.tape, l, layer.size, golden_floats(g, "wy", NULL), false);
    assert_int_equal(ur_backward(b.tape, weigh(b.tape, y->values, ur_floats(w->values))), UR_OK);
    golden_compare_params(g, b.params, "grad.", b.gradient, GRADIENT_BOUND);
    bench_close(&b);
}

/* ---- cross-entropy ------------------------------------------------------------------------ */

static void cross_entropy(void **state)
{
    (void)state;
    bench b = bench_open("cross_entropy");
    golden *g = &b.g;
    const size_t rows = golden_dim(g, "logits", 0), classes = golden_dim(g, "logits", 1);
    const int32_t *target = golden_ints(g, "targets", NULL);
    bench_start(&b);
    size_t counted = 0;
    for (size_t r = 0; r < rows; r++)
        counted += target[r] != UR_IGNORE;
    assert_true(counted < rows);
    const ur_layout *l = ur_new_layout(b.tape, UR_SEQUENCE_MAJOR, 1, &rows, NULL);
    ur_seq *x = ur_seq_floats(b.tape, l, classes, golden_floats(g, "logits", NULL), true);
    const ur_seq *y = ur_seq_ints(b.tape, l, target);
    ur_tensor *sum = ur_cross_entropy(b.tape, x, y, 1.0);
    ur_tensor *mean = ur_cross_entropy(b.tape, x, y, (double)counted);
    tape_fine(b.tape);
    golden_compare(g, "loss_sum", ur_floats(sum), FORWARD_BOUND);
    golden_compare(g, "loss", ur_floats(mean), FORWARD_BOUND);
    assert_int_equal(ur_backward(b.tape, mean), UR_OK);
    golden_compare(g, "grad.logits", x->values->grad, GRADIENT_BOUND);
    const size_t one = 1; /* row by row */
    for (size_t r = 0; r < rows; r++) {
        const ur_layout *single = ur_new_layout(b.tape, UR_SEQUENCE_MAJOR, 1, &one, NULL);
        ur_tensor *loss = ur_cross_entropy(
            b.tape, ur_seq_floats(b.tape, single, classes, ur_floats(x->values) + r * classes, 0),
            ur_seq_ints(b.tape, single, target + r), 1.0);
        const float want = golden_floats(g, "losses", NULL)[r];
        near_floats("losses", &want, ur_floats(loss), 1, FORWARD_BOUND);
    }
    bench_close(&b);
}

/* ---- attention ---------------------------------------------------------------------------- */

static void attention_case(const char *name, ur_order q_order, ur_order k_order)
{
    bench b = bench_open(name);
    golden *g = &b.g;
    ur_tape *t = b.tape;
    size_t batch;
    const size_t *ql = golden_lengths(g, "query_lengths", &batch);
    const size_t *kl = golden_lengths(g, "key_lengths", NULL);
    const size_t tq = golden_dim(g, "query", 1), tk = golden_dim(g, "key", 1);
    const size_t width = golden_dim(g, "query", 2), value_width = golden_dim(g, "value", 2);
    bench_start(&b);
    const ur_layout *lq = ur_new_layout(t, q_order, batch, ql, NULL);
    const ur_layout *lk = ur_new_layout(t, k_order, batch, kl, NULL);
    ur_seq *q = ur_seq_floats(
        t, lq, width, golden_rows(g, batch, tq, width, ql, golden_floats(g, "query", NULL)), true);
    ur_seq *k = ur_seq_floats(
        t, lk, width, golden_rows(g, batch, tk, width, kl, golden_floats(g, "key", NULL)), true);
    ur_seq *v = ur_seq_floats(
        t, lk, value_width,
        golden_rows(g, batch, tk, value_width, kl, golden_floats(g, "value", NULL)), true);
    ur_weights *w;
    ur_seq *c = ur_attention_dot(t, q, k, v, &w);
    tape_fine(t);
    golden_compare_seq(g, "context", lq, value_width, ur_floats(c->values), FORWARD_BOUND);
    const float *weights = golden_floats(g, "weights", NULL);
    for (size_t i = 0; i < batch; i++)
        for (size_t s = 0; s < ql[i]; s++)
            near_floats("weights", weights + (i * tq + s) * tk, w->p + w->offset[i] + s * kl[i],
                        kl[i], FORWARD_BOUND);
    const ur_seq *wy = ur_seq_floats(
        t, lq, value_width,
        golden_rows(g, batch, tq, value_width, ql, golden_floats(g, "wy", NULL)), false);
    assert_int_equal(ur_backward(t, weigh(t, c->values, ur_floats(wy->values))), UR_OK);
    golden_compare_seq(g, "grad.query", lq, width, q->values->grad, GRADIENT_BOUND);
    golden_compare_seq(g, "grad.key", lk, width, k->values->grad, GRADIENT_BOUND);
    golden_compare_seq(g, "grad.value", lk, value_width, v->values->grad, GRADIENT_BOUND);
    bench_close(&b);
}

static void attention(void **state)
{
    (void)state;
    for (int orders = 0; orders < 4; orders++) {
        attention_case("attention_full", (ur_order)(orders & 1), (ur_order)(orders >> 1));
        attention_case("attention_ragged", (ur_order)(orders & 1), (ur_order)(orders >> 1));
    }
}

/* The weighted sum, the weights, and one after the other. */
static void attention_operations(void **state)
{
    (void)state;
    bench b = bench_open("attention_operations");
    golden *g = &b.g;
    ur_tape *t = b.tape;
    const size_t batch = golden_dim(g, "hs", 0), steps = golden_dim(g, "hs", 1);
    const size_t width = golden_dim(g, "hs", 2), dim[] = {batch, width};
    size_t length[16];
    for (size_t i = 0; i < batch; i++)
        length[i] = steps;
    const float *hs_rows = golden_floats(g, "hs", NULL);
    bench_start(&b);
    for (int i = 0; i < 3; i++) {
        ur_tape_start(t, UR_TRAIN, b.params, b.gradient, 0, 0);
        const ur_layout *l =
            ur_new_layout(t, i % 2 ? UR_STEP_MAJOR : UR_SEQUENCE_MAJOR, batch, length, NULL);
        ur_seq *hs = ur_seq_floats(t, l, width, hs_rows, true);
        ur_tensor *query = ur_copy_floats(t, 2, dim, golden_floats(g, "query", NULL), true);
        ur_seq *p = i == 0 ? ur_seq_floats(t, l, 1, golden_floats(g, "p", NULL), true)
                           : ur_attention_weights(t, query, hs);
        ur_tensor *sum = i == 1 ? NULL : ur_weighted_sum(t, hs, p);
        tape_fine(t);
        if (i == 0) {
            golden_compare(g, "weighted_sum", ur_floats(sum), FORWARD_BOUND);
            ur_backward(t, weigh(t, sum, golden_floats(g, "w_sum", NULL)));
            golden_compare_seq(g, "grad.weighted_sum.hs", l, width, hs->values->grad,
                               GRADIENT_BOUND);
            golden_compare_seq(g, "grad.weighted_sum.p", l, 1, p->values->grad, GRADIENT_BOUND);
        } else if (i == 1) {
            golden_compare_seq(g, "weights", l, 1, ur_floats(p->values), FORWARD_BOUND);
            const ur_seq *w = ur_seq_floats(t, l, 1, golden_floats(g, "w_weights", NULL), false);
            ur_backward(t, weigh(t, p->values, ur_floats(w->values)));
            golden_compare_seq(g, "grad.weights.hs", l, width, hs->values->grad, GRADIENT_BOUND);
            golden_compare(g, "grad.weights.query", query->grad, GRADIENT_BOUND);
        } else {
            golden_compare(g, "context", ur_floats(sum), FORWARD_BOUND);
            ur_backward(t, weigh(t, sum, golden_floats(g, "w_context", NULL)));
            golden_compare_seq(g, "grad.context.hs", l, width, hs->values->grad, GRADIENT_BOUND);
            golden_compare(g, "grad.context.query", query->grad, GRADIENT_BOUND);
        }
        tape_fine(t);
    }
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lstm),      cmocka_unit_test(linear),
        cmocka_unit_test(embedding), cmocka_unit_test(cross_entropy),
        cmocka_unit_test(attention), cmocka_unit_test(attention_operations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
