/* Tests of text/wordpiece: ids and offsets against BertTokenizerFast (tests/golden/text, made by
 * tools/golden/wordpiece.py), cutting, special tokens, long words, vocabularies that are none. */
#include "unroll/wordpiece.h"
#include "support/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char *path_of(const char *name)
{
    static char path[512];
    const char *root = getenv("UNROLL_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/tests/golden/text/%s", root ? root : ".", name);
    return path;
}

/* ---- against BertTokenizerFast --------------------------------------------------------------- */

static size_t from_hex(char *hex)
{
    size_t n = 0;
    for (unsigned byte; hex[2 * n] && sscanf(hex + 2 * n, "%2x", &byte) == 1; n++)
        hex[n] = (char)byte;
    return n;
}

static void check_line(char *line, size_t number)
{
    ur_wordpiece_options o = ur_wordpiece_defaults();
    ur_wordpiece *w;
    ur_pieces p = {0};
    o.lower = line[0] == '1';
    o.strip_accents = line[2] == '1';
    o.ideographs = line[4] == '1';
    char *hex = line + 6, *want = strchr(hex, '\t');
    *want++ = '\0';
    const size_t bytes = from_hex(hex);
    assert_int_equal(ur_wordpiece_load(NULL, path_of("wordpiece_vocab.txt"), &o, &w, NULL), UR_OK);
    assert_int_equal(ur_wordpiece_encode(w, hex, bytes, NULL, 0, 0, UR_CUT_LONGEST_FIRST, &p, NULL),
                     UR_OK);
    char got[4096] = "";
    size_t used = 0;
    for (size_t i = 0; i < p.count; i++)
        used += (size_t)snprintf(got + used, sizeof got - used, "%s%d:%zu:%zu", i ? " " : "",
                                 (int)p.piece[i].id, p.piece[i].begin, p.piece[i].end);
    if (strcmp(got, want) != 0)
        fail_msg("line %zu: %s\nwant %s", number, got, want);
    ur_pieces_free(&p);
    ur_wordpiece_free(w);
}

static void test_golden(void **state)
{
    (void)state;
    char line[8192];
    size_t n = 0;
    FILE *f = fopen(path_of("wordpiece_ids.txt"), "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        check_line(line, ++n);
    }
    fclose(f);
    assert_true(n > 300);
}

/* ---- a vocabulary of our own ------------------------------------------------------------------ */

static const char vocabulary[] =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nd\n##a\n##b\n##ab\nab\n<x>\n"
    "a\xF0\x9D\x85\xA5\xE3\x80\xAE\n"; /* marks in the order of their classes */
enum { PAD, UNK, CLS, SEP, MASK, A, B, C, D, IN_A, IN_B, IN_AB, AB, MORE, MARKED };

static ur_wordpiece *made(void)
{
    static const char *const more[] = {"<x>"};
    ur_wordpiece_options o = ur_wordpiece_defaults();
    ur_wordpiece *w;
    o.more = more;
    o.n_more = 1;
    assert_int_equal(ur_wordpiece_parse(NULL, "v", vocabulary, sizeof vocabulary - 1, &o, &w, NULL),
                     UR_OK);
    return w;
}

