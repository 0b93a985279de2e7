/* test_runner.c - the runner of shards: each shard once, results in the shards' order, items cut by
 * number and steps, and the first error by its number, whatever the threads. */
#include "tape/runner.h"

#include "support/contexts.h"
#include "support/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { SHARDS = 40, ITEMS = 100 };

static ur_params *some_params(ur_context *context)
{
    ur_params *p;
    assert_int_equal(ur_params_new(context, &p, NULL), UR_OK);
    ur_params_add(p, "w", 1, (size_t[]){3}, UR_TRAINABLE);
    assert_int_equal(ur_params_seal(p, NULL), UR_OK);
    return p;
}

typedef struct counting {
    const ur_params *params;
    int runs[SHARDS];
    size_t bad; /* this shard and every third after it fail; SHARDS: none */
} counting;

static void count_shard(void *arg, ur_tape *tape, size_t s)
{
    counting *c = arg;
    ur_tape_start(tape, UR_INFER, c->params, NULL, 0, 0);
    c->runs[s]++;
    if (s >= c->bad && (s - c->bad) % 3 == 0)
        ur_tape_fail(tape, UR_INVALID, "shard %zu", s);
}

static void every_shard_once(void **state)
{
    contexts all = contexts_new();
    (void)state;
    for (int i = 0; i < all.count; i++) {
        ur_runner *runner;
        ur_params *params = some_params(all.at[i]);
        assert_int_equal(ur_runner_new(all.at[i], &runner, NULL), UR_OK);
        for (size_t shards = 0; shards <= SHARDS; shards += shards < 4 ? 1 : 9)
            for (size_t bad = 0; bad <= shards; bad++) {
                counting c = {.params = params, .bad = bad < shards ? bad : SHARDS};
                ur_err err;
                char want[32];
                const ur_status status =
                    ur_runner_run(runner, params, UR_INFER, shards, count_shard, &c, &err);
                assert_int_equal(status, bad < shards ? UR_INVALID : UR_OK);
                snprintf(want, sizeof want, "shard %zu", bad);
                if (bad < shards)
                    assert_string_equal(err.text, want);
                for (size_t s = 0; s < shards; s++)
                    assert_true(c.runs[s] == 1 || (s > bad && c.runs[s] == 0));
            }
        ur_runner_free(runner);
        ur_params_free(params);
    }
    contexts_free(&all);
    ur_runner_free(NULL);
}

/* ---- items -------------------------------------------------------------------------------- */

typedef struct listing {
    size_t length[ITEMS];
    size_t seen[ITEMS], n;      /* in the order of `add` */
    size_t rows[ITEMS], shards; /* of each shard */
    size_t bad;
} listing;

typedef struct part {
    size_t count, items[UR_SHARD_ROWS];
} part;

static size_t length_of(const void *arg, size_t item)
{
    return ((const listing *)arg)->length[item];
}

static void list(void *arg, ur_tape *tape, size_t count, const size_t *items, void *result)
{
    const listing *l = arg;
    part *p = result;
    assert_true(count >= 1 && count <= UR_SHARD_ROWS && p->count == 0);
    assert_int_equal(ur_tape_mode(tape), UR_INFER);
    p->count = count;
    memcpy(p->items, items, count * sizeof *items);
    for (size_t i = 0; i < count; i++)
        if (items[i] == l->bad)
            ur_tape_fail(tape, UR_INVALID, "item %zu", items[i]);
}

static void take(void *arg, const void *result)
{
    listing *l = arg;
    const part *p = result;
    l->rows[l->shards++] = p->count;
    for (size_t i = 0; i < p->count; i++)
        l->seen[l->n++] = p->items[i];
}

