/* onednn.c - oneDNN 2's RNN primitives as a contestant, for the works of layers.c and stream.c:
 *     layer ...       all sequences at full length: oneDNN has no ragged ones
 *     stream ...      one step, its states going back in
 *
 * The whole sequence is one primitive, weights in the layout that it chooses. In forward alone they
 * are brought there once, beforehand; with backward in every pass, since they change in every step
 * of a training. A batch starts from no state and asks for none. The GRU is the one that resets
 * after the product ("linear before reset"), as PyTorch's. */
#include "bench.h"

#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SRC, SRC_ITER, SRC_ITER_C, DST, DST_ITER, DST_ITER_C, W_LAYER, W_ITER, W_PROJ, BIAS, SLOTS };

static const int argument[SLOTS] = {
    DNNL_ARG_SRC_LAYER,          DNNL_ARG_SRC_ITER,   DNNL_ARG_SRC_ITER_C,    DNNL_ARG_DST_LAYER,
    DNNL_ARG_DST_ITER,           DNNL_ARG_DST_ITER_C, DNNL_ARG_WEIGHTS_LAYER, DNNL_ARG_WEIGHTS_ITER,
    DNNL_ARG_WEIGHTS_PROJECTION, DNNL_ARG_BIAS};

/* A primitive with its memories; those of weights in its own layout. */
typedef struct pass {
    dnnl_primitive_t primitive;
    dnnl_memory_t own[SLOTS], diff[SLOTS], workspace;
    dnnl_exec_arg_t args[2 * SLOTS + 1];
    int count;
} pass;

typedef struct rnn_work {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    char cell[16];
    bool backward;
    dnnl_memory_desc_t md[SLOTS],
        any[SLOTS]; /* as the caller has them; as the primitive may choose */
    dnnl_memory_t user[SLOTS];
    dnnl_primitive_t to_forward[SLOTS],
        to_backward[SLOTS]; /* reorders, NULL where none is needed */
    pass forward, back;
    float *state[SLOTS]; /* a stream's: they change places after every step */
} rnn_work;

static dnnl_memory_t memory(rnn_work *w, const dnnl_memory_desc_t *md, float bound)
{
    dnnl_memory_t m = NULL;
    void *data = NULL;
    if (dnnl_memory_create(&m, md, w->engine, DNNL_MEMORY_ALLOCATE) != dnnl_success)
        return NULL;
    dnnl_memory_get_data_handle(m, &data);
    if (bound >= 0.0f)
        bench_fill(data, dnnl_memory_desc_get_size(md) / sizeof(float), bound, 1);
    return m;
}

static bool weights(int slot)
{
    return slot == W_LAYER || slot == W_ITER || slot == W_PROJ;
}

static void describe(rnn_work *w, int slot, int ndims, const dnnl_dim_t *dims)
{
    static const dnnl_format_tag_t plain[] = {[3] = dnnl_abc, [4] = dnnl_abcd, [5] = dnnl_abcde};
    dnnl_memory_desc_init_by_tag(&w->md[slot], ndims, dims, dnnl_f32, plain[ndims]);
    dnnl_memory_desc_init_by_tag(&w->any[slot], ndims, dims, dnnl_f32,
                                 weights(slot) ? dnnl_format_tag_any : plain[ndims]);
}

static void shapes(rnn_work *w, const char *line, bool stream)
{
    const bool lstm = strcmp(w->cell, "lstm") == 0, gru = strcmp(w->cell, "gru") == 0;
    const dnnl_dim_t h = (dnnl_dim_t)bench_number(line, "hidden", 256),
                     i = (dnnl_dim_t)bench_number(line, "input", (size_t)h),
                     p = (dnnl_dim_t)bench_number(line, "proj", 0), r = p ? p : h,
                     b = stream ? 1 : (dnnl_dim_t)bench_number(line, "batch", 32),
                     t = stream ? 1 : (dnnl_dim_t)bench_number(line, "steps", 35),
                     g = lstm  ? 4
                         : gru ? 3
                               : 1;
    describe(w, SRC, 3, (dnnl_dims_t){t, b, i});
    describe(w, DST, 3, (dnnl_dims_t){t, b, r});
    describe(w, W_LAYER, 5, (dnnl_dims_t){1, 1, i, g, h});
    describe(w, W_ITER, 5, (dnnl_dims_t){1, 1, r, g, h});
    describe(w, BIAS, 4, (dnnl_dims_t){1, 1, gru ? 4 : g, h});
    if (p)
        describe(w, W_PROJ, 4, (dnnl_dims_t){1, 1, h, p});
    for (int k = 0; stream && k < (lstm ? 2 : 1); k++) {
        describe(w, SRC_ITER + k, 4, (dnnl_dims_t){1, 1, b, k ? h : r});
        describe(w, DST_ITER + k, 4, (dnnl_dims_t){1, 1, b, k ? h : r});
    }
}

