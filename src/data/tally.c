/* tally.c - frequencies of tokens. They are counted by hash in a vocabulary by first appearance;
 * the chosen one has them by falling frequency. */
#include "data/tally.h"
#include "base/alloc.h"
#include "base/status.h"

#include <stdio.h>
#include <stdlib.h>

static ur_status add_reserved(ur_tally *t, const char *name, ur_err *err)
{
    int32_t id;
    ur_status status = ur_vocabulary_add_reserved(t->seen, name, &id, err);
    if (status != UR_OK)
        return status;
    size_t size = ur_vocabulary_size(t->seen);
    if (!ur_reserve(t->a, &t->count, &t->capacity, t->reserved, size, sizeof *t->count))
        return ur_no_memory(err, size * sizeof *t->count);
    t->count[id] = 0;
    t->reserved = size;
    return UR_OK;
}

ur_status ur_tally_start_plain(ur_tally *t, const ur_allocator *a, ur_err *err)
{
    *t = (ur_tally){.a = a};
    return ur_vocabulary_new(a, &t->seen, err);
}

ur_status ur_tally_start(ur_tally *t, const ur_allocator *a, const ur_text_options *options,
                         const ur_vocabulary_options *choice, ur_err *err)
{
    ur_status status = ur_tally_start_plain(t, a, err);
    if (status == UR_OK)
        status = add_reserved(t, "unk", err);
    if (status == UR_OK && options->line_ends)
        status = add_reserved(t, "eos", err);
    for (size_t i = 0; status == UR_OK && choice && i < choice->reserved_count; i++)
        status = add_reserved(t, choice->reserved[i], err);
    return status;
}

void ur_tally_free(ur_tally *t)
{
    ur_vocabulary_free(t->seen);
    ur_free(t->a, t->count);
    ur_free(t->a, t->map);
}

ur_status ur_tally_add(ur_tally *t, const ur_token *token, int32_t *id, ur_err *err)
{
    *id = token->reserved;
    if (*id < 0) {
        size_t before = ur_vocabulary_size(t->seen);
        if (!ur_reserve(t->a, &t->count, &t->capacity, before, before + 1, sizeof *t->count))
            return ur_no_memory(err, (before + 1) * sizeof *t->count);
        ur_status status = ur_vocabulary_add(t->seen, token->bytes, token->size, id, err);
        if (status != UR_OK)
            return status;
        if ((size_t)*id == before)
            t->count[*id] = 0;
    }
    t->count[*id]++;
    return UR_OK;
}

/* ---- choosing ----------------------------------------------------------------------------- */

typedef struct candidate {
    size_t count;
    int32_t id;
} candidate;

/* Ids differ, so the order is a total one and does not depend on how it is sorted. */
static int more_frequent_first(const void *left, const void *right)
{
    const candidate *a = left, *b = right;
    if (a->count != b->count)
        return a->count < b->count ? 1 : -1;
    return a->id < b->id ? -1 : 1;
}

static size_t candidates(const ur_tally *t, const ur_vocabulary_options *choice, candidate *c)
{
    size_t least = choice ? choice->min_freq : 0, most = choice ? choice->max_size : 0, n = 0;
    for (size_t id = t->reserved; id < ur_vocabulary_size(t->seen); id++)
        if (t->count[id] >= least)
            c[n++] = (candidate){t->count[id], (int32_t)id};
    qsort(c, n, sizeof *c, more_frequent_first);
    return most && n > most ? most : n;
}

/* `token` has its brackets. */
static ur_status copy_reserved(ur_vocabulary *v, const char *token, size_t bytes, int32_t *id,
                               ur_err *err)
{
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)bytes - 2, token + 1);
    return ur_vocabulary_add_reserved(v, name, id, err);
}

static ur_status enter(ur_tally *t, const candidate *c, size_t n, ur_vocabulary *v, ur_err *err)
{
    ur_status status = UR_OK;
    int32_t unknown = ur_vocabulary_find_reserved(t->seen, "unk");
    for (size_t id = 0; id < ur_vocabulary_size(t->seen); id++)
        t->map[id] = unknown;
    for (size_t i = 0; status == UR_OK && i < t->reserved + n; i++) {
        bool reserved = i < t->reserved;
        int32_t old = reserved ? (int32_t)i : c[i - t->reserved].id;
        size_t bytes = 0;
        const char *token = ur_vocabulary_token(t->seen, old, &bytes);
        status = reserved ? copy_reserved(v, token, bytes, &t->map[old], err)
                          : ur_vocabulary_add(v, token, bytes, &t->map[old], err);
    }
    return status;
}

ur_status ur_tally_choose(ur_tally *t, const ur_vocabulary_options *choice, ur_vocabulary **out,
                          ur_err *err)
{
    size_t size = ur_vocabulary_size(t->seen);
    *out = NULL;
    t->map = ur_alloc(t->a, size, sizeof *t->map);
    candidate *c = ur_alloc(t->a, size, sizeof *c);
    if (!t->map || !c) {
        ur_free(t->a, c);
        return ur_no_memory(err, size * sizeof *c);
    }
    ur_vocabulary *v;
    ur_status status = ur_vocabulary_new(t->a, &v, err);
    if (status == UR_OK)
        status = enter(t, c, candidates(t, choice, c), v, err);
    ur_free(t->a, c);
    if (status == UR_OK)
        *out = v;
    else
        ur_vocabulary_free(v);
    return status;
}
