/* kinds.h - the library's kinds of models, each in a file of its own. */
#ifndef UR_MODELS_KINDS_H
#define UR_MODELS_KINDS_H

#include "unroll/model.h"

/* The list: ur_kind_NAME is each. */
#define UR_KINDS(KIND)                                                                             \
    KIND(seq2seq)                                                                                  \
    KIND(language_model)                                                                           \
    KIND(text_lstm)                                                                                \
    KIND(tagger)                                                                                   \
    KIND(classifier)                                                                               \
    KIND(translation)

#define UR_DECLARE_KIND(name) extern const ur_kind ur_kind_##name;
UR_KINDS(UR_DECLARE_KIND)
#undef UR_DECLARE_KIND

#endif
