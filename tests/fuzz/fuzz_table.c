/* fuzz_table.c - a file of values (RFC 4180), or of lines cut at tabs, whose columns are chosen by name or
 * number: as texts with labels and as pairs; what is read once is read again. The first byte chooses; two parts
 * that end with 0xff are the columns' names. */
#include "frame.h"

#include <string.h>

#include "data/labelled.h"
#include "data/pairs.h"

const fuzz_setup fuzz_frame = {.memory = 1 << 20, .per_byte = 1024, .failing = true};

static void labelled(const ur_allocator *a, const char *name, fuzz_bytes file,
                     const ur_reading *reading, uint8_t how)
{
    ur_labelled *d, *again;
    ur_vocabulary *tokens, *labels;
    ur_err err = {0};
    const ur_text_options options = {.tokenizer = UR_WORDS, .lower = how & 4};
    const ur_labelled_kind kind = how & 8 ? UR_TAGGED : UR_CLASSIFIED;
    const char *bytes = (const char *)file.at;
    const ur_vocabulary_options choice = {.min_freq = 1};
    ur_status status = ur_labelled_learn_bytes(a, name, bytes, file.left, kind, &options, reading,
                                               &choice, &d, &tokens, &labels, &err);
    if (status != UR_OK) {
        fuzz_refused(status, &err, FUZZ_MAY(UR_BAD_FILE) | FUZZ_MAY(UR_INVALID));
        return;
    }
    status = ur_labelled_open_bytes(a, name, bytes, file.left, kind, &options, reading, tokens,
                                    labels, &again, &err);
    if (fuzz_well(status, &err)) {
        FUZZ_CHECK(ur_labelled_fingerprint(again) == ur_labelled_fingerprint(d));
        for (size_t i = 0; ur_labelled_remark(again, i); i++)
            FUZZ_CHECK(fuzz_printable(ur_labelled_remark(again, i)));
        ur_labelled_free(again);
    }
    ur_labelled_free(d);
    ur_vocabulary_free(tokens);
    ur_vocabulary_free(labels);
}

static void pairs(const ur_allocator *a, const char *name, fuzz_bytes file,
                  const ur_reading *reading, uint8_t how)
{
    ur_pairs *p, *again;
    ur_vocabulary *v;
    ur_pair_format f;
    ur_err err = {0};
    const char *bytes = (const char *)file.at;
    const ur_pair_format wanted = {.strip = how & 4, .lower = how & 8};
    ur_status status =
        ur_pairs_learn_bytes(a, name, bytes, file.left, NULL, reading, &wanted, &p, &v, &f, &err);
    if (status != UR_OK) {
        fuzz_refused(status, &err, FUZZ_MAY(UR_BAD_FILE) | FUZZ_MAY(UR_INVALID));
        return;
    }
    status = ur_pairs_open_bytes(a, name, bytes, file.left, reading, &f, v, &again, &err);
    if (fuzz_well(status, &err)) {
        FUZZ_CHECK(ur_pairs_count(again) == ur_pairs_count(p));
        for (size_t i = 0; ur_pairs_remark(again, i); i++)
            FUZZ_CHECK(fuzz_printable(ur_pairs_remark(again, i)));
        ur_pairs_free(again);
    }
    ur_pairs_free(p);
    ur_vocabulary_free(v);
}

void fuzz_one(const ur_allocator *a, const uint8_t *data, size_t size)
{
    static const char *const names[] = {"input.csv", "input.tsv", "input.txt", "input"};
    fuzz_bytes input = {data, size};
    const uint8_t how = fuzz_byte(&input);
    char *first = fuzz_text(fuzz_part(&input)), *second = fuzz_text(fuzz_part(&input));
    const ur_reading reading = {.input_column = first,
                                .target_column = second,
                                .max_length = how >> 4 & 7,
                                .skip = how & 0x80};
    labelled(a, names[how & 3], input, &reading, how);
    pairs(a, names[how & 3], input, &reading, how);
    free(first);
    free(second);
}
