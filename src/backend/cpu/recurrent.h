/* recurrent.h - one layer of a recurrent network over a ragged batch, all steps in one operation.
 *
 * What all cells share - products, chunks, teams, states, projection - is here; what a cell does
 * between the products of a step is a ur_cell, each in its own file. */
#ifndef UR_BACKEND_CPU_RECURRENT_H
#define UR_BACKEND_CPU_RECURRENT_H

#include "backend/cpu/cpu.h"

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
    float *late;                  /* (rows, hidden) what the late product takes; see ur_cell */
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

enum { UR_CELL_OWN = 4 }; /* most weights that a cell has of its own */

/* A vector of size x hidden weights that only this cell has; parameter PREFIX.NAME_SUFFIX. */
typedef struct ur_cell_weight {
    const char *name;
    size_t size;
    bool constant; /* starts at `start`; otherwise as the layer's other weights */
    float start;
} ur_cell_weight;

typedef struct ur_cell {
    const char *name;
    size_t gates; /* W_ih and W_hh have gates * hidden rows */
    bool has_c, split;
    bool gives_o; /* the last gate may be asked for as an output: backward takes its gradient d_o */
    bool direct;  /* backward leaves in dh what reaches h_prev other than through W_hh */
    void (*forward)(const ur_kernels *k, const ur_cell_step *s, size_t begin, size_t end);
    void (*backward)(const ur_kernels *k, const ur_cell_step *s, size_t begin, size_t end);
    /* A cell with two dependent products per step: the last `late` gates' recurrent product takes
     * what `between` makes of h_in and the gates before. Backward leaves the late gates' gradients,
     * between_back, given that of s->late, those of the others (and adds to d_in). */
    size_t late;
    void (*between)(const ur_kernels *k, const ur_cell_step *s, size_t begin, size_t end);
    void (*between_back)(const ur_kernels *k, const ur_cell_step *s, size_t begin, size_t end);
    /* A cell that reduces over rows: it is split, its biases are its own affair, and forward,
     * backward and products_back work on rows [begin, end); sums_back, between the last two, on
     * units. Backward then leaves gradients in the gates for sums_back alone. */
    bool whole_rows;
    void (*sums_back)(const ur_kernels *k, const ur_cell_step *s, size_t begin, size_t end);
    void (*products_back)(const ur_kernels *k, const ur_cell_step *s, size_t begin, size_t end);
    ur_cell_weight own[UR_CELL_OWN]; /* up to the first without a name */
} ur_cell;

extern const ur_cell ur_cell_rnn_tanh, ur_cell_rnn_relu, ur_cell_lstm, ur_cell_gru,
    ur_cell_gru_original, ur_cell_lstm_peephole, ur_cell_lstm_norm;

/* The cell of that name (rnn_tanh, rnn_relu, lstm, gru, gru_original, lstm_peephole, lstm_layer_norm), or NULL. */
const ur_cell *ur_cell_find(const char *name);

/* A forward pass. R is the width of h: proj where there is a projection, else hidden; G the
 * cell's gates. Rows of gates are gates_row floats apart. */
