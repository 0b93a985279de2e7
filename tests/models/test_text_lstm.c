/* test_text_lstm.c - the next-word model: the same bytes on every instruction set and number of
 * threads, the same training from where another left off, what is measured, what is refused, and
 * every allocation failing in turn. */
#include "models/text_lstm.h"

#include "support/contexts.h"
#include "support/failing_alloc.h"
#include "unroll/language.h"
#include "unroll/train.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { WORDS = 23, LENGTH = 120, STATES = 1 << 20 };

static const ur_text_lstm_config kinds[] = {
    {.embed_size = 7, .hidden_size = 19, .layers = 1},
    {.embed_size = 7, .hidden_size = 19, .layers = 3},
    {.embed_size = 7, .hidden_size = 21, .layers = 1, .output_from = UR_OUTPUT_GATE},
    {.hidden_size = 17, .layers = 2, .output_from = UR_OUTPUT_GATE, .bias_init = UR_BIAS_ONE},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* A made-up text whose words follow each other by a rule, mostly. */
static ur_ids made_text(void)
{
    static int32_t ids[LENGTH];
    for (int i = 0; i < LENGTH; i++)
        ids[i] = i < 2 || i % 7 == 0 ? i * i % WORDS : (2 * ids[i - 1] + ids[i - 2]) % WORDS;
    return (ur_ids){ids, LENGTH};
}

typedef struct made {
    ur_model *model;
    ur_next_words *data;
} made;

static ur_status made_new(ur_context *context, int kind, made *out, ur_err *err)
{
    ur_text_lstm_config config = kinds[kind];
    config.vocabulary = WORDS;
    config.context = 4;
    config.most_state_bytes = STATES;
    *out = (made){0};
    ur_status status = ur_text_lstm_new(context, &config, &out->model, err);
    if (status == UR_OK) {
        ur_text_lstm_init(out->model, 5);
        status = ur_next_words_new(context, out->model, made_text(), true, &out->data, err);
    }
    return status;
}

static made made_up_model(ur_context *context, int kind)
{
    made m;
    ur_err err;
    if (made_new(context, kind, &m, &err) != UR_OK)
        fail_msg("%s", err.text);
    return m;
}

static void made_free(made *m)
{
    ur_next_words_free(m->data);
    ur_model_free(m->model);
}

/* Batches of 50: two shards, and then 16: one. */
static ur_train_options options_of(void)
{
    ur_train_options o = ur_train_defaults();
    o.batch = 50;
    o.lr = 1e-2;
    return o;
}

/* Trains for `steps`; the last loss. */
static double train(ur_context *context, made *m, int steps)
{
    const ur_train_options o = options_of();
    ur_trainer *trainer;
    ur_step step = {0};
    ur_err err;
    if (ur_trainer_new(context, m->model, m->data, &o, &trainer, &err) != UR_OK)
        fail_msg("%s", err.text);
    for (int i = 0; i < steps; i++)
        if (ur_trainer_step(trainer, &step, &err) != UR_OK)
            fail_msg("%s", err.text);
    ur_trainer_free(trainer);
    return step.loss;
}

static void same_model(const char *who, made *want, made *got)
{
    size_t states, other;
    const float *a = ur_next_words_states(want->data, &states);
    const float *b = ur_next_words_states(got->data, &other);
    assert_int_equal(states, other);
    same_floats("weights", who, ur_params_values(want->model->params),
                ur_params_values(got->model->params), ur_params_size(want->model->params));
    same_floats("states", who, a, b, states);
}

/* ---- bytes -------------------------------------------------------------------------------- */

static void instruction_sets_and_threads(void **state)
{
    (void)state;
    contexts all = contexts_new();
    for (int kind = 0; kind < KINDS; kind++) {
        made want = made_up_model(all.at[0], kind);
        const double loss = train(all.at[0], &want, 7);
        ur_measure measure, other;
        assert_int_equal(ur_evaluate(want.model, want.data, &measure, NULL), UR_OK);
        assert_int_equal(measure.examples, LENGTH - 4);
        for (int i = 1; i < all.count; i++) {
            made got = made_up_model(all.at[i], kind);
            const double its = train(all.at[i], &got, 7);
            same_model(all.name[i], &want, &got);
            assert_memory_equal(&loss, &its, sizeof loss);
            assert_int_equal(ur_evaluate(got.model, got.data, &other, NULL), UR_OK);
            assert_memory_equal(&measure.loss, &other.loss, sizeof measure.loss);
            assert_int_equal(measure.sum[1], other.sum[1]);
            made_free(&got);
        }
        made_free(&want);
    }
    contexts_free(&all);
}

/* States matter, and so does whose they are: a training that lost them differs, as does one whose
 * examples got each other's. */
static void planted_faults(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    for (int fault = 0; fault < 3; fault++) {
        made m[2] = {made_up_model(context, 1), made_up_model(context, 1)};
        for (int i = 0; i < 2; i++) {
            train(context, &m[i], 3); /* every example once */
            size_t count;
            float *x = ur_next_words_states(m[i].data, &count);
            if (i && fault == 1)
                memset(x, 0, count * sizeof *x);
            if (i && fault == 2)
                memmove(x + 19, x, (count - 19) * sizeof *x);
            train(context, &m[i], 3);
        }
        const float *a = ur_params_values(m[0].model->params);
        const float *b = ur_params_values(m[1].model->params);
        const bool same = memcmp(a, b, ur_params_size(m[0].model->params) * sizeof *a) == 0;
        assert_true(same == (fault == 0));
        made_free(&m[0]);
        made_free(&m[1]);
    }
    ur_context_free(context);
}

/* ---- what it is --------------------------------------------------------------------------- */

/* A text of many words is measured word by word: loss and hits from the logits alone, and from zero
 * states whatever the data keeps. */
static void measure(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    const ur_ids text = made_text();
    for (int kind = 0; kind < KINDS; kind++) {
        made m = made_up_model(context, kind);
        train(context, &m, 12);
        ur_measure got;
        double loss = 0.0;
        size_t right = 0;
        ur_tape *t = tape_of(context);
        for (size_t i = 0; i + 4 < LENGTH; i++) {
            ur_tape_start(t, UR_INFER, m.model->params, NULL, 0, 0);
            const ur_tensor *logits = ur_text_lstm_logits(t, m.model, 1, text.ids + i);
            tape_fine(t);
            double sum = 0.0, largest = -1e30;
            const float *x = ur_floats(logits);
            for (int j = 0; j < WORDS; j++) {
                sum += exp((double)x[j]);
                largest = fmax(largest, (double)x[j]);
            }
            loss += log(sum) - (double)x[text.ids[i + 4]];
            right += (double)x[text.ids[i + 4]] >= largest;
        }
        assert_int_equal(ur_evaluate(m.model, m.data, &got, NULL), UR_OK);
        assert_true(fabs(got.loss - loss) < 1e-3);
        assert_int_equal(got.sum[1], right);
        assert_int_equal(got.positions, LENGTH - 4);
        ur_tape_free(t);
        made_free(&m);
    }
    ur_context_free(context);
}

/* It learns the rule that the text follows. */
static void learns(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    for (int kind = 0; kind < KINDS; kind++) {
        made m = made_up_model(context, kind);
        ur_measure before, after;
        assert_int_equal(ur_evaluate(m.model, m.data, &before, NULL), UR_OK);
        const double loss = train(context, &m, 150);
        assert_int_equal(ur_evaluate(m.model, m.data, &after, NULL), UR_OK);
        assert_true(loss < 0.9 * log(WORDS));
        if (kinds[kind].layers == 1) /* others start from states that measuring does not have */
            assert_true(after.loss < 0.8 * before.loss);
        assert_true(after.sum[1] > before.sum[1]);
        made_free(&m);
    }
    ur_context_free(context);
}

static void biases_start(void **state)
{
    (void)state;
    ur_context *context = context_of("plain", 1, NULL);
    for (int kind = 0; kind < KINDS; kind++) {
        made m = made_up_model(context, kind);
        for (size_t i = 0; i < ur_params_count(m.model->params); i++) {
            const ur_param *p = ur_params_entry(m.model->params, i);
            const float *x = ur_param_values(m.model->params, (int)i);
            const bool ones = kinds[kind].bias_init == UR_BIAS_ONE && strstr(p->name, "bias");
            const float bound = 1.0f / sqrtf((float)kinds[kind].hidden_size);
            for (size_t j = 0; j < p->count; j++)
                assert_true(ones ? x[j] == 1.0f
                                 : strncmp(p->name, "embed", 5) == 0 || fabsf(x[j]) <= bound);
        }
        made_free(&m);
    }
    ur_context_free(context);
}

/* ---- what is refused ---------------------------------------------------------------------- */

static void refused(void **state)
{
    (void)state;
    static const struct {
        ur_text_lstm_config config;
        const char *part;
    } bad[] = {
        {{.vocabulary = 1, .context = 3, .hidden_size = 4, .layers = 1}, "vocabulary of 1"},
        {{.vocabulary = 9, .context = 0, .hidden_size = 4, .layers = 1}, "context is 0"},
        {{.vocabulary = 9, .context = 3, .hidden_size = 0, .layers = 1}, "hidden_size is 0"},
        {{.vocabulary = 9, .context = 3, .hidden_size = 4, .layers = 0}, "layers is 0"},
        {{.vocabulary = 9, .context = 3, .hidden_size = 4, .layers = 17}, "layers is 17"},
        {{.vocabulary = 9, .context = 3, .embed_size = 1 << 20, .hidden_size = 4, .layers = 1},
         "embed_size is 1048576"},
        {{.vocabulary = 9, .context = 3, .hidden_size = 4, .layers = 1, .bias_init = 7},
         "bias_init is 7, expected uniform or one"},
        {{.vocabulary = 9, .context = 3, .hidden_size = 4, .layers = 1, .output_from = 7},
         "output_from is 7, expected hidden or gate"},
    };
    ur_context *context = context_of("plain", 1, NULL);
    ur_err err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ur_model *m;
        assert_true(ur_text_lstm_new(context, &bad[i].config, &m, &err) != UR_OK);
        assert_null(m);
        assert_non_null(strstr(err.text, bad[i].part));
    }
    made m = made_up_model(context, 0);
    ur_tape *t = tape_of(context);
    ur_tape_start(t, UR_INFER, m.model->params, NULL, 0, 0);
    assert_null(ur_text_lstm_logits(t, m.model, 1, (const int32_t[]){1, 2, WORDS, 3}));
    tape_failed(t, UR_INVALID, "id 23");
    ur_tape_free(t);
    made_free(&m);
    ur_context_free(context);
}

