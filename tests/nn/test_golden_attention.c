/* test_golden_attention.c - attention against PyTorch: outputs, weights and gradients of the golden cases
 * of the operation, of additive attention and of multi-head attention. */
#include "support/contexts.h"
#include "support/golden.h"
#include "unroll/nn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { SEED = 11, STEP = 4 /* of the drop-out masks */ };

/* One case of a file: its tensors are NAME.CASE; inputs and parameters are made-up numbers. */
typedef struct one {
    golden *g;
    const char *name;
    ur_context *context;
    ur_params *params;
    float *gradient;
    ur_tape *tape;
    ur_order order;
    size_t batch, queries, keys, heads; /* rows */
    const size_t *q_length, *k_length;
    const ur_layout *lq, *lk;
    ur_causal causal;
    bool average;
    float dropout, scale;
    ur_attention_mask mask;
    bool masked;
} one;

static const char *of(const one *c, const char *tensor)
{
    static char name[3][128];
    static int next;
    char *to = name[next = (next + 1) % 3];
    snprintf(to, sizeof name[0], "%s.%s", tensor, c->name);
    return to;
}

static size_t longest(const size_t *length, size_t n)
{
    size_t most = 0;
    for (size_t i = 0; i < n; i++)
        most = length[i] > most ? length[i] : most;
    return most;
}

/* As mask_of in tools/golden/attention.py. */
static void make_mask(one *c, bool hidden, bool added, bool per_head)
{
    const size_t queries = longest(c->q_length, c->batch), keys = longest(c->k_length, c->batch);
    const size_t heads = per_head ? c->heads : 1, count = heads * queries * keys;
    bool *h = golden_take(c->g, count);
    float *a = golden_take(c->g, count * sizeof *a);
    for (size_t i = 0; i < count; i++) {
        h[i] = made_up(6, i) > 0.4f || (queries > 2 && i / keys % queries == 2);
        a[i] = 2.0f * made_up(5, i);
    }
    c->masked = hidden || added;
    c->mask = (ur_attention_mask){heads, queries, keys, hidden ? h : NULL, added ? a : NULL};
}

static one one_open(golden *g, const char *name, ur_order order, ur_context *context)
{
    one c = {.g = g, .name = name, .order = order, .context = context};
    const int32_t *s = golden_ints(g, of(&c, "settings"), NULL);
    c.q_length = golden_lengths(g, of(&c, "q_lengths"), &c.batch);
    c.k_length = golden_lengths(g, of(&c, "k_lengths"), NULL);
    for (size_t b = 0; b < c.batch; b++) {
        c.queries += c.q_length[b];
        c.keys += c.k_length[b];
    }
    c.heads = (size_t)s[0];
    c.causal = (ur_causal)s[1];
    c.average = s[5];
    c.dropout = (float)s[6] / 1000.0f;
    c.scale = (float)s[7] / 1000.0f;
    make_mask(&c, s[2], s[3], s[4]);
    assert_int_equal(ur_params_new(c.context, &c.params, NULL), UR_OK);
    c.tape = tape_of(c.context);
    return c;
}

/* Parameter i from the first on is made up from seed 10 + i. */
static void one_start(one *c)
{
    assert_int_equal(ur_params_seal(c->params, NULL), UR_OK);
    for (size_t i = 0; i < ur_params_count(c->params); i++) {
        float *w = ur_param_values(c->params, (int)i);
        for (size_t j = 0; j < ur_params_entry(c->params, i)->count; j++)
            w[j] = 0.5f * made_up(10 + i, j);
    }
    c->gradient = calloc(ur_params_size(c->params) + 1, sizeof *c->gradient);
    assert_non_null(c->gradient);
    ur_tape_start(c->tape, UR_TRAIN, c->params, c->gradient, SEED, STEP);
    c->lq = ur_new_layout(c->tape, c->order, c->batch, c->q_length, NULL);
    c->lk = ur_new_layout(c->tape, c->order, c->batch, c->k_length, NULL);
}

static void one_close(one *c)
{
    ur_tape_free(c->tape);
    ur_params_free(c->params);
    free(c->gradient);
}

