/* translation.c - models that translate: configuration, loss, data. What stands between the two
 * languages is a value of a list (ur_translator); evaluation and answers are in translation_run.c.
 *
 *   logits = translator(source <eos>, <bos> target)
 * loss = sum over words of the targets, their <eos> included, of -log softmax(logits)[word] / their
 * number in the batch. */
#include "models/translation.h"

#include <stdio.h>
#include <string.h>

#include "backend/cell.h"
#include "base/alloc.h"
#include "base/sort.h"
#include "base/status.h"
#include "models/kinds.h"
#include "models/parts.h"

/* ---- configuration ------------------------------------------------------------------------ */

static const ur_translator *const translators[] = {&ur_translator_rnn, &ur_translator_bahdanau,
                                                   &ur_translator_transformer};

const char *ur_translator_name(size_t i)
{
    return i < sizeof translators / sizeof(ur_translator *) ? translators[i]->name : NULL;
}

static const char *const init_words[] = {"pytorch", "xavier", NULL};

#define AT(member) .offset = offsetof(ur_translation_config, member)

/* clang-format off */
static const ur_field fields[] = {
    UR_VOCABULARY_ROW(ur_translation_config),
    {.name = "target_size", .flag = "", .type = UR_FIELD_SIZE, AT(target_vocabulary),
     .most = UR_MOST_VOCABULARY, .of_data = true, .help = "Symbols of the target; filled in from the data."},
    {.name = "translator", .flag = "model", .group = "model", .type = UR_FIELD_ENUM, AT(model),
     .word = ur_translator_name, .initial = "bahdanau",
     .help = "What translates: a recurrent encoder whose last state goes to every step of a "
             "decoder (rnn), or one that a decoder looks at as a whole at every step (bahdanau); or a Transformer."},
    {.name = "embed_size", .flag = "embed", .metavar = "N", .group = "model", .type = UR_FIELD_SIZE,
     AT(embed_size), .least = 1, .most = UR_MOST_UNITS, .initial = "128",
     .belongs = "translator=rnn|bahdanau",
     .help = "Numbers that stand for a token; a Transformer has --hidden of them."},
    UR_HIDDEN_ROW(ur_translation_config, "256", "Units of each of the encoder's layers, or a Transformer's features."),
    {.name = "cell", .group = "model", .type = UR_FIELD_NAME, AT(cell), .word = ur_cell_name,
     .synonyms = ur_cell_synonyms, .initial = "gru", .belongs = "translator=rnn|bahdanau",
     .help = "What encoder and decoder are made of. rnn is rnn_tanh."},
    UR_LAYERS_ROW(ur_translation_config, "Layers of the encoder, and of the decoder.", NULL),
    {.name = "bidirectional", .alias = "directions", .metavar = "[=concat|average|no]",
     .group = "model", .type = UR_FIELD_ENUM, AT(directions), .words = ur_direction_words,
     .initial = "no", .bare = "concat", .belongs = "translator=rnn|bahdanau",
     .help = "Whether the encoder also reads from the end: the decoder gets both directions side by "
             "side, and is twice as wide, or their mean."},
    UR_DROPOUT_ROW(ur_translation_config, "Part of what goes from layer to layer, and of the attention "
                                          "weights, that is dropped."),
    {.name = "init", .metavar = "pytorch|xavier", .group = "model", .type = UR_FIELD_ENUM, AT(init),
     .words = init_words, .belongs = "translator=rnn|bahdanau",
     .help = "Where weights start: as PyTorch's modules do, or matrices of recurrent and linear "
             "layers U(-b, b), b = sqrt(6 / (rows + columns))."},
    UR_HEADS_ROW(ur_translation_config, 1, NULL, "translator=transformer", ""),
    UR_FEED_FORWARD_ROW(ur_translation_config, NULL, "translator=transformer"),
    UR_ACTIVATION_ROW(ur_translation_config, "relu", NULL, "translator=transformer"),
    UR_NORM_FIRST_ROW(ur_translation_config, NULL, "translator=transformer"),
    UR_TIE_ROW(ur_translation_config, NULL, "translator=transformer"),
    UR_SMOOTHING_ROW(ur_translation_config, NULL),
    {.name = "text.tokenizer", .group = "data", .type = UR_FIELD_ENUM, AT(text.text.tokenizer),
     .word = ur_tokenizer_words, .initial = "word-joined",
     .help = "What sentences are cut into: characters, what stands between white space, words and "
             "punctuation apart (word-stops: . , ! ? alone; word-joined: with marks, so that the "
             "translation has the spaces that its language puts there)."},
    {.name = "text.lower", .group = "data", .type = UR_FIELD_BOOL, AT(text.text.lower), .shown = "",
     .help = "Everything in lower case."},
    {.name = "text.merges", .flag = "bpe", .metavar = "N", .group = "data", .type = UR_FIELD_SIZE,
     AT(text.merges), .most = 1 << 20, .initial = "8000",
     .help = "Cut words into parts that come up often: byte pair encoding of up to N merges. 0: "
             "words stay whole."},
    {.name = "text.codes", .metavar = "FILE", .group = "data", .type = UR_FIELD_TEXT,
     AT(text.codes), .absent = "", .help = "Merges from a file, as subword-nmt writes it, in place "
                                           "of learning them."},
    {.name = "text.joint", .flag = "no-joint", .group = "data", .type = UR_FIELD_BOOL,
     AT(text.joint), .initial = "true", .shown = "",
     .help = "Merges and vocabularies of each language by itself."},
    {.name = "text.threshold", .flag = "vocabulary-threshold", .metavar = "N", .group = "data", .type = UR_FIELD_SIZE,
     AT(text.threshold), .most = 1 << 30, .initial = "0", .shown = "none",
     .help = "Parts of words that come up less often are cut again."},
    UR_FREQUENCY_ROWS(ur_translation_config, text.min_freq, text.max_size, "2"),
    {.name = "text.max_length", .metavar = "N", .group = "data", .type = UR_FIELD_SIZE,
     AT(text.max_length), .most = 1 << 20, .initial = "256", .shown = "256; 0: any length",
     .help = "Tokens of a sentence. Pairs with a longer one are not learned; longer sentences that "
             "are to be translated are cut."},
    UR_COLUMN_ROW(ur_translation_config, "source_column", text.reading.input_column,
                  "The column of a CSV or TSV file that has the sentences: its name in the first "
                  "line, or (where there are no names) its number."),
    UR_COLUMN_ROW(ur_translation_config, "target_column", text.reading.target_column,
                  "The column that has the translations."),
    {.name = NULL},
};
/* clang-format on */

