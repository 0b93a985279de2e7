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

/* Inputs x h0 c0; outputs y h_n c_n, and where they were asked for every step's c and last gate. */
typedef struct cell_node {
    ur_node node;
    ur_cell_layer layer;
    ur_recurrent_pass pass;
} cell_node;

enum { X, H0, C0, INS, Y = 0, H_N, C_N, C, GATE, OUTS };

static const float *packed_of(const ur_params *params, int pack)
{
    return pack < 0 ? NULL : ur_params_packed(params, pack);
}

ur_recurrent_plan ur_cell_plan(const ur_params *params, const ur_cell_layer *l)
{
    ur_recurrent_plan plan = {
        .cell = l->cell,
        .input = l->input_size,
        .hidden = l->hidden_size,
        .proj = l->proj_size,
        .w_ih = packed_of(params, l->pack_ih),
        .w_hh = packed_of(params, l->pack_hh),
        .w_late = packed_of(params, l->pack_late),
        .w_hr = packed_of(params, l->pack_hr),
        .w_ih_rows = ur_param_on_device(params, l->weight_ih),
        .b_ih = ur_param_on_device(params, l->bias_ih),
        .b_hh = ur_param_on_device(params, l->bias_hh),
        .zoneout_h = l->zoneout_h,
        .zoneout_c = l->zoneout_c,
    };
    for (size_t i = 0; i < UR_CELL_EXTRA; i++)
        plan.own[i] = ur_param_on_device(params, l->extra[i]);
    return plan;
}

/* What backward computes as products: set by them rather than added to zeros, where it can be. */
static void gradients_of_products(ur_tape *tape, const cell_node *n, ur_recurrent_back *back)
{
    const ur_cell_layer *l = &n->layer;
    if (n->pass.run.rows->steps == 0) {
        back->dx = ur_grad(tape, n->node.in[X]);
        return;
    }
    back->dx = ur_grad_to_set(tape, n->node.in[X], &back->blank.dx);
    back->dw_ih = n->pass.run.column
                      ? ur_weight_grad(tape, l->weight_ih)
                      : ur_weight_grad_to_set(tape, l->weight_ih, &back->blank.dw_ih);
    back->dw_hh = ur_weight_grad_to_set(tape, l->weight_hh, &back->blank.dw_hh);
    back->dw_hr = ur_weight_grad_to_set(tape, l->weight_hr, &back->blank.dw_hr);
}

static const float *grad_of(const ur_tensor *x)
{
    return x ? x->grad : NULL;
}

