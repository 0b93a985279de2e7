/* attention.c - attention over ragged queries and keys: forward, and what backward shares with it.
 *
 *   S = scale score(q, k) + mask,  P = softmax over the keys that the query sees,
 *   context = drop-out(P) V
 *
 * Work is shared out by (sequence, head, block of queries), so that one sequence with one head
 * occupies the whole team. A worker packs a head's keys and values once and holds one strip, the
 * block's queries against all keys: scores as a product (chains over the features), each row's softmax
 * (kernels.h: weight_rows), contexts as a product (chains over the keys). No row is rescaled while
 * its keys pass, and no (Tq, Tk) matrix is held unless the weights are asked for. */
#include "backend/cpu/attention.h"

#include <string.h>

enum {
    LINE = 16,
    UNIT_BITS = 24 /* see dropout.c */,
    FEW_QUERIES = 4,
    SMALL_QUERIES = 16,
    SMALL_WIDTH = 16
};

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t ur_whole_vectors(const ur_kernels *kernels, size_t n)
{
    return (n + kernels->lanes - 1) / kernels->lanes * kernels->lanes;
}

/* ---- rows and products --------------------------------------------------------------------- */

ur_head_rows ur_head_rows_of(const ur_layout *layout, const size_t *from, size_t b, size_t begin,
                             size_t count, size_t width, const float *x, size_t x_row,
                             float *scratch)
{
    if (count == 0)
        return (ur_head_rows){scratch, width};
    if (layout->order == UR_SEQUENCE_MAJOR && !from)
        return (ur_head_rows){x + ur_row(layout, b, begin) * x_row, x_row};
    for (size_t t = 0; t < count; t++) {
        const size_t row = ur_row(layout, b, begin + t);
        memcpy(scratch + t * width, x + (from ? from[row] : row) * x_row, width * sizeof *x);
    }
    return (ur_head_rows){scratch, width};
}

void ur_strip_times(const ur_kernels *kernels, const ur_strip_product *p)
{
    const ur_columns columns = {1, ur_whole_vectors(kernels, p->n)};
    const ur_product product = {.m = p->m,
                                .k = p->k,
                                .a = p->a,
                                .a_row = p->turned ? 1 : p->a_row,
                                .a_k = p->turned ? p->a_row : 1,
                                .b = p->b,
                                .b_k = p->b_k,
                                .columns = columns,
                                .c = p->c,
                                .c_row = p->c_row,
                                .start = p->add ? UR_START_C : UR_START_BIAS};
    kernels->product(&product, 0, kernels->panels(columns));
}

/* ---- scores -------------------------------------------------------------------------------- */

static const ur_kernels *kernels_of(const ur_attention_work *s)
{
    return s->job->e->kernels;
}

/* Scores of the dot product: q K^T for the panels that hold keys which are seen. */
static void dot_keys(ur_attention_work *s)
{
    const ur_kernels *k = kernels_of(s);
    const ur_columns keys = {1, s->keys_ready}, features = {1, s->job->op->width};
    k->pack_rows(keys, features.units, s->k.at, s->k.row, s->k_by_rows, 0, s->keys_ready);
    if (s->job->back && s->job->back->dq)
        k->pack_cols(features, s->keys_ready, s->k.at, s->k.row, NULL, s->k_by_cols, 0,
                     s->keys_ready);
}

void ur_times_keys(const ur_attention_work *s, const float *a, size_t a_row, size_t k,
                   const float *packed, float *x)
{
    const ur_kernels *kernels = kernels_of(s);
    const ur_columns columns = {1, ur_whole_vectors(kernels, s->keys_ready)};
    const ur_product product = {.m = s->rows,
                                .k = k,
                                .a = a,
                                .a_row = a_row,
                                .a_k = 1,
                                .b = packed,
                                .columns = columns,
                                .c = x,
                                .c_row = s->row,
                                .start = UR_START_BIAS};
    size_t panels = kernels->panels(columns);
    while (panels && kernels->panel_begin(columns, panels - 1) >= s->keys)
        panels--;
    kernels->product(&product, 0, panels);
}

