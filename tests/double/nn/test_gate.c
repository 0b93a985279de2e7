/* test_gate.c - gradients through an LSTM's output gate as an output of its own, alone and beside h and
 * c, and through sequences' last steps, against differences. */
#include "double/check.h"
#include "nn/nn.h"

enum { BATCH = 5, INPUT = 3 };

static const size_t ragged[BATCH] = {4, 0, 6, 1, 6};

static ur_tensor *loss(ur_tape *t, void *user)
{
    const checked *c = user;
    const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, BATCH, ragged, NULL);
    const int x = (int)ur_params_count(c->params) - 3;
    const ur_state s = {ur_parameter(t, x + 1), ur_parameter(t, x + 2)};
    const ur_gate_out o = ur_cell_with_gate(t, c->layer, seq_of(t, x, l), s);
    if (ur_tape_status(t) != UR_OK)
        return NULL;
    ur_tensor *sum =
        c->variant & 1 ? weigh(t, ur_last_steps(t, o.gate), 1) : weigh(t, o.gate->values, 2);
    if (c->variant & 2)
        sum = ur_add(t, sum, weigh(t, o.out.y->values, 3));
    if (c->variant & 4) {
        sum = ur_add(t, sum, weigh(t, ur_last_steps(t, o.out.y), 4));
        sum = ur_add(t, sum, weigh(t, o.out.c_n, 5));
    }
    return sum;
}

static void gate(void **state)
{
    (void)state;
    for (int variant = 0; variant < 8; variant++) {
        const size_t hidden = variant == 3 ? 18 : 4; /* more than a vector, once */
        checked c = checked_new(1 + variant % 2);
        char name[64];
        const ur_lstm_layer layer = ur_lstm_add(c.params, "lstm", INPUT, hidden);
        c.layer = &layer;
        c.variant = variant;
        checked_input(&c, "x", 17, INPUT);
        checked_input(&c, "h0", BATCH, hidden);
        checked_input(&c, "c0", BATCH, hidden);
        snprintf(name, sizeof name, "gate, variant %d", variant);
        checked_run(&c, name, loss);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(gate)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
