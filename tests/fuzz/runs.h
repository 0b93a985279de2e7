/* runs.h - tiny runs of every kind, trained when a fuzzer starts, and damaged as its input says. */
#ifndef UR_TESTS_FUZZ_RUNS_H
#define UR_TESTS_FUZZ_RUNS_H

#include "frame.h"

#include "unroll/run.h"

/* ---- files that a run or a published model may have --------------------------------------------- */

enum { FUZZ_FILES = 17 };

/* A folder's files; bytes NULL: there is none of that name. */
typedef struct fuzz_image {
    struct {
        uint8_t *bytes;
        size_t size;
    } file[FUZZ_FILES];
} fuzz_image;

/* ---- the runs ------------------------------------------------------------------------------------- */

typedef struct fuzz_run {
    const char *name;      /* of its folder in "base", and of its data in "data" */
    const char *kind;      /* of model */
    const char *data;      /* what it learns */
    const char *text;      /* what it can be asked */
    const char *start;     /* another of these whose weights it starts from; or NULL */
    const char *config[8]; /* "hidden_size=4": the model's settings, ended by NULL */
} fuzz_run;

size_t fuzz_run_count(void);
const fuzz_run *fuzz_run_at(size_t i);
/* Trains all of them (two steps): for fuzz_setup.start. */
void fuzz_make_runs(const ur_allocator *a);
/* Its folder and its data. */
void fuzz_run_folder(const fuzz_run *run, char path[64]);
void fuzz_run_data(const fuzz_run *run, char path[64]);

/* ---- damage --------------------------------------------------------------------------------------- */

/* Writes the folder of run number `which`, changed as the rest of the input says, anew as `path`: up to eight
 * times an operation (one byte), a file's number (one byte) and
 *     0  PART               the file is that, up to a byte 0xff
 *     1  AT2 COUNT BYTES    bytes are written over
 *     2  AT2 COUNT BYTES    bytes are put in
 *     3  AT2 COUNT          bytes are taken out
 *     4  AT2                it ends there
 *     5                     it is not there
 *     6  BYTES              it is all the rest
 *     7  RUN                it is that run's
 *     8  PART PART          what stands behind that key in a JSON text is the second part
 * AT2: two bytes, the lower first. With 16 added, and in 8, a safetensors file gets the length of its header
 * as it is afterwards. */
void fuzz_damage(size_t which, fuzz_bytes input, const char *path);

/* A context of one thread; NULL where memory was refused. */
ur_context *fuzz_context(const ur_allocator *a);

/* Hooks that stop a training after two steps. */
typedef struct fuzz_stop {
    size_t left;
} fuzz_stop;
ur_run_hooks fuzz_hooks(fuzz_stop *stop);

#endif
