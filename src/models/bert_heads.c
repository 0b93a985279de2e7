/* bert_heads.c - BERT's heads: their configuration, parameters and forward.
 *
 *   classifier   logits = W drop(tanh(W_p y_0 + b_p)) + b     of each sequence
 *   tagger       logits = W drop(y_t) + b                     of each piece that has a label
 *   answers      s_t, e_t = W y_t + b                         of each piece: it begins an answer, it ends it
 *                loss = 1/B sum over sequences of (-log softmax_t(s)[start] - log softmax_t(e)[end]) / 2 */
#include "models/bert_heads.h"

#include <string.h>

#include "base/status.h"
#include "models/parts.h"
#include "models/tagger.h"
#include "tape/tape.h"

/* ---- configuration ------------------------------------------------------------------------ */

ur_bert_labels_config ur_bert_labels_defaults(void)
{
    ur_bert_labels_config c;
    ur_kind_defaults(&ur_kind_bert_classifier, &c);
    return c;
}

const ur_bert_labels_config *ur_bert_labels_config_of(const ur_model *model)
{
    return ur_is_bert_labels(model) ? model->config : NULL;
}

ur_status ur_bert_labels_check(const void *config, ur_err *err)
{
    enum { FEWEST = 4 }; /* [CLS] a [SEP] b, or a word and what stands around it */
    const ur_bert_labels_config *c = config;
    return ur_bert_head_check(&c->bert, &c->text, FEWEST, err);
}

/* ---- parameters --------------------------------------------------------------------------- */

ur_status ur_bert_labels_build(ur_model *model, ur_err *err)
{
    ur_bert_labels *m = (ur_bert_labels *)model;
    ur_bert_labels_config *c = model->config;
    const ur_status vocabulary = ur_check_vocabulary(model->kind, c->bert.vocabulary, 1, err);
    if (vocabulary != UR_OK)
        return vocabulary;
    if (c->labels < 1)
        return ur_fail(err, UR_INVALID, "%s: number of labels %zu, 1 to %d expected",
                       model->kind->name, c->labels, UR_MOST_LABELS);
    m->config = c;
    return ur_bert_head_build(model, &c->bert, ur_is_bert_classifier(model), "classifier",
                              c->labels, &m->classifier, err);
}

ur_status ur_bert_classifier_new(ur_context *context, const ur_bert_labels_config *config,
                                 ur_model **out, ur_err *err)
{
    return ur_model_new(context, &ur_kind_bert_classifier, config, out, err);
}

ur_status ur_bert_tagger_new(ur_context *context, const ur_bert_labels_config *config,
                             ur_model **out, ur_err *err)
{
    return ur_model_new(context, &ur_kind_bert_tagger, config, out, err);
}

/* ---- forward ------------------------------------------------------------------------------ */

static ur_seq *classified(ur_tape *t, const ur_model *model, ur_seq *x)
{
    const ur_bert_labels *m = (const ur_bert_labels *)model;
    return ur_linear_seq(t, &m->classifier, ur_dropout(t, x, m->config->classifier_dropout));
}

ur_seq *ur_bert_label_rows(ur_tape *t, const ur_model *model, ur_tensor *rows,
                           const ur_layout *layout)
{
    return classified(t, model, rows ? ur_seq_new(t, rows, layout) : NULL);
}

ur_seq *ur_bert_label(ur_tape *t, const ur_model *model, const ur_seq *encoded)
{
    if (!ur_is_bert_labels(model) && !ur_tape_takes(t, model, &ur_kind_bert_classifier))
        return NULL;
    if (!encoded || !ur_tape_ok(t))
        return NULL;
    return classified(t, model,
                      ur_is_bert_classifier(model)
                          ? ur_one_step_each(t, ur_bert_pool(t, model, encoded), encoded->layout)
                          : ur_seq_new(t, encoded->values, encoded->layout));
}

/* ---- answers ------------------------------------------------------------------------------ */

ur_bert_qa_config ur_bert_qa_defaults(void)
{
    ur_bert_qa_config c;
    ur_kind_defaults(&ur_kind_bert_qa, &c);
    return c;
}

ur_status ur_bert_qa_new(ur_context *context, const ur_bert_qa_config *config, ur_model **out,
                         ur_err *err)
{
    return ur_model_new(context, &ur_kind_bert_qa, config, out, err);
}

const ur_bert_qa_config *ur_bert_qa_config_of(const ur_model *model)
{
    return model->kind == &ur_kind_bert_qa ? model->config : NULL;
}

ur_seq *ur_bert_spans(ur_tape *t, const ur_model *model, const ur_seq *encoded)
{
    if (!ur_tape_takes(t, model, &ur_kind_bert_qa) || !encoded)
        return NULL;
    return ur_linear_seq(t, &((const ur_bert_qa *)model)->qa_outputs, encoded);
}

/* Number `which` of the two of each step, a sequence a row: what a step beyond its end has is so small that
 * it changes no sum. */
static ur_seq *over_steps(ur_tape *t, ur_tensor *padded, size_t which)
{
    const size_t batch = padded->dim[0], steps = padded->dim[1];
    ur_tensor *rows = ur_reshape(t, padded, 2, (size_t[]){batch * steps, 2});
    ur_tensor *one =
        ur_reshape(t, ur_slice(t, rows, which, which + 1), 2, (size_t[]){batch, steps});
    return one ? ur_seq_new(t, one, ur_one_step_layout(t, batch)) : NULL;
}

