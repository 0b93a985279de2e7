/* tagger.c - a label for every token of a text, or one for all of it: configuration and
 * parameters, forward, loss, data. What it says to texts is in tagger_run.c.
 *
 *   y, h_n = rnn(embed(tokens))
 *   logits = fc(y)             tagger: (rows, labels)
 *   logits = fc(h)             classifier: (B, labels), h = [h_n forward; h_n backward] of the top
 * loss = sum over tokens, or texts, of -log softmax(logits)[label] / their number in the batch. */
#include "models/tagger.h"

#include <string.h>

#include "backend/cell.h"
#include "base/status.h"
#include "models/parts.h"

/* ---- configuration ------------------------------------------------------------------------ */

#define AT(member) .offset = offsetof(ur_tagger_config, member)

/* Rows that both kinds have; what the tokens of a text are stands behind them. */
#define MODEL_ROWS                                                                                 \
    UR_VOCABULARY_ROW(ur_tagger_config),                                                           \
        {.name = "labels",                                                                         \
         .flag = "",                                                                               \
         .type = UR_FIELD_SIZE,                                                                    \
         AT(labels),                                                                               \
         .most = UR_MOST_LABELS,                                                                   \
         .of_data = true,                                                                          \
         .help = "Labels; filled in from the data."},                                              \
        {.name = "embed_size",                                                                     \
         .flag = "embed",                                                                          \
         .metavar = "N",                                                                           \
         .group = "model",                                                                         \
         .type = UR_FIELD_SIZE,                                                                    \
         AT(embed_size),                                                                           \
         .least = 1,                                                                               \
         .most = UR_MOST_UNITS,                                                                    \
         .initial = "64",                                                                          \
         .help = "Numbers that stand for a token."},                                               \
        UR_CELL_ROW(ur_tagger_config, "What the layers are made of.", NULL),                       \
        UR_HIDDEN_ROW(ur_tagger_config, "64", "Units of each layer and direction."),               \
        UR_LAYERS_ROW(ur_tagger_config, "Layers.", NULL),                                          \
        {.name = "bidirectional",                                                                  \
         .alias = "directions",                                                                    \
         .metavar = "[=concat|average|no]",                                                        \
         .group = "model",                                                                         \
         .type = UR_FIELD_ENUM,                                                                    \
         AT(directions),                                                                           \
         .words = ur_direction_words,                                                              \
         .initial = "concat",                                                                      \
         .bare = "concat",                                                                         \
         .help = "Read from both ends, the two directions side by side or their mean; or from "    \
                 "the start alone."},                                                              \
        UR_DROPOUT_ROW(ur_tagger_config, "Part of the embeddings, of what goes from layer to "     \
                                         "layer and of what the output reads that is dropped.")

/* clang-format off */
static const ur_field tagger_fields[] = {
    MODEL_ROWS,
    UR_TOKEN_ROWS(ur_tagger_config, text, "word", "", ""),
    UR_FREQUENCY_ROWS(ur_tagger_config, min_freq, max_size, "2"),
    UR_COLUMN_ROW(ur_tagger_config, "token_column", reading.input_column,
                  "The column that has the tokens: its name in the first line, or its"
                  " number. 1 (of CoNLL-U FORM) where it is not given."),
    UR_COLUMN_ROW(ur_tagger_config, "label_column", reading.target_column,
                  "The column that has the labels. The last one (of CoNLL-U UPOS) "
                  "where it is not given."),
    UR_READING_ROWS(ur_tagger_config, reading, "the first N tokens alone of longer texts",
                    UR_LABELLED_LONGEST),
    {.name = NULL},
};
/* clang-format on */

/* clang-format off */
static const ur_field classifier_fields[] = {
    MODEL_ROWS,
    UR_TOKEN_ROWS(ur_tagger_config, text, "word-punct", NULL, NULL),
    UR_FREQUENCY_ROWS(ur_tagger_config, min_freq, max_size, "2"),
    UR_COLUMN_ROW(ur_tagger_config, "text_column", reading.input_column,
                  "The column of a CSV or TSV file that has the texts: its name in "
                  "the first line, or (where there are no names) its number."),
    UR_COLUMN_ROW(ur_tagger_config, "label_column", reading.target_column,
                  "The column that has the labels."),
    UR_READING_ROWS(ur_tagger_config, reading, "the first N tokens alone of longer texts",
                    UR_LABELLED_LONGEST),
    {.name = NULL},
};
/* clang-format on */

ur_tagger_config ur_tagger_defaults(void)
{
    ur_tagger_config c;
    ur_kind_defaults(&ur_kind_tagger, &c);
    return c;
}

ur_tagger_config ur_classifier_defaults(void)
{
    ur_tagger_config c;
    ur_kind_defaults(&ur_kind_classifier, &c);
    return c;
}

