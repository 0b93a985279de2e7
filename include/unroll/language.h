/* unroll/language.h - models of text: the next token (language models, which also write texts on:
 * unroll/decode.h), and the next word from the n words before it. */
#ifndef UNROLL_LANGUAGE_H
#define UNROLL_LANGUAGE_H

#include "unroll/core.h"
#include "unroll/corpus.h"
#include "unroll/model.h"
#include "unroll/nn.h"
#include "unroll/text.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An embed_size: characters are one-hot rows; other tokens are embedded in as many numbers as there
 * are hidden units, or, where the output layer is tied to the embedding, as these layers put
 * out. */
#define UR_EMBED_AUTO SIZE_MAX

/* ---- language models: the next token -------------------------------------------------------- */

/* What makes logits of tokens: their numbers in a list; ur_language_network_name(i) is NULL
 * behind the last. */
enum { UR_LANGUAGE_RNN, UR_LANGUAGE_TRANSFORMER };
const char *ur_language_network_name(size_t i);

/* rnn: one-hot rows or an embedding, a stack of recurrent layers, a linear layer to the
 * vocabulary:
 *     logits_t = fc(rnn(embed(x_t), state))        loss: mean cross-entropy against x_{t+1}
 * (Mikolov et al. 2010; Zaremba et al. 2014.) Parameters: embed.weight unless one-hot, CELL.*
 * where CELL is lstm, gru or rnn, fc.weight fc.bias: what torch.nn.Embedding, LSTM and Linear
 * have. tied: fc.weight is embed.weight (Press and Wolf 2017). Drop-out acts on the embedding's
 * output, between layers and on the last layer's output.
 *
 * Batches are windows of `bptt` steps, see ur_window_options. Sequential windows go on from the
 * states that the ones before them left, through which no gradient flows (truncated back-
 * propagation, Williams and Peng 1990), and begin with zeros in every epoch; random ones always
 * begin with zeros.
 *
 * A bidirectional model (outputs side by side) reads tokens that it is to predict: it is no
 * language model, its perplexity says nothing about one, and it cannot generate.
 *
 * transformer: a decoder alone whose layers normalise what they read (GPT-2, Radford et al.
 * 2019):
 *     logits_t = E norm(layers(drop(E[x_t] + P[t])))
 * with causal self-attention, learned positions P and the embedding E as the output layer's
 * weights, without bias. Parameters: embed.weight (alias fc.weight), positions.weight (bptt,
 * hidden_size) and what torch.nn.TransformerEncoder(norm_first=True) has: transformer.layers.*,
 * transformer.norm.*. cell, embed_size, bidirectional, tied and sampling say nothing. Windows
 * are random ones; each stands for itself, and no sequence is longer than bptt. A text is
 * measured window by window, from its start; the model writes on from the newest bptt/2 to bptt
 * tokens. */
typedef struct ur_language_model_config {
    size_t vocabulary; /* tokens, at least 2; 0: not known yet */
    int network;       /* UR_LANGUAGE_RNN ... */
    const char *cell;  /* as in ur_rnn_config */
    size_t embed_size; /* 0: one-hot rows, which are never written out; UR_EMBED_AUTO */
    size_t hidden_size;
    size_t layers; /* 1 to UR_MOST_LAYERS */
    bool bidirectional;
    bool tied; /* embed_size is then what the layers put out: hidden_size, twice that both ways */
    float dropout;
    size_t heads;             /* transformer: divide hidden_size; 0: 4 */
    size_t feed_forward_size; /* transformer; 0: 4 hidden_size */
    ur_activation activation; /* transformer; not UR_ACT_NONE */
    size_t bptt;              /* steps of a window */
    ur_sampling sampling;
    bool keep_tail;
    ur_text_source text;
} ur_language_model_config;

/* lstm, hidden 256, one layer, windows of 35 steps, sequential, UR_EMBED_AUTO, characters; the rest
 * none. */
ur_language_model_config ur_language_model_defaults(void);

/* Whether the options are in range and go together, whatever the vocabulary: UR_INVALID with the
 * reason. */
ur_status ur_language_model_check(const ur_language_model_config *config, ur_err *err);

/* ur_model_new for this kind. UR_INVALID: a vocabulary of less than 2, or
 * ur_language_model_check. */
ur_status ur_language_model_new(ur_context *context, const ur_language_model_config *config,
                                ur_model **out, ur_err *err);
