/* backend.h - whole operations behind one table of functions: what everything above computes with.
 *
 * Pointers to float are memory of the backend's device, got from `memory` of the executor or from
 * `allocate`; only the functions here may follow them. Layouts, lengths, ids, targets and indices
 * are arrays in the host's memory. An operation that returns bool takes scratch memory: false means
 * that there was none left, and nothing was done. Sums run in the order that docs/numerics.md
 * fixes, whoever computes. */
#ifndef UR_BACKEND_BACKEND_H
#define UR_BACKEND_BACKEND_H

#include "backend/attention.h"
#include "backend/recurrent.h"
#include "base/arena.h"
#include "base/threads.h"
#include "kernels/optim.h"
#include "unroll/core.h"

struct ur_kernels;
typedef struct ur_backend ur_backend;

/* Who computes an operation, and out of which memory. */
typedef struct ur_executor {
    const ur_backend *backend;
    const struct ur_kernels *kernels; /* the processor's inner loops: for the CPU's backend alone */
    ur_team *team;                    /* NULL: the caller alone */
    ur_arena *memory;                 /* of the device: results, and the operations' scratch */
} ur_executor;

/* How a weight W (rows, columns) is packed. */
typedef enum ur_pack_kind {
    UR_PACK_ROWS, /* for x W^T: forward */
    UR_PACK_COLS  /* for x W: backward */
} ur_pack_kind;

typedef struct ur_pack {
    ur_pack_kind kind;
    size_t gates;         /* of a recurrent cell, 1 otherwise; UR_PACK_ROWS only */
    size_t rows, columns; /* of W */
} ur_pack;

/* y = act(x W^T + b), and the gradients of x W^T + b. Where *_blank, nothing stands there yet. */
typedef struct ur_linear_pass {
    size_t rows, in, out;
    const float *x;    /* (rows, in) */
    const float *w;    /* (out, in) packed: forward by rows, backward by columns */
    bool w_far;        /* w is one of so many weights that it will be in no cache */
    const float *bias; /* (out) or NULL */
    float *y;          /* (rows, out) */
    const float *dy;   /* backward: (rows, out) */
    size_t y_row;      /* floats between the rows of y or dy; 0: out */
    size_t w_rows,
        w_begin; /* backward: the packed W has so many rows, of which those from w_begin on are
                               this W; 0: out */
    float *dx, *dw, *db; /* NULL: not wanted; db is added to */
    bool dx_blank, dw_blank;
    /* Forward: slope receives act' of every element, for gelu; NULL: not wanted. */
    ur_activation act;
    float *slope; /* (rows, out) */
    /* Backward, where x = drop(act(z)): dx, blank, becomes the gradient of z, times x_slope (rows, in)
     * or, where that is NULL and x_factor is not 0, times x_factor where x > 0. */
    const float *x_slope;
    float x_factor;
} ur_linear_pass;

/* y = x w^T of two tensors, and its gradients. */
typedef struct ur_matmul_pass {
    size_t rows, depth, width;
    const float *x, *w; /* (rows, depth), (width, depth) */
    float *y;           /* (rows, width) */
    const float *dy;
    float *dx, *dw; /* NULL: not wanted */
    bool dx_blank, dw_blank;
} ur_matmul_pass;

/* loss = scale * sum over rows r with target[r] != ignore of
 *     (1-s) -log softmax(x_r)[target[r]] + s/classes sum of -log softmax(x_r),   s = smoothing
 * Every other target must be in [0, classes). */
typedef struct ur_cross_entropy_pass {
    size_t rows, classes;
    const float *x;        /* (rows, classes) */
    const int32_t *target; /* (rows) */
    int32_t ignore;
    float scale, smoothing;
    float *row_loss; /* (rows) out, 0 where ignored */
    float *p;        /* (rows, classes) softmax(x), saved for backward; NULL: not saved */
    float *loss;     /* (1) out: the rows' losses in order; NULL: not wanted */
    /* backward: dx += dloss scale (p - (1-s) onehot(target) - s/classes) on rows that are not ignored. p is
     * overwritten: by the gradient, zeros on ignored rows, where dx is p itself. */
    const float *dloss; /* (1) */
    float *dx;
} ur_cross_entropy_pass;

/* Random masks of the sequences of a layout: unit u of step t is drawn under `key` from (t, id of
 * the sequence, u), and 0 with probability p. */
