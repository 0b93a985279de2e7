/* kernels.h - the inner loops, one table of them per instruction set.
 *
 * Nothing here allocates, locks or does I/O. The bodies (body_*.h) are written once over the
 * small vector layer vec_*.h and compiled once per instruction set by plain.c, avx2.c, avx512.c
 * and neon.c; every variant computes the same bits:
 *   - an element of a product is a chain of fused multiply-adds over k = 0, 1, 2 ..., in blocks of
 *     UR_CHAIN: the first chain starts from the bias or the old value, each later one from zero and
 *     is added in order;
 *   - a reduction keeps 16 partial sums, lane i taking elements i, i+16, ... from +0, then adds
 *     lane i+8 to i, i+4, i+2, i+1;
 *   - exp, tanh, sigmoid, log, erf are polynomials over fused multiply-adds. */
#ifndef UR_KERNELS_KERNELS_H
#define UR_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/optim.h"

#include "base/tiny.h"

#define UR_CHAIN UR_SIZE(512, 12)      /* k's per chain of a product */
#define UR_SUM_BLOCK UR_SIZE(4096, 32) /* elements per block of a long reduction */
#define UR_PANEL_VECTORS 4             /* most vectors side by side in a panel of packed weights */

/* ---- packed matrix products (body_gemm.h) ------------------------------------------------- */

/* How the columns of a product lie in panels of vectors of `lanes` columns.
 *   plain (gates == 1): N columns in as few vectors as hold all, these in as few panels of up to 4
 *   as hold them, of sizes as even as possible.
 *   gated (gates == 2..4): panel p holds units p*lanes ... of every gate, a vector each; column
 *   g*units + u is gate g of unit u.
 * A range of panels is what a team member works on. */
typedef struct ur_columns {
    size_t gates; /* 1: plain */
    size_t units; /* plain: N; gated: units per gate (N = gates*units) */
} ur_columns;

typedef enum ur_start {
    UR_START_C,    /* chains start from what stands in C */
    UR_START_BIAS, /* chains start from bias[column], zero where bias is NULL */
    UR_START_ROWS, /* chains of row r start from row index[r] of a table */
} ur_start;

/* What becomes of an element c of C when its sum is complete; s is the element of `side` at the same
 * place, and `slope` receives a derivative there unless it is NULL. */
typedef enum ur_epilogue {
    UR_EPILOGUE_NONE,
    UR_EPILOGUE_RELU,      /* max(c, 0) */
    UR_EPILOGUE_GELU,      /* gelu(c) */
    UR_EPILOGUE_GELU_TANH, /* its approximation */
    UR_EPILOGUE_MUL,       /* c s */
    UR_EPILOGUE_POSITIVE   /* factor c where s > 0, else 0 */
} ur_epilogue;

/* C = start + A B for panels [begin, end) of B: C(r, j) with r < m, sums over k.
 * A(r, i) = a[r*a_row + i*a_k], where a_row or a_k is 1; C(r, j) = c[r*c_row + j]. */
typedef struct ur_product {
    size_t m, k;
    const float *a;
    size_t a_row, a_k;
    const float *b; /* packed panels, each (b_k, vectors, lanes) */
    size_t b_k;     /* k's that the panels hold, of which those from b_begin on are used; 0: k */
    size_t b_begin;
    bool far; /* B is in no cache, however small: much else is read between */
    ur_columns columns;
    float *c;
    size_t c_row;
    ur_start start;
    const float *bias;  /* (N) */
    const float *table; /* (.., N) with table_row floats between rows */
    size_t table_row;
    const int32_t *index; /* (m) */
    ur_epilogue epilogue;
    const float *side; /* of the epilogue: what it reads ... */
    float *slope;      /* ... or writes */
    float factor;
} ur_product;

/* ---- cells (body_lstm.h, body_gru.h, body_cells.h) ----------------------------------------- */

