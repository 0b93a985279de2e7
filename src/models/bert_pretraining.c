/* bert_pretraining.c - the kind "bert": BERT with the heads of its pretraining, and what it learns
 * from (Devlin et al. 2019, section 3.1).
 *
 *   y = encoder([CLS] a [SEP] b [SEP]),  some words of a and b replaced (data/sentences.h)
 *   loss = 1/M sum over the M replaced words of -log softmax(words(y_t))[word]
 *        + 1/B sum over the B pairs of -log softmax(next(pool(y)))[b follows a ? 0 : 1]
 * Only the rows of replaced words go through the vocabulary. */
#include "models/bert.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "base/streams.h"
#include "data/sentences.h"
#include "models/kinds.h"
#include "models/parts.h"
#include "tape/runner.h"
#include "tape/tape.h"
#include "text/remarks.h"

struct ur_bert_data {
    const ur_allocator *a;
    ur_sentences sentences; /* of a text; else the ids of examples */
    ur_masked_pairs pairs;
    ur_masking masking;
    bool *may; /* masking.may */
    int32_t cls, sep;
    size_t batch;
    bool drawn; /* anew in each epoch */
    ur_remarks remarks;
};

/* ---- examples ------------------------------------------------------------------------------------ */

static size_t examples(const ur_model *model, const void *data)
{
    (void)model;
    return ((const ur_bert_data *)data)->pairs.count;
}

static const ur_masked_pair *example_at(const void *data, size_t i)
{
    return ur_masked_pair_at(&((const ur_bert_data *)data)->pairs, i);
}

static size_t length(const ur_model *model, const void *data, size_t i)
{
    (void)model;
    return ur_masked_pair_length(example_at(data, i));
}

static size_t positions(const ur_model *model, const void *data, size_t i)
{
    (void)model;
    return example_at(data, i)->n_masks;
}

static size_t batch_of(const ur_model *model, const void *data)
{
    (void)model;
    return ((const ur_bert_data *)data)->batch;
}

static size_t start_epoch(ur_model *model, void *data, uint64_t seed, uint64_t epoch)
{
    ur_bert_data *d = data;
    (void)model;
    if (d->drawn)
        ur_masked_pairs_draw(&d->pairs, &d->sentences, &d->masking, seed,
                             UR_STREAM_SENTENCES + epoch);
    return d->pairs.count;
}

/* ---- a shard -------------------------------------------------------------------------------------- */

/* Some examples as one batch. */
typedef struct shard {
    ur_seq *ids, *segments;
    ur_seq *words, *follows; /* what is to be told: a step for each mask, and for each pair */
    size_t masks;
    size_t *row; /* (masks) of the encoder's output */
} shard;

/* The input of an example. */
static void put_ids(const ur_bert_data *d, const ur_masked_pair *p, int32_t *ids, int32_t *segments)
{
    const ur_masked_pairs *all = &d->pairs;
    const size_t second = p->n_first + 2, n = ur_masked_pair_length(p);
    ids[0] = d->cls;
    memcpy(ids + 1, all->ids + p->first, p->n_first * sizeof *ids);
    ids[p->n_first + 1] = ids[n - 1] = d->sep;
    memcpy(ids + second, all->ids + p->second, p->n_second * sizeof *ids);
    for (size_t i = 0; i < n; i++)
        segments[i] = i >= second;
    for (size_t i = p->masks; i < p->masks + p->n_masks; i++)
        ids[all->at[i]] = all->shown[i];
}

