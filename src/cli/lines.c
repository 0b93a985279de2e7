/* lines.c - lines from standard input or a file. Reads by itself, as no stream tells whether more is there. */
#include "cli.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
        const char *feed = memchr(in->buffer + in->begin, in->end_mark, in->end - in->begin);
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

/* Whether CRs end the lines of a regular file: there is no LF in what is left of it. */
static bool ends_at_returns(int fd)
{
    struct stat info;
    const off_t place =
        fstat(fd, &info) == 0 && S_ISREG(info.st_mode) ? lseek(fd, 0, SEEK_CUR) : -1;
    char *chunk = place < 0 ? NULL : malloc(CHUNK);
    bool returns = false;
    ssize_t got = chunk ? 1 : 0;
    while (got > 0) {
        got = read(fd, chunk, CHUNK);
        if (got > 0 && memchr(chunk, '\n', (size_t)got)) {
            returns = false;
            break;
        }
        returns = returns || (got > 0 && memchr(chunk, '\r', (size_t)got));
    }
    free(chunk);
    return place >= 0 && lseek(fd, place, SEEK_SET) == place && returns;
}

lines start_lines(int fd)
{
    return (lines){.fd = fd, .end_mark = ends_at_returns(fd) ? '\r' : '\n'};
}

/* The first line shows what the text is in. */
static bool is_wide(lines *in)
{
    if (in->number == 0)
        in->encoding = ur_text_encoding(in->buffer + in->begin, in->end - in->begin);
    return in->encoding;
}

line_result next_line(lines *in, bool wait, const char **line, size_t *size)
{
    size_t seen = 0;
    for (;;) {
        size_t unread = in->end - in->begin;
        char *feed = unread > seen
                         ? memchr(in->buffer + in->begin + seen, in->end_mark, unread - seen)
                         : NULL;
        if ((feed || (in->ended && unread)) && is_wide(in))
            return LINE_WIDE;
        if (feed) {
            size_t length = (size_t)(feed - (in->buffer + in->begin));
            return cut(in, length, length + 1, line, size);
        }
        if (in->ended && unread && in->number == 0 && in->end_mark == '\n' &&
            memchr(in->buffer + in->begin, '\r', unread)) {
            in->end_mark = '\r'; /* there was no line feed at all */
            seen = 0;
            continue;
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

int say_no_line(const char *where, const lines *in, line_result result, int error)
{
    if (result == LINE_END)
        return CODE_OK;
    if (result == LINE_NO_MEMORY)
        return say_no_memory();
    if (result == LINE_WIDE)
        say("%s 1: this is %s, and UTF-8 is expected; iconv -f %s -t UTF-8 makes it", where,
            in->encoding, in->encoding);
    else if (result == LINE_TOO_LONG)
        say("%s %zu: longer than 1 MiB", where, in->number);
    else
        say("%s %zu cannot be read: %s", where, in->number, strerror(error));
    return result == LINE_FAILED ? CODE_IO : CODE_INPUT;
}
