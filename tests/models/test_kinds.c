/* test_kinds.c - all kinds of models: their tables, what their configurations accept and refuse, models
 * taken for others, and kinds of a program's own. */
#include "support/contexts.h"
#include "unroll/language.h"
#include "unroll/run.h"
#include "unroll/seq2seq.h"
#include "unroll/tagger.h"

#include <fenv.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { KINDS = 10 };

static void *defaults_of(const ur_kind *kind)
{
    void *config = malloc(kind->config_size);
    memset(config, 0xa5, kind->config_size);
    ur_kind_defaults(kind, config);
    return config;
}

static size_t size_of(const ur_field *f)
{
    switch (f->type) {
    case UR_FIELD_BOOL:
        return sizeof(bool);
    case UR_FIELD_SIZE:
        return sizeof(size_t);
    case UR_FIELD_ID:
        return sizeof(int32_t);
    case UR_FIELD_SEED:
        return sizeof(uint64_t);
    case UR_FIELD_REAL:
        return sizeof(double);
    case UR_FIELD_FLOAT:
        return sizeof(float);
    case UR_FIELD_ENUM:
        return sizeof(int);
    case UR_FIELD_NAME:
    case UR_FIELD_TEXT:
        break;
    }
    return sizeof(const char *);
}

/* ---- tables ------------------------------------------------------------------------------- */

/* The options of a kind's fields, its shorthands, and those of training beside them. */
static void no_two_options(const ur_kind *kind)
{
    char flags[192][64];
    size_t n = 0;
    const ur_field *const tables[] = {kind->fields, ur_run_settings_fields()};
    for (size_t k = 0; k < 2; k++)
        for (const ur_field *f = tables[k]; f->name; f++) {
            if (k == 1 && !kind->splits && strcmp(f->name, "valid_split") == 0)
                continue; /* the kind may have one of its own */
            ur_field_flag(f, flags[n++], sizeof flags[0]);
            if (f->alias)
                snprintf(flags[n++], sizeof flags[0], "%s", f->alias);
        }
    for (const ur_shorthand *s = kind->shorthands; s && s->flag; s++)
        snprintf(flags[n++], sizeof flags[0], "%s", s->flag);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            if (flags[i][0] && strcmp(flags[i], flags[j]) == 0)
                fail_msg("%s: two options --%s", kind->name, flags[i]);
}

static void a_table(const ur_kind *kind)
{
    void *config = defaults_of(kind);
    char text[64];
    ur_err err;
    for (const ur_field *f = kind->fields; f->name; f++) {
        assert_ptr_equal(ur_field_find(kind->fields, f->name), f); /* no two of one name */
        assert_non_null(f->help);
        assert_true(f->offset + size_of(f) <= kind->config_size);
        if (*ur_field_flag(f, text, sizeof text))
            assert_non_null(f->group);
        if (f->absent && f->type != UR_FIELD_TEXT &&
            ur_field_set(f, config, f->absent, &err) != UR_OK)
            fail_msg("%s: %s absent: %s", kind->name, f->name, err.text);
        if (f->bare && ur_field_set(f, config, NULL, &err) != UR_OK)
            fail_msg("%s: %s bare: %s", kind->name, f->name, err.text);
    }
    for (const ur_shorthand *s = kind->shorthands; s && s->flag; s++)
        if (ur_fields_apply(kind->fields, config, s->settings, &err) != UR_OK)
            fail_msg("%s: --%s: %s", kind->name, s->flag, err.text);
    free(config);
}

static void tables(void **state)
{
    (void)state;
    const ur_kind *kind;
    size_t n = 0;
    for (; (kind = ur_kind_at(NULL, n)); n++) {
        ur_run_settings settings = ur_run_defaults(NULL);
        ur_err err;
        a_table(kind);
        no_two_options(kind);
        assert_ptr_equal(ur_kind_find(NULL, kind->name), kind);
        if (ur_fields_apply(ur_run_settings_fields(), &settings, kind->defaults, &err) != UR_OK)
            fail_msg("%s: %s", kind->name, err.text);
        for (const char *const *name = kind->hides; name && *name; name++)
            assert_non_null(ur_field_find(ur_run_settings_fields(), *name));
        if (kind->chosen_by)
            assert_true(
                ur_field_find_flag(kind->fields, kind->chosen_by) ||
                (kind->published && ur_field_find_flag(ur_run_settings_fields(), kind->chosen_by)));
    }
    assert_int_equal(n, KINDS);
    assert_null(ur_kind_find(NULL, "transformer"));
}

