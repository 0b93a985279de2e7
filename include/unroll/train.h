/* unroll/train.h - training, evaluation, run folders and pictures of them. */
#ifndef UNROLL_TRAIN_H
#define UNROLL_TRAIN_H

#include "unroll/core.h"
#include "unroll/io.h"
#include "unroll/models.h"
#include "unroll/text.h"

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
} ur_train_options;

ur_train_options ur_train_defaults(void); /* batch 256, 30 epochs, Adam 2e-4, seed 42 */

typedef struct ur_trainer ur_trainer;

/* What one optimiser step did. */
typedef struct ur_step {
    size_t step;           /* counted from 1 over the whole training */
    size_t epoch;          /* counted from 1 */
    size_t batch, batches; /* of this epoch, batch counted from 1 */
    size_t examples;       /* in this batch */
    double loss;           /* mean over the batch's positions */
    double gradient_norm;  /* global, before clipping */
    bool epoch_ended;
    double epoch_loss; /* unweighted mean of the batches' losses of this epoch so far */
} ur_step;

/* The model and the data stay the caller's and must outlive the trainer. */
ur_status ur_trainer_new(ur_context *context, ur_model *model, const void *data,
                         const ur_train_options *options, ur_trainer **out, ur_err *err);
void ur_trainer_free(ur_trainer *trainer);

/* Whether all epochs or steps are done. */
bool ur_trainer_finished(const ur_trainer *trainer);

/* One batch: forward, backward, clip, step. UR_DIVERGED when the loss or a gradient is not finite;
 * names the parameter; the model is then as before the step. */
ur_status ur_trainer_step(ur_trainer *trainer, ur_step *report, ur_err *err);

/* Adds up the model's measure over all examples. */
ur_status ur_evaluate(ur_context *context, const ur_model *model, const void *data, ur_measure *out,
                      ur_err *err);

/* ---- runs --------------------------------------------------------------------------------- */

/* A run is a folder:
 *     config.json           everything needed to rebuild the model and its text processing
 *     vocab.txt             one symbol a line
 *     model.safetensors     weights under PyTorch's names, as of the last evaluation
 *     metrics.jsonl         one object per evaluation
 *     train.log             one line per epoch, for people
 *     checkpoints/N.safetensors  weights and optimiser after step N: what --resume goes on from
 *     plots/ *.svg
 * model.safetensors and each checkpoint also hold configuration and vocabulary, and open alone. */
typedef struct ur_run ur_run;

/* How a run was or is to be trained. Strings belong to the caller (create) or the run (settings). */
typedef struct ur_run_settings {
    const char *data;        /* file, or builtin:dates, builtin:additions */
    const char *valid;       /* file; NULL: a builtin's validation split, else nothing */
    size_t size, valid_size; /* of built-in data; 0: 45,000 and 5,000 */
    bool strip;
    ur_train_options train;
} ur_run_settings;

/* Starts a new run: reads the data, builds and initialises the model (config's vocabulary and all
 * of its format but the orders are found out from the data), makes the folder and writes what is
 * known so far. UR_INVALID when the folder already holds a run; UR_IO when it cannot be written. */
ur_status ur_run_create(ur_context *context, const char *folder, const ur_run_settings *settings,
                        const ur_seq2seq_config *config, ur_run **out, ur_err *err);

/* Opens a trained model: a run's folder, its model.safetensors, or a checkpoint. */
ur_status ur_run_open(ur_context *context, const char *path, ur_run **out, ur_err *err);
/* Whether ur_run_open would; tell hears of every fault of the weights, as in ur_params_check. */
ur_status ur_run_check(ur_context *context, const char *path,
                       void (*tell)(void *user, const char *fault), void *user, ur_err *err);

/* Opens a run to go on training from its newest checkpoint; reads the data again. more: changes
 * epochs and max_steps, the rest of the settings stays as recorded. UR_BAD_FILE when there is no
 * checkpoint or the data is not what it was. */
ur_status ur_run_resume(ur_context *context, const char *folder, size_t epochs, size_t max_steps,
                        ur_run **out, ur_err *err);

