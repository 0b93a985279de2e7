/* test_bert_qa.c - BERT that answers questions from texts: logits, loss and gradients against transformers
 * (tests/golden/bert_qa, made by tools/golden/bert_qa.py), answers against all parts of a text, what is refused. */
#include "models/bert_qa.h"
#include "support/contexts.h"
#include "support/golden.h"
#include "unroll/decode.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static ur_bert_qa_config config_of(size_t vocabulary, size_t positions)
{
    ur_bert_qa_config c = ur_bert_qa_defaults();
    c.bert.vocabulary = vocabulary;
    c.bert.positions = positions;
    c.bert.hidden_size = 8;
    c.bert.layers = 1;
    c.bert.heads = 2;
    c.bert.feed_forward_size = 12;
    c.bert.dropout = c.bert.attention_dropout = 0;
    return c;
}

static ur_model *made(ur_context *context, const ur_bert_qa_config *c)
{
    ur_model *m;
    ur_err err;
    if (ur_bert_qa_new(context, c, &m, &err) != UR_OK)
        fail_msg("%s", err.text);
    return m;
}

/* ---- the head --------------------------------------------------------------------------------- */

static void compare_gradients(golden *g, const ur_params *p, const float *gradient)
{
    for (size_t k = 0; k < ur_params_count(p); k++) {
        const ur_param *w = ur_params_entry(p, k);
        char name[160];
        snprintf(name, sizeof name, "grad.%s", w->name);
        if (!strstr(w->name, "key.bias") && !strstr(w->name, "qa_outputs.bias") &&
            !strstr(w->name, "0.output.LayerNorm.bias")) /* zero but for rounding */
            golden_compare(g, name, gradient + w->offset, GRADIENT_BOUND);
    }
}

static void check_head(golden *g, ur_context *context)
{
    const ur_bert_qa_config c = config_of(20, 12);
    ur_model *m = made(context, &c);
    ur_tape *t = tape_of(context);
    float *gradient = calloc(ur_params_size(m->params), sizeof *gradient);
    size_t batch, counted = 0;
    const size_t *length = golden_lengths(g, "lengths", &batch);
    const int32_t *start = golden_ints(g, "start", NULL), *end = golden_ints(g, "end", NULL);
    golden_load_params(g, m->params, "param.");
    ur_tape_start(t, UR_TRAIN, m->params, gradient, 0, 0);
    const ur_layout *layout = ur_new_layout(t, UR_SEQUENCE_MAJOR, batch, length, NULL);
    const ur_seq *ids = ur_seq_ints(t, layout, golden_ints(g, "ids", NULL));
    const ur_seq *segments = ur_seq_ints(t, layout, golden_ints(g, "segments", NULL));
    const ur_seq *logits = ur_bert_spans(t, m, ur_bert_encode(t, m, ids, segments, NULL));
    tape_fine(t);
    float *rows = golden_take(g, ur_count(logits->values) * sizeof *rows), *at = rows;
    for (size_t b = 0; b < batch; b++)
        for (size_t s = 0; s < length[b]; s++, at += 2)
            memcpy(at, ur_floats(logits->values) + ur_row(logits->layout, b, s) * 2,
                   2 * sizeof *at);
    golden_compare(g, "logits", rows, FORWARD_BOUND);
    for (size_t b = 0; b < batch; b++)
        counted += (size_t)start[b] < length[b];
    assert_true(counted < batch); /* one is outside */
    ur_tensor *loss = ur_bert_span_loss(t, logits, start, end, (double)counted);
    tape_fine(t);
    golden_compare(g, "loss", ur_floats(loss), FORWARD_BOUND);
    assert_int_equal(ur_backward(t, loss), UR_OK);
    compare_gradients(g, m->params, gradient);
    ur_tape_free(t);
    free(gradient);
    ur_model_free(m);
}

static void as_transformers(void **state)
{
    (void)state;
    golden g = golden_open("bert_qa");
    contexts all = contexts_new();
    for (int k = 0; k < all.count; k++)
        check_head(&g, all.at[k]);
    contexts_free(&all);
    golden_close(&g);
}

/* ---- answers ---------------------------------------------------------------------------------- */

enum { MOST = 400 };

/* A part of the text: its pieces and what it scores. */
typedef struct part {
    double score;
    size_t begin, end;
} part;

