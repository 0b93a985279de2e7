/* file.c - whole files: read with a limit, replaced atomically; and folders.
 *
 * A file is replaced in this order: temporary file in the same folder, write, fsync, close, rename,
 * fsync of the folder. A crash at any moment leaves the old file or the new one, whole. */
#include "base/file.h"

#include "base/alloc.h"
#include "base/lock.h"
#include "base/status.h"
#include "base/syscalls.h"
#include "base/tiny.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- system calls --------------------------------------------------------------------------- */

static int open_with_mode(const char *path, int flags, mode_t mode)
{
    return open(path, flags, mode);
}

#define MOST_AT_ONCE                                                                               \
    ((size_t)UR_SIZE(1 << 30, 11)) /* some systems refuse to move 2 GiB in one call */

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

/* UR_IO, e.g. "cannot open data/x.txt: No such file or directory". */
static ur_status sys_failed(const char *what, const char *path, int code, ur_err *err)
{
    return ur_fail(err, code == ENOMEM ? UR_NO_MEMORY : UR_IO, "cannot %s %s: %s", what, path,
                   strerror(code));
}

/* The same of what could not be opened to be read: UR_BAD_FILE where there is no such file. */
static ur_status open_failed(const char *path, int code, ur_err *err)
{
    const bool not_there = code == ENOENT || code == ENOTDIR || code == ENAMETOOLONG ||
                           code == ELOOP || code == EISDIR;
    if (!not_there)
        return sys_failed("open", path, code, err);
    return ur_fail(err, UR_BAD_FILE, "cannot open %s: %s", path, strerror(code));
}