static shard load(ur_tape *t, const ur_bert_data *d, size_t count, const size_t *which)
{
    shard s = {.ids = NULL};
    size_t rows = 0, *lengths = ur_take(t, count, sizeof *lengths);
    uint64_t *id = ur_take(t, count, sizeof *id);
    int32_t *follows = ur_take(t, count, sizeof *follows);
    for (size_t i = 0; lengths && id && follows && i < count; i++) {
        const ur_masked_pair *p = example_at(d, which[i]);
        rows += lengths[i] = ur_masked_pair_length(p);
        s.masks += p->n_masks;
        id[i] = which[i];
        follows[i] = !p->follows;
    }
    int32_t *ids = ur_take(t, rows, sizeof *ids), *segments = ur_take(t, rows, sizeof *segments);
    int32_t *words = ur_take(t, s.masks, sizeof *words);
    s.row = ur_take(t, s.masks, sizeof *s.row);
    const ur_layout *layout = ur_new_layout(t, UR_SEQUENCE_MAJOR, count, lengths, id);
    if (!layout || !ids || !segments || !words || !s.row)
        return s;
    for (size_t i = 0, at = 0, mask = 0; i < count; at += lengths[i++]) {
        const ur_masked_pair *p = example_at(d, which[i]);
        put_ids(d, p, ids + at, segments + at);
        for (size_t k = 0; k < p->n_masks; k++, mask++) {
            const size_t place = d->pairs.at[p->masks + k];
            words[mask] = ur_masked_pair_word(&d->pairs, p, place);
            s.row[mask] = ur_row(layout, i, place);
        }
    }
    s.ids = ur_seq_ints(t, layout, ids);
    s.segments = ur_seq_ints(t, layout, segments);
    s.words = ur_seq_ints(t, ur_one_step_layout(t, s.masks), words);
    s.follows = ur_seq_ints(t, ur_one_step_layout(t, count), follows);
    return s;
}

/* Logits of what is to be told. */
typedef struct told {
    ur_seq *words, *next;
} told;

static told forward(ur_tape *t, const ur_model *model, const shard *s)
{
    const told none = {NULL, NULL};
    ur_seq *y = ur_bert_encode(t, model, s->ids, s->segments, NULL);
    if (!y)
        return none;
    ur_tensor *words = ur_bert_words(t, model, ur_rows_of(t, y->values, s->masks, s->row));
    ur_tensor *next = ur_bert_next(t, model, ur_bert_pool(t, model, y));
    if (!words || !next)
        return none;
    return (told){ur_seq_new(t, words, s->words->layout), ur_seq_new(t, next, s->follows->layout)};
}

/* What the pairs' losses are divided by. The step has `normaliser` masks; of several batches, each counts by
 * its part of them. */
static double pairs_normaliser(const ur_bert_data *d, size_t example, double normaliser)
{
    const size_t batch = d->batch ? d->batch : d->pairs.count, begin = example / batch * batch;
    const size_t left = d->pairs.count - begin, pairs = left < batch ? left : batch;
    size_t masks = 0;
    for (size_t i = begin; i < begin + pairs; i++)
        masks += example_at(d, i)->n_masks;
    return (double)pairs * (normaliser / (double)masks);
}

static ur_tensor *loss(ur_tape *t, const ur_model *model, const void *data, size_t count,
                       const size_t *which, double normaliser)
{
    const shard s = load(t, data, count, which);
    const told y = forward(t, model, &s);
    if (!ur_tape_ok(t))
        return NULL;
    ur_tensor *words = ur_cross_entropy(t, y.words, s.words, normaliser);
    ur_tensor *next =
        ur_cross_entropy(t, y.next, s.follows, pairs_normaliser(data, which[0], normaliser));
    ur_tape_note(t, 0, words);
    ur_tape_note(t, 1, next);
    return ur_add(t, words, next);
}

/* ---- evaluation ------------------------------------------------------------------------------------ */

enum { MLM_LOSS, NSP_LOSS, MLM_ACCURACY, NSP_ACCURACY };

static const ur_figure figures[] = {
    [MLM_LOSS] = {.name = "mlm_loss",
                  .title = "masked-word loss",
                  .help = "of the masked words",
                  .average = UR_PER_POSITION,
                  .headline = true,
                  .noted = true},
    [NSP_LOSS] = {.name = "nsp_loss",
                  .title = "next-sentence loss",
                  .help = "of whether the second sentence follows the first",
                  .average = UR_PER_EXAMPLE,
                  .headline = true,
                  .noted = true},
    [MLM_ACCURACY] = {.name = "mlm_accuracy",
                      .title = "masked words",
                      .help = "masked words that are the most probable one",
                      .average = UR_PER_POSITION,
                      .higher_is_better = true,
                      .percent = true},
    [NSP_ACCURACY] = {.name = "nsp_accuracy",
                      .title = "next sentence",
                      .help = "pairs that are rightly told to follow each other, or not to",
                      .average = UR_PER_EXAMPLE,
                      .higher_is_better = true,
                      .percent = true},
    {.name = NULL}};