/* One step of an LSTM for `rows` sequences, units [begin, end), after the products:
 *   i f g o = sigma(pre_i) sigma(pre_f) tanh(pre_g) sigma(pre_o)
 *   c = f c_prev + i g,  h = o tanh(c) */
typedef struct ur_lstm_cell {
    size_t rows, hidden;
    float *gates;        /* (rows, gates_row): in pre-activations, out activations, i f g o */
    size_t gates_row;    /* >= 4*hidden */
    const float *c_prev; /* (rows, hidden) */
    float *c;            /* (rows, hidden) */
    float *h;            /* (rows, hidden) */
} ur_lstm_cell;

/* Its backward: dh and dc are the gradients of h and c of this step.
 *   do = dh tanh(c),  dc += dh o (1 - tanh(c)^2)
 *   di = dc g,  dg = dc i,  df = dc c_prev,  dc_prev = dc f
 * and each through its activation. gates become the gradients of the pre-activations. Where the gate
 * o is itself an output, its gradient d_o joins do. */
typedef struct ur_lstm_cell_back {
    size_t rows, hidden;
    float *gates; /* (rows, gates_row): in activations, out gradients */
    size_t gates_row;
    const float *c_prev; /* (rows, hidden) */
    const float *c;      /* (rows, hidden) */
    const float *dy;     /* (rows, hidden) gradient of the output of this step, or NULL */
    const float *dh;     /* (rows, hidden) gradient that came back from the next step */
    float *dc;           /* (rows, hidden) in: of c, out: of c_prev */
    const float *d_o;    /* (rows, hidden) or NULL */
} ur_lstm_cell_back;

/* One step of a GRU (Cho et al. 2014, in PyTorch's and cuDNN's form: reset after the product):
 *   r = sigma(x_r + h_r),  z = sigma(x_z + h_z),  n = tanh(x_n + r h_n)
 *   h = n + z (h_prev - n)
 * where x_* and h_* are the products with the input and with h_prev, biases included. */
typedef struct ur_gru_cell {
    size_t rows, hidden;
    float *gates;   /* (rows, gates_row): in x_r x_z x_n, out r z n */
    float *h_gates; /* (rows, gates_row): h_r h_z h_n */
    size_t gates_row;
    const float *h_prev; /* (rows, hidden) */
    float *h;            /* (rows, hidden) */
} ur_gru_cell;

/* Its backward. With dh = dh + dy:
 *   dn = dh (1-z),  dz = dh (h_prev - n),  dr = dn' h_n   (' : through the activation)
 * gates become the gradients of x_*, h_gates those of h_* (the last one dn' r), and dh what goes
 * straight to h_prev: dh z. */
typedef struct ur_gru_cell_back {
    size_t rows, hidden;
    float *gates, *h_gates;
    size_t gates_row;
    const float *h_prev; /* (rows, hidden) */
    const float *dy;     /* (rows, hidden) or NULL */
    float *dh;           /* (rows, hidden) */
} ur_gru_cell_back;

/* One step of an Elman network: h = tanh or relu of the pre-activations; backward: gates become
 * (dh + dy) times the slope, which follows from h. */
typedef struct ur_rnn_cell {
    size_t rows, hidden;
    bool relu;
    float *gates; /* (rows, gates_row) */
    size_t gates_row;
    float *h;        /* (rows, hidden) */
    const float *dy; /* backward: (rows, hidden) or NULL */
    const float *dh; /* backward: (rows, hidden) */
} ur_rnn_cell;

/* An LSTM with peepholes (Gers and Schmidhuber 2000, as ONNX has it): three diagonals that let the
 * gates see the cell.
 *   i = sigma(pre_i + p_i c_prev),  f = sigma(pre_f + p_f c_prev),  g = tanh(pre_g)
 *   c = f c_prev + i g,  o = sigma(pre_o + p_o c),  h = o tanh(c) */
typedef struct ur_peephole_cell {
    ur_lstm_cell lstm;
    const float *p_i, *p_f, *p_o; /* (hidden) */
} ur_peephole_cell;

