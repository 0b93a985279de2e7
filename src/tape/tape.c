/* tape.c - record, replay backwards, sticky errors.
 *
 * Operations run at once and take all their memory from one arena. In training each leaves a node;
 * ur_backward walks the nodes in reverse. Gradients of intermediate tensors come into being when
 * backward first reaches them. */
#include "tape/tape.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"

ur_status ur_tape_new(ur_context *context, ur_tape **out, ur_err *err)
{
    *out = NULL;
    ur_tape *tape = ur_alloc_zero(&context->allocator, 1, sizeof *tape);
    if (!tape)
        return ur_no_memory(err, sizeof *tape);
    tape->context = context;
    tape->backend = context->backend;
    tape->on = (ur_executor){context->backend, context->kernels, ur_pool_team(context->pool), NULL};
    ur_status status = ur_arena_new(&context->allocator, &tape->arena, err);
    if (status == UR_OK && !context->backend->host_memory)
        status = ur_device_arena(context, &tape->on.memory, err);
    else
        tape->on.memory = tape->arena;
    if (status != UR_OK) {
        ur_tape_free(tape);
        return status;
    }
    ur_tape_fail(tape, UR_INVALID, "this tape was not started yet (ur_tape_start)");
    *out = tape;
    return UR_OK;
}

void ur_tape_free(ur_tape *tape)
{
    if (!tape)
        return;
    if (tape->on.memory != tape->arena)
        ur_arena_free(tape->on.memory);
    ur_arena_free(tape->arena);
    ur_free(&tape->context->allocator, tape);
}

void ur_tape_rest(ur_tape *tape)
{
    ur_arena_rest(tape->arena);
    if (tape->on.memory != tape->arena)
        ur_arena_rest(tape->on.memory);
    ur_tape_fail(tape, UR_INVALID, "this tape was not started again (ur_tape_start)");
}

void ur_tape_start(ur_tape *tape, ur_mode mode, const ur_params *params, float *gradient,
                   uint64_t seed, uint64_t step)
{
    ur_arena_reset(tape->arena);
    if (tape->on.memory != tape->arena)
        ur_arena_reset(tape->on.memory);
    tape->mode = mode;
    tape->params = params;
    tape->gradient = mode == UR_TRAIN ? gradient : NULL;
    tape->blank = NULL;
    tape->seed = seed;
    tape->step = step;
    tape->drop_outs = 0;
    tape->last = NULL;
    tape->walked = false;
    memset(tape->noted, 0, sizeof tape->noted);
    tape->error.status = UR_OK;
    tape->error.text[0] = '\0';
    if ((unsigned)mode > UR_INFER) {
        tape->mode = UR_INFER;
        ur_tape_fail(tape, UR_INVALID, "tape: there is no mode %d", (int)mode);
    }
    if (!params)
        return;
    if (ur_params_context(params) != tape->context)
        ur_tape_fail(tape, UR_INVALID, "tape: the parameters are of another context");
    else
        ur_params_prepare(params, mode, tape->on.team, &tape->error);
    tape->version = ur_params_version(params);
}

void ur_tape_use_team(ur_tape *tape, bool use)
{
    tape->on.team = use ? ur_pool_team(tape->context->pool) : NULL;
}

bool ur_tape_ok(const ur_tape *tape)
{
    return tape->error.status == UR_OK;
}

ur_status ur_tape_status(const ur_tape *tape)
{
    return tape->error.status;
}

const char *ur_error(const ur_tape *tape)
{
    return tape->error.text;
}

ur_mode ur_tape_mode(const ur_tape *tape)
{
    return tape->mode;
}

void *ur_tape_fail(ur_tape *tape, ur_status status, const char *format, ...)
{
    if (tape->error.status != UR_OK)
        return NULL;
    va_list arguments;
    va_start(arguments, format);
    ur_say(&tape->error, status, format, arguments);
    va_end(arguments);
    return NULL;
}

