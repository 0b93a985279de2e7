/* threads.c - a pool of workers: made, put to sleep, woken, given tasks, released. */
#include "base/pool_state.h"

#include "base/alloc.h"
#include "base/status.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define IDLE_NS 400000u  /* a worker watches the gate this long before it sleeps, */
#define LATE_NS 2000000u /* and this long while an operation is on that it came too late for */

/* ---- waiting ------------------------------------------------------------------------------ */

static void sleep_until_reached(ur_pool *p, const _Atomic uint64_t *counter, uint64_t target)
{
    pthread_mutex_lock(&p->mutex);
    atomic_fetch_add(&p->waiters, 1);
    while (atomic_load(counter) < target)
        pthread_cond_wait(&p->reached, &p->mutex);
    atomic_fetch_sub(&p->waiters, 1);
    pthread_mutex_unlock(&p->mutex);
}

uint64_t ur_pool_wait_for(ur_pool *p, const _Atomic uint64_t *counter, uint64_t target)
{
    for (unsigned rounds = 0; rounds < p->spins; rounds++) {
        if (atomic_load_explicit(counter, memory_order_acquire) >= target)
            return 0;
        spin_hint();
    }
    const uint64_t began = now_ns();
    for (unsigned rounds = 1; atomic_load_explicit(counter, memory_order_acquire) < target;
         rounds++) {
        if (rounds % SPINS_BETWEEN_CLOCKS == 0 && now_ns() - began > PATIENT_NS)
            sleep_until_reached(p, counter, target);
        else
            sched_yield();
    }
    return now_ns() - began;
}

/* Wakes those who count themselves in `asleep`; false when there are none. */
static bool wake_all(ur_pool *p, const _Atomic int *asleep, pthread_cond_t *condition)
{
    if (atomic_load(asleep) == 0)
        return false;
    pthread_mutex_lock(&p->mutex); /* whoever counted himself in is asleep by now, or saw it */
    pthread_mutex_unlock(&p->mutex);
    pthread_cond_broadcast(condition);
    return true;
}

void ur_pool_wake_waiters(ur_pool *p)
{
    wake_all(p, &p->waiters, &p->reached);
}

bool ur_pool_wake_sleepers(ur_pool *p)
{
    return wake_all(p, &p->sleepers, &p->wake);
}

/* ---- workers ------------------------------------------------------------------------------ */

static void sleep_until_announced(ur_pool *p, uint32_t seen)
{
    pthread_mutex_lock(&p->mutex);
    atomic_fetch_add(&p->sleepers, 1);
    while (operation_of(atomic_load(&p->gate)) == seen)
        pthread_cond_wait(&p->wake, &p->mutex);
    atomic_fetch_sub(&p->sleepers, 1); /* by the sleeper alone: it may have to sleep on */
    pthread_mutex_unlock(&p->mutex);
}

/* Waits for an operation after `seen`. One that was too late for `seen` stays awake until it is
 * over, within reason: whoever sleeps through an operation is late for the next one, too. */
static uint32_t wait_for_operation(ur_pool *p, uint32_t seen, bool late)
{
    uint64_t idle_since = 0;
    for (unsigned rounds = 0;;) {
        uint32_t operation = operation_of(atomic_load_explicit(&p->gate, memory_order_relaxed));
        if (operation != seen)
            return operation;
        wait_a_little(p, &rounds);
        if (rounds % SPINS_BETWEEN_CLOCKS)
            continue;
        if (late && atomic_load_explicit(&p->finished, memory_order_relaxed) == seen) {
            late = false;
            idle_since = 0;
        }
        uint64_t now = now_ns();
        if (!idle_since)
            idle_since = now;
        if (now - idle_since > (late ? LATE_NS : IDLE_NS))
            sleep_until_announced(p, seen);
    }
}

/* Joins an operation: the new state of the gate, or CLOSED when it is too late. */
static uint64_t join(ur_pool *p, uint32_t operation)
{
    uint64_t gate = atomic_load_explicit(&p->gate, memory_order_relaxed);
    do {
        if (operation_of(gate) != operation || gate & CLOSED)
            return CLOSED;
    } while (!atomic_compare_exchange_weak_explicit(&p->gate, &gate, gate + 1, memory_order_acq_rel,
                                                    memory_order_relaxed));
    return gate + 1;
}

static void take_tasks(ur_pool *p, int index)
{
    for (;;) {
        size_t task = atomic_fetch_add_explicit(&p->next_task, 1, memory_order_relaxed);
        if (task >= p->tasks)
            return;
        p->for_work(p->arg, task, index);
    }
}

static void *worker_main(void *argument)
{
    const worker *me = argument;
    ur_pool *p = me->pool;
    uint32_t seen = 0;
    bool late = false;
    ur_fpmode mode = ur_fpmode_enter();
    for (;;) {
        seen = wait_for_operation(p, seen, late);
        if (atomic_load_explicit(&p->gate, memory_order_relaxed) & STOP)
            break;
        const int cpu = ur_current_cpu();
        if (cpu >= 0 && cpu == atomic_load_explicit(&p->leader_cpu, memory_order_relaxed))
            ur_leave_cpu(cpu); /* where the system put me when I woke, and where I am in the way */
        uint64_t gate = join(p, seen);
        late = gate == CLOSED;
        if (late)
            continue;
        if (p->for_work)
            take_tasks(p, me->index);
        else
            ur_team_take_part(p, gate, me->index);
        atomic_fetch_add(&p->done, 1);
        ur_pool_wake_waiters(p);
    }
    ur_fpmode_leave(mode);
    return NULL;
}

/* ---- the owner ---------------------------------------------------------------------------- */

