/* run.c - making a run, and what it tells of itself (train.h says what its folder holds). */
#include "train/run.h"

#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"
#include "text/vocabulary.h"
#include "train/task.h"

enum { MOST_PATH = 4096 };

char *ur_path_join(const ur_allocator *a, const char *folder, const char *name)
{
    const size_t first = strlen(folder), second = strlen(name);
    char *path = ur_alloc(a, first + second + 2, 1);
    if (!path)
        return NULL;
    memcpy(path, folder, first);
    path[first] = '/';
    memcpy(path + first + 1, name, second + 1);
    return path;
}

ur_status ur_run_new(ur_context *context, const char *folder, ur_run **out, ur_err *err)
{
    const ur_allocator *a = ur_context_allocator(context);
    ur_run *run = *out = ur_alloc_zero(a, 1, sizeof *run);
    if (!run)
        return ur_no_memory(err, sizeof *run);
    run->context = context;
    run->a = a;
    if (!folder)
        return UR_OK;
    run->folder = ur_strdup(a, folder);
    return run->folder ? UR_OK : ur_no_memory(err, strlen(folder) + 1);
}

void ur_run_free(ur_run *run)
{
    if (!run)
        return;
    const ur_allocator *a = run->a;
    ur_trainer_free(run->trainer);
    ur_model_free(run->model);
    ur_vocabulary_free(run->vocabulary);
    ur_vocabulary_free(run->labels);
    if (run->task) {
        run->task->free_data(run->train);
        run->task->free_data(run->valid);
    }
    ur_free(a, run->config);
    ur_settings_free(a, &run->settings);
    ur_run_forget_answers(run);
    ur_free(a, run->metrics);
    ur_free(a, run->config_text);
    ur_free(a, run->folder);
    ur_free(a, run);
}

/* ---- data --------------------------------------------------------------------------------- */

ur_pair_source ur_run_source(const ur_run *run, ur_split split)
{
    const ur_run_settings *s = &run->settings;
    const bool training = split == UR_SPLIT_TRAIN;
    return (ur_pair_source){.data = training || !s->valid ? s->data : s->valid,
                            .size = training ? s->size : s->valid_size,
                            .seed = s->train.seed,
                            .split = split};
}

ur_status ur_run_check_vocabulary(const ur_run *run, size_t vocabulary, ur_err *err)
{
    const size_t size = ur_vocabulary_size(run->vocabulary);
    if (vocabulary == size)
        return UR_OK;
    return ur_fail(err, UR_INVALID, "\"vocabulary_size\" is %zu, but the vocabulary has %zu",
                   vocabulary, size);
}

/* ---- create ------------------------------------------------------------------------------- */

/* The folder is there, can be written to, and holds no run yet. */
static ur_status make_folder(const ur_run *run, ur_err *err)
{
    char *config = ur_path_join(run->a, run->folder, "config.json");
    char *checkpoints = ur_path_join(run->a, run->folder, "checkpoints");
    ur_status status = config && checkpoints ? UR_OK : ur_no_memory(err, MOST_PATH);
    struct stat there;
    if (status == UR_OK && stat(config, &there) == 0)
        status = ur_fail(err, UR_INVALID,
                         "%s already holds a run: go on with it (resume), or choose another folder",
                         run->folder);
    if (status == UR_OK)
        status = ur_make_folder(run->a, run->folder, err);
    if (status == UR_OK)
        status = ur_make_folder(run->a, checkpoints, err);
    ur_free(run->a, config);
    ur_free(run->a, checkpoints);
    return status;
}

ur_status ur_run_save_config(ur_run *run, ur_err *err)
{
    char *text, *path = ur_path_join(run->a, run->folder, "config.json");
    if (!path)
        return ur_no_memory(err, MOST_PATH);
    ur_status status = ur_config_print(run->a, run->task, run->config, &run->settings, &text, err);
    if (status == UR_OK) {
        ur_free(run->a, run->config_text);
        run->config_text = text;
        status = ur_replace_file(run->a, path, text, strlen(text), err);
    }
    ur_free(run->a, path);
    return status;
}

