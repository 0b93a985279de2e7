/* body_layer_norm.h - the layer-normalised LSTM between its products (kernels.h has the equations).
 * A row is normalised as a whole: rows [begin, end), all units. */

static const float norm_epsilon = 1e-5f;

/* y = (x - mean) / sqrt(variance + epsilon); returns the factor. x and y may be the same. */
static float normalise(size_t n, const float *x, float *y)
{
    const vf mean = v_set(sum(n, x) / (float)n);
    for (size_t i = 0; i < n; i += VW) {
        const size_t lanes = n - i < VW ? n - i : VW;
        v_store_n(y + i, v_sub(v_load_n(x + i, lanes), mean), lanes);
    }
    const float factor = 1.0f / sqrtf(dot(n, y, y) / (float)n + norm_epsilon);
    scale(n, factor, y, y);
    return factor;
}

/* dx = factor (d - mean(d) - y mean(d y)), d = dy gain; dx may be dy. */
static void normalise_back(size_t n, const float *gain, const float *y, float factor,
                           const float *dy, float *dx)
{
    mul(n, gain, dy, dx);
    const vf mean = v_set(sum(n, dx) / (float)n), slope = v_set(dot(n, dx, y) / (float)n);
    const vf f = v_set(factor);
    for (size_t i = 0; i < n; i += VW) {
        const size_t lanes = n - i < VW ? n - i : VW;
        const vf d = v_sub(v_load_n(dx + i, lanes), mean);
        v_store_n(dx + i, v_mul(f, v_fnma(slope, v_load_n(y + i, lanes), d)), lanes);
    }
}

/* The pre-activations of a row: both products normalised, scaled and added, with the biases. */
static void norm_gates(const ur_norm_cell *s, size_t r)
{
    const size_t n = 4 * s->hidden;
    float *a = s->gates + r * s->gates_row, *h = s->h_gates + r * s->gates_row;
    float *x = s->x_norm ? s->x_norm + r * s->gates_row : a;
    const float x_factor = normalise(n, a, x);
    h[n] = normalise(n, h, h);
    if (s->x_norm)
        x[n] = x_factor;
    mul(n, s->g_x, x, a);
    mul_add(n, s->g_h, h, a);
    if (s->b_ih)
        add(n, s->b_ih, a);
    if (s->b_hh)
        add(n, s->b_hh, a);
}

static void norm_cell(const ur_norm_cell *s, size_t begin, size_t end)
{
    const size_t hidden = s->hidden;
    for (size_t r = begin; r < end; r++) {
        float *gate = s->gates + r * s->gates_row;
        float *c = s->c + r * hidden, *h = s->h + r * hidden;
        norm_gates(s, r);
        map_sigmoid(2 * hidden, gate, gate);
        map_tanh(hidden, gate + 2 * hidden, gate + 2 * hidden);
        map_sigmoid(hidden, gate + 3 * hidden, gate + 3 * hidden);
        mul(hidden, gate + hidden, s->c_prev + r * hidden, c);
        mul_add(hidden, gate, gate + 2 * hidden, c);
        normalise(hidden, c, h);
        mul(hidden, s->g_c, h, h);
        add(hidden, s->b_c, h);
        map_tanh(hidden, h, h);
        mul(hidden, gate + 3 * hidden, h, h);
    }
}

/* Through h = o tanh(g_c c_norm + b_c): d_o in its gate's place, d_u, and dc by normalise_back. */
static void norm_output_back(const ur_norm_cell *s, size_t r)
{
    const size_t hidden = s->hidden, at = r * hidden;
    float *o = s->gates + r * s->gates_row + 3 * hidden;
    float *c_norm = s->c_norm + at, *d_u = s->d_u + at, *d_c = s->d_c + at;
    const vf one = v_set(1.0f);
    const float factor = normalise(hidden, s->c + at, c_norm);
    mul(hidden, s->g_c, c_norm, d_u);
    add(hidden, s->b_c, d_u);
    map_tanh(hidden, d_u, d_u);
    for (size_t u = 0; u < hidden; u += VW) {
        const size_t n = hidden - u < VW ? hidden - u : VW;
        const vf t = v_load_n(d_u + u, n), out = v_load_n(o + u, n);
        vf dh = v_load_n(s->dh + at + u, n);
        if (s->dy)
            dh = v_add(dh, v_load_n(s->dy + at + u, n));
        v_store_n(o + u, v_mul(v_mul(dh, t), v_mul(out, v_sub(one, out))), n);
        v_store_n(d_u + u, v_mul(v_mul(dh, out), v_fnma(t, t, one)), n);
    }
    normalise_back(hidden, s->g_c, c_norm, factor, d_u, d_c);
    add(hidden, d_c, s->dc + at);
}

static void norm_cell_back(const ur_norm_cell *s, size_t begin, size_t end)
{
    const size_t hidden = s->hidden;
    const vf one = v_set(1.0f);
    for (size_t r = begin; r < end; r++) {
        norm_output_back(s, r);
        for (size_t u = 0; u < hidden; u += VW) {
            const size_t n = hidden - u < VW ? hidden - u : VW, at = r * hidden + u;
            float *gate = s->gates + r * s->gates_row + u;
            const vf i = v_load_n(gate, n), f = v_load_n(gate + hidden, n);
            const vf g = v_load_n(gate + 2 * hidden, n), dc = v_load_n(s->dc + at, n);
            const vf df = v_mul(dc, v_load_n(s->c_prev + at, n));
            v_store_n(gate, v_mul(v_mul(dc, g), v_mul(i, v_sub(one, i))), n);
            v_store_n(gate + hidden, v_mul(df, v_mul(f, v_sub(one, f))), n);
            v_store_n(gate + 2 * hidden, v_mul(v_mul(dc, i), v_fnma(g, g, one)), n);
            v_store_n(s->dc + at, v_mul(dc, f), n);
        }
    }
}

/* y[j] += sum over rows of a(r,j) b(r,j), rows in order, columns [begin, end). */
static void column_dots(size_t rows, const float *a, const float *b, size_t row, float *y,
                        size_t begin, size_t end)
{
    for (size_t r = 0; r < rows && begin < end; r++)
        mul_add(end - begin, a + r * row + begin, b + r * row + begin, y + begin);
}

static void norm_sums_back(const ur_norm_cell *s, size_t begin, size_t end)
{
    for (size_t g = 0; g < 4; g++) {
        const size_t from = g * s->hidden + begin, to = g * s->hidden + end;
        column_dots(s->rows, s->gates, s->x_norm, s->gates_row, s->dg_x, from, to);
        column_dots(s->rows, s->gates, s->h_gates, s->gates_row, s->dg_h, from, to);
        column_sums(s->rows, s->gates, s->gates_row, s->d_bias, from, to);
    }
    column_dots(s->rows, s->d_u, s->c_norm, s->hidden, s->dg_c, begin, end);
    column_sums(s->rows, s->d_u, s->hidden, s->db_c, begin, end);
}

static void norm_products_back(const ur_norm_cell *s, size_t begin, size_t end)
{
    const size_t n = 4 * s->hidden;
    for (size_t r = begin; r < end; r++) {
        float *a = s->gates + r * s->gates_row, *h = s->h_gates + r * s->gates_row;
        float *x = s->x_norm + r * s->gates_row;
        const float h_factor = h[n], x_factor = x[n];
        normalise_back(n, s->g_h, h, h_factor, a, s->spare + r * s->gates_row);
        memcpy(h, s->spare + r * s->gates_row, n * sizeof *h);
        normalise_back(n, s->g_x, x, x_factor, a, a);
    }
}
