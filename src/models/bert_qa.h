/* bert_qa.h - inside the kind that answers questions from texts. */
#ifndef UR_MODELS_BERT_QA_H
#define UR_MODELS_BERT_QA_H

#include "data/questions.h"
#include "models/bert_heads.h"

enum { UR_QA_EXACT, UR_QA_F1 }; /* its figures */

/* Some windows on a tape, one after the other; id as of ur_new_layout. False when the tape failed. */
bool ur_asked_batch(ur_tape *tape, const ur_questions *questions, size_t count, const size_t *which,
                    const uint64_t *id, ur_seq **ids, ur_seq **segments);
/* What the head says to some windows (rows, 2), one after the other; id as of ur_new_layout. */
ur_seq *ur_asked_spans(ur_tape *tape, const ur_model *model, const ur_questions *questions,
                       size_t count, const size_t *which, const uint64_t *id);
/* How such a model cuts texts. */
ur_windowing ur_bert_windowing(const ur_assets *assets);

/* evaluate and predict of ur_kind. */
ur_status ur_bert_qa_evaluate(const ur_model *model, const void *data, ur_measure *out,
                              ur_confusion *confusion, ur_err *err);
ur_status ur_bert_qa_predict(const ur_assets *assets, size_t count, const char *const *texts,
                             const ur_search_options *options, ur_prediction *out, size_t *bad,
                             ur_err *err);

#endif
