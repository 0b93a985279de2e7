/* math.h - the kernels' functions on single numbers, and two on doubles for schedules: what every
 * machine computes to the same bit, where libm promises nothing. */
#ifndef UR_KERNELS_MATH_H
#define UR_KERNELS_MATH_H

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

#endif
