/* seq2seq.c - an encoder-decoder over characters: its configuration and parameters, forward, loss
 * and measure, its data and its answers to texts. How it writes is in seq2seq_decode.c.
 *
 *   encoder:  x = embed(question),  y, h, c = rnn(x)
 *   decoder:  x = embed(`_` answer) [peeky: [h; x]],  d = rnn(x) from (h, 0) or (h, c)
 *             logits = fc([context; d]),  context = softmax(d y^T) y         attention dot
 *             logits = fc(d)                                                 none
 *             logits = fc([h; d])                                            peeky
 * rnn is a stack of any cell; h is the top layer's last, of both directions where there are two.
 * The context enters the output layer only (Luong et al. 2015, without input feeding).
 *
 * Everything is as wide as the encoder's outputs, W: the decoder starts from the encoder's states,
 * and attention multiplies the decoder's outputs with the encoder's. */
#include "models/seq2seq.h"

#include <string.h>

#include "backend/cell.h"
#include "base/alloc.h"
#include "base/status.h"
#include "data/builtin.h"
#include "data/split.h"
#include "models/kinds.h"
#include "models/parts.h"
#include "models/predict.h"

/* ---- configuration ------------------------------------------------------------------------ */

static const ur_seq2seq_network *const networks[] = {&ur_seq2seq_rnn, &ur_seq2seq_transformer};

const char *ur_seq2seq_network_name(size_t i)
{
    return i < sizeof networks / sizeof(ur_seq2seq_network *) ? networks[i]->name : NULL;
}

static const char *const attention_words[] = {"none", "dot", NULL};
static const char *const start_words[] = {"h", "hc", NULL};
static const char *const init_words[] = {"pytorch", "lecun", NULL};
static const char *const form_words[] = {"fixed", "ragged", NULL};
static const char *const order_words[] = {"no", "yes", "with-start", NULL};

#define AT(member) .offset = offsetof(ur_seq2seq_config, member)
#define NOISE(key, option, member, says)                                                           \
    {                                                                                              \
        .name = (key), .flag = (option), .metavar = "P", .group = "model", .type = UR_FIELD_FLOAT, \
        AT(member), .most = UR_DROPOUT_MOST, .initial = "0", .absent = "0", .help = (says)         \
    }

/* clang-format off */
static const ur_field fields[] = {
    UR_VOCABULARY_ROW(ur_seq2seq_config),
    {.name = "network", .flag = "model", .group = "model", .type = UR_FIELD_ENUM, AT(network),
     .word = ur_seq2seq_network_name, .initial = "rnn", .absent = "rnn",
     .help = "What reads and writes: recurrent layers (rnn), or a Transformer."},
    {.name = "embed_size", .flag = "embed", .metavar = "N", .group = "model", .type = UR_FIELD_SIZE,
     AT(embed_size), .least = 1, .most = UR_MOST_UNITS, .initial = "16",
     .help = "Numbers that stand for a character."},
    UR_HIDDEN_ROW(ur_seq2seq_config, "64", "Units of each of the encoder's layers."),
    UR_CELL_ROW(ur_seq2seq_config, "What encoder and decoder are made of.", "lstm"),
    UR_LAYERS_ROW(ur_seq2seq_config, "Layers of the encoder.", "1"),
    {.name = "decoder_layers", .metavar = "N", .group = "model", .type = UR_FIELD_SIZE,
     AT(decoder_layers), .least = 1, .most = UR_MOST_LAYERS, .initial = "1", .absent = "1",
     .help = "1: the decoder starts from the encoder's top layer; as many as the encoder: each "
             "layer starts from its own."},
    {.name = "bidirectional", .metavar = "[=concat|average]", .group = "model",
     .type = UR_FIELD_ENUM, AT(directions), .words = ur_direction_words, .absent = "no",
     .bare = "average", .shown = "",
     .help = "The encoder reads from both ends. The decoder gets the mean of the two directions "
             "(average, also without a value) or both side by side, and is then twice as wide."},
    {.name = "proj_size", .flag = "proj", .metavar = "P", .group = "model", .type = UR_FIELD_SIZE,
     AT(proj_size), .most = UR_MOST_UNITS - 1, .absent = "0", .shown = "none",
     .help = "The encoder's LSTM layers put out P numbers in place of their units, and the "
             "decoder is as wide as that."},
    {.name = "attention", .metavar = "dot|none", .group = "model", .type = UR_FIELD_ENUM,
     AT(attention), .words = attention_words, .initial = "dot",
     .help = "Whether the decoder looks at every step of the encoder."},
    {.name = "peeky", .flag = "", .type = UR_FIELD_BOOL, AT(peeky),
     .help = "Every decoder step sees the encoder's last state; without attention alone."},
    {.name = "decoder_start", .metavar = "h|hc", .group = "model", .type = UR_FIELD_ENUM,
     AT(decoder_start), .words = start_words, .initial = "h",
     .help = "The decoder starts from the encoder's last h (and c = 0), or from h and c."},
    UR_DROPOUT_ROW(ur_seq2seq_config,
                   "Part of the embeddings, of the decoder's output and of what goes from layer to "
                   "layer that is dropped."),
    NOISE("recurrent_dropout", NULL, recurrent_dropout,
          "Part of what the recurrent products take that is dropped, the same units at all steps "
          "of a sequence."),
    NOISE("zoneout_h", "zoneout", zoneout_h,
          "Part of the units whose h stays as it was, drawn anew at every step. Not with --proj."),
    NOISE("zoneout_c", NULL, zoneout_c, "The same for c, for LSTM cells."),
    {.name = "bias", .flag = "no-bias", .group = "model", .type = UR_FIELD_BOOL, AT(bias),
     .initial = "true", .absent = "true", .shown = "",
     .help = "Cells of encoder and decoder without biases."},
    {.name = "init", .metavar = "pytorch|lecun", .group = "model", .type = UR_FIELD_ENUM, AT(init),
     .words = init_words, .initial = "pytorch", .absent = "pytorch",
     .help = "Where weights start: as PyTorch's modules do, or matrices N(0, 1/columns), biases "
             "0 and embeddings N(0, 0.01^2)."},
    UR_HEADS_ROW(ur_seq2seq_config, 0, "4", "network=transformer", " 0: 4."),
    UR_FEED_FORWARD_ROW(ur_seq2seq_config, "0", "network=transformer"),
    UR_ACTIVATION_ROW(ur_seq2seq_config, "relu", "relu", "network=transformer"),
    UR_NORM_FIRST_ROW(ur_seq2seq_config, "false", "network=transformer"),
    UR_TIE_ROW(ur_seq2seq_config, "none", "network=transformer"),
    UR_SMOOTHING_ROW(ur_seq2seq_config, "0"),
    {.name = "text.form", .flag = "", .type = UR_FIELD_ENUM, AT(format.form), .words = form_words, .of_data = true,
     .help = "Whether all questions have one width and all answers another, or an end symbol."},
    {.name = "text.strip", .group = "data", .type = UR_FIELD_BOOL, AT(format.strip), .shown = "",
     .help = "Drop the spaces around questions and answers, and let lengths differ."},
    {.name = "text.lower", .group = "data", .type = UR_FIELD_BOOL, AT(format.lower),
     .absent = "false", .shown = "", .help = "Questions and answers in lower case."},
    UR_UNICODE_ROW(ur_seq2seq_config, format.unicode),
    {.name = "text.reverse_input", .group = "data", .type = UR_FIELD_BOOL, AT(format.reverse_input),
     .shown = "", .help = "The encoder reads questions from their end."},
    {.name = "text.reverse_answer", .metavar = "[=with-start]", .group = "data",
     .type = UR_FIELD_ENUM, AT(format.answer_order), .words = order_words, .bare = "yes",
     .shown = "",
     .help = "The decoder writes answers from their end. With =with-start the start symbol is "
             "turned around, too, which gives away an answer's last character: for comparisons "
             "alone, such a model cannot predict."},
    {.name = "text.question_width", .flag = "", .type = UR_FIELD_SIZE, AT(format.question_width),
     .most = UR_PAIR_LONGEST, .of_data = true, .help = "Columns of a question; 0: they differ."},
    {.name = "text.answer_steps", .flag = "", .type = UR_FIELD_SIZE, AT(format.answer_steps),
     .most = 2 * UR_PAIR_LONGEST, .of_data = true, .help = "Symbols of an answer, at most."},
    {.name = "text.start", .flag = "", .type = UR_FIELD_ID, AT(format.start), .most = 1 << 30, .of_data = true,
     .help = "Id of the start symbol."},
    {.name = "text.end", .flag = "", .type = UR_FIELD_ID, AT(format.end), .least = -1,
     .most = 1 << 30, .initial = "-1", .of_data = true, .help = "Id of the end symbol; -1: none."},
    UR_COLUMN_ROW(ur_seq2seq_config, "source_column", reading.input_column,
                  "The column of a CSV or TSV file that has the questions: its name in the first "
                  "line, or (where there are no names) its number."),
    UR_COLUMN_ROW(ur_seq2seq_config, "target_column", reading.target_column,
                  "The column that has the answers."),
    UR_READING_ROWS(ur_seq2seq_config, reading,
                    "the first N characters alone of longer questions and answers",
                    UR_PAIR_LONGEST),
    {.name = NULL},
};
/* clang-format on */

