/* test_generator.c - language models that write: hand-made ones whose probabilities are known, and the
 * same tokens on every machine. */
#include "support/contexts.h"
#include "unroll/decode.h"
#include "unroll/language.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { TOKENS = 4 };

/* h is the one-hot row of the token just read, for tanh(20) is 1: logits = bias + a column of
 * fc.weight. */
static ur_model *bigrams(ur_context *context, const float *weight, const float *bias)
{
    const ur_language_model_config config = {
        .vocabulary = TOKENS, .cell = "rnn_tanh", .hidden_size = TOKENS, .layers = 1, .bptt = 35};
    ur_model *m;
    ur_err err;
    if (ur_language_model_new(context, &config, &m, &err) != UR_OK)
        fail_msg("%s", err.text);
    ur_params *p = m->params;
    float *in = ur_param_values(p, ur_params_find(p, "rnn.weight_ih_l0"));
    for (size_t i = 0; i < TOKENS; i++)
        in[i * TOKENS + i] = 20.0f;
    if (weight)
        memcpy(ur_param_values(p, ur_params_find(p, "fc.weight")), weight,
               TOKENS * TOKENS * sizeof *weight);
    if (bias)
        memcpy(ur_param_values(p, ur_params_find(p, "fc.bias")), bias, TOKENS * sizeof *bias);
    ur_params_changed(p);
    return m;
}

static ur_generator *generator_of(ur_context *context, const ur_model *m,
                                  const ur_search_options *choice)
{
    ur_generator *g;
    ur_err err;
    if (ur_generator_new(context, m, choice, &g, &err) != UR_OK)
        fail_msg("%s", err.text);
    return g;
}

static int32_t written(ur_generator *g)
{
    int32_t id = -1;
    ur_err err;
    if (ur_generator_write(g, &id, NULL, &err) != UR_OK)
        fail_msg("%s", err.text);
    return id;
}

/* 0 -> 2 -> 1 -> 3 -> 3 ... */
static void most_probable(void **state)
{
    (void)state;
    static const float next[TOKENS * TOKENS] = {
        [2 * TOKENS + 0] = 1, [1 * TOKENS + 2] = 1, [3 * TOKENS + 1] = 1, [3 * TOKENS + 3] = 1};
    static const int32_t prompt[] = {3, 1, 0}, want[] = {2, 1, 3, 3, 3};
    ur_context *context = context_of(NULL, 1, NULL);
    ur_model *m = bigrams(context, next, NULL);
    ur_generator *g = generator_of(context, m, NULL);
    int32_t id;
    ur_err err;
    assert_null(ur_generator_logits(g));
    assert_int_equal(ur_generator_write(g, &id, NULL, &err), UR_INVALID); /* nothing was read */
    assert_int_equal(ur_generator_read(g, (ur_ids){prompt, 0}, NULL), UR_OK);
    assert_int_equal(ur_generator_write(g, &id, NULL, &err), UR_INVALID);
    assert_int_equal(ur_generator_read(g, (ur_ids){&(int32_t){TOKENS}, 1}, &err), UR_INVALID);
    assert_int_equal(ur_generator_read(g, (ur_ids){prompt, 3}, NULL), UR_OK);
    assert_true(ur_generator_logits(g)[2] == 1.0f);
    for (size_t i = 0; i < 5; i++) {
        double log_probability;
        assert_int_equal(ur_generator_write(g, &id, &log_probability, NULL), UR_OK);
        assert_int_equal(id, want[i]);
        assert_true(fabs(log_probability - log(M_E / (M_E + 3.0))) < 1e-6);
    }
    ur_generator_free(g);
    ur_model_free(m);
    m = bigrams(context, NULL, NULL); /* all logits equal: the first token */
    g = generator_of(context, m, NULL);
    assert_int_equal(ur_generator_read(g, (ur_ids){prompt, 1}, NULL), UR_OK);
    assert_int_equal(written(g), 0);
    ur_generator_free(g);
    ur_param_values(m->params, ur_params_find(m->params, "fc.bias"))[3] = NAN;
    ur_params_changed(m->params);
    g = generator_of(context, m, NULL);
    assert_int_equal(ur_generator_read(g, (ur_ids){prompt, 1}, NULL), UR_OK);
    assert_int_equal(ur_generator_write(g, &id, NULL, &err), UR_DIVERGED);
    ur_generator_free(g);
    ur_model_free(m);
    ur_context_free(context);
}