static void figures(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        const ur_kind *kind = ur_kind_at(NULL, i);
        ur_measure m = {.loss = 6.0, .positions = 3, .examples = 2};
        size_t n = 0;
        for (; kind->figures && kind->figures[n].name; n++) {
            assert_non_null(kind->figures[n].title);
            m.sum[n] = 1.0 + (double)n;
        }
        assert_true(n >= 1 && n <= UR_MOST_FIGURES);
        assert_true(ur_measure_figure(kind, &m, "loss") == 2.0);
        for (size_t k = 0; k < n; k++) {
            const double sum = 1.0 + (double)k;
            const double want[] = {sum / 2, sum / 3, exp(2.0), sum};
            assert_true(ur_measure_figure(kind, &m, kind->figures[k].name) ==
                        want[kind->figures[k].average]);
        }
        assert_true(isnan(ur_measure_figure(kind, &m, "none")));
        assert_true(isnan(ur_measure_figure(kind, &(ur_measure){0}, "loss")));
    }
}

/* ---- what configurations accept ------------------------------------------------------------- */

/* Sets a member to `value` as a program would, and by `text`: both do, or both refuse with one
 * sentence. */
static void one_value(const ur_kind *kind, const ur_field *f, const void *value, const char *text,
                      bool good)
{
    char *config = defaults_of(kind), *other = defaults_of(kind);
    ur_err set, check;
    memcpy(config + f->offset, value, size_of(f));
    const ur_status by_text = ur_field_set(f, other, text, &set);
    const ur_status by_check = ur_fields_check(kind->fields, config, kind->name, &check);
    if (by_text != (good ? UR_OK : UR_INVALID) || by_check != by_text)
        fail_msg("%s: %s %s: set says %d, check %d", kind->name, f->name, text, (int)by_text,
                 (int)by_check);
    if (good)
        assert_memory_equal(config + f->offset, other + f->offset, size_of(f));
    else if (!strstr(check.text, set.text) || !strstr(check.text, f->name))
        fail_msg("%s: \"%s\", but \"%s\"", f->name, check.text, set.text);
    free(config);
    free(other);
}

static void one_real(const ur_kind *kind, const ur_field *f, double value, bool good)
{
    char text[64];
    const float single = (float)value;
    snprintf(text, sizeof text, "%.17g", f->type == UR_FIELD_FLOAT ? (double)single : value);
    one_value(kind, f, f->type == UR_FIELD_FLOAT ? (const void *)&single : &value, text, good);
}

static void one_whole(const ur_kind *kind, const ur_field *f, double value, bool good)
{
    char text[64];
    const int32_t id = (int32_t)(f->type == UR_FIELD_ID ? value : 0);
    const size_t size = (size_t)(f->type == UR_FIELD_SIZE ? value : 0);
    snprintf(text, sizeof text, "%.0f", value);
    one_value(kind, f, f->type == UR_FIELD_ID ? (const void *)&id : &size, text, good);
}

static void no_word(const ur_kind *kind, const ur_field *f)
{
    const char *nonsense = "nonsense";
    char word[64];
    int words = 0;
    while (ur_field_word(f, (size_t)words, word, sizeof word))
        words++;
    assert_true(words >= 1);
    one_value(kind, f, f->type == UR_FIELD_NAME ? (const void *)&nonsense : &words, nonsense,
              false);
}

static void ends(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        const ur_kind *kind = ur_kind_at(NULL, i);
        for (const ur_field *f = kind->fields; f->name; f++) {
            const double below = f->type == UR_FIELD_FLOAT
                                     ? (double)nextafterf((float)f->least, -1e30f)
                                     : nextafter(f->least, -1e30);
            const double above = f->type == UR_FIELD_FLOAT
                                     ? (double)nextafterf((float)f->most, 1e30f)
                                     : nextafter(f->most, 1e30);
            switch (f->type) {
            case UR_FIELD_SIZE:
            case UR_FIELD_ID:
                one_whole(kind, f, f->least, true);
                one_whole(kind, f, f->most, true);
                if (f->least > 0 || f->type == UR_FIELD_ID)
                    one_whole(kind, f, f->least - 1, false);
                one_whole(kind, f, f->most < 0x1p53 ? f->most + 1 : f->most + 2, false);
                break;
            case UR_FIELD_FLOAT:
            case UR_FIELD_REAL:
                one_real(kind, f, f->least, !(f->open & UR_OPEN_LEAST));
                one_real(kind, f, f->most, !(f->open & UR_OPEN_MOST));
                one_real(kind, f, below, false);
                one_real(kind, f, above, false);
                break;
            case UR_FIELD_ENUM:
            case UR_FIELD_NAME:
                no_word(kind, f);
                break;
            default:
                break;
            }
        }
    }
}

