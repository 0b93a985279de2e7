/* map.c - functions of one number, over arrays.
 *
 *   sigmoid 1 / (1 + e^-x)   tanh   exp   log   relu max(x, 0)   gelu, gelu_tanh: body_activation.h */
#include "backend/cpu/cpu.h"

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
        e->kernels->gelu(n, x, y, NULL);
        break;
    case UR_MAP_GELU_TANH:
        e->kernels->gelu_tanh(n, x, y, NULL);
        break;
    }
}

/* f'(x) where y = f(x). */
static float derivative(ur_map f, float x, float y)
{
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
    case UR_MAP_GELU: /* these come in stretches, below */
    case UR_MAP_GELU_TANH:
        break;
    }
    return 0.0f;
}

/* A stretch at a time: the derivative comes with the value. */
static void gelu_back(const ur_executor *e, ur_map f, size_t n, const float *x, const float *dy,
                      float *dx)
{
    enum { STRETCH = 256 };
    float y[STRETCH], slope[STRETCH];
    for (size_t i = 0, part; i < n; i += part) {
        part = n - i < STRETCH ? n - i : STRETCH;
        (f == UR_MAP_GELU ? e->kernels->gelu : e->kernels->gelu_tanh)(part, x + i, y, slope);
        e->kernels->mul_add(part, dy + i, slope, dx + i);
    }
}

void ur_cpu_map_back(const ur_executor *e, ur_map f, size_t n, const float *x, const float *y,
                     const float *dy, float *dx)
{
    if (f == UR_MAP_GELU || f == UR_MAP_GELU_TANH) {
        gelu_back(e, f, n, x, dy, dx);
        return;
    }
    for (size_t i = 0; i < n; i++)
        dx[i] += dy[i] * derivative(f, x[i], y[i]);
}