/* --peeky leaves no room for attention. */
static const ur_setting peeky[] = {{"peeky", "true"}, {"attention", "none"}, {NULL, NULL}};
static const ur_shorthand shorthands[] = {
    {"peeky", "model", "Every decoder step sees the encoder's last state; means --attention none.",
     peeky},
    {NULL, NULL, NULL, NULL}};

/* Chosen by measurement: docs/defaults.md. */
static const ur_setting training[] = {{"lr", "4e-3"}, {NULL, NULL}};

static const ur_setting of_notes[] = {{"embed_size", "16"}, {"hidden_size", "128"},
                                      {"attention", "dot"}, {"text.reverse_input", "true"},
                                      {"batch", "256"},     {"epochs", "30"},
                                      {"lr", "2e-4"},       {"clip", "0"},
                                      {NULL, NULL}};
static const ur_setting of_book[] = {{"embed_size", "16"}, {"hidden_size", "256"},
                                     {"attention", "dot"}, {"text.reverse_input", "true"},
                                     {"batch", "128"},     {"epochs", "10"},
                                     {"lr", "1e-3"},       {"clip", "5"},
                                     {NULL, NULL}};
static const ur_setting transformer[] = {{"network", "transformer"},
                                         {"text.strip", "true"},
                                         {"hidden_size", "64"},
                                         {"heads", "4"},
                                         {"layers", "2"},
                                         {"feed_forward_size", "128"},
                                         {"batch", "64"},
                                         {"lr", "1e-3"},
                                         {"clip", "1"},
                                         {"schedule", "cosine"},
                                         {"warmup_steps", "200"},
                                         {"epochs", "5"},
                                         {NULL, NULL}};
static const ur_preset presets[] = {
    {"notes", "The teaching notes' date translator: 128 units, Adam 2e-4, batches of 256.",
     of_notes},
    {"book", "That of Deep Learning from Scratch 2: 256 units, Adam 1e-3, batches of 128, clip 5.",
     of_book},
    {"transformer", "A small Transformer: 2 + 2 layers of 64 units, spaces stripped, 5 epochs.",
     transformer},
    {NULL, NULL, NULL}};

ur_seq2seq_config ur_seq2seq_defaults(void)
{
    ur_seq2seq_config c;
    ur_kind_defaults(&ur_kind_seq2seq, &c);
    return c;
}

static ur_rnn_config encoder_of(const ur_seq2seq_config *c)
{
    return (ur_rnn_config){.cell = c->cell,
                           .input_size = c->embed_size,
                           .hidden_size = c->hidden_size,
                           .proj_size = c->proj_size,
                           .num_layers = c->layers,
                           .bidirectional = c->directions != UR_ONE_WAY,
                           .average = c->directions == UR_BOTH_AVERAGE,
                           .no_bias = !c->bias,
                           .dropout = c->layers > 1 ? c->dropout : 0.0f,
                           .recurrent_dropout = c->recurrent_dropout,
                           .zoneout_h = c->zoneout_h,
                           .zoneout_c = c->zoneout_c};
}

