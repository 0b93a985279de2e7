/* Tests of data/corpus and data/tally: ids by frequency, limits, texts for a vocabulary that exists,
 * files that must be refused, parts and fingerprints, two known books, every allocation failing. */
#include "data/corpus.h"
#include "support/failing_alloc.h"
#include "support/faulty_syscalls.h"
#include "support/slow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

typedef struct learned {
    ur_corpus *corpus;
    ur_vocabulary *vocabulary;
} learned;

static const ur_text_options words = {.tokenizer = UR_WORDS},
                             lines = {.tokenizer = UR_WORDS, .line_ends = true},
                             characters = {.tokenizer = UR_CHARACTERS};

static learned learn(const char *text, const ur_text_options *o,
                     const ur_vocabulary_options *choice, size_t max_tokens)
{
    learned l;
    ur_err err = {UR_OK, ""};
    if (ur_corpus_learn_bytes(NULL, "book.txt", text, strlen(text), o, choice, max_tokens,
                              &l.corpus, &l.vocabulary, &err) != UR_OK)
        fail_msg("%s", err.text);
    return l;
}

static void forget(learned *l)
{
    ur_corpus_free(l->corpus);
    ur_vocabulary_free(l->vocabulary);
}

static void assert_vocabulary(const ur_vocabulary *v, const char *expected)
{
    char text[512], *at = text;
    *at = 0;
    for (int32_t id = 0; (size_t)id < ur_vocabulary_size(v); id++)
        at += sprintf(at, "%s%s", id ? " " : "", ur_vocabulary_token(v, id, NULL));
    assert_string_equal(text, expected);
}

static void assert_ids(ur_ids ids, const char *expected)
{
    char text[512], *at = text;
    *at = 0;
    for (size_t i = 0; i < ids.length; i++)
        at += sprintf(at, "%s%d", i ? " " : "", ids.ids[i]);
    assert_string_equal(text, expected);
}

static void test_frequency(void **state)
{
    (void)state;
    /* c and b are equally frequent, c came first; d, e, f once each in this order */
    learned l = learn("c b a a\nd c b a e\nf\n", &lines, NULL, 0);
    assert_vocabulary(l.vocabulary, "<unk> <eos> a c b d e f");
    assert_ids(ur_corpus_ids(l.corpus), "3 4 2 2 1 5 3 4 2 6 1 7 1");
    assert_int_equal(ur_corpus_unknown(l.corpus), 0);
    forget(&l);
}

static void test_choice(void **state)
{
    (void)state;
    static const char text[] = "c b a a\nd c b a e\nf <unk>";
    static const char *const more[] = {"pad", "unk", "bos"};
    ur_vocabulary_options choice = {.min_freq = 2, .reserved = more, .reserved_count = 3};
    learned l = learn(text, &words, &choice, 0);
    assert_vocabulary(l.vocabulary, "<unk> <pad> <bos> a c b");
    assert_ids(ur_corpus_ids(l.corpus), "4 5 3 3 0 4 5 3 0 0 0");
    assert_int_equal(ur_corpus_unknown(l.corpus), 4);
    forget(&l);
    choice = (ur_vocabulary_options){.max_size = 2};
    l = learn(text, &lines, &choice, 0);
    assert_vocabulary(l.vocabulary, "<unk> <eos> a c"); /* b is as frequent, but came later */
    forget(&l);
    choice = (ur_vocabulary_options){.min_freq = 9, .max_size = 9};
    l = learn(text, &words, &choice, 0);
    assert_vocabulary(l.vocabulary, "<unk>");
    assert_int_equal(ur_corpus_unknown(l.corpus), 11);
    forget(&l);
}

