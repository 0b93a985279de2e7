/* tagger.h - inside taggers and classifiers. */
#ifndef UR_MODELS_TAGGER_H
#define UR_MODELS_TAGGER_H

#include "models/kinds.h"
#include "tape/tape.h"
#include "unroll/nn.h"
#include "unroll/tagger.h"

typedef struct ur_tagger {
    ur_model base;
    const ur_tagger_config *config; /* base.config */
    ur_embedding_layer embed;
    ur_rnn_stack rnn;
    ur_linear_layer fc;
} ur_tagger;

enum { UR_TAGGER_ACCURACY, UR_TAGGER_F1 }; /* figures */

/* A classifier gives one label to the whole of a text. */
static inline bool ur_per_sequence(const ur_model *model)
{
    return model->kind == &ur_kind_classifier;
}

static inline bool ur_is_tagger(const ur_model *model)
{
    return model->kind == &ur_kind_tagger || model->kind == &ur_kind_classifier;
}

/* A model that is known to be of one of these kinds. */
static inline const ur_tagger *ur_as_tagger(const ur_model *model)
{
    return (const ur_tagger *)model;
}

/* evaluate and predict of both kinds; see ur_kind. */
ur_status ur_tagger_measure(const ur_model *model, const void *data, ur_measure *out,
                            ur_confusion **confusion, ur_err *err);
ur_status ur_tagger_predict(const ur_assets *assets, size_t count, const char *const *texts,
                            const ur_search_options *options, ur_prediction *out, size_t *bad,
                            ur_err *err);

#endif