/* Adds the losses and the right answers of some rows. */
static void add_rows(ur_tape *t, const ur_seq *logits, const ur_seq *targets, double *sum,
                     double *right)
{
    const size_t rows = logits->values->dim[0], classes = logits->values->dim[1];
    const int32_t *target = ur_ints(targets->values);
    const float *each = ur_row_losses(t, logits, targets);
    const float *x = each ? ur_read(t, logits->values) : NULL;
    for (size_t r = 0; each && x && r < rows; r++) {
        *sum += (double)each[r];
        *right += ur_host_argmax(t->context, classes, x + r * classes) == (size_t)target[r];
    }
}

typedef struct evaluation {
    const ur_model *model;
    const void *data;
    ur_measure *sum;
} evaluation;

static size_t item_length(const void *arg, size_t item)
{
    return ur_masked_pair_length(example_at(((const evaluation *)arg)->data, item));
}

static void measure_shard(void *arg, ur_tape *t, size_t count, const size_t *items, void *result)
{
    const evaluation *e = arg;
    ur_measure *sum = result;
    const shard s = load(t, e->data, count, items);
    const told y = forward(t, e->model, &s);
    if (!ur_tape_ok(t))
        return;
    add_rows(t, y.words, s.words, &sum->sum[MLM_LOSS], &sum->sum[MLM_ACCURACY]);
    add_rows(t, y.next, s.follows, &sum->sum[NSP_LOSS], &sum->sum[NSP_ACCURACY]);
    sum->positions += s.masks;
    sum->examples += count;
}

static void add_measure(void *arg, const void *result)
{
    const ur_measure *m = result;
    ur_measure *sum = ((const evaluation *)arg)->sum;
    sum->positions += m->positions;
    sum->examples += m->examples;
    for (size_t i = 0; i < sizeof figures / sizeof *figures - 1; i++)
        sum->sum[i] += m->sum[i];
}

/* The loss of all is the sum of two means over different counts. */
static ur_status evaluate(const ur_model *model, const void *data, ur_measure *out,
                          ur_confusion *confusion, ur_err *err)
{
    UR_FPMODE_HERE;
    evaluation e = {model, data, out};
    const ur_items_job job = {.count = examples(model, data),
                              .length = item_length,
                              .run = measure_shard,
                              .result_size = sizeof(ur_measure),
                              .add = add_measure};
    (void)confusion;
    *out = (ur_measure){0};
    const ur_status status = ur_run_items(model->context, model->params, &job, &e, err);
    if (status == UR_OK && out->examples)
        out->loss = out->sum[MLM_LOSS] +
                    out->sum[NSP_LOSS] * (double)out->positions / (double)out->examples;
    return status;
}

/* ---- data made by a program ------------------------------------------------------------------------- */

void ur_bert_data_free(ur_bert_data *d)
{
    if (!d)
        return;
    const ur_allocator *a = d->a;
    ur_masked_pairs_free(&d->pairs);
    ur_sentences_free(&d->sentences);
    ur_remarks_free(&d->remarks);
    ur_free(a, d->may);
    ur_free(a, d);
}

static ur_status new_data(const ur_allocator *a, ur_bert_data **out, ur_err *err)
{
    ur_bert_data *d = *out = ur_alloc_zero(a, 1, sizeof *d);
    if (!d)
        return ur_no_memory(err, sizeof *d);
    d->a = d->sentences.a = d->pairs.a = d->remarks.a = a;
    return UR_OK;
}

static ur_status check_example(const ur_bert_example *e, size_t i, ur_err *err)
{
    const size_t n = e->first.length + e->second.length + 3;
    if (e->first.length == 0 || e->second.length == 0)
        return ur_fail(err, UR_INVALID, "bert: example %zu has an empty text", i);
    for (size_t k = 0; k < e->masks; k++)
        if (e->at[k] == 0 || e->at[k] >= n - 1 || e->at[k] == e->first.length + 1 ||
            (k && e->at[k] <= e->at[k - 1]))
            return ur_fail(err, UR_INVALID,
                           "bert: example %zu has a mask at %zu, which is no word's place or does "
                           "not rise",
                           i, e->at[k]);
    return e->masks ? UR_OK : ur_fail(err, UR_INVALID, "bert: example %zu has no mask", i);
}

