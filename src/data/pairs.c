/* pairs.c - data sets of pairs: the lines of a file or of a generator, question, separator, answer,
 * and their ids. How questions and answers are laid out for a model: pair_format.c.
 *
 * The lines are walked through twice: first to check and measure them all, which settles the form
 * and how much memory is needed, then to look up their characters. */
#include "data/pairs.h"
#include "data/builtin.h"
#include "data/pair_lines.h"
#include "text/lines.h"
#include "text/normalise.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"
#include "base/utf8.h"

#include <string.h>

/* ---- lines ---------------------------------------------------------------------------------- */

/* The bytes of a file, and how they are read. */
typedef struct file {
    const ur_allocator *a;
    const char *name, *bytes;
    size_t size;
    const ur_reading *reading;    /* or NULL */
    const ur_pair_format *format; /* strip, lower, unicode */
    ur_err *err;
} file;

/* A question or an answer: valid UTF-8. */
typedef struct pair_text {
    const char *bytes;
    size_t size, characters;
} pair_text;

typedef struct walk {
    const file *from;
    ur_pair_lines lines;
    ur_normaliser normal[2]; /* of questions and answers */
    size_t cut, longer,
        most; /* texts that were cut, pairs that were left out; at how many characters */
} walk;

static ur_status start_walk(walk *w, const file *from, ur_remarks *remarks)
{
    const ur_pair_format *f = from->format;
    *w = (walk){.from = from};
    for (size_t i = 0; i < 2; i++)
        w->normal[i] = (ur_normaliser){.a = from->a, .form = f->unicode, .lower = f->lower};
    w->most = from->reading ? from->reading->max_length : 0;
    return ur_pair_lines_start(&w->lines, from->a, from->name, from->bytes, from->size,
                               from->reading, remarks, from->err);
}

static void end_walk(walk *w)
{
    ur_table_free(&w->lines.table);
    for (size_t i = 0; i < 2; i++)
        ur_normaliser_free(&w->normal[i]);
}

static ur_status at_line(const walk *w, const ur_err *why)
{
    const ur_table *t = &w->lines.table;
    return ur_fail(w->from->err, why->status, "%s: line %zu: %s", t->lines.name, t->line,
                   why->text);
}

static void cut_characters(pair_text *text, size_t most)
{
    size_t at = 0;
    for (size_t i = 0; i < most; i++) {
        uint32_t character;
        at += ur_utf8_decode(text->bytes + at, text->size - at, &character);
    }
    text->size = at;
    text->characters = most;
}

/* A text as it is to be read; *longer: it has more characters than were asked for. */
static ur_status prepare(walk *w, size_t which, ur_span span, pair_text *text, bool *longer)
{
    static const char *const what[] = {"question", "answer"};
    const ur_table *t = &w->lines.table;
    ur_err why;
    *text = (pair_text){span.bytes, span.size, 0};
    if (w->from->format->strip)
        ur_strip(&text->bytes, &text->size);
    if (ur_normalise(&w->normal[which], &text->bytes, &text->size, &why) != UR_OK)
        return at_line(w, &why);
    ur_utf8_count(text->bytes, text->size, &text->characters);
    *longer = w->most && text->characters > w->most;
    if (*longer)
        cut_characters(text, w->most);
    if (text->characters <= UR_PAIR_LONGEST)
        return UR_OK;
    return ur_fail(w->from->err, UR_BAD_FILE,
                   "%s: line %zu: the %s has %zu characters, at most %d are allowed (--max-length "
                   "cuts)",
                   t->lines.name, t->line, what[which], text->characters, UR_PAIR_LONGEST);
}

/* The next pair that is read; *found is false behind the last. */
static ur_status next_pair(walk *w, pair_text *question, pair_text *answer, bool *found)
{
    const bool skip = w->from->reading && w->from->reading->skip;
    for (;;) {
        ur_span q, a;
        bool first = false, second = false;
        ur_status status = ur_pair_lines_next(&w->lines, &q, &a, found);
        if (status != UR_OK || !*found)
            return status;
        status = prepare(w, 0, q, question, &first);
        if (status == UR_OK)
            status = prepare(w, 1, a, answer, &second);
        if (status != UR_OK)
            return status;
        if (!skip || (!first && !second)) {
            w->cut += (size_t)first + (size_t)second;
            return UR_OK;
        }
        w->longer++;
    }
}

/* ---- two walks ------------------------------------------------------------------------------ */

/* What the first walk finds out. */
typedef struct measure {
    size_t lines, characters;
    size_t question_longest, answer_longest, question_shortest, answer_shortest;
    bool padded; /* a text begins or ends with a space */
    char separator;
} measure;

