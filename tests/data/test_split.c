/* test_split.c - part of a data set set apart: how much, by which seed, equal inputs on one side, both
 * sides in their order. */
#include "data/split.h"

#include "support/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { LINES = 200, DIFFERENT = 80 };

/* Line i: question (i * 7 mod 80) in two characters, answer i in two. */
static ur_pairs *pairs_of(ur_vocabulary **v)
{
    char text[LINES * 8];
    size_t used = 0;
    ur_pair_format format;
    ur_pairs *pairs;
    ur_err err;
    const ur_pair_format wanted = {.end = -1};
    for (int i = 0; i < LINES; i++) {
        const int q = i * 7 % DIFFERENT;
        used += (size_t)snprintf(text + used, sizeof text - used, "%c%c\t%c%c\n", 'a' + q / 10,
                                 'a' + q % 10, 'A' + i / 20, 'A' + i % 20);
    }
    if (ur_pairs_learn_bytes(NULL, "lines", text, used, NULL, NULL, &wanted, &pairs, v, &format,
                             &err) != UR_OK)
        fail_msg("%s", err.text);
    return pairs;
}

static bool same(ur_ids a, ur_ids b)
{
    return a.length == b.length && memcmp(a.ids, b.ids, a.length * sizeof *a.ids) == 0;
}

/* Each pair of `some` stands in `all` behind the one before it. */
static void in_order(const ur_pairs *all, const ur_pairs *some)
{
    size_t at = 0;
    for (size_t i = 0; i < ur_pairs_count(some); i++, at++) {
        while (at < ur_pairs_count(all) &&
               !(same(ur_pairs_answer(all, at), ur_pairs_answer(some, i)) &&
                 same(ur_pairs_question(all, at), ur_pairs_question(some, i))))
            at++;
        assert_true(at < ur_pairs_count(all));
    }
}

static void of_pairs(void **state)
{
    (void)state;
    ur_vocabulary *v[5];
    ur_pairs *all = pairs_of(&v[0]), *train = pairs_of(&v[1]), *again = pairs_of(&v[2]),
             *other = pairs_of(&v[3]), *whole = pairs_of(&v[4]), *valid, *valid_again, *valid_other;
    assert_int_equal(ur_pairs_split(train, 0.2, 7, &valid, NULL), UR_OK);
    assert_int_equal(ur_pairs_split(again, 0.2, 7, &valid_again, NULL), UR_OK);
    assert_int_equal(ur_pairs_split(other, 0.2, 8, &valid_other, NULL), UR_OK);
    assert_int_equal(ur_pairs_count(train) + ur_pairs_count(valid), LINES);
    /* a group has two or three lines */
    assert_true(ur_pairs_count(valid) >= LINES / 5 && ur_pairs_count(valid) <= LINES / 5 + 2);
    in_order(all, train);
    in_order(all, valid);
    for (size_t i = 0; i < ur_pairs_count(valid); i++)
        for (size_t j = 0; j < ur_pairs_count(train); j++)
            assert_false(same(ur_pairs_question(valid, i), ur_pairs_question(train, j)));
    assert_int_equal(ur_pairs_count(valid), ur_pairs_count(valid_again));
    for (size_t i = 0; i < ur_pairs_count(valid); i++)
        assert_true(same(ur_pairs_answer(valid, i), ur_pairs_answer(valid_again, i)));
    bool differs = ur_pairs_count(valid) != ur_pairs_count(valid_other);
    for (size_t i = 0; !differs && i < ur_pairs_count(valid); i++)
        differs = !same(ur_pairs_answer(valid, i), ur_pairs_answer(valid_other, i));
    assert_true(differs);
    ur_pairs *none;
    assert_int_equal(ur_pairs_split(whole, 0.999, 7, &none, NULL), UR_INVALID);
    assert_int_equal(ur_pairs_count(whole), LINES);
    in_order(all, whole);
    ur_pairs *sets[] = {all, train, again, other, whole, valid, valid_again, valid_other};
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        ur_pairs_free(sets[i]);
    for (size_t i = 0; i < sizeof v / sizeof *v; i++)
        ur_vocabulary_free(v[i]);
}

/* Sentence i: i % 5 + 1 tokens; label of token j: j % 2. */
static ur_labelled *labelled_of(ur_vocabulary **words, ur_vocabulary **labels)
{
    char text[8192];
    size_t used = 0;
    ur_labelled *l;
    ur_err err;
    const ur_text_options options = {.tokenizer = UR_WORDS};
    for (int i = 0; i < 60; i++) {
        for (int j = 0; j <= i % 5; j++)
            used += (size_t)snprintf(text + used, sizeof text - used, "w%d\t%d\n", i, j % 2);
        used += (size_t)snprintf(text + used, sizeof text - used, "\n");
    }
    if (ur_labelled_learn_bytes(NULL, "lines", text, used, UR_TAGGED, &options, NULL, NULL, &l,
                                words, labels, &err) != UR_OK)
        fail_msg("%s", err.text);
    return l;
}

static void of_labelled(void **state)
{
    (void)state;
    ur_vocabulary *words, *labels;
    ur_labelled *l = labelled_of(&words, &labels), *valid;
    assert_int_equal(ur_labelled_split(l, 0.25, 3, &valid, NULL), UR_OK);
    assert_int_equal(ur_labelled_count(l), 45);
    assert_int_equal(ur_labelled_count(valid), 15);
    int32_t last = -1;
    for (size_t i = 0; i < 15; i++) {
        const ur_ids tokens = ur_labelled_tokens(valid, i), marks = ur_labelled_labels(valid, i);
        const char *word = ur_vocabulary_token(words, tokens.ids[0], NULL);
        const int32_t number = atoi(word + 1);
        assert_true(number > last); /* in their order */
        last = number;
        assert_int_equal(tokens.length, (size_t)(number % 5 + 1));
        assert_int_equal(marks.length, tokens.length);
        for (size_t j = 0; j < marks.length; j++)
            assert_int_equal(marks.ids[j], j % 2);
    }
    ur_labelled_free(l);
    ur_labelled_free(valid);
    ur_vocabulary_free(words);
    ur_vocabulary_free(labels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(of_pairs), cmocka_unit_test(of_labelled)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
