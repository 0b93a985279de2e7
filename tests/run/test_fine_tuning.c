/* test_fine_tuning.c - runs that start with a published BERT, in C: what comes along, what answers say, a folder
 * opened as it is, and each allocation failing in turn. */
#include "run/runs.h"

#include "support/failing_alloc.h"
#include "unroll/bert_heads.h"

#include <sys/resource.h>

static const char *bert_folder(void)
{
    static char path[1024];
    const char *root = getenv("UNROLL_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/tests/golden/bert_tiny", root ? root : ".");
    return path;
}

static ur_run_settings settings_of(const char *kind, const char *data)
{
    ur_run_settings s = ur_run_defaults(ur_kind_find(NULL, kind));
    s.data = data;
    s.init_from = bert_folder();
    s.train.epochs = 1;
    s.overwrite = true;
    return s;
}

static void make_data(void)
{
    put_file("pairs.txt", "yes\tthe cat\ta cat\nno\thello\tworld\n");
    put_file("words.txt", "the O\ncat B\n\nhello O\nworld B\n");
    put_file("qa.json", "{\"data\":[{\"paragraphs\":[{\"context\":\"the cat "
                        "sat\",\"qas\":[{\"id\":\"a\",\"question\":"
                        "\"cat\",\"answers\":[{\"text\":\"cat\",\"answer_start\":4}]}]}]}]}");
}

/* What no option says is the published one's, the rest stays as it was asked for. */
static void comes_along(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    ur_bert_labels_config config = ur_bert_labels_defaults();
    const ur_run_settings s = settings_of("bert_classifier", "pairs.txt");
    ur_run *run;
    ur_err err;
    make_data();
    config.text.pairs = true;
    config.bert.dropout = 0.25f;
    if (ur_run_create(context, "run", &s, "bert_classifier", &config, &run, &err) != UR_OK)
        fail_msg("%s", err.text);
    const ur_bert_labels_config *c = ur_bert_labels_config_of(ur_run_model(run));
    assert_int_equal(c->bert.vocabulary, 145);
    assert_int_equal(c->bert.hidden_size, 8);
    assert_int_equal(c->bert.positions, 16);
    assert_true(c->bert.dropout == 0.25f);
    assert_int_equal(c->labels, 2);
    assert_string_equal(c->text.special[UR_CLS], "[CLS]");
    ur_run_free(run);
    const ur_run_settings alone = {.data = "pairs.txt", .train = ur_train_defaults()};
    assert_int_equal(ur_run_create(context, "none", &alone, "bert_classifier", &config, &run, &err),
                     UR_INVALID);
    assert_non_null(strstr(err.text, "init_from"));
    ur_context_free(context);
}

/* Create; but of a tagger also a step, save, open, answer, measure. */
static ur_status use(const ur_allocator *a, ur_err *err, void *arg)
{
    const char *kind = arg;
    const bool words = strcmp(kind, "bert_tagger") == 0, asks = strcmp(kind, "bert_qa") == 0;
    const ur_options options = {.allocator = a, .threads = 1};
    const char *data = words ? "words.txt" : asks ? "qa.json" : "pairs.txt";
    const ur_run_settings s = settings_of(kind, data);
    ur_bert_labels_config config = ur_bert_labels_defaults();
    const ur_bert_qa_config qa = ur_bert_qa_defaults();
    const void *own = asks ? (const void *)&qa : &config;
    ur_context *context;
    ur_run *run = NULL;
    ur_prediction answer = {.text = NULL};
    config.text.pairs = !words;
    assert_int_equal(system("rm -rf failing"), 0); /* a training that failed would be another's */
    ur_status status = ur_context_new(&options, &context, err);
    if (status != UR_OK)
        return status;
    status = ur_run_create(context, "failing", &s, kind, own, &run, err);
    if (words || status != UR_OK) { /* making one is enough: the rest is as the classifier's */
        ur_run_free(run);
        ur_context_free(context);
        return status;
    }
    status = ur_run_train(run, NULL, err);
    ur_run_free(run);
    run = NULL;
    if (status == UR_OK)
        status = ur_run_open(context, "failing", &run, err);
    const char *text = "the cat\ta cat";
    if (status == UR_OK)
        status = ur_run_predict(run, 1, &text, NULL, &answer, NULL, err);
    ur_prediction_free(context, &answer);
    const ur_pair_source source = {.data = data};
    ur_measure measure;
    if (status == UR_OK)
        status = ur_run_evaluate(run, &source, &measure, NULL, err);
    ur_run_free(run);
    ur_context_free(context);
    return status;
}

static void memory(void **state)
{
    (void)state;
    char classifier[] = "bert_classifier", tagger[] = "bert_tagger", asks[] = "bert_qa";
    make_data();
    assert_true(failing_alloc_sweep(use, classifier) > 100);
    assert_true(failing_alloc_sweep(use, tagger) > 100);
    assert_true(failing_alloc_sweep(use, asks) > 100);
}

/* The kind of a verb is chosen by what lies at a path; where that cannot be looked at, it is not nothing. */
static void chosen_by_a_path(void **state)
{
    (void)state;
    const ur_kind *kind;
    ur_err err;
    struct rlimit files, none;
    assert_int_equal(ur_kind_starting("classifier", bert_folder(), &kind, &err), UR_OK);
    assert_non_null(kind);
    assert_string_equal(kind->name, "bert_classifier");
    assert_int_equal(ur_kind_starting("classifier", "nowhere", &kind, &err), UR_OK);
    assert_null(kind);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    none = files;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    const ur_status status = ur_kind_starting("classifier", bert_folder(), &kind, &err);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    assert_int_equal(status, UR_IO);
    assert_null(kind);
    assert_non_null(strstr(err.text, "config.json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(comes_along, run_folder_enter, test_folder_leave),
        cmocka_unit_test_setup_teardown(chosen_by_a_path, run_folder_enter, test_folder_leave),
        cmocka_unit_test_setup_teardown(memory, run_folder_enter, test_folder_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
