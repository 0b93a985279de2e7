/* Tests of data/questions: windows, offsets and what is learned in them against BertTokenizerFast
 * (tests/golden/text/windows.txt, made by tools/golden/bert_qa.py), files of SQuAD's form and what is wrong with
 * them, lines, parts for validation. */
#include "base/alloc.h"
#include "base/status.h"
#include "data/questions.h"
#include "support/failing_alloc.h"
#include "support/faulty_syscalls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char *in_tests(const char *name)
{
    static char path[512];
    const char *root = getenv("UNROLL_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/tests/golden/%s", root ? root : ".", name);
    return path;
}

static ur_wordpiece *wordpiece(void)
{
    const ur_wordpiece_options o = ur_wordpiece_defaults();
    ur_wordpiece *w;
    assert_int_equal(ur_wordpiece_load(NULL, in_tests("text/wordpiece_vocab.txt"), &o, &w, NULL),
                     UR_OK);
    return w;
}

static ur_windowing how_of(const ur_wordpiece *w, size_t longest, size_t stride)
{
    return (ur_windowing){.wordpiece = w, .longest = longest, .stride = stride};
}

static const char *file_of(const char *text)
{
    static const char path[] = "questions.json";
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    return path;
}

/* ---- against BertTokenizerFast ---------------------------------------------------------------- */

static char *field(char **line)
{
    char *begin = *line, *end = begin ? strchr(begin, '\t') : NULL;
    *line = end ? end + 1 : NULL;
    if (end)
        *end = '\0';
    return begin;
}

static char *text_field(char **line)
{
    char *hex = field(line);
    size_t n = 0;
    for (unsigned byte; hex[2 * n] && sscanf(hex + 2 * n, "%2x", &byte) == 1; n++)
        hex[n] = (char)byte;
    hex[n] = '\0';
    return hex;
}

static size_t put_string(char *to, const char *name, const char *text)
{
    size_t n = (size_t)sprintf(to, "\"%s\":\"", name);
    for (; *text; text++)
        n += (size_t)sprintf(to + n, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    return n + (size_t)sprintf(to + n, "\"");
}

/* A file with one question. */
static void write_case(const char *question, const char *text, const char *answer, size_t start)
{
    char json[8192];
    size_t n = (size_t)sprintf(json, "{\"data\":[{\"paragraphs\":[{");
    n += put_string(json + n, "context", text);
    n += (size_t)sprintf(json + n, ",\"qas\":[{\"id\":\"1\",");
    n += put_string(json + n, "question", question);
    n += (size_t)sprintf(json + n, ",\"answers\":[{\"answer_start\":%zu,", start);
    n += put_string(json + n, "text", answer);
    sprintf(json + n, "}]}]}]}]}");
    file_of(json);
}

static void print_window(const ur_questions *q, const ur_asked_window *w, char *out)
{
    int32_t ids[64], segments[64];
    const size_t text = ur_asked_offset(q, w), length = ur_asked_length(q, w);
    ur_asked_input(q, w, ids, segments);
    size_t n = (size_t)sprintf(out, "%d:%d:", (int)w->start, (int)w->end);
    for (size_t i = 0; i < length; i++) {
        assert_int_equal(segments[i], i >= text);
        n += (size_t)sprintf(out + n, "%s%d", i ? "," : "", (int)ids[i]);
        if (i >= text && i < text + w->count) {
            const ur_asked_piece *p = ur_asked_piece_at(q, w, i - text);
            n += (size_t)sprintf(out + n, "@%u-%u", (unsigned)p->begin, (unsigned)p->end);
        }
    }
}

static void check_line(const ur_wordpiece *w, char *line, size_t number)
{
    ur_questions *q;
    ur_err err;
    char got[4096];
    const size_t longest = (size_t)atoi(field(&line)), stride = (size_t)atoi(field(&line));
    const char *question = text_field(&line), *text = text_field(&line),
               *answer = text_field(&line);
    const size_t byte = (size_t)atoi(field(&line));
    size_t character;
    assert_true(ur_utf8_count(text, byte, &character));
    write_case(question, text, answer, character);
    const ur_windowing how = how_of(w, longest, stride);
    if (ur_questions_read(NULL, "questions.json", &how, &q, &err) != UR_OK)
        fail_msg("line %zu: %s", number, err.text);
    size_t i = 0;
    for (const char *want; (want = field(&line)); i++) {
        assert_true(i < q->windows);
        print_window(q, &q->window[i], got);
        if (strcmp(got, want) != 0)
            fail_msg("line %zu, window %zu: %s\nwant %s", number, i, got, want);
    }
    assert_int_equal(i, q->windows);
    ur_questions_free(q);
}

static void as_transformers(void **state)
{
    (void)state;
    static char line[32768];
    ur_wordpiece *w = wordpiece();
    FILE *file = fopen(in_tests("text/windows.txt"), "r");
    size_t n = 0;
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        check_line(w, line, ++n);
    }
    fclose(file);
    assert_true(n > 40);
    ur_wordpiece_free(w);
}

