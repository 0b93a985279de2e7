/* fuzz_labelled.c - any bytes are either refused with a sentence or labelled texts that open again
 * with the vocabularies learned from them, as the same ids and labels. The first byte chooses kind
 * and options. */
#include "frame.h"

#include <string.h>

#include "data/labelled.h"

const fuzz_setup fuzz_frame = {.memory = 1 << 20, .per_byte = 512, .failing = true};

static void check_ids(ur_ids ids, const ur_vocabulary *v)
{
    for (size_t i = 0; i < ids.length; i++)
        FUZZ_CHECK(ids.ids[i] >= 0 && (size_t)ids.ids[i] < ur_vocabulary_size(v));
}

static void check_sequences(const ur_labelled *d, ur_labelled_kind kind, const ur_vocabulary *v,
                            const ur_vocabulary *labels)
{
    size_t all = 0;
    for (size_t i = 0; i < ur_labelled_count(d); i++) {
        ur_ids t = ur_labelled_tokens(d, i), l = ur_labelled_labels(d, i);
        FUZZ_CHECK(t.length > 0 && l.length == (kind == UR_TAGGED ? t.length : 1));
        check_ids(t, v);
        check_ids(l, labels);
        all += t.length;
    }
    FUZZ_CHECK(all > 0 && all == ur_labelled_all_tokens(d));
}

void fuzz_one(const ur_allocator *a, const uint8_t *data, size_t size)
{
    ur_labelled *d, *again;
    ur_vocabulary *v, *labels;
    ur_err err = {UR_OK, ""};
    if (size == 0)
        return;
    ur_labelled_kind kind = data[0] & 1 ? UR_TAGGED : UR_CLASSIFIED;
    ur_text_options o = {.tokenizer = UR_WORDS, .lower = data[0] & 2};
    if (kind == UR_CLASSIFIED) {
        o.tokenizer = (ur_tokenizer)(data[0] / 8 % 5);
        o.letters_only = data[0] & 4;
    }
    ur_vocabulary_options choice = {.min_freq = data[0] >> 6};
    const char *text = (const char *)data + 1;
    ur_status status = ur_labelled_learn_bytes(a, "input", text, size - 1, kind, &o, NULL, &choice,
                                               &d, &v, &labels, &err);
    if (status != UR_OK) {
        fuzz_refused(status, &err, FUZZ_MAY(UR_BAD_FILE));
        FUZZ_CHECK(!d && !v && !labels);
        return;
    }
    check_sequences(d, kind, v, labels);
    status =
        ur_labelled_open_bytes(a, "input", text, size - 1, kind, &o, NULL, v, labels, &again, &err);
    if (fuzz_well(status, &err)) {
        FUZZ_CHECK(ur_labelled_count(again) == ur_labelled_count(d));
        FUZZ_CHECK(ur_labelled_unknown(again) == ur_labelled_unknown(d));
        FUZZ_CHECK(ur_labelled_fingerprint(again) == ur_labelled_fingerprint(d));
        ur_labelled_free(again);
    }
    ur_labelled_free(d);
    ur_vocabulary_free(v);
    ur_vocabulary_free(labels);
}
