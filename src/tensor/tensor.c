/* tensor.c - what can be asked of a tensor. */
#include "unroll/core.h"

size_t ur_count(const ur_tensor *x)
{
    size_t n = 1;
    for (int i = 0; i < x->ndim; i++)
        n *= x->dim[i];
    return n;
}

ur_tensor *ur_values(const ur_seq *x)
{
    return x ? x->values : NULL;
}

float *ur_floats(const ur_tensor *x)
{
    return x->data;
}

int32_t *ur_ints(const ur_tensor *x)
{
    return x->data;
}
