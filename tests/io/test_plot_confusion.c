/* test_plot_confusion.c - pictures of confusion matrices: every count and share is written where it
 * belongs, whatever the labels are called, and nothing is claimed that is only nearly so. */
#include <stdlib.h>

#define FILE_NAME "test_plot_confusion.svg"
#include "io/svg_checks.h"

#include "base/alloc.h"
#include "support/failing_alloc.h"
#include "unroll/io.h"

static char *draw(const ur_confusion_map *map)
{
    ur_err err = {0};
    char *picture[2];
    for (int i = 0; i < 2; i++) {
        if (ur_plot_confusion(NULL, map, FILE_NAME, &err) != UR_OK)
            fail_msg("%s", err.text);
        picture[i] = read_picture();
    }
    assert_string_equal(picture[0], picture[1]);
    ur_free(NULL, picture[1]);
    assert_well_formed(picture[0]);
    return picture[0];
}

static void has(const char *picture, const char *what)
{
    if (!strstr(picture, what))
        fail_msg("the picture lacks %s", what);
}

static void counts_and_shares(void **state)
{
    (void)state;
    static const char *const names[] = {"<b>", "R&D", "c"};
    static const size_t counts[] = {9990, 9, 1, 1, 24, 25, 0, 0, 0};
    const ur_confusion_map map = {.labels = 3, .names = names, .counts = counts};
    char *picture = draw(&map);
    has(picture, ">99.64 % of 10050 right</text>");
    has(picture, ">9990</text>");
    has(picture, ">99.9 %</text>");
    has(picture, ">0.1 %</text>");
    has(picture, ">&lt;0.1 %</text>");
    has(picture, ">48 %</text>");
    has(picture, ">50 %</text>");
    has(picture, ">2.0 %</text>");
    assert_int_equal(occurrences(picture, " %</text>"), 6); /* nothing where there is nothing */
    has(picture, "<title>&lt;b&gt; / R&amp;D: 9, 0.0009</title>"); /* true, then said */
    has(picture, "<title>R&amp;D / &lt;b&gt;: 1, 0.02</title>");
    has(picture, "<title>c / c: 0, none</title>");
    assert_int_equal(occurrences(picture, "fill=\"#d9d9d9\""), 3); /* c is never true */
    has(picture, ">true label</text>");
    has(picture, ">model's label</text>");
    ur_free(NULL, picture);
}

static void never_nearly(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b"};
    static const size_t counts[] = {99999, 1, 0, 7};
    const ur_confusion_map map = {"own title", 2, names, counts};
    char *picture = draw(&map);
    has(picture, ">own title</text>");
    has(picture, ">&gt;99.9 %</text>");
    has(picture, ">&lt;0.1 %</text>");
    has(picture, ">100 %</text>");
    ur_free(NULL, picture);
}

/* Many labels: small squares, short counts, no shares; and one label alone. */
static void sizes(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 12, 40, 90};
    for (size_t i = 0; i < 4; i++) {
        const size_t n = sizes[i];
        const char **names = calloc(n, sizeof *names);
        size_t *counts = calloc(n * n, sizeof *counts);
        for (size_t j = 0; j < n; j++) {
            names[j] = "a long label, it is";
            counts[j * n + j] = 12345;
        }
        counts[0] = (size_t)123456789012;
        const ur_confusion_map map = {.labels = n, .names = names, .counts = counts};
        char *picture = draw(&map);
        if (n <= 40)
            has(picture, ">123G</text>");
        if (n == 12)
            assert_int_equal(occurrences(picture, ">12345</text>"), n - 1);
        has(picture, ": 123456789012, ");
        if (n == 40)
            assert_int_equal(occurrences(picture, ">12k</text>"), n - 1);
        assert_int_equal(occurrences(picture, ">100 %</text>"), n <= 12 ? n : 0);
        ur_free(NULL, picture);
        free(names);
        free(counts);
    }
}

static ur_status draw_with(const ur_allocator *a, ur_err *err, void *arg)
{
    static const char *const names[] = {"a", "b"};
    static const size_t counts[] = {9, 1, 0, 7};
    const ur_confusion_map map = {.labels = 2, .names = names, .counts = counts};
    (void)arg;
    return ur_plot_confusion(a, &map, FILE_NAME, err);
}

static void refused(void **state)
{
    (void)state;
    ur_err err;
    const ur_confusion_map none = {.labels = 0}, many = {.labels = 1001};
    assert_int_equal(ur_plot_confusion(NULL, &none, "never.svg", &err), UR_INVALID);
    assert_int_equal(ur_plot_confusion(NULL, &many, "never.svg", &err), UR_INVALID);
    assert_non_null(strstr(err.text, "1001 labels, expected 1 to 1000"));
    assert_true(failing_alloc_sweep(draw_with, NULL) > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_and_shares),
        cmocka_unit_test(never_nearly),
        cmocka_unit_test(sizes),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
