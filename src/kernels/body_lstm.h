/* body_lstm.h - what stands between an LSTM's products: one step's gates, cell and output, and
 * their gradients (kernels.h has the equations). Units [begin, end) of all rows. */

#define LOAD(p) (whole ? v_load(p) : v_load_n(p, n))
#define STORE(p, x) (whole ? v_store(p, x) : v_store_n(p, x, n))

/* VW units of one row, or n < VW of them. */
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
    STORE(s->h + at, v_mul(o, v_tanh(c)));
}

static void lstm_cell(const ur_lstm_cell *s, size_t begin, size_t end)
{
    for (size_t r = 0; r < s->rows; r++) {
        size_t u = begin;
        for (; u + VW <= end; u += VW)
            lstm_cell_units(s, r, u, true, VW);
        if (u < end)
            lstm_cell_units(s, r, u, false, end - u);
    }
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
    for (size_t r = 0; r < s->rows; r++) {
        size_t u = begin;
        for (; u + VW <= end; u += VW)
            lstm_cell_back_units(s, r, u, true, VW);
        if (u < end)
            lstm_cell_back_units(s, r, u, false, end - u);
    }
}

#undef LOAD
#undef STORE
