/* plot_lines.c - line charts, one coordinate system or several above each other; see unroll/io.h.
 *
 * Two steps: arranging (which curves look how, what the axes span, where everything stands) and
 * drawing. The x axis is shared by all panels and labelled below the last. */
#include "unroll/io.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fpmode.h"
#include "base/status.h"
#include "io/axis.h"
#include "io/svg.h"

#define WIDTH 640.0
#define EDGE 16.0 /* white around everything */
#define LABEL_SIZE 12.0
#define LEGEND_ROW 20.0
#define SAMPLE 28.0   /* of a curve in the legend */
#define MOST_PANELS 4 /* more would need a taller page */

/* The whole picture. */
typedef struct layout {
    const ur_plot_chart *chart;
    double left, right, top,
        height;    /* the panels' plot areas: x from left to right; the first's top,
                                        the height of each */
    double gap;    /* between panels */
    double legend; /* y of the legend's first row */
    double page;   /* height */
    ur_axis x, y[MOST_PANELS];
    const char *
        *names;    /* the different names of curves, in the order they appear, or in the chart's */
    size_t *looks; /* (n_names) ur_plot_series.look */
    size_t n_names;
} layout;

static bool has(const char *text)
{
    return text != NULL && text[0] != '\0';
}

/* ---- arranging ---------------------------------------------------------------------------- */

/* Colour and marker, and the dashes of the line. */
typedef struct look {
    size_t colour, dash;
} look;

/* One more than a name's place in the chart's order; 0: it has none. */
static size_t given_place(const ur_plot_chart *chart, const char *name)
{
    for (size_t i = 0; chart->order && has(name) && i < chart->n_order; i++)
        if (strcmp(chart->order[i], name) == 0)
            return i + 1;
    return 0;
}

static look look_at(size_t given, size_t place)
{
    return given ? (look){(given - 1) / 2, (given - 1) % 2} : (look){place, place};
}

/* How a curve looks: by its place in the chart's order, or among the names; a nameless one by its place
 * in the panel. */
static look look_of(const layout *l, const ur_plot_panel *panel, size_t series)
{
    const char *name = panel->series[series].name;
    const size_t given = given_place(l->chart, name);
    for (size_t i = 0; !given && has(name) && i < l->n_names; i++)
        if (strcmp(l->names[i], name) == 0)
            return look_at(0, i);
    return look_at(given, series);
}

/* A name more, before those of later places. */
static void add_name(layout *l, const char *name)
{
    const size_t given = given_place(l->chart, name);
    size_t at = l->n_names++;
    for (; given && at > 0 && given_place(l->chart, l->names[at - 1]) > given; at--)
        l->names[at] = l->names[at - 1];
    l->names[at] = name;
}

static ur_status collect_names(const ur_allocator *a, layout *l, ur_err *err)
{
    size_t total = 0;
    for (size_t p = 0; p < l->chart->n_panels; p++)
        total += l->chart->panels[p].n_series;
    l->names = ur_alloc(a, total, sizeof *l->names);
    if (l->names == NULL)
        return ur_no_memory(err, total * sizeof *l->names);
    for (size_t p = 0; p < l->chart->n_panels; p++) {
        for (size_t s = 0; s < l->chart->panels[p].n_series; s++) {
            const char *name = l->chart->panels[p].series[s].name;
            bool known = !has(name);
            for (size_t i = 0; i < l->n_names; i++)
                known = known || strcmp(l->names[i], name) == 0;
            if (!known)
                add_name(l, name);
        }
    }
    return UR_OK;
}

static double entry_width(const layout *l, size_t i)
{
    double most = WIDTH - 2 * EDGE - SAMPLE - 8;
    return SAMPLE + 6 + fmin(ur_svg_text_width(l->names[i], LABEL_SIZE), most);
}

/* Whether this entry and the next one are of one colour: they stand on one row where they can. */
static bool opens_pair(const layout *l, size_t i)
{
    const size_t place = given_place(l->chart, l->names[i]);
    return place % 2 == 1 && i + 1 < l->n_names &&
           given_place(l->chart, l->names[i + 1]) == place + 1;
}

