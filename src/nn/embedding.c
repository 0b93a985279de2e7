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
    const ur_kernels *kernels;
    const ur_embedding_layer *layer;
    const int32_t *ids;
    ur_tensor *y;
    float *dw;
} embedding_node;

static void scatter_columns(void *arg, size_t begin, size_t end)
{
    const embedding_node *n = arg;
    n->kernels->scatter_add(n->y->dim[0], n->ids, n->y->grad, n->y->dim[1], n->dw, begin, end);
}

static void embedding_back(ur_tape *tape, ur_node *node)
{
    embedding_node *n = (embedding_node *)node;
    n->dw = n->y->grad ? ur_weight_grad(tape, n->layer->weight) : NULL;
    if (n->dw)
        ur_cpu_for(&tape->cpu, n->y->dim[1], scatter_columns, n);
}

bool ur_ids_in_range(ur_tape *tape, const ur_embedding_layer *layer, const ur_seq *ids)
{
    if (ids->values->dtype != UR_I32) {
        ur_tape_fail(tape, UR_INVALID, "embedding: ids must be integers");
        return false;
    }
    const int32_t *id = ur_ints(ids->values);
    for (size_t r = 0; r < ids->layout->rows; r++)
        if (id[r] < 0 || (size_t)id[r] >= layer->count) {
            ur_tape_fail(tape, UR_INVALID, "embedding: id %d is not in [0, %zu)", (int)id[r],
                         layer->count);
            return false;
        }
    return true;
}

ur_seq *ur_embedding(ur_tape *tape, const ur_embedding_layer *layer, const ur_seq *ids)
{
    if (!ids || !ur_tape_ok(tape))
        return NULL;
    const size_t rows = ids->layout->rows;
    const int32_t *id = ur_ints(ids->values);
    const ur_weight_shape weight = {layer->weight, -1, layer->count, layer->size};
    if (!ur_ids_in_range(tape, layer, ids) || !ur_has_weights(tape, "embedding", 1, &weight))
        return NULL;
    ur_tensor *y = ur_rows_new(tape, rows, layer->size);
    if (!y)
        return NULL;
    tape->cpu.kernels->gather(id, ur_weight(tape, layer->weight), layer->size, y->data, 0, rows);
    y->needs_grad = ur_weights_learn(tape);
    embedding_node *n = y->needs_grad ? ur_record(tape, sizeof *n, embedding_back) : NULL;
    if (n) {
        n->kernels = tape->cpu.kernels;
        n->layer = layer;
        n->ids = id;
        n->y = y;
    }
    return ur_seq_new(tape, y, ids->layout);
}
