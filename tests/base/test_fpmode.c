/* Tests of base/fpmode: whatever the host has set, we round to nearest and keep denormals. */
#include "base/threads.h"

#include <fenv.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <cmocka.h>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

/* Not inlined, lest arithmetic moves across a change of mode. */
__attribute__((noinline)) static bool denormals_are_kept(void)
{
    volatile float smallest = 0x1p-126f, half = 0.5f;
    volatile float denormal = smallest * half;
    return denormal + denormal == smallest;
}

#if defined(__SSE__)
/* Tasks that wait for each other, as many as threads: all workers have to come. */
typedef struct meeting {
    int threads;
    atomic_int here;
    bool keeps_denormals[3];
} meeting;

static void meet(void *arg, size_t task, int worker)
{
    (void)task;
    meeting *m = arg;
    m->keeps_denormals[worker] = denormals_are_kept();
    atomic_fetch_add(&m->here, 1);
    while (atomic_load(&m->here) < m->threads)
        sched_yield();
}
#endif

__attribute__((noinline)) static bool rounds_to_nearest(void)
{
    volatile float one = 1, tiny = 0x1p-40f;
    return one + tiny == one && -one - tiny == -one && one - tiny == one;
}

static void test_rounding_mode(void **state)
{
    (void)state;
    const int modes[] = {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO, FE_TONEAREST};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        assert_int_equal(fesetround(modes[i]), 0);
        ur_fpmode mode = ur_fpmode_enter();
        bool nearest = rounds_to_nearest();
        ur_fpmode_leave(mode);
        bool nearest_again = rounds_to_nearest();
        fesetround(FE_TONEAREST);
        assert_true(nearest);
        assert_int_equal(nearest_again, modes[i] == FE_TONEAREST);
    }
}

/* The host flushes denormals: inside, and on the workers it made, they are kept all the same. */
static void test_denormals(void **state)
{
    (void)state;
#if defined(__SSE__)
    unsigned saved = _mm_getcsr();
    _mm_setcsr(saved | 0x8040u);
    bool kept_outside = denormals_are_kept();
    ur_fpmode mode = ur_fpmode_enter();
    bool kept_inside = denormals_are_kept();
    ur_fpmode_leave(mode);
    bool kept_after = denormals_are_kept();
    meeting m = {.threads = 3};
    ur_pool *pool = NULL;
    ur_status status = ur_pool_new(NULL, 3, &pool, NULL);
    if (status == UR_OK)
        ur_pool_for(pool, 3, meet, &m);
    ur_pool_free(pool);
    _mm_setcsr(saved);
    assert_int_equal(status, UR_OK);
    assert_false(kept_outside);
    assert_true(kept_inside);
    assert_false(kept_after);
    assert_false(m.keeps_denormals[0]); /* the caller's own mode is the caller's business */
    assert_true(m.keeps_denormals[1] && m.keeps_denormals[2]);
#else
    ur_fpmode mode = ur_fpmode_enter();
    assert_true(denormals_are_kept());
    ur_fpmode_leave(mode);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rounding_mode),
        cmocka_unit_test(test_denormals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
