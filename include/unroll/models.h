/* unroll/models.h - models: layers put together, each with its configuration. */
#ifndef UNROLL_MODELS_H
#define UNROLL_MODELS_H

#include "unroll/core.h"
#include "unroll/corpus.h"
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
    /* An evaluation that is not a sum over examples: a text read from start to end. NULL: shards
     * of `measure`. */
    ur_status (*evaluate)(ur_context *context, const ur_model *model, const void *data,
                          ur_measure *out, ur_err *err);
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
/* PyTorch's initialisation: embeddings N(0,1), cells U(+-1/sqrt(H)), linear U(+-1/sqrt(in)). */
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

/* Answers of the free-running, greedy decoder. Everything is in reading order, whatever order the
 * model reads and writes in, and lives on the tape. */
typedef struct ur_answer {
    int32_t *ids;       /* (count) */
    float *probability; /* (count) of each symbol when it was chosen */
    size_t count;
    double log_probability; /* of the whole answer, its end symbol included */
    bool complete;          /* false: stopped by the limit before an end symbol came */
    float *attention;       /* (count, length of the question), NULL for a model without attention;
                             row i: where the model looked when it wrote symbol i */
} ur_answer;

/* Answers `count` questions (ids in reading order, as ur_pair_encode gives them). first: the
 * decoder's first input for each, NULL for the start symbol. The tape must have been started for
 * inference over the model's parameters. NULL when the tape failed. */
ur_answer *ur_seq2seq_answer(ur_tape *tape, const ur_model *model, size_t count,
                             const ur_ids *questions, const int32_t *first);

/* ---- taggers and classifiers --------------------------------------------------------------- */

/* An embedding, a stack of recurrent layers, and a linear layer that gives a label to every token
 * of a text (tagger: words' parts of speech, names) or to the whole of it (classifier):
 *     y, h_n = rnn(embed(tokens))
 *     logits = fc(y)         tagger: (tokens, labels)
 *     logits = fc(h)         classifier: (texts, labels); h is the top layer's last state, with two
 *                            directions torch.cat((h_n[-2], h_n[-1]), dim=1), or their mean
 * Cross-entropy is the mean over all the tokens, or texts, of a batch. A classifier's answer to a
 * text without tokens is what fc makes of zeros.
 *
 * Parameters: embed.weight CELL.* fc.weight fc.bias, where CELL is lstm, gru or rnn. Drop-out acts on
 * the embeddings, between the layers, and on what fc reads. */
typedef struct ur_tagger_config {
    size_t vocabulary, labels; /* tokens; labels, at most UR_MOST_LABELS */
    size_t embed_size, hidden_size;
    const char *cell;         /* as in ur_rnn_config; NULL: "lstm" */
    size_t layers;            /* 1 to UR_MOST_LAYERS; 0: 1 */
    ur_directions directions; /* UR_ONE_WAY: a token's label depends on those before it alone */
    float dropout;
    bool per_sequence; /* a classifier */
    /* What a run has to know of its texts; the model itself sees ids. */
    ur_text_options text;
    size_t min_freq, max_size; /* see ur_vocabulary_options */
} ur_tagger_config;

enum { UR_MOST_LABELS = 65536 };

/* embed 64, hidden 128, lstm, one layer, both directions side by side, no drop-out; vocabulary and
 * labels are for the caller. Text: words (a tagger's data has them cut already), for a classifier
 * words and punctuation; those that occur once become <unk>, so that <unk> is learned. */
ur_tagger_config ur_tagger_defaults(bool per_sequence);

/* Whether the options are in range and go together, whatever the vocabulary and the labels:
 * UR_INVALID with the reason. */
ur_status ur_tagger_check(const ur_tagger_config *config, ur_err *err);

/* A model with its parameters zero, of kind "tagger" or "classifier"; its data is ur_labelled,
 * UR_TAGGED or UR_CLASSIFIED. UR_INVALID: a number of tokens or labels out of range, or
 * ur_tagger_check. */
ur_status ur_tagger_new(ur_context *context, const ur_tagger_config *config, ur_model **out,
                        ur_err *err);
/* PyTorch's initialisation: embedding N(0,1), cells U(+-1/sqrt(H)), linear U(+-1/sqrt(in)). */
void ur_tagger_init(ur_model *model, uint64_t seed);
/* With cell and layers filled in. */
const ur_tagger_config *ur_tagger_config_of(const ur_model *model);

/* tokens: ids (rows) of any layout -> logits: tagger (rows, labels) of the same layout, classifier
 * (B, labels), one step for each text. */
ur_seq *ur_tagger_forward(ur_tape *tape, const ur_model *model, const ur_seq *tokens);

/* Labels of `count` texts, which share the context's threads. There are n answers: one for each
 * token of text 0, then of text 1 ...; from a classifier one for each text. label (n): the most
 * probable (the first of equals); probability (n, labels): of every label; either may be NULL.
 * UR_INVALID: an id that is not in the vocabulary. */
ur_status ur_tagger_apply(ur_context *context, const ur_model *model, size_t count,
                          const ur_ids *texts, int32_t *label, float *probability, ur_err *err);

/* ---- how often which label was taken for which ---------------------------------------------- */

/* counts (labels, labels): row = the true label, column = the model's. */
typedef struct ur_confusion {
    size_t labels;
    size_t *counts;
} ur_confusion;

/* All zero; fresh memory from `a` (NULL: malloc). */
ur_status ur_confusion_new(const ur_allocator *a, size_t labels, ur_confusion **out, ur_err *err);
void ur_confusion_free(const ur_allocator *a, ur_confusion *confusion); /* accepts NULL */

/* precision = right / predicted, recall = right / present, f1 = 2 right / (predicted + present), the
 * harmonic mean of the two; each 0 where it would be 0 / 0. */
typedef struct ur_label_score {
    size_t present;   /* how often it is the true label */
    size_t predicted; /* how often the model says so */
    size_t right;     /* both */
    double precision, recall, f1;
} ur_label_score;

ur_label_score ur_confusion_score(const ur_confusion *confusion, size_t label);
/* Right ones among all; 0 of none. */
double ur_confusion_accuracy(const ur_confusion *confusion);
/* The plain mean of f1 over the labels that are present or predicted at all, as scikit-learn's
 * f1_score(average="macro") has it; 0 where there is none. */
double ur_confusion_f1(const ur_confusion *confusion);

/* Loss, accuracy (examples and right count tokens, or texts) and macro f1 of a model on data; where
 * confusion is not NULL it receives a fresh matrix from the context's allocator. */
ur_status ur_tagger_evaluate(ur_context *context, const ur_model *model, const ur_labelled *data,
                             ur_measure *out, ur_confusion **confusion, ur_err *err);

#ifdef __cplusplus
}
#endif

#endif
