/* tensors.c - a line for each tensor of a safetensors file, in the order of their names: name, type,
 * shape and a hash (FNV-1a, 64 bits) of its elements, whatever the metadata and wherever they lie.
 * For scripts that compare models. */
#include <unroll.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
    const ur_st_info *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* Of little-endian bytes, on every machine. */
static uint64_t hash_word(uint64_t hash, uint64_t word, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ (word >> 8 * i & 0xff)) * UINT64_C(0x100000001b3);
    return hash;
}

static ur_status hash_of(ur_st *st, const ur_st_info *info, uint64_t *hash, ur_err *err)
{
    const size_t index = ur_st_index(st, info->name);
    void *data = malloc(info->count ? info->count * 8 : 1);
    if (!data)
        return UR_NO_MEMORY;
    ur_status status = UR_UNSUPPORTED;
    *hash = UINT64_C(0xcbf29ce484222325);
    if (info->dtype == UR_ST_F32 && (status = ur_st_read_floats(st, index, data, err)) == UR_OK) {
        for (size_t i = 0; i < info->count; i++) {
            uint32_t bits;
            memcpy(&bits, (const float *)data + i, 4);
            *hash = hash_word(*hash, bits, 4);
        }
    } else if (info->dtype == UR_ST_U64 &&
               (status = ur_st_read_u64(st, index, data, err)) == UR_OK) {
        for (size_t i = 0; i < info->count; i++)
            *hash = hash_word(*hash, ((const uint64_t *)data)[i], 8);
    } else if (info->dtype != UR_ST_F32 && info->dtype != UR_ST_U64 &&
               (status = ur_st_read_i64(st, index, data, err)) == UR_OK) {
        for (size_t i = 0; i < info->count; i++)
            *hash = hash_word(*hash, (uint64_t)((const int64_t *)data)[i], 8);
    }
    free(data);
    return status;
}

static ur_status print(ur_st *st, ur_err *err)
{
    const size_t count = ur_st_count(st);
    const ur_st_info **infos = malloc((count ? count : 1) * sizeof *infos);
    if (!infos)
        return UR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        infos[i] = ur_st_at(st, i);
    qsort(infos, count, sizeof *infos, by_name);
    ur_status status = UR_OK;
    for (size_t i = 0; i < count && status == UR_OK; i++) {
        uint64_t hash;
        status = hash_of(st, infos[i], &hash, err);
        if (status != UR_OK)
            break;
        printf("%s %s ", infos[i]->name, ur_st_dtype_name(infos[i]->dtype));
        for (int d = 0; d < infos[i]->ndim; d++)
            printf("%s%zu", d ? "x" : "", infos[i]->dims[d]);
        printf(" %016llx\n", (unsigned long long)hash);
    }
    free(infos);
    return status;
}

int main(int argc, char **argv)
{
    ur_err err = {.text = "out of memory"};
    ur_st *st = NULL;
    ur_status status = argc == 2 ? ur_st_open(NULL, argv[1], &st, &err) : UR_INVALID;
    if (status == UR_OK)
        status = print(st, &err);
    ur_st_close(st);
    if (status != UR_OK)
        fprintf(stderr, "tensors: %s\n", argc == 2 ? err.text : "needs one file");
    return status == UR_OK ? 0 : 1;
}
