/* golden.h - the numbers that PyTorch computed: reading tests/golden/NAME.safetensors, padded
 * batches as ragged ones and back, and comparison by an error bound. */
#ifndef UR_TESTS_GOLDEN_H
#define UR_TESTS_GOLDEN_H

#include "unroll/io.h"
#include "unroll/core.h"

/* The bounds that the library promises against PyTorch, relative to a tensor's largest element. */
#define FORWARD_BOUND 1e-5
#define GRADIENT_BOUND 1e-4

/* An open case; what is read from it lives until golden_close. Failures fail the test. */
typedef struct golden {
    ur_st *st;
    const char *name;
    void **blocks;
    size_t count, capacity;
} golden;

golden golden_open(const char *name);
void golden_close(golden *g);

/* A tensor's numbers; *count may be NULL. */
const float *golden_floats(golden *g, const char *tensor, size_t *count);
const int32_t *golden_ints(golden *g, const char *tensor, size_t *count);
size_t *golden_lengths(golden *g, const char *tensor, size_t *count);
/* Dimension i of a tensor. */
size_t golden_dim(golden *g, const char *tensor, int i);
/* `count` bytes that live as long. */
void *golden_take(golden *g, size_t bytes);

/* Padded (B, T, F) -> the rows of sequence 0, then of sequence 1 ... */
const float *golden_rows(golden *g, size_t batch, size_t steps, size_t features,
                         const size_t *length, const float *padded);

/* Fails unless max |got - want| <= bound * max |want|; `tensor` is of the case. */
void golden_compare(golden *g, const char *tensor, const float *got, double bound);
/* The same for a ragged batch (values or their gradient) against a padded one. */
void golden_compare_seq(golden *g, const char *tensor, const ur_layout *layout, size_t features,
                        const float *got, double bound);

/* Puts PREFIX.* of the case into the parameters of the same names, all of them. */
void golden_load_params(golden *g, ur_params *params, const char *prefix);
/* Compares every parameter (or a vector of the same layout) with PREFIX + its name. */
void golden_compare_params(golden *g, const ur_params *params, const char *prefix,
                           const float *vector, double bound);

#endif
