/* test_predict.c - every kind from files to predictions: what is prepared, what texts get, that it does
 * not depend on threads or on what stands beside a text, and memory that runs out. */
#include "io/fields.h"
#include "support/contexts.h"
#include "support/failing_alloc.h"
#include "unroll/decode.h"
#include "unroll/language.h"
#include "unroll/seq2seq.h"
#include "unroll/tagger.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { KINDS = 5, TEXTS = 70 };

static const char *const words[] = {"one", "two", "ship", "boat", "blue", "slow"};

static void write_files(void)
{
    FILE *pairs = fopen("pairs.tsv", "w"), *text = fopen("text.txt", "w");
    FILE *tags = fopen("tags.txt", "w"), *topics = fopen("topics.txt", "w");
    for (int i = 0; i < 60; i++) {
        const char *a = words[i % 6], *b = words[i / 6 % 6], *c = words[i * i % 5];
        fprintf(pairs, "%s %s\t%s\n", a, b, b);
        fprintf(text, "%s %s %s\n", a, b, c);
        fprintf(tags, "%s N\n%s V\n\n", a, c);
        fprintf(topics, "%s\t%s %s\n", i % 2 ? "odd" : "even", a, b);
    }
    fclose(pairs);
    fclose(text);
    fclose(tags);
    fclose(topics);
}

static int setup(void **state)
{
    (void)state;
    write_files();
    return 0;
}

/* ---- a model with what stands around it ------------------------------------------------------ */

static const struct {
    const char *kind, *file, *word; /* a text that it takes for granted */
    ur_setting settings[6];
} made[KINDS] = {
    {"seq2seq", "pairs.tsv", "ship", {{"hidden_size", "9"}, {NULL, NULL}}},
    {"language_model",
     "text.txt",
     "ship",
     {{"hidden_size", "9"}, {"text.tokenizer", "word"}, {NULL, NULL}}},
    {"text_lstm",
     "text.txt",
     "one two",
     {{"hidden_size", "9"}, {"context", "2"}, {"layers", "2"}, {NULL, NULL}}},
    {"tagger", "tags.txt", "ship boat", {{"hidden_size", "9"}, {"embed_size", "7"}, {NULL, NULL}}},
    {"classifier", "topics.txt", "ship", {{"hidden_size", "9"}, {"cell", "gru"}, {NULL, NULL}}},
};

static ur_status assets_new(ur_context *context, size_t kind, const ur_data_options *data,
                            ur_assets *out, ur_err *err)
{
    const ur_kind *k = ur_kind_find(context, made[kind].kind);
    *out = (ur_assets){.context = context, .kind = k, .data = data};
    out->config = calloc(1, k->config_size);
    ur_kind_defaults(k, out->config);
    ur_status status = ur_fields_apply(k->fields, out->config, made[kind].settings, err);
    if (status == UR_OK)
        status = k->prepare(out, err);
    if (status == UR_OK)
        ur_model_init(out->model, 3);
    return status;
}

static void assets_free(ur_assets *a)
{
    a->kind->free_data(a->train);
    a->kind->free_data(a->valid);
    ur_model_free(a->model);
    ur_vocabulary_free(a->vocabulary);
    ur_vocabulary_free(a->labels);
    ur_fields_free(ur_context_allocator(a->context), a->kind->fields, a->config);
    free(a->config);
}

static const ur_data_options data_of[KINDS] = {
    {.data = "pairs.tsv", .valid = "pairs.tsv", .batch = 8},
    {.data = "text.txt", .valid = "text.txt", .batch = 4},
    {.data = "text.txt", .valid = "text.txt", .batch = 8},
    {.data = "tags.txt", .valid = "tags.txt", .batch = 8},
    {.data = "topics.txt", .valid = "topics.txt", .batch = 8},
};

static ur_assets assets_of(ur_context *context, size_t kind)
{
    ur_assets a;
    ur_err err;
    if (assets_new(context, kind, &data_of[kind], &a, &err) != UR_OK)
        fail_msg("%s: %s", made[kind].kind, err.text);
    return a;
}

