/* attention.h - inside the CPU's attention: what its forward and backward share.
 *
 * A strip is a block of queries of one sequence and head against that head's keys. A worker holds one
 * at a time in its scratch memory, (rows, keys); a head's keys and values are packed when it comes to
 * that head. */
#ifndef UR_BACKEND_CPU_ATTENTION_H
#define UR_BACKEND_CPU_ATTENTION_H

#include "backend/cpu/cpu.h"

enum {
    UR_STRIP_QUERIES =
        UR_SIZE(48, 5), /* whole tiles of any shape; blocks also end where a chain does */
    UR_STRIP_KEYS = UR_SIZE(64, 8) /* a part of the keys: a multiple of 4 (drop-out's numbers) */
};

/* Rows of a head, `row` floats apart. */
typedef struct ur_head_rows {
    const float *at;
    size_t row;
} ur_head_rows;

/* A sum over queries, in blocks of UR_CHAIN: the running chain, and the chains before it. (keys, row) */
typedef struct ur_chains {
    float *chain, *sum;
    size_t row;
} ur_chains;

struct ur_cpu_score;

typedef struct ur_attention_job {
    const ur_executor *e;
    const ur_attention_pass *op;
    const ur_attention_back *back;
    const struct ur_cpu_score *score;
    const size_t *q_begin;        /* (batch) queries of the sequences before */
    struct ur_attention_work *of; /* (members) */
    float *mean;                  /* (heads, rows of q) of a query: the sum of P dP */
    float *dw_rows;               /* (rows of q, heads D): what each query gives to dw; or NULL */
    float *dw_sums;               /* (heads D) */
} ur_attention_job;

/* One member's strip and scratch memory. */
typedef struct ur_attention_work {
    const ur_attention_job *job;
    size_t b, head; /* whose keys and values are ready */
    bool ready;
    size_t key_begin; /* of the keys that are ready */
    size_t keys_ready;
    size_t begin, rows; /* queries */
    size_t keys;        /* of those that are ready, which some query of the block sees */
    size_t row;         /* floats between rows of the strips */
    ur_head_rows q, k;
    float *x, *dx,
        *spare; /* strips: scores, then weights; their gradients; weights after drop-out */
    float *q_rows, *d_rows; /* gathered rows of a block: (queries, D), (queries, E) */
    bool few;               /* nothing is packed for what few queries need ... */
    size_t *k_at,
        *v_at; /* (keys, and some) ... and rows lie so many floats from the head's first one */
    float *k_rows, *v_rows; /* gathered rows of a head: (keys, D), (keys, E) */
    float *k_by_rows, *k_by_cols, *v_by_rows, *v_by_cols; /* packed */
    float *block_by_cols;  /* a block's rows packed: of q, of the context's gradient */
    float *out;            /* (queries, the wider of D and E, in whole vectors) */
    float *shift, *factor; /* (queries) where they are not saved */
    float *dw;             /* (queries, D) */
    ur_chains dk, dv;
} ur_attention_work;

/* A score as the CPU computes it. */
typedef struct ur_cpu_score {
    const ur_score *score;
    void (*keys)(ur_attention_work *s);   /* s->k is known: makes the keys ready */
    void (*scores)(ur_attention_work *s); /* s->x */
    /* From the scores' gradients in s->dx: dq of the block in s->out, set, and what it gives to dw; and
     * dk, which joins the chain, started anew where `fresh`. */
    void (*back)(ur_attention_work *s, bool dq, bool dk, bool fresh);
} ur_cpu_score;

const ur_cpu_score *ur_cpu_score_of(const ur_score *score);

/* Few queries: y (rows, keys), a strip, = a (rows, width) times row j at b + at[j]; and what a strip turned, (keys,
 * rows), times the block's rows b (rows, width) adds to a sum over queries, which it begins where `fresh`. */
void ur_few_scores(const ur_attention_work *s, ur_head_rows a, size_t width, const float *b,
                   const size_t *at, float *y);
void ur_few_turned(const ur_attention_work *s, const float *strip, ur_head_rows b, size_t width,
                   const ur_chains *to, bool fresh);

/* n in whole vectors. */
size_t ur_whole_vectors(const ur_kernels *kernels, size_t n);

/* The queries [begin, end) of sequence b are a block: what its rows are, and which keys they see of those
 * that are ready. */
void ur_strip_queries(ur_attention_work *s, size_t begin, size_t end);
size_t ur_strip_end(size_t begin, size_t queries);

/* Makes keys [begin, end) of this head ready. */
void ur_strip_keys(ur_attention_work *s, size_t b, size_t head, size_t begin, size_t end);

/* x (rows, keys) = a (rows, k) b^T, b packed by rows: the panels up to the last key that is seen. */
void ur_times_keys(const ur_attention_work *s, const float *a, size_t a_row, size_t k,
                   const float *packed, float *x);

/* Where the numbers of this block's queries stand in a (heads, rows of q) array, each head's queries of a
 * sequence together; and this block in an array like op->p. */
size_t ur_query_at(const ur_attention_work *s);
size_t ur_weights_at(const ur_attention_work *s);

/* s->x: the weights of the strip, computed, or again from what forward saved, or as given. */
void ur_strip_weights(ur_attention_work *s);

/* y(r, i) = x(r, i) keep / (1-p) for a strip. */
void ur_strip_dropout(const ur_attention_work *s, const float *x, float *y);

/* Rows [begin, begin + count) of sequence b, `width` floats from x on, which has x_row floats a row:
 * where they lie, or gathered in `scratch`. from: see ur_attention_pass. */
ur_head_rows ur_head_rows_of(const ur_layout *layout, const size_t *from, size_t b, size_t begin,
                             size_t count, size_t width, const float *x, size_t x_row,
                             float *scratch);

/* c (m, n in whole vectors) = a b, a (m, k) with a_row floats a row, or turned, (k, m); b packed. */
typedef struct ur_strip_product {
    size_t m, k, n, b_k;
    const float *a;
    size_t a_row;
    bool turned;
    const float *b;
    float *c;
    size_t c_row;
    bool add;
} ur_strip_product;
void ur_strip_times(const ur_kernels *kernels, const ur_strip_product *p);

/* Scratch memory for every member and what the job shares, then work(job, me) on the team. */
bool ur_attention_run(ur_attention_job *job, void (*work)(void *job, const ur_member *me));

/* work(s, b, head, begin, end) for this member's part of all blocks of queries, or with keys of all
 * blocks of keys (`whole`: of all keys of a head at once). */
typedef void ur_strip_work(ur_attention_work *s, size_t b, size_t head, size_t begin, size_t end);
void ur_query_blocks(const ur_attention_job *job, const ur_member *me, ur_strip_work *work);
void ur_key_blocks(const ur_attention_job *job, const ur_member *me, bool whole,
                   ur_strip_work *work);

#endif
