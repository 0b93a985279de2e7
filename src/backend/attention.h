/* attention.h - attention as the layers and every backend know it. How it is computed is each
 * backend's own affair (cpu/attention.c). */
#ifndef UR_BACKEND_ATTENTION_H
#define UR_BACKEND_ATTENTION_H

#include "unroll/core.h"

/* How a query is compared with a key: a value found by name. */
typedef struct ur_score {
    const char *name;
    bool has_weight; /* a vector w of D weights a head */
    bool scaled;     /* by 1/sqrt(D) unless the caller says otherwise */
} ur_score;

/* q . k, and w . tanh(q + k) (Bahdanau et al. 2014). */
extern const ur_score ur_score_dot, ur_score_additive;

/* The list: number i of it, NULL behind the last; and the one of that name, or NULL. */
const ur_score *ur_score_at(size_t i);
const ur_score *ur_score_find(const char *name);

/* Which keys of its sequence a query sees. */
typedef enum ur_sight {
    UR_SEE_ALL,
    UR_SEE_PAST, /* query t: keys 0 to t */
    UR_SEE_LAST  /* the last query sees the last key, the one before it one less, and so on */
} ur_sight;

/* How many keys beside its own step query 0 of a sequence sees under these two: query t sees the
 * first t + 1 + this many. */
static inline ptrdiff_t ur_sight_ahead(ur_sight sight, size_t queries, size_t keys)
{
    return sight == UR_SEE_LAST ? (ptrdiff_t)keys - (ptrdiff_t)queries : 0;
}

/* Attention over ragged queries and keys, heads side by side: head h of row r of q is
 * q[r*q_row + h*D ...], and so on for k, v, context.
 *   S = scale score(q, k) + mask,  P = softmax over the keys that the query sees,
 *   context = drop-out(P) V
 * A query that sees no key gets zeros, and its gradients are zeros. */
typedef struct ur_attention_pass {
    const ur_layout *q_rows, *k_rows; /* of one batch, any order each */
    const size_t *k_from; /* (rows of k_rows) the rows of k and v that they are; NULL: 0, 1,
                                         2 ... Forward only */
    const ur_score *score;
    size_t heads, width, value_width; /* D, E of one head */
    float scale;
    ur_sight sight;
    const float *mask; /* (mask_heads, mask_queries, mask_keys), -inf hides a key; or NULL */
    size_t mask_heads, mask_queries, mask_keys; /* heads: 1 for all, or each its own */
    const float *q;                             /* (rows of q, heads D) */
    const float *k; /* (rows of k, heads D); NULL with P given: weighted sum only */
    const float *v; /* (rows of k, heads E); NULL: weights only */
    size_t q_row, k_row, v_row, context_row; /* floats between rows */
    const float *w;                          /* (heads D) for a score that has it */
    float *context;                          /* (rows of q, heads E) out, when v is given */
    float *p; /* P (heads, Tq, Tk) of sequence b at p + p_offset[b]: out when k is given
                               and p is not NULL, in when k is NULL */
    const size_t *p_offset; /* (batch) */
    bool keeps_p;           /* backward takes P from there */
    float dropout;          /* 0: none */
    uint64_t key;
    float *saved; /* (2, heads, rows of q) for a backward that makes P again; or NULL */
} ur_attention_pass;

/* Gradients have the rows of what they belong to. They are added to, and set where blank; NULL: not
 * wanted. dcontext is NULL for weights alone, dp for context alone. */
typedef struct ur_attention_back {
    const ur_attention_pass *forward;
    const float *dcontext;
    const float *dp_in; /* like p: gradient that reached the weights themselves, or NULL */
    float *dq, *dk, *dv;
    float *dw; /* added to */
    float *dp; /* like p, when k is NULL: gradient of the given weights, added to */
    bool dq_blank, dk_blank, dv_blank;
} ur_attention_back;

#endif