/* Shares of 8,000 draws from probabilities 1/8 1/2 1/4 1/8 are within five deviations of `want`. */
static void check_shares(ur_search_options choice, const double want[TOKENS])
{
    enum { DRAWS = 8000 };
    const float bias[TOKENS] = {-2.0794415f, -0.6931472f, -1.3862944f, -2.0794415f};
    ur_context *context = context_of(NULL, 1, NULL);
    ur_model *m = bigrams(context, NULL, bias);
    size_t seen[TOKENS] = {0};
    choice.seed = 12;
    ur_generator *g = generator_of(context, m, &choice);
    assert_int_equal(ur_generator_read(g, (ur_ids){&(int32_t){1}, 1}, NULL), UR_OK);
    for (size_t i = 0; i < DRAWS; i++) {
        const int32_t id = written(g);
        assert_in_range(id, 0, TOKENS - 1);
        seen[id]++;
    }
    for (size_t i = 0; i < TOKENS; i++) {
        const double share = (double)seen[i] / DRAWS;
        const double deviation = sqrt(want[i] * (1.0 - want[i]) / DRAWS);
        if (fabs(share - want[i]) > 5.0 * deviation)
            fail_msg("temperature %g, top-k %zu, top-p %g: token %zu came %g, %g expected",
                     (double)choice.temperature, choice.top_k, (double)choice.top_p, i, share,
                     want[i]);
    }
    ur_generator_free(g);
    ur_model_free(m);
    ur_context_free(context);
}

static void shares(void **state)
{
    (void)state;
    check_shares((ur_search_options){.temperature = 1.0f}, (double[]){0.125, 0.5, 0.25, 0.125});
    check_shares((ur_search_options){.temperature = 1.0f, .top_k = 4, .top_p = 1.0f},
                 (double[]){0.125, 0.5, 0.25, 0.125});
    check_shares((ur_search_options){.temperature = 0.5f},
                 (double[]){1.0 / 22, 16.0 / 22, 4.0 / 22, 1.0 / 22});
    check_shares((ur_search_options){.temperature = 1e6f}, (double[]){0.25, 0.25, 0.25, 0.25});
    check_shares((ur_search_options){.temperature = 1e-6f}, (double[]){0, 1, 0, 0});
    check_shares((ur_search_options){.temperature = 1.0f, .top_k = 1}, (double[]){0, 1, 0, 0});
    check_shares((ur_search_options){.temperature = 1.0f, .top_k = 2},
                 (double[]){0, 2.0 / 3, 1.0 / 3, 0});
    /* of equal ones the lower id */
    check_shares((ur_search_options){.temperature = 1.0f, .top_k = 3},
                 (double[]){1.0 / 7, 4.0 / 7, 2.0 / 7, 0});
    check_shares((ur_search_options){.temperature = 1.0f, .top_p = 0.4f}, (double[]){0, 1, 0, 0});
    check_shares((ur_search_options){.temperature = 1.0f, .top_p = 0.7f},
                 (double[]){0, 2.0 / 3, 1.0 / 3, 0});
    check_shares((ur_search_options){.temperature = 1.0f, .top_p = 0.8f},
                 (double[]){1.0 / 7, 4.0 / 7, 2.0 / 7, 0});
    /* the part is of what top-k left: 2/3 of it is the first */
    check_shares((ur_search_options){.temperature = 1.0f, .top_k = 2, .top_p = 0.6f},
                 (double[]){0, 1, 0, 0});
    check_shares((ur_search_options){.temperature = 1.0f, .top_p = 1e-9f}, (double[]){0, 1, 0, 0});
}

/* Tokens that are never written: the others' shares; the probabilities are the model's. */
static void never(void **state)
{
    (void)state;
    static const int32_t ruled_out[] = {1, 0}, all[] = {0, 1, 2, 3};
    const float bias[TOKENS] = {-2.0794415f, -0.6931472f, -1.3862944f, -2.0794415f};
    const double want[] = {0.25, 0.125};
    ur_context *context = context_of(NULL, 1, NULL);
    ur_model *m = bigrams(context, NULL, bias);
    int32_t list[2], id;
    memcpy(list, ruled_out, sizeof list);
    for (int draws = 0; draws < 2; draws++) {
        const ur_search_options o = {
            .temperature = (float)draws, .top_p = 0.9f, .never = list, .never_count = 2};
        size_t seen[TOKENS] = {0};
        ur_generator *g = generator_of(context, m, &o);
        memset(list, 0, sizeof list); /* the list need not last */
        assert_int_equal(ur_generator_read(g, (ur_ids){&(int32_t){1}, 1}, NULL), UR_OK);
        for (size_t i = 0; i < 100; i++) {
            double log_probability;
            assert_int_equal(ur_generator_write(g, &id, &log_probability, NULL), UR_OK);
            assert_in_range(id, 2, 3);
            assert_true(fabs(exp(log_probability) - want[id - 2]) < 1e-5);
            assert_true(ur_generator_logits(g)[1] == bias[1]); /* as the model gave it */
            seen[id]++;
        }
        assert_in_range(seen[2], draws ? 45 : 100, draws ? 85 : 100); /* 2/3, or all */
        ur_generator_free(g);
        memcpy(list, ruled_out, sizeof list);
    }
    const ur_search_options nothing = {.never = all, .never_count = TOKENS};
    ur_err err;
    ur_generator *g = generator_of(context, m, &nothing);
    assert_int_equal(ur_generator_read(g, (ur_ids){&(int32_t){1}, 1}, NULL), UR_OK);
    assert_int_equal(ur_generator_write(g, &id, NULL, &err), UR_INVALID);
    ur_generator_free(g);
    ur_model_free(m);
    ur_context_free(context);
}

