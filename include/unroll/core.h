/* unroll/core.h - the ground everything stands on: errors, memory, UTF-8, the context that owns
 * threads and instruction set, tensors, ragged sequences, parameters, the tape and elementary operations.
 *
 * Conventions. A function that can fail returns ur_status and takes `ur_err *err` (may be NULL),
 * which receives one sentence. Objects are made by NAME_new(..., &object, err) and released by
 * NAME_free(object), which accepts NULL. Nothing here prints, exits or keeps global state. */
#ifndef UNROLL_CORE_H
#define UNROLL_CORE_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of these headers; ur_version tells that of the library which a program runs with. */
#define UR_VERSION "0.2.0"
#define UR_VERSION_MAJOR 0
#define UR_VERSION_MINOR 2
#define UR_VERSION_PATCH 0
/* For comparisons: #if UR_VERSION_NUMBER >= 200 asks for 0.2.0 or later. */
#define UR_VERSION_NUMBER (UR_VERSION_MAJOR * 10000 + UR_VERSION_MINOR * 100 + UR_VERSION_PATCH)

const char *ur_version(void); /* "0.2.0" */

/* ---- errors ------------------------------------------------------------------------------- */

typedef enum ur_status {
    UR_OK = 0,
    UR_INVALID,     /* an argument or a shape that does not fit */
    UR_BAD_FILE,    /* a file that is missing or whose content is not what it should be */
    UR_IO,          /* reading or writing failed (disk full, permission, device) */
    UR_NO_MEMORY,   /* an allocation failed */
    UR_UNSUPPORTED, /* well formed, but not something this build or machine does */
    UR_DIVERGED,    /* a loss or gradient is not finite */
    UR_INTERRUPTED  /* the caller asked to stop */
} ur_status;

/* What went wrong: a status and one sentence saying what, where and what was expected: UTF-8, cut between
 * characters where it is too long, without control characters (ur_printable). */
typedef struct ur_err {
    ur_status status;
    char text[504];
} ur_err;

const char *ur_status_name(ur_status status);

/* ---- memory ------------------------------------------------------------------------------- */

/* Where memory comes from. allocate returns NULL on failure; release accepts NULL.
 * Alignment: allocate gives memory that is aligned for any type, as malloc does (max_align_t); what the
 * library needs aligned further (64 bytes, for vectors) it aligns itself. `bytes` is never 0.
 * Threads: the hooks of a context are called by the thread that calls the library and, with more than
 * one thread, by the context's own threads, several at once, and memory is released by any of them: they
 * must be safe for that. With .threads = 1 only callers of the library call them. Nothing is taken or
 * released inside ur_stream_step over weights that have not changed since the last one. */
typedef struct ur_allocator {
    void *(*allocate)(void *user, size_t bytes);
    void (*release)(void *user, void *memory);
    void *user;
} ur_allocator;

/* ---- UTF-8 -------------------------------------------------------------------------------- */

/* Decodes the character at the start of `bytes`. Returns the bytes it takes (1 to 4), or 0 when
 * size is 0 or the bytes are not well-formed UTF-8 (overlong forms, surrogates, values above
 * U+10FFFF and cut-off sequences are not: The Unicode Standard, table 3-7). */
size_t ur_utf8_decode(const char *bytes, size_t size, uint32_t *character);

/* Writes a character as 1 to 4 bytes and returns how many; 0 when it is not a scalar value. */
size_t ur_utf8_encode(uint32_t character, char bytes[4]);

/* Counts the characters of a string. False when it is not UTF-8; *count is then the byte offset
 * at which the first ill-formed sequence begins. */
bool ur_utf8_count(const char *bytes, size_t size, size_t *count);

/* Any bytes as a terminal can show them, in `text`, which a zero byte closes if capacity is above 0: what
 * controls a terminal (U+0000-1F, 7F-9F, line and paragraph separators, marks that turn the direction of
 * writing) is written \n, \t, \r, \x1b or \u{202e}, bytes that are not UTF-8 \xff, all else as it is. A text that
 * does not fit is cut between characters and ends in "...". Returns the bytes in `text`, without the zero
 * byte. Every sentence of the library has gone through it. */
