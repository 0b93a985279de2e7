/* trainer.c - one optimiser step at a time.
 *
 * A step has one batch or several, whose gradients are added in their order. A batch is sorted by length (stable), cut into shards, and every shard runs the model's forward
 * and backward on a tape of its own (tape/runner.h); their gradients meet in a fixed tree
 * (shards.c). */
#include "train/trainer.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/philox.h"
#include "base/sort.h"
#include "base/status.h"
#include "base/streams.h"

ur_train_options ur_train_defaults(void)
{
    return (ur_train_options){.batch = 32,
                              .accumulate = 1,
                              .epochs = UR_EPOCHS_AUTO,
                              .optimizer = UR_ADAM,
                              .lr = 2e-3,
                              .clip = 1.0,
                              .beta1 = 0.9,
                              .beta2 = 0.999,
                              .eps = 1e-8,
                              .seed = 42,
                              .lr_epochs = 10,
                              .lr_factor = 0.1,
                              .lr_patience = 10};
}

/* What config.json can hold of a count. */
enum { MOST_COUNT = 1 << 30, MOST_BATCH = 1 << 20 };

static ur_status check_counts(const ur_train_options *o, ur_err *err)
{
    const struct {
        const char *name;
        size_t count;
    } all[] = {{"epochs", o->epochs == UR_EPOCHS_AUTO ? 1 : o->epochs},
               {"steps", o->steps},
               {"max_steps", o->max_steps},
               {"lr_epochs", o->lr_epochs},
               {"lr_patience", o->lr_patience},
               {"warmup_steps", o->warmup_steps},
               {"early_stop", o->early_stop}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].count > MOST_COUNT)
            return ur_fail(err, UR_INVALID, "%s %zu, at most %d expected", all[i].name,
                           all[i].count, MOST_COUNT);
    if (o->batch < 1 || o->batch > MOST_BATCH)
        return ur_fail(err, UR_INVALID, "batch size %zu, 1 to %d expected", o->batch, MOST_BATCH);
    if (o->accumulate > MOST_BATCH)
        return ur_fail(err, UR_INVALID, "%zu batches per step, at most %d expected", o->accumulate,
                       MOST_BATCH);
    return UR_OK;
}

ur_status ur_train_check(const ur_train_options *o, ur_err *err)
{
    const ur_status counts = check_counts(o, err);
    if (counts != UR_OK)
        return counts;
    if (o->optimizer < 0 || !ur_optimizer_name((size_t)o->optimizer))
        return ur_fail(err, UR_INVALID, "unknown optimiser %d", o->optimizer);
    if (!(o->lr > 0.0 && o->lr <= 1e6))
        return ur_fail(err, UR_INVALID, "learning rate %g, it must be above 0", o->lr);
    if (!(o->beta1 >= 0.0 && o->beta1 < 1.0 && o->beta2 >= 0.0 && o->beta2 < 1.0 && o->eps > 0.0 &&
          o->eps <= 1.0))
        return ur_fail(err, UR_INVALID,
                       "Adam: beta1 %g and beta2 %g must be in [0, 1), eps %g in (0, 1]", o->beta1,
                       o->beta2, o->eps);
    if (!(o->momentum >= 0.0 && o->momentum < 1.0))
        return ur_fail(err, UR_INVALID, "momentum %g, it must be in [0, 1)", o->momentum);
    if (!(o->weight_decay >= 0.0 && o->weight_decay <= 1e6 && o->clip >= 0.0 && o->clip <= 1e30))
        return ur_fail(err, UR_INVALID,
                       "weight decay %g must be from 0 to 1e6, clip %g from 0 to 1e30",
                       o->weight_decay, o->clip);
    if (o->nesterov && !(o->momentum > 0.0))
        return ur_fail(err, UR_INVALID, "Nesterov's momentum needs a momentum above 0");
    return ur_schedule_check(o, err);
}

/* What UR_EPOCHS_AUTO stands for. */
static size_t choose_epochs(const ur_kind *kind, size_t steps_each)
{
    enum { STEPS = 4000 };
    const size_t steps = kind->steps ? kind->steps : STEPS;
    const size_t epochs = (steps + steps_each - 1) / steps_each;
    return epochs < UR_LEAST_EPOCHS  ? UR_LEAST_EPOCHS
           : epochs > UR_MOST_EPOCHS ? UR_MOST_EPOCHS
                                     : epochs;
}

static size_t length_of(const void *trainer, size_t example)
{
    const ur_trainer *t = trainer;
    const ur_model *m = t->model;
    return m->kind->length ? m->kind->length(m, t->data, example) : 1;
}

