/* test_team_waits.c - teams whose members keep each other waiting: for longer than a thread stays
 * awake, when the leader goes on without one that is late, and when it insists on all of them; workers
 * that are woken after they fell asleep again. */
#include "base/pool.h"

#include <sched.h>
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

/* A leader that waited for a member longer than the others would have needed for its part does without it,
 * in proportion and for at most a second. */
static void test_what_waiting_costs(void **state)
{
    (void)state;
    assert_int_equal(ur_team_pause(1000, 0, 2), 0);
    assert_int_equal(ur_team_pause(1000, 500, 2), 0); /* 500 on its own part: 1000 alone, too */
    assert_int_equal(ur_team_pause(1000, 501, 2), 8 * 501);
    assert_int_equal(ur_team_pause(1000, 250, 4), 0); /* 750 each: 1000 each of three */
    assert_int_equal(ur_team_pause(1000, 251, 4), 8 * 251);
    assert_int_equal(ur_team_pause(UINT64_C(1) << 40, (UINT64_C(1) << 40) - 1, 2), 1000000000);
    assert_int_equal(ur_team_pause(1000, 1001, 2), 0); /* clocks of two cores may differ */
    assert_int_equal(ur_team_next_pause(800, 0, 1000), 800);
    assert_int_equal(ur_team_next_pause(800, 900, 900), 800); /* long ago */
    assert_int_equal(ur_team_next_pause(800, 900, 899), 1800);
    assert_int_equal(ur_team_next_pause(2000, 900, 1), 2000);
    assert_int_equal(ur_team_next_pause(800, 600000000, 1), 1000000000);
}

typedef struct attendance {
    ur_pool *pool;
    int count;
    atomic_uint workers; /* bit w: worker w was there; 0 is the leader */
    atomic_uint members; /* likewise by number in the operation */
} attendance;

static void attend(void *arg, const ur_member *me)
{
    attendance *a = arg;
    if (me->index == 0)
        a->count = me->count;
    atomic_fetch_or(&a->workers, 1u << me->worker);
    atomic_fetch_or(&a->members, 1u << me->index);
    ur_barrier(me);
}

/* An operation of exactly these workers, whose numbers are 0, 1, 2 .. in it. */
static void attended_by(ur_pool *pool, unsigned workers)
{
    attendance a = {.pool = pool};
    ur_team_run(ur_pool_team(pool), attend, &a);
    assert_int_equal(a.workers, workers);
    assert_int_equal(a.members, (1u << a.count) - 1);
    assert_int_equal(a.count, __builtin_popcount(workers));
}

static void wait_for_all(void *arg, size_t task, int who)
{
    (void)task;
    atomic_fetch_or((atomic_uint *)arg, 1u << who);
    while (atomic_load((atomic_uint *)arg) != 7) /* all three have a task */
        sched_yield();
}

/* A worker that is left out comes back when its time is over, asleep or awake; tasks are for it, too. */
static void test_left_out(void **state)
{
    (void)state;
    ur_pool *pool = new_pool(3);
    ur_team *team = ur_pool_team(pool);
    ur_team_insist(team);
    for (int round = 0; round < 40; round++) {
        attended_by(pool, 7);
        ur_team_leave_out(team, 1 + round % 2, UINT64_MAX);
        attended_by(pool, round % 2 ? 3 : 5);
        if (round % 4 == 0)
            stay_away();
        if (round % 5 == 0) {
            atomic_uint came = 0;
            ur_pool_for(pool, 3, wait_for_all, &came);
        }
        ur_team_leave_out(team, 2 - round % 2, UINT64_MAX);
        attended_by(pool, 1);
        ur_team_leave_out(team, 1 + round % 2, 1); /* by the clock that is over */
        attended_by(pool, round % 2 ? 5 : 3);
        ur_team_leave_out(team, 2 - round % 2, 0);
    }
    ur_team_leave_out(team, 2, UINT64_MAX);
    ur_pool_free(pool); /* while somebody is left out */
}

/* A worker stops in the middle of its part. */
typedef struct stop {
    ur_pool *pool;
    pthread_mutex_t lock;
    pthread_cond_t over;
    bool is_over;
    bool without_core; /* it sleeps until a helper ends the stop, else it computes */
} stop;

/* The others have waited so long that they sleep, and some more. */
static void outlast_the_others(const stop *p)
{
    while (atomic_load(&p->pool->waiters) < 2)
        sched_yield();
    for (int k = 0; k < 10; k++)
        stay_away();
}

