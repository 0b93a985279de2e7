/* translation_run.c - what a model translates, how good that is, how probable given translations are.
 *
 * Sentences are taken longest first in small batches, which threads share (tape/runner.h). What is
 * made of a sentence does not depend on its company, and sums run in the sentences' own order. */
#include "models/translation.h"

#include <math.h>
#include <string.h>

#include "backend/context.h"
#include "base/alloc.h"
#include "base/status.h"
#include "models/parts.h"
#include "models/predict.h"
#include "tape/runner.h"

/* ---- text ----------------------------------------------------------------------------------- */

/* Ordinary text of ids, in fresh memory or NULL. */
static char *text_of(const ur_allocator *a, const ur_subwords *s, const int32_t *ids, size_t count)
{
    const size_t bytes = ur_subwords_decode(s, ids, count, NULL, 0) + 1;
    char *text = ur_alloc(a, bytes, 1);
    if (text)
        ur_subwords_decode(s, ids, count, text, bytes);
    return text;
}

/* ---- evaluation ----------------------------------------------------------------------------- */

/* Pairs with one source are translated once: `leader` is the first of them. */
typedef struct evaluation {
    const ur_model *model;
    const ur_translation_data *data;
    size_t count;
    double *loss;  /* (count) */
    size_t *right; /* (count) tokens, each after the right ones */
    size_t *group; /* (count) which of the different sources */
    bool *leader;  /* (count) */
    size_t groups;
    char **text; /* (groups) translations */
} evaluation;

static size_t length_of(const void *arg, size_t i)
{
    const evaluation *e = arg;
    return e->model->kind->length(e->model, e->data, i);
}

/* -log probability and the tokens that are right, of every pair. */
static void measure_forced(const evaluation *e, ur_tape *t, size_t count, const size_t *which)
{
    size_t *order = ur_take(t, count, sizeof *order);
    if (!order)
        return;
    const ur_translation_logits forced =
        ur_translation_forward_in(t, e->model, e->data, count, which, order);
    const float *x = forced.logits ? ur_read(t, forced.logits->values) : NULL;
    if (!x)
        return;
    const ur_layout *l = forced.targets->layout;
    const int32_t *target = ur_ints(forced.targets->values);
    const size_t symbols = forced.logits->values->dim[1];
    for (size_t b = 0; b < count; b++)
        for (size_t s = 0; s < l->length[b]; s++) {
            const size_t r = ur_row(l, b, s);
            const float *row = x + r * symbols;
            e->loss[order[b]] +=
                (double)ur_host_cross_entropy(t->context, symbols, row, target[r], NULL);
            e->right[order[b]] += ur_host_argmax(t->context, symbols, row) == (size_t)target[r];
        }
}

/* Sources of some pairs with <eos> behind each. */
static ur_ids *sources_of(ur_tape *t, const ur_translation_data *d, size_t count,
                          const size_t *which)
{
    ur_ids *out = ur_take(t, count, sizeof *out);
    for (size_t i = 0; out && i < count; i++) {
        const ur_ids ids = ur_parallel_ids(d->pairs, which[i], 0);
        int32_t *all = ur_take(t, ids.length + 1, sizeof *all);
        if (!all)
            return NULL;
        if (ids.length)
            memcpy(all, ids.ids, ids.length * sizeof *all);
        all[ids.length] = UR_ID_EOS;
        out[i] = (ur_ids){all, ids.length + 1};
    }
    return out;
}

static const int32_t never[] = {UR_ID_UNK, UR_ID_BOS};

static ur_search_options search_of(const ur_search_options *options)
{
    ur_search_options o = options ? *options : (ur_search_options){0};
    o.never = never;
    o.never_count = sizeof never / sizeof *never;
    return o;
}

