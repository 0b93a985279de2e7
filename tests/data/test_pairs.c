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
    if (ur_pairs_learn_bytes(NULL, "data.txt", text, strlen(text), NULL, NULL,
                             &(ur_pair_format){.strip = strip}, &l.pairs, &l.vocabulary, &l.format,
                             &err) != UR_OK)
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
    learned l = learn("\xC3\xA9_\tx\r\na \ty", false);
    assert_int_equal(l.format.form, UR_PAIRS_FIXED);
    assert_int_equal(l.format.question_width, 2);
    assert_pair(&l, 0, "\xC3\xA9_", "x");
    assert_pair(&l, 1, "a ", "y");
    assert_tokens(l.vocabulary, "\xC3\xA9_<start>xa y");
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
    assert_pair(&l, 3, "x", "y");
    assert_tokens(l.vocabulary, "<start><end>a bcdefxqy");
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
    ur_status status = ur_pairs_learn_bytes(NULL, "data.txt", text, size, NULL, NULL, NULL, &pairs,
                                            &v, &format, &err);
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
        {"\n", "data.txt: there is no pair in this file"},
        {"\r\n", "data.txt: there is no pair in this file"},
        {"ab", "line 1: no tab or _"},
        {"a_b\ncd\n", "line 2: no tab or _"},
        {"a\tb\nc_d\n", "line 2: no tab between"},
        {"a_b\na_b\nc\xFF_d\n", "line 3: byte 0xff is not valid UTF-8; if this is Latin-1, iconv"},
        {"a_b\nc_\xC3\n", "line 2: byte 0xc3 is not valid UTF-8"},
        {"a_\xED\xA0\x80\n", "line 1: byte 0xed is not valid UTF-8"},
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
    return ur_pairs_open_bytes(NULL, "eval.txt", text, strlen(text), NULL, &l->format,
                               l->vocabulary, pairs, err);
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
    assert_int_equal(ur_pairs_learn_bytes(NULL, "builtin:x", "ab_c\n", 5, "abc", NULL, NULL,
                                          &l.pairs, &l.vocabulary, &l.format, &err),
                     UR_OK); /* no space in the vocabulary */
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
    assert_int_equal(ur_pairs_learn(NULL, &source, NULL, &l.pairs, &l.vocabulary, &l.format, &err),
                     UR_BAD_FILE);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fputs("ab_c\nba_d\n", f);
    fclose(f);
    assert_int_equal(ur_pairs_learn(NULL, &source, NULL, &l.pairs, &l.vocabulary, &l.format, &err),
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
    assert_int_equal(ur_pairs_learn(NULL, &source, NULL, &l.pairs, &l.vocabulary, &l.format, &err),
                     UR_INVALID);
}

static ur_status learn_and_open(const ur_allocator *a, ur_err *err, void *arg)
{
    const ur_pair_source *source = arg;
    learned l;
    ur_pairs *again = NULL;
    ur_status status = ur_pairs_learn(a, source, NULL, &l.pairs, &l.vocabulary, &l.format, err);
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
    ur_status status = ur_pairs_learn_bytes(a, "data", text, strlen(text), NULL, NULL,
                                            &(ur_pair_format){.strip = true}, &l.pairs,
                                            &l.vocabulary, &l.format, err);
    forget(&l);
    return status;
}

static ur_status learn_values(const ur_allocator *a, ur_err *err, void *arg)
{
    const char *text = arg;
    const ur_pair_format wanted = {.lower = true, .unicode = UR_UNICODE_NFKC};
    learned l;
    ur_status status = ur_pairs_learn_bytes(a, "data.csv", text, strlen(text), NULL, NULL, &wanted,
                                            &l.pairs, &l.vocabulary, &l.format, err);
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
    assert_true(
        failing_alloc_sweep(learn_values, "source,target\n\"A\"\"\xEF\xAC\x81\",B\n\nc,d\n") >= 10);
}

/* ---- files as people have them ------------------------------------------------------------- */

