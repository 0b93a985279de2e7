/* params.c - all weights of a model as one vector, and its packed copies.
 *
 * Entries start at multiples of 16 floats (64 bytes). Building is sticky: the first failure is
 * kept and told by ur_params_seal, so that layers add their parameters without checks between. */
#include "tensor/params.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"

enum { ALIGN_FLOATS = 16 };

typedef struct pack {
    int index;
    ur_pack_kind kind;
    size_t gates;
    size_t begin, rows; /* of the weight */
    float *data;
} pack;

struct ur_params {
    ur_context *context;
    ur_param *entries;
    size_t count, entry_capacity;
    pack *packs;
    size_t pack_count, pack_capacity;
    size_t size;   /* floats */
    float *values; /* aligned, inside memory */
    void *memory;
    ur_err failure;
};

ur_status ur_params_new(ur_context *context, ur_params **out, ur_err *err)
{
    ur_params *p = ur_alloc_zero(&context->allocator, 1, sizeof *p);
    *out = p;
    if (!p)
        return ur_no_memory(err, sizeof *p);
    p->context = context;
    return UR_OK;
}

void ur_params_free(ur_params *p)
{
    if (!p)
        return;
    const ur_allocator *a = &p->context->allocator;
    for (size_t i = 0; i < p->count; i++) {
        char *name;
        memcpy(&name, &p->entries[i].name, sizeof name);
        ur_free(a, name);
    }
    ur_free(a, p->entries);
    ur_free(a, p->packs);
    ur_free(a, p->memory);
    ur_free(a, p);
}

static int fail(ur_params *p, ur_status status, const char *format, const char *name)
{
    if (p->failure.status == UR_OK)
        ur_fail(&p->failure, status, format, name);
    return -1;
}

/* One more entry with this name, still without shape. */
static ur_param *new_entry(ur_params *p, const char *name)
{
    if (p->failure.status != UR_OK)
        return NULL;
    const ur_allocator *a = &p->context->allocator;
    char *copy = ur_strdup(a, name);
    if (!copy || !ur_reserve(a, &p->entries, &p->entry_capacity, p->count, p->count + 1,
                             sizeof *p->entries)) {
        ur_free(a, copy);
        fail(p, UR_NO_MEMORY, "out of memory while adding parameter %s", name);
        return NULL;
    }
    ur_param *entry = &p->entries[p->count];
    memset(entry, 0, sizeof *entry);
    entry->name = copy;
    p->count++;
    return entry;
}