/* ur_model_init. PyTorch's initialisation: embeddings N(0,1), cells U(+-1/sqrt(H)), linear
 * U(+-1/sqrt(in)); a tied weight U(+-0.1), as PyTorch's example of a word model has it: N(0,1)
 * would be far too large for an output layer. transformer: ur_transformer_encoder_init,
 * embeddings and positions N(0, 0.02^2). */
void ur_language_model_init(ur_model *model, uint64_t seed);
/* With embed_size filled in. NULL: a model of another kind. */
const ur_language_model_config *ur_language_model_config_of(const ur_model *model);

/* What a language model learns from or is measured on: a text (a copy) as windows, and the states
 * that batches hand on. batch: streams side by side, which must be the trainer's batch
 * where windows are sequential; 0: for ur_evaluate alone. UR_INVALID: a model of another kind, ids
 * that are not in the vocabulary, a text that is too short for a batch (ur_windows_new), or that is
 * the same token throughout. */
typedef struct ur_language_data ur_language_data;
ur_status ur_language_data_new(ur_context *context, const ur_model *model, ur_ids text,
                               size_t batch, ur_language_data **out, ur_err *err);
void ur_language_data_free(ur_language_data *data);
ur_ids ur_language_data_text(const ur_language_data *data);

/* Logits for ids (rows), in their layout, and the states after each sequence. initial: see
 * ur_state. A Transformer has no states: it takes none and gives none. */
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
 * One layer starts from zeros. With several, the h and c of every layer after an example's last
 * step are kept, and the same example starts from them, without gradient, when it comes again
 * (ur_next_words); measuring and predicting start from zeros.
 *
 * Parameters: embed.weight (V, E) unless one-hot; for layer l = 0, 1 ... layers.l.lstm.weight_ih_l0
 * weight_hh_l0 bias_ih_l0 bias_hh_l0 as torch.nn.LSTM has them, layers.l.fc.weight (V, H) and
 * layers.l.fc.bias (V). */
typedef struct ur_text_lstm_config {
    size_t vocabulary; /* V; 0: not known yet */
    size_t context;    /* n */
    size_t embed_size; /* E; 0: one-hot, the first layer's input is V wide; UR_EMBED_AUTO */
    size_t hidden_size;
    size_t layers; /* 1 to UR_MOST_LAYERS */
    ur_bias_init bias_init;
    ur_output_from output_from;
    size_t most_state_bytes; /* that the states of several layers may take */
    size_t state_memory;     /* the same in MB (10^6 bytes); 0: as most_state_bytes says */
    ur_text_source text;
} ur_text_lstm_config;

/* context 5, UR_EMBED_AUTO, hidden 256, one layer, uniform biases, output from h, states up to 4
 * GiB, words; the rest none. */
ur_text_lstm_config ur_text_lstm_defaults(void);
/* Whether the options are in range, whatever the vocabulary: UR_INVALID with the reason. */
ur_status ur_text_lstm_check(const ur_text_lstm_config *config, ur_err *err);

/* ur_model_new for this kind. UR_INVALID: a vocabulary of less than 2, or ur_text_lstm_check. */
ur_status ur_text_lstm_new(ur_context *context, const ur_text_lstm_config *config, ur_model **out,
                           ur_err *err);
/* ur_model_init. PyTorch's initialisation: embedding N(0,1), LSTM and linear U(+-1/sqrt(H)); biases
 * as configured. */
void ur_text_lstm_init(ur_model *model, uint64_t seed);
/* With embed_size and most_state_bytes filled in. NULL: a model of another kind. */
const ur_text_lstm_config *ur_text_lstm_config_of(const ur_model *model);

/* Logits (count, V) of the word after each of `count` times `context` words, from zero states. */
ur_tensor *ur_text_lstm_logits(ur_tape *tape, const ur_model *model, size_t count,
                               const int32_t *words);

/* What it learns from or is measured on: every place of a text that has `context` words before it.
 * Example i is the words i .. i + context - 1 and the one after them. The ids are copied.
 *
 * learn: for the trainer; with several layers there is room for states, zeros at first. UR_INVALID:
 * a model of another kind, ids that are not in the vocabulary, a text too short to have an example,
 * to learn one that is the same word throughout, and states that need more than the configuration
 * allows. */
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
