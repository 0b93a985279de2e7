/* bpe.c - byte pair encoding: learning merges, cutting words by them, their files.
 *
 * Symbols are strings with numbers; one that ends a word ends in </w>. A pair of numbers is found in
 * one table, while merges are learned and when they are applied. Learning keeps for each pair how
 * often it comes up and which words had it, so that a merge looks only at these words:
 *   take the most frequent pair from a heap; in each word that has it take the word's pairs off their
 *   counts, join, and add the word's new pairs.
 * The heap holds old counts, too: what comes off it with another count than the pair has goes back
 * with the right one. */
#include "text/bpe.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/status.h"
#include "base/tiny.h"
#include "base/utf8.h"
#include "text/characters.h"

#define WORD_END "</w>"
enum { WORD_END_BYTES = 4, MARK_BYTES = 2 };
#define FILE_LIMIT ((size_t)1 << 28)

/* ---- pairs of symbols ----------------------------------------------------------------------- */

typedef struct pair_table {
    const ur_allocator *a;
    size_t slots, count; /* slots: a power of two, at most half of them taken */
    struct slot {
        int32_t left, right;
        int32_t value; /* -1: free */
    } * slot;
} pair_table;

static size_t place_of(const pair_table *t, int32_t left, int32_t right)
{
    const uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    size_t i = (size_t)ur_fingerprint_mix(key) & (t->slots - 1);
    while (t->slot[i].value >= 0 && (t->slot[i].left != left || t->slot[i].right != right))
        i = (i + 1) & (t->slots - 1);
    return i;
}

static int32_t find_pair(const pair_table *t, int32_t left, int32_t right)
{
    return t->slots ? t->slot[place_of(t, left, right)].value : -1;
}

static bool grow_table(pair_table *t)
{
    const pair_table old = *t;
    if (2 * (t->count + 1) <= t->slots)
        return true;
    t->slots = old.slots ? 2 * old.slots : UR_SIZE(1024, 4);
    t->slot = ur_alloc(t->a, t->slots, sizeof *t->slot);
    if (!t->slot) {
        *t = old;
        return false;
    }
    for (size_t i = 0; i < t->slots; i++)
        t->slot[i].value = -1;
    for (size_t i = 0; i < old.slots; i++)
        if (old.slot[i].value >= 0)
            t->slot[place_of(t, old.slot[i].left, old.slot[i].right)] = old.slot[i];
    ur_free(t->a, old.slot);
    return true;
}

/* Adds a pair that is not there yet. */
static bool add_pair(pair_table *t, int32_t left, int32_t right, int32_t value)
{
    if (!grow_table(t))
        return false;
    t->slot[place_of(t, left, right)] = (struct slot){left, right, value};
    t->count++;
    return true;
}

/* ---- merges --------------------------------------------------------------------------------- */

typedef struct merge {
    int32_t left, right, whole;
} merge;

struct ur_bpe {
    const ur_allocator *a;
    ur_vocabulary *symbols;
    bool separate_end; /* version 0.1: the end of a word is a symbol of its own */
    merge *merge;      /* (count) */
    size_t count, capacity;
    pair_table ranks; /* of a pair its number among the merges */
    int32_t *made_by; /* (made) of a symbol the first merge that makes it, or -1 */
    size_t made, made_capacity;
};

void ur_bpe_free(ur_bpe *b)
{
    if (!b)
        return;
    ur_vocabulary_free(b->symbols);
    ur_free(b->a, b->merge);
    ur_free(b->a, b->ranks.slot);
    ur_free(b->a, b->made_by);
    ur_free(b->a, b);
}

size_t ur_bpe_count(const ur_bpe *b)
{
    return b->count;
}

const char *ur_bpe_made(const ur_bpe *b, size_t i, size_t *bytes)
{
    return ur_vocabulary_token(b->symbols, b->merge[i].whole, bytes);
}

static ur_status new_bpe(const ur_allocator *a, ur_bpe **out, ur_err *err)
{
    ur_bpe *b = ur_alloc_zero(a, 1, sizeof *b);
    *out = NULL;
    if (!b)
        return ur_no_memory(err, sizeof *b);
    b->a = b->ranks.a = a;
    const ur_status status = ur_vocabulary_new(a, &b->symbols, err);
    if (status == UR_OK)
        *out = b;
    else
        ur_bpe_free(b);
    return status;
}

