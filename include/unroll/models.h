/* unroll/models.h - models: layers put together, each with its configuration. */
#ifndef UNROLL_MODELS_H
#define UNROLL_MODELS_H

#include "unroll/core.h"
#include "unroll/corpus.h"
#include "unroll/decode.h"
#include "unroll/nn.h"
#include "unroll/text.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- models in general -------------------------------------------------------------------- */

/* What an evaluation adds up over examples. */
typedef struct ur_measure {
    double loss;         /* sum over positions of -log probability, natural logarithm */
    size_t positions;    /* that the loss counts */
    size_t examples;     /* answers, texts, or the tokens that a tagger labels */
    size_t right;        /* examples that the model gets wholly right on its own */
    size_t forced_right; /* positions that are right when every earlier symbol is given */
    double f1;           /* mean over the labels of each one's F1; where there are labels */
} ur_measure;

/* Parameters plus what a trainer has to know. Data is whatever the model learns from (ur_pairs
 * for seq2seq), behind a pointer that only the model looks behind. What batches hand on to later
 * ones lives in the data, so that many may use one model. */
typedef struct ur_model ur_model;

typedef struct ur_model_class {
    const char *kind; /* "seq2seq" */
    void (*free)(ur_model *model);
    size_t (*examples)(const ur_model *model, const void *data);
    /* Steps that example i takes: batches are sorted by it, longest first. */
    size_t (*length)(const ur_model *model, const void *data, size_t i);
    /* Positions of example i that the loss counts: their sum over a batch is its normaliser. */
    size_t (*positions)(const ur_model *model, const void *data, size_t i);
    /* Loss of some examples; id of an example = its index. Records on a training tape. */
    ur_tensor *(*loss)(ur_tape *tape, const ur_model *model, const void *data, size_t count,
                       const size_t *which, double normaliser);
    /* Adds what an evaluation of some examples gives; uses an inference tape. */
    void (*measure)(ur_tape *tape, const ur_model *model, const void *data, size_t count,
                    const size_t *which, ur_measure *sum);

    /* The rest may be NULL. */

    /* Prepares epoch `epoch` (from 0), as the seed decides: how many examples it has, at least one.
     * They are then taken in the order 0, 1, 2 ..., `batch` at a time; those of one batch must not
     * depend on each other. NULL: all examples, shuffled every epoch. */
    size_t (*start_epoch)(ur_model *model, void *data, uint64_t seed, uint64_t epoch);
    /* State that `loss` hands on from batch to batch: `count` floats, always as many. Checkpoints
     * save it; it is put back after start_epoch where training goes on inside an epoch, before it
     * where an epoch is to begin. A step that failed leaves it undefined. */
    float *(*carried)(ur_model *model, void *data, size_t *count);
    /* The batch that the data was laid out for, because its examples hand on states to those `batch` later;
     * 0: any. A trainer of another batch is refused. */
    size_t (*batch)(const ur_model *model, const void *data);
    /* An evaluation that is not a sum over examples: a text read from start to end. NULL: shards
     * of `measure`. */
    ur_status (*evaluate)(ur_context *context, const ur_model *model, const void *data,
                          ur_measure *out, ur_err *err);
    /* The decoder of a model that writes, see ur_model_decoder. NULL: this kind does not write. */
    ur_status (*decoder)(const ur_model *model, ur_decoder *out, ur_err *err);
} ur_model_class;

struct ur_model {
    const ur_model_class *class_of;
    ur_params *params;
};

void ur_model_free(ur_model *model); /* accepts NULL */

/* ---- seq2seq: encoder-decoder over characters --------------------------------------------- */

typedef enum ur_attention_kind { UR_ATTENTION_NONE, UR_ATTENTION_DOT } ur_attention_kind;

/* What the decoder starts from: the encoder's last h with c = 0, or both. */
typedef enum ur_decoder_start { UR_START_H, UR_START_HC } ur_decoder_start;

/* Whether the encoder also reads from the end, and what becomes of the top layer's two directions:
 * side by side, or their mean (the layers below are always side by side). */
typedef enum ur_directions { UR_ONE_WAY, UR_BOTH_CONCAT, UR_BOTH_AVERAGE } ur_directions;