static learned read_named(const char *name, const char *text, const ur_reading *reading,
                          const ur_pair_format *wanted)
{
    learned l;
    ur_err err = {UR_OK, ""};
    if (ur_pairs_learn_bytes(NULL, name, text, strlen(text), NULL, reading, wanted, &l.pairs,
                             &l.vocabulary, &l.format, &err) != UR_OK)
        fail_msg("%s", err.text);
    return l;
}

static void assert_remark(const ur_pairs *p, const char *expected)
{
    const char *remark;
    for (size_t i = 0; (remark = ur_pairs_remark(p, i)); i++)
        if (strcmp(remark, expected) == 0)
            return;
    for (size_t i = 0; (remark = ur_pairs_remark(p, i)); i++)
        print_message("remark: %s\n", remark);
    fail_msg("no remark \"%s\"", expected);
}

static void test_third_column(void **state)
{
    (void)state;
    learned l =
        read_named("t", "Go.\tVa !\tCC-BY 2.0 #1\nHi.\tSalut !\tCC-BY 2.0 #2\n", NULL, NULL);
    assert_pair(&l, 0, "Go.", "Va !");
    assert_pair(&l, 1, "Hi.", "Salut !");
    assert_remark(l.pairs, "t: what stands behind a second tab is not read (first on line 1)");
    assert_null(ur_pairs_remark(l.pairs, 1));
    forget(&l);
}

static void test_line_ends(void **state)
{
    (void)state;
    learned l = read_named("r", "cat\tcats\rox\toxen\r", NULL, NULL);
    assert_int_equal(ur_pairs_count(l.pairs), 2);
    assert_pair(&l, 1, "ox", "oxen");
    forget(&l);
    l = read_named("b", "\n \ncat\tcats\n\n\nox\toxen\n\t\n\n", NULL, NULL);
    assert_int_equal(ur_pairs_count(l.pairs), 3);
    assert_pair(&l, 2, "", ""); /* a tab is a pair of nothing */
    assert_remark(l.pairs, "b: 5 blank lines are passed over");
    forget(&l);
}

static void test_chance(void **state)
{
    (void)state;
    learned l = read_named("c", "cat\tcats\ndog\tdogs\ncow\tcows\n", NULL, NULL), e = l;
    assert_int_equal(l.format.form, UR_PAIRS_RAGGED);
    assert_remark(l.pairs,
                  "c: all questions have 3 characters and all answers 4, but none is filled up "
                  "with spaces: taken for chance, other lengths are answered, too");
    assert_int_equal(open_text(&l, "gold\tgolds\n", &e.pairs, NULL), UR_OK);
    ur_pairs_free(e.pairs);
    forget(&l);
    l = read_named("f", "cat \tcats\nox  \toxen\n", NULL, NULL);
    assert_int_equal(l.format.form, UR_PAIRS_FIXED);
    assert_remark(l.pairs,
                  "f: columns of 4 and 4 characters, which spaces fill up (--strip reads real "
                  "lengths)");
    forget(&l);
}

static void test_unknown(void **state)
{
    (void)state;
    learned l = read_named("u", "ab\tc\na\tcc\n", NULL, NULL), e = l;
    static const char text[] = "ab\tc\nx\xC3\xA9"
                               "a\tcz\nb\tc\n";
    ur_err err;
    assert_int_equal(open_text(&l, text, &e.pairs, &err), UR_OK);
    assert_int_equal(ur_pairs_count(e.pairs), 3);
    assert_int_equal(ur_pairs_unknown(e.pairs), 3);
    assert_int_equal(ur_pairs_question(e.pairs, 1).ids[0], UR_UNKNOWN);
    assert_int_equal(ur_pairs_question(e.pairs, 1).length, 3);
    assert_int_equal(ur_pairs_answer(e.pairs, 1).ids[1], UR_UNKNOWN);
    assert_remark(e.pairs,
                  "eval.txt: 3 characters, in 1 of 3 pairs, are unknown to the model: nothing is "
                  "read in their place, and answers with them are never right");
    ur_pairs_free(e.pairs);
    const ur_reading skip = {.skip = true};
    assert_int_equal(ur_pairs_open_bytes(NULL, "e", text, strlen(text), &skip, &l.format,
                                         l.vocabulary, &e.pairs, &err),
                     UR_OK);
    assert_int_equal(ur_pairs_count(e.pairs), 2);
    assert_pair(&e, 1, "b", "c");
    assert_int_equal(ur_pairs_unknown(e.pairs), 0);
    ur_pairs_free(e.pairs);
    assert_int_equal(
        ur_pairs_open_bytes(NULL, "e", "x\tc\n", 4, &skip, &l.format, l.vocabulary, &e.pairs, &err),
        UR_BAD_FILE);
    assert_string_equal(err.text, "e: no pair is left that can be used");
    forget(&l);
    /* too long for the columns of the fixed form */
    l = read_named("f", "ab _c\na  _d\n", NULL, NULL);
    assert_int_equal(ur_pairs_open_bytes(NULL, "e", "abab_c\nb_d\n", 11, &skip, &l.format,
                                         l.vocabulary, &e.pairs, &err),
                     UR_OK);
    assert_int_equal(ur_pairs_count(e.pairs), 1);
    ur_pairs_free(e.pairs);
    forget(&l);
}

