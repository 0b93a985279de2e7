/* pair_lines.h - the lines of a file of pairs: what stands before and behind the separator. For every
 * kind of model that learns from pairs, whatever its tokens are. */
#ifndef UR_DATA_PAIR_LINES_H
#define UR_DATA_PAIR_LINES_H

#include "data/table.h"

/* How columns of pairs are called. */
extern const ur_two_columns ur_pair_columns;

/* A separator is a tab where the first line with anything on it has one, else `_`; or the file is one
 * of values (ur_reading). */
typedef struct ur_pair_lines {
    ur_table table;
    char separator;      /* '\t' or '_'; 0: values */
    size_t place[2];     /* of question and answer among a row's values */
    size_t blank;        /* lines without anything on them, passed over */
    size_t more, at;     /* lines with a second tab, the first one's number */
    ur_remarks *remarks; /* or NULL */
} ur_pair_lines;

/* UR_BAD_FILE: nothing is there; and see ur_table_find_columns. remarks (may be NULL) hears which
 * columns are read. To be followed by ur_table_free(&lines->table), whatever it returns. */
ur_status ur_pair_lines_start(ur_pair_lines *lines, const ur_allocator *a, const char *name,
                              const char *bytes, size_t size, const ur_reading *reading,
                              ur_remarks *remarks, ur_err *err);

/* The next pair, both well-formed UTF-8; *found is false behind the last. The pair's line is
 * lines->table.line. */
ur_status ur_pair_lines_next(ur_pair_lines *lines, ur_span *question, ur_span *answer, bool *found);

/* Once the lines were read: what was passed over. */
ur_status ur_pair_lines_remark(const ur_pair_lines *lines, ur_remarks *remarks);

#endif
