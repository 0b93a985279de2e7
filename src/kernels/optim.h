/* optim.h - one step of an optimiser: what the kernels (body_optim.h), the backends and the optimisers
 * share. */
#ifndef UR_KERNELS_OPTIM_H
#define UR_KERNELS_OPTIM_H

#include <stdbool.h>

/* Adam (Kingma and Ba 2015, PyTorch's form): g = grad*grad_scale + weight_decay*w
 *   m = m + (1-beta1)(g - m);  v = beta2 v + (1-beta2) g g
 *   w = (1 - decoupled_decay)*w - step_size * m / (sqrt(v)*inv_sqrt_bias2 + eps)
 * with step_size = lr/(1-beta1^t) and inv_sqrt_bias2 = 1/sqrt(1-beta2^t) given by the caller.
 * Moments below 2^-100 in magnitude become zero. */
typedef struct ur_adam {
    float beta1, beta2, eps, weight_decay, step_size, inv_sqrt_bias2, grad_scale;
    float decoupled_decay;
} ur_adam;

/* SGD with momentum, PyTorch's form: g = grad*grad_scale + weight_decay*w; v = momentum*v + g
 * (v = g at the first step: `first`); w -= lr * (nesterov ? g + momentum*v : v). velocity may be
 * NULL when momentum is 0. */
typedef struct ur_sgd {
    float lr, momentum, weight_decay, grad_scale;
    bool nesterov, first;
} ur_sgd;

#endif
