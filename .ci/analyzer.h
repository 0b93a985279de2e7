/* analyzer.h - read before every source by clang-tidy alone: what it cannot see, because it looks
 * at one source at a time. A function that reports a failure returns that failure. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/status.h"
#include "tape/tape.h"

#define ur_fail(err, status, ...) (ur_fail((err), (status), __VA_ARGS__), (status))
#define ur_no_memory(err, bytes) (ur_no_memory((err), (bytes)), UR_NO_MEMORY)
#define ur_tape_fail(...) (ur_tape_fail(__VA_ARGS__), (void *)0)

/* Operands that are missing were refused. */
#define ur_operand(tape, op, x, dtype, ndim)                                                       \
    (ur_operand((tape), (op), (x), (dtype), (ndim)) && (x) != (void *)0)
#define ur_operand_seq(tape, op, x, dtype, ndim)                                                   \
    (ur_operand_seq((tape), (op), (x), (dtype), (ndim)) && (x) != (void *)0 &&                     \
     (x)->layout != (void *)0 && (x)->values != (void *)0)