typedef struct asked {
    ur_assets assets;
    ur_bert_qa_config config;
    ur_questions *q;
    part part[MOST];
    size_t parts;
    double none;
} asked;

static asked ask(ur_context *context, const char *line, size_t max_answer)
{
    char path[512];
    const char *root = getenv("UNROLL_SOURCE_DIR");
    const ur_wordpiece_options o = ur_wordpiece_defaults();
    asked a = {.config = config_of(145, 16)};
    a.config.max_answer = max_answer;
    snprintf(path, sizeof path, "%s/tests/golden/text/wordpiece_vocab.txt", root ? root : ".");
    a.assets = (ur_assets){.context = context, .kind = ur_kind_find(NULL, "bert_qa")};
    a.assets.model = made(context, &a.config);
    ur_model_init(a.assets.model, 5);
    for (size_t i = 0; i < ur_params_size(a.assets.model->params); i++) /* scores that differ */
        ur_params_values(a.assets.model->params)[i] *= 12.0f;
    assert_int_equal(ur_wordpiece_load(NULL, path, &o, &a.assets.wordpiece, NULL), UR_OK);
    a.assets.config = &a.config;
    const ur_windowing how = ur_bert_windowing(&a.assets);
    a.assets.config = NULL; /* of a struct that is returned */
    assert_int_equal(
        ur_questions_of(ur_context_allocator(context), 1, &line, &how, &a.q, NULL, NULL), UR_OK);
    return a;
}

static void finish(asked *a)
{
    ur_questions_free(a->q);
    ur_wordpiece_free(a->assets.wordpiece);
    ur_model_free(a->assets.model);
}

static void add(asked *a, double score, size_t begin, size_t end)
{
    size_t i = 0;
    while (i < a->parts && (a->part[i].begin != begin || a->part[i].end != end))
        i++;
    assert_true(i < MOST);
    if (i < a->parts && a->part[i].score >= score)
        return;
    a->parts += i == a->parts;
    a->part[i] = (part){score, begin, end};
}

static int by_score(const void *left, const void *right)
{
    const part *a = left, *b = right;
    return a->score != b->score   ? (a->score < b->score) - (a->score > b->score)
           : a->begin != b->begin ? (a->begin > b->begin) - (a->begin < b->begin)
                                  : (a->end > b->end) - (a->end < b->end);
}

/* All parts of the text, whatever their scores. */
static void try_all(asked *a)
{
    for (size_t w = 0; w < a->q->windows; w++) {
        ur_tape *t = tape_of(a->assets.context);
        const ur_asked_window *window = &a->q->window[w];
        const size_t text = ur_asked_offset(a->q, window);
        ur_tape_start(t, UR_INFER, a->assets.model->params, NULL, 0, 0);
        const ur_seq *logits = ur_asked_spans(t, a->assets.model, a->q, 1, &w, NULL);
        tape_fine(t);
        const float *x = ur_floats(logits->values);
        a->none = w == 0 || (double)(x[0] + x[1]) < a->none ? (double)(x[0] + x[1]) : a->none;
        for (size_t b = 0; b < window->count; b++)
            for (size_t e = b; e < window->count && e - b < a->config.max_answer; e++)
                add(a, (double)(x[2 * (text + b)] + x[2 * (text + e) + 1]), window->first + b,
                    window->first + e);
        ur_tape_free(t);
    }
    qsort(a->part, a->parts, sizeof *a->part, by_score);
}

static void same_part(const asked *a, const ur_alternative *got, const ur_text_range *place,
                      const part *want)
{
    const ur_asked_text *text = &a->q->text[0];
    const size_t begin = a->q->piece[text->first + want->begin].begin;
    const size_t end = a->q->piece[text->first + want->end].end;
    size_t first, length;
    assert_int_equal(strlen(got->text), end - begin);
    assert_memory_equal(got->text, text->text + begin, end - begin);
    ur_utf8_count(text->text, begin, &first);
    ur_utf8_count(text->text + begin, end - begin, &length);
    assert_int_equal(place->begin, first);
    assert_int_equal(place->end, first + length);
    assert_true(fabs(got->score - want->score) < 1e-5);
}

