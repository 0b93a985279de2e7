/* attention.c - dot-product attention over ragged sequences (Luong et al. 2015, "dot").
 *
 *   P = softmax(Q K^T) over the keys of the same sequence,   context = P V
 *   dV += P^T dC,   dS = P (dP - sum(P dP)) with dP = dC V^T,   dQ += dS K,   dK += dS^T Q */
#include "nn/nn.h"

#include "backend/cpu/attention.h"

typedef struct attention_node {
    ur_node node;
    ur_tensor *q, *k, *v, *context, *p;
    ur_cpu_attention op;
} attention_node;

static void attention_back(ur_tape *tape, ur_node *node)
{
    attention_node *n = (attention_node *)node;
    ur_cpu_attention_back back = {.forward = &n->op};
    back.dcontext = n->context ? n->context->grad : NULL;
    if (n->p && n->op.k) /* weights were an output */
        back.dp_in = n->p->grad;
    if (!back.dcontext && !back.dp_in)
        return;
    if (n->p && !n->op.k)
        back.dp = ur_grad(tape, n->p);
    back.dq = ur_grad(tape, n->q);
    back.dk = ur_grad(tape, n->k);
    back.dv = ur_grad(tape, n->v);
    if (ur_tape_ok(tape) && !ur_cpu_attention_backward(&tape->cpu, &back))
        ur_tape_fail(tape, UR_NO_MEMORY, "out of memory: attention backward");
}

/* Runs op and records it; the tensors are those it was made of, NULL where it has none. */
static bool run(ur_tape *tape, const ur_cpu_attention *op, ur_tensor *q, ur_tensor *k, ur_tensor *v,
                ur_tensor *context, ur_tensor *p)
{
    ur_tensor *out = context ? context : p;
    if (!out || !ur_tape_ok(tape))
        return false;
    if (!ur_cpu_attention_forward(&tape->cpu, op)) {
        ur_tape_fail(tape, UR_NO_MEMORY, "out of memory: attention over %zu keys",
                     op->k_rows->rows);
        return false;
    }
    const bool given = !op->k; /* the weights are an input */
    const bool learn = ur_wants_grad(tape, q) || ur_wants_grad(tape, k) || ur_wants_grad(tape, v) ||
                       (given && ur_wants_grad(tape, p));
    out->needs_grad = learn;
    attention_node *n = learn ? ur_record(tape, sizeof *n, attention_back) : NULL;
    if (n) {
        n->q = q;
        n->k = k;
        n->v = v;
        n->context = context;
        n->p = p;
        n->op = *op;
    }
    return ur_tape_ok(tape);
}

static bool check(ur_tape *tape, const ur_seq *q, const ur_seq *k, const ur_seq *v)
{
    if (q->values->ndim == 2 && k->values->ndim == 2 && v->values->ndim == 2 &&
        q->values->dim[1] == k->values->dim[1] && q->layout->batch == k->layout->batch &&
        ur_layout_same_rows(k->layout, v->layout))
        return true;
    ur_tape_fail(tape, UR_INVALID,
                 "attention_dot: queries %s, keys %s and values %s of %zu and %zu sequences do not "
                 "fit: equal features of queries and keys, equal rows of keys and values",
                 ur_shape(q->values).text, ur_shape(k->values).text, ur_shape(v->values).text,
                 q->layout->batch, k->layout->batch);
    return false;
}

/* Room for the weights of every sequence. */
static ur_weights *new_weights(ur_tape *tape, const ur_layout *queries, const ur_layout *keys)
{
    size_t *offset = ur_take(tape, queries->batch + 1, sizeof *offset);
    ur_weights *w = ur_take(tape, 1, sizeof *w);
    if (!offset || !w)
        return NULL;
    offset[0] = 0;
    for (size_t b = 0; b < queries->batch; b++)
        offset[b + 1] = offset[b] + queries->length[b] * keys->length[b];
    *w = (ur_weights){queries, keys, ur_take(tape, offset[queries->batch], sizeof(float)), offset};
    return w->p ? w : NULL;
}

