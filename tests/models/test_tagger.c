/* test_tagger.c - taggers and classifiers: what they say to many texts is what they say to each,
 * evaluation against its definition, directions, parameters, and what is refused. */
#include "models/tagger.h"

#include "models/made_labelled.h"
#include "support/contexts.h"
#include "support/failing_alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS = 12, LABELS = 4, TEXTS = 70, MOST_ROWS = TEXTS * 10 };

/* Texts of 0 to 9 tokens; the first ones empty and longest. */
typedef struct made {
    size_t length[TEXTS], rows;
    int32_t ids[MOST_ROWS];
    int32_t labels[MOST_ROWS];
    ur_ids texts[TEXTS];
} made;

static void make(made *m, size_t least)
{
    m->rows = 0;
    for (size_t i = 0; i < TEXTS; i++) {
        m->length[i] = least + i * 7 % (10 - least);
        m->texts[i] = (ur_ids){m->ids + m->rows, m->length[i]};
        for (size_t j = 0; j < m->length[i]; j++, m->rows++)
            m->ids[m->rows] = (int32_t)((m->rows * 5 + i) % TOKENS);
    }
    for (size_t i = 0; i < MOST_ROWS; i++)
        m->labels[i] = (int32_t)(i * i % LABELS);
}

static ur_tagger_config config_of(bool per_sequence, int variant)
{
    static const char *const cells[] = {"lstm", "gru", "rnn_tanh"};
    return (ur_tagger_config){.vocabulary = TOKENS,
                              .labels = LABELS,
                              .embed_size = 5,
                              .hidden_size = 17,
                              .cell = cells[variant % 3],
                              .layers = (size_t)(1 + variant % 2),
                              .directions = (ur_directions)(variant % 3),
                              .dropout = 0.3f,
                              .per_sequence = per_sequence};
}

static ur_model *model_of(ur_context *context, const ur_tagger_config *config)
{
    ur_model *m;
    ur_err err;
    if (ur_tagger_new(context, config, &m, &err) != UR_OK)
        fail_msg("%s", err.text);
    ur_tagger_init(m, 8);
    for (size_t i = 0; i < ur_params_size(m->params); i++)
        ur_params_values(m->params)[i] *= 2.0f; /* livelier than fresh weights */
    ur_params_changed(m->params);
    return m;
}

static size_t answers_of(const made *m, bool per_sequence)
{
    return per_sequence ? TEXTS : m->rows;
}

/* ---- many texts ----------------------------------------------------------------------------- */

/* Whatever the threads, the instruction set and the company: the same bytes as one text alone. */
static void together_is_one_by_one(void **state)
{
    (void)state;
    static int32_t label[MOST_ROWS], first_label[MOST_ROWS];
    static float p[MOST_ROWS * LABELS], first[MOST_ROWS * LABELS];
    made m;
    make(&m, 0);
    for (int variant = 0; variant < 6; variant++) {
        const bool per_sequence = variant % 2;
        const ur_tagger_config config = config_of(per_sequence, variant / 2);
        const size_t n = answers_of(&m, per_sequence);
        contexts all = contexts_new();
        /* all contexts with the first model of each kind, the reference and the last with others */
        for (int c = 0; c < all.count; c += variant < 2 || c ? 1 : all.count - 1) {
            ur_model *model = model_of(all.at[c], &config);
            assert_int_equal(ur_tagger_apply(all.at[c], model, TEXTS, m.texts, label, p, NULL),
                             UR_OK);
            if (c == 0) {
                memcpy(first, p, n * LABELS * sizeof *p);
                memcpy(first_label, label, n * sizeof *label);
                for (size_t i = 0, at = 0; i < TEXTS; i++) {
                    const size_t k = per_sequence ? 1 : m.length[i];
                    assert_int_equal(
                        ur_tagger_apply(all.at[c], model, 1, &m.texts[i], label, p, NULL), UR_OK);
                    same_floats("probability", "alone", first + at * LABELS, p, k * LABELS);
                    assert_memory_equal(first_label + at, label, k * sizeof *label);
                    at += k;
                }
            }
            same_floats("probability", all.name[c], first, c ? p : first, n * LABELS);
            assert_memory_equal(first_label, c ? label : first_label, n * sizeof *label);
            ur_model_free(model);
        }
        contexts_free(&all);
        for (size_t i = 0; i < n; i++) {
            double sum = 0.0;
            for (size_t j = 0; j < LABELS; j++) {
                sum += (double)first[i * LABELS + j];
                assert_true(first[i * LABELS + j] <= first[i * LABELS + (size_t)first_label[i]]);
            }
            assert_true(fabs(sum - 1.0) < 1e-6);
        }
    }
}

