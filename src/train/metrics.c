/* metrics.c - metrics.jsonl for programs, train.log for people.
 *
 * metrics.jsonl is rewritten whole, atomically, at every evaluation: it is small, and so it never
 * ends in half a line nor tells of steps that a resumed run takes again. */
#include "train/task.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"
#include "io/json.h"

/* ---- figures ------------------------------------------------------------------------------ */

/* One figure: a member of ur_metrics, and how train.log says it. */
typedef struct figure {
    const char *name;
    size_t offset;
    const char *said; /* NULL: not said */
    double scale;
} figure;

#define FIGURE(name, said, scale)                                                                  \
    {                                                                                              \
#name, offsetof(ur_metrics, name), said, scale                                             \
    }
static const figure figures[] = {
    FIGURE(lr, "lr %g", 1),
    FIGURE(train_loss, "loss %.5f", 1),
    FIGURE(train_perplexity, "perplexity %.4f", 1),
    FIGURE(valid_loss, "valid loss %.5f", 1),
    FIGURE(valid_perplexity, "valid perplexity %.4f", 1),
    FIGURE(valid_accuracy, "accuracy %.2f %%", 100),
    FIGURE(valid_forced_accuracy, "teacher-forced %.2f %%", 100),
    FIGURE(valid_f1, "F1 %.4f", 1),
    FIGURE(seconds, NULL, 1),
    FIGURE(train_seconds, NULL, 1),
    FIGURE(sequences_per_second, "%.0f sequences/s", 1),
    FIGURE(tokens_per_second, "%.0f tokens/s", 1),
};

static const figure *find_figure(const char *name)
{
    for (size_t i = 0; i < UR_COUNT(figures); i++)
        if (strcmp(figures[i].name, name) == 0)
            return &figures[i];
    return NULL;
}

double ur_metrics_figure(const ur_metrics *m, const char *name)
{
    const figure *f = find_figure(name);
    double value = (double)NAN;
    if (f)
        memcpy(&value, (const char *)m + f->offset, sizeof value);
    return value;
}

const char *const *ur_run_figures(const ur_run *run)
{
    return run->task->figures;
}

/* ---- writing ------------------------------------------------------------------------------ */

static ur_status metrics_line(const ur_run *run, const ur_metrics *m, ur_replace *file, ur_err *err)
{
    ur_json_writer *w;
    ur_status status = ur_json_writer_new(run->a, 0, &w, err);
    if (status != UR_OK)
        return status;
    ur_json_open_object(w, NULL);
    ur_json_put_int(w, "epoch", (int64_t)m->epoch);
    ur_json_put_int(w, "step", (int64_t)m->step);
    for (const char *const *name = run->task->figures; *name; name++)
        ur_json_put_real(w, *name, ur_metrics_figure(m, *name)); /* NaN as null */
    ur_json_close_object(w);
    size_t size;
    const char *text = ur_json_text(w, &size, err);
    status = text ? ur_replace_write(file, text, size, err) : UR_NO_MEMORY;
    if (status == UR_OK)
        status = ur_replace_write(file, "\n", 1, err);
    ur_json_writer_free(w);
    return status;
}

static ur_status write_all(ur_run *run, const char *path, ur_err *err)
{
    ur_replace *file;
    ur_status status = ur_replace_begin(run->a, path, &file, err);
    if (status != UR_OK)
        return status;
    for (size_t i = 0; i < run->metrics_count && status == UR_OK; i++)
        status = metrics_line(run, &run->metrics[i], file, err);
    if (status == UR_OK)
        return ur_replace_commit(file, err);
    ur_replace_abort(file);
    return status;
}

static ur_status log_line(const ur_run *run, const char *path, const ur_metrics *m, ur_err *err)
{
    FILE *log = fopen(path, "a");
    if (!log)
        return ur_fail(err, UR_IO, "%s: cannot be opened for writing", path);
    fprintf(log, "epoch %zu  step %zu", m->epoch, m->step);
    for (const char *const *name = run->task->figures; *name; name++) {
        const figure *f = find_figure(*name);
        const double value = ur_metrics_figure(m, *name);
        if (f && f->said && !isnan(value)) {
            fputs("  ", log);
            fprintf(log, f->said, f->scale * value);
        }
    }
    fprintf(log, "  %.1f s\n", m->seconds);
    const bool bad = ferror(log) != 0;
    if (fclose(log) != 0 || bad)
        return ur_fail(err, UR_IO, "%s: writing failed", path);
    return UR_OK;
}

