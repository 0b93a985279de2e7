/* test_text_lstm.c - runs of next-word models: stopped anywhere and resumed, states of every place
 * of the text included, they give the bytes of a run that nobody stopped, on every machine; what they
 * predict; and what cannot be. */
#include "run/runs.h"
#include "support/failing_alloc.h"
#include "unroll/decode.h"
#include "unroll/language.h"

#include <math.h>

static const char *const model = "model.safetensors";

/* 10 words a line, the line's end among them. */
static void write_text(const char *path, size_t lines)
{
    static const char *const words[] = {"one", "two", "three", "four", "five", "six", "seven"};
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (size_t i = 0; i < lines; i++)
        fprintf(f, "%s bottles of beer on the wall %s\n", words[i * i % 7],
                i % 3 ? "and now" : "down falls");
    assert_int_equal(fclose(f), 0);
}

/* 20 lines: 200 words; 8 batches an epoch. */
static ur_run_settings settings_of(const char *text)
{
    ur_run_settings s = {.data = text, .train = ur_train_defaults()};
    s.train.batch = 24;
    s.train.epochs = 2;
    s.train.lr = 1e-2;
    s.train.clip = 1.0;
    return s;
}

/* One layer; three, whose states are kept; two, one-hot, from the gate, of characters. */
static ur_text_lstm_config config_of(int variant)
{
    ur_text_lstm_config c = ur_text_lstm_defaults();
    c.context = 5;
    c.embed_size = variant == 2 ? 0 : 6;
    c.hidden_size = 7;
    c.layers = variant == 0 ? 1 : variant == 1 ? 3 : 2;
    c.text.options = ur_text_defaults(variant == 2 ? UR_CHARACTERS : UR_WORDS, false);
    c.text.valid_split = variant == 1 ? 0.1 : 0.0;
    if (variant == 2) {
        c.bias_init = UR_BIAS_ONE;
        c.output_from = UR_OUTPUT_GATE;
        c.text.max_tokens = 190;
    }
    return c;
}

static ur_run *created(ur_context *context, const char *folder, const ur_run_settings *s,
                       const ur_text_lstm_config *c)
{
    ur_run *run;
    ur_err err;
    if (ur_run_create(context, folder, s, "text_lstm", c, &run, &err) != UR_OK)
        fail_msg("%s", err.text);
    return run;
}

static void train_run(ur_context *context, const char *folder, const ur_run_settings *s,
                      const ur_text_lstm_config *c)
{
    ur_run *run = created(context, folder, s, c);
    run_trained(run);
    ur_run_free(run);
}

static void interrupted_at_ten_points(void **state)
{
    (void)state;
    static const size_t points[] = {1, 2, 3, 5, 7, 8, 9, 12, 14, 15};
    ur_context *context = context_of(NULL, 2, NULL);
    write_text("text", 20);
    for (int variant = 0; variant < 3; variant++) {
        char whole[32];
        ur_run_settings s = settings_of("text");
        const ur_text_lstm_config c = config_of(variant);
        snprintf(whole, sizeof whole, "whole%d", variant);
        train_run(context, whole, &s, &c);
        for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
            char folder[32];
            snprintf(folder, sizeof folder, "v%d_%zu", variant, i);
            s.train.max_steps = points[i];
            train_run(context, folder, &s, &c);
            ur_run *run = run_resumed(context, folder, 0, UR_NO_LIMIT);
            run_trained(run);
            ur_run_free(run);
            same_files(whole, folder, model);
        }
    }
    ur_context_free(context);
}

/* A run whose states are lost on the way goes on differently: the test above would see it. */
static void states_matter(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    write_text("text", 20);
    ur_run_settings s = settings_of("text");
    const ur_text_lstm_config c = config_of(1);
    for (int lost = 0; lost < 2; lost++) {
        s.train.max_steps = 10;
        train_run(context, lost ? "lost" : "kept", &s, &c);
        ur_run *run = run_resumed(context, lost ? "lost" : "kept", 0, UR_NO_LIMIT);
        size_t count;
        float *states = ur_next_words_states(ur_run_train_data(run), &count);
        assert_int_equal(count * sizeof *states, ur_text_lstm_state_bytes(&c, 180 - 5));
        bool any = false;
        for (size_t i = 0; i < count; i++) {
            any = any || states[i] != 0.0f;
            states[i] = lost ? 0.0f : states[i];
        }
        assert_true(any);
        run_trained(run);
        ur_run_free(run);
    }
    size_t n, m;
    char *a = file_of("kept", model, &n), *b = file_of("lost", model, &m);
    assert_true(n == m && memcmp(a, b, n) != 0);
    free(a);
    free(b);
    ur_context_free(context);
}

