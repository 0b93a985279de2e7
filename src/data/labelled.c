/* labelled.c - texts with labels, from the bytes of a file to ids. The file is read once; to learn,
 * token ids by first appearance are replaced by those of the vocabulary chosen in the end. */
#include "data/labelled.h"
#include "data/tally.h"
#include "text/lines.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/status.h"
#include "base/utf8.h"

#include <string.h>

typedef struct reader {
    ur_lines lines;
    ur_scanner scanner;
    ur_labelled *d;
    size_t offsets, tokens, labels; /* capacities */
    ur_tally *tally;                /* to learn, or else */
    const ur_vocabulary *known;     /* the tokens that there are, */
    int32_t unknown;                /* with the id of <unk>, or -1 */
    ur_vocabulary *new_labels;      /* to learn, or NULL */
    const ur_vocabulary *all_labels;
    ur_err *err;
} reader;

static ur_status bad(const reader *r, const char *what)
{
    return ur_fail(r->err, UR_BAD_FILE, "%s: line %zu: %s", r->lines.name, r->lines.line, what);
}

/* ---- storing ------------------------------------------------------------------------------ */

static size_t length_so_far(const reader *r)
{
    return r->d->all - r->d->offset[r->d->count];
}

static ur_status store_token(reader *r, ur_scan scanned, const ur_token *token)
{
    ur_labelled *d = r->d;
    int32_t id = -1;
    ur_status status = UR_OK;
    if (scanned == UR_SCAN_TOO_LONG)
        return ur_token_too_long(r->err, r->lines.name, r->lines.line);
    if (length_so_far(r) == UR_LABELLED_LONGEST)
        return ur_fail(r->err, UR_BAD_FILE, "%s: line %zu: a %s of more than %d tokens",
                       r->lines.name, r->lines.line, d->kind == UR_TAGGED ? "sentence" : "text",
                       UR_LABELLED_LONGEST);
    if (r->tally)
        status = ur_tally_add(r->tally, token, &id, r->err);
    else if ((id = ur_token_id(r->known, token, r->unknown)) < 0)
        status = ur_token_unknown(r->err, r->lines.name, r->lines.line, token);
    if (status != UR_OK)
        return status;
    if (!ur_reserve(d->a, &d->tokens, &r->tokens, d->all, d->all + 1, sizeof *d->tokens))
        return ur_no_memory(r->err, (d->all + 1) * sizeof *d->tokens);
    d->tokens[d->all++] = id;
    return UR_OK;
}

/* The label of token, or sequence, number `at`. */
static ur_status store_label(reader *r, size_t at, const char *label, size_t size)
{
    ur_labelled *d = r->d;
    char quoted[UR_QUOTED];
    if (size == 0)
        return bad(r, "the label is empty");
    if (size > UR_TOKEN_LONGEST)
        return ur_fail(r->err, UR_BAD_FILE, "%s: line %zu: a label of %zu bytes, %d are allowed",
                       r->lines.name, r->lines.line, size, UR_TOKEN_LONGEST);
    int32_t id = ur_vocabulary_find(r->all_labels, label, size);
    if (id < 0 && !r->new_labels)
        return ur_fail(r->err, UR_BAD_FILE,
                       "%s: line %zu: the label %s is none of the %zu that there were in training",
                       r->lines.name, r->lines.line, ur_quote(label, size, quoted),
                       ur_vocabulary_size(r->all_labels));
    if (id < 0) {
        ur_status status = ur_vocabulary_add(r->new_labels, label, size, &id, r->err);
        if (status != UR_OK)
            return status;
    }
    if (!ur_reserve(d->a, &d->labels, &r->labels, at, at + 1, sizeof *d->labels))
        return ur_no_memory(r->err, (at + 1) * sizeof *d->labels);
    d->labels[at] = id;
    return UR_OK;
}

static ur_status end_sequence(reader *r)
{
    ur_labelled *d = r->d;
    if (!ur_reserve(d->a, &d->offset, &r->offsets, d->count + 1, d->count + 2, sizeof *d->offset))
        return ur_no_memory(r->err, (d->count + 2) * sizeof *d->offset);
    d->offset[++d->count] = d->all;
    return UR_OK;
}

/* ---- the two kinds of lines ---------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* token ... label */
static ur_status read_tagged(reader *r, const ur_line *line)
{
    const char *at = line->bytes, *end = at + line->size;
    while (at < end && is_blank(*at))
        at++;
    while (at < end && is_blank(end[-1]))
        end--;
    if (at == end)
        return length_so_far(r) ? end_sequence(r) : UR_OK;
    const char *token_end = at, *label = end;
    while (token_end < end && !is_blank(*token_end))
        token_end++;
    if (token_end == end)
        return bad(r, "one column where a token and its label were expected");
    while (!is_blank(label[-1]))
        label--;
    ur_token token;
    ur_scan scanned = ur_scanner_word(&r->scanner, at, (size_t)(token_end - at), &token);
    ur_status status = store_token(r, scanned, &token);
    if (status == UR_OK)
        status = store_label(r, r->d->all - 1, label, (size_t)(end - label));
    return status;
}