static void dot_scores(ur_attention_work *s)
{
    const ur_attention_pass *op = s->job->op;
    if (s->few)
        ur_few_scores(s, s->q, op->width, op->k + s->head * op->width, s->k_at, s->x);
    else
        ur_times_keys(s, s->q.at, s->q.row, op->width, s->k_by_rows, s->x);
}

void ur_few_scores(const ur_attention_work *s, ur_head_rows a, size_t width, const float *b,
                   const size_t *at, float *y)
{
    kernels_of(s)->scattered_scores(&(ur_scattered){.rows = s->rows,
                                                    .keys = s->keys,
                                                    .width = width,
                                                    .a = a.at,
                                                    .a_row = a.row,
                                                    .a_k = 1,
                                                    .b = b,
                                                    .at = at,
                                                    .y = y,
                                                    .y_row = s->row});
}

void ur_few_turned(const ur_attention_work *s, const float *strip, ur_head_rows b, size_t width,
                   const ur_chains *to, bool fresh)
{
    size_t at[UR_STRIP_QUERIES];
    for (size_t r = 0; r < s->rows; r++)
        at[r] = r * b.row;
    kernels_of(s)->scattered_contexts(&(ur_scattered){.rows = s->keys,
                                                      .keys = s->rows,
                                                      .width = width,
                                                      .a = strip,
                                                      .a_row = 1,
                                                      .a_k = s->row,
                                                      .b = b.at,
                                                      .at = at,
                                                      .y = to->chain,
                                                      .y_row = to->row,
                                                      .add = !fresh});
}

static void dot_dq(ur_attention_work *s)
{
    const size_t width = s->job->op->width;
    if (s->few) {
        kernels_of(s)->scattered_contexts(
            &(ur_scattered){.rows = s->rows,
                            .keys = s->keys,
                            .width = width,
                            .a = s->dx,
                            .a_row = s->row,
                            .a_k = 1,
                            .b = s->job->op->k + s->head * width,
                            .at = s->k_at,
                            .y = s->out,
                            .y_row = ur_whole_vectors(kernels_of(s), width)});
        return;
    }
    ur_strip_times(kernels_of(s),
                   &(ur_strip_product){.m = s->rows,
                                       .k = s->keys,
                                       .n = width,
                                       .b_k = s->keys_ready,
                                       .a = s->dx,
                                       .a_row = s->row,
                                       .b = s->k_by_cols,
                                       .c = s->out,
                                       .c_row = ur_whole_vectors(kernels_of(s), width)});
}

static void dot_dk(ur_attention_work *s, bool fresh)
{
    const size_t width = s->job->op->width;
    if (s->few) {
        ur_few_turned(s, s->dx, s->q, width, &s->dk, fresh);
        return;
    }
    kernels_of(s)->pack_cols((ur_columns){1, width}, s->rows, s->q.at, s->q.row, NULL,
                             s->block_by_cols, 0, s->rows);
    ur_strip_times(kernels_of(s), &(ur_strip_product){.m = s->keys,
                                                      .k = s->rows,
                                                      .n = width,
                                                      .a = s->dx,
                                                      .a_row = s->row,
                                                      .turned = true,
                                                      .b = s->block_by_cols,
                                                      .c = s->dk.chain,
                                                      .c_row = s->dk.row,
                                                      .add = !fresh});
}

static void dot_back(ur_attention_work *s, bool dq, bool dk, bool fresh)
{
    if (dq)
        dot_dq(s);
    if (dk)
        dot_dk(s, fresh);
}

static const ur_cpu_score cpu_dot = {&ur_score_dot, dot_keys, dot_scores, dot_back};

/* Additive scores: one kernel, nothing is packed. */
static void additive_keys(ur_attention_work *s)
{
    (void)s;
}

