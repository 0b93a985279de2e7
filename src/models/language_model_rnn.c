/* language_model_rnn.c - recurrent language models: parameters, forward, and how they write.
 *
 *   x_t = onehot(id_t) or embed(id_t),  y, state = rnn(x, state),  logits_t = fc(y_t)
 * As a decoder: a source is a prompt, which is read but for its last token; each step reads a
 * token and gives the logits of the next one. A step's states lie on the tape, (N, rows, ..);
 * the rows that live on are copied from there, once, into memory that lasts. */
#include "models/language_model.h"

#include "base/status.h"
#include "base/tiny.h"
#include "models/decode.h"
#include "models/parts.h"

/* ---- configuration ------------------------------------------------------------------------ */

/* Features of the last layer's outputs. */
static size_t width_of(const ur_language_model_config *c)
{
    return c->bidirectional ? 2 * c->hidden_size : c->hidden_size;
}

/* embed_size without UR_EMBED_AUTO. */
static size_t embedding_of(const ur_language_model_config *c)
{
    if (c->embed_size != UR_EMBED_AUTO)
        return c->embed_size;
    if (c->tied)
        return width_of(c);
    return c->text.options.tokenizer == UR_CHARACTERS ? 0 : c->hidden_size;
}

static ur_status check(const ur_language_model_config *c, ur_err *err)
{
    const size_t embedding = embedding_of(c);
    if (c->tied && !embedding)
        return ur_fail(err, UR_INVALID,
                       "language model: one-hot rows have no embedding that the output layer's "
                       "weights could be tied to");
    if (c->tied && embedding != width_of(c))
        return ur_fail(err, UR_INVALID,
                       "language model: tied weights want an embedding as wide as the outputs of "
                       "the layers, %zu; it is %zu",
                       width_of(c), embedding);
    if (embedding > UR_MOST_UNITS)
        return ur_fail(err, UR_INVALID,
                       "language model: tied weights want an embedding of %zu, at most %d expected",
                       embedding, UR_MOST_UNITS);
    return UR_OK;
}

/* ---- parameters --------------------------------------------------------------------------- */

static ur_status build(ur_language_model *m, ur_language_model_config *c, ur_err *err)
{
    ur_params *p = m->base.params;
    char name[64];
    c->embed_size = embedding_of(c);
    const ur_rnn_config rnn = {.cell = c->cell,
                               .input_size = c->embed_size ? c->embed_size : c->vocabulary,
                               .hidden_size = c->hidden_size,
                               .num_layers = c->layers,
                               .bidirectional = c->bidirectional,
                               .dropout = c->layers > 1 ? c->dropout : 0.0f};
    ur_rnn_prefix(NULL, c->cell, name);
    if (c->embed_size)
        m->embed = ur_embedding_add(p, "embed", c->vocabulary, c->embed_size);
    const ur_status status = ur_rnn_add(p, name, &rnn, &m->rnn, err);
    if (status == UR_OK)
        m->fc = c->tied ? ur_linear_add_tied(p, "fc", &m->embed, true)
                        : ur_linear_add(p, "fc", width_of(c), c->vocabulary, true);
    return status;
}

static void init(const ur_language_model *m, uint64_t seed)
{
    ur_params *p = m->base.params;
    ur_rnn_init(&m->rnn, p, seed);
    ur_linear_init(&m->fc, p, seed);
    if (m->config->tied)
        ur_init_uniform(p, m->embed.weight, 0.1f, seed);
    else if (m->config->embed_size)
        ur_embedding_init(&m->embed, p, seed);
}

/* ---- forward ------------------------------------------------------------------------------ */

/* The layers below the output layer, without drop-out on what they put out. */
static ur_rnn_out layers_below(ur_tape *t, const ur_language_model *m, const ur_seq *ids,
                               ur_state initial)
{
    const float p = m->config->dropout;
    if (!m->config->embed_size)
        return ur_rnn_one_hot(t, &m->rnn, ids, initial);
    if (p > 0.0f && ur_tape_mode(t) == UR_TRAIN)
        return ur_rnn(t, &m->rnn, ur_dropout(t, ur_embedding(t, &m->embed, ids), p), initial);
    return ur_rnn_embedded(t, &m->rnn, &m->embed, ids, initial);
}

