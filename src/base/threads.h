/* threads.h - who computes: a pool of workers, and teams that share one operation.
 *
 * ur_pool_for hands out independent tasks. ur_team_run lets all threads run the same code, each
 * over its own range, meeting at barriers. Nothing that is computed may depend on who computes it:
 * ranges split outputs, never sums. */
#ifndef UR_BASE_THREADS_H
#define UR_BASE_THREADS_H

#include "base/fpmode.h"
#include "unroll/core.h"

typedef struct ur_pool ur_pool;
typedef struct ur_team ur_team;

/* How many CPUs this process may use, at least 1: a good number of threads. */
int ur_usable_cpus(void);

/* The one that this thread is on, -1 where the system does not tell. */
int ur_current_cpu(void);

/* Lets the system move this thread to any other that it may use, if there is one; the thread may come
 * back to it later. */
void ur_leave_cpu(int cpu);

#define UR_MOST_THREADS 1024

/* A pool of `threads` threads, 1 to UR_MOST_THREADS, the caller being one of them (1 makes no
 * thread at all). UR_INVALID outside that; UR_NO_MEMORY or UR_UNSUPPORTED when the system refuses a
 * thread. */
ur_status ur_pool_new(const ur_allocator *a, int threads, ur_pool **out, ur_err *err);
void ur_pool_free(ur_pool *pool);
int ur_pool_threads(const ur_pool *pool);

/* Calls work(arg, task, worker) once for every task in [0, tasks), in any order, on any worker
 * in [0, threads); returns when all are done. Only the pool's owner may call it, not from inside a
 * task or a team. */
void ur_pool_for(ur_pool *pool, size_t tasks, void (*work)(void *arg, size_t task, int worker),
                 void *arg);

/* One of those who run a team's operation: index in [0, count), 0 is the leader (the caller). */
typedef struct ur_member {
    int index, count;
    ur_team *team; /* NULL when count is 1 */
    int worker;    /* of the pool; 0 is the leader, too */
} ur_member;

/* The team of all the pool's threads. */
ur_team *ur_pool_team(ur_pool *pool);

/* The most members an operation of this team can have (1 for NULL). */
size_t ur_team_size(const ur_team *team);

/* The team, for an operation that meets at a barrier each time its members have done `work` multiply-adds; NULL,
 * the caller alone, where that is so little that the barrier takes longer than others would save. A team that
 * insists shares everything. */
ur_team *ur_team_for(ur_team *team, size_t work);

/* For tests: operations of this team wait for all members, however long, from now on. */
void ur_team_insist(ur_team *team);
/* For tests: so, too, but every operation leaves out others, in a fixed order, now and then none or all. */
void ur_team_take_turns(ur_team *team);

/* Who may call it, and from where: as ur_pool_for.
 * Runs work on the leader and on every member that joins within a short bounded wait, and returns
 * when all of them are done; a member that does not (its core is busy) is left out of this
 * operation. After one in which the leader waited for a member so long that it would have been over sooner
 * without that member, the next ones do without it for a bounded time. An operation with many barriers had
 * better be several: a member is waited for until it has done its part. A NULL team runs work on the
 * caller alone. */
void ur_team_run(ur_team *team, void (*work)(void *arg, const ur_member *me), void *arg);

/* Waits for the other members of this operation; what they wrote before is visible after. */
void ur_barrier(const ur_member *me);

typedef struct ur_range {
    size_t begin, end;
} ur_range;

/* My part of n items, as even as possible, neighbours together. */
ur_range ur_my_range(const ur_member *me, size_t n);
/* My part of a vector of n floats, in whole cache lines. All that walks over the parameters divides them so:
 * what a member reads is what it wrote before. */
ur_range ur_my_floats(const ur_member *me, size_t n);

#endif
