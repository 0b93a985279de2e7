/* cell.c - one recurrent layer in one direction, over ragged sequences.
 *
 *   a = W_ih x + b_ih + W_hh h + b_hh,   (m', c') = cell(a, h, c),   h' = m' or W_hr m'
 * The cells' equations are in backend/cpu/cell_*.c, the arithmetic in backend/cpu/recurrent.c; this
 * file says which tensors go in and come out, and who owns them. Backward needs x, y, the gates
 * after activation, every step's c, and h before projection. */
#include "nn/nn.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "backend/cpu/recurrent.h"

ur_cell_layer ur_cell_add(ur_params *params, const char *prefix, const char *suffix,
                          const struct ur_cell *cell, size_t input_size, size_t hidden_size,
                          size_t proj_size, bool bias)
{
    const size_t gates =
        hidden_size <= SIZE_MAX / cell->gates ? cell->gates * hidden_size : SIZE_MAX;
    const size_t width = proj_size ? proj_size : hidden_size;
    ur_cell_layer l = {.cell = cell,
                       .input_size = input_size,
                       .hidden_size = hidden_size,
                       .proj_size = proj_size,
                       .bias_ih = -1,
                       .bias_hh = -1,
                       .weight_hr = -1,
                       .pack_hr = -1,
                       .pack_hr_back = -1,
                       .pack_late = -1,
                       .pack_late_back = -1};
    const struct {
        const char *name;
        int *to;
        size_t rows, columns;
        bool wanted;
    } all[] = {{"weight_ih_", &l.weight_ih, gates, input_size, true},
               {"weight_hh_", &l.weight_hh, gates, width, true},
               {"bias_ih_", &l.bias_ih, gates, 0, bias},
               {"bias_hh_", &l.bias_hh, gates, 0, bias},
               {"weight_hr_", &l.weight_hr, proj_size, hidden_size, proj_size > 0}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s%s", all[i].name, suffix);
        if (all[i].wanted)
            *all[i].to = ur_layer_param(params, prefix, name, all[i].rows, all[i].columns);
    }
    for (size_t i = 0; i < UR_CELL_EXTRA; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s_%s", cell->own[i].name ? cell->own[i].name : "", suffix);
        l.extra[i] = cell->own[i].name
                         ? ur_layer_param(params, prefix, name, cell->own[i].size * hidden_size, 0)
                         : -1;
    }
    l.pack_ih = ur_params_pack(params, l.weight_ih, UR_PACK_ROWS, cell->gates);
    const size_t late = cell->late, before = gates - late * hidden_size;
    l.pack_hh =
        ur_params_pack_part(params, l.weight_hh, UR_PACK_ROWS, cell->gates - late, 0, before);
    l.pack_ih_back = ur_params_pack(params, l.weight_ih, UR_PACK_COLS, 1);
    l.pack_hh_back = ur_params_pack_part(params, l.weight_hh, UR_PACK_COLS, 1, 0, before);
    if (late) {
        l.pack_late = ur_params_pack_part(params, l.weight_hh, UR_PACK_ROWS, late, before, gates);
        l.pack_late_back = ur_params_pack_part(params, l.weight_hh, UR_PACK_COLS, 1, before, gates);
    }
    if (proj_size) {
        l.pack_hr = ur_params_pack(params, l.weight_hr, UR_PACK_ROWS, 1);
        l.pack_hr_back = ur_params_pack(params, l.weight_hr, UR_PACK_COLS, 1);
    }
    return l;
}

static void init_extra(ur_params *params, int index, const ur_cell_weight *weight, float bound,
                       uint64_t seed)
{
    float *x = ur_param_values(params, index);
    if (!weight->constant)
        ur_init_uniform(params, index, bound, seed);
    for (size_t i = 0; x && weight->constant && i < ur_params_entry(params, (size_t)index)->count;
         i++)
        x[i] = weight->start;
}

void ur_cell_init(const ur_cell_layer *layer, ur_params *params, uint64_t seed)
{
    UR_FPMODE_HERE;
    const float bound = 1.0f / sqrtf((float)layer->hidden_size);
    const int all[] = {layer->weight_ih, layer->weight_hh, layer->bias_ih, layer->bias_hh,
                       layer->weight_hr};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i] >= 0)
            ur_init_uniform(params, all[i], bound, seed);
    for (size_t i = 0; i < UR_CELL_EXTRA; i++)
        if (layer->extra[i] >= 0)
            init_extra(params, layer->extra[i], &layer->cell->own[i], bound, seed);
}

static size_t width_of(const ur_cell_layer *l)
{
    return l->proj_size ? l->proj_size : l->hidden_size;
}

_Static_assert((int)UR_CELL_EXTRA == (int)UR_CELL_OWN, "as many in a layer as in a cell");

