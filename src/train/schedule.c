/* schedule.c - learning rates as PyTorch's schedulers give them (train.h), and early stopping. Each
 * schedule is a few functions and a line in the list.
 *
 * Every rate comes from sums, products and ur_cos_pi, so it is the same on every machine. What an
 * epoch changes is kept in the state, which checkpoints save. */
#include "train/schedule.h"

#include <math.h>

#include "base/status.h"
#include "base/threads.h"
#include "kernels/math.h"

/* ReduceLROnPlateau's defaults: what counts as better, and the least change of a rate. */
static const double BETTER = 1.0 - 1e-4, LEAST_CHANGE = 1e-8;

/* ---- the schedules ------------------------------------------------------------------------ */

static void step_epoch(const ur_train_options *o, ur_schedule_state *s, uint64_t epoch)
{
    if (epoch % o->lr_epochs == 0)
        s->lr *= o->lr_factor;
}

/* Where a step stands. */
typedef struct place {
    uint64_t step;         /* of all training, from 1 */
    double done;           /* of all epochs, or of `steps`, 0 to 1 */
    uint64_t taken, total; /* steps: before this one, and all of them */
} place;

static double cosine_lr(const ur_train_options *o, const place *at)
{
    const double done = at->done;
    const double part = done < 1.0 ? 0.5 * (1.0 + ur_cos_pi(done)) : 0.0; /* 1 to 0 */
    return o->lr_min + (o->lr - o->lr_min) * part;
}

/* From the end of the warm-up on, which makes the rates before it. */
static double inverse_sqrt_lr(const ur_train_options *o, const place *at)
{
    const uint64_t warm = o->warmup_steps;
    return at->step > warm ? o->lr * sqrt((double)warm / (double)at->step) : o->lr;
}

/* Up from 0, and down to 0 behind the last step. */
static double linear_lr(const ur_train_options *o, const place *at)
{
    const uint64_t warm = o->warmup_steps;
    if (at->taken < warm)
        return o->lr * ((double)at->taken / (double)warm);
    if (at->taken >= at->total)
        return 0.0;
    return o->lr *
           ((double)(at->total - at->taken) / (double)(at->total > warm ? at->total - warm : 1));
}

static void plateau_validated(const ur_train_options *o, ur_schedule_state *s, double loss)
{
    if (loss < s->best * BETTER) {
        s->best = loss;
        s->waited = 0;
    } else {
        s->waited++;
    }
    if (s->waited <= o->lr_patience)
        return;
    const double reduced = s->lr * o->lr_factor;
    const double lr = reduced > o->lr_min ? reduced : o->lr_min;
    if (s->lr - lr > LEAST_CHANGE)
        s->lr = lr;
    s->waited = 0;
}

static ur_status check_epochs(const ur_train_options *o, ur_err *err)
{
    return o->lr_epochs
               ? UR_OK
               : ur_fail(err, UR_INVALID,
                         "a step of the learning rate every 0 epochs, at least 1 expected");
}

static ur_status check_factor(const ur_train_options *o, ur_err *err)
{
    return o->lr_factor > 0.0 && o->lr_factor < 1.0
               ? UR_OK
               : ur_fail(err, UR_INVALID, "learning-rate factor %g, it must be above 0 and below 1",
                         o->lr_factor);
}

static ur_status check_least(const ur_train_options *o, ur_err *err)
{
    return o->lr_min >= 0.0 && o->lr_min <= o->lr
               ? UR_OK
               : ur_fail(err, UR_INVALID, "least learning rate %g, it must be from 0 to %g",
                         o->lr_min, o->lr);
}

static ur_status check_warmup(const ur_train_options *o, ur_err *err)
{
    return o->warmup_steps
               ? UR_OK
               : ur_fail(err, UR_INVALID,
                         "a learning rate by inverse square roots needs a warm-up of at least 1 "
                         "step: its length says how fast the rate falls");
}

typedef ur_status check(const ur_train_options *options, ur_err *err);