static ur_additive additive_of(const ur_attention_work *s)
{
    const ur_attention_pass *op = s->job->op;
    return (ur_additive){.rows = s->rows,
                         .keys = s->keys,
                         .width = op->width,
                         .q = s->q.at,
                         .k = s->k.at,
                         .q_row = s->q.row,
                         .k_row = s->k.row,
                         .w = op->w + s->head * op->width,
                         .x = s->x,
                         .row = s->row};
}

static void additive_scores(ur_attention_work *s)
{
    const ur_additive a = additive_of(s);
    kernels_of(s)->additive(&a);
}

static void additive_back(ur_attention_work *s, bool dq, bool dk, bool fresh)
{
    ur_additive a = additive_of(s);
    a.x = s->dx;
    a.out_row = ur_whole_vectors(kernels_of(s), a.width);
    a.dq = dq ? s->out : NULL;
    a.dw = dq && s->job->dw_rows ? s->dw : NULL;
    a.dk = dk ? s->dk.chain : NULL;
    a.dk_row = s->dk.row;
    if (dk && fresh)
        memset(s->dk.chain, 0, s->keys * s->dk.row * sizeof(float));
    kernels_of(s)->additive_back(&a);
}

static const ur_cpu_score cpu_additive = {&ur_score_additive, additive_keys, additive_scores,
                                          additive_back};

const ur_cpu_score *ur_cpu_score_of(const ur_score *score)
{
    static const ur_cpu_score *const scores[] = {&cpu_dot, &cpu_additive};
    for (size_t i = 0; i < sizeof scores / sizeof(ur_cpu_score *); i++)
        if (scores[i]->score == score)
            return scores[i];
    return NULL;
}

/* Whether packing keys [begin, end) and their values would be most of the work: a step of decoding, or small
 * heads of short sequences. */
static bool few_queries(const ur_attention_work *s, size_t b, size_t begin, size_t end)
{
    const ur_attention_pass *op = s->job->op;
    const size_t queries = op->q_rows->length[b], keys = op->k_rows->length[b];
    const bool small = queries <= SMALL_QUERIES && keys <= SMALL_QUERIES && keys <= UR_CHAIN &&
                       op->width <= SMALL_WIDTH && op->value_width <= SMALL_WIDTH;
    if (op->width > UR_CHAIN || op->value_width > UR_CHAIN || begin > 0 || end < keys)
        return false;
    return small || (queries <= FEW_QUERIES && !s->job->back);
}

/* Where the rows of sequence b lie in x, which has `row` floats a row; at has room for LINE more. */
static void find_rows(const ur_attention_pass *op, size_t b, size_t row, size_t *at)
{
    const size_t keys = op->k_rows->length[b], first = keys ? ur_row(op->k_rows, b, 0) : 0;
    const bool together = op->k_rows->order == UR_SEQUENCE_MAJOR;
    for (size_t j = 0; j < keys; j++) {
        const size_t r = together ? first + j : ur_row(op->k_rows, b, j);
        at[j] = (op->k_from ? op->k_from[r] : r) * row;
    }
    for (size_t i = 0; i < LINE; i++) /* what a last vector reads beside it */
        at[keys + i] = keys ? at[keys - 1] : 0;
}

/* ---- a strip ------------------------------------------------------------------------------- */