void *ur_take(ur_tape *tape, size_t count, size_t size)
{
    if (!ur_tape_ok(tape))
        return NULL;
    void *memory = ur_arena_take(tape->arena, count, size);
    if (!memory)
        ur_tape_fail(tape, UR_NO_MEMORY, "out of memory: the tape wanted %zu x %zu bytes", count,
                     size);
    return memory;
}

float *ur_take_floats(ur_tape *tape, size_t count)
{
    if (!ur_tape_ok(tape))
        return NULL;
    float *memory = ur_arena_take(tape->on.memory, count, sizeof *memory);
    if (!memory)
        ur_tape_fail(tape, UR_NO_MEMORY, "out of memory: the tape wanted %zu floats", count);
    return memory;
}

bool ur_had_memory(ur_tape *tape, const ur_op *op, bool had)
{
    if (!had)
        ur_tape_fail(tape, UR_NO_MEMORY, "out of memory: %s", op->name);
    return had;
}

/* ---- tensors ------------------------------------------------------------------------------ */

static ur_tensor *tensor_of(ur_tape *tape, ur_dtype dtype, int ndim, const size_t *dim)
{
    ur_tensor *x = ur_take(tape, 1, sizeof *x);
    if (!x)
        return NULL;
    *x = (ur_tensor){.dtype = dtype, .device = UR_CPU, .ndim = ndim, .tape = tape};
    memcpy(x->dim, dim, (size_t)ndim * sizeof *dim);
    return x;
}

ur_tensor *ur_tensor_new(ur_tape *tape, ur_dtype dtype, int ndim, const size_t *dim)
{
    size_t count = 1;
    if (ndim < 1 || ndim > UR_MAX_DIMS)
        return ur_tape_fail(tape, UR_INVALID, "tensor: %d dimensions, 1 to %d expected", ndim,
                            UR_MAX_DIMS);
    for (int i = 0; i < ndim; i++) {
        if (dim[i] && count > SIZE_MAX / 16 / dim[i])
            return ur_tape_fail(tape, UR_INVALID, "tensor: its size overflows");
        count *= dim[i];
    }
    ur_tensor *x = tensor_of(tape, dtype, ndim, dim);
    if (!x)
        return NULL;
    x->data = dtype == UR_F32 ? (void *)ur_take_floats(tape, count)
                              : ur_take(tape, count, sizeof(int32_t));
    return x->data ? x : NULL;
}

ur_tensor *ur_rows_new(ur_tape *tape, size_t rows, size_t width)
{
    return ur_tensor_new(tape, UR_F32, 2, (size_t[]){rows, width});
}

ur_seq *ur_seq_new(ur_tape *tape, ur_tensor *values, const ur_layout *layout)
{
    ur_seq *s = values && layout ? ur_take(tape, 1, sizeof *s) : NULL;
    if (s)
        *s = (ur_seq){values, layout};
    return s;
}

static const char *type_name(ur_dtype dtype)
{
    return dtype == UR_F32 ? "floats" : "int32 ids";
}

bool ur_operand(ur_tape *tape, const ur_op *op, const ur_tensor *x, ur_dtype dtype, int ndim)
{
    if (!ur_tape_ok(tape))
        return false;
    if (x && x->dtype == dtype && (!ndim || x->ndim == ndim) && (!x->tape || x->tape == tape))
        return true;
    if (!x)
        ur_tape_fail(tape, UR_INVALID, "%s: an operand is missing (NULL)", op->name);
    else if (x->tape && x->tape != tape)
        ur_tape_fail(tape, UR_INVALID, "%s: operand %s is of another tape", op->name,
                     ur_shape(x).text);
    else if (!ndim)
        ur_tape_fail(tape, UR_INVALID, "%s: operand %s is of %s, %s expected", op->name,
                     ur_shape(x).text, type_name(x->dtype), type_name(dtype));
    else
        ur_tape_fail(tape, UR_INVALID, "%s: operand %s is of %s, %s of %d dimension%s expected",
                     op->name, ur_shape(x).text, type_name(x->dtype), type_name(dtype), ndim,
                     ndim > 1 ? "s" : "");
    return false;
}

