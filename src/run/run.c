/* run.c - making a run, opening a trained one, going on with one; and what it tells of itself
 * (unroll/run.h says what its folder holds). */
#include "run/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"
#include "data/builtin.h"
#include "io/fields.h"
#include "models/kinds.h"
#include "run/published.h"
#include "text/wordpiece.h"
#include "train/weights.h"

enum { MOST_PATH = 4096 };

typedef void (*listener)(void *user, const char *fault);

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
    run->assets.context = context;
    run->remarks.a = a;
    run->lock = UR_NO_LOCK;
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
    const ur_kind *kind = run->assets.kind;
    ur_lock_release(&run->lock);
    ur_trainer_free(run->trainer);
    if (kind && kind->free_data && !run->own_data) {
        kind->free_data(run->assets.train);
        kind->free_data(run->assets.valid);
    }
    ur_model_free(run->assets.model);
    ur_stored_free_all(&run->assets);
    if (kind && run->assets.config)
        ur_fields_free(a, kind->fields, run->assets.config);
    ur_free(a, run->assets.config);
    ur_fields_free(a, ur_run_settings_fields(), &run->settings);
    ur_free(a, run->best);
    ur_remarks_free(&run->remarks);
    ur_free(a, run->config_text);
    ur_free(a, run->folder);
    ur_free(a, run);
}

/* What the kind reads its data by, as the settings now are. */
static void point_to_data(ur_run *run)
{
    const ur_run_settings *s = &run->settings;
    run->data = (ur_data_options){.data = s->data,
                                  .valid = s->valid,
                                  .size = s->size,
                                  .valid_size = s->valid_size,
                                  .valid_split = s->valid ? 0.0 : s->valid_split,
                                  .seed = s->train.seed,
                                  .batch = s->train.batch};
    run->assets.data = &run->data;
}

/* Nobody else trains into the folder from now on, and nothing is left of those who did and were killed. */
static ur_status lock_folder(ur_run *run, ur_err *err)
{
    char *path = ur_path_join(run->a, run->folder, "lock");
    char *checkpoints = ur_path_join(run->a, run->folder, "checkpoints");
    ur_err why = {.text = ""};
    ur_status status =
        path && checkpoints ? ur_lock_take(path, &run->lock, &why) : ur_no_memory(&why, MOST_PATH);
    if (status == UR_OK) {
        ur_remove_temporaries(run->a, run->folder);
        ur_remove_temporaries(run->a, checkpoints);
    }
    ur_free(run->a, path);
    ur_free(run->a, checkpoints);
    if (status == UR_UNSUPPORTED)
        return ur_remark(&run->remarks, err, "%s: two trainings at once would not be noticed",
                         why.text);
    return status == UR_OK ? UR_OK
                           : ur_fail(err, status, "%s%s", why.text,
                                     status == UR_INVALID ? ", which trains this run" : "");
}

/* ---- create ------------------------------------------------------------------------------- */

static void remove_file(const ur_run *run, const char *name)
{
    char *path = ur_path_join(run->a, run->folder, name);
    if (path)
        unlink(path);
    ur_free(run->a, path);
}

/* Files of a run that was there before, its configuration first: from then on it is none. */
static void remove_run(const ur_run *run)
{
    static const char *const names[] = {"config.json",   UR_LAST_FILE, UR_BEST_FILE,
                                        "metrics.jsonl", "train.log",  UR_TOKENIZER_FILE};
    const ur_stored *stored;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        remove_file(run, names[i]);
    for (size_t i = 0; (stored = ur_stored_at(i)); i++)
        remove_file(run, ur_stored_file(stored));
    ur_run_remove_checkpoints(run);
}

