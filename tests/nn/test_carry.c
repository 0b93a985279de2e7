/* test_carry.c - states carried from batch to batch: windows give the bytes of the whole sequence,
 * and no gradient passes from one to the one before. */
#include "support/contexts.h"
#include "support/failing_alloc.h"
#include "unroll/nn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { BATCH = 3, WINDOW = 4, STEPS = 2 * WINDOW, INPUT = 5, HIDDEN = 9, LAYERS = 2 };

typedef struct fixture {
    ur_context *context;
    ur_params *params;
    ur_rnn_stack stack;
    ur_tape *tape;
    ur_carry *carry;
    float *gradient, *x, y[STEPS * BATCH * HIDDEN];
} fixture;

static int setup_cell(void **state, const char *cell)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    const ur_rnn_config config = {
        .cell = cell, .input_size = INPUT, .hidden_size = HIDDEN, .num_layers = LAYERS};
    f->context = context_of(NULL, 1, NULL);
    assert_int_equal(ur_params_new(f->context, &f->params, NULL), UR_OK);
    assert_int_equal(ur_rnn_add(f->params, "rnn", &config, &f->stack, NULL), UR_OK);
    assert_int_equal(ur_params_seal(f->params, NULL), UR_OK);
    ur_rnn_init(&f->stack, f->params, 7);
    ur_params_changed(f->params);
    f->tape = tape_of(f->context);
    assert_int_equal(ur_carry_new(f->context, &f->stack, BATCH, &f->carry, NULL), UR_OK);
    f->gradient = calloc(ur_params_size(f->params), sizeof(float));
    f->x = made_up_floats(1, STEPS * BATCH * INPUT, 2.0f);
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return setup_cell(state, "lstm");
}

static int setup_gru(void **state)
{
    return setup_cell(state, "gru");
}

static int teardown(void **state)
{
    fixture *f = *state;
    ur_carry_free(f->carry);
    ur_tape_free(f->tape);
    ur_params_free(f->params);
    ur_context_free(f->context);
    free(f->gradient);
    free(f->x);
    free(f);
    return 0;
}

/* Steps [begin, end) of the batch, in training; x is step-major as it is. */
static ur_rnn_out window(fixture *f, size_t begin, size_t end, ur_state initial)
{
    const size_t n = end - begin, length[BATCH] = {n, n, n};
    const ur_layout *layout = ur_new_layout(f->tape, UR_STEP_MAJOR, BATCH, length, NULL);
    ur_seq *x = ur_seq_floats(f->tape, layout, INPUT, f->x, false);
    tape_fine(f->tape);
    memcpy(ur_floats(x->values), f->x + begin * BATCH * INPUT, n * BATCH * INPUT * sizeof(float));
    const ur_rnn_out out = ur_rnn(f->tape, &f->stack, x, initial);
    tape_fine(f->tape);
    return out;
}

static void start(fixture *f)
{
    memset(f->gradient, 0, ur_params_size(f->params) * sizeof(float));
    ur_tape_start(f->tape, UR_TRAIN, f->params, f->gradient, 0, 0);
}

static void windows_give_the_whole_sequence(void **state)
{
    fixture *f = *state;
    start(f);
    ur_rnn_out out = window(f, 0, STEPS, (ur_state){0});
    memcpy(f->y, ur_floats(out.y->values), sizeof f->y);
    for (size_t w = 0; w < 2; w++) {
        start(f);
        out =
            window(f, w * WINDOW, (w + 1) * WINDOW, ur_carry_state(f->tape, f->carry, BATCH, NULL));
        ur_carry_take(f->tape, f->carry, BATCH, NULL, out);
        tape_fine(f->tape);
        same_floats("y", "window", f->y + w * WINDOW * BATCH * HIDDEN, ur_floats(out.y->values),
                    WINDOW * BATCH * HIDDEN);
    }
    assert_int_equal(ur_carry_size(f->carry), LAYERS * BATCH * HIDDEN * (out.c_n ? 2 : 1));
    const size_t n = LAYERS * BATCH * HIDDEN;
    same_floats("h", "carried", ur_floats(out.h_n), ur_carry_values(f->carry), n);
    if (out.c_n)
        same_floats("c", "carried", ur_floats(out.c_n), ur_carry_values(f->carry) + n, n);

    ur_carry_reset(f->carry);
    for (size_t i = 0; i < ur_carry_size(f->carry); i++)
        assert_true(ur_carry_values(f->carry)[i] == 0.0f);
}