static ur_seq *rows_of(const one *c, uint64_t seed, const ur_layout *l, size_t width, float scale)
{
    float *x = made_up_floats(seed, l->rows * width, scale);
    ur_seq *s = ur_seq_floats(c->tape, l, width, x, true);
    free(x);
    return s;
}

/* Rows in the layout's order against rows sequence by sequence. */
static void compare_rows(const one *c, const char *tensor, const ur_layout *l, size_t width,
                         const float *got, double bound)
{
    float *by_sequence = golden_take(c->g, (l->rows * width + 1) * sizeof *by_sequence);
    size_t at = 0;
    for (size_t b = 0; b < l->batch; b++)
        for (size_t t = 0; t < l->length[b]; t++, at++)
            memcpy(by_sequence + at * width, got + ur_row(l, b, t) * width, width * sizeof *got);
    golden_compare(c->g, of(c, tensor), by_sequence, bound);
}

static void compare_input(const one *c, const char *tensor, const ur_seq *x)
{
    compare_rows(c, tensor, x->layout, x->values->dim[1], x->values->grad, GRADIENT_BOUND);
}

static void compare_outputs(const one *c, const ur_seq *y, ur_weights *const *weights)
{
    tape_fine(c->tape);
    const size_t width = y->values->dim[1];
    compare_rows(c, "y", c->lq, width, ur_floats(y->values), FORWARD_BOUND);
    golden_compare(c->g, of(c, "weights"), (*weights)->p, FORWARD_BOUND);
    const ur_seq *wy = rows_of(c, 4, c->lq, width, 1.0f);
    ur_backward(c->tape, ur_sum(c->tape, ur_mul(c->tape, y->values, wy->values)));
    tape_fine(c->tape);
}

static void compare_params(const one *c)
{
    for (size_t i = 0; i < ur_params_count(c->params); i++) {
        const ur_param *p = ur_params_entry(c->params, i);
        char name[96];
        snprintf(name, sizeof name, "grad.%s", p->name);
        golden_compare(c->g, of(c, name), c->gradient + p->offset, GRADIENT_BOUND);
    }
}

/* ---- the three kinds of cases --------------------------------------------------------------- */

static void operation(one *c)
{
    const int32_t *widths = golden_ints(c->g, of(c, "widths"), NULL);
    const size_t width = c->heads * (size_t)widths[0], value_width = c->heads * (size_t)widths[1];
    one_start(c);
    ur_seq *q = rows_of(c, 1, c->lq, width, 2.0f), *k = rows_of(c, 2, c->lk, width, 1.0f);
    ur_seq *v = rows_of(c, 3, c->lk, value_width, 1.0f);
    float *made = made_up_floats(7, width, 1.0f);
    ur_tensor *w = widths[2] ? ur_copy_floats(c->tape, 1, &width, made, true) : NULL;
    free(made);
    ur_weights *weights;
    const ur_attention_options o = {.score = w ? "additive" : NULL,
                                    .heads = c->heads,
                                    .scale = c->scale,
                                    .causal = c->causal,
                                    .mask = c->masked ? &c->mask : NULL,
                                    .dropout = c->dropout,
                                    .w = w,
                                    .weights = &weights,
                                    .average = c->average};
    compare_outputs(c, ur_attention(c->tape, q, k, v, &o), &weights);
    compare_input(c, "grad.q", q);
    compare_input(c, "grad.k", k);
    compare_input(c, "grad.v", v);
    if (w)
        golden_compare(c->g, of(c, "grad.w"), w->grad, GRADIENT_BOUND);
}

static void additive(one *c)
{
    const int32_t *size = golden_ints(c->g, of(c, "sizes"), NULL);
    const ur_additive_attention_layer layer = ur_additive_attention_add(
        c->params, "", (size_t)size[0], (size_t)size[1], (size_t)size[2], c->dropout);
    one_start(c);
    ur_seq *q = rows_of(c, 1, c->lq, (size_t)size[0], 2.0f);
    ur_seq *k = rows_of(c, 2, c->lk, (size_t)size[1], 1.0f);
    ur_seq *v = rows_of(c, 3, c->lk, (size_t)size[3], 1.0f);
    ur_weights *weights;
    const ur_attention_call call = {.weights = &weights};
    compare_outputs(c, ur_additive_attention(c->tape, &layer, q, k, v, &call), &weights);
    compare_input(c, "grad.q", q);
    compare_input(c, "grad.k", k);
    compare_input(c, "grad.v", v);
    compare_params(c);
}

