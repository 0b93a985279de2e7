/* test_config.c - config.json: the configuration of every kind, and the settings of training,
 * there and back by their tables; everything that can be wrong with them; what version 1 wrote. */
#include "run/run.h"

#include "run/runs.h"
#include "run/tables.h"
#include "support/failing_alloc.h"
#include "text/bpe.h"
#include "text/vocabulary.h"
#include "unroll/language.h"
#include "unroll/tagger.h"
#include "unroll/translation.h"

#include "base/alloc.h"
#include "io/fields.h"

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

static const ur_allocator *allocator(void)
{
    return ur_context_allocator(context);
}

/* The caller frees. */
static char *print(const ur_kind *kind, const void *config, const ur_run_settings *settings)
{
    char *text;
    assert_int_equal(ur_config_print(allocator(), kind, config, settings, NULL, &text, NULL),
                     UR_OK);
    char *copy = strdup(text);
    assert_non_null(copy);
    ur_free(allocator(), text);
    return copy;
}

/* What was read from a text. */
typedef struct parsed {
    const ur_kind *kind;
    void *config;
    ur_run_settings settings;
} parsed;

static ur_status parse(const char *text, parsed *p, ur_err *err)
{
    memset(p, 0x5a, sizeof *p);
    return ur_config_parse(context, "config.json", text, strlen(text), &p->kind, &p->config,
                           &p->settings, err);
}

static void parsed_free(parsed *p)
{
    ur_fields_free(allocator(), p->kind->fields, p->config);
    ur_free(allocator(), p->config);
    ur_fields_free(allocator(), ur_run_settings_fields(), &p->settings);
}

static void *default_config(const ur_kind *kind)
{
    void *config = calloc(1, kind->config_size);
    assert_non_null(config);
    ur_kind_defaults(kind, config);
    return config;
}

/* Settings as a run has them: data is named. */
static ur_run_settings default_settings(const ur_kind *kind)
{
    ur_run_settings s = ur_run_defaults(kind);
    s.data = "data.txt";
    return s;
}

static void same_members(const ur_field *fields, const void *want, const void *got)
{
    for (const ur_field *f = fields; f->name; f++) {
        char a[512], b[512];
        ur_field_print(f, want, a, sizeof a);
        ur_field_print(f, got, b, sizeof b);
        if (strcmp(a, b) != 0)
            fail_msg("%s was %s and came back as %s", f->name, a, b);
    }
}

/* Printed, read and printed again it is the same text, byte for byte. */
static void there_and_back(const ur_kind *kind, const void *config, const ur_run_settings *settings)
{
    ur_err err;
    parsed p;
    char *text = print(kind, config, settings);
    if (parse(text, &p, &err) != UR_OK)
        fail_msg("%s\n%s", err.text, text);
    assert_ptr_equal(p.kind, kind);
    same_members(kind->fields, config, p.config);
    same_members(ur_run_settings_fields(), settings, &p.settings);
    char *again = print(kind, p.config, &p.settings);
    assert_string_equal(again, text);
    free(again);
    free(text);
    parsed_free(&p);
}

/* ---- the members have their keys ------------------------------------------------------------- */

