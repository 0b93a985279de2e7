/* text_lstm.c - the next word from the n words before it: configuration and parameters, forward,
 * loss and measure, the examples with the states they left, and the words that may follow a text.
 *
 * V words, E features of an embedded word (one-hot: E = V), H units, L layers, B examples:
 *   x_0 = embed(words)                                         (n, B, E)
 *   h_l, c_l, o_l = lstm_l(x_l) from (h, c)_l                  (n, B, H) each; o: the output gate
 *   z_l = W_l v_l + b_l,  v = h, or o for output_from gate     (n, B, V)
 *   x_l+1 = [z_l; h_l]  at every step                          (n, B, V + H)
 *   logits = z_L-1 of the last step                            (B, V)
 * So the layers are E, V + H, ..., V + H wide at their inputs, hand V + H features on, and the last
 * gives V; its product over the vocabulary is done for the last step alone.
 *
 * One layer starts from zeros. Several start where the same example left them the time before: the
 * state after its last step, as numbers without gradient (ur_next_words keeps them). Measuring and
 * predicting start from zeros. */
#include "models/text_lstm.h"

#include <stdio.h>
#include <string.h>

#include "backend/cell.h"
#include "base/alloc.h"
#include "base/status.h"
#include "kernels/math.h"
#include "models/kinds.h"
#include "models/parts.h"
#include "models/predict.h"
#include "models/text_source.h"

/* ---- configuration ------------------------------------------------------------------------ */

static const char *const embed_words[] = {"auto", NULL};
static const char *const bias_words[] = {"uniform", "one", NULL};
static const char *const output_words[] = {"hidden", "gate", NULL};

#define AT(member) .offset = offsetof(ur_text_lstm_config, member)

/* clang-format off */
static const ur_field fields[] = {
    UR_VOCABULARY_ROW(ur_text_lstm_config),
    {.name = "context", .metavar = "N", .group = "model", .type = UR_FIELD_SIZE, AT(context),
     .least = 1, .most = 1 << 16, .initial = "5", .shown = "",
     .help = "Predict each word from the N before it alone (a TextLSTM). Tokens are then words, "
             "unless --tokenizer says otherwise. With several layers each one after the first "
             "reads the logits of the one before beside its output, and starts where the same "
             "place of the text left it the time before."},
    {.name = "embed_size", .flag = "embed", .metavar = "N", .group = "model", .type = UR_FIELD_SIZE,
     AT(embed_size), .most = UR_MOST_UNITS, .words = embed_words, .initial = "auto", .shown = "",
     .help = "Numbers that stand for a token. Without it characters are one-hot rows, and words "
             "get as many numbers as there are units."},
    UR_HIDDEN_ROW(ur_text_lstm_config, "128", "Units of each layer."),
    UR_LAYERS_ROW(ur_text_lstm_config, "Layers.", NULL),
    {.name = "bias_init", .metavar = "uniform|one", .group = "model", .type = UR_FIELD_ENUM,
     AT(bias_init), .words = bias_words, .initial = "uniform",
     .help = "With --context: biases start like weights, or all of them, the output layer's too, "
             "at one."},
    {.name = "output_from", .metavar = "hidden|gate", .group = "model", .type = UR_FIELD_ENUM,
     AT(output_from), .words = output_words, .initial = "hidden",
     .help = "With --context: logits come from a layer's output h, or from its output gate."},
    {.name = "most_state_bytes", .flag = "", .type = UR_FIELD_SIZE, AT(most_state_bytes),
     .most = 0x1p53, .initial = "4294967295",
     .help = "Bytes that the states of all places of the text may take."},
    {.name = "state_memory", .metavar = "MB", .group = "model", .type = UR_FIELD_SIZE,
     AT(state_memory), .most = 1e9, .initial = "0", .absent = "0", .shown = "4294",
     .help = "With --context and several layers: what the states of all places of the text, "
             "layers x 2 x hidden x 4 bytes for each, may take; also of every checkpoint."},
    UR_TEXT_SOURCE_ROWS(ur_text_lstm_config, text, "word"),
    {.name = NULL},
};
/* clang-format on */

