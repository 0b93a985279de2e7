/* axis.h - round ticks; what an axis of a line chart spans, where its ticks stand and values fall.
 *
 * An axis may be asked for any doubles at all. What keeps its arithmetic away from infinities,
 * zero widths and denormals: values beyond UR_AXIS_LIMIT are gaps, on a linear axis sizes below
 * UR_AXIS_TINY count as zero, and a range is at least UR_AXIS_NARROW of its own size wide
 * (ur_axis_range_is_good). */
#ifndef UR_IO_AXIS_H
#define UR_IO_AXIS_H

#include "unroll/io.h"
#include "io/svg.h"

#define UR_AXIS_LIMIT 1e300
#define UR_AXIS_TINY 1e-290
#define UR_AXIS_NARROW 1e-8 /* labels have 9 digits after the first */

/* ---- ticks -------------------------------------------------------------------------------- */

/* Whether the two are in rising order, below the limit, and far enough apart for ticks. */
bool ur_axis_range_is_good(double least, double most);

/* Round numbers along an axis: first, first + step ... */
typedef struct ur_ticks {
    double first, step;
    int count;
    int decimals; /* digits after the point that the step needs; negative: zeros before it */
} ur_ticks;

/* About `about` ticks in a good range; `whole` allows whole numbers only. `around` has the first
 * and last tick just enclose the range instead of lying inside. */
ur_ticks ur_nice_ticks(double least, double most, int about, bool whole, bool around);

double ur_tick(const ur_ticks *ticks, int i);

/* The label of tick `i`, "0.25", "25 %" or "2.5e-7", into `out`. */
enum { UR_TICK_LABEL = 40 };
void ur_tick_label(const ur_ticks *ticks, int i, bool percent, char out[UR_TICK_LABEL]);

/* ---- axes --------------------------------------------------------------------------------- */

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

/* The y axis of a panel: the range asked for (which is good), or round numbers around the data. */
ur_axis ur_axis_for_y(const ur_plot_panel *panel, double bound);

/* Whether a value can be placed at all, and where (0 to 1; beyond when outside the range). */
bool ur_axis_shows(const ur_axis *axis, double value);
double ur_axis_place(const ur_axis *axis, double value);

/* Width of the widest label, in pixels at this font size. */
double ur_axis_label_width(const ur_axis *axis, double size);

#endif
