/* multi_head.c - multi-head attention (Vaswani et al. 2017), torch.nn.MultiheadAttention.
 *
 *   q = x_q W_q^T + b_q,  k = x_k W_k^T + b_k,  v = x_v W_v^T + b_v      each E = h D wide
 *   y = concat over the heads of softmax(q_h k_h^T / sqrt(D)) v_h, times W_o^T, + b_o
 * W_q, W_k, W_v are the rows of in_proj_weight (3E, E), or three weights where sizes differ or names ask
 * for it; b_q, b_k, b_v parts of in_proj_bias, or of their own. The heads
 * are columns of the projected rows, and stay there: rows are q k v where one sequence is all three, k v
 * where keys and values are one. */
#include "nn/nn.h"

#include "base/status.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { Q = UR_PROJECT_Q, K = UR_PROJECT_K, V = UR_PROJECT_V };

/* ---- configuration and parameters ---------------------------------------------------------- */

ur_status ur_multi_head_check(const ur_multi_head_config *c, ur_err *err)
{
    static const char what[] = "multi_head_attention";
    if (c->embed_dim == 0 || c->num_heads == 0)
        return ur_fail(err, UR_INVALID, "%s: embed_dim is %zu and num_heads %zu, at least 1 each",
                       what, c->embed_dim, c->num_heads);
    if (c->embed_dim % c->num_heads)
        return ur_fail(err, UR_INVALID, "%s: %zu heads do not divide embed_dim %zu", what,
                       c->num_heads, c->embed_dim);
    if (!(c->dropout >= 0.0f && c->dropout < 1.0f))
        return ur_fail(err, UR_INVALID, "%s: dropout is %g, it must be in [0, 1)", what,
                       (double)c->dropout);
    if (c->add_bias_kv || c->add_zero_attn)
        return ur_fail(err, UR_UNSUPPORTED,
                       "%s: %s adds a key that no sequence has, which ragged batches have no room "
                       "for",
                       what, c->add_bias_kv ? "add_bias_kv" : "add_zero_attn");
    return UR_OK;
}

static bool one_weight(const ur_multi_head_config *c)
{
    return c->qdim == c->embed_dim && c->kdim == c->embed_dim && c->vdim == c->embed_dim;
}

static size_t size_of(const ur_multi_head_config *c, int i)
{
    return i == Q ? c->qdim : i == K ? c->kdim : c->vdim;
}

static void add_weights(ur_params *params, const char *prefix, ur_multi_head_layer *l)
{
    static const char *const names[] = {"q_proj_weight", "k_proj_weight", "v_proj_weight"};
    const size_t width = l->config.embed_dim;
    const bool one = one_weight(&l->config);
    const int all = one ? ur_layer_param(params, prefix, "in_proj_weight", 3 * width, width) : -1;
    const int back = ur_params_pack(params, all, UR_PACK_COLS, 1);
    for (int i = 0; i < 3; i++) {
        l->weight[i] =
            one ? all : ur_layer_param(params, prefix, names[i], width, size_of(&l->config, i));
        const size_t begin = one ? (size_t)i * width : 0;
        l->pack_forward[i] =
            ur_params_pack_part(params, l->weight[i], UR_PACK_ROWS, 1, begin, begin + width);
        l->pack_backward[i] = one ? back : ur_params_pack(params, l->weight[i], UR_PACK_COLS, 1);
    }
}

static ur_status begin(const ur_multi_head_config *config, ur_multi_head_layer *out, ur_err *err)
{
    memset(out, 0, sizeof *out);
    const ur_status status = ur_multi_head_check(config, err);
    if (status != UR_OK)
        return status;
    ur_multi_head_config *c = &out->config;
    const size_t width = config->embed_dim;
    *c = *config;
    c->qdim = c->qdim ? c->qdim : width;
    c->kdim = c->kdim ? c->kdim : width;
    c->vdim = c->vdim ? c->vdim : width;
    return UR_OK;
}

ur_status ur_multi_head_attention_add(ur_params *params, const char *prefix,
                                      const ur_multi_head_config *config, ur_multi_head_layer *out,
                                      ur_err *err)
{
    const size_t width = config->embed_dim;
    const ur_status status = begin(config, out, err);
    if (status != UR_OK)
        return status;
    add_weights(params, prefix, out);
    const int bias =
        config->no_bias ? -1 : ur_layer_param(params, prefix, "in_proj_bias", 3 * width, 0);
    for (int i = 0; i < 3; i++)
        out->bias[i] = bias;
    char name[256];
    snprintf(name, sizeof name, "%s%sout_proj", prefix, *prefix ? "." : "");
    out->out_proj = ur_linear_add(params, name, width, width, !config->no_bias);
    return UR_OK;
}

