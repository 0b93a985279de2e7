/* labelled.h - the inside of texts with labels. */
#ifndef UR_DATA_LABELLED_H
#define UR_DATA_LABELLED_H

#include "text/remarks.h"
#include "unroll/corpus.h"

/* Sequence i's tokens are tokens[offset[i]] up to tokens[offset[i+1]]; its labels stand in the same
 * places of labels (UR_TAGGED), or its one label is labels[i] (UR_CLASSIFIED). */
struct ur_labelled {
    const ur_allocator *a;
    ur_labelled_kind kind;
    size_t count, all, unknown, unknown_labels;
    size_t *offset;  /* (count + 1) */
    int32_t *tokens; /* (all) */
    int32_t *labels; /* (all) or (count) */
    ur_remarks remarks;
};

/* The same as ur_labelled_learn and ur_labelled_open with a file's bytes instead of its path;
 * `name` stands for it in messages. */
ur_status ur_labelled_learn_bytes(const ur_allocator *a, const char *name, const char *bytes,
                                  size_t size, ur_labelled_kind kind,
                                  const ur_text_options *options, const ur_reading *reading,
                                  const ur_vocabulary_options *choice, ur_labelled **out,
                                  ur_vocabulary **tokens, ur_vocabulary **labels, ur_err *err);
ur_status ur_labelled_open_bytes(const ur_allocator *a, const char *name, const char *bytes,
                                 size_t size, ur_labelled_kind kind, const ur_text_options *options,
                                 const ur_reading *reading, const ur_vocabulary *tokens,
                                 const ur_vocabulary *labels, ur_labelled **out, ur_err *err);

#endif
