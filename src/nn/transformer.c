/* transformer.c - Transformer encoders and decoders (Vaswani et al. 2017), as torch.nn has them.
 *
 *   post-norm    x = norm1(x + drop(attention(x))),   x = norm2(x + drop(feed_forward(x)))
 *   norm_first   x = x + drop(attention(norm1(x))),   x = x + drop(feed_forward(norm2(x)))
 * A decoder layer attends to the memory between the two, with a norm of its own. The sum after a
 * sub-layer and the norm after that sum are one operation (norm.c): with norm_first the norm that
 * follows is the next sub-layer's, the next layer's or the stack's last one. The steps before, when
 * a decoder writes step by step, are transformer_steps.c's. */
#include "nn/transformer.h"

#include <stdio.h>
#include <string.h>

#include "base/status.h"

/* ---- configuration ------------------------------------------------------------------------- */

static ur_transformer_config completed(const ur_transformer_config *config)
{
    ur_transformer_config c = *config;
    c.dim_feedforward = c.dim_feedforward ? c.dim_feedforward : 2048;
    c.activation = c.activation ? c.activation : UR_ACT_RELU;
    c.layer_norm_eps = c.layer_norm_eps > 0.0f ? c.layer_norm_eps : 1e-5f;
    if (!c.own_rates)
        c.attention_dropout = c.inner_dropout = c.dropout;
    return c;
}

static ur_multi_head_config attention_of(const ur_transformer_config *c)
{
    return (ur_multi_head_config){.embed_dim = c->d_model,
                                  .num_heads = c->nhead,
                                  .no_bias = c->no_bias,
                                  .dropout = c->own_rates ? c->attention_dropout : c->dropout};
}

ur_status ur_transformer_check(const ur_transformer_config *config, ur_err *err)
{
    const ur_multi_head_config attention = attention_of(config);
    if (config->d_model == 0 || config->nhead == 0 || config->d_model % config->nhead)
        return ur_fail(err, UR_INVALID, "transformer: %zu heads do not divide d_model %zu",
                       config->nhead, config->d_model);
    if (config->activation < UR_ACT_NONE || config->activation > UR_ACT_GELU_TANH)
        return ur_fail(err, UR_INVALID, "transformer: unknown activation %d",
                       (int)config->activation);
    if (!(config->layer_norm_eps >= 0.0f))
        return ur_fail(err, UR_INVALID,
                       "transformer: layer_norm_eps is %g, it must not be negative",
                       (double)config->layer_norm_eps);
    const float rates[] = {config->dropout, config->inner_dropout};
    for (int i = 0; config->own_rates && i < 2; i++)
        if (!(rates[i] >= 0.0f && rates[i] < 1.0f))
            return ur_fail(err, UR_INVALID, "transformer: dropout is %g, it must be in [0, 1)",
                           (double)rates[i]);
    return ur_multi_head_check(&attention, err);
}

enum { LONGEST_PREFIX = 100 };

static ur_status check_stack(const char *prefix, const ur_transformer_config *config,
                             size_t num_layers, ur_err *err)
{
    if (strlen(prefix) > LONGEST_PREFIX)
        return ur_fail(err, UR_INVALID, "transformer: a prefix of names of %zu bytes, at most %d",
                       strlen(prefix), LONGEST_PREFIX);
    if (num_layers < 1 || num_layers > UR_MOST_TRANSFORMER_LAYERS)
        return ur_fail(err, UR_INVALID, "transformer: %zu layers, 1 to %d expected", num_layers,
                       UR_MOST_TRANSFORMER_LAYERS);
    return ur_transformer_check(config, err);
}

/* ---- parameters ---------------------------------------------------------------------------- */

enum { NAME = 256, PREFIX = 128 }; /* a prefix has at most LONGEST_PREFIX bytes */

static const char *joined(char name[NAME], const char *prefix, const char *part)
{
    snprintf(name, NAME, "%s%s%s", prefix, *prefix ? "." : "", part);
    return name;
}

