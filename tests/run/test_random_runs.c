/* test_random_runs.c - settings drawn at random from the tables, of all kinds: what is accepted is created,
 * trained, saved, opened and resumed, and its settings come back; what is too large for the memory there is,
 * or does not fit the data, is refused with a sentence.
 *
 *     test_run_random_runs [SEED [RUNS]]     for a campaign: RUNS of each kind (default: a few) */
#include "run/run.h"

#include "run/runs.h"
#include "run/tables.h"
#include "support/slow.h"

#include "base/alloc.h"

static uint64_t seed = 31415;
static size_t runs_of_a_kind;

/* ---- memory of a small machine ------------------------------------------------------------- */

enum { LARGEST_BLOCK = 64 << 20 };

static void *allocate(void *user, size_t bytes)
{
    (void)user;
    return bytes > LARGEST_BLOCK ? NULL : malloc(bytes);
}

static void release(void *user, void *memory)
{
    (void)user;
    free(memory);
}

/* ---- data ---------------------------------------------------------------------------------- */

static const char *data_of(const ur_kind *kind)
{
    static const char *const data[][2] = {
        {"seq2seq", "builtin:dates"}, {"translation", "pairs.tsv"},
        {"tagger", "tags.txt"},       {"bert_tagger", "tags.txt"},
        {"classifier", "texts.txt"},  {"bert_classifier", "texts.txt"},
        {"bert_qa", "asked.json"}};
    for (size_t i = 0; i < sizeof data / sizeof *data; i++)
        if (strcmp(kind->name, data[i][0]) == 0)
            return data[i][1];
    return "book.txt"; /* a paragraph of sentences on each line */
}

static void make_data(void)
{
    put_file("pairs.tsv", "a b\tk x l\nc d\tm x n\ne f\to x p\ng h\tq x r\na d\tk x n\n");
    put_file("tags.txt", "the O\ncat B\n\nhello O\nworld B\nthe O\n\nworld B\nhello O\n");
    put_file("texts.txt", "yes\tthe cat\nno\thello the world\nyes\ta cat\nno\tworld\n");
    put_file("asked.json", "{\"version\": \"1.1\", \"data\": [{\"title\": \"t\", \"paragraphs\": "
                           "[{\"context\": \"The cat "
                           "sat here.\", \"qas\": [{\"id\": \"1\", \"question\": \"Who sat?\", "
                           "\"answers\": [{\"text\": "
                           "\"The cat\", \"answer_start\": 0}]}, {\"id\": \"2\", \"question\": "
                           "\"Where?\", \"answers\": "
                           "[{\"text\": \"here\", \"answer_start\": 12}]}]}]}]}");
    put_file("book.txt", "The cat sat. The dog ran. A cat ran.\nIt is here. The world is here. It "
                         "ran.\nThe end is here. A dog sat. The cat is a cat.\n");
}

/* What kinds that start with a BERT start with. */
static void make_bert(ur_context *context)
{
    static const ur_setting small[] = {{"hidden_size", "8"},
                                       {"num_hidden_layers", "1"},
                                       {"num_attention_heads", "2"},
                                       {"intermediate_size", "8"},
                                       {NULL, NULL}};
    const ur_kind *kind = ur_kind_find(context, "bert");
    void *config = calloc(1, kind->config_size);
    ur_run_settings s = ur_run_defaults(kind);
    ur_run *run = NULL;
    ur_err err;
    assert_non_null(config);
    s.data = "book.txt";
    s.train.max_steps = 1;
    ur_kind_defaults(kind, config);
    if (ur_fields_apply(kind->fields, config, small, &err) != UR_OK ||
        ur_run_create(context, "base", &s, "bert", config, &run, &err) != UR_OK)
        fail_msg("%s", err.text);
    run_trained(run);
    ur_run_free(run);
    free(config);
}

/* ---- settings ------------------------------------------------------------------------------ */

/* Some fields' values are drawn anew; those of texts, which name files, stay. Mostly small ones. */
static void draw(const ur_field *fields, void *config, uint64_t *random)
{
    for (size_t n = 1 + table_random(random) % 6; n; n--) {
        const ur_field *f = &fields[table_random(random) % table_count(fields)];
        char value[TABLE_TEXT];
        ur_err err;
        if (f->type == UR_FIELD_TEXT)
            continue;
        table_draw(f, table_random(random) % 24 ? 14.0 : 1e300, random, value);
        if (ur_field_set(f, config, value, &err) != UR_OK)
            fail_msg("%s = %s: %s", f->name, value, err.text);
    }
}

/* Two steps that change weights, whatever was drawn. */
static void bound(ur_run_settings *s, const ur_kind *kind)
{
    s->data = data_of(kind);
    s->valid = NULL;
    s->size = 40;
    s->valid_size = 8;
    s->valid_split = 0.0;
    s->best_by = NULL;
    s->init_from = kind->begins_with && strncmp(kind->name, "bert_", 5) == 0 ? "base" : NULL;
    s->freeze = NULL;
    s->minutes = 0.0;
    s->train.epochs = 2;
    s->train.steps = 0;
    s->train.max_steps = 2;
}

