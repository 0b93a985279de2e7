/* test_language_model.c - the language model's gradients against differences: one-hot, embedded and
 * tied, every cell, both ways, with drop-out, from carried states; and as a Transformer. */
#include "double/check.h"
#include "unroll/language.h"

#include <stdlib.h>

enum { TOKENS = 7, BATCH = 2 };

/* Two streams of four tokens from offset 0, windows of three; and the token after the last. */
static int32_t text[] = {1, 4, 2, 6, 5, 0, 3, 3, 2};

typedef struct whole {
    ur_model *model;
    ur_language_data *data;
    float *states, *start;
    size_t count;
} whole;

static ur_tensor *loss(ur_tape *t, void *user)
{
    static const size_t which[BATCH] = {0, 1};
    const whole *w = user;
    for (size_t i = 0; i < w->count; i++) /* which the pass before this one moved on */
        w->states[i] = w->start[i];
    return w->model->kind->loss(t, w->model, w->data, BATCH, which, 6.0);
}

static void check(ur_language_model_config config, int threads)
{
    ur_context *context = context_of("plain", threads, NULL);
    whole w = {0};
    ur_err err;
    double worst;
    config.vocabulary = TOKENS;
    config.bptt = 3;
    config.keep_tail = true;
    if (ur_language_model_new(context, &config, &w.model, &err) != UR_OK)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < ur_params_size(w.model->params); i++)
        ur_params_values(w.model->params)[i] = 0.7f * made_up(9, i);
    ur_params_changed(w.model->params);
    const ur_ids ids = {text, sizeof text / sizeof *text};
    if (ur_language_data_new(context, w.model, ids, BATCH, &w.data, &err) != UR_OK)
        fail_msg("%s", err.text);
    w.states = w.model->kind->carried(w.model, w.data, &w.count);
    w.start = made_up_floats(3, w.count, 1.0f);
    ur_tape *t = tape_of(context);
    ur_tape_start(t, UR_TRAIN, w.model->params, NULL, 5, 11);
    if (ur_gradient_check(t, w.model->params, loss, &w, 0, &worst, &err) != UR_OK)
        fail_msg("%s", err.text);
    if (!(worst <= CHECK_BOUND))
        fail_msg(
            "%s, %s, embedding %zu, %zu layers, both ways %d, tied %d, drop-out %g: %.2g apart",
            ur_language_network_name((size_t)config.network), config.cell, config.embed_size,
            config.layers, config.bidirectional, config.tied, (double)config.dropout, worst);
    ur_tape_free(t);
    free(w.start);
    ur_language_data_free(w.data);
    ur_model_free(w.model);
    ur_context_free(context);
}

static void gradients(void **state)
{
    (void)state;
    static const char *const cells[] = {"lstm",         "gru",           "rnn_tanh",
                                        "gru_original", "lstm_peephole", "lstm_layer_norm"};
    for (int i = 0; i < 6 * 6; i++) {
        const int variant = i % 6;
        const int cell = i / 6;
        if (cell > 0 && variant % 3 != cell % 3) /* all of them for an lstm, two for the others */
            continue;
        ur_language_model_config c = {
            .cell = cells[cell], .hidden_size = 4, .layers = 1, .bptt = 35};
        c.embed_size = variant < 3 ? 0 : variant == 3 ? 3 : 4;
        c.tied = variant > 3;
        c.bidirectional = variant == 1 || variant == 3 || variant == 5;
        c.hidden_size = variant == 5 ? 2 : 4; /* tied: as wide as the embedding */
        c.layers = variant == 0 ? 1 : 2;
        c.dropout = variant == 2 || variant == 4 ? 0.3f : 0.0f;
        check(c, 1 + i % 2);
    }
}

static void transformers(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        const ur_language_model_config c = {.network = UR_LANGUAGE_TRANSFORMER,
                                            .cell = "lstm",
                                            .hidden_size = 6,
                                            .heads = i % 2 ? 3 : 1,
                                            .feed_forward_size = 5,
                                            .activation = i % 2 ? UR_ACT_GELU_TANH : UR_ACT_GELU,
                                            .layers = 1 + (size_t)i / 2,
                                            .dropout = i == 3 ? 0.3f : 0.0f};
        check(c, 1 + i % 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(gradients), cmocka_unit_test(transformers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
