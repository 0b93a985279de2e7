/* test_config.c - config.json: there and back, and everything that can be wrong with it. */
#include "train/task.h"

#include "support/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"

static ur_seq2seq_config some_config(void)
{
    ur_seq2seq_config c = {.vocabulary = 59,
                           .embed_size = 16,
                           .hidden_size = 128,
                           .attention = UR_ATTENTION_DOT,
                           .decoder_start = UR_START_HC,
                           .dropout = 0.25f,
                           .recurrent_dropout = 0.375f,
                           .zoneout_h = 0.125f,
                           .zoneout_c = 0.5f,
                           .no_bias = true};
    c.format = (ur_pair_format){.form = UR_PAIRS_RAGGED,
                                .strip = true,
                                .reverse_input = true,
                                .answer_order = UR_ANSWER_REVERSED,
                                .answer_steps = 12,
                                .start = 0,
                                .end = 1};
    return c;
}

static ur_run_settings some_settings(void)
{
    ur_run_settings s = {.data = "builtin:dates",
                         .valid = "a \"file\" \xc3\xa9.txt",
                         .size = 1000,
                         .valid_size = 200,
                         .train = ur_train_defaults()};
    s.train.lr = 0.0123456789012345;
    s.train.clip = 5.0;
    s.train.nesterov = true;
    s.train.momentum = 0.5;
    s.train.optimizer = UR_SGD;
    s.train.seed = UINT64_MAX - 5;
    return s;
}

static char *print(const ur_run_settings *settings)
{
    const ur_seq2seq_config c = some_config();
    char *text;
    assert_int_equal(
        ur_config_print(ur_default_allocator(), ur_task_find("seq2seq"), &c, settings, &text, NULL),
        UR_OK);
    return text;
}

static ur_status parse(const char *text, ur_seq2seq_config *c, ur_run_settings *s, ur_err *err)
{
    const ur_task *task;
    void *config;
    const ur_status status = ur_config_parse(ur_default_allocator(), "config.json", text,
                                             strlen(text), &task, &config, s, err);
    if (status == UR_OK) {
        assert_string_equal(task->kind, "seq2seq");
        memcpy(c, config, sizeof *c);
    }
    ur_free(ur_default_allocator(), config);
    return status;
}

static void there_and_back(void **state)
{
    (void)state;
    const ur_seq2seq_config want = some_config();
    const ur_run_settings w = some_settings();
    ur_seq2seq_config c;
    ur_run_settings s;
    ur_err err;
    char *text = print(&w);
    if (parse(text, &c, &s, &err) != UR_OK)
        fail_msg("%s", err.text);
    assert_true(c.vocabulary == want.vocabulary && c.embed_size == want.embed_size &&
                c.hidden_size == want.hidden_size && c.attention == want.attention &&
                c.peeky == want.peeky && c.decoder_start == want.decoder_start &&
                c.dropout == want.dropout && c.recurrent_dropout == want.recurrent_dropout &&
                c.zoneout_h == want.zoneout_h && c.zoneout_c == want.zoneout_c && c.no_bias);
    assert_true(c.format.form == want.format.form && c.format.strip && c.format.reverse_input &&
                c.format.answer_order == want.format.answer_order && c.format.question_width == 0 &&
                c.format.answer_steps == 12 && c.format.start == 0 && c.format.end == 1);
    assert_string_equal(s.data, w.data);
    assert_string_equal(s.valid, w.valid);
    const ur_train_options *o = &s.train, *p = &w.train;
    assert_true(s.size == w.size && s.valid_size == w.valid_size);
    assert_true(o->batch == p->batch && o->epochs == p->epochs && o->max_steps == p->max_steps &&
                o->optimizer == p->optimizer && o->lr == p->lr && o->beta1 == p->beta1 &&
                o->beta2 == p->beta2 && o->eps == p->eps && o->momentum == p->momentum &&
                o->nesterov == p->nesterov && o->weight_decay == p->weight_decay &&
                o->clip == p->clip && o->seed == p->seed);
    ur_settings_free(ur_default_allocator(), &s);
    assert_int_equal(parse(text, &c, NULL, NULL), UR_OK); /* training passed over */
    ur_free(NULL, text);
    text = print(NULL);
    assert_int_equal(parse(text, &c, NULL, NULL), UR_OK);
    assert_int_equal(parse(text, &c, &s, &err), UR_BAD_FILE); /* training wanted */
    assert_non_null(strstr(err.text, "training"));
    ur_free(NULL, text);
}

/* Where the line of `key` begins, and where the next begins. */
static char *line_of(char *text, const char *key, char **end)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    char *at = strstr(text, quoted);
    if (!at)
        fail_msg("no key %s in %s", key, text);
    *end = strchr(at, '\n') + 1;
    return at;
}

