/* test_same_bits.c - every instruction set with 1, 2 and 3 threads against plain C with one, byte
 * for byte: outputs and gradients of all operations with arithmetic, over shapes with tails. */
#include "backend/context.h"
#include "base/pool.h"
#include "support/contexts.h"
#include "unroll/nn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

typedef struct shape {
    size_t batch, input, hidden, symbols, longest;
} shape;

static const shape shapes[] = {
    {1, 1, 1, 2, 1},      {1, 3, 5, 4, 9},     {3, 16, 16, 16, 6},
    {7, 5, 17, 11, 13},   {33, 16, 48, 30, 5}, {5, 31, 33, 70, 12},
    {2, 530, 30, 600, 2}, {1, 3, 528, 5, 3},   {9, 16, 64, 59, 6},
};

enum { BUFFERS = 16 };

/* What a computation leaves: copies, in the order they were kept. */
typedef struct kept {
    float *data[BUFFERS];
    size_t size[BUFFERS];
    const char *what[BUFFERS];
    int count;
} kept;

static void keep(kept *k, const char *what, const float *x, size_t n)
{
    assert_true(k->count < BUFFERS);
    assert_non_null(x);
    k->data[k->count] = malloc((n + 1) * sizeof *x);
    memcpy(k->data[k->count], x, n * sizeof *x);
    k->size[k->count] = n;
    k->what[k->count++] = what;
}

static void keep_tensor(kept *k, const char *what, const ur_tensor *x, bool gradient)
{
    keep(k, what, gradient ? x->grad : ur_floats(x), ur_count(x));
}

static void kept_free(kept *k)
{
    while (k->count)
        free(k->data[--k->count]);
}

static void same_kept(const kept *a, const kept *b, const char *who)
{
    assert_int_equal(a->count, b->count);
    for (int i = 0; i < a->count; i++)
        same_floats(a->what[i], who, a->data[i], b->data[i], a->size[i]);
}

/* Embedding, drop-out, LSTM, attention, concatenation, linear, cross-entropy; and the elementary
 * operations on what comes out. */
static kept compute(ur_context *context, const shape *s, ur_order order)
{
    kept k = {.count = 0};
    ur_params *params;
    assert_int_equal(ur_params_new(context, &params, NULL), UR_OK);
    const ur_embedding_layer embed = ur_embedding_add(params, "embed", s->symbols, s->input);
    const ur_lstm_layer lstm = ur_lstm_add(params, "lstm", s->input, s->hidden);
    const ur_lstm_layer second = ur_lstm_add(params, "second", s->input, s->hidden);
    const ur_linear_layer fc = ur_linear_add(params, "fc", 2 * s->hidden, s->symbols, true);
    assert_int_equal(ur_params_seal(params, NULL), UR_OK);
    ur_embedding_init(&embed, params, 1);
    ur_lstm_init(&lstm, params, 2);
    ur_lstm_init(&second, params, 3);
    ur_linear_init(&fc, params, 4);
    ur_params_changed(params);
    keep(&k, "initial weights", ur_params_values(params), ur_params_size(params));
    float *gradient = calloc(ur_params_size(params), sizeof *gradient);
    ur_tape *t = tape_of(context);
    ur_tape_start(t, UR_TRAIN, params, gradient, 8, 9);

    size_t *length = malloc(s->batch * sizeof *length), rows = 0;
    for (size_t b = 0; b < s->batch; b++) {
        length[b] = b == 0 ? s->longest : b == 3 ? 0 : 1 + b * 5 % s->longest;
        rows += length[b];
    }
    int32_t *ids = malloc((rows + 1) * sizeof *ids);
    for (size_t r = 0; r < rows; r++)
        ids[r] = (int32_t)(r * 7 % s->symbols);
    const ur_layout *l = ur_new_layout(t, order, s->batch, length, NULL);
    const ur_seq *in = ur_seq_ints(t, l, ids);
    ur_seq *x = ur_dropout(t, ur_embedding(t, &embed, in), 0.25f);
    const ur_lstm_out first = ur_lstm(t, &lstm, x, (ur_state){0});
    const ur_lstm_out out =
        ur_lstm_embedded(t, &second, &embed, in, (ur_state){first.h_n, first.c_n});
    ur_weights *w;
    ur_seq *c = ur_attention_dot(t, out.y, first.y, first.y, &w);
    ur_seq *logits = ur_linear_seq(t, &fc, ur_concat_seq(t, c, out.y));
    ur_tensor *loss = ur_cross_entropy(t, logits, in, (double)rows);
    ur_tensor *more = ur_softmax(t, ur_tanh(t, ur_sigmoid(t, out.c_n)));
    more = ur_matmul_t(t, more, ur_sub(t, out.h_n, ur_scale(t, out.c_n, 0.3f)));
    loss = ur_add(t, loss, ur_sum(t, ur_mul(t, more, more)));
    ur_backward(t, loss);
    tape_fine(t);
    keep_tensor(&k, "drop-out", x->values, false);
    keep_tensor(&k, "y of the first", first.y->values, false);
    keep_tensor(&k, "y of the second", out.y->values, false);
    keep_tensor(&k, "c_n", out.c_n, false);
    keep(&k, "attention weights", w->p, length[0] * length[0]);
    keep_tensor(&k, "context", c->values, false);
    keep_tensor(&k, "logits", logits->values, false);
    keep_tensor(&k, "product", more, false);
    keep_tensor(&k, "loss", loss, false);
    keep_tensor(&k, "d logits", logits->values, true);
    keep_tensor(&k, "d y of the first", first.y->values, true);
    keep_tensor(&k, "dx", x->values, true);
    keep_tensor(&k, "dh_n", first.h_n, true);
    keep(&k, "gradient", gradient, ur_params_size(params));
    free(length);
    free(ids);
    free(gradient);
    ur_tape_free(t);
    ur_params_free(params);
    return k;
}

