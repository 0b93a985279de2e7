/* plot_axis.h - what an axis of a line chart spans, where its ticks stand and values fall. */
#ifndef UR_IO_PLOT_AXIS_H
#define UR_IO_PLOT_AXIS_H

#include "unroll/io.h"
#include "io/svg.h"

#define UR_AXIS_LIMIT 1e300 /* larger values count as gaps: their differences overflow */

/* A tick: where (0 to 1 along the axis) and what it says ("" for a minor one). */
typedef struct ur_mark_on_axis {
    double place;
    char label[UR_TICK_LABEL];
} ur_mark_on_axis;

enum { UR_AXIS_MARKS = 64 };

typedef struct ur_axis {
    double least, most; /* logarithms to the base 10 when log */
    bool log;
    int n_marks;
    ur_mark_on_axis marks[UR_AXIS_MARKS];
} ur_axis;

/* The x axis of all panels: from 0 if the data begins near it; whole ticks for whole numbers. */
ur_axis ur_axis_for_x(const ur_plot_chart *chart);

/* The y axis of a panel: the range asked for, or round numbers around the data. */
ur_axis ur_axis_for_y(const ur_plot_panel *panel);

/* Whether a value can be placed at all, and where (0 to 1; beyond when outside the range). */
bool ur_axis_shows(const ur_axis *axis, double value);
double ur_axis_place(const ur_axis *axis, double value);

/* Width of the widest label, in pixels at this font size. */
double ur_axis_label_width(const ur_axis *axis, double size);

#endif
