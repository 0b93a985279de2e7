/* fpmode.h - the floating-point mode that everything is computed in: round to nearest, denormals kept.
 *
 * A host may have set flush-to-zero (audio plugins do) or another rounding; both would change results,
 * and make them depend on who computes: the workers of a pool have a mode of their own. */
#ifndef UR_BASE_FPMODE_H
#define UR_BASE_FPMODE_H

#include <stdint.h>

/* Enters that mode, whatever the caller had; leave gives back what enter saw. */
typedef struct ur_fpmode {
    uint64_t saved;
} ur_fpmode;
ur_fpmode ur_fpmode_enter(void);
void ur_fpmode_leave(ur_fpmode mode);

static inline void ur_fpmode_leave_at(const ur_fpmode *mode)
{
    ur_fpmode_leave(*mode);
}

/* The first line of a public function that computes: enters the mode, and leaves it however the function
 * returns. (A macro, since only the compiler knows all the ways out.) */
#define UR_FPMODE_HERE                                                                             \
    __attribute__((cleanup(ur_fpmode_leave_at), unused)) const ur_fpmode ur_fpmode_before =        \
        ur_fpmode_enter();                                                                         \
    (void)ur_fpmode_before

#endif
