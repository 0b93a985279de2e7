/* predict.h - what models make of texts: from texts to ids, shards of them over the threads, and
 * predictions with the memory that they point into. */
#ifndef UR_MODELS_PREDICT_H
#define UR_MODELS_PREDICT_H

#include "tape/tape.h"
#include "unroll/decode.h"
#include "unroll/model.h"

/* ---- one prediction ------------------------------------------------------------------------ */

/* One that says nothing yet, with a copy of its input. */
ur_status ur_prediction_new(ur_context *context, const char *input, ur_prediction *out,
                            ur_err *err);
/* Memory of the prediction's; NULL when there is none. */
void *ur_prediction_take(const ur_prediction *prediction, size_t count, size_t size);
/* The tokens of some ids, one after the other (without spaces at the end), and as a list; NULL
 * without memory. */
char *ur_prediction_join(const ur_prediction *prediction, const ur_vocabulary *vocabulary,
                         const int32_t *ids, size_t count);
const char **ur_prediction_tokens(const ur_prediction *prediction, const ur_vocabulary *vocabulary,
                                  const int32_t *ids, size_t count);

/* The rows or columns of a map: row i is row order[i] of the weights, or (NULL) row i. */
typedef struct ur_map_side {
    size_t count;
    const char *const *labels; /* in the prediction's memory */
    const size_t *order;
} ur_map_side;

/* A map of a sequence's weights (heads, rows, columns) of each layer; weights NULL without memory. */
ur_attention_map ur_prediction_map(const ur_prediction *prediction, const char *name, size_t layers,
                                   ur_weights *const *weights, ur_map_side rows,
                                   ur_map_side columns);

/* ---- many ---------------------------------------------------------------------------------- */

enum { UR_PIECES_AROUND = 4 };

/* What a kind does with texts. */
typedef struct ur_predictor {
    /* A text's ids; there is room for as many as it has bytes (normalised) and one more, and for least_room of
     * them.
     * May set *unknown. */
    ur_status (*encode)(const ur_assets *assets, const char *text, size_t bytes, int32_t *ids,
                        size_t *count, size_t *unknown, ur_err *err);
    size_t least_room;
    /* In place of encode, where the kind itself cuts texts: room for as many as the text has bytes and
     * UR_PIECES_AROUND more. May set out->unknown and out->cut. */
    ur_status (*cut)(const ur_assets *assets, const char *text, size_t bytes, int32_t *ids,
                     size_t *count, ur_prediction *out, ur_err *err);
    ur_unicode unicode;        /* the normalisation that encode makes, which can need more room */
    const ur_reading *reading; /* what becomes of long texts and of UR_UNKNOWN; NULL: nothing */
    size_t longest;            /* beside reading: ids that a text may have where it does not cut */
    /* Completes some predictions: out[which[i]] is to be that of ids[which[i]]. Returns false where
     * memory ran out; other failures are the tape's. first: see ur_predict_ids. */
    bool (*run)(ur_tape *tape, const ur_assets *assets, const ur_search_options *options,
                size_t count, const size_t *which, const ur_ids *ids, const int32_t *first,
                ur_prediction *out);
} ur_predictor;

/* As ur_kind.predict says. All texts are encoded before anything is computed. */
ur_status ur_predict(const ur_predictor *how, const ur_assets *assets, size_t count,
                     const char *const *texts, const ur_search_options *options, ur_prediction *out,
                     size_t *bad, ur_err *err);
/* The sources of a search: some texts' ids, named by their numbers, so that what is drawn for a
 * text does not depend on its shard. False when the tape failed. */
bool ur_predict_sources(ur_tape *tape, size_t count, const size_t *which, const ur_ids *ids,
                        const int32_t *first, ur_sources *out);

/* Completes *out, which ur_prediction_new made, from ids that are there already; frees it after a
 * failure. first (or NULL) goes to `run`. */
ur_status ur_predict_ids(const ur_predictor *how, const ur_assets *assets, ur_ids ids,
                         const int32_t *first, ur_prediction *out, ur_err *err);

#endif
