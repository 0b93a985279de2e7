/* train.c - training a run to its end: steps, evaluations, logs, checkpoints. */
#include "run/run.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/alloc.h"
#include "base/status.h"

/* Seconds from one save to the next, where the settings say nothing else: at the ends of epochs, and within a
 * long one. */
static const double SAVE_SECONDS = 5.0, SAVE_SECONDS_WITHIN = 60.0;

/* This session of training. */
typedef struct session {
    ur_run *run;
    const ur_run_hooks *hooks;
    double epoch_seconds; /* training alone, of the epoch's part in this session */
    size_t epoch_examples, epoch_positions;
    size_t steps;              /* of this session */
    double step_seconds;       /* of all of them */
    double evaluation_seconds; /* of the last evaluation */
    double saved;              /* when, by the clock */
    ur_step last;
} session;

static double now(const session *s)
{
    struct timespec t;
    if (s->hooks->clock)
        return s->hooks->clock(s->hooks->user);
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double per_second(const session *s, size_t count)
{
    return s->epoch_seconds > 0.0 ? (double)count / s->epoch_seconds : 0.0;
}

/* In what the kind counts. */
static double speed(const session *s)
{
    const char *unit = s->run->assets.kind->unit;
    const bool tokens = unit && strcmp(unit, "tokens") == 0;
    return per_second(s, tokens ? s->epoch_positions : s->epoch_examples);
}

/* Whether a run was given minutes and it was not yet said how many steps these are. */
static bool steps_open(const session *s)
{
    return s->run->settings.minutes > 0.0 && !s->run->settings.train.steps;
}

static double seconds_left(const session *s)
{
    const ur_trainer *t = s->run->trainer;
    const ur_train_options *o = &t->options;
    if (steps_open(s))
        return fmax(60.0 * s->run->settings.minutes - s->run->seconds, 0.0);
    const double total = o->steps ? (double)o->steps : (double)o->epochs * (double)t->batches;
    double left = total - (double)t->progress.step;
    if (o->max_steps && (double)o->max_steps - (double)t->progress.step < left)
        left = (double)o->max_steps - (double)t->progress.step;
    const double epochs = ceil(left / (double)t->batches);
    return left * s->step_seconds / (double)(s->steps ? s->steps : 1) +
           epochs * s->evaluation_seconds;
}

/* A mean over `count`; NaN over nothing. */
static double mean(double sum, size_t count)
{
    return count ? sum / (double)count : (double)NAN;
}

/* What the epoch's steps say; the figures of validation data are not known yet. */
static ur_metrics figures_of(const session *s, bool validates)
{
    const double unknown = (double)NAN;
    const ur_step *last = &s->last;
    ur_metrics m = {.epoch = last->epoch,
                    .step = last->step,
                    .has_valid = validates,
                    .lr = last->lr,
                    .train_loss = last->epoch_loss,
                    .train_perplexity = exp(mean(last->epoch_nll, last->epoch_positions)),
                    .valid_loss = unknown,
                    .train_seconds = s->run->train_seconds,
                    .sequences_per_second = per_second(s, s->epoch_examples),
                    .tokens_per_second = per_second(s, s->epoch_positions)};
    for (size_t i = 0; i < UR_MOST_FIGURES; i++)
        m.valid[i] = unknown;
    for (size_t i = 0; i < UR_MOST_NOTED; i++)
        m.train[i] = i < ur_kind_noted(s->run->assets.kind) ? last->epoch_noted[i] : unknown;
    return m;
}

/* What the best weights are chosen by: the validation loss, or the figure that was named. */
static double figure_of(const ur_run *run, const ur_metrics *m)
{
    const ur_figure *f = ur_run_best_figure(run);
    return f ? m->valid[f - run->assets.kind->figures] : m->valid_loss;
}

/* What is to be as low as possible: the validation loss, or the figure that was named, turned around where
 * more of it is better. */
static double least_wanted(const ur_run *run, const ur_metrics *m)
{
    const ur_figure *f = ur_run_best_figure(run);
    return f && f->higher_is_better ? -figure_of(run, m) : figure_of(run, m);
}

/* The validation data's figures, and what schedules, early stopping and the best weights go by. */
static ur_status validate(const session *s, ur_metrics *m, ur_err *err)
{
    ur_run *run = s->run;
    const ur_kind *kind = run->assets.kind;
    ur_measure sum;
    ur_trainer_rest(run->trainer);
    ur_status status = ur_evaluate(run->assets.model, run->assets.valid, &sum, err);
    if (status != UR_OK)
        return status;
    m->valid_loss = ur_measure_figure(kind, &sum, "loss");
    for (size_t i = 0; kind->figures && kind->figures[i].name; i++)
        m->valid[i] = ur_measure_figure(kind, &sum, kind->figures[i].name);
    if (!isfinite(m->valid_loss))
        return ur_fail(err, UR_DIVERGED, "step %zu: the validation loss is %g", s->last.step,
                       m->valid_loss);
    run->valid = figure_of(run, m);
    run->valid_step = s->last.step;
    const bool counts = s->last.epoch_ended || run->settings.valid_every;
    return counts && ur_trainer_validated(run->trainer, least_wanted(run, m))
               ? ur_run_note_best(run, err)
               : UR_OK;
}

/* Whether this step, or this epoch's end, is one at which the validation data is measured. */
static bool validates(const session *s, bool all)
{
    const size_t every = s->run->settings.eval_every;
    const size_t steps = s->run->settings.valid_every;
    if (steps)
        return s->run->assets.valid && (all || s->last.step % steps == 0);
    return s->run->assets.valid && (all || every <= 1 || s->last.epoch % every == 0);
}

/* The part of a run's minutes after which its steps are counted, unless the first epoch ends before. */
static const double MINUTES_MEASURED = 0.1;

/* As many steps as fit into the run's minutes, at the pace so far. */
static ur_status fix_steps(session *s, ur_err *err)
{
    ur_run *run = s->run;
    const double wanted = run->settings.minutes * 60.0, took = run->seconds, most = 1 << 30;
    double steps = took > 0.0 ? floor((double)s->last.step * wanted / took) : most;
    steps = steps < (double)s->last.step ? (double)s->last.step : steps > most ? most : steps;
    ur_trainer_set_steps(run->trainer, (size_t)steps);
    run->settings.train.steps = run->trainer->options.steps;
    run->settings.train.epochs = run->trainer->options.epochs;
    return ur_run_save_config(run, err);
}

static ur_status evaluate(session *s, bool all, ur_err *err)
{
    ur_run *run = s->run;
    ur_metrics m = figures_of(s, validates(s, all));
    const double begin = now(s);
    ur_status status = m.has_valid ? validate(s, &m, err) : UR_OK;
    s->evaluation_seconds = now(s) - begin;
    run->seconds += s->evaluation_seconds;
    m.seconds = run->seconds;
    if (status == UR_OK && steps_open(s) && s->last.epoch_ended)
        status = fix_steps(s, err);
    if (status == UR_OK)
        status = ur_run_add_metrics(run, &m, err);
    if (status == UR_OK && s->hooks->on_evaluation)
        s->hooks->on_evaluation(s->hooks->user, &m);
    return status;
}

/* Whether there is a model.safetensors. */
static ur_status model_saved(const ur_run *run, bool *saved, ur_err *err)
{
    char *path = ur_path_join(run->a, run->folder, UR_LAST_FILE);
    ur_there there;
    if (!path)
        return ur_no_memory(err, strlen(run->folder) + 32);
    const ur_status status = ur_look(path, &there, err);
    *saved = there != UR_NOTHING_THERE;
    ur_free(run->a, path);
    return status;
}

/* The first epoch is saved, so that there is something to use soon; then it is a matter of time, for
 * the disk takes longer than a short epoch. */
static bool save_due(const session *s)
{
    const ur_progress *p = &s->run->trainer->progress;
    const size_t every = s->run->settings.save_every;
    if (every)
        return p->epoch % every == 0;
    return p->epoch == 1 || now(s) - s->saved >= SAVE_SECONDS;
}

/* So that an epoch of hours is not lost with its process. */
static bool save_due_within(const session *s)
{
    return !s->run->settings.save_every && now(s) - s->saved >= SAVE_SECONDS_WITHIN;
}

/* With early stopping a saved model gives way to a better one alone, which ur_run_save_best writes. */
static ur_status save(session *s, ur_err *err)
{
    ur_run *run = s->run;
    bool keep = run->settings.train.early_stop > 0;
    ur_status status = ur_run_save_best(run, err);
    if (status == UR_OK && keep)
        status = model_saved(run, &keep, err);
    if (status == UR_OK && !keep)
        status = ur_run_save_model(run, err);
    if (status == UR_OK)
        status = ur_run_save_checkpoint(run, err);
    s->saved = now(s);
    return status;
}

/* A step whose gradient was finite may still have thrown a weight out of range: such weights must
 * not replace good ones. */
static ur_status weights_finite(const ur_run *run, ur_err *err)
{
    const ur_params *params = run->assets.model->params;
    float number;
    const ur_param *p = ur_params_not_finite(params, ur_params_data(params), &number);
    return p ? ur_fail(err, UR_DIVERGED,
                       "step %llu left %s not finite; try a smaller learning rate",
                       (unsigned long long)run->trainer->progress.step, p->name)
             : UR_OK;
}

/* The weights before the step that failed are saved if nothing is yet, and the best ones. */
static ur_status keep_last_good(ur_run *run, ur_err *err)
{
    bool saved;
    ur_run_save_best(run, NULL);
    if (model_saved(run, &saved, NULL) == UR_OK && !saved && weights_finite(run, NULL) == UR_OK)
        ur_run_save_model(run, NULL);
    return err ? err->status : UR_DIVERGED;
}

static ur_status one_step(session *s, ur_err *err)
{
    ur_run *run = s->run;
    const double begin = now(s);
    const ur_status status = ur_trainer_step(run->trainer, &s->last, err);
    const double took = now(s) - begin;
    if (status != UR_OK)
        return status;
    run->seconds += took;
    run->train_seconds += took;
    s->epoch_seconds += took;
    s->epoch_examples += s->last.examples;
    s->epoch_positions += s->last.positions;
    s->step_seconds += took;
    s->steps++;
    if (s->hooks->on_step)
        s->hooks->on_step(s->hooks->user, &s->last, speed(s), seconds_left(s));
    const double measured = MINUTES_MEASURED * 60.0 * run->settings.minutes;
    return steps_open(s) && !s->last.epoch_ended && run->seconds >= measured ? fix_steps(s, err)
                                                                             : UR_OK;
}

/* What comes after a step: evaluation, saving, and the end. */
static ur_status after_step(session *s, ur_err *err)
{
    ur_run *run = s->run;
    const bool all = ur_trainer_finished(run->trainer);
    const bool stop = !all && s->hooks->should_stop && s->hooks->should_stop(s->hooks->user);
    const size_t every = run->settings.valid_every;
    const bool evaluation = s->last.epoch_ended || all || (every && s->last.step % every == 0);
    const bool within = !evaluation && save_due_within(s);
    ur_status status = evaluation || stop || within ? weights_finite(run, err) : UR_OK;
    if (status == UR_OK && evaluation) {
        status = evaluate(s, all, err);
        s->epoch_seconds = 0.0;
        s->epoch_examples = s->epoch_positions = 0;
    }
    const bool ended = ur_trainer_finished(run->trainer); /* early stopping may have decided so */
    if (status == UR_OK && (ended || stop || within || (evaluation && save_due(s))))
        status = save(s, err);
    if (status == UR_OK && stop && !ended)
        return ur_fail(err, UR_INTERRUPTED, "stopped after step %zu", s->last.step);
    return status;
}

ur_status ur_run_train(ur_run *run, const ur_run_hooks *hooks, ur_err *err)
{
    UR_FPMODE_HERE;
    static const ur_run_hooks silent = {0};
    ur_err own;
    if (!err)
        err = &own;
    if (!run->trainer)
        return ur_fail(err, UR_INVALID, "this run was opened to be used, not to be trained");
    session s = {.run = run, .hooks = hooks ? hooks : &silent};
    s.saved = now(&s);
    ur_status status = UR_OK;
    while (status == UR_OK && !ur_trainer_finished(run->trainer)) {
        status = one_step(&s, err);
        if (status == UR_OK)
            status = after_step(&s, err);
    }
    if (status == UR_DIVERGED)
        return keep_last_good(run, err);
    bool saved = false;
    if (status == UR_OK && run->settings.train.early_stop)
        status = model_saved(run, &saved, err);
    return status == UR_OK && saved ? ur_run_load_model(run, err) : status;
}
