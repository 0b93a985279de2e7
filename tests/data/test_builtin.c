/* Tests of the built-in generators: every line is right by an independent check, the splits are
 * apart whatever the seeds, vocabularies are complete, and the lines look like those of the
 * published data sets (where these are at hand). */
#include "unroll/text.h"
#include "base/alloc.h"
#include "support/slow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

/* Lines of equal width, each with a zero byte instead of its line feed. */
typedef struct lines {
    char *text;
    size_t count, width;
} lines;

static lines generate(const char *data, size_t size, uint64_t seed, ur_split split)
{
    ur_pair_source source = {.data = data, .size = size, .seed = seed, .split = split};
    lines l;
    size_t bytes;
    ur_err err;
    if (ur_pairs_generate(NULL, &source, &l.text, &bytes, &err) != UR_OK)
        fail_msg("%s", err.text);
    l.width = strcmp(data, "builtin:dates") == 0 ? 41 : 13;
    l.count = bytes / l.width;
    assert_int_equal(bytes, l.count * l.width);
    assert_int_equal(l.text[bytes], 0);
    for (size_t i = 0; i < l.count; i++) {
        assert_int_equal(l.text[(i + 1) * l.width - 1], '\n');
        l.text[(i + 1) * l.width - 1] = 0;
    }
    return l;
}

/* The question of a line, without the spaces after it. */
static void question_of(const char *line, char question[32])
{
    size_t n = strcspn(line, "_");
    memcpy(question, line, n);
    while (n && question[n - 1] == ' ')
        n--;
    question[n] = 0;
}

static bool is_word(const char *word, const char *full, size_t letters)
{
    char title[16] = "", lower[16] = "", upper[16] = "";
    for (size_t i = 0; i < letters && full[i]; i++) {
        title[i] = full[i];
        lower[i] = (char)(full[i] | 0x20);
        upper[i] = (char)(full[i] & ~0x20);
    }
    return strcmp(word, title) == 0 || strcmp(word, lower) == 0 || strcmp(word, upper) == 0;
}

/* Reads the answer, lets the C library say which day that is, and compares the question. */
static void check_date(const char *line)
{
    static const char *const month[] = {"January",   "February", "March",    "April",
                                        "May",       "June",     "July",     "August",
                                        "September", "October",  "November", "December"};
    static const char *const weekday[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                          "Thursday", "Friday", "Saturday"};
    int y, m, d, end = 0;
    char q[32], expected[64], a[16] = "", b[16] = "", tail[32] = "";
    question_of(line, q);
    if (sscanf(line + 29, "_%4d-%2d-%2d%n", &y, &m, &d, &end) != 3 || end != 11 || line[40])
        fail_msg("no date after the separator: %s", line);
    struct tm tm = {.tm_year = y - 1900, .tm_mon = m - 1, .tm_mday = d};
    time_t t = timegm(&tm);
    gmtime_r(&t, &tm);
    if (y < 1970 || y > 2017 || tm.tm_mon != m - 1 || tm.tm_mday != d)
        fail_msg("no such day: %s", line);
    snprintf(expected, sizeof expected, "%d/%d/%02d", m, d, y % 100);
    if (strcmp(q, expected) == 0)
        return;
    snprintf(expected, sizeof expected, "%d, %d", d, y);
    bool ok = false;
    if (sscanf(q, "%15[A-Za-z], %15[A-Za-z] %31[^\n]", a, b, tail) == 3)
        ok = is_word(a, weekday[tm.tm_wday], 15) && is_word(b, month[m - 1], 15);
    else if (sscanf(q, "%15[A-Za-z] %31[^\n]", a, tail) == 2)
        ok = is_word(a, month[m - 1], 15) || is_word(a, month[m - 1], 3);
    if (!ok || strcmp(tail, expected) != 0)
        fail_msg("question and answer differ: %s", line);
}