static void *end_the_stop(void *arg)
{
    stop *p = arg;
    outlast_the_others(p);
    pthread_mutex_lock(&p->lock);
    p->is_over = true;
    pthread_cond_signal(&p->over);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* Worker 2 arrives last. */
static void come_last(void *arg, const ur_member *me)
{
    stop *p = arg;
    if (me->index == 0)
        p->pool->insist = false; /* from now on it may be left out */
    if (me->worker == 2 && !p->without_core)
        outlast_the_others(p);
    if (me->worker == 2 && p->without_core) {
        pthread_mutex_lock(&p->lock);
        while (!p->is_over)
            pthread_cond_wait(&p->over, &p->lock);
        pthread_mutex_unlock(&p->lock);
    }
    ur_barrier(me);
}

static void run_with_a_stop(ur_pool *pool, bool without_core)
{
    pthread_t helper;
    stop p = {.pool = pool, .without_core = without_core};
    pthread_mutex_init(&p.lock, NULL);
    pthread_cond_init(&p.over, NULL);
    if (without_core)
        assert_int_equal(pthread_create(&helper, NULL, end_the_stop, &p), 0);
    ur_team_leave_out(ur_pool_team(pool), 1, 0);
    ur_team_insist(ur_pool_team(pool));
    ur_team_run(ur_pool_team(pool), come_last, &p);
    if (without_core)
        pthread_join(helper, NULL);
    pthread_cond_destroy(&p.over);
    pthread_mutex_destroy(&p.lock);
}

static void test_who_is_late_is_left_out(void **state)
{
    (void)state;
    ur_pool *pool = new_pool(3);
    ur_team *team = ur_pool_team(pool);
    const worker *last = &pool->workers[1];
    for (int round = 0; round < 1000 && !atomic_load(&last->left_out); round++)
        run_with_a_stop(pool, true);
    assert_true(atomic_load(&last->left_out));
    assert_true(last->until > 1 && last->waited == 0);
    ur_team_insist(team);
    ur_team_leave_out(team, 1, 0);
    ur_team_leave_out(team, 2, UINT64_MAX);
    attended_by(pool, 3);
    ur_team_leave_out(team, 2, 0);
    attended_by(pool, 7);
    ur_pool_free(pool);
}

/* It stays five times in a row, sooner or later: others may want the core that it computes on. */
static void test_who_has_more_to_do_is_not_late(void **state)
{
    (void)state;
    enum { IN_A_ROW = 5 };
    ur_pool *pool = new_pool(3);
    int stayed = 0;
    for (int round = 0; round < 1000 && stayed < IN_A_ROW; round++) {
        ur_team_leave_out(ur_pool_team(pool), 2, 0);
        run_with_a_stop(pool, false);
        stayed = atomic_load(&pool->workers[1].left_out) ? 0 : stayed + 1;
    }
    assert_int_equal(stayed, IN_A_ROW);
    ur_pool_free(pool);
}

/* What is too little to share is the caller's alone, but for a team that insists. */
static void test_little_is_not_shared(void **state)
{
    (void)state;
    ur_pool *pool = new_pool(2);
    ur_team *team = ur_pool_team(pool);
    assert_null(ur_team_for(team, 0));
    assert_null(ur_team_for(team, 1 << 14));
    assert_ptr_equal(ur_team_for(team, (1 << 14) + 1), team);
    assert_null(ur_team_for(NULL, SIZE_MAX));
    ur_team_insist(team);
    assert_ptr_equal(ur_team_for(team, 0), team);
    ur_pool_free(pool);
}

/* Every set of workers, in turn. */
static void test_turns(void **state)
{
    (void)state;
    for (int threads = 2; threads <= 4; threads++) {
        ur_pool *pool = new_pool(threads);
        ur_team_take_turns(ur_pool_team(pool));
        for (unsigned round = 1; round <= 200; round++) {
            unsigned workers = 1;
            for (int i = 1; i < threads; i++)
                workers |= (round >> i & 1) ? 0 : 1u << i;
            attended_by(pool, workers);
            if (round % 20 == 0)
                stay_away();
        }
        ur_pool_free(pool);
    }
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
        cmocka_unit_test(test_left_out),
        cmocka_unit_test(test_who_is_late_is_left_out),
        cmocka_unit_test(test_who_has_more_to_do_is_not_late),
        cmocka_unit_test(test_little_is_not_shared),
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_a_team_that_insists),
        cmocka_unit_test(test_a_delayed_call_to_wake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
