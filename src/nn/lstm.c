/* lstm.c - a long short-term memory layer over ragged sequences (Hochreiter and Schmidhuber 1997,
 * in torch.nn.LSTM's form).
 *
 *   i = sigma(W_ii x + b_ii + W_hi h + b_hi)      f, o likewise
 *   g =  tanh(W_ig x + b_ig + W_hg h + b_hg)
 *   c' = f c + i g,   h' = o tanh(c')
 * Gates stand in the order i f g o in all four parameters. The arithmetic is in backend/cpu/lstm.c;
 * this file says which tensors go in and come out, and who owns them. Backward needs x, y, the
 * gates after activation and every step's c. */
#include "nn/nn.h"

#include <math.h>

#include "backend/cpu/lstm.h"

ur_lstm_layer ur_lstm_add(ur_params *params, const char *prefix, size_t input_size,
                          size_t hidden_size)
{
    const size_t gates = hidden_size <= SIZE_MAX / 4 ? 4 * hidden_size : SIZE_MAX;
    ur_lstm_layer l = {.input_size = input_size, .hidden_size = hidden_size};
    l.weight_ih = ur_layer_param(params, prefix, "weight_ih_l0", gates, input_size);
    l.weight_hh = ur_layer_param(params, prefix, "weight_hh_l0", gates, hidden_size);
    l.bias_ih = ur_layer_param(params, prefix, "bias_ih_l0", gates, 0);
    l.bias_hh = ur_layer_param(params, prefix, "bias_hh_l0", gates, 0);
    l.pack_ih = ur_params_pack(params, l.weight_ih, UR_PACK_ROWS, 4);
    l.pack_hh = ur_params_pack(params, l.weight_hh, UR_PACK_ROWS, 4);
    l.pack_ih_back = ur_params_pack(params, l.weight_ih, UR_PACK_COLS, 1);
    l.pack_hh_back = ur_params_pack(params, l.weight_hh, UR_PACK_COLS, 1);
    return l;
}

void ur_lstm_init(const ur_lstm_layer *layer, ur_params *params, uint64_t seed)
{
    const float bound = 1.0f / sqrtf((float)layer->hidden_size);
    const int all[] = {layer->weight_ih, layer->weight_hh, layer->bias_ih, layer->bias_hh};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        ur_init_uniform(params, all[i], bound, seed);
}

typedef struct lstm_node {
    ur_node node;
    const ur_lstm_layer *layer;
    ur_tensor *x, *y, *h_n, *c_n, *h0, *c0;
    ur_cpu_lstm op;
} lstm_node;

static void lstm_back(ur_tape *tape, ur_node *node)
{
    lstm_node *n = (lstm_node *)node;
    if (!n->y->grad && !n->h_n->grad && !n->c_n->grad)
        return;
    const ur_lstm_layer *l = n->layer;
    const ur_cpu_lstm_back back = {
        .forward = &n->op,
        .w_ih = ur_params_packed(tape->params, l->pack_ih_back),
        .w_hh = ur_params_packed(tape->params, l->pack_hh_back),
        .dy = n->y->grad,
        .dh_n = n->h_n->grad,
        .dc_n = n->c_n->grad,
        .dx = ur_grad(tape, n->x),
        .dh0 = ur_grad(tape, n->h0),
        .dc0 = ur_grad(tape, n->c0),
        .dw_ih = ur_weight_grad(tape, l->weight_ih),
        .dw_hh = ur_weight_grad(tape, l->weight_hh),
        .db_ih = ur_weight_grad(tape, l->bias_ih),
        .db_hh = ur_weight_grad(tape, l->bias_hh),
    };
    if (ur_tape_ok(tape) && !ur_cpu_lstm_backward(&tape->cpu, &back))
        ur_tape_fail(tape, UR_NO_MEMORY, "out of memory: lstm backward over %zu rows",
                     n->op.rows->rows);
}

/* Whether the input and the initial state fit the layer; fails the tape when they do not. */
static bool check_shapes(ur_tape *tape, const ur_lstm_layer *l, const ur_tensor *x, size_t batch,
                         ur_state s)
{
    if (x->ndim != 2 || x->dim[1] != l->input_size) {
        ur_tape_fail(tape, UR_INVALID,
                     "lstm_forward: input has %zu features, weight_ih_l0 wants %zu [x %s]",
                     x->dim[x->ndim - 1], l->input_size, ur_shape(x).text);
        return false;
    }
    const ur_tensor *states[] = {s.h, s.c};
    for (int i = 0; i < 2; i++)
        if (states[i] && (states[i]->ndim != 2 || states[i]->dim[0] != batch ||
                          states[i]->dim[1] != l->hidden_size)) {
            ur_tape_fail(tape, UR_INVALID, "lstm_forward: initial %s is %s, (%zu,%zu) expected",
                         i ? "c" : "h", ur_shape(states[i]).text, batch, l->hidden_size);
            return false;
        }
    return true;
}

