/* language_model.c - the next token: configuration, loss of a batch of windows, perplexity of a
 * text, its data. What makes logits of tokens, and how it writes, is in language_model_rnn.c and
 * language_model_transformer.c.
 *
 *   loss = 1/normaliser sum_t -log softmax(logits_t)[id_{t+1}]
 * Sequential windows take their states from the data's carry and leave them there. */
#include "models/language_model.h"

#include <string.h>

#include "backend/cell.h"
#include "backend/context.h"
#include "base/alloc.h"
#include "base/fpmode.h"
#include "base/status.h"
#include "base/tiny.h"
#include "models/kinds.h"
#include "models/parts.h"
#include "models/predict.h"
#include "models/text_source.h"

/* ---- configuration ------------------------------------------------------------------------ */

static const ur_language_network *const networks[] = {&ur_language_rnn, &ur_language_transformer};

const char *ur_language_network_name(size_t i)
{
    return i < sizeof networks / sizeof(ur_language_network *) ? networks[i]->name : NULL;
}

static const char *const embed_words[] = {"auto", NULL};
static const char *const sampling_words[] = {"sequential", "random", NULL};

#define AT(member) .offset = offsetof(ur_language_model_config, member)

/* clang-format off */
static const ur_field fields[] = {
    UR_VOCABULARY_ROW(ur_language_model_config),
    {.name = "network", .flag = "model", .group = "model", .type = UR_FIELD_ENUM, AT(network),
     .word = ur_language_network_name, .initial = "rnn", .absent = "rnn",
     .help = "What reads and writes: recurrent layers (rnn), or a Transformer."},
    {.name = "cell", .group = "model", .type = UR_FIELD_NAME, AT(cell), .word = ur_cell_name,
     .synonyms = ur_cell_synonyms, .initial = "lstm", .belongs = "network=rnn",
     .help = "What the layers are made of. rnn is rnn_tanh."},
    {.name = "embed_size", .flag = "embed", .metavar = "N", .group = "model", .type = UR_FIELD_SIZE,
     AT(embed_size), .most = UR_MOST_UNITS, .words = embed_words, .initial = "auto", .shown = "",
     .belongs = "network=rnn",
     .help = "Numbers that stand for a token. Without it characters are one-hot rows, and words "
             "get as many numbers as there are units."},
    UR_HIDDEN_ROW(ur_language_model_config, "128",
                  "Units of each layer, or a Transformer's features."),
    UR_LAYERS_ROW(ur_language_model_config, "Layers.", NULL),
    {.name = "bidirectional", .group = "model", .type = UR_FIELD_BOOL, AT(bidirectional),
     .shown = "", .belongs = "network=rnn",
     .help = "Read from both ends: a comparison, for such a model sees what it is to predict and "
             "cannot generate."},
    {.name = "tied", .group = "model", .type = UR_FIELD_BOOL, AT(tied), .shown = "",
     .belongs = "network=rnn",
     .help = "The output layer's weights are the embedding's, as a Transformer's always are."},
    UR_DROPOUT_ROW(ur_language_model_config,
                   "Part of the embeddings, of what goes from layer to layer and of the last "
                   "layer's output that is dropped; of a Transformer also of the attention "
                   "weights, in place of the last output."),
    UR_HEADS_ROW(ur_language_model_config, 0, "4", "network=transformer", " 0: 4."),
    UR_FEED_FORWARD_ROW(ur_language_model_config, "0", "network=transformer"),
    UR_ACTIVATION_ROW(ur_language_model_config, "gelu", "gelu", "network=transformer"),
    {.name = "bptt", .metavar = "N", .group = "model", .type = UR_FIELD_SIZE, AT(bptt), .least = 1,
     .most = 1 << 20, .initial = "35",
     .help = "Steps of a window, through which gradients flow. A Transformer sees no more than "
             "so many tokens."},
    {.name = "sampling", .metavar = "sequential|random", .group = "model", .type = UR_FIELD_ENUM,
     AT(sampling), .words = sampling_words, .initial = "sequential", .belongs = "network=rnn",
     .help = "sequential: --batch streams are read side by side, their states carried from "
             "window to window. random: windows in any order, states beginning anew, "
             "as a Transformer's always do."},
    {.name = "keep_tail", .group = "model", .type = UR_FIELD_BOOL, AT(keep_tail), .shown = "",
     .help = "Also learn the last batch of an epoch, which is shorter or smaller."},
    UR_TEXT_SOURCE_ROWS(ur_language_model_config, text, "char"),
    {.name = NULL},
};
/* clang-format on */

