/* made_labelled.h - labelled texts from arrays of ids: written to a file and read back, as tokens
 * "t0", "t1" ... and labels "l0", "l1" ... */
#ifndef UR_TESTS_MADE_LABELLED_H
#define UR_TESTS_MADE_LABELLED_H

#include "unroll/corpus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static inline ur_vocabulary *numbered(char letter, size_t count)
{
    ur_vocabulary *v;
    assert_int_equal(ur_vocabulary_new(NULL, &v, NULL), UR_OK);
    for (size_t i = 0; i < count; i++) {
        char name[24];
        int32_t id;
        const int bytes = snprintf(name, sizeof name, "%c%zu", letter, i);
        assert_int_equal(ur_vocabulary_add(v, name, (size_t)bytes, &id, NULL), UR_OK);
    }
    return v;
}

/* A file's text: sequence i has length[i] of the ids, and as many labels, or one. */
static inline void write_labelled(const char *path, ur_labelled_kind kind, size_t count,
                                  const size_t *length, const int32_t *ids, const int32_t *labels)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (size_t i = 0; i < count; i++) {
        if (kind == UR_CLASSIFIED)
            fprintf(f, "l%d\t", (int)*labels++);
        for (size_t j = 0; j < length[i]; j++)
            if (kind == UR_TAGGED)
                fprintf(f, "t%d\tl%d\n", (int)*ids++, (int)*labels++);
            else
                fprintf(f, "%st%d", j ? " " : "", (int)*ids++);
        fprintf(f, "\n");
    }
    assert_int_equal(fclose(f), 0);
}

static inline ur_labelled *labelled_of(const ur_allocator *a, ur_labelled_kind kind,
                                       size_t vocabulary, size_t n_labels, size_t count,
                                       const size_t *length, const int32_t *ids,
                                       const int32_t *labels)
{
    const ur_text_options options = {.tokenizer = UR_WORDS};
    ur_vocabulary *tokens = numbered('t', vocabulary), *names = numbered('l', n_labels);
    ur_labelled *data;
    ur_err err;
    write_labelled("labelled.txt", kind, count, length, ids, labels);
    if (ur_labelled_open(a, "labelled.txt", kind, &options, NULL, tokens, names, &data, &err) !=
        UR_OK)
        fail_msg("%s", err.text);
    ur_vocabulary_free(tokens);
    ur_vocabulary_free(names);
    remove("labelled.txt");
    return data;
}

#endif