static void defaults_pass(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        const ur_kind *kind = ur_kind_at(NULL, i);
        void *config = defaults_of(kind);
        ur_err err;
        if (ur_kind_check(kind, config, &err) != UR_OK)
            fail_msg("%s", err.text);
        free(config);
    }
    assert_string_equal(ur_seq2seq_defaults().cell, "lstm");
    assert_true(ur_seq2seq_defaults().bias);
    assert_true(ur_language_model_defaults().embed_size == UR_EMBED_AUTO);
    assert_int_equal(ur_tagger_defaults().text.tokenizer, UR_WORDS);
    assert_int_equal(ur_classifier_defaults().text.tokenizer, UR_WORDS_PUNCTUATION);
}

/* ---- models ------------------------------------------------------------------------------- */

static ur_model *small_model(ur_context *context, const ur_kind *kind)
{
    static const ur_setting sizes[] = {
        {"vocabulary_size", "5"}, {"vocab_size", "5"}, {"hidden_size", "4"}, {"embed_size", "3"}};
    void *config = defaults_of(kind);
    ur_model *model = NULL;
    ur_err err;
    ur_status status = UR_OK;
    for (size_t i = 0; status == UR_OK && i < sizeof sizes / sizeof *sizes; i++) {
        const ur_field *f = ur_field_find(kind->fields, sizes[i].name);
        if (f)
            status = ur_field_set(f, config, sizes[i].value, &err);
    }
    const ur_field *labels = ur_field_find(kind->fields, "labels");
    if (status == UR_OK && labels)
        status = ur_field_set(labels, config, "3", &err);
    if (status == UR_OK)
        status = ur_model_new(context, kind, config, &model, &err);
    if (status != UR_OK)
        fail_msg("%s: %s", kind->name, err.text);
    assert_ptr_equal(model->kind, kind);
    assert_ptr_equal(model->context, context);
    free(config);
    return model;
}

/* A vocabulary that is not there yet passes the check, but makes no model. */
static void no_vocabulary(void **state)
{
    (void)state;
    ur_context *context = context_of("plain", 1, NULL);
    for (size_t i = 0; i < KINDS; i++) {
        const ur_kind *kind = ur_kind_at(context, i);
        void *config = defaults_of(kind);
        ur_model *model;
        ur_err err;
        assert_int_equal(ur_model_new(context, kind, config, &model, &err), UR_INVALID);
        assert_null(model);
        assert_non_null(strstr(err.text, "a vocabulary of 0"));
        free(config);
    }
    ur_context_free(context);
}

/* An embedding that is left to the model. */
static void automatic(void **state)
{
    (void)state;
    ur_context *context = context_of("plain", 1, NULL);
    for (int variant = 0; variant < 3; variant++) {
        ur_language_model_config c = ur_language_model_defaults();
        ur_model *model;
        c.vocabulary = 9;
        c.hidden_size = 6;
        c.bidirectional = variant == 2;
        c.tied = variant == 2;
        c.text.options.tokenizer = variant ? UR_WORDS : UR_CHARACTERS;
        assert_int_equal(ur_language_model_new(context, &c, &model, NULL), UR_OK);
        assert_int_equal(ur_language_model_config_of(model)->embed_size, 6 * variant);
        ur_model_free(model);
    }
    ur_text_lstm_config c = ur_text_lstm_defaults();
    ur_model *model;
    c.vocabulary = 9;
    c.hidden_size = 6;
    c.state_memory = 7;
    assert_int_equal(ur_text_lstm_new(context, &c, &model, NULL), UR_OK);
    assert_int_equal(ur_text_lstm_config_of(model)->embed_size, 6);
    assert_int_equal(ur_text_lstm_config_of(model)->most_state_bytes, 7000000);
    assert_int_equal(ur_text_lstm_config_of(model)->state_memory, 0);
    ur_model_free(model);
    ur_context_free(context);
}

static void both_named(const char *text, const ur_kind *kind, const char *wanted)
{
    char sentence[120];
    snprintf(sentence, sizeof sentence, "this model is a %s, not a %s", kind->name, wanted);
    if (!strstr(text, sentence))
        fail_msg("\"%s\" does not say \"%s\"", text, sentence);
}

/* A tape that failed because the model is none of `wanted`. */
static void tape_refused(ur_tape *t, const void *result, const ur_model *m, const char *wanted)
{
    assert_null(result);
    assert_int_equal(ur_tape_status(t), UR_INVALID);
    both_named(ur_error(t), m->kind, wanted);
    ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
}

