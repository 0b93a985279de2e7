/* test_attention_bytes.c - attention's bytes: on every instruction set with 1, 2 and 3 threads; a ragged
 * batch and its sequences one by one; all queries at once and the last ones alone; either order of rows;
 * a cache whose rows lie anywhere; keys that are hidden and keys that are not there; each allocation
 * failing. */
#include "nn/nn.h"
#include "support/contexts.h"
#include "support/failing_alloc.h"
#include "support/slow.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MOST_OUTPUTS = 12 };

/* Floats that are to be compared. */
typedef struct outcome {
    size_t count, n[MOST_OUTPUTS];
    float *x[MOST_OUTPUTS];
} outcome;

static void keep(outcome *o, const float *x, size_t n)
{
    float *copy = malloc((n + 1) * sizeof *copy);
    assert_non_null(copy);
    assert_non_null(x);
    memcpy(copy, x, n * sizeof *x);
    o->x[o->count] = copy;
    o->n[o->count++] = n;
}

static void outcome_free(outcome *o)
{
    while (o->count)
        free(o->x[--o->count]);
}

static void same_outcomes(const char *what, const char *who, const outcome *want,
                          const outcome *got)
{
    assert_int_equal(want->count, got->count);
    for (size_t i = 0; i < want->count; i++) {
        char part[96];
        snprintf(part, sizeof part, "%s, output %zu", what, i);
        assert_int_equal(want->n[i], got->n[i]);
        same_floats(part, who, want->x[i], got->x[i], want->n[i]);
    }
}

/* Rows in the layout's order, sequence by sequence. */
static void keep_rows(outcome *o, const ur_layout *l, size_t width, const float *x)
{
    float *rows = malloc((l->rows * width + 1) * sizeof *rows);
    assert_non_null(rows);
    for (size_t b = 0, at = 0; b < l->batch; b++)
        for (size_t t = 0; t < l->length[b]; t++, at++)
            memcpy(rows + at * width, x + ur_row(l, b, t) * width, width * sizeof *x);
    keep(o, rows, l->rows * width);
    free(rows);
}

/* ---- the operation ------------------------------------------------------------------------- */

enum { MASK = 650 };

typedef struct task {
    const char *name;
    size_t batch, queries[4], keys[4], width, value_width;
    ur_attention_options o;
    bool masked;
    size_t first_id; /* sequence b is called first_id + b */
} task;

static const task tasks[] = {
    {"ragged", 4, {3, 0, 17, 1}, {5, 4, 0, 23}, 12, 18, {.heads = 3}, false, 0},
    {"no keys last", 4, {3, 1, 2, 17}, {5, 4, 23, 0}, 12, 18, {.heads = 3}, false, 0},
    {"masked", 3, {9, 50, 3}, {9, 50, 70}, 14, 6, {.heads = 2, .dropout = 0.2f}, true, 0},
    {"causal", 2, {130, 7}, {130, 7}, 10, 34, {.heads = 2, .causal = UR_CAUSAL}, false, 0},
    {"last", 3, {4, 40, 9}, {70, 41, 3}, 8, 8, {.heads = 1, .causal = UR_CAUSAL_LAST}, true, 0},
    {"one long", 1, {600}, {610}, 3, 5, {.dropout = 0.1f, .causal = UR_CAUSAL}, false, 0},
    {"wide", 1, {5}, {6}, 530, 37, {.heads = 1}, false, 0},
    {"additive", 4, {3, 0, 17, 1}, {5, 4, 0, 23}, 21, 18, {.score = "additive"}, true, 0},
    {"additive, long", 1, {530}, {66}, 3, 2, {.score = "additive", .dropout = 0.5f}, false, 0},
    {"additive, heads",
     2,
     {60, 9},
     {70, 9},
     8,
     4,
     {.score = "additive", .heads = 2, .causal = UR_CAUSAL},
     false,
     0},
};

enum { TASKS = sizeof tasks / sizeof *tasks };

static size_t sum_of(const size_t *x, size_t n)
{
    size_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum;
}

