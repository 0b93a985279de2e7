/* parts.h - what models with recurrent stacks have in common. */
#ifndef UR_MODELS_PARTS_H
#define UR_MODELS_PARTS_H

#include "unroll/models.h"

/* "encoder.gru", or "gru" where part is NULL: what a PyTorch module would call its nn.GRU (rnn for
 * rnn_tanh and rnn_relu). */
void ur_rnn_prefix(const char *part, const char *cell, char name[64]);

/* One layer's part of a stack's states (N, B, F) as its outputs are: (B, F) one way or the mean of two
 * directions, (B, 2F) side by side. */
ur_tensor *ur_join_directions(ur_tape *tape, ur_directions how, ur_tensor *states, size_t layer);

#endif
