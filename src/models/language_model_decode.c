/* language_model_decode.c - a language model as a decoder: a source is a prompt, which is read but
 * for its last token; each step reads a token and gives the logits of the next one.
 *
 * A step's states lie on the tape, (N, rows, ..); the rows that live on are copied from there, once,
 * into memory that lasts. */
#include "models/language_model.h"

#include "base/status.h"
#include "base/tiny.h"
#include "models/decode.h"

enum { CHUNK = UR_SIZE(256, 3) }; /* tokens of prompts at a time, any number gives the same bits */

typedef struct writing {
    const ur_language_model *m;
    size_t rows;
    ur_state now;
    ur_rnn_out last; /* of a step, on the tape */
} writing;

/* ---- reading ------------------------------------------------------------------------------ */

static size_t part_of(size_t length, size_t at, size_t steps)
{
    const size_t left = length > at ? length - at : 0;
    return left < steps ? left : steps;
}

/* Tokens [at, at + steps) of each text, as far as it goes; length (count): of each text. */
static void read_chunk(ur_tape *t, writing *w, const ur_ids *texts, const size_t *length, size_t at,
                       size_t steps)
{
    const size_t count = w->rows;
    size_t *part = ur_take(t, count, sizeof *part), total = 0;
    for (size_t b = 0; part && b < count; b++)
        total += part[b] = part_of(length[b], at, steps);
    int32_t *ids = part ? ur_take(t, total, sizeof *ids) : NULL;
    if (!ids)
        return;
    for (size_t b = 0, to = 0; b < count; b++)
        for (size_t i = 0; i < part[b]; i++)
            ids[to++] = texts[b].ids[at + i];
    const ur_layout *layout = ur_new_layout(t, UR_STEP_MAJOR, count, part, NULL);
    const ur_rnn_out out = ur_language_layers(t, w->m, ur_seq_ints(t, layout, ids), w->now);
    if (ur_tape_ok(t))
        ur_states_take(t, &w->now, (ur_state){out.h_n, out.c_n}, count, NULL);
}

static void read_texts(ur_tape *t, writing *w, const ur_ids *texts, const size_t *length)
{
    const size_t steps = w->rows && w->rows < CHUNK ? CHUNK / w->rows : 1;
    size_t longest = 0;
    for (size_t b = 0; b < w->rows; b++)
        longest = length[b] > longest ? length[b] : longest;
    const ur_place place = ur_tape_place(t);
    for (size_t at = 0; at < longest && ur_tape_ok(t); at += steps) {
        read_chunk(t, w, texts, length, at, steps);
        ur_tape_rewind(t, place);
    }
}

static void read_more(ur_tape *t, void *state, ur_ids ids)
{
    writing *w = state;
    read_texts(t, w, &ids, &ids.length);
}

/* ---- the decoder -------------------------------------------------------------------------- */

/* Whether every prompt has something to read, of the vocabulary. */
static bool check_prompts(ur_tape *t, const ur_language_model *m, const ur_sources *sources)
{
    int32_t bad;
    for (size_t b = 0; b < sources->count; b++) {
        const ur_ids ids = sources->ids[b];
        if (ids.length == 0 && !sources->first)
            ur_tape_fail(t, UR_INVALID, "generation: prompt %zu is empty", b);
        else if (!ur_are_symbols(m->config->vocabulary, ids.ids, ids.length, &bad))
            ur_tape_fail(t, UR_INVALID,
                         "generation: prompt %zu has the id %d, the vocabulary has %zu", b,
                         (int)bad, m->config->vocabulary);
    }
    return ur_tape_ok(t);
}

static void *start(ur_tape *t, const ur_decoder *decoder, const ur_decoder_task *task,
                   int32_t *symbols)
{
    const ur_language_model *m = decoder->self;
    const ur_sources *sources = task->sources;
    const size_t count = sources->count;
    if (!check_prompts(t, m, sources))
        return NULL;
    writing *w = ur_take(t, 1, sizeof *w);
    size_t *length = ur_take(t, count, sizeof *length);
    if (!w || !length)
        return NULL;
    *w = (writing){
        .m = m, .rows = count, .now = ur_states_new(t, &m->rnn, count, count * task->hypotheses)};
    if (!ur_tape_ok(t))
        return NULL;
    for (size_t b = 0; b < count; b++) {
        const ur_ids ids = sources->ids[b];
        length[b] = sources->first ? ids.length : ids.length - 1;
        symbols[b] = sources->first ? sources->first[b] : ids.ids[length[b]];
    }
    read_texts(t, w, sources->ids, length);
    return ur_tape_ok(t) ? w : NULL;
}

static ur_tensor *step(ur_tape *t, void *state, const int32_t *symbols)
{
    writing *w = state;
    w->last = ur_language_layers(t, w->m, ur_one_step_ids(t, w->rows, symbols), w->now);
    return w->last.y ? ur_linear(t, &w->m->fc, w->last.y->values) : NULL;
}

static void reorder(ur_tape *t, void *state, size_t rows, const size_t *parent)
{
    writing *w = state;
    ur_states_take(t, &w->now, (ur_state){w->last.h_n, w->last.c_n}, rows, parent);
    w->rows = rows;
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
                        .start = start,
                        .step = step,
                        .reorder = reorder,
                        .read = read_more};
    return UR_OK;
}