/* In the order of UR_LR_CONSTANT, UR_LR_STEP ... What a schedule has no use for is NULL. */
static const struct schedule {
    const char *name;
    const char *const *options;
    check *const *checks;
    /* The rate by where the step stands, instead of the state's. */
    double (*lr)(const ur_train_options *options, const place *at);
    void (*epoch)(const ur_train_options *options, ur_schedule_state *state, uint64_t epoch);
    void (*validated)(const ur_train_options *options, ur_schedule_state *state, double loss);
    bool warms; /* it makes the warm-up itself */
} schedules[] = {
    {"constant", (const char *const[]){NULL}, (check *const[]){NULL}, NULL, NULL, NULL, false},
    {"step", (const char *const[]){"lr_epochs", "lr_factor", NULL},
     (check *const[]){check_epochs, check_factor, NULL}, NULL, step_epoch, NULL, false},
    {"cosine", (const char *const[]){"lr_min", NULL}, (check *const[]){check_least, NULL},
     cosine_lr, NULL, NULL, false},
    {"plateau", (const char *const[]){"lr_factor", "lr_patience", "lr_min", NULL},
     (check *const[]){check_factor, check_least, NULL}, NULL, NULL, plateau_validated, false},
    {"inverse_sqrt", (const char *const[]){NULL}, (check *const[]){check_warmup, NULL},
     inverse_sqrt_lr, NULL, NULL, false},
    {"linear", (const char *const[]){NULL}, (check *const[]){NULL}, linear_lr, NULL, NULL, true},
};
enum { SCHEDULES = sizeof schedules / sizeof *schedules };

const char *ur_schedule_name(size_t index)
{
    return index < SCHEDULES ? schedules[index].name : NULL;
}

const char *const *ur_schedule_options(size_t index)
{
    return index < SCHEDULES ? schedules[index].options : NULL;
}

bool ur_schedule_needs_validation(size_t index)
{
    return index < SCHEDULES && schedules[index].validated;
}

/* ---- a learning rate ---------------------------------------------------------------------- */

ur_schedule_state ur_schedule_start(const ur_train_options *o)
{
    return (ur_schedule_state){.lr = o->lr, .best = HUGE_VAL, .least = HUGE_VAL};
}

ur_status ur_schedule_check(const ur_train_options *o, ur_err *err)
{
    if (!ur_schedule_name((size_t)o->schedule))
        return ur_fail(err, UR_INVALID, "unknown learning-rate schedule %d", o->schedule);
    ur_status status = UR_OK;
    for (check *const *c = schedules[o->schedule].checks; *c && status == UR_OK; c++)
        status = (*c)(o, err);
    return status;
}

double ur_schedule_lr(const ur_train_options *o, const ur_schedule_state *s, uint64_t step,
                      uint64_t epoch, uint64_t batch, size_t batches)
{
    UR_FPMODE_HERE;
    const size_t each = o->accumulate ? o->accumulate : 1;
    const uint64_t steps = (batches + each - 1) / each; /* of an epoch */
    double lr = s->lr;
    if (schedules[o->schedule].lr) {
        place at = {.step = step + 1,
                    .done = ((double)epoch + (double)batch / (double)batches) / (double)o->epochs,
                    .taken = epoch * steps + batch / each,
                    .total = o->epochs * steps};
        if (o->steps) {
            at.done = (double)step / (double)o->steps;
            at.taken = step;
            at.total = o->steps;
        }
        lr = schedules[o->schedule].lr(o, &at);
    }
    if (step + 1 < o->warmup_steps && !schedules[o->schedule].warms)
        lr *= (double)(step + 1) / (double)o->warmup_steps;
    return lr;
}

void ur_schedule_epoch(const ur_train_options *o, ur_schedule_state *s, uint64_t epoch)
{
    UR_FPMODE_HERE;
    if (schedules[o->schedule].epoch)
        schedules[o->schedule].epoch(o, s, epoch);
}

bool ur_schedule_validated(const ur_train_options *o, ur_schedule_state *s, double loss)
{
    UR_FPMODE_HERE;
    if (schedules[o->schedule].validated)
        schedules[o->schedule].validated(o, s, loss);
    const bool least = loss < s->least;
    s->unbeaten = least ? 0 : s->unbeaten + 1;
    s->least = least ? loss : s->least;
    return least;
}

bool ur_schedule_ended(const ur_train_options *o, const ur_schedule_state *s)
{
    return o->early_stop > 0 && s->unbeaten >= o->early_stop;
}