typedef struct ur_dropout_pass {
    const ur_layout *layout;
    size_t width;
    float p;
    uint64_t key;
    const float *x; /* (rows, width) */
    float *y;       /* (rows, width) */
} ur_dropout_pass;

/* Functions of one number; backward knows y, and x where it needs it. */
typedef enum ur_map {
    UR_MAP_SIGMOID,
    UR_MAP_TANH,
    UR_MAP_EXP,
    UR_MAP_LOG,
    UR_MAP_RELU,
    UR_MAP_GELU,
    UR_MAP_GELU_TANH
} ur_map;

/* Layer normalisation of rows, of what a sub-layer adds to its input where there is one:
 *   s = x + drop(f)  (s = x where f is NULL),   y = (s - mean) rstd gain + bias,
 *   rstd = 1 / sqrt(variance + eps)
 * y NULL: s alone. sum may be f, and without drop-out x; y may be any of them. In training drop is ur_dropout_pass's mask of the layout's rows with probability
 * p > 0. Backward: with ds what comes back through y, plus dsum, dx is ds and df is drop's gradient;
 * *_blank: nothing stands there yet, else they are added to, as dgain and dbias are. */
typedef struct ur_norm_pass {
    size_t rows, width;
    float eps;
    const float *x, *gain, *bias; /* (rows, width), (width) or NULL, (width) or NULL */
    const float *f;               /* (rows, width) or NULL */
    const ur_layout *layout;      /* with p > 0: of the rows */
    float p;
    uint64_t key;
    float *sum;             /* (rows, width): s, where f is given */
    float *y;               /* (rows, width) */
    float *kept;            /* (rows, 2) out: mean and rstd, in for backward; with y alone */
    const float *dy, *dsum; /* backward: (rows, width), either may be NULL */
    float *dx, *df, *dgain, *dbias; /* NULL: not wanted */
    bool dx_blank, df_blank;
} ur_norm_pass;

/* y = scale table(ids) + positions(position) over rows, and its gradients, which are added to, rows in
 * order. */
typedef struct ur_embed_pass {
    size_t rows, width;
    const int32_t *ids;
    const float *table; /* (.., width) */
    float scale;
    const size_t *position;     /* (rows) */
    const float *positions;     /* (.., width), or NULL: none */
    float *y;                   /* (rows, width) */
    const float *dy;            /* backward */
    float *dtable, *dpositions; /* NULL: not wanted */
} ur_embed_pass;

struct ur_backend {
    const char *name;

    /* ---- memory of the device ---- */
    bool host_memory; /* it is the host's: allocate and release are the context's hooks */
    void *(*allocate)(void *context, size_t bytes); /* 64-byte aligned, or NULL */
    void (*release)(void *context, void *memory);
    void (*copy_in)(const ur_executor *e, void *to, const void *host, size_t bytes);
    void (*copy_out)(const ur_executor *e, void *host, const void *from, size_t bytes);
    void (*fill)(const ur_executor *e, size_t n, float value, float *y);

    /* ---- packed copies of weights ---- */
    /* How many floats the packed copy of w takes, 0 where the number overflows; and packing its rows
     * [begin, end): ranges that cover all pack all. */
    size_t (*packed_floats)(const ur_context *c, const ur_pack *pack);
    void (*pack)(const ur_context *c, const ur_pack *pack, const float *w, float *packed,
                 size_t begin, size_t end);
    /* ---- what it can do ---- */
    bool (*has_cell)(const ur_cell *cell);

    /* ---- products, layers ---- */
    void (*linear)(const ur_executor *e, const ur_linear_pass *pass);
    bool (*linear_back)(const ur_executor *e, const ur_linear_pass *pass);
    bool (*matmul)(const ur_executor *e, const ur_matmul_pass *pass);
    bool (*matmul_back)(const ur_executor *e, const ur_matmul_pass *pass);
    size_t (*recurrent_saved)(const ur_recurrent_pass *pass); /* floats; SIZE_MAX: too many */
    bool (*recurrent)(const ur_executor *e, const ur_recurrent_pass *pass);
    bool (*recurrent_back)(const ur_executor *e, const ur_recurrent_back *back);
    bool (*attention)(const ur_executor *e, const ur_attention_pass *pass);
    bool (*attention_back)(const ur_executor *e, const ur_attention_back *back);
    void (*cross_entropy)(const ur_executor *e, const ur_cross_entropy_pass *pass);
    void (*cross_entropy_back)(const ur_executor *e, const ur_cross_entropy_pass *pass);

