/* attention_back.c - backward of attention.
 *
 *   dV += drop-out(P)^T dC,   dP = drop-out(dC V^T),   dS = P (dP - sum over the keys of P dP)
 *   dQ += scale dS K,   dK += scale dS^T Q      (additive: w and tanh's slope in between)
 *
 * The weights are those that forward kept, or computed again, from each row's maximum and sum. dK and dV
 * are sums over queries, in chains of UR_CHAIN. With at least two heads of sequences for each
 * thread a worker takes whole ones and goes through their queries once. With fewer, the team first shares
 * the blocks of queries (dQ, and each row's sum of P dP), meets, and then shares the blocks of keys (dK
 * and dV), with the weights once more. The chains are the same. */
#include "backend/cpu/attention.h"

#include <string.h>

static const ur_kernels *kernels_of(const ur_attention_work *s)
{
    return s->job->e->kernels;
}

/* Some rows of x, `row` floats apart. */
typedef struct some_rows {
    size_t count, width, row;
    const float *x;
} some_rows;

/* The rows of y that are those of sequence b from step t on += or = scale x(r, :). */
static void put_rows(const ur_kernels *kernels, const ur_layout *layout, size_t b, size_t t,
                     some_rows from, float scale, float *y, size_t y_row, bool blank)
{
    const size_t together = layout->order == UR_SEQUENCE_MAJOR ? from.count : 1;
    for (size_t r = 0; r < from.count; r += together)
        kernels->put_rows(together, from.width, scale, from.x + r * from.row, from.row,
                          y + ur_row(layout, b, t + r) * y_row, y_row, !blank);
}

/* ---- a strip's gradients ------------------------------------------------------------------- */

/* dP in s->dx; the context's gradients of the block, or nothing. */
static ur_head_rows weights_back(ur_attention_work *s)
{
    const ur_attention_pass *op = s->job->op;
    const ur_attention_back *back = s->job->back;
    ur_head_rows dc = {NULL, 0};
    if (back->dcontext) {
        const size_t width = op->value_width;
        dc = ur_head_rows_of(op->q_rows, NULL, s->b, s->begin, s->rows, width,
                             back->dcontext + s->head * width, op->context_row, s->d_rows);
        if (s->few)
            ur_few_scores(s, dc, width, op->v + s->head * width, s->v_at, s->dx);
        else
            ur_times_keys(s, dc.at, dc.row, width, s->v_by_rows, s->dx);
        if (op->dropout > 0.0f)
            ur_strip_dropout(s, s->dx, s->dx);
    } else {
        for (size_t r = 0; r < s->rows; r++)
            memset(s->dx + r * s->row, 0, s->keys * sizeof *s->dx);
    }
    return dc;
}

/* Gradients that come to the weights from elsewhere, and (out, once for each weight) those that go to given
 * ones. */
static void given_weights(ur_attention_work *s, bool out)
{
    const ur_attention_pass *op = s->job->op;
    const ur_attention_back *back = s->job->back;
    const size_t keys = op->k_rows->length[s->b];
    if (!back->dp_in && !back->dp)
        return;
    const size_t at = ur_weights_at(s);
    for (size_t r = 0; r < s->rows; r++) {
        float *dx = s->dx + r * s->row;
        if (back->dp_in)
            kernels_of(s)->add(s->keys, back->dp_in + at + r * keys, dx);
        if (out && back->dp)
            kernels_of(s)->add(s->keys, dx, back->dp + at + r * keys);
    }
}

/* dV's chains go on with this block. */
static void values_back(ur_attention_work *s, ur_head_rows dc, bool fresh)
{
    const ur_attention_pass *op = s->job->op;
    const ur_kernels *kernels = kernels_of(s);
    const float *p = s->x;
    if (op->dropout > 0.0f) {
        ur_strip_dropout(s, s->x, s->spare);
        p = s->spare;
    }
    if (s->few) {
        ur_few_turned(s, p, dc, op->value_width, &s->dv, fresh);
        return;
    }
    kernels->pack_cols((ur_columns){1, op->value_width}, s->rows, dc.at, dc.row, NULL,
                       s->block_by_cols, 0, s->rows);
    ur_strip_times(kernels, &(ur_strip_product){.m = s->keys,
                                                .k = s->rows,
                                                .n = op->value_width,
                                                .a = p,
                                                .a_row = s->row,
                                                .turned = true,
                                                .b = s->block_by_cols,
                                                .c = s->dv.chain,
                                                .c_row = s->dv.row,
                                                .add = !fresh});
}

/* dS in s->dx. */
static void scores_back(ur_attention_work *s, bool mean_known)
{
    const ur_weight_rows_back rows = {.rows = s->rows,
                                      .keys = s->keys,
                                      .row = s->row,
                                      .p = s->x,
                                      .dp = s->dx,
                                      .mean = s->job->mean + ur_query_at(s)};
    kernels_of(s)->weight_rows_back(&rows, mean_known);
}

static bool wants_queries(const ur_attention_job *job)
{
    return job->back->dq || job->dw_rows;
}

/* dQ of the block, which stands in s->out, and what its queries give to dw, to where they belong. */
static void put_queries(ur_attention_work *s)
{
    const ur_attention_pass *op = s->job->op;
    const ur_attention_back *back = s->job->back;
    const ur_kernels *kernels = kernels_of(s);
    const size_t width = op->width, row = ur_whole_vectors(kernels, width);
    if (back->dq)
        put_rows(kernels, op->q_rows, s->b, s->begin, (some_rows){s->rows, width, row, s->out},
                 op->scale, back->dq + s->head * width, op->q_row, back->dq_blank);
    for (size_t r = 0; s->job->dw_rows && r < s->rows; r++)
        memcpy(s->job->dw_rows +
                   ((s->job->q_begin[s->b] + s->begin + r) * op->heads + s->head) * width,
               s->dw + r * row, width * sizeof *s->dw);
}

