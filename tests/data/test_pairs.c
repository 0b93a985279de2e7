/* Tests of data/pairs: forms, separators, ids by first appearance, files that must be refused,
 * data for a model that exists, and every allocation failing. */
#include "data/pairs.h"
#include "base/alloc.h"
#include "support/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

typedef struct learned {
    ur_pairs *pairs;
    ur_vocabulary *vocabulary;
    ur_pair_format format;
} learned;

static learned learn(const char *text, bool strip)
{
    learned l;
    ur_err err = {UR_OK, ""};
    if (ur_pairs_learn_bytes(NULL, "data.txt", text, strlen(text), NULL, strip, &l.pairs,
                             &l.vocabulary, &l.format, &err) != UR_OK)
        fail_msg("%s", err.text);
    assert_int_equal(ur_pair_format_check(&l.format, l.vocabulary, NULL), UR_OK);
    return l;
}

static void forget(learned *l)
{
    ur_pairs_free(l->pairs);
    ur_vocabulary_free(l->vocabulary);
}

static void assert_text(const ur_vocabulary *v, ur_ids ids, const char *expected)
{
    char text[256];
    ur_vocabulary_decode(v, ids.ids, ids.length, text, sizeof text);
    assert_string_equal(text, expected);
}

static void assert_pair(const learned *l, size_t i, const char *question, const char *answer)
{
    assert_text(l->vocabulary, ur_pairs_question(l->pairs, i), question);
    assert_text(l->vocabulary, ur_pairs_answer(l->pairs, i), answer);
}

static void assert_tokens(const ur_vocabulary *v, const char *expected)
{
    char text[256];
    int32_t ids[64];
    for (int32_t i = 0; i < 64; i++)
        ids[i] = i;
    ur_vocabulary_decode(v, ids, ur_vocabulary_size(v), text, sizeof text);
    assert_string_equal(text, expected);
}

static void test_fixed(void **state)
{
    (void)state;
    learned l = learn("12+3 _15\n7+8  _15\n", false);
    assert_int_equal(l.format.form, UR_PAIRS_FIXED);
    assert_int_equal(l.format.question_width, 5);
    assert_int_equal(l.format.answer_steps, 2);
    assert_int_equal(ur_pairs_count(l.pairs), 2);
    assert_pair(&l, 0, "12+3 ", "15");
    assert_pair(&l, 1, "7+8  ", "15");
    assert_tokens(l.vocabulary, "12+3 _578");
    assert_int_equal(l.format.start, 5);
    assert_int_equal(l.format.end, -1);
    forget(&l);
}

static void test_fixed_by_tabs(void **state)
{
    (void)state;
    /* widths count characters, not bytes; `_` is an ordinary character here */
    learned l = learn("\xC3\xA9_\tx\r\nab\ty", false);
    assert_int_equal(l.format.form, UR_PAIRS_FIXED);
    assert_int_equal(l.format.question_width, 2);
    assert_pair(&l, 0, "\xC3\xA9_", "x");
    assert_pair(&l, 1, "ab", "y");
    assert_tokens(l.vocabulary, "\xC3\xA9_<start>xaby");
    assert_int_equal(l.format.start, 2);
    forget(&l);
}

static void test_ragged(void **state)
{
    (void)state;
    learned l = learn("\xEF\xBB\xBF"
                      "a b\tcdef\n\tx\n q \t\nx\ty\tz",
                      false);
    assert_int_equal(l.format.form, UR_PAIRS_RAGGED);
    assert_int_equal(l.format.question_width, 0);
    assert_int_equal(l.format.answer_steps, 4 + 1 + 1 + 4);
    assert_int_equal(ur_pairs_count(l.pairs), 4);
    assert_pair(&l, 0, "a b", "cdef");
    assert_pair(&l, 1, "", "x");
    assert_pair(&l, 2, " q ", "");
    assert_pair(&l, 3, "x", "y\tz");
    assert_tokens(l.vocabulary, "<start><end>a bcdefxqy\tz");
    assert_int_equal(l.format.start, 0);
    assert_int_equal(l.format.end, 1);
    forget(&l);
}

