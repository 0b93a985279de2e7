/* test_cells.c - the cells that PyTorch lacks, and every cell's options: against compositions of
 * elementary operations, values and gradients; and byte for byte: sequences one by one, single
 * steps, embedded ids, every instruction set and number of threads. */
#include "nn/nn.h"
#include "support/contexts.h"
#include "tape/tape.h"
#include "unroll/nn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { BATCH = 6, INPUT = 7, ROWS = 27, SYMBOLS = 9 };

static const size_t ragged[BATCH] = {5, 0, 9, 1, 9, 3};

static const ur_rnn_config cases[] = {
    {.cell = "gru_original"},
    {.cell = "gru_original", .no_bias = true},
    {.cell = "lstm_peephole"},
    {.cell = "lstm_peephole", .no_bias = true},
};
enum { CASES = sizeof cases / sizeof *cases };

/* ---- a model of one layer, and a pass over it --------------------------------------------- */

typedef struct model {
    ur_context *context;
    ur_params *params;
    ur_rnn_stack stack;
    ur_embedding_layer embed;
    ur_tape *tape;
    float *gradient;
    size_t hidden;
} model;

static model model_new(ur_context *context, const ur_rnn_config *options, size_t hidden)
{
    model m = {.context = context, .hidden = hidden};
    ur_rnn_config config = *options;
    ur_err err;
    config.input_size = INPUT;
    config.hidden_size = hidden;
    config.num_layers = config.num_layers ? config.num_layers : 1;
    assert_int_equal(ur_params_new(context, &m.params, NULL), UR_OK);
    if (ur_rnn_add(m.params, "rnn", &config, &m.stack, &err) != UR_OK)
        fail_msg("%s", err.text);
    m.embed = ur_embedding_add(m.params, "embed", SYMBOLS, INPUT);
    assert_int_equal(ur_params_seal(m.params, NULL), UR_OK);
    ur_rnn_init(&m.stack, m.params, 3);
    ur_embedding_init(&m.embed, m.params, 3);
    ur_params_changed(m.params);
    m.tape = tape_of(context);
    m.gradient = calloc(ur_params_size(m.params), sizeof(float));
    return m;
}

static void model_free(model *m)
{
    ur_tape_free(m->tape);
    ur_params_free(m->params);
    free(m->gradient);
}

/* Made-up numbers on the tape; row `from` is the first of those that the seed names. */
static ur_tensor *made_up_rows(ur_tape *t, uint64_t seed, size_t from, size_t rows, size_t width,
                               bool grad)
{
    ur_tensor *x = ur_new_floats(t, 2, (size_t[]){rows, width}, grad);
    for (size_t i = 0; x && i < rows * width; i++)
        ur_floats(x)[i] = made_up(seed, from * width + i);
    return x;
}

static ur_tensor *weigh(ur_tape *t, ur_tensor *y, ur_tensor *w)
{
    return ur_sum(t, ur_mul(t, y, w));
}

typedef struct pass {
    const ur_layout *layout;
    ur_seq *x;
    ur_state s;
    ur_rnn_out out;
} pass;

static ur_seq *made_up_seq(ur_tape *t, const ur_layout *l, uint64_t seed, size_t row, size_t width,
                           bool grad)
{
    float *x = made_up_floats(seed, (row + l->rows) * width, 1.0f);
    ur_seq *s = ur_seq_floats(t, l, width, x + row * width, grad);
    free(x);
    return s;
}

