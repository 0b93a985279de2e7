/* test_golden_cells.c - what PyTorch has no recurrent layer for, against compositions with its autograd:
 * the other cells with one layer and three, one way and both ways, with and without biases, full and
 * ragged; and every cell with random masks. */
#include "nn/golden_rnn.h"

static void gru_original(void **state)
{
    (void)state;
    check_family("cell_gru_original", "gru_original", 0);
}

static void lstm_peephole(void **state)
{
    (void)state;
    check_family("cell_lstm_peephole", "lstm_peephole", 0);
}

static void lstm_layer_norm(void **state)
{
    (void)state;
    check_family("cell_lstm_layer_norm", "lstm_layer_norm", 0);
}

/* Two layers in both directions over a ragged batch. */
static void check_masks(golden *g, const char *cell, const char *kind, ur_rnn_config config)
{
    char which[64];
    snprintf(which, sizeof which, "%s_%s", cell, kind);
    config.cell = cell;
    config.input_size = 3;
    config.hidden_size = 5;
    config.num_layers = 2;
    config.bidirectional = true;
    if (cell[0] != 'l')
        config.zoneout_c = 0.0f;
    if (strcmp(kind, "expected") == 0) {
        check_mode(g, which, &config, UR_STEP_MAJOR, UR_INFER);
        return;
    }
    check_case(g, which, &config, UR_STEP_MAJOR);
    check_case(g, which, &config, UR_SEQUENCE_MAJOR);
}

static void random_masks(void **state)
{
    (void)state;
    static const char *const cells[] = {
        "rnn_tanh", "rnn_relu", "gru", "lstm", "gru_original", "lstm_peephole", "lstm_layer_norm"};
    const ur_rnn_config recurrent = {.recurrent_dropout = 0.4f};
    const ur_rnn_config zoneout = {.zoneout_h = 0.3f, .zoneout_c = 0.45f};
    const ur_rnn_config all = {
        .recurrent_dropout = 0.4f, .zoneout_h = 0.3f, .zoneout_c = 0.45f, .dropout = 0.35f};
    const ur_rnn_config projected = {.proj_size = 2, .recurrent_dropout = 0.4f, .dropout = 0.35f};
    golden g = golden_open("cell_noise");
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        check_masks(&g, cells[i], "recurrent", recurrent);
        check_masks(&g, cells[i], "zoneout", zoneout);
        check_masks(&g, cells[i], "expected", zoneout);
        check_masks(&g, cells[i], "all", all);
    }
    check_masks(&g, "lstm", "projected", projected);
    golden_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gru_original),
        cmocka_unit_test(lstm_peephole),
        cmocka_unit_test(lstm_layer_norm),
        cmocka_unit_test(random_masks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
