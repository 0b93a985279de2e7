/* test_language_transformer.c - language models that are Transformers: what they accept, and
 * that writing with a cache has the bits of computing the window anew, also where the window
 * slides. */
#include "support/contexts.h"
#include "support/failing_alloc.h"
#include "unroll/decode.h"
#include "unroll/language.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { TOKENS = 13, BLOCK = 7, LONG = 40 };

static ur_language_model_config config_of(size_t bptt)
{
    return (ur_language_model_config){.vocabulary = TOKENS,
                                      .network = UR_LANGUAGE_TRANSFORMER,
                                      .cell = "lstm",
                                      .hidden_size = 12,
                                      .heads = 3,
                                      .layers = 2,
                                      .activation = UR_ACT_GELU,
                                      .bptt = bptt};
}

/* Weights that are larger than fresh ones, so that probabilities differ. */
static ur_model *model_of(ur_context *context, size_t bptt)
{
    const ur_language_model_config c = config_of(bptt);
    ur_model *m;
    ur_err err;
    if (ur_language_model_new(context, &c, &m, &err) != UR_OK)
        fail_msg("%s", err.text);
    ur_language_model_init(m, 3);
    float *w = ur_params_values(m->params);
    for (size_t i = 0; i < ur_params_size(m->params); i++)
        w[i] *= w[i] < 0.1f && w[i] > -0.1f ? 20.0f : 3.0f;
    ur_params_changed(m->params);
    return m;
}

static void some_text(int32_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ids[i] = (int32_t)((i * i + i / 3) % TOKENS);
}

/* ---- configuration ------------------------------------------------------------------------ */

static void refused(ur_language_model_config c, const char *part)
{
    ur_context *context = context_of("plain", 1, NULL);
    ur_model *m;
    ur_err err;
    assert_int_equal(ur_language_model_new(context, &c, &m, &err), UR_INVALID);
    if (!strstr(err.text, part))
        fail_msg("\"%s\" lacks \"%s\"", err.text, part);
    ur_context_free(context);
}

