/* tagger.h - inside taggers and classifiers. */
#ifndef UR_MODELS_TAGGER_H
#define UR_MODELS_TAGGER_H

#include "tape/tape.h"
#include "unroll/tagger.h"

typedef struct ur_tagger {
    ur_model base;
    ur_context *context;
    ur_tagger_config config;
    ur_embedding_layer embed;
    ur_rnn_stack rnn;
    ur_linear_layer fc;
} ur_tagger;

extern const ur_model_class ur_tagger_class, ur_classifier_class;
void ur_tagger_free(ur_model *model);

static inline const ur_tagger *ur_as_tagger(const ur_model *model)
{
    return (const ur_tagger *)model;
}

/* What a model says to `count` texts; see ur_tagger_apply. target, loss: where the right answers are
 * known, in the order of label, and -log of their probabilities; NULL where they are not. */
typedef struct ur_tagging {
    size_t count;
    const ur_ids *texts;
    int32_t *label;
    float *probability;
    const int32_t *target;
    float *loss;
} ur_tagging;

ur_status ur_tagger_run(ur_context *context, const ur_model *model, const ur_tagging *job,
                        ur_err *err);

#endif
