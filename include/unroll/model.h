/* unroll/model.h - models and kinds of models.
 *
 * A model is parameters and a configuration. Its kind is a const struct: the fields of the
 * configuration, how parameters are built, the loss of a batch, the figures that are measured, the
 * data it learns from, how it answers to texts. Training, run folders and the tool know nothing
 * else of it. A program can have kinds of its own: ur_kind_add. */
#ifndef UNROLL_MODEL_H
#define UNROLL_MODEL_H

#include "unroll/bleu.h"
#include "unroll/core.h"
#include "unroll/corpus.h"
#include "unroll/field.h"
#include "unroll/nn.h"
#include "unroll/parallel.h"
#include "unroll/text.h"
#include "unroll/wordpiece.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ur_kind ur_kind;
typedef struct ur_decoder ur_decoder; /* unroll/decode.h */
typedef struct ur_search_options ur_search_options;

/* What every kind's own struct begins with. */
typedef struct ur_model {
    const ur_kind *kind;
    ur_context *context;
    ur_params *params;
    void *config; /* the kind's configuration, a copy of the caller's */
} ur_model;

/* ---- what configurations of several kinds have ---------------------------------------------- */

/* The largest embedding and hidden sizes; the largest vocabulary; the most labels. */
enum { UR_MOST_UNITS = 65536, UR_MOST_VOCABULARY = 1 << 22, UR_MOST_LABELS = 65536 };
enum { UR_MOST_CONFUSED = 2000 }; /* labels of a confusion matrix */

/* Whether layers also read from the end, and what becomes of the top layer's two directions: side
 * by side, or their mean (the layers below are always side by side). */
typedef enum ur_directions { UR_ONE_WAY, UR_BOTH_CONCAT, UR_BOTH_AVERAGE } ur_directions;

/* How a text file becomes a model's tokens, and which of them it learns from. */
typedef struct ur_text_source {
    ur_text_options
        options; /* line_ends: a new run has them for words without letters_only alone */
    size_t min_freq, max_size; /* of the vocabulary, see ur_vocabulary_options */
    size_t max_tokens;         /* the training text's first tokens alone; 0: all */
    double valid_split; /* in [0, 1): this part of them, from the end, is for validation where
                                  there is no file for that; 0: none */
    const char *unseen; /* ids of the vocabulary that the training text does not contain, rising:
                           "3,17-20"; they are never written. NULL: none, or not known */
} ur_text_source;

/* UR_INVALID with the reason: ur_text_check (vocabulary NULL: not asked), or a part out of
 * range. */
ur_status ur_text_source_check(const ur_text_source *source, const ur_vocabulary *vocabulary,
                               ur_err *err);

/* ---- figures ------------------------------------------------------------------------------- */

/* How a figure comes from what was added up. */
typedef enum ur_average {
    UR_PER_EXAMPLE,  /* sum / examples */
    UR_PER_POSITION, /* sum / positions */
    UR_PERPLEXITY,   /* exp(loss / positions); nothing is added up */
    UR_WHOLE         /* the sum itself */
} ur_average;

/* One figure of a kind beside its loss. valid_NAME in metrics.jsonl; a perplexity is train_NAME
 * too. */
typedef struct ur_figure {
    const char *name;  /* "accuracy" */
    const char *title; /* as people read it: "accuracy", "macro F1" */
    const char *help;  /* what it counts: "whole answers, free-running" */
    ur_average average;
    bool higher_is_better, percent;
    bool headline; /* shown in the lines of epochs and in pictures of curves */
    bool
        noted; /* also of training, as train_NAME: `loss` notes it, a part of the loss. The kind's first
                   figures alone */
    double
        most; /* no value is above it, nor below 0; 0: 1 in per cent, else there is no such bound */
} ur_figure;

enum { UR_MOST_FIGURES = 8 };

/* What an evaluation adds up. */
typedef struct ur_measure {
    double loss;      /* sum over positions of -log probability, natural logarithm */
    size_t positions; /* that the loss counts */
    size_t unknown;   /* among them: the right answer is UR_UNKNOWN, so never given; the loss leaves
                         them out */
    size_t examples;
    double sum[UR_MOST_FIGURES]; /* of the kind's figures, in their order */
    /* What is to be said with a figure so that others can compute the same (sacreBLEU's signatures); ""
     * for most. */
    char signature[UR_MOST_FIGURES][UR_SIGNATURE];
} ur_measure;

