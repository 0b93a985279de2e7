/* checkpoint.c - model.safetensors, best.safetensors and checkpoints.
 *
 * All carry weights, configuration and vocabulary; a checkpoint also the optimiser's moments and
 * where training stands, so that it goes on with the same bits. A checkpoint is complete once it
 * has its name; older ones but the last are removed after that. */
#include "run/run.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/alloc.h"
#include "base/fpmode.h"
#include "base/status.h"
#include "unroll/io.h"
#include "train/weights.h"

enum { KEPT_CHECKPOINTS = 2 }; /* unless the settings say otherwise */

#define STATE_NAME UR_CHECKPOINT_PREFIX "state"
#define MOMENT1_NAME UR_CHECKPOINT_PREFIX "moment1"
#define MOMENT2_NAME UR_CHECKPOINT_PREFIX "moment2"
#define CARRIED_NAME UR_CHECKPOINT_PREFIX "carried"
#define NOTED_NAME UR_CHECKPOINT_PREFIX "noted" /* sums of the epoch under way, as in the state */

/* The words of the state. Version 1 ended before EPOCH_NLL; BASE_LR, the learning rate of the settings
 * when the checkpoint was made, is zero in what the first releases wrote. */
enum {
    VERSION,
    STEP,
    EPOCH,
    BATCH,
    LOSS_SUM,
    SECONDS,
    TRAIN_SECONDS,
    EXAMPLES,
    FINGERPRINT,
    BASE_LR,
    EPOCH_NLL,
    EPOCH_POSITIONS,
    LR,
    PLATEAU_BEST,
    PLATEAU_WAITED,
    LEAST_LOSS,
    UNBEATEN,
    STATE_WORDS
};
enum { STATE_VERSION = 2, OLD_WORDS = EPOCH_NLL };

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static double double_of(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

char *ur_checkpoint_path(const ur_allocator *a, const char *folder, uint64_t step)
{
    char name[64];
    snprintf(name, sizeof name, "checkpoints/%llu.safetensors", (unsigned long long)step);
    return ur_path_join(a, folder, name);
}

/* ---- which checkpoints there are ---------------------------------------------------------- */

/* The step in a name like 120.safetensors; false for anything else. */
static bool step_of(const char *name, uint64_t *step)
{
    char *end;
    if (*name < '0' || *name > '9')
        return false;
    errno = 0;
    const unsigned long long n = strtoull(name, &end, 10);
    *step = n;
    return errno == 0 && strcmp(end, ".safetensors") == 0;
}

typedef struct newest_step {
    uint64_t limit, step;
    bool found;
} newest_step;

static bool take_newer(void *user, const char *name)
{
    newest_step *n = user;
    uint64_t step;
    if (step_of(name, &step) && step < n->limit && (!n->found || step > n->step)) {
        n->step = step;
        n->found = true;
    }
    return true;
}

/* The largest step below `limit` that has a checkpoint; *found says whether there is one. */
static ur_status newest_below(const ur_run *run, uint64_t limit, bool *found, uint64_t *step,
                              ur_err *err)
{
    *found = false;
    char *folder = ur_path_join(run->a, run->folder, "checkpoints");
    if (!folder)
        return ur_no_memory(err, strlen(run->folder) + 32);
    newest_step n = {.limit = limit};
    const ur_status status = ur_list_folder(folder, take_newer, &n, err);
    ur_free(run->a, folder);
    *found = status == UR_OK && n.found;
    if (*found)
        *step = n.step;
    return status;
}

/* ---- writing ------------------------------------------------------------------------------ */

/* A training that was stopped while another went on with its run must not put its own, older weights over
 * those, where no lock could tell it. */
static ur_status nothing_newer(const ur_run *run, ur_err *err)
{
    const uint64_t own = run->trainer->progress.step;
    uint64_t step = 0;
    bool found;
    const ur_status status = newest_below(run, UINT64_MAX, &found, &step, err);
    if (status != UR_OK || !found || step <= own)
        return status;
    return ur_fail(
        err, UR_INVALID,
        "%s: another training saved step %llu there, this one is at step %llu: nothing is "
        "written",
        run->folder, (unsigned long long)step, (unsigned long long)own);
}

/* By so much a later checkpoint's header can be longer than the first one's: digits, and a figure. The first one
 * is written before the training, so that nothing can be too long after it. */
enum { LATER_BYTES = 512 };

/* Weights: the model's, or the best ones; `more` tensors, and what makes the file open alone. */
static ur_status write_weights(ur_run *run, bool best, const char *path, const ur_st_tensor *more,
                               size_t n_more, ur_err *err)
{
    static const ur_progress none = {0};
    const ur_progress *p = run->trainer ? &run->trainer->progress : &none;
    char *config, *text[UR_MOST_STORED], epoch[24], step[24], valid[96];
    const ur_stored *stored;
    size_t size, texts = 0, n = 4;
    ur_status status = run->trainer ? nothing_newer(run, err) : UR_OK;
    if (status == UR_OK)
        status =
            ur_config_print(run->a, run->assets.kind, run->assets.config, NULL, NULL, &config, err);
    if (status != UR_OK)
        return status;
    snprintf(epoch, sizeof epoch, "%llu", (unsigned long long)(best ? run->best_epoch : p->epoch));
    snprintf(step, sizeof step, "%llu", (unsigned long long)(best ? run->best_step : p->step));
    ur_st_pair metadata[5 + UR_MOST_STORED] = {
        {"format", "pt"}, {"unroll.config", config}, {UR_EPOCH_KEY, epoch}, {UR_STEP_KEY, step}};
    if (more && run->valid_step && run->valid_step == p->step) {
        const ur_figure *f = ur_run_best_figure(run);
        snprintf(valid, sizeof valid, "%.64s=%.17g", f ? f->name : "loss", run->valid);
        metadata[n++] = (ur_st_pair){UR_VALID_KEY, valid};
    }
    for (; status == UR_OK && (stored = ur_stored_at(texts)); texts++) {
        status = ur_stored_print(stored, &run->assets, &text[texts], &size, err);
        if (text[texts])
            metadata[n++] = (ur_st_pair){ur_stored_key(stored), text[texts]};
    }
    if (status == UR_OK)
        status = ur_weights_write(run->a, run->assets.model->params, best ? run->best : NULL, path,
                                  more, n_more, metadata, n, p->step ? 0 : LATER_BYTES, err);
    ur_free(run->a, config);
    while (texts > 0)
        ur_free(run->a, text[--texts]);
    return status;
}

static ur_status save_as(ur_run *run, const char *name, bool best, ur_err *err)
{
    char *path = ur_path_join(run->a, run->folder, name);
    if (!path)
        return ur_no_memory(err, strlen(run->folder) + 32);
    const ur_status status = write_weights(run, best, path, NULL, 0, err);
    ur_free(run->a, path);
    return status;
}

ur_status ur_run_save_model(ur_run *run, ur_err *err)
{
    return save_as(run, UR_LAST_FILE, false, err);
}

ur_status ur_run_note_best(ur_run *run, ur_err *err)
{
    const ur_params *params = run->assets.model->params;
    const size_t size = ur_params_size(params);
    if (!run->best)
        run->best = ur_alloc(run->a, size, sizeof *run->best);
    if (!run->best)
        return ur_no_memory(err, size * sizeof *run->best);
    memcpy(run->best, ur_params_data(params), size * sizeof *run->best);
    run->best_epoch = run->trainer->progress.epoch;
    run->best_step = run->trainer->progress.step;
    run->best_noted = true;
    return UR_OK;
}

ur_status ur_run_save_best(ur_run *run, ur_err *err)
{
    if (!run->best_noted)
        return UR_OK;
    ur_status status = save_as(run, UR_BEST_FILE, true, err);
    if (status == UR_OK && run->settings.train.early_stop)
        status = save_as(run, UR_LAST_FILE, true, err);
    run->best_noted = status != UR_OK;
    return status;
}

/* ---- removing them ------------------------------------------------------------------------ */

/* A checkpoint, and the figure that its weights had on validation data, turned around where more is better. */
typedef struct validated {
    uint64_t step;
    double value;
} validated;

/* The figure of a checkpoint; false where it has none, or cannot be read. */
static bool read_figure(const ur_run *run, uint64_t step, double *value)
{
    const ur_figure *f = ur_run_best_figure(run);
    char *path = ur_checkpoint_path(run->a, run->folder, step);
    bool known = false;
    ur_st *st;
    if (path && ur_st_open(run->a, path, &st, NULL) == UR_OK) {
        const char *text = ur_st_metadata(st, UR_VALID_KEY),
                   *number = text ? strchr(text, '=') : NULL;
        const char *name = f ? f->name : "loss";
        known = number && (size_t)(number - text) == strlen(name) &&
                strncmp(text, name, strlen(name)) == 0;
        if (known)
            *value = strtod(number + 1, NULL);
        if (known && f && f->higher_is_better)
            *value = -*value;
        ur_st_close(st);
    }
    ur_free(run->a, path);
    return known && !isnan(*value);
}

/* The best of the checkpoints, of equals the earlier one, into best (most); *count becomes how many. */
static ur_status find_best(const ur_run *run, validated *best, size_t most, size_t *count,
                           ur_err *err)
{
    uint64_t step = UINT64_MAX;
    ur_status status = UR_OK;
    *count = 0;
    for (bool found = true; status == UR_OK && found;) {
        validated v;
        status = newest_below(run, step, &found, &step, err);
        v.step = step;
        if (status != UR_OK || !found || !read_figure(run, step, &v.value))
            continue;
        size_t i = *count; /* those that came before are later ones */
        while (i && v.value <= best[i - 1].value)
            i--;
        if (i == most)
            continue;
        if (*count < most)
            ++*count;
        memmove(best + i + 1, best + i, (*count - 1 - i) * sizeof *best);
        best[i] = v;
    }
    return status;
}

/* Those of the best that stay; NULL: none do, or there is no memory, and *all is then to stay. */
static validated *best_to_stay(const ur_run *run, size_t *count, bool *all)
{
    const size_t most = run->settings.keep_best;
    validated *best = most ? ur_alloc(run->a, most, sizeof *best) : NULL;
    *count = 0;
    *all = most && (!best || find_best(run, best, most, count, NULL) != UR_OK);
    return best;
}

static void remove_old(const ur_run *run, uint64_t newest)
{
    uint64_t step = newest + 1;
    bool found, all;
    size_t n;
    const size_t keep = run->settings.keep ? run->settings.keep : KEPT_CHECKPOINTS;
    validated *best = best_to_stay(run, &n, &all);
    for (size_t kept = 0; !all && newest_below(run, step, &found, &step, NULL) == UR_OK && found;
         kept++) {
        bool stays = kept < keep;
        for (size_t i = 0; i < n; i++)
            stays = stays || best[i].step == step;
        char *path = stays ? NULL : ur_checkpoint_path(run->a, run->folder, step);
        if (path)
            unlink(path);
        ur_free(run->a, path);
    }
    ur_free(run->a, best);
}

void ur_run_remove_checkpoints(const ur_run *run)
{
    uint64_t step;
    bool found;
    while (newest_below(run, UINT64_MAX, &found, &step, NULL) == UR_OK && found) {
        char *path = ur_checkpoint_path(run->a, run->folder, step);
        const bool removed = path && unlink(path) == 0;
        ur_free(run->a, path);
        if (!removed)
            break;
    }
}

/* ---- saving and loading ------------------------------------------------------------------- */

/* What the model's batches hand on; none: NULL. */
static float *carried(const ur_run *run, size_t *count)
{
    const ur_assets *a = &run->assets;
    *count = 0;
    return a->kind->carried ? a->kind->carried(a->model, a->train, count) : NULL;
}

/* How many examples the data has; of a text, in this epoch. */
static uint64_t examples(const ur_run *run)
{
    return run->assets.kind->examples(run->assets.model, run->assets.train);
}

static uint64_t fingerprint(const ur_run *run)
{
    const ur_kind *kind = run->assets.kind;
    return kind->fingerprint ? kind->fingerprint(run->assets.train) : 0;
}

ur_status ur_run_save_checkpoint(ur_run *run, ur_err *err)
{
    const ur_trainer *t = run->trainer;
    const ur_progress *p = &t->progress;
    const uint64_t state[STATE_WORDS] = {[VERSION] = STATE_VERSION,
                                         [STEP] = p->step,
                                         [EPOCH] = p->epoch,
                                         [BATCH] = p->batch,
                                         [LOSS_SUM] = bits_of(p->loss_sum),
                                         [SECONDS] = bits_of(run->seconds),
                                         [TRAIN_SECONDS] = bits_of(run->train_seconds),
                                         [EXAMPLES] = examples(run),
                                         [FINGERPRINT] = fingerprint(run),
                                         [BASE_LR] = bits_of(t->options.lr),
                                         [EPOCH_NLL] = bits_of(p->nll_sum),
                                         [EPOCH_POSITIONS] = p->positions,
                                         [LR] = bits_of(p->schedule.lr),
                                         [PLATEAU_BEST] = bits_of(p->schedule.best),
                                         [PLATEAU_WAITED] = p->schedule.waited,
                                         [LEAST_LOSS] = bits_of(p->schedule.least),
                                         [UNBEATEN] = p->schedule.unbeaten};
    const size_t words = STATE_WORDS, size = ur_params_size(run->assets.model->params);
    size_t count, n = 0;
    const float *carry = carried(run, &count);
    const size_t noted = UR_MOST_NOTED;
    uint64_t sums[UR_MOST_NOTED];
    ur_st_tensor more[5];
    more[n++] = (ur_st_tensor){STATE_NAME, UR_ST_U64, 1, &words, state};
    const float *const m1 = ur_optimizer_moment(t->optimizer, 0);
    const float *const m2 = ur_optimizer_moment(t->optimizer, 1);
    if (m1)
        more[n++] = (ur_st_tensor){MOMENT1_NAME, UR_ST_F32, 1, &size, m1};
    if (m2)
        more[n++] = (ur_st_tensor){MOMENT2_NAME, UR_ST_F32, 1, &size, m2};
    if (carry)
        more[n++] = (ur_st_tensor){CARRIED_NAME, UR_ST_F32, 1, &count, carry};
    for (size_t i = 0; i < noted; i++)
        sums[i] = bits_of(p->noted_sum[i]);
    if (ur_kind_noted(run->assets.kind))
        more[n++] = (ur_st_tensor){NOTED_NAME, UR_ST_U64, 1, &noted, sums};
    char *path = ur_checkpoint_path(run->a, run->folder, p->step);
    if (!path)
        return ur_no_memory(err, strlen(run->folder) + 64);
    const ur_status status = write_weights(run, false, path, more, n, err);
    ur_free(run->a, path);
    if (status == UR_OK)
        remove_old(run, p->step);
    return status;
}

/* The words of the state, those that an old version did not have zero. */
static ur_status read_words(ur_st *st, const char *path, uint64_t s[STATE_WORDS], ur_err *err)
{
    const ur_st_info *info = ur_st_find(st, STATE_NAME);
    if (!info || info->dtype != UR_ST_U64 ||
        (info->count != STATE_WORDS && info->count != OLD_WORDS))
        return ur_fail(err, UR_BAD_FILE, "%s: no checkpoint, %s with %d words is missing", path,
                       STATE_NAME, STATE_WORDS);
    const ur_status status = ur_st_read_u64(st, ur_st_index(st, STATE_NAME), s, err);
    if (status != UR_OK)
        return status;
    if (s[VERSION] != (info->count == OLD_WORDS ? 1 : STATE_VERSION))
        return ur_fail(err, UR_BAD_FILE, "%s: a checkpoint of version %llu, %d expected", path,
                       (unsigned long long)s[VERSION], STATE_VERSION);
    return UR_OK;
}

/* Of a kind whose loss notes something. */
static ur_status read_noted(const ur_run *run, ur_st *st, const char *path, ur_err *err)
{
    uint64_t sums[UR_MOST_NOTED];
    const ur_st_info *info = ur_st_find(st, NOTED_NAME);
    if (!ur_kind_noted(run->assets.kind))
        return UR_OK;
    if (!info || info->dtype != UR_ST_U64 || info->count != UR_MOST_NOTED)
        return ur_fail(err, UR_BAD_FILE, "%s: no checkpoint, %s with %d words is missing", path,
                       NOTED_NAME, UR_MOST_NOTED);
    const ur_status status = ur_st_read_u64(st, ur_st_index(st, NOTED_NAME), sums, err);
    for (size_t i = 0; status == UR_OK && i < UR_MOST_NOTED; i++)
        run->trainer->progress.noted_sum[i] = double_of(sums[i]);
    return status;
}

/* Where training stood; inside an epoch, this makes the epoch ready. */
static ur_status read_state(ur_run *run, ur_st *st, const char *path, ur_err *err)
{
    uint64_t s[STATE_WORDS] = {0};
    ur_trainer *t = run->trainer;
    ur_status status = read_words(st, path, s, err);
    if (status != UR_OK)
        return status;
    /* How many windows a text has depends on the epoch: there the fingerprint says it all. */
    const bool fixed = !run->assets.kind->start_epoch;
    if ((fixed && s[EXAMPLES] != examples(run)) || s[FINGERPRINT] != fingerprint(run))
        return ur_fail(err, UR_BAD_FILE,
                       "%s is not the data this run began with, training cannot go on from %s",
                       run->settings.data ? run->settings.data : "what was given", path);
    t->progress = (ur_progress){.step = s[STEP],
                                .epoch = s[EPOCH],
                                .batch = s[BATCH],
                                .loss_sum = double_of(s[LOSS_SUM]),
                                .nll_sum = double_of(s[EPOCH_NLL]),
                                .positions = s[EPOCH_POSITIONS],
                                .schedule = {.lr = double_of(s[LR]),
                                             .best = double_of(s[PLATEAU_BEST]),
                                             .waited = s[PLATEAU_WAITED],
                                             .least = double_of(s[LEAST_LOSS]),
                                             .unbeaten = s[UNBEATEN]}};
    if (s[VERSION] == 1) /* there were no schedules */
        t->progress.schedule = ur_schedule_start(&t->options);
    /* Changed by this resume or by one that ended before it had a checkpoint. */
    if (run->lr_anew || (s[BASE_LR] && double_of(s[BASE_LR]) != t->options.lr))
        t->progress.schedule.lr = t->options.lr;
    const double lr = t->progress.schedule.lr;
    if (!(lr >= 0.0 && lr <= t->options.lr))
        return ur_fail(err, UR_BAD_FILE, "%s: the learning rate is %g, 0 to %g expected", path, lr,
                       t->options.lr);
    status = read_noted(run, st, path, err);
    run->seconds = double_of(s[SECONDS]);
    run->train_seconds = double_of(s[TRAIN_SECONDS]);
    if (status == UR_OK && s[BATCH] > 0)
        status = ur_trainer_prepare(t, err);
    if (status == UR_OK && s[BATCH] > 0 && s[BATCH] >= t->batches)
        status = ur_fail(err, UR_BAD_FILE, "%s: batch %llu of an epoch of %zu", path,
                         (unsigned long long)s[BATCH], t->batches);
    return status;
}

static ur_status read_tensors(ur_run *run, ur_st *st, const char *path, ur_err *err)
{
    ur_trainer *t = run->trainer;
    const size_t size = ur_params_size(run->assets.model->params);
    size_t count;
    float *carry = carried(run, &count);
    ur_status status = ur_weights_read(run->assets.model->params, st, path, "", err);
    if (status == UR_OK)
        status = ur_run_check_finite(run, path, err);
    float *const m1 = ur_optimizer_moment(t->optimizer, 0);
    float *const m2 = ur_optimizer_moment(t->optimizer, 1);
    if (status == UR_OK && m1)
        status = ur_st_load_floats(st, MOMENT1_NAME, 1, &size, m1, err);
    if (status == UR_OK && m2)
        status = ur_st_load_floats(st, MOMENT2_NAME, 1, &size, m2, err);
    if (status == UR_OK && carry)
        status = ur_st_load_floats(st, CARRIED_NAME, 1, &count, carry, err);
    return status;
}

/* A file that is no checkpoint any more. What is wrong with the data or the vocabulary is not its
 * fault. */
static ur_status open_checkpoint(ur_run *run, const char *path, ur_st **st, ur_err *err)
{
    uint64_t unused[STATE_WORDS] = {0};
    ur_status status = ur_st_open(run->a, path, st, err);
    if (status != UR_OK)
        return status;
    status = read_words(*st, path, unused, err);
    if (status == UR_OK)
        status = ur_weights_check(run->assets.model->params, *st, path, "", NULL, NULL, err);
    if (status != UR_OK)
        ur_st_close(*st);
    return status;
}

/* Names the checkpoint before a damaged one, if that one is whole. */
static ur_status offer_older(ur_run *run, uint64_t damaged, const char *path, ur_err *err)
{
    const ur_err why = err ? *err : (ur_err){UR_BAD_FILE, ""};
    uint64_t step;
    bool found;
    ur_st *st;
    if (newest_below(run, damaged, &found, &step, NULL) != UR_OK || !found)
        return UR_BAD_FILE;
    char *older = ur_checkpoint_path(run->a, run->folder, step);
    if (!older || open_checkpoint(run, older, &st, NULL) != UR_OK) {
        ur_free(run->a, older);
        return UR_BAD_FILE;
    }
    ur_st_close(st);
    ur_fail(err, UR_BAD_FILE,
            "%s; the one before, %s, is whole: remove %s, and training goes on from step %llu",
            why.text, older, path, (unsigned long long)step);
    ur_free(run->a, older);
    return UR_BAD_FILE;
}

static ur_status check_checkpoint(ur_run *run, uint64_t step, const char *path, ur_err *err)
{
    ur_st *st;
    ur_status status = open_checkpoint(run, path, &st, err);
    if (status != UR_OK)
        return status == UR_BAD_FILE ? offer_older(run, step, path, err) : status;
    status = ur_run_check_words(run, st, path, err);
    if (status == UR_OK)
        status = ur_params_seal(run->assets.model->params, err);
    ur_st_close(st);
    return status;
}

/* The newest one; fresh memory or NULL. */
static ur_status newest_path(const ur_run *run, uint64_t *step, char **path, ur_err *err)
{
    bool found;
    *step = 0;
    *path = NULL;
    const ur_status status = newest_below(run, UINT64_MAX, &found, step, err);
    if (status != UR_OK)
        return status;
    if (!found)
        return ur_fail(err, UR_BAD_FILE, "%s has no checkpoint to go on from", run->folder);
    *path = ur_checkpoint_path(run->a, run->folder, *step);
    return *path ? UR_OK : ur_no_memory(err, strlen(run->folder) + 64);
}

ur_status ur_run_check_newest(ur_run *run, ur_err *err)
{
    uint64_t step;
    char *path;
    ur_status status = newest_path(run, &step, &path, err);
    if (status == UR_OK)
        status = check_checkpoint(run, step, path, err);
    ur_free(run->a, path);
    return status;
}

ur_status ur_run_load_checkpoint(ur_run *run, ur_err *err)
{
    uint64_t step;
    char *path;
    ur_st *st;
    ur_status status = newest_path(run, &step, &path, err);
    if (status == UR_OK) {
        status = ur_st_open(run->a, path, &st, err);
        if (status == UR_OK) {
            status = read_state(run, st, path, err);
            if (status == UR_OK)
                status = read_tensors(run, st, path, err);
            ur_st_close(st);
        }
    }
    ur_free(run->a, path);
    return status;
}

/* ---- the mean of several -------------------------------------------------------------------- */

/* The model's weights become those of the checkpoint after `step`, and are added to sum. */
static ur_status add_checkpoint(ur_run *run, uint64_t step, double *sum, ur_err *err)
{
    ur_params *params = run->assets.model->params;
    char *path = ur_checkpoint_path(run->a, run->folder, step);
    if (!path)
        return ur_no_memory(err, strlen(run->folder) + 64);
    ur_st *st;
    ur_status status = ur_st_open(run->a, path, &st, err);
    if (status == UR_OK) {
        status = ur_weights_read(params, st, path, "", err);
        ur_st_close(st);
    }
    const float *w = ur_params_data(params);
    for (size_t i = 0; status == UR_OK && i < ur_params_size(params); i++)
        sum[i] += (double)w[i];
    ur_free(run->a, path);
    return status;
}

static ur_status too_few(const ur_run *run, size_t count, const char *which, size_t wanted,
                         const char *option, ur_err *err)
{
    return ur_fail(
        err, UR_BAD_FILE,
        "%s has %zu checkpoint%s%s, the mean of %zu was asked for (a training keeps more "
        "with %s N)",
        run->folder, count, count == 1 ? "" : "s", which, wanted, option);
}

static ur_status add_newest(ur_run *run, size_t last, double *sum, ur_err *err)
{
    uint64_t step = UINT64_MAX;
    ur_status status = UR_OK;
    for (size_t i = 0; i < last && status == UR_OK; i++) {
        bool found;
        status = newest_below(run, step, &found, &step, err);
        if (status == UR_OK && !found)
            return too_few(run, i, "", last, "--keep", err);
        if (status == UR_OK)
            status = add_checkpoint(run, step, sum, err);
    }
    return status;
}

/* In the order of their steps, so that the sum does not depend on which is the best. */
static ur_status add_best(ur_run *run, size_t count, double *sum, ur_err *err)
{
    validated *best = ur_alloc(run->a, count, sizeof *best);
    size_t found = 0;
    if (!best)
        return ur_no_memory(err, count * sizeof *best);
    ur_status status = find_best(run, best, count, &found, err);
    if (status == UR_OK && found < count)
        status = too_few(run, found, " that were validated", count, "--keep-best", err);
    for (uint64_t after = 0, next; status == UR_OK && found; found--, after = next + 1) {
        next = UINT64_MAX;
        for (size_t i = 0; i < count; i++)
            next = best[i].step >= after && best[i].step < next ? best[i].step : next;
        status = add_checkpoint(run, next, sum, err);
    }
    ur_free(run->a, best);
    return status;
}

static ur_status average(ur_run *run, size_t count, bool best, const char *path, ur_err *err)
{
    ur_params *params = run->assets.model->params;
    const size_t size = ur_params_size(params);
    if (count < 1)
        return ur_fail(err, UR_INVALID, "the mean of no checkpoint, at least 1 expected");
    if (!run->folder)
        return ur_fail(err, UR_INVALID,
                       "a file of weights has no checkpoints: they are in its run's "
                       "folder");
    double *sum = ur_alloc_zero(run->a, size, sizeof *sum);
    char *own = path ? NULL : ur_path_join(run->a, run->folder, "average.safetensors");
    ur_status status = sum && (path || own) ? UR_OK : ur_no_memory(err, size * sizeof *sum);
    if (status == UR_OK)
        status = best ? add_best(run, count, sum, err) : add_newest(run, count, sum, err);
    if (status == UR_OK) {
        float *w = ur_params_values(params);
        for (size_t i = 0; i < size; i++)
            w[i] = (float)(sum[i] / (double)count);
        status = write_weights(run, false, path ? path : own, NULL, 0, err);
    }
    ur_free(run->a, own);
    ur_free(run->a, sum);
    return status;
}

ur_status ur_run_average(ur_run *run, size_t last, const char *path, ur_err *err)
{
    UR_FPMODE_HERE;
    return average(run, last, false, path, err);
}

ur_status ur_run_average_best(ur_run *run, size_t best, const char *path, ur_err *err)
{
    UR_FPMODE_HERE;
    return average(run, best, true, path, err);
}
