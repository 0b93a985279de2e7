/* test_bert.c - BERT against transformers' BertModel (tests/golden/bert_models, made by
 * tools/golden/bert.py), sequences alone against a batch, segments, settings, config.json. */
#include "support/contexts.h"
#include "support/failing_alloc.h"
#include "support/golden.h"
#include "unroll/bert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* As tools/golden/bert.py has them. */
static const struct setting {
    size_t vocabulary, hidden, layers, heads, inner, positions, segments;
    ur_activation act;
    float eps;
    bool pooler, words;
} settings[] = {
    {20, 8, 2, 2, 16, 12, 2, UR_ACT_GELU, 1e-12f, true, false},
    {11, 12, 1, 3, 20, 7, 1, UR_ACT_RELU, 1e-5f, false, false},
    {30, 32, 3, 4, 48, 20, 3, UR_ACT_GELU_TANH, 1e-6f, true, false},
    {23, 8, 1, 2, 12, 6, 2, UR_ACT_GELU, 1e-12f, false, true},
};
enum { CASES = sizeof settings / sizeof *settings };

static ur_model *made(ur_context *context, size_t i)
{
    const struct setting *s = &settings[i];
    ur_bert_config c = ur_bert_defaults();
    ur_model *m;
    ur_err err;
    c.vocabulary = s->vocabulary;
    c.hidden_size = s->hidden;
    c.layers = s->layers;
    c.heads = s->heads;
    c.feed_forward_size = s->inner;
    c.positions = s->positions;
    c.segments = s->segments;
    c.activation = s->act;
    c.layer_norm_eps = s->eps;
    c.dropout = c.attention_dropout = 0;
    c.no_pooler = !s->pooler;
    c.masked_words = s->words;
    if (ur_bert_new(context, &c, &m, &err) != UR_OK)
        fail_msg("%s", err.text);
    return m;
}

static const char *of(size_t i, const char *name, size_t k)
{
    static char text[4][64];
    static int next;
    char *s = text[next++ % 4];
    snprintf(s, sizeof text[0], "%zu.%s", i, name);
    if (k != SIZE_MAX)
        snprintf(s + strlen(s), 16, ".%zu", k);
    return s;
}

/* ---- against transformers --------------------------------------------------------------------- */

/* Rows of all sequences, one sequence after the other. */
static void compare_rows(golden *g, const char *tensor, const ur_seq *y, const float *values,
                         double bound)
{
    const size_t width = y->values->dim[1];
    float *rows = golden_take(g, (ur_count(y->values) + 1) * sizeof *rows), *at = rows;
    for (size_t b = 0; b < y->layout->batch; b++)
        for (size_t t = 0; t < y->layout->length[b]; t++, at += width)
            memcpy(at, values + ur_row(y->layout, b, t) * width, width * sizeof *rows);
    golden_compare(g, tensor, rows, bound);
}

static void compare_gradients(golden *g, size_t i, const ur_params *p, const float *gradient)
{
    for (size_t k = 0; k < ur_params_count(p); k++) {
        const ur_param *w = ur_params_entry(p, k);
        char name[160];
        snprintf(name, sizeof name, "%zu.grad.%s", i, w->name);
        if (!strstr(w->name, "key.bias")) { /* zero but for rounding */
            golden_compare(g, name, gradient + w->offset, GRADIENT_BOUND);
            continue;
        }
        for (size_t j = 0; j < w->count; j++)
            assert_true(fabsf(gradient[w->offset + j]) < 1e-4f);
    }
}

static ur_tensor *weigh(ur_tape *t, ur_tensor *y, const float *w)
{
    const size_t dim[] = {y->dim[0], y->dim[1]};
    return ur_sum(t, ur_mul(t, y, ur_copy_floats(t, 2, dim, w, false)));
}

