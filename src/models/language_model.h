/* language_model.h - inside the language model. */
#ifndef UR_MODELS_LANGUAGE_MODEL_H
#define UR_MODELS_LANGUAGE_MODEL_H

#include "models/decode.h"
#include "tape/tape.h"
#include "unroll/language.h"

typedef struct ur_language_model {
    ur_model base;
    const ur_language_model_config *config; /* base.config */
    ur_embedding_layer embed;               /* unless one-hot */
    ur_rnn_stack rnn;
    ur_linear_layer fc;
} ur_language_model;

/* A model that is known to be of this kind. */
static inline const ur_language_model *ur_as_language_model(const ur_model *model)
{
    return (const ur_language_model *)model;
}

/* The layers below the output layer, without drop-out on what they put out. */
ur_rnn_out ur_language_layers(ur_tape *tape, const ur_language_model *m, const ur_seq *ids,
                              ur_state initial);

ur_status ur_language_decoder(const ur_model *model, ur_decoder *out, ur_err *err);

struct ur_language_data {
    ur_context *context;
    ur_ids text; /* of its own */
    int32_t *ids;
    size_t batch;        /* that the windows were cut for; 0: for evaluation alone */
    ur_windows *windows; /* NULL: for evaluation alone */
    ur_carry *carry;     /* NULL: states begin anew in every window */
};

#endif
