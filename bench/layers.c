/* layers.c - one recurrent layer over a batch:
 *     layer cell=lstm hidden=H [input=I] [proj=P] batch=B steps=T [ragged=1] [backward=1]
 *           [variant=shards]
 *
 * Forward alone is inference. With backward a pass is what a training step asks of a layer: weights
 * packed anew, forward, and from given gradients of all outputs those of inputs and weights. The
 * inputs are there before, as rows of step-major order.
 *
 * The whole batch on one tape, shared by a team; or cut into shards as the trainer does it, longest
 * sequences first, whose gradients meet in the trainer's tree. */
#include "works.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/context.h"
#include "tape/tape.h"
#include "train/shards.h"

/* Sequences that are computed together. */
typedef struct part {
    size_t batch, rows;
    size_t *length; /* (batch) */
    float *x, *dy;  /* (rows, input), (rows, width) */
} part;

typedef struct layer_work {
    ur_context *context;
    ur_params *params;
    ur_rnn_stack stack;
    ur_tape **tapes; /* (threads) */
    ur_fold *fold;
    size_t count; /* of parts; 1: the team's */
    part *parts;
    float *gradient; /* as the parameters */
    bool backward;
} layer_work;

/* The outputs are the tape's. */
static ur_rnn_out run_part(layer_work *w, ur_tape *tape, const part *p, float *gradient)
{
    ur_tape_start(tape, w->backward ? UR_TRAIN : UR_INFER, w->params, gradient, 1, 1);
    if (gradient)
        ur_tape_set_gradient(tape);
    const ur_layout *layout = ur_new_layout(tape, UR_STEP_MAJOR, p->batch, p->length, NULL);
    ur_tensor x = {.dtype = UR_F32,
                   .device = UR_CPU,
                   .ndim = 2,
                   .dim = {p->rows, w->stack.config.input_size},
                   .data = p->x,
                   .needs_grad = w->backward};
    ur_seq in = {&x, layout};
    const ur_rnn_out out = ur_rnn(tape, &w->stack, &in, (ur_state){0});
    if (w->backward && out.y) {
        out.y->values->grad = p->dy;
        ur_tape_replay(tape);
    }
    if (ur_tape_status(tape) != UR_OK) {
        fprintf(stderr, "layer: %s\n", ur_error(tape));
        exit(1);
    }
    return out;
}

static void run_shard(void *arg, size_t s, int worker)
{
    layer_work *w = arg;
    float *gradient = w->backward ? ur_fold_take(w->fold) : NULL;
    run_part(w, w->tapes[worker], &w->parts[s], gradient);
    if (gradient)
        ur_fold_give(w->fold, s, gradient);
}

static double run(void *arg)
{
    layer_work *w = arg;
    if (w->backward)
        ur_params_changed(w->params);
    if (w->count > 1) {
        ur_fold_start(w->fold, w->count);
        ur_pool_for(w->context->pool, w->count, run_shard, w);
        if (w->backward)
            ur_fold_sum(w->fold, ur_pool_team(w->context->pool));
    } else {
        run_part(w, w->tapes[0], &w->parts[0], w->backward ? w->gradient : NULL);
    }
    return -1.0;
}

static void release(void *arg)
{
    layer_work *w = arg;
    for (int i = 0; w->tapes && i < ur_context_threads(w->context); i++)
        ur_tape_free(w->tapes[i]);
    for (size_t i = 0; w->parts && i < w->count; i++) {
        free(w->parts[i].length);
        free(w->parts[i].x);
        free(w->parts[i].dy);
    }
    ur_fold_free(w->fold);
    ur_params_free(w->params);
    ur_context_free(w->context);
    free(w->tapes);
    free(w->parts);
    free(w->gradient);
    free(w);
}

/* The layer, and how many parts its batch is cut into. */
static bool build(layer_work *w, const ur_rnn_config *config, size_t batch, size_t steps,
                  bool shards, int threads, ur_err *err)
{
    const ur_options options = {.threads = threads};
    if (ur_context_new(&options, &w->context, err) != UR_OK ||
        ur_params_new(w->context, &w->params, err) != UR_OK ||
        ur_rnn_add(w->params, "rnn", config, &w->stack, err) != UR_OK ||
        ur_params_seal(w->params, err) != UR_OK)
        return false;
    const size_t size = ur_params_size(w->params);
    w->count = shards ? ur_shard_count(batch, steps, size) : 1;
    if (shards && w->count < (size_t)threads) {
        snprintf(err->text, sizeof err->text, "a batch of %zu has fewer shards than threads",
                 batch);
        return false;
    }
    ur_rnn_init(&w->stack, w->params, 1);
    ur_params_changed(w->params);
    w->gradient = bench_memory(size, sizeof *w->gradient);
    w->tapes = bench_memory((size_t)threads, sizeof(ur_tape *));
    for (int i = 0; i < threads; i++) {
        if (ur_tape_new(w->context, &w->tapes[i], err) != UR_OK)
            return false;
        ur_tape_use_team(w->tapes[i], w->count == 1);
    }
    return w->count == 1 || ur_fold_new(w->context, size, w->count, &w->fold, err) == UR_OK;
}