/* `batch` sequences from the first one on, of the numbers that whole batch has. */
static pass run(model *m, ur_mode mode, ur_order order, const size_t *length, size_t first,
                size_t batch)
{
    pass p;
    ur_tape *t = m->tape;
    uint64_t id[BATCH];
    size_t row = 0;
    for (size_t b = 0; b < first; b++)
        row += length[b];
    for (size_t b = 0; b < batch; b++)
        id[b] = 70 + first + b;
    memset(m->gradient, 0, ur_params_size(m->params) * sizeof(float));
    ur_tape_start(t, mode, m->params, mode == UR_TRAIN ? m->gradient : NULL, 11, 5);
    const ur_cell_layer *cell = &m->stack.part[0];
    const bool has_c = m->stack.config.cell[0] == 'l';
    p.layout = ur_new_layout(t, order, batch, length + first, id);
    p.x = made_up_seq(t, p.layout, 1, row, INPUT, true);
    p.s.h = made_up_rows(t, 2, first, batch, m->hidden, true);
    p.s.c = has_c ? made_up_rows(t, 3, first, batch, m->hidden, true) : NULL;
    p.out = ur_cell_forward(t, cell, p.x, p.s);
    const ur_seq *wy = made_up_seq(t, p.layout, 4, row, m->hidden, false);
    ur_tensor *loss = weigh(t, p.out.y->values, wy->values);
    loss = ur_add(t, loss, weigh(t, p.out.h_n, made_up_rows(t, 5, first, batch, m->hidden, false)));
    if (has_c)
        loss = ur_add(t, loss,
                      weigh(t, p.out.c_n, made_up_rows(t, 6, first, batch, m->hidden, false)));
    if (mode == UR_TRAIN)
        ur_backward(t, loss);
    tape_fine(t);
    return p;
}

/* ---- bytes -------------------------------------------------------------------------------- */

/* Sequence b of one pass against sequence b2 of another: everything that belongs to it alone. */
static void same_sequence(const pass *p, size_t b, const pass *q, size_t b2, const char *who)
{
    const size_t h = p->s.h->dim[1];
    for (size_t s = 0; s < p->layout->length[b]; s++) {
        const size_t r = ur_row(p->layout, b, s), r2 = ur_row(q->layout, b2, s);
        same_floats("y", who, ur_floats(p->out.y->values) + r * h,
                    ur_floats(q->out.y->values) + r2 * h, h);
        same_floats("dx", who, p->x->values->grad + r * INPUT, q->x->values->grad + r2 * INPUT,
                    INPUT);
    }
    same_floats("h_n", who, ur_floats(p->out.h_n) + b * h, ur_floats(q->out.h_n) + b2 * h, h);
    same_floats("dh0", who, p->s.h->grad + b * h, q->s.h->grad + b2 * h, h);
    if (p->s.c) {
        same_floats("c_n", who, ur_floats(p->out.c_n) + b * h, ur_floats(q->out.c_n) + b2 * h, h);
        same_floats("dc0", who, p->s.c->grad + b * h, q->s.c->grad + b2 * h, h);
    }
}

static void ragged_is_one_by_one(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    for (int i = 0; i < CASES; i++) {
        model whole = model_new(context, &cases[i], 19), alone = model_new(context, &cases[i], 19);
        const size_t size = ur_params_size(whole.params);
        float *sum = calloc(size, sizeof *sum);
        const pass p = run(&whole, UR_TRAIN, (ur_order)(i % 2), ragged, 0, BATCH);
        for (size_t b = 0; b < BATCH; b++) {
            const pass q = run(&alone, UR_TRAIN, UR_STEP_MAJOR, ragged, b, 1);
            same_sequence(&p, b, &q, 0, cases[i].cell);
            for (size_t j = 0; j < size; j++)
                sum[j] += alone.gradient[j];
        }
        near_floats("gradients", whole.gradient, sum, size, 1e-5);
        free(sum);
        model_free(&whole);
        model_free(&alone);
    }
    ur_context_free(context);
}

static void same_on_every_machine(void **state)
{
    (void)state;
    static const size_t widths[] = {1, 19, 48, 130};
    contexts all = contexts_new();
    for (int i = 0; i < CASES; i++)
        for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
            for (int order = 0; order < 2; order++) {
                model want = model_new(all.at[0], &cases[i], widths[w]);
                const pass p = run(&want, UR_TRAIN, (ur_order)order, ragged, 0, BATCH);
                for (int c = 1; c < all.count; c++) {
                    model got = model_new(all.at[c], &cases[i], widths[w]);
                    const pass q = run(&got, UR_TRAIN, (ur_order)order, ragged, 0, BATCH);
                    for (size_t b = 0; b < BATCH; b++)
                        same_sequence(&p, b, &q, b, all.name[c]);
                    same_floats("gradient", all.name[c], want.gradient, got.gradient,
                                ur_params_size(want.params));
                    model_free(&got);
                }
                model_free(&want);
            }
    contexts_free(&all);
}

