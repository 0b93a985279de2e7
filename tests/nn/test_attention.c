/* test_attention.c - dot-product attention against its two halves, byte for byte; sequences without
 * keys; what the weights are. */
#include "support/contexts.h"
#include "support/failing_alloc.h"
#include "support/slow.h"
#include "unroll/nn.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { BATCH = 5, WIDTH = 21, VALUES = 6, QUERY_ROWS = 9, KEY_ROWS = 25 };

static const size_t query_length[BATCH] = {2, 0, 3, 1, 3}, key_length[BATCH] = {4, 2, 0, 18, 1};

typedef struct fixture {
    ur_context *context;
    ur_tape *tape;
    float *q, *k, *v;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->context = context_of(NULL, 2, NULL);
    f->tape = tape_of(f->context);
    f->q = made_up_floats(1, QUERY_ROWS * WIDTH, 1.0f);
    f->k = made_up_floats(2, KEY_ROWS * WIDTH, 1.0f);
    f->v = made_up_floats(3, KEY_ROWS * VALUES, 1.0f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    ur_tape_free(f->tape);
    ur_context_free(f->context);
    free(f->q);
    free(f->k);
    free(f->v);
    free(f);
    return 0;
}

typedef struct attended {
    ur_seq *q, *k, *v, *context;
    ur_weights *weights;
} attended;

static attended attend(const fixture *f, ur_order order, bool weights)
{
    ur_tape *t = f->tape;
    const ur_layout *lq = ur_new_layout(t, order, BATCH, query_length, NULL);
    const ur_layout *lk = ur_new_layout(t, order, BATCH, key_length, NULL);
    attended a = {.q = ur_seq_floats(t, lq, WIDTH, f->q, true),
                  .k = ur_seq_floats(t, lk, WIDTH, f->k, true),
                  .v = ur_seq_floats(t, lk, VALUES, f->v, true)};
    a.context = ur_attention_dot(t, a.q, a.k, a.v, weights ? &a.weights : NULL);
    tape_fine(t);
    return a;
}

/* Query s of every sequence that has one, the others' rows zero: (B, D). */
static ur_tensor *queries_of_step(const fixture *f, const attended *a, size_t s)
{
    ur_tensor *q = ur_new_floats(f->tape, 2, (size_t[]){BATCH, WIDTH}, true);
    memset(q->data, 0, BATCH * WIDTH * sizeof(float));
    for (size_t b = 0; b < BATCH; b++)
        if (s < query_length[b])
            memcpy(ur_floats(q) + b * WIDTH,
                   ur_floats(a->q->values) + ur_row(a->q->layout, b, s) * WIDTH,
                   WIDTH * sizeof(float));
    return q;
}

static void equals_its_halves(void **state)
{
    const fixture *f = *state;
    for (int order = 0; order < 2; order++) {
        ur_tape_start(f->tape, UR_TRAIN, NULL, NULL, 0, 0);
        const attended a = attend(f, (ur_order)order, true);
        for (size_t s = 0; s < 3; s++) {
            const ur_seq *p = ur_attention_weights(f->tape, queries_of_step(f, &a, s), a.k);
            const ur_tensor *c = ur_weighted_sum(f->tape, a.v, p);
            tape_fine(f->tape);
            for (size_t b = 0; b < BATCH; b++) {
                if (s >= query_length[b])
                    continue;
                same_floats("context", "its halves",
                            ur_floats(a.context->values) + ur_row(a.context->layout, b, s) * VALUES,
                            ur_floats(c) + b * VALUES, VALUES);
                for (size_t j = 0; j < key_length[b]; j++)
                    same_floats("weights", "its halves",
                                a.weights->p + a.weights->offset[b] + s * key_length[b] + j,
                                ur_floats(p->values) + ur_row(p->layout, b, j), 1);
            }
        }
    }
}

static void weights_are_probabilities(void **state)
{
    const fixture *f = *state;
    ur_tape_start(f->tape, UR_INFER, NULL, NULL, 0, 0);
    const attended a = attend(f, UR_STEP_MAJOR, true), without = attend(f, UR_STEP_MAJOR, false);
    same_floats("context", "without weights", ur_floats(a.context->values),
                ur_floats(without.context->values), QUERY_ROWS * VALUES);
    for (size_t b = 0; b < BATCH; b++)
        for (size_t s = 0; s < query_length[b] && key_length[b]; s++) {
            double sum = 0.0;
            for (size_t j = 0; j < key_length[b]; j++) {
                const float p = a.weights->p[a.weights->offset[b] + s * key_length[b] + j];
                assert_true(p > 0.0f && p <= 1.0f);
                sum += (double)p;
            }
            assert_true(fabs(sum - 1.0) < 1e-6);
        }
}

/* Scores near 1000 overflow a naive exponential. */
static void large_scores_stay_finite(void **state)
{
    const fixture *f = *state;
    ur_tape_start(f->tape, UR_INFER, NULL, NULL, 0, 0);
    for (size_t i = 0; i < QUERY_ROWS * WIDTH; i++)
        f->q[i] *= 300.0f;
    const attended a = attend(f, UR_STEP_MAJOR, false);
    for (size_t i = 0; i < QUERY_ROWS * VALUES; i++)
        assert_true(isfinite(ur_floats(a.context->values)[i]));
}

/* Sequence 2 has queries but no keys; sequence 1 keys but no queries. */
static void no_keys_give_zeros(void **state)
{
    const fixture *f = *state;
    ur_tape_start(f->tape, UR_TRAIN, NULL, NULL, 0, 0);
    const attended a = attend(f, UR_SEQUENCE_MAJOR, false);
    ur_backward(f->tape, ur_sum(f->tape, ur_mul(f->tape, a.context->values, a.context->values)));
    tape_fine(f->tape);
    for (size_t s = 0; s < query_length[2]; s++) {
        const size_t row = ur_row(a.context->layout, 2, s);
        for (size_t j = 0; j < VALUES; j++)
            assert_true(ur_floats(a.context->values)[row * VALUES + j] == 0.0f);
        for (size_t j = 0; j < WIDTH; j++)
            assert_true(a.q->values->grad[row * WIDTH + j] == 0.0f);
    }
    for (size_t s = 0; s < key_length[1]; s++)
        for (size_t j = 0; j < WIDTH; j++)
            assert_true(a.k->values->grad[ur_row(a.k->layout, 1, s) * WIDTH + j] == 0.0f);
    ur_tape_start(f->tape, UR_INFER, NULL, NULL, 0, 0); /* no keys anywhere */
    const size_t none[BATCH] = {0};
    const ur_layout *lk = ur_new_layout(f->tape, UR_STEP_MAJOR, BATCH, none, NULL);
    const ur_layout *lq = ur_new_layout(f->tape, UR_STEP_MAJOR, BATCH, query_length, NULL);
    const ur_seq *keys = ur_seq_floats(f->tape, lk, WIDTH, f->k, false);
    const ur_seq *c =
        ur_attention_dot(f->tape, ur_seq_floats(f->tape, lq, WIDTH, f->q, false), keys, keys, NULL);
    tape_fine(f->tape);
    for (size_t i = 0; i < QUERY_ROWS * WIDTH; i++)
        assert_true(ur_floats(c->values)[i] == 0.0f);
}

static void shapes_that_do_not_fit(void **state)
{
    const fixture *f = *state;
    ur_tape *t = f->tape;
    ur_tape_start(t, UR_INFER, NULL, NULL, 0, 0);
    const attended a = attend(f, UR_STEP_MAJOR, false);
    assert_null(ur_attention_dot(t, a.q, a.v, a.v, NULL));
    tape_failed(t, UR_INVALID, "attention_dot: queries (9,21), keys (25,6)");
    assert_null(ur_attention_dot(t, a.q, a.k, a.v, NULL)); /* sticky */

    ur_tape_start(t, UR_INFER, NULL, NULL, 0, 0);
    const attended b = attend(f, UR_STEP_MAJOR, false);
    const ur_seq *turned = ur_reorder(t, b.v, UR_SEQUENCE_MAJOR);
    assert_null(ur_attention_dot(t, b.q, b.k, turned, NULL));
    tape_failed(t, UR_INVALID, "equal rows of keys and values");

    ur_tape_start(t, UR_INFER, NULL, NULL, 0, 0);
    const attended c = attend(f, UR_STEP_MAJOR, false);
    assert_null(ur_attention_weights(t, c.context->values, c.k));
    tape_failed(t, UR_INVALID, "attention_weights: query (9,6) against keys (25,21)");

    ur_tape_start(t, UR_INFER, NULL, NULL, 0, 0);
    const attended d = attend(f, UR_STEP_MAJOR, false);
    assert_null(ur_weighted_sum(t, d.v, d.k));
    tape_failed(t, UR_INVALID, "weighted_sum: values (25,6) weighted by (25,21)");
}

/* What options and layers refuse, with the sentence. */
static void options_that_do_not_fit(void **state)
{
    const fixture *f = *state;
    ur_tape *t = f->tape;
    static const bool hidden[40 * 40];
    const ur_attention_mask small = {1, 3, 17, hidden, NULL}, many = {2, 40, 40, hidden, NULL};
    float w[WIDTH] = {0.0f};
    const struct {
        ur_attention_options o;
        bool w;
        const char *says;
    } cases[] = {
        {{.score = "cosine"}, false, "attention: there is no score cosine"},
        {{.heads = 2}, false, "attention: 2 heads do not divide 21 and 6 features"},
        {{.dropout = 1.0f}, false, "attention: dropout is 1"},
        {{.scale = -1.0f}, false, "attention: scale is -1"},
        {{.score = "additive"}, false, "attention: score additive takes a vector of weights w"},
        {{.score = "dot"}, true, "attention: score dot takes no weights w"},
        {{.mask = &small}, false, "the mask is (3,17), sequences are up to (3,18)"},
        {{.heads = 3, .mask = &many}, false, "the mask has 2 heads, there are 3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ur_tape_start(t, UR_INFER, NULL, NULL, 0, 0);
        const attended a = attend(f, UR_STEP_MAJOR, false);
        ur_attention_options o = cases[i].o;
        ur_weights *weights = (ur_weights *)&o;
        o.w = cases[i].w ? ur_copy_floats(t, 1, (size_t[]){WIDTH}, w, false) : NULL;
        o.weights = &weights;
        assert_null(ur_attention(t, a.q, a.k, a.v, &o));
        assert_null(weights);
        tape_failed(t, UR_INVALID, cases[i].says);
    }
}

static void layers_that_do_not_fit(void **state)
{
    const fixture *f = *state;
    const struct {
        ur_multi_head_config c;
        ur_status status;
        const char *says;
    } cases[] = {
        {{.num_heads = 2}, UR_INVALID, "embed_dim is 0"},
        {{.embed_dim = 12}, UR_INVALID, "num_heads 0"},
        {{.embed_dim = 12, .num_heads = 5}, UR_INVALID, "5 heads do not divide embed_dim 12"},
        {{.embed_dim = 12, .num_heads = 3, .dropout = -0.5f}, UR_INVALID, "dropout is -0.5"},
        {{.embed_dim = 12, .num_heads = 3, .add_bias_kv = true}, UR_UNSUPPORTED, "add_bias_kv"},
        {{.embed_dim = 12, .num_heads = 3, .add_zero_attn = true}, UR_UNSUPPORTED, "add_zero_attn"},
    };
    ur_params *params;
    ur_multi_head_layer layer;
    assert_int_equal(ur_params_new(f->context, &params, NULL), UR_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ur_err err;
        assert_int_equal(ur_multi_head_attention_add(params, "", &cases[i].c, &layer, &err),
                         cases[i].status);
        assert_non_null(strstr(err.text, cases[i].says));
    }
    const ur_multi_head_config config = {.embed_dim = WIDTH, .num_heads = 3, .vdim = VALUES};
    assert_int_equal(ur_multi_head_attention_add(params, "", &config, &layer, NULL), UR_OK);
    assert_int_equal(ur_params_seal(params, NULL), UR_OK);
    ur_tape_start(f->tape, UR_INFER, params, NULL, 0, 0);
    attended a = attend(f, UR_STEP_MAJOR, false);
    assert_non_null(ur_multi_head_attention(f->tape, &layer, a.q, a.k, a.v, NULL));
    assert_null(ur_multi_head_attention(f->tape, &layer, a.q, a.k, a.k, NULL));
    tape_failed(f->tape, UR_INVALID,
                "multi_head_attention: values are (25,21), the layer wants 6 features");
    ur_tape_start(f->tape, UR_INFER, NULL, NULL, 0, 0);
    a = attend(f, UR_STEP_MAJOR, false);
    assert_null(ur_multi_head_attention(f->tape, &layer, a.q, a.k, a.v, NULL));
    tape_failed(f->tape, UR_INVALID, "the layer is not of the parameters");
    ur_params_free(params);
}

/* The most memory of a forward and backward over one sequence of so many steps. */
static size_t memory_of(size_t steps, ur_mode mode, bool causal, const char *score)
{
    enum { NARROW = 4 };
    failing_alloc a;
    failing_alloc_init(&a, 0, false);
    ur_context *context = context_of(NULL, 2, &a.hooks);
    ur_tape *t = tape_of(context);
    float *x = made_up_floats(4, steps * NARROW, 1.0f), w[NARROW] = {1.0f, 0.5f, -0.5f, 0.25f};
    ur_tape_start(t, mode, NULL, NULL, 0, 0);
    const ur_layout *layout = ur_new_layout(t, UR_SEQUENCE_MAJOR, 1, &steps, NULL);
    ur_seq *q = ur_seq_floats(t, layout, NARROW, x, true);
    const bool additive = strcmp(score, "additive") == 0;
    const ur_attention_options o = {
        .score = score,
        .causal = causal,
        .dropout = mode == UR_TRAIN ? 0.1f : 0.0f,
        .w = additive ? ur_copy_floats(t, 1, (size_t[]){NARROW}, w, true) : NULL};
    const ur_seq *y = ur_attention(t, q, q, q, &o);
    tape_fine(t);
    if (mode == UR_TRAIN)
        assert_int_equal(ur_backward(t, ur_sum(t, y->values)), UR_OK);
    free(x);
    ur_tape_free(t);
    ur_context_free(context);
    assert_int_equal(a.bytes, 0);
    return a.most;
}

/* Of four times the steps four times the memory, or up to twice that with the arena's chunks; keys times
 * queries would be sixteen times the memory. */
static void memory_grows_with_the_steps(void **state)
{
    (void)state;
    const size_t steps = hurry() ? 500 : 1000;
    for (int i = 0; i < 4; i++) {
        const char *score = i & 1 ? "additive" : "dot";
        const ur_mode mode = i & 2 ? UR_TRAIN : UR_INFER;
        const size_t one = memory_of(steps, mode, i == 2, score);
        const size_t four = memory_of(4 * steps, mode, i == 2, score);
        if (four > 8 * one)
            fail_msg("%s: %zu bytes of %zu steps, %zu of four times as many", score, one, steps,
                     four);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(equals_its_halves, setup, teardown),
        cmocka_unit_test_setup_teardown(weights_are_probabilities, setup, teardown),
        cmocka_unit_test_setup_teardown(large_scores_stay_finite, setup, teardown),
        cmocka_unit_test_setup_teardown(no_keys_give_zeros, setup, teardown),
        cmocka_unit_test_setup_teardown(shapes_that_do_not_fit, setup, teardown),
        cmocka_unit_test_setup_teardown(options_that_do_not_fit, setup, teardown),
        cmocka_unit_test_setup_teardown(layers_that_do_not_fit, setup, teardown),
        cmocka_unit_test(memory_grows_with_the_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
