/* table.h - a text file as rows of fields: lines cut at tabs or white space, or values between commas
 * or tabs with quotes (RFC 4180) below a line of names. */
#ifndef UR_DATA_TABLE_H
#define UR_DATA_TABLE_H

#include "text/lines.h"
#include "text/remarks.h"
#include "unroll/text.h"

/* A part of a line. */
typedef struct ur_span {
    const char *bytes;
    size_t size;
} ur_span;

typedef enum ur_cut {
    UR_CUT_NOT,    /* a row is a line */
    UR_CUT_BLANKS, /* at runs of spaces and tabs; a line with a tab at each tab alone */
    UR_CUT_TABS,   /* at each tab */
    UR_CUT_VALUES  /* at each `separator`, with quotes */
} ur_cut;

enum { UR_TABLE_COLUMNS = 256 }; /* that can be chosen from */

typedef struct ur_table {
    const ur_allocator *a;
    ur_lines lines;
    ur_cut cut;
    char separator; /* of values: a comma or a tab */
    char *scratch;  /* where doubled quotes are undone; as long as the file, once it is needed */
    size_t used, whole;
    size_t line;             /* number of the row's first line */
    ur_line row;             /* the row as it stands; of values over several lines the first */
    size_t fields;           /* of the row */
    size_t columns, counted; /* that rows have, and the line that said so (ur_table_even) */
    ur_span field[UR_TABLE_COLUMNS];
} ur_table;

void ur_table_start(ur_table *t, const ur_allocator *a, const char *name, const char *bytes,
                    size_t size, ur_err *err);
void ur_table_free(ur_table *t);

/* Whether there is another row; then reads it: t->row, t->field[0 .. t->fields). Fields are UTF-8 and
 * valid as long as the table. */
bool ur_table_more(const ur_table *t);
ur_status ur_table_next(ur_table *t);

/* Whether the row has nothing but spaces (and, unless tabs cut it, tabs). */
bool ur_table_blank(const ur_table *t);

/* UR_BAD_FILE unless the row has as many fields as the first one that was asked about. */
ur_status ur_table_even(ur_table *t);

/* The field without the spaces around it. */
ur_span ur_span_strip(ur_span span);

/* Whether somebody says which column it is, and whether by a number. */
bool ur_column_named(const char *column);
bool ur_column_numbered(const char *column);
/* The column's place in the row that was read last, which has names or (numbers) values. `option` is
 * what chooses it, for the message: "--label-column". */
ur_status ur_table_column(const ur_table *t, const char *column, const char *option, size_t *place);

/* Two columns that a file of values can have, input and target: how options and first lines call
 * them. */
typedef struct ur_two_columns {
    const char *option[2];       /* "--text-column" */
    const char *const *names[2]; /* in lower case, ended by NULL */
} ur_two_columns;

/* Finds out whether the file is one of values; if so, reads its line of names, says which columns are
 * taken and leaves their places. *values false: the file is of another form, nothing was read. */
ur_status ur_table_find_columns(ur_table *t, const ur_two_columns *two, const ur_reading *reading,
                                bool *values, size_t place[2], ur_remarks *remarks);

/* The remark about byte order marks inside the file, if there were any; t has been read to its
 * end. */
ur_status ur_lines_remark(const ur_lines *lines, ur_remarks *remarks);

#endif
