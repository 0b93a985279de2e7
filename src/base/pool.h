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
    int index; /* from 1 on */
    pthread_t thread;
    _Atomic bool left_out; /* of team operations; changed by the owner between operations */
    int member;            /* its number in an operation of all that are not left out */
    uint64_t until, pause; /* of the last time that it was left out: the end by the clock, ns */
    uint64_t waited;       /* ns that the leader waited in this operation while it had no core */
    uint64_t had; /* processor time, ns, when the leader's present wait became a long one */
} worker;

struct ur_team {
    ur_pool *pool;
};

struct ur_pool {
    const ur_allocator *allocator;
    void *memory; /* what the allocator gave; the pool stands aligned in it */
    worker *workers;
    int threads;
    long process;   /* that made the pool: a child has inherited no workers */
    unsigned spins; /* before a waiting thread yields its core */
    ur_team team;
    uint32_t operation;   /* number of the last one */
    uint64_t last_waking; /* ns that the last team operation took that began by waking a worker */
    int expected;         /* workers that are not left out */
    uint64_t back_at; /* by the clock: the first of those left out comes back; 0: there are none */
    bool late;        /* the leader waited for somebody in this operation, not only awake */
    bool insist;      /* for tests: team operations wait for all that are not left out */
    bool turns;       /* for tests: who is left out changes with every operation */
    uint32_t turn;
    pthread_mutex_t mutex;  /* for sleeping only */
    pthread_cond_t wake;    /* an operation was announced */
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
    _Atomic int last;                   /* worker that arrived last at a barrier or at the end */
};

/* Wakes the workers that sleep until an operation is announced; says whether there were any. The
 * owner may call it after any delay: they may be asleep again, then until the next operation. */
bool ur_pool_wake_sleepers(ur_pool *p);

/* For how many ns the operations after one are better off without one of its members: it took `total`, of
 * which the leader waited so long for that one. The parts are even, so the others would have taken
 * members / (members - 1) times what the leader spent on its own. */
uint64_t ur_team_pause(uint64_t total, uint64_t waited, uint64_t members);

/* The same where the last pause was so long and has been over for so many ns: twice that, where it was not
 * over for as long as it took. Under a load that stays a member is tried less and less often. */
uint64_t ur_team_next_pause(uint64_t pause, uint64_t last, uint64_t over);

/* Team operations do without this worker, 1 to threads - 1, until the clock (CLOCK_MONOTONIC, ns) says so;
 * 0: it is back. Between operations. */
void ur_team_leave_out(ur_team *team, int worker, uint64_t until);

#endif
