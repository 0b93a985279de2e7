/* rnn.c - stacks of recurrent layers, one way or both ways (torch.nn.RNN, nn.LSTM, nn.GRU).
 *
 * The backward direction is the same cell over sequences turned around at their own ends; its
 * outputs are turned back and stand right of the forward ones. Drop-out acts on what goes from
 * layer to layer. */
#include "nn/nn.h"

#include <stdio.h>

#include "base/status.h"

const char *ur_cell_name(size_t i)
{
    const ur_cell *cell = ur_cell_at(i);
    return cell ? cell->name : NULL;
}

static ur_status no_such_cell(const char *name, ur_err *err)
{
    char names[256] = "";
    size_t at = 0;
    for (size_t i = 0; ur_cell_name(i) && at < sizeof names; i++)
        at +=
            (size_t)snprintf(names + at, sizeof names - at, "%s%s", i ? ", " : "", ur_cell_name(i));
    return ur_fail(err, UR_INVALID, "rnn: there is no cell \"%s\" (%s)", name ? name : "", names);
}

static ur_status check_sizes(const ur_rnn_config *c, const ur_cell *cell, ur_err *err)
{
    if (!cell)
        return no_such_cell(c->cell, err);
    if (c->input_size < 1 || c->hidden_size < 1)
        return ur_fail(err, UR_INVALID, "%s: input size %zu and hidden size %zu must be at least 1",
                       cell->name, c->input_size, c->hidden_size);
    if (c->num_layers > UR_MOST_LAYERS)
        return ur_fail(err, UR_INVALID, "%s: %zu layers, 1 to %d expected", cell->name,
                       c->num_layers, UR_MOST_LAYERS);
    if (c->proj_size && !cell->projects)
        return ur_fail(err, UR_INVALID, "%s: only an lstm has a projection", cell->name);
    if (c->proj_size && c->proj_size >= c->hidden_size)
        return ur_fail(err, UR_INVALID, "lstm: projection size %zu must be below hidden size %zu",
                       c->proj_size, c->hidden_size);
    if (!(c->dropout >= 0.0f && c->dropout < 1.0f))
        return ur_fail(err, UR_INVALID, "%s: drop-out %g, it must be in [0, 1)", cell->name,
                       (double)c->dropout);
    if (c->dropout > 0.0f && c->num_layers <= 1)
        return ur_fail(err, UR_INVALID,
                       "%s: drop-out acts between layers, and there is only one layer", cell->name);
    if (c->average && !c->bidirectional)
        return ur_fail(err, UR_INVALID, "%s: there is only one direction, nothing to average",
                       cell->name);
    return UR_OK;
}

static ur_status check_noise(const ur_rnn_config *c, const ur_cell *cell, ur_err *err)
{
    const float p[] = {c->recurrent_dropout, c->zoneout_h, c->zoneout_c};
    static const char *const name[] = {"recurrent drop-out", "zoneout of h", "zoneout of c"};
    for (int i = 0; i < 3; i++)
        if (!(p[i] >= 0.0f && p[i] < 1.0f))
            return ur_fail(err, UR_INVALID, "%s: %s %g, it must be in [0, 1)", cell->name, name[i],
                           (double)p[i]);
    if (c->zoneout_c > 0.0f && !cell->has_c)
        return ur_fail(err, UR_INVALID, "%s: zoneout of c, but this cell has no c", cell->name);
    if ((c->zoneout_h > 0.0f || c->zoneout_c > 0.0f) && c->proj_size)
        return ur_fail(err, UR_INVALID,
                       "%s: zoneout keeps units of h, but a projection mixes them at every step",
                       cell->name);
    return UR_OK;
}

ur_status ur_rnn_check(const ur_rnn_config *config, ur_err *err)
{
    const ur_cell *cell = config->cell ? ur_cell_find(config->cell) : NULL;
    const ur_status status = check_sizes(config, cell, err);
    return status == UR_OK && cell ? check_noise(config, cell, err) : status;
}

static size_t directions(const ur_rnn_config *c)
{
    return c->bidirectional ? 2 : 1;
}

