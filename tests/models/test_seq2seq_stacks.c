/* test_seq2seq_stacks.c - the encoder-decoder of other cells, depths and directions: which options go
 * together and what the others are told, the shapes that follow, step by step against all at once,
 * and memory that runs out. */
#include "base/status.h"
#include "data/pairs.h"
#include "support/contexts.h"
#include "support/failing_alloc.h"
#include "unroll/seq2seq.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const ur_seq2seq_config small = {.vocabulary = 9,
                                        .embed_size = 5,
                                        .hidden_size = 6,
                                        .cell = "lstm",
                                        .layers = 1,
                                        .decoder_layers = 1,
                                        .bias = true};

static void refused(ur_seq2seq_config config, const char *reason)
{
    ur_context *context = context_of("plain", 1, NULL);
    ur_model *model = NULL;
    ur_err err = {0};
    assert_int_equal(ur_seq2seq_check(&config, &err), UR_INVALID);
    if (!strstr(err.text, reason))
        fail_msg("no '%s' in: %s", reason, err.text);
    err.text[0] = '\0';
    assert_int_equal(ur_seq2seq_new(context, &config, &model, &err), UR_INVALID);
    assert_null(model);
    assert_non_null(strstr(err.text, reason));
    ur_context_free(context);
}

static void refusals(void **state)
{
    (void)state;
    ur_seq2seq_config c = small;
    c.cell = "lstn";
    refused(c, "cell is lstn, expected lstm or gru");
    c = small;
    c.layers = 3;
    c.decoder_layers = 2;
    refused(c, "a decoder of 2 layers for an encoder of 3");
    c = small;
    c.decoder_layers = 2;
    refused(c, "a decoder of 2 layers for an encoder of 1");
    c = small;
    c.layers = UR_MOST_LAYERS + 1;
    refused(c, "layers is 17");
    c = small;
    c.proj_size = 6;
    refused(c, "below hidden size 6");
    c.proj_size = 3;
    c.cell = "gru";
    refused(c, "only an lstm has a projection");
    c.cell = "lstm";
    c.decoder_start = UR_START_HC;
    refused(c, "the projection makes h narrower");
    c = small;
    c.decoder_start = UR_START_HC;
    c.cell = "rnn_relu";
    refused(c, "rnn_relu has no c");
    c.cell = "lstm";
    c.directions = UR_BOTH_AVERAGE;
    refused(c, "averaging two directions drops c");
    c = small;
    c.peeky = true;
    c.attention = UR_ATTENTION_DOT;
    refused(c, "peeky goes without attention");
}

/* Parameter `name` is (rows, columns). */
static void has(const ur_model *model, const char *name, size_t rows, size_t columns)
{
    const int index = ur_params_find(model->params, name);
    if (index < 0)
        fail_msg("no parameter %s", name);
    const ur_param *p = ur_params_entry(model->params, (size_t)index);
    if (p->dim[0] != rows || p->dim[1] != columns)
        fail_msg("%s is (%zu,%zu), not (%zu,%zu)", name, p->dim[0], p->dim[1], rows, columns);
}

static ur_model *model_of(ur_context *context, ur_seq2seq_config c)
{
    ur_model *model;
    ur_err err;
    if (ur_seq2seq_new(context, &c, &model, &err) != UR_OK)
        fail_msg("%s", err.text);
    return model;
}

/* The decoder is as wide as the encoder's outputs. */
static void shapes(void **state)
{
    (void)state;
    ur_context *context = context_of("plain", 1, NULL);
    ur_seq2seq_config c = small;
    ur_model *model = model_of(context, c);
    has(model, "encoder.lstm.weight_hh_l0", 24, 6);
    assert_int_equal(ur_params_count(model->params), 12);
    const ur_seq2seq_config *full = ur_seq2seq_config_of(model);
    assert_string_equal(full->cell, "lstm");
    assert_int_equal(full->layers, 1);
    assert_int_equal(full->decoder_layers, 1);
    ur_model_free(model);

    c.layers = 2;
    c.directions = UR_BOTH_AVERAGE;
    char cell[] = "gru"; /* the caller's text need not last */
    c.cell = cell;
    model = model_of(context, c);
    cell[0] = 'x';
    assert_string_equal(ur_seq2seq_config_of(model)->cell, "gru");
    has(model, "encoder.gru.weight_ih_l1_reverse", 18, 12);
    has(model, "decoder.gru.weight_hh_l0", 18, 6);
    has(model, "decoder.fc.weight", 9, 6);
    ur_model_free(model);

    c.cell = "lstm";
    c.directions = UR_BOTH_CONCAT;
    c.proj_size = 4;
    c.decoder_layers = 2;
    c.peeky = true;
    model = model_of(context, c);
    has(model, "encoder.lstm.weight_hr_l1_reverse", 4, 6);
    has(model, "decoder.lstm.weight_ih_l0", 32, 13);
    has(model, "decoder.lstm.weight_hh_l1", 32, 8);
    has(model, "decoder.fc.weight", 9, 16);
    assert_int_equal(ur_params_find(model->params, "decoder.lstm.weight_hr_l0"), -1);
    ur_model_free(model);

    c = small;
    c.cell = "rnn_relu";
    model = model_of(context, c);
    has(model, "encoder.rnn.weight_ih_l0", 6, 5);
    ur_model_free(model);
    ur_context_free(context);
}
/* ---- greedy decoding against the whole sequence ------------------------------------------- */

