/* test_pairs.c - run folders: what is in them, opening them whole or by a single file, everything
 * that may be wrong with them, divergence, memory. */
#include "run/runs.h"

#include <math.h>
#include <unistd.h>

#include "support/failing_alloc.h"

static ur_context *context;

static int enter(void **state)
{
    context = context_of(NULL, 2, NULL);
    return run_folder_enter(state);
}

static int leave(void **state)
{
    ur_context_free(context);
    return test_folder_leave(state);
}

static void train_one(const char *folder)
{
    const ur_run_settings settings = tiny_settings();
    const ur_seq2seq_config config = tiny_config();
    ur_run *run = run_created(context, folder, &settings, &config);
    run_trained(run);
    ur_run_free(run);
}

static void refused(ur_status status, ur_status want, const ur_err *err, const char *says)
{
    if (status != want || !strstr(err->text, says))
        fail_msg("%s: \"%s\"; expected was %s with \"%s\"", ur_status_name(status), err->text,
                 ur_status_name(want), says);
}

/* ---- what is in a folder --------------------------------------------------------------------- */

static size_t evaluations;

static void on_evaluation(void *user, const ur_metrics *m)
{
    assert_ptr_equal(user, &evaluations);
    evaluations++;
    assert_int_equal(m->epoch, evaluations);
    assert_int_equal(m->step, 4 * evaluations);
    assert_true(m->has_valid && m->valid_loss > 0.0 && m->train_loss > 0.0);
    assert_true(m->seconds >= m->train_seconds && m->train_seconds > 0.0);
    assert_true(m->sequences_per_second > 0.0);
}

