/* lines.c - lines from standard input or a file. Reads by itself, as no stream tells whether more is there. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
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
/* Bytes of the texts that are handed on together. A longer one goes alone. */
#ifdef UR_TINY
enum { MOST_BYTES = 40 };
#else
enum { MOST_BYTES = 1 << 18 };
#endif

/* ---- lines ---------------------------------------------------------------------------------- */

typedef struct lines {
    int fd; /* what is read: 0 is standard input */
    char *buffer;
    size_t begin, end, capacity; /* unread bytes: [begin, end) */
    size_t number;               /* of the last line, counted from 1 */
    bool ended;                  /* no more to read */
    char end_mark;               /* what ends a line: LF, or CR in a file without any LF */
    const char *encoding;        /* of what is not UTF-8; NULL: none was seen */
} lines;

typedef enum line_result {
    LINE_READ,
    LINE_NOT_YET, /* only when not waiting: none is there at the moment */
    LINE_END,
    LINE_FAILED,   /* errno tells */
    LINE_TOO_LONG, /* the rest of the line is passed over: the next one can be read */
    LINE_WIDE,     /* the text is UTF-16 or UTF-32, as in->encoding says */
    LINE_NO_MEMORY
} line_result;

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

static lines start_lines(int fd)
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

/* The next line without its line feed or CR LF; *line points into the buffer until the next call
 * and is not closed by a zero byte. wait: block until there is one. */
static line_result next_line(lines *in, bool wait, const char **line, size_t *size)
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

static void free_lines(lines *in)
{
    free(in->buffer);
    *in = (lines){0};
}

/* ---- texts, many at a time ------------------------------------------------------------------ */

/* Lines that are to be handed on, each in memory of its own. */
typedef struct batch {
    char **line; /* (most) */
    size_t count, first, bytes;
} batch;

static bool is_full(size_t count, size_t most, size_t bytes, size_t more)
{
    return count == most || (count > 0 && bytes + more > MOST_BYTES);
}

size_t texts_together(size_t most, size_t count, const char *const *texts)
{
    size_t n = 0, bytes = 0;
    for (size_t more; n < count; n++, bytes += more) {
        more = strlen(texts[n]);
        if (is_full(n, most, bytes, more))
            break;
    }
    return n;
}

static int add_line(batch *b, const lines *in, const char *line, size_t size)
{
    char *copy = malloc(size + 1);
    if (!copy)
        return say_no_memory();
    memcpy(copy, line, size);
    copy[size] = '\0';
    if (b->count == 0)
        b->first = in->number;
    b->bytes += size;
    b->line[b->count++] = copy; /* which hand_on or take_all frees */
    return CODE_OK;             /* NOLINT(clang-analyzer-unix.Malloc) */
}

static void clear(batch *b)
{
    while (b->count > 0)
        free(b->line[--b->count]);
    b->bytes = 0;
}

static int hand_on(batch *b, const line_texts *to)
{
    const int code =
        b->count ? to->take(to->user, b->count, (const char *const *)b->line, b->first) : CODE_OK;
    clear(b);
    return code;
}

static int refuse(const line_texts *to, const lines *in, const char *why)
{
    if (to->refuse)
        return to->refuse(to->user, in->number, why);
    say("%s %zu: %s", *to->where, in->number, why);
    return CODE_INPUT;
}

/* Says why there is no next line; CODE_OK, silently, at the end. */
static int no_line(const line_texts *to, const lines *in, line_result result, int error)
{
    if (result == LINE_END)
        return CODE_OK;
    if (result == LINE_NO_MEMORY)
        return say_no_memory();
    if (result == LINE_WIDE) {
        say("%s 1: this is %s, and UTF-8 is expected; iconv -f %s -t UTF-8 makes it", *to->where,
            in->encoding, in->encoding);
        return CODE_INPUT;
    }
    say("%s %zu cannot be read: %s", *to->where, in->number, strerror(error));
    return error == ENOMEM ? CODE_MEMORY : CODE_IO;
}

static int take_all(lines *in, batch *b, const line_texts *to)
{
    int code = CODE_OK;
    for (bool more = true; more && code == CODE_OK;) {
        const char *line = "";
        size_t size = 0;
        const line_result result = next_line(in, b->count == 0, &line, &size);
        const int error = errno;
        const bool too_long = result == LINE_TOO_LONG;
        const bool zero = result == LINE_READ && memchr(line, '\0', size);
        const bool read = result == LINE_READ && !zero;
        more = result == LINE_READ || result == LINE_NOT_YET || too_long;
        if (read && is_full(b->count, to->most, b->bytes, size))
            code = hand_on(b, to);
        if (read && code == CODE_OK)
            code = add_line(b, in, line, size);
        if (code == CODE_OK && (!read || b->count == to->most))
            code = hand_on(b, to);
        if (code == CODE_OK && (too_long || zero))
            code = refuse(to, in, zero ? "a zero byte" : "longer than 1 MiB");
        if (code == CODE_OK && !more)
            code = no_line(to, in, result, error);
    }
    return code;
}

static int take_from(int fd, const line_texts *to)
{
    lines in = start_lines(fd);
    batch b = {.line = malloc(to->most * sizeof *b.line)};
    const int code = b.line ? take_all(&in, &b, to) : say_no_memory();
    clear(&b);
    free(b.line);
    free_lines(&in);
    return code;
}

int take_lines(const char *path, const line_texts *to)
{
    char where[400] = "standard input: line";
    const char *before = *to->where;
    int fd = STDIN_FILENO;
    do
        fd = path ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        const bool missing = errno == ENOENT || errno == ENOTDIR;
        const int code = say_system(path, "cannot be opened");
        return missing ? CODE_INPUT : code;
    }
    if (path)
        snprintf(where, sizeof where, "%s: line", path);
    *to->where = where;
    const int code = take_from(fd, to);
    *to->where = before;
    if (path)
        close(fd);
    return code;
}
