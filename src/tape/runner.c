/* runner.c - shards over threads: tapes, floating-point mode, team or pool, the first error. */
#include "tape/runner.h"

#include <pthread.h>

#include "base/alloc.h"
#include "base/sort.h"
#include "base/status.h"

struct ur_runner {
    ur_context *context;
    ur_tape **tapes; /* (threads) */
    pthread_mutex_t lock;
    size_t failed; /* the first shard that did, so far; SIZE_MAX: none */
    ur_err error;  /* its error */
};

ur_status ur_runner_new(ur_context *context, ur_runner **out, ur_err *err)
{
    const ur_allocator *a = &context->allocator;
    const int threads = ur_context_threads(context);
    *out = NULL;
    ur_runner *r = ur_alloc_zero(a, 1, sizeof *r);
    if (!r)
        return ur_no_memory(err, sizeof *r);
    if (pthread_mutex_init(&r->lock, NULL) != 0) {
        ur_free(a, r);
        return ur_no_memory(err, sizeof *r);
    }
    r->context = context;
    r->tapes = ur_alloc_zero(a, (size_t)threads, sizeof(ur_tape *));
    ur_status status = r->tapes ? UR_OK : ur_no_memory(err, (size_t)threads * sizeof(ur_tape *));
    for (int i = 0; i < threads && status == UR_OK; i++)
        status = ur_tape_new(context, &r->tapes[i], err);
    if (status != UR_OK) {
        ur_runner_free(r);
        return status;
    }
    *out = r;
    return UR_OK;
}

void ur_runner_free(ur_runner *r)
{
    if (!r)
        return;
    const ur_allocator *a = &r->context->allocator;
    for (int i = 0; r->tapes && i < ur_context_threads(r->context); i++)
        ur_tape_free(r->tapes[i]);
    pthread_mutex_destroy(&r->lock);
    ur_free(a, r->tapes);
    ur_free(a, r);
}

void ur_runner_rest(ur_runner *r)
{
    for (int i = 0; i < ur_context_threads(r->context); i++)
        ur_tape_rest(r->tapes[i]);
}

typedef struct running {
    ur_runner *runner;
    void (*job)(void *arg, ur_tape *tape, size_t s);
    void *arg;
} running;

static size_t first_failed(ur_runner *r)
{
    pthread_mutex_lock(&r->lock);
    const size_t failed = r->failed;
    pthread_mutex_unlock(&r->lock);
    return failed;
}

/* Shards after one that failed are left out; those before it are not, so that the first of all that
 * fail is always run. */
static void run_shard(void *arg, size_t s, int worker)
{
    const running *me = arg;
    ur_runner *r = me->runner;
    ur_tape *tape = r->tapes[worker];
    if (s > first_failed(r))
        return;
    me->job(me->arg, tape, s);
    if (ur_tape_ok(tape))
        return;
    pthread_mutex_lock(&r->lock);
    if (s < r->failed) {
        r->failed = s;
        ur_fail(&r->error, ur_tape_status(tape), "%s", ur_error(tape));
    }
    pthread_mutex_unlock(&r->lock);
}

/* few: so many shards are the team's, one after the other. */
static ur_status run(ur_runner *r, const ur_params *params, ur_mode mode, size_t shards, size_t few,
                     void (*job)(void *arg, ur_tape *tape, size_t s), void *arg, ur_err *err)
{
    const int threads = ur_context_threads(r->context);
    const bool team = shards <= few;
    running me = {r, job, arg};
    if (ur_params_context(params) != r->context)
        return ur_fail(err, UR_INVALID, "the parameters are of another context");
    UR_FPMODE_HERE;
    const ur_status ready = ur_params_prepare(params, mode, ur_pool_team(r->context->pool), err);
    if (ready != UR_OK)
        return ready;
    r->failed = SIZE_MAX;
    for (int i = 0; i < threads; i++)
        ur_tape_use_team(r->tapes[i], team);
    if (team)
        for (size_t s = 0; s < shards; s++)
            run_shard(&me, s, 0);
    else
        ur_pool_for(r->context->pool, shards, run_shard, &me);
    return r->failed == SIZE_MAX ? UR_OK : ur_fail(err, r->error.status, "%s", r->error.text);
}

