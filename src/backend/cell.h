/* cell.h - the recurrent cells there are: what the layers and every backend know of one. How it is
 * computed is each backend's own affair (cpu/cell_*.c). */
#ifndef UR_BACKEND_CELL_H
#define UR_BACKEND_CELL_H

#include "unroll/core.h"

enum { UR_CELL_OWN = 4 }; /* most weights that a cell has of its own */

/* A vector of size x hidden weights that only this cell has; parameter PREFIX.NAME_SUFFIX. */
typedef struct ur_cell_weight {
    const char *name;
    size_t size;
    bool constant; /* starts at `start`; otherwise as the layer's other weights */
    float start;
} ur_cell_weight;

typedef struct ur_cell {
    const char *name;
    size_t gates; /* W_ih and W_hh have gates * hidden rows */
    /* The last `late` gates' recurrent product takes what the gates before it make of h. */
    size_t late;
    bool has_c;                      /* there is a state c beside h */
    bool projects;                   /* h may be projected to fewer units */
    bool gives_o;                    /* its last gate may be asked for as an output */
    ur_cell_weight own[UR_CELL_OWN]; /* up to the first without a name */
} ur_cell;

/* The list: ur_cell_NAME describes each (cell.c). A backend may have functions for some only. */
#define UR_CELLS(CELL)                                                                             \
    CELL(lstm)                                                                                     \
    CELL(gru)                                                                                      \
    CELL(rnn_tanh)                                                                                 \
    CELL(rnn_relu)                                                                                 \
    CELL(gru_original)                                                                             \
    CELL(lstm_peephole)                                                                            \
    CELL(lstm_norm)

#define UR_DECLARE_CELL(name) extern const ur_cell ur_cell_##name;
UR_CELLS(UR_DECLARE_CELL)
#undef UR_DECLARE_CELL

/* Number i of the list, NULL behind the last; and the cell of that name, or NULL. */
const ur_cell *ur_cell_at(size_t i);
const ur_cell *ur_cell_find(const char *name);

#endif