typedef struct cell_node {
    ur_node node;
    const ur_cell_layer *layer;
    ur_tensor *x, *y, *h_n, *c_n, *h0, *c0;
    ur_tensor *c;    /* of every step, where asked for */
    ur_tensor *gate; /* the last gate of every step where it was asked for, else NULL */
    ur_cpu_recurrent op;
} cell_node;

static const float *packed_of(const ur_params *params, int pack)
{
    return pack < 0 ? NULL : ur_params_packed(params, pack);
}

ur_cpu_recurrent ur_cell_operation(const ur_params *params, const ur_cell_layer *l)
{
    ur_cpu_recurrent op = {
        .cell = l->cell,
        .input = l->input_size,
        .hidden = l->hidden_size,
        .proj = l->proj_size,
        .gates_row = ur_recurrent_gates_row(l->cell, l->hidden_size),
        .w_ih = packed_of(params, l->pack_ih),
        .w_hh = packed_of(params, l->pack_hh),
        .w_late = packed_of(params, l->pack_late),
        .w_hr = packed_of(params, l->pack_hr),
        .b_ih = ur_param_data(params, l->bias_ih),
        .b_hh = ur_param_data(params, l->bias_hh),
        .zoneout_h = l->zoneout_h,
        .zoneout_c = l->zoneout_c,
    };
    for (size_t i = 0; i < UR_CELL_EXTRA; i++)
        op.own[i] = ur_param_data(params, l->extra[i]);
    return op;
}

/* What backward computes as products: set by them rather than added to zeros, where it can be. */
static void gradients_of_products(ur_tape *tape, const cell_node *n, ur_cpu_recurrent_back *back)
{
    const ur_cell_layer *l = n->layer;
    if (n->op.rows->steps == 0) {
        back->dx = ur_grad(tape, n->x);
        return;
    }
    back->dx = ur_grad_to_set(tape, n->x, &back->blank.dx);
    back->dw_ih = n->op.column ? ur_weight_grad(tape, l->weight_ih)
                               : ur_weight_grad_to_set(tape, l->weight_ih, &back->blank.dw_ih);
    back->dw_hh = ur_weight_grad_to_set(tape, l->weight_hh, &back->blank.dw_hh);
    back->dw_hr = ur_weight_grad_to_set(tape, l->weight_hr, &back->blank.dw_hr);
}

static void cell_back(ur_tape *tape, ur_node *node)
{
    cell_node *n = (cell_node *)node;
    const float *dc_n = n->c_n ? n->c_n->grad : NULL, *dc = n->c ? n->c->grad : NULL;
    const float *d_o = n->gate ? n->gate->grad : NULL;
    if (!n->y->grad && !n->h_n->grad && !dc_n && !dc && !d_o)
        return;
    const ur_cell_layer *l = n->layer;
    ur_cpu_recurrent_back back = {
        .forward = &n->op,
        .w_ih = packed_of(tape->params, l->pack_ih_back),
        .w_hh = packed_of(tape->params, l->pack_hh_back),
        .w_hr = packed_of(tape->params, l->pack_hr_back),
        .dy = n->y->grad,
        .d_o = d_o,
        .dh_n = n->h_n->grad,
        .dc_n = dc_n,
        .dc = dc,
        .dh0 = ur_grad(tape, n->h0),
        .dc0 = ur_grad(tape, n->c0),
        .db_ih = ur_weight_grad(tape, l->bias_ih),
        .db_hh = ur_weight_grad(tape, l->bias_hh),
        .w_late = packed_of(tape->params, l->pack_late_back),
    };
    for (size_t i = 0; i < UR_CELL_EXTRA; i++)
        back.d_own[i] = ur_weight_grad(tape, l->extra[i]);
    gradients_of_products(tape, n, &back);
    if (ur_tape_ok(tape) && !ur_cpu_recurrent_backward(&tape->cpu, &back))
        ur_tape_fail(tape, UR_NO_MEMORY, "out of memory: %s backward over %zu rows", l->cell->name,
                     n->op.rows->rows);
}

/* Whether the input, or the initial state, fits the layer; fails the tape when it does not. */
bool ur_cell_check_input(ur_tape *tape, const ur_cell_layer *l, const ur_tensor *x)
{
    if (x->ndim == 2 && x->dim[1] == l->input_size)
        return true;
    const char *weight = ur_params_entry(tape->params, (size_t)l->weight_ih)->name;
    const char *dot = strrchr(weight, '.');
    ur_tape_fail(tape, UR_INVALID, "%s_forward: input has %zu features, %s wants %zu [x %s]",
                 l->cell->name, x->dim[x->ndim - 1], dot ? dot + 1 : weight, l->input_size,
                 ur_shape(x).text);
    return false;
}