/* Long enough for several chunks of the input product, which only inference has. */
static void whole_is_single_steps(void **state)
{
    (void)state;
    enum { T = 150, H = 150 };
    const size_t length[BATCH] = {T, T, T, T, T, T};
    ur_context *context = context_of(NULL, 2, NULL);
    for (int i = 0; i < CASES; i++) {
        model m = model_new(context, &cases[i], H), one = model_new(context, &cases[i], H);
        const ur_cell_layer *cell = &one.stack.part[0];
        const pass p = run(&m, UR_INFER, UR_STEP_MAJOR, length, 0, BATCH);
        ur_tape_start(one.tape, UR_INFER, one.params, NULL, 0, 0);
        ur_state s = {made_up_rows(one.tape, 2, 0, BATCH, H, false),
                      p.s.c ? made_up_rows(one.tape, 3, 0, BATCH, H, false) : NULL};
        for (size_t t = 0; t < T; t++) {
            const ur_tensor *x = p.x->values;
            s = ur_cell_single_step(one.tape, cell,
                                    ur_copy_floats(one.tape, 2, (size_t[]){BATCH, INPUT},
                                                   ur_floats(x) + t * BATCH * INPUT, false),
                                    s);
            tape_fine(one.tape);
            same_floats("h", cases[i].cell, ur_floats(p.out.y->values) + t * BATCH * H,
                        ur_floats(s.h), BATCH * H);
        }
        if (s.c)
            same_floats("c", cases[i].cell, ur_floats(p.out.c_n), ur_floats(s.c), BATCH * H);
        model_free(&m);
        model_free(&one);
    }
    ur_context_free(context);
}

static void embedded_ids(void **state)
{
    (void)state;
    int32_t ids[ROWS];
    for (size_t i = 0; i < ROWS; i++)
        ids[i] = (int32_t)(i * i % SYMBOLS);
    ur_context *context = context_of(NULL, 2, NULL);
    for (int i = 0; i < CASES; i++) {
        model m[2] = {model_new(context, &cases[i], 19), model_new(context, &cases[i], 19)};
        ur_tensor *y[2], *dh0[2];
        for (int e = 0; e < 2; e++) {
            ur_tape *t = m[e].tape;
            ur_tape_start(t, UR_TRAIN, m[e].params, m[e].gradient, 0, 0);
            const ur_layout *l = ur_new_layout(t, UR_SEQUENCE_MAJOR, BATCH, ragged, NULL);
            const ur_seq *in = ur_seq_ints(t, l, ids);
            dh0[e] = made_up_rows(t, 2, 0, BATCH, 19, true);
            const ur_state s = {dh0[e], NULL};
            const ur_cell_layer *cell = &m[e].stack.part[0];
            const ur_rnn_out out =
                e ? ur_cell_embedded(t, cell, &m[e].embed, in, s)
                  : ur_cell_forward(t, cell, ur_embedding(t, &m[e].embed, in), s);
            y[e] = out.y->values;
            ur_backward(t, weigh(t, y[e], made_up_seq(t, l, 4, 0, 19, false)->values));
            tape_fine(t);
        }
        same_floats("y", "embedded", ur_floats(y[0]), ur_floats(y[1]), ROWS * 19);
        same_floats("dh0", "embedded", dh0[0]->grad, dh0[1]->grad, BATCH * 19);
        near_floats("gradients", m[0].gradient, m[1].gradient, ur_params_size(m[0].params), 1e-5);
        model_free(&m[0]);
        model_free(&m[1]);
    }
    ur_context_free(context);
}

/* ---- cells of elementary operations ------------------------------------------------------- */

/* Rows [begin, end) of a parameter as a matrix of their own; a vector is one row. */
static ur_tensor *part(ur_tape *t, int index, size_t begin, size_t end)
{
    ur_tensor *p = ur_parameter(t, index);
    const size_t width = p->ndim > 1 ? p->dim[1] : 1, at = begin * width;
    *p = (ur_tensor){.dtype = UR_F32, .ndim = 2, .dim = {end - begin, width},
                     .data = ur_floats(p) + at, .grad = p->grad ? p->grad + at : NULL,
                     .needs_grad = p->needs_grad};
    if (width == 1) {
        p->dim[0] = 1;
        p->dim[1] = end - begin;
    }
    return p;
}

