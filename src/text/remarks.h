/* remarks.h - what reading data found worth saying: sentences that the data set keeps for whoever
 * asks, since the library prints nothing. */
#ifndef UR_TEXT_REMARKS_H
#define UR_TEXT_REMARKS_H

#include "unroll/core.h"

typedef struct ur_remarks {
    const ur_allocator *a;
    char **text;
    size_t count, capacity;
} ur_remarks;

/* Adds a sentence, of which at most 500 bytes are kept. */
ur_status ur_remark(ur_remarks *remarks, ur_err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Number i; NULL behind the last. */
const char *ur_remark_at(const ur_remarks *remarks, size_t i);

void ur_remarks_free(ur_remarks *remarks);

#endif