static void a_folder(void **state)
{
    (void)state;
    ur_run_settings settings = tiny_settings();
    const ur_seq2seq_config config = tiny_config();
    const ur_run_hooks hooks = {.user = &evaluations, .on_evaluation = on_evaluation};
    settings.train.epochs = 4;
    evaluations = 0;
    ur_run *run = run_created(context, "run", &settings, &config);
    assert_string_equal(ur_run_folder(run), "run");
    assert_int_equal(ur_pairs_count(ur_run_train_data(run)), 200);
    assert_int_equal(ur_pairs_count(ur_run_valid_data(run)), 40);
    assert_int_equal(ur_run_train(run, &hooks, NULL), UR_OK);
    assert_int_equal(evaluations, 4);
    ur_run_free(run);
    static const char *const names[] = {"config.json",      "vocab.txt",     "model.safetensors",
                                        "best.safetensors", "metrics.jsonl", "train.log"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_true(is_file("run", names[i]));
    assert_int_equal(folder_entries("run/checkpoints"), 2); /* the last two that were saved */
    assert_true(is_file("run", "checkpoints/16.safetensors"));
    assert_true(is_file("run", "checkpoints/4.safetensors"));
    ur_metrics *m;
    size_t n;
    assert_int_equal(ur_metrics_load(context, "run", &m, &n, NULL, NULL), UR_OK);
    assert_int_equal(n, 4);
    assert_true(m[3].train_loss < m[0].train_loss); /* it learns */
    assert_true(m[3].valid_loss < m[0].valid_loss);
    ur_metrics_free(context, m);
    size_t size, lines = 0;
    char *log = file_of("run", "train.log", &size);
    for (size_t i = 0; i < size; i++)
        lines += log[i] == '\n';
    assert_int_equal(lines, 4);
    free(log);
}

/* Without validation data: null in the metrics. */
static void no_validation_data(void **state)
{
    (void)state;
    ur_run_settings settings = tiny_settings();
    const ur_seq2seq_config config = tiny_config();
    put_file("pairs.txt", "1+1_2\n2+2_4\n3+5_8\n");
    settings.data = "pairs.txt";
    ur_run *run = run_created(context, "run", &settings, &config);
    assert_null(ur_run_valid_data(run));
    run_trained(run);
    ur_run_free(run);
    const ur_kind *kind;
    ur_metrics *m;
    size_t n;
    assert_int_equal(ur_metrics_load(context, "run", &m, &n, &kind, NULL), UR_OK);
    assert_int_equal(n, 2);
    assert_string_equal(kind->name, "seq2seq");
    assert_false(m[0].has_valid);
    assert_true(isnan(m[0].valid_loss) && isnan(valid_figure(kind, &m[1], "accuracy")));
    ur_metrics_free(context, m);
    size_t size;
    char *lines = file_of("run", "metrics.jsonl", &size);
    assert_non_null(strstr(lines, "\"valid_accuracy\": null"));
    assert_null(strstr(lines, "perplexity"));
    free(lines);
    settings.valid = "pairs.txt";
    run = run_created(context, "with", &settings, &config);
    assert_int_equal(ur_pairs_count(ur_run_valid_data(run)), 3);
    run_trained(run);
    ur_run_free(run);
}

/* The examples that are shown are those of the validation data, with the right answer beside the
 * model's, which is what it says to the same text. */
static void samples(void **state)
{
    (void)state;
    ur_run_settings settings = tiny_settings();
    const ur_seq2seq_config config = tiny_config();
    settings.train.max_steps = 1;
    ur_run *run = run_created(context, "run", &settings, &config);
    run_trained(run);
    assert_int_equal(ur_run_samples(run), 40);
    for (size_t i = 0; i < 40; i += 13) {
        ur_prediction shown, asked;
        ur_err err;
        if (ur_run_sample(run, i, &shown, &err) != UR_OK)
            fail_msg("%s", err.text);
        assert_int_equal(ur_run_predict(run, 1, &shown.input, NULL, &asked, NULL, &err), UR_OK);
        assert_string_equal(shown.text, asked.text);
        assert_memory_equal(&shown.log_probability, &asked.log_probability, sizeof(double));
        assert_int_equal(strlen(shown.target), 10); /* a date */
        assert_null(asked.target);
        ur_prediction_free(context, &shown);
        ur_prediction_free(context, &asked);
    }
    ur_prediction none;
    ur_err err;
    refused(ur_run_sample(run, 40, &none, &err), UR_INVALID, &err, "40");
    ur_run_free(run);
    run = run_opened(context, "run");
    assert_int_equal(ur_run_samples(run), 0); /* it has no data */
    assert_int_equal(ur_run_sample(run, 0, &none, &err), UR_UNSUPPORTED);
    ur_run_free(run);
}

/* The folder, its model.safetensors and its last checkpoint are one model. */
static void opened_in_three_ways(void **state)
{
    (void)state;
    static const char *const paths[] = {"run", "run/model.safetensors",
                                        "run/checkpoints/8.safetensors"};
    static const char *const questions[] = {"5/17/03", "october 1, 1980"};
    char first[64] = "";
    train_one("run");
    assert_int_equal(rename("run/model.safetensors", "alone"), 0); /* a file may move */
    assert_int_equal(rename("alone", "run/model.safetensors"), 0);
    for (int i = 0; i < 3; i++) {
        ur_run *run = run_opened(context, paths[i]);
        ur_prediction a[2];
        ur_err err;
        if (ur_run_predict(run, 2, questions, NULL, a, NULL, &err) != UR_OK)
            fail_msg("%s", err.text);
        if (i == 0)
            snprintf(first, sizeof first, "%s %.17g", a[1].text, a[1].log_probability);
        char text[64];
        snprintf(text, sizeof text, "%s %.17g", a[1].text, a[1].log_probability);
        assert_string_equal(text, first);
        assert_true(a[0].complete && a[0].n_inputs == 29 && a[0].count == 10);
        assert_string_equal(a[0].input, questions[0]);
        assert_string_equal(a[0].inputs[0], "5");
        assert_non_null(a[0].attention);
        assert_true(!a[0].target && !a[0].labels && !a[0].all && a[0].unknown == 0);
        for (int q = 0; q < 2; q++)
            ur_prediction_free(context, &a[q]);
        assert_int_equal(ur_run_plot_attention(run, questions[0], NULL, "looked.svg", &err), UR_OK);
        assert_true(is_file(".", "looked.svg"));
        assert_true(i == 0 ? ur_run_folder(run) != NULL : ur_run_folder(run) == NULL);
        const ur_seq2seq_config *c = ur_seq2seq_config_of(ur_run_model(run));
        assert_true(c->hidden_size == 16 && c->embed_size == 5 && c->format.reverse_input);
        assert_int_equal(ur_vocabulary_size(ur_run_vocabulary(run)), c->vocabulary);
        assert_non_null(strstr(ur_run_config_text(run), "seq2seq"));
        assert_int_equal(ur_run_train(run, NULL, &err), UR_INVALID);
        ur_run_free(run);
    }
}

static void bad_questions(void **state)
{
    (void)state;
    static const char *const questions[] = {"1/2/03", "\xff", "x"};
    static const char *const strange[] = {"\xc3\xa9/\xc3\xa9", "1/2/03"};
    train_one("run");
    ur_run *run = run_opened(context, "run");
    ur_prediction a[3];
    size_t bad = 99;
    ur_err err;
    refused(ur_run_predict(run, 3, questions, NULL, a, &bad, &err), UR_BAD_FILE, &err,
            "not valid UTF-8");
    assert_int_equal(bad, 1);
    for (int i = 0; i < 3; i++)
        assert_null(a[i].memory);
    assert_int_equal(ur_run_predict(run, 1, questions, NULL, a, NULL, NULL), UR_OK);
    /* unknown characters are counted, and nothing changes for the other texts */
    ur_prediction b[2];
    assert_int_equal(ur_run_predict(run, 2, strange, NULL, b, NULL, NULL), UR_OK);
    assert_int_equal(b[0].unknown, 2);
    assert_int_equal(b[1].unknown, 0);
    assert_string_equal(b[0].inputs[0], "\xEF\xBF\xBD");
    assert_string_equal(b[1].text, a[0].text);
    assert_memory_equal(&b[1].log_probability, &a[0].log_probability, sizeof(double));
    ur_prediction_free(context, &b[0]);
    ur_prediction_free(context, &b[1]);
    assert_int_equal(ur_run_set_reading(run, "read.skip", "true", NULL), UR_OK);
    assert_int_equal(ur_run_predict(run, 2, strange, NULL, b, NULL, NULL), UR_OK);
    assert_true(b[0].left_out && !b[0].text && !b[1].left_out);
    assert_string_equal(b[1].text, a[0].text);
    ur_prediction_free(context, &b[0]);
    ur_prediction_free(context, &b[1]);
    refused(ur_run_set_reading(run, "hidden_size", "3", &err), UR_INVALID, &err,
            "has no hidden_size");
    refused(ur_run_set_reading(run, "read.label_column", "3", &err), UR_INVALID, &err,
            "a seq2seq has no read.label_column");
    assert_int_equal(ur_run_set_reading(run, "read.source_column", "en", NULL), UR_OK);
    assert_int_equal(ur_run_set_reading(run, "read.source_column", "fr", NULL), UR_OK);
    ur_prediction_free(context, &a[0]);
    assert_int_equal(ur_run_predict(run, 0, NULL, NULL, NULL, NULL, NULL), UR_OK);
    ur_run_free(run);
}

/* ---- what may be wrong ----------------------------------------------------------------------- */

static void creation_refused(void **state)
{
    (void)state;
    ur_run *run;
    ur_err err;
    ur_run_settings settings = tiny_settings();
    ur_seq2seq_config config = tiny_config();
    train_one("run");
    refused(ur_run_create(context, "new", &settings, "oracle", &config, &run, &err), UR_INVALID,
            &err, "oracle");
    settings.train.early_stop = 1; /* built-in data brings validation data, a file does not */
    put_file("pairs.txt", "1+1_2\n2+2_4\n");
    settings.data = "pairs.txt";
    refused(ur_run_create(context, "new", &settings, "seq2seq", &config, &run, &err), UR_INVALID,
            &err, "early stopping");
    settings.train.early_stop = 0;
    settings.train.schedule = UR_LR_PLATEAU;
    refused(ur_run_create(context, "new", &settings, "seq2seq", &config, &run, &err), UR_INVALID,
            &err, "plateau");
    settings = tiny_settings();
    refused(ur_run_create(context, "run", &settings, "seq2seq", &config, &run, &err), UR_INVALID,
            &err, "run already holds a run");
    assert_null(run);
    config.peeky = true;
    refused(ur_run_create(context, "new", &settings, "seq2seq", &config, &run, &err), UR_INVALID,
            &err, "peeky");
    config = tiny_config();
    settings.train.lr = 0.0;
    refused(ur_run_create(context, "new", &settings, "seq2seq", &config, &run, &err), UR_INVALID,
            &err, "lr is 0");
    settings = tiny_settings();
    settings.data = "nowhere.txt";
    refused(ur_run_create(context, "new", &settings, "seq2seq", &config, &run, &err), UR_BAD_FILE,
            &err, "nowhere.txt");
    settings = tiny_settings();
    settings.valid = "nowhere.txt";
    refused(ur_run_create(context, "new", &settings, "seq2seq", &config, &run, &err), UR_BAD_FILE,
            &err, "nowhere.txt");
    assert_int_not_equal(access("new", F_OK), 0); /* nothing half-written */
    settings = tiny_settings();
    put_file("file", "");
    refused(ur_run_create(context, "file", &settings, "seq2seq", &config, &run, &err), UR_IO, &err,
            "file");
}

/* Replaces `from` by `to` in a file. */
static void alter(const char *path, const char *from, const char *to)
{
    size_t size;
    char *text = file_of(".", path, &size), *at = strstr(text, from);
    if (!at)
        fail_msg("no %s in %s:\n%s", from, path, text);
    char *fresh = calloc(1, size + strlen(to) + 1);
    memcpy(fresh, text, (size_t)(at - text));
    strcat(fresh, to);
    strcat(fresh, at + strlen(from));
    put_file(path, fresh);
    free(fresh);
    free(text);
}

static void opening_refused(void **state)
{
    (void)state;
    static const struct {
        const char *file, *from, *to, *says;
    } bad[] = {
        {"run/config.json", "\"hidden_size\": 16", "\"hidden_size\": 17", "at fault"},
        {"run/config.json", "\"hidden_size\": 16", "\"hidden_size\": 0", "hidden_size"},
        {"run/config.json", "\"attention\": \"dot\"", "\"attention\": \"none\"",
         "decoder.fc.weight"},
        {"run/config.json", "\"peeky\": false", "\"peeky\": true",
         "run/config.json: seq2seq: peeky"},
        {"run/config.json", "\"vocabulary_size\": ", "\"vocabulary_size\": 1", "vocabulary"},
        {"run/config.json", "\"start\": ", "\"start\": 9", "start"},
        {"run/config.json", "}", "} ]", "run/config.json"},
        {"run/vocab.txt", "\n", "\n\n", "vocab.txt"},
        {"run/vocab.txt", "\n", "\nnew\n", "vocabulary"},
    };
    train_one("run");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ur_run *run;
        ur_err err;
        size_t size;
        char *old = file_of(".", bad[i].file, &size);
        alter(bad[i].file, bad[i].from, bad[i].to);
        refused(ur_run_open(context, "run", &run, &err), UR_BAD_FILE, &err, bad[i].says);
        assert_null(run);
        assert_int_equal(ur_run_open(context, "run", &run, NULL), UR_BAD_FILE);
        put_file(bad[i].file, old);
        free(old);
    }
    ur_run *run;
    ur_err err;
    refused(ur_run_open(context, "nothing", &run, &err), UR_BAD_FILE, &err, "nothing");
    refused(ur_run_open(context, ".", &run, &err), UR_BAD_FILE, &err, "config.json");
    assert_int_equal(truncate("run/model.safetensors", 3000), 0);
    refused(ur_run_open(context, "run", &run, &err), UR_BAD_FILE, &err, "model.safetensors");
    refused(ur_run_open(context, "run/model.safetensors", &run, &err), UR_BAD_FILE, &err,
            "model.safetensors");
    assert_int_equal(unlink("run/model.safetensors"), 0);
    refused(ur_run_open(context, "run", &run, &err), UR_BAD_FILE, &err, "model.safetensors");
}