ur_status ur_run_add_metrics(ur_run *run, const ur_metrics *metrics, ur_err *err)
{
    if (!ur_reserve(run->a, &run->metrics, &run->metrics_capacity, run->metrics_count,
                    run->metrics_count + 1, sizeof *metrics))
        return ur_no_memory(err, sizeof *metrics);
    run->metrics[run->metrics_count++] = *metrics;
    char *path = ur_path_join(run->a, run->folder, "metrics.jsonl");
    char *log = ur_path_join(run->a, run->folder, "train.log");
    ur_status status = path && log ? UR_OK : ur_no_memory(err, strlen(run->folder) + 32);
    if (status == UR_OK)
        status = write_all(run, path, err);
    if (status == UR_OK)
        status = log_line(run, log, metrics, err);
    ur_free(run->a, path);
    ur_free(run->a, log);
    return status;
}

/* ---- reading ------------------------------------------------------------------------------ */

static ur_status read_line(const ur_json_value *line, ur_metrics *m, ur_err *err)
{
    int64_t epoch = 0, step = 0;
    ur_status status = ur_json_get_int(line, "epoch", 0, INT64_MAX, &epoch, err);
    if (status == UR_OK)
        status = ur_json_get_int(line, "step", 0, INT64_MAX, &step, err);
    *m = (ur_metrics){.epoch = (size_t)epoch, .step = (size_t)step};
    for (size_t i = 0; i < UR_COUNT(figures) && status == UR_OK; i++) {
        const ur_json_value member = ur_json_member(line, figures[i].name);
        double value = (double)NAN;
        if (!ur_json_is_missing(&member) && !ur_json_is_null(&member))
            status = ur_json_real(&member, -1e300, 1e300, &value, err);
        memcpy((char *)m + figures[i].offset, &value, sizeof value);
    }
    m->has_valid = !isnan(m->valid_loss);
    return status;
}

static ur_status load(const ur_allocator *a, const char *folder, ur_metrics **out, size_t *count,
                      ur_err *err)
{
    *out = NULL;
    *count = 0;
    char *path = ur_path_join(a, folder, "metrics.jsonl");
    if (!path)
        return ur_no_memory(err, strlen(folder) + 32);
    ur_json *document;
    ur_status status = ur_json_load_lines(a, path, &document, err);
    ur_free(a, path);
    if (status != UR_OK)
        return status;
    const ur_json_value lines = ur_json_root(document);
    size_t n = 0;
    status = ur_json_list(&lines, SIZE_MAX / sizeof **out / 2, &n, err);
    ur_metrics *metrics = status == UR_OK ? ur_alloc(a, n, sizeof *metrics) : NULL;
    if (status == UR_OK && !metrics)
        status = ur_no_memory(err, n * sizeof *metrics);
    for (size_t i = 0; i < n && status == UR_OK; i++) {
        const ur_json_value line = ur_json_item(&lines, i);
        status = read_line(&line, &metrics[i], err);
    }
    ur_json_free(document);
    if (status != UR_OK) {
        ur_free(a, metrics);
        return status;
    }
    *out = metrics;
    *count = n;
    return UR_OK;
}

ur_status ur_run_load_metrics(ur_run *run, uint64_t step, ur_err *err)
{
    char *path = ur_path_join(run->a, run->folder, "metrics.jsonl");
    if (!path)
        return ur_no_memory(err, strlen(run->folder) + 32);
    struct stat there;
    const bool exists = stat(path, &there) == 0;
    ur_free(run->a, path);
    if (!exists)
        return UR_OK;
    const ur_status status = load(run->a, run->folder, &run->metrics, &run->metrics_count, err);
    run->metrics_capacity = run->metrics_count;
    while (run->metrics_count && run->metrics[run->metrics_count - 1].step > step)
        run->metrics_count--;
    return status;
}

ur_status ur_metrics_load(ur_context *context, const char *folder, ur_metrics **out, size_t *count,
                          ur_err *err)
{
    return load(ur_context_allocator(context), folder, out, count, err);
}

void ur_metrics_free(ur_context *context, ur_metrics *metrics)
{
    ur_free(ur_context_allocator(context), metrics);
}
