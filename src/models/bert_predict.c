/* bert_predict.c - what a BERT makes of texts: what stands behind their [MASK], and where its layers
 * look. */
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "models/bert.h"
#include "models/kinds.h"
#include "models/parts.h"
#include "models/predict.h"
#include "tape/tape.h"

static ur_status encode(const ur_assets *assets, const char *text, size_t bytes, int32_t *ids,
                        size_t *count, size_t *unknown, ur_err *err)
{
    const ur_wordpiece *w = assets->wordpiece;
    const size_t most = ((const ur_bert_config *)assets->config)->positions;
    ur_pieces pieces = {.allocator = ur_context_allocator(assets->context)};
    const ur_status status =
        ur_wordpiece_encode(w, text, bytes, NULL, 0, most, UR_CUT_LONGEST_FIRST, &pieces, err);
    *count = pieces.count;
    for (size_t i = 0; i < pieces.count; i++)
        ids[i] = pieces.piece[i].id;
    *unknown += ur_ids_count((ur_ids){ids, *count}, ur_wordpiece_special(w, UR_UNK));
    ur_pieces_free(&pieces);
    return status;
}

/* ---- one text --------------------------------------------------------------------------------- */

static const char *const *tokens_of(const ur_assets *assets, const int32_t *ids, size_t n,
                                    ur_prediction *out)
{
    const char **tokens = ur_prediction_take(out, n, sizeof *tokens);
    for (size_t i = 0; tokens && i < n; i++) {
        const char *token = ur_wordpiece_token(assets->wordpiece, ids[i]);
        const size_t size = token ? strlen(token) + 1 : 1;
        char *copy = ur_prediction_take(out, size, 1);
        if (!copy)
            return NULL;
        tokens[i] = memcpy(copy, token ? token : "", size);
    }
    return tokens;
}

/* The text, with the words that were told in the place of its masks; a piece inside a word without its
 * mark. */
static bool fill_text(const ur_assets *assets, const int32_t *told, size_t n, ur_prediction *out)
{
    const int32_t mask = ur_wordpiece_special(assets->wordpiece, UR_MASK);
    const size_t bytes = strlen(out->input);
    ur_pieces pieces = {.allocator = ur_context_allocator(assets->context)};
    size_t room = bytes + 1, at = 0, used = 0;
    for (size_t i = 0; i < n; i++)
        room += strlen(ur_wordpiece_token(assets->wordpiece, told[i]));
    char *text = ur_prediction_take(out, room, 1);
    const bool cut = text && ur_wordpiece_encode(assets->wordpiece, out->input, bytes, NULL, 0, 0,
                                                 UR_CUT_LONGEST_FIRST, &pieces, NULL) == UR_OK;
    for (size_t i = 0; cut && i + 1 < n; i++) {
        const ur_piece *p = &pieces.piece[i];
        if (p->id != mask)
            continue;
        const char *token = ur_wordpiece_token(assets->wordpiece, told[i]);
        token += strncmp(token, "##", 2) == 0 ? 2 : 0;
        memcpy(text + used, out->input + at, p->begin - at);
        used += p->begin - at;
        memcpy(text + used, token, strlen(token));
        used += strlen(token);
        at = p->end;
    }
    ur_pieces_free(&pieces);
    if (!cut)
        return false;
    memcpy(text + used, out->input + at, bytes - at + 1);
    out->text = text;
    return true;
}

/* Takes what stands behind each mask: *row goes on over its rows of logits (NULL: there are none); all is
 * room for a row. */
static bool tell_words(ur_tape *t, const ur_assets *assets, ur_ids ids, const float **row,
                       float *all, ur_prediction *out)
{
    const int32_t mask = ur_wordpiece_special(assets->wordpiece, UR_MASK);
    const size_t vocabulary = ((const ur_bert_config *)assets->config)->vocabulary;
    const size_t tokens = ur_wordpiece_size(assets->wordpiece);
    int32_t *told = ur_take(t, ids.length, sizeof *told);
    float *probability = ur_prediction_take(out, ids.length, sizeof *probability);
    if (!told || !probability)
        return false;
    for (size_t i = 0; i < ids.length; i++) {
        told[i] = ids.ids[i];
        probability[i] = 1.0f;
        if (!*row || ids.ids[i] != mask)
            continue;
        ur_host_softmax(t->context, vocabulary, *row, all);
        told[i] = (int32_t)ur_host_argmax(t->context, tokens, all);
        probability[i] = all[told[i]];
        *row += vocabulary;
    }
    out->count = out->n_inputs = ids.length;
    out->probability = probability;
    out->complete = true;
    out->tokens = tokens_of(assets, told, ids.length, out);
    out->inputs = tokens_of(assets, ids.ids, ids.length, out);
    return out->tokens && out->inputs && fill_text(assets, told, ids.length, out);
}

