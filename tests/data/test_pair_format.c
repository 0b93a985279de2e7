/* Tests of data/pair_format: the orders by hand-written cases, there and back; one question from
 * text; formats that do not fit. */
#include "unroll/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

enum { START = 90, END = 91 };

static ur_pair_format format_of(ur_pair_form form, ur_answer_order order)
{
    return (ur_pair_format){.form = form,
                            .answer_order = order,
                            .question_width = 3,
                            .answer_steps = 3,
                            .start = START,
                            .end = form == UR_PAIRS_FIXED ? -1 : END};
}

typedef struct expected {
    ur_pair_form form;
    ur_answer_order order;
    size_t length, steps;
    int32_t in[4], out[4];
} expected;

static const expected targets[] = {
    {UR_PAIRS_FIXED, UR_ANSWER_FORWARD, 3, 3, {START, 1, 2}, {1, 2, 3}},
    {UR_PAIRS_FIXED, UR_ANSWER_REVERSED, 3, 3, {START, 3, 2}, {3, 2, 1}},
    {UR_PAIRS_FIXED, UR_ANSWER_WITH_START, 3, 3, {3, 2, 1}, {2, 1, START}},
    {UR_PAIRS_FIXED, UR_ANSWER_WITH_START, 1, 1, {1}, {START}},
    {UR_PAIRS_RAGGED, UR_ANSWER_FORWARD, 3, 4, {START, 1, 2, 3}, {1, 2, 3, END}},
    {UR_PAIRS_RAGGED, UR_ANSWER_REVERSED, 3, 4, {START, 3, 2, 1}, {3, 2, 1, END}},
    {UR_PAIRS_RAGGED, UR_ANSWER_WITH_START, 3, 4, {3, 2, 1, START}, {2, 1, START, END}},
    {UR_PAIRS_RAGGED, UR_ANSWER_FORWARD, 0, 1, {START}, {END}},
    {UR_PAIRS_RAGGED, UR_ANSWER_REVERSED, 0, 1, {START}, {END}},
    {UR_PAIRS_RAGGED, UR_ANSWER_WITH_START, 0, 1, {START}, {END}},
};

static void test_targets(void **state)
{
    (void)state;
    const int32_t answer[3] = {1, 2, 3};
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        const expected *e = &targets[i];
        ur_pair_format f = format_of(e->form, e->order);
        int32_t in[4] = {0}, out[4] = {0}, back[4];
        assert_int_equal(ur_pair_steps(&f, e->length), e->steps);
        ur_pair_target(&f, (ur_ids){answer, e->length}, in, out);
        assert_memory_equal(in, e->in, sizeof in);
        assert_memory_equal(out, e->out, sizeof out);
        assert_int_equal(ur_pair_answer(&f, in[0], out, e->steps, back), e->length);
        assert_memory_equal(back, answer, e->length * sizeof *back);
    }
}

static void test_answers(void **state)
{
    (void)state;
    int32_t back[4];
    ur_pair_format f = format_of(UR_PAIRS_RAGGED, UR_ANSWER_REVERSED);
    /* what follows the end symbol is not looked at; no end symbol at all is fine */
    assert_int_equal(ur_pair_answer(&f, START, (int32_t[]){7, 8, END, 9}, 4, back), 2);
    assert_true(back[0] == 8 && back[1] == 7);
    assert_int_equal(ur_pair_answer(&f, START, (int32_t[]){7, 8, 9, 6}, 4, back), 4);
    assert_int_equal(ur_pair_answer(&f, START, (int32_t[]){END, 8}, 2, back), 0);
    assert_int_equal(ur_pair_answer(&f, START, back, 0, back), 0);
}

static void test_input(void **state)
{
    (void)state;
    const int32_t question[3] = {4, 5, 6};
    int32_t input[3];
    ur_pair_format f = format_of(UR_PAIRS_FIXED, UR_ANSWER_FORWARD);
    ur_pair_input(&f, (ur_ids){question, 3}, input);
    assert_memory_equal(input, question, sizeof input);
    f.reverse_input = true;
    ur_pair_input(&f, (ur_ids){question, 3}, input);
    assert_true(input[0] == 6 && input[1] == 5 && input[2] == 4);
    ur_pair_input(&f, (ur_ids){question, 0}, input);
}

static ur_vocabulary *vocabulary_of(const char *characters)
{
    ur_vocabulary *v;
    assert_int_equal(ur_vocabulary_new(NULL, &v, NULL), UR_OK);
    for (int32_t id; *characters; characters++)
        assert_int_equal(ur_vocabulary_add(v, characters, 1, &id, NULL), UR_OK);
    return v;
}

