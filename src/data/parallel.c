/* parallel.c - pairs of sentences from files: reading lines, learning what the languages are read by,
 * ids.
 *
 * Each side's sentences are kept as numbers of words (tokens that are not cut yet) at first. Merges are
 * learned from the different words; each of them is cut once, and sentences are put together from
 * that. */
#include "data/parallel.h"

#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/status.h"
#include "base/utf8.h"
#include "data/pair_lines.h"
#include "data/split.h"
#include "data/tally.h"
#include "text/characters.h"
#include "text/lines.h"

/* ---- looking at it -------------------------------------------------------------------------- */

void ur_parallel_free(ur_parallel *p)
{
    if (!p)
        return;
    ur_free(p->a, p->offset);
    ur_free(p->a, p->ids);
    ur_free(p->a, p->text_offset);
    ur_free(p->a, p->text);
    ur_remarks_free(&p->remarks);
    ur_free(p->a, p);
}

size_t ur_parallel_count(const ur_parallel *p)
{
    return p->count;
}

ur_ids ur_parallel_ids(const ur_parallel *p, size_t index, int side)
{
    if (index >= p->count || (unsigned)side > 1)
        return (ur_ids){NULL, 0};
    const size_t *o = p->offset + 2 * index + (size_t)side;
    return (ur_ids){p->ids + o[0], o[1] - o[0]};
}

const char *ur_parallel_text(const ur_parallel *p, size_t index, int side)
{
    if (index >= p->count || (unsigned)side > 1)
        return NULL;
    return p->text + p->text_offset[2 * index + (size_t)side];
}

const ur_parallel_notes *ur_parallel_noted(const ur_parallel *p)
{
    return &p->notes;
}

const char *ur_parallel_remark(const ur_parallel *p, size_t i)
{
    return ur_remark_at(&p->remarks, i);
}

void ur_languages_free(ur_languages *l)
{
    ur_vocabulary_free(l->source);
    ur_vocabulary_free(l->target);
    ur_bpe_free(l->source_bpe);
    ur_bpe_free(l->target_bpe);
    *l = (ur_languages){NULL, NULL, NULL, NULL};
}

ur_subwords ur_languages_side(const ur_languages *l, const ur_text_options *text, int side)
{
    const bool own = side == 1 && l->target, own_merges = side == 1 && l->target_bpe;
    return (ur_subwords){text, own_merges ? l->target_bpe : l->source_bpe,
                         own ? l->target : l->source};
}

ur_status ur_parallel_check(const ur_parallel_options *o, ur_err *err)
{
    const ur_status status = ur_text_check(&o->text, NULL, err);
    if (status != UR_OK)
        return status;
    if (o->text.line_ends || o->text.letters_only)
        return ur_fail(
            err, UR_INVALID,
            "sentences in pairs have no line ends as tokens, and are not made of letters "
            "only");
    if (o->text.tokenizer == UR_CHARACTERS && (o->merges || o->codes))
        return ur_fail(err, UR_INVALID,
                       "merges are of words' characters: tokens that are characters have none");
    return UR_OK;
}

/* ---- lines ---------------------------------------------------------------------------------- */

/* A sentence in a file's bytes. */
typedef struct sentence {
    const char *bytes;
    size_t size, line;
} sentence;

typedef struct raw {
    const ur_allocator *a;
    char *name[2], *bytes[2]; /* of one file, or of two */
    sentence *sentence;       /* (2 count) */
    size_t count, capacity, empty;
    bool attribution, keeps_empty;
    ur_table table; /* of a file of values: holds texts whose quotes were undone */
    ur_remarks remarks;
} raw;

static void free_raw(raw *r)
{
    for (int i = 0; i < 2; i++) {
        ur_free(r->a, r->name[i]);
        ur_free(r->a, r->bytes[i]);
    }
    ur_free(r->a, r->sentence);
    ur_table_free(&r->table);
    ur_remarks_free(&r->remarks);
}

/* No-break spaces become spaces, and lone CRs the ends of lines where there is no LF. Returns the
 * size. */
