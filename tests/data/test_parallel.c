/* Tests of data/parallel: what is learned from files of pairs, the split, data for languages that are
 * there, files that must be refused, every allocation failing. */
#include "unroll/parallel.h"
#include "support/failing_alloc.h"
#include "support/faulty_syscalls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static ur_parallel_options words(void)
{
    return (ur_parallel_options){.text = {.tokenizer = UR_WORDS_STOPS}, .min_freq = 1};
}

typedef struct learned {
    ur_parallel *train, *valid;
    ur_languages languages;
} learned;

static learned learn_apart(const char *data, const ur_parallel_options *o, double part)
{
    const ur_valid_part apart = {part, 7};
    learned l;
    ur_err err;
    if (ur_parallel_learn(NULL, data, o, part > 0.0 ? &apart : NULL, &l.train, &l.valid,
                          &l.languages, &err) != UR_OK)
        fail_msg("%s", err.text);
    return l;
}

static learned learn(const char *data, const ur_parallel_options *o)
{
    return learn_apart(data, o, 0.0);
}

static void forget(learned *l)
{
    ur_parallel_free(l->train);
    ur_parallel_free(l->valid);
    ur_languages_free(&l->languages);
}

static void assert_vocabulary(const ur_vocabulary *v, const char *expected)
{
    char text[512], *at = text;
    *at = 0;
    for (int32_t id = 0; (size_t)id < ur_vocabulary_size(v); id++)
        at += sprintf(at, "%s%s", id ? "|" : "", ur_vocabulary_token(v, id, NULL));
    assert_string_equal(text, expected);
}

/* The tokens of one side of a pair. */
static void assert_tokens(const ur_parallel *p, const ur_languages *l, size_t i, int side,
                          const char *expected)
{
    const ur_text_options o = {.tokenizer = UR_WORDS_STOPS};
    const ur_subwords s = ur_languages_side(l, &o, side);
    const ur_ids ids = ur_parallel_ids(p, i, side);
    char text[512] = "", *at = text;
    for (size_t k = 0; k < ids.length; k++)
        at +=
            sprintf(at, "%s%s", k ? " " : "", ur_vocabulary_token(s.vocabulary, ids.ids[k], NULL));
    assert_string_equal(text, expected);
}

static void test_one_file(void **state)
{
    (void)state;
    ur_parallel_options o = words();
    /* a byte order mark, CR LF, spaces around, no-break spaces, an empty side, an empty line */
    put_file("pairs.tsv",
             "\xEF\xBB\xBFGo.\tVa\xE2\x80\xAF!\r\n  Go now. \tVa\xC2\xA0maintenant !\r\n"
             "\t rien\r\n\r\nStop, go!\tStop !");
    learned l = learn("pairs.tsv", &o);
    assert_null(l.valid);
    assert_int_equal(ur_parallel_count(l.train), 3);
    assert_vocabulary(l.languages.source, "<unk>|<bos>|<eos>|Go|.|now|Stop|,|go|!");
    assert_vocabulary(l.languages.target, "<unk>|<bos>|<eos>|!|Va|maintenant|Stop");
    assert_tokens(l.train, &l.languages, 1, 1, "Va maintenant !");
    assert_tokens(l.train, &l.languages, 2, 0, "Stop , go !");
    assert_string_equal(ur_parallel_text(l.train, 1, 0), "Go now.");
    assert_string_equal(ur_parallel_text(l.train, 0, 1), "Va !");
    assert_int_equal(ur_parallel_noted(l.train)->empty, 1);
    assert_int_equal(ur_parallel_noted(l.train)->tokens[1], 7);
    forget(&l);
    o.joint = true;
    o.min_freq = 2;
    o.max_length = 2;
    l = learn("pairs.tsv", &o);
    assert_null(l.languages.target);
    assert_vocabulary(l.languages.source, "<unk>|<bos>|<eos>|!|Go|.|Va|Stop");
    assert_int_equal(ur_parallel_count(l.train), 1);
    assert_int_equal(ur_parallel_noted(l.train)->left_out, 2);
    ur_parallel *other; /* what is not to be learned is cut, and empty sides stay */
    assert_int_equal(
        ur_parallel_open(NULL, "pairs.tsv", &o, &l.languages, false, NULL, &other, NULL, NULL),
        UR_OK);
    assert_int_equal(ur_parallel_count(other), 4);
    assert_tokens(other, &l.languages, 1, 0, "Go <unk>");
    assert_int_equal(ur_parallel_ids(other, 2, 0).length, 0);
    assert_int_equal(ur_parallel_noted(other)->cut, 3);
    assert_int_equal(ur_parallel_noted(other)->unknown[1], 2);
    ur_parallel_free(other);
    forget(&l);
}

