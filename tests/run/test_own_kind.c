/* test_own_kind.c - runs of a kind that the program made itself, a regression on numbers that it made
 * itself: made, trained, measured, interrupted and resumed, opened and drawn as runs of the library's
 * kinds are; refused by name where the context does not have it; each allocation failing in turn. */
#include "run/runs.h"

#include <math.h>
#include <stddef.h>

#include "base/alloc.h"
#include "base/status.h"
#include "support/failing_alloc.h"

/* ---- the kind --------------------------------------------------------------------------------- */

typedef enum power { SQUARED, QUARTIC } power;

enum { KNOWN = 3, AUTO_FEATURES = 3 };
#define FEATURES_AUTO SIZE_MAX

typedef struct regression_config {
    size_t features; /* FEATURES_AUTO: AUTO_FEATURES, filled in */
    power error;
    float start; /* the initial weights are start, -start, start ... */
    double pull; /* of the weights towards 0 */
    const char *name;
} regression_config;

/* y = w x + b of some features; it also keeps a number in memory of its own. */
typedef struct regression {
    ur_model base;
    float *pull;
} regression;

#define AT(member) .offset = offsetof(regression_config, member)

static const ur_field fields[] = {
    {.name = "features",
     .type = UR_FIELD_SIZE,
     AT(features),
     .least = 1,
     .most = 16,
     .words = (const char *const[]){"auto", NULL},
     .initial = "auto"},
    {.name = "line.error",
     .type = UR_FIELD_ENUM,
     AT(error),
     .words = (const char *const[]){"squared|square", "quartic", NULL}},
    {.name = "line.start", .type = UR_FIELD_FLOAT, AT(start), .most = 1, .initial = "0.3"},
    {.name = "line.pull",
     .type = UR_FIELD_REAL,
     AT(pull),
     .most = 1,
     .open = UR_OPEN_MOST,
     .initial = "0.01",
     .absent = "0.01"},
    {.name = "name",
     .type = UR_FIELD_TEXT,
     AT(name),
     .least = 1,
     .initial = "a line",
     .absent = "a line"},
    {.name = NULL}};

static ur_status check(const void *config, ur_err *err)
{
    const regression_config *c = config;
    if (c->error == QUARTIC && c->pull > 0.5)
        return ur_fail(err, UR_INVALID, "regression: a pull of %g is too strong for quartic errors",
                       c->pull);
    return UR_OK;
}

static ur_status build(ur_model *model, ur_err *err)
{
    regression *m = (regression *)model;
    regression_config *c = model->config;
    if (c->features == FEATURES_AUTO)
        c->features = AUTO_FEATURES;
    m->pull = ur_alloc(ur_context_allocator(model->context), 1, sizeof *m->pull);
    if (!m->pull)
        return ur_no_memory(err, sizeof *m->pull);
    *m->pull = (float)c->pull;
    const size_t shape[2] = {1, c->features};
    ur_params_add(model->params, "w", 2, shape, UR_TRAINABLE | UR_DECAY);
    return UR_OK;
}

static void init(ur_model *model, uint64_t seed)
{
    const regression_config *c = model->config;
    for (size_t i = 0; i < c->features; i++)
        ur_param_values(model->params, 0)[i] = (i + seed) % 2 ? -c->start : c->start;
}

static void release(ur_model *model)
{
    ur_free(ur_context_allocator(model->context), ((regression *)model)->pull);
}

/* Rows of features and what they are to give. */
typedef struct points {
    size_t count, features;
    float x[KNOWN * 100], y[100];
} points;

/* Points of a known line, y = 0.5 x0 - x1 + 0.25 x2; a constant is their last feature. */
static points made_points(size_t count, uint64_t seed)
{
    points p = {.count = count, .features = KNOWN};
    for (size_t i = 0; i < count; i++) {
        float *x = p.x + i * KNOWN;
        x[0] = made_up(seed, 2 * i);
        x[1] = made_up(seed, 2 * i + 1);
        x[2] = 1.0f;
        p.y[i] = 0.5f * x[0] - x[1] + 0.25f * x[2];
    }
    return p;
}