/* The figure of that name ("loss", or one of the kind's); NaN: there is none, or it is 0/0. */
double ur_measure_figure(const ur_kind *kind, const ur_measure *measure, const char *name);

/* How often each label is the true one, the model's, and both; and which was taken for which. Of a
 * matrix alone (the others NULL) the three are its sums. */
typedef struct ur_confusion {
    size_t labels;
    size_t *counts; /* (labels, labels): row = the true label, column = the model's; or NULL */
    size_t *present, *predicted, *right; /* (labels); examples whose true label is none of these are
                                            predicted, too */
} ur_confusion;

/* ---- data ---------------------------------------------------------------------------------- */

/* What a model is trained with, as a run's settings name it. */
typedef struct ur_data_options {
    const char *data;        /* a file, or builtin:NAME where the kind has generators */
    const char *valid;       /* likewise; NULL: what the kind makes of it */
    size_t size, valid_size; /* of generated data; 0: 45,000 and 5,000 */
    /* In [0, 1): of data this part is set apart to validate with, drawn by the seed; 0 where `valid` names
     * data for that. */
    double valid_split;
    uint64_t seed;
    size_t batch; /* of the trainer */
} ur_data_options;

/* A model with what stands around it: a run's, or a program's own. */
typedef struct ur_assets {
    ur_context *context;
    const ur_kind *kind;
    void *config;              /* the kind's struct */
    ur_vocabulary *vocabulary; /* NULL: none (yet) */
    ur_vocabulary *labels;     /* likewise, of kinds with labels */
    ur_wordpiece *wordpiece;   /* in place of a vocabulary, of kinds with `pieces` */
    ur_languages languages;    /* beside the vocabulary, which is the source's; see there */
    ur_model *model;           /* NULL: not made yet */
    /* The configuration (the kind's struct) of the model whose weights a new one starts with, where the
     * vocabularies above are that one's; NULL: they are learned from the data. */
    const void *like;
    size_t
        unknown; /* tokens of the training data that these lack, where the data has no remark on it */
    void *train, *valid;             /* the kind's data, or NULL */
    const ur_data_options *data;     /* NULL: not to be trained */
    const ur_search_options *search; /* how evaluations search for answers; NULL: greedily */
} ur_assets;

/* ---- predictions --------------------------------------------------------------------------- */

/* Another answer, less probable than the first. */
typedef struct ur_alternative {
    const char *text;
    double log_probability, score; /* score: with the length penalty */
    bool complete;
} ur_alternative;

/* Characters [begin, end) of a text. */
typedef struct ur_text_range {
    size_t begin, end;
} ur_text_range;

/* The weights of one attention of a Transformer, of all its layers and heads, before drop-out: row i is
 * where it looked when it wrote symbol i of the answer, or read symbol i of the text. */
typedef struct ur_attention_map {
    const char *name; /* what looks where: "cross" (the answer at the text), "encoder" (the text at
                         itself), "decoder" (the answer at what of it was written before) */
    size_t layers, heads, rows, columns;
    const char *const *row_labels;    /* (rows) symbols */
    const char *const *column_labels; /* (columns) */
    const float *weights;             /* (layers, heads, rows, columns) */
} ur_attention_map;

/* What a model makes of one text. All of it lives in `memory`. What a kind does not give is NULL, 0
 * or NaN. */
