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

static bool has_plain(void)
{
    return true;
}

/* The list: one line for each set that this build may have, better ones further down. */
static const struct {
    const ur_kernels *kernels;
    bool (*here)(void);
} sets[] = {
    {&ur_kernels_plain, has_plain},
#if defined(__x86_64__) && !defined(UR_REAL_IS_DOUBLE)
    {&ur_kernels_avx2, has_avx2},
    {&ur_kernels_avx512, has_avx512},
#elif defined(__aarch64__) && !defined(UR_REAL_IS_DOUBLE)
    {&ur_kernels_neon, has_plain}, /* part of every 64-bit ARM processor */
#endif
};

const ur_kernels *ur_kernels_at(size_t i)
{
    for (size_t j = 0; j < sizeof sets / sizeof *sets; j++)
        if (sets[j].here() && i-- == 0)
            return sets[j].kernels;
    return NULL;
}

const ur_kernels *ur_kernels_find(const char *name)
{
    const ur_kernels *found = NULL, *k;
    for (size_t i = 0; (k = ur_kernels_at(i)); i++)
        if (!name || strcmp(k->name, name) == 0)
            found = k;
    return found;
}
