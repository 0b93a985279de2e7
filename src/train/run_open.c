/* run_open.c - opening a trained model, and opening a run to go on with it. */
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"
#include "unroll/io.h"
#include "text/vocabulary.h"
#include "train/task.h"
#include "train/weights.h"

enum { MOST_CONFIG = 16 << 20, MOST_PATH = 4096 };

/* ---- open --------------------------------------------------------------------------------- */

/* A configuration that asks for what cannot be is a bad file. */
static ur_status blame(const char *name, ur_status status, ur_err *err)
{
    if (status != UR_INVALID)
        return status;
    const ur_err why = err ? *err : (ur_err){UR_INVALID, ""};
    return ur_fail(err, UR_BAD_FILE, "%s: %s", name, why.text);
}

/* What there is to open a model from: texts, and what messages call them. */
typedef struct sources {
    const char *config_name, *words_name, *labels_name;
    const char *words, *labels; /* NULL: the names are files */
} sources;

static ur_status load_words(const ur_run *run, const char *name, const char *text,
                            ur_vocabulary **out, ur_err *err)
{
    return text ? ur_vocabulary_parse(run->a, name, text, strlen(text), out, err)
                : ur_vocabulary_load(run->a, name, out, err);
}

/* Builds the model that run->config_text tells of; its parameters are still zero. */
static ur_status rebuild(ur_run *run, const sources *s, ur_run_settings *settings, ur_err *err)
{
    ur_status status = load_words(run, s->words_name, s->words, &run->vocabulary, err);
    if (status == UR_OK)
        status = ur_config_parse(run->a, s->config_name, run->config_text, strlen(run->config_text),
                                 &run->task, &run->config, settings, err);
    if (status == UR_OK && run->task->labels)
        status = load_words(run, s->labels_name, s->labels, &run->labels, err);
    return status == UR_OK ? blame(s->config_name, run->task->rebuild(run, err), err) : status;
}

/* config.json, vocab.txt and labels.txt of the run's folder. */
static ur_status open_folder(ur_run *run, ur_err *err)
{
    size_t size;
    char *config = ur_path_join(run->a, run->folder, "config.json");
    char *words = ur_path_join(run->a, run->folder, "vocab.txt");
    char *labels = ur_path_join(run->a, run->folder, "labels.txt");
    const sources s = {.config_name = config, .words_name = words, .labels_name = labels};
    ur_status status = config && words && labels ? UR_OK : ur_no_memory(err, MOST_PATH);
    if (status == UR_OK)
        status = ur_read_file(run->a, config, MOST_CONFIG, &run->config_text, &size, err);
    if (status == UR_OK && strlen(run->config_text) != size)
        status = ur_fail(err, UR_BAD_FILE, "%s: a zero byte in the text", config);
    if (status == UR_OK)
        status = rebuild(run, &s, &run->settings, err);
    ur_free(run->a, config);
    ur_free(run->a, words);
    ur_free(run->a, labels);
    return status;
}

/* What a single file carries in its metadata. */
static ur_status open_single(ur_run *run, const char *path, ur_st *st, ur_err *err)
{
    const char *config = ur_st_metadata(st, "unroll.config");
    const char *labels = ur_st_metadata(st, "unroll.labels");
    const sources s = {path, path, path, ur_st_metadata(st, "unroll.vocabulary"),
                       labels ? labels : ""};
    if (!config || !s.words)
        return ur_fail(err, UR_BAD_FILE,
                       "%s holds weights but no configuration and vocabulary of a model: open the "
                       "run's folder instead",
                       path);
    run->config_text = ur_strdup(run->a, config);
    if (!run->config_text)
        return ur_no_memory(err, strlen(config) + 1);
    return rebuild(run, &s, NULL, err);
}

typedef void (*listener)(void *user, const char *fault);

/* Where somebody listens, only looks whether they fit. */
static ur_status load_weights(ur_run *run, const char *path, bool single, listener tell, void *user,
                              ur_err *err)
{
    ur_st *st;
    ur_status status = ur_st_open(run->a, path, &st, err);
    if (status != UR_OK)
        return status;
    if (single)
        status = open_single(run, path, st, err);
    if (status == UR_OK)
        status = tell ? ur_weights_check(run->model->params, st, path, "", tell, user, err)
                      : ur_weights_read(run->model->params, st, path, "", err);
    ur_st_close(st);
    return status;
}

static ur_status load_model(ur_run *run, listener tell, void *user, ur_err *err)
{
    char *path = ur_path_join(run->a, run->folder, "model.safetensors");
    if (!path)
        return ur_no_memory(err, MOST_PATH);
    const ur_status status = load_weights(run, path, false, tell, user, err);
    ur_free(run->a, path);
    return status;
}

ur_status ur_run_load_model(ur_run *run, ur_err *err)
{
    return load_model(run, NULL, NULL, err);
}

static ur_status open_run(ur_context *context, const char *path, listener tell, void *user,
                          ur_run **out, ur_err *err)
{
    struct stat there;
    const bool folder = stat(path, &there) == 0 && S_ISDIR(there.st_mode);
    ur_run *run;
    *out = NULL;
    ur_status status = ur_run_new(context, folder ? path : NULL, &run, err);
    if (status == UR_OK && folder) {
        status = open_folder(run, err);
        if (status == UR_OK)
            status = load_model(run, tell, user, err);
    } else if (status == UR_OK) {
        status = load_weights(run, path, true, tell, user, err);
    }
    if (status != UR_OK) {
        ur_run_free(run);
        return status;
    }
    *out = run;
    return UR_OK;
}

ur_status ur_run_open(ur_context *context, const char *path, ur_run **out, ur_err *err)
{
    return open_run(context, path, NULL, NULL, out, err);
}

ur_status ur_run_check(ur_context *context, const char *path, listener tell, void *user,
                       ur_err *err)
{
    ur_run *run;
    const ur_status status = open_run(context, path, tell, user, &run, err);
    ur_run_free(run);
    return status;
}

/* ---- resume ------------------------------------------------------------------------------- */

static ur_status reopen(ur_run *run, size_t epochs, size_t max_steps, ur_err *err)
{
    ur_status status = open_folder(run, err);
    if (status != UR_OK)
        return status;
    if (epochs)
        run->settings.train.epochs = epochs;
    if (max_steps)
        run->settings.train.max_steps = max_steps == UR_NO_LIMIT ? 0 : max_steps;
    status = run->task->reopen(run, err);
    if (status == UR_OK)
        status = blame(run->folder, ur_run_new_trainer(run, err), err);
    if (status == UR_OK)
        status = ur_run_load_checkpoint(run, err);
    if (status == UR_OK)
        status = ur_run_load_metrics(run, run->trainer->progress.step, err);
    return status == UR_OK ? ur_run_save_config(run, err) : status;
}

ur_status ur_run_resume(ur_context *context, const char *folder, size_t epochs, size_t max_steps,
                        ur_run **out, ur_err *err)
{
    ur_run *run;
    *out = NULL;
    ur_status status = ur_run_new(context, folder, &run, err);
    if (status == UR_OK)
        status = reopen(run, epochs, max_steps, err);
    if (status != UR_OK) {
        ur_run_free(run);
        return status;
    }
    *out = run;
    return UR_OK;
}
