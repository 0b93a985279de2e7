/* task.h - what a run has to know about one kind of model: its part of config.json, its data, its
 * figures. A kind is a const struct in a file of its own, task_KIND.c, and a line in tasks.c. */
#ifndef UR_TRAIN_TASK_H
#define UR_TRAIN_TASK_H

#include "train/config.h"
#include "train/run.h"

struct ur_task {
    const char *kind; /* the model class's, "model" in config.json, what ur_run_create is told */
    const char *unit; /* what its speed is told in: "sequences" or "tokens" */
    bool labels;      /* has a second vocabulary, run->labels, in labels.txt */
    /* The figures of its evaluations: members of ur_metrics, as metrics.jsonl has them after
     * "epoch", "step" and "lr"; ended by NULL. All are computed for every kind (run_train.c): this
     * says which mean something. */
    const char *const *figures;

    /* ---- configuration: this kind's struct, config_size bytes that can be copied */
    size_t config_size;
    /* Puts it into config.json's open object: the members named by `keys`. "version" and "model"
     * come before them, "training" after them. */
    void (*print)(ur_json_writer *w, const void *config);
    const char *const *keys; /* (n_keys) */
    size_t n_keys;
    /* Reads it back, every value checked, into zeroed memory. Strings must be constants. */
    ur_status (*parse)(const ur_json_value *root, void *config, ur_err *err);

    /* ---- run->config is there, and run->settings */
    /* A new run: reads what run->settings names as data, completes run->config, and makes
     * run->vocabulary (and run->labels), run->model with its parameters initialised from
     * run->settings.train.seed, run->train and run->valid (NULL: no validation). What was made
     * before a failure stays in the run, which frees it. */
    ur_status (*create)(ur_run *run, ur_err *err);
    /* An old one: makes run->model with its parameters zero, the vocabularies being there. A
     * configuration that does not fit them is UR_INVALID, to which the file's name is added. */
    ur_status (*rebuild)(ur_run *run, ur_err *err);
    /* To go on training: run->train and run->valid again, as `create` made them. */
    ur_status (*reopen)(ur_run *run, ur_err *err);
    /* Other data for the run's model, to evaluate with. */
    ur_status (*open)(ur_run *run, const ur_pair_source *source, void **data, ur_err *err);
    void (*free_data)(void *data); /* accepts NULL */
    /* A number that changes when the training data does. */
    uint64_t (*fingerprint)(const void *data);
};

/* The kind of that name, or NULL. */
const ur_task *ur_task_find(const char *kind);
/* All of them, ended by NULL. */
const ur_task *const *ur_tasks(void);

/* The data to train or validate with, as the settings name it. */
ur_pair_source ur_run_source(const ur_run *run, ur_split split);
/* UR_INVALID when config.json's vocabulary_size is not that of vocab.txt. */
ur_status ur_run_check_vocabulary(const ur_run *run, size_t vocabulary, ur_err *err);

#endif
