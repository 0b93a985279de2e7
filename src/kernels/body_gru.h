/* body_gru.h - what stands between the products of a GRU and of an Elman network: one step's gates
 * and output, and their gradients (kernels.h has the equations). Units [begin, end) of all rows. */

#include "kernels/body_units.h"

static inline __attribute__((always_inline)) void
gru_gate_units(const ur_gru_cell *s, size_t r, size_t u, const bool whole, size_t n)
{
    const size_t hidden = s->hidden;
    float *x = s->gates + r * s->gates_row + u;
    const float *h = s->h_gates + r * s->gates_row + u;
    STORE(x, v_sigmoid(v_add(LOAD(x), LOAD(h))));
    STORE(x + hidden, v_sigmoid(v_add(LOAD(x + hidden), LOAD(h + hidden))));
}

static inline __attribute__((always_inline)) void gru_units(const ur_gru_cell *s, size_t r,
                                                            size_t u, const bool whole, size_t n)
{
    const size_t hidden = s->hidden, at = r * hidden + u;
    float *x = s->gates + r * s->gates_row + u;
    const float *h = s->h_gates + r * s->gates_row + u;
    const vf reset = LOAD(x), update = LOAD(x + hidden);
    const vf fresh = v_tanh(v_fma(reset, LOAD(h + 2 * hidden), LOAD(x + 2 * hidden)));
    STORE(x + 2 * hidden, fresh);
    STORE(s->h + at, v_fma(update, v_sub(LOAD(s->h_prev + at), fresh), fresh));
}

static void gru_cell(const ur_gru_cell *s, size_t begin, size_t end)
{
    EACH_UNITS(s->rows, gru_gate_units)
    EACH_UNITS(s->rows, gru_units)
}

static inline __attribute__((always_inline)) void
gru_back_units(const ur_gru_cell_back *s, size_t r, size_t u, const bool whole, size_t n)
{
    const size_t hidden = s->hidden, at = r * hidden + u;
    const vf one = v_set(1.0f);
    float *x = s->gates + r * s->gates_row + u, *h = s->h_gates + r * s->gates_row + u;
    const vf reset = LOAD(x), update = LOAD(x + hidden), fresh = LOAD(x + 2 * hidden);
    vf dh = LOAD(s->dh + at);
    if (s->dy)
        dh = v_add(dh, LOAD(s->dy + at));
    const vf d_fresh = v_mul(v_mul(dh, v_sub(one, update)), v_fnma(fresh, fresh, one));
    const vf d_update =
        v_mul(v_mul(dh, v_sub(LOAD(s->h_prev + at), fresh)), v_mul(update, v_sub(one, update)));
    const vf d_reset = v_mul(v_mul(d_fresh, LOAD(h + 2 * hidden)), v_mul(reset, v_sub(one, reset)));
    STORE(x, d_reset);
    STORE(x + hidden, d_update);
    STORE(x + 2 * hidden, d_fresh);
    STORE(h, d_reset);
    STORE(h + hidden, d_update);
    STORE(h + 2 * hidden, v_mul(d_fresh, reset));
    STORE(s->dh + at, v_mul(dh, update));
}

static void gru_cell_back(const ur_gru_cell_back *s, size_t begin, size_t end)
{
    EACH_UNITS(s->rows, gru_back_units)
}

static inline __attribute__((always_inline)) void rnn_units(const ur_rnn_cell *s, size_t r,
                                                            size_t u, const bool whole, size_t n)
{
    const vf x = LOAD(s->gates + r * s->gates_row + u);
    STORE(s->h + r * s->hidden + u, s->relu ? v_max(v_zero(), x) : v_tanh(x));
}

static void rnn_cell(const ur_rnn_cell *s, size_t begin, size_t end)
{
    EACH_UNITS(s->rows, rnn_units)
}

static inline __attribute__((always_inline)) void
rnn_back_units(const ur_rnn_cell *s, size_t r, size_t u, const bool whole, size_t n)
{
    const size_t at = r * s->hidden + u;
    const vf h = LOAD(s->h + at);
    vf dh = LOAD(s->dh + at);
    if (s->dy)
        dh = v_add(dh, LOAD(s->dy + at));
    const vf d = s->relu ? v_select(v_cmp_lt(v_zero(), h), dh, v_zero())
                         : v_mul(dh, v_fnma(h, h, v_set(1.0f)));
    STORE(s->gates + r * s->gates_row + u, d);
}

static void rnn_cell_back(const ur_rnn_cell *s, size_t begin, size_t end)
{
    EACH_UNITS(s->rows, rnn_back_units)
}