ur_translation_config ur_translation_defaults(void)
{
    ur_translation_config c;
    ur_kind_defaults(&ur_kind_translation, &c);
    return c;
}

static ur_status check(const void *config, ur_err *err)
{
    const ur_translation_config *c = config;
    const ur_status status = ur_parallel_check(&c->text, err);
    return status == UR_OK ? translators[c->model]->check(c, err) : status;
}

ur_status ur_translation_check(const ur_translation_config *config, ur_err *err)
{
    return ur_kind_check(&ur_kind_translation, config, err);
}

size_t ur_translation_symbols(const ur_translation_config *c)
{
    return c->text.joint ? c->vocabulary : c->target_vocabulary;
}

/* ---- parameters --------------------------------------------------------------------------- */

static ur_status build(ur_model *model, ur_err *err)
{
    ur_translation *m = (ur_translation *)model;
    ur_translation_config *c = model->config;
    ur_status status = ur_check_vocabulary(model->kind, c->vocabulary, UR_IDS_RESERVED, err);
    if (status == UR_OK)
        status = ur_check_vocabulary(model->kind, ur_translation_symbols(c), UR_IDS_RESERVED, err);
    if (status != UR_OK)
        return status;
    m->config = c;
    m->how = translators[c->model];
    c->cell = ur_configured_cell(c->cell)->name; /* lasts longer than the caller's */
    return m->how->build(m, err);
}

static void free_model(ur_model *model)
{
    ur_pair_transformer_free(&((ur_translation *)model)->transformer);
}

static void init(ur_model *model, uint64_t seed)
{
    ur_translation *m = (ur_translation *)model;
    m->how->init(m, seed);
}

ur_status ur_translation_new(ur_context *context, const ur_translation_config *config,
                             ur_model **out, ur_err *err)
{
    return ur_model_new(context, &ur_kind_translation, config, out, err);
}

const ur_translation_config *ur_translation_config_of(const ur_model *model)
{
    return model->kind == &ur_kind_translation ? model->config : NULL;
}

/* ---- batches ------------------------------------------------------------------------------ */

/* A shard of pairs, longest target first. */
typedef struct shard {
    ur_seq *sources, *inputs, *targets;
} shard;

