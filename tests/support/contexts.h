/* contexts.h - contexts for tests: every instruction set of this machine with 1, 2 and 3 threads,
 * and made-up numbers. */
#ifndef UR_TESTS_CONTEXTS_H
#define UR_TESTS_CONTEXTS_H

#include "unroll/core.h"

enum { MOST_CONTEXTS = 12 };

/* Plain with one thread is the first: the reference. Team operations always have all their members,
 * where there is a core for each, whatever else the machine does. */
typedef struct contexts {
    ur_context *at[MOST_CONTEXTS];
    char name[MOST_CONTEXTS][32]; /* "avx2, 3 threads" */
    int count;
} contexts;

contexts contexts_new(void);
void contexts_free(contexts *all);

/* One context; isa NULL: the best. Fails the test when there is none. */
ur_context *context_of(const char *isa, int threads, const ur_allocator *allocator);
ur_tape *tape_of(ur_context *context);

/* A number in [-1, 1) that depends on the seed and i alone. */
float made_up(uint64_t seed, size_t i);
/* n of them, scaled; the caller frees. */
float *made_up_floats(uint64_t seed, size_t n, float scale);

/* Fails with the tape's sentence unless all is well. */
void tape_fine(const ur_tape *tape);
/* Fails unless the tape failed so, with this in its sentence. */
void tape_failed(const ur_tape *tape, ur_status status, const char *part);
/* Fails unless the floats are the same bytes. */
void same_floats(const char *what, const char *who, const float *want, const float *got, size_t n);
/* Fails unless max |got - want| <= bound * max(1, max |want|). */
void near_floats(const char *what, const float *want, const float *got, size_t n, double bound);

#endif
