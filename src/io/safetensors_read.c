/* safetensors_read.c - a safetensors file opened, its tensors found and their elements converted.
 *
 * Everything that the header says is checked at opening, so that what is read afterwards can rely on
 * names, shapes and offsets. Order of the checks: the header's length against the file; its JSON;
 * every tensor by itself (keys, dtype, shape, bytes); all tensors together (data covered once, from
 * first to last byte). Of a tensor of a dtype that is not known here the bytes are what its offsets
 * say: it can be listed, and not read.
 *
 * Elements are little-endian in the file whatever the machine is; they are put together byte by
 * byte, which compilers turn into plain loads. Data passes through a small buffer, or goes where it is wanted
 * as it is: reading takes no memory. */
#include "io/safetensors.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/fpmode.h"
#include "base/status.h"
#include "base/tiny.h"
#include "base/utf8.h"
#include "io/json_tree.h"

/* Bytes converted at a time: a multiple of every element size. */
enum { CHUNK = UR_SIZE(8192, 16) };

static const struct {
    const char *name;
    size_t size;
} dtypes[UR_ST_DTYPES] = {
    [UR_ST_F64] = {"F64", 8},  [UR_ST_F32] = {"F32", 4},   [UR_ST_F16] = {"F16", 2},
    [UR_ST_I64] = {"I64", 8},  [UR_ST_I32] = {"I32", 4},   [UR_ST_I16] = {"I16", 2},
    [UR_ST_I8] = {"I8", 1},    [UR_ST_U64] = {"U64", 8},   [UR_ST_U32] = {"U32", 4},
    [UR_ST_U16] = {"U16", 2},  [UR_ST_BF16] = {"BF16", 2}, [UR_ST_U8] = {"U8", 1},
    [UR_ST_BOOL] = {"BOOL", 1}};

const char *ur_st_dtype_name(ur_st_dtype dtype)
{
    return dtype < UR_ST_DTYPES ? dtypes[dtype].name : "other";
}

size_t ur_st_dtype_size(ur_st_dtype dtype)
{
    return dtype < UR_ST_DTYPES ? dtypes[dtype].size : 0;
}

struct ur_st {
    const ur_allocator *allocator;
    char *path;                 /* for messages */
    int fd;                     /* where bytes come from: this file (-1: none), */
    const unsigned char *bytes; /* or the caller's memory */
    uint64_t size;              /* of the whole file */
    uint64_t data_start;        /* 8 + the header's length */
    ur_json_tree header;        /* owns every string below */
    bool parsed;                /* the header is JSON */
    ur_st_info *tensors;
    size_t count;
    size_t *by_name; /* (count) indices of tensors, their names rising */
    ur_st_pair *metadata;
    size_t metadata_count;
};

/* `n` bytes from `offset`, both inside the file; a file that fails or has shrunk is UR_IO. By several threads
 * at once, too. */
static ur_status bytes_at(const ur_st *st, uint64_t offset, void *out, size_t n, ur_err *err)
{
    if (st->bytes == NULL)
        return ur_file_read(st->fd, st->path, offset, out, n, err);
    if (n > 0)
        memcpy(out, st->bytes + offset, n);
    return UR_OK;
}

/* ---- one tensor --------------------------------------------------------------------------- */

/* What is wrong with tensor `name`: always the same beginning. */
static ur_status bad_tensor(const ur_st *st, const char *name, const char *what, ur_err *err)
{
    char shown[UR_SHOWN];
    return ur_fail(err, UR_BAD_FILE, "%s: tensor \"%s\": %s", st->path, ur_shown(shown, name),
                   what);
}

/* -1: it is none, or negative. */
static int64_t whole_number(const ur_json_node *node)
{
    return node != NULL && node->type == UR_JSON_WHOLE && node->as.whole >= 0 ? node->as.whole : -1;
}

