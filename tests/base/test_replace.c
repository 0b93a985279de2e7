/* Tests of base/replace: whichever system call fails, the old file stays as it was and no temporary
 * one is left. */
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

static ur_status replace_through(const ur_syscalls *sys, const ur_allocator *a, const char *path,
                                 const char *content, ur_err *err)
{
    ur_replace *r;
    ur_status status = ur_replace_begin_through(sys, a, path, &r, err);
    if (status != UR_OK)
        return status;
    size_t half = strlen(content) / 2;
    status = ur_replace_write(r, content, half, err);
    if (status == UR_OK)
        status = ur_replace_write(r, content + half, strlen(content) - half, err);
    if (status != UR_OK) {
        ur_replace_abort(r);
        return status;
    }
    return ur_replace_commit(r, err);
}

static void test_replace(void **state)
{
    (void)state;
    ur_err err = {UR_OK, ""};
    assert_int_equal(ur_replace_file(NULL, "a", "first", 5, &err), UR_OK);
    check_file("a", "first");
    assert_int_equal(ur_replace_file(NULL, "./a", "second", 6, &err), UR_OK);
    check_file("a", "second");
    char absolute[4096 + 8];
    assert_non_null(getcwd(absolute, 4096));
    strcat(absolute, "/a");
    assert_int_equal(ur_replace_file(NULL, absolute, "", 0, &err), UR_OK);
    check_file("a", "");
    assert_int_equal(folder_entries("."), 1);
}

static void test_old_file_stays_until_commit(void **state)
{
    (void)state;
    put_file("a", "old");
    ur_replace *r;
    assert_int_equal(ur_replace_begin(NULL, "a", &r, NULL), UR_OK);
    assert_int_equal(ur_replace_write(r, "new", 3, NULL), UR_OK);
    check_file("a", "old");
    assert_int_equal(folder_entries("."), 2);
    ur_replace_abort(r);
    check_file("a", "old");
    assert_int_equal(folder_entries("."), 1);
    ur_replace_abort(NULL);

    /* Two at once, in one process: two temporary names. */
    ur_replace *other;
    assert_int_equal(ur_replace_begin(NULL, "a", &r, NULL), UR_OK);
    assert_int_equal(ur_replace_begin(NULL, "a", &other, NULL), UR_OK);
    assert_int_equal(ur_replace_write(r, "one", 3, NULL), UR_OK);
    assert_int_equal(ur_replace_write(other, "two", 3, NULL), UR_OK);
    assert_int_equal(ur_replace_commit(other, NULL), UR_OK);
    check_file("a", "two");
    assert_int_equal(ur_replace_commit(r, NULL), UR_OK);
    check_file("a", "one");
    assert_int_equal(folder_entries("."), 1);
}

static mode_t mode_of(const char *path)
{
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    return about.st_mode & 07777;
}

static void test_permissions(void **state)
{
    (void)state;
    mode_t before = umask(027);
    assert_int_equal(ur_replace_file(NULL, "new", "x", 1, NULL), UR_OK);
    put_file("old", "x");
    assert_int_equal(chmod("old", 0604), 0);
    assert_int_equal(ur_replace_file(NULL, "old", "y", 1, NULL), UR_OK);
    umask(before);
    assert_int_equal(mode_of("new"), 0640);
    assert_int_equal(mode_of("old"), 0604);
}

static void check_not_replaced(const char *path, const char *words)
{
    ur_err err = {UR_OK, ""};
    assert_int_equal(ur_replace_file(NULL, path, "x", 1, &err), UR_IO);
    assert_int_equal(err.status, UR_IO);
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, words));
}

static void test_not_replaced(void **state)
{
    (void)state;
    assert_int_equal(mkdir("sub", 0777), 0);
    assert_int_equal(mkfifo("pipe", 0600), 0);
    put_file("a", "old");
    check_not_replaced("none/a", "No such file or directory");
    check_not_replaced("a/b", "Not a directory");
    check_not_replaced("sub", "not a regular file");
    check_not_replaced("pipe", "not a regular file");
    check_not_replaced("/dev/null", "not a regular file");
    assert_int_equal(folder_entries("."), 3);
}

/* Lets one system call fail while "a" is replaced; false when it was not made that often. */
static bool replace_with_fault(int call, int at, int code, ur_status expected, const char *content)
{
    failing_alloc f;
    ur_err err = {UR_OK, ""};
    failing_alloc_init(&f, 0, false);
    put_file("a", "old");
    int descriptors = open_descriptors();
    faulty_set(call, at, code);
    ur_status status = replace_through(&faulty_system, &f.hooks, "a", "something new", &err);
    bool happened = faulty_plan.made >= at;
    faulty_set(FAULTY_NONE, 0, 0);
    assert_int_equal(open_descriptors(), descriptors);
    assert_int_equal(f.outstanding, 0);
    assert_int_equal(folder_entries("."), 1);
    if (!happened) {
        assert_int_equal(status, UR_OK);
        return false;
    }
    if (status != expected)
        fail_msg("system call %d failing at %d: %s: %s", call, at, ur_status_name(status),
                 err.text);
    assert_int_equal(err.status, expected);
    if (expected != UR_OK) {
        assert_true(strstr(err.text, " a: ") || strncmp(err.text, "a was", 5) == 0);
        assert_non_null(strstr(err.text, strerror(code)));
    }
    check_file("a", content);
    return true;
}

