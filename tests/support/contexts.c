/* contexts.c - contexts, made-up numbers and comparisons for tests. */
#include "support/contexts.h"

#include "backend/context.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

ur_context *context_of(const char *isa, int threads, const ur_allocator *allocator)
{
    const ur_options options = {.allocator = allocator, .threads = threads, .isa = isa};
    ur_context *context;
    ur_err err;
    if (ur_context_new(&options, &context, &err) != UR_OK)
        fail_msg("%s", err.text);
    return context;
}

contexts contexts_new(void)
{
    contexts all = {.count = 0};
    const char *isa;
    for (size_t i = 0; (isa = ur_isa_name(i)); i++)
        for (int threads = 1; threads <= 3; threads++) {
            const ur_options options = {.threads = threads, .isa = isa};
            assert_true(all.count < MOST_CONTEXTS);
            assert_int_equal(ur_context_new(&options, &all.at[all.count], NULL), UR_OK);
            if (threads <= ur_usable_cpus())
                ur_team_insist(ur_pool_team(all.at[all.count]->pool));
            snprintf(all.name[all.count], sizeof all.name[0], "%s, %d threads", isa, threads);
            all.count++;
        }
    assert_true(all.count >= 3);
    assert_string_equal(ur_context_isa(all.at[0]), "plain");
    return all;
}

void contexts_free(contexts *all)
{
    for (int i = 0; i < all->count; i++)
        ur_context_free(all->at[i]);
}

ur_tape *tape_of(ur_context *context)
{
    ur_tape *tape;
    assert_int_equal(ur_tape_new(context, &tape, NULL), UR_OK);
    return tape;
}

float made_up(uint64_t seed, size_t i)
{
    uint64_t x = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ (i + 1) * UINT64_C(0xd1342543de82ef95);
    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return (float)(int32_t)(x >> 41) * 0x1p-22f - 1.0f;
}

float *made_up_floats(uint64_t seed, size_t n, float scale)
{
    float *x = malloc((n + 1) * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = made_up(seed, i) * scale;
    return x;
}

void tape_fine(const ur_tape *tape)
{
    if (ur_tape_status(tape) != UR_OK)
        fail_msg("the tape failed: %s: %s", ur_status_name(ur_tape_status(tape)), ur_error(tape));
}

void tape_failed(const ur_tape *tape, ur_status status, const char *part)
{
    if (ur_tape_status(tape) != status || !strstr(ur_error(tape), part))
        fail_msg("the tape says %s: \"%s\", expected was %s with \"%s\"",
                 ur_status_name(ur_tape_status(tape)), ur_error(tape), ur_status_name(status),
                 part);
}

void same_floats(const char *what, const char *who, const float *want, const float *got, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(want + i, got + i, sizeof *want) != 0)
            fail_msg("%s, %s: element %zu of %zu is %a, not %a", what, who, i, n, (double)got[i],
                     (double)want[i]);
}

void near_floats(const char *what, const float *want, const float *got, size_t n, double bound)
{
    double largest = 1.0;
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs((double)want[i]));
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - (double)want[i]) <= bound * largest))
            fail_msg("%s: element %zu of %zu is %.9g, not %.9g", what, i, n, (double)got[i],
                     (double)want[i]);
}
