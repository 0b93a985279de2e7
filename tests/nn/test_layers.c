/* test_layers.c - drop-out's masks, initialisation, and the sentences of layers that are asked for
 * what does not fit. */
#include "support/contexts.h"
#include "unroll/nn.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

typedef struct fixture {
    ur_context *context;
    ur_params *params;
    ur_tape *tape;
    ur_embedding_layer embed;
    ur_linear_layer linear;
    ur_lstm_layer lstm;
    float *gradient;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->context = context_of(NULL, 2, NULL);
    assert_int_equal(ur_params_new(f->context, &f->params, NULL), UR_OK);
    f->embed = ur_embedding_add(f->params, "embed", 120, 40);
    f->linear = ur_linear_add(f->params, "fc", 64, 50, true);
    f->lstm = ur_lstm_add(f->params, "lstm", 16, 25);
    assert_int_equal(ur_params_seal(f->params, NULL), UR_OK);
    f->gradient = calloc(ur_params_size(f->params), sizeof *f->gradient);
    f->tape = tape_of(f->context);
    ur_tape_start(f->tape, UR_TRAIN, f->params, f->gradient, 5, 6);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    ur_tape_free(f->tape);
    ur_params_free(f->params);
    ur_context_free(f->context);
    free(f->gradient);
    free(f);
    return 0;
}

/* ---- drop-out ----------------------------------------------------------------------------- */

enum { WIDTH = 37 };

/* Drop-out of ones for these sequences. */
static ur_seq *dropped(ur_tape *t, ur_order order, size_t batch, const size_t *length,
                       const uint64_t *id, float p)
{
    const ur_layout *l = ur_new_layout(t, order, batch, length, id);
    float *ones = malloc((l->rows + 1) * WIDTH * sizeof *ones);
    assert_non_null(ones);
    for (size_t i = 0; i < l->rows * WIDTH; i++)
        ones[i] = 1.0f;
    ur_seq *x = ur_seq_floats(t, l, WIDTH, ones, true);
    free(ones);
    return ur_dropout(t, x, p);
}

static void same_mask(const ur_seq *a, size_t b, const ur_seq *other, size_t b2)
{
    for (size_t s = 0; s < a->layout->length[b]; s++)
        same_floats("mask", "the same sequence",
                    ur_floats(a->values) + ur_row(a->layout, b, s) * WIDTH,
                    ur_floats(other->values) + ur_row(other->layout, b2, s) * WIDTH, WIDTH);
}

static void masks_belong_to_the_sequence(void **state)
{
    fixture *f = *state;
    static const size_t length[] = {3, 0, 7, 4}, alone[] = {7};
    static const uint64_t id[] = {10, 11, 12, UINT64_C(1) << 40}, alone_id[] = {12};
    ur_tape *t = f->tape, *other = tape_of(f->context);
    const ur_seq *a = dropped(t, UR_STEP_MAJOR, 4, length, id, 0.4f);
    ur_tape_start(other, UR_TRAIN, f->params, f->gradient, 5, 6);
    const ur_seq *b = dropped(other, UR_SEQUENCE_MAJOR, 1, alone, alone_id, 0.4f);
    tape_fine(t);
    same_mask(a, 2, b, 0);
    const ur_seq *second = dropped(t, UR_STEP_MAJOR, 4, length, id, 0.4f); /* another drop-out */
    assert_memory_not_equal(a->values->data, second->values->data, 14 * WIDTH * sizeof(float));
    ur_tape_start(other, UR_TRAIN, f->params, f->gradient, 5, 7); /* another step */
    b = dropped(other, UR_STEP_MAJOR, 4, length, id, 0.4f);
    assert_memory_not_equal(a->values->data, b->values->data, 14 * WIDTH * sizeof(float));
    ur_tape_start(other, UR_TRAIN, f->params, f->gradient, 6, 6); /* another seed */
    b = dropped(other, UR_STEP_MAJOR, 4, length, id, 0.4f);
    assert_memory_not_equal(a->values->data, b->values->data, 14 * WIDTH * sizeof(float));
    for (size_t s = 0; s < 2; s++) /* steps and sequences differ */
        assert_memory_not_equal(ur_floats(a->values) + ur_row(a->layout, 0, s) * WIDTH,
                                ur_floats(a->values) + ur_row(a->layout, s ? 2 : 0, s + 1) * WIDTH,
                                WIDTH * sizeof(float));
    ur_tape_free(other);
}