static void test_values(void **state)
{
    (void)state;
    learned l = read_named("p.csv", "n,source,target\n1,\"a, b\",\"say \"\"c\"\"\"\n2,x,\"y\nz\"\n",
                           NULL, NULL);
    assert_pair(&l, 0, "a, b", "say \"c\"");
    assert_pair(&l, 1, "x", "y\nz");
    assert_int_equal(ur_vocabulary_find_reserved(l.vocabulary, "start"), 0);
    forget(&l);
    const ur_reading columns = {.input_column = "en", .target_column = "fr"};
    l = read_named("p", "fr\ten\nVa !\tGo.\n", &columns, NULL);
    assert_pair(&l, 0, "Go.", "Va !");
    forget(&l);
    const ur_reading numbers = {.input_column = "2", .target_column = "1"};
    l = read_named("p", "Va !\tGo.\nSalut\tHi\n", &numbers, NULL);
    assert_int_equal(ur_pairs_count(l.pairs), 2);
    assert_pair(&l, 0, "Go.", "Va !");
    forget(&l);
}

static void test_normalised(void **state)
{
    (void)state;
    const ur_pair_format lower = {.lower = true, .unicode = UR_UNICODE_NFC};
    learned l = read_named("n", "Ae\xCC\x81\t\xC3\x89\nB\tbb\n", NULL, &lower);
    assert_pair(&l, 0, "a\xC3\xA9", "\xC3\xA9");
    assert_pair(&l, 1, "b", "bb");
    assert_true(l.format.lower && l.format.unicode == UR_UNICODE_NFC);
    int32_t ids[8];
    size_t length, unknown;
    assert_int_equal(ur_pair_encode(&l.format, l.vocabulary,
                                    "AE\xCC\x81"
                                    "B",
                                    5, ids, &length, &unknown, NULL),
                     UR_OK);
    assert_true(length == 3 && unknown == 0);
    forget(&l);
}

static void test_max_length(void **state)
{
    (void)state;
    const size_t size = 70000;
    char *text = malloc(size + 16);
    assert_non_null(text);
    memset(text, 'x', size);
    strcpy(text + size, "\ty\nzz\tyy\n");
    learned l = read_named("m", text, &(ur_reading){.max_length = 65536}, NULL);
    assert_int_equal(ur_pairs_question(l.pairs, 0).length, 65536);
    assert_remark(l.pairs, "m: 1 texts were cut to 65536 characters");
    forget(&l);
    l = read_named("m", text, &(ur_reading){.max_length = 1}, NULL);
    assert_pair(&l, 1, "z", "y");
    forget(&l);
    l = read_named("m", text, &(ur_reading){.max_length = 65536, .skip = true}, NULL);
    assert_int_equal(ur_pairs_count(l.pairs), 1);
    assert_remark(l.pairs, "m: 1 pairs of more than 65536 characters are left out");
    forget(&l);
    free(text);
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
        cmocka_unit_test(test_third_column),
        cmocka_unit_test(test_line_ends),
        cmocka_unit_test(test_chance),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_normalised),
        cmocka_unit_test(test_max_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
