/* test_json.c - configuration files are read strictly, each mistake giving its sentence; what is
 * written has a fixed layout and reads back the same. */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "io/json.h"
#include "support/failing_alloc.h"

#define FILE_NAME "test_json.json"

static ur_json *parse(const char *text)
{
    ur_json *doc = NULL;
    ur_err err = {0};
    if (ur_json_parse(NULL, "config.json", text, strlen(text), &doc, &err) != UR_OK)
        fail_msg("%s", err.text);
    return doc;
}

/* ---- reading ------------------------------------------------------------------------------ */

static void values(void **state)
{
    (void)state;
    ur_json *doc = parse("{\"size\": 128, \"lr\": 2e-4, \"one\": 1, \"strip\": true,\n"
                         " \"name\": \"d\\u00e9\", \"attention\": \"none\", \"nothing\": null,\n"
                         " \"layers\": [{\"units\": 3}, {\"units\": 4}]}");
    ur_json_value root = ur_json_root(doc);
    int64_t whole = 0;
    double real = 0;
    bool truth = false;
    const char *text = NULL;
    int choice = -1;
    size_t length = 0;
    const char *const kinds[] = {"dot", "none"};
    assert_int_equal(ur_json_get_int(&root, "size", 1, 128, &whole, NULL), UR_OK);
    assert_int_equal(whole, 128);
    assert_int_equal(ur_json_get_real(&root, "lr", 0, 1, &real, NULL), UR_OK);
    assert_true(real == 2e-4);
    assert_int_equal(ur_json_get_real(&root, "one", 0, 1, &real, NULL), UR_OK);
    assert_true(real == 1.0);
    assert_int_equal(ur_json_get_bool(&root, "strip", &truth, NULL), UR_OK);
    assert_true(truth);
    assert_int_equal(ur_json_get_string(&root, "name", &text, NULL), UR_OK);
    assert_string_equal(text, "d\xC3\xA9");
    assert_int_equal(ur_json_get_choice(&root, "attention", kinds, 2, &choice, NULL), UR_OK);
    assert_int_equal(choice, 1);
    ur_json_value nothing = ur_json_member(&root, "nothing"), absent = ur_json_member(&root, "no");
    assert_true(ur_json_is_null(&nothing) && !ur_json_is_missing(&nothing));
    assert_true(ur_json_is_missing(&absent) && !ur_json_is_null(&absent));
    ur_json_value layers = ur_json_member(&root, "layers");
    assert_int_equal(ur_json_list(&layers, 2, &length, NULL), UR_OK);
    assert_int_equal(length, 2);
    ur_json_value second = ur_json_item(&layers, 1);
    assert_int_equal(ur_json_get_int(&second, "units", 0, 9, &whole, NULL), UR_OK);
    assert_int_equal(whole, 4);
    const char *const known[] = {"size", "lr",        "one",     "strip",
                                 "name", "attention", "nothing", "layers"};
    assert_int_equal(ur_json_only(&root, known, 8, NULL), UR_OK);
    ur_json_free(doc);
}

