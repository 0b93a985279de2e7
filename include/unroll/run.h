/* unroll/run.h - run folders: training a model into one, using it, pictures of it. */
#ifndef UNROLL_RUN_H
#define UNROLL_RUN_H

#include "unroll/core.h"
#include "unroll/model.h"
#include "unroll/train.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A run is a folder:
 *     config.json           everything needed to rebuild the model and its text processing
 *     vocab.txt             one symbol a line, of kinds that have a vocabulary
 *     labels.txt            likewise, of kinds with labels
 *     model.safetensors     the last weights, under PyTorch's names
 *     best.safetensors      those of the least validation loss, where there is validation data
 *     metrics.jsonl         one object per epoch
 *     train.log             one line per epoch, for people
 *     checkpoints/N.safetensors  weights and optimiser after step N: what a resume goes on from
 *     plots/ *.svg
 *     lock                  held by whoever trains into the folder
 * The files of weights also hold configuration and vocabularies, and open alone. */
typedef struct ur_run ur_run;

/* How a run was or is to be trained. Strings belong to the caller (create) or the run (settings). */
typedef struct ur_run_settings {
    const char *data;        /* a file, or builtin:NAME where the kind has generators */
    const char *valid;       /* likewise; NULL: what the kind makes of it */
    size_t size, valid_size; /* of generated data; 0: 45,000 and 5,000 */
    bool overwrite;          /* a run that the folder already holds is removed */
    /* In [0, 1): of data this part, drawn by the seed, is what is validated with; of kinds with
     * ur_kind.splits. A kind's default gives way to `valid`. */
    double valid_split;
    size_t
        save_every; /* epochs from save to save; 0: when 5 seconds have passed, in an epoch a minute */
    size_t eval_every;  /* epochs from validation to validation; 0: 1 */
    size_t valid_every; /* steps from validation to validation, in place of epochs; 0: not */
    /* The figure of validation data by which the best weights are kept and early stopping goes: a name
     * in the kind's figures; NULL: the loss. */
    const char *best_by;
    size_t keep;      /* checkpoints that stay, the newest ones; 0: 2 */
    size_t keep_best; /* and of those that were validated the best ones, by best_by */
    double
        minutes; /* > 0: train.steps is set after a tenth of them or the first epoch, by the time */
    /* A run's folder or a file of weights (safetensors) that a new run's weights start from; NULL: they are
     * drawn. See ur_run_create. */
    const char *init_from;
    bool own_vocabulary; /* the vocabularies are learned from the data, whatever init_from has */
    /* Patterns of parameters' names, as file names match in a shell, with commas between them: these keep
     * the weights that they start with (ur_params_set_flags). NULL: none do. */
    const char *freeze;
    ur_train_options train;
} ur_run_settings;

/* The members of ur_run_settings. */
const ur_field *ur_run_settings_fields(void);
/* Their defaults, changed by the kind's own (NULL: none). */
ur_run_settings ur_run_defaults(const ur_kind *kind);

/* Starts a new run: reads the data, builds and initialises the model, makes the folder and writes
 * what is known so far. config: the kind's struct, of which what comes from the data (vocabulary,
 * labels, widths) is filled in.
 * UR_INVALID: an unknown kind or one that reads no files, values out of range, the folder already
 * holds a run (which settings.overwrite removes, once data and model are ready), or another process
 * trains it, or the plateau schedule or early stopping without validation data; UR_IO: it cannot be
 * written. The folder is this run's to train into until ur_run_free; a resume likewise.
 *
 * With settings.init_from the weights start from those of another run (the best ones, as ur_run_open takes
 * them) or of a file, by the names of tensors. Tensors that are missing there start as ever, surplus ones
 * are not read; remarks (ur_run_remark) name them. UR_BAD_FILE: none fits by name, or one has another shape.
 * What symbols mean comes along: of a run of the same kind its vocabularies (and merges) are used, and
 * its labels where the data has no others (a vocabulary without <unk> likewise). Where vocabularies are the data's own (own_vocabulary, other
 * labels, a run of another kind) rows of weights follow their symbols, and those of symbols that the
 * source lacks start as ever. A file without a vocabulary is taken row by row. A run is opened again
 * without what it started from.
 * settings.freeze: UR_INVALID for a pattern that no parameter's name matches, and where nothing is left to
 * be trained. */
ur_status ur_run_create(ur_context *context, const char *folder, const ur_run_settings *settings,
                        const char *kind, const void *config, ur_run **out, ur_err *err);