static size_t positions_of(const ur_trainer *t, size_t example)
{
    const ur_model *m = t->model;
    return m->kind->positions ? m->kind->positions(m, t->data, example) : 1;
}

/* What batches of tokens count of it. */
static size_t weight_of(const ur_trainer *t, size_t example)
{
    return t->model->kind->weighs_steps ? length_of(t, example) : positions_of(t, example);
}

/* Batches of tokens: about how many there are, before the first epoch cuts them, and the most examples
 * that one can have. */
static void count_batches(ur_trainer *t)
{
    const size_t tokens = t->options.batch_tokens;
    size_t positions = 0;
    for (size_t i = 0; i < t->examples; i++)
        positions += weight_of(t, i);
    t->batches = positions / tokens + 1;
    t->most = tokens < t->examples ? tokens : t->examples;
}

static bool take_memory(ur_trainer *t)
{
    const ur_allocator *a = &t->context->allocator;
    const size_t size = ur_params_size(t->model->params);
    const size_t shards = ur_most_shards(t->most);
    bool ok = ur_optimizer_new(t->model->params, &t->options, &t->optimizer, NULL) == UR_OK;
    if (!t->model->kind->start_epoch)
        ok = ok && (t->order = ur_alloc(a, t->examples, sizeof *t->order));
    if (t->options.batch_tokens) {
        ok = ok && (t->cut = ur_alloc(a, t->examples + 1, sizeof *t->cut));
        ok = ok && (t->spare = ur_alloc(a, 2 * t->examples + 2, sizeof *t->spare));
    }
    ok = ok && (t->sorted = ur_alloc(a, 2 * t->most, sizeof *t->sorted));
    ok = ok && (t->shard_loss = ur_alloc(a, shards, sizeof *t->shard_loss));
    t->most_shards = shards;
    ok = ok && (t->shard_noted = ur_alloc_zero(a, UR_MOST_NOTED * shards, sizeof *t->shard_noted));
    ok = ok && ur_runner_new(t->context, &t->runner, NULL) == UR_OK;
    if (t->options.accumulate > 1) {
        const ur_allocator *device = &t->context->device;
        t->gathered = device->allocate(device->user, size * sizeof *t->gathered);
        ok = ok && t->gathered;
    }
    return ok && ur_fold_new(t->context, size, shards, &t->fold, NULL) == UR_OK;
}

void ur_trainer_rest(ur_trainer *t)
{
    ur_runner_rest(t->runner);
    ur_fold_rest(t->fold);
}

void ur_trainer_set_steps(ur_trainer *t, size_t steps)
{
    const size_t accumulate = t->options.accumulate;
    t->options.steps = steps;
    if (steps)
        t->options.epochs = (steps - 1) / ((t->batches + accumulate - 1) / accumulate) + 1;
}

ur_status ur_trainer_new(ur_context *context, ur_model *model, void *data,
                         const ur_train_options *options, ur_trainer **out, ur_err *err)
{
    *out = NULL;
    const ur_status status = ur_train_check(options, err);
    if (status != UR_OK)
        return status;
    if (ur_params_context(model->params) != context)
        return ur_fail(err, UR_INVALID, "the model is of another context than its trainer");
    const size_t batch = model->kind->batch ? model->kind->batch(model, data) : 0;
    if (batch && batch != options->batch)
        return ur_fail(err, UR_INVALID,
                       "the data was made for batches of %zu, the trainer is to take %zu", batch,
                       options->batch);
    if (options->batch_tokens && model->kind->start_epoch)
        return ur_fail(err, UR_INVALID, "a %s makes its batches itself: they are not of tokens",
                       model->kind->name);
    const size_t examples = model->kind->examples(model, data);
    if (examples == 0)
        return ur_fail(err, UR_INVALID, "there is nothing to train on: the data has no example");
    ur_trainer *t = ur_alloc_zero(&context->allocator, 1, sizeof *t);
    if (!t)
        return ur_no_memory(err, sizeof *t);
    t->context = context;
    t->model = model;
    t->data = data;
    t->options = *options;
    t->options.accumulate = options->accumulate ? options->accumulate : 1;
    t->examples = examples;
    t->most = options->batch;
    t->batches = (examples + options->batch - 1) / options->batch;
    if (options->batch_tokens)
        count_batches(t);
    if (t->options.epochs == UR_EPOCHS_AUTO)
        t->options.epochs = choose_epochs(model->kind, (t->batches + t->options.accumulate - 1) /
                                                           t->options.accumulate);
    ur_trainer_set_steps(t, options->steps);
    t->progress.schedule = ur_schedule_start(options);
    if (!take_memory(t)) {
        ur_trainer_free(t);
        return ur_no_memory(err, ur_params_size(model->params) * sizeof(float));
    }
    *out = t;
    return UR_OK;
}