    /* ---- rows ---- */
    /* y(r, :) = table(ids[r], :), and table(ids[r], :) += x(r, :), rows in order. */
    void (*gather)(const ur_executor *e, size_t rows, size_t width, const int32_t *ids,
                   const float *table, float *y);
    void (*scatter_add)(const ur_executor *e, size_t rows, size_t width, const int32_t *ids,
                        const float *x, float *table);
    void (*embed)(const ur_executor *e, const ur_embed_pass *pass);
    void (*embed_back)(const ur_executor *e, const ur_embed_pass *pass);
    /* y(to[r], :) = x(from[r], :), or +=, rows in order; NULL stands for 0, 1, 2 ... */
    void (*copy_rows)(const ur_executor *e, size_t rows, size_t width, const size_t *from,
                      const float *x, const size_t *to, float *y);
    void (*add_rows)(const ur_executor *e, size_t rows, size_t width, const size_t *from,
                     const float *x, const size_t *to, float *y);
    /* The first `width` floats of every row, rows being x_row and y_row floats apart. */
    void (*copy_columns)(const ur_executor *e, size_t rows, size_t width, const float *x,
                         size_t x_row, float *y, size_t y_row);
    void (*add_columns)(const ur_executor *e, size_t rows, size_t width, const float *x,
                        size_t x_row, float *y, size_t y_row);

    /* ---- elements ---- */
    void (*add)(const ur_executor *e, size_t n, const float *x, float *y);           /* y += x */
    void (*axpy)(const ur_executor *e, size_t n, float s, const float *x, float *y); /* y += s x */
    void (*mul)(const ur_executor *e, size_t n, const float *a, const float *b, float *y);
    void (*mul_add)(const ur_executor *e, size_t n, const float *a, const float *b, float *y);
    void (*scale)(const ur_executor *e, size_t n, float s, const float *x, float *y);
    void (*div)(const ur_executor *e, size_t n, const float *a, const float *b, float *y);
    /* y (columns, rows) = x (rows, columns) turned. */
    void (*transpose)(const ur_executor *e, size_t rows, size_t columns, const float *x, float *y);
    void (*map)(const ur_executor *e, ur_map f, size_t n, const float *x, float *y);
    /* dx += dy f'(x) */
    void (*map_back)(const ur_executor *e, ur_map f, size_t n, const float *x, const float *y,
                     const float *dy, float *dx);
    void (*softmax)(const ur_executor *e, size_t rows, size_t width, const float *x, float *y);
    void (*norm)(const ur_executor *e, const ur_norm_pass *pass);
    bool (*norm_back)(const ur_executor *e, const ur_norm_pass *pass);
    void (*softmax_back)(const ur_executor *e, size_t rows, size_t width, const float *y,
                         const float *dy, float *dx);

    /* ---- reductions ---- */
    void (*sum)(const ur_executor *e, size_t n, const float *x, float *y);    /* y (1) */
    void (*spread)(const ur_executor *e, size_t n, const float *s, float *y); /* y += s[0] */
    /* The sum of squares; partial has room for ur_sum_blocks(n), in the host's memory. */
    float (*sum_squares)(const ur_executor *e, size_t n, const float *x, float *partial);

    /* ---- optimisers ---- */
    /* A step of n weights, by the caller alone: who shares a vector gives each its stretch. */
    void (*adam)(const ur_context *c, const ur_adam *a, size_t n, const float *grad, float *m,
                 float *v, float *w);
    void (*sgd)(const ur_context *c, const ur_sgd *s, size_t n, const float *grad, float *velocity,
                float *w);

    /* ---- drop-out ---- */
    void (*dropout)(const ur_executor *e, const ur_dropout_pass *pass); /* y = x keep / (1-p) */
    bool (*dropout_back)(const ur_executor *e, const ur_dropout_pass *pass); /* y += the same */
    /* y (batch, width) by place: keep / (1-p), one row per sequence for all its steps. */
    bool (*dropout_mask)(const ur_executor *e, const ur_dropout_pass *pass);
    bool (*zoneout_mask)(const ur_executor *e, const ur_dropout_pass *pass); /* y: 1 or 0 */
};

extern const ur_backend ur_backend_cpu;

#endif
