/* test_threads.c - every task exactly once, ranges and barriers that hold, any
 * number of threads on any number of cores, members that join or do not. */
#include "base/threads.h"
#include "support/failing_alloc.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#define MOST 4 /* threads in most tests, also where there are fewer cores */

static ur_pool *new_pool(int threads)
{
    ur_pool *pool = NULL;
    ur_err err = {UR_OK, ""};
    if (ur_pool_new(NULL, threads, &pool, &err) != UR_OK)
        fail_msg("%s", err.text);
    assert_int_equal(ur_pool_threads(pool), threads);
    return pool;
}

/* Long enough for the workers to fall asleep in some rounds. */
static void stay_away(void)
{
    for (volatile int i = 0; i < 300000; i++)
        continue;
}

/* ---- loops -------------------------------------------------------------------------------- */

typedef struct counted {
    int threads;
    atomic_int times[64], strangers;
    int plain[64]; /* what a task writes without locks is there afterwards */
} counted;

static void count_task(void *arg, size_t task, int worker)
{
    counted *c = arg;
    atomic_fetch_add(&c->times[task], 1);
    c->plain[task]++;
    if (worker < 0 || worker >= c->threads)
        atomic_fetch_add(&c->strangers, 1);
}

static void test_every_task_once(void **state)
{
    (void)state;
    for (int threads = 1; threads <= MOST; threads++) {
        ur_pool *pool = new_pool(threads);
        for (size_t round = 0; round < 3000; round++) {
            size_t tasks = round % 40;
            counted c = {.threads = threads};
            ur_pool_for(pool, tasks, count_task, &c);
            assert_int_equal(c.strangers, 0);
            for (size_t i = 0; i < 64; i++) {
                assert_int_equal(c.times[i], i < tasks);
                assert_int_equal(c.plain[i], i < tasks);
            }
            if (round % 100 == 99)
                stay_away();
        }
        ur_pool_free(pool);
    }
}

/* Tasks that wait for each other, as many as threads: all workers have to come. */
typedef struct meeting {
    int threads;
    atomic_int here;
    pthread_t who[MOST];
    bool blocks_signals[MOST];
} meeting;

static void meet(void *arg, size_t task, int worker)
{
    (void)task;
    meeting *m = arg;
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    m->who[worker] = pthread_self();
    m->blocks_signals[worker] = sigismember(&blocked, SIGINT) == 1 &&
                                sigismember(&blocked, SIGTERM) == 1 &&
                                sigismember(&blocked, SIGSEGV) == 0;
    atomic_fetch_add(&m->here, 1);
    while (atomic_load(&m->here) < m->threads)
        sched_yield();
}

static void test_all_workers_take_part(void **state)
{
    (void)state;
    for (int threads = 1; threads <= MOST; threads++) {
        ur_pool *pool = new_pool(threads);
        for (int round = 0; round < 20; round++) {
            meeting m = {.threads = threads};
            ur_pool_for(pool, (size_t)threads, meet, &m);
            assert_true(pthread_equal(m.who[0], pthread_self()));
            for (int i = 0; i < threads; i++) {
                assert_int_equal(m.blocks_signals[i], i > 0);
                for (int j = 0; j < i; j++)
                    assert_false(pthread_equal(m.who[i], m.who[j]));
            }
            stay_away();
        }
        ur_pool_free(pool);
    }
}

/* ---- teams -------------------------------------------------------------------------------- */

#define CELLS 97
#define MEETINGS 5

typedef struct shared_work {
    int threads;
    unsigned round;
    unsigned cells[CELLS];
    atomic_uint members; /* bit i: member i was there */
    atomic_int count, wrong;
} shared_work;

/* Each member writes its range, all meet, each reads everything; several times. */
static void share(void *arg, const ur_member *me)
{
    shared_work *w = arg;
    if (me->count < 1 || me->count > w->threads || me->index < 0 || me->index >= me->count ||
        (me->count == 1) != (me->team == NULL))
        atomic_fetch_add(&w->wrong, 1);
    if (atomic_fetch_or(&w->members, 1u << me->index) & 1u << me->index)
        atomic_fetch_add(&w->wrong, 1);
    if (me->index == 0)
        atomic_store(&w->count, me->count);
    ur_range mine = ur_my_range(me, CELLS);
    for (unsigned k = 1; k <= MEETINGS; k++) {
        for (size_t i = mine.begin; i < mine.end; i++)
            w->cells[i] = w->round * 10 + k;
        ur_barrier(me);
        for (size_t i = 0; i < CELLS; i++)
            if (w->cells[i] != w->round * 10 + k)
                atomic_fetch_add(&w->wrong, 1);
        ur_barrier(me);
    }
}

static void run_shared(ur_team *team, int threads, unsigned round)
{
    shared_work w = {.threads = threads, .round = round};
    ur_team_run(team, share, &w);
    assert_int_equal(w.wrong, 0);
    assert_int_equal(w.members, (1u << w.count) - 1);
    for (size_t i = 0; i < CELLS; i++)
        assert_int_equal(w.cells[i], round * 10 + MEETINGS);
}

static void test_team_meets_at_barriers(void **state)
{
    (void)state;
    for (int threads = 1; threads <= MOST; threads++) {
        ur_pool *pool = new_pool(threads);
        unsigned rounds = threads <= ur_usable_cpus() ? 10000 : 500;
        for (unsigned round = 1; round <= rounds; round++) {
            run_shared(ur_pool_team(pool), threads, round);
            if (round % 200 == 0)
                stay_away();
        }
        ur_pool_free(pool);
    }
    run_shared(NULL, 1, 1);
}

