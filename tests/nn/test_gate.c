/* test_gate.c - an LSTM that gives out its output gate: what the gate is, the same bytes as without it
 * and on every machine, each sequence's last steps, and what is refused. */
#include "kernels/math.h"
#include "nn/made_up_cell.h"
#include "support/failing_alloc.h"

static const ur_rnn_config lstm = {.cell = "lstm"};

typedef struct outputs {
    const ur_layout *layout;
    ur_gate_out g;
    ur_tensor *last; /* of the gate: (BATCH, hidden) */
    ur_seq *x;
} outputs;

static outputs pass_with_gate(model *m, ur_mode mode)
{
    outputs o;
    ur_tape *t = m->tape;
    memset(m->gradient, 0, ur_params_size(m->params) * sizeof(float));
    ur_tape_start(t, mode, m->params, mode == UR_TRAIN ? m->gradient : NULL, 1, 1);
    o.layout = ur_new_layout(t, UR_STEP_MAJOR, BATCH, ragged, NULL);
    o.x = made_up_seq(t, o.layout, 1, 0, INPUT, true);
    const ur_state start = {made_up_rows(t, 2, 0, BATCH, m->hidden, false),
                            made_up_rows(t, 3, 0, BATCH, m->hidden, false)};
    o.g = ur_cell_with_gate(t, &m->stack.part[0], o.x, start);
    tape_fine(t);
    o.last = ur_last_steps(t, o.g.gate);
    ur_tensor *loss =
        weigh(t, o.g.gate->values, made_up_seq(t, o.layout, 4, 0, m->hidden, false)->values);
    loss = ur_add(t, loss, weigh(t, o.last, made_up_rows(t, 5, 0, BATCH, m->hidden, false)));
    loss = ur_add(t, loss, weigh(t, o.g.out.h_n, made_up_rows(t, 6, 0, BATCH, m->hidden, false)));
    if (mode == UR_TRAIN)
        ur_backward(t, loss);
    tape_fine(t);
    return o;
}

/* h = o tanh(c), of every sequence's last step; and the layer is the one without the gate. */
static void what_it_is(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    for (int mode = 0; mode < 2; mode++) {
        model m = model_new(context, &lstm, 19), plain = model_new(context, &lstm, 19);
        const outputs o = pass_with_gate(&m, mode ? UR_TRAIN : UR_INFER);
        const pass p = run(&plain, mode ? UR_TRAIN : UR_INFER, UR_STEP_MAJOR, ragged, 0, BATCH);
        same_floats("y", "without", ur_floats(p.out.y->values), ur_floats(o.g.out.y->values),
                    ROWS * 19);
        same_floats("c_n", "without", ur_floats(p.out.c_n), ur_floats(o.g.out.c_n), BATCH * 19);
        for (size_t b = 0; b < BATCH; b++)
            for (size_t u = 0; u < 19; u++) {
                const size_t at = b * 19 + u;
                const float gate = ur_floats(o.last)[at];
                const float h = gate * ur_tanhf(ur_floats(o.g.out.c_n)[at]);
                assert_true(ragged[b] ? h == ur_floats(o.g.out.h_n)[at] : gate == 0.0f);
                if (ragged[b])
                    same_floats("last", "rows",
                                ur_floats(o.g.gate->values) +
                                    ur_row(o.layout, b, ragged[b] - 1) * 19 + u,
                                &gate, 1);
            }
        model_free(&m);
        model_free(&plain);
    }
    ur_context_free(context);
}

static void same_on_every_machine(void **state)
{
    (void)state;
    static const size_t widths[] = {1, 19, 48};
    contexts all = contexts_new();
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
        const size_t H = widths[w];
        model want = model_new(all.at[0], &lstm, H);
        const outputs o = pass_with_gate(&want, UR_TRAIN);
        for (int c = 1; c < all.count; c++) {
            model got = model_new(all.at[c], &lstm, H);
            const outputs p = pass_with_gate(&got, UR_TRAIN);
            same_floats("gate", all.name[c], ur_floats(o.g.gate->values),
                        ur_floats(p.g.gate->values), ROWS * H);
            same_floats("dx", all.name[c], o.x->values->grad, p.x->values->grad, ROWS * INPUT);
            same_floats("gradient", all.name[c], want.gradient, got.gradient,
                        ur_params_size(want.params));
            model_free(&got);
        }
        model_free(&want);
    }
    contexts_free(&all);
}

static void refused(void **state)
{
    (void)state;
    static const ur_rnn_config gru = {.cell = "gru"};
    ur_context *context = context_of("plain", 1, NULL);
    for (int i = 0; i < 4; i++) {
        model m = model_new(context, i ? &lstm : &gru, 5);
        ur_tape *t = m.tape;
        ur_tape_start(t, UR_INFER, m.params, NULL, 0, 0);
        const ur_order order = i == 1 ? UR_SEQUENCE_MAJOR : UR_STEP_MAJOR;
        const ur_layout *l = ur_new_layout(t, order, BATCH, ragged, NULL);
        const int32_t ids[ROWS] = {3, INPUT};
        const ur_seq *x = i == 3 ? ur_seq_ints(t, l, ids)
                                 : made_up_seq(t, l, 1, 0, i == 2 ? INPUT + 1 : INPUT, false);
        const ur_gate_out o = ur_cell_with_gate(t, &m.stack.part[0], x, (ur_state){0});
        assert_true(!o.gate && !o.out.y);
        static const char *const parts[] = {"by an LSTM only", "step-major", "features", "id 7"};
        tape_failed(t, i < 2 ? UR_UNSUPPORTED : UR_INVALID, parts[i]);
        assert_null(ur_last_steps(t, o.gate));
        model_free(&m);
    }
    model m = model_new(context, &lstm, 5);
    ur_tape_start(m.tape, UR_INFER, m.params, NULL, 0, 0);
    const ur_layout *l = ur_new_layout(m.tape, UR_STEP_MAJOR, BATCH, ragged, NULL);
    assert_null(ur_last_steps(m.tape, ur_seq_ints(m.tape, l, (const int32_t[ROWS]){0})));
    tape_failed(m.tape, UR_INVALID, "last_steps: operand (27) is of int32 ids");
    model_free(&m);
    ur_context_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_is),
        cmocka_unit_test(same_on_every_machine),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
