/* safetensors_read.c - finding tensors in an open safetensors file and converting their elements.
 *
 * Elements are little-endian in the file whatever the machine is; they are put together byte by
 * byte, which compilers turn into plain loads. Data passes through a small buffer: reading takes no
 * memory. */
#include "io/safetensors_file.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/types.h>

#include "base/fpmode.h"
#include "base/status.h"
#include "base/tiny.h"
#include "base/utf8.h"

enum {
    CHUNK = UR_SIZE(8192, 16)
}; /* bytes converted at a time: a multiple of every element size */

size_t ur_st_count(const ur_st *st)
{
    return st->count;
}

const ur_st_info *ur_st_at(const ur_st *st, size_t index)
{
    return &st->tensors[index];
}

size_t ur_st_index(const ur_st *st, const char *name)
{
    size_t i = 0;
    while (i < st->count && strcmp(st->tensors[i].name, name) != 0)
        i++;
    return i;
}

const ur_st_info *ur_st_find(const ur_st *st, const char *name)
{
    size_t i = ur_st_index(st, name);
    return i < st->count ? &st->tensors[i] : NULL;
}

const char *ur_st_metadata(const ur_st *st, const char *key)
{
    for (size_t i = 0; i < st->metadata_count; i++)
        if (strcmp(st->metadata[i].key, key) == 0)
            return st->metadata[i].value;
    return NULL;
}

size_t ur_st_metadata_count(const ur_st *st)
{
    return st->metadata_count;
}

void ur_st_metadata_at(const ur_st *st, size_t index, const char **key, const char **value)
{
    *key = st->metadata[index].key;
    *value = st->metadata[index].value;
}

ur_status ur_st_bytes_at(ur_st *st, uint64_t offset, void *out, size_t n, ur_err *err)
{
    if (n == 0)
        return UR_OK;
    if (st->bytes != NULL) {
        memcpy(out, st->bytes + offset, n);
        return UR_OK;
    }
    errno = 0;
    if (fseeko(st->file, (off_t)offset, SEEK_SET) != 0 || fread(out, 1, n, st->file) != n)
        return ur_fail(err, UR_IO, "%s: reading %zu bytes at %llu failed: %s", st->path, n,
                       (unsigned long long)offset,
                       errno != 0 ? strerror(errno) : "the file ended early");
    return UR_OK;
}

/* ---- elements ----------------------------------------------------------------------------- */

/* A little-endian number of `size` bytes. */
static uint64_t load(const unsigned char *p, size_t size)
{
    uint64_t value = 0;
    for (size_t i = size; i > 0; i--)
        value = value << 8 | p[i - 1];
    return value;
}

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* IEEE half: sign, 5 bits of exponent (bias 15), 10 of fraction; every half is a float exactly. */
static float float_of_half(uint32_t half)
{
    uint32_t sign = (half & 0x8000u) << 16, exponent = half >> 10 & 31u, fraction = half & 0x3FFu;
    if (exponent == 31)
        return float_of_bits(sign | 0x7F800000u | fraction << 13);
    if (exponent > 0)
        return float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
    float small = ldexpf((float)fraction, -24);
    return sign != 0 ? -small : small;
}

static float float_at(const unsigned char *p, ur_st_dtype dtype)
{
    if (dtype == UR_ST_F16)
        return float_of_half((uint32_t)load(p, 2));
    if (dtype == UR_ST_BF16)
        return float_of_bits((uint32_t)load(p, 2) << 16);
    if (dtype == UR_ST_F32)
        return float_of_bits((uint32_t)load(p, 4));
    uint64_t bits = load(p, 8);
    double value;
    memcpy(&value, &bits, sizeof value);
    return (float)value;
}

static int64_t integer_at(const unsigned char *p, size_t size, bool is_signed)
{
    uint64_t value = load(p, size);
    uint64_t sign = (uint64_t)1 << (8 * size - 1);
    if (is_signed && (value & sign) != 0)
        return -(int64_t)(~(value | ~(2 * sign - 1))) - 1; /* no shift of a negative number */
    return (int64_t)value;
}

/* ---- whole tensors ------------------------------------------------------------------------ */

/* The next elements of a tensor, from number `begin` on: as many as the buffer holds. */
static ur_status next_chunk(ur_st *st, const ur_st_info *t, size_t begin,
                            unsigned char chunk[CHUNK], size_t *n, ur_err *err)
{
    size_t size = ur_st_dtype_size(t->dtype), left = t->count - begin;
    *n = left < CHUNK / size ? left : CHUNK / size;
    return ur_st_bytes_at(st, t->offset + (uint64_t)begin * size, chunk, *n * size, err);
}