/* The folder is there, can be written to, and holds no run (any more). */
static ur_status make_folder(ur_run *run, ur_err *err)
{
    char *config = ur_path_join(run->a, run->folder, "config.json");
    char *checkpoints = ur_path_join(run->a, run->folder, "checkpoints");
    ur_status status = config && checkpoints ? UR_OK : ur_no_memory(err, MOST_PATH);
    ur_there there = UR_NOTHING_THERE;
    if (status == UR_OK)
        status = ur_look(config, &there, err);
    if (status == UR_OK && !run->settings.overwrite && there != UR_NOTHING_THERE)
        status =
            ur_fail(err, UR_INVALID,
                    "%s already holds a run: go on with it (resume), choose another folder, or "
                    "let it be removed (overwrite)",
                    run->folder);
    if (status == UR_OK)
        status = ur_make_folder(run->a, run->folder, err);
    if (status == UR_OK)
        status = ur_make_folder(run->a, checkpoints, err);
    if (status == UR_OK)
        status = lock_folder(run, err);
    if (status == UR_OK)
        status = ur_look(config, &there, err);
    if (status == UR_OK && there != UR_NOTHING_THERE)
        remove_run(run);
    else if (status == UR_OK) /* of one whose removal was interrupted */
        ur_run_remove_checkpoints(run);
    if (status == UR_OK) /* lines would be added to those of another run */
        status = ur_run_start_metrics(run, err);
    ur_free(run->a, config);
    ur_free(run->a, checkpoints);
    return status;
}

/* Copies of what the caller gave, checked. */
static ur_status take_settings(ur_run *run, const ur_run_settings *settings, const char *kind,
                               const void *config, ur_err *err)
{
    const ur_kind *k = run->assets.kind = ur_kind_find(run->context, kind);
    if (!k)
        return ur_fail(err, UR_INVALID, "unknown kind of model \"%s\"", kind);
    ur_status status = ur_fields_check(ur_run_settings_fields(), settings, "training", err);
    if (status == UR_OK)
        status = ur_kind_check(k, config, err);
    if (status != UR_OK)
        return status;
    ur_run_settings copy = *settings;
    if (!ur_fields_copy_texts(run->a, ur_run_settings_fields(), &copy))
        return ur_no_memory(err, MOST_PATH);
    run->settings = copy;
    point_to_data(run);
    void *own = ur_alloc(run->a, 1, k->config_size);
    if (!own)
        return ur_no_memory(err, k->config_size);
    memcpy(own, config, k->config_size);
    if (!ur_fields_copy_texts(run->a, k->fields, own)) {
        ur_free(run->a, own);
        return ur_no_memory(err, MOST_PATH);
    }
    run->assets.config = own;
    return UR_OK;
}

const ur_figure *ur_run_best_figure(const ur_run *run)
{
    const char *name = run->settings.best_by;
    const ur_figure *f = name ? run->assets.kind->figures : NULL;
    while (f && f->name && strcmp(f->name, name) != 0)
        f++;
    return f && f->name ? f : NULL;
}

/* Whether what was to be validated can be. */
static ur_status check_validation(const ur_run *run, ur_err *err)
{
    const ur_run_settings *s = &run->settings;
    const char *usual = ur_run_defaults(run->assets.kind).best_by;
    const bool given = s->best_by && !(usual && strcmp(s->best_by, usual) == 0);
    const bool by_loss = !s->best_by || strcmp(s->best_by, "loss") == 0;
    if (!by_loss && !ur_run_best_figure(run))
        return ur_fail(err, UR_INVALID, "a %s has no figure \"%s\" to choose the best model by",
                       run->assets.kind->name, s->best_by);
    if (!run->assets.valid && (s->valid_every || (given && !by_loss) || s->keep_best))
        return ur_fail(err, UR_INVALID, "%s goes by validation data, and there is none",
                       s->valid_every      ? "valid_every"
                       : given && !by_loss ? "best_by"
                                           : "keep_best");
    if (!by_loss && ur_schedule_needs_validation((size_t)s->train.schedule))
        return ur_fail(err, UR_INVALID, "the %s schedule goes by the validation loss, not by %s",
                       ur_schedule_name((size_t)s->train.schedule), s->best_by);
    return UR_OK;
}

