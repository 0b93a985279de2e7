/* body_attention.h - rows of attention weights, and additive scores (kernels.h says what each
 * computes). Reductions are body_rows.h's: 16 partial sums, lane i taking elements i, i+16, ... */

/* The keys that row r sees. */
static inline size_t keys_seen(const ur_weight_rows *s, size_t r)
{
    const ptrdiff_t n = s->first + (ptrdiff_t)r;
    return !s->causal || n >= (ptrdiff_t)s->keys ? s->keys : n > 0 ? (size_t)n : 0;
}

/* x = scale x + mask, -inf where the mask is. */
static void mask_row(size_t n, float scale_by, const float *mask, float *x)
{
    const vf factor = v_set(scale_by), hidden = v_set(-INFINITY);
    for (; n; n -= n < VW ? n : VW, x += VW, mask += VW) {
        const vf m = v_load_n(mask, n < VW ? n : VW);
        const vf v = v_fma(factor, v_load_n(x, n < VW ? n : VW), m);
        v_store_n(x, v_select(v_cmp_eq(m, hidden), hidden, v), n < VW ? n : VW);
    }
}

/* The largest element that is a number; -inf where there is none. */
static float largest(size_t n, const float *x)
{
    partial most = partial_set(-INFINITY);
    for (; n >= LANES; n -= LANES, x += LANES)
        for (int i = 0; i < PARTS; i++)
            most.part[i] = v_max(v_load(x + i * VW), most.part[i]);
    for (int i = 0; i < PARTS && tail_lanes(n, i); i++)
        most.part[i] = v_max(load_or(x + i * VW, tail_lanes(n, i), -INFINITY), most.part[i]);
    return partial_max(most);
}

/* x = exp(scale x + shift), in place; returns the sum. */
static float exp_scaled_sum(size_t n, float scale_by, float shift_by, float *x)
{
    const vf factor = v_set(scale_by), shift = v_set(shift_by);
    partial s = partial_set(0.0f);
    for (; n >= LANES; n -= LANES, x += LANES)
        for (int i = 0; i < PARTS; i++) {
            const vf v = v_exp_nonpos(v_fma(factor, v_load(x + i * VW), shift));
            v_store(x + i * VW, v);
            s.part[i] = v_add(s.part[i], v);
        }
    for (int i = 0; i < PARTS && tail_lanes(n, i); i++) {
        const size_t lanes = tail_lanes(n, i);
        const vf v = v_exp_nonpos(v_fma(factor, v_load_n(x + i * VW, lanes), shift));
        v_store_n(x + i * VW, v, lanes);
        s.part[i] = v_add(s.part[i], v_keep_n(v, lanes));
    }
    return partial_sum(s);
}

static void set_zeros(size_t n, float *x)
{
    memset(x, 0, n * sizeof *x);
}

static void weight_rows(const ur_weight_rows *s)
{
    for (size_t r = 0; r < s->rows; r++) {
        float *x = s->x + r * s->row;
        const size_t n = keys_seen(s, r);
        if (s->mask)
            mask_row(n, s->scale, s->mask + r * s->mask_row, x);
        const float by = s->mask ? 1.0f : s->scale;
        float most = largest(n, x);
        if (most == -INFINITY)
            most = max(n, x); /* NaN if there is one */
        s->shift[r] = s->factor[r] = 0.0f;
        if (most == -INFINITY) {
            set_zeros(s->keys, x);
            continue;
        }
        s->shift[r] = -(by * most);
        s->factor[r] = 1.0f / exp_scaled_sum(n, by, s->shift[r], x);
        scale(n, s->factor[r], x, x);
        set_zeros(s->keys - n, x + n);
    }
}

