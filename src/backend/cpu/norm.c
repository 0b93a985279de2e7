/* norm.c - layer normalisation of rows.
 *
 *   z = (x - mean) rstd,   y = z g + b,   rstd = 1 / sqrt(mean of (x - mean)^2 + eps)
 *   dz = dy g,   dx += rstd (dz - mean(dz) - z mean(dz z)),   dg += sum over rows of dy z,  db += of dy
 * Sums over a row are the kernels', over rows they run in their order. */
#include "backend/cpu/cpu.h"

#include <math.h>

typedef struct job {
    const ur_kernels *kernels;
    const ur_norm_pass *pass;
} job;

static void forward_rows(void *arg, size_t begin, size_t end)
{
    const job *j = arg;
    const ur_norm_pass *p = j->pass;
    const size_t n = p->width;
    for (size_t r = begin; r < end; r++) {
        const float *x = p->x + r * n;
        float *y = p->y + r * n;
        const float mean = j->kernels->sum(n, x) / (float)n;
        for (size_t i = 0; i < n; i++)
            y[i] = x[i] - mean;
        const float rstd = 1.0f / sqrtf(j->kernels->dot(n, y, y) / (float)n + p->eps);
        for (size_t i = 0; i < n; i++) {
            const float z = y[i] * rstd;
            y[i] = (p->gain ? z * p->gain[i] : z) + (p->bias ? p->bias[i] : 0.0f);
        }
        p->mean[r] = mean;
        p->rstd[r] = rstd;
    }
}

void ur_cpu_norm(const ur_executor *e, const ur_norm_pass *pass)
{
    job j = {e->kernels, pass};
    ur_cpu_for(e, pass->rows, forward_rows, &j);
}

/* Two passes over a row: its two means in 16 partial sums as the kernels have them, then dx. */
static void back_rows(void *arg, size_t begin, size_t end)
{
    enum { LANES = 16 };
    const job *j = arg;
    const ur_norm_pass *p = j->pass;
    const size_t n = p->width;
    for (size_t r = begin; r < end; r++) {
        const float *x = p->x + r * n, *dy = p->dy + r * n, mean = p->mean[r], rstd = p->rstd[r];
        float *dx = p->dx + r * n, s[LANES] = {0.0f}, sz[LANES] = {0.0f};
        for (size_t i = 0; i < n; i++) {
            const float dz = p->gain ? dy[i] * p->gain[i] : dy[i];
            s[i % LANES] += dz;
            sz[i % LANES] += dz * ((x[i] - mean) * rstd);
        }
        for (size_t half = LANES / 2; half; half /= 2)
            for (size_t i = 0; i < half; i++) {
                s[i] += s[i + half];
                sz[i] += sz[i + half];
            }
        const float mean_dz = s[0] / (float)n, mean_dzz = sz[0] / (float)n;
        for (size_t i = 0; i < n; i++) {
            const float dz = p->gain ? dy[i] * p->gain[i] : dy[i];
            dx[i] += rstd * (dz - mean_dz - (x[i] - mean) * rstd * mean_dzz);
        }
    }
}

static void back_columns(void *arg, size_t begin, size_t end)
{
    const job *j = arg;
    const ur_norm_pass *p = j->pass;
    for (size_t r = 0; r < p->rows; r++) {
        const float *x = p->x + r * p->width, *dy = p->dy + r * p->width;
        for (size_t i = begin; p->dgain && i < end; i++)
            p->dgain[i] += dy[i] * ((x[i] - p->mean[r]) * p->rstd[r]);
        for (size_t i = begin; p->dbias && i < end; i++)
            p->dbias[i] += dy[i];
    }
}

void ur_cpu_norm_back(const ur_executor *e, const ur_norm_pass *pass)
{
    job j = {e->kernels, pass};
    if (pass->dx)
        ur_cpu_for(e, pass->rows, back_rows, &j);
    ur_cpu_for(e, pass->width, back_columns, &j);
}
