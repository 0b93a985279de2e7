/* test_same_bits.c - whole trainings give the same bytes: every instruction set, 1, 2 and 3
 * threads, stopped and resumed anywhere; and answers and evaluations with them. */
#include "run/runs.h"

static const char *const model = "model.safetensors";

static void instruction_sets_and_threads(void **state)
{
    (void)state;
    static const char *const questions[] = {"september 27, 1994", "1/2/70", "Monday, May 4, 2015"};
    contexts all = contexts_new();
    ur_measure first_measure = {0};
    char first_text[3][64];
    double first_score[3] = {0};
    for (int i = 0; i < all.count; i++) {
        char folder[32];
        ur_run_settings settings = tiny_settings();
        const ur_seq2seq_config config = tiny_config();
        settings.size = 72; /* batches of 64 and 8: two shards, and one for a team */
        settings.train.epochs = 2;
        snprintf(folder, sizeof folder, "run%d", i);
        ur_run *run = run_created(all.at[i], folder, &settings, &config);
        run_trained(run);
        if (i)
            same_files("run0", folder, model);
        const ur_pair_source source = {
            .data = "builtin:dates", .size = 70, .seed = 9, .split = UR_SPLIT_VALID};
        ur_measure m;
        ur_err err;
        ur_prediction answers[3];
        if (ur_run_evaluate(run, &source, &m, NULL, &err) != UR_OK ||
            ur_run_predict(run, 3, questions, NULL, answers, NULL, &err) != UR_OK)
            fail_msg("%s", err.text);
        for (int q = 0; q < 3; q++)
            if (i == 0) {
                snprintf(first_text[q], sizeof first_text[q], "%s", answers[q].text);
                first_score[q] = answers[q].log_probability;
            } else {
                assert_string_equal(answers[q].text, first_text[q]);
                assert_memory_equal(&answers[q].log_probability, &first_score[q], sizeof(double));
            }
        for (int q = 0; q < 3; q++)
            ur_prediction_free(all.at[i], &answers[q]);
        if (i == 0)
            first_measure = m;
        assert_int_equal(m.examples, 70);
        assert_int_equal(m.positions, 700);
        assert_memory_equal(m.sum, first_measure.sum, sizeof m.sum);
        assert_memory_equal(&m.loss, &first_measure.loss, sizeof m.loss);
        ur_run_free(run);
    }
    contexts_free(&all);
}

/* Other optimisers and data, fewer shards than threads. */
static void other_settings(void **state)
{
    (void)state;
    for (int variant = 0; variant < 3; variant++) {
        contexts all = contexts_new();
        for (int i = 0; i < all.count; i += 4) { /* plain 1, avx2 2, avx512 3 */
            char folder[32];
            ur_run_settings s = tiny_settings();
            ur_seq2seq_config c = tiny_config();
            snprintf(folder, sizeof folder, "v%d_%d", variant, i);
            s.data = "builtin:additions";
            s.train.batch = variant ? 20 : 64;
            s.train.max_steps = 3;
            s.train.optimizer = variant ? UR_SGD : UR_ADAM;
            s.train.momentum = 0.9;
            s.train.nesterov = variant == 2;
            s.train.weight_decay = 0.01;
            c.attention = variant ? UR_ATTENTION_NONE : UR_ATTENTION_DOT;
            c.peeky = variant == 2;
            c.format.strip = variant == 1;
            c.format.answer_order = UR_ANSWER_REVERSED;
            ur_run *run = run_created(all.at[i], folder, &s, &c);
            run_trained(run);
            ur_run_free(run);
            snprintf(folder, sizeof folder, "v%d_0", variant);
            char other[32];
            snprintf(other, sizeof other, "v%d_%d", variant, i);
            same_files(folder, other, model);
        }
        contexts_free(&all);
    }
}

static void interrupted_and_resumed(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    ur_run_settings settings = tiny_settings();
    const ur_seq2seq_config config = tiny_config();
    ur_run *run = run_created(context, "whole", &settings, &config);
    run_trained(run);
    ur_run_free(run);
    static const size_t steps[] = {1, 4, 6}; /* at once, at an epoch's end, inside one */
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        const size_t step = steps[i];
        char folder[32], checkpoint[64];
        stop_at stop = {step, 0};
        const ur_run_hooks hooks = stop_hooks(&stop);
        ur_err err;
        snprintf(folder, sizeof folder, "stopped%zu", step);
        run = run_created(context, folder, &settings, &config);
        assert_int_equal(ur_run_train(run, &hooks, &err), UR_INTERRUPTED);
        assert_non_null(strstr(err.text, "stopped after step"));
        ur_run_free(run);
        snprintf(checkpoint, sizeof checkpoint, "checkpoints/%zu.safetensors", step);
        assert_true(is_file(folder, checkpoint) && is_file(folder, model));
        run = run_resumed(context, folder, 0, 0);
        stop.step = 0;
        stop.seen = step;
        if (ur_run_train(run, &hooks, &err) != UR_OK)
            fail_msg("%s", err.text);
        assert_int_equal(stop.seen, 8);
        ur_run_free(run);
        same_files("whole", folder, model);
        same_metrics(context, "whole", folder);
    }
    ur_context_free(context);
}

/* Stopped by max_steps, gone on with other threads; and from the checkpoint of the beginning. */
static void resumed_with_other_limits(void **state)
{
    (void)state;
    ur_context *context = context_of("plain", 1, NULL), *other = context_of(NULL, 3, NULL);
    ur_run_settings settings = tiny_settings();
    const ur_seq2seq_config config = tiny_config();
    settings.train.epochs = 3;
    ur_run *run = run_created(context, "whole", &settings, &config);
    run_trained(run);
    ur_run_free(run);
    settings.train.epochs = 1;
    settings.train.max_steps = 3;
    run = run_created(context, "parts", &settings, &config);
    run_trained(run);
    ur_run_free(run);
    run = run_resumed(other, "parts", 0, 6); /* one epoch: ends at step 4 */
    run_trained(run);
    assert_int_equal(ur_run_settings_of(run)->train.max_steps, 6);
    ur_run_free(run);
    run = run_resumed(other, "parts", 3, 0); /* which keeps the limit */
    run_trained(run);
    assert_int_equal(ur_run_settings_of(run)->train.max_steps, 6);
    ur_run_free(run);
    run = run_resumed(other, "parts", 0, UR_NO_LIMIT);
    run_trained(run);
    assert_int_equal(ur_run_settings_of(run)->train.max_steps, 0);
    assert_int_equal(ur_run_settings_of(run)->train.epochs, 3);
    ur_run_free(run);
    same_files("whole", "parts", model);
    run = run_resumed(other, "parts", 0, 0); /* nothing left to do */
    run_trained(run);
    ur_run_free(run);
    same_files("whole", "parts", model);

    settings.train.epochs = 3;
    settings.train.max_steps = 0;
    ur_run_free(run_created(context, "begun", &settings, &config)); /* never trained */
    run = run_resumed(other, "begun", 0, 0);
    run_trained(run);
    ur_run_free(run);
    same_files("whole", "begun", model);
    ur_context_free(context);
    ur_context_free(other);
}

int main(void)
{
#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, run_folder_enter, test_folder_leave)
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(instruction_sets_and_threads),
        IN_A_FOLDER(other_settings),
        IN_A_FOLDER(interrupted_and_resumed),
        IN_A_FOLDER(resumed_with_other_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
