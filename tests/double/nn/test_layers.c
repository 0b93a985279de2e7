/* test_layers.c - gradients of the other layers against differences: attention and its halves,
 * linear, embedding, drop-out, cross-entropy. */
#include "double/check.h"

enum { BATCH = 5, WIDTH = 7, VALUE_WIDTH = 4 };

static const size_t key_length[BATCH] = {4, 1, 0, 6, 3}, query_length[BATCH] = {2, 3, 2, 1, 0};

/* ---- attention ---------------------------------------------------------------------------- */

static ur_tensor *attention(ur_tape *t, void *user)
{
    const checked *c = user;
    const ur_layout *lq = ur_new_layout(t, (ur_order)(c->variant & 1), BATCH, query_length, NULL);
    const ur_layout *lk = ur_new_layout(t, (ur_order)(c->variant >> 1), BATCH, key_length, NULL);
    ur_weights *w = NULL;
    ur_seq *y = ur_attention_dot(t, seq_of(t, 0, lq), seq_of(t, 1, lk), seq_of(t, 2, lk),
                                 c->variant % 2 ? &w : NULL);
    return y ? weigh(t, y->values, 1) : NULL;
}

static void attention_dot(void **state)
{
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        checked c = checked_new(1 + variant % 2);
        c.variant = variant;
        checked_input(&c, "q", 8, WIDTH);
        checked_input(&c, "k", 14, WIDTH);
        checked_input(&c, "v", 14, VALUE_WIDTH);
        checked_run(&c, "attention_dot", attention);
    }
}

/* Keys and values are one tensor, as in the encoder-decoder; and queries, too. */
static ur_tensor *attention_of_one(ur_tape *t, void *user)
{
    const checked *c = user;
    const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, BATCH, key_length, NULL);
    ur_seq *x = seq_of(t, 0, l);
    ur_seq *q =
        c->variant ? x : seq_of(t, 1, ur_new_layout(t, UR_STEP_MAJOR, BATCH, query_length, NULL));
    ur_seq *y = ur_attention_dot(t, q, x, x, NULL);
    return y ? weigh(t, y->values, 1) : NULL;
}

static void attention_to_itself(void **state)
{
    (void)state;
    for (int variant = 0; variant < 2; variant++) {
        checked c = checked_new(2);
        c.variant = variant;
        checked_input(&c, "x", 14, WIDTH);
        checked_input(&c, "q", 8, WIDTH);
        checked_run(&c, "attention of one tensor", attention_of_one);
    }
}

static ur_tensor *halves(ur_tape *t, void *user)
{
    const checked *c = user;
    const ur_layout *l = ur_new_layout(t, c->order, BATCH, key_length, NULL);
    ur_seq *hs = seq_of(t, 0, l);
    ur_seq *p = c->variant == 0 ? seq_of(t, 2, l) : ur_attention_weights(t, ur_parameter(t, 1), hs);
    if (!p)
        return NULL;
    if (c->variant == 1)
        return weigh(t, p->values, 1);
    ur_tensor *sum = ur_weighted_sum(t, hs, p);
    ur_tensor *loss = weigh(t, sum, 2);
    return c->variant == 3 ? ur_add(t, loss, weigh(t, p->values, 1)) : loss;
}

static void attention_halves(void **state)
{
    (void)state;
    for (int variant = 0; variant < 8; variant++) {
        checked c = checked_new(1 + variant % 2);
        char name[32];
        c.variant = variant % 4;
        c.order = (ur_order)(variant / 4);
        checked_input(&c, "hs", 14, WIDTH);
        checked_input(&c, "query", BATCH, WIDTH);
        checked_input(&c, "p", 14, 1);
        snprintf(name, sizeof name, "attention, half %d", variant);
        checked_run(&c, name, halves);
    }
}

/* ---- linear, embedding, drop-out ----------------------------------------------------------- */

static ur_tensor *linear(ur_tape *t, void *user)
{
    const checked *c = user;
    ur_tensor *y = ur_linear(t, c->layer, ur_parameter(t, c->variant));
    return weigh(t, y, 1);
}

static void linear_layer(void **state)
{
    (void)state;
    for (int bias = 0; bias < 2; bias++) {
        checked c = checked_new(1 + bias);
        const ur_linear_layer layer = ur_linear_add(c.params, "fc", 9, 21, bias);
        c.layer = &layer;
        c.variant = 1 + bias;
        checked_input(&c, "x", 11, 9);
        checked_run(&c, "linear", linear);
    }
}

static ur_tensor *lookup(ur_tape *t, void *user)
{
    const checked *c = user;
    static const int32_t ids[] = {2, 0, 2, 2, 5, 1, 0, 2, 4, 4, 0, 1, 5, 2};
    const ur_layout *l = ur_new_layout(t, c->order, BATCH, key_length, NULL);
    ur_seq *y = ur_embedding(t, c->layer, ur_seq_ints(t, l, ids));
    if (c->variant)
        y = ur_dropout(t, ur_dropout(t, y, 0.3f), 0.5f);
    return y ? weigh(t, ur_mul(t, y->values, y->values), 1) : NULL;
}

static void embedding_and_dropout(void **state)
{
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        checked c = checked_new(1 + variant % 2);
        const ur_embedding_layer layer = ur_embedding_add(c.params, "embed", 6, 5);
        c.layer = &layer;
        c.variant = variant / 2;
        c.order = (ur_order)(variant % 2);
        checked_run(&c, c.variant ? "embedding and drop-out" : "embedding", lookup);
    }
}

/* ---- cross-entropy ------------------------------------------------------------------------ */

static ur_tensor *cross_entropy(ur_tape *t, void *user)
{
    const checked *c = user;
    static const int32_t target[] = {2, 0, UR_IGNORE, 2, 5, 1, UR_IGNORE, 18, 4, 4, 0, 1, 5, 2};
    static const int32_t ignored[] = {UR_IGNORE, UR_IGNORE, UR_IGNORE, UR_IGNORE, UR_IGNORE,
                                      UR_IGNORE, UR_IGNORE, UR_IGNORE, UR_IGNORE, UR_IGNORE,
                                      UR_IGNORE, UR_IGNORE, UR_IGNORE, UR_IGNORE};
    const ur_layout *l = ur_new_layout(t, c->order, BATCH, key_length, NULL);
    ur_seq *x = seq_of(t, 0, l);
    if (x && x->values)
        x->values = ur_scale(t, x->values, 4.0f);
    ur_tensor *loss =
        ur_cross_entropy(t, x, ur_seq_ints(t, l, c->variant ? ignored : target), 12.0);
    return ur_scale(t, loss, 3.0f);
}

static void cross_entropy_loss(void **state)
{
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        checked c = checked_new(1 + variant % 2);
        c.variant = variant / 2;
        c.order = (ur_order)(variant % 2);
        checked_input(&c, "logits", 14, 19);
        checked_run(&c, "cross_entropy", cross_entropy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attention_dot),         cmocka_unit_test(attention_to_itself),
        cmocka_unit_test(attention_halves),      cmocka_unit_test(linear_layer),
        cmocka_unit_test(embedding_and_dropout), cmocka_unit_test(cross_entropy_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
