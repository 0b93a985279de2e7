/* lines.c - cuts the bytes of a text file into lines, and names other encodings than UTF-8. */
#include "text/lines.h"
#include "unroll/text.h"
#include "base/alloc.h"
#include "base/file.h"
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

static ur_status check_zero(const ur_lines *l, const char *bytes, size_t size)
{
    return memchr(bytes, 0, size)
               ? ur_fail(l->err, UR_BAD_FILE, "%s: line %zu: a zero byte: this is not a text file",
                         l->name, l->line)
               : UR_OK;
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
    return check_zero(l, start, length);
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

/* ---- in pieces ----------------------------------------------------------------------------- */

static ur_status read_at(const ur_line_reader *r, uint64_t at, char *to, size_t size)
{
    if (!r->bytes)
        return ur_file_read(r->fd, r->lines.name, at, to, size, r->lines.err);
    if (size)
        memcpy(to, r->bytes + at, size);
    return UR_OK;
}

static size_t next_piece(const ur_line_reader *r, uint64_t at)
{
    const uint64_t left = r->size - at;
    return left < UR_TEXT_PIECE ? (size_t)left : UR_TEXT_PIECE;
}

/* Reads a piece behind what is still to be handed on, which moves to the buffer's begin. */
static ur_status fill(ur_line_reader *r)
{
    const size_t more = next_piece(r, r->at);
    if (r->begin > 0)
        memmove(r->buffer, r->buffer + r->begin, r->end - r->begin);
    r->end -= r->begin;
    r->begin = 0;
    if (more == 0) /* of an empty text there may be no buffer */
        return UR_OK;
    if (!ur_reserve(r->a, &r->buffer, &r->capacity, r->end, r->end + more, 1))
        return ur_no_memory(r->lines.err, r->end + more);
    const ur_status status = read_at(r, r->at, r->buffer + r->end, more);
    if (status != UR_OK)
        return status;
    r->end += more;
    r->at += more;
    return UR_OK;
}

/* Whether no LF is in the rest of the text, but a CR there or in its first piece. */
static ur_status find_returns(ur_line_reader *r)
{
    if (r->at == r->size || memchr(r->buffer, '\n', r->end))
        return UR_OK;
    char *piece = ur_alloc(r->a, UR_TEXT_PIECE, 1);
    ur_status status = piece ? UR_OK : ur_no_memory(r->lines.err, UR_TEXT_PIECE);
    bool feed = false;
    for (uint64_t at = r->at; status == UR_OK && !feed && at < r->size;) {
        const size_t size = next_piece(r, at);
        status = read_at(r, at, piece, size);
        if (status != UR_OK)
            break;
        feed = memchr(piece, '\n', size);
        r->lines.returns = r->lines.returns || memchr(piece, '\r', size);
        at += size;
    }
    r->lines.returns = r->lines.returns && !feed;
    ur_free(r->a, piece);
    return status;
}

ur_status ur_line_reader_begin(ur_line_reader *r)
{
    const ur_lines old = r->lines;
    r->at = 0;
    r->begin = r->end = 0;
    r->inside = false;
    const ur_status status = fill(r);
    if (status != UR_OK)
        return status;
    ur_lines_start(&r->lines, old.name, r->buffer, r->end, old.err);
    r->begin = r->end - r->lines.size; /* behind a byte order mark */
    return find_returns(r);
}

ur_status ur_line_reader_open(ur_line_reader *r, const ur_allocator *a, const char *path,
                              ur_line_parts parts, ur_err *err)
{
    *r = (ur_line_reader){.a = a, .lines = {.name = path, .err = err}, .fd = -1, .parts = parts};
    const ur_status status = ur_file_open(path, &r->fd, &r->size, err);
    if (status == UR_OK && r->size > UR_TEXT_FILE_LIMIT)
        return ur_fail(err, UR_BAD_FILE, "%s has %llu bytes, %zu are allowed", path,
                       (unsigned long long)r->size, UR_TEXT_FILE_LIMIT);
    return status;
}

void ur_line_reader_over(ur_line_reader *r, const ur_allocator *a, const char *name,
                         const char *bytes, size_t size, ur_line_parts parts, ur_err *err)
{
    *r = (ur_line_reader){.a = a,
                          .lines = {.name = name, .err = err},
                          .fd = -1,
                          .bytes = bytes,
                          .size = size,
                          .parts = parts};
}

void ur_line_reader_close(ur_line_reader *r)
{
    ur_file_close(r->fd);
    ur_free(r->a, r->buffer);
    *r = (ur_line_reader){.fd = -1};
}

bool ur_line_reader_is_empty(const ur_line_reader *r)
{
    return r->at == r->size && r->begin == r->end;
}

/* Where the bytes in the buffer, which are all of one line, can be cut; 0: nowhere. */
static size_t last_cut(const ur_line_reader *r)
{
    size_t at = r->end - r->begin;
    while (r->parts != UR_LINE_WHOLE && --at > 0) {
        const unsigned char c = (unsigned char)r->buffer[r->begin + at];
        if (c == ' ' || (r->parts == UR_LINE_ASCII && c >= ' ' && c < 0x7F))
            return at;
    }
    return 0;
}

/* The first `size` bytes as a part of a line. */
static ur_status hand_on_part(ur_line_reader *r, size_t size, ur_line *line)
{
    *line = (ur_line){r->buffer + r->begin, size, false};
    r->begin += size;
    r->lines.line += !r->inside;
    r->inside = true;
    return check_zero(&r->lines, line->bytes, size);
}

/* The first line, whose end is in the buffer, or the text's. */
static ur_status hand_on_line(ur_line_reader *r, ur_line *line)
{
    r->lines.bytes = r->buffer + r->begin;
    r->lines.size = r->end - r->begin;
    r->lines.line -= r->inside;
    r->inside = false;
    const ur_status status = ur_lines_next(&r->lines, line);
    r->begin = r->end - r->lines.size;
    return status;
}

ur_status ur_line_reader_next(ur_line_reader *r, ur_line *line, bool *more)
{
    const char end_mark = r->lines.returns ? '\r' : '\n';
    size_t seen = 0, cut; /* bytes in which no line ends */
    *more = true;
    for (;;) {
        const size_t unread = r->end - r->begin;
        if (r->lines.encoding ||
            (unread > seen && memchr(r->buffer + r->begin + seen, end_mark, unread - seen)))
            return hand_on_line(r, line);
        if (r->at == r->size) {
            *more = unread > 0;
            return unread ? hand_on_line(r, line) : UR_OK;
        }
        if (unread >= UR_TEXT_PIECE && (cut = last_cut(r)))
            return hand_on_part(r, cut, line);
        seen = unread;
        const ur_status status = fill(r);
        if (status != UR_OK)
            return status;
    }
}