ur_status ur_tagger_check(const ur_tagger_config *config, ur_err *err)
{
    return ur_kind_check(&ur_kind_tagger, config, err);
}

ur_status ur_classifier_check(const ur_tagger_config *config, ur_err *err)
{
    return ur_kind_check(&ur_kind_classifier, config, err);
}

/* ---- parameters --------------------------------------------------------------------------- */

static ur_status build(ur_model *model, ur_err *err)
{
    ur_tagger *m = (ur_tagger *)model;
    ur_tagger_config *c = model->config;
    ur_params *p = model->params;
    char name[64];
    ur_status status = ur_check_vocabulary(model->kind, c->vocabulary, 1, err);
    if (status == UR_OK && c->labels < 1)
        status = ur_fail(err, UR_INVALID, "%s: number of labels %zu, 1 to %d expected",
                         model->kind->name, c->labels, UR_MOST_LABELS);
    if (status != UR_OK)
        return status;
    m->config = c;
    c->cell = ur_configured_cell(c->cell)->name; /* lasts longer than the caller's */
    const ur_rnn_config rnn = {.cell = c->cell,
                               .input_size = c->embed_size,
                               .hidden_size = c->hidden_size,
                               .num_layers = c->layers,
                               .bidirectional = c->directions != UR_ONE_WAY,
                               .average = c->directions == UR_BOTH_AVERAGE,
                               .dropout = c->layers > 1 ? c->dropout : 0.0f};
    m->embed = ur_embedding_add(p, "embed", c->vocabulary, c->embed_size);
    ur_rnn_prefix(NULL, c->cell, name);
    status = ur_rnn_add(p, name, &rnn, &m->rnn, err);
    if (status == UR_OK)
        m->fc = ur_linear_add(p, "fc", ur_rnn_width(&m->rnn), c->labels, true);
    return status;
}

ur_status ur_tagger_new(ur_context *context, const ur_tagger_config *config, ur_model **out,
                        ur_err *err)
{
    return ur_model_new(context, &ur_kind_tagger, config, out, err);
}

ur_status ur_classifier_new(ur_context *context, const ur_tagger_config *config, ur_model **out,
                            ur_err *err)
{
    return ur_model_new(context, &ur_kind_classifier, config, out, err);
}

static void init(ur_model *model, uint64_t seed)
{
    const ur_tagger *m = ur_as_tagger(model);
    ur_embedding_init(&m->embed, model->params, seed);
    ur_rnn_init(&m->rnn, model->params, seed);
    ur_linear_init(&m->fc, model->params, seed);
}

void ur_tagger_init(ur_model *model, uint64_t seed)
{
    if (ur_is_tagger(model))
        ur_model_init(model, seed);
}

const ur_tagger_config *ur_tagger_config_of(const ur_model *model)
{
    return ur_is_tagger(model) ? model->config : NULL;
}

/* ---- forward ------------------------------------------------------------------------------ */

static bool drops(const ur_tape *t, const ur_tagger *m)
{
    return m->config->dropout > 0.0f && ur_tape_mode(t) == UR_TRAIN;
}

/* (B, features) as a batch of sequences of one step each, named as those of `like`. */
ur_seq *ur_one_step_each(ur_tape *t, ur_tensor *x, const ur_layout *like)
{
    size_t *one = x ? ur_take(t, like->batch, sizeof *one) : NULL;
    if (!one)
        return NULL;
    for (size_t b = 0; b < like->batch; b++)
        one[b] = 1;
    return ur_seq_new(t, x, ur_new_layout(t, UR_STEP_MAJOR, like->batch, one, like->id));
}

ur_seq *ur_tagger_forward(ur_tape *t, const ur_model *model, const ur_seq *tokens)
{
    if (!ur_is_tagger(model) && !ur_tape_takes(t, model, &ur_kind_tagger))
        return NULL;
    const ur_tagger *m = ur_as_tagger(model);
    const ur_tagger_config *c = m->config;
    const ur_state zero = {0};
    const ur_rnn_out out =
        drops(t, m) ? ur_rnn(t, &m->rnn,
                             ur_dropout(t, ur_embedding(t, &m->embed, tokens), c->dropout), zero)
                    : ur_rnn_embedded(t, &m->rnn, &m->embed, tokens, zero);
    if (!ur_tape_ok(t) || !tokens)
        return NULL;
    ur_seq *x = out.y;
    if (ur_per_sequence(model))
        x = ur_one_step_each(t, ur_join_directions(t, c->directions, out.h_n, c->layers - 1),
                             tokens->layout);
    return ur_linear_seq(t, &m->fc, ur_dropout(t, x, c->dropout));
}

