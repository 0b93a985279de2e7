/* corpus.h - the inside of a whole text's ids. */
#ifndef UR_DATA_CORPUS_H
#define UR_DATA_CORPUS_H

#include "unroll/corpus.h"

struct ur_corpus {
    const ur_allocator *a;
    int32_t *ids;
    size_t count, unknown;
};

/* The same as ur_corpus_learn and ur_corpus_open with a file's bytes instead of its path; `name`
 * stands for it in messages. */
ur_status ur_corpus_learn_bytes(const ur_allocator *a, const char *name, const char *bytes,
                                size_t size, const ur_text_options *options,
                                const ur_vocabulary_options *choice, size_t max_tokens,
                                ur_corpus **out, ur_vocabulary **vocabulary, ur_err *err);
ur_status ur_corpus_open_bytes(const ur_allocator *a, const char *name, const char *bytes,
                               size_t size, const ur_text_options *options,
                               const ur_vocabulary *vocabulary, size_t max_tokens, ur_corpus **out,
                               ur_err *err);

#endif
