/* Tests of base/alloc and base/status, and of the failing allocator that other tests rely on. */
#include "base/alloc.h"
#include "base/status.h"
#include "support/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <cmocka.h>

static void test_overflow(void **state)
{
    (void)state;
    assert_null(ur_alloc(NULL, SIZE_MAX, 2));
    assert_null(ur_alloc(NULL, 2, SIZE_MAX));
    assert_null(ur_alloc(NULL, SIZE_MAX / 2, 2));
    assert_null(ur_alloc_zero(NULL, (SIZE_MAX >> 32) + 1, (SIZE_MAX >> 32) + 1));
}

static void test_nothing_is_something(void **state)
{
    (void)state;
    void *none = ur_alloc(NULL, 0, 8), *empty = ur_alloc_zero(NULL, 8, 0);
    assert_non_null(none);
    assert_non_null(empty);
    ur_free(NULL, none);
    ur_free(NULL, empty);
    ur_free(NULL, NULL);
}

static void test_zero_and_strdup(void **state)
{
    (void)state;
    failing_alloc f;
    failing_alloc_init(&f, 0, false);
    const unsigned char zero[12] = {0};
    void *memory = ur_alloc_zero(&f.hooks, 3, 4);
    assert_memory_equal(memory, zero, 12);
    char *copy = ur_strdup(&f.hooks, "abc");
    assert_string_equal(copy, "abc");
    assert_int_equal(f.outstanding, 2);
    assert_int_equal(f.bytes, 16);
    ur_free(&f.hooks, memory);
    ur_free(&f.hooks, copy);
    assert_int_equal(f.outstanding, 0);
}

/* Large blocks are found again, whatever small ones were taken meanwhile: what the process holds stays near the
 * most that it used at a time. */
static void test_large_blocks(void **state)
{
    (void)state;
    const ur_allocator *a = ur_default_allocator();
    enum { ROUNDS = 40, BLOCKS = 4, SMALL = 400, MIB = 1 << 20 };
    static const size_t mib[BLOCKS] = {9, 4, 15, 2};
    static void *small[ROUNDS * SMALL];
    struct rusage before, after;
    for (size_t round = 0, n = 0; round < ROUNDS; round++) {
        char *block[BLOCKS];
        for (size_t i = 0; i < BLOCKS; i++) {
            const size_t bytes = mib[i] * MIB - 1000 * i;
            block[i] = ur_alloc(a, bytes, 1);
            assert_non_null(block[i]);
            memset(block[i], (int)i, bytes);
            for (size_t k = 0; k < SMALL / BLOCKS; k++, n++) {
                small[n] = ur_alloc(a, 100 + n % 900, 1);
                assert_non_null(small[n]);
            }
        }
        for (size_t i = 0; i < BLOCKS; i++) {
            const size_t last = mib[i] * MIB - 1000 * i - 1;
            assert_true(block[i][0] == (char)i && block[i][last] == (char)i);
            ur_free(a, block[i]);
        }
        if (round == 1)
            getrusage(RUSAGE_SELF, &before);
    }
    getrusage(RUSAGE_SELF, &after);
    for (size_t i = 0; i < ROUNDS * SMALL; i++)
        ur_free(a, small[i]);
    if (!getenv("UNROLL_SANITIZE") && after.ru_maxrss > before.ru_maxrss + 48 * 1024)
        fail_msg("%ld KiB after two rounds, %ld after %d", before.ru_maxrss, after.ru_maxrss,
                 ROUNDS);
}

/* Whoever gives no hooks gets malloc's own blocks, of any size, and may free them. */
static void test_no_hooks(void **state)
{
    (void)state;
    for (size_t bytes = 1; bytes <= (size_t)1 << 24; bytes *= 64) {
        char *block = ur_alloc(NULL, bytes, 1);
        assert_non_null(block);
        block[bytes - 1] = 1;
        free(block);
    }
}

