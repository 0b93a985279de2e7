/* optimizer.c - how weights follow gradients: each rule is a function over a stretch of the parameter
 * vector, and a line in the list; the team shares the vector. Powers of beta come from our own
 * multiplications, the same on every machine. */
#include "unroll/train.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "kernels/math.h"
#include "tape/params.h"

enum { MOST_MOMENTS = 2 };

struct ur_optimizer {
    ur_context *context;
    ur_params *params;
    ur_train_options options;
    uint64_t steps;              /* done */
    float *moment[MOST_MOMENTS]; /* (size of the parameters) each; NULL: not used */
    float *partial;              /* (blocks of the vector) sums of squares */
};

/* ---- the rules ---------------------------------------------------------------------------- */

/* One step of n weights. */
typedef struct update {
    const ur_context *context;
    const ur_train_options *options;
    uint64_t step; /* counted from 1 */
    double lr;
    float scale; /* of the gradient */
    double decay;
    size_t n;
    const float *gradient;
    float *moment[MOST_MOMENTS], *w;
} update;

/* The moments are weighted by float betas: so are their corrections. */
static ur_adam adam_of(const update *u)
{
    const ur_train_options *o = u->options;
    return (ur_adam){
        .beta1 = (float)o->beta1,
        .beta2 = (float)o->beta2,
        .eps = (float)o->eps,
        .step_size = (float)(u->lr / (1.0 - ur_power((double)(float)o->beta1, u->step))),
        .inv_sqrt_bias2 = (float)(1.0 / sqrt(1.0 - ur_power((double)(float)o->beta2, u->step))),
        .grad_scale = u->scale};
}

static void adam(const update *u)
{
    ur_adam a = adam_of(u);
    a.weight_decay = (float)u->decay;
    u->context->backend->adam(u->context, &a, u->n, u->gradient, u->moment[0], u->moment[1], u->w);
}

/* The decay acts on the weights, not through the gradient (Loshchilov and Hutter 2019). */
static void adamw(const update *u)
{
    ur_adam a = adam_of(u);
    a.decoupled_decay = (float)(u->lr * u->decay);
    u->context->backend->adam(u->context, &a, u->n, u->gradient, u->moment[0], u->moment[1], u->w);
}

static void sgd(const update *u)
{
    const ur_train_options *o = u->options;
    const ur_sgd s = {.lr = (float)u->lr,
                      .momentum = (float)o->momentum,
                      .weight_decay = (float)u->decay,
                      .grad_scale = u->scale,
                      .nesterov = o->nesterov,
                      .first = u->step == 1};
    u->context->backend->sgd(u->context, &s, u->n, u->gradient, u->moment[0], u->w);
}

static size_t two_moments(const ur_train_options *o)
{
    (void)o;
    return 2;
}

static size_t velocity(const ur_train_options *o)
{
    return o->momentum > 0.0;
}

/* In the order of UR_ADAM, UR_SGD ... */
static const struct rule {
    const char *name;
    const char *const *options;
    size_t (*moments)(const ur_train_options *options);
    void (*step)(const update *u);
} rules[] = {
    {"adam", (const char *const[]){"beta1", "beta2", "eps", "weight_decay", NULL}, two_moments,
     adam},
    {"sgd", (const char *const[]){"momentum", "nesterov", "weight_decay", NULL}, velocity, sgd},
    {"adamw", (const char *const[]){"beta1", "beta2", "eps", "weight_decay", NULL}, two_moments,
     adamw},
};
enum { RULES = sizeof rules / sizeof *rules };

const char *ur_optimizer_name(size_t index)
{
    return index < RULES ? rules[index].name : NULL;
}

const char *const *ur_optimizer_options(size_t index)
{
    return index < RULES ? rules[index].options : NULL;
}

/* ---- an optimiser ------------------------------------------------------------------------- */

