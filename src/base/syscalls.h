/* syscalls.h - the system calls that file.c makes, as a table, so that a test can make each of them
 * fail; and helpers around them. */
#ifndef UR_BASE_SYSCALLS_H
#define UR_BASE_SYSCALLS_H

#include "base/file.h"
#include "base/tiny.h"

#include <sys/stat.h>
#include <sys/types.h>

typedef struct ur_syscalls {
    int (*open)(const char *path, int flags, mode_t mode);
    int (*fstat)(int fd, struct stat *about);
    int (*stat)(const char *path, struct stat *about);
    ssize_t (*read)(int fd, void *bytes, size_t size);
    ssize_t (*write)(int fd, const void *bytes, size_t size);
    int (*fchmod)(int fd, mode_t mode);
    int (*fsync)(int fd);
    int (*close)(int fd);
    int (*rename)(const char *from, const char *to);
    int (*unlink)(const char *path);
    int (*mkdir)(const char *path, mode_t mode);
} ur_syscalls;

/* The real ones. */
extern const ur_syscalls ur_system;

#define UR_MOST_AT_ONCE                                                                            \
    ((size_t)UR_SIZE(1 << 30, 11)) /* some systems refuse to move 2 GiB in one call */

/* open and fsync, again after EINTR; open with O_CLOEXEC. */
int ur_sys_open(const ur_syscalls *sys, const char *path, int flags, mode_t mode);
int ur_sys_fsync(const ur_syscalls *sys, int fd);

/* close, once: after EINTR the descriptor is closed on the systems we know, and trying again might
 * close another. */
int ur_sys_close(const ur_syscalls *sys, int fd);

/* Room for the longest name that ur_sys_open_temporary makes in a folder. */
#define UR_TEMPORARY_NAME_SIZE 48

/* Makes a new file in `folder` (which ends in / or is empty) and writes its path into `path`.
 * Returns its descriptor, or -1 and errno. */
int ur_sys_open_temporary(const ur_syscalls *sys, const char *folder, mode_t mode, char *path,
                          size_t path_size);

/* UR_IO, e.g. "cannot open data/x.txt: No such file or directory". */
ur_status ur_sys_failed(const char *what, const char *path, int code, ur_err *err);

/* The functions of file.h through a table of the caller's. */
ur_status ur_read_file_through(const ur_syscalls *sys, const ur_allocator *a, const char *path,
                               size_t limit, char **bytes, size_t *size, ur_err *err);
ur_status ur_replace_begin_through(const ur_syscalls *sys, const ur_allocator *a, const char *path,
                                   ur_replace **out, ur_err *err);
ur_status ur_make_folder_through(const ur_syscalls *sys, const ur_allocator *a, const char *path,
                                 ur_err *err);

#endif