static void assert_encode(const ur_pair_format *f, const ur_vocabulary *v, const char *text,
                          const char *expected_text)
{
    int32_t ids[16];
    size_t length;
    char back[64];
    assert_int_equal(ur_pair_encode(f, v, text, strlen(text), ids, &length, NULL, NULL), UR_OK);
    ur_vocabulary_decode(v, ids, length, back, sizeof back);
    assert_string_equal(back, expected_text);
}

static void assert_encode_refused(const ur_pair_format *f, const ur_vocabulary *v, const char *text,
                                  const char *says)
{
    int32_t ids[16];
    size_t length = 99;
    ur_err err = {UR_OK, ""};
    assert_int_equal(ur_pair_encode(f, v, text, strlen(text), ids, &length, NULL, &err),
                     UR_BAD_FILE);
    assert_int_equal(length, 0);
    if (!strstr(err.text, says))
        fail_msg("%s", err.text);
}

static void test_encode(void **state)
{
    (void)state;
    ur_vocabulary *v = vocabulary_of("abc "), *spaceless = vocabulary_of("abc");
    ur_pair_format f = format_of(UR_PAIRS_FIXED, UR_ANSWER_FORWARD);
    f.reverse_input = true; /* ids come in reading order all the same */
    assert_encode(&f, v, "ab", "ab ");
    assert_encode(&f, v, "", "   ");
    assert_encode(&f, v, " bc", " bc");
    assert_encode(&f, spaceless, "abc", "abc");
    assert_encode_refused(&f, v, "abca", "has 4 characters, this model's have at most 3");
    assert_encode_refused(&f, spaceless, "ab", "has 2 characters, this model's have exactly 3");
    int32_t ids[16];
    size_t length, unknown = 9;
    assert_int_equal(ur_pair_encode(&f, v, "a\xE2\x82\xAC\n", 5, ids, &length, &unknown, NULL),
                     UR_OK);
    assert_true(length == 3 && unknown == 2 && ids[0] == 0);
    assert_true(ids[1] == UR_UNKNOWN && ids[2] == UR_UNKNOWN);
    assert_encode_refused(&f, v, "a\xFF", "not valid UTF-8 (byte 2)");
    f = format_of(UR_PAIRS_RAGGED, UR_ANSWER_FORWARD);
    f.question_width = 0;
    assert_encode(&f, v, " abcabc ", " abcabc ");
    assert_encode(&f, v, "", "");
    f.strip = true;
    assert_encode(&f, v, "  ab c ", "ab c");
    assert_encode(&f, v, "   ", "");
    ur_vocabulary_free(v);
    ur_vocabulary_free(spaceless);
}

static void test_check(void **state)
{
    (void)state;
    ur_vocabulary *v = vocabulary_of("abc ");
    const ur_pair_format fixed = {.form = UR_PAIRS_FIXED,
                                  .question_width = 3,
                                  .answer_steps = 2,
                                  .start = 3,
                                  .end = -1},
                         ragged = {.form = UR_PAIRS_RAGGED,
                                   .strip = true,
                                   .answer_steps = 2,
                                   .start = 0,
                                   .end = 1};
    assert_int_equal(ur_pair_format_check(&fixed, v, NULL), UR_OK);
    assert_int_equal(ur_pair_format_check(&ragged, v, NULL), UR_OK);
    ur_pair_format bad[10];
    for (size_t i = 0; i < 10; i++)
        bad[i] = i < 7 ? fixed : ragged;
    bad[0].start = 4;
    bad[1].start = -1;
    bad[2].end = 1;
    bad[3].question_width = 0;
    bad[4].question_width = SIZE_MAX;
    bad[5].strip = true;
    bad[6].answer_order = (ur_answer_order)3;
    bad[7].end = -1;
    bad[8].end = 0;
    bad[9].answer_steps = SIZE_MAX;
    for (size_t i = 0; i < 10; i++) {
        ur_err err = {UR_OK, ""};
        if (ur_pair_format_check(&bad[i], v, &err) != UR_BAD_FILE || !err.text[0])
            fail_msg("case %zu passed", i);
    }
    ur_vocabulary_free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_targets), cmocka_unit_test(test_answers),
        cmocka_unit_test(test_input),   cmocka_unit_test(test_encode),
        cmocka_unit_test(test_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
