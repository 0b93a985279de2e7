/* layers.c - one recurrent layer over a batch:
 *     layer cell=lstm hidden=H [input=I] [proj=P] batch=B steps=T [ragged=1] [backward=1]
 *
 * Forward alone is inference. With backward a pass is what a training step asks of a layer: weights
 * packed anew, forward, and from given gradients of all outputs those of inputs and weights. The
 * inputs are there before, as rows of step-major order. */
#include "works.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tape/tape.h"

typedef struct layer_work {
    ur_context *context;
    ur_params *params;
    ur_rnn_stack stack;
    ur_tape *tape;
    size_t batch, rows, input;
    size_t *length;           /* (batch) */
    float *x, *dy, *gradient; /* (rows, input), (rows, width), as the parameters */
    bool backward;
} layer_work;

static double run(void *arg)
{
    layer_work *w = arg;
    if (w->backward) {
        ur_params_changed(w->params);
        memset(w->gradient, 0, ur_params_size(w->params) * sizeof(float));
    }
    ur_tape_start(w->tape, w->backward ? UR_TRAIN : UR_INFER, w->params, w->gradient, 1, 1);
    const ur_layout *layout = ur_new_layout(w->tape, UR_STEP_MAJOR, w->batch, w->length, NULL);
    ur_tensor x = {.dtype = UR_F32,
                   .device = UR_CPU,
                   .ndim = 2,
                   .dim = {w->rows, w->input},
                   .data = w->x,
                   .needs_grad = w->backward};
    ur_seq in = {&x, layout};
    const ur_rnn_out out = ur_rnn(w->tape, &w->stack, &in, (ur_state){0});
    if (w->backward && out.y) {
        out.y->values->grad = w->dy;
        for (ur_node *n = w->tape->last; n && ur_tape_ok(w->tape); n = n->previous)
            n->backward(w->tape, n);
    }
    if (ur_tape_status(w->tape) != UR_OK) {
        fprintf(stderr, "layer: %s\n", ur_error(w->tape));
        exit(1);
    }
    return -1.0;
}

static void release(void *arg)
{
    layer_work *w = arg;
    ur_tape_free(w->tape);
    ur_params_free(w->params);
    ur_context_free(w->context);
    free(w->length);
    free(w->x);
    free(w->dy);
    free(w->gradient);
    free(w);
}

static bool build(layer_work *w, const ur_rnn_config *config, int threads, ur_err *err)
{
    const ur_options options = {.threads = threads};
    if (ur_context_new(&options, &w->context, err) != UR_OK ||
        ur_params_new(w->context, &w->params, err) != UR_OK ||
        ur_rnn_add(w->params, "rnn", config, &w->stack, err) != UR_OK ||
        ur_params_seal(w->params, err) != UR_OK || ur_tape_new(w->context, &w->tape, err) != UR_OK)
        return false;
    ur_rnn_init(&w->stack, w->params, 1);
    ur_params_changed(w->params);
    return true;
}

static void *make(const char *line, int threads, char why[BENCH_LINE])
{
    char cell[32] = "lstm";
    bench_text(line, "cell", cell, sizeof cell);
    ur_rnn_config config = {.cell = strcmp(cell, "rnn") == 0 ? "rnn_tanh" : cell,
                            .hidden_size = bench_number(line, "hidden", 256),
                            .proj_size = bench_number(line, "proj", 0),
                            .num_layers = 1};
    config.input_size = bench_number(line, "input", config.hidden_size);
    layer_work *w = bench_memory(1, sizeof *w);
    ur_err err;
    if (!build(w, &config, threads, &err)) {
        snprintf(why, BENCH_LINE, "%s", err.text);
        release(w);
        return NULL;
    }
    const size_t width = ur_rnn_width(&w->stack);
    w->batch = bench_number(line, "batch", 32);
    w->input = config.input_size;
    w->backward = bench_number(line, "backward", 0);
    w->length = bench_memory(w->batch, sizeof *w->length);
    w->rows = bench_lengths(line, w->batch, bench_number(line, "steps", 35), w->length);
    w->x = bench_memory(w->rows * w->input, sizeof *w->x);
    w->dy = bench_memory(w->rows * width, sizeof *w->dy);
    w->gradient = bench_memory(ur_params_size(w->params), sizeof *w->gradient);
    bench_fill(w->x, w->rows * w->input, 1.0f, 1);
    bench_fill(w->dy, w->rows * width, 1.0f, 2);
    return w;
}

const bench_kind bench_layer = {"layer", make, run, release};
