/* corpus.c - a whole text as ids, for language models.
 *
 * The text is read once. To learn, ids by first appearance are stored while the tokens are counted,
 * and replaced by those of the vocabulary that was chosen in the end; reading goes on after
 * max_tokens, for the frequencies of the whole text. */
#include "data/corpus.h"
#include "data/tally.h"
#include "text/lines.h"
#include "text/normalise.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"

typedef struct reader {
    ur_lines lines;
    ur_scanner scanner;
    ur_normaliser normal;
    ur_tally *tally;            /* to learn, or else */
    const ur_vocabulary *known; /* what there is */
    int32_t unknown;            /* id of <unk>, or -1 */
    size_t most;                /* tokens to store */
    size_t capacity;
    ur_corpus *corpus;
    ur_err *err;
} reader;

static ur_status find_id(reader *r, const ur_token *token, int32_t *id)
{
    if (r->tally)
        return ur_tally_add(r->tally, token, id, r->err);
    *id = ur_token_id(r->known, token, r->unknown);
    if (*id < 0)
        return ur_token_unknown(r->err, r->lines.name, r->lines.line, token);
    return UR_OK;
}

static ur_status store(reader *r, int32_t id)
{
    ur_corpus *c = r->corpus;
    if (c->count == r->most)
        return UR_OK;
    if (!ur_reserve(c->a, &c->ids, &r->capacity, c->count, c->count + 1, sizeof *c->ids))
        return ur_no_memory(r->err, (c->count + 1) * sizeof *c->ids);
    c->ids[c->count++] = id;
    return UR_OK;
}

/* Whether there is nothing more to find out. */
static bool done(const reader *r)
{
    return !r->tally && r->corpus->count == r->most;
}

static ur_status read_line(reader *r)
{
    while (!done(r)) {
        ur_token token;
        int32_t id = -1;
        ur_scan what = ur_scanner_next(&r->scanner, &token);
        if (what == UR_SCAN_END)
            return UR_OK;
        if (what == UR_SCAN_TOO_LONG)
            return ur_token_too_long(r->err, r->lines.name, r->lines.line);
        ur_status status = find_id(r, &token, &id);
        if (status == UR_OK)
            status = store(r, id);
        if (status != UR_OK)
            return status;
    }
    return UR_OK;
}

static ur_status read_text(reader *r, const ur_text_options *o)
{
    size_t first = r->lines.size / r->scanner.kind->bytes;
    if (r->lines.size == 0)
        return ur_fail(r->err, UR_BAD_FILE, "%s: an empty file where a text was expected",
                       r->lines.name);
    if (first > r->most)
        first = r->most;
    if (!ur_reserve(r->corpus->a, &r->corpus->ids, &r->capacity, 0, first, sizeof(int32_t)))
        return ur_no_memory(r->err, first * sizeof(int32_t));
    ur_status status = UR_OK;
    while (status == UR_OK && r->lines.size > 0 && !done(r)) {
        ur_line line;
        status = ur_lines_next(&r->lines, &line);
        if (status == UR_OK)
            status = ur_lines_check(&r->lines, line.bytes, line.size);
        if (status == UR_OK)
            status = ur_normalise(&r->normal, &line.bytes, &line.size, r->err);
        if (status != UR_OK)
            return status;
        ur_scanner_line(&r->scanner, line.bytes, line.size, line.ended || o->line_ends);
        status = read_line(r);
    }
    if (status == UR_OK && r->corpus->count == 0)
        status = ur_fail(r->err, UR_BAD_FILE, "%s: there is no token in this text%s", r->lines.name,
                         o->letters_only ? ", of which only A-Z and a-z are read" : "");
    return status;
}

/* Reads everything into a fresh corpus, which is *out also after a failure. */
static ur_status read_all(const ur_allocator *a, const char *name, const char *bytes, size_t size,
                          const ur_text_options *options, ur_tally *tally,
                          const ur_vocabulary *known, size_t max_tokens, ur_corpus **out,
                          ur_err *err)
{
    reader r = {.tally = tally, .known = known, .err = err};
    r.most = max_tokens ? max_tokens : SIZE_MAX;
    r.unknown = known ? ur_vocabulary_find_reserved(known, "unk") : -1;
    r.corpus = *out = ur_alloc_zero(a, 1, sizeof *r.corpus);
    if (!r.corpus)
        return ur_no_memory(err, sizeof *r.corpus);
    r.corpus->a = a;
    ur_lines_start(&r.lines, name, bytes, size, err);
    ur_scanner_start(&r.scanner, options, tally ? tally->seen : known);
    r.normal = (ur_normaliser){.a = a, .form = options->unicode};
    const ur_status status = read_text(&r, options);
    ur_normaliser_free(&r.normal);
    return status;
}

