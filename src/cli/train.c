/* train.c - unroll train: starts a run of any kind of model, or goes on with one. */
#include "cli.h"

#include <string.h>

typedef struct train_options {
    const char *out, *preset, *prompt;
    bool resume, overwrite;
} train_options;

enum { OF_OUT, OF_OVERWRITE, OF_PRESET, OF_RESUME, OF_PROMPT };

/* clang-format off */
static const ur_field fields[] = {
    [OF_OUT] = {.name = "out", .metavar = "FOLDER", .group = "data", .type = UR_FIELD_TEXT, .offset = offsetof(train_options, out), .least = 1, .help = "The run's folder, which is made."},
    [OF_OVERWRITE] = {.name = "overwrite", .group = "data", .type = UR_FIELD_BOOL, .offset = offsetof(train_options, overwrite), .help = "Remove the run that --out already holds, once the data was read."},
    [OF_PRESET] = {.name = "preset", .metavar = "NAME", .group = "model", .type = UR_FIELD_TEXT, .offset = offsetof(train_options, preset), .least = 1, .help = "Values for several options at once; those that are given stay."},
    [OF_RESUME] = {.name = "resume", .type = UR_FIELD_BOOL, .offset = offsetof(train_options, resume), .help = "Go on with the run in --out. Beside it only --epochs, --max-steps, --lr, --data and --valid (where the files are now), " "--threads, --quiet and --json can be given."},
    [OF_PROMPT] = {.name = "sample_prompt", .metavar = "TEXT", .type = UR_FIELD_TEXT, .offset = offsetof(train_options, prompt), .shown = "the text's beginning", .help = "What the trained model goes on from, to show what it writes."},
    {.name = NULL},
};
/* clang-format on */

static bool has(const command *c, const ur_field *field)
{
    if (field == &fields[OF_PROMPT])
        return c->kind && c->kind->writes;
    if (field == &fields[OF_PRESET])
        return c->kind && c->kind->presets;
    return true;
}

/* ---- what can be trained ------------------------------------------------------------------- */

const ur_kind *trained_at(size_t i)
{
    const ur_kind *kind;
    for (size_t k = 0; (kind = ur_kind_at(NULL, k)); k++)
        if (kind->verb && kind_of_word(kind->verb, 0) == kind && i-- == 0)
            return kind;
    return NULL;
}

const ur_kind *kind_of_word(const char *word, size_t i)
{
    const ur_kind *kind;
    for (int chosen = 0; chosen < 2; chosen++)
        for (size_t k = 0; (kind = ur_kind_at(NULL, k)); k++)
            if (kind->verb && strcmp(kind->verb, word) == 0 &&
                (kind->chosen_by != NULL) == (chosen == 1) && i-- == 0)
                return kind;
    return NULL;
}

/* The value of --NAME where that is argument i, else NULL. */
static const char *value_at(const char *name, int argc, char **argv, int i)
{
    const size_t length = strlen(name);
    const char *argument = argv[i];
    if (strncmp(argument, "--", 2) != 0 || strncmp(argument + 2, name, length) != 0)
        return NULL;
    argument += 2 + length;
    return *argument == '=' ? argument + 1 : *argument ? NULL : i + 1 < argc ? argv[i + 1] : "";
}

int choose_kind(int argc, char **argv, const ur_kind **out)
{
    const ur_kind *kind, *found;
    ur_err err;
    *out = argc > 0 ? kind_of_word(argv[0], 0) : NULL;
    for (size_t k = 0; argc > 0 && (kind = kind_of_word(argv[0], k)); k++)
        for (int i = 1; kind->chosen_by && i < argc && strcmp(argv[i], "--") != 0; i++) {
            const char *value = value_at(kind->chosen_by, argc, argv, i);
            if (!value)
                continue;
            found = kind;
            if (kind->published && ur_kind_starting(kind->verb, value, &found, &err) != UR_OK)
                return say_error(&err);
            if (found == kind) {
                *out = kind;
                return CODE_OK;
            }
        }
    return CODE_OK;
}

/* ---- what goes together -------------------------------------------------------------------- */

static bool one_length(const command *c)
{
    static const char *const ways[] = {"epochs", "steps", "minutes"};
    const char *first = NULL;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        if (!was_given(c, ways[i]))
            continue;
        if (first) {
            say_usage(c, "--%s and --%s are two ways to say how long to train", ways[i], first);
            return false;
        }
        first = ways[i];
    }
    return true;
}

/* Everything else is in the run's configuration, which a second opinion would contradict. */
static bool check_resume(const command *c)
{
    static const char *const allowed[] = {"out",     "epochs", "max-steps", "lr",   "data", "valid",
                                          "threads", "resume", "quiet",     "json", NULL};
    char name[OPTION_NAME];
    for (size_t i = 0; i < c->n_options; i++) {
        const option *o = &c->options[i];
        const char *const *a = allowed;
        option_name(o, name);
        while (*a && strcmp(*a, name) != 0)
            a++;
        if (!o->given || *a)
            continue;
        say_usage(c, "--%s does not go with --resume: the run goes on as its config.json says",
                  name);
        return false;
    }
    return true;
}

