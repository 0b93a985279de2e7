/* unroll/train.h - training and evaluation; weights in files. */
#ifndef UNROLL_TRAIN_H
#define UNROLL_TRAIN_H

#include "unroll/core.h"
#include "unroll/io.h"
#include "unroll/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- weights in files --------------------------------------------------------------------- */

/* Writes all parameters as float32 under their names to a safetensors file, atomically. */
ur_status ur_params_save(const ur_params *params, const char *path, ur_err *err);
/* The same with a prefix before each name ("encoder.rnn."), as UR_ST_F32, UR_ST_F16 or UR_ST_BF16,
 * rounded to nearest. UR_INVALID for a weight that the format cannot hold. */
ur_status ur_params_save_as(const ur_params *params, const char *path, const char *prefix,
                            ur_st_dtype dtype, ur_err *err);

/* Reads them from a safetensors file (float64, float32, float16, bfloat16), strictly: a missing,
 * surplus or ill-shaped tensor is UR_BAD_FILE, every one of them named (as far as the sentence has
 * room; ur_params_check names them all), and the parameters are then unchanged. prefix: only those
 * tensors count whose name starts with it, and it is cut off; "" for all. */
ur_status ur_params_load(ur_params *params, const char *path, const char *prefix, ur_err *err);

/* Whether ur_params_load would accept the file; reads no weights. tell (or NULL) hears of every
 * fault: "missing NAME", "surplus NAME", "ill-shaped: NAME is (..), (..) expected". */
ur_status ur_params_check(const ur_params *params, const char *path, const char *prefix,
                          void (*tell)(void *user, const char *fault), void *user, ur_err *err);

/* ---- the trainer -------------------------------------------------------------------------- */

typedef enum ur_optimizer { UR_ADAM, UR_SGD } ur_optimizer;

/* How the learning rate goes on from lr, as PyTorch's schedulers of these names say:
 *   step     StepLR: times lr_factor every lr_epochs epochs
 *   cosine   CosineAnnealingLR over all steps of all epochs: lr_min + (lr - lr_min) (1 + cos(pi x))
 *            / 2, x being the part of the epochs that is done, batches counted
 *   plateau  ReduceLROnPlateau: times lr_factor, but not below lr_min, when the validation loss has
 *            not fallen by a ten-thousandth of its best for more than lr_patience epochs
 * A warm-up goes with each: the first steps' rates are multiplied by 1/N, 2/N ... N/N (LinearLR with
 * start_factor 1/N over N - 1 steps). */
typedef enum ur_schedule { UR_LR_CONSTANT, UR_LR_STEP, UR_LR_COSINE, UR_LR_PLATEAU } ur_schedule;

/* PyTorch's defaults (torch.optim.Adam, torch.optim.SGD) but for lr. */
typedef struct ur_train_options {
    size_t batch; /* sequences per step; the last batch of an epoch may be smaller */
    size_t epochs;
    size_t max_steps; /* 0: no limit */
    ur_optimizer optimizer;
    double lr, beta1, beta2, eps; /* Adam: 0.9 0.999 1e-8 */
    double momentum;              /* SGD */
    bool nesterov;
    double weight_decay;
    double clip;   /* largest global gradient norm; 0: none */
    uint64_t seed; /* of shuffling and drop-out */
    ur_schedule schedule;
    size_t lr_epochs;    /* step: 1 or more */
    double lr_factor;    /* step, plateau: above 0 and below 1 */
    size_t lr_patience;  /* plateau */
    double lr_min;       /* cosine, plateau: 0 to lr */
    size_t warmup_steps; /* 0: none */
    /* Training ends when the validation loss was not below its best for so many epochs; 0: never. */
    size_t early_stop;
} ur_train_options;

/* batch 256, 30 epochs, Adam 2e-4, seed 42; constant, else every 10 epochs, factor 0.1, patience 10
 * and least rate 0. */
ur_train_options ur_train_defaults(void);
/* Whether they are in range and go together: UR_INVALID with the reason. */
ur_status ur_train_check(const ur_train_options *options, ur_err *err);

typedef struct ur_trainer ur_trainer;

/* What one optimiser step did. */
typedef struct ur_step {
    size_t step;           /* counted from 1 over the whole training */
    size_t epoch;          /* counted from 1 */
    size_t batch, batches; /* of this epoch, batch counted from 1 */
    size_t examples;       /* in this batch */
    size_t positions;      /* that the loss counts, of this batch */
    double loss;           /* mean over the batch's positions */
    double gradient_norm;  /* global, before clipping */
    double lr;             /* that it took */
    bool epoch_ended;
    double epoch_loss; /* unweighted mean of the batches' losses of this epoch so far */
    /* Of this epoch so far: sums over positions, so that perplexity is exp(epoch_nll /
     * epoch_positions), each batch before its update. */
    double epoch_nll;
    size_t epoch_positions;
} ur_step;

/* The model and the data stay the caller's and must outlive the trainer. A model class with
 * start_epoch or carried changes the data, which is then this trainer's alone. */
ur_status ur_trainer_new(ur_context *context, ur_model *model, void *data,
                         const ur_train_options *options, ur_trainer **out, ur_err *err);
void ur_trainer_free(ur_trainer *trainer);

/* Whether all epochs or steps are done, or training ends early. */
bool ur_trainer_finished(const ur_trainer *trainer);

/* Tells the mean validation loss after an epoch, once after each: what the plateau schedule and
 * early stopping go by. Whether it is below those of all epochs before. */
bool ur_trainer_validated(ur_trainer *trainer, double loss);

/* One batch: forward, backward, clip, step. UR_DIVERGED when the loss or a gradient is not finite;
 * names the parameter; the model is then as before the step. */
ur_status ur_trainer_step(ur_trainer *trainer, ur_step *report, ur_err *err);

/* Adds up the kind's measure over all examples, or what the kind's own evaluation gives. confusion
 * receives a fresh matrix of a kind with labels, else NULL. */
ur_status ur_evaluate(const ur_model *model, const void *data, ur_measure *out, ur_err *err);
ur_status ur_evaluate_with(const ur_model *model, const void *data, ur_measure *out,
                           ur_confusion **confusion, ur_err *err);

#ifdef __cplusplus
}
#endif

#endif