static size_t normalise(char *bytes, size_t size)
{
    const bool old_ends = !memchr(bytes, '\n', size);
    size_t n = 0;
    for (size_t i = 0; i < size;) {
        if (size - i >= 2 && memcmp(bytes + i, "\xC2\xA0", 2) == 0) {
            bytes[n++] = ' ';
            i += 2;
        } else if (size - i >= 3 && memcmp(bytes + i, "\xE2\x80\xAF", 3) == 0) {
            bytes[n++] = ' ';
            i += 3;
        } else {
            bytes[n++] = old_ends && bytes[i] == '\r' ? '\n' : bytes[i];
            i++;
        }
    }
    return n;
}

/* Without white space around it. */
static sentence strip(const char *bytes, size_t size, size_t line)
{
    const char *begin = bytes, *end = bytes + size, *last = bytes;
    bool any = false;
    for (const char *at = bytes; at < end;) {
        uint32_t c;
        const size_t taken = ur_utf8_decode(at, (size_t)(end - at), &c);
        if (!ur_character_is_space(c)) {
            begin = any ? begin : at;
            any = true;
            last = at + taken;
        }
        at += taken ? taken : 1;
    }
    return (sentence){begin, any ? (size_t)(last - begin) : 0, line};
}

static ur_status add_pair(raw *r, sentence source, sentence target, ur_err *err)
{
    if (!r->keeps_empty && (source.size == 0 || target.size == 0)) {
        r->empty++;
        return UR_OK;
    }
    if (!ur_reserve(r->a, &r->sentence, &r->capacity, 2 * r->count, 2 * r->count + 2,
                    sizeof *r->sentence))
        return ur_no_memory(err, (2 * r->count + 2) * sizeof *r->sentence);
    r->sentence[2 * r->count] = source;
    r->sentence[2 * r->count++ + 1] = target;
    return UR_OK;
}

/* The first line's third column up to its first `#`. */
typedef struct attribution {
    const char *bytes;
    size_t size;
    bool known, there;
} attribution;

static ur_status check_third(const ur_lines *l, attribution *form, const char *third, size_t size,
                             ur_err *err)
{
    if (third && memchr(third, '\t', size))
        return ur_fail(err, UR_BAD_FILE, "%s: line %zu: more than three columns", l->name, l->line);
    if (!form->known) {
        const char *mark = third ? memchr(third, '#', size) : NULL;
        *form = (attribution){third, mark ? (size_t)(mark - third) + 1 : 0, true, mark != NULL};
    }
    const bool same =
        third ? form->there && size >= form->size && memcmp(third, form->bytes, form->size) == 0
              : !form->there;
    if (same)
        return UR_OK;
    return ur_fail(err, UR_BAD_FILE,
                   "%s: line %zu: %s columns where a sentence and its translation were expected; a "
                   "third one is an attribution that begins alike on all lines, up to a #",
                   l->name, l->line, third ? "three" : "two");
}

/* source, tab, target [, tab, attribution] */
static ur_status read_columns(raw *r, ur_lines *l, ur_err *err)
{
    attribution form = {NULL, 0, false, false};
    ur_status status = UR_OK;
    while (status == UR_OK && l->size > 0) {
        ur_line line;
        status = ur_lines_next(l, &line);
        if (status == UR_OK)
            status = ur_lines_check(l, line.bytes, line.size);
        if (status != UR_OK || line.size == 0)
            continue;
        const char *end = line.bytes + line.size, *tab = memchr(line.bytes, '\t', line.size);
        if (!tab)
            return ur_fail(err, UR_BAD_FILE,
                           "%s: line %zu: no tab between a sentence and its "
                           "translation",
                           l->name, l->line);
        const char *second = memchr(tab + 1, '\t', (size_t)(end - tab - 1));
        status = check_third(l, &form, second ? second + 1 : NULL,
                             second ? (size_t)(end - second - 1) : 0, err);
        if (status == UR_OK)
            status =
                add_pair(r, strip(line.bytes, (size_t)(tab - line.bytes), l->line),
                         strip(tab + 1, (size_t)((second ? second : end) - tab - 1), l->line), err);
    }
    r->attribution = form.there;
    return status;
}

