/* lock.h - a file that one process at a time holds. */
#ifndef UR_BASE_LOCK_H
#define UR_BASE_LOCK_H

#include "unroll/core.h"

/* Held until ur_lock_release or the end of the process. The file stays; that nobody holds it is what
 * counts. Programs that this one starts do not inherit it, and a forked child neither holds it nor
 * releases it. */
typedef struct ur_lock {
    int fd;     /* -1: not held */
    long owner; /* the process that locked */
} ur_lock;

#define UR_NO_LOCK ((ur_lock){-1, 0})

/* Takes the lock of the file at `path`, which is made where it is not there, and writes process number and
 * host into it. UR_INVALID: another holds it; err names process and host. UR_UNSUPPORTED: the file
 * system has no locks, and the reason. UR_IO: the file cannot be written. */
ur_status ur_lock_take(const char *path, ur_lock *lock, ur_err *err);
void ur_lock_release(ur_lock *lock);

/* Whether a process of this machine is there; one of another user is. */
bool ur_process_is_alive(long process);

#endif
