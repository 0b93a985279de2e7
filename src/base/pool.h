/* pool.h - the inside of a pool of threads, for threads.c, which says how it works, and its tests. */
#ifndef UR_BASE_POOL_H
#define UR_BASE_POOL_H

#include "base/threads.h"

#include <pthread.h>
#include <stdatomic.h>

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
    uint64_t last_waking;  /* ns that the last team operation took that began by waking a worker */
    uint64_t waited;       /* ns that the leader waited in this team operation, spinning left out */
    uint64_t alone_until;  /* by the clock: the leader works alone */
    bool insist;           /* for tests: team operations wait for all, always */
    pthread_mutex_t mutex; /* for sleeping only */
    pthread_cond_t wake;   /* an operation was announced */
    pthread_cond_t reached; /* a counter was raised */

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

/* Wakes the workers that sleep until an operation is announced; says whether there were any. The
 * owner may call it after any delay: they may be asleep again, then until the next operation. */
bool ur_pool_wake_sleepers(ur_pool *p);

/* For how many ns the operations after one are better off without the others: it took `total`, of
 * which the leader waited so long. The parts are even, so alone the leader would have taken
 * `members` times what it spent on its own. */
uint64_t ur_team_pause(uint64_t total, uint64_t waited, uint64_t members);

#endif
