/* split.c - part of a data set set apart for validation.
 *
 * An example's key is a random number that the seed and its input decide, so that equal inputs have
 * equal keys. The examples of the largest keys are set apart, whole groups of equal keys, until they are
 * as many as was asked for. Nothing depends on the order of the file or on where an example stands. */
#include "data/split.h"

#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/philox.h"
#include "base/sort.h"
#include "base/status.h"
#include "base/streams.h"

static uint64_t hash_of(ur_ids input)
{
    uint64_t hash = UR_FINGERPRINT;
    for (size_t i = 0; i < input.length; i++)
        hash = ur_fingerprint_add(hash, (uint32_t)input.ids[i]);
    return hash;
}

static uint64_t key_of(uint64_t seed, uint64_t hash)
{
    const ur_philox_block b = ur_philox(seed ^ UR_KEY_VALID, hash, 0);
    return (uint64_t)b.word[0] << 32 | b.word[1];
}

static size_t key_at(const void *keys, size_t i)
{
    return (size_t)((const uint64_t *)keys)[i];
}

/* Marks the examples that are set apart; *count becomes how many. */
static ur_status draw(const ur_allocator *a, size_t n, const uint64_t *keys, double part,
                      bool *apart, size_t *count, ur_err *err)
{
    size_t *order = ur_alloc(a, 2 * n, sizeof *order);
    if (!order)
        return ur_no_memory(err, 2 * n * sizeof *order);
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    ur_sort_longest_first(order, n, order + n, key_at, keys);
    const double wanted = part * (double)n < 1.0 ? 1.0 : part * (double)n;
    *count = 0;
    while (*count < n && ((double)*count + 0.5 < wanted ||
                          (*count && keys[order[*count]] == keys[order[*count - 1]])))
        apart[order[(*count)++]] = true;
    ur_free(a, order);
    if (*count == 0 || *count == n)
        return ur_fail(err, UR_INVALID,
                       "a part of %g of %zu examples cannot be set apart for validation: one side "
                       "would be empty",
                       part, n);
    return UR_OK;
}

bool *ur_split_choose(const ur_allocator *a, size_t n, uint64_t (*hash)(const void *data, size_t i),
                      const void *data, double part, uint64_t seed, size_t *count,
                      ur_status *status, ur_err *err)
{
    uint64_t *keys = ur_alloc(a, n, sizeof *keys);
    bool *apart = ur_alloc_zero(a, n, sizeof *apart);
    *status = keys && apart ? UR_OK : ur_no_memory(err, n * sizeof *keys);
    for (size_t i = 0; *status == UR_OK && i < n; i++)
        keys[i] = key_of(seed, hash(data, i));
    if (*status == UR_OK)
        *status = draw(a, n, keys, part, apart, count, err);
    ur_free(a, keys);
    if (*status == UR_OK)
        return apart;
    ur_free(a, apart);
    return NULL;
}

/* ---- pairs -------------------------------------------------------------------------------- */

static ur_pairs *new_pairs(const ur_allocator *a, size_t count, size_t ids)
{
    ur_pairs *p = ur_alloc_zero(a, 1, sizeof *p);
    if (!p)
        return NULL;
    p->a = a;
    p->count = count;
    p->offset = ur_alloc(a, 2 * count + 1, sizeof *p->offset);
    p->ids = ur_alloc(a, ids, sizeof *p->ids);
    if (p->offset && p->ids)
        return p;
    ur_pairs_free(p);
    return NULL;
}

/* The pairs for which apart is `side`, from one set into another, which may be the same. */
static void take_pairs(const ur_pairs *from, size_t n, const bool *apart, bool side, ur_pairs *to)
{
    size_t count = 0, used = 0;
    for (size_t i = 0, begin = from->offset[0]; i < n; i++) {
        const size_t middle = from->offset[2 * i + 1], end = from->offset[2 * i + 2];
        if (apart[i] == side) {
            memmove(to->ids + used, from->ids + begin, (end - begin) * sizeof *to->ids);
            to->offset[2 * count] = used;
            to->offset[2 * count + 1] = used + (middle - begin);
            used += end - begin;
            count++;
        }
        begin = end;
    }
    to->offset[2 * count] = used;
    to->count = count;
}

