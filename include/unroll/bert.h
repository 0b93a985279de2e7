/* unroll/bert.h - BERT (Devlin et al. 2019): a Transformer's encoder over pieces of words, as Hugging
 * Face's BertModel has it, with its names of parameters and of settings. Text to pieces:
 * unroll/wordpiece.h; published folders: unroll/embedder.h. */
#ifndef UNROLL_BERT_H
#define UNROLL_BERT_H

#include "unroll/core.h"
#include "unroll/model.h"
#include "unroll/transformer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* x = norm(word[id] + position[t] + token_type[segment]), then post-norm layers of self-attention and
 * feed-forward with biases, and on top pooled = tanh(W y_0 + b), of the first step of each sequence.
 *
 * Parameters: embeddings.word_embeddings.weight, position_embeddings, token_type_embeddings, LayerNorm.*;
 * encoder.layer.N.attention.self.query.* key.* value.*, attention.output.dense.*, attention.output.LayerNorm.*,
 * intermediate.dense.*, output.dense.*, output.LayerNorm.*; pooler.dense.*; of the head for masked words
 * cls.predictions.transform.dense.*, transform.LayerNorm.*, bias, and under the names decoder.weight and
 * decoder.bias the word embeddings and that bias again; of the one for the next sentence
 * cls.seq_relationship.*. */
/* Matrices N(0, deviation^2), biases zero; or all as PyTorch's modules start. */
enum { UR_BERT_NORMAL, UR_BERT_PYTORCH };
/* What a learned vocabulary has: pieces of words, or whole words alone. */
enum { UR_BERT_PIECES, UR_BERT_WORDS };
/* [CLS] [SEP] [PAD] [MASK] [UNK], or <cls> <sep> <pad> <mask> <unk>. */
enum { UR_BERT_SQUARE, UR_BERT_ANGLE };
/* Accents are stripped as `lower` says, never, always. */
enum { UR_BERT_ACCENTS_AUTO, UR_BERT_ACCENTS_KEPT, UR_BERT_ACCENTS_STRIPPED };

/* What pretraining makes of a text with a paragraph on each line. */
typedef struct ur_bert_text {
    int tokens;        /* UR_BERT_PIECES ... */
    const char *file;  /* a vocab.txt in place of learning one; NULL: none */
    size_t max_size;   /* tokens that are learned, special ones included; 0: any number */
    size_t min_freq;   /* of a word, and of two pieces that become one */
    bool lower;        /* letters in lower case */
    int strip_accents; /* UR_BERT_ACCENTS_AUTO ... */
    int specials;      /* UR_BERT_SQUARE ... */
    int sentences;     /* UR_SENTENCES_MARKS ... */
    size_t max_length; /* of [CLS] a [SEP] b [SEP]: longer pairs are left out. 0: the positions */
    double masked;     /* part of the pieces that is to be told, in (0, 1] */
} ur_bert_text;

typedef struct ur_bert_config {
    size_t vocabulary;             /* "vocab_size" in config.json ... */
    size_t hidden_size;            /* "hidden_size" */
    size_t layers;                 /* "num_hidden_layers", at most UR_MOST_TRANSFORMER_LAYERS */
    size_t heads;                  /* "num_attention_heads" */
    size_t feed_forward_size;      /* "intermediate_size" */
    size_t positions;              /* "max_position_embeddings": the longest sequence */
    size_t segments;               /* "type_vocab_size" */
    ur_activation activation;      /* "hidden_act": relu, gelu, gelu_new */
    float dropout;                 /* "hidden_dropout_prob" */
    float attention_dropout;       /* "attention_probs_dropout_prob" */
    float layer_norm_eps;          /* "layer_norm_eps" */
    double deviation;              /* "initializer_range", of the initial weights */
    int position_kind;             /* "position_embedding_type": absolute alone */
    bool decoder, cross_attention; /* "is_decoder", "add_cross_attention": refused */
    /* In no file: whether there is a pooler is told by the weights, a head by who wants it. */
    bool no_pooler;
    bool inside; /* names stand behind "bert.", as they do inside transformers' models with heads */
    bool masked_words; /* a head that says what stands behind [MASK]: BertForMaskedLM's */
    /* Masked words and next sentence, as BertForPreTraining has them and under its names: bert.* and
     * cls.*. */
    bool pretraining;
    bool tie_output; /* "tie_word_embeddings": the output of that head is the word embeddings */
    bool
        embedding_norm; /* a norm and drop-out after the embeddings; Dive into Deep Learning has none */
    int init;           /* where weights start: UR_BERT_NORMAL ... */
    int kind;           /* "model_type": bert */
    ur_bert_text text; /* of a training */
} ur_bert_config;

