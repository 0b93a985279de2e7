/* Tests of text/vocabulary: the table against plain search, its file there and back, files that
 * must be refused, and every allocation failing. */
#include "text/vocabulary.h"
#include "base/alloc.h"
#include "support/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static ur_vocabulary *fresh(void)
{
    ur_vocabulary *v;
    assert_int_equal(ur_vocabulary_new(NULL, &v, NULL), UR_OK);
    return v;
}

static int32_t add(ur_vocabulary *v, const char *token)
{
    int32_t id = -7;
    assert_int_equal(ur_vocabulary_add(v, token, strlen(token), &id, NULL), UR_OK);
    return id;
}

static void test_ids_by_first_appearance(void **state)
{
    (void)state;
    ur_vocabulary *v = fresh();
    int32_t id;
    assert_int_equal(ur_vocabulary_find(v, "a", 1), -1);
    assert_int_equal(ur_vocabulary_find(v, "word", 4), -1);
    assert_int_equal(add(v, "b"), 0);
    assert_int_equal(add(v, "word"), 1);
    assert_int_equal(add(v, "b"), 0);
    assert_int_equal(add(v, "\xC3\xA9"), 2);
    assert_int_equal(ur_vocabulary_add_character(v, 0xE9, &id, NULL), UR_OK);
    assert_int_equal(id, 2);
    assert_int_equal(ur_vocabulary_find_character(v, 0xE9), 2);
    assert_int_equal(ur_vocabulary_find_character(v, 0xD800), -1);
    assert_int_equal(ur_vocabulary_find_character(v, 'b'), 0);
    assert_int_equal(ur_vocabulary_find(v, "wor", 3), -1);
    assert_int_equal(ur_vocabulary_find(v, "", 0), -1);
    assert_int_equal(ur_vocabulary_find(v, "\xC3", 1), -1);
    assert_int_equal(ur_vocabulary_size(v), 3);
    size_t bytes;
    assert_string_equal(ur_vocabulary_token(v, 1, &bytes), "word");
    assert_int_equal(bytes, 4);
    assert_null(ur_vocabulary_token(v, 3, NULL));
    assert_null(ur_vocabulary_token(v, -1, NULL));
    ur_vocabulary_free(v);
    ur_vocabulary_free(NULL);
}

static void test_reserved_is_not_ordinary(void **state)
{
    (void)state;
    ur_vocabulary *v = fresh();
    int32_t id;
    assert_int_equal(ur_vocabulary_add_reserved(v, "end", &id, NULL), UR_OK);
    assert_int_equal(id, 0);
    assert_int_equal(ur_vocabulary_find(v, "<end>", 5), -1);
    assert_int_equal(add(v, "<end>"), 1);
    assert_int_equal(ur_vocabulary_add_reserved(v, "end", &id, NULL), UR_OK);
    assert_int_equal(id, 0);
    assert_int_equal(ur_vocabulary_find_reserved(v, "end"), 0);
    assert_int_equal(ur_vocabulary_find_reserved(v, "start"), -1);
    assert_int_equal(ur_vocabulary_find_reserved(v, "<end>"), -1);
    assert_true(ur_vocabulary_is_reserved(v, 0));
    assert_false(ur_vocabulary_is_reserved(v, 1));
    assert_false(ur_vocabulary_is_reserved(v, 2));
    assert_string_equal(ur_vocabulary_token(v, 0, NULL), "<end>");
    ur_vocabulary_free(v);
}

