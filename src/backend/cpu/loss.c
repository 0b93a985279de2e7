/* loss.c - softmax and cross-entropy over rows of logits. */
#include "backend/cpu/loss.h"

#include <string.h>

typedef struct job {
    const ur_kernels *kernels;
    const ur_cpu_cross_entropy *op;
    float factor;
    float *dx;
} job;

static void forward_rows(void *arg, size_t begin, size_t end)
{
    const job *j = arg;
    const ur_cpu_cross_entropy *op = j->op;
    for (size_t r = begin; r < end; r++) {
        float *p = op->p ? op->p + r * op->classes : NULL;
        op->row_loss[r] =
            op->target[r] == op->ignore
                ? 0.0f
                : j->kernels->cross_entropy(op->classes, op->x + r * op->classes, op->target[r], p);
    }
}

static void backward_rows(void *arg, size_t begin, size_t end)
{
    const job *j = arg;
    const ur_cpu_cross_entropy *op = j->op;
    for (size_t r = begin; r < end; r++) {
        float *p = op->p + r * op->classes, *dx = j->dx + r * op->classes;
        if (op->target[r] == op->ignore) {
            if (dx == p)
                memset(dx, 0, op->classes * sizeof *dx);
            continue;
        }
        p[op->target[r]] -= 1.0f;
        if (dx == p)
            j->kernels->scale(op->classes, j->factor, p, dx);
        else
            j->kernels->axpy(op->classes, j->factor, p, dx);
    }
}

float ur_cpu_cross_entropy_forward(const ur_cpu *cpu, const ur_cpu_cross_entropy *op)
{
    job j = {.kernels = cpu->kernels, .op = op};
    ur_cpu_for(cpu, op->rows, forward_rows, &j);
    double sum = 0.0;
    for (size_t r = 0; r < op->rows; r++)
        sum += (double)op->row_loss[r];
    return (float)(sum * (double)op->scale);
}

void ur_cpu_cross_entropy_backward(const ur_cpu *cpu, const ur_cpu_cross_entropy *op, float dloss,
                                   float *dx)
{
    job j = {.kernels = cpu->kernels, .op = op, .factor = dloss * op->scale, .dx = dx};
    ur_cpu_for(cpu, op->rows, backward_rows, &j);
}
