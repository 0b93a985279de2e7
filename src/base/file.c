/* file.c - whole files read with a limit, and folders. */
#include "base/file.h"

#include "base/alloc.h"
#include "base/status.h"
#include "base/syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static ur_status read_all(const ur_syscalls *sys, int fd, const char *path, char *bytes,
                          size_t size, ur_err *err)
{
    for (size_t done = 0; done < size;) {
        size_t left = size - done;
        ssize_t n = sys->read(fd, bytes + done, left < UR_MOST_AT_ONCE ? left : UR_MOST_AT_ONCE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ur_sys_failed("read", path, errno, err);
        if (n == 0)
            return ur_fail(err, UR_IO, "%s ended after %zu bytes where it had %zu when opened",
                           path, done, size);
        done += (size_t)n;
    }
    return UR_OK;
}

static ur_status read_open_file(const ur_syscalls *sys, const ur_allocator *a, int fd,
                                const char *path, size_t limit, char **bytes, size_t *size,
                                ur_err *err)
{
    struct stat about;
    if (sys->fstat(fd, &about) < 0)
        return ur_sys_failed("examine", path, errno, err);
    if (!S_ISREG(about.st_mode))
        return ur_fail(err, UR_BAD_FILE, "%s is not a regular file", path);
    if (about.st_size < 0 || (uintmax_t)about.st_size > limit ||
        (uintmax_t)about.st_size >= SIZE_MAX)
        return ur_fail(err, UR_BAD_FILE, "%s has %jd bytes, %zu are allowed", path,
                       (intmax_t)about.st_size, limit);
    size_t length = (size_t)about.st_size;
    char *content = ur_alloc(a, length + 1, 1);
    if (!content)
        return ur_no_memory(err, length + 1);
    ur_status status = read_all(sys, fd, path, content, length, err);
    if (status != UR_OK) {
        ur_free(a, content);
        return status;
    }
    content[length] = 0;
    *bytes = content;
    *size = length;
    return UR_OK;
}

ur_status ur_read_file_through(const ur_syscalls *sys, const ur_allocator *a, const char *path,
                               size_t limit, char **bytes, size_t *size, ur_err *err)
{
    *bytes = NULL;
    *size = 0;
    int fd = ur_sys_open(sys, path, O_RDONLY | O_NONBLOCK, 0); /* a pipe shall not make us wait */
    if (fd < 0) {
        int code = errno;
        bool not_there = code == ENOENT || code == ENOTDIR || code == ENAMETOOLONG ||
                         code == ELOOP || code == EISDIR;
        ur_status status = ur_sys_failed("open", path, code, err);
        if (not_there && err)
            err->status = UR_BAD_FILE;
        return not_there ? UR_BAD_FILE : status;
    }
    ur_status status = read_open_file(sys, a, fd, path, limit, bytes, size, err);
    sys->close(fd); /* nothing was written that could be lost */
    return status;
}

ur_status ur_read_file(const ur_allocator *a, const char *path, size_t limit, char **bytes,
                       size_t *size, ur_err *err)
{
    return ur_read_file_through(&ur_system, a, path, limit, bytes, size, err);
}

static ur_status make_one_folder(const ur_syscalls *sys, const char *path, ur_err *err)
{
    struct stat about;
    for (int tries = 0; tries < 2; tries++) {
        if (sys->stat(path, &about) == 0) {
            if (S_ISDIR(about.st_mode))
                return UR_OK;
            return ur_fail(err, UR_IO, "cannot make folder %s: a file has that name", path);
        }
        if (sys->mkdir(path, 0777) == 0)
            return UR_OK;
        if (errno != EEXIST) /* else somebody made it since we looked */
            break;
    }
    return ur_sys_failed("make folder", path, errno, err);
}

static ur_status find_out_if_writable(const ur_syscalls *sys, const ur_allocator *a,
                                      const char *path, ur_err *err)
{
    size_t length = strlen(path), size = length + 2 + UR_TEMPORARY_NAME_SIZE;
    char *memory = ur_alloc_zero(a, length + 2 + size, 1);
    if (!memory)
        return ur_no_memory(err, length + 2 + size);
    char *folder = memory, *probe = memory + length + 2;
    memcpy(folder, path, length);
    folder[length] = '/';
    ur_status status = UR_OK;
    int fd = ur_sys_open_temporary(sys, folder, 0666, probe, size);
    if (fd < 0) {
        status = ur_sys_failed("make files in folder", path, errno, err);
    } else {
        sys->close(fd);
        if (sys->unlink(probe) < 0)
            status = ur_sys_failed("remove", probe, errno, err);
    }
    ur_free(a, memory);
    return status;
}

ur_status ur_make_folder_through(const ur_syscalls *sys, const ur_allocator *a, const char *path,
                                 ur_err *err)
{
    if (!path[0])
        return ur_fail(err, UR_INVALID, "the name of a folder to make is empty");
    char *above = ur_strdup(a, path);
    if (!above)
        return ur_no_memory(err, strlen(path) + 1);
    ur_status status = UR_OK;
    for (char *slash = strchr(above + 1, '/'); slash && status == UR_OK;
         slash = strchr(slash + 1, '/')) {
        *slash = 0;
        status = make_one_folder(sys, above, err);
        *slash = '/';
    }
    ur_free(a, above);
    if (status == UR_OK)
        status = make_one_folder(sys, path, err);
    if (status == UR_OK)
        status = find_out_if_writable(sys, a, path, err);
    return status;
}

ur_status ur_make_folder(const ur_allocator *a, const char *path, ur_err *err)
{
    return ur_make_folder_through(&ur_system, a, path, err);
}
