/* test_rnn_options.c - what a stack is made of: averaged directions, drop-out between layers and
 * initial states against single layers put together by hand; initial weights. */
#include "support/contexts.h"
#include "unroll/nn.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { BATCH = 5, INPUT = 6, HIDDEN = 9, ROWS = 17 };
static const size_t ragged[BATCH] = {4, 0, 7, 1, 5};

typedef struct fixture {
    ur_context *context;
    ur_params *params;
    ur_rnn_stack stack;
    ur_tape *tape;
    float *gradient, *x;
} fixture;

static fixture fixture_new(const ur_rnn_config *config)
{
    fixture f = {.context = context_of(NULL, 2, NULL)};
    assert_int_equal(ur_params_new(f.context, &f.params, NULL), UR_OK);
    assert_int_equal(ur_rnn_add(f.params, "rnn", config, &f.stack, NULL), UR_OK);
    assert_int_equal(ur_params_seal(f.params, NULL), UR_OK);
    ur_rnn_init(&f.stack, f.params, 11);
    ur_params_changed(f.params);
    f.tape = tape_of(f.context);
    f.gradient = calloc(ur_params_size(f.params), sizeof *f.gradient);
    f.x = made_up_floats(1, ROWS * INPUT, 2.0f);
    return f;
}

static void fixture_free(fixture *f)
{
    free(f->gradient);
    free(f->x);
    ur_tape_free(f->tape);
    ur_params_free(f->params);
    ur_context_free(f->context);
}

static ur_seq *start(fixture *f, ur_mode mode)
{
    ur_tape *t = f->tape;
    ur_tape_start(t, mode, f->params, mode == UR_TRAIN ? f->gradient : NULL, 3, 4);
    const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, BATCH, ragged, NULL);
    return ur_seq_floats(t, l, INPUT, f->x, false);
}

static ur_seq *backward_layer(ur_tape *t, const ur_cell_layer *layer, ur_seq *x)
{
    return ur_reverse(t, ur_cell_forward(t, layer, ur_reverse(t, x), (ur_state){NULL, NULL}).y);
}

/* Inner layers concatenate; on top outputs are the mean, states stay apart. */
static void averaged_directions(void **state)
{
    (void)state;
    const ur_rnn_config config = {.cell = "gru",
                                  .input_size = INPUT,
                                  .hidden_size = HIDDEN,
                                  .num_layers = 2,
                                  .bidirectional = true,
                                  .average = true};
    fixture f = fixture_new(&config);
    ur_tape *t = f.tape;
    ur_seq *x = start(&f, UR_INFER);
    const ur_cell_layer *part = f.stack.part;
    assert_int_equal(ur_rnn_width(&f.stack), HIDDEN);
    assert_int_equal(part[2].input_size, 2 * HIDDEN);
    const ur_rnn_out out = ur_rnn(t, &f.stack, x, (ur_state){NULL, NULL});
    tape_fine(t);
    assert_int_equal(out.y->values->dim[1], HIDDEN);
    assert_int_equal(out.h_n->dim[0], 4);
    const ur_rnn_out first = ur_cell_forward(t, &part[0], x, (ur_state){NULL, NULL});
    ur_seq *inner = ur_concat_seq(t, first.y, backward_layer(t, &part[1], x));
    const ur_rnn_out forward = ur_cell_forward(t, &part[2], inner, (ur_state){NULL, NULL});
    const ur_seq *backward = backward_layer(t, &part[3], inner);
    tape_fine(t);
    for (size_t i = 0; i < ROWS * HIDDEN; i++) {
        const float mean =
            0.5f * (ur_floats(forward.y->values)[i] + ur_floats(backward->values)[i]);
        same_floats("y", "averaged", &mean, ur_floats(out.y->values) + i, 1);
    }
    same_floats("h_n", "layer 0", ur_floats(first.h_n), ur_floats(out.h_n), BATCH * HIDDEN);
    same_floats("h_n", "layer 1", ur_floats(forward.h_n), ur_floats(out.h_n) + 2 * BATCH * HIDDEN,
                BATCH * HIDDEN);
    for (size_t b = 0; b < BATCH; b++) /* the backward direction ends at the first step */
        if (ragged[b])
            same_floats("h_n", "layer 1 backward",
                        ur_floats(backward->values) + ur_row(backward->layout, b, 0) * HIDDEN,
                        ur_floats(out.h_n) + (3 * BATCH + b) * HIDDEN, HIDDEN);
    fixture_free(&f);
}

