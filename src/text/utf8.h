/* utf8.h - naming characters and tokens in a message. */
#ifndef UR_TEXT_UTF8_H
#define UR_TEXT_UTF8_H

#include "unroll/text.h"

#define UR_CHARACTER_NAME 24 /* bytes of a name, its zero byte included */

/* "U+00E9 'é'", or "U+000A" alone for what a terminal should not be sent. Returns `name`. */
const char *ur_character_name(uint32_t character, char name[UR_CHARACTER_NAME]);

/* Whether a character looks like a space or like nothing, or controls a terminal. */
bool ur_character_is_invisible(uint32_t character);

#define UR_QUOTED 128 /* bytes of a quotation, its zero byte included */

/* A token, which is UTF-8, in double quotes for a message: cut where it is long, U+FFFD for what a
 * terminal should not be sent. Returns `quoted`. */
const char *ur_quote(const char *bytes, size_t size, char quoted[UR_QUOTED]);

#endif
