/* isas.h - what the kernels' tests share: the instruction sets of this machine, made-up numbers,
 * guarded arrays and the comparison of bytes. */
#ifndef TESTS_KERNELS_ISAS_H
#define TESTS_KERNELS_ISAS_H

#include "kernels/kernels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MOST_ISAS = 8 };

/* The variants that this processor can run; plain is the first. */
typedef struct isas {
    const ur_kernels *at[MOST_ISAS];
    int count;
} isas;

static inline isas isas_here(void)
{
    isas all = {.count = 0};
    const ur_kernels *k;
    while (all.count < MOST_ISAS && (k = ur_kernels_at((size_t)all.count)))
        all.at[all.count++] = k;
    return all;
}

/* ---- made-up numbers ----------------------------------------------------------------------- */

static inline uint32_t next_bits(uint64_t *state)
{
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(*state >> 32);
}

/* 0 .. n-1 */
static inline size_t next_below(uint64_t *state, size_t n)
{
    return (size_t)(((uint64_t)next_bits(state) * n) >> 32);
}

/* In [-s, s). */
static inline float next_float(uint64_t *state, float s)
{
    return ((float)(next_bits(state) >> 8) * 0x1p-23f - 1.0f) * s;
}

/* ---- guarded arrays ------------------------------------------------------------------------ */

/* n floats at an odd place, between guards that must stay as they are. */
typedef struct guarded {
    size_t n;
    float *all, *at;
} guarded;

enum { GUARD = 35 };

static inline guarded guarded_new(size_t n)
{
    guarded g = {.n = n};
    g.all = malloc((n + 2 * GUARD) * sizeof *g.all);
    assert_non_null(g.all);
    for (size_t i = 0; i < n + 2 * GUARD; i++)
        g.all[i] = -7.25f;
    g.at = g.all + GUARD;
    return g;
}

static inline guarded guarded_random(size_t n, float s, uint64_t *state)
{
    guarded g = guarded_new(n);
    for (size_t i = 0; i < n; i++)
        g.at[i] = next_float(state, s);
    return g;
}

static inline guarded guarded_copy(const guarded *from)
{
    guarded g = guarded_new(from->n);
    if (from->n)
        memcpy(g.at, from->at, from->n * sizeof *g.at);
    return g;
}

static inline void guarded_free(guarded *g)
{
    for (size_t i = 0; i < GUARD; i++) {
        assert_true(g->all[i] == -7.25f);
        assert_true(g->at[g->n + i] == -7.25f);
    }
    free(g->all);
}

/* ---- comparing ----------------------------------------------------------------------------- */

/* Fails unless the bytes are equal; NaN equals NaN. */
static inline void same_bytes(const char *what, const char *isa, const float *want,
                              const float *got, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(want + i, got + i, sizeof *want) != 0 &&
            !(want[i] != want[i] && got[i] != got[i]))
            fail_msg("%s on %s: element %zu of %zu is %a, not %a", what, isa, i, n, (double)got[i],
                     (double)want[i]);
}

#endif
