/* test_language_model.c - what language models accept, how a text is measured, and that training,
 * measuring and memory do what they should. */
#include "support/contexts.h"
#include "support/failing_alloc.h"
#include "unroll/decode.h"
#include "unroll/language.h"
#include "unroll/train.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { TOKENS = 11, LENGTH = 700 };

static int32_t text[LENGTH];

/* Somewhat regular, so that there is something to learn. */
static ur_ids the_text(void)
{
    for (size_t i = 0; i < LENGTH; i++)
        text[i] = (int32_t)((i * 3 + i / 7 % 5) % TOKENS);
    return (ur_ids){text, LENGTH};
}

static const ur_language_model_config kinds[] = {
    {.vocabulary = TOKENS, .hidden_size = 20, .bptt = 5, .cell = "lstm", .layers = 1},
    {.vocabulary = TOKENS,
     .cell = "gru",
     .hidden_size = 20,
     .embed_size = 20,
     .tied = true,
     .layers = 2,
     .dropout = 0.2f,
     .bptt = 5,
     .keep_tail = true},
    {.vocabulary = TOKENS,
     .cell = "rnn_tanh",
     .hidden_size = 9,
     .embed_size = 6,
     .bptt = 4,
     .sampling = UR_SAMPLING_RANDOM,
     .keep_tail = true,
     .layers = 1},
    {.vocabulary = TOKENS,
     .hidden_size = 8,
     .bidirectional = true,
     .layers = 2,
     .bptt = 7,
     .cell = "lstm"},
    {.vocabulary = TOKENS,
     .network = UR_LANGUAGE_TRANSFORMER,
     .cell = "lstm",
     .hidden_size = 24,
     .heads = 2,
     .activation = UR_ACT_GELU,
     .layers = 2,
     .dropout = 0.1f,
     .bptt = 9},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static ur_model *model_of(ur_context *context, const ur_language_model_config *config)
{
    ur_model *m;
    ur_err err;
    if (ur_language_model_new(context, config, &m, &err) != UR_OK)
        fail_msg("%s", err.text);
    ur_language_model_init(m, 4);
    return m;
}

static ur_language_data *data_of(ur_context *context, const ur_model *m, ur_ids ids, size_t batch)
{
    ur_language_data *d;
    ur_err err;
    if (ur_language_data_new(context, m, ids, batch, &d, &err) != UR_OK)
        fail_msg("%s", err.text);
    return d;
}

/* ---- configuration ------------------------------------------------------------------------ */

static void refused(ur_language_model_config c, const char *part)
{
    ur_context *context = context_of("plain", 1, NULL);
    ur_model *m;
    ur_err err;
    assert_int_equal(ur_language_model_new(context, &c, &m, &err), UR_INVALID);
    assert_null(m);
    if (!strstr(err.text, part))
        fail_msg("\"%s\" lacks \"%s\"", err.text, part);
    ur_context_free(context);
}

static void configurations(void **state)
{
    (void)state;
    refused(
        (ur_language_model_config){
            .vocabulary = 1, .hidden_size = 4, .cell = "lstm", .layers = 1, .bptt = 35},
        "1 tokens");
    refused((ur_language_model_config){.vocabulary = 5, .cell = "lstm", .layers = 1, .bptt = 35},
            "hidden_size is 0");
    refused(
        (ur_language_model_config){
            .vocabulary = 5, .hidden_size = 4, .cell = "lstn", .layers = 1, .bptt = 35},
        "cell is lstn, expected lstm or gru");
    refused(
        (ur_language_model_config){
            .vocabulary = 5, .hidden_size = 4, .layers = 17, .cell = "lstm", .bptt = 35},
        "layers is 17");
    refused((ur_language_model_config){.vocabulary = 5,
                                       .hidden_size = 4,
                                       .dropout = 1.0f,
                                       .cell = "lstm",
                                       .layers = 1,
                                       .bptt = 35},
            "dropout is 1");
    refused((ur_language_model_config){.vocabulary = 5,
                                       .hidden_size = 4,
                                       .tied = true,
                                       .cell = "lstm",
                                       .layers = 1,
                                       .bptt = 35},
            "one-hot rows have no embedding");
    refused((ur_language_model_config){.vocabulary = 5,
                                       .hidden_size = 4,
                                       .embed_size = 4,
                                       .bidirectional = true,
                                       .tied = true,
                                       .cell = "lstm",
                                       .layers = 1,
                                       .bptt = 35},
            "outputs of the layers, 8; it is 4");
    ur_context *context = context_of("plain", 1, NULL);
    ur_model *m = model_of(context, &kinds[1]);
    static const char *const names[] = {"embed.weight", "gru.weight_ih_l0", "gru.weight_hh_l1",
                                        "fc.weight", "fc.bias"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_true(ur_params_find(m->params, names[i]) >= 0);
    assert_int_equal(ur_params_weights(m->params), 11 * 20 + 11 + 4 * 3 * 20 * 21);
    ur_model_free(m);
    m = model_of(context, &kinds[2]);
    assert_true(ur_params_find(m->params, "rnn.weight_ih_l0") >= 0);
    ur_model_free(m);
    ur_context_free(context);
}

static void texts(void **state)
{
    (void)state;
    ur_context *context = context_of("plain", 1, NULL);
    ur_model *m = model_of(context, &kinds[0]);
    static const int32_t foreign[] = {1, 2, TOKENS}, same[100] = {0};
    const struct {
        ur_ids ids;
        size_t batch;
        const char *part;
    } bad[] = {{{foreign, 3}, 0, "token 2 of the text is id 11"},
               {{same, 1}, 0, "a text of 1 token has nothing that follows"},
               {{same, 100}, 2, "one and the same token 100 times"},
               {{the_text().ids, 30}, 8, "takes 46"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ur_language_data *d;
        ur_err err;
        assert_int_equal(ur_language_data_new(context, m, bad[i].ids, bad[i].batch, &d, &err),
                         UR_INVALID);
        if (!strstr(err.text, bad[i].part))
            fail_msg("\"%s\" lacks \"%s\"", err.text, bad[i].part);
    }
    ur_model_free(m);
    ur_context_free(context);
}

/* ---- measuring ---------------------------------------------------------------------------- */

/* The whole text in one go, without carrying anything. */
static double loss_in_one(ur_context *context, const ur_model *m, ur_ids ids)
{
    const size_t classes = ur_language_model_config_of(m)->vocabulary, steps = ids.length - 1;
    ur_tape *t = tape_of(context);
    ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
    const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, 1, &steps, NULL);
    const ur_language_logits f =
        ur_language_model_forward(t, m, ur_seq_ints(t, l, ids.ids), (ur_state){0});
    const ur_tensor *p = f.logits ? ur_softmax(t, f.logits->values) : NULL;
    tape_fine(t);
    double sum = 0.0;
    for (size_t i = 0; i < steps; i++)
        sum -= log((double)ur_floats(p)[i * classes + (size_t)ids.ids[i + 1]]);
    ur_tape_free(t);
    return sum;
}

/* States go from chunk to chunk: a text of several chunks is measured as if it was one. */
static void measured_in_chunks(void **state)
{
    (void)state;
    enum { LONG = 2600 };
    static int32_t ids[LONG];
    for (size_t i = 0; i < LONG; i++)
        ids[i] = (int32_t)(i * i % TOKENS);
    contexts all = contexts_new();
    double first = 0.0;
    for (int i = 0; i < all.count; i += 2) {
        ur_model *m = model_of(all.at[i], &kinds[0]);
        ur_language_data *d = data_of(all.at[i], m, (ur_ids){ids, LONG}, 0);
        ur_measure sum;
        ur_err err;
        if (ur_evaluate(m, d, &sum, &err) != UR_OK)
            fail_msg("%s", err.text);
        assert_int_equal(sum.positions, LONG - 1);
        if (i == 0) {
            const double whole = loss_in_one(all.at[i], m, (ur_ids){ids, LONG});
            assert_true(fabs(sum.loss - whole) < 1e-5 * whole);
            first = sum.loss;
        }
        assert_memory_equal(&sum.loss, &first, sizeof first);
        ur_language_data_free(d);
        ur_model_free(m);
    }
    contexts_free(&all);
}

/* A Transformer reads a text window by window, the last of which is shorter. */
static void measured_by_windows(void **state)
{
    (void)state;
    enum { LONG = 500 };
    static int32_t ids[LONG];
    const size_t bptt = kinds[KINDS - 1].bptt;
    for (size_t i = 0; i < LONG; i++)
        ids[i] = (int32_t)(i * i % TOKENS);
    contexts all = contexts_new();
    double first = 0.0;
    for (int i = 0; i < all.count; i++) {
        ur_model *m = model_of(all.at[i], &kinds[KINDS - 1]);
        ur_language_data *d = data_of(all.at[i], m, (ur_ids){ids, LONG}, 0);
        ur_measure sum;
        assert_int_equal(ur_evaluate(m, d, &sum, NULL), UR_OK);
        assert_int_equal(sum.positions, LONG - 1);
        if (i == 0) {
            double whole = 0.0;
            for (size_t at = 0; at < LONG - 1; at += bptt) {
                const size_t left = LONG - at, window = left < bptt + 1 ? left : bptt + 1;
                whole += loss_in_one(all.at[i], m, (ur_ids){ids + at, window});
            }
            assert_true(fabs(sum.loss - whole) < 1e-5 * whole);
            first = sum.loss;
        }
        assert_memory_equal(&sum.loss, &first, sizeof first);
        ur_language_data_free(d);
        ur_model_free(m);
    }
    contexts_free(&all);
}

/* ---- training ----------------------------------------------------------------------------- */

static double trained(ur_context *context, ur_model *m, ur_language_data *d, size_t batch,
                      size_t epochs)
{
    ur_train_options o = ur_train_defaults();
    o.batch = batch;
    o.epochs = epochs;
    o.lr = 1e-2;
    o.clip = 1.0;
    ur_trainer *trainer;
    ur_err err;
    ur_step step = {0};
    if (ur_trainer_new(context, m, d, &o, &trainer, &err) != UR_OK)
        fail_msg("%s", err.text);
    while (!ur_trainer_finished(trainer))
        if (ur_trainer_step(trainer, &step, &err) != UR_OK)
            fail_msg("%s", err.text);
    ur_trainer_free(trainer);
    return exp(step.epoch_nll / (double)step.epoch_positions);
}

/* Two shards of 40 streams, one of 10; weights, states and measures of every kind. */
static void same_on_every_machine(void **state)
{
    (void)state;
    contexts all = contexts_new();
    for (int kind = 0; kind < KINDS; kind++) {
        ur_model *first = NULL;
        ur_measure first_sum = {0};
        for (int i = 0; i < all.count; i++) {
            const size_t batch = kind % 2 ? 10 : 40;
            ur_model *m = model_of(all.at[i], &kinds[kind]);
            ur_language_data *d = data_of(all.at[i], m, the_text(), batch);
            ur_measure sum;
            trained(all.at[i], m, d, batch, 2);
            assert_int_equal(ur_evaluate(m, d, &sum, NULL), UR_OK);
            ur_language_data_free(d);
            if (!first) {
                first = m;
                first_sum = sum;
                continue;
            }
            same_floats("weights", all.name[i], ur_params_values(first->params),
                        ur_params_values(m->params), ur_params_size(m->params));
            assert_memory_equal(&sum.loss, &first_sum.loss, sizeof sum.loss);
            ur_model_free(m);
        }
        ur_model_free(first);
    }
    contexts_free(&all);
}

/* The text can be learned, and what was learned holds for the text read from start to end. */
static void learns(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    for (int kind = 0; kind < KINDS; kind++) {
        if (kinds[kind].bidirectional)
            continue;
        ur_model *m = model_of(context, &kinds[kind]);
        ur_language_data *d = data_of(context, m, the_text(), 10);
        ur_measure before, after;
        assert_int_equal(ur_evaluate(m, d, &before, NULL), UR_OK);
        const double perplexity = trained(context, m, d, 10, 30);
        assert_int_equal(ur_evaluate(m, d, &after, NULL), UR_OK);
        assert_true(exp(before.loss / (double)before.positions) > 8.0);
        assert_true(perplexity < 2.0);
        assert_true(exp(after.loss / (double)after.positions) < 2.0);
        ur_language_data_free(d);
        ur_model_free(m);
    }
    ur_context_free(context);
}

/* Carried states are what the streams' last steps left, and every epoch begins with zeros. */
static void carries(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    ur_model *m = model_of(context, &kinds[0]);
    ur_language_data *d = data_of(context, m, the_text(), 4);
    size_t count;
    const float *states = m->kind->carried(m, d, &count);
    assert_int_equal(count, 2 * 4 * 20);
    trained(context, m, d, 4, 1);
    float moved = 0.0f;
    for (size_t i = 0; i < count; i++)
        moved += fabsf(states[i]);
    assert_true(moved > 1.0f);
    m->kind->start_epoch(m, d, 1, 1);
    for (size_t i = 0; i < count; i++)
        assert_true(states[i] == 0.0f);
    ur_language_data_free(d);
    ur_model_free(m);
    m = model_of(context, &kinds[2]);
    d = data_of(context, m, the_text(), 4);
    m->kind->carried(m, d, &count);
    assert_int_equal(count, 0);   /* random windows carry nothing */
    trained(context, m, d, 8, 1); /* and fit any batch */
    ur_language_data_free(d);
    ur_model_free(m);
    ur_context_free(context);
}

/* Streams of other batches would run over each other. */
static void another_batch_is_refused(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    ur_model *m = model_of(context, &kinds[0]);
    ur_language_data *d = data_of(context, m, the_text(), 4);
    ur_train_options options = ur_train_defaults();
    ur_trainer *trainer;
    ur_err err;
    for (size_t batch = 3; batch <= 8; batch++) {
        options.batch = batch;
        const ur_status status = ur_trainer_new(context, m, d, &options, &trainer, &err);
        assert_int_equal(status, batch == 4 ? UR_OK : UR_INVALID);
        char both[64];
        snprintf(both, sizeof both, "batches of 4, the trainer is to take %zu", batch);
        if (batch != 4 && !strstr(err.text, both))
            fail_msg("%s", err.text);
        ur_trainer_free(trainer);
    }
    ur_language_data_free(d);
    ur_model_free(m);
    ur_context_free(context);
}

/* ---- memory ------------------------------------------------------------------------------- */

static ur_status whole_life(const ur_allocator *a, ur_err *err, void *arg)
{
    const ur_language_model_config *config = arg;
    ur_context *context = NULL;
    ur_model *m = NULL;
    ur_language_data *d = NULL;
    ur_generator *g = NULL;
    const ur_search_options choice = {.temperature = 1.0f, .top_k = 3};
    int32_t id = 1;
    ur_measure sum;
    ur_status s = ur_context_new(&(ur_options){.allocator = a, .threads = 1}, &context, err);
    s = s == UR_OK ? ur_language_model_new(context, config, &m, err) : s;
    s = s == UR_OK ? ur_language_data_new(context, m, (ur_ids){the_text().ids, 60}, 3, &d, err) : s;
    if (s == UR_OK) {
        ur_language_model_init(m, 1);
        s = ur_evaluate(m, d, &sum, err);
    }
    s = s == UR_OK ? ur_generator_new(context, m, &choice, &g, err) : s;
    s = s == UR_OK ? ur_generator_read(g, (ur_ids){&id, 1}, err) : s;
    s = s == UR_OK ? ur_generator_write(g, &id, NULL, err) : s;
    ur_generator_free(g);
    ur_language_data_free(d);
    ur_model_free(m);
    ur_context_free(context);
    return s;
}

static void memory(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        ur_language_model_config config = kinds[kind];
        if (config.bidirectional) /* which does not write */
            continue;
        assert_true(failing_alloc_sweep(whole_life, &config) > 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(configurations),
                                       cmocka_unit_test(texts),
                                       cmocka_unit_test(measured_in_chunks),
                                       cmocka_unit_test(measured_by_windows),
                                       cmocka_unit_test(same_on_every_machine),
                                       cmocka_unit_test(learns),
                                       cmocka_unit_test(carries),
                                       cmocka_unit_test(another_batch_is_refused),
                                       cmocka_unit_test(memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
