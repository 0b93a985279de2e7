/* bert.h - inside BERT: its layers, and what its kind is made of. */
#ifndef UR_MODELS_BERT_H
#define UR_MODELS_BERT_H

#include "io/json.h"
#include "unroll/bert.h"
#include "unroll/model.h"

typedef struct ur_bert {
    ur_model base;
    const ur_bert_config *config; /* base.config */
    ur_embedding_layer words, segments;
    ur_positions_layer positions;
    ur_layer_norm_layer norm; /* with config->embedding_norm */
    ur_transformer_encoder encoder;
    ur_linear_layer pooler;
    ur_linear_layer transform, decoder; /* of the head for masked words */
    ur_layer_norm_layer transform_norm;
    ur_linear_layer next; /* of the head for the next sentence */
} ur_bert;

/* Of ur_kind_bert, which bert_pretraining.c has, and of kinds that begin with it. */
extern const ur_field ur_bert_fields[];
extern const char *const ur_bert_act_words[];  /* of "hidden_act" */
extern const char *const ur_bert_kind_words[]; /* of "model_type" */
/* ur_bert_config_load of a file that was read. */
ur_status ur_bert_config_read(const ur_allocator *a, const ur_json *document, ur_bert_config *out,
                              ur_err *err);
ur_status ur_bert_check(const void *config, ur_err *err);
ur_status ur_bert_build(ur_model *model, ur_err *err);
void ur_bert_init(ur_model *model, uint64_t seed);
/* Draws the matrices whose names begin so, as ur_bert_init does where the configuration's init is
 * UR_BERT_NORMAL. */
void ur_bert_init_part(ur_model *model, const char *prefix, uint64_t seed);
/* ur_kind.pieces: by what rules texts are cut. */
void ur_bert_pieces(const void *config, ur_wordpiece_options *out);
/* ur_kind.predict: texts with the most probable words in place of their masks. */
ur_status ur_bert_predict(const ur_assets *assets, size_t count, const char *const *texts,
                          const ur_search_options *options, ur_prediction *out, size_t *bad,
                          ur_err *err);
/* Where the pieces of one sequence (ids; segments NULL: all are of the first) look, as a prediction's only map.
 * False where memory ran out or the tape failed. */
bool ur_bert_map(ur_tape *tape, const ur_assets *assets, const ur_seq *ids, const ur_seq *segments,
                 ur_prediction *out);

#endif