/* How many legend entries from `first` on fit on one row, and how wide that row is. */
static size_t legend_row(const layout *l, size_t first, double *width)
{
    const double between = 20;
    size_t n = 0;
    *width = 0;
    while (first + n < l->n_names) {
        double next = entry_width(l, first + n) + (n > 0 ? between : 0);
        const double pair = opens_pair(l, first + n) ? between + entry_width(l, first + n + 1) : 0;
        if (n > 0 && *width + next + pair > WIDTH - 2 * EDGE)
            break;
        *width += next;
        n++;
    }
    return n;
}

static void arrange(layout *l)
{
    const ur_plot_chart *chart = l->chart;
    double tick_width = 0, row;
    bool labels = false;
    l->x = ur_axis_for_x(chart);
    for (size_t p = 0; p < chart->n_panels; p++) {
        l->y[p] = ur_axis_for_y(&chart->panels[p], chart->bounds ? chart->bounds[p] : 0);
        tick_width = fmax(tick_width, ur_axis_label_width(&l->y[p], 11));
        labels = labels || has(chart->panels[p].y_label);
    }
    l->left = ceil(EDGE + (labels ? 24 : 0) + tick_width + 9);
    l->right = WIDTH - EDGE - 14;
    l->top = EDGE + (has(chart->title) ? 30 : 2);
    l->legend = l->top + LEGEND_ROW / 2 - 4;
    for (size_t i = 0; i < l->n_names; i += legend_row(l, i, &row))
        l->top += LEGEND_ROW;
    l->top += l->n_names > 0 ? 6 : 0;
    l->gap = 26;
    l->height = chart->n_panels == 1 ? 280 : 180;
    l->page = l->top + (double)chart->n_panels * (l->height + l->gap) - l->gap + 22 +
              (has(chart->x_label) ? 20 : 0) + EDGE - 4;
}

/* ---- curves ------------------------------------------------------------------------------- */

enum { MARKERS = 5, DASHES = 4 };

/* Marker `number` around (x, y): circle, square, triangles, diamond. */
static void put_marker(ur_buffer *b, double x, double y, size_t number)
{
    static const char *const shapes[MARKERS] = {
        "M-3.2 0a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0 -6.4 0z", "M-2.9 -2.9h5.8v5.8h-5.8z",
        "M0 -3.9L3.6 2.6H-3.6z", "M0 -4.1L3.4 0L0 4.1L-3.4 0z", "M0 3.9L3.6 -2.6H-3.6z"};
    ur_svg_put(b, "<path transform=\"translate(%f %f)\" d=\"%s\" fill=\"%s\"/>\n", x, y,
               shapes[number % MARKERS], ur_curve_colour(number));
}

static void begin_line(ur_buffer *b, look own)
{
    static const char *const dashes[DASHES] = {"", "7 3", "2 2.4", "9 3 2 3"};
    ur_svg_put(b,
               "<path fill=\"none\" stroke=\"%s\" stroke-width=\"1.8\" stroke-linejoin=\"round\"",
               ur_curve_colour(own.colour));
    if (own.dash % DASHES != 0)
        ur_svg_put(b, " stroke-dasharray=\"%s\"", dashes[own.dash % DASHES]);
    ur_svg_put(b, " d=\"");
}

/* Where point i lies; false for a gap. */
static bool point(const layout *l, size_t panel, const ur_plot_series *s, size_t i, double *x,
                  double *y)
{
    if (!ur_axis_shows(&l->x, s->x[i]) || !ur_axis_shows(&l->y[panel], s->y[i]))
        return false;
    *x = l->left + (l->right - l->left) * ur_axis_place(&l->x, s->x[i]);
    *y = l->height * (1 - ur_axis_place(&l->y[panel], s->y[i]));
    return true;
}