static bool is_builtin(const char *data)
{
    return data && strncmp(data, "builtin:", 8) == 0;
}

static bool check_data(const command *c)
{
    const ur_run_settings *s = &c->settings;
    const char *valid = s->valid ? s->valid : s->data;
    const bool generates = find_option(c, "size");
    if (!s->data)
        say_usage(c, "--data is missing: %s", c->kind->data_help);
    else if (!generates && (is_builtin(s->data) || is_builtin(s->valid)))
        say_usage(c, "%s: unroll %s has no built-in data; it learns from %s",
                  is_builtin(s->data) ? s->data : s->valid, c->name, c->kind->data_help);
    else if (was_given(c, "size") && !is_builtin(s->data))
        say_usage(c, "--size is for built-in data; %s has the size that it has", s->data);
    else if (was_given(c, "valid-size") && !is_builtin(valid))
        say_usage(c, "--valid-size is for built-in data, not for %s", valid);
    else
        return true;
    return false;
}

static bool set_preset(command *c)
{
    const train_options *own = c->own;
    char list[200] = "";
    size_t used = 0;
    if (!own->preset)
        return true;
    for (const ur_preset *p = c->kind->presets; p->name; p++) {
        if (strcmp(p->name, own->preset) == 0)
            return apply_preset(c, p);
        if (used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "",
                                     p->name);
    }
    say_usage(c, "there is no preset '%s'; there is: %s", own->preset, list);
    return false;
}

/* A run whose weights a training starts with: texts of its configuration are used until the new run is
 * made. */
typedef struct source {
    ur_context *context;
    ur_run *run;
} source;

static void close_source(source *s)
{
    ur_run_free(s->run);
    ur_context_free(s->context);
}

/* Of a run of this kind the model's options, but for those that are given. Of what cannot be opened the
 * library says so when it is needed. */
static bool take_source(command *c, source *s)
{
    const char *path = c->settings.init_from;
    const ur_options one = {.threads = 1};
    if (!path || ((const train_options *)c->own)->resume ||
        ur_context_new(&one, &s->context, NULL) != UR_OK ||
        ur_run_open_start(s->context, c->kind, path, &s->run, NULL) != UR_OK ||
        ur_run_kind(s->run) != c->kind)
        return true;
    ur_fields_take(c->kind->fields, c->config, ur_run_assets(s->run)->config);
    return set_given(c);
}

static bool check(command *c)
{
    const train_options *own = c->own;
    ur_err err;
    if (c->n_arguments > 0)
        say_usage(c, "'%s' is one argument too many", c->arguments[0]);
    else if (!own->out)
        say_usage(c, "--out is missing: the folder of the run");
    else if (own->resume)
        return check_resume(c);
    else if (was_given(c, "own-vocabulary") && !c->settings.init_from)
        say_usage(c, "--own-vocabulary belongs to --init-from");
    else if (!one_length(c) || !set_preset(c) || !check_options(c) || !check_data(c))
        return false;
    else if (ur_train_check(&c->settings.train, &err) != UR_OK ||
             ur_kind_check(c->kind, c->config, &err) != UR_OK)
        say_usage(c, "%s", err.text);
    else
        return true;
    return false;
}

/* ---- training ------------------------------------------------------------------------------ */

static ur_run *resume(const command *c, ur_context *context, int *code)
{
    const char *out = ((const train_options *)c->own)->out;
    const ur_train_options *t = &c->settings.train;
    ur_run *run;
    ur_err err;
    const ur_resume_options options = {.epochs = was_given(c, "epochs") ? t->epochs : 0,
                                       .max_steps =
                                           was_given(c, "max-steps") ? t->max_steps : UR_NO_LIMIT,
                                       .lr = was_given(c, "lr") ? t->lr : 0.0,
                                       .data = c->settings.data,
                                       .valid = c->settings.valid};
    if (ur_run_resume_as(context, out, &options, &run, &err) != UR_OK) {
        *code = say_error(&err);
        return NULL;
    }
    const ur_kind *kind = ur_run_kind(run);
    if (kind->verb && strcmp(kind->verb, c->kind->verb) == 0)
        return run;
    say("%s holds a %s, which unroll %s does not train%s%s", out, kind->name, c->name,
        kind->verb ? "; that is unroll train " : "", kind->verb ? kind->verb : "");
    ur_run_free(run);
    *code = CODE_INPUT;
    return NULL;
}

static ur_run *start(const command *c, ur_context *context, int *code)
{
    const train_options *own = c->own;
    ur_run *run;
    ur_err err;
    if (own->resume)
        return resume(c, context, code);
    ur_run_settings settings = c->settings;
    settings.overwrite = own->overwrite;
    if (ur_run_create(context, own->out, &settings, c->kind->name, c->config, &run, &err) == UR_OK)
        return run;
    *code = say_error(&err);
    return NULL;
}

static size_t extent(const ur_kind *kind, const void *data)
{
    return data ? kind->extent(data) : 0;
}