static void cell_back(ur_tape *tape, ur_node *node)
{
    const cell_node *n = (cell_node *)node;
    const ur_cell_layer *l = &n->layer;
    ur_recurrent_back back = {
        .forward = &n->pass,
        .w_ih = packed_of(tape->params, l->pack_ih_back),
        .w_hh = packed_of(tape->params, l->pack_hh_back),
        .w_hr = packed_of(tape->params, l->pack_hr_back),
        .w_late = packed_of(tape->params, l->pack_late_back),
        .dy = grad_of(node->out[Y]),
        .d_gate = grad_of(node->out[GATE]),
        .dh_n = grad_of(node->out[H_N]),
        .dc_n = grad_of(node->out[C_N]),
        .dc = grad_of(node->out[C]),
        .dh0 = ur_grad(tape, node->in[H0]),
        .dc0 = ur_grad(tape, node->in[C0]),
        .db_ih = ur_weight_grad(tape, l->bias_ih),
        .db_hh = ur_weight_grad(tape, l->bias_hh),
    };
    for (size_t i = 0; i < UR_CELL_EXTRA; i++)
        back.d_own[i] = ur_weight_grad(tape, l->extra[i]);
    gradients_of_products(tape, n, &back);
    if (ur_tape_ok(tape) && !tape->backend->recurrent_back(&tape->on, &back))
        ur_tape_fail(tape, UR_NO_MEMORY, "out of memory: %s backward over %zu rows", l->cell->name,
                     n->pass.run.rows->rows);
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

static float *data_in(const ur_tensor *x)
{
    return x ? x->data : NULL;
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
    UR_FPMODE_HERE;
    static const ur_op op = {"recurrent", cell_back, true};
    const ur_rnn_out nothing = {0};
    const size_t width = width_of(l), hidden = l->hidden_size;
    const bool has_c = l->cell->has_c;
    if (!check_state(tape, l, rows->batch, initial) || !check_weights(tape, l))
        return nothing;
    ur_tensor *const ins[INS] = {in.x, initial.h, initial.c};
    ur_tensor *const outs[OUTS] = {
        ur_rows_new(tape, rows->rows, width), ur_rows_new(tape, rows->batch, width),
        has_c ? ur_rows_new(tape, rows->batch, hidden) : NULL,
        has_c && c ? ur_rows_new(tape, rows->rows, hidden) : NULL, in.gate};
    ur_recurrent_pass pass = {
        .plan = ur_cell_plan(tape->params, l),
        .run = {.rows = rows,
                .x = data_in(in.x),
                .ids = in.ids,
                .table_rows = in.table_rows,
                .column = in.column,
                .h0 = data_in(initial.h),
                .c0 = data_in(initial.c),
                .y = data_in(outs[Y]),
                .c = data_in(outs[C]),
                .gate = data_in(in.gate),
                .h_n = data_in(outs[H_N]),
                .c_n = data_in(outs[C_N])},
    };
    const bool learn = ur_weights_learn(tape) || ur_wants_grad(tape, in.x) ||
                       ur_wants_grad(tape, initial.h) || ur_wants_grad(tape, initial.c);
    ur_cell_noise(tape, l, &pass.run);
    if (learn)
        pass.saved = ur_take_floats(tape, tape->backend->recurrent_saved(&pass));
    if (!ur_tape_ok(tape))
        return nothing;
    if (!tape->backend->recurrent(&tape->on, &pass)) {
        ur_tape_fail(tape, UR_NO_MEMORY, "out of memory: %s over %zu rows", l->cell->name,
                     rows->rows);
        return nothing;
    }
    outs[Y]->needs_grad = learn;
    cell_node *n = ur_record_all(tape, &op, sizeof *n, OUTS, outs, INS, ins);
    if (n) {
        n->layer = *l;
        n->pass = pass;
    }
    if (c)
        *c = outs[C] ? ur_seq_new(tape, outs[C], rows) : NULL;
    const ur_rnn_out out = {ur_seq_new(tape, outs[Y], rows), outs[H_N], outs[C_N]};
    return ur_tape_ok(tape) ? out : nothing;
}

ur_rnn_out ur_cell_over(ur_tape *tape, const ur_op *op, const ur_cell_layer *l,
                        const ur_embedding_layer *embedding, ur_seq *x, ur_state initial,
                        ur_seq **c)
{
    const ur_rnn_out nothing = {0};
    if (!ur_tape_ok(tape) || !(embedding ? ur_ids_in_range(tape, op, embedding->count, false, x)
                                         : ur_operand_seq(tape, op, x, UR_F32, 2) &&
                                               ur_cell_check_input(tape, l, x->values)))
        return nothing;
    if (embedding && x &&
        x->layout->rows < embedding->count) { /* by shapes alone: so do the bits */
        x = ur_embedding(tape, embedding, x);
        embedding = NULL;
    }
    const ur_order order = x ? x->layout->order : UR_STEP_MAJOR;
    const ur_seq *steps = x ? ur_reorder(tape, x, UR_STEP_MAJOR) : NULL;
    ur_tensor *values = embedding ? ur_parameter(tape, embedding->weight)
                        : steps   ? steps->values
                                  : NULL;
    if (!steps || !values || !ur_cell_check_input(tape, l, values))
        return nothing;
    ur_cell_input in = {.x = values};
    if (embedding) {
        in.ids = ur_ints(steps->values);
        in.table_rows = values->dim[0];
    }
    ur_seq *c_steps = NULL;
    ur_rnn_out out = ur_cell_run(tape, l, in, steps->layout, initial, c ? &c_steps : NULL);
    out.y = out.y ? ur_reorder(tape, out.y, order) : NULL;
    if (c)
        *c = c_steps ? ur_reorder(tape, c_steps, order) : NULL;
    return ur_tape_ok(tape) ? out : nothing;
}

ur_rnn_out ur_cell_forward(ur_tape *tape, const ur_cell_layer *l, ur_seq *x, ur_state initial)
{
    static const ur_op op = {.name = "cell_forward"};
    return ur_cell_over(tape, &op, l, NULL, x, initial, NULL);
}

ur_rnn_out ur_cell_embedded(ur_tape *tape, const ur_cell_layer *l,
                            const ur_embedding_layer *embedding, const ur_seq *ids,
                            ur_state initial)
{
    static const ur_op op = {.name = "cell_embedded"};
    ur_seq *x = ids ? ur_seq_new(tape, ids->values, ids->layout) : NULL;
    return ur_cell_over(tape, &op, l, embedding, x, initial, NULL);
}

ur_state ur_cell_single_step(ur_tape *tape, const ur_cell_layer *l, ur_tensor *x, ur_state state)
{
    if (!x || !ur_tape_ok(tape))
        return (ur_state){0};
    const ur_layout *layout = ur_one_step_layout(tape, x->dim[0]);
    const ur_rnn_out out = ur_cell_forward(tape, l, ur_seq_new(tape, x, layout), state);
    return (ur_state){out.h_n, out.c_n};
}