static void sentences(void **state)
{
    (void)state;
    ur_json *doc = parse("{\"hidden_size\": \"abc\", \"lr\": 7, \"list\": [{\"units\": 0.5}, []]}");
    ur_json_value root = ur_json_root(doc);
    ur_err err = {0};
    int64_t whole = 77;
    double real = 77;
    bool truth = true;
    int choice = 77;
    size_t length = 77;
    const char *text = "unchanged";
    const char *const words[] = {"dot", "none"};
    assert_int_equal(ur_json_get_int(&root, "hidden_size", 1, 65536, &whole, &err), UR_BAD_FILE);
    assert_string_equal(err.text, "config.json: \"hidden_size\" is \"abc\", "
                                  "expected a whole number from 1 to 65536");
    ur_json_get_int(&root, "embed", -1, 5, &whole, &err);
    assert_string_equal(err.text,
                        "config.json: \"embed\" is missing, expected a whole number from -1 to 5");
    ur_json_get_real(&root, "lr", 0, 1.5, &real, &err);
    assert_string_equal(err.text, "config.json: \"lr\" is 7, expected a number from 0 to 1.5");
    ur_json_get_int(&root, "lr", 8, 9, &whole, &err);
    assert_string_equal(err.text, "config.json: \"lr\" is 7, expected a whole number from 8 to 9");
    ur_json_get_bool(&root, "list", &truth, &err);
    assert_string_equal(err.text, "config.json: \"list\" is a list, expected true or false");
    ur_json_get_string(&root, "lr", &text, &err);
    assert_string_equal(err.text, "config.json: \"lr\" is 7, expected a string");
    ur_json_get_choice(&root, "hidden_size", words, 2, &choice, &err);
    assert_string_equal(err.text, "config.json: \"hidden_size\" is \"abc\", "
                                  "expected one of \"dot\" \"none\"");
    ur_json_value list = ur_json_member(&root, "list");
    ur_json_list(&list, 1, &length, &err);
    assert_string_equal(err.text, "config.json: \"list\" is a list, "
                                  "expected a list of at most 1 values");
    ur_json_value first = ur_json_item(&list, 0), second = ur_json_item(&list, 1),
                  third = ur_json_item(&list, 2);
    ur_json_get_int(&first, "units", 0, 9, &whole, &err);
    assert_string_equal(err.text, "config.json: \"list[0].units\" is 0.5, "
                                  "expected a whole number from 0 to 9");
    assert_int_equal(ur_json_object(&second, &err), UR_BAD_FILE);
    assert_string_equal(err.text, "config.json: \"list[1]\" is a list, expected an object");
    assert_true(ur_json_is_missing(&third));
    assert_int_equal(ur_json_only(&root, words, 2, &err), UR_BAD_FILE);
    assert_string_equal(err.text, "config.json: \"hidden_size\" is not a key that is known here");
    assert_int_equal(ur_json_only(&second, words, 2, &err), UR_BAD_FILE);
    assert_true(whole == 77 && real == 77 && truth && choice == 77 && length == 77);
    assert_string_equal(text, "unchanged");
    ur_json_free(doc);
}

static void not_json(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "config.json:1: not valid JSON"},
        {"{\n\"a\": 1,\n\"a\": 2}", "config.json:3: not valid JSON: duplicate object key \"a\""},
        {"{\"a\": 1}\n\nx", "config.json:3: not valid JSON: end of file expected"},
        {"{\"a\": 1} {}", "config.json:1: not valid JSON"},
        {"{\"a\": 1", "config.json:1: not valid JSON"},
        {"{\"a\": nan}", "config.json:1: not valid JSON"},
        {"{\"a\": 1e999}", "config.json:1: not valid JSON"},
        {"{\"a\": 01}", "config.json:1: not valid JSON: invalid number"},
        {"{\"a\": -}", "config.json:1: not valid JSON: invalid number"},
        {"{\"a\": 1.}", "config.json:1: not valid JSON: invalid number"},
        {"{\"a\": 1e}", "config.json:1: not valid JSON: invalid number"},
        {"{\"a\": .5}", "config.json:1: not valid JSON"},
        {"{\"a\": 1,}", "config.json:1: not valid JSON: a key in double quotes"},
        {"{\"a\" 1}", "config.json:1: not valid JSON: a colon"},
        {"[1 2]", "config.json:1: not valid JSON: a comma or ]"},
        {"[1}", "config.json:1: not valid JSON: a comma or ]"},
        {"{\"a\": tru}", "config.json:1: not valid JSON: invalid value"},
        {"\"a", "config.json:1: not valid JSON: a string without its end"},
        {"\"\t\"", "config.json:1: not valid JSON: a control character"},
        {"\"\\x\"", "config.json:1: not valid JSON: invalid escape"},
        {"\"\\u12", "config.json:1: not valid JSON: an escape is cut off"},
        {"\"\\u12g4\"", "config.json:1: not valid JSON: \\u wants"},
        {"\"\\u0000\"", "config.json:1: not valid JSON: \\u0000"},
        {"\"\\ud800\"", "config.json:1: not valid JSON: half a surrogate pair"},
        {"\"\\ud800\\u0041\"", "config.json:1: not valid JSON: half a surrogate pair"},
        {"\"\\udc00\"", "config.json:1: not valid JSON: half a surrogate pair"},
        {"{\"a\": \"\xC0\x80\"}", "config.json:1: not valid JSON"},
        {"{'a': 1}", "config.json:1: not valid JSON"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ur_json *doc = NULL;
        ur_err err = {0};
        assert_int_equal(
            ur_json_parse(NULL, "config.json", cases[i].text, strlen(cases[i].text), &doc, &err),
            UR_BAD_FILE);
        if (strstr(err.text, cases[i].says) != err.text)
            fail_msg("expected \"%s\", got \"%s\"", cases[i].says, err.text);
        assert_null(strchr(err.text, '\n'));
        assert_null(doc);
    }
    ur_json *doc = NULL;
    assert_int_equal(ur_json_load(NULL, "no/such/config.json", &doc, NULL), UR_BAD_FILE);
    assert_null(doc);
}

