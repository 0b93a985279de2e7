/* unroll/nn.h - layers. A layer is a small struct of sizes and parameter indices, made by
 * NAME_add(params, prefix, ...) while the parameters are being built; its operation has the field's
 * name and takes the tape first. Parameter names are PyTorch's under the prefix.
 *
 * Shapes: B sequences, rows = sum of their lengths, features last. */
#ifndef UNROLL_NN_H
#define UNROLL_NN_H

#include "unroll/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- embedding ---------------------------------------------------------------------------- */

/* PREFIX.weight (count, size). torch.nn.Embedding. */
typedef struct ur_embedding_layer {
    size_t count, size;
    int weight;
} ur_embedding_layer;

ur_embedding_layer ur_embedding_add(ur_params *params, const char *prefix, size_t count,
                                    size_t size);
/* N(0, 1). */
void ur_embedding_init(const ur_embedding_layer *layer, ur_params *params, uint64_t seed);

/* ids (rows) in [0, count) -> (rows, size). */
ur_seq *ur_embedding(ur_tape *tape, const ur_embedding_layer *layer, const ur_seq *ids);

/* ---- positions ---------------------------------------------------------------------------- */

/* Sine and cosine encodings of positions 0 to count - 1 (Vaswani et al. 2017, section 3.5): column 2i is
 * sin(pos / 10000^(2i/size)), column 2i + 1 the cosine. */
typedef struct ur_sine_positions ur_sine_positions;
ur_status ur_sine_positions_new(ur_context *context, size_t count, size_t size,
                                ur_sine_positions **out, ur_err *err);
void ur_sine_positions_free(ur_sine_positions *positions); /* accepts NULL */

/* A row for each position: learned, PREFIX.weight (count, size), or sines, which must outlive it. */
typedef struct ur_positions_layer {
    size_t count, size;
    int weight; /* -1: sines */
    const ur_sine_positions *sines;
} ur_positions_layer;

ur_positions_layer ur_positions_add(ur_params *params, const char *prefix, size_t count,
                                    size_t size);
ur_positions_layer ur_positions_of(const ur_sine_positions *sines);
/* Learned ones: N(0, deviation^2). */
void ur_positions_init(const ur_positions_layer *layer, ur_params *params, float deviation,
                       uint64_t seed);

/* ids (rows) -> (rows, size): scale times the embedding, plus the row of the position, where step t of a
 * sequence is at position first + t. Transformers scale by sqrt(size). positions NULL: none are
 * added. UR_INVALID: a sequence that goes on behind the last position. */
ur_seq *ur_embedding_at(ur_tape *tape, const ur_embedding_layer *layer, float scale,
                        const ur_positions_layer *positions, size_t first, const ur_seq *ids);

/* ---- linear ------------------------------------------------------------------------------- */

/* PREFIX.weight (out, in), PREFIX.bias (out) unless without bias. torch.nn.Linear. */
typedef struct ur_linear_layer {
    size_t in_features, out_features;
    int weight, bias; /* bias: -1 for none */
    int pack_forward, pack_backward;
} ur_linear_layer;

ur_linear_layer ur_linear_add(ur_params *params, const char *prefix, size_t in_features,
                              size_t out_features, bool bias);
/* One whose weight is an embedding's: PREFIX.weight is a second name for it, and both learn it (Press
 * and Wolf 2017). count is out, size is in. */
ur_linear_layer ur_linear_add_tied(ur_params *params, const char *prefix,
                                   const ur_embedding_layer *embedding, bool bias);
/* U(-1/sqrt(in), 1/sqrt(in)), weight and bias. */
void ur_linear_init(const ur_linear_layer *layer, ur_params *params, uint64_t seed);

/* y = x W^T + b: (N, in) -> (N, out). */
ur_tensor *ur_linear(ur_tape *tape, const ur_linear_layer *layer, ur_tensor *x);
ur_seq *ur_linear_seq(ur_tape *tape, const ur_linear_layer *layer, const ur_seq *x);

/* ---- feed-forward ------------------------------------------------------------------------- */

/* y = second(drop(act(first(x)))): two linear layers with what stands between them, as one operation.
 * drop is ur_dropout with p. (Vaswani et al. 2017, section 3.3.) */
