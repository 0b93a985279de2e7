/* questions.c - questions about texts: reading, windows and what is learned in each.
 *
 * A window has room = longest - 3 - (the question's pieces) pieces of the text; the next one begins
 * room - stride further on, until one holds the text's end. The answer is learned in a window that holds
 * all of it: from the last piece that begins at or before its first byte to the first piece that ends at or
 * behind its last one. */
#include "data/questions.h"

#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/status.h"
#include "base/tiny.h"
#include "base/utf8.h"
#include "data/split.h"
#include "text/lines.h"

enum { MOST_VALUES = 1 << 28, STRIDE = 128, CHARACTERS_MARKED = UR_SIZE(256, 3) };

/* ---- windows ------------------------------------------------------------------------------ */

void ur_asked_input(const ur_questions *q, const ur_asked_window *w, int32_t *ids,
                    int32_t *segments)
{
    const ur_question *asked = &q->question[w->question];
    const size_t text = ur_asked_offset(q, w), length = ur_asked_length(q, w);
    ids[0] = q->cls;
    if (asked->count)
        memcpy(ids + 1, q->ids + asked->first, asked->count * sizeof *ids);
    ids[text - 1] = ids[length - 1] = q->sep;
    for (size_t i = 0; i < w->count; i++)
        ids[text + i] = ur_asked_piece_at(q, w, i)->id;
    for (size_t i = 0; i < length; i++)
        segments[i] = i >= text;
}

/* Where the answer begins and ends in the window's input. */
static void set_label(const ur_questions *q, ur_asked_window *w)
{
    const ur_question *asked = &q->question[w->question];
    const size_t text = ur_asked_offset(q, w), last = w->count - 1;
    w->start = w->end = asked->answers ? -1 : 0;
    if (asked->answers == 0 || asked->begin > asked->end)
        return;
    w->start = w->end = 0;
    if (ur_asked_piece_at(q, w, 0)->begin > asked->begin ||
        ur_asked_piece_at(q, w, last)->end < asked->end)
        return;
    size_t start = 0, end = last;
    while (start < last && ur_asked_piece_at(q, w, start + 1)->begin <= asked->begin)
        start++;
    while (end > 0 && ur_asked_piece_at(q, w, end - 1)->end >= asked->end)
        end--;
    w->start = (int32_t)(text + start);
    w->end = (int32_t)(text + end);
}

/* Pieces of the text that a window of the question has; 0: none. */
static size_t room_of(const ur_questions *q, const ur_question *asked)
{
    const size_t taken = asked->count + UR_QUESTION_SPECIALS;
    return taken < q->longest ? q->longest - taken : 0;
}

static size_t stride_of(const ur_questions *q, size_t room)
{
    if (q->stride != SIZE_MAX)
        return q->stride;
    return room / 2 < STRIDE ? room / 2 : STRIDE;
}

/* Whether a question has windows: UR_BAD_FILE where there is no room for them. */
static ur_status check_room(const ur_questions *q, const ur_question *asked, ur_err *err)
{
    const size_t room = room_of(q, asked), all = q->text[asked->text].count;
    if (room == 0)
        return ur_fail(err, UR_BAD_FILE,
                       "a question of %zu pieces leaves no room for a text in an input of %zu",
                       asked->count, q->longest);
    if (all > room && stride_of(q, room) >= room)
        return ur_fail(err, UR_BAD_FILE,
                       "a question of %zu pieces leaves room for %zu of its text, so that windows "
                       "cannot share %zu (--stride)",
                       asked->count, room, q->stride);
    return UR_OK;
}