typedef struct ur_prediction {
    const char *input;  /* the text */
    const char *target; /* what it should have been, where that is known (samples) */
    const char *text;   /* the answer: UTF-8; NULL where the labels of the tokens are the answer */
    double log_probability; /* of the whole answer; NaN: the kind has none */
    double score;           /* with the search's length penalty */
    bool complete;          /* false: the limit came before an end symbol */
    /* Of an answer that is a part of what was asked about: where it stands there, then each of its alternatives, the
     * first being the answer itself. No answer, "", is at [0, 0). */
    const ur_text_range *place;
    /* The parts of the answer: the symbols that were written, or what each token of the text is
     * labelled as, or (classifier) the one label. */
    size_t count;
    const char *const *tokens; /* (count) the symbol, or the token of the text; NULL: classifier */
    const char *const *labels; /* (count) or NULL */
    const float *probability;  /* (count) of the symbol or label */
    const float *all;          /* (count, number of labels) of every label, or NULL */
    size_t n_alternatives;     /* the best n answers, the first being `text` itself; 0: not asked */
    const ur_alternative *alternatives;
    size_t unknown; /* tokens of the text that the vocabulary lacks */
    size_t cut;     /* tokens of the text that were not read: they stood behind max_length */
    bool left_out;  /* the text was too long or had unknown tokens, and such ones are to be skipped:
                       there is no answer */
    /* Where the model looked: row i when it wrote symbol i; columns are the text's symbols. */
    size_t n_inputs;
    const char *const *inputs; /* (n_inputs) */
    const float *attention; /* (count, n_inputs) or NULL; of a Transformer the last layer's over the
                                  text, the mean of its heads */
    size_t n_maps;          /* of every layer and head, where ur_search_options.maps asks for them
                                  and the model is a Transformer that wrote something */
    const ur_attention_map *maps; /* (n_maps) "cross" first */
    void *memory;                 /* ur_prediction_free releases it */
} ur_prediction;

void ur_prediction_free(ur_context *context, ur_prediction *prediction);

/* ---- kinds --------------------------------------------------------------------------------- */

/* A named set of values, "--preset NAME": of the kind's fields, or of training's. */
typedef struct ur_preset {
    const char *name, *help;
    const ur_setting *settings;
} ur_preset;

/* An option that stands for others: "--one-hot" for "--embed 0". */
typedef struct ur_shorthand {
    const char *flag, *group, *help;
    const ur_setting *settings;
} ur_shorthand;

/* A layer in a kind's own struct. */
typedef enum ur_layer_type { UR_LAYER_EMBEDDING, UR_LAYER_LINEAR, UR_LAYER_RNN } ur_layer_type;
typedef struct ur_layer_place {
    ur_layer_type type;
    size_t offset;
} ur_layer_place;

struct ur_kind {
    const char *name; /* "model" in config.json */

    /* ---- for people; NULL throughout for a kind that the tool does not train */
    const char *verb;               /* unroll train VERB */
    const char *chosen_by;          /* the option that chooses this kind among those of one verb */
    const char *summary;            /* half a line */
    const char *description;        /* a paragraph */
    const char *example;            /* as it looks on a terminal */
    const char *const *notes;       /* paragraphs, ended by NULL */
    const char *data_help;          /* what --data is */
    const char *valid_help;         /* what --valid is */
    const char *examples_name;      /* "pairs", "sentences", "tokens": what `extent` counts */
    const char *symbols_name;       /* "symbols", "words": what the vocabulary has */
    const char *measured_name;      /* what `positions` counts: "symbols", "words" */
    const char *loss_is;            /* what the loss is; NULL: the mean over these */
    const char *unit;               /* what its speed is told in: "sequences" or "tokens" */
    const char *const *hides;       /* names of training's fields that mean nothing here; or NULL */
    const ur_shorthand *shorthands; /* ended by a flag of NULL; or NULL */
    const ur_preset *presets;       /* ended by a name of NULL; or NULL */
    size_t samples;                 /* examples that are shown after training */
    bool two_files; /* data may also be two files, their names with a tab between them */
    bool searches;  /* evaluations search for answers as ur_assets.search says */
    bool numbered;  /* the n best answers are lines "number ||| text ||| score" */
    bool begins;    /* `predict` heeds ur_search_options.begin */

    /* ---- configuration */
    const ur_field *fields;
    const char *const
        *former;        /* keys of older configurations that say nothing any more ("text.x"); ended
                                   by NULL; or NULL */
    size_t config_size; /* bytes that can be copied */
    const ur_setting *defaults; /* of training, where they differ; ended by NULL; or NULL */
    size_t steps; /* that a training takes where nobody says how many epochs; 0: 4,000 */
    /* Rules across fields, whatever the vocabulary; ranges are checked before. May be NULL. */
    ur_status (*check)(const void *config, ur_err *err);
    const ur_figure *figures; /* ended by a name of NULL; or NULL: the loss alone */
    bool has_labels;          /* a second vocabulary, labels.txt */

