/* schedule.c - learning rates as PyTorch's schedulers give them (train.h), and early stopping.
 *
 * Every rate comes from sums, products and ur_cos_pi, so it is the same on every machine. What an
 * epoch changes is kept in the state, which checkpoints save. */
#include "train/schedule.h"

#include <math.h>

#include "base/status.h"
#include "kernels/math.h"

/* ReduceLROnPlateau's defaults: what counts as better, and the least change of a rate. */
static const double BETTER = 1.0 - 1e-4, LEAST_CHANGE = 1e-8;

ur_schedule_state ur_schedule_start(const ur_train_options *o)
{
    return (ur_schedule_state){.lr = o->lr, .best = HUGE_VAL, .least = HUGE_VAL};
}

ur_status ur_schedule_check(const ur_train_options *o, ur_err *err)
{
    const bool factor = o->schedule == UR_LR_STEP || o->schedule == UR_LR_PLATEAU;
    const bool least = o->schedule == UR_LR_COSINE || o->schedule == UR_LR_PLATEAU;
    if ((unsigned)o->schedule > UR_LR_PLATEAU)
        return ur_fail(err, UR_INVALID, "unknown learning-rate schedule %d", (int)o->schedule);
    if (o->schedule == UR_LR_STEP && o->lr_epochs == 0)
        return ur_fail(err, UR_INVALID,
                       "a step of the learning rate every 0 epochs, at least 1 "
                       "expected");
    if (factor && !(o->lr_factor > 0.0 && o->lr_factor < 1.0))
        return ur_fail(err, UR_INVALID, "learning-rate factor %g, it must be above 0 and below 1",
                       o->lr_factor);
    if (least && !(o->lr_min >= 0.0 && o->lr_min <= o->lr))
        return ur_fail(err, UR_INVALID, "least learning rate %g, it must be from 0 to %g",
                       o->lr_min, o->lr);
    return UR_OK;
}

/* 1 at x = 0, 0 at x = 1. */
static double cosine(double x)
{
    return x < 1.0 ? 0.5 * (1.0 + ur_cos_pi(x)) : 0.0;
}

double ur_schedule_lr(const ur_train_options *o, const ur_schedule_state *s, uint64_t step,
                      uint64_t epoch, uint64_t batch, size_t batches)
{
    double lr = s->lr;
    if (o->schedule == UR_LR_COSINE) {
        const double done = (double)epoch + (double)batch / (double)batches;
        lr = o->lr_min + (o->lr - o->lr_min) * cosine(done / (double)o->epochs);
    }
    if (step + 1 < o->warmup_steps)
        lr *= (double)(step + 1) / (double)o->warmup_steps;
    return lr;
}

void ur_schedule_epoch(const ur_train_options *o, ur_schedule_state *s, uint64_t epoch)
{
    if (o->schedule == UR_LR_STEP && epoch % o->lr_epochs == 0)
        s->lr *= o->lr_factor;
}

static void reduce_on_plateau(const ur_train_options *o, ur_schedule_state *s, double loss)
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

bool ur_schedule_validated(const ur_train_options *o, ur_schedule_state *s, double loss)
{
    if (o->schedule == UR_LR_PLATEAU)
        reduce_on_plateau(o, s, loss);
    const bool least = loss < s->least;
    s->unbeaten = least ? 0 : s->unbeaten + 1;
    s->least = least ? loss : s->least;
    return least;
}

bool ur_schedule_ended(const ur_train_options *o, const ur_schedule_state *s)
{
    return o->early_stop > 0 && s->unbeaten >= o->early_stop;
}