static void layer_name(char name[PREFIX + 48], const char *prefix, const char *layers, size_t i)
{
    snprintf(name, PREFIX + 48, "%.*s%s%.16s.%zu", PREFIX, prefix, *prefix ? "." : "", layers, i);
}

static ur_multi_head_layer add_attention(ur_params *p, const char *prefix, const char *part,
                                         const ur_transformer_config *c)
{
    const ur_multi_head_config attention = attention_of(c);
    ur_multi_head_layer layer;
    char name[NAME];
    ur_multi_head_attention_add(p, joined(name, prefix, part), &attention, &layer, NULL);
    return layer; /* the configuration was checked */
}

static ur_linear_layer add_linear(ur_params *p, const char *prefix, const char *part, size_t in,
                                  size_t out, const ur_transformer_config *c)
{
    char name[NAME];
    return ur_linear_add(p, joined(name, prefix, part), in, out, !c->no_bias);
}

static ur_layer_norm_layer add_norm(ur_params *p, const char *prefix, const char *part,
                                    const ur_transformer_config *c)
{
    char name[NAME];
    return ur_layer_norm_add(p, joined(name, prefix, part), c->d_model, c->layer_norm_eps, true,
                             !c->no_bias);
}

static ur_multi_head_layer add_attention_apart(ur_params *p, const char *prefix,
                                               const ur_transformer_config *c)
{
    const ur_multi_head_config attention = attention_of(c);
    const ur_transformer_names *n = c->names;
    ur_multi_head_layer layer;
    char name[4][NAME];
    const char *const names[] = {joined(name[0], prefix, n->query), joined(name[1], prefix, n->key),
                                 joined(name[2], prefix, n->value),
                                 joined(name[3], prefix, n->out)};
    ur_multi_head_attention_add_apart(p, names, &attention, &layer, NULL);
    return layer; /* the configuration was checked */
}

static const ur_transformer_names torch_names = {.layers = "layers",
                                                 .linear1 = "linear1",
                                                 .linear2 = "linear2",
                                                 .norm1 = "norm1",
                                                 .norm2 = "norm2"};

ur_status ur_transformer_encoder_add(ur_params *p, const char *prefix,
                                     const ur_transformer_config *config, size_t num_layers,
                                     bool norm, ur_transformer_encoder *out, ur_err *err)
{
    memset(out, 0, sizeof *out);
    const ur_status status = check_stack(prefix, config, num_layers, err);
    if (status != UR_OK)
        return status;
    const ur_transformer_config c = completed(config);
    const ur_transformer_names *n = c.names ? c.names : &torch_names;
    out->num_layers = num_layers;
    out->has_norm = norm;
    for (size_t i = 0; i < num_layers; i++) {
        ur_transformer_encoder_layer *l = &out->layer[i];
        char layer[PREFIX + 48];
        layer_name(layer, prefix, n->layers, i);
        l->config = c;
        l->self_attn =
            c.names ? add_attention_apart(p, layer, &c) : add_attention(p, layer, "self_attn", &c);
        l->linear1 = add_linear(p, layer, n->linear1, c.d_model, c.dim_feedforward, &c);
        l->linear2 = add_linear(p, layer, n->linear2, c.dim_feedforward, c.d_model, &c);
        l->norm1 = add_norm(p, layer, n->norm1, &c);
        l->norm2 = add_norm(p, layer, n->norm2, &c);
    }
    if (norm)
        out->norm = add_norm(p, prefix, "norm", &c);
    return UR_OK;
}

