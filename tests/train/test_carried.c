/* test_carried.c - models that order their own epochs, carry state from batch to batch and evaluate
 * themselves: the same bytes for any threads and instruction set, interrupted or not, with every
 * schedule and early stopping. */
#include "train/carrier.h"

#include "support/contexts.h"

#include <math.h>

typedef struct variant {
    const char *name;
    int schedule;
    size_t warmup, early_stop;
    bool keeps;
} variant;

static const variant variants[] = {
    {"text", UR_LR_CONSTANT, 0, 0, false},  {"items", UR_LR_CONSTANT, 3, 0, true},
    {"step", UR_LR_STEP, 7, 0, false},      {"cosine", UR_LR_COSINE, 0, 0, true},
    {"plateau", UR_LR_PLATEAU, 0, 0, true}, {"stops", UR_LR_PLATEAU, 2, 2, false}};

enum { VARIANTS = sizeof variants / sizeof *variants };

static ur_run_settings settings_of(const variant *v)
{
    ur_run_settings s = carrier_settings();
    s.train.schedule = v->schedule;
    s.train.lr_epochs = 2;
    s.train.lr_patience = 0;
    s.train.warmup_steps = v->warmup;
    s.train.early_stop = v->early_stop;
    return s;
}

static void train_whole(ur_context *context, const char *folder, const variant *v)
{
    const ur_run_settings s = settings_of(v);
    ur_run *run = carrier_run(context, folder, &s, v->keeps, false);
    run_trained(run);
    ur_run_free(run);
}

static void same_runs(ur_context *context, const char *folder, const char *other)
{
    same_files(folder, other, "model.safetensors");
    same_metrics(context, folder, other);
}

static void any_threads_and_instructions(void **state)
{
    (void)state;
    contexts all = contexts_new();
    for (size_t v = 0; v < VARIANTS; v++)
        for (int i = 0; i < all.count; i++) {
            char folder[32], first[32];
            snprintf(folder, sizeof folder, "%s_%d", variants[v].name, i);
            snprintf(first, sizeof first, "%s_0", variants[v].name);
            train_whole(all.at[i], folder, &variants[v]);
            same_runs(all.at[i], first, folder);
        }
    contexts_free(&all);
}

/* Stops after `step` steps, by a signal or by a limit, and goes on with other threads; the number of
 * steps in all. */
static size_t train_in_two(ur_context *first, ur_context *second, const char *folder,
                           const variant *v, size_t step, bool limit, bool forget)
{
    ur_run_settings s = settings_of(v);
    stop_at stop = {limit ? 0 : step, 0};
    const ur_run_hooks hooks = stop_hooks(&stop);
    s.train.max_steps = limit ? step : 0;
    ur_run *run = carrier_run(first, folder, &s, v->keeps, false);
    const ur_status status = ur_run_train(run, &hooks, NULL);
    ur_run_free(run);
    if (!limit && status == UR_OK) /* it had no more steps */
        return stop.seen;
    assert_int_equal(status, limit ? UR_OK : UR_INTERRUPTED);
    run = carrier_run(second, folder, &s, v->keeps, true);
    if (forget) {
        size_t count;
        float *carry = carrier_carried(NULL, run->assets.train, &count);
        memset(carry, 0, count * sizeof *carry);
    }
    run_trained(run);
    const size_t steps = run->trainer->progress.step;
    ur_run_free(run);
    return steps;
}

static void interrupted_at_every_step(void **state)
{
    (void)state;
    ur_context *one = context_of(NULL, 1, NULL), *three = context_of(NULL, 3, NULL);
    for (size_t v = 0; v < VARIANTS; v++) {
        train_whole(one, variants[v].name, &variants[v]);
        size_t steps = 2;
        for (size_t step = 1; step < steps; step++) {
            char folder[48];
            snprintf(folder, sizeof folder, "%s_at%zu", variants[v].name, step);
            steps = train_in_two(one, three, folder, &variants[v], step, false, false);
            same_runs(one, variants[v].name, folder);
        }
        assert_in_range(steps, 12, 24);
    }
    ur_context_free(one);
    ur_context_free(three);
}

/* A limit inside an epoch brings an evaluation of its own, which is no epoch's: the model becomes the
 * same. */
static void limited_and_resumed(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    for (size_t v = 0; v < VARIANTS; v++) {
        train_whole(context, variants[v].name, &variants[v]);
        for (size_t step = 1; step < 12; step += 2) {
            char folder[48];
            snprintf(folder, sizeof folder, "%s_limit%zu", variants[v].name, step);
            train_in_two(context, context, folder, &variants[v], step, true, false);
            same_files(variants[v].name, folder, "model.safetensors");
        }
    }
    ur_context_free(context);
}

/* That the tests above can fail: without its carried state a run becomes another. */
static void carried_state_matters(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    for (size_t v = 0; v < 2; v++) { /* a text inside an epoch; items at an epoch's end, too */
        size_t n, m;
        train_whole(context, variants[v].name, &variants[v]);
        train_in_two(context, context, "forgot", &variants[v], v ? 3 : 4, false, true);
        char *a = file_of(variants[v].name, "model.safetensors", &n);
        char *b = file_of("forgot", "model.safetensors", &m);
        assert_true(n != m || memcmp(a, b, n) != 0);
        free(a);
        free(b);
        assert_int_equal(system("rm -rf forgot"), 0);
    }
    ur_context_free(context);
}