static void count_fault(void *user, const char *fault)
{
    assert_non_null(strstr(fault, "ill-shaped: "));
    ++*(size_t *)user;
}

/* Each tensor at fault is told of, whether or not the sentence has room for it. */
static void every_fault_is_told(void **state)
{
    (void)state;
    ur_err err;
    size_t faults = 0;
    train_one("run");
    assert_int_equal(ur_run_check(context, "run", count_fault, &faults, &err), UR_OK);
    assert_int_equal(ur_run_check(context, "run/model.safetensors", count_fault, &faults, &err),
                     UR_OK);
    assert_int_equal(ur_run_check(context, "run", NULL, NULL, NULL), UR_OK);
    assert_int_equal(faults, 0);
    alter("run/config.json", "\"embed_size\": 5", "\"embed_size\": 6");
    refused(ur_run_check(context, "run", count_fault, &faults, &err), UR_BAD_FILE, &err,
            "4 tensors at fault");
    assert_int_equal(faults, 4);
    refused(ur_run_check(context, "nothing", count_fault, &faults, &err), UR_BAD_FILE, &err,
            "nothing");
}

/* Plain weights open no model. */
static void weights_alone(void **state)
{
    (void)state;
    train_one("run");
    ur_run *run = run_opened(context, "run");
    assert_int_equal(ur_params_save(ur_run_model(run)->params, "plain.safetensors", NULL), UR_OK);
    ur_run_free(run);
    ur_err err;
    refused(ur_run_open(context, "plain.safetensors", &run, &err), UR_BAD_FILE, &err,
            "no configuration");
}