/* The rows of a file of values, whose line of names was read. */
static ur_status read_values(raw *r, ur_table *t, const size_t place[2], ur_err *err)
{
    ur_status status = UR_OK;
    while (status == UR_OK && ur_table_more(t)) {
        status = ur_table_next(t);
        if (status != UR_OK || ur_table_blank(t))
            continue;
        status = ur_table_even(t);
        if (status != UR_OK || t->fields <= place[0] || t->fields <= place[1])
            continue;
        const ur_span source = t->field[place[0]], target = t->field[place[1]];
        status = add_pair(r, strip(source.bytes, source.size, t->line),
                          strip(target.bytes, target.size, t->line), err);
    }
    return status;
}

/* One file: of values, where its name, its first line or the options say so, else of lines with tabs. */
static ur_status read_one(raw *r, const ur_reading *reading, size_t size, ur_err *err)
{
    bool values;
    size_t place[2];
    ur_table *t = &r->table;
    ur_table_start(t, r->a, r->name[0], r->bytes[0], size, err);
    if (!ur_table_more(t))
        return ur_fail(err, UR_BAD_FILE, "%s: no pair of a sentence and its translation",
                       r->name[0]);
    const ur_status status =
        ur_table_find_columns(t, &ur_pair_columns, reading, &values, place, &r->remarks);
    if (status != UR_OK)
        return status;
    return values ? read_values(r, t, place, err) : read_columns(r, &t->lines, err);
}

static ur_status next_sentence(ur_lines *l, sentence *out)
{
    ur_line line;
    ur_status status = ur_lines_next(l, &line);
    if (status == UR_OK)
        status = ur_lines_check(l, line.bytes, line.size);
    if (status == UR_OK)
        *out = strip(line.bytes, line.size, l->line);
    return status;
}

static size_t count_lines(ur_lines l)
{
    size_t n = 0;
    for (size_t i = 0; i < l.size; i++)
        n += l.bytes[i] == '\n';
    return n + (l.size > 0 && l.bytes[l.size - 1] != '\n');
}

static ur_status read_two(raw *r, const size_t size[2], ur_err *err)
{
    ur_lines first, second;
    ur_lines_start(&first, r->name[0], r->bytes[0], size[0], err);
    ur_lines_start(&second, r->name[1], r->bytes[1], size[1], err);
    const size_t n = count_lines(first), m = count_lines(second);
    ur_status status = UR_OK;
    if (n != m)
        return ur_fail(err, UR_BAD_FILE, "%s has %zu lines, %s has %zu: they are no pairs",
                       first.name, n, second.name, m);
    for (size_t i = 0; status == UR_OK && i < n; i++) {
        sentence source, target;
        status = next_sentence(&first, &source);
        if (status == UR_OK)
            status = next_sentence(&second, &target);
        if (status == UR_OK)
            status = add_pair(r, source, target, err);
    }
    return status;
}

static ur_status read_file(raw *r, int which, const char *path, size_t length, size_t *size,
                           ur_err *err)
{
    r->name[which] = ur_alloc(r->a, length + 1, 1);
    if (!r->name[which])
        return ur_no_memory(err, length + 1);
    memcpy(r->name[which], path, length);
    r->name[which][length] = '\0';
    const ur_status status =
        ur_read_file(r->a, r->name[which], UR_TEXT_FILE_LIMIT, &r->bytes[which], size, err);
    if (status == UR_OK)
        *size = normalise(r->bytes[which], *size);
    return status;
}

static ur_status read_raw(raw *r, const char *data, const ur_reading *reading, ur_err *err)
{
    const char *tab = strchr(data, '\t');
    size_t size[2] = {0, 0};
    ur_status status =
        read_file(r, 0, data, tab ? (size_t)(tab - data) : strlen(data), &size[0], err);
    if (status == UR_OK && tab)
        status = read_file(r, 1, tab + 1, strlen(tab + 1), &size[1], err);
    if (status == UR_OK && !tab)
        status = read_one(r, reading, size[0], err);
    else if (status == UR_OK)
        status =
            ur_column_named(reading->input_column) || ur_column_named(reading->target_column)
                ? ur_fail(err, UR_INVALID, "columns are chosen in one file, and %s and %s are two",
                          r->name[0], r->name[1])
                : read_two(r, size, err);
    if (status == UR_OK && r->count == 0)
        status =
            ur_fail(err, UR_BAD_FILE, "%s: no pair of a sentence and its translation", r->name[0]);
    return status;
}

