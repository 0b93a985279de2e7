/* utf8.c - UTF-8 and Unicode scalar values. utf8proc knows the encoding's rules. */
#include "text/utf8.h"

#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

size_t ur_utf8_decode(const char *bytes, size_t size, uint32_t *character)
{
    if (size == 0)
        return 0;
    const utf8proc_uint8_t *first = (const utf8proc_uint8_t *)bytes;
    if (*first < 0x80) {
        *character = *first;
        return 1;
    }
    utf8proc_int32_t value;
    utf8proc_ssize_t taken = utf8proc_iterate(first, size < 4 ? (utf8proc_ssize_t)size : 4, &value);
    if (taken <= 0)
        return 0;
    *character = (uint32_t)value;
    return (size_t)taken;
}

size_t ur_utf8_encode(uint32_t character, char bytes[4])
{
    if (character > 0x10FFFF || !utf8proc_codepoint_valid((utf8proc_int32_t)character))
        return 0;
    return (size_t)utf8proc_encode_char((utf8proc_int32_t)character, (utf8proc_uint8_t *)bytes);
}

bool ur_utf8_count(const char *bytes, size_t size, size_t *count)
{
    size_t characters = 0;
    for (size_t at = 0; at < size; characters++) {
        uint32_t character;
        if ((unsigned char)bytes[at] < 0x80) {
            at++;
            continue;
        }
        size_t taken = ur_utf8_decode(bytes + at, size - at, &character);
        if (taken == 0) {
            *count = at;
            return false;
        }
        at += taken;
    }
    *count = characters;
    return true;
}

/* A fixed list, not utf8proc's categories, so that a vocabulary's file does not depend on the
 * version of Unicode that a machine has. */
bool ur_character_is_invisible(uint32_t character)
{
    static const uint32_t range[][2] = {{0x0, 0x20},      {0x7F, 0xA0},     {0xAD, 0xAD},
                                        {0x1680, 0x1680}, {0x2000, 0x200F}, {0x2028, 0x202F},
                                        {0x205F, 0x2064}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
    for (size_t i = 0; i < sizeof range / sizeof range[0]; i++)
        if (character >= range[i][0] && character <= range[i][1])
            return true;
    return false;
}

const char *ur_character_name(uint32_t character, char name[UR_CHARACTER_NAME])
{
    char bytes[4];
    size_t size = ur_character_is_invisible(character) ? 0 : ur_utf8_encode(character, bytes);
    if (size)
        snprintf(name, UR_CHARACTER_NAME, "U+%04X '%.*s'", (unsigned)character, (int)size, bytes);
    else
        snprintf(name, UR_CHARACTER_NAME, "U+%04X", (unsigned)character);
    return name;
}

const char *ur_quote(const char *bytes, size_t size, char quoted[UR_QUOTED])
{
    static const char instead[] = "\xEF\xBF\xBD", cut[] = "...";
    size_t n = 1, at = 0;
    quoted[0] = '"';
    while (at < size && n + 4 + sizeof cut + 1 <= UR_QUOTED) {
        uint32_t character = 0;
        size_t taken = ur_utf8_decode(bytes + at, size - at, &character);
        bool visible = taken && (character == ' ' || !ur_character_is_invisible(character));
        size_t length = visible ? taken : sizeof instead - 1;
        memcpy(quoted + n, visible ? bytes + at : instead, length);
        n += length;
        at += taken ? taken : 1;
    }
    snprintf(quoted + n, UR_QUOTED - n, "%s\"", at < size ? cut : "");
    return quoted;
}
