/* utf8.c - UTF-8 and Unicode scalar values (The Unicode Standard, section 3.9), and printable
 * excerpts of texts. */
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

size_t ur_utf8_decode(const char *bytes, size_t size, uint32_t *character)
{
    const unsigned char *p = (const unsigned char *)bytes;
    if (size == 0)
        return 0;
    if (p[0] < 0x80) {
        *character = p[0];
        return 1;
    }
    /* Bytes from 0x80 on continue a sequence; 0xC0 and 0xC1 would begin overlong ones, those from
     * 0xF5 on values above U+10FFFF. */
    if (p[0] < 0xC2 || p[0] > 0xF4)
        return 0;
    const size_t length = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (size < length)
        return 0;
    uint32_t c = p[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3Fu);
    }
    const bool overlong = c < (length == 2 ? 0x80u : length == 3 ? 0x800u : 0x10000u);
    if (overlong || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        return 0;
    *character = c;
    return length;
}

size_t ur_utf8_encode(uint32_t character, char bytes[4])
{
    static const unsigned char lead[5] = {0, 0, 0xC0, 0xE0, 0xF0};
    if (character > 0x10FFFF || (character >= 0xD800 && character <= 0xDFFF))
        return 0;
    if (character < 0x80) {
        bytes[0] = (char)character;
        return 1;
    }
    const size_t length = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--) {
        bytes[i] = (char)(0x80 | (character & 0x3F));
        character >>= 6;
    }
    bytes[0] = (char)(lead[length] | character);
    return length;
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

uint32_t ur_utf8_next(const char **text)
{
    uint32_t character = 0;
    const size_t taken = ur_utf8_decode(*text, strnlen(*text, 4), &character);
    if (taken == 0 && **text == '\0')
        return 0;
    *text += taken > 0 ? taken : 1;
    return taken > 0 ? character : UR_REPLACEMENT;
}

/* ---- for terminals ------------------------------------------------------------------------ */

static bool controls_terminal(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x2028 && c <= 0x202E) ||
           (c >= 0x2066 && c <= 0x2069) || c == 0x200E || c == 0x200F || c == 0x61C;
}

enum { LONGEST_ESCAPE = 16 };

/* How the next of the bytes are shown, in `out`; returns how many they are. */
static size_t show_next(const char *bytes, size_t size, char out[LONGEST_ESCAPE], size_t *length)
{
    uint32_t c = 0;
    const size_t taken = ur_utf8_decode(bytes, size, &c);
    const char *letter = taken == 1 && c >= 9 && c <= 13 ? strchr("\tt\nn\rr", (int)c) : NULL;
    int n;
    if (taken > 0 && !controls_terminal(c)) {
        memcpy(out, bytes, taken);
        *length = taken;
        return taken;
    }
    if (letter && *letter != '\0')
        n = snprintf(out, LONGEST_ESCAPE, "\\%c", letter[1]);
    else if (taken == 0 || c < 0x80)
        n = snprintf(out, LONGEST_ESCAPE, "\\x%02x", (unsigned char)*bytes);
    else
        n = snprintf(out, LONGEST_ESCAPE, "\\u{%x}", (unsigned)c);
    *length = (size_t)n;
    return taken > 0 ? taken : 1;
}

size_t ur_printable(const char *bytes, size_t size, char *text, size_t capacity)
{
    static const char cut[] = "...";
    const size_t room = capacity > 0 ? capacity - 1 : 0;
    size_t n = 0, whole = 0; /* whole: as much of it as leaves room for "..." */
    for (size_t at = 0; at < size;) {
        char shown[LONGEST_ESCAPE];
        size_t length;
        at += show_next(bytes + at, size - at, shown, &length);
        if (length > room - n) {
            const size_t dots = room < sizeof cut - 1 ? 0 : sizeof cut - 1;
            n = whole;
            memcpy(text + n, cut, dots);
            n += dots;
            break;
        }
        memcpy(text + n, shown, length);
        n += length;
        if (n + sizeof cut - 1 <= room)
            whole = n;
    }
    if (capacity > 0)
        text[n] = '\0';
    return n;
}

/* ---- for messages ------------------------------------------------------------------------- */

/* A fixed list, not the categories of a library of Unicode's properties, so that a vocabulary's file does not depend on the
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

/* The excerpt in `room` bytes, its zero byte included; returns its length. */
static size_t excerpt(const char *bytes, size_t size, char *out, size_t room)
{
    static const char instead[] = "\xEF\xBF\xBD", cut[] = "...";
    size_t n = 0, at = 0;
    while (at < size && n + 4 + sizeof cut <= room) {
        uint32_t character = 0;
        size_t taken = ur_utf8_decode(bytes + at, size - at, &character);
        bool visible = taken > 0 && (character == ' ' || !ur_character_is_invisible(character)) &&
                       !controls_terminal(character);
        size_t length = visible ? taken : sizeof instead - 1;
        memcpy(out + n, visible ? bytes + at : instead, length);
        n += length;
        at += taken > 0 ? taken : 1;
    }
    if (at < size) {
        memcpy(out + n, cut, sizeof cut - 1);
        n += sizeof cut - 1;
    }
    out[n] = '\0';
    return n;
}

const char *ur_shown(char shown[UR_SHOWN], const char *text)
{
    excerpt(text, strlen(text), shown, UR_SHOWN);
    return shown;
}

const char *ur_quote(const char *bytes, size_t size, char quoted[UR_QUOTED])
{
    const size_t n = excerpt(bytes, size, quoted + 1, UR_QUOTED - 2);
    quoted[0] = '"';
    quoted[n + 1] = '"';
    quoted[n + 2] = '\0';
    return quoted;
}