/* A table could give two members each other's key without anything above seeing it. */
static void keys_of_members(void **state)
{
    (void)state;
    static const char *const lines[] = {"\"vocabulary_size\": 59",
                                        "\"embed_size\": 17",
                                        "\"hidden_size\": 130",
                                        "\"cell\": \"rnn_relu\"",
                                        "\"layers\": 3",
                                        "\"decoder_layers\": 1",
                                        "\"bidirectional\": \"concat\"",
                                        "\"proj_size\": 0",
                                        "\"attention\": \"none\"",
                                        "\"peeky\": true",
                                        "\"decoder_start\": \"h\"",
                                        "\"dropout\": 0.25",
                                        "\"recurrent_dropout\": 0.375",
                                        "\"zoneout_h\": 0.125",
                                        "\"zoneout_c\": 0.5",
                                        "\"bias\": false",
                                        "\"init\": \"lecun\"",
                                        "\"form\": \"ragged\"",
                                        "\"strip\": true",
                                        "\"reverse_input\": true",
                                        "\"reverse_answer\": \"yes\"",
                                        "\"question_width\": 0",
                                        "\"answer_steps\": 12",
                                        "\"start\": 7",
                                        "\"end\": 1",
                                        "\"data\": \"builtin:dates\"",
                                        "\"valid\": \"other\"",
                                        "\"size\": 1000",
                                        "\"valid_size\": 200",
                                        "\"batch\": 31",
                                        "\"epochs\": 32",
                                        "\"max_steps\": 33",
                                        "\"optimizer\": \"sgd\"",
                                        "\"lr\": 0.0123456789012345",
                                        "\"beta1\": 0.7",
                                        "\"beta2\": 0.8",
                                        "\"eps\": 1e-07",
                                        "\"momentum\": 0.5",
                                        "\"nesterov\": true",
                                        "\"weight_decay\": 0.01",
                                        "\"clip\": 5.0",
                                        "\"seed\": -6",
                                        "\"schedule\": \"cosine\"",
                                        "\"lr_epochs\": 11",
                                        "\"lr_factor\": 0.3",
                                        "\"lr_patience\": 12",
                                        "\"lr_min\": 0.001",
                                        "\"warmup_steps\": 13",
                                        "\"early_stop\": 14"};
    const ur_seq2seq_config c = {.vocabulary = 59,
                                 .embed_size = 17,
                                 .hidden_size = 130,
                                 .cell = "rnn_relu",
                                 .layers = 3,
                                 .decoder_layers = 1,
                                 .directions = UR_BOTH_CONCAT,
                                 .attention = UR_ATTENTION_NONE,
                                 .peeky = true,
                                 .decoder_start = UR_START_H,
                                 .dropout = 0.25f,
                                 .recurrent_dropout = 0.375f,
                                 .zoneout_h = 0.125f,
                                 .zoneout_c = 0.5f,
                                 .init = UR_INIT_LECUN,
                                 .format = {.form = UR_PAIRS_RAGGED,
                                            .strip = true,
                                            .reverse_input = true,
                                            .answer_order = UR_ANSWER_REVERSED,
                                            .answer_steps = 12,
                                            .start = 7,
                                            .end = 1}};
    const ur_run_settings s = {.data = "builtin:dates",
                               .valid = "other",
                               .size = 1000,
                               .valid_size = 200,
                               .train = {.batch = 31,
                                         .accumulate = 1,
                                         .epochs = 32,
                                         .max_steps = 33,
                                         .optimizer = UR_SGD,
                                         .lr = 0.0123456789012345,
                                         .beta1 = 0.7,
                                         .beta2 = 0.8,
                                         .eps = 1e-7,
                                         .momentum = 0.5,
                                         .nesterov = true,
                                         .weight_decay = 0.01,
                                         .clip = 5.0,
                                         .seed = UINT64_MAX - 5,
                                         .schedule = UR_LR_COSINE,
                                         .lr_epochs = 11,
                                         .lr_factor = 0.3,
                                         .lr_patience = 12,
                                         .lr_min = 0.001,
                                         .warmup_steps = 13,
                                         .early_stop = 14}};
    const ur_kind *kind = ur_kind_find(NULL, "seq2seq");
    char *text = print(kind, &c, &s);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (!strstr(text, lines[i]))
            fail_msg("no %s in %s", lines[i], text);
    there_and_back(kind, &c, &s);
    free(text);
}

/* Without its part on training a text is read where that is not asked for. */
static void models_alone(void **state)
{
    (void)state;
    const ur_kind *kind;
    for (size_t i = 0; (kind = ur_kind_at(NULL, i)); i++) {
        void *config = default_config(kind);
        ur_err err;
        parsed p;
        char *text = print(kind, config, NULL);
        assert_null(strchr(text, '\n'));
        assert_int_equal(parse(text, &p, &err), UR_BAD_FILE);
        assert_non_null(strstr(err.text, "training"));
        assert_int_equal(ur_config_parse(context, "config.json", text, strlen(text), &p.kind,
                                         &p.config, NULL, &err),
                         UR_OK);
        same_members(kind->fields, config, p.config);
        ur_fields_free(allocator(), kind->fields, p.config);
        ur_free(allocator(), p.config);
        free(text);
        free(config);
    }
}

/* ---- every value ------------------------------------------------------------------------------ */

/* The values that each field of a table went there and back with: whether two different ones. */
typedef struct seen {
    char first[TABLE_MOST][300];
    bool several[TABLE_MOST];
} seen;

static void see(seen *s, const ur_field *fields, const void *config)
{
    for (size_t i = 0; fields[i].name; i++) {
        char value[256];
        ur_field_print(&fields[i], config, value, sizeof value);
        if (!*s->first[i])
            snprintf(s->first[i], sizeof s->first[i], "=%s", value);
        else if (strcmp(s->first[i] + 1, value) != 0)
            s->several[i] = true;
    }
}

/* Each field of the table, which stands in `config`, at the ends of its range, the others as they are;
 * what the kind's rules across fields refuse is left out. */
static void at_the_ends(const ur_kind *kind, void *config, ur_run_settings *settings, bool training,
                        seen *s)
{
    const ur_field *fields = training ? ur_run_settings_fields() : kind->fields;
    void *members = training ? (void *)settings : config;
    const size_t size = training ? sizeof *settings : kind->config_size;
    void *kept = malloc(size);
    char value[TABLE_TEXT];
    assert_non_null(kept);
    memcpy(kept, members, size);
    for (const ur_field *f = fields; f->name; f++)
        for (size_t i = 0; table_value(f, i, value); i++) {
            ur_err err;
            if (ur_field_set(f, members, value, &err) != UR_OK)
                fail_msg("%s = %s: %s", f->name, value, err.text);
            if (ur_kind_check(kind, config, NULL) == UR_OK) {
                there_and_back(kind, config, settings);
                see(s, fields, members);
            }
            memcpy(members, kept, size);
        }
    free(kept);
}