/* (count, 1): how far the model is off, point by point. */
static ur_tensor *errors(ur_tape *tape, const points *p, size_t count, const size_t *which)
{
    const size_t shape[2] = {count, p->features}, column[2] = {count, 1};
    ur_tensor *x = ur_new_floats(tape, 2, shape, false);
    ur_tensor *y = ur_new_floats(tape, 2, column, false);
    for (size_t i = 0; x && y && i < count; i++) {
        memcpy(ur_floats(x) + i * p->features, p->x + which[i] * p->features,
               p->features * sizeof(float));
        ur_floats(y)[i] = p->y[which[i]];
    }
    return ur_sub(tape, ur_matmul_t(tape, x, ur_parameter(tape, 0)), y);
}

static ur_tensor *loss(ur_tape *tape, const ur_model *model, const void *data, size_t count,
                       const size_t *which, double normaliser)
{
    const regression_config *c = model->config;
    ur_tensor *off = errors(tape, data, count, which), *w = ur_parameter(tape, 0);
    ur_tensor *sum = ur_mul(tape, off, off);
    if (c->error == QUARTIC)
        sum = ur_mul(tape, sum, sum);
    const float pull = *((const regression *)model)->pull * (float)count;
    sum = ur_add(tape, ur_sum(tape, sum), ur_scale(tape, ur_sum(tape, ur_mul(tape, w, w)), pull));
    return ur_scale(tape, sum, (float)(1.0 / normaliser));
}

static void measure(ur_tape *tape, const ur_model *model, const void *data, size_t count,
                    const size_t *which, ur_measure *sum)
{
    ur_tensor *all = loss(tape, model, data, count, which, 1.0);
    ur_tensor *off = errors(tape, data, count, which);
    if (!all || !off)
        return;
    sum->loss += (double)ur_floats(all)[0];
    sum->positions += count;
    sum->examples += count;
    for (size_t i = 0; i < count; i++) {
        const double distance = fabs((double)ur_floats(off)[i]);
        sum->sum[0] += distance;
        sum->sum[1] += distance < 0.1;
        sum->sum[2]++;
    }
}

static size_t examples(const ur_model *model, const void *data)
{
    (void)model;
    return ((const points *)data)->count;
}

static uint64_t fingerprint(const void *data)
{
    const points *p = data;
    uint64_t hash = p->count;
    for (size_t i = 0; i < p->count; i++) {
        uint32_t bits;
        memcpy(&bits, &p->y[i], sizeof bits);
        hash = hash * 31 + bits;
    }
    return hash;
}

/* The data is the program's: no run releases it. */
static void free_data(void *data)
{
    if (data)
        fail_msg("a run released the program's data");
}

static const ur_figure figures[] = {
    {.name = "distance", .title = "mean distance", .average = UR_PER_EXAMPLE, .headline = true},
    {.name = "near",
     .title = "near ones",
     .average = UR_PER_POSITION,
     .higher_is_better = true,
     .percent = true,
     .headline = true},
    {.name = "points", .title = "points", .average = UR_WHOLE},
    {.name = NULL}};

static const ur_setting defaults[] = {
    {"batch", "16"}, {"lr", "0.05"}, {"epochs", "3"}, {NULL, NULL}};

/* Without figures and a measure of its own: `alone`. */
#define REGRESSION(called, its_figures, its_measure)                                               \
    {                                                                                              \
        .name = (called), .measured_name = "points", .unit = "sequences", .fields = fields,        \
        .config_size = sizeof(regression_config), .defaults = defaults, .check = check,            \
        .figures = (its_figures), .model_size = sizeof(regression), .build = build, .init = init,  \
        .free = release, .loss = loss, .measure = (its_measure), .examples = examples,             \
        .fingerprint = fingerprint, .free_data = free_data                                         \
    }

static const ur_kind kind = REGRESSION("regression", figures, measure);
static const ur_kind alone = REGRESSION("loss alone", NULL, NULL);

/* ---- helpers ---------------------------------------------------------------------------------- */

static ur_context *with_kind(int threads)
{
    ur_context *context = context_of(NULL, threads, NULL);
    assert_int_equal(ur_kind_add(context, &kind, NULL), UR_OK);
    assert_int_equal(ur_kind_add(context, &alone, NULL), UR_OK);
    return context;
}

/* 70 points in batches of 16: 5 steps an epoch, 3 epochs. */
static points train_points, valid_points;

static regression_config some_config(void)
{
    regression_config c;
    ur_kind_defaults(&kind, &c);
    c.pull = 0.001;
    c.name = "my \"own\" line";
    return c;
}

