/* axis.c - round ticks and the axes of line charts; see axis.h. */
#include "io/axis.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- ticks -------------------------------------------------------------------------------- */

bool ur_axis_range_is_good(double least, double most)
{
    return fabs(least) < UR_AXIS_LIMIT && fabs(most) < UR_AXIS_LIMIT &&
           most - least >= UR_AXIS_TINY &&
           most - least >= UR_AXIS_NARROW * fmax(fabs(least), fabs(most));
}

ur_ticks ur_nice_ticks(double least, double most, int about, bool whole, bool around)
{
    double raw = (most - least) / about;
    double power = pow(10.0, floor(log10(raw)));
    double part = raw / power; /* 1 to 10 */
    double step = power * (part < 1.5 ? 1 : part < 3.2 ? 2 : part < 7.1 ? 5 : 10);
    if (whole && step < 1)
        step = 1;
    /* A hundred-thousandth of a step forgives rounding: 0.1 + 0.2 lies on the tick 0.3. */
    double low = least / step, high = most / step, slack = around ? 1e-5 : -1e-5;
    double first = around ? floor(low + slack) : ceil(low + slack);
    double last = around ? ceil(high - slack) : floor(high - slack);
    double count = fmin(fmax(last - first + 1, 0), 50);
    return (ur_ticks){.first = first * step,
                      .step = step,
                      .count = (int)count,
                      .decimals = (int)ceil(-log10(step) - 1e-9)};
}

double ur_tick(const ur_ticks *ticks, int i)
{
    /* Whole multiples of the step, so that zero is zero. */
    return (round(ticks->first / ticks->step) + i) * ticks->step;
}

/* All labels of an axis are written in one way: with a power of ten where the numbers are large, or
 * where many zeros would follow the point. */
static bool is_scientific(double largest, int decimals)
{
    return largest >= 1e6 || decimals > 9 || (decimals > 5 && largest < 0.01);
}

void ur_tick_label(const ur_ticks *ticks, int i, bool percent, char out[UR_TICK_LABEL])
{
    const double scale = percent ? 100 : 1, value = ur_tick(ticks, i) * scale;
    const double first = ur_tick(ticks, 0), last = ur_tick(ticks, ticks->count - 1);
    const int decimals = ticks->decimals - (percent ? 2 : 0);
    char number[UR_FIXED];
    if (!is_scientific(scale * fmax(fabs(first), fabs(last)), decimals)) {
        ur_fixed(number, value, decimals, false);
    } else {
        const int exponent = value != 0 ? (int)floor(log10(fabs(value)) + 1e-9) : 0;
        ur_scientific(number, value, exponent + decimals);
    }
    snprintf(out, UR_TICK_LABEL, "%s%s", number, percent ? " %" : "");
}

/* ---- values on an axis -------------------------------------------------------------------- */

/* What is drawn for a value: on a linear axis the smallest are zeros. */
static double drawn(const ur_axis *axis, double value)
{
    return !axis->log && fabs(value) < UR_AXIS_TINY ? 0 : value;
}

bool ur_axis_shows(const ur_axis *axis, double value)
{
    return fabs(value) < UR_AXIS_LIMIT && (!axis->log || value > 1 / UR_AXIS_LIMIT);
}

double ur_axis_place(const ur_axis *axis, double value)
{
    double place = ((axis->log ? log10(value) : drawn(axis, value)) - axis->least) /
                   (axis->most - axis->least);
    return fmin(fmax(place, -10), 10); /* far outside is far enough */
}

double ur_axis_label_width(const ur_axis *axis, double size)
{
    double width = 0;
    for (int i = 0; i < axis->n_marks; i++)
        width = fmax(width, ur_svg_text_width(axis->marks[i].label, size));
    return width;
}

/* The smallest and the largest of the values that can be shown; false when there are none. */
static bool extend(const ur_axis *axis, const double *values, size_t n, double *least, double *most)
{
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        if (!ur_axis_shows(axis, values[i]))
            continue;
        *least = fmin(*least, drawn(axis, values[i]));
        *most = fmax(*most, drawn(axis, values[i]));
        any = true;
    }
    return any;
}

/* Room around a single value, or around several that labels could not tell apart. */
static void widen(double *least, double *most)
{
    if (ur_axis_range_is_good(*least, *most))
        return;
    const double size = fmax(fabs(*least), fabs(*most));
    *least -= size > 0 ? size / 2 : 0.5;
    *most += size > 0 ? size / 2 : 0.5;
}

static void add_mark(ur_axis *axis, double place, const char *label)
{
    if (axis->n_marks == UR_AXIS_MARKS || place < -1e-9 || place > 1 + 1e-9)
        return;
    ur_mark_on_axis *mark = &axis->marks[axis->n_marks++];
    mark->place = place;
    snprintf(mark->label, sizeof mark->label, "%s", label);
}

static void add_ticks(ur_axis *axis, const ur_ticks *ticks, bool percent)
{
    for (int i = 0; i < ticks->count; i++) {
        char label[UR_TICK_LABEL];
        ur_tick_label(ticks, i, percent, label);
        add_mark(axis, ur_axis_place(axis, ur_tick(ticks, i)), label);
    }
}

/* ---- linear axes -------------------------------------------------------------------------- */