/* Changes a field at a time, back where the kind refuses; texts live in `texts`. */
static bool wander(const ur_field *fields, void *config, double most, uint64_t *state,
                   char texts[TABLE_MOST][TABLE_TEXT])
{
    const size_t i = table_random(state) % table_count(fields);
    const ur_field *f = &fields[i];
    char value[TABLE_TEXT];
    ur_err err;
    table_draw(f, most, state, value);
    if (f->type == UR_FIELD_TEXT)
        memcpy(texts[i], value, sizeof value);
    if (ur_field_set(f, config, f->type == UR_FIELD_TEXT ? texts[i] : value, &err) == UR_OK)
        return true;
    fail_msg("%s = %s: %s", f->name, value, err.text);
    return false;
}

static void at_random(const ur_kind *kind, void *config, ur_run_settings *settings, seen *model,
                      seen *training)
{
    enum { WALK = 1000, AGAIN = 200 }; /* steps; after how many it begins anew */
    char texts[2][TABLE_MOST][TABLE_TEXT];
    void *kept = malloc(kind->config_size), *start = malloc(kind->config_size);
    uint64_t random = 2718, training_random = 1414; /* a field more in one table moves one walk */
    size_t taken = 0;
    assert_true(kept && start);
    memcpy(start, config, kind->config_size);
    for (int i = 0; i < WALK; i++) {
        if (i % AGAIN == 0) /* some values rule out others for good */
            memcpy(config, start, kind->config_size);
        memcpy(kept, config, kind->config_size);
        wander(kind->fields, config, 1e300, &random, texts[0]);
        wander(ur_run_settings_fields(), settings, 1e300, &training_random, texts[1]);
        if (ur_kind_check(kind, config, NULL) != UR_OK) {
            memcpy(config, kept, kind->config_size);
            continue;
        }
        there_and_back(kind, config, settings);
        see(model, kind->fields, config);
        see(training, ur_run_settings_fields(), settings);
        taken++;
    }
    if (taken < WALK / 4)
        fail_msg("%s: its rules leave %zu of %d random settings", kind->name, taken, WALK);
    memcpy(config, start, kind->config_size);
    free(kept);
    free(start);
}

/* Members that have one value, for programs that ask for them. */
static bool is_constant(const ur_field *f)
{
    static const char *const names[] = {"model_type", "position_embedding_type", "is_decoder",
                                        "add_cross_attention"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(f->name, names[i]) == 0)
            return true;
    return false;
}

static void all_seen(const char *kind, const ur_field *fields, const seen *s)
{
    for (size_t i = 0; fields[i].name; i++)
        if (!s->several[i] && !is_constant(&fields[i]))
            fail_msg("%s: of %s there was only one value", kind, fields[i].name);
}

/* Values that rules across fields allow beside others alone, which a walk seldom meets. */
static void together(const ur_kind *kind, void *config, ur_run_settings *settings, seen *s)
{
    static const ur_setting sets[][3] = {{{"layers", "2"}, {"decoder_layers", "2"}, {NULL, NULL}},
                                         {{"proj_size", "3"}, {NULL, NULL}}};
    void *kept = malloc(kind->config_size);
    assert_non_null(kept);
    memcpy(kept, config, kind->config_size);
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        if (ur_fields_apply(kind->fields, config, sets[i], NULL) == UR_OK &&
            ur_kind_check(kind, config, NULL) == UR_OK) {
            there_and_back(kind, config, settings);
            see(s, kind->fields, config);
        }
        memcpy(config, kept, kind->config_size);
    }
    free(kept);
}

static void every_value(void **state)
{
    (void)state;
    const ur_kind *kind;
    for (size_t i = 0; (kind = ur_kind_at(NULL, i)); i++) {
        static seen model, training;
        void *config = default_config(kind);
        ur_run_settings settings = default_settings(kind);
        memset(&model, 0, sizeof model);
        memset(&training, 0, sizeof training);
        assert_int_equal(ur_kind_check(kind, config, NULL), UR_OK);
        there_and_back(kind, config, &settings);
        at_the_ends(kind, config, &settings, false, &model);
        at_the_ends(kind, config, &settings, true, &training);
        together(kind, config, &settings, &model);
        at_random(kind, config, &settings, &model, &training);
        all_seen(kind->name, kind->fields, &model);
        all_seen("training", ur_run_settings_fields(), &training);
        free(config);
    }
}

/* ---- models of any configuration -------------------------------------------------------------- */

