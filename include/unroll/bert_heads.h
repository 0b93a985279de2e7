/* unroll/bert_heads.h - BERT with a head: labels of texts and of pairs of texts, labels of words, answers that
 * stand in a text. They are fine-tuned from published BERTs (unroll/bert.h), and read and written under the names
 * of Hugging Face's BertForSequenceClassification, BertForTokenClassification and BertForQuestionAnswering. */
#ifndef UNROLL_BERT_HEADS_H
#define UNROLL_BERT_HEADS_H

#include "unroll/bert.h"
#include "unroll/core.h"
#include "unroll/corpus.h"
#include "unroll/model.h"
#include "unroll/wordpiece.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How a run cuts its texts, and reads files of them. */
typedef struct ur_bert_reading {
    bool lower, strip_accents, ideographs; /* as in ur_wordpiece_options */
    const char *special[UR_SPECIALS];      /* likewise */
    size_t longest;                        /* pieces that the tokenizer reads; 0: the positions */
    int cutting;                           /* ur_cutting, of pairs */
    bool pairs;                            /* a text is two, with a tab between them */
    const char *second_column;             /* of a file of values: the second text's */
    ur_reading reading;                    /* max_length: pieces, special ones included */
} ur_bert_reading;

/* Classifier: logits (texts, labels) = classifier(drop(pooled)). Tagger: logits (words, labels) =
 * classifier(drop(y_t)), t being a word's first piece; there is no pooler. Cross-entropy is the mean over the
 * texts, or words, of a batch.
 *
 * Parameters: BertModel's behind "bert.", and classifier.weight, classifier.bias. AdamW decays neither biases
 * nor norms. */
typedef struct ur_bert_labels_config {
    ur_bert_config bert;
    size_t labels;
    float classifier_dropout;
    ur_bert_reading text; /* what a run has to know; the model itself sees ids */
} ur_bert_labels_config;

/* A small BERT that cuts texts as bert-base-uncased does; vocabulary and labels are for the caller, and all else
 * that is the BERT's comes with the published one of a run. */
ur_bert_labels_config ur_bert_labels_defaults(void);

/* ur_model_new of the kinds "bert_classifier" and "bert_tagger". Functions of unroll/bert.h take such models,
 * too. UR_INVALID: no labels, settings that are out of range or do not go together. */
ur_status ur_bert_classifier_new(ur_context *context, const ur_bert_labels_config *config,
                                 ur_model **out, ur_err *err);
ur_status ur_bert_tagger_new(ur_context *context, const ur_bert_labels_config *config,
                             ur_model **out, ur_err *err);
/* Of either kind; NULL: a model of another. */
const ur_bert_labels_config *ur_bert_labels_config_of(const ur_model *model);

/* What ur_bert_encode gave -> logits: of a classifier (B, labels), one step for each sequence; of a tagger
 * (rows, labels), of the same layout. */
ur_seq *ur_bert_label(ur_tape *tape, const ur_model *model, const ur_seq *encoded);

/* ---- answers that stand in a text --------------------------------------------------------------------- */

/* Windows of a text share 128 pieces, or half of what a window has where that is less. */
#define UR_STRIDE_AUTO SIZE_MAX

/* s_t, e_t = qa_outputs(y_t): how well an answer begins and ends at step t of [CLS] question [SEP] text [SEP]. The
 * loss is the mean over the sequences of a batch of half of both cross-entropies over the steps.
 *
 * Parameters: BertModel's behind "bert.", without a pooler, and qa_outputs.weight, qa_outputs.bias. A run ("bert_qa")
 * learns from files of SQuAD's form, cuts texts into windows as return_overflowing_tokens does, and answers
 * `question<TAB>text` (ur_run_predict). */
typedef struct ur_bert_qa_config {
    ur_bert_config bert;
    ur_bert_reading text; /* max_length: pieces of a window, 0: 384; of pairs nothing is used */
    size_t stride;        /* pieces that two windows of a text share, or UR_STRIDE_AUTO */
    size_t max_answer;    /* pieces of an answer, at most */
    bool
        unanswerable; /* a text may have no answer: where [CLS] [CLS] scores more than null_threshold above
                             the best one, there is none */
    double null_threshold;
} ur_bert_qa_config;

/* As ur_bert_labels_defaults. */
ur_bert_qa_config ur_bert_qa_defaults(void);
ur_status ur_bert_qa_new(ur_context *context, const ur_bert_qa_config *config, ur_model **out,
                         ur_err *err);
const ur_bert_qa_config *
ur_bert_qa_config_of(const ur_model *model); /* NULL: a model of another kind */

/* What ur_bert_encode gave -> (rows, 2) s_t and e_t, of the same layout. */
ur_seq *ur_bert_spans(ur_tape *tape, const ur_model *model, const ur_seq *encoded);
/* 1/normaliser sum over the sequences of what they lose, start and end (batch) being the right steps; one that
 * is not in its sequence counts nothing. */
ur_tensor *ur_bert_span_loss(ur_tape *tape, const ur_seq *logits, const int32_t *start,
                             const int32_t *end, double normaliser);

#ifdef __cplusplus
}
#endif

#endif
