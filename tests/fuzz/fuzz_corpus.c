/* fuzz_corpus.c - any bytes are either refused with a sentence or a text that opens again with the
 * vocabulary learned from it, as the same ids, and whose ids, printed and encoded, are the same
 * again. The first byte chooses the options, the second one the vocabulary. */
#include "frame.h"

#include <string.h>

#include "data/corpus.h"

const fuzz_setup fuzz_frame = {.memory = 1 << 20, .per_byte = 256, .failing = true};

/* All ids come back, but for <unk> under options with which a printed one is no token, or hides a word, and <eos> where
 * words are joined. Only whole
 * texts: under letters_only the last space of a part would be dropped. */
static void check_printed(const ur_text_options *o, const ur_vocabulary *v, ur_ids ids,
                          size_t unknown)
{
    const bool shown = o->letters_only || o->tokenizer == UR_CHARACTERS;
    if ((unknown && shown) || (o->tokenizer == UR_WORDS_JOINED && (unknown || o->line_ends)))
        return;
    size_t bytes = ur_text_decode(o, v, -1, ids.ids, ids.length, NULL, 0), count, none;
    char *text = malloc(bytes + 1);
    int32_t *back = malloc((bytes + 1) * sizeof *back);
    FUZZ_CHECK(text && back);
    FUZZ_CHECK(ur_text_decode(o, v, -1, ids.ids, ids.length, text, bytes + 1) == bytes);
    ur_err err = {UR_OK, ""};
    if (fuzz_well(ur_text_encode(o, v, text, bytes, back, &count, &none, &err), &err)) {
        FUZZ_CHECK(count == ids.length && memcmp(back, ids.ids, count * sizeof *back) == 0);
        FUZZ_CHECK(none == unknown);
    }
    free(text);
    free(back);
}

static void check_vocabulary(const ur_vocabulary *v, const ur_vocabulary_options *choice,
                             ur_ids ids)
{
    size_t most = choice->max_size + 1 + choice->reserved_count + 1;
    FUZZ_CHECK(!choice->max_size || ur_vocabulary_size(v) <= most);
    for (size_t i = 0; i < ids.length; i++)
        FUZZ_CHECK(ids.ids[i] >= 0 && (size_t)ids.ids[i] < ur_vocabulary_size(v));
}

void fuzz_one(const ur_allocator *a, const uint8_t *data, size_t size)
{
    static const char *const reserved[] = {"pad"};
    ur_corpus *c, *again;
    ur_vocabulary *v;
    ur_err err = {UR_OK, ""};
    if (size < 2)
        return;
    ur_text_options o = {.tokenizer = (ur_tokenizer)((data[0] & 3) + (data[0] >> 7)),
                         .letters_only = data[0] & 4,
                         .lower = data[0] & 8,
                         .line_ends = data[0] & 16,
                         .unicode = (ur_unicode)((data[0] >> 5 & 3) % 3)};
    ur_vocabulary_options choice = {.min_freq = data[1] & 3,
                                    .max_size = data[1] >> 2 & 7,
                                    .reserved = reserved,
                                    .reserved_count = data[1] >> 5 & 1};
    size_t most = data[1] >> 6;
    const char *text = (const char *)data + 2;
    ur_status status =
        ur_corpus_learn_bytes(a, "input", text, size - 2, &o, &choice, most, &c, &v, &err);
    if (status != UR_OK) {
        const bool wrong = o.tokenizer == UR_CHARACTERS && o.line_ends;
        fuzz_refused(status, &err, FUZZ_MAY(wrong ? UR_INVALID : UR_BAD_FILE));
        FUZZ_CHECK(!c && !v);
        return;
    }
    ur_ids ids = ur_corpus_ids(c);
    check_vocabulary(v, &choice, ids);
    FUZZ_CHECK(ids.length > 0 && (!most || ids.length <= most));
    if (fuzz_well(ur_corpus_open_bytes(a, "input", text, size - 2, &o, v, most, &again, &err),
                  &err)) {
        FUZZ_CHECK(ur_corpus_fingerprint(again) == ur_corpus_fingerprint(c));
        FUZZ_CHECK(ur_corpus_unknown(again) == ur_corpus_unknown(c));
        ur_corpus_free(again);
    }
    if (!most)
        check_printed(&o, v, ids, ur_corpus_unknown(c));
    ur_corpus_free(c);
    ur_vocabulary_free(v);
}
