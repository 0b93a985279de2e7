/* test_stream.c - recurrent stacks one step at a time: the bytes of the whole sequence, states to
 * the caller and back, nothing taken after creation. */
#include "support/contexts.h"
#include "support/failing_alloc.h"
#include "unroll/nn.h"

#include <fenv.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum {
    BATCH = 3,
    STEPS = 7,
    INPUT = 5,
    HIDDEN = 19,
    PROJ = 6,
    MOST_STATE = 2 * 3 * BATCH * HIDDEN
};

static const ur_rnn_config configs[] = {
    {.cell = "lstm", .num_layers = 1},
    {.cell = "lstm", .num_layers = 3, .dropout = 0.4f},
    {.cell = "lstm", .num_layers = 3, .proj_size = PROJ},
    {.cell = "gru", .num_layers = 1},
    {.cell = "gru", .num_layers = 2, .no_bias = true},
    {.cell = "rnn_tanh", .num_layers = 3},
    {.cell = "rnn_relu", .num_layers = 1},
    {.cell = "gru_original", .num_layers = 2},
    {.cell = "lstm_peephole", .num_layers = 2},
    {.cell = "lstm", .num_layers = 2, .zoneout_h = 0.1f, .zoneout_c = 0.5f},
    {.cell = "gru", .num_layers = 2, .zoneout_h = 0.3f, .recurrent_dropout = 0.4f},
};
enum { CONFIGS = sizeof configs / sizeof *configs };

typedef struct net {
    ur_params *params;
    ur_rnn_stack stack;
    size_t width;
} net;

static net net_of(ur_context *context, const ur_rnn_config *options)
{
    net n;
    ur_err err;
    ur_rnn_config config = *options;
    config.input_size = INPUT;
    config.hidden_size = HIDDEN;
    assert_int_equal(ur_params_new(context, &n.params, NULL), UR_OK);
    if (ur_rnn_add(n.params, "rnn", &config, &n.stack, &err) != UR_OK)
        fail_msg("%s", err.text);
    assert_int_equal(ur_params_seal(n.params, NULL), UR_OK);
    ur_rnn_init(&n.stack, n.params, 7);
    n.width = ur_rnn_width(&n.stack);
    return n;
}

static ur_stream *stream_of(ur_context *context, const net *n, size_t sequences)
{
    ur_stream *s;
    ur_err err;
    if (ur_stream_new(context, n->params, &n->stack, sequences, &s, &err) != UR_OK)
        fail_msg("%s", err.text);
    return s;
}

/* The whole sequences at once: x (T, B, I), and y (T, B, width) and the last states of the tape. */
static ur_rnn_out whole(ur_tape *tape, const net *n, const float *x)
{
    const size_t length[BATCH] = {STEPS, STEPS, STEPS};
    ur_tape_start(tape, UR_INFER, n->params, NULL, 0, 0);
    const ur_layout *layout = ur_new_layout(tape, UR_STEP_MAJOR, BATCH, length, NULL);
    ur_seq *in = ur_seq_floats(tape, layout, INPUT, x, false);
    tape_fine(tape);
    memcpy(ur_floats(in->values), x, STEPS * BATCH * INPUT * sizeof *x); /* step-major as it is */
    const ur_rnn_out out = ur_rnn(tape, &n->stack, in, (ur_state){0});
    tape_fine(tape);
    return out;
}

static void same_state(const char *who, const ur_stream *s, ur_rnn_out out)
{
    float state[MOST_STATE];
    const size_t h = ur_count(out.h_n), c = out.c_n ? ur_count(out.c_n) : 0;
    assert_int_equal(ur_stream_state_size(s), h + c);
    ur_stream_state_save(s, state);
    same_floats("h_n", who, ur_floats(out.h_n), state, h);
    if (out.c_n)
        same_floats("c_n", who, ur_floats(out.c_n), state + h, c);
}

