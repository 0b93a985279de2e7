/* test_plot.c - pictures are well-formed XML whatever the texts and values are, and the same
 * arguments give the same bytes. Ticks and colours: test_axis.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "support/slow.h"
#include "unroll/io.h"
#include "io/svg.h"
#include "support/failing_alloc.h"

#define FILE_NAME "test_plot.svg"
#include "io/svg_checks.h"
#include "support/slow.h"

/* ---- line charts -------------------------------------------------------------------------- */

/* Draws it twice: well formed, and the same both times. */
static char *draw_chart(const ur_plot_chart *chart)
{
    ur_err err = {0};
    if (ur_plot_lines(NULL, chart, FILE_NAME, &err) != UR_OK)
        fail_msg("%s", err.text);
    char *first = read_picture();
    assert_int_equal(ur_plot_lines(NULL, chart, FILE_NAME, &err), UR_OK);
    char *second = read_picture();
    assert_string_equal(first, second);
    ur_free(NULL, second);
    assert_well_formed(first);
    return first;
}

static void two_panels(void **state)
{
    (void)state;
    const double x[] = {1, 2, 3, 4}, a[] = {0.1, 0.5, NAN, 0.9}, l[] = {2, 1, 0.5, 0.2};
    const ur_plot_series accuracy[] = {{"valid <&> \"x\"", 4, x, a}, {"other", 4, x, a}};
    const ur_plot_series loss[] = {{"other", 4, x, l}, {"train", 3, x, l}, {NULL, 4, x, l}};
    const ur_plot_panel panels[] = {{"accuracy", accuracy, 2, 0, 0, true, false},
                                    {"loss", loss, 3, 0, 0, false, true}};
    const ur_plot_chart chart = {
        .title = "Title & more", .x_label = "epoch", .panels = panels, .n_panels = 2};
    char *text = draw_chart(&chart);
    assert_non_null(strstr(text, ">Title &amp; more</text>"));
    assert_non_null(strstr(text, ">valid &lt;&amp;&gt; &quot;x&quot;</text>"));
    assert_int_equal(occurrences(text, ">other</text>"), 1); /* in the legend once */
    assert_int_equal(occurrences(text, ">epoch</text>"), 1);
    assert_int_equal(occurrences(text, ">100 %</text>"), 1);
    assert_non_null(strstr(text, ">0.2</text>"));
    ur_free(NULL, text);
}

/* The x and y of the markers of a chart with one curve tell where points are drawn. */
static void a_single_point(void **state)
{
    (void)state;
    const double x[] = {1, 2, 3}, y[] = {NAN, 0.25, INFINITY};
    const ur_plot_series series = {NULL, 3, x, y};
    const ur_plot_panel panel = {NULL, &series, 1, 0, 1, false, false};
    const ur_plot_chart chart = {.panels = &panel, .n_panels = 1};
    char *text = draw_chart(&chart);
    assert_int_equal(occurrences(text, "<path transform="), 1);
    double at_x = 0, at_y = 0, top = 0, bottom = 0;
    const char *marker = strstr(text, "<path transform=");
    assert_int_equal(sscanf(marker, "<path transform=\"translate(%lf %lf)", &at_x, &at_y), 2);
    const char *zero = strstr(text, ">0.0</text>"), *one = strstr(text, ">1.0</text>");
    while (*zero != '<' || zero[1] != 't')
        zero--;
    while (*one != '<' || one[1] != 't')
        one--;
    assert_int_equal(sscanf(strstr(zero, " y=") + 4, "%lf", &bottom), 1);
    assert_int_equal(sscanf(strstr(one, " y=") + 4, "%lf", &top), 1);
    /* A quarter of the way from the label 0.0 to the label 1.0; labels sit 0.35 * 11 lower. */
    assert_true(fabs(at_y - (bottom - 3.85 - (bottom - top) / 4)) < 0.05);
    ur_free(NULL, text);
}