ur_seq *ur_feed_forward(ur_tape *tape, const ur_linear_layer *first, ur_activation act, float p,
                        const ur_linear_layer *second, const ur_seq *x);

/* ---- drop-out ----------------------------------------------------------------------------- */

/* In training every unit is zeroed with probability p in [0, 1) and the others are divided by 1-p;
 * in inference x itself. Which units depends on (seed, step, which drop-out of the forward, the
 * sequence's id, step of the sequence, unit) and on nothing else. torch.nn.Dropout. */
ur_seq *ur_dropout(ur_tape *tape, ur_seq *x, float p);

/* ---- layer normalisation ------------------------------------------------------------------ */

/* PREFIX.weight (size) and PREFIX.bias (size). torch.nn.LayerNorm (Ba, Kiros and Hinton 2016) over the
 * last dimension; affine false: elementwise_affine=False, has neither; bias false: has no bias. */
typedef struct ur_layer_norm_layer {
    size_t size;
    float eps;
    int weight, bias; /* -1: has none */
} ur_layer_norm_layer;

/* eps: PyTorch's default is 1e-5. */
ur_layer_norm_layer ur_layer_norm_add(ur_params *params, const char *prefix, size_t size, float eps,
                                      bool affine, bool bias);
/* Ones and zeros. */
void ur_layer_norm_init(const ur_layer_norm_layer *layer, ur_params *params);

/* Rows (rows, size). */
ur_seq *ur_layer_norm_seq(ur_tape *tape, const ur_layer_norm_layer *layer, const ur_seq *x);

/* A residual connection, as Transformers have them around every sub-layer (Vaswani et al. 2017): sum = x +
 * drop(f), where drop is ur_dropout with p, and norm = the layer's of that sum, in one pass over the
 * rows. layer NULL: the sum alone. x and f are of one layout. */
typedef struct ur_residual_out {
    ur_seq *sum, *norm; /* norm: NULL without a layer */
} ur_residual_out;
ur_residual_out ur_residual(ur_tape *tape, const ur_layer_norm_layer *layer, const ur_seq *x,
                            const ur_seq *f, float p);

/* ---- recurrent layers --------------------------------------------------------------------- */

/* The state of B sequences. NULL means zeros; a cell without c leaves c NULL. For one layer in one
 * direction h is (B, R) and c is (B, hidden); for a stack (N, B, R) and (N, B, hidden), where N
 * counts layers times directions: layer 0 forward, layer 0 backward, layer 1 forward ... R is the
 * projection's size where there is one, else hidden. */
typedef struct ur_state {
    ur_tensor *h, *c;
} ur_state;

/* y: (rows, width) in x's layout. h_n, c_n: the state after each sequence's own last step; a
 * sequence of length 0 returns its initial state. c_n is NULL for a cell without c. */
typedef struct ur_rnn_out {
    ur_seq *y;
    ur_tensor *h_n, *c_n;
} ur_rnn_out;
typedef ur_rnn_out ur_lstm_out;

enum { UR_CELL_EXTRA = 4 }; /* most parameters that a cell has beside the usual ones */

/* One layer in one direction of any cell: with G the cell's gates (rnn 1, lstm 4, gru 3),
 * PREFIX.weight_ih_SUFFIX (GH, I), weight_hh_SUFFIX (GH, R), bias_ih_SUFFIX and bias_hh_SUFFIX (GH),
 * and with a projection weight_hr_SUFFIX (P, H). Gates in PyTorch's order: i f g o; r z n.
 * lstm_peephole also has weight_ci_SUFFIX, weight_cf_SUFFIX, weight_co_SUFFIX (H);
 * lstm_layer_norm has weight_ln_ih_SUFFIX, weight_ln_hh_SUFFIX (GH), weight_ln_c_SUFFIX,
 * bias_ln_c_SUFFIX (H). */
typedef struct ur_cell_layer {
    const struct ur_cell *cell;
    size_t input_size, hidden_size, proj_size;
    int weight_ih, weight_hh, bias_ih, bias_hh, weight_hr; /* -1: has none */
    int extra[UR_CELL_EXTRA];                              /* -1: has none */
    int pack_ih, pack_hh, pack_hr, pack_ih_back, pack_hh_back, pack_hr_back;
    int pack_late, pack_late_back;
    float recurrent_dropout, zoneout_h, zoneout_c; /* see ur_rnn_config */
} ur_cell_layer;
typedef ur_cell_layer ur_lstm_layer, ur_gru_layer;

