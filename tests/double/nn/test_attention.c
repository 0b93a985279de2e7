/* test_attention.c - gradients of attention against differences: scores, heads, masks, what is causal,
 * drop-out, and the layers made of it. */
#include "double/check.h"

#include <math.h>

enum { BATCH = 5, WIDTH = 6, VALUE_WIDTH = 4, QUERY_ROWS = 12, KEY_ROWS = 16, MOST = 6 };

static const size_t query_length[BATCH] = {2, 3, 0, 6, 1}, key_length[BATCH] = {4, 3, 2, 6, 1};

typedef struct variant {
    const char *name;
    ur_attention_options o;
    bool hidden, added, per_head;
    int threads;
} variant;

static const variant variants[] = {
    {.name = "two heads", .o = {.heads = 2}, .threads = 2},
    {.name = "scaled, causal", .o = {.scale = 0.7f, .causal = UR_CAUSAL}, .threads = 3},
    {.name = "causal from the end", .o = {.heads = 2, .causal = UR_CAUSAL_LAST}, .threads = 1},
    {.name = "hidden keys", .o = {.heads = 2}, .hidden = true, .threads = 1},
    {.name = "added, per head", .o = {.heads = 2}, .added = true, .per_head = true, .threads = 2},
    {.name = "all at once",
     .o = {.heads = 2, .causal = UR_CAUSAL, .dropout = 0.3f},
     .hidden = true,
     .added = true,
     .threads = 2},
    {.name = "drop-out", .o = {.dropout = 0.5f}, .threads = 7},
    {.name = "additive", .o = {.score = "additive"}, .threads = 1},
    {.name = "additive, two heads",
     .o = {.score = "additive", .heads = 2, .dropout = 0.2f, .scale = 0.8f, .causal = UR_CAUSAL},
     .hidden = true,
     .threads = 3},
    {.name = "additive, few heads", .o = {.score = "additive"}, .threads = 7},
};

static bool hidden[2 * MOST * MOST];
static float added[2 * MOST * MOST];

/* The second query of every sequence sees nothing where keys are hidden. */
static ur_attention_mask mask_of(const variant *v)
{
    for (size_t i = 0; i < 2 * MOST * MOST; i++) {
        hidden[i] = made_up(31, i) > 0.4f || i / MOST % MOST == 1;
        added[i] = made_up(32, i);
    }
    added[3] = -INFINITY;
    return (ur_attention_mask){v->per_head ? 2 : 1, MOST, MOST, v->hidden ? hidden : NULL,
                               v->added ? added : NULL};
}

static ur_tensor *attention(ur_tape *t, void *user)
{
    const checked *c = user;
    const variant *v = &variants[c->variant];
    const ur_layout *lq = ur_new_layout(t, c->order, BATCH, query_length, NULL);
    const ur_layout *lk = ur_new_layout(t, c->order, BATCH, key_length, NULL);
    const ur_attention_mask mask = mask_of(v);
    ur_attention_options o = v->o;
    o.mask = v->hidden || v->added ? &mask : NULL;
    o.w = o.score ? ur_parameter(t, 3) : NULL;
    ur_seq *y = ur_attention(t, seq_of(t, 0, lq), seq_of(t, 1, lk), seq_of(t, 2, lk), &o);
    return y ? weigh(t, y->values, 1) : NULL;
}

static void every_variant(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
        for (int order = 0; order < 2; order++) {
            checked c = checked_new(variants[i].threads);
            c.variant = (int)i;
            c.order = (ur_order)order;
            checked_input(&c, "q", QUERY_ROWS, WIDTH);
            checked_input(&c, "k", KEY_ROWS, WIDTH);
            checked_input(&c, "v", KEY_ROWS, VALUE_WIDTH);
            checked_input(&c, "w", WIDTH, 0);
            checked_run(&c, variants[i].name, attention);
        }
}

/* ---- layers -------------------------------------------------------------------------------- */

static ur_tensor *additive(ur_tape *t, void *user)
{
    const checked *c = user;
    const ur_layout *lq = ur_new_layout(t, c->order, BATCH, query_length, NULL);
    const ur_layout *lk = ur_new_layout(t, c->order, BATCH, key_length, NULL);
    ur_seq *y = ur_additive_attention(t, c->layer, seq_of(t, 3, lq), seq_of(t, 4, lk),
                                      seq_of(t, 5, lk), NULL);
    return y ? weigh(t, y->values, 1) : NULL;
}

static void additive_layer(void **state)
{
    (void)state;
    for (int order = 0; order < 2; order++) {
        checked c = checked_new(2);
        const ur_additive_attention_layer layer =
            ur_additive_attention_add(c.params, "attention", 5, 3, 7, 0.2f);
        c.layer = &layer;
        c.order = (ur_order)order;
        checked_input(&c, "q", QUERY_ROWS, 5);
        checked_input(&c, "k", KEY_ROWS, 3);
        checked_input(&c, "v", KEY_ROWS, VALUE_WIDTH);
        checked_run(&c, "additive_attention", additive);
    }
}

/* Queries, keys and values are one sequence; keys and values are one; three sequences. */
static ur_tensor *multi_head(ur_tape *t, void *user)
{
    const checked *c = user;
    const ur_layout *lq = ur_new_layout(t, c->order, BATCH, query_length, NULL);
    const ur_layout *lk = ur_new_layout(t, c->order, BATCH, key_length, NULL);
    const int first = (int)ur_params_count(c->params) - 3;
    ur_seq *q = seq_of(t, first, lq), *k = seq_of(t, first + 1, lk), *v = seq_of(t, first + 2, lk);
    ur_attention_call call = {.causal = UR_CAUSAL};
    if (c->variant == 1)
        v = k;
    if (c->variant == 0)
        q = k = v;
    ur_seq *y = ur_multi_head_attention(t, c->layer, q, k, v, c->variant == 0 ? &call : NULL);
    return y ? weigh(t, y->values, 1) : NULL;
}

static void multi_head_layer(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        checked c = checked_new(1 + i % 3);
        ur_multi_head_layer layer;
        c.variant = i % 5;
        const size_t width = 8;
        const ur_multi_head_config config = {.embed_dim = width,
                                             .num_heads = c.variant == 3 ? 1 : 4,
                                             .kdim = c.variant >= 3 ? 5 : 0,
                                             .vdim = c.variant >= 3 ? 3 : 0,
                                             .qdim = c.variant == 4 ? 7 : 0,
                                             .no_bias = i >= 5,
                                             .dropout = i % 2 ? 0.3f : 0.0f};
        assert_int_equal(ur_multi_head_attention_add(c.params, "a", &config, &layer, NULL), UR_OK);
        c.layer = &layer;
        c.order = (ur_order)(i % 2);
        checked_input(&c, "q", QUERY_ROWS, c.variant == 4 ? 7 : width);
        checked_input(&c, "k", KEY_ROWS, c.variant >= 3 ? 5 : width);
        checked_input(&c, "v", KEY_ROWS, c.variant >= 3 ? 3 : width);
        checked_run(&c, "multi_head_attention", multi_head);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_variant),
        cmocka_unit_test(additive_layer),
        cmocka_unit_test(multi_head_layer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