    /* ---- the model */
    size_t model_size; /* bytes of the kind's own struct, which begins with ur_model; zeroed */
    /* A kind with whose struct and configuration its own begin, and whose functions take it, too; or NULL. */
    const ur_kind *begins_with;
    /* Of a model that starts with a published one and is readable as such: what "model_type" is in the
     * config.json of their folders ("bert"), transformers' name of its class, and what the parameters' names of its
     * head begin with, which such a folder may lack; NULL: of others. */
    const char *published, *architecture, *head;
    const ur_layer_place *layers; /* (n_layers) that ur_model_rnn and the like find; or NULL */
    size_t n_layers;
    /* Adds the parameters; model->config may be completed. They are sealed afterwards. */
    ur_status (*build)(ur_model *model, ur_err *err);
    void (*init)(ur_model *model, uint64_t seed); /* initial weights */
    void (*free)(ur_model *model); /* what build took beside parameters; may be NULL */
    /* Loss of some examples; the id of an example is its index. Records on a training tape. Divided
     * by `normaliser`, the number of positions of the whole batch. */
    ur_tensor *(*loss)(ur_tape *tape, const ur_model *model, const void *data, size_t count,
                       const size_t *which, double normaliser);
    /* Adds what an evaluation of some examples gives; uses an inference tape. NULL: loss alone. */
    void (*measure)(ur_tape *tape, const ur_model *model, const void *data, size_t count,
                    const size_t *which, ur_measure *sum);
    /* An evaluation that is not a sum over examples: a text read from start to end, or a mean over
     * labels. To confusion (may be NULL) it adds how often labels were given, where the kind has labels.
     * NULL: shards of `measure`. */
    ur_status (*evaluate)(const ur_model *model, const void *data, ur_measure *out,
                          ur_confusion *confusion, ur_err *err);

    /* ---- its data, behind a pointer that only the kind looks behind */
    size_t (*examples)(const ur_model *model, const void *data);
    /* Steps that example i takes: batches are sorted by it, longest first. NULL: 1. */
    size_t (*length)(const ur_model *model, const void *data, size_t i);
    /* Positions of example i that the loss counts: their sum is the normaliser. NULL: 1. */
    size_t (*positions)(const ur_model *model, const void *data, size_t i);
    bool
        weighs_steps; /* ur_train_options.batch_tokens counts steps of examples in place of positions */
    /* Prepares epoch `epoch` (from 0) as the seed decides: how many examples it has, at least one.
     * They are then taken in the order 0, 1, 2 ..., `batch` at a time; those of one batch must not
     * depend on each other. NULL: all examples, shuffled every epoch. */
    size_t (*start_epoch)(ur_model *model, void *data, uint64_t seed, uint64_t epoch);
    /* Examples of a step that the data was made for; a trainer with another batch refuses it. 0:
     * any number. NULL: likewise. */
    size_t (*batch)(const ur_model *model, const void *data);
    /* State that `loss` hands on from batch to batch: `count` floats, always as many. Checkpoints
     * save it. A step that failed leaves it undefined. May be NULL. */
    float *(*carried)(ur_model *model, void *data, size_t *count);

