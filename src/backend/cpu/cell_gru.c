/* cell_gru.c - gated recurrent unit (Cho et al. 2014; torch.nn.GRU's form, reset after the product).
 *
 *   r z = sigma(W x + b + W h + b),  n = tanh(W_in x + b_in + r (W_hn h + b_hn))
 *   h = (1 - z) n + z h_prev
 * Gates in the order r z n. The products with x and h stand apart, because r multiplies one of
 * them; backward needs the gates after activation, and the last third of h's product. */
#include "backend/cpu/recurrent.h"

static void forward(const ur_kernels *k, const ur_cell_step *s, size_t begin, size_t end)
{
    const ur_gru_cell cell = {.rows = s->rows,
                              .hidden = s->hidden,
                              .gates = s->gates,
                              .h_gates = s->h_gates,
                              .gates_row = s->gates_row,
                              .h_prev = s->h_prev,
                              .h = s->h};
    k->gru_cell(&cell, begin, end);
}

static void backward(const ur_kernels *k, const ur_cell_step *s, size_t begin, size_t end)
{
    const ur_gru_cell_back cell = {.rows = s->rows,
                                   .hidden = s->hidden,
                                   .gates = s->gates,
                                   .h_gates = s->h_gates,
                                   .gates_row = s->gates_row,
                                   .h_prev = s->h_prev,
                                   .dy = s->dy,
                                   .dh = s->dh};
    k->gru_cell_back(&cell, begin, end);
}

const ur_cpu_cell ur_cpu_gru = {
    .cell = &ur_cell_gru, .forward = forward, .backward = backward, .split = true, .direct = true};