/* One line about the data, the model and the machine. */
static void say_start(ur_run *run)
{
    char train[GROUPED], valid[GROUPED], text[GROUPED];
    const ur_kind *kind = ur_run_kind(run);
    const ur_context *context = ur_run_assets(run)->context;
    const int threads = ur_context_threads(context);
    fprintf(stderr, "%s %s to learn, %s to validate; ",
            grouped(extent(kind, ur_run_train_data(run)), train), kind->examples_name,
            grouped(extent(kind, ur_run_valid_data(run)), valid));
    if (ur_run_vocabulary(run))
        fprintf(stderr, "%s different %s, ",
                grouped(ur_vocabulary_size(ur_run_vocabulary(run)), text), kind->symbols_name);
    if (ur_run_labels(run))
        fprintf(stderr, "%s labels, ", grouped(ur_vocabulary_size(ur_run_labels(run)), text));
    fprintf(stderr, "%s weights; %s, %d thread%s\n",
            grouped(ur_params_weights(ur_run_model(run)->params), text), ur_context_isa(context),
            threads, threads == 1 ? "" : "s");
}

static int say_interrupted(const command *c, size_t step)
{
    char limit[40] = "";
    if (was_given(c, "max-steps"))
        snprintf(limit, sizeof limit, " --max-steps %zu", c->settings.train.max_steps);
    say("interrupted after step %zu; to go on: unroll %s --out %s --resume%s", step, c->name,
        ((const train_options *)c->own)->out, limit);
    return CODE_INTERRUPTED;
}

static int train(const command *c, ur_run *run)
{
    const train_options *own = c->own;
    ur_err err;
    progress p = progress_start(run, c->common.quiet, c->common.json);
    const ur_run_hooks hooks = progress_hooks(&p);
    if (!c->common.quiet) {
        say_remarks(run);
        say_start(run);
    }
    catch_signals();
    const ur_status status = ur_run_train(run, &hooks, &err);
    progress_clear(&p);
    if (status == UR_INTERRUPTED)
        return say_interrupted(c, p.step);
    if (status != UR_OK)
        return say_error(&err);
    if (c->common.quiet)
        return CODE_OK;
    if (ur_run_stopped_early(run))
        say("validation got no better; the best model is in %s", own->out);
    else if (p.evaluated)
        fprintf(stderr, "trained in %.1f s; the model is in %s\n", p.metrics.seconds, own->out);
    else
        say("%s has had its %zu epochs already; --epochs asks for more", own->out,
            ur_run_settings_of(run)->train.epochs);
    say_what_to_try(&p);
    return c->common.json ? CODE_OK : print_samples(run, own->prompt);
}

/* ---- the verb ------------------------------------------------------------------------------ */

/* Nothing that can be trained was named. */
static int say_what(const command *c)
{
    if (c->n_arguments == 0 || c->arguments[0][0] == '-')
        say("what to train is missing: unroll train %s ...", trained_at(0)->verb);
    else
        say("unknown model '%s'; there is:", c->arguments[0]);
    print_trained(stderr);
    fputs("Try 'unroll help train'.\n", stderr);
    return CODE_USAGE;
}

static int run_train(command *c)
{
    if (!c->kind)
        return say_what(c);
    source from = {NULL, NULL};
    if (!take_source(c, &from) || !check(c)) {
        close_source(&from);
        return CODE_USAGE;
    }
    int code;
    ur_context *context = open_context(c->common.threads, &code);
    ur_run *run = context ? start(c, context, &code) : NULL;
    close_source(&from);
    if (run)
        code = train(c, run);
    ur_run_free(run);
    ur_context_free(context);
    return code;
}

static const char *const usage[] = {"train %s --data FILE --out FOLDER [options]",
                                    "train %s --out FOLDER --resume [--epochs N]", NULL};

static const char *const notes[] = {
    "With --init-from RUN a model of the same kind has that run's options where none are given "
    "(--preset "
    "counts as given), and reads with its vocabularies. What training does with them (--lr, "
    "--epochs) is "
    "as ever. A resume needs RUN no more.",
    "After the first epoch, then every five seconds, within a long epoch every minute, and in the "
    "end the run holds the model and a "
    "checkpoint. Ctrl-C finishes the step, saves and exits with 130; --resume then goes on, and "
    "the "
    "model becomes what it would have become.",
    "With validation data best.safetensors has the weights of the least validation loss; eval, "
    "predict and generate take them where the last ones are others.",
    NULL};

const verb train_verb = {
    .name = "train",
    .summary = "teach a model from data",
    .usage = usage,
    .purpose = "Trains a model. The run's folder gets the model, its configuration, and a record "
               "of how the training went.",
    .example = "  $ unroll train seq2seq --data builtin:dates --out runs/dates\n",
    .notes = notes,
    .see_also = "unroll help predict, unroll help eval, unroll help plot",
    .fields = fields,
    .size = sizeof(train_options),
    .json_help = "Print an object per epoch on standard output.",
    .threads = true,
    .trains = true,
    .has = has,
    .run = run_train,
};
