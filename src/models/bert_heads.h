/* bert_heads.h - inside BERT with a head. */
#ifndef UR_MODELS_BERT_HEADS_H
#define UR_MODELS_BERT_HEADS_H

#include "models/bert.h"
#include "models/kinds.h"
#include "unroll/bert_heads.h"

typedef struct ur_bert_qa {
    ur_bert bert;
    const ur_bert_qa_config *config; /* base.config */
    ur_linear_layer qa_outputs;
} ur_bert_qa;

typedef struct ur_bert_labels {
    ur_bert bert;
    const ur_bert_labels_config *config; /* base.config */
    ur_linear_layer classifier;
} ur_bert_labels;

static inline bool ur_is_bert_classifier(const ur_model *model)
{
    return model->kind == &ur_kind_bert_classifier;
}

static inline bool ur_is_bert_labels(const ur_model *model)
{
    return model->kind == &ur_kind_bert_classifier || model->kind == &ur_kind_bert_tagger;
}

/* Of both kinds that give labels. */
ur_status ur_bert_labels_check(const void *config, ur_err *err);
ur_status ur_bert_labels_build(ur_model *model, ur_err *err);
/* What a tagger's classifier makes of some rows (n, hidden_size) that are steps of `layout`. */
ur_seq *ur_bert_label_rows(ur_tape *tape, const ur_model *model, ur_tensor *rows,
                           const ur_layout *layout);

/* ---- what kinds with a head share ---------------------------------------------------------------- */

/* How the configuration of such a kind reads texts; it begins with a ur_bert_config. */
ur_bert_reading *ur_bert_reading_of(const ur_kind *kind, void *config);
/* Pieces of an input that are read. */
size_t ur_bert_longest(const ur_bert_config *bert, const ur_bert_reading *text);
/* Whether these make sense, where an input has at least `fewest` pieces. */
ur_status ur_bert_head_check(const ur_bert_config *bert, const ur_bert_reading *text, size_t fewest,
                             ur_err *err);
/* Adds a head to the BERT that the model's configuration `bert` is of: a linear layer of that name. */
ur_status ur_bert_head_build(ur_model *model, ur_bert_config *bert, bool pooler, const char *name,
                             size_t outputs, ur_linear_layer *head, ur_err *err);
/* ur_kind.pieces. */
ur_wordpiece_options ur_bert_cut(const ur_bert_reading *text);
/* Whether there is a published BERT to start with; of an opened run, whether its vocabulary fits. */
ur_status ur_bert_started(const ur_assets *assets, ur_err *err);
ur_status ur_bert_fits(const ur_assets *assets, ur_err *err);

/* Of ur_kind: how they are trained, as transformers' Trainer and the paper have it (Devlin et al. 2019, appendix
 * A.3); what of it means nothing here; what config.json has for transformers. */
#define UR_FINE_TUNING                                                                             \
    {"optimizer", "adamw"}, {"lr", "5e-5"}, {"schedule", "linear"}, {"weight_decay", "0.01"},      \
    {                                                                                              \
        "epochs", "3"                                                                              \
    }
#define UR_FINE_TUNING_HIDES "size", "valid_size", "own_vocabulary"
#define UR_BERT_FORMER "architectures", "id2label", "label2id"

#endif
