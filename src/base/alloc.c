/* alloc.c - memory through the caller's hooks. */
#include "base/alloc.h"

#include "base/tiny.h"

#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#define HUGE_PAGE ((size_t)2 << 20)

/* What is large is walked through again and again by the kernels; pages of 2 MB spare them most of
 * the address translations. Where the system has none to give, it is memory like any other. */
static void *malloc_hook(void *user, size_t bytes)
{
    (void)user;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (bytes >= HUGE_PAGE / 2 && bytes <= SIZE_MAX - HUGE_PAGE) {
        const size_t whole = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
        void *memory = aligned_alloc(HUGE_PAGE, whole);
        if (memory)
            madvise(memory, whole, MADV_HUGEPAGE);
        return memory;
    }
#endif
    return malloc(bytes);
}

static void free_hook(void *user, void *memory)
{
    (void)user;
    free(memory);
}

static const ur_allocator from_malloc = {malloc_hook, free_hook, NULL};

const ur_allocator *ur_default_allocator(void)
{
    return &from_malloc;
}

void *ur_alloc(const ur_allocator *a, size_t count, size_t size)
{
    if (!a)
        a = &from_malloc;
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
        a = &from_malloc;
    if (memory)
        a->release(a->user, memory);
}