static const ur_setting one_hot[] = {{"embed_size", "0"}, {NULL, NULL}};
static const ur_shorthand shorthands[] = {
    {"one-hot", "model", "No embedding: a token is a row of zeros with one 1.", one_hot},
    {NULL, NULL, NULL, NULL}};

ur_text_lstm_config ur_text_lstm_defaults(void)
{
    ur_text_lstm_config c;
    ur_kind_defaults(&ur_kind_text_lstm, &c);
    return c;
}

ur_status ur_text_lstm_check(const ur_text_lstm_config *config, ur_err *err)
{
    return ur_kind_check(&ur_kind_text_lstm, config, err);
}

/* Takes the place of what stands for something else. */
static void complete(ur_text_lstm_config *c)
{
    const size_t mega = 1000000;
    if (c->embed_size == UR_EMBED_AUTO)
        c->embed_size = c->text.options.tokenizer == UR_CHARACTERS ? 0 : c->hidden_size;
    if (c->state_memory)
        c->most_state_bytes =
            c->state_memory <= SIZE_MAX / mega ? c->state_memory * mega : SIZE_MAX;
    c->state_memory = 0;
}

/* ---- parameters --------------------------------------------------------------------------- */

static ur_status build(ur_model *model, ur_err *err)
{
    ur_text_lstm *m = (ur_text_lstm *)model;
    ur_text_lstm_config *c = model->config;
    ur_params *p = model->params;
    const ur_status status = ur_check_vocabulary(model->kind, c->vocabulary, 2, err);
    if (status != UR_OK)
        return status;
    m->config = c;
    complete(c);
    const size_t words = c->vocabulary, hidden = c->hidden_size;
    size_t input = c->embed_size ? c->embed_size : words;
    if (c->embed_size)
        m->embed = ur_embedding_add(p, "embed", words, c->embed_size);
    m->cells.count = c->layers;
    for (size_t l = 0; l < c->layers; l++) {
        char name[64];
        snprintf(name, sizeof name, "layers.%zu.lstm", l);
        m->cells.part[l] = ur_cell_add(p, name, "l0", &ur_cell_lstm, input, hidden, 0, true);
        snprintf(name, sizeof name, "layers.%zu.fc", l);
        m->fc[l] = ur_linear_add(p, name, hidden, words, true);
        input = words + hidden;
    }
    return UR_OK;
}

ur_status ur_text_lstm_new(ur_context *context, const ur_text_lstm_config *config, ur_model **out,
                           ur_err *err)
{
    return ur_model_new(context, &ur_kind_text_lstm, config, out, err);
}

static void fill(ur_params *params, int index, float value)
{
    float *x = ur_param_values(params, index);
    for (size_t i = 0; i < ur_params_entry(params, (size_t)index)->count; i++)
        x[i] = value;
}

static void init(ur_model *model, uint64_t seed)
{
    const ur_text_lstm *m = ur_as_text_lstm(model);
    if (m->config->embed_size)
        ur_embedding_init(&m->embed, model->params, seed);
    for (size_t l = 0; l < m->config->layers; l++) {
        const ur_cell_layer *cell = &m->cells.part[l];
        ur_cell_init(cell, model->params, seed);
        ur_linear_init(&m->fc[l], model->params, seed);
        if (m->config->bias_init != UR_BIAS_ONE)
            continue;
        fill(model->params, cell->bias_ih, 1.0f);
        fill(model->params, cell->bias_hh, 1.0f);
        fill(model->params, m->fc[l].bias, 1.0f);
    }
}

void ur_text_lstm_init(ur_model *model, uint64_t seed)
{
    if (model->kind == &ur_kind_text_lstm)
        ur_model_init(model, seed);
}

const ur_text_lstm_config *ur_text_lstm_config_of(const ur_model *model)
{
    return model->kind == &ur_kind_text_lstm ? model->config : NULL;
}

/* ---- forward ------------------------------------------------------------------------------ */

