/* embedding.c - a table of vectors, looked up by id.
 *
 *   y_r = W[id_r],   dW[id_r] += dy_r   (rows in order)
 * The row of UR_UNKNOWN is zeros. */
#include "nn/nn.h"

ur_embedding_layer ur_embedding_add(ur_params *params, const char *prefix, size_t count,
                                    size_t size)
{
    return (ur_embedding_layer){.count = count,
                                .size = size,
                                .weight = ur_layer_param(params, prefix, "weight", count, size)};
}

void ur_embedding_init(const ur_embedding_layer *layer, ur_params *params, uint64_t seed)
{
    UR_FPMODE_HERE;
    ur_init_normal(params, layer->weight, seed);
}

/* What the ids of a batch need: from[i] is the table's row of y's row to[i], where some are
 * unknown. */
typedef struct known_rows {
    size_t count;
    size_t *from, *to; /* NULL: all are known */
} known_rows;

typedef struct embedding_node {
    ur_node node;
    ur_embedding_layer layer;
    const int32_t *ids;
    known_rows known;
} embedding_node;

static void embedding_back(ur_tape *tape, ur_node *node)
{
    const embedding_node *n = (embedding_node *)node;
    float *dw = ur_weight_grad(tape, n->layer.weight);
    if (dw && n->known.to)
        tape->backend->add_rows(&tape->on, n->known.count, n->layer.size, n->known.to,
                                node->out[0]->grad, n->known.from, dw);
    else if (dw)
        tape->backend->scatter_add(&tape->on, node->out[0]->dim[0], n->layer.size, n->ids,
                                   node->out[0]->grad, dw);
}

bool ur_ids_unknown(const ur_seq *ids)
{
    const bool ints = ids && ids->values && ids->values->dtype == UR_I32;
    const int32_t *id = ints ? ur_ints(ids->values) : NULL;
    for (size_t r = 0; id && r < ids->layout->rows; r++)
        if (id[r] == UR_UNKNOWN)
            return true;
    return false;
}

static known_rows find_known(ur_tape *tape, size_t rows, const int32_t *id)
{
    known_rows known = {0, ur_take(tape, rows, sizeof *known.from),
                        ur_take(tape, rows, sizeof *known.to)};
    for (size_t r = 0; known.from && known.to && r < rows; r++)
        if (id[r] != UR_UNKNOWN) {
            known.from[known.count] = (size_t)id[r];
            known.to[known.count++] = r;
        }
    return known;
}

bool ur_ids_in_range(ur_tape *tape, const ur_op *op, size_t count, bool unknown, const ur_seq *ids)
{
    if (!ur_operand_seq(tape, op, ids, UR_I32, 1))
        return false;
    const int32_t *id = ur_ints(ids->values);
    for (size_t r = 0; r < ids->layout->rows; r++)
        if ((id[r] < 0 || (size_t)id[r] >= count) && !(unknown && id[r] == UR_UNKNOWN)) {
            ur_tape_fail(tape, UR_INVALID, "%s: id %d is not in [0, %zu) [ids %s]", op->name,
                         (int)id[r], count, ur_shape(ids->values).text);
            return false;
        }
    return true;
}

ur_seq *ur_embedding(ur_tape *tape, const ur_embedding_layer *layer, const ur_seq *ids)
{
    static const ur_op op = {"embedding", embedding_back, false};
    if (!ur_tape_ok(tape) || !ur_ids_in_range(tape, &op, layer->count, true, ids))
        return NULL;
    const bool unknown = ur_ids_unknown(ids);
    known_rows known = {0};
    const size_t rows = ids->layout->rows;
    const int32_t *id = ur_ints(ids->values);
    const ur_weight_shape weight = {layer->weight, -1, layer->count, layer->size};
    if (!ur_has_weights(tape, op.name, 1, &weight))
        return NULL;
    ur_tensor *y = ur_rows_new(tape, rows, layer->size);
    if (!y)
        return NULL;
    if (unknown) {
        known = find_known(tape, rows, id);
        if (!ur_tape_ok(tape))
            return NULL;
        tape->backend->fill(&tape->on, rows * layer->size, 0.0f, y->data);
        tape->backend->copy_rows(&tape->on, known.count, layer->size, known.from,
                                 ur_weight(tape, layer->weight), known.to, y->data);
    } else {
        tape->backend->gather(&tape->on, rows, layer->size, id, ur_weight(tape, layer->weight),
                              y->data);
    }
    y->needs_grad = ur_weights_learn(tape);
    embedding_node *n = ur_record(tape, &op, sizeof *n, y, NULL, NULL);
    if (n) {
        n->layer = *layer;
        n->ids = id;
        n->known = known;
    }
    return ur_seq_new(tape, y, ids->layout);
}