static ur_tensor *side_loss(ur_tape *t, ur_tensor *padded, size_t which, const ur_layout *layout,
                            const int32_t *target, double normaliser)
{
    const ur_seq *x = over_steps(t, padded, which);
    int32_t *own = ur_take(t, layout->batch, sizeof *own);
    for (size_t b = 0; own && b < layout->batch; b++)
        own[b] = target[b] >= 0 && (size_t)target[b] < layout->length[b] ? target[b] : UR_IGNORE;
    return x && own ? ur_cross_entropy(t, x, ur_seq_ints(t, x->layout, own), 2.0 * normaliser)
                    : NULL;
}

ur_tensor *ur_bert_span_loss(ur_tape *t, const ur_seq *logits, const int32_t *start,
                             const int32_t *end, double normaliser)
{
    ur_tensor *padded = ur_to_padded(t, logits, 0, -1e30, true);
    if (!padded)
        return NULL;
    if (padded->dim[2] != 2)
        return ur_tape_fail(t, UR_INVALID, "bert_span_loss: %s, two numbers a step expected",
                            ur_shape(logits->values).text);
    return ur_add(t, side_loss(t, padded, 0, logits->layout, start, normaliser),
                  side_loss(t, padded, 1, logits->layout, end, normaliser));
}

/* ---- what all share ----------------------------------------------------------------------- */

ur_bert_reading *ur_bert_reading_of(const ur_kind *kind, void *config)
{
    return kind == &ur_kind_bert_qa ? &((ur_bert_qa_config *)config)->text
                                    : &((ur_bert_labels_config *)config)->text;
}

size_t ur_bert_longest(const ur_bert_config *bert, const ur_bert_reading *text)
{
    const size_t most =
        text->longest && text->longest < bert->positions ? text->longest : bert->positions;
    const size_t wanted = text->reading.max_length;
    return wanted && wanted < most ? wanted : most;
}

ur_status ur_bert_head_check(const ur_bert_config *bert, const ur_bert_reading *text, size_t fewest,
                             ur_err *err)
{
    const ur_status status = ur_bert_check(bert, err);
    if (status != UR_OK)
        return status;
    static const ur_special needed[] = {UR_UNK, UR_CLS, UR_SEP};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        const char *token = text->special[needed[i]];
        if (!token || !*token || strchr(token, '\n'))
            return ur_fail(err, UR_INVALID, "a tokenizer without [UNK], [CLS] or [SEP]");
    }
    if (text->cutting < 0 || text->cutting > UR_CUT_ONLY_SECOND)
        return ur_fail(err, UR_INVALID, "unknown truncation %d", text->cutting);
    if (text->reading.max_length > bert->positions)
        return ur_fail(err, UR_INVALID, "texts of up to %zu pieces: this BERT reads %zu at most",
                       text->reading.max_length, bert->positions);
    if (ur_bert_longest(bert, text) < fewest)
        return ur_fail(err, UR_INVALID,
                       "texts of at most %zu pieces: with [CLS] and [SEP] %zu are needed",
                       ur_bert_longest(bert, text), fewest);
    if (text->pairs && bert->segments < 2)
        return ur_fail(err, UR_INVALID, "pairs of texts: this BERT knows one segment alone");
    return UR_OK;
}

ur_status ur_bert_head_build(ur_model *model, ur_bert_config *bert, bool pooler, const char *name,
                             size_t outputs, ur_linear_layer *head, ur_err *err)
{
    ur_params *p = model->params;
    bert->inside = true;
    bert->masked_words = bert->pretraining = false;
    bert->no_pooler = !pooler;
    const ur_status status = ur_bert_build(model, err);
    if (status != UR_OK)
        return status;
    *head = ur_linear_add(p, name, bert->hidden_size, outputs, true);
    ur_params_set_flags(p, "*.bias", UR_DECAY, false);
    ur_params_set_flags(p, "*LayerNorm.weight", UR_DECAY, false);
    return UR_OK;
}

ur_wordpiece_options ur_bert_cut(const ur_bert_reading *text)
{
    ur_wordpiece_options o = {
        .lower = text->lower, .strip_accents = text->strip_accents, .ideographs = text->ideographs};
    for (int i = 0; i < UR_SPECIALS; i++)
        o.special[i] = text->special[i];
    return o;
}

ur_status ur_bert_started(const ur_assets *assets, ur_err *err)
{
    return assets->wordpiece
               ? UR_OK
               : ur_fail(err, UR_INVALID,
                         "a %s starts with a published BERT, which init_from has to name",
                         assets->kind->name);
}

ur_status ur_bert_fits(const ur_assets *assets, ur_err *err)
{
    const ur_bert_config *bert = assets->config;
    const size_t tokens = ur_wordpiece_size(assets->wordpiece);
    return tokens <= bert->vocabulary
               ? UR_OK
               : ur_fail(err, UR_INVALID, "\"vocab_size\" is %zu, but vocab.txt has %zu tokens",
                         bert->vocabulary, tokens);
}
