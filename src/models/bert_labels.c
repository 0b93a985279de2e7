/* bert_labels.c - the kinds that fine-tune a published BERT to give labels: to texts and pairs of texts, and to
 * words. Fields of their configuration, loss, data, and what they say to texts.
 *
 * A text is a ur_ids of pieces with what is known of each above its id (data/labelled.h): the segment, and
 * whether a word begins there, which has a label. */
#include "models/bert_heads.h"

#include <string.h>

#include "base/status.h"
#include "data/labelled.h"
#include "models/bert_rows.h"
#include "models/parts.h"
#include "models/predict.h"
#include "models/tagger.h"
#include "tape/tape.h"

/* ---- fields ------------------------------------------------------------------------------- */

#define AT(member) .offset = offsetof(ur_bert_labels_config, member)

static const char *const cutting_words[] = {"longest-first", "pop", "only-first", "only-second",
                                            NULL};

#define BERT_ROWS                                                                                  \
    UR_BERT_MODEL_ROWS(ur_bert_labels_config),                                                     \
        UR_BERT_RATE_ROW(ur_bert_labels_config, "classifier_dropout", "classifier-dropout",        \
                         classifier_dropout,                                                       \
                         "Part of what the labels are told by that is dropped."),                  \
        UR_BERT_NORM_ROWS(ur_bert_labels_config),                                                  \
        {.name = "labels",                                                                         \
         .flag = "",                                                                               \
         .type = UR_FIELD_SIZE,                                                                    \
         AT(labels),                                                                               \
         .most = UR_MOST_LABELS,                                                                   \
         .of_data = true,                                                                          \
         .help = "Labels; filled in from the data."},                                              \
        UR_BERT_TOKENIZER_ROWS(ur_bert_labels_config)

#define READING_ROWS                                                                               \
    UR_BERT_READING_ROWS(                                                                          \
        ur_bert_labels_config,                                                                     \
        "Pieces of a text, [CLS] and [SEP] among them; the ends of longer ones are not read.",     \
        "what the BERT reads",                                                                     \
        "Leave out, and count, what is longer than --max-length or has a label that the model "    \
        "does not know.")

#define COLUMN_ROW(key, member, says)                                                              \
    {                                                                                              \
        .name = "read." key, .metavar = "NAME|N", .group = "data", .type = UR_FIELD_TEXT,          \
        AT(text.member), .least = 1, .absent = "", .shown = "", .of_data = true, .help = (says)    \
    }

/* clang-format off */
static const ur_field classifier_fields[] = {
    BERT_ROWS,
    {.name = "tokenizer.truncation", .metavar = "longest-first|pop|only-first|only-second",
     .group = "data", .type = UR_FIELD_ENUM, AT(text.cutting), .words = cutting_words,
     .absent = "longest-first",
     .help = "What is left away of a pair that is too long: of both, so that each keeps about half; piece by "
             "piece of the longer one; of the first text alone; of the second."},
    COLUMN_ROW("text_column", reading.input_column,
               "The column of a CSV or TSV file that has the texts: its name in the first line, or "
               "(where there are no names) its number."),
    COLUMN_ROW("pair_column", second_column,
               "The column that has the second text of each pair. Of files with names that say it "
               "(sentence1 and sentence2, premise and hypothesis) neither is needed."),
    COLUMN_ROW("label_column", reading.target_column, "The column that has the labels."),
    {.name = "read.pairs", .group = "data", .type = UR_FIELD_BOOL, AT(text.pairs),
     .absent = "false", .shown = "", .of_data = true,
     .help = "A text is two, with a tab between them: label, tab, text, tab, text on a line."},
    READING_ROWS,
    {.name = NULL},
};

static const ur_field tagger_fields[] = {
    BERT_ROWS,
    COLUMN_ROW("token_column", reading.input_column,
               "The column that has the words: its name in the first line, or its number. 1 (of "
               "CoNLL-U FORM) where it is not given."),
    COLUMN_ROW("label_column", reading.target_column,
               "The column that has the labels. The last one (of CoNLL-U UPOS) where it is not given."),
    READING_ROWS,
    {.name = NULL},
};
/* clang-format on */

