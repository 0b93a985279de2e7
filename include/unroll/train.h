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
 * tensors count whose name starts with it, and it is cut off; "" for all. Of tied weights one name is
 * enough; where the file has several, their tensors must be equal. */
ur_status ur_params_load(ur_params *params, const char *path, const char *prefix, ur_err *err);

/* Tensors named FROM... are parameters TO...: {"encoder.", "backbone."}; of endings, ...FROM and ...TO. */
typedef struct ur_prefix {
    const char *from, *to;
} ur_prefix;

/* Loading part of a file, or into part of the parameters; all zero: the whole file, strictly. */
typedef struct ur_load_options {
    /* The first that fits a tensor's name counts; where there are any, tensors that fit none are
     * passed over. */
    const ur_prefix *prefixes;
    size_t n_prefixes;
    /* Parameters whose name matches one of these patterns, as file names match in a shell, may be
     * missing, and then stay as they are. */
    const char *const *missing;
    size_t n_missing;
    /* What names end in, after their prefixes: {".gamma", ".weight"}. The first that fits counts. */
    const ur_prefix *endings;
    size_t n_endings;
    /* Tensors whose name in the file matches one of these patterns are passed over. */
    const char *const *skipped;
    size_t n_skipped;
} ur_load_options;

/* As ur_params_load in all else. options may be NULL. */
ur_status ur_params_load_part(ur_params *params, const char *path, const ur_load_options *options,
                              ur_err *err);
/* The same of a file that lies in memory; name is what messages call it. */
ur_status ur_params_load_memory(ur_params *params, const char *name, const void *bytes, size_t size,
                                const ur_load_options *options, ur_err *err);

/* Whether ur_params_load would accept the file; reads no weights but tied ones that are there twice. tell
 * (or NULL) hears of every fault: "missing NAME", "surplus NAME", "ill-shaped: NAME is (..), (..)
 * expected". */
ur_status ur_params_check(const ur_params *params, const char *path, const char *prefix,
                          void (*tell)(void *user, const char *fault), void *user, ur_err *err);

/* ---- how to train ------------------------------------------------------------------------- */

/* Optimisers, as torch.optim has them:
 *   adam   Adam: beta1, beta2, eps; weight_decay is added to the gradient
 *   sgd    SGD: momentum, nesterov; weight_decay is added to the gradient
 *   adamw  AdamW: as adam, but the weights themselves decay, by lr weight_decay at each step
 * Parameters without UR_TRAINABLE are left alone, their moments too; weight_decay acts on those with
 * UR_DECAY. These are their numbers in the list; ur_optimizer_name(i) is NULL behind the last, and
 * ur_optimizer_options(i) are the members of ur_train_options that it has a use for, ended by NULL. */
enum { UR_ADAM, UR_SGD, UR_ADAMW };
const char *ur_optimizer_name(size_t index);
const char *const *ur_optimizer_options(size_t index);

/* How the learning rate goes on from lr, as PyTorch's schedulers of these names say:
 *   constant
 *   step     StepLR: times lr_factor every lr_epochs epochs
 *   cosine   CosineAnnealingLR over all steps of all epochs: lr_min + (lr - lr_min) (1 + cos(pi x))
 *            / 2, x being the part of the epochs that is done, batches counted, or of `steps`
 *   plateau  ReduceLROnPlateau: times lr_factor, but not below lr_min, when the validation loss has
 *            not fallen by a ten-thousandth of its best for more than lr_patience epochs
 *   inverse_sqrt  lr sqrt(warmup_steps / step) after the warm-up, which it needs: with lr = (d
 *            warmup_steps)^-0.5 the rates of Vaswani et al. 2017, section 5.3
 *   linear   lr (steps left) / (steps without the warm-up's) over all steps of all epochs, 0 behind the
 *            last; transformers' get_linear_schedule_with_warmup
 * A warm-up goes with each: the first steps' rates are multiplied by 1/N, 2/N ... N/N (LinearLR with
 * start_factor 1/N over N - 1 steps); with linear by 0/N, 1/N ... (N-1)/N, as it is there, so that the
 * very first step's rate is 0. Numbers, names and options as of optimisers. */
