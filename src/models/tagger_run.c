/* tagger_run.c - what a tagger or classifier says to many texts, as ids or as UTF-8, and how right
 * it is.
 *
 * The texts are taken longest first in small batches, which threads share (tape/runner.h). What is
 * said to a text does not depend on its company, and sums run in the texts' own order, so neither
 * depends on the threads. */
#include "models/tagger.h"

#include <string.h>

#include "backend/context.h"
#include "base/alloc.h"
#include "base/status.h"
#include "kernels/math.h"
#include "models/confusion.h"
#include "models/parts.h"
#include "models/predict.h"
#include "tape/runner.h"
#include "text/normalise.h"
#include "text/tokens.h"

/* What a model says to `count` texts; see ur_tagger_apply. target, loss: where the right answers
 * are known, in the order of label, and -log of their probabilities; NULL where they are not. */
typedef struct tagging {
    size_t count;
    const ur_ids *texts;
    int32_t *label;
    float *probability;
    const int32_t *target;
    float *loss;
} tagging;

typedef struct running {
    const ur_model *model;
    const tagging *job;
    size_t *at; /* (count) of a text's first answer */
} running;

static size_t answers_to(const ur_model *model, ur_ids text)
{
    return ur_per_sequence(model) ? 1 : text.length;
}

/* ---- a shard ------------------------------------------------------------------------------ */

static ur_seq *load(ur_tape *t, const tagging *job, size_t count, const size_t *which)
{
    size_t rows = 0, *length = ur_take(t, count, sizeof *length);
    for (size_t i = 0; length && i < count; i++)
        rows += length[i] = job->texts[which[i]].length;
    int32_t *ids = length ? ur_take(t, rows, sizeof *ids) : NULL;
    if (!ids)
        return NULL;
    for (size_t i = 0, at = 0; i < count; at += length[i++])
        if (length[i])
            memcpy(ids + at, job->texts[which[i]].ids, length[i] * sizeof *ids);
    return ur_seq_ints(t, ur_new_layout(t, UR_STEP_MAJOR, count, length, NULL), ids);
}

/* Answer `at` from its logits. */
static void keep(const ur_context *context, const tagging *job, size_t labels, const float *row,
                 size_t at)
{
    float *p = job->probability ? job->probability + at * labels : NULL;
    if (job->label)
        job->label[at] = (int32_t)ur_argmax(row, labels);
    if (job->target && job->target[at] != UR_UNKNOWN)
        job->loss[at] = ur_host_cross_entropy(context, labels, row, job->target[at], p);
    else if (p)
        ur_host_softmax(context, labels, row, p);
}

static size_t length_of(const void *arg, size_t text)
{
    return ((const running *)arg)->job->texts[text].length;
}

static void run_shard(void *arg, ur_tape *t, size_t count, const size_t *which, void *result)
{
    const running *r = arg;
    const ur_seq *logits = ur_tagger_forward(t, r->model, load(t, r->job, count, which));
    (void)result;
    if (!logits)
        return;
    const size_t labels = logits->values->dim[1];
    const float *x = ur_read(t, logits->values);
    for (size_t i = 0; x && i < count; i++)
        for (size_t step = 0; step < logits->layout->length[i]; step++)
            keep(t->context, r->job, labels, x + ur_row(logits->layout, i, step) * labels,
                 r->at[which[i]] + step);
}

static ur_status tag(ur_context *context, const ur_model *model, const tagging *job, ur_err *err)
{
    const ur_allocator *a = &context->allocator;
    running r = {.model = model, .job = job};
    r.at = ur_alloc(a, job->count, sizeof *r.at);
    if (!r.at)
        return ur_no_memory(err, job->count * sizeof *r.at);
    for (size_t i = 0, answers = 0; i < job->count; i++) {
        r.at[i] = answers;
        answers += answers_to(model, job->texts[i]);
    }
    const ur_items_job items = {.count = job->count, .length = length_of, .run = run_shard};
    const ur_status status = ur_run_items(context, model->params, &items, &r, err);
    ur_free(a, r.at);
    return status;
}

ur_status ur_tagger_apply(ur_context *context, const ur_model *model, size_t count,
                          const ur_ids *texts, int32_t *label, float *probability, ur_err *err)
{
    if (!ur_is_tagger(model))
        return ur_model_check(model, &ur_kind_tagger, err);
    const tagging job = {
        .count = count, .texts = texts, .label = label, .probability = probability};
    return tag(context, model, &job, err);
}

/* ---- evaluation --------------------------------------------------------------------------- */

/* A data set's answers beside the model's, one after the other. */
typedef struct examined {
    size_t count, answers, labels;
    ur_ids *texts;                       /* (count) */
    int32_t *target, *label;             /* (answers) */
    float *loss;                         /* (answers) */
    size_t *present, *predicted, *right; /* (labels) */
} examined;

