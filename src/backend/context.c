/* context.c - memory hooks, instruction set and threads, chosen once. */
#include "backend/context.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/status.h"
#include "base/tiny.h"
#include "kernels/kernels.h"
#include "kernels/math.h"

const char *ur_isa_name(size_t i)
{
    const ur_kernels *kernels = ur_kernels_at(i);
    return kernels ? kernels->name : NULL;
}

static ur_status no_such_isa(const char *isa, ur_err *err)
{
    char names[128] = "";
    size_t at = 0;
    for (size_t i = 0; ur_isa_name(i) && at < sizeof names; i++)
        at +=
            (size_t)snprintf(names + at, sizeof names - at, "%s%s", i ? ", " : "", ur_isa_name(i));
    return ur_fail(err, UR_UNSUPPORTED,
                   "instruction set \"%s\" is not one this machine and build have (%s)", isa,
                   names);
}

ur_status ur_context_new(const ur_options *options, ur_context **out, ur_err *err)
{
    return ur_context_new_with(&ur_backend_cpu, options, out, err);
}

ur_status ur_context_new_with(const ur_backend *backend, const ur_options *options,
                              ur_context **out, ur_err *err)
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
        return no_such_isa(isa, err);

    const ur_allocator *a = options->allocator ? options->allocator : ur_default_allocator();
    ur_context *context = ur_alloc_zero(a, 1, sizeof *context);
    if (!context)
        return ur_no_memory(err, sizeof *context);
    context->allocator = *a;
    context->device = (ur_allocator){backend->allocate, backend->release, context};
    context->backend = backend;
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

ur_status ur_device_arena(ur_context *context, ur_arena **out, ur_err *err)
{
    return ur_arena_new_on(&context->allocator,
                           context->backend->host_memory ? NULL : &context->device, out, err);
}

void ur_host_softmax(const ur_context *context, size_t n, const float *x, float *p)
{
    context->kernels->softmax(n, x, p);
}

float ur_host_cross_entropy(const ur_context *context, size_t n, const float *x, int32_t target,
                            float *p)
{
    return context->kernels->cross_entropy(n, x, target, p);
}

float ur_host_max(const ur_context *context, size_t n, const float *x)
{
    return context->kernels->max(n, x);
}

size_t ur_host_argmax(const ur_context *context, size_t n, const float *x)
{
    enum { SPAN = UR_SIZE(512, 4) };
    size_t best = 0; /* where the span begins that has the largest */
    float most = 0.0f;
    for (size_t begin = 0; begin < n; begin += SPAN) {
        const float m = ur_host_max(context, n - begin < SPAN ? n - begin : SPAN, x + begin);
        if (isnan(m))
            return ur_argmax(x, n);
        if (begin == 0 || m > most) {
            most = m;
            best = begin;
        }
    }
    while (best < n && x[best] != most)
        best++;
    return best;
}

bool ur_host_all_finite(const ur_context *context, size_t n, const float *x)
{
    return context->kernels->all_finite(n, x);
}
