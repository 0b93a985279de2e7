/* run.c - making, opening and resuming a run (train.h says what its folder holds). */
#include "train/run.h"

#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"
#include "unroll/io.h"
#include "text/vocabulary.h"
#include "train/config.h"
#include "train/weights.h"

enum { MOST_CONFIG = 16 << 20, MOST_PATH = 4096 };

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

static ur_status new_run(ur_context *context, const char *folder, ur_run **out, ur_err *err)
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
    ur_pairs_free(run->train);
    ur_pairs_free(run->valid);
    ur_settings_free(a, &run->settings);
    ur_run_forget_answers(run);
    ur_free(a, run->metrics);
    ur_free(a, run->config_text);
    ur_free(a, run->folder);
    ur_free(a, run);
}

/* ---- data --------------------------------------------------------------------------------- */

static ur_pair_source source_of(const ur_run_settings *s, ur_split split)
{
    const bool training = split == UR_SPLIT_TRAIN;
    return (ur_pair_source){.data = training || !s->valid ? s->data : s->valid,
                            .size = training ? s->size : s->valid_size,
                            .seed = s->train.seed,
                            .split = split};
}

static bool is_builtin(const char *data)
{
    return strncmp(data, "builtin:", 8) == 0;
}

static ur_status open_valid(ur_run *run, ur_err *err)
{
    const ur_run_settings *s = &run->settings;
    if (!s->valid && !is_builtin(s->data))
        return UR_OK;
    const ur_pair_source source = source_of(s, UR_SPLIT_VALID);
    return ur_pairs_open(run->a, &source, &ur_seq2seq_config_of(run->model)->format,
                         run->vocabulary, &run->valid, err);
}

uint64_t ur_pairs_fingerprint(const ur_pairs *pairs)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a over ids and lengths */
    for (size_t i = 0; i < 2 * ur_pairs_count(pairs); i++) {
        const ur_ids side = i % 2 ? ur_pairs_answer(pairs, i / 2) : ur_pairs_question(pairs, i / 2);
        hash = (hash ^ side.length) * UINT64_C(0x100000001b3);
        for (size_t j = 0; j < side.length; j++)
            hash = (hash ^ (uint32_t)side.ids[j]) * UINT64_C(0x100000001b3);
    }
    return hash;
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
    ur_status status =
        ur_config_print(run->a, ur_seq2seq_config_of(run->model), &run->settings, &text, err);
    if (status == UR_OK) {
        ur_free(run->a, run->config_text);
        run->config_text = text;
        status = ur_replace_file(run->a, path, text, strlen(text), err);
    }
    ur_free(run->a, path);
    return status;
}

static ur_status save_vocabulary(const ur_run *run, ur_err *err)
{
    char *path = ur_path_join(run->a, run->folder, "vocab.txt");
    if (!path)
        return ur_no_memory(err, MOST_PATH);
    const ur_status status = ur_vocabulary_save(run->vocabulary, path, err);
    ur_free(run->a, path);
    return status;
}

/* Data, vocabulary, model. */
static ur_status build(ur_run *run, const ur_seq2seq_config *wanted, ur_err *err)
{
    ur_seq2seq_config config = *wanted;
    const ur_pair_source source = source_of(&run->settings, UR_SPLIT_TRAIN);
    ur_status status = ur_pairs_learn(run->a, &source, run->settings.strip, &run->train,
                                      &run->vocabulary, &config.format, err);
    if (status != UR_OK)
        return status;
    config.format.reverse_input = wanted->format.reverse_input;
    config.format.answer_order = wanted->format.answer_order;
    config.vocabulary = ur_vocabulary_size(run->vocabulary);
    status = ur_seq2seq_new(run->context, &config, &run->model, err);
    if (status != UR_OK)
        return status;
    ur_seq2seq_init(run->model, run->settings.train.seed);
    return open_valid(run, err);
}

