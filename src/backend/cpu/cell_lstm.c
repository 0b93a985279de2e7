/* cell_lstm.c - long short-term memory (Hochreiter and Schmidhuber 1997; torch.nn.LSTM's form).
 *
 *   i f o = sigma(a),  g = tanh(a),  c = f c_prev + i g,  h = o tanh(c)
 * Gates in the order i f g o; backward needs them after activation, and c. */
#include "backend/cpu/recurrent.h"

static void forward(const ur_kernels *k, const ur_cell_step *s, size_t begin, size_t end)
{
    const ur_lstm_cell cell = {.rows = s->rows,
                               .hidden = s->hidden,
                               .gates = s->gates,
                               .gates_row = s->gates_row,
                               .c_prev = s->c_prev,
                               .c = s->c,
                               .h = s->h};
    k->lstm_cell(&cell, begin, end);
}

static void backward(const ur_kernels *k, const ur_cell_step *s, size_t begin, size_t end)
{
    const ur_lstm_cell_back cell = {.rows = s->rows,
                                    .hidden = s->hidden,
                                    .gates = s->gates,
                                    .gates_row = s->gates_row,
                                    .c_prev = s->c_prev,
                                    .c = s->c,
                                    .dy = s->dy,
                                    .dh = s->dh,
                                    .dc = s->dc,
                                    .d_o = s->d_o};
    k->lstm_cell_back(&cell, begin, end);
}

const ur_cpu_cell ur_cpu_lstm = {.cell = &ur_cell_lstm, .forward = forward, .backward = backward};
