/* test_labels_refused.c - bad data, bad texts, runs that do not fit, and each allocation failing in
 * turn, for taggers and classifiers. */
#include "support/failing_alloc.h"
#include "run/labelled_runs.h"

static void says(const ur_err *err, const char *part)
{
    if (!strstr(err->text, part))
        fail_msg("\"%s\" says nothing of \"%s\"", err->text, part);
}

/* Creating a run with these files fails so, and leaves no folder. */
static void create_fails(ur_context *context, bool per_sequence, const char *train,
                         const char *valid, const char *part)
{
    const ur_run_settings s = labelled_settings();
    const ur_tagger_config config = labelled_config(per_sequence);
    ur_run *run;
    ur_err err;
    put_file("train.txt", train);
    put_file("valid.txt", valid);
    assert_int_equal(ur_run_create(context, "run", &s, per_sequence ? "classifier" : "tagger",
                                   &config, &run, &err),
                     UR_BAD_FILE);
    assert_null(run);
    says(&err, part);
    assert_false(is_file("run", "config.json"));
}

static void bad_data(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    const char *tags = "a X\nb Y\n\na Y\n", *classes = "X\ta b\nY\tb\n";
    create_fails(context, false, tags, "a X\nb\n", "valid.txt: line 2: one column");
    create_fails(context, false, "", tags, "train.txt");
    create_fails(context, false, "\n\n", tags, "train.txt: an empty file");
    create_fails(context, false, "a X\nb\n", tags, "train.txt: line 2: one column");
    create_fails(context, false, "a X\n\xff X\n", tags, "line 2");
    create_fails(context, true, classes, "X\ta\nZ\n", "valid.txt: line 2: no tab");
    create_fails(context, true, "", classes, "train.txt");
    create_fails(context, true, "X\ta\nno tab\n", classes, "train.txt: line 2: no tab");
    create_fails(context, true, "X\ta\n\tb\n", classes, "line 2: the label is empty");
    create_fails(context, true, "X\ta\nY\t \n", classes, "line 2: the text has no token");
    remove("valid.txt");
    ur_run_settings s = labelled_settings();
    const ur_tagger_config config = labelled_config(true);
    ur_run *run;
    ur_err err;
    put_file("train.txt", classes);
    assert_int_equal(ur_run_create(context, "run", &s, "classifier", &config, &run, &err),
                     UR_BAD_FILE);
    says(&err, "valid.txt");
    ur_context_free(context);
}

static void bad_configuration(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    const ur_run_settings s = labelled_settings();
    ur_tagger_config config = labelled_config(false);
    ur_run *run;
    ur_err err;
    make_files(false);
    config.cell = "elman";
    assert_int_equal(ur_run_create(context, "run", &s, "tagger", &config, &run, &err), UR_INVALID);
    says(&err, "cell is elman");
    config = labelled_config(false);
    config.text.tokenizer = UR_CHARACTERS;
    assert_int_equal(ur_run_create(context, "run", &s, "tagger", &config, &run, &err), UR_INVALID);
    config = labelled_config(true);
    config.text.line_ends = true;
    make_files(true);
    assert_int_equal(ur_run_create(context, "run", &s, "classifier", &config, &run, &err),
                     UR_INVALID);
    ur_context_free(context);
}

