/* utf8.h - UTF-8 character by character (beside what core.h has), and texts as they can stand in a
 * message: nothing in them controls a terminal, and long ones are cut. */
#ifndef UR_BASE_UTF8_H
#define UR_BASE_UTF8_H

#include "unroll/core.h"

#define UR_REPLACEMENT 0xFFFDu /* U+FFFD: what stands for bytes that are not UTF-8 */

/* Takes one character from *text (zero-terminated) and moves *text behind it. A byte that begins no
 * well-formed sequence is taken alone and gives UR_REPLACEMENT. 0 at the end, unmoved. */
uint32_t ur_utf8_next(const char **text);

/* Whether a character looks like a space or like nothing, or controls a terminal. */
bool ur_character_is_invisible(uint32_t character);

#define UR_CHARACTER_NAME 24 /* bytes of a name, its zero byte included */

/* "U+00E9 'é'", or "U+000A" alone for what is invisible. Returns `name`. */
const char *ur_character_name(uint32_t character, char name[UR_CHARACTER_NAME]);

/* A text for a message: U+FFFD for what is not UTF-8 or invisible (but a space); what is longer than
 * the room ends in "...". ur_shown leaves it as it is, ur_quote puts it in double quotes. Both
 * return their array. */
#define UR_SHOWN 88
#define UR_QUOTED 128
const char *ur_shown(char shown[UR_SHOWN], const char *text);
const char *ur_quote(const char *bytes, size_t size, char quoted[UR_QUOTED]);

#endif
