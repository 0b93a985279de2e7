/* lines.c - cuts the bytes of a text file into lines, and names other encodings than UTF-8. */
#include "text/lines.h"
#include "unroll/text.h"
#include "base/status.h"

#include <string.h>

#define MARK "\xEF\xBB\xBF" /* the byte order mark, U+FEFF */

static bool has_mark(const char *bytes, size_t size)
{
    return size >= 3 && memcmp(bytes, MARK, 3) == 0;
}

/* A byte order mark, or the zero bytes of ASCII letters. */
const char *ur_text_encoding(const char *bytes, size_t size)
{
    const unsigned char *b = (const unsigned char *)bytes;
    if (size >= 4 && (memcmp(b, "\xFF\xFE\0", 4) == 0 || memcmp(b, "\0\0\xFE\xFF", 4) == 0))
        return "UTF-32";
    if (size >= 2 && ((b[0] == 0xFF && b[1] == 0xFE) || (b[0] == 0xFE && b[1] == 0xFF)))
        return "UTF-16";
    if (size < 4)
        return NULL;
    if (b[0] && !b[1] && b[2] && !b[3])
        return "UTF-16LE";
    return !b[0] && b[1] && !b[2] && b[3] ? "UTF-16BE" : NULL;
}

void ur_lines_start(ur_lines *lines, const char *name, const char *bytes, size_t size, ur_err *err)
{
    *lines = (ur_lines){.name = name, .bytes = bytes, .size = size, .err = err};
    lines->encoding = ur_text_encoding(bytes, size);
    if (has_mark(bytes, size)) {
        lines->bytes += 3;
        lines->size -= 3;
    }
    lines->returns = size > 0 && !memchr(bytes, '\n', size) && memchr(bytes, '\r', size);
}

ur_status ur_lines_next(ur_lines *l, ur_line *line)
{
    const char *start = l->bytes;
    const char *end = memchr(start, l->returns ? '\r' : '\n', l->size);
    size_t length = end ? (size_t)(end - start) : l->size;
    size_t taken = end ? length + 1 : length;
    l->bytes += taken;
    l->size -= taken;
    if (l->line++ > 0 && has_mark(start, length) && l->marks++ == 0)
        l->marked = l->line;
    while (!l->returns && length && start[length - 1] == '\r')
        length--;
    *line = (ur_line){start, length, end != NULL};
    if (l->encoding)
        return ur_fail(l->err, UR_BAD_FILE,
                       "%s: line 1: this file is %s, and UTF-8 is expected; "
                       "iconv -f %s -t UTF-8 makes it",
                       l->name, l->encoding, l->encoding);
    if (memchr(start, 0, length))
        return ur_fail(l->err, UR_BAD_FILE, "%s: line %zu: a zero byte: this is not a text file",
                       l->name, l->line);
    return UR_OK;
}

/* What a line that is not UTF-8 is in, if each of its bytes above 0x7F stands for a character of its
 * own: Latin-1, or Windows' variant, which has characters in the place of controls. */
static const char *narrow_encoding(const char *bytes, size_t size)
{
    const char *name = "ISO-8859-1";
    for (size_t at = 0; at < size; at++) {
        const unsigned char byte = (unsigned char)bytes[at];
        uint32_t character;
        if (byte < 0x80)
            continue;
        if (ur_utf8_decode(bytes + at, size - at, &character))
            return NULL;
        if (byte < 0xA0)
            name = "WINDOWS-1252";
    }
    return name;
}

ur_status ur_lines_check(const ur_lines *l, const char *bytes, size_t size)
{
    size_t at;
    if (ur_utf8_count(bytes, size, &at))
        return UR_OK;
    const char *encoding = narrow_encoding(bytes, size);
    const unsigned byte = (unsigned char)bytes[at];
    if (!encoding)
        return ur_fail(l->err, UR_BAD_FILE, "%s: line %zu: byte 0x%02x is not valid UTF-8", l->name,
                       l->line, byte);
    return ur_fail(l->err, UR_BAD_FILE,
                   "%s: line %zu: byte 0x%02x is not valid UTF-8; if this is %s, iconv -f %s -t "
                   "UTF-8 makes it",
                   l->name, l->line, byte,
                   strcmp(encoding, "ISO-8859-1") == 0 ? "Latin-1" : "Windows-1252", encoding);
}
