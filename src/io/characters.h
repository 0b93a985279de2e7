/* characters.h - the little that the file formats need to know of UTF-8. */
#ifndef UR_IO_CHARACTERS_H
#define UR_IO_CHARACTERS_H

#include "unroll/core.h"

/* Takes one Unicode scalar value from *text (zero-terminated) and moves *text behind it. A byte
 * that begins no well-formed sequence is taken alone and gives U+FFFD. 0 at the end, unmoved. */
uint32_t ur_next_character(const char **text);

/* Writes a scalar value as UTF-8; the number of bytes (1 to 4). */
size_t ur_put_character(char bytes[4], uint32_t character);

/* `text` as it can stand in a sentence: control characters become '?', more than about 80 bytes
 * are cut and end in "...". Returns `out`. */
enum { UR_SHOWN = 88 };
const char *ur_shown(char out[UR_SHOWN], const char *text);

#endif