/* W: the features of the encoder's outputs. */
static size_t width_of(const ur_seq2seq_config *c)
{
    const size_t width = c->proj_size ? c->proj_size : c->hidden_size;
    return c->directions == UR_BOTH_CONCAT ? 2 * width : width;
}

static ur_rnn_config decoder_of(const ur_seq2seq_config *c)
{
    const size_t width = width_of(c);
    return (ur_rnn_config){.cell = c->cell,
                           .input_size = c->peeky ? width + c->embed_size : c->embed_size,
                           .hidden_size = width,
                           .num_layers = c->decoder_layers,
                           .no_bias = !c->bias,
                           .dropout = c->decoder_layers > 1 ? c->dropout : 0.0f,
                           .recurrent_dropout = c->recurrent_dropout,
                           .zoneout_h = c->zoneout_h,
                           .zoneout_c = c->zoneout_c};
}

/* Whether the decoder can start from the encoder's h and c. */
static ur_status check_start(const ur_seq2seq_config *c, const ur_cell *cell, ur_err *err)
{
    if (!cell->has_c)
        return ur_fail(err, UR_INVALID,
                       "seq2seq: the decoder cannot start from h and c: %s has no c", cell->name);
    if (c->proj_size)
        return ur_fail(err, UR_INVALID,
                       "seq2seq: the decoder cannot start from h and c: the projection makes h "
                       "narrower than the encoder's c, and the decoder is as wide as h");
    if (c->directions == UR_BOTH_AVERAGE)
        return ur_fail(err, UR_INVALID,
                       "seq2seq: the decoder cannot start from h and c: averaging two directions "
                       "drops c");
    return UR_OK;
}

static ur_status check_rnn(const ur_seq2seq_config *c, ur_err *err)
{
    const ur_cell *cell = ur_configured_cell(c->cell);
    if (c->decoder_layers != 1 && c->decoder_layers != c->layers)
        return ur_fail(err, UR_INVALID,
                       "seq2seq: a decoder of %zu layers for an encoder of %zu: it has one layer, "
                       "which starts from the encoder's top, or as many as the encoder",
                       c->decoder_layers, c->layers);
    if (c->proj_size >= c->hidden_size)
        return ur_fail(err, UR_INVALID,
                       "seq2seq: a projection to %zu features must be below hidden size %zu",
                       c->proj_size, c->hidden_size);
    if (c->proj_size && !cell->projects)
        return ur_fail(err, UR_INVALID, "seq2seq: only an lstm has a projection, not %s",
                       cell->name);
    if (c->peeky && c->attention != UR_ATTENTION_NONE)
        return ur_fail(err, UR_INVALID,
                       "seq2seq: peeky goes without attention only: both would feed the encoder to "
                       "the output layer");
    const ur_rnn_config encoder = encoder_of(c);
    const ur_status status = ur_rnn_check(&encoder, err);
    return status == UR_OK && c->decoder_start == UR_START_HC ? check_start(c, cell, err) : status;
}

static ur_pair_transformer_config transformer_of(const ur_seq2seq_config *c)
{
    return (ur_pair_transformer_config){.source_symbols = c->vocabulary,
                                        .target_symbols = c->vocabulary,
                                        .layers = c->layers,
                                        .layer = {.d_model = c->hidden_size,
                                                  .nhead = c->heads ? c->heads : 4,
                                                  .dim_feedforward = c->feed_forward_size
                                                                         ? c->feed_forward_size
                                                                         : 4 * c->hidden_size,
                                                  .dropout = c->dropout,
                                                  .activation = c->activation,
                                                  .norm_first = c->norm_first},
                                        .tie = c->tie};
}

static ur_status check_transformer(const ur_seq2seq_config *c, ur_err *err)
{
    const ur_pair_transformer_config config = transformer_of(c);
    if (c->activation == UR_ACT_NONE)
        return ur_fail(err, UR_INVALID, "seq2seq: a Transformer's activation cannot be none");
    return ur_pair_transformer_check(&config, err);
}

static ur_status check(const void *config, ur_err *err)
{
    const ur_seq2seq_config *c = config;
    return networks[c->network]->check(c, err);
}

ur_status ur_seq2seq_check(const ur_seq2seq_config *config, ur_err *err)
{
    return ur_kind_check(&ur_kind_seq2seq, config, err);
}

/* ---- parameters --------------------------------------------------------------------------- */

static ur_status build_transformer(ur_seq2seq *m, ur_err *err)
{
    const ur_pair_transformer_config config = transformer_of(m->config);
    return ur_pair_transformer_build(ur_params_context(m->base.params), m->base.params, &config,
                                     &m->transformer, err);
}

static void free_model(ur_model *model)
{
    ur_pair_transformer_free(&((ur_seq2seq *)model)->transformer);
}

static ur_status build(ur_model *model, ur_err *err)
{
    ur_seq2seq *m = (ur_seq2seq *)model;
    ur_seq2seq_config *c = model->config;
    const ur_status status = ur_check_vocabulary(model->kind, c->vocabulary, 1, err);
    if (status != UR_OK)
        return status;
    m->config = c;
    m->network = networks[c->network];
    c->cell = ur_configured_cell(c->cell)->name; /* lasts longer than the caller's */
    return m->network->build(m, err);
}

static ur_status build_rnn(ur_seq2seq *m, ur_err *err)
{
    const ur_seq2seq_config *c = m->config;
    ur_params *p = m->base.params;
    char name[64];
    ur_status status;
    const size_t width = width_of(c);
    const bool wide = c->peeky || c->attention != UR_ATTENTION_NONE;
    const ur_rnn_config encoder = encoder_of(c), decoder = decoder_of(c);
    m->encoder.embed = ur_embedding_add(p, "encoder.embed", c->vocabulary, c->embed_size);
    ur_rnn_prefix("encoder", c->cell, name);
    status = ur_rnn_add(p, name, &encoder, &m->encoder.rnn, err);
    if (status != UR_OK)
        return status;
    m->decoder.embed = ur_embedding_add(p, "decoder.embed", c->vocabulary, c->embed_size);
    ur_rnn_prefix("decoder", c->cell, name);
    status = ur_rnn_add(p, name, &decoder, &m->decoder.rnn, err);
    if (status != UR_OK)
        return status;
    m->decoder.fc = ur_linear_add(p, "decoder.fc", wide ? 2 * width : width, c->vocabulary, true);
    return UR_OK;
}