static void put_curve(ur_buffer *b, const layout *l, size_t panel, size_t index)
{
    const ur_plot_series *s = &l->chart->panels[panel].series[index];
    double x, y;
    bool open = false;
    begin_line(b, look_of(l, &l->chart->panels[panel], index));
    ur_svg_put(b, "M0 0");
    for (size_t i = 0; i < s->n; i++) {
        bool here = point(l, panel, s, i, &x, &y);
        if (here)
            ur_svg_put(b, open ? "L%f %f" : "M%f %f", x, y);
        open = here;
    }
    ur_svg_put(b, "\"/>\n");
}

/* Markers stand on about ten points of a curve, shifted from one curve to the next so that curves
 * that lie on each other can both be seen; and on every point that has no line. */
static void put_markers(ur_buffer *b, const layout *l, size_t panel, size_t index, double top)
{
    const ur_plot_series *s = &l->chart->panels[panel].series[index];
    const look own = look_of(l, &l->chart->panels[panel], index);
    const size_t stride = s->n / 10 + 1;
    const size_t shift = ((2 * own.colour + own.dash) * stride / 3) % stride;
    double x, y, unused_x, unused_y;
    for (size_t i = 0; i < s->n; i++) {
        bool before = i > 0 && point(l, panel, s, i - 1, &unused_x, &unused_y);
        bool after = i + 1 < s->n && point(l, panel, s, i + 1, &unused_x, &unused_y);
        bool wanted = i % stride == shift || (!before && !after);
        if (wanted && point(l, panel, s, i, &x, &y) && y > -1e-6 && y < l->height + 1e-6)
            put_marker(b, x, top + y, own.colour);
    }
}

/* ---- panels ------------------------------------------------------------------------------- */

static void put_x_ticks(ur_buffer *b, const layout *l, double top, bool labels)
{
    const ur_svg_style style = {11, "middle", UR_SVG_FAINT, false, false, false};
    double bottom = top + l->height;
    for (int i = 0; i < l->x.n_marks; i++) {
        const ur_mark_on_axis *mark = &l->x.marks[i];
        double x = l->left + (l->right - l->left) * mark->place;
        ur_svg_put(b, "<path d=\"M%f %fv4\" stroke=\"%s\"/>\n", x, bottom, UR_SVG_FAINT);
        if (labels)
            ur_svg_text(b, x, bottom + 14, &style, 200, mark->label);
    }
}

static void put_y_ticks(ur_buffer *b, const layout *l, size_t panel, double top)
{
    const ur_svg_style style = {11, "end", UR_SVG_FAINT, false, false, false};
    for (int i = 0; i < l->y[panel].n_marks; i++) {
        const ur_mark_on_axis *mark = &l->y[panel].marks[i];
        double y = top + l->height * (1 - mark->place);
        if (mark->place > 0.001)
            ur_svg_put(b, "<path d=\"M%f %fH%f\" stroke=\"%s\" stroke-width=\"%f\"/>\n", l->left, y,
                       l->right, UR_SVG_GRID, mark->label[0] != '\0' ? 1.0 : 0.4);
        if (mark->label[0] != '\0')
            ur_svg_text(b, l->left - 7, y, &style, 200, mark->label);
    }
}

static void put_panel(ur_buffer *b, const layout *l, size_t panel)
{
    double top = l->top + (double)panel * (l->height + l->gap);
    const ur_svg_style side = {LABEL_SIZE, "middle", UR_SVG_INK, .upright = true};
    put_y_ticks(b, l, panel, top);
    put_x_ticks(b, l, top, panel + 1 == l->chart->n_panels);
    ur_svg_put(b, "<path d=\"M%f %fV%fH%f\" fill=\"none\" stroke=\"%s\"/>\n", l->left, top,
               top + l->height, l->right, UR_SVG_FAINT);
    if (has(l->chart->panels[panel].y_label))
        ur_svg_text(b, EDGE + 6, top + l->height / 2, &side, l->height + l->gap - 4,
                    l->chart->panels[panel].y_label);
    /* An inner picture clips the lines outside the range; markers may stand on its edge. The first
     * curve lies on top. */
    const double room = 1;
    size_t n = l->chart->panels[panel].n_series;
    ur_svg_put(b, "<svg x=\"0\" y=\"%f\" width=\"%f\" height=\"%f\" viewBox=\"0 %f %f %f\">\n",
               top - room, WIDTH, l->height + 2 * room, -room, WIDTH, l->height + 2 * room);
    for (size_t s = n; s > 0; s--)
        put_curve(b, l, panel, s - 1);
    ur_svg_put(b, "</svg>\n");
    for (size_t s = n; s > 0; s--)
        put_markers(b, l, panel, s - 1, top);
}