static ur_status copy_examples(ur_bert_data *d, size_t count, const ur_bert_example *example,
                               ur_err *err)
{
    ur_masked_pairs *p = &d->pairs;
    ur_sentences *s = &d->sentences;
    size_t masks = 0;
    for (size_t i = 0; i < count; i++) {
        const ur_bert_example *e = &example[i];
        const ur_status status = check_example(e, i, err);
        if (status != UR_OK)
            return status;
        if (!ur_sentences_paragraph(s) || !ur_sentences_add(s, e->first.ids, e->first.length) ||
            !ur_sentences_add(s, e->second.ids, e->second.length))
            return ur_no_memory(err, s->used * sizeof *s->ids);
        masks += e->masks;
    }
    p->pair = ur_alloc(d->a, count, sizeof *p->pair);
    p->order = ur_alloc(d->a, count, sizeof *p->order);
    p->at = ur_alloc(d->a, masks, sizeof *p->at);
    p->shown = ur_alloc(d->a, masks, sizeof *p->shown);
    if (!p->pair || !p->order || !p->at || !p->shown)
        return ur_no_memory(err, masks * sizeof *p->shown);
    masks = 0;
    for (size_t i = 0; i < count; i++) {
        const ur_bert_example *e = &example[i];
        p->order[i] = i;
        p->pair[i] = (ur_masked_pair){.first = s->begin[2 * i],
                                      .second = s->begin[2 * i + 1],
                                      .n_first = e->first.length,
                                      .n_second = e->second.length,
                                      .masks = masks,
                                      .n_masks = e->masks,
                                      .follows = e->follows};
        for (size_t k = 0; k < e->masks; k++, masks++) {
            p->at[masks] = (uint32_t)e->at[k];
            p->shown[masks] = e->shown[k];
        }
    }
    p->ids = s->ids;
    p->count = count;
    return UR_OK;
}

ur_status ur_bert_data_new(ur_context *context, size_t count, const ur_bert_example *example,
                           int32_t cls, int32_t sep, size_t batch, ur_bert_data **out, ur_err *err)
{
    ur_bert_data *d;
    *out = NULL;
    ur_status status = new_data(ur_context_allocator(context), &d, err);
    if (status == UR_OK)
        status = copy_examples(d, count, example, err);
    if (status != UR_OK) {
        ur_bert_data_free(d);
        return status;
    }
    d->cls = cls;
    d->sep = sep;
    d->batch = batch;
    *out = d;
    return UR_OK;
}

/* ---- data from files ---------------------------------------------------------------------------------- */

void ur_bert_pieces(const void *config, ur_wordpiece_options *out)
{
    static const char *const angle[UR_SPECIALS] = {"<unk>", "<cls>", "<sep>", "<pad>", "<mask>"};
    const ur_bert_text *t = &((const ur_bert_config *)config)->text;
    *out = ur_wordpiece_defaults();
    out->lower = t->lower;
    out->strip_accents = t->strip_accents == UR_BERT_ACCENTS_AUTO
                             ? t->lower
                             : t->strip_accents == UR_BERT_ACCENTS_STRIPPED;
    if (t->specials == UR_BERT_ANGLE)
        memcpy(out->special, angle, sizeof angle);
}

/* A tokenizer that knows special tokens alone. */
static ur_status plain_wordpiece(const ur_allocator *a, const ur_wordpiece_options *o,
                                 ur_wordpiece **out, ur_err *err)
{
    char text[64 * UR_SPECIALS];
    size_t used = 0;
    for (size_t i = 0; i < UR_SPECIALS; i++) {
        const size_t n = strlen(o->special[i]);
        memcpy(text + used, o->special[i], n);
        text[used + n] = '\n';
        used += n + 1;
    }
    return ur_wordpiece_parse(a, "special tokens", text, used, o, out, err);
}

