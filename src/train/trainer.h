/* trainer.h - inside the trainer: what a checkpoint must hold for training to go on with the same
 * bits. */
#ifndef UR_TRAIN_TRAINER_H
#define UR_TRAIN_TRAINER_H

#include "backend/context.h"
#include "tape/runner.h"
#include "train/schedule.h"
#include "train/shards.h"
#include "unroll/train.h"

/* Where training stands. An epoch's order is made again from (seed, epoch). */
typedef struct ur_progress {
    uint64_t step;                   /* optimiser steps done */
    uint64_t epoch;                  /* finished epochs */
    uint64_t batch;                  /* batches done of the epoch that is under way */
    double loss_sum;                 /* of those batches */
    double nll_sum;                  /* of their positions */
    uint64_t positions;              /* how many */
    double noted_sum[UR_MOST_NOTED]; /* as loss_sum, of what the loss notes */
    ur_schedule_state schedule;
} ur_progress;

struct ur_trainer {
    ur_context *context;
    ur_model *model;
    void *data;
    ur_train_options options;
    size_t examples, batches; /* of the epoch that order_epoch names; before that, of the data */
    ur_progress progress;
    ur_optimizer *optimizer;
    ur_fold *fold;
    float *gathered; /* on the device: the sum over a step's batches; NULL: there is one */
    ur_runner *runner;
    size_t *order; /* (examples) this epoch's shuffle; NULL: the model's own order */
    size_t *cut;   /* (batches + 1) where this epoch's batches begin in it; NULL: every `batch` */
    size_t *spare; /* (2 examples + 2) to cut them */
    size_t most;   /* examples of a batch, at most */
    uint64_t order_epoch; /* 1 + the epoch it was made for; 0: none */
    size_t *sorted;       /* (2 most) this batch, longest first; room to sort it */
    double *shard_loss;   /* (shards) */
    size_t most_shards;
    double *shard_noted; /* (UR_MOST_NOTED, most_shards) what each noted */
};

/* Makes the next epoch ready, unless it is. */
ur_status ur_trainer_prepare(ur_trainer *trainer, ur_err *err);

/* Training is to have so many steps in place of its epochs, which become as many as these begin; 0: epochs
 * as they are. */
void ur_trainer_set_steps(ur_trainer *trainer, size_t steps);

/* Gives back, until the next step, memory that only a step needs: an evaluation takes as much. */
void ur_trainer_rest(ur_trainer *trainer);

/* Whether it had all its steps or epochs, whatever max_steps and early stopping say. */
bool ur_trainer_complete(const ur_trainer *trainer);

#endif
