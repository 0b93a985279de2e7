/* test_axis.c - ticks stand on round numbers and say them; colours grow evenly darker and
 * stand out from the page. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/axis.h"

static void ticks(void **state)
{
    (void)state;
    static const struct {
        double least, most;
        int about;
        bool whole, around;
        double first, last;
        int count;
        const char *label; /* of the last */
    } cases[] = {{0, 1, 5, false, false, 0, 1, 6, "1.0"},
                 {0, 30, 8, true, false, 0, 30, 7, "30"},
                 {0, 2, 8, true, false, 0, 2, 3, "2"},
                 {0.013, 0.987, 5, false, true, 0, 1, 6, "1.0"},
                 {0.013, 0.987, 5, false, false, 0.2, 0.8, 4, "0.8"},
                 {-3, 7, 5, false, false, -2, 6, 5, "6"},
                 {0, 3e7, 5, false, false, 0, 3e7, 7, "3e7"},
                 {0, 2.5e-7, 5, false, false, 0, 2.5e-7, 6, "2.5e-7"},
                 {0.1, 0.3, 2, false, false, 0.1, 0.3, 3, "0.3"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char label[UR_TICK_LABEL];
        ur_ticks t = ur_nice_ticks(cases[i].least, cases[i].most, cases[i].about, cases[i].whole,
                                   cases[i].around);
        double last = ur_tick(&t, t.count - 1);
        ur_tick_label(&t, t.count - 1, false, label);
        assert_int_equal(t.count, cases[i].count);
        assert_true(fabs(ur_tick(&t, 0) - cases[i].first) < 1e-9 * t.step);
        assert_true(fabs(last - cases[i].last) < 1e-9 * t.step);
        assert_string_equal(label, cases[i].label);
    }
    char label[UR_TICK_LABEL];
    ur_ticks t = ur_nice_ticks(0.99, 1, 4, false, false);
    ur_tick_label(&t, 3, true, label);
    assert_string_equal(label, "99.6 %");
}

/* The ticks of every good range lie in it, and no two of them say the same. */
static void ticks_of_any_range(void **state)
{
    (void)state;
    static const double widths[] = {1, 0.3, 0.027, 1e-4, 3e-7, 1.1e-8};
    int good = 0;
    for (int exponent = -300; exponent <= 300; exponent++) {
        for (int kind = 0; kind < 24; kind++) {
            const double size = pow(10, exponent), width = widths[kind / 4] * size;
            const double least = (kind & 1) != 0 ? size : -size / 3, most = least + width;
            char label[50][UR_TICK_LABEL];
            if (!ur_axis_range_is_good(least, most))
                continue;
            good++;
            ur_ticks t = ur_nice_ticks(least, most, 5, false, false);
            assert_in_range(t.count, 3, 11);
            for (int i = 0; i < t.count; i++) {
                const double place = (ur_tick(&t, i) - least) / width;
                assert_true(place > -1e-4 && place < 1 + 1e-4);
                ur_tick_label(&t, i, (kind & 2) != 0, label[i]);
                assert_true(strlen(label[i]) < 20);
                for (int j = 0; j < i; j++)
                    assert_string_not_equal(label[i], label[j]);
            }
        }
    }
    assert_true(good > 500 * 24);
    assert_false(ur_axis_range_is_good(0, 5e-324));
    assert_false(ur_axis_range_is_good(1, 1 + 1e-10));
    assert_false(ur_axis_range_is_good(0, INFINITY));
    assert_false(ur_axis_range_is_good((double)NAN, 1));
    assert_false(ur_axis_range_is_good(-1e308, 1e308));
}

/* Grey value after ITU-R BT.709, on sRGB bytes turned to light: how a colour prints. */
static double luminance(const char *colour)
{
    static const double weight[3] = {0.2126, 0.7152, 0.0722};
    double sum = 0;
    for (int i = 0; i < 3; i++) {
        char pair[3] = {colour[1 + 2 * i], colour[2 + 2 * i], '\0'};
        double v = (double)strtol(pair, NULL, 16) / 255;
        sum += weight[i] * (v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4));
    }
    return sum;
}

static void colours_grow_darker(void **state)
{
    (void)state;
    char colour[8];
    ur_scale_colour(0, colour);
    assert_string_equal(colour, "#ffffff");
    double before = 2;
    for (int i = 0; i <= 64; i++) {
        ur_scale_colour(i / 64.0, colour);
        double now = luminance(colour);
        assert_true(now < before);
        before = now;
    }
    assert_true(before < 0.05);
    /* Evenly: the CIE lightness of equal steps differs about equally. */
    double last = 100;
    for (int i = 1; i <= 16; i++) {
        ur_scale_colour(i / 16.0, colour);
        double lightness = 116 * cbrt(luminance(colour)) - 16;
        assert_true(last - lightness > 2.5 && last - lightness < 8.0);
        last = lightness;
    }
    for (size_t i = 0; i < UR_CURVE_COLOURS; i++) /* curves stand out from white */
        assert_true(1.05 / (luminance(ur_curve_colour(i)) + 0.05) > 2.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ticks),
                                       cmocka_unit_test(ticks_of_any_range),
                                       cmocka_unit_test(colours_grow_darker)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
