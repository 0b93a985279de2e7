/* frame.c - see frame.h. */
#define _XOPEN_SOURCE 700 /* nftw */
#include "frame.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sanitizer/allocator_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__asan_default_options(void);

/* What no machine has is refused by malloc, as malloc does without a sanitizer. */
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1:max_allocation_size_mb=1024:intercept_strstr=0";
}

static int messages = STDERR_FILENO; /* standard error, whatever a target makes of it */

void fuzz_fault(const char *file, int line, const char *what)
{
    dprintf(messages, "%s:%d: not so: %s\n", file, line, what);
    abort();
}

/* ---- memory -------------------------------------------------------------------------------------- */

static struct {
    size_t most, held, calls, fail_at;
    bool starved;
} memory;

static void *allocate(void *user, size_t bytes)
{
    (void)user;
    FUZZ_CHECK(bytes > 0);
    const bool much = bytes > memory.most || memory.held > memory.most - bytes;
    if (++memory.calls == memory.fail_at || (much && fuzz_frame.refuse)) {
        memory.starved = true;
        return NULL;
    }
    if (much) {
        dprintf(messages, "%zu bytes are asked for, %zu are held, %zu at most\n", bytes,
                memory.held, memory.most);
        abort();
    }
    void *block = malloc(bytes);
    FUZZ_CHECK(block != NULL);
    memory.held += bytes;
    return block;
}

static void release(void *user, void *block)
{
    (void)user;
    if (block)
        memory.held -= __sanitizer_get_allocated_size(block);
    free(block);
}

static const ur_allocator hooks = {allocate, release, NULL};

bool fuzz_starved(void)
{
    return memory.starved;
}

/* ---- codes and sentences ---------------------------------------------------------------------- */

bool fuzz_printable(const char *text)
{
    const size_t size = strlen(text);
    char *shown = malloc(4 * size + 8);
    FUZZ_CHECK(shown != NULL);
    const size_t bytes = ur_printable(text, size, shown, 4 * size + 8);
    const bool same = bytes == size && memcmp(shown, text, size) == 0;
    free(shown);
    return same;
}

void fuzz_refused(ur_status status, const ur_err *err, unsigned may)
{
    if (memory.starved)
        may |= FUZZ_MAY(UR_NO_MEMORY);
    if (!(may & FUZZ_MAY(status)) || err->status != status) {
        dprintf(messages, "%s (%s): %s\n", ur_status_name(status), ur_status_name(err->status),
                err->text);
        abort();
    }
    FUZZ_CHECK(status != UR_OK && err->text[0] != '\0');
    FUZZ_CHECK(fuzz_printable(err->text));
}

bool fuzz_well(ur_status status, const ur_err *err)
{
    if (status == UR_OK)
        return true;
    fuzz_refused(status, err, 0);
    return false;
}

/* ---- files ---------------------------------------------------------------------------------------- */

static char folder[64];
static int work = -1,
           home =
               -1; /* descriptors of the folder, and of the one that the program was started in */

static int remove_one(const char *path, const struct stat *about, int type, struct FTW *where)
{
    (void)about, (void)type, (void)where;
    return remove(path);
}

