/* attention.h - dot-product attention over ragged queries and keys.
 *
 *   S = scale Q K^T,  P = softmax over the keys of the same sequence,  context = P V
 * A query whose sequence has no key gets zeros. */
#ifndef UR_BACKEND_CPU_ATTENTION_H
#define UR_BACKEND_CPU_ATTENTION_H

#include "backend/cpu/cpu.h"

typedef struct ur_cpu_attention {
    const ur_layout *q_rows, *k_rows; /* of one batch, any order each */
    size_t width, value_width;        /* D, E */
    float scale;
    const float *q;         /* (rows of q, D) */
    const float *k;         /* (rows of k, D); NULL with P given: weighted sum only */
    const float *v;         /* (rows of k, E); NULL: weights only */
    float *context;         /* (rows of q, E) out, when v is given */
    float *p;               /* (Tq, Tk) of sequence b at p + p_offset[b]: out when k is given and
                               p is not NULL, in when k is NULL */
    const size_t *p_offset; /* (batch) */
} ur_cpu_attention;

bool ur_cpu_attention_forward(const ur_cpu *cpu, const ur_cpu_attention *op);

/* Every d* is added to; NULL: not wanted. dcontext is NULL for weights alone, dp for context
 * alone. */
typedef struct ur_cpu_attention_back {
    const ur_cpu_attention *forward;
    const float *dcontext; /* (rows of q, E) */
    const float *dp_in;    /* like p: gradient that reached the weights themselves, or NULL */
    float *dq, *dk, *dv;
    float *dp; /* like p, when k is NULL: gradient of the given weights */
} ur_cpu_attention_back;

bool ur_cpu_attention_backward(const ur_cpu *cpu, const ur_cpu_attention_back *op);

#endif