/* The same for data that the program made itself: settings->data and valid are names for messages
 * alone (NULL: none). Vocabularies and data stay the caller's and must outlive the run; valid may be
 * NULL. Any kind. */
ur_status ur_run_create_with(ur_context *context, const char *folder,
                             const ur_run_settings *settings, const char *kind, const void *config,
                             void *train, void *valid, ur_run **out, ur_err *err);

/* Writes the mean of the weights of the run's newest `last` checkpoints, at least one, to a file of
 * weights that opens alone; path NULL: FOLDER/average.safetensors. The opened run has these weights from
 * then on. (Vaswani et al. 2017, section 6.1, average so.) UR_INVALID: the run is a file alone, without a
 * folder. UR_BAD_FILE: there are fewer checkpoints, or one of them is damaged; the weights are then those
 * of some checkpoint. */
ur_status ur_run_average(ur_run *run, size_t last, const char *path, ur_err *err);
/* The same of its best checkpoints: those whose weights had the best figure (settings.best_by) on the
 * validation data, of equals the earlier ones. */
ur_status ur_run_average_best(ur_run *run, size_t best, const char *path, ur_err *err);

/* Opens a trained model: a run's folder, a folder with a published BERT (unroll/embedder.h), or a file of
 * weights from a run. Of a folder the weights of the
 * least validation loss where there are some (best.safetensors), else the last ones; ur_run_open_last
 * always takes the last ones. Or a published BERT of Hugging Face's that gives labels
 * (BertForSequenceClassification, BertForTokenClassification): a run without a training, to be asked and
 * evaluated. UR_BAD_FILE: also a weight that is not finite, and a vocabulary in the
 * folder that is not the one in the file of weights. */
ur_status ur_run_open(ur_context *context, const char *path, ur_run **out, ur_err *err);
ur_status ur_run_open_last(ur_context *context, const char *path, ur_run **out, ur_err *err);
/* What settings.init_from of a new run of that kind may name: as ur_run_open, and of a kind that starts with
 * published models also a folder of those without a head. Its configuration (ur_run_assets) is what the new
 * model's comes from (ur_fields_take); such a folder's has no model. */
ur_status ur_run_open_start(ur_context *context, const ur_kind *kind, const char *path,
                            ur_run **out, ur_err *err);
/* *out: the kind of the verb "unroll train VERB" that starts with published models, where such a one lies at path
 * or a run readable as such; NULL: there is none, or something else lies there. UR_IO, UR_NO_MEMORY: what lies
 * there could not be looked at. */
ur_status ur_kind_starting(const char *verb, const char *path, const ur_kind **out, ur_err *err);
/* Whether ur_run_open would; tell hears of every fault of the weights, as in ur_params_check. */
ur_status ur_run_check(ur_context *context, const char *path,
                       void (*tell)(void *user, const char *fault), void *user, ur_err *err);

#define UR_NO_LIMIT SIZE_MAX

/* Opens a run to go on training from its newest checkpoint; reads the data again. epochs and
 * max_steps: 0 keeps what is recorded (max_steps UR_NO_LIMIT: none); epochs take the place of steps and minutes.
 * The other settings stay.
 * UR_BAD_FILE when there is no checkpoint or the data is not what it was. */
ur_status ur_run_resume(ur_context *context, const char *folder, size_t epochs, size_t max_steps,
                        ur_run **out, ur_err *err);
/* What a resume changes; all zero: nothing. */
typedef struct ur_resume_options {
    size_t epochs, max_steps; /* as of ur_run_resume */
    double lr;                /* > 0: the learning rate that training goes on from */
    const char *data,
        *valid; /* where the files are now; NULL: where they were. The training data must
                                 be what it was */
    void *train_data, *valid_data; /* of a run of ur_run_create_with */
} ur_resume_options;
/* As ur_run_resume. train.log says what was changed. */
ur_status ur_run_resume_as(ur_context *context, const char *folder,
                           const ur_resume_options *options, ur_run **out, ur_err *err);

/* The same for a run of ur_run_create_with. */
ur_status ur_run_resume_with(ur_context *context, const char *folder, size_t epochs,
                             size_t max_steps, void *train, void *valid, ur_run **out, ur_err *err);

void ur_run_free(ur_run *run);

/* Whether a run that is trained ended before its epochs because validation got no better. */
bool ur_run_stopped_early(const ur_run *run);