/* Layer l over x, or over words where x is NULL. *v: what its logits come from. */
static ur_rnn_out run_layer(ur_tape *t, const ur_text_lstm *m, size_t l, ur_seq *x,
                            const ur_seq *words, ur_state all, ur_seq **v)
{
    const ur_cell_layer *cell = &m->cells.part[l];
    const bool embedded = !x && m->config->embed_size;
    const ur_state start = {all.h ? ur_pick(t, all.h, l) : NULL,
                            all.c ? ur_pick(t, all.c, l) : NULL};
    if (m->config->output_from == UR_OUTPUT_GATE) {
        const ur_seq *in = embedded ? ur_embedding(t, &m->embed, words) : x ? x : words;
        const ur_gate_out both = ur_cell_with_gate(t, cell, in, start);
        *v = both.gate;
        return both.out;
    }
    const ur_rnn_out out = x          ? ur_cell_forward(t, cell, x, start)
                           : embedded ? ur_cell_embedded(t, cell, &m->embed, words, start)
                                      : ur_cell_one_hot(t, cell, words, start);
    *v = out.y;
    return out;
}

/* Logits (B, V) after the words of B examples, and every layer's state after its last step. */
static ur_tensor *forward(ur_tape *t, const ur_text_lstm *m, size_t batch, const int32_t *words,
                          const uint64_t *id, ur_state start, ur_rnn_out *end)
{
    const size_t top = m->config->layers - 1;
    ur_tensor *h[UR_MOST_LAYERS], *c[UR_MOST_LAYERS], *logits = NULL;
    size_t *length = ur_take(t, batch, sizeof *length);
    for (size_t b = 0; length && b < batch; b++)
        length[b] = m->config->context;
    const ur_layout *layout = ur_new_layout(t, UR_STEP_MAJOR, batch, length, id);
    const ur_seq *ids = layout ? ur_seq_ints(t, layout, words) : NULL;
    if (!ids)
        return NULL;
    ur_seq *x = NULL;
    for (size_t l = 0; l <= top && ur_tape_ok(t); l++) {
        ur_seq *v = NULL;
        const ur_rnn_out out = run_layer(t, m, l, x, ids, start, &v);
        h[l] = out.h_n;
        c[l] = out.c_n;
        if (l < top)
            x = ur_concat_seq(t, ur_linear_seq(t, &m->fc[l], v), out.y);
        else
            logits =
                ur_linear(t, &m->fc[l],
                          m->config->output_from == UR_OUTPUT_GATE ? ur_last_steps(t, v) : out.h_n);
    }
    if (end && ur_tape_ok(t))
        *end = (ur_rnn_out){NULL, ur_stack(t, top + 1, h), ur_stack(t, top + 1, c)};
    return ur_tape_ok(t) ? logits : NULL;
}

ur_tensor *ur_text_lstm_logits(ur_tape *t, const ur_model *model, size_t count,
                               const int32_t *words)
{
    if (!ur_tape_takes(t, model, &ur_kind_text_lstm))
        return NULL;
    return forward(t, ur_as_text_lstm(model), count, words, NULL, (ur_state){0}, NULL);
}

/* ---- examples ----------------------------------------------------------------------------- */

/* Some examples: (count, n) words, the word after each, and what names them. */
typedef struct some {
    int32_t *words, *next;
    uint64_t *id;
} some;

static bool load(ur_tape *t, const ur_next_words *d, size_t count, const size_t *which, some *out)
{
    const size_t n = d->words;
    out->words = ur_take(t, count * n, sizeof *out->words);
    out->next = ur_take(t, count, sizeof *out->next);
    out->id = ur_take(t, count, sizeof *out->id);
    if (!ur_tape_ok(t))
        return false;
    for (size_t i = 0; i < count; i++) {
        memcpy(out->words + i * n, d->text.ids + which[i], n * sizeof *out->words);
        out->next[i] = d->text.ids[which[i] + n];
        out->id[i] = which[i];
    }
    return true;
}

static bool check_data(ur_tape *t, const ur_text_lstm *m, const ur_next_words *d)
{
    if (d->words == m->config->context)
        return true;
    ur_tape_fail(t, UR_INVALID, "text_lstm: the data has %zu words before the next, the model %zu",
                 d->words, m->config->context);
    return false;
}