/* The axis of what has a bound is from 0 to it; values that all lie near the bound are shown close. */
static void bounded_axes(void **state)
{
    (void)state;
    const double x[] = {1, 2}, middle[] = {0.35, 0.62}, corner[] = {0.985, 0.9995}, bound = 1;
    const ur_plot_series wide = {NULL, 2, x, middle}, close = {NULL, 2, x, corner};
    const ur_plot_panel panels[] = {{NULL, &wide, 1, 0, 0, false, false},
                                    {NULL, &close, 1, 0, 0, false, false}};
    ur_plot_chart chart = {.panels = &panels[0], .n_panels = 1, .bounds = &bound};
    char *text = draw_chart(&chart);
    assert_non_null(strstr(text, ">0.0</text>"));
    assert_non_null(strstr(text, ">1.0</text>"));
    assert_null(strstr(text, ">1.2</text>"));
    ur_free(NULL, text);
    chart.panels = &panels[1];
    text = draw_chart(&chart);
    assert_null(strstr(text, ">0.0</text>"));
    assert_non_null(strstr(text, ">1.000</text>"));
    ur_free(NULL, text);
    chart.panels = &panels[0];
    chart.bounds = NULL; /* nobody says where it ends */
    text = draw_chart(&chart);
    assert_null(strstr(text, ">1.0</text>"));
    ur_free(NULL, text);
    /* A value beyond the bound has an axis as if there were none. */
    const double beyond[] = {-3, -3};
    const ur_plot_series outside = {NULL, 2, x, beyond};
    const ur_plot_panel percent = {NULL, &outside, 1, 0, 0, true, false};
    chart.panels = &percent;
    text = draw_chart(&chart);
    assert_non_null(strstr(text, ">-300 %</text>"));
    ur_free(NULL, text);
}

/* A line breaks at what cannot be drawn and goes on behind it. */
static void gaps(void **state)
{
    (void)state;
    const double x[] = {0, 1, 2, 3, 4, NAN, 6, 7, 8}, y[] = {1, 2, NAN, 3, 4, 5, 0, 6, 7};
    const ur_plot_series series = {NULL, 9, x, y};
    const ur_plot_panel panel = {NULL, &series, 1, 0, 0, false, true};
    const ur_plot_chart chart = {.panels = &panel, .n_panels = 1};
    char *text = draw_chart(&chart);
    const char *line = strstr(text, " d=\"M0 0M");
    assert_non_null(line);
    size_t moves = 0, lines = 0;
    for (const char *p = line + 4; *p != '"'; p++) {
        moves += *p == 'M';
        lines += *p == 'L';
    }
    assert_int_equal(moves, 1 + 3); /* 1 2, 3 4, 6 7: zero has no logarithm */
    assert_int_equal(lines, 3);
    ur_free(NULL, text);
}

static void odd_values(void **state)
{
    (void)state;
    const double x[] = {0, 1, 2, 3}, same[] = {7, 7, 7, 7}, none[] = {NAN, NAN, -INFINITY, NAN};
    const double huge[] = {-1e308, 1e299, 1e308, -1e299}, tiny[] = {1e-300, 2e-310, 0, -1};
    const double close[] = {1, 1 + 1e-15, 1, 1}, negative[] = {-5, -3, -4, -5};
    const double *const cases[] = {same, none, huge, tiny, close, negative};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int kind = 0; kind < 4; kind++) {
            const ur_plot_series series[] = {{"y", 4, x, cases[i]}, {"xy", 4, cases[i], cases[i]}};
            const ur_plot_panel panel = {"y", series, 2, 0, 0, (kind & 1) != 0, (kind & 2) != 0};
            const ur_plot_chart chart = {
                .title = "odd", .x_label = "x", .panels = &panel, .n_panels = 1};
            ur_free(NULL, draw_chart(&chart));
        }
    }
    const ur_plot_panel empty[] = {{NULL, NULL, 0, 0, 0, false, false},
                                   {NULL, NULL, 0, 0, 0, true, true}};
    const ur_plot_chart nothing = {.panels = empty, .n_panels = 2};
    ur_free(NULL, draw_chart(&nothing));
}

