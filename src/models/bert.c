/* bert.c - BERT: settings as Hugging Face's config.json has them, parameters under its names, forward.
 *
 *   x_t = drop(norm(word[id_t] + position[t] + token_type[segment_t]))
 *   y   = layers of   x = norm(x + drop(attention(x))),   x = norm(x + drop(W2 act(W1 x)))
 *   pooled = tanh(W y_0 + b)
 *   logits of a masked word = norm(act(W y_t + b)) word^T + c
 * Drop-out on the attention weights has a rate of its own, and there is none between W1 and W2. */
#include "unroll/bert.h"

#include <string.h>

#include "base/status.h"
#include "base/utf8.h"
#include "io/fields.h"
#include "models/kinds.h"
#include "models/parts.h"
#include "tape/tape.h"

typedef struct bert {
    ur_model base;
    const ur_bert_config *config; /* base.config */
    ur_embedding_layer words, segments;
    ur_positions_layer positions;
    ur_layer_norm_layer norm;
    ur_transformer_encoder encoder;
    ur_linear_layer pooler;
    ur_linear_layer transform, decoder; /* of the head for masked words */
    ur_layer_norm_layer transform_norm;
} bert;

/* ---- settings -------------------------------------------------------------------------------- */

#define AT(member) .offset = offsetof(ur_bert_config, member)
#define SIZE_ROW(key, member, largest, standard)                                                   \
    {                                                                                              \
        .name = key, .flag = "", .type = UR_FIELD_SIZE, AT(member), .least = 1, .most = (largest), \
        .initial = (standard), .absent = (standard)                                                \
    }
#define RATE_ROW(key, member)                                                                      \
    {                                                                                              \
        .name = key, .flag = "", .type = UR_FIELD_FLOAT, AT(member), .most = UR_DROPOUT_MOST,      \
        .initial = "0.1", .absent = "0.1"                                                          \
    }

static const char *const act_words[] = {"none", "relu", "gelu", "gelu_new|gelu_pytorch_tanh", NULL};
static const char *const position_words[] = {"absolute", NULL};

/* clang-format off */
static const ur_field fields[] = {
    SIZE_ROW("vocab_size", vocabulary, UR_MOST_VOCABULARY, "30522"),
    SIZE_ROW("hidden_size", hidden_size, UR_MOST_UNITS, "768"),
    SIZE_ROW("num_hidden_layers", layers, UR_MOST_TRANSFORMER_LAYERS, "12"),
    SIZE_ROW("num_attention_heads", heads, UR_MOST_UNITS, "12"),
    SIZE_ROW("intermediate_size", feed_forward_size, UR_MOST_UNITS, "3072"),
    SIZE_ROW("max_position_embeddings", positions, 1 << 20, "512"),
    SIZE_ROW("type_vocab_size", segments, 1 << 16, "2"),
    {.name = "hidden_act", .flag = "", .type = UR_FIELD_ENUM, AT(activation), .words = act_words,
     .initial = "gelu", .absent = "gelu"},
    RATE_ROW("hidden_dropout_prob", dropout),
    RATE_ROW("attention_probs_dropout_prob", attention_dropout),
    {.name = "layer_norm_eps", .flag = "", .type = UR_FIELD_FLOAT, AT(layer_norm_eps), .most = 1,
     .open = UR_OPEN_LEAST, .initial = "1e-12", .absent = "1e-12"},
    {.name = "initializer_range", .flag = "", .type = UR_FIELD_REAL, AT(deviation), .most = 100,
     .initial = "0.02", .absent = "0.02"},
    {.name = "position_embedding_type", .flag = "", .type = UR_FIELD_ENUM, AT(position_kind),
     .words = position_words, .absent = "absolute"},
    {.name = "is_decoder", .flag = "", .type = UR_FIELD_BOOL, AT(decoder), .absent = "false"},
    {.name = "add_cross_attention", .flag = "", .type = UR_FIELD_BOOL, AT(cross_attention),
     .absent = "false"},
    {.name = NULL},
};
/* clang-format on */

/* Keys of config.json that change nothing of what is computed here: how the file came about, what other
 * programs do with the model, what heads are called, and a pooler of the first release. */
