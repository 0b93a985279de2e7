/* test_cells.c - the cells that PyTorch lacks, and every cell's options, byte for byte: sequences one
 * by one, single steps, embedded ids, every instruction set and number of threads; names, masks and
 * what is refused. */
#include "nn/made_up_cell.h"
#include "support/failing_alloc.h"
#include "support/slow.h"

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
    for (int i = 0; i < CASES; i += hurry() ? 3 : 1)
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

static void whole_is_streaming(void **state)
{
    (void)state;
    enum { T = 12 };
    const size_t length[BATCH] = {T, T, T, T, T, T};
    ur_context *context = context_of(NULL, 2, NULL);
    for (int i = 0; i < CASES; i++) {
        model m = model_new(context, &cases[i], WIDE);
        ur_stream *stream = NULL;
        float y[BATCH * WIDE];
        ur_tape_start(m.tape, UR_INFER, m.params, NULL, 0, 0);
        const ur_layout *l = ur_new_layout(m.tape, UR_STEP_MAJOR, BATCH, length, NULL);
        ur_seq *x = made_up_seq(m.tape, l, 1, 0, INPUT, false);
        const ur_rnn_out out = ur_rnn(m.tape, &m.stack, x, (ur_state){0});
        tape_fine(m.tape);
        assert_int_equal(ur_stream_new(context, m.params, &m.stack, BATCH, &stream, NULL), UR_OK);
        for (size_t t = 0; t < T; t++) {
            ur_stream_step(stream, ur_floats(x->values) + t * BATCH * INPUT, y);
            same_floats("y", cases[i].cell, ur_floats(out.y->values) + t * BATCH * WIDE, y,
                        BATCH * WIDE);
        }
        ur_stream_free(stream);
        model_free(&m);
    }
    ur_context_free(context);
}

/* ---- memory ------------------------------------------------------------------------------- */

static ur_status train(const ur_allocator *a, ur_err *err, void *arg)
{
    const ur_options options = {.allocator = a, .threads = 2};
    ur_rnn_config config = *(const ur_rnn_config *)arg;
    config.input_size = INPUT;
    config.hidden_size = 5;
    config.num_layers = 1;
    ur_context *context = NULL;
    ur_params *params = NULL;
    ur_tape *tape = NULL;
    ur_rnn_stack stack;
    float gradient[1024] = {0.0f};
    ur_status status = ur_context_new(&options, &context, err);
    if (status == UR_OK)
        status = ur_params_new(context, &params, err);
    if (status == UR_OK)
        status = ur_rnn_add(params, "rnn", &config, &stack, err);
    if (status == UR_OK)
        status = ur_params_seal(params, err);
    if (status == UR_OK)
        status = ur_tape_new(context, &tape, err);
    if (status == UR_OK) {
        assert_true(ur_params_size(params) <= sizeof gradient / sizeof *gradient);
        ur_tape_start(tape, UR_TRAIN, params, gradient, 1, 2);
        const ur_layout *l = ur_new_layout(tape, UR_STEP_MAJOR, BATCH, ragged, NULL);
        const ur_rnn_out out =
            ur_rnn(tape, &stack, made_up_seq(tape, l, 1, 0, INPUT, true), (ur_state){0});
        status = ur_backward(tape, ur_sum(tape, out.y ? out.y->values : NULL));
        if (status != UR_OK) {
            err->status = ur_tape_status(tape);
            strncpy(err->text, ur_error(tape), sizeof err->text - 1);
        }
    }
    ur_tape_free(tape);
    ur_params_free(params);
    ur_context_free(context);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (int i = 0; i < CASES; i++) {
        ur_rnn_config config = cases[i];
        assert_true(failing_alloc_sweep(train, &config) > 5);
    }
}

/* ---- names -------------------------------------------------------------------------------- */

