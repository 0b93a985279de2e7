/* vocabulary.c - tokens and their ids.
 *
 * The texts of all tokens lie one after the other in one pool, each closed by a zero byte; a token
 * is an offset into it. A hash table with open addressing (linear probing, at most half full)
 * holds ids; one-byte tokens, most of a character vocabulary, have a table of their own. Reserved
 * tokens are stored with their angle brackets and differ from ordinary ones by a flag.
 *
 * The file has one token a line; the rules of escaping stand at ur_vocabulary_save in unroll/text.h.
 * Reading takes nothing that writing would not give, except that \u{..} may stand for any
 * character, so that a hand-written file is not refused for it. */
#include "text/vocabulary.h"
#include "base/utf8.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/status.h"
#include "base/tiny.h"

#include <stdio.h>
#include <string.h>

#define RESERVED_NAME 32 /* the longest name of a reserved token */

typedef struct entry {
    size_t offset, bytes;
    uint64_t hash;
    bool reserved;
} entry;

struct ur_vocabulary {
    const ur_allocator *a;
    char *pool;
    size_t pool_used, pool_capacity;
    entry *tokens;
    size_t count, capacity;
    int32_t *slot; /* (slots) an id or -1 */
    size_t slots;  /* a power of two, or 0 */
    int32_t single[128];
};

ur_status ur_vocabulary_new(const ur_allocator *a, ur_vocabulary **out, ur_err *err)
{
    ur_vocabulary *v = ur_alloc_zero(a, 1, sizeof *v);
    *out = v;
    if (!v)
        return ur_no_memory(err, sizeof *v);
    v->a = a;
    for (size_t i = 0; i < 128; i++)
        v->single[i] = -1;
    return UR_OK;
}

void ur_vocabulary_free(ur_vocabulary *v)
{
    if (!v)
        return;
    ur_free(v->a, v->pool);
    ur_free(v->a, v->tokens);
    ur_free(v->a, v->slot);
    ur_free(v->a, v);
}

size_t ur_vocabulary_size(const ur_vocabulary *v)
{
    return v->count;
}

const ur_allocator *ur_vocabulary_allocator(const ur_vocabulary *v)
{
    return v->a;
}

/* FNV-1a, whose low bits are folded with the high ones since the table uses the low ones alone. */
static uint64_t hash_of(const char *text, size_t bytes, bool reserved)
{
    const uint64_t hash = ur_fingerprint_bytes(UR_FINGERPRINT + reserved, text, bytes);
    return hash ^ hash >> 32;
}

static int32_t find(const ur_vocabulary *v, const char *text, size_t bytes, bool reserved,
                    uint64_t hash)
{
    if (v->slots == 0)
        return -1;
    for (size_t i = (size_t)hash & (v->slots - 1);; i = (i + 1) & (v->slots - 1)) {
        int32_t id = v->slot[i];
        if (id < 0)
            return -1;
        const entry *t = &v->tokens[id];
        if (t->hash == hash && t->bytes == bytes && t->reserved == reserved &&
            memcmp(v->pool + t->offset, text, bytes) == 0)
            return id;
    }
}

int32_t ur_vocabulary_find(const ur_vocabulary *v, const char *text, size_t bytes)
{
    if (bytes == 1)
        return (unsigned char)*text < 128 ? v->single[(unsigned char)*text] : -1;
    return bytes ? find(v, text, bytes, false, hash_of(text, bytes, false)) : -1;
}

int32_t ur_vocabulary_find_character(const ur_vocabulary *v, uint32_t character)
{
    if (character < 128)
        return v->single[character];
    char bytes[4];
    return ur_vocabulary_find(v, bytes, ur_utf8_encode(character, bytes));
}

/* <name>, or 0 bytes when the name is not one that a reserved token may have. */
static size_t bracketed(const char *name, char text[RESERVED_NAME + 2])
{
    size_t n = strnlen(name, RESERVED_NAME + 1);
    if (n == 0 || n > RESERVED_NAME)
        return 0;
    if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != n)
        return 0;
    text[0] = '<';
    memcpy(text + 1, name, n);
    text[n + 1] = '>';
    return n + 2;
}

int32_t ur_vocabulary_find_reserved(const ur_vocabulary *v, const char *name)
{
    char text[RESERVED_NAME + 2];
    size_t bytes = bracketed(name, text);
    return bytes ? find(v, text, bytes, true, hash_of(text, bytes, true)) : -1;
}

static void enter(ur_vocabulary *v, int32_t id)
{
    size_t i = (size_t)v->tokens[id].hash & (v->slots - 1);
    while (v->slot[i] >= 0)
        i = (i + 1) & (v->slots - 1);
    v->slot[i] = id;
}

/* Room for one more token in the table, which stays at most half full. */
static bool grow_slots(ur_vocabulary *v)
{
    if (2 * (v->count + 1) <= v->slots)
        return true;
    size_t slots = v->slots ? 2 * v->slots : UR_SIZE(64, 4);
    int32_t *slot = ur_alloc(v->a, slots, sizeof *slot);
    if (!slot)
        return false;
    ur_free(v->a, v->slot);
    v->slot = slot;
    v->slots = slots;
    for (size_t i = 0; i < slots; i++)
        slot[i] = -1;
    for (size_t id = 0; id < v->count; id++)
        enter(v, (int32_t)id);
    return true;
}

