/* parallel.h - the inside of pairs of sentences. */
#ifndef UR_DATA_PARALLEL_H
#define UR_DATA_PARALLEL_H

#include "text/remarks.h"
#include "unroll/parallel.h"

struct ur_parallel {
    const ur_allocator *a;
    size_t count;
    size_t *offset; /* (2 count + 1) into ids: source, target, source ... */
    int32_t *ids;
    size_t *text_offset; /* (2 count) into text */
    char *text;
    ur_parallel_notes notes;
    ur_remarks remarks;
};

#endif
