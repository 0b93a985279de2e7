/* map.c - functions of one number, over arrays.
 *
 *   sigmoid 1 / (1 + e^-x)   tanh   exp   log   relu max(x, 0)
 *   gelu       x Phi(x) = x (1 + erf(x / sqrt 2)) / 2,   derivative Phi(x) + x e^(-x^2/2) / sqrt(2 pi)
 *   gelu_tanh  x (1 + tanh u) / 2,  u = sqrt(2 / pi) (x + 0.044715 x^3) */
#include "backend/cpu/cpu.h"
#include "kernels/math.h"

static const float SQRT_HALF = 0.70710678118654752f; /* 1 / sqrt 2 */
static const float DENSITY = 0.39894228040143268f;   /* 1 / sqrt(2 pi) */
static const float SLOPE = 0.79788456080286536f;     /* sqrt(2 / pi) */
static const float CUBIC = 0.044715f;

static float distribution(float x)
{
    return 0.5f * (1.0f + ur_erff(x * SQRT_HALF));
}

static float bend(float x)
{
    return ur_tanhf(SLOPE * (x + CUBIC * x * x * x));
}

void ur_cpu_map(const ur_executor *e, ur_map f, size_t n, const float *x, float *y)
{
    switch (f) {
    case UR_MAP_SIGMOID:
        e->kernels->sigmoid(n, x, y);
        break;
    case UR_MAP_TANH:
        e->kernels->tanh(n, x, y);
        break;
    case UR_MAP_EXP:
        e->kernels->exp(n, x, y);
        break;
    case UR_MAP_LOG:
        e->kernels->log(n, x, y);
        break;
    case UR_MAP_RELU:
        for (size_t i = 0; i < n; i++)
            y[i] = x[i] < 0.0f ? 0.0f : x[i]; /* NaN stays */
        break;
    case UR_MAP_GELU:
        for (size_t i = 0; i < n; i++)
            y[i] = x[i] * distribution(x[i]);
        break;
    case UR_MAP_GELU_TANH:
        for (size_t i = 0; i < n; i++)
            y[i] = 0.5f * x[i] * (1.0f + bend(x[i]));
        break;
    }
}

/* f'(x) where y = f(x). */
static float derivative(ur_map f, float x, float y)
{
    float t, u;
    switch (f) {
    case UR_MAP_SIGMOID:
        return y * (1.0f - y);
    case UR_MAP_TANH:
        return 1.0f - y * y;
    case UR_MAP_EXP:
        return y;
    case UR_MAP_LOG:
        return 1.0f / x;
    case UR_MAP_RELU:
        return x > 0.0f ? 1.0f : 0.0f;
    case UR_MAP_GELU:
        return distribution(x) + x * (DENSITY * ur_expf(-0.5f * x * x));
    case UR_MAP_GELU_TANH:
        t = bend(x);
        u = SLOPE * (1.0f + 3.0f * CUBIC * x * x);
        return 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * u;
    }
    return 0.0f;
}

void ur_cpu_map_back(const ur_executor *e, ur_map f, size_t n, const float *x, const float *y,
                     const float *dy, float *dx)
{
    (void)e;
    for (size_t i = 0; i < n; i++)
        dx[i] += dy[i] * derivative(f, x[i], y[i]);
}
