/* runner.h - one job over the shards of a batch or of a data set, by all threads.
 *
 * With at least as many shards as threads each worker takes whole shards, on a tape of its own; with
 * fewer, the whole team works on one shard after the other. Neither changes a bit. Everything runs in
 * the library's floating-point mode, and the parameters' packed copies are brought up to date once,
 * before the first shard. The error told is that of the first shard that failed, by its number, whoever
 * came to it when. */
#ifndef UR_TAPE_RUNNER_H
#define UR_TAPE_RUNNER_H

#include "base/tiny.h"
#include "tape/tape.h"

/* The most sequences of a shard, and the most steps that they have together unless there is only one. */
enum { UR_SHARD_ROWS = UR_SIZE(32, 3), UR_SHARD_STEPS = UR_SIZE(4096, 40) };

/* A tape for every thread of a context. */
typedef struct ur_runner ur_runner;

ur_status ur_runner_new(ur_context *context, ur_runner **out, ur_err *err);
void ur_runner_free(ur_runner *runner); /* accepts NULL */
/* Gives the tapes' memory back until the next run. */
void ur_runner_rest(ur_runner *runner);

/* job(arg, tape, s) for every shard s in [0, shards). A job starts its tape, with these parameters and
 * in this mode; it has failed where it leaves a failed tape behind, and the shards after that one may
 * then be left out. Only the context's owner may call it, not from inside a job. */
ur_status ur_runner_run(ur_runner *runner, const ur_params *params, ur_mode mode, size_t shards,
                        void (*job)(void *arg, ur_tape *tape, size_t s), void *arg, ur_err *err);

/* Evaluation and prediction: items (texts, pairs, examples) on tapes for inference. */
typedef struct ur_items_job {
    size_t count; /* items */
    /* Steps that one takes. NULL: the items are taken in their own order, as if of one step each. */
    size_t (*length)(const void *arg, size_t item);
    /* Those items, on a tape that is started. Fails by failing the tape. result: zeros at first, this
     * shard's alone. */
    void (*run)(void *arg, ur_tape *tape, size_t count, const size_t *items, void *result);
    size_t result_size; /* bytes; 0: none */
    /* Takes the shards' results, one after the other in the order of the shards. NULL: nobody does. */
    void (*add)(void *arg, const void *result);
    /* Whose tapes are used, so that their memory is there already the next time. NULL: of this call alone. */
    ur_runner *runner;
    /* Large products are most of the work: while there are few shards the whole team works on one after the
     * other, since shards of different lengths would leave some threads without any. */
    bool products;
} ur_items_job;

/* Cuts the items into shards, longest first (stable), UR_SHARD_ROWS at a time and fewer where these would
 * have over UR_SHARD_STEPS steps, and runs the job over them. `add` is called only when all went well. */
ur_status ur_run_items(ur_context *context, const ur_params *params, const ur_items_job *job,
                       void *arg, ur_err *err);

#endif