static void same_on_every_machine(void **state)
{
    (void)state;
    contexts all = contexts_new();
    write_text("text", 20);
    for (int variant = 0; variant < 3; variant++)
        for (int i = 0; i < all.count; i += 2) {
            char folder[32], first[32];
            const ur_run_settings s = settings_of("text");
            const ur_text_lstm_config c = config_of(variant);
            snprintf(first, sizeof first, "m%d_0", variant);
            snprintf(folder, sizeof folder, "m%d_%d", variant, i);
            train_run(all.at[i], folder, &s, &c);
            same_files(first, folder, model);
        }
    contexts_free(&all);
}

/* The figures say what the model does, and an opened run has the same configuration. */
static void figures(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    write_text("text", 20);
    write_text("other", 4);
    ur_run_settings s = settings_of("text");
    s.valid = "other";
    ur_text_lstm_config c = config_of(1);
    c.text.valid_split = 0.0;
    train_run(context, "run", &s, &c);
    const ur_kind *kind;
    const ur_metrics last = last_metrics(context, "run", &kind);
    const double perplexity = valid_figure(kind, &last, "perplexity");
    const double accuracy = valid_figure(kind, &last, "accuracy");
    assert_int_equal(last.epoch, 2);
    assert_true(last.train_perplexity > 1.0 && perplexity > 1.0);
    assert_true(fabs(perplexity - exp(last.valid_loss)) < 1e-9);
    assert_true(accuracy >= 0.0 && accuracy <= 1.0);
    assert_true(last.tokens_per_second > 0.0);
    static const char *const paths[] = {"run", "run/model.safetensors"};
    for (size_t i = 0; i < 2; i++) {
        ur_run *run = run_opened(context, paths[i]);
        assert_string_equal(ur_run_kind(run)->name, "text_lstm");
        assert_ptr_equal(ur_run_kind(run), kind);
        const ur_text_lstm_config *got = ur_text_lstm_config_of(ur_run_model(run));
        assert_int_equal(got->vocabulary, ur_vocabulary_size(ur_run_vocabulary(run)));
        assert_true(got->context == 5 && got->layers == 3 && got->embed_size == 6);
        assert_true(got->most_state_bytes == c.most_state_bytes && got->text.options.line_ends);
        ur_measure sum;
        const ur_pair_source source = {.data = "other"};
        assert_int_equal(ur_run_evaluate(run, &source, &sum, NULL, NULL), UR_OK);
        assert_int_equal(sum.examples, 4 * 10 - 5);
        assert_true(fabs(sum.loss / (double)sum.positions - last.valid_loss) < 1e-12);
        assert_true(fabs(ur_measure_figure(kind, &sum, "accuracy") - accuracy) < 1e-12);
        ur_run_free(run);
    }
    ur_context_free(context);
}

/* ---- prediction ----------------------------------------------------------------------------- */

static ur_run *trained_run(ur_context *context)
{
    write_text("text", 20);
    ur_run_settings s = settings_of("text");
    const ur_text_lstm_config c = config_of(0);
    s.train.epochs = 30;
    ur_run *run = created(context, "run", &s, &c);
    run_trained(run);
    return run;
}

static void predictions(void **state)
{
    (void)state;
    enum { MOST = 6 };
    static const char *const texts[] = {"bottles of beer on the",
                                        "nobody knows: one bottles of beer on",
                                        "on the wall and now", "a b of beer on"};
    ur_context *context = context_of(NULL, 2, NULL);
    ur_run *run = trained_run(context);
    const ur_search_options best = {.n_best = MOST}, all = {.n_best = 1000};
    ur_prediction p[4], one;
    size_t bad = 9;
    ur_err err;
    if (ur_run_predict(run, 4, texts, &best, p, NULL, &err) != UR_OK)
        fail_msg("%s", err.text);
    assert_string_equal(p[0].text, "wall");
    assert_string_equal(p[1].text, "the");
    assert_string_equal(p[2].text, "<eos>");
    assert_true(p[0].count == 1 && p[0].probability[0] > 0.5f && p[0].complete);
    assert_true(p[0].unknown == 0 && p[1].unknown == 0 && p[3].unknown == 2);
    for (size_t i = 0; i < 4; i++) {
        double sum = 0.0;
        assert_int_equal(ur_run_predict(run, 1, &texts[i], &best, &one, NULL, NULL), UR_OK);
        assert_int_equal(p[i].n_alternatives, MOST);
        assert_int_equal(one.n_alternatives, MOST);
        for (size_t k = 0; k < MOST; k++) {
            const ur_alternative *w = &p[i].alternatives[k];
            sum += exp(w->log_probability);
            assert_true(k == 0 || w->log_probability <= w[-1].log_probability);
            assert_string_equal(w->text, one.alternatives[k].text);
            assert_memory_equal(&w->log_probability, &one.alternatives[k].log_probability,
                                sizeof(double));
        }
        assert_true(sum > 0.3 && sum < 1.0001);
        assert_string_equal(p[i].text, p[i].alternatives[0].text);
        assert_string_equal(p[i].text, p[i].tokens[0]);
        assert_true(p[i].log_probability == p[i].alternatives[0].log_probability);
        ur_prediction_free(context, &one);
        ur_prediction_free(context, &p[i]);
    }
    /* the most probable word alone; all of them */
    assert_int_equal(ur_run_predict(run, 1, texts, NULL, &one, NULL, NULL), UR_OK);
    assert_string_equal(one.text, "wall");
    assert_int_equal(one.n_alternatives, 0);
    ur_prediction_free(context, &one);
    assert_int_equal(ur_run_predict(run, 1, texts, &all, &one, NULL, NULL), UR_OK);
    /* but for <unk>, which is never an answer */
    assert_int_equal(one.n_alternatives, ur_vocabulary_size(ur_run_vocabulary(run)) - 1);
    ur_prediction_free(context, &one);
    static const char *const few[] = {"bottles of beer on the", "of beer on", ""};
    assert_int_equal(ur_run_predict(run, 3, few, NULL, p, &bad, &err), UR_BAD_FILE);
    assert_int_equal(bad, 1);
    assert_string_equal(err.text, "the text has 3 words, but the model predicts from the 5 before");
    ur_run_free(run);
    ur_context_free(context);
}