bool ur_operand_seq(ur_tape *tape, const ur_op *op, const ur_seq *x, ur_dtype dtype, int ndim)
{
    if (!ur_operand(tape, op, x ? x->values : NULL, dtype, ndim))
        return false;
    if (x->layout && x->values->dim[0] == x->layout->rows)
        return true;
    ur_tape_fail(tape, UR_INVALID, "%s: values %s, but the layout has %zu rows", op->name,
                 ur_shape(x->values).text, x->layout ? x->layout->rows : 0);
    return false;
}

/* ---- the host's numbers ------------------------------------------------------------------- */

static size_t bytes_of(const ur_tensor *x)
{
    return ur_count(x) * (x->dtype == UR_F32 ? sizeof(float) : sizeof(int32_t));
}

static bool on_host(const ur_tape *tape, const ur_tensor *x)
{
    return tape->backend->host_memory || x->dtype != UR_F32;
}

void *ur_write_begin(ur_tape *tape, ur_tensor *x)
{
    return !x ? NULL : on_host(tape, x) ? x->data : ur_take(tape, bytes_of(x), 1);
}

void ur_write_end(ur_tape *tape, ur_tensor *x, const void *values)
{
    if (x && values && values != x->data)
        tape->backend->copy_in(&tape->on, x->data, values, bytes_of(x));
}

float *ur_read(ur_tape *tape, const ur_tensor *x)
{
    if (!x || on_host(tape, x))
        return x ? x->data : NULL;
    float *values = ur_take(tape, bytes_of(x), 1);
    if (values)
        tape->backend->copy_out(&tape->on, values, x->data, bytes_of(x));
    return values;
}

/* ---- recording ---------------------------------------------------------------------------- */

static bool any_needs_grad(size_t n, ur_tensor *const *x)
{
    for (size_t i = 0; i < n; i++)
        if (x[i] && x[i]->needs_grad)
            return true;
    return false;
}

void *ur_record_all(ur_tape *tape, const ur_op *op, size_t size, size_t outs, ur_tensor *const *out,
                    size_t ins, ur_tensor *const *in)
{
    if (!ur_tape_ok(tape) || tape->mode != UR_TRAIN ||
        !(any_needs_grad(outs, out) || any_needs_grad(ins, in)))
        return NULL;
    ur_node *node = ur_take(tape, 1, size);
    ur_tensor **all = ur_take(tape, outs + ins, sizeof(ur_tensor *));
    if (!node || !all)
        return NULL;
    memset(node, 0, size);
    memcpy(all, out, outs * sizeof(ur_tensor *));
    memcpy(all + outs, in, ins * sizeof(ur_tensor *));
    *node = (ur_node){tape->last, op, ins, outs, all + outs, all, false};
    for (size_t i = 0; i < outs; i++)
        if (out[i])
            out[i]->needs_grad = true;
    tape->last = node;
    return node;
}

void *ur_record(ur_tape *tape, const ur_op *op, size_t size, ur_tensor *y, ur_tensor *a,
                ur_tensor *b)
{
    return y ? ur_record_all(tape, op, size, 1, &y, 2, (ur_tensor *[]){a, b}) : NULL;
}

bool ur_wants_grad(const ur_tape *tape, const ur_tensor *x)
{
    return tape->mode == UR_TRAIN && x && x->needs_grad;
}

/* ---- gradients ---------------------------------------------------------------------------- */

float *ur_grad_to_set(ur_tape *tape, ur_tensor *x, bool *blank)
{
    *blank = false;
    if (!ur_wants_grad(tape, x))
        return NULL;
    if (!x->grad) {
        x->grad = ur_take_floats(tape, ur_count(x));
        *blank = x->grad != NULL;
    }
    return x->grad;
}

static void set_zeros(ur_tape *tape, float *x, size_t n)
{
    tape->backend->fill(&tape->on, n, 0.0f, x);
}