static void epochs_as_the_model_says(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    const ur_run_settings s = settings_of(&variants[0]);
    ur_run *run = carrier_run(context, "epochs", &s, false, false);
    size_t steps = 0, positions = 0;
    double nll = 0.0;
    for (size_t epoch = 0; epoch < s.train.epochs; epoch++) {
        const size_t batches = 3 + (s.train.seed + epoch) % 3;
        for (size_t b = 1; b <= batches; b++) {
            ur_step step;
            assert_int_equal(ur_trainer_step(run->trainer, &step, NULL), UR_OK);
            if (b == 1) {
                positions = 0;
                nll = 0.0;
            }
            positions += step.positions;
            nll += step.loss * (double)step.positions;
            assert_int_equal(step.step, ++steps);
            assert_int_equal(step.epoch, epoch + 1);
            assert_int_equal(step.batch, b);
            assert_int_equal(step.batches, batches);
            assert_int_equal(step.examples, STREAMS);
            assert_int_equal(step.positions, STREAMS / 4 * (1 + 2 + 3 + 4));
            assert_int_equal(step.epoch_ended, b == batches);
            assert_int_equal(step.epoch_positions, positions);
            assert_true(step.epoch_nll == nll);
        }
    }
    assert_true(ur_trainer_finished(run->trainer));
    ur_run_free(run);
    ur_context_free(context);
}

/* What the kind has is written, nothing else; perplexities are of positions, not of batches. */
static void figures(void **state)
{
    (void)state;
    size_t size, n;
    ur_context *context = context_of(NULL, 2, NULL);
    train_whole(context, "figures", &variants[0]);
    char *lines = file_of("figures", "metrics.jsonl", &size);
    char name[UR_METRIC_NAME];
    size_t names = 0;
    for (const char *at = lines; ur_metrics_name(&carrier_kind, names, name); names++) {
        at = strstr(at, name); /* in this order */
        if (!at)
            fail_msg("no %s in %s", name, lines);
    }
    assert_int_equal(names, 8);
    assert_null(strstr(lines, "accuracy"));
    assert_null(strstr(lines, "sequences"));
    assert_null(strstr(lines, "null"));
    free(lines);
    ur_metrics *m;
    assert_int_equal(ur_metrics_load(context, "figures", &m, &n, NULL, NULL), UR_OK);
    assert_int_equal(n, 6);
    for (size_t i = 0; i < n; i++) {
        const double perplexity = valid_figure(&carrier_kind, &m[i], "perplexity");
        assert_true(m[i].has_valid && valid_figure(&carrier_kind, &m[i], "f1") == 0.25);
        assert_true(ur_metrics_figure(&carrier_kind, &m[i], "lr") == 0.05);
        assert_true(fabs(perplexity - exp(m[i].valid_loss)) < 1e-9);
        assert_true(m[i].train_perplexity > 0.0 && m[i].tokens_per_second > 0.0);
        assert_true(isnan(valid_figure(&carrier_kind, &m[i], "accuracy")));
        assert_true(isnan(m[i].sequences_per_second) && isnan(m[i].valid[2]));
        assert_true(isnan(ur_metrics_figure(&carrier_kind, &m[i], "no such figure")));
    }
    ur_metrics_free(context, m);
    lines = file_of("figures", "train.log", &size);
    assert_non_null(strstr(lines, "  perplexity "));
    assert_non_null(strstr(lines, " tokens/s  "));
    free(lines);
    ur_context_free(context);
}

/* The best epoch's model stays, on disk and in the run. */
static void stops_early_with_the_best(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    const ur_run_settings s = settings_of(&variants[VARIANTS - 1]);
    ur_run *run = carrier_run(context, "early", &s, false, false);
    assert_false(ur_run_stopped_early(run));
    run_trained(run);
    assert_true(ur_run_stopped_early(run));
    assert_true(run->trainer->progress.epoch < s.train.epochs);
    const double least = run->trainer->progress.schedule.least;
    ur_measure in_run;
    assert_int_equal(ur_evaluate(run->assets.model, run->assets.valid, &in_run, NULL), UR_OK);
    assert_true(in_run.loss / 2.0 == least);
    ur_metrics *m;
    size_t count;
    assert_int_equal(ur_metrics_load(context, "early", &m, &count, NULL, NULL), UR_OK);
    assert_true(m[count - 1].valid_loss > least);
    ur_metrics_free(context, m);
    ur_param_values(run->assets.model->params, 0)[0] = 9.0f;
    assert_int_equal(ur_run_load_model(run, NULL), UR_OK);
    assert_int_equal(ur_evaluate(run->assets.model, run->assets.valid, &in_run, NULL), UR_OK);
    assert_true(in_run.loss / 2.0 == least);
    run_trained(run); /* nothing is left to do */
    ur_run_free(run);
    run = carrier_run(context, "early", &s, false, true); /* nor after it was opened again */
    run_trained(run);
    assert_true(ur_run_stopped_early(run));
    ur_run_free(run);
    ur_context_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(any_threads_and_instructions, run_folder_enter,
                                        test_folder_leave),
        cmocka_unit_test_setup_teardown(interrupted_at_every_step, run_folder_enter,
                                        test_folder_leave),
        cmocka_unit_test_setup_teardown(limited_and_resumed, run_folder_enter, test_folder_leave),
        cmocka_unit_test_setup_teardown(carried_state_matters, run_folder_enter, test_folder_leave),
        cmocka_unit_test_setup_teardown(epochs_as_the_model_says, run_folder_enter,
                                        test_folder_leave),
        cmocka_unit_test_setup_teardown(figures, run_folder_enter, test_folder_leave),
        cmocka_unit_test_setup_teardown(stops_early_with_the_best, run_folder_enter,
                                        test_folder_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
