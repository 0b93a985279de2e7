/* unroll/transformer.h - Transformers (Vaswani et al. 2017): torch.nn.TransformerEncoderLayer,
 * TransformerDecoderLayer, their stacks and nn.Transformer, with PyTorch's parameter names; and decoders
 * that keep the keys and values of the steps so far.
 *
 * Sequences are ragged: nothing is padded, and a sequence's length is what a key padding mask says
 * in PyTorch. Any order of rows will do; attention is fastest with sequence-major ones. */
#ifndef UNROLL_TRANSFORMER_H
#define UNROLL_TRANSFORMER_H

#include "unroll/core.h"
#include "unroll/nn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Which weights of a model that reads and writes are one: none, the output layer's and those of the
 * embedding of what it writes (Press and Wolf 2017), or both embeddings' as well (Vaswani et al.
 * 2017, section 3.4). */
typedef enum ur_tie { UR_TIE_NONE, UR_TIE_OUTPUT, UR_TIE_ALL } ur_tie;

/* ---- layers ---------------------------------------------------------------------------------- */

/* What the parameters of a stack are called where they are not called as PyTorch has them, behind the prefix.
 * Of a decoder: NULL. */
typedef struct ur_transformer_names {
    const char *layers;                    /* "layers": layer 3 is LAYERS.3 */
    const char *query, *key, *value, *out; /* linear layers of the self-attention */
    const char *linear1, *linear2, *norm1, *norm2;
} ur_transformer_names;

/* What is left out is as in PyTorch:
 *     nn.TransformerEncoderLayer(256, 8)    {.d_model = 256, .nhead = 8, .dropout = 0.1f}
 * dropout acts where PyTorch's does: on the attention weights, on what each sub-layer adds and between
 * the linear layers; 0 is none. Other frameworks have rates of their own in the first and the last of these
 * places. */
typedef struct ur_transformer_config {
    size_t d_model, nhead;
    size_t dim_feedforward;   /* 0: 2048 */
    float dropout;            /* in [0, 1) */
    ur_activation activation; /* UR_ACT_NONE: UR_ACT_RELU */
    float layer_norm_eps;     /* 0: 1e-5 */
    bool norm_first;          /* normalise what a sub-layer reads instead of the sum after it */
    bool no_bias;             /* of linear layers and norms */
    bool own_rates;           /* the next two count */
    float attention_dropout,
        inner_dropout;                 /* on the attention weights, between the linear layers */
    const ur_transformer_names *names; /* NULL: PyTorch's */
} ur_transformer_config;

/* Whether the options are in range and go together: UR_INVALID with the reason. */
ur_status ur_transformer_check(const ur_transformer_config *config, ur_err *err);

/* Post-norm: x = norm1(x + drop(self_attn(x))), x = norm2(x + drop(linear2(drop(act(linear1(x))))));
 * with norm_first x = x + drop(self_attn(norm1(x))), x = x + drop(... (norm2(x))). Names:
 * PREFIX.self_attn.* (ur_multi_head_layer), linear1.*, linear2.*, norm1.*, norm2.* */
typedef struct ur_transformer_encoder_layer {
    ur_transformer_config config;
    ur_multi_head_layer self_attn;
    ur_linear_layer linear1, linear2;
    ur_layer_norm_layer norm1, norm2;
} ur_transformer_encoder_layer;

/* The same with attention over the encoder's output, the memory, between the two. Names: also
 * PREFIX.multihead_attn.*, norm3.* */
typedef struct ur_transformer_decoder_layer {
    ur_transformer_config config;
    ur_multi_head_layer self_attn, multihead_attn;
    ur_linear_layer linear1, linear2;
    ur_layer_norm_layer norm1, norm2, norm3;
} ur_transformer_decoder_layer;

/* ---- stacks ------------------------------------------------------------------------------------ */

enum { UR_MOST_TRANSFORMER_LAYERS = 48 };

/* torch.nn.TransformerEncoder and TransformerDecoder. Names: PREFIX.layers.0.*, PREFIX.layers.1.* ...
 * and, where there is a last norm, PREFIX.norm.* */
typedef struct ur_transformer_encoder {
    size_t num_layers;
    bool has_norm;
    ur_layer_norm_layer norm;
    ur_transformer_encoder_layer layer[UR_MOST_TRANSFORMER_LAYERS];
} ur_transformer_encoder;

typedef struct ur_transformer_decoder {
    size_t num_layers;
    bool has_norm;
    ur_layer_norm_layer norm;
    ur_transformer_decoder_layer layer[UR_MOST_TRANSFORMER_LAYERS];
} ur_transformer_decoder;

/* 1 to UR_MOST_TRANSFORMER_LAYERS layers. Fail as ur_transformer_check does; parameters that could not be added are
 * told by ur_params_seal. */
ur_status ur_transformer_encoder_add(ur_params *params, const char *prefix,
                                     const ur_transformer_config *config, size_t num_layers,
                                     bool norm, ur_transformer_encoder *out, ur_err *err);