static uint64_t question_hash(const void *pairs, size_t i)
{
    return hash_of(ur_pairs_question(pairs, i));
}

ur_status ur_pairs_split(ur_pairs *data, double part, uint64_t seed, ur_pairs **valid, ur_err *err)
{
    const size_t n = data->count;
    size_t count, ids = 0;
    ur_status status;
    *valid = NULL;
    bool *apart =
        ur_split_choose(data->a, n, question_hash, data, part, seed, &count, &status, err);
    if (!apart)
        return status;
    for (size_t i = 0; i < n; i++)
        ids += apart[i] ? data->offset[2 * i + 2] - data->offset[2 * i] : 0;
    *valid = new_pairs(data->a, count, ids);
    if (*valid) {
        take_pairs(data, n, apart, true, *valid);
        take_pairs(data, n, apart, false, data);
    }
    ur_free(data->a, apart);
    return *valid ? UR_OK : ur_no_memory(err, ids * sizeof(int32_t));
}

/* ---- texts with labels --------------------------------------------------------------------- */

static ur_labelled *new_labelled(const ur_labelled *like, size_t count, size_t all, size_t labels)
{
    ur_labelled *l = ur_alloc_zero(like->a, 1, sizeof *l);
    if (!l)
        return NULL;
    l->a = like->a;
    l->kind = like->kind;
    l->offset = ur_alloc(l->a, count + 1, sizeof *l->offset);
    l->tokens = ur_alloc(l->a, all, sizeof *l->tokens);
    l->labels = ur_alloc(l->a, labels, sizeof *l->labels);
    if (like->label_offset)
        l->label_offset = ur_alloc(l->a, count + 1, sizeof *l->label_offset);
    if (l->offset && l->tokens && l->labels && (l->label_offset || !like->label_offset))
        return l;
    ur_labelled_free(l);
    return NULL;
}

static void take_labelled(const ur_labelled *from, size_t n, const bool *apart, bool side,
                          ur_labelled *to)
{
    size_t count = 0, used = 0, labels = 0, label = 0;
    for (size_t i = 0, begin = from->offset[0]; i < n; i++) {
        const size_t end = from->offset[i + 1];
        const size_t own = ur_labels_before(from, i + 1) - label;
        if (apart[i] == side) {
            memmove(to->tokens + used, from->tokens + begin, (end - begin) * sizeof *to->tokens);
            memmove(to->labels + labels, from->labels + label, own * sizeof *to->labels);
            if (to->label_offset)
                to->label_offset[count] = labels;
            to->offset[count++] = used;
            used += end - begin;
            labels += own;
        }
        label += own;
        begin = end;
    }
    to->offset[count] = used;
    if (to->label_offset)
        to->label_offset[count] = labels;
    to->count = count;
    to->all = used;
}

static uint64_t tokens_hash(const void *labelled, size_t i)
{
    return hash_of(ur_labelled_tokens(labelled, i));
}

ur_status ur_labelled_split(ur_labelled *data, double part, uint64_t seed, ur_labelled **valid,
                            ur_err *err)
{
    const size_t n = data->count;
    size_t count, all = 0, labels = 0;
    ur_status status;
    *valid = NULL;
    bool *apart = ur_split_choose(data->a, n, tokens_hash, data, part, seed, &count, &status, err);
    if (!apart)
        return status;
    for (size_t i = 0; i < n; i++)
        if (apart[i]) {
            all += data->offset[i + 1] - data->offset[i];
            labels += ur_labels_before(data, i + 1) - ur_labels_before(data, i);
        }
    *valid = new_labelled(data, count, all, labels);
    if (*valid) {
        take_labelled(data, n, apart, true, *valid);
        take_labelled(data, n, apart, false, data);
    }
    ur_free(data->a, apart);
    return *valid ? UR_OK : ur_no_memory(err, all * sizeof(int32_t));
}
