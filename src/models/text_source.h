/* text_source.h - text files as data of models that learn what comes next. */
#ifndef UR_MODELS_TEXT_SOURCE_H
#define UR_MODELS_TEXT_SOURCE_H

#include "unroll/corpus.h"
#include "unroll/model.h"

/* The ids that a model trains on and validates with; valid.length is 0 where there is nothing to
 * validate with. They live as long as the corpora. */
typedef struct ur_text_data {
    ur_corpus *train_corpus, *valid_corpus;
    ur_ids train, valid;
} ur_text_data;

/* Reads what assets->data names. A new run's vocabulary is learned from it, and its source
 * completed. *out is to be freed whatever is returned. */
ur_status ur_text_data_read(ur_assets *assets, ur_text_source *source, ur_text_data *out,
                            ur_err *err);
void ur_text_data_free(ur_text_data *data);

/* Notes in s->unseen which ids of the vocabulary the training tokens lack: fresh memory of the
 * context's allocator, or NULL for none. */
ur_status ur_text_note_unseen(const ur_assets *assets, ur_ids train, ur_text_source *s,
                              ur_err *err);

/* The ids that are never written, rising but for <unk>, which comes first: those of s->unseen. ids NULL:
 * only counted. */
size_t ur_text_never(const ur_text_source *s, const ur_vocabulary *v, int32_t *ids);

#endif