void ur_strip_keys(ur_attention_work *s, size_t b, size_t head, size_t begin, size_t end)
{
    const ur_attention_pass *op = s->job->op;
    const ur_attention_back *back = s->job->back;
    const ur_kernels *kernels = kernels_of(s);
    const size_t count = end - begin;
    const bool same = s->ready && s->few && s->b == b; /* its rows were found for another head */
    s->ready = true;
    s->few = few_queries(s, b, begin, end);
    s->b = b;
    s->head = head;
    s->key_begin = begin;
    s->keys_ready = count;
    s->row = (count + LINE - 1) / LINE * LINE + LINE; /* rows in different sets of a cache */
    if (s->few && !same && op->k)
        find_rows(op, b, op->k_row, s->k_at);
    if (s->few && !same && op->v)
        find_rows(op, b, op->v_row, s->v_at);
    if (op->k && !(s->few && s->job->score == &cpu_dot)) {
        s->k = ur_head_rows_of(op->k_rows, op->k_from, b, begin, count, op->width,
                               op->k + head * op->width, op->k_row, s->k_rows);
        s->job->score->keys(s);
    }
    if (!op->v || (back && !back->dcontext) || s->few)
        return;
    const ur_head_rows v = ur_head_rows_of(op->k_rows, op->k_from, b, begin, count, op->value_width,
                                           op->v + head * op->value_width, op->v_row, s->v_rows);
    if (back)
        kernels->pack_rows((ur_columns){1, count}, op->value_width, v.at, v.row, s->v_by_rows, 0,
                           count);
    else
        kernels->pack_cols((ur_columns){1, op->value_width}, count, v.at, v.row, NULL, s->v_by_cols,
                           0, count);
}

size_t ur_strip_end(size_t begin, size_t queries)
{
    const size_t chain = (begin / UR_CHAIN + 1) * UR_CHAIN;
    return smaller(smaller(begin + UR_STRIP_QUERIES, chain), queries);
}

/* Row 0 sees the keys before this one of those that are ready, each later row one more. */
static ptrdiff_t first_seen(const ur_attention_work *s)
{
    const ur_attention_pass *op = s->job->op;
    const ptrdiff_t ahead =
        ur_sight_ahead(op->sight, op->q_rows->length[s->b], op->k_rows->length[s->b]);
    return (ptrdiff_t)s->begin + 1 + ahead - (ptrdiff_t)s->key_begin;
}

void ur_strip_queries(ur_attention_work *s, size_t begin, size_t end)
{
    const ur_attention_pass *op = s->job->op;
    s->begin = begin;
    s->rows = end - begin;
    s->keys = s->keys_ready;
    if (op->sight != UR_SEE_ALL) {
        const ptrdiff_t seen = first_seen(s) + (ptrdiff_t)s->rows - 1;
        s->keys = seen < 0 ? 0 : smaller((size_t)seen, s->keys_ready);
    }
    if (op->k)
        s->q = ur_head_rows_of(op->q_rows, NULL, s->b, begin, s->rows, op->width,
                               op->q + s->head * op->width, op->q_row, s->q_rows);
}

size_t ur_query_at(const ur_attention_work *s)
{
    const ur_attention_pass *op = s->job->op;
    return s->job->q_begin[s->b] * op->heads + s->head * op->q_rows->length[s->b] + s->begin;
}

size_t ur_weights_at(const ur_attention_work *s)
{
    const ur_attention_pass *op = s->job->op;
    const size_t queries = op->q_rows->length[s->b], keys = op->k_rows->length[s->b];
    return op->p_offset[s->b] + (s->head * queries + s->begin) * keys + s->key_begin;
}

void ur_strip_weights(ur_attention_work *s)
{
    const ur_attention_pass *op = s->job->op;
    if (!op->k || (s->job->back && op->keeps_p)) {
        kernels_of(s)->put_rows(s->rows, s->keys, 1.0f, op->p + ur_weights_at(s),
                                op->k_rows->length[s->b], s->x, s->row, false);
        return;
    }
    const size_t saved = op->heads * op->q_rows->rows, at = ur_query_at(s);
    const size_t mask = op->mask_heads > 1 ? s->head : 0;
    const ur_weight_rows rows = {
        .rows = s->rows,
        .keys = s->keys,
        .x = s->x,
        .row = s->row,
        .causal = op->sight != UR_SEE_ALL,
        .first = first_seen(s),
        .scale = op->scale,
        .mask = op->mask
                    ? op->mask + (mask * op->mask_queries + s->begin) * op->mask_keys + s->key_begin
                    : NULL,
        .mask_row = op->mask_keys,
        .shift = op->saved ? op->saved + at : s->shift,
        .factor = op->saved ? op->saved + saved + at : s->factor,
    };
    s->job->score->scores(s);
    if (s->job->back)
        kernels_of(s)->weight_rows_again(&rows);
    else
        kernels_of(s)->weight_rows(&rows);
}

