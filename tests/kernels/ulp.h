/* ulp.h - how far a float is from the true value, and the five functions with their truth. */
#ifndef TESTS_KERNELS_ULP_H
#define TESTS_KERNELS_ULP_H

#include "kernels/kernels.h"

#include <math.h>

/* |got - want| in units in the last place of a float at want; an infinite result counts as 2^128.
 * Infinity where one of both is NaN. */
static inline double ulp_error(float got, long double want)
{
    if (isnan(got) || isnan(want))
        return isnan(got) && isnan(want) ? 0.0 : (double)INFINITY;
    if ((isinf(want) && got == (float)want) || want == (long double)got)
        return 0.0;
    if (isinf(want) && (got < 0) != (want < 0))
        return (double)INFINITY;
    const long double top = 0x1p+128L;
    const long double g = isinf(got) ? copysignl(top, got) : got;
    const long double w = fabsl(want) > top ? copysignl(top, want) : want;
    int exponent;
    frexpl(w, &exponent);
    exponent = exponent > 128 ? 104 : exponent - 24 < -149 ? -149 : exponent - 24;
    return (double)(fabsl(g - w) / ldexpl(1.0L, exponent));
}

static inline long double true_sigmoid(long double x)
{
    return 1.0L / (1.0L + expl(-x));
}

typedef void (*elementwise)(size_t n, const float *x, float *y);

/* The kernel of function number f: exp, log, tanh, sigmoid, erf. */
static inline elementwise elementary_kernel(const ur_kernels *k, int f)
{
    const elementwise all[] = {k->exp, k->log, k->tanh, k->sigmoid, k->erf};
    return all[f];
}

enum { ELEMENTARY = 5 };

static inline const char *elementary_name(int f)
{
    static const char *const names[] = {"exp", "log", "tanh", "sigmoid", "erf"};
    return names[f];
}

static inline long double elementary_truth(int f, float x)
{
    static long double (*const all[])(long double) = {expl, logl, tanhl, true_sigmoid, erfl};
    return all[f](x);
}

#endif
