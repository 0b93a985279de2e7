/* test_rnn_errors.c - what recurrent stacks refuse, and how they say it; that a failed tape stays
 * failed; and memory: a steady state takes none, and each allocation may fail. */
#include "support/contexts.h"
#include "support/failing_alloc.h"
#include "unroll/nn.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void refused_options(void **state)
{
    (void)state;
    const struct {
        ur_rnn_config config;
        const char *says;
    } bad[] = {
        {{.cell = "elman", .input_size = 4, .hidden_size = 5, .num_layers = 1},
         "rnn: there is no cell \"elman\" (lstm, gru"},
        {{.input_size = 4, .hidden_size = 5, .num_layers = 1}, "rnn: there is no cell \"\""},
        {{.cell = "gru", .input_size = 0, .hidden_size = 5, .num_layers = 1},
         "gru: input size 0 and hidden size 5 must be at least 1"},
        {{.cell = "lstm", .input_size = 4, .hidden_size = 0, .num_layers = 1},
         "lstm: input size 4 and hidden size 0"},
        {{.cell = "lstm", .input_size = 4, .hidden_size = 5, .num_layers = 17},
         "lstm: 17 layers, 1 to 16 expected"},
        {{.cell = "gru", .input_size = 4, .hidden_size = 5, .proj_size = 3, .num_layers = 1},
         "gru: only an lstm has a projection"},
        {{.cell = "rnn_tanh", .input_size = 4, .hidden_size = 5, .proj_size = 3, .num_layers = 1},
         "rnn_tanh: only an lstm has a projection"},
        {{.cell = "lstm", .input_size = 4, .hidden_size = 5, .proj_size = 5, .num_layers = 1},
         "lstm: projection size 5 must be below hidden size 5"},
        {{.cell = "gru", .input_size = 4, .hidden_size = 5, .num_layers = 2, .dropout = -0.1f},
         "gru: drop-out -0.1"},
        {{.cell = "gru", .input_size = 4, .hidden_size = 5, .num_layers = 2, .dropout = 1.0f},
         "gru: drop-out 1, it must be in [0, 1)"},
        {{.cell = "gru", .input_size = 4, .hidden_size = 5, .num_layers = 2, .dropout = NAN},
         "it must be in [0, 1)"},
        {{.cell = "lstm", .input_size = 4, .hidden_size = 5, .num_layers = 1, .dropout = 0.5f},
         "lstm: drop-out acts between layers, and there is only one layer"},
        {{.cell = "lstm", .input_size = 4, .hidden_size = 5, .num_layers = 2, .average = true},
         "lstm: there is only one direction, nothing to average"},
    };
    ur_context *context = context_of(NULL, 1, NULL);
    ur_params *params;
    assert_int_equal(ur_params_new(context, &params, NULL), UR_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ur_rnn_stack stack;
        ur_err err = {UR_OK, ""};
        assert_int_equal(ur_rnn_add(params, "rnn", &bad[i].config, &stack, &err), UR_INVALID);
        assert_int_equal(err.status, UR_INVALID);
        if (!strstr(err.text, bad[i].says))
            fail_msg("\"%s\" lacks \"%s\"", err.text, bad[i].says);
        assert_int_equal(ur_rnn_add(params, "rnn", &bad[i].config, &stack, NULL), UR_INVALID);
        assert_int_equal(ur_rnn_check(&bad[i].config, NULL), UR_INVALID);
    }
    assert_int_equal(ur_params_count(params), 0); /* nothing was added on the way */
    const ur_rnn_config most = {.cell = "gru",
                                .input_size = 1,
                                .hidden_size = 2,
                                .num_layers = UR_MOST_LAYERS,
                                .bidirectional = true,
                                .dropout = 0.5f};
    ur_rnn_stack stack;
    assert_int_equal(ur_rnn_check(&most, NULL), UR_OK);
    assert_int_equal(ur_rnn_add(params, "most", &most, &stack, NULL), UR_OK);
    assert_int_equal(stack.count, 2 * UR_MOST_LAYERS);
    const ur_rnn_config least = {.cell = "lstm", .input_size = 1, .hidden_size = 2};
    assert_int_equal(ur_rnn_add(params, "least", &least, &stack, NULL), UR_OK);
    assert_int_equal(stack.count, 1);
    assert_int_equal(stack.config.num_layers, 1); /* filled in */
    ur_params_free(params);
    ur_context_free(context);
}

