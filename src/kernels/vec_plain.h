/* vec_plain.h - the vector layer in plain C: four lanes in an array, every fused multiply-add an
 * fmaf. It is the reference the other instruction sets must equal bit for bit; built with `float`
 * standing for double it also serves the double-precision tests. vec_avx2.h, vec_avx512.h and
 * vec_neon.h offer the same names.
 *
 *   vf: VW floats    vi: VW integers of 32 bits    vm: VW truth values
 *   v_min(a, b) is a < b ? a : b and v_max(a, b) is a > b ? a : b, NaN and zeros included. */
#ifndef UR_KERNELS_VEC_H
#define UR_KERNELS_VEC_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { VW = 4 };

typedef struct vf {
    float at[VW];
} vf;
typedef struct vi {
    int32_t at[VW];
} vi;
typedef struct vm {
    int32_t at[VW];
} vm;

#define V_EACH for (int lane = 0; lane < VW; lane++)

/* ---- memory -------------------------------------------------------------------------------- */

static inline vf v_load(const float *p)
{
    vf r;
    V_EACH r.at[lane] = p[lane];
    return r;
}

static inline void v_store(float *p, vf x)
{
    V_EACH p[lane] = x.at[lane];
}

static inline vf v_set(float s)
{
    vf r;
    V_EACH r.at[lane] = s;
    return r;
}

static inline vf v_zero(void)
{
    return v_set(0.0f);
}

static inline vf v_broadcast(const float *p)
{
    return v_set(*p);
}

/* The first n of VW lanes; missing lanes are 0, memory behind them is not touched. */
static inline vf v_load_n(const float *p, size_t n)
{
    vf r = v_zero();
    for (size_t lane = 0; lane < n; lane++)
        r.at[lane] = p[lane];
    return r;
}

static inline void v_store_n(float *p, vf x, size_t n)
{
    for (size_t lane = 0; lane < n; lane++)
        p[lane] = x.at[lane];
}

/* x with 0 in all lanes from n on. */
static inline vf v_keep_n(vf x, size_t n)
{
    for (size_t lane = n; lane < VW; lane++)
        x.at[lane] = 0.0f;
    return x;
}

/* ---- arithmetic ---------------------------------------------------------------------------- */

static inline vf v_add(vf a, vf b)
{
    V_EACH a.at[lane] += b.at[lane];
    return a;
}

static inline vf v_sub(vf a, vf b)
{
    V_EACH a.at[lane] -= b.at[lane];
    return a;
}

static inline vf v_mul(vf a, vf b)
{
    V_EACH a.at[lane] *= b.at[lane];
    return a;
}

static inline vf v_div(vf a, vf b)
{
    V_EACH a.at[lane] /= b.at[lane];
    return a;
}

/* a b + c */
static inline vf v_fma(vf a, vf b, vf c)
{
    V_EACH c.at[lane] = fmaf(a.at[lane], b.at[lane], c.at[lane]);
    return c;
}

/* c - a b */
static inline vf v_fnma(vf a, vf b, vf c)
{
    V_EACH c.at[lane] = fmaf(-a.at[lane], b.at[lane], c.at[lane]);
    return c;
}

static inline vf v_min(vf a, vf b)
{
    V_EACH a.at[lane] = a.at[lane] < b.at[lane] ? a.at[lane] : b.at[lane];
    return a;
}

static inline vf v_max(vf a, vf b)
{
    V_EACH a.at[lane] = a.at[lane] > b.at[lane] ? a.at[lane] : b.at[lane];
    return a;
}

static inline vf v_neg(vf a)
{
    V_EACH a.at[lane] = -a.at[lane];
    return a;
}

static inline vf v_abs(vf a)
{
    V_EACH a.at[lane] = fabsf(a.at[lane]);
    return a;
}

static inline vf v_sqrt(vf a)
{
    V_EACH a.at[lane] = sqrtf(a.at[lane]);
    return a;
}

/* To the nearest integer, ties to even. */
static inline vf v_round(vf a)
{
    V_EACH a.at[lane] = rintf(a.at[lane]);
    return a;
}

/* ---- comparing and choosing ---------------------------------------------------------------- */

static inline vm v_cmp_lt(vf a, vf b)
{
    vm r;
    V_EACH r.at[lane] = a.at[lane] < b.at[lane];
    return r;
}

static inline vm v_cmp_le(vf a, vf b)
{
    vm r;
    V_EACH r.at[lane] = a.at[lane] <= b.at[lane];
    return r;
}

