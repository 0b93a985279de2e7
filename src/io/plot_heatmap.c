/* plot_heatmap.c - a matrix as coloured squares, and a confusion matrix as one of shares (counts
 * divided by their row's sum); see unroll/io.h.
 *
 *            column_title
 *            labels above           value_title
 *     labels +-----------+  +-+
 *     at the |  squares  |  | | ticks
 *     left   +-----------+  +-+
 * In a grid each matrix has its own title above it, and column_title stands above them all.       */
#include "unroll/io.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fpmode.h"
#include "base/status.h"
#include "io/axis.h"
#include "io/svg.h"

#define EDGE 16.0         /* white around everything */
#define LABEL_LIMIT 160.0 /* longer labels are cut */
#define GAP 14.0          /* between the matrices of a grid */
#define MAP_TITLE 20.0    /* room above a matrix for its title */

/* Where everything stands. */
typedef struct layout {
    double width, height; /* of the picture */
    double left;          /* of what stands at the left edge */
    double x, y, cell;    /* the first square's corner, a square's side */
    size_t down, across;  /* matrices */
    double matrix_width, matrix_height;
    double step_x, step_y;            /* from matrix to matrix */
    double all_width, all_height;     /* of all of them */
    double map_title;                 /* room for a title above the labels of the first line */
    double label_size;                /* font */
    bool mono, upright;               /* labels: one character each; columns wider than a square */
    double row_labels, column_labels; /* room they take */
    double bar_x, bar_y, bar_height;
    double least, most;
    double count_size, share_size; /* fonts in the squares; 0: nothing stands there */
    ur_ticks ticks;
} layout;

enum { BAR_WIDTH = 14 };

static double widest(const char *const *labels, size_t n, double size)
{
    double width = 0;
    for (size_t i = 0; i < n; i++)
        width = fmax(width, ur_svg_text_width(labels[i], size));
    return width;
}

static bool has(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static size_t at_least_one(size_t n)
{
    return n ? n : 1;
}

/* The values that get the lightest and the darkest colour. */
static void value_range(const ur_heat_map *map, double *least, double *most)
{
    *least = map->least;
    *most = map->most;
    if (map->least != 0 || map->most != 0)
        return;
    *least = INFINITY;
    *most = -INFINITY;
    const size_t n = at_least_one(map->down) * at_least_one(map->across) * map->rows * map->columns;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(map->values[i]))
            continue;
        *least = fmin(*least, (double)map->values[i]);
        *most = fmax(*most, (double)map->values[i]);
    }
    if (*least > *most) {
        *least = 0;
        *most = 1;
    } else if (!ur_axis_range_is_good(*least, *most)) { /* all values alike: with zero */
        *least = fmin(*least, 0);
        *most = *least < 0 || *most > 0 ? fmax(*most, 0) : 1;
    }
}

/* 1234, 56k, 7M: at most 4 characters where squares are small, else 6. */
static void count_text(size_t count, bool small, char text[24])
{
    static const char units[] = {'k', 'M', 'G', 'T', 'P', 'E'};
    const size_t most = small ? 9999 : 999999;
    int unit = -1;
    while (count > most || (unit >= 0 && count > 999)) {
        count = count / 1000 + (count % 1000 >= 500);
        unit++;
    }
    if (unit < 0)
        snprintf(text, 24, "%zu", count);
    else
        snprintf(text, 24, "%zu%c", count, units[unit]);
}

/* 3.6 %, 96 %; never 0 % of something nor 100 % of less than all. */
static void share_text(double share, char text[24])
{
    const bool tenths = share < 0.0995 || (share >= 0.995 && share < 1);
    char number[UR_FIXED];
    if (share < 0.0005)
        snprintf(text, 24, "<0.1 %%");
    else if (share >= 0.9995 && share < 1)
        snprintf(text, 24, ">99.9 %%");
    else
        snprintf(text, 24, "%.16s %%", ur_fixed(number, 100 * share, tenths, false));
}

