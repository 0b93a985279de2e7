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
    const ur_kind *kind = e->model->kind;
    return kind->length ? kind->length(e->model, e->data, item) : 1;
}

/* Of a kind that measures its loss alone. */
static void measure_loss(ur_tape *tape, const evaluation *e, size_t count, const size_t *items,
                         ur_measure *sum)
{
    const ur_kind *kind = e->model->kind;
    const ur_tensor *loss = kind->loss(tape, e->model, e->data, count, items, 1.0);
    if (!loss)
        return;
    const float *value = ur_read(tape, loss);
    if (!value)
        return;
    sum->loss += (double)value[0];
    sum->examples += count;
    for (size_t i = 0; i < count; i++)
        sum->positions += kind->positions ? kind->positions(e->model, e->data, items[i]) : 1;
}

static void measure(void *arg, ur_tape *tape, size_t count, const size_t *items, void *result)
{
    const evaluation *e = arg;
    const ur_kind *kind = e->model->kind;
    if (kind->measure)
        kind->measure(tape, e->model, e->data, count, items, result);
    else
        measure_loss(tape, e, count, items, result);
}

static void add(void *arg, const void *result)
{
    const evaluation *e = arg;
    const ur_measure *m = result;
    e->sum->loss += m->loss;
    e->sum->positions += m->positions;
    e->sum->unknown += m->unknown;
    e->sum->examples += m->examples;
    for (size_t i = 0; i < UR_MOST_FIGURES; i++)
        e->sum->sum[i] += m->sum[i];
}

ur_status ur_evaluate_with(const ur_model *model, const void *data, ur_measure *out,
                           ur_confusion *confusion, ur_err *err)
{
    UR_FPMODE_HERE;
    *out = (ur_measure){0};
    if (model->kind->evaluate)
        return model->kind->evaluate(model, data, out, confusion, err);
    evaluation e = {model, data, out};
    const ur_items_job job = {.count = model->kind->examples(model, data),
                              .length = length_of,
                              .run = measure,
                              .result_size = sizeof(ur_measure),
                              .add = add};
    return ur_run_items(model->context, model->params, &job, &e, err);
}

ur_status ur_evaluate(const ur_model *model, const void *data, ur_measure *out, ur_err *err)
{
    return ur_evaluate_with(model, data, out, NULL, err);
}
