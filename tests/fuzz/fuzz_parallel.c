/* fuzz_parallel.c - a file of sentences beside their translations, or two files (a byte 0xff between them): the
 * languages learned from it read it again, and a sentence's ids, written out, are text. The first two bytes
 * choose. */
#include "frame.h"

#include <string.h>

#include "unroll/parallel.h"

const fuzz_setup fuzz_frame = {
    .memory = 4 << 20, .per_byte = 8192, .failing = true, .folder = true};

static void check_sentence(const ur_languages *l, const ur_text_options *text,
                           const ur_parallel *pairs, size_t i, int side)
{
    const ur_subwords how = ur_languages_side(l, text, side);
    const ur_ids ids = ur_parallel_ids(pairs, i, side);
    size_t characters;
    for (size_t k = 0; k < ids.length; k++)
        FUZZ_CHECK(ids.ids[k] >= 0 && (size_t)ids.ids[k] < ur_vocabulary_size(how.vocabulary));
    const size_t bytes = ur_subwords_decode(&how, ids.ids, ids.length, NULL, 0);
    char *out = malloc(bytes + 1);
    FUZZ_CHECK(out && ur_subwords_decode(&how, ids.ids, ids.length, out, bytes + 1) == bytes);
    FUZZ_CHECK(ur_utf8_count(out, bytes, &characters));
    free(out);
}

static void open_again(const ur_allocator *a, const char *data, const ur_parallel_options *options,
                       const ur_languages *languages, const ur_parallel *pairs)
{
    ur_parallel *again;
    ur_err err = {0};
    if (!fuzz_well(ur_parallel_open(a, data, options, languages, true, NULL, &again, NULL, &err),
                   &err))
        return;
    FUZZ_CHECK(ur_parallel_count(again) == ur_parallel_count(pairs));
    for (size_t i = 0; i < ur_parallel_count(again); i++)
        for (int side = 0; side < 2; side++)
            check_sentence(languages, &options->text, again, i, side);
    for (size_t i = 0; ur_parallel_remark(again, i); i++)
        FUZZ_CHECK(fuzz_printable(ur_parallel_remark(again, i)));
    ur_parallel_free(again);
}

void fuzz_one(const ur_allocator *a, const uint8_t *data, size_t size)
{
    fuzz_bytes input = {data, size};
    const uint8_t how = fuzz_byte(&input), size_of = fuzz_byte(&input);
    const fuzz_bytes first = fuzz_part(&input);
    const char *file = how & 1 ? "data.csv" : "data.tsv", *names = file;
    fuzz_put(file, first.at, first.left);
    if (how & 2) {
        fuzz_put("target", input.at, input.left);
        names = how & 1 ? "data.csv\ttarget" : "data.tsv\ttarget";
    }
    const ur_parallel_options options = {
        .text = {.tokenizer = (ur_tokenizer)((how >> 2 & 7) % 5), .lower = how & 32},
        .merges = size_of & 7,
        .joint = how & 64,
        .min_freq = 1 + (size_of >> 3 & 1),
        .max_size = size_of >> 4 & 1 ? 9 : 0,
        .threshold = size_of >> 5 & 1 ? 2 : 0,
        .max_length = size_of >> 6};
    ur_parallel *pairs, *valid = NULL;
    ur_languages languages;
    ur_err err = {0};
    const ur_valid_part apart = {.part = 0.3, .seed = 7};
    const ur_status status = ur_parallel_learn(a, names, &options, how & 128 ? &apart : NULL,
                                               &pairs, &valid, &languages, &err);
    if (status != UR_OK) {
        fuzz_refused(status, &err, FUZZ_MAY(UR_BAD_FILE) | FUZZ_MAY(UR_INVALID));
        return;
    }
    if (!(how & 128))
        open_again(a, names, &options, &languages, pairs);
    ur_parallel_free(pairs);
    ur_parallel_free(valid);
    ur_languages_free(&languages);
}