static const ur_setting one_hot[] = {{"embed_size", "0"}, {NULL, NULL}};
static const ur_shorthand shorthands[] = {
    {"one-hot", "model", "No embedding: a token is a row of zeros with one 1.", one_hot},
    {NULL, NULL, NULL, NULL}};

ur_language_model_config ur_language_model_defaults(void)
{
    ur_language_model_config c;
    ur_kind_defaults(&ur_kind_language_model, &c);
    return c;
}

static ur_status check(const void *config, ur_err *err)
{
    const ur_language_model_config *c = config;
    return networks[c->network]->check(c, err);
}

ur_status ur_language_model_check(const ur_language_model_config *config, ur_err *err)
{
    return ur_kind_check(&ur_kind_language_model, config, err);
}

/* ---- parameters --------------------------------------------------------------------------- */

static ur_status build(ur_model *model, ur_err *err)
{
    ur_language_model *m = (ur_language_model *)model;
    ur_language_model_config *c = model->config;
    const ur_status status = ur_check_vocabulary(model->kind, c->vocabulary, 2, err);
    if (status != UR_OK)
        return status;
    m->config = c;
    m->network = networks[c->network];
    c->cell = ur_configured_cell(c->cell)->name; /* lasts longer than the caller's */
    return m->network->build(m, c, err);
}

ur_status ur_language_model_new(ur_context *context, const ur_language_model_config *config,
                                ur_model **out, ur_err *err)
{
    return ur_model_new(context, &ur_kind_language_model, config, out, err);
}

static void init(ur_model *model, uint64_t seed)
{
    const ur_language_model *m = ur_as_language_model(model);
    m->network->init(m, seed);
}

void ur_language_model_init(ur_model *model, uint64_t seed)
{
    if (model->kind == &ur_kind_language_model)
        ur_model_init(model, seed);
}

const ur_language_model_config *ur_language_model_config_of(const ur_model *model)
{
    return model->kind == &ur_kind_language_model ? model->config : NULL;
}

/* ---- forward ------------------------------------------------------------------------------ */

ur_language_logits ur_language_model_forward(ur_tape *t, const ur_model *model, const ur_seq *ids,
                                             ur_state initial)
{
    if (!ur_tape_takes(t, model, &ur_kind_language_model))
        return (ur_language_logits){.logits = NULL};
    const ur_language_model *m = ur_as_language_model(model);
    return m->network->logits(t, m, ids, initial);
}

/* ---- training ----------------------------------------------------------------------------- */

static size_t start_epoch(ur_model *model, void *data, uint64_t seed, uint64_t epoch)
{
    const ur_language_data *d = data;
    (void)model;
    if (d->carry)
        ur_carry_reset(d->carry);
    return ur_windows_start(d->windows, seed, epoch);
}

static float *carried(ur_model *model, void *data, size_t *count)
{
    const ur_language_data *d = data;
    (void)model;
    *count = d->carry ? ur_carry_size(d->carry) : 0;
    return d->carry ? ur_carry_values(d->carry) : NULL;
}

static size_t examples(const ur_model *model, const void *data)
{
    const ur_language_data *d = data;
    (void)model;
    return d->windows ? ur_windows_count(d->windows) : 0;
}

static size_t length(const ur_model *model, const void *data, size_t i)
{
    (void)model;
    return ur_windows_at(((const ur_language_data *)data)->windows, i).length;
}

/* Random windows depend on nothing, so that any number of them can be a batch. */
static size_t batch_of(const ur_model *model, const void *data)
{
    const ur_language_data *d = data;
    (void)model;
    return d->carry ? d->batch : 0;
}

/* Some windows, as one batch. */
typedef struct loaded {
    ur_seq *inputs, *targets;
    size_t *stream; /* (count) */
} loaded;

