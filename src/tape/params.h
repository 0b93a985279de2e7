/* params.h - the parameter vector and the packed copies of it that the kernels read. */
#ifndef UR_TAPE_PARAMS_H
#define UR_TAPE_PARAMS_H

#include "backend/context.h"
#include "unroll/core.h"

/* Copies that are made together: what every tape needs, then what those for training need too. */
typedef enum ur_pack_group { UR_PACK_FORWARD, UR_PACK_BACKWARD, UR_PACK_GROUPS } ur_pack_group;

/* Asks for a packed copy of parameter `index`; returns its number, -1 on failure (sticky, like
 * ur_params_add). gates: of a recurrent cell, 1 otherwise; UR_PACK_ROWS only. Before sealing. */
int ur_params_pack(ur_params *params, int index, ur_pack_kind kind, size_t gates);
/* The same for rows [begin, end) of a matrix alone. */
int ur_params_pack_part(ur_params *params, int index, ur_pack_kind kind, size_t gates, size_t begin,
                        size_t end);

/* Brings the copies up to date that a tape in this mode reads, by the team (NULL: the caller alone);
 * does nothing where they are. Any thread; several at once wait for the one that packs.
 * UR_INVALID: the parameters are not sealed; or what building them failed with. */
ur_status ur_params_prepare(const ur_params *params, ur_mode mode, ur_team *team, ur_err *err);
/* What adding parameters failed with, as ur_params_seal tells it. */
ur_status ur_params_built(const ur_params *params, ur_err *err);
/* Whether ur_params_seal gave them their memory. */
bool ur_params_sealed(const ur_params *params);

/* In place of ur_params_seal, for inference alone: a weight whose rows products read, and nothing else does,
 * has its forward copy and no values beside it. ur_params_data is NULL, and ur_param_data that of such a
 * weight; tapes for training fail. The values come by ur_params_fill, once for each weight. UR_UNSUPPORTED: the
 * device is not the host. */
ur_status ur_params_seal_packed(ur_params *params, ur_err *err);
/* Where the values of `index` are to be written: NULL where they have no place but their copy. */
float *ur_params_fill_here(ur_params *params, int index);
/* Packs `values` of a weight, which are its own where it has them. Of different weights at the same time. */
void ur_params_fill(ur_params *params, int index, const float *values);
/* Whether they are up to date. */
bool ur_params_current(const ur_params *params, ur_mode mode);
/* Rises whenever the values may have changed. */
uint64_t ur_params_version(const ur_params *params);

/* After ur_params_prepare for a mode that needs it. */
const float *ur_params_packed(const ur_params *params, int pack);

/* The values of one parameter where operations read them: on the device, up to date after
 * ur_params_prepare; NULL for -1. */
const float *ur_param_on_device(const ur_params *params, int index);

/* Whether that is a packed copy of this parameter (or of one that shares its weights). */
bool ur_params_packs(const ur_params *params, int pack, int index);

ur_context *ur_params_context(const ur_params *params);

/* The first parameter that has a number in `vector`, of their layout, that is not finite, and the
 * number; NULL: all are finite. */
const ur_param *ur_params_not_finite(const ur_params *params, const float *vector, float *number);

#endif
