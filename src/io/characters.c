/* characters.c - reading and writing UTF-8 one character at a time; see characters.h. */
#include "io/characters.h"

#include <string.h>

uint32_t ur_next_character(const char **text)
{
    const unsigned char *p = (const unsigned char *)*text;
    if (p[0] == 0)
        return 0;
    int more = p[0] < 0x80 ? 0 : p[0] >= 0xF0 ? 3 : p[0] >= 0xE0 ? 2 : 1;
    uint32_t c = more == 0 ? p[0] : p[0] & (0x3Fu >> more);
    bool good = p[0] < 0x80 || (p[0] >= 0xC2 && p[0] <= 0xF4);
    for (int i = 1; good && i <= more; i++) {
        good = (p[i] & 0xC0) == 0x80; /* stops at the terminating zero, too */
        c = c << 6 | (p[i] & 0x3Fu);
    }
    /* Overlong forms, surrogates and values beyond Unicode. */
    if ((more == 2 && c < 0x800) || (more == 3 && (c < 0x10000 || c > 0x10FFFF)) ||
        (c >= 0xD800 && c <= 0xDFFF))
        good = false;
    *text += good ? 1 + more : 1;
    return good ? c : 0xFFFD;
}

size_t ur_put_character(char bytes[4], uint32_t c)
{
    if (c < 0x80) {
        bytes[0] = (char)c;
        return 1;
    }
    size_t more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    for (size_t i = more; i > 0; i--) {
        bytes[i] = (char)(0x80 | (c & 0x3F));
        c >>= 6;
    }
    static const unsigned char lead[4] = {0, 0xC0, 0xE0, 0xF0};
    bytes[0] = (char)(lead[more] | c);
    return more + 1;
}

const char *ur_shown(char out[UR_SHOWN], const char *text)
{
    size_t n = 0;
    while (*text != '\0') {
        if (n + 4 + 4 > UR_SHOWN) { /* room for one character, and "..." with its zero */
            memcpy(out + n, "...", 3);
            n += 3;
            break;
        }
        uint32_t c = ur_next_character(&text);
        n += ur_put_character(out + n, c < 0x20 || (c >= 0x7F && c < 0xA0) ? '?' : c);
    }
    out[n] = '\0';
    return out;
}
