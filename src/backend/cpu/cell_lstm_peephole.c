/* cell_lstm_peephole.c - LSTM whose gates see the cell (Gers and Schmidhuber 2000; the three diagonals
 * of ONNX's LSTM, its input P, which orders them i o f).
 *
 *   i = sigma(a_i + p_i c_prev),  f = sigma(a_f + p_f c_prev),  g = tanh(a_g)
 *   c = f c_prev + i g,  o = sigma(a_o + p_o c),  h = o tanh(c)
 * p_i p_f p_o are the parameters weight_ci, weight_cf, weight_co, (H) each. Gates in the order
 * i f g o; backward needs them after activation, and c. */
#include "backend/cpu/recurrent.h"

static void forward(const ur_kernels *k, const ur_cell_step *s, size_t begin, size_t end)
{
    const ur_peephole_cell cell = {.lstm = {.rows = s->rows,
                                            .hidden = s->hidden,
                                            .gates = s->gates,
                                            .gates_row = s->gates_row,
                                            .c_prev = s->c_prev,
                                            .c = s->c,
                                            .h = s->h},
                                   .p_i = s->own[0],
                                   .p_f = s->own[1],
                                   .p_o = s->own[2]};
    k->peephole_cell(&cell, begin, end);
}

static void backward(const ur_kernels *k, const ur_cell_step *s, size_t begin, size_t end)
{
    const ur_peephole_cell_back cell = {.lstm = {.rows = s->rows,
                                                 .hidden = s->hidden,
                                                 .gates = s->gates,
                                                 .gates_row = s->gates_row,
                                                 .c_prev = s->c_prev,
                                                 .c = s->c,
                                                 .dy = s->dy,
                                                 .dh = s->dh,
                                                 .dc = s->dc},
                                        .p_i = s->own[0],
                                        .p_f = s->own[1],
                                        .p_o = s->own[2],
                                        .dp_i = s->d_own[0],
                                        .dp_f = s->d_own[1],
                                        .dp_o = s->d_own[2]};
    k->peephole_cell_back(&cell, begin, end);
}

const ur_cpu_cell ur_cpu_lstm_peephole = {
    .cell = &ur_cell_lstm_peephole, .forward = forward, .backward = backward};