void ur_strip_dropout(const ur_attention_work *s, const float *x, float *y)
{
    const ur_attention_pass *op = s->job->op;
    const uint64_t id = op->q_rows->id[s->b];
    for (size_t r = 0; r < s->rows; r++) {
        const uint64_t row = (uint64_t)(s->begin + r) * op->heads + s->head;
        kernels_of(s)->dropout(s->keys, op->dropout, op->key, (row << UNIT_BITS) + s->key_begin / 4,
                               id, x + r * s->row, y + r * s->row);
    }
}

/* ---- forward ------------------------------------------------------------------------------- */

static void give_weights(const ur_attention_work *s)
{
    const ur_attention_pass *op = s->job->op;
    const size_t keys = op->k_rows->length[s->b];
    float *p = op->p + ur_weights_at(s);
    kernels_of(s)->put_rows(s->rows, s->keys, 1.0f, s->x, s->row, p, keys, false);
    for (size_t r = 0; s->keys < keys && r < s->rows; r++)
        memset(p + r * keys + s->keys, 0, (keys - s->keys) * sizeof *p);
}

/* Few contexts, in chains of UR_CHAIN keys, to their rows. */
static void few_contexts(ur_attention_work *s, float *context)
{
    const ur_attention_pass *op = s->job->op;
    const ur_kernels *kernels = kernels_of(s);
    const size_t width = op->value_width, begin = ur_row(op->q_rows, s->b, s->begin);
    const bool together = op->q_rows->order == UR_SEQUENCE_MAJOR && s->keys <= UR_CHAIN;
    for (size_t r = 0, rows = together ? s->rows : 1; r < s->rows; r += rows) {
        const size_t row = together ? begin : ur_row(op->q_rows, s->b, s->begin + r);
        float *y = context + row * op->context_row;
        size_t j = 0;
        do { /* once without keys, too */
            const size_t left = s->keys - j;
            kernels->scattered_contexts(&(ur_scattered){.rows = rows,
                                                        .keys = smaller(left, UR_CHAIN),
                                                        .width = width,
                                                        .a = s->x + r * s->row + j,
                                                        .a_row = s->row,
                                                        .a_k = 1,
                                                        .b = op->v + s->head * width,
                                                        .at = s->v_at + j,
                                                        .y = j ? s->out : y,
                                                        .y_row = op->context_row});
            if (j)
                kernels->add(width, s->out, y);
            j += UR_CHAIN;
        } while (j < s->keys);
    }
}

static void contexts(ur_attention_work *s)
{
    const ur_attention_pass *op = s->job->op;
    const size_t width = op->value_width, whole = ur_whole_vectors(kernels_of(s), width);
    float *context = op->context + s->head * width;
    if (s->few) {
        few_contexts(s, context);
        return;
    }
    const bool direct = op->q_rows->order == UR_SEQUENCE_MAJOR && whole == width;
    const ur_strip_product product = {
        .m = s->rows,
        .k = s->keys,
        .n = width,
        .b_k = s->keys_ready,
        .a = s->x,
        .a_row = s->row,
        .b = s->v_by_cols,
        .c = direct ? context + ur_row(op->q_rows, s->b, s->begin) * op->context_row : s->out,
        .c_row = direct ? op->context_row : whole,
    };
    ur_strip_times(kernels_of(s), &product);
    for (size_t r = 0; r < s->rows && !direct; r++)
        memcpy(context + ur_row(op->q_rows, s->b, s->begin + r) * op->context_row,
               s->out + r * whole, width * sizeof *context);
}

