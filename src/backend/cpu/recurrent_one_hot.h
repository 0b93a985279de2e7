/* recurrent_one_hot.h - the table of a recurrent layer whose inputs are one-hot rows. */
#ifndef UR_BACKEND_CPU_RECURRENT_ONE_HOT_H
#define UR_BACKEND_CPU_RECURRENT_ONE_HOT_H

#include "backend/cpu/recurrent.h"

/* table(d, j) = bias[j] + W_ih(j, column[d]) for the gates' columns of these panels;
 * table (table_rows, gates_row). */
void ur_one_hot_table(const ur_kernels *kernels, ur_range panels, const ur_cpu_recurrent *op,
                      const float *bias, float *table);

/* dW_ih(j, column[d]) += by_id(d, j) for j in `units` of the gates' columns; by_id like table. */
void ur_one_hot_back(const ur_cpu_recurrent *op, ur_range units, const float *by_id, float *dw_ih);

#endif
