/* body_math.h - exp, log, tanh, sigmoid and erf over the vector layer: at most 2 units in the last
 * place from the true value, for every float. NaN in, NaN out; infinities and denormals are right.
 * The polynomials are minimax fits made by tools/math/fit.py.
 *
 * Each splits its argument as x = n ln2 + r with |r| <= ln2/2. Adding 1.5 * 2^23 (plus an offset)
 * rounds x/ln2 to the integer n and leaves n + offset in the low bits, so that a shift by 23 turns
 * them into the float 2^n. Clamps are written v_min(bound, x): that order lets NaN through. */
#ifndef UR_KERNELS_BODY_MATH_H
#define UR_KERNELS_BODY_MATH_H

#include <math.h>

#ifdef UR_REAL_IS_DOUBLE

/* The double-precision build has no use for single-precision polynomials: libm's functions. */
#define V_LIBM(name, call)                                                                         \
    static inline vf name(vf x)                                                                    \
    {                                                                                              \
        V_EACH                                                                                     \
        {                                                                                          \
            const float v = x.at[lane];                                                            \
            x.at[lane] = (call);                                                                   \
        }                                                                                          \
        return x;                                                                                  \
    }
V_LIBM(v_exp, expf(v))
V_LIBM(v_exp_nonpos, expf(v))
V_LIBM(v_log, logf(v))
V_LIBM(v_tanh, tanhf(v))
V_LIBM(v_sigmoid, 1.0f / (1.0f + expf(-v)))
V_LIBM(v_erf, erff(v))
#undef V_LIBM

#else

#define LOG2_E 0x1.715476p+0f     /* 1/ln2 */
#define LN2_HIGH 0x1.62e43p-1f    /* ln2 = LN2_HIGH + LN2_LOW */
#define LN2_LOW (-0x1.05c61p-29f) /* the rest, to 48 bits */
#define SHIFTER 0x1.8p+23f        /* 1.5 * 2^23: ulp 1 */
#define TWO_64 0x1p+64f

/* e^r - 1 for |r| <= ln2/2 (1 + 0.0005): r + r^2 g(r), to 0.054 * 2^-24 of e^r. */
static inline vf v_expm1_reduced(vf r)
{
    vf g = v_set(0x1.6ac144p-10f);
    g = v_fma(g, r, v_set(0x1.123da6p-7f));
    g = v_fma(g, r, v_set(0x1.555858p-5f));
    g = v_fma(g, r, v_set(0x1.55548cp-3f));
    g = v_fma(g, r, v_set(0x1.fffffcp-2f));
    return v_fma(v_mul(r, r), g, r);
}

/* 2^(shifted's low bits - 127). */
static inline vf v_power_of_two(vf shifted)
{
    return v_as_float(vi_shl(v_as_int(shifted), 23));
}

/* e^x = (2^(n-k) (1 + q)) 2^k with k = -64 for negative x and 64 otherwise: the first factor never
 * leaves the normal numbers and the second rounds once, to a denormal or to infinity if need be. */
static inline vf v_exp(vf x)
{
    x = v_max(v_set(-104.0f), v_min(v_set(89.0f), x));
    const vm negative = v_cmp_lt(x, v_zero());
    const vf shifter =
        v_select(negative, v_set(SHIFTER + 127.0f + 64.0f), v_set(SHIFTER + 127.0f - 64.0f));
    const vf shifted = v_fma(x, v_set(LOG2_E), shifter);
    const vf n = v_sub(shifted, shifter);
    vf r = v_fnma(n, v_set(LN2_HIGH), x);
    r = v_fnma(n, v_set(LN2_LOW), r);
    const vf s = v_power_of_two(shifted);
    const vf scaled = v_fma(s, v_expm1_reduced(r), s);
    return v_mul(scaled, v_select(negative, v_set(1.0f / TWO_64), v_set(TWO_64)));
}

/* The same bits as v_exp for x <= 0, in fewer steps: what softmax needs. */
static inline vf v_exp_nonpos(vf x)
{
    const vf shifter = v_set(SHIFTER + 127.0f + 64.0f);
    x = v_max(v_set(-104.0f), x);
    const vf shifted = v_fma(x, v_set(LOG2_E), shifter);
    const vf n = v_sub(shifted, shifter);
    vf r = v_fnma(n, v_set(LN2_HIGH), x);
    r = v_fnma(n, v_set(LN2_LOW), r);
    const vf s = v_power_of_two(shifted);
    return v_mul(v_fma(s, v_expm1_reduced(r), s), v_set(1.0f / TWO_64));
}

/* sigma(x) = 2^-64 / (2^-64 + 2^-64 e^-x). The factor keeps the denominator finite down to where
 * sigma(x) itself vanishes, x = -104; above 40 it is 1. */
static inline vf v_sigmoid(vf x)
{
    const vf shifter = v_set(SHIFTER + 127.0f - 64.0f), one = v_set(1.0f / TWO_64);
    x = v_max(v_set(-104.0f), v_min(v_set(40.0f), x));
    const vf shifted = v_fnma(x, v_set(LOG2_E), shifter);
    const vf n = v_sub(shifted, shifter);
    vf r = v_fnma(n, v_set(LN2_HIGH), v_neg(x));
    r = v_fnma(n, v_set(LN2_LOW), r);
    const vf s = v_power_of_two(shifted);
    return v_div(one, v_add(v_fma(s, v_expm1_reduced(r), one), s));
}

