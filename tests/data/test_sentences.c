/* Tests of data/sentences: where sentences end, paragraphs of a file, pairs and masks that are drawn. */
#include "base/alloc.h"
#include "base/status.h"
#include "data/sentences.h"
#include "support/failing_alloc.h"
#include "support/faulty_syscalls.h"
#include "unroll/corpus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* ---- where sentences end ----------------------------------------------------------------------- */

static void check_cut(int how, const char *text, const char *want)
{
    char got[400] = "";
    size_t begin, next, n;
    for (size_t at = 0; (n = ur_sentence_next(how, text + at, strlen(text + at), &begin, &next));
         at += next) {
        strncat(got, text + at + begin, n);
        strcat(got, "|");
    }
    assert_string_equal(got, want);
}

static void test_sentence_ends(void **state)
{
    (void)state;
    check_cut(UR_SENTENCES_MARKS, "One. Two!  Three?", "One.|Two!|Three?|");
    check_cut(UR_SENTENCES_MARKS, "It cost 3.5 (or so.) \"No?!\" Yes",
              "It cost 3.5 (or so.)|\"No?!\"|Yes|");
    check_cut(UR_SENTENCES_MARKS, "He said \xE2\x80\x9CGo.\xE2\x80\x9D And\tleft .\n",
              "He said \xE2\x80\x9CGo.\xE2\x80\x9D|And\tleft .|");
    check_cut(UR_SENTENCES_MARKS, " \t ", "");
    check_cut(UR_SENTENCES_MARKS, "", "");
    check_cut(UR_SENTENCES_STOPS, " a b . c . d ", "a b|c|d|");
    check_cut(UR_SENTENCES_STOPS, "a. b ! c .", "a. b ! c .|");
    check_cut(UR_SENTENCES_STOPS, "a .  . b", "a|b|");
}

/* ---- files ---------------------------------------------------------------------------------------- */

static const char vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nd\n.\n";

static ur_wordpiece *wordpiece(void)
{
    const ur_wordpiece_options o = ur_wordpiece_defaults();
    ur_wordpiece *w;
    assert_int_equal(ur_wordpiece_parse(NULL, "v", vocabulary, sizeof vocabulary - 1, &o, &w, NULL),
                     UR_OK);
    return w;
}

static const char *file_of(const char *text)
{
    static const char path[] = "sentences.txt";
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    return path;
}

static void test_read(void **state)
{
    (void)state;
    static const int32_t want[] = {5, 9, 6, 7, 9, 8, 5, 9, 6, 9};
    ur_wordpiece *w = wordpiece();
    ur_sentences s;
    ur_err err;
    const char *path = file_of("A. b c. d\n= x =\n\nonly one here.\n a. B.\n");
    if (ur_sentences_read(NULL, path, w, UR_SENTENCES_MARKS, &s, &err) != UR_OK)
        fail_msg("%s", err.text);
    assert_int_equal(s.paragraphs, 2);
    assert_int_equal(s.count, 5);
    assert_int_equal(s.used, 10);
    assert_memory_equal(s.ids, want, sizeof want);
    assert_int_equal(s.paragraph[1], 3);
    assert_int_equal(ur_sentence_length(&s, 1), 3);
    ur_sentences_free(&s);
    assert_int_equal(ur_sentences_read(NULL, file_of("a\nb.\n"), w, UR_SENTENCES_MARKS, &s, &err),
                     UR_BAD_FILE);
    assert_non_null(strstr(err.text, "no line has two sentences"));
    ur_sentences_free(&s);
    assert_int_equal(
        ur_sentences_read(NULL, file_of("a. b\na\xFF. b\n"), w, UR_SENTENCES_MARKS, &s, &err),
        UR_BAD_FILE);
    assert_non_null(strstr(err.text, "line 2"));
    ur_sentences_free(&s);
    remove(path);
    ur_wordpiece_free(w);
}

