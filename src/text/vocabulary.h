/* vocabulary.h - the file of a vocabulary as bytes in memory. */
#ifndef UR_TEXT_VOCABULARY_H
#define UR_TEXT_VOCABULARY_H

#include "unroll/text.h"

/* The vocabulary that a file's bytes hold; `name` names the file in messages. */
ur_status ur_vocabulary_parse(const ur_allocator *a, const char *name, const char *bytes,
                              size_t size, ur_vocabulary **out, ur_err *err);

/* The bytes that its file holds, in fresh memory, and a zero byte after them; NULL for an empty
 * vocabulary. */
ur_status ur_vocabulary_print(const ur_vocabulary *vocabulary, char **bytes, size_t *size,
                              ur_err *err);

/* Where its memory comes from. */
const ur_allocator *ur_vocabulary_allocator(const ur_vocabulary *vocabulary);

#endif