/* ---- loss --------------------------------------------------------------------------------- */

static ur_tensor *loss(ur_tape *t, const ur_model *model, const void *data, size_t count,
                       const size_t *which, double normaliser)
{
    ur_ids *items = ur_take(t, count, sizeof *items);
    size_t *steps = ur_take(t, count, sizeof *steps);
    uint64_t *id = ur_take(t, count, sizeof *id);
    if (!items || !steps || !id)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        items[i] = ur_labelled_labels(data, which[i]);
        id[i] = which[i];
    }
    const int32_t *labels = ur_join_ids(t, count, items, steps);
    for (size_t i = 0; i < count; i++)
        items[i] = ur_labelled_tokens(data, which[i]);
    const int32_t *tokens = ur_join_ids(t, count, items, steps);
    if (!labels || !tokens)
        return NULL;
    const ur_layout *layout = ur_new_layout(t, UR_STEP_MAJOR, count, steps, id);
    const ur_seq *logits = ur_tagger_forward(t, model, ur_seq_ints(t, layout, tokens));
    return logits ? ur_cross_entropy(t, logits, ur_seq_ints(t, logits->layout, labels), normaliser)
                  : NULL;
}

/* ---- its data ----------------------------------------------------------------------------- */

static ur_labelled_kind form_of(const ur_assets *assets)
{
    return assets->kind == &ur_kind_classifier ? UR_CLASSIFIED : UR_TAGGED;
}

static ur_status open_file(const ur_assets *assets, const char *path, void **out, ur_err *err)
{
    const ur_tagger_config *c = assets->config;
    ur_labelled *data;
    const ur_status status =
        ur_labelled_open(ur_context_allocator(assets->context), path, form_of(assets), &c->text,
                         &c->reading, assets->vocabulary, assets->labels, &data, err);
    *out = status == UR_OK ? data : NULL;
    return status;
}

static ur_status open_source(const ur_assets *assets, const ur_pair_source *source, void **out,
                             ur_err *err)
{
    return open_file(assets, source->data, out, err);
}

/* The training data of a new run, from which both vocabularies are learned. */
static ur_status learn(const ur_assets *assets, ur_labelled **data, ur_vocabulary **tokens,
                       ur_vocabulary **labels, ur_err *err)
{
    const ur_tagger_config *c = assets->config;
    const ur_vocabulary_options choice = {.min_freq = c->min_freq, .max_size = c->max_size};
    return ur_labelled_learn(ur_context_allocator(assets->context), assets->data->data,
                             form_of(assets), &c->text, &c->reading, &choice, data, tokens, labels,
                             err);
}

/* The same with another model's tokens, and with its labels where the data has no others; else with the
 * data's. */
static ur_status learn_like(ur_assets *assets, ur_err *err)
{
    ur_labelled *data;
    ur_vocabulary *tokens, *labels;
    ur_status status = open_file(assets, assets->data->data, &assets->train, err);
    if (status != UR_OK || ur_labelled_unknown_labels(assets->train) == 0)
        return status;
    status = learn(assets, &data, &tokens, &labels, err);
    if (status != UR_OK)
        return status;
    ur_labelled_free(data);
    ur_vocabulary_free(tokens);
    ur_vocabulary_free(assets->labels);
    assets->labels = labels;
    ur_labelled_free(assets->train);
    assets->train = NULL;
    return open_file(assets, assets->data->data, &assets->train, err);
}

/* The training data of a new run, and its model. */
static ur_status begin(ur_assets *assets, ur_err *err)
{
    ur_tagger_config *c = assets->config;
    ur_labelled *data = NULL;
    ur_status status = UR_OK;
    if (assets->like) {
        status = learn_like(assets, err);
    } else {
        status = learn(assets, &data, &assets->vocabulary, &assets->labels, err);
        assets->train = data;
    }
    if (status != UR_OK)
        return status;
    assets->unknown = assets->like ? ur_labelled_unknown(assets->train) : 0;
    c->vocabulary = ur_vocabulary_size(assets->vocabulary);
    c->labels = ur_vocabulary_size(assets->labels);
    return ur_assets_make_model(assets, err);
}

static ur_status prepare(ur_assets *assets, ur_err *err)
{
    return ur_labels_prepare(assets, open_file, begin, err);
}

ur_status ur_labels_fit(const ur_assets *assets, size_t labels, ur_err *err)
{
    const size_t there = ur_vocabulary_size(assets->labels);
    return labels == there ? UR_OK
                           : ur_fail(err, UR_INVALID, "\"labels\" is %zu, but there are %zu labels",
                                     labels, there);
}

