/* Tests of base/arena: alignment, marks, and that a steady state allocates nothing. */
#include "base/arena.h"
#include "base/alloc.h"
#include "base/philox.h"
#include "base/status.h"
#include "support/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static ur_arena *new_arena(failing_alloc *f)
{
    ur_arena *arena = NULL;
    failing_alloc_init(f, 0, false);
    assert_int_equal(ur_arena_new(&f->hooks, &arena, NULL), UR_OK);
    return arena;
}

static void free_arena(ur_arena *arena, const failing_alloc *f)
{
    ur_arena_free(arena);
    assert_int_equal(f->outstanding, 0);
    assert_int_equal(f->bad_frees, 0);
}

/* Pieces of many sizes, each filled with its number: aligned, apart, and not overwritten. */
static void test_pieces_are_aligned_and_apart(void **state)
{
    (void)state;
    enum { PIECES = 2000 };
    static unsigned char *piece[PIECES];
    static size_t size[PIECES];
    failing_alloc f;
    ur_arena *arena = new_arena(&f);
    ur_random r = ur_random_start(1, 0);
    for (size_t i = 0; i < PIECES; i++) {
        size[i] = (size_t)ur_random_below(&r, i % 50 == 0 ? 300000 : 500);
        piece[i] = ur_arena_take(arena, size[i], 1);
        assert_non_null(piece[i]);
        assert_int_equal((uintptr_t)piece[i] % 64, 0);
        memset(piece[i], (int)(i % 251), size[i]);
    }
    for (size_t i = 0; i < PIECES; i++)
        for (size_t k = 0; k < size[i]; k++)
            if (piece[i][k] != i % 251)
                fail_msg("piece %zu was overwritten at %zu of %zu", i, k, size[i]);
    assert_true(ur_arena_held(arena) <= f.bytes);
    free_arena(arena, &f);
}

static void test_overflow(void **state)
{
    (void)state;
    failing_alloc f;
    ur_arena *arena = new_arena(&f);
    assert_null(ur_arena_take(arena, SIZE_MAX, 2));
    assert_null(ur_arena_take(arena, SIZE_MAX, 1));
    assert_null(ur_arena_take(arena, SIZE_MAX / 4, 1)); /* no such memory */
    assert_null(ur_arena_take_zero(arena, SIZE_MAX / 8, 16));
    assert_non_null(ur_arena_take(arena, 0, 4));
    assert_non_null(ur_arena_take(arena, 4, 0));
    free_arena(arena, &f);
    ur_arena_free(NULL);
}

static void test_zeroed(void **state)
{
    (void)state;
    failing_alloc f;
    ur_arena *arena = new_arena(&f);
    ur_mark start = ur_arena_mark(arena);
    memset(ur_arena_take(arena, 1000, 1), 0xff, 1000);
    ur_arena_rewind(arena, start);
    const unsigned char zero[1000] = {0};
    assert_memory_equal(ur_arena_take_zero(arena, 250, 4), zero, 1000);
    free_arena(arena, &f);
}

/* What stands before the mark stays; what came after is handed out again. */
static void test_marks(void **state)
{
    (void)state;
    failing_alloc f;
    ur_arena *arena = new_arena(&f);
    char *kept = ur_arena_take(arena, 100, 1);
    strcpy(kept, "kept");
    ur_mark outer = ur_arena_mark(arena);
    char *first = ur_arena_take(arena, 100, 1);
    ur_mark inner = ur_arena_mark(arena);
    ur_arena_take(arena, 1 << 20, 1); /* in another chunk */
    ur_arena_take(arena, 1 << 21, 1);
    ur_arena_rewind(arena, inner);
    char *second = ur_arena_take(arena, 100, 1);
    assert_true(second > first && second < first + 4096); /* in the first chunk again */
    ur_arena_rewind(arena, outer);
    assert_ptr_equal(ur_arena_take(arena, 100, 1), first);
    assert_string_equal(kept, "kept");
    free_arena(arena, &f);
}