static void best_parts(void **state)
{
    (void)state;
    const char *line =
        "the cat ?\tcafé sat on 東京 . hello the mat, running world un x 12 a b c d sat";
    ur_context *context = context_of(NULL, 1, NULL);
    const ur_search_options options = {.beam = 20, .n_best = 20};
    asked a = ask(context, line, 4);
    ur_prediction got;
    ur_err err;
    a.assets.config = &a.config;
    assert_true(a.q->windows > 2);
    try_all(&a);
    assert_true(a.parts > 20);
    if (ur_bert_qa_predict(&a.assets, 1, &line, &options, &got, NULL, &err) != UR_OK)
        fail_msg("%s", err.text);
    double sum = 0.0;
    assert_int_equal(got.n_alternatives, 20);
    for (size_t i = 0; i < 20; i++) {
        same_part(&a, &got.alternatives[i], &got.place[i], &a.part[i]);
        sum += exp(got.alternatives[i].log_probability);
    }
    assert_true(fabs(sum - 1.0) < 1e-5);
    assert_string_equal(got.text, got.alternatives[0].text);
    ur_prediction_free(context, &got);
    /* where there may be none */
    a.config.unanswerable = true;
    a.config.null_threshold = -1e9;
    assert_int_equal(ur_bert_qa_predict(&a.assets, 1, &line, &options, &got, NULL, &err), UR_OK);
    assert_string_equal(got.text, "");
    assert_int_equal(got.place->begin + got.place->end, 0);
    assert_true(fabs(got.score - a.none) < 1e-5);
    same_part(&a, &got.alternatives[1], &got.place[1], &a.part[0]);
    ur_prediction_free(context, &got);
    a.config.null_threshold = 1e9;
    assert_int_equal(ur_bert_qa_predict(&a.assets, 1, &line, NULL, &got, NULL, &err), UR_OK);
    assert_string_not_equal(got.text, "");
    assert_int_equal(got.n_alternatives, 0);
    ur_prediction_free(context, &got);
    finish(&a);
    ur_context_free(context);
}

/* ---- what is refused -------------------------------------------------------------------------- */

static void refused(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    ur_bert_qa_config c;
    ur_model *m;
    ur_err err;
#define REFUSED(change, part)                                                                      \
    do {                                                                                           \
        c = config_of(20, 12);                                                                     \
        c.change;                                                                                  \
        assert_int_equal(ur_bert_qa_new(context, &c, &m, &err), UR_INVALID);                       \
        assert_non_null(strstr(err.text, part));                                                   \
    } while (0)
    REFUSED(bert.segments = 1, "one segment");
    REFUSED(text.reading.max_length = 13, "reads 12 at most");
    REFUSED(text.reading.max_length = 4, "5 are needed");
    REFUSED(max_answer = 0, "max_answer");
    c = config_of(20, 12);
    m = made(context, &c);
    assert_int_equal(ur_bert_qa_config_of(m)->max_answer, 30);
    assert_true(ur_params_find(m->params, "qa_outputs.weight") >= 0);
    assert_true(ur_params_find(m->params, "bert.pooler.dense.weight") < 0);
    assert_null(ur_bert_labels_config_of(m));
    ur_tape *t = tape_of(context);
    ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
    const size_t two[] = {2, 1};
    const float numbers[9] = {0};
    const ur_layout *layout = ur_new_layout(t, UR_SEQUENCE_MAJOR, 2, two, NULL);
    const int32_t at[2] = {0, 0};
    assert_null(ur_bert_span_loss(t, ur_seq_floats(t, layout, 3, numbers, false), at, at, 2.0));
    tape_failed(t, UR_INVALID, "two numbers");
    ur_model_free(m);
    ur_bert_config plain = ur_bert_defaults();
    plain.vocabulary = 20, plain.hidden_size = 8, plain.heads = 2, plain.layers = 1;
    plain.feed_forward_size = 8, plain.positions = 12;
    assert_int_equal(ur_bert_new(context, &plain, &m, &err), UR_OK);
    assert_null(ur_bert_qa_config_of(m));
    ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
    assert_null(ur_bert_spans(t, m, NULL));
    tape_failed(t, UR_INVALID, "bert_qa");
    ur_tape_free(t);
    ur_model_free(m);
    ur_context_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_transformers),
        cmocka_unit_test(best_parts),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