/* bert-base-uncased's. */
ur_bert_config ur_bert_defaults(void);

/* The settings in a config.json of Hugging Face's; keys that it lacks mean what they mean there. Every key
 * is known or refused by name: UR_BAD_FILE; UR_UNSUPPORTED: of another kind of model (RoBERTa,
 * DistilBERT ...), a decoder. */
ur_status ur_bert_config_load(const ur_allocator *a, const char *path, ur_bert_config *out,
                              ur_err *err);

/* Parameters zero. UR_INVALID, UR_UNSUPPORTED: settings that are out of range or do not go together. */
ur_status ur_bert_new(ur_context *context, const ur_bert_config *config, ur_model **out,
                      ur_err *err);
/* NULL: a model of another kind. */
const ur_bert_config *ur_bert_config_of(const ur_model *model);

/* ids (rows) -> (rows, hidden_size): the last layer's output. segments: of the same layout, NULL: all
 * are 0. call (may be NULL): each layer's output, attention weights. Attention is fastest with
 * sequence-major rows. */
ur_seq *ur_bert_encode(ur_tape *tape, const ur_model *model, const ur_seq *ids,
                       const ur_seq *segments, const ur_transformer_call *call);
/* What the pooler makes of that: (B, hidden_size). UR_INVALID: there is none. */
ur_tensor *ur_bert_pool(ur_tape *tape, const ur_model *model, const ur_seq *encoded);
/* Some of its rows (n, hidden_size) -> logits of the words that stand there (n, vocabulary):
 * word W^T + b of norm(act(W' x + b')). UR_INVALID: there is no head for masked words. */
ur_tensor *ur_bert_words(ur_tape *tape, const ur_model *model, ur_tensor *rows);
/* What ur_bert_pool gave -> logits (B, 2): the second text follows the first, or it does not.
 * UR_INVALID: there is no head for that. BertForNextSentencePrediction. */
ur_tensor *ur_bert_next(ur_tape *tape, const ur_model *model, ur_tensor *pooled);

/* ---- pretraining ------------------------------------------------------------------------------ */

/* The loss is the sum of two means: of -log p over the words that are to be told, and over the pairs of
 * -log p that the second text follows the first, or does not (transformers' BertForPreTraining). Runs
 * learn from texts ("bert" of ur_run_create); a program can make the examples itself. */
typedef struct ur_bert_data ur_bert_data;

/* [CLS] first [SEP] second [SEP]. Places are counted in the whole input, and rise. */
typedef struct ur_bert_example {
    ur_ids first, second; /* neither empty */
    bool follows;
    size_t masks;
    const size_t *at; /* (masks) where the words that are to be told stand */
    const int32_t
        *shown; /* (masks) what the model reads there: [MASK], or another word, or the same */
} ur_bert_example;

/* The examples are copied; each epoch has them in their order. cls, sep: ids of the special tokens. batch:
 * of the trainer; 0: to evaluate with. UR_INVALID: an empty text, a mask at a special token's place. */
ur_status ur_bert_data_new(ur_context *context, size_t count, const ur_bert_example *example,
                           int32_t cls, int32_t sep, size_t batch, ur_bert_data **out, ur_err *err);
void ur_bert_data_free(ur_bert_data *data); /* accepts NULL */

#ifdef __cplusplus
}
#endif

#endif