/* ---- what is drawn ---------------------------------------------------------------------------------- */

enum { PARAGRAPHS = 200, TOKENS = 50, MASK = 4 };

/* Sentences of 3 to 12 ids, each its own place modulo something, none special. */
static ur_sentences made(const ur_allocator *a)
{
    ur_sentences s = {.a = a};
    for (size_t p = 0, k = 0; p < PARAGRAPHS; p++) {
        assert_true(ur_sentences_paragraph(&s));
        for (size_t i = 0; i < 2 + p % 4; i++, k++) {
            int32_t ids[12];
            const size_t n = 3 + k * 7 % 10;
            for (size_t j = 0; j < n; j++)
                ids[j] = (int32_t)(5 + (k * 13 + j * 5) % (TOKENS - 5));
            assert_true(ur_sentences_add(&s, ids, n));
        }
    }
    return s;
}

static ur_masking masking(bool *may)
{
    for (size_t i = 0; i < TOKENS; i++)
        may[i] = i >= 5;
    return (ur_masking){.most = 20, .masked = 0.15, .mask = MASK, .tokens = TOKENS, .may = may};
}

/* Whether the second sentence is the one behind the first in its paragraph. */
static bool truly_follows(const ur_sentences *s, const ur_masked_pair *p)
{
    for (size_t k = 0; k < s->paragraphs; k++)
        for (size_t i = s->paragraph[k]; i + 1 < s->paragraph[k + 1]; i++)
            if (s->begin[i] == p->first)
                return s->begin[i + 1] == p->second;
    fail_msg("a pair begins at %zu, where no sentence does that has one behind it", p->first);
    return false;
}

static void test_drawn(void **state)
{
    (void)state;
    bool may[TOKENS];
    ur_sentences s = made(NULL);
    const ur_masking m = masking(may);
    ur_masked_pairs pairs;
    size_t too_long, all, follow = 0, total = 0, kinds[3] = {0}, draws = 0;
    assert_int_equal(ur_masked_pairs_new(&s, &m, &pairs, &too_long, &all, NULL), UR_OK);
    assert_int_equal(all, s.count - s.paragraphs);
    assert_true(too_long > 0 && too_long < all);
    for (uint64_t epoch = 0; epoch < 20; epoch++) {
        ur_masked_pairs_draw(&pairs, &s, &m, 1, epoch);
        for (size_t i = 0; i < pairs.count; i++, draws++) {
            const ur_masked_pair *p = ur_masked_pair_at(&pairs, i);
            const size_t n = ur_masked_pair_length(p);
            assert_true(n <= m.most);
            assert_int_equal(truly_follows(&s, p), p->follows);
            follow += p->follows;
            assert_int_equal(p->n_masks, n < 11 ? (n == 10 ? 2 : 1) : n < 17 ? 2 : 3);
            for (size_t k = p->masks; k < p->masks + p->n_masks; k++, total++) {
                const size_t at = pairs.at[k];
                const int32_t word = ur_masked_pair_word(&pairs, p, at), shown = pairs.shown[k];
                assert_true(at > 0 && at < n - 1 && at != p->n_first + 1);
                assert_true(k == p->masks || at > pairs.at[k - 1]);
                assert_true(shown == MASK || may[shown]);
                kinds[shown == MASK ? 0 : shown == word ? 1 : 2]++;
            }
        }
    }
    const double part[] = {(double)kinds[0] / (double)total, (double)kinds[1] / (double)total,
                           (double)kinds[2] / (double)total};
    assert_true(part[0] > 0.77 && part[0] < 0.83);
    assert_true(part[1] > 0.08 && part[1] < 0.125 && part[2] > 0.08 && part[2] < 0.12);
    assert_true(follow > draws * 4 / 10 && follow < draws * 6 / 10);
    ur_masked_pairs_free(&pairs);
    ur_sentences_free(&s);
}