static void configurations(void **state)
{
    (void)state;
    ur_language_model_config c = config_of(BLOCK);
    c.heads = 5;
    refused(c, "5 heads do not divide");
    c = config_of(BLOCK);
    c.activation = UR_ACT_NONE;
    refused(c, "activation cannot be none");
    c = config_of(BLOCK);
    c.network = 2;
    refused(c, "network");
    ur_context *context = context_of("plain", 1, NULL);
    ur_model *m = model_of(context, BLOCK);
    static const char *const names[] = {
        "embed.weight", "positions.weight", "transformer.layers.1.self_attn.in_proj_weight",
        "transformer.layers.0.linear1.bias", "transformer.norm.weight"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_true(ur_params_find(m->params, names[i]) >= 0);
    const size_t layer = 12 * 36 + 36 + 12 * 12 + 12 + 2 * 12 * 48 + 48 + 12 + 4 * 12;
    assert_int_equal(ur_params_weights(m->params), 12 * (TOKENS + BLOCK + 2) + 2 * layer);
    const ur_language_model_config *completed = ur_language_model_config_of(m);
    assert_true(completed->tied);
    assert_int_equal(completed->embed_size, 12);
    assert_int_equal(completed->sampling, UR_SAMPLING_RANDOM);

    /* a sequence that goes on behind the last position */
    int32_t ids[BLOCK + 1];
    const size_t steps = BLOCK + 1;
    some_text(ids, steps);
    ur_tape *t = tape_of(context);
    ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
    const ur_layout *l = ur_new_layout(t, UR_SEQUENCE_MAJOR, 1, &steps, NULL);
    assert_null(ur_language_model_forward(t, m, ur_seq_ints(t, l, ids), (ur_state){0}).logits);
    assert_int_equal(ur_tape_status(t), UR_INVALID);
    assert_non_null(strstr(ur_error(t), "there are 7 positions"));
    ur_tape_free(t);
    ur_model_free(m);
    ur_context_free(context);
}

/* ---- writing ------------------------------------------------------------------------------ */

/* Where the window begins after `count` tokens, one after the other. */
static size_t window_begin(size_t count, size_t bptt)
{
    size_t begin = 0;
    for (size_t n = 1; n <= count; n++)
        if (n - begin > bptt)
            begin += bptt - bptt / 2;
    return begin;
}

/* Logits after the text, computed from nothing but the window. */
static void logits_anew(ur_context *context, const ur_model *m, const int32_t *ids, size_t count,
                        float out[TOKENS])
{
    const size_t begin = window_begin(count, ur_language_model_config_of(m)->bptt);
    const size_t steps = count - begin;
    ur_tape *t = tape_of(context);
    ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
    const ur_layout *l = ur_new_layout(t, UR_SEQUENCE_MAJOR, 1, &steps, NULL);
    const ur_language_logits f =
        ur_language_model_forward(t, m, ur_seq_ints(t, l, ids + begin), (ur_state){0});
    tape_fine(t);
    memcpy(out, ur_floats(f.logits->values) + (steps - 1) * TOKENS, TOKENS * sizeof *out);
    ur_tape_free(t);
}

static ur_generator *generator_of(ur_context *context, const ur_model *m)
{
    ur_generator *g;
    ur_err err;
    if (ur_generator_new(context, m, NULL, &g, &err) != UR_OK)
        fail_msg("%s", err.text);
    return g;
}

/* Whatever is read at a time: prompts of every length, some longer than the window, then token
 * by token and several at once. */
static void has_the_bits_of_whole_windows(void **state)
{
    (void)state;
    static const size_t blocks[] = {1, 2, 3, BLOCK};
    int32_t ids[LONG];
    some_text(ids, LONG);
    contexts all = contexts_new();
    for (int k = 0; k < all.count; k++)
        for (size_t i = k ? 3 : 0; i < sizeof blocks / sizeof *blocks; i++) {
            ur_model *m = model_of(all.at[k], blocks[i]);
            for (size_t prompt = 1; prompt < 3 * blocks[i] + 2; prompt += 1 + prompt / 2) {
                ur_generator *g = generator_of(all.at[k], m);
                for (size_t read = 0, next = prompt; next <= LONG; next += next % 5 ? 1 : 3) {
                    float want[TOKENS];
                    ur_err err;
                    const ur_ids part = {ids + read, next - read};
                    if (ur_generator_read(g, part, &err) != UR_OK)
                        fail_msg("%s", err.text);
                    read = next;
                    logits_anew(all.at[k], m, ids, read, want);
                    same_floats("logits", all.name[k], want, ur_generator_logits(g), TOKENS);
                }
                ur_generator_free(g);
            }
            ur_model_free(m);
        }
    contexts_free(&all);
}

/* Prompts of several lengths side by side, whose windows slide at different steps, greedily and
 * by a beam, are written on as each alone; and a beam's probabilities are those of its texts
 * read anew. */
static void side_by_side(void **state)
{
    (void)state;
    enum { PROMPTS = 5, MOST = 20 };
    static const size_t lengths[PROMPTS] = {1, BLOCK, 3, 2 * BLOCK + 1, BLOCK - 1};
    int32_t ids[LONG];
    ur_ids prompts[PROMPTS];
    some_text(ids, LONG);
    for (size_t i = 0; i < PROMPTS; i++)
        prompts[i] = (ur_ids){ids + i, lengths[i]};
    contexts all = contexts_new();
    for (int k = 0; k < all.count; k++)
        for (size_t beam = 1; beam <= 3; beam += 2) {
            const ur_search_options o = {.beam = beam, .n_best = beam, .most = MOST};
            ur_model *m = model_of(all.at[k], BLOCK);
            ur_tape *t = tape_of(all.at[k]), *one = tape_of(all.at[k]);
            ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
            const ur_written *together = ur_generate(t, m, PROMPTS, prompts, &o);
            tape_fine(t);
            for (size_t i = 0; i < PROMPTS; i++) {
                ur_tape_start(one, UR_INFER, m->params, NULL, 0, 0);
                const ur_written *alone = ur_generate(one, m, 1, &prompts[i], &o);
                tape_fine(one);
                assert_int_equal(together[i].count, alone->count);
                for (size_t h = 0; h < alone->count; h++) {
                    const ur_hypothesis *a = &together[i].best[h], *b = &alone->best[h];
                    assert_int_equal(a->count, MOST);
                    assert_memory_equal(a->ids, b->ids, MOST * sizeof *a->ids);
                    same_floats("probabilities", all.name[k], a->probability, b->probability, MOST);
                }
                const ur_hypothesis *best = &together[i].best[0];
                int32_t text[LONG];
                memcpy(text, prompts[i].ids, lengths[i] * sizeof *text);
                memcpy(text + lengths[i], best->ids, MOST * sizeof *text);
                for (size_t s = 0; s < MOST; s++) {
                    float logits[TOKENS];
                    ur_tape_start(one, UR_INFER, m->params, NULL, 0, 0);
                    logits_anew(all.at[k], m, text, lengths[i] + s, logits);
                    ur_tensor *x = ur_new_floats(one, 2, (size_t[]){1, TOKENS}, false);
                    memcpy(ur_floats(x), logits, sizeof logits);
                    const float *p = ur_floats(ur_softmax(one, x));
                    const float apart = p[best->ids[s]] - best->probability[s];
                    assert_true(apart < 1e-6f && apart > -1e-6f);
                }
            }
            ur_tape_free(t);
            ur_tape_free(one);
            ur_model_free(m);
        }
    contexts_free(&all);
}

/* ---- memory ------------------------------------------------------------------------------- */

/* A text of any length takes no more memory than a short one. */
static void memory_is_bounded(void **state)
{
    (void)state;
    failing_alloc counts;
    failing_alloc_init(&counts, 0, false);
    ur_context *context = context_of(NULL, 1, &counts.hooks);
    ur_model *m = model_of(context, BLOCK);
    ur_generator *g = generator_of(context, m);
    int32_t id = 1;
    size_t most = 0, most_at_first = 0;
    assert_int_equal(ur_generator_read(g, (ur_ids){&id, 1}, NULL), UR_OK);
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(ur_generator_write(g, &id, NULL, NULL), UR_OK);
        most = counts.bytes > most ? counts.bytes : most;
        most_at_first = i < 100 ? most : most_at_first;
    }
    assert_int_equal(most, most_at_first);
    ur_generator_free(g);
    ur_model_free(m);
    ur_context_free(context);
    assert_int_equal(counts.outstanding, 0);
}

