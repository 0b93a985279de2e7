/* run.h - inside a run folder. */
#ifndef UR_RUN_RUN_H
#define UR_RUN_RUN_H

#include "base/lock.h"
#include "run/published.h"
#include "text/remarks.h"
#include "train/trainer.h"
#include "unroll/run.h"

struct ur_run {
    ur_context *context;
    const ur_allocator *a;
    char *folder;      /* NULL: a single file was opened */
    char *config_text; /* config.json, or what the single file carries */
    ur_run_settings settings;
    ur_data_options data; /* what assets.data points to */
    ur_assets assets;
    bool own_data; /* assets.train and valid are the caller's */
    ur_trainer *trainer;
    double seconds, train_seconds; /* of earlier sessions and this one */
    float *best;                   /* the weights of the least validation loss, or NULL: none yet */
    uint64_t best_epoch, best_step;
    bool best_noted;     /* they are not on the disk yet */
    double valid;        /* what the best weights are chosen by, as it was measured last ... */
    uint64_t valid_step; /* ... after this step; 0: never */
    bool lr_anew;        /* the learning rate goes on from the settings', not the checkpoint's */
    const char *weights; /* UR_BEST_FILE or UR_LAST_FILE, of an opened folder */
    uint64_t epoch;      /* that they are of; 0: unknown */
    bool published;      /* it is a folder of transformers', no run's */
    ur_published_weights
        start;          /* what its weights have, where it has a head or a run starts with it */
    ur_remarks remarks; /* on the data that was read last */
    ur_lock lock;       /* of a folder that is trained into */
};

/* Adds what the kind says of data that was read. */
ur_status ur_run_remember(ur_run *run, const void *data, ur_err *err);

/* The figure that the best weights are chosen by; NULL: the loss. */
const ur_figure *ur_run_best_figure(const ur_run *run);

/* The first of the names of data files is `size` bytes of it; the rest of them, or NULL: of kinds whose
 * data may be two files (ur_kind.two_files). */
const char *ur_run_next_file(const ur_run *run, const char *names, size_t *size);

/* FOLDER/NAME, or with a number FOLDER/checkpoints/N.safetensors; fresh memory or NULL. */
char *ur_path_join(const ur_allocator *a, const char *folder, const char *name);
char *ur_checkpoint_path(const ur_allocator *a, const char *folder, uint64_t step);

/* ---- vocabularies and merges (stored.c) ----------------------------------------------------- */

typedef struct ur_stored ur_stored;

enum { UR_MOST_STORED = 8 }; /* of them, at most */

/* Number i of them, NULL behind the last; its file in a run's folder; its key in the metadata of
 * safetensors files. */
const ur_stored *ur_stored_at(size_t i);
const char *ur_stored_file(const ur_stored *stored);
const char *ur_stored_key(const ur_stored *stored);
/* The vocabulary; NULL: there is none, or it is no vocabulary. The field of a configuration that says how
 * many symbols it has; NULL: there is none. */
const ur_vocabulary *ur_stored_vocabulary(const ur_stored *stored, const ur_assets *assets);
const ur_field *ur_stored_count(const ur_stored *stored, const ur_kind *kind);
void ur_stored_free_all(ur_assets *assets);

/* As fresh text; NULL: the run has none. */
ur_status ur_stored_print(const ur_stored *stored, const ur_assets *assets, char **text,
                          size_t *size, ur_err *err);
ur_status ur_stored_save_all(const ur_run *run, ur_err *err);

/* Reads it into run->assets where it is there; UR_BAD_FILE where the kind needs it and it is not. text:
 * NULL for none; name is what messages call it. */
ur_status ur_stored_from_text(const ur_stored *stored, ur_run *run, const char *name,
                              const char *text, ur_err *err);
ur_status ur_stored_from_folder(const ur_stored *stored, ur_run *run, ur_err *err);

/* ---- weights to start with (start.c) ------------------------------------------------------- */

/* What settings.init_from names. */
typedef struct ur_start {
    ur_run *
        source; /* that it is of, without a model where it is a published folder; NULL: a file that tells
                     * nothing of a model */
    char *path; /* of the file of weights */
    bool same;  /* the vocabularies are the source's */
} ur_start;

/* Opens it; all NULL where there is none. To be closed whatever it returns. */
ur_status ur_start_open(const ur_run *run, ur_start *start, ur_err *err);
void ur_start_close(const ur_run *run, ur_start *start);
/* Before the data is read: the vocabularies that come along. */
ur_status ur_start_take(ur_run *run, ur_start *start, ur_err *err);
/* Whether it sets all weights, those that start anew included. */
bool ur_start_is_whole(const ur_start *start);
/* Into the model, which is initialised unless it sets all weights, with remarks. */
ur_status ur_start_load(ur_run *run, const ur_start *start, ur_err *err);

/* ---- published BERTs with heads (published_run.c) ---------------------------------------------- */

/* Whether a folder with that config.json (or NULL) is a published one, or another run readable as such, for that
 * kind to start from; the kind of its head, NULL: it has none. */
bool ur_published_starts(const ur_kind *kind, const ur_json *config);
const ur_kind *ur_published_kind(const ur_context *context, const ur_json *config);
/* Into an empty run. kind NULL: the one that the folder's head is of, with the model; else what a run of that
 * kind starts with: all but the model, and labels where the folder has them. */
