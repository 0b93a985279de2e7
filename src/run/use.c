/* use.c - what a trained run does: evaluates on other data, answers to texts, writes on. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "run/run.h"
#include "text/normalise.h"
#include "unroll/decode.h"

/* ---- data ---------------------------------------------------------------------------------- */

ur_status ur_run_remember(ur_run *run, const void *data, ur_err *err)
{
    const ur_kind *kind = run->assets.kind;
    const char *remark;
    ur_status status = UR_OK;
    if (!kind->remark || !data)
        return UR_OK;
    for (size_t i = 0; status == UR_OK && (remark = kind->remark(data, i)); i++)
        status = ur_remark(&run->remarks, err, "%s", remark);
    return status;
}

const char *ur_run_remark(const ur_run *run, size_t i)
{
    return ur_remark_at(&run->remarks, i);
}

ur_status ur_run_set_reading(ur_run *run, const char *name, const char *value, ur_err *err)
{
    const ur_kind *kind = run->assets.kind;
    const ur_field *f = strncmp(name, "read.", 5) == 0 ? ur_field_find(kind->fields, name) : NULL;
    ur_err why;
    if (!f)
        return ur_fail(err, UR_INVALID, "a %s has no %s", kind->name, name);
    char *at = (char *)run->assets.config + f->offset, *old = NULL, *copy = NULL;
    if (f->type == UR_FIELD_TEXT) {
        memcpy(&old, at, sizeof old);
        copy = value ? ur_strdup(run->a, value) : NULL;
        if (value && !copy)
            return ur_no_memory(err, strlen(value) + 1);
        value = copy;
    }
    ur_status status = UR_OK;
    if (f->type == UR_FIELD_TEXT && !value)
        memcpy(at, &copy, sizeof copy);
    else
        status = ur_field_set(f, run->assets.config, value, &why);
    if (status != UR_OK) {
        ur_free(run->a, copy);
        return ur_fail(err, status, "%s: %s", name, why.text);
    }
    ur_free(run->a, old);
    if (f->type == UR_FIELD_TEXT) /* the model's copy points to the same text */
        memcpy((char *)run->assets.model->config + f->offset, &copy, sizeof copy);
    return UR_OK;
}

/* ---- evaluation and answers --------------------------------------------------------------- */

ur_status ur_run_evaluate(ur_run *run, const ur_pair_source *source, ur_measure *out,
                          ur_confusion *confusion, ur_err *err)
{
    UR_FPMODE_HERE;
    const ur_kind *kind = run->assets.kind;
    void *data = NULL;
    if (!kind->open)
        return ur_fail(err, UR_UNSUPPORTED, "a %s reads no files: its data is made by the program",
                       kind->name);
    ur_status status = kind->open(&run->assets, source, &data, err);
    if (status != UR_OK)
        return status;
    ur_remarks_free(&run->remarks);
    status = ur_run_remember(run, data, err);
    if (status == UR_OK)
        status = ur_evaluate_with(run->assets.model, data, out, confusion, err);
    kind->free_data(data);
    return status;
}

void ur_run_search(ur_run *run, const ur_search_options *options)
{
    run->assets.search = options;
}

ur_status ur_run_score(ur_run *run, const ur_pair_source *source, double **out, size_t *count,
                       ur_err *err)
{
    UR_FPMODE_HERE;
    const ur_kind *kind = run->assets.kind;
    void *data = NULL;
    *out = NULL;
    *count = 0;
    if (!kind->score || !kind->open)
        return ur_fail(err, UR_UNSUPPORTED, "a %s gives no probability of a text", kind->name);
    ur_status status = kind->open(&run->assets, source, &data, err);
    if (status != UR_OK)
        return status;
    *count = kind->examples(run->assets.model, data);
    *out = ur_alloc(run->a, *count, sizeof **out);
    status = *out ? kind->score(run->assets.model, data, *out, err)
                  : ur_no_memory(err, *count * sizeof **out);
    kind->free_data(data);
    if (status != UR_OK) {
        ur_free(run->a, *out);
        *out = NULL;
    }
    return status;
}

void ur_scores_free(ur_context *context, double *scores)
{
    ur_free(ur_context_allocator(context), scores);
}

