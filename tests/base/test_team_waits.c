/* test_team_waits.c - teams whose members keep each other waiting: for longer than a thread stays
 * awake, when the leader goes on without the others, and when it insists on all of them; workers that
 * are woken after they fell asleep again. */
#include "base/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static ur_pool *new_pool(int threads)
{
    ur_pool *pool = NULL;
    ur_err err = {UR_OK, ""};
    if (ur_pool_new(NULL, threads, &pool, &err) != UR_OK)
        fail_msg("%s", err.text);
    return pool;
}

/* Long enough for idle workers to fall asleep. */
static void stay_away(void)
{
    for (volatile int i = 0; i < 300000; i++)
        continue;
}

/* Members that keep their leader waiting, first at a barrier and then at the end, for longer than it
 * waits awake. */
static void dawdle(void *arg, const ur_member *me)
{
    int *members = arg;
    if (me->index == 0)
        *members = me->count;
    for (int i = 0; i < 2; i++) {
        if (me->index > 0)
            for (int k = 0; k < 10; k++)
                stay_away();
        if (i == 0)
            ur_barrier(me);
    }
}

static void count_members(void *arg, const ur_member *me)
{
    if (me->index == 0)
        *(int *)arg = me->count;
}

/* A leader that waited for longer than it would have needed alone pauses, in proportion and for at
 * most a second. */
static void test_what_waiting_costs(void **state)
{
    (void)state;
    assert_int_equal(ur_team_pause(1000, 0, 2), 0);
    assert_int_equal(ur_team_pause(1000, 500, 2), 0); /* 500 on its own part: 1000 alone, too */
    assert_int_equal(ur_team_pause(1000, 501, 2), 8 * 501);
    assert_int_equal(ur_team_pause(1000, 749, 4), 0);
    assert_int_equal(ur_team_pause(1000, 751, 4), 8 * 751);
    assert_int_equal(ur_team_pause(UINT64_C(1) << 40, (UINT64_C(1) << 40) - 1, 2), 1000000000);
    assert_int_equal(ur_team_pause(1000, 1001, 2), 0); /* clocks of two cores may differ */
}

/* While it pauses the leader works alone, and then has the others back. */
static void test_a_pause(void **state)
{
    (void)state;
    ur_pool *pool = new_pool(2);
    ur_team *team = ur_pool_team(pool);
    ur_team_insist(team);
    for (int round = 0; round < 10; round++) {
        int members = 0;
        pool->alone_until = UINT64_MAX;
        ur_team_run(team, count_members, &members);
        assert_int_equal(members, 1);
        pool->alone_until = 0;
        ur_team_run(team, count_members, &members);
        assert_int_equal(members, 2);
    }
    ur_pool_free(pool);
}

/* All members always, more of them than cores, and none of them ever left out. */
static void test_a_team_that_insists(void **state)
{
    (void)state;
    for (int threads = 2; threads <= 4; threads++) {
        ur_pool *pool = new_pool(threads);
        ur_team *team = ur_pool_team(pool);
        ur_team_insist(team);
        for (unsigned round = 1; round <= 100; round++) {
            int members = 0;
            ur_team_run(team, round % 50 ? count_members : dawdle, &members);
            assert_int_equal(members, threads);
            if (round % 20 == 0)
                stay_away();
        }
        ur_pool_free(pool);
    }
}

/* The owner lost its core between announcing an operation and waking the sleepers; meanwhile the worker
 * did its part and fell asleep until the next one. It must still be counted as a sleeper. */
static void test_a_delayed_call_to_wake(void **state)
{
    (void)state;
    ur_pool *pool = new_pool(2);
    while (atomic_load(&pool->sleepers) == 0)
        sched_yield();
    for (int i = 0; i < 100; i++) {
        assert_true(ur_pool_wake_sleepers(pool));
        assert_int_equal(atomic_load(&pool->sleepers), 1);
    }
    int members = 0;
    ur_team_insist(ur_pool_team(pool));
    ur_team_run(ur_pool_team(pool), count_members, &members);
    assert_int_equal(members, 2);
    ur_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_waiting_costs),
        cmocka_unit_test(test_a_pause),
        cmocka_unit_test(test_a_team_that_insists),
        cmocka_unit_test(test_a_delayed_call_to_wake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
