/* test_backward.c - what operations keep for backward, backward from several scalars, and operands that
 * are refused. */
#include "nn/nn.h"
#include "support/contexts.h"
#include "tape/tape.h"
#include "unroll/nn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { BATCH = 3, ROWS = 7, SYMBOLS = 6, IN = 4, HIDDEN = 5 };
static const size_t length[BATCH] = {2, 4, 1};
static const int32_t ids[ROWS] = {3, 1, 0, 4, 4, 2, 5};

typedef struct net {
    ur_context *context;
    ur_params *params;
    ur_embedding_layer embed;
    ur_cell_layer lstm;
    ur_rnn_stack gru;
    ur_linear_layer out;
    ur_tape *tape;
    float *gradient;
} net;

static int setup(void **state)
{
    net *n = calloc(1, sizeof *n);
    assert_non_null(n);
    n->context = context_of(NULL, 1, NULL);
    const ur_rnn_config gru = {.cell = "gru", .input_size = SYMBOLS, .hidden_size = HIDDEN};
    assert_int_equal(ur_params_new(n->context, &n->params, NULL), UR_OK);
    n->embed = ur_embedding_add(n->params, "embed", SYMBOLS, IN);
    n->lstm = ur_lstm_add(n->params, "lstm", IN, HIDDEN);
    assert_int_equal(ur_rnn_add(n->params, "gru", &gru, &n->gru, NULL), UR_OK);
    n->out = ur_linear_add(n->params, "out", HIDDEN, SYMBOLS, true);
    assert_int_equal(ur_params_seal(n->params, NULL), UR_OK);
    for (size_t i = 0; i < ur_params_size(n->params); i++)
        ur_params_values(n->params)[i] = 0.4f * made_up(3, i);
    ur_params_changed(n->params);
    n->tape = tape_of(n->context);
    n->gradient = calloc(ur_params_size(n->params), sizeof(float));
    assert_non_null(n->gradient);
    *state = n;
    return 0;
}

static int teardown(void **state)
{
    net *n = *state;
    ur_tape_free(n->tape);
    ur_params_free(n->params);
    ur_context_free(n->context);
    free(n->gradient);
    free(n);
    return 0;
}

static void start(net *n)
{
    memset(n->gradient, 0, ur_params_size(n->params) * sizeof(float));
    ur_tape_start(n->tape, UR_TRAIN, n->params, n->gradient, 1, 2);
}

static ur_seq *symbols(ur_tape *t)
{
    return ur_seq_ints(t, ur_new_layout(t, UR_STEP_MAJOR, BATCH, length, NULL), ids);
}

/* ---- layers by value ------------------------------------------------------------------------ */

/* The layers' descriptions are gone, and overwritten, when this returns. */
static ur_tensor *forward(ur_tape *t, const net *n, bool overwrite)
{
    const ur_state zero = {NULL, NULL};
    struct {
        ur_embedding_layer embed;
        ur_cell_layer lstm;
        ur_rnn_stack gru;
        ur_linear_layer out;
    } mine = {n->embed, n->lstm, n->gru, n->out};
    const ur_seq *in = symbols(t);
    ur_seq *x = ur_embedding(t, &mine.embed, in);
    const ur_rnn_out h = ur_cell_forward(t, &mine.lstm, x, zero);
    const ur_rnn_out g = ur_rnn_one_hot(t, &mine.gru, in, zero);
    ur_seq *y = ur_linear_seq(t, &mine.out, ur_dropout(t, h.y, 0.2f));
    ur_tensor *loss = ur_add(t, ur_cross_entropy(t, y, in, 2.0), ur_sum(t, ur_values(g.y)));
    if (overwrite)
        memset((void *)&mine, 0xa5, sizeof mine);
    return loss;
}

static void layers_may_go_before_backward(void **state)
{
    net *n = *state;
    const size_t size = ur_params_size(n->params);
    start(n);
    assert_int_equal(ur_backward(n->tape, forward(n->tape, n, false)), UR_OK);
    float *want = malloc(size * sizeof *want);
    assert_non_null(want);
    memcpy(want, n->gradient, size * sizeof *want);
    start(n);
    ur_tensor *loss = forward(n->tape, n, true);
    assert_int_equal(ur_backward(n->tape, loss), UR_OK);
    same_floats("gradients", "layers gone", want, n->gradient, size);
    const float *bias = ur_param_gradient(n->tape, n->out.bias);
    assert_ptr_equal(bias, n->gradient + ur_params_entry(n->params, (size_t)n->out.bias)->offset);
    assert_null(ur_param_gradient(n->tape, -1));
    free(want);
}