/* The trainer, for a run whose data and model are there. */
static ur_status new_trainer(ur_run *run, ur_err *err)
{
    const ur_train_options *o = &run->settings.train;
    if (!run->assets.valid && o->early_stop)
        return ur_fail(err, UR_INVALID,
                       "early stopping goes by validation data, and there is none");
    if (!run->assets.valid && ur_schedule_needs_validation((size_t)o->schedule))
        return ur_fail(err, UR_INVALID,
                       "the %s schedule goes by validation data, and there is none",
                       ur_schedule_name((size_t)o->schedule));
    ur_status status = check_validation(run, err);
    if (status == UR_OK)
        status = ur_run_freeze(run, err);
    if (status == UR_OK)
        status = ur_trainer_new(run->context, run->assets.model, run->assets.train, o,
                                &run->trainer, err);
    if (status == UR_OK) /* it may have been its choice */
        run->settings.train.epochs = ur_trainer_options(run->trainer)->epochs;
    return status;
}

/* Part of the data for validation: a kind's default says nothing beside a file for that. */
static ur_status check_split(const ur_run *run, ur_err *err)
{
    const ur_kind *kind = run->assets.kind;
    const ur_run_settings *s = &run->settings;
    if (!(s->valid_split > 0.0))
        return UR_OK;
    if (!kind->splits)
        return ur_fail(err, UR_INVALID, "the data of a %s cannot be split for validation",
                       kind->name);
    if (s->valid && s->valid_split != ur_run_defaults(kind).valid_split)
        return ur_fail(err, UR_INVALID,
                       "data to validate with and a part of the training data for it (valid_split) "
                       "are two ways to say one thing");
    return UR_OK;
}

/* Data and model; from files, or given. */
static ur_status prepare(ur_run *run, void *train, void *valid, ur_err *err)
{
    ur_assets *assets = &run->assets;
    const ur_kind *kind = assets->kind;
    if (!train && !kind->prepare)
        return ur_fail(err, UR_INVALID, "a %s reads no files: its data is made by the program",
                       kind->name);
    if (!train) {
        ur_status status = check_split(run, err);
        if (status == UR_OK)
            status = kind->prepare(assets, err);
        if (status == UR_OK && assets->like && kind->fits)
            status = kind->fits(assets, err);
        if (status == UR_OK)
            status = ur_run_remember(run, assets->train, err);
        return status == UR_OK ? ur_run_remember(run, assets->valid, err) : status;
    }
    if (run->settings.valid_split > 0.0 &&
        run->settings.valid_split != ur_run_defaults(kind).valid_split)
        return ur_fail(err, UR_INVALID, "data that the program made is split by the program");
    run->own_data = true;
    assets->train = train;
    assets->valid = valid;
    return assets->model ? UR_OK
                         : ur_model_new(run->context, kind, assets->config, &assets->model, err);
}

/* A configuration as the model has completed it. Texts stay the run's own. */
static void take_completed(ur_run *run)
{
    memcpy(run->assets.config, run->assets.model->config, run->assets.kind->config_size);
}

static ur_status start_run(ur_run *run, const ur_start *start, ur_err *err)
{
    if (!ur_start_is_whole(start))
        ur_model_init(run->assets.model, run->settings.train.seed);
    ur_status status = ur_start_load(run, start, err);
    if (status == UR_OK)
        status = new_trainer(run, err);
    if (status == UR_OK)
        status = make_folder(run, err);
    if (status == UR_OK)
        status = ur_stored_save_all(run, err);
    if (status == UR_OK)
        status = ur_run_save_tokenizer(run, err);
    if (status == UR_OK)
        status = ur_run_save_checkpoint(run, err); /* from now on the run can be resumed */
    return status == UR_OK ? ur_run_save_config(run, err) : status;
}

