/* test_filler.c - masked words against transformers' BertForMaskedLM (tests/golden/embedder and the folder
 * bert_tiny, made by tools/golden/embedder.py); texts and folders that are refused. */
#include "support/contexts.h"
#include "support/failing_alloc.h"
#include "support/golden.h"
#include "unroll/filler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char text[] = "[MASK] cat sat on the [MASK]";
enum { MASKS = 2, BEST = 5 };

static const char *tiny(void)
{
    static char path[512];
    const char *root = getenv("UNROLL_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/tests/golden/bert_tiny", root ? root : ".");
    return path;
}

static ur_filler *opened(ur_context *context)
{
    ur_filler *f;
    ur_err err;
    if (ur_filler_open(context, tiny(), &f, &err) != UR_OK)
        fail_msg("%s", err.text);
    return f;
}

static void test_golden(void **state)
{
    (void)state;
    golden g = golden_open("embedder");
    const int32_t *id = golden_ints(&g, "words.id", NULL);
    const float *p = golden_floats(&g, "words.probability", NULL);
    float want[MASKS * BEST];
    contexts all = contexts_new();
    for (int k = 0; k < all.count; k++) {
        ur_filler *f = opened(all.at[k]);
        ur_filling out[MASKS * BEST], one[MASKS];
        size_t masks;
        assert_int_equal(ur_filler_masks(f, text, &masks, NULL), UR_OK);
        assert_int_equal(masks, MASKS);
        assert_int_equal(ur_filler_apply(f, text, BEST, out, NULL), UR_OK);
        for (size_t i = 0; i < MASKS * BEST; i++) {
            assert_int_equal(out[i].id, id[i]);
            assert_string_equal(out[i].token, ur_wordpiece_token(ur_filler_wordpiece(f), id[i]));
            assert_true(fabsf(out[i].probability - p[i]) <= 1e-5f * p[0]);
            want[i] = k == 0 ? out[i].probability : want[i];
            same_floats("probability", all.name[k], &want[i], &out[i].probability, 1);
        }
        assert_int_equal(ur_filler_apply(f, text, 1, one, NULL), UR_OK);
        assert_int_equal(one[1].id, id[BEST]);
        ur_filler_free(f);
    }
    contexts_free(&all);
    golden_close(&g);
}

static void test_all_words(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    ur_filler *f = opened(context);
    const size_t n = ur_wordpiece_size(ur_filler_wordpiece(f));
    ur_filling *out = calloc(n, sizeof *out);
    double sum = 0;
    assert_int_equal(ur_filler_apply(f, "[MASK]", n, out, NULL), UR_OK);
    for (size_t i = 0; i < n; i++) {
        sum += (double)out[i].probability;
        assert_true(i == 0 || out[i].probability <= out[i - 1].probability);
    }
    assert_true(fabs(sum - 1) < 1e-5);
    free(out);
    ur_filler_free(f);
    ur_context_free(context);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"the cat sat", "no [MASK]"},
        {"the [mask] sat", "no [MASK]"},
        {"the cat \xFF [MASK]", "byte 9"},
        {"a a a a a a a a a a a a a a [MASK]", "first 14 pieces"},
    };
    ur_context *context = context_of(NULL, 1, NULL);
    ur_filler *f = opened(context);
    ur_filling out[MASKS];
    ur_err err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(ur_filler_apply(f, cases[i].text, 1, out, &err), UR_BAD_FILE);
        if (!strstr(err.text, cases[i].part))
            fail_msg("'%s' has no '%s'", err.text, cases[i].part);
    }
    assert_int_equal(ur_filler_apply(f, text, 0, out, &err), UR_INVALID);
    assert_int_equal(ur_filler_apply(f, text, 1000, out, &err), UR_INVALID);
    /* what stands behind the last piece that is read is left away */
    assert_int_equal(ur_filler_apply(f, "[MASK] a a a a a a a a a a a a a a a a", 1, out, &err),
                     UR_OK);
    ur_filler_free(f);
    ur_context_free(context);
}

static ur_status use(const ur_allocator *a, ur_err *err, void *arg)
{
    const ur_options options = {.allocator = a, .threads = 1};
    ur_context *context;
    ur_filler *f = NULL;
    ur_filling out[MASKS];
    (void)arg;
    ur_status status = ur_context_new(&options, &context, err);
    if (status != UR_OK)
        return status;
    status = ur_filler_open(context, tiny(), &f, err);
    if (status == UR_OK)
        status = ur_filler_apply(f, text, 1, out, err);
    ur_filler_free(f);
    ur_context_free(context);
    return status;
}

static void test_memory(void **state)
{
    (void)state;
    assert_true(failing_alloc_sweep(use, NULL) > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_all_words),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