ur_status ur_transformer_decoder_add(ur_params *p, const char *prefix,
                                     const ur_transformer_config *config, size_t num_layers,
                                     bool norm, ur_transformer_decoder *out, ur_err *err)
{
    memset(out, 0, sizeof *out);
    const ur_status status = check_stack(prefix, config, num_layers, err);
    if (status != UR_OK)
        return status;
    const ur_transformer_config c = completed(config);
    out->num_layers = num_layers;
    out->has_norm = norm;
    for (size_t i = 0; i < num_layers; i++) {
        ur_transformer_decoder_layer *l = &out->layer[i];
        char layer[PREFIX + 48];
        layer_name(layer, prefix, "layers", i);
        l->config = c;
        l->self_attn = add_attention(p, layer, "self_attn", &c);
        l->multihead_attn = add_attention(p, layer, "multihead_attn", &c);
        l->linear1 = add_linear(p, layer, "linear1", c.d_model, c.dim_feedforward, &c);
        l->linear2 = add_linear(p, layer, "linear2", c.dim_feedforward, c.d_model, &c);
        l->norm1 = add_norm(p, layer, "norm1", &c);
        l->norm2 = add_norm(p, layer, "norm2", &c);
        l->norm3 = add_norm(p, layer, "norm3", &c);
    }
    if (norm)
        out->norm = add_norm(p, prefix, "norm", &c);
    return UR_OK;
}

ur_status ur_transformer_add(ur_params *params, const char *prefix,
                             const ur_transformer_config *config, size_t encoder_layers,
                             size_t decoder_layers, ur_transformer *out, ur_err *err)
{
    char name[NAME];
    const ur_status status = ur_transformer_encoder_add(
        params, joined(name, prefix, "encoder"), config, encoder_layers, true, &out->encoder, err);
    if (status != UR_OK)
        return status;
    return ur_transformer_decoder_add(params, joined(name, prefix, "decoder"), config,
                                      decoder_layers, true, &out->decoder, err);
}

void ur_transformer_encoder_init(const ur_transformer_encoder *stack, ur_params *params,
                                 uint64_t seed)
{
    for (size_t i = 0; i < stack->num_layers; i++) {
        const ur_transformer_encoder_layer *l = &stack->layer[i];
        ur_multi_head_attention_init(&l->self_attn, params, seed);
        ur_linear_init(&l->linear1, params, seed);
        ur_linear_init(&l->linear2, params, seed);
        ur_layer_norm_init(&l->norm1, params);
        ur_layer_norm_init(&l->norm2, params);
    }
    if (stack->has_norm)
        ur_layer_norm_init(&stack->norm, params);
}

void ur_transformer_decoder_init(const ur_transformer_decoder *stack, ur_params *params,
                                 uint64_t seed)
{
    for (size_t i = 0; i < stack->num_layers; i++) {
        const ur_transformer_decoder_layer *l = &stack->layer[i];
        ur_multi_head_attention_init(&l->self_attn, params, seed);
        ur_multi_head_attention_init(&l->multihead_attn, params, seed);
        ur_linear_init(&l->linear1, params, seed);
        ur_linear_init(&l->linear2, params, seed);
        ur_layer_norm_init(&l->norm1, params);
        ur_layer_norm_init(&l->norm2, params);
        ur_layer_norm_init(&l->norm3, params);
    }
    if (stack->has_norm)
        ur_layer_norm_init(&stack->norm, params);
}

static void xavier_attention(const ur_multi_head_layer *l, ur_params *params, uint64_t seed)
{
    for (int i = 0; i < 3; i++)
        if (i == 0 || l->weight[i] != l->weight[i - 1])
            ur_init_xavier(params, l->weight[i], seed);
    ur_init_xavier(params, l->out_proj.weight, seed);
}

void ur_transformer_init(const ur_transformer *m, ur_params *params, uint64_t seed)
{
    ur_transformer_encoder_init(&m->encoder, params, seed);
    ur_transformer_decoder_init(&m->decoder, params, seed);
    for (size_t i = 0; i < m->encoder.num_layers; i++) {
        const ur_transformer_encoder_layer *l = &m->encoder.layer[i];
        xavier_attention(&l->self_attn, params, seed);
        ur_init_xavier(params, l->linear1.weight, seed);
        ur_init_xavier(params, l->linear2.weight, seed);
    }
    for (size_t i = 0; i < m->decoder.num_layers; i++) {
        const ur_transformer_decoder_layer *l = &m->decoder.layer[i];
        xavier_attention(&l->self_attn, params, seed);
        xavier_attention(&l->multihead_attn, params, seed);
        ur_init_xavier(params, l->linear1.weight, seed);
        ur_init_xavier(params, l->linear2.weight, seed);
    }
}