static void drops_as_often_as_asked(void **state)
{
    fixture *f = *state;
    static const float p[] = {0.1f, 0.5f, 0.9f};
    const size_t length = 2000, n = length * WIDTH;
    for (int i = 0; i < 3; i++) {
        const ur_seq *y = dropped(f->tape, UR_STEP_MAJOR, 1, &length, NULL, p[i]);
        tape_fine(f->tape);
        size_t zeros = 0;
        for (size_t j = 0; j < n; j++) {
            const float v = ur_floats(y->values)[j];
            assert_true(v == 0.0f || fabsf(v * (1.0f - p[i]) - 1.0f) < 1e-6f);
            zeros += v == 0.0f;
        }
        const double deviation = sqrt((double)(p[i] * (1.0f - p[i])) / (double)n);
        assert_true(fabs((double)zeros / (double)n - (double)p[i]) < 5.0 * deviation);
    }
}

static void backward_has_the_same_mask(void **state)
{
    fixture *f = *state;
    static const size_t length[] = {4, 9};
    ur_tape *t = f->tape;
    const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, 2, length, NULL);
    float *x = made_up_floats(1, 13 * WIDTH, 1.0f);
    ur_seq *in = ur_seq_floats(t, l, WIDTH, x, true);
    ur_seq *y = ur_dropout(t, in, 0.5f);
    assert_int_equal(ur_backward(t, ur_sum(t, y->values)), UR_OK);
    for (size_t i = 0; i < 13 * WIDTH; i++) {
        const float v = ur_floats(y->values)[i];
        assert_true(in->values->grad[i] == (v == 0.0f ? 0.0f : 2.0f));
    }
    free(x);
    ur_tape_start(t, UR_INFER, f->params, NULL, 5, 6); /* inference leaves x alone */
    in = ur_seq_floats(t, ur_new_layout(t, UR_STEP_MAJOR, 1, length, NULL), 1,
                       (float[]){1, 2, 3, 4}, false);
    assert_ptr_equal(ur_dropout(t, in, 0.5f), in);
}

/* ---- initialisation ------------------------------------------------------------------------ */

/* Mean and variance of a uniform (bound) or normal (bound 0) parameter, and its range. */
static void check_spread(ur_params *params, const char *name, double bound)
{
    const int index = ur_params_find(params, name);
    assert_true(index >= 0);
    const float *w = ur_param_values(params, index);
    const size_t n = ur_params_entry(params, (size_t)index)->count;
    double sum = 0.0, squares = 0.0, most = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)w[i];
        squares += (double)w[i] * (double)w[i];
        most = fmax(most, fabs((double)w[i]));
    }
    const double variance = bound > 0.0 ? bound * bound / 3.0 : 1.0;
    assert_true(fabs(sum / (double)n) < 5.0 * sqrt(variance / (double)n));
    assert_true(fabs(squares / (double)n / variance - 1.0) < 8.0 / sqrt((double)n));
    assert_true(bound > 0.0 ? most <= bound && most > 0.8 * bound : most > 2.5 && most < 6.0);
}

static void initialisation(void **state)
{
    fixture *f = *state;
    const size_t size = ur_params_size(f->params);
    float *first = malloc(size * sizeof *first);
    for (uint64_t seed = 1; seed <= 3; seed++) {
        ur_embedding_init(&f->embed, f->params, seed);
        ur_linear_init(&f->linear, f->params, seed);
        ur_lstm_init(&f->lstm, f->params, seed);
        check_spread(f->params, "embed.weight", 0.0);
        check_spread(f->params, "fc.weight", 1.0 / 8.0);
        check_spread(f->params, "fc.bias", 1.0 / 8.0);
        check_spread(f->params, "lstm.weight_ih_l0", 1.0 / 5.0);
        check_spread(f->params, "lstm.weight_hh_l0", 1.0 / 5.0);
        check_spread(f->params, "lstm.bias_ih_l0", 1.0 / 5.0);
        check_spread(f->params, "lstm.bias_hh_l0", 1.0 / 5.0);
        assert_memory_not_equal(ur_param_values(f->params, f->lstm.bias_ih),
                                ur_param_values(f->params, f->lstm.bias_hh), 100 * sizeof(float));
        if (seed == 1)
            memcpy(first, ur_params_values(f->params), size * sizeof *first);
        else
            assert_memory_not_equal(first, ur_params_values(f->params), size * sizeof *first);
    }
    ur_embedding_init(&f->embed, f->params, 1);
    ur_linear_init(&f->linear, f->params, 1);
    ur_lstm_init(&f->lstm, f->params, 1);
    same_floats("weights", "seed 1 again", first, ur_params_values(f->params), size);
    free(first);
}

