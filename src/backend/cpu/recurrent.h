/* recurrent.h - inside a recurrent layer: what forward (recurrent.c) and backward
 * (recurrent_back.c) share. What all cells share - products, chunks, teams, states, projection - is
 * there; what a cell does between the products of a step is a ur_cpu_cell, each in its own file. */
#ifndef UR_BACKEND_CPU_RECURRENT_H
#define UR_BACKEND_CPU_RECURRENT_H

#include "backend/cpu/cpu.h"
#include "backend/recurrent.h"

/* One step of a cell. Gates are those of W_ih x + W_hh h (with biases); a split cell has the two
 * products apart, in gates and h_gates. */
typedef struct ur_cell_step {
    size_t rows, hidden;
    size_t batch;            /* rows <= batch */
    const float *const *own; /* the cell's own weights, in its order */
    float *gates, *h_gates;  /* (rows, gates_row) */
    size_t gates_row;
    float *x_norm;                /* (rows, gates_row) for a cell of whole rows, or NULL */
    const float *b_ih, *b_hh;     /* (gates * hidden) likewise */
    const float *h_prev, *c_prev; /* (rows, hidden) */
    const float *h_in;            /* (rows, hidden) what the products take: h_prev, maybe masked */
    float *late;                  /* (rows, hidden) what the late product takes; see ur_cpu_cell */
    float *h, *c;                 /* (rows, hidden); h before projection */
    /* backward only */
    const float *dy;      /* (rows, hidden) or NULL */
    const float *d_o;     /* (rows, hidden) or NULL: of the gate o as an output of its own */
    float *dh, *dc;       /* (rows, hidden): from the next step in, to the previous one out */
    float *d_late, *d_in; /* (rows, hidden) gradients of late and of h_in */
    float *d_bias;        /* (gates * hidden) for a cell of whole rows, added to */
    float *row_scratch;   /* (batch, gates_row + 3 hidden) likewise */
    float *const *d_own;  /* gradients of the cell's own weights, added to */
} ur_cell_step;

typedef void ur_cell_work(const ur_kernels *k, const ur_cell_step *s, size_t begin, size_t end);

/* A cell on this backend. Functions work on units [begin, end) of all rows. */
typedef struct ur_cpu_cell {
    const ur_cell *cell;
    bool split;  /* the products with x and with h stand apart */
    bool direct; /* backward leaves in dh what reaches h_prev other than through W_hh */
    ur_cell_work *forward, *backward;
    /* A cell with two dependent products per step: the last `late` gates' recurrent product takes
     * what `between` makes of h_in and the gates before. Backward leaves the late gates' gradients,
     * between_back, given that of s->late, those of the others (and adds to d_in). */
    ur_cell_work *between, *between_back;
    /* A cell that reduces over rows: it is split, its biases are its own affair, and forward,
     * backward and products_back work on rows [begin, end); sums_back, between the last two, on
     * units. Backward then leaves gradients in the gates for sums_back alone. */
    bool whole_rows;
    ur_cell_work *sums_back, *products_back;
} ur_cpu_cell;

/* This backend has functions for every cell of the list: ur_cpu_NAME. */
#define UR_DECLARE_CELL(name) extern const ur_cpu_cell ur_cpu_##name;
UR_CELLS(UR_DECLARE_CELL)
#undef UR_DECLARE_CELL

/* What this backend has for a cell, or NULL. */
const ur_cpu_cell *ur_cpu_cell_of(const ur_cell *cell);

/* What forward leaves for backward; NULL each where it is not kept. Backward leaves the gradients of
 * the pre-activations in gates and h_gates. */
typedef struct ur_recurrent_saved {
    float *gates, *h_gates; /* (rows, gates_row) after activation; h_gates of a split cell */
    float *c;               /* (rows, H) of a cell with c; the run's own where that is asked for */
    float *m;               /* (rows, H) h before projection or zoneout */
    float *late;            /* (rows, H) what the late product took */
    float *x_norm;          /* (rows, gates_row) for a cell of whole rows */
    float *h_in;            /* (rows, R) where there is a mask */
    float *c_new;           /* (rows, H) c before zoneout */
} ur_recurrent_saved;

/* Divides pass->saved; returns how many floats it takes, which is all it does where that is NULL. */
size_t ur_recurrent_lay_out(const ur_recurrent_pass *pass, ur_recurrent_saved *saved);

/* Floats in a row of gates: not a power of two, which would crowd a few cache sets. */
size_t ur_recurrent_gates_row(const ur_recurrent_plan *plan);

/* All steps of a layer are a sequence of team operations, parts: a member whose core another process has
 * can hold up its own part, and is left out of the next ones. Rows of a part, whose recurrent products
 * have `k` terms; long against the 1 us that an operation takes to begin. */
size_t ur_recurrent_part_rows(const ur_recurrent_plan *plan, size_t k);

/* Who does the steps, each with so many barriers: the team, unless they are small. */
ur_team *ur_recurrent_team(const ur_executor *e, const ur_recurrent_plan *plan,
                           const ur_layout *rows, size_t barriers);

/* Whether the cell writes h elsewhere than to y. */
static inline bool ur_recurrent_has_m(const ur_recurrent_plan *plan)
{
    return plan->proj || plan->zoneout_h > 0.0f;
}

/* The weights of the new h or c in row `row`. */
static inline const float *ur_recurrent_fresh(const float *fresh, const float *expected, size_t row,
                                              size_t hidden)
{
    return fresh ? fresh + row * hidden : expected;
}

/* The weight 1 - zoneout of every unit, where there is any; false when memory ran out. */
bool ur_recurrent_expected(ur_arena *arena, size_t hidden, float zoneout, float **out);

size_t ur_cpu_recurrent_saved(const ur_recurrent_pass *pass);
bool ur_cpu_recurrent(const ur_executor *e, const ur_recurrent_pass *pass);
bool ur_cpu_recurrent_back(const ur_executor *e, const ur_recurrent_back *back);

#endif