/* label, tab, text */
static ur_status read_classified(reader *r, const ur_line *line)
{
    const char *end = line->bytes + line->size, *label = line->bytes;
    const char *tab = memchr(label, '\t', line->size), *label_end = tab;
    if (!tab)
        return bad(r, "no tab between a label and a text");
    while (label < label_end && *label == ' ')
        label++;
    while (label < label_end && label_end[-1] == ' ')
        label_end--;
    ur_status status = store_label(r, r->d->count, label, (size_t)(label_end - label));
    ur_scanner_line(&r->scanner, tab + 1, (size_t)(end - tab - 1), false);
    while (status == UR_OK) {
        ur_token token;
        ur_scan scanned = ur_scanner_next(&r->scanner, &token);
        if (scanned == UR_SCAN_END)
            return length_so_far(r) ? end_sequence(r) : bad(r, "the text has no token");
        status = store_token(r, scanned, &token);
    }
    return status;
}

static ur_status read_lines(reader *r)
{
    ur_labelled *d = r->d;
    if (!ur_reserve(d->a, &d->offset, &r->offsets, 0, 1, sizeof *d->offset))
        return ur_no_memory(r->err, sizeof *d->offset);
    d->offset[0] = 0;
    ur_status status = UR_OK;
    while (status == UR_OK && r->lines.size > 0) {
        ur_line line;
        status = ur_lines_next(&r->lines, &line);
        if (status == UR_OK)
            status = ur_lines_check(&r->lines, line.bytes, line.size, "", NULL);
        if (status == UR_OK)
            status = d->kind == UR_TAGGED ? read_tagged(r, &line) : read_classified(r, &line);
    }
    if (status == UR_OK && length_so_far(r))
        status = end_sequence(r);
    if (status == UR_OK && d->count == 0)
        status =
            ur_fail(r->err, UR_BAD_FILE, "%s: an empty file where %s with labels were expected",
                    r->lines.name, d->kind == UR_TAGGED ? "tokens" : "texts");
    return status;
}

/* From ids by first appearance to those of the vocabulary. */
static void replace_ids(ur_labelled *d, const int32_t *map)
{
    for (size_t i = 0; i < d->all; i++)
        d->tokens[i] = map[d->tokens[i]];
}

/* ---- whole texts --------------------------------------------------------------------------- */

static ur_status check_options(ur_labelled_kind kind, const ur_text_options *o,
                               const ur_vocabulary *tokens, ur_err *err)
{
    ur_status status = ur_text_check(o, tokens, err);
    if (status != UR_OK)
        return status;
    if (kind != UR_TAGGED && kind != UR_CLASSIFIED)
        return ur_fail(err, UR_INVALID, "there is no kind of labels number %d", (int)kind);
    if (kind == UR_TAGGED && (o->tokenizer != UR_WORDS || o->letters_only))
        return ur_fail(err, UR_INVALID,
                       "tokens with a label each are cut already: they are words, and not made of "
                       "letters only");
    if (o->line_ends)
        return ur_fail(err, UR_INVALID, "texts with labels have no line ends as tokens");
    return UR_OK;
}

/* Reads everything into a fresh data set, which is *out also after a failure. */
static ur_status read_all(reader *r, const ur_allocator *a, ur_labelled_kind kind,
                          const ur_text_options *options, ur_labelled **out)
{
    r->d = *out = ur_alloc_zero(a, 1, sizeof *r->d);
    if (!r->d)
        return ur_no_memory(r->err, sizeof *r->d);
    r->d->a = a;
    r->d->kind = kind;
    ur_scanner_start(&r->scanner, options, r->tally ? r->tally->seen : r->known);
    return read_lines(r);
}

static ur_status settle(ur_labelled **out, const ur_vocabulary *tokens, ur_status status)
{
    ur_labelled *d = *out;
    if (status != UR_OK || !d) {
        ur_labelled_free(d);
        *out = NULL;
        return status;
    }
    int32_t unknown = ur_vocabulary_find_reserved(tokens, "unk");
    d->unknown = unknown < 0 ? 0 : ur_ids_count((ur_ids){d->tokens, d->all}, unknown);
    return UR_OK;
}

