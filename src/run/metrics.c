/* metrics.c - metrics.jsonl for programs, train.log for people.
 *
 * Both grow by a line at every evaluation, which costs the same however many there are. A crash can
 * leave lines of steps after the newest checkpoint, and half a line at the end: a resume cuts both
 * files back to the step that it goes on from, and readers pass over an end without a line feed. */
#include "run/run.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"
#include "io/buffer.h"
#include "io/json.h"

enum { MOST_LOG = 1 << 30 };
#define UR_COUNT(x) (sizeof(x) / sizeof *(x))

/* ---- figures ------------------------------------------------------------------------------ */

/* What every kind's metrics have beside its figures. */
typedef struct column {
    const char *name;
    size_t offset;
    const char *said; /* how train.log says it; NULL: not said */
} column;

#define COLUMN(name, said)                                                                         \
    {                                                                                              \
#name, offsetof(ur_metrics, name), said                                                    \
    }
static const column lr = COLUMN(lr, NULL);
static const column train_loss = COLUMN(train_loss, "loss %.5f");
static const column train_perplexity = COLUMN(train_perplexity, "perplexity %.4f");
static const column valid_loss = COLUMN(valid_loss, "valid loss %.5f");
static const column times[] = {COLUMN(seconds, NULL), COLUMN(train_seconds, NULL)};
static const column sequences = COLUMN(sequences_per_second, "%.0f sequences/s");
static const column tokens = COLUMN(tokens_per_second, "%.0f tokens/s");

/* One thing that a kind's metrics have: a column, or one of its figures, on validation data or, of
 * those that are noted, in training. */
typedef struct entry {
    const column *column;
    const ur_figure *figure;
    size_t index; /* of the figure */
    bool trained;
} entry;

static size_t figure_count(const ur_kind *kind)
{
    size_t n = 0;
    while (kind->figures && n < UR_MOST_FIGURES && kind->figures[n].name)
        n++;
    return n;
}

/* The i-th entry, in the order of metrics.jsonl; false behind the last. */
static bool entry_at(const ur_kind *kind, size_t i, entry *e)
{
    const size_t figures = figure_count(kind), noted = ur_kind_noted(kind);
    const bool perplexity = ur_kind_perplexity(kind) != NULL;
    const column *head[] = {&train_loss, perplexity ? &train_perplexity : &valid_loss, &valid_loss};
    const size_t heads = perplexity ? 3 : 2;
    *e = (entry){.column = NULL};
    if (i < heads)
        e->column = head[i];
    else if ((i -= heads) < noted)
        *e = (entry){.figure = &kind->figures[i], .index = i, .trained = true};
    else if ((i -= noted) < figures)
        *e = (entry){.figure = &kind->figures[i], .index = i};
    else if ((i -= figures) < UR_COUNT(times))
        e->column = &times[i];
    else if (i == UR_COUNT(times))
        e->column = kind->unit && strcmp(kind->unit, "tokens") == 0 ? &tokens : &sequences;
    else
        return false;
    return true;
}

static void entry_name(const entry *e, char name[UR_METRIC_NAME])
{
    snprintf(name, UR_METRIC_NAME, "%s%s",
             !e->figure   ? ""
             : e->trained ? "train_"
                          : "valid_",
             e->figure ? e->figure->name : e->column->name);
}

static double *place(const entry *e, ur_metrics *m)
{
    if (e->trained)
        return &m->train[e->index];
    return e->figure ? &m->valid[e->index] : (double *)(void *)((char *)m + e->column->offset);
}

static double value_of(const entry *e, const ur_metrics *m)
{
    ur_metrics copy = *m;
    return *place(e, &copy);
}

bool ur_metrics_name(const ur_kind *kind, size_t i, char name[UR_METRIC_NAME])
{
    entry e;
    if (!entry_at(kind, i, &e))
        return false;
    entry_name(&e, name);
    return true;
}

double ur_metrics_figure(const ur_kind *kind, const ur_metrics *m, const char *name)
{
    char own[UR_METRIC_NAME];
    entry e;
    if (strcmp(name, lr.name) == 0)
        return m->lr;
    for (size_t i = 0; entry_at(kind, i, &e); i++) {
        entry_name(&e, own);
        if (strcmp(own, name) == 0)
            return value_of(&e, m);
    }
    return (double)NAN;
}

/* ---- writing ------------------------------------------------------------------------------ */

