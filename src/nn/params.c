/* params.c - what layers share: naming, finding and initialising parameters. */
#include "nn/nn.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/philox.h"
#include "base/tiny.h"
#include "kernels/math.h"

int ur_layer_param(ur_params *params, const char *prefix, const char *name, size_t rows,
                   size_t columns)
{
    char full[256];
    snprintf(full, sizeof full, "%s%s%s", prefix, *prefix ? "." : "", name);
    const size_t dim[] = {rows, columns};
    return ur_params_add(params, full, columns ? 2 : 1, dim, UR_TRAINABLE | UR_DECAY);
}

const float *ur_weight(const ur_tape *tape, int index)
{
    return index < 0 ? NULL : ur_param_on_device(tape->params, index);
}

bool ur_weights_learn(const ur_tape *tape)
{
    return tape->mode == UR_TRAIN && tape->gradient;
}

bool ur_weights_are_far(const ur_tape *tape)
{
    enum { CACHED = UR_SIZE(1 << 22, 64) }; /* floats */
    return tape->params && ur_params_size(tape->params) > CACHED;
}

void ur_init_uniform(ur_params *params, int index, float bound, uint64_t seed)
{
    UR_FPMODE_HERE;
    ur_random random = ur_random_start(seed, (uint64_t)index);
    float *x = ur_param_values(params, index);
    const size_t n = x ? ur_params_entry(params, (size_t)index)->count : 0;
    for (size_t i = 0; i < n; i++)
        x[i] = (2.0f * ur_random_uniform(&random) - 1.0f) * bound;
}

void ur_init_normal(ur_params *params, int index, uint64_t seed)
{
    UR_FPMODE_HERE;
    float *x = ur_param_values(params, index);
    if (x)
        ur_normal_fill(seed, (uint64_t)index, ur_params_entry(params, (size_t)index)->count, x);
}

void ur_init_xavier(ur_params *params, int index, uint64_t seed)
{
    UR_FPMODE_HERE;
    const ur_param *p = index < 0 ? NULL : ur_params_entry(params, (size_t)index);
    if (p && p->ndim == 2)
        ur_init_uniform(params, index, sqrtf(6.0f / (float)(p->dim[0] + p->dim[1])), seed);
}

static bool is_bias(const char *name)
{
    const char *last = strrchr(name, '.');
    return strncmp(last ? last + 1 : name, "bias", 4) == 0;
}

void ur_init_lecun(ur_params *params, int index, uint64_t seed)
{
    UR_FPMODE_HERE;
    float *x = ur_param_values(params, index);
    if (!x)
        return;
    const ur_param *p = ur_params_entry(params, (size_t)index);
    if (p->ndim == 2) {
        const float scale = 1.0f / sqrtf((float)p->dim[1]);
        ur_init_normal(params, index, seed);
        for (size_t i = 0; i < p->count; i++)
            x[i] *= scale;
    } else if (is_bias(p->name)) {
        memset(x, 0, p->count * sizeof *x);
    }
}