static const char *const without_effect[] = {
    "_attn_implementation_autoset",
    "_name_or_path",
    "architectures",
    "attn_implementation",
    "bos_token_id",
    "chunk_size_feed_forward",
    "classifier_dropout",
    "cls_token_id",
    "directionality",
    "dtype",
    "eos_token_id",
    "finetuning_task",
    "gradient_checkpointing",
    "id2label",
    "is_encoder_decoder",
    "label2id",
    "mask_token_id",
    "model_type",
    "num_labels",
    "output_attentions",
    "output_hidden_states",
    "output_past",
    "pad_token_id",
    "pooler_fc_size",
    "pooler_num_attention_heads",
    "pooler_num_fc_layers",
    "pooler_size_per_head",
    "pooler_type",
    "problem_type",
    "return_dict",
    "sep_token_id",
    "tie_word_embeddings",
    "torch_dtype",
    "torchscript",
    "transformers_version",
    "use_bfloat16",
    "use_cache",
};

static ur_status check(const void *config, ur_err *err)
{
    const ur_bert_config *c = config;
    if (c->heads == 0 || c->hidden_size % c->heads)
        return ur_fail(err, UR_INVALID, "bert: %zu heads do not divide hidden_size %zu", c->heads,
                       c->hidden_size);
    if (c->activation == UR_ACT_NONE)
        return ur_fail(err, UR_INVALID, "bert: hidden_act is none: relu, gelu or gelu_new");
    if (c->decoder || c->cross_attention)
        return ur_fail(err, UR_UNSUPPORTED, "bert: %s is true: decoders are not read, encoders are",
                       c->decoder ? "is_decoder" : "add_cross_attention");
    return UR_OK;
}

/* Refuses other kinds of models by their names. */
static ur_status check_type(const ur_json_value *root, ur_err *err)
{
    const ur_json_value type = ur_json_member(root, "model_type");
    const ur_json_value classes = ur_json_member(root, "architectures");
    const ur_json_value class = ur_json_item(&classes, 0);
    const char *name = NULL;
    char shown[UR_SHOWN];
    if (!ur_json_is_missing(&type)) {
        const ur_status status = ur_json_string(&type, &name, err);
        if (status != UR_OK || strcmp(name, "bert") == 0)
            return status;
    } else if (ur_json_string(&class, &name, NULL) != UR_OK || strncmp(name, "Bert", 4) == 0) {
        return UR_OK;
    }
    return ur_fail(err, UR_UNSUPPORTED,
                   "%s: a model of the kind %s; of its relatives BERT (bert) "
                   "alone is read",
                   root->file, ur_shown(shown, name));
}

