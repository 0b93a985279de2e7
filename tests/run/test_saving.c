/* test_saving.c - when a run saves, which weights are the best, and what a crash between two saves
 * leaves. Time is the test's own: every epoch takes as long as the test says. */
#include "run/runs.h"
#include "support/slow.h"

#include <math.h>
#include <unroll/io.h>
#include <unroll/language.h>

static ur_context *context;

static int enter(void **state)
{
    context = context_of(NULL, 1, NULL);
    return run_folder_enter(state);
}

static int leave(void **state)
{
    ur_context_free(context);
    return test_folder_leave(state);
}

/* A training that is watched: its epochs take `seconds` of its clock, each step `step_seconds` after it was
 * measured, and every look at the clock `tick`. */
typedef struct watched {
    double now, seconds, step_seconds, tick;
    size_t steps, stop_after; /* 0: do not stop */
    char saved[400];  /* steps of the newest checkpoint as each epoch ended, before it was saved */
    size_t copy_at;   /* the epoch after which the folder is copied to "crashed"; 0: none */
    size_t validated; /* epochs */
} watched;

static double clock_of(void *user)
{
    watched *w = user;
    return w->now += w->tick;
}

static void epoch_ended(void *user, const ur_metrics *m)
{
    watched *w = user;
    for (size_t step = m->step; step + 1 > 0; step--) {
        char name[64];
        snprintf(name, sizeof name, "checkpoints/%zu.safetensors", step);
        if (!is_file("run", name))
            continue;
        snprintf(w->saved + strlen(w->saved), sizeof w->saved - strlen(w->saved), " %zu", step);
        break;
    }
    w->now += w->seconds;
    w->validated += m->has_valid;
    assert_true(m->has_valid == !isnan(m->valid_loss));
    if (w->copy_at == m->epoch)
        assert_int_equal(system("cp -r run crashed"), 0);
}

static void step_ended(void *user, const ur_step *step, double speed, double left)
{
    watched *w = user;
    (void)step;
    (void)speed;
    (void)left;
    w->now += w->step_seconds;
    w->steps++;
}

static bool stops(void *user)
{
    const watched *w = user;
    return w->stop_after && w->steps >= w->stop_after;
}

static void train_watched(watched *w, const ur_run_settings *settings)
{
    const ur_seq2seq_config config = tiny_config();
    const ur_run_hooks hooks = {.user = w,
                                .on_step = step_ended,
                                .on_evaluation = epoch_ended,
                                .should_stop = stops,
                                .clock = clock_of};
    ur_err err;
    ur_run *run = run_created(context, "run", settings, &config);
    const ur_status status = ur_run_train(run, &hooks, &err);
    if (status != (w->stop_after ? UR_INTERRUPTED : UR_OK))
        fail_msg("%s", err.text);
    ur_run_free(run);
}

/* 4 steps an epoch; the checkpoint of step 0 is made with the run. */
static void by_time(void **state)
{
    (void)state;
    ur_run_settings s = tiny_settings();
    watched w = {.seconds = 2.0};
    s.train.epochs = 8;
    train_watched(&w, &s);
    assert_string_equal(w.saved, " 0 4 4 4 16 16 16 28");
    assert_true(is_file("run", "checkpoints/32.safetensors")); /* the end */
}

/* A long epoch is saved every minute, unless the settings say when: 35, 70 and 105 seconds are steps 1 to 3. */
static void within_an_epoch(void **state)
{
    (void)state;
    ur_run_settings s = tiny_settings();
    watched w = {.step_seconds = 35.0};
    s.train.epochs = 1;
    train_watched(&w, &s);
    assert_string_equal(w.saved, " 2");
    assert_int_equal(system("rm -r run"), 0);
    w = (watched){.step_seconds = 35.0};
    s.save_every = 1;
    train_watched(&w, &s);
    assert_string_equal(w.saved, " 0");
}

static void trains_six_steps(ur_run *run)
{
    assert_int_equal(ur_run_settings_of(run)->train.steps, 6);
    assert_int_equal(ur_run_settings_of(run)->train.epochs, 2);
    ur_run_free(run);
    assert_true(is_file("run", "checkpoints/6.safetensors"));
    assert_false(is_file("run", "checkpoints/8.safetensors"));
}

