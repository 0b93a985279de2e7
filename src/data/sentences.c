/* sentences.c - paragraphs of sentences, and what BERT's pretraining draws of them.
 *
 * An epoch is made from (seed, stream) alone, so that a resumed one is the same: pair by pair in the order
 * of the text which sentence is the second, then the order in which they are taken, then, pair by pair in
 * the order of the text, what is masked. */
#include "data/sentences.h"
#include "data/split.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/philox.h"
#include "base/status.h"
#include "data/tally.h"
#include "text/lines.h"
#include "unroll/corpus.h"

/* ---- where sentences end ----------------------------------------------------------------------- */

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Bytes of a character that closes a quotation or a bracket; 0: it is none. */
static size_t closing(const char *at, size_t left)
{
    static const char *const marks[] = {"\"",           "'",       ")", "]", "\xE2\x80\x99",
                                        "\xE2\x80\x9D", "\xC2\xBB"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        const size_t n = strlen(marks[i]);
        if (n <= left && memcmp(at, marks[i], n) == 0)
            return n;
    }
    return 0;
}

/* Where the sentence that begins at `begin` ends, and where the next one may begin. */
static size_t end_by_marks(const char *text, size_t bytes, size_t begin, size_t *next)
{
    for (size_t at = begin; at < bytes; at++) {
        size_t end = at + 1, more;
        if (!strchr(".!?", text[at]))
            continue;
        while (end < bytes && strchr(".!?", text[end]))
            end++;
        while (end < bytes && (more = closing(text + end, bytes - end)))
            end += more;
        if (end < bytes && is_space(text[end])) {
            *next = end;
            return end;
        }
        at = end - 1;
    }
    *next = bytes;
    return bytes;
}

static size_t end_by_stops(const char *text, size_t bytes, size_t begin, size_t *next)
{
    for (size_t at = begin; at + 3 <= bytes; at++)
        if (memcmp(text + at, " . ", 3) == 0) {
            *next = at + 3;
            return at;
        }
    *next = bytes;
    return bytes;
}

size_t ur_sentence_next(int how, const char *text, size_t bytes, size_t *begin, size_t *next)
{
    size_t at = 0;
    while (at < bytes) {
        while (at < bytes && is_space(text[at]))
            at++;
        /* the space before a stop is part of it */
        const size_t from = how == UR_SENTENCES_STOPS && at > 0 ? at - 1 : at;
        size_t end = how == UR_SENTENCES_STOPS ? end_by_stops(text, bytes, from, next)
                                               : end_by_marks(text, bytes, from, next);
        while (end > at && is_space(text[end - 1]))
            end--;
        if (end > at) {
            *begin = at;
            return end - at;
        }
        at = *next;
    }
    *next = bytes;
    return 0;
}

/* ---- lines of a file --------------------------------------------------------------------------- */

typedef ur_status (*line_taker)(void *user, const ur_lines *lines, ur_line line, ur_err *err);

static ur_status each_line(const ur_allocator *a, const char *path, line_taker take, void *user,
                           ur_err *err)
{
    ur_line_reader text;
    ur_status status = ur_line_reader_open(&text, a, path, UR_LINE_WHOLE, err);
    if (status == UR_OK)
        status = ur_line_reader_begin(&text);
    for (bool more = true; status == UR_OK && more;) {
        ur_line line;
        status = ur_line_reader_next(&text, &line, &more);
        if (status != UR_OK || !more)
            break;
        status = ur_lines_check(&text.lines, line.bytes, line.size);
        if (status == UR_OK)
            status = take(user, &text.lines, line, err);
    }
    ur_line_reader_close(&text);
    return status;
}

/* ---- words ---------------------------------------------------------------------------------------- */

typedef struct counting {
    const ur_wordpiece *plain;
    ur_pieces work;
    ur_tally words;
} counting;

static ur_status count_word(void *user, const char *word, size_t bytes, ur_err *err)
{
    int32_t id;
    return ur_tally_add(&((counting *)user)->words, &(ur_token){word, bytes, -1}, &id, err);
}

static ur_status count_line(void *user, const ur_lines *lines, ur_line line, ur_err *err)
{
    counting *c = user;
    (void)lines;
    return ur_wordpiece_words(c->plain, line.bytes, line.size, &c->work, count_word, c, err);
}