/* Where the weights start: as PyTorch's modules do, or with matrices N(0, 1/columns) (LeCun et al.
 * 1998), biases 0 and embeddings N(0, 0.01^2). */
typedef enum ur_initialisation { UR_INIT_PYTORCH, UR_INIT_LECUN } ur_initialisation;

/* An embedding and a stack of recurrent layers over the question; a second embedding and stack over
 * `_` and the answer; a linear layer over [context; decoder output] (attention dot), the decoder
 * output alone (none), or [encoder's last h; decoder output] (peeky, whose decoder reads [encoder's
 * last h; embedding]). (Sutskever et al. 2014; Luong et al. 2015; peeky: Cho et al. 2014.)
 *
 * Widths: the encoder's outputs have W features: proj_size where there is a projection, else
 * hidden_size, and twice that for UR_BOTH_CONCAT. The decoder has one direction, no projection and
 * W units, so that it can start from the encoder's states and be compared with its outputs.
 *
 * The decoder's start: with one layer it starts from the encoder's top layer, with as many layers as
 * the encoder each starts from its own; any other depth is refused. The two directions' last h are
 * put side by side or averaged as the outputs are. c is 0, or with UR_START_HC the encoder's: for
 * an LSTM without projection whose directions are not averaged (averaging drops c).
 *
 * Parameters: encoder.embed.weight encoder.CELL.* decoder.embed.weight decoder.CELL.*
 * decoder.fc.weight decoder.fc.bias, where CELL is lstm, gru or rnn. Drop-out acts on both
 * embeddings' outputs, on the decoder's output, and between the layers of a stack. */
typedef struct ur_seq2seq_config {
    size_t vocabulary; /* symbols */
    size_t embed_size, hidden_size;
    const char *cell;         /* as in ur_rnn_config; NULL: "lstm" */
    size_t layers;            /* of the encoder, 1 to UR_MOST_LAYERS; 0: 1 */
    size_t decoder_layers;    /* 1 or as many as the encoder; 0: 1 */
    ur_directions directions; /* of the encoder */
    size_t proj_size;         /* of the encoder, lstm only; 0: none */
    ur_attention_kind attention;
    bool peeky; /* without attention only */
    ur_decoder_start decoder_start;
    float dropout;
    float recurrent_dropout, zoneout_h, zoneout_c; /* of both stacks, as in ur_rnn_config */
    bool no_bias;                                  /* of both stacks' cells */
    ur_initialisation init;
    ur_pair_format format;
} ur_seq2seq_config;

/* embed 16, hidden 128, lstm, one layer, one way, attention dot, the rest zero; vocabulary and
 * format are for the caller. */
ur_seq2seq_config ur_seq2seq_defaults(void);

/* Whether the options are in range and go together, whatever the vocabulary: UR_INVALID with the
 * reason. */
ur_status ur_seq2seq_check(const ur_seq2seq_config *config, ur_err *err);

/* A model with its parameters zero. UR_INVALID: a vocabulary out of range, or ur_seq2seq_check. */
ur_status ur_seq2seq_new(ur_context *context, const ur_seq2seq_config *config, ur_model **out,
                         ur_err *err);
/* As the configuration says. PyTorch's initialisation: embeddings N(0,1), cells U(+-1/sqrt(H)),
 * linear U(+-1/sqrt(in)). */
void ur_seq2seq_init(ur_model *model, uint64_t seed);
/* With cell, layers and decoder_layers filled in. */
const ur_seq2seq_config *ur_seq2seq_config_of(const ur_model *model);

/* Logits of the teacher-forced decoder for some pairs, as a sequence over the decoder's steps, and
 * the ids it should have written. For comparisons with other systems. */
typedef struct ur_seq2seq_logits {
    ur_seq *logits, *targets;
} ur_seq2seq_logits;
ur_seq2seq_logits ur_seq2seq_forward(ur_tape *tape, const ur_model *model, const ur_pairs *pairs,
                                     size_t count, const size_t *which);

/* Answers of the free-running decoder. Everything is in reading order, whatever order the model reads
 * and writes in, and lives on the tape. */
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

/* ---- texts that models learn from ------------------------------------------------------------- */

/* How a text file becomes a model's tokens, and which of them it learns from; part of a model's
 * configuration. */
