/* test_memory.c - creating, training, opening, resuming and asking a run, with each allocation
 * failing in turn: nothing leaks, the sentence says so, and what is on disk stays whole. */
#include "run/runs.h"

#include "support/failing_alloc.h"

static const char *const questions[] = {"1+1", "20+3", "4+5"};

/* One example, one step: few allocations, so that every one of them can fail in turn. */
static ur_run_settings smallest(void)
{
    ur_run_settings s = {.data = "pairs.txt", .valid = "pairs.txt", .train = ur_train_defaults()};
    s.train.batch = 3;
    s.train.epochs = 1;
    return s;
}

static ur_seq2seq_config smallest_config(void)
{
    ur_seq2seq_config c = ur_seq2seq_defaults();
    c.embed_size = 2;
    c.hidden_size = 3;
    return c;
}

static void remove_run(void)
{
    assert_int_equal(system("rm -rf run"), 0);
}

static void make_pairs(void)
{
    put_file("pairs.txt", "1+1_2\n20+3_23\n4+5_9\n");
}

static ur_status create(const ur_allocator *a, ur_err *err, void *arg)
{
    const ur_options options = {.allocator = a, .threads = *(const int *)arg};
    const ur_run_settings settings = smallest();
    const ur_seq2seq_config config = smallest_config();
    ur_context *context;
    ur_run *run = NULL;
    remove_run();
    ur_status status = ur_context_new(&options, &context, err);
    if (status != UR_OK)
        return status;
    status = ur_run_create(context, "run", &settings, "seq2seq", &config, &run, err);
    ur_run_free(run);
    ur_context_free(context);
    return status;
}

static void creating(void **state)
{
    (void)state;
    int threads = 1;
    make_pairs();
    assert_true(failing_alloc_sweep(create, &threads) > 50);
}

/* Trains a run that was made without failures. */
static ur_status train(const ur_allocator *a, ur_err *err, void *arg)
{
    const ur_options options = {.allocator = a, .threads = *(const int *)arg};
    ur_context *good = context_of(NULL, 1, NULL), *context;
    const ur_run_settings settings = smallest();
    const ur_seq2seq_config config = smallest_config();
    ur_run *run = NULL;
    remove_run();
    ur_run_free(run_created(good, "run", &settings, &config));
    ur_status status = ur_context_new(&options, &context, err);
    if (status == UR_OK) {
        status = ur_run_resume(context, "run", 0, 0, &run, err);
        if (status == UR_OK)
            status = ur_run_train(run, NULL, err);
        ur_run_free(run);
        ur_context_free(context);
    }
    run = run_resumed(good, "run", 0, 0); /* the folder is whole, whatever failed */
    run_trained(run);
    ur_run_free(run);
    ur_run_free(run_opened(good, "run"));
    ur_context_free(good);
    return status;
}

static void resuming_and_training(void **state)
{
    (void)state;
    int threads = 1;
    make_pairs();
    assert_true(failing_alloc_sweep(train, &threads) > 100);
}

static ur_status ask(ur_run *run, size_t count, ur_prediction *answers, ur_err *err)
{
    const ur_status status = ur_run_predict(run, count, questions, NULL, answers, NULL, err);
    for (size_t i = 0; i < count; i++) /* after a failure there is nothing to release */
        if (status == UR_OK)
            ur_prediction_free(ur_run_assets(run)->context, &answers[i]);
        else
            assert_null(answers[i].memory);
    return status;
}

static ur_status use(const ur_allocator *a, ur_err *err, void *arg)
{
    const ur_options options = {.allocator = a, .threads = 1};
    const ur_pair_source source = {.data = "pairs.txt"};
    ur_context *context;
    ur_run *run = NULL;
    ur_prediction answers[3];
    ur_measure m;
    ur_metrics *metrics = NULL;
    size_t n;
    ur_status status = ur_context_new(&options, &context, err);
    if (status != UR_OK)
        return status;
    status = ur_run_open(context, arg, &run, err);
    if (status == UR_OK)
        status = ask(run, 3, answers, err);
    if (status == UR_OK)
        status = ask(run, 1, answers, err);
    if (status == UR_OK)
        status = ur_run_evaluate(run, &source, &m, NULL, err);
    if (status == UR_OK)
        status = ur_metrics_load(context, "run", &metrics, &n, NULL, err);
    if (status == UR_OK)
        ur_metrics_free(context, metrics);
    ur_run_free(run);
    ur_context_free(context);
    return status;
}

static void opening_and_asking(void **state)
{
    (void)state;
    char folder[] = "run", file[] = "run/model.safetensors";
    ur_context *good = context_of(NULL, 1, NULL);
    const ur_run_settings settings = smallest();
    const ur_seq2seq_config config = smallest_config();
    make_pairs();
    ur_run *run = run_created(good, "run", &settings, &config);
    run_trained(run);
    ur_run_free(run);
    ur_context_free(good);
    assert_true(failing_alloc_sweep(use, folder) > 100);
    assert_true(failing_alloc_sweep(use, file) > 100);
}

/* Steps of a whole model take no memory once they have run twice. */
static void steady_training(void **state)
{
    (void)state;
    failing_alloc count;
    failing_alloc_init(&count, 0, false);
    ur_context *context = context_of(NULL, 1, &count.hooks);
    const ur_run_settings settings = tiny_settings();
    const ur_seq2seq_config config = tiny_config();
    ur_run *run = run_created(context, "run", &settings, &config);
    ur_train_options o = ur_train_defaults();
    o.batch = 50; /* shards of 25 each */
    ur_trainer *t;
    ur_step s;
    assert_int_equal(
        ur_trainer_new(context, ur_run_model(run), ur_run_train_data(run), &o, &t, NULL), UR_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(ur_trainer_step(t, &s, NULL), UR_OK);
    const size_t calls = count.calls;
    for (int i = 0; i < 20; i++)
        assert_int_equal(ur_trainer_step(t, &s, NULL), UR_OK);
    assert_int_equal(count.calls, calls);
    ur_trainer_free(t);
    ur_run_free(run);
    ur_context_free(context);
    assert_int_equal(count.outstanding, 0);
}

int main(void)
{
#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, run_folder_enter, test_folder_leave)
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(creating),
        IN_A_FOLDER(resuming_and_training),
        IN_A_FOLDER(opening_and_asking),
        IN_A_FOLDER(steady_training),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