/* torch.nn.LSTM and nn.GRU with one layer in one direction; names end in _l0. With more layers, both
 * directions, a projection, or other cells: ur_rnn, below. */
ur_lstm_layer ur_lstm_add(ur_params *params, const char *prefix, size_t input_size,
                          size_t hidden_size);
ur_gru_layer ur_gru_add(ur_params *params, const char *prefix, size_t input_size,
                        size_t hidden_size);
/* U(-1/sqrt(H), 1/sqrt(H)), all of them. */
void ur_lstm_init(const ur_lstm_layer *layer, ur_params *params, uint64_t seed);
void ur_gru_init(const ur_gru_layer *layer, ur_params *params, uint64_t seed);
void ur_cell_init(const ur_cell_layer *layer, ur_params *params, uint64_t seed);

/* All steps of a ragged batch: x (rows, input) in either order. */
ur_lstm_out ur_lstm(ur_tape *tape, const ur_lstm_layer *layer, ur_seq *x, ur_state initial);
ur_rnn_out ur_gru(ur_tape *tape, const ur_gru_layer *layer, ur_seq *x, ur_state initial);
ur_rnn_out ur_cell_forward(ur_tape *tape, const ur_cell_layer *layer, ur_seq *x, ur_state initial);

/* The same for embedded ids: the layer over ur_embedding, with the input's product done once per row
 * of the embedding instead of once per id. */
ur_lstm_out ur_lstm_embedded(ur_tape *tape, const ur_lstm_layer *layer,
                             const ur_embedding_layer *embedding, const ur_seq *ids,
                             ur_state initial);
ur_rnn_out ur_gru_embedded(ur_tape *tape, const ur_gru_layer *layer,
                           const ur_embedding_layer *embedding, const ur_seq *ids,
                           ur_state initial);
ur_rnn_out ur_cell_embedded(ur_tape *tape, const ur_cell_layer *layer,
                            const ur_embedding_layer *embedding, const ur_seq *ids,
                            ur_state initial);

/* The same for one-hot rows: what ur_cell_forward makes of rows (rows, input) that are zero but for a
 * one at each id, which are never written out. ids in [0, input). */
ur_rnn_out ur_cell_one_hot(ur_tape *tape, const ur_cell_layer *layer, const ur_seq *ids,
                           ur_state initial);

/* One step of B sequences, x (B, input): the same bits as that step of the whole sequence. */
ur_state ur_lstm_step(ur_tape *tape, const ur_lstm_layer *layer, ur_tensor *x, ur_state state);
ur_state ur_gru_step(ur_tape *tape, const ur_gru_layer *layer, ur_tensor *x, ur_state state);
ur_state ur_cell_single_step(ur_tape *tape, const ur_cell_layer *layer, ur_tensor *x,
                             ur_state state);

/* The names of the cells: number i of them, NULL behind the last. */
const char *ur_cell_name(size_t i);

/* A stack of layers, in one direction or both: torch.nn.RNN, nn.LSTM, nn.GRU with the same options
 * and parameter names. What is left out of a configuration is as in PyTorch:
 *     nn.GRU(16, 128)                 {.cell = "gru", .input_size = 16, .hidden_size = 128}
 *     nn.RNN(16, 128, nonlinearity="relu")
 *                                     {.cell = "rnn_relu", .input_size = 16, .hidden_size = 128}
 *     nn.LSTM(16, 128, 2, bidirectional=True, proj_size=32)
 *                                     {.cell = "lstm", .input_size = 16, .hidden_size = 128,
 *                                      .num_layers = 2, .bidirectional = true, .proj_size = 32} */
