/* test_safetensors_malformed.c - every malformed file is refused with a sentence that says what is
 * wrong with it; none is half read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/made_file.h"
#include "unroll/io.h"

/* ---- files that are refused --------------------------------------------------------------- */

#define T(dtype, shape, offsets)                                                                   \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define GOOD "{\"x\":" T("F32", "[2]", "[0,8]") "}"

static const struct {
    const char *header;
    size_t data;
    const char *says; /* part of the sentence */
} malformed[] = {
    {"", 0, "one JSON object"},
    {"{", 0, "one JSON object"},
    {" " GOOD, 8, "one JSON object"},
    {GOOD "\n", 8, "one JSON object"},
    {GOOD "x", 8, "one JSON object"},
    {GOOD "{}", 8, "not valid JSON"},
    {"[]", 0, "one JSON object"},
    {"{\"x\":1,}", 0, "not valid JSON"},
    {"{\"\xFF\":1}", 0, "not valid JSON"},
    {"{\"x\":" T("F32", "[2]", "[0,8]") ",\"x\":" T("F32", "[2]", "[8,16]") "}", 16, "duplicate"},
    {"{\"x\":{\"dtype\":\"F32\",\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8,
     "duplicate"},
    {"{\"x\":3}", 0, "dtype, shape and data_offsets"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[2]}}", 0, "dtype, shape and data_offsets"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"more\":1}}", 8,
     "dtype, shape and data_offsets"},
    {"{\"x\":" T("F 3", "[2]", "[0,8]") "}", 8, "dtype must be a name such as F32"},
    {"{\"x\":" T("", "[2]", "[0,8]") "}", 8, "dtype must be a name such as F32"},
    {"{\"x\":{\"dtype\":7,\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "dtype must be a name"},
    {"{\"x\":" T("F8_E4M3", "[2]", "[0,9]") "}", 8, "ends at byte 9 of the data"},
    {"{\"x\":" T("C64", "[2]", "[0,4]") ",\"y\":" T("F32", "[1]", "[2,6]") "}", 6, "overlaps"},
    {"{\"x\":" T("F32", "2", "[0,8]") "}", 8, "list of whole numbers"},
    {"{\"x\":" T("F32", "[2.0]", "[0,8]") "}", 8, "whole number, not negative"},
    {"{\"x\":" T("F32", "[-2]", "[0,8]") "}", 8, "whole number, not negative"},
    {"{\"x\":" T("F32", "[\"2\"]", "[0,8]") "}", 8, "whole number, not negative"},
    {"{\"x\":" T("F32", "[NaN]", "[0,8]") "}", 8, "not valid JSON"},
    {"{\"x\":" T("F32", "[1e999]", "[0,8]") "}", 8, "not valid JSON"},
    {"{\"x\":" T("F32", "[99999999999999999999]", "[0,8]") "}", 8, "whole number, not negative"},
    {"{\"x\":" T("F32", "[1,1,1,1,1,1,1,1,2]", "[0,8]") "}", 8, "more than 8"},
    {"{\"x\":" T("F32", "[4611686018427387904]", "[0,8]") "}", 8, "overflows"},
    {"{\"x\":" T("F32", "[4611686018427387906]", "[0,8]") "}", 8, "overflows"},
    {"{\"x\":" T("F32", "[4294967296,4294967296,1]", "[0,0]") "}", 0, "overflows"},
    {"{\"x\":" T("F32", "[0,4294967296,4294967296]", "[0,0]") "}", 0, "overflows"},
    {"{\"x\":" T("F32", "[3]", "[0,8]") "}", 8, "dtype and shape want 12"},
    {"{\"x\":" T("F32", "[]", "[0,8]") "}", 8, "dtype and shape want 4"},
    {"{\"x\":" T("F32", "[2]", "[0]") "}", 8, "two whole numbers"},
    {"{\"x\":" T("F32", "[2]", "[0,8,8]") "}", 8, "two whole numbers"},
    {"{\"x\":" T("F32", "[2]", "{}") "}", 8, "two whole numbers"},
    {"{\"x\":" T("F32", "[2]", "[8,0]") "}", 8, "two whole numbers"},
    {"{\"x\":" T("F32", "[2]", "[-8,0]") "}", 8, "two whole numbers"},
    {"{\"x\":" T("F32", "[2]", "[0,8.0]") "}", 8, "two whole numbers"},
    {GOOD, 7, "ends at byte 8 of the data, the file has 7"},
    {GOOD, 9, "1 bytes after the last tensor"},
    {"{}", 4, "4 bytes after the last tensor"},
    {"{\"x\":" T("F32", "[1]", "[4,8]") "}", 8, "belong to no tensor"},
    {"{\"x\":" T("F32", "[1]", "[0,4]") ",\"y\":" T("F32", "[1]", "[8,12]") "}", 12,
     "\"y\": bytes"},
    {"{\"x\":" T("F32", "[2]", "[0,8]") ",\"y\":" T("F32", "[1]", "[4,8]") "}", 8, "overlaps"},
    {"{\"x\":" T("F32", "[2]", "[0,8]") ",\"y\":" T("F32", "[2]", "[0,8]") "}", 8, "overlaps"},
    {"{\"__metadata__\":[]}", 0, "__metadata__ must be an object"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "\"a\" must be a string"},
    {"{\"a\\u001b[31m\":1}", 0, "\"a\xEF\xBF\xBD[31m\""},
};

