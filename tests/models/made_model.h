/* made_model.h - small encoder-decoders of every variant, and questions for them. */
#ifndef UR_TESTS_MADE_MODEL_H
#define UR_TESTS_MADE_MODEL_H

#include "support/contexts.h"
#include "unroll/seq2seq.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { SYMBOLS = 9, START = 0, END = 1, PAIRS = 5, MOST_STEPS = 6 };

/* Questions of 3 0 5 2 3 symbols; answers are made by the tests. */
static const int32_t question_ids[] = {2, 3, 4, 5, 6, 7, 8, 2, 4, 4, 8, 3, 5};
static const size_t question_at[] = {0, 3, 3, 8, 10, 13};

static inline ur_ids question(size_t i)
{
    return (ur_ids){question_ids + question_at[i], question_at[i + 1] - question_at[i]};
}

enum { TRANSFORMERS = 48 }; /* variants from here on are such */

static inline void make_transformer(ur_seq2seq_config *c, int variant)
{
    c->network = UR_SEQ2SEQ_TRANSFORMER;
    c->attention = UR_ATTENTION_NONE;
    c->peeky = false;
    c->layers = 1 + (size_t)variant % 2;
    c->heads = variant % 2 ? 3 : 2;
    c->feed_forward_size = 20;
    c->activation = variant % 2 ? UR_ACT_GELU : UR_ACT_RELU;
    c->norm_first = variant / 2 % 2;
    c->tie = (ur_tie)(variant % 3);
}

static inline ur_seq2seq_config config_of(int variant, bool ragged)
{
    ur_seq2seq_config c = {.vocabulary = SYMBOLS,
                           .embed_size = 4,
                           .hidden_size = 12,
                           .cell = "lstm",
                           .layers = 1,
                           .decoder_layers = 1,
                           .bias = true};
    c.attention = variant % 3 == 0 ? UR_ATTENTION_DOT : UR_ATTENTION_NONE;
    c.peeky = variant % 3 == 2;
    c.decoder_start = variant % 2 ? UR_START_HC : UR_START_H;
    c.format.form = ragged ? UR_PAIRS_RAGGED : UR_PAIRS_FIXED;
    c.format.reverse_input = variant % 2;
    c.format.answer_steps = MOST_STEPS;
    c.format.start = START;
    c.format.end = ragged ? END : -1;
    if (variant >= TRANSFORMERS)
        make_transformer(&c, variant);
    return c;
}

static inline ur_model *model_of(ur_context *context, const ur_seq2seq_config *config,
                                 uint64_t seed)
{
    ur_model *m;
    ur_err err;
    if (ur_seq2seq_new(context, config, &m, &err) != UR_OK)
        fail_msg("%s", err.text);
    ur_seq2seq_init(m, seed);
    for (size_t i = 0; i < ur_params_size(m->params); i++)
        ur_params_values(m->params)[i] *= 3.0f; /* livelier than fresh weights */
    ur_params_changed(m->params);
    return m;
}

#endif
