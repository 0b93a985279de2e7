/* test_every_c.c - the cell states of every step: those of single steps, byte for byte, in inference
 * and in training, in every layer and direction; asking for them changes nothing else. */
#include "support/contexts.h"
#include "unroll/nn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { BATCH = 4, INPUT = 3, HIDDEN = 19, ROWS = 12, MOST_STATES = 6 };
static const size_t length[BATCH] = {3, 0, 7, 2};

static const ur_rnn_config configs[] = {
    {.cell = "lstm"},
    {.cell = "lstm", .no_bias = true, .proj_size = 5},
    {.cell = "lstm_peephole"},
    {.cell = "lstm_layer_norm"},
    {.cell = "lstm", .zoneout_h = 0.2f, .zoneout_c = 0.4f},
    {.cell = "lstm_layer_norm", .zoneout_c = 0.4f, .recurrent_dropout = 0.3f},
};
enum { CONFIGS = sizeof configs / sizeof *configs };

typedef struct net {
    ur_context *context;
    ur_params *params;
    ur_rnn_stack stack;
    ur_tape *tape;
    float *gradient, *x, *h0, *c0;
    size_t width; /* of h */
} net;

static net net_new(int which, int threads, size_t layers, bool both)
{
    net n = {.context = context_of(NULL, threads, NULL)};
    ur_rnn_config config = configs[which];
    config.input_size = INPUT;
    config.hidden_size = HIDDEN;
    config.num_layers = layers;
    config.bidirectional = both;
    assert_int_equal(ur_params_new(n.context, &n.params, NULL), UR_OK);
    assert_int_equal(ur_rnn_add(n.params, "", &config, &n.stack, NULL), UR_OK);
    assert_int_equal(ur_params_seal(n.params, NULL), UR_OK);
    for (size_t i = 0; i < ur_params_size(n.params); i++)
        ur_params_values(n.params)[i] = made_up(1, i);
    ur_params_changed(n.params);
    n.width = config.proj_size ? config.proj_size : HIDDEN;
    n.tape = tape_of(n.context);
    n.gradient = calloc(ur_params_size(n.params), sizeof *n.gradient);
    n.x = made_up_floats(2, ROWS * INPUT, 2.0f);
    n.h0 = made_up_floats(3, n.stack.count * BATCH * n.width, 1.0f);
    n.c0 = made_up_floats(4, n.stack.count * BATCH * HIDDEN, 1.0f);
    return n;
}

static void net_free(net *n)
{
    ur_tape_free(n->tape);
    ur_params_free(n->params);
    ur_context_free(n->context);
    free(n->gradient);
    free(n->x);
    free(n->h0);
    free(n->c0);
}

typedef struct pass {
    ur_seq *x;
    ur_rnn_out out;
    ur_seq *cells[MOST_STATES];
} pass;

/* Over all sequences, with the cell states of every step or without. */
static pass run(const net *n, ur_mode mode, ur_order order, bool with_cells)
{
    pass p = {.x = NULL};
    ur_tape *t = n->tape;
    const size_t h_dim[] = {n->stack.count, BATCH, n->width}, c_dim[] = {h_dim[0], BATCH, HIDDEN};
    ur_tape_start(t, mode, n->params, mode == UR_TRAIN ? n->gradient : NULL, 5, 6);
    p.x = ur_seq_floats(t, ur_new_layout(t, order, BATCH, length, NULL), INPUT, n->x, true);
    const ur_state s = {ur_copy_floats(t, 3, h_dim, n->h0, false),
                        ur_copy_floats(t, 3, c_dim, n->c0, false)};
    p.out = with_cells ? ur_rnn_with_cells(t, &n->stack, p.x, s, p.cells)
                       : ur_rnn(t, &n->stack, p.x, s);
    tape_fine(t);
    return p;
}

static const float *c_at(const ur_seq *c, size_t b, size_t t)
{
    return ur_floats(c->values) + ur_row(c->layout, b, t) * HIDDEN;
}

/* One layer, one way, against steps of one sequence by hand; those are an inference. */
static void check_single_steps(int which, int threads, ur_mode mode, ur_order order)
{
    net n = net_new(which, threads, 1, false);
    ur_tape *t = tape_of(n.context);
    const pass p = run(&n, mode, order, true);
    assert_true(p.cells[0]->values->dim[0] == ROWS && p.cells[0]->values->dim[1] == HIDDEN);
    assert_int_equal(p.cells[0]->layout->order, order);
    const float *x = n.x;
    for (size_t b = 0; b < BATCH; b++) {
        ur_tape_start(t, UR_INFER, n.params, NULL, 0, 0);
        ur_state s = {ur_copy_floats(t, 2, (size_t[]){1, n.width}, n.h0 + b * n.width, false),
                      ur_copy_floats(t, 2, (size_t[]){1, HIDDEN}, n.c0 + b * HIDDEN, false)};
        for (size_t step = 0; step < length[b]; step++, x += INPUT) {
            s = ur_cell_single_step(t, &n.stack.part[0],
                                    ur_copy_floats(t, 2, (size_t[]){1, INPUT}, x, false), s);
            tape_fine(t);
            same_floats("c", configs[which].cell, ur_floats(s.c), c_at(p.cells[0], b, step),
                        HIDDEN);
        }
    }
    ur_tape_free(t);
    net_free(&n);
}

static void those_of_single_steps(void **state)
{
    (void)state;
    for (int which = 0; which < CONFIGS; which++)
        for (int threads = 1; threads <= 3; threads += 2) {
            const ur_rnn_config *c = &configs[which];
            const bool noise = c->zoneout_c > 0.0f || c->recurrent_dropout > 0.0f;
            check_single_steps(which, threads, UR_INFER, UR_STEP_MAJOR);
            check_single_steps(which, threads, UR_INFER, UR_SEQUENCE_MAJOR);
            if (!noise)
                check_single_steps(which, threads, UR_TRAIN, UR_STEP_MAJOR);
        }
}

