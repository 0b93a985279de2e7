/* bert_answers.c - answers that are cut out of a text: the best parts of each window, of all windows of a
 * question, how right they are, and predictions made of them.
 *
 *   score of the pieces [b, e] of a window = s_b + e_e,   b and e among the BEST pieces of the text that begin
 *   and end an answer best, b <= e < b + max_answer
 *   of no answer = least over the windows of s_0 + e_0
 * As in transformers' run_qa.py, but that a part that several windows show counts once, with its best score, and
 * that only pieces of the text are among the BEST. Probabilities are the softmax of the scores of the BEST
 * answers. */
#include "models/bert_qa.h"

#include <string.h>

#include "backend/context.h"
#include "base/alloc.h"
#include "base/arena.h"
#include "base/status.h"
#include "kernels/math.h"
#include "models/predict.h"
#include "tape/runner.h"
#include "unroll/decode.h"

enum { BEST = 20 };

/* Pieces [begin, end] of a text. */
typedef struct span {
    float score;
    uint32_t begin, end;
} span;

/* The best ones, best first. */
typedef struct spans {
    span *at; /* (most) */
    size_t count, most;
} spans;

/* ---- the best parts ----------------------------------------------------------------------- */

/* Of equals the one that begins, then the one that ends first. */
static bool better(const span *a, const span *b)
{
    if (a->score != b->score)
        return a->score > b->score;
    return a->begin != b->begin ? a->begin < b->begin : a->end < b->end;
}

/* Puts one in its place; a part that is there already keeps its better score. */
static void put(spans *s, span new)
{
    size_t at = 0;
    while (at < s->count && (s->at[at].begin != new.begin || s->at[at].end != new.end))
        at++;
    if (at < s->count && !better(&new, &s->at[at]))
        return;
    if (at == s->count && s->count == s->most && !better(&new, &s->at[--at]))
        return;
    s->count += at == s->count;
    for (; at > 0 && better(&new, &s->at[at - 1]); at--)
        s->at[at] = s->at[at - 1];
    s->at[at] = new;
}

/* The steps of the n with the largest numbers, at most BEST, of equals the first. */
static size_t largest(const float *x, size_t n, uint32_t step[BEST])
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        size_t at;
        if (count == BEST && !(x[i] > x[step[BEST - 1]]))
            continue;
        for (at = count < BEST ? count++ : BEST - 1; at > 0 && x[i] > x[step[at - 1]]; at--)
            step[at] = step[at - 1];
        step[at] = (uint32_t)i;
    }
    return count;
}

/* Of a window that shows n pieces of the text from `first` on: s and e are theirs. */
static void find_spans(const float *s, const float *e, size_t n, size_t first, size_t max_answer,
                       spans *out)
{
    uint32_t start[BEST] = {0}, end[BEST] = {0};
    const size_t starts = largest(s, n, start), ends = largest(e, n, end);
    for (size_t i = 0; i < starts; i++)
        for (size_t k = 0; k < ends; k++)
            if (end[k] >= start[i] && end[k] - start[i] < max_answer)
                put(out, (span){s[start[i]] + e[end[k]], (uint32_t)first + start[i],
                                (uint32_t)first + end[k]});
    /* none of the best ends stands behind one of the best starts: any does */
    for (size_t i = 0; out->count == 0 && i < starts; i++)
        put(out, (span){s[start[i]] + e[start[i]], (uint32_t)first + start[i],
                        (uint32_t)first + start[i]});
}

/* ---- windows ------------------------------------------------------------------------------ */

typedef struct asking {
    const ur_model *model;
    const ur_questions *q;
    size_t most;   /* parts that are kept */
    span *part;    /* (windows, most) */
    size_t *parts; /* (windows) */
    float *none;   /* (windows) what no answer scores */
    float *loss;   /* (windows) */
    span *best;    /* (most) of a question */
} asking;

static size_t length_of(const void *arg, size_t i)
{
    const asking *a = arg;
    return ur_asked_length(a->q, &a->q->window[i]);
}