/* ---- several scalars ------------------------------------------------------------------------ */

/* Two losses over one trunk: alone, together, and one after the other. */
static void two_losses_over_one_trunk(void **state)
{
    net *n = *state;
    const size_t size = ur_params_size(n->params);
    float *want = NULL;
    for (int apart = 0; apart < 2; apart++) {
        start(n);
        ur_tape *t = n->tape;
        ur_tensor *w = ur_parameter(t, n->out.weight);
        ur_tensor *trunk = ur_tanh(t, ur_mul(t, w, w));
        ur_tensor *first = ur_sum(t, ur_sigmoid(t, trunk));
        ur_tensor *second = ur_sum(t, ur_mul(t, trunk, w));
        if (apart) {
            assert_int_equal(ur_backward(t, first), UR_OK);
            assert_int_equal(ur_backward(t, second), UR_OK);
            near_floats("gradients", want, n->gradient, size, 1e-6);
        } else {
            assert_int_equal(ur_backward(t, ur_add(t, first, second)), UR_OK);
            want = malloc(size * sizeof *want);
            assert_non_null(want);
            memcpy(want, n->gradient, size * sizeof *want);
        }
    }
    free(want);
}

static void what_keeps_nothing_for_a_second_time_says_so(void **state)
{
    net *n = *state;
    start(n);
    ur_tape *t = n->tape;
    const ur_seq *in = symbols(t);
    const ur_rnn_out h = ur_lstm(t, &n->lstm, ur_embedding(t, &n->embed, in), (ur_state){0});
    ur_tensor *first = ur_sum(t, h.h_n), *second = ur_sum(t, ur_values(h.y));
    assert_int_equal(ur_backward(t, first), UR_OK);
    assert_int_equal(ur_backward(t, second), UR_INVALID);
    tape_failed(t, UR_INVALID, "backward: recurrent was gone through already");
}

/* A loss that does not reach the layer again is fine. */
static void other_losses_may_follow(void **state)
{
    net *n = *state;
    start(n);
    ur_tape *t = n->tape;
    const ur_seq *in = symbols(t);
    ur_seq *x = ur_embedding(t, &n->embed, in);
    const ur_rnn_out h = ur_lstm(t, &n->lstm, x, (ur_state){0});
    ur_tensor *first = ur_sum(t, ur_values(h.y)), *second = ur_sum(t, ur_values(x));
    assert_int_equal(ur_backward(t, first), UR_OK);
    assert_int_equal(ur_backward(t, second), UR_OK);
}

/* ---- operands ------------------------------------------------------------------------------- */

static void refuse(net *n, int which)
{
    ur_tape *t = n->tape;
    const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, BATCH, length, NULL);
    const ur_seq *in = symbols(t);
    ur_seq *cube = ur_seq_new(t, ur_new_floats(t, 3, (size_t[]){ROWS, 2, 3}, false), l);
    ur_seq *one = ur_seq_new(t, ur_new_floats(t, 1, (size_t[]){ROWS}, false), l);
    ur_seq *few = ur_seq_new(t, ur_new_floats(t, 2, (size_t[]){ROWS - 1, IN}, false), l);
    ur_seq id_rows = *in;
    switch (which) {
    case 0:
        ur_add(t, in->values, in->values);
        break;
    case 1:
        ur_softmax(t, in->values);
        break;
    case 2:
        ur_linear(t, &n->out, in->values);
        break;
    case 3:
        ur_linear(t, &n->out, one->values);
        break;
    case 4:
        ur_dropout(t, &id_rows, 0.5f);
        break;
    case 5:
        ur_dropout(t, one, 0.5f);
        break;
    case 6:
        ur_cross_entropy(t, one, in, 1.0);
        break;
    case 7:
        ur_cross_entropy(t, few, in, 1.0);
        break;
    case 8:
        ur_reorder(t, cube, UR_SEQUENCE_MAJOR);
        break;
    case 9:
        ur_to_padded(t, cube, 0, 0.0, true);
        break;
    case 10:
        ur_rnn_one_hot(t, &n->gru, one, (ur_state){0});
        break;
    case 11:
        ur_embedding(t, &n->embed, one);
        break;
    default:
        ur_sum(t, NULL);
        break;
    }
}

