/* gate.c - a recurrent layer that also gives out the last gate of every step: of an LSTM
 *   o_t = sigma(W_io x_t + b_io + W_ho h_{t-1} + b_ho)
 * which the layer computes anyway; backward takes the gate's gradient beside that of h = o tanh(c). */
#include "nn/nn.h"

ur_gate_out ur_cell_with_gate(ur_tape *tape, const ur_cell_layer *l, const ur_seq *x,
                              ur_state initial)
{
    const ur_gate_out nothing = {0};
    if (!x || !ur_tape_ok(tape))
        return nothing;
    if (!l->cell->gives_o || x->layout->order != UR_STEP_MAJOR) {
        ur_tape_fail(tape, UR_UNSUPPORTED, "%s_forward: a gate is given out %s", l->cell->name,
                     l->cell->gives_o ? "for step-major sequences only" : "by an LSTM only");
        return nothing;
    }
    static const ur_op op = {.name = "one_hot"};
    ur_cell_input in = {.x = x->values};
    if (!(x->values->dtype == UR_I32 ? ur_one_hot_input(tape, &op, l, x, &in)
                                     : ur_cell_check_input(tape, l, x->values)))
        return nothing;
    in.gate = ur_rows_new(tape, x->layout->rows, l->hidden_size);
    if (!in.gate)
        return nothing;
    const ur_gate_out all = {ur_cell_run(tape, l, in, x->layout, initial, NULL),
                             ur_seq_new(tape, in.gate, x->layout)};
    return ur_tape_ok(tape) ? all : nothing;
}
