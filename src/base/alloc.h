/* alloc.h - memory through the caller's hooks; sizes are multiplied with an overflow check. */
#ifndef UR_BASE_ALLOC_H
#define UR_BASE_ALLOC_H

#include "unroll/core.h"

/* The hooks of a context for which the caller gave none: malloc and free, large blocks standing on pages of
 * 2 MB where there are such. What comes from them goes back by them, not by free. */
const ur_allocator *ur_default_allocator(void);

/* `count` elements of `size` bytes, uninitialised; NULL when the product overflows or memory ran
 * out. `a` may be NULL (malloc and free themselves). A count of zero gives a valid pointer to nothing. */
void *ur_alloc(const ur_allocator *a, size_t count, size_t size);

/* The same, all bytes zero. */
void *ur_alloc_zero(const ur_allocator *a, size_t count, size_t size);

/* A copy of a string, or NULL. */
char *ur_strdup(const ur_allocator *a, const char *text);

/* Makes room for `wanted` elements in a growing array (doubling): *array has *capacity elements of
 * `size` bytes, of which the first `used` are kept. False when memory ran out; the array is then
 * as before. */
bool ur_reserve(const ur_allocator *a, void *array /* T ** */, size_t *capacity, size_t used,
                size_t wanted, size_t size);

void ur_free(const ur_allocator *a, void *memory);

#endif