ur_seq *ur_attention_dot(ur_tape *tape, const ur_seq *q, const ur_seq *k, const ur_seq *v,
                         ur_weights **weights)
{
    if (weights)
        *weights = NULL;
    if (!q || !k || !v || !ur_tape_ok(tape) || !check(tape, q, k, v))
        return NULL;
    const size_t width = v->values->dim[1];
    ur_tensor *context = ur_rows_new(tape, q->layout->rows, width);
    ur_weights *w = weights ? new_weights(tape, q->layout, k->layout) : NULL;
    if (!ur_tape_ok(tape))
        return NULL;
    const ur_cpu_attention op = {
        .q_rows = q->layout,
        .k_rows = k->layout,
        .width = q->values->dim[1],
        .value_width = width,
        .scale = 1.0f,
        .q = ur_floats(q->values),
        .k = ur_floats(k->values),
        .v = ur_floats(v->values),
        .context = ur_floats(context),
        .p = w ? w->p : NULL,
        .p_offset = w ? w->offset : NULL,
    };
    if (!run(tape, &op, q->values, k->values, v->values, context, NULL))
        return NULL;
    if (weights)
        *weights = w;
    return ur_seq_new(tape, context, q->layout);
}

/* The layout of one query per sequence: row b is sequence b. */
static const ur_layout *single_layout(ur_tape *tape, size_t batch)
{
    size_t *length = ur_take(tape, batch, sizeof *length);
    for (size_t b = 0; length && b < batch; b++)
        length[b] = 1;
    return length ? ur_new_layout(tape, UR_SEQUENCE_MAJOR, batch, length, NULL) : NULL;
}

ur_seq *ur_attention_weights(ur_tape *tape, ur_tensor *query, const ur_seq *keys)
{
    if (!query || !keys || !ur_tape_ok(tape))
        return NULL;
    if (query->ndim != 2 || query->dim[0] != keys->layout->batch ||
        query->dim[1] != keys->values->dim[1])
        return ur_tape_fail(tape, UR_INVALID,
                            "attention_weights: query %s against keys %s of %zu sequences",
                            ur_shape(query).text, ur_shape(keys->values).text, keys->layout->batch);
    const ur_layout *queries = single_layout(tape, keys->layout->batch);
    const ur_layout *rows = ur_layout_reorder(tape->arena, keys->layout, UR_SEQUENCE_MAJOR);
    ur_tensor *p = ur_rows_new(tape, keys->layout->rows, 1);
    if (!queries || !rows || !p)
        return ur_tape_fail(tape, UR_NO_MEMORY, "out of memory: attention weights");
    const ur_cpu_attention op = {
        .q_rows = queries,
        .k_rows = keys->layout,
        .width = query->dim[1],
        .scale = 1.0f,
        .q = ur_floats(query),
        .k = ur_floats(keys->values),
        .p = ur_floats(p),
        .p_offset = rows->offset,
    };
    if (!run(tape, &op, query, keys->values, NULL, NULL, p))
        return NULL;
    return ur_reorder(tape, ur_seq_new(tape, p, rows), keys->layout->order);
}

ur_tensor *ur_weighted_sum(ur_tape *tape, const ur_seq *values, const ur_seq *p)
{
    if (!values || !p || !ur_tape_ok(tape))
        return NULL;
    if (!ur_layout_same_rows(values->layout, p->layout) || p->values->ndim != 2 ||
        p->values->dim[1] != 1)
        return ur_tape_fail(tape, UR_INVALID, "weighted_sum: values %s weighted by %s",
                            ur_shape(values->values).text, ur_shape(p->values).text);
    const size_t batch = values->layout->batch, width = values->values->dim[1];
    const ur_layout *queries = single_layout(tape, batch);
    const ur_seq *by_sequence = ur_reorder(tape, p, UR_SEQUENCE_MAJOR);
    ur_tensor *sum = ur_rows_new(tape, batch, width);
    if (!queries || !by_sequence || !sum)
        return NULL;
    const ur_cpu_attention op = {
        .q_rows = queries,
        .k_rows = values->layout,
        .value_width = width,
        .scale = 1.0f,
        .v = ur_floats(values->values),
        .context = ur_floats(sum),
        .p = ur_floats(by_sequence->values),
        .p_offset = by_sequence->layout->offset,
    };
    if (!run(tape, &op, NULL, NULL, values->values, sum, by_sequence->values))
        return NULL;
    return sum;
}
