/* ids.c - ids of a text, looked at as a whole. */
#include "unroll/corpus.h"
#include "base/hash.h"
#include "base/status.h"

ur_status ur_ids_split(ur_ids ids, double fraction, ur_ids *train, ur_ids *valid, ur_err *err)
{
    if (!(fraction >= 0.0 && fraction <= 1.0))
        return ur_fail(err, UR_INVALID, "a part of %g of a text, 0 to 1 were expected", fraction);
    size_t last = (size_t)(fraction * (double)ids.length);
    if (last > ids.length)
        last = ids.length;
    *train = (ur_ids){ids.ids, ids.length - last};
    *valid = (ur_ids){ids.ids ? ids.ids + train->length : NULL, last};
    return UR_OK;
}

size_t ur_ids_count(ur_ids ids, int32_t id)
{
    size_t count = 0;
    for (size_t i = 0; i < ids.length; i++)
        count += ids.ids[i] == id;
    return count;
}

uint64_t ur_ids_fingerprint(ur_ids ids)
{
    uint64_t hash = UR_FINGERPRINT ^ (uint64_t)ids.length;
    for (size_t i = 0; i < ids.length; i++)
        hash = ur_fingerprint_spread(hash, (uint32_t)ids.ids[i]);
    return ur_fingerprint_mix(hash);
}
