/* plot.h - pictures as SVG files: line charts of what training measured, heat maps of attention and
 * of confusion matrices.
 *
 * The pictures stand alone (no fonts, scripts or style sheets from elsewhere), have a white
 * background, and the same arguments give the same bytes. Texts are UTF-8; what cannot stand in XML
 * is replaced by a visible sign. Files are replaced atomically. */
#ifndef UR_IO_PLOT_H
#define UR_IO_PLOT_H

#include "unroll/core.h"

/* ---- line charts -------------------------------------------------------------------------- */

/* One curve. A point whose x or y is not finite (or, on a logarithmic axis, not positive) is a gap;
 * a point between two gaps shows as a marker. x should not decrease. */
typedef struct ur_plot_series {
    const char *name; /* in the legend; NULL or "" leaves the curve out of it */
    size_t n;
    const double *x, *y; /* (n) each */
} ur_plot_series;

/* One coordinate system. */
typedef struct ur_plot_panel {
    const char *y_label; /* or NULL */
    const ur_plot_series *series;
    size_t n_series;
    double y_min, y_max; /* the range of y; both 0: chosen from the data (percent: 0 to 1) */
    bool percent;        /* 0.25 shows as 25 % */
    bool log_y;
} ur_plot_panel;

/* Panels one above the other over the same x axis, for example accuracy above loss. Curves of the
 * same name look the same in all panels and stand in the legend once. Curves differ in colour (a
 * palette safe for colour-blind readers), dashes and markers, so that they differ in grey, too. */
typedef struct ur_plot_chart {
    const char *title, *x_label; /* or NULL */
    const ur_plot_panel *panels;
    size_t n_panels; /* 1 to 4 */
} ur_plot_chart;

/* Draws the chart into the file at `path`. UR_INVALID for a number of panels or a range of y that
 * makes no sense. A panel without a single point is drawn empty. */
ur_status ur_plot_lines(const ur_allocator *a, const ur_plot_chart *chart, const char *path,
                        ur_err *err);

/* ---- heat maps ---------------------------------------------------------------------------- */

/* A matrix as coloured squares: row 0 at the top, column 0 at the left, labels at the left and above,
 * a colour bar at the right. The colours grow evenly darker (white is `least`), so they read in
 * grey. For attention, columns are the input's characters in reading order and rows the output's. */
typedef struct ur_heat_map {
    const char *title;                /* this and the next three: or NULL */
    const char *row_title;            /* what the rows are: "output" */
    const char *column_title;         /* what the columns are: "input" */
    const char *value_title;          /* what the values are: "attention weight" */
    size_t rows, columns;             /* 1 to 1000 each */
    const char *const *row_labels;    /* (rows); a label that is one space shows as an open box */
    const char *const *column_labels; /* (columns); labels wider than a square stand upright */
    const float *values;              /* (rows, columns); what is not finite is grey */
    double least, most;               /* values of the lightest and the darkest colour, values
                                           beyond take those; both 0: from the data */
} ur_heat_map;

/* Draws the heat map into the file at `path`. Every square carries its labels and value as a text
 * that viewers show under the pointer. UR_INVALID for sizes or a range that make no sense. */
ur_status ur_plot_heat_map(const ur_allocator *a, const ur_heat_map *map, const char *path,
                           ur_err *err);

#endif
