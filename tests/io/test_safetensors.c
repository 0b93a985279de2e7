/* test_safetensors.c - what is written reads back and has the bytes the format wants; every element
 * type converts; files that fail are refused. Malformed ones: test_safetensors_malformed.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "io/safetensors.h"
#include "io/made_file.h"
#include "support/failing_alloc.h"
#include "support/slow.h"

#define FILE_NAME "test_safetensors.safetensors"

static const float weights[6] = {1.0f, -2.5f, 0.0f, 3.25e-20f, -0.0f, 1e30f};
static const int64_t numbers[3] = {INT64_MIN, -1, INT64_MAX};
static const uint64_t counters[1] = {UINT64_MAX - 1};

static ur_status write_example(const ur_allocator *a, const char *path, ur_err *err)
{
    const size_t matrix[2] = {2, 3}, three[1] = {3}, empty[2] = {0, 7};
    const ur_st_tensor tensors[] = {{"fc.weight", UR_ST_F32, 2, matrix, weights},
                                    {"numbers", UR_ST_I64, 1, three, numbers},
                                    {"empty", UR_ST_F32, 2, empty, NULL},
                                    {"na\"me \xC3\xA9", UR_ST_F32, 1, three, weights},
                                    {"counter", UR_ST_U64, 0, NULL, counters}};
    const ur_st_pair metadata[] = {{"format", "pt"}, {"line", "a\n\"b\""}};
    return ur_st_write(a, path, tensors, 5, metadata, 2, err);
}

/* ---- round trip --------------------------------------------------------------------------- */

static void check_example(ur_st *st)
{
    float floats[6] = {0};
    int64_t integers[3] = {0};
    uint64_t counter[1] = {0};
    assert_int_equal(ur_st_count(st), 5);
    assert_string_equal(ur_st_at(st, 0)->name, "fc.weight");
    assert_int_equal(ur_st_at(st, 0)->ndim, 2);
    assert_int_equal(ur_st_at(st, 0)->dims[0], 2);
    assert_int_equal(ur_st_at(st, 0)->dims[1], 3);
    assert_int_equal(ur_st_at(st, 0)->count, 6);
    assert_string_equal(ur_st_at(st, 4)->name, "counter");
    assert_int_equal(ur_st_at(st, 4)->count, 1);
    assert_int_equal(ur_st_find(st, "empty")->count, 0);
    assert_null(ur_st_find(st, "fc"));
    for (size_t i = 0; i < 5; i++) /* every element is aligned */
        assert_int_equal(ur_st_at(st, i)->offset % ur_st_dtype_size(ur_st_at(st, i)->dtype), 0);
    assert_int_equal(ur_st_read_floats(st, 0, floats, NULL), UR_OK);
    assert_memory_equal(floats, weights, sizeof weights);
    assert_int_equal(ur_st_read_floats(st, ur_st_index(st, "na\"me \xC3\xA9"), floats, NULL),
                     UR_OK);
    assert_memory_equal(floats, weights, 3 * sizeof *weights);
    assert_int_equal(ur_st_read_i64(st, 1, integers, NULL), UR_OK);
    assert_memory_equal(integers, numbers, sizeof numbers);
    assert_int_equal(ur_st_read_u64(st, 4, counter, NULL), UR_OK);
    assert_memory_equal(counter, counters, sizeof counters);
    assert_int_equal(ur_st_metadata_count(st), 2);
    assert_string_equal(ur_st_metadata(st, "line"), "a\n\"b\"");
    assert_null(ur_st_metadata(st, "absent"));
    const char *key, *value;
    ur_st_metadata_at(st, 0, &key, &value);
    assert_string_equal(key, "format");
    assert_string_equal(value, "pt");
}