static bool take(const ur_allocator *a, const ur_labelled *data, examined *e)
{
    e->count = ur_labelled_count(data);
    for (size_t i = 0; i < e->count; i++)
        e->answers += ur_labelled_labels(data, i).length;
    e->texts = ur_alloc(a, e->count, sizeof *e->texts);
    e->target = ur_alloc(a, e->answers, sizeof *e->target);
    e->label = ur_alloc(a, e->answers, sizeof *e->label);
    e->loss = ur_alloc(a, e->answers, sizeof *e->loss);
    e->present = ur_alloc_zero(a, e->labels, sizeof *e->present);
    e->predicted = ur_alloc_zero(a, e->labels, sizeof *e->predicted);
    e->right = ur_alloc_zero(a, e->labels, sizeof *e->right);
    if (!e->texts || !e->target || !e->label || !e->loss || !e->present || !e->predicted ||
        !e->right)
        return false;
    for (size_t i = 0, at = 0; i < e->count; i++) {
        const ur_ids labels = ur_labelled_labels(data, i);
        e->texts[i] = ur_labelled_tokens(data, i);
        memcpy(e->target + at, labels.ids, labels.length * sizeof *labels.ids);
        at += labels.length;
    }
    return true;
}

/* Whether the data's labels are the model's, and there are as many as the model gives. */
static ur_status check(const ur_model *model, const ur_labelled *data, const examined *e,
                       ur_err *err)
{
    for (size_t i = 0; i < e->count; i++)
        if (ur_labelled_labels(data, i).length != answers_to(model, e->texts[i]))
            return ur_fail(err, UR_INVALID, "%s: text %zu of the data has %zu labels, %zu expected",
                           model->kind->name, i, ur_labelled_labels(data, i).length,
                           answers_to(model, e->texts[i]));
    for (size_t i = 0; i < e->answers; i++)
        if (e->target[i] != UR_UNKNOWN && (e->target[i] < 0 || (size_t)e->target[i] >= e->labels))
            return ur_fail(err, UR_INVALID, "%s: label %d of the data is not in [0, %zu)",
                           model->kind->name, (int)e->target[i], e->labels);
    return UR_OK;
}

static void add_up(examined *e, ur_measure *out, ur_confusion *confusion)
{
    ur_f1_mean mean = {0};
    for (size_t i = 0; i < e->answers; i++) {
        const size_t target = (size_t)e->target[i], label = (size_t)e->label[i];
        e->predicted[label]++;
        if (e->target[i] == UR_UNKNOWN) {
            out->unknown++;
            continue;
        }
        out->loss += (double)e->loss[i];
        out->sum[UR_TAGGER_ACCURACY] += target == label;
        e->right[target] += target == label;
        e->present[target]++;
        if (confusion)
            confusion->counts[target * e->labels + label]++;
    }
    for (size_t i = 0; i < e->labels; i++) {
        const ur_label_score score = ur_label_score_of(e->present[i], e->predicted[i], e->right[i]);
        ur_f1_add(&mean, &score);
    }
    out->positions = out->examples = e->answers;
    out->sum[UR_TAGGER_F1] = ur_f1_value(&mean);
}

ur_status ur_tagger_measure(const ur_model *model, const void *data, ur_measure *out,
                            ur_confusion **confusion, ur_err *err)
{
    ur_context *context = model->context;
    const ur_allocator *a = &context->allocator;
    examined e = {.labels = ur_as_tagger(model)->config->labels};
    ur_confusion *matrix = NULL;
    *out = (ur_measure){0};
    if (confusion)
        *confusion = NULL;
    ur_status status =
        take(a, data, &e) ? UR_OK : ur_no_memory(err, e.answers * 3 * sizeof *e.label);
    if (status == UR_OK)
        status = check(model, data, &e, err);
    if (status == UR_OK && confusion)
        status = ur_confusion_new(a, e.labels, &matrix, err);
    if (status == UR_OK) {
        const tagging job = {.count = e.count,
                             .texts = e.texts,
                             .label = e.label,
                             .target = e.target,
                             .loss = e.loss};
        status = tag(context, model, &job, err);
    }
    if (status == UR_OK)
        add_up(&e, out, matrix);
    void *taken[] = {e.texts, e.target, e.label, e.loss, e.present, e.predicted, e.right};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        ur_free(a, taken[i]);
    if (status != UR_OK)
        ur_confusion_free(a, matrix);
    else if (confusion)
        *confusion = matrix;
    return status;
}

/* ---- texts as UTF-8 ----------------------------------------------------------------------- */

/* What is left of a text. */
typedef struct rest {
    const char *at;
} rest;

/* The next word; false when there is none. What separates words in a tagger's files does so here, and
 * nothing else: a token may have other white space in it. */
static bool next_word(rest *r, const char **word, size_t *size)
{
    r->at += strspn(r->at, " \t\r\n");
    *word = r->at;
    *size = strcspn(r->at, " \t\r\n");
    r->at += *size;
    return *size > 0;
}

