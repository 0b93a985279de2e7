/* faulty_syscalls.h - the system calls of base/syscalls.h, each of which can be made to fail; a
 * folder of its own for a test; and short helpers around files. */
#ifndef UR_TESTS_FAULTY_SYSCALLS_H
#define UR_TESTS_FAULTY_SYSCALLS_H

#include "base/syscalls.h"

enum {
    FAULTY_OPEN,
    FAULTY_FSTAT,
    FAULTY_STAT,
    FAULTY_READ,
    FAULTY_WRITE,
    FAULTY_FCHMOD,
    FAULTY_FSYNC,
    FAULTY_CLOSE,
    FAULTY_RENAME,
    FAULTY_UNLINK,
    FAULTY_MKDIR,
    FAULTY_NONE
};

typedef struct faulty_state {
    int call;     /* which one fails, */
    int at;       /* the how-manieth time (from 1), */
    int code;     /* with this errno */
    int made;     /* so often it was called */
    size_t piece; /* read and write move at most so many bytes at once; 0: any number */
} faulty_state;

extern faulty_state faulty_plan;
extern const ur_syscalls faulty_system;

/* Plans one failure, and forgets what was counted. */
void faulty_set(int call, int at, int code);

/* For cmocka_unit_test_setup_teardown: the test runs in a fresh folder, removed afterwards. */
int test_folder_enter(void **state);
int test_folder_leave(void **state);

void put_file(const char *path, const char *content);
void check_file(const char *path, const char *expected);

/* Names in a folder, without . and .. */
int folder_entries(const char *path);

int open_descriptors(void);

#endif