static void round_trip(void **state)
{
    (void)state;
    ur_err err = {0};
    ur_st *st = NULL;
    char *bytes = NULL;
    size_t size = 0;
    assert_int_equal(write_example(NULL, FILE_NAME, &err), UR_OK);
    assert_int_equal(ur_st_open(NULL, FILE_NAME, &st, &err), UR_OK);
    check_example(st);
    ur_st_close(st);
    assert_int_equal(ur_read_file(NULL, FILE_NAME, 1 << 20, &bytes, &size, &err), UR_OK);
    assert_int_equal(ur_st_open_bytes(NULL, "memory", bytes, size, &st, &err), UR_OK);
    check_example(st);
    ur_st_close(st);

    /* Written again, the bytes are the same; they are the ones the format describes. */
    char *again = NULL;
    size_t size_again = 0;
    assert_int_equal(write_example(NULL, FILE_NAME, &err), UR_OK);
    assert_int_equal(ur_read_file(NULL, FILE_NAME, 1 << 20, &again, &size_again, &err), UR_OK);
    assert_int_equal(size, size_again);
    assert_memory_equal(bytes, again, size);
    size_t header = (unsigned char)bytes[0] + 256u * (unsigned char)bytes[1];
    assert_int_equal(header % 8, 0);
    const char start[] = "{\"__metadata__\": {\"format\": \"pt\", \"line\": \"a\\n\\\"b\\\"\"}, "
                         "\"fc.weight\": {\"dtype\": \"F32\", \"shape\": [2, 3], "
                         "\"data_offsets\": [32, 56]}, \"numbers\": ";
    assert_memory_equal(bytes + 8, start, sizeof start - 1);
    const unsigned char minus_one[8] = {255, 255, 255, 255, 255, 255, 255, 255};
    assert_memory_equal(bytes + 8 + header + 8, minus_one, 8);
    const unsigned char minus_two_and_a_half[4] = {0, 0, 0x20, 0xC0};
    assert_memory_equal(bytes + 8 + header + 36, minus_two_and_a_half, 4);
    ur_free(NULL, again);
    ur_free(NULL, bytes);
}

/* Larger than the buffers that data passes through. */
static void large_tensor(void **state)
{
    (void)state;
    enum { N = 70001 };
    float *out = malloc(2 * N * sizeof *out), *in = out + N;
    const size_t dims[1] = {N};
    ur_st *st = NULL;
    ur_err err = {0};
    assert_non_null(out);
    for (int i = 0; i < N; i++)
        in[i] = (float)i * 0.37f - 1000.0f;
    const ur_st_tensor tensor = {"x", UR_ST_F32, 1, dims, in};
    assert_int_equal(ur_st_write(NULL, FILE_NAME, &tensor, 1, NULL, 0, &err), UR_OK);
    assert_int_equal(ur_st_open(NULL, FILE_NAME, &st, &err), UR_OK);
    assert_int_equal(ur_st_load_floats(st, "x", 1, dims, out, &err), UR_OK);
    assert_memory_equal(out, in, N * sizeof *out);
    const size_t other[1] = {N - 1};
    assert_int_equal(ur_st_load_floats(st, "x", 1, other, out, &err), UR_BAD_FILE);
    assert_string_equal(err.text, FILE_NAME ": tensor \"x\" has shape (70001), expected (70000)");
    assert_int_equal(ur_st_load_floats(st, "y", 1, other, out, &err), UR_BAD_FILE);
    assert_string_equal(err.text, FILE_NAME ": tensor \"y\" of shape (70000) is missing");
    ur_st_close(st);
    free(out);
}

static void nothing_at_all(void **state)
{
    (void)state;
    ur_st *st = NULL;
    assert_int_equal(ur_st_write(NULL, FILE_NAME, NULL, 0, NULL, 0, NULL), UR_OK);
    assert_int_equal(ur_st_open(NULL, FILE_NAME, &st, NULL), UR_OK);
    assert_int_equal(ur_st_count(st), 0);
    assert_int_equal(ur_st_metadata_count(st), 0);
    ur_st_close(st);
}

/* ---- files made by hand ------------------------------------------------------------------- */