float *ur_grad(ur_tape *tape, ur_tensor *x)
{
    bool blank;
    float *grad = ur_grad_to_set(tape, x, &blank);
    if (blank)
        set_zeros(tape, grad, ur_count(x));
    return grad;
}

void ur_tape_note(ur_tape *tape, size_t which, const ur_tensor *number)
{
    if (which < UR_MOST_NOTED)
        tape->noted[which] = number;
}

void ur_tape_set_gradient(ur_tape *tape)
{
    const size_t count = ur_params_count(tape->params);
    tape->blank = ur_take(tape, count, sizeof *tape->blank);
    for (size_t i = 0; tape->blank && i < count; i++)
        tape->blank[i] = ur_params_entry(tape->params, i)->alias_of < 0;
}

float *ur_weight_grad_to_set(ur_tape *tape, int index, bool *blank)
{
    *blank = false;
    if (index < 0 || !tape->gradient || !ur_tape_ok(tape))
        return NULL;
    const ur_param *p = ur_params_entry(tape->params, (size_t)index);
    if (!(p->flags & UR_TRAINABLE))
        return NULL;
    if (tape->blank) {
        bool *mine = &tape->blank[p->alias_of < 0 ? index : p->alias_of];
        *blank = *mine;
        *mine = false;
    }
    return tape->gradient + p->offset;
}

float *ur_weight_grad(ur_tape *tape, int index)
{
    bool blank;
    float *grad = ur_weight_grad_to_set(tape, index, &blank);
    if (blank)
        set_zeros(tape, grad, ur_params_entry(tape->params, (size_t)index)->count);
    return grad;
}

const float *ur_param_gradient(const ur_tape *tape, int index)
{
    if (!tape->params || !tape->gradient || index < 0 ||
        (size_t)index >= ur_params_count(tape->params))
        return NULL;
    return tape->gradient + ur_params_entry(tape->params, (size_t)index)->offset;
}

/* Zeros where no operation has set a gradient, and between the parameters. */
static void complete_gradient(ur_tape *tape)
{
    size_t end = ur_params_size(tape->params);
    for (size_t i = ur_params_count(tape->params); i-- > 0;) {
        const ur_param *p = ur_params_entry(tape->params, i);
        if (p->alias_of >= 0)
            continue;
        const size_t begin = tape->blank[i] ? p->offset : p->offset + p->count;
        set_zeros(tape, tape->gradient + begin, end - begin);
        end = p->offset;
    }
}

static bool reached(const ur_node *n)
{
    for (size_t i = 0; i < n->outs; i++)
        if (n->out[i] && n->out[i]->grad)
            return true;
    return false;
}

static void walk_back(ur_tape *tape, ur_node *n)
{
    if (n->used && n->op->once) {
        ur_tape_fail(tape, UR_INVALID,
                     "backward: %s was gone through already and keeps nothing for a second time; "
                     "add the losses and go back once",
                     n->op->name);
        return;
    }
    n->used = true;
    n->op->backward(tape, n);
}

void ur_tape_replay(ur_tape *tape)
{
    for (ur_node *n = tape->last; n && ur_tape_ok(tape); n = n->previous)
        if (reached(n))
            walk_back(tape, n);
    if (tape->blank && ur_tape_ok(tape))
        complete_gradient(tape);
}

/* A second walk starts from its own scalar alone; gradients of inputs and weights go on adding up. */
static void forget_gradients_between(ur_tape *tape)
{
    for (ur_node *n = tape->last; n; n = n->previous)
        for (size_t i = 0; i < n->outs; i++)
            if (n->out[i])
                n->out[i]->grad = NULL;
}