ur_status ur_seq2seq_new(ur_context *context, const ur_seq2seq_config *config, ur_model **out,
                         ur_err *err)
{
    return ur_model_new(context, &ur_kind_seq2seq, config, out, err);
}

static void small_embedding(ur_params *params, const ur_embedding_layer *layer)
{
    float *x = ur_param_values(params, layer->weight);
    for (size_t i = 0; i < layer->count * layer->size; i++)
        x[i] *= 0.01f;
}

static void init_rnn(const ur_seq2seq *m, uint64_t seed)
{
    ur_params *p = m->base.params;
    ur_embedding_init(&m->encoder.embed, p, seed);
    ur_rnn_init(&m->encoder.rnn, p, seed);
    ur_embedding_init(&m->decoder.embed, p, seed);
    ur_rnn_init(&m->decoder.rnn, p, seed);
    ur_linear_init(&m->decoder.fc, p, seed);
    if (m->config->init == UR_INIT_LECUN) {
        for (size_t i = 0; i < ur_params_count(p); i++)
            if ((int)i != m->encoder.embed.weight && (int)i != m->decoder.embed.weight)
                ur_init_lecun(p, (int)i, seed);
        small_embedding(p, &m->encoder.embed);
        small_embedding(p, &m->decoder.embed);
    }
}

static void init_transformer(const ur_seq2seq *m, uint64_t seed)
{
    ur_pair_transformer_init(&m->transformer, m->base.params, seed);
}

static void init(ur_model *model, uint64_t seed)
{
    const ur_seq2seq *m = ur_as_seq2seq(model);
    m->network->init(m, seed);
}

void ur_seq2seq_init(ur_model *model, uint64_t seed)
{
    if (model->kind == &ur_kind_seq2seq)
        ur_model_init(model, seed);
}

const ur_seq2seq_config *ur_seq2seq_config_of(const ur_model *model)
{
    return model->kind == &ur_kind_seq2seq ? model->config : NULL;
}

/* ---- forward ------------------------------------------------------------------------------ */

/* Whether drop-out stands between embedding and recurrent layers. */
static bool drops(const ur_tape *t, const ur_seq2seq *m)
{
    return m->config->dropout > 0.0f && ur_tape_mode(t) == UR_TRAIN;
}

static ur_encoded encode_rnn(ur_tape *t, const ur_seq2seq *m, const ur_seq *questions)
{
    const ur_embedding_layer *embed = &m->encoder.embed;
    const ur_rnn_stack *rnn = &m->encoder.rnn;
    const ur_state zero = {0};
    const ur_rnn_out out =
        drops(t, m)
            ? ur_rnn(t, rnn, ur_dropout(t, ur_embedding(t, embed, questions), m->config->dropout),
                     zero)
            : ur_rnn_embedded(t, rnn, embed, questions, zero);
    return (ur_encoded){
        out.y, ur_join_directions(t, m->config->directions, out.h_n, m->config->layers - 1), out};
}

ur_state ur_seq2seq_start(ur_tape *t, const ur_seq2seq *m, const ur_encoded *encoded)
{
    const size_t depth = m->config->decoder_layers, top = m->config->layers - 1;
    const bool both = m->config->decoder_start == UR_START_HC;
    ur_tensor *h[UR_MOST_LAYERS], *c[UR_MOST_LAYERS];
    for (size_t i = 0; i < depth; i++) {
        const size_t layer = depth == 1 ? top : i;
        h[i] = layer == top ? encoded->h
                            : ur_join_directions(t, m->config->directions, encoded->all.h_n, layer);
        c[i] = both ? ur_join_directions(t, m->config->directions, encoded->all.c_n, layer) : NULL;
    }
    return (ur_state){ur_stack(t, depth, h), both ? ur_stack(t, depth, c) : NULL};
}

ur_decoded ur_seq2seq_decode(ur_tape *t, const ur_seq2seq *m, const ur_encoded *encoded,
                             const ur_seq *inputs, const ur_state *state, const ur_layout *queries,
                             ur_weights **weights)
{
    const float p = m->config->dropout;
    const ur_embedding_layer *embed = &m->decoder.embed;
    const ur_rnn_stack *rnn = &m->decoder.rnn;
    const ur_layout *steps = inputs ? inputs->layout : NULL;
    const ur_layout *by_source = queries ? queries : steps;
    ur_seq *peek = m->config->peeky ? ur_repeat(t, encoded->h, by_source) : NULL;
    const ur_state start = state ? *state : ur_seq2seq_start(t, m, encoded);
    ur_rnn_out out;
    if (m->config->peeky || drops(t, m)) {
        ur_seq *x = ur_dropout(t, ur_embedding(t, embed, inputs), p);
        out = ur_rnn(t, rnn, m->config->peeky ? ur_concat_seq(t, ur_seq_as(t, peek, steps), x) : x,
                     start);
    } else {
        out = ur_rnn_embedded(t, rnn, embed, inputs, start);
    }
    ur_seq *y = ur_seq_as(t, out.y, by_source);
    ur_seq *d = ur_dropout(t, y, p);
    if (m->config->peeky)
        d = ur_concat_seq(t, peek, d);
    else if (m->config->attention == UR_ATTENTION_DOT)
        d = ur_concat_seq(t, ur_attention_dot(t, y, encoded->y, encoded->y, weights), d);
    return (ur_decoded){ur_linear_seq(t, &m->decoder.fc, d), {out.h_n, out.c_n}};
}

static ur_seq *logits_rnn(ur_tape *t, const ur_seq2seq *m, const ur_encoded *encoded,
                          const ur_seq *inputs)
{
    return ur_seq2seq_decode(t, m, encoded, inputs, NULL, NULL, NULL).logits;
}

static ur_encoded encode_transformer(ur_tape *t, const ur_seq2seq *m, const ur_seq *questions)
{
    return (ur_encoded){.y = ur_pair_transformer_encode(t, &m->transformer, questions)};
}