static void predict(const ur_assets *a, size_t count, const char *const *texts,
                    const ur_search_options *options, ur_prediction *out)
{
    ur_err err;
    if (a->kind->predict(a, count, texts, options, out, NULL, &err) != UR_OK)
        fail_msg("%s: %s", a->kind->name, err.text);
}

/* Texts of one to four words. */
static void make_texts(char text[TEXTS][40], const char *list[TEXTS], size_t least)
{
    for (size_t i = 0; i < TEXTS; i++) {
        text[i][0] = '\0';
        for (size_t k = 0; k < least + i % 3; k++) {
            strcat(text[i], k ? " " : "");
            strcat(text[i], words[(i + 5 * k) % 6]);
        }
        list[i] = text[i];
    }
}

/* ---- from files ---------------------------------------------------------------------------- */

/* What is prepared again for a model that is there is what it was, and so is the same file opened. */
static void prepared(void **state)
{
    (void)state;
    ur_context *context = context_of("plain", 1, NULL);
    for (size_t kind = 0; kind < KINDS; kind++) {
        ur_assets a = assets_of(context, kind), again = a;
        const ur_kind *k = a.kind;
        ur_err err;
        const ur_pair_source source = {.data = made[kind].file};
        void *other;
        assert_non_null(a.valid);
        assert_true(k->has_labels == (a.labels != NULL));
        assert_int_equal(k->fits(&a, &err), UR_OK);
        assert_memory_equal(a.config, a.model->config, k->config_size);
        again.train = again.valid = NULL;
        assert_int_equal(k->prepare(&again, &err), UR_OK);
        assert_int_equal(k->open(&a, &source, &other, &err), UR_OK);
        assert_true(k->fingerprint(a.train) == k->fingerprint(again.train));
        assert_true(k->fingerprint(a.train) == k->fingerprint(other));
        assert_true(k->extent(a.train) > 10 && k->extent(a.train) == k->extent(other));
        assert_int_equal(k->batch ? k->batch(a.model, a.train) : 0, kind == 1 ? 4 : 0);
        k->free_data(other);
        k->free_data(again.train);
        k->free_data(again.valid);
        k->free_data(NULL);
        ur_vocabulary *all = a.vocabulary;
        assert_int_equal(ur_vocabulary_new(NULL, &a.vocabulary, NULL), UR_OK);
        assert_int_equal(k->fits(&a, &err), UR_INVALID);
        assert_non_null(strstr(err.text, "\"vocabulary_size\""));
        ur_vocabulary_free(a.vocabulary);
        a.vocabulary = all;
        assets_free(&a);
    }
    ur_context_free(context);
}

static void refused(size_t kind, ur_data_options data, ur_setting setting, const char *part)
{
    ur_context *context = context_of("plain", 1, NULL);
    const ur_kind *k = ur_kind_find(context, made[kind].kind);
    ur_assets a = {.context = context, .kind = k, .data = &data};
    ur_err err;
    a.config = calloc(1, k->config_size);
    ur_kind_defaults(k, a.config);
    assert_int_equal(
        ur_fields_apply(k->fields, a.config, (ur_setting[]){setting, {NULL, NULL}}, &err), UR_OK);
    assert_int_equal(k->prepare(&a, &err), UR_INVALID);
    if (!strstr(err.text, part))
        fail_msg("\"%s\" lacks \"%s\"", err.text, part);
    assets_free(&a);
    ur_context_free(context);
}

static void refusals(void **state)
{
    (void)state;
    for (size_t kind = 1; kind < KINDS; kind++)
        refused(kind, (ur_data_options){.data = "builtin:dates", .batch = 2},
                (ur_setting){"hidden_size", "5"}, "builtin:dates: a ");
    refused(1, (ur_data_options){.data = "text.txt", .valid = "text.txt", .batch = 2},
            (ur_setting){"text.valid_split", "0.5"}, "two ways");
}

