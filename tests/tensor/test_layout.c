/* test_layout.c - where the rows of ragged batches lie, against a plain enumeration. */
#include "base/alloc.h"
#include "support/contexts.h"
#include "support/failing_alloc.h"
#include "tensor/layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MOST = 12 };

static void check(const ur_layout *l, ur_order order, size_t batch, const size_t *length)
{
    size_t rows = 0, steps = 0;
    for (size_t b = 0; b < batch; b++) {
        rows += length[b];
        steps = length[b] > steps ? length[b] : steps;
        assert_int_equal(l->length[b], length[b]);
        assert_int_equal(l->sequence[l->rank[b]], b);
    }
    assert_int_equal(l->order, order);
    assert_int_equal(l->batch, batch);
    assert_int_equal(l->rows, rows);
    assert_int_equal(l->steps, steps);
    for (size_t p = 1; p < batch; p++) { /* falling lengths, stable */
        const size_t a = l->sequence[p - 1], b = l->sequence[p];
        assert_true(length[a] > length[b] || (length[a] == length[b] && a < b));
    }
    size_t next = 0;
    if (order == UR_SEQUENCE_MAJOR) {
        for (size_t b = 0; b < batch; b++)
            for (size_t t = 0; t < length[b]; t++)
                assert_int_equal(ur_row(l, b, t), next++);
    } else {
        for (size_t t = 0; t < steps; t++)
            for (size_t p = 0; p < batch; p++)
                if (length[l->sequence[p]] > t)
                    assert_int_equal(ur_row(l, l->sequence[p], t), next++);
    }
    assert_int_equal(next, rows);
    for (size_t t = 0; t < steps + 2; t++) {
        size_t alive = 0;
        for (size_t b = 0; b < batch; b++)
            alive += length[b] > t;
        assert_int_equal(ur_alive(l, t), alive);
    }
}

static void layouts(void **state)
{
    (void)state;
    ur_arena *arena;
    assert_int_equal(ur_arena_new(NULL, &arena, NULL), UR_OK);
    for (uint64_t round = 0; round < 300; round++) {
        size_t length[MOST];
        uint64_t id[MOST];
        const size_t batch = round % (MOST + 1);
        for (size_t b = 0; b < batch; b++) {
            length[b] = (size_t)((made_up(round, b) + 1.0f) * (round % 3 ? 3.0f : 0.7f));
            id[b] = round << 40 | b;
        }
        const ur_order order = round % 2 ? UR_STEP_MAJOR : UR_SEQUENCE_MAJOR;
        const ur_order turned = round % 2 ? UR_SEQUENCE_MAJOR : UR_STEP_MAJOR;
        const ur_layout *l = ur_layout_build(arena, order, batch, length, round % 5 ? id : NULL);
        assert_non_null(l);
        check(l, order, batch, length);
        for (size_t b = 0; b < batch; b++)
            assert_true(l->id[b] == (round % 5 ? id[b] : b));
        assert_ptr_equal(ur_layout_reorder(arena, l, order), l);
        const ur_layout *other = ur_layout_reorder(arena, l, turned);
        check(other, turned, batch, length);
        assert_true(ur_layout_same_lengths(l, other) && !ur_layout_same_rows(l, other));
        for (size_t b = 0; b < batch; b++)
            assert_true(other->id[b] == l->id[b]);
        if (batch) {
            length[0]++;
            other = ur_layout_build(arena, order, batch, length, NULL);
            assert_false(ur_layout_same_lengths(l, other));
        }
        ur_arena_reset(arena);
    }
    ur_arena_free(arena);
}

static void lengths_that_overflow(void **state)
{
    (void)state;
    ur_arena *arena;
    assert_int_equal(ur_arena_new(NULL, &arena, NULL), UR_OK);
    const size_t length[] = {SIZE_MAX / 16, 1, SIZE_MAX};
    assert_null(ur_layout_build(arena, UR_STEP_MAJOR, 3, length, NULL));
    ur_arena_free(arena);
}

static ur_status build(const ur_allocator *a, ur_err *err, void *arg)
{
    (void)arg;
    const size_t length[] = {300, 0, 200};
    ur_arena *arena;
    ur_status status = ur_arena_new(a, &arena, err);
    if (status != UR_OK)
        return status;
    const ur_layout *l = ur_layout_build(arena, UR_STEP_MAJOR, 3, length, NULL);
    if (!l || !ur_layout_reorder(arena, l, UR_SEQUENCE_MAJOR)) {
        if (err) {
            err->status = UR_NO_MEMORY;
            strcpy(err->text, "no layout");
        }
        status = UR_NO_MEMORY;
    }
    ur_arena_free(arena);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(failing_alloc_sweep(build, NULL) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layouts),
        cmocka_unit_test(lengths_that_overflow),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
