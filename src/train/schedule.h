/* schedule.h - the learning rate from step to step, and when training ends early. */
#ifndef UR_TRAIN_SCHEDULE_H
#define UR_TRAIN_SCHEDULE_H

#include "unroll/train.h"

/* What the schedule and early stopping remember. */
typedef struct ur_schedule_state {
    double lr;         /* options.lr, as the epochs so far have reduced it */
    double best;       /* plateau: the validation loss to beat */
    uint64_t waited;   /* plateau: epochs since it was beaten or the rate reduced */
    double least;      /* the least validation loss */
    uint64_t unbeaten; /* epochs since then */
} ur_schedule_state;

ur_schedule_state ur_schedule_start(const ur_train_options *options);

/* UR_INVALID for options that are out of range. */
ur_status ur_schedule_check(const ur_train_options *options, ur_err *err);

/* The rate of the step after `step` ones, `batch` of `batches` of the epoch after `epoch` ones being
 * done. */
double ur_schedule_lr(const ur_train_options *options, const ur_schedule_state *state,
                      uint64_t step, uint64_t epoch, uint64_t batch, size_t batches);

/* After an epoch, of which `epoch` are done now. */
void ur_schedule_epoch(const ur_train_options *options, ur_schedule_state *state, uint64_t epoch);

/* After its validation: whether the loss is the least so far. */
bool ur_schedule_validated(const ur_train_options *options, ur_schedule_state *state, double loss);

bool ur_schedule_ended(const ur_train_options *options, const ur_schedule_state *state);

#endif