void ur_trainer_free(ur_trainer *t)
{
    if (!t)
        return;
    const ur_allocator *a = &t->context->allocator;
    ur_runner_free(t->runner);
    ur_fold_free(t->fold);
    ur_optimizer_free(t->optimizer);
    t->context->device.release(t->context->device.user, t->gathered);
    ur_free(a, t->order);
    ur_free(a, t->cut);
    ur_free(a, t->spare);
    ur_free(a, t->sorted);
    ur_free(a, t->shard_loss);
    ur_free(a, t->shard_noted);
    ur_free(a, t);
}

const ur_train_options *ur_trainer_options(const ur_trainer *t)
{
    return &t->options;
}

bool ur_trainer_complete(const ur_trainer *t)
{
    const ur_train_options *o = &t->options;
    return o->steps ? t->progress.step >= o->steps : t->progress.epoch >= o->epochs;
}

bool ur_trainer_finished(const ur_trainer *t)
{
    const ur_train_options *o = &t->options;
    return ur_trainer_complete(t) || (o->max_steps && t->progress.step >= o->max_steps) ||
           ur_schedule_ended(o, &t->progress.schedule);
}

bool ur_trainer_validated(ur_trainer *t, double loss)
{
    return ur_schedule_validated(&t->options, &t->progress.schedule, loss);
}

/* ---- a batch ------------------------------------------------------------------------------ */

static size_t falling_positions(const void *trainer, size_t example)
{
    return weight_of(trainer, example);
}

/* Where batches of tokens begin in `order`; returns how many there are. */
static size_t cut_batches(const ur_trainer *t, size_t *begin)
{
    size_t n = 0, tokens = 0;
    for (size_t i = 0; i < t->examples; i++) {
        const size_t more = weight_of(t, t->order[i]);
        const bool full =
            i > 0 && (tokens + more > t->options.batch_tokens || i - begin[n - 1] == t->most);
        if (i == 0 || full) {
            begin[n++] = i;
            tokens = 0;
        }
        tokens += more;
    }
    begin[n] = t->examples;
    return n;
}

/* From an order of the examples to batches of tokens: longest targets first, then longest sources, of
 * equals as they were drawn; and the batches in an order that is drawn. */
static void make_batches(ur_trainer *t, ur_random *random)
{
    size_t *begin = t->spare, *moved = t->spare + t->examples + 1;
    ur_sort_longest_first(t->order, t->examples, moved, length_of, t);
    ur_sort_longest_first(t->order, t->examples, moved, falling_positions, t);
    t->batches = cut_batches(t, begin);
    for (size_t i = 0; i < t->batches; i++)
        t->cut[i] = i;
    ur_random_shuffle(random, t->cut, t->batches);
    memcpy(moved, t->order, t->examples * sizeof *moved);
    for (size_t i = 0, at = 0; i < t->batches; i++) {
        const size_t from = begin[t->cut[i]], n = begin[t->cut[i] + 1] - from;
        memcpy(t->order + at, moved + from, n * sizeof *moved);
        t->cut[i] = at;
        at += n;
    }
    t->cut[t->batches] = t->examples;
}

/* This epoch's order of the examples. */
static void shuffle(ur_trainer *t)
{
    for (size_t i = 0; i < t->examples; i++)
        t->order[i] = i;
    ur_random random = ur_random_start(t->options.seed, UR_STREAM_SHUFFLE + t->progress.epoch);
    ur_random_shuffle(&random, t->order, t->examples);
    if (t->cut)
        make_batches(t, &random);
}

ur_status ur_trainer_prepare(ur_trainer *t, ur_err *err)
{
    const ur_kind *kind = t->model->kind;
    if (t->order_epoch == t->progress.epoch + 1)
        return UR_OK;
    if (kind->start_epoch) {
        t->examples = kind->start_epoch(t->model, t->data, t->options.seed, t->progress.epoch);
        t->batches = (t->examples + t->options.batch - 1) / t->options.batch;
        if (t->examples == 0)
            return ur_fail(err, UR_INVALID, "there is nothing to train on in epoch %llu",
                           (unsigned long long)t->progress.epoch + 1);
    } else {
        shuffle(t);
    }
    t->order_epoch = t->progress.epoch + 1;
    return UR_OK;
}