    /* ---- from files and to texts; NULL for a kind whose data is made by the program alone */
    /* Reads what assets->data names. New: the model is NULL; learns the vocabularies from the data, but
     * takes those that are there already (assets->like; labels that do not suffice, and a vocabulary
     * without <unk> that does not, give way to the data's), completes the configuration and makes the model (ur_model_new). To go on: all is
     * there. Leaves train and valid (NULL: no validation). What was made before a failure stays. */
    ur_status (*prepare)(ur_assets *assets, ur_err *err);
    /* By what rules its texts are cut, of a kind whose vocabulary is WordPiece's. */
    void (*pieces)(const void *config, ur_wordpiece_options *out);
    /* Whether the configuration fits the vocabularies that were read beside it. May be NULL. */
    ur_status (*fits)(const ur_assets *assets, ur_err *err);
    /* Other data, to evaluate with. */
    ur_status (*open)(const ur_assets *assets, const ur_pair_source *source, void **data,
                      ur_err *err);
    void (*free_data)(void *data); /* accepts NULL */
    /* Whether `prepare` sets ur_data_options.valid_split of the examples apart, equal inputs together. False:
     * its data is not split, or by an option of its own. */
    bool splits;
    uint64_t (*fingerprint)(const void *data); /* changes when the data does */
    size_t (*extent)(const void *data);        /* how much data there is, as people count it */
    /* Sentence i about what reading the data found; NULL behind the last. May be NULL. */
    const char *(*remark)(const void *data, size_t i);
    /* Answers to `count` texts, sharing the threads; `out` has room for them. UR_BAD_FILE: a text
     * that cannot be used, its index in *bad (may be NULL). options NULL: the most probable
     * answer. */
    ur_status (*predict)(const ur_assets *assets, size_t count, const char *const *texts,
                         const ur_search_options *options, ur_prediction *out, size_t *bad,
                         ur_err *err);
    /* Whether its texts are two, with a tab between them. May be NULL: they never are. */
    bool (*pairs)(const void *config);
    /* log P(target | source) of every example of the data: (examples). May be NULL. */
    ur_status (*score)(const ur_model *model, const void *data, double *out, ur_err *err);
    /* An example of the data as a prediction with its target. May be NULL. */
    ur_status (*sample)(const ur_assets *assets, const void *data, size_t index, ur_prediction *out,
                        ur_err *err);
    /* The decoder of a model that writes (ur_model_decoder). UR_UNSUPPORTED: this one does not. */
    ur_status (*decoder)(const ur_model *model, ur_decoder *out, ur_err *err);
    /* How its texts are cut into tokens, of a kind that writes texts on (ur_generator). */
    const ur_text_options *(*writes)(const void *config);
    /* Symbols that it never writes, into ids (NULL: only counted). May be NULL: it may write all. */
    size_t (*never)(const ur_assets *assets, int32_t *ids);
};

/* Kinds of a context: the library's, then those that were added, in their order; NULL behind the
 * last. A kind must outlive the context. UR_INVALID: the name is taken, or a needed member is
 * NULL. */
const ur_kind *ur_kind_at(const ur_context *context, size_t i);
const ur_kind *ur_kind_find(const ur_context *context, const char *name); /* NULL: none */
ur_status ur_kind_add(ur_context *context, const ur_kind *kind, ur_err *err);

/* The defaults of a kind's fields, its configuration's check (ranges, then rules across fields). */
void ur_kind_defaults(const ur_kind *kind, void *config);
ur_status ur_kind_check(const ur_kind *kind, const void *config, ur_err *err);

/* How many of the kind's figures are noted: its first ones. */
size_t ur_kind_noted(const ur_kind *kind);

/* The kind's figure that is a perplexity; NULL: it has none. And what a model of that configuration
 * (NULL: of any) tells it of: "per word", "per character". */
const ur_figure *ur_kind_perplexity(const ur_kind *kind);
const char *ur_kind_per(const ur_kind *kind, const void *config);

/* A model with its parameters zero. UR_INVALID: ur_kind_check, or parameters that cannot be
 * built. */
ur_status ur_model_new(ur_context *context, const ur_kind *kind, const void *config, ur_model **out,
                       ur_err *err);
void ur_model_init(ur_model *model, uint64_t seed);
void ur_model_free(ur_model *model); /* accepts NULL */

/* A layer of the model by what its parameters' names begin with ("embed", "lstm", "encoder.gru", "fc"), to be
 * used with the model's parameters: a trained stack can be streamed (ur_stream_new) or its states
 * carried (ur_carry_new). NULL: there is none of that type and name. */
const ur_embedding_layer *ur_model_embedding(const ur_model *model, const char *prefix);
const ur_linear_layer *ur_model_linear(const ur_model *model, const char *prefix);
const ur_rnn_stack *ur_model_rnn(const ur_model *model, const char *prefix);

/* Whether the model is of that kind: UR_INVALID with both names where it is not. */
ur_status ur_model_check(const ur_model *model, const ur_kind *kind, ur_err *err);

#ifdef __cplusplus
}
#endif

#endif
