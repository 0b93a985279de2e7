/* loss.h - softmax and cross-entropy over rows of logits, in one operation. */
#ifndef UR_BACKEND_CPU_LOSS_H
#define UR_BACKEND_CPU_LOSS_H

#include "backend/cpu/cpu.h"

/* loss = scale * sum over rows r with target[r] != ignore of -log softmax(x_r)[target[r]].
 * Every other target must be in [0, classes). */
typedef struct ur_cpu_cross_entropy {
    size_t rows, classes;
    const float *x;        /* (rows, classes) */
    const int32_t *target; /* (rows) */
    int32_t ignore;
    float scale;
    float *row_loss; /* (rows) out, 0 where ignored */
    float *p;        /* (rows, classes) softmax(x), saved for backward; NULL: not saved */
} ur_cpu_cross_entropy;

/* The sum, over rows in order. */
float ur_cpu_cross_entropy_forward(const ur_cpu *cpu, const ur_cpu_cross_entropy *op);

/* dx += dloss * scale * (p - onehot(target)) on rows that are not ignored. p is overwritten: by the
 * gradient, zeros on ignored rows, where dx is p itself. */
void ur_cpu_cross_entropy_backward(const ur_cpu *cpu, const ur_cpu_cross_entropy *op, float dloss,
                                   float *dx);

#endif
