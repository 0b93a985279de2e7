/* test_rnn.c - the recurrent family against PyTorch: every cell with one layer and three, one way and
 * both ways, with and without biases and projection, full and ragged batches with an empty sequence;
 * an LSTM written out by hand; and large layers over packed batches. */
#include "nn/golden_rnn.h"
#include "support/slow.h"

static void rnn_tanh(void **state)
{
    (void)state;
    check_family("rnn_tanh", "rnn_tanh", 0);
}

static void rnn_relu(void **state)
{
    (void)state;
    check_family("rnn_relu", "rnn_relu", 0);
}

static void lstm(void **state)
{
    (void)state;
    check_family("rnn_lstm", "lstm", 0);
}

static void lstm_projected(void **state)
{
    (void)state;
    check_family("rnn_lstm_projected", "lstm", 2);
}

static void gru(void **state)
{
    (void)state;
    check_family("rnn_gru", "gru", 0);
}

/* Batch 2, 3 steps, from given states. */
static void lstm_by_hand(void **state)
{
    (void)state;
    golden g = golden_open("rnn_lstm_by_hand");
    ur_rnn_config config = {.cell = "lstm", .input_size = 4, .hidden_size = 5, .num_layers = 1};
    check_case(&g, "plain", &config, UR_STEP_MAJOR);
    config.proj_size = 3;
    check_case(&g, "projected", &config, UR_SEQUENCE_MAJOR);
    golden_close(&g);
}

/* The names that PyTorch's state_dict would have, in its order. */
static void parameter_names(void **state)
{
    (void)state;
    static const char *const names[] = {
        "rnn.weight_ih_l0",         "rnn.weight_hh_l0",         "rnn.bias_ih_l0",
        "rnn.bias_hh_l0",           "rnn.weight_hr_l0",         "rnn.weight_ih_l0_reverse",
        "rnn.weight_hh_l0_reverse", "rnn.bias_ih_l0_reverse",   "rnn.bias_hh_l0_reverse",
        "rnn.weight_hr_l0_reverse", "rnn.weight_ih_l1",         "rnn.weight_hh_l1",
        "rnn.bias_ih_l1",           "rnn.bias_hh_l1",           "rnn.weight_hr_l1",
        "rnn.weight_ih_l1_reverse", "rnn.weight_hh_l1_reverse", "rnn.bias_ih_l1_reverse",
        "rnn.bias_hh_l1_reverse",   "rnn.weight_hr_l1_reverse"};
    static const size_t dims[5][2] = {{20, 4}, {20, 3}, {20, 0}, {20, 0}, {3, 5}};
    const ur_rnn_config config = {.cell = "lstm",
                                  .input_size = 4,
                                  .hidden_size = 5,
                                  .proj_size = 3,
                                  .num_layers = 2,
                                  .bidirectional = true};
    ur_context *context = context_of(NULL, 1, NULL);
    ur_params *params;
    ur_rnn_stack stack;
    assert_int_equal(ur_params_new(context, &params, NULL), UR_OK);
    assert_int_equal(ur_rnn_add(params, "rnn", &config, &stack, NULL), UR_OK);
    assert_int_equal(ur_params_seal(params, NULL), UR_OK);
    assert_int_equal(ur_params_count(params), 20);
    for (size_t i = 0; i < 20; i++) {
        const ur_param *p = ur_params_entry(params, i);
        assert_string_equal(p->name, names[i]);
        assert_int_equal(p->dim[0], dims[i % 5][0]);
        if (p->ndim > 1)
            assert_int_equal(p->dim[1], i >= 10 && i % 5 == 0 ? 6 : dims[i % 5][1]);
        assert_int_equal(p->ndim, dims[i % 5][1] ? 2 : 1);
    }
    ur_params_free(params);
    ur_context_free(context);
}

/* ---- packed batches ----------------------------------------------------------------------- */

enum { STRIDE = 61, VOCABULARY = 100, EMBEDDING = 256, WIDE = 512, BATCH = 10, STEPS = 20 };