static ur_seq *made_rows(ur_tape *t, const ur_layout *l, size_t width, const float *x)
{
    return ur_seq_floats(t, l, width, x, true);
}

/* Context, weights and gradients, rows sequence by sequence, from rows that lie so. */
static outcome compute(ur_context *context, const task *k, ur_order order, const float *q_rows,
                       const float *k_rows, const float *v_rows, const float *wy_rows)
{
    outcome o = {0};
    ur_tape *t = tape_of(context);
    ur_tape_start(t, UR_TRAIN, NULL, NULL, 3, 5);
    uint64_t id[4];
    for (size_t b = 0; b < 4; b++)
        id[b] = k->first_id + b;
    const ur_layout *lq = ur_new_layout(t, order, k->batch, k->queries, id);
    const ur_layout *lk = ur_new_layout(t, order, k->batch, k->keys, id);
    ur_seq *q = made_rows(t, lq, k->width, q_rows), *key = made_rows(t, lk, k->width, k_rows);
    ur_seq *v = made_rows(t, lk, k->value_width, v_rows);
    const size_t mask_floats = (size_t)MASK * MASK;
    float *added = k->masked ? made_up_floats(9, mask_floats, 2.0f) : NULL;
    for (size_t i = 0; added && i < mask_floats; i++)
        if (added[i] > 1.0f || i / MASK == 2)
            added[i] = -INFINITY;
    const ur_attention_mask mask = {1, MASK, MASK, NULL, added};
    ur_weights *weights;
    ur_attention_options options = k->o;
    float *made = made_up_floats(8, k->width, 1.0f);
    options.w = options.score ? ur_copy_floats(t, 1, &k->width, made, true) : NULL;
    options.mask = k->masked ? &mask : NULL;
    options.weights = &weights;
    ur_seq *y = ur_attention(t, q, key, v, &options);
    tape_fine(t);
    const ur_seq *wy = ur_seq_floats(t, lq, k->value_width, wy_rows, false);
    ur_backward(t, ur_sum(t, ur_mul(t, y->values, wy->values)));
    tape_fine(t);
    keep_rows(&o, lq, k->value_width, ur_floats(y->values));
    keep(&o, weights->p, weights->offset[k->batch]);
    keep_rows(&o, lq, k->width, q->values->grad);
    keep_rows(&o, lk, k->width, key->values->grad);
    keep_rows(&o, lk, k->value_width, v->values->grad);
    if (options.w)
        keep(&o, options.w->grad, k->width);
    free(made);
    free(added);
    ur_tape_free(t);
    return o;
}

typedef struct rows {
    float *q, *k, *v, *wy;
} rows;

static rows rows_new(const task *k)
{
    const size_t queries = sum_of(k->queries, k->batch), keys = sum_of(k->keys, k->batch);
    return (rows){made_up_floats(1, queries * k->width, 1.5f),
                  made_up_floats(2, keys * k->width, 1.0f),
                  made_up_floats(3, keys * k->value_width, 1.0f),
                  made_up_floats(4, queries * k->value_width, 1.0f)};
}

static void rows_free(rows *r)
{
    free(r->q);
    free(r->k);
    free(r->v);
    free(r->wy);
}

static void every_instruction_set(void **state)
{
    (void)state;
    contexts all = contexts_new();
    for (size_t i = 0; i < TASKS; i += hurry() ? 3 : 1) {
        rows r = rows_new(&tasks[i]);
        outcome want = compute(all.at[0], &tasks[i], UR_STEP_MAJOR, r.q, r.k, r.v, r.wy);
        for (int c = 0; c < all.count; c++)
            for (int order = c == 0; order < 2; order++) {
                outcome got = compute(all.at[c], &tasks[i], (ur_order)order, r.q, r.k, r.v, r.wy);
                same_outcomes(tasks[i].name, all.name[c], &want, &got);
                outcome_free(&got);
            }
        outcome_free(&want);
        rows_free(&r);
    }
    contexts_free(&all);
}