ur_status ur_multi_head_attention_add_apart(ur_params *params, const char *const names[4],
                                            const ur_multi_head_config *config,
                                            ur_multi_head_layer *out, ur_err *err)
{
    const size_t width = config->embed_dim;
    const ur_status status = begin(config, out, err);
    if (status != UR_OK)
        return status;
    for (int i = 0; i < 3; i++) {
        const ur_linear_layer l =
            ur_linear_add(params, names[i], size_of(&out->config, i), width, !config->no_bias);
        out->weight[i] = l.weight;
        out->bias[i] = l.bias;
        out->pack_forward[i] = l.pack_forward;
        out->pack_backward[i] = l.pack_backward;
    }
    out->out_proj = ur_linear_add(params, names[3], width, width, !config->no_bias);
    return UR_OK;
}

void ur_multi_head_attention_init(const ur_multi_head_layer *l, ur_params *params, uint64_t seed)
{
    UR_FPMODE_HERE;
    for (int i = 0; i < 3; i++) {
        if (i > 0 && l->weight[i] == l->weight[0])
            continue;
        const ur_param *w = ur_params_entry(params, (size_t)l->weight[i]);
        ur_init_uniform(params, l->weight[i], sqrtf(6.0f / (float)(w->dim[0] + w->dim[1])), seed);
    }
    ur_linear_init(&l->out_proj, params, seed);
    const int biases[] = {l->bias[Q], l->bias[K], l->bias[V], l->out_proj.bias};
    for (int i = 0; i < 4; i++) {
        float *b = biases[i] >= 0 ? ur_param_values(params, biases[i]) : NULL;
        if (b)
            memset(b, 0, ur_params_entry(params, (size_t)biases[i])->count * sizeof *b);
    }
}

/* ---- projections --------------------------------------------------------------------------- */

/* Inputs q, k, v, NULL where one is not projected; outputs with what belongs together in one. */
typedef struct project_node {
    ur_node node;
    ur_multi_head_layer layer;
    int group[3]; /* the first of those that share the input and the output; -1: not there */
    int size[3];  /* of the group that this one is first of */
} project_node;

/* Neighbours among q, k, v with one input. */
static void group(const ur_multi_head_layer *l, ur_tensor *const in[3], int of[3], int size[3])
{
    for (int i = 0; i < 3; i++) {
        const bool joins = i > 0 && in[i] && in[i] == in[i - 1] && l->weight[i] == l->weight[i - 1];
        of[i] = !in[i] ? -1 : joins ? of[i - 1] : i;
        size[i] = 0;
        if (of[i] >= 0)
            size[of[i]]++;
    }
}

static ur_linear_pass pass_of(const ur_multi_head_layer *l, int i, const ur_tensor *x, size_t parts)
{
    return (ur_linear_pass){.rows = x->dim[0],
                            .in = size_of(&l->config, i),
                            .out = parts * l->config.embed_dim,
                            .x = x->data};
}

/* Where the bias of projection i begins in its parameter. */
static size_t bias_begin(const ur_multi_head_layer *l, int i)
{
    return l->bias[Q] == l->bias[K] ? (size_t)i * l->config.embed_dim : 0;
}

/* The gradient of rows of weight i: set as a whole where one product does so, else added to. */
static void weight_gradient(ur_tape *tape, const project_node *n, int i, ur_linear_pass *pass)
{
    const ur_multi_head_layer *l = &n->layer;
    const bool shared = l->weight[Q] == l->weight[K];
    if (!shared || n->size[i] == 3)
        pass->dw = ur_weight_grad_to_set(tape, l->weight[i], &pass->dw_blank);
    else
        pass->dw = ur_weight_grad(tape, l->weight[i]);
    if (pass->dw && shared)
        pass->dw += (size_t)i * l->config.embed_dim * pass->in;
    pass->db = ur_weight_grad(tape, l->bias[i]);
    if (pass->db)
        pass->db += bias_begin(l, i);
}

static void project_back(ur_tape *tape, ur_node *node)
{
    const project_node *n = (project_node *)node;
    const ur_multi_head_layer *l = &n->layer;
    for (int i = 0; i < 3 && ur_tape_ok(tape); i++) {
        const ur_tensor *y = node->out[i];
        if (n->group[i] != i || !y->grad)
            continue;
        ur_linear_pass pass = pass_of(l, i, node->in[i], (size_t)n->size[i]);
        pass.w = ur_params_packed(tape->params, l->pack_backward[i]);
        if (l->weight[Q] == l->weight[K]) {
            pass.w_rows = 3 * l->config.embed_dim;
            pass.w_begin = (size_t)i * l->config.embed_dim;
        }
        pass.dy = y->grad;
        pass.dx = ur_grad_to_set(tape, node->in[i], &pass.dx_blank);
        weight_gradient(tape, n, i, &pass);
        if (ur_tape_ok(tape))
            ur_had_memory(tape, node->op, tape->backend->linear_back(&tape->on, &pass));
    }
}

