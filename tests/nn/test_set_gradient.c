/* test_set_gradient.c - a gradient vector that may hold anything beforehand: backward sets all of it, to
 * the bytes that it adds to zeros; and what is frozen gets zeros, and changes no other gradient. */
#include "support/contexts.h"
#include "tape/tape.h"
#include "unroll/nn.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { BATCH = 3, WIDTH = 12, SYMBOLS = 7, ROWS = 8 };
static const size_t length[BATCH] = {2, 5, 1}, one_step[BATCH] = {1, 1, 1}, empty[BATCH];
static const int32_t ids[ROWS] = {3, 1, 0, 4, 4, 2, 1, 6}, targets[ROWS] = {1, 0, 4, 4, 2, 1, 6, 5};

typedef struct net {
    ur_params *params;
    ur_embedding_layer embed;
    ur_linear_layer between, output, unused;
    ur_rnn_stack rnn, second;
    int factor;
} net;

static net net_new(ur_context *context, const ur_rnn_config *config)
{
    net n;
    const ur_rnn_config plain = {.cell = "gru", .input_size = WIDTH, .hidden_size = WIDTH};
    assert_int_equal(ur_params_new(context, &n.params, NULL), UR_OK);
    n.unused = ur_linear_add(n.params, "unused", 5, 3, true); /* 3: a gap of 13 follows */
    n.embed = ur_embedding_add(n.params, "embed", SYMBOLS, WIDTH);
    assert_int_equal(ur_rnn_add(n.params, "rnn", config, &n.rnn, NULL), UR_OK);
    assert_int_equal(ur_rnn_add(n.params, "second", &plain, &n.second, NULL), UR_OK);
    n.between = ur_linear_add(n.params, "between", ur_rnn_width(&n.rnn), WIDTH, true);
    n.output = ur_linear_add_tied(n.params, "output", &n.embed, true);
    n.factor = ur_params_add(n.params, "factor", 2, (size_t[]){ROWS, WIDTH}, UR_TRAINABLE);
    ur_params_add(n.params, "constant", 1, (size_t[]){5}, 0);
    assert_int_equal(ur_params_seal(n.params, NULL), UR_OK);
    float *w = ur_params_values(n.params);
    for (size_t i = 0; i < ur_params_size(n.params); i++)
        w[i] = 0.3f * made_up(3, i);
    ur_params_changed(n.params);
    return n;
}

/* Symbols -> embedding -> the stack -> linear -> times a parameter -> the embedding's transpose. */
static ur_tensor *sentence(ur_tape *t, const net *n, const size_t *lengths, bool looked_up)
{
    const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, BATCH, lengths, NULL);
    const ur_seq *in = ur_seq_ints(t, l, ids);
    const ur_state zero = {NULL, NULL};
    const ur_rnn_out out = looked_up ? ur_rnn_embedded(t, &n->rnn, &n->embed, in, zero)
                                     : ur_rnn(t, &n->rnn, ur_embedding(t, &n->embed, in), zero);
    ur_seq *y = ur_linear_seq(t, &n->between, out.y);
    if (l->rows == ROWS)
        y = ur_seq_new(t, ur_mul(t, y->values, ur_parameter(t, n->factor)), l);
    return ur_cross_entropy(t, ur_linear_seq(t, &n->output, y), ur_seq_ints(t, l, targets), 1.0);
}

/* An initial state before more than one step, one-hot inputs, a tensor times itself. */
static ur_tensor *from_a_state(ur_tape *t, const net *n)
{
    const ur_layout *one = ur_new_layout(t, UR_STEP_MAJOR, BATCH, one_step, NULL);
    const ur_layout *more = ur_new_layout(t, UR_STEP_MAJOR, BATCH, length, NULL);
    ur_tensor *x = ur_embedding(t, &n->embed, ur_seq_ints(t, one, ids))->values;
    const ur_rnn_out out = ur_rnn_one_hot(t, &n->second, ur_seq_ints(t, more, ids),
                                          (ur_state){.h = ur_stack(t, 1, &x)});
    return ur_sum(t, ur_add(t, ur_matmul_t(t, x, x),
                            ur_matmul_t(t, ur_pick(t, out.h_n, 0), ur_last_steps(t, out.y))));
}