size_t ur_printable(const char *bytes, size_t size, char *text, size_t capacity);

/* ---- context ------------------------------------------------------------------------------ */

/* Where and how things are computed: memory hooks, threads, instruction set. Everything that
 * computes is made from a context, which must outlive it. One context serves one caller at a time;
 * make one per application thread that wants to compute at the same time as others.
 * A child that fork made, while no call was running, may use and free what it inherited of a context and all
 * that was made from it: it computes with one thread there, and to the same bits. Nothing is registered for
 * that; a context for more threads is made anew. */
typedef struct ur_context ur_context;

typedef struct ur_options {
    const ur_allocator *allocator; /* NULL: hooks on malloc and free, see ur_context_allocator */
    int threads;                   /* 0: as many as the process may run on; results do not depend */
    const char *isa;               /* see ur_isa_name; NULL: $UNROLL_ISA, else the best */
} ur_options;

/* The instruction sets that this machine and build have (plain, avx2, avx512, neon): number i, plain
 * first and the best last; NULL behind it. */
const char *ur_isa_name(size_t i);

/* options may be NULL. UR_UNSUPPORTED when this machine lacks the instruction set asked for. */
ur_status ur_context_new(const ur_options *options, ur_context **out, ur_err *err);
void ur_context_free(ur_context *context);
const char *ur_context_isa(const ur_context *context);
int ur_context_threads(const ur_context *context);
/* Its memory hooks. Where none were given they align large blocks in malloc's: what comes from them goes back
 * by their release, not by free. */
const ur_allocator *ur_context_allocator(const ur_context *context);

/* The id of what a vocabulary lacks and has no <unk> for: embedded as zeros, and as an answer never
 * right. */
#define UR_UNKNOWN (-1)

/* ---- tensors and ragged sequences --------------------------------------------------------- */

#define UR_MAX_DIMS 4

typedef enum ur_dtype { UR_F32, UR_I32 } ur_dtype;
typedef enum ur_device { UR_CPU } ur_device;

/* A contiguous array of up to 4 dimensions. grad has as many floats as data: backward adds the
 * gradient there; NULL until it arrives. Memory belongs to whoever made the tensor. */
typedef struct ur_tensor {
    ur_dtype dtype;
    ur_device device;
    int ndim;
    size_t dim[UR_MAX_DIMS];
    void *data;
    float *grad;
    bool needs_grad;
    const struct ur_tape *tape; /* that it lives on; NULL: the caller's own */
} ur_tensor;

size_t ur_count(const ur_tensor *x);  /* product of the dimensions */
float *ur_floats(const ur_tensor *x); /* data as float */
int32_t *ur_ints(const ur_tensor *x); /* data as int32_t */

typedef enum ur_order {
    UR_STEP_MAJOR,    /* step 0 of all sequences, step 1 of those that have one ..., longest first:
                         what PyTorch's pack_padded_sequence makes */
    UR_SEQUENCE_MAJOR /* all steps of sequence 0, then of sequence 1 ... */
} ur_order;

/* Where the rows of a ragged batch lie. Callers know sequences by their index b in [0, batch), in
 * the order they gave the lengths in; zero lengths are allowed.
 *   step-major:     row of step t of sequence b = offset[t] + rank[b],  offset has steps+1 entries
 *   sequence-major: row                         = offset[b] + t,        offset has batch+1 entries */
typedef struct ur_layout {
    ur_order order;
    size_t batch, steps, rows; /* sequences, longest length, sum of the lengths */
    const size_t *length;      /* (batch) of sequence b */
    const size_t *rank;        /* (batch) place of sequence b among falling lengths (stable) */
    const size_t *sequence;    /* (batch) the sequence at each place */
    const size_t *offset;
    const uint64_t *id; /* (batch) a number that names the sequence for drop-out */
} ur_layout;

/* Of a step that the sequence has. */
size_t ur_row(const ur_layout *layout, size_t b, size_t t);
/* How many sequences have a step t. */
size_t ur_alive(const ur_layout *layout, size_t t);

