/* cell.c - the list of cells. Equations: backend/cpu/cell_*.c. */
#include "backend/cell.h"

#include <string.h>

const ur_cell ur_cell_lstm = {
    .name = "lstm", .gates = 4, .has_c = true, .projects = true, .gives_o = true};
const ur_cell ur_cell_gru = {.name = "gru", .gates = 3};
const ur_cell ur_cell_rnn_tanh = {.name = "rnn_tanh", .gates = 1};
const ur_cell ur_cell_rnn_relu = {.name = "rnn_relu", .gates = 1};
const ur_cell ur_cell_gru_original = {.name = "gru_original", .gates = 3, .late = 1};
const ur_cell ur_cell_lstm_peephole = {.name = "lstm_peephole",
                                       .gates = 4,
                                       .has_c = true,
                                       .own = {{.name = "weight_ci", .size = 1},
                                               {.name = "weight_cf", .size = 1},
                                               {.name = "weight_co", .size = 1}}};
const ur_cell ur_cell_lstm_norm = {.name = "lstm_layer_norm",
                                   .gates = 4,
                                   .has_c = true,
                                   .own = {{"weight_ln_ih", 4, true, 1.0f},
                                           {"weight_ln_hh", 4, true, 1.0f},
                                           {"weight_ln_c", 1, true, 1.0f},
                                           {"bias_ln_c", 1, true, 0.0f}}};

const ur_cell *ur_cell_at(size_t i)
{
#define ADDRESS(name) &ur_cell_##name,
    static const ur_cell *const cells[] = {UR_CELLS(ADDRESS)};
#undef ADDRESS
    return i < sizeof cells / sizeof(ur_cell *) ? cells[i] : NULL;
}

const ur_cell *ur_cell_find(const char *name)
{
    const ur_cell *cell;
    for (size_t i = 0; name && (cell = ur_cell_at(i)); i++)
        if (strcmp(cell->name, name) == 0)
            return cell;
    return NULL;
}