static void pieces_of(const void *config, ur_wordpiece_options *out)
{
    *out = ur_bert_cut(&((const ur_bert_labels_config *)config)->text);
}

static bool pairs_of(const void *config)
{
    return ((const ur_bert_labels_config *)config)->text.pairs;
}

/* ---- texts on a tape ------------------------------------------------------------------------ */

/* A batch of texts. */
typedef struct batch {
    ur_seq *ids, *segments;
    size_t *row; /* (answers of all) of a tagger: the rows of words' first pieces */
    size_t rows;
    const ur_layout *answers; /* of a tagger: a step for each word */
} batch;

static size_t words_in(ur_ids text)
{
    size_t words = 0;
    for (size_t i = 0; i < text.length; i++)
        words += (text.ids[i] & UR_PIECE_WORD) != 0;
    return words;
}

/* Which rows have labels, sequence by sequence. */
static void find_words(ur_tape *t, size_t count, const size_t *which, const ur_ids *texts,
                       const uint64_t *id, batch *b)
{
    const ur_layout *l = b->ids->layout;
    size_t *words = ur_take(t, count, sizeof *words);
    for (size_t i = 0; words && i < count; i++)
        b->rows += words[i] = words_in(texts[which[i]]);
    b->answers = words ? ur_new_layout(t, UR_SEQUENCE_MAJOR, count, words, id) : NULL;
    b->row = b->answers ? ur_take(t, b->rows, sizeof *b->row) : NULL;
    for (size_t i = 0; b->row && i < count; i++) {
        const ur_ids text = texts[which[i]];
        for (size_t s = 0, word = 0; s < text.length; s++)
            if (text.ids[s] & UR_PIECE_WORD)
                b->row[ur_row(b->answers, i, word++)] = ur_row(l, i, s);
    }
}

static bool load(ur_tape *t, const ur_model *model, size_t count, const size_t *which,
                 const ur_ids *texts, const uint64_t *id, batch *b)
{
    size_t rows = 0, *length = ur_take(t, count, sizeof *length);
    *b = (batch){.ids = NULL};
    for (size_t i = 0; length && i < count; i++)
        rows += length[i] = texts[which[i]].length;
    int32_t *ids = ur_take(t, rows, sizeof *ids), *segments = ur_take(t, rows, sizeof *segments);
    if (!length || !ids || !segments)
        return false;
    for (size_t i = 0, at = 0; i < count; i++)
        for (size_t s = 0; s < length[i]; s++, at++) {
            ids[at] = texts[which[i]].ids[s] & UR_PIECE_ID;
            segments[at] = (texts[which[i]].ids[s] & UR_PIECE_SECOND) != 0;
        }
    const ur_layout *layout = ur_new_layout(t, UR_SEQUENCE_MAJOR, count, length, id);
    b->ids = ur_seq_ints(t, layout, ids);
    b->segments = ur_seq_ints(t, layout, segments);
    if (b->ids && b->segments && !ur_is_bert_classifier(model))
        find_words(t, count, which, texts, id, b);
    return ur_tape_ok(t);
}

static ur_seq *logits_of_batch(ur_tape *t, const ur_model *model, const batch *b)
{
    const ur_seq *y = ur_bert_encode(t, model, b->ids, b->segments, NULL);
    if (!y || ur_is_bert_classifier(model))
        return y ? ur_bert_label(t, model, y) : NULL;
    return ur_bert_label_rows(t, model, ur_rows_of(t, y->values, b->rows, b->row), b->answers);
}

static size_t labels_of(const ur_model *model)
{
    return ((const ur_bert_labels *)model)->config->labels;
}

static ur_seq *logits_of(ur_tape *t, const ur_model *model, size_t count, const size_t *which,
                         const ur_ids *texts)
{
    batch b;
    return load(t, model, count, which, texts, NULL, &b) ? logits_of_batch(t, model, &b) : NULL;
}