static void widen(size_t value, size_t *shortest, size_t *longest)
{
    if (value < *shortest)
        *shortest = value;
    if (value > *longest)
        *longest = value;
}

static bool is_padded(const pair_text *t)
{
    return t->size && (t->bytes[0] == ' ' || t->bytes[t->size - 1] == ' ');
}

static ur_status measure_lines(const file *from, measure *m)
{
    walk w;
    bool found = true;
    *m = (measure){.question_shortest = SIZE_MAX, .answer_shortest = SIZE_MAX};
    ur_status status = start_walk(&w, from, NULL);
    m->separator = w.lines.separator;
    while (status == UR_OK && found) {
        pair_text question, answer;
        status = next_pair(&w, &question, &answer, &found);
        if (status != UR_OK || !found)
            break;
        m->lines++;
        m->characters += question.characters + answer.characters;
        m->padded = m->padded || is_padded(&question) || is_padded(&answer);
        widen(question.characters, &m->question_shortest, &m->question_longest);
        widen(answer.characters, &m->answer_shortest, &m->answer_longest);
    }
    end_walk(&w);
    if (status == UR_OK && m->lines == 0)
        return ur_fail(from->err, UR_BAD_FILE, "%s: there is no pair in this file%s", from->name,
                       w.longer ? " that is short enough" : "");
    return status;
}

/* The second walk. Either `learned` takes new characters, or `known` is what there is. */
typedef struct reader {
    walk from;
    const ur_pair_format *format;
    const ur_vocabulary *known;
    ur_vocabulary *learned; /* NULL when opening */
    ur_pairs *pairs;
    size_t used;              /* ids written so far */
    size_t lacking;           /* characters of this pair that the vocabulary lacks */
    size_t touched, unusable; /* pairs that have any; pairs that were left out */
    int32_t single[128];      /* ids of the ASCII characters seen so far, which are most; 0: not
                                 seen, else one more than the id */
    ur_err *err;
} reader;