/* Every kind of value, at its ends. */
static void ends_of_values(void **state)
{
    (void)state;
    ur_json *doc =
        parse(" [9223372036854775807, -9223372036854775808, 9223372036854775808, -0, 1e-400,"
              " 1000000000000000019884624838656, 0.1e1, \"\\ud83d\\ude00\\/\\b\", [], {}]\t\r\n");
    const ur_json_value root = ur_json_root(doc);
    int64_t whole = 1;
    double real = 1;
    const char *text = NULL;
    ur_json_value v[10];
    for (size_t i = 0; i < 10; i++)
        v[i] = ur_json_item(&root, i);
    assert_int_equal(ur_json_int(&v[0], INT64_MIN, INT64_MAX, &whole, NULL), UR_OK);
    assert_true(whole == INT64_MAX);
    assert_int_equal(ur_json_int(&v[1], INT64_MIN, INT64_MAX, &whole, NULL), UR_OK);
    assert_true(whole == INT64_MIN);
    assert_int_equal(ur_json_int(&v[2], INT64_MIN, INT64_MAX, &whole, NULL), UR_BAD_FILE);
    assert_int_equal(ur_json_real(&v[2], 0, 1e300, &real, NULL), UR_OK);
    assert_true(real == 9223372036854775808.0);
    assert_int_equal(ur_json_int(&v[3], 0, 0, &whole, NULL), UR_OK);
    assert_int_equal(ur_json_real(&v[4], 0, 0, &real, NULL), UR_OK);
    assert_int_equal(ur_json_real(&v[5], 1e30, 1e30, &real, NULL), UR_OK);
    assert_int_equal(ur_json_real(&v[6], 1, 1, &real, NULL), UR_OK);
    assert_int_equal(ur_json_string(&v[7], &text, NULL), UR_OK);
    assert_string_equal(text, "\xF0\x9F\x98\x80/\b");
    assert_true(ur_json_object(&v[8], NULL) == UR_BAD_FILE && ur_json_object(&v[9], NULL) == UR_OK);
    ur_json_free(doc);
}

/* A path is any bytes, and JSON is UTF-8. */
static void paths(void **state)
{
    (void)state;
    static const char path[] = "p\xFF\x80\xC3(\xEF\xBF\xBD\xED\xB2\x80\xC3\xA9\"\\";
    ur_json_writer *w = NULL;
    char *back = NULL;
    const char *text = NULL;
    size_t size, at;
    assert_int_equal(ur_json_writer_new(NULL, 0, &w, NULL), UR_OK);
    ur_json_open_list(w, NULL);
    ur_json_put_path(w, NULL, path);
    ur_json_close_list(w);
    const char *line = ur_json_text(w, &size, NULL);
    assert_true(ur_utf8_count(line, size, &at));
    ur_json *doc = parse(line);
    const ur_json_value root = ur_json_root(doc), item = ur_json_item(&root, 0);
    assert_int_equal(ur_json_string(&item, &text, NULL), UR_BAD_FILE);
    assert_int_equal(ur_json_path(NULL, &item, &back, NULL), UR_OK);
    assert_string_equal(back, path);
    ur_free(NULL, back);
    ur_json_free(doc);
    ur_json_writer_free(w);
}

/* Keys of a large object are told apart by sorting. */
static void many_keys(void **state)
{
    (void)state;
    enum { KEYS = 1000, ROOM = KEYS * 16 };
    char *text = malloc(ROOM);
    assert_non_null(text);
    for (int again = -1; again < KEYS; again += 333) {
        size_t n = (size_t)snprintf(text, ROOM, "{");
        for (int i = 0; i < KEYS; i++)
            n += (size_t)snprintf(text + n, ROOM - n, "%s\"%d\":%d", i ? "," : "", i * 7919 % KEYS,
                                  i);
        if (again >= 0)
            n += (size_t)snprintf(text + n, ROOM - n, ",\"%d\":0", again);
        n += (size_t)snprintf(text + n, ROOM - n, "}");
        ur_json *doc = NULL;
        assert_int_equal(ur_json_parse(NULL, "d", text, n, &doc, NULL),
                         again < 0 ? UR_OK : UR_BAD_FILE);
        if (doc) {
            const ur_json_value root = ur_json_root(doc);
            assert_string_equal(ur_json_key(&root, 1), "919");
            assert_null(ur_json_key(&root, KEYS));
            const ur_json_value second = ur_json_member_at(&root, 1);
            const ur_json_value found = ur_json_member(&root, "919");
            const ur_json_value behind = ur_json_member_at(&root, KEYS);
            assert_ptr_equal(second.node, found.node);
            assert_string_equal(second.name, "919");
            assert_true(ur_json_is_missing(&behind));
        }
        ur_json_free(doc);
    }
    free(text);
}