static const ur_labeller classifying = {
    .per_sequence = true, .labels = labels_of, .logits = logits_of};
static const ur_labeller tagging = {.labels = labels_of, .logits = logits_of};

static const ur_labeller *labeller_of(const ur_model *model)
{
    return ur_is_bert_classifier(model) ? &classifying : &tagging;
}

/* ---- loss --------------------------------------------------------------------------------- */

static ur_tensor *loss(ur_tape *t, const ur_model *model, const void *data, size_t count,
                       const size_t *which, double normaliser)
{
    ur_ids *texts = ur_take(t, count, sizeof *texts), *labels = ur_take(t, count, sizeof *labels);
    size_t *all = ur_take(t, count, sizeof *all), *steps = ur_take(t, count, sizeof *steps);
    uint64_t *id = ur_take(t, count, sizeof *id);
    batch b;
    if (!texts || !labels || !all || !steps || !id)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        texts[i] = ur_labelled_tokens(data, which[i]);
        labels[i] = ur_labelled_labels(data, which[i]);
        id[i] = which[i];
        all[i] = i;
    }
    const int32_t *targets = ur_join_ids(t, count, labels, steps);
    if (!targets || !load(t, model, count, all, texts, id, &b))
        return NULL;
    const ur_seq *logits = logits_of_batch(t, model, &b);
    return logits ? ur_cross_entropy(t, logits, ur_seq_ints(t, logits->layout, targets), normaliser)
                  : NULL;
}

/* ---- data --------------------------------------------------------------------------------- */

static ur_piecing piecing_of(const ur_assets *assets)
{
    const ur_bert_labels_config *c = assets->config;
    return (ur_piecing){.wordpiece = assets->wordpiece,
                        .longest = ur_bert_longest(&c->bert, &c->text),
                        .pairs = c->text.pairs,
                        .cutting = (ur_cutting)c->text.cutting,
                        .second_column = c->text.second_column};
}

/* labels NULL: they are learned. */
static ur_status read_file(ur_assets *assets, const char *path, const ur_vocabulary *labels,
                           void **out, ur_vocabulary **learned, ur_err *err)
{
    ur_bert_labels_config *c = assets->config;
    const bool classifies = assets->kind == &ur_kind_bert_classifier;
    ur_piecing how = piecing_of(assets);
    ur_labelled *data;
    bool pairs;
    how.detect = !assets->model && classifies;
    const ur_status status = ur_labelled_pieces(
        ur_context_allocator(assets->context), path, classifies ? UR_CLASSIFIED : UR_TAGGED, &how,
        &c->text.reading, labels, &data, learned, &pairs, err);
    *out = data;
    if (status == UR_OK && !assets->model)
        c->text.pairs = pairs;
    return status;
}

static ur_status open_file(const ur_assets *assets, const char *path, void **out, ur_err *err)
{
    ur_assets own = *assets;
    ur_vocabulary *none;
    return read_file(&own, path, assets->labels, out, &none, err);
}

static ur_status open_source(const ur_assets *assets, const ur_pair_source *source, void **out,
                             ur_err *err)
{
    return open_file(assets, source->data, out, err);
}

/* The training data of a new run: with the labels that came along, or its own where they do not suffice. */
static ur_status learn(ur_assets *assets, ur_err *err)
{
    const char *path = assets->data->data;
    ur_vocabulary *none, *learned;
    if (assets->labels) {
        const ur_status status =
            read_file(assets, path, assets->labels, &assets->train, &none, err);
        if (status != UR_OK || ur_labelled_unknown_labels(assets->train) == 0)
            return status;
        ur_labelled_free(assets->train);
        assets->train = NULL;
    }
    const ur_status status = read_file(assets, path, NULL, &assets->train, &learned, err);
    if (status != UR_OK)
        return status;
    ur_vocabulary_free(assets->labels);
    assets->labels = learned;
    return UR_OK;
}