const ur_kind *ur_run_kind(const ur_run *run);
/* Model, configuration, vocabularies, and the data of a created or resumed run. */
const ur_assets *ur_run_assets(const ur_run *run);
ur_model *ur_run_model(const ur_run *run);
const ur_vocabulary *ur_run_vocabulary(const ur_run *run); /* NULL: the kind has none */
const ur_vocabulary *ur_run_labels(const ur_run *run);     /* likewise */
const ur_run_settings *ur_run_settings_of(const ur_run *run);
const char *ur_run_folder(const ur_run *run); /* NULL when a single file was opened */
/* Whether an opened folder's weights are those of the least validation loss. epoch (may be NULL): that
 * the weights are of, 0 where it is unknown. */
bool ur_run_has_best(const ur_run *run, size_t *epoch);
/* config.json's text. */
const char *ur_run_config_text(const ur_run *run);
/* The data that a created or resumed run trains on and validates with, of the type that the kind's
 * model learns from. NULL: there is none. */
void *ur_run_train_data(const ur_run *run);
void *ur_run_valid_data(const ur_run *run);

/* Sentence i about what reading data files found: of ur_run_create and ur_run_resume the training's
 * and the validation's, after ur_run_evaluate that data's. NULL behind the last. */
const char *ur_run_remark(const ur_run *run, size_t i);

/* Changes how this run reads data and texts from now on: a field "read.NAME" of its kind (unroll
 * help train lists them), in memory alone. UR_INVALID: the kind has no such field, or not this
 * value. */
ur_status ur_run_set_reading(ur_run *run, const char *name, const char *value, ur_err *err);

/* ---- training ------------------------------------------------------------------------------ */

/* One epoch, as metrics.jsonl has it. What the kind of model does not have, or what asks for
 * validation data where there is none, is NaN. */
typedef struct ur_metrics {
    size_t epoch, step;
    bool has_valid;          /* validation data was measured after it */
    double lr;               /* of the last step */
    double train_loss;       /* mean of the epoch's batches */
    double train_perplexity; /* exp of the mean over the epoch's positions */
    double valid_loss;       /* mean over positions */
    double
        train[UR_MOST_NOTED]; /* the kind's figures that are noted: means of the epoch's batches */
    double valid[UR_MOST_FIGURES]; /* the kind's figures, in their order */
    double seconds, train_seconds; /* since the start of training; without evaluation */
    double sequences_per_second;   /* of this epoch's training */
    double tokens_per_second;
} ur_metrics;

/* The i-th figure of a kind's metrics, in the order in which metrics.jsonl has them behind epoch,
 * step and lr: its name ("train_loss", "valid_accuracy") into `name`; false behind the last. */
enum { UR_METRIC_NAME = 64 };
bool ur_metrics_name(const ur_kind *kind, size_t i, char name[UR_METRIC_NAME]);
/* One of them by its name; NaN when there is none of that name. */
double ur_metrics_figure(const ur_kind *kind, const ur_metrics *metrics, const char *name);

/* What the caller of ur_run_train wants to hear; any may be NULL. */
typedef struct ur_run_hooks {
    void *user;
    /* After every step. per_second: of this epoch, in the kind's unit. seconds_left: an estimate,
     * evaluation included. */
    void (*on_step)(void *user, const ur_step *step, double per_second, double seconds_left);
    void (*on_evaluation)(void *user, const ur_metrics *metrics);
    /* Asked after every step: true finishes the step, saves and returns UR_INTERRUPTED. */
    bool (*should_stop)(void *user);
    /* Seconds since any moment, never falling: what speeds and the time to save are taken from. NULL:
     * the system's monotonic clock. */
    double (*clock)(void *user);
} ur_run_hooks;

/* Trains to the end: an evaluation and a line in the logs after every epoch (and when max_steps ends it
 * inside one). model.safetensors, best.safetensors where a better epoch came, and a checkpoint are
 * written after the first epoch, then as settings.save_every says, and at every end: of the training,
 * early or by an interruption. With early stopping model.safetensors is the best one, too, and so is
 * the run's model in the end. UR_DIVERGED keeps the last good model.safetensors. */
ur_status ur_run_train(ur_run *run, const ur_run_hooks *hooks, ur_err *err);

/* Reads a run's metrics.jsonl: *count entries in fresh memory (ur_allocator of the context), and the
 * kind that its config.json names (kind may be NULL). */
ur_status ur_metrics_load(ur_context *context, const char *folder, ur_metrics **out, size_t *count,
                          const ur_kind **kind, ur_err *err);
void ur_metrics_free(ur_context *context, ur_metrics *metrics);

/* ---- using a trained run ------------------------------------------------------------------- */

/* Evaluates on other data: a file or generated data. To confusion (may be NULL), in the order of
 * ur_run_labels, it adds as ur_evaluate_with does. */
