/* labels.c - texts in, labels out, many at a time; and how right they are on a whole file.
 *
 * Texts are encoded first, so that a bad one is told before anything is computed. What is said to a
 * text is one block of memory that the run keeps until the next call. */
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "text/characters.h"
#include "text/tokens.h"
#include "train/run.h"
#include "unroll/io.h"

static ur_status check_kind(const ur_run *run, ur_err *err)
{
    if (run->labels)
        return UR_OK;
    return ur_fail(err, UR_UNSUPPORTED, "this model is a %s, which gives no labels",
                   ur_run_kind(run));
}

/* ---- from texts to ids -------------------------------------------------------------------- */

typedef struct labelling {
    ur_run *run;
    const ur_tagger_config *config;
    size_t count;
    const char *const *texts;
    int32_t *pool;      /* all ids, one after the other */
    ur_ids *ids;        /* (count) */
    void **blocks;      /* (count) what the answers point into */
    int32_t *label;     /* of all answers, one after the other */
    float *probability; /* (answers, labels) */
} labelling;

/* What is left of a well-formed text. */
typedef struct rest {
    const char *at, *end;
} rest;

static rest whole(const char *text)
{
    return (rest){text, text + strlen(text)};
}

/* The next word; false when there is none. */
static bool next_word(rest *r, const char **word, size_t *size)
{
    uint32_t character;
    size_t bytes;
    *word = NULL;
    for (; (bytes = ur_utf8_decode(r->at, (size_t)(r->end - r->at), &character)); r->at += bytes) {
        const bool space = ur_character_is_space(character);
        if (!space && !*word)
            *word = r->at;
        else if (space && *word)
            break;
    }
    *size = *word ? (size_t)(r->at - *word) : 0;
    return *word != NULL;
}

static ur_status encode_words(const labelling *l, const char *text, int32_t *ids, size_t *count,
                              ur_err *err)
{
    const ur_vocabulary *v = l->run->vocabulary;
    const int32_t unknown = ur_vocabulary_find_reserved(v, "unk");
    const char *word;
    ur_scanner scanner;
    rest left = whole(text);
    size_t bytes;
    *count = 0;
    if (!ur_utf8_count(text, strlen(text), &bytes))
        return ur_fail(err, UR_BAD_FILE, "the text is not UTF-8 at byte %zu", bytes);
    ur_scanner_start(&scanner, &l->config->text, v);
    while (next_word(&left, &word, &bytes)) {
        ur_token token;
        if (ur_scanner_word(&scanner, word, bytes, &token) == UR_SCAN_TOO_LONG)
            return ur_token_too_long(err, "the text", 1);
        const int32_t id = ur_token_id(v, &token, unknown);
        if (id < 0)
            return ur_token_unknown(err, "the text", 1, &token);
        ids[(*count)++] = id;
    }
    return UR_OK;
}

static ur_status encode(const labelling *l, const char *text, int32_t *ids, size_t *count,
                        ur_err *err)
{
    if (!l->config->per_sequence)
        return encode_words(l, text, ids, count, err);
    return ur_text_encode(&l->config->text, l->run->vocabulary, text, strlen(text), ids, count,
                          NULL, err);
}

static ur_status encode_all(labelling *l, size_t *bad, ur_err *err)
{
    size_t bytes = 0;
    for (size_t i = 0; i < l->count; i++)
        bytes += strlen(l->texts[i]);
    l->pool = ur_alloc(l->run->a, bytes, sizeof *l->pool); /* no token is shorter than a byte */
    if (!l->pool)
        return ur_no_memory(err, bytes * sizeof *l->pool);
    int32_t *ids = l->pool;
    for (size_t i = 0; i < l->count; i++) {
        l->ids[i].ids = ids;
        const ur_status status = encode(l, l->texts[i], ids, &l->ids[i].length, err);
        if (status != UR_OK) {
            if (bad)
                *bad = i;
            return status;
        }
        ids += l->ids[i].length;
    }
    return UR_OK;
}

/* ---- from labels to texts ----------------------------------------------------------------- */

static size_t answers_to(const labelling *l, size_t i)
{
    return l->config->per_sequence ? 1 : l->ids[i].length;
}

/* The words of a text, copied to `to` and closed by zero bytes. */
static void copy_words(const char *text, const char **words, char *to)
{
    const char *word;
    rest left = whole(text);
    size_t size;
    while (next_word(&left, &word, &size)) {
        memcpy(to, word, size);
        to[size] = '\0';
        *words++ = to;
        to += size + 1;
    }
}