typedef struct ur_text_source {
    ur_text_options options;
    size_t min_freq, max_size; /* of the vocabulary, see ur_vocabulary_options */
    size_t max_tokens;         /* the training text's first tokens alone; 0: all */
    double valid_split; /* in [0, 1): this part of them, from the end, is for validation where
                                  there is no file for that; 0: none */
} ur_text_source;

/* UR_INVALID with the reason: ur_text_check (vocabulary NULL: not asked), or a part out of range. */
ur_status ur_text_source_check(const ur_text_source *source, const ur_vocabulary *vocabulary,
                               ur_err *err);

/* ---- language models: the next token -------------------------------------------------------- */

/* One-hot rows or an embedding, a stack of recurrent layers, a linear layer to the vocabulary:
 *     logits_t = fc(rnn(embed(x_t), state))        loss: mean cross-entropy against x_{t+1}
 * (Mikolov et al. 2010; Zaremba et al. 2014.) Parameters: embed.weight unless one-hot, CELL.* where
 * CELL is lstm, gru or rnn, fc.weight fc.bias: what torch.nn.Embedding, LSTM and Linear have. tied:
 * fc.weight is embed.weight (Press and Wolf 2017). Drop-out acts on the embedding's output, between
 * layers and on the last layer's output.
 *
 * Batches are windows of `bptt` steps, see ur_window_options. Sequential windows go on from the
 * states that the ones before them left, through which no gradient flows (truncated
 * back-propagation, Williams and Peng 1990), and begin with zeros in every epoch; random ones always
 * begin with zeros.
 *
 * A bidirectional model (outputs side by side) reads tokens that it is to predict: it is no language
 * model, its perplexity says nothing about one, and it cannot generate. */
typedef struct ur_language_model_config {
    size_t vocabulary; /* tokens, at least 2 */
    const char *cell;  /* as in ur_rnn_config; NULL: "lstm" */
    size_t embed_size; /* 0: one-hot rows, which are never written out */
    size_t hidden_size;
    size_t layers; /* 1 to UR_MOST_LAYERS; 0: 1 */
    bool bidirectional;
    bool tied; /* embed_size is then what the layers put out: hidden_size, twice that both ways */
    float dropout;
    size_t bptt; /* steps of a window; 0: 35 */
    ur_sampling sampling;
    bool keep_tail;
    ur_text_source text;
} ur_language_model_config;

/* lstm, one-hot, hidden 256, one layer, windows of 35 steps, sequential; the rest zero. */
ur_language_model_config ur_language_model_defaults(void);

/* Whether the options are in range and go together, whatever the vocabulary: UR_INVALID with the
 * reason. */
ur_status ur_language_model_check(const ur_language_model_config *config, ur_err *err);

/* A model with its parameters zero. UR_INVALID: a vocabulary out of range, or
 * ur_language_model_check. */
ur_status ur_language_model_new(ur_context *context, const ur_language_model_config *config,
                                ur_model **out, ur_err *err);
/* PyTorch's initialisation: embeddings N(0,1), cells U(+-1/sqrt(H)), linear U(+-1/sqrt(in)); a tied
 * weight U(+-0.1), as PyTorch's example of a word model has it: N(0,1) would be a deafening output
 * layer. */
void ur_language_model_init(ur_model *model, uint64_t seed);
/* With cell, layers and bptt filled in. */
const ur_language_model_config *ur_language_model_config_of(const ur_model *model);

/* What a language model learns from or is measured on: a text (a copy) as windows, and the states
 * that batches hand on. batch: streams side by side, the trainer's batch; 0:
 * for ur_evaluate alone. UR_INVALID: ids that are not in the vocabulary, a text that is too short for
 * a batch (ur_windows_new), or that is the same token throughout. */
typedef struct ur_language_data ur_language_data;
ur_status ur_language_data_new(ur_context *context, const ur_model *model, ur_ids text,
                               size_t batch, ur_language_data **out, ur_err *err);
void ur_language_data_free(ur_language_data *data);
ur_ids ur_language_data_text(const ur_language_data *data);

/* Logits for ids (rows), in their layout, and the states after each sequence. initial: see
 * ur_state. */