ur_status ur_labelled_learn_bytes(const ur_allocator *a, const char *name, const char *bytes,
                                  size_t size, ur_labelled_kind kind,
                                  const ur_text_options *options,
                                  const ur_vocabulary_options *choice, ur_labelled **out,
                                  ur_vocabulary **tokens, ur_vocabulary **labels, ur_err *err)
{
    ur_tally tally;
    ur_vocabulary *l = NULL;
    reader r = {.tally = &tally, .err = err};
    *out = NULL;
    *tokens = *labels = NULL;
    ur_status status = check_options(kind, options, NULL, err);
    if (status != UR_OK)
        return status;
    ur_lines_start(&r.lines, name, bytes, size, err);
    status = ur_tally_start(&tally, a, options, choice, err);
    if (status == UR_OK)
        status = ur_vocabulary_new(a, &l, err);
    r.all_labels = r.new_labels = l;
    if (status == UR_OK)
        status = read_all(&r, a, kind, options, out);
    if (status == UR_OK)
        status = ur_tally_choose(&tally, choice, tokens, err);
    if (status == UR_OK && *out)
        replace_ids(*out, tally.map);
    ur_tally_free(&tally);
    if (status == UR_OK)
        *labels = l;
    else
        ur_vocabulary_free(l);
    return settle(out, *tokens, status);
}

ur_status ur_labelled_open_bytes(const ur_allocator *a, const char *name, const char *bytes,
                                 size_t size, ur_labelled_kind kind, const ur_text_options *options,
                                 const ur_vocabulary *tokens, const ur_vocabulary *labels,
                                 ur_labelled **out, ur_err *err)
{
    reader r = {.known = tokens, .all_labels = labels, .err = err};
    *out = NULL;
    ur_status status = check_options(kind, options, tokens, err);
    if (status != UR_OK)
        return status;
    r.unknown = ur_vocabulary_find_reserved(tokens, "unk");
    ur_lines_start(&r.lines, name, bytes, size, err);
    status = read_all(&r, a, kind, options, out);
    return settle(out, tokens, status);
}

/* ---- from files ----------------------------------------------------------------------------- */

ur_status ur_labelled_learn(const ur_allocator *a, const char *path, ur_labelled_kind kind,
                            const ur_text_options *options, const ur_vocabulary_options *choice,
                            ur_labelled **out, ur_vocabulary **tokens, ur_vocabulary **labels,
                            ur_err *err)
{
    char *bytes;
    size_t size;
    *out = NULL;
    *tokens = *labels = NULL;
    ur_status status = ur_read_file(a, path, UR_TEXT_FILE_LIMIT, &bytes, &size, err);
    if (status != UR_OK)
        return status;
    status = ur_labelled_learn_bytes(a, path, bytes, size, kind, options, choice, out, tokens,
                                     labels, err);
    ur_free(a, bytes);
    return status;
}

ur_status ur_labelled_open(const ur_allocator *a, const char *path, ur_labelled_kind kind,
                           const ur_text_options *options, const ur_vocabulary *tokens,
                           const ur_vocabulary *labels, ur_labelled **out, ur_err *err)
{
    char *bytes;
    size_t size;
    *out = NULL;
    ur_status status = ur_read_file(a, path, UR_TEXT_FILE_LIMIT, &bytes, &size, err);
    if (status != UR_OK)
        return status;
    status = ur_labelled_open_bytes(a, path, bytes, size, kind, options, tokens, labels, out, err);
    ur_free(a, bytes);
    return status;
}

/* ---- looking at it -------------------------------------------------------------------------- */

void ur_labelled_free(ur_labelled *d)
{
    if (!d)
        return;
    ur_free(d->a, d->offset);
    ur_free(d->a, d->tokens);
    ur_free(d->a, d->labels);
    ur_free(d->a, d);
}

size_t ur_labelled_count(const ur_labelled *d)
{
    return d->count;
}

size_t ur_labelled_all_tokens(const ur_labelled *d)
{
    return d->all;
}

size_t ur_labelled_unknown(const ur_labelled *d)
{
    return d->unknown;
}

ur_ids ur_labelled_tokens(const ur_labelled *d, size_t index)
{
    size_t begin = d->offset[index];
    return (ur_ids){d->tokens + begin, d->offset[index + 1] - begin};
}

ur_ids ur_labelled_labels(const ur_labelled *d, size_t index)
{
    if (d->kind == UR_CLASSIFIED)
        return (ur_ids){d->labels + index, 1};
    size_t begin = d->offset[index];
    return (ur_ids){d->labels + begin, d->offset[index + 1] - begin};
}

uint64_t ur_labelled_fingerprint(const ur_labelled *d)
{
    uint64_t hash = ur_ids_fingerprint((ur_ids){d->tokens, d->all});
    for (size_t i = 0; i < d->count; i++) {
        uint64_t labels = ur_ids_fingerprint(ur_labelled_labels(d, i));
        hash = ur_fingerprint_spread(hash, labels ^ (uint64_t)ur_labelled_tokens(d, i).length);
    }
    return hash;
}
