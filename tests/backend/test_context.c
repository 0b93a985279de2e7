/* test_context.c - choosing instruction set, threads and memory. */
#include "support/contexts.h"
#include "support/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void instruction_sets(void **state)
{
    (void)state;
    static const char *const names[] = {"plain", "avx2", "avx512", "neon"};
    for (int i = 0; i < 4; i++) {
        const ur_options options = {.threads = 1, .isa = names[i]};
        ur_context *context;
        ur_err err = {UR_OK, ""};
        const ur_status status = ur_context_new(&options, &context, &err);
        if (status == UR_OK) {
            assert_string_equal(ur_context_isa(context), names[i]);
            ur_context_free(context);
        } else {
            assert_int_equal(status, UR_UNSUPPORTED);
            assert_non_null(strstr(err.text, names[i]));
            assert_null(context);
        }
    }
}

static void unknown_instruction_set(void **state)
{
    (void)state;
    const ur_options options = {.isa = "mmx"};
    ur_context *context;
    ur_err err;
    assert_int_equal(ur_context_new(&options, &context, &err), UR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "\"mmx\""));
    assert_null(context);
}

static void environment_variable(void **state)
{
    (void)state;
    ur_context *context;
    const ur_options named = {.threads = 1, .isa = "plain"};
    setenv("UNROLL_ISA", "plain", 1);
    assert_int_equal(ur_context_new(NULL, &context, NULL), UR_OK);
    assert_string_equal(ur_context_isa(context), "plain");
    ur_context_free(context);
    setenv("UNROLL_ISA", "sse", 1);
    assert_int_equal(ur_context_new(NULL, &context, NULL), UR_UNSUPPORTED);
    assert_int_equal(ur_context_new(&named, &context, NULL), UR_OK); /* options go first */
    ur_context_free(context);
    setenv("UNROLL_ISA", "", 1); /* as if it were not set */
    assert_int_equal(ur_context_new(NULL, &context, NULL), UR_OK);
    ur_context_free(context);
    unsetenv("UNROLL_ISA");
}

static void threads(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 3, NULL);
    assert_int_equal(ur_context_threads(context), 3);
    ur_context_free(context);
    context = context_of(NULL, 0, NULL);
    assert_true(ur_context_threads(context) >= 1);
    ur_context_free(context);
    const ur_options options = {.threads = -1};
    ur_err err;
    assert_int_equal(ur_context_new(&options, &context, &err), UR_INVALID);
    assert_true(strlen(err.text) > 10);
    assert_null(context);
    ur_context_free(NULL);
}

static ur_status make(const ur_allocator *a, ur_err *err, void *arg)
{
    const ur_options options = {.allocator = a, .threads = *(const int *)arg};
    ur_context *context;
    const ur_status status = ur_context_new(&options, &context, err);
    if (status == UR_OK) {
        assert_ptr_equal(ur_context_allocator(context)->user, a->user);
        ur_context_free(context);
    }
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (int n = 1; n <= 3; n++)
        assert_true(failing_alloc_sweep(make, &n) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instruction_sets),          cmocka_unit_test(unknown_instruction_set),
        cmocka_unit_test(environment_variable),      cmocka_unit_test(threads),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