typedef struct ur_rnn_config {
    const char *cell; /* "lstm", "gru", "rnn_tanh", "rnn_relu"; and what PyTorch lacks:
                         "gru_original" (reset before the product: Cho et al. 2014; ONNX's
                         linear_before_reset = 0), parameters as gru;
                         "lstm_peephole" (Gers and Schmidhuber 2000, ONNX's three diagonals);
                         "lstm_layer_norm" (Ba, Kiros and Hinton 2016, equations 20 to 22) */
    size_t input_size, hidden_size;
    size_t proj_size;  /* lstm only; 0: none. Less than hidden_size */
    size_t num_layers; /* 1 to UR_MOST_LAYERS; 0: 1 */
    bool bidirectional, no_bias;
    bool average;  /* bidirectional: the top's outputs are the mean of the two directions instead of
                      their concatenation (the layers below concatenate) */
    float dropout; /* after every layer but the last: refused for one layer, where PyTorch warns */
    /* In training, probabilities in [0, 1); any cell:
     *   recurrent_dropout: what the recurrent products take of h_prev is multiplied by a mask, one per
     *     sequence and the same at all its steps (Gal and Ghahramani 2016); not in inference
     *   zoneout_h, zoneout_c: a unit keeps its previous h or c for a step (Krueger et al. 2017); in
     *     inference the expectation, (1-p) new + p previous. Not with a projection; zoneout_c only
     *     for a cell with c. */
    float recurrent_dropout, zoneout_h, zoneout_c;
} ur_rnn_config;

enum { UR_MOST_LAYERS = 16 };

typedef struct ur_rnn_stack {
    ur_rnn_config config;
    size_t count; /* layers times directions */
    ur_cell_layer part[2 * UR_MOST_LAYERS];
} ur_rnn_stack;

/* Whether the options are in range and go together: UR_INVALID with the reason. */
ur_status ur_rnn_check(const ur_rnn_config *config, ur_err *err);

/* Fails as ur_rnn_check does; parameters that could not be added are told by ur_params_seal. Names end in _l0, _l0_reverse, _l1 ... */
ur_status ur_rnn_add(ur_params *params, const char *prefix, const ur_rnn_config *config,
                     ur_rnn_stack *out, ur_err *err);
void ur_rnn_init(const ur_rnn_stack *stack, ur_params *params, uint64_t seed);

/* Features of the outputs: R, or 2 R where two directions are concatenated. */
size_t ur_rnn_width(const ur_rnn_stack *stack);

/* x (rows, input) -> y (rows, width), states (N, B, ..) as ur_state says. The backward direction
 * starts at each sequence's own end. */
ur_rnn_out ur_rnn(ur_tape *tape, const ur_rnn_stack *stack, ur_seq *x, ur_state initial);
/* The same, and the cell states of every step, which PyTorch does not give: cells (N), in the order
 * of the states, receives sequences of (rows, hidden) in x's layout. Gradients flow into them as into
 * y. UR_INVALID for a cell without c. */
ur_rnn_out ur_rnn_with_cells(ur_tape *tape, const ur_rnn_stack *stack, ur_seq *x, ur_state initial,
                             ur_seq **cells);
/* ur_rnn for embedded ids, see ur_lstm_embedded. */
ur_rnn_out ur_rnn_embedded(ur_tape *tape, const ur_rnn_stack *stack,
                           const ur_embedding_layer *embedding, const ur_seq *ids,
                           ur_state initial);
/* The same for one-hot rows, see ur_cell_one_hot. */
ur_rnn_out ur_rnn_one_hot(ur_tape *tape, const ur_rnn_stack *stack, const ur_seq *ids,
                          ur_state initial);

/* ---- recurrent layers, one step at a time -------------------------------------------------- */

/* A stack of layers in real time: made once, then a step at a time for B sequences side by side,
 * without allocation, lock or system call, on the calling thread. The same bits as ur_rnn over the
 * whole sequences; drop-out is off. A stream reads the parameters, which must outlive it and must
 * not change during a step; streams of different threads may share them. Changed weights count from the
 * next step on, which packs them first, under a lock. */
typedef struct ur_stream ur_stream;

/* States start as zeros. UR_UNSUPPORTED for a bidirectional stack. The context is the parameters'
 * own, or one of the same instruction set. */
ur_status ur_stream_new(ur_context *context, const ur_params *params, const ur_rnn_stack *stack,
                        size_t sequences, ur_stream **out, ur_err *err);
void ur_stream_free(ur_stream *stream);

