/* cpu.h - inside the CPU's backend: how a team shares an operation over the kernels.
 *
 * An operation reads as single-threaded code: it works on `ur_my_range` of its outputs and has a
 * barrier where it needs what others computed. Only the leader touches the arena. */
#ifndef UR_BACKEND_CPU_H
#define UR_BACKEND_CPU_H

#include "backend/backend.h"
#include "kernels/kernels.h"
#include "tensor/layout.h"

/* This member's part of a product: rows or panels, whichever divides better. */
void ur_product_part(const ur_kernels *kernels, const ur_member *me, const ur_product *product);

/* The whole product, shared by the team. */
void ur_cpu_product(const ur_executor *e, const ur_product *product);

/* work(arg, begin, end) over this team's ranges of n items. */
void ur_cpu_for(const ur_executor *e, size_t n, void (*work)(void *arg, size_t begin, size_t end),
                void *arg);

/* A weight's gradient: dw (n_out, n_in) += dy^T x over `rows` rows, or = where it is blank, with x
 * packed by columns (pack_cols) beforehand; this member's rows of dw. */
typedef struct ur_cpu_outer {
    size_t rows, n_out, n_in;
    const float *dy; /* (rows, dy_row) */
    size_t dy_row;
    const float *x_packed; /* panels of (rows, n_in) */
    float *dw;             /* (n_out, n_in) */
    bool blank;            /* nothing stands in dw yet */
} ur_cpu_outer;

/* How to start chains that are to be added to what stands in C, or set it. */
static inline ur_start ur_add_or_set(bool blank)
{
    return blank ? UR_START_BIAS : UR_START_C;
}

void ur_outer_part(const ur_kernels *kernels, const ur_member *me, const ur_cpu_outer *outer);

/* out(r, :) = table(ids[r], :) in the columns of panels `mine`; both have `row` floats a row. */
void ur_gather_panels(const ur_kernels *kernels, ur_columns columns, ur_range mine, size_t rows,
                      const int32_t *ids, const float *table, float *out, size_t row);

/* The operations of ur_backend that have files of their own (recurrent.h has the recurrent ones). */
void ur_cpu_linear(const ur_executor *e, const ur_linear_pass *pass);
bool ur_cpu_linear_back(const ur_executor *e, const ur_linear_pass *pass);
bool ur_cpu_matmul(const ur_executor *e, const ur_matmul_pass *pass);
bool ur_cpu_matmul_back(const ur_executor *e, const ur_matmul_pass *pass);
bool ur_cpu_attention(const ur_executor *e, const ur_attention_pass *pass);
bool ur_cpu_attention_back(const ur_executor *e, const ur_attention_back *back);
void ur_cpu_cross_entropy(const ur_executor *e, const ur_cross_entropy_pass *pass);
void ur_cpu_cross_entropy_back(const ur_executor *e, const ur_cross_entropy_pass *pass);
void ur_cpu_map(const ur_executor *e, ur_map f, size_t n, const float *x, float *y);
void ur_cpu_map_back(const ur_executor *e, ur_map f, size_t n, const float *x, const float *y,
                     const float *dy, float *dx);
void ur_cpu_embed(const ur_executor *e, const ur_embed_pass *pass);
void ur_cpu_embed_back(const ur_executor *e, const ur_embed_pass *pass);
void ur_cpu_norm(const ur_executor *e, const ur_norm_pass *pass);
bool ur_cpu_norm_back(const ur_executor *e, const ur_norm_pass *pass);
/* Drop-out of the one row that `at` stands on; x and y are this row. */
void ur_cpu_drop_row(const ur_kernels *kernels, ur_row_walk at, size_t width, float p, uint64_t key,
                     const float *x, float *y);
void ur_cpu_dropout(const ur_executor *e, const ur_dropout_pass *pass);
bool ur_cpu_dropout_back(const ur_executor *e, const ur_dropout_pass *pass);
bool ur_cpu_dropout_mask(const ur_executor *e, const ur_dropout_pass *pass);
bool ur_cpu_zoneout_mask(const ur_executor *e, const ur_dropout_pass *pass);

#endif