static bool check_state(ur_tape *tape, const ur_cell_layer *l, size_t batch, ur_state s)
{
    const char *name = l->cell->name;
    if (s.c && !l->cell->has_c) {
        ur_tape_fail(tape, UR_INVALID, "%s_forward: this cell has no c, but was given one", name);
        return false;
    }
    const ur_tensor *states[] = {s.h, s.c};
    const size_t widths[] = {width_of(l), l->hidden_size};
    for (int i = 0; i < 2; i++)
        if (states[i] && (states[i]->ndim != 2 || states[i]->dim[0] != batch ||
                          states[i]->dim[1] != widths[i])) {
            ur_tape_fail(tape, UR_INVALID, "%s_forward: initial %s is %s, (%zu,%zu) expected", name,
                         i ? "c" : "h", ur_shape(states[i]).text, batch, widths[i]);
            return false;
        }
    return true;
}

static void record(ur_tape *tape, const ur_cell_layer *l, ur_cell_input in, ur_rnn_out out,
                   ur_tensor *c, ur_state initial, const ur_cpu_recurrent *op)
{
    cell_node *n = ur_record(tape, sizeof *n, cell_back);
    if (!n)
        return;
    n->layer = l;
    n->x = in.x;
    n->gate = in.gate;
    n->y = out.y->values;
    n->h_n = out.h_n;
    n->c_n = out.c_n;
    n->c = c;
    n->h0 = initial.h;
    n->c0 = initial.c;
    n->op = *op;
    n->y->needs_grad = n->h_n->needs_grad = true;
    if (n->c_n)
        n->c_n->needs_grad = true;
    if (n->c)
        n->c->needs_grad = true;
    if (n->gate)
        n->gate->needs_grad = true;
}

/* Memory for what backward needs. */
static void keep_for_backward(ur_tape *tape, const ur_cell_layer *l, ur_cpu_recurrent *op)
{
    const size_t rows = op->rows->rows;
    op->gates = ur_take(tape, rows * op->gates_row, sizeof(float));
    if (l->cell->split)
        op->h_gates = ur_take(tape, rows * op->gates_row, sizeof(float));
    if (l->cell->has_c && !op->c)
        op->c = ur_take(tape, rows * l->hidden_size, sizeof(float));
    if (l->cell->late)
        op->late = ur_take(tape, rows * l->hidden_size, sizeof(float));
    if (l->cell->whole_rows)
        op->x_norm = ur_take(tape, rows * op->gates_row, sizeof(float));
    if (op->mask)
        op->h_in = ur_take(tape, rows * width_of(l), sizeof(float));
    if (l->zoneout_c > 0.0f)
        op->c_new = ur_take(tape, rows * l->hidden_size, sizeof(float));
    if (ur_recurrent_has_m(op))
        op->m = ur_take(tape, rows * l->hidden_size, sizeof(float));
}

/* The last gate's columns of the gates that were kept. */
static void copy_last_gate(const ur_cpu_recurrent *op, float *gate)
{
    const size_t before = (op->cell->gates - 1) * op->hidden;
    for (size_t r = 0; r < op->rows->rows; r++)
        memcpy(gate + r * op->hidden, op->gates + r * op->gates_row + before,
               op->hidden * sizeof *gate);
}

/* Whether the layer is one of the tape's parameters; fails the tape when not. */
static bool check_weights(ur_tape *tape, const ur_cell_layer *l)
{
    const size_t gates = l->cell->gates * l->hidden_size;
    const ur_weight_shape all[] = {{l->weight_ih, l->pack_ih, gates, l->input_size},
                                   {l->weight_hh, l->pack_hh, gates, width_of(l)},
                                   {l->bias_ih, -1, gates, 0},
                                   {l->bias_hh, -1, gates, 0},
                                   {l->weight_hr, l->pack_hr, l->proj_size, l->hidden_size}};
    ur_weight_shape used[sizeof all / sizeof *all];
    size_t n = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (i < 2 || all[i].index >= 0)
            used[n++] = all[i];
    return ur_has_weights(tape, l->cell->name, n, used);
}

