/* test_transformer.c - gradients of Transformers and their parts against differences. */
#include "double/check.h"
#include "unroll/transformer.h"

enum { BATCH = 4, ROWS = 9, KEYS = 8, D = 6 };
static const size_t lengths[BATCH] = {3, 0, 5, 1}, key_lengths[BATCH] = {2, 1, 5, 0};

/* ---- parts ----------------------------------------------------------------------------------- */

typedef struct parts {
    ur_linear_layer first, second;
    ur_layer_norm_layer norm;
    ur_embedding_layer embed;
    ur_positions_layer positions;
    int x, f;
} parts;

/* variant: the activation, and 4: with drop-out */
static ur_tensor *parts_loss(ur_tape *t, void *user)
{
    const checked *c = user;
    const parts *p = c->layer;
    static const int32_t ids[ROWS] = {0, 2, 2, 1, 3, 0, 1, 2, 3};
    static const int32_t target[ROWS] = {0, 5, UR_IGNORE, 1, 3, 0, 4, 2, 3};
    const float drop = c->variant & 4 ? 0.3f : 0.0f;
    const ur_layout *l = ur_new_layout(t, c->order, BATCH, lengths, NULL);
    const ur_seq *e = ur_embedding_at(t, &p->embed, 1.7f, &p->positions, 2, ur_seq_ints(t, l, ids));
    const ur_residual_out a = ur_residual(t, &p->norm, seq_of(t, p->x, l), e, drop);
    const ur_seq *f =
        ur_feed_forward(t, &p->first, (ur_activation)(c->variant & 3), drop, &p->second, a.norm);
    const ur_residual_out b = ur_residual(t, NULL, a.sum, f, drop);
    const ur_seq *same = ur_residual(t, &p->norm, b.sum, b.sum, drop).norm;
    if (!same)
        return NULL;
    ur_tensor *loss = ur_add(t, weigh(t, same->values, 1), weigh(t, b.sum->values, 2));
    return ur_add(t, loss,
                  ur_cross_entropy_smoothed(t, same, ur_seq_ints(t, l, target), 5.0, 0.2f));
}

static void parts_of_transformers(void **state)
{
    (void)state;
    for (int variant = 0; variant < 8; variant++) {
        checked c = checked_new(1 + variant % 2);
        const parts p = {.first = ur_linear_add(c.params, "first", D, 11, true),
                         .second = ur_linear_add(c.params, "second", 11, D, variant < 4),
                         .norm = ur_layer_norm_add(c.params, "norm", D, 0.1f, variant % 3, true),
                         .embed = ur_embedding_add(c.params, "embed", 4, D),
                         .positions = ur_positions_add(c.params, "positions", 8, D),
                         .x = checked_input(&c, "x", ROWS, D)};
        c.layer = &p;
        c.variant = variant;
        c.order = (ur_order)(variant / 2 % 2);
        checked_run(&c, "parts of Transformers", parts_loss);
    }
}

/* ---- stacks ---------------------------------------------------------------------------------- */

typedef struct stacks {
    ur_transformer model;
    int source, target;
} stacks;

static ur_tensor *model_loss(ur_tape *t, void *user)
{
    const checked *c = user;
    const stacks *s = c->layer;
    const ur_layout *lx = ur_new_layout(t, c->order, BATCH, lengths, NULL);
    const ur_layout *ls = ur_new_layout(t, UR_SEQUENCE_MAJOR, BATCH, key_lengths, NULL);
    const ur_seq *y =
        ur_transformer_forward(t, &s->model, seq_of(t, s->source, ls), seq_of(t, s->target, lx));
    return y ? weigh(t, y->values, 1) : NULL;
}

static void whole_models(void **state)
{
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        checked c = checked_new(1 + variant % 2);
        const ur_transformer_config config = {.d_model = D,
                                              .nhead = variant % 2 ? 3 : 2,
                                              .dim_feedforward = 7,
                                              .dropout = variant > 1 ? 0.2f : 0.0f,
                                              .activation =
                                                  variant % 2 ? UR_ACT_GELU : UR_ACT_GELU_TANH,
                                              .layer_norm_eps = 0.1f,
                                              .norm_first = variant % 2,
                                              .no_bias = variant == 3};
        stacks s;
        assert_int_equal(ur_transformer_add(c.params, "", &config, 2, 1, &s.model, NULL), UR_OK);
        s.source = checked_input(&c, "source", KEYS, D);
        s.target = checked_input(&c, "target", ROWS, D);
        c.layer = &s;
        c.order = (ur_order)(variant % 2);
        checked_run(&c, "Transformer", model_loss);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(parts_of_transformers),
                                       cmocka_unit_test(whole_models)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