static void forward_block(ur_attention_work *s, size_t b, size_t head, size_t begin, size_t end)
{
    const ur_attention_pass *op = s->job->op;
    if (!s->ready || s->b != b || s->head != head)
        ur_strip_keys(s, b, head, 0, op->k_rows->length[b]);
    ur_strip_queries(s, begin, end);
    ur_strip_weights(s);
    if (op->k && op->p)
        give_weights(s);
    if (!op->v)
        return;
    if (op->dropout > 0.0f)
        ur_strip_dropout(s, s->x, s->x);
    contexts(s);
}

static void forward_member(void *arg, const ur_member *me)
{
    ur_query_blocks(arg, me, forward_block);
}

bool ur_cpu_attention(const ur_executor *e, const ur_attention_pass *op)
{
    ur_attention_job job = {.e = e, .op = op};
    return ur_attention_run(&job, forward_member);
}

/* ---- who does what ------------------------------------------------------------------------- */

/* Items come in the same order to every member, which takes those that begin in its share of the total
 * cost. */
typedef struct share {
    double before, total;
    int index, count;
} share;

static bool is_mine(share *s, double cost)
{
    const bool shared = s->count > 1 && s->before < s->total; /* what costs nothing may come last */
    const int owner = shared ? (int)(s->before * s->count / s->total) : 0;
    s->before += cost;
    return owner == s->index;
}

/* Of one query or key, in units of a query and a key together. */
enum { ROW_COST = 16 };

static double cost_of(size_t shared, size_t others)
{
    return (double)shared * (double)(others + ROW_COST);
}

/* Of blocks of the rows `shared`, each with all rows of the other side. */
static share share_of(const ur_attention_job *job, const ur_member *me, const ur_layout *shared,
                      const ur_layout *others)
{
    share s = {.index = me->index, .count = me->count};
    for (size_t b = 0; b < shared->batch; b++)
        s.total += (double)job->op->heads * cost_of(shared->length[b], others->length[b]);
    return s;
}

void ur_query_blocks(const ur_attention_job *job, const ur_member *me, ur_strip_work *work)
{
    const ur_attention_pass *op = job->op;
    ur_attention_work *s = &job->of[me->index];
    share mine = share_of(job, me, op->q_rows, op->k_rows);
    s->ready = false;
    for (size_t b = 0; b < op->q_rows->batch; b++) {
        const size_t queries = op->q_rows->length[b], keys = op->k_rows->length[b];
        for (size_t head = 0; head < op->heads; head++)
            for (size_t t = 0, end; t < queries; t = end) {
                end = ur_strip_end(t, queries);
                if (is_mine(&mine, cost_of(end - t, keys)))
                    work(s, b, head, t, end);
            }
    }
}

void ur_key_blocks(const ur_attention_job *job, const ur_member *me, bool whole,
                   ur_strip_work *work)
{
    const ur_attention_pass *op = job->op;
    ur_attention_work *s = &job->of[me->index];
    share mine = share_of(job, me, op->k_rows, op->q_rows);
    for (size_t b = 0; b < op->q_rows->batch; b++) {
        const size_t queries = op->q_rows->length[b], keys = op->k_rows->length[b];
        for (size_t head = 0; head < op->heads; head++) {
            size_t k = 0, end;
            do { /* once without keys, too: its queries have gradients */
                end = whole ? keys : smaller(k + UR_STRIP_KEYS, keys);
                if (is_mine(&mine, cost_of(end - k, queries)))
                    work(s, b, head, k, end);
                k = end;
            } while (k < keys);
        }
    }
}

/* ---- scratch memory ------------------------------------------------------------------------ */

typedef struct taking {
    const ur_executor *e;
    bool ok;
} taking;

static float *take(taking *t, bool wanted, size_t rows, size_t width)
{
    if (!wanted || !t->ok)
        return NULL;
    float *x = rows && width > SIZE_MAX / 16 / rows
                   ? NULL
                   : ur_arena_take(t->e->memory, rows * width, sizeof *x);
    t->ok = x != NULL;
    return x;
}