static bool small_squares(const layout *l)
{
    return l->cell < 40;
}

/* Fonts with which every count fits its square, and a share below it where that is wide enough. */
static void arrange_counts(const ur_heat_map *map, layout *l)
{
    double widest_count = 0;
    for (size_t i = 0; i < map->rows * map->columns; i++) {
        char text[24];
        count_text(map->counts[i], small_squares(l), text);
        widest_count = fmax(widest_count, ur_svg_text_width(text, 1));
    }
    l->count_size = fmin(fmin(0.5 * l->cell, 14), (l->cell - 3) / fmax(widest_count, 0.1));
    if (l->cell >= 44)
        l->share_size = 10;
}

static void arrange_matrices(const ur_heat_map *map, layout *l)
{
    l->matrix_width = l->cell * (double)map->columns;
    l->matrix_height = l->cell * (double)map->rows;
    l->map_title = map->map_titles ? MAP_TITLE : 0;
    l->step_x = l->matrix_width + GAP;
    l->step_y = l->matrix_height + GAP + l->map_title;
    l->all_width = (double)(l->across - 1) * l->step_x + l->matrix_width;
    l->all_height = (double)(l->down - 1) * l->step_y + l->matrix_height;
}

static layout arrange(const ur_heat_map *map)
{
    layout l = {0};
    size_t longest = map->columns > map->rows ? map->columns : map->rows;
    l.down = at_least_one(map->down);
    l.across = at_least_one(map->across);
    l.cell = fmin(fmax(floor(680.0 / (double)longest), 8), longest <= 8 ? 36 : 24);
    if (l.across > 1)
        l.cell = fmin(fmax(floor((920.0 / (double)l.across - GAP) / (double)map->columns), 8), 24);
    if (map->counts) {
        l.cell = fmin(fmax(floor(880.0 / (double)longest), longest <= 60 ? 22 : 8), 60);
        arrange_counts(map, &l);
    }
    l.label_size = fmin(fmax(l.cell * 0.6, 6), 13);
    double column_width = widest(map->column_labels, map->columns, l.label_size);
    double row_width = widest(map->row_labels, map->rows, l.label_size);
    l.mono = fmax(column_width, row_width) <= 1.01 * l.label_size;
    l.upright = column_width > l.cell - 2 && !l.mono;
    l.row_labels = fmin(fmax(row_width, l.label_size), LABEL_LIMIT) + 8;
    l.column_labels = (l.upright ? fmin(column_width, LABEL_LIMIT) + 13 : l.label_size + 9);
    arrange_matrices(map, &l);
    double top = EDGE + (has(map->title) ? 30 : 0); /* of everything below the title */
    l.x = EDGE + (has(map->row_title) ? 22 : 0) + l.row_labels;
    l.y = top + (has(map->column_title) ? 18 : 0) + l.map_title + l.column_labels;
    value_range(map, &l.least, &l.most);
    l.bar_height = fmin(fmax(l.all_height, 110), 240);
    /* A matrix lower than the bar stands in its middle, the bar reaching up beside the labels. */
    l.y = fmax(l.y, top + (l.bar_height - l.all_height) / 2);
    l.bar_y = l.y + (l.all_height - l.bar_height) / 2;
    l.bar_x = l.x + l.all_width + 22;
    l.ticks = ur_nice_ticks(l.least, l.most, l.bar_height > 150 ? 5 : 4, false, false);
    double tick_width = 0;
    for (int i = 0; i < l.ticks.count; i++) {
        char label[UR_TICK_LABEL];
        ur_tick_label(&l.ticks, i, false, label);
        tick_width = fmax(tick_width, ur_svg_text_width(label, 11));
    }
    l.width = l.bar_x + BAR_WIDTH + 8 + tick_width + (has(map->value_title) ? 20 : 0) + EDGE;
    if (has(map->title)) { /* a small matrix stands in the middle below its title */
        double wanted = ur_svg_title_width(map->title) + 2 * EDGE;
        double more = fmax(fmin(wanted, 720) - l.width, 0);
        l.width += more;
        l.left = more / 2;
    }
    l.x += l.left;
    l.bar_x += l.left;
    l.height = fmax(l.y + l.all_height, l.bar_y + l.bar_height) + EDGE + 4;
    return l;
}

