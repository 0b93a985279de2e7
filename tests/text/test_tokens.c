/* Tests of text/tokens, text/characters and the options: what each tokenizer makes of a text under
 * each of them. */
#include "text/tokens.h"
#include "text/characters.h"

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

/* The tokens of one line, each closed by a bar; a reserved one is written @id. */
static void cut(const ur_text_options *o, const char *line, bool ended, char *out)
{
    ur_vocabulary *v = vocabulary_of(NULL, usual);
    ur_scanner s;
    ur_token token;
    ur_scanner_start(&s, o, v);
    ur_scanner_line(&s, line, strlen(line), ended);
    *out = 0;
    while (ur_scanner_next(&s, &token) == UR_SCAN_TOKEN)
        out += token.reserved >= 0 ? sprintf(out, "@%d|", token.reserved)
                                   : sprintf(out, "%.*s|", (int)token.size, token.bytes);
    assert_int_equal(ur_scanner_next(&s, &token), UR_SCAN_END);
    ur_vocabulary_free(v);
}

typedef struct known {
    const char *line, *tokens;
} known;

static void check(const ur_text_options *o, const known *k, size_t count)
{
    char got[512];
    for (size_t i = 0; i < count; i++) {
        cut(o, k[i].line, true, got);
        if (strcmp(got, k[i].tokens) != 0)
            fail_msg("\"%s\": %s, not %s", k[i].line, got, k[i].tokens);
    }
}

#define CHECK(options, cases) check(&(options), cases, sizeof(cases) / sizeof((cases)[0]))

static void test_characters(void **state)
{
    (void)state;
    static const known plain[] = {{"a b", "a| |b|\n|"},
                                  {"", "\n|"},
                                  {"\xC3\x89\xE2\x82\xAC", "\xC3\x89|\xE2\x82\xAC|\n|"},
                                  {"<unk>", "<|u|n|k|>|\n|"}};
    static const known lower[] = {{"A\xC3\x89\xCE\xA3", "a|\xC3\xA9|\xCF\x83|\n|"},
                                  {"\xE2\x84\xAA", "k|\n|"}}; /* the Kelvin sign */
    static const known letters[] = {{" -a, \xC3\xA9 B9", "a| |B|"},
                                    {"\xE2\x84\xAAx\xE2\x84\xAA", "x|"},
                                    {" 12\t", ""},
                                    {"", ""}};
    static const known both[] = {{"--The Time, Machine!", "t|h|e| |t|i|m|e| |m|a|c|h|i|n|e|"},
                                 {"\xE2\x84\xAAx", "x|"}}; /* letters first, then lower case */
    ur_text_options o = ur_text_defaults(UR_CHARACTERS, false);
    CHECK(o, plain);
    o.lower = true;
    CHECK(o, lower);
    o.letters_only = true;
    CHECK(o, both);
    o.lower = false;
    CHECK(o, letters);
    char got[64];
    o = ur_text_defaults(UR_CHARACTERS, false);
    cut(&o, "ab", false, got); /* the last line's end is missing */
    assert_string_equal(got, "a|b|");
}

static void test_words(void **state)
{
    (void)state;
    static const known plain[] = {
        {" = Homarus , x@-@y ", "=|Homarus|,|x@-@y|@1|"},
        {"a\xC2\xA0"
         "b\xE2\x80\x89"
         "c\xE3\x80\x80"
         "d\x0B"
         "e\xC2\x85"
         "f",
         "a|b|c|d|e|f|@1|"},
        {"a\xE2\x80\x8B"
         "b",
         "a\xE2\x80\x8B"
         "b|@1|"}, /* a zero width space is no white space */
        {"<unk> <UNK> <unk>. <pad> <eos> <bos> <> <", "@0|<UNK>|<unk>.|@2|@1|<bos>|<>|<|@1|"},
        {"<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa>",
         "<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa>|@1|"},
        {"", "@1|"},
        {"   ", "@1|"}};
    static const known lower[] = {
        {"<UNK> \xC3\x89T\xC3\x89 O'Neil", "@0|\xC3\xA9t\xC3\xA9|o'neil|@1|"}};
    static const known letters[] = {{"<unk> don't 12 \xC3\x89t\xC3\xA9", "unk|don|t|t|"},
                                    {"a\xC5\x81" /* U+0141, whose low byte is A */ "b", "a|b|"}};
    ur_text_options o = ur_text_defaults(UR_WORDS, false);
    assert_true(o.line_ends);
    CHECK(o, plain);
    o.lower = true;
    CHECK(o, lower);
    o = ur_text_defaults(UR_WORDS, true);
    assert_false(o.line_ends);
    CHECK(o, letters);
}