ur_status ur_rnn_add(ur_params *params, const char *prefix, const ur_rnn_config *config,
                     ur_rnn_stack *out, ur_err *err)
{
    const ur_status status = ur_rnn_check(config, err);
    if (status != UR_OK)
        return status;
    const ur_cell *cell = ur_cell_find(config->cell);
    const ur_backend *backend = ur_params_context(params)->backend;
    if (!backend->has_cell(cell))
        return ur_fail(err, UR_UNSUPPORTED, "rnn: the %s backend has no cell \"%s\"", backend->name,
                       cell->name);
    *out = (ur_rnn_stack){.config = *config};
    out->config.cell = cell->name;
    out->config.num_layers = config->num_layers ? config->num_layers : 1;
    const size_t width = config->proj_size ? config->proj_size : config->hidden_size;
    size_t input = config->input_size;
    for (size_t layer = 0; layer < out->config.num_layers; layer++) {
        for (size_t d = 0; d < directions(config); d++) {
            char suffix[32];
            snprintf(suffix, sizeof suffix, "l%zu%s", layer, d ? "_reverse" : "");
            ur_cell_layer *part = &out->part[out->count++];
            *part = ur_cell_add(params, prefix, suffix, cell, input, config->hidden_size,
                                config->proj_size, !config->no_bias);
            part->recurrent_dropout = config->recurrent_dropout;
            part->zoneout_h = config->zoneout_h;
            part->zoneout_c = config->zoneout_c;
        }
        input = directions(config) * width;
    }
    return UR_OK;
}

void ur_rnn_init(const ur_rnn_stack *stack, ur_params *params, uint64_t seed)
{
    UR_FPMODE_HERE;
    for (size_t i = 0; i < stack->count; i++)
        ur_cell_init(&stack->part[i], params, seed);
}

size_t ur_rnn_width(const ur_rnn_stack *stack)
{
    const ur_rnn_config *c = &stack->config;
    const size_t width = c->proj_size ? c->proj_size : c->hidden_size;
    return c->bidirectional && !c->average ? 2 * width : width;
}

/* ---- forward ------------------------------------------------------------------------------ */

/* What the first layer reads, or the one before it wrote. */
typedef struct input {
    ur_seq *x;                           /* rows of features, or ids: */
    const ur_embedding_layer *embedding; /* of this, unless NULL, */
    bool one_hot;                        /* or for one-hot rows */
    const ur_op *op;                     /* what was called */
} input;

static const ur_op rnn_op = {.name = "rnn"}, embedded_op = {.name = "rnn_embedded"},
                   one_hot_op = {.name = "rnn_one_hot"};

static ur_rnn_out run_part(ur_tape *tape, const ur_cell_layer *part, input in, bool backward,
                           ur_state initial, ur_seq **c)
{
    ur_seq *x = backward ? ur_reverse(tape, in.x) : in.x;
    ur_rnn_out out = in.one_hot ? ur_cell_over_one_hot(tape, in.op, part, x, initial)
                                : ur_cell_over(tape, in.op, part, in.embedding, x, initial, c);
    if (backward && out.y)
        out.y = ur_reverse(tape, out.y);
    if (backward && c && *c)
        *c = ur_reverse(tape, *c);
    return out;
}

static ur_state pick_state(ur_tape *tape, ur_state all, size_t index)
{
    return (ur_state){all.h ? ur_pick(tape, all.h, index) : NULL,
                      all.c ? ur_pick(tape, all.c, index) : NULL};
}

/* The two directions of a layer become one sequence. */
static ur_seq *join(ur_tape *tape, const ur_rnn_config *c, bool top, ur_seq *forward,
                    ur_seq *backward)
{
    if (!top || !c->average)
        return ur_concat_seq(tape, forward, backward);
    if (!forward || !backward)
        return NULL;
    ur_tensor *sum = ur_add(tape, forward->values, backward->values);
    return ur_seq_new(tape, ur_scale(tape, sum, 0.5f), forward->layout);
}

static bool check_state(ur_tape *tape, const ur_op *op, const ur_rnn_stack *stack, size_t batch,
                        ur_state initial)
{
    const ur_rnn_config *c = &stack->config;
    const ur_tensor *states[] = {initial.h, initial.c};
    const size_t widths[] = {c->proj_size ? c->proj_size : c->hidden_size, c->hidden_size};
    if (initial.c && !stack->part[0].cell->has_c) {
        ur_tape_fail(tape, UR_INVALID, "%s (%s): this cell has no c, but was given one", op->name,
                     c->cell);
        return false;
    }
    for (int i = 0; i < 2; i++) {
        const ur_tensor *s = states[i];
        if (!s || (s->ndim == 3 && s->dim[0] == stack->count && s->dim[1] == batch &&
                   s->dim[2] == widths[i]))
            continue;
        ur_tape_fail(tape, UR_INVALID,
                     "%s (%s): initial %s is %s, (%zu,%zu,%zu) expected: layers times directions, "
                     "sequences, features",
                     op->name, c->cell, i ? "c" : "h", ur_shape(s).text, stack->count, batch,
                     widths[i]);
        return false;
    }
    return true;
}