/* Values (B, ..) as a batch of one step each. */
static ur_seq *one_step(ur_tape *t, ur_tensor *x, const ur_layout *layout)
{
    return x && layout ? ur_seq_new(t, x, layout) : NULL;
}

static ur_tensor *loss(ur_tape *t, const ur_model *model, const void *data, size_t count,
                       const size_t *which, double normaliser)
{
    const ur_text_lstm *m = ur_as_text_lstm(model);
    const ur_next_words *d = data;
    some e;
    if (!check_data(t, m, d) || !load(t, d, count, which, &e))
        return NULL;
    const ur_state zero = {0};
    const ur_state start = d->carry ? ur_carry_state(t, d->carry, count, which) : zero;
    ur_rnn_out end = {0};
    ur_tensor *logits = forward(t, m, count, e.words, e.id, start, d->carry ? &end : NULL);
    if (d->carry)
        ur_carry_take(t, d->carry, count, which, end);
    size_t *one = ur_take(t, count, sizeof *one);
    for (size_t i = 0; one && i < count; i++)
        one[i] = 1;
    const ur_layout *layout = one ? ur_new_layout(t, UR_STEP_MAJOR, count, one, e.id) : NULL;
    return ur_cross_entropy(t, one_step(t, logits, layout),
                            layout ? ur_seq_ints(t, layout, e.next) : NULL, normaliser);
}

enum { ACCURACY = 1 };

static const ur_figure figures[] = {{.name = "perplexity",
                                     .title = "perplexity",
                                     .help = "per word",
                                     .average = UR_PERPLEXITY,
                                     .headline = true},
                                    {.name = "accuracy",
                                     .title = "accuracy",
                                     .help = "words that are the most probable one",
                                     .average = UR_PER_EXAMPLE,
                                     .higher_is_better = true,
                                     .percent = true,
                                     .headline = true},
                                    {.name = NULL}};

static void measure(ur_tape *t, const ur_model *model, const void *data, size_t count,
                    const size_t *which, ur_measure *sum)
{
    const ur_text_lstm *m = ur_as_text_lstm(model);
    const size_t classes = m->config->vocabulary;
    some e;
    if (!check_data(t, m, data) || !load(t, data, count, which, &e))
        return;
    const ur_tensor *logits = ur_text_lstm_logits(t, model, count, e.words);
    const float *read = ur_read(t, logits);
    for (size_t i = 0; read && i < count; i++) {
        const float *row = read + i * classes;
        if (e.next[i] < 0 || (size_t)e.next[i] >= classes) {
            ur_tape_fail(t, UR_INVALID, "text_lstm: id %d is not in [0, %zu)", (int)e.next[i],
                         classes);
            return;
        }
        sum->loss += (double)ur_host_cross_entropy(t->context, classes, row, e.next[i], NULL);
        sum->sum[ACCURACY] += ur_host_argmax(t->context, classes, row) == (size_t)e.next[i];
    }
    if (!logits)
        return;
    sum->positions += count;
    sum->examples += count;
}

/* ---- its data ----------------------------------------------------------------------------- */

static ur_status check_text(const ur_text_lstm_config *c, ur_ids text, bool learn, ur_err *err)
{
    bool same = true;
    for (size_t i = 0; i < text.length; i++) {
        if (text.ids[i] < 0 || (size_t)text.ids[i] >= c->vocabulary)
            return ur_fail(err, UR_INVALID,
                           "word %zu of the text is id %d, but the vocabulary has %zu", i,
                           (int)text.ids[i], c->vocabulary);
        same = same && text.ids[i] == text.ids[0];
    }
    if (text.length <= c->context)
        return ur_fail(err, UR_INVALID,
                       "the text has %zu word%s, but a context of %zu and the word after it need "
                       "at least %zu",
                       text.length, text.length == 1 ? "" : "s", c->context, c->context + 1);
    if (learn && same)
        return ur_fail(err, UR_INVALID,
                       "the text is one and the same word %zu times: there is nothing to learn",
                       text.length);
    return UR_OK;
}