static dnnl_status_t forward_desc(rnn_work *w, dnnl_rnn_desc_t *d)
{
    const dnnl_memory_desc_t *m = w->any;
    const dnnl_prop_kind_t kind = w->backward ? dnnl_forward_training : dnnl_forward_inference;
    const dnnl_rnn_direction_t way = dnnl_unidirectional_left2right;
    if (strcmp(w->cell, "lstm") == 0)
        return dnnl_lstm_forward_desc_init_v3(d, kind, way, m + SRC, m + SRC_ITER, m + SRC_ITER_C,
                                              m + W_LAYER, m + W_ITER, NULL, m + W_PROJ, m + BIAS,
                                              m + DST, m + DST_ITER, m + DST_ITER_C, 0);
    if (strcmp(w->cell, "gru") == 0)
        return dnnl_lbr_gru_forward_desc_init(d, kind, way, m + SRC, m + SRC_ITER, m + W_LAYER,
                                              m + W_ITER, m + BIAS, m + DST, m + DST_ITER, 0);
    return dnnl_vanilla_rnn_forward_desc_init(d, kind, dnnl_eltwise_tanh, way, m + SRC,
                                              m + SRC_ITER, m + W_LAYER, m + W_ITER, m + BIAS,
                                              m + DST, m + DST_ITER, 0, 0.0f, 0.0f);
}

/* Gradients are shaped like what they are of. */
static dnnl_status_t backward_desc(rnn_work *w, dnnl_rnn_desc_t *d)
{
    const dnnl_memory_desc_t *m = w->any;
    const dnnl_rnn_direction_t way = dnnl_unidirectional_left2right;
    if (strcmp(w->cell, "lstm") == 0)
        return dnnl_lstm_backward_desc_init_v3(
            d, dnnl_backward, way, m + SRC, NULL, NULL, m + W_LAYER, m + W_ITER, NULL, m + W_PROJ,
            m + BIAS, m + DST, NULL, NULL, m + SRC, NULL, NULL, m + W_LAYER, m + W_ITER, NULL,
            m + W_PROJ, m + BIAS, m + DST, NULL, NULL, 0);
    if (strcmp(w->cell, "gru") == 0)
        return dnnl_lbr_gru_backward_desc_init(d, dnnl_backward, way, m + SRC, NULL, m + W_LAYER,
                                               m + W_ITER, m + BIAS, m + DST, NULL, m + SRC, NULL,
                                               m + W_LAYER, m + W_ITER, m + BIAS, m + DST, NULL, 0);
    return dnnl_vanilla_rnn_backward_desc_init(d, dnnl_backward, dnnl_eltwise_tanh, way, m + SRC,
                                               NULL, m + W_LAYER, m + W_ITER, m + BIAS, m + DST,
                                               NULL, m + SRC, NULL, m + W_LAYER, m + W_ITER,
                                               m + BIAS, m + DST, NULL, 0, 0.0f, 0.0f);
}

static void give(pass *p, int arg, dnnl_memory_t m)
{
    p->args[p->count++] = (dnnl_exec_arg_t){arg, m};
}