ur_status ur_run_predict(ur_run *run, size_t count, const char *const *texts,
                         const ur_search_options *options, ur_prediction *out, size_t *bad,
                         ur_err *err)
{
    UR_FPMODE_HERE;
    const ur_kind *kind = run->assets.kind;
    for (size_t i = 0; i < count; i++)
        out[i] = (ur_prediction){.input = texts[i]};
    if (!kind->predict)
        return ur_fail(err, UR_UNSUPPORTED, "a %s answers to no texts", kind->name);
    if (options && options->begin && !kind->begins)
        return ur_fail(err, UR_UNSUPPORTED, "a %s takes no beginning of its answers", kind->name);
    /* here, since what there is nothing to write for is not searched */
    ur_status status = options && kind->decoder ? ur_search_check(options, err) : UR_OK;
    if (status == UR_OK)
        status = kind->predict(&run->assets, count, texts, options, out, bad, err);
    for (size_t i = 0; status != UR_OK && i < count; i++)
        ur_prediction_free(run->context, &out[i]);
    return status;
}

static const void *sampled_data(const ur_run *run)
{
    return run->assets.valid ? run->assets.valid : run->assets.train;
}

size_t ur_run_samples(const ur_run *run)
{
    const void *data = sampled_data(run);
    const ur_kind *kind = run->assets.kind;
    return data && kind->sample ? kind->examples(run->assets.model, data) : 0;
}

ur_status ur_run_sample(ur_run *run, size_t index, ur_prediction *out, ur_err *err)
{
    const size_t count = ur_run_samples(run);
    *out = (ur_prediction){.text = NULL};
    if (count == 0)
        return ur_fail(err, UR_UNSUPPORTED, "a %s shows no samples", run->assets.kind->name);
    if (index >= count)
        return ur_fail(err, UR_INVALID, "sample %zu of %zu examples", index, count);
    const ur_status status =
        run->assets.kind->sample(&run->assets, sampled_data(run), index, out, err);
    if (status != UR_OK)
        ur_prediction_free(run->context, out);
    return status;
}

/* ---- writing on --------------------------------------------------------------------------- */

struct ur_writer {
    const ur_allocator *a;
    const ur_text_options *text;
    const ur_vocabulary *vocabulary;
    ur_generator *generator;
    int32_t previous;             /* the token before the next; -1: none */
    char *prompt;                 /* as it was read */
    size_t n_unknown;             /* of the prompt's tokens */
    char unknown[200];            /* as many of them as there is room for */
    char piece[UR_PIECE_LONGEST]; /* the last one written */
};

void ur_writer_free(ur_writer *w)
{
    if (!w)
        return;
    const ur_allocator *a = w->a;
    ur_generator_free(w->generator);
    ur_free(a, w->prompt);
    ur_free(a, w);
}

const char *ur_writer_prompt(const ur_writer *w)
{
    return w->prompt;
}

const char *ur_writer_unknown(const ur_writer *w, size_t *count)
{
    if (count)
        *count = w->n_unknown;
    return w->unknown;
}

/* What an empty prompt stands for: the end of a line before, or else any token. */
static int32_t before_a_text(const ur_vocabulary *v)
{
    int32_t id = ur_vocabulary_find_reserved(v, "eos");
    if (id < 0)
        id = ur_vocabulary_find(v, "\n", 1);
    for (int32_t i = 0; id < 0; i++)
        if (!ur_vocabulary_is_reserved(v, i))
            id = i;
    return id;
}

/* Bytes of the first word of a text, or of its first character. */
static size_t first_part(const char *text, bool character)
{
    const size_t n = strcspn(text, " \t\r\n");
    uint32_t unused;
    return character || n == 0 ? ur_utf8_decode(text, strlen(text), &unused) : n;
}

