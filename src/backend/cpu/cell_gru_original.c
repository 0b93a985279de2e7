/* cell_gru_original.c - gated recurrent unit with the reset before the product (Cho et al. 2014, eq.
 * 5 to 8; ONNX's linear_before_reset = 0). torch.nn.GRU has it after: see cell_gru.c.
 *
 *   r z = sigma(W x + b + W h_prev + b),  n = tanh(W_in x + b_in + W_hn (r h_prev) + b_hn)
 *   h = (1 - z) n + z h_prev
 * Gates in the order r z n, parameters as in cell_gru.c. n waits for r: two dependent products per
 * step. Backward needs the gates after activation, and r h_prev of every step. */
#include "backend/cpu/recurrent.h"

static ur_gru_original cell_of(const ur_cell_step *s)
{
    return (ur_gru_original){.rows = s->rows,
                             .hidden = s->hidden,
                             .gates = s->gates,
                             .gates_row = s->gates_row,
                             .h_in = s->h_in,
                             .h_prev = s->h_prev,
                             .reset = s->dh ? s->d_late : s->late,
                             .h = s->h,
                             .dy = s->dy,
                             .dh = s->dh,
                             .d_in = s->d_in};
}

static void between(const ur_kernels *k, const ur_cell_step *s, size_t begin, size_t end)
{
    const ur_gru_original cell = cell_of(s);
    k->gru_reset(&cell, begin, end);
}

static void forward(const ur_kernels *k, const ur_cell_step *s, size_t begin, size_t end)
{
    const ur_gru_original cell = cell_of(s);
    k->gru_original(&cell, begin, end);
}

static void backward(const ur_kernels *k, const ur_cell_step *s, size_t begin, size_t end)
{
    const ur_gru_original cell = cell_of(s);
    k->gru_original_back(&cell, begin, end);
}

static void between_back(const ur_kernels *k, const ur_cell_step *s, size_t begin, size_t end)
{
    const ur_gru_original cell = cell_of(s);
    k->gru_reset_back(&cell, begin, end);
}

const ur_cpu_cell ur_cpu_gru_original = {.cell = &ur_cell_gru_original,
                                         .forward = forward,
                                         .backward = backward,
                                         .direct = true,
                                         .between = between,
                                         .between_back = between_back};