/* Adds the windows of question i, for which there is room. */
static bool add_windows(ur_questions *q, size_t i)
{
    ur_question *asked = &q->question[i];
    const size_t all = q->text[asked->text].count, room = room_of(q, asked);
    const size_t step = all > room ? room - stride_of(q, room) : room;
    asked->window = q->windows;
    for (size_t first = 0, end = 0; end < all; first += step) {
        if (!ur_reserve(q->a, &q->window, &q->window_capacity, q->windows, q->windows + 1,
                        sizeof *q->window))
            return false;
        end = all - first < room ? all : first + room;
        ur_asked_window *w = &q->window[q->windows++];
        *w = (ur_asked_window){
            .question = i, .first = (uint32_t)first, .count = (uint32_t)(end - first)};
        set_label(q, w);
    }
    asked->windows = q->windows - asked->window;
    return true;
}

/* Whether what the question asks for can be learned: an answer, or that there is none. */
static bool is_learned(const ur_question *asked)
{
    return asked->answers == 0 || asked->begin <= asked->end;
}

/* ---- a set in the making ------------------------------------------------------------------ */

typedef struct reader {
    ur_questions *q;
    const ur_windowing *how;
    ur_pieces pieces;
    const char *name; /* of the file */
    /* of the text that is being asked about: where each CHARACTERS_MARKED-th character begins */
    uint32_t *mark;
    size_t marks, mark_capacity, characters;
    /* counted for remarks */
    size_t misplaced, unlearned, too_long, unknown, all;
    char first_misplaced[UR_SHOWN];
    ur_err *err;
} reader;

static ur_status no_memory(const reader *r, size_t bytes)
{
    return ur_no_memory(r->err, bytes);
}

static ur_status begin_set(reader *r, const ur_allocator *a)
{
    const ur_windowing *how = r->how;
    ur_questions *q = r->q = ur_alloc_zero(a, 1, sizeof *q);
    if (!q)
        return no_memory(r, sizeof *q);
    q->a = q->remarks.a = r->pieces.allocator = a;
    q->longest = how->longest;
    q->stride = how->stride;
    q->answering = how->answering;
    q->cls = ur_wordpiece_special(how->wordpiece, UR_CLS);
    q->sep = ur_wordpiece_special(how->wordpiece, UR_SEP);
    q->unknown = ur_wordpiece_special(how->wordpiece, UR_UNK);
    return UR_OK;
}

/* The pieces of a text stand in [1, r->pieces.count - 1) then. */
static ur_status cut(reader *r, const char *text, size_t bytes, ur_err *err)
{
    const ur_status status = ur_wordpiece_encode(r->how->wordpiece, text, bytes, NULL, 0, 0,
                                                 UR_CUT_LONGEST_FIRST, &r->pieces, err);
    for (size_t i = 1; status == UR_OK && i + 1 < r->pieces.count; i++)
        r->unknown += r->pieces.piece[i].id == r->q->unknown;
    r->all += status == UR_OK ? r->pieces.count - 2 : 0;
    return status;
}

/* A text to ask about. UR_BAD_FILE: it has no piece, or is no UTF-8; *err says what. */
static ur_status add_text(reader *r, const char *text, size_t bytes, ur_err *err)
{
    ur_questions *q = r->q;
    if (bytes >= UINT32_MAX)
        return ur_fail(err, UR_BAD_FILE, "a text of %zu bytes is too long", bytes);
    const ur_status status = cut(r, text, bytes, err);
    if (status != UR_OK)
        return status;
    const size_t n = r->pieces.count - 2;
    if (n == 0)
        return ur_fail(err, UR_BAD_FILE, "the text that is asked about is empty");
    if (!ur_reserve(q->a, &q->piece, &q->piece_capacity, q->pieces, q->pieces + n,
                    sizeof *q->piece) ||
        !ur_reserve(q->a, &q->text, &q->text_capacity, q->texts, q->texts + 1, sizeof *q->text))
        return ur_no_memory(err, (q->pieces + n) * sizeof *q->piece);
    for (size_t i = 0; i < n; i++) {
        const ur_piece *p = &r->pieces.piece[i + 1];
        q->piece[q->pieces + i] = (ur_asked_piece){p->id, (uint32_t)p->begin, (uint32_t)p->end};
    }
    q->text[q->texts++] =
        (ur_asked_text){.text = text, .bytes = bytes, .first = q->pieces, .count = n};
    q->pieces += n;
    return UR_OK;
}

