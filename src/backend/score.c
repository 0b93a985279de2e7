/* score.c - the list of attention scores. */
#include "backend/attention.h"

#include <string.h>

const ur_score ur_score_dot = {.name = "dot", .scaled = true};
const ur_score ur_score_additive = {.name = "additive", .has_weight = true};

const ur_score *ur_score_at(size_t i)
{
    static const ur_score *const scores[] = {&ur_score_dot, &ur_score_additive};
    return i < sizeof scores / sizeof(ur_score *) ? scores[i] : NULL;
}

const ur_score *ur_score_find(const char *name)
{
    const ur_score *score;
    for (size_t i = 0; name && (score = ur_score_at(i)); i++)
        if (strcmp(score->name, name) == 0)
            return score;
    return NULL;
}
