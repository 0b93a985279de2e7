/* attention.c - attention over ragged sequences, with any number of heads side by side.
 *
 *   P = softmax(scale score(Q, K) + mask) over the keys that a query sees,
 *   context = drop-out(P) V
 *   dV += drop-out(P)^T dC,   dS = P (dP - sum(P dP)) with dP = drop-out(dC V^T),
 *   dQ += scale dS K,   dK += scale dS^T Q
 * Backward keeps the inputs and P, or where that is the larger, of each row the two numbers that its
 * softmax was made with. */
#include "nn/nn.h"

#include <math.h>
#include <stdio.h>

/* Inputs q k v, given weights, the score's own weights; outputs the context, or weights alone. */
typedef struct attention_node {
    ur_node node;
    ur_attention_pass pass;
    size_t begin[3]; /* the columns of q, k and v in their tensors */
} attention_node;

enum { Q, K, V, P, W, INS };

/* ---- backward ------------------------------------------------------------------------------ */

/* Whether the columns of q, k and v cover all of x, once: its gradient can then be set. */
static bool covered(const attention_node *n, const ur_tensor *x)
{
    const ur_attention_pass *p = &n->pass;
    const size_t width[3] = {p->heads * p->width, p->heads * p->width, p->heads * p->value_width};
    size_t columns = 0;
    for (int i = 0; i < 3; i++) {
        if (n->node.in[i] != x)
            continue;
        columns += width[i];
        for (int j = 0; j < i; j++)
            if (n->node.in[j] == x && n->begin[j] == n->begin[i])
                return false;
    }
    return columns == x->dim[1];
}

/* Gradients of q, k and v; blank comes back true where they are to be set. */
static void input_gradients(ur_tape *tape, const attention_node *n, float *grad[3], bool blank[3])
{
    for (int i = 0; i < 3; i++) {
        ur_tensor *x = n->node.in[i];
        bool before = false;
        grad[i] = NULL;
        blank[i] = false;
        for (int j = 0; j < i && x; j++)
            if (n->node.in[j] == x) {
                before = true;
                blank[i] = blank[j];
            }
        if (before)
            grad[i] = x->grad;
        else if (x && covered(n, x))
            grad[i] = ur_grad_to_set(tape, x, &blank[i]);
        else
            grad[i] = ur_grad(tape, x);
        if (grad[i])
            grad[i] += n->begin[i];
    }
}

static void attention_back(ur_tape *tape, ur_node *node)
{
    const attention_node *n = (attention_node *)node;
    const ur_attention_pass *pass = &n->pass;
    const float *dy = node->out[0]->grad;
    float *grad[3];
    bool blank[3];
    input_gradients(tape, n, grad, blank);
    const ur_attention_back back = {
        .forward = pass,
        .dcontext = pass->v ? dy : NULL,
        .dp_in = pass->v ? NULL : dy,
        .dq = grad[Q],
        .dk = grad[K],
        .dv = grad[V],
        .dw = ur_grad(tape, node->in[W]),
        .dp = ur_grad(tape, node->in[P]),
        .dq_blank = blank[Q],
        .dk_blank = blank[K],
        .dv_blank = blank[V],
    };
    if (ur_tape_ok(tape))
        ur_had_memory(tape, node->op, tape->backend->attention_back(&tape->on, &back));
}

/* Runs the pass and records it; y is its output. */
static bool run(ur_tape *tape, const ur_op *op, const ur_attention_pass *pass, ur_tensor *y,
                ur_tensor *const in[INS], const size_t begin[3])
{
    if (!y || !ur_tape_ok(tape) ||
        !ur_had_memory(tape, op, tape->backend->attention(&tape->on, pass)))
        return false;
    attention_node *n = ur_record_all(tape, op, sizeof *n, 1, &y, INS, in);
    if (n) {
        n->pass = *pass;
        for (int i = 0; i < 3; i++)
            n->begin[i] = begin ? begin[i] : 0;
    }
    return ur_tape_ok(tape);
}

/* ---- options ------------------------------------------------------------------------------- */

static const ur_attention_options nothing;