void fuzz_remove(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void fuzz_put(const char *path, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0 && errno == ENOENT) {
        char *parent = strdup(path);
        for (char *slash = strchr(parent + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
            *slash = '\0';
            mkdir(parent, 0777);
            *slash = '/';
        }
        free(parent);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    }
    FUZZ_CHECK(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
    close(fd);
}

uint8_t *fuzz_get(const char *path, size_t *size)
{
    struct stat about;
    const int fd = open(path, O_RDONLY);
    FUZZ_CHECK(fd >= 0 && fstat(fd, &about) == 0);
    *size = (size_t)about.st_size;
    uint8_t *bytes = malloc(*size + 1);
    FUZZ_CHECK(bytes != NULL && read(fd, bytes, *size) == (ssize_t)*size);
    close(fd);
    return bytes;
}

static void remove_folder(void)
{
    fuzz_remove(folder);
}

/* A folder in memory, named by the process; those of processes that are dead are removed. */
static void make_folder(void)
{
    static const char in[] = "/dev/shm", begin[] = "unroll-fuzz-";
    DIR *list = opendir(in);
    FUZZ_CHECK(list != NULL);
    for (struct dirent *e; (e = readdir(list));) {
        char path[sizeof in + 1 + sizeof e->d_name];
        const long id = strncmp(e->d_name, begin, strlen(begin)) == 0
                            ? strtol(e->d_name + strlen(begin), NULL, 10)
                            : 0;
        snprintf(path, sizeof path, "%s/%s", in, e->d_name);
        if (id > 0 && kill((pid_t)id, 0) != 0 && errno == ESRCH)
            fuzz_remove(path);
    }
    closedir(list);
    snprintf(folder, sizeof folder, "%s/%s%ld", in, begin, (long)getpid());
    FUZZ_CHECK(mkdir(folder, 0777) == 0 || errno == EEXIST);
    work = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    FUZZ_CHECK(work >= 0 && home >= 0);
    atexit(remove_folder);
}

/* ---- inputs in parts --------------------------------------------------------------------------- */

uint8_t fuzz_byte(fuzz_bytes *from)
{
    if (!from->left)
        return 0;
    from->left--;
    return *from->at++;
}

fuzz_bytes fuzz_part(fuzz_bytes *from)
{
    const uint8_t *end = from->left ? memchr(from->at, 0xff, from->left) : NULL;
    const fuzz_bytes part = {from->at, end ? (size_t)(end - from->at) : from->left};
    const size_t taken = part.left + (end != NULL);
    from->at += taken;
    from->left -= taken;
    return part;
}

char *fuzz_text(fuzz_bytes part)
{
    char *text = malloc(part.left + 1);
    FUZZ_CHECK(text != NULL);
    if (part.left)
        memcpy(text, part.at, part.left);
    text[part.left] = '\0';
    return text;
}

/* ---- the frame ----------------------------------------------------------------------------------- */

/* The lowest descriptor that is free. */
static int next_descriptor(void)
{
    const int fd = fcntl(messages, F_DUPFD_CLOEXEC, 0);
    close(fd);
    return fd;
}

static void once(const uint8_t *data, size_t size, size_t fail_at)
{
    const size_t before = memory.held;
    const int descriptor = fuzz_frame.folder ? next_descriptor() : 0;
    memory.calls = 0;
    memory.fail_at = fail_at;
    memory.starved = false;
    memory.most = before + fuzz_frame.memory + size * fuzz_frame.per_byte;
    fuzz_one(&hooks, data, size);
    memory.fail_at = 0;
    if (memory.held != before && !fuzz_frame.keeps) {
        dprintf(messages, "%zu bytes were not released\n", memory.held - before);
        abort();
    }
    FUZZ_CHECK(!fuzz_frame.folder || next_descriptor() == descriptor);
}

static void enter(int where)
{
    FUZZ_CHECK(!fuzz_frame.folder || fchdir(where) == 0);
}

/* FNV-1a. */
static uint64_t hash(const uint8_t *data, size_t size)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++)
        h = (h ^ data[i]) * UINT64_C(0x100000001b3);
    return h;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    const int copy = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (copy >= 0)
        messages = copy;
    __sanitizer_set_report_fd((void *)(intptr_t)messages);
    if (fuzz_frame.folder)
        make_folder();
    enter(work);
    memory.most = SIZE_MAX;
    if (fuzz_frame.start)
        fuzz_frame.start(&hooks);
    enter(home);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint64_t h = hash(data, size);
    enter(work);
    once(data, size, 0);
    if (fuzz_frame.failing && h % 8 == 0 && memory.calls)
        once(data, size, 1 + (size_t)(h / 8 % memory.calls));
    enter(home);
    return 0;
}
