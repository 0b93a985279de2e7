/* attention.c - dot-product attention over ragged queries and keys, sequence by sequence.
 *
 * Scores and contexts are matrix products (chains over the features, then over the keys). Each
 * sequence is a little problem of its own, (Tq, D) against (Tk, D), and stays in one core's cache:
 * members take sequences. Backward recomputes the weights. */
#include "backend/cpu/cpu.h"

#include <string.h>

/* One member's workspace, for the longest sequence. */
typedef struct workspace {
    float *q, *k, *v, *dc;       /* gathered rows: (Tq, D) (Tk, D) (Tk, E) (Tq, E) */
    float *p, *ds;               /* (Tq, Tk) */
    float *rows_packed, *packed; /* panels of a w^T, of a b */
    float *out;                  /* rows of a result before they are added */
} workspace;

typedef struct job {
    const ur_executor *e;
    const ur_attention_pass *op;
    const ur_attention_back *back;
    workspace *of; /* (members) */
} job;

static void gather(const ur_layout *layout, size_t b, size_t width, const float *x, float *out)
{
    for (size_t t = 0; t < layout->length[b]; t++)
        memcpy(out + t * width, x + ur_row(layout, b, t) * width, width * sizeof *out);
}

static void add_rows(const job *j, const ur_layout *layout, size_t b, size_t width, const float *x,
                     float *out)
{
    for (size_t t = 0; t < layout->length[b]; t++)
        j->e->kernels->add(width, x + t * width, out + ur_row(layout, b, t) * width);
}

/* Packs w (n, k) for a w^T. */
static void pack_rows(const job *j, workspace *s, size_t k, size_t n, const float *w)
{
    const ur_kernels *kernels = j->e->kernels;
    const ur_columns columns = {1, n};
    kernels->pack_rows(columns, k, w, k, s->rows_packed, 0, n);
}

/* c (m, n) = a (m, k) w^T with the w (n, k) that was packed. */
static void times_rows(const job *j, workspace *s, size_t m, size_t k, size_t n, const float *a,
                       float *c)
{
    const ur_kernels *kernels = j->e->kernels;
    const ur_columns columns = {1, n};
    const ur_product product = {.m = m,
                                .k = k,
                                .a = a,
                                .a_row = k,
                                .a_k = 1,
                                .b = s->rows_packed,
                                .columns = columns,
                                .c = c,
                                .c_row = n,
                                .start = UR_START_BIAS};
    kernels->product(&product, 0, kernels->panels(columns));
}

/* c (m, n) = a b with b (k, n); a is (m, k), or (k, m) when transposed. */
static void times_cols(const job *j, workspace *s, size_t m, size_t k, size_t n, const float *a,
                       bool transposed, const float *b, float *c)
{
    const ur_kernels *kernels = j->e->kernels;
    const ur_columns columns = {1, n};
    const size_t panels = kernels->panels(columns);
    kernels->pack_cols(columns, k, b, n, NULL, s->packed, 0, k);
    const ur_product product = {.m = m,
                                .k = k,
                                .a = a,
                                .a_row = transposed ? 1 : k,
                                .a_k = transposed ? m : 1,
                                .b = s->packed,
                                .columns = columns,
                                .c = c,
                                .c_row = n,
                                .start = UR_START_BIAS};
    kernels->product(&product, 0, panels);
}

/* The weights of sequence b, computed into p: softmax(scale q k^T). Leaves q and k gathered, k
 * packed by rows. */
static void compute_weights(const job *j, workspace *s, size_t b, float *p)
{
    const ur_attention_pass *op = j->op;
    const ur_kernels *kernels = j->e->kernels;
    const size_t queries = op->q_rows->length[b], keys = op->k_rows->length[b];
    gather(op->q_rows, b, op->width, op->q, s->q);
    gather(op->k_rows, b, op->width, op->k, s->k);
    pack_rows(j, s, op->width, keys, s->k);
    times_rows(j, s, queries, op->width, keys, s->q, p);
    for (size_t t = 0; t < queries; t++) {
        if (op->scale != 1.0f)
            kernels->scale(keys, op->scale, p + t * keys, p + t * keys);
        kernels->softmax(keys, p + t * keys, p + t * keys);
    }
}

/* Values of sequence b, gathered: the keys where they are the same. */
static const float *values(const job *j, workspace *s, size_t b)
{
    const ur_attention_pass *op = j->op;
    if (op->v == op->k)
        return s->k;
    gather(op->k_rows, b, op->value_width, op->v, s->v);
    return s->v;
}

static void forward_member(void *arg, const ur_member *me)
{
    const job *j = arg;
    const ur_attention_pass *op = j->op;
    workspace *s = &j->of[me->index];
    const ur_range mine = ur_my_range(me, op->q_rows->batch);
    for (size_t b = mine.begin; b < mine.end; b++) {
        const size_t queries = op->q_rows->length[b], keys = op->k_rows->length[b];
        if (queries == 0)
            continue;
        float *p = op->p ? op->p + op->p_offset[b] : s->p;
        if (op->k)
            compute_weights(j, s, b, p);
        if (!op->v)
            continue;
        times_cols(j, s, queries, keys, op->value_width, p, false, values(j, s, b), s->out);
        for (size_t t = 0; t < queries; t++)
            memcpy(op->context + ur_row(op->q_rows, b, t) * op->value_width,
                   s->out + t * op->value_width, op->value_width * sizeof *s->out);
    }
}

