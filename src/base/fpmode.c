/* fpmode.c - entering and leaving the mode. Registers are written only where something is to change, since
 * writing costs much more than reading. Exception masks stay as they are. */
#include "base/fpmode.h"

#if defined(__SSE__)

#include <xmmintrin.h>

/* MXCSR: rounding in bits 13-14, flush results to zero in 15, operands in 6. */
#define ROUNDING_AND_FLUSHING 0xe040u

ur_fpmode ur_fpmode_enter(void)
{
    const unsigned saved = _mm_getcsr();
    if (saved & ROUNDING_AND_FLUSHING)
        _mm_setcsr(saved & ~ROUNDING_AND_FLUSHING);
    return (ur_fpmode){saved};
}

void ur_fpmode_leave(ur_fpmode mode)
{
    const unsigned changed = (unsigned)mode.saved & ROUNDING_AND_FLUSHING;
    if (changed)
        _mm_setcsr(_mm_getcsr() | changed);
}

#elif defined(__aarch64__)

/* FPCR: rounding in bits 22-23, FZ in 24, FZ16 in 19, FIZ in 0, AH in 1. */
#define ROUNDING_AND_FLUSHING UINT64_C(0x1c80003)

ur_fpmode ur_fpmode_enter(void)
{
    uint64_t saved;
    __asm__ volatile("mrs %0, fpcr" : "=r"(saved));
    if (saved & ROUNDING_AND_FLUSHING)
        __asm__ volatile("msr fpcr, %0" : : "r"(saved & ~ROUNDING_AND_FLUSHING) : "memory");
    return (ur_fpmode){saved};
}

void ur_fpmode_leave(ur_fpmode mode)
{
    if (mode.saved & ROUNDING_AND_FLUSHING)
        __asm__ volatile("msr fpcr, %0" : : "r"(mode.saved) : "memory");
}

#else

#include <fenv.h>

ur_fpmode ur_fpmode_enter(void)
{
    int saved = fegetround();
    fesetround(FE_TONEAREST);
    return (ur_fpmode){(uint64_t)saved};
}

void ur_fpmode_leave(ur_fpmode mode)
{
    fesetround((int)mode.saved);
}

#endif
