/* transformer_steps.c - keys and values of the steps so far, for decoding step by step.
 *
 * Every step of every sequence that was ever fed has a row [k; v] per layer, in the order in
 * which they came. A sequence is the list of its steps' rows: when a beam goes on from other
 * hypotheses, lists move and rows stay; hypotheses with a common past share it. Attention takes
 * the keys by these lists (ur_attending.k_from), in their order: what it computes has the bits
 * of the whole sequence. When memory is full, the rows that no list has any more are left
 * behind. */
#include "nn/transformer.h"

#include <string.h>

#include "base/alloc.h"
#include "base/status.h"

struct ur_step_cache {
    ur_context *context;
    size_t layers, width; /* E: a row has 2E floats */
    float *values;        /* (layers, capacity, 2E) on the device */
    size_t rows, capacity;
    size_t sequences, most, steps; /* room for `most` sequences of `steps` steps */
    size_t *length;                /* (most) */
    size_t *row;                   /* (most, steps) the steps' rows */
};

ur_status ur_step_cache_new(ur_context *context, size_t num_layers, size_t d_model,
                            size_t sequences, ur_step_cache **out, ur_err *err)
{
    *out = NULL;
    if (num_layers < 1 || num_layers > UR_MOST_TRANSFORMER_LAYERS || d_model < 1 ||
        d_model > SIZE_MAX / 64 / num_layers)
        return ur_fail(err, UR_INVALID,
                       "a cache of steps of %zu layers of %zu features: %d layers at most",
                       num_layers, d_model, UR_MOST_TRANSFORMER_LAYERS);
    ur_step_cache *c = ur_alloc_zero(&context->allocator, 1, sizeof *c);
    size_t *length = c ? ur_alloc_zero(&context->allocator, sequences, sizeof *length) : NULL;
    if (!length) {
        ur_free(&context->allocator, c);
        return ur_fail(err, UR_NO_MEMORY, "out of memory: a cache of steps of %zu sequences",
                       sequences);
    }
    *c = (ur_step_cache){.context = context,
                         .layers = num_layers,
                         .width = d_model,
                         .sequences = sequences,
                         .most = sequences,
                         .length = length};
    *out = c;
    return UR_OK;
}

void ur_step_cache_free(ur_step_cache *c)
{
    if (!c)
        return;
    const ur_allocator *a = &c->context->allocator, *device = &c->context->device;
    device->release(device->user, c->values);
    ur_free(a, c->length);
    ur_free(a, c->row);
    ur_free(a, c);
}

size_t ur_step_cache_sequences(const ur_step_cache *c)
{
    return c->sequences;
}

size_t ur_step_cache_length(const ur_step_cache *c, size_t sequence)
{
    return sequence < c->sequences ? c->length[sequence] : 0;
}

/* Lists with room for so many sequences and steps, filled from lists `parent` of the present
 * ones (NULL: the same). */
static bool new_lists(ur_step_cache *c, size_t sequences, size_t most, size_t steps,
                      const size_t *parent)
{
    const ur_allocator *a = &c->context->allocator;
    size_t *length = ur_alloc(a, most, sizeof *length);
    size_t *row = ur_alloc(a, most * steps + 1, sizeof *row);
    if (!length || !row) {
        ur_free(a, length);
        ur_free(a, row);
        return false;
    }
    for (size_t i = 0; i < sequences; i++) {
        const size_t from = parent ? parent[i] : i;
        length[i] = c->length[from];
        if (length[i])
            memcpy(row + i * steps, c->row + from * c->steps, length[i] * sizeof *row);
    }
    ur_free(a, c->length);
    ur_free(a, c->row);
    c->length = length;
    c->row = row;
    c->sequences = sequences;
    c->most = most;
    c->steps = steps;
    return true;
}

bool ur_step_cache_reorder(ur_step_cache *c, size_t sequences, const size_t *parent)
{
    bool same = sequences == c->sequences;
    for (size_t i = 0; i < sequences; i++) {
        if (parent[i] >= c->sequences)
            return false;
        same = same && parent[i] == i;
    }
    return same ||
           new_lists(c, sequences, sequences > c->most ? sequences : c->most, c->steps, parent);
}

void ur_step_cache_forget(ur_step_cache *c, size_t sequence)
{
    if (sequence < c->sequences)
        c->length[sequence] = 0;
}

/* The rows that some sequence has, rising, in from; number (rows) receives each one's place
 * there. */
static size_t rows_in_use(const ur_step_cache *c, size_t *from, size_t *number)
{
    size_t count = 0;
    memset(number, 0, c->rows * sizeof *number);
    for (size_t b = 0; b < c->sequences; b++)
        for (size_t s = 0; s < c->length[b]; s++)
            number[c->row[b * c->steps + s]] = 1;
    for (size_t r = 0; r < c->rows; r++)
        if (number[r]) {
            number[r] = count;
            from[count++] = r;
        }
    return count;
}

/* Moves these rows to memory for `capacity` of them, to the places that number says. */
static bool move_rows(ur_step_cache *c, const ur_executor *on, size_t count, const size_t *from,
                      const size_t *number, size_t capacity)
{
    const ur_allocator *device = &c->context->device;
    const size_t row = 2 * c->width;
    if (row > SIZE_MAX / sizeof(float) / c->layers / capacity)
        return false;
    float *values = device->allocate(device->user, c->layers * capacity * row * sizeof *values);
    if (!values)
        return false;
    for (size_t i = 0; i < c->layers && count; i++)
        c->context->backend->copy_rows(on, count, row, from, c->values + i * c->capacity * row,
                                       NULL, values + i * capacity * row);
    for (size_t b = 0; b < c->sequences; b++)
        for (size_t s = 0; s < c->length[b]; s++)
            c->row[b * c->steps + s] = number[c->row[b * c->steps + s]];
    device->release(device->user, c->values);
    c->values = values;
    c->capacity = capacity;
    c->rows = count;
    return true;
}

