/* bert.c - BERT: settings as Hugging Face's config.json has them (bert_config.c reads it), parameters under
 * its names, forward.
 *
 *   x_t = drop(norm(word[id_t] + position[t] + token_type[segment_t]))
 *   y   = layers of   x = norm(x + drop(attention(x))),   x = norm(x + drop(W2 act(W1 x)))
 *   pooled = tanh(W y_0 + b)
 *   logits of a masked word = norm(act(W y_t + b)) word^T + c
 * Drop-out on the attention weights has a rate of its own, and there is none between W1 and W2. */
#include "unroll/bert.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "models/bert.h"
#include "models/kinds.h"
#include "models/parts.h"
#include "tape/tape.h"

typedef ur_bert bert;

/* ---- settings -------------------------------------------------------------------------------- */

#define AT(member) .offset = offsetof(ur_bert_config, member)
#define SIZE_ROW(key, option, member, largest, small, standard)                                    \
    .name = key, .flag = option, .metavar = "N", .group = "model", .type = UR_FIELD_SIZE,          \
    AT(member), .least = 1, .most = (largest), .initial = (small), .absent = (standard)
#define RATE_ROW(key, option, member)                                                              \
    .name = key, .flag = option, .metavar = "P", .group = "model", .type = UR_FIELD_FLOAT,         \
    AT(member), .most = UR_DROPOUT_MOST, .initial = "0.1", .absent = "0.1"

const char *const ur_bert_act_words[] = {"none", "relu", "gelu", "gelu_new|gelu_pytorch_tanh",
                                         NULL};
static const char *const position_words[] = {"absolute", NULL};
const char *const ur_bert_kind_words[] = {"bert", NULL};
static const char *const init_words[] = {"normal", "pytorch", NULL};
static const char *const token_words[] = {"pieces", "words", NULL};
static const char *const sentence_words[] = {"marks", "stops", NULL};
static const char *const accent_words[] = {"auto", "no", "yes", NULL};
static const char *const special_words[] = {"square", "angle", NULL};