/* ---- words ---------------------------------------------------------------------------------- */

/* The different words of a language, or of both. */
typedef struct lexicon {
    ur_vocabulary *seen;
    size_t *count; /* (seen) in the pairs to train with */
    size_t capacity;
    size_t *begin; /* (seen + 1) of a word's parts among ids, once it was cut */
    int32_t *ids;
} lexicon;

typedef struct loader {
    const ur_allocator *a;
    const ur_parallel_options *o;
    raw raw;
    lexicon own[2], *of[2]; /* of each side; joint: both the first */
    int32_t *words;         /* all words, source and target in turn */
    size_t *first;          /* (2 count + 1) */
    size_t n_words, words_capacity;
    bool *valid;    /* (count) whether a pair is for validation */
    bool validates; /* whether any is */
} loader;

static ur_status start(loader *l, const char *data, ur_err *err)
{
    l->raw.a = l->raw.remarks.a = l->raw.table.a = l->a;
    ur_status status = ur_parallel_check(l->o, err);
    if (status == UR_OK)
        status = read_raw(&l->raw, data, &l->o->reading, err);
    for (int side = 0; status == UR_OK && side < 2; side++) {
        l->of[side] = &l->own[l->o->joint ? 0 : side];
        if (!l->of[side]->seen)
            status = ur_vocabulary_new(l->a, &l->of[side]->seen, err);
    }
    return status;
}

static void free_loader(loader *l)
{
    free_raw(&l->raw);
    for (int i = 0; i < 2; i++) {
        ur_vocabulary_free(l->own[i].seen);
        ur_free(l->a, l->own[i].count);
        ur_free(l->a, l->own[i].begin);
        ur_free(l->a, l->own[i].ids);
    }
    ur_free(l->a, l->words);
    ur_free(l->a, l->first);
    ur_free(l->a, l->valid);
}

static uint64_t source_hash(const void *sentences, size_t i)
{
    const sentence *s = (const sentence *)sentences + 2 * i;
    return ur_fingerprint_bytes(UR_FINGERPRINT, s->bytes, s->size);
}

/* Where all sources are the same nothing is set apart. */
static ur_status choose_part(loader *l, const ur_valid_part *apart, ur_err *err)
{
    size_t count = 0, different = 0;
    const size_t n = l->raw.count;
    while (apart && different < n &&
           source_hash(l->raw.sentence, different) == source_hash(l->raw.sentence, 0))
        different++;
    if (!apart || different == n) {
        l->valid = ur_alloc_zero(l->a, n, sizeof *l->valid);
        return l->valid ? UR_OK : ur_no_memory(err, n);
    }
    if (!(apart->part > 0.0 && apart->part < 1.0))
        return ur_fail(err, UR_INVALID,
                       "a part of %g of the sentences for validation, it must be in (0, 1)",
                       apart->part);
    ur_status status;
    l->valid = ur_split_choose(l->a, n, source_hash, l->raw.sentence, apart->part, apart->seed,
                               &count, &status, err);
    l->validates = status == UR_OK;
    return status;
}

static ur_status add_word(loader *l, lexicon *x, const ur_token *token, bool counts, ur_err *err)
{
    int32_t id;
    const size_t before = ur_vocabulary_size(x->seen);
    if (!ur_reserve(l->a, &x->count, &x->capacity, before, before + 1, sizeof *x->count) ||
        !ur_reserve(l->a, &l->words, &l->words_capacity, l->n_words, l->n_words + 1,
                    sizeof *l->words))
        return ur_no_memory(err, (l->n_words + 1) * sizeof *l->words);
    const ur_status status = ur_vocabulary_add(x->seen, token->bytes, token->size, &id, err);
    if (status != UR_OK)
        return status;
    if ((size_t)id == before)
        x->count[id] = 0;
    x->count[id] += counts;
    l->words[l->n_words++] = id;
    return UR_OK;
}