/* Its backward: what the gates' gradients add to those of c, c_prev and the diagonals. */
typedef struct ur_peephole_cell_back {
    ur_lstm_cell_back lstm;
    const float *p_i, *p_f, *p_o; /* (hidden) */
    float *dp_i, *dp_f, *dp_o;    /* (hidden), added to, rows in order */
} ur_peephole_cell_back;

/* A GRU in its original form (Cho et al. 2014; ONNX's linear_before_reset = 0): reset before the
 * product, which makes two products of a step. gru_reset stands between them, gru_original after:
 *   r = sigma(pre_r),  z = sigma(pre_z),  reset = r h_in     (h_in: h_prev, or h_prev masked)
 *   n = tanh(pre_n),  h = n + z (h_prev - n)
 * Backward: gru_original_back leaves gradients in the gates z and n, and dh z in dh; then, d_reset
 * being known, gru_reset_back leaves that of r, and adds d_reset r to d_in. */
typedef struct ur_gru_original {
    size_t rows, hidden;
    float *gates; /* (rows, gates_row) r z n */
    size_t gates_row;
    const float *h_in, *h_prev; /* (rows, hidden) */
    float *reset;               /* (rows, hidden); backward: its gradient */
    float *h;                   /* (rows, hidden) */
    const float *dy;            /* backward: (rows, hidden) or NULL */
    float *dh, *d_in; /* backward: (rows, hidden), of h_prev and of h_in, may be the same */
} ur_gru_original;

/* A layer-normalised LSTM (Ba, Kiros and Hinton 2016, eq. 20 to 22). norm is a row less its mean,
 * over the root of its variance + 1e-5.
 *   a = g_x norm(gates) + g_h norm(h_gates) + b_ih + b_hh,   i f g o = sigma or tanh of a
 *   c = f c_prev + i g,   h = o tanh(g_c norm(c) + b_c)
 * Rows [begin, end). x_norm and h_gates get the normalised products with the factor behind each row.
 * Backward in three passes: norm_cell_back leaves the gradients of a in the gates and of c_prev in
 * dc; norm_sums_back, over units [begin, end) of all rows, adds to those of gains and biases;
 * norm_products_back leaves in gates and h_gates those of the products. */
typedef struct ur_norm_cell {
    size_t rows, hidden;
    float *gates, *h_gates;   /* (rows, gates_row): products without bias */
    float *x_norm;            /* (rows, gates_row), or NULL in a forward without backward */
    size_t gates_row;         /* > 4*hidden */
    const float *g_x, *g_h;   /* (4 hidden) */
    const float *g_c, *b_c;   /* (hidden) */
    const float *b_ih, *b_hh; /* (4 hidden) or NULL */
    const float *c_prev;      /* (rows, hidden) */
    float *c, *h;             /* (rows, hidden) */
    /* backward */
    const float *dy;                           /* (rows, hidden) or NULL */
    float *dh, *dc;                            /* (rows, hidden) */
    float *spare;                              /* (rows, gates_row) scratch */
    float *c_norm, *d_u, *d_c;                 /* (rows, hidden) scratch, kept between the passes */
    float *dg_x, *dg_h, *dg_c, *db_c, *d_bias; /* added to; d_bias (4 hidden) of either bias */
} ur_norm_cell;

/* ---- attention (body_attention.h) ---------------------------------------------------------- */

/* Attention weights of a strip, row r being a query that sees its first n(r) of the strip's keys:
 *   s = scale x + mask,  p = exp(s - m) / sum of exp(s - m) over the row's keys,  m the largest s
 * n(r) = first + r where causal, else all; at least 0 and at most `keys`. What a row does not see has
 * p = +0, and so has what its mask hides (-inf); a row that sees nothing is zeros. Rounding: s - m is
 * fma(scale, x, -scale m), with a mask (s = fma(scale, x, mask)) - m; p = e * (1/sum). */
