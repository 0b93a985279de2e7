/* corpus.c - a whole text as ids, for language models.
 *
 * The text is read twice, in pieces: first its tokens are counted (to learn, each of them, from which the
 * vocabulary is chosen), then they are stored, in memory for just so many. Counting goes on after max_tokens where
 * a vocabulary is learned, for the frequencies of the whole text. */
#include "data/corpus.h"
#include "data/tally.h"
#include "text/lines.h"
#include "text/normalise.h"
#include "base/alloc.h"
#include "base/status.h"

/* Where the text is. */
typedef struct source {
    const char *name;
    const char *bytes; /* (size) NULL: in the file `name` */
    size_t size;
} source;

typedef struct reader {
    ur_line_reader text;
    ur_scanner scanner;
    ur_normaliser normal;
    const ur_text_options *options;
    ur_tally *tally;            /* to count each token; or NULL */
    const ur_vocabulary *known; /* to store ids; or NULL */
    int32_t unknown;            /* id of <unk>, or -1 */
    size_t most, count;         /* tokens to read; those that were */
    int32_t *ids;               /* (most) where they are stored */
    ur_err *err;
} reader;

static ur_status take(reader *r, const ur_token *token)
{
    const size_t at = r->count++;
    int32_t id;
    if (r->tally)
        return ur_tally_add(r->tally, token, &id, r->err);
    if (!r->ids)
        return UR_OK;
    r->ids[at] = ur_token_id(r->known, token, r->unknown);
    return r->ids[at] >= 0
               ? UR_OK
               : ur_token_unknown(r->err, r->text.lines.name, r->text.lines.line, token);
}

/* A line, or a part of one, as UTF-8 in its normal form. */
static ur_status read_line(reader *r, const char *bytes, size_t size, bool begins, bool ended)
{
    const bool begun = !begins && r->scanner.begun;
    ur_scanner_line(&r->scanner, bytes, size, ended);
    r->scanner.begun = begun;
    while (r->count < r->most) {
        ur_token token;
        const ur_scan what = ur_scanner_next(&r->scanner, &token);
        if (what == UR_SCAN_END)
            return UR_OK;
        if (what == UR_SCAN_TOO_LONG)
            return ur_token_too_long(r->err, r->text.lines.name, r->text.lines.line);
        const ur_status status = take(r, &token);
        if (status != UR_OK)
            return status;
    }
    return UR_OK;
}

static ur_status read_lines(reader *r)
{
    ur_status status = ur_line_reader_begin(&r->text);
    r->count = 0;
    for (bool more = true, begins = true; status == UR_OK && more && r->count < r->most;) {
        ur_line line;
        status = ur_line_reader_next(&r->text, &line, &more);
        if (status != UR_OK || !more)
            break;
        status = ur_lines_check(&r->text.lines, line.bytes, line.size);
        if (status == UR_OK)
            status = ur_normalise(&r->normal, &line.bytes, &line.size, r->err);
        if (status == UR_OK)
            status = read_line(r, line.bytes, line.size, begins,
                               line.ended || (r->options->line_ends && !r->text.inside));
        begins = !r->text.inside;
    }
    return status;
}

/* Counts the tokens, or those up to `most`. */
static ur_status count(reader *r, const ur_vocabulary *vocabulary, size_t most)
{
    ur_scanner_start(&r->scanner, r->options, vocabulary);
    r->most = most;
    const ur_status status = read_lines(r);
    const char *name = r->text.lines.name;
    if (status != UR_OK || r->count > 0)
        return status;
    if (ur_line_reader_is_empty(&r->text) && r->text.lines.line == 0)
        return ur_fail(r->err, UR_BAD_FILE, "%s: an empty file where a text was expected", name);
    return ur_fail(r->err, UR_BAD_FILE, "%s: there is no token in this text%s", name,
                   r->options->letters_only ? ", of which only A-Z and a-z are read" : "");
}

/* Reads the first `count` tokens into a fresh corpus. */
static ur_status store(reader *r, const ur_vocabulary *vocabulary, size_t count, ur_corpus **out)
{
    const ur_allocator *a = r->text.a;
    ur_corpus *c = *out = ur_alloc_zero(a, 1, sizeof *c);
    if (!c)
        return ur_no_memory(r->err, sizeof *c);
    c->a = a;
    c->ids = ur_alloc(a, count, sizeof *c->ids);
    if (!c->ids)
        return ur_no_memory(r->err, count * sizeof *c->ids);
    ur_scanner_start(&r->scanner, r->options, vocabulary);
    r->known = vocabulary;
    r->unknown = ur_vocabulary_find_reserved(vocabulary, "unk");
    r->ids = c->ids;
    r->most = count;
    const ur_status status = read_lines(r);
    if (status == UR_OK && r->count < count)
        return ur_fail(r->err, UR_IO, "%s changed while it was read", r->text.lines.name);
    c->count = r->count;
    c->unknown = r->unknown < 0 ? 0 : ur_ids_count(ur_corpus_ids(c), r->unknown);
    return status;
}