static void streaming_is_the_whole_sequence(void **unused)
{
    (void)unused;
    contexts all = contexts_new();
    float *x = made_up_floats(1, STEPS * BATCH * INPUT, 2.0f), y[BATCH * HIDDEN];
    for (int i = 0; i < all.count; i++)
        for (int k = 0; k < CONFIGS; k++) {
            const net n = net_of(all.at[i], &configs[k]);
            ur_tape *tape = tape_of(all.at[i]);
            ur_stream *s = stream_of(all.at[i], &n, BATCH);
            const ur_rnn_out out = whole(tape, &n, x);
            for (size_t t = 0; t < STEPS; t++) {
                ur_stream_step(s, x + t * BATCH * INPUT, y);
                same_floats(configs[k].cell, all.name[i],
                            ur_floats(out.y->values) + t * BATCH * n.width, y, BATCH * n.width);
            }
            same_state(all.name[i], s, out);
            ur_stream_free(s);
            ur_tape_free(tape);
            ur_params_free(n.params);
        }
    free(x);
    contexts_free(&all);
}

/* A stream, its inputs, and the last y of stepping over them. */
typedef struct fixture {
    ur_context *context;
    net n;
    ur_stream *stream;
    float *x, y[BATCH * HIDDEN], again[BATCH * HIDDEN], state[MOST_STATE];
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->context = context_of(NULL, 2, NULL);
    f->n = net_of(f->context, &configs[2]);
    f->stream = stream_of(f->context, &f->n, BATCH);
    f->x = made_up_floats(1, STEPS * BATCH * INPUT, 2.0f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    ur_stream_free(f->stream);
    ur_params_free(f->n.params);
    ur_context_free(f->context);
    free(f->x);
    free(f);
    return 0;
}

static void steps(const fixture *f, ur_stream *s, size_t begin, size_t end, float *y)
{
    for (size_t t = begin; t < end; t++)
        ur_stream_step(s, f->x + t * BATCH * INPUT, y);
}

static void a_snapshot_continues_anywhere(void **state)
{
    fixture *f = *state;
    ur_stream *other = stream_of(f->context, &f->n, BATCH);
    steps(f, f->stream, 0, 3, f->y);
    ur_stream_state_save(f->stream, f->state);
    steps(f, f->stream, 3, STEPS, f->y);
    steps(f, other, 2, 6, f->again);
    ur_stream_state_load(other, f->state);
    steps(f, other, 3, STEPS, f->again);
    same_floats("y", "another stream", f->y, f->again, BATCH * f->n.width);
    ur_stream_state_load(f->stream, f->state);
    steps(f, f->stream, 3, STEPS, f->again);
    same_floats("y", "the stream itself", f->y, f->again, BATCH * f->n.width);
    ur_stream_free(other);
}

static void reset_begins_anew(void **state)
{
    fixture *f = *state;
    const size_t width = f->n.width;
    steps(f, f->stream, 0, 4, f->y);
    ur_stream_reset(f->stream);
    steps(f, f->stream, 0, 4, f->again);
    same_floats("y", "reset", f->y, f->again, BATCH * width);

    /* One sequence anew, the others going on. */
    ur_stream_reset(f->stream);
    steps(f, f->stream, 4, 5, f->y);
    steps(f, f->stream, 0, 4, f->y);
    ur_stream_reset(f->stream);
    steps(f, f->stream, 4, 5, f->again);
    ur_stream_reset_sequence(f->stream, 1);
    ur_stream_reset_sequence(f->stream, BATCH);
    steps(f, f->stream, 0, 4, f->again);
    same_floats("y", "those before", f->y, f->again, width);
    same_floats("y", "those behind", f->y + 2 * width, f->again + 2 * width, width);
    assert_memory_not_equal(f->y + width, f->again + width, width * sizeof(float));
    ur_stream_reset(f->stream);
    steps(f, f->stream, 0, 4, f->y);
    same_floats("y", "the one anew", f->y + width, f->again + width, width);
}

static void the_callers_rounding_changes_nothing(void **state)
{
    fixture *f = *state;
    steps(f, f->stream, 0, STEPS, f->y);
    ur_stream_reset(f->stream);
    assert_int_equal(fesetround(FE_UPWARD), 0);
    steps(f, f->stream, 0, STEPS, f->again);
    const int after = fegetround();
    fesetround(FE_TONEAREST);
    assert_int_equal(after, FE_UPWARD);
    same_floats("y", "rounding upwards", f->y, f->again, BATCH * f->n.width);
}

static void changed_weights_count_from_the_next_step(void **state)
{
    fixture *f = *state;
    steps(f, f->stream, 0, 3, f->y);
    ur_rnn_init(&f->n.stack, f->n.params, 8);
    ur_stream_reset(f->stream);
    steps(f, f->stream, 0, 3, f->again);
    assert_memory_not_equal(f->y, f->again, BATCH * f->n.width * sizeof(float));
    ur_stream *fresh = stream_of(f->context, &f->n, BATCH);
    steps(f, fresh, 0, 3, f->y);
    same_floats("y", "a stream made afterwards", f->y, f->again, BATCH * f->n.width);
    ur_stream_free(fresh);
}

static void refused(ur_context *context, const net *n, size_t sequences, ur_status status,
                    const char *part)
{
    ur_stream *s;
    ur_err err;
    assert_int_equal(ur_stream_new(context, n->params, &n->stack, sequences, &s, &err), status);
    assert_null(s);
    if (!strstr(err.text, part))
        fail_msg("\"%s\" does not say \"%s\"", err.text, part);
}

static void what_cannot_stream_is_refused(void **state)
{
    fixture *f = *state;
    refused(f->context, &f->n, 0, UR_INVALID, "at least 1");
    refused(f->context, &f->n, SIZE_MAX / 1000, UR_INVALID, "sequences");
    const net both =
        net_of(f->context, &(ur_rnn_config){.cell = "gru", .num_layers = 1, .bidirectional = true});
    refused(f->context, &both, 1, UR_UNSUPPORTED, "this gru is bidirectional");
    ur_params_free(both.params);

    net open = f->n;
    assert_int_equal(ur_params_new(f->context, &open.params, NULL), UR_OK);
    refused(f->context, &open, 1, UR_INVALID, "not sealed");
    ur_params_free(open.params);

    ur_context *plain = context_of("plain", 1, NULL);
    if (strcmp(ur_context_isa(f->context), "plain") != 0)
        refused(plain, &f->n, 1, UR_INVALID, "packed for");
    ur_context_free(plain);
    ur_stream_free(NULL);
}

static void nothing_is_taken_after_creation(void **unused)
{
    (void)unused;
    for (int k = 0; k < CONFIGS; k++) {
        failing_alloc memory;
        failing_alloc_init(&memory, 0, false);
        ur_context *context = context_of(NULL, 2, &memory.hooks);
        const net n = net_of(context, &configs[k]);
        float y[BATCH * HIDDEN], x[BATCH * INPUT] = {0.5f}, state[MOST_STATE];
        ur_stream *s = stream_of(context, &n, BATCH);
        const size_t before = memory.calls, held = memory.outstanding;
        memory.fail_at = before + 1;
        memory.and_later = true;
        for (int t = 0; t < 100; t++) {
            ur_stream_step(s, x, y);
            ur_stream_state_save(s, state);
            if (t % 10 == 0)
                ur_stream_reset(s);
            ur_stream_state_load(s, state);
        }
        assert_int_equal(memory.calls, before);
        assert_int_equal(memory.outstanding, held);
        ur_stream_free(s);
        ur_params_free(n.params);
        ur_context_free(context);
        assert_int_equal(memory.outstanding, 0);
    }
}

static ur_status make_one(const ur_allocator *a, ur_err *err, void *arg)
{
    ur_context *context;
    ur_stream *s;
    const net *n = arg;
    ur_status status = ur_context_new(&(ur_options){.allocator = a, .threads = 1}, &context, err);
    if (status != UR_OK)
        return status;
    status = ur_stream_new(context, n->params, &n->stack, BATCH, &s, err);
    ur_stream_free(s);
    ur_context_free(context);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    fixture *f = *state;
    assert_true(failing_alloc_sweep(make_one, &f->n) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streaming_is_the_whole_sequence),
        cmocka_unit_test_setup_teardown(a_snapshot_continues_anywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(reset_begins_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(the_callers_rounding_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(changed_weights_count_from_the_next_step, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_stream_is_refused, setup, teardown),
        cmocka_unit_test(nothing_is_taken_after_creation),
        cmocka_unit_test_setup_teardown(every_allocation_may_fail, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
