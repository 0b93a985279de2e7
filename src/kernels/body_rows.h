/* body_rows.h - loops over rows of numbers: elementwise functions, reductions, softmax and
 * cross-entropy, gather and scatter, drop-out (kernels.h says what each computes).
 *
 * A reduction keeps 16 partial results whatever the vector width: lane i takes elements i, i+16,
 * ..., then lane i+8 joins lane i, then i+4, i+2, i+1. */

#include <math.h>
#include <string.h>

#define LANES 16
enum { PARTS = LANES / VW };

/* ---- elementwise --------------------------------------------------------------------------- */

static inline __attribute__((always_inline)) void map(size_t n, const float *x, float *y,
                                                      vf (*f)(vf))
{
    for (; n >= VW; n -= VW, x += VW, y += VW)
        v_store(y, f(v_load(x)));
    if (n)
        v_store_n(y, f(v_load_n(x, n)), n);
}

static void map_exp(size_t n, const float *x, float *y)
{
    map(n, x, y, v_exp);
}

static void map_log(size_t n, const float *x, float *y)
{
    map(n, x, y, v_log);
}

static void map_tanh(size_t n, const float *x, float *y)
{
    map(n, x, y, v_tanh);
}

static void map_sigmoid(size_t n, const float *x, float *y)
{
    map(n, x, y, v_sigmoid);
}

static void map_erf(size_t n, const float *x, float *y)
{
    map(n, x, y, v_erf);
}

static void add(size_t n, const float *x, float *y)
{
    for (; n >= VW; n -= VW, x += VW, y += VW)
        v_store(y, v_add(v_load(y), v_load(x)));
    if (n)
        v_store_n(y, v_add(v_load_n(y, n), v_load_n(x, n)), n);
}

static void mul(size_t n, const float *a, const float *b, float *y)
{
    for (; n >= VW; n -= VW, a += VW, b += VW, y += VW)
        v_store(y, v_mul(v_load(a), v_load(b)));
    if (n)
        v_store_n(y, v_mul(v_load_n(a, n), v_load_n(b, n)), n);
}

static void mul_add(size_t n, const float *a, const float *b, float *y)
{
    for (; n >= VW; n -= VW, a += VW, b += VW, y += VW)
        v_store(y, v_fma(v_load(a), v_load(b), v_load(y)));
    if (n)
        v_store_n(y, v_fma(v_load_n(a, n), v_load_n(b, n), v_load_n(y, n)), n);
}

static void scale(size_t n, float s, const float *x, float *y)
{
    const vf factor = v_set(s);
    for (; n >= VW; n -= VW, x += VW, y += VW)
        v_store(y, v_mul(factor, v_load(x)));
    if (n)
        v_store_n(y, v_mul(factor, v_load_n(x, n)), n);
}

static void axpy(size_t n, float s, const float *x, float *y)
{
    const vf factor = v_set(s);
    for (; n >= VW; n -= VW, x += VW, y += VW)
        v_store(y, v_fma(factor, v_load(x), v_load(y)));
    if (n)
        v_store_n(y, v_fma(factor, v_load_n(x, n), v_load_n(y, n)), n);
}

static void put_rows(size_t rows, size_t width, float s, const float *x, size_t x_row, float *y,
                     size_t y_row, bool add_to)
{
    for (; rows; rows--, x += x_row, y += y_row)
        if (add_to)
            axpy(width, s, x, y);
        else
            scale(width, s, x, y);
}

/* ---- reductions ---------------------------------------------------------------------------- */

typedef struct partial {
    vf part[PARTS];
} partial;

static inline partial partial_set(float s)
{
    partial r;
    for (int i = 0; i < PARTS; i++)
        r.part[i] = v_set(s);
    return r;
}

/* How many of the n < 16 elements of a tail fall to part i. */
static inline size_t tail_lanes(size_t n, int i)
{
    const size_t before = (size_t)i * VW;
    return n <= before ? 0 : n - before < VW ? n - before : VW;
}

/* The 16 lanes' sum and maximum in the fixed order. */
static inline float partial_sum(partial s)
{
    for (int half = PARTS / 2; half; half /= 2)
        for (int i = 0; i < half; i++)
            s.part[i] = v_add(s.part[i], s.part[i + half]);
    return v_sum_lanes(s.part[0]);
}

static inline float partial_max(partial s)
{
    for (int half = PARTS / 2; half; half /= 2)
        for (int i = 0; i < half; i++)
            s.part[i] = v_max(s.part[i], s.part[i + half]);
    return v_max_lanes(s.part[0]);
}

static float sum(size_t n, const float *x)
{
    partial s = partial_set(0.0f);
    for (; n >= LANES; n -= LANES, x += LANES)
        for (int i = 0; i < PARTS; i++)
            s.part[i] = v_add(s.part[i], v_load(x + i * VW));
    if (n) /* a missing lane adds +0, which changes no sum that started from +0 */
        for (int i = 0; i < PARTS; i++)
            s.part[i] = v_add(s.part[i], v_load_n(x + i * VW, tail_lanes(n, i)));
    return partial_sum(s);
}