static ur_status save_words(const ur_run *run, const ur_vocabulary *words, const char *name,
                            ur_err *err)
{
    char *path = ur_path_join(run->a, run->folder, name);
    if (!path)
        return ur_no_memory(err, MOST_PATH);
    const ur_status status = ur_vocabulary_save(words, path, err);
    ur_free(run->a, path);
    return status;
}

static ur_status save_vocabulary(const ur_run *run, ur_err *err)
{
    const ur_status status = save_words(run, run->vocabulary, "vocab.txt", err);
    if (status != UR_OK || !run->labels)
        return status;
    return save_words(run, run->labels, "labels.txt", err);
}

/* Data, vocabulary, model. */
static ur_status build(ur_run *run, const char *kind, const void *config, ur_err *err)
{
    run->task = ur_task_find(kind);
    if (!run->task)
        return ur_fail(err, UR_INVALID, "unknown kind of model \"%s\"", kind);
    run->config = ur_alloc(run->a, 1, run->task->config_size);
    if (!run->config)
        return ur_no_memory(err, run->task->config_size);
    memcpy(run->config, config, run->task->config_size);
    return run->task->create(run, err);
}

ur_status ur_run_new_trainer(ur_run *run, ur_err *err)
{
    const ur_train_options *o = &run->settings.train;
    const bool goes_by_it = ur_schedule_needs_validation((size_t)o->schedule);
    if (!run->valid && o->early_stop)
        return ur_fail(err, UR_INVALID,
                       "early stopping goes by validation data, and there is none");
    if (!run->valid && goes_by_it)
        return ur_fail(err, UR_INVALID,
                       "the %s schedule goes by validation data, and there is none",
                       ur_schedule_name((size_t)o->schedule));
    return ur_trainer_new(run->context, run->model, run->train, o, &run->trainer, err);
}

ur_status ur_run_create(ur_context *context, const char *folder, const ur_run_settings *settings,
                        const char *kind, const void *config, ur_run **out, ur_err *err)
{
    ur_run *run;
    *out = NULL;
    ur_status status = ur_run_new(context, folder, &run, err);
    if (status == UR_OK)
        status = ur_settings_copy(run->a, settings, &run->settings, err);
    if (status == UR_OK)
        status = build(run, kind, config, err);
    if (status == UR_OK)
        status = ur_run_new_trainer(run, err);
    if (status == UR_OK)
        status = make_folder(run, err);
    if (status == UR_OK)
        status = save_vocabulary(run, err);
    if (status == UR_OK)
        status = ur_run_save_checkpoint(run, err); /* from now on the run can be resumed */
    if (status == UR_OK)
        status = ur_run_save_config(run, err);
    if (status != UR_OK) {
        ur_run_free(run);
        return status;
    }
    *out = run;
    return UR_OK;
}

/* ---- asking ------------------------------------------------------------------------------- */

const char *ur_run_kind(const ur_run *run)
{
    return run->task->kind;
}

const char *ur_run_unit(const ur_run *run)
{
    return run->task->unit;
}

ur_model *ur_run_model(ur_run *run)
{
    return run->model;
}

const ur_vocabulary *ur_run_vocabulary(const ur_run *run)
{
    return run->vocabulary;
}

const ur_vocabulary *ur_run_labels(const ur_run *run)
{
    return run->labels;
}

const ur_run_settings *ur_run_settings_of(const ur_run *run)
{
    return &run->settings;
}

bool ur_run_stopped_early(const ur_run *run)
{
    const ur_trainer *t = run->trainer;
    return t && t->progress.epoch < t->options.epochs &&
           ur_schedule_ended(&t->options, &t->progress.schedule);
}

const char *ur_run_folder(const ur_run *run)
{
    return run->folder;
}

const char *ur_run_config_text(const ur_run *run)
{
    return run->config_text;
}

void *ur_run_train_data(const ur_run *run)
{
    return run->train;
}

void *ur_run_valid_data(const ur_run *run)
{
    return run->valid;
}

ur_status ur_run_evaluate(ur_run *run, const ur_pair_source *source, ur_measure *out, ur_err *err)
{
    void *data;
    ur_status status = run->task->open(run, source, &data, err);
    if (status != UR_OK)
        return status;
    status = ur_evaluate(run->context, run->model, data, out, err);
    run->task->free_data(data);
    return status;
}