/* Nested so deeply that a careless parser would run out of stack. */
static void deep(void **state)
{
    (void)state;
    enum { DEPTH = 200000 };
    char *text = malloc(DEPTH);
    ur_json *doc = NULL;
    assert_non_null(text);
    memset(text, '[', DEPTH);
    assert_int_equal(ur_json_parse(NULL, "d", text, DEPTH, &doc, NULL), UR_BAD_FILE);
    free(text);
}

static void lines(void **state)
{
    (void)state;
    static const char text[] = "{\"epoch\": 1}\n{\"epoch\": \"x\"}\n{\"epo"; /* stopped inside */
    ur_json *doc = NULL;
    ur_err err = {0};
    size_t length = 0;
    int64_t epoch = 0;
    assert_int_equal(ur_replace_file(NULL, FILE_NAME, text, sizeof text - 1, &err), UR_OK);
    assert_int_equal(ur_json_load_lines(NULL, FILE_NAME, &doc, &err), UR_OK);
    ur_json_value root = ur_json_root(doc);
    assert_int_equal(ur_json_list(&root, 1000, &length, NULL), UR_OK);
    assert_int_equal(length, 2);
    ur_json_value first = ur_json_item(&root, 0), second = ur_json_item(&root, 1);
    assert_int_equal(ur_json_get_int(&first, "epoch", 0, 9, &epoch, NULL), UR_OK);
    assert_int_equal(epoch, 1);
    assert_int_equal(ur_json_get_int(&second, "epoch", 0, 9, &epoch, &err), UR_BAD_FILE);
    assert_string_equal(err.text, FILE_NAME ":2: \"epoch\" is \"x\", "
                                            "expected a whole number from 0 to 9");
    ur_json_free(doc);

    static const char bad[] = "{}\n{\n{}\n";
    assert_int_equal(ur_replace_file(NULL, FILE_NAME, bad, sizeof bad - 1, &err), UR_OK);
    assert_int_equal(ur_json_load_lines(NULL, FILE_NAME, &doc, &err), UR_BAD_FILE);
    assert_memory_equal(err.text, FILE_NAME ":2: not valid JSON", strlen(FILE_NAME) + 18);
}

/* ---- writing ------------------------------------------------------------------------------ */

static void put_example(ur_json_writer *w)
{
    ur_json_open_object(w, NULL);
    ur_json_put_string(w, "name", "a\"b\\c\n\x01 \xC3\xA9 \xFF");
    ur_json_put_int(w, "least", INT64_MIN);
    ur_json_put_real(w, "lr", 2e-4);
    ur_json_put_real(w, "one", 1.0);
    ur_json_put_real(w, "nan", NAN);
    ur_json_open_list(w, "list");
    ur_json_put_bool(w, NULL, true);
    ur_json_put_null(w, NULL);
    ur_json_open_object(w, NULL);
    ur_json_close_object(w);
    ur_json_close_list(w);
    ur_json_open_list(w, "empty");
    ur_json_close_list(w);
    ur_json_close_object(w);
}