/* log softmax(x)[target] of fc's bias alone. */
static void texts_without_tokens(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    const ur_tagger_config config = config_of(true, 1), tagger = config_of(false, 1);
    ur_model *model = model_of(context, &config);
    const float *bias = ur_param_values(model->params, ur_params_find(model->params, "fc.bias"));
    const ur_ids nothing[] = {{NULL, 0}, {NULL, 0}};
    int32_t label[2];
    float p[2 * LABELS];
    double sum = 0.0;
    assert_int_equal(ur_tagger_apply(context, model, 2, nothing, label, p, NULL), UR_OK);
    for (size_t i = 0; i < LABELS; i++)
        sum += exp((double)bias[i]);
    for (size_t i = 0; i < 2 * LABELS; i++)
        assert_true(fabs((double)p[i] - exp((double)bias[i % LABELS]) / sum) < 1e-6);
    assert_int_equal(ur_tagger_apply(context, model, 0, NULL, label, p, NULL), UR_OK);
    ur_model_free(model);
    model = model_of(context, &tagger);
    label[0] = 77;
    assert_int_equal(ur_tagger_apply(context, model, 2, nothing, label, NULL, NULL), UR_OK);
    assert_int_equal(label[0], 77); /* there is nothing to say */
    ur_model_free(model);
    ur_context_free(context);
}

/* One way, a token's answer does not depend on what follows; both ways it does. */
static void directions(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    static const int32_t ids[] = {3, 1, 4, 1, 5, 9, 2, 6};
    const ur_ids texts[] = {{ids, 8}, {ids, 3}};
    for (int way = 0; way < 3; way++)
        for (int deep = 0; deep < 2; deep++) {
            float p[11 * LABELS];
            ur_tagger_config config = config_of(false, deep);
            config.directions = (ur_directions)way;
            ur_model *model = model_of(context, &config);
            assert_int_equal(ur_tagger_apply(context, model, 2, texts, NULL, p, NULL), UR_OK);
            for (size_t i = 0; i < 3 * LABELS; i++)
                assert_true((memcmp(p + i, p + 8 * LABELS + i, sizeof *p) == 0) ==
                            (way == UR_ONE_WAY));
            ur_model_free(model);
        }
    ur_context_free(context);
}

/* ---- evaluation ----------------------------------------------------------------------------- */

static void evaluation(void **state)
{
    (void)state;
    static int32_t label[MOST_ROWS];
    static float p[MOST_ROWS * LABELS];
    made m;
    make(&m, 1);
    contexts all = contexts_new();
    for (int variant = 0; variant < 6; variant++) {
        const bool per_sequence = variant % 2;
        const ur_tagger_config config = config_of(per_sequence, variant / 2);
        ur_labelled *data = labelled_of(NULL, per_sequence ? UR_CLASSIFIED : UR_TAGGED, TOKENS,
                                        LABELS, TEXTS, m.length, m.ids, m.labels);
        ur_measure first = {0};
        for (int c = 0; c < all.count; c += variant < 2 || c ? 1 : all.count - 1) {
            ur_model *model = model_of(all.at[c], &config);
            ur_measure sum;
            ur_confusion *confusion;
            assert_int_equal(ur_tagger_evaluate(all.at[c], model, data, &sum, &confusion, NULL),
                             UR_OK);
            if (c == 0)
                first = sum;
            assert_memory_equal(&first.loss, &sum.loss, sizeof sum.loss);
            assert_memory_equal(&first.f1, &sum.f1, sizeof sum.f1);
            assert_int_equal(first.right, sum.right);
            const size_t n = answers_of(&m, per_sequence);
            assert_true(sum.positions == n && sum.examples == n);
            double loss = 0.0;
            size_t right = 0, counts[LABELS * LABELS] = {0};
            ur_tagger_apply(all.at[c], model, TEXTS, m.texts, label, p, NULL);
            for (size_t i = 0; i < n; i++) {
                const size_t target = (size_t)m.labels[i];
                loss -= log((double)p[i * LABELS + target]);
                right += label[i] == m.labels[i];
                counts[target * LABELS + (size_t)label[i]]++;
            }
            assert_true(fabs(loss - sum.loss) < 1e-5 * (double)n);
            assert_int_equal(right, sum.right);
            assert_int_equal(confusion->labels, LABELS);
            assert_memory_equal(confusion->counts, counts, sizeof counts);
            assert_true(fabs(ur_confusion_f1(confusion) - sum.f1) < 1e-15);
            assert_true(right > 0 && right < n && sum.f1 > 0 && sum.f1 < 1);
            ur_measure class_sum; /* as the trainer asks */
            assert_int_equal(model->class_of->evaluate(all.at[c], model, data, &class_sum, NULL),
                             UR_OK);
            assert_memory_equal(&class_sum.loss, &sum.loss, sizeof sum.loss);
            assert_int_equal(model->class_of->examples(model, data), TEXTS);
            ur_confusion_free(ur_context_allocator(all.at[c]), confusion);
            ur_model_free(model);
        }
        ur_labelled_free(data);
    }
    contexts_free(&all);
}