static void test_refused_tokens(void **state)
{
    (void)state;
    ur_vocabulary *v = fresh();
    int32_t id;
    ur_err err;
    assert_int_equal(ur_vocabulary_add(v, "", 0, &id, &err), UR_INVALID);
    assert_int_equal(ur_vocabulary_add(v, "ab\xFF", 3, &id, &err), UR_INVALID);
    assert_int_equal(ur_vocabulary_add_character(v, 0xDC00, &id, &err), UR_INVALID);
    static const char *const names[] = {"", "End", "a b", "<end>",
                                        "abcdefghijklmnopqrstuvwxyz0123456"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_int_equal(ur_vocabulary_add_reserved(v, names[i], &id, &err), UR_INVALID);
    assert_int_equal(ur_vocabulary_size(v), 0);
    ur_vocabulary_free(v);
}

static void test_many(void **state)
{
    (void)state;
    ur_vocabulary *v = fresh();
    char word[32];
    for (int i = 0; i < 20000; i++) {
        snprintf(word, sizeof word, "w%d", i);
        assert_int_equal(add(v, word), i);
    }
    for (int i = 0; i < 20000; i++) {
        snprintf(word, sizeof word, "w%d", i);
        assert_int_equal(ur_vocabulary_find(v, word, strlen(word)), i);
        assert_string_equal(ur_vocabulary_token(v, i, NULL), word);
    }
    assert_int_equal(ur_vocabulary_find(v, "w20000", 6), -1);
    ur_vocabulary_free(v);
}

static void test_decode(void **state)
{
    (void)state;
    ur_vocabulary *v = fresh();
    int32_t end;
    add(v, "a");
    add(v, "\xE2\x82\xAC");
    assert_int_equal(ur_vocabulary_add_reserved(v, "end", &end, NULL), UR_OK);
    const int32_t ids[] = {0, 1, 2, 0};
    char text[32];
    assert_int_equal(ur_vocabulary_decode(v, ids, 4, text, sizeof text), 10);
    assert_string_equal(text, "a\xE2\x82\xAC<end>a");
    assert_int_equal(ur_vocabulary_decode(v, ids, 4, text, 11), 10);
    assert_string_equal(text, "a\xE2\x82\xAC<end>a");
    assert_int_equal(ur_vocabulary_decode(v, ids, 4, text, 10), 10);
    assert_string_equal(text, "a\xE2\x82\xAC<end>");
    assert_int_equal(ur_vocabulary_decode(v, ids, 4, text, 4), 10); /* never half a character */
    assert_string_equal(text, "a");
    text[0] = 'x';
    assert_int_equal(ur_vocabulary_decode(v, ids, 4, text, 0), 10);
    assert_int_equal(text[0], 'x');
    assert_int_equal(ur_vocabulary_decode(v, (int32_t[]){0, 9}, 2, text, sizeof text), 4);
    assert_string_equal(text, "a\xEF\xBF\xBD");
    ur_vocabulary_free(v);
}

/* ---- the file ----------------------------------------------------------------------------- */

static void add_awkward(ur_vocabulary *v)
{
    static const char *const tokens[] = {
        "a",    " ",     "\n",       "\t",       "\r",           "\\",
        "<",    "<end>", "<x",       "x<y>",     "two it",       "\x1B",
        "\x7F", "\\n",   "\xC2\xA0", "\xC3\xA9", "\xEF\xBB\xBF", "\xF0\x9F\x98\x80"};
    int32_t id;
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++)
        assert_int_equal(add(v, tokens[i]), (int)i);
    assert_int_equal(ur_vocabulary_add(v, "", 1, &id, NULL), UR_OK); /* U+0000 */
    assert_int_equal(ur_vocabulary_add_reserved(v, "end", &id, NULL), UR_OK);
}

static const char awkward_file[] = "a\n\\s\n\\n\n\\t\n\\r\n\\\\\n<\n\\<end>\n\\<x\nx<y>\n"
                                   "two\\sit\n\\u{1b}\n\\u{7f}\n\\\\n\n\\u{a0}\n\xC3\xA9\n"
                                   "\\u{feff}\n\xF0\x9F\x98\x80\n\\u{0}\n<end>\n";

static void assert_same(const ur_vocabulary *v, const ur_vocabulary *w)
{
    assert_int_equal(ur_vocabulary_size(v), ur_vocabulary_size(w));
    for (int32_t id = 0; (size_t)id < ur_vocabulary_size(v); id++) {
        size_t bytes, other;
        const char *token = ur_vocabulary_token(v, id, &bytes);
        const char *back = ur_vocabulary_token(w, id, &other);
        assert_int_equal(bytes, other);
        assert_memory_equal(token, back, bytes);
        assert_int_equal(ur_vocabulary_is_reserved(v, id), ur_vocabulary_is_reserved(w, id));
    }
}

static void test_file_there_and_back(void **state)
{
    (void)state;
    ur_vocabulary *v = fresh(), *w;
    ur_err err;
    char *bytes, folder[] = "/tmp/unroll_vocabularyXXXXXX", path[64];
    size_t size;
    add_awkward(v);
    assert_int_equal(ur_vocabulary_print(v, &bytes, &size, NULL), UR_OK);
    assert_int_equal(size, sizeof awkward_file - 1);
    assert_memory_equal(bytes, awkward_file, size);
    assert_int_equal(ur_vocabulary_parse(NULL, "v", bytes, size, &w, &err), UR_OK);
    assert_same(v, w);
    ur_vocabulary_free(w);
    ur_free(NULL, bytes);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/vocab.txt", folder);
    assert_int_equal(ur_vocabulary_load(NULL, path, &w, &err), UR_BAD_FILE);
    assert_null(w);
    assert_int_equal(ur_vocabulary_save(v, path, &err), UR_OK);
    assert_int_equal(ur_vocabulary_load(NULL, path, &w, &err), UR_OK);
    assert_same(v, w);
    unlink(path);
    rmdir(folder);
    ur_vocabulary_free(w);
    ur_vocabulary_free(v);
}

