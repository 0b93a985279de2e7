/* evaluate.c - a model's measure over a whole data set, shard by shard, shared by the threads. The
 * shards' figures are added in order, so threads do not change them. */
#include "train/trainer.h"

#include "base/alloc.h"
#include "base/status.h"

typedef struct evaluation {
    const ur_model *model;
    const void *data;
    size_t examples;
    size_t *order;       /* (examples) longest first */
    ur_tape **tapes;     /* (threads) */
    ur_measure *measure; /* (shards) */
    ur_err *error;       /* (threads) */
} evaluation;

static void measure_shard(void *arg, size_t s, int worker)
{
    const evaluation *e = arg;
    const size_t begin = s * UR_SHARD_ROWS, left = e->examples - begin;
    ur_tape *tape = e->tapes[worker];
    ur_tape_start(tape, UR_INFER, e->model->params, NULL, 0, 0);
    e->measure[s] = (ur_measure){0};
    e->model->class_of->measure(tape, e->model, e->data,
                                left < UR_SHARD_ROWS ? left : UR_SHARD_ROWS, e->order + begin,
                                &e->measure[s]);
    if (ur_tape_status(tape) != UR_OK)
        ur_fail(&e->error[worker], ur_tape_status(tape), "%s", ur_error(tape));
}

/* Places by falling length, stable (a counting sort). */
static bool sort_all(const ur_allocator *a, evaluation *e)
{
    size_t longest = 0;
    for (size_t i = 0; i < e->examples; i++) {
        const size_t n = e->model->class_of->length(e->model, e->data, i);
        longest = n > longest ? n : longest;
    }
    size_t *place = ur_alloc_zero(a, longest + 2, sizeof *place);
    if (!place)
        return false;
    for (size_t i = 0; i < e->examples; i++)
        place[longest - e->model->class_of->length(e->model, e->data, i) + 1]++;
    for (size_t n = 1; n <= longest + 1; n++)
        place[n] += place[n - 1];
    for (size_t i = 0; i < e->examples; i++)
        e->order[place[longest - e->model->class_of->length(e->model, e->data, i)]++] = i;
    ur_free(a, place);
    return true;
}

static bool take_memory(ur_context *context, evaluation *e, size_t shards)
{
    const ur_allocator *a = &context->allocator;
    const size_t threads = (size_t)ur_context_threads(context);
    bool ok = (e->order = ur_alloc(a, e->examples, sizeof *e->order)) != NULL;
    ok = ok && (e->measure = ur_alloc(a, shards, sizeof *e->measure));
    ok = ok && (e->error = ur_alloc_zero(a, threads, sizeof *e->error));
    ok = ok && (e->tapes = ur_alloc_zero(a, threads, sizeof(ur_tape *)));
    for (size_t i = 0; ok && i < threads; i++) {
        ok = ur_tape_new(context, &e->tapes[i], NULL) == UR_OK;
        if (ok)
            ur_tape_use_team(e->tapes[i], shards < threads);
    }
    return ok && sort_all(a, e);
}

static void free_memory(ur_context *context, evaluation *e)
{
    const ur_allocator *a = &context->allocator;
    for (int i = 0; e->tapes && i < ur_context_threads(context); i++)
        ur_tape_free(e->tapes[i]);
    ur_free(a, e->tapes);
    ur_free(a, e->order);
    ur_free(a, e->measure);
    ur_free(a, e->error);
}

static void add_up(const evaluation *e, size_t shards, ur_measure *out)
{
    for (size_t s = 0; s < shards; s++) {
        out->loss += e->measure[s].loss;
        out->positions += e->measure[s].positions;
        out->examples += e->measure[s].examples;
        out->right += e->measure[s].right;
        out->forced_right += e->measure[s].forced_right;
    }
}

ur_status ur_evaluate(ur_context *context, const ur_model *model, const void *data, ur_measure *out,
                      ur_err *err)
{
    *out = (ur_measure){0};
    if (model->class_of->evaluate)
        return model->class_of->evaluate(context, model, data, out, err);
    evaluation e = {.model = model, .data = data};
    e.examples = model->class_of->examples(model, data);
    const size_t shards = (e.examples + UR_SHARD_ROWS - 1) / UR_SHARD_ROWS;
    ur_status status = UR_OK;
    if (!take_memory(context, &e, shards)) {
        status = ur_no_memory(err, e.examples * sizeof *e.order);
    } else {
        const ur_fpmode mode = ur_fpmode_enter();
        if (shards < (size_t)ur_context_threads(context))
            for (size_t s = 0; s < shards; s++)
                measure_shard(&e, s, 0);
        else
            ur_pool_for(context->pool, shards, measure_shard, &e);
        ur_fpmode_leave(mode);
        for (int i = 0; i < ur_context_threads(context) && status == UR_OK; i++)
            if (e.error[i].status != UR_OK)
                status = ur_fail(err, e.error[i].status, "%s", e.error[i].text);
        add_up(&e, shards, out);
    }
    free_memory(context, &e);
    return status;
}
