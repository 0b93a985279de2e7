/* fuzz_scores.c - a translation and, behind a byte 0xff, its reference, any bytes: BLEU and chrF are in their
 * range. The first byte chooses. */
#include "frame.h"

#include <string.h>

#include "unroll/bleu.h"

const fuzz_setup fuzz_frame = {.memory = 1 << 20, .per_byte = 4096, .failing = true};

static void score(const ur_allocator *a, const char *text, const char *reference, uint8_t how)
{
    ur_bleu *bleu;
    ur_chrf *chrf;
    double one;
    ur_err err = {0};
    if (fuzz_well(ur_bleu_new(a, (ur_bleu_tokenizer)(how & 1), &bleu, &err), &err)) {
        if (fuzz_well(ur_bleu_add(bleu, text, 1, &reference, &err), &err)) {
            const ur_bleu_score s = ur_bleu_result(bleu);
            FUZZ_CHECK(s.score >= 0.0 && s.score <= 100.0 + 1e-9);
            FUZZ_CHECK(strcmp(text, reference) != 0 || s.length == s.reference_length);
        }
        ur_bleu_free(bleu);
    }
    if (fuzz_well(ur_chrf_new(a, &chrf, &err), &err)) {
        if (fuzz_well(ur_chrf_add(chrf, text, 1, &reference, &err), &err)) {
            const double f = ur_chrf_result(chrf);
            FUZZ_CHECK(f >= 0.0 && f <= 100.0 + 1e-9);
        }
        ur_chrf_free(chrf);
    }
    if (fuzz_well(ur_bleu_sentence(a, text, reference, 1 + (how >> 1 & 3), &one, &err), &err))
        FUZZ_CHECK(one >= 0.0 && one <= 1.0 + 1e-9);
}

void fuzz_one(const ur_allocator *a, const uint8_t *data, size_t size)
{
    fuzz_bytes input = {data, size};
    const uint8_t how = fuzz_byte(&input);
    char *text = fuzz_text(fuzz_part(&input)), *reference = fuzz_text(input);
    score(a, text, reference, how);
    free(text);
    free(reference);
}
