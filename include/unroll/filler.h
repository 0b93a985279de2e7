/* unroll/filler.h - what stands behind [MASK] in a text, by a published BERT with its head for masked
 * words (transformers' BertForMaskedLM and BertForPreTraining). */
#ifndef UNROLL_FILLER_H
#define UNROLL_FILLER_H

#include "unroll/core.h"
#include "unroll/wordpiece.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ur_filler ur_filler;

/* Reads config.json, model.safetensors, vocab.txt, tokenizer_config.json, as ur_embedder_open does. UR_BAD_FILE,
 * besides: weights without that head, a vocabulary without [MASK]. */
ur_status ur_filler_open(ur_context *context, const char *folder, ur_filler **out, ur_err *err);
void ur_filler_free(ur_filler *filler); /* accepts NULL */
const ur_wordpiece *ur_filler_wordpiece(const ur_filler *filler);

/* One token that may stand there. */
typedef struct ur_filling {
    int32_t id;
    const char *token; /* valid as long as the filler */
    float probability;
} ur_filling;

/* How many [MASK] the text has. UR_BAD_FILE: none, not UTF-8, one that stands behind what is read. */
ur_status ur_filler_masks(ur_filler *filler, const char *text, size_t *count, ur_err *err);
/* The `best` most probable tokens of each, the most probable first, of equals the lower id: (masks, best).
 * UR_INVALID: best is not from 1 to the size of the vocabulary. */
ur_status ur_filler_apply(ur_filler *filler, const char *text, size_t best, ur_filling *out,
                          ur_err *err);

#ifdef __cplusplus
}
#endif

#endif