static ur_status read_sentence(loader *l, size_t i, ur_scanner *scanner, ur_err *err)
{
    const sentence *s = &l->raw.sentence[i];
    ur_scanner_line(scanner, s->bytes, s->size, false);
    for (;;) {
        ur_token token;
        const ur_scan what = ur_scanner_next(scanner, &token);
        if (what == UR_SCAN_END)
            return UR_OK;
        if (what == UR_SCAN_TOO_LONG)
            return ur_token_too_long(err, l->raw.name[l->raw.name[1] ? i % 2 : 0], s->line);
        const ur_status status = add_word(l, l->of[i % 2], &token, !l->valid[i / 2], err);
        if (status != UR_OK)
            return status;
    }
}

/* All sentences as numbers of words. */
static ur_status read_sentences(loader *l, ur_err *err)
{
    ur_scanner scanner;
    ur_vocabulary *none; /* no reserved token can be written in a sentence */
    ur_status status = ur_vocabulary_new(l->a, &none, err);
    if (status != UR_OK)
        return status;
    l->first = ur_alloc(l->a, 2 * l->raw.count + 1, sizeof *l->first);
    if (!l->first)
        status = ur_no_memory(err, (2 * l->raw.count + 1) * sizeof *l->first);
    ur_scanner_start(&scanner, &l->o->text, none);
    for (size_t i = 0; status == UR_OK && i < 2 * l->raw.count; i++) {
        l->first[i] = l->n_words;
        status = read_sentence(l, i, &scanner, err);
    }
    if (status == UR_OK)
        l->first[2 * l->raw.count] = l->n_words;
    ur_vocabulary_free(none);
    return status;
}

/* ---- learning ------------------------------------------------------------------------------- */

static ur_status learn_merges(loader *l, const lexicon *x, ur_bpe **out, ur_err *err)
{
    const size_t n = ur_vocabulary_size(x->seen);
    ur_word_count *words = ur_alloc(l->a, n, sizeof *words);
    size_t kept = 0;
    if (!words)
        return ur_no_memory(err, n * sizeof *words);
    for (size_t i = 0; i < n; i++) {
        size_t size;
        const char *bytes = ur_vocabulary_token(x->seen, (int32_t)i, &size);
        if (x->count[i] && ur_subwords_cuts(bytes, size))
            words[kept++] = (ur_word_count){bytes, size, x->count[i]};
    }
    const ur_status status = ur_bpe_learn(l->a, kept, words, l->o->merges, 0, out, err);
    ur_free(l->a, words);
    return status;
}

/* Cuts word `id`: ends of its parts in `end`, which has room for UR_TOKEN_LONGEST. */
static size_t cut_word(const lexicon *x, const ur_bpe *bpe, const ur_vocabulary *known, int32_t id,
                       size_t *end)
{
    size_t size;
    const char *bytes = ur_vocabulary_token(x->seen, id, &size);
    if (bpe && ur_subwords_cuts(bytes, size))
        return ur_bpe_split(bpe, known, bytes, size, end);
    end[0] = size;
    return 1;
}

/* A part as the vocabulary has it. */
static ur_token part_of(const lexicon *x, int32_t id, size_t begin, size_t end, bool last,
                        char text[UR_TOKEN_LONGEST + sizeof UR_BPE_MARK])
{
    const char *bytes = ur_vocabulary_token(x->seen, id, NULL);
    size_t size = end - begin;
    memcpy(text, bytes + begin, size);
    if (!last) {
        memcpy(text + size, UR_BPE_MARK, sizeof UR_BPE_MARK - 1);
        size += sizeof UR_BPE_MARK - 1;
    }
    return (ur_token){text, size, -1};
}

