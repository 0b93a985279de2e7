/* buffer.h - a text that grows, for the writers of JSON and SVG.
 *
 * Failure is sticky: once memory ran out every later call does nothing, and the writer asks once at
 * the end. Numbers are written without printf's decimal point, which depends on the locale. */
#ifndef UR_IO_BUFFER_H
#define UR_IO_BUFFER_H

#include "unroll/core.h"

typedef struct ur_buffer {
    const ur_allocator *allocator;
    char *text; /* zero-terminated once anything was put */
    size_t size, capacity;
    bool failed;
} ur_buffer;

ur_buffer ur_buffer_start(const ur_allocator *a);
void ur_buffer_free(ur_buffer *b);

void ur_buffer_put(ur_buffer *b, const char *bytes, size_t n);
void ur_buffer_text(ur_buffer *b, const char *text);

void ur_buffer_int(ur_buffer *b, int64_t value);

/* `value` with `decimals` digits after the point, rounded to nearest; `trim` drops trailing zeros.
 * At most 9 decimals are written, sizes beyond 1e9 are cut to that, NaN is written as 0. Returns
 * `out`. */
enum { UR_FIXED = 32 };
const char *ur_fixed(char out[UR_FIXED], double value, int decimals, bool trim);

/* "1.5e-40": a finite value of any size, the digits after its point as ur_fixed writes them, trimmed;
 * "0" for 0. */
const char *ur_scientific(char out[UR_FIXED], double value, int decimals);

void ur_buffer_fixed(ur_buffer *b, double value, int decimals, bool trim);

/* The shortest decimal that reads back as the same double (finite values). Whole numbers keep a
 * ".0" so that a reader of JSON still sees a real. */
void ur_buffer_real(ur_buffer *b, double value);

/* Replaces the file at `path` by the text (ur_replace_file); reports memory that ran out before. */
ur_status ur_buffer_save(const ur_buffer *b, const char *path, ur_err *err);

#endif
