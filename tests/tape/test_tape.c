/* test_tape.c - the tape: sticky errors with their sentences, gradients that accumulate, rewinding,
 * and memory: a steady state takes none, and each allocation may fail. */
#include "tape/tape.h"

#include "support/contexts.h"
#include "support/failing_alloc.h"
#include "unroll/nn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

typedef struct fixture {
    ur_context *context;
    ur_params *params;
    ur_tape *tape;
    float gradient[32];
} fixture;

static int setup(void **state)
{
    static const size_t dim[] = {2, 3}, one = 1;
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->context = context_of(NULL, 1, NULL);
    assert_int_equal(ur_params_new(f->context, &f->params, NULL), UR_OK);
    ur_params_add(f->params, "w", 2, dim, UR_TRAINABLE);
    ur_params_add(f->params, "frozen", 1, &one, 0);
    assert_int_equal(ur_params_seal(f->params, NULL), UR_OK);
    for (int i = 0; i < 6; i++)
        ur_params_values(f->params)[i] = (float)(i + 1);
    f->tape = tape_of(f->context);
    ur_tape_start(f->tape, UR_TRAIN, f->params, f->gradient, 0, 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    ur_tape_free(f->tape);
    ur_params_free(f->params);
    ur_context_free(f->context);
    free(f);
    return 0;
}

static ur_tensor *floats(ur_tape *t, size_t rows, size_t columns)
{
    ur_tensor *x = ur_new_floats(t, 2, (size_t[]){rows, columns}, true);
    if (x)
        memset(x->data, 0, rows * columns * sizeof(float));
    return x;
}

/* ---- sticky errors ------------------------------------------------------------------------- */

static void fail_once(ur_tape *t, int which)
{
    ur_tensor *a = floats(t, 2, 3), *b = floats(t, 3, 2);
    const size_t length[] = {2, 1}, huge[] = {SIZE_MAX / 4, 8};
    const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, 2, length, NULL);
    const ur_layout *turned = ur_new_layout(t, UR_SEQUENCE_MAJOR, 2, length, NULL);
    float x[9] = {0};
    switch (which) {
    case 0:
        ur_add(t, a, b);
        break;
    case 1:
        ur_mul(t, a, b);
        break;
    case 2:
        ur_matmul_t(t, a, b);
        break;
    case 3:
        ur_concat(t, a, b);
        break;
    case 4:
        ur_slice(t, a, 2, 4);
        break;
    case 5:
        ur_slice(t, a, 2, 1);
        break;
    case 6:
        ur_repeat(t, b, l);
        break;
    case 7:
        ur_parameter(t, 2);
        break;
    case 8:
        ur_parameter(t, -1);
        break;
    case 9:
        ur_backward(t, a);
        break;
    case 10:
        ur_backward(t, NULL);
        break;
    case 11:
        ur_new_floats(t, 0, huge, false);
        break;
    case 12:
        ur_new_floats(t, 5, huge, false);
        break;
    case 13:
        ur_new_floats(t, 2, huge, false);
        break;
    case 14:
        ur_tape_rewind(t, ur_tape_place(t));
        break;
    case 15:
        ur_concat_seq(t, ur_seq_floats(t, l, 1, x, false), ur_seq_floats(t, turned, 1, x, false));
        break;
    default:
        ur_sub(t, a, b);
    }
}

static void the_first_error_stays(void **state)
{
    fixture *f = *state;
    static const char *const says[] = {"add: shapes (2,3) and (3,2) must be equal",
                                       "mul: shapes (2,3) and (3,2) must be equal",
                                       "matmul: depths of (2,3) and (3,2) differ",
                                       "concat: rows of (2,3) and (3,2)",
                                       "slice: columns 2 to 4 of (2,3)",
                                       "slice: columns 2 to 1 of (2,3)",
                                       "repeat: (3,2) for a batch of 2 sequences",
                                       "parameter 2: the model has 2",
                                       "parameter -1: the model has 2",
                                       "backward: starts from one number, not from (2,3)",
                                       "backward: starts from one number, not from nothing",
                                       "tensor: 0 dimensions",
                                       "tensor: 5 dimensions",
                                       "tensor: its size overflows",
                                       "rewind: only a tape for inference",
                                       "concat: the sequences differ",
                                       "sub: shapes"};
    for (int i = 0; i < (int)(sizeof says / sizeof *says); i++) {
        ur_tape_start(f->tape, UR_TRAIN, f->params, f->gradient, 0, 0);
        assert_string_equal(ur_error(f->tape), "");
        fail_once(f->tape, i);
        tape_failed(f->tape, UR_INVALID, says[i]);
        for (int later = 0; later < 14; later++) /* nothing later changes it, or crashes */
            fail_once(f->tape, later);
        tape_failed(f->tape, UR_INVALID, says[i]);
        assert_null(ur_parameter(f->tape, 0));
    }
    ur_tape_start(f->tape, UR_INFER, f->params, NULL, 0, 0);
    assert_int_equal(ur_tape_status(f->tape), UR_OK);
    ur_backward(f->tape, ur_sum(f->tape, ur_parameter(f->tape, 0)));
    tape_failed(f->tape, UR_INVALID, "backward: the tape was started for inference");
}