/* All but the weights of a score, which are sums over the batch. */
static void one_by_one(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    for (size_t i = 0; i < TASKS; i += hurry() ? 3 : 1) {
        const task *k = &tasks[i];
        rows r = rows_new(k);
        outcome all = compute(context, k, UR_STEP_MAJOR, r.q, r.k, r.v, r.wy);
        size_t at[5] = {0};
        const size_t heads = k->o.heads ? k->o.heads : 1;
        for (size_t b = 0, tq = 0, tk = 0; b < k->batch; tq += k->queries[b], tk += k->keys[b++]) {
            task alone = *k;
            alone.batch = 1;
            alone.queries[0] = k->queries[b];
            alone.keys[0] = k->keys[b];
            alone.first_id = b;
            outcome one =
                compute(context, &alone, UR_SEQUENCE_MAJOR, r.q + tq * k->width,
                        r.k + tk * k->width, r.v + tk * k->value_width, r.wy + tq * k->value_width);
            const size_t n[5] = {k->queries[b] * k->value_width, heads * k->queries[b] * k->keys[b],
                                 k->queries[b] * k->width, k->keys[b] * k->width,
                                 k->keys[b] * k->value_width};
            for (int j = 0; j < 5; j++) {
                assert_int_equal(one.n[j], n[j]);
                same_floats(k->name, "alone", all.x[j] + at[j], one.x[j], n[j]);
                at[j] += n[j];
            }
            outcome_free(&one);
        }
        outcome_free(&all);
        rows_free(&r);
    }
    ur_context_free(context);
}

/* ---- masks that say the same ----------------------------------------------------------------- */

enum { STEPS = 61, WIDTH = 12, HEADS = 3 };

static outcome masked(ur_context *context, ur_causal causal, bool hide, size_t keys, float beyond)
{
    outcome o = {0};
    ur_tape *t = tape_of(context);
    ur_tape_start(t, UR_TRAIN, NULL, NULL, 0, 0);
    const size_t queries = STEPS;
    const ur_layout *lq = ur_new_layout(t, UR_SEQUENCE_MAJOR, 1, &queries, NULL);
    const ur_layout *lk = ur_new_layout(t, UR_SEQUENCE_MAJOR, 1, &keys, NULL);
    float *x = made_up_floats(1, 2 * STEPS * WIDTH, 1.0f);
    for (size_t i = STEPS * WIDTH; i < 2 * STEPS * WIDTH; i++)
        x[i] = beyond; /* keys that nobody sees */
    bool hidden[STEPS * 2 * STEPS];
    for (size_t i = 0; i < STEPS; i++)
        for (size_t j = 0; j < 2 * STEPS; j++)
            hidden[i * 2 * STEPS + j] = j > i;
    const ur_attention_mask mask = {1, STEPS, 2 * STEPS, hidden, NULL};
    ur_seq *q = ur_seq_floats(t, lq, WIDTH, x, true), *k = ur_seq_floats(t, lk, WIDTH, x, true);
    ur_weights *w;
    ur_seq *y = ur_attention(
        t, q, k, k,
        &(ur_attention_options){
            .heads = HEADS, .causal = causal, .mask = hide ? &mask : NULL, .weights = &w});
    ur_backward(t, ur_sum(t, ur_mul(t, y->values, y->values)));
    tape_fine(t);
    keep(&o, ur_floats(y->values), STEPS * WIDTH);
    keep(&o, q->values->grad, STEPS * WIDTH);
    keep(&o, k->values->grad, STEPS * WIDTH);
    free(x);
    ur_tape_free(t);
    return o;
}

static void what_hides_a_key_does_not_matter(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    outcome want = masked(context, UR_CAUSAL, false, STEPS, 0.0f);
    outcome by_mask = masked(context, UR_NOT_CAUSAL, true, STEPS, 0.0f);
    outcome longer = masked(context, UR_NOT_CAUSAL, true, 2 * STEPS, 3.0f);
    outcome longer_causal = masked(context, UR_CAUSAL, false, 2 * STEPS, 3.0f);
    same_outcomes("causal", "by a mask", &want, &by_mask);
    same_outcomes("causal", "by a mask, with more keys", &want, &longer);
    same_outcomes("causal", "with more keys", &want, &longer_causal);
    outcome_free(&want);
    outcome_free(&by_mask);
    outcome_free(&longer);
    outcome_free(&longer_causal);
    ur_context_free(context);
}

