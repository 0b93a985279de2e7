/* test_golden_language.c - the language model against the equal PyTorch module: logits, gradients,
 * and three batches of truncated back-propagation by the trainer (SGD, clipping, carried states); a
 * Transformer's three steps of Adam, and the losses of 100. */
#include "support/contexts.h"
#include "support/golden.h"
#include "unroll/language.h"
#include "unroll/train.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { BATCH = 3, STEPS = 4, BATCHES = 3, STREAM = STEPS * BATCHES, MOST_OFFSET = STEPS };

typedef struct variant {
    const char *name;
    ur_language_model_config config;
    double clip;
} variant;

static const variant variants[] = {
    {"language_lstm", {.hidden_size = 6, .cell = "lstm", .layers = 1, .bptt = 35}, 0.5},
    {"language_gru", {.cell = "gru", .hidden_size = 5, .layers = 2, .bptt = 35}, 0.5},
    {"language_rnn", {.cell = "rnn_tanh", .hidden_size = 7, .layers = 1, .bptt = 35}, 0.5},
    {"language_both",
     {.hidden_size = 4, .layers = 2, .bidirectional = true, .cell = "lstm", .bptt = 35},
     0.5},
    {"language_tied_lstm",
     {.hidden_size = 6, .embed_size = 6, .layers = 2, .tied = true, .cell = "lstm", .bptt = 35},
     0.5},
    {"language_tied_rnn",
     {.cell = "rnn_relu", .hidden_size = 5, .embed_size = 5, .tied = true, .layers = 1, .bptt = 35},
     5.0},
    {"language_embed_gru",
     {.cell = "gru", .hidden_size = 6, .embed_size = 4, .layers = 1, .bptt = 35},
     0.5},
};

/* Where epoch 0 of this seed begins: the case's text is put there. */
static size_t offset_of(uint64_t seed)
{
    static int32_t zeros[BATCH * STREAM + 1 + MOST_OFFSET];
    const ur_window_options o = {.batch = BATCH, .bptt = STEPS};
    ur_windows *w;
    assert_int_equal(
        ur_windows_new(NULL, (ur_ids){zeros, sizeof zeros / sizeof *zeros}, &o, &w, NULL), UR_OK);
    ur_windows_start(w, seed, 0);
    const size_t offset = (size_t)(ur_windows_at(w, 0).ids - zeros);
    ur_windows_free(w);
    return offset;
}

/* Logits (B, T, V) of the first batch, whose ids lie at the streams' beginnings. */
static void compare_logits(golden *g, ur_context *context, const ur_model *model,
                           const int32_t *text)
{
    ur_tape *t = tape_of(context);
    size_t length[BATCH];
    int32_t ids[BATCH * STEPS];
    for (size_t b = 0; b < BATCH; b++) {
        length[b] = STEPS;
        memcpy(ids + b * STEPS, text + b * STREAM, STEPS * sizeof *ids);
    }
    ur_tape_start(t, UR_INFER, model->params, NULL, 0, 0);
    const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, BATCH, length, NULL);
    const ur_language_logits f =
        ur_language_model_forward(t, model, ur_seq_ints(t, l, ids), (ur_state){0});
    tape_fine(t);
    golden_compare_seq(g, "logits", l, f.logits->values->dim[1], ur_floats(f.logits->values),
                       FORWARD_BOUND);
    ur_tape_free(t);
}

static void compare_gradient(golden *g, ur_context *context, ur_model *model, void *data,
                             uint64_t seed)
{
    static const size_t which[BATCH] = {0, 1, 2};
    ur_tape *t = tape_of(context);
    float *gradient = calloc(ur_params_size(model->params), sizeof *gradient);
    assert_int_equal(model->kind->start_epoch(model, data, seed, 0), BATCH * BATCHES);
    ur_tape_start(t, UR_TRAIN, model->params, gradient, 0, 0);
    ur_tensor *loss = model->kind->loss(t, model, data, BATCH, which, BATCH * STEPS);
    assert_int_equal(ur_backward(t, loss), UR_OK);
    golden_compare_params(g, model->params, "grad.", gradient, GRADIENT_BOUND);
    free(gradient);
    ur_tape_free(t);
}

