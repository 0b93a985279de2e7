/* pairs_read.c - from the bytes of a file of pairs to ids.
 *
 * The lines are walked through twice: first to check and measure them all, which settles the form
 * and how much memory is needed, then to look up their characters. */
#include "data/pairs.h"
#include "data/pair_lines.h"
#include "base/utf8.h"
#include "base/alloc.h"
#include "base/status.h"

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
    ur_pair_lines pairs;
    *m = (measure){.question_shortest = SIZE_MAX, .answer_shortest = SIZE_MAX};
    ur_status status = ur_pair_lines_start(&pairs, name, bytes, size, strip, err);
    if (status != UR_OK)
        return status;
    m->separator = pairs.separator;
    while (pairs.lines.size > 0) {
        ur_pair_text question, answer;
        status = ur_pair_lines_next(&pairs, &question, &answer);
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
    ur_pair_lines from;
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

static ur_status read_text(reader *r, const ur_pair_text *text)
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

static ur_status read_part(reader *r, const char *what, const ur_pair_text *text, size_t width)
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
        ur_pair_text question, answer;
        ur_status status = ur_pair_lines_next(&r->from, &question, &answer);
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
        status = ur_pair_lines_start(&r->from, name, bytes, size, r->format->strip, r->err);
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