/* dP of sequence b in s->ds, from the gradients of the context and of the weights. Adds dV. */
static void weights_back(const job *j, workspace *s, size_t b, const float *p)
{
    const ur_attention_pass *op = j->op;
    const ur_attention_back *back = j->back;
    const size_t queries = op->q_rows->length[b], keys = op->k_rows->length[b];
    const size_t width = op->value_width;
    float *dp = s->ds;
    if (back->dcontext) {
        gather(op->q_rows, b, width, back->dcontext, s->dc);
        if (op->v != op->k) /* else the keys are packed already */
            pack_rows(j, s, width, keys, values(j, s, b));
        times_rows(j, s, queries, width, keys, s->dc, dp);
        if (back->dv) {
            times_cols(j, s, keys, queries, width, p, true, s->dc, s->out);
            add_rows(j, op->k_rows, b, width, s->out, back->dv);
        }
    } else {
        memset(dp, 0, queries * keys * sizeof *dp);
    }
    if (back->dp_in)
        j->e->kernels->add(queries * keys, back->dp_in + op->p_offset[b], dp);
    if (back->dp)
        j->e->kernels->add(queries * keys, dp, back->dp + op->p_offset[b]);
}

/* dS in s->ds, from dP there. */
static void softmax_back(const job *j, workspace *s, size_t b, const float *p)
{
    const ur_attention_pass *op = j->op;
    const size_t queries = op->q_rows->length[b], keys = op->k_rows->length[b];
    for (size_t t = 0; t < queries; t++) {
        float *row = s->ds + t * keys, *out = s->out;
        memset(out, 0, keys * sizeof *out);
        j->e->kernels->softmax_back(keys, p + t * keys, row, out);
        j->e->kernels->scale(keys, op->scale, out, row);
    }
}

static void back_member(void *arg, const ur_member *me)
{
    const job *j = arg;
    const ur_attention_pass *op = j->op;
    const ur_attention_back *back = j->back;
    workspace *s = &j->of[me->index];
    const ur_range mine = ur_my_range(me, op->q_rows->batch);
    for (size_t b = mine.begin; b < mine.end; b++) {
        const size_t queries = op->q_rows->length[b], keys = op->k_rows->length[b];
        if (queries == 0 || keys == 0)
            continue;
        float *p = op->p ? op->p + op->p_offset[b] : s->p;
        if (op->k)
            compute_weights(j, s, b, p);
        weights_back(j, s, b, p);
        if (!op->k)
            continue;
        softmax_back(j, s, b, p);
        if (back->dq) {
            times_cols(j, s, queries, keys, op->width, s->ds, false, s->k, s->out);
            add_rows(j, op->q_rows, b, op->width, s->out, back->dq);
        }
        if (back->dk) {
            times_cols(j, s, keys, queries, op->width, s->ds, true, s->q, s->out);
            add_rows(j, op->k_rows, b, op->width, s->out, back->dk);
        }
    }
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static float *take(const ur_executor *e, size_t rows, size_t width, bool *ok)
{
    float *x = *ok ? ur_arena_take(e->memory, rows * width, sizeof *x) : NULL;
    *ok = x != NULL;
    return x;
}

/* Workspaces for as many members as there can be, then the operation. */
static bool run(const ur_executor *e, job *j, void (*work)(void *arg, const ur_member *me))
{
    const ur_attention_pass *op = j->op;
    const size_t members = ur_team_size(e->team);
    const size_t queries = op->q_rows->steps, keys = op->k_rows->steps;
    const size_t width = op->width, value_width = op->value_width;
    const size_t longest = larger(queries, keys), widest = larger(width, value_width);
    const size_t n = larger(longest, widest);
    const ur_mark mark = ur_arena_mark(e->memory);
    bool ok = (j->of = ur_arena_take(e->memory, members, sizeof *j->of)) != NULL;
    for (size_t i = 0; ok && i < members; i++) {
        workspace *s = &j->of[i];
        s->q = take(e, queries, width, &ok);
        s->k = take(e, keys, width, &ok);
        s->v = take(e, keys, value_width, &ok);
        s->dc = take(e, queries, value_width, &ok);
        s->p = take(e, queries, keys, &ok);
        s->ds = take(e, queries, keys, &ok);
        s->out = take(e, longest, n, &ok);
        s->packed = take(e, ur_packed_floats(e->kernels, (ur_columns){1, n}, 1), n, &ok);
        s->rows_packed = take(e, ur_packed_floats(e->kernels, (ur_columns){1, n}, 1), n, &ok);
    }
    if (ok)
        ur_team_run(e->team, work, j);
    ur_arena_rewind(e->memory, mark);
    return ok;
}

bool ur_cpu_attention(const ur_executor *e, const ur_attention_pass *op)
{
    job j = {.e = e, .op = op};
    return run(e, &j, forward_member);
}

bool ur_cpu_attention_back(const ur_executor *e, const ur_attention_back *op)
{
    job j = {.e = e, .op = op->forward, .back = op};
    return run(e, &j, back_member);
}