/* dims and count from "shape"; *bytes is what the tensor takes. */
static ur_status read_shape(const ur_st *st, const ur_json_node *shape, ur_st_info *info,
                            uint64_t *bytes, ur_err *err)
{
    if (shape->type != UR_JSON_LIST)
        return bad_tensor(st, info->name, "shape must be a list of whole numbers", err);
    if (ur_json_tree_count(shape) > UR_ST_MAX_DIMS)
        return bad_tensor(st, info->name, "more than 8 dimensions", err);
    info->ndim = (int)ur_json_tree_count(shape);
    const size_t size = info->dtype == UR_ST_OTHER ? 1 : ur_st_dtype_size(info->dtype);
    size_t product = size, count = 1;
    for (int i = 0; i < info->ndim; i++) {
        const ur_json_node *dim = ur_json_tree_at(&st->header, shape, (size_t)i);
        const int64_t value = whole_number(dim);
        if (value < 0)
            return bad_tensor(st, info->name, "a dimension must be a whole number, not negative",
                              err);
        /* Zeros are left out of the test: the other dimensions must be sane all the same. */
        if (value > 0 && (uint64_t)value > SIZE_MAX / product)
            return bad_tensor(st, info->name, "the shape's size overflows", err);
        if (value > 0)
            product *= (size_t)value;
        count *= (size_t)value;
        info->dims[i] = (size_t)value;
    }
    info->count = count;
    *bytes = (uint64_t)count * size;
    return UR_OK;
}

/* offset from "data_offsets", which must hold exactly `bytes`. */
static ur_status read_offsets(const ur_st *st, const ur_json_node *offsets, ur_st_info *info,
                              uint64_t bytes, ur_err *err)
{
    const int64_t b = whole_number(ur_json_tree_at(&st->header, offsets, 0));
    const int64_t e = whole_number(ur_json_tree_at(&st->header, offsets, 1));
    if (offsets->type != UR_JSON_LIST || ur_json_tree_count(offsets) != 2 || b < 0 || e < b)
        return bad_tensor(st, info->name,
                          "data_offsets must be two whole numbers, begin not above end", err);
    const uint64_t begin = (uint64_t)b, end = (uint64_t)e;
    char shown[UR_SHOWN];
    ur_shown(shown, info->name);
    if (end > st->size - st->data_start)
        return ur_fail(err, UR_BAD_FILE,
                       "%s: tensor \"%s\" ends at byte %llu of the data, the file has %llu",
                       st->path, shown, (unsigned long long)end,
                       (unsigned long long)(st->size - st->data_start));
    if (end - begin != bytes && info->dtype != UR_ST_OTHER)
        return ur_fail(
            err, UR_BAD_FILE, "%s: tensor \"%s\" has %llu bytes of data, dtype and shape want %llu",
            st->path, shown, (unsigned long long)(end - begin), (unsigned long long)bytes);
    info->offset = st->data_start + begin;
    info->bytes = end - begin;
    return UR_OK;
}

static bool is_dtype(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    const size_t length = name ? strlen(name) : 0;
    return length > 0 && length <= 32 && strspn(name, allowed) == length;
}

static ur_status read_tensor(const ur_st *st, const char *name, const ur_json_node *value,
                             ur_st_info *info, ur_err *err)
{
    info->name = name;
    const ur_json_node *dtype = ur_json_tree_member(&st->header, value, "dtype");
    const ur_json_node *shape = ur_json_tree_member(&st->header, value, "shape");
    const ur_json_node *offsets = ur_json_tree_member(&st->header, value, "data_offsets");
    if (ur_json_tree_count(value) != 3 || !dtype || !shape || !offsets)
        return bad_tensor(st, name, "expected an object of dtype, shape and data_offsets", err);
    info->dtype_name = ur_json_tree_text(&st->header, dtype);
    if (!is_dtype(info->dtype_name))
        return bad_tensor(st, name, "dtype must be a name such as F32, in capitals and digits",
                          err);
    int known = 0;
    while (known < UR_ST_DTYPES && strcmp(dtypes[known].name, info->dtype_name) != 0)
        known++;
    info->dtype = (ur_st_dtype)known; /* UR_ST_OTHER behind the last */
    uint64_t bytes = 0;
    ur_status status = read_shape(st, shape, info, &bytes, err);
    return status != UR_OK ? status : read_offsets(st, offsets, info, bytes, err);
}