static void run_case(const variant *v, const char *isa, int threads, uint64_t seed)
{
    golden g = golden_open(v->name);
    ur_context *context = context_of(isa, threads, NULL);
    ur_language_model_config config = v->config;
    config.vocabulary = golden_dim(&g, "fc.bias", 0);
    config.bptt = STEPS;
    ur_model *model;
    ur_err err;
    if (ur_language_model_new(context, &config, &model, &err) != UR_OK)
        fail_msg("%s", err.text);
    golden_load_params(&g, model->params, "");

    const size_t offset = offset_of(seed), tokens = offset + BATCH * STREAM + 1;
    int32_t text[BATCH * STREAM + 1 + MOST_OFFSET] = {0};
    memcpy(text + offset, golden_ints(&g, "text", NULL), (tokens - offset) * sizeof *text);
    ur_language_data *data;
    if (ur_language_data_new(context, model, (ur_ids){text, tokens}, BATCH, &data, &err) != UR_OK)
        fail_msg("%s", err.text);
    compare_logits(&g, context, model, text + offset);
    compare_gradient(&g, context, model, data, seed);

    ur_train_options o = ur_train_defaults();
    o.batch = BATCH;
    o.optimizer = UR_SGD;
    o.lr = 0.5;
    o.clip = v->clip;
    o.seed = seed;
    ur_trainer *trainer;
    assert_int_equal(ur_trainer_new(context, model, data, &o, &trainer, NULL), UR_OK);
    float losses[BATCHES], norms[BATCHES];
    double nll = 0.0;
    for (int i = 0; i < BATCHES; i++) {
        ur_step step;
        assert_int_equal(ur_trainer_step(trainer, &step, NULL), UR_OK);
        losses[i] = (float)step.loss;
        norms[i] = (float)step.gradient_norm;
        nll += step.loss * BATCH * STEPS;
        assert_int_equal(step.epoch_ended, i == BATCHES - 1);
        assert_true(fabs(step.epoch_nll - nll) < 1e-9 * nll);
        assert_int_equal(step.epoch_positions, (size_t)(i + 1) * BATCH * STEPS);
    }
    size_t count;
    const float *states = model->kind->carried(model, data, &count);
    golden_compare(&g, "losses", losses, GRADIENT_BOUND);
    golden_compare(&g, "norms", norms, GRADIENT_BOUND);
    golden_compare(&g, "states", states, GRADIENT_BOUND);
    golden_compare_params(&g, model->params, "after.", ur_params_values(model->params),
                          GRADIENT_BOUND);
    ur_trainer_free(trainer);
    ur_language_data_free(data);
    ur_model_free(model);
    ur_context_free(context);
    golden_close(&g);
}

static void language_model(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        run_case(&variants[i], "plain", 1, i);
        run_case(&variants[i], NULL, 2, 3);
    }
}

/* ---- Transformers ------------------------------------------------------------------------- */

typedef struct transformer {
    const char *name;
    size_t heads, layers, batch;
    ur_activation activation;
} transformer;

static const transformer transformers[] = {
    {"language_transformer", 2, 2, 3, UR_ACT_GELU},
    {"language_transformer_tanh", 3, 1, 4, UR_ACT_GELU_TANH},
    {"language_transformer_one", 1, 1, 5, UR_ACT_RELU},
};
static const transformer path = {"language_transformer_path", 4, 2, 8, UR_ACT_GELU};

/* A case with its model, and its text as windows that follow each other: 0, 1 ... batch - 1. */
typedef struct made {
    golden g;
    const transformer *v;
    ur_model *model;
    ur_language_data *data;
    size_t which[8];
} made;

static made open_case(ur_context *context, const transformer *v)
{
    made m = {.g = golden_open(v->name), .v = v};
    ur_err err;
    size_t tokens;
    const ur_language_model_config c = {
        .vocabulary = golden_dim(&m.g, "embed.weight", 0),
        .network = UR_LANGUAGE_TRANSFORMER,
        .cell = "lstm",
        .hidden_size = golden_dim(&m.g, "embed.weight", 1),
        .heads = v->heads,
        .layers = v->layers,
        .feed_forward_size = golden_dim(&m.g, "transformer.layers.0.linear1.weight", 0),
        .activation = v->activation,
        .bptt = golden_dim(&m.g, "positions.weight", 0)};
    const int32_t *text = golden_ints(&m.g, "text", &tokens);
    if (ur_language_model_new(context, &c, &m.model, &err) != UR_OK ||
        ur_language_data_new(context, m.model, (ur_ids){text, tokens}, v->batch, &m.data, &err) !=
            UR_OK)
        fail_msg("%s", err.text);
    golden_load_params(&m.g, m.model->params, "");
    for (size_t i = 0; i < v->batch; i++)
        m.which[i] = i;
    return m;
}

