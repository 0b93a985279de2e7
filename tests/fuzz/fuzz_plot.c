/* fuzz_plot.c - bytes as the values of charts and maps: each picture is drawn, or refused with a
 * sentence. */
#include "frame.h"

#include <string.h>

#include "unroll/io.h"

const fuzz_setup fuzz_frame = {.memory = 8 << 20, .per_byte = 512, .failing = true, .folder = true};

#define PATH "picture.svg"

static void check(ur_status status, const ur_err *err)
{
    if (status != UR_OK) {
        fuzz_refused(status, err, FUZZ_MAY(UR_INVALID));
        return;
    }
    size_t size, characters;
    char *picture = (char *)fuzz_get(PATH, &size);
    FUZZ_CHECK(size > 4 && memcmp(picture, "<svg", 4) == 0);
    FUZZ_CHECK(ur_utf8_count(picture, size, &characters));
    free(picture);
}

/* Curves y over x; in the second panel x over y, and a range that is asked for. */
static void chart(const ur_allocator *a, const double *values, size_t n, unsigned kind)
{
    ur_err err = {0};
    const ur_plot_series series[] = {{"first", n / 2, values, values + n / 2},
                                     {"second", n / 2, values + n / 2, values}};
    const ur_plot_panel panels[] = {
        {"y", series, 2, 0, 0, (kind & 1) != 0, (kind & 2) != 0},
        {"x", series, 2, values[0], values[n - 1], (kind & 4) != 0, (kind & 8) != 0}};
    const ur_plot_chart one = {.title = "any", .x_label = "x", .panels = panels, .n_panels = 1};
    const ur_plot_chart both = {.title = "any", .x_label = "x", .panels = panels, .n_panels = 2};
    check(ur_plot_lines(a, &one, PATH, &err), &err);
    check(ur_plot_lines(a, &both, PATH, &err), &err);
}

static void maps(const ur_allocator *a, const uint8_t *data, size_t bytes, const double *range,
                 unsigned kind)
{
    static const char *const names[8] = {"a",    " ",          "<", "\xC3\xA9",
                                         "\x01", "long label", "",  "\xFF"};
    float values[64] = {0};
    size_t counts[64] = {0};
    const size_t columns = 1 + (kind >> 4) % 8, rows = 1 + (kind >> 1) % 8;
    memcpy(values, data, bytes < sizeof values ? bytes : sizeof values);
    memcpy(counts, data, bytes < sizeof counts ? bytes : sizeof counts);
    ur_err err = {0};
    ur_heat_map map = {.rows = rows,
                       .columns = columns,
                       .row_labels = names,
                       .column_labels = names,
                       .values = values,
                       .counts = kind & 1 ? counts : NULL};
    check(ur_plot_heat_map(a, &map, PATH, &err), &err);
    map.least = range[0];
    map.most = range[1];
    check(ur_plot_heat_map(a, &map, PATH, &err), &err);
    const ur_confusion_map confusion = {.labels = rows, .names = names, .counts = counts};
    check(ur_plot_confusion(a, &confusion, PATH, &err), &err);
}

void fuzz_one(const ur_allocator *a, const uint8_t *data, size_t size)
{
    enum { MOST = 64 };
    double values[MOST];
    if (size < 1 + 2 * sizeof *values)
        return;
    size_t n = (size - 1) / sizeof *values;
    n = n < MOST ? n : MOST;
    memcpy(values, data + 1, n * sizeof *values);
    chart(a, values, n, data[0]);
    maps(a, data + 1, size - 1, values, data[0]);
}
