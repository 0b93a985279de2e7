/* lines.c - lines from standard input or a file. Reads by itself, as no stream tells whether more is there. */
#include "cli.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef UR_TINY
enum { CHUNK = 5 }; /* as src/base/tiny.h says */
#else
enum { CHUNK = 65536 };
#endif
enum { LONGEST = 1 << 20 };

static bool ready(const lines *in)
{
    struct pollfd fd = {.fd = in->fd, .events = POLLIN};
    return poll(&fd, 1, 0) != 0;
}

/* Reads some more bytes behind the unread ones. */
static line_result fill(lines *in)
{
    if (in->begin > 0) {
        memmove(in->buffer, in->buffer + in->begin, in->end - in->begin);
        in->end -= in->begin;
        in->begin = 0;
    }
    if (in->end > LONGEST)
        return LINE_TOO_LONG;
    if (in->capacity - in->end < CHUNK) {
        char *larger = realloc(in->buffer, in->end + 2 * CHUNK);
        if (!larger)
            return LINE_NO_MEMORY;
        in->buffer = larger;
        in->capacity = in->end + 2 * CHUNK;
    }
    ssize_t got;
    do
        got = read(in->fd, in->buffer + in->end, CHUNK);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return LINE_FAILED;
    in->ended = got == 0;
    in->end += (size_t)got;
    return LINE_READ;
}

static line_result cut(lines *in, size_t size, size_t taken, const char **line, size_t *length)
{
    static const char mark[] = "\xef\xbb\xbf"; /* byte order mark */
    *line = in->buffer + in->begin;
    in->begin += taken;
    in->number++;
    if (size > 0 && (*line)[size - 1] == '\r')
        size--;
    if (in->number == 1 && size >= 3 && memcmp(*line, mark, 3) == 0) {
        *line += 3;
        size -= 3;
    }
    *length = size;
    return LINE_READ;
}

/* Forgets what has been read of a line that is too long, up to its end. */
static line_result pass_over(lines *in)
{
    in->number++;
    for (;;) {
        const char *feed = memchr(in->buffer + in->begin, '\n', in->end - in->begin);
        if (feed) {
            in->begin = (size_t)(feed - in->buffer) + 1;
            return LINE_TOO_LONG;
        }
        in->begin = in->end = 0;
        if (in->ended)
            return LINE_TOO_LONG;
        const line_result result = fill(in);
        if (result != LINE_READ)
            return result;
    }
}

line_result next_line(lines *in, bool wait, const char **line, size_t *size)
{
    size_t seen = 0;
    for (;;) {
        size_t unread = in->end - in->begin;
        char *feed =
            unread > seen ? memchr(in->buffer + in->begin + seen, '\n', unread - seen) : NULL;
        if (feed) {
            size_t length = (size_t)(feed - (in->buffer + in->begin));
            return cut(in, length, length + 1, line, size);
        }
        if (in->ended)
            return unread ? cut(in, unread, unread, line, size) : LINE_END;
        if (!wait && !ready(in))
            return LINE_NOT_YET;
        seen = unread;
        line_result result = fill(in);
        if (result == LINE_TOO_LONG)
            return pass_over(in);
        if (result == LINE_FAILED)
            in->number++; /* the line that could not be read */
        if (result != LINE_READ)
            return result;
    }
}

void free_lines(lines *in)
{
    free(in->buffer);
    *in = (lines){0};
}