static void refused_texts(void **state)
{
    (void)state;
    ur_context *context = context_of("plain", 1, NULL);
    const ur_ids text = made_text();
    made m = made_up_model(context, 0);
    ur_next_words *data;
    ur_measure measured;
    ur_err err;
    for (size_t n = 0; n < 5; n++) {
        const ur_ids part = {text.ids, n};
        assert_int_equal(ur_next_words_new(context, m.model, part, n % 2, &data, &err), UR_INVALID);
        assert_null(data);
        assert_non_null(strstr(err.text, "at least 5"));
    }
    const int32_t strange[] = {1, 2, WORDS, 3, 1, 2}, same[] = {3, 3, 3, 3, 3, 3};
    assert_int_equal(ur_next_words_new(context, m.model, (ur_ids){strange, 6}, false, &data, &err),
                     UR_INVALID);
    assert_non_null(strstr(err.text, "word 2 of the text is id 23"));
    assert_int_equal(ur_next_words_new(context, m.model, (ur_ids){same, 6}, true, &data, &err),
                     UR_INVALID);
    assert_non_null(strstr(err.text, "nothing to learn"));
    assert_int_equal(ur_next_words_new(context, m.model, (ur_ids){same, 6}, false, &data, NULL),
                     UR_OK);
    ur_next_words_free(data);
    made other = made_up_model(context, 0); /* data of a model with another context */
    ((ur_text_lstm_config *)other.model->config)->context = 5;
    assert_int_equal(ur_evaluate(other.model, m.data, &measured, &err), UR_INVALID);
    assert_non_null(strstr(err.text, "4 words before"));
    made_free(&other);
    made_free(&m);
    ur_context_free(context);
}