static void test_each_system_call_fails(void **state)
{
    (void)state;
    const int calls[] = {FAULTY_OPEN, FAULTY_STAT, FAULTY_WRITE, FAULTY_FCHMOD, FAULTY_RENAME};
    const int made[] = {2, 1, 2, 1, 1};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        int at = 1;
        while (replace_with_fault(calls[i], at, i % 2 ? EIO : ENOSPC, UR_IO, "old"))
            at++;
        assert_int_equal(at - 1, made[i]);
    }
    assert_true(replace_with_fault(FAULTY_FSYNC, 1, ENOSPC, UR_IO, "old"));
    assert_true(replace_with_fault(FAULTY_CLOSE, 1, EDQUOT, UR_IO, "old"));

    /* After the rename: the new file is there; what cannot be promised is said. */
    assert_true(replace_with_fault(FAULTY_FSYNC, 2, EIO, UR_IO, "something new"));
    assert_true(replace_with_fault(FAULTY_FSYNC, 2, EINVAL, UR_OK, "something new"));
    assert_true(replace_with_fault(FAULTY_CLOSE, 2, EIO, UR_OK, "something new"));
    assert_false(replace_with_fault(FAULTY_FSYNC, 3, EIO, UR_OK, NULL));
    assert_false(replace_with_fault(FAULTY_CLOSE, 3, EIO, UR_OK, NULL));

    /* A folder that may not be read. */
    assert_true(replace_with_fault(FAULTY_OPEN, 2, EACCES, UR_OK, "something new"));
}

static void test_interrupted_system_calls(void **state)
{
    (void)state;
    const int calls[] = {FAULTY_OPEN, FAULTY_WRITE, FAULTY_FSYNC, FAULTY_CLOSE};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        for (int at = 1; at <= 2; at++)
            assert_true(replace_with_fault(calls[i], at, EINTR, UR_OK, "something new"));
}

static void test_write_in_pieces(void **state)
{
    (void)state;
    faulty_set(FAULTY_WRITE, 3, EINTR);
    faulty_plan.piece = 3;
    assert_int_equal(replace_through(&faulty_system, NULL, "a", "written bit by bit", NULL), UR_OK);
    check_file("a", "written bit by bit");
}

/* A caller that goes on after a failed write is refused, and the file is not replaced. */
static void test_failed_write_is_final(void **state)
{
    (void)state;
    put_file("a", "old");
    ur_replace *r;
    ur_err err;
    faulty_set(FAULTY_WRITE, 1, ENOSPC);
    assert_int_equal(ur_replace_begin_through(&faulty_system, NULL, "a", &r, NULL), UR_OK);
    assert_int_equal(ur_replace_write(r, "new", 3, &err), UR_IO);
    assert_non_null(strstr(err.text, strerror(ENOSPC)));
    assert_int_equal(folder_entries("."), 1);
    assert_int_equal(ur_replace_write(r, "new", 3, &err), UR_IO);
    assert_int_equal(ur_replace_commit(r, &err), UR_IO);
    check_file("a", "old");
}

static void test_full_device(void **state)
{
    (void)state;
    int full = open("/dev/full", O_WRONLY);
    if (full < 0)
        skip();
    int temporary = dup(full); /* the descriptor that the temporary file will get */
    close(temporary);
    ur_replace *r;
    assert_int_equal(ur_replace_begin(NULL, "a", &r, NULL), UR_OK);
    assert_true(dup2(full, temporary) >= 0);
    assert_int_equal(ur_replace_write(r, "new", 3, NULL), UR_IO);
    ur_replace_abort(r);
    close(full);
    assert_int_equal(folder_entries("."), 0);
}

static ur_status replace_once(const ur_allocator *a, ur_err *err, void *arg)
{
    (void)arg;
    put_file("a", "old");
    ur_status status = ur_replace_file(a, "a", "new", 3, err);
    check_file("a", status == UR_OK ? "new" : "old");
    return status;
}

static void test_each_allocation_fails(void **state)
{
    (void)state;
    assert_int_equal(failing_alloc_sweep(replace_once, NULL), 2 * 4);
    assert_int_equal(folder_entries("."), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_replace),
        IN_FOLDER(test_old_file_stays_until_commit),
        IN_FOLDER(test_permissions),
        IN_FOLDER(test_not_replaced),
        IN_FOLDER(test_each_system_call_fails),
        IN_FOLDER(test_interrupted_system_calls),
        IN_FOLDER(test_write_in_pieces),
        IN_FOLDER(test_failed_write_is_final),
        IN_FOLDER(test_full_device),
        IN_FOLDER(test_each_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