/* `initial` is a new training's, `absent` what transformers' BertConfig means by a key that is not there. */
/* clang-format off */
const ur_field ur_bert_fields[] = {
    {.name = "model_type", .flag = "", .type = UR_FIELD_ENUM, AT(kind), .words = ur_bert_kind_words,
     .absent = "bert", .help = "The kind of model, for transformers."},
    {.name = "vocab_size", .flag = "", .type = UR_FIELD_SIZE, AT(vocabulary),
     .most = UR_MOST_VOCABULARY, .absent = "30522", .of_data = true,
     .help = "Tokens; filled in from the data."},
    {SIZE_ROW("hidden_size", "hidden", hidden_size, UR_MOST_UNITS, "128", "768"),
     .help = "Features of every layer."},
    {SIZE_ROW("num_hidden_layers", "layers", layers, UR_MOST_TRANSFORMER_LAYERS, "2", "12"),
     .help = "Layers of self-attention and feed-forward."},
    {SIZE_ROW("num_attention_heads", "heads", heads, UR_MOST_UNITS, "2", "12"),
     .help = "Attention heads; they divide --hidden."},
    {SIZE_ROW("intermediate_size", "ffn", feed_forward_size, UR_MOST_UNITS, "512", "3072"),
     .help = "Units between the two linear layers of a layer."},
    {SIZE_ROW("max_position_embeddings", "positions", positions, 1 << 20, "128", "512"),
     .help = "Pieces of the longest input that the model can read."},
    {SIZE_ROW("type_vocab_size", "", segments, 1 << 16, "2", "2"), .help = "Segments of an input."},
    {.name = "hidden_act", .flag = "activation", .metavar = "relu|gelu|gelu_new", .group = "model",
     .type = UR_FIELD_ENUM, AT(activation), .words = ur_bert_act_words, .initial = "gelu", .absent = "gelu",
     .help = "What stands between these, and in the head for masked words."},
    {RATE_ROW("hidden_dropout_prob", "dropout", dropout),
     .help = "Part of the embeddings and of what each layer adds that is dropped."},
    {RATE_ROW("attention_probs_dropout_prob", "attention-dropout", attention_dropout),
     .help = "Part of the attention weights that is dropped."},
    {.name = "layer_norm_eps", .metavar = "X", .group = "model", .type = UR_FIELD_FLOAT,
     AT(layer_norm_eps), .most = 1, .open = UR_OPEN_LEAST, .initial = "1e-12", .absent = "1e-12",
     .help = "What norms add to the variance."},
    {.name = "initializer_range", .metavar = "X", .group = "model", .type = UR_FIELD_REAL, AT(deviation),
     .most = 100, .initial = "0.02", .absent = "0.02", .belongs = "init=normal",
     .help = "Standard deviation of the weights that a training starts with."},
    {.name = "init", .metavar = "normal|pytorch", .group = "model", .type = UR_FIELD_ENUM, AT(init),
     .words = init_words, .absent = "normal",
     .help = "Where weights start: matrices normally distributed and biases zero, as BERT has them, or as "
             "PyTorch's modules do."},
    {.name = "embedding_norm", .flag = "no-embedding-norm", .group = "model", .type = UR_FIELD_BOOL,
     AT(embedding_norm), .initial = "true", .absent = "true", .shown = "",
     .help = "No norm and no drop-out after the embeddings."},
    {.name = "tie_word_embeddings", .flag = "no-tie", .group = "model", .type = UR_FIELD_BOOL,
     AT(tie_output), .initial = "true", .absent = "true", .shown = "",
     .help = "The output for masked words has weights of its own in place of the embeddings."},
    {.name = "pretraining", .flag = "", .type = UR_FIELD_BOOL, AT(pretraining), .initial = "true",
     .absent = "false", .of_data = true,
     .help = "With the heads of pretraining, under the names that they have in transformers."},
    {.name = "position_embedding_type", .flag = "", .type = UR_FIELD_ENUM, AT(position_kind),
     .words = position_words, .absent = "absolute", .help = "How steps are told apart."},
    {.name = "is_decoder", .flag = "", .type = UR_FIELD_BOOL, AT(decoder), .absent = "false",
     .help = "Never: it is an encoder."},
    {.name = "add_cross_attention", .flag = "", .type = UR_FIELD_BOOL, AT(cross_attention),
     .absent = "false", .help = "Never: it is an encoder."},
    {.name = "text.tokens", .metavar = "pieces|words", .group = "data", .type = UR_FIELD_ENUM,
     AT(text.tokens), .words = token_words, .absent = "pieces",
     .help = "What the vocabulary that is learned has: pieces of words (WordPiece), or whole words alone, all "
             "others being unknown."},
    {.name = "text.vocab", .metavar = "FILE", .group = "data", .type = UR_FIELD_TEXT, AT(text.file),
     .absent = "", .least = 1, .of_data = true, .shown = "",
     .help = "A vocabulary (vocab.txt, a token a line) in place of learning one."},
    {.name = "text.max_size", .metavar = "N", .group = "data", .type = UR_FIELD_SIZE,
     AT(text.max_size), .most = UR_MOST_VOCABULARY, .initial = "8000", .absent = "8000",
     .help = "Tokens of the vocabulary, special ones included, at most. 0: no limit."},
    {.name = "text.min_freq", .metavar = "N", .group = "data", .type = UR_FIELD_SIZE,
     AT(text.min_freq), .most = 1 << 30, .initial = "2", .absent = "2",
     .help = "Words, and pieces that two make together, which come up less often are not in it."},
    {.name = "text.lower", .flag = "no-lower", .group = "data", .type = UR_FIELD_BOOL, AT(text.lower),
     .initial = "true", .absent = "true", .shown = "", .help = "Letters as they are, not in lower case."},
    {.name = "text.strip_accents", .metavar = "auto|no|yes", .group = "data", .type = UR_FIELD_ENUM,
     AT(text.strip_accents), .words = accent_words, .absent = "auto",
     .help = "Whether accents go; auto: where letters become lower case."},
    {.name = "text.special_tokens", .metavar = "square|angle", .group = "data", .type = UR_FIELD_ENUM,
     AT(text.specials), .words = special_words, .absent = "square",
     .help = "How they are written: [CLS] [SEP] [PAD] [MASK] [UNK], or <cls> <sep> <pad> <mask> <unk>."},
    {.name = "text.sentences", .metavar = "marks|stops", .group = "data", .type = UR_FIELD_ENUM,
     AT(text.sentences), .words = sentence_words, .absent = "marks",
     .help = "Where sentences end: behind . ! or ? before white space, or at a full stop between two "
             "spaces, which is left away."},
    {.name = "text.max_length", .metavar = "N", .group = "data", .type = UR_FIELD_SIZE,
     AT(text.max_length), .most = 1 << 20, .absent = "0", .of_data = true, .shown = "--positions",
     .help = "Pieces of two sentences with their special tokens; longer pairs are left out."},
    {.name = "text.masked", .metavar = "P", .group = "data", .type = UR_FIELD_REAL, AT(text.masked),
     .most = 1, .open = UR_OPEN_LEAST, .initial = "0.15", .absent = "0.15",
     .help = "Part of the pieces that the model has to tell."},
    {.name = NULL},
};
/* clang-format on */