/* One block: pointers to tokens and labels, probabilities, then the tokens' characters. */
static bool keep(const labelling *l, size_t i, size_t at, ur_text_labels *out)
{
    const size_t n = answers_to(l, i), labels = l->config->labels;
    const size_t bytes = l->config->per_sequence ? 0 : strlen(l->texts[i]) + 1;
    char *block =
        ur_alloc(l->run->a, 2 * n * sizeof(char *) + n * (labels + 1) * sizeof(float) + bytes, 1);
    l->blocks[i] = block;
    if (!block)
        return false;
    const char **tokens = (const char **)(void *)block, **names = tokens + n;
    float *probability = (float *)(void *)(names + n), *all = probability + n;
    for (size_t j = 0; j < n; j++) {
        const int32_t label = l->label[at + j];
        names[j] = ur_vocabulary_token(l->run->labels, label, NULL);
        probability[j] = l->probability[(at + j) * labels + (size_t)label];
    }
    memcpy(all, l->probability + at * labels, n * labels * sizeof *all);
    if (!l->config->per_sequence)
        copy_words(l->texts[i], tokens, (char *)(all + n * labels));
    *out = (ur_text_labels){.count = n,
                            .tokens = l->config->per_sequence ? NULL : tokens,
                            .labels = names,
                            .probability = probability,
                            .all = all};
    return true;
}

/* ---- all of them -------------------------------------------------------------------------- */

static ur_status compute(labelling *l, ur_text_labels *out, ur_err *err)
{
    const ur_allocator *a = l->run->a;
    size_t answers = 0;
    for (size_t i = 0; i < l->count; i++)
        answers += answers_to(l, i);
    if (answers > SIZE_MAX / sizeof(float) / l->config->labels)
        return ur_no_memory(err, SIZE_MAX);
    l->label = ur_alloc(a, answers, sizeof *l->label);
    l->probability = ur_alloc(a, answers * l->config->labels, sizeof *l->probability);
    if (!l->label || !l->probability)
        return ur_no_memory(err, answers * l->config->labels * sizeof *l->probability);
    const ur_status status = ur_tagger_apply(l->run->context, l->run->model, l->count, l->ids,
                                             l->label, l->probability, err);
    for (size_t i = 0, at = 0; status == UR_OK && i < l->count; at += answers_to(l, i++))
        if (!keep(l, i, at, &out[i]))
            return ur_no_memory(err, strlen(l->texts[i]));
    return status;
}

ur_status ur_run_label(ur_run *run, size_t count, const char *const *texts, ur_text_labels *out,
                       size_t *bad, ur_err *err)
{
    const ur_allocator *a = run->a;
    ur_run_forget_answers(run);
    ur_status status = check_kind(run, err);
    if (status != UR_OK)
        return status;
    labelling l = {.run = run, .config = run->config, .count = count, .texts = texts};
    l.ids = ur_alloc_zero(a, count, sizeof *l.ids);
    l.blocks = ur_alloc_zero(a, count, sizeof *l.blocks);
    if (!l.ids || !l.blocks)
        status = ur_no_memory(err, count * sizeof *l.ids);
    if (status == UR_OK)
        status = encode_all(&l, bad, err);
    if (status == UR_OK)
        status = compute(&l, out, err);
    ur_free(a, l.probability);
    ur_free(a, l.label);
    ur_free(a, l.ids);
    ur_free(a, l.pool);
    run->answers = l.blocks;
    run->answer_count = l.blocks ? count : 0;
    if (status != UR_OK)
        ur_run_forget_answers(run);
    return status;
}

/* ---- whole files -------------------------------------------------------------------------- */

ur_status ur_run_confusion(ur_run *run, const char *data, ur_measure *out, ur_confusion **confusion,
                           ur_err *err)
{
    *confusion = NULL;
    ur_status status = check_kind(run, err);
    if (status != UR_OK)
        return status;
    const ur_tagger_config *c = run->config;
    ur_labelled *labelled;
    status = ur_labelled_open(run->a, data, c->per_sequence ? UR_CLASSIFIED : UR_TAGGED, &c->text,
                              run->vocabulary, run->labels, &labelled, err);
    if (status != UR_OK)
        return status;
    status = ur_tagger_evaluate(run->context, run->model, labelled, out, confusion, err);
    ur_labelled_free(labelled);
    return status;
}

ur_status ur_run_plot_confusion(ur_run *run, const ur_confusion *confusion, const char *path,
                                ur_err *err)
{
    ur_status status = check_kind(run, err);
    if (status != UR_OK)
        return status;
    const size_t labels = ur_vocabulary_size(run->labels);
    if (confusion->labels != labels)
        return ur_fail(err, UR_INVALID, "a confusion matrix of %zu labels, this model has %zu",
                       confusion->labels, labels);
    const char **names = ur_alloc(run->a, labels, sizeof(char *));
    if (!names)
        return ur_no_memory(err, labels * sizeof(char *));
    for (size_t i = 0; i < labels; i++)
        names[i] = ur_vocabulary_token(run->labels, (int32_t)i, NULL);
    const ur_confusion_map map = {.labels = labels, .names = names, .counts = confusion->counts};
    status = ur_plot_confusion(run->a, &map, path, err);
    ur_free(run->a, names);
    return status;
}
