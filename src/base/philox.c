/* philox.c - counter-based random numbers (Philox4x32-10), and a walk along one stream. */
#include "base/philox.h"

#include <Random123/philox.h>

ur_philox_block ur_philox(uint64_t key, uint64_t low, uint64_t high)
{
    philox4x32_ctr_t counter = {
        {(uint32_t)low, (uint32_t)(low >> 32), (uint32_t)high, (uint32_t)(high >> 32)}};
    philox4x32_key_t k = {{(uint32_t)key, (uint32_t)(key >> 32)}};
    philox4x32_ctr_t random = philox4x32_R(10, counter, k);
    return (ur_philox_block){{random.v[0], random.v[1], random.v[2], random.v[3]}};
}

ur_random ur_random_start(uint64_t seed, uint64_t stream)
{
    return (ur_random){.key = seed, .stream = stream};
}

void ur_random_seek(ur_random *r, uint64_t position)
{
    r->position = position;
    r->block = ur_philox(r->key, position / 4, r->stream);
}

uint32_t ur_random_u32(ur_random *r)
{
    if (r->position % 4 == 0)
        r->block = ur_philox(r->key, r->position / 4, r->stream);
    return r->block.word[r->position++ % 4];
}

uint64_t ur_random_below(ur_random *r, uint64_t n)
{
    /* The last, incomplete run of n values is drawn again. */
    uint64_t incomplete = (UINT64_MAX % n + 1) % n;
    uint64_t x;
    do {
        x = ur_random_u32(r);
        x |= (uint64_t)ur_random_u32(r) << 32;
    } while (x > UINT64_MAX - incomplete);
    return x % n;
}

float ur_random_uniform(ur_random *r)
{
    return (float)(ur_random_u32(r) >> 8) * 0x1p-24f;
}

void ur_random_shuffle(ur_random *r, size_t *items, size_t n)
{
    for (size_t left = n; left > 1; left--) {
        size_t chosen = (size_t)ur_random_below(r, left);
        size_t swap = items[left - 1];
        items[left - 1] = items[chosen];
        items[chosen] = swap;
    }
}