/* Some sentences, one after the other, each with a symbol before or behind it. */
static ur_seq *sentences(ur_tape *t, ur_order order, const ur_translation_data *d, size_t count,
                         const size_t *which, const uint64_t *id, int side, bool begin, bool end)
{
    size_t rows = 0, *length = ur_take(t, count, sizeof *length);
    for (size_t i = 0; length && i < count; i++)
        rows += length[i] = ur_parallel_ids(d->pairs, which[i], side).length + begin + end;
    int32_t *all = length ? ur_take(t, rows, sizeof *all) : NULL;
    if (!all)
        return NULL;
    int32_t *at = all;
    for (size_t i = 0; i < count; i++) {
        const ur_ids ids = ur_parallel_ids(d->pairs, which[i], side);
        if (begin)
            *at++ = UR_ID_BOS;
        if (ids.length)
            memcpy(at, ids.ids, ids.length * sizeof *at);
        at += ids.length;
        if (end)
            *at++ = UR_ID_EOS;
    }
    return ur_seq_ints(t, ur_new_layout(t, order, count, length, id), all);
}

static size_t target_length(const void *data, size_t i)
{
    return ur_parallel_ids(((const ur_translation_data *)data)->pairs, i, 1).length;
}

/* order (count) receives the pairs in the order of the shard; NULL: nobody asks. */
static shard load_shard(ur_tape *t, const ur_translation *m, const ur_translation_data *d,
                        size_t count, const size_t *which, size_t *order)
{
    size_t *sorted = ur_take(t, 2 * count, sizeof *sorted);
    uint64_t *id = ur_take(t, count, sizeof *id);
    if (!sorted || !id)
        return (shard){NULL, NULL, NULL};
    memcpy(sorted, which, count * sizeof *sorted);
    ur_sort_longest_first(sorted, count, sorted + count, target_length, d);
    for (size_t i = 0; i < count; i++)
        id[i] = sorted[i];
    if (order)
        memcpy(order, sorted, count * sizeof *order);
    return (shard){.sources = sentences(t, m->how->order, d, count, sorted, id, 0, false, true),
                   .inputs = sentences(t, m->how->order, d, count, sorted, id, 1, true, false),
                   .targets = sentences(t, m->how->order, d, count, sorted, id, 1, false, true)};
}

static ur_tensor *loss(ur_tape *t, const ur_model *model, const void *data, size_t count,
                       const size_t *which, double normaliser)
{
    const ur_translation *m = ur_as_translation(model);
    const shard s = load_shard(t, m, data, count, which, NULL);
    if (!ur_tape_ok(t))
        return NULL;
    return ur_cross_entropy_smoothed(t, m->how->logits(t, m, s.sources, s.inputs), s.targets,
                                     normaliser, m->config->label_smoothing);
}

ur_translation_logits ur_translation_forward(ur_tape *t, const ur_model *model,
                                             const ur_translation_data *data, size_t count,
                                             const size_t *which)
{
    if (!ur_tape_takes(t, model, &ur_kind_translation) ||
        !ur_examples_exist(t, count, which, ur_parallel_count(data->pairs)))
        return (ur_translation_logits){NULL, NULL};
    return ur_translation_forward_in(t, model, data, count, which, NULL);
}

ur_translation_logits ur_translation_forward_in(ur_tape *t, const ur_model *model,
                                                const ur_translation_data *data, size_t count,
                                                const size_t *which, size_t *order)
{
    const ur_translation_logits none = {NULL, NULL};
    if (!ur_tape_takes(t, model, &ur_kind_translation))
        return none;
    const ur_translation *m = ur_as_translation(model);
    const shard s = load_shard(t, m, data, count, which, order);
    if (!ur_tape_ok(t))
        return none;
    ur_seq *logits = m->how->logits(t, m, s.sources, s.inputs);
    return logits ? (ur_translation_logits){logits, s.targets} : none;
}

static size_t examples(const ur_model *model, const void *data)
{
    (void)model;
    return ur_parallel_count(((const ur_translation_data *)data)->pairs);
}

/* Steps of both sides, with <bos> or <eos>. */
static size_t length(const ur_model *model, const void *data, size_t i)
{
    const ur_translation_data *d = data;
    (void)model;
    return ur_parallel_ids(d->pairs, i, 0).length + ur_parallel_ids(d->pairs, i, 1).length + 2;
}