size_t ur_text_lstm_state_bytes(const ur_text_lstm_config *c, size_t count)
{
    if (c->layers < 2 || c->hidden_size == 0)
        return 0;
    if (c->layers > SIZE_MAX / c->hidden_size / (2 * sizeof(float)))
        return SIZE_MAX;
    const size_t each = 2 * sizeof(float) * c->hidden_size * c->layers;
    return count <= SIZE_MAX / each ? count * each : SIZE_MAX;
}

/* Room for every example's states, where there are several layers. */
static ur_status keep_states(ur_next_words *d, const ur_text_lstm *m, ur_err *err)
{
    const ur_text_lstm_config *c = m->config;
    const size_t count = ur_next_words_count(d), mega = 1000000;
    const size_t bytes = ur_text_lstm_state_bytes(c, count);
    if (c->layers < 2)
        return UR_OK;
    if (bytes > c->most_state_bytes)
        return ur_fail(err, UR_INVALID,
                       "the states of %zu layers of %zu units for each of %zu words need %zu MB, "
                       "but at most %zu MB are allowed: raise that limit, or take a shorter text, "
                       "fewer layers or fewer units",
                       c->layers, c->hidden_size, count, bytes / mega + (bytes % mega != 0),
                       c->most_state_bytes / mega);
    return ur_carry_new(d->context, &m->cells, count, &d->carry, err);
}

ur_status ur_next_words_new(ur_context *context, const ur_model *model, ur_ids text, bool learn,
                            ur_next_words **out, ur_err *err)
{
    *out = NULL;
    ur_status status = ur_model_check(model, &ur_kind_text_lstm, err);
    if (status != UR_OK)
        return status;
    const ur_text_lstm *m = ur_as_text_lstm(model);
    const ur_allocator *a = ur_context_allocator(context);
    status = check_text(m->config, text, learn, err);
    if (status != UR_OK)
        return status;
    ur_next_words *d = ur_alloc_zero(a, 1, sizeof *d);
    if (!d)
        return ur_no_memory(err, sizeof *d);
    d->context = context;
    d->words = m->config->context;
    d->ids = ur_alloc(a, text.length, sizeof *d->ids);
    if (d->ids) {
        memcpy(d->ids, text.ids, text.length * sizeof *d->ids);
        d->text = (ur_ids){d->ids, text.length};
        status = learn ? keep_states(d, m, err) : UR_OK;
    } else {
        status = ur_no_memory(err, text.length * sizeof *d->ids);
    }
    if (status != UR_OK) {
        ur_next_words_free(d);
        return status;
    }
    *out = d;
    return UR_OK;
}

void ur_next_words_free(ur_next_words *d)
{
    if (!d)
        return;
    const ur_allocator *a = ur_context_allocator(d->context);
    ur_carry_free(d->carry);
    ur_free(a, d->ids);
    ur_free(a, d);
}

size_t ur_next_words_count(const ur_next_words *d)
{
    return d->text.length - d->words;
}

ur_ids ur_next_words_text(const ur_next_words *d)
{
    return d->text;
}

float *ur_next_words_states(ur_next_words *d, size_t *count)
{
    *count = d->carry ? ur_carry_size(d->carry) : 0;
    return d->carry ? ur_carry_values(d->carry) : NULL;
}

static size_t examples(const ur_model *model, const void *data)
{
    (void)model;
    return ur_next_words_count(data);
}

static size_t length(const ur_model *model, const void *data, size_t i)
{
    (void)data;
    (void)i;
    return ur_as_text_lstm(model)->config->context;
}

static float *carried(ur_model *model, void *data, size_t *count)
{
    (void)model;
    return ur_next_words_states(data, count);
}

/* ---- from files --------------------------------------------------------------------------- */

static ur_status make_data(const ur_assets *assets, ur_ids ids, size_t batch, void **out,
                           ur_err *err)
{
    ur_next_words *d;
    const ur_status status =
        ur_next_words_new(assets->context, assets->model, ids, batch > 0, &d, err);
    *out = d;
    return status;
}

static const ur_text_learner learner = {.vocabulary = offsetof(ur_text_lstm_config, vocabulary),
                                        .source = offsetof(ur_text_lstm_config, text),
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
    ur_next_words_free(data);
}