ur_status ur_run_create_with(ur_context *context, const char *folder,
                             const ur_run_settings *settings, const char *kind, const void *config,
                             void *train, void *valid, ur_run **out, ur_err *err)
{
    UR_FPMODE_HERE;
    ur_run *run;
    ur_start start = {.path = NULL};
    *out = NULL;
    ur_status status = ur_run_new(context, folder, &run, err);
    if (status == UR_OK)
        status = take_settings(run, settings, kind, config, err);
    if (status == UR_OK)
        status = ur_start_open(run, &start, err);
    if (status == UR_OK && !train)
        status = ur_start_take(run, &start, err);
    if (status == UR_OK)
        status = prepare(run, train, valid, err);
    if (status == UR_OK) {
        take_completed(run);
        status = start_run(run, &start, err);
    }
    if (run)
        ur_start_close(run, &start);
    if (status != UR_OK) {
        ur_run_free(run);
        return status;
    }
    *out = run;
    return UR_OK;
}

ur_status ur_run_create(ur_context *context, const char *folder, const ur_run_settings *settings,
                        const char *kind, const void *config, ur_run **out, ur_err *err)
{
    *out = NULL;
    if (!settings->data)
        return ur_fail(err, UR_INVALID, "%s: there is no data to train with", folder);
    return ur_run_create_with(context, folder, settings, kind, config, NULL, NULL, out, err);
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

/* Outlines the model that run->config_text tells of, whose parameters have no memory yet. single: the file that
 * carries it, name what messages call the configuration. */
static ur_status rebuild(ur_run *run, const ur_st *single, const char *name,
                         ur_run_settings *settings, ur_err *err)
{
    ur_assets *assets = &run->assets;
    const ur_stored *stored;
    ur_status status =
        ur_config_parse(run->context, name, run->config_text, strlen(run->config_text),
                        &assets->kind, &assets->config, settings, err);
    for (size_t i = 0; status == UR_OK && (stored = ur_stored_at(i)); i++)
        status = single ? ur_stored_from_text(stored, run, name,
                                              ur_st_metadata(single, ur_stored_key(stored)), err)
                        : ur_stored_from_folder(stored, run, err);
    if (status != UR_OK)
        return status;
    if (assets->kind->fits)
        status = assets->kind->fits(assets, err);
    if (status == UR_OK)
        status = ur_model_outline(run->context, assets->kind, assets->config, &assets->model, err);
    return blame(name, status, err);
}

/* config.json of the run's folder, vocabularies and merges. */
static ur_status open_folder(ur_run *run, ur_err *err)
{
    size_t size;
    char *config = ur_path_join(run->a, run->folder, "config.json");
    ur_status status = config ? UR_OK : ur_no_memory(err, MOST_PATH);
    if (status == UR_OK)
        status = ur_read_file(run->a, config, UR_MOST_CONFIG, &run->config_text, &size, err);
    if (status == UR_OK && strlen(run->config_text) != size)
        status = ur_fail(err, UR_BAD_FILE, "%s: a zero byte in the text", config);
    if (status == UR_OK)
        status = rebuild(run, NULL, config, &run->settings, err);
    if (status == UR_OK)
        point_to_data(run);
    ur_free(run->a, config);
    return status;
}

/* What a single file carries in its metadata. */
static ur_status open_single(ur_run *run, const char *path, ur_st *st, ur_err *err)
{
    const char *config = ur_st_metadata(st, "unroll.config");
    if (!config)
        return ur_fail(err, UR_BAD_FILE,
                       "%s holds weights but no configuration and vocabulary of a model: open the "
                       "run's folder instead",
                       path);
    run->config_text = ur_strdup(run->a, config);
    if (!run->config_text)
        return ur_no_memory(err, strlen(config) + 1);
    return rebuild(run, st, path, NULL, err);
}

/* The number of the line in which two texts differ first. */
static size_t different_line(const char *a, const char *b)
{
    size_t line = 1;
    for (; *a && *a == *b; a++, b++)
        line += *a == '\n';
    return line;
}

/* Whether a stored text is still what the weights were trained with: ids are places in it. */
static ur_status same_text(const ur_run *run, const ur_stored *stored, ur_st *st, const char *path,
                           ur_err *err)
{
    const char *own = ur_st_metadata(st, ur_stored_key(stored));
    char *text;
    size_t size;
    if (!own)
        return UR_OK;
    ur_status status = ur_stored_print(stored, &run->assets, &text, &size, err);
    if (status != UR_OK)
        return status;
    if (text && strcmp(own, text) != 0)
        status =
            ur_fail(err, UR_BAD_FILE,
                    "%s/%s was changed: line %zu is not what %s was trained with (its own copy "
                    "is in the file, which opens alone)",
                    run->folder, ur_stored_file(stored), different_line(own, text), path);
    ur_free(run->a, text);
    return status;
}

ur_status ur_run_check_words(const ur_run *run, ur_st *st, const char *path, ur_err *err)
{
    ur_status status = UR_OK;
    const ur_stored *stored;
    for (size_t i = 0; status == UR_OK && (stored = ur_stored_at(i)); i++)
        status = same_text(run, stored, st, path, err);
    return status;
}

ur_status ur_run_check_finite(const ur_run *run, const char *path, ur_err *err)
{
    const ur_params *params = run->assets.model->params;
    float number;
    const ur_param *p = ur_params_not_finite(params, ur_params_data(params), &number);
    return p ? ur_fail(err, UR_BAD_FILE,
                       "%s: %s has a weight that is not finite (%g): the model is damaged", path,
                       p->name, (double)number)
             : UR_OK;
}

/* Where somebody listens, only looks whether they fit. */
static ur_status load_weights(ur_run *run, const char *path, bool single, listener tell, void *user,
                              ur_err *err)
{
    ur_st *st;
    ur_status status = ur_st_open(run->a, path, &st, err);
    if (status != UR_OK)
        return status;
    const char *epoch = ur_st_metadata(st, UR_EPOCH_KEY);
    run->epoch = epoch ? strtoull(epoch, NULL, 10) : 0;
    status = single ? open_single(run, path, st, err) : ur_run_check_words(run, st, path, err);
    if (status == UR_OK && tell)
        status = ur_weights_check(run->assets.model->params, st, path, "", tell, user, err);
    else if (status == UR_OK)
        status = ur_weights_read(run->assets.model->params, st, path, "", err);
    if (status == UR_OK && !tell)
        status = ur_run_check_finite(run, path, err);
    ur_st_close(st);
    return status;
}

static ur_status load_model(ur_run *run, listener tell, void *user, ur_err *err)
{
    char *path = ur_path_join(run->a, run->folder, run->weights ? run->weights : UR_LAST_FILE);
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

/* The step that a file's weights are of; -1: it says none, -2: it cannot be read. */
static ur_status step_of(const ur_allocator *a, const char *folder, const char *name,
                         long long *step, ur_err *err)
{
    char *path = ur_path_join(a, folder, name);
    ur_st *st;
    if (!path)
        return ur_no_memory(err, MOST_PATH);
    const ur_status status = ur_st_open(a, path, &st, err);
    const char *text = status == UR_OK ? ur_st_metadata(st, UR_STEP_KEY) : NULL;
    *step = status != UR_OK ? -2 : text ? strtoll(text, NULL, 10) : -1;
    if (status == UR_OK)
        ur_st_close(st);
    ur_free(a, path);
    return status == UR_NO_MEMORY ? status : UR_OK;
}

ur_status ur_weights_choose(const ur_allocator *a, const char *folder, const char **name,
                            ur_err *err)
{
    char *path = ur_path_join(a, folder, UR_BEST_FILE);
    ur_there there;
    if (!path)
        return ur_no_memory(err, MOST_PATH);
    ur_status status = ur_look(path, &there, err);
    ur_free(a, path);
    *name = UR_LAST_FILE;
    if (status != UR_OK || there == UR_NOTHING_THERE)
        return status;
    long long best_step, last_step;
    status = step_of(a, folder, UR_BEST_FILE, &best_step, err);
    if (status == UR_OK)
        status = step_of(a, folder, UR_LAST_FILE, &last_step, err);
    if (status == UR_OK && last_step >= 0 && best_step != last_step)
        *name = UR_BEST_FILE;
    return status;
}

/* How a training would have to cut texts to cut them as this tokenizer. */
static void take_rules(const ur_wordpiece *w, ur_bert_text *text)
{
    ur_wordpiece_options o;
    ur_wordpiece_rules(w, &o);
    text->lower = o.lower;
    text->strip_accents = o.strip_accents == o.lower ? UR_BERT_ACCENTS_AUTO
                          : o.strip_accents          ? UR_BERT_ACCENTS_STRIPPED
                                                     : UR_BERT_ACCENTS_KEPT;
    text->specials = strcmp(o.special[UR_CLS], "<cls>") == 0 ? UR_BERT_ANGLE : UR_BERT_SQUARE;
}

/* A published model without a head that gives labels. */
static ur_status open_bert(ur_run *run, const ur_json *config, ur_err *err)
{
    const ur_published_options options = {.heads = true, .config = config};
    ur_assets *assets = &run->assets;
    ur_published p;
    ur_status status =
        ur_published_open(run->context, run->folder, &options, &run->remarks, &p, err);
    if (status != UR_OK)
        return status;
    assets->kind = p.model->kind;
    assets->model = p.model;
    assets->wordpiece = p.wordpiece;
    assets->config = ur_alloc(run->a, 1, assets->kind->config_size);
    if (!assets->config)
        return ur_no_memory(err, assets->kind->config_size);
    take_rules(p.wordpiece, &((ur_bert_config *)p.model->config)->text);
    memcpy(assets->config, p.model->config, assets->kind->config_size);
    return UR_OK;
}

/* A published model, as if it were a run's. */
static ur_status open_published(ur_run *run, const ur_json *config, ur_err *err)
{
    const ur_assets *assets = &run->assets;
    ur_status status = ur_published_kind(run->context, config)
                           ? ur_published_open_run(run, run->folder, config, NULL, err)
                           : open_bert(run, config, err);
    if (status != UR_OK)
        return status;
    status = ur_run_check_finite(run, run->folder, err);
    if (status != UR_OK)
        return status;
    run->weights = UR_LAST_FILE;
    run->published = true;
    point_to_data(run);
    return ur_config_print(run->a, assets->kind, assets->config, NULL, NULL, &run->config_text,
                           err);
}

static ur_status open_run(ur_context *context, const char *path, bool last, listener tell,
                          void *user, ur_run **out, ur_err *err)
{
    ur_there there;
    ur_run *run;
    *out = NULL;
    ur_status status = ur_look(path, &there, err);
    if (status != UR_OK)
        return status;
    const bool folder = there == UR_FOLDER_THERE;
    ur_json *config = NULL;
    status = ur_run_new(context, folder ? path : NULL, &run, err);
    if (status == UR_OK && folder)
        status = ur_published_config(run->a, path, &config, err);
    if (status == UR_OK && ur_published_is(config)) {
        status = open_published(run, config, err);
    } else if (status == UR_OK && folder) {
        status = open_folder(run, err);
        run->weights = UR_LAST_FILE;
        if (status == UR_OK && !last)
            status = ur_weights_choose(run->a, path, &run->weights, err);
        if (status == UR_OK)
            status = load_model(run, tell, user, err);
    } else if (status == UR_OK) {
        status = load_weights(run, path, true, tell, user, err);
    }
    ur_json_free(config);
    if (status != UR_OK) {
        ur_run_free(run);
        return status;
    }
    *out = run;
    return UR_OK;
}

ur_status ur_run_open(ur_context *context, const char *path, ur_run **out, ur_err *err)
{
    UR_FPMODE_HERE;
    return open_run(context, path, false, NULL, NULL, out, err);
}

ur_status ur_run_open_last(ur_context *context, const char *path, ur_run **out, ur_err *err)
{
    UR_FPMODE_HERE;
    return open_run(context, path, true, NULL, NULL, out, err);
}

ur_status ur_run_check(ur_context *context, const char *path, listener tell, void *user,
                       ur_err *err)
{
    UR_FPMODE_HERE;
    ur_run *run;
    const ur_status status = open_run(context, path, false, tell, user, &run, err);
    ur_run_free(run);
    return status;
}

/* ---- resume ------------------------------------------------------------------------------- */

/* Puts a fresh copy of `path` into the settings' member. */
static ur_status replace_path(const ur_run *run, const char *path, const char **member, ur_err *err)
{
    char *copy = path ? ur_strdup(run->a, path) : NULL;
    if (!path)
        return UR_OK;
    if (!copy)
        return ur_no_memory(err, strlen(path) + 1);
    union {
        const char *given;
        char *own; /* the settings of an opened run are its own memory */
    } old = {.given = *member};
    ur_free(run->a, old.own);
    *member = copy;
    return UR_OK;
}

/* What goes on in another way than it began, in the settings and for the log. */
static ur_status change(ur_run *run, const ur_resume_options *o, char *said, size_t room,
                        ur_err *err)
{
    ur_run_settings *s = &run->settings;
    size_t used = 0;
    if (o->epochs && o->epochs != s->train.epochs)
        used += (size_t)snprintf(said + used, room - used, "  epochs %zu instead of %zu", o->epochs,
                                 s->train.epochs);
    if (o->lr > 0.0) {
        used +=
            (size_t)snprintf(said + used, room - used, "  lr %g instead of %g", o->lr, s->train.lr);
        s->train.lr = o->lr;
        run->lr_anew = true;
    }
    if (o->data)
        snprintf(said + used, room - used, "  the data is now %.400s", o->data);
    if (o->epochs) {
        s->train.epochs = o->epochs;
        s->train.steps = 0;
        s->minutes = 0.0;
    }
    if (o->max_steps)
        s->train.max_steps = o->max_steps == UR_NO_LIMIT ? 0 : o->max_steps;
    ur_status status = replace_path(run, o->data, &s->data, err);
    if (status == UR_OK)
        status = replace_path(run, o->valid, &s->valid, err);
    point_to_data(run);
    return status == UR_OK ? ur_train_check(&s->train, err) : status;
}

/* Whether the files that the run was made with are where they were. */
static ur_status still_there(const ur_run *run, const char *names, const char *option, ur_err *err)
{
    size_t size;
    if (ur_is_builtin(names))
        return UR_OK;
    for (const char *name = names, *next; name; name = next) {
        char path[MOST_PATH];
        ur_there there;
        next = ur_run_next_file(run, name, &size);
        snprintf(path, sizeof path, "%.*s", (int)size, name);
        if (size >= sizeof path)
            continue;
        const ur_status status = ur_look(path, &there, err);
        if (status != UR_OK)
            return status;
        if (there == UR_NOTHING_THERE)
            return ur_fail(err, UR_BAD_FILE,
                           "%s is not there any more, which %s was trained with; --%s FILE says "
                           "where it is now",
                           path, run->folder, option);
    }
    return UR_OK;
}

static ur_status log_resume(const ur_run *run, const char *said, ur_err *err)
{
    char line[700];
    if (!*said)
        return UR_OK;
    snprintf(line, sizeof line, "resumed after step %llu:%s\n",
             (unsigned long long)run->trainer->progress.step, said);
    return ur_run_log(run, line, err);
}

static ur_status reopen(ur_run *run, const ur_resume_options *o, ur_err *err)
{
    char said[600] = "";
    ur_status status = open_folder(run, err);
    if (status == UR_OK)
        status = lock_folder(run, err);
    if (status == UR_OK)
        status = change(run, o, said, sizeof said, err);
    if (status == UR_OK)
        status = ur_run_check_newest(run, err);
    if (status == UR_OK && !o->train_data && run->assets.kind->prepare)
        status = still_there(run, run->settings.data, "data", err);
    if (status == UR_OK && !o->train_data && run->assets.kind->prepare)
        status = still_there(run, run->settings.valid, "valid", err);
    if (status == UR_OK)
        status = prepare(run, o->train_data, o->valid_data, err);
    if (status == UR_OK)
        status = blame(run->folder, new_trainer(run, err), err);
    if (status == UR_OK)
        status = ur_run_load_checkpoint(run, err);
    if (status == UR_OK)
        status = ur_run_cut_metrics(run, run->trainer->progress.step, err);
    if (status == UR_OK)
        status = log_resume(run, said, err);
    return status == UR_OK ? ur_run_save_config(run, err) : status;
}

ur_status ur_run_resume_as(ur_context *context, const char *folder,
                           const ur_resume_options *options, ur_run **out, ur_err *err)
{
    UR_FPMODE_HERE;
    static const ur_resume_options none = {0};
    ur_run *run;
    *out = NULL;
    ur_status status = ur_run_new(context, folder, &run, err);
    if (status == UR_OK)
        status = reopen(run, options ? options : &none, err);
    if (status != UR_OK) {
        ur_run_free(run);
        return status;
    }
    *out = run;
    return UR_OK;
}

ur_status ur_run_resume_with(ur_context *context, const char *folder, size_t epochs,
                             size_t max_steps, void *train, void *valid, ur_run **out, ur_err *err)
{
    const ur_resume_options o = {
        .epochs = epochs, .max_steps = max_steps, .train_data = train, .valid_data = valid};
    return ur_run_resume_as(context, folder, &o, out, err);
}

ur_status ur_run_resume(ur_context *context, const char *folder, size_t epochs, size_t max_steps,
                        ur_run **out, ur_err *err)
{
    return ur_run_resume_with(context, folder, epochs, max_steps, NULL, NULL, out, err);
}

/* ---- asking ------------------------------------------------------------------------------- */

const ur_kind *ur_run_kind(const ur_run *run)
{
    return run->assets.kind;
}

const ur_assets *ur_run_assets(const ur_run *run)
{
    return &run->assets;
}

ur_model *ur_run_model(const ur_run *run)
{
    return run->assets.model;
}

const ur_vocabulary *ur_run_vocabulary(const ur_run *run)
{
    return run->assets.vocabulary;
}

const ur_vocabulary *ur_run_labels(const ur_run *run)
{
    return run->assets.labels;
}

const ur_run_settings *ur_run_settings_of(const ur_run *run)
{
    return &run->settings;
}

bool ur_run_stopped_early(const ur_run *run)
{
    const ur_trainer *t = run->trainer;
    return t && !ur_trainer_complete(t) && ur_schedule_ended(&t->options, &t->progress.schedule);
}

const char *ur_run_folder(const ur_run *run)
{
    return run->folder;
}

bool ur_run_has_best(const ur_run *run, size_t *epoch)
{
    if (epoch)
        *epoch = (size_t)run->epoch;
    return run->weights && strcmp(run->weights, UR_BEST_FILE) == 0;
}

const char *ur_run_config_text(const ur_run *run)
{
    return run->config_text;
}

void *ur_run_train_data(const ur_run *run)
{
    return run->assets.train;
}

void *ur_run_valid_data(const ur_run *run)
{
    return run->assets.valid;
}