static void multi_head(one *c)
{
    const int32_t *size = golden_ints(c->g, of(c, "sizes"), NULL);
    ur_multi_head_layer layer;
    const ur_multi_head_config config = {.embed_dim = (size_t)size[0],
                                         .num_heads = c->heads,
                                         .qdim = (size_t)size[1],
                                         .kdim = (size_t)size[2],
                                         .vdim = (size_t)size[3],
                                         .no_bias = !size[4],
                                         .dropout = c->dropout};
    assert_int_equal(ur_multi_head_attention_add(c->params, "", &config, &layer, NULL), UR_OK);
    one_start(c);
    ur_seq *q = rows_of(c, 1, c->lq, config.qdim, 1.0f);
    ur_seq *k = size[5] == 2 ? q : rows_of(c, 2, c->lk, config.kdim, 1.0f);
    ur_seq *v = size[5] ? k : rows_of(c, 3, c->lk, config.vdim, 1.0f);
    ur_weights *weights;
    const ur_attention_call call = {.causal = c->causal,
                                    .mask = c->masked ? &c->mask : NULL,
                                    .weights = &weights,
                                    .average = c->average};
    compare_outputs(c, ur_multi_head_attention(c->tape, &layer, q, k, v, &call), &weights);
    compare_input(c, "grad.q", q);
    if (k != q)
        compare_input(c, "grad.k", k);
    if (v != k)
        compare_input(c, "grad.v", v);
    compare_params(c);
}

/* Every case of a file in both orders of rows, with one and three threads. */
static void cases(const char *file, size_t count, const char *const *names, void (*run)(one *c))
{
    ur_context *on[] = {context_of(NULL, 1, NULL), context_of(NULL, 3, NULL)};
    for (size_t i = 0; i < count; i++)
        for (int variant = 0; variant < 4; variant++) {
            golden g = golden_open(file);
            one c = one_open(&g, names[i], (ur_order)(variant & 1), on[variant / 2]);
            run(&c);
            one_close(&c);
            golden_close(&g);
        }
    ur_context_free(on[0]);
    ur_context_free(on[1]);
}

static void operations(void **state)
{
    (void)state;
    static const char *const names[] = {
        "one",          "plain",          "scaled",         "three_heads",
        "four_heads",   "five_heads",     "six_heads",      "seven_heads",
        "eight_heads",  "wide",           "long",           "long_causal",
        "long_keys",    "long_queries",   "causal",         "causal_last",
        "hidden",       "hidden_heads",   "added",          "added_heads",
        "both",         "dropout",        "dropout_long",   "one_query",
        "additive",     "additive_tails", "additive_heads", "additive_causal",
        "additive_long"};
    cases("attention_cases", sizeof names / sizeof *names, names, operation);
}

static void additive_layers(void **state)
{
    (void)state;
    static const char *const names[] = {"notes", "decoder", "queries", "dropped"};
    cases("attention_additive", sizeof names / sizeof *names, names, additive);
}

static void multi_heads(void **state)
{
    (void)state;
    static const char *const names[] = {"one",
                                        "self",
                                        "self_causal",
                                        "self_no_bias",
                                        "self_full",
                                        "self_long",
                                        "self_wide",
                                        "self_96",
                                        "self_mask",
                                        "self_mask_added",
                                        "self_mask_heads",
                                        "self_added_heads",
                                        "self_dropout",
                                        "self_dropout_causal",
                                        "cross",
                                        "cross_average",
                                        "cross_no_bias",
                                        "cross_last",
                                        "cross_one_query",
                                        "three",
                                        "three_dropout",
                                        "kdim",
                                        "vdim",
                                        "kdim_vdim",
                                        "kdim_is_vdim",
                                        "d2l",
                                        "d2l_masked"};
    cases("attention_multi_head", sizeof names / sizeof *names, names, multi_head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations),
        cmocka_unit_test(additive_layers),
        cmocka_unit_test(multi_heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
