/* embedding.c - a table of vectors, looked up by id.
 *
 *   y_r = W[id_r],   dW[id_r] += dy_r   (rows in order) */
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

typedef struct embedding_node {
    ur_node node;
    ur_embedding_layer layer;
    const int32_t *ids;
} embedding_node;

static void embedding_back(ur_tape *tape, ur_node *node)
{
    const embedding_node *n = (embedding_node *)node;
    float *dw = ur_weight_grad(tape, n->layer.weight);
    if (dw)
        tape->backend->scatter_add(&tape->on, node->out[0]->dim[0], n->layer.size, n->ids,
                                   node->out[0]->grad, dw);
}

bool ur_ids_in_range(ur_tape *tape, const ur_op *op, size_t count, const ur_seq *ids)
{
    if (!ur_operand_seq(tape, op, ids, UR_I32, 1))
        return false;
    const int32_t *id = ur_ints(ids->values);
    for (size_t r = 0; r < ids->layout->rows; r++)
        if (id[r] < 0 || (size_t)id[r] >= count) {
            ur_tape_fail(tape, UR_INVALID, "%s: id %d is not in [0, %zu) [ids %s]", op->name,
                         (int)id[r], count, ur_shape(ids->values).text);
            return false;
        }
    return true;
}

ur_seq *ur_embedding(ur_tape *tape, const ur_embedding_layer *layer, const ur_seq *ids)
{
    static const ur_op op = {"embedding", embedding_back, false};
    if (!ur_tape_ok(tape) || !ur_ids_in_range(tape, &op, layer->count, ids))
        return NULL;
    const size_t rows = ids->layout->rows;
    const int32_t *id = ur_ints(ids->values);
    const ur_weight_shape weight = {layer->weight, -1, layer->count, layer->size};
    if (!ur_has_weights(tape, op.name, 1, &weight))
        return NULL;
    ur_tensor *y = ur_rows_new(tape, rows, layer->size);
    if (!y)
        return NULL;
    tape->backend->gather(&tape->on, rows, layer->size, id, ur_weight(tape, layer->weight),
                          y->data);
    y->needs_grad = ur_weights_learn(tape);
    embedding_node *n = ur_record(tape, &op, sizeof *n, y, NULL, NULL);
    if (n) {
        n->layer = *layer;
        n->ids = id;
    }
    return ur_seq_new(tape, y, ids->layout);
}
