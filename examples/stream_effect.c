/* stream_effect.c - an audio effect with weights that are part of the program: a trained LSTM and the
 * linear layer on it, a sample at a time. What the audio thread calls (process) takes no memory, no
 * lock and makes no system call; everything else is done before. */
#include "example.h"

#include <math.h>

#include "overdrive.h"

enum { HIDDEN = 8, BLOCK = 64, BLOCKS = 30 };

typedef struct effect {
    ur_context *context;
    ur_params *params;
    ur_stream *stream;
    const float *weight, *bias; /* (HIDDEN), (1) of the head */
} effect;

static void open_effect(effect *e)
{
    ur_err err;
    ur_rnn_stack lstm;
    const ur_rnn_config config = {
        .cell = "lstm", .input_size = 1, .hidden_size = HIDDEN, .num_layers = 1};
    check(ur_context_new(&(ur_options){.threads = 1}, &e->context, &err), err.text);
    check(ur_params_new(e->context, &e->params, &err), err.text);
    check(ur_rnn_add(e->params, "lstm", &config, &lstm, &err), err.text);
    const ur_linear_layer head = ur_linear_add(e->params, "head", HIDDEN, 1, true);
    check(ur_params_seal(e->params, &err), err.text);
    check(ur_params_load_memory(e->params, "overdrive", overdrive, sizeof overdrive, NULL, &err),
          err.text);
    check(ur_stream_new(e->context, e->params, &lstm, 1, &e->stream, &err), err.text);
    e->weight = ur_param_data(e->params, head.weight);
    e->bias = ur_param_data(e->params, head.bias);
    const float silence = 0.0f; /* the first step packs the weights: not in the audio thread */
    float y[HIDDEN];
    ur_stream_step(e->stream, &silence, y);
    ur_stream_reset(e->stream);
}

static void process(effect *e, const float *in, float *out, int samples)
{
    float y[HIDDEN];
    for (int i = 0; i < samples; i++) {
        ur_stream_step(e->stream, &in[i], y);
        out[i] = e->bias[0];
        for (int j = 0; j < HIDDEN; j++)
            out[i] += e->weight[j] * y[j];
    }
}

int main(void)
{
    effect e;
    double error = 0.0, s = 0.0;
    open_effect(&e);
    for (int block = 0; block < BLOCKS; block++) {
        float in[BLOCK], out[BLOCK];
        for (int i = 0; i < BLOCK; i++)
            in[i] = 0.8f * sinf(0.02f * (float)(block * BLOCK + i));
        process(&e, in, out, BLOCK);
        for (int i = 0; i < BLOCK; i++) { /* what it was taught */
            s += 0.3 * ((double)in[i] - s);
            error = fmax(error, fabs((double)out[i] - tanh(3 * s)));
        }
    }
    printf("largest difference from the effect itself: %.3f\n", error);
    ur_stream_free(e.stream);
    ur_params_free(e.params);
    ur_context_free(e.context);
    return error < 0.3 ? 0 : 1;
}