static void test_other_spellings(void **state)
{
    (void)state;
    static const char text[] = "\\u{3c}end>\n\\u{00E9}\n<end>\n\\u{10FFFF}\n";
    ur_vocabulary *v;
    assert_int_equal(ur_vocabulary_parse(NULL, "v", text, sizeof text - 1, &v, NULL), UR_OK);
    assert_int_equal(ur_vocabulary_find(v, "<end>", 5), 0);
    assert_int_equal(ur_vocabulary_find(v, "\xC3\xA9", 2), 1);
    assert_int_equal(ur_vocabulary_find_reserved(v, "end"), 2);
    assert_int_equal(ur_vocabulary_find_character(v, 0x10FFFF), 3);
    ur_vocabulary_free(v);
}

static void test_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "vocab.txt: an empty file"},
        {"\n", "line 1: an empty line"},
        {"a\n\nb\n", "line 2: an empty line"},
        {"a\nb", "line 2: the last line does not end"},
        {"a\nb\na\n", "line 3: a token that an earlier"},
        {"a\n\\u{61}\n", "line 2: a token that an earlier"},
        {"<end>\n<end>\n", "line 2: a token that an earlier"},
        {"a\n\xFF\n", "line 2: not valid UTF-8"},
        {"\xC3\n", "line 1: not valid UTF-8"},
        {" \n", "line 1: a space"},
        {"a\tb\n", "line 1: a space"},
        {"a\r\n", "line 1: a space"},
        {"\xEF\xBB\xBF"
         "a\n",
         "line 1: a space"},
        {"\\\n", "line 1: a backslash"},
        {"\\x\n", "line 1: a backslash"},
        {"a\\<b\n", "line 1: a backslash"},
        {"\\<\n", "line 1: a backslash"},
        {"\\u61\n", "line 1: a backslash"},
        {"\\u{}\n", "line 1: a backslash"},
        {"\\u{61\n", "line 1: a backslash"},
        {"\\u{0000061}\n", "line 1: a backslash"},
        {"\\u{g}\n", "line 1: a backslash"},
        {"\\u{d800}\n", "line 1: \\u{..} does not"},
        {"\\u{110000}\n", "line 1: \\u{..} does not"},
        {"<end\n", "line 1: a line that opens with <"},
        {"<>\n", "line 1: the name of a reserved"},
        {"<END>\n", "line 1: the name of a reserved"},
        {"<a b>\n", "line 1: the name of a reserved"},
        {"<abcdefghijklmnopqrstuvwxyz0123456>\n", "line 1: the name of a reserved"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ur_vocabulary *v = (ur_vocabulary *)&v;
        ur_err err = {UR_OK, ""};
        ur_status status =
            ur_vocabulary_parse(NULL, "vocab.txt", bad[i].text, strlen(bad[i].text), &v, &err);
        if (status != UR_BAD_FILE || v || !strstr(err.text, bad[i].says))
            fail_msg("case %zu: %s: %s", i, ur_status_name(status), err.text);
    }
    ur_vocabulary *v;
    assert_int_equal(ur_vocabulary_parse(NULL, "v", "a\0b\n", 4, &v, NULL), UR_BAD_FILE);
    assert_int_equal(ur_vocabulary_parse(NULL, "v", "<a\0>\n", 5, &v, NULL), UR_BAD_FILE);
}

static ur_status parse_and_print(const ur_allocator *a, ur_err *err, void *arg)
{
    (void)arg;
    ur_vocabulary *v;
    char *bytes = NULL;
    size_t size;
    ur_status status = ur_vocabulary_parse(a, "v", awkward_file, sizeof awkward_file - 1, &v, err);
    if (status == UR_OK)
        status = ur_vocabulary_print(v, &bytes, &size, err);
    ur_free(a, bytes);
    ur_vocabulary_free(v);
    return status;
}

static ur_status grow(const ur_allocator *a, ur_err *err, void *arg)
{
    (void)arg;
    ur_vocabulary *v;
    ur_status status = ur_vocabulary_new(a, &v, err);
    for (uint32_t c = 'A'; status == UR_OK && c < 'A' + 200; c++) {
        int32_t id = -1;
        size_t before = ur_vocabulary_size(v);
        status = ur_vocabulary_add_character(v, c, &id, err);
        if (status != UR_OK) { /* as before, and usable */
            assert_int_equal(ur_vocabulary_size(v), before);
            assert_int_equal(ur_vocabulary_find_character(v, c), -1);
            assert_int_equal(ur_vocabulary_find_character(v, 'A'), before ? 0 : -1);
        }
    }
    ur_vocabulary_free(v);
    return status;
}

static void test_failing_allocations(void **state)
{
    (void)state;
    assert_true(failing_alloc_sweep(parse_and_print, NULL) >= 10);
    assert_true(failing_alloc_sweep(grow, NULL) >= 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_by_first_appearance),
        cmocka_unit_test(test_reserved_is_not_ordinary),
        cmocka_unit_test(test_refused_tokens),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_file_there_and_back),
        cmocka_unit_test(test_other_spellings),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