ur_status ur_bert_config_load(const ur_allocator *a, const char *path, ur_bert_config *out,
                              ur_err *err)
{
    ur_json *document;
    ur_status status = ur_json_load(a, path, &document, err);
    if (status != UR_OK)
        return status;
    const ur_json_value root = ur_json_root(document);
    ur_bert_config c = {0};
    status = ur_json_object(&root, err);
    if (status == UR_OK)
        status = check_type(&root, err);
    if (status == UR_OK)
        status = ur_json_get_fields(a, &root, fields, &c, without_effect,
                                    sizeof without_effect / sizeof *without_effect, err);
    ur_err why;
    if (status == UR_OK && (status = check(&c, &why)) != UR_OK)
        status =
            ur_fail(err, status == UR_INVALID ? UR_BAD_FILE : status, "%s: %s", path, why.text);
    if (status == UR_OK)
        *out = c;
    ur_json_free(document);
    return status;
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

static void add_words_head(bert *m, ur_params *p)
{
    const ur_bert_config *c = m->config;
    m->transform =
        ur_linear_add(p, "cls.predictions.transform.dense", c->hidden_size, c->hidden_size, true);
    m->transform_norm = ur_layer_norm_add(p, "cls.predictions.transform.LayerNorm", c->hidden_size,
                                          c->layer_norm_eps, true, true);
    m->decoder = ur_linear_add_tied(p, "cls.predictions.decoder", &m->words, true);
    ur_params_alias(p, "cls.predictions.bias", m->decoder.bias);
}

static ur_status build(ur_model *model, ur_err *err)
{
    bert *m = (bert *)model;
    const ur_bert_config *c = m->config = model->config;
    ur_params *p = model->params;
    const ur_transformer_config layer = {.d_model = c->hidden_size,
                                         .nhead = c->heads,
                                         .dim_feedforward = c->feed_forward_size,
                                         .activation = c->activation,
                                         .layer_norm_eps = c->layer_norm_eps,
                                         .dropout = c->dropout,
                                         .own_rates = true,
                                         .attention_dropout = c->attention_dropout,
                                         .names = &names};
    m->words = ur_embedding_add(p, "embeddings.word_embeddings", c->vocabulary, c->hidden_size);
    m->positions =
        ur_positions_add(p, "embeddings.position_embeddings", c->positions, c->hidden_size);
    m->segments =
        ur_embedding_add(p, "embeddings.token_type_embeddings", c->segments, c->hidden_size);
    m->norm =
        ur_layer_norm_add(p, "embeddings.LayerNorm", c->hidden_size, c->layer_norm_eps, true, true);
    const ur_status status =
        ur_transformer_encoder_add(p, "encoder", &layer, c->layers, false, &m->encoder, err);
    if (status == UR_OK && !c->no_pooler)
        m->pooler = ur_linear_add(p, "pooler.dense", c->hidden_size, c->hidden_size, true);
    if (status == UR_OK && c->masked_words)
        add_words_head(m, p);
    return status;
}

/* Matrices N(0, deviation^2), biases zero, norms one and zero. */
static void init(ur_model *model, uint64_t seed)
{
    const bert *m = (const bert *)model;
    ur_params *p = model->params;
    for (size_t i = 0; i < ur_params_count(p); i++) {
        const ur_param *entry = ur_params_entry(p, i);
        if (entry->ndim < 2 || entry->alias_of >= 0)
            continue;
        ur_init_normal(p, (int)i, seed);
        float *w = ur_param_values(p, (int)i);
        for (size_t k = 0; k < entry->count; k++)
            w[k] *= (float)m->config->deviation;
    }
    ur_layer_norm_init(&m->norm, p);
    if (m->config->masked_words)
        ur_layer_norm_init(&m->transform_norm, p);
    for (size_t i = 0; i < m->encoder.num_layers; i++) {
        ur_layer_norm_init(&m->encoder.layer[i].norm1, p);
        ur_layer_norm_init(&m->encoder.layer[i].norm2, p);
    }
}

/* No kind that the tool trains: it has no data, and no loss of its own. */
static const ur_kind bert_kind = {.name = "bert",
                                  .fields = fields,
                                  .config_size = sizeof(ur_bert_config),
                                  .check = check,
                                  .model_size = sizeof(bert),
                                  .build = build,
                                  .init = init};

ur_bert_config ur_bert_defaults(void)
{
    ur_bert_config c;
    ur_kind_defaults(&bert_kind, &c);
    return c;
}

ur_status ur_bert_new(ur_context *context, const ur_bert_config *config, ur_model **out,
                      ur_err *err)
{
    return ur_model_new(context, &bert_kind, config, out, err);
}

ur_status ur_bert_outline(ur_context *context, const ur_bert_config *config, ur_model **out,
                          ur_err *err)
{
    return ur_model_outline(context, &bert_kind, config, out, err);
}

const ur_bert_config *ur_bert_config_of(const ur_model *model)
{
    return model->kind == &bert_kind ? model->config : NULL;
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

ur_seq *ur_bert_encode(ur_tape *tape, const ur_model *model, const ur_seq *ids,
                       const ur_seq *segments, const ur_transformer_call *call)
{
    if (!ur_tape_takes(tape, model, &bert_kind))
        return NULL;
    const bert *m = (const bert *)model;
    const ur_seq *x = ur_embedding_at(tape, &m->words, 1.0f, &m->positions, 0, ids);
    segments = segments ? segments : first_segment(tape, ids);
    ur_seq *s = segments ? ur_embedding(tape, &m->segments, segments) : NULL;
    ur_seq *sum = ur_residual(tape, &m->norm, x, s, 0.0f).norm;
    return ur_transformer_encode(tape, &m->encoder, ur_dropout(tape, sum, m->config->dropout),
                                 call);
}

ur_tensor *ur_bert_pool(ur_tape *tape, const ur_model *model, const ur_seq *encoded)
{
    if (!ur_tape_takes(tape, model, &bert_kind))
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
    if (!ur_tape_takes(tape, model, &bert_kind))
        return NULL;
    const bert *m = (const bert *)model;
    const ur_bert_config *c = m->config;
    if (!c->masked_words)
        return ur_tape_fail(tape, UR_INVALID,
                            "bert_words: this model has no head for masked words");
    ur_tensor *x = activated(tape, c->activation, ur_linear(tape, &m->transform, rows));
    x = ur_layer_norm(tape, x, ur_parameter(tape, m->transform_norm.weight),
                      ur_parameter(tape, m->transform_norm.bias), c->layer_norm_eps);
    return ur_linear(tape, &m->decoder, x);
}