static size_t positions(const ur_model *model, const void *data, size_t i)
{
    (void)model;
    return target_length(data, i) + 1;
}

/* ---- decoding ------------------------------------------------------------------------------- */

/* A translation is at most three times as long as its source, both without <eos>. */
static size_t limit(const ur_decoder *decoder, ur_ids source)
{
    (void)decoder;
    return source.length > 1 ? 3 * (source.length - 1) + 1 : 1;
}

ur_status ur_translation_decoder(const ur_model *model, ur_decoder *out, ur_err *err)
{
    const ur_translation *m = ur_as_translation(model);
    (void)err;
    *out = (ur_decoder){.self = m,
                        .vocabulary = ur_translation_symbols(m->config),
                        .end = UR_ID_EOS,
                        .limit = limit,
                        .start = m->how->start,
                        .step = m->how->step,
                        .reorder = m->how->reorder,
                        .attention = m->how->attention,
                        .release = m->how->release};
    return UR_OK;
}

/* ---- data ----------------------------------------------------------------------------------- */

ur_status ur_translation_data_new(const ur_allocator *a, const ur_parallel *pairs,
                                  const ur_languages *languages, const ur_text_options *text,
                                  ur_translation_data **out, ur_err *err)
{
    ur_translation_data *d = *out = ur_alloc_zero(a, 1, sizeof *d);
    if (!d)
        return ur_no_memory(err, sizeof *d);
    *d = (ur_translation_data){.a = a,
                               .pairs = pairs,
                               .remarks = {.a = a},
                               .source = ur_languages_side(languages, text, 0),
                               .target = ur_languages_side(languages, text, 1)};
    return UR_OK;
}

void ur_translation_data_free(ur_translation_data *d)
{
    if (!d)
        return;
    ur_parallel_free(d->own);
    ur_remarks_free(&d->remarks);
    ur_free(d->a, d);
}

ur_languages ur_translation_languages(const ur_assets *assets)
{
    ur_languages l = assets->languages;
    l.source = assets->vocabulary;
    return l;
}

/* What was done to the pairs. */
static ur_status note_all(ur_translation_data *d, bool learned, ur_err *err)
{
    const ur_parallel_notes *n = ur_parallel_noted(d->pairs);
    const struct {
        size_t count;
        const char *what;
    } seen[] = {
        {n->empty, "pairs with an empty side are left out"},
        {n->left_out, "pairs with a sentence of more than --max-length tokens are left out"},
        {n->cut, "sentences of more than --max-length tokens are cut"}};
    ur_status status = UR_OK;
    const char *remark;
    for (size_t i = 0; status == UR_OK && (remark = ur_parallel_remark(d->pairs, i)); i++)
        status = ur_remark(&d->remarks, err, "%s", remark);
    if (status == UR_OK && n->attribution)
        status =
            ur_remark(&d->remarks, err, "the third column is an attribution and is passed over");
    for (size_t i = 0; status == UR_OK && i < sizeof seen / sizeof *seen; i++)
        if (seen[i].count)
            status = ur_remark(&d->remarks, err, "%zu %s", seen[i].count, seen[i].what);
    if (status == UR_OK && !learned && n->unknown[0] + n->unknown[1])
        status =
            ur_remark(&d->remarks, err,
                      "%zu of %zu tokens of the sentences and %zu of %zu of their translations are "
                      "unknown to the model and read as <unk>, which it never writes",
                      n->unknown[0], n->tokens[0], n->unknown[1], n->tokens[1]);
    return status;
}

/* Pairs as data, which owns them; nothing for none. learned: the vocabulary is theirs. */
static ur_status wrap(const ur_assets *assets, ur_parallel *pairs, bool learned, void **out,
                      ur_err *err)
{
    const ur_translation_config *c = assets->config;
    const ur_languages languages = ur_translation_languages(assets);
    ur_translation_data *d = NULL;
    *out = NULL;
    if (!pairs)
        return UR_OK;
    ur_status status = ur_translation_data_new(ur_context_allocator(assets->context), pairs,
                                               &languages, &c->text.text, &d, err);
    if (status != UR_OK) {
        ur_parallel_free(pairs);
        return status;
    }
    d->own = pairs;
    status = note_all(d, learned, err);
    if (status != UR_OK) {
        ur_translation_data_free(d);
        return status;
    }
    if (assets->search)
        d->search = *assets->search;
    *out = d;
    return UR_OK;
}