enum { UR_LR_CONSTANT, UR_LR_STEP, UR_LR_COSINE, UR_LR_PLATEAU, UR_LR_INVERSE_SQRT, UR_LR_LINEAR };
const char *ur_schedule_name(size_t index);
const char *const *ur_schedule_options(size_t index);

/* As many epochs as make the steps that the kind of model needs (ur_kind.steps), 5 to 200. */
#define UR_EPOCHS_AUTO SIZE_MAX
enum { UR_LEAST_EPOCHS = 5, UR_MOST_EPOCHS = 200 };

/* PyTorch's defaults (torch.optim.Adam, torch.optim.SGD) but for batch, lr and clip. */
typedef struct ur_train_options {
    size_t batch; /* sequences per step; the last batch of an epoch may be smaller */
    /* Batches of as many sequences as have at most so many positions of the loss (of a BERT that is
     * fine-tuned: pieces), at least one sequence, in place of `batch` of them; sequences of like length together. Each epoch draws anew which of equal
     * length stand together, and the order of the batches. 0: not. Not for kinds with start_epoch. */
    size_t batch_tokens;
    /* Batches per step: their gradients are added in order, of the mean loss over the positions of all
     * of them. The last step of an epoch may have fewer. 0: 1. */
    size_t accumulate;
    size_t epochs;    /* UR_EPOCHS_AUTO: ur_trainer_new chooses */
    size_t steps;     /* > 0: the end of training and of its schedule, in place of epochs */
    size_t max_steps; /* 0: no limit; the schedule does not see it */
    int optimizer;    /* UR_ADAM ... */
    double lr, beta1, beta2, eps; /* Adam: 0.9 0.999 1e-8 */
    double momentum;              /* SGD */
    bool nesterov;
    double weight_decay;
    double clip;         /* largest global gradient norm; 0: none */
    uint64_t seed;       /* of shuffling and drop-out */
    int schedule;        /* UR_LR_CONSTANT ... */
    size_t lr_epochs;    /* step: 1 or more */
    double lr_factor;    /* step, plateau: above 0 and below 1 */
    size_t lr_patience;  /* plateau */
    double lr_min;       /* cosine, plateau: 0 to lr */
    size_t warmup_steps; /* 0: none */
    /* Training ends when the validation loss was not below its best for so many epochs; 0: never. */
    size_t early_stop;
} ur_train_options;

/* batch 32, one per step, UR_EPOCHS_AUTO, Adam 2e-3, clip 1, seed 42; constant, else every 10 epochs,
 * factor 0.1, patience 10 and least rate 0. Kinds have changes of their own (ur_run_defaults);
 * docs/defaults.md has what they were chosen by. */
ur_train_options ur_train_defaults(void);
/* Whether the options are in range and go together: UR_INVALID with the reason. */
ur_status ur_train_check(const ur_train_options *options, ur_err *err);

/* ---- optimisers without a trainer --------------------------------------------------------- */

/* Steps parameters by gradients: vectors of ur_params_size floats, as backward leaves them. */
typedef struct ur_optimizer ur_optimizer;

/* Takes optimizer and what it has a use for from the options. The parameters stay the caller's and must
 * outlive it. */
ur_status ur_optimizer_new(ur_params *params, const ur_train_options *options, ur_optimizer **out,
                           ur_err *err);
void ur_optimizer_free(ur_optimizer *optimizer);

/* The global norm of a gradient. */
double ur_optimizer_norm(ur_optimizer *optimizer, const float *gradient);

/* One step at rate lr by the gradient times scale (1, or what clipping makes of it:
 * torch.nn.utils.clip_grad_norm_ scales by most / (norm + 1e-6) where that is below 1). */
void ur_optimizer_step(ur_optimizer *optimizer, const float *gradient, double lr, double scale);

/* What there is to save: steps done, and vectors of ur_params_size floats (Adam's m and v, SGD's
 * velocity), NULL behind the last. */
