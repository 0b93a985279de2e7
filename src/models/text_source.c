/* text_source.c - text files as data of models that learn what comes next. */
#include "models/text_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "models/parts.h"

ur_status ur_text_source_check(const ur_text_source *s, const ur_vocabulary *vocabulary,
                               ur_err *err)
{
    if (!(s->valid_split >= 0.0 && s->valid_split < 1.0))
        return ur_fail(err, UR_INVALID,
                       "a part of %g of the text for validation, it must be in [0, 1)",
                       s->valid_split);
    return ur_text_check(&s->options, vocabulary, err);
}

/* ---- reading ------------------------------------------------------------------------------ */

static ur_status read_valid(ur_assets *assets, const ur_text_source *s, ur_text_data *d,
                            ur_err *err)
{
    if (!assets->data->valid) {
        const ur_ids all = d->train;
        const ur_status status = ur_ids_split(all, s->valid_split, &d->train, &d->valid, err);
        if (status == UR_OK && s->valid_split > 0.0 && d->valid.length < 2)
            return ur_fail(err, UR_INVALID,
                           "%s: a part of %g of %zu tokens is not enough to validate with",
                           assets->data->data, s->valid_split, all.length);
        return status;
    }
    const ur_status status =
        ur_corpus_open(ur_context_allocator(assets->context), assets->data->valid, &s->options,
                       assets->vocabulary, 0, &d->valid_corpus, err);
    if (status == UR_OK)
        d->valid = ur_corpus_ids(d->valid_corpus);
    return status;
}

/* What a new run's text is read by. */
static ur_status settle(const ur_assets *assets, ur_text_source *s, ur_err *err)
{
    if (assets->data->valid && s->valid_split > 0.0)
        return ur_fail(err, UR_INVALID,
                       "a file to validate with and a part of the training text for it "
                       "(valid_split) are two ways to say one thing");
    if (s->options.tokenizer == UR_CHARACTERS || s->options.letters_only)
        s->options.line_ends = false;
    return UR_OK;
}

ur_status ur_text_data_read(ur_assets *assets, ur_text_source *s, const ur_text_source *like,
                            ur_text_data *d, ur_err *err)
{
    const ur_allocator *a = ur_context_allocator(assets->context);
    const ur_vocabulary_options choice = {.min_freq = s->min_freq, .max_size = s->max_size};
    *d = (ur_text_data){0};
    ur_status status = ur_assets_no_generator(assets, err);
    if (status == UR_OK && !assets->model)
        status = settle(assets, s, err);
    if (status == UR_OK)
        status = assets->vocabulary
                     ? ur_corpus_open(a, assets->data->data, &s->options, assets->vocabulary,
                                      s->max_tokens, &d->train_corpus, err)
                     : ur_corpus_learn(a, assets->data->data, &s->options, &choice, s->max_tokens,
                                       &d->train_corpus, &assets->vocabulary, err);
    if (status != UR_OK)
        return status;
    d->train = ur_corpus_ids(d->train_corpus);
    assets->unknown = like ? ur_corpus_unknown(d->train_corpus) : 0;
    status = read_valid(assets, s, d, err);
    return status == UR_OK && !assets->model ? ur_text_note_unseen(assets, d->train, like, s, err)
                                             : status;
}

/* ---- what is never written ---------------------------------------------------------------- */

/* "3,17-20" of the places where `seen` is false; the length, with text NULL only that. */
static size_t list_unseen(const bool *seen, size_t count, char *text, size_t capacity)
{
    size_t used = 0;
    for (size_t i = 0, end; i < count; i = end + 1) {
        for (end = i; end < count && !seen[end];)
            end++;
        if (end == i)
            continue;
        char range[48];
        int n = snprintf(range, sizeof range, "%s%zu", used ? "," : "", i);
        if (end - i > 1)
            n += snprintf(range + n, sizeof range - (size_t)n, "-%zu", end - 1);
        if (text && used + (size_t)n < capacity)
            memcpy(text + used, range, (size_t)n + 1);
        used += (size_t)n;
    }
    return used;
}

/* Of a new vocabulary nothing was seen before; of one that is taken over what `like` does not list. */
static ur_status seen_before(const ur_allocator *a, const ur_text_source *like,
                             const ur_vocabulary *v, bool *seen, ur_err *err)
{
    const size_t count = like ? ur_text_never(like, v, NULL) : 0;
    int32_t *never = ur_alloc(a, count, sizeof *never);
    if (!never)
        return ur_no_memory(err, count * sizeof *never);
    memset(seen, like != NULL, ur_vocabulary_size(v) * sizeof *seen);
    if (like)
        ur_text_never(like, v, never);
    for (size_t i = 0; i < count; i++)
        seen[never[i]] = false;
    ur_free(a, never);
    return UR_OK;
}

