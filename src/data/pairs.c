/* pairs.c - data sets of pairs: the lines of a file or of a generator, question, separator, answer,
 * and their ids. How questions and answers are laid out for a model: pair_format.c.
 *
 * The lines are walked through twice: first to check and measure them all, which settles the form
 * and how much memory is needed, then to look up their characters. */
#include "data/pairs.h"
#include "data/builtin.h"
#include "text/lines.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"
#include "base/utf8.h"

#include <string.h>

/* ---- lines ---------------------------------------------------------------------------------- */

typedef struct pair_lines {
    ur_lines lines;
    char separator; /* '\t' or '_' */
    bool strip;
} pair_lines;

/* A question or an answer: valid UTF-8. */
typedef struct pair_text {
    const char *bytes;
    size_t size, characters;
} pair_text;

/* Skips a byte order mark and finds out the separator. UR_BAD_FILE: nothing is there. */
static ur_status start_lines(pair_lines *pairs, const char *name, const char *bytes, size_t size,
                             bool strip, ur_err *err)
{
    ur_lines *l = &pairs->lines;
    ur_lines_start(l, name, bytes, size, err);
    if (l->size == 0)
        return ur_fail(err, UR_BAD_FILE, "%s: an empty file where pairs were expected", name);
    const char *end = memchr(l->bytes, '\n', l->size);
    size_t first = end ? (size_t)(end - l->bytes) : l->size;
    pairs->separator = memchr(l->bytes, '\t', first) ? '\t' : '_';
    pairs->strip = strip;
    return UR_OK;
}

static ur_status check_text(const pair_lines *pairs, const char *what, const char *where,
                            pair_text *text)
{
    const ur_lines *l = &pairs->lines;
    if (pairs->strip)
        ur_strip(&text->bytes, &text->size);
    size_t count = 0;
    ur_status status = ur_lines_check(l, text->bytes, text->size, where, &count);
    if (status != UR_OK)
        return status;
    if (count > UR_PAIR_LONGEST)
        return ur_fail(l->err, UR_BAD_FILE,
                       "%s: line %zu: the %s has %zu characters, at most %d are allowed", l->name,
                       l->line, what, count, UR_PAIR_LONGEST);
    text->characters = count;
    return UR_OK;
}

/* The next line; only to be called while pairs->lines.size > 0. */
static ur_status next_line(pair_lines *pairs, pair_text *question, pair_text *answer)
{
    ur_lines *l = &pairs->lines;
    ur_line line;
    ur_status status = ur_lines_next(l, &line);
    if (status != UR_OK)
        return status;
    const char *separator = memchr(line.bytes, pairs->separator, line.size);
    if (!separator)
        return ur_fail(l->err, UR_BAD_FILE, "%s: line %zu: no %s between a question and an answer",
                       l->name, l->line, pairs->separator == '\t' ? "tab" : "tab or _");
    size_t before = (size_t)(separator - line.bytes);
    *question = (pair_text){line.bytes, before, 0};
    *answer = (pair_text){separator + 1, line.size - before - 1, 0};
    status = check_text(pairs, "question", " in the question", question);
    return status == UR_OK ? check_text(pairs, "answer", " in the answer", answer) : status;
}

/* ---- two walks ------------------------------------------------------------------------------ */

/* What the first walk finds out. */
typedef struct measure {
    size_t lines, characters;
    size_t question_longest, answer_longest, question_shortest, answer_shortest;
    char separator;
} measure;

static void widen(size_t value, size_t *shortest, size_t *longest)
{
    if (value < *shortest)
        *shortest = value;
    if (value > *longest)
        *longest = value;
}

static ur_status measure_lines(const char *name, const char *bytes, size_t size, bool strip,
                               measure *m, ur_err *err)
{
    pair_lines pairs;
    *m = (measure){.question_shortest = SIZE_MAX, .answer_shortest = SIZE_MAX};
    ur_status status = start_lines(&pairs, name, bytes, size, strip, err);
    if (status != UR_OK)
        return status;
    m->separator = pairs.separator;
    while (pairs.lines.size > 0) {
        pair_text question, answer;
        status = next_line(&pairs, &question, &answer);
        if (status != UR_OK)
            return status;
        m->lines++;
        m->characters += question.characters + answer.characters;
        widen(question.characters, &m->question_shortest, &m->question_longest);
        widen(answer.characters, &m->answer_shortest, &m->answer_longest);
    }
    return UR_OK;
}