typedef struct ur_cpu_recurrent {
    const ur_cell *cell;
    const ur_layout *rows; /* step-major */
    size_t input, hidden, proj, gates_row;
    const float *w_ih, *w_hh; /* packed by rows, gated: (GH, I) and (GH, R) */
    const float *w_late;      /* packed by rows: (late H, H), w_hh then being the rows before */
    const float *w_hr;        /* packed by rows: (P, H); NULL without projection */
    const float *own[UR_CELL_OWN];
    const float *b_ih, *b_hh; /* (GH), or NULL both */
    const float *x;           /* (rows, I); or, where the inputs are rows of a table, that: */
    const int32_t *ids;       /* (rows) NULL: x is (rows, I). Row r's input is x[ids[r]] */
    size_t table_rows;        /* of x, then */
    const int32_t *column;    /* (table_rows) or NULL: the table's rows are one-hot, row d being
                                 column[d]; x is NULL, and w_ih_rows is W_ih as it is, (GH, I) */
    const float *w_ih_rows;
    const float *h0, *c0;   /* (B, R), (B, H) by caller's index; NULL: zeros */
    float *y;               /* (rows, R) out */
    float *gates, *h_gates; /* (rows, gates_row) out, saved for backward; NULL: not saved */
    float *c;               /* (rows, H) out, likewise; NULL too for a cell without c */
    float *m;               /* (rows, H) h before projection, likewise; NULL too where that is y */
    float *late;            /* (rows, H) what the late product took, likewise */
    float *x_norm;          /* (rows, gates_row) likewise, for a cell of whole rows */
    /* Drop-out of what the recurrent products take: h_in = mask h_prev; NULL: none. */
    const float *mask; /* (B, R) by place */
    float *h_in;       /* (rows, R) out, saved for backward */
    /* Zoneout: h = w h' + (1-w) h_prev of the cell's h', and c likewise. w is fresh_h, (rows, H),
     * or 1 - zoneout_h where that is NULL; zoneout_h = 0: none. Not with a projection. */
    float zoneout_h, zoneout_c;
    const float *fresh_h, *fresh_c;
    float *c_new;     /* (rows, H) out, c', saved for backward; h' then stands in m */
    float *h_n, *c_n; /* (B, R), (B, H) by caller's index, out; c_n NULL without c */
} ur_cpu_recurrent;

static inline size_t ur_recurrent_width(const ur_cpu_recurrent *op)
{
    return op->proj ? op->proj : op->hidden;
}

/* Whether the cell writes h elsewhere than to y. */
static inline bool ur_recurrent_has_m(const ur_cpu_recurrent *op)
{
    return op->proj || op->zoneout_h > 0.0f;
}

/* The weights of the new h or c in row `row`. */
static inline const float *ur_recurrent_fresh(const float *fresh, const float *expected, size_t row,
                                              size_t hidden)
{
    return fresh ? fresh + row * hidden : expected;
}

/* The weight 1 - zoneout of every unit, where there is any; false when memory ran out. */
bool ur_recurrent_expected(ur_arena *arena, size_t hidden, float zoneout, float **out);

/* Floats in a row of gates: not a power of two, which would crowd a few cache sets. */
size_t ur_recurrent_gates_row(const ur_cell *cell, size_t hidden);

bool ur_cpu_recurrent_forward(const ur_cpu *cpu, const ur_cpu_recurrent *op);

/* Gradients; every d* is added to, but set where `blank` says that nothing stands there yet. dx dh0 dc0
 * may be NULL, dy dh_n dc_n too (zeros). gates and h_gates are overwritten by the gradients of the
 * pre-activations. */
typedef struct ur_cpu_recurrent_back {
    const ur_cpu_recurrent *forward;
    const float *w_ih, *w_hh, *w_hr; /* packed by columns: (I of GH), (R of GH), (H of P) */
    const float *w_late;             /* (H of late H), w_hh then being without these rows */
    const float *dy;                 /* (rows, R) */
    const float *d_o;                /* (rows, H) of the saved last gate, or NULL; see gives_o */
    const float *dh_n, *dc_n;        /* (B, R), (B, H) */
    const float *dc;                 /* (rows, H) of every step's c, or NULL */
    float *dx, *dh0, *dc0;           /* dx is shaped like x: with ids, the table's gradient */
    float *dw_ih, *dw_hh, *db_ih, *db_hh, *dw_hr; /* NULL: not wanted */
    float *d_own[UR_CELL_OWN];
    struct {
        bool dx, dw_ih, dw_hh, dw_hr;
    } blank; /* none where there is no step, nor dw_ih where the inputs are one-hot */
} ur_cpu_recurrent_back;

bool ur_cpu_recurrent_backward(const ur_cpu *cpu, const ur_cpu_recurrent_back *op);

#endif
