/* test_context.c - choosing instruction set, threads and memory. */
#include "backend/context.h"
#include "base/pool.h"
#include "kernels/math.h"
#include "support/contexts.h"
#include "support/failing_alloc.h"

#include "unroll/nn.h"

#include <math.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
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

/* The loss of a small layer, by all the context's threads. */
static float computed(ur_context *context, const ur_params *params, const ur_linear_layer *layer)
{
    enum { ROWS = 64, WIDTH = 32 };
    const size_t dim[2] = {ROWS, WIDTH};
    ur_tape *tape = tape_of(context);
    float *x = made_up_floats(3, ROWS * WIDTH, 1.0f), loss;
    ur_tape_start(tape, UR_INFER, params, NULL, 1, 1);
    ur_tensor *sum = ur_sum(tape, ur_linear(tape, layer, ur_copy_floats(tape, 2, dim, x, false)));
    tape_fine(tape);
    loss = ur_floats(sum)[0];
    ur_tape_free(tape);
    free(x);
    return loss;
}

/* A child uses and frees what it inherited, and nothing waits for threads that are not there. */
static void inherited_by_a_child(void **state)
{
    (void)state;
    for (int idle = 0; idle < 2; idle++) {
        ur_context *context = context_of(NULL, 3, NULL);
        ur_params *params;
        assert_int_equal(ur_params_new(context, &params, NULL), UR_OK);
        const ur_linear_layer layer = ur_linear_add(params, "fc", 32, 48, true);
        assert_int_equal(ur_params_seal(params, NULL), UR_OK);
        ur_linear_init(&layer, params, 7);
        const float want = computed(context, params, &layer);
        while (idle && atomic_load(&context->pool->sleepers) < 2)
            sched_yield(); /* its threads fall asleep soon */
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            alarm(20);
            const float got = computed(context, params, &layer);
            ur_params_free(params);
            ur_context_free(context);
            _exit(memcmp(&got, &want, sizeof got) == 0 ? 0 : 1);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        const float again = computed(context, params, &layer); /* and the parent has lost nothing */
        assert_memory_equal(&again, &want, sizeof again);
        ur_params_free(params);
        ur_context_free(context);
    }
}

/* The same index as number by number, of any length, with equal numbers, infinities and NaN. */
static void largest_of_a_row(void **state)
{
    (void)state;
    enum { MOST = 1600 };
    static float x[MOST];
    contexts all = contexts_new();
    for (int c = 0; c < all.count; c++)
        for (size_t n = 0; n <= MOST; n += n < 20 ? 1 : 97)
            for (size_t variant = 0; variant < 6; variant++) {
                for (size_t i = 0; i < n; i++) /* of few values: the first of equals is asked for */
                    x[i] = rintf(8.0f * made_up(n + 7 * variant, i)) - 3.0f;
                if (variant >= 4 && n)
                    for (size_t i = 0; i < n; i += 3)
                        x[(i * i + n) % n] = variant == 4 ? NAN : -INFINITY;
                assert_int_equal(ur_host_argmax(all.at[c], n, x), ur_argmax(x, n));
            }
    contexts_free(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inherited_by_a_child),
        cmocka_unit_test(instruction_sets),
        cmocka_unit_test(unknown_instruction_set),
        cmocka_unit_test(environment_variable),
        cmocka_unit_test(threads),
        cmocka_unit_test(largest_of_a_row),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