ur_status ur_run_create(ur_context *context, const char *folder, const ur_run_settings *settings,
                        const ur_seq2seq_config *config, ur_run **out, ur_err *err)
{
    ur_run *run;
    *out = NULL;
    ur_status status = new_run(context, folder, &run, err);
    if (status == UR_OK)
        status = ur_settings_copy(run->a, settings, &run->settings, err);
    if (status == UR_OK)
        status = build(run, config, err);
    if (status == UR_OK)
        status = ur_trainer_new(context, run->model, run->train, &run->settings.train,
                                &run->trainer, err);
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

/* ---- open --------------------------------------------------------------------------------- */

/* A configuration that asks for what cannot be is a bad file. */
static ur_status blame(const char *name, ur_status status, ur_err *err)
{
    if (status != UR_INVALID)
        return status;
    const ur_err why = err ? *err : (ur_err){UR_INVALID, ""};
    return ur_fail(err, UR_BAD_FILE, "%s: %s", name, why.text);
}

/* Builds the model that a configuration tells of; its parameters are still zero. */
static ur_status rebuild(ur_run *run, const char *name, bool settings, ur_err *err)
{
    ur_seq2seq_config config;
    ur_status status = ur_config_parse(run->a, name, run->config_text, strlen(run->config_text),
                                       &config, settings ? &run->settings : NULL, err);
    if (status == UR_OK && config.vocabulary != ur_vocabulary_size(run->vocabulary))
        status =
            ur_fail(err, UR_BAD_FILE, "%s: \"vocabulary_size\" is %zu, but the vocabulary has %zu",
                    name, config.vocabulary, ur_vocabulary_size(run->vocabulary));
    if (status == UR_OK)
        status = ur_pair_format_check(&config.format, run->vocabulary, err);
    if (status == UR_OK)
        status = ur_seq2seq_new(run->context, &config, &run->model, err);
    return blame(name, status, err);
}

/* config.json and vocab.txt of the run's folder. */
static ur_status open_folder(ur_run *run, ur_err *err)
{
    size_t size;
    char *config = ur_path_join(run->a, run->folder, "config.json");
    char *vocabulary = ur_path_join(run->a, run->folder, "vocab.txt");
    ur_status status = config && vocabulary ? UR_OK : ur_no_memory(err, MOST_PATH);
    if (status == UR_OK)
        status = ur_read_file(run->a, config, MOST_CONFIG, &run->config_text, &size, err);
    if (status == UR_OK && strlen(run->config_text) != size)
        status = ur_fail(err, UR_BAD_FILE, "%s: a zero byte in the text", config);
    if (status == UR_OK)
        status = ur_vocabulary_load(run->a, vocabulary, &run->vocabulary, err);
    if (status == UR_OK)
        status = rebuild(run, config, true, err);
    ur_free(run->a, config);
    ur_free(run->a, vocabulary);
    return status;
}

/* What a single file carries in its metadata. */
static ur_status open_single(ur_run *run, const char *path, ur_st *st, ur_err *err)
{
    const char *config = ur_st_metadata(st, "unroll.config");
    const char *vocabulary = ur_st_metadata(st, "unroll.vocabulary");
    if (!config || !vocabulary)
        return ur_fail(err, UR_BAD_FILE,
                       "%s holds weights but no configuration and vocabulary of a model: open the "
                       "run's folder instead",
                       path);
    run->config_text = ur_strdup(run->a, config);
    if (!run->config_text)
        return ur_no_memory(err, strlen(config) + 1);
    const ur_status status =
        ur_vocabulary_parse(run->a, path, vocabulary, strlen(vocabulary), &run->vocabulary, err);
    return status == UR_OK ? rebuild(run, path, false, err) : status;
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

static ur_status open_run(ur_context *context, const char *path, listener tell, void *user,
                          ur_run **out, ur_err *err)
{
    struct stat there;
    const bool folder = stat(path, &there) == 0 && S_ISDIR(there.st_mode);
    ur_run *run;
    *out = NULL;
    ur_status status = new_run(context, folder ? path : NULL, &run, err);
    if (status == UR_OK && folder) {
        char *weights = ur_path_join(run->a, path, "model.safetensors");
        status = weights ? open_folder(run, err) : ur_no_memory(err, MOST_PATH);
        if (status == UR_OK)
            status = load_weights(run, weights, false, tell, user, err);
        ur_free(run->a, weights);
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
    run->settings.train.max_steps = max_steps;
    const ur_pair_source source = source_of(&run->settings, UR_SPLIT_TRAIN);
    status = ur_pairs_open(run->a, &source, &ur_seq2seq_config_of(run->model)->format,
                           run->vocabulary, &run->train, err);
    if (status == UR_OK)
        status = open_valid(run, err);
    if (status == UR_OK)
        status = blame(run->folder,
                       ur_trainer_new(run->context, run->model, run->train, &run->settings.train,
                                      &run->trainer, err),
                       err);
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
    ur_status status = new_run(context, folder, &run, err);
    if (status == UR_OK)
        status = reopen(run, epochs, max_steps, err);
    if (status != UR_OK) {
        ur_run_free(run);
        return status;
    }
    *out = run;
    return UR_OK;
}

/* ---- asking ------------------------------------------------------------------------------- */

ur_model *ur_run_model(ur_run *run)
{
    return run->model;
}

const ur_vocabulary *ur_run_vocabulary(const ur_run *run)
{
    return run->vocabulary;
}

const ur_run_settings *ur_run_settings_of(const ur_run *run)
{
    return &run->settings;
}

const char *ur_run_folder(const ur_run *run)
{
    return run->folder;
}

const char *ur_run_config_text(const ur_run *run)
{
    return run->config_text;
}

const ur_pairs *ur_run_train_pairs(const ur_run *run)
{
    return run->train;
}

const ur_pairs *ur_run_valid_pairs(const ur_run *run)
{
    return run->valid;
}