/* config.json with one text replaced by another. */
static void edit(const char *name, const char *from, const char *to)
{
    size_t size;
    char *text = file_of("run", name, &size), *at = strstr(text, from);
    char edited[1 << 14], path[64];
    if (!at)
        fail_msg("%s has no %s", name, from);
    snprintf(edited, sizeof edited, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    snprintf(path, sizeof path, "run/%s", name);
    put_file(path, edited);
    free(text);
}

static void open_fails(ur_context *context, const char *name, const char *from, const char *to,
                       const char *part)
{
    ur_run *run;
    ur_err err;
    edit(name, from, to);
    assert_int_equal(ur_run_open(context, "run", &run, &err), UR_BAD_FILE);
    says(&err, part);
    edit(name, to, from);
    ur_run_free(run_opened(context, "run"));
}

static void edited_runs(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    ur_run_settings s = labelled_settings();
    s.train.epochs = 1;
    make_files(true);
    ur_run *run = labelled_created(context, "run", &s, true);
    run_trained(run);
    ur_run_free(run);
    const char *config = "config.json";
    open_fails(context, config, "\"labels\": 3", "\"labels\": 4",
               "\"labels\" is 4, but there are 3");
    open_fails(context, config, "\"gru\"", "\"gnu\"", "\"cell\" is \"gnu\"");
    open_fails(context, config, "\"hidden_size\": 9", "\"hidden_size\": 8", "");
    open_fails(context, config, "\"word-punct\"", "\"sentences\"", "text.tokenizer");
    open_fails(context, config, "\"lower\": false", "\"lower\": 3", "text.lower");
    open_fails(context, config, "\"labels\": 3", "\"label\": 3", "label");
    open_fails(context, config, "\"classifier\"", "\"lstm\"", "\"model\"");
    open_fails(context, "labels.txt", "begins\\swith\\sA\n", "begins\\swith\\sZ\n",
               "run/labels.txt was changed: line ");
    put_file("train.txt", "begins with A\ta\nbegins with B\tb\nbegins with C\tc\n");
    ur_err err;
    assert_int_equal(ur_run_resume(context, "run", 2, 0, &run, &err), UR_BAD_FILE);
    says(&err, "data");
    remove("run/labels.txt");
    assert_int_equal(ur_run_open(context, "run", &run, &err), UR_BAD_FILE);
    says(&err, "labels.txt");
    ur_context_free(context);
}

static void bad_texts(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    for (int kind = 0; kind < 2; kind++) {
        const ur_run_settings s = labelled_settings();
        char folder[16];
        make_files(kind);
        snprintf(folder, sizeof folder, "run%d", kind);
        ur_run *run = labelled_created(context, folder, &s, kind);
        const char *texts[] = {"a", "b\xff", "c"};
        ur_prediction out[3];
        size_t bad = 77;
        ur_err err;
        assert_int_equal(ur_run_predict(run, 3, texts, NULL, out, &bad, &err), UR_BAD_FILE);
        assert_int_equal(bad, 1);
        says(&err, "UTF-8");
        char *word = calloc(1, UR_TOKEN_LONGEST + 2);
        assert_non_null(word);
        memset(word, 'x', UR_TOKEN_LONGEST + 1);
        texts[2] = word;
        texts[1] = "b";
        assert_int_equal(ur_run_predict(run, 3, texts, NULL, out, &bad, &err), UR_BAD_FILE);
        assert_int_equal(bad, 2);
        free(word);
        assert_int_equal(ur_run_predict(run, 0, NULL, NULL, out, NULL, &err), UR_OK);
        const ur_pair_source source = {.data = "nowhere.txt"};
        ur_measure sum;
        ur_writer *writer;
        assert_int_equal(ur_run_evaluate(run, &source, &sum, NULL, &err), UR_BAD_FILE);
        assert_int_equal(ur_run_plot_attention(run, "a", NULL, "never.svg", &err), UR_UNSUPPORTED);
        assert_int_equal(ur_writer_new(run, "a", NULL, &writer, &err), UR_UNSUPPORTED);
        assert_null(writer);
        says(&err, ur_run_kind(run)->name);
        ur_run_free(run);
    }
    put_file("pairs.txt", "1+1_2\n2+2_4\n");
    const ur_run_settings s = {.data = "pairs.txt", .train = ur_train_defaults()};
    const ur_seq2seq_config config = tiny_config();
    ur_run *run = run_created(context, "pairs", &s, &config);
    const ur_pair_source source = {.data = "pairs.txt"};
    size_t counts[1] = {0};
    ur_confusion map = {1, counts, NULL, NULL, NULL};
    ur_measure sum;
    ur_err err;
    assert_int_equal(ur_run_evaluate(run, &source, &sum, &map, &err), UR_OK);
    assert_int_equal(counts[0], 0); /* a kind without labels adds nothing */
    assert_int_equal(ur_run_plot_confusion(run, &map, "never.svg", &err), UR_UNSUPPORTED);
    says(&err, "this model is a seq2seq, which gives no labels");
    ur_run_free(run);
    ur_context_free(context);
}

/* ---- memory --------------------------------------------------------------------------------- */

static ur_status all_of_it(const ur_allocator *a, ur_err *err, void *arg)
{
    const bool per_sequence = *(const int *)arg;
    const ur_options options = {.allocator = a, .threads = 1};
    static const char *const texts[] = {"a b", "b"};
    ur_context *context;
    ur_run *run = NULL;
    ur_confusion *confusion = NULL;
    ur_measure sum;
    const ur_pair_source source = {.data = "train.txt"};
    ur_prediction out[2];
    ur_status status = ur_context_new(&options, &context, err);
    if (status != UR_OK)
        return status;
    status = ur_run_open(context, "run", &run, err);
    if (status == UR_OK)
        status = ur_run_predict(run, 2, texts, NULL, out, NULL, err);
    if (status == UR_OK) {
        assert_int_equal(out[0].count, per_sequence ? 1 : 2);
        ur_prediction_free(context, &out[0]);
        ur_prediction_free(context, &out[1]);
        status = ur_confusion_new(a, ur_vocabulary_size(ur_run_labels(run)), true, &confusion, err);
    }
    if (status == UR_OK)
        status = ur_run_evaluate(run, &source, &sum, confusion, err);
    if (status == UR_OK)
        status = ur_run_plot_confusion(run, confusion, "picture.svg", err);
    ur_confusion_free(a, confusion);
    ur_run_free(run);
    ur_context_free(context);
    return status;
}

static ur_status creating(const ur_allocator *a, ur_err *err, void *arg)
{
    const bool per_sequence = *(const int *)arg;
    const ur_options options = {.allocator = a, .threads = 1};
    ur_run_settings s = labelled_settings();
    ur_tagger_config config = per_sequence ? ur_classifier_defaults() : ur_tagger_defaults();
    ur_context *context;
    ur_run *run = NULL;
    assert_int_equal(system("rm -rf run"), 0);
    ur_status status = ur_context_new(&options, &context, err);
    if (status != UR_OK)
        return status;
    s.train.epochs = 1;
    config.embed_size = config.hidden_size = 2;
    config.directions = UR_ONE_WAY;
    config.min_freq = 1;
    status = ur_run_create(context, "run", &s, per_sequence ? "classifier" : "tagger", &config,
                           &run, err);
    ur_run_free(run);
    ur_context_free(context);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        put_file("train.txt", kind ? "X\ta b\nY\tb\n" : "a X\nb Y\n\nb X\n");
        put_file("valid.txt", kind ? "X\tb\n" : "b X\n");
        assert_true(failing_alloc_sweep(creating, &kind) > 60);
        ur_context *context = context_of(NULL, 1, NULL);
        ur_run *run = run_resumed(context, "run", 0, 0);
        run_trained(run);
        ur_run_free(run);
        ur_context_free(context);
        assert_true(failing_alloc_sweep(all_of_it, &kind) > 60);
    }
}

int main(void)
{
#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, run_folder_enter, test_folder_leave)
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(bad_data),  IN_A_FOLDER(bad_configuration),         IN_A_FOLDER(edited_runs),
        IN_A_FOLDER(bad_texts), IN_A_FOLDER(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