/* ---- files ------------------------------------------------------------------------------------ */

#define PARAGRAPH(context, qas)                                                                    \
    "{\"data\":[{\"paragraphs\":[{\"context\":" context ",\"qas\":[" qas "]}]}]}"
#define ASKED(rest) "{\"id\":\"a\",\"question\":\"the cat\"," rest "}"

static ur_status read_text(const char *text, const ur_windowing *how, ur_questions **q, ur_err *err)
{
    return ur_questions_read(NULL, file_of(text), how, q, err);
}

static void what_is_read(void **state)
{
    (void)state;
    ur_wordpiece *w = wordpiece();
    ur_questions *q;
    ur_err err;
    ur_windowing how = how_of(w, 32, SIZE_MAX);
    const char *file =
        "{\"version\":\"v2.0\",\"data\":[{\"title\":\"t\",\"paragraphs\":[{\"context\":\"the cat "
        "sat\",\"qas\":["
        "{\"id\":\"a\",\"question\":\"cat\",\"is_impossible\":false,\"answers\":[{\"text\":\"dog\","
        "\"answer_start\":"
        "4},{\"text\":\"sat\",\"answer_start\":8},{\"text\":\"the\",\"answer_start\":0}]},"
        "{\"id\":\"b\",\"question\":\"\",\"is_impossible\":true,\"answers\":[],\"plausible_"
        "answers\":[{}]},"
        "{\"id\":\"c\",\"question\":\"mat\",\"answers\":[{\"text\":\"mat\",\"answer_start\":8}]}]}]"
        "},"
        "{\"paragraphs\":[]}]}";
    if (read_text(file, &how, &q, &err) != UR_OK)
        fail_msg("%s", err.text);
    assert_int_equal(q->texts, 1);
    assert_int_equal(q->count, 3);
    assert_true(q->unanswerable);
    assert_int_equal(q->question[0].answers, 3);
    assert_int_equal(q->question[0].begin, 8); /* the first one that stands there */
    assert_int_equal(q->question[0].end, 11);
    assert_int_equal(q->question[1].answers, 0);
    assert_int_equal(q->windows, 3);
    assert_int_equal(q->window[0].start, 1 + 1 + 1 + 2);
    assert_int_equal(q->window[1].start, 0);
    assert_int_equal(q->window[2].start, -1); /* its answer does not stand there */
    assert_non_null(strstr(ur_remark_at(&q->remarks, 0), "2 of 4 answers do not stand"));
    assert_non_null(strstr(ur_remark_at(&q->remarks, 0),
                           "data[0].paragraphs[0].qas[0].answers[0]; 1 question has no other"));
    assert_null(ur_remark_at(&q->remarks, 1));
    ur_questions_free(q);
    how.learn = true;
    assert_int_equal(read_text(file, &how, &q, &err), UR_OK);
    assert_int_equal(q->count, 3);
    assert_int_equal(q->windows, 2);
    assert_non_null(strstr(ur_remark_at(&q->remarks, 0), "which is not learned"));
    ur_questions_free(q);
    ur_wordpiece_free(w);
}

static void refused(const ur_windowing *how, const char *text, const char *part)
{
    ur_questions *q;
    ur_err err;
    const ur_status status = read_text(text, how, &q, &err);
    if (status != UR_BAD_FILE || !strstr(err.text, part))
        fail_msg("%s\n%s: %s, not ... %s", text, ur_status_name(status),
                 status == UR_OK ? "" : err.text, part);
    assert_null(q);
}

