/* weights_save.c - parameters as a safetensors file of float32, with what travels beside them, or of
 * 2-byte numbers and under a prefix, rounded to nearest, ties to even. */
#include "train/weights.h"

#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "io/safetensors.h"
#include "tape/params.h"

ur_status ur_weights_write(const ur_allocator *a, const ur_params *params, const float *values,
                           const char *path, const ur_st_tensor *more, size_t n_more,
                           const ur_st_pair *metadata, size_t n_metadata, size_t spare, ur_err *err)
{
    const float *from = values ? values : ur_params_data(params);
    const size_t count = ur_params_count(params);
    ur_st_tensor *tensors = ur_alloc(a, count + n_more, sizeof *tensors);
    if (!tensors)
        return ur_no_memory(err, (count + n_more) * sizeof *tensors);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const ur_param *p = ur_params_entry(params, i);
        if (p->alias_of < 0)
            tensors[n++] = (ur_st_tensor){p->name, UR_ST_F32, p->ndim, p->dim, from + p->offset};
    }
    if (n_more)
        memcpy(tensors + n, more, n_more * sizeof *more);
    const ur_status status =
        ur_st_write_sparing(a, path, tensors, n + n_more, metadata, n_metadata, spare, err);
    ur_free(a, tensors);
    return status;
}

ur_status ur_params_save(const ur_params *params, const char *path, ur_err *err)
{
    return ur_params_save_as(params, path, "", UR_ST_F32, err);
}

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* x / 2^shift, rounded. */
static uint32_t rounded(uint32_t x, unsigned shift)
{
    const uint32_t whole = x >> shift, rest = x & ((UINT32_C(1) << shift) - 1);
    const uint32_t middle = UINT32_C(1) << (shift - 1);
    return whole + (rest > middle || (rest == middle && (whole & 1)));
}

static uint16_t bfloat_of(float x)
{
    const uint32_t bits = bits_of(x);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u)
        return (uint16_t)(bits >> 16 | 0x40u); /* stays not a number */
    return (uint16_t)rounded(bits, 16);
}

/* Sign, 5 bits of exponent (bias 15), 10 of fraction. */
static uint16_t half_of(float x)
{
    const uint32_t bits = bits_of(x), size = bits & 0x7FFFFFFFu, exponent = size >> 23;
    const uint32_t sign = bits >> 16 & 0x8000u;
    if (size >= 0x7F800000u)
        return (uint16_t)(sign | (size > 0x7F800000u ? 0x7E00u : 0x7C00u));
    if (exponent >= 113) /* normal, or beyond the largest */
        return (uint16_t)(sign | (size >= 0x47800000u ? 0x7C00u : rounded(size - 0x38000000u, 13)));
    if (exponent < 102) /* less than half of the smallest */
        return (uint16_t)sign;
    return (uint16_t)(sign | rounded((size & 0x7FFFFFu) | 0x800000u, 126 - exponent));
}

/* All weights as 2-byte numbers, at their offsets; UR_INVALID where one becomes infinite. */
static ur_status round_all(const ur_params *params, ur_st_dtype dtype, uint16_t *out, ur_err *err)
{
    const uint32_t infinite = dtype == UR_ST_F16 ? 0x7C00u : 0x7F80u;
    for (size_t n = 0; n < ur_params_count(params); n++) {
        const ur_param *p = ur_params_entry(params, n);
        const float *w = ur_params_data(params) + p->offset;
        for (size_t i = 0; i < p->count; i++) {
            const uint16_t half = dtype == UR_ST_F16 ? half_of(w[i]) : bfloat_of(w[i]);
            if ((half & 0x7FFFu) == infinite && (bits_of(w[i]) & 0x7FFFFFFFu) != 0x7F800000u)
                return ur_fail(err, UR_INVALID, "%s: element %zu, %g, is too large for %s", p->name,
                               i, (double)w[i], ur_st_dtype_name(dtype));
            out[p->offset + i] = half;
        }
    }
    return UR_OK;
}

/* The names behind their prefix, one after the other. */
static char *prefixed_names(const ur_allocator *a, const ur_params *params, const char *prefix)
{
    size_t size = 1;
    for (size_t n = 0; n < ur_params_count(params); n++)
        size += strlen(prefix) + strlen(ur_params_entry(params, n)->name) + 1;
    char *names = ur_alloc(a, size, 1), *at = names;
    for (size_t n = 0; names && n < ur_params_count(params); n++) {
        const char *name = ur_params_entry(params, n)->name;
        memcpy(at, prefix, strlen(prefix));
        at += strlen(prefix);
        memcpy(at, name, strlen(name) + 1);
        at += strlen(name) + 1;
    }
    return names;
}

static ur_status write_all(const ur_allocator *a, const ur_params *params, const char *path,
                           const char *names, const uint16_t *halves, ur_st_dtype dtype,
                           ur_st_tensor *tensors, ur_err *err)
{
    const ur_st_pair metadata[] = {{"format", "pt"}};
    size_t count = 0;
    for (size_t n = 0; n < ur_params_count(params); n++, names += strlen(names) + 1) {
        const ur_param *p = ur_params_entry(params, n);
        const void *data = halves ? (const void *)(halves + p->offset)
                                  : (const void *)(ur_params_data(params) + p->offset);
        if (p->alias_of < 0)
            tensors[count++] = (ur_st_tensor){names, dtype, p->ndim, p->dim, data};
    }
    return ur_st_write(a, path, tensors, count, metadata, 1, err);
}

ur_status ur_params_save_as(const ur_params *params, const char *path, const char *prefix,
                            ur_st_dtype dtype, ur_err *err)
{
    const ur_allocator *a = &ur_params_context(params)->allocator;
    const bool small = dtype == UR_ST_F16 || dtype == UR_ST_BF16;
    const size_t count = ur_params_count(params);
    if (!small && dtype != UR_ST_F32)
        return ur_fail(err, UR_INVALID, "%s: weights can be saved as F32, F16 or BF16", path);
    if (!ur_params_data(params))
        return ur_fail(
            err, UR_INVALID,
            "%s: these parameters have no values that could be saved: they are not sealed, "
            "or were read for inference alone",
            path);
    char *names = prefixed_names(a, params, prefix);
    ur_st_tensor *tensors = ur_alloc(a, count + 1, sizeof *tensors);
    uint16_t *halves = small ? ur_alloc(a, ur_params_size(params) + 1, sizeof *halves) : NULL;
    ur_status status = UR_OK;
    if (!names || !tensors || (small && !halves))
        status = ur_no_memory(err, (count + 1) * sizeof *tensors);
    if (status == UR_OK && small)
        status = round_all(params, dtype, halves, err);
    if (status == UR_OK)
        status = write_all(a, params, path, names, halves, dtype, tensors, err);
    ur_free(a, halves);
    ur_free(a, tensors);
    ur_free(a, names);
    return status;
}
