/* test_bert_heads.c - BERT's heads against transformers (tests/golden/bert_heads, made by
 * tools/golden/bert_heads.py): logits, loss, gradients; what they refuse. */
#include "support/contexts.h"
#include "support/golden.h"
#include "unroll/bert_heads.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* As tools/golden/bert_heads.py has them. */
static const struct setting {
    bool classifier;
    size_t labels, hidden, layers, heads, inner;
} settings[] = {{true, 3, 8, 2, 2, 12}, {false, 4, 12, 1, 3, 16}, {false, 2, 8, 1, 2, 12}};
enum { CASES = sizeof settings / sizeof *settings };

static ur_bert_labels_config config_of(size_t i)
{
    const struct setting *s = &settings[i];
    ur_bert_labels_config c = ur_bert_labels_defaults();
    c.labels = s->labels;
    c.bert.vocabulary = 20;
    c.bert.positions = 12;
    c.bert.hidden_size = s->hidden;
    c.bert.layers = s->layers;
    c.bert.heads = s->heads;
    c.bert.feed_forward_size = s->inner;
    c.bert.dropout = c.bert.attention_dropout = c.classifier_dropout = 0;
    return c;
}

static ur_model *made(ur_context *context, size_t i)
{
    const ur_bert_labels_config c = config_of(i);
    ur_model *m;
    ur_err err;
    const ur_status status = settings[i].classifier ? ur_bert_classifier_new(context, &c, &m, &err)
                                                    : ur_bert_tagger_new(context, &c, &m, &err);
    if (status != UR_OK)
        fail_msg("%s", err.text);
    return m;
}

static const char *of(size_t i, const char *name)
{
    static char text[4][96];
    static int next;
    char *s = text[next++ % 4];
    snprintf(s, 96, "%zu.%s", i, name);
    return s;
}

static void compare_gradients(golden *g, size_t i, const ur_params *p, const float *gradient)
{
    for (size_t k = 0; k < ur_params_count(p); k++) {
        const ur_param *w = ur_params_entry(p, k);
        char name[160];
        snprintf(name, sizeof name, "%zu.grad.%s", i, w->name);
        if (!strstr(w->name, "key.bias")) /* zero but for rounding */
            golden_compare(g, name, gradient + w->offset, GRADIENT_BOUND);
    }
}

static ur_tensor *loss_of(golden *g, ur_tape *t, size_t i, const ur_seq *logits)
{
    if (i == 2) {
        const float *w = golden_floats(g, of(i, "wl"), NULL);
        const ur_seq *weights = ur_seq_floats(t, logits->layout, 2, w, false);
        return ur_sum(t, ur_mul(t, logits->values, weights->values));
    }
    size_t n, counted = 0;
    const int32_t *target = golden_ints(g, of(i, "targets"), &n);
    for (size_t k = 0; k < n; k++)
        counted += target[k] >= 0;
    int32_t *own = golden_take(g, n * sizeof *own);
    for (size_t k = 0; k < n; k++)
        own[k] = target[k] < 0 ? UR_IGNORE : target[k];
    return ur_cross_entropy(t, logits, ur_seq_ints(t, logits->layout, own), (double)counted);
}

static void check_case(golden *g, ur_context *context, size_t i)
{
    ur_model *m = made(context, i);
    ur_tape *t = tape_of(context);
    float *gradient = calloc(ur_params_size(m->params), sizeof *gradient);
    size_t batch;
    const size_t *length = golden_lengths(g, of(i, "lengths"), &batch);
    golden_load_params(g, m->params, of(i, "param."));
    ur_tape_start(t, UR_TRAIN, m->params, gradient, 0, 0);
    const ur_layout *layout = ur_new_layout(t, UR_SEQUENCE_MAJOR, batch, length, NULL);
    const ur_seq *ids = ur_seq_ints(t, layout, golden_ints(g, of(i, "ids"), NULL));
    const ur_seq *segments = ur_seq_ints(t, layout, golden_ints(g, of(i, "segments"), NULL));
    const ur_seq *logits = ur_bert_label(t, m, ur_bert_encode(t, m, ids, segments, NULL));
    tape_fine(t);
    const size_t labels = settings[i].labels;
    float *rows = golden_take(g, ur_count(logits->values) * sizeof *rows), *at = rows;
    for (size_t b = 0; b < batch; b++)
        for (size_t s = 0; s < logits->layout->length[b]; s++, at += labels)
            memcpy(at, ur_floats(logits->values) + ur_row(logits->layout, b, s) * labels,
                   labels * sizeof *at);
    golden_compare(g, of(i, "logits"), rows, FORWARD_BOUND);
    ur_tensor *loss = loss_of(g, t, i, logits);
    tape_fine(t);
    golden_compare(g, of(i, "loss"), ur_floats(loss), FORWARD_BOUND);
    assert_int_equal(ur_backward(t, loss), UR_OK);
    compare_gradients(g, i, m->params, gradient);
    ur_tape_free(t);
    free(gradient);
    ur_model_free(m);
}

