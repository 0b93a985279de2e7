/* attention.c - dot-product attention over ragged sequences (Luong et al. 2015, "dot").
 *
 *   P = softmax(Q K^T) over the keys of the same sequence,   context = P V
 *   dV += P^T dC,   dS = P (dP - sum(P dP)) with dP = dC V^T,   dQ += dS K,   dK += dS^T Q */
#include "nn/nn.h"

/* Inputs q k v and given weights; outputs the context, or weights alone. */
typedef struct attention_node {
    ur_node node;
    ur_attention_pass pass;
} attention_node;

enum { Q, K, V, P, INS };

static void attention_back(ur_tape *tape, ur_node *node)
{
    const ur_attention_pass *pass = &((attention_node *)node)->pass;
    const float *dy = node->out[0]->grad;
    const ur_attention_back back = {
        .forward = pass,
        .dcontext = pass->v ? dy : NULL,
        .dp_in = pass->v ? NULL : dy,
        .dq = ur_grad(tape, node->in[Q]),
        .dk = ur_grad(tape, node->in[K]),
        .dv = ur_grad(tape, node->in[V]),
        .dp = ur_grad(tape, node->in[P]),
    };
    if (ur_tape_ok(tape))
        ur_had_memory(tape, node->op, tape->backend->attention_back(&tape->on, &back));
}

/* Runs the pass and records it; y is its output. */
static bool run(ur_tape *tape, const ur_op *op, const ur_attention_pass *pass, ur_tensor *y,
                ur_tensor *const in[INS])
{
    if (!y || !ur_tape_ok(tape) ||
        !ur_had_memory(tape, op, tape->backend->attention(&tape->on, pass)))
        return false;
    attention_node *n = ur_record_all(tape, op, sizeof *n, 1, &y, INS, in);
    if (n)
        n->pass = *pass;
    return ur_tape_ok(tape);
}

static bool check(ur_tape *tape, const ur_op *op, const ur_seq *q, const ur_seq *k, const ur_seq *v)
{
    if (!ur_operand_seq(tape, op, q, UR_F32, 2) || !ur_operand_seq(tape, op, k, UR_F32, 2) ||
        !ur_operand_seq(tape, op, v, UR_F32, 2))
        return false;
    if (q->values->dim[1] == k->values->dim[1] && q->layout->batch == k->layout->batch &&
        ur_layout_same_rows(k->layout, v->layout))
        return true;
    ur_tape_fail(tape, UR_INVALID,
                 "attention_dot: queries %s, keys %s and values %s of %zu and %zu sequences do not "
                 "fit: equal features of queries and keys, equal rows of keys and values",
                 ur_shape(q->values).text, ur_shape(k->values).text, ur_shape(v->values).text,
                 q->layout->batch, k->layout->batch);
    return false;
}

/* Room for the weights of every sequence, in *p, and where they lie. */
static ur_weights *new_weights(ur_tape *tape, const ur_layout *queries, const ur_layout *keys,
                               ur_tensor **p)
{
    size_t *offset = ur_take(tape, queries->batch + 1, sizeof *offset);
    ur_weights *w = ur_take(tape, 1, sizeof *w);
    if (!offset || !w)
        return NULL;
    offset[0] = 0;
    for (size_t b = 0; b < queries->batch; b++)
        offset[b + 1] = offset[b] + queries->length[b] * keys->length[b];
    *w = (ur_weights){queries, keys, NULL, offset};
    *p = ur_tensor_new(tape, UR_F32, 1, &offset[queries->batch]);
    return w;
}

