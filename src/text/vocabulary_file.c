/* vocabulary_file.c - a vocabulary as a text file, one token a line; the rules of escaping stand
 * at ur_vocabulary_save in unroll/text.h. Reading takes nothing that writing would not give, except
 * that \u{..} may stand for any character, so that a hand-written file is not refused for it. */
#include "text/vocabulary.h"
#include "base/utf8.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"

#include <stdio.h>
#include <string.h>

#define FILE_LIMIT ((size_t)1 << 28)
#define LONGEST_ESCAPE 10 /* \u{10ffff} */

/* ---- writing ------------------------------------------------------------------------------ */

static char letter_of(uint32_t character)
{
    switch (character) {
    case ' ':
        return 's';
    case '\n':
        return 'n';
    case '\t':
        return 't';
    case '\r':
        return 'r';
    case '\\':
        return '\\';
    default:
        return 0;
    }
}

/* Writes an ordinary token, returns the bytes written: at most LONGEST_ESCAPE for each it has. */
static size_t escape(const char *token, size_t bytes, char *out)
{
    size_t n = 0;
    for (size_t at = 0; at < bytes;) {
        uint32_t character;
        size_t taken = ur_utf8_decode(token + at, bytes - at, &character);
        if (letter_of(character)) {
            out[n++] = '\\';
            out[n++] = letter_of(character);
        } else if (ur_character_is_invisible(character)) {
            char code[LONGEST_ESCAPE + 1];
            int length = snprintf(code, sizeof code, "\\u{%x}", (unsigned)character);
            memcpy(out + n, code, (size_t)length);
            n += (size_t)length;
        } else {
            if (at == 0 && character == '<' && bytes > 1)
                out[n++] = '\\';
            memcpy(out + n, token + at, taken);
            n += taken;
        }
        at += taken;
    }
    return n;
}

ur_status ur_vocabulary_print(const ur_vocabulary *v, char **out, size_t *size, ur_err *err)
{
    const ur_allocator *a = ur_vocabulary_allocator(v);
    size_t used = 0, capacity = 0;
    *out = NULL;
    *size = 0;
    char *text = NULL;
    for (int32_t id = 0; (size_t)id < ur_vocabulary_size(v); id++) {
        size_t bytes;
        const char *token = ur_vocabulary_token(v, id, &bytes);
        if (bytes > FILE_LIMIT || used > FILE_LIMIT) {
            ur_free(a, text);
            return ur_fail(err, UR_UNSUPPORTED, "the vocabulary is too large to be saved");
        }
        if (!ur_reserve(a, &text, &capacity, used, used + LONGEST_ESCAPE * bytes + 2, 1)) {
            ur_free(a, text);
            return ur_no_memory(err, used + LONGEST_ESCAPE * bytes + 2);
        }
        if (ur_vocabulary_is_reserved(v, id)) {
            memcpy(text + used, token, bytes);
            used += bytes;
        } else {
            used += escape(token, bytes, text + used);
        }
        text[used++] = '\n';
        text[used] = '\0';
    }
    *out = text;
    *size = used;
    return UR_OK;
}

ur_status ur_vocabulary_save(const ur_vocabulary *v, const char *path, ur_err *err)
{
    char *text;
    size_t size;
    ur_status status = ur_vocabulary_print(v, &text, &size, err);
    if (status == UR_OK)
        status = ur_replace_file(ur_vocabulary_allocator(v), path, text ? text : "", size, err);
    ur_free(ur_vocabulary_allocator(v), text);
    return status;
}

/* ---- reading ------------------------------------------------------------------------------ */

typedef struct reader {
    const char *name;
    size_t line;
    ur_vocabulary *vocabulary;
    char *token; /* where escapes are undone; never longer than the line */
    ur_err *err;
} reader;