static ur_status learn_wordpiece(const ur_assets *assets, const ur_wordpiece_options *o,
                                 ur_wordpiece **out, ur_err *err)
{
    const ur_allocator *a = ur_context_allocator(assets->context);
    const ur_bert_text *t = &((const ur_bert_config *)assets->config)->text;
    const ur_wordpiece_choice choice = {o->special, t->tokens == UR_BERT_WORDS, t->max_size,
                                        t->min_freq};
    ur_wordpiece *plain = NULL;
    ur_vocabulary *words = NULL;
    ur_word_count *counts = NULL;
    char *text = NULL;
    size_t n, size;
    ur_status status = plain_wordpiece(a, o, &plain, err);
    if (status == UR_OK)
        status = ur_sentences_words(a, assets->data->data, plain, &words, &counts, &n, err);
    if (status == UR_OK)
        status = ur_wordpiece_learn(a, n, counts, &choice, &text, &size, err);
    if (status == UR_OK)
        status = ur_wordpiece_parse(a, "the vocabulary", text, size, o, out, err);
    ur_free(a, text);
    ur_free(a, counts);
    ur_vocabulary_free(words);
    ur_wordpiece_free(plain);
    return status;
}

static ur_status take_vocabulary(ur_assets *assets, ur_err *err)
{
    ur_bert_config *c = assets->config;
    const ur_bert_config *like = assets->like;
    ur_wordpiece_options o;
    ur_bert_pieces(c, &o);
    ur_status status = UR_OK;
    if (!assets->wordpiece && c->text.file)
        status = ur_wordpiece_load(ur_context_allocator(assets->context), c->text.file, &o,
                                   &assets->wordpiece, err);
    else if (!assets->wordpiece)
        status = learn_wordpiece(assets, &o, &assets->wordpiece, err);
    if (status != UR_OK)
        return status;
    c->vocabulary = like ? like->vocabulary : ur_wordpiece_size(assets->wordpiece);
    return UR_OK;
}

static ur_status set_masking(ur_bert_data *d, const ur_bert_config *c, const ur_wordpiece *w,
                             ur_err *err)
{
    const size_t tokens = ur_wordpiece_size(w);
    size_t others = tokens;
    d->cls = ur_wordpiece_special(w, UR_CLS);
    d->sep = ur_wordpiece_special(w, UR_SEP);
    d->may = ur_alloc(d->a, tokens, sizeof *d->may);
    if (!d->may)
        return ur_no_memory(err, tokens * sizeof *d->may);
    memset(d->may, true, tokens * sizeof *d->may);
    for (int i = 0; i < UR_SPECIALS; i++) {
        const int32_t id = ur_wordpiece_special(w, (ur_special)i);
        others -= id >= 0 && d->may[id];
        if (id >= 0)
            d->may[id] = false;
    }
    if (others == 0)
        return ur_fail(err, UR_BAD_FILE, "the vocabulary has special tokens alone");
    d->masking = (ur_masking){.most = c->text.max_length ? c->text.max_length : c->positions,
                              .masked = c->text.masked,
                              .mask = ur_wordpiece_special(w, UR_MASK),
                              .tokens = tokens,
                              .may = d->may};
    return UR_OK;
}

/* What reading found, of a text whose vocabulary is its own or not. */
static ur_status note(ur_bert_data *d, const char *path, size_t too_long, size_t all,
                      size_t unknown, ur_err *err)
{
    ur_status status = UR_OK;
    if (too_long)
        status = ur_remark(&d->remarks, err,
                           "%s: %zu of %zu pairs of neighbouring sentences have more than %zu "
                           "pieces and are left out (--max-length)",
                           path, too_long, all, d->masking.most);
    if (status == UR_OK && unknown)
        status = ur_remark(&d->remarks, err, "%s: %zu of %zu pieces are unknown", path, unknown,
                           d->sentences.used);
    return status;
}

static ur_status read_sentences(const ur_assets *assets, const char *path, ur_bert_data **out,
                                ur_err *err)
{
    const ur_bert_config *c = assets->config;
    ur_bert_data *d;
    *out = NULL;
    ur_status status = new_data(ur_context_allocator(assets->context), &d, err);
    if (status == UR_OK)
        status =
            ur_sentences_read(d->a, path, assets->wordpiece, c->text.sentences, &d->sentences, err);
    if (status == UR_OK)
        *out = d;
    else
        ur_bert_data_free(d);
    return status;
}