/* The symbol that two make together. */
static ur_status joined(ur_bpe *b, int32_t left, int32_t right, int32_t *whole, ur_err *err)
{
    size_t first, second;
    const char *l = ur_vocabulary_token(b->symbols, left, &first);
    const char *r = ur_vocabulary_token(b->symbols, right, &second);
    char *text = ur_alloc(b->a, first + second, 1);
    if (!text)
        return ur_no_memory(err, first + second);
    memcpy(text, l, first);
    memcpy(text + first, r, second);
    const ur_status status = ur_vocabulary_add(b->symbols, text, first + second, whole, err);
    ur_free(b->a, text);
    return status;
}

/* Appends a merge; one that is there already changes nothing. */
static ur_status add_merge(ur_bpe *b, int32_t left, int32_t right, ur_err *err)
{
    int32_t whole;
    if (find_pair(&b->ranks, left, right) >= 0)
        return UR_OK;
    const ur_status status = joined(b, left, right, &whole, err);
    if (status != UR_OK)
        return status;
    const size_t symbols = ur_vocabulary_size(b->symbols);
    if (b->count >= INT32_MAX ||
        !ur_reserve(b->a, &b->merge, &b->capacity, b->count, b->count + 1, sizeof *b->merge) ||
        !ur_reserve(b->a, &b->made_by, &b->made_capacity, b->made, symbols, sizeof *b->made_by) ||
        !add_pair(&b->ranks, left, right, (int32_t)b->count))
        return ur_no_memory(err, symbols * sizeof *b->made_by);
    while (b->made < symbols)
        b->made_by[b->made++] = -1;
    if (b->made_by[whole] < 0)
        b->made_by[whole] = (int32_t)b->count;
    b->merge[b->count++] = (merge){left, right, whole};
    return UR_OK;
}

/* ---- cutting a word ------------------------------------------------------------------------- */

/* A part while a word is cut; id -1: no merge has such a symbol. */
typedef struct part {
    int32_t id;
    size_t end;
} part;

/* The characters of a word; returns how many, the end of version 0.1 included. */
static size_t characters(const ur_bpe *b, const char *word, size_t bytes, part *parts)
{
    size_t n = 0;
    for (size_t at = 0, taken; at < bytes; at += taken) {
        uint32_t unused;
        char last[8 + WORD_END_BYTES];
        taken = ur_utf8_decode(word + at, bytes - at, &unused);
        taken = taken ? taken : 1; /* not UTF-8: a byte for itself */
        const bool ends = at + taken == bytes && !b->separate_end;
        memcpy(last, word + at, taken);
        memcpy(last + taken, WORD_END, WORD_END_BYTES);
        parts[n++] =
            (part){ur_vocabulary_find(b->symbols, last, ends ? taken + WORD_END_BYTES : taken),
                   at + taken};
    }
    if (b->separate_end)
        parts[n++] = (part){ur_vocabulary_find(b->symbols, WORD_END, WORD_END_BYTES), bytes};
    return n;
}

/* Joins every occurrence of a merge, from the left; returns how many parts are left. */
static size_t join_all(part *parts, size_t n, merge m)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (i + 1 < n && parts[i].id == m.left && parts[i + 1].id == m.right) {
            parts[kept++] = (part){m.whole, parts[i + 1].end};
            i++;
        } else {
            parts[kept++] = parts[i];
        }
    }
    return kept;
}

static size_t merge_all(const ur_bpe *b, part *parts, size_t n)
{
    for (;;) {
        int32_t first = INT32_MAX;
        for (size_t i = 0; i + 1 < n; i++) {
            const int32_t rank = parts[i].id < 0 || parts[i + 1].id < 0
                                     ? -1
                                     : find_pair(&b->ranks, parts[i].id, parts[i + 1].id);
            if (rank >= 0 && rank < first)
                first = rank;
        }
        if (first == INT32_MAX)
            return n;
        n = join_all(parts, n, b->merge[first]);
    }
}

/* Whether a vocabulary has these bytes as a part of a word. */
static bool is_known(const ur_vocabulary *known, const char *bytes, size_t size, bool last)
{
    char marked[UR_BPE_LONGEST + MARK_BYTES];
    if (last)
        return ur_vocabulary_find(known, bytes, size) >= 0;
    memcpy(marked, bytes, size);
    memcpy(marked + size, UR_BPE_MARK, MARK_BYTES);
    return ur_vocabulary_find(known, marked, size + MARK_BYTES) >= 0;
}

