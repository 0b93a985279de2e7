/* status.h - filling in a ur_err. */
#ifndef UR_BASE_STATUS_H
#define UR_BASE_STATUS_H

#include "unroll/core.h"

#include <stdarg.h>

/* Writes the sentence into *err (if err is not NULL) and returns status:
 *     return ur_fail(err, UR_BAD_FILE, "%s: line %zu has no separator", path, line);  */
ur_status ur_fail(ur_err *err, ur_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same of a list of arguments. The sentence is as ur_printable makes it. */
void ur_say(ur_err *err, ur_status status, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

/* The sentence every failed allocation gets. */
ur_status ur_no_memory(ur_err *err, size_t bytes);

#endif
