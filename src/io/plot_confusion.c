/* plot_confusion.c - a confusion matrix as a heat map of shares: counts / their row's sum. */
#include <math.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/status.h"
#include "unroll/io.h"

/* values (labels, labels) and the share that is right. */
static double shares(const ur_confusion_map *map, float *values, double *all)
{
    double right = 0;
    *all = 0;
    for (size_t r = 0; r < map->labels; r++) {
        const size_t *row = map->counts + r * map->labels;
        double sum = 0;
        for (size_t c = 0; c < map->labels; c++)
            sum += (double)row[c];
        for (size_t c = 0; c < map->labels; c++)
            values[r * map->labels + c] = sum > 0 ? (float)((double)row[c] / sum) : (float)NAN;
        right += (double)row[r];
        *all += sum;
    }
    return *all > 0 ? right / *all : 0;
}

ur_status ur_plot_confusion(const ur_allocator *a, const ur_confusion_map *map, const char *path,
                            ur_err *err)
{
    if (map->labels < 1 || map->labels > 1000)
        return ur_fail(err, UR_INVALID, "confusion matrix: %zu labels, expected 1 to 1000",
                       map->labels);
    float *values = ur_alloc(a, map->labels * map->labels, sizeof *values);
    if (!values)
        return ur_no_memory(err, map->labels * map->labels * sizeof *values);
    double all;
    const double right = shares(map, values, &all);
    char title[80];
    snprintf(title, sizeof title, "%.2f %% of %.0f right", 100 * right, all);
    const ur_heat_map heat = {.title = map->title ? map->title : title,
                              .row_title = "true label",
                              .column_title = "model's label",
                              .value_title = "share of the true label",
                              .rows = map->labels,
                              .columns = map->labels,
                              .row_labels = map->names,
                              .column_labels = map->names,
                              .values = values,
                              .least = 0.0,
                              .most = 1.0,
                              .counts = map->counts};
    const ur_status status = ur_plot_heat_map(a, &heat, path, err);
    ur_free(a, values);
    return status;
}