/* The text with the line of `key` replaced; a comma that is then too many or missing is the
 * caller's affair: the last member is never replaced by nothing. */
static char *with_line(const char *key, const char *replacement)
{
    const ur_run_settings s = some_settings();
    char *text = print(&s), *end, *at = line_of(text, key, &end);
    char *out = malloc(strlen(text) + strlen(replacement) + 1);
    memcpy(out, text, (size_t)(at - text));
    strcpy(out + (at - text), replacement);
    strcat(out, end);
    ur_free(NULL, text);
    return out;
}

static const char *const scalars[] = {"version",
                                      "model",
                                      "vocabulary_size",
                                      "embed_size",
                                      "hidden_size",
                                      "attention",
                                      "peeky",
                                      "decoder_start",
                                      "dropout",
                                      "recurrent_dropout",
                                      "zoneout_h",
                                      "zoneout_c",
                                      "bias",
                                      "form",
                                      "strip",
                                      "reverse_input",
                                      "reverse_answer",
                                      "question_width",
                                      "answer_steps",
                                      "start",
                                      "end",
                                      "data",
                                      "valid",
                                      "size",
                                      "valid_size",
                                      "batch",
                                      "epochs",
                                      "max_steps",
                                      "optimizer",
                                      "lr",
                                      "beta1",
                                      "beta2",
                                      "eps",
                                      "momentum",
                                      "nesterov",
                                      "weight_decay",
                                      "clip",
                                      "seed"};

static void refused(char *text, const char *key)
{
    ur_seq2seq_config c;
    ur_run_settings s = {.data = NULL};
    ur_err err = {UR_OK, ""};
    const ur_status status = parse(text, &c, &s, &err);
    if (status != UR_BAD_FILE)
        fail_msg("%s: %s with\n%s", key, ur_status_name(status), text);
    if (!strstr(err.text, key) || strncmp(err.text, "config.json", 11) != 0)
        fail_msg("\"%s\" does not name config.json and %s", err.text, key);
    assert_null(s.data);
    free(text);
}

static void every_key_counts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++) {
        const char *key = scalars[i];
        /* The last member of an object has no comma after it. */
        const bool last = strcmp(key, "end") == 0 || strcmp(key, "seed") == 0;
        char line[128];
        if (!last)
            refused(with_line(key, ""), key); /* missing */
        snprintf(line, sizeof line, "\"%s\": [1]%s\n", key, last ? "" : ",");
        refused(with_line(key, line), key); /* of another kind */
        snprintf(line, sizeof line, "\"%s\": -1e9%s\n", key, last ? "" : ",");
        refused(with_line(key, line), key); /* out of range, or of another kind */
        snprintf(line, sizeof line, "\"%s\": 1, \"%s\": 1%s\n", key, key, last ? "" : ",");
        refused(with_line(key, line), key); /* twice */
        snprintf(line, sizeof line, "\"%s_\": 1%s\n", key, last ? "" : ",");
        refused(with_line(key, line), key); /* of another name */
    }
}

static void values_out_of_range(void **state)
{
    (void)state;
    static const char *const bad[][2] = {{"version", "2"},
                                         {"model", "\"transformer\""},
                                         {"vocabulary_size", "0"},
                                         {"vocabulary_size", "4194305"},
                                         {"embed_size", "65537"},
                                         {"hidden_size", "0"},
                                         {"hidden_size", "1.5"},
                                         {"hidden_size", "\"128\""},
                                         {"attention", "\"DOT\""},
                                         {"peeky", "0"},
                                         {"decoder_start", "\"c\""},
                                         {"dropout", "1"},
                                         {"dropout", "-0.1"},
                                         {"recurrent_dropout", "1"},
                                         {"zoneout_h", "-0.1"},
                                         {"zoneout_c", "1"},
                                         {"bias", "1"},
                                         {"form", "\"free\""},
                                         {"reverse_answer", "true"},
                                         {"question_width", "65537"},
                                         {"answer_steps", "0"},
                                         {"start", "-1"},
                                         {"end", "-2"},
                                         {"batch", "0"},
                                         {"batch", "1048577"},
                                         {"lr", "1e7"},
                                         {"beta1", "1.1"},
                                         {"beta2", "-1"},
                                         {"eps", "2"},
                                         {"data", "null"},
                                         {"valid", "3"},
                                         {"clip", "-1"},
                                         {"seed", "1e30"},
                                         {"optimizer", "\"rmsprop\""}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char line[128];
        const bool last = strcmp(bad[i][0], "end") == 0 || strcmp(bad[i][0], "seed") == 0;
        snprintf(line, sizeof line, "\"%s\": %s%s\n", bad[i][0], bad[i][1], last ? "" : ",");
        refused(with_line(bad[i][0], line), bad[i][0]);
    }
}

