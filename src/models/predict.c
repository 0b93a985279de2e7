/* predict.c - what models make of texts, many at a time. */
#include "models/predict.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "tape/runner.h"

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

char *ur_prediction_join(const ur_prediction *p, const ur_vocabulary *v, const int32_t *ids,
                         size_t count)
{
    for (size_t bytes; count; count--) {
        const char *last = ur_vocabulary_token(v, ids[count - 1], &bytes);
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
    size_t size = 0, bytes;
    for (size_t i = 0; i < count; i++) {
        ur_vocabulary_token(v, ids[i], &bytes);
        size += bytes + 1;
    }
    const char **tokens = ur_prediction_take(p, count, sizeof *tokens);
    char *to = ur_prediction_take(p, size, 1);
    if (!tokens || !to)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        const char *token = ur_vocabulary_token(v, ids[i], &bytes);
        tokens[i] = memcpy(to, token, bytes + 1);
        to += bytes + 1;
    }
    return tokens;
}

/* ---- many --------------------------------------------------------------------------------- */

typedef struct predicting {
    const ur_predictor *how;
    const ur_assets *assets;
    const ur_search_options *options;
    int32_t *pool; /* all ids, one after the other */
    ur_ids *ids;   /* (count) */
    const int32_t *first;
    ur_prediction *out;
} predicting;

static size_t length_of(const void *arg, size_t i)
{
    return ((const predicting *)arg)->ids[i].length;
}

static void run_shard(void *arg, ur_tape *t, size_t count, const size_t *which, void *result)
{
    const predicting *p = arg;
    (void)result;
    if (!p->how->run(t, p->assets, p->options, count, which, p->ids, p->first, p->out) &&
        ur_tape_ok(t))
        ur_tape_fail(t, UR_NO_MEMORY, "out of memory: predictions");
}

static size_t room_of(const ur_predictor *how, const char *text)
{
    const size_t bytes = strlen(text) + 1;
    return bytes > how->least_room ? bytes : how->least_room;
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
        const ur_status status = p->how->encode(p->assets, texts[i], strlen(texts[i]), ids,
                                                &p->ids[i].length, &p->out[i].unknown, err);
        if (status != UR_OK) {
            if (bad)
                *bad = i;
            return status;
        }
        ids += room_of(p->how, texts[i]);
    }
    return UR_OK;
}

static ur_status run_all(predicting *p, size_t count, ur_err *err)
{
    const ur_items_job job = {.count = count, .length = length_of, .run = run_shard};
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
    ur_status status = p.ids ? UR_OK : ur_no_memory(err, count * sizeof *p.ids);
    for (size_t i = 0; i < count && status == UR_OK; i++)
        status = ur_prediction_new(assets->context, texts[i], &out[i], err);
    if (status == UR_OK)
        status = encode_all(&p, count, texts, bad, err);
    if (status == UR_OK)
        status = run_all(&p, count, err);
    for (size_t i = 0; i < count && status != UR_OK; i++)
        ur_prediction_free(assets->context, &out[i]);
    ur_free(a, p.pool);
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
    predicting p = {.how = how, .assets = assets, .ids = &ids, .first = first, .out = out};
    const ur_status status = run_all(&p, 1, err);
    if (status != UR_OK)
        ur_prediction_free(assets->context, out);
    return status;
}
