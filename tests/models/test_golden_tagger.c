/* test_golden_tagger.c - taggers and classifiers against the equal PyTorch modules: logits, loss,
 * gradients, and the parameters after three steps of the trainer (Adam, clipping). */
#include "models/made_labelled.h"
#include "support/contexts.h"
#include "support/golden.h"
#include "unroll/tagger.h"
#include "unroll/train.h"

#include <stdlib.h>
#include <string.h>

typedef struct variant {
    const char *name;
    ur_tagger_config config;
    bool per_sequence;
    double clip;
} variant;

static const variant variants[] = {
    {"tagger_lstm", {.directions = UR_BOTH_CONCAT, .cell = "lstm", .layers = 1}, false, 5.0},
    {"tagger_gru_deep", {.cell = "gru", .layers = 2, .directions = UR_BOTH_CONCAT}, false, 0.5},
    {"tagger_rnn", {.cell = "rnn_tanh", .layers = 1}, false, 5.0},
    {"tagger_lstm_average",
     {.layers = 2, .directions = UR_BOTH_AVERAGE, .cell = "lstm"},
     false,
     5.0},
    {"classifier_lstm", {.layers = 2, .directions = UR_BOTH_CONCAT, .cell = "lstm"}, true, 5.0},
    {"classifier_gru", {.cell = "gru", .directions = UR_BOTH_CONCAT, .layers = 1}, true, 0.5},
    {"classifier_rnn", {.cell = "rnn_relu", .layers = 1}, true, 5.0},
    {"classifier_gru_average",
     {.cell = "gru", .layers = 2, .directions = UR_BOTH_AVERAGE},
     true,
     5.0},
};

/* The case's padded tokens and labels, without padding. */
typedef struct texts {
    size_t count, rows, *length;
    int32_t *ids, *labels;
} texts;

static texts texts_of(golden *g, bool per_sequence)
{
    texts t = {.length = golden_lengths(g, "lengths", &t.count)};
    const size_t width = golden_dim(g, "tokens", 1);
    const int32_t *ids = golden_ints(g, "tokens", NULL), *labels = golden_ints(g, "labels", NULL);
    t.ids = golden_take(g, t.count * width * sizeof *t.ids);
    t.labels = golden_take(g, t.count * width * sizeof *t.labels);
    for (size_t i = 0; i < t.count; i++) {
        memcpy(t.ids + t.rows, ids + i * width, t.length[i] * sizeof *ids);
        if (per_sequence)
            t.labels[i] = labels[i];
        else
            memcpy(t.labels + t.rows, labels + i * width, t.length[i] * sizeof *ids);
        t.rows += t.length[i];
    }
    return t;
}

static void compare_logits(golden *g, ur_tape *t, const ur_model *model, const texts *x,
                           bool per_sequence)
{
    const ur_tagger_config *c = ur_tagger_config_of(model);
    const ur_layout *layout = ur_new_layout(t, UR_SEQUENCE_MAJOR, x->count, x->length, NULL);
    const ur_seq *logits = ur_tagger_forward(t, model, ur_seq_ints(t, layout, x->ids));
    tape_fine(t);
    if (!per_sequence) {
        golden_compare_seq(g, "logits", logits->layout, c->labels, ur_floats(logits->values),
                           FORWARD_BOUND);
        return;
    }
    float *rows = golden_take(g, x->count * c->labels * sizeof *rows);
    for (size_t b = 0; b < x->count; b++)
        memcpy(rows + b * c->labels,
               ur_floats(logits->values) + ur_row(logits->layout, b, 0) * c->labels,
               c->labels * sizeof *rows);
    golden_compare(g, "logits", rows, FORWARD_BOUND);
}

static void compare_gradients(golden *g, ur_tape *t, const ur_model *model, const ur_labelled *data,
                              const texts *x, bool per_sequence)
{
    static const size_t which[] = {0, 1, 2, 3, 4, 5};
    float *gradient = calloc(ur_params_size(model->params), sizeof *gradient);
    size_t positions = 0;
    for (size_t i = 0; i < x->count; i++)
        positions += model->kind->positions(model, data, i);
    assert_int_equal(positions, per_sequence ? x->count : x->rows);
    ur_tape_start(t, UR_TRAIN, model->params, gradient, 0, 0);
    ur_tensor *loss = model->kind->loss(t, model, data, x->count, which, (double)positions);
    tape_fine(t);
    golden_compare(g, "loss", ur_floats(loss), FORWARD_BOUND);
    assert_int_equal(ur_backward(t, loss), UR_OK);
    golden_compare_params(g, model->params, "grad.", gradient, GRADIENT_BOUND);
    free(gradient);
}

static void compare_steps(golden *g, ur_context *context, ur_model *model, ur_labelled *data,
                          size_t batch, double clip)
{
    ur_train_options o = ur_train_defaults();
    ur_trainer *trainer;
    float losses[3], norms[3];
    o.batch = batch;
    o.lr = 1e-2;
    o.clip = clip;
    assert_int_equal(ur_trainer_new(context, model, data, &o, &trainer, NULL), UR_OK);
    for (int i = 0; i < 3; i++) {
        ur_step step;
        assert_int_equal(ur_trainer_step(trainer, &step, NULL), UR_OK);
        losses[i] = (float)step.loss;
        norms[i] = (float)step.gradient_norm;
    }
    golden_compare(g, "losses", losses, GRADIENT_BOUND);
    golden_compare(g, "norms", norms, GRADIENT_BOUND);
    golden_compare_params(g, model->params, "after.", ur_params_values(model->params),
                          GRADIENT_BOUND);
    ur_trainer_free(trainer);
}

static void run_case(const variant *v, const char *isa, int threads)
{
    golden g = golden_open(v->name);
    ur_tagger_config config = v->config;
    const texts x = texts_of(&g, v->per_sequence);
    const char *first = config.cell && config.cell[0] == 'g'   ? "gru.weight_hh_l0"
                        : config.cell && config.cell[0] == 'r' ? "rnn.weight_hh_l0"
                                                               : "lstm.weight_hh_l0";
    config.vocabulary = golden_dim(&g, "embed.weight", 0);
    config.embed_size = golden_dim(&g, "embed.weight", 1);
    config.hidden_size = golden_dim(&g, first, 1);
    config.labels = golden_dim(&g, "fc.weight", 0);
    ur_context *context = context_of(isa, threads, NULL);
    ur_labelled *data =
        labelled_of(NULL, v->per_sequence ? UR_CLASSIFIED : UR_TAGGED, config.vocabulary,
                    config.labels, x.count, x.length, x.ids, x.labels);
    ur_model *model;
    assert_int_equal(
        (v->per_sequence ? ur_classifier_new : ur_tagger_new)(context, &config, &model, NULL),
        UR_OK);
    golden_load_params(&g, model->params, "");
    ur_tape *t = tape_of(context);
    ur_tape_start(t, UR_INFER, model->params, NULL, 0, 0);
    compare_logits(&g, t, model, &x, v->per_sequence);
    compare_gradients(&g, t, model, data, &x, v->per_sequence);
    compare_steps(&g, context, model, data, x.count, v->clip);
    ur_tape_free(t);
    ur_model_free(model);
    ur_labelled_free(data);
    ur_context_free(context);
    golden_close(&g);
}

static void taggers_and_classifiers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        run_case(&variants[i], "plain", 1);
        run_case(&variants[i], NULL, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(taggers_and_classifiers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