/* ---- the whole header --------------------------------------------------------------------- */

static ur_status read_metadata(ur_st *st, const ur_json_node *object, ur_err *err)
{
    const size_t count = ur_json_tree_count(object);
    if (object->type == UR_JSON_NULL)
        return UR_OK;
    if (object->type != UR_JSON_OBJECT)
        return ur_fail(err, UR_BAD_FILE, "%s: __metadata__ must be an object of strings", st->path);
    st->metadata = ur_alloc(st->allocator, count, sizeof *st->metadata);
    if (st->metadata == NULL)
        return ur_no_memory(err, count * sizeof *st->metadata);
    for (size_t i = 0; i < count; i++) {
        const ur_json_node *value = ur_json_tree_at(&st->header, object, i);
        const char *key = ur_json_tree_key(&st->header, value);
        const char *text = ur_json_tree_text(&st->header, value);
        char shown[UR_SHOWN];
        if (text == NULL)
            return ur_fail(err, UR_BAD_FILE, "%s: __metadata__: \"%s\" must be a string", st->path,
                           ur_shown(shown, key));
        st->metadata[st->metadata_count++] = (ur_st_pair){key, text};
    }
    return UR_OK;
}

/* Where a tensor's data lies; empty tensors come before others that begin at the same byte. */
typedef struct extent {
    uint64_t begin, end;
    size_t index;
} extent;

static int compare_extents(const void *left, const void *right)
{
    const extent *l = left, *r = right;
    if (l->begin != r->begin)
        return l->begin < r->begin ? -1 : 1;
    if (l->end != r->end)
        return l->end < r->end ? -1 : 1;
    return l->index < r->index ? -1 : 1;
}

/* Every byte of the data belongs to exactly one tensor. */
static ur_status check_cover(const ur_st *st, ur_err *err)
{
    extent *extents = ur_alloc(st->allocator, st->count, sizeof *extents);
    if (extents == NULL)
        return ur_no_memory(err, st->count * sizeof *extents);
    for (size_t i = 0; i < st->count; i++) {
        const ur_st_info *t = &st->tensors[i];
        extents[i] = (extent){t->offset, t->offset + t->bytes, i};
    }
    qsort(extents, st->count, sizeof *extents, compare_extents);
    uint64_t covered = st->data_start;
    ur_status status = UR_OK;
    for (size_t i = 0; i < st->count && status == UR_OK; i++) {
        const char *name = st->tensors[extents[i].index].name;
        if (extents[i].begin > covered)
            status = bad_tensor(st, name, "bytes before its data belong to no tensor", err);
        else if (extents[i].begin < covered)
            status = bad_tensor(st, name, "its data overlaps another tensor's", err);
        covered = extents[i].end;
    }
    ur_free(st->allocator, extents);
    if (status == UR_OK && covered != st->size)
        status = ur_fail(err, UR_BAD_FILE, "%s: %llu bytes after the last tensor, expected none",
                         st->path, (unsigned long long)(st->size - covered));
    return status;
}

/* A name and where its tensor stands, while they are sorted. */
typedef struct named {
    const char *name;
    size_t index;
} named;

static int compare_names(const void *left, const void *right)
{
    return strcmp(((const named *)left)->name, ((const named *)right)->name);
}

static ur_status sort_names(ur_st *st, ur_err *err)
{
    named *names = ur_alloc(st->allocator, st->count, sizeof *names);
    st->by_name = ur_alloc(st->allocator, st->count, sizeof *st->by_name);
    if (names == NULL || st->by_name == NULL) {
        ur_free(st->allocator, names);
        return ur_no_memory(err, st->count * sizeof *names);
    }
    for (size_t i = 0; i < st->count; i++)
        names[i] = (named){st->tensors[i].name, i};
    qsort(names, st->count, sizeof *names, compare_names);
    for (size_t i = 0; i < st->count; i++)
        st->by_name[i] = names[i].index;
    ur_free(st->allocator, names);
    return UR_OK;
}