/* One chart of four panels, linear, percent, logarithmic and both, of a curve through these values. */
static char *draw_values(const double *values, size_t n, double y_min, double y_max)
{
    const double x[] = {0, 1, 2, 3, 4, 5, 6, 7};
    const ur_plot_series series[] = {{"y", n, x, values}, {"xy", n, values, values}};
    ur_plot_panel panels[4];
    for (int kind = 0; kind < 4; kind++)
        panels[kind] =
            (ur_plot_panel){"y", series, 2, y_min, y_max, (kind & 1) != 0, (kind & 2) != 0};
    const ur_plot_chart chart = {.title = "any", .x_label = "x", .panels = panels, .n_panels = 4};
    return draw_chart(&chart);
}

/* Values of any size, and those that are hardly values: the curve is drawn, and where it can be
 * told what it spans a label says so. */
static void any_magnitude(void **state)
{
    (void)state;
    for (int exponent = -308; exponent <= 308; exponent += hurry() ? 44 : 4) {
        const double size = pow(10, exponent);
        const double rising[] = {size, 1.3 * size, 1.7 * size}, signs[] = {-size, 0, size, NAN};
        const double close[] = {size, nextafter(size, INFINITY), size}, zero[] = {0, size};
        char *text = draw_values(rising, 3, 0, 0), label[32];
        snprintf(label, sizeof label, "e%d</text>", exponent);
        if (exponent >= -290 && exponent < 300 && (exponent < -5 || exponent > 5))
            assert_non_null(strstr(text, label));
        ur_free(NULL, text);
        ur_free(NULL, draw_values(signs, 4, 0, 0));
        ur_free(NULL, draw_values(close, 3, 0, 0));
        ur_free(NULL, draw_values(zero, 2, 0, 0));
    }
    static const double odd[][3] = {{5e-324, 1e-323, 0},        {5e-324, 5e-324, 5e-324},
                                    {2.2e-308, 1e-310, NAN},    {-5e-324, 5e-324, -0.0},
                                    {INFINITY, -INFINITY, NAN}, {1e308, -1e308, 5e-324},
                                    {3e-41, 1.3e-40, 1e-40},    {1e-70, 0, 0}};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        ur_free(NULL, draw_values(odd[i], 3, 0, 0));
}

/* A range that is asked for is drawn, or refused with a sentence; never anything else. */
static void any_range(void **state)
{
    (void)state;
    static const double ends[] = {0,      5e-324, 1e-310, 1e-300, 1e-290,    1e-40,   1e-6,     1,
                                  1e6,    1e40,   1e290,  9e299,  1e300,     1e308,   INFINITY, NAN,
                                  -1e-40, -1,     -1e299, -1e308, 1 + 3e-16, 1 + 1e-7};
    enum { N = sizeof ends / sizeof *ends };
    const double x[] = {0, 1, 2}, y[] = {1e-40, 1, 1e40};
    const ur_plot_series series = {"y", 3, x, y};
    const char *const label[] = {"a", "b", "c"};
    const float values[] = {1e-40f, 1, 3e38f};
    int drawn = 0;
    for (size_t i = 0; i < N * N; i += hurry() ? 7 : 1) {
        ur_err err = {0};
        const double least = ends[i / N], most = ends[i % N];
        for (int kind = 0; kind < 4; kind++) {
            const ur_plot_panel panel = {NULL,           &series, 1, least, most, (kind & 1) != 0,
                                         (kind & 2) != 0};
            const ur_plot_chart chart = {.panels = &panel, .n_panels = 1};
            err.text[0] = '\0';
            const ur_status status = ur_plot_lines(NULL, &chart, FILE_NAME, &err);
            assert_true(status == UR_OK || (status == UR_INVALID && err.text[0] != '\0'));
            drawn += status == UR_OK;
            if (status == UR_OK) {
                char *text = read_picture();
                assert_well_formed(text);
                ur_free(NULL, text);
            }
        }
        const ur_heat_map map = {.rows = 1,
                                 .columns = 3,
                                 .row_labels = label,
                                 .column_labels = label,
                                 .values = values,
                                 .least = least,
                                 .most = most};
        const ur_status status = ur_plot_heat_map(NULL, &map, FILE_NAME, &err);
        assert_true(status == UR_OK || (status == UR_INVALID && err.text[0] != '\0'));
        if (status == UR_OK) {
            char *text = read_picture();
            assert_well_formed(text);
            ur_free(NULL, text);
        }
    }
    assert_true(drawn > (hurry() ? N * N / 14 : N * N / 2));
}