static void test_first_tokens(void **state)
{
    (void)state;
    /* frequencies are the whole text's: b is first, though a is among the first tokens */
    learned l = learn("a a b\nb b\n", &words, NULL, 3), o;
    assert_vocabulary(l.vocabulary, "<unk> b a");
    assert_ids(ur_corpus_ids(l.corpus), "2 2 1");
    /* opening stops there; what comes later is not even looked at */
    ur_err err;
    assert_int_equal(
        ur_corpus_open_bytes(NULL, "t", "b c\n\xFF\n", 6, &words, l.vocabulary, 2, &o.corpus, &err),
        UR_OK);
    assert_ids(ur_corpus_ids(o.corpus), "1 0");
    ur_corpus_free(o.corpus);
    forget(&l);
    l = learn("a b", &words, NULL, 99);
    assert_int_equal(ur_corpus_ids(l.corpus).length, 2);
    forget(&l);
}

static void test_lines(void **state)
{
    (void)state;
    learned l = learn("\xEF\xBB\xBF"
                      "a\r\n\r\nb",
                      &lines, NULL, 0);
    assert_vocabulary(l.vocabulary, "<unk> <eos> a b");
    assert_ids(ur_corpus_ids(l.corpus), "2 1 1 3 1"); /* the last line ends, too */
    forget(&l);
    l = learn("a\r\n\r\nb", &characters, NULL, 0);
    assert_vocabulary(l.vocabulary, "<unk> \n a b");
    assert_ids(ur_corpus_ids(l.corpus), "2 1 1 3");
    forget(&l);
    l = learn("a\rb\r\r\n\r", &characters, NULL, 0); /* not of a line's end, or of one */
    assert_vocabulary(l.vocabulary, "<unk> a \r b \n");
    assert_ids(ur_corpus_ids(l.corpus), "1 2 3 4");
    forget(&l);
    l = learn("ab\n", &characters, NULL, 0);
    assert_ids(ur_corpus_ids(l.corpus), "1 2 3");
    forget(&l);
    ur_text_options letters = {.tokenizer = UR_CHARACTERS, .letters_only = true, .lower = true};
    l = learn("The 1st,\n\n.\ntime\n", &letters, NULL, 0);
    assert_vocabulary(l.vocabulary, "<unk> t e h   s i m");
    assert_ids(ur_corpus_ids(l.corpus), "1 3 2 4 5 1 1 6 7 2");
    forget(&l);
    letters.tokenizer = UR_WORDS; /* words of two lines stay two words */
    l = learn("The 1st\nTime\n", &letters, NULL, 0);
    assert_vocabulary(l.vocabulary, "<unk> the st time");
    forget(&l);
}

static void test_open(void **state)
{
    (void)state;
    learned l = learn("a a b\n", &lines, NULL, 0);
    ur_corpus *c;
    ur_err err;
    assert_int_equal(
        ur_corpus_open_bytes(NULL, "t", "b x\na <unk>", 11, &lines, l.vocabulary, 0, &c, &err),
        UR_OK);
    assert_ids(ur_corpus_ids(c), "3 0 1 2 0 1");
    assert_int_equal(ur_corpus_unknown(c), 2);
    assert_int_equal(ur_vocabulary_size(l.vocabulary), 4);
    ur_corpus_free(c);
    forget(&l);
    /* a vocabulary without <unk> and without <eos> */
    ur_vocabulary *v;
    int32_t id;
    assert_int_equal(ur_vocabulary_new(NULL, &v, NULL), UR_OK);
    assert_int_equal(ur_vocabulary_add(v, "a", 1, &id, NULL), UR_OK);
    assert_int_equal(ur_corpus_open_bytes(NULL, "t", "a a\n", 4, &words, v, 0, &c, &err), UR_OK);
    assert_int_equal(ur_corpus_unknown(c), 0);
    ur_corpus_free(c);
    assert_int_equal(ur_corpus_open_bytes(NULL, "t", "a\na xyz\n", 8, &words, v, 0, &c, &err),
                     UR_BAD_FILE);
    assert_null(c);
    assert_string_equal(err.text,
                        "t: line 2: the token \"xyz\" is not in the vocabulary, which has "
                        "no <unk> for it");
    assert_int_equal(ur_corpus_open_bytes(NULL, "t", "a\n", 2, &lines, v, 0, &c, &err), UR_INVALID);
    ur_vocabulary_free(v);
}

