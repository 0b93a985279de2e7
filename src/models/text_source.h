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

/* Reads what assets->data names. A new run's vocabulary is learned from it, or is another model's,
 * whose source is `like` (else NULL); its own source is completed. *out is to be freed whatever is
 * returned. */
ur_status ur_text_data_read(ur_assets *assets, ur_text_source *source, const ur_text_source *like,
                            ur_text_data *out, ur_err *err);
void ur_text_data_free(ur_text_data *data);

/* What differs from one such kind to the next. */
typedef struct ur_text_learner {
    size_t vocabulary; /* of its configuration: where the size_t stands, and where */
    size_t source;     /* its ur_text_source */
    /* Data to learn from, so many streams or examples a step; batch 0: to measure with. */
    ur_status (*make_data)(const ur_assets *assets, ur_ids ids, size_t batch, void **out,
                           ur_err *err);
} ur_text_learner;

/* As ur_kind.prepare, fits and open say. */
ur_status ur_text_prepare(const ur_text_learner *learner, ur_assets *assets, ur_err *err);
ur_status ur_text_fits(const ur_text_learner *learner, const ur_assets *assets, ur_err *err);
ur_status ur_text_open(const ur_text_learner *learner, const ur_assets *assets,
                       const ur_pair_source *source, void **out, ur_err *err);

/* Notes in s->unseen which ids of the vocabulary the training tokens lack, and those that `like` (or
 * NULL) was trained with: fresh memory of the context's allocator, or NULL for none. */
ur_status ur_text_note_unseen(const ur_assets *assets, ur_ids train, const ur_text_source *like,
                              ur_text_source *s, ur_err *err);

/* The ids that are never written, rising but for <unk>, which comes first: those of s->unseen. ids NULL:
 * only counted. */
size_t ur_text_never(const ur_text_source *s, const ur_vocabulary *v, int32_t *ids);

#endif
