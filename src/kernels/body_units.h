/* body_units.h - how a cell's functions walk over the units of all rows: VW of them at a time, `whole`,
 * the last time n < VW. */
#ifndef UR_KERNELS_BODY_UNITS_H
#define UR_KERNELS_BODY_UNITS_H

#define LOAD(p) (whole ? v_load(p) : v_load_n(p, n))
#define STORE(p, x) (whole ? v_store(p, x) : v_store_n(p, x, n))

/* Calls function(s, row, unit, whole, n) for units [begin, end) of each row. */
#define EACH_UNITS(row_count, function)                                                            \
    for (size_t r = 0; r < (row_count); r++) {                                                     \
        size_t u = begin;                                                                          \
        for (; u + VW <= end; u += VW)                                                             \
            function(s, r, u, true, VW);                                                           \
        if (u < end)                                                                               \
            function(s, r, u, false, end - u);                                                     \
    }

#endif
