/* stream.c - one step of one sequence, as a real-time program takes it:
 *     stream cell=lstm hidden=H [input=I] */
#include "works.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct stream_work {
    ur_context *context;
    ur_params *params;
    ur_rnn_stack stack;
    ur_stream *stream;
    float *x, *y;
} stream_work;

static double run(void *arg)
{
    stream_work *w = arg;
    ur_stream_step(w->stream, w->x, w->y);
    return -1.0;
}

static void release(void *arg)
{
    stream_work *w = arg;
    ur_stream_free(w->stream);
    ur_params_free(w->params);
    ur_context_free(w->context);
    free(w->x);
    free(w->y);
    free(w);
}

static void *make(const char *line, int threads, char why[BENCH_LINE])
{
    char cell[32] = "lstm";
    bench_text(line, "cell", cell, sizeof cell);
    ur_rnn_config config = {.cell = strcmp(cell, "rnn") == 0 ? "rnn_tanh" : cell,
                            .hidden_size = bench_number(line, "hidden", 256),
                            .num_layers = 1};
    config.input_size = bench_number(line, "input", config.hidden_size);
    const ur_options options = {.threads = threads};
    stream_work *w = bench_memory(1, sizeof *w);
    ur_err err;
    if (ur_context_new(&options, &w->context, &err) != UR_OK ||
        ur_params_new(w->context, &w->params, &err) != UR_OK ||
        ur_rnn_add(w->params, "rnn", &config, &w->stack, &err) != UR_OK ||
        ur_params_seal(w->params, &err) != UR_OK) {
        snprintf(why, BENCH_LINE, "%s", err.text);
        release(w);
        return NULL;
    }
    ur_rnn_init(&w->stack, w->params, 1);
    ur_params_changed(w->params);
    if (ur_stream_new(w->context, w->params, &w->stack, 1, &w->stream, &err) != UR_OK) {
        snprintf(why, BENCH_LINE, "%s", err.text);
        release(w);
        return NULL;
    }
    w->x = bench_memory(config.input_size, sizeof *w->x);
    w->y = bench_memory(config.hidden_size, sizeof *w->y);
    bench_fill(w->x, config.input_size, 1.0f, 1);
    return w;
}

const bench_kind bench_stream = {"stream", make, run, release};