static ur_status predict(const ur_allocator *a, ur_err *err, void *arg)
{
    (void)arg;
    const ur_options options = {.allocator = a, .threads = 1};
    static const char *const texts[] = {"bottles of beer on the", "two bottles of beer on the"};
    ur_context *context;
    ur_run *run = NULL;
    const ur_search_options best = {.n_best = 2};
    ur_prediction p[2];
    ur_status status = ur_context_new(&options, &context, err);
    if (status == UR_OK)
        status = ur_run_open(context, "run", &run, err);
    if (status == UR_OK)
        status = ur_run_predict(run, 2, texts, &best, p, NULL, err);
    for (size_t i = 0; status == UR_OK && i < 2; i++)
        ur_prediction_free(context, &p[i]);
    ur_run_free(run);
    ur_context_free(context);
    return status;
}

static void memory_may_fail(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    ur_run_free(trained_run(context));
    ur_context_free(context);
    assert_true(failing_alloc_sweep(predict, NULL) > 40);
}

/* ---- what cannot be ------------------------------------------------------------------------- */

static void refused(ur_context *context, const ur_run_settings *s, const ur_text_lstm_config *c,
                    ur_status status, const char *part)
{
    ur_run *run;
    ur_err err;
    assert_int_equal(ur_run_create(context, "bad", s, "text_lstm", c, &run, &err), status);
    if (!strstr(err.text, part))
        fail_msg("\"%s\" lacks \"%s\"", err.text, part);
    assert_false(is_file("bad", "config.json"));
}

static void bad_texts(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    ur_text_lstm_config c = config_of(0);
    write_text("text", 20);
    ur_run_settings s = settings_of("text");
    c.text.max_tokens = 5;
    refused(context, &s, &c, UR_INVALID, "the text has 5 words, but a context of 5");
    c = config_of(1);
    c.text.valid_split = 0.02; /* 4 words */
    refused(context, &s, &c, UR_INVALID, "the text has 4 words");
    c.text.valid_split = 0.0;
    c.most_state_bytes = 1000;
    refused(context, &s, &c, UR_INVALID, "raise that limit");
    s.data = "missing";
    refused(context, &s, &c, UR_BAD_FILE, "missing");
    FILE *f = fopen("same", "w");
    assert_non_null(f);
    for (int i = 0; i < 40; i++)
        fputs("x ", f);
    assert_int_equal(fclose(f), 0);
    s.data = "same";
    c = config_of(0);
    c.text.options.line_ends = false;
    refused(context, &s, &c, UR_INVALID, "one and the same word 40 times");
    ur_context_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(interrupted_at_ten_points, run_folder_enter,
                                        test_folder_leave),
        cmocka_unit_test_setup_teardown(states_matter, run_folder_enter, test_folder_leave),
        cmocka_unit_test_setup_teardown(same_on_every_machine, run_folder_enter, test_folder_leave),
        cmocka_unit_test_setup_teardown(figures, run_folder_enter, test_folder_leave),
        cmocka_unit_test_setup_teardown(predictions, run_folder_enter, test_folder_leave),
        cmocka_unit_test_setup_teardown(memory_may_fail, run_folder_enter, test_folder_leave),
        cmocka_unit_test_setup_teardown(bad_texts, run_folder_enter, test_folder_leave)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