static void resuming_refused(void **state)
{
    (void)state;
    ur_run *run;
    ur_err err;
    train_one("run");
    size_t size;
    char *config = file_of("run", "config.json", &size);
    static const char *const bad[][3] = {
        {"\"lr\": 0.005", "\"lr\": 0", "\"training.lr\" is 0"},
        {"\"beta1\": 0.9", "\"beta1\": 1", "\"training.beta1\" is 1"},
        {"\"size\": 200", "\"size\": 201", "is not the data"},
        {"\"seed\": 42", "\"seed\": 43", "is not the data"},
        {"builtin:dates", "nowhere.txt", "nowhere.txt"}};
    for (int i = 0; i < 5; i++) {
        alter("run/config.json", bad[i][0], bad[i][1]);
        refused(ur_run_resume(context, "run", 0, 0, &run, &err), UR_BAD_FILE, &err, bad[i][2]);
        assert_null(run);
        put_file("run/config.json", config);
    }
    free(config);
    assert_int_equal(truncate("run/checkpoints/8.safetensors", 100), 0);
    refused(ur_run_resume(context, "run", 0, 0, &run, &err), UR_BAD_FILE, &err, "8.safetensors");
    assert_int_equal(unlink("run/checkpoints/8.safetensors"), 0);
    ur_run_free(run_resumed(context, "run", 0, 0)); /* the one before */
    assert_int_equal(unlink("run/checkpoints/4.safetensors"), 0);
    refused(ur_run_resume(context, "run", 0, 0, &run, &err), UR_BAD_FILE, &err, "no checkpoint");
    refused(ur_run_resume(context, "other", 0, 0, &run, &err), UR_BAD_FILE, &err, "config.json");
}

