/* evaluate.c - a model's measure over a whole data set. The shards' figures are added in order, so
 * threads do not change them. */
#include "tape/runner.h"
#include "unroll/train.h"

typedef struct evaluation {
    const ur_model *model;
    const void *data;
    ur_measure *sum;
} evaluation;

static size_t length_of(const void *arg, size_t item)
{
    const evaluation *e = arg;
    return e->model->class_of->length(e->model, e->data, item);
}

static void measure(void *arg, ur_tape *tape, size_t count, const size_t *items, void *result)
{
    const evaluation *e = arg;
    e->model->class_of->measure(tape, e->model, e->data, count, items, result);
}

static void add(void *arg, const void *result)
{
    const evaluation *e = arg;
    const ur_measure *m = result;
    e->sum->loss += m->loss;
    e->sum->positions += m->positions;
    e->sum->examples += m->examples;
    e->sum->right += m->right;
    e->sum->forced_right += m->forced_right;
}

ur_status ur_evaluate(ur_context *context, const ur_model *model, const void *data, ur_measure *out,
                      ur_err *err)
{
    UR_FPMODE_HERE;
    *out = (ur_measure){0};
    if (model->class_of->evaluate)
        return model->class_of->evaluate(context, model, data, out, err);
    evaluation e = {model, data, out};
    const ur_items_job job = {.count = model->class_of->examples(model, data),
                              .length = length_of,
                              .run = measure,
                              .result_size = sizeof(ur_measure),
                              .add = add};
    return ur_run_items(context, model->params, &job, &e, err);
}
