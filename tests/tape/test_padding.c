/* test_padding.c - padded arrays in and out: where every number goes, what is not looked at, what is
 * filled in, gradients, and what is refused. */
#include "support/contexts.h"
#include "support/failing_alloc.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { BATCH = 4, STEPS = 6, WIDTH = 3, ROWS = 9 };
static const size_t length[BATCH] = {3, 0, 5, 1};

static int setup(void **state)
{
    ur_context *context = context_of(NULL, 1, NULL);
    *state = context;
    return 0;
}

static int teardown(void **state)
{
    ur_context_free(*state);
    return 0;
}

/* Feature f of step t of sequence b; t may lie beyond the end. */
static float number(size_t b, size_t t, size_t f)
{
    return (float)(100 * b + 10 * t + f);
}

static size_t at(bool batch_first, size_t steps, size_t b, size_t t)
{
    return batch_first ? b * steps + t : t * BATCH + b;
}

/* (B,T,WIDTH) or (T,B,WIDTH); what lies beyond the ends is not a number. */
static ur_tensor *padded_floats(ur_tape *tape, bool batch_first)
{
    const size_t dim[] = {batch_first ? BATCH : STEPS, batch_first ? STEPS : BATCH, WIDTH};
    ur_tensor *x = ur_new_floats(tape, 3, dim, true);
    if (!x)
        return NULL;
    for (size_t b = 0; b < BATCH; b++)
        for (size_t t = 0; t < STEPS; t++)
            for (size_t f = 0; f < WIDTH; f++)
                ur_floats(x)[at(batch_first, STEPS, b, t) * WIDTH + f] =
                    t < length[b] ? number(b, t, f) : NAN;
    return x;
}

static void floats_there_and_back(void **state)
{
    ur_tape *t = tape_of(*state);
    for (int i = 0; i < 12; i++) {
        const bool first_in = i & 1, first_out = i & 2;
        const size_t steps = (size_t[]){0, 5, 8}[i / 4], all = steps ? steps : 5;
        const float value = (float[]){0.0f, -1.5f, INFINITY}[i / 4];
        ur_tape_start(t, UR_INFER, NULL, NULL, 0, 0);
        const ur_layout *l = ur_new_layout(t, (ur_order)(i % 3 % 2), BATCH, length, NULL);
        const ur_seq *x = ur_from_padded(t, l, padded_floats(t, first_in), first_in);
        tape_fine(t);
        assert_true(x->layout == l && x->values->ndim == 2 && x->values->dim[0] == ROWS &&
                    x->values->dim[1] == WIDTH);
        for (size_t b = 0; b < BATCH; b++)
            for (size_t s = 0; s < length[b]; s++)
                for (size_t f = 0; f < WIDTH; f++)
                    assert_true(ur_floats(x->values)[ur_row(l, b, s) * WIDTH + f] ==
                                number(b, s, f));
        const ur_tensor *y = ur_to_padded(t, x, steps, (double)value, first_out);
        tape_fine(t);
        assert_true(y->ndim == 3 && y->dim[first_out ? 0 : 1] == BATCH &&
                    y->dim[first_out ? 1 : 0] == all && y->dim[2] == WIDTH);
        for (size_t b = 0; b < BATCH; b++)
            for (size_t s = 0; s < all; s++)
                for (size_t f = 0; f < WIDTH; f++)
                    assert_true(ur_floats(y)[at(first_out, all, b, s) * WIDTH + f] ==
                                (s < length[b] ? number(b, s, f) : value));
    }
    ur_tape_free(t);
}

/* The example of pack_padded_sequence's documentation. */
static void ids_there_and_back(void **state)
{
    static const int32_t ids[9] = {1, 2, 0, 3, 0, 0, 4, 5, 6};
    static const int32_t packed[] = {4, 1, 3, 5, 2, 6};
    static const int32_t turned[] = {1, 3, 4, 2, -7, 5, -7, -7, 6};
    const size_t lengths[] = {2, 1, 3}, dim[] = {3, 3};
    ur_tape *t = tape_of(*state);
    ur_tape_start(t, UR_INFER, NULL, NULL, 0, 0);
    ur_tensor *x = ur_new_ints(t, 2, dim);
    memcpy(x->data, ids, sizeof ids);
    const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, 3, lengths, NULL);
    const ur_seq *s = ur_from_padded(t, l, x, true);
    tape_fine(t);
    assert_true(s->values->dtype == UR_I32 && s->values->ndim == 1 && s->values->dim[0] == 6);
    assert_memory_equal(s->values->data, packed, sizeof packed);
    const ur_tensor *same = ur_to_padded(t, s, 3, 0.0, true);
    const ur_tensor *other = ur_to_padded(t, s, 0, -7.0, false);
    tape_fine(t);
    assert_true(same->dtype == UR_I32 && same->ndim == 2);
    assert_memory_equal(same->data, ids, sizeof ids);
    assert_memory_equal(other->data, turned, sizeof turned);
    ur_tape_free(t);
}

