/* parts.h - what kinds of models have in common: cells, directions, rows of their field tables, and
 * what their data and vocabularies are asked. */
#ifndef UR_MODELS_PARTS_H
#define UR_MODELS_PARTS_H

#include <stddef.h>

#include "unroll/model.h"
#include "unroll/nn.h"
#include "text/normalise.h"
#include "text/tokens.h"

/* ---- recurrent stacks ---------------------------------------------------------------------- */

/* The cell that a configuration names, or NULL. */
const struct ur_cell *ur_configured_cell(const char *name);

/* "encoder.gru", or "gru" where part is NULL: what a PyTorch module would call its nn.GRU (rnn for
 * rnn_tanh and rnn_relu). */
void ur_rnn_prefix(const char *part, const char *cell, char name[64]);

/* One layer's part of a stack's states (N, B, F) as its outputs are: (B, F) one way or the mean of
 * two directions, (B, 2F) side by side. */
ur_tensor *ur_join_directions(ur_tape *tape, ur_directions how, ur_tensor *states, size_t layer);

/* ---- models and what stands around them ---------------------------------------------------- */

/* Whether the tape works and the model is of that kind; fails the tape where it is not. */
bool ur_tape_takes(ur_tape *tape, const ur_model *model, const ur_kind *kind);
/* Whether all of these are below `examples`; fails the tape where one is not. */
bool ur_examples_exist(ur_tape *tape, size_t count, const size_t *which, size_t examples);

/* Sequences of ids, one after the other; steps (count) receives their lengths. */
int32_t *ur_join_ids(ur_tape *tape, size_t count, const ur_ids *items, size_t *steps);
/* As one ragged batch; id as of ur_new_layout. */
ur_seq *ur_joined(ur_tape *tape, ur_order order, size_t count, const ur_ids *items,
                  const uint64_t *id);
/* (rows) -log softmax(row)[target] of each row of logits; NULL when the tape failed. */
const float *ur_row_losses(ur_tape *tape, const ur_seq *logits, const ur_seq *targets);

/* UR_INVALID: a vocabulary of a size outside [least, UR_MOST_VOCABULARY]. */
ur_status ur_check_vocabulary(const ur_kind *kind, size_t vocabulary, size_t least, ur_err *err);

/* A new run's model, and its configuration as the model completed it. */
ur_status ur_assets_make_model(ur_assets *assets, ur_err *err);
/* UR_INVALID when config.json's vocabulary_size is not that of the vocabulary. */
ur_status ur_assets_check_vocabulary(const ur_assets *assets, size_t vocabulary, ur_err *err);
/* The data to train or validate with; reading: of its files, or NULL. */
ur_pair_source ur_assets_source(const ur_assets *assets, ur_split split, const ur_reading *reading);
/* UR_INVALID: data of a generator, for a kind that has none. */
ur_status ur_assets_no_generator(const ur_assets *assets, ur_err *err);

/* FNV-1a, for fingerprints: start with UR_FINGERPRINT, add one number after the other. */
#define UR_FINGERPRINT UINT64_C(0xcbf29ce484222325)
static inline uint64_t ur_fingerprint_add(uint64_t hash, uint64_t x)
{
    return (hash ^ x) * UINT64_C(0x100000001b3);
}

/* ---- rows of field tables ------------------------------------------------------------------ */

extern const char *const ur_cell_synonyms[];
extern const char *const ur_direction_words[];  /* of ur_directions */
extern const char *const ur_activation_words[]; /* of ur_activation */
extern const char *const ur_tie_words[];        /* of ur_tie */

#define UR_DROPOUT_MOST 0.999999 /* the largest float below 1 that six digits can say */

#define UR_VOCABULARY_ROW(config)                                                                  \
    {                                                                                              \
        .name = "vocabulary_size", .flag = "", .type = UR_FIELD_SIZE,                              \
        .offset = offsetof(config, vocabulary), .most = UR_MOST_VOCABULARY, .of_data = true,       \
        .help = "Symbols; filled in from the data."                                                \
    }
#define UR_HIDDEN_ROW(config, standard, says)                                                      \
    {                                                                                              \
        .name = "hidden_size", .flag = "hidden", .metavar = "N", .group = "model",                 \
        .type = UR_FIELD_SIZE, .offset = offsetof(config, hidden_size), .least = 1,                \
        .most = UR_MOST_UNITS, .initial = (standard), .help = (says)                               \
    }
#define UR_CELL_ROW(config, what, missing)                                                         \
    {                                                                                              \
        .name = "cell", .group = "model", .type = UR_FIELD_NAME, .offset = offsetof(config, cell), \
        .word = ur_cell_name, .synonyms = ur_cell_synonyms, .initial = "lstm",                     \
        .absent = (missing), .help = what " rnn is rnn_tanh."                                      \
    }
