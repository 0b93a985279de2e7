/* Options of a verb that has many more than a machine word has bits, and words longer than any
 * buffer for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/messages.c"
#include "cli/nearest.c"
#include "cli/options.c"

enum { MANY = 200, LONG = 100 };

typedef struct many {
    size_t value[MANY];
    int word;
} many;

static char names[MANY][24], words[LONG][24];
static const char *word_list[LONG + 1];
static ur_field fields[MANY + 2];

static const verb many_verb = {
    .name = "many", .fields = fields, .size = sizeof(many), .json_help = "JSON."};

static void make_fields(void)
{
    for (size_t i = 0; i < LONG; i++) {
        snprintf(words[i], sizeof words[i], "a_word_of_many_%03zu", i);
        word_list[i] = words[i];
    }
    for (size_t i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "option_%03zu", i);
        fields[i] = (ur_field){.name = names[i],
                               .metavar = "N",
                               .type = UR_FIELD_SIZE,
                               .offset = offsetof(many, value) + i * sizeof(size_t),
                               .most = 1000,
                               .initial = "7"};
    }
    fields[MANY] = (ur_field){
        .name = "word", .type = UR_FIELD_ENUM, .offset = offsetof(many, word), .words = word_list};
}

static void test_many_options(void **state)
{
    (void)state;
    command c;
    char name[OPTION_NAME];
    char *arguments[] = {"--option-199", "11", "text", "--option-064=12", "--json"};
    make_fields();
    assert_true(open_command(&c, &many_verb, NULL));
    assert_int_equal(c.n_options, MANY + 1 + 3);
    assert_true(read_options(&c, 5, arguments));
    const many *m = c.own;
    for (size_t i = 0; i < MANY; i++) {
        option_name(&c.options[i], name);
        assert_int_equal(m->value[i], i == 199 ? 11 : i == 64 ? 12 : 7);
        assert_int_equal(was_given(&c, name), i == 199 || i == 64);
    }
    assert_true(c.common.json && was_given(&c, "json"));
    assert_false(c.common.quiet || was_given(&c, "quiet"));
    assert_int_equal(c.n_arguments, 1);
    assert_string_equal(c.arguments[0], "text");
    close_command(&c);
}

static void test_what_is_wrong(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "--option-199=1001", "--word=none_of_them", "--option-19x", "--word", "--quiet=yes", "-x"};
    make_fields();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        command c;
        char text[40], *arguments[] = {text};
        snprintf(text, sizeof text, "%s", wrong[i]);
        assert_true(open_command(&c, &many_verb, NULL));
        assert_false(read_options(&c, 1, arguments));
        close_command(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_options),
        cmocka_unit_test(test_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
