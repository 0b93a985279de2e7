/* philox.h - counter-based random numbers: Philox4x32-10 (Salmon et al., SC 2011; Random123).
 *
 * A number is a function of (seed, stream, position) alone, so any thread can make any of them and
 * a resumed run goes on exactly. */
#ifndef UR_BASE_PHILOX_H
#define UR_BASE_PHILOX_H

#include "unroll/core.h"

typedef struct ur_philox_block {
    uint32_t word[4];
} ur_philox_block;

/* The block at the 128-bit counter (low, high) under a 64-bit key. */
ur_philox_block ur_philox(uint64_t key, uint64_t low, uint64_t high);

/* A generator that walks along one stream: for shuffling, initialisation, made-up data. */
typedef struct ur_random {
    uint64_t key, stream, position; /* position counts 32-bit words already used */
    ur_philox_block block;          /* the block that holds the next word, when it is begun */
} ur_random;

ur_random ur_random_start(uint64_t seed, uint64_t stream);

/* Goes to a position of the stream, e.g. one that a checkpoint saved. */
void ur_random_seek(ur_random *r, uint64_t position);

uint32_t ur_random_u32(ur_random *r);
uint64_t ur_random_below(ur_random *r, uint64_t n); /* 0 .. n-1, unbiased; n > 0 */
float ur_random_uniform(ur_random *r);              /* [0, 1): a multiple of 2^-24 */

/* Fisher-Yates over n indices. */
void ur_random_shuffle(ur_random *r, size_t *items, size_t n);

#endif