/* Two windows on one tape, so that a gradient could pass if the carry let it. */
static void the_gradient_stops_at_the_window(void **state)
{
    fixture *f = *state;
    const size_t size = ur_params_size(f->params);
    start(f);
    ur_rnn_out first = window(f, 0, WINDOW, ur_carry_state(f->tape, f->carry, BATCH, NULL));
    ur_carry_take(f->tape, f->carry, BATCH, NULL, first);
    const ur_state carried = ur_carry_state(f->tape, f->carry, BATCH, NULL);
    ur_rnn_out second = window(f, WINDOW, STEPS, carried);
    ur_backward(f->tape, ur_sum(f->tape, second.y->values));
    tape_fine(f->tape);
    assert_null(first.y->values->grad);
    assert_null(first.h_n->grad);
    assert_null(carried.h->grad);
    assert_null(carried.c->grad);
    float *cut = malloc(size * sizeof *cut);
    assert_non_null(cut);
    memcpy(cut, f->gradient, size * sizeof *cut);

    /* The second window alone, from the same states as constants: the same gradient; with the
     * states passed on by the tape another one. */
    const size_t dim[] = {LAYERS, BATCH, HIDDEN}, n = LAYERS * BATCH * HIDDEN;
    start(f);
    const float *values = ur_carry_values(f->carry);
    const ur_state constant = {ur_copy_floats(f->tape, 3, dim, values, false),
                               ur_copy_floats(f->tape, 3, dim, values + n, false)};
    second = window(f, WINDOW, STEPS, constant);
    ur_backward(f->tape, ur_sum(f->tape, second.y->values));
    same_floats("gradient", "alone", cut, f->gradient, size);
    start(f);
    first = window(f, 0, WINDOW, (ur_state){0});
    second = window(f, WINDOW, STEPS, (ur_state){first.h_n, first.c_n});
    ur_backward(f->tape, ur_sum(f->tape, second.y->values));
    tape_fine(f->tape);
    assert_memory_not_equal(cut, f->gradient, size * sizeof *cut);
    free(cut);
}

static void a_batch_may_hold_some_sequences(void **state)
{
    fixture *f = *state;
    ur_carry *many;
    const size_t all = 5, pick[BATCH] = {4, 0, 2}, width = HIDDEN;
    assert_int_equal(ur_carry_new(f->context, &f->stack, all, &many, NULL), UR_OK);
    start(f);
    const ur_rnn_out out = window(f, 0, WINDOW, ur_carry_state(f->tape, many, BATCH, pick));
    ur_carry_take(f->tape, many, BATCH, pick, out);
    tape_fine(f->tape);
    const float *h = ur_carry_values(many), *c = h + LAYERS * all * width;
    for (size_t n = 0; n < LAYERS; n++)
        for (size_t b = 0; b < BATCH; b++) {
            const size_t from = (n * BATCH + b) * width, to = (n * all + pick[b]) * width;
            same_floats("h", "its place", ur_floats(out.h_n) + from, h + to, width);
            same_floats("c", "its place", ur_floats(out.c_n) + from, c + to, width);
        }
    for (size_t i = 0; i < width; i++)
        assert_true(h[1 * width + i] == 0.0f && c[(all + 3) * width + i] == 0.0f);
    const ur_state back = ur_carry_state(f->tape, many, 1, (size_t[]){2});
    same_floats("h", "back", ur_floats(out.h_n) + 2 * width, ur_floats(back.h), width);
    ur_carry_free(many);
}

static void what_does_not_fit_fails_the_tape(void **state)
{
    fixture *f = *state;
    start(f);
    assert_null(ur_carry_state(f->tape, f->carry, BATCH + 1, NULL).h);
    tape_failed(f->tape, UR_INVALID, "number 3");
    start(f);
    assert_null(ur_carry_state(f->tape, f->carry, 1, (size_t[]){9}).h);
    tape_failed(f->tape, UR_INVALID, "number 9");
    start(f);
    const ur_rnn_out out = window(f, 0, 1, (ur_state){0});
    ur_carry_take(f->tape, f->carry, BATCH - 1, NULL, out);
    tape_failed(f->tape, UR_INVALID, "h_n is (2,3,9), (2,2,9) expected");
    start(f);
    ur_rnn_out without = window(f, 0, 1, (ur_state){0});
    without.c_n = NULL;
    ur_carry_take(f->tape, f->carry, BATCH, NULL, without);
    tape_failed(f->tape, UR_INVALID, "c_n is missing");
    for (size_t i = 0; i < ur_carry_size(f->carry); i++)
        assert_true(ur_carry_values(f->carry)[i] == 0.0f);
    ur_err err;
    ur_carry *none;
    assert_int_equal(ur_carry_new(f->context, &f->stack, 0, &none, &err), UR_INVALID);
    assert_int_equal(ur_carry_new(f->context, &f->stack, SIZE_MAX / 9, &none, &err), UR_INVALID);
    assert_null(none);
    ur_carry_free(NULL);
}

static ur_status make_one(const ur_allocator *a, ur_err *err, void *arg)
{
    ur_context *context;
    ur_carry *carry;
    const fixture *f = arg;
    ur_status status = ur_context_new(&(ur_options){.allocator = a, .threads = 1}, &context, err);
    if (status != UR_OK)
        return status;
    status = ur_carry_new(context, &f->stack, BATCH, &carry, err);
    ur_carry_free(carry);
    ur_context_free(context);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    assert_true(failing_alloc_sweep(make_one, *state) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(windows_give_the_whole_sequence, setup, teardown),
        cmocka_unit_test_setup_teardown(windows_give_the_whole_sequence, setup_gru, teardown),
        cmocka_unit_test_setup_teardown(the_gradient_stops_at_the_window, setup, teardown),
        cmocka_unit_test_setup_teardown(a_batch_may_hold_some_sequences, setup, teardown),
        cmocka_unit_test_setup_teardown(what_does_not_fit_fails_the_tape, setup, teardown),
        cmocka_unit_test_setup_teardown(every_allocation_may_fail, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