static void test_dates_are_right(void **state)
{
    (void)state;
    lines l = generate("builtin:dates", 0, 42, UR_SPLIT_TRAIN);
    size_t slashes = 0, weekdays = 0, upper = 0, lower = 0;
    assert_int_equal(l.count, 45000);
    for (size_t i = 0; i < l.count; i++) {
        const char *line = l.text + i * l.width;
        check_date(line);
        slashes += strchr(line, '/') != NULL;
        weekdays += strchr(line, ',') != strrchr(line, ',');
        if (line[0] >= 'A')
            *(line[0] >= 'a' ? &lower : line[1] < 'a' ? &upper : &(size_t){0}) += 1;
    }
    /* six standard deviations, and what the shares of the split may be off */
    assert_in_range(slashes, 45000 / 4 - 800, 45000 / 4 + 800);
    assert_in_range(weekdays, 45000 / 4 - 800, 45000 / 4 + 800);
    assert_in_range(upper, 45000 * 3 / 16 - 800, 45000 * 3 / 16 + 800);
    assert_in_range(lower, 45000 * 3 / 16 - 800, 45000 * 3 / 16 + 800);
    ur_free(NULL, l.text);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The first 32 bytes of the lines hold what matters: see question_of and shape_of. */
static char *sorted(const lines *l, void (*what)(const char *line, char out[32]), size_t *unique)
{
    char *all = calloc(l->count, 32);
    size_t n = 0;
    assert_non_null(all);
    for (size_t i = 0; i < l->count; i++)
        what(l->text + i * l->width, all + 32 * i);
    qsort(all, l->count, 32, by_text);
    for (size_t i = 0; i < l->count; i++)
        if (n == 0 || strcmp(all + 32 * (n - 1), all + 32 * i) != 0)
            memmove(all + 32 * n++, all + 32 * i, 32);
    *unique = n;
    return all;
}

static void assert_disjoint(const char *data, size_t train_size, size_t valid_size)
{
    lines train = generate(data, train_size, 1, UR_SPLIT_TRAIN),
          valid = generate(data, valid_size, 2, UR_SPLIT_VALID);
    size_t n, m;
    char *a = sorted(&train, question_of, &n), *b = sorted(&valid, question_of, &m);
    assert_true(n > train.count / 2 && m > valid.count / 2);
    for (size_t i = 0; i < m; i++)
        if (bsearch(b + 32 * i, a, n, 32, by_text))
            fail_msg("%s is in both splits", b + 32 * i);
    free(a);
    free(b);
    ur_free(NULL, train.text);
    ur_free(NULL, valid.text);
}

static void test_splits_are_apart(void **state)
{
    (void)state;
    assert_disjoint("builtin:dates", 60000, 10000);
    assert_disjoint("builtin:additions", 45000, 5000);
}

static void test_seeds_and_sizes(void **state)
{
    (void)state;
    static const char *const data[] = {"builtin:dates", "builtin:additions"};
    for (int k = 0; k < 2; k++) {
        for (int split = 0; split < 2; split++) {
            lines a = generate(data[k], 200, 5, (ur_split)split),
                  b = generate(data[k], 300, 5, (ur_split)split),
                  c = generate(data[k], 200, 6, (ur_split)split),
                  d = generate(data[k], 200, 5, (ur_split)!split);
            assert_memory_equal(a.text, b.text, 200 * a.width);
            assert_memory_not_equal(a.text, c.text, 200 * a.width);
            assert_memory_not_equal(a.text, d.text, 200 * a.width);
            ur_free(NULL, a.text);
            ur_free(NULL, b.text);
            ur_free(NULL, c.text);
            ur_free(NULL, d.text);
        }
    }
}

static void check_addition(const char *line, unsigned *x, unsigned *y)
{
    unsigned sum = 0;
    char expected[64];
    if (sscanf(line, "%u+%u", x, y) != 2 || sscanf(line + 8, "%u", &sum) != 1 || *x > 999 ||
        *y > 999 || sum != *x + *y)
        fail_msg("%s", line);
    snprintf(expected, sizeof expected, "%u+%u       ", *x, *y);
    assert_memory_equal(line, expected, 7);
    snprintf(expected, sizeof expected, "_%-4u", sum);
    assert_string_equal(line + 7, expected);
}

static void check_additions(size_t size, ur_split split)
{
    lines l = generate("builtin:additions", size, 9, split);
    unsigned char *seen = calloc(1000, 1000);
    assert_non_null(seen);
    for (size_t i = 0; i < l.count; i++) {
        unsigned x = 0, y = 0;
        check_addition(l.text + i * l.width, &x, &y);
        if (seen[1000 * x + y] || seen[1000 * y + x])
            fail_msg("twice: %u+%u", x, y);
        seen[1000 * x + y] = 1;
    }
    free(seen);
    ur_free(NULL, l.text);
}

static void test_additions_are_right(void **state)
{
    (void)state;
    check_additions(slow_tests() ? 400000
                    : hurry()    ? 20000
                                 : 100000,
                    UR_SPLIT_TRAIN); /* the most */
    check_additions(40000, UR_SPLIT_VALID);
}

static void test_refused(void **state)
{
    (void)state;
    static const ur_pair_source bad[] = {
        {.data = "builtin:additions", .size = 400001},
        {.data = "builtin:additions", .size = 40001, .split = UR_SPLIT_VALID},
        {.data = "builtin:dates", .size = SIZE_MAX},
        {.data = "builtin:birds"},
        {.data = "builtin:"},
        {.data = "dates"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *text;
        size_t bytes;
        ur_err err = {UR_OK, ""};
        assert_int_equal(ur_pairs_generate(NULL, &bad[i], &text, &bytes, &err), UR_INVALID);
        assert_null(text);
        assert_true(err.text[0] != 0);
    }
}

/* Learns, and checks the format; every token has to be in use if the set is large. */
static void check_learned(const char *data, size_t size, size_t tokens, size_t question,
                          size_t answer)
{
    ur_pair_source source = {.data = data, .size = size, .seed = 3};
    ur_pairs *pairs;
    ur_vocabulary *v;
    ur_pair_format f;
    ur_err err = {UR_OK, ""};
    if (ur_pairs_learn(NULL, &source, NULL, &pairs, &v, &f, &err) != UR_OK)
        fail_msg("%s", err.text);
    assert_int_equal(f.form, UR_PAIRS_FIXED);
    assert_int_equal(f.question_width, question);
    assert_int_equal(f.answer_steps, answer);
    assert_int_equal(ur_vocabulary_size(v), tokens);
    assert_int_equal(f.start, ur_vocabulary_find_character(v, '_'));
    assert_int_equal(ur_pair_format_check(&f, v, NULL), UR_OK);
    if (size > 1)
        assert_int_equal(ur_pairs_count(pairs), size);
    bool used[64] = {false};
    used[f.start] = true;
    for (size_t i = 0; i < ur_pairs_count(pairs); i++) {
        ur_ids q = ur_pairs_question(pairs, i), a = ur_pairs_answer(pairs, i);
        assert_true(q.length == question && a.length == answer);
        for (size_t k = 0; k < q.length + a.length; k++)
            used[k < q.length ? q.ids[k] : a.ids[k - q.length]] = true;
    }
    for (size_t i = 0; size > 1 && i < tokens; i++)
        assert_true(used[i]);
    ur_pairs_free(pairs);
    ur_vocabulary_free(v);
}

static void test_learned(void **state)
{
    (void)state;
    check_learned("builtin:dates", 1, 59, 29, 10);
    check_learned("builtin:dates", 45000, 59, 29, 10);
    check_learned("builtin:additions", 1, 13, 7, 4);
    check_learned("builtin:additions", 45000, 13, 7, 4);
}

static void test_stripped(void **state)
{
    (void)state;
    ur_pair_source source = {.data = "builtin:additions", .size = 50};
    ur_pairs *pairs;
    ur_vocabulary *v;
    ur_pair_format f;
    assert_int_equal(
        ur_pairs_learn(NULL, &source, &(ur_pair_format){.strip = true}, &pairs, &v, &f, NULL),
        UR_OK);
    assert_int_equal(f.form, UR_PAIRS_RAGGED);
    assert_int_equal(f.start, 0);
    assert_int_equal(f.end, 1);
    assert_int_equal(ur_vocabulary_size(v), 2 + 12);
    ur_pairs_free(pairs);
    ur_vocabulary_free(v);
}

/* ---- the published data sets -------------------------------------------------------------- */

static bool shared_path(const char *name, char path[512])
{
    const char *folder = getenv("UNROLL_SHARED");
    snprintf(path, 512, "%s/data/%s", folder ? folder : "", name);
    FILE *f = folder ? fopen(path, "rb") : NULL;
    if (f)
        fclose(f);
    else
        print_message("skipped: %s is not there\n", name);
    return f != NULL;
}

static void test_published_sets(void **state)
{
    (void)state;
    char path[512];
    if (shared_path("date/train.txt", path))
        check_learned(path, 45000, 59, 29, 10);
    if (shared_path("addition/train.txt", path))
        check_learned(path, 45000, 13, 7, 4);
}

/* A question with all its digits, lower and upper case letters made alike. */
static void shape_of(const char *line, char shape[32])
{
    question_of(line, shape);
    for (char *c = shape; *c; c++) {
        if (*c >= '0' && *c <= '9')
            *c = '9';
        else if (*c >= 'a' && *c <= 'z')
            *c = 'a';
        else if (*c >= 'A' && *c <= 'Z')
            *c = 'A';
    }
}

static void test_dates_have_the_published_shapes(void **state)
{
    (void)state;
    char path[512];
    if (!shared_path("date/train.txt", path))
        skip();
    lines made = generate("builtin:dates", 45000, 42, UR_SPLIT_TRAIN), file = {.width = 41};
    FILE *f = fopen(path, "rb");
    file.text = calloc(45001, 41);
    assert_true(f && file.text);
    file.count = fread(file.text, 41, 45001, f);
    fclose(f);
    assert_int_equal(file.count, 45000);
    for (size_t i = 0; i < file.count; i++) {
        file.text[i * 41 + 40] = 0;
        check_date(file.text + i * 41);
    }
    size_t n, m;
    char *a = sorted(&made, shape_of, &n), *b = sorted(&file, shape_of, &m);
    for (size_t i = 0; i < n && i < m; i++)
        if (strcmp(a + 32 * i, b + 32 * i) != 0)
            fail_msg("made %s where the file has %s", a + 32 * i, b + 32 * i);
    assert_int_equal(n, m);
    assert_true(n > 200);
    free(a);
    free(b);
    free(file.text);
    ur_free(NULL, made.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dates_are_right),
        cmocka_unit_test(test_additions_are_right),
        cmocka_unit_test(test_splits_are_apart),
        cmocka_unit_test(test_seeds_and_sizes),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_learned),
        cmocka_unit_test(test_stripped),
        cmocka_unit_test(test_published_sets),
        cmocka_unit_test(test_dates_have_the_published_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