ur_rnn_out ur_cell_run(ur_tape *tape, const ur_cell_layer *l, ur_cell_input in,
                       const ur_layout *rows, ur_state initial, ur_seq **c)
{
    const ur_rnn_out nothing = {0};
    if (!check_state(tape, l, rows->batch, initial) || !check_weights(tape, l))
        return nothing;
    ur_cpu_recurrent op = ur_cell_operation(tape->params, l);
    op.rows = rows;
    op.x = in.x ? ur_floats(in.x) : NULL;
    op.ids = in.ids;
    op.table_rows = in.table_rows;
    op.column = in.column;
    op.w_ih_rows = ur_param_data(tape->params, l->weight_ih);
    op.h0 = initial.h ? ur_floats(initial.h) : NULL;
    op.c0 = initial.c ? ur_floats(initial.c) : NULL;
    const ur_rnn_out out = {
        .y = ur_seq_new(tape, ur_rows_new(tape, rows->rows, width_of(l)), rows),
        .h_n = ur_rows_new(tape, rows->batch, width_of(l)),
        .c_n = l->cell->has_c ? ur_rows_new(tape, rows->batch, l->hidden_size) : NULL,
    };
    const bool learn = ur_weights_learn(tape) || ur_wants_grad(tape, in.x) ||
                       ur_wants_grad(tape, initial.h) || ur_wants_grad(tape, initial.c);
    ur_tensor *steps = c && l->cell->has_c ? ur_rows_new(tape, rows->rows, l->hidden_size) : NULL;
    op.c = steps ? ur_floats(steps) : NULL;
    ur_cell_noise(tape, l, &op);
    if (learn)
        keep_for_backward(tape, l, &op);
    else if (in.gate)
        op.gates = ur_take(tape, rows->rows * op.gates_row, sizeof(float));
    if (!ur_tape_ok(tape))
        return nothing;
    op.y = ur_floats(out.y->values);
    op.h_n = ur_floats(out.h_n);
    op.c_n = out.c_n ? ur_floats(out.c_n) : NULL;
    if (!ur_cpu_recurrent_forward(&tape->cpu, &op)) {
        ur_tape_fail(tape, UR_NO_MEMORY, "out of memory: %s over %zu rows", l->cell->name,
                     rows->rows);
        return nothing;
    }
    if (in.gate)
        copy_last_gate(&op, ur_floats(in.gate));
    if (learn)
        record(tape, l, in, out, steps, initial, &op);
    if (steps)
        *c = ur_seq_new(tape, steps, rows);
    return ur_tape_ok(tape) ? out : nothing;
}

ur_rnn_out ur_cell_over(ur_tape *tape, const ur_cell_layer *l, const ur_embedding_layer *embedding,
                        ur_seq *x, ur_state initial, ur_seq **c)
{
    if (!x || !ur_tape_ok(tape))
        return (ur_rnn_out){0};
    if (embedding && x->layout->rows < embedding->count) { /* by shapes alone: so do the bits */
        x = ur_embedding(tape, embedding, x);
        embedding = NULL;
    }
    const ur_seq *steps = ur_reorder(tape, x, UR_STEP_MAJOR);
    ur_tensor *values = embedding ? ur_parameter(tape, embedding->weight) : x ? x->values : NULL;
    if (!steps || !values || (embedding && !ur_ids_in_range(tape, embedding, steps)) ||
        !ur_cell_check_input(tape, l, values))
        return (ur_rnn_out){0};
    const ur_cell_input in = embedding ? (ur_cell_input){.x = values,
                                                         .ids = ur_ints(steps->values),
                                                         .table_rows = values->dim[0]}
                                       : (ur_cell_input){.x = steps->values};
    ur_seq *c_steps = NULL;
    ur_rnn_out out = ur_cell_run(tape, l, in, steps->layout, initial, c ? &c_steps : NULL);
    out.y = ur_reorder(tape, out.y, x->layout->order);
    if (c)
        *c = ur_reorder(tape, c_steps, x->layout->order);
    return ur_tape_ok(tape) ? out : (ur_rnn_out){0};
}

ur_rnn_out ur_cell_forward(ur_tape *tape, const ur_cell_layer *l, ur_seq *x, ur_state initial)
{
    return ur_cell_over(tape, l, NULL, x, initial, NULL);
}

ur_rnn_out ur_cell_embedded(ur_tape *tape, const ur_cell_layer *l,
                            const ur_embedding_layer *embedding, const ur_seq *ids,
                            ur_state initial)
{
    ur_seq *x = ids ? ur_seq_new(tape, ids->values, ids->layout) : NULL;
    return ur_cell_over(tape, l, embedding, x, initial, NULL);
}

ur_state ur_cell_single_step(ur_tape *tape, const ur_cell_layer *l, ur_tensor *x, ur_state state)
{
    if (!x || !ur_tape_ok(tape))
        return (ur_state){0};
    const size_t batch = x->dim[0];
    size_t *length = ur_take(tape, batch, sizeof *length);
    for (size_t b = 0; length && b < batch; b++)
        length[b] = 1;
    const ur_layout *layout =
        length ? ur_new_layout(tape, UR_STEP_MAJOR, batch, length, NULL) : NULL;
    const ur_rnn_out out = ur_cell_forward(tape, l, ur_seq_new(tape, x, layout), state);
    return (ur_state){out.h_n, out.c_n};
}