/* The pairs of sentences that were read. */
static ur_status make_pairs(const ur_assets *assets, const char *path, size_t batch,
                            ur_bert_data *d, ur_err *err)
{
    const int32_t unk = ur_wordpiece_special(assets->wordpiece, UR_UNK);
    size_t too_long = 0, all = 0;
    ur_err why;
    ur_status status = set_masking(d, assets->config, assets->wordpiece, err);
    if (status == UR_OK && (status = ur_masked_pairs_new(&d->sentences, &d->masking, &d->pairs,
                                                         &too_long, &all, &why)) != UR_OK)
        status = ur_fail(err, status, "%s: %s", path, why.text);
    if (status == UR_OK)
        status = note(d, path, too_long, all,
                      ur_ids_count((ur_ids){d->sentences.ids, d->sentences.used}, unk), err);
    if (status != UR_OK)
        return status;
    d->batch = batch;
    d->drawn = batch > 0;
    /* what is measured with is the same in every epoch and run; a training draws its own first */
    ur_masked_pairs_draw(&d->pairs, &d->sentences, &d->masking, 0, UR_STREAM_MEASURED);
    return UR_OK;
}

static ur_status read_data(const ur_assets *assets, const char *path, ur_bert_data **out,
                           ur_err *err)
{
    ur_status status = read_sentences(assets, path, out, err);
    if (status == UR_OK)
        status = make_pairs(assets, path, 0, *out, err);
    if (status != UR_OK) {
        ur_bert_data_free(*out);
        *out = NULL;
    }
    return status;
}

static ur_status open_source(const ur_assets *assets, const ur_pair_source *source, void **out,
                             ur_err *err)
{
    ur_bert_data *d;
    const ur_status status = read_data(assets, source->data, &d, err);
    *out = d;
    return status;
}

static ur_status fits(const ur_assets *assets, ur_err *err)
{
    const ur_bert_config *c = assets->config;
    const size_t size = ur_wordpiece_size(assets->wordpiece);
    if (size > c->vocabulary)
        return ur_fail(err, UR_INVALID, "the vocabulary has %zu tokens, the embedding %zu", size,
                       c->vocabulary);
    return ur_wordpiece_special(assets->wordpiece, UR_MASK) >= 0
               ? UR_OK
               : ur_fail(err, UR_INVALID,
                         "the vocabulary has no token for masked words, such as [MASK]");
}

/* A part of the training text's paragraphs. */
static ur_status split(ur_assets *assets, ur_bert_data *train, ur_err *err)
{
    const ur_data_options *wanted = assets->data;
    ur_bert_data *valid;
    ur_status status = new_data(train->a, &valid, err);
    assets->valid = valid;
    if (status == UR_OK)
        status = ur_sentences_split(&train->sentences, wanted->valid_split, wanted->seed,
                                    &valid->sentences, err);
    return status == UR_OK ? make_pairs(assets, wanted->data, 0, valid, err) : status;
}

static ur_status prepare(ur_assets *assets, ur_err *err)
{
    const ur_data_options *wanted = assets->data;
    ur_bert_data *train = NULL, *valid = NULL;
    ur_status status = ur_assets_no_generator(assets, err);
    if (status == UR_OK && !assets->model)
        status = take_vocabulary(assets, err);
    if (status == UR_OK)
        status = fits(assets, err);
    if (status == UR_OK)
        status = read_sentences(assets, wanted->data, &train, err);
    assets->train = train;
    if (status == UR_OK && wanted->valid) {
        status = read_data(assets, wanted->valid, &valid, err);
        assets->valid = valid;
    } else if (status == UR_OK && wanted->valid_split > 0.0) {
        status = split(assets, train, err);
    }
    if (status == UR_OK)
        status = make_pairs(assets, wanted->data, wanted->batch, train, err);
    return status == UR_OK && !assets->model ? ur_assets_make_model(assets, err) : status;
}