ur_status ur_published_open_run(ur_run *run, const char *folder, const ur_json *config,
                                const ur_kind *kind, ur_err *err);
/* What no option says of the model, and how texts are cut, from another configuration of the run's kind. */
ur_status ur_published_take(ur_run *run, const void *from, ur_err *err);
/* Its weights into the run's model, which has none yet; what the folder lacks is drawn. With a remark. */
ur_status ur_published_start(ur_run *run, const char *folder, const ur_run *source, ur_err *err);

/* An empty run; folder NULL: of none. */
ur_status ur_run_new(ur_context *context, const char *folder, ur_run **out, ur_err *err);

/* settings.freeze. */
ur_status ur_run_freeze(ur_run *run, ur_err *err);

/* ---- config.json (config.c) ---------------------------------------------------------------- */

enum { UR_MOST_CONFIG = 16 << 20 }; /* bytes */

/* The model, its text processing, and how it is trained; without settings (NULL) what
 * model.safetensors carries. labels: with settings also what transformers reads of them, of a kind with an
 * architecture. Fresh text from the allocator. UR_UNSUPPORTED: longer than UR_MOST_CONFIG. */
ur_status ur_config_print(const ur_allocator *a, const ur_kind *kind, const void *config,
                          const ur_run_settings *settings, const ur_vocabulary *labels, char **text,
                          ur_err *err);

/* Reads it back; every value is checked. *config: the kind's struct in fresh memory, which ur_free
 * releases. settings may be NULL (then a part that tells of training is passed over); its strings
 * are fresh memory that ur_fields_free releases. */
ur_status ur_config_parse(ur_context *context, const char *name, const char *text, size_t size,
                          const ur_kind **kind, void **config, ur_run_settings *settings,
                          ur_err *err);

/* tokenizer_config.json, of a kind that cuts texts into pieces of words. */
#define UR_TOKENIZER_FILE "tokenizer_config.json"
ur_status ur_run_save_tokenizer(const ur_run *run, ur_err *err);

/* The kind that a folder's config.json names. */
ur_status ur_config_kind(ur_context *context, const char *folder, const ur_kind **kind,
                         ur_err *err);

/* config.json as the settings now are. */
ur_status ur_run_save_config(ur_run *run, ur_err *err);

/* ---- weights (checkpoint.c, open.c) -------------------------------------------------------- */

#define UR_LAST_FILE "model.safetensors"
#define UR_BEST_FILE "best.safetensors"
/* Which of the two is used: the best weights where there are others than the last ones, unless these say no
 * step and so are no run's. A file that cannot be read is chosen, so that it is refused and not passed over. */
ur_status ur_weights_choose(const ur_allocator *a, const char *folder, const char **name,
                            ur_err *err);
/* In their metadata: epochs and steps done. */
#define UR_EPOCH_KEY "unroll.epoch"
#define UR_STEP_KEY "unroll.step"
/* In that of checkpoints whose weights were validated: "loss=0.25", the figure that the best ones are chosen
 * by. */
#define UR_VALID_KEY "unroll.valid"

/* model.safetensors, and a checkpoint after which older ones but the last and the best are removed. */
ur_status ur_run_save_model(ur_run *run, ur_err *err);
/* The weights as they are now have the least validation loss: keeps a copy of them. */
ur_status ur_run_note_best(ur_run *run, ur_err *err);
/* Writes that copy as best.safetensors, with early stopping also as model.safetensors, unless it was
 * written. */
ur_status ur_run_save_best(ur_run *run, ur_err *err);
ur_status ur_run_save_checkpoint(ur_run *run, ur_err *err);

/* All of them, of a run that the folder held before. */
void ur_run_remove_checkpoints(const ur_run *run);

/* Whether the newest checkpoint can be gone on from: its tensors have the model's shapes, which gets its
 * memory, and its vocabularies are the folder's; before the data is read. UR_BAD_FILE: there is none. */
ur_status ur_run_check_newest(ur_run *run, ur_err *err);

/* Puts trainer and model where the newest checkpoint stands. UR_BAD_FILE when there is none. */
ur_status ur_run_load_checkpoint(ur_run *run, ur_err *err);

/* Whether the vocabularies are those that the open file's weights were trained with, where it says so;
 * whether all weights are finite. UR_BAD_FILE by line, and by tensor. */
ur_status ur_run_check_words(const ur_run *run, ur_st *st, const char *path, ur_err *err);
ur_status ur_run_check_finite(const ur_run *run, const char *path, ur_err *err);

/* The weights of model.safetensors (of an opened folder run->weights), into the run's model. */
ur_status ur_run_load_model(ur_run *run, ur_err *err);

/* ---- metrics (metrics.c) ------------------------------------------------------------------- */

/* No line yet. */
ur_status ur_run_start_metrics(const ur_run *run, ur_err *err);
/* A line more in metrics.jsonl and train.log. */
ur_status ur_run_add_metrics(ur_run *run, const ur_metrics *metrics, ur_err *err);
/* Whole lines for train.log. */
ur_status ur_run_log(const ur_run *run, const char *text, ur_err *err);
/* Takes what tells of steps after `step` off both. */
ur_status ur_run_cut_metrics(const ur_run *run, uint64_t step, ur_err *err);

#endif
