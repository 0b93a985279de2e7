/* pictures.c - curves of runs and maps of attention, as SVG. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "unroll/io.h"
#include "train/run.h"

/* ---- curves ------------------------------------------------------------------------------- */

/* One run's metrics as columns. */
typedef struct curves {
    size_t n;
    double *epoch, *accuracy, *train_loss, *valid_loss;
    char name[160], valid_name[176];
} curves;

/* The last part of a path: what the run is called. */
static void run_name(const char *folder, char *name, size_t size)
{
    size_t end = strlen(folder);
    while (end > 1 && folder[end - 1] == '/')
        end--;
    size_t begin = end;
    while (begin > 0 && folder[begin - 1] != '/')
        begin--;
    snprintf(name, size, "%.*s", (int)(end - begin), folder + begin);
}

/* An evaluation inside an epoch stands at its fraction, which is not recorded: between epochs. */
static double epoch_of(const ur_metrics *m, size_t i)
{
    const bool inside = i > 0 && m[i].epoch == m[i - 1].epoch;
    return (double)m[i].epoch + (inside ? 0.5 : 0.0);
}

static ur_status load_curves(ur_context *context, const char *folder, curves *c, ur_err *err)
{
    const ur_allocator *a = ur_context_allocator(context);
    ur_metrics *m;
    run_name(folder, c->name, sizeof c->name);
    ur_status status = ur_metrics_load(context, folder, &m, &c->n, err);
    if (status != UR_OK)
        return status;
    double *all = ur_alloc(a, 4 * (c->n + 1), sizeof *all);
    if (all) {
        c->epoch = all;
        c->accuracy = all + c->n;
        c->train_loss = all + 2 * c->n;
        c->valid_loss = all + 3 * c->n;
        const double nothing = (double)NAN; /* a gap in the curve */
        for (size_t i = 0; i < c->n; i++) {
            c->epoch[i] = epoch_of(m, i);
            c->accuracy[i] = m[i].has_valid ? m[i].valid_accuracy : nothing;
            c->train_loss[i] = m[i].train_loss;
            c->valid_loss[i] = m[i].has_valid ? m[i].valid_loss : nothing;
        }
    } else {
        status = ur_no_memory(err, 4 * (c->n + 1) * sizeof *all);
    }
    ur_metrics_free(context, m);
    return status;
}

static bool has_valid(const curves *c)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->accuracy[i] >= 0.0)
            return true;
    return false;
}

static ur_status draw(const ur_allocator *a, size_t count, curves *c, const char *path, ur_err *err)
{
    ur_plot_series *accuracy = ur_alloc(a, count, sizeof *accuracy);
    ur_plot_series *loss = ur_alloc(a, 2 * count, sizeof *loss);
    if (!accuracy || !loss) {
        ur_free(a, accuracy);
        ur_free(a, loss);
        return ur_no_memory(err, 3 * count * sizeof *loss);
    }
    size_t n_accuracy = 0, n_loss = 0;
    for (size_t i = 0; i < count; i++) {
        const bool valid = has_valid(&c[i]);
        if (valid)
            accuracy[n_accuracy++] = (ur_plot_series){c[i].name, c[i].n, c[i].epoch, c[i].accuracy};
        loss[n_loss++] = (ur_plot_series){c[i].name, c[i].n, c[i].epoch, c[i].train_loss};
        if (valid && count == 1) {
            snprintf(c[i].valid_name, sizeof c[i].valid_name, "%s, validation", c[i].name);
            loss[n_loss++] = (ur_plot_series){c[i].valid_name, c[i].n, c[i].epoch, c[i].valid_loss};
        }
    }
    const ur_plot_panel panels[] = {
        {.y_label = "accuracy", .series = accuracy, .n_series = n_accuracy, .percent = true},
        {.y_label = "loss (nats per symbol)", .series = loss, .n_series = n_loss, .log_y = true},
    };
    const ur_plot_chart chart = {.x_label = "epoch",
                                 .panels = n_accuracy ? panels : panels + 1,
                                 .n_panels = n_accuracy ? 2 : 1};
    const ur_status status = ur_plot_lines(a, &chart, path, err);
    ur_free(a, accuracy);
    ur_free(a, loss);
    return status;
}

ur_status ur_run_plot_curves(ur_context *context, size_t count, const char *const *folders,
                             const char *path, ur_err *err)
{
    const ur_allocator *a = ur_context_allocator(context);
    curves *c = ur_alloc_zero(a, count, sizeof *c);
    ur_status status = c ? UR_OK : ur_no_memory(err, count * sizeof *c);
    for (size_t i = 0; i < count && status == UR_OK; i++)
        status = load_curves(context, folders[i], &c[i], err);
    if (status == UR_OK)
        status = draw(a, count, c, path, err);
    for (size_t i = 0; c && i < count; i++)
        ur_free(a, c[i].epoch);
    ur_free(a, c);
    return status;
}

/* ---- attention ---------------------------------------------------------------------------- */

ur_status ur_run_plot_attention(ur_run *run, const char *question, const char *path, ur_err *err)
{
    if (strcmp(ur_run_kind(run), "seq2seq") != 0 ||
        ur_seq2seq_config_of(run->model)->attention == UR_ATTENTION_NONE)
        return ur_fail(err, UR_UNSUPPORTED, "this model has no attention to draw");
    ur_text_answer answer;
    const ur_status status = ur_run_answer(run, 1, &question, &answer, NULL, err);
    if (status != UR_OK)
        return status;
    if (answer.answer_length == 0 || answer.question_length == 0)
        return ur_fail(err, UR_INVALID, "nothing to draw: the question or its answer is empty");
    const ur_heat_map map = {.row_title = "answer",
                             .column_title = "question",
                             .value_title = "attention weight",
                             .rows = answer.answer_length,
                             .columns = answer.question_length,
                             .row_labels = answer.answer_symbols,
                             .column_labels = answer.question_symbols,
                             .values = answer.attention,
                             .least = 0.0,
                             .most = 1.0};
    return ur_plot_heat_map(run->a, &map, path, err);
}
