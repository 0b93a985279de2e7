/* test_shards.c - the cut of a batch and the tree that adds gradients up. */
#include "support/contexts.h"
#include "support/failing_alloc.h"
#include "backend/context.h"
#include "train/shards.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/threads.h"

static void the_cut(void **state)
{
    (void)state;
    for (size_t i = 2; i <= 4000; i++) {
        const size_t batch = i / 2;
        const bool small = i % 2 == 0;
        const size_t shards = ur_shard_count(batch, batch, UR_SMALL_PARAMETERS + i % 2);
        assert_int_equal(shards & (shards - 1), 0);
        assert_true(shards * UR_SHARD_ROWS >= batch);
        assert_true(!small || shards * UR_SMALL_SHARD_ROWS >= batch || shards >= UR_FEW_SHARDS);
        const size_t half = shards / 2; /* the smallest */
        assert_true(shards == 1 || half * UR_SHARD_ROWS < batch ||
                    (small && half < UR_FEW_SHARDS && half * UR_SMALL_SHARD_ROWS < batch));
        assert_int_equal(ur_shard_begin(batch, shards, 0), 0);
        assert_int_equal(ur_shard_begin(batch, shards, shards), batch);
        for (size_t s = 0; s < shards; s++) {
            const size_t n =
                ur_shard_begin(batch, shards, s + 1) - ur_shard_begin(batch, shards, s);
            assert_true(n == batch / shards || n == batch / shards + 1);
        }
    }
#ifndef UR_TINY
    assert_int_equal(ur_shard_count(16, 4096, 1), 1);
    assert_int_equal(ur_shard_count(32, 4096, 1), 2);
    assert_int_equal(ur_shard_count(33, 4096, 1), 4);
    assert_int_equal(ur_shard_count(100, 4096, 1), 8);
    assert_int_equal(ur_shard_count(256, 4096, 1 << 20), 8);
    assert_int_equal(ur_shard_count(257, 4096, 1 << 20), 16);
    assert_int_equal(ur_shard_count(32, 4096, (1 << 20) + 1), 1);
    assert_int_equal(ur_shard_count(256, 4096, (1 << 20) + 1), 8);
#endif
    assert_int_equal(ur_shard_begin((size_t)1 << 20, 1 << 15, 1 << 15), (size_t)1 << 20);
}

static void deal(size_t batch, size_t shards, size_t *items)
{
    size_t spare[256];
    for (size_t i = 0; i < batch; i++)
        items[i] = batch - i; /* as if each were its length */
    ur_shard_deal(batch, shards, items, spare);
}

/* Long sequences: at most 4,096 steps in a shard on the average, but never less than a sequence. */
static void long_batches_have_more_shards(void **state)
{
    (void)state;
    enum { LARGE = UR_SMALL_PARAMETERS + 1 };
#ifndef UR_TINY
    assert_int_equal(ur_shard_count(32, 4096, LARGE), 1);
    assert_int_equal(ur_shard_count(32, 4097, LARGE), 2);
    assert_int_equal(ur_shard_count(32, 8192, LARGE), 2);
    assert_int_equal(ur_shard_count(32, 8193, LARGE), 4);
    assert_int_equal(ur_shard_count(32, 32 * 1000, LARGE), 8);
    assert_int_equal(ur_shard_count(33, 33 * 100, LARGE), 2);
    assert_int_equal(ur_shard_count(64, 64 * 1024, LARGE), 16);
    assert_int_equal(ur_shard_count(31, 31 * 100000, LARGE), 16);
    assert_int_equal(ur_shard_count(4, SIZE_MAX, LARGE), 4);
    assert_int_equal(ur_shard_count(1, SIZE_MAX, 1), 1);
    assert_int_equal(ur_shard_count(16, 4097, 1), 2);
#endif
    for (size_t batch = 1; batch < 300; batch++) {
        assert_true(ur_most_shards(batch) <= batch && 2 * ur_most_shards(batch) > batch);
        assert_int_equal(ur_shard_count(batch, SIZE_MAX, LARGE), ur_most_shards(batch));
    }
}

/* Everybody is dealt once, a shard's longest first; few shards have equal work, many are cut. */
static void long_and_short_together(void **state)
{
    (void)state;
    static const size_t known[] = {8, 7, 2, 1, 6, 5, 4, 3};
    size_t items[256];
    deal(8, 2, items);
    assert_memory_equal(items, known, sizeof known);
    for (size_t batch = 1; batch <= 256; batch++)
        for (size_t shards = 1; shards <= 2 * UR_FEW_SHARDS && shards <= batch; shards *= 2) {
            bool seen[257] = {false};
            size_t least = SIZE_MAX, most = 0;
            deal(batch, shards, items);
            for (size_t s = 0; s < shards; s++) {
                const size_t end = ur_shard_begin(batch, shards, s + 1);
                size_t work = 0;
                for (size_t i = ur_shard_begin(batch, shards, s), first = i; i < end; i++) {
                    assert_false(seen[items[i]]);
                    seen[items[i]] = true;
                    assert_true(i == first || items[i] < items[i - 1]);
                    work += items[i];
                }
                least = work < least ? work : least;
                most = work > most ? work : most;
            }
            if (shards > UR_FEW_SHARDS)
                assert_int_equal(items[batch - 1], 1);
            else
                assert_true(most - least <= 2 * batch);
        }
}

