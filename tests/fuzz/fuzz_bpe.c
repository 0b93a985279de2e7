/* fuzz_bpe.c - a file of merges, or words that merges are learned from, and then a text: the file's bytes are
 * refused with a sentence or print to a file that reads as the same merges, and a word is cut into parts that
 * are the word. The first byte chooses; a byte 0xff ends the file. */
#include "frame.h"

#include <string.h>

#include "base/alloc.h"
#include "text/bpe.h"

const fuzz_setup fuzz_frame = {.memory = 1 << 20, .per_byte = 2048, .failing = true};

/* Merges of the words of a text, as often as they come. */
static ur_status learn(const ur_allocator *a, uint8_t how, fuzz_bytes text, ur_bpe **out,
                       ur_err *err)
{
    enum { MOST = 64 };
    ur_word_count words[MOST];
    size_t n = 0;
    for (const char *at = (const char *)text.at, *end = at + text.left; at < end && n < MOST;) {
        const char *stop = memchr(at, ' ', (size_t)(end - at));
        const size_t size = (size_t)((stop ? stop : end) - at);
        size_t characters;
        if (size && ur_utf8_count(at, size, &characters))
            words[n++] = (ur_word_count){at, size, 1 + size % 3};
        at += size + 1;
    }
    return ur_bpe_learn(a, n, words, how, how & 3, out, err);
}

static void check_split(const ur_bpe *bpe, const ur_vocabulary *known, const char *word,
                        size_t bytes)
{
    size_t *end = malloc((bytes + 1) * sizeof *end);
    FUZZ_CHECK(end != NULL);
    const size_t parts = ur_bpe_split(bpe, known, word, bytes, end);
    FUZZ_CHECK(parts <= bytes && (bytes == 0 || parts > 0));
    for (size_t i = 0; i < parts; i++)
        FUZZ_CHECK(end[i] > (i ? end[i - 1] : 0));
    FUZZ_CHECK(parts == 0 || end[parts - 1] == bytes);
    free(end);
}

static void check_file(const ur_allocator *a, const ur_bpe *bpe)
{
    ur_bpe *again;
    ur_err err = {0};
    char *text;
    size_t bytes;
    if (!fuzz_well(ur_bpe_print(bpe, &text, &bytes, &err), &err))
        return;
    if (fuzz_well(ur_bpe_parse(a, "printed", text, bytes, &again, &err), &err)) {
        FUZZ_CHECK(ur_bpe_count(again) == ur_bpe_count(bpe));
        ur_bpe_free(again);
    }
    ur_free(a, text);
}

/* The text as subwords whose vocabulary is some of the merges. */
static void check_text(const ur_bpe *bpe, const ur_vocabulary *known, fuzz_bytes text)
{
    ur_text_options options = ur_text_defaults(UR_WORDS_PUNCTUATION, false);
    options.line_ends = false;
    const ur_subwords how = {.options = &options, .bpe = bpe, .vocabulary = known};
    int32_t *ids = malloc((text.left + 1) * sizeof *ids);
    size_t count, unknown, characters;
    ur_err err = {0};
    FUZZ_CHECK(ids != NULL);
    const ur_status status =
        ur_subwords_encode(&how, (const char *)text.at, text.left, ids, &count, &unknown, &err);
    if (status != UR_OK) {
        fuzz_refused(status, &err, FUZZ_MAY(UR_BAD_FILE));
    } else {
        FUZZ_CHECK(count <= text.left && unknown <= count);
        const size_t bytes = ur_subwords_decode(&how, ids, count, NULL, 0);
        char *out = malloc(bytes + 1);
        FUZZ_CHECK(out && ur_subwords_decode(&how, ids, count, out, bytes + 1) == bytes);
        FUZZ_CHECK(ur_utf8_count(out, bytes, &characters) && strlen(out) == bytes);
        free(out);
    }
    free(ids);
}

static void use(const ur_allocator *a, const ur_bpe *bpe, fuzz_bytes text)
{
    ur_vocabulary *known;
    ur_err err = {0};
    int32_t id;
    size_t characters;
    if (!fuzz_well(ur_vocabulary_new(a, &known, &err), &err))
        return;
    bool well = fuzz_well(ur_vocabulary_add_reserved(known, "unk", &id, &err), &err);
    for (size_t i = 0; i < ur_bpe_count(bpe) && well; i += 2) {
        size_t bytes;
        const char *made = ur_bpe_made(bpe, i, &bytes);
        well = fuzz_well(ur_vocabulary_add(known, made, bytes, &id, &err), &err);
    }
    if (well) {
        if (ur_utf8_count((const char *)text.at, text.left, &characters)) {
            check_split(bpe, NULL, (const char *)text.at, text.left);
            check_split(bpe, known, (const char *)text.at, text.left);
        }
        check_text(bpe, known, text);
    }
    ur_vocabulary_free(known);
}

void fuzz_one(const ur_allocator *a, const uint8_t *data, size_t size)
{
    fuzz_bytes input = {data, size};
    const uint8_t how = fuzz_byte(&input);
    const fuzz_bytes file = fuzz_part(&input);
    ur_bpe *bpe;
    ur_err err = {0};
    const ur_status status =
        how & 0x80 ? learn(a, how & 0x7f, file, &bpe, &err)
                   : ur_bpe_parse(a, "input", (const char *)file.at, file.left, &bpe, &err);
    if (status != UR_OK) {
        fuzz_refused(status, &err, FUZZ_MAY(UR_BAD_FILE));
        return;
    }
    check_file(a, bpe);
    use(a, bpe, input);
    ur_bpe_free(bpe);
}