/* Bytes of a symbol that stand in the word. */
static size_t width_of(const ur_bpe *b, int32_t id)
{
    size_t bytes;
    const char *text = ur_vocabulary_token(b->symbols, id, &bytes);
    const bool ends = bytes >= WORD_END_BYTES &&
                      memcmp(text + bytes - WORD_END_BYTES, WORD_END, WORD_END_BYTES) == 0;
    return ends ? bytes - WORD_END_BYTES : bytes;
}

typedef struct cut {
    const ur_bpe *b;
    const ur_vocabulary *known;
    const char *word;
    size_t bytes, *end, count;
} cut;

/* Puts out symbol `id`, which stands at [begin, end) of the word, in pieces that are known. The two
 * sides of a merge are shorter than what it makes, so this ends. */
static void put_known(cut *c, int32_t id, size_t begin, size_t end)
{
    const int32_t by = id >= 0 && (size_t)id < c->b->made ? c->b->made_by[id] : -1;
    if (by >= 0 && !is_known(c->known, c->word + begin, end - begin, end == c->bytes)) {
        const merge *m = &c->b->merge[by];
        const size_t middle = begin + width_of(c->b, m->left);
        if (middle < end) {
            put_known(c, m->left, begin, middle);
            put_known(c, m->right, middle, end);
            return;
        }
    }
    c->end[c->count++] = end;
}

size_t ur_bpe_split(const ur_bpe *b, const ur_vocabulary *known, const char *word, size_t bytes,
                    size_t *end)
{
    part parts[UR_BPE_LONGEST + 1];
    cut c = {b, known, word, bytes, end, 0};
    if (bytes == 0)
        return 0;
    if (bytes > UR_BPE_LONGEST) {
        end[0] = bytes;
        return 1;
    }
    const size_t n = merge_all(b, parts, characters(b, word, bytes, parts));
    for (size_t i = 0, begin = 0; i < n; begin = parts[i++].end) {
        if (parts[i].end == begin) /* the end of version 0.1 by itself */
            continue;
        if (known)
            put_known(&c, parts[i].id, begin, parts[i].end);
        else
            end[c.count++] = parts[i].end;
    }
    return c.count;
}

/* ---- learning ------------------------------------------------------------------------------- */

typedef struct pair {
    int32_t left, right;
    size_t count;
    size_t *words, n_words, capacity; /* that had it, some of them no more, rising */
    bool touched;                     /* by the merge that is being done */
} pair;

/* An entry of the heap; a pair's number is its age. */
typedef struct ranked {
    size_t count;
    int32_t pair;
} ranked;

typedef struct word {
    int32_t *symbols; /* into the learner's pool */
    size_t length, count;
} word;

typedef struct learner {
    ur_bpe *b;
    const ur_allocator *a;
    word *words;
    size_t n_words;
    int32_t *pool;
    pair *pairs;
    size_t n_pairs, capacity;
    pair_table table;
    ranked *heap;
    size_t heap_size, heap_capacity;
    int32_t *touched;
    size_t n_touched, touched_capacity;
} learner;

static bool before(ranked x, ranked y)
{
    return x.count > y.count || (x.count == y.count && x.pair < y.pair);
}

static bool push(learner *l, ranked r)
{
    if (!ur_reserve(l->a, &l->heap, &l->heap_capacity, l->heap_size, l->heap_size + 1,
                    sizeof *l->heap))
        return false;
    size_t i = l->heap_size++;
    for (; i && before(r, l->heap[(i - 1) / 2]); i = (i - 1) / 2)
        l->heap[i] = l->heap[(i - 1) / 2];
    l->heap[i] = r;
    return true;
}

static ranked pop(learner *l)
{
    const ranked top = l->heap[0], last = l->heap[--l->heap_size];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < l->heap_size; i = child) {
        if (child + 1 < l->heap_size && before(l->heap[child + 1], l->heap[child]))
            child++;
        if (!before(l->heap[child], last))
            break;
        l->heap[i] = l->heap[child];
    }
    l->heap[i] = last;
    return top;
}

static bool touch(learner *l, int32_t p)
{
    if (l->pairs[p].touched)
        return true;
    if (!ur_reserve(l->a, &l->touched, &l->touched_capacity, l->n_touched, l->n_touched + 1,
                    sizeof *l->touched))
        return false;
    l->pairs[p].touched = true;
    l->touched[l->n_touched++] = p;
    return true;
}

