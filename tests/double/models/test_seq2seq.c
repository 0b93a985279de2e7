/* test_seq2seq.c - the whole encoder-decoder's gradients against differences, every variant, fixed
 * and ragged, with drop-out. */
#include "data/pairs.h"
#include "double/check.h"
#include "unroll/seq2seq.h"

#include <string.h>

enum { SYMBOLS = 7, PAIRS = 4 };

/* Questions of 3 2 4 0 symbols, answers of 2 3 1 0. */
static int32_t ids[] = {1, 2, 3, 4, 5, 6, 5, 2, 4, 1, 3, 3, 6, 0, 2};
static size_t offset[] = {0, 3, 5, 7, 10, 14, 15, 15, 15};
static const ur_pairs pairs = {.count = PAIRS, .offset = offset, .ids = ids};

typedef struct whole {
    ur_model *model;
    size_t count;
} whole;

static ur_tensor *loss(ur_tape *t, void *user)
{
    static const size_t which[] = {0, 1, 2, 3};
    const whole *w = user;
    return w->model->kind->loss(t, w->model, &pairs, w->count, which, 9.0);
}

static void check(ur_seq2seq_config config, int threads)
{
    ur_context *context = context_of("plain", threads, NULL);
    whole w = {.count = config.format.end < 0 ? 3 : PAIRS};
    ur_err err;
    double worst;
    if (ur_seq2seq_new(context, &config, &w.model, &err) != UR_OK)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < ur_params_size(w.model->params); i++)
        ur_params_values(w.model->params)[i] = 0.7f * made_up(9, i);
    ur_tape *t = tape_of(context);
    ur_tape_start(t, UR_TRAIN, w.model->params, NULL, 5, 11);
    if (ur_gradient_check(t, w.model->params, loss, &w, 0, &worst, &err) != UR_OK)
        fail_msg("%s", err.text);
    if (!(worst <= CHECK_BOUND))
        fail_msg("%s, %zu layers to %zu, directions %d, projection %zu, attention %d, peeky %d, "
                 "start %d, drop-out %g, end %d: %.2g apart",
                 config.cell ? config.cell : "lstm", config.layers, config.decoder_layers,
                 (int)config.directions, config.proj_size, (int)config.attention, config.peeky,
                 (int)config.decoder_start, (double)config.dropout, (int)config.format.end, worst);
    ur_tape_free(t);
    ur_model_free(w.model);
    ur_context_free(context);
}

static void seq2seq(void **state)
{
    (void)state;
    for (int variant = 0; variant < 24; variant++) {
        ur_seq2seq_config config = {.vocabulary = SYMBOLS,
                                    .embed_size = 3,
                                    .hidden_size = 4,
                                    .cell = "lstm",
                                    .layers = 1,
                                    .decoder_layers = 1,
                                    .bias = true};
        config.attention = variant % 3 == 0 ? UR_ATTENTION_DOT : UR_ATTENTION_NONE;
        config.peeky = variant % 3 == 2;
        config.decoder_start = variant / 3 % 2 ? UR_START_HC : UR_START_H;
        config.dropout = variant / 6 % 2 ? 0.4f : 0.0f;
        config.format.end = variant / 12 ? 1 : -1;
        config.format.reverse_input = variant % 2;
        config.format.answer_order = (ur_answer_order)(variant % 2);
        config.format.answer_steps = 4;
        check(config, 1 + variant % 2);
    }
}

/* Cells, depths and directions, with and without drop-out. */
static void stacks(void **state)
{
    (void)state;
    static const ur_seq2seq_config kinds[] = {
        {.cell = "gru",
         .attention = UR_ATTENTION_DOT,
         .layers = 1,
         .decoder_layers = 1,
         .bias = true},
        {.cell = "gru",
         .layers = 2,
         .directions = UR_BOTH_AVERAGE,
         .attention = UR_ATTENTION_DOT,
         .decoder_layers = 1,
         .bias = true},
        {.layers = 2,
         .directions = UR_BOTH_AVERAGE,
         .attention = UR_ATTENTION_DOT,
         .cell = "lstm",
         .decoder_layers = 1,
         .bias = true},
        {.cell = "gru",
         .layers = 2,
         .decoder_layers = 2,
         .directions = UR_BOTH_AVERAGE,
         .bias = true},
        {.layers = 2,
         .decoder_layers = 2,
         .directions = UR_BOTH_CONCAT,
         .attention = UR_ATTENTION_DOT,
         .decoder_start = UR_START_HC,
         .cell = "lstm",
         .bias = true},
        {.cell = "rnn_tanh",
         .layers = 3,
         .directions = UR_BOTH_CONCAT,
         .peeky = true,
         .decoder_layers = 1,
         .bias = true},
        {.layers = 2,
         .proj_size = 2,
         .directions = UR_BOTH_AVERAGE,
         .attention = UR_ATTENTION_DOT,
         .cell = "lstm",
         .decoder_layers = 1,
         .bias = true},
        {.proj_size = 3,
         .directions = UR_BOTH_CONCAT,
         .peeky = true,
         .cell = "lstm",
         .layers = 1,
         .decoder_layers = 1,
         .bias = true},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (int variant = 0; variant < 2; variant++) {
            ur_seq2seq_config config = kinds[i];
            config.vocabulary = SYMBOLS;
            config.embed_size = 3;
            config.hidden_size = 4;
            config.dropout = variant ? 0.4f : 0.0f;
            config.format.end = variant ? 1 : -1;
            config.format.answer_steps = 4;
            check(config, 1 + variant);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(seq2seq), cmocka_unit_test(stacks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
