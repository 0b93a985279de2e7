/* test_cells.c - gradients of the cells that PyTorch lacks, and of every cell's options, against
 * differences: ragged batches with an empty sequence, with and without initial states and biases,
 * one layer and bidirectional stacks, the cell states of every step. */
#include "double/check.h"

enum { BATCH = 5, INPUT = 3 };

/* A variant's bits. */
enum { STATES = 1, NO_BIAS = 2, DEEP = 4, EVERY_C = 8 };

static const size_t ragged[BATCH] = {4, 0, 6, 1, 6};

static ur_tensor *loss(ur_tape *t, void *user)
{
    const checked *c = user;
    const ur_rnn_stack *stack = c->layer;
    const ur_layout *l = ur_new_layout(t, c->order, BATCH, ragged, NULL);
    const int x = (int)ur_params_count(c->params) - 3;
    const bool states = c->variant & STATES, has_c = stack->config.cell[0] == 'l';
    ur_tensor *h[4], *cell[4];
    for (size_t i = 0; i < stack->count; i++) {
        h[i] = ur_parameter(t, x + 1);
        cell[i] = ur_parameter(t, x + 2);
    }
    const ur_state s = {states ? ur_stack(t, stack->count, h) : NULL,
                        states && has_c ? ur_stack(t, stack->count, cell) : NULL};
    ur_seq *every_c[4] = {NULL};
    const ur_rnn_out out = c->variant & EVERY_C
                               ? ur_rnn_with_cells(t, stack, seq_of(t, x, l), s, every_c)
                               : ur_rnn(t, stack, seq_of(t, x, l), s);
    if (ur_tape_status(t) != UR_OK)
        return NULL;
    ur_tensor *sum = weigh(t, out.y->values, 1);
    sum = ur_add(t, sum, weigh(t, out.h_n, 2));
    for (size_t i = 0; i < stack->count && every_c[i]; i++)
        sum = ur_add(t, sum, weigh(t, every_c[i]->values, 4 + i));
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
    config.num_layers = variant & DEEP ? 2 : 1;
    config.bidirectional = variant & DEEP;
    config.average = config.average && config.bidirectional;
    config.dropout = variant & DEEP ? config.dropout : 0.0f;
    config.no_bias = variant & NO_BIAS;
    assert_int_equal(ur_rnn_add(c.params, "rnn", &config, &stack, NULL), UR_OK);
    c.layer = &stack;
    c.variant = variant;
    c.order = (ur_order)(variant % 2);
    checked_input(&c, "x", 17, INPUT);
    checked_input(&c, "h0", BATCH, hidden);
    checked_input(&c, "c0", BATCH, hidden);
    snprintf(name, sizeof name,
             "%s, recurrent drop-out %g, zoneout %g and %g, variant %d, hidden %zu", config.cell,
             (double)config.recurrent_dropout, (double)config.zoneout_h, (double)config.zoneout_c,
             variant, hidden);
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

/* Every cell with each kind of noise, and with all of them at once. */
static void options(void **state)
{
    (void)state;
    static const char *const names[] = {
        "rnn_tanh", "rnn_relu", "gru", "lstm", "gru_original", "lstm_peephole", "lstm_layer_norm"};
    static const ur_rnn_config all[] = {
        {.recurrent_dropout = 0.4f},
        {.zoneout_h = 0.3f},
        {.zoneout_c = 0.3f},
        {.zoneout_h = 0.3f, .recurrent_dropout = 0.2f, .average = true, .dropout = 0.2f},
        {.zoneout_h = 0.3f, .zoneout_c = 0.4f, .recurrent_dropout = 0.2f},
    };
    for (size_t n = 0; n < sizeof names / sizeof *names; n++)
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
            ur_rnn_config config = all[i];
            config.cell = names[n];
            if (config.zoneout_c > 0.0f && names[n][0] != 'l')
                continue;
            check(&config, STATES, 3);
            check(&config, n % 2 ? DEEP : DEEP | NO_BIAS, 3);
        }
}

static void projected(void **state)
{
    (void)state;
    const ur_rnn_config config = {.cell = "lstm", .proj_size = 2, .recurrent_dropout = 0.4f};
    check(&config, NO_BIAS, 4);
    check(&config, DEEP, 4);
    check(&config, DEEP | NO_BIAS | EVERY_C, 4);
}

static void the_cell_states_of_every_step(void **state)
{
    (void)state;
    static const ur_rnn_config all[] = {
        {.cell = "lstm"},
        {.cell = "lstm_peephole"},
        {.cell = "lstm_layer_norm"},
        {.cell = "lstm", .zoneout_c = 0.3f},
        {.cell = "lstm_layer_norm", .zoneout_h = 0.2f, .zoneout_c = 0.3f},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        check(&all[i], EVERY_C, 4);
        check(&all[i], EVERY_C | STATES | NO_BIAS, 4);
        check(&all[i], EVERY_C | DEEP, 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells),
        cmocka_unit_test(options),
        cmocka_unit_test(projected),
        cmocka_unit_test(the_cell_states_of_every_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
