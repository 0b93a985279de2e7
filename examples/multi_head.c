/* multi_head.c - causal multi-head attention of two sequences to themselves, with each head's weights; and
 * a step of training. */
#include "example.h"

#include <stdlib.h>

enum { WIDTH = 8, HEADS = 2, BATCH = 2 };

int main(void)
{
    ur_err err;
    ur_context *context;
    ur_params *params;
    ur_tape *tape;
    ur_multi_head_layer layer;
    const ur_multi_head_config config = {.embed_dim = WIDTH, .num_heads = HEADS, .dropout = 0.1f};
    check(ur_context_new(NULL, &context, &err), err.text);
    check(ur_params_new(context, &params, &err), err.text);
    check(ur_multi_head_attention_add(params, "attention", &config, &layer, &err), err.text);
    check(ur_params_seal(params, &err), err.text);
    ur_multi_head_attention_init(&layer, params, 1);
    check(ur_tape_new(context, &tape, &err), err.text);

    const size_t length[BATCH] = {4, 2};
    float data[6 * WIDTH]; /* four rows of sequence 0, then two of sequence 1 */
    for (size_t i = 0; i < 6 * WIDTH; i++)
        data[i] = (float)(i * 7 % 5) - 2.0f;
    float *gradient = calloc(ur_params_size(params), sizeof *gradient);
    check(gradient ? UR_OK : UR_NO_MEMORY, "no memory");

    ur_tape_start(tape, UR_TRAIN, params, gradient, 1, 0);
    const ur_layout *layout = ur_new_layout(tape, UR_SEQUENCE_MAJOR, BATCH, length, NULL);
    const ur_seq *x = ur_seq_floats(tape, layout, WIDTH, data, false);
    ur_weights *weights = NULL;
    const ur_attention_call call = {.causal = UR_CAUSAL, .weights = &weights};
    const ur_seq *y = ur_multi_head_attention(tape, &layer, x, x, x, &call);
    ur_backward(tape, ur_sum(tape, ur_values(y)));
    check(ur_tape_status(tape), ur_error(tape));

    for (size_t b = 0; b < BATCH; b++)
        for (size_t row = 0; row < HEADS * length[b]; row++) {
            printf("sequence %zu, head %zu, query %zu:", b, row / length[b], row % length[b]);
            for (size_t key = 0; key < length[b]; key++)
                printf(" %.3f", (double)weights->p[weights->offset[b] + row * length[b] + key]);
            printf("\n");
        }
    const int bias = ur_params_find(params, "attention.out_proj.bias");
    printf("gradient of out_proj.bias[0]: %g\n", (double)*ur_param_gradient(tape, bias));
    ur_tape_free(tape);
    ur_params_free(params);
    ur_context_free(context);
    free(gradient);
}
