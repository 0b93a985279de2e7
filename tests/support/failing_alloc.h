/* failing_alloc.h - allocator hooks for tests: every call can be made to fail, and every block is
 * accounted for.
 *
 *     static ur_status body(const ur_allocator *a, ur_err *err, void *arg)
 *     {
 *         thing *t = NULL;
 *         ur_status status = thing_new(a, &t, err);
 *         thing_free(t);
 *         return status;
 *     }
 *     assert_true(failing_alloc_sweep(body, NULL) > 0);                                        */
#ifndef UR_TESTS_FAILING_ALLOC_H
#define UR_TESTS_FAILING_ALLOC_H

#include "unroll/core.h"

#include <stdatomic.h>

/* Safe to use from several threads. Pass &f.hooks; f must not move while it is in use. */
typedef struct failing_alloc {
    ur_allocator hooks;
    size_t fail_at;            /* the call that fails, counted from 1; 0: none */
    bool and_later;            /* every later call fails, too */
    atomic_size_t calls;       /* calls so far, failed ones included */
    atomic_size_t failures;    /* calls that failed */
    atomic_size_t outstanding; /* blocks not yet released */
    atomic_size_t bytes;       /* bytes in them */
    atomic_size_t most;        /* the most that these were */
    atomic_size_t bad_frees;   /* releases of what was never handed out, or twice */
} failing_alloc;

void failing_alloc_init(failing_alloc *f, size_t fail_at, bool and_later);

/* Something that takes memory, and releases all of it whatever happens. */
typedef ur_status failing_alloc_body(const ur_allocator *a, ur_err *err, void *arg);

/* Runs the body with its n-th allocation failing, for n = 1, 2, 3 ... (in a hurry, see slow.h, fewer of
 * them) until it gets through without reaching n; twice: only the n-th fails, and the n-th and all later ones. Asserts that every run
 * leaves no block behind, that a run returns UR_NO_MEMORY with a sentence in *err or (where the
 * code can do without that block) UR_OK, and that the undisturbed run returns UR_OK. Returns how
 * many runs ended in UR_NO_MEMORY: a test should assert that there were some. */
size_t failing_alloc_sweep(failing_alloc_body *body, void *arg);

#endif
