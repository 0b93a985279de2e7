/* body_cells.h - what stands between the products of the rarer cells: LSTM with peepholes, GRU in
 * its original form, and the blend of zoneout (kernels.h has the equations). Units [begin, end) of all rows. */

#include "kernels/body_units.h"

static inline __attribute__((always_inline)) void
peephole_units(const ur_peephole_cell *s, size_t r, size_t u, const bool whole, size_t n)
{
    const size_t hidden = s->lstm.hidden, at = r * hidden + u;
    float *gate = s->lstm.gates + r * s->lstm.gates_row + u;
    const vf c_prev = LOAD(s->lstm.c_prev + at);
    const vf i = v_sigmoid(v_fma(LOAD(s->p_i + u), c_prev, LOAD(gate)));
    const vf f = v_sigmoid(v_fma(LOAD(s->p_f + u), c_prev, LOAD(gate + hidden)));
    const vf g = v_tanh(LOAD(gate + 2 * hidden));
    const vf c = v_fma(f, c_prev, v_mul(i, g));
    const vf o = v_sigmoid(v_fma(LOAD(s->p_o + u), c, LOAD(gate + 3 * hidden)));
    STORE(gate, i);
    STORE(gate + hidden, f);
    STORE(gate + 2 * hidden, g);
    STORE(gate + 3 * hidden, o);
    STORE(s->lstm.c + at, c);
    STORE(s->lstm.h + at, v_mul(o, v_tanh(c)));
}

static void peephole_cell(const ur_peephole_cell *s, size_t begin, size_t end)
{
    EACH_UNITS(s->lstm.rows, peephole_units)
}

static inline __attribute__((always_inline)) void
peephole_back_units(const ur_peephole_cell_back *s, size_t r, size_t u, const bool whole, size_t n)
{
    const ur_lstm_cell_back *l = &s->lstm;
    const size_t hidden = l->hidden, at = r * hidden + u;
    const vf one = v_set(1.0f);
    float *gate = l->gates + r * l->gates_row + u;
    const vf i = LOAD(gate);
    const vf f = LOAD(gate + hidden);
    const vf g = LOAD(gate + 2 * hidden);
    const vf o = LOAD(gate + 3 * hidden);
    const vf c = LOAD(l->c + at), c_prev = LOAD(l->c_prev + at), tanh_c = v_tanh(c);
    vf dh = LOAD(l->dh + at);
    if (l->dy)
        dh = v_add(dh, LOAD(l->dy + at));
    const vf d_o = v_mul(v_mul(dh, tanh_c), v_mul(o, v_sub(one, o)));
    vf dc = v_fma(dh, v_mul(o, v_fnma(tanh_c, tanh_c, one)), LOAD(l->dc + at));
    dc = v_fma(d_o, LOAD(s->p_o + u), dc);
    const vf d_i = v_mul(v_mul(dc, g), v_mul(i, v_sub(one, i)));
    const vf d_f = v_mul(v_mul(dc, c_prev), v_mul(f, v_sub(one, f)));
    STORE(gate, d_i);
    STORE(gate + hidden, d_f);
    STORE(gate + 2 * hidden, v_mul(v_mul(dc, i), v_fnma(g, g, one)));
    STORE(gate + 3 * hidden, d_o);
    STORE(s->dp_i + u, v_fma(d_i, c_prev, LOAD(s->dp_i + u)));
    STORE(s->dp_f + u, v_fma(d_f, c_prev, LOAD(s->dp_f + u)));
    STORE(s->dp_o + u, v_fma(d_o, c, LOAD(s->dp_o + u)));
    const vf through_gates = v_fma(d_f, LOAD(s->p_f + u), v_mul(d_i, LOAD(s->p_i + u)));
    STORE(l->dc + at, v_fma(dc, f, through_gates));
}

static void peephole_cell_back(const ur_peephole_cell_back *s, size_t begin, size_t end)
{
    EACH_UNITS(s->lstm.rows, peephole_back_units)
}