/* ---- chains over the queries --------------------------------------------------------------- */

/* A chain that starts anew with a block which does not see all keys: zeros for the others. */
static void start_chain(const ur_attention_work *s, const ur_chains *c)
{
    if (c->chain)
        memset(c->chain + s->keys * c->row, 0, (s->keys_ready - s->keys) * c->row * sizeof(float));
}

/* The chain that ends at query `end` joins those before it. */
static void end_chain(const ur_attention_work *s, ur_chains *c, size_t end)
{
    if (!c->sum)
        return;
    if (end <= UR_CHAIN) {
        float *chain = c->chain;
        c->chain = c->sum;
        c->sum = chain;
    } else {
        kernels_of(s)->add(s->keys_ready * c->row, c->chain, c->sum);
    }
}

/* The sums of the keys that are ready, to where they belong. */
static void put_sums(const ur_attention_work *s, const ur_chains *c, size_t width, float scale,
                     float *out, size_t out_row, bool blank)
{
    const some_rows sums = {s->keys_ready, width, c->row, c->sum ? c->sum : c->chain};
    put_rows(kernels_of(s), s->job->op->k_rows, s->b, s->key_begin, sums, scale,
             out + s->head * width, out_row, blank);
}

/* Keys [begin, end) of a head: dK and dV, and where these are all keys, so that the blocks' rows are
 * whole, dQ on the way. */
static void keys_back(ur_attention_work *s, size_t b, size_t head, size_t begin, size_t end,
                      bool whole)
{
    const ur_attention_pass *op = s->job->op;
    const ur_attention_back *back = s->job->back;
    const size_t queries = op->q_rows->length[b];
    ur_strip_keys(s, b, head, begin, end);
    s->keys = 0;
    if (queries == 0) {
        start_chain(s, &s->dk);
        start_chain(s, &s->dv);
        end_chain(s, &s->dk, 0);
        end_chain(s, &s->dv, 0);
    }
    for (size_t t = 0, t_end; t < queries; t = t_end) {
        t_end = ur_strip_end(t, queries);
        const bool fresh = t % UR_CHAIN == 0;
        ur_strip_queries(s, t, t_end);
        if (fresh) {
            start_chain(s, &s->dk);
            start_chain(s, &s->dv);
        }
        ur_strip_weights(s);
        const ur_head_rows dc = weights_back(s);
        given_weights(s, whole);
        if (back->dv && back->dcontext)
            values_back(s, dc, fresh);
        if (op->k) {
            scores_back(s, !whole);
            s->job->score->back(s, whole && wants_queries(s->job), back->dk, fresh);
            if (whole)
                put_queries(s);
        }
        if (t_end % UR_CHAIN == 0 || t_end == queries) {
            end_chain(s, &s->dk, t_end);
            end_chain(s, &s->dv, t_end);
        }
    }
    if (back->dk)
        put_sums(s, &s->dk, op->width, op->scale, back->dk, op->k_row, back->dk_blank);
    if (back->dv)
        put_sums(s, &s->dv, op->value_width, 1.0f, back->dv, op->v_row, back->dv_blank);
}

static void all_keys(ur_attention_work *s, size_t b, size_t head, size_t begin, size_t end)
{
    keys_back(s, b, head, begin, end, true);
}

static void some_keys(ur_attention_work *s, size_t b, size_t head, size_t begin, size_t end)
{
    keys_back(s, b, head, begin, end, false);
}

static void some_queries(ur_attention_work *s, size_t b, size_t head, size_t begin, size_t end)
{
    if (!s->ready || s->b != b || s->head != head)
        ur_strip_keys(s, b, head, 0, s->job->op->k_rows->length[b]);
    ur_strip_queries(s, begin, end);
    ur_strip_weights(s);
    weights_back(s);
    given_weights(s, true);
    if (s->job->op->k) {
        scores_back(s, false);
        s->job->score->back(s, wants_queries(s->job), false, false);
        put_queries(s);
    }
}

/* ---- the team ------------------------------------------------------------------------------ */

/* dw += scale times the sum over all queries, sequence by sequence. */
static void add_dw(const ur_attention_job *job, const ur_member *me)
{
    const ur_attention_pass *op = job->op;
    const ur_kernels *kernels = job->e->kernels;
    const size_t width = op->heads * op->width;
    const ur_range mine = ur_my_floats(me, width);
    const size_t count = mine.end - mine.begin;
    memset(job->dw_sums + mine.begin, 0, count * sizeof(float));
    kernels->column_sums(op->q_rows->rows, job->dw_rows, width, job->dw_sums, mine.begin, mine.end);
    kernels->axpy(count, op->scale, job->dw_sums + mine.begin, job->back->dw + mine.begin);
}

static bool by_heads(const ur_attention_job *job)
{
    return job->op->q_rows->batch * job->op->heads >= 2 * ur_team_size(job->e->team);
}

static void back_member(void *arg, const ur_member *me)
{
    const ur_attention_job *job = arg;
    if (me->count == 1 || by_heads(job)) {
        ur_key_blocks(job, me, true, all_keys);
    } else {
        ur_query_blocks(job, me, some_queries);
        ur_barrier(me);
        if (job->back->dk || job->back->dv)
            ur_key_blocks(job, me, false, some_keys);
    }
    if (job->dw_rows) {
        ur_barrier(me);
        add_dw(job, me);
    }
}

bool ur_cpu_attention_back(const ur_executor *e, const ur_attention_back *back)
{
    ur_attention_job job = {.e = e, .op = back->forward, .back = back};
    return ur_attention_run(&job, back_member);
}