static void record(ur_tape *tape, const ur_lstm_layer *l, ur_tensor *x, ur_lstm_out out,
                   ur_state initial, const ur_cpu_lstm *op)
{
    lstm_node *n = ur_record(tape, sizeof *n, lstm_back);
    if (!n)
        return;
    n->layer = l;
    n->x = x;
    n->y = out.y->values;
    n->h_n = out.h_n;
    n->c_n = out.c_n;
    n->h0 = initial.h;
    n->c0 = initial.c;
    n->op = *op;
    n->y->needs_grad = n->h_n->needs_grad = n->c_n->needs_grad = true;
}

/* The layer over step-major rows: x holds the rows themselves, or a table of which ids (else NULL)
 * picks them. */
static ur_lstm_out run(ur_tape *tape, const ur_lstm_layer *l, ur_tensor *x, const int32_t *ids,
                       const ur_layout *rows, ur_state initial)
{
    const ur_lstm_out nothing = {0};
    ur_cpu_lstm op = {
        .rows = rows,
        .input = l->input_size,
        .hidden = l->hidden_size,
        .gates_row = ur_cpu_lstm_gates_row(l->hidden_size),
        .w_ih = ur_params_packed(tape->params, l->pack_ih),
        .w_hh = ur_params_packed(tape->params, l->pack_hh),
        .b_ih = ur_weight(tape, l->bias_ih),
        .b_hh = ur_weight(tape, l->bias_hh),
        .x = ur_floats(x),
        .ids = ids,
        .table_rows = x->dim[0],
        .h0 = initial.h ? ur_floats(initial.h) : NULL,
        .c0 = initial.c ? ur_floats(initial.c) : NULL,
    };
    const ur_lstm_out out = {
        .y = ur_seq_new(tape, ur_rows_new(tape, rows->rows, l->hidden_size), rows),
        .h_n = ur_rows_new(tape, rows->batch, l->hidden_size),
        .c_n = ur_rows_new(tape, rows->batch, l->hidden_size),
    };
    const bool learn = ur_weights_learn(tape) || ur_wants_grad(tape, x) ||
                       ur_wants_grad(tape, initial.h) || ur_wants_grad(tape, initial.c);
    if (learn) {
        op.gates = ur_take(tape, rows->rows * op.gates_row, sizeof(float));
        op.c = ur_take(tape, rows->rows * l->hidden_size, sizeof(float));
    }
    if (!ur_tape_ok(tape))
        return nothing;
    op.y = ur_floats(out.y->values);
    op.h_n = ur_floats(out.h_n);
    op.c_n = ur_floats(out.c_n);
    if (!ur_cpu_lstm_forward(&tape->cpu, &op)) {
        ur_tape_fail(tape, UR_NO_MEMORY, "out of memory: lstm over %zu rows", rows->rows);
        return nothing;
    }
    if (learn)
        record(tape, l, x, out, initial, &op);
    return ur_tape_ok(tape) ? out : nothing;
}

ur_lstm_out ur_lstm(ur_tape *tape, const ur_lstm_layer *l, ur_seq *x, ur_state initial)
{
    if (!x || !ur_tape_ok(tape) || !check_shapes(tape, l, x->values, x->layout->batch, initial))
        return (ur_lstm_out){0};
    ur_seq *steps = ur_reorder(tape, x, UR_STEP_MAJOR);
    if (!steps)
        return (ur_lstm_out){0};
    ur_lstm_out out = run(tape, l, steps->values, NULL, steps->layout, initial);
    out.y = ur_reorder(tape, out.y, x->layout->order);
    return ur_tape_ok(tape) ? out : (ur_lstm_out){0};
}

ur_lstm_out ur_lstm_embedded(ur_tape *tape, const ur_lstm_layer *l,
                             const ur_embedding_layer *embedding, const ur_seq *ids,
                             ur_state initial)
{
    if (!ids || !ur_tape_ok(tape))
        return (ur_lstm_out){0};
    if (ids->layout->rows < embedding->count) /* depends on shapes alone: so do the bits */
        return ur_lstm(tape, l, ur_embedding(tape, embedding, ids), initial);
    ur_tensor *table = ur_parameter(tape, embedding->weight);
    const ur_seq *steps = ur_reorder(tape, ids, UR_STEP_MAJOR);
    if (!table || !steps || !ur_ids_in_range(tape, embedding, ids) ||
        !check_shapes(tape, l, table, ids->layout->batch, initial))
        return (ur_lstm_out){0};
    ur_lstm_out out = run(tape, l, table, ur_ints(steps->values), steps->layout, initial);
    out.y = ur_reorder(tape, out.y, ids->layout->order);
    return ur_tape_ok(tape) ? out : (ur_lstm_out){0};
}

ur_state ur_lstm_step(ur_tape *tape, const ur_lstm_layer *l, ur_tensor *x, ur_state state)
{
    if (!x || !ur_tape_ok(tape))
        return (ur_state){0};
    const size_t batch = x->dim[0];
    size_t *length = ur_take(tape, batch, sizeof *length);
    for (size_t b = 0; length && b < batch; b++)
        length[b] = 1;
    const ur_layout *layout =
        length ? ur_new_layout(tape, UR_STEP_MAJOR, batch, length, NULL) : NULL;
    const ur_lstm_out out = ur_lstm(tape, l, ur_seq_new(tape, x, layout), state);
    return (ur_state){out.h_n, out.c_n};
}
