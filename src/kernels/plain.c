/* plain.c - the kernels for plain C with fmaf, and the functions on single numbers. */
#include "kernels/kernels.h"

#include "kernels/math.h"
#define UR_FEW_REGISTERS
#define UR_ONE_KIND
#include "kernels/vec_plain.h"
#include "kernels/body_math.h"
#include "kernels/body_activation.h"
#include "kernels/body_gemm.h"
#include "kernels/body_lstm.h"
#include "kernels/body_gru.h"
#include "kernels/body_cells.h"
#include "kernels/body_rows.h"
#include "kernels/body_norm.h"
#include "kernels/body_attention.h"
#include "kernels/body_layer_norm.h"
#include "kernels/body_optim.h"

#define UR_TABLE ur_kernels_plain
#define UR_TABLE_NAME "plain"
#include "kernels/body_table.h"

float ur_expf(float x)
{
    return v_exp(v_set(x)).at[0];
}

float ur_logf(float x)
{
    return v_log(v_set(x)).at[0];
}

float ur_tanhf(float x)
{
    return v_tanh(v_set(x)).at[0];
}

float ur_sigmoidf(float x)
{
    return v_sigmoid(v_set(x)).at[0];
}

float ur_erff(float x)
{
    return v_erf(v_set(x)).at[0];
}