static void translate(const evaluation *e, ur_tape *t, size_t count, const size_t *which)
{
    const ur_translation_data *d = e->data;
    size_t n = 0, *leaders = ur_take(t, count, sizeof *leaders);
    uint64_t *id = ur_take(t, count, sizeof *id);
    for (size_t i = 0; leaders && id && i < count; i++)
        if (e->leader[which[i]]) {
            id[n] = which[i];
            leaders[n++] = which[i];
        }
    if (!ur_tape_ok(t) || n == 0)
        return;
    const ur_sources sources = {.count = n, .ids = sources_of(t, d, n, leaders), .id = id};
    const ur_search_options options = search_of(&d->search);
    ur_decoder decoder;
    ur_translation_decoder(e->model, &decoder, NULL);
    const ur_written *written =
        sources.ids ? ur_search_with(t, &decoder, &sources, &options, false) : NULL;
    for (size_t i = 0; written && i < n; i++) {
        const ur_hypothesis *best = &written[i].best[0];
        const bool empty = sources.ids[i].length == 1;
        char *text = text_of(d->a, &d->target, best->ids, empty ? 0 : best->count);
        if (!text) {
            ur_tape_fail(t, UR_NO_MEMORY, "out of memory: translations");
            return;
        }
        e->text[e->group[leaders[i]]] = text;
    }
}

static void run_shard(void *arg, ur_tape *t, size_t count, const size_t *which, void *result)
{
    const evaluation *e = arg;
    (void)result;
    measure_forced(e, t, count, which);
    if (e->text && ur_tape_ok(t))
        translate(e, t, count, which);
}

/* Which pairs have the same source. */
static ur_status find_groups(evaluation *e, ur_err *err)
{
    const ur_translation_data *d = e->data;
    ur_vocabulary *seen;
    ur_status status = ur_vocabulary_new(d->a, &seen, err);
    for (size_t i = 0; status == UR_OK && i < e->count; i++) {
        const char *source = ur_parallel_text(d->pairs, i, 0);
        const size_t bytes = strlen(source);
        int32_t id;
        /* no sentence is a line feed, which stands for the empty one */
        status = ur_vocabulary_add(seen, bytes ? source : "\n", bytes ? bytes : 1, &id, err);
        if (status != UR_OK)
            break;
        e->group[i] = (size_t)id;
        e->leader[i] = (size_t)id == e->groups;
        e->groups += e->leader[i];
    }
    ur_vocabulary_free(seen);
    return status;
}

/* The pairs of every group, one group after the other: references are list[begin[g]] up to
 * list[begin[g + 1]]. */
static void list_references(const evaluation *e, size_t *begin, const char **list)
{
    memset(begin, 0, (e->groups + 2) * sizeof *begin);
    for (size_t i = 0; i < e->count; i++)
        begin[e->group[i] + 2]++;
    for (size_t g = 2; g < e->groups + 2; g++)
        begin[g] += begin[g - 1];
    for (size_t i = 0; i < e->count; i++)
        list[begin[e->group[i] + 1]++] = ur_parallel_text(e->data->pairs, i, 1);
}

/* BLEU against all references and against the first, and chrF2. */
static ur_status add_scores(const evaluation *e, ur_measure *out, ur_err *err)
{
    const ur_allocator *a = e->data->a;
    size_t *begin = ur_alloc(a, e->groups + 2, sizeof *begin);
    const char **list = ur_alloc(a, e->count, sizeof(char *));
    ur_bleu *all = NULL, *first = NULL;
    ur_chrf *chrf = NULL;
    ur_status status =
        begin && list ? UR_OK : ur_no_memory(err, (e->groups + e->count) * sizeof *begin);
    if (status == UR_OK)
        status = ur_bleu_new(a, UR_BLEU_13A, &all, err);
    if (status == UR_OK)
        status = ur_bleu_new(a, UR_BLEU_13A, &first, err);
    if (status == UR_OK)
        status = ur_chrf_new(a, &chrf, err);
    if (status == UR_OK)
        list_references(e, begin, list);
    for (size_t g = 0; status == UR_OK && g < e->groups; g++) {
        const char *const *references = list + begin[g];
        const size_t n = begin[g + 1] - begin[g];
        status = ur_bleu_add(all, e->text[g], n, references, err);
        if (status == UR_OK)
            status = ur_bleu_add(first, e->text[g], 1, references, err);
        if (status == UR_OK)
            status = ur_chrf_add(chrf, e->text[g], n, references, err);
    }
    if (status == UR_OK) {
        out->sum[UR_TRANSLATION_BLEU] = ur_bleu_result(all).score;
        out->sum[UR_TRANSLATION_BLEU_FIRST] = ur_bleu_result(first).score;
        out->sum[UR_TRANSLATION_CHRF] = ur_chrf_result(chrf);
        ur_bleu_signature(all, out->signature[UR_TRANSLATION_BLEU]);
        ur_bleu_signature(first, out->signature[UR_TRANSLATION_BLEU_FIRST]);
        ur_chrf_signature(chrf, out->signature[UR_TRANSLATION_CHRF]);
    }
    ur_bleu_free(all);
    ur_bleu_free(first);
    ur_chrf_free(chrf);
    ur_free(a, begin);
    ur_free(a, list);
    return status;
}

