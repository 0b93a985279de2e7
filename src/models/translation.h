/* translation.h - inside models that translate. */
#ifndef UR_MODELS_TRANSLATION_H
#define UR_MODELS_TRANSLATION_H

#include "models/decode.h"
#include "models/kinds.h"
#include "models/pair_transformer.h"
#include "tape/tape.h"
#include "text/remarks.h"
#include "unroll/translation.h"

typedef struct ur_translation ur_translation;

/* What translates. They stand in one list in translation.c, in the order of UR_TRANSLATOR_RNN ... */
typedef struct ur_translator {
    const char *name;
    ur_order order; /* of the rows of sources and targets */
    ur_status (*check)(const ur_translation_config *config, ur_err *err);
    ur_status (*build)(ur_translation *m, ur_err *err);
    void (*init)(ur_translation *m, uint64_t seed);
    /* Logits of all target steps, whose inputs are given. The sequences of inputs stand in the order of
     * falling length. */
    ur_seq *(*logits)(ur_tape *tape, const ur_translation *m, const ur_seq *sources,
                      const ur_seq *inputs);
    /* As ur_decoder has them; `self` is the model. */
    void *(*start)(ur_tape *tape, const ur_decoder *decoder, const ur_decoder_task *task,
                   int32_t *symbols);
    ur_tensor *(*step)(ur_tape *tape, void *state, const int32_t *symbols);
    void (*reorder)(ur_tape *tape, void *state, size_t rows, const size_t *parent);
    const float *(*attention)(const void *state, size_t row); /* NULL: there is none */
    void (*release)(void *state);                             /* or NULL */
} ur_translator;

extern const ur_translator ur_translator_rnn, ur_translator_bahdanau, ur_translator_transformer;

/* Ids that every vocabulary of this kind has. */
enum { UR_ID_UNK, UR_ID_BOS, UR_ID_EOS, UR_IDS_RESERVED };

struct ur_translation {
    ur_model base;
    const ur_translation_config *config; /* base.config */
    const ur_translator *how;
    struct {
        ur_embedding_layer embed;
        ur_rnn_stack rnn;
    } encoder, decoder;
    ur_additive_attention_layer attention; /* of bahdanau */
    ur_linear_layer fc;
    ur_pair_transformer transformer; /* zeros in any other model */
};

static inline const ur_translation *ur_as_translation(const ur_model *model)
{
    return (const ur_translation *)model;
}

struct ur_translation_data {
    const ur_allocator *a;
    const ur_parallel *pairs;
    ur_parallel *own; /* the same, to be freed; or NULL */
    ur_subwords source, target;
    ur_search_options search; /* of evaluations */
    ur_remarks remarks;       /* on the data */
};

/* Symbols of the target. */
size_t ur_translation_symbols(const ur_translation_config *config);

/* ur_translation_forward; order (count), or NULL: receives the pairs in the order of the logits'
 * sequences. */
ur_translation_logits ur_translation_forward_in(ur_tape *tape, const ur_model *model,
                                                const ur_translation_data *data, size_t count,
                                                const size_t *which, size_t *order);

/* Those of a run, its source vocabulary among them. */
ur_languages ur_translation_languages(const ur_assets *assets);

ur_status ur_translation_decoder(const ur_model *model, ur_decoder *out, ur_err *err);

/* ---- translation_run.c ---------------------------------------------------------------------- */

enum {
    UR_TRANSLATION_ACCURACY,
    UR_TRANSLATION_BLEU,
    UR_TRANSLATION_BLEU_FIRST,
    UR_TRANSLATION_CHRF
};

ur_status ur_translation_evaluate(const ur_model *model, const void *data, ur_measure *out,
                                  ur_confusion *confusion, ur_err *err);
ur_status ur_translation_predict(const ur_assets *assets, size_t count, const char *const *texts,
                                 const ur_search_options *options, ur_prediction *out, size_t *bad,
                                 ur_err *err);
ur_status ur_translation_sample(const ur_assets *assets, const void *data, size_t index,
                                ur_prediction *out, ur_err *err);

#endif
