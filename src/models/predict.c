/* predict.c - what models make of texts, many at a time. */
#include "models/predict.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "tape/runner.h"
#include "text/normalise.h"

/* ---- one prediction ----------------------------------------------------------------------- */

ur_status ur_prediction_new(ur_context *context, const char *input, ur_prediction *out, ur_err *err)
{
    ur_arena *arena;
    const size_t bytes = strlen(input) + 1;
    *out = (ur_prediction){.log_probability = (double)NAN, .score = (double)NAN};
    const ur_status status = ur_arena_new(ur_context_allocator(context), &arena, err);
    if (status != UR_OK)
        return status;
    out->memory = arena;
    char *copy = ur_prediction_take(out, bytes, 1);
    if (!copy) {
        ur_prediction_free(context, out);
        return ur_no_memory(err, bytes);
    }
    memcpy(copy, input, bytes);
    out->input = copy;
    return UR_OK;
}

void *ur_prediction_take(const ur_prediction *p, size_t count, size_t size)
{
    return ur_arena_take(p->memory, count, size);
}

/* U+FFFD of UR_UNKNOWN. */
static const char *token_of(const ur_vocabulary *v, int32_t id, size_t *bytes)
{
    const char *token = ur_vocabulary_token(v, id, bytes);
    if (token)
        return token;
    *bytes = 3;
    return "\xEF\xBF\xBD";
}

char *ur_prediction_join(const ur_prediction *p, const ur_vocabulary *v, const int32_t *ids,
                         size_t count)
{
    for (size_t bytes; count; count--) {
        const char *last = token_of(v, ids[count - 1], &bytes);
        if (bytes != 1 || *last != ' ')
            break;
    }
    const size_t size = ur_vocabulary_decode(v, ids, count, NULL, 0) + 1;
    char *text = ur_prediction_take(p, size, 1);
    if (text)
        ur_vocabulary_decode(v, ids, count, text, size);
    return text;
}

const char **ur_prediction_tokens(const ur_prediction *p, const ur_vocabulary *v,
                                  const int32_t *ids, size_t count)
{
    size_t size = 0, bytes = 0;
    for (size_t i = 0; i < count; i++) {
        token_of(v, ids[i], &bytes);
        size += bytes + 1;
    }
    const char **tokens = ur_prediction_take(p, count, sizeof *tokens);
    char *to = ur_prediction_take(p, size, 1);
    if (!tokens || !to)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        const char *token = token_of(v, ids[i], &bytes);
        tokens[i] = memcpy(to, token, bytes + 1);
        to += bytes + 1;
    }
    return tokens;
}

ur_attention_map ur_prediction_map(const ur_prediction *p, const char *name, size_t layers,
                                   ur_weights *const *weights, ur_map_side rows,
                                   ur_map_side columns)
{
    const size_t heads = weights[0]->heads, size = rows.count * columns.count;
    float *all = ur_prediction_take(p, layers * heads * size, sizeof *all), *to = all;
    for (size_t i = 0; all && i < layers * heads; i++) {
        const float *from = weights[i / heads]->p + (i % heads) * size;
        for (size_t r = 0; r < rows.count; r++)
            for (size_t c = 0; c < columns.count; c++)
                *to++ = from[(rows.order ? rows.order[r] : r) * columns.count +
                             (columns.order ? columns.order[c] : c)];
    }
    return (ur_attention_map){.name = name,
                              .layers = layers,
                              .heads = heads,
                              .rows = rows.count,
                              .columns = columns.count,
                              .row_labels = rows.labels,
                              .column_labels = columns.labels,
                              .weights = all};
}

/* ---- many --------------------------------------------------------------------------------- */

typedef struct predicting {
    const ur_predictor *how;
    const ur_assets *assets;
    const ur_search_options *options;
    int32_t *pool; /* all ids, one after the other */
    ur_ids *ids;   /* (count) */
    size_t *asked; /* (n_asked) texts that are answered, those that are left out not among them */
    size_t n_asked;
    const int32_t *first;
    ur_prediction *out;
} predicting;

static size_t length_of(const void *arg, size_t i)
{
    const predicting *p = arg;
    return p->ids[p->asked[i]].length;
}

static void run_shard(void *arg, ur_tape *t, size_t count, const size_t *which, void *result)
{
    const predicting *p = arg;
    size_t *texts = ur_take(t, count, sizeof *texts);
    (void)result;
    if (!texts)
        return;
    for (size_t i = 0; i < count; i++)
        texts[i] = p->asked[which[i]];
    if (!p->how->run(t, p->assets, p->options, count, texts, p->ids, p->first, p->out) &&
        ur_tape_ok(t))
        ur_tape_fail(t, UR_NO_MEMORY, "out of memory: predictions");
}

/* As ur_predictor.encode is promised. */
static size_t room_of(const ur_predictor *how, const char *text)
{
    const size_t around = how->cut ? UR_PIECES_AROUND : 1;
    const size_t room = ur_normalised_room(how->unicode, strlen(text)) + around;
    return room > how->least_room ? room : how->least_room;
}

