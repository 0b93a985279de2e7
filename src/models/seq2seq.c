/* seq2seq.c - an encoder-decoder over characters: its forward, loss and measure.
 *
 *   encoder:  x = embed(question),  y, h, c = rnn(x)
 *   decoder:  x = embed(`_` answer) [peeky: [h; x]],  d = rnn(x) from (h, 0) or (h, c)
 *             logits = fc([context; d]),  context = softmax(d y^T) y         attention dot
 *             logits = fc(d)                                                 none
 *             logits = fc([h; d])                                            peeky
 * rnn is a stack of any cell; h is the top layer's last, of both directions where there are two.
 * The context enters the output layer only (Luong et al. 2015, without input feeding). */
#include "models/seq2seq.h"

#include "models/parts.h"

/* ---- forward ------------------------------------------------------------------------------ */

/* Whether drop-out stands between embedding and recurrent layers. */
static bool drops(const ur_tape *t, const ur_seq2seq *m)
{
    return m->config.dropout > 0.0f && ur_tape_mode(t) == UR_TRAIN;
}

ur_encoded ur_seq2seq_encode(ur_tape *t, const ur_seq2seq *m, const ur_seq *questions)
{
    const ur_embedding_layer *embed = &m->encoder.embed;
    const ur_rnn_stack *rnn = &m->encoder.rnn;
    const ur_state zero = {0};
    const ur_rnn_out out =
        drops(t, m)
            ? ur_rnn(t, rnn, ur_dropout(t, ur_embedding(t, embed, questions), m->config.dropout),
                     zero)
            : ur_rnn_embedded(t, rnn, embed, questions, zero);
    return (ur_encoded){
        out.y, ur_join_directions(t, m->config.directions, out.h_n, m->config.layers - 1), out};
}

ur_state ur_seq2seq_start(ur_tape *t, const ur_seq2seq *m, const ur_encoded *encoded)
{
    const size_t depth = m->config.decoder_layers, top = m->config.layers - 1;
    const bool both = m->config.decoder_start == UR_START_HC;
    ur_tensor *h[UR_MOST_LAYERS], *c[UR_MOST_LAYERS];
    for (size_t i = 0; i < depth; i++) {
        const size_t layer = depth == 1 ? top : i;
        h[i] = layer == top ? encoded->h
                            : ur_join_directions(t, m->config.directions, encoded->all.h_n, layer);
        c[i] = both ? ur_join_directions(t, m->config.directions, encoded->all.c_n, layer) : NULL;
    }
    return (ur_state){ur_stack(t, depth, h), both ? ur_stack(t, depth, c) : NULL};
}

ur_decoded ur_seq2seq_decode(ur_tape *t, const ur_seq2seq *m, const ur_encoded *encoded,
                             const ur_seq *inputs, const ur_state *state, const ur_layout *queries,
                             ur_weights **weights)
{
    const float p = m->config.dropout;
    const ur_embedding_layer *embed = &m->decoder.embed;
    const ur_rnn_stack *rnn = &m->decoder.rnn;
    const ur_layout *steps = inputs ? inputs->layout : NULL;
    const ur_layout *by_source = queries ? queries : steps;
    ur_seq *peek = m->config.peeky ? ur_repeat(t, encoded->h, by_source) : NULL;
    const ur_state start = state ? *state : ur_seq2seq_start(t, m, encoded);
    ur_rnn_out out;
    if (m->config.peeky || drops(t, m)) {
        ur_seq *x = ur_dropout(t, ur_embedding(t, embed, inputs), p);
        out = ur_rnn(t, rnn, m->config.peeky ? ur_concat_seq(t, ur_seq_as(t, peek, steps), x) : x,
                     start);
    } else {
        out = ur_rnn_embedded(t, rnn, embed, inputs, start);
    }
    ur_seq *y = ur_seq_as(t, out.y, by_source);
    ur_seq *d = ur_dropout(t, y, p);
    if (m->config.peeky)
        d = ur_concat_seq(t, peek, d);
    else if (m->config.attention == UR_ATTENTION_DOT)
        d = ur_concat_seq(t, ur_attention_dot(t, y, encoded->y, encoded->y, weights), d);
    return (ur_decoded){ur_linear_seq(t, &m->decoder.fc, d), {out.h_n, out.c_n}};
}

/* ---- batches ------------------------------------------------------------------------------ */

static size_t *lengths_of(ur_tape *t, size_t count, const ur_ids *items)
{
    size_t *length = ur_take(t, count, sizeof *length);
    for (size_t i = 0; length && i < count; i++)
        length[i] = items[i].length;
    return length;
}

static size_t total(size_t count, const size_t *length)
{
    size_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += length[i];
    return sum;
}

ur_seq *ur_seq2seq_questions(ur_tape *t, const ur_seq2seq *m, size_t count, const ur_ids *questions,
                             const uint64_t *id)
{
    const size_t *length = lengths_of(t, count, questions);
    int32_t *ids = length ? ur_take(t, total(count, length), sizeof *ids) : NULL;
    if (!ids)
        return NULL;
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        ur_pair_input(&m->config.format, questions[i], ids + at);
        at += length[i];
    }
    return ur_seq_ints(t, ur_new_layout(t, UR_STEP_MAJOR, count, length, id), ids);
}

/* A shard of pairs as the model reads and writes them. */
typedef struct shard {
    ur_seq *questions, *answers_in, *answers_out;
} shard;