static loaded load(ur_tape *t, const ur_language_data *d, ur_order order, size_t count,
                   const size_t *which)
{
    loaded b = {.stream = ur_take(t, count, sizeof *b.stream)};
    size_t *lengths = ur_take(t, count, sizeof *lengths);
    uint64_t *id = ur_take(t, count, sizeof *id);
    if (!b.stream || !lengths || !id)
        return b;
    for (size_t i = 0; i < count; i++) {
        const ur_window w = ur_windows_at(d->windows, which[i]);
        b.stream[i] = w.stream;
        lengths[i] = w.length;
        id[i] = which[i];
    }
    const ur_layout *layout = ur_new_layout(t, order, count, lengths, id);
    ur_tensor *in = layout ? ur_new_ints(t, 1, &layout->rows) : NULL;
    ur_tensor *out = layout ? ur_new_ints(t, 1, &layout->rows) : NULL;
    if (!in || !out)
        return b;
    for (size_t i = 0; i < count; i++) {
        const ur_window w = ur_windows_at(d->windows, which[i]);
        for (size_t s = 0; s < w.length; s++) {
            const size_t row = ur_row(layout, i, s);
            ur_ints(in)[row] = w.ids[s];
            ur_ints(out)[row] = w.ids[s + 1];
        }
    }
    b.inputs = ur_seq_new(t, in, layout);
    b.targets = ur_seq_new(t, out, layout);
    return b;
}

static ur_tensor *loss(ur_tape *t, const ur_model *model, const void *data, size_t count,
                       const size_t *which, double normaliser)
{
    const ur_language_data *d = data;
    const loaded b = load(t, d, ur_as_language_model(model)->network->order, count, which);
    ur_state initial = {0};
    if (d->carry)
        initial = ur_carry_state(t, d->carry, count, b.stream);
    const ur_language_logits f = ur_language_model_forward(t, model, b.inputs, initial);
    if (d->carry)
        ur_carry_take(t, d->carry, count, b.stream, f.out);
    return ur_cross_entropy(t, f.logits, b.targets, normaliser);
}

/* ---- evaluation --------------------------------------------------------------------------- */

static const ur_figure figures[] = {{.name = "perplexity",
                                     .title = "perplexity",
                                     .help = "per token",
                                     .average = UR_PERPLEXITY,
                                     .headline = true},
                                    {.name = NULL}};

/* Steps that are computed at a time: any number gives the same bits, so what a chunk's logits
 * and activations take decides. What reads windows (a bidirectional model, a Transformer) gets
 * whole ones. */
static size_t chunk_of(const ur_language_model *m)
{
    enum { CHUNK_FLOATS = UR_SIZE(1 << 22, 1), LEAST = UR_SIZE(16, 3), MOST = 1024 };
    const ur_language_model_config *c = m->config;
    const size_t units = m->network->states ? 8 * c->hidden_size : 12 * c->hidden_size * c->layers;
    const size_t steps = CHUNK_FLOATS / (c->vocabulary + units);
    if (!m->network->states)
        return steps > c->bptt ? steps / c->bptt * c->bptt : c->bptt;
    if (c->bidirectional)
        return c->bptt;
    return steps < LEAST ? LEAST : steps > MOST ? MOST : steps;
}

/* So many tokens that follow each other: one sequence, or without states windows side by side. */
static const ur_layout *chunk_layout(ur_tape *t, const ur_language_model *m, size_t steps)
{
    const size_t bptt = m->network->states ? steps : m->config->bptt;
    const size_t count = (steps + bptt - 1) / bptt;
    size_t *length = ur_take(t, count, sizeof *length);
    for (size_t i = 0; length && i < count; i++)
        length[i] = i + 1 < count ? bptt : steps - i * bptt;
    return length ? ur_new_layout(t, m->network->order, count, length, NULL) : NULL;
}

