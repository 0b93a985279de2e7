/* test_rnn_bytes.c - recurrent layers of every cell against what they must equal, byte for byte:
 * plain C with one thread, sequences one by one, single steps, inference, the other order of rows,
 * embedded ids. */
#include "backend/context.h"
#include "base/pool.h"
#include "support/contexts.h"
#include "unroll/nn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char *const cells[] = {"rnn_tanh", "rnn_relu",     "gru",          "lstm",
                                    "lstm",     "gru_original", "lstm_peephole"};
enum { CELLS = 7, PROJECTED = 4 }; /* that one with a projection */

/* A stack of some shape with what goes in; every pass over it has a tape of its own. */
typedef struct subject {
    ur_context *context;
    ur_params *params;
    ur_embedding_layer embed;
    ur_rnn_stack stack;
    size_t batch, rows, symbols, input, hidden, width, out; /* of h, of y */
    size_t *length;
    float *x, *h0, *c0, *wy, *wh, *wc;
    int32_t *ids;
} subject;

typedef struct pass {
    const subject *s;
    ur_tape *tape;
    float *gradient;
    ur_seq *x; /* NULL where ids went in */
    ur_state initial;
    ur_rnn_out out;
} pass;

typedef struct shape {
    size_t batch, input, hidden, layers, longest;
    bool both, average, no_bias;
    float dropout;
} shape;

static subject subject_new(ur_context *context, const shape *here, int cell)
{
    subject s = {.context = context,
                 .batch = here->batch,
                 .input = here->input,
                 .hidden = here->hidden,
                 .symbols = 6};
    const ur_rnn_config config = {.cell = cells[cell],
                                  .input_size = here->input,
                                  .hidden_size = here->hidden,
                                  .proj_size = cell == PROJECTED ? (here->hidden + 1) / 2 : 0,
                                  .num_layers = here->layers,
                                  .bidirectional = here->both,
                                  .average = here->average,
                                  .no_bias = here->no_bias,
                                  .dropout = here->dropout};
    ur_err err;
    assert_int_equal(ur_params_new(context, &s.params, NULL), UR_OK);
    s.embed = ur_embedding_add(s.params, "embed", s.symbols, s.input);
    if (ur_rnn_add(s.params, "rnn", &config, &s.stack, &err) != UR_OK)
        fail_msg("%s", err.text);
    assert_int_equal(ur_params_seal(s.params, NULL), UR_OK);
    ur_embedding_init(&s.embed, s.params, 5);
    ur_rnn_init(&s.stack, s.params, 5);
    ur_params_changed(s.params);
    s.width = config.proj_size ? config.proj_size : s.hidden;
    s.out = ur_rnn_width(&s.stack);
    s.length = calloc(s.batch, sizeof *s.length);
    for (size_t b = 0; b < s.batch; b++) {
        s.length[b] = b == 0 ? here->longest : b == 3 ? 0 : 1 + b * 5 % here->longest;
        s.rows += s.length[b];
    }
    s.ids = calloc(s.rows, sizeof *s.ids);
    for (size_t r = 0; r < s.rows; r++)
        s.ids[r] = (int32_t)(r * r % (s.symbols - 1));
    s.x = made_up_floats(1, s.rows * s.input, 2.0f);
    s.h0 = made_up_floats(2, s.stack.count * s.batch * s.width, 1.0f);
    s.c0 = made_up_floats(3, s.stack.count * s.batch * s.hidden, 1.0f);
    s.wy = made_up_floats(4, s.rows * s.out, 1.0f);
    s.wh = made_up_floats(5, s.stack.count * s.batch * s.width, 1.0f);
    s.wc = made_up_floats(6, s.stack.count * s.batch * s.hidden, 1.0f);
    return s;
}

static void subject_free(subject *s)
{
    void *const all[] = {s->length, s->ids, s->x, s->h0, s->c0, s->wy, s->wh, s->wc};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    ur_params_free(s->params);
}

static void pass_free(pass *p)
{
    ur_tape_free(p->tape);
    free(p->gradient);
}

static ur_tensor *weigh(ur_tape *t, ur_tensor *y, ur_tensor *w)
{
    return ur_sum(t, ur_mul(t, y, w));
}

/* Rows [first, first + batch) of every part of a (N, B, width) state. */
static ur_tensor *some_states(ur_tape *t, const subject *s, const float *x, size_t width,
                              size_t first, size_t batch)
{
    ur_tensor *part = ur_new_floats(t, 3, (size_t[]){s->stack.count, batch, width}, true);
    for (size_t n = 0; n < s->stack.count; n++)
        memcpy(ur_floats(part) + n * batch * width, x + (n * s->batch + first) * width,
               batch * width * sizeof *x);
    return part;
}

