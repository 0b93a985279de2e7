/* arena.c - memory that is given back all at once.
 *
 * Chunks form a list in the order of use: those up to `current` hold pieces, those after it are
 * spare (a rewind leaves them for the next takes). `peak` is what one chunk would have needed for
 * everything since the last reset; when that took several chunks, reset gives them all back and the
 * next take asks for one of that size. Under AddressSanitizer what is not handed out is poisoned
 * and pieces stand apart. */
#include "base/arena.h"

#include "base/alloc.h"
#include "base/status.h"
#include "base/tiny.h"

#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define POISONING 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISONING 1
#endif
#endif

#ifdef POISONING
#include <sanitizer/asan_interface.h>
#define POISON(start, bytes) __asan_poison_memory_region(start, bytes)
#define UNPOISON(start, bytes) __asan_unpoison_memory_region(start, bytes)
#define GAP 64
#else
#define POISON(start, bytes) ((void)(start), (void)(bytes))
#define UNPOISON(start, bytes) ((void)(start), (void)(bytes))
#define GAP 0
#endif

#define ALIGNMENT 64
#define SMALLEST ((size_t)UR_SIZE(64 << 10, 192))
#define LARGEST_STEP                                                                               \
    ((size_t)UR_SIZE(16 << 20, 512)) /* chunks double up to here unless one piece needs more */

typedef struct chunk {
    struct chunk *previous, *next;
    char *start;  /* aligned */
    void *memory; /* where it lies apart from this: of a device */
    size_t capacity, used;
    size_t before; /* bytes used in the chunks before this one */
} chunk;

struct ur_arena {
    const ur_allocator *allocator;
    const ur_allocator *device; /* where pieces come from; NULL: from the allocator */
    chunk *first, *current;     /* current is NULL before the first take */
    size_t held;
    size_t peak;   /* largest number of bytes in use since the last reset */
    size_t wanted; /* size of the next chunk, set by a reset that gave several back */
};

ur_status ur_arena_new(const ur_allocator *a, ur_arena **out, ur_err *err)
{
    return ur_arena_new_on(a, NULL, out, err);
}

ur_status ur_arena_new_on(const ur_allocator *a, const ur_allocator *device, ur_arena **out,
                          ur_err *err)
{
    *out = NULL;
    ur_arena *arena = ur_alloc_zero(a, 1, sizeof *arena);
    if (!arena)
        return ur_no_memory(err, sizeof *arena);
    arena->allocator = a;
    arena->device = device;
    *out = arena;
    return UR_OK;
}

/* Memory of a device is nothing that the sanitizer knows. */
static void poison(const ur_arena *arena, const char *start, size_t bytes)
{
    if (!arena->device)
        POISON(start, bytes);
}

static void unpoison(const ur_arena *arena, const char *start, size_t bytes)
{
    if (!arena->device)
        UNPOISON(start, bytes);
}

static void free_chunk(ur_arena *arena, chunk *c)
{
    unpoison(arena, c->start, c->capacity);
    if (c->memory)
        arena->device->release(arena->device->user, c->memory);
    ur_free(arena->allocator, c);
}

static void free_chunks(ur_arena *arena)
{
    for (chunk *c = arena->first, *next; c; c = next) {
        next = c->next;
        free_chunk(arena, c);
    }
    arena->first = arena->current = NULL;
    arena->held = 0;
}

void ur_arena_free(ur_arena *arena)
{
    if (!arena)
        return;
    free_chunks(arena);
    ur_free(arena->allocator, arena);
}

static void link_after_current(ur_arena *arena, chunk *c)
{
    c->previous = arena->current;
    c->next = arena->current ? arena->current->next : arena->first;
    if (c->next)
        c->next->previous = c;
    if (c->previous)
        c->previous->next = c;
    else
        arena->first = c;
}

static void unlink_chunk(ur_arena *arena, chunk *c)
{
    if (c->next)
        c->next->previous = c->previous;
    if (c->previous)
        c->previous->next = c->next;
    else
        arena->first = c->next;
}