ur_status ur_text_note_unseen(const ur_assets *assets, ur_ids train, const ur_text_source *like,
                              ur_text_source *s, ur_err *err)
{
    const ur_allocator *a = ur_context_allocator(assets->context);
    const size_t count = ur_vocabulary_size(assets->vocabulary);
    bool *seen = ur_alloc(a, count, sizeof *seen);
    if (!seen)
        return ur_no_memory(err, count);
    const ur_status status = seen_before(a, like, assets->vocabulary, seen, err);
    if (status != UR_OK) {
        ur_free(a, seen);
        return status;
    }
    for (size_t i = 0; i < train.length; i++)
        seen[train.ids[i]] = true;
    const size_t size = list_unseen(seen, count, NULL, 0) + 1;
    char *text = size > 1 ? ur_alloc(a, size, 1) : NULL, *before;
    if (text)
        list_unseen(seen, count, text, size);
    ur_free(a, seen);
    memcpy(&before, &s->unseen, sizeof before); /* a configuration that was copied has one */
    ur_free(a, before);
    s->unseen = text;
    return text || size == 1 ? UR_OK : ur_no_memory(err, size);
}

static void add(int32_t *ids, size_t *n, size_t id)
{
    if (ids)
        ids[*n] = (int32_t)id;
    ++*n;
}

size_t ur_text_never(const ur_text_source *s, const ur_vocabulary *v, int32_t *ids)
{
    const int32_t unk = ur_vocabulary_find_reserved(v, "unk");
    const size_t count = ur_vocabulary_size(v);
    size_t n = 0, next = 0;
    if (unk >= 0)
        add(ids, &n, (size_t)unk);
    for (const char *at = s->unseen; at && *at;) {
        char *end;
        size_t first = strtoul(at, &end, 10), last = first;
        if (*end == '-')
            last = strtoul(end + 1, &end, 10);
        for (size_t id = first < next ? next : first; id <= last && id < count; id++, next = id)
            if ((int32_t)id != unk)
                add(ids, &n, id);
        at = *end == ',' ? end + 1 : "";
    }
    return n;
}

void ur_text_data_free(ur_text_data *d)
{
    ur_corpus_free(d->train_corpus);
    ur_corpus_free(d->valid_corpus);
    *d = (ur_text_data){0};
}

/* ---- kinds that learn from texts ----------------------------------------------------------- */

static size_t *vocabulary_of(const ur_text_learner *l, const ur_assets *assets)
{
    return (size_t *)((char *)assets->config + l->vocabulary);
}

/* Of the model whose vocabulary is taken over; NULL: there is none. */
static const ur_text_source *like_of(const ur_text_learner *l, const ur_assets *assets)
{
    return assets->like ? (const ur_text_source *)((const char *)assets->like + l->source) : NULL;
}

static ur_text_source *source_of(const ur_text_learner *l, const ur_assets *assets)
{
    return (ur_text_source *)((char *)assets->config + l->source);
}

static ur_status use_texts(const ur_text_learner *l, ur_assets *assets, const ur_text_data *texts,
                           ur_err *err)
{
    ur_status status = UR_OK;
    if (!assets->model) {
        *vocabulary_of(l, assets) = ur_vocabulary_size(assets->vocabulary);
        status = ur_assets_make_model(assets, err);
    }
    if (status == UR_OK)
        status = l->make_data(assets, texts->train, assets->data->batch, &assets->train, err);
    if (status == UR_OK && texts->valid.length > 0)
        status = l->make_data(assets, texts->valid, 0, &assets->valid, err);
    return status;
}

ur_status ur_text_prepare(const ur_text_learner *learner, ur_assets *assets, ur_err *err)
{
    ur_text_data texts;
    ur_status status = ur_text_data_read(assets, source_of(learner, assets),
                                         like_of(learner, assets), &texts, err);
    if (status == UR_OK)
        status = use_texts(learner, assets, &texts, err);
    ur_text_data_free(&texts);
    return status;
}

ur_status ur_text_fits(const ur_text_learner *learner, const ur_assets *assets, ur_err *err)
{
    const ur_status status =
        ur_assets_check_vocabulary(assets, *vocabulary_of(learner, assets), err);
    return status == UR_OK
               ? ur_text_source_check(source_of(learner, assets), assets->vocabulary, err)
               : status;
}

ur_status ur_text_open(const ur_text_learner *learner, const ur_assets *assets,
                       const ur_pair_source *source, void **out, ur_err *err)
{
    ur_corpus *corpus;
    *out = NULL;
    ur_status status =
        ur_corpus_open(ur_context_allocator(assets->context), source->data,
                       &source_of(learner, assets)->options, assets->vocabulary, 0, &corpus, err);
    if (status != UR_OK)
        return status;
    status = learner->make_data(assets, ur_corpus_ids(corpus), 0, out, err);
    ur_corpus_free(corpus);
    return status;
}
