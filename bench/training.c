/* training.c - what rows have in common whose pass is a step of training: works.h. */
#include "works.h"

#include <stdio.h>
#include <stdlib.h>

ur_step bench_step(ur_trainer *trainer, const char *name)
{
    ur_step step;
    ur_err err;
    if (ur_trainer_step(trainer, &step, &err) != UR_OK) {
        fprintf(stderr, "%s: %s\n", name, err.text);
        exit(1);
    }
    return step;
}

int32_t *bench_tokens(size_t count, size_t vocabulary)
{
    int32_t *ids = bench_memory(count, sizeof *ids);
    for (size_t i = 0; i < count; i++)
        ids[i] = (int32_t)(i * i / 7 % vocabulary);
    return ids;
}

ur_train_options bench_training_options(void)
{
    ur_train_options options = ur_train_defaults();
    options.epochs = (size_t)1 << 30;
    options.lr = 1e-4;
    options.clip = 1.0;
    return options;
}

double bench_training_run(void *arg)
{
    const bench_training *w = arg;
    bench_step(w->trainer, w->model->kind->name);
    return -1.0;
}

void bench_training_release(void *arg)
{
    bench_training *w = arg;
    ur_trainer_free(w->trainer);
    if (w->data)
        w->model->kind->free_data(w->data);
    ur_model_free(w->model);
    ur_context_free(w->context);
    free(w);
}

void *bench_training_begin(bench_training *w, bool ok, const ur_train_options *options, ur_err *err,
                           char why[BENCH_LINE])
{
    if (ok && ur_trainer_new(w->context, w->model, w->data, options, &w->trainer, err) == UR_OK)
        return w;
    snprintf(why, BENCH_LINE, "%s", err->text);
    bench_training_release(w);
    return NULL;
}