/* What is set apart of a training's data. */
static ur_valid_part apart_of(const ur_assets *assets)
{
    const ur_data_options *d = assets->data;
    return d ? (ur_valid_part){d->valid_split, d->seed} : (ur_valid_part){0.0, 0};
}

/* Of a training's data a part is set apart into *valid, which is NULL for other data. */
static ur_status open_file(const ur_assets *assets, const char *path, void **out, void **valid,
                           ur_err *err)
{
    const ur_translation_config *c = assets->config;
    const ur_languages languages = ur_translation_languages(assets);
    const ur_valid_part part = apart_of(assets);
    ur_parallel *pairs, *rest = NULL;
    ur_status status = ur_parallel_open(
        ur_context_allocator(assets->context), path, &c->text, &languages, valid != NULL,
        valid && part.part > 0.0 ? &part : NULL, &pairs, &rest, err);
    if (status != UR_OK)
        return status;
    status = wrap(assets, pairs, valid != NULL, out, err);
    if (status == UR_OK && valid)
        return wrap(assets, rest, false, valid, err);
    ur_parallel_free(rest);
    return status;
}

static ur_status open_source(const ur_assets *assets, const ur_pair_source *source, void **out,
                             ur_err *err)
{
    *out = NULL;
    return open_file(assets, source->data, out, NULL, err);
}

/* The pairs of a new run, from which the languages are learned. */
static ur_status learn(ur_assets *assets, ur_err *err)
{
    ur_translation_config *c = assets->config;
    ur_parallel *train, *valid = NULL;
    ur_languages languages;
    const ur_valid_part part = apart_of(assets);
    ur_status status =
        ur_parallel_learn(ur_context_allocator(assets->context), assets->data->data, &c->text,
                          part.part > 0.0 ? &part : NULL, &train, &valid, &languages, err);
    if (status != UR_OK)
        return status;
    assets->vocabulary = languages.source;
    languages.source = NULL;
    assets->languages = languages;
    status = wrap(assets, train, true, &assets->train, err);
    if (status == UR_OK)
        return wrap(assets, valid, false, &assets->valid, err);
    ur_parallel_free(valid);
    return status;
}

/* The pairs of a new run, and its model. */
static ur_status begin(ur_assets *assets, ur_err *err)
{
    ur_translation_config *c = assets->config;
    ur_status status = UR_OK;
    if (assets->like) {
        status = open_file(assets, assets->data->data, &assets->train, &assets->valid, err);
    } else {
        status = learn(assets, err);
    }
    if (status != UR_OK)
        return status;
    const ur_vocabulary *target = assets->languages.target;
    if (assets->like) {
        const ur_translation_data *d = assets->train;
        const ur_parallel_notes *n = ur_parallel_noted(d->pairs);
        assets->unknown = n->unknown[0] + n->unknown[1];
    }
    c->vocabulary = ur_vocabulary_size(assets->vocabulary);
    c->target_vocabulary = target ? ur_vocabulary_size(target) : c->vocabulary;
    return ur_assets_make_model(assets, err);
}

static ur_status prepare(ur_assets *assets, ur_err *err)
{
    ur_status status = ur_assets_no_generator(assets, err);
    const char *valid = assets->data->valid;
    if (status == UR_OK)
        status = assets->model
                     ? open_file(assets, assets->data->data, &assets->train, &assets->valid, err)
                     : begin(assets, err);
    if (status == UR_OK && valid)
        status = open_file(assets, valid, &assets->valid, NULL, err);
    return status;
}

static ur_status check_reserved(const ur_vocabulary *v, const char *which, ur_err *err)
{
    if (ur_vocabulary_find_reserved(v, "unk") == UR_ID_UNK &&
        ur_vocabulary_find_reserved(v, "bos") == UR_ID_BOS &&
        ur_vocabulary_find_reserved(v, "eos") == UR_ID_EOS)
        return UR_OK;
    return ur_fail(err, UR_INVALID, "the %s vocabulary does not begin with <unk>, <bos> and <eos>",
                   which);
}