typedef struct batch_job {
    ur_trainer *trainer;
    size_t count, shards;
    double normaliser; /* positions of all the step's batches */
    uint64_t number;   /* of the batch over the whole training: keys drop-out */
} batch_job;

static void run_shard(void *arg, ur_tape *tape, size_t s)
{
    const batch_job *job = arg;
    ur_trainer *t = job->trainer;
    float *gradient = ur_fold_take(t->fold);
    ur_tape_start(tape, UR_TRAIN, t->model->params, gradient, t->options.seed ^ UR_KEY_DROPOUT,
                  job->number);
    if (!gradient) {
        ur_tape_fail(tape, UR_NO_MEMORY, "out of memory: a shard's gradient");
        return;
    }
    ur_tape_set_gradient(tape);
    const size_t begin = ur_shard_begin(job->count, job->shards, s);
    const size_t end = ur_shard_begin(job->count, job->shards, s + 1);
    ur_tensor *loss = t->model->kind->loss(tape, t->model, t->data, end - begin, t->sorted + begin,
                                           job->normaliser);
    const float *value = ur_backward(tape, loss) == UR_OK ? ur_read(tape, loss) : NULL;
    if (value)
        t->shard_loss[s] = (double)value[0];
    for (size_t i = 0; value && i < UR_MOST_NOTED; i++) {
        const float *noted = tape->noted[i] ? ur_read(tape, tape->noted[i]) : NULL;
        t->shard_noted[i * t->most_shards + s] = noted ? (double)noted[0] : 0.0;
    }
    ur_fold_give(t->fold, s, gradient);
}

static double tree_sum(size_t n, double *x)
{
    for (size_t stride = 1; stride < n; stride *= 2)
        for (size_t i = 0; i + stride < n; i += 2 * stride)
            x[i] += x[i + stride];
    return x[0];
}

/* Examples [begin, end) of this epoch's order are its batch `index`. */
static ur_range examples_of(const ur_trainer *t, size_t index)
{
    if (t->cut)
        return (ur_range){t->cut[index], t->cut[index + 1]};
    const size_t begin = index * t->options.batch, left = t->examples - begin;
    return (ur_range){begin, begin + (left < t->options.batch ? left : t->options.batch)};
}

static size_t example_at(const ur_trainer *t, size_t place)
{
    return t->order ? t->order[place] : place;
}

/* A batch of the epoch, in the order of its shards. */
static batch_job batch_of(ur_trainer *t, size_t index, double normaliser)
{
    const ur_range all = examples_of(t, index);
    batch_job job = {.trainer = t, .count = all.end - all.begin, .normaliser = normaliser};
    size_t steps = 0;
    for (size_t i = 0; i < job.count; i++) {
        t->sorted[i] = example_at(t, all.begin + i);
        steps += length_of(t, t->sorted[i]);
    }
    job.number = t->progress.step * t->options.accumulate + (index - t->progress.batch);
    job.shards = ur_shard_count(job.count, steps, ur_params_size(t->model->params));
    size_t *spare = t->sorted + t->most;
    ur_sort_longest_first(t->sorted, job.count, spare, length_of, t);
    if (length_of(t, t->sorted[0]) != length_of(t, t->sorted[job.count - 1]))
        ur_shard_deal(job.count, job.shards, t->sorted, spare);
    return job;
}

/* Forward and backward of a batch; the loss in *loss, the gradient in the fold; adds what is noted. */
static ur_status run_batch(ur_trainer *t, batch_job job, double *loss, double *noted, ur_err *err)
{
    ur_fold_start(t->fold, job.shards);
    const ur_status status =
        ur_runner_run(t->runner, t->model->params, UR_TRAIN, job.shards, run_shard, &job, err);
    if (status == UR_OK)
        *loss = tree_sum(job.shards, t->shard_loss);
    for (size_t i = 0; status == UR_OK && i < UR_MOST_NOTED; i++)
        noted[i] += tree_sum(job.shards, t->shard_noted + i * t->most_shards);
    return status;
}

/* Names the parameter whose gradient is not finite. */
static ur_status diverged(const ur_trainer *t, const float *gradient, double loss, ur_err *err)
{
    float number;
    const ur_param *p = ur_params_not_finite(t->model->params, gradient, &number);
    if (p)
        return ur_fail(err, UR_DIVERGED,
                       "step %llu: the gradient of %s is not finite (loss %g); try a "
                       "smaller learning rate or clipping",
                       (unsigned long long)t->progress.step + 1, p->name, loss);
    return ur_fail(err, UR_DIVERGED,
                   "step %llu: the loss is %g and the gradient's norm overflows; try a smaller "
                   "learning rate or clipping",
                   (unsigned long long)t->progress.step + 1, loss);
}