static void items_longest_first(void **state)
{
    contexts all = contexts_new();
    (void)state;
    for (int i = 0; i < all.count; i++) {
        ur_params *params = some_params(all.at[i]);
        listing l = {.bad = ITEMS};
        ur_items_job job = {.count = ITEMS,
                            .length = length_of,
                            .run = list,
                            .result_size = sizeof(part),
                            .add = take};
        for (size_t k = 0; k < ITEMS; k++) /* two of 5,000, four of 1,500, the rest short */
            l.length[k] = k % 50 == 7 ? 5000 : k % 25 == 3 ? 1500 : k % 3;
        assert_int_equal(ur_run_items(all.at[i], params, &job, &l, NULL), UR_OK);
        assert_int_equal(l.n, ITEMS);
        for (size_t k = 1; k < ITEMS; k++) {
            const size_t a = l.seen[k - 1], b = l.seen[k];
            assert_true(l.length[a] > l.length[b] || (l.length[a] == l.length[b] && a < b));
        }
        for (size_t s = 0, at = 0; s < l.shards; at += l.rows[s++]) {
            size_t steps = 0;
            for (size_t k = 0; k < l.rows[s]; k++)
                steps += l.length[l.seen[at + k]];
            assert_true(l.rows[s] == 1 || steps <= UR_SHARD_STEPS);
            if (at + l.rows[s] < ITEMS) /* none stops early */
                assert_true(l.rows[s] == UR_SHARD_ROWS ||
                            steps + l.length[l.seen[at + l.rows[s]]] > UR_SHARD_STEPS);
        }
        job.products = true; /* the team's, on tapes that are kept: the same */
        assert_int_equal(ur_runner_new(all.at[i], &job.runner, NULL), UR_OK);
        for (int again = 0; again < 2; again++) {
            listing m = l;
            m.n = m.shards = 0;
            assert_int_equal(ur_run_items(all.at[i], params, &job, &m, NULL), UR_OK);
            assert_memory_equal(m.seen, l.seen, sizeof m.seen);
        }
        ur_runner_free(job.runner);
        job.runner = NULL;
        job.length = NULL; /* in their own order */
        l.n = l.shards = 0;
        assert_int_equal(ur_run_items(all.at[i], params, &job, &l, NULL), UR_OK);
        for (size_t k = 0; k < ITEMS; k++)
            assert_int_equal(l.seen[k], k);
        assert_int_equal(l.shards, (ITEMS + UR_SHARD_ROWS - 1) / UR_SHARD_ROWS);
        l.bad = 70;
        l.n = l.shards = 0;
        ur_err err;
        assert_int_equal(ur_run_items(all.at[i], params, &job, &l, &err), UR_INVALID);
        assert_string_equal(err.text, "item 70");
        assert_int_equal(l.n, 0); /* nothing is added of what failed */
        job.count = 0;
        assert_int_equal(ur_run_items(all.at[i], params, &job, &l, NULL), UR_OK);
        ur_params_free(params);
    }
    contexts_free(&all);
}

static ur_status sweep(const ur_allocator *a, ur_err *err, void *arg)
{
    ur_context *context;
    ur_params *params = NULL;
    listing l = {.bad = ITEMS};
    const ur_items_job job = {
        .count = ITEMS, .length = length_of, .run = list, .result_size = sizeof(part), .add = take};
    (void)arg;
    ur_status status = ur_context_new(&(ur_options){a, 2, NULL}, &context, err);
    if (status != UR_OK)
        return status;
    status = ur_params_new(context, &params, err);
    if (status == UR_OK) {
        ur_params_add(params, "w", 1, (size_t[]){3}, UR_TRAINABLE);
        status = ur_params_seal(params, err);
    }
    if (status == UR_OK)
        status = ur_run_items(context, params, &job, &l, err);
    ur_params_free(params);
    ur_context_free(context);
    return status;
}

static void memory(void **state)
{
    (void)state;
    assert_true(failing_alloc_sweep(sweep, NULL) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shard_once),
        cmocka_unit_test(items_longest_first),
        cmocka_unit_test(memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