typedef struct ur_weight_rows {
    size_t rows, keys;
    float *x;   /* (rows, row) in: scores, out: p */
    size_t row; /* floats between the rows of x */
    bool causal;
    ptrdiff_t first;
    float scale;
    const float *mask; /* (rows, mask_row) or NULL */
    size_t mask_row;
    float *shift, *factor; /* (rows) -m, or -scale m, and 1/sum: out; in where they are known */
} ur_weight_rows;

/* ds = p (dp - mean), where mean is the sum of p dp over the row. */
typedef struct ur_weight_rows_back {
    size_t rows, keys, row;
    const float *p; /* (rows, row) */
    float *dp;      /* (rows, row) in: of the weights, out: of the scaled scores */
    float *mean;    /* (rows) out; in where it is known: `keys` is then a part of the row */
} ur_weight_rows_back;

/* Additive scores (Bahdanau et al. 2014): x(r, j) = sum over i of w(i) tanh(q(r, i) + k(j, i)), as a
 * reduction over the row i. */
typedef struct ur_additive {
    size_t rows, keys, width;
    const float *q, *k; /* (rows, q_row), (keys, k_row) */
    size_t q_row, k_row;
    const float *w; /* (width) */
    float *x;       /* (rows, row) scores; backward: their gradients */
    size_t row;
    /* Backward: dq and dw are chains over the keys, set, a row for each query; dk is added to, queries
     * in order. NULL: not wanted. */
    float *dq, *dw, *dk; /* (rows, out_row), (rows, out_row), (keys, dk_row) */
    size_t out_row, dk_row;
} ur_additive;

/* Products of a few rows with rows that lie anywhere, straight from where they do: row j of B is
 * b + at[j], `width` floats.
 *   scores    y(r, j) = sum over i of a(r, i) b_j(i),   chains over i, width at most UR_CHAIN; up to whole
 *             vectors y is written and `at` says rows that can be read
 *   contexts  y(r, i) = sum over j of a(r, j) b_j(i),   chains over j, at most UR_CHAIN keys, which with
 *             `add` go on from y */
typedef struct ur_scattered {
    size_t rows, keys, width;
    const float *a;    /* (rows, width), or (rows, keys): a(r, j) = a[r*a_row + j*a_k] */
    size_t a_row, a_k; /* of scores a_k is 1 */
    const float *b;
    const size_t *at; /* (keys) */
    float *y;         /* (rows, keys) or (rows, width) */
    size_t y_row;
    bool add;
} ur_scattered;

/* ---- the table ---------------------------------------------------------------------------- */