/* However small its part, validation has a sentence, and so has training; one sentence is learned. */
static void test_split_of_few(void **state)
{
    (void)state;
    const ur_parallel_options o = words();
    for (double part = 1e-9; part < 0.6; part += 0.3) {
        put_file("few.tsv", "a\tb\nc\td\na\te\n");
        learned l = learn_apart("few.tsv", &o, part);
        assert_non_null(l.valid);
        assert_int_equal(ur_parallel_count(l.train) + ur_parallel_count(l.valid), 3);
        forget(&l);
        put_file("one.tsv", "a\tb\na\tc\n");
        l = learn_apart("one.tsv", &o, part);
        assert_null(l.valid);
        assert_int_equal(ur_parallel_count(l.train), 2);
        forget(&l);
    }
}

static void test_two_files_and_old_ends(void **state)
{
    (void)state;
    const ur_parallel_options o = words();
    put_file("a.en", "Go.\rStop.\r");
    put_file("a.fr", "Va !\nStop !\n");
    learned l = learn("a.en\ta.fr", &o);
    assert_int_equal(ur_parallel_count(l.train), 2);
    assert_tokens(l.train, &l.languages, 1, 0, "Stop .");
    forget(&l);
}

static void test_attribution(void **state)
{
    (void)state;
    const ur_parallel_options o = words();
    put_file("pairs.tsv", "Go.\tVa !\tCC-BY 2.0 (France) Attribution: tatoeba.org #2877272 (CM)\n"
                          "Hi.\tSalut !\tCC-BY 2.0 (France) Attribution: tatoeba.org #5\n");
    learned l = learn("pairs.tsv", &o);
    assert_tokens(l.train, &l.languages, 1, 1, "Salut !");
    assert_true(ur_parallel_noted(l.train)->attribution);
    forget(&l);
}

/* Values with quotes below names; names that say it, chosen names, numbers. */
static void test_values(void **state)
{
    (void)state;
    ur_parallel_options o = words();
    put_file("pairs.csv",
             "id,Source,target\r\n1,\"Go, go.\",\"Va \"\"vite\"\" !\"\r\n2,Stop.,Stop !\r\n");
    learned l = learn("pairs.csv", &o);
    assert_int_equal(ur_parallel_count(l.train), 2);
    assert_string_equal(ur_parallel_text(l.train, 0, 0), "Go, go.");
    assert_string_equal(ur_parallel_text(l.train, 0, 1), "Va \"vite\" !");
    assert_string_equal(ur_parallel_remark(l.train, 0),
                        "pairs.csv: columns \"Source\" and \"target\" are read");
    forget(&l);
    put_file("pairs.txt", "fr\tnote\ten\nVa !\tx\tGo.\nStop !\ty\tStop.\n");
    o.reading = (ur_reading){.input_column = "en", .target_column = "fr"};
    l = learn("pairs.txt", &o);
    assert_string_equal(ur_parallel_text(l.train, 1, 0), "Stop.");
    assert_string_equal(ur_parallel_text(l.train, 1, 1), "Stop !");
    ur_parallel *other; /* the same columns elsewhere, by number, where there are no names */
    o.reading = (ur_reading){.input_column = "3", .target_column = "1"};
    put_file("test.txt", "Va !\tx\tGo.\n");
    assert_int_equal(
        ur_parallel_open(NULL, "test.txt", &o, &l.languages, false, NULL, &other, NULL, NULL),
        UR_OK);
    assert_int_equal(ur_parallel_count(other), 1);
    assert_string_equal(ur_parallel_text(other, 0, 0), "Go.");
    ur_parallel_free(other);
    forget(&l);
    o = words(); /* a .tsv of lines is one of lines */
    put_file("lines.tsv", "\"Go.\tVa !\nStop \"now\".\tStop !\n");
    l = learn("lines.tsv", &o);
    assert_string_equal(ur_parallel_text(l.train, 0, 0), "\"Go.");
    forget(&l);
}

