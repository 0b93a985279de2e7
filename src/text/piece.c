/* piece.c - from ids back to text, token by token. The rules stand at ur_text_piece in
 * unroll/corpus.h.
 *
 * That encoding a printed text gives the same ids again rests on this: between words there always
 * is a space, and no character that is printed without one joins a word between two characters of
 * it but with a space on its other side. */
#include "text/characters.h"
#include "text/tokens.h"

#include <string.h>

static bool is_reserved(const ur_vocabulary *v, int32_t id, const char *name)
{
    return id >= 0 && id == ur_vocabulary_find_reserved(v, name);
}

/* The character that is all of a token, else 0. Reserved ones have several. */
static uint32_t only_character(const ur_vocabulary *v, int32_t id)
{
    size_t bytes = 0;
    uint32_t character = 0;
    const char *token = ur_vocabulary_token(v, id, &bytes);
    return token && ur_utf8_decode(token, bytes, &character) == bytes ? character : 0;
}

static bool space_between(const ur_text_options *o, const ur_vocabulary *v, int32_t previous,
                          int32_t id)
{
    if (o->tokenizer == UR_CHARACTERS || previous < 0)
        return false;
    if (o->line_ends && is_reserved(v, previous, "eos"))
        return false;
    return o->tokenizer == UR_WORDS || (!ur_character_opens(only_character(v, previous)) &&
                                        !ur_character_closes(only_character(v, id)));
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
    *space = space_between(o, v, previous, id);
    const char *text = ur_vocabulary_token(v, id, bytes);
    if (text)
        return text;
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