static void test_strip(void **state)
{
    (void)state;
    learned l = learn("12+3 _15\n7+8  _ 5\n     _  \n", true);
    assert_int_equal(l.format.form, UR_PAIRS_RAGGED);
    assert_true(l.format.strip);
    assert_pair(&l, 0, "12+3", "15");
    assert_pair(&l, 1, "7+8", "5");
    assert_pair(&l, 2, "", "");
    assert_tokens(l.vocabulary, "<start><end>12+3578");
    forget(&l);
    l = learn("_ab\n_cd\n", false); /* a width of nothing is no width */
    assert_int_equal(l.format.form, UR_PAIRS_RAGGED);
    forget(&l);
    l = learn("a_b_c\n", false); /* only the first separates */
    assert_pair(&l, 0, "a", "b_c");
    forget(&l);
}

static void assert_refused(const char *text, size_t size, const char *says)
{
    ur_pairs *pairs = (ur_pairs *)&pairs;
    ur_vocabulary *v = (ur_vocabulary *)&v;
    ur_pair_format format;
    ur_err err = {UR_OK, ""};
    ur_status status =
        ur_pairs_learn_bytes(NULL, "data.txt", text, size, NULL, false, &pairs, &v, &format, &err);
    if (status != UR_BAD_FILE || pairs || v || !strstr(err.text, says))
        fail_msg("expected \"%s\", got %s: %s", says, ur_status_name(status), err.text);
}

static void test_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "data.txt: an empty file"},
        {"\xEF\xBB\xBF", "data.txt: an empty file"},
        {"\n", "data.txt: line 1: no tab or _"},
        {"\r\n", "data.txt: line 1: no tab or _"},
        {"ab", "line 1: no tab or _"},
        {"a_b\ncd\n", "line 2: no tab or _"},
        {"a\tb\nc_d\n", "line 2: no tab between"},
        {"a_b\n\n", "line 2: no tab or _"},
        {"a_b\na_b\nc\xFF_d\n", "line 3: byte 0xff in the question is not valid UTF-8"},
        {"a_b\nc_\xC3\n", "line 2: byte 0xc3 in the answer is not valid UTF-8"},
        {"a_\xED\xA0\x80\n", "line 1: byte 0xed in the answer"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(bad[i].text, strlen(bad[i].text), bad[i].says);
    assert_refused("a_b\nc\0_d\n", 9, "line 2: a zero byte");
    assert_refused("a_b\0", 4, "line 1: a zero byte");
    size_t huge = UR_PAIR_LONGEST + 1;
    char *text = malloc(huge + 3);
    assert_non_null(text);
    memset(text, 'x', huge + 3);
    text[huge] = '_';
    assert_refused(text, huge + 2, "line 1: the question has 65537 characters");
    text[huge] = 'x';
    text[1] = '_';
    assert_refused(text, huge + 2, "line 1: the answer has 65537 characters");
    memcpy(text, "a_b\n", 4);
    assert_refused(text, huge, "line 2: no tab or _");
    free(text);
}

static ur_status open_text(const learned *l, const char *text, ur_pairs **pairs, ur_err *err)
{
    return ur_pairs_open_bytes(NULL, "eval.txt", text, strlen(text), &l->format, l->vocabulary,
                               pairs, err);
}

static void test_open_fixed(void **state)
{
    (void)state;
    learned l = learn("12+3 _15\n7+8  _15\n", false), e = l;
    ur_err err;
    /* another separator, shorter lines */
    assert_int_equal(open_text(&l, "7+1\t8\n\t\n12+35\t15", &e.pairs, &err), UR_OK);
    assert_int_equal(ur_pairs_count(e.pairs), 3);
    assert_pair(&e, 0, "7+1  ", "8 ");
    assert_pair(&e, 1, "     ", "  ");
    assert_pair(&e, 2, "12+35", "15");
    ur_pairs_free(e.pairs);
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"7+8  _15\n7+\xC3\xA9  _15\n",
         "eval.txt: line 2: the character U+00E9 '\xC3\xA9' is not in the model's vocabulary"},
        {"7+8  _1\x1B\n", "line 1: the character U+001B is not"},
        {"7+8  _15\n7+8   _15\n", "line 2: the question has 6 characters, the model's have at "
                                  "most 5"},
        {"7+8  _123\n", "line 1: the answer has 3 characters, the model's have at most 2"},
        {"7+8\n", "line 1: no tab or _"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(open_text(&l, bad[i].text, &e.pairs, &err), UR_BAD_FILE);
        assert_null(e.pairs);
        if (!strstr(err.text, bad[i].says))
            fail_msg("case %zu: %s", i, err.text);
    }
    assert_int_equal(ur_vocabulary_size(l.vocabulary), 9); /* nothing was learned */
    forget(&l);
    l = learn("ab_c\n", false); /* no space in the vocabulary */
    assert_int_equal(open_text(&l, "a_c\n", &e.pairs, &err), UR_BAD_FILE);
    assert_non_null(strstr(err.text, "have exactly 2"));
    forget(&l);
}