/* Lines' ends are tokens among words, unless the options say otherwise; there are none elsewhere. */
static void line_ends(void **state)
{
    (void)state;
    static const struct {
        ur_setting setting;
        bool ends;
    } cases[] = {{{"text.tokenizer", "word"}, true},
                 {{"text.tokenizer", "char"}, false},
                 {{"text.letters_only", "true"}, false},
                 {{"text.line_ends", "false"}, false}};
    ur_context *context = context_of("plain", 1, NULL);
    const ur_kind *k = ur_kind_find(context, "text_lstm");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ur_text_lstm_config config = ur_text_lstm_defaults();
        ur_assets a = {.context = context, .kind = k, .data = &data_of[2]};
        const ur_setting settings[] = {cases[i].setting, {"hidden_size", "3"}, {NULL, NULL}};
        ur_err err;
        ur_fields_apply(k->fields, &config, settings, &err);
        a.config = malloc(sizeof config);
        memcpy(a.config, &config, sizeof config);
        if (k->prepare(&a, &err) != UR_OK)
            fail_msg("%s", err.text);
        const ur_text_lstm_config *c = a.config;
        assert_int_equal(c->text.options.line_ends, cases[i].ends);
        assert_int_equal(ur_vocabulary_find_reserved(a.vocabulary, "eos") >= 0, cases[i].ends);
        assets_free(&a);
    }
    ur_context_free(context);
}

/* ---- predictions --------------------------------------------------------------------------- */

static void same(const ur_prediction *a, const ur_prediction *b, size_t labels)
{
    assert_string_equal(a->input, b->input);
    assert_int_equal(a->text != NULL, b->text != NULL);
    if (a->text)
        assert_string_equal(a->text, b->text);
    assert_memory_equal(&a->log_probability, &b->log_probability, sizeof a->log_probability);
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->probability, b->probability, a->count * sizeof *a->probability);
    if (a->all)
        assert_memory_equal(a->all, b->all, a->count * labels * sizeof *a->all);
    if (a->attention)
        assert_memory_equal(a->attention, b->attention,
                            a->count * a->n_inputs * sizeof *a->attention);
}

/* The same on every machine; and for a text alone. Drawn answers: for the text's number. */
static void together_is_alone(void **state)
{
    (void)state;
    static char text[TEXTS][40];
    const char *list[TEXTS];
    make_texts(text, list, 2);
    contexts all = contexts_new();
    for (size_t kind = 0; kind < KINDS; kind++)
        for (int drawn = 0; drawn < 2; drawn++) {
            const ur_search_options options = {.temperature = 1.0f, .seed = 4, .most = 9};
            ur_prediction first[TEXTS], out[TEXTS], alone;
            ur_assets owner = assets_of(all.at[0], kind);
            const size_t labels = owner.labels ? ur_vocabulary_size(owner.labels) : 0;
            predict(&owner, TEXTS, list, drawn ? &options : NULL, first);
            for (int i = 1; i < all.count; i++) {
                ur_assets a = assets_of(all.at[i], kind);
                predict(&a, TEXTS, list, drawn ? &options : NULL, out);
                for (size_t k = 0; k < TEXTS; k++) {
                    same(&first[k], &out[k], labels);
                    ur_prediction_free(all.at[i], &out[k]);
                }
                assets_free(&a);
            }
            for (size_t k = 0; k < TEXTS; k += 9) {
                if (drawn && k)
                    break;
                predict(&owner, 1, list + k, drawn ? &options : NULL, &alone);
                same(&first[k], &alone, labels);
                ur_prediction_free(all.at[0], &alone);
            }
            for (size_t k = 0; k < TEXTS; k++)
                ur_prediction_free(all.at[0], &first[k]);
            assets_free(&owner);
        }
    contexts_free(&all);
}