static void free_data(void *data)
{
    ur_bert_data_free(data);
}

static const char *remark(const void *data, size_t i)
{
    return ur_remark_at(&((const ur_bert_data *)data)->remarks, i);
}

static uint64_t fingerprint(const void *data)
{
    const ur_sentences *s = &((const ur_bert_data *)data)->sentences;
    uint64_t hash = UR_FINGERPRINT;
    for (size_t i = 0; i < s->used; i++)
        hash = ur_fingerprint_add(hash, (uint32_t)s->ids[i]);
    for (size_t i = 0; i < s->count; i++)
        hash = ur_fingerprint_add(hash, s->begin[i]);
    for (size_t i = 0; i < s->paragraphs; i++)
        hash = ur_fingerprint_add(hash, s->paragraph[i]);
    return hash;
}

/* Neighbouring sentences. */
static size_t extent(const void *data)
{
    const ur_sentences *s = &((const ur_bert_data *)data)->sentences;
    return s->count - s->paragraphs;
}

/* ---- the kind ------------------------------------------------------------------------------------------ */

static const char *const hides[] = {"size", "valid_size", "batch_tokens", "own_vocabulary", NULL};

/* Of Dive into Deep Learning, whose words end at white space alone. */
static const ur_setting book[] = {{"hidden_size", "128"},
                                  {"num_hidden_layers", "2"},
                                  {"num_attention_heads", "2"},
                                  {"intermediate_size", "256"},
                                  {"max_position_embeddings", "64"},
                                  {"hidden_act", "relu"},
                                  {"layer_norm_eps", "1e-5"},
                                  {"embedding_norm", "false"},
                                  {"tie_word_embeddings", "false"},
                                  {"hidden_dropout_prob", "0.2"},
                                  {"attention_probs_dropout_prob", "0.2"},
                                  {"init", "pytorch"},
                                  {"text.tokens", "words"},
                                  {"text.max_size", "0"},
                                  {"text.min_freq", "5"},
                                  {"text.special_tokens", "angle"},
                                  {"text.sentences", "stops"},
                                  {"batch", "512"},
                                  {"lr", "0.01"},
                                  {"clip", "0"},
                                  {NULL, NULL}};
static const ur_preset presets[] = {{"book",
                                     "Dive into Deep Learning, section 15.10: 2 layers of 128 "
                                     "features, whole words, pairs of at most "
                                     "64 tokens.",
                                     book},
                                    {NULL, NULL, NULL}};

static const ur_setting training[] = {{"batch", "64"}, {"lr", "1e-3"}, {"clip", "1"}, {NULL, NULL}};

const ur_kind ur_kind_bert = {
    .name = "bert",
    .verb = "bert",
    .summary = "pretrain BERT on a text",
    .description =
        "Trains a BERT to tell masked words, and whether a sentence follows another. The "
        "run's folder is one as Hugging Face's transformers read and write it.",
    .example = "  $ unroll train bert --data wiki.train.tokens --out runs/bert\n"
               "  $ unroll fill runs/bert \"the [MASK] of the city\"\n",
    .data_help = "a text with a paragraph on each line",
    .valid_help = "A text to measure with after every epoch.",
    .examples_name = "pairs of neighbouring sentences",
    .symbols_name = "tokens",
    .measured_name = "masked words",
    .loss_is = "sum of the two means",
    .unit = "sequences",
    .hides = hides,
    .presets = presets,
    .fields = ur_bert_fields,
    .config_size = sizeof(ur_bert_config),
    .defaults = training,
    .check = ur_bert_check,
    .figures = figures,
    .model_size = sizeof(ur_bert),
    .build = ur_bert_build,
    .init = ur_bert_init,
    .loss = loss,
    .evaluate = evaluate,
    .examples = examples,
    .length = length,
    .positions = positions,
    .start_epoch = start_epoch,
    .batch = batch_of,
    .pieces = ur_bert_pieces,
    .prepare = prepare,
    .fits = fits,
    .open = open_source,
    .free_data = free_data,
    .splits = true,
    .remark = remark,
    .fingerprint = fingerprint,
    .extent = extent,
    .predict = ur_bert_predict,
};
