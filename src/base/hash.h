/* hash.h - numbers that stand for data: in hash tables, for the splits of generated data, and as
 * fingerprints in run folders. Their values are part of the file formats.
 *
 * Two functions. FNV-1a (Fowler, Noll, Vo) over numbers of any width, one step each; and, for the
 * ids of whole texts, the same with a multiplier that spreads an id over 64 bits at once, whose end
 * is the mix of splitmix64 (Vigna). */
#ifndef UR_BASE_HASH_H
#define UR_BASE_HASH_H

#include "unroll/core.h"

/* What both start from. */
#define UR_FINGERPRINT UINT64_C(0xCBF29CE484222325)

static inline uint64_t ur_fingerprint_add(uint64_t hash, uint64_t number)
{
    return (hash ^ number) * UINT64_C(0x100000001B3);
}

static inline uint64_t ur_fingerprint_bytes(uint64_t hash, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = ur_fingerprint_add(hash, (unsigned char)bytes[i]);
    return hash;
}

static inline uint64_t ur_fingerprint_spread(uint64_t hash, uint64_t number)
{
    hash = (hash ^ number) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 32;
}

static inline uint64_t ur_fingerprint_mix(uint64_t hash)
{
    hash = (hash ^ hash >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    hash = (hash ^ hash >> 27) * UINT64_C(0x94D049BB133111EB);
    return hash ^ hash >> 31;
}

#endif
