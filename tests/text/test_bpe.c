/* Tests of text/bpe: merges and parts against subword-nmt (tests/golden/text, made by
 * tools/golden/subwords.py), files there and back, files that must be refused, every allocation
 * failing. */
#include "text/bpe.h"
#include "base/file.h"
#include "support/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define COUNT(x) (sizeof(x) / sizeof *(x))

static const char *path_of(const char *name)
{
    static char path[1024];
    const char *root = getenv("UNROLL_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/tests/golden/text/%s", root ? root : ".", name);
    return path;
}

static char *read_golden(const char *name)
{
    char *bytes;
    size_t size;
    assert_int_equal(ur_read_file(NULL, path_of(name), 1 << 20, &bytes, &size, NULL), UR_OK);
    return bytes;
}

/* Words and counts, which point into `text`. */
static size_t read_words(char *text, ur_word_count *out)
{
    size_t n = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char *space = strchr(line, ' ');
        out[n++] = (ur_word_count){line, (size_t)(space - line), strtoul(space + 1, NULL, 10)};
    }
    return n;
}

/* The parts as subword-nmt prints them. */
static const char *parts(const ur_bpe *b, const ur_vocabulary *known, const char *word)
{
    static char text[1024];
    size_t end[256], begin = 0, used = 0;
    const size_t n = ur_bpe_split(b, known, word, strlen(word), end);
    for (size_t i = 0; i < n; begin = end[i++])
        used += (size_t)snprintf(text + used, sizeof text - used, "%.*s%s", (int)(end[i] - begin),
                                 word + begin, i + 1 < n ? UR_BPE_MARK " " : "");
    return text;
}

static void test_learned_merges(void **state)
{
    (void)state;
    ur_word_count words[256];
    char *text = read_golden("bpe_words.txt"), *codes = read_golden("bpe_codes.txt"), *printed;
    const size_t n = read_words(text, words);
    size_t size;
    ur_bpe *b;
    assert_int_equal(ur_bpe_learn(NULL, n, words, 120, 0, &b, NULL), UR_OK);
    assert_int_equal(ur_bpe_count(b), 120);
    assert_int_equal(ur_bpe_print(b, &printed, &size, NULL), UR_OK);
    assert_string_equal(printed, codes);
    assert_int_equal(size, strlen(codes));
    free(printed);
    ur_bpe_free(b);
    free(text);
    free(codes);
}

static void test_ends_when_pairs_are_rare(void **state)
{
    (void)state;
    const ur_word_count words[] = {
        {"abab", 4, 3}, {"ab c", 4, 9}, {"", 0, 9}, {"x", 1, 100}, {"\xFF", 1, 9}};
    ur_bpe *b;
    size_t end[8];
    assert_int_equal(ur_bpe_learn(NULL, COUNT(words), words, 50, 4, &b, NULL), UR_OK);
    assert_int_equal(ur_bpe_count(b), 0); /* a b, b a and a b</w> come up three times */
    ur_bpe_free(b);
    assert_int_equal(ur_bpe_learn(NULL, COUNT(words), words, 50, 0, &b, NULL), UR_OK);
    assert_int_equal(ur_bpe_count(b), 3);
    assert_string_equal(parts(b, NULL, "abab"), "abab");
    assert_string_equal(parts(b, NULL, "ababab"), "ab@@ abab");
    assert_int_equal(ur_bpe_split(b, NULL, "", 0, end), 0);
    assert_int_equal(ur_bpe_split(b, NULL, "\xFF", 1, end), 1);
    ur_bpe_free(b);
    assert_int_equal(ur_bpe_learn(NULL, 0, NULL, 50, 0, &b, NULL), UR_OK);
    assert_string_equal(parts(b, NULL, "ab"), "a@@ b");
    ur_bpe_free(b);
}

/* The parts that come up often enough: what subword-nmt's vocabulary threshold keeps. */
static ur_vocabulary *frequent(const ur_bpe *b, size_t threshold)
{
    ur_word_count words[256];
    char *text = read_golden("bpe_words.txt");
    const size_t n = read_words(text, words);
    struct {
        char part[64];
        size_t count;
    } seen[512];
    size_t kinds = 0;
    ur_vocabulary *v;
    assert_int_equal(ur_vocabulary_new(NULL, &v, NULL), UR_OK);
    for (size_t i = 0; i < n; i++) {
        char word[64], list[1024];
        snprintf(word, sizeof word, "%.*s", (int)words[i].size, words[i].bytes);
        snprintf(list, sizeof list, "%s", parts(b, NULL, word));
        for (char *p = strtok(list, " "); p; p = strtok(NULL, " ")) {
            size_t k = 0;
            while (k < kinds && strcmp(seen[k].part, p) != 0)
                k++;
            if (k == kinds) {
                snprintf(seen[k].part, sizeof seen[k].part, "%s", p);
                seen[kinds++].count = 0;
            }
            seen[k].count += words[i].count;
        }
    }
    for (size_t k = 0; k < kinds; k++) {
        int32_t id;
        if (seen[k].count >= threshold)
            assert_int_equal(ur_vocabulary_add(v, seen[k].part, strlen(seen[k].part), &id, NULL),
                             UR_OK);
    }
    free(text);
    return v;
}