static ur_seq *logits_transformer(ur_tape *t, const ur_seq2seq *m, const ur_encoded *encoded,
                                  const ur_seq *inputs)
{
    return ur_pair_transformer_logits(t, &m->transformer, encoded->y, inputs);
}

static void *start_transformer(ur_tape *t, const ur_seq2seq *m, const ur_encoded *encoded,
                               const ur_decoder_task *task)
{
    return ur_pair_transformer_start(t, &m->transformer, encoded->y, task);
}

const ur_seq2seq_network ur_seq2seq_rnn = {.name = "rnn",
                                           .order = UR_STEP_MAJOR,
                                           .check = check_rnn,
                                           .build = build_rnn,
                                           .init = init_rnn,
                                           .encode = encode_rnn,
                                           .logits = logits_rnn,
                                           .start = ur_seq2seq_rnn_start,
                                           .step = ur_seq2seq_rnn_step,
                                           .reorder = ur_seq2seq_rnn_reorder,
                                           .attention = ur_seq2seq_rnn_attention};

const ur_seq2seq_network ur_seq2seq_transformer = {.name = "transformer",
                                                   .order = UR_SEQUENCE_MAJOR,
                                                   .check = check_transformer,
                                                   .build = build_transformer,
                                                   .init = init_transformer,
                                                   .encode = encode_transformer,
                                                   .logits = logits_transformer,
                                                   .start = start_transformer,
                                                   .step = ur_pair_transformer_step,
                                                   .reorder = ur_pair_transformer_reorder,
                                                   .attention = ur_pair_transformer_attention,
                                                   .release = ur_pair_transformer_release};

/* ---- batches ------------------------------------------------------------------------------ */

static size_t *lengths_of(ur_tape *t, size_t count, const ur_ids *items)
{
    size_t *length = ur_take(t, count, sizeof *length);
    for (size_t i = 0; length && i < count; i++)
        length[i] = items[i].length;
    return length;
}

static size_t total(size_t count, const size_t *length)
{
    size_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += length[i];
    return sum;
}

ur_seq *ur_seq2seq_questions(ur_tape *t, const ur_seq2seq *m, size_t count, const ur_ids *questions,
                             const uint64_t *id)
{
    const size_t *length = lengths_of(t, count, questions);
    int32_t *ids = length ? ur_take(t, total(count, length), sizeof *ids) : NULL;
    if (!ids)
        return NULL;
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        ur_pair_input(&m->config->format, questions[i], ids + at);
        at += length[i];
    }
    return ur_seq_ints(t, ur_new_layout(t, m->network->order, count, length, id), ids);
}

/* A shard of pairs as the model reads and writes them. */
typedef struct shard {
    ur_seq *questions, *answers_in, *answers_out;
} shard;

static shard load_shard(ur_tape *t, const ur_seq2seq *m, const ur_pairs *pairs, size_t count,
                        const size_t *which)
{
    shard s = {0};
    const ur_pair_format *format = &m->config->format;
    ur_ids *items = ur_take(t, count, sizeof *items);
    uint64_t *id = ur_take(t, count, sizeof *id);
    size_t *steps = ur_take(t, count, sizeof *steps);
    if (!items || !id || !steps)
        return s;
    for (size_t i = 0; i < count; i++) {
        items[i] = ur_pairs_question(pairs, which[i]);
        id[i] = which[i];
    }
    s.questions = ur_seq2seq_questions(t, m, count, items, id);
    for (size_t i = 0; i < count; i++) {
        items[i] = ur_pairs_answer(pairs, which[i]);
        steps[i] = ur_pair_steps(format, items[i].length);
    }
    int32_t *in = ur_take(t, total(count, steps), sizeof *in);
    int32_t *out = ur_take(t, total(count, steps), sizeof *out);
    if (!in || !out)
        return s;
    for (size_t i = 0, at = 0; i < count; at += steps[i++])
        ur_pair_target(format, items[i], in + at, out + at);
    const ur_layout *layout = ur_new_layout(t, m->network->order, count, steps, id);
    s.answers_in = ur_seq_ints(t, layout, in);
    s.answers_out = ur_seq_ints(t, layout, out);
    return s;
}

static ur_seq *teacher_forced(ur_tape *t, const ur_seq2seq *m, const shard *s, ur_encoded *encoded)
{
    *encoded = m->network->encode(t, m, s->questions);
    return m->network->logits(t, m, encoded, s->answers_in);
}

static ur_tensor *loss(ur_tape *t, const ur_model *model, const void *data, size_t count,
                       const size_t *which, double normaliser)
{
    const ur_seq2seq *m = ur_as_seq2seq(model);
    const shard s = load_shard(t, m, data, count, which);
    ur_encoded encoded;
    ur_seq *logits = teacher_forced(t, m, &s, &encoded);
    return ur_cross_entropy_smoothed(t, logits, s.answers_out, normaliser,
                                     m->config->label_smoothing);
}

ur_seq2seq_logits ur_seq2seq_forward(ur_tape *t, const ur_model *model, const ur_pairs *pairs,
                                     size_t count, const size_t *which)
{
    if (!ur_tape_takes(t, model, &ur_kind_seq2seq))
        return (ur_seq2seq_logits){NULL, NULL};
    const ur_seq2seq *m = ur_as_seq2seq(model);
    if (!ur_examples_exist(t, count, which, ur_pairs_count(pairs)))
        return (ur_seq2seq_logits){NULL, NULL};
    const shard s = load_shard(t, m, pairs, count, which);
    ur_encoded encoded;
    ur_seq *logits = teacher_forced(t, m, &s, &encoded);
    return (ur_seq2seq_logits){logits, logits ? s.answers_out : NULL};
}

static size_t examples(const ur_model *model, const void *data)
{
    (void)model;
    return ur_pairs_count(data);
}

static size_t length(const ur_model *model, const void *data, size_t i)
{
    (void)model;
    return ur_pairs_question(data, i).length;
}

static size_t positions(const ur_model *model, const void *data, size_t i)
{
    return ur_pair_steps(&ur_as_seq2seq(model)->config->format, ur_pairs_answer(data, i).length);
}