ur_status ur_bert_check(const void *config, ur_err *err)
{
    const ur_bert_config *c = config;
    if (c->heads == 0 || c->hidden_size % c->heads)
        return ur_fail(err, UR_INVALID, "bert: %zu heads do not divide hidden_size %zu", c->heads,
                       c->hidden_size);
    if (c->activation == UR_ACT_NONE)
        return ur_fail(err, UR_INVALID, "bert: hidden_act is none: relu, gelu or gelu_new");
    if (c->position_kind != 0)
        return ur_fail(err, UR_INVALID, "bert: unknown position_embedding_type %d",
                       c->position_kind);
    if (c->decoder || c->cross_attention)
        return ur_fail(err, UR_UNSUPPORTED, "bert: %s is true: decoders are not read, encoders are",
                       c->decoder ? "is_decoder" : "add_cross_attention");
    if (c->text.max_length > c->positions)
        return ur_fail(err, UR_INVALID, "bert: inputs of %zu pieces, but %zu positions",
                       c->text.max_length, c->positions);
    if (c->pretraining && c->no_pooler)
        return ur_fail(err, UR_INVALID, "bert: pretraining needs a pooler");
    return UR_OK;
}

/* ---- parameters ------------------------------------------------------------------------------ */

static const ur_transformer_names names = {.layers = "layer",
                                           .query = "attention.self.query",
                                           .key = "attention.self.key",
                                           .value = "attention.self.value",
                                           .out = "attention.output.dense",
                                           .linear1 = "intermediate.dense",
                                           .linear2 = "output.dense",
                                           .norm1 = "attention.output.LayerNorm",
                                           .norm2 = "output.LayerNorm"};

/* A name of BertModel's: inside models with heads it stands behind "bert.". */
enum { NAME = 96 };
static const char *in_model(const ur_bert_config *c, char name[NAME], const char *own)
{
    snprintf(name, NAME, "%s%s", c->inside || c->pretraining ? "bert." : "", own);
    return name;
}

/* Tied, its bias is called cls.predictions.bias; an output of its own has its own. */
static void add_words_head(bert *m, ur_params *p)
{
    static const char decoder[] = "cls.predictions.decoder";
    const ur_bert_config *c = m->config;
    const int bias = c->tie_output
                         ? ur_params_add(p, "cls.predictions.bias", 1, &c->vocabulary, UR_TRAINABLE)
                         : -1;
    m->transform =
        ur_linear_add(p, "cls.predictions.transform.dense", c->hidden_size, c->hidden_size, true);
    m->transform_norm = ur_layer_norm_add(p, "cls.predictions.transform.LayerNorm", c->hidden_size,
                                          c->layer_norm_eps, true, true);
    if (!c->tie_output) {
        m->decoder = ur_linear_add(p, decoder, c->hidden_size, c->vocabulary, true);
        return;
    }
    m->decoder = ur_linear_add_tied(p, decoder, &m->words, false);
    m->decoder.bias = bias;
    ur_params_alias(p, "cls.predictions.decoder.bias", bias);
}

static void add_embeddings(bert *m, ur_params *p)
{
    const ur_bert_config *c = m->config;
    const size_t size = c->hidden_size;
    char name[NAME];
    m->words =
        ur_embedding_add(p, in_model(c, name, "embeddings.word_embeddings"), c->vocabulary, size);
    m->positions = ur_positions_add(p, in_model(c, name, "embeddings.position_embeddings"),
                                    c->positions, size);
    m->segments = ur_embedding_add(p, in_model(c, name, "embeddings.token_type_embeddings"),
                                   c->segments, size);
    if (c->embedding_norm)
        m->norm = ur_layer_norm_add(p, in_model(c, name, "embeddings.LayerNorm"), size,
                                    c->layer_norm_eps, true, true);
}

