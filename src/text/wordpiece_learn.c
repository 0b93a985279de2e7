/* wordpiece_learn.c - a vocabulary for WordPiece, from words and how often each comes up.
 *
 * Pieces are what byte pair encoding makes of the words read backwards: the symbol that ends a word there
 * begins it here, and all others stand inside one, which ## says. */
#include "text/wordpiece.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "base/utf8.h"
#include "text/bpe.h"

#define WORD_END "</w>" /* of a symbol of bpe.c */
enum { END_BYTES = 4, MARK_BYTES = 2, MOST_TOKENS = 1 << 22 };

typedef struct learning {
    const ur_allocator *a;
    ur_vocabulary *tokens; /* chosen ones, in the order of their ids */
    size_t most;
    char *piece; /* room for a token and its mark */
    size_t capacity;
} learning;

static size_t chosen(const learning *l)
{
    return ur_vocabulary_size(l->tokens);
}

static ur_status choose(learning *l, const char *token, size_t bytes, ur_err *err)
{
    int32_t unused;
    return chosen(l) < l->most ? ur_vocabulary_add(l->tokens, token, bytes, &unused, err) : UR_OK;
}

/* ---- the most frequent first ------------------------------------------------------------------ */

typedef struct ranked {
    size_t count, place;
} ranked;

/* Places differ, so the order does not depend on how it is sorted. */
static int more_frequent_first(const void *left, const void *right)
{
    const ranked *a = left, *b = right;
    if (a->count != b->count)
        return a->count < b->count ? 1 : -1;
    return a->place < b->place ? -1 : 1;
}

/* The indices of the counts that are large enough, in that order; fresh memory. */
static ur_status rank(const learning *l, size_t n, size_t (*count_of)(const void *from, size_t i),
                      const void *from, size_t least, ranked **out, size_t *kept, ur_err *err)
{
    ranked *r = *out = ur_alloc(l->a, n, sizeof *r);
    *kept = 0;
    if (!r)
        return ur_no_memory(err, n * sizeof *r);
    for (size_t i = 0; i < n; i++)
        if (count_of(from, i) >= least)
            r[(*kept)++] = (ranked){count_of(from, i), i};
    qsort(r, *kept, sizeof *r, more_frequent_first);
    return UR_OK;
}

/* ---- words ---------------------------------------------------------------------------------------- */

static size_t count_of_word(const void *from, size_t i)
{
    return ((const ur_word_count *)from)[i].count;
}

static ur_status choose_words(learning *l, size_t words, const ur_word_count *word, size_t least,
                              ur_err *err)
{
    ranked *r;
    size_t n;
    ur_status status = rank(l, words, count_of_word, word, least, &r, &n, err);
    for (size_t i = 0; status == UR_OK && i < n; i++)
        status = choose(l, word[r[i].place].bytes, word[r[i].place].size, err);
    ur_free(l->a, r);
    return status;
}

/* ---- characters ------------------------------------------------------------------------------------ */

/* A token's bytes in l->piece, behind ## unless it begins words. */
static ur_status make_piece(learning *l, const char *bytes, size_t size, bool begins, size_t *made,
                            ur_err *err)
{
    const size_t mark = begins ? 0 : MARK_BYTES;
    *made = 0;
    if (!ur_reserve(l->a, &l->piece, &l->capacity, 0, size + MARK_BYTES, 1))
        return ur_no_memory(err, size + MARK_BYTES);
    memcpy(l->piece, "##", mark);
    memcpy(l->piece + mark, bytes, size);
    *made = mark + size;
    return UR_OK;
}

typedef struct alphabet {
    ur_vocabulary *seen;
    size_t *count, capacity;
} alphabet;

static ur_status count_characters(learning *l, const ur_word_count *word, alphabet *all,
                                  ur_err *err)
{
    for (size_t at = 0, taken, made; at < word->size; at += taken) {
        uint32_t unused;
        int32_t id;
        const size_t before = ur_vocabulary_size(all->seen);
        taken = ur_utf8_decode(word->bytes + at, word->size - at, &unused);
        taken = taken ? taken : 1;
        ur_status status = make_piece(l, word->bytes + at, taken, at == 0, &made, err);
        if (status == UR_OK)
            status = ur_vocabulary_add(all->seen, l->piece, made, &id, err);
        if (status != UR_OK)
            return status;
        if (!ur_reserve(l->a, &all->count, &all->capacity, before, before + 1, sizeof *all->count))
            return ur_no_memory(err, (before + 1) * sizeof *all->count);
        if ((size_t)id == before)
            all->count[id] = 0;
        all->count[id] += word->count;
    }
    return UR_OK;
}

static size_t count_of_character(const void *from, size_t i)
{
    return ((const alphabet *)from)->count[i];
}

static ur_status choose_characters(learning *l, size_t words, const ur_word_count *word,
                                   size_t least, ur_err *err)
{
    alphabet all = {.seen = NULL};
    ranked *r = NULL;
    size_t n = 0;
    ur_status status = ur_vocabulary_new(l->a, &all.seen, err);
    for (size_t i = 0; status == UR_OK && i < words; i++)
        status = count_characters(l, &word[i], &all, err);
    if (status == UR_OK)
        status =
            rank(l, ur_vocabulary_size(all.seen), count_of_character, &all, least, &r, &n, err);
    for (size_t i = 0; status == UR_OK && i < n; i++) {
        size_t bytes;
        const char *token = ur_vocabulary_token(all.seen, (int32_t)r[i].place, &bytes);
        status = choose(l, token, bytes, err);
    }
    ur_free(l->a, r);
    ur_free(l->a, all.count);
    ur_vocabulary_free(all.seen);
    return status;
}