/* ---- parameters ----------------------------------------------------------------------------- */

static void parameters(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    static const char *const names[] = {"embed.weight",
                                        "gru.weight_ih_l0",
                                        "gru.weight_hh_l1",
                                        "gru.bias_ih_l1_reverse",
                                        "gru.weight_ih_l1_reverse",
                                        "fc.weight",
                                        "fc.bias"};
    ur_tagger_config config = config_of(true, 1);
    ur_model *m, *other;
    assert_int_equal(ur_tagger_new(context, &config, &m, NULL), UR_OK);
    assert_int_equal(ur_tagger_new(context, &config, &other, NULL), UR_OK);
    assert_string_equal(m->class_of->kind, "classifier");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (ur_params_find(m->params, names[i]) < 0)
            fail_msg("there is no %s", names[i]);
    assert_int_equal(ur_params_count(m->params), 1 + 16 + 2);
    ur_tagger_init(m, 3);
    ur_tagger_init(other, 3);
    same_floats("weights", "again", ur_params_values(m->params), ur_params_values(other->params),
                ur_params_size(m->params));
    const double hidden = 1 / sqrt(17.0), in = 1 / sqrt(34.0);
    for (size_t i = 1; i < ur_params_count(m->params); i++) {
        const ur_param *e = ur_params_entry(m->params, i);
        const double bound = e->name[0] == 'f' ? in : hidden;
        double most = 0.0;
        for (size_t j = 0; j < e->count; j++)
            most = fmax(most, fabs((double)ur_param_values(m->params, (int)i)[j]));
        assert_true(most <= bound * (1 + 1e-6) && most > 0.5 * bound);
    }
    ur_model_free(m);
    ur_model_free(other);
    config = ur_tagger_defaults(false);
    config.vocabulary = config.labels = 2;
    assert_int_equal(ur_tagger_new(context, &config, &m, NULL), UR_OK);
    assert_string_equal(m->class_of->kind, "tagger");
    config.cell = NULL;
    config.layers = 0;
    assert_int_equal(ur_tagger_new(context, &config, &other, NULL), UR_OK);
    assert_string_equal(ur_tagger_config_of(other)->cell, "lstm");
    assert_int_equal(ur_tagger_config_of(other)->layers, 1);
    assert_int_equal(ur_params_weights(m->params), ur_params_weights(other->params));
    ur_model_free(m);
    ur_model_free(other);
    ur_context_free(context);
}

/* ---- what is refused ------------------------------------------------------------------------ */

static void refused(ur_tagger_config config, const char *part)
{
    ur_context *context = context_of("plain", 1, NULL);
    ur_model *m;
    ur_err err;
    assert_int_equal(ur_tagger_new(context, &config, &m, &err), UR_INVALID);
    assert_null(m);
    if (!strstr(err.text, part))
        fail_msg("\"%s\" says nothing of %s", err.text, part);
    ur_context_free(context);
}

