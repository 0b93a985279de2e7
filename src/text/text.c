/* text.c - a text as ids, back to text token by token, and ids looked at as a whole. What the pieces
 * of a text are is said at ur_text_piece in unroll/corpus.h. */
#include "base/hash.h"
#include "base/status.h"
#include "text/lines.h"
#include "text/normalise.h"
#include "text/tokens.h"
#include "text/vocabulary.h"

#include <string.h>

/* ---- to ids ------------------------------------------------------------------------------- */

static ur_status encode_line(ur_scanner *s, const ur_lines *lines, int32_t unknown, bool lacking,
                             int32_t *ids, size_t *count)
{
    for (;;) {
        ur_token token;
        ur_scan what = ur_scanner_next(s, &token);
        if (what == UR_SCAN_END)
            return UR_OK;
        if (what == UR_SCAN_TOO_LONG)
            return ur_token_too_long(lines->err, lines->name, lines->line);
        int32_t id = ur_token_id(s->vocabulary, &token, unknown);
        if (id < 0 && !lacking)
            return ur_token_unknown(lines->err, lines->name, lines->line, &token);
        ids[(*count)++] = id;
    }
}

/* lacking: tokens that the vocabulary lacks, and has no <unk> for, are UR_UNKNOWN. */
static ur_status encode(const ur_text_options *options, const ur_vocabulary *vocabulary,
                        const char *text, size_t bytes, bool lacking, int32_t *ids, size_t *count,
                        size_t *unknown, ur_err *err)
{
    ur_scanner s;
    ur_lines lines = {.name = "the text", .bytes = text, .size = bytes, .err = err};
    *count = 0;
    if (unknown)
        *unknown = 0;
    ur_status status = ur_text_check(options, vocabulary, err);
    if (status != UR_OK)
        return status;
    int32_t unk = ur_vocabulary_find_reserved(vocabulary, "unk");
    size_t n = 0;
    ur_normaliser normal = {.a = ur_vocabulary_allocator(vocabulary), .form = options->unicode};
    ur_scanner_start(&s, options, vocabulary);
    while (status == UR_OK && lines.size > 0) {
        ur_line line;
        status = ur_lines_next(&lines, &line);
        if (status == UR_OK)
            status = ur_lines_check(&lines, line.bytes, line.size);
        if (status == UR_OK)
            status = ur_normalise(&normal, &line.bytes, &line.size, err);
        if (status != UR_OK)
            break;
        ur_scanner_line(&s, line.bytes, line.size, line.ended);
        status = encode_line(&s, &lines, unk, lacking, ids, &n);
    }
    ur_normaliser_free(&normal);
    if (status != UR_OK)
        return status;
    *count = n;
    if (unknown)
        *unknown = ur_ids_count((ur_ids){ids, n}, unk); /* which may be UR_UNKNOWN */
    return UR_OK;
}

ur_status ur_text_encode(const ur_text_options *options, const ur_vocabulary *vocabulary,
                         const char *text, size_t bytes, int32_t *ids, size_t *count,
                         size_t *unknown, ur_err *err)
{
    return encode(options, vocabulary, text, bytes, false, ids, count, unknown, err);
}

ur_status ur_text_encode_lacking(const ur_text_options *options, const ur_vocabulary *vocabulary,
                                 const char *text, size_t bytes, int32_t *ids, size_t *count,
                                 size_t *unknown, ur_err *err)
{
    return encode(options, vocabulary, text, bytes, true, ids, count, unknown, err);
}

/* ---- to text ------------------------------------------------------------------------------ */

static bool is_reserved(const ur_vocabulary *v, int32_t id, const char *name)
{
    return id >= 0 && id == ur_vocabulary_find_reserved(v, name);
}

/* A token's text and whether a space is before it. */
static const char *piece_of(const ur_text_options *o, const ur_vocabulary *v, int32_t previous,
                            int32_t id, size_t *bytes, bool *space)
{
    *space = false;
    if (o->line_ends && is_reserved(v, id, "eos")) {
        *bytes = 1;
        return "\n";
    }
    const ur_tokenizer_kind *kind = ur_tokenizer_of(o->tokenizer);
    *space = previous >= 0 && !(o->line_ends && is_reserved(v, previous, "eos")) && kind &&
             kind->space(v, previous, id);
    const char *text = ur_vocabulary_token(v, id, bytes);
    if (text)
        return kind && kind->shown && !ur_vocabulary_is_reserved(v, id) ? kind->shown(text, bytes)
                                                                        : text;
    *bytes = 3;
    return "\xEF\xBF\xBD"; /* U+FFFD */
}

size_t ur_text_piece(const ur_text_options *options, const ur_vocabulary *vocabulary,
                     int32_t previous, int32_t id, char *text, size_t capacity)
{
    size_t bytes;
    bool space;
    const char *token = piece_of(options, vocabulary, previous, id, &bytes, &space);
    size_t total = bytes + space;
    if (total < capacity) {
        text[0] = ' ';
        memcpy(text + space, token, bytes);
        text[total] = 0;
    } else if (capacity > 0) {
        text[0] = 0;
    }
    return total;
}

size_t ur_text_decode(const ur_text_options *options, const ur_vocabulary *vocabulary,
                      int32_t previous, const int32_t *ids, size_t count, char *text,
                      size_t capacity)
{
    size_t total = 0, written = 0;
    bool room = capacity > 0;
    if (room)
        text[0] = 0;
    for (size_t i = 0; i < count; i++) {
        char *at = room ? text + written : NULL;
        size_t left = room ? capacity - written : 0;
        size_t bytes = ur_text_piece(options, vocabulary, previous, ids[i], at, left);
        room = room && bytes < left;
        written += room ? bytes : 0;
        total += bytes;
        previous = ids[i];
    }
    return total;
}

/* ---- ids ---------------------------------------------------------------------------------- */

ur_status ur_ids_split(ur_ids ids, double fraction, ur_ids *train, ur_ids *valid, ur_err *err)
{
    if (!(fraction >= 0.0 && fraction <= 1.0))
        return ur_fail(err, UR_INVALID, "a part of %g of a text, 0 to 1 were expected", fraction);
    size_t last = (size_t)(fraction * (double)ids.length);
    if (last > ids.length)
        last = ids.length;
    *train = (ur_ids){ids.ids, ids.length - last};
    *valid = (ur_ids){ids.ids ? ids.ids + train->length : NULL, last};
    return UR_OK;
}

size_t ur_ids_count(ur_ids ids, int32_t id)
{
    size_t count = 0;
    for (size_t i = 0; i < ids.length; i++)
        count += ids.ids[i] == id;
    return count;
}

uint64_t ur_ids_fingerprint(ur_ids ids)
{
    uint64_t hash = UR_FINGERPRINT ^ (uint64_t)ids.length;
    for (size_t i = 0; i < ids.length; i++)
        hash = ur_fingerprint_spread(hash, (uint32_t)ids.ids[i]);
    return ur_fingerprint_mix(hash);
}