int ur_params_add(ur_params *p, const char *name, int ndim, const size_t *dim, unsigned flags)
{
    if (p->failure.status != UR_OK)
        return -1;
    if (p->memory || ndim < 1 || ndim > UR_MAX_DIMS || ur_params_find(p, name) >= 0)
        return fail(p, UR_INVALID, "parameter %s: added twice, after sealing, or ill-shaped", name);
    size_t count = 1;
    for (int i = 0; i < ndim; i++) {
        if (dim[i] == 0 || count > (SIZE_MAX / 64) / dim[i])
            return fail(p, UR_INVALID, "parameter %s: its size is zero or overflows", name);
        count *= dim[i];
    }
    if (count > SIZE_MAX / 64 - p->size)
        return fail(p, UR_INVALID, "parameter %s: the size of all parameters overflows", name);
    ur_param *entry = new_entry(p, name);
    if (!entry)
        return -1;
    entry->ndim = ndim;
    memcpy(entry->dim, dim, (size_t)ndim * sizeof *dim);
    entry->offset = p->size;
    entry->count = count;
    entry->flags = flags;
    entry->alias_of = -1;
    p->size += (count + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
    return (int)p->count - 1;
}

int ur_params_alias(ur_params *p, const char *name, int index)
{
    if (index < 0 || p->failure.status != UR_OK)
        return -1;
    if (p->memory || (size_t)index >= p->count || ur_params_find(p, name) >= 0)
        return fail(p, UR_INVALID,
                    "parameter %s: an alias added twice, after sealing, or of nothing", name);
    ur_param *entry = new_entry(p, name);
    if (!entry)
        return -1;
    const char *copy = entry->name;
    *entry = p->entries[index];
    entry->name = copy;
    entry->alias_of = index;
    return (int)p->count - 1;
}

int ur_params_pack(ur_params *p, int index, ur_pack_kind kind, size_t gates)
{
    return index < 0 ? -1 : ur_params_pack_part(p, index, kind, gates, 0, p->entries[index].dim[0]);
}

int ur_params_pack_part(ur_params *p, int index, ur_pack_kind kind, size_t gates, size_t begin,
                        size_t end)
{
    if (index < 0 || p->failure.status != UR_OK)
        return -1;
    if (!ur_reserve(&p->context->allocator, &p->packs, &p->pack_capacity, p->pack_count,
                    p->pack_count + 1, sizeof *p->packs))
        return fail(p, UR_NO_MEMORY, "out of memory while packing parameter %s",
                    p->entries[index].name);
    p->packs[p->pack_count] = (pack){index, kind, gates, begin, end - begin, NULL};
    return (int)p->pack_count++;
}

/* Columns and depth of the product that a pack serves. */
static ur_columns pack_columns(const ur_params *p, const pack *q, size_t *k)
{
    const ur_param *w = &p->entries[q->index];
    const size_t rows = q->rows, width = w->ndim > 1 ? w->dim[1] : 1;
    *k = q->kind == UR_PACK_ROWS ? width : rows;
    return q->kind == UR_PACK_ROWS ? (ur_columns){q->gates, rows / q->gates}
                                   : (ur_columns){1, width};
}

/* Floats of a packed copy, a multiple of ALIGN_FLOATS; 0 when their number overflows. */
static size_t pack_floats(const ur_params *p, const pack *q)
{
    const ur_kernels *kernels = p->context->kernels;
    size_t k;
    const ur_columns columns = pack_columns(p, q, &k);
    if (ur_packed_floats(kernels, columns, 1) > SIZE_MAX / 64 / k)
        return 0;
    const size_t floats = ur_packed_floats(kernels, columns, k);
    return (floats + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
}

/* Values and packed copies are one piece of memory, so that few pages hold them. */
ur_status ur_params_seal(ur_params *p, ur_err *err)
{
    if (p->failure.status != UR_OK)
        return ur_fail(err, p->failure.status, "%s", p->failure.text);
    if (p->memory)
        return ur_fail(err, UR_INVALID, "these parameters are sealed already");
    size_t total = p->size;
    for (size_t i = 0; i < p->pack_count; i++) {
        const size_t floats = pack_floats(p, &p->packs[i]);
        if (!floats || floats > SIZE_MAX / 64 - total)
            return ur_fail(err, UR_INVALID, "packed copy of %s: its size overflows",
                           p->entries[p->packs[i].index].name);
        total += floats;
    }
    const size_t bytes = total * sizeof(float), alignment = ALIGN_FLOATS * sizeof(float);
    char *memory =
        total > SIZE_MAX / 64 ? NULL : ur_alloc(&p->context->allocator, bytes + alignment, 1);
    if (!memory)
        return ur_no_memory(err, bytes);
    p->memory = memory;
    float *next =
        (float *)(void *)(memory + (alignment - (uintptr_t)memory % alignment) % alignment);
    p->values = next;
    memset(p->values, 0, p->size * sizeof(float));
    next += p->size;
    for (size_t i = 0; i < p->pack_count; i++) {
        p->packs[i].data = next;
        next += pack_floats(p, &p->packs[i]);
    }
    ur_params_changed(p);
    return UR_OK;
}

/* Those of `rows` rows of `width` floats from `offset` on that begin within this part of the vector. */
static ur_range rows_within(ur_range within, size_t offset, size_t width, size_t rows)
{
    const size_t begin = within.begin > offset ? (within.begin - offset + width - 1) / width : 0;
    const size_t end = within.end > offset ? (within.end - offset + width - 1) / width : 0;
    return (ur_range){begin < rows ? begin : rows, end < rows ? end : rows};
}

/* Packs what lies in this member's part of the vector. */
static void repack_member(void *arg, const ur_member *me)
{
    const ur_params *p = arg;
    const ur_kernels *kernels = p->context->kernels;
    const ur_range within = ur_my_floats(me, p->size);
    for (size_t i = 0; i < p->pack_count; i++) {
        const pack *q = &p->packs[i];
        const ur_param *w = &p->entries[q->index];
        const size_t width = w->ndim > 1 ? w->dim[1] : 1, offset = w->offset + q->begin * width;
        const float *values = p->values + offset;
        const ur_range mine = rows_within(within, offset, width, q->rows);
        size_t k;
        const ur_columns columns = pack_columns(p, q, &k);
        if (q->kind == UR_PACK_ROWS)
            kernels->pack_rows(columns, k, values, k, q->data, mine.begin, mine.end);
        else
            kernels->pack_cols(columns, k, values, columns.units, NULL, q->data, mine.begin,
                               mine.end);
    }
}

void ur_params_changed(ur_params *p)
{
    ur_team_run(ur_pool_team(p->context->pool), repack_member, p);
}

const float *ur_params_packed(const ur_params *p, int index)
{
    return p->packs[index].data;
}

ur_status ur_params_status(const ur_params *p)
{
    return p->failure.status;
}

float *ur_params_data(const ur_params *p)
{
    return p->values;
}

const ur_context *ur_params_context(const ur_params *p)
{
    return p->context;
}

size_t ur_params_size(const ur_params *p)
{
    return p->size;
}

size_t ur_params_count(const ur_params *p)
{
    return p->count;
}

const ur_param *ur_params_entry(const ur_params *p, size_t index)
{
    return &p->entries[index];
}

int ur_params_find(const ur_params *p, const char *name)
{
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->entries[i].name, name) == 0)
            return (int)i;
    return -1;
}

size_t ur_params_weights(const ur_params *p)
{
    size_t sum = 0;
    for (size_t i = 0; i < p->count; i++)
        if (p->entries[i].alias_of < 0)
            sum += p->entries[i].count;
    return sum;
}

float *ur_params_values(ur_params *p)
{
    return p->values;
}

float *ur_param_values(ur_params *p, int index)
{
    return p->values + p->entries[index].offset;
}
