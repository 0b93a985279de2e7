/* tagger_run.c - what a tagger or classifier says to many texts, and how right it is.
 *
 * The texts are taken longest first, SHARD of them at a time, so that those of a batch are of like
 * length; threads share the batches. What is said to a text does not depend on its company, and
 * sums run in the texts' own order, so neither depends on the threads. */
#include "models/tagger.h"

#include <string.h>

#include "backend/context.h"
#include "base/alloc.h"
#include "base/status.h"
#include "base/tiny.h"
#include "models/confusion.h"

enum { SHARD = UR_SIZE(32, 3) };

typedef struct running {
    const ur_model *model;
    const ur_tagging *job;
    size_t *order;   /* (count) longest first */
    size_t *at;      /* (count) of a text's first answer */
    ur_tape **tapes; /* (threads) */
    ur_err *error;   /* (threads) */
} running;

static size_t answers_to(const ur_model *model, ur_ids text)
{
    return ur_as_tagger(model)->config.per_sequence ? 1 : text.length;
}

/* ---- a shard ------------------------------------------------------------------------------ */

static ur_seq *load(ur_tape *t, const ur_tagging *job, size_t count, const size_t *which)
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

static int32_t largest(const float *x, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (x[i] > x[best])
            best = i;
    return (int32_t)best;
}

/* Answer `at` from its logits. */
static void keep(const ur_kernels *kernels, const ur_tagging *job, size_t labels, const float *row,
                 size_t at)
{
    float *p = job->probability ? job->probability + at * labels : NULL;
    if (job->label)
        job->label[at] = largest(row, labels);
    if (job->target)
        job->loss[at] = kernels->cross_entropy(labels, row, job->target[at], p);
    else if (p)
        kernels->softmax(labels, row, p);
}

static void run_shard(void *arg, size_t s, int worker)
{
    running *r = arg;
    const size_t begin = s * SHARD, left = r->job->count - begin;
    const size_t count = left < SHARD ? left : SHARD, *which = r->order + begin;
    ur_tape *t = r->tapes[worker];
    ur_tape_start(t, UR_INFER, r->model->params, NULL, 0, 0);
    const ur_seq *logits = ur_tagger_forward(t, r->model, load(t, r->job, count, which));
    if (!logits) {
        ur_fail(&r->error[worker], ur_tape_status(t), "%s", ur_error(t));
        return;
    }
    const size_t labels = logits->values->dim[1];
    const float *x = ur_floats(logits->values);
    for (size_t i = 0; i < count; i++)
        for (size_t step = 0; step < logits->layout->length[i]; step++)
            keep(t->cpu.kernels, r->job, labels, x + ur_row(logits->layout, i, step) * labels,
                 r->at[which[i]] + step);
}

/* ---- all of them -------------------------------------------------------------------------- */

/* Places by falling length, stable (a counting sort); and where each text's answers begin. */
static bool sort(const ur_allocator *a, running *r)
{
    const ur_tagging *job = r->job;
    size_t longest = 0, answers = 0;
    for (size_t i = 0; i < job->count; i++) {
        longest = job->texts[i].length > longest ? job->texts[i].length : longest;
        r->at[i] = answers;
        answers += answers_to(r->model, job->texts[i]);
    }
    size_t *place = ur_alloc_zero(a, longest + 2, sizeof *place);
    if (!place)
        return false;
    for (size_t i = 0; i < job->count; i++)
        place[longest - job->texts[i].length + 1]++;
    for (size_t n = 1; n <= longest + 1; n++)
        place[n] += place[n - 1];
    for (size_t i = 0; i < job->count; i++)
        r->order[place[longest - job->texts[i].length]++] = i;
    ur_free(a, place);
    return true;
}