static void test_merges(void **state)
{
    (void)state;
    ur_parallel_options o = words();
    o.merges = 2;
    put_file("pairs.tsv", "low low lower\tlow\nlow wool\tolow\n");
    learned l = learn("pairs.tsv", &o);
    assert_int_equal(ur_bpe_count(l.languages.source_bpe), 2);
    assert_vocabulary(l.languages.source, "<unk>|<bos>|<eos>|low|w@@|o@@|lo@@|e@@|r|l");
    assert_tokens(l.train, &l.languages, 0, 0, "low low lo@@ w@@ e@@ r");
    assert_non_null(l.languages.target_bpe);
    forget(&l);
    o.threshold = 2; /* lo@@ comes up once */
    l = learn("pairs.tsv", &o);
    assert_tokens(l.train, &l.languages, 0, 0, "low low l@@ o@@ w@@ e@@ r");
    forget(&l);
    o = words();
    o.joint = true;
    o.codes = "codes";
    put_file("codes", "#version: 0.2\no w</w>\n");
    l = learn("pairs.tsv", &o);
    assert_tokens(l.train, &l.languages, 1, 1, "o@@ l@@ ow");
    forget(&l);
}

static void test_split(void **state)
{
    (void)state;
    ur_parallel_options o = words();
    char text[4096], *at = text;
    for (int i = 0; i < 100; i++) /* every source twice */
        at += sprintf(at, "s%d\tt%d\ns%d\tu%d\n", i, i, i, i);
    put_file("pairs.tsv", text);
    const ur_valid_part apart = {0.3, 7};
    learned l = learn_apart("pairs.tsv", &o, apart.part);
    const size_t n = ur_parallel_count(l.valid);
    assert_int_equal(ur_parallel_count(l.train) + n, 200);
    assert_int_equal(n, 60);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < ur_parallel_count(l.train); k++)
            assert_string_not_equal(ur_parallel_text(l.valid, i, 0),
                                    ur_parallel_text(l.train, k, 0));
    /* no word of the part to validate with was learned */
    assert_int_equal(ur_vocabulary_size(l.languages.source), 3 + (200 - n) / 2);
    ur_parallel *train, *valid;
    assert_int_equal(
        ur_parallel_open(NULL, "pairs.tsv", &o, &l.languages, true, &apart, &train, &valid, NULL),
        UR_OK);
    assert_int_equal(ur_parallel_count(valid), n);
    assert_string_equal(ur_parallel_text(valid, n - 1, 1), ur_parallel_text(l.valid, n - 1, 1));
    ur_parallel_free(train);
    ur_parallel_free(valid);
    forget(&l);
}

static void refused(const char *text, const ur_parallel_options *o, ur_status status,
                    const char *says)
{
    learned l;
    ur_err err;
    put_file("bad.tsv", text);
    assert_int_equal(
        ur_parallel_learn(NULL, "bad.tsv", o, NULL, &l.train, &l.valid, &l.languages, &err),
        status);
    if (!strstr(err.text, says))
        fail_msg("\"%s\" does not say \"%s\"", err.text, says);
    assert_null(l.train);
    assert_null(l.languages.source);
}

