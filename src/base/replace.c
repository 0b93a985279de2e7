/* replace.c - files replaced atomically.
 *
 * In this order: temporary file in the same folder, write, fsync, close, rename, fsync of the
 * folder. A crash at any moment leaves the old file or the new one, whole. */
#include "base/file.h"

#include "base/alloc.h"
#include "base/status.h"
#include "base/syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

struct ur_replace {
    const ur_allocator *allocator;
    const ur_syscalls *sys;
    int fd;          /* of the temporary file; -1 once it is closed */
    bool exists;     /* the temporary file does */
    char *path;      /* what is replaced */
    char *folder;    /* where it is: ends in /, or is empty */
    char *temporary; /* path */
};

static void close_and_remove(ur_replace *r)
{
    if (r->fd >= 0)
        r->sys->close(r->fd);
    r->fd = -1;
    if (r->exists)
        r->sys->unlink(r->temporary);
    r->exists = false;
}

static void release(ur_replace *r)
{
    ur_free(r->allocator, r->path);
    ur_free(r->allocator, r->folder);
    ur_free(r->allocator, r->temporary);
    ur_free(r->allocator, r);
}

static ur_status new_replace(const ur_syscalls *sys, const ur_allocator *a, const char *path,
                             ur_replace **out, ur_err *err)
{
    const char *slash = strrchr(path, '/');
    size_t folder_length = slash ? (size_t)(slash - path) + 1 : 0;
    size_t temporary_size = folder_length + UR_TEMPORARY_NAME_SIZE;
    ur_replace *r = ur_alloc_zero(a, 1, sizeof *r);
    if (!r)
        return ur_no_memory(err, sizeof *r);
    r->allocator = a;
    r->sys = sys;
    r->fd = -1;
    r->path = ur_strdup(a, path);
    r->folder = ur_alloc_zero(a, folder_length + 1, 1);
    r->temporary = ur_alloc_zero(a, temporary_size, 1);
    if (!r->path || !r->folder || !r->temporary) {
        release(r);
        return ur_no_memory(err, strlen(path) + 1 + temporary_size + folder_length + 1);
    }
    memcpy(r->folder, path, folder_length);
    *out = r;
    return UR_OK;
}

/* Opens the temporary file, which gets the permissions of the one to replace. */
static ur_status open_replacement(ur_replace *r, ur_err *err)
{
    struct stat old;
    bool there = r->sys->stat(r->path, &old) == 0;
    if (!there && errno != ENOENT)
        return ur_sys_failed("examine", r->path, errno, err);
    if (there && !S_ISREG(old.st_mode))
        return ur_fail(err, UR_IO, "cannot replace %s: it is not a regular file", r->path);
    r->fd = ur_sys_open_temporary(r->sys, r->folder, there ? S_IRUSR | S_IWUSR : 0666, r->temporary,
                                  strlen(r->folder) + UR_TEMPORARY_NAME_SIZE);
    if (r->fd < 0)
        return ur_sys_failed("write", r->path, errno, err);
    r->exists = true;
    if (there && r->sys->fchmod(r->fd, old.st_mode & 07777) < 0)
        return ur_sys_failed("give its permissions to the new", r->path, errno, err);
    return UR_OK;
}

ur_status ur_replace_begin_through(const ur_syscalls *sys, const ur_allocator *a, const char *path,
                                   ur_replace **out, ur_err *err)
{
    *out = NULL;
    ur_replace *r = NULL;
    ur_status status = new_replace(sys, a, path, &r, err);
    if (status != UR_OK)
        return status;
    status = open_replacement(r, err);
    if (status != UR_OK) {
        ur_replace_abort(r);
        return status;
    }
    *out = r;
    return UR_OK;
}

ur_status ur_replace_begin(const ur_allocator *a, const char *path, ur_replace **out, ur_err *err)
{
    return ur_replace_begin_through(&ur_system, a, path, out, err);
}

ur_status ur_replace_write(ur_replace *r, const void *bytes, size_t size, ur_err *err)
{
    if (r->fd < 0)
        return ur_fail(err, UR_IO, "cannot write %s: writing it has already failed", r->path);
    for (size_t done = 0; done < size;) {
        size_t left = size - done;
        ssize_t n = r->sys->write(r->fd, (const char *)bytes + done,
                                  left < UR_MOST_AT_ONCE ? left : UR_MOST_AT_ONCE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            int code = n < 0 ? errno : ENOSPC;
            close_and_remove(r);
            return ur_sys_failed("write", r->path, code, err);
        }
        done += (size_t)n;
    }
    return UR_OK;
}

/* Everything up to the rename; afterwards the temporary file is closed. */
static ur_status finish_writing(ur_replace *r, ur_err *err)
{
    if (r->fd < 0)
        return ur_fail(err, UR_IO, "%s was not replaced: writing it has failed", r->path);
    if (ur_sys_fsync(r->sys, r->fd) < 0)
        return ur_sys_failed("write", r->path, errno, err);
    int fd = r->fd;
    r->fd = -1;
    if (ur_sys_close(r->sys, fd) < 0)
        return ur_sys_failed("write", r->path, errno, err);
    return UR_OK;
}

/* The folder is opened before the rename: until then, a failure leaves the old file. A folder that
 * may be written but not read (EACCES), and a file system that does not sync folders (EINVAL), can
 * do no better than the rename. */
static ur_status rename_and_sync(ur_replace *r, ur_err *err)
{
    int folder = ur_sys_open(r->sys, r->folder[0] ? r->folder : ".", O_RDONLY | O_DIRECTORY, 0);
    if (folder < 0 && errno != EACCES)
        return ur_sys_failed("open the folder of", r->path, errno, err);
    ur_status status = UR_OK;
    if (r->sys->rename(r->temporary, r->path) < 0) {
        status = ur_sys_failed("replace", r->path, errno, err);
    } else {
        r->exists = false;
        if (folder >= 0 && ur_sys_fsync(r->sys, folder) < 0 && errno != EINVAL)
            status = ur_fail(err, UR_IO, "%s was replaced, but may not survive a crash: %s",
                             r->path, strerror(errno));
    }
    if (folder >= 0)
        r->sys->close(folder);
    return status;
}

ur_status ur_replace_commit(ur_replace *r, ur_err *err)
{
    ur_status status = finish_writing(r, err);
    if (status == UR_OK)
        status = rename_and_sync(r, err);
    ur_replace_abort(r); /* removes the temporary file if it still exists */
    return status;
}

void ur_replace_abort(ur_replace *r)
{
    if (!r)
        return;
    close_and_remove(r);
    release(r);
}

ur_status ur_replace_file(const ur_allocator *a, const char *path, const void *bytes, size_t size,
                          ur_err *err)
{
    ur_replace *r;
    ur_status status = ur_replace_begin(a, path, &r, err);
    if (status != UR_OK)
        return status;
    status = ur_replace_write(r, bytes, size, err);
    if (status != UR_OK) {
        ur_replace_abort(r);
        return status;
    }
    return ur_replace_commit(r, err);
}
