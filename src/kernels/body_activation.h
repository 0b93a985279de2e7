/* body_activation.h - GELU, its derivative, and what becomes of a finished element of a product.
 *
 *   gelu       x Phi(x) = x (1 + erf(x / sqrt 2)) / 2,   derivative Phi(x) + x e^(-x^2/2) / sqrt(2 pi)
 *   gelu_tanh  x (1 + tanh u) / 2,   u = sqrt(2 / pi) (x + 0.044715 x^3) */

static const float SQRT_HALF = 0.70710678118654752f; /* 1 / sqrt 2 */
static const float DENSITY = 0.39894228040143268f;   /* 1 / sqrt(2 pi) */
static const float BEND = 0.79788456080286536f;      /* sqrt(2 / pi) */
static const float CUBIC = 0.044715f;

static inline vf v_gelu(vf x, vf *slope)
{
    const vf half = v_set(0.5f);
    const vf phi = v_mul(half, v_add(v_set(1.0f), v_erf(v_mul(x, v_set(SQRT_HALF)))));
    const vf density = v_exp_nonpos(v_mul(v_mul(v_set(-0.5f), x), x));
    *slope = v_add(phi, v_mul(x, v_mul(v_set(DENSITY), density)));
    return v_mul(x, phi);
}

static inline vf v_gelu_tanh(vf x, vf *slope)
{
    const vf half = v_set(0.5f), one = v_set(1.0f), cubic = v_set(CUBIC);
    const vf xx = v_mul(x, x);
    const vf t = v_tanh(v_mul(v_set(BEND), v_fma(v_mul(cubic, xx), x, x)));
    const vf u = v_mul(v_set(BEND), v_fma(v_mul(v_set(3.0f), cubic), xx, one));
    const vf half_x = v_mul(half, x), above = v_add(one, t);
    *slope = v_fma(v_mul(half_x, v_fnma(t, t, one)), u, v_mul(half, above));
    return v_mul(half_x, above);
}

/* `rows` rows of n numbers, `row` floats apart: what the functions keep in registers is loaded once for all. */
static inline __attribute__((always_inline)) void map_rows(size_t rows, size_t row, size_t n,
                                                           const float *x, float *y, float *slope,
                                                           vf (*f)(vf, vf *))
{
    vf d;
    if (!slope) { /* said apart: the derivative takes longer than the value */
        for (size_t r = 0; r < rows; r++, x += row, y += row) {
            size_t i = 0;
            for (; i + VW <= n; i += VW)
                v_store(y + i, f(v_load(x + i), &d));
            if (i < n)
                v_store_n(y + i, f(v_load_n(x + i, n - i), &d), n - i);
        }
        return;
    }
    for (size_t r = 0; r < rows; r++, x += row, y += row, slope += row)
        for (size_t i = 0; i < n; i += VW) {
            const size_t lanes = n - i < VW ? n - i : VW;
            v_store_n(y + i, f(v_load_n(x + i, lanes), &d), lanes);
            v_store_n(slope + i, d, lanes);
        }
}

static void gelu_rows(size_t rows, size_t row, size_t n, const float *x, float *y, float *slope)
{
    map_rows(rows, row, n, x, y, slope, v_gelu);
}

static void gelu_tanh_rows(size_t rows, size_t row, size_t n, const float *x, float *y,
                           float *slope)
{
    map_rows(rows, row, n, x, y, slope, v_gelu_tanh);
}

static void map_gelu(size_t n, const float *x, float *y, float *slope)
{
    gelu_rows(1, 0, n, x, y, slope);
}

static void map_gelu_tanh(size_t n, const float *x, float *y, float *slope)
{
    gelu_tanh_rows(1, 0, n, x, y, slope);
}

/* `rows` rows of n finished elements of C, `row` floats apart, with as many of side and slope (kernels.h). */
static void finish(ur_epilogue epilogue, float factor, size_t rows, size_t row, size_t n, float *c,
                   const float *side, float *slope)
{
    const vf zero = v_zero(), f = v_set(factor);
    if (epilogue == UR_EPILOGUE_GELU) {
        gelu_rows(rows, row, n, c, c, slope);
        return;
    }
    if (epilogue == UR_EPILOGUE_GELU_TANH) {
        gelu_tanh_rows(rows, row, n, c, c, slope);
        return;
    }
    for (size_t r = 0; r < rows; r++, c += row, side += side ? row : 0)
        for (size_t i = 0; i < n; i += VW) {
            const size_t lanes = n - i < VW ? n - i : VW;
            vf y = v_load_n(c + i, lanes);
            if (epilogue == UR_EPILOGUE_RELU) {
                y = v_max(zero, y); /* NaN stays */
            } else {
                const vf s = v_load_n(side + i, lanes);
                y = epilogue == UR_EPILOGUE_MUL ? v_mul(y, s)
                                                : v_select(v_cmp_lt(zero, s), v_mul(y, f), zero);
            }
            v_store_n(c + i, y, lanes);
        }
}
