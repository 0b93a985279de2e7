/* write.c - small things that several verbs write: grouped numbers, JSON values, paths. */
#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *grouped(size_t n, char text[GROUPED])
{
    char digits[24];
    size_t count = (size_t)snprintf(digits, sizeof digits, "%zu", n);
    char *to = text;
    for (size_t i = 0; i < count; i++) {
        if (i && (count - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return text;
}

void json_string(FILE *to, const char *text)
{
    const size_t size = text ? strlen(text) : 0;
    if (!text) {
        fputs("null", to);
        return;
    }
    putc('"', to);
    for (size_t at = 0; at < size;) {
        uint32_t character = 0;
        size_t taken = ur_utf8_decode(text + at, size - at, &character);
        if (taken == 0) {
            fputs("\\ufffd", to);
            at++;
            continue;
        }
        if (character == '"' || character == '\\')
            fprintf(to, "\\%c", (char)character);
        else if (character < 0x20 || character == 0x7f)
            fprintf(to, "\\u%04x", (unsigned)character);
        else
            fwrite(text + at, 1, taken, to);
        at += taken;
    }
    putc('"', to);
}

void json_number(FILE *to, double number)
{
    if (isfinite(number))
        fprintf(to, "%.9g", number);
    else
        fputs("null", to);
}

void json_compact(FILE *to, const char *json)
{
    bool inside = false; /* a string */
    for (; *json; json++) {
        if (!inside && (*json == ' ' || *json == '\n' || *json == '\t' || *json == '\r'))
            continue;
        if (*json == '"')
            inside = !inside;
        putc(*json, to);
        if (inside && *json == '\\' && json[1])
            putc(*++json, to);
    }
}

char *join_path(const char *folder, const char *name)
{
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/')
        length--;
    size_t size = length + strlen(name) + 2;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%.*s/%s", (int)length, folder, name);
    return path;
}

/* Whether a character would do something to a terminal, or to the order of what is read there. */
static bool acts(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c <= 0x9F) || (c >= 0x200B && c <= 0x200F) ||
           (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
}

char *shown_text(const char *text, bool keep_lines)
{
    char *shown = malloc(10 * strlen(text) + 1), *to = shown;
    for (size_t taken; shown && *text; text += taken) {
        uint32_t c = 0xFFFD;
        taken = ur_utf8_decode(text, strlen(text), &c);
        const bool plain = taken && (!acts(c) || (keep_lines && (c == '\n' || c == '\t')));
        taken = taken ? taken : 1;
        if (plain) {
            memcpy(to, text, taken);
            to += taken;
        } else {
            to += sprintf(to, "\\u{%x}", (unsigned)(c == 0xFFFD ? (unsigned char)*text : c));
        }
    }
    if (shown)
        *to = '\0';
    else
        note_missing_text();
    return shown;
}