static ur_status prepare(ur_context *context, running *r, bool team, ur_err *err)
{
    const ur_allocator *a = &context->allocator;
    const size_t threads = (size_t)ur_context_threads(context), count = r->job->count;
    r->order = ur_alloc(a, count, sizeof *r->order);
    r->at = ur_alloc(a, count, sizeof *r->at);
    r->tapes = ur_alloc_zero(a, threads, sizeof(ur_tape *));
    r->error = ur_alloc_zero(a, threads, sizeof *r->error);
    if (!r->order || !r->at || !r->tapes || !r->error || !sort(a, r))
        return ur_no_memory(err, count * sizeof *r->order);
    for (size_t i = 0; i < threads; i++) {
        const ur_status status = ur_tape_new(context, &r->tapes[i], err);
        if (status != UR_OK)
            return status;
        ur_tape_use_team(r->tapes[i], team);
    }
    return UR_OK;
}

static ur_status first_error(const ur_context *context, const running *r, ur_err *err)
{
    for (int i = 0; i < ur_context_threads(context); i++)
        if (r->error[i].status != UR_OK)
            return ur_fail(err, r->error[i].status, "%s", r->error[i].text);
    return UR_OK;
}

ur_status ur_tagger_run(ur_context *context, const ur_model *model, const ur_tagging *job,
                        ur_err *err)
{
    const ur_allocator *a = &context->allocator;
    const size_t shards = (job->count + SHARD - 1) / SHARD;
    const bool team = shards < (size_t)ur_context_threads(context);
    running r = {.model = model, .job = job};
    ur_status status = prepare(context, &r, team, err);
    if (status == UR_OK) {
        const ur_fpmode mode = ur_fpmode_enter();
        if (team)
            for (size_t s = 0; s < shards; s++)
                run_shard(&r, s, 0);
        else
            ur_pool_for(context->pool, shards, run_shard, &r);
        ur_fpmode_leave(mode);
        status = first_error(context, &r, err);
    }
    for (int i = 0; r.tapes && i < ur_context_threads(context); i++)
        ur_tape_free(r.tapes[i]);
    ur_free(a, r.tapes);
    ur_free(a, r.error);
    ur_free(a, r.order);
    ur_free(a, r.at);
    return status;
}

ur_status ur_tagger_apply(ur_context *context, const ur_model *model, size_t count,
                          const ur_ids *texts, int32_t *label, float *probability, ur_err *err)
{
    const ur_tagging job = {
        .count = count, .texts = texts, .label = label, .probability = probability};
    return ur_tagger_run(context, model, &job, err);
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
                           model->class_of->kind, i, ur_labelled_labels(data, i).length,
                           answers_to(model, e->texts[i]));
    for (size_t i = 0; i < e->answers; i++)
        if (e->target[i] < 0 || (size_t)e->target[i] >= e->labels)
            return ur_fail(err, UR_INVALID, "%s: label %d of the data is not in [0, %zu)",
                           model->class_of->kind, (int)e->target[i], e->labels);
    return UR_OK;
}

static void add_up(examined *e, ur_measure *out, ur_confusion *confusion)
{
    ur_f1_mean mean = {0};
    for (size_t i = 0; i < e->answers; i++) {
        const size_t target = (size_t)e->target[i], label = (size_t)e->label[i];
        out->loss += (double)e->loss[i];
        out->right += target == label;
        e->right[target] += target == label;
        e->present[target]++;
        e->predicted[label]++;
        if (confusion)
            confusion->counts[target * e->labels + label]++;
    }
    for (size_t i = 0; i < e->labels; i++) {
        const ur_label_score score = ur_label_score_of(e->present[i], e->predicted[i], e->right[i]);
        ur_f1_add(&mean, &score);
    }
    out->positions = out->examples = e->answers;
    out->f1 = ur_f1_value(&mean);
}

ur_status ur_tagger_evaluate(ur_context *context, const ur_model *model, const ur_labelled *data,
                             ur_measure *out, ur_confusion **confusion, ur_err *err)
{
    const ur_allocator *a = &context->allocator;
    examined e = {.labels = ur_as_tagger(model)->config.labels};
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
        const ur_tagging job = {.count = e.count,
                                .texts = e.texts,
                                .label = e.label,
                                .target = e.target,
                                .loss = e.loss};
        status = ur_tagger_run(context, model, &job, err);
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