static void check_ids(const ur_pieces *p, size_t n, const int32_t *ids)
{
    assert_int_equal(p->count, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(p->piece[i].id, ids[i]);
}

#define CHECK_IDS(p, ...)                                                                          \
    check_ids(p, sizeof((int32_t[]){__VA_ARGS__}) / sizeof(int32_t), (int32_t[]){__VA_ARGS__})

static void test_vocabulary(void **state)
{
    (void)state;
    ur_wordpiece *w = made();
    assert_int_equal(ur_wordpiece_size(w), 15);
    assert_string_equal(ur_wordpiece_token(w, AB), "ab");
    assert_null(ur_wordpiece_token(w, 15));
    assert_null(ur_wordpiece_token(w, -1));
    assert_int_equal(ur_wordpiece_find(w, "##ab", 4), IN_AB);
    assert_int_equal(ur_wordpiece_find(w, "##", 2), -1);
    assert_int_equal(ur_wordpiece_find(w, "", 0), -1);
    assert_int_equal(ur_wordpiece_special(w, UR_MASK), MASK);
    ur_wordpiece_free(w);
    ur_wordpiece_free(NULL);
}

static void test_pieces(void **state)
{
    (void)state;
    ur_wordpiece *w = made();
    ur_pieces p = {0};
    const struct {
        const char *text;
        int32_t ids[8];
        size_t n;
    } cases[] = {
        {"", {CLS, SEP}, 2},
        {"aba abab", {CLS, AB, IN_A, AB, IN_AB, SEP}, 6}, /* the longest piece first */
        {"abc", {CLS, UNK, SEP}, 3},                      /* a part that is not there: all of it */
        {"a<x>a", {CLS, A, MORE, A, SEP}, 5},
        {"A[MASK]\xC3\x81", {CLS, A, MASK, A, SEP}, 5},
        {"a\xE3\x80\xAE\xF0\x9D\x85\xA5", {CLS, MARKED, SEP}, 3},
        {"[mask]", {CLS, UNK, UNK, UNK, SEP}, 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(ur_wordpiece_encode(w, cases[i].text, strlen(cases[i].text), NULL, 0, 0,
                                             UR_CUT_LONGEST_FIRST, &p, NULL),
                         UR_OK);
        check_ids(&p, cases[i].n, cases[i].ids);
    }
    ur_pieces_free(&p);
    ur_wordpiece_free(w);
}

/* ---- pairs and cutting ------------------------------------------------------------------------ */

static void cut(const ur_wordpiece *w, size_t n1, size_t n2, size_t most, ur_cutting how,
                size_t want1, size_t want2)
{
    char text[2][64] = {"", ""};
    ur_pieces p = {0};
    for (size_t i = 0; i < n1; i++)
        strcat(text[0], "a ");
    for (size_t i = 0; i < n2; i++)
        strcat(text[1], "b ");
    assert_int_equal(ur_wordpiece_encode(w, text[0], 2 * n1, text[1], 2 * n2, most, how, &p, NULL),
                     UR_OK);
    assert_int_equal(p.count, want1 + want2 + 3);
    assert_int_equal(p.cut, n1 + n2 - want1 - want2);
    for (size_t i = 0; i < p.count; i++) {
        const bool second = i > want1 + 1;
        const int32_t want = i == 0                                     ? CLS
                             : i == want1 + 1 || i == want1 + want2 + 2 ? SEP
                             : second                                   ? B
                                                                        : A;
        assert_int_equal(p.piece[i].id, want);
        assert_int_equal(p.piece[i].segment, second);
    }
    ur_pieces_free(&p);
}

static void test_cutting(void **state)
{
    (void)state;
    ur_wordpiece *w = made();
    cut(w, 5, 10, 12, UR_CUT_LONGEST_FIRST, 4, 5);
    cut(w, 10, 10, 18, UR_CUT_LONGEST_FIRST, 7, 8);
    cut(w, 10, 5, 12, UR_CUT_LONGEST_FIRST, 5, 4);
    cut(w, 3, 10, 12, UR_CUT_LONGEST_FIRST, 3, 6);
    cut(w, 5, 10, 12, UR_CUT_POP, 5, 4);
    cut(w, 10, 10, 18, UR_CUT_POP, 8, 7);
    cut(w, 2, 10, 12, UR_CUT_POP, 2, 7);
    cut(w, 5, 10, 12, UR_CUT_ONLY_SECOND, 5, 4);
    cut(w, 10, 5, 12, UR_CUT_ONLY_FIRST, 4, 5);
    cut(w, 5, 10, 18, UR_CUT_ONLY_FIRST, 5, 10); /* it fits */
    cut(w, 0, 3, 0, UR_CUT_LONGEST_FIRST, 0, 3);
    cut(w, 4, 4, 3, UR_CUT_LONGEST_FIRST, 0, 0);
    ur_wordpiece_free(w);
}

static void test_too_long(void **state)
{
    (void)state;
    ur_wordpiece *w = made();
    ur_pieces p = {0};
    ur_err err;
    assert_int_equal(ur_wordpiece_encode(w, "a b a", 5, NULL, 0, 4, UR_CUT_LONGEST_FIRST, &p, NULL),
                     UR_OK);
    CHECK_IDS(&p, CLS, A, B, SEP);
    assert_int_equal(p.cut, 1);
    assert_int_equal(p.piece[2].begin, 2);
    assert_int_equal(p.piece[2].end, 3);
    assert_int_equal(ur_wordpiece_encode(w, "a", 1, NULL, 0, 1, UR_CUT_LONGEST_FIRST, &p, &err),
                     UR_INVALID);
    assert_int_equal(ur_wordpiece_encode(w, "a", 1, NULL, 0, 3, UR_CUT_ONLY_SECOND, &p, &err),
                     UR_INVALID);
    assert_int_equal(ur_wordpiece_encode(w, "a", 1, "b b b b", 7, 5, UR_CUT_ONLY_FIRST, &p, &err),
                     UR_INVALID);
    assert_non_null(strstr(err.text, "1 and 4 pieces"));
    assert_int_equal(ur_wordpiece_encode(w, "a\xFF", 2, NULL, 0, 0, UR_CUT_LONGEST_FIRST, &p, &err),
                     UR_BAD_FILE);
    assert_non_null(strstr(err.text, "byte 2"));
    assert_int_equal(p.count, 0);
    ur_pieces_free(&p);
    ur_wordpiece_free(w);
}

/* ---- vocabularies that are none ---------------------------------------------------------------- */

static void refuse(const char *bytes, size_t size, const char *part)
{
    const ur_wordpiece_options o = ur_wordpiece_defaults();
    ur_wordpiece *w;
    ur_err err;
    assert_int_equal(ur_wordpiece_parse(NULL, "v", bytes, size, &o, &w, &err), UR_BAD_FILE);
    assert_null(w);
    if (!strstr(err.text, part))
        fail_msg("'%s' has no '%s'", err.text, part);
}

static void test_bad_vocabularies(void **state)
{
    (void)state;
    ur_wordpiece_options o = ur_wordpiece_defaults();
    ur_wordpiece *w;
    refuse("", 0, "[UNK]");
    refuse("[UNK]\n[CLS]\n", 12, "[SEP]");
    refuse("[UNK]\n\xFF\n", 8, "line 2");
    refuse("[UNK]\n[\0]\n", 10, "line 2");
    assert_int_equal(ur_wordpiece_load(NULL, path_of("none.txt"), &o, &w, NULL), UR_BAD_FILE);
    /* no last line feed, CR LF, an empty line; of equal lines the last counts; no [PAD], no [MASK] */
    static const char odd[] = "[UNK]\r\n\n[CLS]\n[SEP]\na\na";
    assert_int_equal(ur_wordpiece_parse(NULL, "v", odd, sizeof odd - 1, &o, &w, NULL), UR_OK);
    assert_int_equal(ur_wordpiece_size(w), 6);
    assert_int_equal(ur_wordpiece_find(w, "a", 1), 5);
    assert_int_equal(ur_wordpiece_special(w, UR_UNK), 0);
    assert_int_equal(ur_wordpiece_special(w, UR_MASK), -1);
    ur_wordpiece_free(w);
}

static ur_status use(const ur_allocator *a, ur_err *err, void *arg)
{
    static const char text[] = "ab \xC3\xA9 a\xE3\x80\xAE\xE3\x80\xAA<x> abab";
    const ur_wordpiece_options o = ur_wordpiece_defaults();
    ur_wordpiece *w;
    ur_pieces p = {0};
    (void)arg;
    ur_status status = ur_wordpiece_parse(a, "v", vocabulary, sizeof vocabulary - 1, &o, &w, err);
    if (status == UR_OK)
        status =
            ur_wordpiece_encode(w, text, sizeof text - 1, "b", 1, 0, UR_CUT_LONGEST_FIRST, &p, err);
    ur_pieces_free(&p);
    ur_wordpiece_free(w);
    return status;
}

static void test_memory(void **state)
{
    (void)state;
    assert_true(failing_alloc_sweep(use, NULL) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),   cmocka_unit_test(test_vocabulary),
        cmocka_unit_test(test_pieces),   cmocka_unit_test(test_cutting),
        cmocka_unit_test(test_too_long), cmocka_unit_test(test_bad_vocabularies),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
