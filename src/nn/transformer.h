/* transformer.h - inside Transformers: a layer's passes, with or without the steps before. */
#ifndef UR_NN_TRANSFORMER_H
#define UR_NN_TRANSFORMER_H

#include "nn/nn.h"
#include "unroll/transformer.h"

/* A stack's pass that goes on from steps before: the cache, and the rows of it that the keys of every
 * sequence are. NULL where there are none. */
typedef struct ur_earlier {
    ur_step_cache *cache;
    const ur_layout *keys;
    const size_t *from; /* (rows of keys) */
} ur_earlier;

/* The same for a new step: takes its rows into the cache (which counts them when the pass is over). False
 * when the tape failed. */
bool ur_earlier_begin(ur_tape *tape, ur_step_cache *cache, const ur_layout *steps,
                      size_t num_layers, size_t d_model, ur_earlier *out);
void ur_earlier_end(ur_tape *tape, const ur_earlier *earlier, const ur_layout *steps);
/* Self-attention of layer number `index` over the steps before and these. */
ur_tensor *ur_earlier_attend(ur_tape *tape, const ur_earlier *earlier, size_t index,
                             const ur_multi_head_layer *layer, const ur_seq *x);

/* The memory's projected keys and values. */
struct ur_decoder_memory {
    const ur_layout *rows;
    ur_heads keys[UR_MOST_TRANSFORMER_LAYERS], values[UR_MOST_TRANSFORMER_LAYERS];
};

#endif
