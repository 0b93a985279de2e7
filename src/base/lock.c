/* lock.c - a file that one process at a time holds, by flock.
 *
 * A lock of flock belongs to the open file, which a forked child shares: releasing it releases it for both,
 * but when its owner dies without releasing it the child still keeps it. So a lock whose owner, of this
 * host, is no longer there is taken over by writing the new owner into the file. */
#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/status.h"

enum { HOST = 128, LINE = HOST + 32 };

static void this_host(char host[HOST])
{
    if (gethostname(host, HOST) != 0)
        host[0] = '\0';
    host[HOST - 1] = '\0';
    for (char *c = host; *c; c++) /* it goes into messages */
        if (*c <= ' ' || *c > '~')
            *c = '?';
    if (!host[0])
        memcpy(host, "?", 2);
}

/* "PROCESS HOST"; 0: the file says nothing of the kind. */
static long owner_of(int fd, char host[HOST])
{
    char text[LINE + 1];
    ssize_t size;
    char *end;
    do
        size = pread(fd, text, LINE, 0);
    while (size < 0 && errno == EINTR);
    host[0] = '\0';
    if (size <= 0)
        return 0;
    text[size] = '\0';
    const long process = strtol(text, &end, 10);
    if (process <= 0 || *end != ' ')
        return 0;
    const size_t length = strcspn(end + 1, "\n");
    if (length >= HOST)
        return 0;
    memcpy(host, end + 1, length);
    host[length] = '\0';
    return process;
}

static bool write_owner(int fd, long process, const char *host)
{
    char text[LINE];
    const int size = snprintf(text, sizeof text, "%ld %s\n", process, host);
    int cut;
    ssize_t written;
    do
        cut = ftruncate(fd, 0);
    while (cut < 0 && errno == EINTR);
    if (cut < 0)
        return false;
    do
        written = pwrite(fd, text, (size_t)size, 0);
    while (written < 0 && errno == EINTR);
    return written == size;
}

bool ur_process_is_alive(long process)
{
    return kill((pid_t)process, 0) == 0 || errno != ESRCH;
}

static int try_flock(int fd)
{
    int result;
    do
        result = flock(fd, LOCK_EX | LOCK_NB);
    while (result < 0 && errno == EINTR);
    return result;
}

/* The reason why the open file cannot be locked, UR_OK where its owner has died. */
static ur_status held(int fd, const char *path, const char *host, ur_err *err)
{
    char where[HOST];
    const long owner = owner_of(fd, where);
    if (owner && strcmp(where, host) == 0 && owner != (long)getpid() && !ur_process_is_alive(owner))
        return UR_OK;
    if (!owner)
        return ur_fail(err, UR_INVALID, "%s is held by another process", path);
    return ur_fail(err, UR_INVALID, "%s is held by process %ld on %s", path, owner, where);
}

static ur_status cannot_write(const char *path, ur_err *err)
{
    return ur_fail(err, errno == ENOMEM ? UR_NO_MEMORY : UR_IO, "cannot write %s: %s", path,
                   strerror(errno));
}

ur_status ur_lock_take(const char *path, ur_lock *lock, ur_err *err)
{
    char host[HOST];
    int fd;
    *lock = UR_NO_LOCK;
    this_host(host);
    do
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return cannot_write(path, err);
    ur_status status = UR_OK;
    if (try_flock(fd) < 0)
        status = errno == EWOULDBLOCK ? held(fd, path, host, err)
                                      : ur_fail(err, UR_UNSUPPORTED, "%s cannot be locked: %s",
                                                path, strerror(errno));
    if (status == UR_OK && !write_owner(fd, (long)getpid(), host))
        status = cannot_write(path, err);
    if (status != UR_OK) {
        close(fd);
        return status;
    }
    *lock = (ur_lock){fd, (long)getpid()};
    return UR_OK;
}

void ur_lock_release(ur_lock *lock)
{
    if (lock->fd < 0)
        return;
    if (lock->owner == (long)getpid())
        flock(lock->fd, LOCK_UN); /* also of children that still have the file open */
    close(lock->fd);
    *lock = UR_NO_LOCK;
}
