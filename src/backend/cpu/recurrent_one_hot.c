/* recurrent_one_hot.c - inputs that are one-hot rows, for a recurrent layer.
 *
 *   W_ih onehot(v) = column v of W_ih,   dW_ih(:, v) += sum of d over the rows whose input is v
 * The columns that occur become the rows of a table, which recurrent.c then looks up as it does
 * embedded symbols. A product with the one-hot rows would give the same bits: its chain adds zeros
 * and one weight to the bias. */
#include "backend/cpu/recurrent_one_hot.h"

void ur_one_hot_table(const ur_kernels *kernels, ur_range panels, const ur_cpu_recurrent *op,
                      const float *bias, float *table)
{
    const size_t gates = op->cell->gates, hidden = op->hidden;
    const ur_columns columns = {gates, hidden};
    const size_t begin = kernels->panel_begin(columns, panels.begin);
    const size_t end = kernels->panel_begin(columns, panels.end);
    for (size_t g = 0; g < gates; g++)
        for (size_t j = g * hidden + begin; j < g * hidden + end; j++) {
            const float *w = op->w_ih_rows + j * op->input;
            for (size_t d = 0; d < op->table_rows; d++)
                table[d * op->gates_row + j] = bias[j] + w[op->column[d]];
        }
}

void ur_one_hot_back(const ur_cpu_recurrent *op, ur_range units, const float *by_id, float *dw_ih)
{
    for (size_t j = units.begin; j < units.end; j++) {
        float *dw = dw_ih + j * op->input;
        for (size_t d = 0; d < op->table_rows; d++)
            dw[op->column[d]] += by_id[d * op->gates_row + j];
    }
}