/* States that pass the limit, or what a number can say. */
static void too_many_states(void **state)
{
    (void)state;
    ur_context *context = context_of("plain", 1, NULL);
    ur_text_lstm_config c = {.vocabulary = WORDS, .context = 4, .hidden_size = 8, .layers = 2};
    assert_int_equal(ur_text_lstm_state_bytes(&c, 1000), 1000 * 2 * 2 * 8 * 4);
    assert_true(ur_text_lstm_state_bytes(&c, SIZE_MAX / 100) == SIZE_MAX);
    assert_true(ur_text_lstm_defaults().most_state_bytes == UINT32_MAX);
    const size_t need = ur_text_lstm_state_bytes(&c, LENGTH - 4);
    for (int layers = 1; layers <= 2; layers++)
        for (int more = 0; more < 2; more++) {
            ur_model *model;
            ur_next_words *data;
            ur_err err;
            size_t count;
            c.layers = (size_t)layers;
            c.most_state_bytes = need - 1 + (size_t)more;
            assert_int_equal(ur_text_lstm_new(context, &c, &model, NULL), UR_OK);
            const ur_status status =
                ur_next_words_new(context, model, made_text(), true, &data, &err);
            assert_int_equal(status, layers == 1 || more ? UR_OK : UR_INVALID);
            if (status == UR_OK) {
                assert_true((ur_next_words_states(data, &count) != NULL) == (layers == 2));
                assert_int_equal(count * sizeof(float), layers == 2 ? need : 0);
            } else {
                assert_non_null(strstr(err.text, "raise that limit"));
                assert_int_equal(ur_next_words_new(context, model, made_text(), false, &data, NULL),
                                 UR_OK);
                assert_null(ur_next_words_states(data, &count));
            }
            ur_next_words_free(data);
            ur_model_free(model);
        }
    assert_int_equal(ur_text_lstm_state_bytes(&c, 0), 0);
    ur_next_words_free(NULL);
    ur_context_free(context);
}

static ur_status use(const ur_allocator *a, ur_err *err, void *arg)
{
    const ur_options options = {.allocator = a, .threads = 1};
    const ur_train_options o = options_of();
    ur_context *context;
    ur_trainer *trainer = NULL;
    ur_step step;
    ur_measure measured;
    ur_status status = ur_context_new(&options, &context, err);
    if (status != UR_OK)
        return status;
    made m;
    status = made_new(context, *(const int *)arg, &m, err);
    if (status == UR_OK)
        status = ur_trainer_new(context, m.model, m.data, &o, &trainer, err);
    if (status == UR_OK)
        status = ur_trainer_step(trainer, &step, err);
    if (status == UR_OK)
        status = ur_evaluate(m.model, m.data, &measured, err);
    ur_trainer_free(trainer);
    made_free(&m);
    ur_context_free(context);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++)
        assert_true(failing_alloc_sweep(use, &kind) > 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instruction_sets_and_threads),
        cmocka_unit_test(planted_faults),
        cmocka_unit_test(measure),
        cmocka_unit_test(learns),
        cmocka_unit_test(biases_start),
        cmocka_unit_test(refused),
        cmocka_unit_test(refused_texts),
        cmocka_unit_test(too_many_states),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