static void curves_look_different(void **state)
{
    (void)state;
    enum { N = 12 };
    const double x[] = {0, 1, 2}, y[] = {0, 1, 2};
    ur_plot_series series[N];
    char names[N][24];
    for (int i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], "run %d", i);
        series[i] = (ur_plot_series){names[i], 3, x, y};
    }
    const ur_plot_panel panel = {NULL, series, N, 0, 0, false, false};
    const ur_plot_chart chart = {.panels = &panel, .n_panels = 1};
    char *text = draw_chart(&chart);
    /* The samples in the legend: no two have the same colour and dashes and marker. */
    const char *at[N];
    const char *p = text;
    for (int i = 0; i < N; i++) {
        p = strstr(p, "<path fill=\"none\"");
        at[i] = strstr(p, "stroke=");
        p++;
    }
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < i; j++) {
            size_t n = strcspn(at[i], ">");
            const char *d = strstr(at[i], " d=\"M");
            n = d != NULL && (size_t)(d - at[i]) < n ? (size_t)(d - at[i]) : n;
            assert_true(strncmp(at[i], at[j], n + 4) != 0);
        }
    }
    ur_free(NULL, text);
}

static void charts_refused(void **state)
{
    (void)state;
    ur_err err = {0};
    ur_plot_panel panel = {NULL, NULL, 0, 1, 0, false, false};
    ur_plot_chart chart = {.panels = &panel, .n_panels = 1};
    assert_int_equal(ur_plot_lines(NULL, &chart, "never.svg", &err), UR_INVALID);
    panel.y_min = -1;
    panel.log_y = true;
    panel.y_max = 1;
    assert_int_equal(ur_plot_lines(NULL, &chart, "never.svg", &err), UR_INVALID);
    panel.y_min = NAN;
    assert_int_equal(ur_plot_lines(NULL, &chart, "never.svg", &err), UR_INVALID);
    chart.n_panels = 0;
    assert_int_equal(ur_plot_lines(NULL, &chart, "never.svg", &err), UR_INVALID);
    assert_true(err.text[0] != '\0');
}

/* ---- heat maps ---------------------------------------------------------------------------- */

static char *draw_map(const ur_heat_map *map)
{
    ur_err err = {0};
    if (ur_plot_heat_map(NULL, map, FILE_NAME, &err) != UR_OK)
        fail_msg("%s", err.text);
    char *first = read_picture();
    assert_int_equal(ur_plot_heat_map(NULL, map, FILE_NAME, &err), UR_OK);
    char *second = read_picture();
    assert_string_equal(first, second);
    ur_free(NULL, second);
    assert_well_formed(first);
    return first;
}