/* A question about the last text, whose answers are to come. */
static ur_status add_question(reader *r, const char *text, size_t bytes, ur_err *err)
{
    ur_questions *q = r->q;
    const ur_status status = cut(r, text, bytes, err);
    if (status != UR_OK)
        return status;
    const size_t n = r->pieces.count - 2;
    if (!ur_reserve(q->a, &q->ids, &q->ids_capacity, q->ids_used, q->ids_used + n,
                    sizeof *q->ids) ||
        !ur_reserve(q->a, &q->question, &q->question_capacity, q->count, q->count + 1,
                    sizeof *q->question))
        return ur_no_memory(err, (q->ids_used + n) * sizeof *q->ids);
    for (size_t i = 0; i < n; i++)
        q->ids[q->ids_used + i] = r->pieces.piece[i + 1].id;
    q->question[q->count++] = (ur_question){
        .text = q->texts - 1, .first = q->ids_used, .count = n, .answer = q->answers, .begin = 1};
    q->ids_used += n;
    return UR_OK;
}

/* Forgets the last question. */
static void drop_question(ur_questions *q)
{
    q->count--;
    q->ids_used = q->question[q->count].first;
    q->answers = q->question[q->count].answer;
}

/* ---- SQuAD's files ------------------------------------------------------------------------ */

/* Characters of the last text, and where they begin. */
static ur_status count_characters(reader *r)
{
    const ur_asked_text *text = &r->q->text[r->q->texts - 1];
    r->marks = r->characters = 0;
    for (size_t at = 0, taken; at < text->bytes; at += taken, r->characters++) {
        uint32_t c;
        if (r->characters % CHARACTERS_MARKED == 0) {
            if (!ur_reserve(r->q->a, &r->mark, &r->mark_capacity, r->marks, r->marks + 1,
                            sizeof *r->mark))
                return no_memory(r, (r->marks + 1) * sizeof *r->mark);
            r->mark[r->marks++] = (uint32_t)at;
        }
        taken = ur_utf8_decode(text->text + at, text->bytes - at, &c);
    }
    return UR_OK;
}

/* The byte where a character of the last text begins. */
static size_t byte_of(const reader *r, size_t character)
{
    const ur_asked_text *text = &r->q->text[r->q->texts - 1];
    size_t at = r->mark[character / CHARACTERS_MARKED];
    for (size_t i = character % CHARACTERS_MARKED; i > 0; i--) {
        uint32_t c;
        at += ur_utf8_decode(text->text + at, text->bytes - at, &c);
    }
    return at;
}

static ur_status read_answer(reader *r, const ur_json_value *value)
{
    ur_questions *q = r->q;
    ur_question *asked = &q->question[q->count - 1];
    const ur_asked_text *about = &q->text[asked->text];
    const char *text;
    int64_t start;
    ur_status status = ur_json_get_string(value, "text", &text, r->err);
    if (status == UR_OK)
        status =
            ur_json_get_int(value, "answer_start", 0, (int64_t)r->characters - 1, &start, r->err);
    if (status != UR_OK)
        return status;
    if (!ur_reserve(q->a, &q->answer, &q->answer_capacity, q->answers, q->answers + 1,
                    sizeof *q->answer))
        return no_memory(r, (q->answers + 1) * sizeof *q->answer);
    const ur_answer_text answer = {text, strlen(text)};
    q->answer[q->answers++] = answer;
    asked->answers++;
    const size_t begin = byte_of(r, (size_t)start);
    const bool stands = answer.size > 0 && answer.size <= about->bytes - begin &&
                        memcmp(about->text + begin, text, answer.size) == 0;
    if (!stands && r->misplaced++ == 0)
        memcpy(r->first_misplaced, value->name, sizeof r->first_misplaced);
    if (stands && asked->begin > asked->end) {
        asked->begin = begin;
        asked->end = begin + answer.size;
    }
    return UR_OK;
}

