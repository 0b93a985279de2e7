/* params.h - the parameter vector and the packed copies of it that the kernels read. */
#ifndef UR_TENSOR_PARAMS_H
#define UR_TENSOR_PARAMS_H

#include "backend/context.h"
#include "unroll/core.h"

/* How a weight W (rows, columns) is packed. */
typedef enum ur_pack_kind {
    UR_PACK_ROWS, /* for x W^T: forward */
    UR_PACK_COLS  /* for x W: backward */
} ur_pack_kind;

/* Asks for a packed copy of parameter `index`, kept up to date by ur_params_changed; returns its
 * number, -1 on failure (sticky, like ur_params_add). gates: of a recurrent cell, 1 otherwise;
 * UR_PACK_ROWS only. Before sealing. */
int ur_params_pack(ur_params *params, int index, ur_pack_kind kind, size_t gates);
/* The same for rows [begin, end) of a matrix alone. */
int ur_params_pack_part(ur_params *params, int index, ur_pack_kind kind, size_t gates, size_t begin,
                        size_t end);

const float *ur_params_packed(const ur_params *params, int pack);

/* The first failure of building so far. */
ur_status ur_params_status(const ur_params *params);

/* The vector, to read: operations see it through const parameters. */
float *ur_params_data(const ur_params *params);

const ur_context *ur_params_context(const ur_params *params);

#endif