static void assert_refused(const char *text, size_t size, const ur_text_options *o,
                           ur_status wanted, const char *says)
{
    learned l = {(ur_corpus *)&l, (ur_vocabulary *)&l};
    ur_err err = {UR_OK, ""};
    ur_status status = ur_corpus_learn_bytes(NULL, "book.txt", text, size, o, NULL, 0, &l.corpus,
                                             &l.vocabulary, &err);
    if (status != wanted || l.corpus || l.vocabulary || !strstr(err.text, says))
        fail_msg("expected \"%s\", got %s: %s", says, ur_status_name(status), err.text);
}

static void test_malformed(void **state)
{
    (void)state;
    ur_text_options letters = {.tokenizer = UR_CHARACTERS, .letters_only = true},
                    wrong = {.tokenizer = UR_CHARACTERS, .line_ends = true};
    assert_refused("", 0, &words, UR_BAD_FILE, "book.txt: an empty file");
    assert_refused("\xEF\xBB\xBF", 3, &words, UR_BAD_FILE, "book.txt: an empty file");
    assert_refused(" \n\n", 3, &words, UR_BAD_FILE, "book.txt: there is no token in this text");
    assert_refused("1\n", 2, &letters, UR_BAD_FILE, "of which only A-Z and a-z are read");
    assert_refused("a\nb\n c\xC3", 7, &words, UR_BAD_FILE, "line 3: byte 0xc3 is not valid UTF-8");
    assert_refused("a\nb\0", 4, &words, UR_BAD_FILE, "line 2: a zero byte");
    assert_refused("a\n", 2, &wrong, UR_INVALID, "line feeds are tokens");
    size_t size = UR_TOKEN_LONGEST + 3;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, 'x', size);
    text[1] = '\n';
    assert_refused(text, size, &words, UR_BAD_FILE, "line 2: a word of more than 4096 bytes");
    free(text);
    learned l;
    ur_err err;
    static const char *const names[] = {"a b"};
    ur_vocabulary_options choice = {.reserved = names, .reserved_count = 1};
    assert_int_equal(ur_corpus_learn_bytes(NULL, "t", "a", 1, &words, &choice, 0, &l.corpus,
                                           &l.vocabulary, &err),
                     UR_INVALID);
    assert_true(!l.corpus && !l.vocabulary);
}

static void test_parts(void **state)
{
    (void)state;
    static const int32_t some[] = {5, 6, 5, 7, 8, 5, 1, 2, 3, 4}, other[] = {6, 5, 5};
    ur_ids all = {some, 10}, train, valid;
    assert_int_equal(ur_ids_split(all, 0.25, &train, &valid, NULL), UR_OK);
    assert_ids(train, "5 6 5 7 8 5 1 2");
    assert_ids(valid, "3 4");
    assert_int_equal(ur_ids_split(all, 0, &train, &valid, NULL), UR_OK);
    assert_int_equal(train.length, 10);
    assert_int_equal(valid.length, 0);
    assert_int_equal(ur_ids_split(all, 1, &train, &valid, NULL), UR_OK);
    assert_int_equal(train.length, 0);
    assert_int_equal(ur_ids_split(all, -0.1, &train, &valid, NULL), UR_INVALID);
    assert_int_equal(ur_ids_split(all, 1.01, &train, &valid, NULL), UR_INVALID);
    volatile double zero = 0;
    assert_int_equal(ur_ids_split(all, zero / zero, &train, &valid, NULL), UR_INVALID);
    assert_int_equal(ur_ids_count(all, 5), 3);
    assert_int_equal(ur_ids_count(all, 9), 0);
    /* known values: they are compared between machines */
    ur_ids three = {some, 3}, turned = {other, 3}, none = {NULL, 0};
    assert_true(ur_ids_fingerprint(three) == 0x274CE8A4D02CF5AC);
    assert_true(ur_ids_fingerprint(none) == 0xF52A15E9A9B5E89B);
    assert_true(ur_ids_fingerprint(turned) != ur_ids_fingerprint(three));
    assert_true(ur_ids_fingerprint((ur_ids){some, 2}) != ur_ids_fingerprint(three));
}

