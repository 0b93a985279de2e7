/* nn.h - inside the layers: parameter names and checks they share. */
#ifndef UR_NN_NN_H
#define UR_NN_NN_H

#include "backend/cpu/recurrent.h"
#include "tape/tape.h"
#include "unroll/nn.h"

/* Adds PREFIX.NAME with one or two dimensions (columns 0: one). */
int ur_layer_param(ur_params *params, const char *prefix, const char *name, size_t rows,
                   size_t columns);

/* Data of parameter `index` and where its gradient goes (NULL in inference); NULL for index -1. */
const float *ur_weight(const ur_tape *tape, int index);
float *ur_weight_grad(const ur_tape *tape, int index);

/* One layer in one direction; suffix: "l0", "l1_reverse". */
ur_cell_layer ur_cell_add(ur_params *params, const char *prefix, const char *suffix,
                          const struct ur_cell *cell, size_t input_size, size_t hidden_size,
                          size_t proj_size, bool bias);

/* ur_cell_forward that also gives the cell's last gate at every step, (rows, hidden) in x's layout:
 * of an LSTM the output gate o. UR_UNSUPPORTED for other cells. */
ur_rnn_out ur_cell_with_gate(ur_tape *tape, const ur_cell_layer *layer, ur_seq *x, ur_state initial,
                             ur_seq **o);

/* A forward pass with what it takes from the layer and its parameters; rows, inputs, states and
 * outputs are still to be filled in. */
ur_cpu_recurrent ur_cell_operation(const ur_params *params, const ur_cell_layer *layer);

/* In training, makes the masks of its drop-out and zoneout; rows are to be filled in before. */
void ur_cell_noise(ur_tape *tape, const ur_cell_layer *layer, ur_cpu_recurrent *op);

/* Whether all ids are rows of the table; fails the tape when not. */
bool ur_ids_in_range(ur_tape *tape, const ur_embedding_layer *layer, const ur_seq *ids);

/* Whether this tape has parameters and records gradients for them. */
bool ur_weights_learn(const ur_tape *tape);

#endif