static ur_run *created(ur_context *context, const char *folder, const ur_run_settings *settings,
                       const char *name)
{
    const regression_config config = some_config();
    ur_run *run;
    ur_err err;
    train_points = made_points(70, 3);
    valid_points = made_points(30, 4);
    if (ur_run_create_with(context, folder, settings, name, &config, &train_points, &valid_points,
                           &run, &err) != UR_OK)
        fail_msg("%s", err.text);
    return run;
}

static void train_whole(ur_context *context, const char *folder, const char *name)
{
    const ur_run_settings settings = ur_run_defaults(&kind);
    assert_false(settings.overwrite);
    ur_run *run = created(context, folder, &settings, name);
    run_trained(run);
    ur_run_free(run);
}

static void says(ur_status status, ur_status want, const ur_err *err, const char *part)
{
    if (status != want || !strstr(err->text, part))
        fail_msg("%s: \"%s\"; expected was %s with \"%s\"", ur_status_name(status), err->text,
                 ur_status_name(want), part);
}

/* ---- kinds of a context ----------------------------------------------------------------------- */

static void kinds_of_a_context(void **state)
{
    (void)state;
    ur_context *context = with_kind(1), *other = context_of(NULL, 1, NULL);
    size_t built_in = 0;
    ur_err err;
    while (ur_kind_at(other, built_in))
        built_in++;
    for (size_t i = 0; i < built_in; i++)
        assert_ptr_equal(ur_kind_at(context, i), ur_kind_at(other, i));
    assert_ptr_equal(ur_kind_at(context, built_in), &kind);
    assert_ptr_equal(ur_kind_at(context, built_in + 1), &alone);
    assert_null(ur_kind_at(context, built_in + 2));
    assert_ptr_equal(ur_kind_find(context, "regression"), &kind);
    assert_null(ur_kind_find(other, "regression"));
    assert_null(ur_kind_find(NULL, "regression"));
    says(ur_kind_add(context, &kind, &err), UR_INVALID, &err, "regression");
    ur_kind odd = kind;
    odd.name = "seq2seq";
    says(ur_kind_add(other, &odd, &err), UR_INVALID, &err, "seq2seq");
    for (int missing = 0; missing < 8; missing++) {
        odd = kind;
        odd.name = missing == 0 ? NULL : missing == 1 ? "" : "odd";
        odd.fields = missing == 2 ? NULL : fields;
        odd.build = missing == 3 ? NULL : build;
        odd.init = missing == 4 ? NULL : init;
        odd.loss = missing == 5 ? NULL : loss;
        odd.examples = missing == 6 ? NULL : examples;
        odd.model_size = missing == 7 ? sizeof(ur_model) - 1 : sizeof(regression);
        says(ur_kind_add(other, &odd, &err), UR_INVALID, &err, "are needed");
        assert_null(ur_kind_at(other, built_in));
    }
    assert_int_equal(ur_kind_add(other, &kind, &err), UR_OK);
    ur_context_free(context);
    ur_context_free(other);
}

/* ---- a run ------------------------------------------------------------------------------------ */

static size_t evaluations;

static void on_evaluation(void *user, const ur_metrics *m)
{
    assert_ptr_equal(user, &evaluations);
    evaluations++;
    assert_int_equal(m->epoch, evaluations);
    assert_int_equal(m->step, 5 * evaluations);
    assert_true(m->has_valid && m->valid_loss > 0.0);
    assert_true(valid_figure(&kind, m, "points") == 30.0);
}

static void check_metrics(ur_context *context)
{
    static const char *const names[] = {"train_loss",    "valid_loss",          "valid_distance",
                                        "valid_near",    "valid_points",        "seconds",
                                        "train_seconds", "sequences_per_second"};
    char name[UR_METRIC_NAME];
    const ur_kind *of;
    ur_metrics *m;
    size_t n, size;
    char *lines = file_of("run", "metrics.jsonl", &size), *at = lines;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_true(ur_metrics_name(&kind, i, name));
        assert_string_equal(name, names[i]);
        at = strstr(at, name); /* in this order */
        assert_non_null(at);
    }
    assert_false(ur_metrics_name(&kind, sizeof names / sizeof *names, name));
    assert_null(strstr(lines, "perplexity"));
    assert_null(strstr(lines, "null"));
    free(lines);
    assert_int_equal(ur_metrics_load(context, "run", &m, &n, &of, NULL), UR_OK);
    assert_ptr_equal(of, &kind);
    assert_int_equal(n, 3);
    assert_true(m[2].train_loss < m[0].train_loss && m[2].valid_loss < m[0].valid_loss);
    assert_true(valid_figure(of, &m[2], "distance") < valid_figure(of, &m[0], "distance"));
    ur_metrics_free(context, m);
}