ur_status ur_sentences_words(const ur_allocator *a, const char *path, const ur_wordpiece *plain,
                             ur_vocabulary **words, ur_word_count **counts, size_t *n, ur_err *err)
{
    counting c = {.plain = plain, .work = {.allocator = a}};
    *counts = NULL;
    ur_status status = ur_tally_start_plain(&c.words, a, err);
    if (status == UR_OK)
        status = each_line(a, path, count_line, &c, err);
    *n = status == UR_OK ? ur_vocabulary_size(c.words.seen) : 0;
    if (status == UR_OK && !(*counts = ur_alloc(a, *n, sizeof **counts)))
        status = ur_no_memory(err, *n * sizeof **counts);
    for (size_t i = 0; status == UR_OK && i < *n; i++) {
        ur_word_count *w = &(*counts)[i];
        w->bytes = ur_vocabulary_token(c.words.seen, (int32_t)i, &w->size);
        w->count = c.words.count[i];
    }
    ur_pieces_free(&c.work);
    *words = status == UR_OK ? c.words.seen : NULL;
    if (status == UR_OK)
        c.words.seen = NULL; /* which is the caller's now */
    ur_tally_free(&c.words);
    return status;
}

/* ---- sentences --------------------------------------------------------------------------------------- */

bool ur_sentences_paragraph(ur_sentences *s)
{
    if (!ur_reserve(s->a, &s->paragraph, &s->paragraph_capacity,
                    s->paragraph ? s->paragraphs + 1 : 0, s->paragraphs + 2,
                    sizeof *s->paragraph) ||
        !ur_reserve(s->a, &s->begin, &s->begin_capacity, s->begin ? s->count + 1 : 0, s->count + 2,
                    sizeof *s->begin))
        return false;
    s->begin[s->count] = s->used;
    s->paragraph[s->paragraphs++] = s->count;
    s->paragraph[s->paragraphs] = s->count;
    return true;
}

bool ur_sentences_add(ur_sentences *s, const int32_t *ids, size_t count)
{
    if (!ur_reserve(s->a, &s->ids, &s->capacity, s->used, s->used + count, sizeof *s->ids) ||
        !ur_reserve(s->a, &s->begin, &s->begin_capacity, s->count + 1, s->count + 2,
                    sizeof *s->begin))
        return false;
    memcpy(s->ids + s->used, ids, count * sizeof *ids);
    s->used += count;
    s->begin[++s->count] = s->used;
    s->paragraph[s->paragraphs] = s->count;
    return true;
}

/* Takes the last paragraph back. */
static void drop_paragraph(ur_sentences *s)
{
    s->count = s->paragraph[--s->paragraphs];
    s->used = s->begin[s->count];
}

typedef struct reading {
    ur_sentences *out;
    const ur_wordpiece *wordpiece;
    int how;
    ur_pieces pieces;
    int32_t *ids;
    size_t capacity;
} reading;

static ur_status read_sentence(reading *r, const char *text, size_t bytes, ur_err *err)
{
    const ur_status status = ur_wordpiece_encode(r->wordpiece, text, bytes, NULL, 0, 0,
                                                 UR_CUT_LONGEST_FIRST, &r->pieces, err);
    if (status != UR_OK || r->pieces.count <= 2)
        return status;
    const size_t n = r->pieces.count - 2; /* without [CLS] and [SEP] */
    if (!ur_reserve(r->out->a, &r->ids, &r->capacity, 0, n, sizeof *r->ids))
        return ur_no_memory(err, n * sizeof *r->ids);
    for (size_t i = 0; i < n; i++)
        r->ids[i] = r->pieces.piece[i + 1].id;
    return ur_sentences_add(r->out, r->ids, n) ? UR_OK : ur_no_memory(err, n * sizeof *r->ids);
}

static ur_status read_paragraph(void *user, const ur_lines *lines, ur_line line, ur_err *err)
{
    reading *r = user;
    ur_sentences *s = r->out;
    size_t begin, next, n;
    (void)lines;
    if (!ur_sentences_paragraph(s))
        return ur_no_memory(err, s->count * sizeof *s->begin);
    ur_status status = UR_OK;
    for (size_t at = 0; status == UR_OK && (n = ur_sentence_next(r->how, line.bytes + at,
                                                                 line.size - at, &begin, &next));
         at += next)
        status = read_sentence(r, line.bytes + at + begin, n, err);
    if (status == UR_OK && s->count - s->paragraph[s->paragraphs - 1] < 2)
        drop_paragraph(s);
    return status;
}

