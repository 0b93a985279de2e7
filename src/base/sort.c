/* sort.c - a merge sort; see sort.h. */
#include "base/sort.h"

#include <string.h>

void ur_sort_longest_first(size_t *items, size_t n, size_t *scratch,
                           size_t (*length)(const void *context, size_t item), const void *context)
{
    if (n < 2)
        return;
    const size_t half = n / 2;
    ur_sort_longest_first(items, half, scratch, length, context);
    ur_sort_longest_first(items + half, n - half, scratch, length, context);
    size_t right = length(context, items[half]);
    if (length(context, items[half - 1]) >= right)
        return;
    memcpy(scratch, items, half * sizeof *items);
    /* items[k..j) is free: what is written there comes from scratch or from behind. */
    size_t i = 0, j = half, k = 0;
    while (i < half && j < n) {
        if (right > length(context, scratch[i])) {
            items[k++] = items[j++];
            right = j < n ? length(context, items[j]) : 0;
        } else {
            items[k++] = scratch[i++];
        }
    }
    memcpy(items + k, scratch + i, (half - i) * sizeof *items);
}
