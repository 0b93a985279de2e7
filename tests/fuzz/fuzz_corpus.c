/* fuzz_corpus.c - any bytes are either refused with a sentence or a text that opens again with the
 * vocabulary learned from it, as the same ids, and whose ids, printed and encoded, are the same
 * again. The first byte chooses the options, the second one the vocabulary. */
#include <stdlib.h>
#include <string.h>

#include "data/corpus.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All ids come back, but for <unk> under options with which a printed one is no token. Only whole
 * texts: under letters_only the last space of a part would be dropped. */
static void check_printed(const ur_text_options *o, const ur_vocabulary *v, ur_ids ids,
                          size_t unknown)
{
    if (unknown && (o->letters_only || o->tokenizer == UR_CHARACTERS))
        return;
    size_t bytes = ur_text_decode(o, v, -1, ids.ids, ids.length, NULL, 0), count, none;
    char *text = malloc(bytes + 1);
    int32_t *back = malloc((bytes + 1) * sizeof *back);
    if (!text || !back || ur_text_decode(o, v, -1, ids.ids, ids.length, text, bytes + 1) != bytes)
        abort();
    if (ur_text_encode(o, v, text, bytes, back, &count, &none, NULL) != UR_OK ||
        count != ids.length || memcmp(back, ids.ids, count * sizeof *back) != 0 || none != unknown)
        abort();
    free(text);
    free(back);
}

static void check_vocabulary(const ur_vocabulary *v, const ur_vocabulary_options *choice,
                             ur_ids ids)
{
    size_t most = choice->max_size + 1 + choice->reserved_count + 1;
    if (choice->max_size && ur_vocabulary_size(v) > most)
        abort();
    for (size_t i = 0; i < ids.length; i++)
        if (ids.ids[i] < 0 || (size_t)ids.ids[i] >= ur_vocabulary_size(v))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const reserved[] = {"pad"};
    ur_corpus *c, *again;
    ur_vocabulary *v;
    ur_err err = {UR_OK, ""};
    if (size < 2)
        return 0;
    ur_text_options o = {.tokenizer = (ur_tokenizer)(data[0] % 3),
                         .letters_only = data[0] & 4,
                         .lower = data[0] & 8,
                         .line_ends = data[0] & 16};
    ur_vocabulary_options choice = {.min_freq = data[1] & 3,
                                    .max_size = data[1] >> 2 & 7,
                                    .reserved = reserved,
                                    .reserved_count = data[1] >> 5 & 1};
    size_t most = data[1] >> 6;
    const char *text = (const char *)data + 2;
    ur_status status =
        ur_corpus_learn_bytes(NULL, "input", text, size - 2, &o, &choice, most, &c, &v, &err);
    if (status != UR_OK) {
        bool wrong = o.tokenizer == UR_CHARACTERS && o.line_ends;
        if (status != (wrong ? UR_INVALID : UR_BAD_FILE) || err.text[0] == 0 || c || v)
            abort();
        return 0;
    }
    ur_ids ids = ur_corpus_ids(c);
    check_vocabulary(v, &choice, ids);
    if (ids.length == 0 || (most && ids.length > most) ||
        ur_corpus_open_bytes(NULL, "input", text, size - 2, &o, v, most, &again, &err) != UR_OK ||
        ur_corpus_fingerprint(again) != ur_corpus_fingerprint(c) ||
        ur_corpus_unknown(again) != ur_corpus_unknown(c))
        abort();
    if (!most)
        check_printed(&o, v, ids, ur_corpus_unknown(c));
    ur_corpus_free(c);
    ur_corpus_free(again);
    ur_vocabulary_free(v);
    return 0;
}
