/* syscalls.c - the real system calls, and what every caller of them needs: trying again after
 * EINTR, names for temporary files, the sentence about a failure. */
#include "base/syscalls.h"

#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int open_with_mode(const char *path, int flags, mode_t mode)
{
    return open(path, flags, mode);
}

const ur_syscalls ur_system = {
    .open = open_with_mode,
    .fstat = fstat,
    .stat = stat,
    .read = read,
    .write = write,
    .fchmod = fchmod,
    .fsync = fsync,
    .close = close,
    .rename = rename,
    .unlink = unlink,
    .mkdir = mkdir,
};

ur_status ur_sys_failed(const char *what, const char *path, int code, ur_err *err)
{
    return ur_fail(err, UR_IO, "cannot %s %s: %s", what, path, strerror(code));
}

int ur_sys_open(const ur_syscalls *sys, const char *path, int flags, mode_t mode)
{
    int fd;
    do
        fd = sys->open(path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

int ur_sys_close(const ur_syscalls *sys, int fd)
{
    return sys->close(fd) < 0 && errno != EINTR ? -1 : 0;
}

int ur_sys_fsync(const ur_syscalls *sys, int fd)
{
    int result;
    do
        result = sys->fsync(fd);
    while (result < 0 && errno == EINTR);
    return result;
}

#define MOST_TEMPORARY_NAMES 1000

int ur_sys_open_temporary(const ur_syscalls *sys, const char *folder, mode_t mode, char *path,
                          size_t path_size)
{
    for (int n = 0; n < MOST_TEMPORARY_NAMES; n++) {
        snprintf(path, path_size, "%s.unroll-%ld-%d.tmp", folder, (long)getpid(), n);
        int fd = ur_sys_open(sys, path, O_WRONLY | O_CREAT | O_EXCL, mode);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}
