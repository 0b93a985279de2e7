/* fuzz_labelled.c - any bytes are either refused with a sentence or labelled texts that open again
 * with the vocabularies learned from them, as the same ids and labels. The first byte chooses kind
 * and options. */
#include <stdlib.h>
#include <string.h>

#include "data/labelled.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_ids(ur_ids ids, const ur_vocabulary *v)
{
    for (size_t i = 0; i < ids.length; i++)
        if (ids.ids[i] < 0 || (size_t)ids.ids[i] >= ur_vocabulary_size(v))
            abort();
}

static void check_sequences(const ur_labelled *d, ur_labelled_kind kind, const ur_vocabulary *v,
                            const ur_vocabulary *labels)
{
    size_t all = 0;
    for (size_t i = 0; i < ur_labelled_count(d); i++) {
        ur_ids t = ur_labelled_tokens(d, i), l = ur_labelled_labels(d, i);
        if (t.length == 0 || l.length != (kind == UR_TAGGED ? t.length : 1))
            abort();
        check_ids(t, v);
        check_ids(l, labels);
        all += t.length;
    }
    if (all == 0 || all != ur_labelled_all_tokens(d))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ur_labelled *d, *again;
    ur_vocabulary *v, *labels;
    ur_err err = {UR_OK, ""};
    if (size == 0)
        return 0;
    ur_labelled_kind kind = data[0] & 1 ? UR_TAGGED : UR_CLASSIFIED;
    ur_text_options o = {.tokenizer = UR_WORDS, .lower = data[0] & 2};
    if (kind == UR_CLASSIFIED) {
        o.tokenizer = (ur_tokenizer)(data[0] / 8 % 3);
        o.letters_only = data[0] & 4;
    }
    ur_vocabulary_options choice = {.min_freq = data[0] >> 6};
    const char *text = (const char *)data + 1;
    ur_status status = ur_labelled_learn_bytes(NULL, "input", text, size - 1, kind, &o, NULL,
                                               &choice, &d, &v, &labels, &err);
    if (status != UR_OK) {
        if (status != UR_BAD_FILE || err.text[0] == 0 || d || v || labels)
            abort();
        return 0;
    }
    check_sequences(d, kind, v, labels);
    if (ur_labelled_open_bytes(NULL, "input", text, size - 1, kind, &o, NULL, v, labels, &again,
                               &err) != UR_OK ||
        ur_labelled_count(again) != ur_labelled_count(d) ||
        ur_labelled_unknown(again) != ur_labelled_unknown(d) ||
        ur_labelled_fingerprint(again) != ur_labelled_fingerprint(d))
        abort();
    ur_labelled_free(d);
    ur_labelled_free(again);
    ur_vocabulary_free(v);
    ur_vocabulary_free(labels);
    return 0;
}