/* The pair's number; a new one gets the next. -1 without memory. */
static int32_t number_of(learner *l, int32_t left, int32_t right)
{
    const int32_t found = find_pair(&l->table, left, right);
    if (found >= 0)
        return found;
    const int32_t p = (int32_t)l->n_pairs;
    if (l->n_pairs >= INT32_MAX ||
        !ur_reserve(l->a, &l->pairs, &l->capacity, l->n_pairs, l->n_pairs + 1, sizeof *l->pairs) ||
        !add_pair(&l->table, left, right, p))
        return -1;
    l->pairs[l->n_pairs++] = (pair){.left = left, .right = right};
    return p;
}

/* Adds the pairs of word w to the counts. */
static bool count_word(learner *l, size_t w)
{
    const word *x = &l->words[w];
    for (size_t i = 0; i + 1 < x->length; i++) {
        const int32_t p = number_of(l, x->symbols[i], x->symbols[i + 1]);
        if (p < 0 || !touch(l, p))
            return false;
        pair *q = &l->pairs[p];
        q->count += x->count;
        if (q->n_words && q->words[q->n_words - 1] == w)
            continue;
        if (!ur_reserve(l->a, &q->words, &q->capacity, q->n_words, q->n_words + 1,
                        sizeof *q->words))
            return false;
        q->words[q->n_words++] = w;
    }
    return true;
}

static bool discount_word(learner *l, size_t w)
{
    const word *x = &l->words[w];
    for (size_t i = 0; i + 1 < x->length; i++) {
        const int32_t p = find_pair(&l->table, x->symbols[i], x->symbols[i + 1]);
        if (!touch(l, p))
            return false;
        l->pairs[p].count -= x->count;
    }
    return true;
}

static bool has_pair(const word *x, merge m)
{
    for (size_t i = 0; i + 1 < x->length; i++)
        if (x->symbols[i] == m.left && x->symbols[i + 1] == m.right)
            return true;
    return false;
}

static void join_word(word *x, merge m)
{
    size_t kept = 0;
    for (size_t i = 0; i < x->length; i++) {
        const bool joins =
            i + 1 < x->length && x->symbols[i] == m.left && x->symbols[i + 1] == m.right;
        x->symbols[kept++] = joins ? m.whole : x->symbols[i];
        i += joins;
    }
    x->length = kept;
}

/* What was counted anew goes on the heap. */
static bool push_touched(learner *l)
{
    bool fits = true;
    for (size_t i = 0; i < l->n_touched; i++) {
        pair *p = &l->pairs[l->touched[i]];
        p->touched = false;
        if (p->count)
            fits = fits && push(l, (ranked){p->count, l->touched[i]});
    }
    l->n_touched = 0;
    return fits;
}

