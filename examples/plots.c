/* plots.c - curves and heat maps of one's own numbers, as SVG files.
 *     plots FOLDER
 * Without an argument it draws into a folder of its own and removes it. */
#include "example.h"

int main(int argc, char **argv)
{
    ur_err err;
    char own[] = "/tmp/unroll-XXXXXX", path[512];
    if (argc <= 1)
        new_folder(own);
    const char *folder = argc > 1 ? argv[1] : own;

    const double epoch[] = {1, 2, 3, 4, 5};
    const double loss[] = {2.1, 0.9, 0.4, 0.15, 0.1}, right[] = {0.05, 0.4, 0.81, 0.97, 0.99};
    const ur_plot_series losses = {"mine", 5, epoch, loss}, rights = {"mine", 5, epoch, right};
    const ur_plot_panel panels[] = {
        {.y_label = "accuracy", .series = &rights, .n_series = 1, .percent = true},
        {.y_label = "loss", .series = &losses, .n_series = 1, .log_y = true},
    };
    const ur_plot_chart chart = {
        .title = "A training", .x_label = "epoch", .panels = panels, .n_panels = 2};
    snprintf(path, sizeof path, "%s/curves.svg", folder);
    check(ur_plot_lines(NULL, &chart, path, &err), err.text);

    const char *const input[] = {"w", "e", "i", "ß"}, *const output[] = {"w", "h", "i", "t", "e"};
    float weight[5][4];
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 4; j++)
            weight[i][j] = i == j ? 0.7F : 0.1F;
    const ur_heat_map map = {.title = "Where it looked",
                             .row_title = "output",
                             .column_title = "input",
                             .value_title = "attention weight",
                             .rows = 5,
                             .columns = 4,
                             .row_labels = output,
                             .column_labels = input,
                             .values = weight[0],
                             .most = 1};
    snprintf(path, sizeof path, "%s/map.svg", folder);
    check(ur_plot_heat_map(NULL, &map, path, &err), err.text);
    printf("drew curves.svg and map.svg into %s\n", folder);
    if (argc <= 1)
        remove_folder(own);
}
