/* test_golden_text_lstm.c - the next-word model against the equal PyTorch module: logits, loss and
 * gradients; visits of some examples and then of others, whose states are kept; and the parameters
 * after three steps of the trainer (Adam, clipping), which visit every example three times. */
#include "support/contexts.h"
#include "support/golden.h"
#include "unroll/language.h"
#include "unroll/train.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MOST_EXAMPLES = 64, UNLIMITED = 1 << 30 };

typedef struct variant {
    const char *name;
    ur_text_lstm_config config; /* sizes come from the tensors */
} variant;

static const variant variants[] = {
    {"text_lstm_one", {.layers = 1}},
    {"text_lstm_one_gate", {.layers = 1, .output_from = UR_OUTPUT_GATE}},
    {"text_lstm_three", {.layers = 3}},
    {"text_lstm_three_gate", {.layers = 3, .output_from = UR_OUTPUT_GATE}},
    {"text_lstm_one_hot", {.layers = 2}},
};

typedef struct made {
    golden g;
    ur_context *context;
    ur_model *model;
    ur_next_words *data;
    ur_tape *tape;
    float *gradient;
    size_t examples, which[MOST_EXAMPLES];
} made;

static made made_new(const variant *v, const char *isa, int threads)
{
    made m = {.g = golden_open(v->name), .context = context_of(isa, threads, NULL)};
    ur_text_lstm_config config = v->config;
    config.vocabulary = golden_dim(&m.g, "layers.0.fc.weight", 0);
    config.hidden_size = golden_dim(&m.g, "layers.0.fc.weight", 1);
    if (strstr(v->name, "one_hot") == NULL)
        config.embed_size = golden_dim(&m.g, "embed.weight", 1);
    m.examples = golden_dim(&m.g, "logits", 0);
    const ur_ids text = {golden_ints(&m.g, "text", NULL), golden_dim(&m.g, "text", 0)};
    config.context = text.length - m.examples;
    config.most_state_bytes = UNLIMITED;
    assert_int_equal(ur_text_lstm_new(m.context, &config, &m.model, NULL), UR_OK);
    golden_load_params(&m.g, m.model->params, "");
    assert_int_equal(ur_next_words_new(m.context, m.model, text, true, &m.data, NULL), UR_OK);
    assert_int_equal(ur_next_words_count(m.data), m.examples);
    m.tape = tape_of(m.context);
    m.gradient = calloc(ur_params_size(m.model->params), sizeof *m.gradient);
    for (size_t i = 0; i < m.examples; i++)
        m.which[i] = i;
    return m;
}

static void made_free(made *m)
{
    free(m->gradient);
    ur_tape_free(m->tape);
    ur_next_words_free(m->data);
    ur_model_free(m->model);
    ur_context_free(m->context);
    golden_close(&m->g);
}

/* Loss of these examples; their gradient replaces the last. */
static float visit(made *m, size_t count, const size_t *which)
{
    memset(m->gradient, 0, ur_params_size(m->model->params) * sizeof *m->gradient);
    ur_tape_start(m->tape, UR_TRAIN, m->model->params, m->gradient, 0, 0);
    ur_tensor *loss = m->model->kind->loss(m->tape, m->model, m->data, count, which, (double)count);
    assert_int_equal(ur_backward(m->tape, loss), UR_OK);
    return ur_floats(loss)[0];
}

static void forget(made *m)
{
    size_t count;
    float *states = ur_next_words_states(m->data, &count);
    if (states)
        memset(states, 0, count * sizeof *states);
}