/* The id of the character at the start of `bytes`, looked up or learned. */
static ur_status find_id(reader *r, const char *bytes, size_t size, size_t *taken, int32_t *id)
{
    uint32_t character = 0;
    *taken = ur_utf8_decode(bytes, size, &character);
    *id = ur_vocabulary_find(r->known, bytes, *taken);
    if (*id < 0 && !r->learned) {
        r->lacking++;
        *id = UR_UNKNOWN;
        return UR_OK;
    }
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

/* Whether the text goes into the columns of the fixed form. */
static bool has_room(const reader *r, const pair_text *text, size_t width)
{
    const int32_t space = ur_vocabulary_find_character(r->known, ' ');
    return r->format->form != UR_PAIRS_FIXED || r->learned || text->characters == width ||
           (text->characters < width && space >= 0);
}

static ur_status no_room(const reader *r, const char *what, const pair_text *text, size_t width)
{
    const ur_table *t = &r->from.lines.table;
    const int32_t space = ur_vocabulary_find_character(r->known, ' ');
    return ur_fail(r->err, UR_BAD_FILE,
                   "%s: line %zu: the %s has %zu characters, the model's have %s%zu (--skip leaves "
                   "it out)",
                   t->lines.name, t->line, what, text->characters,
                   space < 0 ? "exactly " : "at most ", width);
}

/* A text's ids, filled up with spaces in the fixed form. */
static ur_status read_part(reader *r, const pair_text *text, size_t width)
{
    ur_status status = read_text(r, text);
    if (status != UR_OK || r->format->form != UR_PAIRS_FIXED)
        return status;
    const int32_t space = ur_vocabulary_find_character(r->known, ' ');
    for (size_t i = text->characters; i < width; i++)
        r->pairs->ids[r->used++] = space;
    return UR_OK;
}

static ur_status read_pair(reader *r, const pair_text *question, const pair_text *answer)
{
    ur_pairs *p = r->pairs;
    const ur_pair_format *f = r->format;
    const bool skip = r->from.from->reading && r->from.from->reading->skip;
    const bool first = has_room(r, question, f->question_width);
    const bool fits = first && has_room(r, answer, f->answer_steps);
    const size_t begin = r->used;
    r->lacking = 0;
    if (!fits && !skip)
        return first ? no_room(r, "answer", answer, f->answer_steps)
                     : no_room(r, "question", question, f->question_width);
    if (!fits) {
        r->unusable++;
        return UR_OK;
    }
    ur_status status = read_part(r, question, f->question_width);
    p->offset[2 * p->count + 1] = r->used;
    /* the separator comes between them, also where ids are given by first appearance */
    int32_t start;
    if (status == UR_OK && r->learned && f->form == UR_PAIRS_FIXED)
        status = r->from.lines.separator == '_'
                     ? ur_vocabulary_add_character(r->learned, '_', &start, r->err)
                     : ur_vocabulary_add_reserved(r->learned, "start", &start, r->err);
    if (status == UR_OK)
        status = read_part(r, answer, f->answer_steps);
    if (status == UR_OK && r->lacking && skip) {
        r->used = begin;
        r->unusable++;
        return UR_OK;
    }
    p->offset[2 * p->count + 2] = r->used;
    p->unknown += r->lacking;
    r->touched += r->lacking > 0;
    p->count++;
    return status;
}

/* What was found besides pairs. */
static ur_status remark_all(const reader *r)
{
    ur_remarks *to = &r->pairs->remarks;
    const walk *w = &r->from;
    const char *name = w->from->name;
    ur_status status = ur_pair_lines_remark(&w->lines, to);
    if (status == UR_OK && w->cut)
        status = ur_remark(to, r->err, "%s: %zu texts were cut to %zu characters", name, w->cut,
                           w->most);
    if (status == UR_OK && w->longer)
        status = ur_remark(to, r->err, "%s: %zu pairs of more than %zu characters are left out",
                           name, w->longer, w->most);
    if (status == UR_OK && r->unusable)
        status = ur_remark(to, r->err,
                           "%s: %zu pairs are left out, which have characters that the model does "
                           "not know, or too many",
                           name, r->unusable);
    if (status == UR_OK && r->touched)
        status = ur_remark(to, r->err,
                           "%s: %zu characters, in %zu of %zu pairs, are unknown to the model: "
                           "nothing is read in their place, and answers with them are never right",
                           name, r->pairs->unknown, r->touched, r->pairs->count);
    return status;
}

static ur_status read_lines(reader *r, size_t room)
{
    bool found = true;
    r->pairs->offset[0] = 0;
    ur_status status = UR_OK;
    while (status == UR_OK) {
        pair_text question, answer;
        status = next_pair(&r->from, &question, &answer, &found);
        if (status != UR_OK || !found)
            break;
        if (r->pairs->count == room) /* the bytes are not those of the first walk */
            return ur_fail(r->err, UR_IO, "%s: changed while it was read", r->from.from->name);
        status = read_pair(r, &question, &answer);
    }
    if (status == UR_OK && r->pairs->count == 0)
        status = ur_fail(r->err, UR_BAD_FILE, "%s: no pair is left that can be used",
                         r->from.from->name);
    return status == UR_OK ? remark_all(r) : status;
}

/* The second walk with the memory that the first one asked for. */
static ur_status read_pairs(const file *from, const measure *m, reader *r, ur_pairs **out)
{
    const ur_allocator *a = from->a;
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
    p->a = p->remarks.a = a;
    p->offset = ur_alloc(a, 2 * m->lines + 1, sizeof *p->offset);
    p->ids = ur_alloc(a, ids, sizeof *p->ids);
    r->pairs = p;
    ur_status status = UR_OK;
    if (!p->offset || !p->ids)
        status = ur_no_memory(r->err, (2 * m->lines + 1) * sizeof *p->offset + ids * 4);
    if (status == UR_OK) {
        status = start_walk(&r->from, from, &p->remarks);
        if (status == UR_OK)
            status = read_lines(r, m->lines);
        end_walk(&r->from);
    }
    if (status == UR_OK)
        *out = p;
    else
        ur_pairs_free(p);
    return status;
}

ur_status ur_pairs_open_bytes(const ur_allocator *a, const char *name, const char *bytes,
                              size_t size, const ur_reading *reading, const ur_pair_format *format,
                              const ur_vocabulary *vocabulary, ur_pairs **out, ur_err *err)
{
    const file from = {a, name, bytes, size, reading, format, err};
    measure m;
    reader r = {.format = format, .known = vocabulary, .err = err};
    *out = NULL;
    const ur_status status = measure_lines(&from, &m);
    return status == UR_OK ? read_pairs(&from, &m, &r, out) : status;
}

/* ---- learning ----------------------------------------------------------------------------- */

static bool equal_widths(const measure *m)
{
    return m->question_shortest == m->question_longest && m->answer_shortest == m->answer_longest &&
           m->question_longest > 0 && m->answer_longest > 0;
}

/* Lines of equal width are columns that spaces fill up, or equal by chance. */
static void settle_form(const measure *m, bool generated, ur_pair_format *format)
{
    format->form = UR_PAIRS_RAGGED;
    format->end = -1;
    if (!format->strip && equal_widths(m) && (m->padded || generated)) {
        format->form = UR_PAIRS_FIXED;
        format->question_width = m->question_longest;
        format->answer_steps = m->answer_longest;
    } else {
        /* one more for the end symbol; the rest lets answers be a little longer than any seen */
        format->answer_steps = m->answer_longest + 1 + m->answer_longest / 4 + 4;
    }
}

/* How the widths were understood, where they could have been otherwise. */
static ur_status remark_form(const file *from, const measure *m, const ur_pair_format *format,
                             ur_pairs *pairs)
{
    if (m->lines < 2 || from->format->strip || !equal_widths(m))
        return UR_OK;
    if (format->form == UR_PAIRS_FIXED)
        return ur_remark(&pairs->remarks, from->err,
                         "%s: columns of %zu and %zu characters, which spaces fill up "
                         "(--strip reads real lengths)",
                         from->name, m->question_longest, m->answer_longest);
    return ur_remark(
        &pairs->remarks, from->err,
        "%s: all questions have %zu characters and all answers %zu, but none is filled "
        "up with spaces: taken for chance, other lengths are answered, too",
        from->name, m->question_longest, m->answer_longest);
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

static ur_status learn(const file *from, const char *characters, const measure *m, ur_pairs **out,
                       ur_vocabulary *v, ur_pair_format *format)
{
    reader r = {.format = format, .known = v, .learned = v, .err = from->err};
    ur_status status = add_first(v, format, m->separator, characters, from->err);
    if (status == UR_OK)
        status = read_pairs(from, m, &r, out);
    if (status == UR_OK && !characters)
        status = remark_form(from, m, format, *out);
    if (status != UR_OK)
        return status;
    bool underscore = format->form == UR_PAIRS_FIXED && m->separator == '_';
    format->start =
        underscore ? ur_vocabulary_find_character(v, '_') : ur_vocabulary_find_reserved(v, "start");
    format->end = ur_vocabulary_find_reserved(v, "end");
    return UR_OK;
}

ur_status ur_pairs_learn_bytes(const ur_allocator *a, const char *name, const char *bytes,
                               size_t size, const char *characters, const ur_reading *reading,
                               const ur_pair_format *wanted, ur_pairs **out,
                               ur_vocabulary **vocabulary, ur_pair_format *format, ur_err *err)
{
    measure m;
    ur_vocabulary *v;
    ur_pair_format asked = {0};
    if (wanted) {
        asked.strip = wanted->strip;
        asked.lower = wanted->lower;
        asked.unicode = wanted->unicode;
    }
    const file from = {a, name, bytes, size, reading, &asked, err};
    *out = NULL;
    *vocabulary = NULL;
    ur_status status = measure_lines(&from, &m);
    if (status != UR_OK)
        return status;
    status = ur_vocabulary_new(a, &v, err);
    if (status != UR_OK)
        return status;
    *format = asked;
    settle_form(&m, characters != NULL, format);
    status = learn(&from, characters, &m, out, v, format);
    if (status == UR_OK) {
        *vocabulary = v;
    } else {
        ur_pairs_free(*out);
        *out = NULL;
        ur_vocabulary_free(v);
    }
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

ur_status ur_pairs_learn(const ur_allocator *a, const ur_pair_source *source,
                         const ur_pair_format *wanted, ur_pairs **out, ur_vocabulary **vocabulary,
                         ur_pair_format *format, ur_err *err)
{
    char *bytes;
    size_t size;
    const char *characters;
    *out = NULL;
    *vocabulary = NULL;
    ur_status status = read_source(a, source, &bytes, &size, &characters, err);
    if (status != UR_OK)
        return status;
    status = ur_pairs_learn_bytes(a, source->data, bytes, size, characters,
                                  characters ? NULL : source->reading, wanted, out, vocabulary,
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
    status = ur_pairs_open_bytes(a, source->data, bytes, size, characters ? NULL : source->reading,
                                 format, vocabulary, out, err);
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
    ur_remarks_free(&pairs->remarks);
    ur_free(pairs->a, pairs);
}

size_t ur_pairs_count(const ur_pairs *pairs)
{
    return pairs->count;
}

const char *ur_pairs_remark(const ur_pairs *pairs, size_t i)
{
    return ur_remark_at(&pairs->remarks, i);
}

size_t ur_pairs_unknown(const ur_pairs *pairs)
{
    return pairs->unknown;
}

/* Of pair `index`, side 0 the question. */
static ur_ids part(const ur_pairs *pairs, size_t index, size_t side)
{
    if (index >= pairs->count)
        return (ur_ids){NULL, 0};
    index = 2 * index + side;
    size_t begin = pairs->offset[index];
    return (ur_ids){pairs->ids + begin, pairs->offset[index + 1] - begin};
}

ur_ids ur_pairs_question(const ur_pairs *pairs, size_t index)
{
    return part(pairs, index, 0);
}

ur_ids ur_pairs_answer(const ur_pairs *pairs, size_t index)
{
    return part(pairs, index, 1);
}
