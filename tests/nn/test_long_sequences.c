/* test_long_sequences.c - a million steps: the same bits as a stream, memory for inputs and outputs and
 * no more, and a short sequence beside a long one. */
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

enum { INPUT = 1, HIDDEN = 8, MILLION = 1000000 };

typedef struct net {
    failing_alloc memory;
    ur_context *context;
    ur_params *params;
    ur_rnn_stack stack;
    ur_tape *tape;
} net;

static void net_open(net *n, const char *cell)
{
    const ur_rnn_config config = {.cell = cell, .input_size = INPUT, .hidden_size = HIDDEN};
    failing_alloc_init(&n->memory, 0, false);
    n->context = context_of(NULL, 1, &n->memory.hooks);
    assert_int_equal(ur_params_new(n->context, &n->params, NULL), UR_OK);
    assert_int_equal(ur_rnn_add(n->params, "", &config, &n->stack, NULL), UR_OK);
    assert_int_equal(ur_params_seal(n->params, NULL), UR_OK);
    ur_rnn_init(&n->stack, n->params, 3);
    ur_params_changed(n->params);
    n->tape = tape_of(n->context);
}

static void net_close(net *n)
{
    ur_tape_free(n->tape);
    ur_params_free(n->params);
    ur_context_free(n->context);
    assert_int_equal(n->memory.outstanding, 0);
}

/* Gates of all steps would take 160 to 192 MB; x, y and the layout take 44. */
static void a_million_steps(void **state)
{
    (void)state;
    static const char *const cells[] = {"gru", "lstm"};
    const size_t lengths[] = {5, hurry() ? MILLION / 10 : MILLION};
    float *x = made_up_floats(1, 5 + lengths[1], 1.0f);
    for (int i = 0; i < 2; i++) {
        net n;
        ur_stream *stream;
        float y[HIDDEN], kept[2 * HIDDEN];
        net_open(&n, cells[i]);
        ur_tape_start(n.tape, UR_INFER, n.params, NULL, 0, 0);
        const ur_layout *l = ur_new_layout(n.tape, UR_STEP_MAJOR, 2, lengths, NULL);
        const ur_rnn_out out = ur_rnn(n.tape, &n.stack, ur_seq_floats(n.tape, l, INPUT, x, false),
                                      (ur_state){NULL, NULL});
        tape_fine(n.tape);
        if (n.memory.bytes > (size_t)110 << 20)
            fail_msg("%s: %zu bytes", cells[i], (size_t)n.memory.bytes);
        assert_int_equal(ur_stream_new(n.context, n.params, &n.stack, 1, &stream, NULL), UR_OK);
        for (size_t b = 0; b < 2; b++) {
            ur_stream_reset(stream);
            for (size_t t = 0; t < lengths[b]; t++) {
                ur_stream_step(stream, x + (b ? 5 : 0) + t, y);
                if (t % 99991 == 0)
                    same_floats("y", cells[i], ur_floats(out.y->values) + ur_row(l, b, t) * HIDDEN,
                                y, HIDDEN);
            }
            ur_stream_state_save(stream, kept);
            same_floats("h_n", cells[i], ur_floats(out.h_n) + b * HIDDEN, kept, HIDDEN);
            if (out.c_n)
                same_floats("c_n", cells[i], ur_floats(out.c_n) + b * HIDDEN, kept + HIDDEN,
                            HIDDEN);
        }
        ur_stream_free(stream);
        net_close(&n);
    }
    free(x);
}

/* Back through a hundred thousand steps. */
static void backward_through_many_steps(void **state)
{
    (void)state;
    const size_t length = hurry() ? 10000 : 100000;
    float *x = made_up_floats(1, length, 1.0f);
    net n;
    net_open(&n, "lstm");
    float *gradient = calloc(ur_params_size(n.params), sizeof *gradient);
    ur_tape_start(n.tape, UR_TRAIN, n.params, gradient, 0, 0);
    const ur_layout *l = ur_new_layout(n.tape, UR_STEP_MAJOR, 1, &length, NULL);
    ur_seq *in = ur_seq_floats(n.tape, l, INPUT, x, true);
    const ur_rnn_out out = ur_rnn(n.tape, &n.stack, in, (ur_state){NULL, NULL});
    assert_int_equal(ur_backward(n.tape, ur_sum(n.tape, out.y ? out.y->values : NULL)), UR_OK);
    for (size_t t = 0; t < length; t++)
        assert_true(isfinite(in->values->grad[t]));
    assert_true(in->values->grad[0] != 0.0f);
    for (size_t i = 0; i < ur_params_count(n.params); i++) {
        const ur_param *p = ur_params_entry(n.params, i);
        assert_true(isfinite(gradient[p->offset]) && gradient[p->offset] != 0.0f);
    }
    free(gradient);
    free(x);
    net_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_steps),
        cmocka_unit_test(backward_through_many_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