/* But for names of files, which are written such that they are found from anywhere. */
static void same_members(const ur_field *fields, const void *want, const void *got)
{
    for (const ur_field *f = fields; f->name; f++) {
        if (f->type == UR_FIELD_TEXT && f->metavar && strstr(f->metavar, "FILE"))
            continue;
        char a[512], b[512];
        ur_field_print(f, want, a, sizeof a);
        ur_field_print(f, got, b, sizeof b);
        if (strcmp(a, b) != 0)
            fail_msg("%s was %s and came back as %s", f->name, a, b);
    }
}

static char *settings_of(const ur_run *run)
{
    char *text;
    assert_int_equal(ur_config_print(ur_context_allocator(ur_run_assets(run)->context),
                                     ur_run_kind(run), ur_run_assets(run)->config, NULL, NULL,
                                     &text, NULL),
                     UR_OK);
    return text;
}

/* ---- runs ---------------------------------------------------------------------------------- */

/* What failed is said, in one of the ways in which settings may fail. */
static void refused(ur_status status, const ur_err *err)
{
    if (status == UR_OK || status == UR_IO || status == UR_INTERRUPTED || !err->text[0])
        fail_msg("%s: %s", ur_status_name(status), err->text);
}

/* A run that was opened or resumed has the weights and settings of the one that was trained. */
static void same_run(const ur_run *run, const ur_run *other)
{
    const ur_params *p = ur_run_model(run)->params, *q = ur_run_model(other)->params;
    same_members(ur_run_kind(run)->fields, ur_run_assets(run)->config,
                 ur_run_assets(other)->config);
    same_members(ur_run_settings_fields(), ur_run_settings_of(run), ur_run_settings_of(other));
    char *a = settings_of(run), *b = settings_of(other);
    assert_string_equal(a, b);
    ur_free(ur_context_allocator(ur_run_assets(run)->context), a);
    ur_free(ur_context_allocator(ur_run_assets(run)->context), b);
    assert_int_equal(ur_params_size(p), ur_params_size(q));
    assert_memory_equal(ur_params_data(p), ur_params_data(q), ur_params_size(p) * sizeof(float));
}

/* Whether it was created and went all the way. */
static bool one_run(ur_context *context, const ur_kind *kind, const void *config,
                    const ur_run_settings *settings)
{
    ur_run *run, *other;
    ur_err err = {UR_OK, ""};
    assert_int_equal(system("rm -rf run"), 0);
    ur_status status = ur_run_create(context, "run", settings, kind->name, config, &run, &err);
    if (status != UR_OK) {
        refused(status, &err);
        return false;
    }
    status = ur_run_train(run, NULL, &err);
    if (status != UR_OK) { /* rates and decays at the ends of their ranges */
        ur_run_free(run);
        refused(status, &err);
        return false;
    }
    other = NULL;
    if (ur_run_open_last(context, "run", &other, &err) != UR_OK)
        fail_msg("%s: opening: %s", kind->name, err.text);
    same_run(run, other);
    ur_run_free(other);
    ur_run_free(run); /* whose lock the resume needs */
    if (ur_run_resume(context, "run", 0, UR_NO_LIMIT, &run, &err) != UR_OK)
        fail_msg("%s: resuming: %s", kind->name, err.text);
    status = ur_run_open_last(context, "run", &other, &err);
    if (status != UR_OK)
        fail_msg("%s: opening again: %s", kind->name, err.text);
    const ur_params *p = ur_run_model(run)->params, *q = ur_run_model(other)->params;
    assert_memory_equal(ur_params_data(p), ur_params_data(q), ur_params_size(p) * sizeof(float));
    ur_run_free(other);
    status = ur_run_train(run, NULL, &err);
    if (status != UR_OK)
        refused(status, &err);
    ur_run_free(run);
    return true;
}

static void of_a_kind(ur_context *context, const ur_kind *kind, size_t wanted)
{
    uint64_t random = seed;
    void *config = calloc(1, kind->config_size);
    size_t done = 0;
    assert_non_null(config);
    for (size_t i = 0; i < 60 * wanted && done < wanted; i++) {
        ur_run_settings s = ur_run_defaults(kind);
        ur_kind_defaults(kind, config);
        draw(kind->fields, config, &random);
        draw(ur_run_settings_fields(), &s, &random);
        bound(&s, kind);
        if (ur_kind_check(kind, config, NULL) == UR_OK && ur_train_check(&s.train, NULL) == UR_OK)
            done += one_run(context, kind, config, &s);
    }
    if (done < wanted)
        fail_msg("%s: %zu of %zu runs", kind->name, done, wanted);
    free(config);
}

static void all_kinds(void **state)
{
    (void)state;
    const ur_allocator hooks = {allocate, release, NULL};
    const size_t usual = slow_tests() ? 60 : hurry() ? 1 : 6;
    ur_context *context = context_of(NULL, 2, &hooks);
    const ur_kind *kind;
    make_data();
    make_bert(context);
    for (size_t k = 0; (kind = ur_kind_at(context, k)); k++)
        if (kind->prepare)
            of_a_kind(context, kind, runs_of_a_kind ? runs_of_a_kind : usual);
    ur_context_free(context);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_kinds, run_folder_enter, test_folder_leave),
    };
    if (count > 1)
        seed = strtoull(arguments[1], NULL, 10);
    if (count > 2)
        runs_of_a_kind = strtoul(arguments[2], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
