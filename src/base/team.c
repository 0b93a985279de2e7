/* team.c - operations that several threads share: gathering the members, barriers, ranges. */
#include "base/pool_state.h"

#define PATIENCE_NS 3000u          /* a team operation waits this long for those who are awake, */
#define WAKING_PATIENCE_NS 200000u /* and at most this long after waking somebody */

void ur_team_take_part(ur_pool *p, uint64_t gate, int index)
{
    int all = p->threads - 1, number = joined_in(gate);
    for (unsigned rounds = 0; joined_in(gate) < all && !(gate & CLOSED);) {
        wait_a_little(p, &rounds);
        gate = atomic_load_explicit(&p->gate, memory_order_acquire);
    }
    int joined = joined_in(gate);
    ur_member me = {joined == all ? index : number, joined + 1, &p->team};
    p->team_work(p->arg, &me);
}

/* Waits for everybody, but no longer than `patience`; returns how many joined. */
static int gather(ur_pool *p, uint64_t patience)
{
    int all = p->threads - 1;
    uint64_t began = 0;
    for (unsigned rounds = 0;;) {
        int joined = joined_in(atomic_load_explicit(&p->gate, memory_order_acquire));
        if (joined == all)
            return all; /* nobody is left who could join: the gate need not be closed */
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
            return ur_pool_close_gate(p);
    }
}

/* After a team operation: whether the next ones are better off without the others. The parts are
 * even, so alone the leader would have taken `members` times what it spent on its own. */
static void judge(ur_pool *p, uint64_t began, uint64_t members)
{
    const uint64_t now = now_ns(), total = now - began, waited = p->waited;
    if (p->insist || waited > total || (total - waited) * members >= total)
        return;
    const uint64_t pause = PAUSE * waited;
    p->alone_until = now + (pause < LONGEST_PAUSE_NS ? pause : LONGEST_PAUSE_NS);
}

void ur_team_insist(ur_team *team)
{
    team->pool->insist = true;
}

void ur_team_run(ur_team *team, void (*work)(void *arg, const ur_member *me), void *arg)
{
    const uint64_t began = team && team->pool->threads > 1 ? now_ns() : 0;
    if (!began || began < team->pool->alone_until) {
        work(arg, &(ur_member){0, 1, NULL});
        return;
    }
    ur_pool *p = team->pool;
    p->waited = 0;
    p->for_work = NULL;
    p->team_work = work;
    p->arg = arg;
    bool woke = ur_pool_announce(p, 0);

    /* Waiting for a core to wake pays only where the operation is much longer than that; the last
     * one that began like this says so. */
    uint64_t patience = PATIENCE_NS;
    if (woke) {
        if (p->last_waking / 16 > patience)
            patience = p->last_waking / 16;
        if (patience > WAKING_PATIENCE_NS)
            patience = WAKING_PATIENCE_NS;
    }
    int joined = gather(p, patience);
    ur_member me = {0, joined + 1, joined ? team : NULL};
    work(arg, &me);
    ur_pool_wait_until_done(p, joined);
    if (woke)
        p->last_waking = now_ns() - began;
    if (p->waited)
        judge(p, began, (uint64_t)joined + 1);
}

void ur_barrier(const ur_member *me)
{
    if (!me->team)
        return;
    ur_pool *p = me->team->pool;
    /* The upper half counts barriers, the lower one those who arrived at the present one. The last
     * to arrive is alone in writing until it has opened the next. Each operation begins with 0. */
    uint64_t before = atomic_fetch_add_explicit(&p->barrier, 1, memory_order_acq_rel);
    uint32_t number = (uint32_t)(before >> 32);
    if ((uint32_t)before + 1 == (uint32_t)me->count) {
        atomic_store(&p->barrier, (uint64_t)(number + 1) << 32);
        ur_pool_wake_waiters(p);
        return;
    }
    const uint64_t waited = ur_pool_wait_for(p, &p->barrier, (uint64_t)(number + 1) << 32);
    if (me->index == 0)
        p->waited += waited;
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
