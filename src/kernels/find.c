/* find.c - which instruction sets this processor has, and the table for a name. */
#include "kernels/kernels.h"

#include <string.h>

#if defined(__x86_64__) && !defined(UR_REAL_IS_DOUBLE)

/* The compiler's runtime also asks the operating system whether it saves the wide registers. */
static bool has_avx2(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && has_avx2();
}

#endif

const ur_kernels *ur_kernels_find(const char *name)
{
#if defined(__x86_64__) && !defined(UR_REAL_IS_DOUBLE)
    if ((!name || strcmp(name, "avx512") == 0) && has_avx512())
        return &ur_kernels_avx512;
    if ((!name || strcmp(name, "avx2") == 0) && has_avx2())
        return &ur_kernels_avx2;
#elif defined(__aarch64__) && !defined(UR_REAL_IS_DOUBLE)
    if (!name || strcmp(name, "neon") == 0)
        return &ur_kernels_neon; /* part of every 64-bit ARM processor */
#endif
    if (!name || strcmp(name, "plain") == 0)
        return &ur_kernels_plain;
    return NULL;
}