/* One key too many in each object, everything else in order. */
static void surplus_keys(void **state)
{
    (void)state;
    static const char *const first[][2] = {
        {"version", "\"surplus\": 1, \"version\": 1,\n"},
        {"form", "\"surplus\": 1, \"form\": \"ragged\",\n"},
        {"data", "\"surplus\": 1, \"data\": \"builtin:dates\",\n"}};
    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
        refused(with_line(first[i][0], first[i][1]), "surplus");
}

static void not_json(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    "{", "[]", "null", "{}", "{} {}", "{\"version\": 1}",
                                      "\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ur_seq2seq_config c;
        ur_run_settings s;
        ur_err err = {UR_OK, ""};
        assert_int_equal(parse(bad[i], &c, &s, &err), UR_BAD_FILE);
        assert_true(strstr(err.text, "config.json") == err.text);
    }
}

/* A constant rate leaves no trace, so that such files are what they always were. Of every other
 * schedule there is what it uses. */
static void schedules(void **state)
{
    (void)state;
    static const char *const keys[] = {"\"schedule\"", "lr_epochs",    "lr_factor", "lr_patience",
                                       "lr_min",       "warmup_steps", "early_stop"};
    static const char *const there[] = {"0000000", "1110000", "1000110", "1011111"};
    const ur_train_options usual = ur_train_defaults();
    for (int i = 0; i < 4; i++) {
        ur_run_settings w = some_settings(), s;
        ur_seq2seq_config c;
        ur_err err;
        w.train.schedule = i;
        w.train.lr_epochs = 3;
        w.train.lr_factor = 0.25;
        w.train.lr_patience = 4;
        w.train.lr_min = 1e-5;
        w.train.warmup_steps = i > 1 ? 6 : 0;
        w.train.early_stop = i > 2 ? 7 : 0;
        char *text = print(&w);
        for (size_t k = 0; k < UR_COUNT(keys); k++)
            if ((strstr(text, keys[k]) != NULL) != (there[i][k] == '1'))
                fail_msg("schedule %d, %s: %s", i, keys[k], text);
        if (parse(text, &c, &s, &err) != UR_OK)
            fail_msg("%s", err.text);
        const ur_train_options *o = &s.train;
        assert_int_equal(o->schedule, i);
        assert_int_equal(o->lr_epochs, i == UR_LR_STEP ? 3 : usual.lr_epochs);
        assert_true(o->lr_factor == (i % 2 ? 0.25 : usual.lr_factor));
        assert_int_equal(o->lr_patience, i == UR_LR_PLATEAU ? 4 : usual.lr_patience);
        assert_true(o->lr_min == (i > 1 ? 1e-5 : 0.0));
        assert_int_equal(o->warmup_steps, w.train.warmup_steps);
        assert_int_equal(o->early_stop, w.train.early_stop);
        ur_settings_free(ur_default_allocator(), &s);
        ur_free(NULL, text);
    }
    static const char *const bad[][2] = {{"schedule", "\"linear\""}, {"schedule", "2"},
                                         {"lr_epochs", "0"},         {"lr_factor", "1.5"},
                                         {"lr_patience", "-1"},      {"lr_min", "-1"},
                                         {"warmup_steps", "0.5"},    {"early_stop", "null"}};
    for (size_t i = 0; i < UR_COUNT(bad); i++) {
        char line[128];
        snprintf(line, sizeof line, "\"%s\": %s,\n\"nesterov\": true,\n", bad[i][0], bad[i][1]);
        refused(with_line("nesterov", line), bad[i][0]);
    }
}

static ur_status both_ways(const ur_allocator *a, ur_err *err, void *arg)
{
    (void)arg;
    ur_seq2seq_config c = some_config();
    ur_run_settings s = some_settings();
    char *text;
    const ur_task *task = ur_task_find("seq2seq");
    void *config;
    ur_status status = ur_config_print(a, task, &c, &s, &text, err);
    if (status == UR_OK)
        status = ur_config_parse(a, "config.json", text, strlen(text), &task, &config, &s, err);
    if (status == UR_OK) {
        ur_settings_free(a, &s);
        ur_free(a, config);
    }
    ur_free(a, text);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(failing_alloc_sweep(both_ways, NULL) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(every_key_counts),
        cmocka_unit_test(values_out_of_range),
        cmocka_unit_test(surplus_keys),
        cmocka_unit_test(not_json),
        cmocka_unit_test(schedules),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