ur_status ur_bert_build(ur_model *model, ur_err *err)
{
    bert *m = (bert *)model;
    const ur_bert_config *c = m->config = model->config;
    ur_params *p = model->params;
    char name[NAME];
    const ur_transformer_config layer = {.d_model = c->hidden_size,
                                         .nhead = c->heads,
                                         .dim_feedforward = c->feed_forward_size,
                                         .activation = c->activation,
                                         .layer_norm_eps = c->layer_norm_eps,
                                         .dropout = c->dropout,
                                         .own_rates = true,
                                         .attention_dropout = c->attention_dropout,
                                         .names = &names};
    const ur_status vocabulary = ur_check_vocabulary(model->kind, c->vocabulary, 1, err);
    if (vocabulary != UR_OK)
        return vocabulary;
    add_embeddings(m, p);
    const ur_status status = ur_transformer_encoder_add(p, in_model(c, name, "encoder"), &layer,
                                                        c->layers, false, &m->encoder, err);
    if (status == UR_OK && !c->no_pooler)
        m->pooler = ur_linear_add(p, in_model(c, name, "pooler.dense"), c->hidden_size,
                                  c->hidden_size, true);
    if (status == UR_OK && (c->masked_words || c->pretraining))
        add_words_head(m, p);
    if (status == UR_OK && c->pretraining)
        m->next = ur_linear_add(p, "cls.seq_relationship", c->hidden_size, 2, true);
    return status;
}

static void init_norms(const bert *m, ur_params *p)
{
    const ur_bert_config *c = m->config;
    if (c->embedding_norm)
        ur_layer_norm_init(&m->norm, p);
    if (c->masked_words || c->pretraining)
        ur_layer_norm_init(&m->transform_norm, p);
    for (size_t i = 0; i < m->encoder.num_layers; i++) {
        ur_layer_norm_init(&m->encoder.layer[i].norm1, p);
        ur_layer_norm_init(&m->encoder.layer[i].norm2, p);
    }
}

/* As torch.nn.Embedding, torch.nn.Linear and torch.randn (positions) start. */
static void init_pytorch(const bert *m, ur_params *p, uint64_t seed)
{
    const ur_transformer_encoder *e = &m->encoder;
    ur_embedding_init(&m->words, p, seed);
    ur_embedding_init(&m->segments, p, seed);
    ur_positions_init(&m->positions, p, 1.0f, seed);
    for (size_t i = 0; i < e->num_layers; i++) {
        const ur_multi_head_layer *a = &e->layer[i].self_attn;
        const float bound = 1.0f / sqrtf((float)m->config->hidden_size);
        for (size_t k = 0; k < 3; k++) {
            ur_init_uniform(p, a->weight[k], bound, seed);
            ur_init_uniform(p, a->bias[k], bound, seed);
        }
        ur_linear_init(&a->out_proj, p, seed);
        ur_linear_init(&e->layer[i].linear1, p, seed);
        ur_linear_init(&e->layer[i].linear2, p, seed);
    }
    const ur_linear_layer *const tops[] = {&m->pooler, &m->transform, &m->next};
    for (size_t i = 0; i < 3; i++)
        if (tops[i]->out_features)
            ur_linear_init(tops[i], p, seed);
    if (m->decoder.out_features && !m->config->tie_output)
        ur_linear_init(&m->decoder, p, seed);
}

/* Matrices N(0, deviation^2), those whose names begin so. */
static void init_normal(const bert *m, ur_params *p, const char *prefix, uint64_t seed)
{
    for (size_t i = 0; i < ur_params_count(p); i++) {
        const ur_param *entry = ur_params_entry(p, i);
        if (entry->ndim < 2 || entry->alias_of >= 0 ||
            strncmp(entry->name, prefix, strlen(prefix)) != 0)
            continue;
        ur_init_normal(p, (int)i, seed);
        float *w = ur_param_values(p, (int)i);
        for (size_t k = 0; k < entry->count; k++)
            w[k] *= (float)m->config->deviation;
    }
}

void ur_bert_init(ur_model *model, uint64_t seed)
{
    UR_FPMODE_HERE;
    const bert *m = (const bert *)model;
    if (m->config->init == UR_BERT_PYTORCH)
        init_pytorch(m, model->params, seed);
    else
        init_normal(m, model->params, "", seed);
    init_norms(m, model->params);
}

void ur_bert_init_part(ur_model *model, const char *prefix, uint64_t seed)
{
    UR_FPMODE_HERE;
    init_normal((const bert *)model, model->params, prefix, seed);
}

ur_bert_config ur_bert_defaults(void)
{
    ur_bert_config c = {.vocabulary = 0};
    for (const ur_field *f = ur_bert_fields; f->name; f++)
        if (f->absent && *f->absent)
            ur_field_set(f, &c, f->absent, NULL);
    return c;
}

