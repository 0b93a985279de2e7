/* alloc.c - memory through the caller's hooks. */
#include "base/alloc.h"

#include "base/tiny.h"

#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#define HUGE_PAGE ((size_t)2 << 20)

static void *plain_hook(void *user, size_t bytes)
{
    (void)user;
    return malloc(bytes);
}

static void plain_free_hook(void *user, void *memory)
{
    (void)user;
    free(memory);
}

/* Callers that give no hooks may give back by free what they get. */
static const ur_allocator plain = {plain_hook, plain_free_hook, NULL};

#if defined(__linux__) && defined(MADV_HUGEPAGE)

static bool on_huge_page(const void *memory)
{
    return (uintptr_t)memory % HUGE_PAGE == 0;
}

/* What is large is walked through again and again by the kernels; pages of 2 MB spare them most of
 * the address translations. Where the system has none to give, it is memory like any other.
 *
 * The block is aligned inside one of malloc's, whose address stands before it, rather than by
 * aligned_alloc: that gives what is before and behind the block back, where small blocks then lie, so
 * that a large one of the same size does not fit there again, and the heap grows with every one. */
static void *large(size_t bytes)
{
    const size_t whole = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    char *own = malloc(whole + HUGE_PAGE);
    if (!own)
        return NULL;
    char *memory = own + (HUGE_PAGE - (uintptr_t)own % HUGE_PAGE);
    memcpy(memory - sizeof own, &own, sizeof own); /* malloc's are multiples of more than that */
    madvise(memory, whole, MADV_HUGEPAGE);
    return memory;
}

/* No small block begins where a large one could. */
static void *paged_hook(void *user, size_t bytes)
{
    (void)user;
    if (bytes >= HUGE_PAGE / 2 && bytes <= SIZE_MAX / 2)
        return large(bytes);
    void *memory = malloc(bytes);
    if (!memory || !on_huge_page(memory))
        return memory;
    void *other = paged_hook(user, bytes);
    free(memory);
    return other;
}

static void paged_free_hook(void *user, void *memory)
{
    (void)user;
    if (memory && on_huge_page(memory))
        memcpy(&memory, (char *)memory - sizeof memory, sizeof memory);
    free(memory);
}

static const ur_allocator paged = {paged_hook, paged_free_hook, NULL};

/* glibc's free gives the end of the heap back to the system where it is longer than twice the largest block
 * that was mapped and freed, of at most 32 MB, and pages that are taken again are cleared again: a tenth of the
 * time of predictions that take some MB each. So such a block is mapped and freed, untouched, first. */
const ur_allocator *ur_default_allocator(void)
{
    enum { LARGEST_MAPPED = (32 << 20) - (64 << 10) };
    void *volatile block = malloc(LARGEST_MAPPED);
    free(block);
    return &paged;
}

#else

const ur_allocator *ur_default_allocator(void)
{
    return &plain;
}

#endif

void *ur_alloc(const ur_allocator *a, size_t count, size_t size)
{
    if (!a)
        a = &plain;
    if (size != 0 && count > SIZE_MAX / 2 / size)
        return NULL;
    size_t bytes = count * size;
    return a->allocate(a->user, bytes ? bytes : 1);
}

void *ur_alloc_zero(const ur_allocator *a, size_t count, size_t size)
{
    void *memory = ur_alloc(a, count, size);
    if (memory)
        memset(memory, 0, count * size);
    return memory;
}

char *ur_strdup(const ur_allocator *a, const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = ur_alloc(a, bytes, 1);
    if (copy)
        memcpy(copy, text, bytes);
    return copy;
}

bool ur_reserve(const ur_allocator *a, void *array, size_t *capacity, size_t used, size_t wanted,
                size_t size)
{
    if (wanted <= *capacity)
        return true;
    enum { FEWEST = UR_SIZE(8, 1) };
    size_t grown = *capacity < FEWEST ? FEWEST : *capacity;
    while (grown < wanted)
        grown = grown > SIZE_MAX / 2 ? wanted : grown * 2;
    void *bigger = ur_alloc(a, grown, size);
    if (!bigger)
        return false;
    void *old;
    memcpy(&old, array, sizeof old);
    if (used)
        memcpy(bigger, old, used * size);
    ur_free(a, old);
    memcpy(array, &bigger, sizeof bigger);
    *capacity = grown;
    return true;
}

void ur_free(const ur_allocator *a, void *memory)
{
    if (!a)
        a = &plain;
    if (memory)
        a->release(a->user, memory);
}