static void taken_for_seq2seq(ur_tape *t, ur_model *m)
{
    const ur_ids question = {(const int32_t[]){1, 2}, 2};
    assert_null(ur_seq2seq_config_of(m));
    tape_refused(t, ur_seq2seq_forward(t, m, NULL, 0, NULL).logits, m, "seq2seq");
    tape_refused(t, ur_seq2seq_answer(t, m, 1, &question, NULL, NULL), m, "seq2seq");
    ur_seq2seq_init(m, 7);
}

static void taken_for_language_model(ur_tape *t, ur_model *m)
{
    const ur_ids text = {(const int32_t[]){1, 2, 3, 4}, 4};
    ur_language_data *data;
    ur_err err;
    const size_t one = 1;
    const ur_layout *layout = ur_new_layout(t, UR_STEP_MAJOR, 1, &one, NULL);
    const ur_seq *ids = ur_seq_ints(t, layout, text.ids);
    assert_null(ur_language_model_config_of(m));
    tape_refused(t, ur_language_model_forward(t, m, ids, (ur_state){0}).logits, m,
                 "language_model");
    assert_int_equal(ur_language_data_new(m->context, m, text, 1, &data, &err), UR_INVALID);
    assert_null(data);
    both_named(err.text, m->kind, "language_model");
    ur_language_model_init(m, 7);
}

static void taken_for_text_lstm(ur_tape *t, ur_model *m)
{
    const ur_ids text = {(const int32_t[]){1, 2, 3, 4, 0, 1}, 6};
    ur_next_words *data;
    ur_err err;
    assert_null(ur_text_lstm_config_of(m));
    tape_refused(t, ur_text_lstm_logits(t, m, 1, text.ids), m, "text_lstm");
    assert_int_equal(ur_next_words_new(m->context, m, text, true, &data, &err), UR_INVALID);
    assert_null(data);
    both_named(err.text, m->kind, "text_lstm");
    ur_text_lstm_init(m, 7);
}

static void taken_for_tagger(ur_tape *t, ur_model *m)
{
    const ur_ids text = {(const int32_t[]){1, 2}, 2};
    int32_t label[2];
    ur_err err;
    const ur_layout *layout = ur_new_layout(t, UR_STEP_MAJOR, 1, &text.length, NULL);
    assert_null(ur_tagger_config_of(m));
    tape_refused(t, ur_tagger_forward(t, m, ur_seq_ints(t, layout, text.ids)), m, "tagger");
    assert_int_equal(ur_tagger_apply(m->context, m, 1, &text, label, NULL, &err), UR_INVALID);
    both_named(err.text, m->kind, "tagger");
    ur_tagger_init(m, 7);
}

static void taken_for_another(void **state)
{
    (void)state;
    ur_context *context = context_of("plain", 1, NULL);
    for (size_t i = 0; i < KINDS; i++) {
        const ur_kind *kind = ur_kind_at(context, i);
        ur_model *m = small_model(context, kind);
        ur_tape *t = tape_of(context);
        ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
        if (strcmp(kind->name, "seq2seq") != 0)
            taken_for_seq2seq(t, m);
        if (strcmp(kind->name, "language_model") != 0)
            taken_for_language_model(t, m);
        if (strcmp(kind->name, "text_lstm") != 0)
            taken_for_text_lstm(t, m);
        if (!kind->has_labels)
            taken_for_tagger(t, m);
        for (size_t k = 0; k < ur_params_size(m->params); k++) /* no other kind's init was run */
            assert_true(ur_params_values(m->params)[k] == 0.0f);
        ur_model_init(m, 7);
        assert_true(ur_params_values(m->params)[0] != 0.0f);
        ur_tape_free(t);
        ur_model_free(m);
    }
    ur_context_free(context);
}

/* Weights start alike whatever way the caller rounds. */
static void rounding(void **state)
{
    (void)state;
    ur_context *context = context_of("plain", 1, NULL);
    for (size_t i = 0; i < KINDS; i++) {
        ur_model *m[2];
        for (int up = 0; up < 2; up++) {
            m[up] = small_model(context, ur_kind_at(context, i));
            if (i == 0) /* which takes a hundredth of its embeddings */
                ((ur_seq2seq_config *)m[up]->config)->init = UR_INIT_LECUN;
            fesetround(up ? FE_UPWARD : FE_TONEAREST);
            ur_model_init(m[up], 7);
            fesetround(FE_TONEAREST);
        }
        same_floats("weights", m[0]->kind->name, ur_params_data(m[0]->params),
                    ur_params_data(m[1]->params), ur_params_size(m[0]->params));
        ur_model_free(m[0]);
        ur_model_free(m[1]);
    }
    ur_context_free(context);
}