/* Sizes whose product overflows are told by the parameters. */
static void sizes_that_overflow(void **state)
{
    (void)state;
    const size_t sizes[] = {SIZE_MAX, SIZE_MAX / 2 + 1, SIZE_MAX / 3 + 1, SIZE_MAX / 4 + 1};
    ur_context *context = context_of(NULL, 1, NULL);
    for (size_t i = 0; i < 4; i++) {
        const ur_rnn_config config = {.cell = i % 2 ? "lstm" : "gru",
                                      .input_size = 3,
                                      .hidden_size = sizes[i],
                                      .num_layers = 2,
                                      .bidirectional = true};
        ur_params *params;
        ur_rnn_stack stack;
        ur_err err = {UR_OK, ""};
        assert_int_equal(ur_params_new(context, &params, NULL), UR_OK);
        ur_status status = ur_rnn_add(params, "rnn", &config, &stack, &err);
        if (status == UR_OK)
            status = ur_params_seal(params, &err);
        assert_int_not_equal(status, UR_OK);
        assert_true(err.text[0]);
        ur_params_free(params);
    }
    ur_context_free(context);
}

enum { BATCH = 3, INPUT = 4, HIDDEN = 5, ROWS = 8, SYMBOLS = 6 };
static const size_t length[BATCH] = {2, 5, 1};

typedef struct fixture {
    ur_context *context;
    ur_params *params;
    ur_embedding_layer embed;
    ur_rnn_stack gru, lstm; /* both ways, two layers; the second with a projection of 2 */
    ur_tape *tape;
} fixture;

static const ur_rnn_config gru_config = {.cell = "gru",
                                         .input_size = INPUT,
                                         .hidden_size = HIDDEN,
                                         .num_layers = 2,
                                         .bidirectional = true,
                                         .dropout = 0.2f};
static const ur_rnn_config lstm_config = {.cell = "lstm",
                                          .input_size = INPUT,
                                          .hidden_size = HIDDEN,
                                          .proj_size = 2,
                                          .num_layers = 2,
                                          .bidirectional = true,
                                          .average = true};

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->context = context_of(NULL, 2, NULL);
    assert_int_equal(ur_params_new(f->context, &f->params, NULL), UR_OK);
    f->embed = ur_embedding_add(f->params, "embed", SYMBOLS, INPUT);
    assert_int_equal(ur_rnn_add(f->params, "gru", &gru_config, &f->gru, NULL), UR_OK);
    assert_int_equal(ur_rnn_add(f->params, "lstm", &lstm_config, &f->lstm, NULL), UR_OK);
    assert_int_equal(ur_params_seal(f->params, NULL), UR_OK);
    f->tape = tape_of(f->context);
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

static ur_tensor *zeros(ur_tape *t, size_t n, size_t batch, size_t width)
{
    const size_t dim[] = {n, batch, width}; /* n 0: two dimensions */
    ur_tensor *x = ur_new_floats(t, n ? 3 : 2, n ? dim : dim + 1, false);
    if (x)
        memset(x->data, 0, ur_count(x) * sizeof(float));
    return x;
}

static ur_seq *rows(ur_tape *t, size_t features)
{
    static const float nothing[ROWS * 16] = {0.0f};
    return ur_seq_floats(t, ur_new_layout(t, UR_STEP_MAJOR, BATCH, length, NULL), features, nothing,
                         false);
}

static void nothing_came_out(ur_rnn_out out)
{
    assert_null(out.y);
    assert_null(out.h_n);
    assert_null(out.c_n);
}

