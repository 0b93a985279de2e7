/* normal.c - normal deviates by Marsaglia's polar method (SIAM Review 6, 1964): a point (a, b)
 * uniform in the unit disc, s = a^2 + b^2, gives the pair a f, b f with f = sqrt(-2 log(s)/s). */
#include "kernels/kernels.h"

#include "base/philox.h"
#include "kernels/math.h"

#include <math.h>

void ur_normal_fill(uint64_t seed, uint64_t stream, size_t n, float *x)
{
    ur_random random = ur_random_start(seed, stream);
    for (size_t i = 0; i < n; i += 2) {
        float a, b, s;
        do {
            a = fmaf(2.0f, ur_random_uniform(&random), -1.0f);
            b = fmaf(2.0f, ur_random_uniform(&random), -1.0f);
            s = fmaf(a, a, b * b);
        } while (s >= 1.0f || s == 0.0f);
        const float f = sqrtf(-2.0f * ur_logf(s) / s);
        x[i] = a * f;
        if (i + 1 < n)
            x[i + 1] = b * f;
    }
}
