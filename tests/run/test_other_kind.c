/* test_other_kind.c - the model of an opened run in the hands of functions for another kind of model:
 * they refuse it and name both. */
#include "run/labelled_runs.h"
#include "unroll/language.h"

enum { KINDS = 6 };
static const char *const names[KINDS] = {"seq2seq", "language_model", "text_lstm",
                                         "tagger",  "classifier",     "translation"};

/* A run of that kind with small layers; opened from the checkpoint that it begins with. */
static ur_run *begun(ur_context *context, const char *name)
{
    const ur_kind *kind = ur_kind_find(context, name);
    ur_run_settings s = ur_run_defaults(kind);
    void *config = malloc(kind->config_size);
    char path[64];
    ur_run *run;
    ur_err err;
    assert_non_null(config);
    ur_kind_defaults(kind, config);
    assert_int_equal(ur_field_set(ur_field_find(kind->fields, "hidden_size"), config, "4", NULL),
                     UR_OK);
    put_file("pairs.txt", "1+1_2\n2+2_4\n");
    put_file("tags.txt", "a X\nb Y\n\nb X\n");
    put_file("sentences.txt", "a b\tx y\nb b\ty y\na\tx\nb a\ty x\nb\ty\nc\tz\na c\tx z\n");
    put_file("classes.txt", "X\ta b\nY\tb\n");
    put_file("words.txt", "to be or not to be, that is the question: whether it is nobler in the "
                          "mind to suffer the slings and arrows of outrageous fortune\n");
    s.data = strcmp(name, "seq2seq") == 0       ? "pairs.txt"
             : strcmp(name, "tagger") == 0      ? "tags.txt"
             : strcmp(name, "classifier") == 0  ? "classes.txt"
             : strcmp(name, "translation") == 0 ? "sentences.txt"
                                                : "words.txt";
    s.train.batch = 1;
    if (ur_run_create(context, name, &s, name, config, &run, &err) != UR_OK)
        fail_msg("%s", err.text);
    ur_run_free(run);
    free(config);
    snprintf(path, sizeof path, "%s/checkpoints/0.safetensors", name);
    return run_opened(context, path);
}

/* What a function for kind `wanted` says to the model. */
static ur_status use_as(const char *wanted, ur_context *context, const ur_model *model, ur_err *err)
{
    static const int32_t id[] = {0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1};
    const ur_ids ids = {id, 12};
    if (strcmp(wanted, "seq2seq") == 0) {
        ur_tape *tape = tape_of(context);
        ur_tape_start(tape, UR_INFER, model->params, NULL, 0, 0);
        assert_null(ur_seq2seq_answer(tape, model, 1, &ids, NULL, NULL));
        *err = (ur_err){.status = ur_tape_status(tape)};
        snprintf(err->text, sizeof err->text, "%s", ur_error(tape));
        ur_tape_free(tape);
        assert_null(ur_seq2seq_config_of(model));
        return err->status;
    }
    if (strcmp(wanted, "language_model") == 0) {
        ur_language_data *data;
        const ur_status status = ur_language_data_new(context, model, ids, 0, &data, err);
        assert_null(data);
        assert_null(ur_language_model_config_of(model));
        return status;
    }
    if (strcmp(wanted, "text_lstm") == 0) {
        ur_next_words *data;
        const ur_status status = ur_next_words_new(context, model, ids, true, &data, err);
        assert_null(data);
        assert_null(ur_text_lstm_config_of(model));
        return status;
    }
    assert_null(ur_tagger_config_of(model));
    return ur_tagger_apply(context, model, 1, &ids, NULL, NULL, err);
}

static void taken_for_another(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    for (int have = 0; have < KINDS; have++) {
        ur_run *run = begun(context, names[have]);
        for (int want = 0; want < 4; want++) { /* a classifier goes as a tagger */
            ur_err err = {UR_OK, ""};
            if (want == have || (want == 3 && have == 4))
                continue;
            const ur_status status = use_as(names[want], context, ur_run_model(run), &err);
            if (status != UR_INVALID || !strstr(err.text, names[have]) ||
                !strstr(err.text, names[want]))
                fail_msg("a %s taken for a %s: %s, \"%s\"", names[have], names[want],
                         ur_status_name(status), err.text);
            const ur_kind *wanted = ur_kind_find(context, names[want]);
            assert_int_equal(ur_model_check(ur_run_model(run), wanted, NULL), UR_INVALID);
        }
        assert_int_equal(ur_model_check(ur_run_model(run), ur_run_kind(run), NULL), UR_OK);
        ur_run_free(run);
    }
    ur_context_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(taken_for_another, run_folder_enter, test_folder_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