/* The second walk. Either `learned` takes new characters, or `known` has to have them all. */
typedef struct reader {
    pair_lines from;
    const ur_pair_format *format;
    const ur_vocabulary *known;
    ur_vocabulary *learned; /* NULL when opening */
    ur_pairs *pairs;
    size_t used;         /* ids written so far */
    int32_t single[128]; /* ids of the ASCII characters seen so far, which are most; 0: not seen,
                            else one more than the id */
    ur_err *err;
} reader;

static ur_status unknown(const reader *r, uint32_t character)
{
    char name[UR_CHARACTER_NAME];
    return ur_fail(r->err, UR_BAD_FILE,
                   "%s: line %zu: the character %s is not in the model's vocabulary",
                   r->from.lines.name, r->from.lines.line, ur_character_name(character, name));
}

/* The id of the character at the start of `bytes`, looked up or learned. */
static ur_status find_id(reader *r, const char *bytes, size_t size, size_t *taken, int32_t *id)
{
    uint32_t character = 0;
    *taken = ur_utf8_decode(bytes, size, &character);
    *id = ur_vocabulary_find(r->known, bytes, *taken);
    if (*id < 0 && !r->learned)
        return unknown(r, character);
    if (*id < 0) {
        ur_status status = ur_vocabulary_add(r->learned, bytes, *taken, id, r->err);
        if (status != UR_OK)
            return status;
    }
    if (*taken == 1)
        r->single[character] = *id + 1;
    return UR_OK;
}

static ur_status read_text(reader *r, const pair_text *text)
{
    int32_t *ids = r->pairs->ids;
    for (size_t at = 0; at < text->size;) {
        unsigned char byte = (unsigned char)text->bytes[at];
        size_t taken = 1;
        int32_t id = byte < 128 ? r->single[byte] - 1 : -1;
        if (id < 0) {
            ur_status status = find_id(r, text->bytes + at, text->size - at, &taken, &id);
            if (status != UR_OK)
                return status;
        }
        ids[r->used++] = id;
        at += taken;
    }
    return UR_OK;
}

/* Fills a text of the fixed form up with spaces. */
static ur_status fill_up(reader *r, const char *what, size_t characters, size_t width)
{
    int32_t space = ur_vocabulary_find_character(r->known, ' ');
    if (characters > width || (characters < width && space < 0))
        return ur_fail(r->err, UR_BAD_FILE,
                       "%s: line %zu: the %s has %zu characters, the model's have %s%zu",
                       r->from.lines.name, r->from.lines.line, what, characters,
                       space < 0 ? "exactly " : "at most ", width);
    for (; characters < width; characters++)
        r->pairs->ids[r->used++] = space;
    return UR_OK;
}

static ur_status read_part(reader *r, const char *what, const pair_text *text, size_t width)
{
    bool fixed = r->format->form == UR_PAIRS_FIXED;
    if (fixed && text->characters > width)
        return fill_up(r, what, text->characters, width);
    ur_status status = read_text(r, text);
    if (status == UR_OK && fixed)
        status = fill_up(r, what, text->characters, width);
    return status;
}

static ur_status read_lines(reader *r)
{
    size_t *offset = r->pairs->offset;
    const ur_pair_format *f = r->format;
    *offset++ = 0;
    while (r->from.lines.size > 0) {
        pair_text question, answer;
        ur_status status = next_line(&r->from, &question, &answer);
        if (status == UR_OK)
            status = read_part(r, "question", &question, f->question_width);
        *offset++ = r->used;
        /* the separator comes between them, also where ids are given by first appearance */
        int32_t start;
        if (status == UR_OK && r->learned && f->form == UR_PAIRS_FIXED)
            status = r->from.separator == '_'
                         ? ur_vocabulary_add_character(r->learned, '_', &start, r->err)
                         : ur_vocabulary_add_reserved(r->learned, "start", &start, r->err);
        if (status == UR_OK)
            status = read_part(r, "answer", &answer, f->answer_steps);
        *offset++ = r->used;
        if (status != UR_OK)
            return status;
    }
    return UR_OK;
}

