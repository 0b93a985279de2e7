/* test_operations.c - every elementary operation's gradient against differences. */
#include "double/check.h"

/* Row r of x, as a vector. */
static ur_tensor *row_of(ur_tape *t, ur_tensor *x, size_t r)
{
    ur_tensor *row = ur_transpose(t, ur_slice(t, ur_transpose(t, x), r, r + 1));
    return row ? ur_reshape(t, row, 1, row->dim + 1) : NULL;
}

static ur_tensor *elementary(ur_tape *t, void *user)
{
    const checked *c = user;
    ur_tensor *a = ur_parameter(t, 0), *b = ur_parameter(t, 1), *y = NULL;
    switch (c->variant) {
    case 0:
        y = ur_add(t, a, b);
        break;
    case 1:
        y = ur_sub(t, a, b);
        break;
    case 2:
        y = ur_mul(t, a, b);
        break;
    case 3:
        y = ur_scale(t, a, -1.75f);
        break;
    case 4:
        y = ur_sigmoid(t, ur_scale(t, a, 3.0f));
        break;
    case 5:
        y = ur_tanh(t, ur_scale(t, a, 3.0f));
        break;
    case 6:
        y = ur_softmax(t, ur_scale(t, a, 2.0f));
        break;
    case 7:
        y = ur_sum(t, ur_mul(t, a, a));
        break;
    case 8:
        y = ur_matmul_t(t, a, b);
        break;
    case 9:
        y = ur_concat(t, a, b);
        break;
    case 10:
        y = ur_slice(t, ur_mul(t, a, b), 3, 11);
        break;
    case 11:
        y = ur_add(t, a, a);
        break; /* one tensor twice */
    case 12:
        y = ur_mul(t, a, a);
        break;
    case 13:
        y = ur_sub(t, a, ur_scale(t, a, 0.5f));
        break;
    case 14:
        y = ur_matmul_t(t, a, a);
        break;
    case 15:
        y = ur_concat(t, a, a);
        break;
    case 16:
        y = ur_slice(t, a, 4, 4); /* nothing */
        y = ur_concat(t, a, y);
        break;
    case 17:
        y = ur_div(t, a,
                   ur_add(t, ur_mul(t, b, b),
                          ur_expand(t, ur_mean(t, ur_mul(t, a, a)), 2, (size_t[]){7, 19})));
        break;
    case 18:
        y = ur_div(t, a, ur_exp(t, a));
        break;
    case 19:
        y = ur_log(t, ur_add(t, ur_mul(t, a, a), ur_exp(t, b)));
        break;
    case 20:
        y = ur_relu(t, ur_mul(t, a, b));
        break;
    case 21:
        y = ur_gelu(t, ur_scale(t, a, 3.0f));
        break;
    case 22:
        y = ur_gelu_tanh(t, ur_scale(t, a, 3.0f));
        break;
    case 23:
        y = ur_reshape(t, ur_transpose(t, a), 2, (size_t[]){7, 19});
        y = ur_mul(t, y, b);
        break;
    case 24:
        y = ur_mul(
            t, a,
            ur_expand_rows(
                t, ur_reshape(t, ur_slice(t, ur_transpose(t, b), 2, 3), 1, (size_t[]){19}), 7));
        break;
    case 25:
        y = ur_layer_norm(t, ur_mul(t, a, b), NULL, NULL, 1e-5f);
        break;
    case 26:
        y = ur_layer_norm(t, a, row_of(t, b, 1), row_of(t, b, 4), 0.25f);
        break;
    default:
        fail();
    }
    return ur_add(t, weigh(t, y, 1), ur_scale(t, weigh(t, a, 2), 0.1f));
}

static void elementary_operations(void **state)
{
    (void)state;
    for (int variant = 0; variant <= 26; variant++) {
        char name[32];
        checked c = checked_new(1 + variant % 2);
        c.variant = variant;
        checked_input(&c, "a", 7, 19);
        checked_input(&c, "b", 7, 19);
        snprintf(name, sizeof name, "elementary %d", variant);
        checked_run(&c, name, elementary);
    }
}

/* Products of other shapes: deeper than a chain, wider than a panel, one row, one column. */
static ur_tensor *product(ur_tape *t, void *user)
{
    (void)user;
    return weigh(t, ur_matmul_t(t, ur_parameter(t, 0), ur_parameter(t, 1)), 3);
}

static void products(void **state)
{
    (void)state;
    static const size_t shapes[][3] = {{1, 1, 1}, {1, 530, 1}, {3, 2, 67}, {35, 5, 1}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        checked c = checked_new(2);
        checked_input(&c, "x", shapes[i][0], shapes[i][1]);
        checked_input(&c, "w", shapes[i][2], shapes[i][1]);
        checked_run(&c, "product", product);
    }
}