static void layout(void **state)
{
    (void)state;
    ur_json_writer *w = NULL;
    size_t size = 0;
    assert_int_equal(ur_json_writer_new(NULL, 2, &w, NULL), UR_OK);
    put_example(w);
    assert_int_equal(ur_json_save(w, FILE_NAME, NULL), UR_OK);
    ur_json_writer_free(w);
    char *text = NULL;
    assert_int_equal(ur_read_file(NULL, FILE_NAME, 10000, &text, &size, NULL), UR_OK);
    assert_string_equal(text, "{\n"
                              "  \"name\": \"a\\\"b\\\\c\\n\\u0001 \xC3\xA9 \xEF\xBF\xBD\",\n"
                              "  \"least\": -9223372036854775808,\n"
                              "  \"lr\": 0.0002,\n"
                              "  \"one\": 1.0,\n"
                              "  \"nan\": null,\n"
                              "  \"list\": [\n"
                              "    true,\n"
                              "    null,\n"
                              "    {}\n"
                              "  ],\n"
                              "  \"empty\": []\n"
                              "}\n");
    ur_free(NULL, text);

    assert_int_equal(ur_json_writer_new(NULL, 0, &w, NULL), UR_OK);
    put_example(w);
    const char *line = ur_json_text(w, &size, NULL);
    assert_int_equal(size, strlen(line));
    assert_null(strchr(line, '\n'));
    ur_json *doc = parse(line);
    ur_json_value root = ur_json_root(doc);
    const char *name = NULL;
    assert_int_equal(ur_json_get_string(&root, "name", &name, NULL), UR_OK);
    assert_string_equal(name, "a\"b\\c\n\x01 \xC3\xA9 \xEF\xBF\xBD");
    ur_json_free(doc);
    ur_json_writer_free(w);
}

/* Whatever the bits, a real reads back as itself. */
static void reals_read_back(void **state)
{
    (void)state;
    uint64_t bits = 1;
    for (int i = 0; i < 2000; i++) {
        double value, back = 0;
        bits = bits * 6364136223846793005u + 1442695040888963407u;
        memcpy(&value, &bits, sizeof value);
        if (i < 200)
            value = i / 100.0;
        if (!isfinite(value))
            continue;
        ur_json_writer *w = NULL;
        assert_int_equal(ur_json_writer_new(NULL, 0, &w, NULL), UR_OK);
        ur_json_open_list(w, NULL);
        ur_json_put_real(w, NULL, value);
        ur_json_close_list(w);
        ur_json *doc = parse(ur_json_text(w, NULL, NULL));
        ur_json_value root = ur_json_root(doc), item = ur_json_item(&root, 0);
        assert_int_equal(ur_json_real(&item, -INFINITY, INFINITY, &back, NULL), UR_OK);
        assert_memory_equal(&back, &value, sizeof value);
        ur_json_free(doc);
        ur_json_writer_free(w);
    }
}

/* The decimal point of the locale must not reach the file. */
static void locale_with_comma(void **state)
{
    (void)state;
    if (setlocale(LC_NUMERIC, "de_DE.UTF-8") == NULL &&
        setlocale(LC_NUMERIC, "fr_FR.UTF-8") == NULL)
        skip();
    ur_json_writer *w = NULL;
    assert_int_equal(ur_json_writer_new(NULL, 0, &w, NULL), UR_OK);
    ur_json_put_real(w, NULL, 0.5);
    char text[8];
    snprintf(text, sizeof text, "%.5s", ur_json_text(w, NULL, NULL));
    ur_json_writer_free(w);
    setlocale(LC_NUMERIC, "C");
    assert_string_equal(text, "0.5");
}

/* ---- memory ------------------------------------------------------------------------------- */

static ur_status write_and_read(const ur_allocator *a, ur_err *err, void *arg)
{
    (void)arg;
    ur_json_writer *w = NULL;
    ur_json *doc = NULL;
    ur_status status = ur_json_writer_new(a, 2, &w, err);
    if (status == UR_OK) {
        put_example(w);
        status =
            ur_json_text(w, NULL, err) == NULL ? UR_NO_MEMORY : ur_json_save(w, FILE_NAME, err);
    }
    ur_json_writer_free(w);
    if (status == UR_OK)
        status = ur_json_load(a, FILE_NAME, &doc, err);
    ur_json_free(doc);
    return status;
}

static void failing_allocations(void **state)
{
    (void)state;
    assert_true(failing_alloc_sweep(write_and_read, NULL) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(values),
                                       cmocka_unit_test(sentences),
                                       cmocka_unit_test(not_json),
                                       cmocka_unit_test(ends_of_values),
                                       cmocka_unit_test(paths),
                                       cmocka_unit_test(many_keys),
                                       cmocka_unit_test(deep),
                                       cmocka_unit_test(lines),
                                       cmocka_unit_test(layout),
                                       cmocka_unit_test(reals_read_back),
                                       cmocka_unit_test(locale_with_comma),
                                       cmocka_unit_test(failing_allocations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