ur_status ur_sentences_read(const ur_allocator *a, const char *path, const ur_wordpiece *wordpiece,
                            int how, ur_sentences *out, ur_err *err)
{
    *out = (ur_sentences){.a = a};
    reading r = {.out = out, .wordpiece = wordpiece, .how = how, .pieces = {.allocator = a}};
    ur_status status = each_line(a, path, read_paragraph, &r, err);
    if (status == UR_OK && out->paragraphs == 0)
        status =
            ur_fail(err, UR_BAD_FILE,
                    "%s: no line has two sentences: a paragraph on each line is expected", path);
    ur_pieces_free(&r.pieces);
    ur_free(a, r.ids);
    return status;
}

void ur_sentences_free(ur_sentences *s)
{
    ur_free(s->a, s->ids);
    ur_free(s->a, s->begin);
    ur_free(s->a, s->paragraph);
    *s = (ur_sentences){.a = s->a};
}

/* ---- a part for validation --------------------------------------------------------------------------------- */

static size_t paragraph_begin(const ur_sentences *s, size_t paragraph)
{
    return s->begin[s->paragraph[paragraph]];
}

static uint64_t paragraph_hash(const void *sentences, size_t i)
{
    const ur_sentences *s = sentences;
    const size_t begin = paragraph_begin(s, i);
    return ur_ids_fingerprint((ur_ids){s->ids + begin, paragraph_begin(s, i + 1) - begin});
}

static bool copy_paragraph(const ur_sentences *from, size_t paragraph, ur_sentences *to)
{
    bool had = ur_sentences_paragraph(to);
    for (size_t i = from->paragraph[paragraph]; had && i < from->paragraph[paragraph + 1]; i++)
        had = ur_sentences_add(to, from->ids + from->begin[i], ur_sentence_length(from, i));
    return had;
}

ur_status ur_sentences_split(ur_sentences *data, double part, uint64_t seed, ur_sentences *valid,
                             ur_err *err)
{
    const size_t n = data->paragraphs;
    ur_sentences rest = {.a = data->a};
    size_t count;
    ur_status status;
    *valid = (ur_sentences){.a = data->a};
    bool *apart =
        ur_split_choose(data->a, n, paragraph_hash, data, part, seed, &count, &status, err);
    for (size_t i = 0; status == UR_OK && i < n; i++)
        if (!copy_paragraph(data, i, apart[i] ? valid : &rest))
            status = ur_no_memory(err, data->used * sizeof *data->ids);
    ur_free(data->a, apart);
    if (status == UR_OK) {
        ur_sentences_free(data);
        *data = rest;
        return UR_OK;
    }
    ur_sentences_free(&rest);
    ur_sentences_free(valid);
    return status;
}

/* ---- pairs ---------------------------------------------------------------------------------------------- */

/* How many of n pieces are to be told. */
static size_t masks_of(const ur_masking *m, size_t n)
{
    const double part = rint(m->masked * (double)n);
    const size_t most = n - 3; /* special tokens are not */
    return part < 1.0 ? 1 : part > (double)most ? most : (size_t)part;
}

/* The text's own pairs, how many of them fit, and the masks that an epoch has at most: each sentence may be
 * drawn with the longest one. */
static size_t count_pairs(const ur_sentences *s, const ur_masking *m, size_t *all, size_t *masks)
{
    size_t fit = 0, longest = 0;
    for (size_t i = 0; i < s->count; i++)
        longest = ur_sentence_length(s, i) > longest ? ur_sentence_length(s, i) : longest;
    *all = *masks = 0;
    for (size_t p = 0; p < s->paragraphs; p++)
        for (size_t i = s->paragraph[p]; i + 1 < s->paragraph[p + 1]; i++) {
            const size_t most = ur_sentence_length(s, i) + longest + 3;
            fit += ur_sentence_length(s, i) + ur_sentence_length(s, i + 1) + 3 <= m->most;
            *masks += masks_of(m, most < m->most ? most : m->most);
            ++*all;
        }
    return fit;
}