/* A step takes 10 seconds: after a tenth of a minute it is fixed that a minute has six steps. A resumed
 * training ends there, too. */
static void by_minutes(void **state)
{
    (void)state;
    ur_run_settings s = tiny_settings();
    watched w = {.tick = 10.0};
    s.minutes = 1.0;
    train_watched(&w, &s);
    trains_six_steps(run_opened(context, "run"));
    assert_int_equal(system("rm -r run"), 0);
    w = (watched){.tick = 10.0, .stop_after = 2};
    train_watched(&w, &s);
    assert_true(is_file("run", "checkpoints/2.safetensors"));
    assert_false(is_file("run", "checkpoints/3.safetensors"));
    ur_run *run = run_resumed(context, "run", 0, UR_NO_LIMIT);
    run_trained(run);
    trains_six_steps(run);
}

static void by_epochs(void **state)
{
    (void)state;
    ur_run_settings s = tiny_settings();
    watched w = {.seconds = 100.0};
    s.train.epochs = 8;
    s.save_every = 3;
    train_watched(&w, &s);
    assert_string_equal(w.saved, " 0 0 0 12 12 12 24 24");
    assert_true(is_file("run", "checkpoints/32.safetensors"));
}

static void validated_now_and_then(void **state)
{
    (void)state;
    ur_run_settings s = tiny_settings();
    watched w = {.seconds = 1.0};
    s.train.epochs = 8;
    s.eval_every = 3;
    train_watched(&w, &s);
    assert_int_equal(w.validated, 3); /* epochs 3, 6 and the last */
    ur_metrics *m;
    size_t n;
    assert_int_equal(ur_metrics_load(context, "run", &m, &n, NULL, NULL), UR_OK);
    assert_int_equal(n, 8);
    for (size_t i = 0; i < n; i++)
        assert_true(isnan(m[i].valid_loss) == (i != 2 && i != 5 && i != 7));
    ur_metrics_free(context, m);
}

/* Lines of epochs that no checkpoint has are cut off, half a line too, and come again. */
static void a_crash(void **state)
{
    (void)state;
    ur_run_settings s = tiny_settings();
    watched w = {.seconds = 0.5, .copy_at = 4};
    s.train.epochs = 6;
    train_watched(&w, &s);
    ur_metrics *m;
    size_t n;
    assert_int_equal(ur_metrics_load(context, "crashed", &m, &n, NULL, NULL), UR_OK);
    assert_int_equal(n, 4);
    ur_metrics_free(context, m);
    assert_int_equal(system("printf '{\"epoch\":5,\"step\":2' >>crashed/metrics.jsonl"), 0);
    ur_run *run = run_resumed(context, "crashed", 0, 0);
    size_t size;
    char *log = file_of("crashed", "train.log", &size);
    assert_non_null(strstr(log, "epoch 1  step 4  "));
    assert_null(strstr(log, "epoch 2  "));
    free(log);
    assert_int_equal(ur_metrics_load(context, "crashed", &m, &n, NULL, NULL), UR_OK);
    assert_int_equal(n, 1);
    ur_metrics_free(context, m);
    run_trained(run);
    ur_run_free(run);
    same_metrics(context, "run", "crashed");
    same_files("run", "crashed", "model.safetensors");
    same_files("run", "crashed", "best.safetensors");
}

/* Validation data that contradicts the training data: the first epochs are the best. */
static ur_run_settings contradiction(void)
{
    put_file("train.txt", "aa\tb\nab\tb\nba\tb\nbb\tb\n");
    put_file("valid.txt", "aa\ta\nbb\ta\n");
    ur_run_settings s = {.data = "train.txt", .valid = "valid.txt", .train = ur_train_defaults()};
    s.train.batch = 2;
    s.train.epochs = 12;
    s.train.lr = 1e-2;
    return s;
}

/* Of the output layer's bias, which every step moves. */
static float a_weight(const ur_run *run)
{
    const ur_params *params = ur_run_model(run)->params;
    return ur_param_data(params, (int)ur_params_count(params) - 1)[0];
}

