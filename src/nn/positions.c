/* positions.c - encodings of positions, and embeddings with them.
 *
 *   y_r = scale W[id_r] + P[first + t_r],   dW[id_r] += scale dy_r,   dP[first + t_r] += dy_r
 * P is learned, or P[pos][2i] = sin(pos / 10000^(2i/size)) and P[pos][2i+1] the cosine. */
#include "nn/nn.h"

#include "base/alloc.h"
#include "base/status.h"
#include "kernels/math.h"

struct ur_sine_positions {
    ur_context *context;
    size_t count, size;
    float *values; /* (count, size) on the device */
};

static void fill_sines(size_t count, size_t size, float *values)
{
    static const double ln_10000 = 9.210340371976184;
    for (size_t i = 0; i < size; i += 2) {
        const double frequency = ur_exp_double(-ln_10000 * (double)i / (double)size);
        for (size_t pos = 0; pos < count; pos++) {
            double sine, cosine;
            ur_sin_cos((double)pos * frequency, &sine, &cosine);
            values[pos * size + i] = (float)sine;
            if (i + 1 < size)
                values[pos * size + i + 1] = (float)cosine;
        }
    }
}

ur_status ur_sine_positions_new(ur_context *context, size_t count, size_t size,
                                ur_sine_positions **out, ur_err *err)
{
    UR_FPMODE_HERE;
    enum { MOST = 1 << 20 }; /* what ur_sin_cos takes */
    const ur_allocator *a = &context->allocator, *device = &context->device;
    *out = NULL;
    if (count < 1 || count > MOST || size < 1 || size > MOST)
        return ur_fail(err, UR_INVALID, "%zu positions of %zu features, 1 to %d of each expected",
                       count, size, MOST);
    ur_sine_positions *p = ur_alloc_zero(a, 1, sizeof *p);
    float *values = p ? ur_alloc(a, count * size, sizeof *values) : NULL;
    float *there = values ? device->allocate(device->user, count * size * sizeof *values) : NULL;
    if (there) {
        const ur_executor on = {context->backend, context->kernels, NULL, NULL};
        *p = (ur_sine_positions){context, count, size, there};
        fill_sines(count, size, values);
        context->backend->copy_in(&on, there, values, count * size * sizeof *values);
        *out = p;
    } else {
        ur_free(a, p);
    }
    ur_free(a, values);
    return there ? UR_OK : ur_no_memory(err, count * size * sizeof(float));
}

void ur_sine_positions_free(ur_sine_positions *p)
{
    if (!p)
        return;
    p->context->device.release(p->context->device.user, p->values);
    ur_free(&p->context->allocator, p);
}

ur_positions_layer ur_positions_add(ur_params *params, const char *prefix, size_t count,
                                    size_t size)
{
    return (ur_positions_layer){.count = count,
                                .size = size,
                                .weight = ur_layer_param(params, prefix, "weight", count, size)};
}

ur_positions_layer ur_positions_of(const ur_sine_positions *sines)
{
    return (ur_positions_layer){sines->count, sines->size, -1, sines};
}

void ur_positions_init(const ur_positions_layer *layer, ur_params *params, float deviation,
                       uint64_t seed)
{
    UR_FPMODE_HERE;
    if (layer->weight < 0)
        return;
    ur_init_normal(params, layer->weight, seed);
    float *w = ur_param_values(params, layer->weight);
    for (size_t i = 0; i < layer->count * layer->size; i++)
        w[i] *= deviation;
}

typedef struct embed_node {
    ur_node node;
    ur_embed_pass pass;
    int table, positions;
} embed_node;

static void embed_back(ur_tape *tape, ur_node *node)
{
    const embed_node *n = (embed_node *)node;
    ur_embed_pass pass = n->pass;
    pass.dy = node->out[0]->grad;
    pass.dtable = ur_weight_grad(tape, n->table);
    pass.dpositions = ur_weight_grad(tape, n->positions);
    if (ur_tape_ok(tape))
        tape->backend->embed_back(&tape->on, &pass);
}