/* ---- multi-head attention ------------------------------------------------------------------- */

enum { EMBED = 24, LONGEST = 53 };

typedef struct net {
    ur_params *params;
    ur_multi_head_layer layer;
} net;

static net net_of(ur_context *context, const ur_multi_head_config *config)
{
    net n;
    assert_int_equal(ur_params_new(context, &n.params, NULL), UR_OK);
    assert_int_equal(ur_multi_head_attention_add(n.params, "a", config, &n.layer, NULL), UR_OK);
    assert_int_equal(ur_params_seal(n.params, NULL), UR_OK);
    ur_multi_head_attention_init(&n.layer, n.params, 7);
    float *bias = n.layer.bias[0] < 0 ? NULL : ur_param_values(n.params, n.layer.bias[0]);
    for (size_t i = 0; bias && i < 3 * config->embed_dim; i++)
        bias[i] = made_up(3, i);
    ur_params_changed(n.params);
    return n;
}

static const ur_multi_head_config configs[] = {
    {.embed_dim = EMBED, .num_heads = 4},
    {.embed_dim = EMBED, .num_heads = 2, .no_bias = true, .dropout = 0.2f},
    {.embed_dim = EMBED, .num_heads = 3, .kdim = EMBED, .vdim = 7},
};

/* A batch attends to itself, and to another (whose values are its own in the third configuration). */
static outcome train(ur_context *context, const ur_multi_head_config *config, ur_order order)
{
    static const size_t q_length[] = {7, 0, 50, 1}, k_length[] = {9, 3, 20, 0};
    outcome o = {0};
    net n = net_of(context, config);
    const size_t size = ur_params_size(n.params), other = config->vdim ? config->vdim : EMBED;
    float *gradient = calloc(size, sizeof *gradient);
    float *x = made_up_floats(1, LONGEST * 2 * EMBED, 1.0f);
    assert_non_null(gradient);
    ur_tape *t = tape_of(context);
    ur_tape_start(t, UR_TRAIN, n.params, gradient, 3, 5);
    const ur_layout *lq = ur_new_layout(t, order, 4, q_length, NULL);
    const ur_layout *lk = ur_new_layout(t, order, 4, k_length, NULL);
    ur_seq *q = ur_seq_floats(t, lq, EMBED, x, true), *k = ur_seq_floats(t, lk, EMBED, x + 9, true);
    ur_seq *v = config->vdim ? ur_seq_floats(t, lk, other, x + 5, true) : k;
    if (!config->vdim) {
        const ur_attention_call call = {.causal = UR_CAUSAL};
        q = ur_multi_head_attention(t, &n.layer, q, q, q, &call);
    }
    ur_seq *y = ur_multi_head_attention(t, &n.layer, q, k, v, NULL);
    tape_fine(t);
    ur_backward(t, ur_sum(t, ur_mul(t, y->values, y->values)));
    tape_fine(t);
    keep_rows(&o, lq, EMBED, ur_floats(y->values));
    keep_rows(&o, lk, EMBED, k->values->grad);
    if (v != k)
        keep_rows(&o, lk, other, v->values->grad);
    if (order == UR_STEP_MAJOR)
        keep(&o, gradient, size);
    ur_tape_free(t);
    ur_params_free(n.params);
    free(gradient);
    free(x);
    return o;
}

static void layers_on_every_instruction_set(void **state)
{
    (void)state;
    contexts all = contexts_new();
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++)
        for (int order = 0; order < 2; order++) {
            outcome want = train(all.at[0], &configs[i], (ur_order)order);
            for (int c = 1; c < all.count; c++) {
                outcome got = train(all.at[c], &configs[i], (ur_order)order);
                same_outcomes("multi_head_attention", all.name[c], &want, &got);
                outcome_free(&got);
            }
            outcome_free(&want);
        }
    contexts_free(&all);
}

