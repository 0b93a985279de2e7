/* Tests of base/file and syscalls: what is read and what is refused, folders that are made. */
#include "base/file.h"
#include "base/alloc.h"
#include "support/failing_alloc.h"
#include "support/faulty_syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, test_folder_enter, test_folder_leave)

static void test_read(void **state)
{
    (void)state;
    failing_alloc f;
    failing_alloc_init(&f, 0, false);
    char *bytes;
    size_t size;
    put_file("a", "twelve bytes");
    assert_int_equal(ur_read_file(&f.hooks, "a", 12, &bytes, &size, NULL), UR_OK);
    assert_int_equal(size, 12);
    assert_string_equal(bytes, "twelve bytes"); /* a zero follows */
    ur_free(&f.hooks, bytes);
    put_file("empty", "");
    assert_int_equal(ur_read_file(&f.hooks, "empty", 0, &bytes, &size, NULL), UR_OK);
    assert_int_equal(size, 0);
    assert_string_equal(bytes, "");
    ur_free(&f.hooks, bytes);
    assert_int_equal(f.outstanding, 0);
}

static void check_not_read(const char *path, size_t limit, ur_status expected, const char *words)
{
    char *bytes = NULL;
    size_t size = 0;
    ur_err err = {UR_OK, ""};
    assert_int_equal(ur_read_file(NULL, path, limit, &bytes, &size, &err), expected);
    assert_int_equal(err.status, expected);
    assert_non_null(strstr(err.text, words));
    assert_non_null(strstr(err.text, path));
    assert_null(bytes);
}

static void test_not_read(void **state)
{
    (void)state;
    put_file("a", "twelve bytes");
    assert_int_equal(mkfifo("pipe", 0600), 0);
    check_not_read("a", 11, UR_BAD_FILE, "12 bytes");
    check_not_read("none", 99, UR_BAD_FILE, "cannot open none: No such file or directory");
    check_not_read("a/b", 99, UR_BAD_FILE, "Not a directory");
    check_not_read(".", 99, UR_BAD_FILE, "not a regular file");
    check_not_read("pipe", 99, UR_BAD_FILE, "not a regular file");
    check_not_read("-", 99, UR_BAD_FILE, "cannot open -");
    check_not_read("", 99, UR_BAD_FILE, "cannot open");
    ur_err err;
    char *bytes;
    size_t size;
    assert_int_equal(ur_read_file(NULL, "none", 9, &bytes, &size, NULL), UR_BAD_FILE);
    faulty_set(FAULTY_OPEN, 1, EACCES);
    assert_int_equal(ur_read_file_through(&faulty_system, NULL, "a", 99, &bytes, &size, &err),
                     UR_IO);
    faulty_set(FAULTY_FSTAT, 1, EIO);
    assert_int_equal(ur_read_file_through(&faulty_system, NULL, "a", 99, &bytes, &size, &err),
                     UR_IO);
    faulty_set(FAULTY_CLOSE, 1, EIO);
    assert_int_equal(ur_read_file_through(&faulty_system, NULL, "a", 99, &bytes, &size, &err),
                     UR_OK);
    ur_free(NULL, bytes);
}

static void test_read_in_pieces(void **state)
{
    (void)state;
    put_file("a", "twelve bytes");
    for (int at = 1; at <= 5; at++) {
        for (int code = 0; code < 2; code++) {
            char *bytes;
            size_t size;
            failing_alloc f;
            failing_alloc_init(&f, 0, false);
            faulty_set(FAULTY_READ, at, code ? EIO : EINTR);
            faulty_plan.piece = 3;
            ur_status status =
                ur_read_file_through(&faulty_system, &f.hooks, "a", 99, &bytes, &size, NULL);
            if (code && at <= 4) {
                assert_int_equal(status, UR_IO);
            } else {
                assert_int_equal(status, UR_OK);
                assert_string_equal(bytes, "twelve bytes");
                ur_free(&f.hooks, bytes);
            }
            assert_int_equal(f.outstanding, 0);
        }
    }
}

static int fstat_of_a_longer_file(int fd, struct stat *about)
{
    int result = fstat(fd, about);
    about->st_size += 5;
    return result;
}

