/* test_rnn.c - gradients of every recurrent cell and stack against differences: ragged batches with
 * empty sequences, both orders of rows, initial states, projection, two layers both ways, averaged
 * directions, no bias, drop-out between layers, embedded ids, single steps. */
#include "double/check.h"

#include <string.h>

enum { BATCH = 5, INPUT = 3, HIDDEN = 4, ROWS = 14, SYMBOLS = 5 };

static const size_t ragged[BATCH] = {3, 0, 5, 1, 5}, empty[BATCH] = {0};

/* What a run of the check adds to the plain case. */
enum { STATES = 1, EMBEDDED = 2, ONLY_LAST = 4, ONLY_Y = 8 };

typedef struct subject {
    ur_rnn_stack stack;
    ur_embedding_layer embed;
    int x, h0, c0; /* parameters; c0 -1: the cell has none */
} subject;

static ur_tensor *add(ur_tape *t, ur_tensor *a, ur_tensor *b)
{
    return a && b ? ur_add(t, a, b) : a ? a : b;
}

static ur_tensor *loss(ur_tape *t, void *user)
{
    const checked *c = user;
    const subject *s = c->layer;
    static const int32_t ids[ROWS] = {2, 0, 2, 1, 2, 2, 0, 4, 0, 1, 1, 2, 0, 2}; /* 3 never */
    const ur_layout *l = ur_new_layout(t, c->order, BATCH, c->length, NULL);
    ur_state initial = {NULL, NULL};
    if (c->variant & STATES)
        initial = (ur_state){ur_parameter(t, s->h0), s->c0 < 0 ? NULL : ur_parameter(t, s->c0)};
    ur_rnn_out out;
    if (c->variant & EMBEDDED)
        out = ur_rnn_embedded(t, &s->stack, &s->embed, ur_seq_ints(t, l, ids), initial);
    else if (c->length == empty)
        out = ur_rnn(t, &s->stack, ur_seq_floats(t, l, INPUT, NULL, true), initial);
    else
        out = ur_rnn(t, &s->stack, seq_of(t, s->x, l), initial);
    if (ur_tape_status(t) != UR_OK)
        return NULL;
    ur_tensor *sum = c->variant & ONLY_LAST ? NULL : weigh(t, out.y->values, 1);
    if (c->variant & ONLY_Y)
        return sum;
    sum = add(t, sum, weigh(t, out.h_n, 2));
    return out.c_n ? add(t, sum, weigh(t, out.c_n, 3)) : sum;
}

static void check(const ur_rnn_config *config, int variant, const size_t *length, ur_order order,
                  int threads)
{
    checked c = checked_new(threads);
    subject s = {.c0 = -1};
    ur_err err;
    char name[160];
    s.embed = ur_embedding_add(c.params, "embed", SYMBOLS, config->input_size);
    if (ur_rnn_add(c.params, "rnn", config, &s.stack, &err) != UR_OK)
        fail_msg("%s", err.text);
    s.x = checked_input(&c, "x", ROWS, config->input_size);
    const size_t width = config->proj_size ? config->proj_size : config->hidden_size;
    const size_t dim[] = {s.stack.count, BATCH, width};
    const size_t c_dim[] = {s.stack.count, BATCH, config->hidden_size};
    s.h0 = ur_params_add(c.params, "h0", 3, dim, UR_TRAINABLE);
    if (strcmp(config->cell, "lstm") == 0)
        s.c0 = ur_params_add(c.params, "c0", 3, c_dim, UR_TRAINABLE);
    c.layer = &s;
    c.variant = variant;
    c.length = length;
    c.batch = BATCH;
    c.order = order;
    snprintf(name, sizeof name,
             "%s, projection %zu, %zu layers, both ways %d, average %d, no bias %d, drop-out %g, "
             "variant %d, order %d",
             config->cell, config->proj_size, config->num_layers, config->bidirectional,
             config->average, config->no_bias, (double)config->dropout, variant, (int)order);
    checked_run(&c, name, loss);
}

