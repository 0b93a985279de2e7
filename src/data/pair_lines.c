/* pair_lines.c - cuts a file of pairs into lines, and lines into question and answer. */
#include "data/pair_lines.h"
#include "base/status.h"

#include <string.h>

ur_status ur_pair_lines_start(ur_pair_lines *lines, const char *name, const char *bytes,
                              size_t size, bool strip, ur_err *err)
{
    if (size >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0) {
        bytes += 3;
        size -= 3;
    }
    if (size == 0)
        return ur_fail(err, UR_BAD_FILE, "%s: an empty file where pairs were expected", name);
    const char *end = memchr(bytes, '\n', size);
    size_t first = end ? (size_t)(end - bytes) : size;
    *lines = (ur_pair_lines){.name = name,
                             .bytes = bytes,
                             .size = size,
                             .strip = strip,
                             .separator = memchr(bytes, '\t', first) ? '\t' : '_',
                             .err = err};
    return UR_OK;
}

void ur_strip(const char **bytes, size_t *size)
{
    while (*size && (*bytes)[0] == ' ') {
        ++*bytes;
        --*size;
    }
    while (*size && (*bytes)[*size - 1] == ' ')
        --*size;
}

static ur_status check(const ur_pair_lines *l, const char *what, ur_pair_text *text)
{
    if (l->strip)
        ur_strip(&text->bytes, &text->size);
    size_t count;
    if (!ur_utf8_count(text->bytes, text->size, &count))
        return ur_fail(l->err, UR_BAD_FILE,
                       "%s: line %zu: byte 0x%02x in the %s is not valid UTF-8", l->name, l->line,
                       (unsigned char)text->bytes[count], what);
    if (count > UR_PAIR_LONGEST)
        return ur_fail(l->err, UR_BAD_FILE,
                       "%s: line %zu: the %s has %zu characters, at most %d are allowed", l->name,
                       l->line, what, count, UR_PAIR_LONGEST);
    text->characters = count;
    return UR_OK;
}

ur_status ur_pair_lines_next(ur_pair_lines *l, ur_pair_text *question, ur_pair_text *answer)
{
    const char *line = l->bytes;
    const char *end = memchr(line, '\n', l->size);
    size_t length = end ? (size_t)(end - line) : l->size;
    size_t taken = end ? length + 1 : length;
    l->bytes += taken;
    l->size -= taken;
    l->line++;
    if (length && line[length - 1] == '\r')
        length--;
    if (memchr(line, 0, length))
        return ur_fail(l->err, UR_BAD_FILE, "%s: line %zu: a zero byte: this is not a text file",
                       l->name, l->line);
    const char *separator = memchr(line, l->separator, length);
    if (!separator)
        return ur_fail(l->err, UR_BAD_FILE, "%s: line %zu: no %s between a question and an answer",
                       l->name, l->line, l->separator == '\t' ? "tab" : "tab or _");
    size_t before = (size_t)(separator - line);
    *question = (ur_pair_text){line, before, 0};
    *answer = (ur_pair_text){separator + 1, length - before - 1, 0};
    ur_status status = check(l, "question", question);
    return status == UR_OK ? check(l, "answer", answer) : status;
}
