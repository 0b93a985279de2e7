/* test_tagger_build.c - parameters of taggers and classifiers, what is refused, and each allocation
 * failing in turn. */
#include "models/made_tagger.h"
#include "unroll/train.h"

#include "support/failing_alloc.h"

#include <math.h>
#include <string.h>

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
    ur_tagger_config config = config_of(1);
    ur_model *m, *other;
    assert_int_equal(ur_classifier_new(context, &config, &m, NULL), UR_OK);
    assert_int_equal(ur_classifier_new(context, &config, &other, NULL), UR_OK);
    assert_string_equal(m->kind->name, "classifier");
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
    config = ur_tagger_defaults();
    config.vocabulary = config.labels = 2;
    config.cell = "rnn"; /* another name of it */
    assert_int_equal(ur_tagger_new(context, &config, &m, NULL), UR_OK);
    assert_string_equal(m->kind->name, "tagger");
    assert_string_equal(ur_tagger_config_of(m)->cell, "rnn_tanh");
    ur_model_free(m);
    ur_context_free(context);
}

/* ---- what is refused ------------------------------------------------------------------------ */

static void refused(bool per_sequence, ur_tagger_config config, const char *part)
{
    ur_context *context = context_of("plain", 1, NULL);
    ur_model *m;
    ur_err err;
    assert_int_equal(model_new(context, per_sequence, &config, &m, &err), UR_INVALID);
    assert_null(m);
    if (!strstr(err.text, part))
        fail_msg("\"%s\" says nothing of %s", err.text, part);
    ur_context_free(context);
}

static void refusals(void **state)
{
    (void)state;
    const ur_tagger_config good = config_of(0);
    ur_tagger_config c = good;
    c.vocabulary = 0;
    refused(true, c, "classifier: a vocabulary of 0 tokens");
    c = good;
    c.labels = 0;
    refused(true, c, "number of labels 0, 1 to 65536");
    c.labels = UR_MOST_LABELS + 1;
    refused(true, c, "labels is 65537, expected a whole number from 0 to 65536");
    c = good;
    c.embed_size = 0;
    refused(true, c, "embed_size is 0");
    c = good;
    c.hidden_size = 1 << 20;
    refused(true, c, "hidden_size is 1048576");
    c = good;
    c.layers = UR_MOST_LAYERS + 1;
    refused(true, c, "layers is 17, expected a whole number from 1 to 16");
    c = good;
    c.dropout = 1.0f;
    refused(true, c, "dropout is 1, expected");
    c.dropout = (float)NAN;
    refused(true, c, "dropout is nan");
    c = good;
    c.cell = "elman";
    refused(false, c, "tagger: cell is elman, expected lstm or gru");
}

/* Ids and labels out of range, and data of the other kind. */
static void bad_data(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    ur_tagger_config config = config_of(0);
    ur_model *tagger = model_of(context, false, &config);
    static const int32_t ids[] = {1, 2, TOKENS}, labels[] = {0, LABELS, 1};
    static const size_t length[] = {2, 1};
    const ur_ids text = {ids, 3};
    int32_t label[3];
    ur_measure sum;
    size_t counts[LABELS * LABELS] = {0};
    ur_confusion confusion = {LABELS, counts, NULL, NULL, NULL};
    ur_err err;
    assert_int_equal(ur_tagger_apply(context, tagger, 1, &text, label, NULL, &err), UR_INVALID);
    assert_non_null(strstr(err.text, "12"));
    ur_labelled *data =
        labelled_of(NULL, UR_TAGGED, TOKENS + 1, LABELS + 1, 1, length, ids, labels);
    assert_int_equal(ur_evaluate_with(tagger, data, &sum, &confusion, &err), UR_INVALID);
    assert_non_null(strstr(err.text, "label 4 of the data is not in [0, 4)"));
    for (size_t i = 0; i < LABELS * LABELS; i++)
        assert_int_equal(counts[i], 0);
    ur_labelled_free(data);
    data = labelled_of(NULL, UR_CLASSIFIED, TOKENS, LABELS, 1, length, ids, labels);
    assert_int_equal(ur_evaluate_with(tagger, data, &sum, NULL, &err), UR_INVALID);
    assert_non_null(strstr(err.text, "has 1 labels, 2 expected"));
    confusion.labels = LABELS - 1;
    assert_int_equal(ur_evaluate_with(tagger, data, &sum, &confusion, &err), UR_INVALID);
    assert_non_null(strstr(err.text, "a confusion matrix of 3 labels, 4 expected"));
    ur_labelled_free(data);
    ur_model_free(tagger);
    ur_context_free(context);
}

/* ---- memory --------------------------------------------------------------------------------- */

static ur_status use(const ur_allocator *a, ur_err *err, void *arg)
{
    const bool per_sequence = *(const int *)arg;
    const ur_options options = {.allocator = a, .threads = 1};
    ur_tagger_config config = config_of(1);
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
        status = model_new(context, per_sequence, &config, &m, err);
        if (status == UR_OK)
            status = ur_confusion_new(a, LABELS, true, &confusion, err);
        if (status == UR_OK)
            status = ur_evaluate_with(m, data, &sum, confusion, err);
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
        cmocka_unit_test(parameters),
        cmocka_unit_test(refusals),
        cmocka_unit_test(bad_data),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