static void close_case(made *m)
{
    ur_language_data_free(m->data);
    ur_model_free(m->model);
    golden_close(&m->g);
}

static void compare_window_logits(ur_tape *t, made *m)
{
    const size_t bptt = golden_dim(&m->g, "positions.weight", 0);
    size_t length[8];
    for (size_t i = 0; i < m->v->batch; i++)
        length[i] = bptt;
    ur_tape_start(t, UR_INFER, m->model->params, NULL, 0, 0);
    const ur_layout *l = ur_new_layout(t, UR_SEQUENCE_MAJOR, m->v->batch, length, NULL);
    const ur_seq *ids = ur_seq_ints(t, l, golden_ints(&m->g, "text", NULL));
    const ur_language_logits f = ur_language_model_forward(t, m->model, ids, (ur_state){0});
    tape_fine(t);
    golden_compare(&m->g, "logits", ur_floats(f.logits->values), FORWARD_BOUND);
}

/* Steps of Adam; the losses before each. gradient receives that of the first, or is NULL. */
static void run_adam(ur_tape *t, const made *m, double lr, double eps, size_t steps, float *losses,
                     float *first)
{
    ur_params *params = m->model->params;
    ur_train_options o = ur_train_defaults();
    ur_optimizer *optimizer;
    const size_t bytes = ur_params_size(params) * sizeof(float);
    const double positions =
        (double)(m->v->batch * golden_dim((golden *)&m->g, "positions.weight", 0));
    float *gradient = malloc(bytes);
    o.eps = eps;
    assert_int_equal(ur_optimizer_new(params, &o, &optimizer, NULL), UR_OK);
    for (size_t i = 0; i < steps; i++) {
        memset(gradient, 0, bytes);
        ur_tape_start(t, UR_TRAIN, params, gradient, 1, i);
        ur_tensor *loss =
            m->model->kind->loss(t, m->model, m->data, m->v->batch, m->which, positions);
        ur_backward(t, loss);
        tape_fine(t);
        losses[i] = ur_floats(loss)[0];
        if (i == 0 && first)
            memcpy(first, gradient, bytes);
        ur_optimizer_step(optimizer, gradient, lr, 1.0);
    }
    ur_optimizer_free(optimizer);
    free(gradient);
}

static void transformer_model(void **state)
{
    (void)state;
    contexts all = contexts_new();
    for (size_t v = 0; v < sizeof transformers / sizeof *transformers; v++)
        for (int k = 0; k < all.count; k++) {
            made m = open_case(all.at[k], &transformers[v]);
            ur_tape *t = tape_of(all.at[k]);
            float *gradient = malloc(ur_params_size(m.model->params) * sizeof *gradient);
            float losses[3];
            compare_window_logits(t, &m);
            run_adam(t, &m, 1e-2, 1e-4, 3, losses, gradient);
            golden_compare(&m.g, "losses", losses, FORWARD_BOUND);
            golden_compare_params(&m.g, m.model->params, "grad.", gradient, GRADIENT_BOUND);
            golden_compare_params(&m.g, m.model->params, "after.", ur_params_data(m.model->params),
                                  GRADIENT_BOUND);
            free(gradient);
            ur_tape_free(t);
            close_case(&m);
        }
    contexts_free(&all);
}

static void hundred_steps(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    made m = open_case(context, &path);
    ur_tape *t = tape_of(context);
    float losses[100];
    run_adam(t, &m, 1e-4, 1e-8, 100, losses, NULL);
    const float *want = golden_floats(&m.g, "losses", NULL);
    for (int i = 0; i < 100; i++)
        if (fabs((double)losses[i] / (double)want[i] - 1.0) > 1e-4)
            fail_msg("step %d: the loss is %g, PyTorch's %g", i, (double)losses[i],
                     (double)want[i]);
    assert_true(want[99] < 0.99f * want[0]);
    ur_tape_free(t);
    close_case(&m);
    ur_context_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(language_model),
                                       cmocka_unit_test(transformer_model),
                                       cmocka_unit_test(hundred_steps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
