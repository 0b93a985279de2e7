/* layout.c - where the rows of a ragged batch lie (core.h has the formulas). */
#include "tensor/layout.h"

#include <string.h>

#include "base/sort.h"

static size_t length_of(const void *layout, size_t b)
{
    return ((const ur_layout *)layout)->length[b];
}

/* Places by falling length, stable; offset[t], step-major, is the first row of step t. */
static bool place_sequences(ur_arena *arena, ur_layout *l, size_t *rank, size_t *sequence,
                            size_t *offset)
{
    const ur_mark mark = ur_arena_mark(arena);
    size_t *scratch = ur_arena_take(arena, l->batch, sizeof *scratch);
    if (!scratch)
        return false;
    for (size_t b = 0; b < l->batch; b++)
        sequence[b] = b;
    ur_sort_longest_first(sequence, l->batch, scratch, length_of, l);
    for (size_t place = 0; place < l->batch; place++)
        rank[sequence[place]] = place;
    if (l->order == UR_STEP_MAJOR) {
        size_t alive = l->batch;
        offset[0] = 0;
        for (size_t t = 0; t < l->steps; t++) {
            while (l->length[sequence[alive - 1]] <= t)
                alive--; /* not below 1: the longest has l->steps */
            offset[t + 1] = offset[t] + alive;
        }
    }
    ur_arena_rewind(arena, mark);
    return true;
}

bool ur_lengths_fit(size_t batch, const size_t *length)
{
    size_t rows = 0;
    for (size_t b = 0; b < batch; rows += length[b++])
        if (length[b] > SIZE_MAX / 16 - rows)
            return false;
    return true;
}

const ur_layout *ur_layout_build(ur_arena *arena, ur_order order, size_t batch,
                                 const size_t *length, const uint64_t *id)
{
    ur_layout *l = ur_arena_take_zero(arena, 1, sizeof *l);
    size_t *lengths = ur_arena_take(arena, batch, sizeof *lengths);
    if (!l || !lengths || !ur_lengths_fit(batch, length))
        return NULL;
    l->order = order;
    l->batch = batch;
    for (size_t b = 0; b < batch; b++) {
        lengths[b] = length[b];
        if (length[b] > l->steps)
            l->steps = length[b];
        l->rows += length[b];
    }
    const size_t offsets = (order == UR_STEP_MAJOR ? l->steps : batch) + 1;
    size_t *offset = ur_arena_take(arena, offsets, sizeof *offset);
    size_t *rank = ur_arena_take(arena, batch, sizeof *rank);
    size_t *sequence = ur_arena_take(arena, batch, sizeof *sequence);
    uint64_t *ids = ur_arena_take(arena, batch, sizeof *ids);
    if (!offset || !rank || !sequence || !ids)
        return NULL;
    l->length = lengths;
    if (!place_sequences(arena, l, rank, sequence, offset))
        return NULL;
    if (order == UR_SEQUENCE_MAJOR) {
        offset[0] = 0;
        for (size_t b = 0; b < batch; b++)
            offset[b + 1] = offset[b] + length[b];
    }
    for (size_t b = 0; b < batch; b++)
        ids[b] = id ? id[b] : b;
    l->rank = rank;
    l->sequence = sequence;
    l->offset = offset;
    l->id = ids;
    return l;
}

const ur_layout *ur_layout_of_one_step(ur_arena *arena, size_t batch)
{
    size_t *length = ur_arena_take(arena, batch, sizeof *length);
    for (size_t b = 0; length && b < batch; b++)
        length[b] = 1;
    return length ? ur_layout_build(arena, UR_STEP_MAJOR, batch, length, NULL) : NULL;
}

const ur_layout *ur_layout_reorder(ur_arena *arena, const ur_layout *layout, ur_order order)
{
    return layout->order == order
               ? layout
               : ur_layout_build(arena, order, layout->batch, layout->length, layout->id);
}

bool ur_layout_same_lengths(const ur_layout *a, const ur_layout *b)
{
    return a == b || (a->batch == b->batch &&
                      memcmp(a->length, b->length, a->batch * sizeof *a->length) == 0);
}

bool ur_layout_same_rows(const ur_layout *a, const ur_layout *b)
{
    return ur_layout_same_lengths(a, b) && a->order == b->order;
}

size_t ur_row(const ur_layout *layout, size_t b, size_t t)
{
    return layout->order == UR_STEP_MAJOR ? layout->offset[t] + layout->rank[b]
                                          : layout->offset[b] + t;
}

size_t ur_alive(const ur_layout *layout, size_t t)
{
    if (t >= layout->steps)
        return 0;
    if (layout->order == UR_STEP_MAJOR)
        return layout->offset[t + 1] - layout->offset[t];
    size_t low = 0, high = layout->batch; /* lengths fall along the places */
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (layout->length[layout->sequence[middle]] > t)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The last entry of offset that is at most `row`: its step, or its sequence, which has a row. */
static size_t part_of_row(const ur_layout *l, size_t row)
{
    size_t low = 0, high = l->order == UR_STEP_MAJOR ? l->steps : l->batch;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (l->offset[middle] <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}

ur_row_walk ur_row_walk_from(const ur_layout *l, size_t row)
{
    const size_t part = part_of_row(l, row), within = row - l->offset[part];
    ur_row_walk at = {l, row, part, within};
    if (l->order == UR_STEP_MAJOR) {
        at.b = l->sequence[within];
        at.t = part;
    }
    return at;
}

void ur_row_walk_on(ur_row_walk *at)
{
    const ur_layout *l = at->layout;
    at->row++;
    if (at->row >= l->rows)
        return;
    if (l->order == UR_STEP_MAJOR) {
        at->t += at->row == l->offset[at->t + 1];
        at->b = l->sequence[at->row - l->offset[at->t]];
        return;
    }
    at->t++;
    while (at->t == l->length[at->b]) {
        at->b++;
        at->t = 0;
    }
}