static ur_status read_answers(reader *r, const ur_json_value *value)
{
    const ur_json_value impossible = ur_json_member(value, "is_impossible");
    const ur_json_value answers = ur_json_member(value, "answers");
    bool none = false;
    size_t n = 0;
    ur_status status =
        ur_json_is_missing(&impossible) ? UR_OK : ur_json_bool(&impossible, &none, r->err);
    if (status == UR_OK && !(none && ur_json_is_missing(&answers)))
        status = ur_json_list(&answers, MOST_VALUES, &n, r->err);
    if (status == UR_OK && none && n)
        return ur_json_expected(&answers, "no answers, as \"is_impossible\" is true", r->err);
    for (size_t i = 0; status == UR_OK && i < n; i++) {
        const ur_json_value answer = ur_json_item(&answers, i);
        status = read_answer(r, &answer);
    }
    r->q->unanswerable |= n == 0;
    return status;
}

/* What is wrong with a text of the file, at its place. */
static ur_status blame(const reader *r, const ur_json_value *value, ur_status status,
                       const ur_err *why)
{
    return status == UR_OK
               ? UR_OK
               : ur_fail(r->err, status, "%s: \"%s\": %s", r->name, value->name, why->text);
}

static ur_status read_question(reader *r, const ur_json_value *value)
{
    ur_questions *q = r->q;
    const ur_json_value member = ur_json_member(value, "question");
    const char *id, *text;
    ur_err why = {.text = ""};
    ur_status status = ur_json_get_string(value, "id", &id, r->err);
    if (status == UR_OK)
        status = ur_json_string(&member, &text, r->err);
    if (status == UR_OK)
        status = blame(r, &member, add_question(r, text, strlen(text), &why), &why);
    if (status == UR_OK)
        status = read_answers(r, value);
    if (status != UR_OK)
        return status;
    status = check_room(q, &q->question[q->count - 1], &why);
    if (status != UR_OK && !r->how->skip)
        return blame(r, &member, status, &why);
    if (status != UR_OK) {
        r->too_long++;
        drop_question(q);
        return UR_OK;
    }
    const bool learned = is_learned(&q->question[q->count - 1]);
    r->unlearned += !learned;
    return (r->how->learn && !learned) || add_windows(q, q->count - 1)
               ? UR_OK
               : no_memory(r, q->windows * sizeof *q->window);
}

static ur_status read_paragraph(reader *r, const ur_json_value *value)
{
    const ur_json_value member = ur_json_member(value, "context");
    const ur_json_value questions = ur_json_member(value, "qas");
    const char *text;
    size_t n;
    ur_err why = {.text = ""};
    ur_status status = ur_json_string(&member, &text, r->err);
    if (status == UR_OK)
        status = blame(r, &member, add_text(r, text, strlen(text), &why), &why);
    if (status == UR_OK)
        status = count_characters(r);
    if (status == UR_OK)
        status = ur_json_list(&questions, MOST_VALUES, &n, r->err);
    for (size_t i = 0; status == UR_OK && i < n; i++) {
        const ur_json_value question = ur_json_item(&questions, i);
        status = read_question(r, &question);
    }
    return status;
}

static ur_status read_article(reader *r, const ur_json_value *value)
{
    const ur_json_value paragraphs = ur_json_member(value, "paragraphs");
    size_t n;
    ur_status status = ur_json_list(&paragraphs, MOST_VALUES, &n, r->err);
    for (size_t i = 0; status == UR_OK && i < n; i++) {
        const ur_json_value paragraph = ur_json_item(&paragraphs, i);
        status = read_paragraph(r, &paragraph);
    }
    return status;
}