enum { SIZE = 51, MOST = 16 };

/* The tree written plainly: halves, left plus right. */
static void tree(size_t shards, const float *leaf, float *sum)
{
    if (shards == 1) {
        memcpy(sum, leaf, SIZE * sizeof *sum);
        return;
    }
    float right[SIZE];
    tree(shards / 2, leaf, sum);
    tree(shards / 2, leaf + shards / 2 * SIZE, right);
    for (int i = 0; i < SIZE; i++)
        sum[i] += right[i];
}

typedef struct job {
    ur_fold *fold;
    const float *leaves;
    size_t order[MOST];
} job;

static void give(void *arg, size_t task, int worker)
{
    (void)worker;
    job *j = arg;
    const size_t s = j->order[task];
    float *x = ur_fold_take(j->fold);
    assert_non_null(x);
    memcpy(x, j->leaves + s * SIZE, SIZE * sizeof *x);
    ur_fold_give(j->fold, s, x);
}

static void sums_do_not_depend_on_the_order(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 3, NULL);
    ur_pool *pool = context->pool;
    float *leaves = made_up_floats(1, MOST * SIZE, 1.0f), want[SIZE];
    job j = {.leaves = leaves};
    assert_int_equal(ur_fold_new(context, SIZE, MOST, &j.fold, NULL), UR_OK);
    for (size_t shards = 1; shards <= MOST; shards *= 2) {
        tree(shards, leaves, want);
        for (uint64_t round = 0; round < 40; round++) {
            for (size_t i = 0; i < shards; i++)
                j.order[i] = i;
            for (size_t i = shards; i-- > 1;) { /* shuffled */
                const size_t k = (size_t)((made_up(round, i) + 1.0f) * 0.5f * (float)i);
                const size_t old = j.order[i];
                j.order[i] = j.order[k];
                j.order[k] = old;
            }
            ur_fold_start(j.fold, shards);
            if (round % 2)
                ur_pool_for(pool, shards, give, &j);
            else
                for (size_t i = 0; i < shards; i++)
                    give(&j, i, 0);
            same_floats("sum", "another order", want, ur_fold_sum(j.fold, ur_pool_team(pool)),
                        SIZE);
        }
    }
    ur_fold_start(j.fold, 8); /* given up half way */
    give(&j, 0, 0);
    ur_fold_free(j.fold);
    ur_fold_free(NULL);
    ur_context_free(context);
    free(leaves);
}

/* In order, no more vectors are alive than the tree is deep. */
static void few_vectors_are_alive(void **state)
{
    (void)state;
    failing_alloc f;
    failing_alloc_init(&f, 0, false);
    float *leaves = made_up_floats(1, MOST * SIZE, 1.0f);
    job j = {.leaves = leaves};
    ur_context *context = context_of(NULL, 1, &f.hooks);
    assert_int_equal(ur_fold_new(context, SIZE, MOST, &j.fold, NULL), UR_OK);
    const size_t before = f.outstanding;
    ur_fold_start(j.fold, MOST);
    for (size_t i = 0; i < MOST; i++) {
        j.order[i] = i;
        give(&j, i, 0);
    }
    assert_true(f.outstanding - before <= 5);
    f.fail_at = f.calls + 1;
    float *spare = ur_fold_take(j.fold); /* takes no memory */
    assert_non_null(spare);
    ur_fold_start(j.fold, 1);
    ur_fold_give(j.fold, 0, spare);
    ur_fold_free(j.fold);
    ur_context_free(context);
    free(leaves);
}

static ur_status make(const ur_allocator *a, ur_err *err, void *arg)
{
    (void)arg;
    ur_context *context;
    ur_fold *fold;
    ur_status status = ur_context_new(&(ur_options){.allocator = a, .threads = 1}, &context, err);
    if (status != UR_OK)
        return status;
    status = ur_fold_new(context, SIZE, 8, &fold, err);
    ur_fold_free(fold);
    ur_context_free(context);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(failing_alloc_sweep(make, NULL) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cut),
        cmocka_unit_test(long_batches_have_more_shards),
        cmocka_unit_test(long_and_short_together),
        cmocka_unit_test(sums_do_not_depend_on_the_order),
        cmocka_unit_test(few_vectors_are_alive),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