/* A space is an open box, drawn, since not every font has one. */
static void put_label(ur_buffer *b, double x, double y, const ur_svg_style *style, double width,
                      const char *text)
{
    if (strcmp(text, " ") != 0) {
        ur_svg_text(b, x, y, style, width, text);
        return;
    }
    double half = 0.27 * style->size, up = 0.2 * style->size;
    if (strcmp(style->anchor, "end") == 0)
        x -= 0.3 * style->size;
    else if (style->upright)
        y -= 0.3 * style->size;
    ur_svg_put(b,
               "<path d=\"M%f %fv%fh%fv%f\" fill=\"none\" stroke=\"#a8b0b9\" "
               "stroke-width=\"1\"/>\n",
               x - half, y + 0.12 * style->size, up, 2 * half, -up);
}

static void put_column_labels(ur_buffer *b, const ur_heat_map *map, const layout *l)
{
    ur_svg_style style = {l->label_size, l->upright ? "start" : "middle", UR_SVG_INK,
                          .mono = l->mono, .upright = l->upright};
    for (size_t i = 0; i < map->columns; i++) {
        double y = l->upright ? l->y - 6 : l->y - 5 - l->label_size / 2;
        put_label(b, l->x + ((double)i + 0.5) * l->cell, y, &style, LABEL_LIMIT,
                  map->column_labels[i]);
    }
}

static void put_row_labels(ur_buffer *b, const ur_heat_map *map, const layout *l)
{
    const ur_svg_style style = {l->label_size, "end", UR_SVG_INK, .mono = l->mono};
    for (size_t i = 0; i < map->rows; i++)
        put_label(b, l->x - 7, l->y + ((double)i + 0.5) * l->cell, &style, LABEL_LIMIT,
                  map->row_labels[i]);
}

static void put_titles(ur_buffer *b, const ur_heat_map *map, const layout *l)
{
    const ur_svg_style axis = {12, "middle", UR_SVG_FAINT, false, false, false};
    const ur_svg_style side = {12, "middle", UR_SVG_FAINT, .upright = true};
    double centre = l->x + l->all_width / 2, middle = l->y + l->all_height / 2;
    if (has(map->title))
        ur_svg_title(b, centre, EDGE + 8, l->width, EDGE, map->title);
    if (has(map->column_title))
        ur_svg_text(b, centre, l->y - l->column_labels - l->map_title - 8, &axis,
                    l->width - 2 * EDGE, map->column_title);
    if (has(map->row_title))
        ur_svg_text(b, l->left + EDGE + 6, middle, &side, l->height - 2 * EDGE, map->row_title);
    if (has(map->value_title))
        ur_svg_text(b, l->width - l->left - EDGE - 6, middle, &side, l->height - 2 * EDGE,
                    map->value_title);
}

/* A value as the text under the pointer says it. */
static void put_value(ur_buffer *b, double value)
{
    char number[UR_FIXED];
    if (!isfinite(value))
        ur_buffer_text(b, "none");
    else if (value == 0 || (fabs(value) >= 1e-4 && fabs(value) < 1e6))
        ur_buffer_fixed(b, value, 4, true);
    else
        ur_buffer_text(b, ur_scientific(number, value, 4));
}