/* x (B, input) -> y (B, ur_rnn_width). The two must not overlap. */
void ur_stream_step(ur_stream *stream, const float *x, float *y);

/* The state as floats: h (N, B, R), then c (N, B, hidden) where the cell has one; to the caller's
 * memory and back. */
size_t ur_stream_state_size(const ur_stream *stream);
void ur_stream_state_save(const ur_stream *stream, float *state);
void ur_stream_state_load(ur_stream *stream, const float *state);

/* Zeros, for all sequences or for one of them (a number that is none does nothing). */
void ur_stream_reset(ur_stream *stream);
void ur_stream_reset_sequence(ur_stream *stream, size_t sequence);

/* ---- states carried from batch to batch --------------------------------------------------- */

/* Truncated back-propagation through time (Williams and Peng 1990): the states of `sequences`
 * sequences between batches, outside of any tape. What comes out of a carry is an input without
 * gradient: backward ends there.
 *     ur_rnn_out out = ur_rnn(tape, &stack, x, ur_carry_state(tape, carry, batch, NULL));
 *     ur_carry_take(tape, carry, batch, NULL, out);
 * sequence (batch): which of them the batch holds, NULL for the first `batch` in order. Tapes may
 * use different sequences of one carry at the same time. */
typedef struct ur_carry ur_carry;

/* States start as zeros. */
ur_status ur_carry_new(ur_context *context, const ur_rnn_stack *stack, size_t sequences,
                       ur_carry **out, ur_err *err);
void ur_carry_free(ur_carry *carry);

ur_state ur_carry_state(ur_tape *tape, const ur_carry *carry, size_t batch, const size_t *sequence);
/* Keeps h_n and c_n of a batch; nothing when the tape failed. */
void ur_carry_take(ur_tape *tape, ur_carry *carry, size_t batch, const size_t *sequence,
                   ur_rnn_out out);

void ur_carry_reset(ur_carry *carry);
/* All states, in the order of ur_stream_state_save: to be saved with a training run. */
size_t ur_carry_size(const ur_carry *carry);
float *ur_carry_values(ur_carry *carry);

/* ---- attention ---------------------------------------------------------------------------- */

/* Attention weights of a ragged batch: those of sequence b are (heads, Tq, Tk) at p + offset[b]; heads
 * is 1 where they are the mean over the heads. For looking at; no gradient flows into them. */
typedef struct ur_weights {
    const ur_layout *queries, *keys;
    size_t heads;
    const float *p;
    const size_t *offset; /* (B) */
} ur_weights;

/* Which keys of its sequence a query sees, beside what a mask hides. */
typedef enum ur_causal {
    UR_NOT_CAUSAL, /* all */
    UR_CAUSAL,     /* query t sees keys 0 to t: PyTorch's is_causal */
    UR_CAUSAL_LAST /* the same counted from the ends: the last query sees the last key. With as many
                      queries as keys that is UR_CAUSAL; new queries against the keys of all steps so
                      far get what they would get in the whole sequence */
} ur_causal;

/* What else a query may not see: matrices (queries, keys), shared by all sequences and with heads = 0
 * or 1 by all heads, else (heads, queries, keys). They are copied, and may be larger than the longest
 * sequences, not smaller. */
typedef struct ur_attention_mask {
    size_t heads, queries, keys;
    const bool
        *hidden; /* true where attention is not allowed: PyTorch's boolean attn_mask; or NULL */
    const float *added; /* to the scaled scores, -inf hides: PyTorch's float attn_mask; or NULL */
} ur_attention_mask;

/* What is left out is 0 or NULL. */
typedef struct ur_attention_options {
    const char *score; /* "dot" (NULL): q . k; "additive": w . tanh(q + k) (Bahdanau et al. 2014) */
    size_t heads;      /* 0: 1. The features of q, k and v are those of the heads, side by side */
    float scale;       /* 0: 1/sqrt(D) for dot, D being the features of a head; 1 for additive */
    ur_causal causal;
    const ur_attention_mask *mask;
    float dropout;        /* on the weights, in training */
    ur_tensor *w;         /* additive: as many weights as q has features */
    ur_weights **weights; /* receives the attention weights, before drop-out; NULL: not wanted */
    bool average;         /* their mean over the heads */
} ur_attention_options;