/* A sentence's words, as a tagger's files have them. */
static ur_status encode_words(const ur_assets *assets, const char *text, size_t bytes, int32_t *ids,
                              size_t *count, size_t *unknown, ur_err *err)
{
    const ur_tagger_config *c = assets->config;
    const ur_vocabulary *v = assets->vocabulary;
    const int32_t unk = ur_vocabulary_find_reserved(v, "unk");
    const char *word;
    ur_scanner scanner;
    rest left = {text};
    size_t size;
    if (!ur_utf8_count(text, bytes, &size))
        return ur_fail(err, UR_BAD_FILE, "the text is not UTF-8 at byte %zu", size);
    ur_normaliser normal = {.a = ur_context_allocator(assets->context), .form = c->text.unicode};
    ur_status status = UR_OK;
    ur_scanner_start(&scanner, &c->text, v);
    while (status == UR_OK && next_word(&left, &word, &size)) {
        ur_token token;
        status = ur_normalise(&normal, &word, &size, err);
        if (status == UR_OK && ur_scanner_word(&scanner, word, size, &token) == UR_SCAN_TOO_LONG)
            status = ur_token_too_long(err, "the text", 1);
        if (status != UR_OK)
            break;
        const int32_t id = ur_token_id(v, &token, unk); /* or UR_UNKNOWN, which unk then is */
        ids[(*count)++] = id;
        *unknown += id == unk;
    }
    ur_normaliser_free(&normal);
    return status;
}

static ur_status encode(const ur_assets *assets, const char *text, size_t bytes, int32_t *ids,
                        size_t *count, size_t *unknown, ur_err *err)
{
    const ur_tagger_config *c = assets->config;
    if (!ur_per_sequence(assets->model))
        return encode_words(assets, text, bytes, ids, count, unknown, err);
    return ur_text_encode_lacking(&c->text, assets->vocabulary, text, bytes, ids, count, unknown,
                                  err);
}

/* The words of a sentence as they stand in it. */
static const char **words_of(const ur_prediction *out, size_t count)
{
    const char **words = ur_prediction_take(out, count, sizeof *words), *word;
    char *to = ur_prediction_take(out, strlen(out->input) + 1, 1);
    rest left = {out->input};
    size_t size;
    if (!words || !to)
        return NULL;
    for (size_t i = 0; i < count && next_word(&left, &word, &size); i++) {
        words[i] = memcpy(to, word, size);
        to[size] = '\0';
        to += size + 1;
    }
    return words;
}

/* From logits, whose sequence `b` is this text. */
static bool fill(ur_tape *t, const ur_assets *assets, const ur_seq *logits, size_t b,
                 ur_prediction *out)
{
    const size_t n = logits->layout->length[b], labels = logits->values->dim[1];
    if (n > SIZE_MAX / labels)
        return false;
    float *all = ur_prediction_take(out, n * labels, sizeof *all);
    float *probability = ur_prediction_take(out, n, sizeof *probability);
    int32_t *label = ur_prediction_take(out, n, sizeof *label);
    const float *read = ur_read(t, logits->values);
    if (!all || !probability || !label || !read)
        return false;
    for (size_t i = 0; i < n; i++) {
        const float *row = read + ur_row(logits->layout, b, i) * labels;
        label[i] = (int32_t)ur_argmax(row, labels);
        ur_host_softmax(t->context, labels, row, all + i * labels);
        probability[i] = all[i * labels + (size_t)label[i]];
    }
    out->count = n;
    out->all = all;
    out->probability = probability;
    out->labels = ur_prediction_tokens(out, assets->labels, label, n);
    out->complete = true;
    if (!ur_per_sequence(assets->model))
        out->tokens = words_of(out, n);
    return out->labels && (out->tokens || ur_per_sequence(assets->model));
}

static bool label_some(ur_tape *t, const ur_assets *assets, const ur_search_options *options,
                       size_t count, const size_t *which, const ur_ids *ids, const int32_t *first,
                       ur_prediction *out)
{
    const tagging job = {.texts = ids};
    const ur_seq *logits = ur_tagger_forward(t, assets->model, load(t, &job, count, which));
    (void)options; /* nothing is searched for */
    (void)first;
    for (size_t i = 0; logits && i < count; i++)
        if (!fill(t, assets, logits, i, &out[which[i]]))
            return false;
    return true;
}

ur_status ur_tagger_predict(const ur_assets *assets, size_t count, const char *const *texts,
                            const ur_search_options *options, ur_prediction *out, size_t *bad,
                            ur_err *err)
{
    const ur_tagger_config *c = assets->config;
    const ur_predictor how = {.encode = encode,
                              .unicode = c->text.unicode,
                              .reading = &c->reading,
                              .longest = UR_LABELLED_LONGEST,
                              .run = label_some};
    return ur_predict(&how, assets, count, texts, options, out, bad, err);
}
