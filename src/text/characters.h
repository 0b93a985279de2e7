/* characters.h - what kind of character: Unicode's categories, as utf8proc has them. */
#ifndef UR_TEXT_CHARACTERS_H
#define UR_TEXT_CHARACTERS_H

#include "unroll/core.h"

bool ur_character_is_space(uint32_t character);        /* White_Space */
bool ur_character_is_word(uint32_t character);         /* letters, marks, numbers: L, M, N */
bool ur_character_is_alphanumeric(uint32_t character); /* letters and numbers: L, N */
bool ur_character_is_digit(uint32_t character);        /* Nd */
/* What goes on with a word between two of its characters: apostrophes, hyphens, joiners. */
bool ur_character_joins_word(uint32_t character);

/* Simple lower case: one character for one. */
uint32_t ur_character_lower(uint32_t character);

/* How punctuation is printed: no space before, after it. */
bool ur_character_closes(uint32_t character);
bool ur_character_opens(uint32_t character);

#endif