static float dot(size_t n, const float *a, const float *b)
{
    partial s = partial_set(0.0f);
    for (; n >= LANES; n -= LANES, a += LANES, b += LANES)
        for (int i = 0; i < PARTS; i++)
            s.part[i] = v_fma(v_load(a + i * VW), v_load(b + i * VW), s.part[i]);
    if (n)
        for (int i = 0; i < PARTS; i++) {
            const size_t lanes = tail_lanes(n, i);
            s.part[i] = v_fma(v_load_n(a + i * VW, lanes), v_load_n(b + i * VW, lanes), s.part[i]);
        }
    return partial_sum(s);
}

/* n of the VW elements at x, and `other` in the lanes behind them. */
static inline vf load_or(const float *x, size_t n, float other)
{
    static const float behind[2 * LANES] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                            1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    return v_select(v_cmp_lt(v_zero(), v_load(behind + LANES - n)), v_set(other), v_load_n(x, n));
}

static float max(size_t n, const float *x)
{
    partial most = partial_set(-INFINITY), bad = partial_set(0.0f); /* bad: 0 or NaN */
    for (size_t left = n; left; left -= left < LANES ? left : LANES, x += LANES)
        for (int i = 0; i < PARTS; i++) {
            const vf v = left < LANES ? load_or(x + i * VW, tail_lanes(left, i), -INFINITY)
                                      : v_load(x + i * VW);
            most.part[i] = v_max(v, most.part[i]);
            bad.part[i] = v_select(v_cmp_eq(v, v), bad.part[i], v);
        }
    const float nan = partial_sum(bad);
    return nan == 0.0f ? partial_max(most) : nan;
}

static bool all_finite(size_t n, const float *x)
{
    partial s = partial_set(0.0f); /* 0 x is 0 or NaN */
    for (; n >= LANES; n -= LANES, x += LANES)
        for (int i = 0; i < PARTS; i++)
            s.part[i] = v_fma(v_load(x + i * VW), v_zero(), s.part[i]);
    for (int i = 0; i < PARTS && tail_lanes(n, i); i++)
        s.part[i] = v_fma(v_load_n(x + i * VW, tail_lanes(n, i)), v_zero(), s.part[i]);
    return partial_sum(s) == 0.0f;
}

static void column_sums(size_t rows, const float *x, size_t x_row, float *y, size_t begin,
                        size_t end)
{
    size_t j = begin;
    for (; j + 4 * VW <= end; j += 4 * VW) {
        vf s[4];
        for (int v = 0; v < 4; v++)
            s[v] = v_load(y + j + v * VW);
        for (size_t r = 0; r < rows; r++)
            for (int v = 0; v < 4; v++)
                s[v] = v_add(s[v], v_load(x + r * x_row + j + v * VW));
        for (int v = 0; v < 4; v++)
            v_store(y + j + v * VW, s[v]);
    }
    while (j < end) {
        const size_t n = end - j < VW ? end - j : VW;
        vf s = v_load_n(y + j, n);
        for (size_t r = 0; r < rows; r++)
            s = v_add(s, v_load_n(x + r * x_row + j, n));
        v_store_n(y + j, s, n);
        j += n;
    }
}

/* ---- gather and scatter -------------------------------------------------------------------- */

static void gather(const int32_t *ids, const float *table, size_t width, float *out, size_t begin,
                   size_t end)
{
    for (size_t r = begin; r < end; r++)
        memcpy(out + r * width, table + (size_t)ids[r] * width, width * sizeof *out);
}

static void scatter_add(size_t rows, const int32_t *ids, const float *x, size_t width, float *table,
                        size_t begin, size_t end)
{
    if (begin >= end)
        return;
    for (size_t r = 0; r < rows; r++)
        add(end - begin, x + r * width + begin, table + (size_t)ids[r] * width + begin);
}

/* ---- softmax ------------------------------------------------------------------------------- */

/* e[i] = exp(x[i] - most); returns their sum. */
static float exp_sum(size_t n, const float *x, float most, float *e)
{
    const vf shift = v_set(most);
    partial s = partial_set(0.0f);
    for (; n >= LANES; n -= LANES, x += LANES, e += LANES)
        for (int i = 0; i < PARTS; i++) {
            const vf v = v_exp_nonpos(v_sub(v_load(x + i * VW), shift));
            v_store(e + i * VW, v);
            s.part[i] = v_add(s.part[i], v);
        }
    for (int i = 0; i < PARTS && tail_lanes(n, i); i++) {
        const size_t lanes = tail_lanes(n, i);
        const vf v = v_exp_nonpos(v_sub(v_load_n(x + i * VW, lanes), shift));
        v_store_n(e + i * VW, v, lanes);
        s.part[i] = v_add(s.part[i], v_keep_n(v, lanes));
    }
    return partial_sum(s);
}

static void softmax(size_t n, const float *x, float *p)
{
    const float most = max(n, x);
    if (most == -INFINITY) { /* no entry is possible */
        for (size_t i = 0; i < n; i++)
            p[i] = 0.0f;
        return;
    }
    scale(n, 1.0f / exp_sum(n, x, most, p), p, p);
}

