/* lines.h - a text file in memory, line by line. */
#ifndef UR_TEXT_LINES_H
#define UR_TEXT_LINES_H

#include "unroll/core.h"

#define UR_TEXT_FILE_LIMIT ((size_t)1 << 30)

typedef struct ur_lines {
    const char *name;  /* the file's, for messages */
    const char *bytes; /* what is left to read */
    size_t size;
    size_t line; /* number of the last line read, from 1 */
    ur_err *err;
} ur_lines;

/* One line without its end: LF, and the CRs before it (or before the file's end, where the last LF
 * may be missing: then `ended` is false). */
typedef struct ur_line {
    const char *bytes;
    size_t size;
    bool ended;
} ur_line;

/* Skips a byte order mark. */
void ur_lines_start(ur_lines *lines, const char *name, const char *bytes, size_t size, ur_err *err);

/* The next line; only to be called while lines->size > 0. UR_BAD_FILE: it holds a zero byte. */
ur_status ur_lines_next(ur_lines *lines, ur_line *line);

/* UR_BAD_FILE unless the last line, or a part of it, is UTF-8. `where` is "" or " in the question"
 * or so; *characters (may be NULL) counts them. */
ur_status ur_lines_check(const ur_lines *lines, const char *bytes, size_t size, const char *where,
                         size_t *characters);

#endif
