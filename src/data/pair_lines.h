/* pair_lines.h - a file of pairs, line by line: question, separator, answer. */
#ifndef UR_DATA_PAIR_LINES_H
#define UR_DATA_PAIR_LINES_H

#include "unroll/text.h"

#define UR_PAIR_FILE_LIMIT ((size_t)1 << 30)

typedef struct ur_pair_lines {
    const char *name;  /* the file's, for messages */
    const char *bytes; /* what is left to read */
    size_t size;
    size_t line;    /* number of the last line read, from 1 */
    char separator; /* '\t' or '_' */
    bool strip;
    ur_err *err;
} ur_pair_lines;

/* A question or an answer: valid UTF-8. */
typedef struct ur_pair_text {
    const char *bytes;
    size_t size, characters;
} ur_pair_text;

/* Skips a byte order mark and finds out the separator. UR_BAD_FILE: nothing is there. */
ur_status ur_pair_lines_start(ur_pair_lines *lines, const char *name, const char *bytes,
                              size_t size, bool strip, ur_err *err);

/* The next line; only to be called while lines->size > 0. */
ur_status ur_pair_lines_next(ur_pair_lines *lines, ur_pair_text *question, ur_pair_text *answer);

/* Without the spaces around it. */
void ur_strip(const char **bytes, size_t *size);

#endif
