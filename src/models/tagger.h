/* tagger.h - inside taggers and classifiers, and what all kinds that give labels share. */
#ifndef UR_MODELS_TAGGER_H
#define UR_MODELS_TAGGER_H

#include "models/kinds.h"
#include "models/predict.h"
#include "tape/tape.h"
#include "unroll/nn.h"
#include "unroll/tagger.h"

typedef struct ur_tagger {
    ur_model base;
    const ur_tagger_config *config; /* base.config */
    ur_embedding_layer embed;
    ur_rnn_stack rnn;
    ur_linear_layer fc;
} ur_tagger;

/* ---- kinds that give labels ------------------------------------------------------------------ */

enum { UR_TAGGER_ACCURACY, UR_TAGGER_F1 };
extern const ur_figure ur_label_figures[];
extern const char *const ur_label_notes[]; /* what help says of them */

/* What such kinds differ in. */
typedef struct ur_labeller {
    bool per_sequence; /* one answer to the whole of a text */
    size_t (*labels)(const ur_model *model);
    /* texts[which[0]] ...: their logits (answers, labels), a step for each answer. */
    ur_seq *(*logits)(ur_tape *tape, const ur_model *model, size_t count, const size_t *which,
                      const ur_ids *texts);
} ur_labeller;

/* ur_kind.evaluate of data that is a ur_labelled. */
ur_status ur_labels_measure(const ur_labeller *how, const ur_model *model, const void *data,
                            ur_measure *out, ur_confusion *confusion, ur_err *err);
/* ur_predictor.run. */
bool ur_labels_predict(const ur_labeller *how, ur_tape *tape, const ur_assets *assets, size_t count,
                       const size_t *which, const ur_ids *ids, ur_prediction *out);

/* What a kind's data is asked where it is a ur_labelled; see ur_kind. */
size_t ur_labels_examples(const ur_model *model, const void *data);
size_t ur_labels_length(const ur_model *model, const void *data, size_t i);
size_t ur_labels_positions(const ur_model *model, const void *data, size_t i);
void ur_labels_free_data(void *data);
uint64_t ur_labels_fingerprint(const void *data);
size_t ur_labels_extent(const void *data);
const char *ur_labels_remark(const void *data, size_t i);
#define UR_LABELLED_DATA                                                                           \
    .examples = ur_labels_examples, .length = ur_labels_length, .positions = ur_labels_positions,  \
    .free_data = ur_labels_free_data, .fingerprint = ur_labels_fingerprint,                        \
    .extent = ur_labels_extent, .remark = ur_labels_remark, .splits = true
/* ur_kind.prepare: open reads a file as the run's model does, begin that of a new run, whose model it makes. */
ur_status ur_labels_prepare(ur_assets *assets,
                            ur_status (*open)(const ur_assets *assets, const char *path, void **out,
                                              ur_err *err),
                            ur_status (*begin)(ur_assets *assets, ur_err *err), ur_err *err);

/* Part of ur_kind.fits: as many labels as the configuration says; UR_INVALID. */
ur_status ur_labels_fit(const ur_assets *assets, size_t labels, ur_err *err);

/* The next word of what is left of a sentence; false when there is none. What separates words in a tagger's
 * files does so here, and nothing else: a token may have other white space in it. */
bool ur_next_word(const char **left, const char **word, size_t *size);

/* (B, features) as a batch of sequences of one step each, named as those of `like`. */
ur_seq *ur_one_step_each(ur_tape *tape, ur_tensor *x, const ur_layout *like);

/* ---- the recurrent ones ---------------------------------------------------------------------- */

/* A classifier gives one label to the whole of a text. */
static inline bool ur_per_sequence(const ur_model *model)
{
    return model->kind == &ur_kind_classifier;
}

static inline bool ur_is_tagger(const ur_model *model)
{
    return model->kind == &ur_kind_tagger || model->kind == &ur_kind_classifier;
}

/* A model that is known to be of one of these kinds. */
static inline const ur_tagger *ur_as_tagger(const ur_model *model)
{
    return (const ur_tagger *)model;
}

/* evaluate and predict of both kinds; see ur_kind. */
ur_status ur_tagger_measure(const ur_model *model, const void *data, ur_measure *out,
                            ur_confusion *confusion, ur_err *err);
ur_status ur_tagger_predict(const ur_assets *assets, size_t count, const char *const *texts,
                            const ur_search_options *options, ur_prediction *out, size_t *bad,
                            ur_err *err);

#endif
