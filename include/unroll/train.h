/* unroll/train.h - training, evaluation, run folders and pictures of them. */
#ifndef UNROLL_TRAIN_H
#define UNROLL_TRAIN_H

#include "unroll/core.h"
#include "unroll/io.h"
#include "unroll/models.h"
#include "unroll/tagger.h"
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
 * tensors count whose name starts with it, and it is cut off; "" for all. Of tied weights one name is
 * enough; where the file has several, their tensors must be equal. */
ur_status ur_params_load(ur_params *params, const char *path, const char *prefix, ur_err *err);

/* Tensors named FROM... are parameters TO...: {"encoder.", "backbone."}. */
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
 *            / 2, x being the part of the epochs that is done, batches counted
 *   plateau  ReduceLROnPlateau: times lr_factor, but not below lr_min, when the validation loss has
 *            not fallen by a ten-thousandth of its best for more than lr_patience epochs
 * A warm-up goes with each: the first steps' rates are multiplied by 1/N, 2/N ... N/N (LinearLR with
 * start_factor 1/N over N - 1 steps). Numbers, names and options as of optimisers. */
enum { UR_LR_CONSTANT, UR_LR_STEP, UR_LR_COSINE, UR_LR_PLATEAU };
const char *ur_schedule_name(size_t index);
const char *const *ur_schedule_options(size_t index);

/* PyTorch's defaults (torch.optim.Adam, torch.optim.SGD) but for lr. */
typedef struct ur_train_options {
    size_t batch; /* sequences per step; the last batch of an epoch may be smaller */
    size_t epochs;
    size_t max_steps;             /* 0: no limit */
    int optimizer;                /* UR_ADAM ... */
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

/* batch 256, 30 epochs, Adam 2e-4, seed 42; constant, else every 10 epochs, factor 0.1, patience 10
 * and least rate 0. */
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

/* Adds up the model's measure over all examples, or the model's own evaluation. */
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
    bool strip;              /* of pairs */
    ur_train_options train;
} ur_run_settings;

/* Starts a new run: reads the data, builds and initialises the model, makes the folder and writes
 * what is known so far. kind: what is trained, as ur_run_kind names it; config: that kind's.
 *     "seq2seq"  ur_seq2seq_config: its vocabulary and all of its format but the orders are found
 *                out from the data
 *     "language_model"  ur_language_model_config: its vocabulary is found out from the data
 *     "text_lstm"  ur_text_lstm_config: likewise
 *     "tagger", "classifier"  ur_tagger_config: its vocabulary and labels are found out from the
 *                data, per_sequence is what the kind says
 * UR_INVALID: an unknown kind, the folder already holds a run, or the plateau schedule or early
 * stopping without validation data; UR_IO: it cannot be written. */
ur_status ur_run_create(ur_context *context, const char *folder, const ur_run_settings *settings,
                        const char *kind, const void *config, ur_run **out, ur_err *err);

/* Opens a trained model: a run's folder, its model.safetensors, or a checkpoint. */
ur_status ur_run_open(ur_context *context, const char *path, ur_run **out, ur_err *err);
/* Whether ur_run_open would; tell hears of every fault of the weights, as in ur_params_check. */
ur_status ur_run_check(ur_context *context, const char *path,
                       void (*tell)(void *user, const char *fault), void *user, ur_err *err);

/* Opens a run to go on training from its newest checkpoint; reads the data again. epochs and max_steps
 * replace those of the settings, 0 keeps them, and UR_NO_LIMIT as max_steps removes that limit; the rest
 * of the settings stays as recorded. UR_BAD_FILE when there is no checkpoint or the data is not what it
 * was. */
#define UR_NO_LIMIT SIZE_MAX
ur_status ur_run_resume(ur_context *context, const char *folder, size_t epochs, size_t max_steps,
                        ur_run **out, ur_err *err);

void ur_run_free(ur_run *run);

/* Whether a run that is trained ended before its epochs because validation got no better. */
bool ur_run_stopped_early(const ur_run *run);

const char *ur_run_kind(const ur_run *run); /* "seq2seq" */
ur_model *ur_run_model(ur_run *run);
const ur_vocabulary *ur_run_vocabulary(const ur_run *run);
/* The vocabulary of the labels that a tagger or classifier gives; NULL for other kinds. */
const ur_vocabulary *ur_run_labels(const ur_run *run);
const ur_run_settings *ur_run_settings_of(const ur_run *run);
const char *ur_run_folder(const ur_run *run); /* NULL when a single file was opened */
/* config.json's text. */
const char *ur_run_config_text(const ur_run *run);
/* The data that a created or resumed run trains on and validates with, of the type that the kind's
 * model learns from (seq2seq: ur_pairs; tagger, classifier: ur_labelled). NULL: there is none. */
void *ur_run_train_data(const ur_run *run);
void *ur_run_valid_data(const ur_run *run);

/* One evaluation, as metrics.jsonl has it. A figure that the kind of model does not have, or that
 * asks for validation data where there is none, is NaN. */
typedef struct ur_metrics {
    size_t epoch, step;
    bool has_valid;
    double lr;                     /* of the last step */
    double train_loss;             /* mean of the epoch's batches */
    double train_perplexity;       /* exp of the mean over the epoch's positions */
    double valid_loss;             /* mean over positions */
    double valid_perplexity;       /* its exp */
    double valid_accuracy;         /* whole answers, free-running; or labels that are right */
    double valid_forced_accuracy;  /* symbols that are right after the right ones */
    double valid_f1;               /* mean over the labels */
    double seconds, train_seconds; /* since the start of training; without evaluation */
    double sequences_per_second;   /* of this epoch's training */
    double tokens_per_second;
} ur_metrics;

