/* lines.h - a text file, line by line: in memory, or read in pieces. */
#ifndef UR_TEXT_LINES_H
#define UR_TEXT_LINES_H

#include "base/tiny.h"
#include "unroll/core.h"

#define UR_TEXT_FILE_LIMIT ((size_t)1 << 30)

typedef struct ur_lines {
    const char *name;  /* the file's, for messages */
    const char *bytes; /* what is left to read */
    size_t size;
    size_t line;  /* number of the last line read, from 1 */
    bool returns; /* CRs end lines: there is no LF in the file */
    const char
        *encoding; /* "UTF-16" or so, where the file's first bytes are not UTF-8's; or NULL */
    size_t marks,
        marked; /* later lines that begin with a byte order mark; the first one's number */
    ur_err *err;
} ur_lines;

/* One line without its end: LF, and the CRs before it (or before the file's end, where the last LF
 * may be missing: then `ended` is false); or a CR. */
typedef struct ur_line {
    const char *bytes;
    size_t size;
    bool ended;
} ur_line;

/* Skips a byte order mark, and finds out what ends lines. */
void ur_lines_start(ur_lines *lines, const char *name, const char *bytes, size_t size, ur_err *err);

/* The next line; only to be called while lines->size > 0. UR_BAD_FILE: it holds a zero byte, or the
 * file is in UTF-16 or UTF-32. */
ur_status ur_lines_next(ur_lines *lines, ur_line *line);

/* UR_BAD_FILE unless the last line is UTF-8. */
ur_status ur_lines_check(const ur_lines *lines, const char *bytes, size_t size);

/* ---- in pieces ----------------------------------------------------------------------------- */

enum { UR_TEXT_PIECE = UR_SIZE(1 << 20, 16) }; /* bytes that are read at a time */

/* Where a line that is longer than a piece may be handed on in parts. */
typedef enum ur_line_parts {
    UR_LINE_WHOLE,  /* nowhere */
    UR_LINE_SPACES, /* before a space */
    UR_LINE_ASCII   /* before a character of ASCII, to which no character before it joins */
} ur_line_parts;

/* A text of which only a piece is in memory: with the line that is being read, where that cannot be
 * handed on in parts. */
typedef struct ur_line_reader {
    const ur_allocator *a;
    ur_lines lines;    /* the line read last; name, encoding, marks */
    const char *bytes; /* (size) the text where it is in memory; NULL: in the file */
    int fd;
    uint64_t size, at; /* of the text, and what of it has been read */
    ur_line_parts parts;
    char *buffer;
    size_t begin, end, capacity; /* of the buffer, [begin, end) is still to be handed on */
    bool inside;                 /* a part of the current line was */
} ur_line_reader;

/* UR_BAD_FILE: not a regular file, or larger than UR_TEXT_FILE_LIMIT. Whatever it returns is to be
 * followed by ur_line_reader_close, and UR_OK by ur_line_reader_begin. */
ur_status ur_line_reader_open(ur_line_reader *r, const ur_allocator *a, const char *path,
                              ur_line_parts parts, ur_err *err);
/* A text in memory, `name` for its messages. */
void ur_line_reader_over(ur_line_reader *r, const ur_allocator *a, const char *name,
                         const char *bytes, size_t size, ur_line_parts parts, ur_err *err);
void ur_line_reader_close(ur_line_reader *r);

/* The next line will be the first one. */
ur_status ur_line_reader_begin(ur_line_reader *r);
/* Whether there is nothing in the text, or a byte order mark alone. */
bool ur_line_reader_is_empty(const ur_line_reader *r);

/* The next line, or part of one (then `ended` is false, and true of its last part only), as
 * ur_lines_next gives it; valid until the next call. *more is false behind the last. UR_BAD_FILE as
 * there; UR_IO. */
ur_status ur_line_reader_next(ur_line_reader *r, ur_line *line, bool *more);

#endif
