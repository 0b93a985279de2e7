/* test_text.c - prompts as ids, and ids as text that gives the same ids again. */
#include "text/tokens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static ur_vocabulary *vocabulary_of(const char *const *words, const char *const *reserved)
{
    ur_vocabulary *v;
    int32_t id;
    assert_int_equal(ur_vocabulary_new(NULL, &v, NULL), UR_OK);
    for (; reserved && *reserved; reserved++)
        assert_int_equal(ur_vocabulary_add_reserved(v, *reserved, &id, NULL), UR_OK);
    for (; words && *words; words++)
        assert_int_equal(ur_vocabulary_add(v, *words, strlen(*words), &id, NULL), UR_OK);
    return v;
}

static const char *const usual[] = {"unk", "eos", "pad", NULL};

static void test_encode(void **state)
{
    (void)state;
    static const char *const words[] = {"a", "b", "\xC3\xA9", NULL};
    ur_vocabulary *v = vocabulary_of(words, usual), *bare = vocabulary_of(words, NULL);
    ur_text_options o = ur_text_defaults(UR_WORDS, false);
    int32_t ids[32];
    size_t count = 99, unknown = 99;
    ur_err err;
    assert_int_equal(ur_text_encode(&o, v, "a c\r\n\nb <unk>", 13, ids, &count, &unknown, &err),
                     UR_OK);
    static const int32_t want[] = {3, 0, 1, 1, 4, 0};
    assert_int_equal(count, 6);
    assert_memory_equal(ids, want, sizeof want);
    assert_int_equal(unknown, 2);
    assert_int_equal(ur_text_encode(&o, v, "a\n", 2, ids, &count, NULL, &err), UR_OK);
    assert_int_equal(count, 2);
    assert_int_equal(ur_text_encode(&o, v, "", 0, ids, &count, &unknown, &err), UR_OK);
    assert_int_equal(count + unknown, 0);
    assert_int_equal(ur_text_encode(&o, bare, "a", 1, ids, &count, NULL, &err), UR_INVALID);
    o.line_ends = false;
    static const struct {
        const char *text;
        size_t bytes;
        const char *says;
    } bad[] = {{"a\nb\na c\x1B", 8, "the text: line 3: the token \"c\xEF\xBF\xBD\" is not in"},
               {"a\n\xC3", 3, "the text: line 2: byte 0xc3 is not valid UTF-8"},
               {"a\0", 2, "the text: line 1: a zero byte"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        count = 99;
        assert_int_equal(
            ur_text_encode(&o, bare, bad[i].text, bad[i].bytes, ids, &count, &unknown, &err),
            UR_BAD_FILE);
        assert_int_equal(count, 0);
        if (!strstr(err.text, bad[i].says))
            fail_msg("case %zu: %s", i, err.text);
    }
    ur_vocabulary_free(v);
    ur_vocabulary_free(bare);
}

/* The text that ids are printed as, and that it gives the ids again. */
static void check_printed(const ur_text_options *o, const ur_vocabulary *v, const char *text,
                          const char *printed)
{
    int32_t ids[64], again[64];
    char got[256];
    size_t count, more;
    assert_int_equal(ur_text_encode(o, v, text, strlen(text), ids, &count, NULL, NULL), UR_OK);
    size_t bytes = ur_text_decode(o, v, -1, ids, count, got, sizeof got);
    if (bytes != strlen(got) || strcmp(got, printed) != 0)
        fail_msg("\"%s\" is printed \"%s\", not \"%s\"", text, got, printed);
    assert_int_equal(ur_text_encode(o, v, got, bytes, again, &more, NULL, NULL), UR_OK);
    assert_int_equal(more, count);
    assert_memory_equal(again, ids, count * sizeof *ids);
}

static void test_pieces(void **state)
{
    (void)state;
    static const char *const words[] = {
        "a",        "b'c",          "1", ".", ",", "(", ")", "'", "-", "<", "unk", ">", "%",
        "\xC2\xBF", "\xE2\x80\xA6", NULL};
    ur_vocabulary *v = vocabulary_of(words, usual);
    ur_text_options o = ur_text_defaults(UR_WORDS, false);
    check_printed(&o, v, "  a \t (  , zzz\n\n a", "a ( , <unk>\n\na");
    o.tokenizer = UR_WORDS_PUNCTUATION;
    check_printed(&o, v, "a , a . . ( a ) <unk> .\n( ( a", "a, a.. (a) <unk>.\n((a");
    check_printed(&o, v, "1 . 1 , 1 % a ' a - a", "1. 1, 1% a ' a - a");
    check_printed(&o, v, "< unk > <unk> (<pad>)", "< unk > <unk> (<pad>)");
    check_printed(&o, v, "(' a ') (- a", "(' a ') (- a");
    check_printed(&o, v,
                  "\xC2\xBF"
                  "a? a\xE2\x80\xA6",
                  "\xC2\xBF"
                  "a <unk> a\xE2\x80\xA6");
    o.line_ends = false;
    check_printed(&o, v, "a.\na", "a. a");
    static const char *const letters[] = {"a", "\n", " ", "\xC3\xA9", NULL};
    ur_vocabulary *c = vocabulary_of(letters, usual);
    o = ur_text_defaults(UR_CHARACTERS, false);
    check_printed(&o, c, " a\n\n\xC3\xA9 a", " a\n\n\xC3\xA9 a");
    ur_vocabulary_free(v);
    ur_vocabulary_free(c);
}

static void test_pieces_fit(void **state)
{
    (void)state;
    static const char *const words[] = {"ab", "cd", NULL};
    ur_vocabulary *v = vocabulary_of(words, usual);
    ur_text_options o = ur_text_defaults(UR_WORDS, false);
    static const int32_t ids[] = {3, 4, 1, 99};
    char text[8];
    assert_int_equal(ur_text_piece(&o, v, -1, 3, text, sizeof text), 2);
    assert_string_equal(text, "ab");
    assert_int_equal(ur_text_piece(&o, v, 3, 4, text, 4), 3);
    assert_string_equal(text, " cd");
    memset(text, 'x', sizeof text);
    assert_int_equal(ur_text_piece(&o, v, 3, 4, text, 3), 3);
    assert_string_equal(text, "");
    assert_int_equal(ur_text_piece(&o, v, 1, 4, text, sizeof text), 2); /* opens a line */
    assert_int_equal(ur_text_piece(&o, v, 3, -7, text, sizeof text), 4);
    assert_string_equal(text, " \xEF\xBF\xBD");
    assert_int_equal(ur_text_decode(&o, v, -1, ids, 4, NULL, 0), 9);
    assert_int_equal(ur_text_decode(&o, v, -1, ids, 4, text, sizeof text), 9);
    assert_string_equal(text, "ab cd\n");
    assert_int_equal(ur_text_decode(&o, v, 3, ids, 2, text, 4), 6);
    assert_string_equal(text, " ab");
    static const int32_t short_one[] = {3, 1};
    assert_int_equal(ur_text_decode(&o, v, -1, short_one, 2, text, 2), 3); /* nothing has a gap */
    assert_string_equal(text, "");
    assert_int_equal(ur_text_decode(&o, v, -1, ids, 0, text, 4), 0);
    assert_string_equal(text, "");
    o.line_ends = false; /* then <eos> is a reserved token like others */
    assert_int_equal(ur_text_piece(&o, v, 3, 1, text, sizeof text), 6);
    assert_string_equal(text, " <eos>");
    assert_int_equal(ur_text_piece(&o, v, 1, 3, text, sizeof text), 3);
    assert_string_equal(text, " ab");
    ur_vocabulary_free(v);
}

/* Some thousand texts made of what the rules are about. */
static void test_printing_made_up_texts(void **state)
{
    (void)state;
    static const char *const part[] = {"a",
                                       "B",
                                       "1",
                                       "2",
                                       ".",
                                       ",",
                                       "'",
                                       "-",
                                       "(",
                                       ")",
                                       "<",
                                       "unk",
                                       ">",
                                       " ",
                                       "\n",
                                       "<unk>",
                                       "\xCC\x81",
                                       "%",
                                       "\xE2\x80\x8D",
                                       "\xC2\xBF"};
    uint64_t seed = 1;
    for (int round = 0; round < 3000; round++) {
        char text[128];
        size_t size = 0;
        for (int i = 0; i < 12; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            const char *next = part[(seed >> 33) % (sizeof part / sizeof part[0])];
            memcpy(text + size, next, strlen(next));
            size += strlen(next);
        }
        text[size] = 0;
        ur_text_options o = ur_text_defaults(round % 2 ? UR_WORDS : UR_WORDS_PUNCTUATION, false);
        o.lower = round & 2;
        o.line_ends = round & 4;
        ur_vocabulary *v = vocabulary_of(NULL, usual);
        ur_scanner s;
        ur_token token;
        int32_t id, ids[64], again[64];
        size_t count, more;
        char printed[256];
        ur_scanner_start(&s, &o, v);
        for (char *at = text; *at;) { /* every token of it becomes known */
            size_t line = strcspn(at, "\n");
            ur_scanner_line(&s, at, line, false);
            while (ur_scanner_next(&s, &token) == UR_SCAN_TOKEN)
                if (token.reserved < 0)
                    assert_int_equal(ur_vocabulary_add(v, token.bytes, token.size, &id, NULL), 0);
            at += line + (at[line] == '\n');
        }
        assert_int_equal(ur_text_encode(&o, v, text, strlen(text), ids, &count, NULL, NULL), 0);
        size_t bytes = ur_text_decode(&o, v, -1, ids, count, printed, sizeof printed);
        assert_true(bytes < sizeof printed);
        assert_int_equal(ur_text_encode(&o, v, printed, bytes, again, &more, NULL, NULL), 0);
        if (more != count || memcmp(ids, again, count * sizeof *ids) != 0)
            fail_msg("\"%s\" was printed \"%s\", which is something else", text, printed);
        ur_vocabulary_free(v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_pieces_fit),
        cmocka_unit_test(test_printing_made_up_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