static ur_status open_text(reader *r, const ur_allocator *a, const source *s,
                           const ur_text_options *options, ur_err *err)
{
    const bool words = !ur_tokenizer_of(options->tokenizer)->line_feeds || options->letters_only;
    const ur_line_parts parts = words ? UR_LINE_SPACES : UR_LINE_ASCII;
    *r = (reader){.options = options, .err = err, .normal = {.a = a, .form = options->unicode}};
    if (!s->bytes)
        return ur_line_reader_open(&r->text, a, s->name, parts, err);
    ur_line_reader_over(&r->text, a, s->name, s->bytes, s->size, parts, err);
    return UR_OK;
}

static void close_text(reader *r)
{
    ur_line_reader_close(&r->text);
    ur_normaliser_free(&r->normal);
}

static size_t most_of(size_t max_tokens)
{
    return max_tokens ? max_tokens : SIZE_MAX;
}

/* The vocabulary of the whole text, and how many tokens that has. */
static ur_status learn_vocabulary(reader *r, const ur_vocabulary_options *choice,
                                  ur_vocabulary **out)
{
    ur_tally tally;
    ur_status status = ur_tally_start(&tally, r->text.a, r->options, choice, r->err);
    r->tally = &tally;
    if (status == UR_OK)
        status = count(r, tally.seen, SIZE_MAX);
    if (status == UR_OK)
        status = ur_tally_choose(&tally, choice, out, r->err);
    r->tally = NULL;
    ur_tally_free(&tally);
    return status;
}

static ur_status learn(const ur_allocator *a, const source *s, const ur_text_options *options,
                       const ur_vocabulary_options *choice, size_t max_tokens, ur_corpus **out,
                       ur_vocabulary **vocabulary, ur_err *err)
{
    reader r;
    const size_t most = most_of(max_tokens);
    *out = NULL;
    *vocabulary = NULL;
    ur_status status = ur_text_check(options, NULL, err);
    if (status != UR_OK)
        return status;
    status = open_text(&r, a, s, options, err);
    if (status == UR_OK)
        status = learn_vocabulary(&r, choice, vocabulary);
    if (status == UR_OK)
        status = store(&r, *vocabulary, r.count < most ? r.count : most, out);
    close_text(&r);
    if (status != UR_OK) {
        ur_corpus_free(*out);
        ur_vocabulary_free(*vocabulary);
        *out = NULL;
        *vocabulary = NULL;
    }
    return status;
}

static ur_status open_with(const ur_allocator *a, const source *s, const ur_text_options *options,
                           const ur_vocabulary *vocabulary, size_t max_tokens, ur_corpus **out,
                           ur_err *err)
{
    reader r;
    *out = NULL;
    ur_status status = ur_text_check(options, vocabulary, err);
    if (status != UR_OK)
        return status;
    status = open_text(&r, a, s, options, err);
    if (status == UR_OK)
        status = count(&r, vocabulary, most_of(max_tokens));
    if (status == UR_OK)
        status = store(&r, vocabulary, r.count, out);
    close_text(&r);
    if (status != UR_OK) {
        ur_corpus_free(*out);
        *out = NULL;
    }
    return status;
}

ur_status ur_corpus_learn_bytes(const ur_allocator *a, const char *name, const char *bytes,
                                size_t size, const ur_text_options *options,
                                const ur_vocabulary_options *choice, size_t max_tokens,
                                ur_corpus **out, ur_vocabulary **vocabulary, ur_err *err)
{
    const source s = {name, bytes, size};
    return learn(a, &s, options, choice, max_tokens, out, vocabulary, err);
}

ur_status ur_corpus_open_bytes(const ur_allocator *a, const char *name, const char *bytes,
                               size_t size, const ur_text_options *options,
                               const ur_vocabulary *vocabulary, size_t max_tokens, ur_corpus **out,
                               ur_err *err)
{
    const source s = {name, bytes, size};
    return open_with(a, &s, options, vocabulary, max_tokens, out, err);
}

ur_status ur_corpus_learn(const ur_allocator *a, const char *path, const ur_text_options *options,
                          const ur_vocabulary_options *choice, size_t max_tokens, ur_corpus **out,
                          ur_vocabulary **vocabulary, ur_err *err)
{
    const source s = {path, NULL, 0};
    return learn(a, &s, options, choice, max_tokens, out, vocabulary, err);
}

ur_status ur_corpus_open(const ur_allocator *a, const char *path, const ur_text_options *options,
                         const ur_vocabulary *vocabulary, size_t max_tokens, ur_corpus **out,
                         ur_err *err)
{
    const source s = {path, NULL, 0};
    return open_with(a, &s, options, vocabulary, max_tokens, out, err);
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