/* Adds the losses of `steps` tokens from `at` on. carry: NULL where there are no states. */
static void measure_chunk(ur_tape *t, const ur_language_model *m, ur_carry *carry,
                          const int32_t *at, size_t steps, ur_measure *sum)
{
    ur_tape_start(t, UR_INFER, m->base.params, NULL, 0, 0);
    const ur_layout *layout = chunk_layout(t, m, steps);
    const ur_seq *ids = ur_seq_ints(t, layout, at), *targets = ur_seq_ints(t, layout, at + 1);
    ur_state state = {0};
    if (carry)
        state = ur_carry_state(t, carry, 1, NULL);
    const ur_language_logits f = ur_language_model_forward(t, &m->base, ids, state);
    if (carry)
        ur_carry_take(t, carry, 1, NULL, f.out);
    if (!ur_tape_ok(t) || !f.logits)
        return;
    const float *row_loss = ur_row_losses(t, f.logits, targets);
    for (size_t i = 0; row_loss && i < steps; i++)
        sum->loss += (double)row_loss[i];
    sum->positions += steps;
}

/* The whole text from start to end; every token but the first is predicted, with states from those
 * before it, or from those of its window. */
static ur_status evaluate(const ur_model *model, const void *data, ur_measure *out,
                          ur_confusion *confusion, ur_err *err)
{
    UR_FPMODE_HERE;
    ur_context *context = model->context;
    const ur_language_model *m = ur_as_language_model(model);
    const ur_ids text = ((const ur_language_data *)data)->text;
    const size_t chunk = chunk_of(m), positions = text.length - 1;
    ur_tape *t = NULL;
    ur_carry *carry = NULL;
    (void)confusion;
    *out = (ur_measure){0};
    ur_status status = ur_tape_new(context, &t, err);
    if (status == UR_OK && m->network->states)
        status = ur_carry_new(context, &m->rnn, 1, &carry, err);
    for (size_t at = 0; status == UR_OK && at < positions; at += chunk) {
        const size_t left = positions - at;
        measure_chunk(t, m, carry, text.ids + at, left < chunk ? left : chunk, out);
        if (ur_tape_status(t) != UR_OK)
            status = ur_fail(err, ur_tape_status(t), "%s", ur_error(t));
    }
    out->examples = out->positions;
    ur_carry_free(carry);
    ur_tape_free(t);
    return status;
}

/* ---- data --------------------------------------------------------------------------------- */

static ur_status check_text(const ur_language_model *m, ur_ids text, bool learn, ur_err *err)
{
    bool same = true;
    for (size_t i = 0; i < text.length; i++) {
        if (text.ids[i] < 0 || (size_t)text.ids[i] >= m->config->vocabulary)
            return ur_fail(err, UR_INVALID,
                           "token %zu of the text is id %d, but the vocabulary has %zu", i,
                           (int)text.ids[i], m->config->vocabulary);
        same = same && text.ids[i] == text.ids[0];
    }
    if (text.length < 2)
        return ur_fail(err, UR_INVALID,
                       "a text of %zu token%s has nothing that follows, and so nothing to predict",
                       text.length, text.length == 1 ? "" : "s");
    if (learn && same)
        return ur_fail(err, UR_INVALID,
                       "the text is one and the same token %zu times: there is nothing to learn",
                       text.length);
    return UR_OK;
}

static ur_status make_windows(ur_language_data *d, const ur_language_model *m, size_t batch,
                              ur_err *err)
{
    const ur_language_model_config *c = m->config;
    const ur_window_options options = {batch, c->bptt, c->sampling, c->keep_tail};
    const ur_status status =
        ur_windows_new(ur_context_allocator(d->context), d->text, &options, &d->windows, err);
    if (status != UR_OK || c->sampling == UR_SAMPLING_RANDOM)
        return status;
    return ur_carry_new(d->context, &m->rnn, batch, &d->carry, err);
}

ur_status ur_language_data_new(ur_context *context, const ur_model *model, ur_ids text,
                               size_t batch, ur_language_data **out, ur_err *err)
{
    *out = NULL;
    ur_status status = ur_model_check(model, &ur_kind_language_model, err);
    if (status != UR_OK)
        return status;
    const ur_language_model *m = ur_as_language_model(model);
    status = check_text(m, text, batch > 0, err);
    if (status != UR_OK)
        return status;
    ur_language_data *d = ur_alloc_zero(ur_context_allocator(context), 1, sizeof *d);
    if (!d)
        return ur_no_memory(err, sizeof *d);
    d->context = context;
    d->batch = batch;
    d->ids = ur_alloc(ur_context_allocator(context), text.length, sizeof *d->ids);
    if (!d->ids) {
        ur_language_data_free(d);
        return ur_no_memory(err, text.length * sizeof *d->ids);
    }
    memcpy(d->ids, text.ids, text.length * sizeof *d->ids);
    d->text = (ur_ids){d->ids, text.length};
    status = batch > 0 ? make_windows(d, m, batch, err) : UR_OK;
    if (status != UR_OK) {
        ur_language_data_free(d);
        return status;
    }
    *out = d;
    return UR_OK;
}

