/* Tests of text/bleu: small systems against sacreBLEU (tests/golden/text/bleu.txt, made by
 * tools/golden/bleu.py), sentences against the formula of the book, every allocation failing. */
#include "unroll/bleu.h"
#include "base/file.h"
#include "support/failing_alloc.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MOST = 8 };

/* A sentence with its references, which point into the file. */
typedef struct sentence {
    const char *text, *reference[MOST];
    size_t count;
} sentence;

static void assert_close(double x, double y)
{
    assert_true(fabs(x - y) <= 1e-11 * (1.0 + fabs(y)));
}

/* One block of the file, which `line` opens; what follows it comes from strtok. */
static void check_system(const char *line)
{
    double e[7];
    unsigned long length, reference_length;
    char signature[UR_SIGNATURE];
    ur_bleu *bleu;
    ur_chrf *chrf;
    const bool none = strstr(line, ": none") != NULL;
    assert_int_equal(ur_bleu_new(NULL, none ? UR_BLEU_NONE : UR_BLEU_13A, &bleu, NULL), UR_OK);
    assert_int_equal(ur_chrf_new(NULL, &chrf, NULL), UR_OK);
    assert_int_equal(sscanf(strtok(NULL, "\n"), "= %lf %lf %lf %lf %lf %lf %lu %lu %lf", &e[0],
                            &e[1], &e[2], &e[3], &e[4], &e[5], &length, &reference_length, &e[6]),
                     9);
    const char *expected = strtok(NULL, "\n") + 2;
    sentence s = {.count = 0};
    for (char *l = strtok(NULL, "\n");; l = strtok(NULL, "\n")) {
        const bool ends = !l || strcmp(l, ".") == 0;
        if ((ends || *l == 'h') && s.text) {
            assert_int_equal(ur_bleu_add(bleu, s.text, s.count, s.reference, NULL), UR_OK);
            assert_int_equal(ur_chrf_add(chrf, s.text, s.count, s.reference, NULL), UR_OK);
        }
        if (ends)
            break;
        if (*l == 'h')
            s = (sentence){.text = l + 2};
        else
            s.reference[s.count++] = l + 2;
    }
    const ur_bleu_score r = ur_bleu_result(bleu);
    assert_close(r.score, e[0]);
    for (int n = 0; n < 4; n++)
        assert_close(r.precision[n], e[1 + n]);
    assert_close(r.brevity_penalty, e[5]);
    assert_int_equal(r.length, length);
    assert_int_equal(r.reference_length, reference_length);
    assert_close(ur_chrf_result(chrf), e[6]);
    assert_string_equal(ur_bleu_signature(bleu, signature), expected);
    ur_bleu_free(bleu);
    ur_chrf_free(chrf);
}

static void test_as_sacrebleu(void **state)
{
    (void)state;
    char path[1024], *bytes;
    size_t size, systems = 0;
    const char *root = getenv("UNROLL_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/tests/golden/text/bleu.txt", root ? root : ".");
    assert_int_equal(ur_read_file(NULL, path, 1 << 20, &bytes, &size, NULL), UR_OK);
    strtok(bytes, "\n");
    for (char *line = strtok(NULL, "\n"); line; line = strtok(NULL, "\n"), systems++) {
        assert_memory_equal(line, "system ", 7);
        check_system(line);
    }
    assert_true(systems >= 12);
    free(bytes);
}

static double sentence_bleu(const char *text, const char *label, size_t k)
{
    double x = -1.0;
    assert_int_equal(ur_bleu_sentence(NULL, text, label, k, &x, NULL), UR_OK);
    return x;
}

static void test_one_sentence(void **state)
{
    (void)state;
    assert_close(sentence_bleu("va !", "va !", 2), 1.0);
    assert_close(sentence_bleu("je suis calme .", "il est calme .", 2),
                 sqrt(0.5) * pow(1.0 / 3.0, 0.25));
    assert_close(sentence_bleu("a b", "a b c d", 2), exp(1.0 - 2.0));
    assert_close(sentence_bleu("a a b", "a b", 1), sqrt(2.0 / 3.0)); /* each as often as there */
    assert_close(sentence_bleu("", "a", 2), 0.0);
    assert_close(sentence_bleu("a", "a", 2), 0.0);
    assert_close(sentence_bleu("a", "", 1), 0.0);
}

static void test_refused(void **state)
{
    (void)state;
    ur_bleu *bleu;
    ur_chrf *chrf;
    ur_err err;
    char text[UR_SIGNATURE];
    assert_int_equal(ur_bleu_new(NULL, UR_BLEU_13A, &bleu, &err), UR_OK);
    assert_int_equal(ur_chrf_new(NULL, &chrf, &err), UR_OK);
    assert_int_equal(ur_bleu_add(bleu, "a", 0, NULL, &err), UR_INVALID);
    assert_int_equal(ur_chrf_add(chrf, "a", 0, NULL, &err), UR_INVALID);
    assert_close(ur_bleu_result(bleu).score, 0.0);
    assert_close(ur_chrf_result(chrf), 0.0);
    const char *const two[] = {"b\xFF g", "a"};
    assert_int_equal(ur_bleu_add(bleu, "b\xFF g", 2, two, &err), UR_OK);
    assert_int_equal(ur_bleu_add(bleu, "a", 1, two, &err), UR_OK);
    assert_int_equal(ur_bleu_result(bleu).correct[0], 2);
    assert_string_equal(ur_bleu_signature(bleu, text),
                        "nrefs:var|case:mixed|eff:no|tok:13a|smooth:exp");
    assert_int_equal(ur_chrf_add(chrf, "b\xFF g", 1, two, &err), UR_OK);
    assert_close(ur_chrf_result(chrf), 100.0);
    assert_string_equal(ur_chrf_signature(chrf, text),
                        "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no");
    ur_bleu_free(bleu);
    ur_chrf_free(chrf);
}

static ur_status all_of_it(const ur_allocator *a, ur_err *err, void *arg)
{
    static const char *const two[] = {"the cat & the dog, 1-2", "a cat\xFF"};
    ur_bleu *bleu;
    ur_chrf *chrf = NULL;
    double x;
    (void)arg;
    ur_status status = ur_bleu_new(a, UR_BLEU_13A, &bleu, err);
    if (status == UR_OK)
        status = ur_chrf_new(a, &chrf, err);
    if (status == UR_OK)
        status = ur_bleu_add(bleu, "a cat\xFF and a dog", 2, two, err);
    if (status == UR_OK)
        status = ur_chrf_add(chrf, "a cat and a dog", 2, two, err);
    if (status == UR_OK)
        status = ur_bleu_sentence(a, "a b", "b a", 2, &x, err);
    ur_bleu_free(bleu);
    ur_chrf_free(chrf);
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
        cmocka_unit_test(test_as_sacrebleu),
        cmocka_unit_test(test_one_sentence),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
