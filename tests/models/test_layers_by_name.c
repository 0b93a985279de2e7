/* test_layers_by_name.c - the layers of a ready-made model, found by their parameters' names and used on
 * their own: a language model streamed step by step gives the bytes of its forward. */
#include "support/contexts.h"
#include "unroll/language.h"
#include "unroll/seq2seq.h"
#include "unroll/tagger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { VOCABULARY = 9, EMBED = 5, HIDDEN = 7, STEPS = 11 };

static ur_model *new_model(ur_context *context, size_t embed)
{
    ur_language_model_config c = ur_language_model_defaults();
    ur_model *model;
    c.vocabulary = VOCABULARY;
    c.embed_size = embed;
    c.hidden_size = HIDDEN;
    c.layers = 2;
    c.cell = "gru";
    assert_int_equal(ur_language_model_new(context, &c, &model, NULL), UR_OK);
    ur_language_model_init(model, 3);
    return model;
}

static void streamed(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    ur_model *model = new_model(context, EMBED);
    const int32_t ids[STEPS] = {1, 8, 0, 3, 3, 7, 2, 5, 6, 4, 1};
    const size_t steps = STEPS;
    ur_tape *tape;
    ur_stream *stream;
    assert_int_equal(ur_tape_new(context, &tape, NULL), UR_OK);
    ur_tape_start(tape, UR_INFER, model->params, NULL, 0, 0);
    const ur_layout *layout = ur_new_layout(tape, UR_STEP_MAJOR, 1, &steps, NULL);
    const ur_language_logits whole = ur_language_model_forward(
        tape, model, ur_seq_ints(tape, layout, ids), (ur_state){NULL, NULL});
    assert_non_null(whole.logits);
    const ur_embedding_layer *embed = ur_model_embedding(model, "embed");
    const ur_rnn_stack *rnn = ur_model_rnn(model, "gru");
    const ur_linear_layer *fc = ur_model_linear(model, "fc");
    assert_true(embed && rnn && fc && embed->size == EMBED && fc->out_features == VOCABULARY);
    assert_int_equal(ur_stream_new(context, model->params, rnn, 1, &stream, NULL), UR_OK);
    const float *table = ur_param_data(model->params, embed->weight);
    for (size_t t = 0; t < STEPS; t++) {
        float y[HIDDEN];
        ur_stream_step(stream, table + (size_t)ids[t] * EMBED, y);
        const ur_tensor *logits =
            ur_linear(tape, fc, ur_copy_floats(tape, 2, (size_t[]){1, HIDDEN}, y, false));
        assert_non_null(logits);
        assert_memory_equal(ur_floats(logits), ur_floats(whole.logits->values) + t * VOCABULARY,
                            VOCABULARY * sizeof(float));
    }
    ur_stream_free(stream);
    ur_tape_free(tape);
    ur_model_free(model);
    ur_context_free(context);
}

static void names(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    ur_model *model = new_model(context, 0);
    assert_null(ur_model_embedding(model, "embed")); /* one-hot */
    assert_null(ur_model_rnn(model, "lstm"));
    assert_null(ur_model_rnn(model, "gr"));
    assert_null(ur_model_rnn(model, "fc"));
    assert_null(ur_model_linear(model, ""));
    assert_non_null(ur_model_rnn(model, "gru"));
    ur_model_free(model);
    ur_language_model_config t = ur_language_model_defaults();
    t.network = UR_LANGUAGE_TRANSFORMER;
    t.vocabulary = VOCABULARY;
    t.hidden_size = 8;
    assert_int_equal(ur_language_model_new(context, &t, &model, NULL), UR_OK);
    const ur_embedding_layer *embed = ur_model_embedding(model, "embed");
    const ur_linear_layer *fc = ur_model_linear(model, "fc"); /* tied, without a bias */
    assert_true(embed && fc && fc->weight == embed->weight && fc->out_features == VOCABULARY);
    assert_null(ur_model_linear(model, "f"));
    assert_null(ur_model_rnn(model, "lstm"));
    ur_model_free(model);
    ur_seq2seq_config c = ur_seq2seq_defaults();
    c.vocabulary = VOCABULARY;
    c.format.answer_steps = 3;
    assert_int_equal(ur_seq2seq_new(context, &c, &model, NULL), UR_OK);
    assert_non_null(ur_model_embedding(model, "encoder.embed"));
    assert_non_null(ur_model_rnn(model, "encoder.lstm"));
    assert_true(ur_model_rnn(model, "encoder.lstm") != ur_model_rnn(model, "decoder.lstm"));
    assert_non_null(ur_model_linear(model, "decoder.fc"));
    ur_model_free(model);
    ur_context_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(streamed), cmocka_unit_test(names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
