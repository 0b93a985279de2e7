/* pair_transformer.h - a Transformer from one sequence of ids to another, for kinds of models that read a
 * text and write one; and its decoder. */
#ifndef UR_MODELS_PAIR_TRANSFORMER_H
#define UR_MODELS_PAIR_TRANSFORMER_H

#include "models/decode.h"
#include "models/predict.h"
#include "unroll/transformer.h"

typedef struct ur_pair_transformer_config {
    size_t source_symbols, target_symbols;
    size_t layers; /* of the encoder, and of the decoder */
    ur_transformer_config layer;
    ur_tie tie; /* UR_TIE_ALL: source_symbols are target_symbols */
} ur_pair_transformer_config;

/* x = drop(sqrt(d) embed(id) + sines); encoder, decoder, each with a last norm; a linear layer to the
 * target's symbols. Parameters: encoder.embed.weight encoder.layers.* encoder.norm.*, decoder.embed.weight
 * decoder.layers.* decoder.norm.* decoder.fc.*, where the bodies are what nn.Transformer has. */
typedef struct ur_pair_transformer {
    ur_pair_transformer_config config;
    float scale; /* sqrt(d) */
    ur_embedding_layer source, target;
    ur_sine_positions *sines; /* freed by ur_pair_transformer_free */
    ur_positions_layer positions;
    ur_transformer body;
    ur_linear_layer fc;
} ur_pair_transformer;

enum { UR_PAIR_POSITIONS = 4096 }; /* the longest sequence, of either side */

/* Whether the options are in range and go together: UR_INVALID with the reason. */
ur_status ur_pair_transformer_check(const ur_pair_transformer_config *config, ur_err *err);
ur_status ur_pair_transformer_build(ur_context *context, ur_params *params,
                                    const ur_pair_transformer_config *config,
                                    ur_pair_transformer *out, ur_err *err);
void ur_pair_transformer_free(ur_pair_transformer *m); /* also of zeros */
/* Embeddings N(0, 1/d), the rest as ur_transformer_init and ur_linear_init. */
void ur_pair_transformer_init(const ur_pair_transformer *m, ur_params *params, uint64_t seed);

/* The memory of some sources, and logits of all steps of targets whose inputs are given. */
ur_seq *ur_pair_transformer_encode(ur_tape *tape, const ur_pair_transformer *m, const ur_seq *ids);
ur_seq *ur_pair_transformer_logits(ur_tape *tape, const ur_pair_transformer *m,
                                   const ur_seq *memory, const ur_seq *inputs);

/* The attention weights of one source and of one answer, whose inputs are given, as the prediction's maps.
 * What a prediction shows is in reading order: `written` are the answer's symbols, `read` the decoder's
 * inputs. False: the tape failed, or there is no memory. */
typedef struct ur_pair_sides {
    ur_map_side source, written, read;
} ur_pair_sides;
bool ur_pair_transformer_maps(ur_tape *tape, const ur_pair_transformer *m, const ur_seq *source,
                              ur_ids inputs, const ur_pair_sides *sides, ur_prediction *out);

/* The state of a decoder (ur_decoder.start), for a memory of the task's sources; what the first step is
 * fed with is the caller's affair. The others are functions of ur_decoder as they stand; attention is
 * that of the last layer to the memory, the mean over the heads. */
void *ur_pair_transformer_start(ur_tape *tape, const ur_pair_transformer *m, const ur_seq *memory,
                                const ur_decoder_task *task);
ur_tensor *ur_pair_transformer_step(ur_tape *tape, void *state, const int32_t *symbols);
void ur_pair_transformer_reorder(ur_tape *tape, void *state, size_t rows, const size_t *parent);
const float *ur_pair_transformer_attention(const void *state, size_t row);
void ur_pair_transformer_release(void *state);

#endif
