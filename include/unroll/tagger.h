/* unroll/tagger.h - models that give labels: to every token of a text, or to the whole of it. */
#ifndef UNROLL_TAGGER_H
#define UNROLL_TAGGER_H

#include "unroll/core.h"
#include "unroll/corpus.h"
#include "unroll/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- taggers and classifiers --------------------------------------------------------------- */

/* An embedding, a stack of recurrent layers, and a linear layer that gives a label to every token
 * of a text (tagger: words' parts of speech, names) or to the whole of it (classifier):
 *     y, h_n = rnn(embed(tokens))
 *     logits = fc(y)         tagger: (tokens, labels)
 *     logits = fc(h)         classifier: (texts, labels); h is the top layer's last state, with two
 *                            directions torch.cat((h_n[-2], h_n[-1]), dim=1), or their mean
 * Cross-entropy is the mean over all the tokens, or texts, of a batch. A classifier's answer to a
 * text without tokens is what fc makes of zeros.
 *
 * Parameters: embed.weight CELL.* fc.weight fc.bias, where CELL is lstm, gru or rnn. Drop-out acts
 * on the embeddings, between the layers, and on what fc reads. */
typedef struct ur_tagger_config {
    size_t vocabulary, labels; /* tokens; labels, at most UR_MOST_LABELS; 0: not known yet */
    size_t embed_size, hidden_size;
    const char *cell;         /* as in ur_rnn_config */
    size_t layers;            /* 1 to UR_MOST_LAYERS */
    ur_directions directions; /* UR_ONE_WAY: a token's label depends on those before it alone */
    float dropout;
    /* What a run has to know of its texts; the model itself sees ids. */
    ur_text_options text;
    size_t min_freq, max_size; /* see ur_vocabulary_options */
    ur_reading reading;        /* of files, and of texts to label */
} ur_tagger_config;

/* embed 64, hidden 128, lstm, one layer, both directions side by side, no drop-out; vocabulary and
 * labels are for the caller. Text: words (a tagger's data has them cut already), for a classifier
 * words and punctuation; those that occur once become <unk>, so that <unk> is learned. */
ur_tagger_config ur_tagger_defaults(void);
ur_tagger_config ur_classifier_defaults(void);

/* Whether the options are in range and go together, whatever the vocabulary and the labels:
 * UR_INVALID with the reason. */
ur_status ur_tagger_check(const ur_tagger_config *config, ur_err *err);
ur_status ur_classifier_check(const ur_tagger_config *config, ur_err *err);

/* ur_model_new for the kinds "tagger" and "classifier"; their data is ur_labelled, UR_TAGGED or
 * UR_CLASSIFIED. An evaluation gives accuracy (sum[0], of the tokens or texts) and macro F1
 * (sum[1]). UR_INVALID: no tokens or no labels, or the configuration's check. */
ur_status ur_tagger_new(ur_context *context, const ur_tagger_config *config, ur_model **out,
                        ur_err *err);
ur_status ur_classifier_new(ur_context *context, const ur_tagger_config *config, ur_model **out,
                            ur_err *err);
/* ur_model_init of either. PyTorch's initialisation: embedding N(0,1), cells U(+-1/sqrt(H)), linear
 * U(+-1/sqrt(in)). */
void ur_tagger_init(ur_model *model, uint64_t seed);
/* Of either kind; NULL: a model of another. */
const ur_tagger_config *ur_tagger_config_of(const ur_model *model);

/* tokens: ids (rows) of any layout -> logits: tagger (rows, labels) of the same layout, classifier
 * (B, labels), one step for each text. */
ur_seq *ur_tagger_forward(ur_tape *tape, const ur_model *model, const ur_seq *tokens);

/* Labels of `count` texts, which share the context's threads. There are n answers: one for each
 * token of text 0, then of text 1 ...; from a classifier one for each text. label (n): the most
 * probable (the first of equals); probability (n, labels): of every label; either may be NULL.
 * UR_INVALID: an id that is not in the vocabulary, a model of another kind. */
ur_status ur_tagger_apply(ur_context *context, const ur_model *model, size_t count,
                          const ur_ids *texts, int32_t *label, float *probability, ur_err *err);

/* ---- how often which label was taken for which ---------------------------------------------- */

/* All zero; fresh memory from `a` (NULL: malloc). matrix: also which was taken for which, of at most
 * UR_MOST_CONFUSED labels. */
ur_status ur_confusion_new(const ur_allocator *a, size_t labels, bool matrix, ur_confusion **out,
                           ur_err *err);
void ur_confusion_free(const ur_allocator *a, ur_confusion *confusion); /* accepts NULL */

/* precision = right / predicted, recall = right / present, f1 = 2 right / (predicted + present),
 * the harmonic mean of the two; each 0 where it would be 0 / 0. */
typedef struct ur_label_score {
    size_t present;   /* how often it is the true label */
    size_t predicted; /* how often the model says so */
    size_t right;     /* both */
    double precision, recall, f1;
} ur_label_score;

ur_label_score ur_confusion_score(const ur_confusion *confusion, size_t label);
/* Right ones among all; 0 of none. */
double ur_confusion_accuracy(const ur_confusion *confusion);
/* The plain mean of f1 over the labels that are present or predicted at all, as scikit-learn's
 * f1_score(average="macro") has it; 0 where there is none. */
double ur_confusion_f1(const ur_confusion *confusion);

#ifdef __cplusplus
}
#endif

#endif
