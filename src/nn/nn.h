/* nn.h - inside the layers: parameter names and checks they share. */
#ifndef UR_NN_NN_H
#define UR_NN_NN_H

#include "tape/tape.h"
#include "unroll/nn.h"

/* Adds PREFIX.NAME with one or two dimensions (columns 0: one). */
int ur_layer_param(ur_params *params, const char *prefix, const char *name, size_t rows,
                   size_t columns);

/* Data of parameter `index` and where its gradient goes (NULL in inference); NULL for index -1. */
const float *ur_weight(const ur_tape *tape, int index);

/* One layer in one direction; suffix: "l0", "l1_reverse". */
ur_cell_layer ur_cell_add(ur_params *params, const char *prefix, const char *suffix,
                          const struct ur_cell *cell, size_t input_size, size_t hidden_size,
                          size_t proj_size, bool bias);

/* ur_cell_forward, or with an embedding ur_cell_embedded, as part of `op`. c, unless NULL, receives the cell states of
 * every step, (rows, hidden) in x's layout, for a cell that has them. */
ur_rnn_out ur_cell_over(ur_tape *tape, const ur_op *op, const ur_cell_layer *layer,
                        const ur_embedding_layer *embedding, ur_seq *x, ur_state initial,
                        ur_seq **c);
ur_rnn_out ur_cell_over_one_hot(ur_tape *tape, const ur_op *op, const ur_cell_layer *layer,
                                const ur_seq *ids, ur_state initial);

/* What a pass takes from the layer and its parameters. */
ur_recurrent_plan ur_cell_plan(const ur_params *params, const ur_cell_layer *layer);

/* What a layer reads, step-major: rows (rows, I); or, where ids is not NULL, rows of a table, which
 * is x, or where column is not NULL that many one-hot rows. gate: where the cell's last gate of every
 * step goes, for cells that give it, or NULL. */
typedef struct ur_cell_input {
    ur_tensor *x;
    const int32_t *ids;    /* (rows) */
    const int32_t *column; /* (table_rows) */
    size_t table_rows;
    ur_tensor *gate; /* (rows, H) */
} ur_cell_input;

/* All steps; the input's shape is checked already, the states' is not. c as above, step-major. */
ur_rnn_out ur_cell_run(ur_tape *tape, const ur_cell_layer *layer, ur_cell_input input,
                       const ur_layout *rows, ur_state initial, ur_seq **c);

/* The input of one-hot rows with these ids, an operand of `op`; false when the tape failed. */
bool ur_one_hot_input(ur_tape *tape, const ur_op *op, const ur_cell_layer *layer,
                      const ur_seq *steps, ur_cell_input *in);

/* A layer that also gives its last gate at every step, (rows, H): of an LSTM, which alone does so,
 * the output gate o. x: rows of features, or ids of one-hot rows. Everything is step-major. */
typedef struct ur_gate_out {
    ur_rnn_out out;
    ur_seq *gate;
} ur_gate_out;
ur_gate_out ur_cell_with_gate(ur_tape *tape, const ur_cell_layer *layer, const ur_seq *x,
                              ur_state initial);

/* Whether x has the layer's input_size features; fails the tape when not. */
bool ur_cell_check_input(ur_tape *tape, const ur_cell_layer *layer, const ur_tensor *x);

/* In training, makes the masks of its drop-out and zoneout; rows are to be filled in before. */
void ur_cell_noise(ur_tape *tape, const ur_cell_layer *layer, ur_recurrent_run *run);

/* ur_embedding_at where sequence b begins at position first[b]. */
ur_seq *ur_embedding_from(ur_tape *tape, const ur_embedding_layer *layer, float scale,
                          const ur_positions_layer *positions, const size_t *first,
                          const ur_seq *ids);

/* ---- attention ---- */

/* Heads side by side in the columns [begin, begin + heads * width) of x. */
typedef struct ur_heads {
    ur_tensor *x;
    size_t begin;
} ur_heads;

/* Attention of projected queries, keys and values. k_from: the rows of k and v that the rows of k_rows
 * are (a cache of keys and values, whose rows lie in any order); NULL: 0, 1, 2 ...; else in inference
 * only. The options' sizes are not looked at. */
typedef struct ur_attending {
    const char *name; /* in which it fails */
    const ur_layout *q_rows, *k_rows;
    const size_t *k_from;
    ur_heads q, k, v;
    size_t heads, width, value_width; /* of one head */
} ur_attending;

/* (rows of q, heads value_width). */
ur_tensor *ur_attend(ur_tape *tape, const ur_attending *a, const ur_attention_options *options);

/* Which of queries, keys and values. */
enum { UR_PROJECT_Q, UR_PROJECT_K, UR_PROJECT_V };

/* Projects q, k and v, those that are not NULL, as one operation: heads of E columns each, in one tensor
 * where the sequences are the same. Rows are those of the inputs. */
bool ur_multi_head_project(ur_tape *tape, const ur_multi_head_layer *layer, ur_tensor *const in[3],
                           ur_heads out[3]);

/* Attention over projected heads, out_proj included; k_from as in ur_attending. */
ur_tensor *ur_multi_head_attend(ur_tape *tape, const ur_multi_head_layer *layer,
                                const ur_layout *q_rows, const ur_layout *k_rows,
                                const size_t *k_from, const ur_heads projected[3],
                                const ur_attention_call *call);

/* The key of the forward's next drop-out. */
uint64_t ur_next_dropout_key(ur_tape *tape);

/* ur_residual at inference into memory that is there already, rows as x's: to->sum may be f or x, to->norm
 * any of them. Results of layer NULL have no norm. */
ur_residual_out ur_residual_over(ur_tape *tape, const ur_layer_norm_layer *layer, const ur_seq *x,
                                 const ur_seq *f, const ur_residual_out *to);

/* Whether all ids are in [0, count), for an operation of this name; fails the tape when not. */
bool ur_ids_in_range(ur_tape *tape, const ur_op *op, size_t count, bool unknown, const ur_seq *ids);
/* Whether some are UR_UNKNOWN. */
bool ur_ids_unknown(const ur_seq *ids);

/* Whether the tape's weights are more than the caches hold, so that each comes from memory. */
bool ur_weights_are_far(const ur_tape *tape);

/* Whether this tape has parameters and records gradients for them. */
bool ur_weights_learn(const ur_tape *tape);

#endif
