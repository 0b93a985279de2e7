/* test_text_lstm.c - the next-word model's gradients against differences: one layer and several, from
 * h and from the output gate, embedded and one-hot, from zeros and from states that were kept. */
#include "double/check.h"
#include "unroll/language.h"

#include <string.h>

enum { WORDS = 6, COUNT = 5, MOST_STATES = 3 * 9 * 4 * 2 };

static const int32_t ids[] = {1, 2, 0, 3, 3, 5, 1, 4, 2, 5, 0, 1};
static const ur_ids text = {ids, sizeof ids / sizeof *ids};

typedef struct whole {
    ur_model *model;
    ur_next_words *data;
    float start[MOST_STATES]; /* what the examples' states are put back to before every loss */
} whole;

static ur_tensor *loss(ur_tape *t, void *user)
{
    static const size_t which[COUNT] = {7, 0, 3, 2, 5};
    whole *w = user;
    size_t count;
    float *states = ur_next_words_states(w->data, &count);
    if (states)
        memcpy(states, w->start, count * sizeof *states);
    return w->model->kind->loss(t, w->model, w->data, COUNT, which, 4.0);
}

static void check(const ur_text_lstm_config *config, bool carried, int threads)
{
    ur_context *context = context_of("plain", threads, NULL);
    whole w = {.start = {0}};
    ur_err err;
    double worst;
    size_t count;
    if (ur_text_lstm_new(context, config, &w.model, &err) != UR_OK ||
        ur_next_words_new(context, w.model, text, carried, &w.data, &err) != UR_OK)
        fail_msg("%s", err.text);
    ur_next_words_states(w.data, &count);
    assert_true(count <= MOST_STATES);
    for (size_t i = 0; i < count; i++)
        w.start[i] = made_up(3, i);
    for (size_t i = 0; i < ur_params_size(w.model->params); i++)
        ur_params_values(w.model->params)[i] = 0.7f * made_up(9, i);
    ur_tape *t = tape_of(context);
    ur_tape_start(t, UR_TRAIN, w.model->params, NULL, 5, 11);
    if (ur_gradient_check(t, w.model->params, loss, &w, 0, &worst, &err) != UR_OK)
        fail_msg("%s", err.text);
    if (!(worst <= CHECK_BOUND))
        fail_msg("%zu layers, embedding %zu, output %d, %s: %.2g apart", config->layers,
                 config->embed_size, (int)config->output_from, carried ? "carried" : "zeros",
                 worst);
    ur_tape_free(t);
    ur_next_words_free(w.data);
    ur_model_free(w.model);
    ur_context_free(context);
}

static void text_lstm(void **state)
{
    (void)state;
    for (int variant = 0; variant < 24; variant++) {
        const ur_text_lstm_config config = {.vocabulary = WORDS,
                                            .context = 3,
                                            .embed_size = variant % 2 ? 3 : 0,
                                            .hidden_size = 4,
                                            .most_state_bytes = 1 << 20,
                                            .layers = 1 + (size_t)(variant / 4 % 3),
                                            .output_from = variant / 2 % 2 ? UR_OUTPUT_GATE
                                                                           : UR_OUTPUT_HIDDEN};
        check(&config, variant / 12, 1 + variant % 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(text_lstm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