/* A ragged batch: values (rows, features), or (rows) for ids. No padding anywhere. */
typedef struct ur_seq {
    ur_tensor *values;
    const ur_layout *layout;
} ur_seq;

/* Its values, or NULL for NULL: what a tape that failed gives needs no look in between. */
ur_tensor *ur_values(const ur_seq *x);

/* ---- parameters --------------------------------------------------------------------------- */

/* All weights of a model: one float vector and a table of names, shapes and offsets. A gradient is
 * a second vector of the same length. Names are those of PyTorch's state_dict. Beside the vector there
 * are copies in the layouts that the kernels read. Starting a tape, and a step of a stream, bring these
 * up to date where the values have changed. They must not change while tapes run over them: an operation
 * then fails, and ur_tape_start begins again. */
typedef struct ur_params ur_params;

/* Whether optimisers step a parameter (it is frozen otherwise: it gets no gradient), and whether they
 * let its weights decay. */
enum { UR_TRAINABLE = 1, UR_DECAY = 2 };

typedef struct ur_param {
    const char *name;
    int ndim;
    size_t dim[UR_MAX_DIMS];
    size_t offset, count; /* in floats; offset is a multiple of 16 */
    unsigned flags;
    int alias_of; /* index of the parameter whose weights this one shares, itself no alias; or -1 */
} ur_param;

ur_status ur_params_new(ur_context *context, ur_params **out, ur_err *err);
void ur_params_free(ur_params *params);

/* Adds a parameter and returns its index. Failure is sticky and returns -1; ur_params_seal tells, of
 * the first parameter that failed. */
int ur_params_add(ur_params *params, const char *name, int ndim, const size_t *dim, unsigned flags);
/* A second name for the weights of `index` (tied weights), which may be an alias itself: saved, stepped
 * and counted once. */
int ur_params_alias(ur_params *params, const char *name, int index);

/* Allocates the vector (zeros). No parameter can be added afterwards. */
ur_status ur_params_seal(ur_params *params, ur_err *err);

/* Sets or clears flags of all parameters whose name (or an alias's) matches the pattern, as file names
 * match in a shell: "encoder.*" freezes an encoder with UR_TRAINABLE and false, "*bias*" spares biases
 * the decay. Returns how many names matched. Any time but while tapes run over the parameters. */
int ur_params_set_flags(ur_params *params, const char *pattern, unsigned flags, bool on);

size_t ur_params_size(const ur_params *params);  /* floats in the vector, alignment included */
size_t ur_params_count(const ur_params *params); /* entries in the table */
const ur_param *ur_params_entry(const ur_params *params, size_t index); /* NULL behind the last */
int ur_params_find(const ur_params *params, const char *name);          /* -1: none */
size_t ur_params_weights(const ur_params *params); /* weights, without alignment */

/* The vector and one parameter in it, to read; NULL before sealing or where there is none of that index. */
const float *ur_params_data(const ur_params *params);
const float *ur_param_data(const ur_params *params, int index);
/* The same to write. Each call counts as a change of the weights. */
float *ur_params_values(ur_params *params);
float *ur_param_values(ur_params *params, int index);
/* Only for who keeps such a pointer and writes again after a tape was started or a stream stepped: says
 * that the values have changed. */
void ur_params_changed(ur_params *params);

/* ---- the tape ----------------------------------------------------------------------------- */

/* Operations compute at once; in training the tape remembers them and ur_backward replays them in
 * reverse. Errors are sticky: the first failing operation records what it saw, returns NULL (or
 * members that are NULL), and everything after it does nothing. All results live in the tape until
 * the next ur_tape_start or ur_tape_rewind. */
typedef struct ur_tape ur_tape;

typedef enum ur_mode { UR_TRAIN, UR_INFER } ur_mode;

/* Numbers of a forward pass that may be noted beside the loss (ur_figure.noted). */
enum { UR_MOST_NOTED = 4 };

/* Notes a number (1) that lives on the tape as the `which`-th, from 0; NULL is none. */
void ur_tape_note(ur_tape *tape, size_t which, const ur_tensor *number);

ur_status ur_tape_new(ur_context *context, ur_tape **out, ur_err *err);
void ur_tape_free(ur_tape *tape);