/* Counts the parts of all words that there are to train with. */
static ur_status count_parts(const loader *l, const lexicon *x, const ur_bpe *bpe,
                             const ur_vocabulary *known, ur_tally *tally, ur_err *err)
{
    static const char *const reserved[] = {"bos", "eos"};
    const ur_vocabulary_options choice = {.reserved = reserved, .reserved_count = 2};
    size_t end[UR_TOKEN_LONGEST];
    char text[UR_TOKEN_LONGEST + sizeof UR_BPE_MARK];
    ur_status status = ur_tally_start(tally, l->a, &l->o->text, &choice, err);
    for (size_t w = 0; status == UR_OK && w < ur_vocabulary_size(x->seen); w++) {
        const size_t n = x->count[w] ? cut_word(x, bpe, known, (int32_t)w, end) : 0;
        for (size_t i = 0; status == UR_OK && i < n; i++) {
            const ur_token part =
                part_of(x, (int32_t)w, i ? end[i - 1] : 0, end[i], i + 1 == n, text);
            int32_t id;
            status = ur_tally_add(tally, &part, &id, err);
            if (status == UR_OK)
                tally->count[id] += x->count[w] - 1;
        }
    }
    return status;
}

/* A vocabulary of the parts of words; with a threshold rare ones are cut again before they are
 * counted. */
static ur_status learn_vocabulary(const loader *l, const lexicon *x, const ur_bpe *bpe,
                                  ur_vocabulary **out, ur_err *err)
{
    const ur_vocabulary_options frequent = {.min_freq = l->o->threshold};
    const ur_vocabulary_options choice = {.min_freq = l->o->min_freq, .max_size = l->o->max_size};
    ur_vocabulary *known = NULL;
    ur_tally tally = {.a = l->a};
    ur_status status = UR_OK;
    if (bpe && l->o->threshold > 1) {
        status = count_parts(l, x, bpe, NULL, &tally, err);
        if (status == UR_OK)
            status = ur_tally_choose(&tally, &frequent, &known, err);
        ur_tally_free(&tally);
        tally = (ur_tally){.a = l->a};
    }
    if (status == UR_OK)
        status = count_parts(l, x, bpe, known, &tally, err);
    if (status == UR_OK)
        status = ur_tally_choose(&tally, &choice, out, err);
    ur_tally_free(&tally);
    ur_vocabulary_free(known);
    return status;
}

/* Whether any word is cut otherwise than into characters. */
static bool merges_fit(const loader *l, const ur_bpe *bpe)
{
    size_t end[UR_TOKEN_LONGEST], characters, size;
    for (int side = 0; side < 2; side++) {
        const lexicon *x = l->of[side];
        for (size_t w = 0; w < ur_vocabulary_size(x->seen); w++) {
            const char *bytes = ur_vocabulary_token(x->seen, (int32_t)w, &size);
            if (ur_utf8_count(bytes, size, &characters) && characters > 1 &&
                ur_subwords_cuts(bytes, size) &&
                ur_bpe_split(bpe, NULL, bytes, size, end) < characters)
                return true;
        }
    }
    return false;
}

static ur_status learn_languages(loader *l, ur_languages *out, ur_err *err)
{
    const ur_parallel_options *o = l->o;
    const bool both = !o->joint;
    ur_status status = UR_OK;
    if (o->codes) {
        status = ur_bpe_load(l->a, o->codes, &out->source_bpe, err);
        if (status == UR_OK && !merges_fit(l, out->source_bpe))
            status = ur_fail(err, UR_BAD_FILE, "%s: none of its %zu merges fits a word of %s",
                             o->codes, ur_bpe_count(out->source_bpe), l->raw.name[0]);
    } else if (o->merges) {
        status = learn_merges(l, l->of[0], &out->source_bpe, err);
        if (status == UR_OK && both)
            status = learn_merges(l, l->of[1], &out->target_bpe, err);
    }
    if (status == UR_OK)
        status = learn_vocabulary(l, l->of[0], out->source_bpe, &out->source, err);
    if (status == UR_OK && both)
        status = learn_vocabulary(l, l->of[1], out->target_bpe ? out->target_bpe : out->source_bpe,
                                  &out->target, err);
    return status;
}

/* ---- ids ------------------------------------------------------------------------------------ */

