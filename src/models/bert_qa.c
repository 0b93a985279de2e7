/* bert_qa.c - the kind that fine-tunes a published BERT to answer questions by a part of a text (Devlin et al.
 * 2019, section 4.2): fields of its configuration, loss, data. What it answers is in bert_answers.c, the head in
 * bert_heads.c. */
#include "models/bert_qa.h"

#include <string.h>

#include "base/status.h"
#include "models/bert_rows.h"
#include "models/parts.h"
#include "tape/tape.h"

typedef ur_bert_qa_config config;

/* ---- fields ------------------------------------------------------------------------------- */

#define AT(member) .offset = offsetof(config, member)

static const char *const stride_words[] = {"auto", NULL};

/* clang-format off */
static const ur_field fields[] = {
    UR_BERT_MODEL_ROWS(config),
    UR_BERT_NORM_ROWS(config),
    UR_BERT_TOKENIZER_ROWS(config),
    {.name = "read.stride", .metavar = "auto|N", .group = "data", .type = UR_FIELD_SIZE, AT(stride),
     .most = 1 << 20, .words = stride_words, .initial = "auto", .absent = "auto", .of_data = true,
     .help = "Pieces that two neighbouring windows of a text share, where it does not fit one. auto: 128, "
             "or half of what a window has of the text where that is less."},
    {.name = "read.max_answer", .metavar = "N", .group = "data", .type = UR_FIELD_SIZE, AT(max_answer),
     .least = 1, .most = 1 << 20, .initial = "30", .absent = "30", .of_data = true,
     .help = "Pieces of an answer, at most."},
    {.name = "read.unanswerable", .group = "data", .type = UR_FIELD_BOOL, AT(unanswerable),
     .absent = "false", .shown = "where the data has such questions", .of_data = true,
     .help = "A text may have no answer: none is given where [CLS] scores more than the best one by more "
             "than --null-threshold (SQuAD 2.0)."},
    {.name = "read.null_threshold", .metavar = "X", .group = "data", .type = UR_FIELD_REAL,
     AT(null_threshold), .least = -1e9, .most = 1e9, .initial = "0", .absent = "0", .of_data = true,
     .help = "How much that is; greater values give fewer texts no answer."},
    UR_BERT_READING_ROWS(config,
        "Pieces of a window: of the question, a part of the text, and three special tokens.",
        "384, or what the BERT reads",
        "Leave out, and count, questions that leave no room for a window of --max-length."),
    {.name = NULL},
};
/* clang-format on */

static ur_status check(const void *of, ur_err *err)
{
    enum { FEWEST = 5 }; /* [CLS] question [SEP] text [SEP] */
    const config *c = of;
    const ur_status status = ur_bert_head_check(&c->bert, &c->text, FEWEST, err);
    if (status == UR_OK && c->bert.segments < 2)
        return ur_fail(err, UR_INVALID, "questions and texts: this BERT knows one segment alone");
    return status;
}

static void pieces_of(const void *of, ur_wordpiece_options *out)
{
    *out = ur_bert_cut(&((const config *)of)->text);
}

static bool always(const void *of)
{
    (void)of;
    return true;
}

static ur_status build(ur_model *model, ur_err *err)
{
    ur_bert_qa *m = (ur_bert_qa *)model;
    config *c = model->config;
    m->config = c;
    return ur_bert_head_build(model, &c->bert, false, "qa_outputs", 2, &m->qa_outputs, err);
}

/* ---- windows on a tape -------------------------------------------------------------------- */

bool ur_asked_batch(ur_tape *t, const ur_questions *q, size_t count, const size_t *which,
                    const uint64_t *id, ur_seq **x, ur_seq **s)
{
    size_t rows = 0, *lengths = ur_take(t, count, sizeof *lengths);
    for (size_t i = 0; lengths && i < count; i++)
        rows += lengths[i] = ur_asked_length(q, &q->window[which[i]]);
    int32_t *ids = ur_take(t, rows, sizeof *ids), *segments = ur_take(t, rows, sizeof *segments);
    if (!lengths || !ids || !segments)
        return false;
    for (size_t i = 0, at = 0; i < count; at += lengths[i++])
        ur_asked_input(q, &q->window[which[i]], ids + at, segments + at);
    const ur_layout *layout = ur_new_layout(t, UR_SEQUENCE_MAJOR, count, lengths, id);
    *x = ur_seq_ints(t, layout, ids);
    *s = ur_seq_ints(t, layout, segments);
    return *x && *s;
}

