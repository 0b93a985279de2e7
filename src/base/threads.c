/* threads.c - a pool of workers, loops over independent tasks, and operations that a team shares.
 *
 * An operation (a loop or a team operation) is announced in one word, the gate: its number, how
 * many workers have joined, and whether joining is over. A worker joins by compare-and-swap on the
 * whole word, so one that comes after any delay can join the present operation or none. The
 * description of the operation is written before it is announced and read only by workers that
 * joined, and the owner waits for all of them before it goes on: nothing else needs a lock.
 *
 * A team operation waits a bounded time for the others and then closes the gate. When all have
 * joined, worker k is member k, so that each core keeps its part of the weights in its cache;
 * otherwise members are numbered in the order in which they joined.
 *
 * Between operations a worker polls the gate for IDLE_NS, then sleeps on a condition variable. It
 * increments `sleepers` before it reads the gate for the last time, and the owner reads `sleepers`
 * after announcing (both sequentially consistent): at least one of the two sees the other's write. A
 * worker that sleeps decrements `sleepers` itself.
 *
 * A thread that waits for others inside an operation, at a barrier or for its end, spins (with more
 * threads than cores it yields its own), and after AWAKE_NS sleeps, by the same rule: it increments `waiters`
 * before it reads the counter for the last time, and the others read `waiters` after raising the counter.
 *
 * Where other processes use the cores, too, a member may lose its core in the middle of an operation
 * and all the others wait until it runs again. Who arrives last at a barrier leaves its number there. When the
 * leader has waited for a worker that had no core (its processor time says so: a member with the larger part
 * is no reason) for so long that the operation would have been over sooner without it, the following ones
 * leave that worker out, for PAUSE times as long as it was waited for, and twice as long as the
 * last time where that is not long ago: that bounds the cost of waiting, whatever else the machine has to
 * do. A worker that is left out is no sleeper that an announcement wakes; the owner wakes it when it is
 * wanted again. */
#include "base/pool.h"

#include "base/alloc.h"
#include "base/status.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SPINS_BETWEEN_CLOCKS 16u
#define SPINS_BEFORE_YIELD 2000u
#define AWAKE_NS 50000u /* a thread that waits for others stays awake this long */
#define IDLE_NS 400000u /* a worker polls the gate this long before it sleeps, */
#define MISSED_NS                                                                                  \
    2000000u /* and this long while an operation is on that it could not join (AWAKE_NS: left out) */

#define PATIENCE_NS 3000u /* a team operation waits this long for workers that are awake, */
#define WAKING_PATIENCE_NS 200000u /* and at most this long after waking one */
#define PAUSE 8u
#define LONGEST_PAUSE_NS 1000000000u

/* The gate: operation number << 32, CLOSED, STOP, TEAM, number of workers that joined. */
#define CLOSED (UINT64_C(1) << 31)
#define STOP (UINT64_C(1) << 30)
#define TEAM (UINT64_C(1) << 29)
#define JOINED_MASK (UINT64_C(0xffff))

