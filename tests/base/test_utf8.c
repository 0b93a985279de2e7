/* test_utf8.c - what is well formed, what is not, and where it goes wrong. */
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void test_round_trip_of_every_character(void **state)
{
    (void)state;
    for (uint32_t c = 0; c <= 0x110010; c++) {
        char bytes[4];
        uint32_t back = 0;
        size_t size = ur_utf8_encode(c, bytes);
        if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) {
            assert_int_equal(size, 0);
            continue;
        }
        assert_int_equal(size, c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4);
        assert_int_equal(ur_utf8_decode(bytes, size, &back), size);
        assert_int_equal(back, c);
        /* more bytes behind it change nothing, fewer make it ill-formed */
        for (size_t cut = 0; cut < size; cut++)
            assert_int_equal(ur_utf8_decode(bytes, cut, &back), 0);
    }
    assert_int_equal(ur_utf8_encode(UINT32_MAX, (char[4]){0}), 0);
}

/* The Unicode Standard, table 3-7, from outside. */
static void test_ill_formed(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",
        "\xBF",
        "\xC0\x80",
        "\xC1\xBF",
        "\xC3",
        "\xC3\x28",
        "\xE0\x80\x80",
        "\xE0\x9F\xBF",
        "\xED\xA0\x80",
        "\xED\xBF\xBF",
        "\xE2\x82",
        "\xF0\x80\x80\x80",
        "\xF0\x8F\xBF\xBF",
        "\xF0\x9F\x98",
        "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80",
        "\xFE",
        "\xFF",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint32_t c;
        char text[16] = "ab";
        size_t count = 0;
        assert_int_equal(ur_utf8_decode(bad[i], strlen(bad[i]), &c), 0);
        strcat(text, bad[i]);
        assert_false(ur_utf8_count(text, strlen(text), &count));
        assert_int_equal(count, 2);
    }
}

static void test_count(void **state)
{
    (void)state;
    size_t count = 99;
    assert_true(ur_utf8_count("", 0, &count));
    assert_int_equal(count, 0);
    const char text[] = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\0z";
    assert_true(ur_utf8_count(text, sizeof text - 1, &count));
    assert_int_equal(count, 6);
}

static void test_names(void **state)
{
    (void)state;
    char name[UR_CHARACTER_NAME];
    assert_string_equal(ur_character_name('a', name), "U+0061 'a'");
    assert_string_equal(ur_character_name(0xE9, name), "U+00E9 '\xC3\xA9'");
    assert_string_equal(ur_character_name(0x1F600, name), "U+1F600 '\xF0\x9F\x98\x80'");
    assert_string_equal(ur_character_name('\n', name), "U+000A");
    assert_string_equal(ur_character_name(0x1B, name), "U+001B");
    assert_string_equal(ur_character_name(0x9B, name), "U+009B");
    assert_string_equal(ur_character_name(0x10FFFF, name), "U+10FFFF '\xF4\x8F\xBF\xBF'");
}

static void test_quote(void **state)
{
    (void)state;
    char quoted[UR_QUOTED], text[300];
    assert_string_equal(ur_quote("a \xC3\xA9\x1B", 5, quoted), "\"a \xC3\xA9\xEF\xBF\xBD\"");
    memset(text, 'y', sizeof text);
    ur_quote(text, sizeof text, quoted);
    size_t n = strlen(quoted);
    assert_true(n > 100 && n < UR_QUOTED);
    assert_string_equal(quoted + n - 5, "y...\"");
    assert_string_equal(ur_quote("", 0, quoted), "\"\"");
    char shown[UR_SHOWN];
    assert_string_equal(ur_shown(shown, "\xD8\x9C\xE2\x81\xA6"), "\xEF\xBF\xBD\xEF\xBF\xBD");
    assert_string_equal(ur_shown(shown, "a \xC3\xA9\n\xFFz"),
                        "a \xC3\xA9\xEF\xBF\xBD\xEF\xBF\xBDz");
    text[sizeof text - 1] = '\0';
    assert_true(strlen(ur_shown(shown, text)) < UR_SHOWN);
    assert_string_equal(shown + strlen(shown) - 4, "y...");
}

/* One after the other, a byte that is none of a character alone. */
static void test_next(void **state)
{
    (void)state;
    const char *text = "a\xC3\xA9\xE2\x82z\xF0";
    static const uint32_t expected[] = {
        'a', 0xE9, UR_REPLACEMENT, UR_REPLACEMENT, 'z', UR_REPLACEMENT, 0, 0};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_int_equal(ur_utf8_next(&text), expected[i]);
}

/* What terminals can show stays, all else is escaped, and a cut leaves whole characters. */
static void test_printable(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *shown;
    } cases[] = {
        {"", ""},
        {"plain \xC3\xA9 \xF0\x9F\x98\x80", "plain \xC3\xA9 \xF0\x9F\x98\x80"},
        {"\t\n\r\x1B[31m\x7F", "\\t\\n\\r\\x1b[31m\\x7f"},
        {"\xFF\xC3(\xE2\x82", "\\xff\\xc3(\\xe2\\x82"},
        {"\xC2\x9B\xE2\x80\xAE", "\\u{9b}\\u{202e}"},
    };
    char text[64];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const size_t size = strlen(cases[i].bytes), length = strlen(cases[i].shown);
        assert_int_equal(ur_printable(cases[i].bytes, size, text, sizeof text), length);
        assert_string_equal(text, cases[i].shown);
        for (size_t capacity = 0; capacity <= length + 1; capacity++) {
            size_t at;
            memset(text, '#', sizeof text);
            const size_t n = ur_printable(cases[i].bytes, size, text, capacity);
            assert_true(n < capacity || capacity == 0);
            assert_true(capacity == 0 || text[n] == '\0');
            assert_int_equal(text[capacity], '#');
            assert_true(ur_utf8_count(text, n, &at));
            assert_true(n < 3 || n == length || memcmp(text + n - 3, "...", 3) == 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_printable),  cmocka_unit_test(test_round_trip_of_every_character),
        cmocka_unit_test(test_ill_formed), cmocka_unit_test(test_count),
        cmocka_unit_test(test_names),      cmocka_unit_test(test_quote),
        cmocka_unit_test(test_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
