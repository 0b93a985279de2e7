/* curves.c - how training went, epoch by epoch, as SVG: a panel for each thing that the runs have
 * figures of. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "train/run.h"
#include "unroll/io.h"

/* What a panel shows of a run, by the figures' names in ur_metrics. */
typedef struct panel_kind {
    const char *y_label;
    const char *train, *valid; /* train: NULL where there is none */
    bool percent, log_y;
} panel_kind;

enum { ACCURACY, F1, PERPLEXITY, LOSS, PANELS };

static const panel_kind kinds[PANELS] = {
    [ACCURACY] = {"accuracy", NULL, "valid_accuracy", true, false},
    [F1] = {"F1", NULL, "valid_f1", false, false},
    [PERPLEXITY] = {"perplexity", "train_perplexity", "valid_perplexity", false, true},
    [LOSS] = {"loss (nats per symbol)", "train_loss", "valid_loss", false, true},
};

/* One run's metrics as columns; those that it does not have are NaN, gaps in a curve. */
typedef struct curves {
    size_t n;
    double *epoch;                         /* (n) */
    double *train[PANELS], *valid[PANELS]; /* (n) each */
    bool has_train[PANELS], has_valid[PANELS];
    char name[160], train_name[176], valid_name[176];
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

/* A figure's column; whether any evaluation has it. */
static bool fill(size_t n, const ur_metrics *m, const char *figure, double *column)
{
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        column[i] = figure ? ur_metrics_figure(&m[i], figure) : (double)NAN;
        any = any || !isnan(column[i]);
    }
    return any;
}

static ur_status load_curves(ur_context *context, const char *folder, curves *c, ur_err *err)
{
    const ur_allocator *a = ur_context_allocator(context);
    ur_metrics *m;
    run_name(folder, c->name, sizeof c->name);
    snprintf(c->train_name, sizeof c->train_name, "%s, training", c->name);
    snprintf(c->valid_name, sizeof c->valid_name, "%s, validation", c->name);
    ur_status status = ur_metrics_load(context, folder, &m, &c->n, err);
    if (status != UR_OK)
        return status;
    const size_t columns = 1 + 2 * PANELS;
    c->epoch = ur_alloc(a, columns * (c->n + 1), sizeof *c->epoch);
    if (c->epoch) {
        for (size_t i = 0; i < c->n; i++)
            c->epoch[i] = epoch_of(m, i);
        for (size_t p = 0; p < PANELS; p++) {
            c->train[p] = c->epoch + (1 + 2 * p) * c->n;
            c->valid[p] = c->train[p] + c->n;
            c->has_train[p] = fill(c->n, m, kinds[p].train, c->train[p]);
            c->has_valid[p] = fill(c->n, m, kinds[p].valid, c->valid[p]);
        }
    } else {
        status = ur_no_memory(err, columns * (c->n + 1) * sizeof *c->epoch);
    }
    ur_metrics_free(context, m);
    return status;
}

/* Perplexity is the loss's exponential: who has it needs no loss. A run without any evaluation has
 * an empty picture of the loss. */
static bool shows(const curves *c, size_t panel)
{
    return panel == LOSS ? !c->has_train[PERPLEXITY] : c->has_train[panel] || c->has_valid[panel];
}

/* The curves of one panel; returns how many. Perplexities of training and validation stand together
 * and say which they are; of several runs' losses the training's alone is drawn. */
static size_t panel_series(size_t panel, size_t count, const curves *c, ur_plot_series *series)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const char *valid = kinds[panel].train ? c[i].valid_name : c[i].name;
        if (c[i].has_train[panel])
            series[n++] = (ur_plot_series){panel == PERPLEXITY ? c[i].train_name : c[i].name,
                                           c[i].n, c[i].epoch, c[i].train[panel]};
        if (c[i].has_valid[panel] && (panel != LOSS || count == 1))
            series[n++] = (ur_plot_series){valid, c[i].n, c[i].epoch, c[i].valid[panel]};
    }
    return n;
}

static ur_status draw(const ur_allocator *a, size_t count, const curves *c, const char *path,
                      ur_err *err)
{
    ur_plot_panel panels[PANELS];
    ur_plot_series *series = ur_alloc(a, 2 * PANELS * count, sizeof *series);
    if (!series)
        return ur_no_memory(err, 2 * PANELS * count * sizeof *series);
    size_t n = 0;
    for (size_t p = 0; p < PANELS; p++) {
        bool any = false;
        for (size_t i = 0; i < count; i++)
            any = any || shows(&c[i], p);
        if (!any)
            continue;
        ur_plot_series *own = series + 2 * p * count;
        panels[n++] = (ur_plot_panel){.y_label = kinds[p].y_label,
                                      .series = own,
                                      .n_series = panel_series(p, count, c, own),
                                      .percent = kinds[p].percent,
                                      .log_y = kinds[p].log_y};
    }
    const ur_plot_chart chart = {.x_label = "epoch", .panels = panels, .n_panels = n};
    const ur_status status = ur_plot_lines(a, &chart, path, err);
    ur_free(a, series);
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
