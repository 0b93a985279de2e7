/* math.h - the kernels' functions on single numbers, and two on doubles for schedules: what every
 * machine computes to the same bit, where libm promises nothing. */
#ifndef UR_KERNELS_MATH_H
#define UR_KERNELS_MATH_H

#include <stddef.h>
#include <stdint.h>

/* At most 2 units in the last place off (body_math.h). */
float ur_expf(float x);
float ur_logf(float x);
float ur_tanhf(float x);
float ur_sigmoidf(float x);
float ur_erff(float x);

/* x^n by repeated squaring: beta^t of a bias correction, gamma^epoch of a schedule. */
double ur_power(double x, uint64_t n);

/* cos(pi x), to about 1e-15: cosine schedules. */
double ur_cos_pi(double x);

/* e^x for |x| <= 700, and sin and cos of |x| <= 2^20, to about 1e-15: position encodings. */
double ur_exp_double(double x);
void ur_sin_cos(double x, double *sine, double *cosine);

/* The index of the largest of n numbers, the first of equals; NaN is never the largest. 0 where
 * there is none. */
size_t ur_argmax(const float *x, size_t n);

/* How many partial sums a sum over n floats has (kernels.h). */
size_t ur_sum_blocks(size_t n);

/* Normal deviates N(0,1) by the polar method from Philox words, with our own log: fills x[0..n). */
void ur_normal_fill(uint64_t seed, uint64_t stream, size_t n, float *x);

#endif