static void test_files(void **state)
{
    (void)state;
    learned l;
    ur_corpus *again;
    ur_err err;
    assert_int_equal(
        ur_corpus_learn(NULL, "none.txt", &lines, NULL, 0, &l.corpus, &l.vocabulary, &err),
        UR_BAD_FILE);
    assert_true(!l.corpus && !l.vocabulary && strstr(err.text, "none.txt"));
    put_file("book.txt", "b a a\n");
    assert_int_equal(
        ur_corpus_learn(NULL, "book.txt", &lines, NULL, 0, &l.corpus, &l.vocabulary, &err), UR_OK);
    assert_ids(ur_corpus_ids(l.corpus), "3 2 2 1");
    assert_int_equal(ur_corpus_open(NULL, "book.txt", &lines, l.vocabulary, 0, &again, &err),
                     UR_OK);
    assert_true(ur_corpus_fingerprint(again) == ur_corpus_fingerprint(l.corpus));
    ur_corpus_free(again);
    assert_int_equal(ur_corpus_open(NULL, "none.txt", &lines, l.vocabulary, 0, &again, &err),
                     UR_BAD_FILE);
    assert_null(again);
    /* the vocabulary survives its file */
    ur_vocabulary *v;
    assert_int_equal(ur_vocabulary_save(l.vocabulary, "vocab.txt", &err), UR_OK);
    assert_int_equal(ur_vocabulary_load(NULL, "vocab.txt", &v, &err), UR_OK);
    assert_int_equal(ur_corpus_open(NULL, "book.txt", &lines, v, 0, &again, &err), UR_OK);
    assert_ids(ur_corpus_ids(again), "3 2 2 1");
    ur_corpus_free(again);
    ur_vocabulary_free(v);
    forget(&l);
}

/* ---- pieces --------------------------------------------------------------------------------- */

enum { LONG_TEXT = 5 << 18 }; /* more than a piece */

/* A text of words of 1 to 7 letters, every `line`-th space a line feed (0: none is). */
static char *long_text(size_t size, size_t line)
{
    char *text = malloc(size + 1);
    assert_non_null(text);
    for (size_t i = 0, ends_seen = 0, left = 1; i < size; i++) {
        const bool ends = left-- == 0;
        if (ends)
            left = 1 + ++ends_seen % 7;
        text[i] = (char)(!ends                           ? 'a' + (int)(i * i % 5)
                         : line && ends_seen % line == 0 ? '\n'
                                                         : ' ');
    }
    text[size] = 0;
    return text;
}

/* In a file and in memory, as one line and as many: a line that is cut where a piece ends has the tokens
 * that it would have as a whole. */
static void test_pieces(void **state)
{
    (void)state;
    static const ur_text_options all[] = {
        {.tokenizer = UR_WORDS, .line_ends = true},
        {.tokenizer = UR_WORDS_PUNCTUATION},
        {.tokenizer = UR_WORDS_JOINED, .unicode = UR_UNICODE_NFC},
        {.tokenizer = UR_CHARACTERS},
        {.tokenizer = UR_CHARACTERS, .letters_only = true, .lower = true},
    };
    const size_t size = LONG_TEXT;
    char *line = long_text(size, 0), *text = long_text(size, 9);
    put_file("line.txt", line);
    put_file("text.txt", text);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        learned one, many, file;
        ur_err err;
        assert_int_equal(
            ur_corpus_learn(NULL, "line.txt", &all[i], NULL, 0, &one.corpus, &one.vocabulary, &err),
            UR_OK);
        many = learn(text, &all[i], NULL, 0);
        assert_int_equal(ur_corpus_learn(NULL, "text.txt", &all[i], NULL, 0, &file.corpus,
                                         &file.vocabulary, &err),
                         UR_OK);
        const ur_ids a = ur_corpus_ids(one.corpus), b = ur_corpus_ids(many.corpus);
        assert_true(ur_corpus_fingerprint(file.corpus) == ur_corpus_fingerprint(many.corpus));
        size_t at = 0;
        for (size_t k = 0; k < b.length; k++) { /* but for the ends of lines the same */
            const char *token = ur_vocabulary_token(many.vocabulary, b.ids[k], NULL);
            if (strcmp(token, "<eos>") == 0)
                continue;
            assert_true(at < a.length);
            const char *same = ur_vocabulary_token(one.vocabulary, a.ids[at++], NULL);
            if (all[i].letters_only && *same == ' ' && *token != ' ') /* none where a line ends */
                same = ur_vocabulary_token(one.vocabulary, a.ids[at++], NULL);
            if (strcmp(token, same) != 0 && !(*token == '\n' && *same == ' '))
                fail_msg("tokenizer %zu, token %zu: %s in lines, %s in one", i, k, token, same);
        }
        assert_int_equal(at + all[i].line_ends, a.length);
        forget(&one);
        forget(&many);
        forget(&file);
    }
    free(line);
    free(text);
}

