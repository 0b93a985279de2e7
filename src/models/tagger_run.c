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
    const size_t *at; /* (count + 1) of each text's first answer, and of all answers' end */
    int32_t *label;
    float *probability;
    const int32_t *target;
    float *loss;
} tagging;

typedef struct running {
    const ur_labeller *how;
    const ur_model *model;
    const tagging *job;
} running;

/* ---- a shard ------------------------------------------------------------------------------ */

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
    const ur_seq *logits = r->how->logits(t, r->model, count, which, r->job->texts);
    (void)result;
    if (!logits)
        return;
    const size_t labels = logits->values->dim[1];
    const float *x = ur_read(t, logits->values);
    for (size_t i = 0; x && i < count; i++) {
        const size_t *at = r->job->at + which[i], answers = logits->layout->length[i];
        if (at[1] - at[0] != answers) {
            ur_tape_fail(t, UR_INVALID, "%s: text %zu of the data has %zu labels, %zu expected",
                         r->model->kind->name, which[i], at[1] - at[0], answers);
            return;
        }
        for (size_t step = 0; step < answers; step++)
            keep(t->context, r->job, labels, x + ur_row(logits->layout, i, step) * labels,
                 at[0] + step);
    }
}

static ur_status tag(ur_context *context, const ur_labeller *how, const ur_model *model,
                     const tagging *job, ur_err *err)
{
    running r = {how, model, job};
    const ur_items_job items = {.count = job->count, .length = length_of, .run = run_shard};
    return ur_run_items(context, model->params, &items, &r, err);
}

/* ---- evaluation --------------------------------------------------------------------------- */

/* A data set's answers beside the model's, one after the other. */
typedef struct examined {
    size_t count, answers, labels;
    ur_ids *texts;           /* (count) */
    size_t *at;              /* (count + 1); see tagging */
    int32_t *target, *label; /* (answers) */
    float *loss;             /* (answers) */
} examined;

static bool take(const ur_allocator *a, const ur_labelled *data, examined *e)
{
    e->count = ur_labelled_count(data);
    for (size_t i = 0; i < e->count; i++)
        e->answers += ur_labelled_labels(data, i).length;
    e->texts = ur_alloc(a, e->count, sizeof *e->texts);
    e->at = ur_alloc(a, e->count + 1, sizeof *e->at);
    e->target = ur_alloc(a, e->answers, sizeof *e->target);
    e->label = ur_alloc(a, e->answers, sizeof *e->label);
    e->loss = ur_alloc(a, e->answers, sizeof *e->loss);
    if (!e->texts || !e->at || !e->target || !e->label || !e->loss)
        return false;
    e->at[0] = 0;
    for (size_t i = 0; i < e->count; i++) {
        const ur_ids labels = ur_labelled_labels(data, i);
        e->texts[i] = ur_labelled_tokens(data, i);
        memcpy(e->target + e->at[i], labels.ids, labels.length * sizeof *labels.ids);
        e->at[i + 1] = e->at[i] + labels.length;
    }
    return true;
}

/* Whether the data's labels are the model's. */
static ur_status check(const ur_model *model, const examined *e, ur_err *err)
{
    for (size_t i = 0; i < e->answers; i++)
        if (e->target[i] != UR_UNKNOWN && (e->target[i] < 0 || (size_t)e->target[i] >= e->labels))
            return ur_fail(err, UR_INVALID, "%s: label %d of the data is not in [0, %zu)",
                           model->kind->name, (int)e->target[i], e->labels);
    return UR_OK;
}

/* each: all zero. */
static void add_up(const examined *e, ur_confusion *each, ur_measure *out)
{
    for (size_t i = 0; i < e->answers; i++) {
        const size_t label = (size_t)e->label[i];
        each->predicted[label]++;
        if (e->target[i] == UR_UNKNOWN) {
            out->unknown++;
            continue;
        }
        const size_t target = (size_t)e->target[i];
        out->loss += (double)e->loss[i];
        out->sum[UR_TAGGER_ACCURACY] += target == label;
        each->right[target] += target == label;
        each->present[target]++;
    }
    out->positions = out->examples = e->answers;
    out->sum[UR_TAGGER_F1] = ur_confusion_f1(each);
}

static void add_counts(const examined *e, const ur_confusion *each, ur_confusion *confusion)
{
    for (size_t i = 0; confusion->present && i < e->labels; i++) {
        confusion->present[i] += each->present[i];
        confusion->predicted[i] += each->predicted[i];
        confusion->right[i] += each->right[i];
    }
    for (size_t i = 0; confusion->counts && i < e->answers; i++)
        if (e->target[i] != UR_UNKNOWN)
            confusion->counts[(size_t)e->target[i] * e->labels + (size_t)e->label[i]]++;
}