static bool check_mask(ur_tape *tape, const ur_attending *a, const ur_attention_mask *m)
{
    if (!m)
        return true;
    if (m->heads > 1 && m->heads != a->heads)
        ur_tape_fail(tape, UR_INVALID, "%s: the mask has %zu heads, there are %zu", a->name,
                     m->heads, a->heads);
    else if (m->queries < a->q_rows->steps || m->keys < a->k_rows->steps)
        ur_tape_fail(tape, UR_INVALID, "%s: the mask is (%zu,%zu), sequences are up to (%zu,%zu)",
                     a->name, m->queries, m->keys, a->q_rows->steps, a->k_rows->steps);
    return ur_tape_ok(tape);
}

static bool check_options(ur_tape *tape, const ur_attending *a, const ur_attention_options *o,
                          const ur_score *score)
{
    if (!score)
        ur_tape_fail(tape, UR_INVALID, "%s: there is no score %.40s", a->name, o->score);
    else if ((unsigned)o->causal > UR_CAUSAL_LAST)
        ur_tape_fail(tape, UR_INVALID, "%s: there is no way %d to be causal", a->name,
                     (int)o->causal);
    else if (!(o->dropout >= 0.0f && o->dropout < 1.0f))
        ur_tape_fail(tape, UR_INVALID, "%s: dropout is %g, it must be in [0, 1)", a->name,
                     (double)o->dropout);
    else if (!(o->scale >= 0.0f && o->scale < INFINITY))
        ur_tape_fail(tape, UR_INVALID, "%s: scale is %g, it must be positive", a->name,
                     (double)o->scale);
    else if (score->has_weight != (o->w != NULL))
        ur_tape_fail(tape, UR_INVALID, "%s: score %s takes %s weights w", a->name, score->name,
                     score->has_weight ? "a vector of" : "no");
    else if (o->w && ur_count(o->w) != a->heads * a->width)
        ur_tape_fail(tape, UR_INVALID, "%s: %zu weights w for %zu features", a->name,
                     ur_count(o->w), a->heads * a->width);
    else
        check_mask(tape, a, o->mask);
    return ur_tape_ok(tape);
}

/* The mask as floats that are added, on the device. */
static const float *mask_floats(ur_tape *tape, const ur_attention_mask *m)
{
    const size_t dim[] = {m->heads > 1 ? m->heads : 1, m->queries, m->keys};
    ur_tensor *x = ur_tensor_new(tape, UR_F32, 3, dim);
    float *values = ur_write_begin(tape, x);
    for (size_t i = 0; values && i < ur_count(x); i++)
        values[i] = m->hidden && m->hidden[i] ? -INFINITY : m->added ? m->added[i] : 0.0f;
    ur_write_end(tape, x, values);
    return values ? x->data : NULL;
}

/* ---- weights ------------------------------------------------------------------------------- */

/* Room for the weights of every sequence, in *p, and where they lie. */
static ur_weights *new_weights(ur_tape *tape, const ur_layout *queries, const ur_layout *keys,
                               size_t heads, ur_tensor **p)
{
    size_t *offset = ur_take(tape, queries->batch + 1, sizeof *offset);
    ur_weights *w = ur_take(tape, 1, sizeof *w);
    if (!offset || !w)
        return NULL;
    offset[0] = 0;
    for (size_t b = 0; b < queries->batch; b++)
        offset[b + 1] = offset[b] + heads * queries->length[b] * keys->length[b];
    *w = (ur_weights){queries, keys, heads, NULL, offset};
    *p = ur_tensor_new(tape, UR_F32, 1, &offset[queries->batch]);
    return w;
}

/* The heads' mean, head by head. */
static void average_heads(ur_tape *tape, ur_weights *w)
{
    const size_t batch = w->queries->batch, heads = w->heads;
    size_t *offset = ur_take(tape, batch + 1, sizeof *offset);
    float *mean = ur_take(tape, w->offset[batch] / heads, sizeof *mean);
    if (!offset || !mean)
        return;
    const float part = 1.0f / (float)heads;
    for (size_t b = 0; b <= batch; b++)
        offset[b] = w->offset[b] / heads;
    for (size_t b = 0; b < batch; b++) {
        const size_t count = offset[b + 1] - offset[b];
        for (size_t i = 0; i < count; i++) {
            const float *p = w->p + w->offset[b] + i;
            float sum = 0.0f;
            for (size_t h = 0; h < heads; h++)
                sum += p[h * count];
            mean[offset[b] + i] = sum * part;
        }
    }
    *w = (ur_weights){w->queries, w->keys, 1, mean, offset};
}

