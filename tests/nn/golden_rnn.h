/* golden_rnn.h - golden cases of recurrent stacks: files of many cases, whose names the tensors' end
 * in, with outputs, states and all gradients. */
#ifndef UR_TESTS_NN_GOLDEN_RNN_H
#define UR_TESTS_NN_GOLDEN_RNN_H

#include "support/contexts.h"
#include "support/golden.h"
#include "unroll/nn.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* A file of many cases: a tensor's name ends in its case. */
typedef struct bench {
    golden *g;
    const char *which;
    char name[64];
    ur_context *context;
    ur_params *params;
    ur_rnn_stack stack;
    float *gradient;
    ur_tape *tape;
} bench;

static inline const char *of(bench *b, const char *tensor)
{
    snprintf(b->name, sizeof b->name, "%s.%s", tensor, b->which);
    return b->name;
}

/* The stack with the case's parameters, which stand one after the other in PyTorch's order. */
static inline bench bench_new(golden *g, const char *which, const ur_rnn_config *config)
{
    bench b = {.g = g, .which = which, .context = context_of(NULL, 2, NULL)};
    ur_err err;
    assert_int_equal(ur_params_new(b.context, &b.params, NULL), UR_OK);
    if (ur_rnn_add(b.params, "", config, &b.stack, &err) != UR_OK)
        fail_msg("%s", err.text);
    assert_int_equal(ur_params_seal(b.params, NULL), UR_OK);
    b.gradient = calloc(ur_params_size(b.params), sizeof *b.gradient);
    b.tape = tape_of(b.context);
    size_t total, at = 0;
    const float *all = golden_floats(g, of(&b, "params"), &total);
    assert_int_equal(total, ur_params_weights(b.params));
    for (size_t i = 0; i < ur_params_count(b.params); i++) {
        const size_t count = ur_params_entry(b.params, i)->count;
        memcpy(ur_param_values(b.params, (int)i), all + at, count * sizeof *all);
        at += count;
    }
    ur_params_changed(b.params);
    return b;
}

static inline void bench_free(bench *b)
{
    ur_tape_free(b->tape);
    ur_params_free(b->params);
    ur_context_free(b->context);
    free(b->gradient);
}

static inline void compare_gradient(bench *b)
{
    float *all = golden_take(b->g, ur_params_weights(b->params) * sizeof *all), *at = all;
    for (size_t i = 0; i < ur_params_count(b->params); i++) {
        const ur_param *p = ur_params_entry(b->params, i);
        memcpy(at, b->gradient + p->offset, p->count * sizeof *at);
        at += p->count;
    }
    golden_compare(b->g, of(b, "grad.params"), all, GRADIENT_BOUND);
}

static inline ur_tensor *weigh(ur_tape *tape, ur_tensor *y, const float *w)
{
    return ur_sum(tape, ur_mul(tape, y, ur_copy_floats(tape, y->ndim, y->dim, w, false)));
}

static inline ur_tensor *input_state(bench *b, const char *tensor)
{
    size_t dim[3];
    for (int i = 0; i < 3; i++)
        dim[i] = golden_dim(b->g, of(b, tensor), i);
    return ur_copy_floats(b->tape, 3, dim, golden_floats(b->g, of(b, tensor), NULL), true);
}

static inline const float *padded_rows(bench *b, const char *tensor, const ur_layout *l,
                                       size_t features)
{
    const size_t steps = golden_dim(b->g, of(b, tensor), 1);
    return golden_rows(b->g, l->batch, steps, features, l->length,
                       golden_floats(b->g, of(b, tensor), NULL));
}

enum { MASK_SEED = 11, MASK_STEP = 4 }; /* of the cases with random masks */

/* Outputs, states and all gradients of one case; in inference no gradients. */
static inline void check_mode(golden *g, const char *which, const ur_rnn_config *config,
                              ur_order order, ur_mode mode)
{
    bench b = bench_new(g, which, config);
    ur_tape *t = b.tape;
    size_t batch;
    const size_t *length = golden_lengths(g, of(&b, "lengths"), &batch);
    const bool has_c = config->cell[0] == 'l';
    const size_t width = ur_rnn_width(&b.stack);
    ur_tape_start(t, mode, b.params, mode == UR_TRAIN ? b.gradient : NULL, MASK_SEED, MASK_STEP);
    const ur_layout *l = ur_new_layout(t, order, batch, length, NULL);
    ur_seq *x =
        ur_seq_floats(t, l, config->input_size, padded_rows(&b, "x", l, config->input_size), true);
    const ur_state s = {input_state(&b, "h0"), has_c ? input_state(&b, "c0") : NULL};
    const ur_rnn_out out = ur_rnn(t, &b.stack, x, s);
    tape_fine(t);
    assert_int_equal(out.y->layout->order, order);
    golden_compare_seq(g, of(&b, "y"), l, width, ur_floats(out.y->values), FORWARD_BOUND);
    golden_compare(g, of(&b, "h_n"), ur_floats(out.h_n), FORWARD_BOUND);
    assert_int_equal(out.c_n != NULL, has_c);
    if (has_c)
        golden_compare(g, of(&b, "c_n"), ur_floats(out.c_n), FORWARD_BOUND);
    if (mode == UR_INFER) {
        bench_free(&b);
        return;
    }

    const ur_seq *wy = ur_seq_floats(t, l, width, padded_rows(&b, "wy", l, width), false);
    ur_tensor *loss = weigh(t, out.y->values, ur_floats(wy->values));
    loss = ur_add(t, loss, weigh(t, out.h_n, golden_floats(g, of(&b, "wh"), NULL)));
    if (has_c)
        loss = ur_add(t, loss, weigh(t, out.c_n, golden_floats(g, of(&b, "wc"), NULL)));
    assert_int_equal(ur_backward(t, loss), UR_OK);
    golden_compare_seq(g, of(&b, "grad.x"), l, config->input_size, x->values->grad, GRADIENT_BOUND);
    golden_compare(g, of(&b, "grad.h0"), s.h->grad, GRADIENT_BOUND);
    if (has_c)
        golden_compare(g, of(&b, "grad.c0"), s.c->grad, GRADIENT_BOUND);
    compare_gradient(&b);
    bench_free(&b);
}

static inline void check_case(golden *g, const char *which, const ur_rnn_config *config,
                              ur_order order)
{
    check_mode(g, which, config, order, UR_TRAIN);
}

/* The 16 cases of a file. */
static inline void check_family(const char *file, const char *cell, size_t proj)
{
    golden g = golden_open(file);
    for (int i = 0; i < 16; i++) {
        const bool many = i & 1, both = i & 2, bias = i & 4, is_ragged = i & 8;
        const ur_rnn_config config = {.cell = cell,
                                      .input_size = 3,
                                      .hidden_size = 5,
                                      .proj_size = proj,
                                      .num_layers = many ? 3 : 1,
                                      .bidirectional = both,
                                      .no_bias = !bias};
        char which[64];
        snprintf(which, sizeof which, "%s_%s_%s_%s", many ? "3l" : "1l", both ? "both" : "one",
                 bias ? "bias" : "nobias", is_ragged ? "ragged" : "full");
        check_case(&g, which, &config, UR_STEP_MAJOR);
        check_case(&g, which, &config, UR_SEQUENCE_MAJOR);
    }
    golden_close(&g);
}

#endif
