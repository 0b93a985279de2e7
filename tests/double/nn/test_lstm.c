/* test_lstm.c - the LSTM's gradients against differences: ragged batches with empty sequences, both
 * orders, with and without an initial state, through every output. */
#include "double/check.h"

enum { BATCH = 6, HIDDEN = 5, INPUT = 3 };

static const size_t ragged[BATCH] = {3, 0, 4, 1, 4, 2}, empty[BATCH] = {0};

enum { USE_Y = 1, USE_H = 2, USE_C = 4, STATE_H = 8, STATE_C = 16 };

static ur_tensor *add(ur_tape *t, ur_tensor *a, ur_tensor *b)
{
    return a ? ur_add(t, a, b) : b;
}

static ur_tensor *loss(ur_tape *t, void *user)
{
    const checked *c = user;
    const ur_layout *l = ur_new_layout(t, c->order, c->batch, c->length, NULL);
    ur_seq *x = NULL;
    if (c->length == empty)
        x = ur_seq_floats(t, l, INPUT, NULL, true);
    else
        x = seq_of(t, 4, l);
    const ur_state s = {c->variant & STATE_H ? ur_parameter(t, 5) : NULL,
                        c->variant & STATE_C ? ur_parameter(t, 6) : NULL};
    const ur_lstm_out out = ur_lstm(t, c->layer, x, s);
    ur_tensor *sum = NULL;
    if (ur_tape_status(t) != UR_OK)
        return NULL;
    if (c->variant & USE_Y)
        sum = add(t, sum, weigh(t, out.y->values, 1));
    if (c->variant & USE_H)
        sum = add(t, sum, weigh(t, out.h_n, 2));
    if (c->variant & USE_C)
        sum = add(t, sum, weigh(t, out.c_n, 3));
    return sum;
}

static void check(int variant, const size_t *length, ur_order order, size_t hidden, int threads)
{
    checked c = checked_new(threads);
    char name[64];
    size_t rows = 0;
    for (size_t b = 0; b < BATCH; b++)
        rows += length[b];
    const ur_lstm_layer layer = ur_lstm_add(c.params, "lstm", INPUT, hidden);
    c.layer = &layer;
    c.variant = variant;
    c.length = length;
    c.batch = BATCH;
    c.order = order;
    checked_input(&c, "x", rows ? rows : 1, INPUT);
    checked_input(&c, "h0", BATCH, hidden);
    checked_input(&c, "c0", BATCH, hidden);
    snprintf(name, sizeof name, "lstm, variant %d, order %d, hidden %zu", variant, (int)order,
             hidden);
    checked_run(&c, name, loss);
}

static void lstm(void **state)
{
    (void)state;
    static const int used[] = {USE_Y, USE_H, USE_C, USE_Y | USE_H | USE_C};
    for (int i = 0; i < 16; i++)
        check(used[i % 4] | (i / 4 * STATE_H), ragged, (ur_order)(i % 2), HIDDEN, 1 + i / 2 % 2);
    check(31, ragged, UR_STEP_MAJOR, HIDDEN, 2);
    check(31, ragged, UR_SEQUENCE_MAJOR, HIDDEN, 1);
    check(31, ragged, UR_STEP_MAJOR, 18, 2); /* more than a vector, not a multiple of one */
    check(31, ragged, UR_STEP_MAJOR, 1, 2);
    check(31, empty, UR_STEP_MAJOR, HIDDEN, 1); /* states pass through */
    check(USE_H | STATE_H, empty, UR_SEQUENCE_MAJOR, HIDDEN, 2);
}

/* Two steps by hand, states handed on. */
static ur_tensor *steps(ur_tape *t, void *user)
{
    const checked *c = user;
    ur_state s = {0};
    s = ur_lstm_step(t, c->layer, ur_parameter(t, 4), s);
    s = ur_lstm_step(t, c->layer, ur_parameter(t, 5), s);
    return s.h ? ur_add(t, weigh(t, s.h, 1), weigh(t, s.c, 2)) : NULL;
}

static void single_steps(void **state)
{
    (void)state;
    checked c = checked_new(1);
    const ur_lstm_layer layer = ur_lstm_add(c.params, "lstm", INPUT, HIDDEN);
    c.layer = &layer;
    checked_input(&c, "x of step 0", BATCH, INPUT);
    checked_input(&c, "x of step 1", BATCH, INPUT);
    checked_run(&c, "single steps", steps);
}

/* One layer used twice: gradients of shared weights add up. */
static ur_tensor *twice(ur_tape *t, void *user)
{
    const checked *c = user;
    const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, BATCH, ragged, NULL);
    const ur_lstm_out first = ur_lstm(t, c->layer, seq_of(t, 4, l), (ur_state){0});
    const ur_lstm_out second = ur_lstm(t, c->layer, first.y, (ur_state){first.h_n, first.c_n});
    return second.y ? weigh(t, second.y->values, 1) : NULL;
}

static void shared_weights(void **state)
{
    (void)state;
    checked c = checked_new(2);
    const ur_lstm_layer layer = ur_lstm_add(c.params, "lstm", INPUT, INPUT);
    c.layer = &layer;
    checked_input(&c, "x", 14, INPUT);
    checked_run(&c, "one layer twice", twice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lstm),
        cmocka_unit_test(single_steps),
        cmocka_unit_test(shared_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
