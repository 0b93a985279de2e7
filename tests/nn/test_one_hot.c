/* test_one_hot.c - one-hot rows given by their ids against the same rows written out: the same bytes
 * forward, and backward too where every column is in the table; and on every machine. */
#include "support/contexts.h"
#include "unroll/nn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { BATCH = 5, HIDDEN = 19, MOST_SYMBOLS = 60 };

static const char *const cells[] = {"rnn_tanh",     "gru",           "lstm",
                                    "gru_original", "lstm_peephole", "lstm_layer_norm"};
enum { CELLS = sizeof cells / sizeof *cells };
static const size_t length[BATCH] = {4, 9, 0, 1, 6};
enum { ROWS = 20 };

typedef struct subject {
    ur_context *context;
    ur_params *params;
    ur_rnn_stack stack;
    ur_embedding_layer identity; /* not trained, at the vector's end */
    size_t symbols;
} subject;

static subject subject_new(ur_context *context, const char *cell, size_t symbols, bool both)
{
    subject s = {.context = context, .symbols = symbols};
    const ur_rnn_config config = {.cell = cell,
                                  .input_size = symbols,
                                  .hidden_size = HIDDEN,
                                  .num_layers = 2,
                                  .bidirectional = both,
                                  .dropout = 0.25f};
    ur_err err;
    assert_int_equal(ur_params_new(context, &s.params, NULL), UR_OK);
    if (ur_rnn_add(s.params, "", &config, &s.stack, &err) != UR_OK)
        fail_msg("%s", err.text);
    s.identity = ur_embedding_add(s.params, "identity", symbols, symbols);
    assert_int_equal(ur_params_seal(s.params, NULL), UR_OK);
    ur_rnn_init(&s.stack, s.params, 3);
    float *one = ur_param_values(s.params, s.identity.weight);
    for (size_t i = 0; i < symbols; i++)
        one[i * symbols + i] = 1.0f;
    ur_params_changed(s.params);
    return s;
}

/* All that comes out of a pass: y, h_n, the gradient up to the identity. */
typedef struct result {
    float *y, *h_n, *gradient;
    size_t y_count, h_count, gradient_count;
} result;

static float *copy_of(const float *x, size_t n)
{
    float *copy = malloc(n * sizeof *copy);
    memcpy(copy, x, n * sizeof *copy);
    return copy;
}

static result run(const subject *s, bool one_hot)
{
    result r = {0};
    ur_tape *t = tape_of(s->context);
    int32_t ids[ROWS];
    for (size_t i = 0; i < ROWS; i++)
        ids[i] = (int32_t)(i * i * 7 % s->symbols);
    float *gradient = calloc(ur_params_size(s->params), sizeof *gradient);
    ur_tape_start(t, UR_TRAIN, s->params, gradient, 1, 2);
    const ur_layout *l = ur_new_layout(t, UR_SEQUENCE_MAJOR, BATCH, length, NULL);
    const ur_seq *x = ur_seq_ints(t, l, ids);
    const ur_rnn_out out = one_hot ? ur_rnn_one_hot(t, &s->stack, x, (ur_state){0})
                                   : ur_rnn_embedded(t, &s->stack, &s->identity, x, (ur_state){0});
    tape_fine(t);
    r.y_count = ur_count(out.y->values);
    r.h_count = ur_count(out.h_n);
    float *wy = made_up_floats(4, r.y_count, 1.0f), *wh = made_up_floats(5, r.h_count, 1.0f);
    ur_tensor *y = out.y->values;
    ur_tensor *loss = ur_sum(t, ur_mul(t, y, ur_copy_floats(t, y->ndim, y->dim, wy, false)));
    loss = ur_add(t, loss,
                  ur_sum(t, ur_mul(t, out.h_n, ur_copy_floats(t, 3, out.h_n->dim, wh, false))));
    assert_int_equal(ur_backward(t, loss), UR_OK);
    r.y = copy_of(ur_floats(y), r.y_count);
    r.h_n = copy_of(ur_floats(out.h_n), r.h_count);
    r.gradient_count = ur_params_entry(s->params, (size_t)s->identity.weight)->offset;
    r.gradient = copy_of(gradient, r.gradient_count);
    free(wy);
    free(wh);
    free(gradient);
    ur_tape_free(t);
    return r;
}

static void result_free(result *r)
{
    free(r->y);
    free(r->h_n);
    free(r->gradient);
}

static void same(const result *a, const result *b, const char *who, bool to_the_byte)
{
    same_floats("y", who, a->y, b->y, a->y_count);
    same_floats("h_n", who, a->h_n, b->h_n, a->h_count);
    if (to_the_byte)
        same_floats("gradient", who, a->gradient, b->gradient, a->gradient_count);
    else
        near_floats("gradient", a->gradient, b->gradient, a->gradient_count, 1e-5);
}

/* 6 symbols: every one has its row of the table. 60, of which 20 rows: those that occur have. */
static void as_written_out(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    for (int i = 0; i < 4 * CELLS; i++) {
        const size_t symbols = i & 1 ? MOST_SYMBOLS : 6;
        subject s = subject_new(context, cells[i / 4], symbols, i & 2);
        result written = run(&s, false), given = run(&s, true);
        same(&written, &given, cells[i / 4], symbols == 6);
        float moved = 0.0f;
        for (size_t w = 0; w < given.gradient_count; w++)
            moved += given.gradient[w] * given.gradient[w];
        assert_true(moved > 0.01f);
        result_free(&written);
        result_free(&given);
        ur_params_free(s.params);
    }
    ur_context_free(context);
}

static void same_on_every_machine(void **state)
{
    (void)state;
    contexts all = contexts_new();
    for (int i = 0; i < 2 * CELLS; i++) {
        result first = {0};
        for (int c = 0; c < all.count; c++) {
            subject s = subject_new(all.at[c], cells[i / 2], i % 2 ? MOST_SYMBOLS : 6, true);
            result r = run(&s, true);
            ur_params_free(s.params);
            if (c == 0) {
                first = r;
                continue;
            }
            same(&first, &r, all.name[c], true);
            result_free(&r);
        }
        result_free(&first);
    }
    contexts_free(&all);
}

static void refused(void **state)
{
    (void)state;
    ur_context *context = context_of("plain", 1, NULL);
    subject s = subject_new(context, "lstm", 6, false);
    ur_tape *t = tape_of(context);
    for (int i = 0; i < 2; i++) {
        const int32_t ids[ROWS] = {[ROWS - 1] = i ? 6 : -1};
        ur_tape_start(t, UR_INFER, s.params, NULL, 0, 0);
        const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, BATCH, length, NULL);
        assert_null(ur_rnn_one_hot(t, &s.stack, ur_seq_ints(t, l, ids), (ur_state){0}).y);
        tape_failed(t, UR_INVALID, "is not in [0, 6)");
    }
    ur_tape_free(t);
    ur_params_free(s.params);
    ur_context_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_written_out),
                                       cmocka_unit_test(same_on_every_machine),
                                       cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