/* Room for so many rows more: at least twice as many as are in use, when there is none. */
static bool room_for_rows(ur_step_cache *c, const ur_executor *on, size_t more)
{
    if (c->rows + more <= c->capacity)
        return true;
    const ur_allocator *a = &c->context->allocator;
    size_t *from = ur_alloc(a, 2 * c->rows + 1, sizeof *from);
    if (!from)
        return false;
    size_t *number = from + c->rows;
    const size_t used = rows_in_use(c, from, number), wanted = used + more;
    const bool moved = move_rows(c, on, used, from, number, wanted > 2 * used ? wanted : 2 * used);
    ur_free(a, from);
    return moved;
}

/* Layout and rows of each sequence's steps so far with those that come. */
static bool keys_with(ur_tape *t, const ur_step_cache *c, const ur_layout *steps, ur_earlier *out)
{
    size_t *length = ur_take(t, c->sequences, sizeof *length), total = 0;
    for (size_t b = 0; length && b < c->sequences; b++)
        total += length[b] = c->length[b] + steps->length[b];
    size_t *from = length ? ur_take(t, total, sizeof *from) : NULL;
    out->keys = from ? ur_new_layout(t, UR_SEQUENCE_MAJOR, c->sequences, length, NULL) : NULL;
    out->from = from;
    size_t *at = from;
    for (size_t b = 0; out->keys && b < c->sequences; b++) {
        for (size_t s = 0; s < c->length[b]; s++)
            *at++ = c->row[b * c->steps + s];
        for (size_t s = 0; s < steps->length[b]; s++)
            *at++ = c->rows + ur_row(steps, b, s);
    }
    return out->keys != NULL;
}

bool ur_earlier_begin(ur_tape *t, ur_step_cache *c, const ur_layout *steps, size_t num_layers,
                      size_t d_model, ur_earlier *out)
{
    *out = (ur_earlier){.cache = c};
    size_t longest = 0;
    if (t->mode != UR_INFER || c->context != t->context || c->layers != num_layers ||
        c->width != d_model || steps->batch != c->sequences) {
        ur_tape_fail(t, UR_INVALID,
                     "a cache of steps: for inference with %zu layers of %zu features and %zu "
                     "sequences, there are %zu of %zu and %zu",
                     c->layers, c->width, c->sequences, num_layers, d_model, steps->batch);
        return false;
    }
    for (size_t b = 0; b < c->sequences; b++)
        longest =
            c->length[b] + steps->length[b] > longest ? c->length[b] + steps->length[b] : longest;
    if ((longest > c->steps && !new_lists(c, c->sequences, c->most,
                                          longest > 2 * c->steps ? longest : 2 * c->steps, NULL)) ||
        !room_for_rows(c, &t->on, steps->rows)) {
        ur_tape_fail(t, UR_NO_MEMORY, "out of memory: keys and values of %zu steps",
                     c->rows + steps->rows);
        return false;
    }
    return keys_with(t, c, steps, out);
}

void ur_earlier_end(ur_tape *t, const ur_earlier *earlier, const ur_layout *steps)
{
    ur_step_cache *c = earlier->cache;
    if (!ur_tape_ok(t))
        return;
    for (size_t b = 0; b < c->sequences; b++)
        for (size_t s = 0; s < steps->length[b]; s++)
            c->row[b * c->steps + c->length[b]++] = c->rows + ur_row(steps, b, s);
    c->rows += steps->rows;
}

ur_tensor *ur_earlier_attend(ur_tape *t, const ur_earlier *earlier, size_t index,
                             const ur_multi_head_layer *layer, const ur_seq *x)
{
    const ur_step_cache *c = earlier->cache;
    const size_t width = c->width, row = 2 * width;
    ur_heads heads[3];
    ur_tensor *in = x ? x->values : NULL, *cached = ur_take(t, 1, sizeof *cached);
    if (!in || !cached || !ur_multi_head_project(t, layer, (ur_tensor *[]){in, in, in}, heads))
        return NULL;
    float *values = c->values + index * c->capacity * row, *here = values + c->rows * row;
    for (int i = UR_PROJECT_K; i <= UR_PROJECT_V; i++) {
        const ur_tensor *from = heads[i].x;
        t->backend->copy_columns(&t->on, in->dim[0], width, (float *)from->data + heads[i].begin,
                                 from->dim[1], here + (i == UR_PROJECT_V ? width : 0), row);
    }
    *cached = (ur_tensor){.dtype = UR_F32,
                          .device = in->device,
                          .ndim = 2,
                          .dim = {c->rows + in->dim[0], row},
                          .data = values,
                          .tape = t};
    heads[UR_PROJECT_K] = (ur_heads){cached, 0};
    heads[UR_PROJECT_V] = (ur_heads){cached, width};
    const ur_attention_call call = {.causal = UR_CAUSAL_LAST};
    return ur_multi_head_attend(t, layer, x->layout, earlier->keys, earlier->from, heads, &call);
}
