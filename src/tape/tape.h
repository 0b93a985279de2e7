/* tape.h - inside the tape: how operations take memory, fail and are recorded. */
#ifndef UR_TAPE_TAPE_H
#define UR_TAPE_TAPE_H

#include "backend/cpu/cpu.h"
#include "base/arena.h"
#include "tensor/layout.h"
#include "tape/params.h"
#include "unroll/core.h"

/* One recorded operation. Operations embed it as the first member of a struct that holds their
 * inputs, outputs and what backward needs. */
typedef struct ur_node {
    struct ur_node *previous;
    void (*backward)(ur_tape *tape, struct ur_node *node);
} ur_node;

struct ur_tape {
    ur_context *context;
    ur_arena *arena;
    ur_cpu cpu;
    ur_mode mode;
    const ur_params *params;
    uint64_t version; /* of the parameters, when it was started */
    float *gradient;
    bool *blank; /* per parameter: its gradient is still to be set; NULL: none is */
    uint64_t seed, step;
    uint32_t drop_outs; /* so far in this forward: tells one drop-out from another */
    ur_node *last;
    ur_err error;
};

/* Whether the tape still works, in which case NULL among the operands is a caller's mistake. */
bool ur_tape_ok(const ur_tape *tape);

/* Records the first failure; returns NULL for `return ur_tape_fail(...)`. */
void *ur_tape_fail(ur_tape *tape, ur_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Memory until the tape starts anew; NULL (and a sticky failure) when there is none. */
void *ur_take(ur_tape *tape, size_t count, size_t size);

/* A tensor with fresh memory, uninitialised. */
ur_tensor *ur_tensor_new(ur_tape *tape, ur_dtype dtype, int ndim, const size_t *dim);
ur_tensor *ur_rows_new(ur_tape *tape, size_t rows, size_t width); /* float (rows, width) */
ur_seq *ur_seq_new(ur_tape *tape, ur_tensor *values, const ur_layout *layout);

/* A node of `size` bytes for an operation whose outputs need gradients when any input does; NULL
 * when nothing is to be recorded (inference, no input needs a gradient) or memory ran out. */
void *ur_record(ur_tape *tape, size_t size, void (*backward)(ur_tape *, ur_node *));

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