void ur_run_free(ur_run *run);

ur_model *ur_run_model(ur_run *run);
const ur_vocabulary *ur_run_vocabulary(const ur_run *run);
const ur_run_settings *ur_run_settings_of(const ur_run *run);
const char *ur_run_folder(const ur_run *run); /* NULL when a single file was opened */
/* config.json's text. */
const char *ur_run_config_text(const ur_run *run);
/* The data that a created or resumed run trains on and validates with; valid may be NULL. */
const ur_pairs *ur_run_train_pairs(const ur_run *run);
const ur_pairs *ur_run_valid_pairs(const ur_run *run);

/* One evaluation, as metrics.jsonl has it. */
typedef struct ur_metrics {
    size_t epoch, step;
    double train_loss; /* mean of the epoch's batches */
    bool has_valid;
    double valid_loss;             /* mean over positions */
    double valid_accuracy;         /* whole answers, free-running */
    double valid_forced_accuracy;  /* whole answers, teacher-forced */
    double seconds, train_seconds; /* since the start of training; without evaluation */
    double sequences_per_second;   /* of this epoch's training */
} ur_metrics;

/* What the caller of ur_run_train wants to hear; any may be NULL. */
typedef struct ur_run_hooks {
    void *user;
    /* After every step. seconds_left: an estimate, evaluation included. */
    void (*on_step)(void *user, const ur_step *step, double sequences_per_second,
                    double seconds_left);
    void (*on_evaluation)(void *user, const ur_metrics *metrics);
    /* Asked after every step: true finishes the step, saves and returns UR_INTERRUPTED. */
    bool (*should_stop)(void *user);
} ur_run_hooks;

/* Trains to the end: an evaluation, a line in the logs, model.safetensors and a checkpoint after
 * every epoch (and when max_steps or an interruption ends it inside one). UR_DIVERGED keeps the
 * last good model.safetensors. */
ur_status ur_run_train(ur_run *run, const ur_run_hooks *hooks, ur_err *err);

/* Reads a run's metrics.jsonl: *count entries in fresh memory (ur_allocator of the context). */
ur_status ur_metrics_load(ur_context *context, const char *folder, ur_metrics **out, size_t *count,
                          ur_err *err);
void ur_metrics_free(ur_context *context, ur_metrics *metrics);

/* ---- using a trained run ------------------------------------------------------------------ */

/* Evaluates on a file or built-in data (source as in ur_pairs_open). */
ur_status ur_run_evaluate(ur_run *run, const ur_pair_source *source, ur_measure *out, ur_err *err);

/* An answer as text, with what stands behind it. Valid until the next ur_run_answer on this run. */
typedef struct ur_text_answer {
    const char *text; /* UTF-8, padding spaces at the end removed */
    double log_probability;
    bool complete;                         /* see ur_answer */
    size_t question_length, answer_length; /* symbols, padding included */
    const char *const *question_symbols;   /* (question_length) each as UTF-8 */
    const char *const *answer_symbols;     /* (answer_length) */
    const float *probability;              /* (answer_length) */
    const float *attention;                /* (answer_length, question_length) or NULL */
} ur_text_answer;

/* Answers questions given as UTF-8 texts, many at a time sharing the threads; out has room for
 * `count`. A question that cannot be encoded is UR_BAD_FILE and its index goes to *bad (may be
 * NULL). UR_UNSUPPORTED for a model trained with UR_ANSWER_WITH_START: its first input would be
 * the answer's last symbol. */
ur_status ur_run_answer(ur_run *run, size_t count, const char *const *questions,
                        ur_text_answer *out, size_t *bad, ur_err *err);

/* Draws accuracy and loss over epochs of one or several runs into one SVG picture. */
ur_status ur_run_plot_curves(ur_context *context, size_t count, const char *const *folders,
                             const char *path, ur_err *err);

/* Draws where the model looked while it answered: question across, answer down. */
ur_status ur_run_plot_attention(ur_run *run, const char *question, const char *path, ur_err *err);

#ifdef __cplusplus
}
#endif

#endif
