/* seq2seq_decode.c - the encoder-decoder as a decoder, recurrent layers writing step by step (a
 * Transformer does in pair_transformer.c), and answers.
 *
 * What the encoder made of a source is kept once, however many hypotheses the source has: they are
 * queries of one sequence to the attention. A step's states lie on the tape, (N, rows, ..); the rows
 * that live on are copied from there, once, into memory that lasts. */
#include "models/seq2seq.h"

#include <string.h>

#include "kernels/math.h"
#include "models/kinds.h"
#include "models/parts.h"

/* ---- the decoder -------------------------------------------------------------------------- */

typedef struct writing {
    const ur_seq2seq *m;
    ur_encoded encoded;
    ur_hypotheses open;
    ur_state now;
    bool attention;
    ur_decoded last; /* of a step, on the tape, as are: */
    ur_weights *weights;
} writing;

/* Sources that were encoded already: what `self` is then. */
typedef struct encoded_model {
    const ur_seq2seq *m;
    const ur_encoded *encoded;
} encoded_model;

void *ur_seq2seq_rnn_start(ur_tape *t, const ur_seq2seq *m, const ur_encoded *encoded,
                           const ur_decoder_task *task)
{
    const size_t count = task->sources->count, most = count * task->hypotheses;
    const ur_state first = ur_seq2seq_start(t, m, encoded);
    writing *w = ur_take(t, 1, sizeof *w);
    const ur_hypotheses open = ur_hypotheses_new(t, task);
    const ur_state now = ur_states_new(t, &m->decoder.rnn, count, most);
    if (!ur_tape_ok(t))
        return NULL;
    *w = (writing){
        .m = m, .encoded = *encoded, .open = open, .now = now, .attention = task->attention};
    ur_states_take(t, &w->now, first, count, NULL);
    return w;
}

/* What each source's first step is fed with. */
static void *start_from(ur_tape *t, const ur_seq2seq *m, const ur_encoded *encoded,
                        const ur_decoder_task *task, int32_t *symbols)
{
    const ur_sources *sources = task->sources;
    for (size_t b = 0; b < sources->count; b++)
        symbols[b] = sources->first ? sources->first[b] : m->config->format.start;
    return m->network->start(t, m, encoded, task);
}

static void *start(ur_tape *t, const ur_decoder *decoder, const ur_decoder_task *task,
                   int32_t *symbols)
{
    const ur_seq2seq *m = decoder->self;
    const ur_sources *sources = task->sources;
    const ur_seq *x = ur_seq2seq_questions(t, m, sources->count, sources->ids, NULL);
    const ur_encoded encoded = m->network->encode(t, m, x);
    // cppcheck-suppress returnDanglingLifetime ; what is returned holds copies of the pointers in it
    return start_from(t, m, &encoded, task, symbols);
}

static void *start_encoded(ur_tape *t, const ur_decoder *decoder, const ur_decoder_task *task,
                           int32_t *symbols)
{
    const encoded_model *self = decoder->self;
    return start_from(t, self->m, self->encoded, task, symbols);
}

ur_tensor *ur_seq2seq_rnn_step(ur_tape *t, void *state, const int32_t *symbols)
{
    writing *w = state;
    const ur_seq *inputs = ur_one_step_ids(t, w->open.rows, symbols);
    const ur_layout *queries = ur_hypotheses_queries(t, &w->open);
    w->last = ur_seq2seq_decode(t, w->m, &w->encoded, inputs, &w->now, queries,
                                w->attention ? &w->weights : NULL);
    return w->last.logits ? w->last.logits->values : NULL;
}

void ur_seq2seq_rnn_reorder(ur_tape *t, void *state, size_t rows, const size_t *parent)
{
    writing *w = state;
    ur_states_take(t, &w->now, w->last.state, rows, parent);
    ur_hypotheses_reorder(&w->open, rows, parent);
}

const float *ur_seq2seq_rnn_attention(const void *state, size_t row)
{
    const writing *w = state;
    return ur_hypotheses_attention(&w->open, w->weights, row);
}

ur_status ur_seq2seq_decoder(const ur_model *model, ur_decoder *out, ur_err *err)
{
    const ur_seq2seq *m = ur_as_seq2seq(model);
    const bool shows = m->network != &ur_seq2seq_rnn || m->config->attention != UR_ATTENTION_NONE;
    (void)err;
    *out = (ur_decoder){.self = m,
                        .vocabulary = m->config->vocabulary,
                        .end = m->config->format.end,
                        .steps = m->config->format.answer_steps,
                        .start = start,
                        .step = m->network->step,
                        .reorder = m->network->reorder,
                        .attention = shows ? m->network->attention : NULL,
                        .release = m->network->release};
    return UR_OK;
}

ur_written *ur_seq2seq_greedy(ur_tape *t, const ur_seq2seq *m, const ur_encoded *encoded,
                              size_t count, const int32_t *first)
{
    const encoded_model self = {m, encoded};
    const ur_sources sources = {.count = count, .first = first};
    ur_decoder decoder;
    ur_seq2seq_decoder(&m->base, &decoder, NULL);
    decoder.self = &self;
    decoder.start = start_encoded;
    return ur_search_with(t, &decoder, &sources, NULL, false);
}