static void best_and_last(void **state)
{
    (void)state;
    const ur_run_settings s = contradiction();
    watched w = {.seconds = 1.0};
    train_watched(&w, &s);
    ur_metrics *m;
    size_t n, best = 0, epoch;
    assert_int_equal(ur_metrics_load(context, "run", &m, &n, NULL, NULL), UR_OK);
    for (size_t i = 0; i < n; i++)
        best = m[i].valid_loss < m[best].valid_loss ? i : best;
    assert_true(best + 1 < n);
    ur_run *run = run_opened(context, "run"), *last, *file;
    assert_true(ur_run_has_best(run, &epoch));
    assert_int_equal(epoch, best + 1);
    const ur_pair_source valid = {.data = "valid.txt"};
    ur_measure measure;
    assert_int_equal(ur_run_evaluate(run, &valid, &measure, NULL, NULL), UR_OK);
    assert_true(ur_measure_figure(ur_run_kind(run), &measure, "loss") == m[best].valid_loss);
    assert_int_equal(ur_run_open_last(context, "run", &last, NULL), UR_OK);
    assert_false(ur_run_has_best(last, &epoch));
    assert_int_equal(epoch, n);
    assert_int_equal(ur_run_evaluate(last, &valid, &measure, NULL, NULL), UR_OK);
    assert_true(ur_measure_figure(ur_run_kind(run), &measure, "loss") == m[n - 1].valid_loss);
    file = run_opened(context, "run/best.safetensors");
    assert_true(a_weight(file) == a_weight(run) && a_weight(last) != a_weight(run));
    ur_run_free(run);
    ur_run_free(last);
    ur_run_free(file);
    ur_metrics_free(context, m);
}

/* Another learning rate holds from the checkpoint on, also when the resume that was given it ended
 * before it had a checkpoint of its own. */
static void another_rate(void **state)
{
    (void)state;
    static const double rates[] = {1e-4, 0.02}; /* below and above the run's */
    ur_run_settings s = tiny_settings();
    watched w = {.seconds = 1.0};
    s.train.epochs = 2;
    train_watched(&w, &s);
    for (size_t i = 0; i < 2; i++) {
        const ur_resume_options o = {.epochs = 4, .lr = rates[i]};
        ur_run *run;
        ur_err err;
        assert_int_equal(system("rm -rf once twice && cp -r run once && cp -r run twice"), 0);
        if (ur_run_resume_as(context, "once", &o, &run, &err) != UR_OK)
            fail_msg("%s", err.text);
        run_trained(run);
        ur_run_free(run);
        assert_int_equal(ur_run_resume_as(context, "twice", &o, &run, &err), UR_OK);
        ur_run_free(run);
        run = run_resumed(context, "twice", 0, 0);
        run_trained(run);
        ur_run_free(run);
        same_metrics(context, "once", "twice");
        same_files("once", "twice", "model.safetensors");
    }
}

/* With early stopping both files are the best model's. */
static void early_stopping(void **state)
{
    (void)state;
    ur_run_settings s = contradiction();
    watched w = {.seconds = 1.0};
    s.train.early_stop = 2;
    train_watched(&w, &s);
    assert_true(w.validated < s.train.epochs);
    assert_int_equal(system("cmp -s run/model.safetensors run/best.safetensors"), 0);
}

/* ---- what is refused ----------------------------------------------------------------------- */

static void refused(ur_status status, const ur_err *err, const char *says)
{
    if (status != UR_BAD_FILE || !strstr(err->text, says))
        fail_msg("\"%s\"; expected was \"%s\"", err->text, says);
}

static void overwrite_end(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, -(long)size, SEEK_END), 0);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void weights_that_are_not_finite(void **state)
{
    (void)state;
    const ur_run_settings s = tiny_settings();
    watched w = {.seconds = 1.0};
    const float nan = NAN;
    ur_run *run;
    ur_err err;
    train_watched(&w, &s);
    overwrite_end("run/model.safetensors", &nan, sizeof nan);
    refused(ur_run_open(context, "run", &run, &err), &err, "has a weight that is not finite");
    refused(ur_run_open(context, "run/model.safetensors", &run, &err), &err, "decoder.fc.bias");
}

