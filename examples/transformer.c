/* transformer.c - nn.Transformer over a ragged batch, then the same step by step: the bits are equal. */
#include "example.h"

#include <string.h>

enum { D = 16, SOURCE = 7, TARGET = 5 };

int main(void)
{
    const ur_transformer_config config = {.d_model = D, .nhead = 4, .dim_feedforward = 32};
    ur_context *context;
    ur_params *params;
    ur_tape *tape;
    ur_transformer model;
    ur_step_cache *cache;
    ur_err err;
    check(ur_context_new(NULL, &context, &err), err.text);
    check(ur_params_new(context, &params, &err), err.text);
    check(ur_transformer_add(params, "", &config, 2, 2, &model, &err), err.text);
    check(ur_params_seal(params, &err), err.text);
    ur_transformer_init(&model, params, 42);
    check(ur_tape_new(context, &tape, &err), err.text);
    check(ur_step_cache_new(context, 2, D, 1, &cache, &err), err.text);

    float numbers[(SOURCE + TARGET) * D];
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        numbers[i] = (float)(i * 37 % 101) / 50.0f - 1.0f;
    const size_t source_length = SOURCE, target_length = TARGET, one = 1;
    ur_tape_start(tape, UR_INFER, params, NULL, 0, 0);
    const ur_seq *source = ur_seq_floats(
        tape, ur_new_layout(tape, UR_SEQUENCE_MAJOR, 1, &source_length, NULL), D, numbers, false);
    const float *steps = numbers + SOURCE * D;
    const ur_seq *target = ur_seq_floats(
        tape, ur_new_layout(tape, UR_SEQUENCE_MAJOR, 1, &target_length, NULL), D, steps, false);
    const ur_seq *whole = ur_transformer_forward(tape, &model, source, target);

    const ur_seq *encoded = ur_transformer_encode(tape, &model.encoder, source, NULL);
    const ur_decoder_memory *memory = ur_transformer_memory(tape, &model.decoder, encoded);
    int different = 0;
    for (size_t t = 0; t < TARGET; t++) {
        const ur_layout *row = ur_new_layout(tape, UR_SEQUENCE_MAJOR, 1, &one, NULL);
        const ur_seq *x = ur_seq_floats(tape, row, D, steps + t * D, false);
        const ur_seq *y =
            ur_transformer_decode_next(tape, &model.decoder, cache, memory, x, NULL, NULL);
        if (!y || !whole)
            break; /* the tape says why */
        const void *a = ur_floats(y->values), *b = ur_floats(whole->values) + t * D;
        different += memcmp(a, b, D * sizeof(float)) != 0;
    }
    if (ur_tape_status(tape) != UR_OK)
        printf("%s\n", ur_error(tape));
    printf("%d of %d steps differ from the whole sequence's\n", different, TARGET);
    const bool fine = ur_tape_status(tape) == UR_OK && different == 0;
    ur_step_cache_free(cache);
    ur_tape_free(tape);
    ur_params_free(params);
    ur_context_free(context);
    return fine ? 0 : 1;
}
