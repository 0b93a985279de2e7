/* params.c - all weights of a model as one vector, and its packed copies.
 *
 * Entries start at multiples of 16 floats (64 bytes). Building is sticky: the first failure is
 * kept and told by ur_params_seal, so that layers add their parameters without checks between.
 *
 * The values have a version, which rises with every call that lets somebody write into them; each
 * group of packed copies has the version it was made from. Where they differ the copies are made
 * again, by ur_params_prepare. */
#include "tape/params.h"

#include <fnmatch.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/status.h"
#include "base/tiny.h"

enum { ALIGN_FLOATS = 16 };

typedef struct pack {
    int index;
    ur_pack_kind kind;
    size_t gates;
    size_t begin, rows; /* of the weight */
    float *data;
} pack;

/* What changes behind const parameters. */
typedef struct packs {
    pack *at;
    size_t count, capacity;
    atomic_uint_fast64_t version; /* of the values, from 1 on */
    struct {
        void *memory;                 /* NULL: no tape has needed this group yet */
        atomic_uint_fast64_t version; /* that the copies are of; 0: none */
    } group[UR_PACK_GROUPS];
    pthread_mutex_t lock; /* held while copies are made */
} packs;

struct ur_params {
    ur_context *context;
    ur_param *entries;
    size_t count, entry_capacity;
    int32_t *slot; /* (slots) entries by the hash of their names, at most half full; -1: none */
    size_t slots;  /* a power of two, or 0 */
    packs *packs;
    size_t size;   /* floats */
    float *values; /* aligned, inside memory; NULL: each has a place of its own, or a copy alone */
    float **place; /* (count) then; NULL: a copy alone */
    void *memory;  /* NULL: not sealed yet */
    float *device; /* the values on the device: themselves where that has the host's memory */
    void *device_memory;
    ur_err failure;
};