static void take_window(ur_tape *t, const asking *a, size_t i, const float *s, const float *e,
                        size_t length)
{
    const ur_asked_window *w = &a->q->window[i];
    const size_t text = ur_asked_offset(a->q, w);
    spans out = {.at = a->part + i * a->most, .most = a->most};
    find_spans(s + text, e + text, w->count, w->first, a->q->answering.max_answer, &out);
    a->parts[i] = out.count;
    a->none[i] = s[0] + e[0];
    a->loss[i] = w->start < 0
                     ? 0.0f
                     : 0.5f * (ur_host_cross_entropy(t->context, length, s, w->start, NULL) +
                               ur_host_cross_entropy(t->context, length, e, w->end, NULL));
}

static void run_shard(void *arg, ur_tape *t, size_t count, const size_t *which, void *result)
{
    const asking *a = arg;
    const ur_seq *logits = ur_asked_spans(t, a->model, a->q, count, which, NULL);
    const float *x = logits ? ur_read(t, logits->values) : NULL;
    (void)result;
    for (size_t i = 0; x && i < count; i++) {
        const size_t length = logits->layout->length[i];
        float *s = ur_take(t, length, sizeof *s), *e = ur_take(t, length, sizeof *e);
        if (!s || !e)
            return;
        for (size_t k = 0; k < length; k++) {
            const float *row = x + ur_row(logits->layout, i, k) * 2;
            s[k] = row[0];
            e[k] = row[1];
        }
        take_window(t, a, which[i], s, e, length);
    }
}

/* Asks the model about all windows. To be freed whatever it returns. */
static ur_status ask(asking *a, ur_err *err)
{
    const size_t n = a->q->windows;
    const ur_allocator *memory = &a->model->context->allocator;
    const ur_items_job job = {.count = n, .length = length_of, .run = run_shard};
    if (a->most > SIZE_MAX / sizeof(span) / (n + 1))
        return ur_no_memory(err, SIZE_MAX);
    a->part = ur_alloc(memory, n * a->most, sizeof *a->part);
    a->parts = ur_alloc(memory, n, sizeof *a->parts);
    a->none = ur_alloc(memory, n, sizeof *a->none);
    a->loss = ur_alloc(memory, n, sizeof *a->loss);
    a->best = ur_alloc(memory, a->most, sizeof *a->best);
    if (!a->part || !a->parts || !a->none || !a->loss || !a->best)
        return ur_no_memory(err, n * a->most * sizeof *a->part);
    return n ? ur_run_items(a->model->context, a->model->params, &job, a, err) : UR_OK;
}

static void free_asking(const asking *a)
{
    const ur_allocator *memory = &a->model->context->allocator;
    ur_free(memory, a->part);
    ur_free(memory, a->parts);
    ur_free(memory, a->none);
    ur_free(memory, a->loss);
    ur_free(memory, a->best);
}

/* ---- questions ---------------------------------------------------------------------------- */

/* The best parts for question i, from all of its windows, valid until the next call; what no answer scores. */
static spans collect(const asking *a, size_t i, float *none)
{
    const ur_question *asked = &a->q->question[i];
    spans all = {.at = a->best, .most = a->most};
    for (size_t k = asked->window; k < asked->window + asked->windows; k++) {
        *none = k == asked->window || a->none[k] < *none ? a->none[k] : *none;
        for (size_t p = 0; p < a->parts[k]; p++)
            put(&all, a->part[k * a->most + p]);
    }
    return all;
}

/* Whether there is no answer to a question. */
static bool is_none(const asking *a, const spans *s, float none)
{
    const ur_answering *how = &a->q->answering;
    return s->count == 0 ||
           (how->unanswerable && (double)none - (double)s->at[0].score > how->threshold);
}

/* The bytes of a part. */
static ur_answer_text text_of(const ur_questions *q, size_t question, const span *s)
{
    const ur_asked_text *text = &q->text[q->question[question].text];
    const uint32_t begin = q->piece[text->first + s->begin].begin;
    const uint32_t end = q->piece[text->first + s->end].end;
    return (ur_answer_text){text->text + begin, end > begin ? end - begin : 0};
}