static ur_status read_header(ur_st *st, const ur_json_node *header, ur_err *err)
{
    const size_t entries = ur_json_tree_count(header);
    st->tensors = ur_alloc_zero(st->allocator, entries, sizeof *st->tensors);
    if (st->tensors == NULL)
        return ur_no_memory(err, entries * sizeof *st->tensors);
    for (size_t i = 0; i < entries; i++) {
        const ur_json_node *value = ur_json_tree_at(&st->header, header, i);
        const char *key = ur_json_tree_key(&st->header, value);
        ur_status status;
        if (strcmp(key, "__metadata__") == 0)
            status = read_metadata(st, value, err);
        else
            status = read_tensor(st, key, value, &st->tensors[st->count++], err);
        if (status != UR_OK)
            return status;
    }
    const ur_status status = check_cover(st, err);
    return status == UR_OK ? sort_names(st, err) : status;
}

static ur_status parse_header(ur_st *st, const char *text, size_t length, ur_err *err)
{
    size_t end = length; /* spaces, and nothing else, may follow the object */
    while (end > 0 && text[end - 1] == ' ')
        end--;
    if (end < 2 || text[0] != '{' || text[end - 1] != '}')
        return ur_fail(err, UR_BAD_FILE, "%s: the header must be one JSON object, then spaces",
                       st->path);
    uint32_t root;
    ur_json_fault fault;
    ur_status status = ur_json_tree_new(st->allocator, end, &st->header, err);
    if (status == UR_OK)
        status = ur_json_tree_add(&st->header, text, end, &root, &fault, err);
    if (status == UR_BAD_FILE)
        return ur_fail(err, UR_BAD_FILE, "%s: the header is not valid JSON: %s", st->path,
                       fault.what);
    if (status == UR_OK && st->header.has_bytes)
        return ur_fail(err, UR_BAD_FILE, "%s: the header is not valid JSON: half a surrogate pair",
                       st->path);
    st->parsed = status == UR_OK;
    return status == UR_OK ? read_header(st, &st->header.nodes[root], err) : status;
}

/* What a file is that is no safetensors file, by its first bytes; NULL: cannot be told. */
static const char *foreign_format(const unsigned char *b, size_t size)
{
    static const struct {
        const char *magic;
        size_t size;
        const char *says;
    } formats[] = {
        {"PK\3\4", 4,
         "a zip archive, as PyTorch's .pt files are: unroll-import-pt (tools/import_pt.py) makes a "
         "safetensors file of it"},
        {"\x80\2", 2,
         "a pickle, as PyTorch's older .pt files are: unroll-import-pt (tools/import_pt.py) makes "
         "a "
         "safetensors file of it"},
        {"\x80\4\x95", 3, "a pickle, of which only PyTorch's can be imported (tools/import_pt.py)"},
        {"\x80\5\x95", 3, "a pickle, of which only PyTorch's can be imported (tools/import_pt.py)"},
        {"version https://git-lfs", 23,
         "a pointer of Git LFS and not the file that it stands for: git lfs pull fetches that"},
        {"GGUF", 4, "a GGUF file, as llama.cpp has them, which is not read"},
        {"\x93NUMPY", 6,
         "an array of NumPy's (.npy): safetensors.numpy.save_file writes the format"},
        {"\x89HDF\r\n", 6, "an HDF5 file, as Keras has them, which is not read"},
        {"\x1f\x8b", 2, "compressed by gzip: gunzip it first"},
    };
    size_t blanks = 0;
    while (blanks < size && strchr(" \t\r\n", b[blanks]) != NULL && b[blanks] != '\0')
        blanks++;
    if (size - blanks >= 2 && b[blanks] == '<' && (b[blanks + 1] == '!' || b[blanks + 1] == 'h'))
        return "an HTML page: what was downloaded is not the file";
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (size >= formats[i].size && memcmp(b, formats[i].magic, formats[i].size) == 0)
            return formats[i].says;
    return NULL;
}