/* cells (N), unless NULL, receives the cell states of every step. */
static ur_rnn_out run_stack(ur_tape *tape, const ur_rnn_stack *stack, input in, ur_state initial,
                            ur_seq **cells)
{
    const ur_rnn_out nothing = {0};
    const ur_rnn_config *c = &stack->config;
    ur_tensor *h_n[2 * UR_MOST_LAYERS], *c_n[2 * UR_MOST_LAYERS] = {NULL};
    const bool ids = in.embedding || in.one_hot;
    if (!ur_operand_seq(tape, in.op, in.x, ids ? UR_I32 : UR_F32, ids ? 1 : 2) ||
        !check_state(tape, in.op, stack, in.x->layout->batch, initial))
        return nothing;
    const ur_order order = in.x->layout->order;
    in.x = ur_reorder(tape, in.x, UR_STEP_MAJOR); /* once, so that all sums run the same way */
    for (size_t layer = 0, i = 0; layer < c->num_layers; layer++) {
        ur_seq *y[2] = {NULL, NULL};
        for (size_t d = 0; d < directions(c); d++, i++) {
            const ur_rnn_out out = run_part(tape, &stack->part[i], in, d == 1,
                                            pick_state(tape, initial, i), cells ? &cells[i] : NULL);
            if (cells && cells[i])
                cells[i] = ur_reorder(tape, cells[i], order);
            y[d] = out.y;
            h_n[i] = out.h_n;
            c_n[i] = out.c_n;
        }
        const bool top = layer + 1 == c->num_layers;
        in = (input){c->bidirectional ? join(tape, c, top, y[0], y[1]) : y[0], NULL, false, in.op};
        if (!top)
            in.x = ur_dropout(tape, in.x, c->dropout);
    }
    if (!ur_tape_ok(tape))
        return nothing;
    const ur_rnn_out out = {ur_reorder(tape, in.x, order), ur_stack(tape, stack->count, h_n),
                            c_n[0] ? ur_stack(tape, stack->count, c_n) : NULL};
    return ur_tape_ok(tape) ? out : nothing;
}

ur_rnn_out ur_rnn(ur_tape *tape, const ur_rnn_stack *stack, ur_seq *x, ur_state initial)
{
    return run_stack(tape, stack, (input){x, NULL, false, &rnn_op}, initial, NULL);
}

ur_rnn_out ur_rnn_with_cells(ur_tape *tape, const ur_rnn_stack *stack, ur_seq *x, ur_state initial,
                             ur_seq **cells)
{
    for (size_t i = 0; i < stack->count; i++)
        cells[i] = NULL;
    if (ur_tape_ok(tape) && !stack->part[0].cell->has_c)
        ur_tape_fail(tape, UR_INVALID, "%s: the cell states of every step, but this cell has none",
                     stack->config.cell);
    const ur_rnn_out out = run_stack(tape, stack, (input){x, NULL, false, &rnn_op}, initial, cells);
    for (size_t i = 0; !ur_tape_ok(tape) && i < stack->count; i++)
        cells[i] = NULL;
    return out;
}

ur_rnn_out ur_rnn_embedded(ur_tape *tape, const ur_rnn_stack *stack,
                           const ur_embedding_layer *embedding, const ur_seq *ids, ur_state initial)
{
    if (ur_ids_unknown(ids)) /* which have no row in the table of products */
        return ur_rnn(tape, stack, ur_embedding(tape, embedding, ids), initial);
    ur_seq *x = ids ? ur_seq_new(tape, ids->values, ids->layout) : NULL;
    return run_stack(tape, stack, (input){x, embedding, false, &embedded_op}, initial, NULL);
}

ur_rnn_out ur_rnn_one_hot(ur_tape *tape, const ur_rnn_stack *stack, const ur_seq *ids,
                          ur_state initial)
{
    ur_seq *x = ids ? ur_seq_new(tape, ids->values, ids->layout) : NULL;
    return run_stack(tape, stack, (input){x, NULL, true, &one_hot_op}, initial, NULL);
}