static bool score(const asking *a, size_t i, ur_measure *out)
{
    const ur_questions *q = a->q;
    const ur_question *asked = &q->question[i];
    float none = 0.0f;
    const spans all = collect(a, i, &none);
    const ur_answer_text said =
        is_none(a, &all, none) ? (ur_answer_text){"", 0} : text_of(q, i, &all.at[0]);
    ur_answer_score right;
    if (!ur_answer_compare(q->a, said, asked->answers, q->answer + asked->answer, &right))
        return false;
    out->sum[UR_QA_EXACT] += right.exact;
    out->sum[UR_QA_F1] += right.f1;
    out->examples++;
    return true;
}

ur_status ur_bert_qa_evaluate(const ur_model *model, const void *data, ur_measure *out,
                              ur_confusion *confusion, ur_err *err)
{
    asking a = {.model = model, .q = data, .most = BEST};
    (void)confusion; /* it gives no labels */
    *out = (ur_measure){0};
    ur_status status = ask(&a, err);
    for (size_t i = 0; status == UR_OK && i < a.q->windows; i++) {
        out->loss += (double)a.loss[i];
        out->positions += a.q->window[i].start >= 0;
    }
    for (size_t i = 0; status == UR_OK && i < a.q->count; i++)
        if (!score(&a, i, out))
            status = ur_no_memory(err, sizeof(ur_answer_text));
    free_asking(&a);
    return status;
}

/* ---- predictions -------------------------------------------------------------------------- */

/* A part as an answer; NULL: none. */
static bool say(const asking *a, size_t i, const span *s, float probability, ur_prediction *out,
                ur_alternative *to, ur_text_range *place)
{
    const ur_asked_text *about = &a->q->text[a->q->question[i].text];
    const ur_answer_text cut = s ? text_of(a->q, i, s) : (ur_answer_text){about->text, 0};
    char *text = ur_prediction_take(out, cut.size + 1, 1);
    size_t before = 0, inside = 0;
    if (!text)
        return false;
    memcpy(text, cut.bytes, cut.size);
    text[cut.size] = '\0';
    ur_utf8_count(about->text, (size_t)(cut.bytes - about->text), &before);
    ur_utf8_count(cut.bytes, cut.size, &inside);
    *to = (ur_alternative){
        .text = text, .log_probability = (double)ur_logf(probability), .complete = true};
    *place = (ur_text_range){before, before + inside};
    return true;
}

/* The best answers in their order and what they score: the one that is given, then by score. NULL in `part`:
 * none. Returns how many. */
static size_t order(const asking *a, const spans *all, float none, const span **part, float *score)
{
    const bool given = is_none(a, all, none);
    bool placed = !a->q->answering.unanswerable && !given;
    size_t n = 0;
    for (size_t i = 0; i <= all->count; i++) {
        if (!placed && (given || i == all->count || (i > 0 && none > all->at[i].score))) {
            part[n] = NULL;
            score[n++] = none;
            placed = true;
        }
        if (i < all->count) {
            part[n] = &all->at[i];
            score[n++] = all->at[i].score;
        }
    }
    return n;
}

static bool fill(const asking *a, size_t i, size_t n_best, ur_prediction *out)
{
    float none = 0.0f;
    const spans all = collect(a, i, &none);
    const span **part = ur_prediction_take(out, all.count + 1, sizeof(span *));
    float *p = ur_prediction_take(out, 2 * (all.count + 1), sizeof *p);
    if (!part || !p)
        return false;
    float *scores = p + all.count + 1;
    const size_t n = order(a, &all, none, part, scores), told = n_best < n ? n_best : n;
    ur_host_softmax(a->model->context, n, scores, p);
    ur_alternative *best = ur_prediction_take(out, told, sizeof *best);
    ur_text_range *place = ur_prediction_take(out, told, sizeof *place);
    if (!best || !place)
        return false;
    for (size_t k = 0; k < told; k++) {
        if (!say(a, i, part[k], p[k], out, &best[k], &place[k]))
            return false;
        best[k].score = (double)scores[k];
    }
    out->text = best->text;
    out->log_probability = best->log_probability;
    out->score = best->score;
    out->place = place;
    out->complete = true;
    if (n_best > 1) {
        out->alternatives = best;
        out->n_alternatives = told;
    }
    return true;
}

