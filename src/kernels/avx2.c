/* avx2.c - the kernels for AVX2 and FMA. */
#include "kernels/kernels.h"

#if defined(__x86_64__) && !defined(UR_REAL_IS_DOUBLE)

#define UR_FEW_REGISTERS
#include "kernels/vec_avx2.h"
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

#define UR_TABLE ur_kernels_avx2
#define UR_TABLE_NAME "avx2"
#include "kernels/body_table.h"

#else

typedef int ur_no_avx2; /* a file must not be empty */

#endif
