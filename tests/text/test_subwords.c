/* Tests of text/subwords: sentences to ids and back under each tokenizer, with merges and without,
 * unknown parts, texts that cannot be read. */
#include "text/bpe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static ur_vocabulary *vocabulary_of(const char *words)
{
    ur_vocabulary *v;
    char copy[512];
    int32_t id;
    assert_int_equal(ur_vocabulary_new(NULL, &v, NULL), UR_OK);
    assert_int_equal(ur_vocabulary_add_reserved(v, "unk", &id, NULL), UR_OK);
    snprintf(copy, sizeof copy, "%s", words);
    for (char *w = strtok(copy, " "); w; w = strtok(NULL, " "))
        assert_int_equal(ur_vocabulary_add(v, w, strlen(w), &id, NULL), UR_OK);
    return v;
}

static void check(const ur_subwords *s, const char *text, const char *tokens, const char *back,
                  size_t unknown)
{
    int32_t ids[256];
    size_t n, missing, used = 0;
    char got[512] = "";
    assert_int_equal(ur_subwords_encode(s, text, strlen(text), ids, &n, &missing, NULL), UR_OK);
    for (size_t i = 0; i < n; i++)
        used += (size_t)snprintf(got + used, sizeof got - used, "%s|",
                                 ur_vocabulary_token(s->vocabulary, ids[i], NULL));
    assert_string_equal(got, tokens);
    assert_int_equal(missing, unknown);
    assert_int_equal(ur_subwords_decode(s, ids, n, got, sizeof got), strlen(back));
    assert_string_equal(got, back);
    if (strlen(back) > 4) { /* cut at a token's end */
        assert_int_equal(ur_subwords_decode(s, ids, n, got, 4), strlen(back));
        assert_true(strlen(got) < 4);
        assert_memory_equal(got, back, strlen(got));
    }
}

static void test_there_and_back(void **state)
{
    (void)state;
    static const char codes[] = "#version: 0.2\nl o\nlo w</w>\ne r</w>\n";
    ur_bpe *b;
    ur_text_options o = {.tokenizer = UR_WORDS_JOINED};
    assert_int_equal(ur_bpe_parse(NULL, "codes", codes, strlen(codes), &b, NULL), UR_OK);
    ur_vocabulary *v =
        vocabulary_of("low lo@@ w@@ er l@@ o@@ o w " UR_JOINER ". ! " UR_JOINER "( ) a@@ a");
    const ur_subwords parts = {&o, b, v};
    check(&parts, "low lower.", "low|lo@@|w@@|er|" UR_JOINER ".|", "low lower.", 0);
    check(&parts, "  low\n!\tlo ", "low|!|l@@|o|", "low ! lo", 0);
    check(&parts, "xow lox", "<unk>|o@@|w|lo@@|<unk>|", "<unk> ow lo<unk>", 2);
    check(&parts, "aa a( a", "a@@|a|a|" UR_JOINER "(|a|", "aa a( a", 0);
    check(&parts, "", "", "", 0);
    ur_vocabulary_free(v);
    ur_bpe_free(b);
}

static void test_without_merges(void **state)
{
    (void)state;
    ur_text_options o = {.tokenizer = UR_CHARACTERS, .lower = true};
    ur_vocabulary *v = vocabulary_of("a b word");
    int32_t id;
    assert_int_equal(ur_vocabulary_add(v, " ", 1, &id, NULL), UR_OK);
    const ur_subwords letters = {&o, NULL, v};
    check(&letters, "Ab a", "a|b| |a|", "ab a", 0);
    o = (ur_text_options){.tokenizer = UR_WORDS_STOPS};
    check(&letters, "word a", "word|a|", "word a", 0);
    check(&letters, "word.", "word|<unk>|", "word <unk>", 1);
    ur_vocabulary_free(v);
}

static void test_refused(void **state)
{
    (void)state;
    static char longer[UR_TOKEN_LONGEST + 2];
    ur_text_options o = {.tokenizer = UR_WORDS};
    ur_vocabulary *v, *none = vocabulary_of("");
    int32_t ids[UR_TOKEN_LONGEST + 2], id;
    size_t n;
    ur_err err;
    assert_int_equal(ur_vocabulary_new(NULL, &v, NULL), UR_OK);
    assert_int_equal(ur_vocabulary_add(v, "a", 1, &id, NULL), UR_OK);
    const ur_subwords s = {&o, NULL, v}, other = {&o, NULL, none};
    assert_int_equal(ur_subwords_encode(&s, "a b", 3, ids, &n, NULL, &err), UR_BAD_FILE);
    assert_non_null(strstr(err.text, "\"b\" is not in the vocabulary"));
    assert_int_equal(ur_subwords_encode(&s, "a\xFF", 2, ids, &n, NULL, &err), UR_BAD_FILE);
    assert_int_equal(ur_subwords_encode(&s, "a\0", 2, ids, &n, NULL, &err), UR_BAD_FILE);
    memset(longer, 'a', sizeof longer - 1);
    assert_int_equal(ur_subwords_encode(&other, longer, sizeof longer - 1, ids, &n, NULL, &err),
                     UR_BAD_FILE);
    o.line_ends = true;
    assert_int_equal(ur_subwords_encode(&s, "a", 1, ids, &n, NULL, &err), UR_INVALID);
    ur_vocabulary_free(v);
    ur_vocabulary_free(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_without_merges),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
