/* faulty_syscalls.c - system calls that fail on request, and files for tests. */
#include "support/faulty_syscalls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

faulty_state faulty_plan = {.call = FAULTY_NONE};

static bool fails(int call)
{
    if (call != faulty_plan.call || ++faulty_plan.made != faulty_plan.at)
        return false;
    errno = faulty_plan.code;
    return true;
}

static size_t at_most(size_t size)
{
    return faulty_plan.piece && size > faulty_plan.piece ? faulty_plan.piece : size;
}

static int faulty_open(const char *path, int flags, mode_t mode)
{
    return fails(FAULTY_OPEN) ? -1 : open(path, flags, mode);
}

static int faulty_fstat(int fd, struct stat *about)
{
    return fails(FAULTY_FSTAT) ? -1 : fstat(fd, about);
}

static int faulty_stat(const char *path, struct stat *about)
{
    return fails(FAULTY_STAT) ? -1 : stat(path, about);
}

static ssize_t faulty_read(int fd, void *bytes, size_t size)
{
    return fails(FAULTY_READ) ? -1 : read(fd, bytes, at_most(size));
}

static ssize_t faulty_write(int fd, const void *bytes, size_t size)
{
    return fails(FAULTY_WRITE) ? -1 : write(fd, bytes, at_most(size));
}

static int faulty_fchmod(int fd, mode_t mode)
{
    return fails(FAULTY_FCHMOD) ? -1 : fchmod(fd, mode);
}

static int faulty_fsync(int fd)
{
    return fails(FAULTY_FSYNC) ? -1 : fsync(fd);
}

static int faulty_close(int fd)
{
    bool failing = fails(FAULTY_CLOSE); /* the descriptor is gone all the same */
    close(fd);
    if (failing)
        errno = faulty_plan.code;
    return failing ? -1 : 0;
}

static int faulty_rename(const char *from, const char *to)
{
    return fails(FAULTY_RENAME) ? -1 : rename(from, to);
}

static int faulty_unlink(const char *path)
{
    return fails(FAULTY_UNLINK) ? -1 : unlink(path);
}

static int faulty_mkdir(const char *path, mode_t mode)
{
    return fails(FAULTY_MKDIR) ? -1 : mkdir(path, mode);
}

const ur_syscalls faulty_system = {
    .open = faulty_open,
    .fstat = faulty_fstat,
    .stat = faulty_stat,
    .read = faulty_read,
    .write = faulty_write,
    .fchmod = faulty_fchmod,
    .fsync = faulty_fsync,
    .close = faulty_close,
    .rename = faulty_rename,
    .unlink = faulty_unlink,
    .mkdir = faulty_mkdir,
};

void faulty_set(int call, int at, int code)
{
    memset(&faulty_plan, 0, sizeof faulty_plan);
    faulty_plan.call = call;
    faulty_plan.at = at;
    faulty_plan.code = code;
}

static char folder[] = "test_XXXXXX";

int test_folder_enter(void **state)
{
    (void)state;
    strcpy(folder, "test_XXXXXX");
    faulty_set(FAULTY_NONE, 0, 0);
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

int test_folder_leave(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return chdir("..") == 0 && system(command) == 0 ? 0 : -1;
}

void put_file(const char *path, const char *content)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(content, 1, strlen(content), f), strlen(content));
    assert_int_equal(fclose(f), 0);
}

void check_file(const char *path, const char *expected)
{
    char content[100] = {0};
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(content, 1, sizeof content - 1, f);
    fclose(f);
    assert_int_equal(n, strlen(expected));
    assert_string_equal(content, expected);
}

int folder_entries(const char *path)
{
    DIR *d = opendir(path);
    assert_non_null(d);
    int n = 0;
    for (struct dirent *e; (e = readdir(d));)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

int open_descriptors(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}