/* The parts of all words as ids. */
static ur_status cut_words(const loader *l, lexicon *x, const ur_subwords *s, ur_err *err)
{
    const size_t n = ur_vocabulary_size(x->seen);
    const int32_t unknown = ur_vocabulary_find_reserved(s->vocabulary, "unk");
    size_t end[UR_TOKEN_LONGEST], capacity = 0, used = 0;
    char text[UR_TOKEN_LONGEST + sizeof UR_BPE_MARK];
    x->begin = ur_alloc(l->a, n + 1, sizeof *x->begin);
    if (!x->begin)
        return ur_no_memory(err, (n + 1) * sizeof *x->begin);
    for (size_t w = 0; w < n; w++) {
        const size_t parts = cut_word(x, s->bpe, s->vocabulary, (int32_t)w, end);
        x->begin[w] = used;
        if (!ur_reserve(l->a, &x->ids, &capacity, used, used + parts, sizeof *x->ids))
            return ur_no_memory(err, (used + parts) * sizeof *x->ids);
        for (size_t i = 0; i < parts; i++) {
            const ur_token part =
                part_of(x, (int32_t)w, i ? end[i - 1] : 0, end[i], i + 1 == parts, text);
            x->ids[used++] = ur_token_id(s->vocabulary, &part, unknown);
        }
    }
    x->begin[n] = used;
    return UR_OK;
}

static size_t length_of(const loader *l, size_t sentence_number)
{
    const lexicon *x = l->of[sentence_number % 2];
    size_t n = 0;
    for (size_t i = l->first[sentence_number]; i < l->first[sentence_number + 1]; i++)
        n += x->begin[l->words[i] + 1] - x->begin[l->words[i]];
    return n;
}

/* Whether a pair belongs to a part of the data, and is not too long for training. */
static bool takes(const loader *l, size_t i, bool valid, bool training)
{
    const size_t most = l->o->max_length;
    return l->valid[i] == valid &&
           !(training && most && (length_of(l, 2 * i) > most || length_of(l, 2 * i + 1) > most));
}

/* The ids of a sentence behind those that are there; returns how many there are then. */
static size_t put_sentence(const loader *l, ur_parallel *p, size_t number, int32_t unknown,
                           size_t used)
{
    const lexicon *x = l->of[number % 2];
    const size_t most = l->o->max_length ? l->o->max_length : SIZE_MAX, begin = used;
    for (size_t i = l->first[number]; i < l->first[number + 1]; i++)
        for (size_t k = x->begin[l->words[i]]; k < x->begin[l->words[i] + 1]; k++) {
            if (used - begin == most) {
                p->notes.cut++;
                return used;
            }
            p->ids[used++] = x->ids[k];
            p->notes.unknown[number % 2] += x->ids[k] == unknown;
            p->notes.tokens[number % 2]++;
        }
    return used;
}

static void fill(const loader *l, ur_parallel *p, const int32_t unknown[2], bool valid,
                 bool training)
{
    size_t used = 0, bytes = 0, n = 0;
    for (size_t i = 0; i < l->raw.count; i++) {
        if (!takes(l, i, valid, training)) {
            p->notes.left_out += l->valid[i] == valid;
            continue;
        }
        for (size_t side = 0; side < 2; side++) {
            const sentence *s = &l->raw.sentence[2 * i + side];
            p->offset[n] = used;
            used = put_sentence(l, p, 2 * i + side, unknown[side], used);
            p->text_offset[n++] = bytes;
            memcpy(p->text + bytes, s->bytes, s->size);
            bytes += s->size;
            p->text[bytes++] = '\0';
        }
    }
    p->offset[n] = used;
}