/* ---- forward ------------------------------------------------------------------------------- */

static const float *columns_of(ur_heads h)
{
    return (const float *)h.x->data + h.begin;
}

static ur_attention_pass pass_of(const ur_attending *a, const ur_attention_options *o,
                                 const ur_score *score)
{
    return (ur_attention_pass){
        .q_rows = a->q_rows,
        .k_rows = a->k_rows,
        .k_from = a->k_from,
        .score = score,
        .heads = a->heads,
        .width = a->width,
        .value_width = a->value_width,
        .scale = o->scale > 0.0f ? o->scale
                 : score->scaled ? 1.0f / sqrtf((float)a->width)
                                 : 1.0f,
        .sight = (ur_sight)o->causal, /* the same three in the same order */
        .q = columns_of(a->q),
        .k = columns_of(a->k),
        .v = columns_of(a->v),
        .q_row = a->q.x->dim[1],
        .k_row = a->k.x->dim[1],
        .v_row = a->v.x->dim[1],
        .w = o->w ? o->w->data : NULL,
        .context_row = a->heads * a->value_width,
    };
}

/* Whether the weights take no more room than the rows that they come from. */
static bool few_weights(const ur_attending *a)
{
    size_t weights = 0;
    const size_t q = a->q_rows->rows * a->width, kv = a->k_rows->rows * (a->width + a->value_width);
    for (size_t b = 0; b < a->q_rows->batch; b++)
        weights += a->q_rows->length[b] * a->k_rows->length[b];
    return weights <= q + kv;
}

ur_tensor *ur_attend(ur_tape *tape, const ur_attending *a, const ur_attention_options *options)
{
    static const ur_op op = {"attention", attention_back, false};
    const ur_attention_options *o = options ? options : &nothing;
    const ur_score *score = ur_score_find(o->score ? o->score : "dot");
    if (o->weights)
        *o->weights = NULL;
    if (!ur_tape_ok(tape) || !check_options(tape, a, o, score))
        return NULL;
    ur_attention_pass pass = pass_of(a, o, score);
    ur_tensor *context = ur_rows_new(tape, a->q_rows->rows, pass.context_row), *p = NULL;
    const bool keeps = tape->mode == UR_TRAIN && few_weights(a);
    ur_weights *w =
        o->weights || keeps ? new_weights(tape, a->q_rows, a->k_rows, a->heads, &p) : NULL;
    if (o->mask) {
        pass.mask = mask_floats(tape, o->mask);
        pass.mask_heads = o->mask->heads;
        pass.mask_queries = o->mask->queries;
        pass.mask_keys = o->mask->keys;
    }
    if (tape->mode == UR_TRAIN) {
        pass.saved = keeps ? NULL : ur_take_floats(tape, 2 * a->heads * a->q_rows->rows);
        pass.dropout = o->dropout;
        pass.key = o->dropout > 0.0f ? ur_next_dropout_key(tape) : 0;
    }
    if (!ur_tape_ok(tape))
        return NULL;
    pass.context = context->data;
    pass.p = p ? p->data : NULL;
    pass.p_offset = w ? w->offset : NULL;
    pass.keeps_p = keeps;
    if (!run(tape, &op, &pass, context, (ur_tensor *[INS]){a->q.x, a->k.x, a->v.x, NULL, o->w},
             (size_t[]){a->q.begin, a->k.begin, a->v.begin}))
        return NULL;
    if (o->weights && w) {
        w->p = ur_read(tape, p);
        if (o->average && a->heads > 1 && w->p)
            average_heads(tape, w);
        *o->weights = w;
    }
    return ur_tape_ok(tape) ? context : NULL;
}

