/* stream.c - a stack of recurrent layers, one step at a time, for real-time use.
 *
 * A step is the layers' own operation (backend/cpu/recurrent.h) over B sequences of length 1, each
 * layer's last states being its next initial ones. Everything it needs is laid out when the stream
 * is made: the states, one operation per layer, and an arena that a first step has grown to its
 * final size. It runs on the calling thread alone, so that no lock or wait can come in its way. */
#include "nn/nn.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"

struct ur_stream {
    const ur_allocator *allocator;
    const ur_params *params;
    ur_arena *memory; /* what lives as long as the stream */
    ur_cpu cpu;       /* no team; scratch is the stream's own */
    size_t sequences, layers, width, h_floats, state_floats;
    float *state; /* h (N, B, R), then c (N, B, H) for cells that have one */
    ur_cpu_recurrent layer[UR_MOST_LAYERS];
};

static ur_status check(const ur_context *context, const ur_params *params,
                       const ur_rnn_stack *stack, size_t sequences, ur_err *err)
{
    const ur_cell_layer *first = &stack->part[0];
    if (stack->config.bidirectional)
        return ur_fail(err, UR_UNSUPPORTED,
                       "stream: this %s is bidirectional, and its backward direction begins with "
                       "the last step, which a stream has not seen yet",
                       stack->config.cell);
    if (sequences < 1)
        return ur_fail(err, UR_INVALID, "stream: the number of sequences must be at least 1");
    if (ur_params_context(params)->kernels != context->kernels)
        return ur_fail(err, UR_INVALID,
                       "stream: the context computes by %s, the parameters are packed for %s",
                       context->kernels->name, ur_params_context(params)->kernels->name);
    const ur_status ready = ur_params_prepare(params, UR_INFER, NULL, err);
    if (ready != UR_OK)
        return ready;
    const size_t gates_row = ur_recurrent_gates_row(first->cell, first->hidden_size);
    const size_t widest = gates_row > first->input_size ? gates_row : first->input_size;
    if (sequences > SIZE_MAX / (UR_MOST_LAYERS * 64) / widest)
        return ur_fail(err, UR_NO_MEMORY, "stream: %zu sequences are more than memory can hold",
                       sequences);
    return UR_OK;
}

static ur_status make_arenas(ur_stream *s, ur_err *err)
{
    const ur_status status = ur_arena_new(s->allocator, &s->memory, err);
    return status == UR_OK ? ur_arena_new(s->allocator, &s->cpu.scratch, err) : status;
}

static const ur_layout *one_step_each(ur_stream *s)
{
    size_t *length = ur_arena_take(s->memory, s->sequences, sizeof *length);
    if (!length)
        return NULL;
    for (size_t b = 0; b < s->sequences; b++)
        length[b] = 1;
    return ur_layout_build(s->memory, UR_STEP_MAJOR, s->sequences, length, NULL);
}

/* The states, and what a step's layers write: gates (kept out of scratch, where a chunk of many
 * steps would be set aside for them) and the outputs that the next layer reads. */
static bool lay_out(ur_stream *s, const ur_params *params, const ur_rnn_stack *stack)
{
    const ur_cell_layer *first = &stack->part[0];
    const size_t batch = s->sequences, hidden = first->hidden_size, outputs = batch * s->width;
    const size_t gates = batch * ur_recurrent_gates_row(first->cell, hidden);
    const bool has_c = first->cell->has_c, split = first->cell->split;
    s->h_floats = s->layers * outputs;
    s->state_floats = s->h_floats + (has_c ? s->layers * batch * hidden : 0);
    const ur_layout *rows = one_step_each(s);
    float *gate = ur_arena_take(s->memory, gates, sizeof *gate);
    float *h_gate = split ? ur_arena_take(s->memory, gates, sizeof *h_gate) : NULL;
    float *output[2] = {ur_arena_take(s->memory, outputs, sizeof(float)),
                        ur_arena_take(s->memory, outputs, sizeof(float))};
    s->state = ur_arena_take_zero(s->memory, s->state_floats, sizeof(float));
    if (!rows || !gate || (split && !h_gate) || !output[0] || !output[1] || !s->state)
        return false;
    for (size_t i = 0; i < s->layers; i++) {
        ur_cpu_recurrent *op = &s->layer[i];
        *op = ur_cell_operation(params, &stack->part[i]);
        op->rows = rows;
        op->gates = gate;
        op->h_gates = h_gate;
        op->h_n = s->state + i * outputs;
        op->h0 = op->h_n;
        op->c_n = has_c ? s->state + s->h_floats + i * batch * hidden : NULL;
        op->c0 = op->c_n;
        op->y = output[i % 2];
        op->x = output[(i + 1) % 2]; /* of the layer below */
    }
    return true;
}