static inline __attribute__((always_inline)) void
gru_reset_units(const ur_gru_original *s, size_t r, size_t u, const bool whole, size_t n)
{
    const size_t at = r * s->hidden + u;
    float *gate = s->gates + r * s->gates_row + u;
    const vf reset = v_sigmoid(LOAD(gate));
    STORE(gate, reset);
    STORE(gate + s->hidden, v_sigmoid(LOAD(gate + s->hidden)));
    STORE(s->reset + at, v_mul(reset, LOAD(s->h_in + at)));
}

static void gru_reset(const ur_gru_original *s, size_t begin, size_t end)
{
    EACH_UNITS(s->rows, gru_reset_units)
}

static inline __attribute__((always_inline)) void
gru_original_units(const ur_gru_original *s, size_t r, size_t u, const bool whole, size_t n)
{
    const size_t hidden = s->hidden, at = r * hidden + u;
    float *gate = s->gates + r * s->gates_row + u;
    const vf fresh = v_tanh(LOAD(gate + 2 * hidden));
    STORE(gate + 2 * hidden, fresh);
    STORE(s->h + at, v_fma(LOAD(gate + hidden), v_sub(LOAD(s->h_prev + at), fresh), fresh));
}

static void gru_original(const ur_gru_original *s, size_t begin, size_t end)
{
    EACH_UNITS(s->rows, gru_original_units)
}

static inline __attribute__((always_inline)) void
gru_original_back_units(const ur_gru_original *s, size_t r, size_t u, const bool whole, size_t n)
{
    const size_t hidden = s->hidden, at = r * hidden + u;
    const vf one = v_set(1.0f);
    float *gate = s->gates + r * s->gates_row + u;
    const vf update = LOAD(gate + hidden), fresh = LOAD(gate + 2 * hidden);
    vf dh = LOAD(s->dh + at);
    if (s->dy)
        dh = v_add(dh, LOAD(s->dy + at));
    STORE(gate + hidden,
          v_mul(v_mul(dh, v_sub(LOAD(s->h_prev + at), fresh)), v_mul(update, v_sub(one, update))));
    STORE(gate + 2 * hidden, v_mul(v_mul(dh, v_sub(one, update)), v_fnma(fresh, fresh, one)));
    STORE(s->dh + at, v_mul(dh, update));
}

static void gru_original_back(const ur_gru_original *s, size_t begin, size_t end)
{
    EACH_UNITS(s->rows, gru_original_back_units)
}

static inline __attribute__((always_inline)) void
gru_reset_back_units(const ur_gru_original *s, size_t r, size_t u, const bool whole, size_t n)
{
    const size_t at = r * s->hidden + u;
    float *gate = s->gates + r * s->gates_row + u;
    const vf reset = LOAD(gate), d_reset = LOAD(s->reset + at);
    STORE(gate, v_mul(v_mul(d_reset, LOAD(s->h_in + at)), v_mul(reset, v_sub(v_set(1.0f), reset))));
    STORE(s->d_in + at, v_fma(d_reset, reset, LOAD(s->d_in + at)));
}

static void gru_reset_back(const ur_gru_original *s, size_t begin, size_t end)
{
    EACH_UNITS(s->rows, gru_reset_back_units)
}

static void blend(size_t n, const float *w, const float *a, const float *b, float *y)
{
    const vf one = v_set(1.0f);
    for (; n >= VW; n -= VW, w += VW, a += VW, b += VW, y += VW)
        v_store(y, v_fma(v_load(w), v_load(a), v_mul(v_sub(one, v_load(w)), v_load(b))));
    if (n)
        v_store_n(y,
                  v_fma(v_load_n(w, n), v_load_n(a, n),
                        v_mul(v_sub(one, v_load_n(w, n)), v_load_n(b, n))),
                  n);
}

static void blend_back(size_t n, const float *w, const float *dy, float *da, float *db)
{
    const vf one = v_set(1.0f);
    while (n) {
        const size_t lanes = n < VW ? n : VW;
        const vf share = v_load_n(w, lanes), d = v_load_n(dy, lanes);
        v_store_n(db, v_mul(v_sub(one, share), d), lanes);
        v_store_n(da, v_mul(share, d), lanes);
        n -= lanes;
        w += lanes;
        dy += lanes;
        da += lanes;
        db += lanes;
    }
}