static void test_parts(void **state)
{
    (void)state;
    ur_bpe *b;
    assert_int_equal(ur_bpe_load(NULL, path_of("bpe_codes.txt"), &b, NULL), UR_OK);
    ur_vocabulary *known = frequent(b, 20);
    char *text = read_golden("bpe_parts.txt");
    size_t n = 0, different = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), n++) {
        char word[256], plain[512], cut[512];
        assert_int_equal(sscanf(line, "%255[^\t]\t%511[^\t]\t%511[^\t]", word, plain, cut), 3);
        /* strtok's state is not touched: parts() is called with strings of its own */
        assert_string_equal(parts(b, NULL, word), plain);
        assert_string_equal(parts(b, known, word), cut);
        different += strcmp(plain, cut) != 0;
    }
    assert_true(n > 80 && different > 10);
    free(text);
    ur_vocabulary_free(known);
    ur_bpe_free(b);
}

static void test_version_0_1(void **state)
{
    (void)state;
    ur_bpe *b;
    char *codes = read_golden("bpe_codes_0_1.txt"), *printed;
    size_t size;
    assert_int_equal(ur_bpe_parse(NULL, "codes", codes, strlen(codes), &b, NULL), UR_OK);
    char *text = read_golden("bpe_parts_0_1.txt");
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char word[256], cut[512];
        assert_int_equal(sscanf(line, "%255[^\t]\t%511[^\t]", word, cut), 2);
        assert_string_equal(parts(b, NULL, word), cut);
    }
    ur_bpe *again; /* what is written reads as the same version */
    assert_int_equal(ur_bpe_print(b, &printed, &size, NULL), UR_OK);
    assert_memory_equal(printed, "#version: 0.1\n", 14);
    assert_int_equal(ur_bpe_parse(NULL, "codes", printed, size, &again, NULL), UR_OK);
    assert_string_equal(parts(again, NULL, "fishers"), parts(b, NULL, "fishers"));
    assert_int_equal(ur_bpe_count(again), ur_bpe_count(b));
    ur_bpe_free(again);
    ur_bpe_free(b);
    free(printed);
    free(codes);
    free(text);
}

static void test_long_words(void **state)
{
    (void)state;
    static char word[UR_BPE_LONGEST + 2];
    static size_t end[UR_BPE_LONGEST + 2];
    const ur_word_count words[] = {{"aa", 2, 5}};
    ur_bpe *b;
    memset(word, 'a', sizeof word);
    assert_int_equal(ur_bpe_learn(NULL, 1, words, 9, 0, &b, NULL), UR_OK);
    assert_int_equal(ur_bpe_split(b, NULL, word, UR_BPE_LONGEST, end), UR_BPE_LONGEST - 1);
    assert_int_equal(end[UR_BPE_LONGEST - 2], UR_BPE_LONGEST);
    assert_int_equal(ur_bpe_split(b, NULL, word, UR_BPE_LONGEST + 1, end), 1);
    assert_int_equal(end[0], UR_BPE_LONGEST + 1);
    ur_bpe_free(b);
}

static void test_bad_files(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {{"#version: 0.2\na b\nab\n", "codes: line 3: two symbols"},
                 {"#version: 0.2\na b c\n", "codes: line 2: two symbols"},
                 {"#version: 0.2\n\na b\n", "codes: line 2: two symbols"},
                 {"#version: 0.7\na b\n", "codes: line 1: a version other"},
                 {"#version: 0", "codes: line 1: a version other"},
                 {" b\n", "codes: line 1: two symbols"},
                 {"a \xC3\n", "codes: line 1: not valid UTF-8"}};
    ur_err err;
    ur_bpe *b;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const size_t size = strlen(cases[i].text);
        char *bytes = malloc(size); /* without a zero byte behind them */
        assert_non_null(bytes);
        memcpy(bytes, cases[i].text, size);
        assert_int_equal(ur_bpe_parse(NULL, "codes", bytes, size, &b, &err), UR_BAD_FILE);
        free(bytes);
        assert_non_null(strstr(err.text, cases[i].says));
        assert_null(b);
    }
    assert_int_equal(ur_bpe_load(NULL, "/there/is/none", &b, &err), UR_BAD_FILE);
    static const char twice[] = "#version: 0.2\r\na b\r\na b"; /* the second one changes nothing */
    assert_int_equal(ur_bpe_parse(NULL, "codes", twice, strlen(twice), &b, &err), UR_OK);
    assert_int_equal(ur_bpe_count(b), 1);
    char path[] = "/tmp/unroll_bpe_XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    ur_bpe *again;
    assert_int_equal(ur_bpe_save(b, path, &err), UR_OK);
    assert_int_equal(ur_bpe_load(NULL, path, &again, &err), UR_OK);
    assert_string_equal(parts(again, NULL, "aba"), "ab@@ a");
    unlink(path);
    ur_bpe_free(again);
    ur_bpe_free(b);
}

static ur_status all_of_it(const ur_allocator *a, ur_err *err, void *arg)
{
    const ur_word_count words[] = {{"abcabc", 6, 3}, {"abd", 3, 4}, {"cab", 3, 2}};
    ur_bpe *b, *again = NULL;
    char *text = NULL;
    size_t size;
    (void)arg;
    ur_status status = ur_bpe_learn(a, COUNT(words), words, 6, 0, &b, err);
    if (status == UR_OK)
        status = ur_bpe_print(b, &text, &size, err);
    if (status == UR_OK)
        status = ur_bpe_parse(a, "codes", text, size, &again, err);
    if (text)
        a->release(a->user, text);
    ur_bpe_free(again);
    ur_bpe_free(b);
    return status;
}

static void test_no_memory(void **state)
{
    (void)state;
    assert_true(failing_alloc_sweep(all_of_it, NULL) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learned_merges), cmocka_unit_test(test_ends_when_pairs_are_rare),
        cmocka_unit_test(test_parts),          cmocka_unit_test(test_version_0_1),
        cmocka_unit_test(test_long_words),     cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