static void a_damaged_checkpoint(void **state)
{
    (void)state;
    const ur_run_settings s = tiny_settings();
    watched w = {.seconds = 9.0};
    ur_run *run;
    ur_err err;
    train_watched(&w, &s); /* checkpoints 4 and 8 */
    assert_int_equal(truncate("run/checkpoints/8.safetensors", 2000), 0);
    refused(ur_run_resume(context, "run", 0, 0, &run, &err), &err,
            "the one before, run/checkpoints/4.safetensors, is whole");
    assert_int_equal(unlink("run/checkpoints/8.safetensors"), 0);
    run = run_resumed(context, "run", 0, 0);
    run_trained(run);
    ur_run_free(run);
    assert_true(is_file("run", "checkpoints/8.safetensors"));
    assert_int_equal(truncate("run/checkpoints/8.safetensors", 2000), 0);
    assert_int_equal(truncate("run/checkpoints/4.safetensors", 2000), 0);
    assert_int_equal(ur_run_resume(context, "run", 0, 0, &run, &err), UR_BAD_FILE);
    assert_null(strstr(err.text, "is whole"));
}

/* Sorted, or with other line ends: every id would mean something else. */
static void an_edited_vocabulary(void **state)
{
    (void)state;
    const ur_run_settings s = tiny_settings();
    watched w = {.seconds = 1.0};
    ur_run *run;
    ur_err err;
    train_watched(&w, &s);
    assert_int_equal(system("sort -r run/vocab.txt >sorted && mv sorted run/vocab.txt"), 0);
    refused(ur_run_open(context, "run", &run, &err), &err, "run/vocab.txt was changed: line 1 ");
    refused(ur_run_resume(context, "run", 3, 0, &run, &err), &err, "run/vocab.txt was changed");
    run = run_opened(context, "run/model.safetensors");
    ur_run_free(run);
}

/* An allocator that has little to give. */
static void *little(void *user, size_t bytes)
{
    *(size_t *)user += bytes > (size_t)4 << 20;
    return bytes > (size_t)4 << 20 ? NULL : malloc(bytes);
}

static void give_back(void *user, void *memory)
{
    (void)user;
    free(memory);
}

/* A configuration that tells of a large model beside weights of a small one: nothing is allocated for it. */
static void a_model_larger_than_its_file(void **state)
{
    (void)state;
    const ur_run_settings s = tiny_settings();
    size_t refusals = 0;
    const ur_allocator hooks = {little, give_back, &refusals};
    watched w = {.seconds = 1.0};
    ur_context *small = context_of(NULL, 1, &hooks);
    ur_run *run;
    ur_err err;
    train_watched(&w, &s);
    assert_int_equal(
        system("sed -i 's/\"hidden_size\": 16/\"hidden_size\": 16384/' run/config.json"), 0);
    refused(ur_run_open(small, "run", &run, &err), &err,
            "run/model.safetensors does not fit the model");
    refused(ur_run_resume(small, "run", 5, 0, &run, &err), &err, "does not fit the model");
    assert_int_equal(refusals, 0);
    ur_context_free(small);
}

/* ---- several trainings of one folder ------------------------------------------------------- */

/* The second is refused, whichever way it comes, until the first has ended. */
static void one_training_at_a_time(void **state)
{
    (void)state;
    ur_run_settings s = tiny_settings();
    const ur_seq2seq_config config = tiny_config();
    ur_run *run = run_created(context, "run", &s, &config), *second;
    char held[64];
    ur_err err;
    snprintf(held, sizeof held, "run/lock is held by process %ld on ", (long)getpid());
    s.overwrite = true;
    assert_int_equal(ur_run_create(context, "run", &s, "seq2seq", &config, &second, &err),
                     UR_INVALID);
    assert_ptr_equal(strstr(err.text, held), err.text);
    assert_int_equal(ur_run_resume(context, "run", 0, 0, &second, &err), UR_INVALID);
    assert_ptr_equal(strstr(err.text, held), err.text);
    run_trained(run);
    ur_run_free(run);
    run = run_opened(context, "run"); /* whoever uses a model holds nothing */
    second = run_resumed(context, "run", 3, 0);
    ur_run_free(second);
    ur_run_free(run);
}

/* Where no lock tells it: what another training saved meanwhile stays. */
static void newer_weights_stay(void **state)
{
    (void)state;
    const ur_run_settings s = tiny_settings();
    const ur_seq2seq_config config = tiny_config();
    ur_run *run = run_created(context, "run", &s, &config);
    ur_err err;
    assert_int_equal(system("cp run/checkpoints/0.safetensors run/checkpoints/99.safetensors"), 0);
    assert_int_equal(ur_run_train(run, NULL, &err), UR_INVALID);
    assert_string_equal(err.text,
                        "run: another training saved step 99 there, this one is at step 4: "
                        "nothing is written");
    ur_run_free(run);
    assert_false(is_file("run", "model.safetensors"));
    assert_true(is_file("run", "checkpoints/0.safetensors"));
}

