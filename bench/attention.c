/* attention.c - multi-head attention of a batch to itself:
 *     attention dim=D heads=H batch=B steps=T [ragged=1] [causal=1] [backward=1]
 *
 * Forward alone is inference. With backward a pass is what a training step asks of the layer: weights
 * packed anew, forward, and from given gradients of all outputs those of inputs and weights. The inputs
 * are there before, sequence by sequence. */
#include "works.h"

#include <stdio.h>
#include <stdlib.h>

#include "tape/tape.h"

typedef struct attention_work {
    ur_context *context;
    ur_params *params;
    ur_multi_head_layer layer;
    ur_tape *tape;
    size_t batch, rows, *length; /* (batch) */
    float *x, *dy;               /* (rows, D) */
    float *gradient;             /* as the parameters */
    bool causal, backward;
} attention_work;

static double run(void *arg)
{
    attention_work *w = arg;
    if (w->backward)
        ur_params_changed(w->params);
    ur_tape_start(w->tape, w->backward ? UR_TRAIN : UR_INFER, w->params,
                  w->backward ? w->gradient : NULL, 1, 1);
    if (w->backward)
        ur_tape_set_gradient(w->tape);
    const ur_layout *layout = ur_new_layout(w->tape, UR_SEQUENCE_MAJOR, w->batch, w->length, NULL);
    ur_tensor x = {.dtype = UR_F32,
                   .device = UR_CPU,
                   .ndim = 2,
                   .dim = {w->rows, w->layer.config.embed_dim},
                   .data = w->x,
                   .needs_grad = w->backward};
    ur_seq in = {&x, layout};
    const ur_attention_call call = {.causal = w->causal ? UR_CAUSAL : UR_NOT_CAUSAL};
    const ur_seq *y = ur_multi_head_attention(w->tape, &w->layer, &in, &in, &in, &call);
    if (w->backward && y) {
        y->values->grad = w->dy;
        ur_tape_replay(w->tape);
    }
    if (ur_tape_status(w->tape) != UR_OK) {
        fprintf(stderr, "attention: %s\n", ur_error(w->tape));
        exit(1);
    }
    return -1.0;
}

static void release(void *arg)
{
    attention_work *w = arg;
    ur_tape_free(w->tape);
    ur_params_free(w->params);
    ur_context_free(w->context);
    free(w->length);
    free(w->x);
    free(w->dy);
    free(w->gradient);
    free(w);
}

static void *make(const char *line, int threads, char why[BENCH_LINE])
{
    const ur_multi_head_config config = {.embed_dim = bench_number(line, "dim", 256),
                                         .num_heads = bench_number(line, "heads", 4)};
    const ur_options options = {.threads = threads};
    attention_work *w = bench_memory(1, sizeof *w);
    ur_err err = {0};
    if (ur_context_new(&options, &w->context, &err) != UR_OK ||
        ur_params_new(w->context, &w->params, &err) != UR_OK ||
        ur_multi_head_attention_add(w->params, "attention", &config, &w->layer, &err) != UR_OK ||
        ur_params_seal(w->params, &err) != UR_OK ||
        ur_tape_new(w->context, &w->tape, &err) != UR_OK) {
        snprintf(why, BENCH_LINE, "%s", err.text);
        release(w);
        return NULL;
    }
    ur_multi_head_attention_init(&w->layer, w->params, 1);
    w->causal = bench_number(line, "causal", 0);
    w->backward = bench_number(line, "backward", 0);
    w->batch = bench_number(line, "batch", 32);
    w->length = bench_memory(w->batch, sizeof *w->length);
    bench_lengths(line, w->batch, bench_number(line, "steps", 32), w->length);
    for (size_t b = 0; b < w->batch; b++)
        w->rows += w->length[b];
    w->gradient = bench_memory(ur_params_size(w->params), sizeof *w->gradient);
    w->x = bench_memory(w->rows * config.embed_dim, sizeof *w->x);
    w->dy = bench_memory(w->rows * config.embed_dim, sizeof *w->dy);
    bench_fill(w->x, w->rows * config.embed_dim, 1.0f, 0);
    bench_fill(w->dy, w->rows * config.embed_dim, 1.0f, 1);
    return w;
}

const bench_kind bench_attention = {"attention", make, run, release};
