/* ragged_stack.c - a ragged batch through a bidirectional LSTM of two layers: lengths in any order,
 * zero included, and no padding. */
#include "example.h"

enum { BATCH = 4, INPUT = 3, HIDDEN = 5, ROWS = 2 + 4 + 0 + 3 };

int main(void)
{
    ur_err err;
    ur_context *context;
    ur_params *params;
    ur_tape *tape;
    ur_rnn_stack lstm;
    check(ur_context_new(NULL, &context, &err), err.text);
    check(ur_params_new(context, &params, &err), err.text);
    const ur_rnn_config config = {.cell = "lstm",
                                  .input_size = INPUT,
                                  .hidden_size = HIDDEN,
                                  .num_layers = 2,
                                  .bidirectional = true};
    check(ur_rnn_add(params, "rnn", &config, &lstm, &err), err.text);
    check(ur_params_seal(params, &err), err.text);
    ur_rnn_init(&lstm, params, 1);
    check(ur_tape_new(context, &tape, &err), err.text);

    const size_t length[BATCH] = {2, 4, 0, 3};
    float rows[ROWS * INPUT]; /* all of sequence 0, then all of sequence 1 ... */
    for (int i = 0; i < ROWS * INPUT; i++)
        rows[i] = (float)(i % 7) / 7;
    ur_tape_start(tape, UR_INFER, params, NULL, 0, 0);
    const ur_layout *layout = ur_new_layout(tape, UR_STEP_MAJOR, BATCH, length, NULL);
    ur_seq *x = ur_seq_floats(tape, layout, INPUT, rows, false);
    const ur_rnn_out out = ur_rnn(tape, &lstm, x, (ur_state){0});
    check(ur_tape_status(tape), ur_error(tape));

    printf("y (%zu,%zu), h_n (%zu,%zu,%zu)\n", out.y->values->dim[0], out.y->values->dim[1],
           out.h_n->dim[0], out.h_n->dim[1], out.h_n->dim[2]);
    const float *y = ur_floats(out.y->values), *h_n = ur_floats(out.h_n);
    const float *forward = h_n + 2 * BATCH * HIDDEN, *backward = h_n + 3 * BATCH * HIDDEN;
    bool same = true;
    for (size_t b = 0; b < BATCH; b++) {
        printf("sequence %zu, %zu steps: top layer's h %7.4f forward, %7.4f backward\n", b,
               length[b], (double)forward[b * HIDDEN], (double)backward[b * HIDDEN]);
        if (length[b] == 0)
            continue;
        /* Forward ends at the sequence's own last step, backward at its first. */
        const float *first = y + ur_row(layout, b, 0) * 2 * HIDDEN;
        const float *last = y + ur_row(layout, b, length[b] - 1) * 2 * HIDDEN;
        same = same && last[0] == forward[b * HIDDEN] && first[HIDDEN] == backward[b * HIDDEN];
    }
    ur_tape_free(tape);
    ur_params_free(params);
    ur_context_free(context);
    return same ? 0 : 1;
}