typedef struct ur_language_logits {
    ur_seq *logits;
    ur_rnn_out out;
} ur_language_logits;
ur_language_logits ur_language_model_forward(ur_tape *tape, const ur_model *model,
                                             const ur_seq *ids, ur_state initial);

/* ---- text_lstm: the next word from the n words before it ----------------------------------- */

/* How biases start: as PyTorch's, or all of them, the output layer's too, at one. */
typedef enum ur_bias_init { UR_BIAS_UNIFORM, UR_BIAS_ONE } ur_bias_init;

/* What logits come from: the LSTM's h, or its output gate o of the same step. */
typedef enum ur_output_from { UR_OUTPUT_HIDDEN, UR_OUTPUT_GATE } ur_output_from;

/* Words, embedded or one-hot, through L layers of an LSTM; logits = W v + b with v = h (or o), and
 * those of the last layer's last step say which word comes next. Between the layers stand, at every
 * step, the layer's logits beside its h: V + H features.
 *
 * One layer starts from zeros. With several, the h and c of every layer after an example's last step
 * are kept, and the same example starts from them, without gradient, when it comes again
 * (ur_next_words); measuring and predicting start from zeros.
 *
 * Parameters: embed.weight (V, E) unless one-hot; for layer l = 0, 1 ... layers.l.lstm.weight_ih_l0
 * weight_hh_l0 bias_ih_l0 bias_hh_l0 as torch.nn.LSTM has them, layers.l.fc.weight (V, H) and
 * layers.l.fc.bias (V). */
typedef struct ur_text_lstm_config {
    size_t vocabulary; /* V */
    size_t context;    /* n */
    size_t embed_size; /* E; 0: one-hot, the first layer's input is V wide */
    size_t hidden_size;
    size_t layers; /* 1 to UR_MOST_LAYERS */
    ur_bias_init bias_init;
    ur_output_from output_from;
    size_t most_state_bytes; /* that the states of several layers may take */
    ur_text_source text;
} ur_text_lstm_config;

/* context 5, embed 64, hidden 128, one layer, uniform biases, output from h, states up to 4 GiB; the
 * rest zero. */
ur_text_lstm_config ur_text_lstm_defaults(void);
/* Whether the options are in range, whatever the vocabulary: UR_INVALID with the reason. */
ur_status ur_text_lstm_check(const ur_text_lstm_config *config, ur_err *err);

/* A model with its parameters zero. UR_INVALID: a vocabulary out of range, or ur_text_lstm_check. */
ur_status ur_text_lstm_new(ur_context *context, const ur_text_lstm_config *config, ur_model **out,
                           ur_err *err);
/* PyTorch's initialisation: embedding N(0,1), LSTM and linear U(+-1/sqrt(H)); biases as configured. */
void ur_text_lstm_init(ur_model *model, uint64_t seed);
const ur_text_lstm_config *ur_text_lstm_config_of(const ur_model *model);

/* Logits (count, V) of the word after each of `count` times `context` words, from zero states. */
ur_tensor *ur_text_lstm_logits(ur_tape *tape, const ur_model *model, size_t count,
                               const int32_t *words);

/* What it learns from or is measured on: every place of a text that has `context` words before it.
 * Example i is the words i .. i + context - 1 and the one after them. The ids are copied.
 *
 * learn: for the trainer; with several layers there is room for states, zeros at first. UR_INVALID:
 * ids that are not in the vocabulary, a text too short to have an example, to learn one that is the
 * same word throughout, and states that need more than the configuration allows. */
typedef struct ur_next_words ur_next_words;
ur_status ur_next_words_new(ur_context *context, const ur_model *model, ur_ids text, bool learn,
                            ur_next_words **out, ur_err *err);
void ur_next_words_free(ur_next_words *data);
size_t ur_next_words_count(const ur_next_words *data); /* examples */
ur_ids ur_next_words_text(const ur_next_words *data);

/* Bytes that the states of so many examples take: examples x layers x 2 x hidden floats, 0 with one
 * layer; SIZE_MAX when that is more than a number can say. */
size_t ur_text_lstm_state_bytes(const ur_text_lstm_config *config, size_t examples);

/* The states: h (layers, examples, H), then c likewise; NULL and 0 when none are kept. */
float *ur_next_words_states(ur_next_words *data, size_t *count);

#ifdef __cplusplus
}
#endif

#endif
