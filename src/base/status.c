/* status.c - the error object: a status and one sentence; the version. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

const char *ur_version(void)
{
    return UR_VERSION;
}

const char *ur_status_name(ur_status status)
{
    static const char *const names[] = {
        "ok",          "invalid argument", "bad file",    "I/O error", "out of memory",
        "unsupported", "diverged",         "interrupted",
    };
    size_t i = (size_t)status;
    return i < sizeof names / sizeof *names ? names[i] : "unknown status";
}

void ur_say(ur_err *err, ur_status status, const char *format, va_list arguments)
{
    char text[2 * sizeof err->text];
    const int n = vsnprintf(text, sizeof text, format, arguments);
    err->status = status;
    /* what is cut off here is more than there is room for there, where the end is a whole character */
    ur_printable(text,
                 n < 0                     ? 0
                 : (size_t)n < sizeof text ? (size_t)n
                                           : sizeof text - 1,
                 err->text, sizeof err->text);
}

ur_status ur_fail(ur_err *err, ur_status status, const char *format, ...)
{
    if (err) {
        va_list arguments;
        va_start(arguments, format);
        ur_say(err, status, format, arguments);
        va_end(arguments);
    }
    return status;
}

ur_status ur_no_memory(ur_err *err, size_t bytes)
{
    return ur_fail(err, UR_NO_MEMORY, "out of memory: %zu bytes were refused", bytes);
}