/* Everything accepts what a failed operation returned. */
static void nothing_in_nothing_out(void **state)
{
    fixture *f = *state;
    ur_tape *t = f->tape;
    ur_add(t, floats(t, 1, 1), floats(t, 2, 1));
    assert_null(ur_add(t, NULL, NULL));
    assert_null(ur_sub(t, NULL, NULL));
    assert_null(ur_mul(t, NULL, NULL));
    assert_null(ur_scale(t, NULL, 1.0f));
    assert_null(ur_sigmoid(t, NULL));
    assert_null(ur_tanh(t, NULL));
    assert_null(ur_softmax(t, NULL));
    assert_null(ur_sum(t, NULL));
    assert_null(ur_matmul_t(t, NULL, NULL));
    assert_null(ur_concat(t, NULL, NULL));
    assert_null(ur_slice(t, NULL, 0, 1));
    assert_null(ur_concat_seq(t, NULL, NULL));
    assert_null(ur_repeat(t, NULL, NULL));
    assert_null(ur_reorder(t, NULL, UR_STEP_MAJOR));
    assert_null(ur_seq_floats(t, NULL, 1, NULL, false));
    assert_null(ur_seq_ints(t, NULL, NULL));
    assert_null(ur_embedding(t, NULL, NULL));
    assert_null(ur_linear(t, NULL, NULL));
    assert_null(ur_linear_seq(t, NULL, NULL));
    assert_null(ur_dropout(t, NULL, 0.5f));
    assert_null(ur_lstm(t, NULL, NULL, (ur_state){0}).y);
    assert_null(ur_lstm_embedded(t, NULL, NULL, NULL, (ur_state){0}).y);
    assert_null(ur_lstm_step(t, NULL, NULL, (ur_state){0}).h);
    assert_null(ur_attention_dot(t, NULL, NULL, NULL, NULL));
    assert_null(ur_attention_weights(t, NULL, NULL));
    assert_null(ur_weighted_sum(t, NULL, NULL));
    assert_null(ur_cross_entropy(t, NULL, NULL, 1.0));
    assert_int_equal(ur_backward(t, NULL), UR_INVALID);
    tape_failed(t, UR_INVALID, "add: shapes (1,1) and (2,1)");
}

/* ---- gradients ----------------------------------------------------------------------------- */

static void gradients_accumulate(void **state)
{
    fixture *f = *state;
    for (int round = 1; round <= 3; round++) { /* over tapes, too: the vector is the caller's */
        ur_tape_start(f->tape, UR_TRAIN, f->params, f->gradient, 0, 0);
        ur_tensor *w = ur_parameter(f->tape, 0), *again = ur_parameter(f->tape, 0);
        ur_tensor *loss = ur_sum(f->tape, ur_mul(f->tape, w, again)); /* w^2: 2w */
        assert_int_equal(ur_backward(f->tape, ur_add(f->tape, loss, ur_sum(f->tape, w))), UR_OK);
        for (int i = 0; i < 6; i++)
            assert_true(f->gradient[i] == (float)(round * (2 * (i + 1) + 1)));
    }
}

static void frozen_parameters_get_no_gradient(void **state)
{
    fixture *f = *state;
    ur_tensor *frozen = ur_parameter(f->tape, 1);
    assert_false(frozen->needs_grad);
    ur_tensor *loss = ur_mul(f->tape, frozen, frozen);
    assert_false(loss->needs_grad);
    assert_int_equal(ur_backward(f->tape, loss), UR_OK);
    for (int i = 0; i < 32; i++)
        assert_true(f->gradient[i] == 0.0f);
}