/* ---- kinds of a program's own ---------------------------------------------------------------- */

typedef struct own_config {
    size_t width;
} own_config;

static const ur_field own_fields[] = {{.name = "width",
                                       .type = UR_FIELD_SIZE,
                                       .offset = offsetof(own_config, width),
                                       .least = 1,
                                       .most = 9,
                                       .initial = "3",
                                       .help = "Weights."},
                                      {.name = NULL}};

static ur_status own_check(const void *config, ur_err *err)
{
    (void)config;
    (void)err;
    return UR_OK;
}

static ur_status own_build(ur_model *model, ur_err *err)
{
    const own_config *c = model->config;
    (void)err;
    ur_params_add(model->params, "weight", 1, &c->width, UR_TRAINABLE);
    return UR_OK;
}

static void own_init(ur_model *model, uint64_t seed)
{
    ur_param_values(model->params, 0)[0] = (float)seed;
}

static ur_tensor *own_loss(ur_tape *t, const ur_model *model, const void *data, size_t count,
                           const size_t *which, double normaliser)
{
    (void)model;
    (void)data;
    (void)count;
    (void)which;
    (void)normaliser;
    return ur_new_floats(t, 1, (const size_t[]){1}, false);
}

static size_t own_examples(const ur_model *model, const void *data)
{
    (void)model;
    (void)data;
    return 1;
}

static const ur_kind own = {.name = "own",
                            .fields = own_fields,
                            .config_size = sizeof(own_config),
                            .check = own_check,
                            .model_size = sizeof(ur_model),
                            .build = own_build,
                            .init = own_init,
                            .loss = own_loss,
                            .examples = own_examples};

static void added(void **state)
{
    (void)state;
    ur_context *context = context_of("plain", 1, NULL), *other = context_of("plain", 1, NULL);
    ur_err err;
    assert_int_equal(ur_kind_add(context, &own, &err), UR_OK);
    assert_ptr_equal(ur_kind_find(context, "own"), &own);
    assert_ptr_equal(ur_kind_at(context, KINDS), &own);
    assert_null(ur_kind_at(context, KINDS + 1));
    assert_null(ur_kind_find(other, "own"));
    assert_int_equal(ur_kind_add(context, &own, &err), UR_INVALID);
    assert_non_null(strstr(err.text, "there is one of that name"));
    ur_kind same = own;
    same.name = "tagger";
    assert_int_equal(ur_kind_add(context, &same, &err), UR_INVALID);
    ur_model *m = small_model(context, ur_kind_find(context, "seq2seq"));
    assert_int_equal(ur_model_check(m, &own, &err), UR_INVALID);
    both_named(err.text, m->kind, "own");
    ur_model_free(m);
    own_config config;
    ur_kind_defaults(&own, &config);
    assert_int_equal(config.width, 3);
    assert_int_equal(ur_model_new(context, &own, &config, &m, &err), UR_OK);
    ur_model_init(m, 5);
    assert_true(ur_params_values(m->params)[0] == 5.0f);
    ur_model_free(m);
    config.width = 10;
    assert_int_equal(ur_model_new(context, &own, &config, &m, &err), UR_INVALID);
    assert_string_equal(err.text, "own: width is 10, expected a whole number from 1 to 9");
    ur_context_free(context);
    ur_context_free(other);
}

static void incomplete(void **state)
{
    (void)state;
    ur_context *context = context_of("plain", 1, NULL);
    for (int lacks = 0; lacks < 8; lacks++) {
        ur_kind kind = own;
        ur_err err;
        kind.name = lacks == 0 ? NULL : lacks == 1 ? "" : own.name;
        kind.fields = lacks == 2 ? NULL : own.fields;
        kind.build = lacks == 3 ? NULL : own.build;
        kind.init = lacks == 4 ? NULL : own.init;
        kind.loss = lacks == 5 ? NULL : own.loss;
        kind.examples = lacks == 6 ? NULL : own.examples;
        kind.model_size = lacks == 7 ? sizeof(ur_model) - 1 : own.model_size;
        assert_int_equal(ur_kind_add(context, &kind, &err), UR_INVALID);
        assert_non_null(strstr(err.text, "are needed"));
    }
    assert_null(ur_kind_at(context, KINDS));
    ur_context_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables),        cmocka_unit_test(figures),
        cmocka_unit_test(ends),          cmocka_unit_test(defaults_pass),
        cmocka_unit_test(no_vocabulary), cmocka_unit_test(automatic),
        cmocka_unit_test(added),         cmocka_unit_test(taken_for_another),
        cmocka_unit_test(incomplete),    cmocka_unit_test(rounding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