/* n of 10 pieces is 1.5, which rounds to the even 2; 0.15 n of 3 others is at least 1. */
static void test_epochs(void **state)
{
    (void)state;
    bool may[TOKENS];
    ur_sentences s = made(NULL);
    const ur_masking m = masking(may);
    ur_masked_pairs one, two;
    size_t too_long, all;
    assert_int_equal(ur_masked_pairs_new(&s, &m, &one, &too_long, &all, NULL), UR_OK);
    assert_int_equal(ur_masked_pairs_new(&s, &m, &two, &too_long, &all, NULL), UR_OK);
    ur_masked_pairs_draw(&one, &s, &m, 3, 7);
    ur_masked_pairs_draw(&two, &s, &m, 3, 8);
    assert_true(one.count != two.count ||
                memcmp(one.pair, two.pair, one.count * sizeof *one.pair) != 0);
    assert_memory_not_equal(one.shown, two.shown, 100 * sizeof *one.shown);
    ur_masked_pairs_draw(&two, &s, &m, 3, 7);
    assert_int_equal(one.count, two.count);
    assert_memory_equal(one.order, two.order, one.count * sizeof *one.order);
    for (size_t i = 0; i < one.count; i++) {
        const ur_masked_pair *p = &one.pair[i], *q = &two.pair[i];
        assert_true(p->first == q->first && p->second == q->second && p->masks == q->masks);
        assert_memory_equal(one.at + p->masks, two.at + p->masks, p->n_masks * sizeof *one.at);
        assert_memory_equal(one.shown + p->masks, two.shown + p->masks,
                            p->n_masks * sizeof *one.shown);
    }
    ur_masked_pairs_free(&one);
    ur_masked_pairs_free(&two);
    ur_sentences_free(&s);
}

static void test_too_long(void **state)
{
    (void)state;
    bool may[TOKENS];
    ur_sentences s = made(NULL);
    ur_masking m = masking(may);
    ur_masked_pairs pairs;
    size_t too_long, all;
    ur_err err;
    m.most = 8;
    assert_int_equal(ur_masked_pairs_new(&s, &m, &pairs, &too_long, &all, &err), UR_BAD_FILE);
    assert_non_null(strstr(err.text, "at most 8 pieces"));
    assert_int_equal(too_long, all);
    ur_masked_pairs_free(&pairs);
    ur_sentences_free(&s);
}

static ur_status use(const ur_allocator *a, ur_err *err, void *arg)
{
    const ur_wordpiece_options o = ur_wordpiece_defaults();
    bool may[TOKENS];
    const ur_masking m = masking(may);
    ur_wordpiece *w = NULL;
    ur_vocabulary *words = NULL;
    ur_word_count *counts = NULL;
    ur_sentences s = {.a = a};
    ur_masked_pairs pairs = {.a = a};
    size_t n, too_long, all;
    ur_status status = ur_wordpiece_parse(a, "v", vocabulary, sizeof vocabulary - 1, &o, &w, err);
    if (status == UR_OK)
        status = ur_sentences_words(a, arg, w, &words, &counts, &n, err);
    if (status == UR_OK)
        status = ur_sentences_read(a, arg, w, UR_SENTENCES_MARKS, &s, err);
    if (status == UR_OK)
        status = ur_masked_pairs_new(&s, &m, &pairs, &too_long, &all, err);
    ur_masked_pairs_free(&pairs);
    ur_sentences_free(&s);
    ur_free(a, counts);
    ur_vocabulary_free(words);
    ur_wordpiece_free(w);
    return status;
}

static void test_memory(void **state)
{
    (void)state;
    const char *path = file_of("a b. c d. a\nb. c b\n");
    char copy[64];
    strcpy(copy, path);
    assert_true(failing_alloc_sweep(use, copy) > 10);
    remove(path);
}

/* ---- a part for validation --------------------------------------------------------------------------- */