/* Steps one after the other against a cache whose rows lie in any order, and the whole at once. */
static void step_by_step(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    net n = net_of(context, &configs[0]);
    const size_t length[] = {LONGEST, 20}, batch = 2;
    float *x = made_up_floats(1, (LONGEST + 20) * EMBED, 1.0f), *cache[2];
    for (int i = 0; i < 2; i++)
        cache[i] = calloc(2 * LONGEST * EMBED, sizeof *cache[i]);
    ur_tape *t = tape_of(context);
    ur_tape_start(t, UR_INFER, n.params, NULL, 0, 0);
    const ur_layout *l = ur_new_layout(t, UR_SEQUENCE_MAJOR, batch, length, NULL);
    const ur_seq *in = ur_seq_floats(t, l, EMBED, x, false);
    const ur_attention_call causal = {.causal = UR_CAUSAL}, last = {.causal = UR_CAUSAL_LAST};
    const ur_seq *whole = ur_multi_head_attention(t, &n.layer, in, in, in, &causal);
    tape_fine(t);
    const size_t places = 2 * LONGEST, dim[] = {places, EMBED};
    for (size_t s = 0; s < 20; s++) {
        const ur_place place = ur_tape_place(t);
        const size_t one[] = {1, 1}, so_far[] = {s + 1, s + 1};
        const ur_layout *lq = ur_new_layout(t, UR_SEQUENCE_MAJOR, batch, one, NULL);
        const ur_layout *lk = ur_new_layout(t, UR_SEQUENCE_MAJOR, batch, so_far, NULL);
        float *now = ur_floats(ur_new_floats(t, 2, (size_t[]){batch, EMBED}, false));
        for (size_t b = 0; b < batch; b++)
            memcpy(now + b * EMBED, x + (b * LONGEST + s) * EMBED, EMBED * sizeof *x);
        ur_tensor *step = ur_copy_floats(t, 2, (size_t[]){batch, EMBED}, now, false);
        ur_heads p[3], old[3];
        assert_true(ur_multi_head_project(t, &n.layer, (ur_tensor *[]){step, step, step}, p));
        for (size_t b = 0; b < batch; b++)
            for (int i = 0; i < 2; i++) /* the cache is filled from its end */
                memcpy(cache[i] + (places - 1 - (2 * s + b)) * EMBED,
                       (float *)p[1 + i].x->data + b * p[1 + i].x->dim[1] + p[1 + i].begin,
                       EMBED * sizeof *x);
        size_t from[2 * LONGEST];
        for (size_t b = 0; b < batch; b++)
            for (size_t j = 0; j <= s; j++)
                from[b * (s + 1) + j] = places - 1 - (2 * j + b);
        old[0] = p[0];
        for (int i = 0; i < 2; i++)
            old[1 + i] = (ur_heads){ur_copy_floats(t, 2, dim, cache[i], false), 0};
        const ur_tensor *y = ur_multi_head_attend(t, &n.layer, lq, lk, from, old, &last);
        tape_fine(t);
        for (size_t b = 0; b < batch; b++)
            same_floats("step", "of the whole",
                        ur_floats(whole->values) + (b * LONGEST + s) * EMBED,
                        (const float *)y->data + b * EMBED, EMBED);
        ur_tape_rewind(t, place);
    }
    ur_tape_free(t);
    ur_params_free(n.params);
    ur_context_free(context);
    free(x);
    free(cache[0]);
    free(cache[1]);
}

/* ---- memory --------------------------------------------------------------------------------- */