static void refused_inputs(void **state)
{
    fixture *f = *state;
    ur_tape *t = f->tape;
    for (int i = 0; i < 12; i++) {
        static const int32_t ids[ROWS] = {0, 1, 2, 5, 4, 3, 6, 0}; /* 6 is one too many */
        const char *says = NULL;
        ur_rnn_out out = {NULL, NULL, NULL};
        ur_tape_start(t, UR_INFER, f->params, NULL, 0, 0);
        ur_state s = {NULL, NULL};
        const ur_rnn_stack *stack = &f->gru;
        size_t features = INPUT;
        bool embedded = false, step = false;
        switch (i) {
        case 0:
            features = 7;
            says = "gru_forward: input has 7 features, weight_ih_l0 wants 4 [x (8,7)]";
            break;
        case 1:
            s.h = zeros(t, 2, BATCH, HIDDEN);
            says = "rnn (gru): initial h is (2,3,5), (4,3,5) expected: layers times directions";
            break;
        case 2:
            s.h = zeros(t, 0, BATCH, HIDDEN);
            says = "rnn (gru): initial h is (3,5), (4,3,5) expected";
            break;
        case 3:
            s.h = zeros(t, 4, BATCH + 1, HIDDEN);
            says = "rnn (gru): initial h is (4,4,5), (4,3,5) expected";
            break;
        case 4:
            s.h = zeros(t, 4, BATCH, HIDDEN + 1);
            says = "rnn (gru): initial h is (4,3,6), (4,3,5) expected";
            break;
        case 5:
            s.c = zeros(t, 4, BATCH, HIDDEN);
            says = "rnn (gru): this cell has no c, but was given one";
            break;
        case 6:
            stack = &f->lstm;
            s.h = zeros(t, 4, BATCH, HIDDEN);
            says = "rnn (lstm): initial h is (4,3,5), (4,3,2) expected";
            break;
        case 7:
            stack = &f->lstm;
            s.c = zeros(t, 4, BATCH, 2);
            says = "rnn (lstm): initial c is (4,3,2), (4,3,5) expected";
            break;
        case 8:
            stack = &f->lstm;
            s.c = zeros(t, 3, BATCH, HIDDEN);
            says = "rnn (lstm): initial c is (3,3,5), (4,3,5) expected";
            break;
        case 9:
            embedded = true;
            says = "rnn_embedded: id 6 is not in [0, 6)";
            break;
        case 10:
            step = true;
            features = 3;
            says = "gru_forward: input has 3 features, weight_ih_l0 wants 4 [x (2,3)]";
            break;
        default:
            step = true;
            s.h = zeros(t, 0, 3, HIDDEN);
            says = "gru_forward: initial h is (3,5), (2,5) expected";
        }
        if (step) {
            const ur_state got =
                ur_cell_single_step(t, &stack->part[0], zeros(t, 0, 2, features), s);
            assert_null(got.h);
        } else if (embedded) {
            const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, BATCH, length, NULL);
            out = ur_rnn_embedded(t, stack, &f->embed, ur_seq_ints(t, l, ids), s);
        } else {
            out = ur_rnn(t, stack, rows(t, features), s);
        }
        nothing_came_out(out);
        tape_failed(t, UR_INVALID, says);
        /* and it stays so */
        nothing_came_out(ur_rnn(t, &f->lstm, rows(t, INPUT), (ur_state){NULL, NULL}));
        nothing_came_out(ur_rnn(t, &f->gru, NULL, (ur_state){NULL, NULL}));
        nothing_came_out(ur_rnn_embedded(t, &f->gru, &f->embed, NULL, (ur_state){NULL, NULL}));
        assert_null(ur_cell_single_step(t, &f->gru.part[0], NULL, (ur_state){NULL, NULL}).h);
        assert_null(ur_reverse(t, rows(t, INPUT)));
        assert_null(ur_pick(t, NULL, 0));
        tape_failed(t, UR_INVALID, says);
    }
}

static void refused_states(void **state)
{
    fixture *f = *state;
    ur_tape *t = f->tape;
    ur_tape_start(t, UR_INFER, f->params, NULL, 0, 0);
    assert_null(ur_pick(t, zeros(t, 2, 3, 4), 2));
    tape_failed(t, UR_INVALID, "pick: number 2 of (2,3,4)");
    ur_tape_start(t, UR_INFER, f->params, NULL, 0, 0);
    assert_null(ur_pick(t, zeros(t, 0, 3, 4), 0));
    tape_failed(t, UR_INVALID, "pick: operand (3,4) is of floats, floats of 3 dimensions");
    ur_tape_start(t, UR_INFER, f->params, NULL, 0, 0);
    ur_tensor *const two[] = {zeros(t, 0, 3, 4), zeros(t, 0, 3, 5)};
    assert_null(ur_stack(t, 2, two));
    tape_failed(t, UR_INVALID, "stack: (3,4) and (3,5) differ");
}

/* ---- memory ------------------------------------------------------------------------------- */

