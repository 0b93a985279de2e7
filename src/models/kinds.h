/* kinds.h - the library's kinds of models, each in a file of its own. */
#ifndef UR_MODELS_KINDS_H
#define UR_MODELS_KINDS_H

#include "unroll/model.h"

extern const ur_kind ur_kind_seq2seq, ur_kind_language_model, ur_kind_text_lstm, ur_kind_tagger,
    ur_kind_classifier, ur_kind_translation;

#endif