ur_axis ur_axis_for_x(const ur_plot_chart *chart)
{
    ur_axis axis = {0};
    double least = INFINITY, most = -INFINITY;
    bool any = false, whole = true;
    for (size_t p = 0; p < chart->n_panels; p++) {
        for (size_t s = 0; s < chart->panels[p].n_series; s++) {
            const ur_plot_series *series = &chart->panels[p].series[s];
            any = extend(&axis, series->x, series->n, &least, &most) || any;
            for (size_t i = 0; i < series->n; i++)
                whole = whole && (!ur_axis_shows(&axis, series->x[i]) ||
                                  series->x[i] == floor(series->x[i]));
        }
    }
    if (!any) {
        least = 0;
        most = 1;
    } else if (whole && least == most && most < 1e15) {
        least -= 1;
        most += 1;
    } else if (least > 0 && least <= 0.2 * most) {
        least = 0;
    }
    widen(&least, &most);
    axis.least = least;
    axis.most = most;
    ur_ticks ticks = ur_nice_ticks(least, most, 8, whole, false);
    add_ticks(&axis, &ticks, false);
    return axis;
}

static void linear_y(ur_axis *axis, const ur_plot_panel *panel, double least, double most,
                     bool given)
{
    const int about = 5;
    if (!given) {
        widen(&least, &most);
        if (least > 0 && least < 0.6 * most)
            least = 0;
        ur_ticks around = ur_nice_ticks(least, most, about, false, true);
        least = ur_tick(&around, 0);
        most = ur_tick(&around, around.count - 1);
    }
    axis->least = least;
    axis->most = most;
    ur_ticks ticks = ur_nice_ticks(least, most, about, false, false);
    add_ticks(axis, &ticks, panel->percent);
}

/* The range for values from 0 to `bound`: all of it, or the corner in which they lie, out to a tick.
 * False when some lie outside. */
static bool bounded(double *least, double *most, double bound)
{
    const double corner = 0.2 * bound;
    if (*least < 0 || *most > bound)
        return false;
    if (*least >= bound - corner) {
        const double low = fmin(*least, bound * (1 - 1e-3));
        const ur_ticks ticks = ur_nice_ticks(low, bound, 5, false, true);
        *least = fmax(ur_tick(&ticks, 0), 0);
        *most = bound;
    } else if (*most <= corner) {
        const double high = fmax(*most, bound * 1e-3);
        const ur_ticks ticks = ur_nice_ticks(0, high, 5, false, true);
        *least = 0;
        *most = fmin(ur_tick(&ticks, ticks.count - 1), bound);
    } else {
        *least = 0;
        *most = bound;
    }
    return true;
}

/* ---- logarithmic axes --------------------------------------------------------------------- */

/* The number factor * 10^power: "0.02", "100", further out "2e-7". */
static void power_label(int factor, int power, bool percent, char label[UR_TICK_LABEL])
{
    const char *unit = percent ? " %" : "";
    char number[UR_FIXED];
    power += percent ? 2 : 0;
    if (power < -5 || power > 5)
        snprintf(label, UR_TICK_LABEL, "%de%d%s", factor, power, unit);
    else
        snprintf(label, UR_TICK_LABEL, "%s%s",
                 ur_fixed(number, factor * pow(10, power), power < 0 ? -power : 0, false), unit);
}

/* A tick at every power of ten (every n-th when there are many); at 2 and 5 times it, too, when there
 * are few, at every multiple where there is hardly one; the other multiples only as lines. */
static void log_y(ur_axis *axis, const ur_plot_panel *panel, double least, double most, bool given)
{
    axis->least = log10(least);
    axis->most = log10(most);
    if (!given) {
        /* Out to the next 1, 2 or 5 times a power of ten. */
        double low = floor(axis->least + 1e-9), high = floor(axis->most + 1e-9);
        double first = pow(10, axis->least - low), last = pow(10, axis->most - high);
        const double slack = 1e-9;
        first = first < 2 - slack ? 1 : first < 5 - slack ? 2 : 5;
        last = last <= 1 + slack ? 1 : last <= 2 + slack ? 2 : last <= 5 + slack ? 5 : 10;
        axis->least = low + log10(first);
        axis->most = high + log10(last);
        if (axis->most - axis->least < 0.1)
            axis->most += log10(2);
    }
    int low = (int)floor(axis->least - 1e-9), high = (int)ceil(axis->most + 1e-9);
    int every = (int)((axis->most - axis->least) / 7) + 1;
    bool few = axis->most - axis->least < 2.1, short_range = axis->most - axis->least < 0.75;
    for (int power = low; power <= high; power++) {
        for (int factor = 1; factor < (every == 1 ? 10 : 2); factor++) {
            char label[UR_TICK_LABEL] = "";
            double place = (power + log10(factor) - axis->least) / (axis->most - axis->least);
            bool named = factor == 1 ? power % every == 0
                                     : short_range || (few && (factor == 2 || factor == 5));
            if (named)
                power_label(factor, power, panel->percent, label);
            if (named || every == 1)
                add_mark(axis, place, label);
        }
    }
}

ur_axis ur_axis_for_y(const ur_plot_panel *panel, double bound)
{
    ur_axis axis = {.log = panel->log_y};
    double least = INFINITY, most = -INFINITY;
    bool given = panel->y_min != 0 || panel->y_max != 0, any = false;
    if (!(bound > 0))
        bound = panel->percent ? 1 : 0;
    for (size_t s = 0; s < panel->n_series && !given; s++)
        any = extend(&axis, panel->series[s].y, panel->series[s].n, &least, &most) || any;
    if (given) {
        least = panel->y_min;
        most = panel->y_max;
    } else if (bound > 0 && any && !panel->log_y) {
        given = bounded(&least, &most, bound);
    } else if (!any && !panel->log_y) {
        least = 0;
        most = bound > 0 ? bound : 1;
    } else if (!any) {
        least = 0.1;
        most = 1;
    }
    if (panel->log_y)
        log_y(&axis, panel, least, most, given);
    else
        linear_y(&axis, panel, least, most, given);
    return axis;
}
