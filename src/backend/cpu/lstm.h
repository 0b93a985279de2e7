/* lstm.h - one layer of an LSTM over a ragged batch, all steps in one operation. */
#ifndef UR_BACKEND_CPU_LSTM_H
#define UR_BACKEND_CPU_LSTM_H

#include "backend/cpu/cpu.h"

/* What both directions need. Gates stand in PyTorch's order i f g o, `gates_row` floats a row. */
typedef struct ur_cpu_lstm {
    const ur_layout *rows; /* step-major */
    size_t input, hidden, gates_row;
    const float *w_ih, *w_hh; /* packed by rows, gated: (4H, I) and (4H, H) */
    const float *b_ih, *b_hh; /* (4H), or NULL both */
    const float *x;           /* (rows, I); or, where the inputs are rows of a table, that: */
    const int32_t *ids;       /* (rows) NULL: x is (rows, I). Row r's input is x[ids[r]] */
    size_t table_rows;        /* of x, then */
    const float *h0, *c0;     /* (B, H) by caller's index; NULL: zeros */
    float *y;                 /* (rows, H) out */
    float *gates;             /* (rows, gates_row) out, saved for backward; NULL: not saved */
    float *c;                 /* (rows, H) out, saved for backward; NULL: not saved */
    float *h_n, *c_n;         /* (B, H) by caller's index, out */
} ur_cpu_lstm;

/* Floats in a row of gates: not a power of two, which would crowd a few cache sets. */
size_t ur_cpu_lstm_gates_row(size_t hidden);

bool ur_cpu_lstm_forward(const ur_cpu *cpu, const ur_cpu_lstm *op);

/* Gradients; every d* is added to. dx dh0 dc0 may be NULL, dy dh_n dc_n too (zeros). gates are
 * overwritten by the gradients of the pre-activations. */
typedef struct ur_cpu_lstm_back {
    const ur_cpu_lstm *forward;
    const float *w_ih, *w_hh;             /* packed by columns: (I of 4H) and (H of 4H) */
    const float *dy;                      /* (rows, H) */
    const float *dh_n, *dc_n;             /* (B, H) */
    float *dx, *dh0, *dc0;                /* dx is shaped like x: with ids, the table's gradient */
    float *dw_ih, *dw_hh, *db_ih, *db_hh; /* NULL: not wanted */
} ur_cpu_lstm_back;

bool ur_cpu_lstm_backward(const ur_cpu *cpu, const ur_cpu_lstm_back *op);

#endif
