/* unroll/bleu.h - how good translations are: corpus BLEU and chrF as sacreBLEU 2 computes them, and
 * BLEU of one sentence as Dive into Deep Learning has it.
 *
 * Texts are UTF-8. The sums are kept sentence by sentence, so nothing but one sentence is in memory. */
#ifndef UNROLL_BLEU_H
#define UNROLL_BLEU_H

#include "unroll/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- BLEU (Papineni et al. 2002; sacreBLEU: Post 2018) -------------------------------------- */

/* What the words of a sentence are. */
typedef enum ur_bleu_tokenizer {
    UR_BLEU_13A, /* as mteval-v13a.pl has it: punctuation apart */
    UR_BLEU_NONE /* what stands between white space */
} ur_bleu_tokenizer;

enum { UR_BLEU_ORDER = 4 };

typedef struct ur_bleu ur_bleu;

/* score = bp exp(sum over n = 1..4 of log precision[n] / 4), in [0, 100]. Precisions are per cent; one
 * without a match is 100 / (2^k total), k counting such ones (smoothing `exp`); one without any n-gram
 * makes the score 0 (effective order off). Each sentence counts with its reference that is closest in
 * length. */
typedef struct ur_bleu_score {
    double score, precision[UR_BLEU_ORDER], brevity_penalty;
    size_t correct[UR_BLEU_ORDER], total[UR_BLEU_ORDER]; /* n-grams */
    size_t length, reference_length;                     /* words */
} ur_bleu_score;

ur_status ur_bleu_new(const ur_allocator *a, ur_bleu_tokenizer tokenizer, ur_bleu **out,
                      ur_err *err);
void ur_bleu_free(ur_bleu *bleu); /* accepts NULL */
/* A sentence with its references. UR_INVALID: there is none. */
ur_status ur_bleu_add(ur_bleu *bleu, const char *text, size_t count, const char *const *references,
                      ur_err *err);
ur_bleu_score ur_bleu_result(const ur_bleu *bleu);

/* sacreBLEU's signature but for the version: "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp", nrefs:var
 * where sentences have different numbers of references. Returns `text`. */
#define UR_SIGNATURE 96
const char *ur_bleu_signature(const ur_bleu *bleu, char text[UR_SIGNATURE]);

/* ---- chrF2 (Popovic 2015) -------------------------------------------------------------------- */

/* F score of character n-grams without white space, orders 1 to 6, beta 2, no words; of several
 * references of a sentence the one that it is best by counts. In [0, 100]. */
typedef struct ur_chrf ur_chrf;

ur_status ur_chrf_new(const ur_allocator *a, ur_chrf **out, ur_err *err);
void ur_chrf_free(ur_chrf *chrf);
ur_status ur_chrf_add(ur_chrf *chrf, const char *text, size_t count, const char *const *references,
                      ur_err *err);
double ur_chrf_result(const ur_chrf *chrf);
/* "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no" */
const char *ur_chrf_signature(const ur_chrf *chrf, char text[UR_SIGNATURE]);

/* ---- one sentence ---------------------------------------------------------------------------- */

/* exp(min(0, 1 - words of label / words of text)) x product over n = 1..k of p_n^(1/2^n), in [0, 1]:
 * Dive into Deep Learning, section 9.7; words are what stands between white space. A text without words
 * or with fewer than n of them has 0. */
ur_status ur_bleu_sentence(const ur_allocator *a, const char *text, const char *label, size_t k,
                           double *out, ur_err *err);

#ifdef __cplusplus
}
#endif

#endif