/* (n, width) against every STRIDE-th feature of them and the sum of all magnitudes. */
static void compare_digest(golden *g, const char *tensor, const char *which, const float *x,
                           size_t n, size_t width)
{
    char name[96];
    const size_t kept = (width + STRIDE - 1) / STRIDE;
    float *some = golden_take(g, n * kept * sizeof *some);
    double total = 0.0;
    for (size_t i = 0; i < n * width; i++) {
        total += fabs((double)x[i]);
        if (i % width % STRIDE == 0)
            some[i / width * kept + i % width / STRIDE] = x[i];
    }
    snprintf(name, sizeof name, "%s.%s", tensor, which);
    assert_int_equal(golden_dim(g, name, 2), kept);
    golden_compare(g, name, some, FORWARD_BOUND);
    snprintf(name, sizeof name, "sum.%s.%s", tensor, which);
    golden_compare(g, name, &(float){(float)total}, FORWARD_BOUND);
}

static void fill(ur_params *params, uint64_t seed, int index, float scale)
{
    for (size_t i = 0; i < ur_params_entry(params, (size_t)index)->count; i++)
        ur_param_values(params, index)[i] = made_up(seed, i) * scale;
}

static void packed_case(golden *g, const char *cell, bool large, bool packed)
{
    const ur_rnn_config config = {.cell = cell,
                                  .input_size = EMBEDDING,
                                  .hidden_size = WIDE,
                                  .num_layers = large ? 2 : 1,
                                  .bidirectional = large};
    char which[64];
    snprintf(which, sizeof which, "%s_%s_%s", cell, large ? "2both" : "1one",
             packed ? "packed" : "whole");
    ur_context *context = context_of(NULL, 2, NULL);
    ur_params *params;
    ur_rnn_stack stack;
    assert_int_equal(ur_params_new(context, &params, NULL), UR_OK);
    const ur_embedding_layer embed = ur_embedding_add(params, "embed", VOCABULARY, EMBEDDING);
    assert_int_equal(ur_rnn_add(params, "rnn", &config, &stack, NULL), UR_OK);
    assert_int_equal(ur_params_seal(params, NULL), UR_OK);
    fill(params, 0, 0, 2.0f);
    for (size_t k = 1; k < ur_params_count(params); k++)
        fill(params, k, (int)k, 0.0625f);
    ur_params_changed(params);

    const int32_t *all = golden_ints(g, "ids", NULL);
    size_t *length = golden_lengths(g, "lengths", NULL), rows = 0;
    int32_t ids[BATCH * STEPS];
    for (size_t b = 0; b < BATCH; b++) {
        length[b] = packed ? length[b] : STEPS;
        memcpy(ids + rows, all + b * STEPS, length[b] * sizeof *ids);
        rows += length[b];
    }
    ur_tape *t = tape_of(context);
    const size_t width = ur_rnn_width(&stack);
    for (int way = 0; way < 2; way++) { /* embedded first, and both in one */
        ur_tape_start(t, UR_INFER, params, NULL, 0, 0);
        const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, BATCH, length, NULL);
        const ur_seq *in = ur_seq_ints(t, l, ids);
        const ur_state zero = {NULL, NULL};
        const ur_rnn_out out = way ? ur_rnn_embedded(t, &stack, &embed, in, zero)
                                   : ur_rnn(t, &stack, ur_embedding(t, &embed, in), zero);
        tape_fine(t);
        assert_int_equal(width, large ? 1024 : 512);
        assert_int_equal(out.h_n->dim[0], large ? 4 : 1);
        assert_int_equal(out.h_n->dim[1], BATCH);
        assert_int_equal(out.h_n->dim[2], WIDE);
        const ur_tensor *y = ur_to_padded(t, out.y, STEPS, 0.0, false);
        tape_fine(t);
        compare_digest(g, "y", which, ur_floats(y), STEPS * BATCH, width);
        compare_digest(g, "h_n", which, ur_floats(out.h_n), stack.count * BATCH, WIDE);
        if (out.c_n)
            compare_digest(g, "c_n", which, ur_floats(out.c_n), stack.count * BATCH, WIDE);
    }
    ur_tape_free(t);
    ur_params_free(params);
    ur_context_free(context);
}

static void packed_batches(void **state)
{
    (void)state;
    golden g = golden_open("rnn_packed");
    for (int i = 0; i < 8; i += hurry() ? 3 : 1)
        packed_case(&g, i & 1 ? "gru" : "lstm", i & 2, i & 4);
    golden_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rnn_tanh),
        cmocka_unit_test(rnn_relu),
        cmocka_unit_test(lstm),
        cmocka_unit_test(lstm_projected),
        cmocka_unit_test(gru),
        cmocka_unit_test(lstm_by_hand),
        cmocka_unit_test(parameter_names),
        cmocka_unit_test(packed_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
