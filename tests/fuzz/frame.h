/* frame.h - what all fuzz targets share. A target is one function, fuzz_one, which is called with any bytes and
 * aborts where something is not as it should be. Around it the frame
 *   - hands out memory through hooks, which end the program when more is asked for than the input can be the
 *     reason for (a size in a file that was not checked), and when not all of it comes back;
 *   - calls it a second time for one input in eight, and lets an allocation fail then (fuzz_setup.failing);
 *   - gives it a folder in memory to work in (fuzz_setup.folder);
 *   - checks every sentence that an error comes with. */
#ifndef UR_TESTS_FUZZ_FRAME_H
#define UR_TESTS_FUZZ_FRAME_H

#include "unroll/core.h"

#include <stdlib.h>

/* ---- what a target defines ------------------------------------------------------------------- */

typedef struct fuzz_setup {
    size_t memory,
        per_byte; /* bytes that may be held: so many, and so many for each of the input's */
    bool refuse;  /* what is above that is refused as by a system that has no more */
    bool failing; /* whether allocations may fail: fuzz_one then bears UR_NO_MEMORY everywhere */
    bool folder;  /* whether it works in a folder, the current one while it runs */
    bool keeps;   /* what it holds on to between calls need not come back */
    void (*start)(const ur_allocator *a); /* called before the first input; or NULL */
} fuzz_setup;

extern const fuzz_setup fuzz_frame;

void fuzz_one(const ur_allocator *a, const uint8_t *data, size_t size);

/* ---- what it calls ----------------------------------------------------------------------------- */

#define FUZZ_CHECK(what)                                                                           \
    do {                                                                                           \
        if (!(what))                                                                               \
            fuzz_fault(__FILE__, __LINE__, #what);                                                 \
    } while (0)
_Noreturn void fuzz_fault(const char *file, int line, const char *what);

/* A set of codes for fuzz_refused. */
#define FUZZ_MAY(status) (1u << (status))

/* A call failed: it may, with one of these codes (or for want of memory, where some was refused), and says
 * why in a sentence that can be printed. */
void fuzz_refused(ur_status status, const ur_err *err, unsigned may);
/* Whether a call that must succeed did; false only where memory was refused. */
bool fuzz_well(ur_status status, const ur_err *err);
/* Whether memory was refused since fuzz_one was called. */
bool fuzz_starved(void);
/* Well-formed UTF-8 without anything that controls a terminal. */
bool fuzz_printable(const char *text);

/* Writes a file, whose folder is made if need be. */
void fuzz_put(const char *path, const void *bytes, size_t size);
/* Reads one that is there, as fresh bytes of malloc. */
uint8_t *fuzz_get(const char *path, size_t *size);
/* Removes it, a folder with all that is in it; what is not there is well. */
void fuzz_remove(const char *path);

/* Takes bytes from the front of an input; 0 behind its end. */
typedef struct fuzz_bytes {
    const uint8_t *at;
    size_t left;
} fuzz_bytes;
uint8_t fuzz_byte(fuzz_bytes *from);
/* Up to the next byte 0xff, which is taken too; all where there is none. Not closed by a zero byte. */
fuzz_bytes fuzz_part(fuzz_bytes *from);
/* The same bytes as a text of malloc, up to the first zero byte. */
char *fuzz_text(fuzz_bytes part);

#endif
