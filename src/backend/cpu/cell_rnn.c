/* cell_rnn.c - Elman's network (Elman 1990; torch.nn.RNN's form).
 *
 *   h = tanh(W_ih x + b_ih + W_hh h_prev + b_hh),  or relu of it
 * Backward needs h alone: the slope of tanh is 1 - h^2, that of relu is h > 0. */
#include "backend/cpu/recurrent.h"

static ur_rnn_cell cell_of(const ur_cell_step *s, bool relu)
{
    return (ur_rnn_cell){.rows = s->rows,
                         .hidden = s->hidden,
                         .relu = relu,
                         .gates = s->gates,
                         .gates_row = s->gates_row,
                         .h = s->h,
                         .dy = s->dy,
                         .dh = s->dh};
}

static void tanh_forward(const ur_kernels *k, const ur_cell_step *s, size_t begin, size_t end)
{
    const ur_rnn_cell cell = cell_of(s, false);
    k->rnn_cell(&cell, begin, end);
}

static void tanh_backward(const ur_kernels *k, const ur_cell_step *s, size_t begin, size_t end)
{
    const ur_rnn_cell cell = cell_of(s, false);
    k->rnn_cell_back(&cell, begin, end);
}

static void relu_forward(const ur_kernels *k, const ur_cell_step *s, size_t begin, size_t end)
{
    const ur_rnn_cell cell = cell_of(s, true);
    k->rnn_cell(&cell, begin, end);
}

static void relu_backward(const ur_kernels *k, const ur_cell_step *s, size_t begin, size_t end)
{
    const ur_rnn_cell cell = cell_of(s, true);
    k->rnn_cell_back(&cell, begin, end);
}

const ur_cpu_cell ur_cpu_rnn_tanh = {
    .cell = &ur_cell_rnn_tanh, .forward = tanh_forward, .backward = tanh_backward};
const ur_cpu_cell ur_cpu_rnn_relu = {
    .cell = &ur_cell_rnn_relu, .forward = relu_forward, .backward = relu_backward};
