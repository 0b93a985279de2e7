/* test_golden_seq2seq.c - the encoder-decoder against the equal PyTorch module: logits, loss,
 * gradients, and the parameters after three steps of the trainer (Adam, clipping). The cases' ids
 * become a data set of pairs, so that everything runs through the model's own functions. */
#include "data/pairs.h"
#include "support/contexts.h"
#include "support/golden.h"
#include "unroll/seq2seq.h"
#include "unroll/train.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* What differs between the cases; sizes come from the tensors. */
typedef struct variant {
    const char *name;
    ur_seq2seq_config config;
    bool ragged;
    double clip;
} variant;

static const variant variants[] = {
    {"seq2seq_dot",
     {.attention = UR_ATTENTION_DOT,
      .cell = "lstm",
      .layers = 1,
      .decoder_layers = 1,
      .bias = true},
     false,
     5.0},
    {"seq2seq_none", {.cell = "lstm", .layers = 1, .decoder_layers = 1, .bias = true}, false, 5.0},
    {"seq2seq_peeky",
     {.peeky = true, .cell = "lstm", .layers = 1, .decoder_layers = 1, .bias = true},
     false,
     5.0},
    {"seq2seq_hc",
     {.attention = UR_ATTENTION_DOT,
      .decoder_start = UR_START_HC,
      .cell = "lstm",
      .layers = 1,
      .decoder_layers = 1,
      .bias = true},
     false,
     5.0},
    {"seq2seq_ragged",
     {.attention = UR_ATTENTION_DOT,
      .cell = "lstm",
      .layers = 1,
      .decoder_layers = 1,
      .bias = true},
     true,
     0.25},
    {"seq2seq_gru",
     {.cell = "gru", .attention = UR_ATTENTION_DOT, .layers = 1, .decoder_layers = 1, .bias = true},
     true,
     5.0},
    {"seq2seq_gru_average",
     {.cell = "gru",
      .layers = 2,
      .directions = UR_BOTH_AVERAGE,
      .attention = UR_ATTENTION_DOT,
      .decoder_layers = 1,
      .bias = true},
     true,
     5.0},
    {"seq2seq_lstm_average",
     {.layers = 2,
      .directions = UR_BOTH_AVERAGE,
      .attention = UR_ATTENTION_DOT,
      .cell = "lstm",
      .decoder_layers = 1,
      .bias = true},
     true,
     5.0},
    {"seq2seq_gru_deep",
     {.cell = "gru", .layers = 2, .decoder_layers = 2, .attention = UR_ATTENTION_DOT, .bias = true},
     true,
     5.0},
    {"seq2seq_lstm_deep",
     {.layers = 2,
      .decoder_layers = 2,
      .directions = UR_BOTH_CONCAT,
      .attention = UR_ATTENTION_DOT,
      .decoder_start = UR_START_HC,
      .cell = "lstm",
      .bias = true},
     true,
     5.0},
    {"seq2seq_rnn_peeky",
     {.cell = "rnn_relu",
      .layers = 2,
      .decoder_layers = 2,
      .directions = UR_BOTH_AVERAGE,
      .peeky = true,
      .bias = true},
     true,
     5.0},
    {"seq2seq_proj",
     {.layers = 2,
      .directions = UR_BOTH_CONCAT,
      .proj_size = 3,
      .attention = UR_ATTENTION_DOT,
      .cell = "lstm",
      .decoder_layers = 1,
      .bias = true},
     true,
     5.0},
};

/* The case's questions and answers (without start symbol) as pairs. */
static ur_pairs *pairs_of(golden *g, bool ragged, size_t **steps)
{
    const size_t count = golden_dim(g, "questions", 0);
    const size_t question = golden_dim(g, "questions", 1), answer = golden_dim(g, "answers", 1);
    const int32_t *q = golden_ints(g, "questions", NULL), *a = golden_ints(g, "answers", NULL);
    size_t *ql = ragged ? golden_lengths(g, "question_lengths", NULL) : NULL;
    size_t *al = ragged ? golden_lengths(g, "answer_lengths", NULL) : NULL;
    ur_pairs *p = golden_take(g, sizeof *p);
    p->count = count;
    p->offset = golden_take(g, (2 * count + 1) * sizeof *p->offset);
    p->ids = golden_take(g, count * (question + answer) * sizeof *p->ids);
    *steps = golden_take(g, count * sizeof **steps);
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t nq = ragged ? ql[i] : question, na = ragged ? al[i] : answer - 1;
        p->offset[2 * i] = at;
        memcpy(p->ids + at, q + i * question, nq * sizeof *q);
        at += nq;
        p->offset[2 * i + 1] = at;
        memcpy(p->ids + at, a + i * answer + 1, na * sizeof *a);
        at += na;
        (*steps)[i] = na;
    }
    p->offset[2 * count] = at;
    return p;
}