/* ---- evaluation --------------------------------------------------------------------------- */

enum { ACCURACY, FORCED_ACCURACY };

static const ur_figure figures[] = {{.name = "accuracy",
                                     .title = "accuracy",
                                     .help = "whole answers, free-running",
                                     .average = UR_PER_EXAMPLE,
                                     .higher_is_better = true,
                                     .percent = true,
                                     .headline = true},
                                    {.name = "forced_accuracy",
                                     .title = "teacher-forced",
                                     .help = "symbols, each after the right ones",
                                     .average = UR_PER_POSITION,
                                     .higher_is_better = true,
                                     .percent = true},
                                    {.name = NULL}};

/* Loss, and how many symbols are right when all earlier ones are given. */
static void measure_forced(ur_tape *t, const ur_seq *logits, const ur_seq *targets, ur_measure *sum)
{
    const size_t classes = logits->values->dim[1];
    const ur_layout *l = targets->layout;
    const float *x = ur_read(t, logits->values);
    const int32_t *target = ur_ints(targets->values);
    for (size_t b = 0; x && b < l->batch; b++) {
        for (size_t s = 0; s < l->length[b]; s++) {
            const size_t r = ur_row(l, b, s);
            const float *row = x + r * classes;
            if (target[r] == UR_UNKNOWN) {
                sum->unknown++;
                continue;
            }
            sum->loss += (double)ur_host_cross_entropy(t->context, classes, row, target[r], NULL);
            sum->sum[FORCED_ACCURACY] +=
                ur_host_argmax(t->context, classes, row) == (size_t)target[r];
        }
        sum->positions += l->length[b];
    }
}

/* Whether what was written is what should have been, the end symbol included. */
static bool answer_right(const ur_seq2seq *m, const ur_hypothesis *h, size_t b,
                         const ur_seq *targets)
{
    const ur_layout *l = targets->layout;
    const int32_t *target = ur_ints(targets->values);
    const bool ragged = m->config->format.end >= 0;
    const size_t symbols = ragged ? l->length[b] - 1 : l->length[b];
    if (h->count != symbols || (ragged && !h->complete))
        return false;
    for (size_t s = 0; s < symbols; s++)
        if (h->ids[s] != target[ur_row(l, b, s)])
            return false;
    return true;
}

static void measure(ur_tape *t, const ur_model *model, const void *data, size_t count,
                    const size_t *which, ur_measure *sum)
{
    const ur_seq2seq *m = ur_as_seq2seq(model);
    const shard s = load_shard(t, m, data, count, which);
    int32_t *first = ur_take(t, count, sizeof *first);
    ur_encoded encoded;
    ur_seq *logits = teacher_forced(t, m, &s, &encoded);
    if (!first || !logits || !s.answers_in || !s.answers_out)
        return;
    for (size_t b = 0; b < count; b++)
        first[b] = ur_ints(s.answers_in->values)[ur_row(s.answers_in->layout, b, 0)];
    const ur_written *written = ur_seq2seq_greedy(t, m, &encoded, count, first);
    if (!written)
        return;
    measure_forced(t, logits, s.answers_out, sum);
    for (size_t b = 0; b < count; b++)
        sum->sum[ACCURACY] += answer_right(m, written[b].best, b, s.answers_out);
    sum->examples += count;
}

/* ---- data --------------------------------------------------------------------------------- */

static ur_status open_pairs(const ur_assets *assets, const ur_pair_source *source, void **out,
                            ur_err *err)
{
    const ur_seq2seq_config *c = assets->config;
    ur_pair_source from = *source;
    ur_pairs *pairs;
    from.reading = &c->reading;
    const ur_status status = ur_pairs_open(ur_context_allocator(assets->context), &from, &c->format,
                                           assets->vocabulary, &pairs, err);
    *out = status == UR_OK ? pairs : NULL;
    return status;
}

/* The form of another model's pairs, in which answers may be longer than there. */
static void take_form(const ur_pair_format *like, const ur_pair_format *learned,
                      ur_pair_format *format)
{
    format->form = like->form;
    format->question_width = like->question_width;
    format->answer_steps = like->answer_steps;
    format->start = like->start;
    format->end = like->end;
    if (like->form == UR_PAIRS_RAGGED && learned->form == UR_PAIRS_RAGGED &&
        learned->answer_steps > like->answer_steps)
        format->answer_steps = learned->answer_steps;
}

/* The training data of a new run: vocabulary and format are learned from it, but for the orders. */
static ur_status learn(ur_assets *assets, ur_vocabulary **vocabulary, ur_pairs **pairs, ur_err *err)
{
    ur_seq2seq_config *c = assets->config;
    const ur_pair_format wanted = c->format;
    const ur_pair_source source = ur_assets_source(assets, UR_SPLIT_TRAIN, &c->reading);
    const ur_status status = ur_pairs_learn(ur_context_allocator(assets->context), &source, &wanted,
                                            pairs, vocabulary, &c->format, err);
    c->format.reverse_input = wanted.reverse_input;
    c->format.answer_order = wanted.answer_order;
    return status;
}

/* The same with another model's vocabulary and form, where it has all of the data's characters: there is no
 * <unk>. */
static ur_status learn_like(ur_assets *assets, ur_vocabulary *learned, ur_pairs *pairs, ur_err *err)
{
    ur_seq2seq_config *c = assets->config;
    const ur_seq2seq_config *like = assets->like;
    const ur_pair_format form = c->format;
    const ur_pair_source source = ur_assets_source(assets, UR_SPLIT_TRAIN, &c->reading);
    take_form(&like->format, &form, &c->format);
    const ur_status status = open_pairs(assets, &source, &assets->train, err);
    if (status != UR_OK || ur_pairs_unknown(assets->train) == 0) {
        ur_pairs_free(pairs);
        ur_vocabulary_free(learned);
        return status;
    }
    ur_pairs_free(assets->train);
    ur_vocabulary_free(assets->vocabulary);
    c->format = form;
    assets->train = pairs;
    assets->vocabulary = learned;
    return UR_OK;
}