static int fstat_of_a_huge_file(int fd, struct stat *about)
{
    int result = fstat(fd, about);
    about->st_size = INT64_MAX;
    return result;
}

static void test_read_of_a_file_that_changes(void **state)
{
    (void)state;
    put_file("a", "twelve bytes");
    ur_syscalls odd = ur_system;
    char *bytes;
    size_t size;
    odd.fstat = fstat_of_a_longer_file;
    assert_int_equal(ur_read_file_through(&odd, NULL, "a", 99, &bytes, &size, NULL), UR_IO);
    odd.fstat = fstat_of_a_huge_file;
    assert_int_equal(ur_read_file_through(&odd, NULL, "a", 1u << 30, &bytes, &size, NULL),
                     UR_BAD_FILE);
    failing_alloc f;
    failing_alloc_init(&f, 0, false); /* refuses such sizes */
    assert_int_equal(ur_read_file_through(&odd, &f.hooks, "a", SIZE_MAX, &bytes, &size, NULL),
                     UR_NO_MEMORY);
}

static void test_make_folder(void **state)
{
    (void)state;
    char absolute[4096 + 8];
    assert_non_null(getcwd(absolute, 4096));
    strcat(absolute, "/abs/x");
    const char *const paths[] = {"one", "one", "one/two/three", "./s//t/", ".", absolute};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        ur_err err = {UR_OK, ""};
        if (ur_make_folder(NULL, paths[i], &err) != UR_OK)
            fail_msg("%s", err.text);
    }
    assert_int_equal(folder_entries("one/two/three"), 0);
    assert_int_equal(folder_entries("s/t"), 0);
    assert_int_equal(folder_entries("abs/x"), 0);
    assert_int_equal(folder_entries("."), 3);
}

static void test_folder_not_made(void **state)
{
    (void)state;
    ur_err err;
    put_file("a", "a file");
    assert_int_equal(ur_make_folder(NULL, "", &err), UR_INVALID);
    assert_int_equal(ur_make_folder(NULL, "a", &err), UR_IO);
    assert_non_null(strstr(err.text, "folder a"));
    assert_int_equal(ur_make_folder(NULL, "a/b", &err), UR_IO);
    assert_int_equal(ur_make_folder(NULL, "/proc/nowhere/b", &err), UR_IO);
    faulty_set(FAULTY_MKDIR, 2, ENOSPC);
    assert_int_equal(ur_make_folder_through(&faulty_system, NULL, "b/c/d", &err), UR_IO);
    assert_non_null(strstr(err.text, "cannot make folder b/c: No space left"));
    faulty_set(FAULTY_OPEN, 1, EROFS);
    assert_int_equal(ur_make_folder_through(&faulty_system, NULL, "b", &err), UR_IO);
    assert_non_null(strstr(err.text, "folder b: Read-only file system"));
    faulty_set(FAULTY_UNLINK, 1, EIO);
    assert_int_equal(ur_make_folder_through(&faulty_system, NULL, "b", &err), UR_IO);
    faulty_set(FAULTY_STAT, 1, ENOENT); /* it was made after we looked */
    assert_int_equal(ur_make_folder_through(&faulty_system, NULL, "b", &err), UR_OK);
}

static ur_status make_and_read(const ur_allocator *a, ur_err *err, void *arg)
{
    (void)arg;
    char *bytes = NULL;
    size_t size;
    put_file("a", "content");
    ur_status status = ur_make_folder(a, "sub/deeper", err);
    if (status == UR_OK)
        status = ur_read_file(a, "a", 99, &bytes, &size, err);
    ur_free(a, bytes);
    return status;
}

static void test_each_allocation_fails(void **state)
{
    (void)state;
    assert_int_equal(failing_alloc_sweep(make_and_read, NULL), 2 * 3);
    assert_int_equal(folder_entries("."), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_read),
        IN_FOLDER(test_not_read),
        IN_FOLDER(test_read_in_pieces),
        IN_FOLDER(test_read_of_a_file_that_changes),
        IN_FOLDER(test_make_folder),
        IN_FOLDER(test_folder_not_made),
        IN_FOLDER(test_each_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
