/* faults.c - a library to be loaded before the others (LD_PRELOAD): makes one allocation, or one call that has
 * to do with files, of the whole process fail, and counts them.
 *
 *     UNROLL_FAULT=memory:17        allocation 17 (malloc, calloc, realloc, aligned_alloc, posix_memalign)
 *     UNROLL_FAULT=memory:17+       and all after it
 *     UNROLL_FAULT=file:17:EIO      call 17 on files
 *     UNROLL_FAULT=file:0:EINTR     every second call that may be interrupted
 *     UNROLL_FAULT=kill:17          the process is killed in place of call 17 on files
 *     UNROLL_FAULT_COUNT=PATH       "MEMORY FILE NAME": how many of each were made, when the process ends, and
 *                                   which call failed ("-": none) */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_long allocations, calls;
static long fail_allocation, fail_call = -1, kill_call = -1;
static bool and_later;
static int code;
static const char *_Atomic failed = "-";

static const struct {
    const char *name;
    int code;
} codes[] = {{"EIO", EIO},       {"EINTR", EINTR},   {"ENOMEM", ENOMEM}, {"ENOSPC", ENOSPC},
             {"EACCES", EACCES}, {"EMFILE", EMFILE}, {"EROFS", EROFS}};

__attribute__((constructor)) static void start(void)
{
    const char *fault = getenv("UNROLL_FAULT");
    char *end;
    if (fault && strncmp(fault, "memory:", 7) == 0) {
        fail_allocation = strtol(fault + 7, &end, 10);
        and_later = *end == '+';
    } else if (fault && strncmp(fault, "kill:", 5) == 0) {
        kill_call = strtol(fault + 5, &end, 10);
    } else if (fault && strncmp(fault, "file:", 5) == 0) {
        fail_call = strtol(fault + 5, &end, 10);
        for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
            if (*end == ':' && strcmp(end + 1, codes[i].name) == 0)
                code = codes[i].code;
    }
}

__attribute__((destructor)) static void finish(void)
{
    const char *path = getenv("UNROLL_FAULT_COUNT");
    char text[128];
    const long memory = allocations, file = calls;
    fail_call = kill_call = -1;
    fail_allocation = 0;
    const int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666) : -1;
    if (fd < 0)
        return;
    const int n = snprintf(text, sizeof text, "%ld %ld %s\n", memory, file, failed);
    (void)!write(fd, text, (size_t)n);
    close(fd);
}

/* ---- memory ----------------------------------------------------------------------------------------- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static bool refused(void)
{
    const long n = atomic_fetch_add(&allocations, 1) + 1;
    if (!fail_allocation || !(n == fail_allocation || (and_later && n > fail_allocation)))
        return false;
    errno = ENOMEM;
    failed = "memory";
    return true;
}

void *malloc(size_t size)
{
    return refused() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return refused() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return refused() ? NULL : __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return refused() ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    *out = refused() ? NULL : __libc_memalign(alignment, size);
    return *out ? 0 : ENOMEM;
}

/* ---- files ------------------------------------------------------------------------------------------ */

/* Whether this call fails. interruptible: it may say EINTR. */
static bool fails(const char *name, bool interruptible)
{
    const long n = atomic_fetch_add(&calls, 1) + 1;
    if (n == kill_call)
        raise(SIGKILL);
    const bool every = fail_call == 0 && code == EINTR && n % 2;
    if (!(every || n == fail_call) || (code == EINTR && !interruptible))
        return false;
    errno = code;
    failed = name;
    return true;
}

#define NEXT(name)                                                                                 \
    static __typeof__(&name) next;                                                                 \
    if (!next)                                                                                     \
    next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static mode_t mode_of(int flags, va_list arguments)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

#define OPEN(name)                                                                                 \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        va_list arguments;                                                                         \
        NEXT(name);                                                                                \
        va_start(arguments, flags);                                                                \
        const mode_t mode = mode_of(flags, arguments);                                             \
        va_end(arguments);                                                                         \
        return fails("open", true) ? -1 : next(path, flags, mode);                                 \
    }

OPEN(open)
OPEN(open64)

#define CALL(type, name, interruptible, parameters, arguments)                                     \
    type name parameters                                                                           \
    {                                                                                              \
        NEXT(name);                                                                                \
        return fails(#name, interruptible) ? (type)-1 : next arguments;                            \
    }

CALL(ssize_t, read, true, (int fd, void *bytes, size_t size), (fd, bytes, size))
CALL(ssize_t, write, true, (int fd, const void *bytes, size_t size), (fd, bytes, size))
CALL(ssize_t, pread, true, (int fd, void *bytes, size_t size, off_t at), (fd, bytes, size, at))
CALL(ssize_t, pread64, true, (int fd, void *bytes, size_t size, off64_t at), (fd, bytes, size, at))
CALL(ssize_t, pwrite, true, (int fd, const void *bytes, size_t size, off_t at),
     (fd, bytes, size, at))
CALL(ssize_t, pwrite64, true, (int fd, const void *bytes, size_t size, off64_t at),
     (fd, bytes, size, at))
CALL(int, fstat, false, (int fd, struct stat *about), (fd, about))
CALL(int, stat, false, (const char *path, struct stat *about), (path, about))
CALL(int, access, false, (const char *path, int how), (path, how))
CALL(int, lstat, false, (const char *path, struct stat *about), (path, about))
CALL(int, fsync, true, (int fd), (fd))
CALL(int, ftruncate, true, (int fd, off_t size), (fd, size))
CALL(int, fchmod, false, (int fd, mode_t mode), (fd, mode))
CALL(int, rename, false, (const char *from, const char *to), (from, to))
CALL(int, unlink, false, (const char *path), (path))
CALL(int, mkdir, false, (const char *path, mode_t mode), (path, mode))
CALL(int, flock, true, (int fd, int how), (fd, how))
CALL(off_t, lseek, false, (int fd, off_t at, int whence), (fd, at, whence))

/* The file is closed all the same. */
int close(int fd)
{
    NEXT(close);
    const int result = next(fd);
    return fails("close", false) ? -1 : result;
}

#define POINTER(type, name, parameters, arguments)                                                 \
    type *name parameters                                                                          \
    {                                                                                              \
        NEXT(name);                                                                                \
        return fails(#name, false) ? NULL : next arguments;                                        \
    }

POINTER(DIR, opendir, (const char *path), (path))
POINTER(struct dirent, readdir, (DIR * list), (list))
POINTER(FILE, fopen, (const char *path, const char *mode), (path, mode))
POINTER(FILE, fdopen, (int fd, const char *mode), (fd, mode))