/* context = drop-out(softmax(scale score(q, k) + mask)) v over the keys of the same sequence.
 * q (rows_q, h D), k (rows_k, h D), v (rows_k, h E) -> (rows_q, h E) in q's layout; options may be NULL.
 * A query that sees no key gets zeros, and so do its gradients. Bits depend on what the sequence itself
 * holds and on nothing else. torch.nn.functional.scaled_dot_product_attention (Vaswani et al. 2017). */
ur_seq *ur_attention(ur_tape *tape, const ur_seq *q, const ur_seq *k, const ur_seq *v,
                     const ur_attention_options *options);

/* The names of the scores: number i of them, NULL behind the last. */
const char *ur_attention_score_name(size_t i);

/* ur_attention with one head, not scaled (Luong et al. 2015, "dot"). */
ur_seq *ur_attention_dot(ur_tape *tape, const ur_seq *q, const ur_seq *k, const ur_seq *v,
                         ur_weights **weights);

/* Its two halves for one query per sequence: softmax over the keys of query (B, D) against keys
 * (rows, D): (rows, 1) in the keys' layout ... */
ur_seq *ur_attention_weights(ur_tape *tape, ur_tensor *query, const ur_seq *keys);
/* ... and the sum of values (rows, E) weighted by p (rows, 1) of the same layout: (B, E). */
ur_tensor *ur_weighted_sum(ur_tape *tape, const ur_seq *values, const ur_seq *p);

/* What a call of an attention layer asks for; NULL stands for nothing of it. */
typedef struct ur_attention_call {
    ur_causal causal;
    const ur_attention_mask *mask;
    ur_weights **weights; /* as in ur_attention_options */
    bool average;
} ur_attention_call;

/* Additive attention (Bahdanau et al. 2014): scores w_v . tanh(W_q q + W_k k), no biases. Names
 * PREFIX.W_q.weight (H, query), PREFIX.W_k.weight (H, key), PREFIX.w_v.weight (1, H). */
typedef struct ur_additive_attention_layer {
    size_t query_size, key_size, hidden_size;
    float dropout; /* on the weights */
    ur_linear_layer w_q, w_k;
    int w_v;
} ur_additive_attention_layer;

ur_additive_attention_layer ur_additive_attention_add(ur_params *params, const char *prefix,
                                                      size_t query_size, size_t key_size,
                                                      size_t hidden_size, float dropout);
/* As torch.nn.Linear's. */
void ur_additive_attention_init(const ur_additive_attention_layer *layer, ur_params *params,
                                uint64_t seed);

/* q (rows_q, query), k (rows_k, key), v (rows_k, E) -> (rows_q, E) in q's layout. */
ur_seq *ur_additive_attention(ur_tape *tape, const ur_additive_attention_layer *layer,
                              const ur_seq *q, const ur_seq *k, const ur_seq *v,
                              const ur_attention_call *call);
/* The same in two parts, for a decoder that comes with a query at every step: the keys' side once,
 * (rows_k, H), and then queries against it. */
ur_seq *ur_additive_attention_keys(ur_tape *tape, const ur_additive_attention_layer *layer,
                                   const ur_seq *k);
ur_seq *ur_additive_attention_over(ur_tape *tape, const ur_additive_attention_layer *layer,
                                   const ur_seq *q, const ur_seq *keys, const ur_seq *v,
                                   const ur_attention_call *call);

/* torch.nn.MultiheadAttention with the same options; what is left out is as in PyTorch:
 *     nn.MultiheadAttention(256, 8)    {.embed_dim = 256, .num_heads = 8}
 *     nn.MultiheadAttention(256, 8, dropout=0.1, bias=False, kdim=64, vdim=32)
 *                                      {.embed_dim = 256, .num_heads = 8, .dropout = 0.1f,
 *                                       .no_bias = true, .kdim = 64, .vdim = 32} */
typedef struct ur_multi_head_config {
    size_t embed_dim, num_heads;
    size_t qdim, kdim,
        vdim; /* features of queries (which PyTorch does not let one choose), keys and
                                values; 0: embed_dim */
    bool no_bias;
    float dropout;                   /* on the weights */
    bool add_bias_kv, add_zero_attn; /* UR_UNSUPPORTED: keys that no sequence has */
} ur_multi_head_config;

