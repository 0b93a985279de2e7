/* runs.h - tiny runs for tests: built-in data, hidden 16, a few steps. */
#ifndef UR_TESTS_RUN_RUNS_H
#define UR_TESTS_RUN_RUNS_H

#include "support/contexts.h"
#include "support/faulty_syscalls.h"
#include "unroll/run.h"
#include "unroll/seq2seq.h"

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

/* A figure of validation data by its name ("accuracy"), as the run's metrics have it. */
static inline double valid_figure(const ur_kind *kind, const ur_metrics *m, const char *figure)
{
    char name[UR_METRIC_NAME];
    snprintf(name, sizeof name, "valid_%s", figure);
    return ur_metrics_figure(kind, m, name);
}

/* The last evaluation of a folder; kind may be NULL. */
static inline ur_metrics last_metrics(ur_context *context, const char *folder, const ur_kind **kind)
{
    ur_metrics *all;
    size_t n;
    ur_err err;
    if (ur_metrics_load(context, folder, &all, &n, kind, &err) != UR_OK)
        fail_msg("%s", err.text);
    assert_true(n > 0);
    const ur_metrics last = all[n - 1];
    ur_metrics_free(context, all);
    return last;
}

/* Two folders' metrics are the same numbers, but for the seconds and what is counted in a second. */
static inline void same_metrics(ur_context *context, const char *folder, const char *other)
{
    const ur_kind *kind;
    ur_metrics *a, *b;
    size_t n, m;
    assert_int_equal(ur_metrics_load(context, folder, &a, &n, &kind, NULL), UR_OK);
    assert_int_equal(ur_metrics_load(context, other, &b, &m, NULL, NULL), UR_OK);
    assert_int_equal(n, m);
    for (size_t i = 0; i < n; i++) {
        char name[UR_METRIC_NAME];
        assert_true(a[i].epoch == b[i].epoch && a[i].step == b[i].step && a[i].lr == b[i].lr);
        for (size_t j = 0; ur_metrics_name(kind, j, name); j++) {
            const double x = ur_metrics_figure(kind, &a[i], name);
            const double y = ur_metrics_figure(kind, &b[i], name);
            const bool time = strstr(name, "second") != NULL;
            if (!time && memcmp(&x, &y, sizeof x) != 0)
                fail_msg("%s, %s: %s of epoch %zu differs", folder, other, name, a[i].epoch);
        }
    }
    ur_metrics_free(context, a);
    ur_metrics_free(context, b);
}

/* Training that ends after a number of steps: the hooks of a run, with `user` one of these. */
typedef struct stop_at {
    size_t step, seen;
} stop_at;

static inline void stop_count(void *user, const ur_step *step, double rate, double left)
{
    stop_at *s = user;
    assert_true(rate >= 0.0 && left >= 0.0);
    assert_true(s->seen == 0 || step->step == s->seen + 1);
    s->seen = step->step;
}

static inline bool stop_now(void *user)
{
    const stop_at *s = user;
    return s->seen == s->step;
}

static inline ur_run_hooks stop_hooks(stop_at *stop)
{
    return (ur_run_hooks){.user = stop, .on_step = stop_count, .should_stop = stop_now};
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