/* Both stacks forward and backward, over features and over ids. */
static ur_status forward_and_backward(ur_tape *t, const fixture *f, float *gradient)
{
    static const int32_t ids[ROWS] = {0, 1, 2, 5, 4, 3, 1, 0};
    ur_tape_start(t, UR_TRAIN, f->params, gradient, 1, 2);
    const ur_layout *l = ur_new_layout(t, UR_SEQUENCE_MAJOR, BATCH, length, NULL);
    const ur_state s = {zeros(t, 4, BATCH, HIDDEN), NULL};
    const ur_rnn_out a = ur_rnn(t, &f->gru, rows(t, INPUT), s);
    const ur_rnn_out b =
        ur_rnn_embedded(t, &f->lstm, &f->embed, ur_seq_ints(t, l, ids), (ur_state){NULL, NULL});
    ur_tensor *loss = ur_add(t, ur_sum(t, a.y ? a.y->values : NULL), ur_sum(t, b.c_n));
    return ur_backward(t, ur_add(t, loss, ur_sum(t, ur_pick(t, a.h_n, 1))));
}

static ur_status train(const ur_allocator *a, ur_err *err, void *arg)
{
    const ur_options options = {.allocator = a, .threads = *(const int *)arg};
    fixture f = {.context = NULL};
    float gradient[2048] = {0.0f};
    ur_status status = ur_context_new(&options, &f.context, err);
    if (status == UR_OK)
        status = ur_params_new(f.context, &f.params, err);
    if (status == UR_OK) {
        f.embed = ur_embedding_add(f.params, "embed", SYMBOLS, INPUT);
        status = ur_rnn_add(f.params, "gru", &gru_config, &f.gru, err);
    }
    if (status == UR_OK)
        status = ur_rnn_add(f.params, "lstm", &lstm_config, &f.lstm, err);
    if (status == UR_OK)
        status = ur_params_seal(f.params, err);
    if (status == UR_OK)
        status = ur_tape_new(f.context, &f.tape, err);
    if (status == UR_OK) {
        assert_true(ur_params_size(f.params) <= sizeof gradient / sizeof *gradient);
        ur_rnn_init(&f.gru, f.params, 1);
        ur_rnn_init(&f.lstm, f.params, 1);
        ur_params_changed(f.params);
        status = forward_and_backward(f.tape, &f, gradient);
        if (status != UR_OK) {
            err->status = ur_tape_status(f.tape);
            strncpy(err->text, ur_error(f.tape), sizeof err->text - 1);
        }
    }
    ur_tape_free(f.tape);
    ur_params_free(f.params);
    ur_context_free(f.context);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 2; threads++)
        assert_true(failing_alloc_sweep(train, &threads) > 10);
}

static void a_steady_state_takes_no_memory(void **state)
{
    (void)state;
    failing_alloc a;
    failing_alloc_init(&a, 0, false);
    const ur_options options = {.allocator = &a.hooks, .threads = 2};
    fixture f = {.context = NULL};
    float gradient[2048] = {0.0f};
    assert_int_equal(ur_context_new(&options, &f.context, NULL), UR_OK);
    assert_int_equal(ur_params_new(f.context, &f.params, NULL), UR_OK);
    f.embed = ur_embedding_add(f.params, "embed", SYMBOLS, INPUT);
    assert_int_equal(ur_rnn_add(f.params, "gru", &gru_config, &f.gru, NULL), UR_OK);
    assert_int_equal(ur_rnn_add(f.params, "lstm", &lstm_config, &f.lstm, NULL), UR_OK);
    assert_int_equal(ur_params_seal(f.params, NULL), UR_OK);
    f.tape = tape_of(f.context);
    for (int i = 0; i < 2; i++) /* the second has the tape's memory in one piece */
        assert_int_equal(forward_and_backward(f.tape, &f, gradient), UR_OK);
    const size_t calls = a.calls;
    for (int i = 0; i < 3; i++)
        assert_int_equal(forward_and_backward(f.tape, &f, gradient), UR_OK);
    assert_int_equal(a.calls, calls);
    ur_tape_free(f.tape);
    ur_params_free(f.params);
    ur_context_free(f.context);
    assert_int_equal(a.outstanding, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_options),
        cmocka_unit_test(sizes_that_overflow),
        cmocka_unit_test_setup_teardown(refused_inputs, setup, teardown),
        cmocka_unit_test_setup_teardown(refused_states, setup, teardown),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(a_steady_state_takes_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