/* Four maps in a grid: labels of the first line and of the first column alone, a title above each. */
static void grid(void **state)
{
    (void)state;
    const char *const rows[] = {"r0", "\xEF\xBF\xAD."}, *const columns[] = {"c0", "c1", "c2"};
    const char *const titles[] = {"A", "B", "C", "D"};
    float values[24];
    for (int i = 0; i < 24; i++)
        values[i] = (float)i / 32.0f;
    ur_heat_map map = {.rows = 2,
                       .columns = 3,
                       .row_labels = rows,
                       .column_labels = columns,
                       .values = values,
                       .down = 2,
                       .across = 2,
                       .map_titles = titles};
    char *text = draw_map(&map);
    assert_int_equal(occurrences(text, ">r0</text>"), 2);
    assert_int_equal(occurrences(text, ">\xC2\xB7.</text>"), 2);
    assert_int_equal(occurrences(text, ">c1</text>"), 2);
    assert_int_equal(occurrences(text, "<title>"), 24);
    assert_int_equal(occurrences(text, ">B</text>"), 1);
    /* the maps follow each other: down first, then across */
    assert_non_null(strstr(text, "<title>\xC2\xB7. / c2: 0.7188<"));
    assert_true(strstr(text, "c2: 0.1562<") < strstr(text, ">B</text>"));
    assert_true(strstr(text, ">C</text>") < strstr(text, "r0 / c0: 0.375<"));
    ur_free(NULL, text);
    map.across = 101;
    ur_err err = {0};
    assert_int_equal(ur_plot_heat_map(NULL, &map, "never.svg", &err), UR_INVALID);
    const size_t counts[] = {1, 2, 3, 4, 5, 6};
    map.across = 2;
    map.counts = counts;
    assert_int_equal(ur_plot_heat_map(NULL, &map, "never.svg", &err), UR_INVALID);
}

static void squares(void **state)
{
    (void)state;
    const char *const rows[] = {"<", "\x01"}, *const columns[] = {" ", "&", "\xC3\xA9"};
    const float values[] = {0.0f, 1.0f, NAN, 0.125f, -7.0f, 9.0f};
    const ur_heat_map map = {"t",    "out", "in", "weight", 2, 3, rows, columns,
                             values, 0,     1,    NULL,     0, 0, NULL};
    char *text = draw_map(&map);
    char lightest[8], darkest[8], eighth[8], expected[64];
    ur_scale_colour(0, lightest);
    ur_scale_colour(1, darkest);
    ur_scale_colour(0.125, eighth);
    const struct {
        const char *colour, *title;
    } cells[] = {{lightest, "&lt; /  : 0"},
                 {darkest, "&lt; / &amp;: 1"},
                 {"#d9d9d9", "&lt; / \xC3\xA9: none"},
                 {eighth, "\xE2\x90\x81 /  : 0.125"},
                 {lightest, "\xE2\x90\x81 / &amp;: -7"},
                 {darkest, "\xE2\x90\x81 / \xC3\xA9: 9"}};
    for (size_t i = 0; i < 6; i++) {
        snprintf(expected, sizeof expected, "fill=\"%s\"><title>%s</title>", cells[i].colour,
                 cells[i].title);
        if (strstr(text, expected) == NULL)
            fail_msg("no square says %s", expected);
    }
    assert_int_equal(occurrences(text, "<title>"), 6);
    assert_null(strstr(text, "> </text>")); /* a space is drawn as an open box */
    ur_free(NULL, text);
}

static void sizes(void **state)
{
    (void)state;
    enum { N = 200 };
    static char names[N][40];
    static const char *labels[N];
    static float values[N * N];
    for (int i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], "%.*s\xF0\x9F\x98\x80\xFF", i % 30,
                 "a label that goes on for long enough");
        labels[i] = names[i];
    }
    for (int i = 0; i < N * N; i++)
        values[i] = (float)(i % 97) / 97.0f;
    static const size_t shapes[][2] = {{1, 1}, {1, 200}, {200, 1}, {10, 29}, {200, 200}};
    for (size_t i = 0; i < 5; i++) {
        const ur_heat_map map = {.rows = shapes[i][0],
                                 .columns = shapes[i][1],
                                 .row_labels = labels,
                                 .column_labels = labels,
                                 .values = values};
        char *text = draw_map(&map);
        assert_int_equal(occurrences(text, "<title>"), shapes[i][0] * shapes[i][1]);
        ur_free(NULL, text);
    }
}