#define UR_LAYERS_ROW(config, says, missing)                                                       \
    {                                                                                              \
        .name = "layers", .metavar = "N", .group = "model", .type = UR_FIELD_SIZE,                 \
        .offset = offsetof(config, layers), .least = 1, .most = UR_MOST_LAYERS, .initial = "1",    \
        .absent = (missing), .help = (says)                                                        \
    }
#define UR_DROPOUT_ROW(config, says)                                                               \
    {                                                                                              \
        .name = "dropout", .metavar = "P", .group = "model", .type = UR_FIELD_FLOAT,               \
        .offset = offsetof(config, dropout), .most = UR_DROPOUT_MOST, .initial = "0",              \
        .help = (says)                                                                             \
    }

/* Of a Transformer; `when` is the field and its value that choose one. */
#define UR_HEADS_ROW(config, fewest, missing, when, says)                                          \
    {                                                                                              \
        .name = "heads", .metavar = "N", .group = "model", .type = UR_FIELD_SIZE,                  \
        .offset = offsetof(config, heads), .least = (fewest), .most = UR_MOST_UNITS,               \
        .initial = "4", .absent = (missing), .belongs = (when),                                    \
        .help = "Attention heads of a Transformer; they divide --hidden." says                     \
    }
#define UR_FEED_FORWARD_ROW(config, missing, when)                                                 \
    {                                                                                              \
        .name = "feed_forward_size", .flag = "ffn", .metavar = "N", .group = "model",              \
        .type = UR_FIELD_SIZE, .offset = offsetof(config, feed_forward_size),                      \
        .most = UR_MOST_UNITS, .absent = (missing), .shown = "4 times --hidden",                   \
        .belongs = (when), .help = "Units between the two linear layers of a Transformer's layer." \
    }
#define UR_ACTIVATION_ROW(config, standard, missing, when)                                         \
    {                                                                                              \
        .name = "activation", .metavar = "relu|gelu|gelu-tanh", .group = "model",                  \
        .type = UR_FIELD_ENUM, .offset = offsetof(config, activation),                             \
        .words = ur_activation_words, .initial = (standard), .absent = (missing),                  \
        .belongs = (when), .help = "What stands between these."                                    \
    }
#define UR_NORM_FIRST_ROW(config, missing, when)                                                   \
    {                                                                                              \
        .name = "norm_first", .group = "model", .type = UR_FIELD_BOOL,                             \
        .offset = offsetof(config, norm_first), .absent = (missing), .shown = "",                  \
        .belongs = (when),                                                                         \
        .help = "A Transformer's layers normalise what they read instead of what they add up to."  \
    }
#define UR_TIE_ROW(config, missing, when)                                                          \
    {                                                                                              \
        .name = "tie", .metavar = "none|output|all", .group = "model", .type = UR_FIELD_ENUM,      \
        .offset = offsetof(config, tie), .words = ur_tie_words, .initial = "none",                 \
        .absent = (missing), .belongs = (when),                                                    \
        .help = "Which weights are one: the output layer's and the decoder's embedding, or the "   \
                "encoder's embedding as well."                                                     \
    }
#define UR_SMOOTHING_ROW(config, missing)                                                          \
    {                                                                                              \
        .name = "label_smoothing", .metavar = "S", .group = "model", .type = UR_FIELD_FLOAT,       \
        .offset = offsetof(config, label_smoothing), .most = 1, .initial = "0",                    \
        .absent = (missing),                                                                       \
        .help = "Part of each target's probability that all symbols share, when it is learned."    \
    }

#define UR_UNICODE_ROW(config, member)                                                             \
    {                                                                                              \
        .name = "text.unicode", .metavar = "nfc|nfkc", .group = "data", .type = UR_FIELD_ENUM,     \
        .offset = offsetof(config, member), .words = ur_unicode_words, .absent = "as-is",          \
        .shown = "as it is",                                                                       \
        .help =                                                                                    \
            "Texts in Unicode's normalisation form C or KC, before anything else is done with "    \
            "them."                                                                                \
    }

/* All of a ur_reading, the member `reading`, but its columns. */
#define UR_READING_ROWS(config, reading, what, longest)                                            \
    {.name = "read.max_length",                                                                    \
     .metavar = "N",                                                                               \
     .group = "data",                                                                              \
     .type = UR_FIELD_SIZE,                                                                        \
     .offset = offsetof(config, reading.max_length),                                               \
     .most = (longest),                                                                            \
     .absent = "0",                                                                                \
     .of_data = true,                                                                              \
     .shown = "longer than 65536: refused",                                                        \
     .help = "Read " what ", in files and texts to predict."},                                     \
    {                                                                                              \
        .name = "read.skip", .group = "data", .type = UR_FIELD_BOOL,                               \
        .offset = offsetof(config, reading.skip), .absent = "false", .shown = "", .of_data = true, \
        .help = "Leave out, and count, what is longer than --max-length or has what the model "    \
                "does not know: characters or words that no <unk> stands for, labels."             \
    }