static ur_language_logits logits(ur_tape *t, const ur_language_model *m, const ur_seq *ids,
                                 ur_state initial)
{
    const ur_rnn_out out = layers_below(t, m, ids, initial);
    ur_seq *y = ur_dropout(t, out.y, m->config->dropout);
    return (ur_language_logits){ur_linear_seq(t, &m->fc, y), out};
}

/* ---- writing ------------------------------------------------------------------------------ */

enum { CHUNK = UR_SIZE(256, 3) }; /* tokens of prompts at a time, any number gives the same bits */

typedef struct writing {
    const ur_language_model *m;
    size_t rows;
    ur_state now;
    ur_rnn_out last; /* of a step, on the tape */
} writing;

static size_t part_of(size_t length, size_t at, size_t steps)
{
    const size_t left = length > at ? length - at : 0;
    return left < steps ? left : steps;
}

/* Tokens [at, at + steps) of each text, as far as it goes. */
static void read_chunk(ur_tape *t, writing *w, const ur_ids *texts, size_t at, size_t steps)
{
    const size_t count = w->rows;
    size_t *part = ur_take(t, count, sizeof *part), total = 0;
    for (size_t b = 0; part && b < count; b++)
        total += part[b] = part_of(texts[b].length, at, steps);
    int32_t *ids = part ? ur_take(t, total, sizeof *ids) : NULL;
    if (!ids)
        return;
    for (size_t b = 0, to = 0; b < count; b++)
        for (size_t i = 0; i < part[b]; i++)
            ids[to++] = texts[b].ids[at + i];
    const ur_layout *layout = ur_new_layout(t, UR_STEP_MAJOR, count, part, NULL);
    const ur_rnn_out out = layers_below(t, w->m, ur_seq_ints(t, layout, ids), w->now);
    if (ur_tape_ok(t))
        ur_states_take(t, &w->now, (ur_state){out.h_n, out.c_n}, count, NULL);
}

static void read_texts(ur_tape *t, writing *w, const ur_ids *texts)
{
    const size_t steps = w->rows && w->rows < CHUNK ? CHUNK / w->rows : 1;
    size_t longest = 0;
    for (size_t b = 0; b < w->rows; b++)
        longest = texts[b].length > longest ? texts[b].length : longest;
    const ur_place place = ur_tape_place(t);
    for (size_t at = 0; at < longest && ur_tape_ok(t); at += steps) {
        read_chunk(t, w, texts, at, steps);
        ur_tape_rewind(t, place);
    }
}

static void read_more(ur_tape *t, void *state, ur_ids ids)
{
    writing *w = state;
    read_texts(t, w, &ids);
}

static void *start(ur_tape *t, const ur_decoder *decoder, const ur_decoder_task *task,
                   int32_t *symbols)
{
    const ur_language_model *m = decoder->self;
    const size_t count = task->sources->count;
    const ur_ids *texts = ur_language_prompts(t, m, task->sources, symbols);
    writing *w = texts ? ur_take(t, 1, sizeof *w) : NULL;
    if (!w)
        return NULL;
    *w = (writing){
        .m = m, .rows = count, .now = ur_states_new(t, &m->rnn, count, count * task->hypotheses)};
    if (!ur_tape_ok(t))
        return NULL;
    read_texts(t, w, texts);
    return ur_tape_ok(t) ? w : NULL;
}

static ur_tensor *step(ur_tape *t, void *state, const int32_t *symbols)
{
    writing *w = state;
    w->last = layers_below(t, w->m, ur_one_step_ids(t, w->rows, symbols), w->now);
    return w->last.y ? ur_linear(t, &w->m->fc, w->last.y->values) : NULL;
}

static void reorder(ur_tape *t, void *state, size_t rows, const size_t *parent)
{
    writing *w = state;
    ur_states_take(t, &w->now, (ur_state){w->last.h_n, w->last.c_n}, rows, parent);
    w->rows = rows;
}

const ur_language_network ur_language_rnn = {.name = "rnn",
                                             .order = UR_STEP_MAJOR,
                                             .states = true,
                                             .check = check,
                                             .build = build,
                                             .init = init,
                                             .logits = logits,
                                             .start = start,
                                             .step = step,
                                             .reorder = reorder,
                                             .read = read_more};