static void test_refused(void **state)
{
    (void)state;
    ur_parallel_options o = words();
    ur_err err;
    learned l;
    refused("a\tb\nno tab\n", &o, UR_BAD_FILE, "bad.tsv: line 2: no tab");
    refused("a\tb\tc\n", &o, UR_BAD_FILE, "bad.tsv: line 1: three columns");
    refused("a\tb\tx #1\nc\td\ty #1\n", &o, UR_BAD_FILE, "bad.tsv: line 2: three columns");
    refused("a\tb\tx #1\nc\td\n", &o, UR_BAD_FILE, "bad.tsv: line 2: two columns");
    refused("a\tb\tc\td\n", &o, UR_BAD_FILE, "bad.tsv: line 1: more than three columns");
    refused("a\tb\xFF\n", &o, UR_BAD_FILE, "bad.tsv: line 1: byte 0xff is not valid UTF-8");
    refused("", &o, UR_BAD_FILE, "no pair");
    refused("\tb\na\t\n", &o, UR_BAD_FILE, "no pair");
    o.max_length = 1;
    refused("a b\tb\n", &o, UR_BAD_FILE, "no pair has at most 1 tokens a side");
    o = words();
    o.codes = "codes";
    put_file("codes", "#version: 0.2\nx y\n");
    refused("abc\tb\n", &o, UR_BAD_FILE, "codes: none of its 1 merges fits a word of bad.tsv");
    o = words();
    o.text.tokenizer = UR_CHARACTERS;
    o.merges = 5;
    refused("a\tb\n", &o, UR_INVALID, "merges are of words' characters");
    o = words();
    put_file("one", "a\nb\n");
    put_file("two", "a\n");
    assert_int_equal(
        ur_parallel_learn(NULL, "one\ttwo", &o, NULL, &l.train, &l.valid, &l.languages, &err),
        UR_BAD_FILE);
    assert_string_equal(err.text, "one has 2 lines, two has 1: they are no pairs");
    o.reading = (ur_reading){.input_column = "1", .target_column = "2"};
    assert_int_equal(
        ur_parallel_learn(NULL, "one\ttwo", &o, NULL, &l.train, &l.valid, &l.languages, &err),
        UR_INVALID);
    put_file("bad.csv", "a,b\nc,d\n");
    o = words();
    assert_int_equal(
        ur_parallel_learn(NULL, "bad.csv", &o, NULL, &l.train, &l.valid, &l.languages, &err),
        UR_BAD_FILE);
    assert_non_null(strstr(err.text, "say --source-column and --target-column"));
    refused("a\tb\n", &(ur_parallel_options){.reading = {.input_column = "1"}}, UR_INVALID,
            "--source-column goes with --target-column");
}

static ur_status all_of_it(const ur_allocator *a, ur_err *err, void *arg)
{
    ur_parallel_options o = words();
    ur_parallel *train, *valid, *again = NULL;
    ur_languages languages;
    o.merges = 3;
    o.threshold = 2;
    const ur_valid_part apart = {0.4, 7};
    ur_status status = ur_parallel_learn(a, arg, &o, &apart, &train, &valid, &languages, err);
    ur_parallel_free(valid);
    if (status == UR_OK)
        status = ur_parallel_open(a, arg, &o, &languages, false, NULL, &again, NULL, err);
    ur_parallel_free(again);
    ur_parallel_free(train);
    ur_languages_free(&languages);
    return status;
}

static void test_no_memory(void **state)
{
    (void)state;
    char lines[] = "pairs.tsv", values[] = "pairs.csv";
    put_file(lines, "low low\tlow ab\nlower\tbab ab\nwool\tx\nslow\tab\n");
    assert_true(failing_alloc_sweep(all_of_it, lines) > 30);
    put_file(values, "source,target\nlow low,low ab\nlower,\"ba\"\"b ab\"\nwool,x\nslow,ab\n");
    assert_true(failing_alloc_sweep(all_of_it, values) > 30);
}

#define IN_A_FOLDER(test)                                                                          \
    cmocka_unit_test_setup_teardown(test, test_folder_enter, test_folder_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(test_one_file),
        IN_A_FOLDER(test_split_of_few),
        IN_A_FOLDER(test_two_files_and_old_ends),
        IN_A_FOLDER(test_attribution),
        IN_A_FOLDER(test_values),
        IN_A_FOLDER(test_merges),
        IN_A_FOLDER(test_split),
        IN_A_FOLDER(test_refused),
        IN_A_FOLDER(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