/* A vector for every one of B rows. */
static ur_tensor *each_row(ur_tape *t, int index, size_t begin, size_t end, size_t batch)
{
    const ur_layout *one = ur_new_layout(t, UR_SEQUENCE_MAJOR, 1, &batch, NULL);
    return ur_repeat(t, part(t, index, begin, end), one)->values;
}

/* Gates [from, to) of x W^T + b. */
static ur_tensor *gates(ur_tape *t, ur_tensor *x, int weight, int bias, size_t from, size_t to)
{
    ur_tensor *a = ur_matmul_t(t, x, part(t, weight, from, to));
    return bias < 0 ? a : ur_add(t, a, each_row(t, bias, from, to, x->dim[0]));
}

static ur_tensor *peephole(ur_tape *t, ur_tensor *a, int index, ur_tensor *c)
{
    if (index < 0)
        return a;
    return ur_add(t, a, ur_mul(t, each_row(t, index, 0, c->dim[1], c->dim[0]), c));
}

static ur_state lstm(ur_tape *t, const ur_cell_layer *l, ur_tensor *x, ur_tensor *h_in, ur_state s)
{
    const size_t h = l->hidden_size;
    ur_tensor *a = ur_add(t, gates(t, x, l->weight_ih, l->bias_ih, 0, 4 * h),
                          gates(t, h_in, l->weight_hh, l->bias_hh, 0, 4 * h));
    ur_tensor *i = ur_sigmoid(t, peephole(t, ur_slice(t, a, 0, h), l->extra[0], s.c));
    ur_tensor *f = ur_sigmoid(t, peephole(t, ur_slice(t, a, h, 2 * h), l->extra[1], s.c));
    ur_tensor *g = ur_tanh(t, ur_slice(t, a, 2 * h, 3 * h));
    ur_tensor *c = ur_add(t, ur_mul(t, f, s.c), ur_mul(t, i, g));
    ur_tensor *o = ur_sigmoid(t, peephole(t, ur_slice(t, a, 3 * h, 4 * h), l->extra[2], c));
    return (ur_state){ur_mul(t, o, ur_tanh(t, c)), c};
}

static ur_state gru(ur_tape *t, const ur_cell_layer *l, ur_tensor *x, ur_tensor *h_in, ur_state s,
                    bool original)
{
    const size_t h = l->hidden_size;
    ur_tensor *a = gates(t, x, l->weight_ih, l->bias_ih, 0, 3 * h);
    ur_tensor *rz = ur_sigmoid(t, ur_add(t, ur_slice(t, a, 0, 2 * h),
                                         gates(t, h_in, l->weight_hh, l->bias_hh, 0, 2 * h)));
    ur_tensor *r = ur_slice(t, rz, 0, h), *z = ur_slice(t, rz, h, 2 * h);
    ur_tensor *late =
        original ? gates(t, ur_mul(t, r, h_in), l->weight_hh, l->bias_hh, 2 * h, 3 * h)
                 : ur_mul(t, r, gates(t, h_in, l->weight_hh, l->bias_hh, 2 * h, 3 * h));
    ur_tensor *n = ur_tanh(t, ur_add(t, ur_slice(t, a, 2 * h, 3 * h), late));
    return (ur_state){ur_add(t, ur_sub(t, n, ur_mul(t, z, n)), ur_mul(t, z, s.h)), NULL};
}

static ur_state elman(ur_tape *t, const ur_cell_layer *l, ur_tensor *x, ur_tensor *h_in)
{
    const size_t h = l->hidden_size;
    return (ur_state){ur_tanh(t, ur_add(t, gates(t, x, l->weight_ih, l->bias_ih, 0, h),
                                        gates(t, h_in, l->weight_hh, l->bias_hh, 0, h))),
                      NULL};
}

static ur_state composed_step(ur_tape *t, const char *cell, const ur_cell_layer *l, ur_tensor *x,
                              ur_tensor *h_in, ur_state s)
{
    if (strncmp(cell, "lstm", 4) == 0)
        return lstm(t, l, x, h_in, s);
    if (strncmp(cell, "gru", 3) == 0)
        return gru(t, l, x, h_in, s, strcmp(cell, "gru_original") == 0);
    return elman(t, l, x, h_in);
}