static size_t unknown_of(const ur_questions *q, const ur_question *asked)
{
    const ur_asked_text *text = &q->text[asked->text];
    size_t n = 0;
    for (size_t i = 0; i < asked->count; i++)
        n += q->ids[asked->first + i] == q->unknown;
    for (size_t i = 0; i < text->count; i++)
        n += q->piece[text->first + i].id == q->unknown;
    return n;
}

/* The window of question i that the best part was found in, the first of those that share it. */
static size_t best_window(const asking *a, size_t i)
{
    const ur_question *asked = &a->q->question[i];
    size_t best = asked->window;
    for (size_t k = asked->window; k < asked->window + asked->windows; k++)
        if (a->parts[k] &&
            (!a->parts[best] || better(&a->part[k * a->most], &a->part[best * a->most])))
            best = k;
    return best;
}

typedef struct looking {
    const asking *asked;
    const ur_assets *assets;
    ur_prediction *out;
} looking;

static void map_shard(void *arg, ur_tape *t, size_t count, const size_t *which, void *result)
{
    const looking *l = arg;
    const asking *a = l->asked;
    (void)result;
    for (size_t i = 0; i < count && ur_tape_ok(t); i++) {
        ur_seq *ids, *segments;
        if (a->q->question[which[i]].windows == 0)
            continue;
        const size_t window = best_window(a, which[i]);
        if (!ur_asked_batch(t, a->q, 1, &window, NULL, &ids, &segments) ||
            !ur_bert_map(t, l->assets, ids, segments, &l->out[which[i]]))
            ur_tape_fail(t, UR_NO_MEMORY, "out of memory: a map of attention");
    }
}

static ur_status draw_maps(const asking *a, const ur_assets *assets, ur_prediction *out,
                           ur_err *err)
{
    looking l = {a, assets, out};
    const ur_items_job job = {.count = a->q->count, .run = map_shard};
    return ur_run_items(a->model->context, a->model->params, &job, &l, err);
}

static ur_status answer(const ur_assets *assets, const ur_questions *q, size_t n_best, bool maps,
                        ur_prediction *out, ur_err *err)
{
    asking a = {.model = assets->model, .q = q, .most = n_best > BEST ? n_best : BEST};
    ur_status status = ask(&a, err);
    for (size_t i = 0; status == UR_OK && i < q->count; i++) {
        out[i].unknown = unknown_of(q, &q->question[i]);
        out[i].left_out = q->question[i].windows == 0;
        if (!out[i].left_out && !fill(&a, i, n_best, &out[i]))
            status = ur_no_memory(err, a.most * sizeof(ur_alternative));
    }
    if (status == UR_OK && maps && q->count)
        status = draw_maps(&a, assets, out, err);
    free_asking(&a);
    return status;
}

ur_status ur_bert_qa_predict(const ur_assets *assets, size_t count, const char *const *texts,
                             const ur_search_options *options, ur_prediction *out, size_t *bad,
                             ur_err *err)
{
    const ur_windowing how = ur_bert_windowing(assets);
    const size_t n_best = options && options->n_best > 1 ? options->n_best : 1;
    ur_questions *q = NULL;
    for (size_t i = 0; i < count; i++)
        out[i] = (ur_prediction){.text = NULL};
    ur_status status =
        ur_questions_of(ur_context_allocator(assets->context), count, texts, &how, &q, bad, err);
    for (size_t i = 0; i < count && status == UR_OK; i++)
        status = ur_prediction_new(assets->context, texts[i], &out[i], err);
    if (status == UR_OK)
        status = answer(assets, q, n_best, options && options->maps, out, err);
    for (size_t i = 0; i < count && status != UR_OK; i++)
        ur_prediction_free(assets->context, &out[i]);
    ur_questions_free(q);
    return status;
}