/* ---- ids that the vocabulary lacks ---------------------------------------------------------- */

/* They are rows of zeros and learn nothing; the others have the bits that they have without them. */
static void unknown_ids(void **state)
{
    fixture *f = *state;
    ur_tape *t = f->tape;
    const size_t length[] = {3, 2}, known_length[] = {3, 1};
    ur_embedding_init(&f->embed, f->params, 1);
    ur_tape_start(t, UR_TRAIN, f->params, f->gradient, 0, 0);
    const ur_layout *l = ur_new_layout(t, UR_SEQUENCE_MAJOR, 2, length, NULL);
    ur_seq *y =
        ur_embedding(t, &f->embed, ur_seq_ints(t, l, (int32_t[]){7, UR_UNKNOWN, 9, 7, UR_UNKNOWN}));
    tape_fine(t);
    const float *table =
        ur_params_data(f->params) + ur_params_entry(f->params, (size_t)f->embed.weight)->offset;
    for (size_t i = 0; i < 40; i++) {
        assert_true(ur_floats(y->values)[i] == table[7 * 40 + i]);
        assert_true(ur_floats(y->values)[40 + i] == 0.0f);
        assert_true(ur_floats(y->values)[80 + i] == table[9 * 40 + i]);
        assert_true(ur_floats(y->values)[160 + i] == 0.0f);
    }
    assert_int_equal(ur_backward(t, ur_sum(t, y->values)), UR_OK);
    const float *g = ur_param_gradient(t, f->embed.weight);
    for (size_t i = 0; i < 120 * 40; i++)
        assert_true(g[i] == (i / 40 == 7 ? 2.0f : i / 40 == 9 ? 1.0f : 0.0f));
    /* a stack over them: what stands before an unknown id does not know of it */
    ur_rnn_stack rnn;
    ur_params *p;
    const ur_rnn_config config = {
        .cell = "gru", .input_size = 40, .hidden_size = 9, .num_layers = 1};
    assert_int_equal(ur_params_new(f->context, &p, NULL), UR_OK);
    const ur_embedding_layer embed = ur_embedding_add(p, "embed", 120, 40);
    assert_int_equal(ur_rnn_add(p, "gru", &config, &rnn, NULL), UR_OK);
    assert_int_equal(ur_params_seal(p, NULL), UR_OK);
    ur_embedding_init(&embed, p, 1);
    ur_rnn_init(&rnn, p, 1);
    ur_tape_start(t, UR_INFER, p, NULL, 0, 0);
    l = ur_new_layout(t, UR_SEQUENCE_MAJOR, 2, length, NULL);
    const ur_rnn_out with = ur_rnn_embedded(
        t, &rnn, &embed, ur_seq_ints(t, l, (int32_t[]){3, 4, 5, 7, UR_UNKNOWN}), (ur_state){0});
    l = ur_new_layout(t, UR_SEQUENCE_MAJOR, 2, known_length, NULL);
    const ur_rnn_out without =
        ur_rnn_embedded(t, &rnn, &embed, ur_seq_ints(t, l, (int32_t[]){3, 4, 5, 7}), (ur_state){0});
    tape_fine(t);
    for (size_t s = 0; s < 3; s++)
        assert_memory_equal(ur_floats(with.y->values) + ur_row(with.y->layout, 0, s) * 9,
                            ur_floats(without.y->values) + ur_row(without.y->layout, 0, s) * 9,
                            9 * sizeof(float));
    assert_memory_equal(ur_floats(with.y->values) + ur_row(with.y->layout, 1, 0) * 9,
                        ur_floats(without.y->values) + ur_row(without.y->layout, 1, 0) * 9,
                        9 * sizeof(float));
    ur_params_free(p);
}

/* ---- what does not fit --------------------------------------------------------------------- */