static chunk *find_spare(ur_arena *arena, size_t bytes)
{
    chunk *c = arena->current ? arena->current->next : arena->first;
    while (c && c->capacity < bytes)
        c = c->next;
    if (c)
        unlink_chunk(arena, c);
    return c;
}

static chunk *new_chunk(ur_arena *arena, size_t capacity)
{
    size_t overhead = sizeof(chunk) + ALIGNMENT;
    if (capacity > SIZE_MAX / 2 - overhead)
        return NULL;
    const ur_allocator *device = arena->device;
    void *memory = device ? device->allocate(device->user, overhead + capacity) : NULL;
    chunk *c = !device || memory
                   ? ur_alloc(arena->allocator, sizeof *c + (device ? 0 : overhead + capacity), 1)
                   : NULL;
    if (!c) {
        if (memory)
            device->release(device->user, memory);
        return NULL;
    }
    char *after = memory ? memory : (void *)(c + 1);
    size_t misaligned = (size_t)((uintptr_t)after % ALIGNMENT);
    *c = (chunk){.start = after + (misaligned ? ALIGNMENT - misaligned : 0),
                 .memory = memory,
                 .capacity = capacity};
    arena->held += overhead + capacity;
    poison(arena, c->start, capacity);
    return c;
}

/* Makes a chunk with room for `bytes` the current one. */
static bool next_chunk(ur_arena *arena, size_t bytes)
{
    chunk *c = find_spare(arena, bytes);
    if (!c) {
        size_t wanted = arena->wanted;
        if (!wanted)
            wanted = arena->held < LARGEST_STEP ? arena->held : LARGEST_STEP;
        wanted = (wanted + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        if (wanted < SMALLEST)
            wanted = SMALLEST;
        c = new_chunk(arena, wanted > bytes ? wanted : bytes);
        if (!c && wanted > bytes)
            c = new_chunk(arena, bytes);
        if (!c)
            return false;
        arena->wanted = 0;
    }
    c->used = 0;
    c->before = arena->current ? arena->current->before + arena->current->used : 0;
    link_after_current(arena, c);
    arena->current = c;
    return true;
}

void *ur_arena_take(ur_arena *arena, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / 4 / size)
        return NULL;
    size_t bytes = count * size;
    size_t rounded = (bytes + (bytes == 0) + GAP + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    chunk *c = arena->current;
    if (!c || rounded > c->capacity - c->used) {
        if (!next_chunk(arena, rounded))
            return NULL;
        c = arena->current;
    }
    char *piece = c->start + c->used;
    c->used += rounded;
    if (c->before + c->used > arena->peak)
        arena->peak = c->before + c->used;
    unpoison(arena, piece, bytes);
    return piece;
}

void *ur_arena_take_zero(ur_arena *arena, size_t count, size_t size)
{
    void *piece = ur_arena_take(arena, count, size);
    if (piece)
        memset(piece, 0, count * size);
    return piece;
}

ur_mark ur_arena_mark(const ur_arena *arena)
{
    const chunk *c = arena->current;
    return c ? (ur_mark){arena->current, c->used} : (ur_mark){NULL, 0};
}

void ur_arena_rewind(ur_arena *arena, ur_mark mark)
{
    while (arena->current && arena->current != mark.chunk) {
        poison(arena, arena->current->start, arena->current->used);
        arena->current->used = 0;
        arena->current = arena->current->previous;
    }
    if (arena->current) {
        poison(arena, arena->current->start + mark.used, arena->current->used - mark.used);
        arena->current->used = mark.used;
    }
}

void ur_arena_reset(ur_arena *arena)
{
    if (arena->first && arena->first->next) {
        free_chunks(arena);
        arena->wanted = arena->peak;
    } else {
        ur_arena_rewind(arena, (ur_mark){NULL, 0});
    }
    arena->peak = 0;
}

void ur_arena_rest(ur_arena *arena)
{
    ur_arena_reset(arena);
    if (arena->first) {
        arena->wanted = arena->first->capacity;
        free_chunks(arena);
    }
}

size_t ur_arena_held(const ur_arena *arena)
{
    return arena->held;
}