static void same_bits(void **state)
{
    (void)state;
    contexts all = contexts_new();
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const ur_order order = i % 2 ? UR_SEQUENCE_MAJOR : UR_STEP_MAJOR;
        kept reference = compute(all.at[0], &shapes[i], order);
        for (int c = 1; c < all.count; c++) {
            kept other = compute(all.at[c], &shapes[i], order);
            same_kept(&reference, &other, all.name[c]);
            kept_free(&other);
        }
        kept_free(&reference);
    }
    contexts_free(&all);
}

/* The worker is left out of two operations and takes part in two: from four beginnings each operation has had
 * it and has not, and so has the one before and the one after. */
static void members_come_and_go(void **state)
{
    (void)state;
    ur_context *alone = context_of(NULL, 1, NULL), *two = context_of(NULL, 2, NULL);
    ur_team_take_turns(ur_pool_team(two->pool));
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        kept reference = compute(alone, &shapes[i], UR_STEP_MAJOR);
        for (uint32_t turn = 0; turn < 4; turn++) {
            two->pool->turn = turn;
            kept other = compute(two, &shapes[i], UR_STEP_MAJOR);
            same_kept(&reference, &other, "members come and go");
            kept_free(&other);
        }
        kept_free(&reference);
    }
    ur_context_free(alone);
    ur_context_free(two);
}

/* A product of a model that no cache holds, whose panels the members take as they come. */
static void large_product(void **state)
{
    enum { ROWS = 16, IN = 2048, OUT = 2101 };
    float *want = NULL;
    (void)state;
    for (int threads = 1; threads <= 3; threads++) {
        ur_context *context = context_of(NULL, threads, NULL);
        ur_params *params;
        assert_int_equal(ur_params_new(context, &params, NULL), UR_OK);
        const ur_linear_layer layer = ur_linear_add(params, "large", IN, OUT, true);
        assert_int_equal(ur_params_seal(params, NULL), UR_OK);
        ur_linear_init(&layer, params, 3);
        ur_tape *t = tape_of(context);
        float *x = made_up_floats(4, (size_t)ROWS * IN, 1.0f);
        ur_tape_start(t, UR_INFER, params, NULL, 0, 0);
        const ur_tensor *y =
            ur_linear(t, &layer, ur_copy_floats(t, 2, (size_t[]){ROWS, IN}, x, false));
        tape_fine(t);
        if (!want) {
            want = malloc((size_t)ROWS * OUT * sizeof *want);
            memcpy(want, ur_floats(y), (size_t)ROWS * OUT * sizeof *want);
        }
        same_floats("y", "large", want, ur_floats(y), (size_t)ROWS * OUT);
        free(x);
        ur_tape_free(t);
        ur_params_free(params);
        ur_context_free(context);
    }
    free(want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_bits),
                                       cmocka_unit_test(members_come_and_go),
                                       cmocka_unit_test(large_product)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