/* One part of the data. */
static ur_status make_part(loader *l, const ur_languages *languages, bool valid, bool training,
                           ur_parallel **out, ur_err *err)
{
    size_t count = 0, ids = 0, bytes = 0;
    int32_t unknown[2];
    for (size_t i = 0; i < l->raw.count; i++)
        if (takes(l, i, valid, training)) {
            count++;
            ids += length_of(l, 2 * i) + length_of(l, 2 * i + 1);
            bytes += l->raw.sentence[2 * i].size + l->raw.sentence[2 * i + 1].size + 2;
        }
    if (count == 0)
        return ur_fail(err, UR_BAD_FILE, "%s: no pair has at most %zu tokens a side",
                       l->raw.name[0], l->o->max_length);
    ur_parallel *p = *out = ur_alloc_zero(l->a, 1, sizeof *p);
    if (!p)
        return ur_no_memory(err, sizeof *p);
    p->a = l->a;
    p->count = count;
    p->offset = ur_alloc(l->a, 2 * count + 1, sizeof *p->offset);
    p->text_offset = ur_alloc(l->a, 2 * count, sizeof *p->text_offset);
    p->ids = ur_alloc(l->a, ids, sizeof *p->ids);
    p->text = ur_alloc(l->a, bytes, 1);
    if (!p->offset || !p->text_offset || !p->ids || !p->text)
        return ur_no_memory(err, ids * sizeof *p->ids + bytes);
    for (int side = 0; side < 2; side++)
        unknown[side] = ur_vocabulary_find_reserved(
            ur_languages_side(languages, &l->o->text, side).vocabulary, "unk");
    p->notes = (ur_parallel_notes){.empty = valid ? 0 : l->raw.empty,
                                   .attribution = !valid && l->raw.attribution};
    fill(l, p, unknown, valid, training);
    p->remarks.a = l->a;
    if (!valid) { /* which the data as a whole gave rise to */
        p->remarks = l->raw.remarks;
        l->raw.remarks = (ur_remarks){.a = l->a};
    }
    return UR_OK;
}

static ur_status make_parts(loader *l, const ur_languages *languages, bool training,
                            ur_parallel **out, ur_parallel **valid, ur_err *err)
{
    ur_status status = UR_OK;
    for (int side = 0; status == UR_OK && side < 2; side++) {
        const ur_subwords s = ur_languages_side(languages, &l->o->text, side);
        if (!l->of[side]->begin)
            status = cut_words(l, l->of[side], &s, err);
    }
    if (status == UR_OK)
        status = make_part(l, languages, false, training, out, err);
    if (status == UR_OK && valid && l->validates)
        status = make_part(l, languages, true, false, valid, err);
    return status;
}

/* Reads the data and makes what was asked for of it; learned: languages to learn from it first. */
static ur_status load(loader *l, const char *data, const ur_languages *known, ur_languages *learned,
                      bool training, const ur_valid_part *apart, ur_parallel **out,
                      ur_parallel **valid, ur_err *err)
{
    ur_parallel *none = NULL, **part = valid ? valid : &none;
    *out = *part = NULL;
    ur_status status = start(l, data, err);
    if (status == UR_OK)
        status = choose_part(l, apart, err);
    if (status == UR_OK)
        status = read_sentences(l, err);
    if (status == UR_OK && learned)
        status = learn_languages(l, learned, err);
    if (status == UR_OK)
        status = make_parts(l, learned ? learned : known, training, out, valid, err);
    free_loader(l);
    if (status != UR_OK) {
        ur_parallel_free(*out);
        ur_parallel_free(*part);
        *out = *part = NULL;
    }
    return status;
}

ur_status ur_parallel_learn(const ur_allocator *a, const char *data,
                            const ur_parallel_options *options, const ur_valid_part *apart,
                            ur_parallel **train, ur_parallel **valid, ur_languages *languages,
                            ur_err *err)
{
    loader l = {.a = a, .o = options};
    *languages = (ur_languages){NULL, NULL, NULL, NULL};
    const ur_status status = load(&l, data, NULL, languages, true, apart, train, valid, err);
    if (status != UR_OK)
        ur_languages_free(languages);
    return status;
}

ur_status ur_parallel_open(const ur_allocator *a, const char *data,
                           const ur_parallel_options *options, const ur_languages *languages,
                           bool training, const ur_valid_part *apart, ur_parallel **out,
                           ur_parallel **valid, ur_err *err)
{
    loader l = {.a = a, .o = options, .raw = {.keeps_empty = !training}};
    return load(&l, data, languages, NULL, training, apart, out, valid, err);
}
