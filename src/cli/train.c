/* train.c - unroll train: what all kinds of training share. It starts a run or goes on with one. */
#include "train.h"
#include "kinds.h"
#include "progress.h"
#include "signals.h"

#include <string.h>

static const char *const optimizers[] = {"adam", "sgd", "adamw", NULL};
static const char *const schedules[] = {"constant", "step", "cosine", "plateau", NULL};

static const option options[] = {
    {"out", "FOLDER", OPTION_TEXT, OPTION_AT(out), .least = 1,
     .help = "The run's folder, which is made.", .standard = ""},
    {"batch", "N", OPTION_SIZE, OPTION_AT(batch), 1, 1e6, .help = "Sequences per step."},
    {"epochs", "N", OPTION_SIZE, OPTION_AT(epochs), 1, 1e6, .help = "Times through the data."},
    {"max-steps", "N", OPTION_SIZE, OPTION_AT(max_steps), 1, 1e9,
     .help = "Stop after this many steps.", .standard = "no limit"},
    {"optimizer", "adam|sgd|adamw", OPTION_CHOICE, OPTION_AT(optimizer), .choices = optimizers,
     .help = "How weights follow gradients."},
    {"lr", "X", OPTION_REAL, OPTION_AT(lr), 0, 1000, OPEN_LEAST, .help = "Learning rate."},
    {"beta1", "X", OPTION_REAL, OPTION_AT(beta1), 0, 1, OPEN_MOST,
     .help = "How slowly Adam's mean of gradients moves."},
    {"beta2", "X", OPTION_REAL, OPTION_AT(beta2), 0, 1, OPEN_MOST,
     .help = "How slowly its mean of squared gradients moves."},
    {"eps", "X", OPTION_REAL, OPTION_AT(eps), 0, 1, OPEN_LEAST,
     .help = "What Adam adds to that mean's root before it divides."},
    {"momentum", "X", OPTION_REAL, OPTION_AT(momentum), 0, 1, OPEN_MOST,
     .help = "Momentum of --optimizer sgd."},
    {"weight-decay", "X", OPTION_REAL, OPTION_AT(weight_decay), 0, 1000,
     .help = "L2 penalty, added to the gradient."},
    {"clip", "X", OPTION_REAL, OPTION_AT(clip), 0, 1e9,
     .help = "Largest norm of the gradient; 0 for no limit."},
    {"schedule", "constant|step|cosine|plateau", OPTION_CHOICE, OPTION_AT(schedule),
     .choices = schedules,
     .help = "How the learning rate goes on: as it is; times --lr-factor every --lr-epochs epochs; "
             "along half a cosine over all epochs, down to --lr-min; or times --lr-factor, but not "
             "below --lr-min, when the validation loss has not fallen for more than --lr-patience "
             "epochs."},
    {"lr-epochs", "N", OPTION_SIZE, OPTION_AT(lr_epochs), 1, 1e6,
     .help = "Epochs from one step of --schedule step to the next."},
    {"lr-factor", "X", OPTION_REAL, OPTION_AT(lr_factor), 0, 1, OPEN_LEAST | OPEN_MOST,
     .help = "What --schedule step and plateau multiply the learning rate by."},
    {"lr-patience", "N", OPTION_SIZE, OPTION_AT(lr_patience), 0, 1e6,
     .help = "Epochs without progress that --schedule plateau lets pass."},
    {"lr-min", "X", OPTION_REAL, OPTION_AT(lr_min), 0, 1000,
     .help = "Where --schedule cosine ends and plateau stops."},
    {"warmup", "N", OPTION_SIZE, OPTION_AT(warmup), 0, 1e9,
     .help = "Steps over which the learning rate rises in a line, whatever the schedule."},
    {"early-stop", "N", OPTION_SIZE, OPTION_AT(early_stop), 0, 1e6,
     .help = "End when the validation loss was not below its best for N epochs, and keep the best "
             "model; 0: train all epochs."},
    {"seed", "N", OPTION_SEED, OPTION_AT(seed),
     .help = "Of everything random. Equal seeds give equal models, to the last bit."},
    {"resume", NULL, OPTION_FLAG, OPTION_AT(resume),
     .help = "Go on with the run in --out. Beside it only --epochs, --max-steps, --threads, "
             "--quiet and --json can be given.",
     .standard = ""},
    OPTION_THREADS,
    OPTION_QUIET,
    OPTION_JSON("Print an object per epoch on standard output."),
    OPTION_HELP,
};