static void test_open_ragged(void **state)
{
    (void)state;
    learned l = learn(" ab _c\na_bc\n", true), e = l;
    assert_int_equal(open_text(&l, "  a\t  cccccccccccc\nb\t\n", &e.pairs, NULL), UR_OK);
    assert_pair(&e, 0, "a", "cccccccccccc");
    assert_pair(&e, 1, "b", "");
    ur_pairs_free(e.pairs);
    forget(&l);
}

static void test_files(void **state)
{
    (void)state;
    char folder[] = "/tmp/unroll_pairsXXXXXX", path[64];
    learned l;
    ur_err err;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/pairs.txt", folder);
    ur_pair_source source = {.data = path};
    assert_int_equal(ur_pairs_learn(NULL, &source, false, &l.pairs, &l.vocabulary, &l.format, &err),
                     UR_BAD_FILE);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fputs("ab_c\nba_d\n", f);
    fclose(f);
    assert_int_equal(ur_pairs_learn(NULL, &source, false, &l.pairs, &l.vocabulary, &l.format, &err),
                     UR_OK);
    assert_pair(&l, 1, "ba", "d");
    ur_pairs *again;
    assert_int_equal(ur_pairs_open(NULL, &source, &l.format, l.vocabulary, &again, &err), UR_OK);
    assert_int_equal(ur_pairs_count(again), 2);
    ur_pairs_free(again);
    l.format.start = 99;
    assert_int_equal(ur_pairs_open(NULL, &source, &l.format, l.vocabulary, &again, &err),
                     UR_BAD_FILE);
    unlink(path);
    rmdir(folder);
    forget(&l);
    source.data = NULL;
    assert_int_equal(ur_pairs_learn(NULL, &source, false, &l.pairs, &l.vocabulary, &l.format, &err),
                     UR_INVALID);
}

static ur_status learn_and_open(const ur_allocator *a, ur_err *err, void *arg)
{
    const ur_pair_source *source = arg;
    learned l;
    ur_pairs *again = NULL;
    ur_status status = ur_pairs_learn(a, source, false, &l.pairs, &l.vocabulary, &l.format, err);
    if (status == UR_OK)
        status = ur_pairs_open(a, source, &l.format, l.vocabulary, &again, err);
    else
        assert_true(!l.pairs && !l.vocabulary);
    ur_pairs_free(again);
    forget(&l);
    return status;
}

static ur_status learn_ragged(const ur_allocator *a, ur_err *err, void *arg)
{
    const char *text = arg;
    learned l;
    ur_status status = ur_pairs_learn_bytes(a, "data", text, strlen(text), NULL, true, &l.pairs,
                                            &l.vocabulary, &l.format, err);
    forget(&l);
    return status;
}

static void test_failing_allocations(void **state)
{
    (void)state;
    ur_pair_source dates = {.data = "builtin:dates", .size = 20},
                   additions = {.data = "builtin:additions", .size = 20};
    assert_true(failing_alloc_sweep(learn_and_open, &dates) >= 20);
    assert_true(failing_alloc_sweep(learn_and_open, &additions) >= 20);
    assert_true(failing_alloc_sweep(learn_ragged, "a b\tc\n x\tdefg\n") >= 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixed),
        cmocka_unit_test(test_fixed_by_tabs),
        cmocka_unit_test(test_ragged),
        cmocka_unit_test(test_strip),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_open_fixed),
        cmocka_unit_test(test_open_ragged),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