/* Words with the reserved ones that some kind needs, or names of labels. */
static ur_vocabulary *words_of(size_t count)
{
    char text[1024] = "<unk>\n<bos>\n<eos>\n<end>\n";
    ur_vocabulary *words;
    ur_err err;
    size_t end = 0;
    for (int i = 0; i < 60; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "w%d\n", i);
    for (size_t lines = 0; lines < count; end++)
        lines += text[end] == '\n';
    if (ur_vocabulary_parse(allocator(), "words", text, end, &words, &err) != UR_OK)
        fail_msg("%s", err.text);
    return words;
}

/* A member that the data decides, of those that every kind with such data has. */
static size_t size_of(const ur_kind *kind, const void *config, const char *name)
{
    char text[64];
    const ur_field *f = ur_field_find(kind->fields, name);
    if (f)
        ur_field_print(f, config, text, sizeof text);
    return f ? strtoul(text, NULL, 10) : 0;
}

static size_t vocabulary_of(const ur_kind *kind, const void *config)
{
    return size_of(kind, config, kind->pieces ? "vocab_size" : "vocabulary_size");
}

/* Special tokens of either form, and one more. */
static ur_wordpiece *pieces_of(const ur_kind *kind, const void *config)
{
    char text[200] = "word\n";
    ur_wordpiece_options options;
    ur_wordpiece *pieces;
    kind->pieces(config, &options);
    for (int i = 0; i < UR_SPECIALS; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s\n", options.special[i]);
    assert_int_equal(
        ur_wordpiece_parse(allocator(), "pieces", text, strlen(text), &options, &pieces, NULL),
        UR_OK);
    return pieces;
}

/* What a kind with two languages has beside its vocabulary: the target's, and merges, of which there are
 * none. */
static void add_languages(const ur_kind *kind, const void *config, ur_assets *assets)
{
    static const char codes[] = "#version: 0.2\n";
    const ur_translation_config *c = config;
    if (strcmp(kind->name, "translation") != 0)
        return;
    if (!c->text.joint && c->target_vocabulary)
        assets->languages.target = words_of(c->target_vocabulary);
    if (c->text.merges || c->text.codes)
        assert_int_equal(ur_bpe_parse(allocator(), "codes", codes, strlen(codes),
                                      &assets->languages.source_bpe, NULL),
                         UR_OK);
}

/* What a run that was opened from the file holds is what was saved. */
static void opened_again(const ur_run *saved, const char *path)
{
    const ur_model *model = saved->assets.model;
    ur_run *run = run_opened(context, path);
    const ur_model *opened = ur_run_model(run);
    assert_ptr_equal(ur_run_kind(run), saved->assets.kind);
    same_members(saved->assets.kind->fields, model->config, opened->config);
    same_members(saved->assets.kind->fields, model->config, ur_run_assets(run)->config);
    assert_int_equal(ur_params_count(opened->params), ur_params_count(model->params));
    for (size_t i = 0; i < ur_params_count(model->params); i++) {
        const ur_param *a = ur_params_entry(model->params, i),
                       *b = ur_params_entry(opened->params, i);
        assert_string_equal(a->name, b->name);
        assert_int_equal(a->count, b->count);
        assert_memory_equal(ur_param_values(model->params, (int)i),
                            ur_param_values(opened->params, (int)i), a->count * sizeof(float));
    }
    char *text = print(saved->assets.kind, model->config, NULL);
    assert_string_equal(ur_run_config_text(run), text);
    free(text);
    ur_run_free(run);
}

/* Makes the model of a configuration that some data could have led to, and opens it again from a file
 * of its own, unless it is large; whether it did. */
static bool made_and_opened(const ur_kind *kind, void *config, const ur_run_settings *settings)
{
    enum { LARGE = 1000000 };
    char folder[] = ".";
    ur_run run = {.context = context, .a = allocator(), .folder = folder};
    ur_err err;
    bool done = false;
    run.assets = (ur_assets){.context = context, .kind = kind, .config = config};
    if (kind->pieces)
        run.assets.wordpiece = pieces_of(kind, config);
    else
        run.assets.vocabulary = words_of(vocabulary_of(kind, config));
    run.assets.labels = kind->has_labels ? words_of(size_of(kind, config, "labels")) : NULL;
    add_languages(kind, config, &run.assets);
    if (!kind->fits || kind->fits(&run.assets, NULL) == UR_OK) {
        if (ur_model_new(context, kind, config, &run.assets.model, &err) != UR_OK)
            fail_msg("%s: %s", kind->name, err.text);
        run.assets.config = run.assets.model->config;
        there_and_back(kind, run.assets.config, settings);
        done = ur_params_size(run.assets.model->params) < LARGE;
    }
    if (done) {
        ur_model_init(run.assets.model, 5);
        assert_int_equal(ur_run_save_model(&run, &err), UR_OK);
        opened_again(&run, "model.safetensors");
    }
    ur_vocabulary_free(run.assets.vocabulary);
    ur_wordpiece_free(run.assets.wordpiece);
    ur_vocabulary_free(run.assets.labels);
    ur_languages_free(&run.assets.languages);
    ur_model_free(run.assets.model);
    return done;
}

/* Small models whose configurations are drawn at random. */
static void random_models(void **state)
{
    enum { ENOUGH = 60 };
    (void)state;
    const ur_kind *kind;
    for (size_t k = 0; (kind = ur_kind_at(NULL, k)); k++) {
        char texts[TABLE_MOST][TABLE_TEXT];
        void *config = default_config(kind), *kept = malloc(kind->config_size);
        const ur_run_settings settings = default_settings(kind);
        uint64_t random = 2718;
        size_t opened = 0;
        assert_non_null(kept);
        for (int i = 0; i < 10000 && opened < ENOUGH; i++) {
            memcpy(kept, config, kind->config_size);
            wander(kind->fields, config, 14.0, &random, texts);
            if (ur_kind_check(kind, config, NULL) != UR_OK)
                memcpy(config, kept, kind->config_size);
            else if (vocabulary_of(kind, config) >= (kind->pieces ? 6 : 2) &&
                     (!kind->has_labels || size_of(kind, config, "labels")))
                opened += made_and_opened(kind, config, &settings);
        }
        if (opened < ENOUGH)
            fail_msg("only %zu models of kind %s were opened", opened, kind->name);
        free(kept);
        free(config);
    }
}

/* ---- what is refused -------------------------------------------------------------------------- */

/* The text does not read, for a reason that names the file and `part`; the text is freed. */
static void refused(char *text, const char *part)
{
    ur_err err = {UR_OK, ""};
    parsed p;
    const ur_status status = parse(text, &p, &err);
    if (status != UR_BAD_FILE)
        fail_msg("%s: %s with\n%s", part, ur_status_name(status), text);
    if (!strstr(err.text, part) || strncmp(err.text, "config.json:", 12) != 0)
        fail_msg("\"%s\" does not name config.json and %s", err.text, part);
    assert_null(p.config);
    same_members(ur_run_settings_fields(), &(ur_run_settings){.data = NULL},
                 &(ur_run_settings){.data = p.settings.data, .valid = p.settings.valid});
    assert_int_equal(parse(text, &p, NULL), UR_BAD_FILE);
    free(text);
}

static void accepted(char *text)
{
    ur_err err;
    parsed p;
    if (parse(text, &p, &err) != UR_OK)
        fail_msg("%s\n%s", err.text, text);
    parsed_free(&p);
    free(text);
}

/* Every way in which one member can be wrong. */
static void one_member(const char *text, const char *object, const ur_field *f)
{
    const char *key = table_key(f);
    char bad[TABLE_TEXT], other[TABLE_TEXT], member[3 * TABLE_TEXT];
    char *missing = table_replaced(text, object, key, NULL);
    if (f->absent)
        accepted(missing);
    else
        refused(missing, key);
    snprintf(other, sizeof other, "%s_", key);
    snprintf(member, sizeof member, "\"%s\": 1", other);
    refused(table_replaced(text, object, key, member), other);
    snprintf(member, sizeof member, "\"surplus\": null, \"%s\": 1", key);
    refused(table_replaced(text, object, key, member), "surplus");
    snprintf(member, sizeof member, "\"%s\": 1, \"%s\": 1", key, key);
    /* the reader shows 20 bytes of what it refuses */
    refused(table_replaced(text, object, key, member), strlen(key) < 18 ? key : "duplicate");
    for (size_t i = 0; table_bad(f, i, bad); i++) {
        snprintf(member, sizeof member, "\"%s\": %s", key, bad);
        refused(table_replaced(text, object, key, member), key);
    }
}

static void every_key_counts(void **state)
{
    (void)state;
    const ur_kind *kind;
    for (size_t i = 0; (kind = ur_kind_at(NULL, i)); i++) {
        void *config = default_config(kind);
        const ur_run_settings settings = default_settings(kind);
        char *text = print(kind, config, &settings);
        for (const ur_field *f = kind->fields; f->name; f++) {
            char object[TABLE_TEXT];
            table_object(f, object);
            one_member(text, object, f);
        }
        for (const ur_field *f = ur_run_settings_fields(); f->name; f++)
            one_member(text, "training", f);
        static const char *const root[][3] = {{"version", NULL, "version"},
                                              {"version", "0", "version"},
                                              {"version", "3", "version"},
                                              {"version", "\"2\"", "version"},
                                              {"version", "2.0", "version"},
                                              {"model", NULL, "model"},
                                              {"model", "\"oak\"", "model"},
                                              {"model", "1", "model"},
                                              {"model", "\"\"", "model"},
                                              {"model", "null", "model"},
                                              {"training", "3, \"surplus\": {", "surplus"},
                                              {"training", "{\"surplus\": 1,", "surplus"}};
        for (size_t k = 0; k < sizeof root / sizeof *root; k++) {
            char member[TABLE_TEXT];
            snprintf(member, sizeof member, "\"%s\": %s", root[k][0], root[k][1] ? root[k][1] : "");
            char *wrong = table_replaced(text, "", root[k][0], root[k][1] ? member : NULL);
            refused(wrong, root[k][2]);
        }
        free(text);
        free(config);
    }
}

/* Values that the tables must not take; most of the limits are part of the interface. */
static void values_out_of_range(void **state)
{
    (void)state;
    static const char *const bad[][3] = {{"", "vocabulary_size", "4194305"},
                                         {"", "embed_size", "65537"},
                                         {"", "hidden_size", "0"},
                                         {"", "hidden_size", "\"128\""},
                                         {"", "layers", "0"},
                                         {"", "attention", "\"DOT\""},
                                         {"", "decoder_start", "\"c\""},
                                         {"", "dropout", "1"},
                                         {"", "dropout", "-0.1"},
                                         {"", "zoneout_c", "1"},
                                         {"", "cell", "\"elman\""},
                                         {"text", "form", "\"free\""},
                                         {"text", "reverse_answer", "true"},
                                         {"text", "question_width", "65537"},
                                         {"text", "start", "-1"},
                                         {"text", "end", "-2"},
                                         {"training", "batch", "0"},
                                         {"training", "batch", "1048577"},
                                         {"training", "lr", "0"},
                                         {"training", "lr", "1e7"},
                                         {"training", "beta1", "1"},
                                         {"training", "beta2", "-1"},
                                         {"training", "eps", "0"},
                                         {"training", "clip", "-1"},
                                         {"training", "seed", "1e30"},
                                         {"training", "optimizer", "\"rmsprop\""},
                                         {"training", "schedule", "\"root\""},
                                         {"training", "lr_epochs", "0"},
                                         {"training", "lr_factor", "1"},
                                         {"training", "early_stop", "null"}};
    const ur_kind *kind = ur_kind_find(NULL, "seq2seq");
    void *config = default_config(kind);
    const ur_run_settings settings = default_settings(kind);
    char *text = print(kind, config, &settings);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char member[128];
        snprintf(member, sizeof member, "\"%s\": %s", bad[i][1], bad[i][2]);
        refused(table_replaced(text, bad[i][0], bad[i][1], member), bad[i][1]);
    }
    free(text);
    free(config);
}

