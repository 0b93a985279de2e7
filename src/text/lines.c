/* lines.c - cuts the bytes of a text file into lines. */
#include "text/lines.h"
#include "unroll/text.h"
#include "base/status.h"

#include <string.h>

void ur_lines_start(ur_lines *lines, const char *name, const char *bytes, size_t size, ur_err *err)
{
    *lines = (ur_lines){.name = name, .bytes = bytes, .size = size, .err = err};
    if (size >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0) {
        lines->bytes += 3;
        lines->size -= 3;
    }
}

ur_status ur_lines_next(ur_lines *l, ur_line *line)
{
    const char *start = l->bytes;
    const char *end = memchr(start, '\n', l->size);
    size_t length = end ? (size_t)(end - start) : l->size;
    size_t taken = end ? length + 1 : length;
    l->bytes += taken;
    l->size -= taken;
    l->line++;
    while (length && start[length - 1] == '\r')
        length--;
    *line = (ur_line){start, length, end != NULL};
    if (memchr(start, 0, length))
        return ur_fail(l->err, UR_BAD_FILE, "%s: line %zu: a zero byte: this is not a text file",
                       l->name, l->line);
    return UR_OK;
}

ur_status ur_lines_check(const ur_lines *l, const char *bytes, size_t size, const char *where,
                         size_t *characters)
{
    size_t count;
    if (!ur_utf8_count(bytes, size, &count))
        return ur_fail(l->err, UR_BAD_FILE, "%s: line %zu: byte 0x%02x%s is not valid UTF-8",
                       l->name, l->line, (unsigned char)bytes[count], where);
    if (characters)
        *characters = count;
    return UR_OK;
}