static int falling(const void *a, const void *b)
{
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* Sequences, inputs and gradients of outputs of every part. */
static void fill_parts(layer_work *w, const char *line, size_t batch)
{
    const size_t input = w->stack.config.input_size, width = ur_rnn_width(&w->stack);
    size_t *length = bench_memory(batch, sizeof *length);
    bench_lengths(line, batch, bench_number(line, "steps", 35), length);
    if (w->count > 1) { /* as the trainer does it */
        size_t *spare = bench_memory(batch, sizeof *spare);
        qsort(length, batch, sizeof *length, falling);
        if (length[0] != length[batch - 1])
            ur_shard_deal(batch, w->count, length, spare);
        free(spare);
    }
    for (size_t s = 0; s < w->count; s++) {
        part *p = &w->parts[s];
        const size_t begin = ur_shard_begin(batch, w->count, s);
        p->batch = ur_shard_begin(batch, w->count, s + 1) - begin;
        p->length = bench_memory(p->batch, sizeof *p->length);
        memcpy(p->length, length + begin, p->batch * sizeof *length);
        for (size_t b = 0; b < p->batch; b++)
            p->rows += p->length[b];
        p->x = bench_memory(p->rows * input, sizeof *p->x);
        p->dy = bench_memory(p->rows * width, sizeof *p->dy);
        bench_fill(p->x, p->rows * input, 1.0f, 2 * s);
        bench_fill(p->dy, p->rows * width, 1.0f, 2 * s + 1);
    }
    free(length);
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
    const size_t batch = bench_number(line, "batch", 32);
    layer_work *w = bench_memory(1, sizeof *w);
    w->backward = bench_number(line, "backward", 0);
    ur_err err = {0};
    const size_t steps = batch * bench_number(line, "steps", 35);
    if (!build(w, &config, batch, steps, bench_is(line, "variant", "shards"), threads, &err)) {
        snprintf(why, BENCH_LINE, "%s", err.text);
        release(w);
        return NULL;
    }
    w->parts = bench_memory(w->count, sizeof *w->parts);
    fill_parts(w, line, batch);
    return w;
}

const bench_kind bench_layer = {"layer", make, run, release};

/* ---- what it computes, for rivals that compare ---------------------------------------------------- */

/* Rows of a layout as (T, B, width), zeros where a sequence has ended. */
static float *padded(const ur_layout *layout, const part *p, size_t steps, size_t width,
                     const float *rows)
{
    float *out = bench_memory(steps * p->batch * width, sizeof *out);
    for (size_t b = 0; b < p->batch; b++)
        for (size_t t = 0; t < p->length[b]; t++)
            memcpy(out + (t * p->batch + b) * width, rows + ur_row(layout, b, t) * width,
                   width * sizeof *out);
    return out;
}

int bench_write_layer(const char *path, const char *line)
{
    enum { MOST_TENSORS = 8 };
    char why[BENCH_LINE];
    layer_work *w = make(line, 1, why);
    if (!w) {
        fprintf(stderr, "bench_unroll: %s\n", why);
        return 1;
    }
    const part *p = &w->parts[0];
    const ur_rnn_out out = run_part(w, w->tapes[0], p, NULL);
    const size_t steps = bench_number(line, "steps", 35), width = ur_rnn_width(&w->stack),
                 input = w->stack.config.input_size;
    float *x = padded(out.y->layout, p, steps, input, p->x),
          *y = padded(out.y->layout, p, steps, width, out.y->values->data);
    ur_st_tensor tensors[MOST_TENSORS];
    const size_t weights = ur_params_count(w->params);
    for (size_t i = 0; i < weights; i++) {
        const ur_param *entry = ur_params_entry(w->params, i);
        tensors[i] = (ur_st_tensor){entry->name, UR_ST_F32, entry->ndim, entry->dim,
                                    ur_param_data(w->params, (int)i)};
    }
    tensors[weights] = (ur_st_tensor){"x", UR_ST_F32, 3, (size_t[]){steps, p->batch, input}, x};
    tensors[weights + 1] = (ur_st_tensor){"y", UR_ST_F32, 3, (size_t[]){steps, p->batch, width}, y};
    ur_err err;
    const bool ok = ur_st_write(NULL, path, tensors, weights + 2, NULL, 0, &err) == UR_OK;
    if (!ok)
        fprintf(stderr, "bench_unroll: %s\n", err.text);
    free(x);
    free(y);
    release(w);
    return ok ? 0 : 1;
}