/* ---- answers in reading order ------------------------------------------------------------- */

/* The step that wrote symbol i of the answer; `written` or more when none did. */
static size_t writing_step(const ur_seq2seq *m, size_t written, size_t i)
{
    switch (m->config->format.answer_order) {
    case UR_ANSWER_REVERSED:
        return written - 1 - i;
    case UR_ANSWER_WITH_START: /* the last of the steps wrote the start symbol */
        return i + 2 > written ? written : written - 2 - i;
    case UR_ANSWER_FORWARD:
    default:
        return i;
    }
}

/* A row of attention weights, columns in reading order. */
static void reading_order(const ur_seq2seq *m, const float *x, size_t keys, float *row)
{
    for (size_t j = 0; j < keys; j++)
        row[j] = x[m->config->format.reverse_input ? keys - 1 - j : j];
}

static bool fill_answer(ur_tape *t, const ur_seq2seq *m, const ur_hypothesis *h, size_t keys,
                        int32_t first, ur_answer *out)
{
    const size_t written = h->count;
    *out = (ur_answer){.score = h->score};
    out->ids = ur_take(t, written + 1, sizeof *out->ids);
    out->probability = ur_take(t, written + 1, sizeof *out->probability);
    if (h->attention)
        out->attention = ur_take(t, (written + 1) * keys, sizeof *out->attention);
    if (!ur_tape_ok(t))
        return false;
    out->count = ur_pair_answer(&m->config->format, first, h->ids, written, out->ids);
    out->complete =
        h->complete || (m->config->format.end < 0 && written == m->config->format.answer_steps);
    out->log_probability = h->complete ? (double)ur_logf(h->probability[written]) : 0.0;
    for (size_t i = 0; i < written; i++)
        out->log_probability += (double)ur_logf(h->probability[i]);
    for (size_t i = 0; i < out->count; i++) {
        const size_t at = writing_step(m, written, i);
        const bool given =
            at >= written; /* the decoder's first input, with its start symbol last */
        out->probability[i] = given ? 1.0f : h->probability[at];
        if (out->attention && given)
            memset(out->attention + i * keys, 0, keys * sizeof *out->attention);
        else if (out->attention)
            reading_order(m, h->attention + at * keys, keys, out->attention + i * keys);
    }
    return true;
}

/* The best answer with the others behind it. */
static bool fill_answers(ur_tape *t, const ur_seq2seq *m, const ur_written *written, size_t keys,
                         int32_t first, ur_answer *out)
{
    if (!fill_answer(t, m, &written->best[0], keys, first, out))
        return false;
    const size_t more = written->count - 1;
    ur_answer *others = more ? ur_take(t, more, sizeof *others) : NULL;
    for (size_t i = 0; others && i < more; i++)
        if (!fill_answer(t, m, &written->best[i + 1], keys, first, &others[i]))
            return false;
    out->alternatives = others;
    out->alternative_count = more;
    return ur_tape_ok(t);
}

static bool check_question(ur_tape *t, const ur_seq2seq *m, const int32_t *first,
                           const ur_search_options *options)
{
    if (t->mode != UR_INFER)
        ur_tape_fail(t, UR_INVALID, "answering wants a tape for inference");
    else if (m->config->format.answer_order == UR_ANSWER_WITH_START && !first)
        ur_tape_fail(t, UR_UNSUPPORTED,
                     "this model was trained with its answers' last symbol as the decoder's "
                     "first input, so it cannot answer without being told that symbol");
    else if (options && options->end)
        ur_tape_fail(t, UR_INVALID, "answering: the model's format says which symbol ends one");
    return ur_tape_ok(t);
}

ur_answer *ur_seq2seq_answers(ur_tape *t, const ur_seq2seq *m, const ur_sources *sources,
                              const ur_search_options *options)
{
    const int32_t *first = sources->first;
    ur_search_options o = options ? *options : (ur_search_options){0};
    if (!ur_tape_ok(t) || !check_question(t, m, first, options))
        return NULL;
    ur_decoder decoder;
    ur_seq2seq_decoder(&m->base, &decoder, NULL);
    o.attention = true;
    const ur_written *written = ur_search(t, &decoder, sources, &o);
    ur_answer *out = written ? ur_take(t, sources->count, sizeof *out) : NULL;
    for (size_t b = 0; out && b < sources->count; b++)
        if (!fill_answers(t, m, &written[b], sources->ids[b].length,
                          first ? first[b] : m->config->format.start, &out[b]))
            return NULL;
    return out;
}

ur_answer *ur_seq2seq_answer(ur_tape *t, const ur_model *model, size_t count,
                             const ur_ids *questions, const int32_t *first,
                             const ur_search_options *options)
{
    const ur_sources sources = {.count = count, .ids = questions, .first = first};
    if (!ur_tape_takes(t, model, &ur_kind_seq2seq))
        return NULL;
    return ur_seq2seq_answers(t, ur_as_seq2seq(model), &sources, options);
}
