/* made_tagger.h - small taggers and classifiers of every variant, and texts for them. */
#ifndef UR_TESTS_MADE_TAGGER_H
#define UR_TESTS_MADE_TAGGER_H

#include "models/made_labelled.h"
#include "models/tagger.h"
#include "support/contexts.h"

enum { TOKENS = 12, LABELS = 4, TEXTS = 70, MOST_ROWS = TEXTS * 10 };

/* Texts of 0 to 9 tokens; the first ones empty and longest. */
typedef struct made {
    size_t length[TEXTS], rows;
    int32_t ids[MOST_ROWS];
    int32_t labels[MOST_ROWS];
    ur_ids texts[TEXTS];
} made;

static inline void make(made *m, size_t least)
{
    m->rows = 0;
    for (size_t i = 0; i < TEXTS; i++) {
        m->length[i] = least + i * 7 % (10 - least);
        m->texts[i] = (ur_ids){m->ids + m->rows, m->length[i]};
        for (size_t j = 0; j < m->length[i]; j++, m->rows++)
            m->ids[m->rows] = (int32_t)((m->rows * 5 + i) % TOKENS);
    }
    for (size_t i = 0; i < MOST_ROWS; i++)
        m->labels[i] = (int32_t)(i * i % LABELS);
}

static inline ur_tagger_config config_of(int variant)
{
    static const char *const cells[] = {"lstm", "gru", "rnn_tanh"};
    return (ur_tagger_config){.vocabulary = TOKENS,
                              .labels = LABELS,
                              .embed_size = 5,
                              .hidden_size = 17,
                              .cell = cells[variant % 3],
                              .layers = (size_t)(1 + variant % 2),
                              .directions = (ur_directions)(variant % 3),
                              .dropout = 0.3f};
}

static inline ur_status model_new(ur_context *context, bool per_sequence,
                                  const ur_tagger_config *config, ur_model **out, ur_err *err)
{
    return per_sequence ? ur_classifier_new(context, config, out, err)
                        : ur_tagger_new(context, config, out, err);
}

static inline ur_model *model_of(ur_context *context, bool per_sequence,
                                 const ur_tagger_config *config)
{
    ur_model *m;
    ur_err err;
    if (model_new(context, per_sequence, config, &m, &err) != UR_OK)
        fail_msg("%s", err.text);
    ur_tagger_init(m, 8);
    for (size_t i = 0; i < ur_params_size(m->params); i++)
        ur_params_values(m->params)[i] *= 2.0f; /* livelier than fresh weights */
    ur_params_changed(m->params);
    return m;
}

static inline size_t answers_of(const made *m, bool per_sequence)
{
    return per_sequence ? TEXTS : m->rows;
}

#endif