/* The names of the figures that a run's kind has, in the order in which metrics.jsonl has them
 * behind epoch, step and lr, ended by NULL; and one of them by its name, NaN when there is none of
 * that name. */
const char *const *ur_run_figures(const ur_run *run);
double ur_metrics_figure(const ur_metrics *metrics, const char *name);

/* What the caller of ur_run_train wants to hear; any may be NULL. */
typedef struct ur_run_hooks {
    void *user;
    /* After every step. per_second: of this epoch, what ur_run_unit counts. seconds_left: an
     * estimate, evaluation included. */
    void (*on_step)(void *user, const ur_step *step, double per_second, double seconds_left);
    void (*on_evaluation)(void *user, const ur_metrics *metrics);
    /* Asked after every step: true finishes the step, saves and returns UR_INTERRUPTED. */
    bool (*should_stop)(void *user);
} ur_run_hooks;

/* What the speed of a run's training is told in: "sequences" or "tokens". */
const char *ur_run_unit(const ur_run *run);

/* Trains to the end: an evaluation, a line in the logs, model.safetensors and a checkpoint after
 * every epoch (and when max_steps or an interruption ends it inside one). With early stopping
 * model.safetensors is that of the epoch with the least validation loss, and so is the run's model
 * in the end. UR_DIVERGED keeps the last good model.safetensors. */
ur_status ur_run_train(ur_run *run, const ur_run_hooks *hooks, ur_err *err);

/* Reads a run's metrics.jsonl: *count entries in fresh memory (ur_allocator of the context). */
ur_status ur_metrics_load(ur_context *context, const char *folder, ur_metrics **out, size_t *count,
                          ur_err *err);
void ur_metrics_free(ur_context *context, ur_metrics *metrics);

/* ---- using a trained run ------------------------------------------------------------------ */

/* Evaluates on a file or, for pairs, built-in data (source as in ur_pairs_open). */
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
 * NULL). UR_UNSUPPORTED for another kind than seq2seq, and for a model trained with
 * UR_ANSWER_WITH_START: its first input would be the answer's last symbol. */
ur_status ur_run_answer(ur_run *run, size_t count, const char *const *questions,
                        ur_text_answer *out, size_t *bad, ur_err *err);

/* What a tagger or classifier says to a text. Valid until the next ur_run_label on this run. */
typedef struct ur_text_labels {
    size_t count;              /* tokens of the text; 1 from a classifier */
    const char *const *tokens; /* (count) as they stand in the text; NULL from a classifier */
    const char *const *labels; /* (count) the most probable one of each */
    const float *probability;  /* (count) of that label */
    const float *all;          /* (count, labels) of every label, in the order of ur_run_labels */
} ur_text_labels;

/* Labels texts given as UTF-8, many at a time sharing the threads; out has room for `count`. A
 * tagger's text is a sentence whose tokens stand between white space. Words that the model does not
 * know are <unk> to it. A text that cannot be encoded is UR_BAD_FILE and its index goes to *bad
 * (may be NULL). A text without tokens gets no labels from a tagger, and from a classifier what it says
 * to nothing. UR_UNSUPPORTED for a model of another kind. */
ur_status ur_run_label(ur_run *run, size_t count, const char *const *texts, ur_text_labels *out,
                       size_t *bad, ur_err *err);

/* Evaluates a tagger or classifier on a file; *confusion receives a fresh matrix in the order of
 * ur_run_labels, which ur_confusion_free releases with the context's allocator. */
ur_status ur_run_confusion(ur_run *run, const char *data, ur_measure *out, ur_confusion **confusion,
                           ur_err *err);

/* A word that may come next. */
typedef struct ur_next_word {
    const char *word; /* as ur_vocabulary_token has it; valid as long as the run */
    int32_t id;
    float probability;
} ur_next_word;

/* What a text_lstm holds for the next word after each of `count` UTF-8 texts, whose last `context`
 * words count: the `most` most probable ones, in falling order, in out (count, most). unknown
 * (count), or NULL: how many of those words are <unk>. UR_BAD_FILE: a text that cannot be encoded, or
 * has fewer words; its index goes to *bad (may be NULL). UR_UNSUPPORTED: another kind of model. */
ur_status ur_run_next_words(ur_run *run, size_t count, const char *const *texts, size_t most,
                            ur_next_word *out, size_t *unknown, size_t *bad, ur_err *err);

/* Draws what the runs' kinds measure over epochs into one SVG picture: accuracy, F1, perplexity (of
 * training and validation), and the loss of runs without perplexity. */
ur_status ur_run_plot_curves(ur_context *context, size_t count, const char *const *folders,
                             const char *path, ur_err *err);

/* Draws where the model looked while it answered: question across, answer down. */
ur_status ur_run_plot_attention(ur_run *run, const char *question, const char *path, ur_err *err);

/* Draws a confusion matrix with this run's labels: the true ones down, the model's across. */
ur_status ur_run_plot_confusion(ur_run *run, const ur_confusion *confusion, const char *path,
                                ur_err *err);

#ifdef __cplusplus
}
#endif

#endif