ur_status ur_runner_run(ur_runner *r, const ur_params *params, ur_mode mode, size_t shards,
                        void (*job)(void *arg, ur_tape *tape, size_t s), void *arg, ur_err *err)
{
    const size_t few = (size_t)ur_context_threads(r->context) - 1;
    return run(r, params, mode, shards, few, job, arg, err);
}

/* ---- items -------------------------------------------------------------------------------- */

typedef struct cut {
    const ur_params *params;
    const ur_items_job *job;
    void *arg;
    size_t *order; /* (count) longest first */
    size_t *begin; /* (shards + 1) */
    size_t shards;
    unsigned char *results; /* (shards) of job->result_size bytes */
} cut;

/* Of each thread, the longest first: with more of them nobody is long without one. */
enum { FEW_SHARDS = 4 };

static size_t length_of(const void *cut_of_items, size_t item)
{
    const cut *c = cut_of_items;
    return c->job->length ? c->job->length(c->arg, item) : 1;
}

/* Where the shards of the sorted items begin; begin has room for count + 1. */
static void find_shards(cut *c)
{
    size_t rows = 0, steps = 0;
    c->shards = 0;
    for (size_t i = 0; i < c->job->count; i++) {
        const size_t length = length_of(c, c->order[i]);
        if (rows == 0 || rows == UR_SHARD_ROWS || steps + length > UR_SHARD_STEPS) {
            c->begin[c->shards++] = i;
            rows = steps = 0;
        }
        rows++;
        steps += length;
    }
    c->begin[c->shards] = c->job->count;
}

static void run_items(void *arg, ur_tape *tape, size_t s)
{
    const cut *c = arg;
    ur_tape_start(tape, UR_INFER, c->params, NULL, 0, 0);
    c->job->run(c->arg, tape, c->begin[s + 1] - c->begin[s], c->order + c->begin[s],
                c->results + s * c->job->result_size);
}

static ur_status cut_items(const ur_allocator *a, cut *c, ur_err *err)
{
    const size_t count = c->job->count;
    c->order = ur_alloc(a, count + 1, sizeof *c->order);
    c->begin = ur_alloc(a, count + 1, sizeof *c->begin);
    if (!c->order || !c->begin)
        return ur_no_memory(err, count * sizeof *c->order);
    for (size_t i = 0; i < count; i++)
        c->order[i] = i;
    if (c->job->length)
        ur_sort_longest_first(c->order, count, c->begin, length_of, c);
    find_shards(c);
    c->results = ur_alloc_zero(a, c->shards + 1, c->job->result_size ? c->job->result_size : 1);
    return c->results ? UR_OK : ur_no_memory(err, c->shards * c->job->result_size);
}

ur_status ur_run_items(ur_context *context, const ur_params *params, const ur_items_job *job,
                       void *arg, ur_err *err)
{
    const ur_allocator *a = &context->allocator;
    const size_t threads = (size_t)ur_context_threads(context);
    cut c = {.params = params, .job = job, .arg = arg};
    ur_runner *runner = job->runner;
    ur_status status = cut_items(a, &c, err);
    if (status == UR_OK && !runner)
        status = ur_runner_new(context, &runner, err);
    if (status == UR_OK)
        status = run(runner, params, UR_INFER, c.shards,
                     job->products ? FEW_SHARDS * threads : threads - 1, run_items, &c, err);
    for (size_t s = 0; s < c.shards && status == UR_OK && job->add; s++)
        job->add(arg, c.results + s * job->result_size);
    if (!job->runner)
        ur_runner_free(runner);
    ur_free(a, c.results);
    ur_free(a, c.begin);
    ur_free(a, c.order);
    return status;
}