/* Lone CRs that begin behind the first piece end lines, if no LF comes later. */
static void test_late_ends(void **state)
{
    (void)state;
    char *text = long_text(LONG_TEXT / 2, 0);
    learned l;
    ur_err err;
    memcpy(text + LONG_TEXT / 2 - 20, "aa\rbb\rcc", 8);
    put_file("late.txt", text);
    assert_int_equal(
        ur_corpus_learn(NULL, "late.txt", &lines, NULL, 0, &l.corpus, &l.vocabulary, &err), UR_OK);
    assert_int_equal(ur_ids_count(ur_corpus_ids(l.corpus), 1), 3);
    forget(&l);
    text[LONG_TEXT / 2 - 3] = '\n';
    put_file("late.txt", text);
    assert_int_equal(
        ur_corpus_learn(NULL, "late.txt", &lines, NULL, 0, &l.corpus, &l.vocabulary, &err), UR_OK);
    assert_int_equal(ur_ids_count(ur_corpus_ids(l.corpus), 1), 2);
    forget(&l);
    memcpy(text + LONG_TEXT / 2 - 20, "\xFF", 1);
    put_file("late.txt", text);
    assert_int_equal(
        ur_corpus_learn(NULL, "late.txt", &lines, NULL, 0, &l.corpus, &l.vocabulary, &err),
        UR_BAD_FILE);
    assert_non_null(strstr(err.text, "late.txt: line 1: byte 0xff"));
    free(text);
}

/* The most memory while a text of that many bytes is read, less 4 bytes for each of its tokens. */
static size_t beside_the_ids(const ur_text_options *o, size_t size, bool in_lines)
{
    failing_alloc f;
    learned l;
    ur_err err;
    char *text = long_text(size, in_lines ? 9 : 0);
    put_file("text.txt", text);
    free(text);
    failing_alloc_init(&f, 0, false);
    const ur_vocabulary_options choice = {.max_size = 50};
    if (ur_corpus_learn(&f.hooks, "text.txt", o, &choice, 0, &l.corpus, &l.vocabulary, &err) !=
        UR_OK)
        fail_msg("%s", err.text);
    const size_t ids = 4 * ur_corpus_ids(l.corpus).length;
    assert_true(f.bytes >= ids && f.bytes < ids + (64 << 10));
    forget(&l);
    assert_int_equal(f.bytes, 0);
    return f.most - ids;
}

/* What there is beside 4 bytes for a token does not grow with the text: of three times as much it is less than
 * the text. */
static void test_memory(void **state)
{
    (void)state;
    enum { MOST = 7 << 19 };
    for (size_t size = LONG_TEXT; size <= 3 * LONG_TEXT; size += 2 * LONG_TEXT)
        for (int in_lines = 0; in_lines < 2; in_lines++) {
            assert_true(beside_the_ids(&words, size, in_lines) < MOST);
            assert_true(beside_the_ids(&characters, size, in_lines) < MOST);
        }
}

/* ---- known books -------------------------------------------------------------------------- */