/* ln of the product of the probabilities, which lacks only an end symbol's. */
static double sum_of_logs(const ur_prediction *p)
{
    double sum = 0.0;
    for (size_t i = 0; i < p->count; i++)
        sum += log((double)p->probability[i]);
    return sum;
}

static void falling(const ur_prediction *p, size_t wanted)
{
    assert_int_equal(p->n_alternatives, wanted);
    assert_string_equal(p->alternatives[0].text, p->text);
    assert_true(p->alternatives[0].score == p->score);
    for (size_t i = 1; i < wanted; i++)
        assert_true(p->alternatives[i].score <= p->alternatives[i - 1].score);
}

static void writers(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    const ur_search_options beam = {.beam = 4, .n_best = 3, .most = 5};
    for (size_t kind = 0; kind < 2; kind++) {
        ur_assets a = assets_of(context, kind);
        const char *text = "ship blue";
        ur_prediction p;
        predict(&a, 1, &text, NULL, &p);
        assert_string_equal(p.input, text);
        assert_int_equal(p.n_alternatives, 0);
        assert_true(p.count > 0 && p.unknown == 0);
        assert_true(p.log_probability <= sum_of_logs(&p) + 1e-4);
        if (kind == 0) {
            assert_int_equal(p.n_inputs, strlen(text));
            for (size_t i = 0; i < p.count; i++) {
                double sum = 0.0;
                for (size_t j = 0; j < p.n_inputs; j++)
                    sum += (double)p.attention[i * p.n_inputs + j];
                assert_true(fabs(sum - 1.0) < 1e-5);
            }
            assert_string_equal(p.inputs[1], "h");
        } else {
            assert_int_equal(p.count, 200); /* where nothing says how many */
            assert_null(p.attention);
            assert_true(!p.complete && strlen(p.text) > 0);
        }
        ur_prediction_free(context, &p);
        assert_null(p.text);
        predict(&a, 1, &text, &beam, &p);
        falling(&p, 3);
        assert_true(p.count <= 5);
        ur_prediction_free(context, &p);
        assets_free(&a);
    }
    ur_assets a = assets_of(context, 1);
    const char *texts[] = {"", "ship zebra zebra"};
    ur_prediction p[2];
    predict(&a, 2, texts, &beam, p); /* nothing: as after the end of a line */
    assert_int_equal(p[0].count, 5);
    assert_int_equal(p[1].unknown, 2);
    ur_prediction_free(context, &p[0]);
    ur_prediction_free(context, &p[1]);
    assets_free(&a);
    ur_context_free(context);
}

static void next_words(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    ur_assets a = assets_of(context, 2);
    const char *texts[] = {"zebra boat ship zebra", "one two"};
    const ur_search_options ten = {.beam = 10, .n_best = 5};
    ur_prediction p[2];
    predict(&a, 2, texts, NULL, p);
    assert_int_equal(p[0].unknown, 1); /* of the last two */
    assert_int_equal(p[1].unknown, 0);
    assert_true(p[1].count == 1 && p[1].complete && p[1].n_alternatives == 0);
    assert_string_equal(p[1].tokens[0], p[1].text);
    assert_true(fabs(exp(p[1].log_probability) - (double)p[1].probability[0]) < 1e-6);
    ur_prediction_free(context, &p[0]);
    ur_prediction_free(context, &p[1]);
    predict(&a, 2, texts, &ten, p);
    falling(&p[0], 5);
    ur_prediction_free(context, &p[0]);
    ur_prediction_free(context, &p[1]);
    assets_free(&a);
    ur_context_free(context);
}

