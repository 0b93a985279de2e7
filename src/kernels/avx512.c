/* avx512.c - the kernels for AVX-512 (F, BW, DQ, VL). */
#include "kernels/kernels.h"

#if defined(__x86_64__) && !defined(UR_REAL_IS_DOUBLE)

#include "kernels/vec_avx512.h"
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

#define UR_TABLE ur_kernels_avx512
#define UR_TABLE_NAME "avx512"
#include "kernels/body_table.h"

#else

typedef int ur_no_avx512; /* a file must not be empty */

#endif
