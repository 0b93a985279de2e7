/* pair_lines.c - cuts a file of pairs into lines, and lines into question and answer. */
#include "data/pair_lines.h"
#include "base/status.h"

#include <string.h>

ur_status ur_pair_lines_start(ur_pair_lines *pairs, const char *name, const char *bytes,
                              size_t size, bool strip, ur_err *err)
{
    ur_lines *l = &pairs->lines;
    ur_lines_start(l, name, bytes, size, err);
    if (l->size == 0)
        return ur_fail(err, UR_BAD_FILE, "%s: an empty file where pairs were expected", name);
    const char *end = memchr(l->bytes, '\n', l->size);
    size_t first = end ? (size_t)(end - l->bytes) : l->size;
    pairs->separator = memchr(l->bytes, '\t', first) ? '\t' : '_';
    pairs->strip = strip;
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

static ur_status check(const ur_pair_lines *pairs, const char *what, const char *where,
                       ur_pair_text *text)
{
    const ur_lines *l = &pairs->lines;
    if (pairs->strip)
        ur_strip(&text->bytes, &text->size);
    size_t count = 0;
    ur_status status = ur_lines_check(l, text->bytes, text->size, where, &count);
    if (status != UR_OK)
        return status;
    if (count > UR_PAIR_LONGEST)
        return ur_fail(l->err, UR_BAD_FILE,
                       "%s: line %zu: the %s has %zu characters, at most %d are allowed", l->name,
                       l->line, what, count, UR_PAIR_LONGEST);
    text->characters = count;
    return UR_OK;
}

ur_status ur_pair_lines_next(ur_pair_lines *pairs, ur_pair_text *question, ur_pair_text *answer)
{
    ur_lines *l = &pairs->lines;
    ur_line line;
    ur_status status = ur_lines_next(l, &line);
    if (status != UR_OK)
        return status;
    const char *separator = memchr(line.bytes, pairs->separator, line.size);
    if (!separator)
        return ur_fail(l->err, UR_BAD_FILE, "%s: line %zu: no %s between a question and an answer",
                       l->name, l->line, pairs->separator == '\t' ? "tab" : "tab or _");
    size_t before = (size_t)(separator - line.bytes);
    *question = (ur_pair_text){line.bytes, before, 0};
    *answer = (ur_pair_text){separator + 1, line.size - before - 1, 0};
    status = check(pairs, "question", " in the question", question);
    return status == UR_OK ? check(pairs, "answer", " in the answer", answer) : status;
}
