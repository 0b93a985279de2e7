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

static inline void set_zeros(size_t n, float *x)
{
    if (n)
        memset(x, 0, n * sizeof *x);
}

/* The weights of at most LANES scores, which stay in registers. False, and nothing is done, where no score
 * is a number above -inf. */
static inline bool short_row(size_t n, float scale_by, float *x, float *shift_by, float *factor)
{
    partial s, e, most;
    for (int i = 0; i < PARTS; i++) {
        const size_t lanes = tail_lanes(n, i);
        s.part[i] = v_load_n(x + i * VW, lanes);
        most.part[i] = lanes < VW ? load_or(x + i * VW, lanes, -INFINITY) : s.part[i];
        most.part[i] = v_max(most.part[i], v_set(-INFINITY)); /* a NaN is none */
    }
    const float largest_of_all = partial_max(most);
    if (largest_of_all == -INFINITY)
        return false;
    *shift_by = -(scale_by * largest_of_all);
    const vf by = v_set(scale_by), shift = v_set(*shift_by);
    for (int i = 0; i < PARTS; i++)
        e.part[i] = v_keep_n(v_exp_nonpos(v_fma(by, s.part[i], shift)), tail_lanes(n, i));
    *factor = 1.0f / partial_sum(e);
    for (int i = 0; i < PARTS; i++)
        v_store_n(x + i * VW, v_mul(v_set(*factor), e.part[i]), tail_lanes(n, i));
    return true;
}