ur_status ur_backward(ur_tape *tape, ur_tensor *scalar)
{
    static const ur_op op = {.name = "backward"};
    UR_FPMODE_HERE;
    if (ur_tape_ok(tape) && (!scalar || ur_count(scalar) != 1))
        ur_tape_fail(tape, UR_INVALID, "backward: starts from one number, not from %s",
                     scalar ? ur_shape(scalar).text : "nothing");
    if (ur_tape_ok(tape) && tape->mode != UR_TRAIN)
        ur_tape_fail(tape, UR_INVALID, "backward: the tape was started for inference");
    if (!ur_operand(tape, &op, scalar, UR_F32, 0))
        return tape->error.status;
    if (tape->walked)
        forget_gradients_between(tape);
    tape->walked = true;
    float *one = ur_take_floats(tape, 1), *seed = ur_grad(tape, scalar);
    if (one && seed) {
        tape->backend->fill(&tape->on, 1, 1.0f, one);
        tape->backend->add(&tape->on, 1, one, seed);
    }
    ur_tape_replay(tape);
    return tape->error.status;
}

/* Whether parameter `index` is there and has this shape, and the packed copy is of it. */
static bool fits(const ur_params *params, ur_weight_shape w)
{
    if (!params || w.index < 0 || (size_t)w.index >= ur_params_count(params))
        return false;
    const ur_param *p = ur_params_entry(params, (size_t)w.index);
    return p->ndim == (w.columns ? 2 : 1) && p->dim[0] == w.rows &&
           (!w.columns || p->dim[1] == w.columns) &&
           (w.pack < 0 || ur_params_packs(params, w.pack, w.index));
}

bool ur_has_weights(ur_tape *tape, const char *operation, size_t n, const ur_weight_shape *weight)
{
    for (size_t i = 0; i < n && ur_tape_ok(tape); i++)
        if (!fits(tape->params, weight[i]))
            ur_tape_fail(tape, UR_INVALID,
                         "%s: the layer is not of the parameters that the tape was started with",
                         operation);
    if (ur_tape_ok(tape) && n && tape->version != ur_params_version(tape->params))
        ur_tape_fail(tape, UR_INVALID,
                     "%s: the parameters have changed since the tape was started (ur_tape_start)",
                     operation);
    return ur_tape_ok(tape);
}

ur_place ur_tape_place(const ur_tape *tape)
{
    const ur_mark host = ur_arena_mark(tape->arena), device = ur_arena_mark(tape->on.memory);
    return (ur_place){host.chunk, device.chunk, host.used, device.used};
}

void ur_tape_rewind(ur_tape *tape, ur_place place)
{
    if (tape->mode == UR_TRAIN) {
        ur_tape_fail(tape, UR_INVALID, "rewind: only a tape for inference can be rewound");
        return;
    }
    ur_arena_rewind(tape->on.memory, (ur_mark){place.device_chunk, place.device_used});
    ur_arena_rewind(tape->arena, (ur_mark){place.chunk, place.used});
}

ur_shape_text ur_shape(const ur_tensor *x)
{
    ur_shape_text s = {"(nothing)"};
    if (!x)
        return s;
    size_t at = 0;
    for (int i = 0; i < x->ndim && at < sizeof s.text; i++)
        at += (size_t)snprintf(s.text + at, sizeof s.text - at, "%c%zu", i ? ',' : '(', x->dim[i]);
    if (at + 1 < sizeof s.text)
        memcpy(s.text + at, ")", 2);
    return s;
}

ur_tensor *ur_parameter(ur_tape *tape, int index)
{
    if (!ur_tape_ok(tape))
        return NULL;
    if (!tape->params || index < 0 || (size_t)index >= ur_params_count(tape->params))
        return ur_tape_fail(tape, UR_INVALID, "parameter %d: the model has %zu", index,
                            tape->params ? ur_params_count(tape->params) : 0);
    const ur_param *p = ur_params_entry(tape->params, (size_t)index);
    const float *values = ur_param_on_device(tape->params, index);
    if (!values)
        return ur_tape_fail(tape, UR_INVALID,
                            "parameter %s: it was read for products alone and has no values",
                            p->name);
    ur_tensor *x = tensor_of(tape, UR_F32, p->ndim, p->dim);
    if (!x)
        return NULL;
    memcpy(&x->data, &values, sizeof values); /* operations only read it */
    x->grad = ur_weight_grad(tape, index);
    x->needs_grad = x->grad != NULL;
    return x;
}