void ur_language_data_free(ur_language_data *d)
{
    if (!d)
        return;
    ur_windows_free(d->windows);
    ur_carry_free(d->carry);
    ur_free(ur_context_allocator(d->context), d->ids);
    ur_free(ur_context_allocator(d->context), d);
}

ur_ids ur_language_data_text(const ur_language_data *d)
{
    return d->text;
}

/* ---- from files --------------------------------------------------------------------------- */

static ur_status make_data(const ur_assets *assets, ur_ids ids, size_t batch, void **out,
                           ur_err *err)
{
    ur_language_data *d;
    const ur_status status =
        ur_language_data_new(assets->context, assets->model, ids, batch, &d, err);
    *out = d;
    return status;
}

static const ur_text_learner learner = {.vocabulary =
                                            offsetof(ur_language_model_config, vocabulary),
                                        .source = offsetof(ur_language_model_config, text),
                                        .make_data = make_data};

static ur_status prepare(ur_assets *assets, ur_err *err)
{
    return ur_text_prepare(&learner, assets, err);
}

static ur_status fits(const ur_assets *assets, ur_err *err)
{
    return ur_text_fits(&learner, assets, err);
}

static ur_status open_text(const ur_assets *assets, const ur_pair_source *source, void **out,
                           ur_err *err)
{
    return ur_text_open(&learner, assets, source, out, err);
}

static void free_data(void *data)
{
    ur_language_data_free(data);
}

static uint64_t fingerprint(const void *data)
{
    return ur_ids_fingerprint(((const ur_language_data *)data)->text);
}

static size_t extent(const void *data)
{
    return ((const ur_language_data *)data)->text.length;
}

/* ---- writing ------------------------------------------------------------------------------ */

ur_ids *ur_language_prompts(ur_tape *t, const ur_language_model *m, const ur_sources *sources,
                            int32_t *symbols)
{
    ur_ids *texts = ur_take(t, sources->count, sizeof *texts);
    int32_t bad;
    for (size_t b = 0; texts && b < sources->count; b++) {
        const ur_ids ids = sources->ids[b];
        if (ids.length == 0 && !sources->first)
            ur_tape_fail(t, UR_INVALID, "generation: prompt %zu is empty", b);
        else if (!ur_are_symbols(m->config->vocabulary, ids.ids, ids.length, &bad))
            ur_tape_fail(t, UR_INVALID,
                         "generation: prompt %zu has the id %d, the vocabulary has %zu", b,
                         (int)bad, m->config->vocabulary);
        if (!ur_tape_ok(t))
            return NULL;
        texts[b] = (ur_ids){ids.ids, sources->first ? ids.length : ids.length - 1};
        symbols[b] = sources->first ? sources->first[b] : ids.ids[texts[b].length];
    }
    return texts;
}

ur_status ur_language_decoder(const ur_model *model, ur_decoder *out, ur_err *err)
{
    const ur_language_model *m = ur_as_language_model(model);
    if (m->config->bidirectional)
        return ur_fail(err, UR_UNSUPPORTED,
                       "a bidirectional model cannot generate: it reads the tokens after the one "
                       "it predicts, which are still to be written");
    *out = (ur_decoder){.self = m,
                        .vocabulary = m->config->vocabulary,
                        .end = -1,
                        .start = m->network->start,
                        .step = m->network->step,
                        .reorder = m->network->reorder,
                        .read = m->network->read,
                        .release = m->network->release};
    return UR_OK;
}

/* ---- going on from texts ------------------------------------------------------------------ */

enum { MOST_WRITTEN = 200 }; /* tokens, where the options say nothing */

/* What an empty text stands for: the end of a line or, where the model knows none, its most
 * frequent token. */