static void every_float_type(void **state)
{
    (void)state;
    made m = make("{\"h\":{\"dtype\":\"F16\",\"shape\":[8],\"data_offsets\":[0,16]},"
                  "\"b\":{\"dtype\":\"BF16\",\"shape\":[3],\"data_offsets\":[16,22]},"
                  "\"d\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[22,38]}}   ",
                  38);
    static const unsigned char data[38] = {
        0x00, 0x3C, 0x00, 0xC0, 0x01, 0x00, 0xFF, 0x83,
        0xFF, 0x7B, 0x00, 0xFC, 0x01, 0x7E, 0x00, 0x80,  /* F16 */
        0x80, 0x3F, 0x49, 0xC0, 0x80, 0x7F,              /* BF16: 1, -3.140625, inf */
        0x9A, 0x99, 0x99, 0x99, 0x99, 0x99, 0xB9, 0x3F,  /* 0.1 */
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x08, 0xC0}; /* -3 */
    memcpy(m.bytes + m.size - 38, data, 38);
    ur_st *st = NULL;
    float out[8];
    assert_int_equal(ur_st_open_bytes(NULL, "m", m.bytes, m.size, &st, NULL), UR_OK);
    assert_int_equal(ur_st_read_floats(st, 0, out, NULL), UR_OK);
    const float halves[] = {1.0f, -2.0f, 0x1p-24f, -0x3FFp-24f, 65504.0f, -INFINITY};
    for (int i = 0; i < 6; i++)
        assert_true(out[i] == halves[i]);
    assert_true(isnan(out[6]));
    assert_true(out[7] == 0.0f && signbit(out[7]));
    assert_int_equal(ur_st_read_floats(st, 1, out, NULL), UR_OK);
    assert_true(out[0] == 1.0f && out[1] == -3.140625f && out[2] == INFINITY);
    assert_int_equal(ur_st_read_floats(st, 2, out, NULL), UR_OK);
    assert_true(out[0] == 0.1f && out[1] == -3.0f);

    ur_err err = {0};
    int64_t integer[8];
    uint64_t counter[8];
    assert_int_equal(ur_st_read_i64(st, 1, integer, &err), UR_BAD_FILE);
    assert_string_equal(
        err.text,
        "m: tensor \"b\" has dtype BF16, expected I64, I32, I16, I8, U32, U16, U8 or BOOL");
    assert_int_equal(ur_st_read_u64(st, 0, counter, &err), UR_BAD_FILE);
    ur_st_close(st);
}

static void every_integer_type(void **state)
{
    (void)state;
    static const struct {
        const char *dtype;
        size_t size;
        int64_t expected; /* of bytes FE FF FF ... */
    } cases[] = {{"I64", 8, -2},         {"I32", 4, -2},    {"I16", 2, -2}, {"I8", 1, -2},
                 {"U32", 4, 4294967294}, {"U16", 2, 65534}, {"U8", 1, 254}, {"BOOL", 1, 254}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char header[200];
        snprintf(header, sizeof header,
                 "{\"x\":{\"dtype\":\"%s\",\"shape\":[1,1],\"data_offsets\":[0,%zu]}}",
                 cases[i].dtype, cases[i].size);
        made m = make(header, cases[i].size);
        memset(m.bytes + m.size - cases[i].size, 0xFF, cases[i].size);
        m.bytes[m.size - cases[i].size] = 0xFE;
        ur_st *st = NULL;
        int64_t out = 0;
        float unused;
        assert_int_equal(ur_st_open_bytes(NULL, "m", m.bytes, m.size, &st, NULL), UR_OK);
        assert_int_equal(ur_st_read_i64(st, 0, &out, NULL), UR_OK);
        assert_true(out == cases[i].expected);
        assert_int_equal(ur_st_read_floats(st, 0, &unused, NULL), UR_BAD_FILE);
        ur_st_close(st);
    }
}

/* Tensors may lie in another order than the header's; empty ones lie anywhere. */
static void data_in_any_order(void **state)
{
    (void)state;
    made m = make("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[3,5]},"
                  "\"n\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[3,3]},"
                  "\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]}}",
                  5);
    m.bytes[m.size - 2] = 7;
    ur_st *st = NULL;
    int64_t out[2];
    assert_int_equal(ur_st_open_bytes(NULL, "m", m.bytes, m.size, &st, NULL), UR_OK);
    assert_string_equal(ur_st_at(st, 0)->name, "a");
    assert_int_equal(ur_st_read_i64(st, 0, out, NULL), UR_OK);
    assert_int_equal(out[0], 7);
    ur_st_close(st);
}

/* ---- files that fail ---------------------------------------------------------------------- */