static bool check_inputs(ur_tape *tape, const ur_op *op, const ur_multi_head_layer *l,
                         ur_tensor *const in[3])
{
    static const char *const names[] = {"queries", "keys", "values"};
    for (int i = 0; i < 3; i++) {
        if (!in[i])
            continue;
        if (!ur_operand(tape, op, in[i], UR_F32, 2))
            return false;
        const size_t size = size_of(&l->config, i);
        if (in[i]->dim[1] != size) {
            ur_tape_fail(tape, UR_INVALID, "%s: %s are %s, the layer wants %zu features", op->name,
                         names[i], ur_shape(in[i]).text, size);
            return false;
        }
        const size_t width = l->config.embed_dim;
        const ur_weight_shape shape[] = {
            {l->weight[i], l->pack_forward[i], l->weight[Q] == l->weight[K] ? 3 * width : width,
             size},
            {l->bias[i], -1, l->bias[Q] == l->bias[K] ? 3 * width : width, 0}};
        if (!ur_has_weights(tape, op->name, l->bias[i] >= 0 ? 2 : 1, shape))
            return false;
    }
    return true;
}

bool ur_multi_head_project(ur_tape *tape, const ur_multi_head_layer *l, ur_tensor *const in[3],
                           ur_heads out[3])
{
    static const ur_op op = {"multi_head_attention", project_back, false};
    int of[3], size[3];
    ur_tensor *y[3] = {NULL};
    if (!check_inputs(tape, &op, l, in))
        return false;
    group(l, in, of, size);
    const size_t width = l->config.embed_dim;
    for (int i = 0; i < 3; i++) {
        if (of[i] < 0)
            continue;
        y[i] = of[i] == i ? ur_rows_new(tape, in[i]->dim[0], (size_t)size[i] * width) : y[of[i]];
        if (!y[i])
            return false;
        out[i] = (ur_heads){y[i], (size_t)(i - of[i]) * width};
        ur_linear_pass pass = pass_of(l, i, in[i], 1);
        pass.w = ur_params_packed(tape->params, l->pack_forward[i]);
        pass.w_far = ur_weights_are_far(tape);
        pass.bias = l->bias[i] < 0 ? NULL : ur_weight(tape, l->bias[i]) + bias_begin(l, i);
        pass.y = (float *)y[i]->data + out[i].begin;
        pass.y_row = y[i]->dim[1];
        tape->backend->linear(&tape->on, &pass);
        y[i]->needs_grad = ur_weights_learn(tape);
    }
    project_node *n = ur_record_all(tape, &op, sizeof *n, 3, y, 3, in);
    if (n) {
        n->layer = *l;
        memcpy(n->group, of, sizeof of);
        memcpy(n->size, size, sizeof size);
    }
    return ur_tape_ok(tape);
}

/* ---- the layer ----------------------------------------------------------------------------- */

ur_tensor *ur_multi_head_attend(ur_tape *tape, const ur_multi_head_layer *l,
                                const ur_layout *q_rows, const ur_layout *k_rows,
                                const size_t *k_from, const ur_heads projected[3],
                                const ur_attention_call *call)
{
    const ur_attention_call none = {0}, *c = call ? call : &none;
    const size_t heads = l->config.num_heads, width = l->config.embed_dim / heads;
    const ur_attending a = {.name = "multi_head_attention",
                            .q_rows = q_rows,
                            .k_rows = k_rows,
                            .k_from = k_from,
                            .q = projected[Q],
                            .k = projected[K],
                            .v = projected[V],
                            .heads = heads,
                            .width = width,
                            .value_width = width};
    ur_tensor *context = ur_attend(tape, &a,
                                   &(ur_attention_options){.causal = c->causal,
                                                           .mask = c->mask,
                                                           .dropout = l->config.dropout,
                                                           .weights = c->weights,
                                                           .average = c->average});
    return context ? ur_linear(tape, &l->out_proj, context) : NULL;
}

ur_seq *ur_multi_head_attention(ur_tape *tape, const ur_multi_head_layer *layer, const ur_seq *q,
                                const ur_seq *k, const ur_seq *v, const ur_attention_call *call)
{
    UR_FPMODE_HERE;
    static const ur_op op = {.name = "multi_head_attention"};
    ur_heads projected[3];
    if (call && call->weights)
        *call->weights = NULL;
    if (!ur_operand_seq(tape, &op, q, UR_F32, 2) || !ur_operand_seq(tape, &op, k, UR_F32, 2) ||
        !ur_operand_seq(tape, &op, v, UR_F32, 2))
        return NULL;
    if (q->layout->batch != k->layout->batch || !ur_layout_same_rows(k->layout, v->layout))
        return ur_tape_fail(tape, UR_INVALID,
                            "multi_head_attention: queries of %zu sequences, keys of %zu; keys and "
                            "values have equal rows",
                            q->layout->batch, k->layout->batch);
    if (!ur_multi_head_project(tape, layer, (ur_tensor *[]){q->values, k->values, v->values},
                               projected))
        return NULL;
    ur_tensor *y = ur_multi_head_attend(tape, layer, q->layout, k->layout, NULL, projected, call);
    return ur_seq_new(tape, y, q->layout);
}
