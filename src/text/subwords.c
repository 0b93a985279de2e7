/* subwords.c - sentences as tokens that are cut by merges, and back to text. A part that does not end
 * its word has the mark @@ behind it in the vocabulary. */
#include <string.h>

#include "base/status.h"
#include "text/lines.h"
#include "text/tokens.h"
#include "unroll/bpe.h"

enum { MARK = sizeof UR_BPE_MARK - 1, JOINER = sizeof UR_JOINER - 1 };

bool ur_subwords_cuts(const char *token, size_t bytes)
{
    return bytes <= JOINER || (memcmp(token, UR_JOINER, JOINER) != 0 &&
                               memcmp(token + bytes - JOINER, UR_JOINER, JOINER) != 0);
}

/* ---- to ids --------------------------------------------------------------------------------- */

typedef struct encoder {
    const ur_subwords *s;
    const ur_lines *lines;
    int32_t unknown; /* id of <unk>, or -1 */
    int32_t *ids;
    size_t count, n_unknown;
} encoder;

static ur_status put(encoder *e, const char *bytes, size_t size, int32_t reserved)
{
    const ur_token token = {bytes, size, reserved};
    const int32_t id = ur_token_id(e->s->vocabulary, &token, e->unknown);
    if (id < 0)
        return ur_token_unknown(e->lines->err, e->lines->name, e->lines->line, &token);
    e->ids[e->count++] = id;
    e->n_unknown += id == e->unknown;
    return UR_OK;
}

static ur_status put_parts(encoder *e, const ur_token *token)
{
    size_t end[UR_TOKEN_LONGEST], begin = 0;
    char part[UR_TOKEN_LONGEST + MARK];
    const size_t n = ur_bpe_split(e->s->bpe, e->s->vocabulary, token->bytes, token->size, end);
    for (size_t i = 0; i < n; begin = end[i++]) {
        size_t size = end[i] - begin;
        memcpy(part, token->bytes + begin, size);
        if (i + 1 < n) {
            memcpy(part + size, UR_BPE_MARK, MARK);
            size += MARK;
        }
        const ur_status status = put(e, part, size, -1);
        if (status != UR_OK)
            return status;
    }
    return UR_OK;
}

static ur_status encode_line(encoder *e, ur_scanner *scanner)
{
    for (;;) {
        ur_token token;
        const ur_scan what = ur_scanner_next(scanner, &token);
        if (what == UR_SCAN_END)
            return UR_OK;
        if (what == UR_SCAN_TOO_LONG)
            return ur_token_too_long(e->lines->err, e->lines->name, e->lines->line);
        const bool cuts =
            e->s->bpe && token.reserved < 0 && ur_subwords_cuts(token.bytes, token.size);
        const ur_status status =
            cuts ? put_parts(e, &token) : put(e, token.bytes, token.size, token.reserved);
        if (status != UR_OK)
            return status;
    }
}

ur_status ur_subwords_encode(const ur_subwords *s, const char *text, size_t bytes, int32_t *ids,
                             size_t *count, size_t *unknown, ur_err *err)
{
    ur_scanner scanner;
    ur_lines lines = {.name = "the text", .bytes = text, .size = bytes, .err = err};
    encoder e = {.s = s, .lines = &lines, .ids = ids};
    *count = 0;
    ur_status status = ur_text_check(s->options, s->vocabulary, err);
    if (status != UR_OK)
        return status;
    e.unknown = ur_vocabulary_find_reserved(s->vocabulary, "unk");
    ur_scanner_start(&scanner, s->options, s->vocabulary);
    while (status == UR_OK && lines.size > 0) {
        ur_line line;
        status = ur_lines_next(&lines, &line);
        if (status == UR_OK)
            status = ur_lines_check(&lines, line.bytes, line.size);
        ur_scanner_line(&scanner, line.bytes, line.size, false);
        if (status == UR_OK)
            status = encode_line(&e, &scanner);
    }
    *count = status == UR_OK ? e.count : 0;
    if (unknown)
        *unknown = e.n_unknown;
    return status;
}

/* ---- to text -------------------------------------------------------------------------------- */

/* Whether a part's word goes on behind it. */
static bool goes_on(const ur_subwords *s, int32_t id)
{
    size_t bytes = 0;
    const char *token = ur_vocabulary_token(s->vocabulary, id, &bytes);
    return s->bpe && token && bytes > MARK && !ur_vocabulary_is_reserved(s->vocabulary, id) &&
           memcmp(token + bytes - MARK, UR_BPE_MARK, MARK) == 0;
}

size_t ur_subwords_decode(const ur_subwords *s, const int32_t *ids, size_t count, char *text,
                          size_t capacity)
{
    const ur_tokenizer_kind *own = ur_tokenizer_of(s->options->tokenizer);
    const ur_tokenizer_kind *kind = own ? own : ur_tokenizer_of(UR_WORDS);
    size_t total = 0, written = 0;
    bool room = capacity > 0;
    for (size_t i = 0; i < count; i++) {
        size_t bytes = 3;
        const char *token = ur_vocabulary_token(s->vocabulary, ids[i], &bytes);
        const bool space =
            i > 0 && !goes_on(s, ids[i - 1]) && kind->space(s->vocabulary, ids[i - 1], ids[i]);
        if (!token)
            token = "\xEF\xBF\xBD"; /* U+FFFD */
        else if (goes_on(s, ids[i]))
            bytes -= MARK;
        else if (kind->shown && !ur_vocabulary_is_reserved(s->vocabulary, ids[i]))
            token = kind->shown(token, &bytes);
        room = room && bytes + space < capacity - written;
        if (room) {
            text[written] = ' ';
            memcpy(text + written + space, token, bytes);
            written += bytes + space;
        }
        total += bytes + space;
    }
    if (capacity > 0)
        text[written] = '\0';
    return total;
}