static void make_file(const char *path)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
}

/* Temporary files of processes that were killed go, those of others stay; so do checkpoints of a run that
 * is no run any more. */
static void leftovers(void **state)
{
    (void)state;
    const ur_run_settings s = tiny_settings();
    const ur_seq2seq_config config = tiny_config();
    char own[64], alive[64];
    snprintf(own, sizeof own, ".unroll-%ld-0.tmp", (long)getpid());
    snprintf(alive, sizeof alive, ".unroll-%ld-0.tmp", (long)getppid());
    assert_int_equal(system("mkdir -p run/checkpoints"), 0);
    assert_int_equal(chdir("run"), 0);
    make_file(own);
    make_file(alive);
    make_file(".unroll-2147483646-7.tmp");
    make_file(".unroll-2147483646-7.tmp.kept");
    make_file("checkpoints/.unroll-2147483646-0.tmp");
    make_file("checkpoints/88.safetensors");
    assert_int_equal(chdir(".."), 0);
    ur_run_free(run_created(context, "run", &s, &config));
    assert_false(is_file("run", own));
    assert_true(is_file("run", alive));
    assert_false(is_file("run", ".unroll-2147483646-7.tmp"));
    assert_true(is_file("run", ".unroll-2147483646-7.tmp.kept"));
    assert_false(is_file("run", "checkpoints/.unroll-2147483646-0.tmp"));
    assert_false(is_file("run", "checkpoints/88.safetensors"));
    assert_true(is_file("run", "checkpoints/0.safetensors"));
}

/* A vocabulary that files of weights cannot hold is refused before the training, not after it. */
static void a_vocabulary_larger_than_a_file(void **state)
{
    (void)state;
    enum { LONG = 4000, WORDS = 4200 }; /* a byte of these words takes six of the file */
    if (hurry())
        return;
    FILE *f = fopen("text", "w");
    char word[LONG + 1];
    assert_non_null(f);
    memset(word, 1, LONG);
    word[LONG] = 0;
    for (int i = 0; i < WORDS; i++)
        fprintf(f, "%s%d\n", word, i);
    assert_int_equal(fclose(f), 0);
    ur_language_model_config c = ur_language_model_defaults();
    c.embed_size = c.hidden_size = 1;
    c.text.options = ur_text_defaults(UR_WORDS, false);
    c.text.min_freq = 1;
    ur_run_settings s = ur_run_defaults(ur_kind_find(context, "language_model"));
    s.data = "text";
    ur_run *run;
    ur_err err;
    assert_int_equal(ur_run_create(context, "run", &s, "language_model", &c, &run, &err),
                     UR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "names and metadata (vocabularies are there)"));
    assert_null(run);
    if (!slow_tests())
        return;
    c.text.max_size = WORDS - 100; /* somewhat less than a hundred million bytes */
    assert_int_equal(ur_run_create(context, "run", &s, "language_model", &c, &run, &err), UR_OK);
    ur_run_free(run);
    run = run_resumed(context, "run", 0, 1);
    run_trained(run);
    ur_run_free(run);
    ur_run_free(run_opened(context, "run"));
}

int main(void)
{
#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter, leave)
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(by_time),
        IN_A_FOLDER(within_an_epoch),
        IN_A_FOLDER(by_minutes),
        IN_A_FOLDER(by_epochs),
        IN_A_FOLDER(validated_now_and_then),
        IN_A_FOLDER(a_crash),
        IN_A_FOLDER(best_and_last),
        IN_A_FOLDER(another_rate),
        IN_A_FOLDER(early_stopping),
        IN_A_FOLDER(weights_that_are_not_finite),
        IN_A_FOLDER(a_damaged_checkpoint),
        IN_A_FOLDER(an_edited_vocabulary),
        IN_A_FOLDER(a_model_larger_than_its_file),
        IN_A_FOLDER(one_training_at_a_time),
        IN_A_FOLDER(newer_weights_stay),
        IN_A_FOLDER(leftovers),
        IN_A_FOLDER(a_vocabulary_larger_than_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
