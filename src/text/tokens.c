/* tokens.c - the tokenizers and the options of a text. The rules stand at ur_tokenizer and
 * ur_text_piece in unroll/corpus.h.
 *
 * A character is looked at after normalisation (letters_only makes a space of it, or lower its
 * lower case), so that text that was normalised before is cut in the same places. A word is first
 * measured where it stands, and copied only if its lower case has to be written. */
#include "text/tokens.h"
#include "base/utf8.h"
#include "text/characters.h"
#include "base/status.h"

#include <string.h>

#define RESERVED_LONGEST 32 /* the name of a reserved token */

void ur_scanner_start(ur_scanner *s, const ur_text_options *options,
                      const ur_vocabulary *vocabulary)
{
    s->options = options;
    s->kind = ur_tokenizer_of(options->tokenizer);
    s->vocabulary = vocabulary;
    s->line_end = options->line_ends ? ur_vocabulary_find_reserved(vocabulary, "eos") : -1;
    ur_scanner_line(s, NULL, 0, false);
}

void ur_scanner_line(ur_scanner *s, const char *bytes, size_t size, bool ended)
{
    const ur_text_options *o = s->options;
    s->line = s->at = bytes;
    s->end = bytes ? bytes + size : bytes;
    s->begun = false;
    s->ended = ended && (o->line_ends || (s->kind->line_feeds && !o->letters_only));
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The normalised character at `at`, which is before the line's end, and the bytes it takes. */
static uint32_t look(const ur_scanner *s, const char *at, size_t *taken)
{
    uint32_t c = 0;
    *taken = ur_utf8_decode(at, (size_t)(s->end - at), &c);
    if (s->options->letters_only && !is_letter(*at))
        return ' ';
    return s->options->lower ? ur_character_lower(c) : c;
}

/* ---- measuring words ---------------------------------------------------------------------- */

/* <name> at `at`, in brackets of its own: the end of it if the vocabulary has that reserved token,
 * else NULL. Reserved names are ASCII. */
static const char *reserved_end(const ur_scanner *s, const char *at, int32_t *id)
{
    char name[RESERVED_LONGEST + 1];
    size_t taken, n = 0;
    for (at++; at < s->end; at += taken) {
        uint32_t c = look(s, at, &taken);
        if (c == '>') {
            name[n] = 0;
            *id = ur_vocabulary_find_reserved(s->vocabulary, name);
            return *id >= 0 ? at + 1 : NULL;
        }
        bool legal = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
        if (!legal || n == RESERVED_LONGEST)
            return NULL;
        name[n++] = (char)c;
    }
    return NULL;
}

/* Whether `joint`, after the character `before`, and the one at `next` go on with a word. */
static bool joins(const ur_scanner *s, uint32_t before, uint32_t joint, const char *next)
{
    if (next >= s->end)
        return false;
    size_t taken;
    uint32_t after = look(s, next, &taken);
    if (joint == '.' || joint == ',')
        return ur_character_is_digit(before) && ur_character_is_digit(after);
    return ur_character_joins_word(joint) && ur_character_is_word(after);
}

/* The end of the word that opens with character c at `at`, `taken` bytes long. */
static const char *word_end(const ur_scanner *s, const char *at, uint32_t c, size_t taken)
{
    if (!ur_character_is_word(c))
        return at + taken;
    for (at += taken; at < s->end; at += taken) {
        uint32_t before = c;
        c = look(s, at, &taken);
        if (!ur_character_is_word(c) && !joins(s, before, c, at + taken))
            break;
    }
    return at;
}

static const char *space_end(const ur_scanner *s, const char *at)
{
    size_t taken;
    while (at < s->end && !ur_character_is_space(look(s, at, &taken)))
        at += taken;
    return at;
}

/* ---- tokens ------------------------------------------------------------------------------- */

static bool write_lower(ur_scanner *s, const char *at, const char *end, ur_token *token)
{
    size_t n = 0, taken;
    for (; at < end; at += taken) {
        char bytes[4];
        size_t size = ur_utf8_encode(look(s, at, &taken), bytes);
        if (size > UR_TOKEN_LONGEST - n)
            return false;
        memcpy(s->token + n, bytes, size);
        n += size;
    }
    *token = (ur_token){s->token, n, -1};
    return true;
}

/* The token that stands from `at` to `end`, which lie on the scanner's line. */
static ur_scan take(ur_scanner *s, const char *at, const char *end, ur_token *token)
{
    if (!s->options->lower)
        *token = (ur_token){at, (size_t)(end - at), -1};
    else if (!write_lower(s, at, end, token))
        return UR_SCAN_TOO_LONG;
    return token->size <= UR_TOKEN_LONGEST ? UR_SCAN_TOKEN : UR_SCAN_TOO_LONG;
}

static ur_scan next_character(ur_scanner *s, ur_token *token)
{
    const char *at = s->at;
    if (s->options->letters_only) {
        while (at < s->end && !is_letter(*at))
            at++;
        bool gap = at > s->at && s->begun && at < s->end;
        s->at = at;
        if (gap) {
            *token = (ur_token){" ", 1, -1};
            return UR_SCAN_TOKEN;
        }
        s->begun = true;
    }
    if (at < s->end) {
        size_t taken;
        look(s, at, &taken);
        s->at = at + taken;
        return take(s, at, s->at, token);
    }
    if (!s->ended)
        return UR_SCAN_END;
    s->ended = false;
    *token = (ur_token){"\n", 1, -1};
    return UR_SCAN_TOKEN;
}

/* The next character that is no space, which takes *taken bytes; 0 at the end. */
static uint32_t skip_space(ur_scanner *s, size_t *taken)
{
    while (s->at < s->end) {
        const uint32_t c = look(s, s->at, taken);
        if (!ur_character_is_space(c))
            return c;
        s->at += *taken;
    }
    return 0;
}

/* `punctuation`: each character of it is a token, and <name> may touch other tokens. */
static ur_scan take_word(ur_scanner *s, bool punctuation, ur_token *token)
{
    size_t taken = 0;
    const uint32_t c = skip_space(s, &taken);
    if (s->at >= s->end) {
        bool ended = s->ended;
        s->ended = false;
        *token = (ur_token){"", 0, s->line_end};
        return ended ? UR_SCAN_TOKEN : UR_SCAN_END;
    }
    const char *at = s->at;
    int32_t id = -1;
    const char *closed = c == '<' ? reserved_end(s, at, &id) : NULL;
    s->at = punctuation ? word_end(s, at, c, taken) : space_end(s, at);
    if (closed && (punctuation || closed == s->at)) {
        s->at = closed;
        *token = (ur_token){at, (size_t)(closed - at), id};
        return UR_SCAN_TOKEN;
    }
    return take(s, at, s->at, token);
}

static ur_scan next_word(ur_scanner *s, ur_token *token)
{
    return take_word(s, false, token);
}

static ur_scan next_word_punctuation(ur_scanner *s, ur_token *token)
{
    return take_word(s, true, token);
}

static bool is_stop(uint32_t c)
{
    return c == '.' || c == ',' || c == '!' || c == '?';
}

/* Up to the next space, . , ! or ?. */
static ur_scan next_word_stops(ur_scanner *s, ur_token *token)
{
    size_t taken = 0;
    skip_space(s, &taken);
    if (s->at >= s->end)
        return take_word(s, false, token);
    const char *at = s->at;
    for (s->at += taken; s->at < s->end; s->at += taken) {
        const uint32_t c = look(s, s->at, &taken);
        if (ur_character_is_space(c) || is_stop(c))
            break;
    }
    int32_t id = -1;
    if (*at == '<' && reserved_end(s, at, &id) == s->at) {
        *token = (ur_token){at, (size_t)(s->at - at), id};
        return UR_SCAN_TOKEN;
    }
    return take(s, at, s->at, token);
}

enum { JOINER = sizeof UR_JOINER - 1 };

/* A character of punctuation with its marks. A boundary without a space has one mark: on what follows
 * it where that is punctuation, else on what is before it. A mark that stands in the text has none itself, since
 * nobody could say which of two it is, and is printed with spaces around it. */
static ur_scan next_word_joined(ur_scanner *s, ur_token *token)
{
    const char *before = s->at;
    const ur_scan scan = take_word(s, true, token);
    if (scan != UR_SCAN_TOKEN || token->reserved >= 0)
        return scan;
    size_t taken;
    uint32_t c = 0;
    if (ur_utf8_decode(token->bytes, token->size, &c) != token->size || ur_character_is_word(c) ||
        (token->size == JOINER && memcmp(token->bytes, UR_JOINER, JOINER) == 0))
        return scan;
    char mark[2 * JOINER + 4];
    size_t n = 0;
    /* what was skipped before the token is white space */
    if (before > s->line && !ur_character_is_space(look(s, before, &taken))) {
        memcpy(mark, UR_JOINER, JOINER);
        n = JOINER;
    }
    memcpy(mark + n, token->bytes, token->size);
    n += token->size;
    if (s->at < s->end && ur_character_is_word(look(s, s->at, &taken))) {
        memcpy(mark + n, UR_JOINER, JOINER);
        n += JOINER;
    }
    memcpy(s->token, mark, n);
    *token = (ur_token){s->token, n, -1};
    return scan;
}

ur_scan ur_scanner_next(ur_scanner *s, ur_token *token)
{
    return s->kind->next(s, token);
}

ur_scan ur_scanner_word(ur_scanner *s, const char *bytes, size_t size, ur_token *token)
{
    ur_scanner_line(s, bytes, size, false);
    int32_t id = -1;
    if (*bytes == '<' && reserved_end(s, bytes, &id) == s->end) {
        *token = (ur_token){bytes, size, id};
        return UR_SCAN_TOKEN;
    }
    return take(s, bytes, s->end, token);
}

int32_t ur_token_id(const ur_vocabulary *vocabulary, const ur_token *token, int32_t unknown)
{
    if (token->reserved >= 0)
        return token->reserved;
    int32_t id = ur_vocabulary_find(vocabulary, token->bytes, token->size);
    return id >= 0 ? id : unknown;
}

ur_status ur_token_unknown(ur_err *err, const char *name, size_t line, const ur_token *token)
{
    char quoted[UR_QUOTED];
    return ur_fail(err, UR_BAD_FILE,
                   "%s: line %zu: the token %s is not in the vocabulary, which has no <unk> for it",
                   name, line, ur_quote(token->bytes, token->size, quoted));
}

ur_status ur_token_too_long(ur_err *err, const char *name, size_t line)
{
    return ur_fail(err, UR_BAD_FILE,
                   "%s: line %zu: a word of more than %d bytes: is this text in words?", name, line,
                   UR_TOKEN_LONGEST);
}

/* ---- between printed tokens --------------------------------------------------------------- */

/* That encoding a printed text gives the same ids again rests on this: between words there always
 * is a space, and no character that is printed without one joins a word between two characters of
 * it but with a space on its other side. */

/* The character that is all of a token, else 0. Reserved ones have several. */
static uint32_t only_character(const ur_vocabulary *v, int32_t id)
{
    size_t bytes = 0;
    uint32_t character = 0;
    const char *token = ur_vocabulary_token(v, id, &bytes);
    return token && ur_utf8_decode(token, bytes, &character) == bytes ? character : 0;
}

static bool never_space(const ur_vocabulary *v, int32_t previous, int32_t id)
{
    (void)v;
    (void)previous;
    (void)id;
    return false;
}

static bool always_space(const ur_vocabulary *v, int32_t previous, int32_t id)
{
    (void)v;
    (void)previous;
    (void)id;
    return true;
}

static bool space_but_at_punctuation(const ur_vocabulary *v, int32_t previous, int32_t id)
{
    return !ur_character_opens(only_character(v, previous)) &&
           !ur_character_closes(only_character(v, id));
}

static bool space_but_at_stops(const ur_vocabulary *v, int32_t previous, int32_t id)
{
    const char *token = ur_vocabulary_token(v, id, NULL);
    (void)previous;
    return !token || !is_stop((unsigned char)*token);
}

static bool begins_joined(const char *token, size_t bytes)
{
    return bytes > JOINER && memcmp(token, UR_JOINER, JOINER) == 0;
}

static bool ends_joined(const char *token, size_t bytes)
{
    return bytes > JOINER && memcmp(token + bytes - JOINER, UR_JOINER, JOINER) == 0;
}

static bool space_but_at_marks(const ur_vocabulary *v, int32_t previous, int32_t id)
{
    size_t first = 0, second = 0;
    const char *left = ur_vocabulary_token(v, previous, &first);
    const char *right = ur_vocabulary_token(v, id, &second);
    return !(left && ends_joined(left, first)) && !(right && begins_joined(right, second));
}

static const char *without_marks(const char *token, size_t *bytes)
{
    if (ends_joined(token, *bytes))
        *bytes -= JOINER;
    if (!begins_joined(token, *bytes))
        return token;
    *bytes -= JOINER;
    return token + JOINER;
}

/* ---- the list ----------------------------------------------------------------------------- */

#define NAMED(it, also) .name = it, .alias = also, .words = it "|" also

static const ur_tokenizer_kind kinds[] = {
    [UR_CHARACTERS] = {NAMED("char", "characters"), .line_feeds = true, .bytes = 1,
                       .next = next_character, .space = never_space},
    [UR_WORDS] = {NAMED("word", "words"), .bytes = 8, .next = next_word, .space = always_space},
    [UR_WORDS_PUNCTUATION] = {NAMED("word-punct", "words-punctuation"), .bytes = 8,
                              .next = next_word_punctuation, .space = space_but_at_punctuation},
    [UR_WORDS_STOPS] = {NAMED("word-stops", "words-stops"), .bytes = 8, .next = next_word_stops,
                        .space = space_but_at_stops},
    [UR_WORDS_JOINED] = {NAMED("word-joined", "words-joined"), .bytes = 8, .next = next_word_joined,
                         .space = space_but_at_marks, .shown = without_marks},
};
#define KINDS (sizeof kinds / sizeof *kinds)

const ur_tokenizer_kind *ur_tokenizer_of(ur_tokenizer tokenizer)
{
    return (size_t)tokenizer < KINDS ? &kinds[tokenizer] : NULL;
}

const char *ur_tokenizer_name(ur_tokenizer tokenizer)
{
    const ur_tokenizer_kind *kind = ur_tokenizer_of(tokenizer);
    return kind ? kind->name : NULL;
}

const char *ur_tokenizer_words(size_t i)
{
    return i < KINDS ? kinds[i].words : NULL;
}

bool ur_tokenizer_find(const char *name, ur_tokenizer *tokenizer)
{
    for (size_t i = 0; i < KINDS; i++)
        if (strcmp(name, kinds[i].name) == 0 || strcmp(name, kinds[i].alias) == 0) {
            *tokenizer = (ur_tokenizer)i;
            return true;
        }
    return false;
}

/* ---- options ------------------------------------------------------------------------------ */

ur_text_options ur_text_defaults(ur_tokenizer tokenizer, bool letters_only)
{
    const ur_tokenizer_kind *kind = ur_tokenizer_of(tokenizer);
    return (ur_text_options){.tokenizer = tokenizer,
                             .letters_only = letters_only,
                             .line_ends = kind && !kind->line_feeds && !letters_only};
}

ur_status ur_text_check(const ur_text_options *o, const ur_vocabulary *vocabulary, ur_err *err)
{
    const ur_tokenizer_kind *kind = ur_tokenizer_of(o->tokenizer);
    if (!kind)
        return ur_fail(err, UR_INVALID, "there is no tokenizer number %d", (int)o->tokenizer);
    if ((unsigned)o->unicode > UR_UNICODE_NFKC)
        return ur_fail(err, UR_INVALID, "there is no normalisation number %d", (int)o->unicode);
    if (kind->line_feeds && o->line_ends)
        return ur_fail(err, UR_INVALID,
                       "line ends as tokens are for words; as characters, line feeds are tokens");
    if (vocabulary && o->line_ends && ur_vocabulary_find_reserved(vocabulary, "eos") < 0)
        return ur_fail(err, UR_INVALID, "lines end with <eos>, which the vocabulary does not have");
    return UR_OK;
}