static void labels(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    for (size_t kind = 3; kind < KINDS; kind++) {
        ur_assets a = assets_of(context, kind);
        const size_t n = ur_vocabulary_size(a.labels);
        const char *texts[] = {" boat  zebra blue ", ""};
        ur_prediction p[2];
        predict(&a, 2, texts, NULL, p);
        assert_int_equal(p[0].count, kind == 3 ? 3 : 1);
        assert_int_equal(p[1].count, kind == 3 ? 0 : 1);
        assert_int_equal(p[0].unknown, 1);
        assert_null(p[0].text);
        assert_true(isnan(p[0].log_probability));
        if (kind == 3)
            assert_string_equal(p[0].tokens[1], "zebra");
        else
            assert_null(p[0].tokens);
        for (size_t i = 0; i < p[0].count; i++) {
            const int32_t label =
                ur_vocabulary_find(a.labels, p[0].labels[i], strlen(p[0].labels[i]));
            double sum = 0.0;
            for (size_t j = 0; j < n; j++)
                sum += (double)p[0].all[i * n + j];
            assert_true(fabs(sum - 1.0) < 1e-5);
            assert_true(label >= 0 && p[0].all[i * n + (size_t)label] == p[0].probability[i]);
        }
        ur_prediction_free(context, &p[0]);
        ur_prediction_free(context, &p[1]);
        assets_free(&a);
    }
    ur_context_free(context);
}

/* A text that is not UTF-8 is named before anything is predicted. */
static void bad_texts(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    for (size_t kind = 0; kind < KINDS; kind++) {
        ur_assets a = assets_of(context, kind);
        const char *texts[] = {made[kind].word, "\xff\xfe", made[kind].word};
        ur_prediction p[3];
        size_t bad = 9;
        ur_err err;
        assert_int_equal(a.kind->predict(&a, 3, texts, NULL, p, &bad, &err), UR_BAD_FILE);
        assert_int_equal(bad, 1);
        for (int i = 0; i < 3; i++)
            assert_true(!p[i].memory && !p[i].input);
        assets_free(&a);
    }
    ur_context_free(context);
}

static void samples(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    ur_prediction p;
    ur_assets a = assets_of(context, 0);
    assert_int_equal(a.kind->sample(&a, a.valid, 13, &p, NULL), UR_OK);
    assert_string_equal(p.input, "two ship");
    assert_string_equal(p.target, "ship");
    assert_non_null(p.text);
    ur_prediction_free(context, &p);
    assets_free(&a);
    a = assets_of(context, 2);
    assert_int_equal(a.kind->sample(&a, a.valid, 1, &p, NULL), UR_OK);
    assert_string_equal(p.input, "one one");
    assert_string_equal(p.target, "<eos>");
    ur_prediction_free(context, &p);
    assets_free(&a);
    ur_context_free(context);
}

/* ---- memory -------------------------------------------------------------------------------- */

static ur_status whole_life(const ur_allocator *hooks, ur_err *err, void *arg)
{
    const size_t kind = *(const size_t *)arg;
    const ur_options options = {.allocator = hooks, .threads = 1};
    const ur_search_options beam = {.beam = 2, .n_best = 2, .most = 3};
    const char *texts[] = {made[kind].word, "boat blue"};
    ur_context *context;
    ur_assets a;
    ur_prediction p[2];
    ur_status status = ur_context_new(&options, &context, err);
    if (status != UR_OK)
        return status;
    status = assets_new(context, kind, &data_of[kind], &a, err);
    if (status == UR_OK) {
        status = a.kind->predict(&a, 2, texts, &beam, p, NULL, err);
        for (int i = 0; status == UR_OK && i < 2; i++)
            ur_prediction_free(context, &p[i]);
    }
    if (status == UR_OK && a.kind->sample) {
        status = a.kind->sample(&a, a.train, 0, p, err);
        if (status == UR_OK)
            ur_prediction_free(context, p);
    }
    assets_free(&a);
    ur_context_free(context);
    return status;
}

static void memory(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++)
        assert_true(failing_alloc_sweep(whole_life, &kind) > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prepared),  cmocka_unit_test(refusals),
        cmocka_unit_test(line_ends), cmocka_unit_test(together_is_alone),
        cmocka_unit_test(writers),   cmocka_unit_test(next_words),
        cmocka_unit_test(labels),    cmocka_unit_test(bad_texts),
        cmocka_unit_test(samples),   cmocka_unit_test(memory),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
