/* test_tagger.c - gradients of taggers and classifiers against differences: every cell, directions,
 * depths, ragged texts, with and without drop-out. */
#include "double/check.h"
#include "models/made_labelled.h"
#include "unroll/tagger.h"

enum { TOKENS = 6, LABELS = 3, TEXTS = 4 };

static const size_t length[TEXTS] = {3, 1, 4, 2};
static const int32_t ids[] = {1, 2, 3, 5, 5, 0, 1, 4, 2, 2};
static const int32_t labels[] = {0, 2, 1, 1, 0, 0, 2, 1, 1, 2};

typedef struct whole {
    ur_model *model;
    const ur_labelled *data;
} whole;

static ur_tensor *loss(ur_tape *t, void *user)
{
    static const size_t which[] = {2, 0, 3, 1};
    const whole *w = user;
    return w->model->kind->loss(t, w->model, w->data, TEXTS, which, 7.0);
}

static void check(const ur_tagger_config *config, bool per_sequence, int threads)
{
    ur_context *context = context_of("plain", threads, NULL);
    ur_labelled *data = labelled_of(NULL, per_sequence ? UR_CLASSIFIED : UR_TAGGED, TOKENS, LABELS,
                                    TEXTS, length, ids, labels);
    whole w = {.data = data};
    ur_err err;
    double worst;
    if ((per_sequence ? ur_classifier_new : ur_tagger_new)(context, config, &w.model, &err) !=
        UR_OK)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < ur_params_size(w.model->params); i++)
        ur_params_values(w.model->params)[i] = 0.7f * made_up(19, i);
    ur_tape *t = tape_of(context);
    ur_tape_start(t, UR_TRAIN, w.model->params, NULL, 5, 11);
    if (ur_gradient_check(t, w.model->params, loss, &w, 0, &worst, &err) != UR_OK)
        fail_msg("%s", err.text);
    if (!(worst <= CHECK_BOUND))
        fail_msg("%s, %s, %zu layers, directions %d, drop-out %g: %.2g apart", w.model->kind->name,
                 config->cell, config->layers, (int)config->directions, (double)config->dropout,
                 worst);
    ur_tape_free(t);
    ur_model_free(w.model);
    ur_labelled_free(data);
    ur_context_free(context);
}

static void gradients(void **state)
{
    (void)state;
    static const char *const cells[] = {"lstm", "gru", "rnn_tanh", "lstm_peephole", "gru_original"};
    static const ur_directions ways[] = {UR_ONE_WAY, UR_BOTH_CONCAT, UR_BOTH_AVERAGE};
    for (int variant = 0; variant < 30; variant++) {
        const ur_tagger_config config = {.vocabulary = TOKENS,
                                         .labels = LABELS,
                                         .embed_size = 2,
                                         .hidden_size = 3,
                                         .cell = cells[variant % 5],
                                         .layers = variant < 15 ? 1 : 2,
                                         .directions = ways[variant % 3],
                                         .dropout = variant / 3 % 2 ? 0.4f : 0.0f};
        check(&config, variant % 2, 1 + variant % 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(gradients)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