static void softmax_back(size_t n, const float *p, const float *dp, float *dx)
{
    const vf mean = v_set(dot(n, p, dp));
    for (; n >= VW; n -= VW, p += VW, dp += VW, dx += VW)
        v_store(dx, v_fma(v_load(p), v_sub(v_load(dp), mean), v_load(dx)));
    if (n)
        v_store_n(dx, v_fma(v_load_n(p, n), v_sub(v_load_n(dp, n), mean), v_load_n(dx, n)), n);
}

/* The sum of exp(x[i] - most) without keeping them. */
static float exp_sum_only(size_t n, const float *x, float most)
{
    const vf shift = v_set(most);
    partial s = partial_set(0.0f);
    for (; n >= LANES; n -= LANES, x += LANES)
        for (int i = 0; i < PARTS; i++)
            s.part[i] = v_add(s.part[i], v_exp_nonpos(v_sub(v_load(x + i * VW), shift)));
    for (int i = 0; i < PARTS && tail_lanes(n, i); i++) {
        const size_t lanes = tail_lanes(n, i);
        const vf v = v_exp_nonpos(v_sub(v_load_n(x + i * VW, lanes), shift));
        s.part[i] = v_add(s.part[i], v_keep_n(v, lanes));
    }
    return partial_sum(s);
}

static float cross_entropy(size_t n, const float *x, int32_t target, float *p)
{
    const float most = max(n, x);
    const float wanted = x[target]; /* p may be x */
    if (most == -INFINITY) {
        if (p)
            softmax(n, x, p);
        return INFINITY;
    }
    const float total = p ? exp_sum(n, x, most, p) : exp_sum_only(n, x, most);
    if (p)
        scale(n, 1.0f / total, p, p);
    float log_total[VW];
    v_store(log_total, v_log(v_set(total)));
    return log_total[0] - (wanted - most);
}

/* ---- drop-out ------------------------------------------------------------------------------ */

enum { BLOCKS = 16 }; /* of Philox at a time */

/* Words 0 to 3 of ur_philox at the counters (low, high) ... (low + 15, high). */
static inline void philox_blocks(uint64_t key, uint64_t low, uint64_t high, int32_t word[4][BLOCKS])
{
    for (unsigned b = 0; b < BLOCKS; b++) {
        word[0][b] = (int32_t)(uint32_t)(low + b);
        word[1][b] = (int32_t)(uint32_t)((low + b) >> 32);
    }
    const vi factor0 = vi_set((int32_t)0xD2511F53U), factor1 = vi_set((int32_t)0xCD9E8D57U);
    for (int b = 0; b < BLOCKS; b += VW) {
        vi c0 = vi_load(word[0] + b), c1 = vi_load(word[1] + b);
        vi c2 = vi_set((int32_t)(uint32_t)high), c3 = vi_set((int32_t)(uint32_t)(high >> 32));
        uint32_t key0 = (uint32_t)key, key1 = (uint32_t)(key >> 32);
        for (int round = 0; round < 10; round++) {
            vi low0, low1;
            const vi high0 = vi_mul_wide(c0, factor0, &low0);
            const vi high1 = vi_mul_wide(c2, factor1, &low1);
            c0 = vi_xor(vi_xor(high1, c1), vi_set((int32_t)key0));
            c1 = low1;
            c2 = vi_xor(vi_xor(high0, c3), vi_set((int32_t)key1));
            c3 = low0;
            key0 += 0x9E3779B9U;
            key1 += 0xBB67AE85U;
        }
        vi_store(word[0] + b, c0);
        vi_store(word[1] + b, c1);
        vi_store(word[2] + b, c2);
        vi_store(word[3] + b, c3);
    }
}

static void dropout(size_t n, float p, uint64_t key, uint64_t low, uint64_t high, const float *x,
                    float *y)
{
    const uint64_t least = (uint64_t)((double)p * 4294967296.0 + 0.5); /* kept: word >= least */
    if (least > UINT32_MAX) {
        for (size_t i = 0; i < n; i++)
            y[i] = 0.0f;
        return;
    }
    const vf factor = v_set(1.0f / (1.0f - p));
    const vi sign = vi_set(INT32_MIN); /* flipped, it makes signed comparisons unsigned ones */
    const vi bound = vi_xor(vi_set((int32_t)(uint32_t)least), sign);
    for (; n; low += BLOCKS) {
        int32_t word[4][BLOCKS], in_order[4 * BLOCKS];
        philox_blocks(key, low, high, word);
        for (int b = 0; b < BLOCKS; b++)
            for (int w = 0; w < 4; w++)
                in_order[4 * b + w] = word[w][b];
        const size_t count = n < 4 * BLOCKS ? n : 4 * BLOCKS;
        for (size_t i = 0; i < count; i += VW) {
            const size_t lanes = count - i < VW ? count - i : VW;
            const vm dropped = vi_cmp_lt(vi_xor(vi_load(in_order + i), sign), bound);
            const vf kept = v_mul(v_load_n(x + i, lanes), factor);
            v_store_n(y + i, v_select(dropped, v_zero(), kept), lanes);
        }
        x += count;
        y += count;
        n -= count;
    }
}