/* From encoder.CELL.weight_ih_l0, which has as many blocks of hidden rows as the cell has gates. */
static size_t hidden_of(golden *g, const char *cell)
{
    if (cell && strcmp(cell, "gru") == 0)
        return golden_dim(g, "encoder.gru.weight_ih_l0", 0) / 3;
    if (cell && strncmp(cell, "rnn", 3) == 0)
        return golden_dim(g, "encoder.rnn.weight_ih_l0", 0);
    return golden_dim(g, "encoder.lstm.weight_ih_l0", 0) / 4;
}

static void run_case(const variant *v, const char *isa, int threads)
{
    golden g = golden_open(v->name);
    size_t *steps;
    ur_pairs *pairs = pairs_of(&g, v->ragged, &steps);
    ur_context *context = context_of(isa, threads, NULL);
    ur_seq2seq_config config = v->config;
    config.vocabulary = golden_dim(&g, "encoder.embed.weight", 0);
    config.embed_size = golden_dim(&g, "encoder.embed.weight", 1);
    config.hidden_size = hidden_of(&g, config.cell);
    config.format = (ur_pair_format){.question_width = golden_dim(&g, "questions", 1),
                                     .answer_steps = golden_dim(&g, "answers", 1) - 1,
                                     .start = golden_ints(&g, "answers", NULL)[0],
                                     .end = -1};
    ur_model *model;
    assert_int_equal(ur_seq2seq_new(context, &config, &model, NULL), UR_OK);
    golden_load_params(&g, model->params, "");
    float *gradient = calloc(ur_params_size(model->params), sizeof *gradient);
    ur_tape *t = tape_of(context);

    size_t which[32], positions = 0;
    for (size_t i = 0; i < pairs->count; i++) {
        which[i] = i;
        positions += model->kind->positions(model, pairs, i);
    }
    ur_tape_start(t, UR_INFER, model->params, NULL, 0, 0);
    const ur_seq2seq_logits f = ur_seq2seq_forward(t, model, pairs, pairs->count, which);
    tape_fine(t);
    golden_compare_seq(&g, "logits", f.logits->layout, config.vocabulary,
                       ur_floats(f.logits->values), FORWARD_BOUND);
    ur_tape_start(t, UR_TRAIN, model->params, gradient, 0, 0);
    ur_tensor *loss = model->kind->loss(t, model, pairs, pairs->count, which, (double)positions);
    tape_fine(t);
    golden_compare(&g, "loss", ur_floats(loss), FORWARD_BOUND);
    assert_int_equal(ur_backward(t, loss), UR_OK);
    golden_compare_params(&g, model->params, "grad.", gradient, GRADIENT_BOUND);

    ur_train_options o = ur_train_defaults();
    o.batch = pairs->count;
    o.lr = 1e-2;
    o.clip = v->clip;
    ur_trainer *trainer;
    assert_int_equal(ur_trainer_new(context, model, pairs, &o, &trainer, NULL), UR_OK);
    float losses[3], norms[3];
    for (int i = 0; i < 3; i++) {
        ur_step step;
        assert_int_equal(ur_trainer_step(trainer, &step, NULL), UR_OK);
        losses[i] = (float)step.loss;
        norms[i] = (float)step.gradient_norm;
    }
    golden_compare(&g, "losses", losses, GRADIENT_BOUND);
    golden_compare(&g, "norms", norms, GRADIENT_BOUND);
    golden_compare_params(&g, model->params, "after.", ur_params_values(model->params),
                          GRADIENT_BOUND);
    ur_trainer_free(trainer);
    ur_tape_free(t);
    free(gradient);
    ur_model_free(model);
    ur_context_free(context);
    golden_close(&g);
}

static void seq2seq(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        run_case(&variants[i], "plain", 1);
        run_case(&variants[i], NULL, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(seq2seq)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