/* Whether the configuration of a run is what it was made with, the features filled in. */
static void check_config(const ur_run *run)
{
    const regression_config *c = ur_run_assets(run)->config, *of_model = ur_run_model(run)->config;
    const regression_config want = some_config();
    assert_true(c->features == AUTO_FEATURES && of_model->features == AUTO_FEATURES);
    assert_true(c->error == want.error && c->start == want.start && c->pull == want.pull);
    assert_string_equal(c->name, want.name);
    assert_string_equal(of_model->name, want.name);
    assert_ptr_not_equal(c->name, want.name); /* a copy */
}

/* Nothing of what asks for files or texts. */
static void check_cannot(ur_context *context, ur_run *run)
{
    const ur_pair_source source = {.data = "points.txt"};
    const regression_config config = some_config();
    ur_run_settings settings = ur_run_defaults(&kind);
    const char *text = "1 2 3";
    ur_prediction p;
    ur_measure sum;
    ur_writer *writer;
    ur_run *other;
    ur_err err;
    says(ur_run_predict(run, 1, &text, NULL, &p, NULL, &err), UR_UNSUPPORTED, &err, "regression");
    says(ur_run_evaluate(run, &source, &sum, NULL, &err), UR_UNSUPPORTED, &err, "regression");
    says(ur_run_sample(run, 0, &p, &err), UR_UNSUPPORTED, &err, "regression");
    says(ur_writer_new(run, "", NULL, &writer, &err), UR_UNSUPPORTED, &err, "regression");
    says(ur_run_plot_attention(run, text, NULL, "never.svg", &err), UR_UNSUPPORTED, &err,
         "regression");
    assert_int_equal(ur_run_samples(run), 0);
    settings.data = "points.txt";
    says(ur_run_create(context, "new", &settings, "regression", &config, &other, &err), UR_INVALID,
         &err, "reads no files");
    assert_null(other);
    assert_false(is_file("new", "config.json"));
}

static void made_trained_and_opened(void **state)
{
    (void)state;
    static const char *const paths[] = {"run", "run/model.safetensors",
                                        "run/checkpoints/15.safetensors"};
    ur_context *context = with_kind(2);
    ur_run_settings settings = ur_run_defaults(&kind);
    const ur_run_hooks hooks = {.user = &evaluations, .on_evaluation = on_evaluation};
    ur_err err;
    assert_true(settings.train.batch == 16 && settings.train.lr == 0.05); /* as the kind has it */
    settings.data = "points of a line";
    evaluations = 0;
    ur_run *run = created(context, "run", &settings, "regression");
    assert_ptr_equal(ur_run_kind(run), &kind);
    assert_ptr_equal(ur_run_train_data(run), &train_points);
    assert_ptr_equal(ur_run_valid_data(run), &valid_points);
    assert_null(ur_run_vocabulary(run));
    assert_null(ur_run_labels(run));
    check_config(run);
    assert_int_equal(ur_run_train(run, &hooks, NULL), UR_OK);
    assert_int_equal(evaluations, 3);
    check_cannot(context, run);
    ur_run_free(run);
    says(ur_run_resume(context, "run", 0, 0, &run, &err), UR_INVALID, &err, "reads no files");
    assert_null(run);
    assert_false(is_file("run", "vocab.txt") || is_file("run", "labels.txt"));
    check_metrics(context);
    const ur_metrics last = last_metrics(context, "run", NULL);
    for (int i = 0; i < 3; i++) {
        ur_measure m;
        run = run_opened(context, paths[i]);
        check_config(run);
        assert_int_equal(ur_evaluate(ur_run_model(run), &valid_points, &m, NULL), UR_OK);
        assert_true(ur_measure_figure(&kind, &m, "loss") == last.valid_loss);
        assert_true(ur_measure_figure(&kind, &m, "near") == valid_figure(&kind, &last, "near"));
        assert_null(ur_run_train_data(run));
        if (i == 0)
            assert_string_equal(ur_run_settings_of(run)->data, "points of a line");
        ur_run_free(run);
    }
    ur_context_free(context);
}