/* open and fsync, again after EINTR; open with O_CLOEXEC. */
static int sys_open(const ur_syscalls *sys, const char *path, int flags, mode_t mode)
{
    int fd;
    do
        fd = sys->open(path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/* close, once: after EINTR the descriptor is closed on the systems we know, and trying again might
 * close another. */
static int sys_close(const ur_syscalls *sys, int fd)
{
    return sys->close(fd) < 0 && errno != EINTR ? -1 : 0;
}

static int sys_fsync(const ur_syscalls *sys, int fd)
{
    int result;
    do
        result = sys->fsync(fd);
    while (result < 0 && errno == EINTR);
    return result;
}

#define MOST_TEMPORARY_NAMES 1000
#define TEMPORARY_NAME_SIZE 48 /* of the longest, in its folder */

/* Makes a new file in `folder` (which ends in / or is empty) and writes its path into `path`, whose
 * size has room for the folder and TEMPORARY_NAME_SIZE. Returns its descriptor, or -1 and errno. */
static int sys_open_temporary(const ur_syscalls *sys, const char *folder, mode_t mode, char *path,
                              size_t path_size)
{
    for (int n = 0; n < MOST_TEMPORARY_NAMES; n++) {
        snprintf(path, path_size, "%s.unroll-%ld-%d.tmp", folder, (long)getpid(), n);
        int fd = sys_open(sys, path, O_WRONLY | O_CREAT | O_EXCL, mode);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

/* The process in the name of a temporary file; 0: it is none. */
static long process_of(const char *name)
{
    static const char begin[] = ".unroll-";
    char *end;
    if (strncmp(name, begin, sizeof begin - 1) != 0)
        return 0;
    const long process = strtol(name + sizeof begin - 1, &end, 10);
    if (process <= 0 || *end != '-' || strtol(end + 1, &end, 10) < 0)
        return 0;
    return strcmp(end, ".tmp") == 0 ? process : 0;
}

typedef struct cleaning {
    const ur_allocator *allocator;
    const char *folder;
} cleaning;

static bool remove_if_left(void *user, const char *name)
{
    const cleaning *c = user;
    const long process = process_of(name);
    const bool ended = process > 0 && (process == (long)getpid() || !ur_process_is_alive(process));
    const size_t size = strlen(c->folder) + strlen(name) + 2;
    char *path = ended ? ur_alloc(c->allocator, size, 1) : NULL;
    if (path) {
        snprintf(path, size, "%s/%s", c->folder, name);
        unlink(path);
    }
    ur_free(c->allocator, path);
    return true;
}

void ur_remove_temporaries(const ur_allocator *a, const char *folder)
{
    cleaning c = {a, folder};
    ur_list_folder(folder, remove_if_left, &c, NULL);
}

/* ---- reading -------------------------------------------------------------------------------- */

static ur_status read_all(const ur_syscalls *sys, int fd, const char *path, char *bytes,
                          size_t size, ur_err *err)
{
    for (size_t done = 0; done < size;) {
        size_t left = size - done;
        ssize_t n = sys->read(fd, bytes + done, left < MOST_AT_ONCE ? left : MOST_AT_ONCE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return sys_failed("read", path, errno, err);
        if (n == 0)
            return ur_fail(err, UR_IO, "%s ended after %zu bytes where it had %zu when opened",
                           path, done, size);
        done += (size_t)n;
    }
    return UR_OK;
}

static ur_status check_regular(const ur_syscalls *sys, int fd, const char *path, struct stat *about,
                               ur_err *err)
{
    if (sys->fstat(fd, about) < 0)
        return sys_failed("examine", path, errno, err);
    return S_ISREG(about->st_mode) ? UR_OK
                                   : ur_fail(err, UR_BAD_FILE, "%s is not a regular file", path);
}

static ur_status read_open_file(const ur_syscalls *sys, const ur_allocator *a, int fd,
                                const char *path, size_t limit, char **bytes, size_t *size,
                                ur_err *err)
{
    struct stat about;
    ur_status status = check_regular(sys, fd, path, &about, err);
    if (status != UR_OK)
        return status;
    if (about.st_size < 0 || (uintmax_t)about.st_size > limit ||
        (uintmax_t)about.st_size >= SIZE_MAX)
        return ur_fail(err, UR_BAD_FILE, "%s has %jd bytes, %zu are allowed", path,
                       (intmax_t)about.st_size, limit);
    size_t length = (size_t)about.st_size;
    char *content = ur_alloc(a, length + 1, 1);
    if (!content)
        return ur_no_memory(err, length + 1);
    status = read_all(sys, fd, path, content, length, err);
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
    int fd = sys_open(sys, path, O_RDONLY | O_NONBLOCK, 0); /* a pipe shall not make us wait */
    if (fd < 0)
        return open_failed(path, errno, err);
    ur_status status = read_open_file(sys, a, fd, path, limit, bytes, size, err);
    sys->close(fd); /* nothing was written that could be lost */
    return status;
}

ur_status ur_read_file(const ur_allocator *a, const char *path, size_t limit, char **bytes,
                       size_t *size, ur_err *err)
{
    return ur_read_file_through(&ur_system, a, path, limit, bytes, size, err);
}

ur_status ur_file_open(const char *path, int *fd, uint64_t *size, ur_err *err)
{
    struct stat about;
    *fd = sys_open(&ur_system, path, O_RDONLY | O_NONBLOCK, 0);
    if (*fd < 0)
        return open_failed(path, errno, err);
    const ur_status status = check_regular(&ur_system, *fd, path, &about, err);
    if (status != UR_OK) {
        ur_file_close(*fd);
        *fd = -1;
        return status;
    }
    *size = (uint64_t)about.st_size;
    return UR_OK;
}

ur_status ur_file_read(int fd, const char *path, uint64_t offset, void *bytes, size_t size,
                       ur_err *err)
{
    for (size_t done = 0; done < size;) {
        const size_t left = size - done;
        const ssize_t n = pread(fd, (char *)bytes + done, left < MOST_AT_ONCE ? left : MOST_AT_ONCE,
                                (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return sys_failed("read", path, errno, err);
        if (n == 0)
            return ur_fail(err, UR_IO, "%s ended after %llu bytes, before those that are read",
                           path, (unsigned long long)(offset + done));
        done += (size_t)n;
    }
    return UR_OK;
}

void ur_file_close(int fd)
{
    if (fd >= 0)
        close(fd); /* nothing was written that could be lost */
}

/* 0, or why not. */
static int write_all(const ur_syscalls *sys, int fd, const void *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        const size_t left = size - done;
        const ssize_t n =
            sys->write(fd, (const char *)bytes + done, left < MOST_AT_ONCE ? left : MOST_AT_ONCE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : ENOSPC;
        done += (size_t)n;
    }
    return 0;
}

/* ---- adding --------------------------------------------------------------------------------- */

ur_status ur_append_file(const char *path, const void *bytes, size_t size, ur_err *err)
{
    const int fd = sys_open(&ur_system, path, O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (fd < 0)
        return sys_failed("write", path, errno, err);
    const int code = write_all(&ur_system, fd, bytes, size);
    ur_status status = code ? sys_failed("write", path, code, err) : UR_OK;
    if (sys_close(&ur_system, fd) < 0 && status == UR_OK)
        status = sys_failed("write", path, errno, err);
    return status;
}

/* ---- looking -------------------------------------------------------------------------------- */

ur_status ur_look(const char *path, ur_there *out, ur_err *err)
{
    struct stat about;
    *out = UR_NOTHING_THERE;
    if (stat(path, &about) == 0)
        *out = S_ISDIR(about.st_mode) ? UR_FOLDER_THERE : UR_FILE_THERE;
    else if (errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG && errno != ELOOP)
        return sys_failed("examine", path, errno, err);
    return UR_OK;
}

ur_status ur_list_folder(const char *folder, bool (*each)(void *user, const char *name), void *user,
                         ur_err *err)
{
    DIR *list = opendir(folder);
    if (!list)
        return errno == ENOENT || errno == ENOTDIR ? UR_OK
                                                   : sys_failed("read folder", folder, errno, err);
    ur_status status = UR_OK;
    for (bool more = true; more;) {
        errno = 0; /* readdir tells its end and its failure apart by it alone */
        const struct dirent *entry = readdir(list);
        if (!entry && errno)
            status = sys_failed("read folder", folder, errno, err);
        more = entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
                         each(user, entry->d_name));
    }
    closedir(list);
    return status;
}

/* ---- replacing ------------------------------------------------------------------------------ */

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
    size_t temporary_size = folder_length + TEMPORARY_NAME_SIZE;
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
        return sys_failed("examine", r->path, errno, err);
    if (there && !S_ISREG(old.st_mode))
        return ur_fail(err, UR_IO, "cannot replace %s: it is not a regular file", r->path);
    r->fd = sys_open_temporary(r->sys, r->folder, there ? S_IRUSR | S_IWUSR : 0666, r->temporary,
                               strlen(r->folder) + TEMPORARY_NAME_SIZE);
    if (r->fd < 0)
        return sys_failed("write", r->path, errno, err);
    r->exists = true;
    if (there && r->sys->fchmod(r->fd, old.st_mode & 07777) < 0)
        return sys_failed("give its permissions to the new", r->path, errno, err);
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
    const int code = write_all(r->sys, r->fd, bytes, size);
    if (!code)
        return UR_OK;
    close_and_remove(r);
    return sys_failed("write", r->path, code, err);
}

/* Everything up to the rename; afterwards the temporary file is closed. */
static ur_status finish_writing(ur_replace *r, ur_err *err)
{
    if (r->fd < 0)
        return ur_fail(err, UR_IO, "%s was not replaced: writing it has failed", r->path);
    if (sys_fsync(r->sys, r->fd) < 0)
        return sys_failed("write", r->path, errno, err);
    int fd = r->fd;
    r->fd = -1;
    if (sys_close(r->sys, fd) < 0)
        return sys_failed("write", r->path, errno, err);
    return UR_OK;
}

/* The folder is opened before the rename: until then, a failure leaves the old file. A folder that
 * may be written but not read (EACCES), and a file system that does not sync folders (EINVAL), can
 * do no better than the rename. */
static ur_status rename_and_sync(ur_replace *r, ur_err *err)
{
    int folder = sys_open(r->sys, r->folder[0] ? r->folder : ".", O_RDONLY | O_DIRECTORY, 0);
    if (folder < 0 && errno != EACCES)
        return sys_failed("open the folder of", r->path, errno, err);
    ur_status status = UR_OK;
    if (r->sys->rename(r->temporary, r->path) < 0) {
        status = sys_failed("replace", r->path, errno, err);
    } else {
        r->exists = false;
        if (folder >= 0 && sys_fsync(r->sys, folder) < 0 && errno != EINVAL)
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

/* ---- folders -------------------------------------------------------------------------------- */

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
        if (errno != EEXIST) /* else it was made since we looked */
            break;
    }
    return sys_failed("make folder", path, errno, err);
}

static ur_status find_out_if_writable(const ur_syscalls *sys, const ur_allocator *a,
                                      const char *path, ur_err *err)
{
    size_t length = strlen(path), size = length + 2 + TEMPORARY_NAME_SIZE;
    char *memory = ur_alloc_zero(a, length + 2 + size, 1);
    if (!memory)
        return ur_no_memory(err, length + 2 + size);
    char *folder = memory, *probe = memory + length + 2;
    memcpy(folder, path, length);
    folder[length] = '/';
    ur_status status = UR_OK;
    int fd = sys_open_temporary(sys, folder, 0666, probe, size);
    if (fd < 0) {
        status = sys_failed("make files in folder", path, errno, err);
    } else {
        sys->close(fd);
        if (sys->unlink(probe) < 0)
            status = sys_failed("remove", probe, errno, err);
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