/* d/dx of sum(w out(in(x))): w where there is a step, nothing elsewhere. */
static void gradients_reach_the_steps_alone(void **state)
{
    ur_tape *t = tape_of(*state);
    for (int i = 0; i < 8; i++) {
        const bool first_in = i & 1, first_out = i & 2;
        ur_tape_start(t, UR_TRAIN, NULL, NULL, 0, 0);
        const ur_layout *l =
            ur_new_layout(t, i & 4 ? UR_SEQUENCE_MAJOR : UR_STEP_MAJOR, BATCH, length, NULL);
        ur_tensor *x = padded_floats(t, first_in);
        ur_tensor *y = ur_to_padded(t, ur_from_padded(t, l, x, first_in), 7, 0.5, first_out);
        ur_tensor *w = y ? ur_new_floats(t, 3, y->dim, false) : NULL;
        tape_fine(t);
        for (size_t k = 0; k < ur_count(w); k++)
            ur_floats(w)[k] = made_up(3, k);
        assert_int_equal(ur_backward(t, ur_sum(t, ur_mul(t, y, w))), UR_OK);
        for (size_t b = 0; b < BATCH; b++)
            for (size_t s = 0; s < STEPS; s++)
                for (size_t f = 0; f < WIDTH; f++) {
                    const float want =
                        s < length[b] ? ur_floats(w)[at(first_out, 7, b, s) * WIDTH + f] : 0.0f;
                    assert_true(x->grad[at(first_in, STEPS, b, s) * WIDTH + f] == want);
                }
    }
    ur_tape_free(t);
}

static void refused(void **state)
{
    ur_tape *t = tape_of(*state);
    static const char *const says[] = {
        "from_padded: (6,4,3) does not hold 4 sequences of up to 5 steps, batch first",
        "from_padded: (4,6,3) does not hold 4 sequences of up to 5 steps, steps first",
        "from_padded: (4,4,3) does not hold",
        "from_padded: operand (4,6) is of floats, floats of 3 dimensions expected",
        "from_padded: operand (4,6,1) is of int32 ids, int32 ids of 2 dimensions",
        "to_padded: 4 steps, but the longest sequence has 5",
        "to_padded: ids cannot be padded with 0.5",
        "to_padded: ids cannot be padded with 2.14748e+09"};
    for (int i = 0; i < 8; i++) {
        ur_tape_start(t, UR_INFER, NULL, NULL, 0, 0);
        const size_t four[] = {4, 4, 3}, two[] = {4, 6}, one[] = {4, 6, 1};
        const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, BATCH, length, NULL);
        const int32_t ids[ROWS] = {0};
        ur_tensor *x = i == 2   ? ur_new_floats(t, 3, four, false)
                       : i == 3 ? ur_new_floats(t, 2, two, false)
                       : i == 4 ? ur_new_ints(t, 3, one)
                                : padded_floats(t, i == 1);
        if (i < 5)
            assert_null(ur_from_padded(t, l, x, i != 1));
        else if (i == 5)
            assert_null(ur_to_padded(t, ur_from_padded(t, l, x, false), 4, 0.0, true));
        else
            assert_null(
                ur_to_padded(t, ur_seq_ints(t, l, ids), 0, i == 6 ? 0.5 : 2147483648.0, true));
        tape_failed(t, UR_INVALID, says[i]);
        assert_null(ur_from_padded(t, l, x, true)); /* sticky, and NULL goes through */
    }
    ur_tape_start(t, UR_INFER, NULL, NULL, 0, 0);
    assert_null(ur_from_padded(t, NULL, NULL, true));
    tape_failed(t, UR_INVALID, "from_padded: an operand is missing");
    ur_tape_start(t, UR_INFER, NULL, NULL, 0, 0);
    assert_null(ur_to_padded(t, NULL, 0, 0.0, true));
    tape_failed(t, UR_INVALID, "to_padded: an operand is missing");
    ur_tape_free(t);
}

static ur_status there_and_back(const ur_allocator *a, ur_err *err, void *arg)
{
    (void)arg;
    ur_context *context;
    ur_tape *t = NULL;
    const ur_options options = {.allocator = a, .threads = 1};
    ur_status status = ur_context_new(&options, &context, err);
    if (status != UR_OK)
        return status;
    status = ur_tape_new(context, &t, err);
    if (status == UR_OK) {
        ur_tape_start(t, UR_TRAIN, NULL, NULL, 0, 0);
        const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, BATCH, length, NULL);
        const ur_seq *x = ur_from_padded(t, l, padded_floats(t, true), true);
        status = ur_backward(t, ur_sum(t, ur_to_padded(t, x, 100000, 0.0, false)));
        if (status != UR_OK) {
            err->status = status;
            strncpy(err->text, ur_error(t), sizeof err->text - 1);
        }
    }
    ur_tape_free(t);
    ur_context_free(context);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(failing_alloc_sweep(there_and_back, NULL) > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_there_and_back), cmocka_unit_test(ids_there_and_back),
        cmocka_unit_test(gradients_reach_the_steps_alone), cmocka_unit_test(refused),
        cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
