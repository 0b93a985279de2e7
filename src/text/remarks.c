/* remarks.c - sentences in a growing list. */
#include "text/remarks.h"

#include <stdarg.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"

ur_status ur_remark(ur_remarks *r, ur_err *err, const char *format, ...)
{
    ur_err said;
    va_list arguments;
    va_start(arguments, format);
    ur_say(&said, UR_OK, format, arguments);
    va_end(arguments);
    if (!ur_reserve(r->a, &r->text, &r->capacity, r->count, r->count + 1, sizeof *r->text))
        return ur_no_memory(err, (r->count + 1) * sizeof *r->text);
    r->text[r->count] = ur_strdup(r->a, said.text);
    if (!r->text[r->count])
        return ur_no_memory(err, strlen(said.text) + 1);
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