/* Ranked choices of a larger vocabulary against sorting it. */
static void ranks(void **state)
{
    (void)state;
    enum { MANY = 300 };
    ur_context *context = context_of(NULL, 1, NULL);
    const ur_language_model_config config = {
        .vocabulary = MANY, .cell = "rnn_tanh", .hidden_size = 2, .layers = 1, .bptt = 35};
    ur_model *m;
    assert_int_equal(ur_language_model_new(context, &config, &m, NULL), UR_OK);
    float *bias = ur_param_values(m->params, ur_params_find(m->params, "fc.bias"));
    for (size_t i = 0; i < MANY; i++)
        bias[i] = (float)(i * 7 % 50) * 0.1f; /* 50 values, 6 of each */
    ur_params_changed(m->params);
    for (size_t k = 1; k < MANY; k += 23) {
        const ur_search_options choice = {.temperature = 1e6f, .top_k = k, .seed = k};
        ur_generator *g = generator_of(context, m, &choice);
        assert_int_equal(ur_generator_read(g, (ur_ids){&(int32_t){0}, 1}, NULL), UR_OK);
        for (size_t i = 0; i < 200; i++) {
            const size_t id = (size_t)written(g);
            size_t better = 0;
            for (size_t j = 0; j < MANY; j++)
                better += bias[j] > bias[id] || (bias[j] == bias[id] && j < id);
            assert_true(better < k);
        }
        ur_generator_free(g);
    }
    ur_model_free(m);
    ur_context_free(context);
}

static void refused(void **state)
{
    (void)state;
    ur_context *context = context_of("plain", 1, NULL);
    ur_model *m = bigrams(context, NULL, NULL);
    static const int32_t none[] = {TOKENS};
    static const ur_search_options bad[] = {{.temperature = -1.0f},
                                            {.temperature = INFINITY},
                                            {.temperature = NAN},
                                            {.temperature = 1.0f, .top_p = 1.5f},
                                            {.temperature = 1.0f, .top_p = -0.5f},
                                            {.beam = 2},
                                            {.most = 5},
                                            {.never = none, .never_count = 1}};
    ur_generator *g;
    ur_err err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(ur_generator_new(context, m, &bad[i], &g, &err), UR_INVALID);
    ur_model_free(m);
    const ur_language_model_config both = {.vocabulary = TOKENS,
                                           .hidden_size = 3,
                                           .bidirectional = true,
                                           .cell = "lstm",
                                           .layers = 1,
                                           .bptt = 35};
    assert_int_equal(ur_language_model_new(context, &both, &m, NULL), UR_OK);
    assert_int_equal(ur_generator_new(context, m, NULL, &g, &err), UR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "bidirectional"));
    assert_null(g);
    ur_model_free(m);
    ur_context_free(context);
}

/* Tokens drawn do not depend on machine, threads or how the prompt came in; they do on the seed. */
static void same_on_every_machine(void **state)
{
    (void)state;
    enum { WRITTEN = 60, PROMPT = 300 };
    const ur_language_model_config config = {.vocabulary = 50,
                                             .cell = "gru",
                                             .hidden_size = 24,
                                             .embed_size = 24,
                                             .layers = 2,
                                             .tied = true,
                                             .dropout = 0.5f,
                                             .bptt = 35};
    contexts all = contexts_new();
    int32_t prompt[PROMPT], first[WRITTEN];
    for (size_t i = 0; i < PROMPT; i++)
        prompt[i] = (int32_t)(i * i % 50);
    for (int i = 0; i <= all.count; i++) {
        ur_context *context = all.at[i % all.count]; /* the last time with another seed */
        const ur_search_options choice = {
            .temperature = 1.5f, .top_k = 40, .top_p = 0.95f, .seed = i == all.count ? 8 : 7};
        ur_model *m;
        assert_int_equal(ur_language_model_new(context, &config, &m, NULL), UR_OK);
        ur_language_model_init(m, 1);
        ur_generator *g = generator_of(context, m, &choice);
        const size_t cut = (size_t)i * 20;
        assert_int_equal(ur_generator_read(g, (ur_ids){prompt, cut}, NULL), UR_OK);
        assert_int_equal(ur_generator_read(g, (ur_ids){prompt + cut, PROMPT - cut}, NULL), UR_OK);
        size_t differ = 0;
        for (size_t j = 0; j < WRITTEN; j++) {
            const int32_t id = written(g);
            if (i == 0)
                first[j] = id;
            differ += first[j] != id;
        }
        if (i == all.count ? differ == 0 : differ > 0)
            fail_msg("%s: %zu tokens differ", i == all.count ? "another seed" : all.name[i],
                     differ);
        ur_generator_free(g);
        ur_model_free(m);
    }
    contexts_free(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(most_probable), cmocka_unit_test(shares),
        cmocka_unit_test(never),         cmocka_unit_test(ranks),
        cmocka_unit_test(refused),       cmocka_unit_test(same_on_every_machine)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