ur_status ur_transformer_decoder_add(ur_params *params, const char *prefix,
                                     const ur_transformer_config *config, size_t num_layers,
                                     bool norm, ur_transformer_decoder *out, ur_err *err);
/* As PyTorch's layers start: ur_multi_head_attention_init, ur_linear_init, norms one and zero. */
void ur_transformer_encoder_init(const ur_transformer_encoder *stack, ur_params *params,
                                 uint64_t seed);
void ur_transformer_decoder_init(const ur_transformer_decoder *stack, ur_params *params,
                                 uint64_t seed);

/* What a pass through a stack asks for; NULL stands for nothing of it. */
typedef struct ur_transformer_call {
    bool causal;                   /* self-attention sees a step's past alone */
    const ur_attention_mask *mask; /* of self-attention: PyTorch's mask, tgt_mask */
    const ur_attention_mask *memory_mask;
    /* (num_layers) attention weights of each layer, as in ur_attention_options; NULL: not wanted */
    ur_weights **weights, **memory_weights;
    bool average;     /* their mean over the heads */
    ur_seq **outputs; /* (num_layers) of an encoder: what each layer gives; NULL: not wanted */
} ur_transformer_call;

/* x (rows, d_model) -> the same shape and layout; memory: of as many sequences. */
ur_seq *ur_transformer_encode(ur_tape *tape, const ur_transformer_encoder *stack, const ur_seq *x,
                              const ur_transformer_call *call);
ur_seq *ur_transformer_decode(ur_tape *tape, const ur_transformer_decoder *stack, const ur_seq *x,
                              const ur_seq *memory, const ur_transformer_call *call);

/* One layer alone is a stack of one without a last norm. torch.nn.Transformer is an encoder PREFIX.encoder
 * and a decoder PREFIX.decoder, each with a last norm, all matrices starting as ur_init_xavier says. */
typedef struct ur_transformer {
    ur_transformer_encoder encoder;
    ur_transformer_decoder decoder;
} ur_transformer;

ur_status ur_transformer_add(ur_params *params, const char *prefix,
                             const ur_transformer_config *config, size_t encoder_layers,
                             size_t decoder_layers, ur_transformer *out, ur_err *err);
void ur_transformer_init(const ur_transformer *model, ur_params *params, uint64_t seed);
/* The decoder's self-attention is causal. */
ur_seq *ur_transformer_forward(ur_tape *tape, const ur_transformer *model, const ur_seq *source,
                               const ur_seq *target);

/* ---- one step after the other ------------------------------------------------------------------ */

/* Keys and values of every step so far of some sequences side by side, in memory of its own: a new step
 * computes itself alone, to the bits that it has in the whole sequence. For inference. Which sequences go
 * on, and as what, moves indices of steps and no numbers. */
typedef struct ur_step_cache ur_step_cache;

/* For a stack of so many layers of d_model features, with `sequences` sequences without a step. */
ur_status ur_step_cache_new(ur_context *context, size_t num_layers, size_t d_model,
                            size_t sequences, ur_step_cache **out, ur_err *err);
void ur_step_cache_free(ur_step_cache *cache); /* accepts NULL */
size_t ur_step_cache_sequences(const ur_step_cache *cache);
size_t ur_step_cache_length(const ur_step_cache *cache,
                            size_t sequence); /* steps so far; of none 0 */

/* From now on sequence i is what sequence parent[i] was, i < sequences. False when memory ran out or a
 * parent is no sequence; the cache is then as before. */
bool ur_step_cache_reorder(ur_step_cache *cache, size_t sequences, const size_t *parent);

/* From now on the sequence has no steps. Memory of steps that no sequence has is used again. */
void ur_step_cache_forget(ur_step_cache *cache, size_t sequence);

/* The next steps of the cache's sequences, any number of each: x (rows, d_model) in a layout of that many
 * sequences. Causal. For a decoder without an encoder. */
ur_seq *ur_transformer_encode_next(ur_tape *tape, const ur_transformer_encoder *stack,
                                   ur_step_cache *cache, const ur_seq *x);

/* What a decoder's attention over the memory reads, once for all steps: lives on the tape. */
typedef struct ur_decoder_memory ur_decoder_memory;
ur_decoder_memory *ur_transformer_memory(ur_tape *tape, const ur_transformer_decoder *stack,
                                         const ur_seq *memory);
/* The same for a decoder. queries: which rows of x belong to each sequence of the memory, where these are
 * not the cache's sequences: a layout of x's rows with the memory's sequences (several hypotheses
 * of one source). call: memory_weights and average alone are looked at; may be NULL. */
ur_seq *ur_transformer_decode_next(ur_tape *tape, const ur_transformer_decoder *stack,
                                   ur_step_cache *cache, const ur_decoder_memory *memory,
                                   const ur_seq *x, const ur_layout *queries,
                                   const ur_transformer_call *call);

#ifdef __cplusplus
}
#endif

#endif
