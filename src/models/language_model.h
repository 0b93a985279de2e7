/* language_model.h - inside the language model. */
#ifndef UR_MODELS_LANGUAGE_MODEL_H
#define UR_MODELS_LANGUAGE_MODEL_H

#include "models/decode.h"
#include "tape/tape.h"
#include "unroll/language.h"
#include "unroll/transformer.h"

typedef struct ur_language_model ur_language_model;

/* What makes logits of tokens. They stand in one list in language_model.c, in the order of
 * UR_LANGUAGE_RNN ... */
typedef struct ur_language_network {
    const char *name;
    ur_order order; /* of windows' rows */
    bool states; /* goes on from a state; false: a window of at most bptt steps stands for itself */
    ur_status (*check)(const ur_language_model_config *config, ur_err *err);
    /* Completes the configuration, which is the model's own. */
    ur_status (*build)(ur_language_model *m, ur_language_model_config *config, ur_err *err);
    void (*init)(const ur_language_model *m, uint64_t seed);
    ur_language_logits (*logits)(ur_tape *tape, const ur_language_model *m, const ur_seq *ids,
                                 ur_state initial);
    /* As ur_decoder has them; release may be NULL. */
    void *(*start)(ur_tape *tape, const ur_decoder *decoder, const ur_decoder_task *task,
                   int32_t *symbols);
    ur_tensor *(*step)(ur_tape *tape, void *state, const int32_t *symbols);
    void (*reorder)(ur_tape *tape, void *state, size_t rows, const size_t *parent);
    void (*read)(ur_tape *tape, void *state, ur_ids ids);
    void (*release)(void *state);
} ur_language_network;

extern const ur_language_network ur_language_rnn, ur_language_transformer;

struct ur_language_model {
    ur_model base;
    const ur_language_model_config *config; /* base.config */
    const ur_language_network *network;
    ur_embedding_layer embed; /* unless one-hot */
    ur_rnn_stack rnn;
    ur_positions_layer positions;
    ur_transformer_encoder transformer;
    ur_linear_layer fc;
};

/* A model that is known to be of this kind. */
static inline const ur_language_model *ur_as_language_model(const ur_model *model)
{
    return (const ur_language_model *)model;
}

ur_status ur_language_decoder(const ur_model *model, ur_decoder *out, ur_err *err);

/* What a decoder reads of each prompt before its first step, (sources) texts, and the symbol
 * that this step is fed with. Fails the tape, and is NULL, where a prompt is empty or not of the
 * vocabulary. */
ur_ids *ur_language_prompts(ur_tape *tape, const ur_language_model *m, const ur_sources *sources,
                            int32_t *symbols);

struct ur_language_data {
    ur_context *context;
    ur_ids text; /* of its own */
    int32_t *ids;
    size_t batch;        /* that the windows were cut for; 0: for evaluation alone */
    ur_windows *windows; /* NULL: for evaluation alone */
    ur_carry *carry;     /* NULL: states begin anew in every window */
};

#endif
