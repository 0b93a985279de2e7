/* metrics.c - metrics.jsonl for programs, train.log for people.
 *
 * metrics.jsonl is rewritten whole, atomically, at every evaluation: it is small, and so it never
 * ends in half a line nor tells of steps that a resumed run takes again. */
#include "train/run.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"
#include "io/json.h"

static ur_status metrics_line(const ur_allocator *a, const ur_metrics *m, ur_replace *file,
                              ur_err *err)
{
    ur_json_writer *w;
    ur_status status = ur_json_writer_new(a, 0, &w, err);
    if (status != UR_OK)
        return status;
    ur_json_open_object(w, NULL);
    ur_json_put_int(w, "epoch", (int64_t)m->epoch);
    ur_json_put_int(w, "step", (int64_t)m->step);
    ur_json_put_real(w, "train_loss", m->train_loss);
    if (m->has_valid) {
        ur_json_put_real(w, "valid_loss", m->valid_loss);
        ur_json_put_real(w, "valid_accuracy", m->valid_accuracy);
        ur_json_put_real(w, "valid_forced_accuracy", m->valid_forced_accuracy);
    } else {
        ur_json_put_null(w, "valid_loss");
        ur_json_put_null(w, "valid_accuracy");
        ur_json_put_null(w, "valid_forced_accuracy");
    }
    ur_json_put_real(w, "seconds", m->seconds);
    ur_json_put_real(w, "train_seconds", m->train_seconds);
    ur_json_put_real(w, "sequences_per_second", m->sequences_per_second);
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
        status = metrics_line(run->a, &run->metrics[i], file, err);
    if (status == UR_OK)
        return ur_replace_commit(file, err);
    ur_replace_abort(file);
    return status;
}

static ur_status log_line(const char *path, const ur_metrics *m, ur_err *err)
{
    FILE *log = fopen(path, "a");
    if (!log)
        return ur_fail(err, UR_IO, "%s: cannot be opened for writing", path);
    fprintf(log, "epoch %zu  step %zu  loss %.5f", m->epoch, m->step, m->train_loss);
    if (m->has_valid)
        fprintf(log, "  valid loss %.5f  accuracy %.2f %%  teacher-forced %.2f %%", m->valid_loss,
                100.0 * m->valid_accuracy, 100.0 * m->valid_forced_accuracy);
    fprintf(log, "  %.0f sequences/s  %.1f s\n", m->sequences_per_second, m->seconds);
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
        status = log_line(log, metrics, err);
    ur_free(run->a, path);
    ur_free(run->a, log);
    return status;
}

/* ---- reading ------------------------------------------------------------------------------ */

static ur_status read_line(const ur_json_value *line, ur_metrics *m, ur_err *err)
{
    int64_t epoch = 0, step = 0;
    const double most = 1e300;
    const ur_json_value valid = ur_json_member(line, "valid_accuracy");
    ur_status status = ur_json_get_int(line, "epoch", 0, INT64_MAX, &epoch, err);
    if (status == UR_OK)
        status = ur_json_get_int(line, "step", 0, INT64_MAX, &step, err);
    const struct {
        const char *key;
        double *to;
        bool of_valid;
    } reals[] = {{"train_loss", &m->train_loss, false},
                 {"valid_loss", &m->valid_loss, true},
                 {"valid_accuracy", &m->valid_accuracy, true},
                 {"valid_forced_accuracy", &m->valid_forced_accuracy, true},
                 {"seconds", &m->seconds, false},
                 {"train_seconds", &m->train_seconds, false},
                 {"sequences_per_second", &m->sequences_per_second, false}};
    *m = (ur_metrics){.epoch = (size_t)epoch,
                      .step = (size_t)step,
                      .has_valid = !ur_json_is_missing(&valid) && !ur_json_is_null(&valid)};
    for (size_t i = 0; i < sizeof reals / sizeof *reals && status == UR_OK; i++)
        if (!reals[i].of_valid || m->has_valid)
            status = ur_json_get_real(line, reals[i].key, -most, most, reals[i].to, err);
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
