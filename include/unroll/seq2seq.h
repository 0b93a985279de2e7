/* unroll/seq2seq.h - encoder-decoders: a question in, an answer out. */
#ifndef UNROLL_SEQ2SEQ_H
#define UNROLL_SEQ2SEQ_H

#include "unroll/core.h"
#include "unroll/decode.h"
#include "unroll/model.h"
#include "unroll/nn.h"
#include "unroll/text.h"
#include "unroll/transformer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ur_attention_kind { UR_ATTENTION_NONE, UR_ATTENTION_DOT } ur_attention_kind;

/* What the decoder starts from: the encoder's last h with c = 0, or both. */
typedef enum ur_decoder_start { UR_START_H, UR_START_HC } ur_decoder_start;

/* Where the weights start: as PyTorch's modules do, or with matrices N(0, 1/columns) (LeCun et al.
 * 1998), biases 0 and embeddings N(0, 0.01^2). */
typedef enum ur_initialisation { UR_INIT_PYTORCH, UR_INIT_LECUN } ur_initialisation;

/* What reads and writes: their numbers in a list; ur_seq2seq_network_name(i) is NULL behind the last. */
enum { UR_SEQ2SEQ_RNN, UR_SEQ2SEQ_TRANSFORMER };
const char *ur_seq2seq_network_name(size_t i);

/* rnn: an embedding and a stack of recurrent layers over the question; a second embedding and stack over
 * `_` and the answer; a linear layer over [context; decoder output] (attention dot), the decoder
 * output alone (none), or [encoder's last h; decoder output] (peeky, whose decoder reads [encoder's
 * last h; embedding]). (Sutskever et al. 2014; Luong et al. 2015; peeky: Cho et al. 2014.)
 *
 * Widths: the encoder's outputs have W features: proj_size where there is a projection, else
 * hidden_size, and twice that for UR_BOTH_CONCAT. The decoder has one direction, no projection and
 * W units, so that it can start from the encoder's states and be compared with its outputs.
 *
 * The decoder's start: with one layer it starts from the encoder's top layer, with as many layers
 * as the encoder each starts from its own; any other depth is refused. The two directions' last h
 * are put side by side or averaged as the outputs are. c is 0, or with UR_START_HC the encoder's:
 * for an LSTM without projection whose directions are not averaged (averaging drops c).
 *
 * Parameters: encoder.embed.weight encoder.CELL.* decoder.embed.weight decoder.CELL.*
 * decoder.fc.weight decoder.fc.bias, where CELL is lstm, gru or rnn. Drop-out acts on both
 * embeddings' outputs, on the decoder's output, and between the layers of a stack.
 *
 * transformer: embeddings times sqrt(d) plus sines, an encoder and a decoder of `layers` layers each as in
 * nn.Transformer, d = hidden_size, and a linear layer (Vaswani et al. 2017). Of the options only those
 * with its name, layers and dropout count. Parameters: encoder.embed.weight encoder.layers.*
 * encoder.norm.* decoder.embed.weight decoder.layers.* decoder.norm.* decoder.fc.*. */
typedef struct ur_seq2seq_config {
    size_t vocabulary; /* symbols; 0: not known yet */
    int network;       /* UR_SEQ2SEQ_RNN ... */
    size_t embed_size, hidden_size;
    const char *cell;         /* as in ur_rnn_config */
    size_t layers;            /* of the encoder, 1 to UR_MOST_LAYERS */
    size_t decoder_layers;    /* 1 or as many as the encoder */
    ur_directions directions; /* of the encoder */
    size_t proj_size;         /* of the encoder, lstm only; 0: none */
    ur_attention_kind attention;
    bool peeky; /* without attention only */
    ur_decoder_start decoder_start;
    float dropout;
    float recurrent_dropout, zoneout_h, zoneout_c; /* of both stacks, as in ur_rnn_config */
    bool bias;                                     /* of both stacks' cells */
    ur_initialisation init;
    size_t heads;             /* transformer: divide hidden_size; 0: 4 */
    size_t feed_forward_size; /* transformer; 0: 4 hidden_size */
    ur_activation activation; /* transformer */
    bool norm_first;          /* transformer */
    ur_tie tie;               /* transformer: which embeddings are one */
    float label_smoothing;    /* of the loss that is learned; 0: none */
    ur_pair_format format;
    ur_reading reading; /* of files, and of texts to answer */
} ur_seq2seq_config;

/* embed 16, hidden 128, lstm with biases, one layer, one way, attention dot, the rest none;
 * vocabulary and format are for the caller. */
ur_seq2seq_config ur_seq2seq_defaults(void);

/* Whether the options are in range and go together, whatever the vocabulary: UR_INVALID with the
 * reason. */
ur_status ur_seq2seq_check(const ur_seq2seq_config *config, ur_err *err);

/* ur_model_new for this kind, whose data is ur_pairs. UR_INVALID: no vocabulary, or
 * ur_seq2seq_check. */
ur_status ur_seq2seq_new(ur_context *context, const ur_seq2seq_config *config, ur_model **out,
                         ur_err *err);
/* ur_model_init: as the configuration says. PyTorch's initialisation: embeddings N(0,1), cells
 * U(+-1/sqrt(H)), linear U(+-1/sqrt(in)). */
void ur_seq2seq_init(ur_model *model, uint64_t seed);
/* NULL: a model of another kind. */
const ur_seq2seq_config *ur_seq2seq_config_of(const ur_model *model);

/* Logits of the teacher-forced decoder for some pairs, as a sequence over the decoder's steps, and
 * the ids it should have written. For comparisons with other systems. */
typedef struct ur_seq2seq_logits {
    ur_seq *logits, *targets;
} ur_seq2seq_logits;
ur_seq2seq_logits ur_seq2seq_forward(ur_tape *tape, const ur_model *model, const ur_pairs *pairs,
                                     size_t count, const size_t *which);

/* Answers of the free-running decoder. Everything is in reading order, whatever order the model
 * reads and writes in, and lives on the tape. */
typedef struct ur_answer {
    int32_t *ids;       /* (count) */
    float *probability; /* (count) of each symbol when it was chosen */
    size_t count;
    double log_probability; /* of the whole answer, its end symbol included */
    double score;           /* see ur_search_options; without a length penalty log_probability, but
                               for rounding */
    bool complete;          /* false: stopped by the limit before an end symbol came */
    float *attention;       /* (count, length of the question), NULL for a model without attention;
                               row i: where the model looked when it wrote symbol i */
    struct ur_answer *alternatives; /* (alternative_count) the next best ones, see ur_written */
    size_t alternative_count;       /* 0 where options->n_best is at most 1 */
} ur_answer;

/* Answers `count` questions (ids in reading order, as ur_pair_encode gives them). first: the
 * decoder's first input for each, NULL for the start symbol. options: NULL for the greedy search;
 * attention is shown whatever they say. The tape must have been started for inference over the
 * model's parameters. NULL when the tape failed; see ur_search. */
ur_answer *ur_seq2seq_answer(ur_tape *tape, const ur_model *model, size_t count,
                             const ur_ids *questions, const int32_t *first,
                             const ur_search_options *options);

#ifdef __cplusplus
}
#endif

#endif