static void put_squares(ur_buffer *b, const ur_heat_map *map, const layout *l, const float *values)
{
    ur_svg_put(b, "<g shape-rendering=\"crispEdges\">\n");
    for (size_t r = 0; r < map->rows; r++) {
        for (size_t c = 0; c < map->columns; c++) {
            const size_t at = r * map->columns + c;
            double value = (double)values[at];
            char colour[8] = "#d9d9d9";
            if (isfinite(value))
                ur_scale_colour((value - l->least) / (l->most - l->least), colour);
            ur_svg_put(b, "<rect x=\"%f\" y=\"%f\" width=\"%f\" height=\"%f\" fill=\"%s\"><title>",
                       l->x + (double)c * l->cell, l->y + (double)r * l->cell, l->cell, l->cell,
                       colour);
            ur_svg_put(b, "%t / %t: ", map->row_labels[r], map->column_labels[c]);
            if (map->counts) {
                char count[24];
                snprintf(count, sizeof count, "%zu", map->counts[at]);
                ur_svg_put(b, "%s, ", count);
            }
            put_value(b, value);
            ur_svg_put(b, "</title></rect>\n");
        }
    }
    ur_svg_put(b, "</g>\n");
}

/* Counts, and shares below them; a square without a count stays empty. */
static void put_counts(ur_buffer *b, const ur_heat_map *map, const layout *l)
{
    if (l->count_size < 4)
        return;
    ur_svg_put(b, "<g pointer-events=\"none\">\n");
    for (size_t r = 0; r < map->rows; r++)
        for (size_t c = 0; c < map->columns; c++) {
            const size_t count = map->counts[r * map->columns + c];
            const double value = (double)map->values[r * map->columns + c];
            const double shade = (value - l->least) / (l->most - l->least);
            const bool below = l->share_size > 0 && isfinite(value);
            const double x = l->x + ((double)c + 0.5) * l->cell;
            const double y = l->y + ((double)r + 0.5) * l->cell - (below ? 7 : 0);
            ur_svg_style style = {l->count_size, "middle", shade > 0.45 ? "#ffffff" : UR_SVG_INK,
                                  false,         false,    false};
            char text[24];
            if (!count)
                continue;
            count_text(count, small_squares(l), text);
            ur_svg_text(b, x, y, &style, l->cell + 8, text);
            if (!below)
                continue;
            share_text(value, text);
            style.size = l->share_size;
            ur_svg_text(b, x, y + 15, &style, l->cell + 8, text);
        }
    ur_svg_put(b, "</g>\n");
}

/* Thin lines that lead from a square to its labels, and the frame. */
static void put_grid(ur_buffer *b, const ur_heat_map *map, const layout *l)
{
    if (l->cell >= 12) {
        ur_svg_put(b, "<path d=\"");
        for (size_t c = 1; c < map->columns; c++)
            ur_svg_put(b, "M%f %fv%f", l->x + (double)c * l->cell, l->y, l->matrix_height);
        for (size_t r = 1; r < map->rows; r++)
            ur_svg_put(b, "M%f %fh%f", l->x, l->y + (double)r * l->cell, l->matrix_width);
        ur_svg_put(b, "\" fill=\"none\" stroke=\"#c9d1d9\" stroke-width=\"0.5\" "
                      "stroke-opacity=\"0.7\" pointer-events=\"none\"/>\n");
    }
    ur_svg_put(b,
               "<rect x=\"%f\" y=\"%f\" width=\"%f\" height=\"%f\" fill=\"none\" "
               "stroke=\"%s\" stroke-width=\"0.8\" pointer-events=\"none\"/>\n",
               l->x, l->y, l->matrix_width, l->matrix_height, UR_SVG_FAINT);
}

/* Every matrix with its squares; labels where they stand. */
static void put_matrices(ur_buffer *b, const ur_heat_map *map, const layout *all)
{
    const ur_svg_style style = {12, "middle", UR_SVG_INK, false, false, false};
    for (size_t i = 0; i < all->down * all->across; i++) {
        const size_t down = i / all->across, across = i % all->across;
        layout l = *all;
        l.x += (double)across * l.step_x;
        l.y += (double)down * l.step_y;
        if (down == 0)
            put_column_labels(b, map, &l);
        if (across == 0)
            put_row_labels(b, map, &l);
        if (map->map_titles)
            ur_svg_text(b, l.x + l.matrix_width / 2,
                        l.y - (down ? 0 : l.column_labels) - MAP_TITLE / 2, &style,
                        l.matrix_width + GAP, map->map_titles[i]);
        put_squares(b, map, &l, map->values + i * map->rows * map->columns);
        put_grid(b, map, &l);
    }
}