/* What was found, a sentence each. */
static ur_status remark(const reader *r)
{
    ur_remarks *to = &r->q->remarks;
    ur_status status = UR_OK;
    if (r->misplaced)
        status = ur_remark(to, r->err,
                           "%s: %zu of %zu answers do not stand where the file says, the first at "
                           "%s; %zu question%s no other%s",
                           r->name, r->misplaced, r->q->answers, r->first_misplaced, r->unlearned,
                           r->unlearned == 1 ? " has" : "s have",
                           r->how->learn ? ", which is not learned" : "");
    if (status == UR_OK && r->too_long)
        status =
            ur_remark(to, r->err, "%s: %zu question%s of too many pieces %s left out", r->name,
                      r->too_long, r->too_long == 1 ? "" : "s", r->too_long == 1 ? "is" : "are");
    if (status == UR_OK && r->unknown)
        status = ur_remark(to, r->err,
                           "%s: %zu of %zu pieces are unknown to the model and read as "
                           "[UNK]",
                           r->name, r->unknown, r->all);
    return status;
}

static ur_status read_document(reader *r)
{
    const ur_json_value root = ur_json_root(r->q->document);
    const ur_json_value data = ur_json_member(&root, "data");
    size_t n;
    ur_status status = ur_json_object(&root, r->err);
    if (status == UR_OK)
        status = ur_json_list(&data, MOST_VALUES, &n, r->err);
    for (size_t i = 0; status == UR_OK && i < n; i++) {
        const ur_json_value article = ur_json_item(&data, i);
        status = read_article(r, &article);
    }
    if (status == UR_OK && r->q->windows == 0)
        status = ur_fail(r->err, UR_BAD_FILE, "%s: %s", r->name,
                         r->q->count + r->too_long == 0 ? "there is no question in it"
                         : r->how->learn ? "there is no question whose answer can be learned"
                                         : "nothing is left that can be used");
    return status == UR_OK ? remark(r) : status;
}

static ur_status finish(reader *r, ur_status status, ur_questions **out)
{
    ur_questions *q = r->q;
    ur_pieces_free(&r->pieces);
    if (q)
        ur_free(q->a, r->mark);
    if (status != UR_OK)
        ur_questions_free(q);
    else
        *out = q;
    return status;
}

ur_status ur_questions_parse(const ur_allocator *a, const char *name, const char *bytes,
                             size_t size, const ur_windowing *how, ur_questions **out, ur_err *err)
{
    reader r = {.how = how, .name = name, .err = err};
    *out = NULL;
    ur_status status = begin_set(&r, a);
    if (status == UR_OK)
        status = ur_json_parse(a, name, bytes, size, &r.q->document, err);
    if (status == UR_OK)
        status = read_document(&r);
    return finish(&r, status, out);
}

ur_status ur_questions_read(const ur_allocator *a, const char *path, const ur_windowing *how,
                            ur_questions **out, ur_err *err)
{
    char *bytes;
    size_t size;
    *out = NULL;
    ur_status status = ur_read_file(a, path, UR_TEXT_FILE_LIMIT, &bytes, &size, err);
    if (status != UR_OK)
        return status;
    status = ur_questions_parse(a, path, bytes, size, how, out, err);
    ur_free(a, bytes);
    return status;
}

/* ---- lines -------------------------------------------------------------------------------- */

static ur_status read_line(reader *r, const char *line)
{
    ur_questions *q = r->q;
    const char *tab = strchr(line, '\t');
    if (!tab)
        return ur_fail(r->err, UR_BAD_FILE, "no tab between a question and its text");
    ur_status status = add_text(r, tab + 1, strlen(tab + 1), r->err);
    if (status == UR_OK)
        status = add_question(r, line, (size_t)(tab - line), r->err);
    if (status == UR_OK)
        status = check_room(q, &q->question[q->count - 1], r->err);
    if (status == UR_BAD_FILE && q->count == q->texts && r->how->skip)
        return UR_OK; /* it has no windows */
    if (status != UR_OK)
        return status;
    return add_windows(q, q->count - 1) ? UR_OK : no_memory(r, q->windows * sizeof *q->window);
}

