/* sort.h - the stable sort that puts sequences in order of their lengths. */
#ifndef UR_BASE_SORT_H
#define UR_BASE_SORT_H

#include "unroll/core.h"

/* Puts the `n` items in falling order of length(context, item); equal ones stay in the order that
 * they came in, which libc's qsort does not promise. `scratch` has room for n / 2 items. Takes a
 * call for each item where they are in order already, about n log2 n else. */
void ur_sort_longest_first(size_t *items, size_t n, size_t *scratch,
                           size_t (*length)(const void *context, size_t item), const void *context);

#endif