typedef struct ur_kernels {
    const char *name;
    /* Its block sizes: columns in a vector of a panel, and rows of a tile of 1, 2 ... vectors. */
    size_t lanes, tile_rows[UR_PANEL_VECTORS];

    /* How many panels hold these columns. */
    size_t (*panels)(ur_columns columns);
    /* The first column (plain) or unit (gated) of panel p; of the one after the last: their number. */
    size_t (*panel_begin)(ur_columns columns, size_t p);
    /* Packs W (N, k), row-major with `w_row` floats between rows, so that C = A W^T: the vectors
     * whose first row is one of [begin, end). Ranges that cover [0, N) pack all. */
    void (*pack_rows)(ur_columns columns, size_t k, const float *w, size_t w_row, float *packed,
                      size_t begin, size_t end);
    /* Packs B (k, N), row i at b + (rows ? rows[i] : i)*b_row, so that C = A B: rows [begin, end). */
    void (*pack_cols)(ur_columns columns, size_t k, const float *b, size_t b_row,
                      const size_t *rows, float *packed, size_t begin, size_t end);
    void (*product)(const ur_product *p, size_t begin, size_t end);

    void (*lstm_cell)(const ur_lstm_cell *s, size_t begin, size_t end);
    void (*lstm_cell_back)(const ur_lstm_cell_back *s, size_t begin, size_t end);
    void (*gru_cell)(const ur_gru_cell *s, size_t begin, size_t end);
    void (*gru_cell_back)(const ur_gru_cell_back *s, size_t begin, size_t end);
    void (*rnn_cell)(const ur_rnn_cell *s, size_t begin, size_t end);
    void (*rnn_cell_back)(const ur_rnn_cell *s, size_t begin, size_t end);
    void (*peephole_cell)(const ur_peephole_cell *s, size_t begin, size_t end);
    void (*peephole_cell_back)(const ur_peephole_cell_back *s, size_t begin, size_t end);
    void (*gru_reset)(const ur_gru_original *s, size_t begin, size_t end);
    void (*gru_reset_back)(const ur_gru_original *s, size_t begin, size_t end);
    void (*gru_original)(const ur_gru_original *s, size_t begin, size_t end);
    void (*gru_original_back)(const ur_gru_original *s, size_t begin, size_t end);
    void (*norm_cell)(const ur_norm_cell *s, size_t begin, size_t end);
    void (*norm_cell_back)(const ur_norm_cell *s, size_t begin, size_t end);
    void (*norm_sums_back)(const ur_norm_cell *s, size_t begin, size_t end);
    void (*norm_products_back)(const ur_norm_cell *s, size_t begin, size_t end);
    /* y = w a + (1-w) b; backward: da = w dy, db = (1-w) dy, where da may be dy. */
    void (*blend)(size_t n, const float *w, const float *a, const float *b, float *y);
    void (*blend_back)(size_t n, const float *w, const float *dy, float *da, float *db);

    /* y[i] = f(x[i]), i < n; x and y may be the same. */
    void (*exp)(size_t n, const float *x, float *y);
    void (*log)(size_t n, const float *x, float *y);
    void (*tanh)(size_t n, const float *x, float *y);
    void (*sigmoid)(size_t n, const float *x, float *y);
    void (*erf)(size_t n, const float *x, float *y);
    /* y = gelu(x), or its approximation by tanh, and its derivative in slope unless that is NULL. */
    void (*gelu)(size_t n, const float *x, float *y, float *slope);
    void (*gelu_tanh)(size_t n, const float *x, float *y, float *slope);

    void (*add)(size_t n, const float *x, float *y);                     /* y += x */
    void (*mul)(size_t n, const float *a, const float *b, float *y);     /* y = a b */
    void (*mul_add)(size_t n, const float *a, const float *b, float *y); /* y += a b (fused) */
    void (*scale)(size_t n, float s, const float *x, float *y);          /* y = s x */
    void (*axpy)(size_t n, float s, const float *x, float *y);           /* y += s x (fused) */
    /* The last two for rows that are x_row and y_row floats apart: y = s x, or y += s x. */
    void (*put_rows)(size_t rows, size_t width, float s, const float *x, size_t x_row, float *y,
                     size_t y_row, bool add_to);
    float (*sum)(size_t n, const float *x);                 /* fixed order, see above */
    float (*dot)(size_t n, const float *a, const float *b); /* lanes by fma */
    float (*max)(size_t n, const float *x);                 /* -inf where n is 0; NaN if one is */
    bool (*all_finite)(size_t n, const float *x);           /* whether all are */

    /* Rows: y(r, :) += s*x(r, :) column sums: y[j] = y[j] + x(0,j) + x(1,j) + ..., r in order,
     * columns [begin, end) of rows with x_row floats between them. */
    void (*column_sums)(size_t rows, const float *x, size_t x_row, float *y, size_t begin,
                        size_t end);
    /* out(r, :) = table(ids[r], :), rows [begin, end), `width` floats each. */
    void (*gather)(const int32_t *ids, const float *table, size_t width, float *out, size_t begin,
                   size_t end);
    /* table(ids[r], j) += x(r, j) for all rows in order, columns [begin, end) of `width`. */
    void (*scatter_add)(size_t rows, const int32_t *ids, const float *x, size_t width, float *table,
                        size_t begin, size_t end);

    /* Layer normalisation of one row of n: with z = (x - mean) r, r = 1 / sqrt(variance + eps),
     * y = z gain + bias (fused); gain and bias may be NULL. kept receives mean and r. y may be x.
     * norm_back: dx = r (d - mean(d) - z mean(d z)) + extra, d = dy gain; extra may be NULL. dx may be
     * dy or extra.
     * norm_sums: dgain += dy z and dbias += dy (either may be NULL), for n columns of a row. */
    void (*norm)(size_t n, float eps, const float *x, const float *gain, const float *bias,
                 float *y, float kept[2]);
    void (*norm_back)(size_t n, const float *x, const float kept[2], const float *gain,
                      const float *dy, const float *extra, float *dx);
    void (*norm_sums)(size_t n, const float *x, const float kept[2], const float *dy, float *dgain,
                      float *dbias);

    /* p = softmax(x) of one row of n; a row of length 0 stays empty. x and p may be the same.
     * Entries of -inf get probability 0; a row of nothing but -inf gives zeros. */
    void (*softmax)(size_t n, const float *x, float *p);
    /* dx += p (dp - sum(p dp)). */
    void (*softmax_back)(size_t n, const float *p, const float *dp, float *dx);
    /* Weights from scores; the same again, shift and factor being known; and backward (mean computed
     * or known). */
    void (*weight_rows)(const ur_weight_rows *s);
    void (*weight_rows_again)(const ur_weight_rows *s);
    void (*weight_rows_back)(const ur_weight_rows_back *s, bool mean_known);
    void (*scattered_scores)(const ur_scattered *s);
    void (*scattered_contexts)(const ur_scattered *s);
    void (*additive)(const ur_additive *s);
    void (*additive_back)(const ur_additive *s);
    /* -log softmax(x)[target] of one row (n > target); p, if given, gets softmax(x). */
    float (*cross_entropy)(size_t n, const float *x, int32_t target, float *p);

    /* Inverted drop-out of `n` units of one row: y[i] = keep(i) ? x[i] * (1/(1-p)) : 0; unit i is
     * kept when word (i mod 4) of Philox block (low + i/4, high) under `key` is at least
     * p*2^32 (rounded). */
    void (*dropout)(size_t n, float p, uint64_t key, uint64_t low, uint64_t high, const float *x,
                    float *y);

    void (*adam)(const ur_adam *a, size_t n, const float *grad, float *m, float *v, float *w);
    void (*sgd)(const ur_sgd *s, size_t n, const float *grad, float *velocity, float *w);
} ur_kernels;

