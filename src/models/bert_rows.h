/* bert_rows.h - rows of field tables that all kinds of BERT with a head have: `config` is their struct, with
 * members bert (ur_bert_config) and text (ur_bert_reading). */
#ifndef UR_MODELS_BERT_ROWS_H
#define UR_MODELS_BERT_ROWS_H

#include <stddef.h>

#include "models/bert.h"
#include "models/parts.h"

#define UR_BERT_AT(config, member) .offset = offsetof(config, member)

/* As transformers' BertConfig calls them; what a new model has of them comes from the published one. */
#define UR_BERT_SAYS "As the published BERT has it."
#define UR_BERT_SIZE_ROW(config, key, member, largest, small, missing)                             \
    {                                                                                              \
        .name = key, .flag = "", .type = UR_FIELD_SIZE, UR_BERT_AT(config, member), .least = 1,    \
        .most = (largest), .initial = (small), .absent = (missing), .help = UR_BERT_SAYS           \
    }
#define UR_BERT_RATE_ROW(config, key, option, member, says)                                        \
    {                                                                                              \
        .name = key, .flag = option, .metavar = "P", .group = "model", .type = UR_FIELD_FLOAT,     \
        UR_BERT_AT(config, member), .most = UR_DROPOUT_MOST, .initial = "0.1", .absent = "0.1",    \
        .shown = "the BERT's", .help = says                                                        \
    }
#define UR_BERT_SPECIAL_ROW(config, key, which, token)                                             \
    {                                                                                              \
        .name = "tokenizer." key, .flag = "", .type = UR_FIELD_TEXT,                               \
        UR_BERT_AT(config, text.special[which]), .initial = (token), .absent = (token),            \
        .help = UR_BERT_SAYS                                                                       \
    }

/* The model, up to its rates of drop-out; then its norms. */
#define UR_BERT_MODEL_ROWS(config)                                                                 \
    {.name = "model_type",                                                                         \
     .flag = "",                                                                                   \
     .type = UR_FIELD_ENUM,                                                                        \
     UR_BERT_AT(config, bert.kind),                                                                \
     .words = ur_bert_kind_words,                                                                  \
     .absent = "bert",                                                                             \
     .help = UR_BERT_SAYS},                                                                        \
        {.name = "vocab_size",                                                                     \
         .flag = "",                                                                               \
         .type = UR_FIELD_SIZE,                                                                    \
         UR_BERT_AT(config, bert.vocabulary),                                                      \
         .most = UR_MOST_VOCABULARY,                                                               \
         .absent = "30522",                                                                        \
         .help = UR_BERT_SAYS},                                                                    \
        UR_BERT_SIZE_ROW(config, "hidden_size", bert.hidden_size, UR_MOST_UNITS, "128", "768"),    \
        UR_BERT_SIZE_ROW(config, "num_hidden_layers", bert.layers, UR_MOST_TRANSFORMER_LAYERS,     \
                         "2", "12"),                                                               \
        UR_BERT_SIZE_ROW(config, "num_attention_heads", bert.heads, UR_MOST_UNITS, "2", "12"),     \
        UR_BERT_SIZE_ROW(config, "intermediate_size", bert.feed_forward_size, UR_MOST_UNITS,       \
                         "512", "3072"),                                                           \
        UR_BERT_SIZE_ROW(config, "max_position_embeddings", bert.positions, 1 << 20, "128",        \
                         "512"),                                                                   \
        UR_BERT_SIZE_ROW(config, "type_vocab_size", bert.segments, 1 << 16, "2", "2"),             \
        {.name = "hidden_act",                                                                     \
         .flag = "",                                                                               \
         .type = UR_FIELD_ENUM,                                                                    \
         UR_BERT_AT(config, bert.activation),                                                      \
         .words = ur_bert_act_words,                                                               \
         .initial = "gelu",                                                                        \
         .absent = "gelu",                                                                         \
         .help = UR_BERT_SAYS},                                                                    \
        UR_BERT_RATE_ROW(config, "hidden_dropout_prob", "dropout", bert.dropout,                   \
                         "Part of the embeddings and of what each layer adds that is dropped."),   \
        UR_BERT_RATE_ROW(config, "attention_probs_dropout_prob", "attention-dropout",              \
                         bert.attention_dropout, "Part of the attention weights that is dropped.")