/* Forgets everything and starts anew over these parameters, which are of the tape's context (NULL: over
 * none). gradient: the vector that backward adds to (ur_params_size floats), NULL in inference. seed and
 * step key the drop-out. The tape fails when the parameters are not sealed or memory ran out; one that
 * was never started has failed from the beginning. */
void ur_tape_start(ur_tape *tape, ur_mode mode, const ur_params *params, float *gradient,
                   uint64_t seed, uint64_t step);

/* Gradients of everything that `scalar` (one element) depends on. */
ur_status ur_backward(ur_tape *tape, ur_tensor *scalar);

/* Where the gradient of parameter `index` stands in the vector that the tape was started with; NULL
 * where there is none. */
const float *ur_param_gradient(const ur_tape *tape, int index);

ur_status ur_tape_status(const ur_tape *tape);
const char *ur_error(const ur_tape *tape); /* "" while all is well */
ur_mode ur_tape_mode(const ur_tape *tape);

/* A place on an inference tape, and back to it: forgets what was made since. */
typedef struct ur_place {
    void *chunk, *device_chunk;
    size_t used, device_used;
} ur_place;
ur_place ur_tape_place(const ur_tape *tape);
void ur_tape_rewind(ur_tape *tape, ur_place place);

/* Inputs. The tensors live on the tape, uninitialised unless said. */
ur_tensor *ur_new_floats(ur_tape *tape, int ndim, const size_t *dim, bool needs_grad);
ur_tensor *ur_new_ints(ur_tape *tape, int ndim, const size_t *dim);
ur_tensor *ur_copy_floats(ur_tape *tape, int ndim, const size_t *dim, const float *x, bool grad);
ur_tensor *ur_parameter(ur_tape *tape, int index); /* a view of one entry */

/* The layout for these lengths; id may be NULL (then 0, 1, 2 ...). */
const ur_layout *ur_new_layout(ur_tape *tape, ur_order order, size_t batch, const size_t *length,
                               const uint64_t *id);
/* Sequences from rows given one by one: sequence b has length[b] rows, `data` holds all of
 * sequence 0, then all of sequence 1 ... (features floats, or one id each). */
ur_seq *ur_seq_floats(ur_tape *tape, const ur_layout *layout, size_t features, const float *data,
                      bool needs_grad);
ur_seq *ur_seq_ints(ur_tape *tape, const ur_layout *layout, const int32_t *data);
/* Padded arrays in and out, batch first, (B,T,F) and (B,T) for ids, or (T,B,F) and (T,B). In: T may
 * exceed the longest length, and what stands beyond a sequence's end is not looked at. Out: `value`
 * stands there; steps is T, or 0 for the longest length. Gradients pass both ways.
 * torch.nn.utils.rnn.pack_padded_sequence and pad_packed_sequence. */
ur_seq *ur_from_padded(ur_tape *tape, const ur_layout *layout, ur_tensor *x, bool batch_first);
ur_tensor *ur_to_padded(ur_tape *tape, const ur_seq *x, size_t steps, double value,
                        bool batch_first);
/* The same rows in the other order. */
ur_seq *ur_reorder(ur_tape *tape, const ur_seq *x, ur_order order);

/* ---- elementary operations ---------------------------------------------------------------- */
/* On tensors of equal shape, unless said; rows are (N, features). */

ur_tensor *ur_add(ur_tape *tape, ur_tensor *a, ur_tensor *b);
ur_tensor *ur_sub(ur_tape *tape, ur_tensor *a, ur_tensor *b);
ur_tensor *ur_mul(ur_tape *tape, ur_tensor *a, ur_tensor *b);
ur_tensor *ur_scale(ur_tape *tape, ur_tensor *x, float factor);
ur_tensor *ur_sigmoid(ur_tape *tape, ur_tensor *x);
ur_tensor *ur_tanh(ur_tape *tape, ur_tensor *x);
ur_tensor *ur_div(ur_tape *tape, ur_tensor *a, ur_tensor *b);
ur_tensor *ur_exp(ur_tape *tape, ur_tensor *x);
ur_tensor *ur_log(ur_tape *tape, ur_tensor *x); /* natural */
ur_tensor *ur_relu(ur_tape *tape, ur_tensor *x);
/* x Phi(x), torch.nn.functional.gelu; and its approximation by tanh, approximate="tanh". (Hendrycks and
 * Gimpel 2016.) */