bool ur_bert_map(ur_tape *t, const ur_assets *assets, const ur_seq *ids, const ur_seq *segments,
                 ur_prediction *out)
{
    if (!ids)
        return false;
    const size_t layers = ((const ur_bert *)assets->model)->config->layers;
    const size_t count = ids->layout->rows;
    const ur_map_side side = {.count = count,
                              .labels = tokens_of(assets, ur_ints(ids->values), count, out)};
    ur_weights **weights = ur_take(t, layers, sizeof(ur_weights *));
    ur_attention_map *map = ur_prediction_take(out, 1, sizeof *map);
    const ur_transformer_call call = {.weights = weights};
    if (!map || !weights || !side.labels || !ur_bert_encode(t, assets->model, ids, segments, &call))
        return false;
    *map = ur_prediction_map(out, "encoder", layers, weights, side, side);
    out->maps = map;
    out->n_maps = 1;
    return map->weights != NULL;
}

static bool fill_map(ur_tape *t, const ur_assets *assets, ur_ids ids, ur_prediction *out)
{
    const ur_layout *layout = ur_new_layout(t, UR_SEQUENCE_MAJOR, 1, &ids.length, NULL);
    return ur_bert_map(t, assets, ur_seq_ints(t, layout, ids.ids), NULL, out);
}

/* ---- many -------------------------------------------------------------------------------------- */

/* Logits of all masks, text by text; NULL: there are none, or the model tells none. */
static const float *all_logits(ur_tape *t, const ur_assets *assets, size_t count,
                               const size_t *which, const ur_ids *ids)
{
    const ur_bert_config *c = assets->config;
    const int32_t mask = ur_wordpiece_special(assets->wordpiece, UR_MASK);
    ur_ids *some = ur_take(t, count, sizeof *some);
    for (size_t i = 0; some && i < count; i++)
        some[i] = ids[which[i]];
    const ur_seq *x = some ? ur_joined(t, UR_SEQUENCE_MAJOR, count, some, NULL) : NULL;
    size_t masks = 0, *row = x ? ur_take(t, x->layout->rows, sizeof *row) : NULL;
    if (!row)
        return NULL;
    for (size_t i = 0; i < x->layout->rows; i++)
        if (ur_ints(x->values)[i] == mask)
            row[masks++] = i;
    if (masks == 0 || !(c->masked_words || c->pretraining))
        return NULL;
    ur_seq *y = ur_bert_encode(t, assets->model, x, NULL, NULL);
    return y ? ur_read(t, ur_bert_words(t, assets->model, ur_rows_of(t, y->values, masks, row)))
             : NULL;
}

static bool run(ur_tape *t, const ur_assets *assets, const ur_search_options *options, size_t count,
                const size_t *which, const ur_ids *ids, const int32_t *first, ur_prediction *out)
{
    const ur_bert_config *c = assets->config;
    const float *row = all_logits(t, assets, count, which, ids);
    float *all = row ? ur_take(t, c->vocabulary, sizeof *all) : NULL;
    (void)first;
    for (size_t i = 0; ur_tape_ok(t) && i < count; i++) {
        const ur_ids one = ids[which[i]];
        if (!tell_words(t, assets, one, &row, all, &out[which[i]]))
            return false;
        if (options && options->maps && !fill_map(t, assets, one, &out[which[i]]))
            return false;
    }
    return ur_tape_ok(t);
}

ur_status ur_bert_predict(const ur_assets *assets, size_t count, const char *const *texts,
                          const ur_search_options *options, ur_prediction *out, size_t *bad,
                          ur_err *err)
{
    const ur_bert_config *c = assets->config;
    const ur_predictor how = {.encode = encode, .least_room = c->positions, .run = run};
    if (!c->masked_words && !c->pretraining && !(options && options->maps))
        return ur_fail(err, UR_UNSUPPORTED,
                       "this BERT has no head for masked words, and so answers to no texts");
    return ur_predict(&how, assets, count, texts, options, out, bad, err);
}