static void test_punctuation(void **state)
{
    (void)state;
    static const known plain[] = {
        {"Well, don't: it's 3.14 (1,000)!", "Well|,|don't|:|it's|3.14|(|1,000|)|!|"},
        {"'tis rock'n'roll--well-known- dogs' a'",
         "'|tis|rock'n'roll|-|-|well-known|-|dogs|'|a|'|"},
        {"a.b 1.a a,1 1..2 1. .5 U.S.", "a|.|b|1|.|a|a|,|1|1|.|.|2|1|.|.|5|U|.|S|.|"},
        {"it\xE2\x80\x99s a\xE2\x80\x90"
         "b x\xE2\x80\x93y",
         "it\xE2\x80\x99s|a\xE2\x80\x90"
         "b|x|\xE2\x80\x93|y|"},
        {"snake_case 5% #1 $2", "snake|_|case|5|%|#|1|$|2|"},
        /* a combining accent belongs to its letter; Arabic digits with a comma; Devanagari */
        {"e\xCC\x81t\xC3\xA9 \xD9\xA1,\xD9\xA2 \xE0\xA4\xA8\xE0\xA4\xBF",
         "e\xCC\x81t\xC3\xA9|\xD9\xA1,\xD9\xA2|\xE0\xA4\xA8\xE0\xA4\xBF|"},
        {"\xE4\xB8\xAD\xE6\x96\x87\xE3\x80\x82x", "\xE4\xB8\xAD\xE6\x96\x87|\xE3\x80\x82|x|"},
        {"(<unk>).<pad>x<eos> <nope> <unk", "(|@0|)|.|@2|x|@1|<|nope|>|<|unk|"}};
    static const known ends[] = {{"a.", "a|.|@1|"}, {"", "@1|"}};
    ur_text_options o = ur_text_defaults(UR_WORDS_PUNCTUATION, false);
    assert_true(o.line_ends);
    CHECK(o, ends);
    o.line_ends = false;
    CHECK(o, plain);
}

static void test_long_words(void **state)
{
    (void)state;
    ur_vocabulary *v = vocabulary_of(NULL, usual);
    size_t most = UR_TOKEN_LONGEST;
    char *word = malloc(most + 8);
    assert_non_null(word);
    ur_text_options o = {.tokenizer = UR_WORDS};
    ur_scanner s;
    ur_token token;
    for (int lower = 0; lower < 2; lower++) {
        o.lower = lower;
        memset(word, 'X', most + 1);
        ur_scanner_start(&s, &o, v);
        ur_scanner_line(&s, word, most, false);
        assert_int_equal(ur_scanner_next(&s, &token), UR_SCAN_TOKEN);
        assert_int_equal(token.size, most);
        assert_int_equal(token.bytes[most - 1], lower ? 'x' : 'X');
        ur_scanner_line(&s, word, most + 1, false);
        assert_int_equal(ur_scanner_next(&s, &token), UR_SCAN_TOO_LONG);
    }
    /* lower case may take more bytes: U+023A has 2, U+2C65 has 3 */
    memset(word, 'x', most);
    memcpy(word + most - 2, "\xC8\xBA", 2);
    ur_scanner_line(&s, word, most, false);
    assert_int_equal(ur_scanner_next(&s, &token), UR_SCAN_TOO_LONG);
    free(word);
    ur_vocabulary_free(v);
}

