/* tape.h - inside the tape: how operations check operands, take memory, fail and are recorded. */
#ifndef UR_TAPE_TAPE_H
#define UR_TAPE_TAPE_H

#include "backend/context.h"
#include "base/arena.h"
#include "tape/params.h"
#include "tensor/layout.h"
#include "unroll/core.h"

typedef struct ur_node ur_node;

/* A kind of operation. */
typedef struct ur_op {
    const char *name; /* as in messages: ur_NAME without ur_ */
    /* Adds to the gradients of the inputs; called when at least one output has one. */
    void (*backward)(ur_tape *tape, ur_node *node);
    bool once; /* backward overwrites what forward saved, so that it can run only once */
} ur_op;

/* One recorded operation. Operations embed it as the first member of a struct that holds what backward
 * needs beside the tensors, by value. */
struct ur_node {
    ur_node *previous;
    const ur_op *op;
    size_t ins, outs;
    ur_tensor **in, **out; /* NULL: an input or output that this one does without */
    bool used;             /* backward has run */
};

struct ur_tape {
    ur_context *context;
    ur_arena *arena; /* of the host: nodes, layouts, ids */
    ur_executor on;  /* who computes; its memory holds the values and gradients */
    const ur_backend *backend;
    ur_mode mode;
    const ur_params *params;
    uint64_t version; /* of the parameters, when it was started */
    float *gradient;
    bool *blank; /* per parameter: its gradient is still to be set; NULL: none is */
    uint64_t seed, step;
    uint32_t drop_outs; /* so far in this forward: tells one drop-out from another */
    ur_node *last;
    bool walked; /* backward has begun from some scalar */
    const ur_tensor *noted[UR_MOST_NOTED];
    ur_err error;
};

/* Whether the tape still works, in which case NULL among the operands is a caller's mistake. */
bool ur_tape_ok(const ur_tape *tape);
/* Gives its memory back until it is started again. */
void ur_tape_rest(ur_tape *tape);

/* Records the first failure; returns NULL for `return ur_tape_fail(...)`. */
void *ur_tape_fail(ur_tape *tape, ur_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* For operations of the backend that answer whether they had memory. */
bool ur_had_memory(ur_tape *tape, const ur_op *op, bool had);

/* Whether the tape works and x is an operand that `op` takes: of this type, this number of dimensions
 * (0: any) and no other tape's. Fails the tape where it is not. */
bool ur_operand(ur_tape *tape, const ur_op *op, const ur_tensor *x, ur_dtype dtype, int ndim);
/* The same for a ragged batch, whose values must have a row for each of the layout. */
bool ur_operand_seq(ur_tape *tape, const ur_op *op, const ur_seq *x, ur_dtype dtype, int ndim);

/* The host's memory until the tape starts anew; NULL (and a sticky failure) when there is none. */
void *ur_take(ur_tape *tape, size_t count, size_t size);
/* The device's. */
float *ur_take_floats(ur_tape *tape, size_t count);

/* A tensor with fresh memory, uninitialised: floats on the device, ids in the host's memory. */
ur_tensor *ur_tensor_new(ur_tape *tape, ur_dtype dtype, int ndim, const size_t *dim);
ur_tensor *ur_rows_new(ur_tape *tape, size_t rows, size_t width); /* float (rows, width) */
ur_seq *ur_seq_new(ur_tape *tape, ur_tensor *values, const ur_layout *layout);

/* The layout of `batch` sequences of one step each: row b is sequence b. */
const ur_layout *ur_one_step_layout(ur_tape *tape, size_t batch);

/* Host memory to write x's values to, and bringing them to where x lies: to be called in pairs. */
void *ur_write_begin(ur_tape *tape, ur_tensor *x);
void ur_write_end(ur_tape *tape, ur_tensor *x, const void *values);
/* x's values where the host can read them: a copy, or x's own where they lie there already; NULL for NULL
 * or when memory ran out. */
float *ur_read(ur_tape *tape, const ur_tensor *x);

/* Records an operation whose outputs need gradients when any input or output does so already: a node
 * of `size` bytes; NULL when nothing is to be recorded (inference, no gradient) or memory ran out. */
void *ur_record_all(ur_tape *tape, const ur_op *op, size_t size, size_t outs, ur_tensor *const *out,
                    size_t ins, ur_tensor *const *in);
/* The same for one output of one or two inputs; b may be NULL. */
void *ur_record(ur_tape *tape, const ur_op *op, size_t size, ur_tensor *y, ur_tensor *a,
                ur_tensor *b);

/* y(to[r], :) = x(from[r], :) for `count` rows, recorded as `op`, whose backward is
 * ur_move_rows_back. from or to may be NULL: 0, 1, 2 ... Ids move, too, without record. */
ur_tensor *ur_move_rows(ur_tape *tape, const ur_op *op, ur_tensor *x, ur_tensor *y, size_t count,
                        size_t width, const size_t *from, const size_t *to);
void ur_move_rows_back(ur_tape *tape, ur_node *node);

/* Some rows of x (N, F), each once at most: (count, F). row (count) must last as long as the tape. */
ur_tensor *ur_rows_of(ur_tape *tape, ur_tensor *x, size_t count, const size_t *row);
/* Rows [begin, begin + count) of x (N, F) (steps.c). */
ur_tensor *ur_rows_from(ur_tape *tape, ur_tensor *x, size_t begin, size_t count);
/* The first rows of each block of x (N, B, F): (N, rows, F). */
ur_tensor *ur_first_of_each(ur_tape *tape, ur_tensor *x, size_t rows);
/* Tensors (rows, F), one below the other. */
ur_tensor *ur_join_rows(ur_tape *tape, size_t count, ur_tensor *const *x);

/* Where to add x's gradient: zeros at first; NULL where none is wanted or memory ran out. */
float *ur_grad(ur_tape *tape, ur_tensor *x);
/* The same for an operation that can set it, which spares the zeros: where *blank comes back true,
 * nothing stands there yet, and all of it must be written. */
float *ur_grad_to_set(ur_tape *tape, ur_tensor *x, bool *blank);

/* Backward from the gradients that stand in the tensors already. */
void ur_tape_replay(ur_tape *tape);

/* Right after ur_tape_start: the gradient vector may hold anything, backward sets all of it. */
void ur_tape_set_gradient(ur_tape *tape);

/* The gradient of parameter `index`, -1: none; as ur_grad and ur_grad_to_set. */
float *ur_weight_grad(ur_tape *tape, int index);
float *ur_weight_grad_to_set(ur_tape *tape, int index, bool *blank);

/* A weight as a layer knows it: (rows, columns), columns 0 for one dimension; pack: a packed copy of it, or
 * -1. */
typedef struct ur_weight_shape {
    int index, pack;
    size_t rows, columns;
} ur_weight_shape;

/* Whether the tape's parameters have these weights, as they were when it was started; fails the tape when
 * not. */
bool ur_has_weights(ur_tape *tape, const char *operation, size_t n, const ur_weight_shape *weight);

/* Whether backward will ask for this tensor's gradient. */
bool ur_wants_grad(const ur_tape *tape, const ur_tensor *x);

/* "(29,32,17)" */
typedef struct ur_shape_text {
    char text[96];
} ur_shape_text;
ur_shape_text ur_shape(const ur_tensor *x);

/* Computes by one thread only (tapes that share a pool with others) or with the whole team. */
void ur_tape_use_team(ur_tape *tape, bool use);

#endif
