/* text_data.h - text files as data of a run: what kinds of models of text share. */
#ifndef UR_TRAIN_TEXT_DATA_H
#define UR_TRAIN_TEXT_DATA_H

#include "train/config.h"
#include "train/run.h"

/* The object "text" of config.json, and back with every value checked. */
void ur_text_source_print(ur_json_writer *w, const ur_text_source *source);
ur_status ur_text_source_parse(const ur_json_value *root, ur_text_source *source, ur_err *err);

/* The ids that a run trains on and validates with; valid.length is 0 where there is nothing to
 * validate with. They live as long as the corpora. */
typedef struct ur_text_data {
    ur_corpus *train_corpus, *valid_corpus;
    ur_ids train, valid;
} ur_text_data;

/* Reads what run->settings names; learns run->vocabulary from it, or, where there is one, uses that.
 * *out is to be freed whatever is returned. */
ur_status ur_text_data_read(ur_run *run, const ur_text_source *source, ur_text_data *out,
                            ur_err *err);
void ur_text_data_free(ur_text_data *data);

#endif