static void take_a_round(ur_arena *arena)
{
    for (size_t i = 0; i < 300; i++)
        memset(ur_arena_take(arena, 1000 + 37 * i, 1), 1, 1000 + 37 * i);
    memset(ur_arena_take(arena, 5000000, 1), 1, 5000000);
}

static void test_rewound_chunks_are_used_again(void **state)
{
    (void)state;
    failing_alloc f;
    ur_arena *arena = new_arena(&f);
    ur_arena_take(arena, 10, 1);
    ur_mark mark = ur_arena_mark(arena);
    take_a_round(arena);
    size_t calls = f.calls, held = ur_arena_held(arena);
    for (int i = 0; i < 10; i++) {
        ur_arena_rewind(arena, mark);
        take_a_round(arena);
    }
    assert_int_equal(f.calls, calls);
    assert_int_equal(ur_arena_held(arena), held);
    free_arena(arena, &f);
}

static void test_steady_state_allocates_nothing(void **state)
{
    (void)state;
    failing_alloc f;
    ur_arena *arena = new_arena(&f);
    take_a_round(arena);
    assert_true(f.outstanding > 2); /* several chunks */
    ur_arena_reset(arena);
    take_a_round(arena);
    assert_int_equal(f.outstanding, 2); /* the arena and one chunk */
    size_t calls = f.calls;
    for (int i = 0; i < 10; i++) {
        ur_arena_reset(arena);
        take_a_round(arena);
    }
    assert_int_equal(f.calls, calls);

    /* A larger round, and it is steady again. */
    ur_arena_reset(arena);
    take_a_round(arena);
    take_a_round(arena);
    ur_arena_reset(arena);
    take_a_round(arena);
    take_a_round(arena);
    assert_int_equal(f.outstanding, 2);
    free_arena(arena, &f);
}

/* The chunk that would hold everything is refused: smaller ones do. */
static void test_refused_coalescing(void **state)
{
    (void)state;
    failing_alloc f;
    ur_arena *arena = new_arena(&f);
    take_a_round(arena);
    ur_arena_reset(arena);
    f.fail_at = f.calls + 1;
    take_a_round(arena);
    assert_int_equal(f.failures, 1);
    ur_arena_reset(arena);
    take_a_round(arena);
    assert_int_equal(f.outstanding, 2);
    free_arena(arena, &f);
}

static ur_status rounds(const ur_allocator *a, ur_err *err, void *arg)
{
    (void)arg;
    ur_arena *arena = NULL;
    ur_status status = ur_arena_new(a, &arena, err);
    for (int round = 0; round < 3 && status == UR_OK; round++) {
        for (size_t i = 0; i < 8 && status == UR_OK; i++) {
            unsigned char *piece = ur_arena_take(arena, 40000, 1);
            if (piece)
                memset(piece, 0, 40000);
            else
                status = ur_no_memory(err, 40000);
        }
        ur_arena_reset(arena);
    }
    ur_arena_free(arena);
    return status;
}

static void test_each_allocation_fails(void **state)
{
    (void)state;
    assert_true(failing_alloc_sweep(rounds, NULL) >= 4);
}

/* After a rest nothing is held, and what was is asked for at once. */
static void test_rest(void **state)
{
    (void)state;
    failing_alloc f;
    ur_arena *arena = new_arena(&f);
    const size_t alone = f.bytes;
    ur_arena_rest(arena); /* of nothing */
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 300; i++)
            assert_non_null(ur_arena_take(arena, 10000, 1));
        ur_arena_rest(arena);
        assert_int_equal(f.bytes, alone);
        assert_int_equal(ur_arena_held(arena), 0);
    }
    const size_t calls = f.calls;
    for (int i = 0; i < 300; i++)
        assert_non_null(ur_arena_take(arena, 10000, 1));
    assert_int_equal(f.calls, calls + 1);
    free_arena(arena, &f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_are_aligned_and_apart),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_zeroed),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_rewound_chunks_are_used_again),
        cmocka_unit_test(test_steady_state_allocates_nothing),
        cmocka_unit_test(test_rest),
        cmocka_unit_test(test_refused_coalescing),
        cmocka_unit_test(test_each_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