ur_seq *ur_attention_dot(ur_tape *tape, const ur_seq *q, const ur_seq *k, const ur_seq *v,
                         ur_weights **weights)
{
    UR_FPMODE_HERE;
    if (weights)
        *weights = NULL;
    static const ur_op attend = {"attention_dot", attention_back, false};
    if (!check(tape, &attend, q, k, v))
        return NULL;
    const size_t width = v->values->dim[1];
    ur_tensor *context = ur_rows_new(tape, q->layout->rows, width);
    ur_tensor *p = NULL;
    ur_weights *w = weights ? new_weights(tape, q->layout, k->layout, &p) : NULL;
    if (!ur_tape_ok(tape))
        return NULL;
    const ur_attention_pass op = {
        .q_rows = q->layout,
        .k_rows = k->layout,
        .width = q->values->dim[1],
        .value_width = width,
        .scale = 1.0f,
        .q = q->values->data,
        .k = k->values->data,
        .v = v->values->data,
        .context = context->data,
        .p = p ? p->data : NULL,
        .p_offset = w ? w->offset : NULL,
    };
    if (!run(tape, &attend, &op, context,
             (ur_tensor *[INS]){q->values, k->values, v->values, NULL}))
        return NULL;
    if (weights) {
        w->p = ur_read(tape, p);
        *weights = w;
    }
    return ur_seq_new(tape, context, q->layout);
}

ur_seq *ur_attention_weights(ur_tape *tape, ur_tensor *query, const ur_seq *keys)
{
    UR_FPMODE_HERE;
    static const ur_op weigh = {"attention_weights", attention_back, false};
    if (!ur_operand(tape, &weigh, query, UR_F32, 2) ||
        !ur_operand_seq(tape, &weigh, keys, UR_F32, 2))
        return NULL;
    if (query->dim[0] != keys->layout->batch || query->dim[1] != keys->values->dim[1])
        return ur_tape_fail(tape, UR_INVALID,
                            "attention_weights: query %s against keys %s of %zu sequences",
                            ur_shape(query).text, ur_shape(keys->values).text, keys->layout->batch);
    const ur_layout *queries = ur_one_step_layout(tape, keys->layout->batch);
    const ur_layout *rows = ur_layout_reorder(tape->arena, keys->layout, UR_SEQUENCE_MAJOR);
    ur_tensor *p = ur_rows_new(tape, keys->layout->rows, 1);
    if (!queries || !rows || !p)
        return ur_tape_fail(tape, UR_NO_MEMORY, "out of memory: attention weights");
    const ur_attention_pass op = {
        .q_rows = queries,
        .k_rows = keys->layout,
        .width = query->dim[1],
        .scale = 1.0f,
        .q = query->data,
        .k = keys->values->data,
        .p = p->data,
        .p_offset = rows->offset,
    };
    if (!run(tape, &weigh, &op, p, (ur_tensor *[INS]){query, keys->values, NULL, NULL}))
        return NULL;
    return ur_reorder(tape, ur_seq_new(tape, p, rows), keys->layout->order);
}

ur_tensor *ur_weighted_sum(ur_tape *tape, const ur_seq *values, const ur_seq *p)
{
    UR_FPMODE_HERE;
    static const ur_op weigh = {"weighted_sum", attention_back, false};
    if (!ur_operand_seq(tape, &weigh, values, UR_F32, 2) ||
        !ur_operand_seq(tape, &weigh, p, UR_F32, 2))
        return NULL;
    if (!ur_layout_same_rows(values->layout, p->layout) || p->values->dim[1] != 1)
        return ur_tape_fail(tape, UR_INVALID, "weighted_sum: values %s weighted by %s",
                            ur_shape(values->values).text, ur_shape(p->values).text);
    const size_t batch = values->layout->batch, width = values->values->dim[1];
    const ur_layout *queries = ur_one_step_layout(tape, batch);
    const ur_seq *by_sequence = ur_reorder(tape, p, UR_SEQUENCE_MAJOR);
    ur_tensor *sum = ur_rows_new(tape, batch, width);
    if (!queries || !by_sequence || !sum)
        return NULL;
    const ur_attention_pass op = {
        .q_rows = queries,
        .k_rows = values->layout,
        .value_width = width,
        .scale = 1.0f,
        .v = values->values->data,
        .context = sum->data,
        .p = by_sequence->values->data,
        .p_offset = by_sequence->layout->offset,
    };
    return run(tape, &weigh, &op, sum,
               (ur_tensor *[INS]){NULL, NULL, values->values, by_sequence->values})
               ? sum
               : NULL;
}