static inline vm v_cmp_eq(vf a, vf b)
{
    vm r;
    V_EACH r.at[lane] = a.at[lane] == b.at[lane];
    return r;
}

/* m ? a : b */
static inline vf v_select(vm m, vf a, vf b)
{
    V_EACH b.at[lane] = m.at[lane] ? a.at[lane] : b.at[lane];
    return b;
}

/* ---- integers ------------------------------------------------------------------------------ */

static inline vi vi_set(int32_t s)
{
    vi r;
    V_EACH r.at[lane] = s;
    return r;
}

static inline vi vi_load(const int32_t *p)
{
    vi r;
    V_EACH r.at[lane] = p[lane];
    return r;
}

static inline void vi_store(int32_t *p, vi a)
{
    V_EACH p[lane] = a.at[lane];
}

/* The unsigned products of 32 by 32 bits: the upper halves are returned, the lower go to *low. */
static inline vi vi_mul_wide(vi a, vi b, vi *low)
{
    vi high;
    V_EACH
    {
        const uint64_t product = (uint64_t)(uint32_t)a.at[lane] * (uint32_t)b.at[lane];
        low->at[lane] = (int32_t)(uint32_t)product;
        high.at[lane] = (int32_t)(uint32_t)(product >> 32);
    }
    return high;
}

static inline vm vi_cmp_lt(vi a, vi b)
{
    vm r;
    V_EACH r.at[lane] = a.at[lane] < b.at[lane];
    return r;
}

/* Nearest integer (ties to even) of values that fit one. */
static inline vi v_to_int(vf a)
{
    vi r;
    V_EACH r.at[lane] = (int32_t)rintf(a.at[lane]);
    return r;
}

static inline vf v_from_int(vi a)
{
    vf r;
    V_EACH r.at[lane] = (float)a.at[lane];
    return r;
}

static inline vi vi_add(vi a, vi b)
{
    V_EACH a.at[lane] = (int32_t)((uint32_t)a.at[lane] + (uint32_t)b.at[lane]);
    return a;
}

static inline vi vi_sub(vi a, vi b)
{
    V_EACH a.at[lane] = (int32_t)((uint32_t)a.at[lane] - (uint32_t)b.at[lane]);
    return a;
}

static inline vi vi_and(vi a, vi b)
{
    V_EACH a.at[lane] &= b.at[lane];
    return a;
}

static inline vi vi_or(vi a, vi b)
{
    V_EACH a.at[lane] |= b.at[lane];
    return a;
}

static inline vi vi_xor(vi a, vi b)
{
    V_EACH a.at[lane] ^= b.at[lane];
    return a;
}

/* Shifts: left; right with copies of the sign. A macro elsewhere, since the count is a constant. */
static inline vi vi_shl(vi a, int count)
{
    V_EACH a.at[lane] = (int32_t)((uint32_t)a.at[lane] << count);
    return a;
}

static inline vi vi_sar(vi a, int count)
{
    V_EACH a.at[lane] = a.at[lane] >> count;
    return a;
}

/* ---- across lanes -------------------------------------------------------------------------- */

/* Lane i + VW/2 joins lane i, then i + VW/4, and so on. */
static inline float v_sum_lanes(vf a)
{
    for (int half = VW / 2; half; half /= 2)
        for (int lane = 0; lane < half; lane++)
            a.at[lane] += a.at[lane + half];
    return a.at[0];
}

static inline float v_max_lanes(vf a)
{
    for (int half = VW / 2; half; half /= 2)
        for (int lane = 0; lane < half; lane++)
            a.at[lane] = a.at[lane] > a.at[lane + half] ? a.at[lane] : a.at[lane + half];
    return a.at[0];
}

#ifndef UR_REAL_IS_DOUBLE
/* The bits of floats as integers, and back. */
static inline vi v_as_int(vf a)
{
    vi r;
    memcpy(&r, &a, sizeof r);
    return r;
}

static inline vf v_as_float(vi a)
{
    vf r;
    memcpy(&r, &a, sizeof r);
    return r;
}
#endif

/* r becomes its transpose. */
static inline void v_transpose(vf r[VW])
{
    for (int i = 0; i < VW; i++)
        for (int j = 0; j < i; j++) {
            const float x = r[i].at[j];
            r[i].at[j] = r[j].at[i];
            r[j].at[i] = x;
        }
}

#endif