static ur_status open_parts(ur_st *st, ur_err *err)
{
    unsigned char size[8];
    uint64_t length = 0;
    if (st->size < sizeof size)
        return ur_fail(err, UR_BAD_FILE, "%s: %llu bytes are too few for a safetensors file",
                       st->path, (unsigned long long)st->size);
    ur_status status = bytes_at(st, 0, size, sizeof size, err);
    if (status != UR_OK)
        return status;
    for (int i = 7; i >= 0; i--)
        length = length << 8 | size[i];
    if (length > UR_ST_HEADER_LIMIT || length > st->size - sizeof size)
        return ur_fail(err, UR_BAD_FILE,
                       "%s: the header's length is given as %llu bytes, expected at most %llu",
                       st->path, (unsigned long long)length,
                       (unsigned long long)(st->size - sizeof size < UR_ST_HEADER_LIMIT
                                                ? st->size - sizeof size
                                                : UR_ST_HEADER_LIMIT));
    st->data_start = sizeof size + length;
    char *text = ur_alloc(st->allocator, (size_t)length, 1);
    if (text == NULL)
        return ur_no_memory(err, (size_t)length);
    status = bytes_at(st, sizeof size, text, (size_t)length, err);
    if (status == UR_OK)
        status = parse_header(st, text, (size_t)length, err);
    ur_free(st->allocator, text);
    return status;
}

/* Opens; of a file without a header that could be read, says what else it is. */
static ur_status open_or_name(ur_st *st, ur_err *err)
{
    unsigned char begin[32] = {0};
    const size_t size = st->size < sizeof begin ? (size_t)st->size : sizeof begin;
    if (st->size == 0)
        return ur_fail(err, UR_BAD_FILE, "%s: is empty: too few bytes for a safetensors file",
                       st->path);
    const ur_status status = open_parts(st, err);
    if (status != UR_BAD_FILE || st->parsed || bytes_at(st, 0, begin, size, NULL) != UR_OK)
        return status;
    const char *format = foreign_format(begin, size);
    if (format == NULL)
        return status;
    return ur_fail(err, UR_BAD_FILE, "%s: no safetensors file, but %s", st->path, format);
}

/* ---- opening and closing ------------------------------------------------------------------ */

static ur_status new_st(const ur_allocator *a, const char *path, ur_st **out, ur_err *err)
{
    ur_st *st = ur_alloc_zero(a, 1, sizeof *st);
    if (st == NULL)
        return ur_no_memory(err, sizeof *st);
    st->allocator = a;
    st->fd = -1;
    st->path = ur_strdup(a, path);
    if (st->path == NULL) {
        ur_st_close(st);
        return ur_no_memory(err, strlen(path) + 1);
    }
    *out = st;
    return UR_OK;
}

/* Hands the file out, or closes it when opening failed. */
static ur_status finish(ur_st *st, ur_status status, ur_st **out)
{
    if (status != UR_OK) {
        ur_st_close(st);
        return status;
    }
    *out = st;
    return UR_OK;
}

ur_status ur_st_open(const ur_allocator *a, const char *path, ur_st **out, ur_err *err)
{
    ur_st *st = NULL;
    *out = NULL;
    ur_status status = new_st(a, path, &st, err);
    if (status == UR_OK)
        status = ur_file_open(path, &st->fd, &st->size, err);
    if (status == UR_OK)
        status = open_or_name(st, err);
    return finish(st, status, out);
}

ur_status ur_st_open_bytes(const ur_allocator *a, const char *name, const void *bytes, size_t size,
                           ur_st **out, ur_err *err)
{
    ur_st *st = NULL;
    *out = NULL;
    ur_status status = new_st(a, name, &st, err);
    if (status == UR_OK) {
        st->bytes = bytes;
        st->size = size;
        status = open_or_name(st, err);
    }
    return finish(st, status, out);
}

