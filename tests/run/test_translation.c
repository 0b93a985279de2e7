/* test_translation.c - runs of translators: <unk> is never written, in whatever search; a beginning that is
 * given; each allocation failing in turn. */
#include "run/runs.h"
#include "unroll/decode.h"
#include "unroll/translation.h"

#include "support/failing_alloc.h"

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

/* Of the target `x` is known alone: all else of it is <unk>. */
static ur_run *made(int model)
{
    ur_translation_config c = ur_translation_defaults();
    ur_run_settings s = {.data = "pairs.tsv", .train = ur_train_defaults()};
    ur_run *run;
    ur_err err;
    put_file("pairs.tsv", "a b\tk x l\nc d\tm x n\ne f\to x p\ng h\tq x r\n");
    c.model = model;
    c.embed_size = 4;
    c.hidden_size = 8;
    c.heads = 2;
    c.text.merges = 0;
    c.text.min_freq = 2;
    c.text.joint = false;
    c.text.text.tokenizer = UR_WORDS;
    s.train.epochs = 40;
    s.train.batch = 4;
    s.train.lr = 0.05;
    s.overwrite = true;
    if (ur_run_create(context, "run", &s, "translation", &c, &run, &err) != UR_OK)
        fail_msg("%s", err.text);
    run_trained(run);
    return run;
}

static ur_prediction said(ur_run *run, const char *text, const ur_search_options *o)
{
    ur_prediction p;
    ur_err err;
    if (ur_run_predict(run, 1, &text, o, &p, NULL, &err) != UR_OK)
        fail_msg("%s", err.text);
    return p;
}

static void never_unknown(void **state)
{
    (void)state;
    static const ur_search_options all[] = {
        {.beam = 1}, {.beam = 3, .n_best = 3}, {.temperature = 1.0f, .seed = 3}};
    for (int model = UR_TRANSLATOR_RNN; model <= UR_TRANSLATOR_TRANSFORMER; model++) {
        ur_run *run = made(model);
        for (size_t i = 0; i < 3; i++) {
            ur_prediction p = said(run, "a zz", &all[i]);
            assert_true(p.unknown >= 1);
            assert_null(strstr(p.text, "<unk>"));
            for (size_t k = 0; k < p.n_alternatives; k++)
                assert_null(strstr(p.alternatives[k].text, "<unk>"));
            ur_prediction_free(context, &p);
        }
        ur_run_free(run);
    }
}

static void a_beginning(void **state)
{
    (void)state;
    for (int model = UR_TRANSLATOR_RNN; model <= UR_TRANSLATOR_TRANSFORMER; model++) {
        ur_run *run = made(model);
        const ur_search_options o = {.beam = 2, .begin = "x x"}, unknown = {.begin = "x k"};
        ur_prediction p = said(run, "a b", &o);
        assert_int_equal(strncmp(p.text, "x x", 3), 0);
        assert_true(p.count >= 2 && strcmp(p.tokens[1], "x") == 0);
        ur_prediction_free(context, &p);
        const char *text = "a b";
        ur_err err;
        assert_int_equal(ur_run_predict(run, 1, &text, &unknown, &p, NULL, &err), UR_INVALID);
        assert_non_null(strstr(err.text, "1 token that the model does not know"));
        assert_null(p.memory);
        ur_run_free(run);
    }
}

/* Options that do not go together are refused whatever the text is, also one that nothing is searched for. */
static void options_of_nothing(void **state)
{
    (void)state;
    ur_run *run = made(UR_TRANSLATOR_RNN);
    const ur_search_options o = {.beam = 2, .temperature = 1.5f};
    const char *const texts[] = {"", "a b"};
    ur_prediction p[2];
    ur_err err;
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(ur_run_predict(run, 1, texts + i, &o, p, NULL, &err), UR_INVALID);
    assert_int_equal(ur_run_predict(run, 2, texts, &o, p, NULL, &err), UR_INVALID);
    ur_run_free(run);
}

/* Texts of as many tokens as bytes: each is read to its end, whatever stands beside it. */
static void neighbours(void **state)
{
    (void)state;
    static const char *const texts[] = {"abc", "bca", "c", "ab", ""};
    enum { COUNT = 5 };
    ur_translation_config c = ur_translation_defaults();
    ur_run_settings s = {.data = "pairs.tsv", .train = ur_train_defaults()};
    ur_run *run;
    ur_prediction all[COUNT];
    ur_err err;
    put_file("pairs.tsv", "abc\txyz\nbca\tyzx\nc\tz\nab\txy\n");
    c.embed_size = 4;
    c.hidden_size = 8;
    c.text.merges = 0;
    c.text.min_freq = 1;
    c.text.text.tokenizer = UR_CHARACTERS;
    s.train.epochs = 3;
    if (ur_run_create(context, "run", &s, "translation", &c, &run, &err) != UR_OK)
        fail_msg("%s", err.text);
    run_trained(run);
    assert_int_equal(ur_run_predict(run, COUNT, texts, NULL, all, NULL, NULL), UR_OK);
    for (size_t i = 0; i < COUNT; i++) {
        ur_prediction p = said(run, texts[i], NULL);
        assert_string_equal(p.text, all[i].text);
        assert_int_equal(p.n_inputs, all[i].n_inputs);
        if (p.n_inputs)
            assert_string_equal(all[i].inputs[p.n_inputs - 1], "<eos>");
        assert_true(p.log_probability == all[i].log_probability);
        ur_prediction_free(context, &p);
        ur_prediction_free(context, &all[i]);
    }
    ur_run_free(run);
}

static ur_status ask(const ur_allocator *a, ur_err *err, void *arg)
{
    const ur_options options = {.allocator = a, .threads = 1};
    const ur_search_options o = {.beam = 2, .begin = "x"};
    const char *text = "a b";
    ur_context *own;
    ur_run *run = NULL;
    ur_prediction p;
    (void)arg;
    ur_status status = ur_context_new(&options, &own, err);
    if (status != UR_OK)
        return status;
    status = ur_run_open(own, "run", &run, err);
    if (status == UR_OK)
        status = ur_run_predict(run, 1, &text, &o, &p, NULL, err);
    if (status == UR_OK)
        ur_prediction_free(own, &p);
    ur_run_free(run);
    ur_context_free(own);
    return status;
}

static void memory(void **state)
{
    (void)state;
    ur_run_free(made(UR_TRANSLATOR_BAHDANAU));
    assert_true(failing_alloc_sweep(ask, NULL) > 50);
}

int main(void)
{
#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter, leave)
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(never_unknown), IN_A_FOLDER(a_beginning), IN_A_FOLDER(options_of_nothing),
        IN_A_FOLDER(neighbours),    IN_A_FOLDER(memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
