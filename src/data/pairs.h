/* pairs.h - the inside of a data set of pairs. */
#ifndef UR_DATA_PAIRS_H
#define UR_DATA_PAIRS_H

#include "text/remarks.h"
#include "unroll/text.h"

/* Pair i's question is ids[offset[2i]] up to ids[offset[2i+1]], its answer goes on to
 * offset[2i+2]. */
struct ur_pairs {
    const ur_allocator *a;
    size_t count;
    size_t *offset; /* (2 count + 1) */
    int32_t *ids;
    size_t unknown; /* ids that are UR_UNKNOWN */
    ur_remarks remarks;
};

/* The same as ur_pairs_learn and ur_pairs_open with a file's bytes instead of its path; `name`
 * stands for it in messages. `characters` (may be NULL) are ASCII and enter the vocabulary first. */
ur_status ur_pairs_learn_bytes(const ur_allocator *a, const char *name, const char *bytes,
                               size_t size, const char *characters, const ur_reading *reading,
                               const ur_pair_format *wanted, ur_pairs **out,
                               ur_vocabulary **vocabulary, ur_pair_format *format, ur_err *err);
ur_status ur_pairs_open_bytes(const ur_allocator *a, const char *name, const char *bytes,
                              size_t size, const ur_reading *reading, const ur_pair_format *format,
                              const ur_vocabulary *vocabulary, ur_pairs **out, ur_err *err);

/* A text without the spaces around it. */
void ur_strip(const char **bytes, size_t *size);

#endif