enum { IDS = 1, SPLIT = 2, INFER = 4 }; /* ids go in; through the embedding first; no gradients */

/* A forward and backward over sequences [first, first + batch). */
static pass run(const subject *s, ur_order order, size_t first, size_t batch, int how)
{
    pass p = {.s = s, .tape = tape_of(s->context)};
    ur_tape *t = p.tape;
    size_t row = 0;
    uint64_t id[64];
    for (size_t b = 0; b < batch; b++)
        id[b] = first + b;
    for (size_t b = 0; b < first; b++)
        row += s->length[b];
    p.gradient = calloc(ur_params_size(s->params), sizeof *p.gradient);
    const ur_mode mode = how & INFER ? UR_INFER : UR_TRAIN;
    ur_tape_start(t, mode, s->params, how & INFER ? NULL : p.gradient, 8, 9);
    const ur_layout *l = ur_new_layout(t, order, batch, s->length + first, id);
    p.initial.h = some_states(t, s, s->h0, s->width, first, batch);
    if (strncmp(s->stack.config.cell, "lstm", 4) == 0)
        p.initial.c = some_states(t, s, s->c0, s->hidden, first, batch);
    if (!(how & IDS)) {
        p.x = ur_seq_floats(t, l, s->input, s->x + row * s->input, true);
        p.out = ur_rnn(t, &s->stack, p.x, p.initial);
    } else {
        const ur_seq *ids = ur_seq_ints(t, l, s->ids + row);
        p.out = how & SPLIT ? ur_rnn(t, &s->stack, ur_embedding(t, &s->embed, ids), p.initial)
                            : ur_rnn_embedded(t, &s->stack, &s->embed, ids, p.initial);
    }
    tape_fine(t);
    if (how & INFER)
        return p;
    const ur_seq *wy = ur_seq_floats(t, l, s->out, s->wy + row * s->out, false);
    ur_tensor *loss = weigh(t, p.out.y->values, wy->values);
    loss = ur_add(t, loss, weigh(t, p.out.h_n, some_states(t, s, s->wh, s->width, first, batch)));
    if (p.out.c_n)
        loss =
            ur_add(t, loss, weigh(t, p.out.c_n, some_states(t, s, s->wc, s->hidden, first, batch)));
    ur_backward(t, loss);
    tape_fine(t);
    return p;
}

/* Sequence b of (N, B, width) against sequence b2 of another such. */
static void same_state(const char *what, const char *who, const ur_tensor *a, size_t b,
                       const ur_tensor *a2, size_t b2, bool gradient)
{
    const size_t width = a->dim[2];
    const float *x = gradient ? a->grad : ur_floats(a), *x2 = gradient ? a2->grad : ur_floats(a2);
    assert_non_null(x);
    assert_non_null(x2);
    for (size_t n = 0; n < a->dim[0]; n++)
        same_floats(what, who, x + (n * a->dim[1] + b) * width, x2 + (n * a2->dim[1] + b2) * width,
                    width);
}

/* Everything that belongs to sequence b of one pass and b2 of another. */
static void same_sequence(const pass *p, size_t b, const pass *q, size_t b2, const char *who,
                          bool gradients)
{
    const subject *s = p->s;
    const ur_layout *l = p->out.y->layout, *l2 = q->out.y->layout;
    for (size_t t = 0; t < l->length[b]; t++) {
        const size_t r = ur_row(l, b, t), r2 = ur_row(l2, b2, t);
        same_floats("y", who, ur_floats(p->out.y->values) + r * s->out,
                    ur_floats(q->out.y->values) + r2 * s->out, s->out);
        if (gradients && p->x && q->x)
            same_floats("dx", who, p->x->values->grad + r * s->input,
                        q->x->values->grad + r2 * s->input, s->input);
    }
    same_state("h_n", who, p->out.h_n, b, q->out.h_n, b2, false);
    if (p->out.c_n)
        same_state("c_n", who, p->out.c_n, b, q->out.c_n, b2, false);
    if (gradients)
        same_state("dh0", who, p->initial.h, b, q->initial.h, b2, true);
    if (gradients && p->initial.c)
        same_state("dc0", who, p->initial.c, b, q->initial.c, b2, true);
}

static void same_pass(const pass *p, const pass *q, const char *who)
{
    for (size_t b = 0; b < p->s->batch; b++)
        same_sequence(p, b, q, b, who, true);
    same_floats("gradient", who, p->gradient, q->gradient, ur_params_size(p->s->params));
}