static learned learn_book(const char *name, const ur_text_options *o,
                          const ur_vocabulary_options *choice, size_t max_tokens)
{
    const char *folder = getenv("UNROLL_SHARED");
    char path[512];
    learned l;
    ur_err err;
    snprintf(path, sizeof path, "%s/data/%s", folder ? folder : "", name);
    FILE *f = folder ? fopen(path, "rb") : NULL;
    if (!f) {
        print_message("UNROLL_SHARED has no data/%s here: skipped\n", name);
        skip();
    }
    fclose(f);
    if (ur_corpus_learn(NULL, path, o, choice, max_tokens, &l.corpus, &l.vocabulary, &err) != UR_OK)
        fail_msg("%s", err.text);
    return l;
}

static void test_time_machine(void **state)
{
    (void)state;
    ur_text_options o = ur_text_defaults(UR_CHARACTERS, true);
    o.lower = true;
    learned l = learn_book("timemachine.txt", &o, NULL, 10000);
    char text[32];
    assert_vocabulary(l.vocabulary, "<unk>   e t a i n o s h r d l m u c f w g y p b v k x z j q");
    assert_int_equal(ur_corpus_ids(l.corpus).length, 10000);
    assert_int_equal(ur_corpus_unknown(l.corpus), 0);
    ur_text_decode(&o, l.vocabulary, -1, ur_corpus_ids(l.corpus).ids, 31, text, sizeof text);
    assert_string_equal(text, "the time machine by h g wellsit");
    forget(&l);
    l = learn_book("timemachine.txt", &o, NULL, 0);
    assert_int_equal(ur_corpus_ids(l.corpus).length, 170580);
    forget(&l);
}

static void test_wikitext(void **state)
{
    (void)state;
    ur_text_options o = ur_text_defaults(UR_WORDS, false);
    ur_vocabulary_options choice = {.min_freq = 3};
    learned l = learn_book("wikitext-2/wiki.valid.tokens", &o, &choice, 100000);
    /* what str.split, a Counter and a stable sort give in Python */
    assert_int_equal(ur_vocabulary_size(l.vocabulary), 6928);
    assert_int_equal(ur_corpus_ids(l.corpus).length, 100000);
    assert_int_equal(ur_corpus_unknown(l.corpus), 9939);
    assert_true(ur_corpus_fingerprint(l.corpus) == 0xC6880DD73D38A0CE);
    forget(&l);
}

/* ---- memory ------------------------------------------------------------------------------- */

static ur_status learn_and_open(const ur_allocator *a, ur_err *err, void *arg)
{
    static const char *const more[] = {"pad"};
    const ur_text_options *o = arg;
    ur_vocabulary_options choice = {.max_size = 70, .reserved = more, .reserved_count = 1};
    char text[1024], *at = text;
    for (int i = 0; i < 100; i++)
        at += sprintf(at, "%c%d%s", 'a' + i % 20, i, i % 9 ? " " : "\n");
    learned l;
    ur_corpus *again = NULL;
    ur_status status = ur_corpus_learn_bytes(a, "t", text, strlen(text), o, &choice, 0, &l.corpus,
                                             &l.vocabulary, err);
    if (status == UR_OK)
        status = ur_corpus_open_bytes(a, "t", text, strlen(text), o, l.vocabulary, 0, &again, err);
    else
        assert_true(!l.corpus && !l.vocabulary);
    ur_corpus_free(again);
    forget(&l);
    return status;
}

static void test_failing_allocations(void **state)
{
    (void)state;
    assert_true(failing_alloc_sweep(learn_and_open, (void *)&lines) >= 30);
    assert_true(failing_alloc_sweep(learn_and_open, (void *)&characters) >= 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frequency),
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_first_tokens),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_parts),
        cmocka_unit_test_setup_teardown(test_files, test_folder_enter, test_folder_leave),
        cmocka_unit_test_setup_teardown(test_pieces, test_folder_enter, test_folder_leave),
        cmocka_unit_test_setup_teardown(test_late_ends, test_folder_enter, test_folder_leave),
        cmocka_unit_test_setup_teardown(test_memory, test_folder_enter, test_folder_leave),
        cmocka_unit_test(test_time_machine),
        cmocka_unit_test(test_wikitext),
        cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