/* ---- divergence ------------------------------------------------------------------------------ */

static void divergence_keeps_the_last_good_model(void **state)
{
    (void)state;
    put_file("pairs.txt", "1+1_2\n2+2_4\n3+5_8\n");
    for (int batches = 1; batches <= 4; batches++) { /* at an epoch's end, and inside one */
        char folder[16];
        ur_run_settings settings = tiny_settings();
        const ur_seq2seq_config config = tiny_config();
        snprintf(folder, sizeof folder, "run%d", batches);
        settings.train.batch = 200 / (size_t)batches;
        if (batches == 2) { /* no validation that would see it */
            settings.data = "pairs.txt";
            settings.train.batch = 3;
        }
        settings.train.epochs = 40;
        settings.train.optimizer = UR_SGD;
        settings.train.lr = settings.train.weight_decay = 1e5;
        ur_run *run = run_created(context, folder, &settings, &config);
        ur_err err;
        assert_int_equal(ur_run_train(run, NULL, &err), UR_DIVERGED);
        assert_true(strstr(err.text, "coder.") || strstr(err.text, "loss"));
        assert_non_null(strstr(err.text, "step"));
        ur_run_free(run);
        ur_metrics *m;
        size_t n;
        if (is_file(folder, "metrics.jsonl")) { /* what was written can be read */
            assert_int_equal(ur_metrics_load(context, folder, &m, &n, NULL, &err), UR_OK);
            ur_metrics_free(context, m);
        }
        char path[64];
        snprintf(path, sizeof path, "%s/%s", folder,
                 is_file(folder, "model.safetensors") ? "model.safetensors"
                                                      : "checkpoints/0.safetensors");
        run = run_opened(context, path);
        const ur_params *p = ur_run_model(run)->params;
        for (size_t i = 0; i < ur_params_size(p); i++)
            assert_true(isfinite(ur_params_values(ur_run_model(run)->params)[i]));
        ur_run_free(run);
    }
}

int main(void)
{
#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter, leave)
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(a_folder),
        IN_A_FOLDER(no_validation_data),
        IN_A_FOLDER(samples),
        IN_A_FOLDER(opened_in_three_ways),
        IN_A_FOLDER(bad_questions),
        IN_A_FOLDER(creation_refused),
        IN_A_FOLDER(opening_refused),
        IN_A_FOLDER(every_fault_is_told),
        IN_A_FOLDER(weights_alone),
        IN_A_FOLDER(resuming_refused),
        IN_A_FOLDER(divergence_keeps_the_last_good_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
