/* gradient_check.c - backward against central differences. */
#include "tape/tape.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"

typedef struct check {
    ur_tape *tape;
    ur_params *params;
    ur_tensor *(*loss)(ur_tape *tape, void *user);
    void *user;
    uint64_t seed, step;
} check;

static ur_status loss_value(const check *c, float *gradient, double *value)
{
    ur_params_changed(c->params);
    ur_tape_start(c->tape, UR_TRAIN, c->params, gradient, c->seed, c->step);
    ur_tensor *y = c->loss(c->tape, c->user);
    if (ur_tape_status(c->tape) == UR_OK && gradient)
        ur_backward(c->tape, y);
    if (ur_tape_status(c->tape) == UR_OK)
        *value = (double)ur_read(c->tape, y)[0];
    return ur_tape_status(c->tape);
}

/* |analytic - numeric| of one weight, relative to the larger of them and 1. */
static ur_status check_one(const check *c, float *weight, double analytic, double *worst)
{
    const double step = sizeof(float) == sizeof(double) ? 1e-5 : 1e-2;
    const float old = *weight;
    double above = 0.0, below = 0.0;
    *weight = old + (float)step;
    const double high = (double)*weight;
    ur_status status = loss_value(c, NULL, &above);
    *weight = old - (float)step;
    const double low = (double)*weight;
    if (status == UR_OK)
        status = loss_value(c, NULL, &below);
    *weight = old;
    const double numeric = (above - below) / (high - low);
    const double size = fmax(1.0, fmax(fabs(analytic), fabs(numeric)));
    const double error = fabs(analytic - numeric) / size;
    if (!(error <= *worst))
        *worst = error;
    return status;
}

ur_status ur_gradient_check(ur_tape *tape, ur_params *params,
                            ur_tensor *(*loss)(ur_tape *tape, void *user), void *user,
                            size_t samples, double *worst, ur_err *err)
{
    UR_FPMODE_HERE;
    const check c = {tape, params, loss, user, tape->seed, tape->step};
    const ur_allocator *a = ur_context_allocator(tape->context);
    const size_t size = ur_params_size(params);
    const size_t bytes = size * sizeof(float);
    const ur_allocator *device = &tape->context->device;
    float *gradient = ur_alloc_zero(a, size, sizeof *gradient);
    float *there = gradient ? device->allocate(device->user, bytes) : NULL;
    if (!there) {
        ur_free(a, gradient);
        return ur_no_memory(err, bytes);
    }
    double value;
    *worst = 0.0;
    tape->backend->copy_in(&tape->on, there, gradient, bytes);
    ur_status status = loss_value(&c, there, &value);
    tape->backend->copy_out(&tape->on, gradient, there, bytes);
    device->release(device->user, there);
    for (size_t i = 0; i < ur_params_count(params) && status == UR_OK; i++) {
        const ur_param *p = ur_params_entry(params, i);
        if (p->alias_of >= 0 || !(p->flags & UR_TRAINABLE))
            continue;
        float *w = ur_param_values(params, (int)i);
        const size_t stride = samples && p->count > samples ? p->count / samples : 1;
        for (size_t j = 0; j < p->count && status == UR_OK; j += stride)
            status = check_one(&c, w + j, (double)gradient[p->offset + j], worst);
    }
    ur_free(a, gradient);
    ur_params_changed(params);
    if (status != UR_OK)
        return ur_fail(err, status, "%s", ur_error(tape));
    return UR_OK;
}