/* ---- passes -------------------------------------------------------------------------------- */

/* A pass through a stack. */
typedef struct passing {
    const ur_transformer_call *call;    /* never NULL */
    const ur_earlier *earlier;          /* NULL: the sequences are whole */
    const ur_seq *memory;               /* of a decoder: the memory itself ... */
    const ur_decoder_memory *projected; /* ... or with steps before, projected */
    const ur_layout *queries;           /* then: the rows of each of the memory's sequences */
    /* At inference, unless somebody asks for what lies between: the stream is written over itself, and
     * what a sub-layer took is given back to `place`. */
    bool over;
    ur_place place;
} passing;

static const ur_transformer_call no_call;

static ur_seq *self_attention(ur_tape *t, const passing *pass, size_t index,
                              const ur_multi_head_layer *layer, const ur_seq *x)
{
    const ur_transformer_call *c = pass->call;
    if (pass->earlier)
        return ur_seq_new(t, ur_earlier_attend(t, pass->earlier, index, layer, x),
                          x ? x->layout : NULL);
    const ur_attention_call call = {.causal = c->causal ? UR_CAUSAL : UR_NOT_CAUSAL,
                                    .mask = c->mask,
                                    .weights = c->weights ? &c->weights[index] : NULL,
                                    .average = c->average};
    return ur_multi_head_attention(t, layer, x, x, x, &call);
}

static ur_seq *memory_attention(ur_tape *t, const passing *pass, size_t index,
                                const ur_multi_head_layer *layer, const ur_seq *x)
{
    const ur_transformer_call *c = pass->call;
    const ur_attention_call call = {.mask = c->memory_mask,
                                    .weights = c->memory_weights ? &c->memory_weights[index] : NULL,
                                    .average = c->average};
    if (!pass->earlier)
        return ur_multi_head_attention(t, layer, x, pass->memory, pass->memory, &call);
    ur_heads heads[3];
    if (!x || !ur_multi_head_project(t, layer, (ur_tensor *[]){x->values, NULL, NULL}, heads))
        return NULL;
    heads[UR_PROJECT_K] = pass->projected->keys[index];
    heads[UR_PROJECT_V] = pass->projected->values[index];
    return ur_seq_new(
        t, ur_multi_head_attend(t, layer, pass->queries, pass->projected->rows, NULL, heads, &call),
        x->layout);
}

/* What a layer reads: x, and with norm_first also its norm. */
typedef ur_residual_out stream;

static bool writes_over(const ur_tape *t, const passing *pass)
{
    const ur_transformer_call *c = pass->call;
    return ur_tape_mode(t) == UR_INFER && !pass->earlier && !c->outputs && !c->weights &&
           !c->memory_weights;
}

/* After a sub-layer that added f: `norm` is the one that comes next. */
static stream added(ur_tape *t, const passing *pass, const ur_transformer_config *c,
                    const ur_layer_norm_layer *norm, stream x, ur_seq *f)
{
    if (!pass->over) {
        const stream s = ur_residual(t, norm, x.sum, f, c->dropout);
        return c->norm_first ? s : (stream){s.norm, s.norm};
    }
    const stream to = c->norm_first ? x : (stream){f, x.sum};
    if (!ur_residual_over(t, norm, x.sum, f, &to).sum)
        return (stream){NULL, NULL};
    ur_tape_rewind(t, pass->place);
    return x;
}

