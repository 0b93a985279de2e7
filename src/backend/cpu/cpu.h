/* cpu.h - what every operation of this backend gets: kernels, a team, scratch memory.
 *
 * An operation reads as single-threaded code: it works on `ur_my_range` of its outputs and has a
 * barrier where it needs what others computed. Only the leader touches the arena. An operation
 * that takes scratch returns false when memory ran out, and has then done nothing. */
#ifndef UR_BACKEND_CPU_H
#define UR_BACKEND_CPU_H

#include "base/arena.h"
#include "base/threads.h"
#include "kernels/kernels.h"
#include "unroll/core.h"

typedef struct ur_cpu {
    const ur_kernels *kernels;
    ur_team *team; /* NULL: the caller alone */
    ur_arena *scratch;
} ur_cpu;

/* This member's part of a product: rows or panels, whichever divides better. */
void ur_product_part(const ur_kernels *kernels, const ur_member *me, const ur_product *product);

/* The whole product, shared by the team. */
void ur_cpu_product(const ur_cpu *cpu, const ur_product *product);

/* work(arg, begin, end) over this team's ranges of n items. */
void ur_cpu_for(const ur_cpu *cpu, size_t n, void (*work)(void *arg, size_t begin, size_t end),
                void *arg);

/* Sequences that have a step t, in a step-major layout. */
static inline size_t ur_cpu_alive(const ur_layout *layout, size_t t)
{
    return layout->offset[t + 1] - layout->offset[t];
}

/* Row of step t of sequence b. */
static inline size_t ur_cpu_row(const ur_layout *layout, size_t b, size_t t)
{
    return layout->order == UR_STEP_MAJOR ? layout->offset[t] + layout->rank[b]
                                          : layout->offset[b] + t;
}

/* A weight's gradient: dw (n_out, n_in) += dy^T x over `rows` rows, or = where it is blank, with x
 * packed by columns (pack_cols) beforehand; this member's rows of dw. */
typedef struct ur_cpu_outer {
    size_t rows, n_out, n_in;
    const float *dy; /* (rows, dy_row) */
    size_t dy_row;
    const float *x_packed; /* panels of (rows, n_in) */
    float *dw;             /* (n_out, n_in) */
    bool blank;            /* nothing stands in dw yet */
} ur_cpu_outer;

/* How to start chains that are to be added to what stands in C, or set it. */
static inline ur_start ur_add_or_set(bool blank)
{
    return blank ? UR_START_BIAS : UR_START_C;
}

void ur_outer_part(const ur_kernels *kernels, const ur_member *me, const ur_cpu_outer *outer);

/* out(r, :) = table(ids[r], :) in the columns of panels `mine`; both have `row` floats a row. */
void ur_gather_panels(const ur_kernels *kernels, ur_columns columns, ur_range mine, size_t rows,
                      const int32_t *ids, const float *table, float *out, size_t row);

#endif
