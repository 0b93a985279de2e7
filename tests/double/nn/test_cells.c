/* test_cells.c - gradients of the cells that PyTorch lacks, and of every cell's options, against
 * differences: ragged batches with an empty sequence, with and without initial states and biases,
 * one layer and bidirectional stacks. */
#include "double/check.h"

enum { BATCH = 5, INPUT = 3 };

static const size_t ragged[BATCH] = {4, 0, 6, 1, 6};

static ur_tensor *loss(ur_tape *t, void *user)
{
    const checked *c = user;
    const ur_rnn_stack *stack = c->layer;
    const ur_layout *l = ur_new_layout(t, c->order, BATCH, ragged, NULL);
    const int x = (int)ur_params_count(c->params) - 3;
    const bool states = c->variant & 1, has_c = stack->config.cell[0] == 'l';
    ur_tensor *h[4], *cell[4];
    for (size_t i = 0; i < stack->count; i++) {
        h[i] = ur_parameter(t, x + 1);
        cell[i] = ur_parameter(t, x + 2);
    }
    const ur_state s = {states ? ur_stack(t, stack->count, h) : NULL,
                        states && has_c ? ur_stack(t, stack->count, cell) : NULL};
    const ur_rnn_out out = ur_rnn(t, stack, seq_of(t, x, l), s);
    if (ur_tape_status(t) != UR_OK)
        return NULL;
    ur_tensor *sum = weigh(t, out.y->values, 1);
    sum = ur_add(t, sum, weigh(t, out.h_n, 2));
    return has_c ? ur_add(t, sum, weigh(t, out.c_n, 3)) : sum;
}

static void check(const ur_rnn_config *options, int variant, size_t hidden)
{
    checked c = checked_new(1 + variant % 2);
    ur_rnn_config config = *options;
    ur_rnn_stack stack;
    char name[128];
    config.input_size = INPUT;
    config.hidden_size = hidden;
    config.num_layers = variant & 4 ? 2 : 1;
    config.bidirectional = variant & 4;
    config.no_bias = variant & 2;
    assert_int_equal(ur_rnn_add(c.params, "rnn", &config, &stack, NULL), UR_OK);
    c.layer = &stack;
    c.variant = variant;
    c.order = (ur_order)(variant % 2);
    checked_input(&c, "x", 17, INPUT);
    checked_input(&c, "h0", BATCH, hidden);
    checked_input(&c, "c0", BATCH, hidden);
    snprintf(name, sizeof name, "%s, variant %d, hidden %zu", config.cell, variant, hidden);
    checked_run(&c, name, loss);
}

static void cells(void **state)
{
    (void)state;
    static const char *const names[] = {"gru_original", "lstm_peephole", "lstm_layer_norm"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        for (int variant = 0; variant < 8; variant++)
            check(&(ur_rnn_config){.cell = names[i]}, variant, 4);
        check(&(ur_rnn_config){.cell = names[i]}, 1, 18); /* more than a vector */
        check(&(ur_rnn_config){.cell = names[i]}, 1, 1);
    }
}

static void options(void **state)
{
    (void)state;
    static const ur_rnn_config all[] = {
        {.cell = "lstm", .recurrent_dropout = 0.4f},
        {.cell = "lstm", .proj_size = 2, .recurrent_dropout = 0.4f},
        {.cell = "gru", .recurrent_dropout = 0.4f},
        {.cell = "rnn_tanh", .recurrent_dropout = 0.4f},
        {.cell = "gru_original", .recurrent_dropout = 0.4f},
        {.cell = "lstm", .zoneout_h = 0.3f},
        {.cell = "lstm", .zoneout_c = 0.3f},
        {.cell = "rnn_tanh", .zoneout_h = 0.3f, .recurrent_dropout = 0.2f},
        {.cell = "gru", .zoneout_h = 0.3f, .recurrent_dropout = 0.2f},
        {.cell = "gru_original", .zoneout_h = 0.3f, .recurrent_dropout = 0.2f},
        {.cell = "lstm_layer_norm",
         .zoneout_h = 0.3f,
         .zoneout_c = 0.3f,
         .recurrent_dropout = 0.2f},
        {.cell = "lstm_peephole", .zoneout_h = 0.3f, .zoneout_c = 0.3f, .recurrent_dropout = 0.2f},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (int variant = all[i].proj_size ? 2 : 0; variant < 8; variant += 3)
            if (!all[i].proj_size || !(variant & 1))
                check(&all[i], variant, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells),
        cmocka_unit_test(options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