static void refusals(void **state)
{
    (void)state;
    const ur_tagger_config good = config_of(true, 0);
    ur_tagger_config c = good;
    c.vocabulary = 0;
    refused(c, "classifier: vocabulary 0");
    c = good;
    c.labels = 0;
    refused(c, "number of labels 0, 1 to 65536");
    c.labels = UR_MOST_LABELS + 1;
    refused(c, "number of labels 65537");
    c = good;
    c.embed_size = 0;
    refused(c, "embedding size 0");
    c = good;
    c.hidden_size = 1 << 20;
    refused(c, "hidden size 1048576");
    c = good;
    c.layers = UR_MOST_LAYERS + 1;
    refused(c, "number of layers 17, 1 to 16");
    c = good;
    c.dropout = 1.0f;
    refused(c, "drop-out 1");
    c.dropout = (float)NAN;
    refused(c, "drop-out nan");
    c = good;
    c.cell = "elman";
    c.per_sequence = false;
    refused(c, "tagger: there is no cell \"elman\"");
}

/* Ids and labels out of range, and data of the other kind. */
static void bad_data(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    ur_tagger_config config = config_of(false, 0);
    ur_model *tagger = model_of(context, &config);
    static const int32_t ids[] = {1, 2, TOKENS}, labels[] = {0, LABELS, 1};
    static const size_t length[] = {2, 1};
    const ur_ids text = {ids, 3};
    int32_t label[3];
    ur_measure sum;
    ur_confusion *confusion;
    ur_err err;
    assert_int_equal(ur_tagger_apply(context, tagger, 1, &text, label, NULL, &err), UR_INVALID);
    assert_non_null(strstr(err.text, "12"));
    ur_labelled *data =
        labelled_of(NULL, UR_TAGGED, TOKENS + 1, LABELS + 1, 1, length, ids, labels);
    assert_int_equal(ur_tagger_evaluate(context, tagger, data, &sum, &confusion, &err), UR_INVALID);
    assert_non_null(strstr(err.text, "label 4 of the data is not in [0, 4)"));
    assert_null(confusion);
    ur_labelled_free(data);
    data = labelled_of(NULL, UR_CLASSIFIED, TOKENS, LABELS, 1, length, ids, labels);
    assert_int_equal(ur_tagger_evaluate(context, tagger, data, &sum, NULL, &err), UR_INVALID);
    assert_non_null(strstr(err.text, "has 1 labels, 2 expected"));
    ur_labelled_free(data);
    ur_model_free(tagger);
    ur_context_free(context);
}

/* ---- memory --------------------------------------------------------------------------------- */

static ur_status use(const ur_allocator *a, ur_err *err, void *arg)
{
    const bool per_sequence = *(const int *)arg;
    const ur_options options = {.allocator = a, .threads = 1};
    ur_tagger_config config = config_of(per_sequence, 1);
    static const int32_t ids[] = {1, 2, 3, 4}, labels[] = {0, 1, 2, 3};
    static const size_t length[] = {3, 1};
    ur_labelled *data = labelled_of(NULL, per_sequence ? UR_CLASSIFIED : UR_TAGGED, TOKENS, LABELS,
                                    2, length, ids, labels);
    ur_context *context;
    ur_model *m = NULL;
    ur_measure sum;
    ur_confusion *confusion = NULL;
    ur_status status = ur_context_new(&options, &context, err);
    if (status == UR_OK) {
        status = ur_tagger_new(context, &config, &m, err);
        if (status == UR_OK)
            status = ur_tagger_evaluate(context, m, data, &sum, &confusion, err);
        ur_confusion_free(a, confusion);
        ur_model_free(m);
        ur_context_free(context);
    }
    ur_labelled_free(data);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (int per_sequence = 0; per_sequence < 2; per_sequence++)
        assert_true(failing_alloc_sweep(use, &per_sequence) > 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(together_is_one_by_one),
        cmocka_unit_test(texts_without_tokens),
        cmocka_unit_test(directions),
        cmocka_unit_test(evaluation),
        cmocka_unit_test(parameters),
        cmocka_unit_test(refusals),
        cmocka_unit_test(bad_data),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