const option_table train_options = OPTION_TABLE(options);

static const char *const resumable[] = {"out",    "epochs", "max-steps", "threads",
                                        "resume", "quiet",  "json"};

/* Everything else is in the run's configuration, which a second opinion would contradict. */
static bool check_resume(const verb *v, const settings *s)
{
    const option *o;
    for (size_t i = 0; (o = option_at(v, i)); i++) {
        bool allowed = !(s->given >> i & 1);
        for (size_t j = 0; j < sizeof resumable / sizeof *resumable; j++)
            allowed = allowed || strcmp(o->name, resumable[j]) == 0;
        if (!allowed) {
            say_usage(v, "--%s does not go with --resume: the run goes on as its config.json says",
                      o->name);
            return false;
        }
    }
    return true;
}

bool is_builtin(const char *data)
{
    return strncmp(data, "builtin:", 8) == 0;
}

/* Whether --schedule has a use for what was given beside it. */
static bool check_schedule(const verb *v, const settings *s)
{
    static const struct {
        const char *name;
        unsigned schedules; /* bit i: schedules[i] has a use for it */
        const char *owner;
    } uses[] = {{"lr-epochs", 1 << UR_LR_STEP, "--schedule step"},
                {"lr-factor", 1 << UR_LR_STEP | 1 << UR_LR_PLATEAU, "--schedule step or plateau"},
                {"lr-patience", 1 << UR_LR_PLATEAU, "--schedule plateau"},
                {"lr-min", 1 << UR_LR_COSINE | 1 << UR_LR_PLATEAU, "--schedule cosine or plateau"}};
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++)
        if (was_given(v, s, uses[i].name) && !(uses[i].schedules >> s->schedule & 1)) {
            say_usage(v, "--%s belongs to %s", uses[i].name, uses[i].owner);
            return false;
        }
    if ((uses[3].schedules >> s->schedule & 1) && s->lr_min > s->lr)
        say_usage(v, "--lr-min %g is above --lr %g", s->lr_min, s->lr);
    else
        return true;
    return false;
}

/* Whether --optimizer has a use for what was given beside it. */
static bool check_optimizer(const verb *v, const settings *s)
{
    static const char *const adams[] = {"beta1", "beta2", "eps"};
    for (size_t i = 0; i < sizeof adams / sizeof *adams; i++)
        if (s->optimizer == UR_SGD && was_given(v, s, adams[i])) {
            say_usage(v, "--%s belongs to --optimizer adam", adams[i]);
            return false;
        }
    if (s->momentum > 0 && s->optimizer != UR_SGD) {
        say_usage(v, "--momentum belongs to --optimizer sgd; Adam's is --beta1");
        return false;
    }
    return true;
}

static bool check(const trainee *t, const settings *s)
{
    const verb *v = t->verb;
    if (s->n_arguments > 0)
        say_usage(v, "'%s' is one argument too many", s->arguments[0]);
    else if (!s->out)
        say_usage(v, "--out is missing: the folder of the run");
    else if (s->resume)
        return check_resume(v, s);
    else
        return check_optimizer(v, s) && check_schedule(v, s) && t->check(s);
    return false;
}

static ur_status create(ur_context *context, const trainee *t, const settings *s, ur_run **run,
                        ur_err *err)
{
    ur_run_settings how = {.data = s->data, .valid = s->valid, .train = ur_train_defaults()};
    how.train.batch = s->batch;
    how.train.epochs = s->epochs;
    how.train.max_steps = s->max_steps;
    how.train.optimizer = s->optimizer;
    how.train.lr = s->lr;
    how.train.beta1 = s->beta1;
    how.train.beta2 = s->beta2;
    how.train.eps = s->eps;
    how.train.momentum = s->momentum;
    how.train.weight_decay = s->weight_decay;
    how.train.clip = s->clip;
    how.train.seed = s->seed;
    how.train.schedule = s->schedule;
    how.train.lr_epochs = s->lr_epochs;
    how.train.lr_factor = s->lr_factor;
    how.train.lr_patience = s->lr_patience;
    how.train.lr_min = s->lr_min;
    how.train.warmup_steps = s->warmup;
    how.train.early_stop = s->early_stop;
    return t->create(context, s, &how, run, err);
}

