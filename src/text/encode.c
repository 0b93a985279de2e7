/* encode.c - text options, and a prompt as ids. */
#include "text/lines.h"
#include "text/tokens.h"
#include "base/status.h"

#include <string.h>

static const char *const names[] = {"characters", "words", "words-punctuation"};
#define TOKENIZERS (sizeof names / sizeof names[0])

ur_text_options ur_text_defaults(ur_tokenizer tokenizer, bool letters_only)
{
    return (ur_text_options){.tokenizer = tokenizer,
                             .letters_only = letters_only,
                             .line_ends = tokenizer != UR_CHARACTERS && !letters_only};
}

const char *ur_tokenizer_name(ur_tokenizer tokenizer)
{
    return (unsigned)tokenizer < TOKENIZERS ? names[tokenizer] : NULL;
}

bool ur_tokenizer_find(const char *name, ur_tokenizer *tokenizer)
{
    for (size_t i = 0; i < TOKENIZERS; i++)
        if (strcmp(name, names[i]) == 0) {
            *tokenizer = (ur_tokenizer)i;
            return true;
        }
    return false;
}

ur_status ur_text_check(const ur_text_options *o, const ur_vocabulary *vocabulary, ur_err *err)
{
    if (!ur_tokenizer_name(o->tokenizer))
        return ur_fail(err, UR_INVALID, "there is no tokenizer number %d", (int)o->tokenizer);
    if (o->tokenizer == UR_CHARACTERS && o->line_ends)
        return ur_fail(err, UR_INVALID,
                       "line ends as tokens are for words; as characters, line feeds are tokens");
    if (vocabulary && o->line_ends && ur_vocabulary_find_reserved(vocabulary, "eos") < 0)
        return ur_fail(err, UR_INVALID, "lines end with <eos>, which the vocabulary does not have");
    return UR_OK;
}

static ur_status encode_line(ur_scanner *s, const ur_lines *lines, int32_t unknown, int32_t *ids,
                             size_t *count)
{
    for (;;) {
        ur_token token;
        ur_scan what = ur_scanner_next(s, &token);
        if (what == UR_SCAN_END)
            return UR_OK;
        if (what == UR_SCAN_TOO_LONG)
            return ur_token_too_long(lines->err, lines->name, lines->line);
        int32_t id = ur_token_id(s->vocabulary, &token, unknown);
        if (id < 0)
            return ur_token_unknown(lines->err, lines->name, lines->line, &token);
        ids[(*count)++] = id;
    }
}

ur_status ur_text_encode(const ur_text_options *options, const ur_vocabulary *vocabulary,
                         const char *text, size_t bytes, int32_t *ids, size_t *count,
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
    ur_scanner_start(&s, options, vocabulary);
    while (status == UR_OK && lines.size > 0) {
        ur_line line;
        status = ur_lines_next(&lines, &line);
        if (status == UR_OK)
            status = ur_lines_check(&lines, line.bytes, line.size, "", NULL);
        ur_scanner_line(&s, line.bytes, line.size, line.ended);
        if (status == UR_OK)
            status = encode_line(&s, &lines, unk, ids, &n);
    }
    if (status != UR_OK)
        return status;
    *count = n;
    if (unknown && unk >= 0)
        *unknown = ur_ids_count((ur_ids){ids, n}, unk);
    return UR_OK;
}