/* The loss alone is what the other kind measures, and all that is written of it. */
static void measured_by_its_loss(void **state)
{
    (void)state;
    ur_context *context = with_kind(1);
    train_whole(context, "with", "regression");
    train_whole(context, "without", "loss alone");
    const ur_metrics a = last_metrics(context, "with", NULL);
    const ur_metrics b = last_metrics(context, "without", NULL);
    assert_true(a.train_loss == b.train_loss && a.valid_loss == b.valid_loss);
    assert_true(isnan(b.valid[0]));
    size_t size;
    char *lines = file_of("without", "metrics.jsonl", &size);
    assert_null(strstr(lines, "near"));
    free(lines);
    ur_context_free(context);
}

/* A context that does not have the kind says its name, and which there are. */
static void opened_elsewhere(void **state)
{
    (void)state;
    ur_context *context = with_kind(1), *other = context_of(NULL, 1, NULL);
    const regression_config config = some_config();
    const ur_run_settings settings = ur_run_defaults(&kind);
    const char *folder = "run";
    ur_run *run;
    ur_metrics *m;
    size_t n;
    ur_err err;
    train_whole(context, "run", "regression");
    ur_context_free(context);
    says(ur_run_open(other, "run", &run, &err), UR_BAD_FILE, &err, "run/config.json");
    says(UR_BAD_FILE, UR_BAD_FILE, &err, "\"regression\"");
    says(UR_BAD_FILE, UR_BAD_FILE, &err, "\"seq2seq\"");
    assert_null(run);
    says(ur_run_open(other, "run/model.safetensors", &run, &err), UR_BAD_FILE, &err, "regression");
    says(ur_run_check(other, "run", NULL, NULL, &err), UR_BAD_FILE, &err, "regression");
    says(ur_run_resume_with(other, "run", 0, 0, &train_points, NULL, &run, &err), UR_BAD_FILE, &err,
         "regression");
    says(ur_metrics_load(other, "run", &m, &n, NULL, &err), UR_BAD_FILE, &err, "regression");
    says(ur_run_plot_curves(other, 1, &folder, UR_OVER_EPOCHS, "never.svg", &err), UR_BAD_FILE,
         &err, "regression");
    says(ur_run_create_with(other, "new", &settings, "regression", &config, &train_points, NULL,
                            &run, &err),
         UR_INVALID, &err, "regression");
    assert_false(is_file("new", "config.json") || is_file(".", "never.svg"));
    assert_int_equal(ur_kind_add(other, &kind, &err), UR_OK);
    ur_run_free(run_opened(other, "run"));
    ur_context_free(other);
}

/* ---- interrupted ------------------------------------------------------------------------------ */

static void interrupted_at_every_step(void **state)
{
    (void)state;
    ur_context *one = with_kind(1), *three = with_kind(3);
    train_whole(one, "whole", "regression");
    for (size_t step = 1; step < 15; step++) {
        const ur_run_settings settings = ur_run_defaults(&kind);
        stop_at stop = {step, 0};
        const ur_run_hooks hooks = stop_hooks(&stop);
        char folder[32];
        ur_err err;
        snprintf(folder, sizeof folder, "stopped%zu", step);
        ur_run *run = created(one, folder, &settings, "regression");
        assert_int_equal(ur_run_train(run, &hooks, &err), UR_INTERRUPTED);
        ur_run_free(run);
        if (ur_run_resume_with(three, folder, 0, 0, &train_points, &valid_points, &run, &err) !=
            UR_OK)
            fail_msg("%s", err.text);
        check_config(run);
        run_trained(run);
        ur_run_free(run);
        same_files("whole", folder, "model.safetensors");
        same_files("whole", folder, "config.json");
        same_metrics(one, "whole", folder);
    }
    ur_context_free(one);
    ur_context_free(three);
}

static void resumed_with_other_data(void **state)
{
    (void)state;
    ur_context *context = with_kind(1);
    ur_run *run;
    ur_err err;
    train_whole(context, "run", "regression");
    points other = made_points(70, 5), fewer = made_points(69, 3);
    says(ur_run_resume_with(context, "run", 9, 0, &other, NULL, &run, &err), UR_BAD_FILE, &err,
         "is not the data this run began with");
    says(ur_run_resume_with(context, "run", 9, 0, &fewer, NULL, &run, &err), UR_BAD_FILE, &err,
         "is not the data this run began with");
    assert_null(run);
    assert_int_equal(
        ur_run_resume_with(context, "run", 4, 0, &train_points, &valid_points, &run, &err), UR_OK);
    run_trained(run);
    ur_run_free(run);
    assert_int_equal(last_metrics(context, "run", NULL).step, 20);
    ur_context_free(context);
}