/* Whether this verb trains runs of that kind. */
static bool trains(const trainee *t, const char *kind)
{
    for (const char *const *k = t->kinds; *k; k++)
        if (strcmp(*k, kind) == 0)
            return true;
    return false;
}

static int open_run(ur_context *context, const trainee *t, const settings *s, ur_run **run)
{
    ur_err err;
    if (!s->resume)
        return create(context, t, s, run, &err) == UR_OK ? CODE_OK : say_error(&err);
    const size_t epochs = was_given(t->verb, s, "epochs") ? s->epochs : 0;
    const size_t max_steps = s->max_steps ? s->max_steps : UR_NO_LIMIT;
    if (ur_run_resume(context, s->out, epochs, max_steps, run, &err) != UR_OK)
        return say_error(&err);
    if (trains(t, ur_run_kind(*run)))
        return CODE_OK;
    say("%s holds a %s, which unroll %s does not train", s->out, ur_run_kind(*run), t->verb->name);
    ur_run_free(*run);
    return CODE_INPUT;
}

static int say_interrupted(const trainee *t, const settings *s, size_t step)
{
    char limit[40] = "";
    if (s->max_steps)
        snprintf(limit, sizeof limit, " --max-steps %zu", s->max_steps);
    say("interrupted after step %zu; to go on: unroll %s --out %s --resume%s", step, t->verb->name,
        s->out, limit);
    return CODE_INTERRUPTED;
}

static int train(ur_context *context, const trainee *t, const settings *s, ur_run *run)
{
    ur_err err;
    const model_kind *k = find_kind(ur_run_kind(run));
    progress p = progress_start(s, run);
    ur_run_hooks hooks = progress_hooks(&p);
    if (!s->quiet)
        k->say_start(context, run);
    catch_signals();
    ur_status status = ur_run_train(run, &hooks, &err);
    progress_clear(&p);
    if (status == UR_INTERRUPTED)
        return say_interrupted(t, s, p.step);
    if (status != UR_OK)
        return say_error(&err);
    if (s->quiet)
        return CODE_OK;
    if (ur_run_stopped_early(run))
        say("validation got no better; the best model is in %s", s->out);
    else if (p.evaluated)
        fprintf(stderr, "trained in %.1f s; the model is in %s\n", p.metrics.seconds, s->out);
    else
        say("%s has had its %zu epochs already; --epochs asks for more", s->out, p.epochs);
    return s->json || !k->print_samples ? CODE_OK : k->print_samples(context, run);
}

int train_kind(const trainee *t, const settings *s)
{
    if (!check(t, s))
        return CODE_USAGE;
    int code;
    ur_run *run;
    ur_context *context = open_context(s->threads, &code);
    if (!context)
        return code;
    code = open_run(context, t, s, &run);
    if (code == CODE_OK) {
        code = train(context, t, s, run);
        ur_run_free(run);
    }
    ur_context_free(context);
    return code;
}

/* ---- the verb of one word ------------------------------------------------------------------- */

extern const verb train_seq2seq_verb, train_lm_verb, train_tagger_verb, train_classifier_verb;
static const verb *const parts[] = {&train_seq2seq_verb, &train_lm_verb, &train_tagger_verb,
                                    &train_classifier_verb, NULL};

static int run_train(const settings *s)
{
    char list[120] = "";
    size_t used = 0;
    for (size_t i = 0; parts[i] && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "",
                                 last_word(parts[i]));
    if (s->n_arguments == 0 || s->arguments[0][0] == '-')
        return say_usage(&train_verb, "what to train is missing: unroll train seq2seq ...");
    return say_usage(&train_verb, "unknown model '%s'; there is: %s", s->arguments[0], list);
}

static const char *const notes[] = {TRAIN_NOTE, NULL};

static const option_table *const tables[] = {&train_options, NULL};

const verb train_verb = {
    .name = "train",
    .summary = "teach a model from data",
    .purpose = "Trains a model. The run's folder gets the model, its configuration, and a record "
               "of how the training went.",
    .example = "  $ unroll train seq2seq --data builtin:dates --out runs/dates\n",
    .notes = notes,
    .see_also = "unroll help predict, unroll help eval, unroll help plot",
    .tables = tables,
    .parts = parts,
    .run = run_train,
};