static void test_reserve(void **state)
{
    (void)state;
    failing_alloc f;
    failing_alloc_init(&f, 0, false);
    uint32_t *array = NULL;
    size_t capacity = 0, calls = 0;
    for (size_t used = 0; used < 1000; used++) {
        assert_true(ur_reserve(&f.hooks, &array, &capacity, used, used + 1, sizeof *array));
        assert_true(capacity > used);
        array[used] = (uint32_t)used;
    }
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(array[i], i);
    assert_true(f.calls < 12); /* doubling */
    calls = f.calls;
    assert_true(ur_reserve(&f.hooks, &array, &capacity, 1000, 10, sizeof *array));
    assert_int_equal(f.calls, calls);

    uint32_t *before = array;
    size_t capacity_before = capacity;
    f.fail_at = calls + 1;
    assert_false(ur_reserve(&f.hooks, &array, &capacity, 1000, 5000, sizeof *array));
    assert_false(ur_reserve(&f.hooks, &array, &capacity, 1000, SIZE_MAX / 2, sizeof *array));
    assert_ptr_equal(array, before);
    assert_int_equal(capacity, capacity_before);
    assert_int_equal(array[999], 999);
    ur_free(&f.hooks, array);
    assert_int_equal(f.outstanding, 0);
}

static ur_status takes_three(const ur_allocator *a, ur_err *err, void *arg)
{
    (void)arg;
    void *memory[3] = {NULL, NULL, NULL};
    ur_status status = UR_OK;
    for (size_t i = 0; i < 3 && status == UR_OK; i++) {
        memory[i] = ur_alloc(a, i + 1, 8);
        if (!memory[i])
            status = ur_no_memory(err, (i + 1) * 8);
    }
    for (int i = 0; i < 3; i++)
        ur_free(a, memory[i]);
    return status;
}

static void test_sweep_reaches_every_allocation(void **state)
{
    (void)state;
    assert_int_equal(failing_alloc_sweep(takes_three, NULL), 6);
}

static void test_failing_calls(void **state)
{
    (void)state;
    failing_alloc f;
    failing_alloc_init(&f, 2, false);
    void *a = ur_alloc(&f.hooks, 1, 1), *b = ur_alloc(&f.hooks, 1, 1);
    void *c = ur_alloc(&f.hooks, 1, 1);
    assert_true(a && !b && c);
    assert_int_equal(f.calls, 3);
    assert_int_equal(f.failures, 1);
    assert_int_equal(f.outstanding, 2);
    ur_free(&f.hooks, a);
    ur_free(&f.hooks, c);

    failing_alloc_init(&f, 2, true);
    a = ur_alloc(&f.hooks, 1, 1);
    assert_non_null(a);
    assert_null(ur_alloc(&f.hooks, 1, 1));
    assert_null(ur_alloc(&f.hooks, 1, 1));
    ur_free(&f.hooks, a);
    assert_int_equal(f.outstanding, 0);
}

static void test_status(void **state)
{
    (void)state;
    ur_err err;
    assert_int_equal(ur_fail(&err, UR_BAD_FILE, "%s: line %d", "x", 7), UR_BAD_FILE);
    assert_int_equal(err.status, UR_BAD_FILE);
    assert_string_equal(err.text, "x: line 7");
    assert_int_equal(ur_fail(NULL, UR_IO, "nobody listens"), UR_IO);
    assert_int_equal(ur_no_memory(&err, 12), UR_NO_MEMORY);
    assert_non_null(strstr(err.text, "12 bytes"));
    char longer[2000];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    ur_fail(&err, UR_IO, "%s", longer);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    for (int i = UR_OK; i <= UR_INTERRUPTED; i++)
        for (int j = UR_OK; j < i; j++)
            assert_string_not_equal(ur_status_name((ur_status)i), ur_status_name((ur_status)j));
    assert_string_equal(ur_status_name((ur_status)99), "unknown status");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_nothing_is_something),
        cmocka_unit_test(test_zero_and_strdup),
        cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_large_blocks),
        cmocka_unit_test(test_no_hooks),
        cmocka_unit_test(test_sweep_reaches_every_allocation),
        cmocka_unit_test(test_failing_calls),
        cmocka_unit_test(test_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
