/* test_lstm.c - the LSTM as one operation against what it must equal, byte for byte: sequences one
 * by one, single steps, the other order of rows, inference, embedded ids; and, within rounding, a
 * cell put together from elementary operations. */
#include "support/contexts.h"
#include "tape/tape.h"
#include "unroll/nn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { BATCH = 6, INPUT = 7, HIDDEN = 19, ROWS = 27, SYMBOLS = 9, GATES = 4 * HIDDEN };

static const size_t ragged[BATCH] = {5, 0, 9, 1, 9, 3};

typedef struct fixture {
    ur_context *context;
    ur_params *params;
    ur_lstm_layer layer;
    ur_embedding_layer embed;
    ur_tape *tape, *other;
    float *gradient, *other_gradient, *x, *h0, *c0, *wy, *wh, *wc;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->context = context_of(NULL, 2, NULL);
    assert_int_equal(ur_params_new(f->context, &f->params, NULL), UR_OK);
    f->layer = ur_lstm_add(f->params, "lstm", INPUT, HIDDEN);
    f->embed = ur_embedding_add(f->params, "embed", SYMBOLS, INPUT);
    assert_int_equal(ur_params_seal(f->params, NULL), UR_OK);
    ur_lstm_init(&f->layer, f->params, 3);
    ur_embedding_init(&f->embed, f->params, 3);
    ur_params_changed(f->params);
    f->tape = tape_of(f->context);
    f->other = tape_of(f->context);
    f->gradient = calloc(ur_params_size(f->params), sizeof(float));
    f->other_gradient = calloc(ur_params_size(f->params), sizeof(float));
    f->x = made_up_floats(1, ROWS * INPUT, 2.0f);
    f->h0 = made_up_floats(2, BATCH * HIDDEN, 1.0f);
    f->c0 = made_up_floats(3, BATCH * HIDDEN, 1.0f);
    f->wy = made_up_floats(4, ROWS * HIDDEN, 1.0f);
    f->wh = made_up_floats(5, BATCH * HIDDEN, 1.0f);
    f->wc = made_up_floats(6, BATCH * HIDDEN, 1.0f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    float *const all[] = {f->gradient, f->other_gradient, f->x, f->h0, f->c0, f->wy, f->wh, f->wc};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    ur_tape_free(f->tape);
    ur_tape_free(f->other);
    ur_params_free(f->params);
    ur_context_free(f->context);
    free(f);
    return 0;
}

/* A forward and backward of some of the batch's sequences, all inputs asking for gradients. */
typedef struct pass {
    const ur_layout *layout;
    ur_seq *x;
    ur_state s;
    ur_lstm_out out;
} pass;

static ur_tensor *weigh(ur_tape *t, ur_tensor *y, ur_tensor *w)
{
    return ur_sum(t, ur_mul(t, y, w));
}

static pass run(fixture *f, ur_tape *t, float *gradient, ur_order order, size_t first, size_t batch)
{
    pass p;
    size_t row = 0;
    const size_t dim[] = {batch, HIDDEN}, at = first * HIDDEN;
    for (size_t b = 0; b < first; b++)
        row += ragged[b];
    ur_tape_start(t, UR_TRAIN, f->params, gradient, 0, 0);
    p.layout = ur_new_layout(t, order, batch, ragged + first, NULL);
    p.x = ur_seq_floats(t, p.layout, INPUT, f->x + row * INPUT, true);
    p.s = (ur_state){ur_copy_floats(t, 2, dim, f->h0 + at, true),
                     ur_copy_floats(t, 2, dim, f->c0 + at, true)};
    p.out = ur_lstm(t, &f->layer, p.x, p.s);
    const ur_seq *wy = ur_seq_floats(t, p.layout, HIDDEN, f->wy + row * HIDDEN, false);
    ur_tensor *loss = weigh(t, p.out.y->values, wy->values);
    loss = ur_add(t, loss, weigh(t, p.out.h_n, ur_copy_floats(t, 2, dim, f->wh + at, false)));
    loss = ur_add(t, loss, weigh(t, p.out.c_n, ur_copy_floats(t, 2, dim, f->wc + at, false)));
    ur_backward(t, loss);
    tape_fine(t);
    return p;
}

/* Sequence b of one pass against sequence b2 of another: everything that belongs to it alone. */
static void same_sequence(const pass *p, size_t b, const pass *q, size_t b2, const char *who)
{
    for (size_t s = 0; s < p->layout->length[b]; s++) {
        const size_t r = ur_row(p->layout, b, s), r2 = ur_row(q->layout, b2, s);
        same_floats("y", who, ur_floats(p->out.y->values) + r * HIDDEN,
                    ur_floats(q->out.y->values) + r2 * HIDDEN, HIDDEN);
        same_floats("dx", who, p->x->values->grad + r * INPUT, q->x->values->grad + r2 * INPUT,
                    INPUT);
    }
    const size_t at = b * HIDDEN, at2 = b2 * HIDDEN;
    same_floats("h_n", who, ur_floats(p->out.h_n) + at, ur_floats(q->out.h_n) + at2, HIDDEN);
    same_floats("c_n", who, ur_floats(p->out.c_n) + at, ur_floats(q->out.c_n) + at2, HIDDEN);
    same_floats("dh0", who, p->s.h->grad + at, q->s.h->grad + at2, HIDDEN);
    same_floats("dc0", who, p->s.c->grad + at, q->s.c->grad + at2, HIDDEN);
}

static void ragged_is_one_by_one(void **state)
{
    fixture *f = *state;
    for (int order = 0; order < 2; order++) {
        memset(f->gradient, 0, ur_params_size(f->params) * sizeof(float));
        memset(f->other_gradient, 0, ur_params_size(f->params) * sizeof(float));
        const pass whole = run(f, f->tape, f->gradient, (ur_order)order, 0, BATCH);
        for (size_t b = 0; b < BATCH; b++) {
            const pass alone = run(f, f->other, f->other_gradient, UR_STEP_MAJOR, b, 1);
            same_sequence(&whole, b, &alone, 0, "one by one");
        }
        near_floats("gradients", f->gradient, f->other_gradient, ur_params_size(f->params), 1e-5);
    }
}

static void empty_sequences_pass_their_state_through(void **state)
{
    fixture *f = *state;
    const pass p = run(f, f->tape, f->gradient, UR_STEP_MAJOR, 0, BATCH);
    const size_t at = 1 * HIDDEN;
    same_floats("h_n", "empty", f->h0 + at, ur_floats(p.out.h_n) + at, HIDDEN);
    same_floats("c_n", "empty", f->c0 + at, ur_floats(p.out.c_n) + at, HIDDEN);
    same_floats("dh0", "empty", f->wh + at, p.s.h->grad + at, HIDDEN);
    same_floats("dc0", "empty", f->wc + at, p.s.c->grad + at, HIDDEN);
}

static void both_orders_agree(void **state)
{
    fixture *f = *state;
    const pass p = run(f, f->tape, f->gradient, UR_STEP_MAJOR, 0, BATCH);
    const pass q = run(f, f->other, f->other_gradient, UR_SEQUENCE_MAJOR, 0, BATCH);
    assert_int_equal(q.out.y->layout->order, UR_SEQUENCE_MAJOR);
    for (size_t b = 0; b < BATCH; b++)
        same_sequence(&p, b, &q, b, "the other order");
    same_floats("gradients", "the other order", f->gradient, f->other_gradient,
                ur_params_size(f->params));
}

/* Long enough for several chunks of the input product, which only inference has. */
static void inference_and_steps_compute_the_same(void **state)
{
    fixture *f = *state;
    enum { B = 40, T = 50 };
    size_t length[B];
    float *x = made_up_floats(9, B * T * INPUT, 2.0f);
    for (size_t b = 0; b < B; b++)
        length[b] = T;
    ur_tape_start(f->tape, UR_TRAIN, f->params, f->gradient, 0, 0);
    const ur_layout *l = ur_new_layout(f->tape, UR_STEP_MAJOR, B, length, NULL);
    const ur_lstm_out trained =
        ur_lstm(f->tape, &f->layer, ur_seq_floats(f->tape, l, INPUT, x, false), (ur_state){0});
    tape_fine(f->tape);
    for (int i = 0; i < 2; i++) { /* once inferring, once recording */
        const ur_mode mode = i ? UR_TRAIN : UR_INFER;
        ur_tape_start(f->other, mode, f->params, i ? f->other_gradient : NULL, 0, 0);
        l = ur_new_layout(f->other, UR_STEP_MAJOR, B, length, NULL);
        ur_seq *all = ur_seq_floats(f->other, l, INPUT, x, false);
        const ur_lstm_out out = ur_lstm(f->other, &f->layer, all, (ur_state){0});
        tape_fine(f->other);
        same_floats("y", "inference", ur_floats(trained.y->values), ur_floats(out.y->values),
                    B * T * HIDDEN);
        same_floats("c_n", "inference", ur_floats(trained.c_n), ur_floats(out.c_n), B * HIDDEN);
        ur_state s = {0};
        for (size_t t = 0; t < T; t++) {
            s = ur_lstm_step(f->other, &f->layer,
                             ur_copy_floats(f->other, 2, (size_t[]){B, INPUT},
                                            ur_floats(all->values) + t * B * INPUT, false),
                             s);
            tape_fine(f->other);
            same_floats("h", "step by step", ur_floats(out.y->values) + t * B * HIDDEN,
                        ur_floats(s.h), B * HIDDEN);
        }
        same_floats("c", "step by step", ur_floats(out.c_n), ur_floats(s.c), B * HIDDEN);
    }
    free(x);
}

static void embedded_ids(void **state)
{
    fixture *f = *state;
    int32_t ids[ROWS];
    for (size_t i = 0; i < ROWS; i++)
        ids[i] = (int32_t)(i * i % (SYMBOLS - 1)); /* the last one never */
    for (int order = 0; order < 2; order++) {
        ur_seq *y[2];
        ur_tensor *dh0[2];
        for (int i = 0; i < 2; i++) {
            ur_tape *t = i ? f->other : f->tape;
            float *gradient = i ? f->other_gradient : f->gradient;
            memset(gradient, 0, ur_params_size(f->params) * sizeof(float));
            ur_tape_start(t, UR_TRAIN, f->params, gradient, 0, 0);
            const ur_layout *l = ur_new_layout(t, (ur_order)order, BATCH, ragged, NULL);
            const ur_seq *in = ur_seq_ints(t, l, ids);
            dh0[i] = ur_copy_floats(t, 2, (size_t[]){BATCH, HIDDEN}, f->h0, true);
            const ur_state s = {dh0[i], NULL};
            const ur_lstm_out out = i ? ur_lstm_embedded(t, &f->layer, &f->embed, in, s)
                                      : ur_lstm(t, &f->layer, ur_embedding(t, &f->embed, in), s);
            y[i] = out.y;
            const ur_seq *wy = ur_seq_floats(t, l, HIDDEN, f->wy, false);
            ur_backward(t, weigh(t, out.y->values, wy->values));
            tape_fine(t);
        }
        same_floats("y", "embedded", ur_floats(y[0]->values), ur_floats(y[1]->values),
                    ROWS * HIDDEN);
        same_floats("dh0", "embedded", dh0[0]->grad, dh0[1]->grad, BATCH * HIDDEN);
        near_floats("gradients", f->gradient, f->other_gradient, ur_params_size(f->params), 1e-5);
    }
}

/* ---- a cell of elementary operations ------------------------------------------------------- */

/* Bias (4H) for every one of B rows. */
static ur_tensor *bias(ur_tape *t, int index, size_t batch)
{
    ur_tensor *b = ur_parameter(t, index);
    *b = (ur_tensor){.dtype = UR_F32,
                     .ndim = 2,
                     .dim = {1, GATES},
                     .data = b->data,
                     .grad = b->grad,
                     .needs_grad = b->needs_grad};
    return ur_repeat(t, b, ur_new_layout(t, UR_SEQUENCE_MAJOR, 1, &batch, NULL))->values;
}

static ur_state cell(ur_tape *t, const ur_lstm_layer *l, ur_tensor *x, ur_state s)
{
    const size_t h = l->hidden_size, batch = x->dim[0];
    ur_tensor *a =
        ur_add(t, ur_matmul_t(t, x, ur_parameter(t, l->weight_ih)), bias(t, l->bias_ih, batch));
    a = ur_add(t, a, ur_matmul_t(t, s.h, ur_parameter(t, l->weight_hh)));
    a = ur_add(t, a, bias(t, l->bias_hh, batch));
    ur_tensor *i = ur_sigmoid(t, ur_slice(t, a, 0, h));
    ur_tensor *f = ur_sigmoid(t, ur_slice(t, a, h, 2 * h));
    ur_tensor *g = ur_tanh(t, ur_slice(t, a, 2 * h, 3 * h));
    ur_tensor *o = ur_sigmoid(t, ur_slice(t, a, 3 * h, 4 * h));
    ur_tensor *c = ur_add(t, ur_mul(t, f, s.c), ur_mul(t, i, g));
    return (ur_state){ur_mul(t, o, ur_tanh(t, c)), c};
}

static void composed_of_elementary_operations(void **state)
{
    fixture *f = *state;
    enum { T = 9, SEQUENCE = 2 }; /* sequence 2 has 9 steps, from row 5 */
    const pass whole = run(f, f->tape, f->gradient, UR_STEP_MAJOR, SEQUENCE, 1);
    ur_tape *t = f->other;
    const size_t dim[] = {1, HIDDEN}, input[] = {1, INPUT}, at = SEQUENCE * HIDDEN;
    ur_tape_start(t, UR_TRAIN, f->params, f->other_gradient, 0, 0);
    ur_state first = {ur_copy_floats(t, 2, dim, f->h0 + at, true),
                      ur_copy_floats(t, 2, dim, f->c0 + at, true)};
    ur_state s = first;
    ur_tensor *loss = NULL, *x[T];
    for (size_t i = 0; i < T; i++) {
        x[i] = ur_copy_floats(t, 2, input, f->x + (5 + i) * INPUT, true);
        s = cell(t, &f->layer, x[i], s);
        ur_tensor *w = ur_copy_floats(t, 2, dim, f->wy + (5 + i) * HIDDEN, false);
        loss = loss ? ur_add(t, loss, weigh(t, s.h, w)) : weigh(t, s.h, w);
        tape_fine(t);
        near_floats("h", ur_floats(s.h), ur_floats(whole.out.y->values) + i * HIDDEN, HIDDEN, 1e-6);
    }
    loss = ur_add(t, loss, weigh(t, s.h, ur_copy_floats(t, 2, dim, f->wh + at, false)));
    loss = ur_add(t, loss, weigh(t, s.c, ur_copy_floats(t, 2, dim, f->wc + at, false)));
    ur_backward(t, loss);
    tape_fine(t);
    near_floats("c_n", ur_floats(s.c), ur_floats(whole.out.c_n), HIDDEN, 1e-6);
    for (size_t i = 0; i < T; i++)
        near_floats("dx", x[i]->grad, whole.x->values->grad + i * INPUT, INPUT, 1e-5);
    near_floats("dh0", first.h->grad, whole.s.h->grad, HIDDEN, 1e-5);
    near_floats("dc0", first.c->grad, whole.s.c->grad, HIDDEN, 1e-5);
    near_floats("gradients", f->other_gradient, f->gradient, ur_params_size(f->params), 1e-5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ragged_is_one_by_one, setup, teardown),
        cmocka_unit_test_setup_teardown(empty_sequences_pass_their_state_through, setup, teardown),
        cmocka_unit_test_setup_teardown(both_orders_agree, setup, teardown),
        cmocka_unit_test_setup_teardown(inference_and_steps_compute_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(embedded_ids, setup, teardown),
        cmocka_unit_test_setup_teardown(composed_of_elementary_operations, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