enum { STEPS = 9, SEQUENCES = 2, WIDE = 19 };

static void check_composed(ur_context *context, const ur_rnn_config *options)
{
    const size_t length[BATCH] = {STEPS, STEPS};
    model whole = model_new(context, options, WIDE), m = model_new(context, options, WIDE);
    const pass p = run(&whole, UR_TRAIN, UR_STEP_MAJOR, length, 0, SEQUENCES);
    ur_tape *t = m.tape;
    ur_tape_start(t, UR_TRAIN, m.params, m.gradient, 11, 5);
    ur_state s = {made_up_rows(t, 2, 0, SEQUENCES, WIDE, true),
                  p.s.c ? made_up_rows(t, 3, 0, SEQUENCES, WIDE, true) : NULL};
    const ur_state first = s;
    const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, SEQUENCES, length, NULL);
    const ur_seq *wy = made_up_seq(t, l, 4, 0, WIDE, false);
    ur_tensor *x[STEPS], *loss = NULL;
    for (size_t i = 0; i < STEPS; i++) {
        x[i] = ur_copy_floats(t, 2, (size_t[]){SEQUENCES, INPUT},
                              ur_floats(p.x->values) + i * SEQUENCES * INPUT, true);
        s = composed_step(t, options->cell, &m.stack.part[0], x[i], s.h, s);
        ur_tensor *w = ur_copy_floats(t, 2, (size_t[]){SEQUENCES, WIDE},
                                      ur_floats(wy->values) + i * SEQUENCES * WIDE, false);
        loss = loss ? ur_add(t, loss, weigh(t, s.h, w)) : weigh(t, s.h, w);
        tape_fine(t);
        near_floats("h", ur_floats(s.h), ur_floats(p.out.y->values) + i * SEQUENCES * WIDE,
                    SEQUENCES * WIDE, 2e-6);
    }
    loss = ur_add(t, loss, weigh(t, s.h, made_up_rows(t, 5, 0, SEQUENCES, WIDE, false)));
    if (s.c)
        loss = ur_add(t, loss, weigh(t, s.c, made_up_rows(t, 6, 0, SEQUENCES, WIDE, false)));
    ur_backward(t, loss);
    tape_fine(t);
    for (size_t i = 0; i < STEPS; i++)
        near_floats("dx", x[i]->grad, p.x->values->grad + i * SEQUENCES * INPUT, SEQUENCES * INPUT,
                    1e-5);
    near_floats("dh0", first.h->grad, p.s.h->grad, SEQUENCES * WIDE, 1e-5);
    if (s.c) {
        near_floats("c_n", ur_floats(s.c), ur_floats(p.out.c_n), SEQUENCES * WIDE, 2e-6);
        near_floats("dc0", first.c->grad, p.s.c->grad, SEQUENCES * WIDE, 1e-5);
    }
    near_floats("gradients", m.gradient, whole.gradient, ur_params_size(m.params), 1e-5);
    model_free(&whole);
    model_free(&m);
}

static void composed_of_elementary_operations(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    for (int i = 0; i < CASES; i++)
        check_composed(context, &cases[i]);
    ur_context_free(context);
}

/* ---- names -------------------------------------------------------------------------------- */

static void parameter_names(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    model m = model_new(context, &(ur_rnn_config){.cell = "lstm_peephole", .bidirectional = true},
                        5);
    static const char *const names[] = {"rnn.weight_ci_l0", "rnn.weight_cf_l0", "rnn.weight_co_l0",
                                        "rnn.weight_ci_l0_reverse"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_true(ur_params_find(m.params, names[i]) >= 0);
    model_free(&m);
    m = model_new(context, &(ur_rnn_config){.cell = "gru_original"}, 5);
    assert_true(ur_params_find(m.params, "rnn.weight_hh_l0") >= 0);
    assert_int_equal(ur_params_find(m.params, "rnn.weight_ci_l0"), -1);
    model_free(&m);
    ur_context_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(composed_of_elementary_operations),
        cmocka_unit_test(ragged_is_one_by_one),
        cmocka_unit_test(same_on_every_machine),
        cmocka_unit_test(whole_is_single_steps),
        cmocka_unit_test(embedded_ids),
        cmocka_unit_test(parameter_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