static bool check(ur_tape *tape, const ur_op *op, const ur_seq *q, const ur_seq *k, const ur_seq *v,
                  size_t heads)
{
    if (!ur_operand_seq(tape, op, q, UR_F32, 2) || !ur_operand_seq(tape, op, k, UR_F32, 2) ||
        !ur_operand_seq(tape, op, v, UR_F32, 2))
        return false;
    const size_t width = q->values->dim[1], value_width = v->values->dim[1];
    if (width != k->values->dim[1] || q->layout->batch != k->layout->batch ||
        !ur_layout_same_rows(k->layout, v->layout))
        ur_tape_fail(tape, UR_INVALID,
                     "%s: queries %s, keys %s and values %s of %zu and %zu sequences do not "
                     "fit: equal features of queries and keys, equal rows of keys and values",
                     op->name, ur_shape(q->values).text, ur_shape(k->values).text,
                     ur_shape(v->values).text, q->layout->batch, k->layout->batch);
    else if (width % heads || value_width % heads)
        ur_tape_fail(tape, UR_INVALID, "%s: %zu heads do not divide %zu and %zu features", op->name,
                     heads, width, value_width);
    return ur_tape_ok(tape);
}

static ur_seq *attention(ur_tape *tape, const ur_op *op, const ur_seq *q, const ur_seq *k,
                         const ur_seq *v, const ur_attention_options *o)
{
    const size_t heads = o && o->heads ? o->heads : 1;
    if (o && o->weights)
        *o->weights = NULL;
    if (!check(tape, op, q, k, v, heads) || (o && o->w && !ur_operand(tape, op, o->w, UR_F32, 0)))
        return NULL;
    const ur_attending a = {.name = op->name,
                            .q_rows = q->layout,
                            .k_rows = k->layout,
                            .q = {q->values, 0},
                            .k = {k->values, 0},
                            .v = {v->values, 0},
                            .heads = heads,
                            .width = q->values->dim[1] / heads,
                            .value_width = v->values->dim[1] / heads};
    return ur_seq_new(tape, ur_attend(tape, &a, o), q->layout);
}

ur_seq *ur_attention(ur_tape *tape, const ur_seq *q, const ur_seq *k, const ur_seq *v,
                     const ur_attention_options *options)
{
    UR_FPMODE_HERE;
    static const ur_op op = {.name = "attention"};
    return attention(tape, &op, q, k, v, options);
}

const char *ur_attention_score_name(size_t i)
{
    const ur_score *score = ur_score_at(i);
    return score ? score->name : NULL;
}

ur_seq *ur_attention_dot(ur_tape *tape, const ur_seq *q, const ur_seq *k, const ur_seq *v,
                         ur_weights **weights)
{
    UR_FPMODE_HERE;
    static const ur_op op = {.name = "attention_dot"};
    return attention(tape, &op, q, k, v,
                     &(ur_attention_options){.scale = 1.0f, .weights = weights});
}

/* ---- its halves ---------------------------------------------------------------------------- */

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
    ur_attention_pass op = {
        .q_rows = queries,
        .k_rows = keys->layout,
        .score = &ur_score_dot,
        .heads = 1,
        .width = query->dim[1],
        .scale = 1.0f,
        .q = query->data,
        .k = keys->values->data,
        .q_row = query->dim[1],
        .k_row = query->dim[1],
        .p = p->data,
        .p_offset = rows->offset,
    };
    if (tape->mode == UR_TRAIN)
        op.saved = ur_take_floats(tape, 2 * queries->rows);
    if (!run(tape, &weigh, &op, p, (ur_tensor *[INS]){query, keys->values}, NULL))
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
        .heads = 1,
        .value_width = width,
        .scale = 1.0f,
        .v = values->values->data,
        .v_row = width,
        .context = sum->data,
        .context_row = width,
        .p = by_sequence->values->data,
        .p_offset = by_sequence->layout->offset,
    };
    return run(tape, &weigh, &op, sum,
               (ur_tensor *[INS]){NULL, NULL, values->values, by_sequence->values}, NULL)
               ? sum
               : NULL;
}
