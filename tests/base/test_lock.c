/* Tests of a file that one process at a time holds: also against forked children, alive and orphaned. */
#include "base/lock.h"
#include "support/faulty_syscalls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void refused(const char *path, long owner)
{
    ur_lock lock;
    ur_err err;
    char part[64];
    assert_int_equal(ur_lock_take(path, &lock, &err), UR_INVALID);
    assert_int_equal(lock.fd, -1);
    snprintf(part, sizeof part, "%s is held by process %ld on ", path, owner);
    if (strncmp(err.text, part, strlen(part)) != 0)
        fail_msg("%s", err.text);
}

static ur_lock taken(const char *path)
{
    ur_lock lock;
    ur_err err;
    if (ur_lock_take(path, &lock, &err) != UR_OK)
        fail_msg("%s", err.text);
    return lock;
}

static void held_once(void **state)
{
    (void)state;
    ur_lock lock = taken("lock");
    refused("lock", (long)getpid());
    ur_lock_release(&lock);
    ur_lock_release(&lock); /* nothing more */
    lock = taken("lock");
    ur_lock_release(&lock);
}

/* What an earlier owner left, or anything else: that nobody holds it is what counts. */
static void old_files(void **state)
{
    (void)state;
    FILE *file = fopen("lock", "w");
    assert_true(fputs("1 elsewhere\nand more than a line, much longer than what is written", file) >
                0);
    assert_int_equal(fclose(file), 0);
    ur_lock lock = taken("lock");
    char text[256] = "";
    file = fopen("lock", "r");
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    assert_int_equal(strtol(text, NULL, 10), (long)getpid());
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    ur_lock_release(&lock);
    ur_err err;
    assert_int_equal(ur_lock_take("no/such/lock", &lock, &err), UR_IO);
    assert_int_equal(ur_lock_take(".", &lock, &err), UR_IO);
}

/* A child that ends as soon as this process closes the pipe, after `work`. */
static pid_t child(int ends[2], int (*work)(const char *path))
{
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    const pid_t process = fork();
    if (process == 0) {
        char byte;
        const int code = work ? work("lock") : 0;
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) == 0 ? code : 99);
    }
    assert_true(process > 0);
    close(ends[0]);
    return process;
}

static int ended(pid_t process, int end)
{
    int status;
    close(end);
    assert_int_equal(waitpid(process, &status, 0), process);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int try_it(const char *path)
{
    ur_lock lock;
    ur_err err;
    const ur_status status = ur_lock_take(path, &lock, &err);
    return status == UR_OK ? 0 : status == UR_INVALID ? 1 : 2;
}

/* A child neither holds the lock, nor may release or take it. */
static void forked(void **state)
{
    (void)state;
    int ends[2];
    ur_lock lock = taken("lock");
    pid_t process = child(ends, try_it);
    assert_int_equal(ended(process, ends[1]), 1);
    process = fork();
    if (process == 0) {
        ur_lock_release(&lock);
        _exit(0);
    }
    assert_true(process > 0);
    assert_int_equal(waitpid(process, NULL, 0), process);
    refused("lock", (long)getpid());
    process = child(ends, NULL);
    ur_lock_release(&lock);
    lock = taken("lock"); /* while the child has the file open */
    ur_lock_release(&lock);
    assert_int_equal(ended(process, ends[1]), 0);
}

/* The owner is gone without a release, a child of it still has the file open. */
static void orphaned(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    const pid_t owner = fork();
    if (owner == 0) {
        const int code = try_it("lock");
        if (code == 0 && fork() == 0) {
            char byte;
            close(ends[1]);
            _exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
        }
        _exit(code);
    }
    assert_true(owner > 0);
    int status;
    assert_int_equal(waitpid(owner, &status, 0), owner);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ur_lock lock = taken("lock");
    refused("lock", (long)getpid());
    ur_lock_release(&lock);
    close(ends[0]);
    close(ends[1]);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, test_folder_enter, test_folder_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {IN_FOLDER(held_once), IN_FOLDER(old_files),
                                       IN_FOLDER(forked), IN_FOLDER(orphaned)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
