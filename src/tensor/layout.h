/* layout.h - building the layout of a ragged batch. */
#ifndef UR_TENSOR_LAYOUT_H
#define UR_TENSOR_LAYOUT_H

#include "base/arena.h"
#include "unroll/core.h"

/* Whether so many rows can be counted. */
bool ur_lengths_fit(size_t batch, const size_t *length);

/* The layout for these lengths, in the arena; NULL when memory ran out or the lengths do not fit. id may
 * be NULL: 0, 1, 2 ... */
const ur_layout *ur_layout_build(ur_arena *arena, ur_order order, size_t batch,
                                 const size_t *length, const uint64_t *id);

/* `batch` sequences of one step each: row b is sequence b. NULL when memory ran out. */
const ur_layout *ur_layout_of_one_step(ur_arena *arena, size_t batch);

/* The same sequences in the other order (or the same). */
const ur_layout *ur_layout_reorder(ur_arena *arena, const ur_layout *layout, ur_order order);

/* Whether two layouts hold the same sequences, and whether even the rows lie alike. */
bool ur_layout_same_lengths(const ur_layout *a, const ur_layout *b);
bool ur_layout_same_rows(const ur_layout *a, const ur_layout *b);

/* Row after row: which step of which sequence each is. */
typedef struct ur_row_walk {
    const ur_layout *layout;
    size_t row, b, t;
} ur_row_walk;
ur_row_walk ur_row_walk_from(const ur_layout *layout, size_t row); /* there is such a row */
void ur_row_walk_on(ur_row_walk *at); /* behind the last row, b and t say nothing */

#endif