static ur_status fits(const ur_assets *assets, ur_err *err)
{
    const ur_translation_config *c = assets->config;
    const ur_languages *l = &assets->languages;
    ur_status status = ur_assets_check_vocabulary(assets, c->vocabulary, err);
    if (status == UR_OK)
        status = check_reserved(assets->vocabulary, "source's", err);
    if (status != UR_OK)
        return status;
    if (!l->target != c->text.joint)
        return ur_fail(err, UR_INVALID,
                       c->text.joint ? "the languages have one vocabulary, but there are two"
                                     : "each language has its vocabulary, but the target's is "
                                       "missing (target.txt)");
    if (l->target && ur_vocabulary_size(l->target) != c->target_vocabulary)
        return ur_fail(err, UR_INVALID, "\"target_size\" is %zu, but the vocabulary has %zu",
                       c->target_vocabulary, ur_vocabulary_size(l->target));
    if (l->target && (status = check_reserved(l->target, "target's", err)) != UR_OK)
        return status;
    const bool merges = c->text.merges || c->text.codes;
    if (merges != (l->source_bpe != NULL) || (l->target_bpe && c->text.joint))
        return ur_fail(err, UR_INVALID, "the merges do not fit: %s",
                       merges ? "there is no file of them (bpe.codes)"
                              : "this model's words are not cut");
    if (l->source_bpe && !c->text.codes && ur_bpe_count(l->source_bpe) > c->text.merges)
        return ur_fail(err, UR_INVALID, "the merges do not fit: %zu of them, at most %zu expected",
                       ur_bpe_count(l->source_bpe), c->text.merges);
    return UR_OK;
}

static void free_data(void *data)
{
    ur_translation_data_free(data);
}

static const char *remark(const void *data, size_t i)
{
    return ur_remark_at(&((const ur_translation_data *)data)->remarks, i);
}

static uint64_t fingerprint(const void *data)
{
    const ur_parallel *p = ((const ur_translation_data *)data)->pairs;
    uint64_t hash = UR_FINGERPRINT;
    for (size_t i = 0; i < 2 * ur_parallel_count(p); i++) {
        const ur_ids side = ur_parallel_ids(p, i / 2, (int)(i % 2));
        hash = ur_fingerprint_add(hash, side.length);
        for (size_t j = 0; j < side.length; j++)
            hash = ur_fingerprint_add(hash, (uint32_t)side.ids[j]);
    }
    return hash;
}

static size_t extent(const void *data)
{
    return ur_parallel_count(((const ur_translation_data *)data)->pairs);
}

static ur_status score(const ur_model *model, const void *data, double *out, ur_err *err)
{
    return ur_translation_score(model, data, out, err);
}

/* ---- the kind ----------------------------------------------------------------------------- */

static const ur_figure figures[] = {
    [UR_TRANSLATION_ACCURACY] = {.name = "accuracy",
                                 .title = "accuracy",
                                 .help = "tokens, each after the right ones",
                                 .average = UR_PER_POSITION,
                                 .higher_is_better = true,
                                 .percent = true},
    [UR_TRANSLATION_BLEU] = {.name = "bleu",
                             .title = "BLEU",
                             .help = "",
                             .average = UR_WHOLE,
                             .higher_is_better = true,
                             .headline = true},
    [UR_TRANSLATION_BLEU_FIRST] = {.name = "bleu_first",
                                   .title = "BLEU, first",
                                   .help = "",
                                   .average = UR_WHOLE,
                                   .higher_is_better = true},
    [UR_TRANSLATION_CHRF] = {.name = "chrf",
                             .title = "chrF2",
                             .help = "",
                             .average = UR_WHOLE,
                             .higher_is_better = true,
                             .headline = true},
    {.name = NULL}};

/* What Dive into Deep Learning's models for translation have in common. */
#define OF_THE_BOOK                                                                                \
    {"embed_size", "32"}, {"hidden_size", "32"}, {"cell", "gru"}, {"layers", "2"},                 \
        {"dropout", "0.1"}, {"init", "xavier"}, {"bidirectional", "no"},                           \
        {"text.tokenizer", "word-stops"}, {"text.lower", "true"}, {"text.merges", "0"},            \
        {"text.joint", "false"}, {"text.min_freq", "2"}, {"valid_split", "0"},                     \
        {"text.max_length", "9"}, {"batch", "64"}, {"lr", "0.005"},                                \
    {                                                                                              \
        "clip", "1"                                                                                \
    }

static const ur_setting book_rnn[] = {
    {"translator", "rnn"}, OF_THE_BOOK, {"epochs", "300"}, {NULL, NULL}};
static const ur_setting book_bahdanau[] = {
    {"translator", "bahdanau"}, OF_THE_BOOK, {"epochs", "250"}, {NULL, NULL}};