/* The second walk with the memory that the first one asked for. */
static ur_status read_pairs(const ur_allocator *a, const char *name, const char *bytes, size_t size,
                            const measure *m, reader *r, ur_pairs **out)
{
    size_t ids = m->characters;
    if (r->format->form == UR_PAIRS_FIXED) {
        size_t line = r->format->question_width + r->format->answer_steps;
        if (line && m->lines > SIZE_MAX / line)
            return ur_no_memory(r->err, SIZE_MAX);
        ids = m->lines * line;
    }
    ur_pairs *p = ur_alloc_zero(a, 1, sizeof *p);
    if (!p)
        return ur_no_memory(r->err, sizeof *p);
    p->a = a;
    p->count = m->lines;
    p->offset = ur_alloc(a, 2 * m->lines + 1, sizeof *p->offset);
    p->ids = ur_alloc(a, ids, sizeof *p->ids);
    r->pairs = p;
    ur_status status = UR_OK;
    if (!p->offset || !p->ids)
        status = ur_no_memory(r->err, (2 * m->lines + 1) * sizeof *p->offset + ids * 4);
    if (status == UR_OK)
        status = start_lines(&r->from, name, bytes, size, r->format->strip, r->err);
    if (status == UR_OK)
        status = read_lines(r);
    if (status == UR_OK)
        *out = p;
    else
        ur_pairs_free(p);
    return status;
}

ur_status ur_pairs_open_bytes(const ur_allocator *a, const char *name, const char *bytes,
                              size_t size, const ur_pair_format *format,
                              const ur_vocabulary *vocabulary, ur_pairs **out, ur_err *err)
{
    measure m;
    reader r = {.format = format, .known = vocabulary, .err = err};
    *out = NULL;
    ur_status status = measure_lines(name, bytes, size, format->strip, &m, err);
    if (status != UR_OK)
        return status;
    return read_pairs(a, name, bytes, size, &m, &r, out);
}

/* ---- learning ----------------------------------------------------------------------------- */

static void settle_form(const measure *m, bool strip, ur_pair_format *format)
{
    *format = (ur_pair_format){.form = UR_PAIRS_RAGGED, .strip = strip, .end = -1};
    bool fixed = !strip && m->question_shortest == m->question_longest &&
                 m->answer_shortest == m->answer_longest && m->question_longest > 0 &&
                 m->answer_longest > 0;
    if (fixed) {
        format->form = UR_PAIRS_FIXED;
        format->question_width = m->question_longest;
        format->answer_steps = m->answer_longest;
    } else {
        /* one more for the end symbol; the rest lets answers be a little longer than any seen */
        format->answer_steps = m->answer_longest + 1 + m->answer_longest / 4 + 4;
    }
}

/* Tokens that come before those of the first line. */
static ur_status add_first(ur_vocabulary *v, const ur_pair_format *format, char separator,
                           const char *characters, ur_err *err)
{
    ur_status status = UR_OK;
    int32_t id;
    if (format->form == UR_PAIRS_RAGGED) {
        status = ur_vocabulary_add_reserved(v, "start", &id, err);
        if (status == UR_OK)
            status = ur_vocabulary_add_reserved(v, "end", &id, err);
    } else if (characters && separator == '_') {
        status = ur_vocabulary_add_character(v, '_', &id, err);
    }
    for (; status == UR_OK && characters && *characters; characters++)
        status = ur_vocabulary_add(v, characters, 1, &id, err);
    return status;
}

static ur_status learn(const ur_allocator *a, const char *name, const char *bytes, size_t size,
                       const char *characters, const measure *m, ur_pairs **out, ur_vocabulary *v,
                       ur_pair_format *format, ur_err *err)
{
    reader r = {.format = format, .known = v, .learned = v, .err = err};
    ur_status status = add_first(v, format, m->separator, characters, err);
    if (status == UR_OK)
        status = read_pairs(a, name, bytes, size, m, &r, out);
    if (status != UR_OK)
        return status;
    bool underscore = format->form == UR_PAIRS_FIXED && m->separator == '_';
    format->start =
        underscore ? ur_vocabulary_find_character(v, '_') : ur_vocabulary_find_reserved(v, "start");
    format->end = ur_vocabulary_find_reserved(v, "end");
    return UR_OK;
}

