/* translation_transformer.c - translation by a Transformer (Vaswani et al. 2017): pair_transformer.c over
 * the two vocabularies. */
#include "models/parts.h"
#include "models/translation.h"

#include "base/status.h"

static ur_pair_transformer_config config_of(const ur_translation_config *c)
{
    const size_t ffn = c->feed_forward_size ? c->feed_forward_size : 4 * c->hidden_size;
    return (ur_pair_transformer_config){.source_symbols = c->vocabulary,
                                        .target_symbols = ur_translation_symbols(c),
                                        .layers = c->layers,
                                        .layer = {.d_model = c->hidden_size,
                                                  .nhead = c->heads,
                                                  .dim_feedforward = ffn,
                                                  .dropout = c->dropout,
                                                  .activation = c->activation,
                                                  .norm_first = c->norm_first},
                                        .tie = c->tie};
}

static ur_status check(const ur_translation_config *c, ur_err *err)
{
    const ur_pair_transformer_config config = config_of(c);
    if (c->activation == UR_ACT_NONE)
        return ur_fail(err, UR_INVALID, "a Transformer's feed-forward layers want an activation");
    if (c->tie == UR_TIE_ALL && !c->text.joint)
        return ur_fail(err, UR_INVALID,
                       "one embedding for both languages wants one vocabulary: --tie all goes with "
                       "a joint one");
    if (c->text.max_length == 0 || c->text.max_length > UR_PAIR_POSITIONS / 3 - 1)
        return ur_fail(
            err, UR_INVALID,
            "a Transformer has %d positions, and a translation may be three times as long "
            "as its source: sentences of %zu tokens, 1 to %d expected",
            UR_PAIR_POSITIONS, c->text.max_length, UR_PAIR_POSITIONS / 3 - 1);
    return ur_transformer_check(&config.layer, err);
}

static ur_status build(ur_translation *m, ur_err *err)
{
    const ur_pair_transformer_config config = config_of(m->config);
    const ur_status status = ur_pair_transformer_check(&config, err);
    return status == UR_OK ? ur_pair_transformer_build(m->base.context, m->base.params, &config,
                                                       &m->transformer, err)
                           : status;
}

static void init(ur_translation *m, uint64_t seed)
{
    ur_pair_transformer_init(&m->transformer, m->base.params, seed);
}

static ur_seq *logits(ur_tape *t, const ur_translation *m, const ur_seq *sources,
                      const ur_seq *inputs)
{
    return ur_pair_transformer_logits(
        t, &m->transformer, ur_pair_transformer_encode(t, &m->transformer, sources), inputs);
}

static void *start(ur_tape *t, const ur_decoder *decoder, const ur_decoder_task *task,
                   int32_t *symbols)
{
    const ur_translation *m = decoder->self;
    const ur_sources *s = task->sources;
    const ur_seq *x = ur_joined(t, UR_SEQUENCE_MAJOR, s->count, s->ids, NULL);
    const ur_seq *memory = ur_pair_transformer_encode(t, &m->transformer, x);
    for (size_t b = 0; b < s->count; b++)
        symbols[b] = s->first ? s->first[b] : UR_ID_BOS;
    return ur_pair_transformer_start(t, &m->transformer, memory, task);
}

const ur_translator ur_translator_transformer = {.name = "transformer",
                                                 .order = UR_SEQUENCE_MAJOR,
                                                 .check = check,
                                                 .build = build,
                                                 .init = init,
                                                 .logits = logits,
                                                 .start = start,
                                                 .step = ur_pair_transformer_step,
                                                 .reorder = ur_pair_transformer_reorder,
                                                 .attention = ur_pair_transformer_attention,
                                                 .release = ur_pair_transformer_release};