/* One cell with every option. */
static void check_cell(const char *cell, size_t proj)
{
    const ur_rnn_config one = {.cell = cell,
                               .input_size = INPUT,
                               .hidden_size = HIDDEN,
                               .proj_size = proj,
                               .num_layers = 1};
    for (int variant = 0; variant < 12; variant++) /* one of y and the last states, or both */
        check(&one, variant, ragged, (ur_order)(variant % 2), 1 + variant / 2 % 2);
    check(&one, STATES, empty, UR_STEP_MAJOR, 1); /* states pass through */
    check(&one, STATES | ONLY_LAST, empty, UR_SEQUENCE_MAJOR, 2);

    ur_rnn_config c = one;
    c.no_bias = true;
    check(&c, STATES, ragged, UR_STEP_MAJOR, 2);
    check(&c, STATES | EMBEDDED, ragged, UR_STEP_MAJOR, 1);
    c = one;
    c.bidirectional = true;
    check(&c, STATES, ragged, UR_SEQUENCE_MAJOR, 2);
    check(&c, EMBEDDED | ONLY_Y, ragged, UR_STEP_MAJOR, 2);
    c.average = true;
    check(&c, 0, ragged, UR_STEP_MAJOR, 2);
    c.num_layers = 2;
    check(&c, STATES | EMBEDDED, ragged, UR_SEQUENCE_MAJOR, 2);
    c.average = false;
    check(&c, STATES, ragged, UR_STEP_MAJOR, 1);
    check(&c, STATES, empty, UR_STEP_MAJOR, 1);
    c.dropout = 0.3f;
    check(&c, STATES, ragged, UR_STEP_MAJOR, 2);
    check(&c, EMBEDDED, ragged, UR_SEQUENCE_MAJOR, 1);
    c.no_bias = c.average = true;
    check(&c, STATES, ragged, UR_SEQUENCE_MAJOR, 2);

    c = one; /* more than a vector, not a multiple of one */
    c.hidden_size = 18;
    check(&c, STATES, ragged, UR_STEP_MAJOR, 2);
    if (!proj) {
        c.hidden_size = 1;
        check(&c, STATES, ragged, UR_STEP_MAJOR, 2);
    }
}

static void rnn_tanh(void **state)
{
    (void)state;
    check_cell("rnn_tanh", 0);
}

static void rnn_relu(void **state)
{
    (void)state;
    check_cell("rnn_relu", 0);
}

static void lstm(void **state)
{
    (void)state;
    check_cell("lstm", 0);
}

static void lstm_projected(void **state)
{
    (void)state;
    check_cell("lstm", 3);
    check_cell("lstm", 1);
}

static void gru(void **state)
{
    (void)state;
    check_cell("gru", 0);
}

/* Two steps by hand, states handed on. */
static ur_tensor *steps(ur_tape *t, void *user)
{
    const checked *c = user;
    const subject *s = c->layer;
    ur_state state = {ur_parameter(t, s->h0), NULL};
    for (int i = 0; i < 2; i++)
        state = ur_cell_single_step(t, &s->stack.part[0], ur_parameter(t, s->x), state);
    ur_tensor *sum = weigh(t, state.h, 1);
    return state.c ? ur_add(t, sum, weigh(t, state.c, 2)) : sum;
}

static void single_steps(void **state)
{
    (void)state;
    static const char *const cells[] = {"rnn_tanh", "rnn_relu", "gru", "lstm", "lstm"};
    for (int i = 0; i < 5; i++) {
        const ur_rnn_config config = {.cell = cells[i],
                                      .input_size = INPUT,
                                      .hidden_size = HIDDEN,
                                      .proj_size = i == 4 ? 2 : 0,
                                      .num_layers = 1};
        checked c = checked_new(2);
        subject s = {.c0 = -1};
        assert_int_equal(ur_rnn_add(c.params, "rnn", &config, &s.stack, NULL), UR_OK);
        s.x = checked_input(&c, "x", BATCH, INPUT);
        s.h0 = checked_input(&c, "h0", BATCH, i == 4 ? 2 : HIDDEN);
        c.layer = &s;
        checked_run(&c, cells[i], steps);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rnn_tanh), cmocka_unit_test(rnn_relu),
        cmocka_unit_test(lstm),     cmocka_unit_test(lstm_projected),
        cmocka_unit_test(gru),      cmocka_unit_test(single_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