static void not_json(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    "{", "[]", "null", "{}", "{} {}", "{\"version\": 1}",
                                      "\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ur_err err = {UR_OK, ""};
        parsed p;
        assert_int_equal(parse(bad[i], &p, &err), UR_BAD_FILE);
        assert_true(strstr(err.text, "config.json") == err.text);
    }
}

/* A key that may be missing means what the table says; all of them at once, too. */
static void missing_keys(void **state)
{
    (void)state;
    const ur_kind *kind;
    for (size_t i = 0; (kind = ur_kind_at(NULL, i)); i++) {
        void *want = default_config(kind);
        ur_run_settings settings = default_settings(kind);
        char *printed = print(kind, want, &settings), *text = strdup(printed);
        const ur_field *tables[] = {kind->fields, ur_run_settings_fields()};
        void *const members[] = {want, &settings};
        size_t removed = 0;
        for (int t = 0; t < 2; t++)
            for (const ur_field *f = tables[t]; f->name; f++) {
                char object[TABLE_TEXT] = "training";
                if (!f->absent)
                    continue;
                if (t == 0)
                    table_object(f, object);
                char *less = table_replaced(text, object, table_key(f), NULL);
                free(text);
                text = less;
                if (f->type != UR_FIELD_TEXT)
                    assert_int_equal(ur_field_set(f, members[t], f->absent, NULL), UR_OK);
                else if (!*f->absent) /* which a kind may have another default for */
                    memcpy((char *)members[t] + f->offset, &(char *){NULL}, sizeof(char *));
                ur_err err;
                parsed p;
                if (parse(text, &p, &err) != UR_OK)
                    fail_msg("without %s: %s\n%s", f->name, err.text, text);
                same_members(kind->fields, want, p.config);
                same_members(tables[1], &settings, &p.settings);
                parsed_free(&p);
                removed++;
            }
        assert_true(removed > 6);
        free(text);
        free(printed);
        free(want);
    }
}