static const shape many[] = {
    {.batch = 1, .input = 1, .hidden = 2, .layers = 1, .longest = 1},
    {.batch = 3, .input = 16, .hidden = 16, .layers = 1, .longest = 6, .both = true},
    {.batch = 7,
     .input = 5,
     .hidden = 17,
     .layers = 2,
     .longest = 9,
     .both = true,
     .dropout = 0.3f},
    {.batch = 33, .input = 16, .hidden = 48, .layers = 1, .longest = 5},
    {.batch = 5, .input = 31, .hidden = 33, .layers = 3, .longest = 7, .no_bias = true},
    {.batch = 2, .input = 530, .hidden = 130, .layers = 1, .longest = 2},
    {.batch = 1, .input = 20, .hidden = 528, .layers = 1, .longest = 4},
    {.batch = 20,
     .input = 16,
     .hidden = 80,
     .layers = 2,
     .longest = 4,
     .both = true,
     .average = true},
};

static void same_on_every_machine(void **state)
{
    (void)state;
    contexts all = contexts_new();
    for (size_t i = 0; i < sizeof many / sizeof *many * CELLS; i++) {
        const ur_order order = i % 2 ? UR_SEQUENCE_MAJOR : UR_STEP_MAJOR;
        const int how = i % 3 == 2 ? IDS : 0, cell = (int)(i % CELLS);
        subject first = subject_new(all.at[0], &many[i / CELLS], cell);
        pass reference = run(&first, order, 0, first.batch, how);
        for (int c = 1; c < all.count; c++) {
            subject s = subject_new(all.at[c], &many[i / CELLS], cell);
            pass p = run(&s, order, 0, s.batch, how);
            same_pass(&reference, &p, all.name[c]);
            pass_free(&p);
            subject_free(&s);
        }
        pass_free(&reference);
        subject_free(&first);
    }
    contexts_free(&all);
}

/* How many team operations a forward and backward over a layer are. */
static uint32_t operations(ur_context *context, const shape *here, int cell)
{
    subject s = subject_new(context, here, cell);
    const uint32_t before = context->pool->operation;
    pass p = run(&s, UR_STEP_MAJOR, 0, s.batch, 0);
    const uint32_t after = context->pool->operation;
    pass_free(&p);
    subject_free(&s);
    return after - before;
}

/* A layer over many steps is many of them, so that each can have other members; the bits are those of one
 * thread. */
static void many_operations(void **state)
{
    (void)state;
    const shape here = {.batch = 2, .input = 40, .hidden = 48, .layers = 1, .longest = 2500};
    const shape little = {.batch = 2, .input = 40, .hidden = 48, .layers = 1, .longest = 6};
    ur_context *alone = context_of(NULL, 1, NULL), *two = context_of(NULL, 2, NULL),
               *turns = context_of(NULL, 2, NULL);
    ur_team_insist(ur_pool_team(two->pool));
    ur_team_take_turns(ur_pool_team(turns->pool));
    for (int cell = 2; cell <= 4; cell++) { /* gru, lstm, with a projection */
        const int how = cell == 3 ? IDS : 0;
        subject first = subject_new(alone, &here, cell), s = subject_new(turns, &here, cell);
        pass reference = run(&first, UR_STEP_MAJOR, 0, first.batch, how);
        pass p = run(&s, UR_STEP_MAJOR, 0, s.batch, how);
        same_pass(&reference, &p, "members come and go");
        pass_free(&p);
        pass_free(&reference);
        subject_free(&s);
        subject_free(&first);
        assert_true(operations(two, &here, cell) >= operations(two, &little, cell) + 3);
    }
    ur_context_free(alone);
    ur_context_free(two);
    ur_context_free(turns);
}

static const shape ragged[] = {
    {.batch = 6, .input = 7, .hidden = 19, .layers = 1, .longest = 9},
    {.batch = 6,
     .input = 7,
     .hidden = 19,
     .layers = 2,
     .longest = 9,
     .both = true,
     .dropout = 0.3f},
    {.batch = 5,
     .input = 3,
     .hidden = 8,
     .layers = 3,
     .longest = 7,
     .both = true,
     .average = true,
     .no_bias = true},
};
enum { RAGGED = sizeof ragged / sizeof *ragged };

static void one_by_one(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    for (int i = 0; i < RAGGED * CELLS; i++) {
        subject s = subject_new(context, &ragged[i / CELLS], i % CELLS);
        const size_t size = ur_params_size(s.params);
        pass whole = run(&s, UR_STEP_MAJOR, 0, s.batch, 0);
        float *sum = calloc(size, sizeof *sum);
        for (size_t b = 0; b < s.batch; b++) {
            pass alone = run(&s, b % 2 ? UR_STEP_MAJOR : UR_SEQUENCE_MAJOR, b, 1, 0);
            same_sequence(&whole, b, &alone, 0, "one by one", true);
            for (size_t w = 0; w < size; w++)
                sum[w] += alone.gradient[w];
            pass_free(&alone);
        }
        near_floats("gradient", sum, whole.gradient, size, 1e-5);
        free(sum);
        pass_free(&whole);
        subject_free(&s);
    }
    ur_context_free(context);
}