static void operands_are_checked(void **state)
{
    static const char *const says[] = {
        "add: operand (7) is of int32 ids, floats expected",
        "softmax: operand (7) is of int32 ids",
        "linear: operand (7) is of int32 ids, floats of 2 dimensions expected",
        "linear: operand (7) is of floats, floats of 2 dimensions expected",
        "dropout: operand (7) is of int32 ids",
        "dropout: operand (7) is of floats, floats of 2 dimensions",
        "cross_entropy: operand (7) is of floats, floats of 2 dimensions",
        "cross_entropy: values (6,4), but the layout has 7 rows",
        "reorder: operand (7,2,3) is of floats, floats of 2 dimensions",
        "to_padded: operand (7,2,3) is of floats",
        "rnn_one_hot: operand (7) is of floats, int32 ids of 1 dimension expected",
        "embedding: operand (7) is of floats, int32 ids of 1 dimension expected",
        "sum: an operand is missing"};
    net *n = *state;
    for (int i = 0; i < (int)(sizeof says / sizeof *says); i++) {
        start(n);
        refuse(n, i);
        tape_failed(n->tape, UR_INVALID, says[i]);
    }
}

static void tensors_of_another_tape_are_refused(void **state)
{
    net *n = *state;
    ur_tape *other = tape_of(n->context);
    ur_tape_start(other, UR_TRAIN, NULL, NULL, 0, 0);
    start(n);
    ur_tensor *theirs = ur_new_floats(other, 1, (size_t[]){3}, true);
    ur_tensor *ours = ur_new_floats(n->tape, 1, (size_t[]){3}, true);
    assert_null(ur_add(n->tape, ours, theirs));
    tape_failed(n->tape, UR_INVALID, "add: operand (3) is of another tape");
    float own[3] = {1.0f, 2.0f, 3.0f};
    ur_tensor mine = {.dtype = UR_F32, .ndim = 1, .dim = {3}, .data = own};
    start(n);
    assert_non_null(ur_add(n->tape, ur_new_floats(n->tape, 1, (size_t[]){3}, true), &mine));
    ur_tape_free(other);
}

static void names_and_shapes_are_those_of_the_call(void **state)
{
    static const int32_t wrong[ROWS] = {0, 1, 2, SYMBOLS, 0, 0, 0};
    net *n = *state;
    start(n);
    ur_tape *t = n->tape;
    const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, BATCH, length, NULL);
    assert_null(ur_rnn_one_hot(t, &n->gru, ur_seq_ints(t, l, wrong), (ur_state){0}).y);
    tape_failed(t, UR_INVALID, "rnn_one_hot: id 6 is not in [0, 6) [ids (7)]");
    start(n);
    const size_t huge[] = {SIZE_MAX / 4, 8};
    assert_null(ur_new_layout(t, UR_STEP_MAJOR, 2, huge, NULL));
    tape_failed(t, UR_INVALID, "overflow");
}

static void lists_of_names(void **state)
{
    net *n = *state;
    size_t isas = 0, cells = 0;
    bool best = false;
    for (const char *name; (name = ur_isa_name(isas)); isas++)
        best = strcmp(name, ur_context_isa(n->context)) == 0;
    for (const char *name; (name = ur_cell_name(cells)); cells++) {
        const ur_rnn_config config = {.cell = name, .input_size = 1, .hidden_size = 1};
        assert_int_equal(ur_rnn_check(&config, NULL), UR_OK);
    }
    assert_string_equal(ur_isa_name(0), "plain");
    assert_true(best || getenv("UNROLL_ISA"));
    assert_int_equal(cells, 7);
    assert_null(ur_isa_name(isas + 1));
    assert_null(ur_values(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(layers_may_go_before_backward, setup, teardown),
        cmocka_unit_test_setup_teardown(two_losses_over_one_trunk, setup, teardown),
        cmocka_unit_test_setup_teardown(what_keeps_nothing_for_a_second_time_says_so, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(other_losses_may_follow, setup, teardown),
        cmocka_unit_test_setup_teardown(operands_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(tensors_of_another_tape_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(names_and_shapes_are_those_of_the_call, setup, teardown),
        cmocka_unit_test_setup_teardown(lists_of_names, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
