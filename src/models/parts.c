/* parts.c - what models with recurrent stacks have in common. */
#include "models/parts.h"

#include <stdio.h>
#include <string.h>

void ur_rnn_prefix(const char *part, const char *cell, char name[64])
{
    snprintf(name, 64, "%s%s%.*s", part ? part : "", part ? "." : "", (int)strcspn(cell, "_"),
             cell);
}

ur_tensor *ur_join_directions(ur_tape *t, ur_directions how, ur_tensor *states, size_t layer)
{
    if (how == UR_ONE_WAY)
        return ur_pick(t, states, layer);
    ur_tensor *forward = ur_pick(t, states, 2 * layer);
    ur_tensor *backward = ur_pick(t, states, 2 * layer + 1);
    if (how == UR_BOTH_CONCAT)
        return ur_concat(t, forward, backward);
    return ur_scale(t, ur_add(t, forward, backward), 0.5f);
}