ur_status ur_pairs_learn_bytes(const ur_allocator *a, const char *name, const char *bytes,
                               size_t size, const char *characters, bool strip, ur_pairs **out,
                               ur_vocabulary **vocabulary, ur_pair_format *format, ur_err *err)
{
    measure m;
    ur_vocabulary *v;
    *out = NULL;
    *vocabulary = NULL;
    ur_status status = measure_lines(name, bytes, size, strip, &m, err);
    if (status != UR_OK)
        return status;
    status = ur_vocabulary_new(a, &v, err);
    if (status != UR_OK)
        return status;
    settle_form(&m, strip, format);
    status = learn(a, name, bytes, size, characters, &m, out, v, format, err);
    if (status == UR_OK)
        *vocabulary = v;
    else
        ur_vocabulary_free(v);
    return status;
}

/* ---- from a file or a generator ------------------------------------------------------------- */

/* A source's bytes, and the characters its generator can use (NULL for a file). */
static ur_status read_source(const ur_allocator *a, const ur_pair_source *source, char **bytes,
                             size_t *size, const char **characters, ur_err *err)
{
    const ur_generator *g;
    *characters = NULL;
    if (!source->data)
        return ur_fail(err, UR_INVALID, "no data: neither a file nor builtin:dates");
    ur_status status = ur_find_generator(source->data, &g, err);
    if (status != UR_OK)
        return status;
    if (!g)
        return ur_read_file(a, source->data, UR_TEXT_FILE_LIMIT, bytes, size, err);
    *characters = g->characters;
    return ur_pairs_generate(a, source, bytes, size, err);
}

ur_status ur_pairs_learn(const ur_allocator *a, const ur_pair_source *source, bool strip,
                         ur_pairs **out, ur_vocabulary **vocabulary, ur_pair_format *format,
                         ur_err *err)
{
    char *bytes;
    size_t size;
    const char *characters;
    *out = NULL;
    *vocabulary = NULL;
    ur_status status = read_source(a, source, &bytes, &size, &characters, err);
    if (status != UR_OK)
        return status;
    status = ur_pairs_learn_bytes(a, source->data, bytes, size, characters, strip, out, vocabulary,
                                  format, err);
    ur_free(a, bytes);
    return status;
}

ur_status ur_pairs_open(const ur_allocator *a, const ur_pair_source *source,
                        const ur_pair_format *format, const ur_vocabulary *vocabulary,
                        ur_pairs **out, ur_err *err)
{
    char *bytes;
    size_t size;
    const char *characters;
    *out = NULL;
    ur_status status = ur_pair_format_check(format, vocabulary, err);
    if (status == UR_OK)
        status = read_source(a, source, &bytes, &size, &characters, err);
    if (status != UR_OK)
        return status;
    status = ur_pairs_open_bytes(a, source->data, bytes, size, format, vocabulary, out, err);
    ur_free(a, bytes);
    return status;
}

/* ---- looking at it -------------------------------------------------------------------------- */

void ur_pairs_free(ur_pairs *pairs)
{
    if (!pairs)
        return;
    ur_free(pairs->a, pairs->offset);
    ur_free(pairs->a, pairs->ids);
    ur_free(pairs->a, pairs);
}

size_t ur_pairs_count(const ur_pairs *pairs)
{
    return pairs->count;
}

static ur_ids part(const ur_pairs *pairs, size_t index)
{
    size_t begin = pairs->offset[index];
    return (ur_ids){pairs->ids + begin, pairs->offset[index + 1] - begin};
}

ur_ids ur_pairs_question(const ur_pairs *pairs, size_t index)
{
    return part(pairs, 2 * index);
}

ur_ids ur_pairs_answer(const ur_pairs *pairs, size_t index)
{
    return part(pairs, 2 * index + 1);
}