/* With e^-2|x| = s (1+q), s = 2^n: |tanh(x)| = ((1-s) - s q) / ((1+s) + s q), which loses nothing
 * near 0, where s = 1. From 9.02 on it is 1. */
static inline vf v_tanh(vf x)
{
    const vf shifter = v_set(SHIFTER + 127.0f), one = v_set(1.0f);
    const vi sign = v_as_int(v_set(-0.0f));
    const vf half = v_max(v_set(-9.1f), v_as_float(vi_or(v_as_int(x), sign)));
    const vf shifted = v_fma(half, v_set(2.0f * LOG2_E), shifter);
    const vf n = v_sub(shifted, shifter);
    const vf q = v_expm1_reduced(v_fnma(n, v_set(LN2_HIGH), v_add(half, half)));
    const vf s = v_power_of_two(shifted);
    const vf y = v_div(v_fnma(s, q, v_sub(one, s)), v_fma(s, q, v_add(one, s)));
    return v_as_float(vi_or(v_as_int(y), vi_and(v_as_int(x), sign)));
}

/* x = 2^k m with m in [sqrt(1/2), sqrt(2)), f = m - 1:
 *   log(x) = k ln2 + f - f^2/2 + f^3 P(f). */
static inline vf v_log(vf x)
{
    const vm small = v_cmp_lt(x, v_set(0x1p-126f)); /* denormals are made normal first */
    const vi bits = v_as_int(v_select(small, v_mul(x, v_set(0x1p+23f)), x));
    const vi exponent = vi_sar(vi_sub(bits, vi_set(0x3f3504f3)), 23);
    const vf f = v_sub(v_as_float(vi_sub(bits, vi_shl(exponent, 23))), v_set(1.0f));
    const vf k = v_add(v_from_int(exponent), v_select(small, v_set(-23.0f), v_zero()));
    const vf f2 = v_mul(f, f);
    vf p = v_set(-0x1.394244p-4f);
    p = v_fma(p, f, v_set(0x1.05adfap-3f));
    p = v_fma(p, f, v_set(-0x1.0d914cp-3f));
    p = v_fma(p, f, v_set(0x1.22d47ap-3f));
    p = v_fma(p, f, v_set(-0x1.54719ap-3f));
    p = v_fma(p, f, v_set(0x1.99a036p-3f));
    p = v_fma(p, f, v_set(-0x1.000228p-2f));
    p = v_fma(p, f, v_set(0x1.555554p-2f));
    vf y = v_fma(k, v_set(LN2_LOW), v_mul(v_mul(f, f2), p));
    y = v_add(f, v_fnma(f2, v_set(0.5f), y));
    y = v_fma(k, v_set(LN2_HIGH), y);
    y = v_select(v_cmp_lt(x, v_set(INFINITY)), y, x);
    const vf pole = v_select(v_cmp_eq(x, v_zero()), v_set(-INFINITY), v_set(NAN));
    return v_select(v_cmp_lt(v_zero(), x), y, pole);
}

/* Below 0.9 erf(x) = x + x P(x^2); above, 1 - e^-Q(|x|) with Q = -log(erfc); from 4 on 1. */
static inline vf v_erf(vf x)
{
    const vf z = v_mul(x, x);
    vf p = v_set(0x1.4d2864p-14f);
    p = v_fma(p, z, v_set(-0x1.a583bcp-11f));
    p = v_fma(p, z, v_set(0x1.543f2ap-8f));
    p = v_fma(p, z, v_set(-0x1.b80062p-6f));
    p = v_fma(p, z, v_set(0x1.ce2d6p-4f));
    p = v_fma(p, z, v_set(-0x1.812740p-2f));
    p = v_fma(p, z, v_set(0x1.06eba8p-3f));
    const vf near_zero = v_fma(x, p, x);

    const vf a = v_min(v_set(4.0f), v_abs(x));
    vf q = v_set(-0x1.9fad06p-13f);
    q = v_fma(q, a, v_set(0x1.91cb1p-9f));
    q = v_fma(q, a, v_set(-0x1.6d9c7p-6f));
    q = v_fma(q, a, v_set(0x1.aa7312p-4f));
    q = v_fma(q, a, v_set(0x1.4621bap-1f));
    q = v_fma(q, a, v_set(0x1.20b752p+0f));
    q = v_fma(q, a, v_set(0x1.5d13f6p-13f));

    const vf shifter = v_set(SHIFTER + 127.0f), one = v_set(1.0f);
    const vf shifted = v_fnma(q, v_set(LOG2_E), shifter);
    const vf r = v_fnma(v_sub(shifted, shifter), v_set(LN2_HIGH), v_neg(q));
    const vf s = v_power_of_two(shifted);
    const vf far = v_fnma(s, v_expm1_reduced(r), v_sub(one, s));
    const vi sign = vi_and(v_as_int(x), v_as_int(v_set(-0.0f)));
    return v_select(v_cmp_lt(a, v_set(0.9f)), near_zero, v_as_float(vi_or(v_as_int(far), sign)));
}

#undef LOG2_E
#undef LN2_HIGH
#undef LN2_LOW
#undef SHIFTER
#undef TWO_64

#endif
#endif