static void put_bar(ur_buffer *b, const layout *l)
{
    enum { STOPS = 32 };
    ur_svg_put(b, "<defs><linearGradient id=\"unroll-scale\" x1=\"0\" y1=\"1\" x2=\"0\" y2=\"0\">");
    for (int i = 0; i <= STOPS; i++) {
        char colour[8];
        ur_scale_colour((double)i / STOPS, colour);
        ur_svg_put(b, "<stop offset=\"%f%%\" stop-color=\"%s\"/>", 100.0 * i / STOPS, colour);
    }
    ur_svg_put(b, "</linearGradient></defs>\n");
    ur_svg_put(b,
               "<rect x=\"%f\" y=\"%f\" width=\"%d\" height=\"%f\" fill=\"url(#unroll-scale)\" "
               "stroke=\"%s\" stroke-width=\"0.8\"/>\n",
               l->bar_x, l->bar_y, BAR_WIDTH, l->bar_height, UR_SVG_FAINT);
    const ur_svg_style style = {11, "start", UR_SVG_FAINT, false, false, false};
    for (int i = 0; i < l->ticks.count; i++) {
        char label[UR_TICK_LABEL];
        double value = ur_tick(&l->ticks, i);
        double y = l->bar_y + l->bar_height * (l->most - value) / (l->most - l->least);
        ur_tick_label(&l->ticks, i, false, label);
        ur_svg_put(b, "<path d=\"M%f %fh4\" stroke=\"%s\" stroke-width=\"0.8\"/>\n",
                   l->bar_x + BAR_WIDTH, y, UR_SVG_FAINT);
        ur_svg_text(b, l->bar_x + BAR_WIDTH + 7, y, &style, 100, label);
    }
}

ur_status ur_plot_heat_map(const ur_allocator *a, const ur_heat_map *map, const char *path,
                           ur_err *err)
{
    UR_FPMODE_HERE;
    if (map->rows < 1 || map->rows > 1000 || map->columns < 1 || map->columns > 1000)
        return ur_fail(err, UR_INVALID,
                       "heat map: %zu rows and %zu columns, expected 1 to 1000 of each", map->rows,
                       map->columns);
    if (map->down > 100 || map->across > 100 || (map->counts && (map->down > 1 || map->across > 1)))
        return ur_fail(err, UR_INVALID,
                       "heat map: a grid of %zu by %zu, expected at most 100 each, without counts",
                       map->down, map->across);
    bool given = map->least != 0 || map->most != 0;
    if (given && !ur_axis_range_is_good(map->least, map->most))
        return ur_fail(err, UR_INVALID, "heat map: values from %g to %g, expected a range",
                       map->least, map->most);
    layout l = arrange(map);
    ur_buffer b = ur_buffer_start(a);
    ur_svg_begin(&b, ceil(l.width), ceil(l.height), map->title);
    put_titles(&b, map, &l);
    put_matrices(&b, map, &l);
    if (map->counts)
        put_counts(&b, map, &l);
    put_bar(&b, &l);
    ur_svg_end(&b);
    ur_status status = ur_buffer_save(&b, path, err);
    ur_buffer_free(&b);
    return status;
}

/* ---- confusion matrices ------------------------------------------------------------------- */

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
    UR_FPMODE_HERE;
    if (map->labels < 1 || map->labels > 1000)
        return ur_fail(err, UR_INVALID, "confusion matrix: %zu labels, expected 1 to 1000",
                       map->labels);
    float *values = ur_alloc(a, map->labels * map->labels, sizeof *values);
    if (!values)
        return ur_no_memory(err, map->labels * map->labels * sizeof *values);
    double all;
    const double right = shares(map, values, &all);
    char title[80], part[UR_FIXED];
    snprintf(title, sizeof title, "%s %% of %.0f right", ur_fixed(part, 100 * right, 2, false),
             all);
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