/* That many floats, and those up to where the next entry may begin. */
static size_t whole_lines(size_t count)
{
    return (count + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
}

ur_status ur_params_new(ur_context *context, ur_params **out, ur_err *err)
{
    const ur_allocator *a = &context->allocator;
    *out = NULL;
    ur_params *p = ur_alloc_zero(a, 1, sizeof *p);
    if (!p)
        return ur_no_memory(err, sizeof *p);
    p->packs = ur_alloc_zero(a, 1, sizeof *p->packs);
    if (!p->packs || pthread_mutex_init(&p->packs->lock, NULL) != 0) {
        ur_free(a, p->packs);
        ur_free(a, p);
        return ur_no_memory(err, sizeof *p->packs);
    }
    atomic_init(&p->packs->version, 1);
    p->context = context;
    *out = p;
    return UR_OK;
}

static void release_device(const ur_params *p, void *memory)
{
    if (p->context->backend->host_memory)
        ur_free(&p->context->allocator, memory);
    else if (memory)
        p->context->device.release(p->context->device.user, memory);
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
    for (size_t g = 0; g < UR_PACK_GROUPS; g++)
        release_device(p, p->packs->group[g].memory);
    release_device(p, p->device_memory);
    ur_free(a, p->place);
    pthread_mutex_destroy(&p->packs->lock);
    ur_free(a, p->packs->at);
    ur_free(a, p->packs);
    ur_free(a, p->entries);
    ur_free(a, p->slot);
    ur_free(a, p->memory);
    ur_free(a, p);
}

/* ---- entries by name ---------------------------------------------------------------------- */

/* The slot of that name, or the empty one where it belongs. */
static size_t slot_of(const ur_params *p, const char *name)
{
    const uint64_t hash = ur_fingerprint_bytes(UR_FINGERPRINT, name, strlen(name));
    size_t i = (size_t)(hash ^ hash >> 32) & (p->slots - 1);
    while (p->slot[i] >= 0 && strcmp(p->entries[p->slot[i]].name, name) != 0)
        i = (i + 1) & (p->slots - 1);
    return i;
}

int ur_params_find(const ur_params *p, const char *name)
{
    return p->slots ? p->slot[slot_of(p, name)] : -1;
}

/* Room for one more name. */
static bool grow_slots(ur_params *p)
{
    if (2 * (p->count + 1) <= p->slots)
        return true;
    const size_t slots = p->slots ? 2 * p->slots : UR_SIZE(64, 4);
    int32_t *slot = ur_alloc(&p->context->allocator, slots, sizeof *slot);
    if (!slot)
        return false;
    ur_free(&p->context->allocator, p->slot);
    p->slot = slot;
    p->slots = slots;
    for (size_t i = 0; i < slots; i++)
        slot[i] = -1;
    for (size_t i = 0; i < p->count; i++)
        slot[slot_of(p, p->entries[i].name)] = (int32_t)i;
    return true;
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
    if (!copy || !grow_slots(p) ||
        !ur_reserve(a, &p->entries, &p->entry_capacity, p->count, p->count + 1,
                    sizeof *p->entries)) {
        ur_free(a, copy);
        fail(p, UR_NO_MEMORY, "out of memory while adding parameter %s", name);
        return NULL;
    }
    ur_param *entry = &p->entries[p->count];
    memset(entry, 0, sizeof *entry);
    p->slot[slot_of(p, copy)] = (int32_t)p->count;
    entry->name = copy;
    p->count++;
    return entry;
}

int ur_params_add(ur_params *p, const char *name, int ndim, const size_t *dim, unsigned flags)
{
    if (p->failure.status != UR_OK)
        return -1;
    if (p->memory)
        return fail(p, UR_INVALID, "parameter %s: added after sealing", name);
    if (ur_params_find(p, name) >= 0)
        return fail(p, UR_INVALID, "parameter %s: added twice", name);
    if (ndim < 1 || ndim > UR_MAX_DIMS)
        return fail(p, UR_INVALID, "parameter %s: 1 to 4 dimensions expected", name);
    size_t count = 1;
    for (int i = 0; i < ndim; i++) {
        if (dim[i] == 0)
            return fail(p, UR_INVALID, "parameter %s: one of its dimensions is zero", name);
        if (count > (SIZE_MAX / 64) / dim[i])
            return fail(p, UR_INVALID, "parameter %s: its size overflows", name);
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
    p->size += whole_lines(count);
    return (int)p->count - 1;
}

static int root_of(const ur_params *p, int index)
{
    const int root = p->entries[index].alias_of;
    return root < 0 ? index : root;
}

int ur_params_alias(ur_params *p, const char *name, int index)
{
    if (index < 0 || p->failure.status != UR_OK)
        return -1;
    if (p->memory)
        return fail(p, UR_INVALID, "parameter %s: an alias added after sealing", name);
    if (ur_params_find(p, name) >= 0)
        return fail(p, UR_INVALID, "parameter %s: added twice, the second time as an alias", name);
    if ((size_t)index >= p->count)
        return fail(p, UR_INVALID, "parameter %s: an alias of a parameter that is not there", name);
    ur_param *entry = new_entry(p, name);
    if (!entry)
        return -1;
    const char *copy = entry->name;
    *entry = p->entries[index];
    entry->name = copy;
    entry->alias_of = root_of(p, index);
    return (int)p->count - 1;
}

int ur_params_pack(ur_params *p, int index, ur_pack_kind kind, size_t gates)
{
    return index < 0 || (size_t)index >= p->count
               ? -1
               : ur_params_pack_part(p, index, kind, gates, 0, p->entries[index].dim[0]);
}

int ur_params_pack_part(ur_params *p, int index, ur_pack_kind kind, size_t gates, size_t begin,
                        size_t end)
{
    packs *all = p->packs;
    if (index < 0 || p->failure.status != UR_OK)
        return -1;
    if (p->memory)
        return fail(p, UR_INVALID, "parameter %s: a packed copy asked for after sealing",
                    p->entries[index].name);
    if (!ur_reserve(&p->context->allocator, &all->at, &all->capacity, all->count, all->count + 1,
                    sizeof *all->at))
        return fail(p, UR_NO_MEMORY, "out of memory while packing parameter %s",
                    p->entries[index].name);
    all->at[all->count] = (pack){index, kind, gates, begin, end - begin, NULL};
    return (int)all->count++;
}

int ur_params_set_flags(ur_params *p, const char *pattern, unsigned flags, bool on)
{
    int changed = 0;
    for (size_t i = 0; i < p->count; i++) {
        if (fnmatch(pattern, p->entries[i].name, 0) != 0)
            continue;
        const int root = root_of(p, (int)i);
        const unsigned before = p->entries[root].flags;
        const unsigned after = on ? before | flags : before & ~flags;
        for (size_t j = 0; j < p->count; j++)
            if (root_of(p, (int)j) == root)
                p->entries[j].flags = after;
        changed++;
    }
    return changed;
}

static ur_pack description(const ur_params *p, const pack *q)
{
    const ur_param *w = &p->entries[q->index];
    return (ur_pack){q->kind, q->gates, q->rows, w->ndim > 1 ? w->dim[1] : 1};
}

/* Floats of a packed copy, a multiple of ALIGN_FLOATS; 0 when their number overflows. */
static size_t pack_floats(const ur_params *p, const pack *q)
{
    const ur_pack of = description(p, q);
    const size_t floats = p->context->backend->packed_floats(p->context, &of);
    return whole_lines(floats);
}

/* Which group a copy belongs to. */
static ur_pack_group group_of(const pack *q)
{
    return q->kind == UR_PACK_ROWS ? UR_PACK_FORWARD : UR_PACK_BACKWARD;
}

/* That many floats from a multiple of 64 bytes on; *memory is what is to be released. */
static float *aligned_floats(const ur_allocator *a, size_t floats, void **memory)
{
    const size_t alignment = ALIGN_FLOATS * sizeof(float);
    char *block =
        floats > SIZE_MAX / 64 ? NULL : ur_alloc(a, floats * sizeof(float) + alignment, 1);
    *memory = block;
    return block ? (float *)(void *)(block + (alignment - (uintptr_t)block % alignment) % alignment)
                 : NULL;
}

/* The same on the device. */
static float *device_floats(const ur_params *p, size_t floats, void **memory)
{
    const ur_allocator *device = &p->context->device;
    if (p->context->backend->host_memory)
        return aligned_floats(&p->context->allocator, floats, memory);
    *memory =
        floats > SIZE_MAX / 64 ? NULL : device->allocate(device->user, floats * sizeof(float));
    return *memory;
}

ur_status ur_params_built(const ur_params *p, ur_err *err)
{
    return p->failure.status == UR_OK ? UR_OK
                                      : ur_fail(err, p->failure.status, "%s", p->failure.text);
}

/* Whether they can be given memory: built well, not sealed before, of sizes that fit a number. */
static ur_status check_sizes(const ur_params *p, ur_err *err)
{
    if (p->failure.status != UR_OK)
        return ur_params_built(p, err);
    if (p->memory)
        return ur_fail(err, UR_INVALID, "these parameters are sealed already");
    size_t total = p->size;
    for (size_t i = 0; i < p->packs->count; i++) {
        const size_t floats = pack_floats(p, &p->packs->at[i]);
        if (!floats || floats > SIZE_MAX / 64 - total)
            return ur_fail(err, UR_INVALID, "packed copy of %s: its size overflows",
                           p->entries[p->packs->at[i].index].name);
        total += floats;
    }
    return UR_OK;
}

ur_status ur_params_seal(ur_params *p, ur_err *err)
{
    const ur_status status = check_sizes(p, err);
    if (status != UR_OK)
        return status;
    p->values = aligned_floats(&p->context->allocator, p->size, &p->memory);
    p->device = p->values;
    if (p->values && !p->context->backend->host_memory)
        p->device = device_floats(p, p->size, &p->device_memory);
    if (!p->device)
        return ur_no_memory(err, p->size * sizeof(float));
    memset(p->values, 0, p->size * sizeof(float));
    return UR_OK;
}

bool ur_params_sealed(const ur_params *p)
{
    return p->memory != NULL;
}

/* ---- bringing packed copies up to date ---------------------------------------------------- */

/* Those of `rows` rows of `width` floats from `offset` on that begin within this part. */
static ur_range rows_within(ur_range within, size_t offset, size_t width, size_t rows)
{
    const size_t begin = within.begin > offset ? (within.begin - offset + width - 1) / width : 0;
    const size_t end = within.end > offset ? (within.end - offset + width - 1) / width : 0;
    return (ur_range){begin < rows ? begin : rows, end < rows ? end : rows};
}

typedef struct packing {
    const ur_params *params;
    bool wanted[UR_PACK_GROUPS];
    size_t floats; /* to read for all copies that are wanted */
} packing;

/* Packs this member's part of all that is to be read, which is in the order of the vector: where most of that
 * is packed, the member reads what it stepped. */
static void pack_member(void *arg, const ur_member *me)
{
    const packing *job = arg;
    const ur_params *p = job->params;
    const ur_range within = ur_my_floats(me, job->floats);
    size_t before = 0;
    for (size_t i = 0; i < p->packs->count; i++) {
        const pack *q = &p->packs->at[i];
        if (!job->wanted[group_of(q)])
            continue;
        const ur_pack of = description(p, q);
        const size_t offset = p->entries[q->index].offset + q->begin * of.columns;
        const ur_range mine = rows_within(within, before, of.columns, q->rows);
        before += q->rows * of.columns;
        p->context->backend->pack(p->context, &of, p->device + offset, q->data, mine.begin,
                                  mine.end);
    }
}

/* Memory for the copies of a group: one piece, so that few pages hold them. */
static ur_status take_group(const ur_params *p, ur_pack_group group, ur_err *err)
{
    packs *all = p->packs;
    size_t total = 0;
    for (size_t i = 0; i < all->count; i++)
        if (group_of(&all->at[i]) == group)
            total += pack_floats(p, &all->at[i]);
    float *next = device_floats(p, total, &all->group[group].memory);
    if (!next)
        return ur_no_memory(err, total * sizeof *next);
    for (size_t i = 0; i < all->count; i++)
        if (group_of(&all->at[i]) == group) {
            all->at[i].data = next;
            next += pack_floats(p, &all->at[i]);
        }
    return UR_OK;
}

/* Makes those groups' copies that are behind; the lock is held. */
static ur_status pack_groups(const ur_params *p, size_t groups, ur_team *team, ur_err *err)
{
    packs *all = p->packs;
    packing job = {.params = p};
    const uint_fast64_t version = atomic_load(&all->version);
    for (size_t g = 0; g < groups; g++) {
        job.wanted[g] = atomic_load(&all->group[g].version) != version;
        if (job.wanted[g] && !all->group[g].memory) {
            const ur_status status = take_group(p, (ur_pack_group)g, err);
            if (status != UR_OK)
                return status;
        }
    }
    for (size_t i = 0; i < all->count; i++)
        if (job.wanted[group_of(&all->at[i])])
            job.floats += all->at[i].rows * description(p, &all->at[i]).columns;
    if (p->device != p->values) {
        const ur_executor on = {p->context->backend, p->context->kernels, NULL, NULL};
        on.backend->copy_in(&on, p->device, p->values, p->size * sizeof *p->values);
    }
    ur_team_run(team, pack_member, &job);
    for (size_t g = 0; g < groups; g++)
        atomic_store(&all->group[g].version, version);
    return UR_OK;
}

/* Groups that a tape in this mode needs, from the first on. */
static size_t groups_of(ur_mode mode)
{
    return mode == UR_TRAIN ? UR_PACK_GROUPS : UR_PACK_BACKWARD;
}

bool ur_params_current(const ur_params *p, ur_mode mode)
{
    for (size_t g = 0; g < groups_of(mode); g++)
        if (atomic_load(&p->packs->group[g].version) != atomic_load(&p->packs->version))
            return false;
    return true;
}

ur_status ur_params_prepare(const ur_params *p, ur_mode mode, ur_team *team, ur_err *err)
{
    if (p->failure.status != UR_OK)
        return ur_params_built(p, err);
    if (!p->memory)
        return ur_fail(err, UR_INVALID, "the parameters are not sealed yet (ur_params_seal)");
    if (p->place && mode == UR_TRAIN)
        return ur_fail(err, UR_INVALID,
                       "these parameters have no values: they were read for inference alone");
    if (p->place || ur_params_current(p, mode))
        return UR_OK;
    pthread_mutex_lock(&p->packs->lock);
    const ur_status status = pack_groups(p, groups_of(mode), team, err);
    pthread_mutex_unlock(&p->packs->lock);
    return status;
}

/* ---- copies alone ------------------------------------------------------------------------- */

/* Whether an entry is read by products alone: one forward copy has all of its rows, and no second name shares
 * it, under which it would be a table of rows. */
static bool has_copy_alone(const ur_params *p, size_t index)
{
    size_t rows = 0;
    for (size_t i = 0; i < p->count; i++)
        if (p->entries[i].alias_of == (int)index)
            return false;
    for (size_t i = 0; i < p->packs->count; i++) {
        const pack *q = &p->packs->at[i];
        if (root_of(p, q->index) == (int)index && group_of(q) == UR_PACK_FORWARD && q->gates == 1)
            rows = q->rows;
    }
    return rows == p->entries[index].dim[0];
}

ur_status ur_params_seal_packed(ur_params *p, ur_err *err)
{
    const ur_allocator *a = &p->context->allocator;
    size_t total = 0;
    ur_status status = check_sizes(p, err);
    if (status != UR_OK)
        return status;
    if (!p->context->backend->host_memory)
        return ur_fail(err, UR_UNSUPPORTED, "parameters without values are the host's alone");
    p->place = ur_alloc_zero(a, p->count, sizeof(float *));
    if (!p->place)
        return ur_no_memory(err, p->count * sizeof(float *));
    for (size_t i = 0; i < p->count; i++)
        if (p->entries[i].alias_of < 0 && !has_copy_alone(p, i))
            total += whole_lines(p->entries[i].count);
    float *next = aligned_floats(a, total, &p->memory);
    status = next ? UR_OK : ur_no_memory(err, total * sizeof *next);
    if (status == UR_OK)
        status = take_group(p, UR_PACK_FORWARD, err);
    if (status != UR_OK) {
        ur_free(a, p->memory);
        ur_free(a, p->place);
        p->memory = p->place = NULL;
        return status;
    }
    for (size_t i = 0; i < p->count; i++)
        if (p->entries[i].alias_of < 0 && !has_copy_alone(p, i)) {
            p->place[i] = next;
            next += whole_lines(p->entries[i].count);
        }
    for (size_t i = 0; i < p->count; i++)
        if (p->entries[i].alias_of >= 0)
            p->place[i] = p->place[p->entries[i].alias_of];
    atomic_store(&p->packs->group[UR_PACK_FORWARD].version, atomic_load(&p->packs->version));
    return UR_OK;
}

float *ur_params_fill_here(ur_params *p, int index)
{
    return p->place[index];
}

void ur_params_fill(ur_params *p, int index, const float *values)
{
    for (size_t i = 0; i < p->packs->count; i++) {
        const pack *q = &p->packs->at[i];
        if (root_of(p, q->index) != index || group_of(q) != UR_PACK_FORWARD)
            continue;
        const ur_pack of = description(p, q);
        p->context->backend->pack(p->context, &of, values + q->begin * of.columns, q->data, 0,
                                  q->rows);
    }
}

void ur_params_changed(ur_params *p)
{
    atomic_fetch_add(&p->packs->version, 1);
}

uint64_t ur_params_version(const ur_params *p)
{
    return atomic_load(&p->packs->version);
}

const float *ur_params_packed(const ur_params *p, int index)
{
    return p->packs->at[index].data;
}

bool ur_params_packs(const ur_params *p, int copy, int index)
{
    return copy >= 0 && (size_t)copy < p->packs->count &&
           root_of(p, p->packs->at[copy].index) == root_of(p, index);
}

const ur_param *ur_params_not_finite(const ur_params *p, const float *vector, float *number)
{
    for (size_t i = 0; i < p->count; i++)
        for (size_t j = 0; j < p->entries[i].count; j++) {
            *number = vector[p->entries[i].offset + j];
            if (!isfinite(*number))
                return &p->entries[i];
        }
    return NULL;
}

const float *ur_params_data(const ur_params *p)
{
    return p->values;
}

const float *ur_param_data(const ur_params *p, int index)
{
    if (index < 0 || (size_t)index >= p->count)
        return NULL;
    if (p->place)
        return p->place[index];
    return p->values ? p->values + p->entries[index].offset : NULL;
}

const float *ur_param_on_device(const ur_params *p, int index)
{
    const bool there = p->device && index >= 0 && (size_t)index < p->count;
    return there ? p->device + p->entries[index].offset : ur_param_data(p, index);
}

ur_context *ur_params_context(const ur_params *p)
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
    return index < p->count ? &p->entries[index] : NULL;
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
    if (!p->place)
        ur_params_changed(p);
    return p->values;
}

float *ur_param_values(ur_params *p, int index)
{
    if (p->place || !ur_param_data(p, index))
        return NULL;
    ur_params_changed(p);
    return p->values + p->entries[index].offset;
}
