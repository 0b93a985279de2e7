/* stream_gru.c - audio through a GRU, a sample at a time: the stream allocates nothing, takes no
 * lock and calls no system function once it is made, so it can run in an audio callback. */
#include "example.h"

#include <math.h>

enum { HIDDEN = 16, SAMPLES = 480 };

/* What a host would call for every block of samples. */
static void process(ur_stream *stream, const float *in, float *out, int samples)
{
    float y[HIDDEN];
    for (int i = 0; i < samples; i++) {
        ur_stream_step(stream, &in[i], y);
        out[i] = y[0];
    }
}

int main(void)
{
    ur_err err;
    ur_context *context;
    ur_params *params;
    ur_rnn_stack gru;
    ur_stream *stream;
    check(ur_context_new(&(ur_options){.threads = 1}, &context, &err), err.text);
    check(ur_params_new(context, &params, &err), err.text);
    const ur_rnn_config config = {
        .cell = "gru", .input_size = 1, .hidden_size = HIDDEN, .num_layers = 2};
    check(ur_rnn_add(params, "rnn", &config, &gru, &err), err.text);
    check(ur_params_seal(params, &err), err.text);
    ur_rnn_init(&gru, params, 1); /* a real program loads weights: see pytorch_lstm.c */
    check(ur_stream_new(context, params, &gru, 1, &stream, &err), err.text);

    static float in[SAMPLES], out[SAMPLES], again[SAMPLES];
    float state[2 * HIDDEN]; /* two layers' h */
    for (int i = 0; i < SAMPLES; i++)
        in[i] = sinf(2 * 3.14159265f * 440 * (float)i / 48000); /* 10 ms of A4 */
    check(ur_stream_state_size(stream) == 2 * HIDDEN ? UR_OK : UR_INVALID, "another state's size");

    process(stream, in, out, SAMPLES / 2);
    ur_stream_state_save(stream, state);
    process(stream, in + SAMPLES / 2, out + SAMPLES / 2, SAMPLES / 2);
    ur_stream_state_load(stream, state);
    process(stream, in + SAMPLES / 2, again, SAMPLES / 2);
    bool same = true;
    for (int i = 0; i < SAMPLES / 2; i++)
        same = same && out[SAMPLES / 2 + i] == again[i];

    for (int i = 0; i < SAMPLES; i += 80)
        printf("%3d  in %6.3f  out %6.3f\n", i, (double)in[i], (double)out[i]);
    printf("the second half again, from the saved state: %s\n", same ? "the same" : "DIFFERENT");
    ur_stream_free(stream);
    ur_params_free(params);
    ur_context_free(context);
    return same ? 0 : 1;
}
