/* Tests of base/philox: known answers, and that a stream is a function of its position. */
#include "base/philox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void check_block(uint64_t key, uint64_t low, uint64_t high, const uint32_t expected[4])
{
    ur_philox_block block = ur_philox(key, low, high);
    for (int i = 0; i < 4; i++)
        assert_int_equal(block.word[i], expected[i]);
}

/* The known answers that come with Random123: all zero, all ones, digits of pi. */
static void test_known_answers(void **state)
{
    (void)state;
    check_block(0, 0, 0, (uint32_t[]){0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    check_block(UINT64_MAX, UINT64_MAX, UINT64_MAX,
                (uint32_t[]){0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    check_block(0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e,
                (uint32_t[]){0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

static void test_stream_is_the_blocks_in_order(void **state)
{
    (void)state;
    ur_random r = ur_random_start(42, 7);
    for (uint64_t block = 0; block < 5; block++) {
        ur_philox_block expected = ur_philox(42, block, 7);
        for (int i = 0; i < 4; i++)
            assert_int_equal(ur_random_u32(&r), expected.word[i]);
    }
}

static void test_seek(void **state)
{
    (void)state;
    uint32_t all[23];
    ur_random r = ur_random_start(1, 2);
    for (int i = 0; i < 23; i++)
        all[i] = ur_random_u32(&r);
    for (uint64_t from = 0; from < 23; from++) {
        ur_random again = ur_random_start(1, 2);
        ur_random_seek(&again, from);
        for (uint64_t i = from; i < 23; i++)
            assert_int_equal(ur_random_u32(&again), all[i]);
        assert_int_equal(again.position, 23);
    }
}

static void test_below(void **state)
{
    (void)state;
    ur_random r = ur_random_start(3, 0);
    size_t seen[7] = {0};
    for (int i = 0; i < 7000; i++) {
        uint64_t x = ur_random_below(&r, 7);
        assert_true(x < 7);
        seen[x]++;
    }
    for (int i = 0; i < 7; i++)
        assert_in_range(seen[i], 850, 1150); /* five standard deviations; the seed is fixed */
    for (int i = 0; i < 100; i++) {
        assert_int_equal(ur_random_below(&r, 1), 0);
        assert_true(ur_random_below(&r, UINT64_C(3) << 62) < UINT64_C(3) << 62);
    }
}

/* 3 * 2^62 leaves a quarter of all draws to be drawn again: then the position shows it. */
static void test_below_draws_again(void **state)
{
    (void)state;
    ur_random r = ur_random_start(3, 0);
    for (int i = 0; i < 1000; i++)
        ur_random_below(&r, UINT64_C(3) << 62);
    assert_in_range(r.position, 2000 * 1.2, 2000 * 1.5);
    r = ur_random_start(3, 0);
    for (int i = 0; i < 1000; i++)
        ur_random_below(&r, UINT64_C(1) << 62); /* divides 2^64: nothing is left over */
    assert_int_equal(r.position, 2000);
}

static void test_uniform(void **state)
{
    (void)state;
    ur_random r = ur_random_start(5, 0);
    double sum = 0;
    for (int i = 0; i < 10000; i++) {
        float x = ur_random_uniform(&r);
        assert_true(x >= 0 && x < 1);
        float multiple = x * 0x1p24f;
        assert_true((float)(uint32_t)multiple == multiple);
        sum += (double)x;
    }
    assert_true(sum > 4850 && sum < 5150);
}

static void test_shuffle(void **state)
{
    (void)state;
    size_t first_place[6] = {0};
    ur_random r = ur_random_start(9, 1);
    for (int round = 0; round < 6000; round++) {
        size_t items[6] = {0, 1, 2, 3, 4, 5}, seen = 0;
        ur_random_shuffle(&r, items, 6);
        for (int i = 0; i < 6; i++)
            seen |= (size_t)1 << items[i];
        assert_int_equal(seen, 63);
        first_place[items[0]]++;
    }
    for (int i = 0; i < 6; i++)
        assert_in_range(first_place[i], 855, 1145);
    size_t one = 17;
    ur_random_shuffle(&r, &one, 1);
    ur_random_shuffle(&r, NULL, 0);
    assert_int_equal(one, 17);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_stream_is_the_blocks_in_order),
        cmocka_unit_test(test_seek),
        cmocka_unit_test(test_below),
        cmocka_unit_test(test_below_draws_again),
        cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_shuffle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
