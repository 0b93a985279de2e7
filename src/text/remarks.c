/* remarks.c - sentences in a growing list. */
#include "text/remarks.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/status.h"

ur_status ur_remark(ur_remarks *r, ur_err *err, const char *format, ...)
{
    char text[500];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (!ur_reserve(r->a, &r->text, &r->capacity, r->count, r->count + 1, sizeof *r->text))
        return ur_no_memory(err, (r->count + 1) * sizeof *r->text);
    r->text[r->count] = ur_strdup(r->a, text);
    if (!r->text[r->count])
        return ur_no_memory(err, sizeof text);
    r->count++;
    return UR_OK;
}

const char *ur_remark_at(const ur_remarks *r, size_t i)
{
    return i < r->count ? r->text[i] : NULL;
}

void ur_remarks_free(ur_remarks *r)
{
    for (size_t i = 0; i < r->count; i++)
        ur_free(r->a, r->text[i]);
    ur_free(r->a, r->text);
    *r = (ur_remarks){.a = r->a};
}
