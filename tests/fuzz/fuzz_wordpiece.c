/* fuzz_wordpiece.c - BERT's tokenizer: a vocabulary's file (or words that one is learned from), then a text and,
 * behind a byte 0xff, a second one. The file's bytes are refused with a sentence or print to a file that reads
 * as the same tokens; pieces of a text lie in it, in order. The first two bytes choose. */
#include "frame.h"

#include <string.h>

#include "base/alloc.h"
#include "text/wordpiece.h"

const fuzz_setup fuzz_frame = {.memory = 1 << 20, .per_byte = 2048, .failing = true};

static ur_status learn(const ur_allocator *a, uint8_t how, fuzz_bytes text, char **file,
                       size_t *bytes, ur_err *err)
{
    enum { MOST = 64 };
    static const char *const special[UR_SPECIALS] = {"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"};
    const ur_wordpiece_choice choice = {
        .special = special, .whole = how & 1, .max_size = how >> 2 & 15, .min_freq = how & 2};
    ur_word_count words[MOST];
    size_t n = 0;
    for (const char *at = (const char *)text.at, *end = at + text.left; at < end && n < MOST;) {
        const char *stop = memchr(at, ' ', (size_t)(end - at));
        const size_t size = (size_t)((stop ? stop : end) - at);
        size_t characters;
        if (size && ur_utf8_count(at, size, &characters) && characters <= 100 &&
            !memchr(at, '\0', size) && !memchr(at, '\n', size) && !memchr(at, '\r', size))
            words[n++] = (ur_word_count){at, size, 1 + size % 3};
        at += size + 1;
    }
    return ur_wordpiece_learn(a, n, words, &choice, file, bytes, err);
}

static void check_file(const ur_allocator *a, const ur_wordpiece *w, const ur_wordpiece_options *o)
{
    ur_wordpiece *again;
    ur_err err = {0};
    char *text;
    size_t bytes;
    if (!fuzz_well(ur_wordpiece_print(w, &text, &bytes, &err), &err))
        return;
    if (fuzz_well(ur_wordpiece_parse(a, "printed", text, bytes, o, &again, &err), &err)) {
        FUZZ_CHECK(ur_wordpiece_size(again) == ur_wordpiece_size(w));
        for (int32_t id = 0; (size_t)id < ur_wordpiece_size(w); id++)
            FUZZ_CHECK(strcmp(ur_wordpiece_token(w, id), ur_wordpiece_token(again, id)) == 0);
        ur_wordpiece_free(again);
    }
    ur_free(a, text);
}

static void check_pieces(const ur_wordpiece *w, const ur_pieces *p, const size_t size[2],
                         size_t most)
{
    size_t last[2] = {0, 0};
    FUZZ_CHECK(most == 0 || p->count <= most);
    for (size_t i = 0; i < p->count; i++) {
        const ur_piece *at = &p->piece[i];
        FUZZ_CHECK(at->id >= 0 && (size_t)at->id < ur_wordpiece_size(w));
        FUZZ_CHECK(at->segment == 0 || at->segment == 1);
        FUZZ_CHECK(at->begin <= at->end && at->end <= size[at->segment]);
        if (at->end == 0)
            continue;
        FUZZ_CHECK(at->end >= last[at->segment]);
        last[at->segment] = at->end;
    }
}

static void encode(const ur_allocator *a, const ur_wordpiece *w, uint8_t how, fuzz_bytes text)
{
    const fuzz_bytes first = fuzz_part(&text);
    const size_t size[2] = {first.left, text.left}, most = how & 15;
    ur_pieces pieces = {.allocator = a};
    ur_err err = {0};
    const ur_status status = ur_wordpiece_encode(
        w, (const char *)first.at, first.left, text.left ? (const char *)text.at : NULL, text.left,
        most, (ur_cutting)(how >> 4 & 3), &pieces, &err);
    if (status == UR_OK)
        check_pieces(w, &pieces, size, most);
    else
        fuzz_refused(status, &err, FUZZ_MAY(UR_BAD_FILE) | FUZZ_MAY(UR_INVALID));
    ur_pieces_free(&pieces);
}

void fuzz_one(const ur_allocator *a, const uint8_t *data, size_t size)
{
    static const char *const more[] = {"[E1]", "##a"};
    fuzz_bytes input = {data, size};
    const uint8_t how = fuzz_byte(&input), cut = fuzz_byte(&input);
    fuzz_bytes file = fuzz_part(&input);
    ur_wordpiece_options options = ur_wordpiece_defaults();
    ur_wordpiece *w;
    ur_err err = {0};
    char *learned = NULL;
    if (how & 0x80) {
        const ur_status status = learn(a, how, file, &learned, &file.left, &err);
        if (status != UR_OK) {
            fuzz_refused(status, &err, FUZZ_MAY(UR_INVALID));
            return;
        }
        file.at = (const uint8_t *)learned;
    } else {
        options.lower = how & 1;
        options.strip_accents = how & 2;
        options.ideographs = how & 4;
        options.more = more;
        options.n_more = how >> 3 & 1 ? 2 : 0;
    }
    const ur_status status =
        ur_wordpiece_parse(a, "input", (const char *)file.at, file.left, &options, &w, &err);
    if (status == UR_OK) {
        check_file(a, w, &options);
        encode(a, w, cut, input);
        ur_wordpiece_free(w);
    } else {
        fuzz_refused(status, &err, learned ? 0 : FUZZ_MAY(UR_BAD_FILE));
    }
    ur_free(a, learned);
}
