/* tagger.c - a label for every token of a text, or one for all of it: forward and loss.
 *
 *   y, h_n = rnn(embed(tokens))
 *   logits = fc(y)             tagger: (rows, labels)
 *   logits = fc(h)             classifier: (B, labels), h = [h_n forward; h_n backward] of the top
 * loss = sum over tokens, or texts, of -log softmax(logits)[label] / their number in the batch. */
#include "models/tagger.h"

#include <string.h>

#include "models/parts.h"

/* ---- forward ------------------------------------------------------------------------------ */

static bool drops(const ur_tape *t, const ur_tagger *m)
{
    return m->config.dropout > 0.0f && ur_tape_mode(t) == UR_TRAIN;
}

/* (B, features) as a batch of sequences of one step each, named as those of `like`. */
static ur_seq *one_step_each(ur_tape *t, ur_tensor *x, const ur_layout *like)
{
    size_t *one = x ? ur_take(t, like->batch, sizeof *one) : NULL;
    if (!one)
        return NULL;
    for (size_t b = 0; b < like->batch; b++)
        one[b] = 1;
    return ur_seq_new(t, x, ur_new_layout(t, UR_STEP_MAJOR, like->batch, one, like->id));
}

ur_seq *ur_tagger_forward(ur_tape *t, const ur_model *model, const ur_seq *tokens)
{
    const ur_tagger *m = ur_as_tagger(model);
    const ur_tagger_config *c = &m->config;
    const ur_state zero = {0};
    const ur_rnn_out out =
        drops(t, m) ? ur_rnn(t, &m->rnn,
                             ur_dropout(t, ur_embedding(t, &m->embed, tokens), c->dropout), zero)
                    : ur_rnn_embedded(t, &m->rnn, &m->embed, tokens, zero);
    if (!ur_tape_ok(t) || !tokens)
        return NULL;
    ur_seq *x = out.y;
    if (c->per_sequence)
        x = one_step_each(t, ur_join_directions(t, c->directions, out.h_n, c->layers - 1),
                          tokens->layout);
    return ur_linear_seq(t, &m->fc, ur_dropout(t, x, c->dropout));
}

/* ---- loss --------------------------------------------------------------------------------- */

/* Sequences of ids, one after the other. */
static int32_t *join(ur_tape *t, size_t count, const ur_ids *items, size_t *length)
{
    size_t rows = 0;
    for (size_t i = 0; i < count; i++)
        rows += length[i] = items[i].length;
    int32_t *ids = ur_take(t, rows, sizeof *ids);
    for (size_t i = 0, at = 0; ids && i < count; at += items[i++].length)
        memcpy(ids + at, items[i].ids, items[i].length * sizeof *ids);
    return ids;
}

static ur_tensor *tagger_loss(ur_tape *t, const ur_model *model, const void *data, size_t count,
                              const size_t *which, double normaliser)
{
    ur_ids *items = ur_take(t, count, sizeof *items);
    size_t *length = ur_take(t, count, sizeof *length);
    uint64_t *id = ur_take(t, count, sizeof *id);
    if (!items || !length || !id)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        items[i] = ur_labelled_labels(data, which[i]);
        id[i] = which[i];
    }
    const int32_t *labels = join(t, count, items, length);
    for (size_t i = 0; i < count; i++)
        items[i] = ur_labelled_tokens(data, which[i]);
    const int32_t *tokens = join(t, count, items, length);
    if (!labels || !tokens)
        return NULL;
    const ur_layout *layout = ur_new_layout(t, UR_STEP_MAJOR, count, length, id);
    const ur_seq *logits = ur_tagger_forward(t, model, ur_seq_ints(t, layout, tokens));
    return logits ? ur_cross_entropy(t, logits, ur_seq_ints(t, logits->layout, labels), normaliser)
                  : NULL;
}

/* ---- what a trainer asks ------------------------------------------------------------------ */

static size_t tagger_examples(const ur_model *model, const void *data)
{
    (void)model;
    return ur_labelled_count(data);
}

static size_t tagger_length(const ur_model *model, const void *data, size_t i)
{
    (void)model;
    return ur_labelled_tokens(data, i).length;
}

static size_t tagger_positions(const ur_model *model, const void *data, size_t i)
{
    (void)model;
    return ur_labelled_labels(data, i).length;
}

static ur_status tagger_evaluate(ur_context *context, const ur_model *model, const void *data,
                                 ur_measure *out, ur_err *err)
{
    return ur_tagger_evaluate(context, model, data, out, NULL, err);
}

#define TAGGER_CLASS(name)                                                                         \
    {                                                                                              \
        .kind = (name), .free = ur_tagger_free, .examples = tagger_examples,                       \
        .length = tagger_length, .positions = tagger_positions, .loss = tagger_loss,               \
        .evaluate = tagger_evaluate,                                                               \
    }

const ur_model_class ur_tagger_class = TAGGER_CLASS("tagger");
const ur_model_class ur_classifier_class = TAGGER_CLASS("classifier");
