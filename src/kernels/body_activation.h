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

static inline __attribute__((always_inline)) void map_with_slope(size_t n, const float *x, float *y,
                                                                 float *slope, vf (*f)(vf, vf *))
{
    for (size_t i = 0; i < n; i += VW) {
        const size_t lanes = n - i < VW ? n - i : VW;
        vf d;
        v_store_n(y + i, f(v_load_n(x + i, lanes), &d), lanes);
        if (slope)
            v_store_n(slope + i, d, lanes);
    }
}

static void map_gelu(size_t n, const float *x, float *y, float *slope)
{
    map_with_slope(n, x, y, slope, v_gelu);
}

static void map_gelu_tanh(size_t n, const float *x, float *y, float *slope)
{
    map_with_slope(n, x, y, slope, v_gelu_tanh);
}

/* n finished elements of C, with as many of side and slope (kernels.h). */
static void finish(ur_epilogue epilogue, float factor, size_t n, float *c, const float *side,
                   float *slope)
{
    const vf zero = v_zero(), f = v_set(factor);
    if (epilogue == UR_EPILOGUE_GELU)
        map_gelu(n, c, c, slope);
    else if (epilogue == UR_EPILOGUE_GELU_TANH)
        map_gelu_tanh(n, c, c, slope);
    else
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