static ur_status begin(ur_assets *assets, ur_err *err)
{
    ur_bert_labels_config *c = assets->config;
    ur_status status = ur_bert_started(assets, err);
    if (status == UR_OK)
        status = learn(assets, err);
    if (status != UR_OK)
        return status;
    c->labels = ur_vocabulary_size(assets->labels);
    return ur_assets_make_model(assets, err);
}

static ur_status prepare(ur_assets *assets, ur_err *err)
{
    return ur_labels_prepare(assets, open_file, begin, err);
}

static ur_status fits(const ur_assets *assets, ur_err *err)
{
    const ur_bert_labels_config *c = assets->config;
    const ur_status status = ur_bert_fits(assets, err);
    return status == UR_OK ? ur_labels_fit(assets, c->labels, err) : status;
}

/* ---- evaluation and answers ----------------------------------------------------------------- */

static ur_status evaluate(const ur_model *model, const void *data, ur_measure *out,
                          ur_confusion *confusion, ur_err *err)
{
    return ur_labels_measure(labeller_of(model), model, data, out, confusion, err);
}

static void count_unknown(const ur_assets *assets, const int32_t *ids, size_t count,
                          ur_prediction *out)
{
    const int32_t unk = ur_wordpiece_special(assets->wordpiece, UR_UNK);
    for (size_t i = 0; i < count; i++)
        out->unknown += (ids[i] & UR_PIECE_ID) == unk;
}

static ur_status cut_text(const ur_assets *assets, const char *text, size_t bytes, int32_t *ids,
                          size_t *count, ur_prediction *out, ur_err *err)
{
    ur_piecing how = piecing_of(assets);
    ur_pieces pieces = {.allocator = ur_context_allocator(assets->context)};
    if (how.longest > bytes + UR_PIECES_AROUND)
        how.longest = bytes + UR_PIECES_AROUND; /* which no text of so many bytes needs */
    const ur_status status = ur_piecing_text(&how, text, bytes, &pieces, err);
    for (size_t i = 0; status == UR_OK && i < pieces.count; i++)
        ids[(*count)++] = ur_piece_token(&pieces.piece[i]);
    out->cut = pieces.cut;
    ur_pieces_free(&pieces);
    return status;
}

/* A sentence's words; those that there is no room for are counted. */
static ur_status cut_words(const ur_assets *assets, const char *text, size_t bytes, int32_t *ids,
                           size_t *count, ur_prediction *out, ur_err *err)
{
    const ur_piecing how = piecing_of(assets);
    const size_t whole = bytes + UR_PIECES_AROUND;
    const size_t room = (how.longest < whole ? how.longest : whole) - 1;
    ur_pieces pieces = {.allocator = ur_context_allocator(assets->context)};
    ur_status status = UR_OK;
    const char *left = text, *word;
    size_t size;
    ids[(*count)++] = ur_wordpiece_special(how.wordpiece, UR_CLS);
    while (status == UR_OK && ur_next_word(&left, &word, &size)) {
        status = ur_piecing_word(&how, word, size, &pieces, err);
        for (size_t i = 1; status == UR_OK && i + 1 < pieces.count; i++) {
            if (*count < room)
                ids[(*count)++] = pieces.piece[i].id | (i == 1 ? UR_PIECE_WORD : 0);
            else
                out->cut += i == 1;
        }
    }
    ids[(*count)++] = ur_wordpiece_special(how.wordpiece, UR_SEP);
    ur_pieces_free(&pieces);
    return status;
}

static ur_status cut(const ur_assets *assets, const char *text, size_t bytes, int32_t *ids,
                     size_t *count, ur_prediction *out, ur_err *err)
{
    *count = 0;
    const ur_status status = (ur_is_bert_classifier(assets->model) ? cut_text : cut_words)(
        assets, text, bytes, ids, count, out, err);
    if (status == UR_OK)
        count_unknown(assets, ids, *count, out);
    return status;
}