static void test_options(void **state)
{
    (void)state;
    ur_tokenizer t;
    ur_err err;
    for (int i = 0; i < 5; i++) {
        assert_true(ur_tokenizer_find(ur_tokenizer_name((ur_tokenizer)i), &t));
        assert_int_equal(t, i);
        assert_true(ur_tokenizer_find(ur_tokenizer_of(t)->alias, &t));
        assert_int_equal(t, i);
        char words[40]; /* both names, as a table of fields has them */
        snprintf(words, sizeof words, "%s|%s", ur_tokenizer_name(t), ur_tokenizer_of(t)->alias);
        assert_string_equal(words, ur_tokenizer_of(t)->words);
    }
    assert_true(ur_tokenizer_find("words-punctuation", &t)); /* what version 0.1 wrote */
    assert_int_equal(t, UR_WORDS_PUNCTUATION);
    assert_null(ur_tokenizer_name((ur_tokenizer)5));
    assert_false(ur_tokenizer_find("sentence", &t));
    ur_text_options o = {.tokenizer = (ur_tokenizer)7};
    assert_int_equal(ur_text_check(&o, NULL, &err), UR_INVALID);
    o = (ur_text_options){.tokenizer = UR_CHARACTERS, .line_ends = true};
    assert_int_equal(ur_text_check(&o, NULL, &err), UR_INVALID);
    assert_non_null(strstr(err.text, "line feeds are tokens"));
    static const char *const none[] = {"unk", NULL};
    ur_vocabulary *v = vocabulary_of(NULL, none);
    o.tokenizer = UR_WORDS;
    assert_int_equal(ur_text_check(&o, NULL, &err), UR_OK);
    assert_int_equal(ur_text_check(&o, v, &err), UR_INVALID);
    assert_non_null(strstr(err.text, "<eos>"));
    ur_vocabulary_free(v);
}

#define J UR_JOINER

static void test_words_stops(void **state)
{
    (void)state;
    ur_text_options o = {.tokenizer = UR_WORDS_STOPS, .lower = true};
    static const known cases[] = {{"Go.", "go|.|"},
                                  {"Va\u202F!", "va|!|"},
                                  {"He's calm, isn't  he?", "he's|calm|,|isn't|he|?|"},
                                  {"3,000...", "3|,000|.|.|.|"},
                                  {"a.b! <unk> x<unk>", "a|.b|!|@0|x<unk>|"},
                                  {"...", ".|.|.|"},
                                  {" ", ""}};
    CHECK(o, cases);
}

static void test_words_joined(void **state)
{
    (void)state;
    ur_text_options o = {.tokenizer = UR_WORDS_JOINED};
    static const known cases[] = {{"Go.", "Go|" J ".|"},
                                  {"Va !", "Va|!|"},
                                  {"(a) \"b\"", "(" J "|a|" J ")|\"" J "|b|" J "\"|"},
                                  {"a--b ?!", "a|" J "-|" J "-" J "|b|?|" J "!|"},
                                  {"x(y) - 3.14%", "x|" J "(" J "|y|" J ")|-|3.14|" J "%|"},
                                  {"don't.<unk>,", "don't|" J ".|@0|" J ",|"},
                                  {". " J "e", ".|" J "|e|"}, /* a mark in the text */
                                  {"e" J ", " J J, "e|" J "|" J ",|" J "|" J "|"},
                                  {"", ""}};
    CHECK(o, cases);
}

/* What was cut with marks is printed as it stood, runs of spaces being one. */
static void test_joined_comes_back(void **state)
{
    (void)state;
    static const char *const texts[] = {"Go.",
                                        "Va !",
                                        "(a) \"b\" [c]",
                                        "x(y), - 3.14% ?!",
                                        "L'\u00E9t\u00E9, c'est \u00AB beau \u00BB.",
                                        "a--b ... c..."};
    ur_text_options o = {.tokenizer = UR_WORDS_JOINED};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ur_vocabulary *v = vocabulary_of(NULL, usual);
        ur_scanner s;
        ur_token token;
        int32_t ids[64];
        size_t n = 0;
        char text[256];
        ur_scanner_start(&s, &o, v);
        ur_scanner_line(&s, texts[i], strlen(texts[i]), false);
        while (ur_scanner_next(&s, &token) == UR_SCAN_TOKEN)
            assert_int_equal(ur_vocabulary_add(v, token.bytes, token.size, &ids[n++], NULL), UR_OK);
        ur_text_decode(&o, v, -1, ids, n, text, sizeof text);
        assert_string_equal(text, texts[i]);
        ur_vocabulary_free(v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_characters),   cmocka_unit_test(test_words_stops),
        cmocka_unit_test(test_words_joined), cmocka_unit_test(test_joined_comes_back),
        cmocka_unit_test(test_words),        cmocka_unit_test(test_punctuation),
        cmocka_unit_test(test_long_words),   cmocka_unit_test(test_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
