/* answers.c - exact match and F1 of answers (Rajpurkar et al. 2016 and 2018).
 *
 * An answer is its words in lower case, without ASCII's punctuation and without a, an and the.
 *   exact = the words are the same, in their order
 *   F1 = 2 P R / (P + R),   P = same / words of the answer,   R = same / words of the right one
 * same counts words that both have, each as often as both have it. Without a word on one of the sides F1 is
 * exact. */
#include "text/answers.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "text/characters.h"

typedef struct words {
    char *text;           /* what they stand in */
    ur_answer_text *word; /* (count) */
    size_t count;
} words;

/* ---- normalising -------------------------------------------------------------------------- */

static bool is_punctuation(uint32_t c)
{
    return c > ' ' && c < 0x7F && !ur_character_is_alphanumeric(c);
}

/* What Python's str.split() splits at. */
static bool is_space(uint32_t c)
{
    return ur_character_is_space(c) || (c >= 0x1C && c <= 0x1F);
}

/* The character at `at`, and its bytes; a byte that is not UTF-8 is one of its own. */
static size_t next(const char *text, size_t size, size_t at, uint32_t *c)
{
    const size_t taken = ur_utf8_decode(text + at, size - at, c);
    if (taken)
        return taken;
    *c = (unsigned char)text[at];
    return 1;
}

/* Lower case, no punctuation. A character of two bytes can become one of three. */
static size_t lower(const char *from, size_t size, char *to)
{
    size_t used = 0;
    for (size_t at = 0; at < size;) {
        uint32_t c;
        at += next(from, size, at, &c);
        if (!is_punctuation(c))
            used += ur_utf8_encode(ur_character_lower(c), to + used);
    }
    return used;
}

static bool is_article(const char *word, size_t size)
{
    return (size == 1 && *word == 'a') || (size == 2 && memcmp(word, "an", 2) == 0) ||
           (size == 3 && memcmp(word, "the", 3) == 0);
}

/* Spaces in place of articles: of letters and numbers with nothing of the kind beside them. */
static void drop_articles(char *text, size_t size)
{
    for (size_t at = 0, end, taken; at < size; at = end) {
        uint32_t c;
        taken = next(text, size, at, &c);
        end = at + taken;
        if (!ur_character_is_alphanumeric(c))
            continue;
        while (end < size && (taken = next(text, size, end, &c), ur_character_is_alphanumeric(c)))
            end += taken;
        if (is_article(text + at, end - at))
            memset(text + at, ' ', end - at);
    }
}

static void cut(words *w, size_t size)
{
    bool inside = false;
    for (size_t at = 0, taken; at < size; at += taken) {
        uint32_t c;
        taken = next(w->text, size, at, &c);
        if (is_space(c)) {
            inside = false;
            continue;
        }
        if (!inside)
            w->word[w->count++] = (ur_answer_text){w->text + at, 0};
        inside = true;
        w->word[w->count - 1].size += taken;
    }
}

static bool normalise(const ur_allocator *a, ur_answer_text from, words *out)
{
    *out = (words){.text = ur_alloc(a, 2 * from.size + 1, 1),
                   .word = ur_alloc(a, from.size / 2 + 1, sizeof *out->word)};
    if (!out->text || !out->word)
        return false;
    const size_t size = lower(from.bytes, from.size, out->text);
    drop_articles(out->text, size);
    cut(out, size);
    return true;
}

static void free_words(const ur_allocator *a, words *w)
{
    ur_free(a, w->text);
    ur_free(a, w->word);
}

/* ---- comparing ---------------------------------------------------------------------------- */

static int compare(const void *left, const void *right)
{
    const ur_answer_text *a = left, *b = right;
    if (a->size != b->size)
        return a->size < b->size ? -1 : 1;
    return memcmp(a->bytes, b->bytes, a->size);
}

static bool equal(const words *a, const words *b)
{
    size_t i = 0;
    while (i < a->count && i < b->count && compare(&a->word[i], &b->word[i]) == 0)
        i++;
    return i == a->count && i == b->count;
}

static void sort(words *w)
{
    if (w->count)
        qsort(w->word, w->count, sizeof *w->word, compare);
}

/* Of sorted words. */
static double overlap(const words *a, const words *b)
{
    size_t same = 0;
    for (size_t i = 0, j = 0; i < a->count && j < b->count;) {
        const int order = compare(&a->word[i], &b->word[j]);
        same += order == 0;
        i += order <= 0;
        j += order >= 0;
    }
    if (same == 0)
        return 0.0;
    const double precision = (double)same / (double)a->count;
    const double recall = (double)same / (double)b->count;
    return 2.0 * precision * recall / (precision + recall);
}

static void keep_greater(double *best, double value)
{
    *best = value > *best ? value : *best;
}

bool ur_answer_compare(const ur_allocator *a, ur_answer_text answer, size_t count,
                       const ur_answer_text *right, ur_answer_score *out)
{
    words own, sorted = {0};
    bool had = normalise(a, answer, &own) && normalise(a, answer, &sorted), any = false;
    *out = (ur_answer_score){0};
    sort(&sorted);
    for (size_t i = 0; had && i < count; i++) {
        words other;
        had = normalise(a, right[i], &other);
        if (had && other.count) {
            any = true;
            const double exact = equal(&own, &other);
            keep_greater(&out->exact, exact);
            sort(&other);
            keep_greater(&out->f1, own.count ? overlap(&sorted, &other) : exact);
        }
        free_words(a, &other);
    }
    if (!any)
        out->exact = out->f1 = own.count == 0;
    free_words(a, &own);
    free_words(a, &sorted);
    return had;
}