static uint64_t fingerprint(const void *data)
{
    return ur_ids_fingerprint(((const ur_next_words *)data)->text);
}

static size_t extent(const void *data)
{
    return ur_next_words_count(data);
}

/* ---- the words that may follow a text ----------------------------------------------------- */

/* The last `context` words of a text; *unknown: how many of those are <unk>. */
static ur_status encode(const ur_assets *assets, const char *text, size_t bytes, int32_t *ids,
                        size_t *count, size_t *unknown, ur_err *err)
{
    const ur_text_lstm_config *c = assets->config;
    const char *unit = c->text.options.tokenizer == UR_CHARACTERS ? "character" : "word";
    size_t all;
    const ur_status status =
        ur_text_encode(&c->text.options, assets->vocabulary, text, bytes, ids, &all, NULL, err);
    if (status != UR_OK)
        return status;
    if (all < c->context)
        return ur_fail(err, UR_BAD_FILE,
                       "the text has %zu %s%s, but the model predicts from the %zu before", all,
                       unit, all == 1 ? "" : "s", c->context);
    memmove(ids, ids + all - c->context, c->context * sizeof *ids);
    *count = c->context;
    const int32_t unk = ur_vocabulary_find_reserved(assets->vocabulary, "unk");
    *unknown = unk < 0 ? 0 : ur_ids_count((ur_ids){ids, *count}, unk);
    return UR_OK;
}

/* The most probable words in falling order, the first of equals first; what was taken, or is never
 * written, is marked in p, (words) probabilities. */
static bool pick(const ur_assets *assets, size_t most, float *p, ur_prediction *out)
{
    const size_t words = ur_vocabulary_size(assets->vocabulary);
    ur_alternative *list = ur_prediction_take(out, most, sizeof *list);
    int32_t *ids = ur_prediction_take(out, most, sizeof *ids);
    float *probability = ur_prediction_take(out, most, sizeof *probability);
    if (!list || !ids || !probability)
        return false;
    for (size_t k = 0; k < most; k++) {
        const size_t best = ur_argmax(p, words);
        ids[k] = (int32_t)best;
        probability[k] = p[best];
        p[best] = -1.0f;
    }
    const char **tokens = ur_prediction_tokens(out, assets->vocabulary, ids, most);
    for (size_t k = 0; tokens && k < most; k++) {
        const double log_probability = (double)ur_logf(probability[k]);
        list[k] = (ur_alternative){tokens[k], log_probability, log_probability, true};
    }
    out->count = 1;
    out->tokens = tokens;
    out->probability = probability;
    out->complete = true;
    if (!tokens)
        return false;
    out->text = tokens[0];
    out->log_probability = out->score = list[0].log_probability;
    if (most > 1) {
        out->n_alternatives = most;
        out->alternatives = list;
    }
    return true;
}

static bool predict_some(ur_tape *t, const ur_assets *assets, const ur_search_options *options,
                         size_t count, const size_t *which, const ur_ids *ids, const int32_t *first,
                         ur_prediction *out)
{
    const ur_text_lstm_config *c = assets->config;
    const size_t words = c->vocabulary, wanted = options && options->n_best ? options->n_best : 1;
    int32_t *never = ur_take(t, words, sizeof *never);
    const size_t ruled_out = never ? ur_text_never(&c->text, assets->vocabulary, never) : 0;
    const size_t left = ruled_out < words ? words - ruled_out : 1;
    const size_t most = wanted < left ? wanted : left;
    int32_t *before = ur_take(t, count * c->context, sizeof *before);
    (void)first;
    for (size_t i = 0; before && i < count; i++)
        memcpy(before + i * c->context, ids[which[i]].ids, c->context * sizeof *before);
    ur_tensor *logits = before ? ur_text_lstm_logits(t, assets->model, count, before) : NULL;
    float *read = ur_read(t, logits);
    for (size_t i = 0; read && i < count; i++) {
        float *row = read + i * words;
        ur_host_softmax(t->context, words, row, row);
        for (size_t k = 0; k < ruled_out; k++)
            row[never[k]] = -1.0f;
        if (!pick(assets, most, row, &out[which[i]]))
            return false;
    }
    return true;
}