/* The words of a prompt (characters, for a model of characters) that are <unk> to the model. */
static void list_unknown(ur_writer *w, const char *prompt)
{
    size_t used = 0;
    for (size_t n; *prompt; prompt += n) {
        int32_t ids[UR_TOKEN_LONGEST];
        size_t tokens, unknown = 0;
        n = first_part(prompt, w->text->tokenizer == UR_CHARACTERS);
        if (n == 0)
            break;
        const bool fits = ur_normalised_room(w->text->unicode, n) <= UR_TOKEN_LONGEST &&
                          used + n + 8 < sizeof w->unknown;
        if (fits && strncmp(prompt, "<unk>", n) != 0 &&
            ur_text_encode(w->text, w->vocabulary, prompt, n, ids, &tokens, &unknown, NULL) ==
                UR_OK &&
            unknown > 0)
            used += (size_t)snprintf(w->unknown + used, sizeof w->unknown - used, "%s'%.*s'",
                                     used ? ", " : "", (int)n, prompt);
    }
}

/* The ids of the prompt, of which `ids` has room for one more than it has bytes. */
static ur_status read_ids(ur_writer *w, const char *prompt, int32_t *ids, ur_err *err)
{
    ur_ids read = {.ids = ids};
    ur_err why;
    ur_status status = ur_text_encode(w->text, w->vocabulary, prompt, strlen(prompt), ids,
                                      &read.length, &w->n_unknown, &why);
    if (status != UR_OK)
        return ur_fail(err, status, "the prompt: %s", why.text);
    if (w->n_unknown)
        list_unknown(w, prompt);
    const size_t given = read.length;
    if (given == 0)
        ids[read.length++] = before_a_text(w->vocabulary);
    const size_t bytes = ur_text_decode(w->text, w->vocabulary, -1, ids, given, NULL, 0) + 1;
    w->prompt = ur_alloc(w->a, bytes, 1);
    if (!w->prompt)
        return ur_no_memory(err, bytes);
    ur_text_decode(w->text, w->vocabulary, -1, ids, given, w->prompt, bytes);
    w->previous = given ? ids[given - 1] : -1;
    return ur_generator_read(w->generator, read, err);
}

/* A generator that does not write what its kind never writes, unless the caller has a list. */
static ur_status new_generator(ur_run *run, const ur_search_options *options, ur_generator **out,
                               ur_err *err)
{
    ur_search_options o = options ? *options : (ur_search_options){0};
    const ur_kind *kind = run->assets.kind;
    const size_t count = kind->never ? kind->never(&run->assets, NULL) : 0;
    int32_t *never = ur_alloc(run->a, count, sizeof *never);
    if (!never)
        return ur_no_memory(err, count * sizeof *never);
    if (!o.never && count) {
        o.never_count = kind->never(&run->assets, never);
        o.never = never;
    }
    const ur_status status = ur_generator_new(run->context, run->assets.model, &o, out, err);
    ur_free(run->a, never);
    return status;
}

ur_status ur_writer_new(ur_run *run, const char *prompt, const ur_search_options *options,
                        ur_writer **out, ur_err *err)
{
    const ur_kind *kind = run->assets.kind;
    *out = NULL;
    if (!kind->writes)
        return ur_fail(err, UR_UNSUPPORTED, "a %s does not write texts", kind->name);
    ur_writer *w = ur_alloc_zero(run->a, 1, sizeof *w);
    if (!w)
        return ur_no_memory(err, sizeof *w);
    w->a = run->a;
    w->text = kind->writes(run->assets.config);
    w->vocabulary = run->assets.vocabulary;
    const size_t room = ur_normalised_room(w->text->unicode, strlen(prompt)) + 1;
    int32_t *ids = ur_alloc(run->a, room, sizeof *ids);
    ur_status status = ids ? UR_OK : ur_no_memory(err, room * sizeof *ids);
    if (status == UR_OK)
        status = new_generator(run, options, &w->generator, err);
    if (status == UR_OK)
        status = read_ids(w, prompt, ids, err);
    ur_free(run->a, ids);
    if (status != UR_OK) {
        ur_writer_free(w);
        return status;
    }
    *out = w;
    return UR_OK;
}

ur_status ur_writer_next(ur_writer *w, ur_token_written *out, ur_err *err)
{
    const ur_status status = ur_generator_write(w->generator, &out->id, &out->log_probability, err);
    if (status != UR_OK)
        return status;
    ur_text_piece(w->text, w->vocabulary, w->previous, out->id, w->piece, sizeof w->piece);
    w->previous = out->id;
    out->token = ur_vocabulary_token(w->vocabulary, out->id, NULL);
    out->piece = w->piece;
    return UR_OK;
}
