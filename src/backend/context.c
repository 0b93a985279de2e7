/* context.c - memory hooks, instruction set and threads, chosen once. */
#include "backend/context.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/status.h"

ur_status ur_context_new(const ur_options *options, ur_context **out, ur_err *err)
{
    static const ur_options defaults = {0};
    if (!options)
        options = &defaults;
    *out = NULL;
    const char *isa = options->isa ? options->isa : getenv("UNROLL_ISA");
    if (isa && !*isa)
        isa = NULL;
    const ur_kernels *kernels = ur_kernels_find(isa);
    if (!kernels)
        return ur_fail(err, UR_UNSUPPORTED,
                       "instruction set \"%s\" is not one this machine and build have "
                       "(plain, avx2, avx512, neon)",
                       isa);

    const ur_allocator *a = options->allocator ? options->allocator : ur_default_allocator();
    ur_context *context = ur_alloc_zero(a, 1, sizeof *context);
    if (!context)
        return ur_no_memory(err, sizeof *context);
    context->allocator = *a;
    context->kernels = kernels;
    const int threads = options->threads ? options->threads : ur_usable_cpus();
    const ur_status status = ur_pool_new(&context->allocator, threads, &context->pool, err);
    if (status != UR_OK) {
        ur_free(a, context);
        return status;
    }
    *out = context;
    return UR_OK;
}

void ur_context_free(ur_context *context)
{
    if (!context)
        return;
    ur_pool_free(context->pool);
    const ur_allocator a = context->allocator;
    ur_free(&a, context->kinds);
    ur_free(&a, context);
}

const char *ur_context_isa(const ur_context *context)
{
    return context->kernels->name;
}

int ur_context_threads(const ur_context *context)
{
    return ur_pool_threads(context->pool);
}

const ur_allocator *ur_context_allocator(const ur_context *context)
{
    return &context->allocator;
}