static void check_case(golden *g, ur_context *context, size_t i, ur_order order)
{
    const struct setting *s = &settings[i];
    ur_model *m = made(context, i);
    ur_tape *t = tape_of(context);
    float *gradient = calloc(ur_params_size(m->params), sizeof *gradient);
    ur_seq *hidden[4];
    ur_weights *weights[4];
    size_t batch;
    const size_t *length = golden_lengths(g, of(i, "lengths", SIZE_MAX), &batch);
    golden_load_params(g, m->params, of(i, "param.", SIZE_MAX));
    ur_tape_start(t, UR_TRAIN, m->params, gradient, 0, 0);
    const ur_layout *layout = ur_new_layout(t, order, batch, length, NULL);
    const ur_seq *ids = ur_seq_ints(t, layout, golden_ints(g, of(i, "ids", SIZE_MAX), NULL));
    const ur_seq *segments =
        ur_seq_ints(t, layout, golden_ints(g, of(i, "segments", SIZE_MAX), NULL));
    const ur_transformer_call call = {.outputs = hidden, .weights = weights};
    ur_seq *y = ur_bert_encode(t, m, ids, segments, &call);
    tape_fine(t);
    for (size_t k = 0; k < s->layers; k++) {
        compare_rows(g, of(i, "hidden", k), hidden[k], ur_floats(hidden[k]->values), FORWARD_BOUND);
        golden_compare(g, of(i, "attention", k), weights[k]->p, FORWARD_BOUND);
    }
    const ur_seq *wy =
        ur_seq_floats(t, layout, s->hidden, golden_floats(g, of(i, "wy", SIZE_MAX), NULL), false);
    ur_tensor *loss = ur_sum(t, ur_mul(t, y->values, wy->values));
    if (s->pooler) {
        ur_tensor *pooled = ur_bert_pool(t, m, y);
        tape_fine(t);
        golden_compare(g, of(i, "pooled", SIZE_MAX), ur_floats(pooled), FORWARD_BOUND);
        loss = ur_add(t, loss, weigh(t, pooled, golden_floats(g, of(i, "wp", SIZE_MAX), NULL)));
    }
    if (s->words) {
        ur_tensor *logits = ur_bert_words(t, m, y->values);
        tape_fine(t);
        const ur_seq shown = {logits, layout};
        compare_rows(g, of(i, "logits", SIZE_MAX), &shown, ur_floats(logits), FORWARD_BOUND);
        const ur_seq *wl = ur_seq_floats(t, layout, s->vocabulary,
                                         golden_floats(g, of(i, "wl", SIZE_MAX), NULL), false);
        loss = ur_add(t, loss, ur_sum(t, ur_mul(t, logits, wl->values)));
    }
    assert_int_equal(ur_backward(t, loss), UR_OK);
    compare_gradients(g, i, m->params, gradient);
    ur_tape_free(t);
    free(gradient);
    ur_model_free(m);
}

static void test_golden(void **state)
{
    (void)state;
    golden g = golden_open("bert_models");
    contexts all = contexts_new();
    for (int k = 0; k < all.count; k++)
        for (size_t i = 0; i < CASES; i++)
            check_case(&g, all.at[k], i, k % 2 ? UR_STEP_MAJOR : UR_SEQUENCE_MAJOR);
    contexts_free(&all);
    golden_close(&g);
}

/* ---- sequences -------------------------------------------------------------------------------- */

/* A sequence's outputs have the same bits alone and beside others, whoever computes. */
static void test_alone(void **state)
{
    (void)state;
    enum { ROWS = 3 + 17 + 1, D = 32 };
    static const size_t length[] = {3, 17, 1};
    float want[ROWS * D];
    contexts all = contexts_new();
    for (int k = 0; k < all.count; k++) {
        ur_model *m = made(all.at[k], 2);
        ur_tape *t = tape_of(all.at[k]);
        int32_t ids[ROWS];
        for (size_t i = 0; i < ROWS; i++)
            ids[i] = (int32_t)(i * 7 % 30);
        ur_model_init(m, 3);
        for (size_t begin = 0, b = 0; b < 3; begin += length[b++]) {
            ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
            const ur_layout *one = ur_new_layout(t, UR_SEQUENCE_MAJOR, 1, &length[b], NULL);
            ur_seq *y = ur_bert_encode(t, m, ur_seq_ints(t, one, ids + begin), NULL, NULL);
            tape_fine(t);
            if (k == 0)
                memcpy(want + begin * D, y->values->data, length[b] * D * sizeof *want);
            same_floats("alone", all.name[k], want + begin * D, y->values->data, length[b] * D);
        }
        ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
        const ur_layout *layout = ur_new_layout(t, UR_SEQUENCE_MAJOR, 3, length, NULL);
        ur_seq *y = ur_bert_encode(t, m, ur_seq_ints(t, layout, ids), NULL, NULL);
        tape_fine(t);
        same_floats("batch", all.name[k], want, y->values->data, ROWS * D);
        ur_tape_free(t);
        ur_model_free(m);
    }
    contexts_free(&all);
}