ur_status ur_run_evaluate(ur_run *run, const ur_pair_source *source, ur_measure *out,
                          ur_confusion *confusion, ur_err *err);

/* How evaluations search for the answers of a kind whose figures are of whole answers that are searched
 * for; NULL: greedily. The options must outlive their use. */
void ur_run_search(ur_run *run, const ur_search_options *options);

/* log P(target | source) of every pair of other data, natural logarithm, in fresh memory that ur_scores_free
 * releases. UR_UNSUPPORTED: a kind that gives none. */
ur_status ur_run_score(ur_run *run, const ur_pair_source *source, double **out, size_t *count,
                       ur_err *err);
void ur_scores_free(ur_context *context, double *scores);

/* What the model makes of `count` UTF-8 texts, many at a time sharing the threads; out has room for
 * them, and ur_prediction_free releases each. options: NULL for the most probable answer. A text that
 * cannot be used is UR_BAD_FILE and its index goes to *bad (may be NULL); nothing is then in out.
 * UR_UNSUPPORTED: a kind or model that answers nothing. */
ur_status ur_run_predict(ur_run *run, size_t count, const char *const *texts,
                         const ur_search_options *options, ur_prediction *out, size_t *bad,
                         ur_err *err);

/* Example `index` of the validation data (where there is none, of the training data) of a created or
 * resumed run, with what it should be and what the model makes of it. UR_UNSUPPORTED: a kind that
 * shows no samples. ur_run_samples: how many examples there are. */
size_t ur_run_samples(const ur_run *run);
ur_status ur_run_sample(ur_run *run, size_t index, ur_prediction *out, ur_err *err);

/* A text that a language model writes on, token by token. The run must outlive it. */
typedef struct ur_writer ur_writer;

/* A token that was written: its id, the token as the vocabulary has it, and what to print for it
 * after what was printed before. Valid until the next call. */
typedef struct ur_token_written {
    int32_t id;
    const char *token, *piece;
    double log_probability;
} ur_token_written;

/* Reads the prompt ("": what a text begins after). UR_BAD_FILE: it cannot be encoded.
 * UR_UNSUPPORTED: a kind that does not write texts. */
ur_status ur_writer_new(ur_run *run, const char *prompt, const ur_search_options *options,
                        ur_writer **out, ur_err *err);
void ur_writer_free(ur_writer *writer); /* accepts NULL */
/* The prompt as it was read, to be printed before what is written; and its tokens that the model does
 * not know, "'x', 'y'", and how many. */
const char *ur_writer_prompt(const ur_writer *writer);
const char *ur_writer_unknown(const ur_writer *writer, size_t *count);
ur_status ur_writer_next(ur_writer *writer, ur_token_written *out, ur_err *err);

/* ---- pictures ------------------------------------------------------------------------------ */

/* Along what curves run: epochs; steps; or minutes of training, without those of evaluation, which tell
 * how long each of several runs took to come so far. */
typedef enum ur_curves_over { UR_OVER_EPOCHS, UR_OVER_STEPS, UR_OVER_MINUTES } ur_curves_over;

/* Draws what the runs' kinds measure into one SVG picture: a panel for each figure that any of them
 * has, and for the loss of runs without perplexity. */
ur_status ur_run_plot_curves(ur_context *context, size_t count, const char *const *folders,
                             ur_curves_over over, const char *path, ur_err *err);

/* Which attention is drawn. All zero: "cross", the last layer's, the mean of its heads. */
typedef struct ur_attention_view {
    const char *which; /* a name of ur_attention_map; NULL: the model's first, "cross" */
    size_t layer,
        head;       /* counted from 1. 0: the last layer, or with all_heads all of them; the mean of
                           the heads */
    bool all_heads; /* a picture of each head, in a grid: layers down, heads across */
} ur_attention_view;
const char *ur_attention_name(size_t i); /* "cross", "encoder", "decoder"; NULL behind the last */

/* Draws where the model looked while it answered: the text across, the answer down; or as the view
 * (may be NULL) says. Weights are those before drop-out. UR_UNSUPPORTED: the model has no such
 * attention; UR_INVALID: no such layer or head, or an empty text or answer. */
ur_status ur_run_plot_attention(ur_run *run, const char *text, const ur_attention_view *view,
                                const char *path, ur_err *err);

/* Draws a confusion matrix with this run's labels: the true ones down, the model's across. */
ur_status ur_run_plot_confusion(ur_run *run, const ur_confusion *confusion, const char *path,
                                ur_err *err);

#ifdef __cplusplus
}
#endif

#endif