static void note_thread(void *arg, const ur_member *me)
{
    meeting *m = arg;
    m->who[me->index] = pthread_self();
    if (me->index == 0)
        atomic_store(&m->here, me->count);
    ur_barrier(me);
    sched_yield();
}

/* When all are there, member k is worker k. */
static void test_full_team_keeps_its_places(void **state)
{
    (void)state;
    for (int threads = 2; threads <= MOST; threads++) {
        ur_pool *pool = new_pool(threads);
        meeting workers = {.threads = threads};
        ur_pool_for(pool, (size_t)threads, meet, &workers);
        ur_team_insist(ur_pool_team(pool));
        for (int rounds = 0; rounds < 20; rounds++) {
            meeting m = {.threads = threads};
            ur_team_run(ur_pool_team(pool), note_thread, &m);
            assert_int_equal(m.here, threads);
            for (int i = 0; i < threads; i++)
                assert_true(pthread_equal(m.who[i], workers.who[i]));
        }
        ur_pool_free(pool);
    }
}

static void test_loops_and_teams_take_turns(void **state)
{
    (void)state;
    for (int threads = 2; threads <= MOST; threads++) {
        ur_pool *pool = new_pool(threads);
        for (unsigned round = 1; round <= 500; round++) {
            counted c = {.threads = threads};
            ur_pool_for(pool, 7, count_task, &c);
            for (size_t i = 0; i < 7; i++)
                assert_int_equal(c.times[i], 1);
            run_shared(ur_pool_team(pool), threads, round);
            run_shared(ur_pool_team(pool), threads, round);
        }
        ur_pool_free(pool);
    }
}

static void test_ranges(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 1, 2, 3, 7, 64, 1000, SIZE_MAX};
    for (int count = 1; count <= 9; count++) {
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            size_t at = 0, shortest = SIZE_MAX, longest = 0;
            for (int i = 0; i < count; i++) {
                ur_range r = ur_my_range(&(ur_member){.index = i, .count = count}, sizes[s]);
                assert_true(r.begin == at && r.end >= r.begin);
                at = r.end;
                shortest = r.end - r.begin < shortest ? r.end - r.begin : shortest;
                longest = r.end - r.begin > longest ? r.end - r.begin : longest;
            }
            assert_true(at == sizes[s]);
            assert_true(longest - shortest <= 1);
        }
    }
}

/* Whole cache lines of 16 floats, but for the end of the vector. */
static void test_ranges_of_floats(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 1, 15, 16, 17, 51, 4096, 4099};
    for (int count = 1; count <= 9; count++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            size_t at = 0;
            for (int i = 0; i < count; i++) {
                const ur_range r = ur_my_floats(&(ur_member){.index = i, .count = count}, sizes[s]);
                assert_true(r.begin == at && r.end >= r.begin && r.end <= sizes[s]);
                assert_true(r.end % 16 == 0 || r.end == sizes[s]);
                at = r.end;
            }
            assert_true(at == sizes[s]);
        }
}

/* ---- making and releasing ----------------------------------------------------------------- */

static void test_pools_come_and_go(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        int threads = 1 + round % MOST;
        ur_pool *pool = new_pool(threads);
        if (round % 3 == 1)
            run_shared(ur_pool_team(pool), threads, 1);
        if (round % 20 == 19)
            stay_away();
        ur_pool_free(pool);
    }
    ur_pool_free(NULL);
}

static void test_numbers_of_threads(void **state)
{
    (void)state;
    const int impossible[] = {0, -1, INT32_MIN, UR_MOST_THREADS + 1, INT32_MAX};
    for (size_t i = 0; i < sizeof impossible / sizeof *impossible; i++) {
        ur_pool *pool = NULL;
        ur_err err;
        assert_int_equal(ur_pool_new(NULL, impossible[i], &pool, &err), UR_INVALID);
        assert_null(pool);
        assert_non_null(strstr(err.text, "threads"));
    }
    assert_in_range(ur_usable_cpus(), 1, UR_MOST_THREADS);
}

static ur_status make_and_use(const ur_allocator *a, ur_err *err, void *arg)
{
    (void)arg;
    ur_pool *pool = NULL;
    ur_status status = ur_pool_new(a, 3, &pool, err);
    if (status == UR_OK)
        run_shared(ur_pool_team(pool), 3, 1);
    ur_pool_free(pool);
    return status;
}

static void test_each_allocation_fails(void **state)
{
    (void)state;
    assert_int_equal(failing_alloc_sweep(make_and_use, NULL), 4);
}

/* In a process with too little memory for so many stacks, some threads start and one does not. */
static void test_refused_thread(void **state)
{
    (void)state;
#ifdef SANITIZED
    skip(); /* a sanitizer's own memory is beyond any such limit */
#else
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit limit = {256u << 20, 256u << 20};
        failing_alloc f;
        ur_pool *pool = NULL;
        ur_err err = {UR_OK, ""};
        failing_alloc_init(&f, 0, false);
        if (setrlimit(RLIMIT_AS, &limit) != 0)
            _exit(2);
        ur_status status = ur_pool_new(&f.hooks, UR_MOST_THREADS, &pool, &err);
        bool right = status == UR_NO_MEMORY && err.status == status && !pool &&
                     strstr(err.text, "of 1024") && f.outstanding == 0;
        _exit(right ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_thread), /* forks: before any other thread */
        cmocka_unit_test(test_every_task_once),
        cmocka_unit_test(test_all_workers_take_part),
        cmocka_unit_test(test_team_meets_at_barriers),
        cmocka_unit_test(test_full_team_keeps_its_places),
        cmocka_unit_test(test_loops_and_teams_take_turns),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_ranges_of_floats),
        cmocka_unit_test(test_pools_come_and_go),
        cmocka_unit_test(test_numbers_of_threads),
        cmocka_unit_test(test_each_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