/* Refused with one sentence that names the file. */
static void assert_refused(const void *bytes, size_t size, const char *says)
{
    ur_st *st = NULL;
    ur_err err = {0};
    ur_status status = ur_st_open_bytes(NULL, "bad.safetensors", bytes, size, &st, &err);
    if (status != UR_BAD_FILE || strstr(err.text, says) == NULL)
        fail_msg("expected a refusal with \"%s\", got %s: %s", says, ur_status_name(status),
                 err.text);
    assert_int_equal(err.status, UR_BAD_FILE);
    assert_memory_equal(err.text, "bad.safetensors: ", 17);
    assert_null(strchr(err.text, '\n'));
    assert_null(st);
}

static void malformed_headers(void **state)
{
    (void)state;
    made good = make(GOOD, 8);
    ur_st *st = NULL;
    assert_int_equal(ur_st_open_bytes(NULL, "g", good.bytes, good.size, &st, NULL), UR_OK);
    ur_st_close(st);
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        made m = make(malformed[i].header, malformed[i].data);
        assert_refused(m.bytes, m.size, malformed[i].says);
    }
}

/* What else a file is. */
static void foreign_files(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *says;
    } files[] = {
        {"", 0, "is empty"},
        {"PK\3\4\0\0\0\0\0\0\0\0", 12, "no safetensors file, but a zip archive, as PyTorch's .pt"},
        {"\x80\2\x8a\nl\xfc\x9c", 7,
         "a pickle, as PyTorch's older .pt files are: unroll-import-pt"},
        {"\x80\4\x95\0\0\0\0\0\0\0\0", 11, "a pickle, of which only PyTorch's can be imported"},
        {"version https://git-lfs.github.com/spec/v1\noid", 46, "git lfs pull fetches that"},
        {"<!DOCTYPE html>\n<html>", 22, "an HTML page"},
        {"\n <html><body>", 14, "an HTML page"},
        {"GGUF\3\0\0\0\0\0\0\0", 12, "a GGUF file"},
        {"\x93NUMPY\1\0v\0{'descr'", 18, "an array of NumPy's"},
        {"\x89HDF\r\n\x1a\n\0\0", 10, "an HDF5 file"},
        {"\x1f\x8b\x08\0\0\0\0\0\0", 9, "compressed by gzip"},
        {"whatever else it is", 19, "the header's length is given as"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        assert_refused(files[i].bytes, files[i].size, files[i].says);
}

static void malformed_lengths(void **state)
{
    (void)state;
    made m = make(GOOD, 8);
    assert_refused("", 0, "too few");
    for (size_t size = 0; size < m.size; size++) /* cut anywhere */
        assert_refused(m.bytes, size, "");
    for (int byte = 0; byte < 8; byte++) { /* a header longer than the file */
        made longer = m;
        longer.bytes[byte] = 0xFF;
        assert_refused(longer.bytes, longer.size, "expected at most");
    }
    made shorter = m;
    shorter.bytes[0]--;
    assert_refused(shorter.bytes, shorter.size, "");
}

/* No byte of a header can change without the file being refused or still being consistent. */
static void altered_bytes(void **state)
{
    (void)state;
    made m = make(GOOD, 8);
    for (size_t at = 0; at < m.size; at++) {
        for (int bit = 0; bit < 8; bit++) {
            ur_st *st = NULL;
            float out[64];
            m.bytes[at] ^= (unsigned char)(1 << bit);
            if (ur_st_open_bytes(NULL, "m", m.bytes, m.size, &st, NULL) == UR_OK) {
                assert_true(ur_st_at(st, 0)->bytes == 8);
                ur_st_read_floats(st, 0, out, NULL);
            } else {
                assert_null(st);
            }
            ur_st_close(st);
            m.bytes[at] ^= (unsigned char)(1 << bit);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_headers), cmocka_unit_test(foreign_files),
        cmocka_unit_test(malformed_lengths), cmocka_unit_test(altered_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
