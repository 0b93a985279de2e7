/* recurrent.h - one layer of a recurrent network over a ragged batch, all steps in one operation:
 * what a backend gets. Floats lie on the device, layouts and ids in the host's memory. R is the
 * width of h: proj where there is a projection, else hidden; G the cell's gates. */
#ifndef UR_BACKEND_RECURRENT_H
#define UR_BACKEND_RECURRENT_H

#include "backend/cell.h"

/* The layer: sizes, cell and weights. */
typedef struct ur_recurrent_plan {
    const ur_cell *cell;
    size_t input, hidden, proj;
    const float *w_ih, *w_hh; /* packed by rows, gated: (GH, I) and (GH, R) */
    const float *w_late;      /* packed by rows: (late H, H), w_hh then being the rows before */
    const float *w_hr;        /* packed by rows: (P, H); NULL without projection */
    const float *w_ih_rows;   /* W_ih as it is, (GH, I): for one-hot inputs */
    const float *own[UR_CELL_OWN]; /* the cell's own weights, in its order */
    const float *b_ih, *b_hh;      /* (GH), or NULL both */
    float zoneout_h, zoneout_c;    /* see ur_recurrent_run; not with a projection */
} ur_recurrent_plan;

/* One pass: inputs, states, outputs. */
typedef struct ur_recurrent_run {
    const ur_layout *rows; /* step-major */
    const float *x;        /* (rows, I); or, where the inputs are rows of a table, that: */
    const int32_t *ids;    /* (rows) NULL: x is (rows, I). Row r's input is x[ids[r]] */
    size_t table_rows;     /* of x, then */
    const int32_t *column; /* (table_rows) or NULL: the table's rows are one-hot, row d being
                              column[d]; x is NULL */
    const float *h0, *c0;  /* (B, R), (B, H) by caller's index; NULL: zeros */
    /* Drop-out of what the recurrent products take: h_in = mask h_prev; NULL: none. */
    const float *mask; /* (B, R) by place */
    /* Zoneout: h = w h' + (1-w) h_prev of the cell's h', and c likewise. w is fresh_h, (rows, H),
     * or 1 - zoneout_h where that is NULL; zoneout_h = 0: none. */
    const float *fresh_h, *fresh_c;
    float *y;         /* (rows, R) out */
    float *c;         /* (rows, H) out: c of every step; NULL: not asked for */
    float *gate;      /* (rows, H) out: the last gate of every step, or NULL; see gives_o */
    float *h_n, *c_n; /* (B, R), (B, H) by caller's index, out; c_n NULL without c */
} ur_recurrent_run;

/* A forward pass. saved: recurrent_saved floats for backward; NULL: there will be none. */
typedef struct ur_recurrent_pass {
    ur_recurrent_plan plan;
    ur_recurrent_run run;
    float *saved;
} ur_recurrent_pass;

/* Its gradients; every d* is added to, but set where `blank` says that nothing stands there yet. dx
 * dh0 dc0 may be NULL, dy dh_n dc_n too (zeros). `saved` is overwritten. */
typedef struct ur_recurrent_back {
    const ur_recurrent_pass *forward;
    const float *w_ih, *w_hh, *w_hr; /* packed by columns: (I of GH), (R of GH), (H of P) */
    const float *w_late;             /* (H of late H), w_hh then being without these rows */
    const float *dy;                 /* (rows, R) */
    const float *d_gate;             /* (rows, H) of the last gate, or NULL */
    const float *dh_n, *dc_n;        /* (B, R), (B, H) */
    const float *dc;                 /* (rows, H) of every step's c, or NULL */
    float *dx, *dh0, *dc0;           /* dx is shaped like x: with ids, the table's gradient */
    float *dw_ih, *dw_hh, *db_ih, *db_hh, *dw_hr; /* NULL: not wanted */
    float *d_own[UR_CELL_OWN];
    struct {
        bool dx, dw_ih, dw_hh, dw_hr;
    } blank; /* none where there is no step, nor dw_ih where the inputs are one-hot */
} ur_recurrent_back;

static inline size_t ur_recurrent_width(const ur_recurrent_plan *plan)
{
    return plan->proj ? plan->proj : plan->hidden;
}

#endif