bool ur_pool_announce(ur_pool *p, uint64_t flags)
{
    atomic_store_explicit(&p->done, 0, memory_order_relaxed);
    atomic_store_explicit(&p->barrier, 0, memory_order_relaxed);
    p->operation++;
    atomic_store_explicit(&p->leader_cpu, ur_current_cpu(), memory_order_relaxed);
    atomic_store(&p->gate, (uint64_t)p->operation << 32 | flags);
    return ur_pool_wake_sleepers(p);
}

int ur_pool_close_gate(ur_pool *p)
{
    return joined_in(atomic_fetch_or_explicit(&p->gate, CLOSED, memory_order_acq_rel));
}

void ur_pool_wait_until_done(ur_pool *p, int joined)
{
    p->waited += ur_pool_wait_for(p, &p->done, (uint64_t)joined);
    atomic_store_explicit(&p->finished, p->operation, memory_order_relaxed);
}

void ur_pool_for(ur_pool *pool, size_t tasks, void (*work)(void *arg, size_t task, int worker),
                 void *arg)
{
    if (pool->threads == 1 || tasks < 2) {
        for (size_t task = 0; task < tasks; task++)
            work(arg, task, 0);
        return;
    }
    pool->for_work = work;
    pool->arg = arg;
    pool->tasks = tasks;
    atomic_store_explicit(&pool->next_task, 0, memory_order_relaxed);
    ur_pool_announce(pool, 0);
    take_tasks(pool, 0);
    ur_pool_wait_until_done(pool, ur_pool_close_gate(pool));
}

/* ---- making and releasing ----------------------------------------------------------------- */

int ur_pool_threads(const ur_pool *pool)
{
    return pool->threads;
}

static void stop_workers(ur_pool *p, int made)
{
    ur_pool_announce(p, STOP | CLOSED);
    for (int i = 0; i < made; i++)
        pthread_join(p->workers[i].thread, NULL);
}

/* Signals are the business of the threads that the program made itself; only those that a fault
 * raises in the thread that caused it stay open. */
static int start_worker(worker *w)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};
    sigset_t blocked, before;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(&blocked, faults[i]);
    int failed = pthread_sigmask(SIG_SETMASK, &blocked, &before); /* a new thread inherits it */
    if (failed)
        return failed;
    failed = pthread_create(&w->thread, NULL, worker_main, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

static ur_status start_workers(ur_pool *p, ur_err *err)
{
    for (int i = 0; i < p->threads - 1; i++) {
        p->workers[i].pool = p;
        p->workers[i].index = i + 1;
        int failed = start_worker(&p->workers[i]);
        if (failed) {
            stop_workers(p, i);
            return ur_fail(err, failed == EAGAIN ? UR_NO_MEMORY : UR_UNSUPPORTED,
                           "thread %d of %d could not be started: %s", i + 2, p->threads,
                           strerror(failed));
        }
    }
    return UR_OK;
}

/* The pool without its workers; NULL when memory ran out. */
static ur_pool *new_pool(const ur_allocator *a, int threads)
{
    void *memory = ur_alloc_zero(a, 1, sizeof(ur_pool) + LINE);
    worker *workers = ur_alloc_zero(a, (size_t)threads, sizeof *workers);
    if (!memory || !workers) {
        ur_free(a, workers);
        ur_free(a, memory);
        return NULL;
    }
    ur_pool *p = (ur_pool *)((char *)memory + (LINE - (uintptr_t)memory % LINE));
    p->allocator = a;
    p->memory = memory;
    p->workers = workers;
    p->threads = threads;
    p->spins = threads <= ur_usable_cpus() ? SPINS_BEFORE_YIELD : SPINS_BETWEEN_CLOCKS;
    p->team.pool = p;
    return p;
}

static void release_pool(ur_pool *p)
{
    ur_free(p->allocator, p->workers);
    ur_free(p->allocator, p->memory);
}

static void destroy_locks(ur_pool *p)
{
    pthread_cond_destroy(&p->reached);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->mutex);
}

/* 0, or what went wrong. */
static int make_locks(ur_pool *p)
{
    int failed = pthread_mutex_init(&p->mutex, NULL);
    if (failed)
        return failed;
    failed = pthread_cond_init(&p->wake, NULL);
    if (failed) {
        pthread_mutex_destroy(&p->mutex);
        return failed;
    }
    failed = pthread_cond_init(&p->reached, NULL);
    if (failed) {
        pthread_cond_destroy(&p->wake);
        pthread_mutex_destroy(&p->mutex);
    }
    return failed;
}

ur_status ur_pool_new(const ur_allocator *a, int threads, ur_pool **out, ur_err *err)
{
    *out = NULL;
    if (threads < 1 || threads > UR_MOST_THREADS)
        return ur_fail(err, UR_INVALID, "%d threads were asked for, 1 to %d can be had", threads,
                       UR_MOST_THREADS);
    ur_pool *p = new_pool(a, threads);
    if (!p)
        return ur_no_memory(err, sizeof *p + (size_t)threads * sizeof *p->workers);
    if (threads > 1) {
        const int failed = make_locks(p);
        if (failed) {
            release_pool(p);
            return ur_fail(err, UR_NO_MEMORY, "no lock for the threads: %s", strerror(failed));
        }
        ur_status status = start_workers(p, err);
        if (status != UR_OK) {
            destroy_locks(p);
            release_pool(p);
            return status;
        }
    }
    *out = p;
    return UR_OK;
}

void ur_pool_free(ur_pool *pool)
{
    if (!pool)
        return;
    if (pool->threads > 1) {
        stop_workers(pool, pool->threads - 1);
        destroy_locks(pool);
    }
    release_pool(pool);
}