/* next: with norm_first the norm of what reads the layer's output, or NULL. */
static stream encoder_layer(ur_tape *t, const ur_transformer_encoder_layer *l, const passing *pass,
                            size_t index, stream x, const ur_layer_norm_layer *next)
{
    const ur_transformer_config *c = &l->config;
    const bool first = c->norm_first;
    x = added(t, pass, c, first ? &l->norm2 : &l->norm1, x,
              self_attention(t, pass, index, &l->self_attn, x.norm));
    ur_seq *f =
        ur_feed_forward(t, &l->linear1, c->activation, c->inner_dropout, &l->linear2, x.norm);
    return added(t, pass, c, first ? next : &l->norm2, x, f);
}

static stream decoder_layer(ur_tape *t, const ur_transformer_decoder_layer *l, const passing *pass,
                            size_t index, stream x, const ur_layer_norm_layer *next)
{
    const ur_transformer_config *c = &l->config;
    const bool first = c->norm_first;
    x = added(t, pass, c, first ? &l->norm2 : &l->norm1, x,
              self_attention(t, pass, index, &l->self_attn, x.norm));
    x = added(t, pass, c, first ? &l->norm3 : &l->norm2, x,
              memory_attention(t, pass, index, &l->multihead_attn, x.norm));
    ur_seq *f =
        ur_feed_forward(t, &l->linear1, c->activation, c->inner_dropout, &l->linear2, x.norm);
    return added(t, pass, c, first ? next : &l->norm3, x, f);
}

/* x in memory of its own. */
static ur_seq *copied(ur_tape *t, const ur_seq *x)
{
    ur_tensor *y = ur_rows_new(t, x->values->dim[0], x->values->dim[1]);
    if (y)
        t->backend->copy_rows(&t->on, 1, ur_count(y), NULL, x->values->data, NULL, y->data);
    return ur_seq_new(t, y, x->layout);
}

/* The first layer's stream. */
static stream begun(ur_tape *t, passing *pass, const ur_transformer_config *c,
                    const ur_layer_norm_layer *norm1, const ur_seq *x)
{
    if (!x)
        return (stream){NULL, NULL};
    pass->over =
        writes_over(t, pass) && x->values && x->values->dtype == UR_F32 && x->values->ndim == 2;
    ur_seq *same = pass->over ? copied(t, x) : ur_seq_new(t, x->values, x->layout);
    const stream s = {same, c->norm_first ? ur_layer_norm_seq(t, norm1, x) : same};
    pass->place = ur_tape_place(t);
    return s;
}

/* The last layer's: with norm_first its norm is the stack's last one already. */
static ur_seq *ended(ur_tape *t, const ur_transformer_config *c, const ur_layer_norm_layer *norm,
                     stream x)
{
    if (!norm)
        return x.sum;
    return c->norm_first ? x.norm : ur_layer_norm_seq(t, norm, x.sum);
}

static ur_seq *encoder_pass(ur_tape *t, const ur_transformer_encoder *s, passing *pass,
                            const ur_seq *x)
{
    const ur_transformer_config *c = &s->layer[0].config;
    const ur_layer_norm_layer *last = s->has_norm ? &s->norm : NULL;
    stream now = begun(t, pass, c, &s->layer[0].norm1, x);
    for (size_t i = 0; i < s->num_layers; i++) {
        now = encoder_layer(t, &s->layer[i], pass, i, now,
                            i + 1 < s->num_layers ? &s->layer[i + 1].norm1 : last);
        if (pass->call->outputs)
            pass->call->outputs[i] = now.sum;
    }
    return ended(t, c, last, now);
}

static ur_seq *decoder_pass(ur_tape *t, const ur_transformer_decoder *s, passing *pass,
                            const ur_seq *x)
{
    const ur_transformer_config *c = &s->layer[0].config;
    const ur_layer_norm_layer *last = s->has_norm ? &s->norm : NULL;
    stream now = begun(t, pass, c, &s->layer[0].norm1, x);
    for (size_t i = 0; i < s->num_layers; i++)
        now = decoder_layer(t, &s->layer[i], pass, i, now,
                            i + 1 < s->num_layers ? &s->layer[i + 1].norm1 : last);
    return ended(t, c, last, now);
}