static int32_t beginning(const ur_vocabulary *v)
{
    int32_t id = ur_vocabulary_find_reserved(v, "eos");
    if (id < 0)
        id = ur_vocabulary_find(v, "\n", 1);
    for (int32_t i = 0; id < 0; i++)
        if (!ur_vocabulary_is_reserved(v, i))
            id = i;
    return id;
}

static ur_status encode(const ur_assets *assets, const char *text, size_t bytes, int32_t *ids,
                        size_t *count, size_t *unknown, ur_err *err)
{
    const ur_language_model_config *c = assets->config;
    const ur_status status =
        ur_text_encode(&c->text.options, assets->vocabulary, text, bytes, ids, count, unknown, err);
    if (status == UR_OK && *count == 0)
        ids[(*count)++] = beginning(assets->vocabulary);
    return status;
}

static const char *text_of(const ur_assets *assets, ur_ids prompt, const ur_hypothesis *h,
                           const ur_prediction *out)
{
    const ur_text_options *o = &((const ur_language_model_config *)assets->config)->text.options;
    const int32_t last = *out->input ? prompt.ids[prompt.length - 1] : -1;
    const size_t size = ur_text_decode(o, assets->vocabulary, last, h->ids, h->count, NULL, 0) + 1;
    char *text = ur_prediction_take(out, size, 1);
    if (text)
        ur_text_decode(o, assets->vocabulary, last, h->ids, h->count, text, size);
    return text;
}

/* From the tape to memory of its own; alternatives where more than one was asked for. */
static bool fill(const ur_assets *assets, ur_ids prompt, const ur_written *written, bool several,
                 ur_prediction *out)
{
    const ur_hypothesis *best = written->best;
    ur_alternative *list = ur_prediction_take(out, written->count, sizeof *list);
    float *probability = ur_prediction_take(out, best->count, sizeof *probability);
    if (!list || !probability)
        return false;
    for (size_t i = 0; i < written->count; i++) {
        const ur_hypothesis *h = &written->best[i];
        list[i] = (ur_alternative){text_of(assets, prompt, h, out), h->log_probability, h->score,
                                   h->complete};
        if (!list[i].text)
            return false;
    }
    memcpy(probability, best->probability, best->count * sizeof *probability);
    out->text = list[0].text;
    out->log_probability = best->log_probability;
    out->score = best->score;
    out->complete = best->complete;
    out->count = best->count;
    out->tokens = ur_prediction_tokens(out, assets->vocabulary, best->ids, best->count);
    out->probability = probability;
    out->n_alternatives = several ? written->count : 0;
    out->alternatives = several ? list : NULL;
    return out->tokens != NULL;
}

static bool write_some(ur_tape *t, const ur_assets *assets, const ur_search_options *options,
                       size_t count, const size_t *which, const ur_ids *ids, const int32_t *first,
                       ur_prediction *out)
{
    ur_search_options o = options ? *options : (ur_search_options){0};
    ur_sources sources;
    ur_decoder decoder;
    ur_err why;
    const ur_text_source *text = &((const ur_language_model_config *)assets->config)->text;
    int32_t *never = ur_take(t, ur_text_never(text, assets->vocabulary, NULL), sizeof *never);
    if (!never)
        return true;
    o.never = never;
    o.never_count = ur_text_never(text, assets->vocabulary, never);
    if (!o.most)
        o.most = MOST_WRITTEN;
    if (ur_language_decoder(assets->model, &decoder, &why) != UR_OK)
        ur_tape_fail(t, why.status, "%s", why.text);
    if (!ur_predict_sources(t, count, which, ids, first, &sources))
        return true;
    const ur_written *written = ur_search(t, &decoder, &sources, &o);
    for (size_t i = 0; written && i < count; i++)
        if (!fill(assets, sources.ids[i], &written[i], o.n_best > 1, &out[which[i]]))
            return false;
    return true;
}

static ur_status predict(const ur_assets *assets, size_t count, const char *const *texts,
                         const ur_search_options *options, ur_prediction *out, size_t *bad,
                         ur_err *err)
{
    const ur_language_model_config *c = assets->config;
    const ur_predictor how = {
        .encode = encode, .least_room = 1, .unicode = c->text.options.unicode, .run = write_some};
    return ur_predict(&how, assets, count, texts, options, out, bad, err);
}

static const ur_text_options *writes(const void *config)
{
    return &((const ur_language_model_config *)config)->text.options;
}

