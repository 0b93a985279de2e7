/* run.h - inside a run folder. */
#ifndef UR_TRAIN_RUN_H
#define UR_TRAIN_RUN_H

#include "train/config.h"
#include "train/trainer.h"
#include "unroll/train.h"

struct ur_run {
    ur_context *context;
    const ur_allocator *a;
    char *folder;      /* NULL: a single file was opened */
    char *config_text; /* config.json, or what the single file carries */
    const ur_task *task;
    void *config; /* the kind's own struct */
    ur_run_settings settings;
    ur_vocabulary *vocabulary, *labels; /* labels: NULL unless the kind has them */
    ur_model *model;
    void *train, *valid; /* the kind's data; NULL unless created or resumed */
    ur_trainer *trainer;
    double seconds, train_seconds; /* of earlier sessions and this one */
    ur_metrics *metrics;           /* every evaluation so far */
    size_t metrics_count, metrics_capacity;
    void **answers; /* (answer_count) what the last answers point into */
    size_t answer_count;
};

/* An empty run; folder: NULL for none. */
ur_status ur_run_new(ur_context *context, const char *folder, ur_run **out, ur_err *err);

/* FOLDER/NAME, or with a number FOLDER/checkpoints/N.safetensors; fresh memory or NULL. */
char *ur_path_join(const ur_allocator *a, const char *folder, const char *name);
char *ur_checkpoint_path(const ur_allocator *a, const char *folder, uint64_t step);

/* model.safetensors, and a checkpoint after which older ones but the last are removed. */
ur_status ur_run_save_model(ur_run *run, ur_err *err);
ur_status ur_run_save_checkpoint(ur_run *run, ur_err *err);

/* Puts trainer and model where the newest checkpoint stands. UR_BAD_FILE when there is none. */
ur_status ur_run_load_checkpoint(ur_run *run, ur_err *err);

/* The weights of model.safetensors, into the run's model. */
ur_status ur_run_load_model(ur_run *run, ur_err *err);

/* The trainer, for a run whose data and model are there. */
ur_status ur_run_new_trainer(ur_run *run, ur_err *err);

/* config.json as the settings now are. */
ur_status ur_run_save_config(ur_run *run, ur_err *err);

/* Appends to run->metrics and writes metrics.jsonl and train.log. */
ur_status ur_run_add_metrics(ur_run *run, const ur_metrics *metrics, ur_err *err);
/* Reads metrics.jsonl, forgetting what came after `step`. */
ur_status ur_run_load_metrics(ur_run *run, uint64_t step, ur_err *err);

void ur_run_forget_answers(ur_run *run);

#endif