static ur_status bad(const reader *r, const char *what)
{
    return ur_fail(r->err, UR_BAD_FILE, "%s: line %zu: %s", r->name, r->line, what);
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* {hex}: the bytes it takes, or 0. */
static size_t read_code(const char *text, size_t size, uint32_t *character)
{
    if (size == 0 || text[0] != '{')
        return 0;
    uint32_t value = 0;
    size_t at = 1;
    for (; at < size && at <= 6 && digit_of(text[at]) >= 0; at++)
        value = value * 16 + (uint32_t)digit_of(text[at]);
    if (at == 1 || at >= size || text[at] != '}')
        return 0;
    *character = value;
    return at + 1;
}

/* What follows a backslash: the bytes it takes, or 0. `first`: the backslash opened the line. */
static size_t read_escape(const char *text, size_t size, bool first, uint32_t *character)
{
    static const char letters[] = "sntr\\", meant[] = " \n\t\r\\";
    if (size == 0)
        return 0;
    const char *found = memchr(letters, text[0], sizeof letters - 1);
    if (found) {
        *character = (unsigned char)meant[found - letters];
        return 1;
    }
    if (text[0] == '<' && first && size > 1) {
        *character = '<';
        return 1;
    }
    if (text[0] != 'u')
        return 0;
    size_t taken = read_code(text + 1, size - 1, character);
    return taken ? taken + 1 : 0;
}

static ur_status unescape(const reader *r, const char *text, size_t size, size_t *bytes)
{
    size_t n = 0;
    *bytes = 0;
    for (size_t at = 0; at < size;) {
        uint32_t character;
        size_t taken = ur_utf8_decode(text + at, size - at, &character);
        if (taken == 0)
            return bad(r, "not valid UTF-8");
        if (character == '\\') {
            size_t more = read_escape(text + at + 1, size - at - 1, at == 0, &character);
            if (more == 0)
                return bad(r, "a backslash must open one of \\s \\n \\t \\r \\\\ \\u{..}, or \\< "
                              "at the start of a longer token");
            taken += more;
        } else if (ur_character_is_invisible(character)) {
            return bad(r, "a space or control character must be written as an escape");
        }
        size_t length = ur_utf8_encode(character, r->token + n);
        if (length == 0)
            return bad(r, "\\u{..} does not hold a Unicode character");
        n += length;
        at += taken;
    }
    *bytes = n;
    return UR_OK;
}

static ur_status read_reserved(const reader *r, const char *text, size_t size)
{
    int32_t id;
    memcpy(r->token, text + 1, size - 2);
    r->token[size - 2] = 0;
    if (text[size - 1] != '>' || memchr(r->token, 0, size - 2))
        return bad(r, "a line that opens with < must be a reserved token such as <end>, or open "
                      "with \\<");
    if (ur_vocabulary_find_reserved(r->vocabulary, r->token) >= 0)
        return bad(r, "a token that an earlier line has");
    ur_status status = ur_vocabulary_add_reserved(r->vocabulary, r->token, &id, NULL);
    if (status == UR_INVALID)
        return bad(r, "the name of a reserved token has 1 to 32 of a-z, 0-9 and _");
    return status == UR_OK ? UR_OK : ur_no_memory(r->err, size);
}

static ur_status read_line(const reader *r, const char *text, size_t size)
{
    if (size == 0)
        return bad(r, "an empty line where a token was expected");
    if (text[0] == '<' && size > 1)
        return read_reserved(r, text, size);
    size_t bytes;
    int32_t id;
    ur_status status = unescape(r, text, size, &bytes);
    if (status != UR_OK)
        return status;
    if (ur_vocabulary_find(r->vocabulary, r->token, bytes) >= 0)
        return bad(r, "a token that an earlier line has");
    return ur_vocabulary_add(r->vocabulary, r->token, bytes, &id, r->err);
}

static ur_status read_lines(reader *r, const char *bytes, size_t size)
{
    for (size_t at = 0; at < size;) {
        r->line++;
        const char *end = memchr(bytes + at, '\n', size - at);
        if (!end)
            return bad(r, "the last line does not end with a line feed: the file was cut off");
        size_t length = (size_t)(end - (bytes + at));
        ur_status status = read_line(r, bytes + at, length);
        if (status != UR_OK)
            return status;
        at += length + 1;
    }
    return UR_OK;
}

ur_status ur_vocabulary_parse(const ur_allocator *a, const char *name, const char *bytes,
                              size_t size, ur_vocabulary **out, ur_err *err)
{
    reader r = {.name = name, .err = err};
    *out = NULL;
    if (size == 0)
        return ur_fail(err, UR_BAD_FILE, "%s: an empty file where a vocabulary was expected", name);
    r.token = ur_alloc(a, size, 1);
    if (!r.token)
        return ur_no_memory(err, size);
    ur_status status = ur_vocabulary_new(a, &r.vocabulary, err);
    if (status == UR_OK)
        status = read_lines(&r, bytes, size);
    ur_free(a, r.token);
    if (status == UR_OK)
        *out = r.vocabulary;
    else
        ur_vocabulary_free(r.vocabulary);
    return status;
}

ur_status ur_vocabulary_load(const ur_allocator *a, const char *path, ur_vocabulary **out,
                             ur_err *err)
{
    char *bytes;
    size_t size;
    *out = NULL;
    ur_status status = ur_read_file(a, path, FILE_LIMIT, &bytes, &size, err);
    if (status != UR_OK)
        return status;
    status = ur_vocabulary_parse(a, path, bytes, size, out, err);
    ur_free(a, bytes);
    return status;
}
