/* context.h - what a ur_context holds, and how operations are computed with it. */
#ifndef UR_BACKEND_CONTEXT_H
#define UR_BACKEND_CONTEXT_H

#include "backend/backend.h"
#include "base/threads.h"
#include "unroll/core.h"

struct ur_context {
    ur_allocator allocator;
    ur_allocator device; /* memory of the backend's device */
    const ur_backend *backend;
    const struct ur_kernels *kernels;
    ur_pool *pool;
    const struct ur_kind **kinds; /* (n_kinds) that programs added, see ur_kind_add */
    size_t n_kinds, kinds_capacity;
};

/* A context that computes by this backend, which need not stand in the list: for tests. */
ur_status ur_context_new_with(const ur_backend *backend, const ur_options *options,
                              ur_context **out, ur_err *err);

/* An arena of the device's memory. */
ur_status ur_device_arena(ur_context *context, ur_arena **out, ur_err *err);

/* Rows of scores in the host's memory, such as logits that were read back: softmax(x) of one row of
 * n, and -log softmax(x)[target], with softmax(x) in p unless that is NULL. */
void ur_host_softmax(const ur_context *context, size_t n, const float *x, float *p);
float ur_host_cross_entropy(const ur_context *context, size_t n, const float *x, int32_t target,
                            float *p);
float ur_host_max(const ur_context *context, size_t n, const float *x);
size_t ur_host_argmax(const ur_context *context, size_t n, const float *x); /* as ur_argmax */
bool ur_host_all_finite(const ur_context *context, size_t n, const float *x);

#endif
