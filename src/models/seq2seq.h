/* seq2seq.h - inside the encoder-decoder. */
#ifndef UR_MODELS_SEQ2SEQ_H
#define UR_MODELS_SEQ2SEQ_H

#include "models/decode.h"
#include "models/pair_transformer.h"
#include "tape/tape.h"
#include "unroll/seq2seq.h"

typedef struct ur_seq2seq ur_seq2seq;
typedef struct ur_encoded ur_encoded;

/* What reads and writes. They stand in one list in seq2seq.c, in the order of UR_SEQ2SEQ_RNN ... */
typedef struct ur_seq2seq_network {
    const char *name;
    ur_order order; /* of questions' and answers' rows */
    ur_status (*check)(const ur_seq2seq_config *config, ur_err *err);
    ur_status (*build)(ur_seq2seq *m, ur_err *err);
    void (*init)(const ur_seq2seq *m, uint64_t seed);
    ur_encoded (*encode)(ur_tape *tape, const ur_seq2seq *m, const ur_seq *questions);
    /* Logits of all of the decoder's steps, whose inputs are given. */
    ur_seq *(*logits)(ur_tape *tape, const ur_seq2seq *m, const ur_encoded *encoded,
                      const ur_seq *inputs);
    /* As ur_decoder has them, but for questions that were encoded already. */
    void *(*start)(ur_tape *tape, const ur_seq2seq *m, const ur_encoded *encoded,
                   const ur_decoder_task *task);
    ur_tensor *(*step)(ur_tape *tape, void *state, const int32_t *symbols);
    void (*reorder)(ur_tape *tape, void *state, size_t rows, const size_t *parent);
    const float *(*attention)(const void *state, size_t row);
    void (*release)(void *state); /* or NULL */
} ur_seq2seq_network;

extern const ur_seq2seq_network ur_seq2seq_rnn, ur_seq2seq_transformer;

struct ur_seq2seq {
    ur_model base;
    const ur_seq2seq_config *config; /* base.config */
    const ur_seq2seq_network *network;
    struct {
        ur_embedding_layer embed;
        ur_rnn_stack rnn;
    } encoder;
    struct {
        ur_embedding_layer embed;
        ur_rnn_stack rnn;
        ur_linear_layer fc;
    } decoder;
    ur_pair_transformer transformer; /* zeros in a recurrent model */
};

/* What the encoder made of the questions. */
struct ur_encoded {
    ur_seq *y; /* (rows, W) */
    /* of recurrent layers: */
    ur_tensor *h;   /* (B, W) the top layer's last h, its directions joined */
    ur_rnn_out all; /* every layer's and direction's states */
};

/* A model that is known to be of this kind. */
static inline const ur_seq2seq *ur_as_seq2seq(const ur_model *model)
{
    return (const ur_seq2seq *)model;
}

/* What the decoder starts from: h (decoder layers, B, W), and c likewise or NULL. */
ur_state ur_seq2seq_start(ur_tape *tape, const ur_seq2seq *m, const ur_encoded *encoded);

/* Logits of decoder steps whose inputs are given: all of them, or one step of every hypothesis,
 * with the state after the last step. state: NULL for the decoder's start. queries: the rows of
 * each source, where that is not the inputs' layout; as many rows, in the same order. weights may
 * be NULL. */
typedef struct ur_decoded {
    ur_seq *logits;
    ur_state state;
} ur_decoded;
ur_decoded ur_seq2seq_decode(ur_tape *tape, const ur_seq2seq *m, const ur_encoded *encoded,
                             const ur_seq *inputs, const ur_state *state, const ur_layout *queries,
                             ur_weights **weights);

/* Steps of recurrent layers, see ur_seq2seq_network. */
void *ur_seq2seq_rnn_start(ur_tape *tape, const ur_seq2seq *m, const ur_encoded *encoded,
                           const ur_decoder_task *task);
ur_tensor *ur_seq2seq_rnn_step(ur_tape *tape, void *state, const int32_t *symbols);
void ur_seq2seq_rnn_reorder(ur_tape *tape, void *state, size_t rows, const size_t *parent);
const float *ur_seq2seq_rnn_attention(const void *state, size_t row);

/* Questions in the encoder's order as one ragged batch. */
ur_seq *ur_seq2seq_questions(ur_tape *tape, const ur_seq2seq *m, size_t count,
                             const ur_ids *questions, const uint64_t *id);

ur_status ur_seq2seq_decoder(const ur_model *model, ur_decoder *out, ur_err *err);

/* What the decoder writes greedily after questions that were encoded already, without
 * probabilities; first (count): its first input for each. */
ur_written *ur_seq2seq_greedy(ur_tape *tape, const ur_seq2seq *m, const ur_encoded *encoded,
                              size_t count, const int32_t *first);

/* ur_seq2seq_answer of sources with numbers of their own. */
ur_answer *ur_seq2seq_answers(ur_tape *tape, const ur_seq2seq *m, const ur_sources *sources,
                              const ur_search_options *options);

#endif
