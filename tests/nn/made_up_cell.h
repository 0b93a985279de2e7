/* made_up_cell.h - one recurrent layer of any cell and option, and a pass over made-up numbers: for
 * test_cells*.c. */
#ifndef UR_TESTS_MADE_UP_CELL_H
#define UR_TESTS_MADE_UP_CELL_H

#include "nn/nn.h"
#include "support/contexts.h"
#include "tape/tape.h"
#include "unroll/nn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { BATCH = 6, INPUT = 7, ROWS = 27, SYMBOLS = 9, WIDE = 19 };

static const size_t ragged[BATCH] = {5, 0, 9, 1, 9, 3};

static const ur_rnn_config cases[] = {
    {.cell = "gru_original"},
    {.cell = "gru_original", .no_bias = true},
    {.cell = "lstm_peephole"},
    {.cell = "lstm_peephole", .no_bias = true},
    {.cell = "lstm_layer_norm"},
    {.cell = "lstm_layer_norm", .no_bias = true, .zoneout_h = 0.2f, .zoneout_c = 0.5f},
    {.cell = "lstm_layer_norm", .recurrent_dropout = 0.2f},
    {.cell = "lstm", .recurrent_dropout = 0.4f},
    {.cell = "gru", .recurrent_dropout = 0.4f},
    {.cell = "rnn_tanh", .recurrent_dropout = 0.4f},
    {.cell = "gru_original", .recurrent_dropout = 0.4f},
    {.cell = "lstm", .zoneout_h = 0.3f},
    {.cell = "lstm", .zoneout_c = 0.3f},
    {.cell = "gru", .zoneout_h = 0.3f},
    {.cell = "rnn_tanh", .zoneout_h = 0.3f},
    {.cell = "gru_original", .zoneout_h = 0.3f, .recurrent_dropout = 0.2f},
    {.cell = "lstm_peephole", .zoneout_h = 0.2f, .zoneout_c = 0.5f, .recurrent_dropout = 0.2f},
    {.cell = "lstm", .zoneout_h = 0.2f, .zoneout_c = 0.5f, .recurrent_dropout = 0.2f},
    {.cell = "gru", .zoneout_h = 0.2f, .recurrent_dropout = 0.2f},
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

static inline model model_new(ur_context *context, const ur_rnn_config *options, size_t hidden)
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
    for (size_t i = 0; i < UR_CELL_EXTRA; i++) /* gains of one would hide mistakes */
        for (size_t j = 0; m.stack.part[0].extra[i] >= 0 &&
                           j < ur_params_entry(m.params, (size_t)m.stack.part[0].extra[i])->count;
             j++)
            ur_param_values(m.params, m.stack.part[0].extra[i])[j] += 0.3f * made_up(50 + i, j);
    ur_params_changed(m.params);
    m.tape = tape_of(context);
    m.gradient = calloc(ur_params_size(m.params), sizeof(float));
    return m;
}

static inline void model_free(model *m)
{
    ur_tape_free(m->tape);
    ur_params_free(m->params);
    free(m->gradient);
}

/* Made-up numbers on the tape; row `from` is the first of those that the seed names. */
static inline ur_tensor *made_up_rows(ur_tape *t, uint64_t seed, size_t from, size_t rows,
                                      size_t width, bool grad)
{
    ur_tensor *x = ur_new_floats(t, 2, (size_t[]){rows, width}, grad);
    for (size_t i = 0; x && i < rows * width; i++)
        ur_floats(x)[i] = made_up(seed, from * width + i);
    return x;
}

static inline ur_tensor *weigh(ur_tape *t, ur_tensor *y, ur_tensor *w)
{
    return ur_sum(t, ur_mul(t, y, w));
}

typedef struct pass {
    const ur_layout *layout;
    ur_seq *x;
    ur_state s;
    ur_rnn_out out;
} pass;

static inline ur_seq *made_up_seq(ur_tape *t, const ur_layout *l, uint64_t seed, size_t row,
                                  size_t width, bool grad)
{
    if (!l)
        return NULL;
    float *x = made_up_floats(seed, (row + l->rows) * width, 1.0f);
    ur_seq *s = ur_seq_floats(t, l, width, x + row * width, grad);
    free(x);
    return s;
}

/* `batch` sequences from the first one on, of the numbers that whole batch has. */
static inline pass run(model *m, ur_mode mode, ur_order order, const size_t *length, size_t first,
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

#endif
