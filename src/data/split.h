/* split.h - part of a data set set apart for validation. */
#ifndef UR_DATA_SPLIT_H
#define UR_DATA_SPLIT_H

#include "data/labelled.h"
#include "data/pairs.h"

/* Takes about `part` (above 0, below 1) of the examples out of *data into *valid, drawn by the seed:
 * examples with equal inputs go to one side, and both sides keep their order. At least one example is on
 * each side: UR_INVALID where that cannot be. After a failure the data is as it was. */
ur_status ur_pairs_split(ur_pairs *data, double part, uint64_t seed, ur_pairs **valid, ur_err *err);
ur_status ur_labelled_split(ur_labelled *data, double part, uint64_t seed, ur_labelled **valid,
                            ur_err *err);

#endif
