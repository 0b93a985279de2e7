/* stream.c - a stack of recurrent layers, one step at a time, for real-time use.
 *
 * A step is the layers' own operation (backend/recurrent.h) over B sequences of length 1, each
 * layer's last states being its next initial ones. Everything it needs is laid out when the stream
 * is made: the states, one pass per layer, and an arena that a first step has grown to its final
 * size. It runs on the calling thread alone, so that no lock or wait can come in its way. */
#include "nn/nn.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/status.h"

struct ur_stream {
    const ur_allocator *allocator;
    const ur_params *params;
    ur_arena *layouts; /* of the host, and: */
    ur_arena *memory;  /* of the device: what lives as long as the stream */
    ur_executor on;    /* no team; its memory is the stream's own scratch */
    size_t sequences, layers, input, width, h_floats, state_floats;
    float *state; /* h (N, B, R), then c (N, B, H) for cells that have one */
    float *first,
        *last; /* (B, input), (B, width): x and y, where the caller's are not the device's */
    ur_recurrent_pass layer[UR_MOST_LAYERS];
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
                       ur_context_isa(context), ur_context_isa(ur_params_context(params)));
    const ur_status ready = ur_params_prepare(params, UR_INFER, NULL, err);
    if (ready != UR_OK)
        return ready;
    const size_t gates = first->cell->gates * first->hidden_size + 64; /* a row, with some room */
    const size_t widest = gates > first->input_size ? gates : first->input_size;
    if (sequences > SIZE_MAX / (UR_MOST_LAYERS * 64) / widest)
        return ur_fail(err, UR_INVALID, "stream: %zu sequences are more than memory can hold",
                       sequences);
    return UR_OK;
}

static ur_status make_arenas(ur_stream *s, ur_context *context, ur_err *err)
{
    ur_status status = ur_arena_new(s->allocator, &s->layouts, err);
    if (status == UR_OK)
        status = ur_device_arena(context, &s->memory, err);
    return status == UR_OK ? ur_device_arena(context, &s->on.memory, err) : status;
}

static float *take(ur_stream *s, size_t floats)
{
    return ur_arena_take(s->memory, floats, sizeof(float));
}

/* The states, and the outputs that the next layer reads. */
static bool lay_out(ur_stream *s, const ur_params *params, const ur_rnn_stack *stack)
{
    const ur_cell_layer *first = &stack->part[0];
    const size_t batch = s->sequences, hidden = first->hidden_size, outputs = batch * s->width;
    const bool has_c = first->cell->has_c;
    s->h_floats = s->layers * outputs;
    s->state_floats = s->h_floats + (has_c ? s->layers * batch * hidden : 0);
    const ur_layout *rows = ur_layout_of_one_step(s->layouts, batch);
    float *output[2] = {take(s, outputs), take(s, outputs)};
    s->state = take(s, s->state_floats);
    s->first = take(s, batch * s->input);
    s->last = take(s, outputs);
    if (!rows || !output[0] || !output[1] || !s->state || !s->first || !s->last)
        return false;
    for (size_t i = 0; i < s->layers; i++) {
        ur_recurrent_pass *pass = &s->layer[i];
        ur_recurrent_run *run = &pass->run;
        pass->plan = ur_cell_plan(params, &stack->part[i]);
        run->rows = rows;
        run->h_n = s->state + i * outputs;
        run->h0 = run->h_n;
        run->c_n = has_c ? s->state + s->h_floats + i * batch * hidden : NULL;
        run->c0 = run->c_n;
        run->x = i ? output[(i + 1) % 2] : s->first; /* of the layer below */
        run->y = i + 1 < s->layers ? output[i % 2] : s->last;
    }
    return true;
}

static bool run_layers(ur_stream *s)
{
    bool ok = true;
    for (size_t i = 0; ok && i < s->layers; i++)
        ok = s->on.backend->recurrent(&s->on, &s->layer[i]);
    return ok;
}

/* Grows scratch to what a step takes: the first step may spread over several chunks, the second
 * gets one that holds them all, which stays. */
static bool warm_up(ur_stream *s)
{
    s->on.backend->fill(&s->on, s->sequences * s->input, 0.0f, s->first);
    bool ok = run_layers(s);
    ur_arena_reset(s->on.memory);
    return ok && run_layers(s);
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
    s->on = (ur_executor){context->backend, context->kernels, NULL, NULL};
    s->sequences = sequences;
    s->input = stack->part[0].input_size;
    s->layers = stack->config.num_layers;
    s->width = ur_rnn_width(stack);
    status = make_arenas(s, context, err);
    bool ok = status == UR_OK && lay_out(s, params, stack);
    if (ok)
        ur_stream_reset(s);
    if (status == UR_OK && !(ok && warm_up(s)))
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
    ur_arena_free(stream->layouts);
    ur_arena_free(stream->memory);
    ur_arena_free(stream->on.memory);
    ur_free(stream->allocator, stream);
}

void ur_stream_step(ur_stream *stream, const float *x, float *y)
{
    const ur_backend *on = stream->on.backend;
    const size_t batch = stream->sequences;
    const ur_fpmode mode = ur_fpmode_enter();
    if (on->host_memory) { /* no copy: the layers read and write the caller's */
        stream->layer[0].run.x = x;
        stream->layer[stream->layers - 1].run.y = y;
    } else {
        on->copy_in(&stream->on, stream->first, x, batch * stream->input * sizeof *x);
    }
    const ur_status ready = ur_params_prepare(stream->params, UR_INFER, NULL, NULL);
    const bool ok = ready == UR_OK && run_layers(stream);
    assert(ok); /* the memory was there when the stream was made, that of the copies too */
    (void)ok;
    if (!on->host_memory)
        on->copy_out(&stream->on, y, stream->last, batch * stream->width * sizeof *y);
    ur_fpmode_leave(mode);
}

/* ---- states ------------------------------------------------------------------------------- */

size_t ur_stream_state_size(const ur_stream *stream)
{
    return stream->state_floats;
}

void ur_stream_state_save(const ur_stream *stream, float *state)
{
    stream->on.backend->copy_out(&stream->on, state, stream->state,
                                 stream->state_floats * sizeof *state);
}

void ur_stream_state_load(ur_stream *stream, const float *state)
{
    stream->on.backend->copy_in(&stream->on, stream->state, state,
                                stream->state_floats * sizeof *state);
}

void ur_stream_reset(ur_stream *stream)
{
    stream->on.backend->fill(&stream->on, stream->state_floats, 0.0f, stream->state);
}

void ur_stream_reset_sequence(ur_stream *stream, size_t sequence)
{
    const ur_backend *on = stream->on.backend;
    if (sequence >= stream->sequences)
        return;
    for (size_t i = 0; i < stream->layers; i++) {
        const ur_recurrent_pass *pass = &stream->layer[i];
        const size_t hidden = pass->plan.hidden;
        on->fill(&stream->on, stream->width, 0.0f, pass->run.h_n + sequence * stream->width);
        if (pass->run.c_n)
            on->fill(&stream->on, hidden, 0.0f, pass->run.c_n + sequence * hidden);
    }
}