static void add_up(const evaluation *e, ur_measure *out)
{
    for (size_t i = 0; i < e->count; i++) {
        out->loss += e->loss[i];
        out->sum[UR_TRANSLATION_ACCURACY] += (double)e->right[i];
        out->positions += e->model->kind->positions(e->model, e->data, i);
    }
    out->examples = e->count;
}

static ur_status run_evaluation(evaluation *e, ur_measure *out, ur_err *err)
{
    const ur_allocator *a = e->data->a;
    ur_status status = find_groups(e, err);
    if (status != UR_OK)
        return status;
    e->text = ur_alloc_zero(a, e->groups, sizeof(char *));
    if (!e->text)
        return ur_no_memory(err, e->groups * sizeof(char *));
    const ur_items_job job = {.count = e->count, .length = length_of, .run = run_shard};
    status = ur_run_items(e->model->context, e->model->params, &job, e, err);
    if (status == UR_OK) {
        add_up(e, out);
        status = add_scores(e, out, err);
    }
    for (size_t g = 0; g < e->groups; g++)
        ur_free(a, e->text[g]);
    ur_free(a, e->text);
    return status;
}

static bool take_arrays(evaluation *e)
{
    const ur_allocator *a = e->data->a;
    e->loss = ur_alloc_zero(a, e->count, sizeof *e->loss);
    e->right = ur_alloc_zero(a, e->count, sizeof *e->right);
    e->group = ur_alloc_zero(a, e->count, sizeof *e->group);
    e->leader = ur_alloc_zero(a, e->count, sizeof *e->leader);
    return e->loss && e->right && e->group && e->leader;
}

static void free_arrays(const evaluation *e)
{
    ur_free(e->data->a, e->loss);
    ur_free(e->data->a, e->right);
    ur_free(e->data->a, e->group);
    ur_free(e->data->a, e->leader);
}

static evaluation evaluation_of(const ur_model *model, const ur_translation_data *data)
{
    return (evaluation){.model = model, .data = data, .count = ur_parallel_count(data->pairs)};
}

ur_status ur_translation_evaluate(const ur_model *model, const void *data, ur_measure *out,
                                  ur_confusion *confusion, ur_err *err)
{
    evaluation e = evaluation_of(model, data);
    *out = (ur_measure){0};
    (void)confusion;
    const ur_status status = take_arrays(&e) ? run_evaluation(&e, out, err)
                                             : ur_no_memory(err, e.count * 3 * sizeof(size_t));
    free_arrays(&e);
    return status;
}

ur_status ur_translation_score(const ur_model *model, const ur_translation_data *data, double *out,
                               ur_err *err)
{
    ur_status status = ur_model_check(model, &ur_kind_translation, err);
    if (status != UR_OK)
        return status;
    evaluation e = evaluation_of(model, data);
    status = take_arrays(&e) ? UR_OK : ur_no_memory(err, e.count * 3 * sizeof(size_t));
    if (status == UR_OK) {
        const ur_items_job job = {.count = e.count, .length = length_of, .run = run_shard};
        status = ur_run_items(model->context, model->params, &job, &e, err);
    }
    for (size_t i = 0; status == UR_OK && i < e.count; i++)
        out[i] = -e.loss[i];
    free_arrays(&e);
    return status;
}

/* ---- translations of texts ------------------------------------------------------------------ */

/* Cut to the longest that there was in training, <eos> behind it. Nothing but white space has no
 * ids. */
static ur_status encode(const ur_assets *assets, const char *text, size_t bytes, int32_t *ids,
                        size_t *count, size_t *unknown, ur_err *err)
{
    const ur_translation_config *c = assets->config;
    const ur_languages languages = ur_translation_languages(assets);
    const ur_subwords source = ur_languages_side(&languages, &c->text.text, 0);
    const ur_status status = ur_subwords_encode(&source, text, bytes, ids, count, unknown, err);
    if (status != UR_OK || *count == 0)
        return status;
    if (c->text.max_length && *count > c->text.max_length)
        *count = c->text.max_length;
    ids[(*count)++] = UR_ID_EOS;
    return UR_OK;
}