uint64_t ur_optimizer_steps(const ur_optimizer *optimizer);
void ur_optimizer_set_steps(ur_optimizer *optimizer, uint64_t steps);
float *ur_optimizer_moment(ur_optimizer *optimizer, size_t index);

/* What a schedule and early stopping remember. */
typedef struct ur_schedule_state {
    double lr;         /* options.lr, as the epochs so far have reduced it */
    double best;       /* plateau: the validation loss to beat */
    uint64_t waited;   /* plateau: epochs since it was beaten or the rate reduced */
    double least;      /* the least validation loss */
    uint64_t unbeaten; /* epochs since then */
} ur_schedule_state;

/* Of options that ur_train_check accepts. */
ur_schedule_state ur_schedule_start(const ur_train_options *options);
/* The rate of the step after `step` ones, `batch` of `batches` of the epoch after `epoch` ones being
 * done. */
double ur_schedule_lr(const ur_train_options *options, const ur_schedule_state *state,
                      uint64_t step, uint64_t epoch, uint64_t batch, size_t batches);
/* After an epoch, of which `epoch` are done now. */
void ur_schedule_epoch(const ur_train_options *options, ur_schedule_state *state, uint64_t epoch);
/* After its validation: whether the loss is the least so far. */
bool ur_schedule_validated(const ur_train_options *options, ur_schedule_state *state, double loss);
/* Whether early stopping ends the training. */
bool ur_schedule_ended(const ur_train_options *options, const ur_schedule_state *state);

/* ---- the trainer -------------------------------------------------------------------------- */

typedef struct ur_trainer ur_trainer;

/* What one optimiser step did. */
typedef struct ur_step {
    size_t step;           /* counted from 1 over the whole training */
    size_t epoch;          /* counted from 1 */
    size_t batch, batches; /* of this epoch, batch counted from 1: the step's last */
    size_t examples;       /* in the step's batches */
    size_t positions;      /* that the loss counts, of these */
    double loss;           /* mean over these positions */
    double gradient_norm;  /* global, before clipping */
    double lr;             /* that it took */
    bool epoch_ended;
    /* Unweighted mean of the batches' losses of this epoch so far, each having its step's. */
    double epoch_loss;
    /* Of this epoch so far: sums over positions, so that perplexity is exp(epoch_nll /
     * epoch_positions), each batch before its update. */
    double epoch_nll;
    size_t epoch_positions;
    /* What the loss notes (ur_figure.noted), as epoch_loss; 0 where it notes nothing. */
    double epoch_noted[UR_MOST_NOTED];
} ur_step;

/* The model and the data stay the caller's and must outlive the trainer. A model class with
 * start_epoch or carried changes the data, which is then this trainer's alone. */
ur_status ur_trainer_new(ur_context *context, ur_model *model, void *data,
                         const ur_train_options *options, ur_trainer **out, ur_err *err);
void ur_trainer_free(ur_trainer *trainer);

/* The options as they are: with the epochs that were chosen. */
const ur_train_options *ur_trainer_options(const ur_trainer *trainer);

/* Whether all epochs or steps are done, or training ends early. */
bool ur_trainer_finished(const ur_trainer *trainer);

/* Tells the mean validation loss after an epoch, once after each: what the plateau schedule and
 * early stopping go by. Whether it is below those of all epochs before. */
bool ur_trainer_validated(ur_trainer *trainer, double loss);

/* One batch: forward, backward, clip, step. UR_DIVERGED when the loss or a gradient is not finite;
 * names the parameter; the model is then as before the step. */
ur_status ur_trainer_step(ur_trainer *trainer, ur_step *report, ur_err *err);

/* Adds up the kind's measure over all examples, or what the kind's own evaluation gives. To confusion (may be
 * NULL), which has as many labels as the model, it adds how often they were given (a kind without labels: nothing);
 * after a failure it is as before. */
ur_status ur_evaluate(const ur_model *model, const void *data, ur_measure *out, ur_err *err);
ur_status ur_evaluate_with(const ur_model *model, const void *data, ur_measure *out,
                           ur_confusion *confusion, ur_err *err);

#ifdef __cplusplus
}
#endif

#endif
