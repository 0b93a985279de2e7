/* pair_lines.h - a file of pairs, line by line: question, separator, answer. */
#ifndef UR_DATA_PAIR_LINES_H
#define UR_DATA_PAIR_LINES_H

#include "unroll/text.h"
#include "text/lines.h"

typedef struct ur_pair_lines {
    ur_lines lines;
    char separator; /* '\t' or '_' */
    bool strip;
} ur_pair_lines;

/* A question or an answer: valid UTF-8. */
typedef struct ur_pair_text {
    const char *bytes;
    size_t size, characters;
} ur_pair_text;

/* Skips a byte order mark and finds out the separator. UR_BAD_FILE: nothing is there. */
ur_status ur_pair_lines_start(ur_pair_lines *pairs, const char *name, const char *bytes,
                              size_t size, bool strip, ur_err *err);

/* The next line; only to be called while pairs->lines.size > 0. */
ur_status ur_pair_lines_next(ur_pair_lines *pairs, ur_pair_text *question, ur_pair_text *answer);

/* Without the spaces around it. */
void ur_strip(const char **bytes, size_t *size);

#endif