static void what_is_wrong(void **state)
{
    (void)state;
    ur_wordpiece *w = wordpiece();
    ur_windowing how = how_of(w, 8, 3);
    ur_questions *q;
    ur_err err;
#define ANSWER(start, text) "\"answers\":[{\"answer_start\":" start ",\"text\":" text "}]"
    refused(&how, "{\"data\":[", "questions.json:1: not valid JSON");
    refused(&how, "[]", "the value is a list, expected an object");
    refused(&how, "{}", "\"data\" is missing");
    refused(&how, "{\"data\":[1]}", "\"data[0].paragraphs\" is missing");
    refused(&how, "{\"data\":[]}", "there is no question in it");
    refused(&how, PARAGRAPH("1", ""), "\"data[0].paragraphs[0].context\" is 1, expected a string");
    refused(&how, PARAGRAPH("\"\"", ""),
            "paragraphs[0].context\": the text that is asked about is empty");
    refused(&how, PARAGRAPH("\" \\u200b\"", ""), "is empty");
    refused(&how, PARAGRAPH("\"a\"", "{}"), "qas[0].id\" is missing");
    refused(&how, PARAGRAPH("\"a\"", "{\"id\":\"a\"}"), "qas[0].question\" is missing");
    refused(&how, PARAGRAPH("\"a\"", ASKED("\"x\":1")), "qas[0].answers\" is missing");
    refused(&how, PARAGRAPH("\"a\"", ASKED("\"is_impossible\":1,\"answers\":[]")),
            "is_impossible\" is 1, expected true or false");
    refused(&how, PARAGRAPH("\"a\"", ASKED("\"is_impossible\":true," ANSWER("0", "\"a\""))),
            "qas[0].answers\" is a list, expected no answers");
    refused(&how, PARAGRAPH("\"a\"", ASKED(ANSWER("0", "7"))), "answers[0].text\" is 7");
    refused(&how, PARAGRAPH("\"caf\xC3\xA9\"", ASKED(ANSWER("4", "\"a\""))),
            "answer_start\" is 4, expected a whole number from 0 to 3");
    refused(&how, PARAGRAPH("\"a\"", ASKED(ANSWER("-1", "\"a\""))), "answer_start\" is -1");
    refused(&how, PARAGRAPH("\"a\"", ASKED(ANSWER("0.5", "\"a\""))), "answer_start\" is 0.5");
    /* two pieces of the question leave room for 3 */
    refused(&how, PARAGRAPH("\"a b c d\"", ASKED(ANSWER("0", "\"a\""))),
            "qas[0].question\": a question of 2 pieces leaves room for 3 of its text, so that "
            "windows cannot share "
            "3 (--stride)");
    how.longest = 5;
    refused(&how, PARAGRAPH("\"a\"", ASKED(ANSWER("0", "\"a\""))),
            "question\": a question of 2 pieces leaves no room for a text in an input of 5");
    how.skip = true;
    refused(&how, PARAGRAPH("\"a\"", ASKED(ANSWER("0", "\"a\""))), "nothing is left");
    how.learn = true;
    how.longest = 8;
    refused(&how, PARAGRAPH("\"a\"", ASKED(ANSWER("0", "\"b\""))),
            "there is no question whose answer can be learned");
    assert_int_equal(read_text(PARAGRAPH("\"a b c d\"",
                                         ASKED(ANSWER("0", "\"a\"")) ",{\"id\":\"b\",\"question\":"
                                                                     "\"a\",\"answers\":[]}"),
                               &how, &q, &err),
                     UR_OK);
    assert_int_equal(q->count, 1);
    assert_string_equal(ur_remark_at(&q->remarks, 0),
                        "questions.json: 1 question of too many pieces is left out");
    ur_questions_free(q);
    how.stride = 3; /* which a text that fits does not need */
    assert_int_equal(read_text(PARAGRAPH("\"a b c\"", ASKED(ANSWER("0", "\"a\""))), &how, &q, &err),
                     UR_OK);
    assert_int_equal(q->windows, 1);
    ur_questions_free(q);
    assert_int_equal(ur_questions_read(NULL, "none.json", &how, &q, &err), UR_BAD_FILE);
    ur_wordpiece_free(w);
}

/* ---- lines ------------------------------------------------------------------------------------- */

static void lines(void **state)
{
    (void)state;
    ur_wordpiece *w = wordpiece();
    ur_windowing how = how_of(w, 8, SIZE_MAX);
    ur_questions *q;
    ur_err err;
    size_t bad = 9;
    const char *good[] = {"the cat\ta b c d\te", "\tthe"};
    assert_int_equal(ur_questions_of(NULL, 2, good, &how, &q, &bad, &err), UR_OK);
    assert_int_equal(q->count, 2);
    assert_int_equal(q->question[0].windows, 2); /* 3 and 3 pieces, 1 shared */
    assert_int_equal(q->window[1].first, 2);
    assert_int_equal(q->window[1].count, 3);
    assert_int_equal(q->question[1].windows, 1);
    ur_questions_free(q);
    const char *const wrong[][2] = {{"the cat", "no tab"},
                                    {"the cat\t ", "is empty"},
                                    {"the\t\xFF", "not UTF-8"},
                                    {"the cat the cat the\ta", "leaves no room"}};
    for (size_t i = 0; i < 4; i++) {
        const char *two[] = {good[0], wrong[i][0]};
        assert_int_equal(ur_questions_of(NULL, 2, two, &how, &q, &bad, &err), UR_BAD_FILE);
        assert_int_equal(bad, 1);
        assert_non_null(strstr(err.text, wrong[i][1]));
    }
    how.skip = true;
    const char *two[] = {wrong[3][0], good[0]};
    assert_int_equal(ur_questions_of(NULL, 2, two, &how, &q, &bad, &err), UR_OK);
    assert_int_equal(q->question[0].windows, 0);
    assert_int_equal(q->question[1].windows, 2);
    ur_questions_free(q);
    ur_wordpiece_free(w);
}