/* Nothing of the vocabulary changes that anyone can see until all the memory is there. */
static ur_status append(ur_vocabulary *v, const char *text, size_t bytes, bool reserved,
                        uint64_t hash, int32_t *id, ur_err *err)
{
    if (v->count >= INT32_MAX)
        return ur_fail(err, UR_UNSUPPORTED, "a vocabulary holds at most %d tokens", INT32_MAX);
    if (bytes >= SIZE_MAX - v->pool_used ||
        !ur_reserve(v->a, &v->pool, &v->pool_capacity, v->pool_used, v->pool_used + bytes + 1, 1) ||
        !ur_reserve(v->a, &v->tokens, &v->capacity, v->count, v->count + 1, sizeof(entry)) ||
        !grow_slots(v))
        return ur_no_memory(err, bytes + sizeof(entry));
    memcpy(v->pool + v->pool_used, text, bytes);
    v->pool[v->pool_used + bytes] = 0;
    v->tokens[v->count] = (entry){v->pool_used, bytes, hash, reserved};
    v->pool_used += bytes + 1;
    *id = (int32_t)v->count++;
    enter(v, *id);
    if (bytes == 1)
        v->single[(unsigned char)*text] = *id;
    return UR_OK;
}

ur_status ur_vocabulary_add(ur_vocabulary *v, const char *text, size_t bytes, int32_t *id,
                            ur_err *err)
{
    int32_t found = ur_vocabulary_find(v, text, bytes);
    if (found >= 0) {
        *id = found;
        return UR_OK;
    }
    size_t count;
    if (bytes == 0)
        return ur_fail(err, UR_INVALID, "a token must have at least one character");
    if (!ur_utf8_count(text, bytes, &count))
        return ur_fail(err, UR_INVALID, "a token is not valid UTF-8 (byte %zu)", count);
    return append(v, text, bytes, false, hash_of(text, bytes, false), id, err);
}

ur_status ur_vocabulary_add_character(ur_vocabulary *v, uint32_t character, int32_t *id,
                                      ur_err *err)
{
    char bytes[4];
    size_t size = ur_utf8_encode(character, bytes);
    if (size == 0)
        return ur_fail(err, UR_INVALID, "U+%04X is not a Unicode character", (unsigned)character);
    return ur_vocabulary_add(v, bytes, size, id, err);
}

ur_status ur_vocabulary_add_reserved(ur_vocabulary *v, const char *name, int32_t *id, ur_err *err)
{
    char text[RESERVED_NAME + 2];
    size_t bytes = bracketed(name, text);
    if (bytes == 0)
        return ur_fail(err, UR_INVALID,
                       "a reserved token's name has 1 to %d of a-z, 0-9 and _, not \"%.40s\"",
                       RESERVED_NAME, name);
    uint64_t hash = hash_of(text, bytes, true);
    int32_t found = find(v, text, bytes, true, hash);
    if (found >= 0) {
        *id = found;
        return UR_OK;
    }
    return append(v, text, bytes, true, hash, id, err);
}

const char *ur_vocabulary_token(const ur_vocabulary *v, int32_t id, size_t *bytes)
{
    if (id < 0 || (size_t)id >= v->count)
        return NULL;
    const entry *t = &v->tokens[id];
    if (bytes)
        *bytes = t->bytes;
    return v->pool + t->offset;
}

bool ur_vocabulary_is_reserved(const ur_vocabulary *v, int32_t id)
{
    return id >= 0 && (size_t)id < v->count && v->tokens[id].reserved;
}

size_t ur_vocabulary_decode(const ur_vocabulary *v, const int32_t *ids, size_t count, char *text,
                            size_t capacity)
{
    size_t total = 0, written = 0;
    bool room = capacity > 0;
    for (size_t i = 0; i < count; i++) {
        size_t bytes = 3;
        const char *piece = ur_vocabulary_token(v, ids[i], &bytes);
        if (!piece)
            piece = "\xEF\xBF\xBD"; /* U+FFFD */
        room = room && bytes < capacity - written;
        if (room) {
            memcpy(text + written, piece, bytes);
            written += bytes;
        }
        total += bytes;
    }
    if (capacity > 0)
        text[written] = 0;
    return total;
}

#define FILE_LIMIT ((size_t)1 << 28)
#define LONGEST_ESCAPE 10 /* \u{10ffff} */

/* ---- its file: writing ------------------------------------------------------------------------------ */

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

static ur_status too_large(ur_err *err)
{
    return ur_fail(err, UR_UNSUPPORTED, "a vocabulary of more than %zu bytes, which is not read",
                   FILE_LIMIT);
}

ur_status ur_vocabulary_print(const ur_vocabulary *v, char **out, size_t *size, ur_err *err)
{
    const ur_allocator *a = v->a;
    size_t used = 0, capacity = 0;
    *out = NULL;
    *size = 0;
    char *text = NULL;
    for (int32_t id = 0; (size_t)id < ur_vocabulary_size(v); id++) {
        size_t bytes;
        const char *token = ur_vocabulary_token(v, id, &bytes);
        if (bytes > FILE_LIMIT || used > FILE_LIMIT) {
            ur_free(a, text);
            return too_large(err);
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
    if (used > FILE_LIMIT) {
        ur_free(a, text);
        return too_large(err);
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
        status = ur_replace_file(v->a, path, text ? text : "", size, err);
    ur_free(v->a, text);
    return status;
}

/* ---- its file: reading ------------------------------------------------------------------------------ */

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