ur_status ur_questions_of(const ur_allocator *a, size_t count, const char *const *texts,
                          const ur_windowing *how, ur_questions **out, size_t *bad, ur_err *err)
{
    reader r = {.how = how, .err = err};
    *out = NULL;
    ur_status status = begin_set(&r, a);
    for (size_t i = 0; status == UR_OK && i < count; i++) {
        status = read_line(&r, texts[i]);
        if (status != UR_OK && bad)
            *bad = i;
    }
    return finish(&r, status, out);
}

/* ---- parts -------------------------------------------------------------------------------- */

static uint64_t text_hash(const void *data, size_t i)
{
    const ur_questions *q = data;
    const ur_asked_text *text = &q->text[q->question[i].text];
    return ur_fingerprint_bytes(UR_FINGERPRINT, text->text, text->bytes);
}

/* The questions for which apart is `side`, with their windows, from one set into another, which may be the
 * same. */
static bool take(const ur_questions *from, size_t n, const bool *apart, bool side, ur_questions *to)
{
    size_t count = 0;
    to->windows = to->count = 0;
    to->unanswerable = false;
    for (size_t i = 0; i < n; i++) {
        if (apart[i] != side)
            continue;
        const ur_question asked = from->question[i];
        to->question[count] = asked;
        to->unanswerable |= asked.answers == 0;
        if ((side || is_learned(&asked)) && !add_windows(to, count))
            return false;
        count++;
    }
    to->count = count;
    return true;
}

ur_status ur_questions_split(ur_questions *data, double part, uint64_t seed, ur_questions **valid,
                             ur_err *err)
{
    const size_t n = data->count;
    size_t count = 0;
    ur_status status;
    *valid = NULL;
    bool *apart = ur_split_choose(data->a, n, text_hash, data, part, seed, &count, &status, err);
    if (!apart)
        return status;
    ur_questions *v = ur_alloc_zero(data->a, 1, sizeof *v);
    if (v) {
        *v = *data;
        v->borrowed = true;
        v->window = NULL;
        v->window_capacity = 0;
        v->remarks = (ur_remarks){.a = data->a};
        v->question = ur_alloc(data->a, count, sizeof *v->question);
    }
    const bool had =
        v && v->question && take(data, n, apart, true, v) && take(data, n, apart, false, data);
    ur_free(data->a, apart);
    if (!had) {
        ur_questions_free(v);
        return ur_no_memory(err, count * sizeof(ur_question));
    }
    if (v->windows == 0 || data->windows == 0) {
        ur_questions_free(v);
        return ur_fail(err, UR_INVALID, "a part of %g for validation leaves nothing to learn",
                       part);
    }
    *valid = v;
    return UR_OK;
}

void ur_questions_free(ur_questions *q)
{
    if (!q)
        return;
    if (!q->borrowed) {
        ur_free(q->a, q->text);
        ur_free(q->a, q->piece);
        ur_free(q->a, q->ids);
        ur_free(q->a, q->answer);
        ur_json_free(q->document);
    }
    ur_free(q->a, q->question);
    ur_free(q->a, q->window);
    ur_remarks_free(&q->remarks);
    ur_free(q->a, q);
}

uint64_t ur_questions_fingerprint(const ur_questions *q)
{
    uint64_t hash = UR_FINGERPRINT ^ (uint64_t)q->windows;
    for (size_t i = 0; i < q->windows; i++) {
        const ur_asked_window *w = &q->window[i];
        const ur_question *asked = &q->question[w->question];
        for (size_t k = 0; k < asked->count; k++)
            hash = ur_fingerprint_spread(hash, (uint32_t)q->ids[asked->first + k]);
        for (size_t k = 0; k < w->count; k++)
            hash = ur_fingerprint_spread(hash, (uint32_t)ur_asked_piece_at(q, w, k)->id);
        hash = ur_fingerprint_spread(hash, (uint64_t)(uint32_t)w->start << 32 | (uint32_t)w->end);
    }
    return ur_fingerprint_mix(hash);
}