/* Clips the gradient and steps. */
static ur_status follow(ur_trainer *t, const float *gradient, ur_step *report, ur_err *err)
{
    const ur_progress *p = &t->progress;
    const double norm = ur_optimizer_norm(t->optimizer, gradient), most = t->options.clip;
    if (!isfinite(report->loss) || !isfinite(norm))
        return diverged(t, gradient, report->loss, err);
    const double clip = most / (norm + 1e-6);
    report->gradient_norm = norm;
    report->lr = ur_schedule_lr(&t->options, &p->schedule, p->step, p->epoch, p->batch, t->batches);
    ur_optimizer_set_steps(t->optimizer, p->step);
    ur_optimizer_step(t->optimizer, gradient, report->lr, most > 0.0 && clip < 1.0 ? clip : 1.0);
    return UR_OK;
}

/* The batches of a step, and what they have together. */
typedef struct step_job {
    size_t first, batches, examples, positions;
    double normaliser;
    double noted[UR_MOST_NOTED];
} step_job;

static step_job next_step(const ur_trainer *t)
{
    const size_t first = t->progress.batch, left = t->batches - first;
    step_job s = {.first = first,
                  .batches = left < t->options.accumulate ? left : t->options.accumulate,
                  .normaliser = 1.0};
    for (size_t i = 0; i < s.batches; i++) {
        const ur_range all = examples_of(t, first + i);
        s.examples += all.end - all.begin;
        for (size_t place = all.begin; place < all.end; place++)
            s.positions += positions_of(t, example_at(t, place));
    }
    if (s.positions)
        s.normaliser = (double)s.positions;
    return s;
}

/* The gradient of all of a step's batches, added in their order; their loss in *loss. */
static ur_status run_step(ur_trainer *t, step_job *step, double *loss, const float **gradient,
                          ur_err *err)
{
    const ur_context *c = t->context;
    const ur_executor on = {c->backend, c->kernels, ur_pool_team(c->pool), NULL};
    const size_t size = ur_params_size(t->model->params);
    for (size_t i = 0; i < step->batches; i++) {
        double part;
        const ur_status status =
            run_batch(t, batch_of(t, step->first + i, step->normaliser), &part, step->noted, err);
        if (status != UR_OK)
            return status;
        const float *sum = ur_fold_sum(t->fold, on.team);
        *loss = i ? *loss + part : part;
        *gradient = step->batches > 1 ? t->gathered : sum;
        if (step->batches > 1 && i)
            c->backend->add(&on, size, sum, t->gathered);
        else if (step->batches > 1)
            c->backend->copy_rows(&on, 1, size, NULL, sum, NULL, t->gathered);
    }
    return UR_OK;
}

/* Counts a step that was done. */
static void advance(ur_trainer *t, const step_job *step, ur_step *report)
{
    ur_progress *p = &t->progress;
    p->step++;
    p->batch += step->batches;
    p->loss_sum += report->loss * (double)step->batches;
    p->nll_sum += report->loss * step->normaliser;
    p->positions += step->positions;
    report->step = p->step;
    report->epoch = p->epoch + 1;
    report->batch = p->batch;
    report->batches = t->batches;
    report->examples = step->examples;
    report->positions = step->positions;
    report->epoch_ended = p->batch == t->batches;
    report->epoch_loss = p->loss_sum / (double)p->batch;
    report->epoch_nll = p->nll_sum;
    report->epoch_positions = p->positions;
    for (size_t i = 0; i < UR_MOST_NOTED; i++) {
        p->noted_sum[i] += step->noted[i] * (double)step->batches;
        report->epoch_noted[i] = p->noted_sum[i] / (double)p->batch;
    }
    if (report->epoch_ended) {
        p->epoch++;
        p->batch = p->positions = 0;
        p->loss_sum = p->nll_sum = 0.0;
        memset(p->noted_sum, 0, sizeof p->noted_sum);
        ur_schedule_epoch(&t->options, &p->schedule, p->epoch);
    }
}

ur_status ur_trainer_step(ur_trainer *t, ur_step *report, ur_err *err)
{
    *report = (ur_step){0};
    ur_status status = ur_trainer_prepare(t, err);
    if (status != UR_OK)
        return status;
    UR_FPMODE_HERE;
    step_job step = next_step(t);
    const float *gradient = NULL;
    status = run_step(t, &step, &report->loss, &gradient, err);
    if (status == UR_OK)
        status = follow(t, gradient, report, err);
    if (status == UR_OK)
        advance(t, &step, report);
    return status;
}
