/* builtin.h - what a built-in generator of pairs is. */
#ifndef UR_DATA_BUILTIN_H
#define UR_DATA_BUILTIN_H

#include "unroll/text.h"

typedef struct ur_generator {
    const char *name;       /* builtin:NAME */
    const char *characters; /* all that questions and answers can have, the separator excluded */
    size_t question_width, answer_width;
    size_t most[2]; /* lines of each split at most */
    /* Writes `count` lines, each question_width + 1 + answer_width + 1 bytes. */
    ur_status (*write)(const ur_allocator *a, const ur_pair_source *source, size_t count,
                       char *lines, ur_err *err);
} ur_generator;

extern const ur_generator ur_generate_dates, ur_generate_additions;

/* Whether a data source begins as that of a generator does, "builtin:"; NULL does not. */
bool ur_is_builtin(const char *data);

/* Whether a data source names a generator, and which: NULL when it is a file's path. UR_INVALID:
 * builtin: with a name that is none. */
ur_status ur_find_generator(const char *data, const ur_generator **out, ur_err *err);

/* The split that a question belongs to, by a number that stands for it. */
ur_split ur_split_of(uint64_t question);

/* `text` and spaces after it, `width` bytes in all. */
void ur_put_padded(char *out, const char *text, size_t width);

#endif
