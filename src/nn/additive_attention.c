/* additive_attention.c - additive attention with its three weights (Bahdanau et al. 2014).
 *
 *   score(q, k) = w_v . tanh(W_q q + W_k k),   context = softmax over the keys times the values
 * The two products are linear layers, the rest is attention (attention.c) with the additive score. */
#include "nn/nn.h"

#include <math.h>
#include <stdio.h>

ur_additive_attention_layer ur_additive_attention_add(ur_params *params, const char *prefix,
                                                      size_t query_size, size_t key_size,
                                                      size_t hidden_size, float dropout)
{
    ur_additive_attention_layer l = {.query_size = query_size,
                                     .key_size = key_size,
                                     .hidden_size = hidden_size,
                                     .dropout = dropout};
    char name[256];
    snprintf(name, sizeof name, "%s%sW_q", prefix, *prefix ? "." : "");
    l.w_q = ur_linear_add(params, name, query_size, hidden_size, false);
    snprintf(name, sizeof name, "%s%sW_k", prefix, *prefix ? "." : "");
    l.w_k = ur_linear_add(params, name, key_size, hidden_size, false);
    l.w_v = ur_layer_param(params, prefix, "w_v.weight", 1, hidden_size);
    return l;
}

void ur_additive_attention_init(const ur_additive_attention_layer *l, ur_params *params,
                                uint64_t seed)
{
    ur_linear_init(&l->w_q, params, seed);
    ur_linear_init(&l->w_k, params, seed);
    ur_init_uniform(params, l->w_v, 1.0f / sqrtf((float)l->hidden_size), seed);
}

ur_seq *ur_additive_attention_keys(ur_tape *tape, const ur_additive_attention_layer *layer,
                                   const ur_seq *k)
{
    return ur_linear_seq(tape, &layer->w_k, k);
}

ur_seq *ur_additive_attention_over(ur_tape *tape, const ur_additive_attention_layer *layer,
                                   const ur_seq *q, const ur_seq *keys, const ur_seq *v,
                                   const ur_attention_call *call)
{
    const ur_attention_call none = {0}, *c = call ? call : &none;
    const ur_weight_shape w_v = {layer->w_v, -1, 1, layer->hidden_size};
    if (c->weights)
        *c->weights = NULL;
    ur_seq *queries = ur_linear_seq(tape, &layer->w_q, q);
    if (!ur_tape_ok(tape) || !ur_has_weights(tape, "additive_attention", 1, &w_v))
        return NULL;
    return ur_attention(tape, queries, keys, v,
                        &(ur_attention_options){.score = "additive",
                                                .causal = c->causal,
                                                .mask = c->mask,
                                                .dropout = layer->dropout,
                                                .w = ur_parameter(tape, layer->w_v),
                                                .weights = c->weights,
                                                .average = c->average});
}

ur_seq *ur_additive_attention(ur_tape *tape, const ur_additive_attention_layer *layer,
                              const ur_seq *q, const ur_seq *k, const ur_seq *v,
                              const ur_attention_call *call)
{
    return ur_additive_attention_over(tape, layer, q, ur_additive_attention_keys(tape, layer, k), v,
                                      call);
}