static ur_status metrics_line(const ur_run *run, const char *path, const ur_metrics *m, ur_err *err)
{
    ur_json_writer *w;
    ur_status status = ur_json_writer_new(run->a, 0, &w, err);
    if (status != UR_OK)
        return status;
    ur_json_open_object(w, NULL);
    ur_json_put_int(w, "epoch", (int64_t)m->epoch);
    ur_json_put_int(w, "step", (int64_t)m->step);
    ur_json_put_real(w, "lr", m->lr);
    entry e;
    for (size_t i = 0; entry_at(run->assets.kind, i, &e); i++) {
        char name[UR_METRIC_NAME];
        entry_name(&e, name);
        ur_json_put_real(w, name, value_of(&e, m)); /* NaN as null */
    }
    ur_json_close_object(w);
    size_t size;
    const char *text = ur_json_text(w, &size, err);
    char *line = text ? ur_alloc(run->a, size + 1, 1) : NULL;
    if (line) {
        memcpy(line, text, size);
        line[size] = '\n';
        status = ur_append_file(path, line, size + 1, err);
    } else {
        status = text ? ur_no_memory(err, size + 1) : UR_NO_MEMORY;
    }
    ur_free(run->a, line);
    ur_json_writer_free(w);
    return status;
}

/* "  accuracy 99.96 %": nothing for what is not known or not said. */
static void say_entry(ur_buffer *line, const entry *e, double value)
{
    char text[160];
    if (isnan(value) || (e->column && !e->column->said))
        return;
    if (e->column)
        snprintf(text, sizeof text, e->column->said, value);
    else if (e->figure->percent)
        snprintf(text, sizeof text, "%s %.2f %%", e->figure->title, 100.0 * value);
    else
        snprintf(text, sizeof text, "%s%s %.4f",
                 e->figure->average == UR_PERPLEXITY || (e->figure->noted && !e->trained) ? "valid "
                                                                                          : "",
                 e->figure->title, value);
    ur_buffer_text(line, "  ");
    ur_buffer_text(line, text);
}

static ur_status log_line(const ur_run *run, const char *path, const ur_metrics *m, ur_err *err)
{
    const ur_train_options *o = &run->settings.train;
    ur_buffer line = ur_buffer_start(run->a);
    char text[80];
    snprintf(text, sizeof text, "epoch %zu  step %zu", m->epoch, m->step);
    ur_buffer_text(&line, text);
    if (o->schedule != UR_LR_CONSTANT || o->warmup_steps) {
        snprintf(text, sizeof text, "  lr %g", m->lr);
        ur_buffer_text(&line, text);
    }
    entry e;
    for (size_t i = 0; entry_at(run->assets.kind, i, &e); i++)
        say_entry(&line, &e, value_of(&e, m));
    snprintf(text, sizeof text, "  %.1f s\n", m->seconds);
    ur_buffer_text(&line, text);
    const ur_status status = line.failed ? ur_no_memory(err, line.size)
                                         : ur_append_file(path, line.text, line.size, err);
    ur_buffer_free(&line);
    return status;
}

ur_status ur_run_start_metrics(const ur_run *run, ur_err *err)
{
    char *path = ur_path_join(run->a, run->folder, "metrics.jsonl");
    if (!path)
        return ur_no_memory(err, strlen(run->folder) + 32);
    const bool gone = unlink(path) == 0 || errno == ENOENT;
    const ur_status status =
        gone ? UR_OK : ur_fail(err, UR_IO, "%s: cannot be removed: %s", path, strerror(errno));
    ur_free(run->a, path);
    return status;
}

ur_status ur_run_add_metrics(ur_run *run, const ur_metrics *metrics, ur_err *err)
{
    char *path = ur_path_join(run->a, run->folder, "metrics.jsonl");
    char *log = ur_path_join(run->a, run->folder, "train.log");
    ur_status status = path && log ? UR_OK : ur_no_memory(err, strlen(run->folder) + 32);
    if (status == UR_OK)
        status = metrics_line(run, path, metrics, err);
    if (status == UR_OK)
        status = log_line(run, log, metrics, err);
    ur_free(run->a, path);
    ur_free(run->a, log);
    return status;
}

ur_status ur_run_log(const ur_run *run, const char *text, ur_err *err)
{
    char *path = ur_path_join(run->a, run->folder, "train.log");
    if (!path)
        return ur_no_memory(err, strlen(run->folder) + 32);
    const ur_status status = ur_append_file(path, text, strlen(text), err);
    ur_free(run->a, path);
    return status;
}

/* ---- cutting back ------------------------------------------------------------------------- */

