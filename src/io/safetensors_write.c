/* safetensors_write.c - a safetensors file streamed into an atomic replacement.
 *
 * The header names tensors in the caller's order; the data holds those of 8-byte elements first, then
 * those of 4, then those of 2, so that each element is aligned when the file is mapped (the header is padded with
 * spaces to a multiple of 8). */
#include "io/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"
#include "base/tiny.h"
#include "base/utf8.h"
#include "io/json.h"

enum { CHUNK = UR_SIZE(65536, 24) }; /* bytes converted and written at a time */

static ur_status invalid(const char *path, const char *name, const char *what, ur_err *err)
{
    char shown[UR_SHOWN];
    return ur_fail(err, UR_INVALID, "%s: tensor \"%s\": %s", path, ur_shown(shown, name), what);
}

/* The bytes of a tensor's data, with what can be wrong with the tensor. */
static ur_status check_tensor(const char *path, const ur_st_tensor *tensors, size_t index,
                              uint64_t *bytes, ur_err *err)
{
    const ur_st_tensor *t = &tensors[index];
    if (t->dtype != UR_ST_F32 && t->dtype != UR_ST_F16 && t->dtype != UR_ST_BF16 &&
        t->dtype != UR_ST_I64 && t->dtype != UR_ST_U64)
        return invalid(path, t->name, "only F32, F16, BF16, I64 and U64 can be written", err);
    if (t->ndim < 0 || t->ndim > UR_ST_MAX_DIMS)
        return invalid(path, t->name, "expected 0 to 8 dimensions", err);
    if (strcmp(t->name, "__metadata__") == 0)
        return invalid(path, t->name, "this name is the format's own", err);
    size_t count = ur_st_dtype_size(t->dtype);
    bool empty = false;
    for (int i = 0; i < t->ndim; i++) {
        empty = empty || t->dims[i] == 0;
        if (t->dims[i] > 0 && t->dims[i] > (size_t)INT64_MAX / count)
            return invalid(path, t->name, "the shape's size overflows", err);
        count *= t->dims[i] > 0 ? t->dims[i] : 1;
    }
    *bytes = empty ? 0 : count;
    return UR_OK;
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* UR_INVALID where two tensors have one name. */
static ur_status check_names(const ur_allocator *a, const char *path, const ur_st_tensor *tensors,
                             size_t n, ur_err *err)
{
    const char **names = ur_alloc(a, n, sizeof *names);
    ur_status status = names ? UR_OK : ur_no_memory(err, n * sizeof *names);
    for (size_t i = 0; names && i < n; i++)
        names[i] = tensors[i].name;
    if (names)
        qsort(names, n, sizeof *names, compare_names);
    for (size_t i = 1; i < n && status == UR_OK; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            status = invalid(path, names[i], "two tensors have this name", err);
    ur_free(a, names);
    return status;
}

/* Where the data of each tensor begins; `bytes` becomes `begin`. */
static void place(const ur_st_tensor *tensors, size_t n, uint64_t *begin, uint64_t *end)
{
    uint64_t at = 0;
    for (size_t size = 8; size >= 2; size /= 2) {
        for (size_t i = 0; i < n; i++) {
            if (ur_st_dtype_size(tensors[i].dtype) != size)
                continue;
            uint64_t bytes = begin[i];
            begin[i] = at;
            at += bytes;
            end[i] = at;
        }
    }
}

static void put_header(ur_json_writer *w, const ur_st_tensor *tensors, size_t n,
                       const uint64_t *begin, const uint64_t *end, const ur_st_pair *metadata,
                       size_t n_metadata)
{
    ur_json_open_object(w, NULL);
    if (n_metadata > 0) {
        ur_json_open_object(w, "__metadata__");
        for (size_t i = 0; i < n_metadata; i++)
            ur_json_put_string(w, metadata[i].key, metadata[i].value);
        ur_json_close_object(w);
    }
    for (size_t i = 0; i < n; i++) {
        ur_json_open_object(w, tensors[i].name);
        ur_json_put_string(w, "dtype", ur_st_dtype_name(tensors[i].dtype));
        ur_json_open_list(w, "shape");
        for (int d = 0; d < tensors[i].ndim; d++)
            ur_json_put_int(w, NULL, (int64_t)tensors[i].dims[d]);
        ur_json_close_list(w);
        ur_json_open_list(w, "data_offsets");
        ur_json_put_int(w, NULL, (int64_t)begin[i]);
        ur_json_put_int(w, NULL, (int64_t)end[i]);
        ur_json_close_list(w);
        ur_json_close_object(w);
    }
    ur_json_close_object(w);
}

static void store(unsigned char *p, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        p[i] = (unsigned char)(value >> (8 * i));
}

static ur_status write_data(ur_replace *file, const ur_st_tensor *t, uint64_t bytes,
                            unsigned char *chunk, ur_err *err)
{
    size_t size = ur_st_dtype_size(t->dtype), count = (size_t)bytes / size;
    const unsigned char *from = t->data;
    for (size_t begin = 0, n; begin < count; begin += n) {
        n = count - begin < CHUNK / size ? count - begin : CHUNK / size;
        for (size_t i = 0; i < n; i++) {
            uint64_t wide = 0;
            uint32_t narrow = 0;
            uint16_t half = 0;
            memcpy(size == 8   ? (void *)&wide
                   : size == 4 ? (void *)&narrow
                               : (void *)&half,
                   from + (begin + i) * size, size);
            store(chunk + i * size, size == 8 ? wide : size == 4 ? narrow : half, size);
        }
        ur_status status = ur_replace_write(file, chunk, n * size, err);
        if (status != UR_OK)
            return status;
    }
    return UR_OK;
}

static ur_status write_file(const ur_allocator *a, const char *path, const ur_json_writer *header,
                            const ur_st_tensor *tensors, size_t n, const uint64_t *begin,
                            const uint64_t *end, size_t spare, ur_err *err)
{
    size_t length = 0;
    const char *text = ur_json_text(header, &length, err);
    if (text == NULL)
        return UR_NO_MEMORY;
    if (length + spare > UR_ST_HEADER_LIMIT - 7) /* and what makes it a multiple of 8 */
        return ur_fail(err, UR_UNSUPPORTED,
                       "%s: names and metadata (vocabularies are there) of %zu bytes, a "
                       "safetensors file takes at most %u",
                       path, length, UR_ST_HEADER_LIMIT);
    unsigned char *chunk = ur_alloc(a, CHUNK, 1);
    if (chunk == NULL)
        return ur_no_memory(err, CHUNK);
    ur_replace *file = NULL;
    size_t padding = (8 - length % 8) % 8;
    store(chunk, length + padding, 8);
    ur_status status = ur_replace_begin(a, path, &file, err);
    if (status == UR_OK)
        status = ur_replace_write(file, chunk, 8, err);
    if (status == UR_OK)
        status = ur_replace_write(file, text, length, err);
    if (status == UR_OK && padding > 0)
        status = ur_replace_write(file, "       ", padding, err);
    for (size_t size = 8; size >= 2; size /= 2) /* the order of place() */
        for (size_t i = 0; i < n && status == UR_OK; i++)
            if (ur_st_dtype_size(tensors[i].dtype) == size)
                status = write_data(file, &tensors[i], end[i] - begin[i], chunk, err);
    if (status == UR_OK)
        status = ur_replace_commit(file, err);
    else
        ur_replace_abort(file);
    ur_free(a, chunk);
    return status;
}

ur_status ur_st_write(const ur_allocator *a, const char *path, const ur_st_tensor *tensors,
                      size_t n_tensors, const ur_st_pair *metadata, size_t n_metadata, ur_err *err)
{
    return ur_st_write_sparing(a, path, tensors, n_tensors, metadata, n_metadata, 0, err);
}

ur_status ur_st_write_sparing(const ur_allocator *a, const char *path, const ur_st_tensor *tensors,
                              size_t n_tensors, const ur_st_pair *metadata, size_t n_metadata,
                              size_t spare, ur_err *err)
{
    ur_json_writer *header = NULL;
    uint64_t *begin = ur_alloc(a, n_tensors, sizeof *begin);
    uint64_t *end = ur_alloc(a, n_tensors, sizeof *end);
    ur_status status = UR_OK;
    uint64_t total = 0;
    if (begin == NULL || end == NULL)
        status = ur_no_memory(err, n_tensors * sizeof *begin);
    for (size_t i = 0; i < n_tensors && status == UR_OK; i++) {
        status = check_tensor(path, tensors, i, &begin[i], err);
        if (status == UR_OK && begin[i] > (uint64_t)INT64_MAX - total)
            status = invalid(path, tensors[i].name, "the file's size overflows", err);
        else if (status == UR_OK)
            total += begin[i];
    }
    if (status == UR_OK)
        status = check_names(a, path, tensors, n_tensors, err);
    for (size_t i = 0; i < n_metadata && status == UR_OK; i++)
        for (size_t j = 0; j < i && status == UR_OK; j++)
            if (strcmp(metadata[i].key, metadata[j].key) == 0)
                status = ur_fail(err, UR_INVALID, "%s: metadata: \"%.80s\" is given twice", path,
                                 metadata[i].key);
    if (status == UR_OK)
        status = ur_json_writer_new(a, 0, &header, err);
    if (status == UR_OK) {
        place(tensors, n_tensors, begin, end);
        put_header(header, tensors, n_tensors, begin, end, metadata, n_metadata);
        status = write_file(a, path, header, tensors, n_tensors, begin, end, spare, err);
    }
    ur_json_writer_free(header);
    ur_free(a, begin);
    ur_free(a, end);
    return status;
}