static void sentences(void **state)
{
    fixture *f = *state;
    ur_tape *t = f->tape;
    const size_t length[] = {2, 1};
    const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, 2, length, NULL);
    ur_embedding(t, &f->embed, ur_seq_ints(t, l, (int32_t[]){0, 120, 1}));
    tape_failed(t, UR_INVALID, "embedding: id 120 is not in [0, 120)");

    ur_tape_start(t, UR_TRAIN, f->params, f->gradient, 0, 0);
    l = ur_new_layout(t, UR_STEP_MAJOR, 2, length, NULL);
    ur_embedding(t, &f->embed, ur_seq_ints(t, l, (int32_t[]){0, -2, 1}));
    tape_failed(t, UR_INVALID, "embedding: id -2");

    ur_tape_start(t, UR_TRAIN, f->params, f->gradient, 0, 0);
    l = ur_new_layout(t, UR_STEP_MAJOR, 2, length, NULL);
    float x[51] = {0};
    ur_lstm(t, &f->lstm, ur_seq_floats(t, l, 17, x, false), (ur_state){0});
    tape_failed(t, UR_INVALID, "lstm_forward: input has 17 features, weight_ih_l0 wants 16");

    ur_tape_start(t, UR_TRAIN, f->params, f->gradient, 0, 0);
    l = ur_new_layout(t, UR_STEP_MAJOR, 2, length, NULL);
    const ur_state s = {NULL, ur_new_floats(t, 2, (size_t[]){3, 25}, false)};
    ur_lstm(t, &f->lstm, ur_seq_floats(t, l, 16, x, false), s);
    tape_failed(t, UR_INVALID, "lstm_forward: initial c is (3,25), (2,25) expected");

    ur_tape_start(t, UR_TRAIN, f->params, f->gradient, 0, 0);
    ur_linear(t, &f->linear, ur_new_floats(t, 2, (size_t[]){3, 65}, false));
    tape_failed(t, UR_INVALID, "linear: input is (3,65), weight wants 64 features");

    ur_tape_start(t, UR_TRAIN, f->params, f->gradient, 0, 0);
    l = ur_new_layout(t, UR_STEP_MAJOR, 2, length, NULL);
    ur_dropout(t, ur_seq_floats(t, l, 1, x, false), 1.0f);
    tape_failed(t, UR_INVALID, "dropout: p is 1");
}

static void losses(void **state)
{
    fixture *f = *state;
    ur_tape *t = f->tape;
    const size_t three = 3;
    float x[12] = {0};
    const struct {
        int32_t target[3];
        double normaliser;
        const char *says;
    } bad[] = {{{0, 4, 1}, 3.0, "target 4 is not in [0, 4)"},
               {{0, -1, 1}, 3.0, "target -1 is not in [0, 4)"},
               {{0, 1, 2}, 0.0, "normaliser 0 must be positive"},
               {{0, 1, 2}, (double)NAN, "must be positive"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ur_tape_start(t, UR_TRAIN, f->params, f->gradient, 0, 0);
        const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, 1, &three, NULL);
        assert_null(ur_cross_entropy(t, ur_seq_floats(t, l, 4, x, true),
                                     ur_seq_ints(t, l, bad[i].target), bad[i].normaliser));
        tape_failed(t, UR_INVALID, bad[i].says);
    }
    ur_tape_start(t, UR_TRAIN, f->params, f->gradient, 0, 0); /* all ignored */
    const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, 1, &three, NULL);
    ur_seq *in = ur_seq_floats(t, l, 4, x, true);
    ur_tensor *loss = ur_cross_entropy(
        t, in, ur_seq_ints(t, l, (int32_t[]){UR_IGNORE, UR_IGNORE, UR_IGNORE}), 1.0);
    assert_true(ur_floats(loss)[0] == 0.0f);
    assert_int_equal(ur_backward(t, loss), UR_OK);
    for (int i = 0; i < 12; i++)
        assert_true(in->values->grad[i] == 0.0f);
    const ur_layout *other = ur_new_layout(t, UR_STEP_MAJOR, 3, (size_t[]){1, 1, 1}, NULL);
    ur_cross_entropy(t, in, ur_seq_ints(t, other, (int32_t[]){0, 1, 2}), 3.0);
    tape_failed(t, UR_INVALID, "must be of one layout");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(masks_belong_to_the_sequence, setup, teardown),
        cmocka_unit_test_setup_teardown(drops_as_often_as_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(backward_has_the_same_mask, setup, teardown),
        cmocka_unit_test_setup_teardown(initialisation, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_ids, setup, teardown),
        cmocka_unit_test_setup_teardown(sentences, setup, teardown),
        cmocka_unit_test_setup_teardown(losses, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