void ur_st_close(ur_st *st)
{
    if (st == NULL)
        return;
    ur_file_close(st->fd);
    ur_json_tree_free(&st->header);
    ur_free(st->allocator, st->tensors);
    ur_free(st->allocator, st->by_name);
    ur_free(st->allocator, st->metadata);
    ur_free(st->allocator, st->path);
    ur_free(st->allocator, st);
}

/* ---- what is in it -------------------------------------------------------------------------- */

size_t ur_st_count(const ur_st *st)
{
    return st->count;
}

const ur_st_info *ur_st_at(const ur_st *st, size_t index)
{
    return index < st->count ? &st->tensors[index] : NULL;
}

size_t ur_st_index(const ur_st *st, const char *name)
{
    size_t low = 0, high = st->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(st->tensors[st->by_name[middle]].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    const bool found = low < st->count && strcmp(st->tensors[st->by_name[low]].name, name) == 0;
    return found ? st->by_name[low] : st->count;
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
    const bool there = index < st->metadata_count;
    *key = there ? st->metadata[index].key : NULL;
    *value = there ? st->metadata[index].value : NULL;
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

/* Whether a float lies in memory as it does in the file. */
static bool little_endian(void)
{
    const unsigned char bytes[4] = {0, 0, 0x80, 0x3F};
    float one;
    memcpy(&one, bytes, sizeof one);
    return one == 1.0f;
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

static ur_status wrong_dtype(const ur_st *st, const ur_st_info *t, const char *wanted, ur_err *err)
{
    char shown[UR_SHOWN];
    return ur_fail(err, UR_BAD_FILE, "%s: tensor \"%s\" has dtype %s, expected %s", st->path,
                   ur_shown(shown, t->name), t->dtype_name, wanted);
}

/* The next elements of a tensor, from number `begin` on: as many as the buffer holds. */
static ur_status next_chunk(ur_st *st, const ur_st_info *t, size_t begin,
                            unsigned char chunk[CHUNK], size_t *n, ur_err *err)
{
    size_t size = ur_st_dtype_size(t->dtype), left = t->count - begin;
    if (size == 0)
        return wrong_dtype(st, t, "one that is read", err);
    *n = left < CHUNK / size ? left : CHUNK / size;
    return bytes_at(st, t->offset + (uint64_t)begin * size, chunk, *n * size, err);
}

static ur_status no_such(const ur_st *st, size_t index, ur_err *err)
{
    return ur_fail(err, UR_INVALID, "%s: there is no tensor %zu among %zu", st->path, index,
                   st->count);
}

ur_status ur_st_read_floats(ur_st *st, size_t index, float *out, ur_err *err)
{
    UR_FPMODE_HERE;
    if (index >= st->count)
        return no_such(st, index, err);
    const ur_st_info *t = &st->tensors[index];
    ur_st_dtype dtype = t->dtype;
    if (dtype != UR_ST_F32 && dtype != UR_ST_F16 && dtype != UR_ST_BF16 && dtype != UR_ST_F64)
        return wrong_dtype(st, t, "F32, F16, BF16 or F64", err);
    if (dtype == UR_ST_F32 && little_endian())
        return bytes_at(st, t->offset, out, t->count * sizeof *out, err);
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
    if (index >= st->count)
        return no_such(st, index, err);
    const ur_st_info *t = &st->tensors[index];
    const char *name = ur_st_dtype_name(t->dtype);
    if (name[0] == 'F' || t->dtype == UR_ST_BF16 || t->dtype == UR_ST_U64 ||
        t->dtype == UR_ST_OTHER)
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
    if (index >= st->count)
        return no_such(st, index, err);
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
    if (ndim < 0 || ndim > UR_ST_MAX_DIMS)
        return ur_fail(err, UR_INVALID, "tensor \"%s\": %d dimensions, 0 to %d expected", shown,
                       ndim, UR_ST_MAX_DIMS);
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