static bool same_paragraph(const ur_sentences *a, size_t i, const ur_sentences *b, size_t k)
{
    const size_t first = a->begin[a->paragraph[i]], n = a->begin[a->paragraph[i + 1]] - first;
    const size_t second = b->begin[b->paragraph[k]];
    return b->begin[b->paragraph[k + 1]] - second == n &&
           memcmp(a->ids + first, b->ids + second, n * sizeof *a->ids) == 0;
}

/* Whole paragraphs, each on one side and in its order, equal ones together. */
static void test_split(void **state)
{
    (void)state;
    ur_sentences whole = made(NULL), rest = made(NULL), apart;
    const ur_sentences again = made(NULL);
    ur_err err;
    for (size_t p = 0; p < PARAGRAPHS; p++) /* each twice */
        for (size_t i = again.paragraph[p]; i < again.paragraph[p + 1]; i++) {
            if (i == again.paragraph[p])
                assert_true(ur_sentences_paragraph(&whole) && ur_sentences_paragraph(&rest));
            const int32_t *ids = again.ids + again.begin[i];
            assert_true(ur_sentences_add(&whole, ids, ur_sentence_length(&again, i)));
            assert_true(ur_sentences_add(&rest, ids, ur_sentence_length(&again, i)));
        }
    if (ur_sentences_split(&rest, 0.25, 7, &apart, &err) != UR_OK)
        fail_msg("%s", err.text);
    assert_int_equal(rest.paragraphs + apart.paragraphs, 2 * PARAGRAPHS);
    assert_in_range(apart.paragraphs, PARAGRAPHS / 2 - 4, PARAGRAPHS / 2 + 4);
    assert_int_equal(rest.used + apart.used, whole.used);
    size_t i = 0, k = 0;
    for (size_t p = 0; p < 2 * PARAGRAPHS; p++) {
        const bool left = i < rest.paragraphs && same_paragraph(&whole, p, &rest, i);
        const bool right = k < apart.paragraphs && same_paragraph(&whole, p, &apart, k);
        assert_true(left != right);
        i += left;
        k += right;
    }
    for (size_t a = 0; a < apart.paragraphs; a++)
        for (size_t b = 0; b < rest.paragraphs; b++)
            assert_false(same_paragraph(&apart, a, &rest, b));
    ur_sentences_free(&rest);
    ur_sentences_free(&apart);
    /* what cannot be split stays as it is */
    rest = made(NULL);
    assert_int_equal(ur_sentences_split(&rest, 0.9999, 7, &apart, &err), UR_INVALID);
    assert_int_equal(rest.paragraphs, PARAGRAPHS);
    ur_sentences_free(&rest);
    ur_sentences_free(&whole);
    ur_sentences both = again;
    ur_sentences_free(&both);
}

static ur_status split_body(const ur_allocator *a, ur_err *err, void *arg)
{
    ur_sentences s = {.a = a}, apart;
    ur_status status = UR_OK;
    (void)arg;
    for (int32_t p = 0; status == UR_OK && p < 8; p++) {
        const int32_t ids[2] = {5 + p, 6};
        if (!ur_sentences_paragraph(&s) || !ur_sentences_add(&s, ids, 2) ||
            !ur_sentences_add(&s, ids, 1))
            status = ur_no_memory(err, 1);
    }
    if (status == UR_OK) {
        status = ur_sentences_split(&s, 0.5, 1, &apart, err);
        ur_sentences_free(&apart);
    }
    ur_sentences_free(&s);
    return status;
}

static void test_split_memory(void **state)
{
    (void)state;
    assert_true(failing_alloc_sweep(split_body, NULL) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sentence_ends),
        cmocka_unit_test_setup_teardown(test_read, test_folder_enter, test_folder_leave),
        cmocka_unit_test(test_drawn),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_split_memory),
        cmocka_unit_test(test_epochs),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test_setup_teardown(test_memory, test_folder_enter, test_folder_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