static void check_visits(made *m)
{
    const size_t visits = golden_dim(&m->g, "visits", 0), each = golden_dim(&m->g, "visits", 1);
    const size_t *items = golden_lengths(&m->g, "visits", NULL);
    const size_t layers = ur_text_lstm_config_of(m->model)->layers;
    float losses[8];
    size_t count;
    for (size_t i = 0; i < visits; i++)
        losses[i] = visit(m, each, items + i * each);
    golden_compare(&m->g, "visit_losses", losses, FORWARD_BOUND);
    golden_compare_params(&m->g, m->model->params, "grad.again.", m->gradient, GRADIENT_BOUND);
    const float *states = ur_next_words_states(m->data, &count);
    assert_true((states != NULL) == (layers > 1));
    if (!states)
        return;
    golden_compare(&m->g, "h", states, FORWARD_BOUND);
    golden_compare(&m->g, "c", states + count / 2, FORWARD_BOUND);
    forget(m);
}

static void check_steps(made *m)
{
    ur_train_options o = ur_train_defaults();
    o.batch = m->examples;
    o.lr = 1e-2;
    o.clip = 5.0;
    ur_trainer *trainer;
    assert_int_equal(ur_trainer_new(m->context, m->model, m->data, &o, &trainer, NULL), UR_OK);
    float losses[3], norms[3];
    for (int i = 0; i < 3; i++) {
        ur_step step;
        assert_int_equal(ur_trainer_step(trainer, &step, NULL), UR_OK);
        losses[i] = (float)step.loss;
        norms[i] = (float)step.gradient_norm;
    }
    golden_compare(&m->g, "losses", losses, GRADIENT_BOUND);
    golden_compare(&m->g, "norms", norms, GRADIENT_BOUND);
    golden_compare_params(&m->g, m->model->params, "after.", ur_params_values(m->model->params),
                          GRADIENT_BOUND);
    ur_trainer_free(trainer);
}

static void run_case(const variant *v, const char *isa, int threads)
{
    made m = made_new(v, isa, threads);
    const int32_t *text = golden_ints(&m.g, "text", NULL);
    const size_t n = ur_text_lstm_config_of(m.model)->context;
    int32_t words[MOST_EXAMPLES * 8];
    for (size_t i = 0; i < m.examples; i++)
        memcpy(words + i * n, text + i, n * sizeof *words);
    ur_tape_start(m.tape, UR_INFER, m.model->params, NULL, 0, 0);
    const ur_tensor *logits = ur_text_lstm_logits(m.tape, m.model, m.examples, words);
    tape_fine(m.tape);
    golden_compare(&m.g, "logits", ur_floats(logits), FORWARD_BOUND);
    const float loss = visit(&m, m.examples, m.which);
    golden_compare(&m.g, "loss", &loss, FORWARD_BOUND);
    golden_compare_params(&m.g, m.model->params, "grad.", m.gradient, GRADIENT_BOUND);
    forget(&m);
    check_visits(&m);
    check_steps(&m);
    made_free(&m);
}

static void text_lstm(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        run_case(&variants[i], "plain", 1);
        run_case(&variants[i], NULL, 2);
    }
}

/* That the comparison sees a state which is forgotten, and one taken from another example. */
static void planted_faults(void **state)
{
    (void)state;
    for (int fault = 0; fault < 2; fault++) {
        made m = made_new(&variants[2], NULL, 1);
        const size_t each = golden_dim(&m.g, "visits", 1), last = golden_dim(&m.g, "visits", 0) - 1;
        const size_t *items = golden_lengths(&m.g, "visits", NULL);
        const float *want = golden_floats(&m.g, "visit_losses", NULL);
        float loss = 0.0f;
        for (size_t i = 0; i <= last; i++) {
            if (fault == 0 && i == last)
                forget(&m);
            if (fault == 1 && i == last) {
                size_t count;
                float *states = ur_next_words_states(m.data, &count);
                memmove(states + 1, states, (count - 1) * sizeof *states);
            }
            loss = visit(&m, each, items + i * each);
            assert_true(i == last || (double)(loss - want[i]) < 1e-5);
        }
        assert_true(loss - want[last] > 1e-4f || want[last] - loss > 1e-4f);
        made_free(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(text_lstm),
                                       cmocka_unit_test(planted_faults)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