/* After every layer but the last, and in training alone. */
static void drop_out_between_layers(void **state)
{
    (void)state;
    const ur_rnn_config config = {.cell = "lstm",
                                  .input_size = INPUT,
                                  .hidden_size = HIDDEN,
                                  .num_layers = 3,
                                  .dropout = 0.4f};
    fixture f = fixture_new(&config);
    ur_tape *t = f.tape;
    float *kept[2];
    for (int mode = 0; mode < 2; mode++) {
        ur_seq *x = start(&f, mode ? UR_INFER : UR_TRAIN);
        const ur_rnn_out out = ur_rnn(t, &f.stack, x, (ur_state){NULL, NULL});
        tape_fine(t);
        kept[mode] = calloc(ROWS * HIDDEN, sizeof(float));
        memcpy(kept[mode], out.y->values->data, ROWS * HIDDEN * sizeof(float));
        x = start(&f, mode ? UR_INFER : UR_TRAIN); /* numbers its drop-outs anew */
        for (int layer = 0; layer < 3; layer++) {
            x = ur_cell_forward(t, &f.stack.part[layer], x, (ur_state){NULL, NULL}).y;
            if (layer < 2 && !mode)
                x = ur_dropout(t, x, 0.4f);
        }
        tape_fine(t);
        same_floats("y", mode ? "inference" : "training", ur_floats(x->values), kept[mode],
                    ROWS * HIDDEN);
    }
    assert_memory_not_equal(kept[0], kept[1], ROWS * HIDDEN * sizeof(float));
    for (size_t i = 0; i < ROWS * HIDDEN; i++)
        assert_true(kept[0][i] != 0.0f);
    free(kept[0]);
    free(kept[1]);
    fixture_free(&f);
}

/* Part n of the stack starts from part n of the states; none given is zeros. */
static void initial_states(void **state)
{
    (void)state;
    const ur_rnn_config config = {.cell = "lstm",
                                  .input_size = INPUT,
                                  .hidden_size = HIDDEN,
                                  .proj_size = 4,
                                  .num_layers = 2,
                                  .bidirectional = true};
    fixture f = fixture_new(&config);
    ur_tape *t = f.tape;
    for (int which = 0; which < 4; which++) {
        float *h = made_up_floats(5, 4 * BATCH * 4, which & 1 ? 1.0f : 0.0f);
        float *c = made_up_floats(6, 4 * BATCH * HIDDEN, which & 2 ? 1.0f : 0.0f);
        for (size_t i = 0; i < 4 * BATCH * 4 && !(which & 1); i++)
            h[i] = 0.0f; /* not -0 */
        for (size_t i = 0; i < 4 * BATCH * HIDDEN && !(which & 2); i++)
            c[i] = 0.0f;
        ur_seq *x = start(&f, UR_INFER);
        ur_state given = {ur_copy_floats(t, 3, (size_t[]){4, BATCH, 4}, h, false),
                          ur_copy_floats(t, 3, (size_t[]){4, BATCH, HIDDEN}, c, false)};
        const ur_rnn_out all = ur_rnn(t, &f.stack, x, given);
        given = (ur_state){which & 1 ? given.h : NULL, which & 2 ? given.c : NULL};
        const ur_rnn_out some = ur_rnn(t, &f.stack, x, given);
        tape_fine(t);
        same_floats("y", "zeros", ur_floats(all.y->values), ur_floats(some.y->values), ROWS * 8);
        same_floats("c_n", "zeros", ur_floats(all.c_n), ur_floats(some.c_n), 4 * BATCH * HIDDEN);
        for (size_t n = 0; n < 4; n++) { /* the empty sequence keeps its own */
            same_floats("h_n", "empty", h + (n * BATCH + 1) * 4,
                        ur_floats(all.h_n) + (n * BATCH + 1) * 4, 4);
            same_floats("c_n", "empty", c + (n * BATCH + 1) * HIDDEN,
                        ur_floats(all.c_n) + (n * BATCH + 1) * HIDDEN, HIDDEN);
        }
        free(h);
        free(c);
    }
    fixture_free(&f);
}

/* U(-1/sqrt(H), 1/sqrt(H)), the projection too, every parameter from a stream of its own. */
static void initial_weights(void **state)
{
    (void)state;
    const ur_rnn_config config = {.cell = "lstm",
                                  .input_size = INPUT,
                                  .hidden_size = 64,
                                  .proj_size = 48,
                                  .num_layers = 2,
                                  .bidirectional = true};
    fixture f = fixture_new(&config);
    for (size_t i = 0; i < ur_params_count(f.params); i++) {
        const float *w = ur_param_values(f.params, (int)i);
        const size_t count = ur_params_entry(f.params, i)->count;
        double square = 0.0, largest = 0.0;
        for (size_t j = 0; j < count; j++) {
            square += (double)w[j] * (double)w[j] / (double)count;
            largest = fmax(largest, fabs((double)w[j]));
        }
        assert_true(largest <= 0.125 && largest > 0.12);
        assert_true(fabs(square - 0.125 * 0.125 / 3) < 0.1 * 0.125 * 0.125);
        if (i)
            assert_memory_not_equal(w, ur_param_values(f.params, 0), 64 * sizeof *w);
    }
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(averaged_directions),
        cmocka_unit_test(drop_out_between_layers),
        cmocka_unit_test(initial_states),
        cmocka_unit_test(initial_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
