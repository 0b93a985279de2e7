/* test_sort.c - longest first, and equal lengths in the order that they came in. */
#include "base/sort.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/philox.h"

enum { MOST = 70 };

static size_t length_of(const void *context, size_t item)
{
    return ((const size_t *)context)[item];
}

static void check(size_t n, size_t lengths)
{
    size_t length[MOST + 1], items[MOST + 1], scratch[MOST / 2 + 1];
    ur_random random = ur_random_start(n, lengths);
    for (size_t i = 0; i < n; i++) {
        length[i] = (size_t)ur_random_below(&random, lengths);
        items[i] = i;
    }
    items[n] = scratch[n / 2] = 12345;
    ur_sort_longest_first(items, n, scratch, length_of, length);
    for (size_t i = 0; i + 1 < n; i++) {
        const size_t a = items[i], b = items[i + 1];
        assert_true(length[a] > length[b] || (length[a] == length[b] && a < b));
    }
    assert_int_equal(items[n], 12345);
    assert_int_equal(scratch[n / 2], 12345);
}

static void any_lengths(void **state)
{
    (void)state;
    for (size_t n = 0; n <= MOST; n++)
        for (size_t lengths = 1; lengths < 200; lengths = lengths * 2 + 1)
            check(n, lengths);
}

/* Items need not be numbered from 0 in order: equal ones keep the caller's order. */
static void the_callers_order(void **state)
{
    (void)state;
    const size_t length[] = {3, 7, 3, 0, 7};
    size_t items[] = {4, 3, 2, 1, 0}, scratch[2];
    ur_sort_longest_first(items, 5, scratch, length_of, length);
    static const size_t expected[] = {4, 1, 2, 0, 3};
    assert_memory_equal(items, expected, sizeof expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_lengths),
                                       cmocka_unit_test(the_callers_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
