/* runs.h - tiny runs for tests: built-in data, hidden 16, a few steps. */
#ifndef UR_TESTS_RUNS_H
#define UR_TESTS_RUNS_H

#include "support/contexts.h"
#include "support/faulty_syscalls.h"
#include "unroll/train.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* A folder of the test's own, in memory where the system offers that: every file that a run saves
 * is flushed to its device. */
static inline int run_folder_enter(void **state)
{
    (void)!chdir("/dev/shm");
    return test_folder_enter(state);
}

/* 200 dates in batches of 64: 4 steps an epoch, the last with 8 sequences; 2 epochs. */
static inline ur_run_settings tiny_settings(void)
{
    ur_run_settings s = {
        .data = "builtin:dates", .size = 200, .valid_size = 40, .train = ur_train_defaults()};
    s.train.batch = 64;
    s.train.epochs = 2;
    s.train.lr = 5e-3;
    s.train.clip = 5.0;
    return s;
}

static inline ur_seq2seq_config tiny_config(void)
{
    ur_seq2seq_config c = ur_seq2seq_defaults();
    c.embed_size = 5;
    c.hidden_size = 16;
    c.dropout = 0.1f;
    c.format.reverse_input = true;
    return c;
}

static inline ur_run *run_created(ur_context *context, const char *folder,
                                  const ur_run_settings *settings, const ur_seq2seq_config *config)
{
    ur_run *run;
    ur_err err;
    if (ur_run_create(context, folder, settings, "seq2seq", config, &run, &err) != UR_OK)
        fail_msg("%s", err.text);
    return run;
}

static inline ur_run *run_opened(ur_context *context, const char *path)
{
    ur_run *run;
    ur_err err;
    if (ur_run_open(context, path, &run, &err) != UR_OK)
        fail_msg("%s", err.text);
    return run;
}

static inline ur_run *run_resumed(ur_context *context, const char *folder, size_t epochs,
                                  size_t max_steps)
{
    ur_run *run;
    ur_err err;
    if (ur_run_resume(context, folder, epochs, max_steps, &run, &err) != UR_OK)
        fail_msg("%s", err.text);
    return run;
}

static inline void run_trained(ur_run *run)
{
    ur_err err;
    if (ur_run_train(run, NULL, &err) != UR_OK)
        fail_msg("%s", err.text);
}

/* A whole file; the caller frees. */
static inline char *file_of(const char *folder, const char *name, size_t *size)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("%s is not there", path);
    char *bytes = calloc(1, 1 << 20);
    assert_non_null(bytes);
    *size = fread(bytes, 1, (1 << 20) - 1, f);
    fclose(f);
    return bytes;
}

static inline void same_files(const char *folder, const char *other, const char *name)
{
    size_t n, m;
    char *a = file_of(folder, name, &n), *b = file_of(other, name, &m);
    if (n != m || memcmp(a, b, n) != 0)
        fail_msg("%s of %s and %s differ", name, folder, other);
    free(a);
    free(b);
}

static inline bool is_file(const char *folder, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (f)
        fclose(f);
    return f != NULL;
}

#endif