static void files_that_cannot_be_opened(void **state)
{
    (void)state;
    ur_st *st = NULL;
    ur_err err = {0};
    assert_int_equal(ur_st_open(NULL, "no/such/file", &st, &err), UR_BAD_FILE);
    assert_string_equal(err.text, "cannot open no/such/file: No such file or directory");
    assert_int_equal(ur_st_open(NULL, ".", &st, &err), UR_BAD_FILE);
    assert_null(st);
    unlink("fifo");
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_int_equal(ur_st_open(NULL, "fifo", &st, &err), UR_BAD_FILE); /* at once */
    unlink("fifo");
}

/* Cut by someone else after it was opened: an error, not what happens to lie in memory. */
static void file_that_shrinks(void **state)
{
    (void)state;
    enum { N = 100000 };
    const size_t dims[1] = {N};
    float *values = calloc(N, sizeof *values);
    const ur_st_tensor tensor = {"x", UR_ST_F32, 1, dims, values};
    ur_st *st = NULL;
    ur_err err = {0};
    assert_non_null(values);
    assert_int_equal(ur_st_write(NULL, FILE_NAME, &tensor, 1, NULL, 0, NULL), UR_OK);
    assert_int_equal(ur_st_open(NULL, FILE_NAME, &st, &err), UR_OK);
    assert_int_equal(truncate(FILE_NAME, 2 * N), 0);
    assert_int_equal(ur_st_read_floats(st, 0, values, &err), UR_IO);
    assert_memory_equal(err.text, FILE_NAME " ended after ", strlen(FILE_NAME) + 13);
    ur_st_close(st);
    free(values);
}

/* ---- tensors that cannot be written -------------------------------------------------------- */

