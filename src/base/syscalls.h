/* syscalls.h - the system calls that file.c makes, as a table, so that a test can make each of them
 * fail. */
#ifndef UR_BASE_SYSCALLS_H
#define UR_BASE_SYSCALLS_H

#include "base/file.h"

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

/* The functions of file.h through a table of the caller's. */
ur_status ur_read_file_through(const ur_syscalls *sys, const ur_allocator *a, const char *path,
                               size_t limit, char **bytes, size_t *size, ur_err *err);
ur_status ur_replace_begin_through(const ur_syscalls *sys, const ur_allocator *a, const char *path,
                                   ur_replace **out, ur_err *err);
ur_status ur_make_folder_through(const ur_syscalls *sys, const ur_allocator *a, const char *path,
                                 ur_err *err);

#endif