ur_seq *ur_asked_spans(ur_tape *t, const ur_model *model, const ur_questions *q, size_t count,
                       const size_t *which, const uint64_t *id)
{
    ur_seq *x, *s;
    if (!ur_asked_batch(t, q, count, which, id, &x, &s))
        return NULL;
    return ur_bert_spans(t, model, ur_bert_encode(t, model, x, s, NULL));
}

static ur_tensor *loss(ur_tape *t, const ur_model *model, const void *data, size_t count,
                       const size_t *which, double normaliser)
{
    const ur_questions *q = data;
    int32_t *start = ur_take(t, count, sizeof *start), *end = ur_take(t, count, sizeof *end);
    uint64_t *id = ur_take(t, count, sizeof *id);
    if (!start || !end || !id)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        start[i] = q->window[which[i]].start;
        end[i] = q->window[which[i]].end;
        id[i] = which[i];
    }
    const ur_seq *logits = ur_asked_spans(t, model, q, count, which, id);
    return logits ? ur_bert_span_loss(t, logits, start, end, normaliser) : NULL;
}

/* ---- data --------------------------------------------------------------------------------- */

ur_windowing ur_bert_windowing(const ur_assets *assets)
{
    enum { LONGEST = 384 }; /* as the paper has it */
    const config *c = assets->config;
    const size_t most = ur_bert_longest(&c->bert, &c->text);
    const bool said = c->text.reading.max_length > 0;
    return (ur_windowing){.wordpiece = assets->wordpiece,
                          .longest = said || most < LONGEST ? most : LONGEST,
                          .stride = c->stride,
                          .skip = c->text.reading.skip,
                          .answering = {.max_answer = c->max_answer,
                                        .unanswerable = c->unanswerable,
                                        .threshold = c->null_threshold}};
}

static ur_status read_file(const ur_assets *assets, const char *path, bool learn, void **out,
                           ur_err *err)
{
    ur_windowing how = ur_bert_windowing(assets);
    ur_questions *q;
    how.learn = learn;
    const ur_status status =
        ur_questions_read(ur_context_allocator(assets->context), path, &how, &q, err);
    if (status == UR_OK)
        q->answering.unanswerable |= q->unanswerable;
    *out = q;
    return status;
}

static ur_status open_source(const ur_assets *assets, const ur_pair_source *source, void **out,
                             ur_err *err)
{
    return read_file(assets, source->data, false, out, err);
}

static ur_status split(ur_assets *assets, ur_err *err)
{
    const ur_data_options *wanted = assets->data;
    ur_questions *valid;
    const ur_status status =
        ur_questions_split(assets->train, wanted->valid_split, wanted->seed, &valid, err);
    assets->valid = valid;
    return status;
}

static ur_status prepare(ur_assets *assets, ur_err *err)
{
    config *c = assets->config;
    const ur_data_options *wanted = assets->data;
    ur_status status = ur_assets_no_generator(assets, err);
    if (status == UR_OK)
        status = ur_bert_started(assets, err);
    if (status == UR_OK)
        status = read_file(assets, wanted->data, true, &assets->train, err);
    if (status == UR_OK && !assets->model) {
        c->unanswerable = ((const ur_questions *)assets->train)->answering.unanswerable;
        status = ur_assets_make_model(assets, err);
    }
    if (status == UR_OK && wanted->valid)
        return read_file(assets, wanted->valid, false, &assets->valid, err);
    return status == UR_OK && wanted->valid_split > 0.0 ? split(assets, err) : status;
}

static size_t examples(const ur_model *model, const void *data)
{
    (void)model;
    return ((const ur_questions *)data)->windows;
}

