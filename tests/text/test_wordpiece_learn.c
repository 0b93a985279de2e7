/* Tests of vocabularies for WordPiece: words by frequency, characters and pieces, limits, memory. */
#include "support/failing_alloc.h"
#include "text/wordpiece.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char *const special[UR_SPECIALS] = {"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"};

static void check(const ur_word_count *word, size_t words, bool whole, size_t most, size_t least,
                  const char *want)
{
    const ur_wordpiece_choice choice = {special, whole, most, least};
    char *text;
    size_t size;
    assert_int_equal(ur_wordpiece_learn(NULL, words, word, &choice, &text, &size, NULL), UR_OK);
    assert_int_equal(size, strlen(text));
    assert_string_equal(text, want);
    free(text);
}

#define SPECIALS "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"

static void test_words(void **state)
{
    (void)state;
    static const ur_word_count words[] = {
        {"the", 3, 9}, {"rare", 4, 1}, {"dog", 3, 4}, {"cat", 3, 4}, {"of", 2, 5}};
    check(words, 5, true, 0, 2, SPECIALS "the\nof\ndog\ncat\n");
    check(words, 5, true, 7, 1, SPECIALS "the\nof\n");
    check(words, 5, true, 5, 1, SPECIALS);
    check(words, 0, true, 0, 1, SPECIALS);
}

static void test_no_room(void **state)
{
    (void)state;
    static const ur_word_count words[] = {{"the", 3, 9}};
    const ur_wordpiece_choice choice = {special, false, 4, 1};
    char *text;
    size_t size;
    ur_err err;
    assert_int_equal(ur_wordpiece_learn(NULL, 1, words, &choice, &text, &size, &err), UR_INVALID);
    assert_non_null(strstr(err.text, "at most 4 tokens has no room for its 5 special ones"));
    assert_null(text);
}

/* a 6, ##b 6 (ab, cab), c 2 ##a 2 ...; then the most frequent neighbours. */
static void test_pieces(void **state)
{
    (void)state;
    static const ur_word_count words[] = {{"ab", 2, 4}, {"cab", 3, 2}, {"abd", 3, 2}, {"x", 1, 1}};
    check(words, 4, false, 0, 2, SPECIALS "##b\na\nc\n##a\n##d\nab\n##ab\nabd\ncab\n");
    check(words, 4, false, 8, 2, SPECIALS "##b\na\nc\n");
    check(words, 4, false, 11, 2, SPECIALS "##b\na\nc\n##a\n##d\nab\n");
}

/* Characters of several bytes stay whole. */
static void test_utf8(void **state)
{
    (void)state;
    static const ur_word_count words[] = {{"\xC3\xA9\xE4\xB8\x80z", 6, 3}};
    check(words, 1, false, 0, 2,
          SPECIALS "\xC3\xA9\n##\xE4\xB8\x80\n##z\n##\xE4\xB8\x80z\n\xC3\xA9\xE4\xB8\x80z\n");
}

/* What was learned cuts every word into its pieces, and comes back from its bytes. */
static void test_used(void **state)
{
    (void)state;
    static const ur_word_count words[] = {
        {"low", 3, 5}, {"lower", 5, 2}, {"newest", 6, 6}, {"widest", 6, 3}};
    const ur_wordpiece_choice choice = {special, false, 40, 2};
    const ur_wordpiece_options options = ur_wordpiece_defaults();
    ur_wordpiece *w;
    ur_pieces p = {0};
    char *text, *again;
    size_t size, bytes;
    assert_int_equal(ur_wordpiece_learn(NULL, 4, words, &choice, &text, &size, NULL), UR_OK);
    assert_int_equal(ur_wordpiece_parse(NULL, "learned", text, size, &options, &w, NULL), UR_OK);
    assert_int_equal(
        ur_wordpiece_encode(w, "lowest Newer", 12, NULL, 0, 0, UR_CUT_LONGEST_FIRST, &p, NULL),
        UR_OK);
    for (size_t i = 0; i < p.count; i++)
        assert_int_not_equal(p.piece[i].id, ur_wordpiece_special(w, UR_UNK));
    assert_true(p.count > 4);
    assert_int_equal(ur_wordpiece_print(w, &again, &bytes, NULL), UR_OK);
    assert_int_equal(bytes, size);
    assert_string_equal(again, text);
    free(again);
    free(text);
    ur_pieces_free(&p);
    ur_wordpiece_free(w);
}

typedef struct heard {
    char text[200];
    size_t count;
} heard;

static ur_status hear(void *user, const char *word, size_t bytes, ur_err *err)
{
    heard *h = user;
    (void)err;
    strncat(h->text, word, bytes);
    strcat(h->text, "|");
    h->count++;
    return UR_OK;
}

static void test_words_of(void **state)
{
    (void)state;
    static const char vocabulary[] = "[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
    static const char text[] = "Caf\xC3\xA9s, [MASK] don't\tSTOP\xE4\xB8\x80z";
    const ur_wordpiece_options options = ur_wordpiece_defaults();
    ur_wordpiece *w;
    ur_pieces work = {0};
    heard h = {.count = 0};
    assert_int_equal(
        ur_wordpiece_parse(NULL, "v", vocabulary, sizeof vocabulary - 1, &options, &w, NULL),
        UR_OK);
    assert_int_equal(ur_wordpiece_words(w, text, sizeof text - 1, &work, hear, &h, NULL), UR_OK);
    assert_string_equal(h.text, "cafes|,|don|'|t|stop|\xE4\xB8\x80|z|");
    assert_int_equal(ur_wordpiece_words(w, "a\xFF", 2, &work, hear, &h, NULL), UR_BAD_FILE);
    ur_pieces_free(&work);
    ur_wordpiece_free(w);
}

static ur_status learn(const ur_allocator *a, ur_err *err, void *whole)
{
    static const ur_word_count words[] = {{"lower", 5, 5}, {"newest", 6, 6}, {"new", 3, 3}};
    const ur_wordpiece_choice choice = {special, *(bool *)whole, 0, 2};
    char *text;
    size_t size;
    const ur_status status = ur_wordpiece_learn(a, 3, words, &choice, &text, &size, err);
    if (status == UR_OK)
        a->release(a->user, text);
    return status;
}

static void test_memory(void **state)
{
    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        bool arg = whole == 1;
        assert_true(failing_alloc_sweep(learn, &arg) > 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),   cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_no_room), cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_used),    cmocka_unit_test(test_words_of),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
