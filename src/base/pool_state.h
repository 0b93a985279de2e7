/* pool_state.h - how threads work together; shared by threads.c (the pool) and team.c.
 *
 * An operation (a loop or a team operation) is announced in one word, the gate: its number, how
 * many workers have joined, and whether joining is over. A worker joins by compare-and-swap on the
 * whole word, so one that is late by any amount can join the present operation or none. The
 * description of the operation is written before it is announced and read only by those who joined,
 * and the owner waits for all of them before it goes on: nothing else needs a lock.
 *
 * A team operation waits a moment for the others and then closes the gate. When all have joined,
 * worker k is member k, so that each core keeps its part of the weights in its cache; otherwise
 * members are numbered as they came.
 *
 * Between operations a worker watches the gate for IDLE_NS, then sleeps on a condition variable. It
 * counts itself a sleeper before it looks at the gate for the last time, and the owner looks for
 * sleepers after announcing (both sequentially consistent): one of the two sees the other.
 *
 * Whoever waits for others inside an operation, at a barrier or for its end, spins, then yields its
 * core, and after PATIENT_NS sleeps, by the same rule: it counts itself a waiter before its last look,
 * and the others look for waiters after counting themselves in.
 *
 * On cores that others want, too, a member may lose its core in the middle of an operation and all the
 * others wait until it has one again. When the leader has waited so long that it would have been
 * faster alone, the following operations are the leader's alone, for PAUSE times as long as it
 * waited: that bounds what waiting costs, whatever else the machine has to do. */
#ifndef UR_BASE_POOL_STATE_H
#define UR_BASE_POOL_STATE_H

#include "base/threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#define SPINS_BETWEEN_CLOCKS 16u
#define SPINS_BEFORE_YIELD 2000u
#define PATIENT_NS 1000000u
#define PAUSE 8u
#define LONGEST_PAUSE_NS 1000000000u

/* The gate: operation number << 32, CLOSED, STOP, number of workers that joined. */
#define CLOSED (UINT64_C(1) << 31)
#define STOP (UINT64_C(1) << 30)
#define JOINED_MASK (UINT64_C(0xffff))

#define LINE 128 /* two cache lines, since some processors fetch them in pairs */
#define OWN_LINES _Alignas(LINE)

typedef struct worker {
    ur_pool *pool;
    int index;
    pthread_t thread;
} worker;

struct ur_team {
    ur_pool *pool;
};

struct ur_pool {
    const ur_allocator *allocator;
    void *memory; /* what the allocator gave; the pool stands aligned in it */
    worker *workers;
    int threads;
    unsigned spins; /* before a waiting thread yields its core */
    ur_team team;
    uint32_t operation;    /* number of the last one */
    uint64_t last_waking;  /* ns that the last team operation took that began by waking somebody */
    uint64_t waited;       /* ns that the leader waited in this team operation, spinning left out */
    uint64_t alone_until;  /* by the clock: the leader works alone */
    bool insist;           /* for tests: team operations wait for everybody, always */
    pthread_mutex_t mutex; /* for sleeping only */
    pthread_cond_t wake;   /* an operation was announced */
    pthread_cond_t reached; /* somebody counted himself in */

    /* The operation. */
    void (*for_work)(void *arg, size_t task, int worker); /* NULL in a team operation */
    void (*team_work)(void *arg, const ur_member *me);
    void *arg;
    size_t tasks;

    OWN_LINES _Atomic uint64_t gate;
    _Atomic int leader_cpu;              /* when the operation was announced; -1: not known */
    OWN_LINES _Atomic uint32_t finished; /* number of the last operation that is over */
    OWN_LINES _Atomic int sleepers;
    OWN_LINES _Atomic size_t next_task;
    OWN_LINES _Atomic int waiters;
    OWN_LINES _Atomic uint64_t done;    /* workers through with the operation */
    OWN_LINES _Atomic uint64_t barrier; /* barriers passed << 32, members arrived at the next */
};

static inline void spin_hint(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* One round of waiting for the gate: the one waited for may need this core. */
static inline void wait_a_little(const ur_pool *p, unsigned *rounds)
{
    if (++*rounds > p->spins)
        sched_yield();
    else
        spin_hint();
}

static inline uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint32_t operation_of(uint64_t gate)
{
    return (uint32_t)(gate >> 32);
}

static inline int joined_in(uint64_t gate)
{
    return (int)(gate & JOINED_MASK);
}

/* Opens the gate for the operation described in the pool; says whether somebody had to be woken. */
bool ur_pool_announce(ur_pool *p, uint64_t flags);

/* Wakes whoever sleeps until an operation is announced; says whether anybody did. The owner may be late
 * for that by any amount: the sleepers may be asleep again, then until the next operation. */
bool ur_pool_wake_sleepers(ur_pool *p);

/* Nobody can join any more; returns how many have. */
int ur_pool_close_gate(ur_pool *p);

/* Waits until those who joined are through. */
void ur_pool_wait_until_done(ur_pool *p, int joined);

/* Waits until *counter >= target; what those who counted wrote before is visible after. Returns the
 * nanoseconds that it took beyond spinning. */
uint64_t ur_pool_wait_for(ur_pool *p, const _Atomic uint64_t *counter, uint64_t target);

/* To be called after raising a counter. */
void ur_pool_wake_waiters(ur_pool *p);

/* The part in a team operation of worker `index`, who found the gate in this state by joining. */
void ur_team_take_part(ur_pool *p, uint64_t gate, int index);

#endif