static ur_status written(const ur_allocator *a, ur_err *err, void *arg)
{
    const ur_language_model_config config = config_of(3);
    ur_context *context = NULL;
    ur_model *m = NULL;
    ur_tape *t = NULL;
    int32_t ids[5];
    const ur_ids prompts[2] = {{ids, 5}, {ids, 1}};
    const ur_search_options o = {.beam = 2, .most = 6};
    (void)arg;
    some_text(ids, 5);
    ur_status s = ur_context_new(&(ur_options){.allocator = a, .threads = 1}, &context, err);
    s = s == UR_OK ? ur_language_model_new(context, &config, &m, err) : s;
    s = s == UR_OK ? ur_tape_new(context, &t, err) : s;
    if (s == UR_OK) {
        ur_language_model_init(m, 1);
        ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
        ur_generate(t, m, 2, prompts, &o);
        s = ur_tape_status(t);
        if (s != UR_OK) {
            err->status = s;
            snprintf(err->text, sizeof err->text, "%s", ur_error(t));
        }
    }
    ur_tape_free(t);
    ur_model_free(m);
    ur_context_free(context);
    return s;
}

static void memory(void **state)
{
    (void)state;
    assert_true(failing_alloc_sweep(written, NULL) > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(configurations), cmocka_unit_test(has_the_bits_of_whole_windows),
        cmocka_unit_test(side_by_side),   cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