/* The memory of a slot as this primitive wants it, and the reorder that fills it. */
static dnnl_memory_t own_memory(rnn_work *w, const_dnnl_primitive_desc_t pd, int slot,
                                dnnl_primitive_t *reorder)
{
    const dnnl_memory_desc_t *md =
        dnnl_primitive_desc_query_md(pd, dnnl_query_exec_arg_md, argument[slot]);
    if (!weights(slot) || dnnl_memory_desc_equal(md, &w->md[slot]))
        return w->user[slot];
    dnnl_primitive_desc_t how;
    dnnl_memory_t m = memory(w, md, -1.0f);
    if (dnnl_reorder_primitive_desc_create(&how, &w->md[slot], w->engine, md, w->engine, NULL) ==
        dnnl_success) {
        dnnl_primitive_create(reorder, how);
        dnnl_primitive_desc_destroy(how);
    }
    return m;
}

static void reorder(rnn_work *w, dnnl_primitive_t *reorders, pass *p)
{
    for (int slot = W_LAYER; slot <= W_PROJ; slot++)
        if (reorders[slot]) {
            const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, w->user[slot]},
                                            {DNNL_ARG_TO, p->own[slot]}};
            dnnl_primitive_execute(reorders[slot], w->stream, 2, args);
        }
}

static bool build_pass(rnn_work *w, pass *p, dnnl_rnn_desc_t *d, const_dnnl_primitive_desc_t hint,
                       dnnl_primitive_t *reorders, dnnl_primitive_desc_t *pd)
{
    if (dnnl_primitive_desc_create(pd, d, NULL, w->engine, hint) != dnnl_success ||
        dnnl_primitive_create(&p->primitive, *pd) != dnnl_success)
        return false;
    for (int slot = 0; slot < SLOTS; slot++) {
        if (!w->md[slot].ndims)
            continue;
        p->own[slot] = own_memory(w, *pd, slot, &reorders[slot]);
        give(p, argument[slot], p->own[slot]);
        if (!hint)
            continue;
        const int diff = argument[slot] + DNNL_ARG_DIFF_SRC_0 - DNNL_ARG_SRC_0;
        const int which = slot <= DST_ITER_C && slot >= DST ? DNNL_ARG_DIFF_DST_0 - DNNL_ARG_DST_0
                          : weights(slot) ? DNNL_ARG_DIFF_WEIGHTS_0 - DNNL_ARG_WEIGHTS_0
                          : slot == BIAS  ? DNNL_ARG_DIFF_BIAS - DNNL_ARG_BIAS
                                          : diff - argument[slot];
        p->diff[slot] = memory(
            w, dnnl_primitive_desc_query_md(*pd, dnnl_query_exec_arg_md, argument[slot] + which),
            slot == DST ? 1.0f : 0.0f);
        give(p, argument[slot] + which, p->diff[slot]);
    }
    return true;
}

static bool build(rnn_work *w, const char *line, bool stream)
{
    dnnl_rnn_desc_t d;
    dnnl_primitive_desc_t forward = NULL, back = NULL;
    if (dnnl_engine_create(&w->engine, dnnl_cpu, 0) != dnnl_success ||
        dnnl_stream_create(&w->stream, w->engine, dnnl_stream_default_flags) != dnnl_success)
        return false;
    shapes(w, line, stream);
    for (int slot = 0; slot < SLOTS; slot++) {
        if (!w->md[slot].ndims)
            continue;
        w->user[slot] = memory(w, &w->md[slot], slot == SRC ? 1.0f : 0.05f);
        if (slot == SRC_ITER || slot == SRC_ITER_C || slot == DST_ITER || slot == DST_ITER_C) {
            w->state[slot] = bench_memory(dnnl_memory_desc_get_size(&w->md[slot]), 1);
            dnnl_memory_set_data_handle(w->user[slot], w->state[slot]);
        }
    }
    bool ok = forward_desc(w, &d) == dnnl_success &&
              build_pass(w, &w->forward, &d, NULL, w->to_forward, &forward);
    if (ok && w->backward)
        ok = backward_desc(w, &d) == dnnl_success &&
             build_pass(w, &w->back, &d, forward, w->to_backward, &back);
    if (ok && w->backward) {
        w->forward.workspace =
            memory(w, dnnl_primitive_desc_query_md(forward, dnnl_query_workspace_md, 0), -1.0f);
        give(&w->forward, DNNL_ARG_WORKSPACE, w->forward.workspace);
        give(&w->back, DNNL_ARG_WORKSPACE, w->forward.workspace);
    }
    if (ok)
        reorder(w, w->to_forward, &w->forward);
    dnnl_primitive_desc_destroy(forward);
    dnnl_primitive_desc_destroy(back);
    return ok;
}

