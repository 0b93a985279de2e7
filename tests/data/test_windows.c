/* test_windows.c - windows of a long text, against examples worked by hand. */
#include "unroll/text.h"
#include "support/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

/* The text 0 1 2 3 ...: an id says where it stands. */
enum { LONGEST = 10000 };
static int32_t counting[LONGEST];

static ur_windows *windows_of(size_t tokens, ur_window_options o)
{
    ur_windows *w;
    ur_err err;
    for (size_t i = 0; i < LONGEST; i++)
        counting[i] = (int32_t)i;
    if (ur_windows_new(NULL, (ur_ids){counting, tokens}, &o, &w, &err) != UR_OK)
        fail_msg("%s", err.text);
    return w;
}

/* Twenty-three tokens, two streams, windows of four: from offset 0 each stream has 11 tokens, hence
 * two windows, and three tokens that are dropped. */
static void sequential(void **state)
{
    (void)state;
    ur_windows *w = windows_of(23, (ur_window_options){.batch = 2, .bptt = 4});
    static const size_t begin[] = {0, 11, 4, 15};
    assert_int_equal(ur_windows_count(w), 4);
    for (size_t i = 0; i < 4; i++) {
        const ur_window window = ur_windows_at(w, i);
        assert_int_equal(window.ids[0], begin[i]);
        assert_int_equal(window.length, 4);
        assert_int_equal(window.stream, i % 2);
    }
    ur_windows_free(w);
}

/* The same with the tail: windows of three in a third batch. */
static void sequential_tail(void **state)
{
    (void)state;
    ur_windows *w = windows_of(23, (ur_window_options){.batch = 2, .bptt = 4, .keep_tail = true});
    assert_int_equal(ur_windows_count(w), 6);
    assert_int_equal(ur_windows_at(w, 4).ids[0], 8);
    assert_int_equal(ur_windows_at(w, 5).ids[0], 19);
    assert_int_equal(ur_windows_at(w, 5).length, 3);
    assert_int_equal(ur_windows_at(w, 5).ids[3], 22); /* the last target is the last token */
    ur_windows_free(w);
    w = windows_of(17, (ur_window_options){.batch = 2, .bptt = 4, .keep_tail = true});
    assert_int_equal(ur_windows_count(w), 4); /* 8 tokens each: there is no tail */
    ur_windows_free(w);
}

/* Every offset from 0 to bptt comes up, none besides, and streams follow each other. */
static void offsets(void **state)
{
    (void)state;
    ur_windows *w = windows_of(60, (ur_window_options){.batch = 3, .bptt = 4});
    size_t seen[6] = {0};
    for (uint64_t epoch = 0; epoch < 200; epoch++) {
        const size_t count = ur_windows_start(w, 7, epoch);
        const size_t offset = (size_t)ur_windows_at(w, 0).ids[0];
        assert_true(offset <= 4);
        seen[offset]++;
        const size_t stream = (60 - offset - 1) / 3;
        assert_int_equal(count, stream / 4 * 3);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(ur_windows_at(w, i).ids[0], offset + i % 3 * stream + i / 3 * 4);
    }
    for (size_t i = 0; i <= 4; i++)
        assert_in_range(seen[i], 20, 70);
    ur_windows_free(w);
}

/* The notes' case: 10,000 characters, 32 streams, 35 steps, always eight batches. */
static void time_machine(void **state)
{
    (void)state;
    ur_windows *w = windows_of(10000, (ur_window_options){.batch = 32, .bptt = 35});
    for (uint64_t epoch = 0; epoch < 100; epoch++)
        assert_int_equal(ur_windows_start(w, 1, epoch), 8 * 32);
    ur_windows_free(w);
}

