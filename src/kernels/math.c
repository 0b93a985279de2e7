/* math.c - powers and cosines in double precision out of additions, multiplications and fma. */
#include "kernels/math.h"

#include <math.h>

double ur_power(double x, uint64_t n)
{
    double r = 1.0;
    for (; n; n >>= 1, x *= x)
        if (n & 1)
            r *= x;
    return r;
}

/* Taylor's series of cos(pi x) and sin(pi x) for |x| <= 1/4, where the first term left out is
 * below 2^-57. */
static double cos_near(double x)
{
    static const double c[] = {0x1.20c62c2f2d7f5p-18, -0x1.b6e24f44b128fp-14, 0x1.f9d38a3763cc3p-10,
                               -0x1.a6d1f2a204a8cp-6, 0x1.e1f506891babbp-3,   -0x1.55d3c7e3cbffap+0,
                               0x1.03c1f081b5ac4p+2,  -0x1.3bd3cc9be45dep+2,  1.0};
    const double z = x * x;
    double r = 0.0;
    for (int i = 0; i < 9; i++)
        r = fma(r, z, c[i]);
    return r;
}

static double sin_near(double x)
{
    static const double c[] = {-0x1.6fadb9f155744p-16, 0x1.e8f434d018d63p-12, -0x1.e3074fde8871fp-8,
                               0x1.50783487ee782p-4,   -0x1.32d2cce62bd86p-1, 0x1.466bc6775aae2p+1,
                               -0x1.4abbce625be53p+2,  0x1.921fb54442d18p+1};
    const double z = x * x;
    double r = 0.0;
    for (int i = 0; i < 8; i++)
        r = fma(r, z, c[i]);
    return r * x;
}

double ur_cos_pi(double x)
{
    const double quarter = rint(2.0 * x), r = x - 0.5 * quarter; /* exact */
    const double turn = quarter - 4.0 * floor(0.25 * quarter);   /* 0, 1, 2, 3 */
    if (turn == 0.0)
        return cos_near(r);
    if (turn == 1.0)
        return -sin_near(r);
    if (turn == 2.0)
        return -cos_near(r);
    return sin_near(r); /* NaN and infinity: NaN */
}

double ur_exp_double(double x)
{
    static const double ln2_high = 0x1.62e42fee00000p-1, ln2_low = 0x1.a39ef35793c76p-33;
    const double n = rint(x * 0x1.71547652b82fep+0), r = fma(-n, ln2_low, fma(-n, ln2_high, x));
    double sum = 1.0;
    for (int i = 15; i > 0; i--) /* Taylor's series for |r| <= ln2 / 2 */
        sum = fma(sum, r / (double)i, 1.0);
    return ldexp(sum, (int)n); /* exact */
}

void ur_sin_cos(double x, double *sine, double *cosine)
{
    /* pi/2 in two parts, the first of 33 bits: its multiples are exact. */
    static const double high = 0x1.921fb54400000p+0, low = 0x1.0b4611a626331p-34;
    const double n = rint(x * 0x1.45f306dc9c883p-1);
    const double r = fma(-n, low, x - n * high) * 0x1.45f306dc9c883p-2; /* in units of pi */
    const double turn = n - 4.0 * floor(0.25 * n), s = sin_near(r), c = cos_near(r);
    *sine = turn == 0.0 ? s : turn == 1.0 ? c : turn == 2.0 ? -s : -c;
    *cosine = turn == 0.0 ? c : turn == 1.0 ? -s : turn == 2.0 ? -c : s;
}
