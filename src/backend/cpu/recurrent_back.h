/* recurrent_back.h - what the two halves of a recurrent layer's backward share: the steps in reverse
 * (recurrent_back.c), then the weights (recurrent_weights.c). */
#ifndef UR_BACKEND_CPU_RECURRENT_BACK_H
#define UR_BACKEND_CPU_RECURRENT_BACK_H

#include "backend/cpu/recurrent.h"

typedef struct ur_recurrent_back_job {
    const ur_kernels *kernels;
    const ur_cpu_recurrent_back *op;
    float *c0;                      /* (B, H) by place */
    float *h0;                      /* (B, R) by place; zeros where h started from nothing */
    float *dh, *dc;                 /* (B, R), (B, H) by place: carried from step to step */
    float *d_late;                  /* (B, H) of one step: gradient of what the late product took */
    float *row_scratch;             /* for a cell of whole rows, see ur_cell_step */
    float *d_in;                    /* (B, R) of one step: gradient of the masked h_prev */
    float *zone_h, *zone_c;         /* (B, H) of one step: what passes by the cell */
    float *expected_h, *expected_c; /* (H) 1 - zoneout */
    float *dm;                      /* (B, H) of one step: gradient of h before projection */
    float *d_proj;                  /* (rows, P) whole gradient of h after projection */
    float *bias;                    /* (2, GH) sums over the rows */
    float *x_packed, *h_packed, *h0_packed, *m_packed, *late_packed;
    float *d_own[UR_CELL_OWN]; /* of the cell's own weights, summed over the steps */
    float *by_id;              /* (table_rows, gates_row) sums of the gates' gradients by id */
    size_t *previous;          /* (rows of steps >= 1): the row one step earlier */
} ur_recurrent_back_job;

/* What W_hh h + b_hh was added to: the gates, or a split cell's own copy. */
static inline const float *ur_recurrent_gates(const ur_cpu_recurrent *f)
{
    return f->cell->split ? f->h_gates : f->gates;
}

/* Rows of x: of the table where there is one. */
static inline size_t ur_recurrent_input_rows(const ur_cpu_recurrent *f)
{
    return f->ids ? f->table_rows : f->rows->rows;
}

/* Gradients of all weights and of the input from those of the gates, this member's part. */
void ur_recurrent_weights_back(const ur_recurrent_back_job *job, const ur_member *me);

#endif