static ur_tensor *loss_of(ur_tape *t, const net *n, int what)
{
    static const size_t *const lengths[] = {length, length, one_step, empty};
    return what < 4 ? sentence(t, n, lengths[what], what == 1) : from_a_state(t, n);
}

static void backward(ur_tape *t, const net *n, int what, float *gradient, bool set)
{
    for (size_t i = 0; i < ur_params_size(n->params); i++)
        gradient[i] = set ? NAN : 0.0f;
    ur_tape_start(t, UR_TRAIN, n->params, gradient, 5, 6);
    if (set)
        ur_tape_set_gradient(t);
    ur_backward(t, loss_of(t, n, what));
    tape_fine(t);
}

static const ur_rnn_config configs[] = {
    {.cell = "lstm", .proj_size = 4, .bidirectional = true, .num_layers = 2},
    {.cell = "gru_original", .recurrent_dropout = 0.3f},
    {.cell = "lstm_layer_norm"},
    {.cell = "lstm_peephole"},
    {.cell = "gru", .no_bias = true, .zoneout_h = 0.2f}};
enum { CONFIGS = sizeof configs / sizeof *configs, LOSSES = 5 };

static net net_of(ur_context *context, size_t i)
{
    ur_rnn_config config = configs[i];
    config.input_size = WIDTH;
    config.hidden_size = 9;
    return net_new(context, &config);
}

static void sets_what_it_adds_to_zeros(void **state)
{
    (void)state;
    contexts all = contexts_new();
    for (int c = 0; c < all.count; c++)
        for (size_t i = 0; i < CONFIGS; i++) {
            const net n = net_of(all.at[c], i);
            ur_tape *t = tape_of(all.at[c]);
            const size_t size = ur_params_size(n.params);
            float *added = calloc(size, sizeof *added), *set = calloc(size, sizeof *set);
            for (int what = 0; what < LOSSES; what++) {
                backward(t, &n, what, added, false);
                backward(t, &n, what, set, true);
                same_floats("gradient", all.name[c], added, set, size);
            }
            free(added);
            free(set);
            ur_tape_free(t);
            ur_params_free(n.params);
        }
    contexts_free(&all);
}

/* One parameter after the other, then all of a stack. */
static void frozen_parameters(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    for (size_t i = 0; i < CONFIGS; i++) {
        const net n = net_of(context, i);
        ur_tape *t = tape_of(context);
        const size_t size = ur_params_size(n.params);
        float *want = calloc(size, sizeof *want), *got = calloc(size, sizeof *got);
        for (int what = 0; what < LOSSES; what++)
            for (size_t p = 0; p <= ur_params_count(n.params); p++) {
                const bool one = p < ur_params_count(n.params);
                const char *name = one ? ur_params_entry(n.params, p)->name : "rnn.*";
                if (one && !(ur_params_entry(n.params, p)->flags & UR_TRAINABLE))
                    continue;
                backward(t, &n, what, want, true);
                assert_true(ur_params_set_flags(n.params, name, UR_TRAINABLE, false) > 0);
                for (size_t q = 0; q < ur_params_count(n.params); q++) {
                    const ur_param *e = ur_params_entry(n.params, q);
                    if (!(e->flags & UR_TRAINABLE))
                        memset(want + e->offset, 0, e->count * sizeof *want);
                }
                backward(t, &n, what, got, true);
                same_floats("gradient beside", name, want, got, size);
                ur_params_set_flags(n.params, name, UR_TRAINABLE, true);
            }
        free(want);
        free(got);
        ur_tape_free(t);
        ur_params_free(n.params);
    }
    ur_context_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sets_what_it_adds_to_zeros),
                                       cmocka_unit_test(frozen_parameters)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