enum { STEPS = 5, QUESTIONS = 3 };

static const int32_t question_ids[] = {1, 2, 3, 4, 5, 6, 7, 8, 1};
static const ur_ids questions[QUESTIONS] = {
    {question_ids, 4}, {question_ids + 4, 1}, {question_ids + 5, 4}};

static const ur_seq2seq_config kinds[] = {
    {.cell = "gru", .attention = UR_ATTENTION_DOT, .layers = 1, .decoder_layers = 1, .bias = true},
    {.cell = "gru",
     .layers = 2,
     .directions = UR_BOTH_AVERAGE,
     .attention = UR_ATTENTION_DOT,
     .decoder_layers = 1,
     .bias = true},
    {.layers = 2,
     .decoder_layers = 2,
     .directions = UR_BOTH_AVERAGE,
     .peeky = true,
     .cell = "lstm",
     .bias = true},
    {.layers = 2,
     .decoder_layers = 2,
     .directions = UR_BOTH_CONCAT,
     .decoder_start = UR_START_HC,
     .cell = "lstm",
     .bias = true},
    {.cell = "rnn_tanh",
     .layers = 3,
     .directions = UR_BOTH_CONCAT,
     .decoder_layers = 1,
     .bias = true},
    {.layers = 2,
     .proj_size = 3,
     .attention = UR_ATTENTION_DOT,
     .cell = "lstm",
     .decoder_layers = 1,
     .bias = true},
    {.cell = "gru_original", .layers = 2, .decoder_layers = 1, .bias = true},
    {.cell = "lstm_peephole",
     .decoder_start = UR_START_HC,
     .layers = 1,
     .decoder_layers = 1,
     .bias = true},
};

static ur_seq2seq_config kind_of(size_t i)
{
    ur_seq2seq_config c = kinds[i];
    c.vocabulary = small.vocabulary;
    c.embed_size = small.embed_size;
    c.hidden_size = small.hidden_size;
    c.format = (ur_pair_format){.answer_steps = STEPS, .end = -1};
    return c;
}

/* What was written, given back as answers, is what the whole decoder would write. */
static void greedy(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    ur_tape *t = tape_of(context);
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
        ur_model *model = model_of(context, kind_of(kind));
        float *weights = ur_params_values(model->params);
        for (size_t i = 0; i < ur_params_size(model->params); i++)
            weights[i] = 2.0f * made_up(kind, i);
        ur_params_changed(model->params);
        ur_tape_start(t, UR_INFER, model->params, NULL, 0, 0);
        const ur_answer *answer = ur_seq2seq_answer(t, model, QUESTIONS, questions, NULL, NULL);
        tape_fine(t);
        int32_t ids[QUESTIONS * (4 + STEPS)];
        size_t offset[2 * QUESTIONS + 1] = {0}, at = 0;
        for (size_t b = 0; b < QUESTIONS; b++) {
            memcpy(ids + at, questions[b].ids, questions[b].length * sizeof *ids);
            offset[2 * b + 1] = at += questions[b].length;
            assert_int_equal(answer[b].count, STEPS);
            memcpy(ids + at, answer[b].ids, STEPS * sizeof *ids);
            offset[2 * b + 2] = at += STEPS;
        }
        const ur_pairs pairs = {.count = QUESTIONS, .offset = offset, .ids = ids};
        const ur_seq2seq_logits f =
            ur_seq2seq_forward(t, model, &pairs, QUESTIONS, (size_t[]){0, 1, 2});
        tape_fine(t);
        for (size_t b = 0; b < QUESTIONS; b++)
            for (size_t s = 0; s < STEPS; s++) {
                const float *row =
                    ur_floats(f.logits->values) + ur_row(f.logits->layout, b, s) * small.vocabulary;
                for (size_t i = 0; i < small.vocabulary; i++)
                    if (row[i] > row[answer[b].ids[s]])
                        fail_msg("kind %zu, question %zu, step %zu: %zu is likelier", kind, b, s,
                                 i);
            }
        ur_model_free(model);
    }
    ur_tape_free(t);
    ur_context_free(context);
}

/* ---- memory ------------------------------------------------------------------------------- */

static ur_status everything(const ur_allocator *a, ur_err *err, void *arg)
{
    const ur_seq2seq_config *config = arg;
    const ur_options options = {.allocator = a, .threads = 1, .isa = "plain"};
    ur_context *context = NULL;
    ur_model *model = NULL;
    ur_tape *t = NULL;
    ur_status status = ur_context_new(&options, &context, err);
    if (status == UR_OK)
        status = ur_seq2seq_new(context, config, &model, err);
    if (status == UR_OK)
        status = ur_tape_new(context, &t, err);
    if (status == UR_OK) {
        ur_seq2seq_init(model, 1);
        ur_tape_start(t, UR_INFER, model->params, NULL, 0, 0);
        ur_seq2seq_answer(t, model, QUESTIONS, questions, NULL, NULL);
        status = ur_tape_status(t);
        if (status != UR_OK)
            ur_fail(err, status, "%s", ur_error(t));
    }
    ur_tape_free(t);
    ur_model_free(model);
    ur_context_free(context);
    return status;
}

static void memory(void **state)
{
    (void)state;
    ur_seq2seq_config config = kind_of(1);
    assert_true(failing_alloc_sweep(everything, &config) > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(refusals), cmocka_unit_test(shapes),
                                       cmocka_unit_test(greedy), cmocka_unit_test(memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