static void parameter_names(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    model m =
        model_new(context, &(ur_rnn_config){.cell = "lstm_peephole", .bidirectional = true}, 5);
    static const char *const names[] = {"rnn.weight_ci_l0", "rnn.weight_cf_l0", "rnn.weight_co_l0",
                                        "rnn.weight_ci_l0_reverse"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_true(ur_params_find(m.params, names[i]) >= 0);
    model_free(&m);
    m = model_new(context, &(ur_rnn_config){.cell = "lstm_layer_norm"}, 5);
    static const char *const more[] = {"rnn.weight_ln_ih_l0", "rnn.weight_ln_hh_l0",
                                       "rnn.weight_ln_c_l0", "rnn.bias_ln_c_l0"};
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        assert_true(ur_params_find(m.params, more[i]) >= 0);
    model_free(&m);
    m = model_new(context, &(ur_rnn_config){.cell = "gru_original"}, 5);
    assert_true(ur_params_find(m.params, "rnn.weight_hh_l0") >= 0);
    assert_int_equal(ur_params_find(m.params, "rnn.weight_ci_l0"), -1);
    model_free(&m);
    ur_context_free(context);
}

/* ---- masks and refusals ------------------------------------------------------------------- */

static void masks_are_of_the_sequence(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    const ur_rnn_config options = {
        .cell = "lstm", .recurrent_dropout = 0.4f, .zoneout_h = 0.3f, .zoneout_c = 0.3f};
    model m = model_new(context, &options, WIDE);
    size_t length[400], zeros = 0, kept = 0;
    for (size_t b = 0; b < 400; b++)
        length[b] = 2;
    ur_tape_start(m.tape, UR_TRAIN, m.params, m.gradient, 1, 2);
    ur_recurrent_run op = {0};
    op.rows = ur_new_layout(m.tape, UR_STEP_MAJOR, 400, length, NULL);
    ur_cell_noise(m.tape, &m.stack.part[0], &op);
    tape_fine(m.tape);
    assert_int_equal(m.tape->drop_outs, 3);
    for (size_t i = 0; i < 400 * WIDE; i++) {
        zeros += op.mask[i] == 0.0f;
        kept += op.fresh_h[i] == 0.0f;
        assert_true(op.mask[i] == 0.0f || op.mask[i] == 1.0f / (1.0f - 0.4f));
        assert_true(op.fresh_h[i] == 0.0f || op.fresh_h[i] == 1.0f);
    }
    assert_true(zeros > 400 * WIDE * 38 / 100 && zeros < 400 * WIDE * 42 / 100);
    assert_true(kept > 400 * WIDE * 28 / 100 && kept < 400 * WIDE * 32 / 100);
    assert_memory_not_equal(op.fresh_h, op.fresh_c, 400 * WIDE * sizeof(float));
    assert_memory_not_equal(op.fresh_h, op.fresh_h + 400 * WIDE, 400 * WIDE * sizeof(float));
    model_free(&m);
    ur_context_free(context);
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        ur_rnn_config config;
        const char *part;
    } all[] = {
        {{.cell = "gru", .zoneout_c = 0.1f}, "no c"},
        {{.cell = "gru_original", .proj_size = 2}, "projection"},
        {{.cell = "lstm_peephole", .proj_size = 2}, "projection"},
        {{.cell = "lstm_layer_norm", .proj_size = 2}, "projection"},
        {{.cell = "lstm", .proj_size = 2, .zoneout_h = 0.1f}, "projection"},
        {{.cell = "lstm", .proj_size = 2, .zoneout_c = 0.1f}, "projection"},
        {{.cell = "lstm", .zoneout_h = 1.0f}, "[0, 1)"},
        {{.cell = "lstm", .zoneout_c = -0.1f}, "[0, 1)"},
        {{.cell = "lstm", .recurrent_dropout = 1.5f}, "[0, 1)"},
    };
    ur_context *context = context_of(NULL, 1, NULL);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        ur_params *params;
        ur_rnn_stack stack;
        ur_err err;
        ur_rnn_config config = all[i].config;
        config.input_size = config.hidden_size = 4;
        config.num_layers = 1;
        assert_int_equal(ur_params_new(context, &params, NULL), UR_OK);
        assert_int_equal(ur_rnn_add(params, "rnn", &config, &stack, &err), UR_INVALID);
        assert_non_null(strstr(err.text, all[i].part));
        ur_params_free(params);
    }
    ur_context_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ragged_is_one_by_one),
        cmocka_unit_test(same_on_every_machine),
        cmocka_unit_test(whole_is_single_steps),
        cmocka_unit_test(embedded_ids),
        cmocka_unit_test(whole_is_streaming),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(parameter_names),
        cmocka_unit_test(masks_are_of_the_sequence),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