/* Its columns. */
#define UR_COLUMN_ROW(config, key, member, says)                                                   \
    {                                                                                              \
        .name = "read." key, .metavar = "NAME|N", .group = "data", .type = UR_FIELD_TEXT,          \
        .offset = offsetof(config, member), .least = 1, .absent = "", .shown = "",                 \
        .of_data = true, .help = (says)                                                            \
    }

/* How texts are cut into tokens: `options` is a member of type ur_text_options. */
#define UR_TOKEN_ROWS(config, options, standard, tokenizer_flag, letters_flag)                     \
    {.name = "text.tokenizer",                                                                     \
     .flag = (tokenizer_flag),                                                                     \
     .group = "data",                                                                              \
     .type = UR_FIELD_ENUM,                                                                        \
     .offset = offsetof(config, options.tokenizer),                                                \
     .word = ur_tokenizer_words,                                                                   \
     .initial = (standard),                                                                        \
     .help =                                                                                       \
         "What a token is: a character, what stands between white space, or words and "            \
         "punctuation apart (word-stops: . , ! ? alone; word-joined: with marks that give the "    \
         "text's own spaces back)."},                                                              \
        {.name = "text.lower",                                                                     \
         .group = "data",                                                                          \
         .type = UR_FIELD_BOOL,                                                                    \
         .offset = offsetof(config, options.lower),                                                \
         .shown = "",                                                                              \
         .help = "Tokens in lower case."},                                                         \
        UR_UNICODE_ROW(config, options.unicode),                                                   \
    {                                                                                              \
        .name = "text.letters_only", .flag = (letters_flag), .group = "data",                      \
        .type = UR_FIELD_BOOL, .offset = offsetof(config, options.letters_only), .shown = "",      \
        .help = "In each line runs of anything but A-Z and a-z become one space, none at its "     \
                "ends; ends of lines disappear."                                                   \
    }

/* Which tokens the vocabulary gets: members min_freq and max_size of `part`. */
#define UR_FREQUENCY_ROWS(config, least_frequent, largest, standard)                               \
    {.name = "text.min_freq",                                                                      \
     .metavar = "N",                                                                               \
     .group = "data",                                                                              \
     .type = UR_FIELD_SIZE,                                                                        \
     .offset = offsetof(config, least_frequent),                                                   \
     .most = 1 << 30,                                                                              \
     .initial = (standard),                                                                        \
     .help = "Tokens that come up less often are <unk>, which so learns what to do with tokens "   \
             "that it never saw."},                                                                \
    {                                                                                              \
        .name = "text.max_size", .metavar = "N", .group = "data", .type = UR_FIELD_SIZE,           \
        .offset = offsetof(config, largest), .most = 1 << 30, .initial = "0", .shown = "no limit", \
        .help = "Only the N most frequent tokens; others are <unk>."                               \
    }

/* All of a ur_text_source, the member `source`. */
#define UR_TEXT_SOURCE_ROWS(config, source, standard)                                              \
    UR_TOKEN_ROWS(config, source.options, standard, NULL, NULL),                                   \
        {.name = "text.line_ends",                                                                 \
         .flag = "no-line-ends",                                                                   \
         .group = "data",                                                                          \
         .type = UR_FIELD_BOOL,                                                                    \
         .offset = offsetof(config, source.options.line_ends),                                     \
         .initial = "true",                                                                        \
         .shown = "",                                                                              \
         .help = "The end of a line is no token, as it is among words otherwise."},                \
        UR_FREQUENCY_ROWS(config, source.min_freq, source.max_size, "1"),                          \
        {.name = "text.max_tokens",                                                                \
         .metavar = "N",                                                                           \
         .group = "data",                                                                          \
         .type = UR_FIELD_SIZE,                                                                    \
         .offset = offsetof(config, source.max_tokens),                                            \
         .most = 0x1p53,                                                                           \
         .initial = "0",                                                                           \
         .of_data = true,                                                                          \
         .shown = "all",                                                                           \
         .help = "Learn the first N tokens alone; the vocabulary is that of the whole text."},     \
        {.name = "text.valid_split",                                                               \
         .metavar = "F",                                                                           \
         .group = "data",                                                                          \
         .type = UR_FIELD_REAL,                                                                    \
         .offset = offsetof(config, source.valid_split),                                           \
         .most = 1,                                                                                \
         .open = UR_OPEN_MOST,                                                                     \
         .initial = "0",                                                                           \
         .of_data = true,                                                                          \
         .shown = "",                                                                              \
         .help = "Validate with this part of --data, from its end, in place of a file; the rest "  \
                 "is learned."},                                                                   \
    {                                                                                              \
        .name = "text.unseen", .flag = "", .type = UR_FIELD_TEXT,                                  \
        .offset = offsetof(config, source.unseen), .absent = "", .of_data = true,                  \
        .help = "Ids that the training text does not contain: they are never written."             \
    }

#endif