/* ---- version 1 -------------------------------------------------------------------------------- */

#define OLD_TRAINING                                                                               \
    "\"training\": {\"data\": \"p.txt\", \"valid\": null, \"size\": 0, \"valid_size\": 0, "        \
    "\"batch\": 32, \"epochs\": 1, \"max_steps\": 0, \"optimizer\": \"adam\", \"lr\": 0.002, "     \
    "\"beta1\": 0.9, \"beta2\": 0.999, \"eps\": 1e-08, \"momentum\": 0.0, \"nesterov\": false, "   \
    "\"weight_decay\": 0.0, \"clip\": 1.0, \"seed\": -3"

/* Texts as version 0.1 wrote them, and what they say ("training.x": of the settings). */
static const struct {
    const char *text;
    ur_setting says[14];
} old[] = {
    {"{\"version\": 1, \"model\": \"seq2seq\", \"vocabulary_size\": 5, \"embed_size\": 16, "
     "\"hidden_size\": 12, \"attention\": \"dot\", \"peeky\": false, \"decoder_start\": \"h\", "
     "\"dropout\": 0.0, \"text\": {\"form\": \"fixed\", \"strip\": false, \"reverse_input\": true, "
     "\"reverse_answer\": \"with-start\", \"question_width\": 3, \"answer_steps\": 1, \"start\": "
     "2, "
     "\"end\": -1}, " OLD_TRAINING "}}",
     {{"cell", "lstm"},
      {"layers", "1"},
      {"decoder_layers", "1"},
      {"bidirectional", "no"},
      {"proj_size", "0"},
      {"recurrent_dropout", "0"},
      {"zoneout_h", "0"},
      {"bias", "true"},
      {"init", "pytorch"},
      {"text.reverse_answer", "with-start"},
      {"training.seed", "18446744073709551613"},
      {"training.schedule", "constant"}}},
    {"{\"version\": 1, \"model\": \"seq2seq\", \"vocabulary_size\": 5, \"embed_size\": 16, "
     "\"hidden_size\": 12, \"cell\": \"rnn_tanh\", \"layers\": 2, \"decoder_layers\": 2, "
     "\"bidirectional\": \"concat\", \"proj_size\": 0, \"attention\": \"none\", \"peeky\": true, "
     "\"decoder_start\": \"h\", \"dropout\": 0.25, \"recurrent_dropout\": 0.5, \"zoneout_h\": 0.0, "
     "\"zoneout_c\": 0.0, \"bias\": false, \"init\": \"lecun\", \"text\": {\"form\": \"ragged\", "
     "\"strip\": true, \"reverse_input\": false, \"reverse_answer\": \"no\", \"question_width\": "
     "0, "
     "\"answer_steps\": 9, \"start\": 0, \"end\": 1}, " OLD_TRAINING
     ", \"schedule\": \"step\", \"lr_epochs\": 3, \"lr_factor\": 0.5, \"warmup_steps\": 8}}",
     {{"cell", "rnn_tanh"},
      {"bidirectional", "concat"},
      {"bias", "false"},
      {"text.form", "ragged"},
      {"training.schedule", "step"},
      {"training.lr_epochs", "3"},
      {"training.lr_factor", "0.5"},
      {"training.lr_patience", "10"},
      {"training.lr_min", "0"},
      {"training.warmup_steps", "8"},
      {"training.early_stop", "0"}}},
    {"{\"version\": 1, \"model\": \"language_model\", \"vocabulary_size\": 28, \"cell\": \"lstm\", "
     "\"embed_size\": 0, \"hidden_size\": 3, \"layers\": 1, \"bidirectional\": false, "
     "\"tied\": false, \"dropout\": 0.0, \"bptt\": 35, \"sampling\": \"sequential\", "
     "\"keep_tail\": false, \"text\": {\"tokenizer\": \"characters\", \"letters_only\": false, "
     "\"lower\": false, \"line_ends\": false, \"min_freq\": 0, \"max_size\": 0, \"max_tokens\": 0, "
     "\"valid_split\": 0.2}, " OLD_TRAINING
     ", \"schedule\": \"plateau\", \"lr_factor\": 0.1, \"lr_patience\": 4, \"lr_min\": 0.0}}",
     {{"text.tokenizer", "char"},
      {"text.line_ends", "false"},
      {"text.min_freq", "0"},
      {"text.valid_split", "0.2"},
      {"embed_size", "0"},
      {"training.schedule", "plateau"},
      {"training.lr_patience", "4"}}},
    {"{\"version\": 1, \"model\": \"language_model\", \"vocabulary_size\": 52, "
     "\"cell\": \"gru_original\", \"embed_size\": 3, \"hidden_size\": 3, \"layers\": 1, "
     "\"bidirectional\": true, \"tied\": false, \"dropout\": 0.0, \"bptt\": 35, "
     "\"sampling\": \"random\", \"keep_tail\": true, \"text\": {\"tokenizer\": "
     "\"words-punctuation\", \"letters_only\": false, \"lower\": true, \"line_ends\": true, "
     "\"min_freq\": 2, \"max_size\": 100, \"max_tokens\": 0, \"valid_split\": 0.0}, " OLD_TRAINING
     ", \"early_stop\": 7}}",
     {{"text.tokenizer", "word-punct"},
      {"text.line_ends", "true"},
      {"sampling", "random"},
      {"bidirectional", "true"},
      {"training.early_stop", "7"}}},
    {"{\"version\": 1, \"model\": \"text_lstm\", \"vocabulary_size\": 51, \"context\": 3, "
     "\"embed_size\": 2, \"hidden_size\": 3, \"layers\": 1, \"bias_init\": \"one\", "
     "\"output_from\": \"gate\", \"most_state_bytes\": 4294967295, \"text\": {\"tokenizer\": "
     "\"words\", \"letters_only\": false, \"lower\": false, \"line_ends\": true, \"min_freq\": 0, "
     "\"max_size\": 0, \"max_tokens\": 0, \"valid_split\": 0.0}, " OLD_TRAINING "}}",
     {{"text.tokenizer", "word"},
      {"context", "3"},
      {"bias_init", "one"},
      {"output_from", "gate"},
      {"most_state_bytes", "4294967295"}}},
    {"{\"version\": 1, \"model\": \"tagger\", \"vocabulary_size\": 2, \"labels\": 2, "
     "\"embed_size\": 64, \"hidden_size\": 3, \"cell\": \"lstm\", \"layers\": 1, "
     "\"bidirectional\": \"average\", \"dropout\": 0.0, \"text\": {\"tokenizer\": \"words\", "
     "\"letters_only\": false, \"lower\": false, \"min_freq\": 2, \"max_size\": 0}, " OLD_TRAINING
     "}}",
     {{"text.tokenizer", "word"}, {"bidirectional", "average"}, {"labels", "2"}}},
    {"{\"version\": 1, \"model\": \"classifier\", \"vocabulary_size\": 2, \"labels\": 2, "
     "\"embed_size\": 64, \"hidden_size\": 3, \"cell\": \"gru\", \"layers\": 1, "
     "\"bidirectional\": \"no\", \"dropout\": 0.0, \"text\": {\"tokenizer\": "
     "\"words-punctuation\", \"letters_only\": true, \"lower\": false, \"min_freq\": 2, "
     "\"max_size\": 0}, " OLD_TRAINING "}}",
     {{"text.tokenizer", "word-punct"}, {"text.letters_only", "true"}, {"bidirectional", "no"}}},
};