#define UR_BERT_NORM_ROWS(config)                                                                  \
    {.name = "layer_norm_eps",                                                                     \
     .flag = "",                                                                                   \
     .type = UR_FIELD_FLOAT,                                                                       \
     UR_BERT_AT(config, bert.layer_norm_eps),                                                      \
     .most = 1,                                                                                    \
     .open = UR_OPEN_LEAST,                                                                        \
     .initial = "1e-12",                                                                           \
     .absent = "1e-12",                                                                            \
     .help = UR_BERT_SAYS},                                                                        \
        {.name = "initializer_range",                                                              \
         .flag = "",                                                                               \
         .type = UR_FIELD_REAL,                                                                    \
         UR_BERT_AT(config, bert.deviation),                                                       \
         .most = 100,                                                                              \
         .initial = "0.02",                                                                        \
         .absent = "0.02",                                                                         \
         .help = UR_BERT_SAYS},                                                                    \
    {                                                                                              \
        .name = "embedding_norm", .flag = "", .type = UR_FIELD_BOOL,                               \
        UR_BERT_AT(config, bert.embedding_norm), .initial = "true", .absent = "true",              \
        .help = UR_BERT_SAYS                                                                       \
    }

/* How texts are cut. */
#define UR_BERT_TOKENIZER_ROWS(config)                                                             \
    {.name = "tokenizer.lower",                                                                    \
     .flag = "",                                                                                   \
     .type = UR_FIELD_BOOL,                                                                        \
     UR_BERT_AT(config, text.lower),                                                               \
     .initial = "true",                                                                            \
     .absent = "true",                                                                             \
     .help = UR_BERT_SAYS},                                                                        \
        {.name = "tokenizer.strip_accents",                                                        \
         .flag = "",                                                                               \
         .type = UR_FIELD_BOOL,                                                                    \
         UR_BERT_AT(config, text.strip_accents),                                                   \
         .initial = "true",                                                                        \
         .absent = "true",                                                                         \
         .help = UR_BERT_SAYS},                                                                    \
        {.name = "tokenizer.ideographs",                                                           \
         .flag = "",                                                                               \
         .type = UR_FIELD_BOOL,                                                                    \
         UR_BERT_AT(config, text.ideographs),                                                      \
         .initial = "true",                                                                        \
         .absent = "true",                                                                         \
         .help = UR_BERT_SAYS},                                                                    \
        UR_BERT_SPECIAL_ROW(config, "unk_token", UR_UNK, "[UNK]"),                                 \
        UR_BERT_SPECIAL_ROW(config, "cls_token", UR_CLS, "[CLS]"),                                 \
        UR_BERT_SPECIAL_ROW(config, "sep_token", UR_SEP, "[SEP]"),                                 \
        UR_BERT_SPECIAL_ROW(config, "pad_token", UR_PAD, "[PAD]"),                                 \
        UR_BERT_SPECIAL_ROW(config, "mask_token", UR_MASK, "[MASK]"),                              \
    {                                                                                              \
        .name = "tokenizer.longest", .flag = "", .type = UR_FIELD_SIZE,                            \
        UR_BERT_AT(config, text.longest), .most = 1 << 20, .absent = "0", .help = UR_BERT_SAYS     \
    }

/* What is read of them. */
#define UR_BERT_READING_ROWS(config, pieces, standard, skips)                                      \
    {.name = "read.max_length",                                                                    \
     .metavar = "N",                                                                               \
     .group = "data",                                                                              \
     .type = UR_FIELD_SIZE,                                                                        \
     UR_BERT_AT(config, text.reading.max_length),                                                  \
     .most = 1 << 20,                                                                              \
     .absent = "0",                                                                                \
     .of_data = true,                                                                              \
     .shown = (standard),                                                                          \
     .help = (pieces)},                                                                            \
    {                                                                                              \
        .name = "read.skip", .group = "data", .type = UR_FIELD_BOOL,                               \
        UR_BERT_AT(config, text.reading.skip), .absent = "false", .shown = "", .of_data = true,    \
        .help = (skips)                                                                            \
    }

#endif