static void other_order_and_inference(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    for (int i = 0; i < RAGGED * CELLS; i++) {
        shape here = ragged[i / CELLS];
        subject s = subject_new(context, &here, i % CELLS);
        pass p = run(&s, UR_STEP_MAJOR, 0, s.batch, 0);
        pass q = run(&s, UR_SEQUENCE_MAJOR, 0, s.batch, 0);
        assert_int_equal(q.out.y->layout->order, UR_SEQUENCE_MAJOR);
        same_pass(&p, &q, "the other order");
        if (here.dropout == 0.0f) {
            pass infer = run(&s, UR_STEP_MAJOR, 0, s.batch, INFER);
            for (size_t b = 0; b < s.batch; b++)
                same_sequence(&p, b, &infer, b, "inference", false);
            pass_free(&infer);
        }
        pass_free(&p);
        pass_free(&q);
        subject_free(&s);
    }
    ur_context_free(context);
}

static void embedded_ids(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    for (int i = 0; i < RAGGED * CELLS; i++) {
        subject s = subject_new(context, &ragged[i / CELLS], i % CELLS);
        assert_true(s.rows >= s.symbols); /* else both ways are one */
        const ur_order order = i % 2 ? UR_SEQUENCE_MAJOR : UR_STEP_MAJOR;
        pass p = run(&s, order, 0, s.batch, IDS | SPLIT), q = run(&s, order, 0, s.batch, IDS);
        for (size_t b = 0; b < s.batch; b++)
            same_sequence(&p, b, &q, b, "embedded", true);
        near_floats("gradient", p.gradient, q.gradient, ur_params_size(s.params), 1e-5);
        pass_free(&p);
        pass_free(&q);
        subject_free(&s);
    }
    ur_context_free(context);
}

/* Steps through a stack of one direction, one layer after the other; long enough for several chunks
 * of the input product. */
static void step_by_step(void **state)
{
    (void)state;
    enum { B = 30, T = 60, LAYERS = 2 };
    const shape here = {.batch = B, .input = 7, .hidden = 21, .layers = LAYERS, .longest = T};
    ur_context *context = context_of(NULL, 2, NULL);
    for (int cell = 0; cell < CELLS; cell++) {
        subject s = subject_new(context, &here, cell);
        for (size_t b = 0; b < B; b++)
            s.length[b] = T;
        float *x = made_up_floats(9, B * T * s.input, 2.0f);
        ur_tape *t = tape_of(context), *u = tape_of(context);
        ur_tape_start(t, UR_INFER, s.params, NULL, 0, 0);
        const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, B, s.length, NULL);
        ur_seq *all = ur_seq_floats(t, l, s.input, x, false);
        const ur_rnn_out out = ur_rnn(t, &s.stack, all, (ur_state){NULL, NULL});
        tape_fine(t);
        ur_tape_start(u, UR_INFER, s.params, NULL, 0, 0);
        ur_state layer[LAYERS] = {{NULL, NULL}, {NULL, NULL}};
        for (size_t i = 0; i < T; i++) {
            ur_tensor *in = ur_copy_floats(u, 2, (size_t[]){B, s.input},
                                           ur_floats(all->values) + i * B * s.input, false);
            for (int k = 0; k < LAYERS; k++) {
                layer[k] = ur_cell_single_step(u, &s.stack.part[k], in, layer[k]);
                in = layer[k].h;
            }
            tape_fine(u);
            same_floats("y", "step by step", ur_floats(out.y->values) + i * B * s.width,
                        ur_floats(in), B * s.width);
        }
        for (size_t k = 0; k < LAYERS; k++) {
            same_floats("h_n", "step by step", ur_floats(out.h_n) + k * B * s.width,
                        ur_floats(layer[k].h), B * s.width);
            if (out.c_n)
                same_floats("c_n", "step by step", ur_floats(out.c_n) + k * B * s.hidden,
                            ur_floats(layer[k].c), B * s.hidden);
        }
        free(x);
        ur_tape_free(t);
        ur_tape_free(u);
        subject_free(&s);
    }
    ur_context_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_on_every_machine),
        cmocka_unit_test(many_operations),
        cmocka_unit_test(one_by_one),
        cmocka_unit_test(other_order_and_inference),
        cmocka_unit_test(embedded_ids),
        cmocka_unit_test(step_by_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