static void version_1(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof old / sizeof *old; i++) {
        ur_err err;
        parsed p;
        if (parse(old[i].text, &p, &err) != UR_OK)
            fail_msg("%s", err.text);
        for (const ur_setting *s = old[i].says; s->name; s++) {
            const bool training = strncmp(s->name, "training.", 9) == 0;
            const char *name = s->name + (training ? 9 : 0);
            const ur_field *f =
                ur_field_find(training ? ur_run_settings_fields() : p.kind->fields, name);
            char value[64];
            assert_non_null(f);
            ur_field_print(f, training ? &p.settings : p.config, value, sizeof value);
            if (strcmp(value, s->value) != 0)
                fail_msg("%s: %s is %s, not %s", p.kind->name, s->name, value, s->value);
        }
        if (ur_kind_check(p.kind, p.config, &err) != UR_OK)
            fail_msg("%s", err.text);
        there_and_back(p.kind, p.config, &p.settings); /* as version 2 */
        parsed_free(&p);
    }
}

/* ---- memory ----------------------------------------------------------------------------------- */

static ur_status both_ways(const ur_allocator *a, ur_err *err, void *arg)
{
    const ur_options options = {.allocator = a, .threads = 1};
    const ur_kind *kind = arg;
    void *config = default_config(kind), *read = NULL;
    ur_run_settings settings = default_settings(kind);
    char *text = NULL;
    ur_context *own;
    settings.valid = "valid.txt";
    ur_status status = ur_context_new(&options, &own, err);
    if (status == UR_OK) {
        status = ur_config_print(a, kind, config, &settings, NULL, &text, err);
        if (status == UR_OK)
            status = ur_config_parse(own, "config.json", text, strlen(text), &kind, &read,
                                     &settings, err);
        if (status == UR_OK) {
            ur_fields_free(a, kind->fields, read);
            ur_fields_free(a, ur_run_settings_fields(), &settings);
        }
        ur_free(a, read);
        ur_free(a, text);
        ur_context_free(own);
    }
    free(config);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    const ur_kind *kind;
    for (size_t i = 0; (kind = ur_kind_at(NULL, i)); i++)
        assert_true(failing_alloc_sweep(both_ways, (void *)(uintptr_t)kind) > 5);
}

int main(void)
{
#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter, leave)
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(keys_of_members),  IN_A_FOLDER(models_alone),
        IN_A_FOLDER(every_value),      IN_A_FOLDER(random_models),
        IN_A_FOLDER(every_key_counts), IN_A_FOLDER(values_out_of_range),
        IN_A_FOLDER(not_json),         IN_A_FOLDER(missing_keys),
        IN_A_FOLDER(version_1),        IN_A_FOLDER(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