ur_seq *ur_transformer_encode(ur_tape *tape, const ur_transformer_encoder *stack, const ur_seq *x,
                              const ur_transformer_call *call)
{
    passing pass = {.call = call ? call : &no_call};
    return encoder_pass(tape, stack, &pass, x);
}

ur_seq *ur_transformer_decode(ur_tape *tape, const ur_transformer_decoder *stack, const ur_seq *x,
                              const ur_seq *memory, const ur_transformer_call *call)
{
    passing pass = {.call = call ? call : &no_call, .memory = memory};
    return decoder_pass(tape, stack, &pass, x);
}

ur_seq *ur_transformer_forward(ur_tape *tape, const ur_transformer *model, const ur_seq *source,
                               const ur_seq *target)
{
    const ur_transformer_call causal = {.causal = true};
    const ur_seq *memory = ur_transformer_encode(tape, &model->encoder, source, NULL);
    return ur_transformer_decode(tape, &model->decoder, target, memory, &causal);
}

/* ---- one step after the other --------------------------------------------------------------- */

ur_seq *ur_transformer_encode_next(ur_tape *tape, const ur_transformer_encoder *stack,
                                   ur_step_cache *cache, const ur_seq *x)
{
    ur_earlier earlier;
    const size_t width = stack->layer[0].config.d_model;
    if (!ur_tape_ok(tape) || !x ||
        !ur_earlier_begin(tape, cache, x->layout, stack->num_layers, width, &earlier))
        return NULL;
    passing pass = {.call = &no_call, .earlier = &earlier};
    ur_seq *y = encoder_pass(tape, stack, &pass, x);
    ur_earlier_end(tape, &earlier, x->layout);
    return y;
}

ur_decoder_memory *ur_transformer_memory(ur_tape *tape, const ur_transformer_decoder *stack,
                                         const ur_seq *memory)
{
    static const ur_op op = {.name = "transformer_memory"};
    if (!ur_operand_seq(tape, &op, memory, UR_F32, 2))
        return NULL;
    ur_decoder_memory *m = ur_take(tape, 1, sizeof *m);
    if (!m)
        return NULL;
    m->rows = memory->layout;
    for (size_t i = 0; i < stack->num_layers; i++) {
        ur_heads heads[3];
        if (!ur_multi_head_project(tape, &stack->layer[i].multihead_attn,
                                   (ur_tensor *[]){NULL, memory->values, memory->values}, heads))
            return NULL;
        m->keys[i] = heads[UR_PROJECT_K];
        m->values[i] = heads[UR_PROJECT_V];
    }
    return m;
}

ur_seq *ur_transformer_decode_next(ur_tape *tape, const ur_transformer_decoder *stack,
                                   ur_step_cache *cache, const ur_decoder_memory *memory,
                                   const ur_seq *x, const ur_layout *queries,
                                   const ur_transformer_call *call)
{
    ur_earlier earlier;
    const size_t width = stack->layer[0].config.d_model;
    if (!ur_tape_ok(tape) || !x || !memory ||
        !ur_earlier_begin(tape, cache, x->layout, stack->num_layers, width, &earlier))
        return NULL;
    const ur_layout *by_source = queries ? queries : x->layout;
    if (by_source->batch != memory->rows->batch || by_source->rows != x->layout->rows)
        return ur_tape_fail(tape, UR_INVALID,
                            "transformer_decode_next: %zu rows of %zu sequences for %zu rows, the "
                            "memory has %zu sequences",
                            by_source->rows, by_source->batch, x->layout->rows,
                            memory->rows->batch);
    passing pass = {.call = call ? call : &no_call,
                    .earlier = &earlier,
                    .projected = memory,
                    .queries = by_source};
    ur_seq *y = decoder_pass(tape, stack, &pass, x);
    ur_earlier_end(tape, &earlier, x->layout);
    return y;
}
