/* lines.h - a text file in memory, line by line. */
#ifndef UR_TEXT_LINES_H
#define UR_TEXT_LINES_H

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

#endif