static void spin_hint(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* One round of waiting: the thread that is waited for may need this core. */
static void wait_a_little(const ur_pool *p, unsigned *rounds)
{
    if (++*rounds > p->spins)
        sched_yield();
    else
        spin_hint();
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint32_t operation_of(uint64_t gate)
{
    return (uint32_t)(gate >> 32);
}

static int joined_in(uint64_t gate)
{
    return (int)(gate & JOINED_MASK);
}

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

/* Spins until *counter >= target; false: that has taken AWAKE_NS, since *began, and was not reached. */
static bool reached_awake(const ur_pool *p, const _Atomic uint64_t *counter, uint64_t target,
                          uint64_t *began)
{
    *began = 0;
    for (unsigned rounds = 0; atomic_load_explicit(counter, memory_order_acquire) < target;) {
        wait_a_little(p, &rounds);
        if (rounds % SPINS_BETWEEN_CLOCKS)
            continue;
        const uint64_t now = now_ns();
        if (!*began)
            *began = now;
        if (now - *began > AWAKE_NS)
            return false;
    }
    return true;
}

/* Waits until *counter >= target; what those that raised it wrote before is visible after. */
static void wait_for(ur_pool *p, const _Atomic uint64_t *counter, uint64_t target)
{
    uint64_t began;
    if (!reached_awake(p, counter, target, &began))
        sleep_until_reached(p, counter, target);
}

/* Whether this process is a child that inherited the pool: its workers are not there, and a lock may stand as
 * one of them held it. The caller is alone from then on. Asked where workers have to be woken, or none has
 * come: elsewhere a child finds that nobody joins, and needs no lock. */
static bool inherited(ur_pool *p)
{
    if (p->process == (long)getpid())
        return false;
    p->threads = 1;
    return true;
}

/* Wakes the threads that are counted in `asleep`; false when there are none. */
static bool wake_all(ur_pool *p, const _Atomic int *asleep, pthread_cond_t *condition)
{
    if (atomic_load(asleep) == 0 || inherited(p))
        return false;
    pthread_mutex_lock(&p->mutex); /* those counted are asleep by now, or saw the change */
    pthread_mutex_unlock(&p->mutex);
    pthread_cond_broadcast(condition);
    return true;
}

/* Those that sleep until they are wanted look whether they are. */
static void wake_everybody(ur_pool *p)
{
    if (inherited(p))
        return;
    pthread_mutex_lock(&p->mutex);
    pthread_mutex_unlock(&p->mutex);
    pthread_cond_broadcast(&p->wake);
}

/* To be called after raising a counter. */
static void wake_waiters(ur_pool *p)
{
    wake_all(p, &p->waiters, &p->reached);
}

bool ur_pool_wake_sleepers(ur_pool *p)
{
    return wake_all(p, &p->sleepers, &p->wake);
}

/* ---- workers ------------------------------------------------------------------------------ */

/* Whether there is a new operation for this worker: after `seen`, and not one that leaves it out. */
static bool is_for(const worker *me, uint64_t gate, uint32_t seen)
{
    return operation_of(gate) != seen && !(gate & TEAM && atomic_load(&me->left_out));
}

static void sleep_until_announced(const worker *me, uint32_t seen)
{
    ur_pool *p = me->pool;
    bool counted = false;
    pthread_mutex_lock(&p->mutex);
    while (!is_for(me, atomic_load(&p->gate), seen)) {
        if (counted == atomic_load(&me->left_out)) { /* looks again after it is counted */
            counted = !counted; /* by the sleeper alone: it may have to sleep on */
            atomic_fetch_add(&p->sleepers, counted ? 1 : -1);
        } else {
            pthread_cond_wait(&p->wake, &p->mutex);
        }
    }
    atomic_fetch_sub(&p->sleepers, counted);
    pthread_mutex_unlock(&p->mutex);
}

/* Waits for an operation after `seen`. A worker that missed `seen` polls until that is over, for at
 * most MISSED_NS: if it slept through it, it would miss the next one, too. */
static uint32_t wait_for_operation(const worker *me, uint32_t seen, bool missed)
{
    ur_pool *p = me->pool;
    uint64_t idle_since = 0;
    for (unsigned rounds = 0;;) {
        const uint64_t gate = atomic_load_explicit(&p->gate, memory_order_acquire);
        if (is_for(me, gate, seen))
            return operation_of(gate);
        wait_a_little(p, &rounds);
        if (rounds % SPINS_BETWEEN_CLOCKS)
            continue;
        if (missed && atomic_load_explicit(&p->finished, memory_order_relaxed) == seen) {
            missed = false;
            idle_since = 0;
        }
        uint64_t now = now_ns();
        if (!idle_since)
            idle_since = now;
        const uint64_t awake = atomic_load(&me->left_out) ? AWAKE_NS : missed ? MISSED_NS : IDLE_NS;
        if (now - idle_since > awake)
            sleep_until_announced(me, seen);
    }
}

/* Joins an operation: the new state of the gate, or CLOSED when joining is over. */
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

/* This worker's part in a team operation; the gate is as it left it by joining. */
static void take_part(const worker *w, uint64_t gate)
{
    ur_pool *p = w->pool;
    int all = p->expected, number = joined_in(gate);
    for (unsigned rounds = 0; joined_in(gate) < all && !(gate & CLOSED);) {
        wait_a_little(p, &rounds);
        gate = atomic_load_explicit(&p->gate, memory_order_acquire);
    }
    int joined = joined_in(gate);
    ur_member me = {joined == all ? w->member : number, joined + 1, &p->team, w->index};
    p->team_work(p->arg, &me);
    atomic_store_explicit(&p->last, w->index, memory_order_relaxed);
}

static void *worker_main(void *argument)
{
    const worker *me = argument;
    ur_pool *p = me->pool;
    uint32_t seen = 0;
    bool missed = false;
    ur_fpmode mode = ur_fpmode_enter();
    for (;;) {
        seen = wait_for_operation(me, seen, missed);
        if (atomic_load_explicit(&p->gate, memory_order_relaxed) & STOP)
            break;
        const int cpu = ur_current_cpu();
        if (cpu >= 0 && cpu == atomic_load_explicit(&p->leader_cpu, memory_order_relaxed))
            ur_leave_cpu(
                cpu); /* where the system may put a thread that wakes: both would share it */
        uint64_t gate = join(p, seen);
        missed = gate == CLOSED;
        if (missed)
            continue;
        if (p->for_work)
            take_tasks(p, me->index);
        else
            take_part(me, gate);
        atomic_fetch_add(&p->done, 1);
        wake_waiters(p);
    }
    ur_fpmode_leave(mode);
    return NULL;
}

/* ---- the owner ---------------------------------------------------------------------------- */

/* Opens the gate for the operation described in the pool; says whether a worker had to be woken. */
static bool announce(ur_pool *p, uint64_t flags)
{
    atomic_store_explicit(&p->done, 0, memory_order_relaxed);
    atomic_store_explicit(&p->barrier, 0, memory_order_relaxed);
    p->operation++;
    atomic_store_explicit(&p->leader_cpu, ur_current_cpu(), memory_order_relaxed);
    atomic_store(&p->gate, (uint64_t)p->operation << 32 | flags);
    return ur_pool_wake_sleepers(p);
}

/* No worker can join any more; returns how many have. */
static int close_gate(ur_pool *p)
{
    return joined_in(atomic_fetch_or_explicit(&p->gate, CLOSED, memory_order_acq_rel));
}

/* The processor time that a worker has had, ns; 0 where the system does not say. */
static uint64_t processor_ns(const worker *w)
{
    struct timespec t = {0};
#if defined(_POSIX_THREAD_CPUTIME) && _POSIX_THREAD_CPUTIME >= 0
    clockid_t clock;
    if (pthread_getcpuclockid(w->thread, &clock) || clock_gettime(clock, &t))
        return 0;
#else
    (void)w;
#endif
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The leader waits. Of a long wait, the time in which the worker that comes last had no core is put down to
 * that worker: one that only had more to do was not late. */
static void lead_wait(ur_pool *p, const _Atomic uint64_t *counter, uint64_t target)
{
    uint64_t began;
    if (reached_awake(p, counter, target, &began))
        return;
    for (int i = 1; i < p->threads; i++)
        p->workers[i - 1].had = processor_ns(&p->workers[i - 1]);
    sleep_until_reached(p, counter, target);
    const int last = atomic_load_explicit(&p->last, memory_order_relaxed);
    if (last == 0)
        return;
    worker *w = &p->workers[last - 1];
    const uint64_t ran = processor_ns(w) - w->had, took = now_ns() - began;
    if (ran + 2 * AWAKE_NS >= took) /* what it had while the leader was awake is not known */
        return;
    p->late = true;
    w->waited += took - ran;
}

/* Waits until those that joined are through. */
static void wait_until_done(ur_pool *p, int joined)
{
    lead_wait(p, &p->done, (uint64_t)joined);
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
    atomic_store_explicit(&pool->last, 0, memory_order_relaxed);
    announce(pool, 0);
    if (pool->back_at)
        wake_everybody(pool); /* tasks are for those that teams leave out, too */
    take_tasks(pool, 0);
    const int joined = close_gate(pool);
    if (joined == 0)
        inherited(pool);
    wait_until_done(pool, joined);
}

/* ---- teams -------------------------------------------------------------------------------- */

/* Waits for all workers that are not left out, but no longer than `patience`; returns how many joined. */
static int gather(ur_pool *p, uint64_t patience)
{
    int all = p->expected;
    uint64_t began = 0;
    for (unsigned rounds = 0;;) {
        int joined = joined_in(atomic_load_explicit(&p->gate, memory_order_acquire));
        if (joined == all) /* where none is left that could join the gate need not be closed */
            return all == p->threads - 1 ? all : close_gate(p);
        if (p->insist)
            sched_yield();
        else
            spin_hint(); /* never yields: the wait is short, and a yield may not be */
        if (++rounds % SPINS_BETWEEN_CLOCKS || p->insist)
            continue;
        uint64_t now = now_ns();
        if (!began)
            began = now;
        if (now - began > patience)
            return close_gate(p);
    }
}

uint64_t ur_team_pause(uint64_t total, uint64_t waited, uint64_t members)
{
    if (waited > total || (total - waited) * members >= total * (members - 1))
        return 0;
    const uint64_t pause = PAUSE * waited;
    return pause < LONGEST_PAUSE_NS ? pause : LONGEST_PAUSE_NS;
}

uint64_t ur_team_next_pause(uint64_t pause, uint64_t last, uint64_t over)
{
    if (over < last && pause < 2 * last)
        pause = 2 * last;
    return pause < LONGEST_PAUSE_NS ? pause : LONGEST_PAUSE_NS;
}

/* Who is left out has changed: those that are not, and when the first of the others comes back. */
static void count_members(ur_pool *p)
{
    p->expected = 0;
    p->back_at = 0;
    for (int i = 0; i < p->threads - 1; i++) {
        worker *w = &p->workers[i];
        if (!atomic_load(&w->left_out))
            w->member = ++p->expected;
        else if (!p->back_at || w->until < p->back_at)
            p->back_at = w->until;
    }
}

void ur_team_leave_out(ur_team *team, int index, uint64_t until)
{
    ur_pool *p = team->pool;
    worker *w = &p->workers[index - 1];
    const bool back = atomic_load(&w->left_out) && !until;
    if (until)
        w->until = until;
    atomic_store(&w->left_out, until != 0);
    count_members(p);
    if (back)
        wake_everybody(p); /* to be counted as a sleeper, or not to fall asleep */
}

static void take_back(ur_pool *p, uint64_t now)
{
    for (int i = 1; i < p->threads; i++)
        if (atomic_load(&p->workers[i - 1].left_out) && p->workers[i - 1].until <= now)
            ur_team_leave_out(&p->team, i, 0);
}

/* After an operation of so many members and ns: those that held it up are left out. */
static void leave_out_late(ur_pool *p, uint64_t now, uint64_t total, int members)
{
    for (int i = 1; i < p->threads; i++) {
        worker *w = &p->workers[i - 1];
        const uint64_t pause = w->waited ? ur_team_pause(total, w->waited, (uint64_t)members) : 0;
        w->waited = 0;
        if (!pause || p->insist)
            continue;
        w->pause = ur_team_next_pause(pause, w->pause, now - w->until);
        ur_team_leave_out(&p->team, i, now + w->pause);
    }
    p->late = false;
}

void ur_team_insist(ur_team *team)
{
    team->pool->insist = true;
}

void ur_team_take_turns(ur_team *team)
{
    team->pool->insist = team->pool->turns = true;
}

/* For tests: worker i takes part in 2^i operations, then not in as many. */
static void next_turn(ur_pool *p)
{
    p->turn++;
    for (int i = 1; i < p->threads; i++) {
        const bool out = p->turn >> i % 32 & 1;
        if (out != atomic_load(&p->workers[i - 1].left_out))
            ur_team_leave_out(&p->team, i, out ? UINT64_MAX : 0);
    }
}

/* How long the leader waits for workers to come. Waiting for a core to wake pays only where the operation
 * is much longer than that; the last one that began like this says so. */
static uint64_t patience_of(const ur_pool *p, bool woke)
{
    const uint64_t patience = woke ? p->last_waking / 16 : 0;
    if (patience < PATIENCE_NS)
        return PATIENCE_NS;
    return patience < WAKING_PATIENCE_NS ? patience : WAKING_PATIENCE_NS;
}

void ur_team_run(ur_team *team, void (*work)(void *arg, const ur_member *me), void *arg)
{
    ur_pool *p = team ? team->pool : NULL;
    const uint64_t began = p && p->threads > 1 ? now_ns() : 0;
    if (began && p->turns)
        next_turn(p);
    else if (began && p->back_at && p->back_at <= began)
        take_back(p, began);
    if (!began || p->expected == 0) {
        work(arg, &(ur_member){.count = 1});
        return;
    }
    p->for_work = NULL;
    p->team_work = work;
    p->arg = arg;
    const bool woke = announce(p, TEAM);
    const int joined = gather(p, patience_of(p, woke));
    if (joined == 0)
        inherited(p);
    work(arg, &(ur_member){.count = joined + 1, .team = joined ? team : NULL});
    wait_until_done(p, joined);
    if (!woke && !p->late)
        return;
    const uint64_t now = now_ns();
    if (woke)
        p->last_waking = now - began;
    if (p->late)
        leave_out_late(p, now, now - began, joined + 1);
}

void ur_barrier(const ur_member *me)
{
    if (!me->team)
        return;
    ur_pool *p = me->team->pool;
    /* The upper half counts barriers, the lower one the members that arrived at the present one. The
     * last to arrive is the only one that writes until it has opened the next. Each operation
     * begins with 0. */
    uint64_t before = atomic_fetch_add_explicit(&p->barrier, 1, memory_order_acq_rel);
    uint32_t number = (uint32_t)(before >> 32);
    if ((uint32_t)before + 1 == (uint32_t)me->count) {
        atomic_store_explicit(&p->last, me->worker, memory_order_relaxed);
        atomic_store(&p->barrier, (uint64_t)(number + 1) << 32);
        wake_waiters(p);
        return;
    }
    const uint64_t next = (uint64_t)(number + 1) << 32;
    if (me->worker == 0)
        lead_wait(p, &p->barrier, next);
    else
        wait_for(p, &p->barrier, next);
}

ur_range ur_my_range(const ur_member *me, size_t n)
{
    size_t count = (size_t)me->count, index = (size_t)me->index;
    size_t part = n / count, longer = n % count; /* the first `longer` parts have one item more */
    size_t begin = part * index + (index < longer ? index : longer);
    return (ur_range){begin, begin + part + (index < longer)};
}

ur_range ur_my_floats(const ur_member *me, size_t n)
{
    enum { LINE_FLOATS = 16 };
    const ur_range lines = ur_my_range(me, (n + LINE_FLOATS - 1) / LINE_FLOATS);
    const size_t begin = lines.begin * LINE_FLOATS, end = lines.end * LINE_FLOATS;
    return (ur_range){begin < n ? begin : n, end < n ? end : n};
}

ur_team *ur_pool_team(ur_pool *pool)
{
    return &pool->team;
}

size_t ur_team_size(const ur_team *team)
{
    return team ? (size_t)team->pool->threads : 1;
}

ur_team *ur_team_for(ur_team *team, size_t work)
{
    enum { LITTLE = 1 << 14 }; /* two cores of a Xeon and of an EPYC do as much alone as together */
    return team && work <= LITTLE && !team->pool->insist ? NULL : team;
}

/* ---- making and releasing ----------------------------------------------------------------- */

int ur_pool_threads(const ur_pool *pool)
{
    return pool->threads;
}

static void stop_workers(ur_pool *p, int made)
{
    announce(p, STOP | CLOSED);
    wake_everybody(p);
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
        p->workers[i].index = p->workers[i].member = i + 1;
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
    p->expected = threads - 1;
    p->process = (long)getpid();
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
    if (pool->threads > 1 && !inherited(pool)) {
        stop_workers(pool, pool->threads - 1);
        destroy_locks(pool);
    }
    release_pool(pool);
}
