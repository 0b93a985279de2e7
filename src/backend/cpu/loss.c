/* loss.c - softmax and cross-entropy over rows of logits. */
#include "backend/cpu/cpu.h"

#include <string.h>

typedef struct job {
    const ur_kernels *kernels;
    const ur_cross_entropy_pass *op;
    float factor;
} job;

static void forward_rows(void *arg, size_t begin, size_t end)
{
    const job *j = arg;
    const ur_cross_entropy_pass *op = j->op;
    const size_t n = op->classes;
    for (size_t r = begin; r < end; r++) {
        const float *x = op->x + r * n;
        float *p = op->p ? op->p + r * n : NULL, *loss = op->row_loss + r;
        *loss = 0.0f;
        if (op->target[r] == op->ignore)
            continue;
        *loss = j->kernels->cross_entropy(n, x, op->target[r], p);
        if (op->smoothing > 0.0f) /* log total - mean(x) is the mean of -log p */
            *loss += op->smoothing * (x[op->target[r]] - j->kernels->sum(n, x) / (float)n);
    }
}

/* p - q, where q is what the probabilities are to be. */
static void less_wanted(const ur_cross_entropy_pass *op, int32_t target, float *p)
{
    const float share = op->smoothing / (float)op->classes;
    p[target] -= 1.0f - op->smoothing;
    for (size_t i = 0; share > 0.0f && i < op->classes; i++)
        p[i] -= share;
}

static void backward_rows(void *arg, size_t begin, size_t end)
{
    const job *j = arg;
    const ur_cross_entropy_pass *op = j->op;
    for (size_t r = begin; r < end; r++) {
        float *p = op->p + r * op->classes, *dx = op->dx + r * op->classes;
        if (op->target[r] == op->ignore) {
            if (dx == p)
                memset(dx, 0, op->classes * sizeof *dx);
            continue;
        }
        less_wanted(op, op->target[r], p);
        if (dx == p)
            j->kernels->scale(op->classes, j->factor, p, dx);
        else
            j->kernels->axpy(op->classes, j->factor, p, dx);
    }
}

void ur_cpu_cross_entropy(const ur_executor *e, const ur_cross_entropy_pass *op)
{
    job j = {.kernels = e->kernels, .op = op};
    ur_cpu_for(e, op->rows, forward_rows, &j);
    double sum = 0.0;
    for (size_t r = 0; op->loss && r < op->rows; r++)
        sum += (double)op->row_loss[r];
    if (op->loss)
        *op->loss = (float)(sum * (double)op->scale);
}

void ur_cpu_cross_entropy_back(const ur_executor *e, const ur_cross_entropy_pass *op)
{
    job j = {.kernels = e->kernels, .op = op, .factor = *op->dloss * op->scale};
    ur_cpu_for(e, op->rows, backward_rows, &j);
}
