/* bench.h - what the measuring programs share: works, and serving them to a runner.
 *
 * A work is described by one line of words, the same for every contestant:
 *     layer cell=lstm hidden=256 batch=32 steps=35 backward=1
 * The first word names its kind, `key=value` the rest. A contestant that serves reads such a line,
 * makes the work the first time it sees it, does it for one round, and answers with one line of
 * JSON: {"seconds": of one pass}. `drop` forgets all works. See bench/compare.py. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BENCH_LINE = 512 };

/* One kind of work. make: NULL when this contestant does not do it (why: one sentence). run: one
 * pass; its result in seconds counts where it is not negative, otherwise it is timed from
 * outside. */
typedef struct bench_kind {
    const char *name;
    void *(*make)(const char *line, int threads, char why[BENCH_LINE]);
    double (*run)(void *work);
    void (*release)(void *work);
} bench_kind;

/* Serves on stdin and stdout, or does what the arguments say:
 *     PROGRAM [--threads N] [--round SECONDS]                        serves
 *     PROGRAM [--threads N] [--round SECONDS] --rounds N 'LINE' ...  prints N rounds of each */
int bench_main(int argc, char **argv, const char *name, const bench_kind *kinds, size_t count);

double bench_now(void);

/* The value of a word `key=value`, or the default. */
size_t bench_number(const char *line, const char *key, size_t otherwise);
bool bench_text(const char *line, const char *key, char *out, size_t size); /* false: not there */
bool bench_is(const char *line, const char *key, const char *value);

/* Numbers that look like activations: uniform in [-bound, bound), the same at every start. */
void bench_fill(float *x, size_t n, float bound, uint64_t seed);

/* Lengths of the sequences: `steps` for all, or with ragged=1 spread evenly from 1 to steps, in no
 * order. Returns their sum. */
size_t bench_lengths(const char *line, size_t batch, size_t steps, size_t *length);
/* From `shortest` to `longest`, spread evenly, in no order. */
void bench_spread(size_t batch, size_t shortest, size_t longest, size_t *length);

/* Memory on a 64-byte boundary, zeroed; leaves the program when there is none. */
void *bench_memory(size_t count, size_t size);

#endif
