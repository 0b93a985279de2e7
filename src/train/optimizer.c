/* optimizer.c - the step itself: norm, Adam or SGD over the whole parameter vector, shared by the
 * team in ranges, then the packed copies. Powers of beta come from our own multiplications, the
 * same on every machine. */
#include "train/trainer.h"

#include <math.h>

#include "kernels/math.h"

typedef struct norm_job {
    const ur_kernels *kernels;
    size_t size;
    const float *x;
    float *partial;
} norm_job;

static void norm_member(void *arg, const ur_member *me)
{
    const norm_job *job = arg;
    const ur_range mine = ur_my_range(me, (job->size + UR_SUM_BLOCK - 1) / UR_SUM_BLOCK);
    for (size_t i = mine.begin; i < mine.end; i++) {
        const size_t begin = i * UR_SUM_BLOCK, left = job->size - begin;
        const size_t n = left < UR_SUM_BLOCK ? left : UR_SUM_BLOCK;
        job->partial[i] = job->kernels->dot(n, job->x + begin, job->x + begin);
    }
}

float ur_trainer_norm(ur_trainer *t, const float *gradient)
{
    norm_job job = {t->context->kernels, ur_params_size(t->model->params), gradient, t->partial};
    ur_team_run(ur_pool_team(t->context->pool), norm_member, &job);
    return sqrtf(ur_tree_sum((job.size + UR_SUM_BLOCK - 1) / UR_SUM_BLOCK, t->partial));
}

typedef struct step_job {
    ur_trainer *trainer;
    const float *gradient;
    ur_adam adam;
    ur_sgd sgd;
} step_job;

static void step_range(const step_job *job, float decay, size_t begin, size_t end)
{
    const ur_trainer *t = job->trainer;
    const ur_kernels *k = t->context->kernels;
    float *w = ur_params_values(t->model->params) + begin;
    if (t->options.optimizer == UR_ADAM) {
        ur_adam adam = job->adam;
        adam.weight_decay = decay;
        k->adam(&adam, end - begin, job->gradient + begin, t->moment1 + begin, t->moment2 + begin,
                w);
    } else {
        ur_sgd sgd = job->sgd;
        sgd.weight_decay = decay;
        k->sgd(&sgd, end - begin, job->gradient + begin, t->moment1 ? t->moment1 + begin : NULL, w);
    }
}

/* This member's stretch of the vector, entry by entry: flags differ between entries. */
static void step_member(void *arg, const ur_member *me)
{
    const step_job *job = arg;
    const ur_params *params = job->trainer->model->params;
    const ur_range mine = ur_my_floats(me, ur_params_size(params));
    for (size_t i = 0; i < ur_params_count(params); i++) {
        const ur_param *p = ur_params_entry(params, i);
        const size_t begin = p->offset > mine.begin ? p->offset : mine.begin;
        const size_t end = p->offset + p->count < mine.end ? p->offset + p->count : mine.end;
        if (begin >= end || p->alias_of >= 0 || !(p->flags & UR_TRAINABLE))
            continue;
        step_range(job, p->flags & UR_DECAY ? (float)job->trainer->options.weight_decay : 0.0f,
                   begin, end);
    }
}

void ur_trainer_apply(ur_trainer *t, const float *gradient, double lr, float scale)
{
    const ur_train_options *o = &t->options;
    const uint64_t step = t->progress.step + 1;
    step_job job = {.trainer = t, .gradient = gradient};
    if (o->optimizer ==
        UR_ADAM) /* the moments are weighted by float betas: so are their corrections */
        job.adam = (ur_adam){
            .beta1 = (float)o->beta1,
            .beta2 = (float)o->beta2,
            .eps = (float)o->eps,
            .step_size = (float)(lr / (1.0 - ur_power((double)(float)o->beta1, step))),
            .inv_sqrt_bias2 = (float)(1.0 / sqrt(1.0 - ur_power((double)(float)o->beta2, step))),
            .grad_scale = scale};
    else
        job.sgd = (ur_sgd){.lr = (float)lr,
                           .momentum = (float)o->momentum,
                           .grad_scale = scale,
                           .nesterov = o->nesterov,
                           .first = step == 1};
    ur_team_run(ur_pool_team(t->context->pool), step_member, &job);
    ur_params_changed(t->model->params);
}