static ur_status predict(const ur_assets *assets, size_t count, const char *const *texts,
                         const ur_search_options *options, ur_prediction *out, size_t *bad,
                         ur_err *err)
{
    const ur_text_lstm_config *c = assets->config;
    const ur_predictor how = {
        .encode = encode, .unicode = c->text.options.unicode, .run = predict_some};
    return ur_predict(&how, assets, count, texts, options, out, bad, err);
}

/* Words as they are shown, on one line. */
static char *show(const ur_assets *assets, const ur_prediction *out, ur_ids words)
{
    const ur_text_lstm_config *c = assets->config;
    const bool characters = c->text.options.tokenizer == UR_CHARACTERS;
    const size_t bytes = ur_vocabulary_decode(assets->vocabulary, words.ids, words.length, NULL, 0);
    char *text = ur_prediction_take(out, bytes + words.length + 1, 1), *to = text;
    for (size_t i = 0; text && i < words.length; i++) {
        const char *word = ur_vocabulary_token(assets->vocabulary, words.ids[i], NULL);
        to += sprintf(to, "%s%s", i && !characters ? " " : "",
                      characters && strchr("\n\r\t", *word) ? " " : word);
    }
    return text;
}

static ur_status sample(const ur_assets *assets, const void *data, size_t index, ur_prediction *out,
                        ur_err *err)
{
    const ur_predictor how = {.encode = encode, .run = predict_some};
    const ur_next_words *d = data;
    const ur_ids before = {d->ids + index, d->words}, next = {d->ids + index + d->words, 1};
    const ur_status status = ur_prediction_new(assets->context, "", out, err);
    if (status != UR_OK)
        return status;
    out->input = show(assets, out, before);
    out->target = show(assets, out, next);
    if (out->input && out->target)
        return ur_predict_ids(&how, assets, before, NULL, out, err);
    ur_prediction_free(assets->context, out);
    return ur_no_memory(err, before.length);
}

static size_t never_written(const ur_assets *assets, int32_t *ids)
{
    const ur_text_lstm_config *c = assets->config;
    return ur_text_never(&c->text, assets->vocabulary, ids);
}

/* ---- the kind ----------------------------------------------------------------------------- */

/* Its data is not generated. */
static const char *const hides[] = {"size", "valid_size", "batch_tokens", NULL};

/* Chosen by measurement: docs/defaults.md. */
static const ur_setting training[] = {{"batch", "64"}, {NULL, NULL}};

/* The teaching notes' TextLSTM. */
static const ur_setting of_notes[] = {{"bias_init", "one"}, {"output_from", "gate"}, {NULL, NULL}};
static const ur_preset presets[] = {
    {"notes", "The teaching notes' form: biases start at one, logits from the output gate.",
     of_notes},
    {NULL, NULL, NULL}};

static const char *const notes[] = {
    "With --context a validation text's perplexity is over every word that has so many before it, "
    "states beginning with zeros.",
    NULL};

const ur_kind ur_kind_text_lstm = {
    .name = "text_lstm",
    .verb = "lm",
    .chosen_by = "context",
    .summary = "teach a model to say the next word",
    .description = "Trains a model of the next word, which it predicts from the N words before it "
                   "alone.",
    .notes = notes,
    .data_help = "a text file, UTF-8",
    .valid_help = "A text to measure perplexity on after every epoch, read from start to end.",
    .examples_name = "words",
    .symbols_name = "words",
    .measured_name = "words",
    .unit = "tokens",
    .hides = hides,
    .shorthands = shorthands,
    .samples = 5,
    .fields = fields,
    .config_size = sizeof(ur_text_lstm_config),
    .presets = presets,
    .defaults = training,
    .figures = figures,
    .model_size = sizeof(ur_text_lstm),
    .build = build,
    .init = init,
    .loss = loss,
    .measure = measure,
    .examples = examples,
    .length = length,
    .carried = carried,
    .prepare = prepare,
    .fits = fits,
    .open = open_text,
    .free_data = free_data,
    .fingerprint = fingerprint,
    .extent = extent,
    .predict = predict,
    .sample = sample,
    .never = never_written,
};