/* ---- what is refused -------------------------------------------------------------------------- */

static void creation_refused(void **state)
{
    (void)state;
    ur_context *context = with_kind(1);
    ur_run_settings settings = ur_run_defaults(&kind);
    regression_config config = some_config();
    points none = made_points(0, 1);
    ur_run *run;
    ur_err err;
    train_points = made_points(70, 3);
#define REFUSED(data, valid, part)                                                                 \
    says(ur_run_create_with(context, "new", &settings, "regression", &config, data, valid, &run,   \
                            &err),                                                                 \
         UR_INVALID, &err, part);                                                                  \
    assert_null(run);                                                                              \
    assert_false(is_file("new", "config.json"))
    REFUSED(&none, NULL, "nothing to train on");
    config.features = 17;
    REFUSED(&train_points, NULL, "regression: features is 17");
    config = some_config();
    config.name = "";
    REFUSED(&train_points, NULL, "name");
    config = some_config();
    config.error = QUARTIC;
    config.pull = 0.75;
    REFUSED(&train_points, NULL, "too strong");
    config = some_config();
    settings.train.early_stop = 2;
    REFUSED(&train_points, NULL, "early stopping");
    settings = ur_run_defaults(&kind);
    settings.train.schedule = UR_LR_PLATEAU;
    REFUSED(&train_points, NULL, "plateau");
    settings = ur_run_defaults(&kind);
    settings.train.batch = 0;
    REFUSED(&train_points, NULL, "batch");
    ur_context_free(context);
}

/* A run's configuration edited by hand: keys that may be missing, words with a second name. */
static void edited(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says; /* NULL: it opens */
    } configs[] = {
        {"\"features\": 3, \"line\": {\"error\": \"square\", \"start\": 1}", NULL},
        {"\"features\": 3, \"line\": {\"error\": \"square\", \"start\": 1}, \"name\": null", NULL},
        {"\"features\": \"auto\", \"line\": {\"error\": \"quartic\", \"start\": 0.5, \"pull\": 0}, "
         "\"name\": \"n\"",
         NULL},
        {"\"features\": 4, \"line\": {\"error\": \"square\", \"start\": 1}", "w"},
        {"\"features\": 3, \"line\": {\"error\": \"cubic\", \"start\": 1}", "line.error"},
        {"\"features\": 3, \"line\": {\"error\": \"square\", \"start\": 1.5}", "line.start"},
        {"\"features\": 3, \"line\": {\"error\": \"square\", \"start\": 1, \"pull\": 1}",
         "line.pull"},
        {"\"features\": 3, \"line\": {\"error\": \"quartic\", \"start\": 1, \"pull\": 0.75}",
         "too strong"},
        {"\"features\": 3, \"line\": {\"error\": \"square\", \"start\": 1}, \"name\": \"\"",
         "name"},
        {"\"features\": 3, \"line\": {\"error\": \"square\", \"start\": 1}, \"name\": 3", "name"},
        {"\"features\": 3, \"line\": 1", "line"},
        {"\"features\": 3, \"line\": {\"error\": \"square\", \"start\": 1}, \"end\": 3", "end"},
    };
    ur_context *context = with_kind(1);
    train_whole(context, "run", "regression");
    size_t size;
    char *whole = file_of("run", "config.json", &size), *training = strstr(whole, "\"training\"");
    assert_non_null(training);
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        char text[4096];
        ur_run *run;
        ur_err err;
        snprintf(text, sizeof text, "{\"version\": 2, \"model\": \"regression\", %s, %s",
                 configs[i].text, training);
        put_file("run/config.json", text);
        const ur_status status = ur_run_open(context, "run", &run, &err);
        if (configs[i].says) {
            says(status, UR_BAD_FILE, &err, configs[i].says);
            continue;
        }
        if (status != UR_OK)
            fail_msg("%s: %s", configs[i].text, err.text);
        const regression_config *c = ur_run_assets(run)->config;
        assert_true(c->pull == (i < 2 ? 0.01 : 0.0));
        if (i == 1)
            assert_null(c->name);
        else
            assert_string_equal(c->name, i ? "n" : "a line");
        ur_run_free(run);
    }
    free(whole);
    ur_context_free(context);
}

