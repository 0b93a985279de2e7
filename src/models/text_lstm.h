/* text_lstm.h - inside the next-word model. */
#ifndef UR_MODELS_TEXT_LSTM_H
#define UR_MODELS_TEXT_LSTM_H

#include "nn/nn.h"
#include "tape/tape.h"
#include "unroll/language.h"

typedef struct ur_text_lstm {
    ur_model base;
    const ur_text_lstm_config *config;  /* base.config */
    ur_embedding_layer embed;           /* unless one-hot */
    ur_rnn_stack cells;                 /* part[l] is layer l, each with an input size of its own */
    ur_linear_layer fc[UR_MOST_LAYERS]; /* of layer l: (V, H) and (V) */
} ur_text_lstm;

struct ur_next_words {
    ur_context *context;
    int32_t *ids;
    ur_ids text;     /* these */
    size_t words;    /* n */
    ur_carry *carry; /* (layers, examples, H) h and c, or NULL: states are zeros */
};

/* A model that is known to be of this kind. */
static inline const ur_text_lstm *ur_as_text_lstm(const ur_model *model)
{
    return (const ur_text_lstm *)model;
}

#endif