/* The step that a line of either file tells of; false: it tells of none. */
static bool step_of_line(const char *line, const char *end, uint64_t *step)
{
    static const char *const before[] = {"\"step\":", "  step "};
    for (size_t i = 0; i < UR_COUNT(before); i++) {
        const size_t n = strlen(before[i]);
        for (const char *at = line; at + n < end; at++)
            if (memcmp(at, before[i], n) == 0) {
                at += n;
                at += *at == ' ';
                *step = strtoull(at, NULL, 10);
                return *at >= '0' && *at <= '9';
            }
    }
    return false;
}

/* How much of the text tells of no step after `step`, in whole lines. */
static size_t part_until(const char *text, size_t size, uint64_t step)
{
    size_t at = 0;
    while (at < size) {
        const char *end = memchr(text + at, '\n', size - at);
        uint64_t own;
        if (!end || (step_of_line(text + at, end, &own) && own > step))
            break;
        at = (size_t)(end - text) + 1;
    }
    return at;
}

static ur_status cut_back(const ur_run *run, const char *name, uint64_t step, ur_err *err)
{
    char *path = ur_path_join(run->a, run->folder, name), *text = NULL;
    ur_there there;
    size_t size;
    if (!path)
        return ur_no_memory(err, strlen(run->folder) + 32);
    ur_status status = ur_look(path, &there, err);
    if (status == UR_OK && there != UR_NOTHING_THERE)
        status = ur_read_file(run->a, path, MOST_LOG, &text, &size, err);
    if (status == UR_OK && text) {
        const size_t kept = part_until(text, size, step);
        if (kept < size)
            status = ur_replace_file(run->a, path, text, kept, err);
    }
    ur_free(run->a, text);
    ur_free(run->a, path);
    return status;
}

ur_status ur_run_cut_metrics(const ur_run *run, uint64_t step, ur_err *err)
{
    const ur_status status = cut_back(run, "metrics.jsonl", step, err);
    return status == UR_OK ? cut_back(run, "train.log", step, err) : status;
}

/* ---- reading ------------------------------------------------------------------------------ */

static ur_status read_real(const ur_json_value *line, const char *name, double *out, ur_err *err)
{
    const ur_json_value member = ur_json_member(line, name);
    *out = (double)NAN;
    if (ur_json_is_missing(&member) || ur_json_is_null(&member))
        return UR_OK;
    return ur_json_real(&member, -1e300, 1e300, out, err);
}

static ur_status read_line(const ur_json_value *line, const ur_kind *kind, ur_metrics *m,
                           ur_err *err)
{
    const double unknown = (double)NAN;
    int64_t epoch = 0, step = 0;
    ur_status status = ur_json_get_int(line, "epoch", 0, INT64_MAX, &epoch, err);
    if (status == UR_OK)
        status = ur_json_get_int(line, "step", 0, INT64_MAX, &step, err);
    *m = (ur_metrics){.epoch = (size_t)epoch,
                      .step = (size_t)step,
                      .train_perplexity = unknown,
                      .sequences_per_second = unknown,
                      .tokens_per_second = unknown};
    for (size_t i = 0; i < UR_MOST_FIGURES; i++)
        m->valid[i] = unknown;
    for (size_t i = 0; i < UR_MOST_NOTED; i++)
        m->train[i] = unknown;
    if (status == UR_OK)
        status = read_real(line, lr.name, &m->lr, err);
    entry e;
    for (size_t i = 0; status == UR_OK && entry_at(kind, i, &e); i++) {
        char name[UR_METRIC_NAME];
        entry_name(&e, name);
        status = read_real(line, name, place(&e, m), err);
    }
    m->has_valid = !isnan(m->valid_loss);
    return status;
}

static ur_status load(const ur_allocator *a, const char *folder, const ur_kind *kind,
                      ur_metrics **out, size_t *count, ur_err *err)
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
        status = read_line(&line, kind, &metrics[i], err);
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

ur_status ur_metrics_load(ur_context *context, const char *folder, ur_metrics **out, size_t *count,
                          const ur_kind **kind, ur_err *err)
{
    UR_FPMODE_HERE;
    const ur_kind *own;
    *out = NULL;
    *count = 0;
    const ur_status status = ur_config_kind(context, folder, &own, err);
    if (status != UR_OK)
        return status;
    if (kind)
        *kind = own;
    return load(ur_context_allocator(context), folder, own, out, count, err);
}

void ur_metrics_free(ur_context *context, ur_metrics *metrics)
{
    ur_free(ur_context_allocator(context), metrics);
}