ur_status ur_labels_measure(const ur_labeller *how, const ur_model *model, const void *data,
                            ur_measure *out, ur_confusion *confusion, ur_err *err)
{
    ur_context *context = model->context;
    const ur_allocator *a = &context->allocator;
    examined e = {.labels = how->labels(model)};
    ur_confusion *each = NULL;
    *out = (ur_measure){0};
    if (confusion && confusion->labels != e.labels)
        return ur_fail(err, UR_INVALID, "%s: a confusion matrix of %zu labels, %zu expected",
                       model->kind->name, confusion->labels, e.labels);
    ur_status status = ur_confusion_new(a, e.labels, false, &each, err);
    if (status == UR_OK && !take(a, data, &e))
        status = ur_no_memory(err, e.answers * 3 * sizeof *e.label);
    if (status == UR_OK)
        status = check(model, &e, err);
    if (status == UR_OK) {
        const tagging job = {.count = e.count,
                             .texts = e.texts,
                             .at = e.at,
                             .label = e.label,
                             .target = e.target,
                             .loss = e.loss};
        status = tag(context, how, model, &job, err);
    }
    if (status == UR_OK)
        add_up(&e, each, out);
    if (status == UR_OK && confusion)
        add_counts(&e, each, confusion);
    void *taken[] = {e.texts, e.at, e.target, e.label, e.loss};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        ur_free(a, taken[i]);
    ur_confusion_free(a, each);
    return status;
}

/* ---- texts as UTF-8 ----------------------------------------------------------------------- */

bool ur_next_word(const char **left, const char **word, size_t *size)
{
    *left += strspn(*left, " \t\r\n");
    *word = *left;
    *size = strcspn(*left, " \t\r\n");
    *left += *size;
    return *size > 0;
}

/* The words of a sentence as they stand in it. */
static const char **words_of(const ur_prediction *out, size_t count)
{
    const char **words = ur_prediction_take(out, count, sizeof *words), *word;
    char *to = ur_prediction_take(out, strlen(out->input) + 1, 1);
    const char *left = out->input;
    size_t size;
    if (!words || !to)
        return NULL;
    for (size_t i = 0; i < count && ur_next_word(&left, &word, &size); i++) {
        words[i] = memcpy(to, word, size);
        to[size] = '\0';
        to += size + 1;
    }
    return words;
}

/* From logits, whose sequence `b` is this text. */
static bool fill(ur_tape *t, const ur_labeller *how, const ur_assets *assets, const ur_seq *logits,
                 size_t b, ur_prediction *out)
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
    if (!how->per_sequence)
        out->tokens = words_of(out, n);
    return out->labels && (out->tokens || how->per_sequence);
}

bool ur_labels_predict(const ur_labeller *how, ur_tape *t, const ur_assets *assets, size_t count,
                       const size_t *which, const ur_ids *ids, ur_prediction *out)
{
    const ur_seq *logits = how->logits(t, assets->model, count, which, ids);
    for (size_t i = 0; logits && i < count; i++)
        if (!fill(t, how, assets, logits, i, &out[which[i]]))
            return false;
    return true;
}

/* ---- the recurrent ones --------------------------------------------------------------------- */

static size_t labels_of(const ur_model *model)
{
    return ur_as_tagger(model)->config->labels;
}

static ur_seq *logits_of(ur_tape *t, const ur_model *model, size_t count, const size_t *which,
                         const ur_ids *texts)
{
    ur_ids *some = ur_take(t, count, sizeof *some);
    for (size_t i = 0; some && i < count; i++)
        some[i] = texts[which[i]];
    const ur_seq *tokens = some ? ur_joined(t, UR_STEP_MAJOR, count, some, NULL) : NULL;
    return tokens ? ur_tagger_forward(t, model, tokens) : NULL;
}

static const ur_labeller tagging_texts = {.labels = labels_of, .logits = logits_of};
static const ur_labeller classifying_texts = {
    .per_sequence = true, .labels = labels_of, .logits = logits_of};

static const ur_labeller *labeller_of(const ur_model *model)
{
    return ur_per_sequence(model) ? &classifying_texts : &tagging_texts;
}

ur_status ur_tagger_apply(ur_context *context, const ur_model *model, size_t count,
                          const ur_ids *texts, int32_t *label, float *probability, ur_err *err)
{
    if (!ur_is_tagger(model))
        return ur_model_check(model, &ur_kind_tagger, err);
    const ur_allocator *a = ur_context_allocator(context);
    size_t *at = ur_alloc(a, count + 1, sizeof *at);
    if (!at)
        return ur_no_memory(err, count * sizeof *at);
    at[0] = 0;
    for (size_t i = 0; i < count; i++)
        at[i + 1] = at[i] + (ur_per_sequence(model) ? 1 : texts[i].length);
    const tagging job = {
        .count = count, .texts = texts, .at = at, .label = label, .probability = probability};
    const ur_status status = tag(context, labeller_of(model), model, &job, err);
    ur_free(a, at);
    return status;
}

ur_status ur_tagger_measure(const ur_model *model, const void *data, ur_measure *out,
                            ur_confusion *confusion, ur_err *err)
{
    return ur_labels_measure(labeller_of(model), model, data, out, confusion, err);
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
    const char *left = text;
    size_t size;
    if (!ur_utf8_count(text, bytes, &size))
        return ur_fail(err, UR_BAD_FILE, "the text is not UTF-8 at byte %zu", size);
    ur_normaliser normal = {.a = ur_context_allocator(assets->context), .form = c->text.unicode};
    ur_status status = UR_OK;
    ur_scanner_start(&scanner, &c->text, v);
    while (status == UR_OK && ur_next_word(&left, &word, &size)) {
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

static bool label_some(ur_tape *t, const ur_assets *assets, const ur_search_options *options,
                       size_t count, const size_t *which, const ur_ids *ids, const int32_t *first,
                       ur_prediction *out)
{
    (void)options; /* nothing is searched for */
    (void)first;
    return ur_labels_predict(labeller_of(assets->model), t, assets, count, which, ids, out);
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