static size_t length(const ur_model *model, const void *data, size_t i)
{
    const ur_questions *q = data;
    (void)model;
    return ur_asked_length(q, &q->window[i]);
}

static void free_data(void *data)
{
    ur_questions_free(data);
}

static uint64_t fingerprint(const void *data)
{
    return ur_questions_fingerprint(data);
}

static size_t extent(const void *data)
{
    return ((const ur_questions *)data)->count;
}

static const char *remark(const void *data, size_t i)
{
    return ur_remark_at(&((const ur_questions *)data)->remarks, i);
}

/* ---- the kind ----------------------------------------------------------------------------- */

static const ur_figure figures[] = {
    [UR_QA_EXACT] = {.name = "exact_match",
                     .title = "exact match",
                     .help = "answers that are right but for case, punctuation and articles",
                     .average = UR_PER_EXAMPLE,
                     .higher_is_better = true,
                     .percent = true,
                     .headline = true},
    [UR_QA_F1] = {.name = "f1",
                  .title = "F1",
                  .help = "mean overlap of the answers' words",
                  .average = UR_PER_EXAMPLE,
                  .higher_is_better = true,
                  .percent = true,
                  .headline = true},
    {.name = NULL}};

static const ur_setting training[] = {UR_FINE_TUNING, {"best_by", "f1"}, {NULL, NULL}};
static const char *const hides[] = {UR_FINE_TUNING_HIDES, NULL};
static const char *const former[] = {UR_BERT_FORMER, NULL};

static const char *const notes[] = {"The verb is qa for question answering, as transformers' "
                                    "run_qa.py and BertForQuestionAnswering have it: the "
                                    "answer is a part of the text that comes with the question. A "
                                    "text of more pieces than a window (--max-length) "
                                    "has is cut into several, which share --stride pieces; in each "
                                    "the answer is learned, or where it does not hold "
                                    "all of it that there is none. To be asked, a line is a "
                                    "question, a tab and a text; the answer to it is a line "
                                    "of the answer, its probability among the best ones, and the "
                                    "characters of the text where it begins and ends, "
                                    "with tabs between them.",
                                    "Exact match and F1 are those of SQuAD's evaluation. The best "
                                    "weights are those with the greatest F1.",
                                    NULL};

const ur_kind ur_kind_bert_qa = {
    .name = "bert_qa",
    .verb = "qa",
    .architecture = "BertForQuestionAnswering",
    .summary = "fine-tune a published BERT to answer questions from a text",
    .description = "Fine-tunes a BERT to answer questions by a part of a text, as in SQuAD. "
                   "--init-from names a folder of Hugging "
                   "Face's (config.json, model.safetensors, vocab.txt), or a run with one. The "
                   "run's folder can be read by "
                   "transformers, as BertForQuestionAnswering.",
    .example = "  $ unroll train qa --data train-v1.1.json --init-from bert --out runs/qa\n"
               "  $ printf 'Who sat?\\tThe cat sat on the mat.\\n' | unroll predict runs/qa -\n",
    .notes = notes,
    .data_help = "a file of SQuAD's form (JSON, version 1.1 or 2.0)",
    .valid_help =
        "Questions of the same form to measure exact match and F1 with after every epoch.",
    .examples_name = "questions",
    .symbols_name = "pieces",
    .measured_name = "windows",
    .unit = "sequences",
    .hides = hides,
    .fields = fields,
    .former = former,
    .config_size = sizeof(config),
    .defaults = training,
    .check = check,
    .figures = figures,
    .begins_with = &ur_kind_bert,
    .published = "bert",
    .head = "qa_outputs",
    .model_size = sizeof(ur_bert_qa),
    .build = build,
    .init = ur_bert_init,
    .loss = loss,
    .evaluate = ur_bert_qa_evaluate,
    .examples = examples,
    .length = length,
    .weighs_steps = true,
    .pieces = pieces_of,
    .pairs = always,
    .prepare = prepare,
    .fits = ur_bert_fits,
    .open = open_source,
    .free_data = free_data,
    .splits = true,
    .fingerprint = fingerprint,
    .extent = extent,
    .remark = remark,
    .predict = ur_bert_qa_predict};