/* Where sequences begin: each at its own position, or all at the same one. */
typedef struct starts {
    const size_t *each; /* (B) or NULL */
    size_t same;
} starts;

static size_t start_of(const starts *from, size_t b)
{
    return from->each ? from->each[b] : from->same;
}

/* The sequence that goes the furthest. */
static size_t furthest(const ur_layout *l, const starts *from)
{
    size_t most = 0;
    for (size_t b = 1; b < l->batch; b++)
        if (start_of(from, b) + l->length[b] > start_of(from, most) + l->length[most])
            most = b;
    return most;
}

static bool check(ur_tape *tape, const ur_op *op, const ur_embedding_layer *l,
                  const ur_positions_layer *p, const starts *from, const ur_seq *ids)
{
    if (!ur_tape_ok(tape) || !ur_ids_in_range(tape, op, l->count, false, ids))
        return false;
    const size_t last = furthest(ids->layout, from), first = start_of(from, last);
    const size_t steps = ids->layout->batch ? ids->layout->length[last] : 0;
    if (p && p->size != l->size)
        ur_tape_fail(tape, UR_INVALID, "%s: embeddings of %zu features, positions of %zu", op->name,
                     l->size, p->size);
    else if (p && (first > p->count || steps > p->count - first))
        ur_tape_fail(tape, UR_INVALID,
                     "%s: a sequence of %zu steps from position %zu on, there are "
                     "%zu positions",
                     op->name, steps, first, p->count);
    const ur_weight_shape weights[] = {{l->weight, -1, l->count, l->size},
                                       {p ? p->weight : -1, -1, p ? p->count : 0, l->size}};
    return ur_tape_ok(tape) && ur_has_weights(tape, op->name, p && p->weight >= 0 ? 2 : 1, weights);
}

/* The position of every row. */
static const size_t *positions_of(ur_tape *tape, const ur_layout *l, const starts *from)
{
    size_t *position = ur_take(tape, l->rows, sizeof *position);
    for (size_t b = 0; position && b < l->batch; b++)
        for (size_t t = 0; t < l->length[b]; t++)
            position[ur_row(l, b, t)] = start_of(from, b) + t;
    return position;
}

static ur_seq *embed(ur_tape *tape, const ur_embedding_layer *layer, float scale,
                     const ur_positions_layer *positions, const starts *from, const ur_seq *ids)
{
    static const ur_op op = {"embedding_at", embed_back, false};
    if (!check(tape, &op, layer, positions, from, ids))
        return NULL;
    const size_t rows = ids->layout->rows;
    ur_tensor *y = ur_rows_new(tape, rows, layer->size);
    ur_embed_pass pass = {.rows = rows,
                          .width = layer->size,
                          .ids = ur_ints(ids->values),
                          .table = ur_weight(tape, layer->weight),
                          .scale = scale,
                          .y = y ? y->data : NULL};
    if (positions) {
        pass.position = positions_of(tape, ids->layout, from);
        pass.positions =
            positions->weight < 0 ? positions->sines->values : ur_weight(tape, positions->weight);
    }
    if (!ur_tape_ok(tape))
        return NULL;
    tape->backend->embed(&tape->on, &pass);
    y->needs_grad = ur_weights_learn(tape);
    embed_node *n = ur_record(tape, &op, sizeof *n, y, NULL, NULL);
    if (n) {
        n->pass = pass;
        n->table = layer->weight;
        n->positions = positions ? positions->weight : -1;
    }
    return ur_seq_new(tape, y, ids->layout);
}

ur_seq *ur_embedding_at(ur_tape *tape, const ur_embedding_layer *layer, float scale,
                        const ur_positions_layer *positions, size_t first, const ur_seq *ids)
{
    UR_FPMODE_HERE;
    return embed(tape, layer, scale, positions, &(starts){NULL, first}, ids);
}

ur_seq *ur_embedding_from(ur_tape *tape, const ur_embedding_layer *layer, float scale,
                          const ur_positions_layer *positions, const size_t *first,
                          const ur_seq *ids)
{
    UR_FPMODE_HERE;
    return embed(tape, layer, scale, positions, &(starts){first, 0}, ids);
}