static int rising(const void *left, const void *right)
{
    const size_t *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

/* Does merge m, which is pair p, in all words that have it. */
static bool do_merge(learner *l, int32_t p, merge m)
{
    /* the pair's own list may grow meanwhile */
    size_t *words = l->pairs[p].words;
    const size_t n = l->pairs[p].n_words;
    l->pairs[p].words = NULL;
    l->pairs[p].n_words = l->pairs[p].capacity = 0;
    bool fits = true;
    qsort(words, n, sizeof *words, rising);
    for (size_t i = 0; fits && i < n; i++) {
        word *x = &l->words[words[i]];
        if (!has_pair(x, m)) /* no more, or it was listed twice */
            continue;
        fits = discount_word(l, words[i]);
        join_word(x, m);
        fits = fits && count_word(l, words[i]);
    }
    ur_free(l->a, words);
    return fits && push_touched(l);
}

/* The most frequent pair, or -1 where all are rarer than `least`. */
static int32_t most_frequent(learner *l, size_t least)
{
    while (l->heap_size) {
        const ranked top = pop(l);
        const size_t count = l->pairs[top.pair].count;
        if (top.count == count)
            return count >= least ? top.pair : -1;
        /* a larger count has its own entry already; a smaller one, too */
    }
    return -1;
}

static bool is_usable(const ur_word_count *w)
{
    size_t unused;
    if (w->size == 0 || w->size > UR_BPE_LONGEST || w->count == 0 ||
        !ur_utf8_count(w->bytes, w->size, &unused))
        return false;
    for (size_t at = 0, taken; at < w->size; at += taken) {
        uint32_t c;
        taken = ur_utf8_decode(w->bytes + at, w->size - at, &c);
        if (ur_character_is_space(c))
            return false;
    }
    return true;
}

/* The characters of a word as symbols; there is room in the pool. */
static ur_status add_word(learner *l, const ur_word_count *w, int32_t *room, ur_err *err)
{
    size_t n = 0;
    for (size_t at = 0, taken; at < w->size; at += taken) {
        uint32_t unused;
        char last[8 + WORD_END_BYTES];
        taken = ur_utf8_decode(w->bytes + at, w->size - at, &unused);
        memcpy(last, w->bytes + at, taken);
        memcpy(last + taken, WORD_END, WORD_END_BYTES);
        const size_t bytes = at + taken == w->size ? taken + WORD_END_BYTES : taken;
        const ur_status status = ur_vocabulary_add(l->b->symbols, last, bytes, &room[n++], err);
        if (status != UR_OK)
            return status;
    }
    l->words[l->n_words++] = (word){room, n, w->count};
    return UR_OK;
}

static ur_status read_words(learner *l, size_t n, const ur_word_count *w, ur_err *err)
{
    size_t bytes = 0, at = 0;
    for (size_t i = 0; i < n; i++)
        bytes += w[i].size;
    l->words = ur_alloc(l->a, n, sizeof *l->words);
    l->pool = ur_alloc(l->a, bytes, sizeof *l->pool);
    if (!l->words || !l->pool)
        return ur_no_memory(err, bytes * sizeof *l->pool);
    for (size_t i = 0; i < n; i++) {
        if (!is_usable(&w[i]))
            continue;
        const ur_status status = add_word(l, &w[i], l->pool + at, err);
        if (status != UR_OK)
            return status;
        at += l->words[l->n_words - 1].length;
    }
    for (size_t i = 0; i < l->n_words; i++)
        if (!count_word(l, i))
            return ur_no_memory(err, l->n_pairs * sizeof *l->pairs);
    return push_touched(l) ? UR_OK : ur_no_memory(err, l->heap_size * sizeof *l->heap);
}

static ur_status learn(learner *l, size_t merges, size_t least, ur_err *err)
{
    ur_bpe *b = l->b;
    while (b->count < merges) {
        const int32_t p = most_frequent(l, least);
        if (p < 0)
            return UR_OK;
        const ur_status status = add_merge(b, l->pairs[p].left, l->pairs[p].right, err);
        if (status != UR_OK)
            return status;
        if (!do_merge(l, p, b->merge[b->count - 1]))
            return ur_no_memory(err, l->n_pairs * sizeof *l->pairs);
    }
    return UR_OK;
}

ur_status ur_bpe_learn(const ur_allocator *a, size_t words, const ur_word_count *word_counts,
                       size_t merges, size_t least, ur_bpe **out, ur_err *err)
{
    learner l = {.a = a, .table = {.a = a}};
    *out = NULL;
    ur_status status = new_bpe(a, &l.b, err);
    if (status == UR_OK)
        status = read_words(&l, words, word_counts, err);
    if (status == UR_OK)
        status = learn(&l, merges, least ? least : 2, err);
    for (size_t i = 0; i < l.n_pairs; i++)
        ur_free(a, l.pairs[i].words);
    ur_free(a, l.pairs);
    ur_free(a, l.words);
    ur_free(a, l.pool);
    ur_free(a, l.table.slot);
    ur_free(a, l.heap);
    ur_free(a, l.touched);
    if (status == UR_OK)
        *out = l.b;
    else
        ur_bpe_free(l.b);
    return status;
}

/* ---- its file ------------------------------------------------------------------------------- */

static ur_status bad_line(ur_err *err, const char *name, size_t line, const char *what)
{
    return ur_fail(err, UR_BAD_FILE, "%s: line %zu: %s", name, line, what);
}

/* A line of two symbols. */
static ur_status read_merge(ur_bpe *b, const char *name, size_t number, const char *line,
                            size_t size, ur_err *err)
{
    const char *space = memchr(line, ' ', size);
    const size_t first = space ? (size_t)(space - line) : 0, second = size - first - 1;
    size_t unused;
    int32_t left, right;
    if (!space || first == 0 || second == 0 || memchr(space + 1, ' ', second))
        return bad_line(err, name, number, "two symbols with a space between them were expected");
    if (first + second > UR_BPE_LONGEST + WORD_END_BYTES)
        return bad_line(err, name, number, "symbols that are longer than any word");
    if (!ur_utf8_count(line, size, &unused))
        return bad_line(err, name, number, "not valid UTF-8");
    ur_status status = ur_vocabulary_add(b->symbols, line, first, &left, err);
    if (status == UR_OK)
        status = ur_vocabulary_add(b->symbols, space + 1, second, &right, err);
    return status == UR_OK ? add_merge(b, left, right, err) : status;
}

/* "#version: 0.2"; false: a version that nobody knows. */
static bool read_version(ur_bpe *b, const char *line, size_t size)
{
    size_t begin = size;
    while (begin && line[begin - 1] != ' ')
        begin--;
    if (size - begin < 3)
        return false;
    b->separate_end = memcmp(line + begin, "0.1", 3) == 0;
    return b->separate_end || memcmp(line + begin, "0.2", 3) == 0;
}

ur_status ur_bpe_parse(const ur_allocator *a, const char *name, const char *bytes, size_t size,
                       ur_bpe **out, ur_err *err)
{
    static const char version[] = "#version:";
    ur_bpe *b;
    *out = NULL;
    ur_status status = new_bpe(a, &b, err);
    if (status != UR_OK)
        return status;
    const bool named = size >= sizeof version && memcmp(bytes, version, sizeof version - 1) == 0;
    b->separate_end = !named;
    for (size_t at = 0, line = 1; status == UR_OK && at < size; line++) {
        const char *end = memchr(bytes + at, '\n', size - at);
        size_t length = end ? (size_t)(end - (bytes + at)) : size - at;
        const size_t next = at + length + 1;
        while (length && (bytes[at + length - 1] == '\r' || bytes[at + length - 1] == ' '))
            length--;
        if (line == 1 && named) {
            if (!read_version(b, bytes + at, length))
                status = bad_line(err, name, line, "a version other than 0.1 and 0.2");
        } else {
            status = read_merge(b, name, line, bytes + at, length, err);
        }
        at = next;
    }
    if (status == UR_OK)
        *out = b;
    else
        ur_bpe_free(b);
    return status;
}

ur_status ur_bpe_print(const ur_bpe *b, char **out, size_t *size, ur_err *err)
{
    static const char *const versions[] = {"#version: 0.2\n", "#version: 0.1\n"};
    const char *version = versions[b->separate_end];
    size_t used = strlen(version), bytes;
    size_t total = used + 1;
    for (size_t i = 0; i < b->count; i++) {
        ur_vocabulary_token(b->symbols, b->merge[i].whole, &bytes);
        total += bytes + 2;
    }
    *out = NULL;
    if (total > FILE_LIMIT)
        return ur_fail(err, UR_UNSUPPORTED, "merges of %zu bytes, at most %zu are read", total,
                       FILE_LIMIT);
    char *text = *out = ur_alloc(b->a, total, 1);
    if (!text)
        return ur_no_memory(err, total);
    memcpy(text, version, used);
    for (size_t i = 0; i < b->count; i++) {
        const int32_t side[] = {b->merge[i].left, b->merge[i].right};
        for (int k = 0; k < 2; k++) {
            const char *symbol = ur_vocabulary_token(b->symbols, side[k], &bytes);
            memcpy(text + used, symbol, bytes);
            used += bytes;
            text[used++] = k ? '\n' : ' ';
        }
    }
    text[used] = '\0';
    *size = used;
    return UR_OK;
}

ur_status ur_bpe_load(const ur_allocator *a, const char *path, ur_bpe **out, ur_err *err)
{
    char *bytes;
    size_t size;
    *out = NULL;
    ur_status status = ur_read_file(a, path, FILE_LIMIT, &bytes, &size, err);
    if (status != UR_OK)
        return status;
    status = ur_bpe_parse(a, path, bytes, size, out, err);
    ur_free(a, bytes);
    return status;
}

ur_status ur_bpe_save(const ur_bpe *b, const char *path, ur_err *err)
{
    char *text;
    size_t size;
    ur_status status = ur_bpe_print(b, &text, &size, err);
    if (status == UR_OK)
        status = ur_replace_file(b->a, path, text, size, err);
    ur_free(b->a, text);
    return status;
}
