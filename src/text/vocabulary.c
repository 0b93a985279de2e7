/* vocabulary.c - tokens and their ids.
 *
 * The texts of all tokens lie one after the other in one pool, each closed by a zero byte; a token
 * is an offset into it. A hash table with open addressing (linear probing, at most half full)
 * holds ids; one-byte tokens, most of a character vocabulary, have a table of their own. Reserved
 * tokens are stored with their angle brackets and differ from ordinary ones by a flag. */
#include "text/vocabulary.h"
#include "base/utf8.h"
#include "base/alloc.h"
#include "base/hash.h"
#include "base/status.h"
#include "base/tiny.h"

#include <string.h>

#define RESERVED_NAME 32 /* the longest name of a reserved token */

typedef struct token {
    size_t offset, bytes;
    uint64_t hash;
    bool reserved;
} token;

struct ur_vocabulary {
    const ur_allocator *a;
    char *pool;
    size_t pool_used, pool_capacity;
    token *tokens;
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
        const token *t = &v->tokens[id];
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
        !ur_reserve(v->a, &v->tokens, &v->capacity, v->count, v->count + 1, sizeof(token)) ||
        !grow_slots(v))
        return ur_no_memory(err, bytes + sizeof(token));
    memcpy(v->pool + v->pool_used, text, bytes);
    v->pool[v->pool_used + bytes] = 0;
    v->tokens[v->count] = (token){v->pool_used, bytes, hash, reserved};
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
    const token *t = &v->tokens[id];
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
