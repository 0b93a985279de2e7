/* cells.c - the list of cells. */
#include "backend/cpu/recurrent.h"

#include <string.h>

const ur_cell *ur_cell_find(const char *name)
{
    static const ur_cell *const cells[] = {
        &ur_cell_rnn_tanh,     &ur_cell_rnn_relu,      &ur_cell_lstm,      &ur_cell_gru,
        &ur_cell_gru_original, &ur_cell_lstm_peephole, &ur_cell_lstm_norm, NULL};
    for (const ur_cell *const *cell = cells; *cell; cell++)
        if (strcmp((*cell)->name, name) == 0)
            return *cell;
    return NULL;
}
