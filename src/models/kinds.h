/* kinds.h - the library's kinds of models, each in a file of its own. */
#ifndef UR_MODELS_KINDS_H
#define UR_MODELS_KINDS_H

#include "unroll/bert.h"
#include "unroll/model.h"

/* The list: ur_kind_NAME is each. */
#define UR_KINDS(KIND)                                                                             \
    KIND(seq2seq)                                                                                  \
    KIND(language_model)                                                                           \
    KIND(text_lstm)                                                                                \
    KIND(tagger)                                                                                   \
    KIND(classifier)                                                                               \
    KIND(bert_classifier)                                                                          \
    KIND(bert_tagger)                                                                              \
    KIND(bert_qa)                                                                                  \
    KIND(translation)                                                                              \
    KIND(bert)

#define UR_DECLARE_KIND(name) extern const ur_kind ur_kind_##name;
UR_KINDS(UR_DECLARE_KIND)
#undef UR_DECLARE_KIND

/* ur_model_new up to the memory of the parameters, which ur_params_seal takes: names and shapes are there to
 * be compared with those of a file. */
ur_status ur_model_outline(ur_context *context, const ur_kind *kind, const void *config,
                           ur_model **out, ur_err *err);
ur_status ur_bert_outline(ur_context *context, const ur_bert_config *config, ur_model **out,
                          ur_err *err); /* likewise */

#endif