static shard load_shard(ur_tape *t, const ur_seq2seq *m, const ur_pairs *pairs, size_t count,
                        const size_t *which)
{
    shard s = {0};
    const ur_pair_format *format = &m->config.format;
    ur_ids *items = ur_take(t, count, sizeof *items);
    uint64_t *id = ur_take(t, count, sizeof *id);
    size_t *steps = ur_take(t, count, sizeof *steps);
    if (!items || !id || !steps)
        return s;
    for (size_t i = 0; i < count; i++) {
        items[i] = ur_pairs_question(pairs, which[i]);
        id[i] = which[i];
    }
    s.questions = ur_seq2seq_questions(t, m, count, items, id);
    for (size_t i = 0; i < count; i++) {
        items[i] = ur_pairs_answer(pairs, which[i]);
        steps[i] = ur_pair_steps(format, items[i].length);
    }
    int32_t *in = ur_take(t, total(count, steps), sizeof *in);
    int32_t *out = ur_take(t, total(count, steps), sizeof *out);
    if (!in || !out)
        return s;
    for (size_t i = 0, at = 0; i < count; at += steps[i++])
        ur_pair_target(format, items[i], in + at, out + at);
    const ur_layout *layout = ur_new_layout(t, UR_STEP_MAJOR, count, steps, id);
    s.answers_in = ur_seq_ints(t, layout, in);
    s.answers_out = ur_seq_ints(t, layout, out);
    return s;
}

static ur_seq *teacher_forced(ur_tape *t, const ur_seq2seq *m, const shard *s, ur_encoded *encoded)
{
    *encoded = ur_seq2seq_encode(t, m, s->questions);
    return ur_seq2seq_decode(t, m, encoded, s->answers_in, NULL, NULL, NULL).logits;
}

static ur_tensor *seq2seq_loss(ur_tape *t, const ur_model *model, const void *data, size_t count,
                               const size_t *which, double normaliser)
{
    const ur_seq2seq *m = ur_as_seq2seq(model);
    const shard s = load_shard(t, m, data, count, which);
    ur_encoded encoded;
    ur_seq *logits = teacher_forced(t, m, &s, &encoded);
    return ur_cross_entropy(t, logits, s.answers_out, normaliser);
}

ur_seq2seq_logits ur_seq2seq_forward(ur_tape *t, const ur_model *model, const ur_pairs *pairs,
                                     size_t count, const size_t *which)
{
    const ur_seq2seq *m = ur_as_seq2seq(model);
    const shard s = load_shard(t, m, pairs, count, which);
    ur_encoded encoded;
    ur_seq *logits = teacher_forced(t, m, &s, &encoded);
    return (ur_seq2seq_logits){logits, logits ? s.answers_out : NULL};
}

/* ---- evaluation --------------------------------------------------------------------------- */

/* Loss, and how many symbols are right when all earlier ones are given. */
static void measure_forced(ur_tape *t, const ur_seq *logits, const ur_seq *targets, ur_measure *sum)
{
    const size_t classes = logits->values->dim[1];
    const ur_layout *l = targets->layout;
    const float *x = ur_floats(logits->values);
    const int32_t *target = ur_ints(targets->values);
    for (size_t b = 0; b < l->batch; b++) {
        for (size_t s = 0; s < l->length[b]; s++) {
            const size_t r = ur_row(l, b, s);
            const float *row = x + r * classes;
            sum->loss += (double)t->cpu.kernels->cross_entropy(classes, row, target[r], NULL);
            sum->forced_right += ur_argmax(row, classes) == (size_t)target[r];
        }
        sum->positions += l->length[b];
    }
}

/* Whether what was written is what should have been, the end symbol included. */
static bool answer_right(const ur_seq2seq *m, const ur_hypothesis *h, size_t b,
                         const ur_seq *targets)
{
    const ur_layout *l = targets->layout;
    const int32_t *target = ur_ints(targets->values);
    const bool ragged = m->config.format.end >= 0;
    const size_t symbols = ragged ? l->length[b] - 1 : l->length[b];
    if (h->count != symbols || (ragged && !h->complete))
        return false;
    for (size_t s = 0; s < symbols; s++)
        if (h->ids[s] != target[ur_row(l, b, s)])
            return false;
    return true;
}

static void seq2seq_measure(ur_tape *t, const ur_model *model, const void *data, size_t count,
                            const size_t *which, ur_measure *sum)
{
    const ur_seq2seq *m = ur_as_seq2seq(model);
    const shard s = load_shard(t, m, data, count, which);
    int32_t *first = ur_take(t, count, sizeof *first);
    ur_encoded encoded;
    ur_seq *logits = teacher_forced(t, m, &s, &encoded);
    if (!first || !logits || !s.answers_in || !s.answers_out)
        return;
    for (size_t b = 0; b < count; b++)
        first[b] = ur_ints(s.answers_in->values)[ur_row(s.answers_in->layout, b, 0)];
    const ur_written *written = ur_seq2seq_greedy(t, m, &encoded, count, first);
    if (!written)
        return;
    measure_forced(t, logits, s.answers_out, sum);
    for (size_t b = 0; b < count; b++)
        sum->right += answer_right(m, written[b].best, b, s.answers_out);
    sum->examples += count;
}

static size_t seq2seq_examples(const ur_model *model, const void *data)
{
    (void)model;
    return ur_pairs_count(data);
}

static size_t seq2seq_length(const ur_model *model, const void *data, size_t i)
{
    (void)model;
    return ur_pairs_question(data, i).length;
}

static size_t seq2seq_positions(const ur_model *model, const void *data, size_t i)
{
    return ur_pair_steps(&ur_as_seq2seq(model)->config.format, ur_pairs_answer(data, i).length);
}

const ur_model_class ur_seq2seq_class = {
    .kind = "seq2seq",
    .free = ur_seq2seq_free,
    .examples = seq2seq_examples,
    .length = seq2seq_length,
    .positions = seq2seq_positions,
    .loss = seq2seq_loss,
    .measure = seq2seq_measure,
    .decoder = ur_seq2seq_decoder,
};