static const void *keep(const ur_prediction *out, const void *x, size_t bytes)
{
    void *kept = ur_prediction_take(out, bytes, 1);
    return kept && bytes ? memcpy(kept, x, bytes) : kept;
}

static const char *joined(const ur_prediction *out, const ur_subwords *s, const int32_t *ids,
                          size_t count)
{
    const size_t bytes = ur_subwords_decode(s, ids, count, NULL, 0) + 1;
    char *text = ur_prediction_take(out, bytes, 1);
    if (text)
        ur_subwords_decode(s, ids, count, text, bytes);
    return text;
}

static bool fill_alternatives(const ur_subwords *s, const ur_written *w, ur_prediction *out)
{
    ur_alternative *list = ur_prediction_take(out, w->count, sizeof *list);
    for (size_t i = 0; list && i < w->count; i++) {
        const ur_hypothesis *h = &w->best[i];
        list[i] = (ur_alternative){joined(out, s, h->ids, h->count), h->log_probability, h->score,
                                   h->complete};
        if (!list[i].text)
            return false;
    }
    out->alternatives = list;
    out->n_alternatives = w->count;
    return list != NULL;
}

/* From the tape to memory of its own. */
static bool fill(const ur_assets *assets, ur_ids source, const ur_written *w, bool several,
                 ur_prediction *out)
{
    const ur_translation_config *c = assets->config;
    const ur_languages languages = ur_translation_languages(assets);
    const ur_subwords s = ur_languages_side(&languages, &c->text.text, 1);
    const ur_hypothesis *h = &w->best[0];
    out->log_probability = h->log_probability;
    out->score = h->score;
    out->complete = h->complete;
    out->count = h->count;
    out->n_inputs = source.length;
    out->text = joined(out, &s, h->ids, h->count);
    out->tokens = ur_prediction_tokens(out, s.vocabulary, h->ids, h->count);
    out->inputs = ur_prediction_tokens(out, languages.source, source.ids, source.length);
    out->probability = keep(out, h->probability, h->count * sizeof *h->probability);
    if (h->attention)
        out->attention = keep(out, h->attention, h->count * source.length * sizeof *h->attention);
    return out->text && out->tokens && out->inputs && out->probability &&
           (out->attention || !h->attention) && (!several || fill_alternatives(&s, w, out));
}

/* The attention of every layer and head, where the model is a Transformer and wrote anything. */
static bool fill_maps(ur_tape *t, const ur_assets *assets, ur_ids source, int32_t first,
                      const ur_hypothesis *h, ur_prediction *out)
{
    const ur_translation *m = ur_as_translation(assets->model);
    const ur_languages languages = ur_translation_languages(assets);
    const ur_subwords target = ur_languages_side(&languages, &m->config->text.text, 1);
    if (m->transformer.config.layers == 0 || h->count == 0)
        return true;
    int32_t *inputs = ur_take(t, h->count, sizeof *inputs);
    const ur_seq *x = ur_joined(t, UR_SEQUENCE_MAJOR, 1, &source, NULL);
    if (!inputs)
        return false;
    inputs[0] = first;
    memcpy(inputs + 1, h->ids, (h->count - 1) * sizeof *inputs);
    const ur_pair_sides sides = {
        {source.length, out->inputs, NULL},
        {h->count, out->tokens, NULL},
        {h->count, ur_prediction_tokens(out, target.vocabulary, inputs, h->count), NULL}};
    return sides.read.labels &&
           ur_pair_transformer_maps(t, &m->transformer, x, (ur_ids){inputs, h->count}, &sides, out);
}

/* An empty text stays empty. */
static bool fill_empty(bool several, ur_prediction *out)
{
    static const ur_alternative nothing = {"", 0.0, 0.0, true};
    out->text = "";
    out->log_probability = out->score = 0.0;
    out->complete = true;
    out->alternatives = several ? &nothing : NULL;
    out->n_alternatives = several;
    return true;
}

/* What translations are to begin with, as the target's tokens: room for one more than the text has
 * bytes. */