/* In a deep stack: the ends are c_n, and a forward layer's c after t steps is the c_n of sequences
 * that end there. */
static void every_layer_and_direction(void **state)
{
    (void)state;
    for (int which = 0; which < CONFIGS; which++)
        for (int i = 0; i < 8; i++) {
            const ur_mode mode = i & 1 ? UR_TRAIN : UR_INFER;
            net n = net_new(which, 1 + i / 4, 3, i & 2);
            const pass p = run(&n, mode, i & 4 ? UR_SEQUENCE_MAJOR : UR_STEP_MAJOR, true);
            const size_t ways = i & 2 ? 2 : 1;
            for (size_t k = 0; k < n.stack.count; k++)
                for (size_t b = 0; b < BATCH; b++) {
                    const float *c_n = ur_floats(p.out.c_n) + (k * BATCH + b) * HIDDEN;
                    const size_t last = k % ways ? 0 : length[b] - 1;
                    same_floats("c_n", configs[which].cell, c_n,
                                length[b] ? c_at(p.cells[k], b, last)
                                          : n.c0 + (k * BATCH + b) * HIDDEN,
                                HIDDEN);
                }
            net_free(&n);
        }
}

static void a_stack_cut_short(void **state)
{
    (void)state;
    net n = net_new(0, 2, 3, false);
    const pass p = run(&n, UR_INFER, UR_STEP_MAJOR, true);
    ur_tape *t = tape_of(n.context);
    for (size_t steps = 1; steps <= 7; steps++) {
        ur_tape_start(t, UR_INFER, n.params, NULL, 0, 0);
        const size_t dim[] = {3, 1, HIDDEN};
        ur_tensor *h = ur_new_floats(t, 3, dim, false), *c = ur_new_floats(t, 3, dim, false);
        for (size_t k = 0; k < 3; k++) {
            memcpy(ur_floats(h) + k * HIDDEN, n.h0 + (k * BATCH + 2) * HIDDEN,
                   HIDDEN * sizeof(float));
            memcpy(ur_floats(c) + k * HIDDEN, n.c0 + (k * BATCH + 2) * HIDDEN,
                   HIDDEN * sizeof(float));
        }
        const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, 1, &steps, NULL);
        ur_seq *x = ur_seq_floats(t, l, INPUT, n.x + 3 * INPUT, false);
        const ur_rnn_out out = ur_rnn(t, &n.stack, x, (ur_state){h, c});
        tape_fine(t);
        for (size_t k = 0; k < 3; k++)
            same_floats("c", "cut short", ur_floats(out.c_n) + k * HIDDEN,
                        c_at(p.cells[k], 2, steps - 1), HIDDEN);
    }
    ur_tape_free(t);
    net_free(&n);
}

/* Outputs and gradients do not depend on whether the cell states were asked for. */
static void asking_changes_nothing(void **state)
{
    (void)state;
    for (int which = 0; which < CONFIGS; which++) {
        net a = net_new(which, 2, 2, true), b = net_new(which, 2, 2, true);
        net *const both[] = {&a, &b};
        pass p[2];
        for (int i = 0; i < 2; i++) {
            ur_tape *t = both[i]->tape;
            p[i] = run(both[i], UR_TRAIN, UR_STEP_MAJOR, i == 1);
            ur_tensor *sum = ur_add(t, ur_sum(t, ur_mul(t, p[i].out.y->values, p[i].out.y->values)),
                                    ur_sum(t, p[i].out.c_n));
            assert_int_equal(ur_backward(t, sum), UR_OK);
        }
        same_floats("y", configs[which].cell, ur_floats(p[0].out.y->values),
                    ur_floats(p[1].out.y->values), ur_count(p[0].out.y->values));
        same_floats("c_n", configs[which].cell, ur_floats(p[0].out.c_n), ur_floats(p[1].out.c_n),
                    ur_count(p[0].out.c_n));
        same_floats("dx", configs[which].cell, p[0].x->values->grad, p[1].x->values->grad,
                    ROWS * INPUT);
        same_floats("dw", configs[which].cell, a.gradient, b.gradient, ur_params_size(a.params));
        net_free(&a);
        net_free(&b);
    }
}

static void a_cell_without_c(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    ur_params *params;
    ur_rnn_stack stack;
    ur_seq some, *cells[2] = {&some, &some};
    const ur_rnn_config config = {
        .cell = "gru", .input_size = INPUT, .hidden_size = HIDDEN, .bidirectional = true};
    assert_int_equal(ur_params_new(context, &params, NULL), UR_OK);
    assert_int_equal(ur_rnn_add(params, "", &config, &stack, NULL), UR_OK);
    assert_int_equal(ur_params_seal(params, NULL), UR_OK);
    ur_tape *t = tape_of(context);
    ur_tape_start(t, UR_INFER, params, NULL, 0, 0);
    const float zeros[ROWS * INPUT] = {0};
    const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, BATCH, length, NULL);
    const ur_rnn_out out = ur_rnn_with_cells(t, &stack, ur_seq_floats(t, l, INPUT, zeros, false),
                                             (ur_state){0}, cells);
    assert_true(!out.y && !out.h_n && !cells[0] && !cells[1]);
    tape_failed(t, UR_INVALID, "gru: the cell states of every step, but this cell has none");
    ur_tape_free(t);
    ur_params_free(params);
    ur_context_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_of_single_steps), cmocka_unit_test(every_layer_and_direction),
        cmocka_unit_test(a_stack_cut_short),     cmocka_unit_test(asking_changes_nothing),
        cmocka_unit_test(a_cell_without_c),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