extern const ur_kernels ur_kernels_plain;
#if defined(__x86_64__) && !defined(UR_REAL_IS_DOUBLE)
extern const ur_kernels ur_kernels_avx2, ur_kernels_avx512;
#endif
#if defined(__aarch64__) && !defined(UR_REAL_IS_DOUBLE)
extern const ur_kernels ur_kernels_neon;
#endif

/* The instruction sets that this CPU and build have: number i, plain first and the best last, NULL
 * behind it; and the one of this name, or the best when name is NULL; NULL when it is not there. */
const ur_kernels *ur_kernels_at(size_t i);
const ur_kernels *ur_kernels_find(const char *name);

/* Floats that the packed panels of a product with k rows of B take. */
static inline size_t ur_packed_floats(const ur_kernels *kernels, ur_columns columns, size_t k)
{
    const size_t vectors = (columns.units + kernels->lanes - 1) / kernels->lanes;
    return columns.gates * vectors * kernels->lanes * k;
}

/* The sum over a long vector: blocks of UR_SUM_BLOCK by `block` (sum or a sum of squares), then a
 * fixed binary tree over the blocks' results. Also the fixed tree alone. */
float ur_sum_long(const ur_kernels *k, size_t n, const float *x);
float ur_sum_squares_long(const ur_kernels *k, size_t n, const float *x);
float ur_tree_sum(size_t n, float *partial); /* overwrites partial */

#endif