/* Names: PREFIX.in_proj_weight (3E, E), the rows of queries, keys and values; where a size is not E,
 * PREFIX.q_proj_weight (E, qdim), k_proj_weight (E, kdim), v_proj_weight (E, vdim); PREFIX.in_proj_bias
 * (3E); PREFIX.out_proj.weight (E, E), PREFIX.out_proj.bias (E). */
typedef struct ur_multi_head_layer {
    ur_multi_head_config config; /* sizes filled in */
    /* of q, k, v; one and the same where in_proj_weight and in_proj_bias hold all three */
    int weight[3], bias[3];
    int pack_forward[3], pack_backward[3];
    ur_linear_layer out_proj;
} ur_multi_head_layer;

/* Whether the options are in range and go together: UR_INVALID or UR_UNSUPPORTED with the reason. */
ur_status ur_multi_head_check(const ur_multi_head_config *config, ur_err *err);
/* Fails as ur_multi_head_check does; parameters that could not be added are told by ur_params_seal. */
ur_status ur_multi_head_attention_add(ur_params *params, const char *prefix,
                                      const ur_multi_head_config *config, ur_multi_head_layer *out,
                                      ur_err *err);
/* The same layer made of four linear layers NAME.weight and NAME.bias, as other frameworks have it:
 * names of queries', keys', values' and the output's. */
ur_status ur_multi_head_attention_add_apart(ur_params *params, const char *const names[4],
                                            const ur_multi_head_config *config,
                                            ur_multi_head_layer *out, ur_err *err);
/* As PyTorch's: U(-a, a) with a = sqrt(6 / (rows + columns)) for the input projections (Glorot and
 * Bengio 2010), out_proj's weight as nn.Linear's, biases zero. */
void ur_multi_head_attention_init(const ur_multi_head_layer *layer, ur_params *params,
                                  uint64_t seed);

/* q (rows_q, qdim), k (rows_k, kdim), v (rows_k, vdim) -> (rows_q, E) in q's layout. Where they are the
 * same sequences they are projected together. The lengths of k are PyTorch's key_padding_mask. */
ur_seq *ur_multi_head_attention(ur_tape *tape, const ur_multi_head_layer *layer, const ur_seq *q,
                                const ur_seq *k, const ur_seq *v, const ur_attention_call *call);

/* ---- loss --------------------------------------------------------------------------------- */

#define UR_IGNORE (-100) /* PyTorch's ignore_index */

/* sum over positions with target != UR_IGNORE of -log softmax(logits)[target], divided by
 * `normaliser` (the number of such positions of the whole batch gives the mean).
 * logits (rows, classes), targets (rows) ids of the same layout -> (1).
 * torch.nn.functional.cross_entropy. */
ur_tensor *ur_cross_entropy(ur_tape *tape, const ur_seq *logits, const ur_seq *targets,
                            double normaliser);

/* The same with label smoothing s in [0, 1] (Szegedy et al. 2016): each position's target is to have the
 * probability 1 - s + s/V and every other one of the V classes s/V:
 *     (1-s) -log p[target] + s/V sum of -log p
 * torch.nn.CrossEntropyLoss(label_smoothing=s). */
ur_tensor *ur_cross_entropy_smoothed(ur_tape *tape, const ur_seq *logits, const ur_seq *targets,
                                     double normaliser, float smoothing);

/* ---- initialisation ----------------------------------------------------------------------- */

/* Fills one parameter from its own stream of random numbers under `seed`. */
void ur_init_uniform(ur_params *params, int index, float bound, uint64_t seed);
void ur_init_normal(ur_params *params, int index, uint64_t seed); /* N(0, 1) */
/* U(-a, a) with a = sqrt(6 / (rows + columns)) for a matrix (Glorot and Bengio 2010: PyTorch's
 * xavier_uniform_); vectors stay. */
void ur_init_xavier(ur_params *params, int index, uint64_t seed);
/* N(0, 1/columns) for a matrix (LeCun et al. 1998), zeros for a bias; other vectors stay. */
void ur_init_lecun(ur_params *params, int index, uint64_t seed);

#ifdef __cplusplus
}
#endif

#endif