/* The primitive adds to the gradients of weights. */
static void clear_gradients(pass *p)
{
    for (int slot = W_LAYER; slot < SLOTS; slot++)
        if (p->diff[slot]) {
            const dnnl_memory_desc_t *md;
            void *data;
            dnnl_memory_get_memory_desc(p->diff[slot], &md);
            dnnl_memory_get_data_handle(p->diff[slot], &data);
            memset(data, 0, dnnl_memory_desc_get_size(md));
        }
}

static void swap_states(rnn_work *w)
{
    for (int k = 0; k < 2; k++) {
        float **in = &w->state[SRC_ITER + k], **out = &w->state[DST_ITER + k], *next = *out;
        if (!next)
            continue;
        *out = *in;
        *in = next;
        dnnl_memory_set_data_handle(w->user[SRC_ITER + k], *in);
        dnnl_memory_set_data_handle(w->user[DST_ITER + k], *out);
    }
}

static double run(void *arg)
{
    rnn_work *w = arg;
    if (w->backward)
        reorder(w, w->to_forward, &w->forward);
    dnnl_primitive_execute(w->forward.primitive, w->stream, w->forward.count, w->forward.args);
    if (w->backward) {
        reorder(w, w->to_backward, &w->back);
        clear_gradients(&w->back);
        dnnl_primitive_execute(w->back.primitive, w->stream, w->back.count, w->back.args);
    }
    if (dnnl_stream_wait(w->stream) != dnnl_success) {
        fprintf(stderr, "onednn: failed\n");
        exit(1);
    }
    swap_states(w);
    return -1.0;
}

static void release(void *arg)
{
    rnn_work *w = arg;
    pass *passes[] = {&w->forward, &w->back};
    for (int slot = 0; slot < SLOTS; slot++) {
        for (int i = 0; i < 2; i++) {
            if (passes[i]->own[slot] != w->user[slot])
                dnnl_memory_destroy(passes[i]->own[slot]);
            dnnl_memory_destroy(passes[i]->diff[slot]);
        }
        dnnl_primitive_destroy(w->to_forward[slot]);
        dnnl_primitive_destroy(w->to_backward[slot]);
        dnnl_memory_destroy(w->user[slot]);
        free(w->state[slot]);
    }
    dnnl_memory_destroy(w->forward.workspace);
    dnnl_primitive_destroy(w->forward.primitive);
    dnnl_primitive_destroy(w->back.primitive);
    dnnl_stream_destroy(w->stream);
    dnnl_engine_destroy(w->engine);
    free(w);
}

static void *make(const char *line, int threads, char why[BENCH_LINE], bool stream)
{
    rnn_work *w = bench_memory(1, sizeof *w);
    omp_set_num_threads(threads);
    if (!bench_text(line, "cell", w->cell, sizeof w->cell))
        strcpy(w->cell, "lstm");
    w->backward = bench_number(line, "backward", 0);
    if (build(w, line, stream))
        return w;
    snprintf(why, BENCH_LINE, "oneDNN has no such primitive");
    release(w);
    return NULL;
}

static void *make_layer(const char *line, int threads, char why[BENCH_LINE])
{
    return make(line, threads, why, false);
}

static void *make_stream(const char *line, int threads, char why[BENCH_LINE])
{
    return make(line, threads, why, true);
}

int main(int argc, char **argv)
{
    const bench_kind kinds[] = {{"layer", make_layer, run, release},
                                {"stream", make_stream, run, release}};
    char name[64];
    const dnnl_version_t *version = dnnl_version();
    snprintf(name, sizeof name, "oneDNN %d.%d.%d", version->major, version->minor, version->patch);
    return bench_main(argc, argv, name, kinds, sizeof kinds / sizeof *kinds);
}