ur_status ur_optimizer_new(ur_params *params, const ur_train_options *options, ur_optimizer **out,
                           ur_err *err)
{
    *out = NULL;
    const ur_status status = ur_train_check(options, err);
    if (status != UR_OK)
        return status;
    if (!ur_params_data(params))
        return ur_fail(err, UR_INVALID, "the parameters are not sealed yet (ur_params_seal)");
    const ur_allocator *a = &ur_params_context(params)->allocator;
    const size_t size = ur_params_size(params);
    ur_optimizer *o = ur_alloc_zero(a, 1, sizeof *o);
    if (!o)
        return ur_no_memory(err, sizeof *o);
    o->context = ur_params_context(params);
    o->params = params;
    o->options = *options;
    o->partial = ur_alloc(a, ur_sum_blocks(size), sizeof *o->partial);
    bool ok = o->partial != NULL;
    for (size_t i = 0; ok && i < rules[options->optimizer].moments(options); i++)
        ok = (o->moment[i] = ur_alloc_zero(a, size, sizeof(float))) != NULL;
    if (!ok) {
        ur_optimizer_free(o);
        return ur_no_memory(err, size * sizeof(float));
    }
    *out = o;
    return UR_OK;
}

void ur_optimizer_free(ur_optimizer *o)
{
    if (!o)
        return;
    const ur_allocator *a = &o->context->allocator;
    for (size_t i = 0; i < MOST_MOMENTS; i++)
        ur_free(a, o->moment[i]);
    ur_free(a, o->partial);
    ur_free(a, o);
}

float *ur_optimizer_moment(ur_optimizer *o, size_t index)
{
    return index < MOST_MOMENTS ? o->moment[index] : NULL;
}

uint64_t ur_optimizer_steps(const ur_optimizer *o)
{
    return o->steps;
}

void ur_optimizer_set_steps(ur_optimizer *o, uint64_t steps)
{
    o->steps = steps;
}

double ur_optimizer_norm(ur_optimizer *o, const float *gradient)
{
    UR_FPMODE_HERE;
    const ur_context *c = o->context;
    const ur_executor on = {c->backend, c->kernels, ur_pool_team(c->pool), NULL};
    const float squares =
        c->backend->sum_squares(&on, ur_params_size(o->params), gradient, o->partial);
    const double norm = (double)sqrtf(squares);
    return norm;
}

typedef struct step_job {
    const ur_optimizer *optimizer;
    const float *gradient;
    float *values;
    double lr;
    float scale;
} step_job;

/* This member's stretch of the vector, entry by entry: flags differ between entries. */
static void step_member(void *arg, const ur_member *me)
{
    const step_job *job = arg;
    const ur_optimizer *o = job->optimizer;
    const ur_range mine = ur_my_floats(me, ur_params_size(o->params));
    for (size_t i = 0; i < ur_params_count(o->params); i++) {
        const ur_param *p = ur_params_entry(o->params, i);
        const size_t begin = p->offset > mine.begin ? p->offset : mine.begin;
        const size_t end = p->offset + p->count < mine.end ? p->offset + p->count : mine.end;
        if (begin >= end || p->alias_of >= 0 || !(p->flags & UR_TRAINABLE))
            continue;
        update u = {.context = o->context,
                    .options = &o->options,
                    .step = o->steps + 1,
                    .lr = job->lr,
                    .scale = job->scale,
                    .decay = p->flags & UR_DECAY ? o->options.weight_decay : 0.0,
                    .n = end - begin,
                    .gradient = job->gradient + begin,
                    .w = job->values + begin};
        for (size_t m = 0; m < MOST_MOMENTS; m++)
            u.moment[m] = o->moment[m] ? o->moment[m] + begin : NULL;
        rules[o->options.optimizer].step(&u);
    }
}

void ur_optimizer_step(ur_optimizer *o, const float *gradient, double lr, double scale)
{
    UR_FPMODE_HERE;
    step_job job = {o, gradient, ur_params_values(o->params), lr, (float)scale};
    ur_team_run(ur_pool_team(o->context->pool), step_member, &job);
    o->steps++;
}
