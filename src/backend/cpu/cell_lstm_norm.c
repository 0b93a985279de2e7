/* cell_lstm_norm.c - layer-normalised LSTM (Ba, Kiros and Hinton 2016, equations 20 to 22).
 *
 *   a = LN(W_ih x; g_x) + LN(W_hh h_prev; g_h) + b_ih + b_hh,   i f o = sigma(a),  g = tanh(a)
 *   c = f c_prev + i g,   h = o tanh(LN(c; g_c, b_c))
 *   LN(v; g, b) = g (v - mean(v)) / sqrt(var(v) + 1e-5) + b,  over the whole row of v
 * The paper's b1, b2 and b enter only as their sum, for which b_ih and b_hh stand. g_x g_h g_c b_c
 * are the parameters weight_ln_ih, weight_ln_hh (4H), weight_ln_c, bias_ln_c (H); gains start at 1,
 * bias_ln_c at 0. Gates in the order i f g o. Backward needs the gates after activation, both
 * products after normalisation with their factors (behind each row), and c. */
#include "backend/cpu/recurrent.h"

static ur_norm_cell cell_of(const ur_cell_step *s)
{
    return (ur_norm_cell){.rows = s->rows,
                          .hidden = s->hidden,
                          .gates = s->gates,
                          .h_gates = s->h_gates,
                          .x_norm = s->x_norm,
                          .gates_row = s->gates_row,
                          .g_x = s->own[0],
                          .g_h = s->own[1],
                          .g_c = s->own[2],
                          .b_c = s->own[3],
                          .b_ih = s->b_ih,
                          .b_hh = s->b_hh,
                          .c_prev = s->c_prev,
                          .c = s->c,
                          .h = s->h,
                          .dy = s->dy,
                          .dh = s->dh,
                          .dc = s->dc};
}

static ur_norm_cell back_of(const ur_cell_step *s)
{
    ur_norm_cell cell = cell_of(s);
    cell.dg_x = s->d_own[0];
    cell.dg_h = s->d_own[1];
    cell.dg_c = s->d_own[2];
    cell.db_c = s->d_own[3];
    cell.d_bias = s->d_bias;
    cell.spare = s->row_scratch;
    cell.c_norm = s->row_scratch + s->batch * s->gates_row;
    cell.d_u = cell.c_norm + s->batch * s->hidden;
    cell.d_c = cell.d_u + s->batch * s->hidden;
    return cell;
}

static void forward(const ur_kernels *k, const ur_cell_step *s, size_t begin, size_t end)
{
    const ur_norm_cell cell = cell_of(s);
    k->norm_cell(&cell, begin, end);
}

static void backward(const ur_kernels *k, const ur_cell_step *s, size_t begin, size_t end)
{
    const ur_norm_cell cell = back_of(s);
    k->norm_cell_back(&cell, begin, end);
}

static void sums_back(const ur_kernels *k, const ur_cell_step *s, size_t begin, size_t end)
{
    const ur_norm_cell cell = back_of(s);
    k->norm_sums_back(&cell, begin, end);
}

static void products_back(const ur_kernels *k, const ur_cell_step *s, size_t begin, size_t end)
{
    const ur_norm_cell cell = back_of(s);
    k->norm_products_back(&cell, begin, end);
}

const ur_cpu_cell ur_cpu_lstm_norm = {.cell = &ur_cell_lstm_norm,
                                      .forward = forward,
                                      .backward = backward,
                                      .split = true,
                                      .whole_rows = true,
                                      .sums_back = sums_back,
                                      .products_back = products_back};