/* Drop-out acts in training, the same under the same seed, and not in inference. */
static void test_dropout(void **state)
{
    (void)state;
    static const int32_t ids[] = {1, 2, 3, 4};
    static const size_t length = 4;
    ur_context *context = context_of(NULL, 1, NULL);
    ur_bert_config c = ur_bert_defaults();
    ur_model *m;
    float y[4][4 * 8];
    c.vocabulary = 9, c.hidden_size = 8, c.heads = 2, c.layers = 1;
    c.feed_forward_size = 8, c.positions = 4;
    assert_int_equal(ur_bert_new(context, &c, &m, NULL), UR_OK);
    ur_model_init(m, 1);
    ur_tape *t = tape_of(context);
    float *gradient = calloc(ur_params_size(m->params), sizeof *gradient);
    for (int i = 0; i < 4; i++) {
        ur_tape_start(t, i < 3 ? UR_TRAIN : UR_INFER, m->params, i < 3 ? gradient : NULL,
                      i == 2 ? 6 : 5, 0);
        const ur_layout *layout = ur_new_layout(t, UR_SEQUENCE_MAJOR, 1, &length, NULL);
        ur_seq *out = ur_bert_encode(t, m, ur_seq_ints(t, layout, ids), NULL, NULL);
        tape_fine(t);
        memcpy(y[i], out->values->data, sizeof y[i]);
    }
    assert_memory_equal(y[0], y[1], sizeof y[0]);
    assert_memory_not_equal(y[0], y[2], sizeof y[0]);
    assert_memory_not_equal(y[0], y[3], sizeof y[0]);
    ur_tape_free(t);
    free(gradient);
    ur_model_free(m);
    ur_context_free(context);
}

static void test_misuse(void **state)
{
    (void)state;
    static const int32_t ids[] = {1, 2, 3, 99}, zero[] = {0, 0, 0, 7};
    static const size_t length = 3, longer = 8;
    static const int32_t many[8] = {0};
    ur_context *context = context_of(NULL, 1, NULL);
    ur_model *m = made(context, 1);
    ur_tape *t = tape_of(context);
    ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
    const ur_layout *layout = ur_new_layout(t, UR_SEQUENCE_MAJOR, 1, &length, NULL);
    ur_seq *y =
        ur_bert_encode(t, m, ur_seq_ints(t, layout, ids), ur_seq_ints(t, layout, zero), NULL);
    assert_null(ur_bert_pool(t, m, y));
    tape_failed(t, UR_INVALID, "no pooler");
    ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
    assert_null(ur_bert_words(t, m, NULL));
    tape_failed(t, UR_INVALID, "no head");
    ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
    layout = ur_new_layout(t, UR_SEQUENCE_MAJOR, 1, &length, NULL);
    assert_null(ur_bert_encode(t, m, ur_seq_ints(t, layout, ids + 1), NULL, NULL));
    tape_failed(t, UR_INVALID, "99");
    ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
    layout = ur_new_layout(t, UR_SEQUENCE_MAJOR, 1, &length, NULL);
    assert_null(
        ur_bert_encode(t, m, ur_seq_ints(t, layout, ids), ur_seq_ints(t, layout, zero + 1), NULL));
    tape_failed(t, UR_INVALID, "7");
    ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
    layout = ur_new_layout(t, UR_SEQUENCE_MAJOR, 1, &longer, NULL);
    assert_null(ur_bert_encode(t, m, ur_seq_ints(t, layout, many), NULL, NULL));
    tape_failed(t, UR_INVALID, "7 positions");
    ur_tape_free(t);
    ur_model_free(m);
    ur_context_free(context);
}