ur_status ur_bert_new(ur_context *context, const ur_bert_config *config, ur_model **out,
                      ur_err *err)
{
    return ur_model_new(context, &ur_kind_bert, config, out, err);
}

ur_status ur_bert_outline(ur_context *context, const ur_bert_config *config, ur_model **out,
                          ur_err *err)
{
    return ur_model_outline(context, &ur_kind_bert, config, out, err);
}

/* Kinds that begin with a BERT are built by it, or say so. */
static bool is_bert(const ur_model *model)
{
    return model->kind == &ur_kind_bert || model->kind->begins_with == &ur_kind_bert;
}

static bool takes(ur_tape *tape, const ur_model *model)
{
    return is_bert(model) ? ur_tape_ok(tape) : ur_tape_takes(tape, model, &ur_kind_bert);
}

const ur_bert_config *ur_bert_config_of(const ur_model *model)
{
    return is_bert(model) ? model->config : NULL;
}

/* ---- forward --------------------------------------------------------------------------------- */

/* Segments that are all 0. */
static const ur_seq *first_segment(ur_tape *t, const ur_seq *ids)
{
    int32_t *zero = ids ? ur_take(t, ids->layout->rows, sizeof *zero) : NULL;
    if (!zero)
        return NULL;
    memset(zero, 0, ids->layout->rows * sizeof *zero);
    return ur_seq_ints(t, ids->layout, zero);
}

static ur_seq *added(ur_tape *t, const ur_seq *x, const ur_seq *y)
{
    return x && y ? ur_seq_new(t, ur_add(t, x->values, y->values), x->layout) : NULL;
}

ur_seq *ur_bert_encode(ur_tape *tape, const ur_model *model, const ur_seq *ids,
                       const ur_seq *segments, const ur_transformer_call *call)
{
    if (!takes(tape, model))
        return NULL;
    const bert *m = (const bert *)model;
    const ur_seq *x = ur_embedding_at(tape, &m->words, 1.0f, &m->positions, 0, ids);
    segments = segments ? segments : first_segment(tape, ids);
    ur_seq *s = segments ? ur_embedding(tape, &m->segments, segments) : NULL;
    if (!m->config->embedding_norm)
        return ur_transformer_encode(tape, &m->encoder, added(tape, x, s), call);
    ur_seq *sum = ur_residual(tape, &m->norm, x, s, 0.0f).norm;
    return ur_transformer_encode(tape, &m->encoder, ur_dropout(tape, sum, m->config->dropout),
                                 call);
}

ur_tensor *ur_bert_pool(ur_tape *tape, const ur_model *model, const ur_seq *encoded)
{
    if (!takes(tape, model))
        return NULL;
    const bert *m = (const bert *)model;
    if (m->config->no_pooler)
        return ur_tape_fail(tape, UR_INVALID, "bert_pool: this model has no pooler");
    return ur_tanh(tape, ur_linear(tape, &m->pooler, ur_step_of(tape, encoded, 0)));
}

static ur_tensor *activated(ur_tape *t, ur_activation act, ur_tensor *x)
{
    return act == UR_ACT_RELU   ? ur_relu(t, x)
           : act == UR_ACT_GELU ? ur_gelu(t, x)
                                : ur_gelu_tanh(t, x);
}

ur_tensor *ur_bert_words(ur_tape *tape, const ur_model *model, ur_tensor *rows)
{
    if (!takes(tape, model))
        return NULL;
    const bert *m = (const bert *)model;
    const ur_bert_config *c = m->config;
    if (!c->masked_words && !c->pretraining)
        return ur_tape_fail(tape, UR_INVALID,
                            "bert_words: this model has no head for masked words");
    ur_tensor *x = activated(tape, c->activation, ur_linear(tape, &m->transform, rows));
    x = ur_layer_norm(tape, x, ur_parameter(tape, m->transform_norm.weight),
                      ur_parameter(tape, m->transform_norm.bias), c->layer_norm_eps);
    return ur_linear(tape, &m->decoder, x);
}

ur_tensor *ur_bert_next(ur_tape *tape, const ur_model *model, ur_tensor *pooled)
{
    if (!takes(tape, model))
        return NULL;
    const bert *m = (const bert *)model;
    if (!m->config->pretraining)
        return ur_tape_fail(tape, UR_INVALID,
                            "bert_next: this model has no head for the next sentence");
    return ur_linear(tape, &m->next, pooled);
}