static void put_legend(ur_buffer *b, const layout *l)
{
    const ur_svg_style style = {LABEL_SIZE, "start", UR_SVG_INK, false, false, false};
    double y = l->legend, width;
    for (size_t first = 0, n; first < l->n_names; first += n, y += LEGEND_ROW) {
        n = legend_row(l, first, &width);
        double x = fmax((l->left + l->right - width) / 2, EDGE);
        x = fmin(x, WIDTH - EDGE - width);
        for (size_t i = first; i < first + n; i++) {
            const look own = look_at(given_place(l->chart, l->names[i]), i);
            begin_line(b, own);
            ur_svg_put(b, "M%f %fh%f\"/>\n", x, y, SAMPLE);
            put_marker(b, x + SAMPLE / 2, y, own.colour);
            ur_svg_text(b, x + SAMPLE + 6, y, &style, WIDTH - 2 * EDGE - SAMPLE - 8, l->names[i]);
            x += entry_width(l, i) + 20;
        }
    }
}

static void draw(ur_buffer *b, const layout *l)
{
    const ur_svg_style label = {LABEL_SIZE, "middle", UR_SVG_INK, false, false, false};
    const ur_plot_chart *chart = l->chart;
    ur_svg_begin(b, WIDTH, l->page, chart->title);
    if (has(chart->title))
        ur_svg_title(b, (l->left + l->right) / 2, EDGE + 8, WIDTH, EDGE, chart->title);
    put_legend(b, l);
    for (size_t p = 0; p < chart->n_panels; p++)
        put_panel(b, l, p);
    if (has(chart->x_label))
        ur_svg_text(b, (l->left + l->right) / 2, l->page - EDGE - 2, &label, l->right - l->left,
                    chart->x_label);
    ur_svg_end(b);
}

static ur_status check(const ur_plot_chart *chart, ur_err *err)
{
    if (chart->n_panels < 1 || chart->n_panels > MOST_PANELS)
        return ur_fail(err, UR_INVALID, "line chart: %zu panels, expected 1 to %d", chart->n_panels,
                       MOST_PANELS);
    for (size_t p = 0; p < chart->n_panels; p++) {
        const ur_plot_panel *panel = &chart->panels[p];
        bool given = panel->y_min != 0 || panel->y_max != 0;
        bool good = ur_axis_range_is_good(panel->y_min, panel->y_max) &&
                    (!panel->log_y || panel->y_min > 0);
        if (given && !good)
            return ur_fail(err, UR_INVALID, "line chart: y from %g to %g, expected a %srange",
                           panel->y_min, panel->y_max, panel->log_y ? "positive " : "");
    }
    return UR_OK;
}

ur_status ur_plot_lines(const ur_allocator *a, const ur_plot_chart *chart, const char *path,
                        ur_err *err)
{
    UR_FPMODE_HERE;
    layout l = {.chart = chart};
    ur_status status = check(chart, err);
    if (status == UR_OK)
        status = collect_names(a, &l, err);
    if (status == UR_OK) {
        ur_buffer b = ur_buffer_start(a);
        arrange(&l);
        draw(&b, &l);
        status = ur_buffer_save(&b, path, err);
        ur_buffer_free(&b);
    }
    ur_free(a, l.names);
    return status;
}
