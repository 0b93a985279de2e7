/* lstm_ragged.c - an LSTM over three sequences of different lengths, without padding, and the
 * gradients of its weights and of its input. */
#include "example.h"

int main(void)
{
    ur_err err;
    ur_context *context;
    ur_params *params;
    ur_tape *tape;
    check(ur_context_new(NULL, &context, &err), err.text);
    check(ur_params_new(context, &params, &err), err.text);
    const ur_lstm_layer lstm = ur_lstm_add(params, "lstm", 4, 5);
    check(ur_params_seal(params, &err), err.text);
    check(ur_tape_new(context, &tape, &err), err.text);
    ur_lstm_init(&lstm, params, 42);
    float *gradient = calloc(ur_params_size(params), sizeof *gradient);
    check(gradient ? UR_OK : UR_NO_MEMORY, "out of memory");

    /* Six rows of four features: sequence 0 has two, sequence 1 three, sequence 2 one. */
    const size_t length[] = {2, 3, 1};
    float rows[6 * 4];
    for (int i = 0; i < 6 * 4; i++)
        rows[i] = (float)(i % 7) / 7;

    ur_tape_start(tape, UR_TRAIN, params, gradient, 0, 0);
    const ur_layout *layout = ur_new_layout(tape, UR_STEP_MAJOR, 3, length, NULL);
    ur_seq *x = ur_seq_floats(tape, layout, 4, rows, true);
    ur_lstm_out out = ur_lstm(tape, &lstm, x, (ur_state){0});
    ur_backward(tape, ur_sum(tape, out.h_n));
    check(ur_tape_status(tape), ur_error(tape)); /* one check for all of them */

    printf("y (%zu,%zu), h_n (%zu,%zu)\n", out.y->values->dim[0], out.y->values->dim[1],
           out.h_n->dim[0], out.h_n->dim[1]);
    for (size_t b = 0; b < 3; b++)
        printf("sequence %zu: length %zu, last row of y is %zu, h_n[0] %.4f\n", b, length[b],
               ur_row(layout, b, length[b] - 1), (double)ur_floats(out.h_n)[b * 5]);
    for (size_t i = 0; i < ur_params_count(params); i++) {
        const ur_param *p = ur_params_entry(params, i);
        printf("gradient of %s[0]: %.6f\n", p->name, (double)gradient[p->offset]);
    }
    printf("gradient of x[0]: %.6f\n", (double)x->values->grad[0]);
    free(gradient);
    ur_tape_free(tape);
    ur_params_free(params);
    ur_context_free(context);
}