/* ---- pictures --------------------------------------------------------------------------------- */

static void curves(void **state)
{
    (void)state;
    static const char *const folders[] = {"run", "loss"};
    static const char *const has[] = {">mean distance<",         ">near ones<",
                                      ">loss (nats per point)<", ">epoch<",
                                      ">run, training<",         ">loss, training<"};
    ur_context *context = with_kind(1);
    ur_err err;
    size_t size;
    train_whole(context, "run", "regression");
    train_whole(context, "loss", "loss alone");
    if (ur_run_plot_curves(context, 2, folders, UR_OVER_EPOCHS, "picture.svg", &err) != UR_OK)
        fail_msg("%s", err.text);
    char *svg = file_of(".", "picture.svg", &size);
    for (size_t i = 0; i < sizeof has / sizeof *has; i++)
        if (!strstr(svg, has[i]))
            fail_msg("no %s in the picture", has[i]);
    assert_null(strstr(svg, ">points<")); /* no headline */
    free(svg);
    ur_context_free(context);
}

/* ---- memory ----------------------------------------------------------------------------------- */

static ur_status whole_life(const ur_allocator *a, ur_err *err, void *arg)
{
    const ur_options options = {.allocator = a, .threads = 1};
    const regression_config config = some_config();
    const char *folder = "run";
    ur_run_settings s = ur_run_defaults(&kind);
    ur_context *context;
    ur_run *run = NULL;
    (void)arg;
    s.data = "points";
    s.train.epochs = 1;
    train_points = made_points(6, 1);
    valid_points = made_points(2, 2);
    assert_int_equal(system("rm -rf run"), 0);
    ur_status status = ur_context_new(&options, &context, err);
    if (status != UR_OK)
        return status;
    status = ur_kind_add(context, &kind, err);
    if (status == UR_OK)
        status = ur_run_create_with(context, "run", &s, "regression", &config, &train_points,
                                    &valid_points, &run, err);
    if (status == UR_OK)
        status = ur_run_train(run, NULL, err);
    ur_run_free(run);
    run = NULL;
    if (status == UR_OK)
        status = ur_run_resume_with(context, "run", 2, 0, &train_points, &valid_points, &run, err);
    ur_run_free(run);
    run = NULL;
    if (status == UR_OK)
        status = ur_run_open(context, "run", &run, err);
    if (status == UR_OK)
        status = ur_run_plot_curves(context, 1, &folder, UR_OVER_EPOCHS, "picture.svg", err);
    ur_run_free(run);
    ur_context_free(context);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(failing_alloc_sweep(whole_life, NULL) > 150);
}

/* Weights of another run, for a kind that has no vocabulary. */
static void started_from_another(void **state)
{
    (void)state;
    ur_context *context = with_kind(1);
    train_whole(context, "old", "regression");
    ur_run *old = run_opened(context, "old");
    ur_run_settings settings = ur_run_defaults(&kind);
    settings.init_from = "old";
    ur_run *run = created(context, "new", &settings, "regression");
    const ur_params *a = ur_run_model(old)->params, *b = ur_run_model(run)->params;
    assert_memory_equal(ur_params_data(a), ur_params_data(b), ur_params_size(a) * sizeof(float));
    ur_run_free(run);
    settings.freeze = "w"; /* its only parameter */
    settings.overwrite = true;
    const regression_config config = some_config();
    ur_err err;
    says(ur_run_create_with(context, "new", &settings, "regression", &config, &train_points,
                            &valid_points, &run, &err),
         UR_INVALID, &err, "nothing to be trained");
    ur_run_free(old);
    ur_context_free(context);
}

int main(void)
{
#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, run_folder_enter, test_folder_leave)
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(kinds_of_a_context),
        IN_A_FOLDER(made_trained_and_opened),
        IN_A_FOLDER(measured_by_its_loss),
        IN_A_FOLDER(opened_elsewhere),
        IN_A_FOLDER(interrupted_at_every_step),
        IN_A_FOLDER(resumed_with_other_data),
        IN_A_FOLDER(creation_refused),
        IN_A_FOLDER(started_from_another),
        IN_A_FOLDER(edited),
        IN_A_FOLDER(curves),
        IN_A_FOLDER(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
