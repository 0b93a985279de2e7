/* body_lstm.h - what stands between an LSTM's products: one step's gates, cell and output, and
 * their gradients (kernels.h has the equations). Units [begin, end) of all rows. */

#include "kernels/body_units.h"

/* VW units of one row, or n < VW of them: gates and c. */
static inline __attribute__((always_inline)) void
lstm_cell_units(const ur_lstm_cell *s, size_t r, size_t u, const bool whole, size_t n)
{
    const size_t hidden = s->hidden, at = r * hidden + u;
    float *gate = s->gates + r * s->gates_row + u;
    const vf i = v_sigmoid(LOAD(gate));
    const vf f = v_sigmoid(LOAD(gate + hidden));
    const vf g = v_tanh(LOAD(gate + 2 * hidden));
    const vf o = v_sigmoid(LOAD(gate + 3 * hidden));
    const vf c = v_fma(f, LOAD(s->c_prev + at), v_mul(i, g));
    STORE(gate, i);
    STORE(gate + hidden, f);
    STORE(gate + 2 * hidden, g);
    STORE(gate + 3 * hidden, o);
    STORE(s->c + at, c);
}

/* Their h. tanh(c) has to wait for all that is above: apart from it, those of several rows overlap. */
static inline __attribute__((always_inline)) void
lstm_output_units(const ur_lstm_cell *s, size_t r, size_t u, const bool whole, size_t n)
{
    const size_t at = r * s->hidden + u;
    const vf o = LOAD(s->gates + r * s->gates_row + 3 * s->hidden + u);
    STORE(s->h + at, v_mul(o, v_tanh(LOAD(s->c + at))));
}

static void lstm_cell(const ur_lstm_cell *s, size_t begin, size_t end)
{
    EACH_UNITS(s->rows, lstm_cell_units)
    EACH_UNITS(s->rows, lstm_output_units)
}

static inline __attribute__((always_inline)) void
lstm_cell_back_units(const ur_lstm_cell_back *s, size_t r, size_t u, const bool whole, size_t n)
{
    const size_t hidden = s->hidden, at = r * hidden + u;
    const vf one = v_set(1.0f);
    float *gate = s->gates + r * s->gates_row + u;
    const vf i = LOAD(gate);
    const vf f = LOAD(gate + hidden);
    const vf g = LOAD(gate + 2 * hidden);
    const vf o = LOAD(gate + 3 * hidden);
    for (size_t j = 0; j < 4; j++) /* two rows on: saved long ago, they are no longer near */
        __builtin_prefetch(gate + 2 * s->gates_row + j * hidden, 1);
    __builtin_prefetch(s->c_prev + at + 2 * hidden);
    const vf tanh_c = v_tanh(LOAD(s->c + at));
    vf dh = LOAD(s->dh + at);
    if (s->dy)
        dh = v_add(dh, LOAD(s->dy + at));
    const vf dc = v_fma(dh, v_mul(o, v_fnma(tanh_c, tanh_c, one)), LOAD(s->dc + at));
    const vf df = v_mul(dc, LOAD(s->c_prev + at));
    vf d_o = v_mul(dh, tanh_c);
    if (s->d_o)
        d_o = v_add(d_o, LOAD(s->d_o + at));
    STORE(gate, v_mul(v_mul(dc, g), v_mul(i, v_sub(one, i))));
    STORE(gate + hidden, v_mul(df, v_mul(f, v_sub(one, f))));
    STORE(gate + 2 * hidden, v_mul(v_mul(dc, i), v_fnma(g, g, one)));
    STORE(gate + 3 * hidden, v_mul(d_o, v_mul(o, v_sub(one, o))));
    STORE(s->dc + at, v_mul(dc, f));
}

static void lstm_cell_back(const ur_lstm_cell_back *s, size_t begin, size_t end)
{
    EACH_UNITS(s->rows, lstm_cell_back_units)
}