/* Random windows are a shuffle of all that fit behind the offset, less what fills no batch. */
static void random_windows(void **state)
{
    (void)state;
    for (int keep = 0; keep < 2; keep++) {
        ur_windows *w = windows_of(
            60, (ur_window_options){
                    .batch = 5, .bptt = 4, .sampling = UR_SAMPLING_RANDOM, .keep_tail = keep});
        bool moved = false, seen_offset[4] = {false};
        for (uint64_t epoch = 0; epoch < 100; epoch++) {
            const size_t count = ur_windows_start(w, 3, epoch);
            const size_t offset = (size_t)ur_windows_at(w, 0).ids[0] % 4;
            const size_t all = (60 - offset - 1) / 4;
            bool taken[15] = {false};
            seen_offset[offset] = true;
            assert_int_equal(count, keep ? all : all / 5 * 5);
            for (size_t i = 0; i < count; i++) {
                const ur_window window = ur_windows_at(w, i);
                const size_t place = ((size_t)window.ids[0] - offset) / 4;
                assert_int_equal(((size_t)window.ids[0] - offset) % 4, 0);
                assert_int_equal(window.length, 4);
                assert_in_range(place, 0, all - 1);
                assert_false(taken[place]);
                taken[place] = true;
                moved = moved || place != i;
            }
        }
        assert_true(moved);
        for (int i = 0; i < 4; i++)
            assert_true(seen_offset[i]);
        ur_windows_free(w);
    }
}

/* An epoch depends on seed and epoch, not on those before it. */
static void again(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        const ur_window_options o = {.batch = 4, .bptt = 5, .sampling = (ur_sampling)kind};
        ur_windows *a = windows_of(400, o), *b = windows_of(400, o);
        bool differs = false;
        for (uint64_t epoch = 0; epoch < 8; epoch++)
            ur_windows_start(a, 5, epoch);
        assert_int_equal(ur_windows_start(b, 5, 7), ur_windows_count(a));
        for (size_t i = 0; i < ur_windows_count(a); i++)
            assert_ptr_equal(ur_windows_at(a, i).ids, ur_windows_at(b, i).ids);
        for (uint64_t seed = 0; seed < 5; seed++) {
            ur_windows_start(b, seed, 3);
            differs = differs || ur_windows_at(a, 0).ids != ur_windows_at(b, 0).ids;
        }
        assert_true(differs);
        ur_windows_free(a);
        ur_windows_free(b);
    }
}

static void refused(size_t tokens, ur_window_options o, const char *part)
{
    ur_windows *w;
    ur_err err;
    assert_int_equal(ur_windows_new(NULL, (ur_ids){counting, tokens}, &o, &w, &err), UR_INVALID);
    if (!strstr(err.text, part))
        fail_msg("\"%s\" lacks \"%s\"", err.text, part);
}

static void too_short(void **state)
{
    (void)state;
    for (int random = 0; random < 2; random++)
        for (int keep = 0; keep < 2; keep++) {
            const ur_window_options o = {.batch = 3,
                                         .bptt = 4,
                                         .sampling =
                                             random ? UR_SAMPLING_RANDOM : UR_SAMPLING_SEQUENTIAL,
                                         .keep_tail = keep};
            const size_t least = random ? (keep ? 8 : 16) : (keep ? 8 : 17);
            ur_windows *w = windows_of(least, o);
            for (uint64_t epoch = 0; epoch < 50; epoch++)
                assert_true(ur_windows_start(w, 1, epoch) > 0);
            ur_windows_free(w);
            refused(least - 1, o, "tokens");
            refused(0, o, "the text has 0 tokens");
        }
    refused(100, (ur_window_options){.batch = 0, .bptt = 4}, "a batch of 0");
    refused(100, (ur_window_options){.batch = 4, .bptt = 0}, "0 steps");
    refused(100, (ur_window_options){.batch = SIZE_MAX, .bptt = 4}, "batch");
}

static ur_status take(const ur_allocator *a, ur_err *err, void *arg)
{
    ur_windows *w = NULL;
    const ur_status status = ur_windows_new(a, (ur_ids){counting, 100}, arg, &w, err);
    ur_windows_free(w);
    return status;
}

static void memory(void **state)
{
    (void)state;
    ur_window_options o = {.batch = 3, .bptt = 4, .sampling = UR_SAMPLING_RANDOM};
    assert_true(failing_alloc_sweep(take, &o) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequential),     cmocka_unit_test(sequential_tail),
        cmocka_unit_test(offsets),        cmocka_unit_test(time_machine),
        cmocka_unit_test(random_windows), cmocka_unit_test(again),
        cmocka_unit_test(too_short),      cmocka_unit_test(memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