static const ur_setting book_transformer[] = {
    {"translator", "transformer"}, OF_THE_BOOK,       {"heads", "4"},
    {"feed_forward_size", "64"},   {"epochs", "200"}, {NULL, NULL}};
static const ur_setting transformer[] = {{"translator", "transformer"},
                                         {"hidden_size", "256"},
                                         {"layers", "3"},
                                         {"heads", "4"},
                                         {"dropout", "0.1"},
                                         {"tie", "all"},
                                         {"label_smoothing", "0.1"},
                                         {"lr", "1e-3"},
                                         {"beta2", "0.98"},
                                         {"schedule", "inverse_sqrt"},
                                         {"warmup_steps", "1000"},
                                         {"clip", "1"},
                                         {NULL, NULL}};
static const ur_preset presets[] = {
    {"transformer", "A Transformer of 3 and 3 layers of 256 features, tied, with warm-up.",
     transformer},
    {"book-rnn", "Dive into Deep Learning, section 9.7: words, 2 layers of 32 units.", book_rnn},
    {"book-bahdanau", "The same with attention, section 10.4.", book_bahdanau},
    {"book-transformer", "The same with a Transformer, section 10.7.", book_transformer},
    {NULL, NULL, NULL}};

static const ur_setting training[] = {{"batch", "64"}, {"epochs", "20"},        {"lr", "1e-3"},
                                      {"clip", "1"},   {"valid_split", "0.05"}, {NULL, NULL}};

static const char *const hides[] = {"size", "valid_size", NULL};

/* The split was the model's before it was the training's. */
static const char *const former[] = {"text.valid_split", NULL};

static const char *const notes[] = {
    "The run's folder gets vocab.txt (and target.txt with --no-joint) and bpe.codes, merges in the "
    "form of subword-nmt. A tab-separated file may have a third column of attributions, as those "
    "of "
    "tatoeba.org have it, which is passed over.",
    NULL};

static const ur_layer_place layers[] = {
    {UR_LAYER_EMBEDDING, offsetof(ur_translation, encoder.embed)},
    {UR_LAYER_RNN, offsetof(ur_translation, encoder.rnn)},
    {UR_LAYER_EMBEDDING, offsetof(ur_translation, decoder.embed)},
    {UR_LAYER_RNN, offsetof(ur_translation, decoder.rnn)},
    {UR_LAYER_LINEAR, offsetof(ur_translation, fc)},
};

const ur_kind ur_kind_translation = {
    .name = "translation",
    .verb = "translation",
    .summary = "teach a model to translate sentences",
    .description =
        "Trains a model that translates sentences, from sentences and their translations. The "
        "run's "
        "folder gets the model, its configuration, and a record of how the training went.",
    .example = "  $ head -2 pairs.tsv\n"
               "  a cow helps these bears.\tune vache aide ces ours.\n"
               "  my red cat follows a red cow!\tmon chat rouge suit une vache rouge !\n"
               "  $ unroll train translation --data pairs.tsv --epochs 8 --out runs/fra\n"
               "  $ unroll predict runs/fra --beam 5 'my dog sees ten cats.'\n"
               "  mon chien voit dix chats.\n",
    .notes = notes,
    .data_help =
        "a file with a sentence, a tab and its translation on each line, or two files, one "
        "sentence on each line",
    .valid_help = "Pairs to measure BLEU with after every epoch, likewise.",
    .examples_name = "pairs",
    .symbols_name = "tokens",
    .measured_name = "tokens",
    .unit = "tokens",
    .hides = hides,
    .presets = presets,
    .samples = 3,
    .two_files = true,
    .searches = true,
    .numbered = true,
    .fields = fields,
    .former = former,
    .config_size = sizeof(ur_translation_config),
    .defaults = training,
    .check = check,
    .figures = figures,
    .model_size = sizeof(ur_translation),
    .layers = layers,
    .n_layers = sizeof layers / sizeof *layers,
    .build = build,
    .init = init,
    .free = free_model,
    .loss = loss,
    .evaluate = ur_translation_evaluate,
    .decoder = ur_translation_decoder,
    .examples = examples,
    .length = length,
    .positions = positions,
    .prepare = prepare,
    .fits = fits,
    .open = open_source,
    .free_data = free_data,
    .splits = true,
    .remark = remark,
    .fingerprint = fingerprint,
    .extent = extent,
    .predict = ur_translation_predict,
    .begins = true,
    .score = score,
    .sample = ur_translation_sample,
};
