/* vec_neon.h - the vector layer (vec_plain.h says what each name means) for 64-bit ARM. */
#ifndef UR_KERNELS_VEC_H
#define UR_KERNELS_VEC_H

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>

enum { VW = 4 };

typedef float32x4_t vf;
typedef int32x4_t vi;
typedef uint32x4_t vm;

static inline vf v_load(const float *p)
{
    return vld1q_f32(p);
}

static inline void v_store(float *p, vf x)
{
    vst1q_f32(p, x);
}

static inline vf v_set(float s)
{
    return vdupq_n_f32(s);
}

static inline vf v_zero(void)
{
    return vdupq_n_f32(0.0f);
}

static inline vf v_broadcast(const float *p)
{
    return vld1q_dup_f32(p);
}

static inline vf v_load_n(const float *p, size_t n)
{
    float lanes[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    for (size_t i = 0; i < n && i < 4; i++)
        lanes[i] = p[i];
    return vld1q_f32(lanes);
}

static inline void v_store_n(float *p, vf x, size_t n)
{
    float lanes[4];
    vst1q_f32(lanes, x);
    for (size_t i = 0; i < n && i < 4; i++)
        p[i] = lanes[i];
}

static inline vf v_keep_n(vf x, size_t n)
{
    static const int32_t lane[4] = {0, 1, 2, 3};
    const uint32x4_t keep = vcltq_s32(vld1q_s32(lane), vdupq_n_s32((int32_t)n));
    return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(x), keep));
}

static inline vf v_add(vf a, vf b)
{
    return vaddq_f32(a, b);
}

static inline vf v_sub(vf a, vf b)
{
    return vsubq_f32(a, b);
}

static inline vf v_mul(vf a, vf b)
{
    return vmulq_f32(a, b);
}

static inline vf v_div(vf a, vf b)
{
    return vdivq_f32(a, b);
}

static inline vf v_fma(vf a, vf b, vf c)
{
    return vfmaq_f32(c, a, b);
}

static inline vf v_fnma(vf a, vf b, vf c)
{
    return vfmsq_f32(c, a, b);
}

/* Not vminq: its zeros and NaN follow other rules than a < b ? a : b. */
static inline vf v_min(vf a, vf b)
{
    return vbslq_f32(vcltq_f32(a, b), a, b);
}

static inline vf v_max(vf a, vf b)
{
    return vbslq_f32(vcgtq_f32(a, b), a, b);
}

static inline vf v_neg(vf a)
{
    return vnegq_f32(a);
}

static inline vf v_abs(vf a)
{
    return vabsq_f32(a);
}

static inline vf v_sqrt(vf a)
{
    return vsqrtq_f32(a);
}

static inline vf v_round(vf a)
{
    return vrndnq_f32(a);
}

static inline vm v_cmp_lt(vf a, vf b)
{
    return vcltq_f32(a, b);
}

static inline vm v_cmp_le(vf a, vf b)
{
    return vcleq_f32(a, b);
}

static inline vm v_cmp_eq(vf a, vf b)
{
    return vceqq_f32(a, b);
}

static inline vf v_select(vm m, vf a, vf b)
{
    return vbslq_f32(m, a, b);
}

static inline vi vi_set(int32_t s)
{
    return vdupq_n_s32(s);
}

static inline vi vi_load(const int32_t *p)
{
    return vld1q_s32(p);
}

static inline void vi_store(int32_t *p, vi a)
{
    vst1q_s32(p, a);
}

static inline vi vi_mul_wide(vi a, vi b, vi *low)
{
    const uint32x4_t x = vreinterpretq_u32_s32(a), y = vreinterpretq_u32_s32(b);
    const vi first = vreinterpretq_s32_u64(vmull_u32(vget_low_u32(x), vget_low_u32(y)));
    const vi second = vreinterpretq_s32_u64(vmull_u32(vget_high_u32(x), vget_high_u32(y)));
    *low = vuzp1q_s32(first, second);
    return vuzp2q_s32(first, second);
}

static inline vm vi_cmp_lt(vi a, vi b)
{
    return vcltq_s32(a, b);
}

static inline vi v_to_int(vf a)
{
    return vcvtnq_s32_f32(a);
}

static inline vf v_from_int(vi a)
{
    return vcvtq_f32_s32(a);
}

static inline vi vi_add(vi a, vi b)
{
    return vaddq_s32(a, b);
}

static inline vi vi_sub(vi a, vi b)
{
    return vsubq_s32(a, b);
}

static inline vi vi_and(vi a, vi b)
{
    return vandq_s32(a, b);
}

static inline vi vi_or(vi a, vi b)
{
    return vorrq_s32(a, b);
}

static inline vi vi_xor(vi a, vi b)
{
    return veorq_s32(a, b);
}

static inline vi vi_shl(vi a, int count)
{
    return vshlq_s32(a, vdupq_n_s32(count));
}

static inline vi vi_sar(vi a, int count)
{
    return vshlq_s32(a, vdupq_n_s32(-count));
}

static inline vi v_as_int(vf a)
{
    return vreinterpretq_s32_f32(a);
}

static inline vf v_as_float(vi a)
{
    return vreinterpretq_f32_s32(a);
}

static inline float v_sum_lanes(vf a)
{
    const float32x2_t x = vadd_f32(vget_low_f32(a), vget_high_f32(a));
    return vget_lane_f32(x, 0) + vget_lane_f32(x, 1);
}

static inline float v_max_lanes(vf a)
{
    const float32x2_t low = vget_low_f32(a), high = vget_high_f32(a);
    const float32x2_t x = vbsl_f32(vcgt_f32(low, high), low, high);
    const float first = vget_lane_f32(x, 0), second = vget_lane_f32(x, 1);
    return first > second ? first : second;
}

/* r becomes its transpose. */
static inline void v_transpose(vf r[VW])
{
    const float64x2_t a = vreinterpretq_f64_f32(vzip1q_f32(r[0], r[1]));
    const float64x2_t b = vreinterpretq_f64_f32(vzip2q_f32(r[0], r[1]));
    const float64x2_t c = vreinterpretq_f64_f32(vzip1q_f32(r[2], r[3]));
    const float64x2_t d = vreinterpretq_f64_f32(vzip2q_f32(r[2], r[3]));
    r[0] = vreinterpretq_f32_f64(vzip1q_f64(a, c));
    r[1] = vreinterpretq_f32_f64(vzip2q_f64(a, c));
    r[2] = vreinterpretq_f32_f64(vzip1q_f64(b, d));
    r[3] = vreinterpretq_f32_f64(vzip2q_f64(b, d));
}

#endif
