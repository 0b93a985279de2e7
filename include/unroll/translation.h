/* unroll/translation.h - models that translate sentences of one language into another. */
#ifndef UNROLL_TRANSLATION_H
#define UNROLL_TRANSLATION_H

#include "unroll/decode.h"
#include "unroll/model.h"
#include "unroll/parallel.h"
#include "unroll/transformer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What stands between a sentence and its translation. These are their numbers in the list;
 * ur_translator_name(i) is NULL behind the last.
 *   rnn       the encoder's last states start the decoder, and its top one is fed to every step beside
 *             the word before (Cho et al. 2014; Dive into Deep Learning, section 9.7)
 *   bahdanau  at every step the decoder's state before it looks at all of the encoder's outputs, with
 *             additive attention, whose context is fed beside the word before (Bahdanau et al. 2014;
 *             Dive into Deep Learning, section 10.4)
 *   transformer  attention alone, sine positions, a last norm on both sides (Vaswani et al. 2017) */
enum { UR_TRANSLATOR_RNN, UR_TRANSLATOR_BAHDANAU, UR_TRANSLATOR_TRANSFORMER };
const char *ur_translator_name(size_t i);

enum { UR_TRANSLATION_PYTORCH, UR_TRANSLATION_XAVIER };

/* Both sides end with <eos>; the decoder reads <bos> first. Parameters are encoder.embed.weight,
 * encoder.CELL.*, decoder.embed.weight, decoder.CELL.* and decoder.fc.*, named as in PyTorch, and for
 * bahdanau decoder.attention.W_q.weight, W_k.weight and w_v.weight; of a Transformer, where the bodies are
 * nn.Transformer's, encoder.layers.*, encoder.norm.*, decoder.layers.*, decoder.norm.* in place of cells. */
typedef struct ur_translation_config {
    size_t vocabulary, target_vocabulary; /* filled in from the data; they are one where joint */
    int model;                            /* UR_TRANSLATOR_RNN ... */
    size_t embed_size, hidden_size;
    const char *cell;         /* of encoder and decoder, see ur_rnn_config */
    size_t layers;            /* of each */
    ur_directions directions; /* of the encoder; the decoder is as wide as its outputs */
    float dropout;            /* of what goes from layer to layer, and of the attention weights */
    int init; /* UR_TRANSLATION_XAVIER: matrices of recurrent and linear layers U(-b, b), b =
                 sqrt(6 / (rows + columns)), all else as in PyTorch */
    /* Of a Transformer, whose d is hidden_size: */
    size_t heads, feed_forward_size; /* 0: 4 hidden_size */
    ur_activation activation;
    bool norm_first;
    ur_tie tie;            /* UR_TIE_ALL: with one vocabulary alone */
    float label_smoothing; /* see ur_cross_entropy_smoothed; of any model */
    ur_parallel_options text;
} ur_translation_config;

ur_translation_config ur_translation_defaults(void);
ur_status ur_translation_check(const ur_translation_config *config, ur_err *err);
/* UR_INVALID: vocabularies of fewer than three symbols, besides. */
ur_status ur_translation_new(ur_context *context, const ur_translation_config *config,
                             ur_model **out, ur_err *err);
/* NULL: a model of another kind. */
const ur_translation_config *ur_translation_config_of(const ur_model *model);

/* Data of this kind for a program's own pairs (ur_trainer_new, ur_evaluate, ur_run_create_with). All
 * stays the caller's and must outlive it. */
typedef struct ur_translation_data ur_translation_data;
ur_status ur_translation_data_new(const ur_allocator *a, const ur_parallel *pairs,
                                  const ur_languages *languages, const ur_text_options *text,
                                  ur_translation_data **out, ur_err *err);
void ur_translation_data_free(ur_translation_data *data); /* accepts NULL */

/* Logits of the targets of some pairs when all words before are given: (rows, target vocabulary), and
 * what they should be, on the tape; target step t is the word t, the last <eos>. */
typedef struct ur_translation_logits {
    ur_seq *logits, *targets;
} ur_translation_logits;
ur_translation_logits ur_translation_forward(ur_tape *tape, const ur_model *model,
                                             const ur_translation_data *data, size_t count,
                                             const size_t *which);

/* log P(target | source) of every pair, natural logarithm, <eos> included: (pairs). */
ur_status ur_translation_score(const ur_model *model, const ur_translation_data *data, double *out,
                               ur_err *err);

#ifdef __cplusplus
}
#endif

#endif