static void a_gradient_that_nobody_wants_is_not_made(void **state)
{
    fixture *f = *state;
    ur_tensor *w = ur_parameter(f->tape, 0);
    ur_tensor *x = ur_copy_floats(f->tape, 2, w->dim, ur_floats(w), false);
    ur_tensor *unused = ur_tanh(f->tape, w);
    assert_int_equal(ur_backward(f->tape, ur_sum(f->tape, ur_mul(f->tape, w, x))), UR_OK);
    assert_null(x->grad);
    assert_null(unused->grad);
    for (int i = 0; i < 6; i++)
        assert_true(f->gradient[i] == (float)(i + 1));
}

/* ---- inference ------------------------------------------------------------------------------ */

static void rewinding_gives_memory_back(void **state)
{
    fixture *f = *state;
    ur_tape_start(f->tape, UR_INFER, f->params, NULL, 0, 0);
    ur_tensor *kept = ur_tanh(f->tape, ur_parameter(f->tape, 0));
    float before[6];
    memcpy(before, kept->data, sizeof before);
    const ur_place place = ur_tape_place(f->tape);
    const void *first = floats(f->tape, 50, 50);
    const size_t held = ur_arena_held(f->tape->arena);
    for (int i = 0; i < 100; i++) {
        ur_tape_rewind(f->tape, place);
        assert_ptr_equal(floats(f->tape, 50, 50), first);
    }
    tape_fine(f->tape);
    assert_int_equal(ur_arena_held(f->tape->arena), held);
    assert_memory_equal(before, kept->data, sizeof before);
    assert_false(kept->needs_grad);
}

static void inputs(void **state)
{
    fixture *f = *state;
    static const size_t length[] = {1, 3};
    static const float x[] = {1, 2, 3, 4, 5, 6, 7, 8};
    const ur_layout *l = ur_new_layout(f->tape, UR_STEP_MAJOR, 2, length, NULL);
    const ur_seq *s = ur_seq_floats(f->tape, l, 2, x, false);
    static const float step_major[] = {3, 4, 1, 2, 5, 6, 7, 8}; /* longest first */
    assert_memory_equal(ur_floats(s->values), step_major, sizeof step_major);
    const ur_seq *back = ur_reorder(f->tape, s, UR_SEQUENCE_MAJOR);
    assert_memory_equal(ur_floats(back->values), x, sizeof x);
    const ur_seq *ids = ur_seq_ints(f->tape, l, (int32_t[]){10, 20, 21, 22});
    static const int32_t want[] = {20, 10, 21, 22};
    assert_memory_equal(ur_ints(ids->values), want, sizeof want);
    ids = ur_reorder(f->tape, ids, UR_SEQUENCE_MAJOR);
    assert_int_equal(ur_ints(ids->values)[0], 10);
    assert_int_equal(ur_tape_mode(f->tape), UR_TRAIN);
    tape_fine(f->tape);
}

/* ---- memory -------------------------------------------------------------------------------- */

enum { BATCH = 3, WIDTH = 5 };

typedef struct net {
    ur_embedding_layer embed;
    ur_lstm_layer lstm;
    ur_linear_layer fc;
} net;

static ur_status everything(ur_tape *t, const net *n, const ur_params *params, float *gradient)
{
    static const size_t length[BATCH] = {4, 0, 9};
    static const int32_t ids[13] = {1, 2, 0, 1, 3, 2, 1, 0, 2, 2, 1, 3, 0};
    ur_tape_start(t, gradient ? UR_TRAIN : UR_INFER, params, gradient, 1, 2);
    const ur_layout *l = ur_new_layout(t, UR_SEQUENCE_MAJOR, BATCH, length, NULL);
    ur_seq *in = ur_seq_ints(t, l, ids);
    ur_seq *x = ur_dropout(t, ur_embedding(t, &n->embed, in), 0.2f);
    const ur_lstm_out a = ur_lstm(t, &n->lstm, x, (ur_state){0});
    const ur_lstm_out b = ur_lstm_embedded(t, &n->lstm, &n->embed, in, (ur_state){a.h_n, a.c_n});
    ur_weights *w;
    ur_seq *c = ur_attention_dot(t, b.y, a.y, a.y, &w);
    c = ur_concat_seq(
        t, c, ur_repeat(t, ur_weighted_sum(t, a.y, ur_attention_weights(t, b.h_n, a.y)), l));
    ur_tensor *loss = ur_cross_entropy(t, ur_linear_seq(t, &n->fc, c), in, 13.0);
    loss = ur_add(t, loss, ur_sum(t, ur_softmax(t, ur_matmul_t(t, b.h_n, b.c_n))));
    return gradient ? ur_backward(t, loss) : ur_tape_status(t);
}