static void weight_rows(const ur_weight_rows *s)
{
    for (size_t r = 0; r < s->rows; r++) {
        float *x = s->x + r * s->row;
        const size_t n = keys_seen(s, r);
        if (s->mask)
            mask_row(n, s->scale, s->mask + r * s->mask_row, x);
        const float by = s->mask ? 1.0f : s->scale;
        if (n <= LANES && short_row(n, by, x, &s->shift[r], &s->factor[r])) {
            set_zeros(s->keys - n, x + n);
            continue;
        }
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

/* ds of at most LANES weights, which stay in registers. */
static inline void short_row_back(size_t n, const float *p, float *dp, float *mean, bool mean_known)
{
    partial a, d, s;
    for (int i = 0; i < PARTS; i++) {
        a.part[i] = v_load_n(p + i * VW, tail_lanes(n, i));
        d.part[i] = v_load_n(dp + i * VW, tail_lanes(n, i));
        s.part[i] = v_fma(a.part[i], d.part[i], v_zero());
    }
    if (!mean_known)
        *mean = partial_sum(s);
    for (int i = 0; i < PARTS; i++)
        v_store_n(dp + i * VW, v_mul(a.part[i], v_sub(d.part[i], v_set(*mean))), tail_lanes(n, i));
}

static void weight_rows_back(const ur_weight_rows_back *s, bool mean_known)
{
    for (size_t r = 0; r < s->rows; r++) {
        const float *p = s->p + r * s->row;
        float *dp = s->dp + r * s->row;
        size_t n = s->keys;
        if (n <= LANES) {
            short_row_back(n, p, dp, &s->mean[r], mean_known);
            continue;
        }
        if (!mean_known)
            s->mean[r] = dot(n, p, dp);
        const vf mean = v_set(s->mean[r]);
        for (; n >= VW; n -= VW, p += VW, dp += VW)
            v_store(dp, v_mul(v_load(p), v_sub(v_load(dp), mean)));
        if (n)
            v_store_n(dp, v_mul(v_load_n(p, n), v_sub(v_load_n(dp, n), mean)), n);
    }
}

/* ---- few queries, rows anywhere ------------------------------------------------------------- */

#define UNROLLED _Pragma("GCC unroll 16")

/* R queries against G vectors of keys from key j0 on. R G chains of one step after the other keep the
 * multipliers busy; keys are turned in registers, VW features at a time. */
static inline __attribute__((always_inline)) void scores_block(const ur_scattered *s, size_t r0,
                                                               size_t j0, const int R, const int G)
{
    const float *row[4 * VW], *a = s->a + r0 * s->a_row;
    const size_t a_row = s->a_row;
    vf acc[4], block[4][VW];
    UNROLLED for (int lane = 0; lane < G * VW; lane++) row[lane] = s->b + s->at[j0 + (size_t)lane];
    UNROLLED for (int i = 0; i < R * G; i++) acc[i] = v_zero();
    size_t i = 0;
    for (; i + VW <= s->width; i += VW) {
        UNROLLED for (int g = 0; g < G; g++)
        {
            UNROLLED for (int lane = 0; lane < VW; lane++) block[g][lane] =
                v_load(row[g * VW + lane] + i);
            v_transpose(block[g]);
        }
        UNROLLED for (int f = 0; f < VW; f++) UNROLLED for (int r = 0; r < R; r++)
        {
            const vf q = v_broadcast(a + (size_t)r * a_row + i + (size_t)f);
            UNROLLED for (int g = 0; g < G; g++) acc[r * G + g] =
                v_fma(q, block[g][f], acc[r * G + g]);
        }
    }
    if (i < s->width) {
        const size_t n = s->width - i;
        for (int g = 0; g < G; g++) {
            for (int lane = 0; lane < VW; lane++)
                block[g][lane] = v_load_n(row[g * VW + lane] + i, n);
            v_transpose(block[g]);
        }
        for (size_t f = 0; f < n; f++)
            UNROLLED for (int r = 0; r < R; r++)
            {
                const vf q = v_broadcast(a + (size_t)r * a_row + i + f);
                UNROLLED for (int g = 0; g < G; g++) acc[r * G + g] =
                    v_fma(q, block[g][f], acc[r * G + g]);
            }
    }
    float *y = s->y + r0 * s->y_row + j0;
    UNROLLED for (int r = 0; r < R; r++) UNROLLED for (int g = 0; g < G; g++)
        v_store(y + (size_t)r * s->y_row + g * VW, acc[r * G + g]);
}

/* R queries against a vector of keys from j on, of one vector of features, turned. */
static inline __attribute__((always_inline)) void
narrow_block(const ur_scattered *s, size_t r0, size_t j, const vf *block, const int R)
{
    const float *a = s->a + r0 * s->a_row;
    float *y = s->y + r0 * s->y_row + j;
    vf acc[4];
    UNROLLED for (int r = 0; r < R; r++) acc[r] = v_zero();
    UNROLLED for (int f = 0; f < VW; f++) UNROLLED for (int r = 0; r < R; r++) acc[r] =
        v_fma(v_broadcast(a + (size_t)r * s->a_row + f), block[f], acc[r]);
    UNROLLED for (int r = 0; r < R; r++) v_store(y + (size_t)r * s->y_row, acc[r]);
}

/* Keys of one vector of features are turned once for all queries. */
static void narrow_scores(const ur_scattered *s)
{
    for (size_t j = 0; j < s->keys; j += VW) {
        vf block[VW];
        UNROLLED for (int lane = 0; lane < VW; lane++) block[lane] =
            v_load(s->b + s->at[j + (size_t)lane]);
        v_transpose(block);
        size_t r = 0;
        for (; r + 4 <= s->rows; r += 4)
            narrow_block(s, r, j, block, 4);
        for (; r + 2 <= s->rows; r += 2)
            narrow_block(s, r, j, block, 2);
        if (r < s->rows)
            narrow_block(s, r, j, block, 1);
    }
}

static void scattered_scores(const ur_scattered *s)
{
    if (s->width == VW) {
        narrow_scores(s);
        return;
    }
    for (size_t r = 0, rows; r < s->rows; r += rows) {
        const size_t left = s->rows - r;
        rows = left < 4 ? left : 4;
        for (size_t j = 0, vectors; j < s->keys; j += vectors * VW) {
            vectors = (s->keys - j + VW - 1) / VW;
            vectors = vectors < 4 / rows ? vectors : 4 / rows;
            switch (rows * 4 + vectors) {
            case 5:
                scores_block(s, r, j, 1, 1);
                break;
            case 6:
                scores_block(s, r, j, 1, 2);
                break;
            case 7:
                scores_block(s, r, j, 1, 3);
                break;
            case 8:
                scores_block(s, r, j, 1, 4);
                break;
            case 9:
                scores_block(s, r, j, 2, 1);
                break;
            case 10:
                scores_block(s, r, j, 2, 2);
                break;
            case 13:
                scores_block(s, r, j, 3, 1);
                break;
            default:
                scores_block(s, r, j, 4, 1);
            }
        }
    }
}

/* V vectors of R contexts from feature i on; of a single last one n lanes. */
static inline __attribute__((always_inline)) void
contexts_block(const ur_scattered *s, size_t r0, size_t i, const int R, const int V, size_t n)
{
    const float *a = s->a + r0 * s->a_row, *b = s->b + i;
    const size_t a_row = s->a_row, a_k = s->a_k, y_row = s->y_row;
    const size_t *at = s->at;
    float *y = s->y + r0 * y_row + i;
    vf acc[8];
    UNROLLED for (int r = 0; r < R; r++) UNROLLED for (int v = 0; v < V; v++) acc[r * V + v] =
        s->add ? v_load_n(y + (size_t)r * y_row + v * VW, n) : v_zero();
    for (size_t j = 0; j < s->keys; j++, a += a_k) {
        const float *row = b + at[j];
        vf x[8];
        UNROLLED for (int v = 0; v < V; v++) x[v] = v_load_n(row + v * VW, n);
        UNROLLED for (int r = 0; r < R; r++)
        {
            const vf p = v_broadcast(a + (size_t)r * a_row);
            UNROLLED for (int v = 0; v < V; v++) acc[r * V + v] = v_fma(p, x[v], acc[r * V + v]);
        }
    }
    UNROLLED for (int r = 0; r < R; r++) UNROLLED for (int v = 0; v < V; v++)
        v_store_n(y + (size_t)r * y_row + v * VW, acc[r * V + v], n);
}

/* R contexts, two vectors of them at a time. */
static inline __attribute__((always_inline)) void contexts_rows(const ur_scattered *s, size_t r,
                                                                const int R)
{
    size_t i = 0;
    for (; i + 2 * VW <= s->width; i += 2 * VW)
        contexts_block(s, r, i, R, 2, VW);
    for (; i + VW <= s->width; i += VW)
        contexts_block(s, r, i, R, 1, VW);
    if (i < s->width)
        contexts_block(s, r, i, R, 1, s->width - i);
}

static void scattered_contexts(const ur_scattered *s)
{
    size_t r = 0;
    for (; r + 4 <= s->rows; r += 4)
        contexts_rows(s, r, 4);
    for (; r + 2 <= s->rows; r += 2)
        contexts_rows(s, r, 2);
    for (; r < s->rows; r++) {
        size_t i = 0;
        for (; i + 8 * VW <= s->width; i += 8 * VW)
            contexts_block(s, r, i, 1, 8, VW);
        for (; i + 2 * VW <= s->width; i += 2 * VW)
            contexts_block(s, r, i, 1, 2, VW);
        for (; i < s->width; i += VW)
            contexts_block(s, r, i, 1, 1, s->width - i < VW ? s->width - i : VW);
    }
}
#undef UNROLLED

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
