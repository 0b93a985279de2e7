/* test_lstm_gru.c - ur_lstm and ur_gru by their names: stacks of one layer, byte for byte. */
#include "support/contexts.h"
#include "unroll/nn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { BATCH = 3, INPUT = 4, HIDDEN = 21, ROWS = 8, SYMBOLS = 5 };
static const size_t length[BATCH] = {2, 5, 1};
static const int32_t ids[ROWS] = {3, 1, 0, 4, 4, 2, 1, 3};

/* A layer by its own functions, or as a stack of one. */
typedef struct net {
    ur_context *context;
    ur_params *params;
    ur_embedding_layer embed;
    ur_cell_layer layer;
    ur_rnn_stack stack;
    float *gradient;
    ur_tape *tape;
    bool gru, named;
} net;

static net net_new(bool gru, bool named)
{
    net n = {.context = context_of(NULL, 2, NULL), .gru = gru, .named = named};
    const ur_rnn_config config = {
        .cell = gru ? "gru" : "lstm", .input_size = INPUT, .hidden_size = HIDDEN};
    assert_int_equal(ur_params_new(n.context, &n.params, NULL), UR_OK);
    n.embed = ur_embedding_add(n.params, "embed", SYMBOLS, INPUT);
    if (!named)
        assert_int_equal(ur_rnn_add(n.params, "rnn", &config, &n.stack, NULL), UR_OK);
    else
        n.layer = (gru ? ur_gru_add : ur_lstm_add)(n.params, "rnn", INPUT, HIDDEN);
    assert_int_equal(ur_params_seal(n.params, NULL), UR_OK);
    ur_embedding_init(&n.embed, n.params, 1);
    if (!named)
        ur_rnn_init(&n.stack, n.params, 1);
    else
        (gru ? ur_gru_init : ur_lstm_init)(&n.layer, n.params, 1);
    ur_params_changed(n.params);
    n.gradient = calloc(ur_params_size(n.params), sizeof *n.gradient);
    n.tape = tape_of(n.context);
    return n;
}

static void net_free(net *n)
{
    ur_tape_free(n->tape);
    ur_params_free(n->params);
    ur_context_free(n->context);
    free(n->gradient);
}

static ur_rnn_out run(const net *n, bool embedded)
{
    ur_tape *t = n->tape;
    const ur_state zero = {NULL, NULL};
    ur_tape_start(t, UR_TRAIN, n->params, n->gradient, 0, 0);
    const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, BATCH, length, NULL);
    const ur_seq *in = ur_seq_ints(t, l, ids);
    if (embedded && !n->named)
        return ur_rnn_embedded(t, &n->stack, &n->embed, in, zero);
    if (embedded)
        return (n->gru ? ur_gru_embedded : ur_lstm_embedded)(t, &n->layer, &n->embed, in, zero);
    ur_seq *x = ur_embedding(t, &n->embed, in);
    if (!n->named)
        return ur_rnn(t, &n->stack, x, zero);
    return (n->gru ? ur_gru : ur_lstm)(t, &n->layer, x, zero);
}

static void stacks_of_one(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        net a = net_new(i & 1, true), b = net_new(i & 1, false);
        const char *who = i & 1 ? "gru" : "lstm";
        assert_int_equal(ur_params_count(a.params), 5);
        assert_true(ur_params_find(a.params, "rnn.weight_hh_l0") >= 0);
        same_floats("weights", who, ur_params_values(b.params), ur_params_values(a.params),
                    ur_params_size(a.params));
        const ur_rnn_out p = run(&a, i & 2), q = run(&b, i & 2);
        tape_fine(a.tape);
        tape_fine(b.tape);
        assert_int_equal(p.c_n != NULL, !a.gru);
        same_floats("y", who, ur_floats(q.y->values), ur_floats(p.y->values), ROWS * HIDDEN);
        same_floats("h_n", who, ur_floats(q.h_n), ur_floats(p.h_n), BATCH * HIDDEN);
        assert_int_equal(ur_backward(a.tape, ur_sum(a.tape, p.y->values)), UR_OK);
        assert_int_equal(ur_backward(b.tape, ur_sum(b.tape, q.y->values)), UR_OK);
        same_floats("gradient", who, b.gradient, a.gradient, ur_params_size(a.params));
        net_free(&a);
        net_free(&b);
    }
}

/* Sequence 1, a step at a time. */
static void single_steps(void **state)
{
    (void)state;
    for (int gru = 0; gru < 2; gru++) {
        net n = net_new(gru, true);
        const ur_rnn_out out = run(&n, false);
        ur_tape *t = tape_of(n.context);
        ur_tape_start(t, UR_INFER, n.params, NULL, 0, 0);
        ur_state s = {NULL, NULL};
        for (size_t step = 0; step < length[1]; step++) {
            const float *x = ur_param_data(n.params, 0) + ids[length[0] + step] * INPUT;
            ur_tensor *in = ur_copy_floats(t, 2, (size_t[]){1, INPUT}, x, false);
            s = (gru ? ur_gru_step : ur_lstm_step)(t, &n.layer, in, s);
            tape_fine(t);
            same_floats("h", gru ? "gru" : "lstm", ur_floats(s.h),
                        ur_floats(out.y->values) + ur_row(out.y->layout, 1, step) * HIDDEN, HIDDEN);
        }
        ur_tape_free(t);
        net_free(&n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stacks_of_one),
        cmocka_unit_test(single_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