static ur_status train_once(const ur_allocator *a, ur_err *err, void *arg)
{
    const ur_options options = {.allocator = a, .threads = *(const int *)arg};
    ur_context *context = NULL;
    ur_params *params = NULL;
    ur_tape *t = NULL;
    ur_multi_head_layer layer;
    float *gradient = NULL;
    ur_status status = ur_context_new(&options, &context, err);
    if (status == UR_OK)
        status = ur_params_new(context, &params, err);
    if (status == UR_OK)
        status = ur_multi_head_attention_add(params, "a", &configs[1], &layer, err);
    ur_additive_attention_layer additive;
    if (status == UR_OK) {
        additive = ur_additive_attention_add(params, "b", EMBED, EMBED, 8, 0.1f);
        status = ur_params_seal(params, err);
    }
    if (status == UR_OK)
        status = ur_tape_new(context, &t, err);
    if (status == UR_OK) {
        static const size_t length[] = {40, 3, 90};
        static const bool hidden[90 * 90];
        const ur_attention_mask mask = {1, 90, 90, hidden, NULL};
        ur_weights *w;
        const ur_attention_call call = {UR_CAUSAL, &mask, &w, true};
        gradient = calloc(ur_params_size(params), sizeof *gradient);
        ur_tape_start(t, UR_TRAIN, params, gradient, 0, 0);
        const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, 3, length, NULL);
        float *made = made_up_floats(1, 133 * EMBED, 1.0f);
        const ur_seq *x = ur_seq_floats(t, l, EMBED, made, true);
        free(made);
        x = ur_multi_head_attention(t, &layer, x, x, x, &call);
        x = ur_additive_attention(t, &additive, x, x, x, &call);
        ur_backward(t, ur_sum(t, ur_values(x)));
        status = ur_tape_status(t);
        if (status != UR_OK) {
            err->status = status;
            snprintf(err->text, sizeof err->text, "%s", ur_error(t));
        }
    }
    ur_tape_free(t);
    ur_params_free(params);
    ur_context_free(context);
    free(gradient);
    return status;
}

/* Weights of which the loss asks something: their gradients reach the keys whoever computes what. */
static outcome weights_used(ur_context *context, size_t batch, const size_t *length)
{
    enum { W = 20 };
    outcome o = {0};
    ur_tape *t = tape_of(context);
    const size_t total = sum_of(length, batch);
    float *keys = made_up_floats(21, total * W, 1.0f),
          *values = made_up_floats(22, total * W, 1.0f);
    float *queries = made_up_floats(23, batch * W, 1.0f);
    ur_tape_start(t, UR_TRAIN, NULL, NULL, 0, 0);
    const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, batch, length, NULL);
    ur_seq *k = ur_seq_floats(t, l, W, keys, true), *v = ur_seq_floats(t, l, W, values, true);
    ur_tensor *q = ur_copy_floats(t, 2, (size_t[]){batch, W}, queries, true);
    ur_tensor *sum = ur_weighted_sum(t, v, ur_attention_weights(t, q, k));
    ur_backward(t, ur_sum(t, ur_mul(t, sum, sum)));
    tape_fine(t);
    keep(&o, ur_floats(sum), batch * W);
    keep(&o, q->grad, batch * W);
    keep_rows(&o, l, W, k->values->grad);
    keep_rows(&o, l, W, v->values->grad);
    free(keys);
    free(values);
    free(queries);
    ur_tape_free(t);
    return o;
}

static void weights_that_are_used(void **state)
{
    (void)state;
    contexts all = contexts_new();
    const size_t length[] = {150, 3, 70};
    for (size_t batch = 1; batch <= 3; batch++) {
        outcome want = weights_used(all.at[0], batch, length);
        for (int c = 1; c < all.count; c++) {
            outcome got = weights_used(all.at[c], batch, length);
            same_outcomes("weights that are used", all.name[c], &want, &got);
            outcome_free(&got);
        }
        outcome_free(&want);
    }
    contexts_free(&all);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (int threads = 1; threads < 4; threads += 2)
        assert_true(failing_alloc_sweep(train_once, &threads) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_instruction_set),
        cmocka_unit_test(one_by_one),
        cmocka_unit_test(what_hides_a_key_does_not_matter),
        cmocka_unit_test(layers_on_every_instruction_set),
        cmocka_unit_test(step_by_step),
        cmocka_unit_test(weights_that_are_used),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