static void writing_is_checked(void **state)
{
    (void)state;
    const size_t one[1] = {1}, huge[3] = {SIZE_MAX / 2, 3, 0};
    const ur_st_tensor cases[][2] = {
        {{"x", UR_ST_F64, 1, one, weights}, {"y", UR_ST_F32, 1, one, weights}},
        {{"x", UR_ST_F32, 9, one, weights}, {"y", UR_ST_F32, 1, one, weights}},
        {{"x", UR_ST_F32, 1, one, weights}, {"x", UR_ST_F32, 1, one, weights}},
        {{"x", UR_ST_F32, 3, huge, weights}, {"y", UR_ST_F32, 1, one, weights}},
        {{"__metadata__", UR_ST_F32, 1, one, weights}, {"y", UR_ST_F32, 1, one, weights}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ur_err err = {0};
        assert_int_equal(ur_st_write(NULL, "never.safetensors", cases[i], 2, NULL, 0, &err),
                         UR_INVALID);
        assert_memory_equal(err.text, "never.safetensors: tensor ", 26);
    }
    const ur_st_pair twice[] = {{"k", "1"}, {"k", "2"}};
    assert_int_equal(ur_st_write(NULL, "never.safetensors", NULL, 0, twice, 2, NULL), UR_INVALID);
    ur_st *st = NULL;
    assert_int_equal(ur_st_open(NULL, "never.safetensors", &st, NULL), UR_BAD_FILE);
}

/* ---- memory ------------------------------------------------------------------------------- */

static ur_status write_and_read(const ur_allocator *a, ur_err *err, void *arg)
{
    (void)arg;
    ur_st *st = NULL;
    ur_status status = write_example(a, FILE_NAME, err);
    if (status == UR_OK)
        status = ur_st_open(a, FILE_NAME, &st, err);
    if (status == UR_OK)
        check_example(st);
    ur_st_close(st);
    return status;
}

static void failing_allocations(void **state)
{
    (void)state;
    assert_true(failing_alloc_sweep(write_and_read, NULL) > 8);
}

/* ---- files others wrote ------------------------------------------------------------------- */

static void golden_file(void **state)
{
    (void)state;
    const char *root = getenv("UNROLL_SOURCE_DIR");
    char path[4096];
    ur_st *st = NULL;
    ur_err err = {0};
    if (root == NULL)
        skip();
    snprintf(path, sizeof path, "%s/tests/golden/lstm_ragged.safetensors", root);
    if (ur_st_open(NULL, path, &st, &err) != UR_OK)
        fail_msg("%s", err.text);
    assert_true(ur_st_count(st) > 0);
    assert_non_null(ur_st_metadata(st, "torch"));
    ur_st_close(st);
}

/* A dtype that is not read here is listed, and refused where its tensor is asked for. */
static void other_dtypes(void **state)
{
    (void)state;
    made m = make("{\"__metadata__\":null,\"q\":{\"dtype\":\"F8_E4M3\",\"shape\":[4],\"data_"
                  "offsets\":[16,20]},"
                  "\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                  "\"c\":{\"dtype\":\"C64\",\"shape\":[1],\"data_offsets\":[8,16]}}",
                  20);
    ur_st *st;
    ur_err err;
    float x[2] = {1, 1};
    int64_t i64[4];
    assert_int_equal(ur_st_open_bytes(NULL, "m", m.bytes, m.size, &st, &err), UR_OK);
    assert_int_equal(ur_st_count(st), 3);
    assert_int_equal(ur_st_metadata_count(st), 0);
    const ur_st_info *q = ur_st_find(st, "q");
    assert_true(q->dtype == UR_ST_OTHER && q->count == 4 && q->bytes == 4 && q->dims[0] == 4);
    assert_string_equal(q->dtype_name, "F8_E4M3");
    assert_int_equal(ur_st_find(st, "c")->bytes, 8);
    assert_int_equal(ur_st_load_floats(st, "w", 1, (size_t[]){2}, x, &err), UR_OK);
    assert_true(x[0] == 0.0f && x[1] == 0.0f);
    assert_int_equal(ur_st_read_floats(st, ur_st_index(st, "q"), x, &err), UR_BAD_FILE);
    assert_string_equal(err.text,
                        "m: tensor \"q\" has dtype F8_E4M3, expected F32, F16, BF16 or F64");
    assert_int_equal(ur_st_read_i64(st, ur_st_index(st, "q"), i64, &err), UR_BAD_FILE);
    assert_int_equal(ur_st_index(st, "p"), 3);
    assert_int_equal(ur_st_index(st, "z"), 3);
    ur_st_close(st);
}

/* What is written can be read: a header of as many bytes as a reader takes, and none of more. */
static void the_longest_header(void **state)
{
    (void)state;
    enum { LONGEST = 100000000, AROUND = 48 }; /* around a value there are fewer bytes */
    const ur_st_pair small = {"k", "12"};
    ur_st *st;
    ur_err err;
    assert_int_equal(
        ur_st_write_sparing(NULL, "never.safetensors", NULL, 0, &small, 1, LONGEST - 8, &err),
        UR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "never.safetensors: names and metadata"));
    assert_int_equal(ur_st_open(NULL, "never.safetensors", &st, NULL), UR_BAD_FILE);
    assert_int_equal(
        ur_st_write_sparing(NULL, FILE_NAME, NULL, 0, &small, 1, LONGEST - AROUND, &err), UR_OK);
    if (!slow_tests())
        return;
    char *value = malloc(LONGEST + 1);
    assert_non_null(value);
    memset(value, 'x', LONGEST);
    value[LONGEST - AROUND] = 0;
    const ur_st_pair pair = {"k", value};
    assert_int_equal(ur_st_write(NULL, FILE_NAME, NULL, 0, &pair, 1, &err), UR_OK);
    assert_int_equal(ur_st_open(NULL, FILE_NAME, &st, &err), UR_OK);
    assert_int_equal(strlen(ur_st_metadata(st, "k")), LONGEST - AROUND);
    ur_st_close(st);
    value[LONGEST - AROUND] = 'x';
    assert_int_equal(ur_st_write(NULL, "never.safetensors", NULL, 0, &pair, 1, &err),
                     UR_UNSUPPORTED);
    free(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_dtypes),        cmocka_unit_test(round_trip),
        cmocka_unit_test(large_tensor),        cmocka_unit_test(nothing_at_all),
        cmocka_unit_test(every_float_type),    cmocka_unit_test(every_integer_type),
        cmocka_unit_test(data_in_any_order),   cmocka_unit_test(files_that_cannot_be_opened),
        cmocka_unit_test(file_that_shrinks),   cmocka_unit_test(writing_is_checked),
        cmocka_unit_test(failing_allocations), cmocka_unit_test(golden_file),
        cmocka_unit_test(the_longest_header)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