static ur_status encode_begin(const ur_assets *assets, const char *text, int32_t *ids,
                              size_t *count, ur_err *err)
{
    const ur_translation_config *c = assets->config;
    const ur_languages languages = ur_translation_languages(assets);
    const ur_subwords target = ur_languages_side(&languages, &c->text.text, 1);
    size_t unknown = 0;
    ur_err why;
    *count = 0;
    const ur_status status =
        ur_subwords_encode(&target, text, strlen(text), ids, count, &unknown, &why);
    if (status != UR_OK)
        return ur_fail(err, UR_INVALID, "the beginning of the translation: %s", why.text);
    if (unknown)
        return ur_fail(
            err, UR_INVALID,
            "the beginning of the translation has %zu token%s that the model does not know "
            "and cannot write: '%.80s'",
            unknown, unknown == 1 ? "" : "s", text);
    return UR_OK;
}

/* The same beginning for all sources. */
static const ur_ids *begin_all(ur_tape *t, const ur_assets *assets, const char *text, size_t count)
{
    ur_ids *all = ur_take(t, count, sizeof *all);
    int32_t *ids = ur_take(t, strlen(text) + 1, sizeof *ids);
    size_t length;
    ur_err err;
    if (!all || !ids)
        return NULL;
    const ur_status status = encode_begin(assets, text, ids, &length, &err);
    if (status != UR_OK)
        return ur_tape_fail(t, status, "%s", err.text);
    for (size_t i = 0; i < count; i++)
        all[i] = (ur_ids){ids, length};
    return all;
}

static bool translate_some(ur_tape *t, const ur_assets *assets, const ur_search_options *options,
                           size_t count, const size_t *which, const ur_ids *ids,
                           const int32_t *first, ur_prediction *out)
{
    const bool several = options && options->n_best > 1;
    size_t n = 0, *full = ur_take(t, count, sizeof *full);
    ur_sources sources;
    for (size_t i = 0; full && i < count; i++)
        if (ids[which[i]].length)
            full[n++] = which[i];
        else
            fill_empty(several, &out[which[i]]);
    if (!full || n == 0 || !ur_predict_sources(t, n, full, ids, first, &sources))
        return true;
    ur_search_options o = search_of(options);
    ur_decoder decoder;
    ur_translation_decoder(assets->model, &decoder, NULL);
    o.attention = true;
    if (o.begin)
        sources.begin = begin_all(t, assets, o.begin, n);
    const ur_written *written = ur_search(t, &decoder, &sources, &o);
    for (size_t i = 0; written && i < n; i++) {
        if (!fill(assets, sources.ids[i], &written[i], several, &out[full[i]]))
            return false;
        if (options && options->maps &&
            !fill_maps(t, assets, sources.ids[i], first ? first[i] : UR_ID_BOS, &written[i].best[0],
                       &out[full[i]]))
            return false;
    }
    return true;
}

/* Before anything is translated. */
static ur_status check_begin(const ur_assets *assets, const char *text, ur_err *err)
{
    const ur_allocator *a = ur_context_allocator(assets->context);
    int32_t *ids = ur_alloc(a, strlen(text) + 1, sizeof *ids);
    size_t count;
    if (!ids)
        return ur_no_memory(err, (strlen(text) + 1) * sizeof *ids);
    const ur_status status = encode_begin(assets, text, ids, &count, err);
    ur_free(a, ids);
    return status;
}

static const ur_predictor predictor = {.encode = encode, .least_room = 1, .run = translate_some};

ur_status ur_translation_predict(const ur_assets *assets, size_t count, const char *const *texts,
                                 const ur_search_options *options, ur_prediction *out, size_t *bad,
                                 ur_err *err)
{
    const ur_status status =
        options && options->begin ? check_begin(assets, options->begin, err) : UR_OK;
    return status == UR_OK ? ur_predict(&predictor, assets, count, texts, options, out, bad, err)
                           : status;
}

ur_status ur_translation_sample(const ur_assets *assets, const void *data, size_t index,
                                ur_prediction *out, ur_err *err)
{
    const ur_translation_data *d = data;
    const char *text = ur_parallel_text(d->pairs, index, 0);
    const ur_status status = ur_translation_predict(assets, 1, &text, NULL, out, NULL, err);
    if (status != UR_OK)
        return status;
    const char *target = ur_parallel_text(d->pairs, index, 1);
    out->target = keep(out, target, strlen(target) + 1);
    if (out->target)
        return UR_OK;
    ur_prediction_free(assets->context, out);
    return ur_no_memory(err, strlen(target) + 1);
}