static void weight_rows_again(const ur_weight_rows *s)
{
    for (size_t r = 0; r < s->rows; r++) {
        float *x = s->x + r * s->row;
        const size_t n = keys_seen(s, r);
        if (s->mask)
            mask_row(n, s->scale, s->mask + r * s->mask_row, x);
        const vf by = v_set(s->mask ? 1.0f : s->scale), shift = v_set(s->shift[r]);
        const vf factor = v_set(s->factor[r]);
        size_t i = 0;
        for (; i + VW <= n; i += VW)
            v_store(x + i, v_mul(factor, v_exp_nonpos(v_fma(by, v_load(x + i), shift))));
        if (i < n) {
            const vf v = v_exp_nonpos(v_fma(by, v_load_n(x + i, n - i), shift));
            v_store_n(x + i, v_mul(factor, v), n - i);
        }
        set_zeros(s->keys - n, x + n);
    }
}

static void weight_rows_back(const ur_weight_rows_back *s, bool mean_known)
{
    for (size_t r = 0; r < s->rows; r++) {
        const float *p = s->p + r * s->row;
        float *dp = s->dp + r * s->row;
        size_t n = s->keys;
        if (!mean_known)
            s->mean[r] = dot(n, p, dp);
        const vf mean = v_set(s->mean[r]);
        for (; n >= VW; n -= VW, p += VW, dp += VW)
            v_store(dp, v_mul(v_load(p), v_sub(v_load(dp), mean)));
        if (n)
            v_store_n(dp, v_mul(v_load_n(p, n), v_sub(v_load_n(dp, n), mean)), n);
    }
}

/* ---- additive scores ----------------------------------------------------------------------- */

static float additive_score(size_t n, const float *q, const float *k, const float *w)
{
    partial s = partial_set(0.0f);
    for (; n >= LANES; n -= LANES, q += LANES, k += LANES, w += LANES)
        for (int i = 0; i < PARTS; i++) {
            const vf th = v_tanh(v_add(v_load(q + i * VW), v_load(k + i * VW)));
            s.part[i] = v_fma(v_load(w + i * VW), th, s.part[i]);
        }
    for (int i = 0; i < PARTS && tail_lanes(n, i); i++) {
        const size_t lanes = tail_lanes(n, i);
        const vf th = v_tanh(v_add(v_load_n(q + i * VW, lanes), v_load_n(k + i * VW, lanes)));
        s.part[i] = v_fma(v_load_n(w + i * VW, lanes), th, s.part[i]); /* tanh(0) is +0 */
    }
    return partial_sum(s);
}

static void additive(const ur_additive *s)
{
    for (size_t r = 0; r < s->rows; r++)
        for (size_t j = 0; j < s->keys; j++)
            s->x[r * s->row + j] =
                additive_score(s->width, s->q + r * s->q_row, s->k + j * s->k_row, s->w);
}

/* n <= VW features from column i on, of one query. */
static inline __attribute__((always_inline)) void additive_features(const ur_additive *s, size_t r,
                                                                    size_t i, size_t n)
{
    const vf one = v_set(1.0f), q = v_load_n(s->q + r * s->q_row + i, n);
    const vf w = v_load_n(s->w + i, n);
    vf dq = v_zero(), dw = v_zero();
    for (size_t j = 0; j < s->keys; j++) {
        const vf ds = v_set(s->x[r * s->row + j]);
        const vf th = v_tanh(v_add(q, v_load_n(s->k + j * s->k_row + i, n)));
        const vf slope = v_mul(w, v_fnma(th, th, one));
        dq = v_fma(ds, slope, dq);
        dw = v_fma(ds, th, dw);
        if (s->dk) {
            float *dk = s->dk + j * s->dk_row + i;
            v_store_n(dk, v_fma(ds, slope, v_load_n(dk, n)), n);
        }
    }
    if (s->dq)
        v_store_n(s->dq + r * s->out_row + i, dq, n);
    if (s->dw)
        v_store_n(s->dw + r * s->out_row + i, dw, n);
}

static void additive_back(const ur_additive *s)
{
    for (size_t r = 0; r < s->rows; r++) {
        size_t i = 0;
        for (; i + VW <= s->width; i += VW)
            additive_features(s, r, i, VW);
        if (i < s->width)
            additive_features(s, r, i, s->width - i);
    }
}