/* The training data of a new run, and its model. */
static ur_status begin(ur_assets *assets, ur_err *err)
{
    ur_seq2seq_config *c = assets->config;
    ur_vocabulary *learned;
    ur_pairs *pairs;
    ur_status status = learn(assets, &learned, &pairs, err);
    if (status == UR_OK && assets->like) {
        status = learn_like(assets, learned, pairs, err);
    } else if (status == UR_OK) {
        assets->train = pairs;
        assets->vocabulary = learned;
    }
    if (status != UR_OK)
        return status;
    c->vocabulary = ur_vocabulary_size(assets->vocabulary);
    return ur_assets_make_model(assets, err);
}

static ur_status prepare(ur_assets *assets, ur_err *err)
{
    const ur_pair_source train = ur_assets_source(assets, UR_SPLIT_TRAIN, NULL);
    const ur_pair_source valid = ur_assets_source(assets, UR_SPLIT_VALID, NULL);
    const double part = assets->data->valid_split;
    ur_status status =
        assets->model ? open_pairs(assets, &train, &assets->train, err) : begin(assets, err);
    const bool generated = ur_is_builtin(valid.data);
    if (status != UR_OK)
        return status;
    if (assets->data->valid || (generated && part == 0.0))
        return open_pairs(assets, &valid, &assets->valid, err);
    if (generated)
        return ur_fail(err, UR_INVALID,
                       "the validation data that %s brings and a part of its training data for it "
                       "(valid_split) are two ways to say one thing",
                       assets->data->data);
    ur_pairs *apart = NULL;
    if (part > 0.0)
        status = ur_pairs_split(assets->train, part, assets->data->seed, &apart, err);
    assets->valid = apart;
    return status;
}

static ur_status fits(const ur_assets *assets, ur_err *err)
{
    const ur_seq2seq_config *c = assets->config;
    const ur_status status = ur_assets_check_vocabulary(assets, c->vocabulary, err);
    return status == UR_OK ? ur_pair_format_check(&c->format, assets->vocabulary, err) : status;
}

static void free_data(void *data)
{
    ur_pairs_free(data);
}

/* Over ids and lengths. */
static uint64_t fingerprint(const void *data)
{
    uint64_t hash = UR_FINGERPRINT;
    for (size_t i = 0; i < 2 * ur_pairs_count(data); i++) {
        const ur_ids side = i % 2 ? ur_pairs_answer(data, i / 2) : ur_pairs_question(data, i / 2);
        hash = ur_fingerprint_add(hash, side.length);
        for (size_t j = 0; j < side.length; j++)
            hash = ur_fingerprint_add(hash, (uint32_t)side.ids[j]);
    }
    return hash;
}

static size_t extent(const void *data)
{
    return ur_pairs_count(data);
}

static const char *remark(const void *data, size_t i)
{
    return ur_pairs_remark(data, i);
}

/* ---- answers to texts --------------------------------------------------------------------- */

static ur_status encode(const ur_assets *assets, const char *text, size_t bytes, int32_t *ids,
                        size_t *count, size_t *unknown, ur_err *err)
{
    const ur_seq2seq_config *c = assets->config;
    return ur_pair_encode(&c->format, assets->vocabulary, text, bytes, ids, count, unknown, err);
}

static const void *keep(const ur_prediction *out, size_t count, const float *x)
{
    float *kept = ur_prediction_take(out, count, sizeof *kept);
    return kept ? memcpy(kept, x, count * sizeof *kept) : NULL;
}

/* Answers but the first, which the prediction is itself. */
static bool fill_alternatives(const ur_assets *assets, const ur_answer *answer, ur_prediction *out)
{
    const size_t n = answer->alternative_count + 1;
    ur_alternative *list = ur_prediction_take(out, n, sizeof *list);
    if (!list)
        return false;
    list[0] = (ur_alternative){out->text, out->log_probability, out->score, out->complete};
    for (size_t i = 1; i < n; i++) {
        const ur_answer *x = &answer->alternatives[i - 1];
        list[i] = (ur_alternative){ur_prediction_join(out, assets->vocabulary, x->ids, x->count),
                                   x->log_probability, x->score, x->complete};
        if (!list[i].text)
            return false;
    }
    out->n_alternatives = n;
    out->alternatives = list;
    return true;
}

/* From the tape to memory of its own. */
static bool fill(const ur_assets *assets, ur_ids question, const ur_answer *answer,
                 ur_prediction *out)
{
    out->log_probability = answer->log_probability;
    out->score = answer->score;
    out->complete = answer->complete;
    out->count = answer->count;
    out->n_inputs = question.length;
    out->text = ur_prediction_join(out, assets->vocabulary, answer->ids, answer->count);
    out->tokens = ur_prediction_tokens(out, assets->vocabulary, answer->ids, answer->count);
    out->inputs = ur_prediction_tokens(out, assets->vocabulary, question.ids, question.length);
    out->probability = keep(out, answer->count, answer->probability);
    if (answer->attention)
        out->attention = keep(out, answer->count * question.length, answer->attention);
    return out->text && out->tokens && out->inputs && out->probability &&
           (out->attention || !answer->attention);
}

/* n-1, n-2 ... 0, or NULL for the order as it is; without memory the tape has failed. */
static const size_t *turned(ur_tape *t, bool around, size_t n)
{
    size_t *order = around ? ur_take(t, n, sizeof *order) : NULL;
    for (size_t i = 0; order && i < n; i++)
        order[i] = n - 1 - i;
    return order;
}

/* The attention of every layer and head, where the model is a Transformer and wrote anything. Of the
 * decoder over itself the columns stand in the order in which it read them. */
static bool fill_maps(ur_tape *t, const ur_assets *assets, ur_ids question, const ur_answer *answer,
                      ur_prediction *out)
{
    const ur_seq2seq *m = ur_as_seq2seq(assets->model);
    const ur_pair_format *format = &m->config->format;
    const size_t n = answer->count;
    const bool reversed = format->answer_order == UR_ANSWER_REVERSED;
    if (m->transformer.config.layers == 0 || n == 0)
        return true;
    int32_t *inputs = ur_take(t, n, sizeof *inputs);
    const ur_seq *x = ur_seq2seq_questions(t, m, 1, &question, NULL);
    if (!inputs)
        return false;
    inputs[0] = format->start;
    for (size_t i = 1; i < n; i++)
        inputs[i] = answer->ids[reversed ? n - i : i - 1];
    const ur_pair_sides sides = {
        {question.length, out->inputs, turned(t, format->reverse_input, question.length)},
        {n, out->tokens, turned(t, reversed, n)},
        {n, ur_prediction_tokens(out, assets->vocabulary, inputs, n), NULL}};
    return sides.read.labels && ur_tape_ok(t) &&
           ur_pair_transformer_maps(t, &m->transformer, x, (ur_ids){inputs, n}, &sides, out);
}