static bool label_some(ur_tape *t, const ur_assets *assets, const ur_search_options *options,
                       size_t count, const size_t *which, const ur_ids *ids, const int32_t *first,
                       ur_prediction *out)
{
    (void)first;
    bool ok = ur_labels_predict(labeller_of(assets->model), t, assets, count, which, ids, out);
    for (size_t i = 0; ok && options && options->maps && i < count; i++) {
        batch b;
        ok = load(t, assets->model, 1, &which[i], ids, NULL, &b) &&
             ur_bert_map(t, assets, b.ids, b.segments, &out[which[i]]);
    }
    return ok;
}

static ur_status predict(const ur_assets *assets, size_t count, const char *const *texts,
                         const ur_search_options *options, ur_prediction *out, size_t *bad,
                         ur_err *err)
{
    const ur_bert_labels_config *c = assets->config;
    const ur_predictor how = {.cut = cut, .reading = &c->text.reading, .run = label_some};
    return ur_predict(&how, assets, count, texts, options, out, bad, err);
}

/* ---- the kinds ---------------------------------------------------------------------------- */

static const ur_setting training[] = {UR_FINE_TUNING, {NULL, NULL}};
static const char *const hides[] = {UR_FINE_TUNING_HIDES, NULL};
static const char *const former[] = {UR_BERT_FORMER, NULL};

#define FINE_TUNING                                                                                \
    .chosen_by = "init-from", .notes = ur_label_notes, .symbols_name = "pieces", .hides = hides,   \
    .former = former, .config_size = sizeof(ur_bert_labels_config), .defaults = training,          \
    .check = ur_bert_labels_check, .figures = ur_label_figures, .has_labels = true,                \
    .begins_with = &ur_kind_bert, .published = "bert", .head = "classifier",                       \
    .model_size = sizeof(ur_bert_labels), .build = ur_bert_labels_build, .init = ur_bert_init,     \
    .loss = loss, .evaluate = evaluate, UR_LABELLED_DATA, .prepare = prepare,                      \
    .weighs_steps = true, .pieces = pieces_of, .pairs = pairs_of, .fits = fits,                    \
    .open = open_source, .predict = predict

const ur_kind ur_kind_bert_classifier = {
    .name = "bert_classifier",
    .verb = "classifier",
    .architecture = "BertForSequenceClassification",
    .summary = "fine-tune a published BERT to label texts or pairs",
    .description =
        "Where --init-from names a folder with a BERT of Hugging Face's (config.json, "
        "model.safetensors, vocab.txt), or a run with one, that is fine-tuned to label texts, or "
        "pairs of texts. The run's folder can be read by transformers, as "
        "BertForSequenceClassification.",
    .example = "  $ unroll train classifier --data pairs.csv --init-from bert --out runs/pairs\n"
               "  $ printf 'A man sleeps.\\tA man is awake.\\n' | unroll predict runs/pairs -\n",
    .data_help = "a file with a label, a tab and a text (with --pairs a tab and another text) on "
                 "each line, or a CSV or TSV file with names of columns in its first line",
    .valid_help = "Texts to measure accuracy and F1 with after every epoch.",
    .examples_name = "texts",
    .measured_name = "texts",
    .unit = "sequences",
    .fields = classifier_fields,
    FINE_TUNING};

const ur_kind ur_kind_bert_tagger = {
    .name = "bert_tagger",
    .verb = "tagger",
    .architecture = "BertForTokenClassification",
    .summary = "fine-tune a published BERT to label words",
    .description =
        "Where --init-from names a folder with a BERT of Hugging Face's (config.json, "
        "model.safetensors, vocab.txt), or a run with one, that is fine-tuned to label words, each "
        "by its first piece. The run's folder can be read by transformers, as "
        "BertForTokenClassification.",
    .example = "  $ unroll train tagger --data train.txt --init-from bert --out runs/names\n",
    .data_help = "a file with a word and its label on each line, blank lines between sentences; "
                 "columns are separated by tabs or spaces, of more than two the first is the word "
                 "and the last the label, as in CoNLL-2003; CoNLL-U is recognised",
    .valid_help = "Sentences to measure accuracy and F1 with after every epoch.",
    .examples_name = "sentences",
    .measured_name = "words",
    .unit = "tokens",
    .fields = tagger_fields,
    FINE_TUNING};
