/* split.h - part of a data set set apart for validation. */
#ifndef UR_DATA_SPLIT_H
#define UR_DATA_SPLIT_H

#include "data/labelled.h"
#include "data/pairs.h"

/* Chooses about `part` (above 0, below 1) of n examples by the hashes of their inputs and the seed, equal
 * inputs together: fresh memory that says of each whether it is set
 * apart, and *count; NULL when it failed, which *status says. UR_INVALID: one side would be empty. */
bool *ur_split_choose(const ur_allocator *a, size_t n, uint64_t (*hash)(const void *data, size_t i),
                      const void *data, double part, uint64_t seed, size_t *count,
                      ur_status *status, ur_err *err);

/* Takes about `part` (above 0, below 1) of the examples out of *data into *valid, drawn by the seed:
 * examples with equal inputs go to one side, and both sides keep their order. At least one example is on
 * each side: UR_INVALID where that cannot be. After a failure the data is as it was. */
ur_status ur_pairs_split(ur_pairs *data, double part, uint64_t seed, ur_pairs **valid, ur_err *err);
ur_status ur_labelled_split(ur_labelled *data, double part, uint64_t seed, ur_labelled **valid,
                            ur_err *err);

#endif