static ur_status wrong_dtype(const ur_st *st, const ur_st_info *t, const char *wanted, ur_err *err)
{
    char shown[UR_SHOWN];
    return ur_fail(err, UR_BAD_FILE, "%s: tensor \"%s\" has dtype %s, expected %s", st->path,
                   ur_shown(shown, t->name), ur_st_dtype_name(t->dtype), wanted);
}

ur_status ur_st_read_floats(ur_st *st, size_t index, float *out, ur_err *err)
{
    UR_FPMODE_HERE;
    const ur_st_info *t = &st->tensors[index];
    ur_st_dtype dtype = t->dtype;
    if (dtype != UR_ST_F32 && dtype != UR_ST_F16 && dtype != UR_ST_BF16 && dtype != UR_ST_F64)
        return wrong_dtype(st, t, "F32, F16, BF16 or F64", err);
    size_t size = ur_st_dtype_size(dtype), n = 0;
    unsigned char chunk[CHUNK] = {0};
    for (size_t begin = 0; begin < t->count; begin += n) {
        ur_status status = next_chunk(st, t, begin, chunk, &n, err);
        if (status != UR_OK)
            return status;
        for (size_t i = 0; i < n; i++)
            out[begin + i] = float_at(chunk + i * size, dtype);
    }
    return UR_OK;
}

ur_status ur_st_read_i64(ur_st *st, size_t index, int64_t *out, ur_err *err)
{
    const ur_st_info *t = &st->tensors[index];
    const char *name = ur_st_dtype_name(t->dtype);
    if (name[0] == 'F' || t->dtype == UR_ST_BF16 || t->dtype == UR_ST_U64)
        return wrong_dtype(st, t, "I64, I32, I16, I8, U32, U16, U8 or BOOL", err);
    size_t size = ur_st_dtype_size(t->dtype), n = 0;
    unsigned char chunk[CHUNK];
    for (size_t begin = 0; begin < t->count; begin += n) {
        ur_status status = next_chunk(st, t, begin, chunk, &n, err);
        if (status != UR_OK)
            return status;
        for (size_t i = 0; i < n; i++)
            out[begin + i] = integer_at(chunk + i * size, size, name[0] == 'I');
    }
    return UR_OK;
}

ur_status ur_st_read_u64(ur_st *st, size_t index, uint64_t *out, ur_err *err)
{
    const ur_st_info *t = &st->tensors[index];
    if (t->dtype != UR_ST_U64)
        return wrong_dtype(st, t, "U64", err);
    size_t n = 0;
    unsigned char chunk[CHUNK];
    for (size_t begin = 0; begin < t->count; begin += n) {
        ur_status status = next_chunk(st, t, begin, chunk, &n, err);
        if (status != UR_OK)
            return status;
        for (size_t i = 0; i < n; i++)
            out[begin + i] = load(chunk + i * 8, 8);
    }
    return UR_OK;
}

/* ---- by name and shape -------------------------------------------------------------------- */

/* "(512, 16)" */
static void put_shape(char *out, size_t room, int ndim, const size_t *dims)
{
    size_t used = (size_t)snprintf(out, room, "(");
    for (int i = 0; i < ndim && used < room; i++)
        used += (size_t)snprintf(out + used, room - used, i == 0 ? "%zu" : ", %zu", dims[i]);
    if (used < room)
        snprintf(out + used, room - used, ")");
}

ur_status ur_st_load_floats(ur_st *st, const char *name, int ndim, const size_t *dims, float *out,
                            ur_err *err)
{
    char shown[UR_SHOWN], has[100], wants[100];
    size_t index = ur_st_index(st, name);
    ur_shown(shown, name);
    put_shape(wants, sizeof wants, ndim, dims);
    if (index == st->count)
        return ur_fail(err, UR_BAD_FILE, "%s: tensor \"%s\" of shape %s is missing", st->path,
                       shown, wants);
    const ur_st_info *t = &st->tensors[index];
    bool same = t->ndim == ndim;
    for (int i = 0; same && i < ndim; i++)
        same = t->dims[i] == dims[i];
    put_shape(has, sizeof has, t->ndim, t->dims);
    if (!same)
        return ur_fail(err, UR_BAD_FILE, "%s: tensor \"%s\" has shape %s, expected %s", st->path,
                       shown, has, wants);
    return ur_st_read_floats(st, index, out, err);
}