static bool run(ur_stream *s, const float *x, float *y)
{
    bool ok = true;
    s->layer[0].x = x;
    s->layer[s->layers - 1].y = y;
    for (size_t i = 0; ok && i < s->layers; i++)
        ok = ur_cpu_recurrent_forward(&s->cpu, &s->layer[i]);
    return ok;
}

/* Grows scratch to what a step takes: the first step may spread over several chunks, the second
 * gets one that holds them all, which stays. */
static bool warm_up(ur_stream *s)
{
    const ur_mark mark = ur_arena_mark(s->memory);
    float *x = ur_arena_take_zero(s->memory, s->sequences * s->layer[0].input, sizeof *x);
    float *y = s->layer[s->layers - 1].y;
    bool ok = x && run(s, x, y);
    ur_arena_reset(s->cpu.scratch);
    ok = ok && run(s, x, y);
    ur_arena_rewind(s->memory, mark);
    return ok;
}

ur_status ur_stream_new(ur_context *context, const ur_params *params, const ur_rnn_stack *stack,
                        size_t sequences, ur_stream **out, ur_err *err)
{
    *out = NULL;
    ur_status status = check(context, params, stack, sequences, err);
    if (status != UR_OK)
        return status;
    ur_stream *s = ur_alloc_zero(&context->allocator, 1, sizeof *s);
    if (!s)
        return ur_no_memory(err, sizeof *s);
    s->allocator = &context->allocator;
    s->params = params;
    s->cpu.kernels = context->kernels;
    s->sequences = sequences;
    s->layers = stack->config.num_layers;
    s->width = ur_rnn_width(stack);
    status = make_arenas(s, err);
    if (status == UR_OK && !(lay_out(s, params, stack) && warm_up(s)))
        status = ur_fail(err, UR_NO_MEMORY, "out of memory: a stream of %zu sequences", sequences);
    if (status != UR_OK) {
        ur_stream_free(s);
        return status;
    }
    ur_stream_reset(s);
    *out = s;
    return UR_OK;
}

void ur_stream_free(ur_stream *stream)
{
    if (!stream)
        return;
    ur_arena_free(stream->memory);
    ur_arena_free(stream->cpu.scratch);
    ur_free(stream->allocator, stream);
}

void ur_stream_step(ur_stream *stream, const float *x, float *y)
{
    const ur_fpmode mode = ur_fpmode_enter();
    const ur_status ready = ur_params_prepare(stream->params, UR_INFER, NULL, NULL);
    const bool ok = ready == UR_OK && run(stream, x, y);
    assert(ok); /* the memory was there when the stream was made, that of the copies too */
    (void)ok;
    ur_fpmode_leave(mode);
}

/* ---- states ------------------------------------------------------------------------------- */

size_t ur_stream_state_size(const ur_stream *stream)
{
    return stream->state_floats;
}

void ur_stream_state_save(const ur_stream *stream, float *state)
{
    memcpy(state, stream->state, stream->state_floats * sizeof *state);
}

void ur_stream_state_load(ur_stream *stream, const float *state)
{
    memcpy(stream->state, state, stream->state_floats * sizeof *state);
}

void ur_stream_reset(ur_stream *stream)
{
    memset(stream->state, 0, stream->state_floats * sizeof *stream->state);
}

void ur_stream_reset_sequence(ur_stream *stream, size_t sequence)
{
    if (sequence >= stream->sequences)
        return;
    for (size_t i = 0; i < stream->layers; i++) {
        const ur_cpu_recurrent *op = &stream->layer[i];
        memset(op->h_n + sequence * stream->width, 0, stream->width * sizeof(float));
        if (op->c_n)
            memset(op->c_n + sequence * op->hidden, 0, op->hidden * sizeof(float));
    }
}