static void as_transformers(void **state)
{
    (void)state;
    golden g = golden_open("bert_heads");
    contexts all = contexts_new();
    for (int k = 0; k < all.count; k++)
        for (size_t i = 0; i < CASES; i++)
            check_case(&g, all.at[k], i);
    contexts_free(&all);
    golden_close(&g);
}

/* A name of transformers' for each parameter, no pooler where there is none, decay as it has it. */
static void parameters(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    for (size_t i = 0; i < 2; i++) {
        ur_model *m = made(context, i);
        const ur_params *p = m->params;
        assert_true(ur_params_find(p, "bert.encoder.layer.0.output.dense.weight") >= 0);
        assert_true(ur_params_find(p, "classifier.weight") >= 0);
        assert_int_equal(ur_params_find(p, "bert.pooler.dense.bias") >= 0, i == 0);
        for (size_t k = 0; k < ur_params_count(p); k++) {
            const ur_param *w = ur_params_entry(p, k);
            const bool spared = strstr(w->name, "bias") || strstr(w->name, "LayerNorm");
            assert_int_equal((w->flags & UR_DECAY) != 0, !spared);
        }
        ur_model_init(m, 7); /* the head, too */
        assert_true(ur_param_values(m->params, ur_params_find(p, "classifier.weight"))[0] != 0.0f);
        assert_non_null(ur_bert_config_of(m));
        assert_int_equal(ur_bert_labels_config_of(m)->labels, settings[i].labels);
        ur_model_free(m);
    }
    ur_context_free(context);
}

static void refused(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    ur_model *m;
    ur_err err;
    ur_bert_labels_config c = config_of(0);
#define REFUSED(change, part)                                                                      \
    do {                                                                                           \
        c = config_of(0);                                                                          \
        c.change;                                                                                  \
        assert_int_equal(ur_bert_classifier_new(context, &c, &m, &err), UR_INVALID);               \
        assert_non_null(strstr(err.text, part));                                                   \
    } while (0)
    REFUSED(labels = 0, "number of labels 0");
    REFUSED(bert.heads = 3, "3 heads");
    REFUSED(text.reading.max_length = 13, "reads 12 at most");
    REFUSED(text.reading.max_length = 3, "4 are needed");
    c = config_of(0);
    c.bert.segments = 1;
    c.text.pairs = true;
    assert_int_equal(ur_bert_classifier_new(context, &c, &m, &err), UR_INVALID);
    assert_non_null(strstr(err.text, "one segment"));
    /* a model without a head */
    ur_bert_config plain = ur_bert_defaults();
    plain.vocabulary = 9, plain.hidden_size = 8, plain.heads = 2, plain.layers = 1;
    plain.feed_forward_size = 8, plain.positions = 4;
    assert_int_equal(ur_bert_new(context, &plain, &m, &err), UR_OK);
    assert_null(ur_bert_labels_config_of(m));
    ur_tape *t = tape_of(context);
    ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
    assert_null(ur_bert_label(t, m, NULL));
    tape_failed(t, UR_INVALID, "bert_classifier");
    ur_tape_free(t);
    ur_model_free(m);
    ur_context_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_transformers),
        cmocka_unit_test(parameters),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