/* ---- settings --------------------------------------------------------------------------------- */

static ur_status load(const char *text, ur_bert_config *c, ur_err *err)
{
    char path[] = "/tmp/unroll-bert-XXXXXX";
    FILE *f = fdopen(mkstemp(path), "w");
    fputs(text, f);
    fclose(f);
    const ur_status status = ur_bert_config_load(NULL, path, c, err);
    unlink(path);
    return status;
}

static void test_config(void **state)
{
    (void)state;
    ur_bert_config c;
    ur_err err;
    /* what a key means that is missing: transformers' BertConfig */
    assert_int_equal(load("{}", &c, &err), UR_OK);
    const ur_bert_config d = ur_bert_defaults();
    assert_memory_equal(&c, &d, sizeof c);
    assert_int_equal(d.vocabulary, 30522);
    assert_int_equal(
        load("{\"model_type\": \"bert\", \"hidden_size\": 24, \"num_attention_heads\": 3,"
             "\"hidden_act\": \"gelu_pytorch_tanh\", \"layer_norm_eps\": 1e-5,"
             "\"architectures\": [\"BertModel\"], \"use_cache\": true,"
             "\"type_vocab_size\": 1, \"classifier_dropout\": null}",
             &c, &err),
        UR_OK);
    assert_int_equal(c.hidden_size, 24);
    assert_int_equal(c.segments, 1);
    assert_int_equal(c.activation, UR_ACT_GELU_TANH);
    assert_true(c.layer_norm_eps == 1e-5f);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
        ur_status status;
    } cases[] = {
        {"{\"model_type\": \"roberta\"}", "roberta", UR_UNSUPPORTED},
        {"{\"model_type\": \"distilbert\"}", "distilbert", UR_UNSUPPORTED},
        {"{\"architectures\": [\"RobertaModel\"]}", "RobertaModel", UR_UNSUPPORTED},
        {"{\"hidden_act\": \"silu\"}", "\"hidden_act\" is \"silu\"", UR_BAD_FILE},
        {"{\"hidden_act\": \"none\"}", "hidden_act", UR_BAD_FILE},
        {"{\"position_embedding_type\": \"relative_key\"}", "relative_key", UR_BAD_FILE},
        {"{\"is_decoder\": true}", "is_decoder", UR_UNSUPPORTED},
        {"{\"add_cross_attention\": true}", "add_cross_attention", UR_UNSUPPORTED},
        {"{\"hidden_sise\": 8}", "hidden_sise", UR_BAD_FILE},
        {"{\"num_hidden_layers\": 49}", "num_hidden_layers", UR_BAD_FILE},
        {"{\"num_attention_heads\": 5}", "5 heads", UR_BAD_FILE},
        {"{\"hidden_dropout_prob\": 1}", "hidden_dropout_prob", UR_BAD_FILE},
        {"[]", "object", UR_BAD_FILE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ur_bert_config c;
        ur_err err;
        assert_int_equal(load(cases[i].text, &c, &err), cases[i].status);
        if (!strstr(err.text, cases[i].part))
            fail_msg("'%s' has no '%s'", err.text, cases[i].part);
    }
}

static ur_status build_it(const ur_allocator *a, ur_err *err, void *arg)
{
    const ur_options options = {.allocator = a, .threads = 1};
    ur_bert_config c = ur_bert_defaults();
    ur_context *context;
    ur_model *m = NULL;
    (void)arg;
    c.vocabulary = 9, c.hidden_size = 8, c.heads = 2, c.layers = 2;
    c.feed_forward_size = 8, c.positions = 4;
    ur_status status = ur_context_new(&options, &context, err);
    if (status != UR_OK)
        return status;
    status = ur_bert_new(context, &c, &m, err);
    ur_model_free(m);
    ur_context_free(context);
    return status;
}

static void test_memory(void **state)
{
    (void)state;
    assert_true(failing_alloc_sweep(build_it, NULL) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),  cmocka_unit_test(test_alone),
        cmocka_unit_test(test_dropout), cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_config),  cmocka_unit_test(test_refused),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
