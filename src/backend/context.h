/* context.h - what a ur_context holds. */
#ifndef UR_BACKEND_CONTEXT_H
#define UR_BACKEND_CONTEXT_H

#include "base/threads.h"
#include "kernels/kernels.h"
#include "unroll/core.h"

struct ur_context {
    ur_allocator allocator;
    const ur_kernels *kernels;
    ur_pool *pool;
    const struct ur_kind **kinds; /* (n_kinds) that programs added, see ur_kind_add */
    size_t n_kinds, kinds_capacity;
};

#endif