static ur_status fits(const ur_assets *assets, ur_err *err)
{
    const ur_tagger_config *c = assets->config;
    ur_status status = ur_assets_check_vocabulary(assets, c->vocabulary, err);
    if (status == UR_OK)
        status = ur_labels_fit(assets, c->labels, err);
    return status == UR_OK ? ur_text_check(&c->text, assets->vocabulary, err) : status;
}

/* ---- the kinds ---------------------------------------------------------------------------- */

const ur_figure ur_label_figures[] = {[UR_TAGGER_ACCURACY] = {.name = "accuracy",
                                                              .title = "accuracy",
                                                              .help = "labels that are right",
                                                              .average = UR_PER_EXAMPLE,
                                                              .higher_is_better = true,
                                                              .percent = true,
                                                              .headline = true},
                                      [UR_TAGGER_F1] = {.name = "f1",
                                                        .title = "F1",
                                                        .help = "mean of the labels' F1",
                                                        .average = UR_WHOLE,
                                                        .higher_is_better = true,
                                                        .headline = true,
                                                        .most = 1},
                                      {.name = NULL}};

/* Their data is not generated. */
static const char *const hides[] = {"size", "valid_size", NULL};

const char *const ur_label_notes[] = {
    "F1 is the plain mean of the labels' F1, rare ones counting as much as frequent ones. "
    "A label that validation data has and training data has not is counted and never right.",
    NULL};

/* What is the same of both. */
#define LABELLING                                                                                  \
    .notes = ur_label_notes, .symbols_name = "tokens", .hides = hides,                             \
    .config_size = sizeof(ur_tagger_config), .steps = 1000, .figures = ur_label_figures,           \
    .has_labels = true, .model_size = sizeof(ur_tagger), .layers = layers,                         \
    .n_layers = sizeof layers / sizeof *layers, .build = build, .init = init, .loss = loss,        \
    .evaluate = ur_tagger_measure, UR_LABELLED_DATA, .prepare = prepare, .fits = fits,             \
    .open = open_source, .predict = ur_tagger_predict

static const ur_layer_place layers[] = {
    {UR_LAYER_EMBEDDING, offsetof(ur_tagger, embed)},
    {UR_LAYER_RNN, offsetof(ur_tagger, rnn)},
    {UR_LAYER_LINEAR, offsetof(ur_tagger, fc)},
};

const ur_kind ur_kind_tagger = {
    .name = "tagger",
    .verb = "tagger",
    .summary = "teach a model to label every token of a sentence",
    .description =
        "Trains a model that gives each token of a sentence a label: its part of speech, whether "
        "it "
        "is part of a name. It reads the sentence from both ends. The run's folder gets the model, "
        "its configuration, and a record of how the training went.",
    .example = "  $ head -5 train.txt\n"
               "  Ada       P\n"
               "  Lovelace  P\n"
               "  lived     O\n"
               "  in        O\n"
               "  London    L\n"
               "  $ unroll train tagger --data train.txt --valid valid.txt --out runs/names\n"
               "  $ unroll predict runs/names \"Ada lived in London\"\n"
               "  Ada\tP\t0.9999\n"
               "  lived\tO\t0.9991\n"
               "  in\tO\t0.9999\n"
               "  London\tL\t0.9995\n",
    .data_help = "a file with a token and its label on each line, blank lines between sentences; "
                 "columns are separated by tabs or spaces, of more than two the first is the token "
                 "and the last the label, as in CoNLL-2003; CoNLL-U is recognised",
    .valid_help = "Sentences to measure accuracy and F1 with after every epoch.",
    .examples_name = "sentences",
    .measured_name = "tokens",
    .unit = "tokens",
    .fields = tagger_fields,
    LABELLING};

const ur_kind ur_kind_classifier = {
    .name = "classifier",
    .verb = "classifier",
    .summary = "teach a model to label whole texts",
    .description =
        "Trains a model that gives each text a label: its language, its topic, whether it is spam. "
        "It reads the text from both ends and decides by its last states. The run's folder gets "
        "the "
        "model, its configuration, and a record of how the training went.",
    .example = "  $ head -2 train.txt\n"
               "  bad\tThis hotel was not so lovely, and they left home.\n"
               "  good\tThis film was not rather bad, and I went late.\n"
               "  $ unroll train classifier --data train.txt --valid valid.txt --out runs/films\n"
               "  $ unroll predict runs/films \"This book was not so dull\"\n"
               "  ...\n"
               "  good\t0.9993\n",
    .data_help = "a file with a label, a tab and a text on each line, or a CSV or TSV file with "
                 "names of columns in its first line",
    .valid_help = "Texts to measure accuracy and F1 with after every epoch.",
    .examples_name = "texts",
    .measured_name = "texts",
    .unit = "sequences",
    .fields = classifier_fields,
    LABELLING};
