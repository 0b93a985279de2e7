/* test_confusion.c - scores from a confusion matrix, against numbers worked out by hand and against
 * their definitions. */
#include "models/confusion.h"

#include "support/failing_alloc.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static bool near(double x, double y)
{
    return fabs(x - y) < 1e-15;
}

/*            said  a  b  c  d
 * true a           5  1  0  0
 *      b           2  3  1  0
 *      c           0  0  0  0   never true, said once
 *      d           0  0  0  0   neither: counts nothing */
static void by_hand(void **state)
{
    (void)state;
    size_t counts[] = {5, 1, 0, 0, 2, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    const ur_confusion c = {4, counts, NULL, NULL, NULL};
    const ur_label_score a = ur_confusion_score(&c, 0), b = ur_confusion_score(&c, 1);
    const ur_label_score said = ur_confusion_score(&c, 2), none = ur_confusion_score(&c, 3);
    assert_true(a.present == 6 && a.predicted == 7 && a.right == 5);
    assert_true(near(a.precision, 5.0 / 7) && near(a.recall, 5.0 / 6) && near(a.f1, 10.0 / 13));
    assert_true(b.present == 6 && b.predicted == 4 && b.right == 3);
    assert_true(near(b.precision, 0.75) && near(b.recall, 0.5) && near(b.f1, 0.6));
    assert_true(said.predicted == 1 && said.precision == 0 && said.recall == 0 && said.f1 == 0);
    assert_true(none.precision == 0 && none.recall == 0 && none.f1 == 0);
    assert_true(near(ur_confusion_accuracy(&c), 8.0 / 12));
    assert_true(near(ur_confusion_f1(&c), (10.0 / 13 + 0.6 + 0) / 3));
    counts[10] = 1; /* c, once right: both f1 and accuracy move */
    assert_true(near(ur_confusion_f1(&c), (10.0 / 13 + 0.6 + 2.0 / 3) / 3));
    assert_true(near(ur_confusion_accuracy(&c), 9.0 / 13));
}

/* f1 is the harmonic mean of precision and recall. */
static void harmonic(void **state)
{
    (void)state;
    for (size_t right = 0; right < 6; right++)
        for (size_t present = right; present < 9; present++)
            for (size_t predicted = right; predicted < 9; predicted++) {
                const ur_label_score s = ur_label_score_of(present, predicted, right);
                const double sum = s.precision + s.recall;
                const double f1 = sum > 0 ? 2 * s.precision * s.recall / sum : 0;
                assert_true(near(s.f1, f1));
            }
}

static void nothing(void **state)
{
    (void)state;
    ur_confusion *c;
    ur_err err;
    assert_int_equal(ur_confusion_new(NULL, 3, true, &c, &err), UR_OK);
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(c->counts[i], 0);
    assert_true(ur_confusion_accuracy(c) == 0 && ur_confusion_f1(c) == 0);
    ur_confusion_free(NULL, c);
    ur_confusion_free(NULL, NULL);
    assert_int_equal(ur_confusion_new(NULL, UR_MOST_CONFUSED + 1, true, &c, &err), UR_INVALID);
    assert_null(c);
    assert_string_equal(err.text, "confusion matrix: 2001 labels, at most 2000 expected");
    assert_int_equal(ur_confusion_new(NULL, UR_MOST_LABELS + 1, false, &c, &err), UR_INVALID);
    assert_null(c);
}

/* Without a matrix memory grows with the labels; with one there are not many. */
static void memory(void **state)
{
    (void)state;
    failing_alloc f;
    ur_confusion *c;
    failing_alloc_init(&f, 0, false);
    assert_int_equal(ur_confusion_new(&f.hooks, UR_MOST_LABELS, false, &c, NULL), UR_OK);
    assert_null(c->counts);
    assert_true(f.bytes < 4 * UR_MOST_LABELS * sizeof(size_t));
    ur_confusion_free(&f.hooks, c);
    assert_int_equal(ur_confusion_new(&f.hooks, UR_MOST_CONFUSED, true, &c, NULL), UR_OK);
    assert_true(f.bytes < (UR_MOST_CONFUSED + 4) * UR_MOST_CONFUSED * sizeof(size_t));
    ur_confusion_free(&f.hooks, c);
    assert_int_equal(f.bytes, 0);
}

static ur_status make(const ur_allocator *a, ur_err *err, void *arg)
{
    (void)arg;
    ur_confusion *c;
    const ur_status status = ur_confusion_new(a, 5, true, &c, err);
    ur_confusion_free(a, c);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_int_equal(failing_alloc_sweep(make, NULL), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(harmonic),
        cmocka_unit_test(nothing),
        cmocka_unit_test(memory),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