static size_t *take_places(taking *t, size_t count)
{
    size_t *at = t->ok ? ur_arena_take(t->e->memory, count, sizeof *at) : NULL;
    t->ok = at != NULL;
    return at;
}

static void take_work(const ur_attention_job *job, taking *t, ur_attention_work *s)
{
    const ur_attention_pass *op = job->op;
    const ur_attention_back *back = job->back;
    const ur_kernels *kernels = job->e->kernels;
    const size_t keys = op->k_rows->steps, whole_keys = ur_whole_vectors(kernels, keys);
    const size_t queries = smaller(op->q_rows->steps, UR_STRIP_QUERIES);
    const size_t row = (keys + LINE - 1) / LINE * LINE + LINE;
    const size_t width = ur_whole_vectors(kernels, op->width);
    const size_t value_width = ur_whole_vectors(kernels, op->value_width);
    const bool contexts_back = back && back->dcontext, long_sum = op->q_rows->steps > UR_CHAIN;
    *s = (ur_attention_work){.job = job};
    s->x = take(t, true, queries, row);
    s->dx = take(t, back, queries, row);
    s->spare = take(t, back && op->dropout > 0.0f, queries, row);
    s->q_rows = take(t, op->k, queries, width);
    s->d_rows = take(t, contexts_back, queries, value_width);
    s->k_at = take_places(t, keys + LINE);
    s->v_at = take_places(t, keys + LINE);
    s->k_rows = take(t, op->k, keys, width);
    s->v_rows = take(t, op->v, keys, value_width);
    s->k_by_rows = take(t, op->k && job->score == &cpu_dot, whole_keys, op->width);
    s->k_by_cols = take(t, back && back->dq && job->score == &cpu_dot, keys, width);
    s->v_by_rows = take(t, contexts_back, whole_keys, op->value_width);
    s->v_by_cols = take(t, op->v && !back, keys, value_width);
    s->block_by_cols = take(t, back, queries, larger(width, value_width));
    s->out = take(t, true, queries, larger(width, value_width));
    s->shift = take(t, true, queries, 1);
    s->factor = take(t, true, queries, 1);
    s->dw = take(t, job->dw_rows, queries, width);
    s->dk.chain = take(t, back && back->dk, keys, s->dk.row = width);
    s->dk.sum = take(t, back && back->dk && long_sum, keys, width);
    s->dv.chain = take(t, back && back->dv, keys, s->dv.row = value_width);
    s->dv.sum = take(t, back && back->dv && long_sum, keys, value_width);
}

static size_t *take_begins(const ur_executor *e, const ur_layout *layout)
{
    size_t *begin = ur_arena_take(e->memory, layout->batch, sizeof *begin), rows = 0;
    for (size_t b = 0; begin && b < layout->batch; rows += layout->length[b++])
        begin[b] = rows;
    return begin;
}

bool ur_attention_run(ur_attention_job *job, void (*work)(void *job, const ur_member *me))
{
    const ur_executor *e = job->e;
    const ur_attention_pass *op = job->op;
    const size_t members = ur_team_size(e->team);
    const ur_mark mark = ur_arena_mark(e->memory);
    taking t = {e, true};
    job->score = op->score ? ur_cpu_score_of(op->score) : NULL;
    job->q_begin = take_begins(e, op->q_rows);
    if (job->back && job->back->dw) {
        job->dw_rows = take(&t, true, op->q_rows->rows, op->heads * op->width);
        job->dw_sums = take(&t, true, op->heads, op->width);
    }
    job->mean = take(&t, job->back && op->k, op->heads, op->q_rows->rows);
    job->of = t.ok ? ur_arena_take(e->memory, members, sizeof *job->of) : NULL;
    t.ok = job->of && job->q_begin;
    for (size_t i = 0; t.ok && i < members; i++)
        take_work(job, &t, &job->of[i]);
    if (t.ok)
        ur_team_run(e->team, work, job);
    ur_arena_rewind(e->memory, mark);
    return t.ok;
}
