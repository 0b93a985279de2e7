/* Tests of text/answers: exact match and F1 against an independent computation (tests/golden/text, made by
 * tools/golden/bert_qa.py), and each allocation failing. */
#include "base/status.h"
#include "support/failing_alloc.h"
#include "text/answers.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static size_t from_hex(char *hex)
{
    size_t n = 0;
    for (unsigned byte; hex[2 * n] && sscanf(hex + 2 * n, "%2x", &byte) == 1; n++)
        hex[n] = (char)byte;
    return n;
}

/* Cuts *line at `separator`; NULL at its end. */
static char *field(char **line, char separator)
{
    char *begin = *line, *end = begin ? strchr(begin, separator) : NULL;
    *line = end ? end + 1 : NULL;
    if (end)
        *end = '\0';
    return begin;
}

static void check_line(char *line, size_t number)
{
    ur_answer_text said, right[8];
    size_t count = 0;
    ur_answer_score got;
    char *text = field(&line, '\t'), *others = field(&line, '\t');
    said = (ur_answer_text){text, from_hex(text)};
    if (strcmp(others, "none") == 0)
        others = NULL;
    while (others) {
        char *one = field(&others, ',');
        right[count++] = (ur_answer_text){one, from_hex(one)};
    }
    const double exact = atof(field(&line, '\t')), f1 = atof(line);
    assert_true(ur_answer_compare(NULL, said, count, right, &got));
    if (got.exact != exact || fabs(got.f1 - f1) > 1e-12)
        fail_msg("line %zu: %g and %g, not %g and %g", number, got.exact, got.f1, exact, f1);
}

static void as_the_evaluation(void **state)
{
    (void)state;
    char path[512], line[4096];
    const char *root = getenv("UNROLL_SOURCE_DIR");
    size_t n = 0;
    snprintf(path, sizeof path, "%s/tests/golden/text/answers.txt", root ? root : ".");
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        check_line(line, ++n);
    }
    fclose(file);
    assert_true(n > 50);
}

/* Bytes that are no UTF-8 are compared as they are. */
static void any_bytes(void **state)
{
    (void)state;
    const ur_answer_text said = {"\xFF\xC3 a\xF0\x9F", 6},
                         right[] = {{"", 0}, {"\xFF\xC3 a\xF0\x9F", 6}};
    ur_answer_score got;
    assert_true(ur_answer_compare(NULL, said, 2, right, &got));
    assert_true(got.exact == 1.0 && got.f1 == 1.0);
}

static ur_status body(const ur_allocator *a, ur_err *err, void *arg)
{
    const ur_answer_text said = {"the cat", 7}, right[] = {{"a dog", 5}, {"cat", 3}};
    ur_answer_score got;
    (void)arg;
    return ur_answer_compare(a, said, 2, right, &got) ? UR_OK : ur_no_memory(err, 1);
}

static void memory(void **state)
{
    (void)state;
    assert_true(failing_alloc_sweep(body, NULL) > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_the_evaluation),
        cmocka_unit_test(any_bytes),
        cmocka_unit_test(memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
