/* train.h - what all unroll train KIND share: the options of train.c's table, and the training. */
#ifndef CLI_TRAIN_H
#define CLI_TRAIN_H

#include "cli.h"

/* What a kind adds. */
typedef struct trainee {
    const verb *verb;
    const char *const
        *kinds; /* ur_run_kind of the runs it makes, which it resumes; ended by NULL */
    /* Whether a new run's options go together; says what does not. */
    bool (*check)(const settings *s);
    /* Starts the run. how: the settings that all kinds share, to be completed. */
    ur_status (*create)(ur_context *context, const settings *s, ur_run_settings *how, ur_run **run,
                        ur_err *err);
} trainee;

/* unroll train KIND: checks the options, starts the run or goes on with one. */
int train_kind(const trainee *t, const settings *s);

/* Options that every kind of training has: a verb's last table. */
extern const option_table train_options;

/* A note of every help text about training. */
#define TRAIN_NOTE                                                                                 \
    "After every epoch the run holds the model and a checkpoint. Ctrl-C finishes the step, saves " \
    "and exits with 130; --resume then goes on, and the model becomes what it would have become."

bool is_builtin(const char *data);

#endif