static ur_status settle(ur_corpus **out, const ur_vocabulary *v, ur_status status)
{
    if (status != UR_OK || !*out) {
        ur_corpus_free(*out);
        *out = NULL;
        return status;
    }
    int32_t unknown = ur_vocabulary_find_reserved(v, "unk");
    (*out)->unknown = unknown < 0 ? 0 : ur_ids_count(ur_corpus_ids(*out), unknown);
    return UR_OK;
}

/* From ids by first appearance to those of the vocabulary. */
static void replace_ids(ur_corpus *c, const int32_t *map)
{
    for (size_t i = 0; i < c->count; i++)
        c->ids[i] = map[c->ids[i]];
}

ur_status ur_corpus_learn_bytes(const ur_allocator *a, const char *name, const char *bytes,
                                size_t size, const ur_text_options *options,
                                const ur_vocabulary_options *choice, size_t max_tokens,
                                ur_corpus **out, ur_vocabulary **vocabulary, ur_err *err)
{
    ur_tally tally;
    *out = NULL;
    *vocabulary = NULL;
    ur_status status = ur_text_check(options, NULL, err);
    if (status != UR_OK)
        return status;
    status = ur_tally_start(&tally, a, options, choice, err);
    if (status == UR_OK)
        status = read_all(a, name, bytes, size, options, &tally, NULL, max_tokens, out, err);
    if (status == UR_OK)
        status = ur_tally_choose(&tally, choice, vocabulary, err);
    if (status == UR_OK && *out)
        replace_ids(*out, tally.map);
    ur_tally_free(&tally);
    return settle(out, *vocabulary, status);
}

ur_status ur_corpus_open_bytes(const ur_allocator *a, const char *name, const char *bytes,
                               size_t size, const ur_text_options *options,
                               const ur_vocabulary *vocabulary, size_t max_tokens, ur_corpus **out,
                               ur_err *err)
{
    *out = NULL;
    ur_status status = ur_text_check(options, vocabulary, err);
    if (status == UR_OK)
        status = read_all(a, name, bytes, size, options, NULL, vocabulary, max_tokens, out, err);
    return settle(out, vocabulary, status);
}

/* ---- from files --------------------------------------------------------------------------- */

ur_status ur_corpus_learn(const ur_allocator *a, const char *path, const ur_text_options *options,
                          const ur_vocabulary_options *choice, size_t max_tokens, ur_corpus **out,
                          ur_vocabulary **vocabulary, ur_err *err)
{
    char *bytes;
    size_t size;
    *out = NULL;
    *vocabulary = NULL;
    ur_status status = ur_text_check(options, NULL, err);
    if (status == UR_OK)
        status = ur_read_file(a, path, UR_TEXT_FILE_LIMIT, &bytes, &size, err);
    if (status != UR_OK)
        return status;
    status = ur_corpus_learn_bytes(a, path, bytes, size, options, choice, max_tokens, out,
                                   vocabulary, err);
    ur_free(a, bytes);
    return status;
}

ur_status ur_corpus_open(const ur_allocator *a, const char *path, const ur_text_options *options,
                         const ur_vocabulary *vocabulary, size_t max_tokens, ur_corpus **out,
                         ur_err *err)
{
    char *bytes;
    size_t size;
    *out = NULL;
    ur_status status = ur_text_check(options, vocabulary, err);
    if (status == UR_OK)
        status = ur_read_file(a, path, UR_TEXT_FILE_LIMIT, &bytes, &size, err);
    if (status != UR_OK)
        return status;
    status = ur_corpus_open_bytes(a, path, bytes, size, options, vocabulary, max_tokens, out, err);
    ur_free(a, bytes);
    return status;
}

void ur_corpus_free(ur_corpus *corpus)
{
    if (!corpus)
        return;
    ur_free(corpus->a, corpus->ids);
    ur_free(corpus->a, corpus);
}

ur_ids ur_corpus_ids(const ur_corpus *corpus)
{
    return (ur_ids){corpus->ids, corpus->count};
}

size_t ur_corpus_unknown(const ur_corpus *corpus)
{
    return corpus->unknown;
}

uint64_t ur_corpus_fingerprint(const ur_corpus *corpus)
{
    return ur_ids_fingerprint(ur_corpus_ids(corpus));
}
