/* pair_format.c - from reading order to the order a model reads and writes in, and back. */
#include "data/pairs.h"
#include "base/utf8.h"
#include "base/status.h"
#include "text/normalise.h"
#include "text/vocabulary.h"

#include <string.h>

static bool is_token(const ur_vocabulary *v, int32_t id)
{
    return id >= 0 && (size_t)id < ur_vocabulary_size(v);
}

ur_status ur_pair_format_check(const ur_pair_format *f, const ur_vocabulary *v, ur_err *err)
{
    bool fixed = f->form == UR_PAIRS_FIXED;
    if (!fixed && f->form != UR_PAIRS_RAGGED)
        return ur_fail(err, UR_BAD_FILE, "pairs are neither of fixed width nor ragged");
    if ((unsigned)f->answer_order > UR_ANSWER_WITH_START)
        return ur_fail(err, UR_BAD_FILE, "the order of an answer is none that exists");
    if ((unsigned)f->unicode > UR_UNICODE_NFKC)
        return ur_fail(err, UR_BAD_FILE, "the normalisation of texts is none that exists");
    if (f->answer_steps == 0 || f->answer_steps > 2 * UR_PAIR_LONGEST)
        return ur_fail(err, UR_BAD_FILE, "an answer has %zu steps, 1 to %d were expected",
                       f->answer_steps, 2 * UR_PAIR_LONGEST);
    if (fixed && (f->question_width == 0 || f->question_width > UR_PAIR_LONGEST || f->strip))
        return ur_fail(err, UR_BAD_FILE,
                       "a question of fixed width has %zu columns%s, 1 to %d were expected",
                       f->question_width, f->strip ? " and is stripped" : "", UR_PAIR_LONGEST);
    if (!is_token(v, f->start))
        return ur_fail(err, UR_BAD_FILE, "the start symbol %d is not in the vocabulary", f->start);
    if (fixed ? f->end != -1 : !is_token(v, f->end) || f->end == f->start)
        return ur_fail(err, UR_BAD_FILE, "%d is not an end symbol for pairs of this form", f->end);
    return UR_OK;
}

static void copy(const int32_t *from, size_t n, bool reversed, int32_t *to)
{
    for (size_t i = 0; i < n; i++)
        to[i] = from[reversed ? n - 1 - i : i];
}

void ur_pair_input(const ur_pair_format *f, ur_ids question, int32_t *input)
{
    copy(question.ids, question.length, f->reverse_input, input);
}

size_t ur_pair_steps(const ur_pair_format *f, size_t length)
{
    return f->form == UR_PAIRS_FIXED ? length : length + 1;
}

/* All three orders are one line of symbols, of which the decoder reads each but the last, and
 * writes each but the first:  _abc   _cba   cba_   and the end symbol, if there is one. */
void ur_pair_target(const ur_pair_format *f, ur_ids answer, int32_t *decoder_in,
                    int32_t *decoder_out)
{
    size_t n = answer.length, steps = ur_pair_steps(f, n);
    bool reversed = f->answer_order != UR_ANSWER_FORWARD;
    if (steps == 0)
        return;
    /* decoder_out first: the line without its first symbol */
    if (f->answer_order == UR_ANSWER_WITH_START) {
        for (size_t i = 0; i + 1 < n; i++)
            decoder_out[i] = answer.ids[n - 2 - i];
        if (n > 0)
            decoder_out[n - 1] = f->start;
        decoder_in[0] = n > 0 ? answer.ids[n - 1] : f->start;
    } else {
        copy(answer.ids, n, reversed, decoder_out);
        decoder_in[0] = f->start;
    }
    if (f->form == UR_PAIRS_RAGGED)
        decoder_out[n] = f->end;
    memcpy(decoder_in + 1, decoder_out, (steps - 1) * sizeof *decoder_in);
}

size_t ur_pair_answer(const ur_pair_format *f, int32_t first, const int32_t *written, size_t steps,
                      int32_t *answer)
{
    size_t n = 0;
    while (n < steps && (f->form == UR_PAIRS_FIXED || written[n] != f->end))
        n++;
    if (f->answer_order != UR_ANSWER_WITH_START) {
        copy(written, n, f->answer_order == UR_ANSWER_REVERSED, answer);
        return n;
    }
    if (n == 0)
        return 0;
    copy(written, n - 1, true, answer);
    answer[n - 1] = first;
    return n;
}

/* ---- one question ------------------------------------------------------------------------- */

void ur_strip(const char **bytes, size_t *size)
{
    while (*size && (*bytes)[0] == ' ') {
        ++*bytes;
        --*size;
    }
    while (*size && (*bytes)[*size - 1] == ' ')
        --*size;
}

/* The ids of a text's characters, `count` of them at most. */
static size_t encode_characters(const ur_vocabulary *v, const char *text, size_t bytes,
                                int32_t *ids, size_t *unknown)
{
    size_t n = 0;
    for (size_t at = 0, taken; at < bytes; at += taken) {
        uint32_t character;
        taken = ur_utf8_decode(text + at, bytes - at, &character);
        ids[n] = ur_vocabulary_find(v, text + at, taken);
        *unknown += ids[n++] < 0;
    }
    return n;
}

ur_status ur_pair_encode(const ur_pair_format *f, const ur_vocabulary *v, const char *question,
                         size_t bytes, int32_t *ids, size_t *length, size_t *unknown, ur_err *err)
{
    size_t n, lacking = 0, width = f->question_width, count = 0;
    const bool fixed = f->form == UR_PAIRS_FIXED;
    ur_normaliser normal = {.a = ur_vocabulary_allocator(v), .form = f->unicode, .lower = f->lower};
    *length = 0;
    if (f->strip)
        ur_strip(&question, &bytes);
    if (!ur_utf8_count(question, bytes, &count))
        return ur_fail(err, UR_BAD_FILE, "the question is not valid UTF-8 (byte %zu)", count + 1);
    ur_status status = ur_normalise(&normal, &question, &bytes, err);
    if (status == UR_OK)
        ur_utf8_count(question, bytes, &count);
    const int32_t space = ur_vocabulary_find_character(v, ' ');
    if (status == UR_OK && fixed && (count > width || (count < width && space < 0)))
        status =
            ur_fail(err, UR_BAD_FILE, "the question has %zu characters, this model's have %s %zu",
                    count, space < 0 ? "exactly" : "at most", width);
    if (status == UR_OK) {
        n = encode_characters(v, question, bytes, ids, &lacking);
        while (fixed && n < width)
            ids[n++] = space;
        *length = n;
        if (unknown)
            *unknown = lacking;
    }
    ur_normaliser_free(&normal);
    return status;
}