/* What the kind's ur_reading makes of a text that was encoded: whole, cut, left out or refused. */
static ur_status fit(const predicting *p, size_t i, ur_err *err)
{
    const ur_reading *r = p->how->reading;
    ur_ids *ids = &p->ids[i];
    ur_prediction *out = &p->out[i];
    if (!r)
        return UR_OK;
    if (!p->how->cut && r->max_length && ids->length > r->max_length) {
        out->cut = ids->length - r->max_length;
        ids->length = r->max_length;
    }
    out->left_out = r->skip && (out->cut || ur_ids_count(*ids, UR_UNKNOWN));
    if (out->left_out || p->how->cut || ids->length <= p->how->longest)
        return UR_OK;
    return ur_fail(err, UR_BAD_FILE,
                   "the text has %zu tokens, at most %zu are read (--max-length cuts)", ids->length,
                   p->how->longest);
}

static ur_status encode_all(predicting *p, size_t count, const char *const *texts, size_t *bad,
                            ur_err *err)
{
    size_t room = 0;
    for (size_t i = 0; i < count; i++)
        room += room_of(p->how, texts[i]);
    p->pool = ur_alloc(ur_context_allocator(p->assets->context), room, sizeof *p->pool);
    if (!p->pool)
        return ur_no_memory(err, room * sizeof *p->pool);
    int32_t *ids = p->pool;
    for (size_t i = 0; i < count; i++) {
        p->ids[i].ids = ids;
        const size_t bytes = strlen(texts[i]);
        ur_status status = p->how->cut ? p->how->cut(p->assets, texts[i], bytes, ids,
                                                     &p->ids[i].length, &p->out[i], err)
                                       : p->how->encode(p->assets, texts[i], bytes, ids,
                                                        &p->ids[i].length, &p->out[i].unknown, err);
        if (status == UR_OK)
            status = fit(p, i, err);
        if (status == UR_OK && !p->out[i].left_out)
            p->asked[p->n_asked++] = i;
        if (status != UR_OK) {
            if (bad)
                *bad = i;
            return status;
        }
        ids += room_of(p->how, texts[i]);
    }
    return UR_OK;
}

static ur_status run_all(predicting *p, ur_err *err)
{
    const ur_items_job job = {.count = p->n_asked, .length = length_of, .run = run_shard};
    if (p->n_asked == 0)
        return UR_OK;
    return ur_run_items(p->assets->context, p->assets->model->params, &job, p, err);
}

ur_status ur_predict(const ur_predictor *how, const ur_assets *assets, size_t count,
                     const char *const *texts, const ur_search_options *options, ur_prediction *out,
                     size_t *bad, ur_err *err)
{
    const ur_allocator *a = ur_context_allocator(assets->context);
    predicting p = {.how = how, .assets = assets, .options = options, .out = out};
    for (size_t i = 0; i < count; i++)
        out[i] = (ur_prediction){.text = NULL};
    p.ids = ur_alloc_zero(a, count, sizeof *p.ids);
    p.asked = ur_alloc(a, count, sizeof *p.asked);
    ur_status status = p.ids && p.asked ? UR_OK : ur_no_memory(err, count * sizeof *p.ids);
    for (size_t i = 0; i < count && status == UR_OK; i++)
        status = ur_prediction_new(assets->context, texts[i], &out[i], err);
    if (status == UR_OK)
        status = encode_all(&p, count, texts, bad, err);
    if (status == UR_OK)
        status = run_all(&p, err);
    for (size_t i = 0; i < count && status != UR_OK; i++)
        ur_prediction_free(assets->context, &out[i]);
    ur_free(a, p.pool);
    ur_free(a, p.asked);
    ur_free(a, p.ids);
    return status;
}

bool ur_predict_sources(ur_tape *t, size_t count, const size_t *which, const ur_ids *ids,
                        const int32_t *first, ur_sources *out)
{
    ur_ids *some = ur_take(t, count, sizeof *some);
    uint64_t *id = ur_take(t, count, sizeof *id);
    for (size_t i = 0; some && id && i < count; i++) {
        some[i] = ids[which[i]];
        id[i] = which[i];
    }
    *out = (ur_sources){.count = count, .ids = some, .first = first, .id = id};
    return ur_tape_ok(t);
}

ur_status ur_predict_ids(const ur_predictor *how, const ur_assets *assets, ur_ids ids,
                         const int32_t *first, ur_prediction *out, ur_err *err)
{
    size_t only = 0;
    predicting p = {.how = how,
                    .assets = assets,
                    .ids = &ids,
                    .asked = &only,
                    .n_asked = 1,
                    .first = first,
                    .out = out};
    const ur_status status = run_all(&p, err);
    if (status != UR_OK)
        ur_prediction_free(assets->context, out);
    return status;
}