/* Operations on ragged batches: order and back, repetition, concatenation, padding. */
static ur_tensor *ragged(ur_tape *t, void *user)
{
    const checked *c = user;
    const ur_layout *l = ur_new_layout(t, c->order, c->batch, c->length, NULL);
    ur_seq *x = seq_of(t, 0, l);
    ur_seq *repeated = ur_repeat(t, ur_parameter(t, 1), l);
    ur_seq *both = ur_concat_seq(t, x, repeated);
    const ur_order other = c->order == UR_STEP_MAJOR ? UR_SEQUENCE_MAJOR : UR_STEP_MAJOR;
    ur_seq *turned = ur_reorder(t, both, other);
    ur_tensor *pad = ur_to_padded(t, x, 7, 0.25, c->order == UR_STEP_MAJOR);
    ur_seq *back = ur_from_padded(t, l, pad, c->order == UR_STEP_MAJOR);
    ur_tensor *loss = turned ? weigh(t, ur_mul(t, turned->values, turned->values), 4) : NULL;
    if (!loss || !back)
        return NULL;
    loss = ur_add(t, loss, ur_add(t, weigh(t, pad, 6), weigh(t, back->values, 7)));
    loss = ur_add(t, loss, weigh(t, ur_step_of(t, x, 2), 8));
    return ur_add(t, loss, weigh(t, both->values, 5));
}

static void ragged_operations(void **state)
{
    (void)state;
    static const size_t length[] = {3, 0, 5, 1, 5};
    for (int order = 0; order < 2; order++) {
        checked c = checked_new(1);
        c.order = (ur_order)order;
        c.length = length;
        c.batch = 5;
        checked_input(&c, "x", 14, 6);
        checked_input(&c, "per sequence", 5, 3);
        checked_run(&c, "ragged", ragged);
    }
}

/* Steps taken apart and put together: rows out of the middle, twice, none and all; the first of each
 * block of states, none and all; one below the other, one tensor twice and an empty one. */
static ur_tensor *steps(ur_tape *t, void *user)
{
    (void)user;
    ur_tensor *a = ur_parameter(t, 0), *b = ur_parameter(t, 1);
    ur_tensor *middle = ur_rows_from(t, a, 2, 3), *none = ur_rows_from(t, a, 7, 0);
    ur_tensor *all = ur_rows_from(t, ur_mul(t, a, b), 0, 7);
    ur_tensor *joined = ur_join_rows(t, 5, (ur_tensor *[]){middle, b, none, middle, all});
    ur_tensor *states = ur_stack(t, 3, (ur_tensor *[]){a, b, ur_mul(t, a, a)});
    ur_tensor *loss = joined ? weigh(t, ur_mul(t, joined, joined), 3) : NULL;
    const size_t rows[] = {4, 0, 7};
    for (size_t i = 0; loss && i < 3; i++) {
        ur_tensor *first = ur_first_of_each(t, states, rows[i]);
        loss = first ? ur_add(t, loss, weigh(t, ur_mul(t, first, first), 4 + i)) : NULL;
    }
    return loss;
}

static void steps_of_batches(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        checked c = checked_new(threads);
        checked_input(&c, "a", 7, 5);
        checked_input(&c, "b", 7, 5);
        checked_run(&c, "steps", steps);
    }
}

/* The check itself must see a wrong gradient. */
static void wrong_back(ur_tape *tape, ur_node *node)
{
    (void)tape;
    (void)node;
}

static ur_tensor *wrong(ur_tape *t, void *user)
{
    (void)user;
    static const ur_op op = {"wrong", wrong_back, false};
    ur_tensor *y = ur_sum(t, ur_parameter(t, 0));
    if (y && t->last)
        t->last->op = &op;
    return y;
}

static void a_wrong_gradient_is_seen(void **state)
{
    (void)state;
    checked c = checked_new(1);
    double worst;
    checked_input(&c, "x", 3, 0);
    assert_int_equal(ur_params_seal(c.params, NULL), UR_OK);
    assert_int_equal(ur_gradient_check(c.tape, c.params, wrong, &c, 0, &worst, NULL), UR_OK);
    assert_true(worst > 0.9);
    ur_tape_free(c.tape);
    ur_params_free(c.params);
    ur_context_free(c.context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elementary_operations),    cmocka_unit_test(products),
        cmocka_unit_test(ragged_operations),        cmocka_unit_test(steps_of_batches),
        cmocka_unit_test(a_wrong_gradient_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