static bool answer_some(ur_tape *t, const ur_assets *assets, const ur_search_options *options,
                        size_t count, const size_t *which, const ur_ids *ids, const int32_t *first,
                        ur_prediction *out)
{
    ur_sources sources;
    if (!ur_predict_sources(t, count, which, ids, first, &sources))
        return true;
    const ur_answer *answers =
        ur_seq2seq_answers(t, ur_as_seq2seq(assets->model), &sources, options);
    for (size_t i = 0; answers && i < count; i++) {
        if (!fill(assets, sources.ids[i], &answers[i], &out[which[i]]))
            return false;
        if (options && options->n_best > 1 &&
            !fill_alternatives(assets, &answers[i], &out[which[i]]))
            return false;
        if (options && options->maps &&
            !fill_maps(t, assets, sources.ids[i], &answers[i], &out[which[i]]))
            return false;
    }
    return true;
}

static ur_predictor predictor(const ur_assets *assets)
{
    const ur_seq2seq_config *c = assets->config;
    return (ur_predictor){.encode = encode,
                          .least_room = c->format.question_width,
                          .unicode = c->format.unicode,
                          .reading = &c->reading,
                          .longest = UR_PAIR_LONGEST,
                          .run = answer_some};
}

static ur_status predict(const ur_assets *assets, size_t count, const char *const *texts,
                         const ur_search_options *options, ur_prediction *out, size_t *bad,
                         ur_err *err)
{
    const ur_predictor how = predictor(assets);
    return ur_predict(&how, assets, count, texts, options, out, bad, err);
}

/* What the decoder reads first. */
static int32_t first_input(const ur_pair_format *format, ur_ids answer)
{
    const bool given = format->answer_order == UR_ANSWER_WITH_START && answer.length;
    return given ? answer.ids[answer.length - 1] : format->start;
}

static ur_status sample(const ur_assets *assets, const void *data, size_t index, ur_prediction *out,
                        ur_err *err)
{
    const ur_seq2seq_config *c = assets->config;
    const ur_predictor how = predictor(assets);
    const ur_ids question = ur_pairs_question(data, index), answer = ur_pairs_answer(data, index);
    const int32_t first = first_input(&c->format, answer);
    ur_status status = ur_prediction_new(assets->context, "", out, err);
    if (status != UR_OK)
        return status;
    out->input = ur_prediction_join(out, assets->vocabulary, question.ids, question.length);
    out->target = ur_prediction_join(out, assets->vocabulary, answer.ids, answer.length);
    if (out->input && out->target)
        return ur_predict_ids(&how, assets, question, &first, out, err);
    ur_prediction_free(assets->context, out);
    return ur_no_memory(err, question.length + answer.length);
}

/* ---- the kind ----------------------------------------------------------------------------- */

static const char *const notes[] = {
    "A file whose lines all have the same two widths, some of them filled up with spaces, is taken "
    "as "
    "it is: these spaces are characters like any other. Of every other file the real lengths "
    "count.",
    "Blank lines are passed over, and what stands behind a second tab is not read. Characters that "
    "validation data has and training data has not are counted, read as nothing, and make an "
    "answer "
    "wrong.",
    NULL};

static const ur_layer_place layers[] = {
    {UR_LAYER_EMBEDDING, offsetof(ur_seq2seq, encoder.embed)},
    {UR_LAYER_RNN, offsetof(ur_seq2seq, encoder.rnn)},
    {UR_LAYER_EMBEDDING, offsetof(ur_seq2seq, decoder.embed)},
    {UR_LAYER_RNN, offsetof(ur_seq2seq, decoder.rnn)},
    {UR_LAYER_LINEAR, offsetof(ur_seq2seq, decoder.fc)},
};

const ur_kind ur_kind_seq2seq = {
    .name = "seq2seq",
    .verb = "seq2seq",
    .summary = "teach a model from pairs of question and answer",
    .description =
        "Trains an encoder-decoder over characters: it reads a question and writes an answer. The "
        "run's folder gets the model, its configuration, and a record of how the training went.",
    .example = "  $ unroll train seq2seq --data builtin:dates --out runs/dates\n"
               "  45,000 pairs to learn, 5,000 to validate; 59 different symbols, ...\n"
               "  epoch 1/5  loss 0.2660  validation 0.0019  accuracy  99.92 %  ...\n"
               "  ...\n"
               "  Q: 8/8/02\n"
               "  T: 2002-08-08\n"
               "  A: 2002-08-08\n"
               "  ...\n",
    .notes = notes,
    .data_help = "a file with a question and its answer on each line, a tab or _ between them, or "
                 "builtin:dates, builtin:additions",
    .valid_help = "Pairs to measure accuracy with after every epoch; built-in data brings its own.",
    .examples_name = "pairs",
    .symbols_name = "symbols",
    .measured_name = "symbols",
    .unit = "sequences",
    .shorthands = shorthands,
    .presets = presets,
    .defaults = training,
    .samples = 3,
    .fields = fields,
    .config_size = sizeof(ur_seq2seq_config),
    .check = check,
    .figures = figures,
    .model_size = sizeof(ur_seq2seq),
    .layers = layers,
    .n_layers = sizeof layers / sizeof *layers,
    .build = build,
    .free = free_model,
    .init = init,
    .loss = loss,
    .measure = measure,
    .decoder = ur_seq2seq_decoder,
    .examples = examples,
    .length = length,
    .positions = positions,
    .prepare = prepare,
    .fits = fits,
    .open = open_pairs,
    .free_data = free_data,
    .splits = true,
    .fingerprint = fingerprint,
    .extent = extent,
    .remark = remark,
    .predict = predict,
    .sample = sample,
};