/* ---- pieces ------------------------------------------------------------------------------------------ */

/* The characters in the other order. */
static void turn(const char *bytes, size_t size, char *out)
{
    for (size_t at = 0, taken; at < size; at += taken) {
        uint32_t unused;
        taken = ur_utf8_decode(bytes + at, size - at, &unused);
        taken = taken ? taken : 1;
        memcpy(out + size - at - taken, bytes + at, taken);
    }
}

/* Copies of the words that are read backwards: their bytes, and in `turned` where each is. */
static char *turn_words(const ur_allocator *a, size_t words, const ur_word_count *word,
                        ur_word_count *turned)
{
    size_t total = 0, at = 0;
    for (size_t i = 0; i < words; i++)
        total += word[i].size;
    char *bytes = ur_alloc(a, total + 1, 1);
    for (size_t i = 0; bytes && i < words; at += word[i++].size) {
        turn(word[i].bytes, word[i].size, bytes + at);
        turned[i] = (ur_word_count){bytes + at, word[i].size, word[i].count};
    }
    return bytes;
}

static ur_status choose_symbols(learning *l, const ur_bpe *bpe, ur_err *err)
{
    ur_status status = UR_OK;
    for (size_t i = 0; status == UR_OK && i < ur_bpe_count(bpe); i++) {
        size_t size, made;
        const char *symbol = ur_bpe_made(bpe, i, &size);
        const bool begins =
            size > END_BYTES && memcmp(symbol + size - END_BYTES, WORD_END, END_BYTES) == 0;
        size -= begins ? END_BYTES : 0;
        status = make_piece(l, symbol, size, begins, &made, err);
        if (status == UR_OK) {
            turn(symbol, size, l->piece + made - size);
            status = choose(l, l->piece, made, err);
        }
    }
    return status;
}

static ur_status choose_pieces(learning *l, size_t words, const ur_word_count *word, size_t least,
                               ur_err *err)
{
    ur_status status = choose_characters(l, words, word, least, err);
    ur_bpe *bpe = NULL;
    if (status != UR_OK || chosen(l) >= l->most)
        return status;
    ur_word_count *turned = ur_alloc(l->a, words, sizeof *turned);
    char *bytes = turned ? turn_words(l->a, words, word, turned) : NULL;
    status = bytes ? ur_bpe_learn(l->a, words, turned, l->most - chosen(l), least, &bpe, err)
                   : ur_no_memory(err, words * sizeof *turned);
    if (status == UR_OK)
        status = choose_symbols(l, bpe, err);
    ur_bpe_free(bpe);
    ur_free(l->a, bytes);
    ur_free(l->a, turned);
    return status;
}

/* ---- all of it ----------------------------------------------------------------------------------------- */

static ur_status choose_specials(learning *l, const char *const *special, ur_err *err)
{
    static const ur_special order[UR_SPECIALS] = {UR_PAD, UR_UNK, UR_CLS, UR_SEP, UR_MASK};
    ur_status status = UR_OK;
    for (size_t i = 0; status == UR_OK && i < UR_SPECIALS; i++)
        if (special[order[i]])
            status = choose(l, special[order[i]], strlen(special[order[i]]), err);
    return status;
}

static ur_status print(const learning *l, char **text, size_t *size, ur_err *err)
{
    size_t bytes, at = 0;
    *size = 0;
    for (size_t i = 0; i < chosen(l); i++) {
        ur_vocabulary_token(l->tokens, (int32_t)i, &bytes);
        *size += bytes + 1;
    }
    *text = ur_alloc(l->a, *size + 1, 1);
    if (!*text)
        return ur_no_memory(err, *size + 1);
    for (size_t i = 0; i < chosen(l); i++) {
        const char *token = ur_vocabulary_token(l->tokens, (int32_t)i, &bytes);
        memcpy(*text + at, token, bytes);
        at += bytes;
        (*text)[at++] = '\n';
    }
    (*text)[at] = '\0';
    return UR_OK;
}

ur_status ur_wordpiece_learn(const ur_allocator *a, size_t words, const ur_word_count *word,
                             const ur_wordpiece_choice *choice, char **text, size_t *size,
                             ur_err *err)
{
    learning l = {.a = a, .most = choice->max_size ? choice->max_size : MOST_TOKENS};
    const size_t least = choice->min_freq ? choice->min_freq : 1;
    *text = NULL;
    if (l.most < UR_SPECIALS)
        return ur_fail(err, UR_INVALID,
                       "a vocabulary of at most %zu tokens has no room for its %d special ones",
                       l.most, UR_SPECIALS);
    ur_status status = ur_vocabulary_new(a, &l.tokens, err);
    if (status == UR_OK)
        status = choose_specials(&l, choice->special, err);
    if (status == UR_OK)
        status = choice->whole ? choose_words(&l, words, word, least, err)
                               : choose_pieces(&l, words, word, least, err);
    if (status == UR_OK)
        status = print(&l, text, size, err);
    ur_vocabulary_free(l.tokens);
    ur_free(a, l.piece);
    return status;
}