ur_tensor *ur_gelu(ur_tape *tape, ur_tensor *x);
ur_tensor *ur_gelu_tanh(ur_tape *tape, ur_tensor *x);
/* Which of these stands between two layers (ur_feed_forward). */
typedef enum ur_activation {
    UR_ACT_NONE,
    UR_ACT_RELU,
    UR_ACT_GELU,
    UR_ACT_GELU_TANH
} ur_activation;
ur_tensor *ur_softmax(ur_tape *tape, ur_tensor *x); /* over the last dimension */
ur_tensor *ur_sum(ur_tape *tape, ur_tensor *x);     /* (1) */
ur_tensor *ur_mean(ur_tape *tape, ur_tensor *x);    /* (1) */
/* Broadcasts: one number (1) to any shape, one row (F) to (rows, F); gradients add up. */
ur_tensor *ur_expand(ur_tape *tape, ur_tensor *number, int ndim, const size_t *dim);
ur_tensor *ur_expand_rows(ur_tape *tape, ur_tensor *row, size_t rows);
ur_tensor *ur_reshape(ur_tape *tape, ur_tensor *x, int ndim, const size_t *dim); /* as many */
ur_tensor *ur_transpose(ur_tape *tape, ur_tensor *x); /* (N,M) -> (M,N) */
/* Over the last dimension: (x - mean) / sqrt(variance + eps), times gain and plus bias, (F) each or
 * NULL. torch.nn.functional.layer_norm (Ba, Kiros and Hinton 2016). */
ur_tensor *ur_layer_norm(ur_tape *tape, ur_tensor *x, ur_tensor *gain, ur_tensor *bias, float eps);
ur_tensor *ur_matmul_t(ur_tape *tape, ur_tensor *x, ur_tensor *w); /* (N,K),(M,K) -> (N,M): x w^T */
ur_tensor *ur_concat(ur_tape *tape, ur_tensor *a, ur_tensor *b);   /* (N,A),(N,B) -> (N,A+B) */
ur_tensor *ur_slice(ur_tape *tape, ur_tensor *x, size_t begin, size_t end); /* columns */
ur_seq *ur_concat_seq(ur_tape *tape, ur_seq *a, ur_seq *b);                 /* of one layout */
/* Every step of sequence b gets row b of x (batch, features): (rows, features). */
ur_seq *ur_repeat(ur_tape *tape, ur_tensor *x, const ur_layout *layout);

/* Each sequence turned around, its last step first. */
ur_seq *ur_reverse(ur_tape *tape, ur_seq *x);
/* Each sequence's last step: (batch, features); zeros for an empty sequence. */
ur_tensor *ur_last_steps(ur_tape *tape, const ur_seq *x);
/* Step t of each sequence: (batch, features); zeros for one that is not so long. */
ur_tensor *ur_step_of(ur_tape *tape, const ur_seq *x, size_t t);
/* n tensors (B, F) -> (n, B, F), and number `index` of them back. */
ur_tensor *ur_stack(ur_tape *tape, size_t n, ur_tensor *const *x);
ur_tensor *ur_pick(ur_tape *tape, ur_tensor *x, size_t index);

/* ---- gradient check ----------------------------------------------------------------------- */

/* Compares backward with central differences of `loss`, a function that builds a scalar on the
 * tape from the parameters (and inputs of its own, which it may register as parameters). Returns
 * the largest |analytic - numeric| / max(1, |analytic|, |numeric|) over up to `samples` entries of
 * each parameter (0: all). In float an error near 1e-3 is what differences allow; the library's own
 * tests run this in a double-precision build. */
ur_status ur_gradient_check(ur_tape *tape, ur_params *params,
                            ur_tensor *(*loss)(ur_tape *tape, void *user), void *user,
                            size_t samples, double *worst, ur_err *err);

#ifdef __cplusplus
}
#endif

#endif