ur_status ur_masked_pairs_new(const ur_sentences *s, const ur_masking *m, ur_masked_pairs *out,
                              size_t *too_long, size_t *all, ur_err *err)
{
    const ur_allocator *a = s->a;
    *out = (ur_masked_pairs){.a = a, .ids = s->ids};
    size_t masks;
    const size_t fit = count_pairs(s, m, all, &masks);
    *too_long = *all - fit;
    if (fit == 0)
        return ur_fail(err, UR_BAD_FILE,
                       "no two neighbouring sentences have at most %zu pieces together, special "
                       "tokens included",
                       m->most);
    out->pair = ur_alloc(a, *all, sizeof *out->pair);
    out->order = ur_alloc(a, *all, sizeof *out->order);
    out->at = ur_alloc(a, masks, sizeof *out->at);
    out->shown = ur_alloc(a, masks, sizeof *out->shown);
    out->scratch = ur_alloc(a, m->most, sizeof *out->scratch);
    return out->pair && out->order && out->at && out->shown && out->scratch
               ? UR_OK
               : ur_no_memory(err, masks * (sizeof *out->at + sizeof *out->shown));
}

void ur_masked_pairs_free(ur_masked_pairs *p)
{
    ur_free(p->a, p->pair);
    ur_free(p->a, p->order);
    ur_free(p->a, p->at);
    ur_free(p->a, p->shown);
    ur_free(p->a, p->scratch);
    *p = (ur_masked_pairs){0};
}

/* A sentence of another paragraph; of the only one any. */
static size_t other_sentence(const ur_sentences *s, ur_random *random, size_t paragraph)
{
    size_t p = 0;
    if (s->paragraphs > 1) {
        p = (size_t)ur_random_below(random, s->paragraphs - 1);
        p += p >= paragraph;
    }
    const size_t first = s->paragraph[p];
    return first + (size_t)ur_random_below(random, s->paragraph[p + 1] - first);
}

static void draw_pairs(ur_masked_pairs *pairs, const ur_sentences *s, const ur_masking *m,
                       ur_random *random)
{
    pairs->count = 0;
    for (size_t p = 0; p < s->paragraphs; p++)
        for (size_t i = s->paragraph[p]; i + 1 < s->paragraph[p + 1]; i++) {
            const bool follows = ur_random_below(random, 2) == 0;
            const size_t j = follows ? i + 1 : other_sentence(s, random, p);
            const ur_masked_pair pair = {.first = s->begin[i],
                                         .second = s->begin[j],
                                         .n_first = ur_sentence_length(s, i),
                                         .n_second = ur_sentence_length(s, j),
                                         .follows = follows};
            if (ur_masked_pair_length(&pair) > m->most)
                continue;
            pairs->order[pairs->count] = pairs->count;
            pairs->pair[pairs->count++] = pair;
        }
}

/* What stands in place of a word that is to be told. */
static int32_t draw_shown(const ur_masking *m, ur_random *random, int32_t word)
{
    const uint64_t one = ur_random_below(random, 10);
    if (one < 8)
        return m->mask;
    if (one == 8)
        return word;
    for (;;) {
        const int32_t other = (int32_t)ur_random_below(random, m->tokens);
        if (m->may[other])
            return other;
    }
}

/* Chooses `n_masks` of the places that are no special tokens', into scratch, rising. */
static void draw_places(size_t *place, const ur_masked_pair *p, ur_random *random)
{
    const size_t words = p->n_first + p->n_second;
    for (size_t i = 0; i < words; i++)
        place[i] = i < p->n_first ? i + 1 : i + 2;
    for (size_t i = 0; i < p->n_masks; i++) {
        const size_t j = i + (size_t)ur_random_below(random, words - i), taken = place[j];
        place[j] = place[i];
        size_t k = i; /* those before are in order */
        for (; k > 0 && place[k - 1] > taken; k--)
            place[k] = place[k - 1];
        place[k] = taken;
    }
}

void ur_masked_pairs_draw(ur_masked_pairs *pairs, const ur_sentences *s, const ur_masking *m,
                          uint64_t seed, uint64_t stream)
{
    ur_random random = ur_random_start(seed, stream);
    size_t masks = 0;
    draw_pairs(pairs, s, m, &random);
    ur_random_shuffle(&random, pairs->order, pairs->count);
    for (size_t i = 0; i < pairs->count; i++) {
        ur_masked_pair *p = &pairs->pair[i];
        p->masks = masks;
        p->n_masks = masks_of(m, ur_masked_pair_length(p));
        draw_places(pairs->scratch, p, &random);
        for (size_t k = 0; k < p->n_masks; k++, masks++) {
            const size_t at = pairs->scratch[k];
            pairs->at[masks] = (uint32_t)at;
            pairs->shown[masks] = draw_shown(m, &random, ur_masked_pair_word(pairs, p, at));
        }
    }
}