/* ---- parts -------------------------------------------------------------------------------------- */

enum { TEXTS = 40 };

/* Two questions about each of many texts, one of which does not stand in it. */
static void write_many(void)
{
    FILE *file = fopen("questions.json", "w");
    assert_non_null(file);
    fprintf(file, "{\"data\":[{\"paragraphs\":[");
    for (int i = 0; i < TEXTS; i++)
        fprintf(file,
                "%s{\"context\":\"the cat %d sat %d\",\"qas\":["
                "{\"id\":\"%da\",\"question\":\"cat\",\"answers\":[{\"text\":\"sat\",\"answer_"
                "start\":%d}]},"
                "{\"id\":\"%db\",\"question\":\"mat\",\"answers\":[{\"text\":\"mat\",\"answer_"
                "start\":0}]}]}",
                i ? "," : "", i, i, i, i < 10 ? 10 : 11, i);
    fprintf(file, "]}]}");
    assert_int_equal(fclose(file), 0);
}

static void parts(void **state)
{
    (void)state;
    ur_wordpiece *w = wordpiece();
    ur_windowing how = how_of(w, 32, SIZE_MAX);
    ur_questions *q, *valid;
    ur_err err;
    how.learn = true;
    write_many();
    assert_int_equal(ur_questions_read(NULL, "questions.json", &how, &q, &err), UR_OK);
    assert_int_equal(q->windows, TEXTS);
    const uint64_t whole = ur_questions_fingerprint(q);
    assert_int_equal(ur_questions_split(q, 0.25, 7, &valid, &err), UR_OK);
    assert_int_equal(valid->count, TEXTS / 2); /* a quarter of twice as many */
    assert_int_equal(q->count + valid->count, 2 * TEXTS);
    assert_int_equal(valid->windows, valid->count); /* also of what is not learned */
    assert_int_equal(q->windows, q->count / 2);
    assert_true(ur_questions_fingerprint(q) != whole);
    for (size_t i = 0; i < q->count; i++)
        for (size_t k = 0; k < valid->count; k++)
            assert_true(q->question[i].text != valid->question[k].text);
    for (size_t i = 0; i < valid->windows; i++)
        assert_int_equal(valid->window[i].question, i);
    ur_questions_free(q);
    ur_questions_free(valid);
    assert_int_equal(ur_questions_read(NULL, "questions.json", &how, &q, &err), UR_OK);
    assert_int_equal(ur_questions_fingerprint(q), whole);
    ur_questions_free(q);
    ur_wordpiece_free(w);
}

/* ---- each allocation --------------------------------------------------------------------------- */

static ur_status body(const ur_allocator *a, ur_err *err, void *arg)
{
    ur_questions *q, *valid = NULL;
    const ur_windowing how = how_of(arg, 6, 1);
    ur_status status = ur_questions_read(a, "questions.json", &how, &q, err);
    if (status == UR_OK)
        status = ur_questions_split(q, 0.5, 1, &valid, err);
    ur_questions_free(q);
    ur_questions_free(valid);
    const char *line = "the\ta b c d e f";
    if (status == UR_OK) {
        status = ur_questions_of(a, 1, &line, &how, &q, NULL, err);
        ur_questions_free(q);
    }
    return status;
}

static void memory(void **state)
{
    (void)state;
    ur_wordpiece *w = wordpiece();
    write_many();
    assert_true(failing_alloc_sweep(body, w) > 20);
    ur_wordpiece_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(as_transformers, test_folder_enter, test_folder_leave),
        cmocka_unit_test_setup_teardown(what_is_read, test_folder_enter, test_folder_leave),
        cmocka_unit_test_setup_teardown(what_is_wrong, test_folder_enter, test_folder_leave),
        cmocka_unit_test_setup_teardown(lines, test_folder_enter, test_folder_leave),
        cmocka_unit_test_setup_teardown(parts, test_folder_enter, test_folder_leave),
        cmocka_unit_test_setup_teardown(memory, test_folder_enter, test_folder_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