static ur_status use_everything(const ur_allocator *a, ur_err *err, void *arg)
{
    const ur_options options = {.allocator = a, .threads = *(const int *)arg};
    ur_context *context;
    ur_params *params = NULL;
    ur_tape *t = NULL;
    float *gradient = NULL;
    net n;
    ur_status status = ur_context_new(&options, &context, err);
    if (status != UR_OK)
        return status;
    status = ur_params_new(context, &params, err);
    if (status == UR_OK) {
        n.embed = ur_embedding_add(params, "embed", 4, WIDTH);
        n.lstm = ur_lstm_add(params, "lstm", WIDTH, 40);
        n.fc = ur_linear_add(params, "fc", 80, 4, true);
        status = ur_params_seal(params, err);
    }
    if (status == UR_OK) {
        ur_params_changed(params);
        gradient = calloc(ur_params_size(params), sizeof *gradient);
        status = ur_tape_new(context, &t, err);
    }
    for (int round = 0; round < 3 && t; round++) {
        status = everything(t, &n, params, round == 1 ? NULL : gradient);
        if (status != UR_OK && err) {
            err->status = status;
            memcpy(err->text, ur_error(t), strlen(ur_error(t)) + 1);
        }
        if (status != UR_OK)
            break;
    }
    free(gradient);
    ur_tape_free(t);
    ur_params_free(params);
    ur_context_free(context);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 2; threads++)
        assert_true(failing_alloc_sweep(use_everything, &threads) > 10);
}

/* The tape of a failed step works again once there is memory. */
static void a_failed_tape_recovers(void **state)
{
    (void)state;
    failing_alloc f;
    failing_alloc_init(&f, 0, true);
    ur_context *context = context_of(NULL, 2, &f.hooks);
    ur_params *params;
    net n;
    assert_int_equal(ur_params_new(context, &params, NULL), UR_OK);
    n.embed = ur_embedding_add(params, "embed", 4, WIDTH);
    n.lstm = ur_lstm_add(params, "lstm", WIDTH, 40);
    n.fc = ur_linear_add(params, "fc", 80, 4, true);
    assert_int_equal(ur_params_seal(params, NULL), UR_OK);
    float *gradient = calloc(ur_params_size(params), sizeof *gradient);
    ur_tape *t = tape_of(context);
    for (size_t n_th = 1; n_th < 4; n_th++) {
        f.fail_at = f.calls + n_th;
        const ur_status status = everything(t, &n, params, gradient);
        f.fail_at = 0;
        if (status != UR_OK)
            tape_failed(t, UR_NO_MEMORY, "out of memory");
        assert_int_equal(everything(t, &n, params, gradient), UR_OK);
    }
    assert_true(f.failures > 0);
    for (int round = 0; round < 4; round++)
        assert_int_equal(everything(t, &n, params, round % 2 ? NULL : gradient), UR_OK);
    const size_t calls = f.calls; /* a steady state takes no memory */
    for (int round = 0; round < 5; round++)
        assert_int_equal(everything(t, &n, params, round % 2 ? NULL : gradient), UR_OK);
    assert_int_equal(f.calls, calls);
    free(gradient);
    ur_tape_free(t);
    ur_params_free(params);
    ur_context_free(context);
    assert_int_equal(f.outstanding, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_error_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_in_nothing_out, setup, teardown),
        cmocka_unit_test_setup_teardown(gradients_accumulate, setup, teardown),
        cmocka_unit_test_setup_teardown(frozen_parameters_get_no_gradient, setup, teardown),
        cmocka_unit_test_setup_teardown(a_gradient_that_nobody_wants_is_not_made, setup, teardown),
        cmocka_unit_test_setup_teardown(rewinding_gives_memory_back, setup, teardown),
        cmocka_unit_test_setup_teardown(inputs, setup, teardown),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(a_failed_tape_recovers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