/* Values of any size are told under the pointer, and coloured within their range. */
static void any_squares(void **state)
{
    (void)state;
    const char *const label[] = {"a", "b", "c", "d"};
    char darkest[8], expected[64];
    ur_scale_colour(1, darkest);
    for (int exponent = -45; exponent <= 38; exponent += hurry() ? 7 : 1) {
        const float size = (float)pow(10, exponent);
        const float values[] = {size, -size, 0, NAN}, alike[] = {-size, -size, -size, -size};
        ur_heat_map map = {
            .rows = 1, .columns = 4, .row_labels = label, .column_labels = label, .values = values};
        char *text = draw_map(&map);
        snprintf(expected, sizeof expected, "fill=\"%s\"><title>a / a: ", darkest);
        const char *square = strstr(text, expected);
        assert_non_null(square);
        const double said = strtod(square + strlen(expected), NULL);
        assert_true(fabs(said - (double)size) <= 1e-4 * (double)size);
        ur_free(NULL, text);
        map.values = alike;
        ur_free(NULL, draw_map(&map));
    }
}

static void odd_ranges(void **state)
{
    (void)state;
    const char *const label[] = {"a", "b"};
    static const float cases[][2] = {
        {0, 0},        {0.5f, 0.5f},     {-3, -3},       {NAN, NAN},       {-1e38f, 3e38f},
        {INFINITY, 1}, {1e-40f, 2e-40f}, {5, 5.000001f}, {-3e38f, -3e38f}, {0, 1e-45f}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const ur_heat_map map = {.rows = 1,
                                 .columns = 2,
                                 .row_labels = label,
                                 .column_labels = label,
                                 .values = cases[i]};
        ur_free(NULL, draw_map(&map));
    }
    ur_err err = {0};
    ur_heat_map map = {.rows = 1, .columns = 0};
    assert_int_equal(ur_plot_heat_map(NULL, &map, "never.svg", &err), UR_INVALID);
    map = (ur_heat_map){.rows = 1, .columns = 1001};
    assert_int_equal(ur_plot_heat_map(NULL, &map, "never.svg", &err), UR_INVALID);
    map = (ur_heat_map){.rows = 1, .columns = 1, .least = 1, .most = 1};
    assert_int_equal(ur_plot_heat_map(NULL, &map, "never.svg", &err), UR_INVALID);
    map.most = NAN;
    assert_int_equal(ur_plot_heat_map(NULL, &map, "never.svg", &err), UR_INVALID);
}

/* ---- memory ------------------------------------------------------------------------------- */

static ur_status draw_both(const ur_allocator *a, ur_err *err, void *arg)
{
    (void)arg;
    const double x[] = {1, 2}, y[] = {3, 4};
    const ur_plot_series series = {"s", 2, x, y};
    const ur_plot_panel panel = {"y", &series, 1, 0, 0, false, false};
    const ur_plot_chart chart = {.title = "t", .x_label = "x", .panels = &panel, .n_panels = 1};
    const char *const label[] = {"a"};
    const float value[] = {0.5f};
    const ur_heat_map map = {
        .rows = 1, .columns = 1, .row_labels = label, .column_labels = label, .values = value};
    ur_status status = ur_plot_lines(a, &chart, FILE_NAME, err);
    return status != UR_OK ? status : ur_plot_heat_map(a, &map, FILE_NAME, err);
}

static void failing_allocations(void **state)
{
    (void)state;
    assert_true(failing_alloc_sweep(draw_both, NULL) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(two_panels),
                                       cmocka_unit_test(a_single_point),
                                       cmocka_unit_test(bounded_axes),
                                       cmocka_unit_test(gaps),
                                       cmocka_unit_test(odd_values),
                                       cmocka_unit_test(any_magnitude),
                                       cmocka_unit_test(any_range),
                                       cmocka_unit_test(curves_look_different),
                                       cmocka_unit_test(charts_refused),
                                       cmocka_unit_test(grid),
                                       cmocka_unit_test(squares),
                                       cmocka_unit_test(sizes),
                                       cmocka_unit_test(any_squares),
                                       cmocka_unit_test(odd_ranges),
                                       cmocka_unit_test(failing_allocations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