static size_t never(const ur_assets *assets, int32_t *ids)
{
    const ur_language_model_config *c = assets->config;
    return ur_text_never(&c->text, assets->vocabulary, ids);
}

/* ---- the kind ----------------------------------------------------------------------------- */

/* Its data is not generated. */
static const char *const hides[] = {"size", "valid_size", "batch_tokens", NULL};

/* Chosen by measurement: docs/defaults.md. */
static const ur_setting training[] = {{"batch", "16"}, {"lr", "4e-3"}, {NULL, NULL}};

/* The book's time machine: 10,000 characters, SGD. */
static const ur_setting of_book[] = {{"cell", "lstm"},
                                     {"hidden_size", "256"},
                                     {"embed_size", "0"},
                                     {"bptt", "35"},
                                     {"text.lower", "true"},
                                     {"text.letters_only", "true"},
                                     {"text.max_tokens", "10000"},
                                     {"batch", "32"},
                                     {"epochs", "500"},
                                     {"optimizer", "sgd"},
                                     {"lr", "1"},
                                     {"clip", "1"},
                                     {NULL, NULL}};
static const ur_setting transformer[] = {{"network", "transformer"},
                                         {"hidden_size", "128"},
                                         {"layers", "4"},
                                         {"heads", "4"},
                                         {"bptt", "128"},
                                         {"batch", "16"},
                                         {"lr", "2e-3"},
                                         {"clip", "1"},
                                         {"schedule", "cosine"},
                                         {"warmup_steps", "100"},
                                         {NULL, NULL}};
static const ur_preset presets[] = {
    {"book",
     "The time machine of Dive into Deep Learning: SGD at rate 1, 500 epochs of 10,000 characters.",
     of_book},
    {"transformer", "A Transformer: 4 layers of 128 features, 4 heads, windows of 128 tokens.",
     transformer},
    {NULL, NULL, NULL}};

static const char *const notes[] = {
    "An epoch's perplexity is exp of the mean loss of its tokens, each batch before its step. That "
    "of validation text is over all its tokens but the first, states carried from start to end, or "
    "window by window where a Transformer reads it.",
    NULL};

static const ur_layer_place layers[] = {
    {UR_LAYER_EMBEDDING, offsetof(ur_language_model, embed)},
    {UR_LAYER_RNN, offsetof(ur_language_model, rnn)},
    {UR_LAYER_LINEAR, offsetof(ur_language_model, fc)},
};

const ur_kind ur_kind_language_model = {
    .name = "language_model",
    .verb = "lm",
    .summary = "teach a model to go on writing a text",
    .description =
        "Trains a language model: it reads a text, character by character or word by word, and "
        "learns to say what comes next. The run's folder gets the model, its configuration, and a "
        "record of how the training went.",
    .example = "  $ unroll train lm --data timemachine.txt --epochs 4 --out runs/time\n"
               "  178,979 tokens to learn, 0 to validate; 71 different tokens, ...\n"
               "  epoch 1/4  loss 2.5341  perplexity 12.604  ...\n"
               "  ...\n",
    .notes = notes,
    .data_help = "a text file, UTF-8",
    .valid_help = "A text to measure perplexity on after every epoch, read from start to end.",
    .examples_name = "tokens",
    .symbols_name = "tokens",
    .measured_name = "tokens",
    .unit = "tokens",
    .hides = hides,
    .shorthands = shorthands,
    .fields = fields,
    .config_size = sizeof(ur_language_model_config),
    .presets = presets,
    .defaults = training,
    .check = check,
    .figures = figures,
    .model_size = sizeof(ur_language_model),
    .layers = layers,
    .n_layers = sizeof layers / sizeof *layers,
    .build = build,
    .init = init,
    .loss = loss,
    .evaluate = evaluate,
    .examples = examples,
    .length = length,
    .positions = length,
    .start_epoch = start_epoch,
    .batch = batch_of,
    .carried = carried,
    .prepare = prepare,
    .fits = fits,
    .open = open_text,
    .free_data = free_data,
    .fingerprint = fingerprint,
    .extent = extent,
    .predict = predict,
    .decoder = ur_language_decoder,
    .writes = writes,
    .never = never,
};
